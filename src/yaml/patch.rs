//! Edits of a text: spans and what replaces them, spliced in one pass.

use super::ByteSpan;

/// A stretch of text and its replacement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The bytes that go.
    pub span: ByteSpan,
    /// What comes in their place.
    pub text: String,
}

impl Edit {
    /// Replaces `start..end` by `text`.
    #[must_use]
    pub fn new(start: usize, end: usize, text: impl Into<String>) -> Self {
        Self {
            span: ByteSpan::new(start, end),
            text: text.into(),
        }
    }
}

/// Two edits that would change the same bytes: a bug of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two edits overlap at byte {0}")]
pub struct Overlap(pub usize);

/// `text` with `edits` applied; their order does not matter. Bytes that no
/// edit covers come out as they went in.
///
/// # Errors
/// When two edits overlap, or one lies outside the text.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, Overlap> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| edit.span);
    let added: usize = sorted.iter().map(|edit| edit.text.len()).sum();
    let mut out = String::with_capacity(text.len() + added);
    let mut at = 0;
    for edit in sorted {
        let kept = text
            .get(at..edit.span.start)
            .ok_or(Overlap(edit.span.start))?;
        out.push_str(kept);
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..).ok_or(Overlap(at))?);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_in_any_order() {
        let edits = [
            Edit::new(4, 5, "B"),
            Edit::new(0, 1, "A"),
            Edit::new(5, 5, "!"),
        ];
        assert_eq!(apply("a-c-b", &edits), Ok("A-c-B!".to_owned()));
    }

    #[test]
    fn an_overlap_is_refused() {
        let edits = [Edit::new(0, 3, ""), Edit::new(2, 4, "")];
        assert_eq!(apply("abcde", &edits), Err(Overlap(2)));
    }
}
