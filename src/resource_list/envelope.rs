//! The ResourceList around the items: adding results to it.
//!
//! All of it by inserting bytes; what is not meant stays as it is, whatever
//! style the list is written in.

use std::fmt::Write as _;

use serde_json::Value;

use super::gap::{Gap, end_of_line, line_break, line_start, next_line};
use super::outline::{Document, EnvelopePart, List, Null};
use super::removal::{aliases, anchors};
use crate::foreign::json;
use yaml_edit_spans::patch::Edit;

/// Versions of the envelope that are read.
pub const VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha1"];

/// Results that cannot be added, since an alias repeats them elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`results` cannot be added to, since the alias `*{0}` repeats them elsewhere")]
pub struct Aliased(String);

/// Results in the making: one for each change and each finding.
struct Results<'r> {
    text: &'r str,
    entries: &'r [Value],
}

/// The edits that add `entries`, JSON objects, to the results of a ResourceList.
///
/// # Errors
/// Where something else in the text would change with them.
pub fn add_results(
    text: &str,
    list: &Document<'_>,
    entries: &[Value],
) -> Result<Vec<Edit>, Aliased> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let new = Results { text, entries };
    let edit = match &list.envelope.results {
        EnvelopePart::List(results) => {
            refuse_alias(text, results.behind_key, results.span.start)?;
            new.in_list(results)
        }
        EnvelopePart::Null(null) => {
            refuse_alias(text, null.key_end, null.span.start)?;
            new.in_place_of_null(null, list)
        }
        // Refused before anything is done.
        EnvelopePart::Other(_) => return Ok(Vec::new()),
        EnvelopePart::Absent if list.envelope.flow => new.in_braces(list),
        EnvelopePart::Absent => new.below(list),
    };
    Ok(vec![edit])
}

/// Refuses an anchor between `from` and `to` that an alias names.
fn refuse_alias(text: &str, from: usize, to: usize) -> Result<(), Aliased> {
    let mut names = anchors(&text[from.min(to)..to]);
    match names.find(|name| aliases(text, name).next().is_some()) {
        Some(name) => Err(Aliased(name.to_owned())),
        None => Ok(()),
    }
}

impl Results<'_> {
    /// All of them, in one line and without brackets.
    fn in_one_line(&self) -> String {
        let entries: Vec<String> = self.entries.iter().map(json).collect();
        entries.join(", ")
    }

    /// As items of a block sequence, each line after `indent` spaces.
    fn in_block(&self, indent: usize) -> String {
        let mut block = String::new();
        for entry in self.entries {
            write_block(entry, &mut block, indent);
        }
        block.replace('\n', line_break(self.text))
    }

    /// In front of those that are there.
    fn in_list(&self, results: &List) -> Edit {
        let start = results.span.start;
        if results.flow {
            let separator = if results.is_empty { "" } else { ", " };
            let inserted = format!("{}{separator}", self.in_one_line());
            return self.inserted(start + 1, inserted);
        }
        // Behind an explicit `:` the first dash shares its line, and takes its
        // place after ours.
        let line = line_start(self.text, start);
        let indent = start - line;
        let block = self.in_block(indent);
        if self.text[line..start].bytes().all(|byte| byte == b' ') {
            return Edit::new(line, line, block);
        }
        let block = format!("{}{}", block.trim_start_matches(' '), " ".repeat(indent));
        Edit::new(start, start, block)
    }

    fn in_place_of_null(&self, null: &Null, list: &Document<'_>) -> Edit {
        let results = format!("[{}]", self.in_one_line());
        if !null.span.is_empty() {
            return Edit::new(null.span.start, null.span.end, results);
        }
        if null.has_colon {
            return self.inserted(null.span.start, format!(" {results}"));
        }
        // `{results}` or `? results`, without a `:`.
        let lead = if list.envelope.flow {
            " ".to_owned()
        } else {
            let indent = self.indent_of(list);
            format!("{}{}", line_break(self.text), " ".repeat(indent))
        };
        self.inserted(null.key_end, format!("{lead}: {results}"))
    }

    /// As the last key of a mapping in braces.
    fn in_braces(&self, list: &Document<'_>) -> Edit {
        let close = list.root.span.end - 1;
        let gap = Gap::read(self.text, list.envelope.inner_end, close);
        let at = gap.signs_end;
        let before = &self.text[..at];
        let separator = if before.ends_with(',') { " " } else { ", " };
        self.inserted(
            at,
            format!("{separator}\"results\": [{}]", self.in_one_line()),
        )
    }

    /// As the last key of a block mapping. A line break added at the end could
    /// become part of a last block scalar, so without one it is the first.
    fn below(&self, list: &Document<'_>) -> Edit {
        let indent = self.indent_of(list);
        let block = self.in_block(indent);
        let pad = " ".repeat(indent);
        let block = format!("{pad}results:{}{block}", line_break(self.text));
        let end = end_of_document(self.text, list.root.span.end);
        let at = if self.text[..end].ends_with(['\n', '\r']) {
            end
        } else {
            line_start(self.text, list.root.span.start)
        };
        Edit::new(at, at, block)
    }

    /// An insertion that no comment behind it may become a part of.
    fn inserted(&self, at: usize, mut inserted: String) -> Edit {
        if self.text[at..].starts_with('#') {
            inserted.push(' ');
        }
        Edit::new(at, at, inserted)
    }

    /// The spaces before the keys of the root. Its first key may have an anchor
    /// or stand behind a `?`.
    fn indent_of(&self, list: &Document<'_>) -> usize {
        let line = &self.text[line_start(self.text, list.root.span.start)..];
        line.len() - line.trim_start_matches(' ').len()
    }
}

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
                    _ = writeln!(out, "{pad}    {key}: {}", json(value));
                }
            }
            value => _ = writeln!(out, "{pad}{lead}{key}: {}", json(value)),
        }
    }
}

/// Where the document ends whose content ends at `content_end`: before the
/// next `---` or `...`, or at the end of the text.
fn end_of_document(text: &str, content_end: usize) -> usize {
    let mut at = if text[..content_end].ends_with(['\n', '\r']) {
        content_end
    } else {
        next_line(text, end_of_line(text, content_end))
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
