//! Kustomizations above annotated resources: who sets an image last says whose it is.
//!
//! An annotation comes up through a build with its resource, while `images` or a patch of
//! a kustomization above may give the image another tag. The nearest mark wins: where the
//! kustomization marks what it sets, the resource is bound to that policy there, and else
//! to nothing. What is to be said is a patch of the annotation in that kustomization,
//! since kustomize applies it wherever the kustomization is built, and nowhere else.
//!
//! Nothing is built here: resources are followed by the kustomizations that name them,
//! as far as these are files of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::binding::annotation;
use crate::binding::image::{self, ImageFieldKind};
use crate::binding::marker::{self, Comment, ImagePart, MarkerTarget};
use crate::binding::origin;
use crate::binding::path;
use crate::cluster::artifact;
use crate::cluster::kustomization::{self, KustomizationFile, NAMES};
use crate::resource_list::{self, BIND_ANNOTATION, Outline};
use yaml_edit_spans::tree::{self, Node};

/// Reads a file of the tree, by its path from the root; `None` where there is none.
pub type ReadFile<'r> = dyn Fn(&str) -> Option<Arc<str>> + 'r;

/// Fields, and the policies that they are bound to, as the annotation has them.
pub type Fields = BTreeMap<String, String>;

/// Folders that lead to one another, at most.
const MAX_DEPTH: usize = 100;
/// Resources below one kustomization, at most.
const MAX_RESOURCES: usize = 20_000;

/// What a kustomization is to say.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The resources that it binds otherwise than what is below.
    pub wanted: Vec<Wanted>,
    /// Where the marks begin that are bound so, in bytes.
    pub handled: BTreeSet<usize>,
    /// What is bound to nothing, in words.
    pub unbound: Vec<String>,
    /// What cannot be said, in words.
    pub faults: Vec<String>,
}

/// A resource, and what it is to be bound to.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its identity, as a patch names it.
    pub identity: Identity,
    /// The value of its annotation.
    pub bind: String,
}

/// What tells a resource in patches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name in the file that it comes from.
    pub name: String,
    /// Its namespace there, empty where it names none.
    pub namespace: String,
}

impl Identity {
    fn of(resource: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &resource["metadata"];
        Self {
            api_version: text(&resource["apiVersion"]),
            kind: text(&resource["kind"]),
            name: text(&metadata["name"]),
            namespace: text(&metadata["namespace"]),
        }
    }

    /// The patch that gives the resource an annotation, as kustomize reads it.
    #[must_use]
    pub fn patch(&self, bind: &str) -> String {
        let mut metadata = json!({"name": self.name, "annotations": {BIND_ANNOTATION: bind}});
        if !self.namespace.is_empty() {
            metadata["namespace"] = json!(self.namespace);
        }
        json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}).to_string()
    }

    /// The identity in a patch that says nothing but an annotation of ours, and the
    /// annotation.
    #[must_use]
    pub fn of_patch(text: &str) -> Option<(Self, String)> {
        let [patch] = <[Value; 1]>::try_from(kustomization::documents(text).ok()?).ok()?;
        let bind = patch["metadata"]["annotations"][BIND_ANNOTATION].as_str()?;
        let identity = Self::of(&patch);
        let ours: Value = serde_json::from_str(&identity.patch(bind)).ok()?;
        (ours == patch).then(|| (identity, bind.to_owned()))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)
    }
}

/// A resource on its way up.
#[derive(Clone, Debug, Default)]
struct State {
    identity: Identity,
    /// The file that it comes from.
    file: String,
    /// What its annotation says here.
    bound: Fields,
    /// Fields that hold images, with their names and where they stand by number.
    images: Vec<ImageAt>,
}

#[derive(Clone, Debug)]
struct ImageAt {
    path: String,
    /// As `spec.containers[0].image`.
    place: String,
    name: String,
}

/// What an entry of `images` sets.
#[derive(Clone, Debug, Default)]
struct Entry {
    name: String,
    new_name: Option<Set>,
    new_tag: Option<Set>,
    digest: Option<Set>,
}

/// A value, and its mark.
#[derive(Clone, Debug)]
struct Set {
    value: String,
    start: usize,
    setter: Option<String>,
}

/// The kustomizations of a tree.
pub struct Overlays<'r> {
    read: &'r ReadFile<'r>,
    folders: BTreeMap<String, Rc<Vec<State>>>,
    on_the_way: Vec<String>,
    found: BTreeMap<String, Overlay>,
}

impl<'r> Overlays<'r> {
    /// Those of the files that `read` reads.
    #[must_use]
    pub fn new(read: &'r ReadFile<'r>) -> Self {
        Self {
            read,
            folders: BTreeMap::new(),
            on_the_way: Vec::new(),
            found: BTreeMap::new(),
        }
    }

    /// What the kustomization at a path is to say.
    pub fn of(&mut self, path: &str) -> Overlay {
        _ = self.results(artifact::folder_of(path));
        self.found.get(path).cloned().unwrap_or_default()
    }

    /// The kustomization of a folder.
    fn kustomization(&self, folder: &str) -> Option<(String, Arc<str>)> {
        let mut paths = NAMES.iter().map(|name| inside(folder, name));
        paths.find_map(|path| {
            let text = (self.read)(&path)?;
            Some((path, text))
        })
    }

    /// The resources that come out of a folder's kustomization.
    fn results(&mut self, folder: &str) -> Rc<Vec<State>> {
        if let Some(known) = self.folders.get(folder) {
            return Rc::clone(known);
        }
        let is_circle = self.on_the_way.iter().any(|one| one == folder);
        let kustomization = self.kustomization(folder);
        let Some((path, text)) = kustomization.filter(|_| !is_circle) else {
            return Rc::default();
        };
        if self.on_the_way.len() >= MAX_DEPTH {
            return Rc::default();
        }
        self.on_the_way.push(folder.to_owned());
        let made = self.made(folder, &path, &text).unwrap_or_default();
        self.on_the_way.pop();
        let made = Rc::new(made);
        self.folders.insert(folder.to_owned(), Rc::clone(&made));
        made
    }

    fn made(&mut self, folder: &str, path: &str, text: &str) -> Option<Vec<State>> {
        let file = KustomizationFile::parse(text).ok()?;
        let mut states = Vec::new();
        for entry in texts(&file, "resources") {
            states.extend(self.resources(folder, entry));
        }
        states.truncate(MAX_RESOURCES);
        let mut overlay = Overlay::default();
        let mut entries = Vec::new();
        for entry in texts(&file, "components") {
            entries.extend(self.component(folder, entry, &mut states));
        }
        entries.extend(entries_of(text));
        let mut desired: Vec<Fields> = states.iter().map(|one| one.bound.clone()).collect();
        let mut without: Vec<Fields> = desired.clone();
        for patch in self.patches(folder, &file) {
            patch.apply(&states, &mut desired, &mut without, &mut overlay);
        }
        for (number, state) in states.iter_mut().enumerate() {
            for entry in &entries {
                entry.apply(state, &mut desired[number], &mut overlay);
            }
        }
        overlay.want(&states, &desired, &without, &known_patches(&file));
        for (state, desired) in states.iter_mut().zip(desired) {
            state.bound = desired;
        }
        self.found.insert(path.to_owned(), overlay);
        Some(states)
    }

    /// What an entry of `components` sets; the resources that it brings are added.
    fn component(&mut self, folder: &str, entry: &str, states: &mut Vec<State>) -> Vec<Entry> {
        let below = artifact::join(folder, entry).ok();
        let found = below.and_then(|below| {
            let (_, text) = self.kustomization(&below)?;
            Some((KustomizationFile::parse(&text).ok()?, below, text))
        });
        let Some((file, below, text)) = found else {
            return Vec::new();
        };
        for entry in texts(&file, "resources") {
            states.extend(self.resources(&below, entry));
        }
        // A patch in it would fail wherever the resource is not.
        let entries = entries_of(&text).into_iter();
        entries.map(Entry::unmarked).collect()
    }

    /// The resources that an entry of `resources` leads to.
    fn resources(&mut self, folder: &str, entry: &str) -> Vec<State> {
        let Ok(path) = artifact::join(folder, entry) else {
            return Vec::new();
        };
        if self.kustomization(&path).is_some() {
            return self.results(&path).to_vec();
        }
        let text = (self.read)(&path);
        text.map_or_else(Vec::new, |text| states_of(&path, &text))
    }

    /// The patches of a kustomization, in the order in which they are applied.
    fn patches(&self, folder: &str, file: &KustomizationFile) -> Vec<Patch> {
        let mut patches = Vec::new();
        let text_of = |entry: &str| match artifact::join(folder, entry) {
            Ok(path) => match (self.read)(&path) {
                Some(text) => (path, text.to_string()),
                None => (String::new(), entry.to_owned()),
            },
            Err(_) => (String::new(), entry.to_owned()),
        };
        for entry in texts(file, "patchesStrategicMerge") {
            let (path, text) = text_of(entry);
            patches.extend(Patch::all_of(&path, &text, &Value::Null));
        }
        for field in ["patches", "patchesJson6902"] {
            let entries = file.fields.get(field).and_then(Value::as_array);
            for entry in entries.into_iter().flatten() {
                let (path, text) = match (entry["patch"].as_str(), entry["path"].as_str()) {
                    (Some(text), _) => (String::new(), text.to_owned()),
                    (None, Some(path)) => text_of(path),
                    (None, None) => continue,
                };
                if Identity::of_patch(&text).is_none() {
                    patches.extend(Patch::all_of(&path, &text, &entry["target"]));
                }
            }
        }
        patches
    }
}

/// A patch, as far as images and our annotation are concerned.
struct Patch {
    target: Identity,
    /// A selector by more than a name, which is taken to select whatever it may.
    is_broad: bool,
    /// The fields of images that it sets: by path, or by place.
    sets: Vec<String>,
    /// What its annotation says, if it has one, or gets one.
    bound: Option<Fields>,
}

impl Patch {
    fn all_of(path: &str, text: &str, target: &Value) -> Vec<Self> {
        let documents = kustomization::documents(text).unwrap_or_default();
        let named = Identity {
            api_version: String::new(),
            kind: target["kind"].as_str().unwrap_or_default().to_owned(),
            name: target["name"].as_str().unwrap_or_default().to_owned(),
            namespace: String::new(),
        };
        let is_broad = target.is_object();
        if let [Value::Array(operations)] = documents.as_slice() {
            let sets = operations.iter().filter_map(|operation| {
                let is_set = ["replace", "add"].contains(&operation["op"].as_str()?);
                is_set.then(|| place_of(operation["path"].as_str().unwrap_or_default()))
            });
            return vec![Self {
                target: named,
                is_broad,
                sets: sets.collect(),
                bound: None,
            }];
        }
        let states = states_of(path, text).into_iter();
        states
            .map(|state| Self {
                target: match is_broad {
                    true => named.clone(),
                    false => state.identity,
                },
                is_broad,
                sets: state.images.into_iter().map(|one| one.path).collect(),
                bound: (!state.bound.is_empty()).then_some(state.bound),
            })
            .collect()
    }

    fn selects(&self, identity: &Identity) -> bool {
        let is = |wanted: &str, is: &str| wanted == is || self.is_broad && wanted.is_empty();
        is(&self.target.kind, &identity.kind) && is(&self.target.name, &identity.name)
    }

    fn apply(
        &self,
        states: &[State],
        desired: &mut [Fields],
        without: &mut [Fields],
        overlay: &mut Overlay,
    ) {
        for (number, state) in states.iter().enumerate() {
            if !self.selects(&state.identity) {
                continue;
            }
            let own = self.bound.clone().unwrap_or_default();
            for set in &self.sets {
                let images = state.images.iter();
                let of_it = images.filter(|one| one.path == *set || is_within(&one.place, set));
                for field in of_it {
                    let lost = desired[number].remove(&field.path);
                    if let Some(lost) = lost.filter(|_| !own.contains_key(&field.path)) {
                        overlay.unbound.push(unbound("a patch", state, &lost));
                    }
                }
            }
            if self.bound.is_some() {
                without[number].clone_from(&own);
            }
            desired[number].extend(own);
        }
    }
}

impl Overlay {
    /// Wants the annotations that are not there: of `states`, which are to be bound as in
    /// `desired` and are bound as in `without` where this says nothing. `known` is what it
    /// says already.
    fn want(
        &mut self,
        states: &[State],
        desired: &[Fields],
        without: &[Fields],
        known: &BTreeMap<Identity, String>,
    ) {
        let mut seen: BTreeMap<&Identity, usize> = BTreeMap::new();
        for state in states {
            *seen.entry(&state.identity).or_default() += 1;
        }
        for ((state, desired), without) in states.iter().zip(desired).zip(without) {
            let identity = &state.identity;
            let known = known.get(identity);
            let bind = annotation::written(desired);
            if desired == without && known.is_none() || known == Some(&bind) {
                continue;
            }
            if seen.get(identity).is_some_and(|count| *count > 1) {
                let fault = format!(
                    "several resources below are {identity} in their files, and a patch could not tell them apart"
                );
                self.faults.push(fault);
                continue;
            }
            self.wanted.push(Wanted {
                identity: identity.clone(),
                bind,
            });
        }
    }
}

impl Entry {
    /// The same of a component, whose marks reach nothing.
    fn unmarked(self) -> Self {
        let unmarked = |set: Option<Set>| {
            set.map(|set| Set {
                setter: None,
                ..set
            })
        };
        Self {
            new_name: unmarked(self.new_name),
            new_tag: unmarked(self.new_tag),
            digest: unmarked(self.digest),
            ..self
        }
    }

    fn apply(&self, state: &mut State, desired: &mut Fields, overlay: &mut Overlay) {
        let sets = [&self.new_name, &self.new_tag, &self.digest];
        if sets.iter().all(|set| set.is_none()) {
            return;
        }
        let (identity, file) = (state.identity.clone(), state.file.clone());
        for image in state.images.iter_mut().filter(|one| one.name == self.name) {
            let lost = desired.remove(&image.path);
            match self.setter() {
                Ok(setter) => {
                    desired.insert(image.path.clone(), setter);
                    let marked = sets.iter().copied().flatten();
                    let marked = marked.filter(|set| set.setter.is_some());
                    overlay.handled.extend(marked.map(|set| set.start));
                }
                Err(None) => {
                    let state = State {
                        identity: identity.clone(),
                        file: file.clone(),
                        ..State::default()
                    };
                    let lost = lost.map(|lost| unbound("`images`", &state, &lost));
                    overlay.unbound.extend(lost);
                }
                Err(Some(why)) => overlay
                    .faults
                    .push(format!("`images` of {}: {why}", self.name)),
            }
            if let Some(new_name) = &self.new_name {
                image.name.clone_from(&new_name.value);
            }
        }
    }

    /// What an image is bound to that this sets: `None` for nothing, or why it cannot be
    /// said.
    fn setter(&self) -> Result<String, Option<String>> {
        let target = |set: &Option<Set>| {
            let setter = set.as_ref()?.setter.as_ref()?;
            MarkerTarget::parse(setter)
        };
        let marks = [&self.new_name, &self.new_tag, &self.digest].map(target);
        let policy = |one: &MarkerTarget| format!("{}:{}", one.namespace, one.name);
        match &marks {
            [None, None, None] => Err(None),
            [None, Some(tag), None] if tag.part == ImagePart::Tag => {
                Ok(format!("{}:tag", policy(tag)))
            }
            [Some(name), Some(tag), None]
                if name.part == ImagePart::Name
                    && tag.part == ImagePart::Tag
                    && policy(name) == policy(tag) =>
            {
                Ok(policy(tag))
            }
            _ => Err(Some(
                "its marks are not those of one policy, `:tag` beside `newTag` and `:name` beside `newName`"
                    .to_owned(),
            )),
        }
    }
}

fn unbound(what: &str, state: &State, lost: &str) -> String {
    format!(
        "{what} here sets the image of {} ({}), which is bound to `{lost}` there",
        state.identity, state.file
    )
}

/// The annotations that patches of ours give, by the resources.
fn known_patches(file: &KustomizationFile) -> BTreeMap<Identity, String> {
    let entries = file.fields.get("patches").and_then(Value::as_array);
    let patches = entries.into_iter().flatten();
    let texts = patches.filter_map(|one| one["patch"].as_str());
    texts.filter_map(Identity::of_patch).collect()
}

/// The resources of a file, with what their annotation says, or will say.
fn states_of(file: &str, text: &str) -> Vec<State> {
    let Ok(outline) = resource_list::read(text) else {
        return Vec::new();
    };
    let marked = origin::marked(text, &outline);
    let starts: BTreeSet<usize> = marked.iter().map(|one| one.object.span.start).collect();
    let found = tree::build_trees(
        text,
        &starts,
        |found: &mut BTreeMap<usize, _>, start, root| {
            found.insert(start, images_of(root));
        },
    );
    let mut found = found.unwrap_or_default();
    let resources = marked.into_iter().filter_map(|one| {
        let object = &one.object;
        if object.kind.is_empty() || object.is_encrypted {
            return None;
        }
        let known = object
            .bind
            .as_ref()
            .map(|bind| annotation::read(&bind.value));
        let known = known.and_then(Result::ok).unwrap_or_default();
        let mut bound: Fields = known
            .into_iter()
            .map(|(path, setter)| (path.to_string(), setter))
            .collect();
        let marks = one.fields.iter();
        bound.extend(marks.map(|one| (one.path.to_string(), one.setter.clone())));
        Some(State {
            identity: Identity {
                api_version: object.api_version.clone(),
                kind: object.kind.clone(),
                name: object.name.clone(),
                namespace: object.namespace.clone(),
            },
            file: file.to_owned(),
            bound,
            images: found.remove(&object.span.start).unwrap_or_default(),
        })
    });
    resources.collect()
}

/// The fields of a resource whose images kustomize sets.
fn images_of(root: &Node<'_>) -> Vec<ImageAt> {
    let fields = image::fields_of(root, &[], &|_| true).into_iter();
    let fields = fields
        .filter(|field| field.holds == ImageFieldKind::Image && is_set_by_kustomize(&field.path));
    let image = |field: image::ImageField<'_, '_>| {
        let (text, value) = (field.node.text()?, field.node.scalar()?);
        let (rest, _) = marker::split_digest(&text);
        let (name, _) = marker::split_tag(rest);
        Some(ImageAt {
            path: path::leading_to(root, value.span.start)?,
            name: name.to_owned(),
            place: field.path,
        })
    };
    fields.filter_map(image).collect()
}

/// Whether `images` of a kustomization speak of a field, as `spec.containers[0].image`.
fn is_set_by_kustomize(place: &str) -> bool {
    let Some((list, field)) = place.rsplit_once("].") else {
        return false;
    };
    let list = list.rsplit('.').next().unwrap_or_default();
    let key = list.split('[').next().unwrap_or_default();
    match field {
        "image" => ["containers", "initContainers"].contains(&key),
        field => (key, field) == ("volumes", "image.reference"),
    }
}

/// The entries of `images` in a kustomization, with their marks.
fn entries_of(text: &str) -> Vec<Entry> {
    let Ok(outline) = resource_list::read(text) else {
        return Vec::new();
    };
    let setters = setters(text, &outline);
    let Some(first) = outline.documents.first() else {
        return Vec::new();
    };
    let starts = BTreeSet::from([first.root.span.start]);
    let found = tree::build_trees(text, &starts, |found: &mut Vec<Entry>, _, root| {
        let images = root.get("images").map(Node::elements).unwrap_or_default();
        for image in images {
            let set = |key: &str| {
                let node = image.get(key)?;
                let start = node.scalar()?.span.start;
                Some(Set {
                    value: node.text()?.into_owned(),
                    start,
                    setter: setters.get(&start).cloned(),
                })
            };
            let name = image.get("name").and_then(Node::text);
            found.push(Entry {
                name: name.unwrap_or_default().into_owned(),
                new_name: set("newName"),
                new_tag: set("newTag"),
                digest: set("digest"),
            });
        }
    });
    found.unwrap_or_default()
}

/// The live markers of a text, by where their scalars begin.
fn setters(text: &str, outline: &Outline<'_>) -> BTreeMap<usize, String> {
    let mut setters = BTreeMap::new();
    if text.contains(marker::TOKEN) {
        let documents = outline.documents.iter();
        let marked = documents.flat_map(|document| &document.marked);
        for marked in marked.filter(|marked| marked.is_reached) {
            if let Comment::Marker(setter) = marker::read(marked.comment.of(text)) {
                setters.insert(marked.value.span.start, setter);
            }
        }
    }
    setters
}

fn texts<'f>(file: &'f KustomizationFile, field: &str) -> impl Iterator<Item = &'f str> + use<'f> {
    let items = file.fields.get(field).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str)
}

fn inside(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// A JSON pointer as the place of a field: `/spec/containers/0/image`.
fn place_of(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1);
    let mut place = String::new();
    for step in steps {
        let step = step.replace("~1", "/").replace("~0", "~");
        match step.parse::<usize>() {
            Ok(number) => place.push_str(&format!("[{number}]")),
            Err(_) if place.is_empty() => place = step,
            Err(_) => place = format!("{place}.{step}"),
        }
    }
    place
}

/// Whether a field is at a place, or in what stands there.
fn is_within(field: &str, place: &str) -> bool {
    let rest = field.strip_prefix(place).filter(|_| !place.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
