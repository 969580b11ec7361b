//! Which bytes of a text hold what nobody is to see: Secrets, wherever they
//! stand, and documents that are encrypted with SOPS.
//!
//! Whoever prints a value, a line or a diff asks here first. What counts is the
//! shape, not the depth: a Secret in a List, in the items of a ResourceList or
//! inside another resource is one all the same. What is no Secret to Kubernetes,
//! such as a SealedSecret or an ExternalSecret, is not concealed; its values are
//! encrypted or stand elsewhere.

use yaml_edit_spans::ByteSpan;
use yaml_edit_spans::walk::{Collection, Frame};

/// What is printed in the place of a value that nobody is to see.
pub const MASK: &str = "****";

/// A value that nobody is to see but a message's template, which shows what Flux's
/// would.
#[derive(Clone, PartialEq, Eq)]
pub struct Unshown(String);

impl Unshown {
    /// Keeps a value from being printed.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Unshown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(MASK)
    }
}

/// So many bytes of comments are looked through; what is farther counts as near.
const FAR: usize = 1 << 14;

/// Whether a line is a comment, or empty but for what begins a document or an element.
fn is_comment(line: &str) -> bool {
    let said = line.trim_start_matches([' ', '\t', '-']);
    said.trim_end().is_empty() || said.starts_with('#')
}

/// How far back the comments begin that stand before a resource, behind anything else; `head`
/// is the text up to it.
#[must_use]
pub fn comments_before(head: &str) -> usize {
    let lines = head.split_inclusive(['\n', '\r']).rev();
    let is_end = |line: &str| line.trim_end() == "...";
    lines
        .take_while(|line| is_comment(line) || is_end(line))
        .map(str::len)
        .sum()
}

/// How far the comments reach that stand behind a resource, before anything else:
/// what they speak of may be its last value.
#[must_use]
pub fn comments_behind(rest: &str) -> usize {
    let lines = rest.split_inclusive(['\n', '\r']);
    lines
        .take_while(|line| {
            let said = line.trim_start();
            said.is_empty() || said.starts_with('#')
        })
        .map(str::len)
        .sum()
}

/// Stretches of a text that hold values of Secrets; in the order of the text,
/// none in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concealed(Vec<ByteSpan>);

impl Concealed {
    /// Whether a stretch lies in a Secret.
    #[must_use]
    pub fn covers(&self, span: ByteSpan) -> bool {
        let after = self.0.partition_point(|one| one.start <= span.start);
        after > 0 && self.0[after - 1].covers(span)
    }

    /// Whether a stretch holds a byte of a Secret.
    #[must_use]
    pub fn touches(&self, span: ByteSpan) -> bool {
        let first = self.0.partition_point(|one| one.end <= span.start);
        self.0.get(first).is_some_and(|one| one.start < span.end)
    }

    /// Whether a line of the text is not to be shown: it holds a byte of a Secret, or is one of
    /// the comments right before or behind one, which may speak of its values.
    #[must_use]
    pub fn hides(&self, text: &str, line: ByteSpan) -> bool {
        if self.touches(line) {
            return true;
        }
        let next = self.0.partition_point(|one| one.end <= line.start);
        let last = next.checked_sub(1).and_then(|last| self.0.get(last));
        let is_near = |from: usize, to: usize| {
            let between = text.get(from..to).unwrap_or_default();
            between.len() > FAR || between.split_inclusive(['\n', '\r']).all(is_comment)
        };
        let is_behind = last.is_some_and(|last| is_near(last.end, line.end));
        let is_before = self
            .0
            .get(next)
            .is_some_and(|next| is_near(line.start, next.start));
        let is_comment = text.get(line.start..line.end).is_some_and(is_comment);
        is_comment && (is_behind || is_before)
    }

    /// The stretches, in the order of the text.
    #[must_use]
    pub fn spans(&self) -> &[ByteSpan] {
        &self.0
    }

    /// Adds a stretch that ends behind all others; it may cover the last ones.
    pub(super) fn add(&mut self, span: ByteSpan) {
        while self.0.last().is_some_and(|last| span.covers(*last)) {
            self.0.pop();
        }
        self.0.push(span);
    }

    /// Adds those of a later chunk of the text.
    pub(super) fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }
}

/// The open collections of a text that is being read, and what their keys say.
#[derive(Debug, Default)]
pub(super) struct Watch {
    open: Vec<Seen>,
}

/// What was seen of a mapping.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// `kind: Secret`, or an alias, which may stand for that.
    is_named: bool,
    /// Any `kind`.
    has_kind: bool,
    /// `<<`: its kind may be another mapping's.
    merges: bool,
    /// `data` or `stringData`.
    has_values: bool,
    /// `metadata`; what only refers to a Secret has none.
    has_metadata: bool,
}

impl Seen {
    fn is_secret(self) -> bool {
        let is_it = self.is_named && (self.has_values || self.has_metadata);
        is_it || (self.merges && !self.has_kind && self.has_values)
    }

    /// Notes a key; `value` is what stands under it, `None` for a collection
    /// or an alias.
    fn note(&mut self, key: &str, value: Option<&str>, is_alias: bool) {
        match key {
            "kind" => {
                self.has_kind = true;
                self.is_named |= is_alias || value == Some("Secret");
            }
            "<<" => self.merges = true,
            "data" | "stringData" => self.has_values = true,
            "metadata" => self.has_metadata = true,
            _ => {}
        }
    }
}

/// Whether a scalar in the last of `frames` is a kustomization's patch of a Secret, written
/// as a text.
pub(super) fn patches_secret<'v>(
    frames: &[Frame<'_>],
    text: impl FnOnce() -> Option<std::borrow::Cow<'v, str>>,
) -> bool {
    let key = |number: usize| frames.get(number).and_then(|frame| frame.key.as_deref());
    let is_patch = match frames.len() {
        2 => key(0) == Some("patchesStrategicMerge"),
        3 => matches!(key(0), Some("patches" | "patchesJson6902")) && key(2) == Some("patch"),
        _ => false,
    };
    let is_secret = |text: std::borrow::Cow<'_, str>| {
        let mut kinds = text
            .match_indices("kind")
            .map(|(at, kind)| &text[at + kind.len()..]);
        kinds.any(|rest| {
            let rest = rest.trim_start_matches(['"', '\'', ' ', ':']);
            rest.starts_with("Secret")
        })
    };
    is_patch && text().is_some_and(is_secret)
}

impl Watch {
    /// A document begins.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// A collection begins, which is the last of `frames`.
    pub(super) fn enter(&mut self, frames: &[Frame<'_>]) {
        if let Some((_, above)) = frames.split_last() {
            self.note(above, false, || None);
        }
        self.open.push(Seen::default());
    }

    /// A scalar or an alias stands in the last of `frames`.
    pub(super) fn note<'v>(
        &mut self,
        frames: &[Frame<'_>],
        is_alias: bool,
        value: impl FnOnce() -> Option<std::borrow::Cow<'v, str>>,
    ) {
        let (Some(frame), Some(seen)) = (frames.last(), self.open.last_mut()) else {
            return;
        };
        let (Collection::Mapping, Some(key)) = (frame.kind, frame.key.as_deref()) else {
            return;
        };
        let value = if key == "kind" { value() } else { None };
        seen.note(key, value.as_deref(), is_alias);
    }

    /// A collection ends; the answer is whether it was a Secret. `frames` are
    /// those that stay open.
    pub(super) fn leave(&mut self, frames: &[Frame<'_>]) -> bool {
        let is_secret = self.open.pop().is_some_and(Seen::is_secret);
        // What kustomize makes Secrets of.
        let generates =
            || matches!(frames, [root] if root.key.as_deref() == Some("secretGenerator"));
        is_secret || generates()
    }
}
