//! What the template of a message sees: `.AutomationObject`, `.Changed` and
//! `.Values`, of the types that Flux's have.
//!
//! Maps are ranged over by their keys, as in Go: files by path, objects by
//! apiVersion, kind, name and namespace. Go leaves the order of
//! `.Changed.Changes` to chance; here they come as they stand in the files.

// Keys are texts and structs of texts, which nothing changes.
#![allow(clippy::mutable_key_type)]

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::api::Id;
use crate::go::template::value::{Entries, Field, Key, List, Map, Struct, TEXT_MAP, Type, Value};
use crate::image::Repository;
use crate::policy::reflect::ImageRef;
use crate::update::outcome::ResourceRef;

/// A scalar that got another value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The value before.
    pub old: String,
    /// The value after.
    pub new: String,
    /// `namespace:name[:part]`
    pub setter: String,
    /// The policy's image, for templates of old versions.
    pub image: Option<ImageRef>,
}

/// What changed, in the order of files and of each file's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed(Vec<(String, ResourceRef, Change)>);

/// Changes by object.
type Objects<'c> = BTreeMap<&'c ResourceRef, Vec<&'c Change>>;

impl Changed {
    /// Adds a change.
    pub fn add(&mut self, file: &str, object: ResourceRef, change: Change) {
        self.0.push((file.to_owned(), object, change));
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All changes, each once.
    fn changes(&self) -> Vec<&Change> {
        let mut seen = HashSet::new();
        let all = self.0.iter().map(|(_, _, change)| change);
        all.filter(|change| seen.insert((&change.old, &change.new, &change.setter)))
            .collect()
    }

    /// The changes of each object of each file.
    fn files(&self) -> BTreeMap<&str, Objects<'_>> {
        let mut files: BTreeMap<&str, Objects<'_>> = BTreeMap::new();
        for (file, object, change) in &self.0 {
            let objects = files.entry(file).or_default();
            objects.entry(object).or_default().push(change);
        }
        files
    }

    /// The changes of each object, over all files.
    fn objects(&self) -> Objects<'_> {
        let mut all = Objects::new();
        for (_, object, change) in &self.0 {
            all.entry(object).or_default().push(change);
        }
        all
    }
}

/// Everything that a template may look at.
#[derive(Clone, Copy, Debug)]
pub struct Data<'d> {
    /// The automation.
    pub automation: &'d Id,
    /// What changed.
    pub changed: &'d Changed,
    /// `messageTemplateValues`; `None` where the automation has none.
    pub values: Option<&'d BTreeMap<String, String>>,
    /// Whether `.Updated` and `.Changed.ImageResult` are what they were before
    /// Flux removed them.
    pub legacy: bool,
}

/// `.Updated` is gone since Flux 2.7.
const NO_UPDATED: &str = "template uses removed '.Updated' field. Please use '.Changed' instead. See: https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template";

/// `.Changed.ImageResult` is gone since Flux 2.7.
const NO_IMAGE_RESULT: &str = "template uses removed '.Changed.ImageResult' field. Please use '.Changed.FileChanges' or '.Changed.Objects' instead. See: https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template";

static CHANGES: Type = Type {
    name: "[]update.Change",
    zero: || Value::Missing,
    is_any: false,
};
static OBJECT_CHANGES: Type = Type {
    name: "update.ObjectChanges",
    zero: || Value::List(List::none(&CHANGES)),
    is_any: false,
};
static FILE_CHANGES: Type = Type {
    name: "map[string]update.ObjectChanges",
    zero: || Value::Map(Map::none(&OBJECT_CHANGES)),
    is_any: false,
};
static OBJECTS: Type = Type {
    name: "map[update.ObjectIdentifier][]update.Change",
    zero: || Value::List(List::none(&CHANGES)),
    is_any: false,
};
static IMAGES: Type = Type {
    name: "[]update.ImageRef",
    zero: || Value::Missing,
    is_any: false,
};
static OBJECT_IMAGES: Type = Type {
    name: "map[update.ObjectIdentifier][]update.ImageRef",
    zero: || Value::List(List::none(&IMAGES)),
    is_any: false,
};
static FILE_RESULTS: Type = Type {
    name: "map[string]update.FileResult",
    zero: || Value::Missing,
    is_any: false,
};

impl Data<'_> {
    /// The value that a template calls `.` and `$`.
    #[must_use]
    pub fn value(&self) -> Value {
        let changed = self.changed();
        let values = match self.values {
            None => Map::none(&TEXT_MAP),
            Some(values) => {
                let entry = |(key, value)| (Key::text(key), Value::text(value));
                Map::new(&TEXT_MAP, values.iter().map(entry).collect())
            }
        };
        let mut fields = vec![
            field("AutomationObject", namespaced_name(self.automation)),
            field("Changed", changed),
            field("Values", Value::Map(values)),
        ];
        let mut methods = Vec::new();
        if self.legacy {
            fields.push(field("Updated", self.image_result()));
        } else {
            methods.push(("Updated", Err(NO_UPDATED.to_owned())));
        }
        structure("source.TemplateData", fields, methods, None)
    }

    /// `update.Result`
    fn changed(&self) -> Value {
        let changed = self.changed;
        let files: Entries = changed
            .files()
            .into_iter()
            .map(|(file, objects)| {
                let objects: Entries = objects
                    .into_iter()
                    .map(|(object, changes)| (identifier(object), change_list(changes)))
                    .collect();
                (
                    Key::text(file),
                    Value::Map(Map::new(&OBJECT_CHANGES, objects)),
                )
            })
            .collect();
        let objects: Entries = changed
            .objects()
            .into_iter()
            .map(|(object, changes)| (identifier(object), change_list(changes)))
            .collect();
        let mut methods = vec![
            ("Changes", Ok(change_list(changed.changes()))),
            ("Objects", Ok(Value::Map(Map::new(&OBJECTS, objects)))),
        ];
        methods.push((
            "ImageResult",
            if self.legacy {
                Ok(self.image_result())
            } else {
                Err(NO_IMAGE_RESULT.to_owned())
            },
        ));
        let files = Value::Map(Map::new(&FILE_CHANGES, files));
        structure(
            "update.Result",
            vec![field("FileChanges", files)],
            methods,
            None,
        )
    }

    /// What old versions saw: images in place of changes.
    fn image_result(&self) -> Value {
        let files: Entries = self
            .changed
            .files()
            .into_iter()
            .map(|(file, objects)| {
                let objects = objects.into_iter();
                let objects = objects.map(|(object, changes)| (object, changes.into_iter()));
                let result = field("Objects", image_map(objects));
                (
                    Key::text(file),
                    structure("update.FileResult", vec![result], vec![], None),
                )
            })
            .collect();
        let objects = self.changed.objects();
        let objects = objects
            .into_iter()
            .map(|(object, changes)| (object, changes.into_iter()));
        let all = self.changed.0.iter().map(|(_, _, change)| change);
        let methods = vec![
            ("Images", Ok(image_list(all))),
            ("Objects", Ok(image_map(objects))),
        ];
        let files = Value::Map(Map::new(&FILE_RESULTS, files));
        structure("update.Result", vec![field("Files", files)], methods, None)
    }
}

fn field(name: &'static str, value: Value) -> Field {
    Field {
        name,
        value,
        is_embedded: false,
    }
}

fn embedded(name: &'static str, value: Value) -> Field {
    Field {
        is_embedded: true,
        ..field(name, value)
    }
}

type Methods = Vec<(&'static str, Result<Value, String>)>;

fn structure(
    name: &'static str,
    fields: Vec<Field>,
    methods: Methods,
    string: Option<String>,
) -> Value {
    Value::Struct(Rc::new(Struct {
        name,
        fields,
        methods,
        string: string.map(|text| text.into_bytes().into()),
    }))
}

fn namespaced_name(id: &Id) -> Value {
    let text = format!("{}/{}", id.namespace, id.name);
    structure(
        "types.NamespacedName",
        vec![
            field("Namespace", Value::text(&id.namespace)),
            field("Name", Value::text(&id.name)),
        ],
        vec![("String", Ok(Value::text(&text)))],
        Some(text),
    )
}

/// A struct of two structs, whose fields are found at every level.
fn identifier(object: &ResourceRef) -> Key {
    let types = vec![
        field("APIVersion", Value::text(&object.api_version)),
        field("Kind", Value::text(&object.kind)),
    ];
    let names = vec![
        field("Name", Value::text(&object.name)),
        field("Namespace", Value::text(&object.namespace)),
    ];
    let inner = vec![
        embedded("TypeMeta", structure("yaml.TypeMeta", types, vec![], None)),
        embedded("NameMeta", structure("yaml.NameMeta", names, vec![], None)),
    ];
    let resource = structure("yaml.ResourceIdentifier", inner, vec![], None);
    let outer = vec![embedded("ResourceIdentifier", resource)];
    Key(structure("update.ObjectIdentifier", outer, vec![], None))
}

fn change_list<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Value {
    let one = |change: &Change| {
        let fields = vec![
            field("OldValue", Value::text(&change.old)),
            field("NewValue", Value::text(&change.new)),
            field("Setter", Value::text(&change.setter)),
        ];
        structure("update.Change", fields, vec![], None)
    };
    flat_list(&CHANGES, changes.into_iter().map(one).collect())
}

/// A list of structs, which is nested no deeper than one.
fn flat_list(of: &'static Type, items: Vec<Value>) -> Value {
    if items.is_empty() {
        return Value::List(List::none(of));
    }
    Value::List(List::new(of, items).unwrap_or_else(|_| List::none(of)))
}

/// The images of some changes, each once.
fn image_list<'c>(changes: impl Iterator<Item = &'c Change>) -> Value {
    let mut seen = HashSet::new();
    let images = changes.filter_map(|change| Some((change.image.as_ref()?, &change.setter)));
    let images = images.filter(|(image, _)| seen.insert((*image).clone()));
    flat_list(
        &IMAGES,
        images
            .map(|(image, setter)| image_ref(image, setter))
            .collect(),
    )
}

fn image_map<'c, C: Iterator<Item = &'c Change>>(
    objects: impl Iterator<Item = (&'c ResourceRef, C)>,
) -> Value {
    let entries = objects.map(|(object, changes)| (identifier(object), image_list(changes)));
    Value::Map(Map::new(&OBJECT_IMAGES, entries.collect()))
}

/// An image as old versions knew it: go-containerregistry's name, with the
/// registry and the name in full.
fn image_ref(image: &ImageRef, setter: &str) -> Value {
    let text = image.to_string();
    let (registry, repository) = match Repository::parse(&image.name) {
        Ok(name) => (name.host().to_owned(), name.path().to_owned()),
        Err(_) => (String::new(), image.name.clone()),
    };
    let identifier = image.digest.as_ref().unwrap_or(&image.tag);
    let sign = if image.digest.is_some() { '@' } else { ':' };
    let mut parts = setter.split(':');
    let policy = Id::new(
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let methods = vec![
        ("String", Ok(Value::text(&text))),
        ("Identifier", Ok(Value::text(identifier))),
        ("Repository", Ok(Value::text(&repository))),
        ("Registry", Ok(Value::text(&registry))),
        (
            "Name",
            Ok(Value::text(format!(
                "{registry}/{repository}{sign}{identifier}"
            ))),
        ),
        ("Policy", Ok(namespaced_name(&policy))),
    ];
    structure("update.imageRef", vec![], methods, Some(text))
}
