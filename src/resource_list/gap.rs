//! What stands between two nodes of a text: comments, commas, anchors and tags.
//!
//! An edit of the envelope begins or ends there, and must neither land in a
//! comment nor part an anchor from its node. The gaps are read here once for
//! all edits; lines end at a line feed, a carriage return or both, as in YAML.

use yaml_edit_spans::ByteSpan;

/// The signs between two nodes, in order.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// Comments, from `#` to the end of the line.
    pub comments: Vec<Comment>,
    /// The first comma.
    pub comma: Option<usize>,
    /// Anchors and tags.
    pub properties: Vec<ByteSpan>,
    /// Behind the last sign that is not a comment; where the gap begins if there
    /// is none.
    pub signs_end: usize,
}

/// A comment in a gap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment {
    /// Its bytes.
    pub span: ByteSpan,
    /// No node and no sign stands before it on its line.
    pub has_own_line: bool,
}

impl Gap {
    /// Reads `from..to`, in which no node stands.
    #[must_use]
    pub(super) fn read(text: &str, from: usize, to: usize) -> Self {
        let bytes = text.as_bytes();
        let mut gap = Self {
            signs_end: from,
            ..Self::default()
        };
        // What stands before the gap is a node, or the sign of one.
        let mut is_line_begun = true;
        let mut at = from;
        while at < to {
            let start = at;
            match bytes[at] {
                b'\n' | b'\r' => is_line_begun = false,
                byte if byte.is_ascii_whitespace() => {}
                b'#' => {
                    at = end_of_line(text, at).min(to);
                    gap.comments.push(Comment {
                        span: ByteSpan::new(start, at),
                        has_own_line: !is_line_begun,
                    });
                    continue;
                }
                sign => {
                    at = match sign {
                        b'&' | b'!' => property_end(text, at).min(to),
                        _ => at + 1,
                    };
                    match sign {
                        b'&' | b'!' => gap.properties.push(ByteSpan::new(start, at)),
                        b',' if gap.comma.is_none() => gap.comma = Some(start),
                        _ => {}
                    }
                    is_line_begun = true;
                    gap.signs_end = at;
                    continue;
                }
            }
            at += 1;
        }
        gap
    }

    /// Where its first anchor or tag begins.
    #[must_use]
    pub(super) fn properties_start(&self) -> Option<usize> {
        self.properties.first().map(|property| property.start)
    }

    /// Where its last anchor or tag ends.
    #[must_use]
    pub(super) fn properties_end(&self) -> Option<usize> {
        self.properties.last().map(|property| property.end)
    }

    /// The first comment that has a line of its own.
    #[must_use]
    pub(super) fn own_line_comment(&self) -> Option<usize> {
        let mut own = self.comments.iter().filter(|comment| comment.has_own_line);
        own.next().map(|comment| comment.span.start)
    }
}

/// Where the anchor or tag ends that begins at `at`.
#[must_use]
pub(super) fn property_end(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let length = if rest.starts_with(b"!<") {
        rest.iter()
            .position(|byte| *byte == b'>')
            .map(|end| end + 1)
    } else {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b",[]{}".contains(byte);
        rest.iter().position(is_end)
    };
    at + length.unwrap_or(rest.len()).max(1)
}

/// The beginning of the line that `at` is on; behind a byte order mark.
#[must_use]
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at];
    match memchr::memrchr2(b'\n', b'\r', before) {
        Some(end) => end + 1,
        None if before.starts_with("\u{feff}".as_bytes()) => '\u{feff}'.len_utf8(),
        None => 0,
    }
}

/// The end of the line that `at` is on, before its line break.
#[must_use]
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    memchr::memchr2(b'\n', b'\r', rest).map_or(text.len(), |end| at + end)
}

/// The beginning of the line below the one that `at` is on.
#[must_use]
pub(super) fn next_line(text: &str, at: usize) -> usize {
    let end = end_of_line(text, at);
    let rest = &text[end..];
    end + if rest.starts_with("\r\n") {
        2
    } else {
        rest.len().min(1)
    }
}

/// The line break that a text is written with.
#[must_use]
pub(super) fn line_break(text: &str) -> &'static str {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_comments() {
        let text = "} # on the line\n  # own\n , &a#b !<x,y> # behind\n[";
        let gap = Gap::read(text, 1, text.len() - 1);
        let comments: Vec<(&str, bool)> = (gap.comments.iter())
            .map(|comment| (comment.span.of(text), comment.has_own_line))
            .collect();
        assert_eq!(
            comments,
            [
                ("# on the line", false),
                ("# own", true),
                ("# behind", false)
            ]
        );
        let properties: Vec<&str> = gap.properties.iter().map(|span| span.of(text)).collect();
        assert_eq!(properties, ["&a#b", "!<x,y>"]);
        assert_eq!(gap.comma.map(|at| &text[at..=at]), Some(","));
        assert_eq!(&text[gap.signs_end..gap.signs_end + 10], " # behind\n");
    }

    #[test]
    fn lines_end_as_in_yaml() {
        let text = "\u{feff}a\rb\r\nc\nd";
        let starts: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| line_start(text, at))
            .collect();
        assert_eq!(starts, [0, 3, 3, 5, 5, 7, 8, 8, 10].map(|at: usize| at));
        assert_eq!(next_line(text, 3), 5);
        assert_eq!(next_line(text, 5), 8);
        assert_eq!(next_line(text, 8), 10);
        assert_eq!(next_line(text, 10), 11);
        assert_eq!(line_break("a\r\nb\n"), "\r\n");
        assert_eq!(line_break("a\rb"), "\r");
        assert_eq!(line_break("a"), "\n");
    }
}
