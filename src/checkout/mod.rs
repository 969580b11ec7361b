//! The story of a run in a checkout: which files, which policies, which edits.
//!
//! Documents are read from the whole work tree, and from `--policies`; the
//! paths, or each automation's `update.path`, only limit what is edited.
//! Nothing is written here: what comes out are [`Replacement`]s. The order in which
//! the documents lead to edits is the [`engine`]'s.

pub mod address;
pub mod artifact;
pub mod cluster_folders;
pub mod clusters;
pub mod commit_tree;
pub mod files;
pub mod git;
pub mod ignore_rules;
pub mod kustomization;
pub mod kustomize;
pub mod reach;
pub mod regular_file;
pub mod remotes;
pub mod request;
pub mod scope;
pub mod source_files;
pub mod survey;
pub mod texts;
pub mod tree_documents;
pub mod walk;
pub mod write;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use self::clusters::Seen;
use self::files::{Files, Outlined, Sources};
use self::git::Repositories;
use self::reach::AutomationReach;
pub use self::request::{CannotPlan, Request};
use self::scope::{Automations, Scope, ScopeReach};
use self::source_files::{Refused, SourceFile};
use crate::api::{Id, ImagePolicyTest, OnUnresolved};
use crate::binding::bindings::PolicyRef;
use crate::binding::marker::MarkerTarget;
use crate::documents::Documents;
use crate::documents::builder::Builder;
use crate::engine::{self, Learned, Run, SourceText, Whose};
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::compare::Unread;
use crate::parallel;
use crate::path_name;
use crate::plan;
use crate::plan::edits::Plan;
use crate::plan::labels;
use crate::plan::planned::{Planned, PolicyKey, Replacement};
use crate::plan::unreached::Unreached;
use crate::policy::reflect::ImageRef;
use crate::selection::current_digests::CurrentDigests;
use crate::selection::registry_queries::Ask;
use crate::selection::resolve::Resolved;
use yaml_edit_spans::patch::{Edit, Patched};

/// Where scalars are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundIn {
    /// In the files of the PATHs, or in all where there are none: to edit them.
    Reach,
    /// In all files, for the digests that they carry, where a policy wants to know.
    Tree,
    /// In all files, also those that name an image and have no marker.
    Everything,
}

/// A checkout that was read, and a run that was started in it.
pub struct Checkout<'r> {
    /// The cluster that sees the documents; `None` for documents as they lie.
    pub cluster: Option<String>,
    /// The documents.
    pub documents: &'r Documents,
    /// The run.
    pub run: Run<'r>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
    tree: Tree<'r>,
}

/// The files of a checkout.
#[derive(Clone, Copy)]
struct Tree<'r> {
    files: &'r Files,
    paths: &'r Option<Scope>,
    outlined: &'r [Outlined<'r>],
    /// Whether the user has named one cluster, beside which there may be others.
    is_of_one_cluster: bool,
}

impl<'r> Checkout<'r> {
    /// The policies of the values on a line of a file, as markers name them; `None` where the
    /// file has none.
    #[must_use]
    pub fn bound_at(&self, file: &Path, line: usize) -> Option<BTreeSet<Id>> {
        let file = self.tree.files.current.join(file);
        let texts = self.tree.outlined.iter();
        let mut texts = texts.filter(|one| one.source.path == file);
        let bindings = &self.run.bindings()[texts.find_map(|one| one.number)?];
        let bound = bindings.bound.iter().filter(|one| one.place.line == line);
        let named = bound.filter_map(|one| match &one.policy {
            PolicyRef::Named(setter) => MarkerTarget::parse(setter),
            PolicyRef::Of(..) => None,
        });
        Some(
            named
                .map(|target| Id::new(target.namespace, target.name))
                .collect(),
        )
    }

    /// Files that may hold documents and could not be read.
    pub fn missed(&self) -> impl Iterator<Item = Finding> + use<'r> {
        self.tree.missed()
    }

    /// The files that may hold documents and could not be read. Where clusters see the
    /// documents, builds say what is missing.
    #[must_use]
    pub fn unread_documents(&self) -> Vec<Unread> {
        if self.cluster.is_some() {
            return Vec::new();
        }
        let outlined = self.tree.outlined.iter();
        let broken = outlined
            .filter(|one| has_own_documents(one.source) && matches!(one.outline, Some(Err(_))));
        let broken = broken.map(|one| Unread {
            name: one.source.name.clone(),
            text: Some(Arc::clone(&one.source.text)),
        });
        let refused = self.tree.files.refused.iter();
        let refused = refused.filter(|one| one.may_have_documents);
        let refused = refused.map(|one| Unread {
            name: one.finding.location.file.clone(),
            text: None,
        });
        broken.chain(refused).collect()
    }
}

impl<'r> Tree<'r> {
    fn missed(self) -> impl Iterator<Item = Finding> + use<'r> {
        let refused = self.files.refused.iter();
        let missed = refused.filter(|refused| refused.may_have_documents);
        missed.map(|refused| refused.finding.clone())
    }
}

/// Reads a checkout, starts a run and goes on with it as `then` says.
///
/// # Errors
/// A path that cannot be looked at.
pub fn with<T>(
    request: &Request,
    repositories: &Repositories,
    bound_in: BoundIn,
    mut then: impl FnMut(Checkout<'_>) -> T,
) -> Result<Vec<T>, CannotPlan> {
    let images = bound_in == BoundIn::Everything;
    let (given, read) = read(request, repositories, images);
    let (mut files, sources) = read?;
    let are_read = request.clusters.paths.is_empty() && request.has_tree_documents;
    let is_read = |source: &SourceFile| are_read && has_own_documents(source);
    let mut outlined = files::outlined(&sources.main, is_read);
    let beside = sources.beside;
    let seen = seen(
        request,
        given,
        &mut files,
        &mut outlined,
        &beside,
        (repositories, bound_in),
    )?;
    drop(beside);
    let reach = sources.paths.as_ref().map(Scope::reach);
    let is_bound = |source: &SourceFile| match bound_in {
        BoundIn::Tree | BoundIn::Everything => source.may_bind,
        BoundIn::Reach => {
            let reach = reach.as_ref();
            source.may_bind && reach.is_none_or(|reach| reach.at(&source.path).is_some())
        }
    };
    let mut documents = seen.iter().map(|one| &one.documents);
    if bound_in != BoundIn::Tree || documents.any(|one| CurrentDigests::wanted(one).is_some()) {
        files::outline_more(&mut outlined, is_bound);
    }
    let texts = outlined.iter().filter(|one| one.number.is_some());
    let texts = texts.filter_map(|one| {
        Some(SourceText {
            name: &one.source.name,
            text: &one.source.text,
            outline: one.outline.as_ref()?.as_ref().ok()?,
        })
    });
    let texts: Vec<SourceText<'_>> = texts.collect();
    let with_one = |one: Seen| {
        let (documents, mut findings) = (one.documents, one.findings);
        let context = engine::context(&request.bindings, &documents);
        let (run, of_snapshots) = Run::start(&documents, &context, &texts, request.freshness);
        findings.extend(of_snapshots);
        findings.extend(one.unread);
        then(Checkout {
            cluster: one.cluster,
            documents: &documents,
            run,
            findings,
            tree: Tree {
                files: &files,
                paths: &sources.paths,
                outlined: &outlined,
                is_of_one_cluster: request.clusters.paths.len() == 1,
            },
        })
    };
    Ok(seen.into_iter().map(with_one).collect())
}

/// The documents of a run: those of clusters, those that lie in the tree, or those of
/// flags alone.
fn seen(
    request: &Request,
    given: Builder,
    files: &mut Files,
    outlined: &mut [Outlined<'_>],
    beside: &[SourceFile],
    (repositories, bound_in): (&Repositories, BoundIn),
) -> Result<Vec<Seen>, CannotPlan> {
    let paths = &request.clusters.paths;
    if !paths.is_empty() {
        return clusters::read(request, paths, &given, files, outlined, repositories);
    }
    if !request.has_tree_documents {
        return Ok(vec![tree_documents::of_flags(given)]);
    }
    let lying = tree_documents::read(given.clone(), files, outlined, beside);
    let found = clusters::Found {
        lying,
        bound_in,
        given: &given,
        beside,
    };
    clusters::instead(found, request, files, outlined, repositories)
}

/// Whether documents are read of a file: none through a link.
fn has_own_documents(source: &SourceFile) -> bool {
    source.has_documents && !source.is_link
}

/// What flags name, and the files of the checkout.
fn read(
    request: &Request,
    repositories: &Repositories,
    images: bool,
) -> (Builder, Result<(Files, Sources), CannotPlan>) {
    let given = || {
        let mut builder = tree_documents::given(&request.policies);
        tree_documents::add_secrets(&mut builder, &request.secrets);
        builder
    };
    parallel::both(given, || Files::read(request, repositories, images))
}

/// The documents of a checkout alone.
///
/// # Errors
/// A path that cannot be looked at.
pub fn documents(request: &Request, repositories: &Repositories) -> Result<Documents, CannotPlan> {
    let (given, read) = read(request, repositories, false);
    let (mut files, sources) = read?;
    let outlined = files::outlined(&sources.main, has_own_documents);
    let read = tree_documents::read(given, &mut files, &outlined, &sources.beside);
    Ok(read.documents)
}

/// The ImagePolicyTests of a checkout.
pub struct Tests {
    /// The tests and where they stand, in the order of the files.
    pub tests: Vec<(ImagePolicyTest, Location)>,
    /// What is wrong with some of them.
    pub findings: Vec<Finding>,
}

/// The ImagePolicyTests of a checkout: those of flags, and of the PATHs, or of all files
/// where there are none. They are read as they lie, whatever clusters see.
///
/// # Errors
/// A path that cannot be looked at.
pub fn tests(request: &Request, repositories: &Repositories) -> Result<Tests, CannotPlan> {
    let (given, read) = read(request, repositories, false);
    let (mut files, sources) = read?;
    let may_test =
        |source: &SourceFile| has_own_documents(source) && source.text.contains("ImagePolicyTest");
    let outlined = files::outlined(&sources.main, may_test);
    let documents = tree_documents::read(given, &mut files, &outlined, &sources.beside).documents;
    let mut findings = documents.of_tests;
    for one in &outlined {
        if let Some(Err(error)) = &one.outline {
            // Tests that are not run are not passed.
            findings.push(Finding {
                severity: Severity::Error,
                ..files.unparsable(one.source, error)
            });
        }
    }
    let reach = sources.paths.as_ref().map(Scope::reach);
    let is_out = |source: &SourceFile| {
        let reach = reach.as_ref();
        reach.is_some_and(|reach| reach.at(&source.path).is_none())
    };
    let others = outlined.iter().map(|one| one.source);
    let others = others.filter(|one| is_out(one));
    let mut others: HashSet<&str> = others.map(|one| one.name.as_str()).collect();
    for given in &request.policies {
        others.remove(given.name.as_str());
    }
    let mut tests = documents.tests;
    tests.retain(|(_, location)| !others.contains(location.file.as_str()));
    findings.retain(|finding| !others.contains(finding.location.file.as_str()));
    // A flag may name a file of the tree.
    let mut known = HashSet::new();
    tests.retain(|(_, at)| known.insert((at.file.clone(), at.line, at.column)));
    Ok(Tests { tests, findings })
}

/// Plans an update. `ask` answers what only registries can tell.
///
/// # Errors
/// Where there is nothing to plan for.
pub fn plan(
    request: &Request,
    repositories: &Repositories,
    mut ask: Option<&mut Ask<'_>>,
) -> Result<Planned, CannotPlan> {
    let planned = with(request, repositories, BoundIn::Reach, |checkout| {
        let cluster = checkout.cluster.clone();
        let planned = plan_in(checkout, request, repositories, ask.as_deref_mut());
        planned.map(|planned| (cluster, planned))
    })?;
    let mut of_clusters = Vec::new();
    let mut said = Vec::new();
    for planned in planned {
        match planned {
            Ok((None, planned)) => return Ok(planned),
            Ok((Some(cluster), planned)) => of_clusters.push((cluster, planned)),
            // One without automations is no reason to leave the others.
            Err(CannotPlan::NoScope(findings)) if request.clusters.paths.len() != 1 => {
                said.push(findings);
            }
            Err(error) => return Err(error),
        }
    }
    if of_clusters.is_empty() && !said.is_empty() {
        return Err(CannotPlan::NoScope(said.swap_remove(0)));
    }
    let mut planned = plan::clusters::together(of_clusters);
    planned.outcome.findings.extend(said.into_iter().flatten());
    Ok(planned)
}

fn plan_in(
    checkout: Checkout<'_>,
    request: &Request,
    repositories: &Repositories,
    mut ask: Option<&mut Ask<'_>>,
) -> Result<Planned, CannotPlan> {
    let (documents, tree) = (checkout.documents, checkout.tree);
    let root = tree.files.root.as_path();
    let mut planned = Planned {
        root: root.to_path_buf(),
        ..Planned::default()
    };
    let findings = &mut planned.outcome.findings;
    findings.extend(checkout.findings);
    let targets = request.only.limit(documents)?;
    let query = request.query(targets.as_ref());
    let run = checkout.run;
    let (learned, asked) = run.learn(&query, Whose::Bound, ask.as_deref_mut());
    findings.extend(asked);
    let mut unreached = Vec::new();
    let mut is_suspended = false;
    let mut scope = if let Some(paths) = tree.paths {
        paths.clone()
    } else {
        if documents.automations.is_empty() && !documents.has_unreadable_automation {
            return Err(no_scope(planned, tree));
        }
        let images = &learned.images;
        let automations = automations_of(
            documents,
            images,
            tree,
            (request, repositories, &[]),
            findings,
        );
        let reach = AutomationReach::new(&automations, images, targets.as_ref(), tree);
        let bound = tree.outlined.iter();
        let bound = bound.filter_map(|one| Some((one.source, &learned.bindings()[one.number?])));
        unreached = reach.unreached(&bound.collect::<Vec<_>>());
        is_suspended = automations.are_suspended();
        Scope::Automations(automations.owners)
    };
    if let Some(targets) = &targets {
        scope.limit(targets);
    }
    let bound = plan_files(tree, &learned, &scope, request.on_unresolved, &mut planned);
    let is_wrong = |one: &Finding| one.severity == Severity::Error || one.leaves_unjudged;
    let is_said = planned.outcome.findings.iter().any(is_wrong);
    // What is wrong was said; that nothing is bound follows from it.
    if bound == 0 && unreached.is_empty() && !is_suspended && !is_said {
        planned.outcome.findings.push(Finding::nothing_bound());
    }
    match checkout.cluster {
        // What one cluster leaves another may reach.
        Some(_) => planned.unreached = unreached,
        None => (planned.outcome.findings).extend(unreached.iter().filter_map(Unreached::finding)),
    }
    planned.images = changed_images(&planned, &learned.images);
    if let Scope::Automations(owners) = scope {
        planned.owners = owners;
    }
    if let Some(ask) = ask.filter(|_| request.labels) {
        labels::ask(&mut planned, documents, ask);
    }
    Ok(planned)
}

/// The automations of a checkout, and what each may edit of it. Besides the GitRepositories
/// that are remotes, and those that the user names, those of `own` are it.
fn automations_of(
    documents: &Documents,
    images: &BTreeMap<Id, Resolved>,
    tree: Tree<'_>,
    (request, repositories, own): (&Request, &Repositories, &[&Id]),
    findings: &mut Vec<Finding>,
) -> Automations {
    let root = tree.files.root.as_path();
    let settings = repositories.of(&tree.files.configured);
    let settings = settings.map(|found| found.settings());
    let mut named = request.clusters.named_here(root);
    named.extend(own.iter().map(|id| (*id).clone()));
    let checked_out = scope::CheckedOut {
        root,
        listing: &tree.files.listing,
        settings: &settings.unwrap_or_default(),
        named,
    };
    scope::of_automations(documents, images, &checked_out, findings)
}

/// What a commit needs to know of the policies that change something: their images.
fn changed_images(
    planned: &Planned,
    images: &BTreeMap<Id, Resolved>,
) -> BTreeMap<PolicyKey, ImageRef> {
    let changes = planned.outcome.changes.iter();
    changes
        .filter_map(|change| {
            let image = images.get(&change.policy)?.image.clone().ok()?;
            Some((change.policy_key(), image))
        })
        .collect()
}

/// The files that could not be read, where that matters.
fn unread<'r>(
    refused: &'r [Refused],
    reach: &'r ScopeReach<'_>,
) -> impl Iterator<Item = Finding> + 'r {
    refused.iter().filter_map(|one| {
        let is_in_reach = reach.at(&one.path).is_some();
        match (is_in_reach, one.may_have_documents) {
            // What it holds is nobody's to judge.
            (true, _) => Some(one.finding.clone().unjudged()),
            (false, true) => Some(one.finding.clone()),
            (false, false) => None,
        }
    })
}

/// Why there is no automation: what was found, and the files with documents and
/// markers that nobody will come to now.
fn no_scope(planned: Planned, tree: Tree<'_>) -> CannotPlan {
    let mut findings = planned.outcome.findings;
    findings.extend(tree.missed());
    let left = tree.outlined.iter();
    let left = left.filter(|one| one.source.has_documents && one.source.has_markers);
    findings.extend(left.filter_map(|one| {
        let error = one.outline.as_ref()?.as_ref().err()?;
        Some(tree.files.unparsable(one.source, error))
    }));
    CannotPlan::NoScope(findings)
}

/// Plans every file that is in a scope and whose scalars may be bound; how many
/// of them are.
fn plan_files(
    tree: Tree<'_>,
    learned: &Learned<'_>,
    scope: &Scope,
    on_unresolved: OnUnresolved,
    planned: &mut Planned,
) -> usize {
    let reach = scope.reach();
    let findings = &mut planned.outcome.findings;
    findings.extend(unread(&tree.files.refused, &reach));
    let (mut texts, mut in_reach) = (Vec::new(), Vec::new());
    for one in tree.outlined.iter().filter(|one| one.source.may_bind) {
        let Some(takers) = reach.at(&one.source.path) else {
            continue;
        };
        in_reach.push(one);
        texts.extend(one.number.map(|number| (number, takers)));
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
    let mut plans = learned.plan(&texts, on_unresolved, &name_of).into_iter();
    let mut whole = Plan::default();
    for one in in_reach {
        match (one.number, &one.outline) {
            (Some(_), _) => {
                if let Some(plan) = plans.next() {
                    whole.merge(replaced(one.source, plan, &real, &mut planned.replacements));
                }
            }
            (None, Some(Err(error))) if one.source.has_markers => {
                let finding = tree.files.unparsable(one.source, error);
                whole.outcome.findings.push(finding.unjudged());
            }
            // Nobody said that it is a manifest.
            _ => {}
        }
    }
    learned.close(&mut whole);
    planned.kept = whole.kept;
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
pub const LINK: &str = "this is a link, and links are not written through";

/// A file that would change, and does not.
#[must_use]
pub fn unwritten(source: &SourceFile, severity: Severity, why: &str) -> Finding {
    let message = format!("this file would change, but {why}");
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
    let finding = unwritten(source, Severity::Warning, LINK).unjudged();
    Some(finding.hint(format!("update `{}` instead", path_name::shown(&target))))
}
