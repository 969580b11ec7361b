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

    /// The same edit of what of its text stands behind the first `bytes`.
    #[must_use]
    pub fn moved_back(&self, bytes: usize) -> Self {
        let Self { span, text } = self;
        Self::new(span.start - bytes, span.end - bytes, text)
    }
}

/// Two edits that would change the same bytes: a bug of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two edits overlap at byte {0}")]
pub struct Overlap(pub usize);

/// A text with edits, not yet spliced: it takes no more memory than the edits
/// until somebody wants the whole.
#[derive(Clone, Debug)]
pub struct Patched<'t> {
    text: &'t str,
    edits: Vec<Edit>,
}

impl<'t> Patched<'t> {
    /// `text` as it is.
    #[must_use]
    pub fn unchanged(text: &'t str) -> Self {
        let edits = Vec::new();
        Self { text, edits }
    }

    /// `text` with `edits`; their order does not matter.
    ///
    /// # Errors
    /// When two edits overlap, or one lies outside the text.
    pub fn new(text: &'t str, mut edits: Vec<Edit>) -> Result<Self, Overlap> {
        edits.sort_by_key(|edit| edit.span);
        let mut at = 0;
        for edit in &edits {
            if text.get(at..edit.span.start).is_none() {
                return Err(Overlap(edit.span.start));
            }
            at = edit.span.end;
        }
        match text.get(at..) {
            Some(_) => Ok(Self { text, edits }),
            None => Err(Overlap(at)),
        }
    }

    /// The pieces of the new text, in order. Bytes that no edit covers come out
    /// as they went in.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.edits.iter().map(|edit| edit.span.end));
        let ends = self.edits.iter().map(|edit| edit.span.start);
        let kept = starts
            .zip(ends.chain(std::iter::once(self.text.len())))
            .map(|(start, end)| &self.text[start..end]);
        let put = self.edits.iter().map(|edit| edit.text.as_str());
        kept.zip(put.chain(std::iter::once("")))
            .flat_map(|(kept, put)| [kept, put])
    }

    /// The edits, in the order of the text.
    #[must_use]
    pub fn into_edits(self) -> Vec<Edit> {
        self.edits
    }
}

impl std::fmt::Display for Patched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
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
        let patched = Patched::new("a-c-b", edits.to_vec()).expect("no overlap");
        assert_eq!(patched.to_string(), "A-c-B!");
    }

    #[test]
    fn an_overlap_is_refused() {
        let edits = [Edit::new(0, 3, ""), Edit::new(2, 4, "")];
        assert_eq!(
            Patched::new("abcde", edits.to_vec()).err(),
            Some(Overlap(2))
        );
    }
}
