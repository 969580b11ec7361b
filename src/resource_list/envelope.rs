//! The ResourceList around the items: adding results to it, taking items out.
//!
//! All of it by inserting or removing bytes; what is not meant stays as it is.

use std::fmt::Write as _;

use serde_json::Value;

use super::outline::{Document, Part};
use crate::yaml::patch::Edit;

/// Versions of the envelope that are read.
pub const VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha1"];

/// A result as a block sequence item, indented by `indent` spaces.
fn write_block(entry: &Value, out: &mut String, indent: usize) {
    let Value::Object(entry) = entry else {
        return;
    };
    let pad = " ".repeat(indent);
    for (index, (key, value)) in entry.iter().enumerate() {
        let lead = if index == 0 { "- " } else { "  " };
        match value {
            Value::Object(inner) => {
                _ = writeln!(out, "{pad}{lead}{key}:");
                for (key, value) in inner {
                    _ = writeln!(out, "{pad}    {key}: {value}");
                }
            }
            value => _ = writeln!(out, "{pad}{lead}{key}: {value}"),
        }
    }
}

/// The edits that add `entries`, JSON objects, to the results of a ResourceList.
#[must_use]
pub fn add_results(text: &str, list: &Document<'_>, entries: &[Value]) -> Vec<Edit> {
    if entries.is_empty() {
        return Vec::new();
    }
    let json = || {
        entries
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let block_of = |head: &str, indent: usize| {
        let mut block = head.to_owned();
        for entry in entries {
            write_block(entry, &mut block, indent);
        }
        block.replace('\n', newline)
    };
    match &list.envelope.results {
        Part::List(results) if results.flow => {
            let separator = if results.is_empty { "" } else { ", " };
            let at = results.span.start + 1;
            vec![Edit::new(at, at, format!("{}{separator}", json()))]
        }
        Part::List(results) => {
            let line = line_start(text, results.span.start);
            let indent = results.span.start - line;
            vec![Edit::new(line, line, block_of("", indent))]
        }
        Part::Null(span) => {
            let blank = if span.is_empty() { " " } else { "" };
            let list = format!("{blank}[{}]", json());
            vec![Edit::new(span.start, span.end, list)]
        }
        // Refused before anything is done.
        Part::Other(_) => Vec::new(),
        Part::Absent if list.envelope.flow => {
            let at = list.root.span.end - 1;
            let before = text[..at].trim_end_matches([' ', '\t', '\r', '\n']);
            let separator = if before.ends_with([',', '{']) {
                ""
            } else {
                ", "
            };
            let at = before.len();
            vec![Edit::new(
                at,
                at,
                format!("{separator}\"results\": [{}]", json()),
            )]
        }
        Part::Absent => {
            let indent = list.root.place.column - 1;
            let block = block_of(&format!("{}results:\n", " ".repeat(indent)), indent);
            let at = place_for_results(text, list);
            vec![Edit::new(at, at, block)]
        }
    }
}

/// Where a new key of the root may stand: at the end. A line break added there
/// could become part of a last block scalar, so without one it goes to the
/// front.
fn place_for_results(text: &str, list: &Document<'_>) -> usize {
    let end = end_of_document(text, list.root.span.end);
    if text[..end].ends_with('\n') {
        end
    } else {
        line_start(text, list.root.span.start)
    }
}

/// The edits that take the items at `gone` (ascending) out of the list.
#[must_use]
pub fn remove_items(text: &str, list: &Document<'_>, gone: &[usize]) -> Vec<Edit> {
    let (Some(items), false) = (list.envelope.items.list(), gone.is_empty()) else {
        return Vec::new();
    };
    let all = list.items.len();
    if gone.len() == all {
        let start = if items.flow {
            items.span.start
        } else {
            items.behind_key
        };
        let end = if items.flow {
            items.span.end
        } else {
            trimmed_end(text, items.span.end)
        };
        return vec![Edit::new(start, end, if items.flow { "[]" } else { " []" })];
    }
    let remove = |&index: &usize| {
        let item = &list.items[index];
        if items.flow {
            let next = list.items.get(index + 1);
            let (start, end) = match (next, index) {
                (Some(next), _) => (item.span.start, next.span.start),
                (None, 0) => (item.span.start, item.span.end),
                // The last of several: the comma before it goes too, from the
                // last item that stays.
                (None, _) => {
                    let kept = (0..index)
                        .rev()
                        .find(|i| !gone.contains(i))
                        .map_or(0, |i| list.items[i].span.end);
                    (
                        kept.max(list.items[index - 1].span.end.min(item.span.start)),
                        item.span.end,
                    )
                }
            };
            return Edit::new(start, end, "");
        }
        let start = line_start(text, item.dash);
        let end = match list.items.get(index + 1) {
            Some(next) => line_start(text, next.dash),
            None => next_line(text, trimmed_end(text, item.span.end)),
        };
        Edit::new(start, end, "")
    };
    gone.iter().map(remove).collect()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |n| n + 1)
}

fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

fn trimmed_end(text: &str, at: usize) -> usize {
    text[..at].trim_end_matches([' ', '\t', '\r', '\n']).len()
}

/// Where the document ends whose content ends at `content_end`: before the
/// next `---` or `...`, or at the end of the text.
fn end_of_document(text: &str, content_end: usize) -> usize {
    let mut at = if text[..content_end].ends_with('\n') {
        content_end
    } else {
        next_line(text, content_end)
    };
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("---") || rest.starts_with("...") {
            break;
        }
        at = next_line(text, at);
    }
    at
}
