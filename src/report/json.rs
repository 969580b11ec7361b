//! The Report: the Outcome as one JSON document, later only extended.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy_change::PolicyChange;
use crate::api::CommitAuthor;
use crate::commit::commits;
use crate::finding::{Finding, ResourceRef, Severity};
use crate::plan::outcome::Change;
use crate::plan::planned::Planned;

/// What `-o json` prints and `--report` writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `Report`
    pub kind: String,
    /// The run.
    pub run: Run,
    /// Whether files were written; false with `--check`, `--dry-run` and
    /// `--diff`, and where an error kept them as they are.
    pub written: bool,
    /// Counts, for a quick look.
    pub summary: Summary,
    /// The commits to be made, in order: one for each automation that changes
    /// something, or for each part of it.
    pub automations: Vec<Commit>,
    /// The policies that change something.
    pub policies: Vec<PolicyChange>,
    /// Files that change, each once, in lexical order.
    pub files: BTreeSet<String>,
    /// Resources that change, each once.
    pub objects: BTreeSet<ResourceRef>,
    /// What changes, by file, in document order.
    pub changes: Vec<Change>,
    /// What else there is to know.
    pub findings: Vec<Finding>,
}

/// A run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The version of flux-image.
    pub version: String,
    /// The moment that branches are named after: `--now`, or when it ran.
    pub time: String,
}

/// Counts of a Report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Scalars that change.
    pub changes: usize,
    /// Files that change.
    pub files: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
}

/// What a commit needs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// The cluster that the automation is of, where the run knows of clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Namespace of the ImageUpdateAutomation; empty where PATHs were given.
    pub namespace: String,
    /// Its name; empty where PATHs were given.
    pub name: String,
    /// The policy, image or folder, with `--split-by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The message; absent where its template is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The branch to push to; absent where nothing names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether that is another branch than the one that is checked out.
    #[serde(default)]
    pub switches_branch: bool,
    /// A refspec to push besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refspec: Option<String>,
    /// Push options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub push_options: BTreeMap<String, String>,
    /// Who commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Files that change, in lexical order.
    #[serde(default)]
    pub files: BTreeSet<String>,
    /// Its changes: positions in the report's `changes`, from 0.
    #[serde(default)]
    pub changes: Vec<usize>,
}

/// `git.commit.author`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address.
    pub email: String,
}

impl Report {
    /// The report with files as `inside` calls them; what is of no file stays so.
    #[must_use]
    pub fn with_files(mut self, inside: &dyn Fn(&str) -> String) -> Self {
        let findings = self.findings.iter_mut().map(|one| &mut one.location);
        let changes = self.changes.iter_mut().map(|one| &mut one.location);
        for location in findings.chain(changes) {
            location.file = match location.file.as_str() {
                "" | "<stdin>" => String::new(),
                file => inside(file),
            };
        }
        self
    }

    /// The report of a run.
    #[must_use]
    pub fn new(
        planned: &Planned,
        commits: &[commits::Commit],
        written: bool,
        time: Timestamp,
    ) -> Self {
        let outcome = &planned.outcome;
        let count = |severity: Severity| {
            let all = outcome.findings.iter();
            all.filter(|finding| finding.severity == severity).count()
        };
        let files: BTreeSet<String> = files(outcome.changes.iter());
        let objects = outcome.changes.iter();
        let objects = objects.filter_map(|change| change.location.resource.clone());
        Self {
            api_version: "flux-image.dev/v1alpha1".to_owned(),
            kind: "Report".to_owned(),
            run: Run {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                time: time.to_string(),
            },
            written,
            summary: Summary {
                changes: outcome.changes.len(),
                files: files.len(),
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
            },
            automations: commits
                .iter()
                .map(|commit| Commit::new(commit, planned))
                .collect(),
            policies: PolicyChange::all(planned),
            files,
            objects: objects.collect(),
            changes: outcome.changes.clone(),
            findings: outcome.findings.clone(),
        }
    }
}

fn files<'c>(changes: impl Iterator<Item = &'c Change>) -> BTreeSet<String> {
    changes.map(|change| change.location.file.clone()).collect()
}

impl Commit {
    fn new(commit: &commits::Commit, planned: &Planned) -> Self {
        let owner = commit.owner.and_then(|owner| planned.owners.get(owner));
        let id = owner.map(|owner| owner.id.clone()).unwrap_or_default();
        let push = commit.push.clone();
        let changes = commit.changes.iter();
        Self {
            cluster: owner.and_then(|owner| owner.cluster.clone()),
            namespace: id.namespace,
            name: id.name,
            part: commit.part.clone(),
            message: commit.message.clone(),
            switches_branch: push.as_ref().is_some_and(|push| push.switches),
            refspec: push.as_ref().and_then(|push| push.refspec.clone()),
            push_options: push
                .as_ref()
                .map(|push| push.options.clone())
                .unwrap_or_default(),
            branch: push.map(|push| push.branch),
            author: owner.map(|owner| {
                let CommitAuthor { name, email } = owner.commit.author();
                Author { name, email }
            }),
            files: files(changes.map(|number| &planned.outcome.changes[*number])),
            changes: commit.changes.clone(),
        }
    }

    /// `namespace/name`, as people write it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// A report as it is read again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Stored {
    /// `flux-image.dev/…`
    pub api_version: String,
    /// `Report`
    pub kind: String,
    /// The commits to be made.
    pub automations: Vec<Commit>,
}

impl Stored {
    /// Whether it surely is a report, of whatever version.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.kind == "Report" && self.api_version.starts_with("flux-image.dev/")
    }
}

/// Why there is not one message or branch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOne {
    /// Nothing changed.
    #[error("nothing changed, so there is no commit to be made")]
    Nothing,
    /// No such automation.
    #[error("no ImageUpdateAutomation `{0}` changes anything; there is {1}")]
    Unknown(String, String),
    /// Its template is wrong.
    #[error("`{0}` has no message, since its template is wrong")]
    NoMessage(String),
    /// There is no automation to say it.
    #[error("nothing names a branch: PATHs were given, and so no ImageUpdateAutomation")]
    NoAutomation,
    /// Nothing says where to push.
    #[error(
        "nothing names a branch for `{0}`: neither `git.push.branch`, nor `ref.branch` of `git.checkout` or of its GitRepository; `ref.name`, a tag and a commit do not count"
    )]
    NoBranch(String),
    /// Several automations push to several branches.
    #[error("the changes go to several branches: {0}")]
    Branches(String),
}

/// The commits that are asked for: of one automation, or all.
fn chosen<'c>(commits: &'c [Commit], only: Option<&str>) -> Result<Vec<&'c Commit>, NotOne> {
    if commits.is_empty() {
        return Err(NotOne::Nothing);
    }
    let Some(only) = only else {
        return Ok(commits.iter().collect());
    };
    let wanted = only.replacen(':', "/", 1);
    let of_it = commits.iter().filter(|commit| commit.id() == wanted);
    let found: Vec<&Commit> = of_it.collect();
    if found.is_empty() {
        let known: BTreeSet<String> = commits.iter().map(|c| format!("`{}`", c.id())).collect();
        let known: Vec<String> = known.into_iter().collect();
        return Err(NotOne::Unknown(only.to_owned(), known.join(", ")));
    }
    Ok(found)
}

/// One message for all the changes, or for those of one automation. Where
/// commits have several, each message stands once below a subject that speaks
/// for all, with a blank line between two.
///
/// # Errors
/// Where one is missing.
pub fn message(commits: &[Commit], only: Option<&str>) -> Result<String, NotOne> {
    let commits = chosen(commits, only)?;
    let messages = distinct(&commits)?;
    if let [one] = messages.as_slice() {
        return Ok((*one).to_owned());
    }
    let trimmed = messages.iter().map(|message| message.trim_end().to_owned());
    let parts: Vec<String> = iter::once(subject(&commits)).chain(trimmed).collect();
    Ok(parts.join("\n\n") + "\n")
}

/// How many messages `message` has below its subject, where it has one.
#[must_use]
pub fn messages_in_one(commits: &[Commit]) -> Option<usize> {
    let commits: Vec<&Commit> = commits.iter().collect();
    let count = distinct(&commits).ok()?.len();
    (count > 1).then_some(count)
}

/// The messages of `commits`, each once.
fn distinct<'c>(commits: &[&'c Commit]) -> Result<Vec<&'c str>, NotOne> {
    let mut seen = BTreeSet::new();
    let mut messages = Vec::new();
    for commit in commits {
        let message = commit.message.as_deref();
        let message = message.ok_or_else(|| NotOne::NoMessage(commit.id()))?;
        if seen.insert(message) {
            messages.push(message);
        }
    }
    Ok(messages)
}

/// The first line of a message of several commits.
fn subject(commits: &[&Commit]) -> String {
    let automations: BTreeSet<_> = commits
        .iter()
        .map(|commit| (&commit.cluster, &commit.namespace, &commit.name))
        .collect();
    match (automations.len(), commits) {
        (1, [one, ..]) if one.name.is_empty() => "Update images".to_owned(),
        (1, [one, ..]) => format!("Update images for {}", one.id()),
        (count, _) => format!("Update images for {count} automations"),
    }
}

/// The branch that all the changes, or those of one automation, go to.
///
/// # Errors
/// Where there is none, or more than one.
pub fn branch(commits: &[Commit], only: Option<&str>) -> Result<String, NotOne> {
    let mut branches: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for commit in chosen(commits, only)? {
        let branch = commit.branch.as_deref();
        let branch = branch.ok_or_else(|| {
            if commit.name.is_empty() {
                NotOne::NoAutomation
            } else {
                NotOne::NoBranch(commit.id())
            }
        })?;
        branches.entry(branch).or_default().push(commit.id());
    }
    if branches.len() > 1 {
        let shown = branches
            .iter()
            .map(|(branch, ids)| format!("`{branch}` ({})", ids.join(", ")));
        return Err(NotOne::Branches(shown.collect::<Vec<_>>().join(", ")));
    }
    let (branch, _) = branches.into_iter().next().ok_or(NotOne::Nothing)?;
    Ok(branch.to_owned())
}
