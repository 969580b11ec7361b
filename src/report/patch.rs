//! Unified diffs, and one patch for each commit of a run, as `git apply` takes
//! them one after the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use similar::TextDiff;

use super::stored::Forms;
use crate::message::handoff::{HandOff, slug};
use crate::update::checkout::Planned;
use crate::update::files::Replacement;
use crate::update::path_name;
use crate::update::plan;
use crate::yaml::patch::{Edit, Overlap, Patched};

/// A unified diff with three lines around each change. Lines end at line feeds
/// and nowhere else, as git counts them. The file's path is bytes, as git has it.
#[must_use]
pub fn unified(path: &[u8], old: &str, new: &str) -> String {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (before, after) = (lines(old), lines(new));
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
    let mut out = format!("--- {}\n+++ {}\n", shown("a"), shown("b"));
    let diff = TextDiff::from_slices(&before, &after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}", hunk.header());
        for change in hunk.iter_changes() {
            _ = write!(out, "{}{}", change.tag(), change.value());
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
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

/// The patches of a run, each on top of those before it, made of what git stores:
/// `forms` names the files whose form in the work tree is another.
///
/// # Errors
/// Edits that are none of their text: a bug.
pub fn patches(
    planned: &Planned,
    commits: &[HandOff],
    forms: &Forms,
) -> Result<Vec<Patch>, Overlap> {
    let by_name: BTreeMap<&str, &Replacement> = planned
        .replacements
        .iter()
        .map(|file| (file.name.as_str(), file))
        .collect();
    let mut applied: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
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
                let of_change = plan::edits_of(&file.edits, change);
                let known = edits.entry(file.name.as_str()).or_default();
                known.extend_from_slice(of_change);
            }
        }
        let mut patch = String::new();
        for (name, edits) in edits {
            let Some(file) = by_name.get(name) else {
                continue;
            };
            let before = applied.entry(name).or_default();
            let old = Patched::new(&file.old, before.clone())?.to_string();
            before.extend(edits);
            let new = Patched::new(&file.old, before.clone())?.to_string();
            let path = planned.inside(&file.path).as_os_str().as_bytes();
            let (a, b) = (header("a", path), header("b", path));
            _ = writeln!(patch, "diff --git {a} {b}");
            let form = forms.get(name).copied().unwrap_or_default();
            patch.push_str(&unified(path, &form.of_text(&old), &form.of_text(&new)));
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
