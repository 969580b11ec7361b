//! `flux-image annotate`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context as _;

use super::args::AnnotateArgs;
use super::clusters::Bar;
use super::streams::{print_diff, print_styled, say_findings};
use super::{Exit, edit, interrupt};
use crate::binding::annotate::annotate;
use crate::binding::overlays::{self, Kustomizations, Overlays};
use crate::checkout::artifact::FolderArtifact;
use crate::checkout::files::{self, Outlined, folder_of};
use crate::checkout::git::Repositories;
use crate::checkout::kustomize::Kustomize;
use crate::checkout::request::ShowsProgress as _;
use crate::checkout::source_files::{SourceFile, Wanted};
use crate::checkout::walk::{self, Listing};
use crate::checkout::write::Interrupted;
use crate::checkout::{self, source_files, write};
use crate::finding::{Code, Finding, Location, Severity};
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::plan::planned::Replacement;
use crate::report::text;
use yaml_edit_spans::Place;

/// Writes the markers of files as annotations.
pub(super) fn run(args: &AnnotateArgs) -> anyhow::Result<Exit> {
    let writes = !(args.check || args.dry_run || args.diff);
    let lock = writes.then(|| edit::lock(&args.paths)).transpose()?;
    let repositories = Repositories::default();
    let mut listing = Listing::default();
    for path in &args.paths {
        let found = walk::files_under(path, &repositories);
        listing.extend(found.with_context(|| path.display().to_string())?);
    }
    walk::sort(&mut listing.files);
    let named: BTreeSet<PathBuf> = args
        .paths
        .iter()
        .filter(|path| !path.is_dir())
        .cloned()
        .collect();
    let confine = confine(&args.paths, &repositories);
    let show = path_name::shown;
    let (sources, refused) =
        source_files::read_all(&listing.files, &confine, &named, Wanted::Words(&[]), &show);
    let mut outcome = Outcome::default();
    let notes = listing.notes.iter().map(|note| note.finding(&show));
    outcome.findings.extend(notes);
    outcome
        .findings
        .extend(refused.into_iter().map(|refused| refused.finding));
    let mut lines = String::new();
    let interrupted = interrupt::flag();
    let overlays = overlays(&confine, &repositories, &interrupted, &mut outcome)?;
    if interrupted.load(Ordering::Relaxed) {
        return Ok(Exit::Interrupted);
    }
    let mut replacements = annotate_all(&sources, &confine, &overlays, &mut lines, &mut outcome);
    lines += &add_overlays(
        &overlays,
        &sources,
        &confine,
        &mut replacements,
        &mut outcome,
    );
    if args.check {
        outcome.judge();
    }
    outcome.findings.extend(write::hard_links(&replacements));
    if let Some(lock) = &lock {
        let Some(staged) = edit::stage(&replacements, lock, false)? else {
            return Ok(Exit::Interrupted);
        };
        outcome.findings.extend(staged.findings());
        if edit::replace(staged)?.is_none() {
            return Ok(Exit::Interrupted);
        }
    }
    say_findings(&outcome.findings);
    print(args, &replacements, &lines)?;
    let outdated = args.check && !replacements.is_empty();
    Ok(Exit::of(&outcome, outdated, false))
}

/// Annotates the resources of files in the folder `confine`: what the files are to hold,
/// with a line for each resource in `lines`.
fn annotate_all(
    sources: &[SourceFile],
    confine: &Path,
    overlays: &Overlays,
    lines: &mut String,
    outcome: &mut Outcome,
) -> Vec<Replacement> {
    let mut replacements = Vec::new();
    for file in files::outlined(sources, |source| source.has_markers) {
        let real = file.source.path.canonicalize().ok();
        let inside = real
            .as_deref()
            .and_then(|real| real.strip_prefix(confine).ok());
        let inside = inside.and_then(Path::to_str).unwrap_or_default();
        let reached = overlays.reached.get(inside).cloned().unwrap_or_default();
        match annotated(&file, &reached, lines) {
            Ok((replacement, findings)) => {
                replacements.extend(replacement);
                outcome.findings.extend(findings);
            }
            Err(finding) => outcome.findings.push(*finding),
        }
    }
    replacements
}

/// What the kustomizations of the folder `confine` are to say, where some may set what is
/// marked. Where nothing can build them, that is said.
fn overlays(
    confine: &Path,
    repositories: &Repositories,
    interrupted: &Interrupted,
    outcome: &mut Outcome,
) -> anyhow::Result<Overlays> {
    let artifact = FolderArtifact::of_folder(confine, repositories);
    let artifact = artifact.with_context(|| confine.display().to_string())?;
    let kustomizations = Kustomizations::of(&artifact);
    if !kustomizations.may_set() {
        return Ok(Overlays::default());
    }
    let kustomize = match Kustomize::find() {
        Ok(kustomize) => kustomize,
        Err(error) => {
            let message = format!(
                "kustomizations may set what is annotated below them, and cannot be built: {error}"
            );
            let finding = Finding::warning(Code::BadBinding, message, Location::default());
            let hint =
                "install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/)";
            outcome.findings.push(finding.hint(hint).unjudged());
            return Ok(Overlays::default());
        }
    };
    let build = |closure: &_| kustomize.build(closure, interrupted);
    let bar = Bar::default();
    let tell = |folder: &str, number, total| bar.tell(folder, number, total);
    interrupt::catch();
    let overlays = overlays::find(kustomizations, &build, &tell);
    bar.end();
    Ok(overlays)
}

/// The edits of kustomizations, of which those are made that are among `sources`.
fn add_overlays(
    overlays: &Overlays,
    sources: &[SourceFile],
    confine: &Path,
    replacements: &mut Vec<Replacement>,
    outcome: &mut Outcome,
) -> String {
    let mut lines = String::new();
    let sources = sources.iter().filter(|source| source.is_kustomization);
    let sources = sources.filter_map(|source| Some((source.path.canonicalize().ok()?, source)));
    let sources: BTreeMap<PathBuf, &SourceFile> = sources.collect();
    for (path, overlay) in &overlays.by_path {
        let source = sources.get(&confine.join(path)).copied();
        let name = source.map_or_else(|| path.clone(), |one| one.name.clone());
        let location = || Location::new(name.clone(), Place { line: 1, column: 1 });
        if let Some(unbound) = overlay.unbound.first() {
            let more = match overlay.unbound.len() - 1 {
                0 => String::new(),
                more => format!(", as {more} more are"),
            };
            let message = format!("{unbound}{more}: bound to nothing in this kustomization");
            let finding = Finding::info(Code::BadBinding, message, location());
            let hint = "mark the value here, and annotate again, to have it follow a policy";
            outcome.findings.push(finding.hint(hint));
        }
        for fault in &overlay.faults {
            let message = format!(
                "what is annotated below may be set here, and would be written over: {fault}"
            );
            let finding = Finding::warning(Code::BadBinding, message, location());
            outcome.findings.push(finding.unjudged());
        }
        if overlay.edits.is_empty() {
            continue;
        }
        let Some(source) = source else {
            let message =
                "this kustomization sets what is annotated below it, and is not among the PATHs";
            let finding = Finding::warning(Code::BadBinding, message, location());
            let hint = "annotate it, too, or a build of it writes another policy's image";
            outcome.findings.push(finding.hint(hint).unjudged());
            continue;
        };
        match checkout::replacement(source, overlay.edits.clone()) {
            Ok(replacement) => replacements.push(replacement),
            Err(why) => {
                let finding = checkout::unwritten(source, Severity::Error, &why);
                outcome.findings.push(finding);
                continue;
            }
        }
        let resources = if overlay.patched == 1 {
            "resource"
        } else {
            "resources"
        };
        let place = text::line(&source.name).into_owned();
        lines += &format!("{place}:1  patches {} {resources}\n", overlay.patched);
    }
    lines
}

/// What changed, or a diff.
fn print(args: &AnnotateArgs, replacements: &[Replacement], lines: &str) -> anyhow::Result<()> {
    if args.diff {
        print_diff(replacements)
    } else {
        print_styled([lines])
    }
}

/// The folder that no link may lead out of: that of the work tree, or else of
/// the first path.
fn confine(paths: &[PathBuf], repositories: &Repositories) -> PathBuf {
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let folder = folder_of(first);
    let real = || folder.canonicalize();
    let work_tree = repositories.work_tree(&folder);
    work_tree.unwrap_or_else(|| real().unwrap_or_else(|_| folder.clone()))
}

/// What a file is to hold, and what is odd about it; `lines` gets a line for
/// each resource.
fn annotated(
    file: &Outlined<'_>,
    reached: &BTreeSet<usize>,
    lines: &mut String,
) -> Result<(Option<Replacement>, Vec<Finding>), Box<Finding>> {
    let source = file.source;
    let outline = match &file.outline {
        Some(Ok(outline)) => outline,
        Some(Err(error)) => {
            let finding = files::unparsable(&source.name, Severity::Warning, error);
            return Err(Box::new(finding.unjudged()));
        }
        None => return Ok((None, Vec::new())),
    };
    let annotated = annotate(&source.text, outline, &source.name, reached);
    if annotated.edits.is_empty() {
        return Ok((None, annotated.findings));
    }
    if source.is_link {
        let finding = checkout::unwritten(source, Severity::Warning, checkout::LINK);
        return Err(Box::new(finding));
    }
    let replacement = checkout::replacement(source, annotated.edits)
        .map_err(|why| checkout::unwritten(source, Severity::Error, &why))?;
    for (location, count) in &annotated.resources {
        let resource = location.resource.clone().unwrap_or_default();
        let place = text::line(&source.name).into_owned();
        let fields = if *count == 1 { "field" } else { "fields" };
        let (kind, name) = (text::line(&resource.kind), text::line(&resource.name));
        *lines += &format!(
            "{place}:{}  {kind} `{name}`  {count} {fields}\n",
            location.line
        );
    }
    Ok((Some(replacement), annotated.findings))
}
