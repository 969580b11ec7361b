//! Kustomizations above annotated resources: who sets a value last says whose it is.
//!
//! An annotation comes up through a build with its resource, while `images`, a patch or
//! whatever else kustomize has may give the field another value. The nearest mark wins:
//! where the kustomization marks what it sets, the field is bound to that policy there,
//! and else to nothing.
//!
//! Nobody but kustomize knows what it makes of its files. So each kustomization that may
//! change anything is built from copies in which every marked value is another one, made
//! up and used once: a field of the result that holds it still belongs to that mark,
//! and a field that the annotation names and that does not hold its own was set on
//! the way. What is to be said otherwise is a patch of the annotation in that
//! kustomization, for kustomize to apply wherever it is built, and nowhere else; a second
//! build shows that it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::binding::annotate::{self, annotate};
use crate::binding::annotation;
use crate::binding::marker::{self, ImagePart, MarkerTarget};
use crate::binding::origin;
use crate::binding::path;
use crate::cluster::artifact::{self, Artifact, Standing};
use crate::cluster::builds::Build;
use crate::cluster::closure;
use crate::cluster::kustomization::{self, KustomizationFile, NAMES};
use crate::cluster::overlay;
use crate::cluster::results;
use crate::parallel;
use crate::resource_list::{self, BIND_ANNOTATION};
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::scalar;
use yaml_edit_spans::tree::{self, Content, Node};

/// Fields of a kustomization that set no field which a mark may stand at.
const HARMLESS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "crds",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "buildMetadata",
    "sortOptions",
];

/// What stands in made-up values, before and after their number.
const SIGN: &str = "flux-image-mark-";
const SIGN_END: &str = "-x";
/// The same in a digest, whose digits are those of numbers.
const DIGEST_SIGN: &str = "f1a60000f1a60000f1a60000f1a60000f1a60000f1a60000";

/// What the kustomizations of a tree are to say.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Each, by its path.
    pub by_path: BTreeMap<String, Overlay>,
    /// Where the marks begin, by file, that reach a field of a build.
    pub reached: BTreeMap<String, BTreeSet<usize>>,
}

/// What a kustomization is to say.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The edits of its text.
    pub edits: Vec<Edit>,
    /// How many resources they patch.
    pub patched: usize,
    /// What is bound to nothing here, in words.
    pub unbound: Vec<String>,
    /// What cannot be said, in words.
    pub faults: Vec<String>,
}

/// A marked value, and what stands in its place.
struct Mark {
    file: String,
    start: usize,
    setter: String,
    part: ImagePart,
    /// The whole of it.
    stands: String,
}

/// Files, and where in them the marks begin that reach a build.
type Reached = BTreeSet<(String, usize)>;

/// Marks by their numbers, and their numbers.
#[derive(Default)]
struct Marks {
    all: Vec<Mark>,
    numbers: BTreeMap<(String, usize, String), usize>,
    /// Marks of names, which are not made up: files, where they begin, and policies.
    names: BTreeSet<(String, usize, (String, String))>,
}

impl Marks {
    /// With marks of one file that reach a build, those of names of the same policies.
    fn with_names(&self, mut reached: Reached) -> Reached {
        let numbers = self.numbers.keys();
        let of = numbers.filter(|(file, start, _)| reached.contains(&(file.clone(), *start)));
        let policies = of.filter_map(|(file, _, setter)| {
            let target = MarkerTarget::parse(setter)?;
            Some((file.as_str(), (target.namespace, target.name)))
        });
        let policies: BTreeSet<(&str, (String, String))> = policies.collect();
        let names = self.names.iter();
        let names =
            names.filter(|(file, _, policy)| policies.contains(&(file.as_str(), policy.clone())));
        reached.extend(names.map(|(file, start, _)| (file.clone(), *start)));
        reached
    }
}

/// The tree with made-up values.
struct Marked<'a> {
    files: &'a dyn Artifact,
    marks: Mutex<Marks>,
    texts: Mutex<BTreeMap<String, Arc<[u8]>>>,
    /// Kustomizations as they are by now.
    kustomizations: BTreeMap<String, String>,
}

/// The same for one build.
struct View<'a> {
    marked: &'a Marked<'a>,
    /// The kustomization that is built.
    path: &'a str,
    /// Its text; `None` for it as it is, without patches of ours.
    text: Option<&'a str>,
}

impl Artifact for View<'_> {
    fn standing(&self, path: &str) -> Standing {
        self.marked.files.standing(path)
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>, String> {
        if NAMES.contains(&artifact::name_of(path)) {
            let is_it = path == self.path;
            let text = self.text.filter(|_| is_it);
            return self
                .marked
                .kustomization(path, text, is_it && text.is_none());
        }
        self.marked.text(path)
    }

    fn manifests(&self, folder: &str) -> Vec<String> {
        self.marked.files.manifests(folder)
    }

    fn without(&self, rules: &str) -> Box<dyn Artifact + '_> {
        self.marked.files.without(rules)
    }

    fn show(&self, path: &str) -> String {
        self.marked.files.show(path)
    }
}

impl Marked<'_> {
    /// A file as annotated, with made-up values.
    fn text(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let known = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(path) {
            return Ok(Arc::clone(known));
        }
        drop(known);
        let bytes = self.files.read(path)?;
        let changed = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| self.changed(path, text));
        let bytes = changed.map_or(bytes, |text| text.into_bytes().into());
        let mut known = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = known.entry(path.to_owned()).or_insert(bytes);
        Ok(Arc::clone(bytes))
    }

    fn changed(&self, path: &str, text: &str) -> Option<String> {
        if !text.contains(marker::TOKEN) && !text.contains(BIND_ANNOTATION) {
            return None;
        }
        let outline = resource_list::read(text).ok()?;
        let annotated = annotate(text, &outline, path, &BTreeSet::new());
        let text = Patched::new(text, annotated.edits).ok()?.to_string();
        let made_up = self.made_up(path, &text, false)?;
        Some(Patched::new(&text, made_up).ok()?.to_string())
    }

    /// The edits that put made-up values into a text.
    fn made_up(&self, path: &str, text: &str, is_kustomization: bool) -> Option<Vec<Edit>> {
        let outline = resource_list::read(text).ok()?;
        let marks = origin::live_markers(text, &outline);
        let marks = marks.map(|(_, marked, setter)| (marked.value.span.start, setter));
        let marks: BTreeMap<usize, String> = marks.collect();
        let objects = outline.objects().map(|one| (one.span.start, one));
        let objects: BTreeMap<usize, _> = objects.collect();
        let starts: BTreeSet<usize> = objects.keys().copied().collect();
        let edits = tree::build_trees(text, &starts, |edits: &mut Vec<Edit>, start, root| {
            let mut own: BTreeMap<usize, String> = BTreeMap::new();
            let bind = objects.get(&start).and_then(|one| one.bind.as_ref());
            let bind = bind.filter(|_| !is_kustomization);
            let fields = bind.and_then(|bind| annotation::read(&bind.value).ok());
            for (field, setter) in fields.unwrap_or_default() {
                let found = field.find(root).unwrap_or_default().into_iter();
                let found = found.filter_map(|one| Some(one.node.scalar()?.span.start));
                own.extend(found.map(|start| (start, setter.clone())));
            }
            each_scalar(root, &mut |node| {
                let value = node.scalar().filter(|value| scalar::is_written(value));
                let (Some(value), Some(old)) = (value, node.text()) else {
                    return;
                };
                let start = value.span.start;
                if let Some(setter) = marks.get(&start).or_else(|| own.get(&start))
                    && let Some(new) = self.note(path, start, setter, &old)
                {
                    edits.extend(scalar::rewrite(text, value, &new));
                }
            });
        });
        edits.ok()
    }

    /// A made-up value for a mark; none for a name, which kustomize goes by.
    fn note(&self, path: &str, start: usize, setter: &str, old: &str) -> Option<String> {
        let target = MarkerTarget::parse(setter)?;
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (path.to_owned(), start, setter.to_owned());
        let known = marks.numbers.get(&key).copied();
        let number = known.unwrap_or(marks.all.len());
        let sign = sign(number);
        let stands = match target.part {
            ImagePart::Image => {
                let (rest, _) = marker::split_digest(old);
                let (name, _) = marker::split_tag(rest);
                format!("{name}:{sign}")
            }
            ImagePart::Tag => sign,
            ImagePart::Digest => format!("sha256:{DIGEST_SIGN}{number:016x}"),
            ImagePart::Name => {
                let policy = (target.namespace, target.name);
                marks.names.insert((path.to_owned(), start, policy));
                return None;
            }
        };
        if known.is_none() {
            marks.numbers.insert(key, number);
            marks.all.push(Mark {
                file: path.to_owned(),
                start,
                setter: setter.to_owned(),
                part: target.part,
                stands: stands.clone(),
            });
        }
        Some(stands)
    }

    /// A kustomization with made-up values, without what is not built here.
    fn kustomization(
        &self,
        path: &str,
        text: Option<&str>,
        is_without_ours: bool,
    ) -> Result<Arc<[u8]>, String> {
        let current = text.or_else(|| self.kustomizations.get(path).map(String::as_str));
        let text = current.ok_or_else(|| "it cannot be read".to_owned())?;
        let edits = self.made_up(path, text, true).unwrap_or_default();
        let made_up = Patched::new(text, edits).map_err(|error| error.to_string())?;
        let mut file = KustomizationFile::parse(&made_up.to_string())?;
        let folder = artifact::folder_of(path);
        for field in ["generators", "transformers", "validators"] {
            file.leave_out(field, |entry| !self.is_builtin(folder, entry));
        }
        for field in ["helmCharts", "helmChartInflationGenerator", "helmGlobals"] {
            file.fields.remove(field);
        }
        if is_without_ours && let Some(Value::Array(patches)) = file.fields.get_mut("patches") {
            patches.retain(|patch| ours(patch).is_none());
        }
        Ok(file.to_json().into_bytes().into())
    }

    /// Whether a plugin is one of kustomize's own, which runs without being allowed to.
    fn is_builtin(&self, folder: &str, entry: &str) -> bool {
        let path = artifact::join(folder, entry);
        let bytes = path.ok().and_then(|path| self.files.read(&path).ok());
        let text = bytes.as_deref().map(String::from_utf8_lossy);
        let text = text.as_deref().unwrap_or(entry);
        let documents = kustomization::documents(text).unwrap_or_default();
        let is_it = |one: &Value| one["apiVersion"] == "builtin";
        !documents.is_empty() && documents.iter().all(is_it)
    }
}

/// The name of a patch of ours, which counts for nothing: its target selects.
const PATCH: &str = "flux-image";
/// Selects nothing.
const NOTHING: &str = "()";

/// Resources that a patch of ours is for, as kustomize selects them; all get one
/// annotation, since kustomize looks at every resource for every patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    api_version: String,
    kind: String,
    namespace: String,
}

/// The annotations that are wanted, by what they are for: names.
type Wanted = BTreeMap<(Target, String), BTreeSet<String>>;

/// `patch`, and `target` in an entry of `patches`.
fn entry_of(target: &Target, names: &str, bind: &str) -> (String, String) {
    let patch = json!({
        "apiVersion": target.api_version,
        "kind": target.kind,
        "metadata": {"name": PATCH, "annotations": {BIND_ANNOTATION: bind}},
    });
    let version = &target.api_version;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let mut selected = json!({
        "version": exact(version),
        "kind": target.kind,
        "name": names,
    });
    if !group.is_empty() {
        selected["group"] = json!(exact(group));
    }
    if !target.namespace.is_empty() {
        selected["namespace"] = json!(exact(&target.namespace));
    }
    (patch.to_string(), selected.to_string())
}

/// A text as an expression that matches it alone.
fn exact(text: &str) -> String {
    text.replace('.', "\\.")
}

/// Names as one expression.
fn any_of(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().map(|name| exact(name)).collect();
    match names.as_slice() {
        [one] => one.clone(),
        names => format!("({})", names.join("|")),
    }
}

/// What an entry of `patches` is for that says nothing but an annotation of ours, the
/// names, and the annotation.
fn ours(entry: &Value) -> Option<(Target, String, String)> {
    let patch: Value = serde_json::from_str(entry["patch"].as_str()?).ok()?;
    let bind = patch["metadata"]["annotations"][BIND_ANNOTATION].as_str()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = Target {
        api_version: text(&patch["apiVersion"]),
        kind: text(&patch["kind"]),
        namespace: text(&entry["target"]["namespace"]).replace('\\', ""),
    };
    let names = text(&entry["target"]["name"]);
    let (own, selected) = entry_of(&target, &names, bind);
    let is_ours = serde_json::from_str::<Value>(&own).ok()? == patch
        && serde_json::from_str::<Value>(&selected).ok()? == entry["target"];
    is_ours.then(|| (target, names, bind.to_owned()))
}

/// A resource that came out of a build.
#[derive(Default)]
struct Resource {
    target: Target,
    name: String,
    /// Setters of the fields that its annotation names, by the fields' paths; the text
    /// that names them goes with them.
    bound: BTreeMap<String, String>,
    /// The same of the marks that the fields hold.
    marked: BTreeMap<String, String>,
    /// Marks that reach it.
    reached: Reached,
    /// Fields that hold more than a mark.
    within: BTreeSet<String>,
}

/// The kustomizations of some files.
pub struct Kustomizations<'a> {
    files: &'a dyn Artifact,
    read: BTreeMap<String, KustomizationFile>,
    texts: BTreeMap<String, String>,
    /// Those that cannot be read, and why; another reader may read them.
    unread: BTreeMap<String, String>,
}

impl<'a> Kustomizations<'a> {
    /// Reads them.
    #[must_use]
    pub fn of(files: &'a dyn Artifact) -> Self {
        let mut all = Self {
            files,
            read: BTreeMap::new(),
            texts: BTreeMap::new(),
            unread: BTreeMap::new(),
        };
        let paths = files.manifests("").into_iter();
        for path in paths.filter(|path| NAMES.contains(&artifact::name_of(path))) {
            let read = text_of(files, &path).and_then(|text| {
                let file = KustomizationFile::parse(&text)?;
                Ok((text, file))
            });
            match read {
                Ok((text, file)) => {
                    all.texts.insert(path.clone(), text);
                    all.read.insert(path, file);
                }
                Err(why) => _ = all.unread.insert(path, why),
            }
        }
        all
    }

    /// Whether one may set what is marked below it.
    #[must_use]
    pub fn may_set(&self) -> bool {
        !self.unread.is_empty() || self.read.values().any(changes)
    }
}

/// What kustomizations are to say. `build` runs kustomize.
#[must_use]
pub fn find(
    kustomizations: Kustomizations<'_>,
    build: &Build<'_>,
    tell: &(dyn Fn(&str, usize, usize) + Sync),
) -> Overlays {
    let Kustomizations {
        files,
        read: all,
        texts,
        unread,
    } = kustomizations;
    let mut marked = Marked {
        files,
        marks: Mutex::default(),
        texts: Mutex::default(),
        kustomizations: texts,
    };
    let mut overlays = Overlays::default();
    for (path, why) in unread {
        let overlay = Overlay {
            faults: vec![format!("it cannot be read: {why}")],
            ..Overlay::default()
        };
        overlays.by_path.insert(path, overlay);
    }
    let levels = levels(&all);
    let changing = |path: &&String| {
        let file = &all[*path];
        // A component is built with those who name it.
        let is_component = file
            .fields
            .get("kind")
            .is_some_and(|kind| kind == "Component");
        changes(file) && !is_component
    };
    let total = levels.iter().flatten().filter(changing).count();
    let started = AtomicUsize::new(0);
    for level in &levels {
        let paths: Vec<&String> = level.iter().filter(changing).collect();
        let judged = parallel::queue(&paths, &|path| {
            let number = started.fetch_add(1, Ordering::Relaxed) + 1;
            tell(artifact::folder_of(path), number, total);
            judge(&marked, path, &all, build)
        });
        for (path, judged) in paths.into_iter().zip(judged) {
            let Some(judged) = judged else { continue };
            for (file, start) in judged.reached {
                overlays.reached.entry(file).or_default().insert(start);
            }
            if let Some(text) = judged.text {
                marked.kustomizations.insert(path.clone(), text);
            }
            overlays.by_path.insert(path.clone(), judged.overlay);
        }
    }
    overlays
}

fn text_of(files: &dyn Artifact, path: &str) -> Result<String, String> {
    let bytes = files.read(path)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| "this is not UTF-8".to_owned())
}

/// Whether a kustomization changes more than names and labels.
fn changes(file: &KustomizationFile) -> bool {
    let mut names = file.fields.keys();
    names.any(|name| !HARMLESS.contains(&name.as_str()))
}

/// The kustomizations in an order in which each comes behind those that it names.
fn levels(all: &BTreeMap<String, KustomizationFile>) -> Vec<Vec<String>> {
    let by_folder: BTreeMap<&str, &String> = all
        .keys()
        .map(|path| (artifact::folder_of(path), path))
        .collect();
    let names = |path: &String| -> Vec<&String> {
        let folder = artifact::folder_of(path);
        let references = all[path].references().into_iter();
        let named = references.filter_map(|one| artifact::join(folder, &one.path).ok());
        named
            .filter_map(|path| by_folder.get(path.as_str()).copied())
            .collect()
    };
    let mut left: BTreeMap<&String, Vec<&String>> =
        all.keys().map(|path| (path, names(path))).collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let is_free = |named: &Vec<&String>| !named.iter().any(|one| left.contains_key(one));
        let mut free: Vec<&String> = left
            .iter()
            .filter(|(_, named)| is_free(named))
            .map(|(path, _)| *path)
            .collect();
        if free.is_empty() {
            // They name each other, which kustomize refuses.
            free = left.keys().copied().collect();
        }
        free.iter().for_each(|path| _ = left.remove(*path));
        levels.push(free.into_iter().cloned().collect());
    }
    levels
}

/// What became of a kustomization.
struct Judged {
    overlay: Overlay,
    reached: Reached,
    /// Its text with the edits.
    text: Option<String>,
}

/// Looks what a kustomization sets; `None` where nothing below it is bound.
fn judge(
    marked: &Marked<'_>,
    path: &str,
    all: &BTreeMap<String, KustomizationFile>,
    build: &Build<'_>,
) -> Option<Judged> {
    let (current, file) = (marked.kustomizations.get(path)?, all.get(path)?);
    let mut overlay = Overlay::default();
    let done = |overlay: Overlay, reached, text| {
        Some(Judged {
            overlay,
            reached,
            text,
        })
    };
    let resources = match built(marked, path, None, build) {
        Ok(resources) => resources?,
        Err(why) => {
            // Where nothing below it is bound, it is kustomize's own business.
            if !is_bound_below(marked, all, path) {
                return None;
            }
            overlay.faults.push(why);
            return done(overlay, Reached::new(), None);
        }
    };
    let reached = resources.iter().flat_map(|one| one.reached.clone());
    let reached: Reached = reached.collect();
    let marks = marked.marks.lock().unwrap_or_else(PoisonError::into_inner);
    let reached = marks.with_names(reached);
    drop(marks);
    let wanted = wanted(&resources, file, &mut overlay);
    let edits = match patches(current, &wanted) {
        Ok(edits) => edits,
        Err(why) => {
            overlay.faults.push(why);
            return done(overlay, reached, None);
        }
    };
    let Ok(text) = Patched::new(current, edits.clone()) else {
        return None;
    };
    let text = text.to_string();
    // What is said is what comes out.
    match built(marked, path, Some(&text), build) {
        Ok(Some(after)) if after.iter().all(|one| one.bound == one.marked) => {
            overlay.patched = wanted.values().map(BTreeSet::len).sum();
            overlay.edits = edits;
            done(overlay, reached, Some(text))
        }
        Ok(_) => {
            let why = "a patch of the annotation does not say what is to be said, since another comes behind it or several resources have one name".to_owned();
            overlay.faults.push(why);
            done(overlay, reached, None)
        }
        Err(why) => {
            overlay.faults.push(why);
            done(overlay, reached, None)
        }
    }
}

/// Whether anything is bound in the files that a kustomization leads to, as far as these
/// can be told without a build.
fn is_bound_below(
    marked: &Marked<'_>,
    all: &BTreeMap<String, KustomizationFile>,
    path: &str,
) -> bool {
    let is_bound = |path: &str| {
        let bytes = marked.files.read(path).ok();
        let bytes = bytes.as_deref().unwrap_or_default();
        let words = [marker::TOKEN, BIND_ANNOTATION];
        words
            .iter()
            .any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
    };
    let (mut waiting, mut seen) = (vec![path.to_owned()], BTreeSet::new());
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if is_bound(&path) {
            return true;
        }
        let folder = artifact::folder_of(&path);
        for reference in all
            .get(&path)
            .map(KustomizationFile::references)
            .unwrap_or_default()
        {
            let Ok(named) = artifact::join(folder, &reference.path) else {
                continue;
            };
            match marked.files.standing(&named) {
                Standing::Folder => {
                    let own = NAMES.iter().map(|name| format!("{named}/{name}"));
                    waiting.extend(own.filter(|path| all.contains_key(path)));
                }
                Standing::File => waiting.push(named),
                // Nobody knows what is there.
                Standing::LeftOut(_) => return true,
                Standing::Missing | Standing::Ignored => {}
            }
        }
    }
    false
}

/// The annotations that resources are to have, and what is bound to nothing by them.
fn wanted(resources: &[Resource], file: &KustomizationFile, overlay: &mut Overlay) -> Wanted {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in resources {
        *counts.entry((&one.target.kind, &one.name)).or_default() += 1;
    }
    let mut wanted = Wanted::new();
    for resource in resources.iter().filter(|one| one.bound != one.marked) {
        let mut target = resource.target.clone();
        // The namespace counts where nothing else tells two apart.
        if counts.get(&(target.kind.as_str(), resource.name.as_str())) == Some(&1) {
            target.namespace.clear();
        }
        let bind = annotation::written(&resource.marked);
        let names = wanted.entry((target, bind)).or_default();
        names.insert(stripped(&resource.name, file).to_owned());
        for (field, setter) in &resource.bound {
            if resource.marked.contains_key(field) {
                continue;
            }
            let more = match resource.within.contains(field) {
                true => ", with more than the mark in it",
                false => "",
            };
            overlay.unbound.push(format!(
                "`{field}` of {} `{}`, which is bound to `{setter}` below, is set here{more}",
                resource.target.kind, resource.name
            ));
        }
    }
    wanted
}

/// A name where a kustomization patches the resource: before its own prefix and suffix.
fn stripped<'n>(name: &'n str, file: &KustomizationFile) -> &'n str {
    let text = |field: &str| file.fields.get(field).and_then(Value::as_str);
    let own = text("namePrefix").and_then(|prefix| name.strip_prefix(prefix));
    let name = own.unwrap_or(name);
    let own = text("nameSuffix").and_then(|suffix| name.strip_suffix(suffix));
    own.unwrap_or(name)
}

/// The bound resources that come out of a kustomization; `None` where there can be none.
fn built(
    marked: &Marked<'_>,
    path: &str,
    text: Option<&str>,
    build: &Build<'_>,
) -> Result<Option<Vec<Resource>>, String> {
    let view = View { marked, path, text };
    let folder = artifact::folder_of(path);
    let closure = closure::gather_whole(&view, folder, &overlay::Overlay::default());
    let closure = closure.map_err(|refusal| format!("{}: {}", refusal.file, refusal.message))?;
    let words = [SIGN, BIND_ANNOTATION, DIGEST_SIGN].map(memchr::memmem::Finder::new);
    if !closure.holds(&words) {
        return Ok(None);
    }
    let text = build(&closure).map_err(|why| match closure.left_out.first() {
        Some((_, entry)) => {
            format!("without `{entry}`, which lies elsewhere, it cannot be built: {why}")
        }
        None => format!("it cannot be built: {why}"),
    })?;
    let marks = marked.marks.lock().unwrap_or_else(PoisonError::into_inner);
    let results = results::of(&text, folder);
    let resources = results.iter().filter(|one| {
        words
            .iter()
            .any(|word| word.find(one.text.as_bytes()).is_some())
    });
    Ok(Some(
        resources
            .filter_map(|one| resource(&one.text, &marks.all))
            .collect(),
    ))
}

fn resource(text: &str, marks: &[Mark]) -> Option<Resource> {
    let outline = resource_list::read(text).ok()?;
    let object = outline.objects().next()?;
    let bind = object
        .bind
        .as_ref()
        .map(|bind| annotation::read(&bind.value));
    let bind = bind.and_then(Result::ok).unwrap_or_default();
    let starts = [object.span.start].into();
    let read = tree::build_trees(text, &starts, |resource: &mut Resource, _, root| {
        for (field, setter) in &bind {
            for found in field.find(root).unwrap_or_default() {
                let start = found.node.scalar().map(|value| value.span.start);
                let path = start.and_then(|start| path::leading_to(root, start));
                let Some(path) = path else { continue };
                // A name is not made up.
                let target = MarkerTarget::parse(setter);
                if target.is_some_and(|target| target.part == ImagePart::Name) {
                    resource.marked.insert(path.clone(), setter.clone());
                }
                resource.bound.insert(path, setter.clone());
            }
        }
        each_scalar(root, &mut |node| resource.take(node, root, marks));
    });
    let mut resource = read.ok()?;
    resource.target = Target {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
    };
    resource.name.clone_from(&object.name);
    Some(resource)
}

impl Resource {
    /// Takes in a scalar, which may hold a mark's made-up value.
    fn take(&mut self, node: &Node<'_>, root: &Node<'_>, marks: &[Mark]) {
        let (Some(text), Some(value)) = (node.text(), node.scalar()) else {
            return;
        };
        let mark = number_in(&text).and_then(|number| marks.get(number));
        let path = mark.and_then(|_| path::leading_to(root, value.span.start));
        let (Some(mark), Some(path)) = (mark, path) else {
            return;
        };
        match setter_of(mark, &text) {
            Some(setter) => {
                self.marked.insert(path, setter);
                self.reached.insert((mark.file.clone(), mark.start));
            }
            None => _ = self.within.insert(path),
        }
    }
}

/// What a field is bound to that holds a mark's made-up value.
fn setter_of(mark: &Mark, text: &str) -> Option<String> {
    if text == mark.stands {
        return Some(mark.setter.clone());
    }
    let (rest, digest) = marker::split_digest(text);
    let (_, tag) = marker::split_tag(rest);
    let own = match mark.part {
        ImagePart::Image => marker::split_tag(&mark.stands).1,
        _ => Some(mark.stands.as_str()),
    };
    let is_tag = digest.is_none() && tag.is_some() && tag == own && mark.part != ImagePart::Digest;
    let target = MarkerTarget::parse(&mark.setter).filter(|_| is_tag)?;
    // The name is another one by now, or never was the mark's.
    Some(format!("{}:{}:tag", target.namespace, target.name))
}

fn sign(number: usize) -> String {
    format!("{SIGN}{number}{SIGN_END}")
}

/// The number of the mark whose made-up value a text holds.
fn number_in(text: &str) -> Option<usize> {
    if let Some((_, rest)) = text.split_once(SIGN) {
        return rest.split_once(SIGN_END)?.0.parse().ok();
    }
    let (_, rest) = text.split_once(DIGEST_SIGN)?;
    usize::from_str_radix(rest.get(..16)?, 16).ok()
}

fn each_scalar<'n, 't>(node: &'n Node<'t>, visit: &mut impl FnMut(&'n Node<'t>)) {
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        match &node.content {
            Content::Scalar(_) => visit(node),
            Content::Mapping(entries) => waiting.extend(entries.iter().map(|(_, child)| child)),
            Content::Sequence(elements) => waiting.extend(elements),
            Content::Alias => {}
        }
    }
}

/// The edits that have a kustomization patch annotations.
fn patches(text: &str, wanted: &Wanted) -> Result<Vec<Edit>, String> {
    let outline = resource_list::read(text).map_err(|error| error.to_string())?;
    // kustomize reads the first document.
    let Some(first) = outline.documents.first() else {
        return Ok(Vec::new());
    };
    let starts = [first.root.span.start].into();
    let made = tree::build_trees(text, &starts, |edits: &mut Option<_>, _, root| {
        *edits = Some(patches_in(text, root, wanted));
    });
    let made = made.map_err(|error| error.to_string())?;
    made.unwrap_or_else(|| Ok(Vec::new()))
}

fn patches_in(text: &str, root: &Node<'_>, wanted: &Wanted) -> Result<Vec<Edit>, String> {
    // Go takes any case; a second field of the name would be refused.
    let mut entries = root.entries().iter();
    let known = entries.find(|(key, _)| key.eq_ignore_ascii_case("patches"));
    let known = known.map(|(_, node)| node);
    let mut left = wanted.clone();
    let mut there = Vec::new();
    for entry in known.map(Node::elements).unwrap_or_default() {
        let (patch, target) = (entry.get("patch"), entry.get("target"));
        let value = json!({
            "patch": patch.and_then(Node::text),
            "target": target.map(value_of),
        });
        let names = target
            .and_then(|target| target.get("name"))
            .and_then(Node::scalar);
        if let (Some((target, written, bind)), Some(patch), Some(names)) =
            (ours(&value), patch.and_then(Node::scalar), names)
        {
            there.push((target, written, bind, patch, names));
        }
    }
    // Those that say what is wanted first; others of the kind are made to say it; what
    // nobody wants any more selects nothing.
    let mut edits = Vec::new();
    let mut others = Vec::new();
    for (target, written, bind, patch, names) in there {
        let Some(wanted) = left.remove(&(target.clone(), bind.clone())) else {
            others.push((target, written, bind, patch, names));
            continue;
        };
        let wanted = any_of(&wanted);
        if wanted != written {
            edits.extend(scalar::rewrite(text, names, &wanted));
        }
    }
    for (target, written, _, patch, names) in others {
        let of_kind = left.keys().find(|(one, _)| *one == target).cloned();
        let found = of_kind.and_then(|key| Some((left.remove(&key)?, key.1)));
        let wanted = match &found {
            Some((wanted, _)) => any_of(wanted),
            None => NOTHING.to_owned(),
        };
        if wanted != written {
            edits.extend(scalar::rewrite(text, names, &wanted));
        }
        if let Some((_, bind)) = found {
            let new = entry_of(&target, "", &bind).0;
            edits.extend(scalar::rewrite(text, patch, &new));
        }
    }
    let new = left.iter();
    let new = new.map(|((target, bind), names)| entry_of(target, &any_of(names), bind));
    let new: Vec<(String, String)> = new.collect();
    if !new.is_empty() {
        edits.push(annotate::entries_in(text, root, known, &new)?);
    }
    Ok(edits)
}

/// A mapping of texts as a value.
fn value_of(node: &Node<'_>) -> Value {
    let entries = node.entries().iter();
    let entries = entries.filter_map(|(key, value)| {
        Some((key.to_string(), Value::String(value.text()?.into_owned())))
    });
    Value::Object(entries.collect())
}
