//! Writing: all new contents are staged beside their files, then each file is
//! replaced by a rename. A failure puts every file back.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempPath;

use crate::parallel;
use crate::yaml::patch::{Edit, Overlap, Patched};

/// Set from outside (Ctrl-C) to stop before the next file is touched; what was
/// done is undone.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A file that is to hold something else.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The file.
    pub path: PathBuf,
    /// What the outcome calls it.
    pub name: String,
    /// What the system said of it when it was read.
    pub metadata: Metadata,
    /// What it was read as.
    pub old: Arc<str>,
    /// What is to change in it.
    pub edits: Vec<Edit>,
}

impl Replacement {
    /// What the file is to hold.
    ///
    /// # Errors
    /// Where the edits are none of the text.
    pub fn new_text(&self) -> Result<String, Overlap> {
        Patched::new(&self.old, self.edits.clone()).map(|patched| patched.to_string())
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file could not be staged or replaced; all are as they were.
    #[error("cannot write {}; no file was changed", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// As before, but a file that had been replaced could not be put back.
    #[error("cannot write {}, and {} could not be put back", path.display(), lost.display())]
    Lost {
        /// The file that could not be written.
        path: PathBuf,
        /// The file that now holds the new content though the run failed.
        lost: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Ctrl-C; all files are as they were.
    #[error("interrupted; no file was changed")]
    Interrupted,
}

/// Whether a file may be replaced: its mode must let its owner write, though a
/// rename would succeed without.
///
/// # Errors
/// What stands against it.
pub fn may_replace(metadata: &Metadata) -> Result<(), &'static str> {
    if metadata.permissions().readonly() {
        Err("it is read-only")
    } else {
        Ok(())
    }
}

/// Replaces all files, or none. With `sync` the data is on the disk before the
/// first rename.
///
/// # Errors
/// When one of them fails; the others are put back.
pub fn replace_all(replacements: &[Replacement], sync: bool) -> Result<(), WriteError> {
    let stage_share = |share: &[Replacement]| -> Vec<Result<TempPath, WriteError>> {
        let one = |replacement: &Replacement| {
            if INTERRUPTED.load(Ordering::Relaxed) {
                return Err(WriteError::Interrupted);
            }
            let new = replacement.new_text().map_err(io::Error::other);
            new.and_then(|new| stage(replacement, &new, sync))
                .map_err(|source| WriteError::Failed {
                    path: replacement.path.clone(),
                    source,
                })
        };
        share.iter().map(one).collect()
    };
    // Dropping a staged file removes it, so the first failure leaves nothing.
    let staged: Vec<TempPath> = parallel::map(replacements, &stage_share)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let pairs: Vec<(Mutex<Option<TempPath>>, &Replacement)> = staged
        .into_iter()
        .map(|file| Mutex::new(Some(file)))
        .zip(replacements)
        .collect();
    // The first failure stops all shares before their next file.
    let stop = AtomicBool::new(false);
    let replace_share = |share: &[(Mutex<Option<TempPath>>, &Replacement)]| -> Vec<Outcome> {
        let one = |(file, replacement): &(Mutex<Option<TempPath>>, &Replacement)| {
            if INTERRUPTED.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
                return Outcome::Untouched;
            }
            let file = file.lock().ok().and_then(|mut file| file.take());
            match file.map_or(Ok(()), |file| replace(file, replacement)) {
                Ok(()) => Outcome::Replaced,
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    Outcome::Failed(error)
                }
            }
        };
        share.iter().map(one).collect()
    };
    let outcomes = parallel::map(&pairs, &replace_share);
    let all_replaced = outcomes
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Replaced));
    if all_replaced {
        return Ok(());
    }
    Err(put_back(replacements, outcomes))
}

/// What came of one file.
enum Outcome {
    Replaced,
    Untouched,
    Failed(io::Error),
}

/// `content` in a file of its own beside the old one, with the old one's mode.
fn stage(replacement: &Replacement, content: &str, sync: bool) -> io::Result<TempPath> {
    let folder = replacement.path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".flux-image-")
        .suffix(".tmp")
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(content.as_bytes())?;
    file.as_file()
        .set_permissions(replacement.metadata.permissions())?;
    if sync {
        file.as_file().sync_all()?;
    }
    // Closed, since thousands of open files are more than a process may have.
    Ok(file.into_temp_path())
}

/// Puts a staged file in the place of the old one, unless somebody else has
/// written that since it was read.
fn replace(file: TempPath, replacement: &Replacement) -> io::Result<()> {
    let (before, now) = (
        &replacement.metadata,
        fs::symlink_metadata(&replacement.path)?,
    );
    let same = now.len() == before.len()
        && now.ino() == before.ino()
        && now.modified().ok() == before.modified().ok();
    if !same {
        return Err(io::Error::other(
            "the file was changed by someone else meanwhile",
        ));
    }
    file.persist(&replacement.path)
        .map_err(|error| error.error)?;
    Ok(())
}

/// Gives every replaced file its old content again.
fn put_back(replacements: &[Replacement], outcomes: Vec<Outcome>) -> WriteError {
    let mut failed = None;
    let mut lost = None;
    for (replacement, outcome) in replacements.iter().zip(outcomes) {
        match outcome {
            Outcome::Untouched => {}
            Outcome::Failed(source) if failed.is_none() => {
                failed = Some((replacement.path.clone(), source));
            }
            Outcome::Failed(_) => {}
            Outcome::Replaced => {
                let undone = stage(replacement, &replacement.old, false)
                    .and_then(|file| file.persist(&replacement.path).map_err(|e| e.error));
                if let Err(error) = undone {
                    lost.get_or_insert((replacement.path.clone(), error));
                }
            }
        }
    }
    match (failed, lost) {
        (failed, Some((lost, error))) => {
            let (path, source) = failed.unwrap_or_else(|| (lost.clone(), error));
            WriteError::Lost { path, lost, source }
        }
        (Some((path, source)), None) => WriteError::Failed { path, source },
        (None, None) => WriteError::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in a folder of their own, each to be replaced.
    fn replacements(count: usize) -> (tempfile::TempDir, Vec<Replacement>) {
        let folder = tempfile::tempdir().expect("a folder");
        let one = |index: usize| {
            let path = folder.path().join(format!("{index:03}"));
            fs::write(&path, "old").expect("a file");
            Replacement {
                metadata: fs::metadata(&path).expect("metadata"),
                name: index.to_string(),
                path,
                old: "old".into(),
                edits: vec![Edit::new(0, 3, "new")],
            }
        };
        let all = (0..count).map(one).collect();
        (folder, all)
    }

    fn contents(folder: &Path) -> Vec<String> {
        let mut names: Vec<PathBuf> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        let read = |path: &PathBuf| fs::read_to_string(path).expect("a file");
        names.iter().map(read).collect()
    }

    #[test]
    fn all_are_replaced() {
        let (folder, all) = replacements(100);
        replace_all(&all, true).expect("written");
        assert_eq!(contents(folder.path()), vec!["new"; 100]);
    }

    #[test]
    fn one_that_somebody_changed_meanwhile_puts_all_back() {
        let (folder, all) = replacements(100);
        fs::write(&all[70].path, "another").expect("a file");
        let error = replace_all(&all, false).expect_err("it was changed");
        assert!(
            matches!(&error, WriteError::Failed { path, .. } if *path == all[70].path),
            "{error}"
        );
        let mut expected = vec!["old"; 100];
        expected[70] = "another";
        assert_eq!(contents(folder.path()), expected);
    }

    #[test]
    fn one_that_vanished_puts_all_back() {
        let (folder, all) = replacements(100);
        fs::remove_file(&all[99].path).expect("removed");
        replace_all(&all, false).expect_err("it is gone");
        assert_eq!(contents(folder.path()), vec!["old"; 99]);
    }

    #[test]
    fn a_folder_that_vanished_leaves_the_others() {
        let (folder, mut all) = replacements(10);
        let (gone, other) = replacements(1);
        all.extend(other);
        drop(gone);
        replace_all(&all, false).expect_err("its folder is gone");
        assert_eq!(contents(folder.path()), vec!["old"; 10]);
    }
}
