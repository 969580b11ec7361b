//! Where a document came from, and whose word it is.

use crate::api;
use crate::finding::{Location, Severity};
use crate::resource_list::Object;
use yaml_edit_spans::Place;

/// Where a document came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The checkout.
    Tree,
    /// Items of a ResourceList or a stream.
    Items,
    /// functionConfig.
    Config,
    /// `--policies`.
    Flag,
}

impl Rank {
    /// Whether whoever gave this is trusted less. The checkout and the items of
    /// a ResourceList are one: whoever proposes a change to manifests.
    #[must_use]
    pub fn is_below(self, other: Self) -> bool {
        self < other && !(self <= Self::Items && other <= Self::Items)
    }
}

/// A document and where it stands.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The document.
    pub document: T,
    /// Where it stands.
    pub location: Location,
    /// Where another, different one of the same identity stands.
    pub conflict: Option<Location>,
    /// Where it came from.
    pub rank: Rank,
}

/// What the reader of a text knows of the documents in it.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// The file, empty for stdin.
    pub file: &'a str,
    /// Its rank.
    pub rank: Rank,
    /// Namespace of documents that name none.
    pub default_namespace: Option<&'a str>,
    /// How much a document weighs that cannot be read.
    pub severity: Severity,
    /// The text is a document that was built; where it is written.
    pub built_from: Option<Written<'a>>,
}

/// What a document was built of, where that is known.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a>(Option<(&'a str, &'a Object)>);

impl<'a> Written<'a> {
    /// A resource of a text.
    #[must_use]
    pub fn at(found: Option<(&'a str, &'a Object)>) -> Self {
        Self(found)
    }

    /// The place of a field of it, or of the nearest above it that it has itself.
    fn place(self, field: &str) -> Place {
        self.0.map_or_else(Place::default, |(text, object)| {
            api::place_of_field(text, object, field)
        })
    }
}

impl<'a> Provenance<'a> {
    /// A text of this rank, where what cannot be read is an error.
    #[must_use]
    pub fn new(file: &'a str, rank: Rank) -> Self {
        Self {
            file,
            rank,
            default_namespace: None,
            severity: Severity::Error,
            built_from: None,
        }
    }

    /// The same, for a document that was built.
    #[must_use]
    pub fn built_from(self, written: Written<'a>) -> Self {
        Self {
            built_from: Some(written),
            ..self
        }
    }

    /// Where the resource, or a field of it, stands of which the text says it is at
    /// `place`.
    #[must_use]
    pub fn location(&self, object: &Object, place: Place, field: impl Into<String>) -> Location {
        let field = field.into();
        let place = match self.built_from {
            Some(written) => written.place(&field),
            None => place,
        };
        object.location(self.file, place, field)
    }

    /// The same, with a namespace for documents that name none.
    #[must_use]
    pub fn in_namespace(self, namespace: Option<&'a str>) -> Self {
        Self {
            default_namespace: namespace,
            ..self
        }
    }
}
