//! Which comment belongs to a scalar, as go-yaml decides it.
//!
//! Flux's markers hang on go-yaml's attachment of comments. A *line comment*
//! stands behind the scalar on its last line (behind the header for a block
//! scalar), with at most a flow comma between. A *head comment* stands on lines
//! of its own above: above an item of a sequence, between `-` and its scalar,
//! or between a key and a value that begins on a later line. A comment that
//! directly follows the item before it and is followed by a blank line is that
//! item's, and so is no head comment.

use super::ByteSpan;

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
    BlockItem {
        /// Whether it is the sequence's first.
        first: bool,
    },
    /// An item of a flow sequence.
    FlowItem,
}

impl Position {
    fn is_flow(self) -> bool {
        matches!(self, Self::FlowValue | Self::FlowItem)
    }
}

/// The comment behind a scalar whose token ends at `end`: from its `#` to the
/// end of the line.
#[must_use]
pub fn line_comment(text: &str, end: usize, position: Position) -> Option<ByteSpan> {
    let bytes = text.as_bytes();
    let mut at = skip_blanks(bytes, end);
    if position.is_flow() && bytes.get(at) == Some(&b',') {
        let after = skip_blanks(bytes, at + 1);
        if after == at + 1 {
            return None;
        }
        at = after;
    }
    if bytes.get(at) != Some(&b'#') || at == end {
        return None;
    }
    Some(ByteSpan::new(at, end_of_line(bytes, at)))
}

/// The head comment of a scalar: the one comment on a line of its own in
/// `from..start`, where `from` is the end of the token before. Two comments
/// make one text of several lines in go-yaml, which no marker survives, so
/// they count as none.
#[must_use]
pub fn head_comment(text: &str, from: usize, start: usize, position: Position) -> Option<ByteSpan> {
    let gap = Gap::read(text, from, start);
    let comments = match position {
        Position::BlockItem { first } => gap.above_item(first),
        Position::BlockValue => gap.own_line_after_indicator(),
        Position::FlowItem => gap.own_line(),
        Position::Root | Position::FlowValue => return None,
    };
    match comments.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
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

/// What stands between two tokens: comments, line by line, and `-` signs.
struct Gap {
    lines: Vec<GapLine>,
}

#[derive(Default)]
struct GapLine {
    comment: Option<ByteSpan>,
    /// `-` indicators before the comment.
    dashes: usize,
    /// Anything else but white space: `:`, `,`, an anchor, a tag.
    other: bool,
}

impl GapLine {
    fn is_blank(&self) -> bool {
        self.comment.is_none() && self.dashes == 0 && !self.other
    }
}

impl Gap {
    fn read(text: &str, from: usize, start: usize) -> Self {
        let bytes = text.as_bytes();
        let mut lines = Vec::new();
        let mut line = GapLine::default();
        let mut at = from;
        while at < start {
            match bytes[at] {
                b'\r' if bytes.get(at + 1) == Some(&b'\n') => {}
                b'\n' | b'\r' => lines.push(std::mem::take(&mut line)),
                b'#' if at == from || bytes[at - 1].is_ascii_whitespace() => {
                    let end = end_of_line(bytes, at).min(start);
                    line.comment = Some(ByteSpan::new(at, end));
                    at = end;
                    continue;
                }
                b'-' if bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => line.dashes += 1,
                byte if byte.is_ascii_whitespace() => {}
                _ => line.other = true,
            }
            at += 1;
        }
        lines.push(line);
        Self { lines }
    }

    /// Comments on lines of their own: all but one on the line of the token
    /// before.
    fn own_line(&self) -> Vec<ByteSpan> {
        self.lines
            .iter()
            .skip(1)
            .filter_map(|line| line.comment)
            .collect()
    }

    /// Comments on later lines than the `:` before a value.
    fn own_line_after_indicator(&self) -> Vec<ByteSpan> {
        if self
            .lines
            .iter()
            .skip(1)
            .any(|line| line.other || line.dashes > 0)
        {
            return Vec::new();
        }
        self.own_line()
    }

    /// Comments that go-yaml gives to the item behind the last `-`.
    fn above_item(&self, first: bool) -> Vec<ByteSpan> {
        let Some(last) = self.lines.iter().rposition(|line| line.dashes > 0) else {
            return Vec::new();
        };
        let after_dash = self.lines[last..].iter().filter_map(|line| line.comment);
        // With another `-` further out, what stands above it belongs to the
        // sequence that it opens.
        let mut from = 1;
        if self.lines[last].dashes > 1 {
            from = last;
        } else if let Some(outer) = self.lines[..last].iter().rposition(|line| line.dashes > 0) {
            from = outer;
        } else if !first {
            from = self.after_foot_of_previous(last);
        }
        self.lines[from.min(last)..last]
            .iter()
            .filter_map(|line| line.comment)
            .chain(after_dash)
            .collect()
    }

    /// The first line that no longer belongs to the item before: its comments
    /// directly under it go with it when a blank line follows them.
    fn after_foot_of_previous(&self, last: usize) -> usize {
        let between = self.lines.get(1..last).unwrap_or_default();
        let under = between
            .iter()
            .take_while(|line| line.comment.is_some())
            .count();
        let is_foot = between.get(under).is_some_and(GapLine::is_blank);
        if is_foot { 1 + under } else { 1 }
    }
}
