//! From the bytes of a resource to a typed document.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::nulls::{Pruned, Shape};
use super::validate::{self, FieldFault};
use super::{
    FLUX_GROUP, GitRepository, ImagePolicy, ImagePolicyTest, ImageRepository, ImageUpdate,
    ImageUpdateAutomation, OWN_GROUP, SOURCE_GROUP, Secret, TagSnapshot,
};
use crate::quote;
use crate::resource_list::Object;
use yaml_edit_spans::walk::{Step, Walk};
use yaml_edit_spans::{ByteSpan, Place, Snippet, with_line_feeds};

/// A document of ours or Flux's.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few are alive at a time, and boxes would be in every match"
)]
pub enum Document {
    /// Where tags are.
    Repository(ImageRepository),
    /// Which tag is the latest.
    Policy(ImagePolicy),
    /// What to edit.
    Automation(ImageUpdateAutomation),
    /// Which repository an automation is for.
    Source(GitRepository),
    /// Tags, written down.
    Snapshot(TagSnapshot),
    /// What a policy is to choose.
    Test(ImagePolicyTest),
    /// How the function is to run.
    Update(ImageUpdate),
}

/// The kinds that are read, told by group and kind alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ImageRepository
    Repository,
    /// ImagePolicy
    Policy,
    /// ImageUpdateAutomation
    Automation,
    /// GitRepository
    Source,
    /// TagSnapshot
    Snapshot,
    /// ImagePolicyTest
    Test,
    /// ImageUpdate
    Update,
}

impl Kind {
    /// The kind of a resource, `None` for what is not ours to read.
    #[must_use]
    pub fn of(object: &Object) -> Option<Self> {
        match (object.group(), object.kind.as_str()) {
            (FLUX_GROUP, "ImageRepository") => Some(Self::Repository),
            (FLUX_GROUP, "ImagePolicy") => Some(Self::Policy),
            (FLUX_GROUP, "ImageUpdateAutomation") => Some(Self::Automation),
            (SOURCE_GROUP, "GitRepository") => Some(Self::Source),
            (OWN_GROUP, "TagSnapshot") => Some(Self::Snapshot),
            (OWN_GROUP, "ImagePolicyTest") => Some(Self::Test),
            (OWN_GROUP, "ImageUpdate") => Some(Self::Update),
            _ => None,
        }
    }
}

/// A document that was read, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The document.
    pub document: Document,
    /// Paths of fields that no version of the document has.
    pub unknown_fields: Vec<String>,
}

/// A document that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DocumentError {
    /// What is wrong.
    pub message: String,
    /// Where, in the text that the resource stands in.
    pub place: Place,
    /// The line there, as far as it is the resource's; absent in one of which
    /// nothing is shown.
    pub snippet: Option<Snippet>,
    /// Path of the field there, empty where it cannot be told.
    pub field: String,
    /// Whether it is a number, a boolean or nothing where a string must stand, for want
    /// of quotes.
    pub lacks_quotes: bool,
}

impl DocumentError {
    /// An error at `place`, which is byte `at` of `text`.
    fn new(text: &str, object: &Object, message: String, place: Place, at: usize) -> Self {
        let error = Self {
            message: quote::message(message),
            place,
            snippet: Some(Snippet::around(text, object.span, at)),
            field: String::new(),
            lacks_quotes: false,
        };
        if object.is_concealed {
            error.without_values()
        } else {
            error
        }
    }

    /// The error without anything that stood in the document.
    #[must_use]
    fn without_values(self) -> Self {
        Self {
            message: "a value is not of the right type".to_owned(),
            snippet: None,
            ..self
        }
    }
}

/// Fields that no type here has, but every document.
fn is_expected(path: &str) -> bool {
    // A document inside an ImageUpdate.
    let own = ["spec.repositories.", "spec.policies."]
        .iter()
        .find_map(|list| path.strip_prefix(list)?.split_once('.'))
        .map_or(path, |(_, own)| own);
    matches!(own, "apiVersion" | "kind" | "status")
        || own.starts_with("metadata.")
        || own.starts_with("status.")
}

/// The path of the node at `line` and `column` of `text`.
fn field_at(text: &str, line: usize, column: usize) -> String {
    let mut nearest = String::new();
    each_node(text, |walk, start, depth| {
        let place = walk.place(start);
        let is_past = (place.line, place.column) > (line, column);
        if !is_past {
            nearest = walk.path_above(depth);
        }
        is_past
    });
    nearest
}

/// Visits the nodes of a text in its order, as far as it can be read: where each
/// begins, and how many frames of the walk are its own and no part of its path. A
/// visit that says so is the last.
fn each_node(text: &str, mut is_last: impl FnMut(&mut Walk<'_>, usize, usize) -> bool) {
    let mut walk = Walk::tolerant(text);
    while let Ok(Some(step)) = walk.step() {
        let (start, depth) = match &step {
            Step::Value(value) => (value.span.start, 0),
            Step::Alias(span) => (span.start, 0),
            Step::Enter => (walk.frames().last().map_or(0, |frame| frame.start), 1),
            _ => continue,
        };
        if is_last(&mut walk, start, depth) {
            break;
        }
    }
}

/// Reads `object` of `text` as `kind`.
///
/// # Errors
/// A wrong type, a repeated key, an unknown `apiVersion` of a known kind.
pub fn read(text: &str, object: &Object, kind: Kind) -> Result<Reading, DocumentError> {
    let version = object
        .api_version
        .split_once('/')
        .map_or("", |(_, version)| version);
    let known: &[&str] = match kind {
        Kind::Snapshot | Kind::Test | Kind::Update => &["v1alpha1"],
        _ => &["v1", "v1beta2", "v1beta1", "v1alpha2", "v1alpha1"],
    };
    // Nothing but the address is read of a source, whatever its version.
    if kind != Kind::Source && !known.contains(&version) {
        let message = format!(
            "unknown version `{}` of {}; known are {}",
            quote::at_most(&object.api_version, 200),
            object.kind,
            known.join(", ")
        );
        let (place, at) = (object.place, object.span.start);
        return Err(DocumentError::new(text, object, message, place, at));
    }
    let mut unknown_fields = Vec::new();
    let document = match kind {
        Kind::Repository => typed(text, object, &mut unknown_fields).map(Document::Repository),
        Kind::Policy => typed(text, object, &mut unknown_fields).map(Document::Policy),
        Kind::Automation => typed(text, object, &mut unknown_fields).map(Document::Automation),
        Kind::Source => typed(text, object, &mut Vec::new()).map(Document::Source),
        Kind::Snapshot => typed(text, object, &mut unknown_fields).map(Document::Snapshot),
        Kind::Test => typed(text, object, &mut unknown_fields).map(Document::Test),
        Kind::Update => typed(text, object, &mut unknown_fields).map(Document::Update),
    }?;
    // An option on the way is no step of the user's.
    unknown_fields = unknown_fields
        .into_iter()
        .filter(|path| !is_expected(path))
        .map(|path| path.replace(".?", ""))
        .collect();
    if !unknown_fields.is_empty()
        && let Some(shape) = shape(&object.own_text(text))
    {
        unknown_fields.retain(|path| !shape.is_null_at(path));
    }
    // A test would ask less than who wrote it believes.
    if kind == Kind::Test
        && let Some(field) = unknown_fields.first()
    {
        let message = format!("it has an unknown field `{}`", quote::at_most(field, 300));
        let field = field.clone();
        return Err(refused(text, object, FieldFault { field, message }));
    }
    if let Some(fault) = validate::document(&document) {
        return Err(refused(text, object, fault));
    }
    Ok(Reading {
        document,
        unknown_fields,
    })
}

/// Reads `object` of `text` as a Secret. Of what it holds an error says nothing.
///
/// # Errors
/// As in [`read_login`].
pub fn read_secret(text: &str, object: &Object) -> Result<Secret, DocumentError> {
    read_login(text, object).map_err(DocumentError::without_values)
}

/// Reads `object` of `text` as a document that a login depends on, one of Kubernetes'
/// own: most of its fields are nobody's business here.
///
/// # Errors
/// A wrong type, a repeated key.
pub fn read_login<T: for<'de> Deserialize<'de>>(
    text: &str,
    object: &Object,
) -> Result<T, DocumentError> {
    typed(text, object, &mut Vec::new())
}

fn typed<T: for<'de> Deserialize<'de>>(
    text: &str,
    object: &Object,
    unknown_fields: &mut Vec<String>,
) -> Result<T, DocumentError> {
    let own = object.own_text(text);
    deserialize(&own, unknown_fields).map_err(|error| {
        let at = error.location();
        let line = at.map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        let column = at.map_or(1, |at| usize::try_from(at.column()).unwrap_or(1));
        let within = Place { line, column };
        let mut read_error = error_at(text, object, &own, message_of(&error), within);
        read_error.field = field_at(&own, line, column);
        read_error.lacks_quotes = unquoted(&error).is_some();
        read_error
    })
}

/// The value that is no string for want of quotes, where that is what is wrong.
fn unquoted(error: &serde_saphyr::Error) -> Option<&str> {
    match error.without_snippet() {
        serde_saphyr::Error::QuotingRequired { value, .. } => Some(value),
        _ => None,
    }
}

/// An error at a place of `own`, the object's text of its own.
fn error_at(text: &str, object: &Object, own: &str, message: String, at: Place) -> DocumentError {
    // The blanks before the object are not bytes of the text.
    let blanks = object.own_column(text) - 1;
    let offset = offset_of(own, at).saturating_sub(blanks);
    let place = placed(text, object, at);
    DocumentError::new(text, object, message, place, object.span.start + offset)
}

/// A place of the object's text of its own in the text that it stands in.
fn placed(text: &str, object: &Object, at: Place) -> Place {
    Place {
        line: object.place.line + at.line.max(1) - 1,
        column: if at.line <= 1 {
            object.place.column.max(1) - object.own_column(text) + at.column
        } else {
            at.column
        },
    }
}

/// Where a field of a resource of `text` stands, or the nearest above it that it has.
#[must_use]
pub fn place_of_field(text: &str, object: &Object, field: &str) -> Place {
    let found = (!field.is_empty()).then(|| place_of(&object.own_text(text), field));
    let found = found.flatten().map(|at| placed(text, object, at));
    found.unwrap_or(object.place)
}

/// Where the elements of a list of a resource stand, by their numbers: the whole text is
/// walked once.
#[must_use]
pub fn places_of_elements(text: &str, object: &Object, list: &str) -> BTreeMap<usize, Place> {
    let mut places = BTreeMap::new();
    each_node(&object.own_text(text), |walk, start, depth| {
        let at = walk.path_above(depth);
        let number = at
            .strip_prefix(list)
            .and_then(|rest| rest.strip_prefix('['));
        let number = number.and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        if let Some(number) = number {
            let place = placed(text, object, walk.place(start));
            places.entry(number).or_insert(place);
        }
        false
    });
    places
}

/// What the API server would not take, where it stands.
fn refused(text: &str, object: &Object, fault: FieldFault) -> DocumentError {
    let own = object.own_text(text);
    let found = place_of(&own, &fault.field).unwrap_or(Place {
        line: 1,
        column: object.own_column(text),
    });
    let mut read_error = error_at(text, object, &own, fault.message, found);
    read_error.field = fault.field;
    read_error
}

/// The place of the node at a path of `text`, or of the nearest above it.
fn place_of(text: &str, path: &str) -> Option<Place> {
    let mut nearest: Option<(usize, Place)> = None;
    each_node(text, |walk, start, depth| {
        let at = walk.path_above(depth);
        let is_above = path
            .strip_prefix(at.as_str())
            .is_some_and(|rest| at.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']));
        if is_above && nearest.is_none_or(|(length, _)| length < at.len()) {
            nearest = Some((at.len(), walk.place(start)));
        }
        false
    });
    nearest.map(|(_, place)| place)
}

/// The byte of `text` at a place.
fn offset_of(text: &str, Place { line, column }: Place) -> usize {
    let mut rest = ByteSpan::new(0, text.len());
    for _ in 1..line {
        let Some(found) = rest.of(text).find('\n') else {
            break;
        };
        rest.start += found + 1;
    }
    let before = rest.of(text).chars().take(column.saturating_sub(1));
    rest.start + before.map(char::len_utf8).sum::<usize>()
}

/// Reads a text that is a value inside a document, such as an entry of a
/// ConfigMap.
///
/// # Errors
/// What is wrong with it.
pub fn read_text<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    deserialize(text, &mut Vec::new()).map_err(|error| message_of(&error))
}

/// Reads a text whose nulls are absent fields.
fn deserialize<T: for<'de> Deserialize<'de>>(
    text: &str,
    unknown_fields: &mut Vec<String>,
) -> Result<T, serde_saphyr::Error> {
    let text = &*with_line_feeds(text);
    let whole = deserialize_without(text, None, unknown_fields);
    if whole.is_ok() {
        return whole;
    }
    let Some(shape) = shape(text).filter(Shape::has_null_fields) else {
        return whole;
    };
    unknown_fields.clear();
    deserialize_without(text, Some(&shape), unknown_fields)
}

/// Where the nulls of a text are; `None` where it cannot be read.
fn shape(text: &str) -> Option<Shape> {
    deserialize_without(&with_line_feeds(text), None, &mut Vec::new()).ok()
}

/// The one way into the deserializer: each further one would be a megabyte of
/// code. The fields that are null by `nulls` are left out.
fn deserialize_without<T: for<'de> Deserialize<'de>>(
    text: &str,
    nulls: Option<&Shape>,
    unknown_fields: &mut Vec<String>,
) -> Result<T, serde_saphyr::Error> {
    // A text without aliases has fewer nodes than bytes, and a snapshot may
    // have very many; what aliases make far beyond that is a bomb, and there may be many.
    let most = text.len().max(250_000.min(10_000 + 16 * text.len()));
    let options = serde_saphyr::options! {
        strict_booleans: true,
        no_schema: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: most,
            max_events: most.saturating_mul(2),
            max_total_scalar_bytes: most.max(64 << 20),
        },
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        let deserializer = Pruned::new(deserializer, nulls);
        serde_ignored::deserialize(deserializer, |path| unknown_fields.push(path.to_string()))
    })
}

fn message_of(error: &serde_saphyr::Error) -> String {
    if let Some(value) = unquoted(error) {
        return format!("`{value}` is no string without quotes");
    }
    let text = error.without_snippet().to_string();
    // The place is kept apart.
    let text = text
        .rfind(" at line ")
        .map_or(text.as_str(), |cut| &text[..cut]);
    // Advice for the library's callers is none for its users.
    let text = text
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or(text);
    text.replace("expected string scalar", "expected a string")
        .replace(
            "externally tagged enum expected scalar or mapping",
            "expected a string",
        )
}
