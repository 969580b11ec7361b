//! The reader that keeps to the letter of YAML 1.2.2.
//!
//! `oneyaml-syntax` does the reading; this module is the only one that knows
//! it. Its stream is lossless: every byte belongs to an event, so where a value
//! begins behind its `:` and where a block scalar's header stands is told, not
//! searched for. Values are decoded only when somebody asks for them.

use std::collections::HashSet;

use oneyaml_core::{Limits, Settings};
use oneyaml_syntax::event::{
    CollectionStyle, Event as RawEvent, EventKind as Raw, Indicator, ScalarStyle, TriviaKind,
};
use oneyaml_syntax::parser;

pub(crate) use oneyaml_syntax::Sourced;

use super::ByteSpan;
use super::events::{
    CORE, Event, EventKind, Extras, Header, MAX_NESTING, Scalar, Signs, Source, Style, SyntaxError,
    Tag,
};

/// The events of a text, in order.
pub struct Reader<'t> {
    text: &'t str,
    /// Where the chunk begins that is read.
    base: usize,
    parser: parser::Events<'t>,
    /// Anchors of the document so far.
    anchors: HashSet<&'t str>,
    has_failed: bool,
    pub(super) signs: Signs,
}

impl<'t> Reader<'t> {
    /// Reads a chunk of `text` as a text of its own; its events have their
    /// bytes in the whole.
    #[must_use]
    pub fn new(text: &'t str, chunk: ByteSpan) -> Self {
        let limits = Limits::unlimited().max_depth(MAX_NESTING);
        Self {
            text,
            base: chunk.start,
            parser: parser::events_with(chunk.of(text), &Settings::new().limits(limits)),
            anchors: HashSet::new(),
            has_failed: false,
            signs: Signs::default(),
        }
    }

    /// What an event says; `None` for one that is passed over.
    fn event(&mut self, raw: Sourced<'t>) -> Option<Result<Event<'t>, SyntaxError>> {
        let span = span_of(&raw, self.base);
        let has_properties = raw
            .node_info()
            .is_some_and(|info| !info.has_no_properties());
        if has_properties && let Some(anchor) = raw.anchor() {
            self.anchors.insert(anchor.name);
        }
        let kind = match raw.kind() {
            Raw::DocumentStart { .. } => {
                self.anchors.clear();
                EventKind::DocumentStart
            }
            Raw::DocumentEnd { .. } => EventKind::DocumentEnd,
            Raw::MappingStart { style, .. } => {
                EventKind::MappingStart(*style != CollectionStyle::Block)
            }
            Raw::MappingEnd => EventKind::MappingEnd,
            Raw::SequenceStart { style, .. } => {
                EventKind::SequenceStart(*style != CollectionStyle::Block)
            }
            Raw::SequenceEnd => EventKind::SequenceEnd,
            Raw::Alias => match raw.alias_name() {
                Some(name) if self.anchors.contains(name) => EventKind::Alias,
                name => {
                    let message = format!("unknown anchor `{}`", name.unwrap_or_default());
                    return Some(Err(SyntaxError::new(self.text, span.start, message)));
                }
            },
            Raw::Scalar { style, .. } => {
                let style = Style::from(*style);
                EventKind::Scalar(self.scalar(span, style, raw, has_properties))
            }
            Raw::Error(diagnostic) => {
                let message = diagnostic.message.as_str();
                return Some(Err(SyntaxError::new(self.text, span.start, message)));
            }
            _ => return None,
        };
        Some(Ok(Event { kind, span }))
    }

    fn scalar(
        &self,
        span: ByteSpan,
        style: Style,
        raw: Sourced<'t>,
        has_properties: bool,
    ) -> Scalar<'t> {
        let mut extras = None;
        let mut start = span.start;
        if has_properties || matches!(style, Style::Literal | Style::Folded) {
            let found = self.extras(style, &raw, has_properties, &mut start);
            extras = Some(Box::new(found));
        }
        let token = span.of(self.text);
        let mut scalar = Scalar {
            style,
            start,
            extras,
            source: match as_written(token, style) {
                Some(value) => Source::Slice(value),
                None => Source::Event(Box::new(raw)),
            },
        };
        scalar.end_with(token);
        scalar
    }

    /// Header and tag of a scalar; `start` moves to where the first of these, or its
    /// anchor, begins.
    fn extras(
        &self,
        style: Style,
        raw: &Sourced<'t>,
        has_properties: bool,
        start: &mut usize,
    ) -> Extras {
        let base = self.base;
        let mut extras = Extras::default();
        if matches!(style, Style::Literal | Style::Folded) {
            extras.header = raw.block_header().map(|header| Header {
                span: ByteSpan::new(base + header.span.start, base + header.span.end),
                indent: header.content_indent,
            });
            *start = extras.header.map_or(*start, |header| header.span.start);
        }
        if has_properties {
            let properties = raw.properties().unwrap_or_default();
            for mark in [properties.anchor, properties.tag].into_iter().flatten() {
                *start = (*start).min(base + mark);
            }
            extras.tag = raw.tag().map(|tag| {
                let core = tag.resolved.strip_prefix(CORE);
                Tag {
                    span: ByteSpan::new(base + tag.span.start, base + tag.span.end),
                    is_non_string: core.is_some_and(|name| name != "str"),
                    is_string: core == Some("str"),
                }
            });
        }
        extras
    }
}

impl<'t> Iterator for Reader<'t> {
    type Item = Result<Event<'t>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.has_failed {
            let raw = self.parser.next()?;
            // Most are white space and signs, which are no events here.
            match raw.kind() {
                Raw::Trivia(TriviaKind::Indicator(Indicator::SequenceEntry)) => {
                    self.signs.dash = self.base + raw.span().start;
                    continue;
                }
                Raw::Trivia(TriviaKind::Indicator(Indicator::MappingValue)) => {
                    self.signs.behind_colon = self.base + raw.span().end;
                    continue;
                }
                Raw::Trivia(_) => continue,
                _ => {}
            }
            if let Some(event) = self.event(raw) {
                self.has_failed = event.is_err();
                return Some(event);
            }
        }
        None
    }
}

fn span_of(raw: &RawEvent<'_>, base: usize) -> ByteSpan {
    ByteSpan::new(base + raw.span().start, base + raw.span().end)
}

/// The value of a scalar on one line without escapes.
fn as_written(token: &str, style: Style) -> Option<&str> {
    let (value, needs_decoding): (_, &[u8]) = match style {
        Style::Plain => (token, b"\n\r"),
        Style::SingleQuoted => (token.get(1..token.len() - 1)?, b"\n\r'"),
        Style::DoubleQuoted => (token.get(1..token.len() - 1)?, b"\n\r\\"),
        Style::Literal | Style::Folded => return None,
    };
    let is_plain = match *needs_decoding {
        [a, b] => memchr::memchr2(a, b, value.as_bytes()).is_none(),
        [a, b, c] => memchr::memchr3(a, b, c, value.as_bytes()).is_none(),
        _ => false,
    };
    is_plain.then_some(value)
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::SingleQuoted => Self::SingleQuoted,
            ScalarStyle::DoubleQuoted => Self::DoubleQuoted,
            ScalarStyle::Literal => Self::Literal,
            ScalarStyle::Folded => Self::Folded,
            _ => Self::Plain,
        }
    }
}
