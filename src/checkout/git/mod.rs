//! What is read of a git repository besides its files: where its work tree and
//! its own folder are, the [`index`], the [`config`]uration and the exclude file.
//!
//! As git finds them (git(1), gitrepository-layout): the nearest folder above that
//! has a `.git`, which may be a file or a link, as in a linked work tree or a
//! submodule; or what `GIT_DIR`, `GIT_WORK_TREE` and `GIT_INDEX_FILE` name, as in
//! a hook. git itself is not run: a repository's configuration can name programs. Only
//! [`commit_tree`](super::commit_tree) does, in a way that runs none of them.

pub mod config;
pub mod index;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::regular_file::{self, ReadError};
use config::GitSetting;
use index::{Index, IndexError};

/// A repository with a work tree.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The work tree: a real path.
    pub root: PathBuf,
    /// git's own folder of this work tree. `None` where `.git` is a file or a link
    /// that leads to none: such a work tree has no configuration, and what is
    /// tracked in it is not known.
    pub git_dir: Option<PathBuf>,
    /// Where its index is, if not in there.
    index_file: Option<PathBuf>,
    /// The index, once it was read.
    index: Arc<OnceLock<Result<Index, (PathBuf, IndexError)>>>,
}

impl Repository {
    /// The repository whose work tree a path is in: that of the environment, if the
    /// path is in its work tree, or else the nearest.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        Self::of_environment(&real).or_else(|| Self::nearest(&real))
    }

    fn new(root: PathBuf, git_dir: Option<PathBuf>) -> Self {
        Self {
            root,
            git_dir,
            index_file: None,
            index: Arc::default(),
        }
    }

    fn nearest(real: &Path) -> Option<Self> {
        let mut above = real.ancestors();
        let root = above.find(|folder| folder.join(".git").exists())?;
        Some(Self::new(root.to_path_buf(), git_dir(root)))
    }

    /// The one that `GIT_DIR`, `GIT_WORK_TREE` and `GIT_INDEX_FILE` name, relative
    /// to the current folder, if `real` is in its work tree.
    fn of_environment(real: &Path) -> Option<Self> {
        let [git_dir, mut work_tree, index] =
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"].map(|name| {
                let value = env::var_os(name).filter(|value| !value.is_empty());
                value.map(PathBuf::from)
            });
        if git_dir.is_none() && work_tree.is_none() && index.is_none() {
            return None;
        }
        let current = env::current_dir().ok()?.canonicalize().ok()?;
        let mut found = match git_dir {
            None => Self::nearest(&current)?,
            Some(folder) => {
                let folder = folder.canonicalize().ok().filter(|one| is_git_dir(one))?;
                // Without a word about it, the current folder is the work tree.
                let found = Self::new(current.clone(), Some(folder.clone()));
                let settings = found.settings();
                let mut named = settings.iter().filter(|one| one.is("core", "worktree"));
                let of_config = named.next_back().map(|one| folder.join(&one.value));
                work_tree = work_tree.or(of_config);
                found
            }
        };
        if let Some(root) = work_tree {
            found.root = root.canonicalize().ok()?;
        }
        // git goes to the top of the work tree first, where a command in it is run.
        let is_inside = current.starts_with(&found.root);
        let base = if is_inside { &found.root } else { &current };
        found.index_file = index.map(|index| base.join(index));
        real.starts_with(&found.root).then_some(found)
    }

    /// What all work trees of a repository share, as its configuration: git's own
    /// folder, or where `commondir` in there says.
    fn common_dir(&self) -> Option<PathBuf> {
        let own = self.git_dir.as_ref()?;
        let common = regular_file::read_of_git(&own.join("commondir")).ok();
        let common = common.and_then(|common| String::from_utf8(common).ok());
        Some(match common {
            Some(common) => own.join(common.trim()),
            None => own.clone(),
        })
    }

    /// The configuration of the repository, with what it includes; empty where
    /// there is none, or none that can be read. That of the user and of the
    /// machine is not read.
    #[must_use]
    pub fn settings(&self) -> Vec<GitSetting> {
        let common = self.common_dir().map(|folder| folder.join("config"));
        let mut settings = common.map_or_else(Vec::new, |file| config::read(&file));
        let asked = settings.iter().rev();
        let mut asked = asked.filter(|one| one.is("extensions", "worktreeconfig"));
        let is_asked_for = asked.next().is_some_and(GitSetting::is_true);
        if let (true, Some(folder)) = (is_asked_for, &self.git_dir) {
            settings.extend(config::read(&folder.join("config.worktree")));
        }
        settings
    }

    /// Where the ignore rules are that the repository has besides those in its
    /// folders.
    #[must_use]
    pub fn exclude_file(&self) -> Option<PathBuf> {
        Some(self.common_dir()?.join("info/exclude"))
    }

    /// What the index holds, read once; nothing where there is none.
    ///
    /// # Errors
    /// Where there is one that cannot be read: its path, and why.
    pub fn index(&self) -> Result<&Index, &(PathBuf, IndexError)> {
        let read = || {
            let Some(git_dir) = &self.git_dir else {
                return Err((self.root.join(".git"), IndexError::LeadsNowhere));
            };
            let path = match &self.index_file {
                Some(named) => named.clone(),
                None => git_dir.join("index"),
            };
            read_index(&path, git_dir).map_err(|error| match error.shared() {
                Some(shared) => (git_dir.join(shared), error),
                None => (path, error),
            })
        };
        self.index.get_or_init(read).as_ref()
    }
}

fn read_index(path: &Path, git_dir: &Path) -> Result<Index, IndexError> {
    let bytes = match regular_file::read_of_git(path) {
        Ok(bytes) => bytes,
        // Nothing was added yet.
        Err(error) if error.is_missing() && path.starts_with(git_dir) => {
            return Ok(Index::default());
        }
        Err(error) => return Err(IndexError::Unread(error.to_string(), None)),
    };
    let shared = |name: &str| {
        let unread = |error: ReadError| IndexError::Unread(error.to_string(), Some(name.into()));
        regular_file::read_of_git(&git_dir.join(name)).map_err(unread)
    };
    Index::parse(&bytes, shared)
}

/// The repositories of a run: each is known as one, and its index read once.
#[derive(Debug, Default)]
pub struct Repositories(Mutex<Vec<Repository>>);

impl Repositories {
    /// As [`Repository::of`].
    #[must_use]
    pub fn of(&self, path: &Path) -> Option<Repository> {
        let found = Repository::of(path)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |one: &&Repository| {
            let key = |one: &Repository| (one.root.clone(), one.git_dir.clone());
            key(one) == key(&found)
        };
        if let Some(known) = known.iter().find(is_it) {
            return Some(known.clone());
        }
        known.push(found.clone());
        Some(found)
    }

    /// The work tree that a path is in.
    #[must_use]
    pub fn work_tree(&self, path: &Path) -> Option<PathBuf> {
        self.of(path).map(|repository| repository.root)
    }
}

/// The work tree that `path` is in.
#[must_use]
pub fn work_tree(path: &Path) -> Option<PathBuf> {
    Repository::of(path).map(|repository| repository.root)
}

/// git's own folder of the work tree at `root`: `.git`, or what a file of that
/// name points to.
fn git_dir(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    let kind = fs::symlink_metadata(&git).ok()?;
    if kind.is_dir() {
        return Some(git);
    }
    // Behind a link there may be either, too.
    let folder = if git.is_dir() {
        git
    } else {
        let text = String::from_utf8(regular_file::read_of_git(&git).ok()?).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    let folder = folder.canonicalize().ok()?;
    is_git_dir(&folder).then_some(folder)
}

/// Whether a folder is one in which git keeps a repository or a work tree's
/// part of it.
#[must_use]
pub fn is_git_dir(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("HEAD") && (has("commondir") || has("objects") && has("refs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linked_work_tree_has_the_common_configuration() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("main/.git/worktrees/two")).expect("a folder");
        fs::create_dir(at("two")).expect("a folder");
        fs::write(at("main/.git/config"), "[core]\nbare = false\n").expect("a file");
        fs::write(at("main/.git/worktrees/two/HEAD"), "").expect("a file");
        fs::write(at("main/.git/worktrees/two/commondir"), "../..\n").expect("a file");
        let of_two = at("main/.git/worktrees/two/config.worktree");
        fs::write(of_two, "[remote \"x\"]\nurl = h:x\n").expect("a file");
        let gitdir = format!("gitdir: {}\n", at("main/.git/worktrees/two").display());
        fs::write(at("two/.git"), gitdir).expect("a file");
        let two = Repository::of(&at("two")).expect("a repository");
        let values = || -> Vec<String> {
            let settings = two.settings().into_iter();
            settings.map(|one| one.value).collect()
        };
        assert_eq!(values(), ["false"]);
        // Its own counts where the common one says so.
        let text = "[core]\nbare = false\n[extensions]\nworktreeConfig\n";
        fs::write(at("main/.git/config"), text).expect("a file");
        assert_eq!(values(), ["false", "true", "h:x"]);
        assert!(two.index().expect("none yet").entries.is_empty());
    }

    #[test]
    fn a_file_that_points_to_what_is_no_git_folder_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("tree")).expect("a folder");
        fs::create_dir(at("home")).expect("a folder");
        fs::write(at("tree/.git"), "gitdir: ../home\n").expect("a file");
        let repository = || Repository::of(&at("tree")).expect("a work tree");
        let git_dir = || repository().git_dir;
        assert_eq!(git_dir(), None);
        let found = repository();
        let (place, why) = found.index().expect_err("no index");
        assert!(place.ends_with("tree/.git"));
        assert_eq!(*why, IndexError::LeadsNowhere);
        for name in ["objects", "refs"] {
            fs::create_dir(at("home").join(name)).expect("a folder");
        }
        fs::write(at("home/HEAD"), "ref: refs/heads/main\n").expect("a file");
        let real = at("home").canonicalize().expect("a folder");
        assert_eq!(git_dir(), Some(real.clone()));
        // The file may lie elsewhere; its path still counts from the work tree.
        fs::rename(at("tree/.git"), at("file")).expect("moved");
        std::os::unix::fs::symlink("../file", at("tree/.git")).expect("a link");
        assert_eq!(git_dir(), Some(real));
    }
}
