//! What the user asked for, and why there may be nothing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use super::kustomize::NoBuilder;
use super::write::Interrupted;
use crate::api::{Id, OnUnresolved, TagSource};
use crate::binding::bindings::BindingConfig;
use crate::cluster::flux::SourceKey;
use crate::finding::{Code, Finding};
use crate::path_name;
use crate::selection::only::{NoTarget, Only};
use crate::selection::registry_queries::Query;
use crate::selection::resolve::{Refresh, Sources};
use crate::selection::tags::Freshness;

/// A text with documents that a flag names.
#[derive(Clone, Debug)]
pub struct GivenText {
    /// What findings call it.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Where it lies; `None` for stdin, and where its folder cannot be told.
    pub file: Option<GivenFile>,
}

/// Where a file lies, and the folder above which nothing counts for it: its work
/// tree, or without one the folder that was named. Real paths, but for a file that
/// is a link itself.
#[derive(Clone, Debug)]
pub struct GivenFile {
    /// The file.
    pub path: PathBuf,
    /// The folder.
    pub root: PathBuf,
}

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that the run is in.
    pub current: PathBuf,
    /// Files and folders to edit; none stands for the automations' paths.
    pub paths: Vec<PathBuf>,
    /// A folder that is read as if it were a whole work tree.
    pub alone: Option<Alone>,
    /// Documents that beat those of the tree.
    pub policies: Vec<GivenText>,
    /// Where tags are taken from.
    pub tags_from: Vec<TagSource>,
    /// What a marker is whose policy gave no image.
    pub on_unresolved: OnUnresolved,
    /// How old a snapshot may be.
    pub freshness: Freshness,
    /// What is asked anew.
    pub refresh: Refresh,
    /// Secrets that beat those of the tree: file name and text.
    pub secrets: Vec<(String, String)>,
    /// What the run is limited to.
    pub only: Only,
    /// Whether the new images are asked what they say of themselves.
    pub labels: bool,
    /// How scalars are bound, besides by markers.
    pub bindings: BindingConfig,
    /// The clusters whose documents count, in place of those of the tree.
    pub clusters: Clusters,
    /// Whether the tree's own documents count, where no cluster is named.
    pub has_tree_documents: bool,
    /// Words that have a file count as one with documents, besides the groups of those that
    /// are read.
    pub also_read: &'static [&'static str],
}

/// A folder that is read as if it were a whole work tree.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The folder: a real path.
    pub folder: PathBuf,
    /// The folder of the repository that it is of, or that its files come from, whose
    /// remotes are its own.
    pub configured: PathBuf,
}

/// The clusters of a run, and what their builds need.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// The folders that `flux bootstrap --path` was given.
    pub paths: Vec<PathBuf>,
    /// Whether clusters are looked for where none is named and documents are parts of
    /// builds.
    pub are_found: bool,
    /// Variables that only the cluster has.
    pub substitute: BTreeMap<String, String>,
    /// Secrets of the cluster by name: their values are for Kustomizations that name them.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Folders that hold Flux's sources.
    pub local_sources: Vec<(SourceKey, PathBuf)>,
    /// Whether a build may fetch what lies elsewhere.
    pub remote_bases: bool,
    /// Set by Ctrl-C.
    pub interrupted: Interrupted,
    /// Who is told how far the builds are.
    pub progress: Progress,
}

impl Clusters {
    /// GitRepositories that `--local-sources` says the checkout at `root` is.
    #[must_use]
    pub fn named_here(&self, root: &Path) -> BTreeSet<Id> {
        let sources = self.local_sources.iter();
        let here = sources.filter(|(key, folder)| {
            key.kind == "GitRepository" && folder.canonicalize().is_ok_and(|real| real == root)
        });
        here.map(|(key, _)| key.id.clone()).collect()
    }
}

/// Who is told how far the builds are.
#[derive(Clone, Default)]
pub struct Progress(pub Option<Arc<dyn ShowsProgress>>);

/// Shows how far the builds are.
pub trait ShowsProgress: Send + Sync {
    /// A folder is being built, the one of this number of as many as are known of.
    fn tell(&self, folder: &str, number: usize, total: usize);
    /// There are no more.
    fn end(&self);
}

impl Progress {
    /// See [`ShowsProgress::tell`].
    pub fn tell(&self, folder: &str, number: usize, total: usize) {
        if let Some(shown) = &self.0 {
            shown.tell(folder, number, total);
        }
    }

    /// See [`ShowsProgress::end`].
    pub fn end(&self) {
        if let Some(shown) = &self.0 {
            shown.end();
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl Request {
    /// What the run asks of its policies.
    #[must_use]
    pub fn query<'q>(&'q self, only: Option<&'q BTreeSet<Id>>) -> Query<'q> {
        Query {
            sources: Sources {
                tags_from: &self.tags_from,
                refresh: &self.refresh,
            },
            only,
            on_unresolved: self.on_unresolved,
        }
    }
}

/// Why there is nothing to do at all.
#[derive(Debug, thiserror::Error)]
pub enum CannotPlan {
    /// A path that cannot be looked at.
    #[error("{}", path_name::shown(path))]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No path was given and no automation names one; what was found of the
    /// documents, one of which may be the automation.
    #[error("no ImageUpdateAutomation was found{}, and no PATH was given", among(.0))]
    NoScope(Vec<Finding>),
    /// What the run is limited to does not exist.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// What a cluster sees cannot be built.
    #[error("{0}\n  hint: {hint}", hint = NoBuilder::HINT)]
    NoBuilder(#[from] NoBuilder),
    /// Ctrl-C came while clusters were built.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

/// Where an automation may be that was not found.
fn among(findings: &[Finding]) -> &'static str {
    let is_unread = |finding: &Finding| {
        matches!(
            finding.code,
            Code::Unparsable | Code::UnusableFile | Code::BadDocument
        )
    };
    if findings.iter().any(is_unread) {
        " among the documents that could be read"
    } else {
        ""
    }
}
