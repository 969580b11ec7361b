//! Which files a run may edit, by whose policies: the PATHs of the user, or the
//! `update.path` of each ImageUpdateAutomation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::catalogue::{Catalogue, Sourced};
use super::outcome::{Code, Finding, Location, Outcome, Severity};
use super::remotes;
use super::resolve::{self, Resolved};
use super::tree::{self, Listed};
use crate::api::{CommitSpec, GitReference, GitRepository, Id, ImageUpdateAutomation, PushSpec};

/// Which policies may write to a file: `None` for all.
pub type Selected = Option<BTreeSet<Id>>;

/// An automation that edits, and what its commit is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// Its name.
    pub id: Id,
    /// Where it stands.
    pub location: Location,
    /// What its `update.path` names, which files in its message are relative
    /// to.
    pub base: PathBuf,
    /// Author, message and its values.
    pub commit: CommitSpec,
    /// Where to push.
    pub push: Option<PushSpec>,
    /// What is checked out: `git.checkout.ref`, else the GitRepository's `ref`.
    pub checkout: Option<GitReference>,
}

/// Files that may be edited, and by which policies.
#[derive(Debug)]
pub struct Scope {
    /// The files.
    pub files: HashSet<OsString>,
    /// The policies.
    pub selected: Selected,
    /// Whose scope it is; `None` for the PATHs of the user.
    pub owner: Option<Owner>,
}

impl Scope {
    /// The scope of PATHs.
    #[must_use]
    pub fn of_paths(listed: &[Listed]) -> Self {
        Self {
            files: paths_of(listed),
            selected: None,
            owner: None,
        }
    }

    /// Whether it has a file.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.files.contains(path.as_os_str())
    }

    /// Leaves out all policies but these.
    pub fn limit(&mut self, only: &BTreeSet<Id>) {
        self.selected = Some(match self.selected.take() {
            Some(selected) => selected.intersection(only).cloned().collect(),
            None => only.clone(),
        });
    }
}

fn paths_of(listed: &[Listed]) -> HashSet<OsString> {
    let paths = listed.iter().map(|listed| listed.path.clone());
    paths.map(PathBuf::into_os_string).collect()
}

/// One scope for each automation that would run in a cluster.
#[must_use]
pub fn of_automations(
    catalogue: &Catalogue,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
    outcome: &mut Outcome,
) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let remotes = remotes::of(root);
    for (id, automation) in &catalogue.automations {
        if let Some(finding) = other_repository(id, automation, catalogue, &remotes) {
            outcome.findings.push(finding);
            continue;
        }
        let source = source_of(id, &automation.document, catalogue);
        match of_automation(id, automation, source, images, root) {
            Ok(scope) => scopes.push(scope),
            Err(finding) => outcome.findings.push(*finding),
        }
    }
    scopes
}

/// The GitRepository of an automation, where it is known.
fn source_of<'c>(
    id: &Id,
    automation: &ImageUpdateAutomation,
    catalogue: &'c Catalogue,
) -> Option<&'c Sourced<GitRepository>> {
    let spec = &automation.spec;
    let (namespace, name) = match &spec.checkout {
        Some(checkout) => {
            let reference = &checkout.git_repository_ref;
            (reference.namespace.as_deref(), &reference.name)
        }
        None => (spec.source_ref.namespace.as_deref(), &spec.source_ref.name),
    };
    let namespace = namespace.unwrap_or(&id.namespace);
    catalogue.sources.get(&Id::new(namespace, name.as_str()))
}

/// An automation whose GitRepository is none of the checkout's remotes. A
/// checkout without remotes may be of any repository.
fn other_repository(
    id: &Id,
    automation: &Sourced<ImageUpdateAutomation>,
    catalogue: &Catalogue,
    remotes: &BTreeSet<String>,
) -> Option<Finding> {
    let source = source_of(id, &automation.document, catalogue)?;
    let name = &source.document.metadata.name;
    let url = &source.document.spec.url;
    // Half a document, as overlays patch it, or two of them tell nothing.
    let is_unsure = url.is_empty() || url.contains("${") || source.conflict.is_some();
    if is_unsure || remotes.is_empty() || remotes.contains(&remotes::canonical(url)) {
        return None;
    }
    let message = format!(
        "ImageUpdateAutomation `{id}` is left out: its GitRepository `{name}` is {}, which is no remote of this checkout",
        remotes::canonical(url)
    );
    let finding = Finding::new(
        Severity::Warning,
        Code::SkippedAutomation,
        message,
        automation.location.clone(),
    );
    Some(finding.hint("run it in a checkout of that repository, or name the PATH to update"))
}

fn of_automation(
    id: &Id,
    automation: &Sourced<ImageUpdateAutomation>,
    source: Option<&Sourced<GitRepository>>,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
) -> Result<Scope, Box<Finding>> {
    let spec = &automation.document.spec;
    let left_out = |severity: Severity, code: Code, why: String| {
        let message = format!("ImageUpdateAutomation `{id}` is left out: {why}");
        Box::new(Finding::new(
            severity,
            code,
            message,
            automation.location.clone(),
        ))
    };
    if spec.suspend {
        return Err(left_out(
            Severity::Info,
            Code::Suspended,
            "it is suspended".to_owned(),
        ));
    }
    if let Some(other) = &automation.conflict {
        let why = format!("a different one of this name stands at {other}");
        return Err(left_out(Severity::Error, Code::ConflictingDocuments, why));
    }
    if let Err(error) = spec.check_strategy() {
        return Err(left_out(
            Severity::Error,
            Code::BadDocument,
            error.to_string(),
        ));
    }
    let selector = spec.policy_selector.as_ref();
    let selected = resolve::select(images, Some(&id.namespace), selector).map_err(|error| {
        let why = format!("policySelector: {error}");
        left_out(Severity::Error, Code::BadDocument, why)
    })?;
    let path = tree::join_within(root, spec.update.path.as_deref().unwrap_or("."));
    let files = tree::files_under(&path).map_err(|error| {
        left_out(
            Severity::Error,
            Code::BadDocument,
            format!("its update.path `{}`: {error}", path.display()),
        )
    })?;
    // Flux takes a single file, too, only under a manifest's name.
    let mut files = paths_of(&files);
    files.retain(|file| tree::is_manifest_name(Path::new(file)));
    let checked_out = source.and_then(|source| source.document.spec.reference.clone());
    Ok(Scope {
        files,
        selected: Some(selected),
        owner: Some(Owner {
            id: id.clone(),
            location: automation.location.clone(),
            base: path,
            commit: spec.commit().clone(),
            push: spec.push().cloned(),
            checkout: spec.checkout_ref().or(checked_out),
        }),
    })
}
