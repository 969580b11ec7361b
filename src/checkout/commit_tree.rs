//! The files of a commit, in a temporary folder.
//!
//! git itself is run for this, and only to list and print objects (`rev-parse`,
//! `ls-tree`, `cat-file`): these run no hook, filter, pager or other program that a
//! repository's configuration may name, unlike `archive` and `checkout`. It gets an
//! environment with nothing but a path and a home in it, and may fetch nothing.
//!
//! Who writes a repository chooses what is in its trees. So a name leads nowhere but
//! below the folder, links are made last, so that nothing is written through one, and
//! what is written is limited. Whether a link is followed decides who reads it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use super::git::Repository;
use super::kustomize::on_path;
use super::regular_file::MAX_BYTES;
use crate::quote;

/// What the list of a commit's files may take, in bytes.
const MAX_LIST: u64 = 64 << 20;
/// What all files of a commit may take, in bytes.
const MAX_TOTAL: u64 = 4 << 30;
/// A longer target is none to the system.
const MAX_TARGET: u64 = 4096;
/// What git says of an object before it prints it is shorter, and so is what it says of
/// its failure.
const MAX_HEAD: u64 = 4096;

/// The files of a commit. They go away with it.
pub struct CommitTree {
    folder: TempDir,
}

/// Why the files of a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NoCommitTree {
    /// It names nothing, or would be an option to git.
    #[error("`git:{0}` names no commit: write a branch, a tag or a commit behind `git:`")]
    Name(String),
    /// There is no repository.
    #[error("`git:{0}` is a commit of a git repository, and this folder is in none")]
    NoRepository(String),
    /// git is not installed.
    #[error("`git` is not installed, and `git:{0}` is read with it")]
    NotInstalled(String),
    /// git knows no such commit, in its own words.
    #[error("this repository has no commit `{0}`: {1}")]
    NoCommit(String, String),
    /// git failed.
    #[error("git cannot read the files of `{0}`: {1}")]
    Git(String, String),
    /// A part of the commit is not here.
    #[error("not all files of `{0}` are here, as in a partial clone, and nothing is fetched")]
    Partial(String),
    /// A tree that no checkout could hold.
    #[error("`{0}` has a file `{1}`, which no checkout could have")]
    Path(String, String),
    /// Too much.
    #[error(
        "the files of `{0}` are more than are read: {total} GiB, with a list of {list} MiB",
        total = MAX_TOTAL >> 30,
        list = MAX_LIST >> 20
    )]
    TooLarge(String),
    /// The temporary folder.
    #[error("the files of `{0}` cannot be written to a temporary folder: {1}")]
    Folder(String, io::Error),
}

impl CommitTree {
    /// Reads the commit that `name` means in a repository. `begins` is told the folder
    /// before anything is in it.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn read(
        repository: Option<&Repository>,
        name: &str,
        begins: &dyn Fn(&Path),
    ) -> Result<Self, NoCommitTree> {
        let shown = || quote::at_most(name, 300).into_owned();
        if name.is_empty() || name.starts_with('-') || name.contains('\0') {
            return Err(NoCommitTree::Name(shown()));
        }
        let found = repository.and_then(|found| Some((found, found.git_dir.as_deref()?)));
        let (repository, git_dir) = found.ok_or_else(|| NoCommitTree::NoRepository(shown()))?;
        let program =
            on_path(OsStr::new("git")).ok_or_else(|| NoCommitTree::NotInstalled(shown()))?;
        let git = Git {
            program,
            git_dir,
            root: &repository.root,
            name: shown(),
        };
        let tree = git.tree(name)?;
        let entries = git.entries(&tree)?;
        let no_folder = |error| NoCommitTree::Folder(shown(), error);
        let folder = tempfile::Builder::new().prefix("flux-image-").tempdir();
        let folder = folder.map_err(no_folder)?;
        begins(folder.path());
        git.write(&entries, folder.path())?;
        Ok(Self { folder })
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// git, for one repository.
struct Git<'g> {
    program: PathBuf,
    git_dir: &'g Path,
    root: &'g Path,
    /// What the user calls the commit.
    name: String,
}

/// A file or a link of a commit.
struct Entry {
    path: PathBuf,
    object: String,
    is_link: bool,
}

impl Git<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--no-pager", "-c", "core.hooksPath=/dev/null"])
            .args(["-c", "core.fsmonitor=false", "-c", "protocol.allow=never"])
            .args(arguments)
            .current_dir(self.root)
            .env_clear()
            .env("GIT_DIR", self.git_dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for us; what we end, git notices by its pipes.
            .process_group(0);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    fn failed(&self, why: impl ToString) -> NoCommitTree {
        NoCommitTree::Git(self.name.clone(), why.to_string())
    }

    /// What a command prints, at most so many bytes; or what it says of its failure.
    fn output(
        &self,
        arguments: &[&str],
        most: u64,
    ) -> Result<Result<Vec<u8>, String>, NoCommitTree> {
        let mut child = self
            .command(arguments)
            .spawn()
            .map_err(|error| self.failed(error))?;
        let said = said_by(&mut child);
        let mut bytes = Vec::new();
        let read = match child.stdout.take() {
            Some(out) => out.take(most + 1).read_to_end(&mut bytes),
            None => Ok(0),
        };
        if read.is_err() || bytes.len() as u64 > most {
            end(&mut child);
            return Err(match read {
                Err(error) => self.failed(error),
                Ok(_) => NoCommitTree::TooLarge(self.name.clone()),
            });
        }
        let status = child.wait().map_err(|error| self.failed(error))?;
        let said = said.join().unwrap_or_default();
        Ok(if status.success() {
            Ok(bytes)
        } else {
            Err(said)
        })
    }

    /// The tree of a commit.
    fn tree(&self, name: &str) -> Result<String, NoCommitTree> {
        let wanted = format!("{name}^{{commit}}^{{tree}}");
        let arguments = ["rev-parse", "--verify", "--end-of-options", &wanted];
        let no_commit = |why: String| NoCommitTree::NoCommit(self.name.clone(), why);
        let printed = self.output(&arguments, MAX_HEAD)?.map_err(no_commit)?;
        let tree = String::from_utf8_lossy(&printed).trim().to_owned();
        let is_object = tree.len() >= 40 && tree.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_object {
            true => Ok(tree),
            false => Err(no_commit("it is no commit".to_owned())),
        }
    }

    /// The files and links of a tree.
    fn entries(&self, tree: &str) -> Result<Vec<Entry>, NoCommitTree> {
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", tree];
        let listed = self.output(&arguments, MAX_LIST)?;
        let listed = listed.map_err(|why| self.failed(why))?;
        let lines = listed.split(|byte| *byte == 0);
        let lines = lines.filter(|line| !line.is_empty());
        let entries: Result<Vec<_>, _> = lines.map(|line| self.entry(line)).collect();
        Ok(entries?.into_iter().flatten().collect())
    }

    /// A line as `MODE TYPE OBJECT\tPATH`; `None` for a submodule, of which nothing is here.
    fn entry(&self, line: &[u8]) -> Result<Option<Entry>, NoCommitTree> {
        let odd = || self.failed("it lists files in a way that is not known");
        let tab = memchr::memchr(b'\t', line).ok_or_else(odd)?;
        let (head, path) = (String::from_utf8_lossy(&line[..tab]), &line[tab + 1..]);
        let mut words = head.split_ascii_whitespace();
        let (Some(mode), Some(kind), Some(object)) = (words.next(), words.next(), words.next())
        else {
            return Err(odd());
        };
        if kind != "blob" {
            return Ok(None);
        }
        let path = PathBuf::from(OsStr::from_bytes(path));
        let is_plain = |part: Component<'_>| match part {
            Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
            _ => false,
        };
        if path.as_os_str().is_empty() || !path.components().all(is_plain) {
            let path = quote::at_most(&path.to_string_lossy(), 300).into_owned();
            return Err(NoCommitTree::Path(self.name.clone(), path));
        }
        Ok(Some(Entry {
            path,
            object: object.to_owned(),
            is_link: mode == "120000",
        }))
    }

    /// Writes files and links below a folder.
    fn write(&self, entries: &[Entry], folder: &Path) -> Result<(), NoCommitTree> {
        let mut child = self
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| self.failed(error))?;
        let said = said_by(&mut child);
        let (input, out) = (child.stdin.take(), child.stdout.take());
        let copied = thread::scope(|scope| {
            scope.spawn(|| {
                let mut input = input?;
                let mut lines = entries.iter().map(|entry| format!("{}\n", entry.object));
                // Where git has ended, the reader notices.
                lines
                    .try_for_each(|line| input.write_all(line.as_bytes()))
                    .ok()
            });
            let out = out.ok_or_else(|| self.failed("it prints nothing"))?;
            self.copy(entries, BufReader::new(out), folder)
        });
        if copied.is_err() {
            end(&mut child);
        }
        let status = child.wait().map_err(|error| self.failed(error))?;
        let said = said.join().unwrap_or_default();
        match copied {
            // Its own words say more.
            Err(NoCommitTree::Git(..)) if !said.is_empty() => Err(self.failed(said)),
            Ok(()) if !status.success() => Err(self.failed(said)),
            copied => copied,
        }
    }

    /// Copies what `cat-file --batch` prints to the files.
    fn copy(
        &self,
        entries: &[Entry],
        mut from: BufReader<ChildStdout>,
        folder: &Path,
    ) -> Result<(), NoCommitTree> {
        let no_folder = |error| NoCommitTree::Folder(self.name.clone(), error);
        let mut links = Vec::new();
        let mut total: u64 = 0;
        for entry in entries {
            let size = self.size(entry, &mut from)?;
            total = total.saturating_add(size);
            if total > MAX_TOTAL {
                return Err(NoCommitTree::TooLarge(self.name.clone()));
            }
            let mut bytes = from.by_ref().take(size);
            let mut target = Vec::new();
            let copied = match entry.is_link {
                true => bytes.read_to_end(&mut target).map(|read| read as u64),
                false => created(folder, entry).and_then(|mut file| match size > MAX_BYTES {
                    false => io::copy(&mut bytes, &mut file),
                    // Whoever reads it says that it is too large, and nothing more.
                    true => file
                        .set_len(size)
                        .and_then(|()| io::copy(&mut bytes, &mut io::sink())),
                }),
            };
            if copied.map_err(no_folder)? != size {
                return Err(self.failed("it ended early"));
            }
            if entry.is_link {
                links.push((&entry.path, target));
            }
            let mut feed = [0];
            let read = from.read_exact(&mut feed);
            read.map_err(|error| self.failed(error))?;
        }
        links
            .iter()
            .try_for_each(|(path, target)| link(folder, path, target))
            .map_err(no_folder)
    }

    /// The size of the next object, which is to be that of an entry.
    fn size(&self, entry: &Entry, from: &mut BufReader<ChildStdout>) -> Result<u64, NoCommitTree> {
        let mut head = String::new();
        let read = from.by_ref().take(MAX_HEAD).read_line(&mut head);
        read.map_err(|error| self.failed(error))?;
        let head = head.trim_end();
        if head.ends_with(" missing") {
            return Err(NoCommitTree::Partial(self.name.clone()));
        }
        let blob = head.strip_prefix(&entry.object);
        let size = blob.and_then(|rest| rest.strip_prefix(" blob ")?.parse().ok());
        let size: Option<u64> = size.filter(|size| !entry.is_link || *size <= MAX_TARGET);
        size.ok_or_else(|| self.failed("it prints other objects than it was asked for"))
    }
}

/// A new file of a commit.
fn created(folder: &Path, entry: &Entry) -> io::Result<File> {
    let path = folder.join(&entry.path);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    File::create_new(path)
}

/// A new link of a commit.
fn link(folder: &Path, path: &Path, target: &[u8]) -> io::Result<()> {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    symlink(OsStr::from_bytes(target), path)
}

/// What a child says on stderr, of which a little is kept.
fn said_by(child: &mut Child) -> thread::JoinHandle<String> {
    let from = child.stderr.take();
    thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut from) = from {
            _ = from.by_ref().take(MAX_HEAD).read_to_end(&mut said);
            // The rest is read too, so that nobody waits for it.
            _ = io::copy(&mut from, &mut io::sink());
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.trim().trim_start_matches("fatal: ");
        said.lines().collect::<Vec<_>>().join(" ")
    })
}

fn end(child: &mut Child) {
    _ = child.kill();
}
