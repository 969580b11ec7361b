//! `flux-image annotate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Exit;
use super::args::AnnotateArgs;
use super::edit::{self, Step};
use super::streams::{print_diff, print_styled, say_findings};
use crate::checkout;
use crate::checkout::git;
use crate::checkout::source_files::{self, SourceFile};
use crate::checkout::walk::{self, Listing};
use crate::checkout::write::{self, Replacement};
use crate::report::text;
use crate::resource_list::outline;
use crate::update::annotate::annotate;
use crate::update::outcome::{Code, Finding, Location, Outcome, Severity};
use crate::update::path_name;

/// Writes the markers of files as annotations.
///
/// # Errors
/// Where a path cannot be looked at, or nothing can be written.
pub fn run(args: &AnnotateArgs) -> anyhow::Result<Exit> {
    let writes = !(args.check || args.dry_run || args.diff);
    let lock = writes.then(|| edit::lock(&args.paths)).transpose()?;
    let mut listing = Listing::default();
    for path in &args.paths {
        let found = walk::files_under(path);
        listing.extend(found.with_context(|| path.display().to_string())?);
    }
    walk::sort(&mut listing.files);
    let named: BTreeSet<PathBuf> = args
        .paths
        .iter()
        .filter(|path| !path.is_dir())
        .cloned()
        .collect();
    let confine = confine(&args.paths);
    let show = path_name::shown;
    let (sources, refused) = source_files::read_all(&listing.files, &confine, &named, false, &show);
    let mut outcome = Outcome::default();
    let notes = listing.notes.iter().map(|note| note.finding(&show));
    outcome.findings.extend(notes);
    outcome
        .findings
        .extend(refused.into_iter().map(|refused| refused.finding));
    let mut replacements = Vec::new();
    let mut lines = String::new();
    for source in sources.iter().filter(|source| source.has_markers) {
        match annotated(source, &mut lines) {
            Ok((replacement, findings)) => {
                replacements.extend(replacement);
                outcome.findings.extend(findings);
            }
            Err(finding) => outcome.findings.push(*finding),
        }
    }
    outcome.findings.extend(write::hard_links(&replacements));
    if let Some(lock) = &lock {
        let Step::Done(staged) = edit::stage(&replacements, lock, false)? else {
            return Ok(Exit::Interrupted);
        };
        outcome.findings.extend(staged.findings());
        let Step::Done(()) = edit::replace(staged)? else {
            return Ok(Exit::Interrupted);
        };
    }
    say_findings(&outcome.findings);
    print(args, &replacements, &lines)?;
    let outdated = args.check && !replacements.is_empty();
    Ok(Exit::of(&outcome, outdated, false))
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
fn confine(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let folder = checkout::folder_of(first);
    let real = || folder.canonicalize();
    git::work_tree(&folder).unwrap_or_else(|| real().unwrap_or_else(|_| folder.clone()))
}

/// What a file is to hold, and what is odd about it; `lines` gets a line for
/// each resource.
fn annotated(
    source: &SourceFile,
    lines: &mut String,
) -> Result<(Option<Replacement>, Vec<Finding>), Box<Finding>> {
    let outline = outline::read(&source.text).map_err(|error| {
        let location = Location::new(source.name.clone(), error.place);
        let message = format!("is no YAML: {}", error.message);
        Finding::new(Severity::Warning, Code::Unparsable, message, location)
    })?;
    let annotated = annotate(&source.text, &outline, &source.name);
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
        let fields = if *count == 1 { "field" } else { "fields" };
        let (kind, name) = (text::line(&resource.kind), text::line(&resource.name));
        let place = text::line(&source.name).into_owned();
        *lines += &format!(
            "{place}:{}  {kind} `{name}`  {count} {fields}\n",
            location.line
        );
    }
    Ok((Some(replacement), annotated.findings))
}
