//! The story of an update in place: which files, which policies, which edits.
//!
//! Documents are read from the whole work tree, and from `--policies`; the
//! paths, or each automation's `update.path`, only limit what is edited.
//! Nothing is written here: what comes out are [`Replacement`]s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{io, thread};

use kube_core::{Selector, SelectorExt as _};

use super::catalogue::{Catalogue, Origin, Rank, Sourced};
use super::files::{self, Replacement};
use super::outcome::{Code, Finding, Location, Outcome, Severity};
use super::plan::{self, Policies};
use super::resolve::{self, Resolved};
use super::tree::{self, SourceFile};
use crate::api::{Id, ImageUpdateAutomation, OnUnresolved, TagSource};
use crate::resource_list::outline;
use crate::yaml::patch;

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
}

/// What is to be written, and what happened.
#[derive(Debug, Default)]
pub struct Planned {
    /// Files and their new contents, in lexical order.
    pub replacements: Vec<Replacement>,
    /// What changes, and what else there is to know.
    pub outcome: Outcome,
    /// How files are called in the outcome, by path.
    pub names: BTreeMap<PathBuf, String>,
}

/// Why there is nothing to do at all.
#[derive(Debug, thiserror::Error)]
pub enum CannotPlan {
    /// A path that cannot be looked at.
    #[error("{}: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No path was given and no automation names one.
    #[error("no ImageUpdateAutomation was found, and no PATH was given")]
    NoScope,
}

/// Which policies may write to a file: `None` for all.
type Selected = Option<BTreeSet<Id>>;

/// Plans the run.
///
/// # Errors
/// Where there is nothing to plan for.
pub fn plan(request: &Request) -> Result<Planned, CannotPlan> {
    let root = tree::work_tree(&request.current).or_else(|| request.paths.first().and_then(|path| tree::work_tree(path)));
    let named: BTreeSet<PathBuf> = request.paths.iter().filter(|path| path.is_file()).cloned().collect();
    let show_root = root.clone().unwrap_or_else(|| request.current.clone());
    let current = request.current.canonicalize().unwrap_or_else(|_| request.current.clone());
    let show = |path: &Path| shown(path, &current);

    let mut listed = BTreeSet::new();
    let mut scopes: Vec<(BTreeSet<PathBuf>, Selected)> = Vec::new();
    if !request.paths.is_empty() {
        let mut files = BTreeSet::new();
        for path in &request.paths {
            files.extend(list(path)?);
        }
        listed.extend(files.iter().cloned());
        scopes.push((files, None));
    }
    let whole = root.as_deref().or(request.paths.is_empty().then_some(request.current.as_path()));
    if let Some(whole) = whole {
        listed.extend(list(whole)?);
    }
    // A file can be reached as `./a` and as `/tree/a`: one name for each.
    let files: Vec<PathBuf> = distinct(listed);
    let confine = root.clone().or_else(|| common_root(request)).unwrap_or(show_root);
    let confine = confine.canonicalize().unwrap_or(confine);
    let (sources, read_findings) = tree::read_all(&files, &confine, &named, &show);

    let mut planned = Planned::default();
    planned.outcome.findings.extend(read_findings);
    let mut catalogue = Catalogue::default();
    read_documents(&sources, &named, request, &mut catalogue);
    planned.outcome.findings.append(&mut catalogue.findings);
    let images = resolve::resolve(&catalogue, &request.tags_from);
    if request.paths.is_empty() {
        let root = whole.unwrap_or(&request.current);
        scopes = automation_scopes(&catalogue, &images, root, &mut planned.outcome)?;
    }
    plan_files(&sources, &scopes, &images, request, &mut planned);
    Ok(planned)
}

fn list(path: &Path) -> Result<Vec<PathBuf>, CannotPlan> {
    tree::files_under(path).map_err(|source| CannotPlan::Path { path: path.to_path_buf(), source })
}

fn distinct(listed: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    listed.into_iter().filter(|path| seen.insert(identity(path))).collect()
}

/// A path without links in its folders; a link itself is not followed.
fn identity(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// Outside a work tree, links may lead anywhere under the first path.
fn common_root(request: &Request) -> Option<PathBuf> {
    let first = request.paths.first()?;
    if first.is_dir() { Some(first.clone()) } else { first.parent().map(Path::to_path_buf) }
}

fn shown(path: &Path, current: &Path) -> String {
    let short = path.strip_prefix(current).or_else(|_| path.strip_prefix("."));
    short.unwrap_or(path).display().to_string()
}

fn read_documents(sources: &[SourceFile], named: &BTreeSet<PathBuf>, request: &Request, catalogue: &mut Catalogue) {
    for source in sources.iter().filter(|source| source.has_documents && !source.is_link) {
        // A file that does not parse is reported where its markers are planned.
        let Ok(outline) = outline::read(&source.text) else {
            if !source.has_markers {
                catalogue.findings.extend(unparsable(source, named));
            }
            continue;
        };
        let default_namespace = kustomization_namespace(&source.path);
        let origin = Origin {
            file: &source.name,
            rank: Rank::Tree,
            default_namespace: default_namespace.as_deref(),
            severity: Severity::Error,
        };
        catalogue.add_outline(&source.text, &outline, origin);
    }
    for (name, text) in &request.policies {
        let origin = Origin { file: name, rank: Rank::Flag, default_namespace: None, severity: Severity::Error };
        match outline::read(text) {
            Ok(outline) => catalogue.add_outline(text, &outline, origin),
            Err(error) => {
                let location = Location::new(name.clone(), error.place);
                catalogue.findings.push(Finding::new(Severity::Error, Code::Unparsable, error.message, location));
            }
        }
    }
    catalogue.finish();
}

fn unparsable(source: &SourceFile, named: &BTreeSet<PathBuf>) -> Option<Finding> {
    let error = outline::read(&source.text).err()?;
    let severity = if named.contains(&source.path) { Severity::Error } else { Severity::Warning };
    let location = Location::new(source.name.clone(), error.place);
    Some(Finding::new(severity, Code::Unparsable, format!("is no YAML: {}", error.message), location))
}

/// `namespace` of the nearest kustomization above a file.
fn kustomization_namespace(path: &Path) -> Option<String> {
    for folder in path.ancestors().skip(1) {
        for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
            if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                return top_level_scalar(&text, "namespace");
            }
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

fn top_level_scalar(text: &str, key: &str) -> Option<String> {
    use crate::yaml::walk::{Step, Walk};
    let mut walk = Walk::new(text);
    while let Ok(Some(step)) = walk.step() {
        if let Step::Value(value) = step
            && let [frame] = walk.frames()
            && frame.key.as_deref() == Some(key)
        {
            return Some(value.scalar.value.into_owned());
        }
    }
    None
}

/// One scope for each automation that would run in a cluster.
fn automation_scopes(
    catalogue: &Catalogue,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
    outcome: &mut Outcome,
) -> Result<Vec<(BTreeSet<PathBuf>, Selected)>, CannotPlan> {
    if catalogue.automations.is_empty() {
        return Err(CannotPlan::NoScope);
    }
    let mut scopes = Vec::new();
    for (id, automation) in &catalogue.automations {
        match automation_scope(id, automation, images, root) {
            Ok(scope) => scopes.push(scope),
            Err(finding) => outcome.findings.push(*finding),
        }
    }
    Ok(scopes)
}

fn automation_scope(
    id: &Id,
    automation: &Sourced<ImageUpdateAutomation>,
    images: &BTreeMap<Id, Resolved>,
    root: &Path,
) -> Result<(BTreeSet<PathBuf>, Selected), Box<Finding>> {
    let spec = &automation.document.spec;
    let left_out = |severity: Severity, code: Code, why: String| {
        let message = format!("ImageUpdateAutomation `{id}` is left out: {why}");
        Box::new(Finding::new(severity, code, message, automation.location.clone()))
    };
    if spec.suspend {
        return Err(left_out(Severity::Info, Code::Suspended, "it is suspended".to_owned()));
    }
    if let Some(other) = &automation.conflict {
        let why = format!("a different one of this name stands at {other}");
        return Err(left_out(Severity::Error, Code::ConflictingDocuments, why));
    }
    match spec.update.strategy.as_deref() {
        Some("Setters") => {}
        None => return Err(left_out(Severity::Error, Code::BadDocument, "no update strategy".to_owned())),
        Some(other) => {
            let why = format!("unknown update strategy `{other}`; `Setters` is the only one");
            return Err(left_out(Severity::Error, Code::BadDocument, why));
        }
    }
    let selector = spec.policy_selector.clone().map(Selector::try_from).transpose();
    let selector = selector.map_err(|error| left_out(Severity::Error, Code::BadDocument, format!("policySelector: {error}")))?;
    let counts = |(policy, resolved): &(&Id, &Resolved)| {
        policy.namespace == id.namespace && selector.as_ref().is_none_or(|selector| selector.matches(&resolved.labels))
    };
    let selected = images.iter().filter(counts).map(|(policy, _)| policy.clone()).collect();
    let path = tree::join_within(root, spec.update.path.as_deref().unwrap_or("."));
    let files = tree::files_under(&path).map_err(|error| {
        left_out(Severity::Error, Code::BadDocument, format!("its update.path `{}`: {error}", path.display()))
    })?;
    // Flux takes a single file, too, only under a manifest's name.
    let files = files.into_iter().filter(|file| tree::is_manifest_name(file)).map(|file| identity(&file)).collect();
    Ok((files, Some(selected)))
}

/// Plans every file that has markers and is in a scope.
fn plan_files(
    sources: &[SourceFile],
    scopes: &[(BTreeSet<PathBuf>, Selected)],
    images: &BTreeMap<Id, Resolved>,
    request: &Request,
    planned: &mut Planned,
) {
    let in_scope: Vec<(&SourceFile, Selected)> = sources
        .iter()
        .filter(|source| source.has_markers)
        .filter_map(|source| scope_of(source, scopes).map(|selected| (source, selected)))
        .collect();
    let real: BTreeSet<PathBuf> =
        in_scope.iter().filter(|(source, _)| !source.is_link).filter_map(|(source, _)| source.path.canonicalize().ok()).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = in_scope.len().div_ceil(workers).max(1);
    let work = |share: &[(&SourceFile, Selected)]| -> Vec<FilePlan> {
        share.iter().map(|(source, selected)| plan_file(source, selected.clone(), images, request, &real)).collect()
    };
    let parts: Vec<Vec<FilePlan>> = thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = in_scope.chunks(share).map(|share| scope.spawn(move || work(share))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut bound = 0;
    for part in parts.into_iter().flatten() {
        bound += part.bound;
        planned.outcome.extend(part.outcome);
        if let Some(replacement) = part.replacement {
            planned.names.insert(replacement.path.clone(), part.name);
            planned.replacements.push(replacement);
        }
    }
    if bound == 0 {
        let finding = Finding::new(
            Severity::Warning,
            Code::NothingBound,
            "no scalar is bound to a policy, so nothing can change",
            Location::default(),
        );
        planned.outcome.findings.push(finding.hint("mark a value with `# {\"$imagepolicy\": \"namespace:name\"}`"));
    }
}

/// Whether a file is in a scope, and which policies may write to it then.
fn scope_of(source: &SourceFile, scopes: &[(BTreeSet<PathBuf>, Selected)]) -> Option<Selected> {
    let path = identity(&source.path);
    let mut found: Option<Selected> = None;
    for (files, selected) in scopes {
        if files.contains(&path) || files.contains(&source.path) {
            found = Some(match (found, selected) {
                (None, selected) => selected.clone(),
                (Some(Some(mut all)), Some(more)) => {
                    all.extend(more.iter().cloned());
                    Some(all)
                }
                (Some(_), _) => None,
            });
        }
    }
    found
}

struct FilePlan {
    name: String,
    outcome: Outcome,
    replacement: Option<Replacement>,
    bound: usize,
}

fn plan_file(
    source: &SourceFile,
    selected: Selected,
    images: &BTreeMap<Id, Resolved>,
    request: &Request,
    real: &BTreeSet<PathBuf>,
) -> FilePlan {
    let mut part = FilePlan { name: source.name.clone(), outcome: Outcome::default(), replacement: None, bound: 0 };
    let outline = match outline::read(&source.text) {
        Ok(outline) => outline,
        Err(_) => {
            let named = request.paths.iter().filter(|path| path.is_file()).cloned().collect();
            part.outcome.findings.extend(unparsable(source, &named));
            return part;
        }
    };
    let policies = Policies { all: images, selected, on_unresolved: request.on_unresolved };
    let plan = plan::plan(&source.text, &outline, &source.name, &policies);
    if source.is_link {
        part.outcome.findings.extend(unwritten_link(source, &plan, real));
        return part;
    }
    part.bound = plan.bound;
    part.outcome = plan.outcome;
    if plan.edits.is_empty() {
        return part;
    }
    let blocked = files::may_replace(&source.path).err();
    match (blocked, patch::apply(&source.text, &plan.edits)) {
        (None, Ok(new)) => {
            part.replacement = Some(Replacement { path: source.path.clone(), old: source.text.clone(), new });
        }
        (blocked, applied) => {
            part.outcome.changes.clear();
            let why = blocked.or_else(|| applied.err().map(|error| error.to_string())).unwrap_or_default();
            let finding = Finding::new(Severity::Error, Code::UnusableFile, format!("would change, but {why}"), Location::file(&source.name));
            part.outcome.findings.push(finding);
        }
    }
    part
}

/// A link that would change, unless its target is edited in its own right.
fn unwritten_link(source: &SourceFile, plan: &plan::Plan, real: &BTreeSet<PathBuf>) -> Option<Finding> {
    let target = source.path.canonicalize().ok()?;
    if plan.edits.is_empty() || real.contains(&target) {
        return None;
    }
    let message = "would change, but is a link, and links are not written through";
    let finding = Finding::new(Severity::Warning, Code::UnusableFile, message, Location::file(&source.name));
    Some(finding.hint(format!("update `{}` instead", target.display())))
}
