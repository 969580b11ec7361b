//! Where a text speaks of `imagepolicy`: few of its tokens are near one, and only
//! those are looked at for a comment.

use memchr::memmem;

use yaml_edit_spans::{ByteSpan, work};

/// What every marker holds, also one whose `$` is written as an escape.
pub const MARKER_STEM: &str = "imagepolicy";

/// Characters before `imagepolicy` in which its marker opens: `{`, blanks, a quote, a
/// dollar.
const LONGEST_OPENING: usize = 20;

/// A comment that speaks of `$imagepolicy` and belongs to no scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadMarker {
    /// Its first `imagepolicy`.
    pub offset: usize,
}

/// Where a text speaks of `imagepolicy`, and how far the reading has come.
pub(super) struct Mentions<'t> {
    text: &'t str,
    all: Vec<usize>,
    /// The first that no token has passed.
    next: usize,
    /// Where the line of that one begins; past the text where there is none.
    next_line: usize,
    /// The line that was last looked at for a comment.
    line: LineSeen,
}

/// How far a line was looked at: thousands of mentions may stand on one.
#[derive(Default)]
struct LineSeen {
    start: usize,
    upto: usize,
    has_hash: bool,
    /// A `$` behind that.
    has_dollar: bool,
    /// Nothing stands before the first `#`.
    is_comment: bool,
    /// How many `#` there are.
    hashes: usize,
}

impl<'t> Mentions<'t> {
    pub(super) fn of(text: &'t str, chunk: ByteSpan) -> Self {
        let found = memmem::find_iter(chunk.of(text).as_bytes(), MARKER_STEM);
        let mut mentions = Self {
            text,
            all: found.map(|at| chunk.start + at).collect(),
            next: 0,
            next_line: 0,
            line: LineSeen::default(),
        };
        mentions.note_line(0);
        mentions
    }

    /// Finds the line of the next one, where that at `known` is on the line
    /// found last.
    fn note_line(&mut self, known: usize) {
        self.next_line = match self.all.get(self.next) {
            Some(&at) => {
                let between = &self.text.as_bytes()[known..at];
                work::count(between.len());
                let found = memchr::memrchr2(b'\n', b'\r', between);
                found.map_or(self.next_line, |n| known + n + 1)
            }
            None => usize::MAX,
        };
    }

    /// Whether a `#` with a `$` behind it stands before `at` on its line, which
    /// begins at `next_line`.
    fn is_in_comment(&mut self, at: usize) -> bool {
        let line = &mut self.line;
        if line.start != self.next_line || line.upto > at {
            *line = LineSeen {
                start: self.next_line,
                upto: self.next_line,
                ..LineSeen::default()
            };
        }
        let mut piece = &self.text[line.upto..at];
        work::count(piece.len());
        line.hashes += memchr::memchr_iter(b'#', piece.as_bytes()).count();
        if !line.has_hash
            && let Some(hash) = piece.find('#')
        {
            line.has_hash = true;
            line.is_comment = line.upto == line.start && piece[..hash].trim().is_empty();
            piece = &piece[hash..];
        }
        line.has_dollar |= line.has_hash && piece.contains('$');
        line.upto = at;
        line.has_dollar
    }

    /// Whether whoever wrote the one at `at`, in the comment that was last looked at,
    /// meant a marker: prose speaks of it, too, and what is commented out together with
    /// its value is not missed.
    fn is_meant(&self, at: usize) -> bool {
        let line = &self.text[self.next_line..at];
        // A marker begins not far from there.
        let begin = line.char_indices().rev().nth(LONGEST_OPENING);
        let near = &line[begin.map_or(0, |(begin, _)| begin)..];
        let opening = near.strip_suffix("\"$").map(str::trim_end);
        let is_commented_out = self.line.is_comment && self.line.hashes > 1;
        opening.is_some_and(|opening| opening.ends_with('{')) && !is_commented_out
    }

    /// Whether the next one stands on a later line than a token that ends at
    /// `end`: then no comment of that token, or before it, speaks of anything.
    pub(super) fn is_far_from(&self, end: usize) -> bool {
        self.next_line > end
    }

    /// Whether there is none left.
    pub(super) fn is_done(&self) -> bool {
        self.next_line == usize::MAX
    }

    pub(super) fn is_in(&self, comment: ByteSpan) -> bool {
        let from = self.all.partition_point(|&at| at < comment.start);
        self.all.get(from).is_some_and(|&at| at < comment.end)
    }

    /// Leaves behind those before `end`: they were in keys, or in comments that
    /// belong to no scalar, which are noted.
    pub(super) fn pass(&mut self, end: usize, dead: &mut Vec<DeadMarker>) {
        while let Some(&at) = self.all.get(self.next).filter(|&&at| at < end) {
            if self.is_in_comment(at) && self.is_meant(at) {
                dead.push(DeadMarker { offset: at });
            }
            self.next += 1;
            self.note_line(at);
        }
    }

    /// Leaves behind those before `end`.
    pub(super) fn skip(&mut self, end: usize) {
        while let Some(&at) = self.all.get(self.next).filter(|&&at| at < end) {
            self.next += 1;
            self.note_line(at);
        }
    }
}
