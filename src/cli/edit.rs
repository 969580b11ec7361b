//! Editing files, as `update` and `annotate` do it: one run at a time, all files
//! or none, and Ctrl-C on the way.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::interrupt;
use super::streams::say;
use crate::checkout::files::folder_of;
use crate::checkout::git;
use crate::checkout::write::{self, Cause, Lock, Staged, WriteError};
use crate::plan::planned::Replacement;
use crate::report::text;

/// How long another run is waited for. It may be asking slow registries.
const PATIENCE: Duration = Duration::from_secs(600);

/// Locks the work trees of these paths, or of the current folder; to be done
/// before anything of them is read. Waiting is said.
///
/// # Errors
/// Where another run has one of them and does not end.
pub(super) fn lock(paths: &[PathBuf]) -> anyhow::Result<Lock> {
    let root = |path: &Path| {
        let folder = folder_of(path);
        git::work_tree(&folder).map_or_else(|| folder.canonicalize(), Ok)
    };
    let paths = match paths {
        [] => &[PathBuf::from(".")],
        paths => paths,
    };
    // What is wrong with the others is said where they are looked at.
    let roots = paths.iter().filter_map(|path| root(path).ok());
    let mut waiting = |root: &Path| {
        let root = root.display().to_string();
        let root = text::line(&root);
        say(format_args!(
            "waiting for another run of flux-image that edits {root}\n"
        ));
    };
    Lock::take(roots, PATIENCE, &mut waiting).context("cannot edit files")
}

/// Stages what files are to hold; `None` after Ctrl-C, which was said.
///
/// # Errors
/// Where one of them cannot be staged; nothing was changed.
pub(super) fn stage<'r>(
    replacements: &'r [Replacement],
    lock: &'r Lock,
    sync: bool,
) -> anyhow::Result<Option<Staged<'r>>> {
    interrupt::catch();
    step(write::stage(replacements, lock, sync, interrupt::flag()))
}

/// Replaces all the files, or none; `None` after Ctrl-C, which was said.
///
/// # Errors
/// Where one of them cannot be replaced, and what each holds then; where stdout
/// takes nothing.
pub(super) fn replace(staged: Staged<'_>) -> anyhow::Result<Option<()>> {
    // Of no length: a device that takes nothing says so before the first edit.
    if let Ok(stdout) = std::io::stdout().as_fd().try_clone_to_owned() {
        let written = File::from(stdout).write(&[]);
        written.context("cannot write to stdout; no file was changed")?;
    }
    step(staged.replace())
}

fn step<T>(result: Result<T, WriteError>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.cause == Cause::Interrupted => {
            say(format_args!("{error}\n"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
