//! What is found in a file, and how it is taken down: nothing of what nobody is to see.

use std::collections::BTreeSet;

use super::exclusion::Comments;
use crate::binding::marker::ImagePart;
use crate::finding::Location;
use crate::resource_list::Object;
use yaml_edit_spans::tree::Node;
use yaml_edit_spans::{ByteSpan, Place, Style};

/// An image, a chart or an artifact that a file names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Where: at the tag, or else the digest, or the whole image.
    pub location: Location,
    /// Where else parts of it stand, of which a marker would change it.
    pub parts: Vec<Place>,
    /// The lines of its name, where that stands apart: a comment there is about it, too.
    pub name_lines: Vec<usize>,
    /// What it is.
    pub what: What,
    /// Its name as it is written; empty where a chart decides.
    pub name: String,
    /// Its tag, version or range.
    pub tag: Option<String>,
    /// Its digest.
    pub digest: Option<String>,
    /// A range of versions: whoever runs it takes the newest.
    pub is_range: bool,
    /// The HelmRepository that a chart is in, where it names one.
    pub source: Option<ChartSource>,
    /// The scalars behind which markers would change it; none where more stands in its value
    /// than the image.
    pub marks: Vec<MarkPlace>,
}

/// A scalar that is an image, or a part of one, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPlace {
    /// What a marker behind it would write.
    pub part: ImagePart,
    /// Its bytes in the file.
    pub span: ByteSpan,
    /// Whether it is written on a line, and not in a block.
    pub is_on_a_line: bool,
}

impl MarkPlace {
    /// Of a node, where that is a scalar.
    pub(super) fn of(node: &Node<'_>, part: ImagePart) -> Option<Self> {
        let value = node.scalar()?;
        Some(Self {
            part,
            span: value.span,
            is_on_a_line: matches!(
                value.scalar.style,
                Style::Plain | Style::SingleQuoted | Style::DoubleQuoted
            ),
        })
    }
}

/// What a thing with a tag is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A container image.
    #[default]
    Image,
    /// An image that a Dockerfile is built from.
    Base,
    /// A Helm chart.
    Chart,
    /// An OCI artifact.
    Artifact,
}

impl What {
    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Base => "base image",
            Self::Chart => "chart",
            Self::Artifact => "artifact",
        }
    }
}

/// Something that may name an image and was not looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct NotLookedAt {
    /// Where.
    pub location: Location,
    /// Why.
    pub why: Unknown,
}

/// Why it is not known which image a place names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// A variable or a template: its value stands elsewhere.
    Variable,
    /// It is in a Secret or an encrypted document.
    Concealed,
    /// The file is not valid YAML.
    Unparsable,
    /// The file could not be read.
    Unreadable,
    /// No name that registries take.
    NoName,
}

impl Unknown {
    /// Why, to follow "not looked at:".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Variable => "made by a variable or a template",
            Self::Concealed => "in a Secret or an encrypted document",
            Self::Unparsable => "not valid YAML",
            Self::Unreadable => "could not be read",
            Self::NoName => "no name of an image",
        }
    }
}

/// A HelmRepository by its name; the namespace is empty where none is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChartSource {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A kustomization of kustomize's, or one of Flux's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// The files and folders that it lists, as it names them.
    pub(super) lists: Vec<String>,
    /// Whether these count from the root of the work tree on, and nothing lists it.
    pub(super) is_of_flux: bool,
    /// The names of images that it gives a tag or a digest, and where.
    pub(super) sets: Vec<(String, Location)>,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InFile {
    /// What findings call it.
    pub file: String,
    /// Where it is, from the root of the work tree on.
    pub path: String,
    /// What it names.
    pub found: Vec<Found>,
    /// What was not looked at.
    pub unknown: Vec<NotLookedAt>,
    /// Comments that exclude something.
    pub comments: Comments,
    /// What kustomizations of it list and set.
    pub layers: Vec<Layer>,
    /// Versions of charts in patches of HelmReleases, which name no chart.
    pub versions: Vec<Found>,
    /// Lines with nothing but the comment of a marker.
    pub lone_markers: BTreeSet<usize>,
    /// HelmRepositories that it has.
    pub repositories: Vec<(ChartSource, String)>,
    /// Whether it says of itself that a program writes it.
    pub is_generated: bool,
}

/// Takes down what is found in a resource.
pub(super) struct Taker<'f> {
    /// The file's name.
    pub(super) file: &'f str,
    /// The resource.
    pub(super) object: &'f Object,
    /// Whether nobody is to see a stretch of the text.
    pub(super) is_concealed: &'f dyn Fn(ByteSpan) -> bool,
    /// What was found.
    pub(super) found: &'f mut InFile,
}

impl Taker<'_> {
    /// Takes down what a node names, unless nobody is to see it.
    pub(super) fn add(&mut self, node: &Node<'_>, field: String, found: Found) {
        if (self.is_concealed)(node.span) {
            return self.unknown(node, field, Unknown::Concealed);
        }
        let location = self.object.location(self.file, node.place, field);
        self.found.found.push(Found { location, ..found });
    }

    /// Takes down that a node may name something.
    pub(super) fn unknown(&mut self, node: &Node<'_>, field: String, why: Unknown) {
        let why = match (self.is_concealed)(node.span) {
            true => Unknown::Concealed,
            false => why,
        };
        let location = self.object.location(self.file, node.place, field);
        self.found.unknown.push(NotLookedAt { location, why });
    }
}

/// Whether nothing is written.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether a value stands elsewhere, or is made by a template.
pub(super) fn is_variable(text: &str) -> bool {
    text.contains('$') || text.contains("{{") || text.contains("((")
}
