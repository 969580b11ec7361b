//! kustomize's own file: which paths it names, and how it is written anew.
//!
//! Go reads the names of fields whatever the case of their letters, and
//! a kustomization may be written in any YAML. What a builder gets is therefore made
//! from what was understood here: one document, as JSON, fields by their own names.
//! The fields are those of `sigs.k8s.io/kustomize/api/types` (v0.21).

use serde_json::{Map, Value};

use crate::api;
use crate::resource_list;

/// The names that kustomize knows, the first that there is being the one.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A kustomization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KustomizationFile {
    /// Its fields by their own names.
    pub fields: Map<String, Value>,
}

/// What a path of a kustomization is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file of resources, or a folder with a kustomization.
    Resource,
    /// A folder with a component.
    Component,
    /// A file that is read for what it holds.
    Text,
    /// A file, or folder, of what generates, transforms or validates.
    Plugin,
}

/// A path of a kustomization, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The field, as `patches[0].path`.
    pub field: String,
    /// The path, or a URL.
    pub path: String,
    /// What it is for.
    pub used_as: Use,
}

/// The fields of a kustomization that name paths, and those that are gone through
/// for paths in them. All others are left as they are written.
const FIELDS: &[&str] = &[
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "configMapGenerator",
    "secretGenerator",
    "openapi",
    "helmCharts",
    "helmChartInflationGenerator",
    "helmGlobals",
];

/// What else Flux keeps of the kustomization that it builds; other fields vanish.
const FURTHER: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "images",
    "imageTags",
    "replicas",
    "vars",
    "sortOptions",
    "generatorOptions",
    "buildMetadata",
];

/// Fields below those of a kustomization, or in a plugin's document, that name
/// paths.
const INNER: &[&str] = &["path", "paths", "files", "env", "envs"];

/// A name as Go compares it with that of a field: without case, where two characters
/// beyond ASCII are letters of it.
fn folded(name: &str) -> String {
    let one = |c| match c {
        'ſ' => 's',
        'K' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(one).collect()
}

/// The field that Go takes a name for, among some.
fn field_of(name: &str, fields: &[&'static str]) -> Option<&'static str> {
    let name = folded(name);
    let mut fields = fields.iter();
    fields.find(|field| folded(field) == name).copied()
}

/// A mapping whose names of fields are their own.
///
/// # Errors
/// One field under two names.
fn renamed(map: Map<String, Value>, fields: &[&'static str]) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    for (name, value) in map {
        let name = field_of(&name, fields).map_or(name, str::to_owned);
        if out.insert(name.clone(), value).is_some() {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(out)
}

/// The same for all mappings of a value, at any depth.
fn renamed_deep(value: Value, fields: &[&'static str]) -> Result<Value, String> {
    Ok(match value {
        Value::Object(map) => {
            let map = renamed(map, fields)?.into_iter();
            let map = map.map(|(name, value)| Ok((name, renamed_deep(value, fields)?)));
            Value::Object(map.collect::<Result<_, String>>()?)
        }
        Value::Array(items) => {
            let items = items.into_iter().map(|item| renamed_deep(item, fields));
            Value::Array(items.collect::<Result<_, String>>()?)
        }
        other => other,
    })
}

/// The documents of a text, as values.
///
/// # Errors
/// What is wrong with the text.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let outline = resource_list::read(text).map_err(|error| error.to_string())?;
    let documents = outline.documents.iter();
    documents
        .map(|document| api::read_text::<Value>(&document.root.own_text(text)))
        .collect()
}

impl KustomizationFile {
    /// Reads a kustomization; of several documents, the first.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let first = documents(text)?.into_iter().next();
        let fields = match first.unwrap_or_default() {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => return Err("it is not a mapping".to_owned()),
        };
        let known: Vec<&'static str> = FIELDS.iter().chain(FURTHER).copied().collect();
        let mut fields = renamed(fields, &known)?;
        for field in FIELDS {
            if let Some(value) = fields.get_mut(*field) {
                *value = renamed_deep(value.take(), INNER)?;
            }
        }
        // As kustomize mends it.
        if let Some(Value::Array(mut bases)) = fields.remove("bases")
            && let Value::Array(resources) = fields
                .entry("resources")
                .or_insert_with(|| Value::Array(Vec::new()))
        {
            resources.append(&mut bases);
        }
        Ok(Self { fields })
    }

    /// Leaves out the fields that Flux does not know.
    pub fn keep_known(&mut self) {
        let is_known = |name: &str| FIELDS.contains(&name) || FURTHER.contains(&name);
        self.fields.retain(|name, _| is_known(name));
    }

    /// The paths that it names.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let mut all = References::default();
        for (field, used_as) in [
            ("resources", Use::Resource),
            ("components", Use::Component),
            ("crds", Use::Text),
            ("configurations", Use::Text),
            ("generators", Use::Plugin),
            ("transformers", Use::Plugin),
            ("validators", Use::Plugin),
            ("patchesStrategicMerge", Use::Text),
        ] {
            for (number, entry) in self.texts(field) {
                let field = format!("{field}[{number}]");
                match inline(entry) {
                    Some(documents) if used_as == Use::Plugin => {
                        documents.iter().for_each(|one| all.inner(&field, one));
                    }
                    Some(_) if field.starts_with("patches") => {}
                    _ => all.add(field, entry, used_as),
                }
            }
        }
        for field in [
            "patches",
            "patchesJson6902",
            "replacements",
            "configMapGenerator",
            "secretGenerator",
            "openapi",
        ] {
            if let Some(value) = self.fields.get(field) {
                all.inner(field, value);
            }
        }
        all.0
    }

    /// Leaves entries of a field out.
    pub fn leave_out(&mut self, field: &str, is_out: impl Fn(&str) -> bool) {
        if let Some(Value::Array(items)) = self.fields.get_mut(field) {
            items.retain(|item| !item.as_str().is_some_and(&is_out));
        }
    }

    /// Writes documents that stand in the place of paths anew. What is left are paths, of
    /// which `leads_somewhere` tells whether they lead to anything.
    ///
    /// # Errors
    /// What is neither, or cannot be read.
    pub fn write_inline_anew(
        &mut self,
        leads_somewhere: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        for field in [
            "generators",
            "transformers",
            "validators",
            "patchesStrategicMerge",
        ] {
            let Some(Value::Array(items)) = self.fields.get_mut(field) else {
                continue;
            };
            for (number, item) in items.iter_mut().enumerate() {
                let wrong = |why: &str| format!("`{field}[{number}]` {why}");
                let text = item.as_str().ok_or_else(|| wrong("is not a text"))?;
                match documents(text) {
                    Ok(documents) if documents.iter().any(Value::is_object) => {
                        let anew = with_own_names(documents).map_err(|why| wrong(&why))?;
                        *item = Value::String(written(&anew));
                    }
                    // Another reader might take it for a document.
                    _ if !leads_somewhere(text) => {
                        return Err(wrong("is neither a document nor a file of the repository"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The whole as a builder gets it.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Object(self.fields.clone()).to_string()
    }

    fn texts(&self, field: &str) -> impl Iterator<Item = (usize, &str)> {
        let items = self.fields.get(field).and_then(Value::as_array);
        let items = items.into_iter().flatten().enumerate();
        items.filter_map(|(number, item)| Some((number, item.as_str()?)))
    }
}

/// The documents of a plugin's file written anew, and the paths that they name.
///
/// # Errors
/// What is wrong with the text.
pub fn plugin(text: &str) -> Result<(String, Vec<Reference>), String> {
    let documents = with_own_names(documents(text)?)?;
    let mut all = References::default();
    for document in &documents {
        all.inner("", document);
    }
    Ok((written(&documents), all.0))
}

/// Documents whose fields that name paths have their own names.
fn with_own_names(documents: Vec<Value>) -> Result<Vec<Value>, String> {
    let documents = documents.into_iter();
    documents.map(|one| renamed_deep(one, INNER)).collect()
}

/// Documents as JSON: `---` before each, and a line break at the end, so that no reader
/// takes the whole for a path.
fn written(documents: &[Value]) -> String {
    let mut out = String::new();
    for document in documents {
        out.push_str("---\n");
        out.push_str(&document.to_string());
        out.push('\n');
    }
    out
}

#[derive(Default)]
struct References(Vec<Reference>);

impl References {
    fn add(&mut self, field: String, path: &str, used_as: Use) {
        self.0.push(Reference {
            field,
            path: path.to_owned(),
            used_as,
        });
    }

    /// Adds what stands under the names of fields that name paths, at any depth.
    fn inner(&mut self, at: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let field = format!("{at}.{name}");
                    let field = field.trim_start_matches('.');
                    match value {
                        Value::String(text) if INNER.contains(&name.as_str()) => {
                            self.text(name, field.to_owned(), text);
                        }
                        Value::Array(items) if INNER.contains(&name.as_str()) => {
                            for (number, item) in items.iter().enumerate() {
                                match item {
                                    Value::String(text) => {
                                        self.text(name, format!("{field}[{number}]"), text);
                                    }
                                    other => self.inner(&format!("{field}[{number}]"), other),
                                }
                            }
                        }
                        other => self.inner(field, other),
                    }
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.inner(&format!("{at}[{number}]"), item);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, name: &str, field: String, text: &str) {
        // `files` may give each file a key: `app.conf=files/app.conf`.
        let path = match text.split_once('=') {
            Some((_, path)) if name == "files" => path,
            _ => text,
        };
        self.add(field, path, Use::Text);
    }
}

/// The documents of a text that was written anew, which no path is.
fn inline(text: &str) -> Option<Vec<Value>> {
    let documents = text.starts_with("---\n").then(|| documents(text).ok());
    let documents = documents.flatten()?;
    documents.iter().any(Value::is_object).then_some(documents)
}

/// Whether kustomize would ask the network for a file of this name.
#[must_use]
pub fn is_url(path: &str) -> bool {
    let path = path.trim_start().to_ascii_lowercase();
    path.starts_with("http:") || path.starts_with("https:")
}

/// Whether kustomize would take a name that leads to nothing here for another
/// repository's.
#[must_use]
pub fn is_remote(path: &str) -> bool {
    let path = path.trim_start().to_ascii_lowercase();
    let begins = [
        "git::",
        "gh:",
        "git@",
        "github.com/",
        "github.com:",
        "file:",
    ];
    begins.iter().any(|begin| path.starts_with(begin))
        || path.contains("://")
        || path.contains("?ref=")
        || path.contains("_git/")
        || path.contains(".git/")
        || path.ends_with(".git")
}

/// Whether an address is one that a builder may fetch: of a host, by https or ssh, and
/// nothing in it is an option or a command to git.
#[must_use]
pub fn may_be_fetched(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let begins = ["https://", "http://", "ssh://", "git@", "github.com/"];
    let rest = begins.iter().find_map(|begin| lower.strip_prefix(begin));
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\\`\"'<>|;$".contains(c);
    let Some(rest) = rest.filter(|_| !lower.contains(is_odd)) else {
        return false;
    };
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let is_host = !host.is_empty() && !host.starts_with('-') && !host.starts_with('.');
    // There a machine asks who it is.
    let own = host.rsplit('@').next().unwrap_or(host);
    let is_metadata = own.starts_with("169.254.") || own == "metadata.google.internal";
    let is_host = is_host && !is_metadata && !host.starts_with('[');
    let decoded = percent_encoding::percent_decode_str(rest).decode_utf8_lossy();
    let steps = decoded.split(['/', '?', '&', '=', ':', '@']);
    let mut steps = steps.map(str::trim);
    is_host && steps.all(|step| !step.starts_with('-') && step != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<(String, String)> {
        let mut file = KustomizationFile::parse(text).expect("a kustomization");
        file.write_inline_anew(|_| true).expect("written");
        let references = file.references().into_iter();
        references.map(|one| (one.field, one.path)).collect()
    }

    #[test]
    fn every_field_that_takes_a_path() {
        for (text, field) in [
            ("resources: [a]", "resources[0]"),
            ("bases: [a]", "resources[0]"),
            ("resources: [x]\nbases: [a]", "resources[1]"),
            ("components: [a]", "components[0]"),
            ("crds: [a]", "crds[0]"),
            ("configurations: [a]", "configurations[0]"),
            ("generators: [a]", "generators[0]"),
            ("transformers: [a]", "transformers[0]"),
            ("validators: [a]", "validators[0]"),
            ("patches: [{path: a}]", "patches[0].path"),
            ("patchesStrategicMerge: [a]", "patchesStrategicMerge[0]"),
            ("patchesJson6902: [{path: a}]", "patchesJson6902[0].path"),
            ("replacements: [{path: a}]", "replacements[0].path"),
            ("openapi: {path: a}", "openapi.path"),
            (
                "configMapGenerator: [{files: [k=a]}]",
                "configMapGenerator[0].files[0]",
            ),
            (
                "configMapGenerator: [{files: [a]}]",
                "configMapGenerator[0].files[0]",
            ),
            (
                "configMapGenerator: [{env: a}]",
                "configMapGenerator[0].env",
            ),
            (
                "configMapGenerator: [{envs: [a]}]",
                "configMapGenerator[0].envs[0]",
            ),
            (
                "secretGenerator: [{files: [k=a]}]",
                "secretGenerator[0].files[0]",
            ),
            (
                "secretGenerator: [{envs: [a]}]",
                "secretGenerator[0].envs[0]",
            ),
            // Go takes any spelling, and so does whoever wants to hide a path.
            ("ReSources: [a]", "resources[0]"),
            ("reſourceſ: [a]", "resources[0]"),
            ("\"\\u0072esources\": [a]", "resources[0]"),
            ("x: &x [a]\nresources: *x", "resources[0]"),
            ("patches: [{PATH: a}]", "patches[0].path"),
            (
                "configMapGenerator: [{FileS: [k=a]}]",
                "configMapGenerator[0].files[0]",
            ),
            (
                "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: x}, files: [a]}']",
                "generators[0].files[0]",
            ),
            (
                "transformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\nmetadata: {name: x}\\nPath: a\"]",
                "transformers[0].path",
            ),
        ] {
            let expected = (field.to_owned(), "a".to_owned());
            assert!(paths(text).contains(&expected), "{text}: {:?}", paths(text));
        }
    }

    #[test]
    fn what_two_readers_may_take_for_two_things_is_refused() {
        for text in [
            "resources: [a]\nResources: [b]",
            "resources: [a]\nresources: [b]",
            "patches: [{path: a, Path: b}]",
            "- a",
            "a: [",
        ] {
            assert!(KustomizationFile::parse(text).is_err(), "{text}");
        }
        let text = "resources: [a]\n---\nresources: [b]\n";
        assert_eq!(paths(text), [("resources[0]".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn what_no_reader_may_take_for_something_else() {
        for text in [
            "generators: [\"apiVersion: builtin\\nkind: ConfigMapGenerator\\nfiles: [a=/etc/x]\\nm: 1e999\"]",
            "generators: [\"a: [\"]",
            "transformers: [{a: b}]",
        ] {
            let mut file = KustomizationFile::parse(text).expect("a kustomization");
            let written = file.write_inline_anew(|_| false);
            let has_paths = !file.references().is_empty();
            assert!(written.is_err() || has_paths, "{text}");
        }
        let text = "patchesStrategicMerge: ['x: y/../../etc/passwd']";
        let mut file = KustomizationFile::parse(text).expect("a kustomization");
        file.write_inline_anew(|_| false).expect("written");
        let written = &file.fields["patchesStrategicMerge"][0];
        assert_eq!(written, "---\n{\"x\":\"y/../../etc/passwd\"}\n");
    }

    #[test]
    fn addresses_that_are_fetched() {
        for address in [
            "https://github.com/acme/base//deploy?ref=v1.0.0",
            "github.com/acme/base?ref=main",
            "git@github.com:acme/base.git//x?ref=v1&timeout=20s",
            "ssh://git@git.example/acme/base?ref=v1",
            "https://raw.githubusercontent.example/a/b.yaml",
        ] {
            assert!(may_be_fetched(address), "{address}");
        }
        for address in [
            "file:///tmp/x?ref=main",
            "file://x",
            "git::file:///tmp/x",
            "/tmp/x.git",
            "https:///x",
            "https://h/x?ref=--upload-pack=touch%20x",
            "https://h/x?ref=%2d-upload-pack=x",
            "https://h/../../x",
            "https://h/%2e%2e/x",
            "ssh://-oProxyCommand=x/y",
            "git@-oProxyCommand=x:y",
            "a://../../x",
            "a.git/../../x",
            "http://169.254.169.254/latest/meta-data",
            "https://x@169.254.169.254/latest",
            "http://metadata.google.internal/x",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(!may_be_fetched(address), "{address}");
        }
    }
}
