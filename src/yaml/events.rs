//! The stream of events of a YAML text, each with its bytes.
//!
//! `granit-parser` does the reading; this module is the only one that knows it.
//! Comments are switched off there: which comment belongs to a scalar is read
//! off the text ([`super::comment`]), and without them there is no limit on
//! how many lines of comment may stand together.

use std::borrow::Cow;

use granit_parser::{Event as Raw, Parser, ScalarStyle, StrInput, StructureStyle};

use super::{ByteSpan, Place};

/// Deepest nesting of block or flow collections.
const MAX_NESTING: usize = 512;

/// Namespace of the tags that YAML itself defines.
const CORE: &str = "tag:yaml.org,2002:";

/// One event and the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Event<'t> {
    /// What was read.
    pub kind: EventKind<'t>,
    /// Its bytes; empty for what has no sign of its own, such as the start of
    /// a block mapping.
    pub span: ByteSpan,
    /// Where it begins.
    pub place: Place,
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

/// A scalar as read and as written.
#[derive(Clone, Debug)]
pub struct Scalar<'t> {
    /// The value after unescaping and folding.
    pub value: Cow<'t, str>,
    /// How it is written.
    pub style: Style,
    /// The explicit tag, if one is written.
    pub tag: Option<Tag>,
}

/// An explicit tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Bytes of the tag token.
    pub span: ByteSpan,
    /// A tag of YAML's core that makes something else than a string of the
    /// scalar, such as `!!int`.
    pub is_non_string: bool,
    /// Whether the scalar is a string by this tag (`!!str`, or `!` alone).
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

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// The byte at which it was noticed.
    pub offset: usize,
}

/// The events of a text, in order.
pub struct Events<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Events<'t> {
    /// Reads `text`, which may hold any number of documents.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: MAX_NESTING,
            block_nesting_limit: MAX_NESTING,
        };
        Self {
            text,
            parser: Parser::new_from_str_with_options(text, options),
        }
    }
}

impl<'t> Iterator for Events<'t> {
    type Item = Result<Event<'t>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (raw, span) = match self.parser.next()? {
                Ok(next) => next,
                Err(error) => return Some(Err(syntax_error(&error))),
            };
            let bytes = span.byte_range().unwrap_or_default();
            let kind = match raw {
                Raw::DocumentStart(..) => EventKind::DocumentStart,
                Raw::DocumentEnd => EventKind::DocumentEnd,
                Raw::MappingStart(style, ..) => {
                    EventKind::MappingStart(style == StructureStyle::Flow)
                }
                Raw::MappingEnd => EventKind::MappingEnd,
                Raw::SequenceStart(style, ..) => {
                    EventKind::SequenceStart(style == StructureStyle::Flow)
                }
                Raw::SequenceEnd => EventKind::SequenceEnd,
                Raw::Alias(_) | Raw::UnresolvedAlias(_) => EventKind::Alias,
                Raw::Scalar(value, style, _, tag) => EventKind::Scalar(Scalar {
                    value,
                    style: style.into(),
                    tag: tag.map(|tag| {
                        let bytes = span
                            .tag_span()
                            .and_then(|s| s.byte_range())
                            .unwrap_or_default();
                        Tag {
                            is_non_string: tag
                                .suffix_in_namespace(CORE)
                                .is_some_and(|name| name != "str"),
                            is_string: tag.is_yaml_core_schema_tag("str")
                                || self.text.get(bytes.clone()) == Some("!"),
                            span: ByteSpan::new(bytes.start, bytes.end),
                        }
                    }),
                }),
                Raw::StreamStart | Raw::StreamEnd | Raw::Anchor(..) => continue,
                _ => continue,
            };
            return Some(Ok(Event {
                kind,
                span: ByteSpan::new(bytes.start, bytes.end),
                place: Place {
                    line: span.start.line(),
                    column: span.start.col() + 1,
                },
            }));
        }
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted => Self::SingleQuoted,
            ScalarStyle::DoubleQuoted => Self::DoubleQuoted,
            ScalarStyle::Literal => Self::Literal,
            ScalarStyle::Folded => Self::Folded,
        }
    }
}

fn syntax_error(error: &granit_parser::ScanError) -> SyntaxError {
    let marker = error.marker();
    let text = error.to_string();
    // The parser's own text ends in the place, which is kept apart here.
    let message = match text.split(" at char ").next().unwrap_or(&text) {
        "recursion limit exceeded" => format!("nested more than {MAX_NESTING} levels deep"),
        message => message.to_owned(),
    };
    SyntaxError {
        message,
        place: Place {
            line: marker.line(),
            column: marker.col() + 1,
        },
        offset: marker.byte_offset().unwrap_or_default(),
    }
}
