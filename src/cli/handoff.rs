//! What a commit needs, as files: report, message, branch, patches; and
//! `flux-image message` and `branch`, which read a report again.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::Exit;
use super::args::{HandOffArgs, OnlyArgs, StoredArgs};
use crate::api::Id;
use crate::foreign::json_pretty;
use crate::message::handoff::HandOff;
use crate::report::json::{self, NotOne, Report, Stored};
use crate::report::patch::{self, Patch};
use crate::update::checkout::Planned;
use crate::update::only::{Only, Subject};
use crate::update::webhook::{self, MAX_PAYLOAD};

/// `--only`, `--only-image` and `--from-webhook`.
///
/// # Errors
/// What is no policy's name, and a payload that names no image.
pub fn only(args: &OnlyArgs) -> anyhow::Result<Only> {
    let mut only = Only::default();
    for name in &args.only {
        let parts = name.split_once(':').or_else(|| name.split_once('/'));
        let Some((namespace, name)) = parts.filter(|(_, name)| !name.contains([':', '/'])) else {
            bail!("`--only {name}` names no ImagePolicy: write `--only NAMESPACE:NAME`");
        };
        only.policies.push(Id::new(namespace, name));
    }
    let images = args.only_image.iter().cloned();
    only.images.extend(images.map(Subject::Image));
    if let Some(path) = &args.from_webhook {
        let payload = read_some(path)?;
        let subject = webhook::subject(&payload);
        only.images
            .push(subject.with_context(|| format!("`--from-webhook {}`", path.display()))?);
    }
    Ok(only)
}

/// A file or stdin, but no more of it than a payload may have.
fn read_some(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let most = MAX_PAYLOAD as u64 + 1;
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// The files that a run leaves for a commit. They are staged before anything is
/// edited, so that what cannot be written is known by then.
#[derive(Debug, Default)]
pub struct Files {
    staged: Vec<Staged>,
    /// Where nothing changed, what an earlier run left is taken away.
    stale: Vec<PathBuf>,
}

impl Files {
    /// Stages the files that were asked for.
    ///
    /// # Errors
    /// Where there is not one message or branch, a file cannot be made, or the
    /// folder for patches holds something.
    pub fn new(
        args: &HandOffArgs,
        planned: &Planned,
        commits: &[HandOff],
        report: &Report,
    ) -> anyhow::Result<Self> {
        let mut files = Self::default();
        let wanted = [&args.report, &args.message_file, &args.branch_file];
        if planned.outcome.changes.is_empty() {
            files.stale = wanted.into_iter().flatten().cloned().collect();
            return Ok(files);
        }
        if let Some(path) = &args.report {
            files.stage(path, json_pretty(report)? + "\n")?;
        }
        if let Some(path) = &args.message_file {
            match json::message(&report.automations, None) {
                Ok(message) => files.stage(path, message)?,
                // Which template is wrong is among the findings.
                Err(NotOne::NoMessage(_)) if args.keep_going => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(path) = &args.branch_file {
            match json::branch(&report.automations, None) {
                Ok(branch) => files.stage(path, branch + "\n")?,
                Err(NotOne::NoBranch(_)) if args.keep_going => {}
                branch => drop(branch.context(
                    "cannot write the branch (`--patch-dir` writes one for each automation, `--report` has them all)",
                )?),
            }
        }
        if let Some(folder) = &args.patch_dir {
            files.stage_patches(folder, patch::patches(planned, commits)?)?;
        }
        Ok(files)
    }

    fn stage(&mut self, path: &Path, text: String) -> anyhow::Result<()> {
        self.staged.push(Staged::new(path, text)?);
        Ok(())
    }

    fn stage_patches(&mut self, folder: &Path, patches: Vec<Patch>) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        if entries.next().is_some() {
            bail!(
                "`--patch-dir {}`: the folder is not empty",
                folder.display()
            );
        }
        for patch in patches {
            let file = |end: &str| folder.join(format!("{}.{end}", patch.stem));
            self.stage(&file("patch"), patch.patch)?;
            if let Some(message) = patch.message {
                self.stage(&file("message"), message)?;
            }
            if let Some(branch) = patch.branch {
                self.stage(&file("branch"), branch + "\n")?;
            }
        }
        Ok(())
    }

    /// Puts them where they belong, each whole.
    ///
    /// # Errors
    /// The first that cannot be written.
    pub fn write(self) -> anyhow::Result<()> {
        for path in &self.stale {
            if path.is_file() {
                std::fs::remove_file(path)
                    .with_context(|| format!("cannot take away {}", path.display()))?;
            }
        }
        self.staged.into_iter().try_for_each(Staged::write)
    }
}

/// A file that waits for its name.
#[derive(Debug)]
enum Staged {
    /// The whole file, beside where it belongs. There may be thousands, so none
    /// is kept open.
    File(tempfile::TempPath, PathBuf),
    /// For what is no file, such as a pipe.
    Text(String, PathBuf),
}

impl Staged {
    fn new(path: &Path, text: String) -> anyhow::Result<Self> {
        let context = || format!("cannot write {}", path.display());
        let metadata = std::fs::metadata(path);
        if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            bail!("cannot write {}: it is a folder", path.display());
        }
        if metadata.is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Self::Text(text, path.to_owned()));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        // As a new file has it; the umask is the system's to apply.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        let mut staged = tempfile::Builder::new()
            .permissions(mode)
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .with_context(context)?;
        staged.write_all(text.as_bytes()).with_context(context)?;
        Ok(Self::File(staged.into_temp_path(), path.to_owned()))
    }

    fn write(self) -> anyhow::Result<()> {
        match self {
            Self::File(staged, path) => {
                let written = staged.persist(&path);
                written.with_context(|| format!("cannot write {}", path.display()))?;
            }
            Self::Text(text, path) => std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?,
        }
        Ok(())
    }
}

/// Writes a file by a rename, so that nobody sees half of it.
///
/// # Errors
/// Where it cannot be written.
pub fn write(path: &Path, text: String) -> anyhow::Result<()> {
    Staged::new(path, text)?.write()
}

/// The moment of a run, in whole seconds unless somebody named it.
pub fn moment(args: &HandOffArgs) -> Timestamp {
    args.now.unwrap_or_else(super::network::now)
}

/// Adds to the file that a variable of the environment names.
///
/// # Errors
/// Where it cannot be written to.
pub fn append_to(variable: &str, text: &str) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write to {variable}"))
}

fn stored(args: &StoredArgs) -> anyhow::Result<Stored> {
    let path = args.report.as_ref().or(args.from.as_ref());
    let path = path.context("name the file that `flux-image update --report FILE` wrote")?;
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let stored: Stored = serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of `flux-image update`", path.display()))?;
    if stored.kind != "Report" {
        bail!("{} is no report of `flux-image update`", path.display());
    }
    Ok(stored)
}

/// `flux-image message`.
///
/// # Errors
/// What is no report, or has no message.
pub fn message(args: &StoredArgs) -> anyhow::Result<Exit> {
    let stored = stored(args)?;
    let message = json::message(&stored.automations, args.automation.as_deref())?;
    std::io::stdout().write_all(message.as_bytes())?;
    Ok(Exit::Done)
}

/// `flux-image branch`.
///
/// # Errors
/// What is no report, or names no branch or several.
pub fn branch(args: &StoredArgs) -> anyhow::Result<Exit> {
    let stored = stored(args)?;
    let branch = json::branch(&stored.automations, args.automation.as_deref());
    let branch = branch.context("cannot name one branch; `--automation NAMESPACE/NAME` chooses")?;
    writeln!(std::io::stdout(), "{branch}")?;
    Ok(Exit::Done)
}
