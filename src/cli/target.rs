//! Where the files go that flags (and GitHub's variables) name for output, and
//! what they must not be: a manifest, an input, a part of git's own folder, a
//! link, each other. All of it is said before anything is read or edited.

use std::fs::{self, Metadata};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::args::{Output, UpdateArgs};
use crate::checkout::git;
use crate::path_name;
use crate::plan::planned::Replacement;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// `--report`.
    Report,
    /// `--message-file`.
    Message,
    /// `--branch-file`.
    Branch,
    /// `--dotenv`.
    Dotenv,
    /// `GITHUB_OUTPUT`, which is added to.
    StepOutputs,
    /// `GITHUB_STEP_SUMMARY`, which is added to.
    StepSummary,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Report => "--report",
            Self::Message => "--message-file",
            Self::Branch => "--branch-file",
            Self::Dotenv => "--dotenv",
            Self::StepOutputs => "GITHUB_OUTPUT",
            Self::StepSummary => "GITHUB_STEP_SUMMARY",
        }
    }

    /// Whether the file belongs to whoever named it, and is only added to.
    #[must_use]
    pub(super) fn is_added_to(self) -> bool {
        matches!(self, Self::StepOutputs | Self::StepSummary)
    }
}

/// Where something goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A regular file, there or not yet, by its name without links.
    File(PathBuf),
    /// A pipe or a device.
    Stream(PathBuf),
    /// The process's own stdout.
    Stdout,
    /// The process's own stderr.
    Stderr,
}

/// A file that was named for output.
#[derive(Clone, Debug)]
pub(super) struct OutputTarget {
    /// What it is for.
    pub purpose: Purpose,
    /// As the user wrote it.
    written: PathBuf,
    /// Where that is.
    pub place: Place,
}

impl std::fmt::Display for OutputTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.written.display();
        write!(f, "`{} {shown}`", self.purpose.name())
    }
}

/// All that a run's flags name for output.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    /// The files.
    pub files: Vec<OutputTarget>,
    /// The folder of `--patch-dir`, by its name without links.
    pub patches: Option<PathBuf>,
}

impl Targets {
    /// What these flags and variables name.
    ///
    /// # Errors
    /// What may not be written to, with the way out.
    pub(super) fn new(args: &UpdateArgs) -> anyhow::Result<Self> {
        let handoff = &args.handoff;
        let variable = |name| std::env::var_os(name).filter(|path| !path.is_empty());
        let is_github = args.output == Output::Github;
        let github = |name| variable(name).filter(|_| is_github).map(PathBuf::from);
        let dotenv = handoff.dotenv.clone();
        let named = [
            (Purpose::Report, handoff.report.clone()),
            (Purpose::Message, handoff.message_file.clone()),
            (Purpose::Branch, handoff.branch_file.clone()),
            (
                Purpose::Dotenv,
                dotenv.filter(|_| args.output == Output::Gitlab),
            ),
            (Purpose::StepOutputs, github("GITHUB_OUTPUT")),
            (Purpose::StepSummary, github("GITHUB_STEP_SUMMARY")),
        ];
        let mut targets = Self::default();
        for (purpose, path) in named {
            let Some(written) = path else { continue };
            let place = place(purpose, &written)?;
            let target = OutputTarget {
                purpose,
                written,
                place,
            };
            targets.keep_off_others(&target)?;
            target.keep_off_git()?;
            target.keep_off_inputs(args)?;
            targets.files.push(target);
        }
        if let Some(folder) = &handoff.patch_dir {
            targets.patches = Some(patch_dir(folder)?);
            targets.keep_out_of_patches(folder)?;
        }
        Ok(targets)
    }

    fn keep_off_others(&self, new: &OutputTarget) -> anyhow::Result<()> {
        let is_null = new.place == Place::Stream(PathBuf::from("/dev/null"));
        let mut same = self.files.iter().filter(|old| old.place == new.place);
        match same.next() {
            Some(old) if !is_null => {
                bail!("{old} and {new} are one file\n  hint: give each a file of its own")
            }
            _ => Ok(()),
        }
    }

    fn keep_out_of_patches(&self, written: &Path) -> anyhow::Result<()> {
        let Some(folder) = &self.patches else {
            return Ok(());
        };
        let inside = |target: &&OutputTarget| match &target.place {
            Place::File(path) => path.starts_with(folder),
            _ => false,
        };
        if let Some(target) = self.files.iter().find(inside) {
            bail!(
                "{target} is in the folder of `--patch-dir {}`, which is for patches alone",
                written.display()
            );
        }
        Ok(())
    }
}

impl OutputTarget {
    fn keep_off_git(&self) -> anyhow::Result<()> {
        let Place::File(path) = &self.place else {
            return Ok(());
        };
        match git_folder_above(path) {
            Some(_) => bail!(
                "{self} is in git's own folder\n  hint: name a file outside of it (`--patch-dir` may be there)"
            ),
            None => Ok(()),
        }
    }

    /// Keeps a file off what the run reads.
    fn keep_off_inputs(&self, args: &UpdateArgs) -> anyhow::Result<()> {
        let Place::File(path) = &self.place else {
            return Ok(());
        };
        let is_manifest = path_name::is_manifest_name(path);
        let own = fs::metadata(path).ok();
        let paths = [("PATH", args.paths.as_slice())];
        let inputs = paths.into_iter().chain(args.inputs());
        let inputs = inputs.flat_map(|(name, paths)| paths.iter().map(move |path| (name, path)));
        for (name, input) in inputs {
            let Ok(real) = input.canonicalize() else {
                continue;
            };
            let is_same = own.as_ref().is_some_and(|own| is_one(own, &real));
            if is_same || is_manifest && real.is_dir() && path.starts_with(&real) {
                bail!("{self} is what `{name} {}` reads", input.display());
            }
        }
        let current = Path::new(".");
        let folder = args.paths.first().map_or(current, PathBuf::as_path);
        // Without a work tree, PATHs alone are read.
        let here = || args.paths.is_empty().then(|| current.canonicalize().ok());
        let root = git::work_tree(folder).or_else(|| here().flatten());
        if is_manifest && root.is_some_and(|root| path.starts_with(root)) {
            bail!(
                "{self} has the name of a manifest of the work tree\n  hint: choose a name that does not end in .yaml or .yml"
            );
        }
        Ok(())
    }

    /// Keeps a file off other names of those that are to be edited.
    pub(super) fn keep_off(&self, edited: &[Replacement]) -> anyhow::Result<()> {
        let Place::File(path) = &self.place else {
            return Ok(());
        };
        let Ok(own) = fs::metadata(path) else {
            return Ok(());
        };
        let is_own = |file: &&Replacement| file.status.identity.key() == (own.dev(), own.ino());
        match edited.iter().find(is_own) {
            Some(file) => bail!("{self} is another name of {}, which is edited", file.name),
            None => Ok(()),
        }
    }
}

/// Whether a name stands for the file of which the system said `metadata`.
fn is_one(metadata: &Metadata, path: &Path) -> bool {
    let key = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    fs::metadata(path).is_ok_and(|found| key(&found) == key(metadata))
}

/// Git's own folder that a path is in.
fn git_folder_above(path: &Path) -> Option<&Path> {
    let above = path.ancestors().skip(1);
    let is_git = |folder: &&Path| folder.ends_with(".git") || git::is_git_dir(folder);
    above.filter(|folder| folder.is_dir()).find(is_git)
}

fn place(purpose: Purpose, written: &Path) -> anyhow::Result<Place> {
    let shown = || format!("`{} {}`", purpose.name(), written.display());
    let cannot = || format!("cannot write {}", written.display());
    match written.to_str() {
        Some("-") => bail!(
            "{} would be a file of that name\n  hint: `/dev/stdout` is stdout",
            shown()
        ),
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => return Ok(Place::Stdout),
        Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => return Ok(Place::Stderr),
        Some(path) if path.ends_with('/') => bail!("{}: it is a folder", cannot()),
        _ => {}
    }
    let Ok(own) = fs::symlink_metadata(written) else {
        return real_name(written).map(Place::File).with_context(cannot);
    };
    let target = fs::metadata(written).ok();
    let is_stream = |found: &Metadata| !found.is_file() && !found.is_dir();
    if target.as_ref().is_some_and(is_stream) {
        let real = written.canonicalize();
        return Ok(Place::Stream(
            real.unwrap_or_else(|_| written.to_path_buf()),
        ));
    }
    if target.is_some_and(|found| found.is_dir()) {
        bail!("{}: it is a folder", cannot());
    }
    // The files that the process has open, as `/dev/fd/3`.
    if own.is_symlink()
        && ["/dev/fd", "/proc"]
            .iter()
            .any(|open| written.starts_with(open))
    {
        return Ok(Place::Stream(written.to_path_buf()));
    }
    if own.is_symlink() && purpose.is_added_to() {
        // Nobody's but whoever set the variable.
        let real = written.canonicalize().with_context(cannot)?;
        return Ok(Place::File(real));
    }
    if own.is_symlink() {
        let to = fs::read_link(written).unwrap_or_default();
        bail!(
            "{} is a link, and links are not written through\n  hint: name the file itself: {}",
            shown(),
            to.display()
        );
    }
    let key = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    if open_streams().any(|stream| key(&stream) == key(&own)) {
        bail!("{} is the file that stdout or stderr goes to", shown());
    }
    real_name(written).map(Place::File).with_context(cannot)
}

/// A name without links in its folders. The folder must be there.
fn real_name(path: &Path) -> anyhow::Result<PathBuf> {
    let folder = path_name::folder(path).canonicalize()?;
    let name = path.file_name().context("it is a folder")?;
    Ok(folder.join(name))
}

fn open_streams() -> impl Iterator<Item = Metadata> {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let streams = [
        out.as_fd().try_clone_to_owned(),
        err.as_fd().try_clone_to_owned(),
    ];
    let files = streams.into_iter().flatten().map(fs::File::from);
    files.filter_map(|file| file.metadata().ok())
}

/// What git keeps in its own folder (gitrepository-layout): nothing of ours may
/// go in there.
const GITS_OWN: [&str; 14] = [
    "branches",
    "common",
    "hooks",
    "info",
    "lfs",
    "logs",
    "modules",
    "objects",
    "rebase-apply",
    "rebase-merge",
    "refs",
    "remotes",
    "sequencer",
    "worktrees",
];

/// The folder of `--patch-dir`, by its name without links, there or not yet.
fn patch_dir(written: &Path) -> anyhow::Result<PathBuf> {
    let shown = written.display();
    let mut ancestors = written.ancestors();
    let existing = ancestors.find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let existing = existing.unwrap_or(Path::new(""));
    let rest = written.strip_prefix(existing).unwrap_or(written);
    let existing = match existing.as_os_str().is_empty() {
        true => Path::new("."),
        false => existing,
    };
    let real = existing.canonicalize();
    let real = real.with_context(|| format!("cannot make the folder {shown}"))?;
    if !real.is_dir() {
        bail!(
            "cannot make the folder {shown}: {} is not a folder",
            existing.display()
        );
    }
    let real = real.join(rest);
    let inside = git_folder_above(&real).and_then(|git| real.strip_prefix(git).ok());
    let first = inside.and_then(|inside| inside.components().next());
    if first.is_some_and(|first| GITS_OWN.iter().any(|own| first.as_os_str() == *own)) {
        bail!("`--patch-dir {shown}` is a folder of git itself");
    }
    Ok(real)
}
