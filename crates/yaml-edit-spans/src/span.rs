//! The one type for a stretch of text: bytes, half-open.

use std::ops::Range;

/// Bytes `start..end` of a text; always on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSpan {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl ByteSpan {
    /// The bytes `start..end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// As a range for slicing.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The text it covers; empty where `text` is another text than it was made of.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether no byte is covered.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A position as people count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of byte `offset` of a text, which need not be UTF-8 from
    /// there on.
    #[must_use]
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self { line: 1, column: 1 }.further(before)
    }

    /// The place behind `text`, which begins here. A byte order mark takes no
    /// column, and a line ends at a line feed, a carriage return or both, as in
    /// YAML.
    #[must_use]
    pub fn further(self, text: &[u8]) -> Self {
        super::work::count(text.len());
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let is_alone = |at: &usize| text.get(at + 1) != Some(&b'\n');
        let alone = memchr::memchr_iter(b'\r', text).filter(is_alone).count();
        let breaks = memchr::memchr_iter(b'\n', text).count() + alone;
        let line = &text[memchr::memrchr2(b'\n', b'\r', text).map_or(0, |at| at + 1)..];
        let columns = String::from_utf8_lossy(line).chars().count();
        Self {
            line: self.line + breaks,
            column: if breaks == 0 { self.column } else { 1 } + columns,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
