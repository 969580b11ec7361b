//! How much of somebody else's text a message repeats. A name, a pattern or a
//! value may be as long as a file, and stand in a message for each of thousands
//! of fields.

use std::borrow::Cow;

/// A longer name is none to Kubernetes, nor a longer path to a file system.
const LONGEST_NAME: usize = 4096;
/// Bytes of a whole message.
const LONGEST_MESSAGE: usize = 2000;

/// A text of at most so many bytes and a few: the middle of a longer one is left
/// out.
#[must_use]
pub(crate) fn at_most(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let from_end = text.len() - bytes / 3;
    let head = text.floor_char_boundary(bytes - bytes / 3);
    let tail = text.ceil_char_boundary(from_end);
    Cow::Owned(format!("{}…{}", &text[..head], &text[tail..]))
}

/// A name or a path.
#[must_use]
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    at_most(text, LONGEST_NAME)
}

/// A message.
#[must_use]
pub(crate) fn message(text: String) -> String {
    match at_most(&text, LONGEST_MESSAGE) {
        Cow::Owned(cut) => cut,
        Cow::Borrowed(_) => text,
    }
}

/// The first of a list of names, and how many more there are.
#[must_use]
pub(crate) fn list<T: std::fmt::Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    const MOST: usize = 10;
    let more = names.len().saturating_sub(MOST);
    let shown = |name: T| format!("`{}`", at_most(&name.to_string(), 200));
    let shown: Vec<String> = names.take(MOST).map(shown).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(at_most("abc", 3), "abc");
        assert_eq!(at_most("abcdefghi", 6), "abcd…hi");
        assert_eq!(at_most("üüüüü", 6), "üü…ü");
        assert_eq!(list([1, 2].iter()), "`1`, `2`");
        assert!(list([0; 12].iter()).ends_with("`0` and 2 more"));
    }
}
