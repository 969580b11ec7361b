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
        /// Whether the item before it was, or ended in, a block collection.
        after_block: bool,
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
        at = skip_blanks(bytes, at + 1);
    }
    if bytes.get(at) != Some(&b'#') {
        return None;
    }
    Some(ByteSpan::new(at, end_of_line(bytes, at)))
}

/// The head comment of a scalar: the one comment that go-yaml keeps for it
/// between the token before, which ends at `from`, and the scalar itself.
/// `block` is where the innermost block collection begins that this token is
/// in, `properties` where the scalar's anchor or tag begins, or its header or
/// itself, and `start` where it begins behind those. Two comments make one text of
/// several lines in go-yaml, which no marker survives, so they count as none.
#[must_use]
pub fn head_comment(
    text: &str,
    from: usize,
    block: usize,
    properties: usize,
    start: usize,
    position: Position,
) -> Option<ByteSpan> {
    let gap = Gap::read(text, from, properties, block);
    let mut comments = match position {
        Position::BlockItem { first, after_block } => gap.above_item(first, after_block),
        Position::BlockValue => gap.own_line_after_indicator(),
        Position::FlowItem => gap.own_line(),
        Position::Root | Position::FlowValue => return None,
    };
    if !position.is_flow() {
        comments.extend(Gap::read(text, properties, start, block).comments());
    }
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

/// Comments on lines that follow each other, which go-yaml keeps together
/// unless one stands left of the block collection at hand and of the first.
#[derive(Default)]
struct Run {
    lines: Vec<usize>,
    column: usize,
}

#[derive(Default)]
struct GapLine {
    comment: Option<ByteSpan>,
    /// Bytes before it in its line.
    comment_column: usize,
    /// `-` indicators before the comment.
    dashes: usize,
    /// Bytes before the first of them in its line.
    column: usize,
    /// Bytes before the last of them.
    last_column: usize,
    /// Anything else but white space: `:`, `,`.
    other: bool,
}

impl GapLine {
    fn span(&self) -> Option<ByteSpan> {
        self.comment
    }

    fn is_blank(&self) -> bool {
        self.comment.is_none() && self.dashes == 0 && !self.other
    }
}

impl Run {
    /// Takes in the comment of the line behind `lines`. Where it cannot belong
    /// to those before, they are the foot of what came earlier.
    fn take(&mut self, lines: &mut [GapLine], column: usize, indent: usize) {
        if !self.lines.is_empty() && column < indent && column != self.column {
            for line in self.lines.drain(..) {
                lines[line].comment = None;
            }
        }
        if self.lines.is_empty() {
            self.column = column;
        }
        self.lines.push(lines.len());
    }
}

/// Bytes before `at` in its line.
fn column_of(bytes: &[u8], at: usize) -> usize {
    let begin = memchr::memrchr2(b'\n', b'\r', &bytes[..at]);
    at - begin.map_or(0, |begin| begin + 1)
}

impl Gap {
    /// Reads `from..start`. `block` is where the innermost block collection
    /// begins that the token before stands in.
    fn read(text: &str, from: usize, start: usize, block: usize) -> Self {
        let bytes = text.as_bytes();
        let mut lines = Vec::new();
        let mut line = GapLine::default();
        let mut run = Run::default();
        let mut indent = column_of(bytes, block);
        let mut at = from;
        while at < start {
            match bytes[at] {
                b'\r' if bytes.get(at + 1) == Some(&b'\n') => {}
                b'\n' | b'\r' => {
                    if line.is_blank() {
                        run.lines.clear();
                    }
                    lines.push(std::mem::take(&mut line));
                }
                b'#' if at == from || bytes[at - 1].is_ascii_whitespace() => {
                    let end = end_of_line(bytes, at).min(start);
                    line.comment = Some(ByteSpan::new(at, end));
                    line.comment_column = column_of(bytes, at);
                    if !lines.is_empty() || line.dashes > 0 {
                        run.take(&mut lines, line.comment_column, indent);
                    }
                    at = end;
                    continue;
                }
                b'-' if bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => {
                    indent = column_of(bytes, at);
                    if line.dashes == 0 {
                        line.column = indent;
                    }
                    line.last_column = indent;
                    line.dashes += 1;
                    run.lines.clear();
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => line.other = true,
            }
            at += 1;
        }
        lines.push(line);
        Self { lines }
    }

    fn comments(&self) -> impl Iterator<Item = ByteSpan> {
        self.lines.iter().filter_map(|line| line.comment)
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

    /// The comment of `from..dash` that counts after a block collection: the last
    /// one, exactly above the `-` of the line `dash`, with no other right above
    /// it, which would make one text of both. `after_item` is that of
    /// [`Self::between`].
    fn alone_above(&self, from: usize, dash: usize, after_item: bool) -> Option<ByteSpan> {
        let lines: Vec<&GapLine> = self.between(from, dash, after_item).collect();
        let at = lines.iter().rposition(|line| line.comment.is_some())?;
        let is_beside = at > 0 && lines[at - 1].comment.is_some();
        let counts = lines[at].comment_column == self.lines[dash].column && !is_beside;
        lines[at].comment.filter(|_| counts)
    }

    /// Comments that go-yaml gives to the item behind the last `-`.
    fn above_item(&self, first: bool, after_block: bool) -> Vec<ByteSpan> {
        let Some(last) = self.lines.iter().rposition(|line| line.dashes > 0) else {
            return Vec::new();
        };
        let mut comments: Vec<ByteSpan> = self.lines[last].comment.into_iter().collect();
        // The last line is the one that the scalar stands on.
        comments.extend(
            self.between(last + 1, self.lines.len() - 1, true)
                .filter_map(GapLine::span),
        );
        let mut below = last;
        while self.lines[below].dashes == 1 {
            let above = self.lines[..below].iter().rposition(|line| line.dashes > 0);
            let Some(above) = above else {
                if after_block {
                    comments.extend(self.alone_above(1, below, !first));
                } else {
                    let all = self.between(1, below, !first);
                    comments.extend(all.filter_map(GapLine::span));
                }
                break;
            };
            let (ours, theirs) = (self.lines[last].column, self.lines[above].last_column);
            if theirs > ours {
                // It is in a sequence that has ended with an item without a
                // value: a block collection all the same.
                comments.extend(self.alone_above(above + 1, below, true));
                break;
            }
            let all = self.between(above + 1, below, true);
            comments.extend(all.filter_map(GapLine::span));
            comments.extend(self.lines[above].comment);
            if theirs < ours {
                // It opens ours, and what stands above belongs to that.
                break;
            }
            // An item without a value leaves its comments to the next.
            below = above;
        }
        comments
    }

    /// Comments on the lines `from..to`. After an item, those directly under it
    /// are its own when a blank line follows them.
    fn between(&self, from: usize, to: usize, after_item: bool) -> impl Iterator<Item = &GapLine> {
        let lines = self.lines.get(from..to).unwrap_or_default();
        let under = lines
            .iter()
            .take_while(|line| line.comment.is_some())
            .count();
        let is_foot = after_item && lines.get(under).is_some_and(GapLine::is_blank);
        lines[if is_foot { under } else { 0 }..].iter()
    }
}
