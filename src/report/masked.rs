//! A text as it may be shown: its Secrets and encrypted documents without their
//! values. Their names and keys stay, and so do the lines, so that a diff of it
//! shows where something changes.

use crate::binding::marker::{self, Comment};
use crate::resource_list::{Concealed, MASK, Outline, comments_before, comments_behind};
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::walk::{Frame, Step, Walk, by_either};
use yaml_edit_spans::{ByteSpan, SyntaxError};

/// A text before and after `edits`, as they may be shown; `None` where nothing in
/// it is concealed. What the edits write is shown.
#[must_use]
pub(super) fn masked(
    text: &str,
    outline: &Outline<'_>,
    edits: &[Edit],
) -> Option<(String, String)> {
    let concealed = &outline.concealed;
    if concealed.spans().is_empty() {
        return None;
    }
    let masks = masks(text, concealed);
    let mut after: Vec<Edit> = edits.to_vec();
    after.sort();
    let edited = after.clone();
    let is_free = |mask: &&Edit| {
        let next = edited.partition_point(|edit| edit.span.end <= mask.span.start);
        edited
            .get(next)
            .is_none_or(|edit| edit.span.start >= mask.span.end)
    };
    after.extend(masks.iter().filter(is_free).cloned());
    let whole = |edits| Patched::new(text, edits).map(|patched| patched.to_string());
    // Overlaps would be a bug; then nothing of the text is shown.
    let hidden = || MASK.to_owned();
    Some((
        whole(masks).unwrap_or_else(|_| hidden()),
        whole(after).unwrap_or_else(|_| hidden()),
    ))
}

/// What hides the values and comments, line by line.
fn masks(text: &str, concealed: &Concealed) -> Vec<Edit> {
    let mut masks = Vec::new();
    // It was read before; should it not be any more, all of it is hidden.
    let Ok(values) = by_either(text, |walk| values(walk, concealed)) else {
        for span in concealed.spans() {
            hide(text, *span, &mut masks);
        }
        return masks;
    };
    let mut last = 0;
    for span in concealed.spans() {
        let mut at = (span.start - comments_before(&text[..span.start])).max(last);
        let from = values.partition_point(|value| value.start < span.start);
        let inside = values[from..]
            .iter()
            .take_while(|value| value.end <= span.end);
        for value in inside {
            hide_comments(text, ByteSpan::new(at, value.start), &mut masks);
            hide(text, *value, &mut masks);
            at = at.max(value.end);
        }
        let end = span.end + comments_behind(&text[span.end..]);
        hide_comments(text, ByteSpan::new(at, end), &mut masks);
        last = end;
    }
    masks
}

/// The values that are hidden, in the order of the text.
fn values(mut walk: Walk<'_>, concealed: &Concealed) -> Result<Vec<ByteSpan>, SyntaxError> {
    let mut values = Vec::new();
    while let Some(step) = walk.step()? {
        let Step::Value(value) = step else { continue };
        if concealed.covers(value.span) && !is_identity(walk.frames(), concealed) {
            values.push(value.span);
        }
    }
    Ok(values)
}

/// Whether the scalar at hand says which resource it is in: `apiVersion`, `kind`
/// or `type` of the concealed one, or its name or namespace.
fn is_identity(frames: &[Frame<'_>], concealed: &Concealed) -> bool {
    let starts = |frame: &Frame<'_>| {
        let spans = concealed.spans();
        let found = spans.binary_search_by_key(&frame.start, |span| span.start);
        found.is_ok()
    };
    let Some(root) = frames.iter().position(starts) else {
        return false;
    };
    let key = |at: usize| frames.get(at).and_then(|frame| frame.key.as_deref());
    match frames.len() - root {
        1 => matches!(key(root), Some("apiVersion" | "kind" | "type")),
        2 => key(root) == Some("metadata") && matches!(key(root + 1), Some("name" | "namespace")),
        _ => false,
    }
}

/// Hides what stands on each line of a value.
fn hide(text: &str, value: ByteSpan, masks: &mut Vec<Edit>) {
    let mut at = value.start;
    for line in value.of(text).split_inclusive(['\n', '\r']) {
        let said = line.trim();
        if !said.is_empty() {
            let start = at + line.len() - line.trim_start().len();
            masks.push(Edit::new(start, start + said.len(), MASK));
        }
        at += line.len();
    }
}

/// Hides comments between two values, but for markers.
fn hide_comments(text: &str, gap: ByteSpan, masks: &mut Vec<Edit>) {
    let mut at = gap.start;
    for line in gap.of(text).split_inclusive(['\n', '\r']) {
        let is_start = |found: &usize| {
            let before = text[..at + found].chars().next_back();
            before.is_none_or(char::is_whitespace)
        };
        let hash = line.match_indices('#').map(|(found, _)| found);
        if let Some(hash) = hash.into_iter().find(is_start) {
            let comment = line[hash..].trim_end();
            if comment.len() > 1 && !matches!(marker::read(comment), Comment::Marker(_)) {
                let start = at + hash;
                let hidden = format!("# {MASK}");
                masks.push(Edit::new(start, start + comment.len(), hidden));
            }
        }
        at += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_list;

    #[test]
    fn values_and_comments_go_and_lines_stay() {
        let text = "kind: Secret\nmetadata:\n  name: x # hunter1\n  annotations: {a: hunter2}\nstringData:\n  # hunter3\n  name: hunter4 # {\"$imagepolicy\": \"ns:app\"}\n  b: |\n    hunter5\n\n    hunter6\n---\na: b\n";
        let outline = resource_list::read(text).expect("YAML");
        let at = text.find("hunter4").expect("a value");
        let edits = [Edit::new(at, at + 7, "new")];
        let (old, new) = masked(text, &outline, &edits).expect("a Secret");
        let expected = "kind: Secret\nmetadata:\n  name: x # ****\n  annotations: {a: ****}\nstringData:\n  # ****\n  name: **** # {\"$imagepolicy\": \"ns:app\"}\n  b: |\n    ****\n\n    ****\n---\na: b\n";
        assert_eq!(old, expected);
        assert_eq!(new, expected.replace("name: **** #", "name: new #"));
        // Only the strict reader takes lines that end so.
        let text = text.replace('\n', "\r");
        let outline = resource_list::read(&text).expect("YAML");
        let (old, _) = masked(&text, &outline, &edits).expect("a Secret");
        assert_eq!(old, expected.replace('\n', "\r"));
        // What speaks of a marker and is none is a comment as any other.
        let text = "kind: Secret\nstringData: {a: b} # hunter1 $imagepolicy\n";
        let outline = resource_list::read(text).expect("YAML");
        let (old, _) = masked(text, &outline, &[]).expect("a Secret");
        assert_eq!(old, "kind: Secret\nstringData: {a: ****} # ****\n");
        // A Secret as a text in a kustomization.
        let text = "patches:\n- patch: |\n    kind: Secret\n    stringData: {a: hunter1}\n- patch: |\n    kind: Pod\n    a: b\n";
        let outline = resource_list::read(text).expect("YAML");
        let (old, _) = masked(text, &outline, &[]).expect("a Secret");
        assert!(!old.contains("hunter1") && old.contains("a: b"), "{old}");
        let other = resource_list::read("a: b").expect("YAML");
        assert_eq!(masked("a: b", &other, &[]), None);
    }
}
