//! What the user asked for, and why there may be nothing to do.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use crate::api::{Id, OnUnresolved, TagSource};
use crate::binding::bindings::BindingConfig;
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
