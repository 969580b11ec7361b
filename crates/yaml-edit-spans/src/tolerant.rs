//! The reader that takes what go-yaml takes.
//!
//! `granit-parser` does the reading; this module is the only one that knows it.
//! Its comment events are off: which comment belongs to a scalar is read off
//! the text ([`super::comment`]). What it does not tell (`:`, `-`, the header
//! of a block scalar) is found in the gaps between its tokens. It does not know
//! a carriage return alone as a line break inside comments and block scalars,
//! so a text with one is refused here; the strict reader takes it.

use granit_parser::input::{SkipTabs, WhitespaceResult};
use granit_parser::{
    BorrowedInput, Event as Raw, Input, Parser, ScalarStyle, StrInput, StructureStyle,
};

mod input;

use super::events::{
    CORE, Event, EventKind, Extras, Header, MAX_NESTING, Scalar, Signs, Source, Style, SyntaxError,
    Tag,
};
use super::walk::Collection;
use super::{ByteSpan, Place, lone_carriage_return};
use input::GluedComments;

/// Said of a text that the strict reader has refused.
const UNKNOWN_BREAK: &str = "a line ends in a carriage return alone, in a text that is not strictly valid YAML; end lines with a line feed";

/// The events of a text, in order.
pub struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, GluedComments<'t>>,
    /// Where the last token ends.
    after: usize,
    has_failed: bool,
    /// A line break that the parser does not know everywhere.
    unknown_break: Option<usize>,
    open: Vec<Collection>,
    pub(super) signs: Signs,
}

impl<'t> Reader<'t> {
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
            parser: Parser::with_options(GluedComments::new(text), options),
            after: if text.starts_with('\u{feff}') { 3 } else { 0 },
            has_failed: false,
            unknown_break: lone_carriage_return(text),
            open: Vec::new(),
            signs: Signs::default(),
        }
    }

    fn event(&mut self, raw: Raw<'t>, span: granit_parser::Span) -> Option<Event<'t>> {
        let bytes = span.byte_range().unwrap_or_default();
        let mut own = ByteSpan::new(bytes.start, bytes.end);
        let gap = Gap::read(self.text, self.after, own.start);
        if let Some(colon) = gap.colon {
            self.signs.behind_colon = colon + 1;
        }
        if let Some(dash) = gap.dash {
            self.signs.dash = dash;
        }
        let is_flow = |style| style == StructureStyle::Flow;
        let kind = match raw {
            Raw::DocumentStart(..) => EventKind::DocumentStart,
            Raw::DocumentEnd => EventKind::DocumentEnd,
            Raw::MappingStart(style, ..) => EventKind::MappingStart(is_flow(style)),
            Raw::MappingEnd => EventKind::MappingEnd,
            Raw::SequenceStart(style, ..) => {
                // One that is not indented under its key begins, to the parser,
                // behind its first dash. In a sequence that is the outer one's.
                if let (false, false, Some(dash)) =
                    (is_flow(style), self.is_in_sequence(), gap.dash)
                {
                    own = ByteSpan::new(dash, dash);
                }
                EventKind::SequenceStart(is_flow(style))
            }
            Raw::SequenceEnd => EventKind::SequenceEnd,
            Raw::Alias(_) | Raw::UnresolvedAlias(_) => EventKind::Alias,
            Raw::Scalar(value, style, _, tag) => {
                let extras = tag.map(|tag| {
                    Box::new(Extras {
                        tag: Some(self.tag(&tag, &span)),
                        header: None,
                    })
                });
                let scalar = Scalar {
                    style: style.into(),
                    extras,
                    start: gap.properties.map_or(own.start, |(start, _)| start),
                    source: Source::Value(value),
                };
                EventKind::Scalar(self.placed(scalar, &gap, &mut own))
            }
            _ => return None,
        };
        self.pass(&kind, own);
        Some(Event { kind, span: own })
    }

    fn tag(&self, tag: &granit_parser::Tag, span: &granit_parser::Span) -> Tag {
        let at = span.tag_span().and_then(|span| span.byte_range());
        let at = at.unwrap_or_default();
        Tag {
            is_non_string: tag
                .suffix_in_namespace(CORE)
                .is_some_and(|name| name != "str"),
            is_string: tag.is_yaml_core_schema_tag("str"),
            span: ByteSpan::new(at.start, at.end),
        }
    }

    /// The scalar with its header, and `own` as its bytes.
    fn placed(&mut self, mut scalar: Scalar<'t>, gap: &Gap, own: &mut ByteSpan) -> Scalar<'t> {
        if matches!(scalar.style, Style::Literal | Style::Folded) {
            self.block(&mut scalar, own);
            let header_end = scalar.header().map_or(0, |header| header.span.end);
            self.after = self.after.max(header_end);
        } else if own.is_empty() {
            // A null that is written as nothing stands behind its sign, or what
            // else is said of it.
            let sign = match gap.properties {
                Some((_, end)) => end,
                // Behind a `? key` without a `:` there is no sign at all.
                None => {
                    let Signs { behind_colon, dash } = self.signs;
                    behind_colon.max(dash + 1).max(self.after)
                }
            };
            *own = ByteSpan::new(sign, sign);
            scalar.start = scalar.start.min(sign);
            self.after = self.after.max(sign);
        }
        scalar
    }

    fn pass(&mut self, kind: &EventKind<'t>, own: ByteSpan) {
        let is_told = match kind {
            // Where no sign is written, the next token's bytes are given.
            EventKind::DocumentStart => own.of(self.text) == "---",
            EventKind::DocumentEnd => own.of(self.text) == "...",
            // What stands before it is its own, not its first child's.
            EventKind::MappingStart(_) | EventKind::SequenceStart(_) => true,
            _ => !own.is_empty(),
        };
        match kind {
            EventKind::MappingStart(_) => self.open.push(Collection::Mapping),
            EventKind::SequenceStart(_) => self.open.push(Collection::Sequence),
            EventKind::MappingEnd | EventKind::SequenceEnd => _ = self.open.pop(),
            _ => {}
        }
        if is_told {
            self.after = own.start + own.of(self.text).trim_end().len();
        }
    }

    fn is_in_sequence(&self) -> bool {
        self.open.last() == Some(&Collection::Sequence)
    }

    /// Finds the header of a block scalar, and gives it the lines of its
    /// content as its bytes.
    fn block(&self, scalar: &mut Scalar<'t>, own: &mut ByteSpan) {
        let has_content = scalar.value().contains(|c: char| !c.is_whitespace());
        let content = if has_content {
            own.start
        } else {
            self.text.len()
        };
        let Some(header) = block_header(self.text, self.after, content) else {
            return;
        };
        scalar.start = scalar.start.min(header.start);
        let rest = &self.text[header.end..];
        let begin = rest
            .find('\n')
            .map_or(self.text.len(), |n| header.end + n + 1);
        let line = self.text[..own.start].rfind('\n').map_or(0, |n| n + 1);
        let header = Header {
            span: header,
            indent: if has_content { own.start - line } else { 0 },
        };
        scalar.set_header(header);
        let lines = self.text.get(begin..own.end).unwrap_or_default();
        let keeps = header.span.of(self.text).contains('+');
        let end = if !has_content {
            begin
        } else if keeps {
            // A last line without its break is content unless it is blank.
            let last = lines.rfind('\n').map_or(0, |n| n + 1);
            begin
                + if lines[last..].trim().is_empty() {
                    last
                } else {
                    lines.len()
                }
        } else {
            let content = begin + header.content_length(lines);
            self.text[content..]
                .find('\n')
                .map_or(self.text.len(), |n| content + n + 1)
        };
        *own = ByteSpan::new(begin, end);
        scalar.end_with(own.of(self.text));
    }
}

impl<'t> Iterator for Reader<'t> {
    type Item = Result<Event<'t>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(at) = self.unknown_break.take() {
            self.has_failed = true;
            return Some(Err(SyntaxError::new(self.text, at, UNKNOWN_BREAK)));
        }
        while !self.has_failed {
            match self.parser.next()? {
                Ok((raw, span)) => {
                    if let Some(event) = self.event(raw, span) {
                        return Some(Ok(event));
                    }
                }
                Err(error) => {
                    self.has_failed = true;
                    return Some(Err(syntax_error(&error)));
                }
            }
        }
        None
    }
}

/// What stands between two tokens, comments left out.
#[derive(Default)]
struct Gap {
    colon: Option<usize>,
    dash: Option<usize>,
    /// Where anchor and tag begin and end.
    properties: Option<(usize, usize)>,
}

impl Gap {
    fn read(text: &str, from: usize, to: usize) -> Self {
        let bytes = text.as_bytes();
        let mut gap = Self::default();
        let mut at = from;
        while at < to {
            let ends = bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
            match bytes[at] {
                b'#' => at += bytes[at..].iter().take_while(|b| **b != b'\n').count(),
                b':' if gap.properties.is_none() => {
                    gap.colon = Some(at);
                    at += 1;
                }
                b'-' if ends => {
                    gap.dash = Some(at);
                    at += 1;
                }
                b'&' | b'!' => {
                    let start = gap.properties.map_or(at, |(start, _)| start);
                    at += bytes[at..to]
                        .iter()
                        .take_while(|b| !b.is_ascii_whitespace())
                        .count();
                    gap.properties = Some((start, at));
                }
                _ => at += 1,
            }
        }
        gap
    }
}

/// The header of a block scalar whose content (or, when it has none, next
/// token) begins at `content`; `from` is where the token before it ends.
/// Returns the span of the indicator with its digits and signs.
fn block_header(text: &str, from: usize, content: usize) -> Option<ByteSpan> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut after_space = true;
    while at < content {
        match bytes[at] {
            b'|' | b'>' if after_space => {
                let length = bytes[at + 1..content]
                    .iter()
                    .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-'))
                    .count();
                return Some(ByteSpan::new(at, at + 1 + length));
            }
            b'#' if after_space => {
                at += bytes[at..].iter().take_while(|b| **b != b'\n').count();
            }
            byte => {
                after_space = byte.is_ascii_whitespace() || byte == b':' && after_space;
                at += 1;
            }
        }
    }
    None
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
    }
}
