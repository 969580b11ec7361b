//! Which comment belongs to a scalar, as go-yaml decides it.
//!
//! Flux's markers hang on go-yaml's attachment of comments. A *line comment*
//! stands behind the scalar on its last line (behind the header for a block
//! scalar), with at most a flow comma between, or behind its anchor or tag. A
//! *head comment* stands on lines of its own above: above an item of a sequence,
//! between `-` and its scalar, or between a key and a value that begins on a
//! later line.
//!
//! Head comments are what `yaml_parser_scan_comments` of go-yaml leaves of the gap
//! before a scalar, told here step by step. A run of comments is the *foot* of what
//! stands before it where a blank line follows it directly under that, and
//! where what comes next stands left of the open collection and of the run.

use super::ByteSpan;
use super::walk::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a scalar stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The root of a document.
    Root,
    /// The value of a key in a block mapping.
    BlockValue,
    /// The value of a key in a flow mapping.
    FlowValue,
    /// An item of a block sequence.
    BlockItem,
    /// An item of a flow sequence.
    FlowItem,
}

impl Position {
    fn is_flow(self) -> bool {
        matches!(self, Self::FlowValue | Self::FlowItem)
    }
}

/// The comment of a scalar that is written, from its `#` to the end of the line:
/// its line comment, or its head comment where it has none. Two of a kind make
/// one text of several lines in go-yaml, which no marker survives, so they
/// count as none. `ended` is where the block mappings begin that have ended since
/// the token before.
#[must_use]
pub fn of(text: &str, value: &Value<'_>, ended: &[usize]) -> Option<ByteSpan> {
    let header = value.scalar.header().map(|header| header.span);
    let token = header.unwrap_or(value.span);
    let (head, mut line) = Gap::comments(text, value.after, token.start, value, ended);
    line.extend(line_comments(text, token.end, value));
    let found = match value.position {
        _ if !line.is_empty() => line,
        Position::Root => Vec::new(),
        _ => head,
    };
    match found.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// How far the comments behind a scalar may reach whose token ends at `end`: to
/// the comma behind it, in a flow collection.
#[must_use]
pub fn reach(text: &str, end: usize, position: Position) -> usize {
    if position.is_flow() {
        next_token(text.as_bytes(), end)
    } else {
        end
    }
}

/// The comments behind a scalar whose token ends at `end`: on its line, and in a
/// flow collection on that of the comma behind it. One may be glued to a token
/// that has an end of its own.
fn line_comments(text: &str, end: usize, value: &Value<'_>) -> Vec<ByteSpan> {
    let bytes = text.as_bytes();
    let mut found = Vec::from_iter(comment_behind(bytes, end));
    if value.position.is_flow() {
        let comma = next_token(bytes, end);
        let (head, _) = Gap::comments(text, end, comma, value, &[]);
        // A head comment before the comma keeps the one behind it from coming
        // back; it is the next scalar's then.
        if bytes.get(comma) == Some(&b',') && head.is_empty() {
            found.extend(comment_behind(bytes, comma + 1));
        }
    }
    found
}

/// The comment on the rest of the line, where nothing else stands before it.
fn comment_behind(bytes: &[u8], from: usize) -> Option<ByteSpan> {
    let at = skip_blanks(bytes, from);
    let is_comment = bytes.get(at) == Some(&b'#');
    is_comment.then(|| ByteSpan::new(at, end_of_line(bytes, at)))
}

/// The first byte from `from` on that is neither blank nor in a comment.
fn next_token(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at = end_of_line(bytes, at),
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => break,
        }
    }
    at
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    let blanks = bytes[from..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    from + blanks
}

/// The end of the line that `from` is on, without `\r` and `\n`.
fn end_of_line(bytes: &[u8], from: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &bytes[from..]).map_or(bytes.len(), |n| from + n)
}

/// Bytes before `at` in its line, without a byte order mark.
fn column_of(bytes: &[u8], at: usize) -> usize {
    let begin = memchr::memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
    super::work::count(at - begin);
    if begin == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
        at.saturating_sub(BYTE_ORDER_MARK.len())
    } else {
        at - begin
    }
}

/// A token without a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `-`
    Entry,
    /// `:`
    Value,
    /// `,`
    Comma,
    /// Anchor, tag, `?`, or the token before the gap.
    Other,
}

/// What stands between two tokens that have values, as it is read.
struct Gap<'a> {
    bytes: &'a [u8],
    in_flow: bool,
    /// Left edge of the innermost open block collection.
    indent: usize,
    /// Left edges of the mappings that end in the gap.
    ended: Vec<usize>,
    sign: Sign,
    /// Where the line begins that an anchor or tag stands on.
    property_line: Option<usize>,
    /// Line breaks since the last character that is not blank.
    breaks: usize,
    /// The last token stands on the first line of its document.
    on_first_line: bool,
    /// Head comments that no token has passed.
    pending: Vec<ByteSpan>,
    /// Head comments of the next scalar.
    head: Vec<ByteSpan>,
    /// Line comments of the next scalar.
    line: Vec<ByteSpan>,
}

impl<'a> Gap<'a> {
    /// The head and the line comments in `from..to` that are the next scalar's.
    fn comments(
        text: &'a str,
        from: usize,
        to: usize,
        value: &Value<'_>,
        ended: &[usize],
    ) -> (Vec<ByteSpan>, Vec<ByteSpan>) {
        // Most gaps have none, and thousands of them may stand on one line, of
        // which columns are counted from the beginning.
        let gap = text.as_bytes().get(from..to).unwrap_or_default();
        if memchr::memchr(b'#', gap).is_none() {
            return (Vec::new(), Vec::new());
        }
        let mut gap = Self::new(text, from, value, ended);
        gap.read(from, to);
        (gap.head, gap.line)
    }

    fn new(text: &'a str, from: usize, value: &Value<'_>, ended: &[usize]) -> Self {
        let bytes = text.as_bytes();
        Self {
            bytes,
            in_flow: value.position.is_flow(),
            indent: column_of(bytes, value.block),
            ended: ended.iter().map(|at| column_of(bytes, *at)).collect(),
            sign: Sign::Other,
            property_line: None,
            breaks: 0,
            on_first_line: is_on_first_line(bytes, from),
            pending: Vec::new(),
            head: Vec::new(),
            line: Vec::new(),
        }
    }

    fn read(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            match self.bytes[at] {
                b'\n' => {
                    self.breaks += 1;
                    at += 1;
                }
                b'#' => at = self.comment(at, to),
                b'-' if self.bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => {
                    self.entry(at, to);
                    at += 1;
                }
                b' ' | b'\t' | b'\r' => at += 1,
                _ => at = self.other(at, to),
            }
        }
        self.token(to);
    }

    /// Passes a comment, or a run of them.
    fn comment(&mut self, at: usize, to: usize) -> usize {
        // Behind `-` alone, a comment on its line heads what follows.
        if self.breaks > 0 || self.sign == Sign::Entry {
            return self.run(at, to);
        }
        let end = end_of_line(self.bytes, at);
        let is_next = match self.sign {
            Sign::Value => self.in_flow,
            Sign::Comma => !self.head.is_empty(),
            Sign::Entry | Sign::Other => self.property_line == Some(at - column_of(self.bytes, at)),
        };
        if is_next {
            self.line.push(ByteSpan::new(at, end));
        }
        end
    }

    /// Comments on lines that follow each other, blank lines between them.
    fn run(&mut self, from: usize, to: usize) -> usize {
        let bytes = self.bytes;
        let is_under_token = self.breaks == 1 && !self.on_first_line;
        let mut may_be_foot = self.breaks <= 1;
        let mut run: Vec<ByteSpan> = Vec::new();
        let mut column = 0;
        let mut at = from;
        loop {
            let here = column_of(bytes, at);
            if !run.is_empty() && here < self.indent && here != column {
                run.clear();
            }
            if bytes.get(at) != Some(&b'#') || at >= to {
                break;
            }
            if run.is_empty() {
                column = here;
            }
            let end = end_of_line(bytes, at);
            run.push(ByteSpan::new(at, end));
            let (next, blank_lines) = next_line_with_text(bytes, end);
            if blank_lines > 0 {
                let is_directly_under =
                    is_under_token && self.sign != Sign::Value && run[0].start == from;
                if may_be_foot && (is_directly_under || column < self.indent) {
                    run.clear();
                }
                may_be_foot = false;
            }
            at = next;
        }
        if self.in_flow && matches!(bytes.get(at), Some(b']' | b'}')) {
            run.clear();
        }
        self.pending.append(&mut run);
        self.breaks = 1;
        at.min(to)
    }

    /// A token takes the comments before it along.
    fn token(&mut self, at: usize) {
        let column = column_of(self.bytes, at);
        if column < self.indent {
            // What a mapping has when it ends is its own.
            let before = self.ended.len();
            self.ended.retain(|mapping| *mapping <= column);
            if self.ended.len() < before {
                self.head.clear();
                self.line.clear();
            }
        }
        self.head.append(&mut self.pending);
        self.breaks = 0;
        self.on_first_line = is_on_first_line(self.bytes, at);
    }

    fn entry(&mut self, at: usize, to: usize) {
        self.token(at);
        self.indent = column_of(self.bytes, at);
        self.sign = Sign::Entry;
        // What stands above the first of an inner sequence belongs to that.
        if self.opens_sequence(at + 1, to) {
            self.head.clear();
        }
    }

    /// Whether the next token is a `-` further to the right.
    fn opens_sequence(&self, from: usize, to: usize) -> bool {
        let at = next_token(self.bytes, from);
        at < to && self.bytes[at] == b'-' && column_of(self.bytes, at) > self.indent
    }

    fn other(&mut self, at: usize, to: usize) -> usize {
        self.token(at);
        self.sign = match self.bytes[at] {
            b':' => Sign::Value,
            b',' => Sign::Comma,
            _ => Sign::Other,
        };
        if !matches!(self.bytes[at], b'&' | b'!') {
            return at + 1;
        }
        self.property_line = Some(at - column_of(self.bytes, at));
        let rest = &self.bytes[at..to];
        at + rest.iter().take_while(|b| !b.is_ascii_whitespace()).count()
    }
}

/// Where the next text begins behind the line that ends at `end`, and how many
/// blank lines stand before it.
fn next_line_with_text(bytes: &[u8], end: usize) -> (usize, usize) {
    let gap = bytes[end..]
        .iter()
        .take_while(|b| b.is_ascii_whitespace())
        .count();
    let breaks = memchr::memchr_iter(b'\n', &bytes[end..end + gap]).count();
    (end + gap, breaks.saturating_sub(1))
}

/// Whether `at` is on the first line of what Flux takes for a document. There
/// go-yaml keeps no comment as a foot.
fn is_on_first_line(bytes: &[u8], at: usize) -> bool {
    let line = at - column_of(bytes, at);
    let Some(end) = line.checked_sub(1) else {
        return true;
    };
    let above = end - column_of(bytes, end);
    above > 0 && bytes[above..].starts_with(b"---")
}
