//! Unified diffs, and one patch for each commit of a run, as `git apply` takes
//! them one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;

use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, TextDiff};

use super::stored::{Form, Forms};
use crate::commit::commits::{Commit, slug};
use crate::path_name;
use crate::plan::edits;
use crate::plan::planned::{Planned, Replacement};
use yaml_edit_spans::patch::{Edit, Overlap, Patched};
use yaml_edit_spans::work;

/// A unified diff with three lines around each change. Lines end at line feeds
/// and nowhere else, as git counts them. The file's path is bytes, as git has it.
#[must_use]
pub fn unified(path: &[u8], old: &str, new: &str) -> String {
    let mut out = head(path);
    hunks(old, new, 0, &mut out);
    out
}

/// A unified diff of a file that is new.
#[must_use]
pub fn created(path: &[u8], text: &str) -> String {
    let mut out = format!("--- /dev/null\n+++ {}\n", header("b", path));
    hunks("", text, 0, &mut out);
    out
}

/// The lines that say which file it is.
fn head(path: &[u8]) -> String {
    let shown = |side: &str| {
        let path = header(side, path);
        // git takes what is behind a blank for a time, but for a tab.
        let end = if path.contains(' ') && !path.starts_with('"') {
            "\t"
        } else {
            ""
        };
        path + end
    };
    format!("--- {}\n+++ {}\n", shown("a"), shown("b"))
}

/// Lines that stand around a change.
const CONTEXT: usize = 3;

/// The hunks between two texts that stand behind the first `skipped` lines of a
/// file.
fn hunks(old: &str, new: &str, skipped: usize, out: &mut String) {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (before, after) = (lines(old), lines(new));
    work::count(before.len());
    let diff = TextDiff::from_slices(&before, &after);
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let moved = |op: &DiffOp| {
            let (old, new) = (op.old_range(), op.new_range());
            DiffOp::Replace {
                old_index: old.start + skipped,
                old_len: old.len(),
                new_index: new.start + skipped,
                new_len: new.len(),
            }
        };
        let ops: Vec<DiffOp> = hunk.ops().iter().map(moved).collect();
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}", UnifiedHunkHeader::new(&ops));
        for change in hunk.iter_changes() {
            _ = write!(out, "{}{}", change.tag(), change.value());
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
}

/// A path as git writes it in a patch: in quotes where it must be.
fn header(side: &str, path: &[u8]) -> String {
    let path = [side.as_bytes(), b"/", path].concat();
    let is_plain = |c: char| !(c.is_control() || c == '"' || c == '\\');
    match str::from_utf8(&path) {
        Ok(text) if text.chars().all(is_plain) => text.to_owned(),
        _ => path_name::quoted(&path),
    }
}

/// The files that a commit is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The name of all its files, without what tells them apart; they sort in
    /// the order in which the patches apply.
    pub stem: String,
    /// The patch, from the root of the work tree.
    pub patch: String,
    /// The message.
    pub message: Option<String>,
    /// The branch.
    pub branch: Option<String>,
}

/// A file on its way through the patches.
struct Progress<'f> {
    text: &'f str,
    /// Where each line ends, behind its line feed.
    ends: Vec<usize>,
    /// Whether every edit stands in a line and leaves it one.
    keeps_lines: bool,
    applied: BTreeSet<Edit>,
}

impl<'f> Progress<'f> {
    fn of(text: &'f str, edits: &[Edit]) -> Self {
        let mut ends: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes())
            .map(|at| at + 1)
            .collect();
        if !text.is_empty() && !text.ends_with('\n') {
            ends.push(text.len());
        }
        let keeps_line = |edit: &Edit| {
            let gone = text.get(edit.span.start..edit.span.end);
            !edit.text.contains('\n') && gone.is_some_and(|gone| !gone.contains('\n'))
        };
        Self {
            text,
            ends,
            keeps_lines: edits.iter().all(keeps_line),
            applied: BTreeSet::new(),
        }
    }

    /// Applies more edits, and writes the hunks. Only lines around them are looked
    /// at: there may be as many patches of one file as changes in it.
    fn apply(&mut self, mut edits: Vec<Edit>, form: Form, out: &mut String) -> Result<(), Overlap> {
        edits.sort();
        for window in self.windows(&edits) {
            let start = window
                .start
                .checked_sub(1)
                .map_or(0, |line| self.ends[line]);
            let end = window.end.checked_sub(1).map_or(0, |line| self.ends[line]);
            let inside = |edit: &&Edit| edit.span.start >= start && edit.span.end <= end;
            let before = self.applied.range(Edit::new(start, start, "")..);
            let before = before.take_while(inside);
            let mut applied: Vec<Edit> = before.map(|edit| edit.moved_back(start)).collect();
            let text = &self.text[start..end];
            let old = Patched::new(text, applied.clone())?.to_string();
            let from = edits.partition_point(|edit| edit.span.start < start);
            let now = edits[from..].iter().take_while(inside);
            applied.extend(now.map(|edit| edit.moved_back(start)));
            let new = Patched::new(text, applied)?.to_string();
            hunks(&form.of_text(&old), &form.of_text(&new), window.start, out);
        }
        self.applied.extend(edits);
        Ok(())
    }

    /// The lines around some edits, which are in the order of the text.
    fn windows(&self, edits: &[Edit]) -> Vec<Range<usize>> {
        let all = self.ends.len();
        let mut windows: Vec<Range<usize>> = Vec::new();
        for edit in edits {
            let line = self.ends.partition_point(|end| *end <= edit.span.start);
            // An edit at the very end stands in the last line.
            let line = line.min(all.saturating_sub(1));
            let window = if self.keeps_lines {
                line.saturating_sub(CONTEXT)..all.min(line + CONTEXT + 1)
            } else {
                0..all
            };
            match windows.last_mut() {
                Some(last) if window.start <= last.end => last.end = window.end,
                _ => windows.push(window),
            }
        }
        windows
    }
}

/// The patches of a run, each on top of those before it, made of what git stores:
/// `forms` names the files whose form in the work tree is another.
///
/// # Errors
/// Edits that are none of their text: a bug.
pub fn patches(
    planned: &Planned,
    commits: &[Commit],
    forms: &Forms,
) -> Result<Vec<Patch>, Overlap> {
    let by_name: BTreeMap<&str, &Replacement> = planned
        .replacements
        .iter()
        .map(|file| (file.name.as_str(), file))
        .collect();
    let mut progress: BTreeMap<&str, Progress<'_>> = BTreeMap::new();
    let width = commits.len().to_string().len().max(2);
    let mut patches = Vec::with_capacity(commits.len());
    for (number, commit) in (1..).zip(commits) {
        let mut edits: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        for change in commit
            .changes
            .iter()
            .map(|at| &planned.outcome.changes[*at])
        {
            if let Some(file) = by_name.get(change.location.file.as_str()) {
                let of_change = edits::edits_of(&file.edits, change);
                let known = edits.entry(file.name.as_str()).or_default();
                known.extend_from_slice(of_change);
            }
        }
        let mut patch = String::new();
        for (name, edits) in edits {
            let Some(file) = by_name.get(name) else {
                continue;
            };
            let known = progress.entry(name);
            let known = known.or_insert_with(|| Progress::of(&file.old, &file.edits));
            let path = planned.inside(&file.path).as_os_str().as_bytes();
            let (a, b) = (header("a", path), header("b", path));
            _ = writeln!(patch, "diff --git {a} {b}");
            let form = forms.get(name).copied().unwrap_or_default();
            patch.push_str(&head(path));
            known.apply(edits, form, &mut patch)?;
        }
        let owner = commit.owner.and_then(|owner| planned.owners.get(owner));
        let whose = owner.map(|owner| format!("{}-{}", owner.id.namespace, owner.id.name));
        let names = [whose, commit.part.clone()];
        let names: Vec<String> = names
            .into_iter()
            .flatten()
            .map(|name| slug(&name))
            .collect();
        let name = if names.is_empty() {
            "changes".to_owned()
        } else {
            names.join("-")
        };
        let name: String = name.chars().take(100).collect();
        patches.push(Patch {
            stem: format!("{number:0width$}-{name}"),
            patch,
            message: commit.message.clone(),
            branch: commit.push.as_ref().map(|push| push.branch.clone()),
        });
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of lines around the edits alone come the hunks that the whole text gives.
    #[test]
    fn hunks_are_those_of_the_whole_text() {
        let lines: Vec<String> = (0..40).map(|line| format!("line {line}: 1")).collect();
        for (end, put) in [("\n", "2"), ("\r\n", "2"), ("\n", "2\nmore")] {
            for is_ended in [true, false] {
                let mut text = lines.join(end);
                text.push_str(if is_ended { end } else { "" });
                let edit = |line: usize| {
                    let at = text.find(&format!("line {line}:")).expect("a line");
                    let at = at + format!("line {line}: ").len();
                    Edit::new(at, at + 1, put)
                };
                // A fixed walk that comes to every line.
                let walk: Vec<usize> = (0..40).map(|step| (step * 27 + 5) % 40).collect();
                for size in 1..6 {
                    let commits: Vec<Vec<Edit>> = walk
                        .chunks(size)
                        .map(|lines| lines.iter().map(|line| edit(*line)).collect())
                        .collect();
                    let mut progress = Progress::of(&text, &commits.concat());
                    let mut done = Vec::new();
                    for edits in commits {
                        let old = Patched::new(&text, done.clone()).expect("edits");
                        done.extend(edits.iter().cloned());
                        let new = Patched::new(&text, done.clone()).expect("edits");
                        let mut out = head(b"a");
                        let form = Form::default();
                        progress.apply(edits, form, &mut out).expect("edits");
                        assert_eq!(out, unified(b"a", &old.to_string(), &new.to_string()));
                    }
                }
            }
        }
    }
}
