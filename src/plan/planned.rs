//! What a run has planned for the files of a checkout: their new contents, and what
//! the commits of them need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::{CommitSpec, GitReference, Id, PushSpec};
use crate::finding::Location;
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::plan::takers::Selection;
use crate::plan::unreached::Unreached;
use crate::policy::reflect::ImageRef;
use crate::selection::tags::ImageLabels;
use yaml_edit_spans::patch::{Edit, Overlap, Patched};

/// A policy of a run: the number of its cluster, 0 where there are none, and its name.
pub type PolicyKey = (usize, Id);

/// What is to be written, and what happened.
#[derive(Debug, Default)]
pub struct Planned {
    /// Files and their new contents, in lexical order.
    pub replacements: Vec<Replacement>,
    /// What changes, and what else there is to know.
    pub outcome: Outcome,
    /// The automations that edit, in the order of their names; none where the
    /// user named PATHs.
    pub owners: Vec<Owner>,
    /// The image of every policy that changes something.
    pub images: BTreeMap<PolicyKey, ImageRef>,
    /// What those images say of themselves, where that was asked for.
    pub labels: BTreeMap<PolicyKey, ImageLabels>,
    /// Values that are to stay what they are, `None` where nobody knows; told only where
    /// the run has several clusters.
    pub kept: Vec<(Location, Option<String>)>,
    /// Markers that no automation comes to; told only where the run has several clusters.
    pub unreached: Vec<Unreached>,
    /// The clusters of the run, as folders from its root; none where documents are
    /// read as they lie.
    pub clusters: Vec<String>,
    /// The folder that patches are relative to: of the work tree, or else the
    /// one that the run is in.
    pub root: PathBuf,
}

impl Planned {
    /// A file's path from the work tree's root.
    #[must_use]
    pub fn inside<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// An automation that edits, and what its commit is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// Its name.
    pub id: Id,
    /// The cluster that it is of, where the run knows of clusters.
    pub cluster: Option<String>,
    /// Where it stands.
    pub location: Location,
    /// What its `update.path` names, which files in its message are relative
    /// to.
    pub base: PathBuf,
    /// The policies that it selects.
    pub selected: Selection,
    /// Author, message and its values.
    pub commit: CommitSpec,
    /// Where to push.
    pub push: Option<PushSpec>,
    /// What is checked out: `git.checkout.ref`, else the GitRepository's `ref`.
    pub checkout: Option<GitReference>,
}

/// A file that is to hold something else.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The file.
    pub path: PathBuf,
    /// What the outcome calls it.
    pub name: String,
    /// What the system said of it when it was read.
    pub status: FileStatus,
    /// What it was read as.
    pub old: Arc<str>,
    /// What is to change in it.
    pub edits: Vec<Edit>,
}

impl Replacement {
    /// What the file is to hold.
    ///
    /// # Errors
    /// Where the edits are none of the text.
    pub fn new_text(&self) -> Result<String, Overlap> {
        Patched::new(&self.old, self.edits.clone()).map(|patched| patched.to_string())
    }

    /// The folder that it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        path_name::folder(&self.path)
    }
}

/// What the system says of a file (stat(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Which file it is, and as what it was seen.
    pub identity: Identity,
    /// How many names it has.
    pub links: u64,
}

/// What tells a file from another, and from itself after somebody wrote to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Bytes that it holds.
    pub length: u64,
    /// When it was last written to: seconds since 1970, and nanoseconds.
    pub modified: (i64, i64),
    /// Its kind and its mode.
    pub mode: u32,
    /// Its owner's number, and its group's.
    pub owner: (u32, u32),
}

impl Identity {
    /// Which file it is, whatever it holds: its file system, and its number there.
    #[must_use]
    pub fn key(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}
