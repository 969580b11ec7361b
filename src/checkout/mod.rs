//! The story of an update in place: which files, which policies, which edits.
//!
//! Documents are read from the whole work tree, and from `--policies`; the
//! paths, or each automation's `update.path`, only limit what is edited.
//! Nothing is written here: what comes out are [`Replacement`]s.

pub mod address;
pub mod git;
pub mod ignore_rules;
pub mod kustomization;
pub mod labels;
pub mod reach;
pub mod regular_file;
pub mod remotes;
pub mod scope;
pub mod source_files;
pub mod walk;
pub mod write;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::kustomization::Namespaces;
use self::reach::Reach;
use self::scope::{Owner, Scope, ScopeReach};
use self::source_files::SourceFile;
use self::walk::{Listed, Listing};
use self::write::Replacement;
use crate::api::{Id, OnUnresolved, TagSource};
use crate::parallel;
use crate::policy::reflect::ImageRef;
use crate::resource_list::outline;
use crate::tags::Labels;
use crate::update::bindings::{self, BindingConfig, BindingContext};
use crate::update::catalogue::{Catalogue, Freshness, Provenance, Rank};
use crate::update::current_digests::CurrentDigests;
use crate::update::only::{NoTarget, Only};
use crate::update::outcome::{Code, Finding, Location, Outcome, Severity};
use crate::update::path_name;
use crate::update::plan::{self, Plan, Policies};
use crate::update::registry_queries::{self, Ask, QueryScope};
use crate::update::resolve::{self, Refresh, Resolved, Sources};
use crate::update::takers::Takers;
use yaml_edit_spans::SyntaxError;
use yaml_edit_spans::patch::{Edit, Patched};

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that the run is in.
    pub current: PathBuf,
    /// Files and folders to edit; none stands for the automations' paths.
    pub paths: Vec<PathBuf>,
    /// Documents that beat those of the tree: file name and text.
    pub policies: Vec<(String, String)>,
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
    pub ways: BindingConfig,
}

impl Request {
    /// What the run wants to know.
    fn wish<'w>(
        &'w self,
        names: &'w dyn Fn() -> BTreeSet<String>,
        only: Option<&'w BTreeSet<Id>>,
    ) -> QueryScope<'w> {
        QueryScope {
            sources: Sources {
                tags_from: &self.tags_from,
                refresh: &self.refresh,
            },
            policies: Some(names),
            only,
            on_unresolved: self.on_unresolved,
        }
    }
}

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
    /// For each change, which of `owners` makes it; 0 where there are none.
    pub owned: Vec<usize>,
    /// The image of every policy that changes something.
    pub images: BTreeMap<Id, ImageRef>,
    /// What those images say of themselves, where that was asked for.
    pub labels: BTreeMap<Id, Labels>,
    /// The folder that patches are relative to: of the work tree, or else the
    /// one that the run is in.
    pub root: PathBuf,
}

impl Planned {
    /// A file as the work tree calls it.
    #[must_use]
    pub fn in_tree(&self, path: &Path) -> String {
        path_name::shown(self.inside(path))
    }

    /// A file's path from the work tree's root.
    #[must_use]
    pub fn inside<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Reports the files that could not be read, where that matters.
    fn note_refused(
        &mut self,
        refused: Vec<source_files::Refused>,
        reach: Option<&ScopeReach<'_>>,
    ) {
        let is_in = |path: &Path| reach.is_some_and(|reach| reach.at(path).is_some());
        let counts = |one: &source_files::Refused| one.may_have_documents || is_in(&one.path);
        let unread = refused.into_iter().filter(counts);
        let findings = unread.map(|refused| refused.finding);
        self.outcome.findings.extend(findings);
    }

    /// Keeps what a commit needs to know of the run.
    fn remember(&mut self, images: &BTreeMap<Id, Resolved>, scope: Scope, root: PathBuf) {
        let changed = self.outcome.changes.iter().map(|change| &change.policy);
        self.images = changed
            .filter_map(|id| Some((id.clone(), images.get(id)?.image.clone().ok()?)))
            .collect();
        if let Scope::Automations(owners) = scope {
            self.owners = owners;
        }
        self.root = root;
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

/// What was read of a checkout.
struct Read {
    catalogue: Catalogue,
    sources: Vec<SourceFile>,
    refused: Vec<source_files::Refused>,
    /// The PATHs, where the user named some.
    paths: Option<Scope>,
    named: BTreeSet<PathBuf>,
    root: PathBuf,
    /// What was found in it.
    listing: Listing,
}

/// Plans the run. `ask` answers what only registries can tell.
///
/// # Errors
/// Where there is nothing to plan for.
pub fn plan(request: &Request, mut ask: Option<&mut Ask<'_>>) -> Result<Planned, CannotPlan> {
    let read = read(request)?;
    let (mut catalogue, paths) = (read.catalogue, read.paths);
    let sources = read.sources;
    let mut planned = Planned::default();
    planned.outcome.findings.append(&mut catalogue.findings);
    let near = may_bind(&sources, paths.as_ref());
    let targets = request.only.limit(&catalogue)?;
    let rules = BindingContext::new(&request.ways, &catalogue);
    note_present(&mut catalogue, near.iter().copied(), &rules);
    let names = || {
        let named = near.iter().flat_map(|source| rules.names_in(&source.text));
        named.collect()
    };
    let wish = request.wish(&names, targets.as_ref());
    let (images, asked) = registry_queries::images(&mut catalogue, &wish, ask.as_deref_mut());
    planned.outcome.findings.extend(asked);
    if !request.labels {
        catalogue.forget_policies();
    }
    let (mut unreached, mut is_suspended) = (Vec::new(), false);
    let mut scope = if let Some(paths) = paths {
        paths
    } else {
        if catalogue.automations.is_empty() && !catalogue.has_unreadable_automation {
            planned.note_refused(read.refused, None);
            return Err(no_scope(planned, &sources, &read.named));
        }
        let outcome = &mut planned.outcome;
        let (root, listing) = (read.root.as_path(), &read.listing);
        let automations = scope::of_automations(&catalogue, &images, root, listing, outcome);
        let only = targets.as_ref();
        unreached = Reach::new(&automations, &images, &rules, only, root).findings(&sources);
        is_suspended = automations.are_suspended();
        Scope::Automations(automations.owners)
    };
    if let Some(targets) = &targets {
        scope.limit(targets);
    }
    let reach = scope.reach();
    planned.note_refused(read.refused, Some(&reach));
    let context = Context {
        images: &images,
        names: &plan::by_name(&images),
        on_unresolved: request.on_unresolved,
        named: &read.named,
        real: HashSet::new(),
        scope: &scope,
        rules: &rules,
    };
    let bound = plan_files(&sources, &reach, context, &mut planned);
    if bound == 0 && unreached.is_empty() && !is_suspended {
        planned.outcome.findings.push(Finding::nothing_bound());
    }
    planned.outcome.findings.extend(unreached);
    planned.remember(&images, scope, read.root);
    if let Some(ask) = ask.filter(|_| request.labels) {
        labels::ask(&mut planned, &catalogue, ask);
    }
    Ok(planned)
}

/// The files whose scalars may be bound: of the PATHs, where there are some.
fn may_bind<'s>(sources: &'s [SourceFile], paths: Option<&Scope>) -> Vec<&'s SourceFile> {
    let reach = paths.map(Scope::reach);
    let is_near = |source: &&SourceFile| {
        let reach = reach.as_ref();
        reach.is_none_or(|reach| reach.at(&source.path).is_some())
    };
    let bound = sources.iter().filter(|source| source.may_bind);
    bound.filter(is_near).collect()
}

/// The documents of a checkout, for what edits no file. Files that may hold some
/// and cannot be read are among its findings.
///
/// # Errors
/// A path that cannot be looked at.
pub fn catalogue(request: &Request) -> Result<Catalogue, CannotPlan> {
    let mut read = read(request)?;
    // Nothing is edited, so only documents are missed.
    let missed = (read.refused.into_iter()).filter(|refused| refused.may_have_documents);
    let unread = missed.map(|refused| refused.finding);
    read.catalogue.findings.extend(unread);
    let bound = read.sources.iter().filter(|source| source.may_bind);
    let rules = BindingContext::new(&request.ways, &read.catalogue);
    note_present(&mut read.catalogue, bound, &rules);
    Ok(read.catalogue)
}

/// Takes in what the bound scalars of some files carry, where a policy wants
/// to know.
fn note_present<'s>(
    catalogue: &mut Catalogue,
    sources: impl Iterator<Item = &'s SourceFile>,
    rules: &BindingContext<'_>,
) {
    let Some(mut carried) = CurrentDigests::wanted(catalogue) else {
        return;
    };
    for source in sources {
        // What cannot be read is reported where it is planned.
        if let Ok(outline) = outline::read(&source.text) {
            let bindings = bindings::bind(&source.text, &outline, "", rules);
            carried.add(&bindings, rules);
        }
    }
    catalogue.tags.note_present(carried.present());
}

fn read(request: &Request) -> Result<Read, CannotPlan> {
    let current = (request.current.canonicalize()).unwrap_or_else(|_| request.current.clone());
    let paths: Vec<PathBuf> = request.paths.iter().map(|path| absolute(path)).collect();
    let root = git::work_tree(paths.first().unwrap_or(&current));
    let named: BTreeSet<PathBuf> = paths
        .iter()
        .filter(|path| !path.is_dir())
        .cloned()
        .collect();
    let show = |path: &Path| shown(path, &current);

    let whole = root
        .clone()
        .or_else(|| paths.is_empty().then(|| current.clone()));
    let (mut catalogue, listed) = parallel::both(
        || read_policies(request),
        || list_all(&paths, request, whole.as_deref()),
    );
    let (listing, scope) = listed?;
    let notes = listing.notes.iter().map(|note| note.finding(&show));
    catalogue.findings.extend(notes);
    // Outside a work tree, links may lead anywhere under the first path.
    let confine = whole
        .clone()
        .or_else(|| paths.first().map(|path| folder_of(path)));
    let confine = confine.unwrap_or_else(|| current.clone());
    let (sources, mut refused) = source_files::read_all(
        &listing.files,
        &confine,
        &named,
        request.ways.look_at_all(),
        &show,
    );
    let mut namespaces = Namespaces::under(roots(&confine, &paths));
    read_documents(&sources, &named, &mut namespaces, &mut catalogue);
    catalogue.finish(request.freshness);
    if catalogue.needs_logins() {
        read_logins(
            &listing.files,
            &confine,
            &show,
            &mut namespaces,
            &mut catalogue,
        );
    }
    let unread = note_unread(namespaces, &mut refused, &show);
    catalogue.findings.extend(unread);
    Ok(Read {
        catalogue,
        sources,
        refused,
        paths: scope,
        named,
        root: whole.unwrap_or(current),
        listing,
    })
}

/// The folders whose kustomizations count: the root of the run, and of each path
/// elsewhere its work tree, or else its folder.
fn roots(confine: &Path, paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut roots = BTreeSet::from([confine.to_path_buf()]);
    for path in paths {
        let is_known = roots.iter().any(|root| path.starts_with(root));
        match git::work_tree(path) {
            Some(root) => _ = roots.insert(root),
            None if !is_known => _ = roots.insert(folder_of(path)),
            None => {}
        }
    }
    roots
}

/// Kustomizations that could not be read, and so gave no namespace to documents
/// below them: those among the refused files count wherever they are, and the
/// others are reported here.
fn note_unread(
    namespaces: Namespaces,
    refused: &mut [source_files::Refused],
    show: &dyn Fn(&Path) -> String,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, why) in namespaces.unread {
        let mut refused = refused.iter_mut();
        match refused.find(|refused| refused.path == path) {
            Some(refused) => refused.may_have_documents = true,
            None => findings.push(Finding::new(
                Severity::Warning,
                Code::UnusableFile,
                why,
                Location::file(show(&path)),
            )),
        }
    }
    findings
}

/// What an ImageRepository may refer to: the Secrets of the tree, and what goes
/// with them.
fn read_logins(
    files: &[Listed],
    root: &Path,
    show: &(dyn Fn(&Path) -> String + Sync),
    namespaces: &mut Namespaces,
    catalogue: &mut Catalogue,
) {
    for (path, text) in
        source_files::read_holding(files, root, &["Secret", "ServiceAccount", "Namespace"])
    {
        // A text that cannot be read holds no Secret, and was reported where it
        // matters.
        let Ok(outline) = outline::read(&text) else {
            continue;
        };
        let default_namespace = namespaces.of(&path);
        let origin = Provenance {
            file: &show(&path),
            rank: Rank::Tree,
            default_namespace: default_namespace.as_deref(),
            severity: Severity::Error,
        };
        catalogue.logins.add(&text, &outline, origin);
    }
}

/// The files to look at, and the scope that the paths make.
fn list_all(
    paths: &[PathBuf],
    request: &Request,
    whole: Option<&Path>,
) -> Result<(Listing, Option<Scope>), CannotPlan> {
    let mut listing = Listing::default();
    let mut scope = None;
    if !paths.is_empty() {
        for (path, written) in paths.iter().zip(&request.paths) {
            listing.extend(list(path, written)?);
        }
        scope = Some(Scope::of_paths(&listing.files));
    }
    if let Some(whole) = whole {
        listing.extend(list(whole, whole)?);
    }
    walk::sort(&mut listing.files);
    Ok((listing, scope))
}

fn list(path: &Path, written: &Path) -> Result<Listing, CannotPlan> {
    walk::files_under(path).map_err(|source| CannotPlan::Path {
        path: written.to_path_buf(),
        source,
    })
}

/// A path from the root without links in its folders, so that one file has one
/// name. A link to a file stays a link.
fn absolute(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    }
    match (folder_of(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// The folder itself, or the one that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_path_buf();
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_path_buf()
}

fn shown(path: &Path, current: &Path) -> String {
    path_name::shown(path.strip_prefix(current).unwrap_or(path))
}

fn read_documents(
    sources: &[SourceFile],
    named: &BTreeSet<PathBuf>,
    namespaces: &mut Namespaces,
    catalogue: &mut Catalogue,
) {
    for source in sources
        .iter()
        .filter(|source| source.has_documents && !source.is_link)
    {
        let outline = match outline::read(&source.text) {
            Ok(outline) => outline,
            // Reported where its markers are planned.
            Err(_) if source.has_markers => continue,
            Err(error) => {
                catalogue.findings.push(unparsable(source, named, error));
                continue;
            }
        };
        let default_namespace = namespaces.of(&source.path);
        let origin = Provenance {
            file: &source.name,
            rank: Rank::Tree,
            default_namespace: default_namespace.as_deref(),
            severity: Severity::Error,
        };
        catalogue.add_outline(&source.text, &outline, origin);
    }
}

/// The documents of `--policies` and `--secret`.
fn read_policies(request: &Request) -> Catalogue {
    let mut catalogue = Catalogue::default();
    let mut namespaces = Namespaces::default();
    for (name, text) in &request.policies {
        let namespace = namespaces.of_given(name);
        let origin = Provenance {
            default_namespace: namespace.as_deref(),
            ..Provenance::flag(name)
        };
        match outline::read(text) {
            Ok(outline) => {
                catalogue.add_outline(text, &outline, origin);
                catalogue.logins.add(text, &outline, origin);
            }
            Err(error) => {
                let location = Location::new(name.clone(), error.place);
                catalogue.findings.push(Finding::new(
                    Severity::Error,
                    Code::Unparsable,
                    error.message,
                    location,
                ));
            }
        }
    }
    for (name, text) in &request.secrets {
        if let Ok(outline) = outline::read(text) {
            catalogue.logins.add(text, &outline, Provenance::flag(name));
        }
    }
    catalogue
}

/// Why there is no automation: what was found, and the files with documents and
/// markers that nobody will come to now.
fn no_scope(planned: Planned, sources: &[SourceFile], named: &BTreeSet<PathBuf>) -> CannotPlan {
    let mut findings = planned.outcome.findings;
    let left = (sources.iter()).filter(|source| source.has_documents && source.has_markers);
    findings.extend(left.filter_map(|source| {
        let error = outline::read(&source.text).err()?;
        Some(unparsable(source, named, error))
    }));
    CannotPlan::NoScope(findings)
}

fn unparsable(source: &SourceFile, named: &BTreeSet<PathBuf>, error: SyntaxError) -> Finding {
    let severity = if named.contains(&source.path) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let location = Location::new(source.name.clone(), error.place);
    Finding::new(
        severity,
        Code::Unparsable,
        format!("is no YAML: {}", error.message),
        location,
    )
}

/// Plans every file that is in a scope and whose scalars may be bound; how many
/// of them are.
fn plan_files(
    sources: &[SourceFile],
    reach: &ScopeReach<'_>,
    mut context: Context<'_>,
    planned: &mut Planned,
) -> usize {
    let in_scope: Vec<(&SourceFile, Takers<'_>)> = sources
        .iter()
        .filter(|source| source.may_bind)
        .filter_map(|source| Some((source, reach.at(&source.path)?)))
        .collect();
    // Their folders hold no links, so these are the files' real names.
    context.real = in_scope
        .iter()
        .filter(|(source, _)| !source.is_link)
        .map(|(source, _)| source.path.clone().into_os_string())
        .collect();
    let context = context;
    let work = |share: &[(&SourceFile, Takers<'_>)]| -> Vec<FilePlan> {
        share
            .iter()
            .map(|(source, takers)| plan_file(source, takers, &context))
            .collect()
    };
    let (mut bound, mut used, mut matched) = (0, BTreeSet::new(), BTreeSet::new());
    for part in parallel::map(&in_scope, &work) {
        bound += part.bound;
        used.extend(part.used);
        matched.extend(part.matched);
        planned.outcome.extend(part.outcome);
        planned.owned.extend(part.owners);
        if let Some(replacement) = part.replacement {
            planned.replacements.push(replacement);
        }
    }
    let unmatched = bindings::report_unmatched(&context.rules.ways.fields, &matched);
    planned.outcome.findings.extend(unmatched);
    resolve::report_unused(context.images, &used, &mut planned.outcome);
    bound
}

/// What the plan of each file needs to know of the run.
struct Context<'a> {
    images: &'a BTreeMap<Id, Resolved>,
    names: &'a plan::Names<'a>,
    on_unresolved: OnUnresolved,
    /// Files that the user named.
    named: &'a BTreeSet<PathBuf>,
    /// Files that are edited in their own right.
    real: HashSet<OsString>,
    scope: &'a Scope,
    rules: &'a BindingContext<'a>,
}

#[derive(Default)]
struct FilePlan {
    outcome: Outcome,
    replacement: Option<Replacement>,
    bound: usize,
    used: BTreeSet<Id>,
    /// For each change, whose it is.
    owners: Vec<usize>,
    /// Which of the configuration's fields found their resource.
    matched: BTreeSet<usize>,
}

fn plan_file(source: &SourceFile, takers: &Takers<'_>, context: &Context<'_>) -> FilePlan {
    let mut part = FilePlan::default();
    let outline = match outline::read(&source.text) {
        Ok(outline) => outline,
        // Nobody said that it is a manifest.
        Err(_) if !source.has_markers => return part,
        Err(error) => {
            let finding = unparsable(source, context.named, error);
            part.outcome.findings.push(finding);
            return part;
        }
    };
    let bindings = bindings::bind(&source.text, &outline, &source.name, context.rules);
    let policies = Policies {
        all: context.images,
        names: context.names,
        takers,
        name_of: &|number| match context.scope {
            Scope::Automations(owners) => format!("ImageUpdateAutomation `{}`", owners[number].id),
            Scope::Paths { .. } => "PATH".to_owned(),
        },
        on_unresolved: context.on_unresolved,
        images: &context.rules.images,
        renamed: &BTreeMap::new(),
    };
    let plan = plan::plan(&source.text, &bindings, &source.name, &policies);
    if source.is_link {
        part.outcome
            .findings
            .extend(unwritten_link(source, &plan, &context.real));
        return part;
    }
    part.bound = plan.bound;
    part.used = plan.used;
    part.matched = plan.matched;
    part.outcome = plan.outcome;
    part.owners = plan.owners;
    if plan.edits.is_empty() {
        return part;
    }
    match replacement(source, plan.edits) {
        Ok(replacement) => part.replacement = Some(replacement),
        Err(why) => {
            part.outcome.changes.clear();
            part.owners.clear();
            let finding = unwritten(source, Severity::Error, &why);
            part.outcome.findings.push(finding);
        }
    }
    part
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
    write::may_replace(&source.metadata)?;
    let patched = Patched::new(&source.text, edits).map_err(|error| error.to_string())?;
    Ok(Replacement {
        path: source.path.clone(),
        name: source.name.clone(),
        metadata: source.metadata.clone(),
        old: Arc::clone(&source.text),
        edits: patched.into_edits(),
    })
}

/// A link that would change, unless its target is edited in its own right.
fn unwritten_link(source: &SourceFile, plan: &Plan, real: &HashSet<OsString>) -> Option<Finding> {
    let target = source.path.canonicalize().ok()?;
    if plan.edits.is_empty() || real.contains(target.as_os_str()) {
        return None;
    }
    let finding = unwritten(source, Severity::Warning, LINK);
    Some(finding.hint(format!("update `{}` instead", path_name::shown(&target))))
}
