//! What the template of a message sees: `.AutomationObject`, `.Changed` and
//! `.Values`, of the types that Flux's have.
//!
//! Maps are ranged over by their keys, as in Go: files by path, objects by
//! apiVersion, kind, name and namespace. Go leaves the order of
//! `.Changed.Changes` to chance; here they come as they stand in the files.

#![allow(
    clippy::mutable_key_type,
    reason = "keys are texts and structs of texts, which nothing changes"
)]

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::api::Id;
use crate::finding::ResourceRef;
use crate::policy::reflect::ImageRef;
use go_template::value::{Entries, Field, Key, List, Map, Method, Struct, TEXT_MAP, Type, Value};
use oci_tags::image::Repository;

/// A scalar that got another value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenChange {
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
pub struct Changed(Vec<(String, ResourceRef, SeenChange)>);

impl Changed {
    /// Adds a change.
    pub fn add(&mut self, file: &str, object: ResourceRef, change: SeenChange) {
        self.0.push((file.to_owned(), object, change));
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
};
static OBJECT_CHANGES: Type = Type {
    name: "update.ObjectChanges",
    zero: || Value::List(List::none(&CHANGES)),
};
static FILE_CHANGES: Type = Type {
    name: "map[string]update.ObjectChanges",
    zero: || Value::Map(Map::none(&OBJECT_CHANGES)),
};
static IMAGES: Type = Type {
    name: "[]update.ImageRef",
    zero: || Value::Missing,
};
static OBJECT_IMAGES: Type = Type {
    name: "map[update.ObjectIdentifier][]update.ImageRef",
    zero: || Value::List(List::none(&IMAGES)),
};
static FILE_RESULTS: Type = Type {
    name: "map[string]update.FileResult",
    zero: || Value::Missing,
};

impl Data<'_> {
    /// The value that a template calls `.` and `$`.
    #[must_use]
    pub fn value(&self) -> Value {
        let values = match self.values {
            None => Map::none(&TEXT_MAP),
            Some(values) => {
                let entry = |(key, value)| (Key::text(key), Value::text(value));
                Map::new(&TEXT_MAP, values.iter().map(entry).collect())
            }
        };
        let seen = Rc::new(Seen::new(self.changed));
        let mut fields = vec![
            Field::new("AutomationObject", namespaced_name(self.automation)),
            Field::new("Changed", changed(&seen, self.legacy)),
            Field::new("Values", Value::Map(values)),
        ];
        let mut methods = Methods::new();
        if self.legacy {
            fields.push(Field::new("Updated", image_result(&seen)));
        } else {
            methods.push(refused("Updated", NO_UPDATED));
        }
        structure("source.TemplateData", fields, methods, None)
    }
}

/// The changes as values, each made once and shared by all who hold it.
struct Seen {
    changed: Changed,
    /// For each change, its struct.
    structs: Vec<Value>,
    /// For each change, the key of its object.
    keys: Vec<Key>,
}

/// Numbers of changes, by object.
type Grouped = BTreeMap<Key, Vec<usize>>;

impl Seen {
    fn new(changed: &Changed) -> Self {
        let mut known: BTreeMap<&ResourceRef, Key> = BTreeMap::new();
        let keys = changed.0.iter().map(|(_, object, _)| {
            let key = known.entry(object).or_insert_with(|| identifier(object));
            key.clone()
        });
        Self {
            keys: keys.collect(),
            structs: changed
                .0
                .iter()
                .map(|(_, _, change)| of_change(change))
                .collect(),
            changed: changed.clone(),
        }
    }

    /// The changes of each object of each file.
    fn files(&self) -> BTreeMap<&str, Grouped> {
        let mut files: BTreeMap<&str, Grouped> = BTreeMap::new();
        for (number, (file, ..)) in self.changed.0.iter().enumerate() {
            let objects = files.entry(file).or_default();
            objects
                .entry(self.keys[number].clone())
                .or_default()
                .push(number);
        }
        files
    }

    /// The changes of each object, over all files.
    fn objects(&self) -> Grouped {
        let mut all = Grouped::new();
        for (number, key) in self.keys.iter().enumerate() {
            all.entry(key.clone()).or_default().push(number);
        }
        all
    }

    /// All changes, each once.
    fn changes(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        let is_new = |number: &usize| {
            let (_, _, change) = &self.changed.0[*number];
            seen.insert((&change.old, &change.new, &change.setter))
        };
        (0..self.structs.len()).filter(is_new).collect()
    }

    fn list(&self, numbers: &[usize]) -> Value {
        let structs = numbers.iter().map(|number| self.structs[*number].clone());
        flat_list(&CHANGES, structs.collect())
    }

    fn map(&self, of: &'static Type, objects: Grouped) -> Value {
        let entry = |(key, numbers): (Key, Vec<usize>)| (key, self.list(&numbers));
        Value::Map(Map::new(of, objects.into_iter().map(entry).collect()))
    }

    /// The images of some changes, each once.
    fn images(&self, numbers: &[usize]) -> Value {
        let mut seen = HashSet::new();
        let changes = numbers.iter().map(|number| &self.changed.0[*number].2);
        let images = changes.filter_map(|change| Some((change.image.as_ref()?, &change.setter)));
        let images = images.filter(|(image, _)| seen.insert(*image));
        let images = images.map(|(image, setter)| image_ref(image, setter));
        flat_list(&IMAGES, images.collect())
    }

    fn image_map(&self, objects: Grouped) -> Value {
        let entry = |(key, numbers): (Key, Vec<usize>)| (key, self.images(&numbers));
        Value::Map(Map::new(
            &OBJECT_IMAGES,
            objects.into_iter().map(entry).collect(),
        ))
    }
}

/// `update.Result`
fn changed(seen: &Rc<Seen>, legacy: bool) -> Value {
    let files = seen.files().into_iter();
    let files: Entries = files
        .map(|(file, objects)| (Key::text(file), seen.map(&OBJECT_CHANGES, objects)))
        .collect();
    let files = Value::Map(Map::new(&FILE_CHANGES, files));
    let methods = vec![
        method("Changes", seen, |seen| seen.list(&seen.changes())),
        method("Objects", seen, |seen| {
            seen.map(&OBJECT_CHANGES, seen.objects())
        }),
        if legacy {
            method("ImageResult", seen, image_result)
        } else {
            refused("ImageResult", NO_IMAGE_RESULT)
        },
    ];
    structure(
        "update.Result",
        vec![Field::new("FileChanges", files)],
        methods,
        None,
    )
}

/// What old versions saw: images in place of changes.
fn image_result(seen: &Rc<Seen>) -> Value {
    let result = |objects| {
        let objects = vec![Field::new("Objects", seen.image_map(objects))];
        plain("update.FileResult", objects)
    };
    let files = seen.files().into_iter();
    let files: Entries = files
        .map(|(file, objects)| (Key::text(file), result(objects)))
        .collect();
    let files = Value::Map(Map::new(&FILE_RESULTS, files));
    let methods = vec![
        method("Images", seen, |seen| {
            let all: Vec<usize> = (0..seen.structs.len()).collect();
            seen.images(&all)
        }),
        method("Objects", seen, |seen| seen.image_map(seen.objects())),
    ];
    structure(
        "update.Result",
        vec![Field::new("Files", files)],
        methods,
        None,
    )
}

type Methods = Vec<(&'static str, Method)>;

fn method(
    name: &'static str,
    seen: &Rc<Seen>,
    give: impl Fn(&Rc<Seen>) -> Value + 'static,
) -> (&'static str, Method) {
    let seen = Rc::clone(seen);
    (name, Box::new(move || Ok(give(&seen))))
}

fn refused(name: &'static str, why: &'static str) -> (&'static str, Method) {
    (name, Box::new(move || Err(why.to_owned())))
}

/// A method that always gives the same.
fn constant(name: &'static str, value: Value) -> (&'static str, Method) {
    (name, Box::new(move || Ok(value.clone())))
}

fn embedded(name: &'static str, value: Value) -> Field {
    Field {
        is_embedded: true,
        ..Field::new(name, value)
    }
}

/// A struct without methods.
fn plain(name: &'static str, fields: Vec<Field>) -> Value {
    structure(name, fields, Methods::new(), None)
}

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
            Field::new("Namespace", Value::text(&id.namespace)),
            Field::new("Name", Value::text(&id.name)),
        ],
        vec![constant("String", Value::text(&text))],
        Some(text),
    )
}

/// A struct of two structs, whose fields are found at every level.
fn identifier(object: &ResourceRef) -> Key {
    let types = vec![
        Field::new("APIVersion", Value::text(&object.api_version)),
        Field::new("Kind", Value::text(&object.kind)),
    ];
    let names = vec![
        Field::new("Name", Value::text(&object.name)),
        Field::new("Namespace", Value::text(&object.namespace)),
    ];
    let inner = vec![
        embedded("TypeMeta", plain("yaml.TypeMeta", types)),
        embedded("NameMeta", plain("yaml.NameMeta", names)),
    ];
    let resource = plain("yaml.ResourceIdentifier", inner);
    let outer = vec![embedded("ResourceIdentifier", resource)];
    Key(plain("update.ObjectIdentifier", outer))
}

fn of_change(change: &SeenChange) -> Value {
    let fields = vec![
        Field::new("OldValue", Value::text(&change.old)),
        Field::new("NewValue", Value::text(&change.new)),
        Field::new("Setter", Value::text(&change.setter)),
    ];
    plain("update.Change", fields)
}

/// A list of structs, which is nested no deeper than one.
fn flat_list(of: &'static Type, items: Vec<Value>) -> Value {
    if items.is_empty() {
        return Value::List(List::none(of));
    }
    Value::List(List::new(of, items).unwrap_or_else(|_| List::none(of)))
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
    let full = format!("{registry}/{repository}{sign}{identifier}");
    let methods = vec![
        constant("String", Value::text(&text)),
        constant("Identifier", Value::text(identifier)),
        constant("Repository", Value::text(&repository)),
        constant("Registry", Value::text(&registry)),
        constant("Name", Value::text(full)),
        constant("Policy", namespaced_name(&policy)),
    ];
    structure("update.imageRef", vec![], methods, Some(text))
}
