//! The files that a run leaves for a commit and for CI systems: report, message,
//! branch, variables, patches.
//!
//! They are staged, or opened, before anything is edited, so that what cannot be
//! written is known by then; they get their names after the edits. Where nothing
//! changed, what an earlier run left is taken away, if it is an earlier run's.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::fs::{OFlags, XattrFlags, fcntl_setfl, fsetxattr, getxattr};
use rustix::io::Errno;

use super::args::UpdateArgs;
use super::streams::unless_closed;
use super::target::{OutputTarget, Place, Purpose, Targets};
use crate::checkout::write::{Staging, sweep};
use crate::commit::commits::Commit;
use crate::foreign::json_pretty;
use crate::path_name;
use crate::plan::planned::Planned;
use crate::report::json::{self, NotOne, Report, Stored};
use crate::report::patch::{self, Patch};
use crate::report::stored::Forms;
use crate::report::{github, gitlab, markdown};

/// The longest summary that GitHub takes of a step, in bytes.
const SUMMARY: usize = 1 << 20;

/// Files that wait for their names, and streams that wait for their texts.
#[derive(Debug, Default)]
pub(super) struct OutputFiles {
    files: Vec<(PathBuf, PathBuf)>,
    streams: Vec<(Stream, String)>,
    stale: Vec<PathBuf>,
    /// Variables that a dotenv report cannot hold.
    pub left_out: Vec<String>,
    /// For each folder, where its files wait.
    stagings: BTreeMap<PathBuf, Staging>,
}

/// What is written to in its place.
#[derive(Debug)]
enum Stream {
    Open(File, PathBuf),
    Stdout,
    Stderr,
}

/// What there is to be written.
#[derive(Clone, Copy)]
pub(super) struct Contents<'r> {
    /// The run.
    pub planned: &'r Planned,
    /// Its commits.
    pub commits: &'r [Commit],
    /// The forms in which git stores the files.
    pub forms: &'r Forms,
    /// Its report.
    pub report: &'r dyn Fn() -> &'r Report,
}

impl OutputFiles {
    /// Stages what goes to `targets`. Without commits, only what CI systems read
    /// is wanted.
    ///
    /// # Errors
    /// Where there is not one message or branch, a file cannot be made or is
    /// somebody else's, or the folder for patches holds something.
    pub(super) fn stage(
        args: &UpdateArgs,
        targets: &Targets,
        contents: Contents<'_>,
        wants_commits: bool,
    ) -> anyhow::Result<Self> {
        let mut files = Self::default();
        let planned = contents.planned;
        let nothing_changed = planned.outcome.changes.is_empty();
        for target in &targets.files {
            target.keep_off(&planned.replacements)?;
            let text = match target.purpose {
                Purpose::Dotenv => {
                    let (variables, left_out) = gitlab::dotenv((contents.report)());
                    files.left_out.extend(left_out);
                    variables
                }
                Purpose::StepOutputs => github::outputs((contents.report)()),
                Purpose::StepSummary => markdown::body(planned, SUMMARY),
                _ if !wants_commits => continue,
                _ if nothing_changed => {
                    files.stale.extend(stale(target)?);
                    continue;
                }
                Purpose::Report => json_pretty((contents.report)())? + "\n",
                Purpose::Message => match json::message(&(contents.report)().automations, None) {
                    Ok(message) => message,
                    // Which template is wrong is among the findings.
                    Err(NotOne::NoMessage(_)) if args.handoff.keep_going => continue,
                    Err(error) => return Err(error.into()),
                },
                Purpose::Branch => match json::branch(&(contents.report)().automations, None) {
                    Ok(branch) => branch + "\n",
                    Err(NotOne::NoBranch(_)) if args.handoff.keep_going => continue,
                    Err(error) => {
                        return Err(error).context(
                            "cannot write the branch (`--patch-dir` writes one for each automation, `--report` has them all)",
                        );
                    }
                },
            };
            files.add(target, text)?;
        }
        if let (Some(folder), Some(written)) = (&targets.patches, &args.handoff.patch_dir)
            && wants_commits
            && !nothing_changed
        {
            let patches = patch::patches(planned, contents.commits, contents.forms)?;
            files.add_patches(folder, written, patches)?;
        }
        Ok(files)
    }

    fn add(&mut self, target: &OutputTarget, text: String) -> anyhow::Result<()> {
        let stream = match &target.place {
            Place::Stdout => Stream::Stdout,
            Place::Stderr => Stream::Stderr,
            Place::Stream(path) => opened(path)
                .map(|file| Stream::Open(file, path.clone()))
                .with_context(|| format!("cannot write {}", path.display()))?,
            Place::File(path) if target.purpose.is_added_to() => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let file = file.with_context(|| format!("cannot write {}", path.display()))?;
                Stream::Open(file, path.clone())
            }
            Place::File(path) => {
                if target.purpose == Purpose::Report && !is_report(path)? {
                    bail!(
                        "{target} contains something other than a report\n  hint: name another file, or remove this one"
                    );
                }
                return self.add_file(path, &text);
            }
        };
        self.streams.push((stream, text));
        Ok(())
    }

    fn add_file(&mut self, path: &Path, text: &str) -> anyhow::Result<()> {
        let context = || format!("cannot write {}", path.display());
        let waiting = self.add_waiting(path, text).with_context(context)?;
        self.files.push((waiting, path.to_path_buf()));
        Ok(())
    }

    fn add_waiting(&mut self, path: &Path, text: &str) -> io::Result<PathBuf> {
        let folder = path_name::folder(path);
        if !self.stagings.contains_key(folder) {
            let staging = Staging::open(folder)?;
            self.stagings.insert(folder.to_path_buf(), staging);
        }
        let waiting = self.stagings[folder].file(self.files.len());
        let mut file = File::create_new(&waiting)?;
        file.write_all(text.as_bytes())?;
        // Where attributes are not known, none is looked for either.
        _ = fsetxattr(&file, MARK, b"1", XattrFlags::empty());
        Ok(waiting)
    }

    fn add_patches(
        &mut self,
        folder: &Path,
        written: &Path,
        patches: Vec<Patch>,
    ) -> anyhow::Result<()> {
        let shown = written.display();
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {shown}"))?;
        sweep(folder);
        let mut entries =
            fs::read_dir(folder).with_context(|| format!("cannot read the folder {shown}"))?;
        if entries.next().is_some() {
            bail!("`--patch-dir {shown}`: the folder is not empty");
        }
        for patch in patches {
            let file = |end: &str| folder.join(format!("{}.{end}", patch.stem));
            self.add_file(&file("patch"), &patch.patch)?;
            if let Some(message) = patch.message {
                self.add_file(&file("message"), &message)?;
            }
            if let Some(branch) = patch.branch {
                self.add_file(&file("branch"), &(branch + "\n"))?;
            }
        }
        Ok(())
    }

    /// Puts them where they belong, each whole.
    pub(super) fn write(self) -> anyhow::Result<()> {
        for path in &self.stale {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        for (waiting, path) in &self.files {
            let written = fs::rename(waiting, path);
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (stream, text) in self.streams {
            let (written, name) = match stream {
                Stream::Open(mut file, path) => {
                    let written = file.write_all(text.as_bytes());
                    (written, path.display().to_string())
                }
                Stream::Stdout => (print(io::stdout(), &text), "to stdout".to_owned()),
                Stream::Stderr => (print(io::stderr(), &text), "to stderr".to_owned()),
            };
            written.with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }
}

fn print(mut stream: impl io::Write, text: &str) -> io::Result<()> {
    unless_closed(
        stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush()),
    )
}

/// How long somebody is waited for who reads a named pipe.
const READER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A stream to write to, with what can be known of it before: a device that takes
/// nothing says so, and a named pipe wants a reader.
fn opened(path: &Path) -> io::Result<File> {
    let is_pipe = fs::metadata(path)?.file_type().is_fifo();
    let mut options = OpenOptions::new();
    options.append(true);
    if is_pipe {
        // Else it would be waited for without end.
        options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut waited = Duration::ZERO;
    let mut file = loop {
        match options.open(path) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) && is_pipe => {
                if waited >= READER {
                    return Err(io::Error::other("nobody reads this pipe"));
                }
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            opened => break opened?,
        }
    };
    if is_pipe {
        fcntl_setfl(&file, OFlags::APPEND)?;
    }
    // Of no length: devices that are full refuse even that.
    _ = file.write(&[])?;
    Ok(file)
}

/// The attribute of the files that flux-image wrote.
const MARK: &str = "user.flux-image.dev.output";

/// The file at a target that an earlier run left.
fn stale(target: &OutputTarget) -> anyhow::Result<Option<PathBuf>> {
    let Place::File(path) = &target.place else {
        return Ok(None);
    };
    if let Some(folder) = path.parent() {
        sweep(folder);
    }
    if !path.is_file() {
        return Ok(None);
    }
    let is_ours = match target.purpose {
        Purpose::Report => is_report(path)?,
        _ => is_marked(path),
    };
    if !is_ours {
        bail!(
            "{target} is not known to be from an earlier run, so it is not removed, although nothing changed\n  hint: remove it, or name another file"
        );
    }
    Ok(Some(path.clone()))
}

/// Whether a file is missing, empty, or a report.
fn is_report(path: &Path) -> anyhow::Result<bool> {
    let cannot = || format!("cannot read {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file.with_context(cannot)?,
    };
    if file.metadata().with_context(cannot)?.len() == 0 {
        return Ok(true);
    }
    let mut first = [0];
    // Anything but an object is not read any further.
    let mut file = io::BufReader::new(file);
    let is_object = file.read_exact(&mut first).is_ok() && first == *b"{";
    let rest = io::Cursor::new(first).chain(file);
    let stored = is_object.then(|| serde_json::from_reader::<_, Stored>(rest));
    Ok(stored.is_some_and(|stored| stored.is_ok_and(|stored| stored.is_report())))
}

/// Whether flux-image wrote a file that holds something, as far as its file
/// system can tell.
fn is_marked(path: &Path) -> bool {
    let is_empty = fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    let mut value = [0; 8];
    is_empty
        || match getxattr(path, MARK, &mut value[..]) {
            Ok(_) => true,
            Err(error) => error == Errno::NOTSUP,
        }
}
