//! `bind: Origin`: the markers of the files that a build's items come from.
//!
//! `kustomize build` drops every comment before a function sees the resources,
//! but with `buildMetadata: [originAnnotations]` it says which file each was read
//! from. The markers there are read again, and found in the item by the path of
//! their field: an element of a list by its name where it has one, since patches
//! may have moved it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::binding::marker::{self, Comment};
use crate::binding::path::{self, FieldPath};
use crate::resource_list::object::Build;
use crate::resource_list::{self, Document, MarkedScalar, Object, Outline};
use yaml_edit_spans::tree;

/// Reads a file, by the path in the annotation.
pub type ReadOrigin<'r> = dyn Fn(&str) -> Result<String, String> + Sync + 'r;

/// Why an item's markers are not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum OriginFault {
    /// The build does not say.
    #[error("it does not say which file it comes from")]
    NoOrigin,
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(String, String),
    /// The resource is not in the file.
    #[error("{0} has no such resource")]
    NotThere(String),
}

impl OriginFault {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoOrigin => {
                "write `buildMetadata: [originAnnotations]` in the kustomization that is built"
            }
            Self::Unreadable(..) | Self::NotThere(_) => {
                "bind it by the annotation `flux-image.dev/bind`, as `flux-image annotate` writes it"
            }
        }
    }
}

/// The files that items come from, each read once.
pub struct Origins<'r> {
    read: &'r ReadOrigin<'r>,
    files: Mutex<BTreeMap<String, Read>>,
}

/// The resources of a file, or why they are not known.
type Read = Result<Arc<[Marked]>, String>;

/// A resource of a file, and its markers.
#[derive(Clone, Debug)]
pub struct Marked {
    /// The resource.
    pub object: Object,
    /// The fields that are marked.
    pub fields: Vec<MarkedField>,
    /// How many are marked and cannot be told by a path.
    pub lost: usize,
}

/// A field that is marked.
#[derive(Clone, Debug)]
pub struct MarkedField {
    /// The field.
    pub path: FieldPath,
    /// The policy: `namespace:name[:part]`.
    pub setter: String,
    /// What stands there.
    pub value: String,
    /// Where that begins, in bytes.
    pub start: usize,
}

impl<'r> Origins<'r> {
    /// Files that `read` reads.
    #[must_use]
    pub fn new(read: &'r ReadOrigin<'r>) -> Self {
        Self {
            read,
            files: Mutex::default(),
        }
    }

    /// The fields of an item that are marked in the file that it comes from. What was
    /// generated, or lies in another repository, has none.
    ///
    /// # Errors
    /// Where the file is not to be had.
    pub fn fields(&self, object: &Object, build: &Build) -> Result<Vec<MarkedField>, OriginFault> {
        let Some(path) = build.origin_path() else {
            return if build.origin.is_empty() {
                Err(OriginFault::NoOrigin)
            } else {
                Ok(Vec::new())
            };
        };
        let resources = self
            .file(path)
            .map_err(|why| OriginFault::Unreadable(path.to_owned(), why))?;
        let source = source_of(object, build, &resources);
        let source = source.ok_or_else(|| OriginFault::NotThere(path.to_owned()))?;
        Ok(source.fields.clone())
    }

    fn file(&self, path: &str) -> Read {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            let text = (self.read)(path)?;
            let outline = resource_list::read(&text).map_err(|error| error.to_string())?;
            Ok(marked(&text, &outline).into())
        };
        files.entry(path.to_owned()).or_insert_with(read).clone()
    }
}

/// The resource of a file that became an item: of its kind, with a name that it
/// had.
fn source_of<'m>(object: &Object, build: &Build, resources: &'m [Marked]) -> Option<&'m Marked> {
    let now = (object.name.as_str(), object.namespace.as_str());
    let (name, namespace) = build.previous().next().unwrap_or(now);
    let is_it = |other: &&Marked| {
        let other = &other.object;
        other.kind == object.kind && other.group() == object.group() && other.name == name
    };
    let same: Vec<&Marked> = resources.iter().filter(is_it).collect();
    // Of several of one name, the one of the same namespace.
    let near = same
        .iter()
        .find(|other| other.object.namespace == namespace);
    near.or(same.first()).copied()
}

/// The markers of a text that are live, and their setters.
pub(super) fn live_markers<'o, 't>(
    text: &'o str,
    outline: &'o Outline<'t>,
) -> impl Iterator<Item = (&'o Document<'t>, &'o MarkedScalar<'t>, String)> {
    let documents = outline.documents.iter();
    // Flux reads no file without it.
    let documents = documents.filter(|_| text.contains(marker::TOKEN));
    let marked =
        documents.flat_map(|document| document.marked.iter().map(move |one| (document, one)));
    let marked = marked.filter(|(_, one)| one.is_reached);
    marked.filter_map(|(document, one)| match marker::read(one.comment.of(text)) {
        Comment::Marker(setter) => Some((document, one, setter)),
        _ => None,
    })
}

/// The resources of a text, and the markers in them that are live.
#[must_use]
pub fn marked(text: &str, outline: &Outline<'_>) -> Vec<Marked> {
    let unmarked = |object: &Object| Marked {
        object: object.clone(),
        fields: Vec::new(),
        lost: 0,
    };
    let mut resources: Vec<Marked> = outline.objects().map(unmarked).collect();
    let mut setters: BTreeMap<usize, Vec<(usize, String, String)>> = BTreeMap::new();
    for (document, marked, setter) in live_markers(text, outline) {
        let resource = document.object_of(marked).span.start;
        let scalar = (marked.value.span.start, setter, marked.text.to_string());
        setters.entry(resource).or_default().push(scalar);
    }
    if setters.is_empty() {
        return resources;
    }
    let starts: BTreeSet<usize> = setters.keys().copied().collect();
    type FoundOrigin = BTreeMap<usize, Vec<MarkedField>>;
    let found = tree::build_trees(text, &starts, |found: &mut FoundOrigin, start, root| {
        let fields = setters.get(&start).into_iter().flatten();
        let fields = fields.filter_map(|(scalar, setter, value)| {
            let path = path::leading_to(root, *scalar)?;
            Some(MarkedField {
                path: FieldPath::parse(&path).ok()?,
                setter: setter.clone(),
                value: value.clone(),
                start: *scalar,
            })
        });
        found.insert(start, fields.collect());
    });
    // What the outline could read, this can.
    let mut found = found.unwrap_or_default();
    for resource in &mut resources {
        let start = resource.object.span.start;
        resource.fields = found.remove(&start).unwrap_or_default();
        let all = setters.get(&start).map_or(0, Vec::len);
        resource.lost = all - resource.fields.len();
    }
    resources
}
