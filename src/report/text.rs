//! What a person reads: findings on stderr, changes and diffs on stdout.
//!
//! Colours are written as escape sequences; the streams that this is printed
//! to take them out where nobody would see them.

use std::collections::HashMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::masked::masked;
use super::patch;
use crate::finding::{Code, Finding, Location, Severity};
pub use crate::foreign::shown as line;
use crate::foreign::{is_hidden, shown_lines};
use crate::path_name;
use crate::plan::outcome::{Change, Outcome};
use crate::plan::planned::Replacement;
use crate::resource_list::MASK;
use yaml_edit_spans::Snippet;
use yaml_edit_spans::patch::Overlap;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const BOLD: Style = Style::new().bold();

/// So many places of one cause are shown.
const PLACES: usize = 4;

/// Findings as a person reads them: what has one cause is said once, at the place of the
/// first, with the next few and how many more there are. With `lists_all` each is said.
#[must_use]
pub fn findings<'f>(findings: impl IntoIterator<Item = &'f Finding>, lists_all: bool) -> String {
    let findings = findings.into_iter();
    if lists_all {
        return findings.map(|one| finding(one, &[])).collect();
    }
    let mut order: Vec<Vec<&Finding>> = Vec::new();
    let mut numbers = HashMap::new();
    for one in findings {
        let next = order.len();
        let number = *numbers.entry(cause(one)).or_insert(next);
        match order.get_mut(number) {
            Some(alike) => alike.push(one),
            None => order.push(vec![one]),
        }
    }
    let said = order.iter().filter_map(|alike| {
        let (first, others) = alike.split_first()?;
        Some(finding(first, others))
    });
    said.collect()
}

/// What findings of one cause have in common: their words, but for names and places.
fn cause(finding: &Finding) -> (Severity, Code, String) {
    let mut words = String::new();
    let has_place = !finding.location.file.is_empty() || finding.location.line > 0;
    let is_own = match finding.code {
        Code::Outdated | Code::Downgrade => true,
        // Each says what is missing.
        Code::BuildFailed => finding.severity == Severity::Error,
        _ => false,
    };
    if is_own || !has_place {
        // Each is a matter of its own.
        let words = format!("{} {}", finding.location, finding.message);
        return (finding.severity, finding.code, words);
    }
    // What is missing stands in the hint.
    let hint = finding.hint.as_deref().unwrap_or_default();
    words.push_str(match finding.code {
        Code::UnknownVariable => hint,
        _ => "",
    });
    // Every other piece is a name.
    for piece in finding.message.split('`').step_by(2) {
        for word in piece.split_whitespace() {
            let is_name = word.starts_with("Image")
                || word.contains(['/', '@'])
                || word.contains(|c: char| c.is_ascii_digit());
            if !is_name {
                words.push_str(word);
                words.push(' ');
            }
        }
    }
    (finding.severity, finding.code, words)
}

/// A finding, with its place and its hint, and the places of `others` of one cause.
fn finding(finding: &Finding, others: &[&Finding]) -> String {
    let (style, word) = match finding.severity {
        Severity::Error => (ERROR, "error"),
        Severity::Warning => (WARNING, "warning"),
        Severity::Info => (NOTE, "info"),
    };
    let mut out = format!("{style}{word}{style:#}: {}", line(&finding.message));
    let location = &finding.location;
    out.push_str(&place("at", location));
    if let Some(piece) = &finding.snippet {
        out.push_str(&snippet(piece, location.line));
    }
    for other in others.iter().take(PLACES - 1) {
        out.push_str(&place("and at", &other.location));
        let subject = |one: &Finding| one.message.split('`').nth(1).map(str::to_owned);
        // The resource there is the subject itself.
        let is_there = |it: &str| {
            let resource = other.location.resource.as_ref();
            resource.is_some_and(|one| {
                let name = it.rsplit(':').next().unwrap_or_default();
                name == one.name && (it == name || other.message.starts_with(&*one.kind))
            })
        };
        let is_new = |it: &String| subject(finding).as_ref() != Some(it) && !is_there(it);
        if let Some(subject) = subject(other).filter(is_new) {
            _ = write!(out, " (`{}`)", line(&subject));
        }
    }
    if let Some(more) = others
        .len()
        .checked_sub(PLACES - 1)
        .filter(|more| *more > 0)
    {
        _ = write!(out, "\n  and {more} more; `-v` lists them");
    }
    if let Some(hint) = &finding.hint {
        _ = write!(out, "\n  {NOTE}hint{NOTE:#}: {}", line(hint));
    }
    out.push('\n');
    out
}

/// Where something is, on a line of its own; nothing where that is not known.
fn place(word: &str, location: &Location) -> String {
    let mut out = String::new();
    if !location.file.is_empty() || location.line > 0 {
        _ = write!(out, "\n  {word} {}", line(&location.to_string()));
    }
    let resource = location.resource.as_ref();
    if let Some(resource) = resource.filter(|resource| !resource.kind.is_empty()) {
        _ = write!(out, " in {}", line(&resource.kind));
        if !resource.name.is_empty() {
            _ = write!(out, " `{}`", line(&resource.name));
        }
        if !location.field.is_empty() {
            _ = write!(out, ", {}", line(&location.field));
        }
    }
    out
}

/// A text over as many lines as it needs, each from `indent` to `width` columns; the first
/// is begun.
pub fn flow(text: &str, (indent, width): (usize, usize), style: Style, out: &mut String) {
    let mut column = indent;
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count() + 1;
        if number > 0 && column + length > width + 1 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if number > 0 {
            out.push(' ');
        }
        column += length;
        _ = write!(out, "{style}{word}{style:#}");
    }
    out.push('\n');
}

/// A line of a document with a caret under the place.
fn snippet(piece: &Snippet, line: usize) -> String {
    let shown = |c: char| if is_hidden(c) { ' ' } else { c };
    let shown: String = piece.text().chars().map(shown).collect();
    let gutter = line.to_string();
    let pad = " ".repeat(piece.before());
    format!(
        "\n  {NOTE}{gutter} |{NOTE:#} {}\n  {NOTE}{} |{NOTE:#} {pad}{ERROR}^{ERROR:#}",
        crate::foreign::shown(shown.trim_end()),
        " ".repeat(gutter.len())
    )
}

/// One line for a change.
#[must_use]
pub fn change(change: &Change) -> String {
    format!(
        "{BOLD}{}{BOLD:#}  {REMOVED}{}{REMOVED:#} → {ADDED}{}{ADDED:#}  {}\n",
        line(&change.setter),
        line(&change.old),
        line(&change.new),
        line(&change.location.to_string())
    )
}

/// The last line: what was, or would be, done.
#[must_use]
pub fn summary(outcome: &Outcome, files: usize, written: bool) -> String {
    let plural = |n: usize, one: &str| {
        if n == 1 {
            format!("1 {one}")
        } else {
            format!("{n} {one}s")
        }
    };
    let changes = plural(outcome.changes.len(), "value");
    match (outcome.changes.len(), written) {
        (0, _) => "nothing to change\n".to_owned(),
        (_, true) => format!("changed {changes} in {}\n", plural(files, "file")),
        (_, false) => format!("would change {changes} in {}\n", plural(files, "file")),
    }
}

/// Who reads a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffReader {
    /// `git apply` and its like: every byte counts.
    Tool,
    /// A person, or the log of a CI system: no character may act.
    Person,
}

/// A unified diff; for a tool as `git apply` takes it. Values of Secrets and of
/// encrypted documents are `****` on every line, and what holds any is not a patch
/// that applies: a diff ends in logs. Patches that are to be applied are
/// [`patch::patches`].
///
/// # Errors
/// Edits that overlap: a bug.
pub fn diff(file: &Replacement, reader: DiffReader) -> Result<String, Overlap> {
    let shown = match crate::resource_list::read(&file.old) {
        Ok(outline) => masked(&file.old, &outline, &file.edits),
        // What was edited could be read; should it not be any more, nobody knows
        // what is in it.
        Err(_) => Some((MASK.to_owned(), MASK.to_owned())),
    };
    let path = path_name::bytes(&file.name);
    let path = path.strip_prefix(b"./").unwrap_or(&path);
    let text = match &shown {
        Some((old, new)) => patch::unified(path, old, new),
        None => patch::unified(path, &file.old, &file.new_text()?),
    };
    Ok(styled_diff(&text, reader))
}

/// The diff of a file that is new.
#[must_use]
pub fn created(name: &str, text: &str, reader: DiffReader) -> String {
    styled_diff(&patch::created(&path_name::bytes(name), text), reader)
}

fn styled_diff(text: &str, reader: DiffReader) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        let style = match body.as_bytes().first() {
            _ if body.starts_with("---") || body.starts_with("+++") => BOLD,
            Some(b'-') => REMOVED,
            Some(b'+') => ADDED,
            Some(b'@') => NOTE,
            _ => Style::new(),
        };
        let shown = match reader {
            DiffReader::Tool => body.to_owned(),
            DiffReader::Person => {
                let parts: Vec<String> = body.split('\t').map(shown_lines).collect();
                parts.join("\t")
            }
        };
        _ = write!(out, "{style}{shown}{style:#}");
        out.push('\n');
    }
    out
}
