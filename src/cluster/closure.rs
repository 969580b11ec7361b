//! What one build reads: a kustomization, what that names, and so on.
//!
//! Every path lies in the source, links followed by nobody, or the build is refused:
//! who may propose a change to the repository could name a file of the machine, bring
//! it through a generator and a variable into `spec.image`, and so send it to a host
//! of his choice. What the builder gets is a copy of these files and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::artifact::{self, Artifact, Standing};
use super::kustomization::{self, KustomizationFile, NAMES, Reference, Use};
use super::overlay::Overlay;
use super::results;

/// What a build may read in all, in bytes, and in files.
const MAX_BYTES: usize = 256 << 20;
const MAX_FILES: usize = 50_000;
/// How often a build may go into folders.
const MAX_VISITS: u64 = 100_000;

const IGNORED: &str = "is not in Flux's artifact: `.sourceignore`, `spec.ignore` of the GitRepository or Flux's own list leaves it out";

/// The files of a build.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// The folder that is built.
    pub folder: String,
    /// What the builder gets, by the paths in the source.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// Resources elsewhere that are left out, and the files that name them.
    pub left_out: BTreeSet<(String, String)>,
    /// Whether the builder has to ask the network.
    pub is_remote: bool,
}

impl Closure {
    /// What tells it from others that a builder makes something else of.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = digest::Context::new(&digest::SHA256);
        let mut add = |bytes: &[u8]| {
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        add(self.folder.as_bytes());
        for (path, bytes) in &self.files {
            add(path.as_bytes());
            add(bytes);
        }
        let digest = digest.finish();
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        out
    }

    /// Whether any of its files holds one of some texts.
    #[must_use]
    pub fn holds(&self, words: &[memchr::memmem::Finder<'_>]) -> bool {
        let mut files = self.files.values();
        files.any(|bytes| words.iter().any(|word| word.find(bytes).is_some()))
    }
}

/// Why a folder is not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Nothing is there to be built, so that nothing is missed.
    pub is_nothing: bool,
    /// The file that is the reason, or the folder; a path in the source.
    pub file: String,
    /// What is wrong.
    pub message: String,
}

/// Gathers the files of the build of `folder`. With `remote_bases` the builder fetches
/// what lies elsewhere; else such resources are left out.
///
/// # Errors
/// Where the build would read what it may not, or nothing can be made of a file.
pub fn gather(
    artifact: &dyn Artifact,
    folder: &str,
    overlay: &Overlay,
    remote_bases: bool,
) -> Result<Closure, Refusal> {
    let closure = gather_once(artifact, folder, overlay, remote_bases, false)?;
    // A patch of what is left out would fail the build.
    match closure.left_out.is_empty() {
        true => Ok(closure),
        false => gather_once(artifact, folder, overlay, remote_bases, true),
    }
}

/// The same with all patches, also where what lies elsewhere is left out, and nothing is
/// fetched.
///
/// # Errors
/// As there.
pub fn gather_whole(
    artifact: &dyn Artifact,
    folder: &str,
    overlay: &Overlay,
) -> Result<Closure, Refusal> {
    gather_once(artifact, folder, overlay, false, false)
}

fn gather_once(
    artifact: &dyn Artifact,
    folder: &str,
    overlay: &Overlay,
    remote_bases: bool,
    without_foreign_patches: bool,
) -> Result<Closure, Refusal> {
    let mut gatherer = Gatherer {
        artifact,
        remote_bases,
        without_foreign_patches,
        closure: Closure {
            folder: folder.to_owned(),
            ..Closure::default()
        },
        folders: BTreeSet::new(),
        edges: BTreeMap::new(),
        waiting: Vec::new(),
        size: 0,
    };
    gatherer.root(overlay)?;
    while let Some((folder, users)) = gatherer.waiting.pop() {
        gatherer.base(&folder, &users)?;
    }
    if visits(folder, &gatherer.edges) > MAX_VISITS {
        let message = format!("its build goes into folders more than {MAX_VISITS} times");
        return Err(gatherer.refusal(folder, message));
    }
    Ok(gatherer.closure)
}

struct Gatherer<'a> {
    artifact: &'a dyn Artifact,
    remote_bases: bool,
    /// Leaves out patches of kinds that are not read here, which change nothing for us.
    without_foreign_patches: bool,
    closure: Closure,
    /// Folders that were gone into, each with those who use it for plugins.
    folders: BTreeSet<(String, Vec<String>)>,
    /// The folders that each folder names, as often as it does.
    edges: BTreeMap<String, Vec<String>>,
    /// Folders to go into; of one with plugins, the folders of those who use it.
    waiting: Vec<(String, Vec<String>)>,
    size: usize,
}

impl Gatherer<'_> {
    /// The kustomization that is built itself, or one in its place.
    fn root(&mut self, overlay: &Overlay) -> Result<(), Refusal> {
        let folder = self.closure.folder.clone();
        match self.artifact.standing(&folder) {
            Standing::Folder => {}
            Standing::LeftOut(why) => return Err(self.refusal(&folder, format!("this {why}"))),
            Standing::Ignored => return Err(self.refusal(&folder, format!("this {IGNORED}"))),
            _ => {
                let message = format!("there is no folder `{folder}`");
                return Err(Refusal {
                    is_nothing: true,
                    ..self.refusal(&folder, message)
                });
            }
        }
        self.folders.insert((folder.clone(), Vec::new()));
        let mut file = match self.kustomization(&folder)? {
            Some((_, file)) => file,
            None => self.made(&folder),
        };
        let path = inside(&folder, NAMES[0]);
        file.keep_known();
        self.without_ignored(&folder, &mut file);
        let has = |component: &str| {
            let path = artifact::join(&folder, component);
            path.is_ok_and(|path| self.artifact.standing(&path) == Standing::Folder)
        };
        let applied = overlay.apply(&mut file, has);
        applied.map_err(|message| self.refusal(&path, message))?;
        // Where each result comes from is noted, and taken off again.
        let metadata = file.fields.entry("buildMetadata").or_insert(Value::Null);
        let mut notes = match metadata.take() {
            Value::Array(notes) => notes,
            _ => Vec::new(),
        };
        if !notes.iter().any(|note| note == "originAnnotations") {
            notes.push(json!("originAnnotations"));
        }
        *metadata = Value::Array(notes);
        self.put_kustomization(&folder, &path, file)
    }

    /// The kustomization of a folder that another one names.
    fn base(&mut self, folder: &str, users: &[String]) -> Result<(), Refusal> {
        // Each use for plugins is looked at, also where it was gone into before.
        if !self.folders.insert((folder.to_owned(), users.to_vec())) {
            return Ok(());
        }
        // Without one, kustomize says so.
        let Some((path, file)) = self.kustomization(folder)? else {
            return Ok(());
        };
        if !users.is_empty() {
            let is_plain = |name: &String| ["apiVersion", "kind", "resources"].contains(&&**name);
            if !file.fields.keys().all(is_plain) {
                let message = "it makes plugins of more than `resources`, which is not followed";
                return Err(self.refusal(&path, message.to_owned()));
            }
            for reference in file.references() {
                let plugin = Reference {
                    used_as: Use::Plugin,
                    ..reference
                };
                self.follow(folder, &path, &plugin, users)?;
            }
        }
        self.put_kustomization(folder, &path, file)
    }

    /// The kustomization of a folder as it is written, and its path.
    fn kustomization(&self, folder: &str) -> Result<Option<(String, KustomizationFile)>, Refusal> {
        let paths = NAMES.map(|name| inside(folder, name));
        let mut there = Vec::new();
        for path in &paths {
            match self.artifact.standing(path) {
                Standing::File => there.push(path),
                Standing::LeftOut(why) => {
                    return Err(self.refusal(path, format!("this {why}")));
                }
                Standing::Folder | Standing::Missing | Standing::Ignored => {}
            }
        }
        let Some(path) = there.first() else {
            return Ok(None);
        };
        // Flux takes the first of those that it builds itself; of others kustomize
        // wants one.
        if there.len() > 1 && folder != self.closure.folder {
            let message = "there is more than one kustomization in this folder";
            return Err(self.refusal(path, message.to_owned()));
        }
        let bytes = self.artifact.read(path);
        let bytes = bytes.map_err(|why| self.refusal(path, why))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| self.refusal(path, "this is not UTF-8".to_owned()))?;
        let file = KustomizationFile::parse(text)
            .map_err(|why| self.refusal(path, format!("this is no kustomization: {why}")))?;
        Ok(Some(((*path).clone(), file)))
    }

    /// The kustomization that Flux makes where there is none: all manifests below, and
    /// folders with a kustomization of their own as one.
    fn made(&self, folder: &str) -> KustomizationFile {
        let mut resources: Vec<String> = Vec::new();
        let mut whole: Option<String> = None;
        let all = self.artifact.manifests(folder);
        let with_kustomization: BTreeSet<&str> = all
            .iter()
            .filter(|path| NAMES.contains(&artifact::name_of(path)))
            .map(|path| artifact::folder_of(path))
            .filter(|one| *one != folder)
            .collect();
        for path in &all {
            if whole
                .as_ref()
                .is_some_and(|whole| artifact::is_below(whole, path))
            {
                continue;
            }
            // The highest folder with a kustomization counts.
            let own = steps_between(folder, path)
                .find(|between| with_kustomization.contains(between))
                .map(str::to_owned);
            if let Some(own) = own {
                resources.push(format!("./{}", relative(folder, &own)));
                whole = Some(own);
            } else if path.ends_with(".yaml") || path.ends_with(".yml") {
                resources.push(format!("./{}", relative(folder, path)));
            }
        }
        let mut file = KustomizationFile::default();
        let (field, value) = match resources.is_empty() {
            // Else kustomize says that it is empty.
            true => ("namespace", json!("_placeholder")),
            false => ("resources", json!(resources)),
        };
        file.fields.insert(field.to_owned(), value);
        file
    }

    /// Leaves out what is ignored, as Flux filters it.
    fn without_ignored(&self, folder: &str, file: &mut KustomizationFile) {
        for field in ["resources", "components", "crds"] {
            file.leave_out(field, |path| {
                let path = artifact::join(folder, path);
                path.is_ok_and(|path| self.artifact.standing(&path) == Standing::Ignored)
            });
        }
    }

    fn put_kustomization(
        &mut self,
        folder: &str,
        path: &str,
        mut file: KustomizationFile,
    ) -> Result<(), Refusal> {
        self.leave_out_remote(folder, path, &mut file);
        if self.without_foreign_patches {
            self.leave_out_foreign_patches(folder, &mut file);
        }
        let leads_somewhere = |entry: &str| {
            let joined = artifact::join(folder, entry);
            let standing = joined.map(|joined| self.artifact.standing(&joined));
            kustomization::is_url(entry) || !matches!(standing, Ok(Standing::Missing))
        };
        let anew = file.write_inline_anew(leads_somewhere);
        anew.map_err(|why| self.refusal(path, why))?;
        for reference in file.references() {
            self.follow(folder, path, &reference, &[])?;
        }
        if file
            .fields
            .get("resources")
            .is_some_and(|all| all == &json!([]))
            && !file.fields.contains_key("namespace")
        {
            // Else kustomize says that it is empty.
            file.fields
                .insert("namespace".to_owned(), json!("_placeholder"));
        }
        self.put(path, file.to_json().into_bytes().into())
    }

    /// Resources and CRDs that lie elsewhere are left out, which is said.
    fn leave_out_remote(&mut self, folder: &str, path: &str, file: &mut KustomizationFile) {
        let mut references = file.references();
        references.retain(|one| is_elsewhere(self.artifact, folder, one));
        let fields: &[&str] = match self.remote_bases {
            true => &["crds"],
            false => &["resources", "crds"],
        };
        for field in fields {
            let of_field = references
                .iter()
                .filter(|one| one.field.starts_with(*field));
            let gone: Vec<&str> = of_field.map(|one| one.path.as_str()).collect();
            file.leave_out(field, |entry| gone.contains(&entry));
            let gone = gone.into_iter();
            let gone = gone.map(|gone| (path.to_owned(), gone.to_owned()));
            self.closure.left_out.extend(gone);
        }
    }

    /// Leaves out patches that name their resources themselves, none of which is read
    /// here.
    fn leave_out_foreign_patches(&self, folder: &str, file: &mut KustomizationFile) {
        let is_foreign = |text: &str| {
            let documents = kustomization::documents(text).unwrap_or_default();
            let is_ours = |one: &Value| {
                let text = |name: &str| one[name].as_str().unwrap_or_default();
                !one.is_object() || results::is_read(text("apiVersion"), text("kind"))
            };
            !documents.is_empty() && !documents.iter().any(is_ours)
        };
        let at = |path: &str| {
            let path = artifact::join(folder, path).ok()?;
            let is_file = self.artifact.standing(&path) == Standing::File;
            let bytes = is_file.then(|| self.artifact.read(&path).ok()).flatten()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        for field in ["patches", "patchesStrategicMerge"] {
            let Some(Value::Array(patches)) = file.fields.get_mut(field) else {
                continue;
            };
            patches.retain(|patch| {
                if patch["target"].is_object() {
                    return true;
                }
                let (inline, path) = match patch.as_str() {
                    Some(text) => (Some(text), Some(text)),
                    None => (patch["patch"].as_str(), patch["path"].as_str()),
                };
                let text = path.and_then(at).or_else(|| inline.map(str::to_owned));
                !text.is_some_and(|text| is_foreign(&text))
            });
        }
    }

    /// Takes in what a path of a kustomization leads to. A plugin's own paths may count
    /// from the folders of `users`, too.
    fn follow(
        &mut self,
        folder: &str,
        from: &str,
        reference: &Reference,
        users: &[String],
    ) -> Result<(), Refusal> {
        let Reference { field, path, .. } = reference;
        if is_elsewhere(self.artifact, folder, reference) {
            // What a generator or a plugin fetched would be read as if it lay here.
            let is_base = matches!(reference.used_as, Use::Resource | Use::Component);
            let may_be_fetched = is_base && kustomization::may_be_fetched(path);
            if self.remote_bases && may_be_fetched {
                self.closure.is_remote = true;
                return Ok(());
            }
            let why = match (may_be_fetched, is_base) {
                (true, _) => "lies elsewhere",
                (_, false) => {
                    "lies elsewhere, from where only resources and components are fetched"
                }
                _ => "is no address that is fetched (https or ssh, without options to git)",
            };
            let message = format!("its `{field}` is `{path}`, which {why}");
            return Err(self.refusal(from, message));
        }
        let joined = artifact::join(folder, path).map_err(|error| {
            let message = format!("its `{field}` `{path}` {error}; nothing outside is read");
            self.refusal(from, message)
        })?;
        match (self.artifact.standing(&joined), reference.used_as) {
            (Standing::File, Use::Plugin) => {
                let users = users.iter().map(String::as_str).chain([folder]);
                self.plugin(&joined, &users.collect::<Vec<_>>())
            }
            (Standing::File, _) if self.closure.files.contains_key(&joined) => Ok(()),
            (Standing::File, _) => {
                let bytes = self.artifact.read(&joined);
                let bytes = bytes.map_err(|why| self.refusal(&joined, why))?;
                self.put(&joined, bytes)
            }
            (Standing::Folder, Use::Resource | Use::Component) => {
                let edges = self.edges.entry(folder.to_owned()).or_default();
                edges.push(joined.clone());
                self.waiting.push((joined, Vec::new()));
                Ok(())
            }
            (Standing::Missing, Use::Plugin) => {
                let message = format!("its `{field}` `{path}` is not there");
                Err(self.refusal(from, message))
            }
            (Standing::Folder, Use::Plugin) => {
                let edges = self.edges.entry(folder.to_owned()).or_default();
                edges.push(joined.clone());
                let users = users.iter().cloned().chain([folder.to_owned()]);
                self.waiting.push((joined, users.collect()));
                Ok(())
            }
            (Standing::LeftOut(why), _) => {
                let message = format!("its `{field}` `{path}` {why}");
                Err(self.refusal(from, message))
            }
            (Standing::Ignored, _) => {
                let message = format!("its `{field}` `{path}` {IGNORED}");
                Err(self.refusal(from, message))
            }
            // kustomize says it in its own words.
            (Standing::Folder, Use::Text) | (Standing::Missing, _) => Ok(()),
        }
    }

    /// Takes in a file of plugins, written anew, and what they name.
    fn plugin(&mut self, path: &str, users: &[&str]) -> Result<(), Refusal> {
        if NAMES.contains(&artifact::name_of(path)) {
            let message = "a kustomization is no plugin".to_owned();
            return Err(self.refusal(path, message));
        }
        let bytes = self.artifact.read(path);
        let bytes = bytes.map_err(|why| self.refusal(path, why))?;
        let refusal = |why| self.refusal(path, why);
        let text = std::str::from_utf8(&bytes).map_err(|_| refusal("this is not UTF-8".into()))?;
        let (anew, references) = kustomization::plugin(text).map_err(refusal)?;
        for reference in references {
            for folder in [artifact::folder_of(path)].iter().chain(users) {
                self.follow(folder, path, &reference, &[])?;
            }
        }
        self.put(path, anew.into_bytes().into())
    }

    fn put(&mut self, path: &str, bytes: Arc<[u8]>) -> Result<(), Refusal> {
        self.size += bytes.len();
        if self.size > MAX_BYTES || self.closure.files.len() >= MAX_FILES {
            let message = format!(
                "its build reads more than {} MiB or {MAX_FILES} files",
                MAX_BYTES >> 20
            );
            return Err(self.refusal(path, message));
        }
        self.closure.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    fn refusal(&self, file: &str, message: String) -> Refusal {
        Refusal {
            is_nothing: false,
            file: file.to_owned(),
            message,
        }
    }
}

/// Whether kustomize would look for a path in another place than the source: a file by
/// its URL, and a folder with git, too.
fn is_elsewhere(artifact: &dyn Artifact, folder: &str, reference: &Reference) -> bool {
    let path = &reference.path;
    let is_here = || {
        let joined = artifact::join(folder, path);
        joined.is_ok_and(|joined| artifact.standing(&joined) != Standing::Missing)
    };
    let may_be_git = matches!(reference.used_as, Use::Resource | Use::Component);
    kustomization::is_url(path) || may_be_git && kustomization::is_remote(path) && !is_here()
}

/// How often a build goes into folders: each as often as it is named, by whoever is
/// gone into as often.
fn visits(root: &str, edges: &BTreeMap<String, Vec<String>>) -> u64 {
    let mut known: BTreeMap<&str, u64> = BTreeMap::new();
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut waiting = vec![(root, false)];
    while let Some((folder, is_done)) = waiting.pop() {
        let inner = edges.get(folder).map_or(&[][..], Vec::as_slice);
        if is_done {
            // What leads back to itself is kustomize's to refuse.
            let counts = inner
                .iter()
                .map(|one| known.get(one.as_str()).copied().unwrap_or(1));
            let sum = counts.fold(1, u64::saturating_add);
            known.insert(folder, sum);
        } else if !known.contains_key(folder) && open.insert(folder) {
            waiting.push((folder, true));
            waiting.extend(inner.iter().map(|one| (one.as_str(), false)));
        }
    }
    known.get(root).copied().unwrap_or(1)
}

fn inside(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

fn relative<'p>(folder: &str, path: &'p str) -> &'p str {
    let rest = path.strip_prefix(folder).unwrap_or(path);
    rest.trim_start_matches('/')
}

/// The folders on the way from one to a file below it, the highest first.
fn steps_between<'p>(folder: &str, path: &'p str) -> impl Iterator<Item = &'p str> {
    let from = match folder.len() {
        0 => 0,
        length => length + 1,
    };
    let slashes = path.char_indices().filter(|(_, c)| *c == '/');
    slashes
        .map(|(at, _)| at)
        .filter(move |at| *at >= from)
        .map(|at| &path[..at])
}
