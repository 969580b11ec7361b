//! `flux-image annotate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::args::AnnotateArgs;
use super::streams::{print_diff, print_styled, say_findings};
use super::{Exit, edit};
use crate::binding::annotate::annotate;
use crate::binding::overlays::{Overlay, Overlays};
use crate::checkout::files::{self, Outlined, folder_of};
use crate::checkout::git::Repositories;
use crate::checkout::source_files::SourceFile;
use crate::checkout::walk::{self, Listing};
use crate::checkout::{self, regular_file, source_files, write};
use crate::finding::{Finding, Severity};
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::plan::planned::Replacement;
use crate::report::text;

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
    let (sources, refused) = source_files::read_all(&listing.files, &confine, &named, false, &show);
    let mut outcome = Outcome::default();
    let notes = listing.notes.iter().map(|note| note.finding(&show));
    outcome.findings.extend(notes);
    outcome
        .findings
        .extend(refused.into_iter().map(|refused| refused.finding));
    let mut lines = String::new();
    let replacements = annotate_all(&sources, &confine, &mut lines, &mut outcome);
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

/// Annotates files, whose kustomizations may name others of the folder `confine`: what
/// they are to hold, with a line for each resource in `lines`.
fn annotate_all(
    sources: &[SourceFile],
    confine: &Path,
    lines: &mut String,
    outcome: &mut Outcome,
) -> Vec<Replacement> {
    let read = |path: &str| {
        let file = confine.join(path);
        let real = regular_file::inside(confine, &file).ok()?;
        let text = regular_file::text_within(confine, &real).ok()?;
        Some(Arc::from(text))
    };
    let mut overlays = Overlays::new(&read);
    let mut replacements = Vec::new();
    for file in files::outlined(sources, |one| one.has_markers || one.is_kustomization) {
        let real = file.source.path.canonicalize().ok();
        let inside = real
            .as_deref()
            .and_then(|real| real.strip_prefix(confine).ok());
        let overlay = inside
            .and_then(Path::to_str)
            .filter(|_| file.source.is_kustomization)
            .map(|path| overlays.of(path));
        match annotated(&file, &overlay.unwrap_or_default(), lines) {
            Ok((replacement, findings)) => {
                replacements.extend(replacement);
                outcome.findings.extend(findings);
            }
            Err(finding) => outcome.findings.push(*finding),
        }
    }
    replacements
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
    overlay: &Overlay,
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
    let annotated = annotate(&source.text, outline, &source.name, overlay);
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
        if source.is_kustomization {
            let resources = if *count == 1 { "resource" } else { "resources" };
            *lines += &format!("{place}:{}  patches {count} {resources}\n", location.line);
            continue;
        }
        let fields = if *count == 1 { "field" } else { "fields" };
        let (kind, name) = (text::line(&resource.kind), text::line(&resource.name));
        *lines += &format!(
            "{place}:{}  {kind} `{name}`  {count} {fields}\n",
            location.line
        );
    }
    Ok((Some(replacement), annotated.findings))
}
