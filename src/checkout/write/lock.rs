//! One writing run at a time in a work tree.
//!
//! The lock is on git's own folder, beside the index, or without git on the
//! folder itself. It is the system's lock of an open file: it leaves nothing
//! behind and ends with the process, however that ends. What is planned must be
//! read after it is had, so that no run plans on what another is about to
//! replace. A run that writes nothing takes none.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::staging;
use crate::checkout::git::Repository;

/// The work trees that this run alone may write to, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    trees: Vec<Tree>,
}

/// A work tree, or a folder outside of any.
#[derive(Debug)]
struct Tree {
    root: PathBuf,
    git: Option<PathBuf>,
    _held: Option<File>,
}

/// Why a run may not write.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one does, for longer than it was waited for.
    #[error(
        "another run of flux-image still edits {}\n  hint: let it end, or end it; `--check`, `--dry-run` and `--diff` need not wait", root.display()
    )]
    Taken {
        /// The work tree.
        root: PathBuf,
    },
    /// The folder cannot be opened.
    #[error("cannot look at {}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// How often another run's end is looked for.
const PAUSE: Duration = Duration::from_millis(50);

impl Lock {
    /// Locks the work trees at these roots, and removes what runs that were
    /// killed there have left. Where another run has one of them, `waiting` is
    /// told its root once, and it is waited for `patience`.
    ///
    /// # Errors
    /// Where the other run does not end.
    pub fn take(
        roots: impl IntoIterator<Item = PathBuf>,
        patience: Duration,
        waiting: &mut dyn FnMut(&Path),
    ) -> Result<Self, LockError> {
        // By name, so that two runs with the same trees never wait for each other.
        let by_name: BTreeMap<PathBuf, Option<PathBuf>> = roots
            .into_iter()
            .map(|root| {
                let git = Repository::of(&root).and_then(|found| found.git_dir);
                (root, git)
            })
            .collect();
        let mut trees = Vec::with_capacity(by_name.len());
        for (root, git) in by_name {
            // Two work trees may be known by one folder of git's (`GIT_WORK_TREE`).
            let folder = git.as_deref().unwrap_or(&root);
            let is_held = trees.iter().any(|tree: &Tree| tree.folder() == folder);
            let held = match is_held {
                true => None,
                false => hold(&root, folder, patience, waiting)?,
            };
            let tree = Tree {
                root,
                git,
                _held: held,
            };
            tree.homes().for_each(staging::sweep);
            trees.push(tree);
        }
        Ok(Self { trees })
    }

    /// The folders in which new contents may wait, the best first.
    pub(super) fn homes(&self) -> impl Iterator<Item = &Path> {
        self.trees.iter().flat_map(Tree::homes)
    }
}

impl Tree {
    /// The folder that its lock is on.
    fn folder(&self) -> &Path {
        self.git.as_deref().unwrap_or(&self.root)
    }

    fn homes(&self) -> impl Iterator<Item = &Path> {
        let git = self.git.as_deref();
        git.into_iter().chain(std::iter::once(self.root.as_path()))
    }
}

/// The open file that the lock is on. `None` where the file system has no locks:
/// then each file's own check must do.
fn hold(
    root: &Path,
    folder: &Path,
    patience: Duration,
    waiting: &mut dyn FnMut(&Path),
) -> Result<Option<File>, LockError> {
    let unusable = |source| LockError::Unusable {
        path: folder.to_path_buf(),
        source,
    };
    let mut file = File::open(folder).map_err(unusable)?;
    let mut waited = Duration::ZERO;
    let mut is_folder = true;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if waited >= patience => {
                let root = root.to_path_buf();
                return Err(LockError::Taken { root });
            }
            Err(TryLockError::WouldBlock) => {
                if waited.is_zero() {
                    waiting(root);
                }
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            // Network file systems lock no folder, but files that may be written.
            Err(TryLockError::Error(_)) if is_folder && folder != root => {
                is_folder = false;
                let path = folder.join("flux-image.lock");
                let mut options = OpenOptions::new();
                let opened = options.write(true).create(true).truncate(false).open(path);
                let Ok(opened) = opened else { return Ok(None) };
                file = opened;
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(root: &Path, patience: Duration) -> (Result<Lock, LockError>, Vec<PathBuf>) {
        let mut waited = Vec::new();
        let lock = Lock::take([root.to_path_buf()], patience, &mut |root| {
            waited.push(root.to_path_buf());
        });
        (lock, waited)
    }

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        for git in [false, true] {
            if git {
                std::fs::create_dir(folder.path().join(".git")).expect("a folder");
            }
            let (first, waited) = take(folder.path(), Duration::ZERO);
            assert!(waited.is_empty());
            let (second, _) = take(folder.path(), Duration::ZERO);
            assert!(matches!(second, Err(LockError::Taken { .. })));
            let first = first.expect("a lock");
            let ended = thread::spawn(move || {
                thread::sleep(PAUSE * 3);
                drop(first);
            });
            let (second, waited) = take(folder.path(), Duration::from_secs(60));
            second.expect("the first has ended");
            assert_eq!(waited, [folder.path()]);
            ended.join().expect("it ends");
        }
        // Nothing is left but the folder of the test.
        let left = std::fs::read_dir(folder.path()).expect("a folder");
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn several_trees_in_any_order() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [one, two] = folders.each_ref().map(|folder| folder.path().to_path_buf());
        let roots = [two.clone(), one, two];
        Lock::take(roots, Duration::ZERO, &mut |_| {}).expect("each is locked once");
    }
}
