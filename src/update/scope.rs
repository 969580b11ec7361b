//! Which files a run may edit, by whose policies: the PATHs of the user, or the
//! `update.path` of each ImageUpdateAutomation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::catalogue::{Catalogue, Sourced};
use super::outcome::{Code, Finding, Location, Outcome, Severity};
use super::path_name;
use super::remotes;
use super::resolve::{self, Resolved};
use super::tree;
use super::twins;
use super::walk::{self, Listed, Listing, Unseen};
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
            files: paths_of(listed.iter()),
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

fn paths_of<'l>(listed: impl Iterator<Item = &'l Listed>) -> HashSet<OsString> {
    let paths = listed.map(|listed| listed.path.clone());
    paths.map(PathBuf::into_os_string).collect()
}

/// What the automations of a checkout are for.
#[derive(Debug, Default)]
pub struct Automations {
    /// One for each that would run in a cluster.
    pub scopes: Vec<Scope>,
    /// Those that this run leaves out, which was said.
    pub left_out: Vec<LeftOut>,
}

/// An automation that edits nothing here.
#[derive(Debug)]
pub struct LeftOut {
    /// Its name.
    pub id: Id,
    /// Why.
    pub reason: Reason,
    /// The folder that it would edit.
    pub base: PathBuf,
    /// The policies that it would select.
    pub selected: BTreeSet<Id>,
}

/// Why an automation edits nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is for another repository.
    OtherRepository,
    /// It is suspended.
    Suspended,
    /// Something is wrong with it.
    Fault,
    /// `--policies` has another one of this name.
    Outranked,
}

impl Automations {
    /// Whether there is nothing to do because somebody wants it so.
    #[must_use]
    pub fn are_suspended(&self) -> bool {
        let is_idle = |one: &LeftOut| matches!(one.reason, Reason::Suspended | Reason::Outranked);
        self.scopes.is_empty() && self.left_out.iter().all(is_idle)
    }
}

/// The repository that a path is in, if it is another than that of the run.
fn other_repository_at<'l>(path: &Path, listing: &'l Listing) -> Option<&'l Path> {
    let others = listing
        .notes
        .iter()
        .filter(|note| note.what == Unseen::Repository);
    let mut others = others.map(|note| note.path.as_path());
    others.find(|other| path.starts_with(other))
}

/// What each automation may edit of what was found under `root`, or why it edits
/// nothing.
#[must_use]
pub fn of_automations(
    catalogue: &Catalogue,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
    listing: &Listing,
    outcome: &mut Outcome,
) -> Automations {
    let mut all = Automations::default();
    let remotes = remotes::of(root);
    for (id, automation) in &catalogue.automations {
        let source = source_of(id, &automation.document, catalogue);
        let scope = match other_repository(id, automation, source, &remotes) {
            Some(finding) => Err((Reason::OtherRepository, finding)),
            None => of_automation(id, automation, source, images, root, listing),
        };
        match scope {
            Ok(scope) => {
                outcome.findings.extend(doubt(id, automation));
                all.scopes.push(scope);
            }
            Err((reason, finding)) => {
                outcome.findings.push(*finding);
                // Of two different ones nothing is sure.
                let unsure = ImageUpdateAutomation::default();
                let document = match automation.conflict {
                    Some(_) => &unsure,
                    None => &automation.document,
                };
                let one = left_out(id, document, reason, images, root);
                all.left_out.push(one);
            }
        }
    }
    for (id, document) in &catalogue.outranked {
        let one = left_out(id, document, Reason::Outranked, images, root);
        all.left_out.push(one);
    }
    if all.scopes.is_empty() {
        // Nothing is done at all then, and not because somebody wants it so.
        let mut findings = outcome.findings.iter_mut();
        while let Some(finding) = findings.find(|one| one.code == Code::SkippedAutomation) {
            finding.severity = Severity::Error;
        }
    }
    all
}

/// What an automation would edit. Where that cannot be told, everything.
fn left_out(
    id: &Id,
    automation: &ImageUpdateAutomation,
    reason: Reason,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
) -> LeftOut {
    let spec = &automation.spec;
    let path = spec.update.path.as_deref();
    let selector = spec.policy_selector.as_ref();
    let selected = resolve::select(images, Some(&id.namespace), selector);
    LeftOut {
        id: id.clone(),
        reason,
        base: tree::resolve_within(root, path.unwrap_or("."))
            .unwrap_or_else(|_| tree::join_within(root, path.unwrap_or("."))),
        selected: selected.unwrap_or_else(|_| images.keys().cloned().collect()),
    }
}

/// What an automation says that newer versions of Flux refuse.
fn doubt(id: &Id, automation: &Sourced<ImageUpdateAutomation>) -> Option<Finding> {
    let refspec = automation.document.spec.push()?.refspec.as_deref()?;
    let what = match refspec.chars().next()? {
        '+' => "would push over whatever is there",
        ':' => "would delete a branch with each commit",
        _ => return None,
    };
    let message = format!(
        "ImageUpdateAutomation `{id}`: `push.refspec` `{refspec}` {what}, and image-automation-controller 1.3 refuses it"
    );
    let location = automation.location.clone();
    let finding = Finding::new(Severity::Warning, Code::BadBranch, message, location);
    Some(finding.hint("write it as `SOURCE:TARGET`"))
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
    source: Option<&Sourced<GitRepository>>,
    remotes: &[Address],
) -> Option<Box<Finding>> {
    let source = source?;
    let name = &source.document.metadata.name;
    let url = &source.document.spec.url;
    // Half a document, as overlays patch it, or two of them tell nothing.
    let is_unsure = url.is_empty() || url.contains("${") || source.conflict.is_some();
    let wanted = Address::parse(url);
    if is_unsure || remotes.is_empty() || remotes.iter().any(|remote| remote.is_same(&wanted)) {
        return None;
    }
    let mut known: Vec<String> = remotes.iter().map(Address::to_string).collect();
    known.sort();
    known.dedup();
    let message = format!(
        "ImageUpdateAutomation `{id}` is left out: its GitRepository `{name}` is {wanted}, which is no remote of this checkout ({})",
        known.join(", ")
    );
    let finding = Finding::new(
        Severity::Warning,
        Code::SkippedAutomation,
        message,
        automation.location.clone(),
    );
    let hint = "run it in a checkout of that repository, or name the PATH to update";
    Some(Box::new(finding.hint(hint)))
}

fn of_automation(
    id: &Id,
    automation: &Sourced<ImageUpdateAutomation>,
    source: Option<&Sourced<GitRepository>>,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
    listing: &Listing,
) -> Result<Scope, (Reason, Box<Finding>)> {
    let spec = &automation.document.spec;
    let left_out = |severity: Severity, code: Code, why: String, hint: Option<String>| {
        let message = format!("ImageUpdateAutomation `{id}` is left out: {why}");
        let mut finding = Finding::new(severity, code, message, automation.location.clone());
        finding.hint = hint;
        let reason = match code {
            Code::Suspended => Reason::Suspended,
            _ => Reason::Fault,
        };
        (reason, Box::new(finding))
    };
    let fault = |why: String, hint| left_out(Severity::Error, Code::BadDocument, why, hint);
    if spec.suspend {
        let why = "it is suspended".to_owned();
        return Err(left_out(Severity::Info, Code::Suspended, why, None));
    }
    if let Some(other) = &automation.conflict {
        let why = format!("a different one of this name stands at {other}");
        let hint = twins::hint(other, &automation.location);
        let code = Code::ConflictingDocuments;
        return Err(left_out(Severity::Error, code, why, Some(hint)));
    }
    spec.check_strategy()
        .map_err(|error| fault(error.to_string(), None))?;
    let selector = spec.policy_selector.as_ref();
    let selected = resolve::select(images, Some(&id.namespace), selector)
        .map_err(|error| fault(format!("policySelector: {error}"), error.hint()))?;
    let written = spec.update.path.as_deref().unwrap_or(".");
    let base = tree::resolve_within(root, written).map_err(|error| {
        let path = path_name::shown(&tree::join_within(root, written));
        fault(format!("its update.path `{path}`: {error}"), None)
    })?;
    if let Some(other) = other_repository_at(&base, listing) {
        let other = path_name::shown(other.strip_prefix(root).unwrap_or(other));
        let why = format!("its update.path `{written}` is in another repository, `{other}`");
        let code = Code::SkippedAutomation;
        return Err(left_out(Severity::Warning, code, why, None));
    }
    let files = listing
        .files
        .iter()
        // Flux takes a single file, too, only under a manifest's name.
        .filter(|file| file.path.starts_with(&base) && walk::is_manifest_name(&file.path));
    let checked_out = source.and_then(|source| source.document.spec.reference.clone());
    Ok(Scope {
        files: paths_of(files),
        selected: Some(selected),
        owner: Some(Owner {
            id: id.clone(),
            location: automation.location.clone(),
            base,
            commit: spec.commit().clone(),
            push: spec.push().cloned(),
            checkout: spec.checkout_ref().or(checked_out),
        }),
    })
}
