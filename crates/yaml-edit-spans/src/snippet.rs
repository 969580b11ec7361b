//! The piece of a line that is shown beside an error, and no more of it: a line
//! may be a whole list of resources.

use super::ByteSpan;

/// So many characters of a line are shown at most.
const WIDTH: usize = 100;

/// A piece of a line with a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    text: String,
    before: usize,
}

impl Snippet {
    /// The line around byte `at` of `text`, as far as it lies in `within`.
    #[must_use]
    pub fn around(text: &str, within: ByteSpan, at: usize) -> Self {
        let at = at.clamp(within.start, within.end);
        let on_line = |c: &char| !matches!(c, '\n' | '\r');
        let left = text.get(within.start..at).unwrap_or_default();
        let left = left.chars().rev().take_while(on_line).take(WIDTH / 2);
        let (before, bytes) = left.fold((0, 0), |(n, bytes), c| (n + 1, bytes + c.len_utf8()));
        let right = text.get(at..within.end).unwrap_or_default();
        let right = right.chars().take_while(on_line).take(WIDTH - before);
        let end = at + right.map(char::len_utf8).sum::<usize>();
        super::work::count(end + bytes - at);
        let text = text.get(at - bytes..end).unwrap_or_default();
        Self {
            text: text.trim_end().to_owned(),
            before,
        }
    }

    /// The piece.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many of its characters stand before the place.
    #[must_use]
    pub fn before(&self) -> usize {
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_line_the_stretch_and_the_width() {
        let text = "one: ü\ntwo: [secret, x, y]\nthree";
        let at = text.find('x').expect("x");
        let whole = Snippet::around(text, ByteSpan::new(0, text.len()), at);
        assert_eq!((whole.text(), whole.before()), ("two: [secret, x, y]", 14));
        let part = Snippet::around(text, ByteSpan::new(at, at + 4), at);
        assert_eq!((part.text(), part.before()), ("x, y", 0));
        let long = "ä".repeat(1000);
        let cut = Snippet::around(&long, ByteSpan::new(0, 2000), 1000);
        assert_eq!((cut.text().chars().count(), cut.before()), (100, 50));
        let beyond = Snippet::around(text, ByteSpan::new(0, 3), 99);
        assert_eq!((beyond.text(), beyond.before()), ("one", 3));
    }
}
