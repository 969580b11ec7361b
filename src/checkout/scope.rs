//! Which files a run may edit, by whose policies: the PATHs of the user, or the
//! `update.path` of each ImageUpdateAutomation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::git::config::GitSetting;
use super::walk::{Listed, Listing};
use super::{remotes, source_files};
use crate::api::{GitRepository, Id, ImageUpdateAutomation};
use crate::documents::{Documents, Sourced, twins};
use crate::finding::{Code, Finding, Severity};
use crate::path_name;
use crate::plan::planned::Owner;
use crate::plan::takers::{Coverage, Selection, Selections, Takers};
use crate::quote;
use crate::selection::resolve::Resolved;

/// Which files may be edited, and by which policies.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The PATHs of the user.
    Paths {
        /// The files.
        files: HashSet<OsString>,
        /// The policies; `None` for all.
        only: Option<BTreeSet<Id>>,
    },
    /// Each automation its own, in the order of their names.
    Automations(Vec<Owner>),
}

impl Scope {
    /// The scope of PATHs.
    #[must_use]
    pub fn of_paths(listed: &[Listed]) -> Self {
        let paths = listed.iter().map(|listed| listed.path.clone());
        Self::Paths {
            files: paths.map(PathBuf::into_os_string).collect(),
            only: None,
        }
    }

    /// Leaves out all policies but these.
    pub fn limit(&mut self, to: &BTreeSet<Id>) {
        match self {
            Self::Paths { only, .. } => *only = Some(to.clone()),
            Self::Automations(owners) => {
                Selection::limit(owners.iter_mut().map(|owner| &mut owner.selected), to);
            }
        }
    }

    /// The same, to be asked about many files.
    #[must_use]
    pub fn reach(&self) -> ScopeReach<'_> {
        match self {
            Self::Paths { files, only } => ScopeReach::Paths(files, only.as_ref()),
            Self::Automations(owners) => ScopeReach::Automations(coverage(owners)),
        }
    }
}

/// The automations, to be asked who comes to a file.
#[must_use]
pub fn coverage(owners: &[Owner]) -> Coverage<'_> {
    let owners = owners.iter();
    Coverage::of(owners.map(|owner| (owner.base.as_path(), &owner.selected)))
}

/// A scope by files.
#[derive(Debug)]
pub enum ScopeReach<'s> {
    /// See [`Scope::Paths`].
    Paths(&'s HashSet<OsString>, Option<&'s BTreeSet<Id>>),
    /// See [`Scope::Automations`].
    Automations(Coverage<'s>),
}

impl ScopeReach<'_> {
    /// Who may edit a file; `None` for nobody.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<Takers<'_>> {
        match self {
            Self::Paths(files, only) => files
                .contains(path.as_os_str())
                .then_some(Takers::one(*only)),
            Self::Automations(coverage) => coverage.at(path),
        }
    }
}

/// What the automations of a checkout are for.
#[derive(Debug, Default)]
pub struct Automations {
    /// Those that would run in a cluster, in the order of their names.
    pub owners: Vec<Owner>,
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
    pub selected: Selection,
    /// Why, in words.
    pub said: String,
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
    /// Why an automation edits nothing here; `None` for one that edits.
    #[must_use]
    pub fn why_not(&self, id: &Id) -> Option<String> {
        let one = self.left_out.iter().find(|one| one.id == *id)?;
        Some(one.said.clone())
    }

    /// Whether there is nothing to do because somebody wants it so.
    #[must_use]
    pub fn are_suspended(&self) -> bool {
        let is_idle = |one: &LeftOut| matches!(one.reason, Reason::Suspended | Reason::Outranked);
        self.owners.is_empty() && self.left_out.iter().all(is_idle)
    }
}

/// The other repositories below that of the run.
fn other_repositories(listing: &Listing) -> HashSet<&Path> {
    let notes = listing.notes.iter();
    let others = notes.filter(|note| note.what.is_other_repository());
    others.map(|note| note.path.as_path()).collect()
}

/// What is checked out.
pub struct CheckedOut<'c> {
    /// Where.
    pub root: &'c Path,
    /// What was found there.
    pub listing: &'c Listing,
    /// What the repository's configuration says.
    pub settings: &'c [GitSetting],
    /// GitRepositories that the user says it is.
    pub named: BTreeSet<Id>,
}

/// What each automation may edit of what was found there, or why it edits nothing.
#[must_use]
pub fn of_automations(
    documents: &Documents,
    images: &BTreeMap<Id, Resolved>,
    checked_out: &CheckedOut<'_>,
    findings: &mut Vec<Finding>,
) -> Automations {
    let mut all = Automations::default();
    let root = checked_out.root;
    let remotes = remotes::of(checked_out.settings);
    let mut selections = Selections::of(images);
    let others = other_repositories(checked_out.listing);
    for (id, automation) in &documents.automations {
        let source = source_of(id, &automation.document, documents);
        let is_named = source_id(id, &automation.document);
        let is_named = checked_out.named.contains(&is_named);
        let other = match is_named {
            true => None,
            false => other_repository(id, automation, source, &remotes),
        };
        let owner = match other {
            Some(finding) => Err((Reason::OtherRepository, finding)),
            None => of_automation(id, automation, source, &mut selections, root, &others),
        };
        match owner {
            Ok(owner) => {
                findings.extend(doubt(id, automation));
                all.owners.push(owner);
            }
            Err((reason, finding)) => {
                let said = finding.message.split_once("is left out: ");
                let said = said
                    .map_or(finding.message.as_str(), |(_, why)| why)
                    .to_owned();
                findings.push(*finding);
                // Of two different ones nothing is sure.
                let unsure = ImageUpdateAutomation::default();
                let document = match automation.conflict {
                    Some(_) => &unsure,
                    None => &automation.document,
                };
                let mut one = left_out(id, document, reason, &mut selections, root);
                one.said = said;
                all.left_out.push(one);
            }
        }
    }
    for (id, document) in &documents.outranked {
        let one = left_out(id, document, Reason::Outranked, &mut selections, root);
        all.left_out.push(one);
    }
    if all.owners.is_empty() {
        // Nothing is done at all then, and not because somebody wants it so.
        let mut findings = findings.iter_mut();
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
    selections: &mut Selections<'_>,
    root: &Path,
) -> LeftOut {
    let spec = &automation.spec;
    let path = spec.update.path.as_deref();
    let selector = spec.policy_selector.as_ref();
    let selected = selections.select(&id.namespace, selector);
    LeftOut {
        id: id.clone(),
        reason,
        base: source_files::resolve_within(root, path.unwrap_or("."))
            .unwrap_or_else(|_| source_files::join_within(root, path.unwrap_or("."))),
        selected: selected.unwrap_or_else(|_| selections.all()),
        said: "`--policies` has another one of this name".to_owned(),
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
    let finding = Finding::warning(Code::BadBranch, message, automation.location.clone());
    Some(finding.hint("write it as `SOURCE:TARGET`"))
}

/// The GitRepository of an automation, where it is known.
fn source_of<'c>(
    id: &Id,
    automation: &ImageUpdateAutomation,
    documents: &'c Documents,
) -> Option<&'c Sourced<GitRepository>> {
    documents.sources.get(&source_id(id, automation))
}

/// The name of an automation's GitRepository.
#[must_use]
pub fn source_id(id: &Id, automation: &ImageUpdateAutomation) -> Id {
    let spec = &automation.spec;
    let (namespace, name) = match &spec.checkout {
        Some(checkout) => {
            let reference = &checkout.git_repository_ref;
            (reference.namespace.as_deref(), &reference.name)
        }
        None => (spec.source_ref.namespace.as_deref(), &spec.source_ref.name),
    };
    Id::new(namespace.unwrap_or(&id.namespace), name.as_str())
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
        "ImageUpdateAutomation `{id}` is left out: its GitRepository `{name}` is {wanted}, which is not a remote of this checkout ({})",
        known.join(", ")
    );
    let location = automation.location.clone();
    let finding = Finding::warning(Code::SkippedAutomation, message, location);
    let source = source_id(id, &automation.document);
    Some(Box::new(finding.hint(format!(
        "run it in a checkout of that repository, or name the PATH to update; if this is that repository: `--local-sources GitRepository/{}/{}=.`",
        source.namespace, source.name
    ))))
}

fn of_automation(
    id: &Id,
    automation: &Sourced<ImageUpdateAutomation>,
    source: Option<&Sourced<GitRepository>>,
    selections: &mut Selections<'_>,
    root: &Path,
    others: &HashSet<&Path>,
) -> Result<Owner, (Reason, Box<Finding>)> {
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
    let selected = selections
        .select(&id.namespace, selector)
        .map_err(|error| fault(format!("policySelector: {error}"), error.hint()))?;
    let written = spec.update.path.as_deref().unwrap_or(".");
    let base = source_files::resolve_within(root, written).map_err(|error| {
        let written = quote::name(written);
        match error.is_missing() {
            true => fault(
                format!("its update.path `{written}` is not in this checkout"),
                Some("the path counts from the root of the repository".to_owned()),
            ),
            false => fault(format!("its update.path `{written}`: {error}"), None),
        }
    })?;
    if let Some(other) = base.ancestors().find(|path| others.contains(path)) {
        let other = path_name::shown(other.strip_prefix(root).unwrap_or(other));
        let why = format!("its update.path `{written}` is in another repository, `{other}`");
        let code = Code::SkippedAutomation;
        return Err(left_out(Severity::Warning, code, why, None));
    }
    let checked_out = source.and_then(|source| source.document.spec.reference.clone());
    Ok(Owner {
        id: id.clone(),
        cluster: None,
        location: automation.location.clone(),
        base,
        selected,
        commit: spec.commit().clone(),
        push: spec.push().cloned(),
        checkout: spec.checkout_ref().or(checked_out),
    })
}
