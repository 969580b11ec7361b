//! The story of a run in a checkout: which files, which policies, which edits.
//!
//! Documents are read from the whole work tree, and from `--policies`; the
//! paths, or each automation's `update.path`, only limit what is edited.
//! Nothing is written here: what comes out are [`Replacement`]s. The order in which
//! the documents lead to edits is the [`engine`]'s.

pub mod address;
pub mod files;
pub mod git;
pub mod ignore_rules;
pub mod kustomization;
pub mod reach;
pub mod regular_file;
pub mod remotes;
pub mod request;
pub mod scope;
pub mod source_files;
pub mod tree_documents;
pub mod walk;
pub mod write;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use self::files::{Files, Outlined};
use self::reach::AutomationReach;
pub use self::request::{CannotPlan, Request};
use self::scope::{Scope, ScopeReach};
use self::source_files::{Refused, SourceFile};
use self::tree_documents::Given;
use crate::api::{Id, OnUnresolved};
use crate::binding::bindings::Bindings;
use crate::documents::Documents;
use crate::engine::{self, Run, SourceText, Whose};
use crate::finding::{Code, Finding, Location, Severity};
use crate::parallel;
use crate::path_name;
use crate::plan::edits::Plan;
use crate::plan::labels;
use crate::plan::planned::{Planned, Replacement};
use crate::policy::reflect::ImageRef;
use crate::selection::registry_queries::Ask;
use crate::selection::resolve::Resolved;
use yaml_edit_spans::patch::{Edit, Patched};

/// A checkout that was read, and a run that was started in it.
pub struct Checkout<'r> {
    /// The documents.
    pub documents: &'r Documents,
    /// The run.
    pub run: Run<'r>,
    files: &'r Files,
    /// The PATHs, where the user named some.
    paths: Option<Scope>,
    outlined: &'r [Outlined<'r>],
    /// The number that a file has among the texts of the run.
    numbers: Vec<Option<usize>>,
    /// What was found on the way.
    findings: Vec<Finding>,
}

impl<'r> Checkout<'r> {
    /// What was found on the way. Files that may hold documents and cannot be read are
    /// among it, for who edits nothing and so misses no others.
    #[must_use]
    pub fn take_findings(&mut self) -> Vec<Finding> {
        let mut findings = std::mem::take(&mut self.findings);
        let missed = self.files.refused.iter();
        let missed = missed.filter(|refused| refused.may_have_documents);
        findings.extend(missed.map(|refused| refused.finding.clone()));
        findings
    }

    /// The files with what is bound in them.
    fn bound(&self) -> impl Iterator<Item = (&'r SourceFile, &Bindings<'r, 'r>)> {
        let files = self.outlined.iter().zip(&self.numbers);
        files.filter_map(|(one, number)| Some((one.source, &self.run.bindings[(*number)?])))
    }
}

/// Reads a checkout, starts a run and goes on with it as `then` says.
///
/// # Errors
/// A path that cannot be looked at.
pub fn with<T>(request: &Request, then: impl FnOnce(Checkout<'_>) -> T) -> Result<T, CannotPlan> {
    let (given, files) = read(request);
    let mut files = files?;
    let sources = std::mem::take(&mut files.sources);
    let outlined = files.outlined(&sources, true);
    let (documents, mut findings) = tree_documents::read(given, &mut files, &outlined);
    let context = engine::context(&request.bindings, &documents);
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for one in &outlined {
        let outline = one.outline.as_ref().and_then(|read| read.as_ref().ok());
        let outline = outline.filter(|_| one.source.may_bind);
        numbers.push(outline.map(|_| texts.len()));
        texts.extend(outline.map(|outline| SourceText {
            name: &one.source.name,
            text: &one.source.text,
            outline,
        }));
    }
    let (run, of_snapshots) = Run::start(&documents, &context, &texts, request.freshness);
    findings.extend(of_snapshots);
    let paths = files.paths.take();
    Ok(then(Checkout {
        documents: &documents,
        run,
        files: &files,
        paths,
        outlined: &outlined,
        numbers,
        findings,
    }))
}

/// What flags name, and the files of the checkout.
fn read(request: &Request) -> (Given, Result<Files, CannotPlan>) {
    parallel::both(
        || tree_documents::given(&request.policies, &request.secrets),
        || Files::read(request),
    )
}

/// The documents of a checkout alone.
///
/// # Errors
/// A path that cannot be looked at.
pub fn documents(request: &Request) -> Result<Documents, CannotPlan> {
    let (given, files) = read(request);
    let mut files = files?;
    let sources = std::mem::take(&mut files.sources);
    let outlined = files.outlined(&sources, false);
    let (documents, _) = tree_documents::read(given, &mut files, &outlined);
    Ok(documents)
}

/// Plans an update. `ask` answers what only registries can tell.
///
/// # Errors
/// Where there is nothing to plan for.
pub fn plan(request: &Request, ask: Option<&mut Ask<'_>>) -> Result<Planned, CannotPlan> {
    with(request, |checkout| plan_in(checkout, request, ask))?
}

fn plan_in(
    mut checkout: Checkout<'_>,
    request: &Request,
    mut ask: Option<&mut Ask<'_>>,
) -> Result<Planned, CannotPlan> {
    let (documents, files) = (checkout.documents, checkout.files);
    let mut planned = Planned {
        root: files.root.clone(),
        ..Planned::default()
    };
    let findings = &mut planned.outcome.findings;
    findings.append(&mut checkout.findings);
    let targets = request.only.limit(documents)?;
    let query = request.query(targets.as_ref());
    let asked = checkout.run.learn(&query, Whose::Bound, ask.as_deref_mut());
    findings.extend(asked);
    let (mut unreached, mut is_suspended) = (Vec::new(), false);
    let mut scope = if let Some(paths) = checkout.paths.take() {
        paths
    } else {
        if documents.automations.is_empty() && !documents.has_unreadable_automation {
            return Err(no_scope(planned, &mut checkout));
        }
        let (run, root) = (&checkout.run, files.root.as_path());
        let settings = request.repositories.of(root).map(|found| found.settings());
        let checked_out = scope::CheckedOut {
            root,
            listing: &files.listing,
            settings: &settings.unwrap_or_default(),
        };
        let automations = scope::of_automations(documents, &run.images, &checked_out, findings);
        let reach = AutomationReach::new(&automations, &run.images, targets.as_ref(), root);
        let bound: Vec<_> = checkout.bound().collect();
        unreached = reach.findings(&bound);
        is_suspended = automations.are_suspended();
        Scope::Automations(automations.owners)
    };
    if let Some(targets) = &targets {
        scope.limit(targets);
    }
    let bound = plan_files(&checkout, &scope, request.on_unresolved, &mut planned);
    if bound == 0 && unreached.is_empty() && !is_suspended {
        planned.outcome.findings.push(Finding::nothing_bound());
    }
    planned.outcome.findings.extend(unreached);
    planned.images = changed_images(&planned, &checkout.run.images);
    if let Scope::Automations(owners) = scope {
        planned.owners = owners;
    }
    if let Some(ask) = ask.filter(|_| request.labels) {
        labels::ask(&mut planned, documents, ask);
    }
    Ok(planned)
}

/// What a commit needs to know of the policies that change something: their images.
fn changed_images(planned: &Planned, images: &BTreeMap<Id, Resolved>) -> BTreeMap<Id, ImageRef> {
    let changed = planned.outcome.changes.iter().map(|change| &change.policy);
    changed
        .filter_map(|id| Some((id.clone(), images.get(id)?.image.clone().ok()?)))
        .collect()
}

/// The files that could not be read, where that matters.
fn unread<'r>(
    refused: &'r [Refused],
    reach: &'r ScopeReach<'_>,
) -> impl Iterator<Item = Finding> + 'r {
    let counts = |one: &&Refused| one.may_have_documents || reach.at(&one.path).is_some();
    refused.iter().filter(counts).map(|one| one.finding.clone())
}

/// Why there is no automation: what was found, and the files with documents and
/// markers that nobody will come to now.
fn no_scope(planned: Planned, checkout: &mut Checkout<'_>) -> CannotPlan {
    let mut findings = planned.outcome.findings;
    findings.extend(checkout.take_findings());
    let left = checkout.outlined.iter();
    let left = left.filter(|one| one.source.has_documents && one.source.has_markers);
    findings.extend(left.filter_map(|one| {
        let error = one.outline.as_ref()?.as_ref().err()?;
        Some(checkout.files.unparsable(one.source, error))
    }));
    CannotPlan::NoScope(findings)
}

/// Plans every file that is in a scope and whose scalars may be bound; how many
/// of them are.
fn plan_files(
    checkout: &Checkout<'_>,
    scope: &Scope,
    on_unresolved: OnUnresolved,
    planned: &mut Planned,
) -> usize {
    let reach = scope.reach();
    let findings = &mut planned.outcome.findings;
    findings.extend(unread(&checkout.files.refused, &reach));
    let (mut texts, mut in_reach) = (Vec::new(), Vec::new());
    for (one, number) in checkout.outlined.iter().zip(&checkout.numbers) {
        let takers = reach.at(&one.source.path).filter(|_| one.source.may_bind);
        let Some(takers) = takers else { continue };
        in_reach.push(one);
        texts.extend(number.map(|number| (number, takers)));
    }
    // Their folders hold no links, so these are the files' real names.
    let real = in_reach.iter().filter(|one| !one.source.is_link);
    let real: HashSet<&Path> = real.map(|one| one.source.path.as_path()).collect();
    let name_of = |owner: Option<usize>| match (scope, owner) {
        (Scope::Automations(owners), Some(owner)) => {
            format!("ImageUpdateAutomation `{}`", owners[owner].id)
        }
        _ => "PATH".to_owned(),
    };
    let mut plans = checkout
        .run
        .plan(&texts, on_unresolved, &name_of)
        .into_iter();
    let mut whole = Plan::default();
    for one in in_reach {
        match &one.outline {
            Some(Ok(_)) => {
                let plan = plans.next().unwrap_or_default();
                whole.merge(replaced(one.source, plan, &real, &mut planned.replacements));
            }
            Some(Err(error)) if one.source.has_markers => {
                let finding = checkout.files.unparsable(one.source, error);
                whole.outcome.findings.push(finding);
            }
            // Nobody said that it is a manifest.
            _ => {}
        }
    }
    checkout.run.close(&mut whole);
    planned.outcome.extend(whole.outcome);
    whole.bound
}

/// Makes a replacement of the edits of a file. What stands against it is in the plan
/// that comes back.
fn replaced(
    source: &SourceFile,
    mut plan: Plan,
    real: &HashSet<&Path>,
    replacements: &mut Vec<Replacement>,
) -> Plan {
    if source.is_link {
        let mut unwritten = Plan::default();
        let finding = unwritten_link(source, &plan, real);
        unwritten.outcome.findings.extend(finding);
        return unwritten;
    }
    if plan.edits.is_empty() {
        return plan;
    }
    match replacement(source, std::mem::take(&mut plan.edits)) {
        Ok(replacement) => replacements.push(replacement),
        Err(why) => {
            plan.outcome.changes.clear();
            let finding = unwritten(source, Severity::Error, &why);
            plan.outcome.findings.push(finding);
        }
    }
    plan
}

/// Why links are left alone.
pub const LINK: &str = "is a link, and links are not written through";

/// A file that would change, and does not.
#[must_use]
pub fn unwritten(source: &SourceFile, severity: Severity, why: &str) -> Finding {
    let message = format!("would change, but {why}");
    let location = Location::file(&source.name);
    Finding::new(severity, Code::UnusableFile, message, location)
}

/// What a file is to be replaced by.
///
/// # Errors
/// Why it may not be.
pub fn replacement(source: &SourceFile, edits: Vec<Edit>) -> Result<Replacement, String> {
    write::may_replace(&source.status)?;
    let patched = Patched::new(&source.text, edits).map_err(|error| error.to_string())?;
    Ok(Replacement {
        path: source.path.clone(),
        name: source.name.clone(),
        status: source.status,
        old: Arc::clone(&source.text),
        edits: patched.into_edits(),
    })
}

/// A link that would change, unless its target is edited in its own right.
fn unwritten_link(source: &SourceFile, plan: &Plan, real: &HashSet<&Path>) -> Option<Finding> {
    let target = source.path.canonicalize().ok()?;
    if plan.edits.is_empty() || real.contains(target.as_path()) {
        return None;
    }
    let finding = unwritten(source, Severity::Warning, LINK);
    Some(finding.hint(format!("update `{}` instead", path_name::shown(&target))))
}
