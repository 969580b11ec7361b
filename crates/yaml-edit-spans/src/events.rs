//! The stream of events of a YAML text, each with its bytes.
//!
//! Two readers make it. [`strict`](super::strict) is fast and refuses whatever
//! the specification does; [`tolerant`](super::tolerant) reads what go-yaml,
//! and so Flux, reads besides, such as a closing bracket that stands as far
//! left as its key. A text is read by the first and, where that refuses it, by
//! the second. Where both read a text they say the same.

use std::borrow::Cow;

use super::strict::Sourced;
use super::{ByteSpan, Place, strict, tolerant};

/// Deepest nesting of collections.
pub(super) const MAX_NESTING: usize = 512;

/// Namespace of the tags that YAML itself defines.
pub(super) const CORE: &str = "tag:yaml.org,2002:";

/// One event and the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Event<'t> {
    /// What was read.
    pub kind: EventKind<'t>,
    /// Its bytes; empty for what has no sign of its own, such as the start of
    /// a block mapping. Anchors and tags are not part of it.
    pub span: ByteSpan,
}

/// What an event says.
#[derive(Clone, Debug)]
pub enum EventKind<'t> {
    /// A document begins.
    DocumentStart,
    /// A document ends.
    DocumentEnd,
    /// A mapping begins; `true` for `{`.
    MappingStart(bool),
    /// A mapping ends.
    MappingEnd,
    /// A sequence begins; `true` for `[`.
    SequenceStart(bool),
    /// A sequence ends.
    SequenceEnd,
    /// A scalar.
    Scalar(Scalar<'t>),
    /// `*name`.
    Alias,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub struct Scalar<'t> {
    /// How it is written.
    pub style: Style,
    /// Where its anchor, tag or header begins, or itself.
    pub start: usize,
    /// What few scalars have: apart, so that the others are small to hand on.
    pub(super) extras: Option<Box<Extras>>,
    pub(super) source: Source<'t>,
}

/// What a scalar may have besides its value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    pub(super) tag: Option<Tag>,
    pub(super) header: Option<Header>,
}

/// What the value is read from.
#[derive(Clone, Debug)]
pub(super) enum Source<'t> {
    /// The value as it stands in the text.
    Slice(&'t str),
    /// The event, to be decoded.
    Event(Box<Sourced<'t>>),
    /// The decoded value.
    Value(Cow<'t, str>),
}

impl<'t> Scalar<'t> {
    /// The explicit tag, if one is written.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        self.extras.as_ref()?.tag
    }

    /// The header of a block scalar.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        self.extras.as_ref()?.header
    }

    /// The value after unescaping and folding.
    #[must_use]
    pub fn value(&self) -> Cow<'t, str> {
        match &self.source {
            Source::Slice(value) => Cow::Borrowed(value),
            Source::Event(event) => event.value().unwrap_or_default(),
            Source::Value(value) => value.clone(),
        }
    }

    pub(super) fn set_header(&mut self, header: Header) {
        self.extras.get_or_insert_default().header = Some(header);
    }

    /// Takes the final line break from the value of a block scalar whose
    /// `lines` have none: there is nothing to keep then (YAML 1.2.2, production
    /// 165, and go-yaml), which both libraries see otherwise.
    pub(super) fn end_with(&mut self, lines: &str) {
        if self.header().is_some_and(|header| !header.is_ended(lines))
            && let Some(value) = self.value().strip_suffix('\n')
        {
            self.source = Source::Value(Cow::Owned(value.to_owned()));
        }
    }
}

/// `|` or `>` with what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its bytes.
    pub span: ByteSpan,
    /// Spaces before each line of the content.
    pub indent: usize,
}

impl Header {
    /// How many bytes of a block scalar's lines are its content: all up to the
    /// end of the last line with more than its indentation, without the line
    /// break. A line of blanks that is longer than the indentation is content
    /// too (YAML 1.2.2, section 8.1.2).
    #[must_use]
    pub fn content_length(self, lines: &str) -> usize {
        let mut end = 0;
        let mut at = 0;
        for line in lines.split_inclusive(['\n', '\r']) {
            let text = line.trim_end_matches(['\r', '\n']);
            let blanks = text.bytes().take_while(|byte| *byte == b' ').count();
            if text.len() > blanks.min(self.indent) {
                end = at + text.len();
            }
            at += line.len();
        }
        end
    }

    /// Whether the last line of a block scalar's content has a line break; at
    /// the end of a text it may have none.
    fn is_ended(self, lines: &str) -> bool {
        let length = self.content_length(lines);
        length == 0 || length < lines.len()
    }
}

/// An explicit tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Bytes of the tag token.
    pub span: ByteSpan,
    /// A tag of YAML's core that makes something else than a string of the
    /// scalar, such as `!!int`.
    pub is_non_string: bool,
    /// Whether the scalar is a string by this tag, `!!str`. `!` alone makes one
    /// in YAML 1.2; go-yaml looks at the text all the same.
    pub is_string: bool,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A text that is not valid YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
}

impl SyntaxError {
    pub(super) fn new(text: &str, offset: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: Place::of(text.as_bytes(), offset),
        }
    }
}

/// Signs that the text so far has, and no event tells of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// Behind the last `:`.
    pub(super) behind_colon: usize,
    /// The last `-`.
    pub(super) dash: usize,
}

/// The events of a text, in order.
pub enum Events<'t> {
    /// As the specification has it.
    Strict(Box<strict::Reader<'t>>),
    /// As go-yaml has it.
    Tolerant(Box<tolerant::Reader<'t>>),
}

impl<'t> Events<'t> {
    /// Reads `text`, which may hold any number of documents, to the letter.
    #[must_use]
    pub fn strict(text: &'t str) -> Self {
        Self::strict_chunk(text, ByteSpan::new(0, text.len()))
    }

    /// Reads a chunk of `text` to the letter, as a text of its own.
    #[must_use]
    pub fn strict_chunk(text: &'t str, chunk: ByteSpan) -> Self {
        Self::Strict(Box::new(strict::Reader::new(text, chunk)))
    }

    /// Reads `text` as go-yaml does.
    #[must_use]
    pub fn tolerant(text: &'t str) -> Self {
        Self::Tolerant(Box::new(tolerant::Reader::new(text)))
    }

    /// The signs before the last event.
    pub(super) fn signs(&self) -> Signs {
        match self {
            Self::Strict(reader) => reader.signs,
            Self::Tolerant(reader) => reader.signs,
        }
    }
}

impl<'t> Iterator for Events<'t> {
    type Item = Result<Event<'t>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Strict(reader) => reader.next(),
            Self::Tolerant(reader) => reader.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As go-yaml answers; both libraries alone add a line break.
    #[test]
    fn a_block_scalar_at_the_end_of_a_text() {
        for (text, value) in [
            ("|\n  x", "x"),
            ("|+\n  x", "x"),
            ("|-\n  x", "x"),
            (">\n  x\n  y", "x y"),
            ("|\n  x\n", "x\n"),
            ("|+\n  x\n\n", "x\n\n"),
            ("|\n  x\n\n  y", "x\n\ny"),
            ("|\n  x\n ", "x\n"),
        ] {
            for mut events in [Events::strict(text), Events::tolerant(text)] {
                let found = events.find_map(|event| match event.expect("YAML").kind {
                    EventKind::Scalar(scalar) => Some(scalar.value().into_owned()),
                    _ => None,
                });
                assert_eq!(found.as_deref(), Some(value), "{text:?}");
            }
        }
    }

    /// To go-yaml, kustomize and PyYAML a colon ends an alias that is a key.
    #[test]
    fn an_alias_as_a_key() {
        let kinds = |text: &str| -> Vec<String> {
            let events = Events::tolerant(text).map(|event| match event.expect("YAML").kind {
                EventKind::Scalar(scalar) => scalar.value().into_owned(),
                EventKind::Alias => "*".to_owned(),
                _ => String::new(),
            });
            events.filter(|shown| !shown.is_empty()).collect()
        };
        for (text, expected) in [
            ("x: &a b\n*a: c\n", &["x", "b", "*", "c"][..]),
            ("x: &a b\n*a : c\n", &["x", "b", "*", "c"]),
            ("x: &a b\ny: {*a: c}\n", &["x", "b", "y", "*", "c"]),
            ("x: &a b\ny: [*a]\nz: *a\n", &["x", "b", "y", "*", "z", "*"]),
            ("x: \"é*: y\"\nz: 'é&: y'\n", &["x", "é*: y", "z", "é&: y"]),
            ("x: \"*: y\"\na*: b\n", &["x", "*: y", "a*", "b"]),
            (
                "x: |\n  *: y\n  é&: y\nz: é & b*c\n",
                &["x", "*: y\né&: y\n", "z", "é & b*c"],
            ),
            ("# *a: b\nx: y # &c: d\n", &["x", "y"]),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }
}
