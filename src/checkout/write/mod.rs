//! Writing: all new contents are staged, then each takes the place of its file.
//! A failure puts every file back that is still ours.
//!
//! Others work in the tree at the same time. What somebody else wrote is never
//! written over, on the way there or back: it stays, and is named. Two runs of
//! this program take turns ([`Lock`]).

mod attributes;
mod error;
mod exchange;
mod lock;
mod staging;

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Access;

use self::attributes::Carried;
pub use self::attributes::hard_links;
pub use self::error::{Cause, Left, WriteError};
use self::exchange::{Expected, NotPlaced, Placed};
pub use self::lock::{Lock, LockError};
use self::staging::Stagings;
pub use self::staging::{Staging, sweep};
use crate::finding::{Code, Finding, Location};
use crate::parallel;
use crate::plan::planned::{FileStatus, Identity, Replacement};

/// Set from outside (Ctrl-C) to stop before the next file is touched; what was
/// done is undone.
pub type Interrupted = Arc<AtomicBool>;

/// Whether a file may be replaced: its mode must let its owner write, though a
/// rename would succeed without.
///
/// # Errors
/// What stands against it.
pub fn may_replace(status: &FileStatus) -> Result<(), &'static str> {
    if status.identity.mode & 0o222 == 0 {
        Err("it is read-only")
    } else {
        Ok(())
    }
}

/// A file as it was read.
struct Old<'r>(&'r Replacement);

impl Expected for Old<'_> {
    fn identity(&self) -> &Identity {
        &self.0.status.identity
    }

    fn content(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0.old)
    }
}

/// New contents that wait for their place; dropped, nothing is left of them.
#[derive(Debug)]
pub struct Staged<'r> {
    files: Vec<Fresh<'r>>,
    interrupted: Interrupted,
    /// Where they wait, and after the replacement the old ones.
    _stagings: Stagings<'r>,
}

/// A new content that waits.
#[derive(Debug)]
struct Fresh<'r> {
    replacement: &'r Replacement,
    waiting: PathBuf,
    identity: Identity,
    /// What the old file has and the new one cannot have.
    lost: Vec<String>,
    /// The folder in which it waits, where that is for it alone.
    _beside: Option<Staging>,
}

/// Stages what all files are to hold. With `sync` the data is on the disk
/// before the first is replaced.
///
/// # Errors
/// When one of them cannot be staged, or its folder lets nothing be replaced.
pub fn stage<'r>(
    replacements: &'r [Replacement],
    lock: &'r Lock,
    sync: bool,
    interrupted: Interrupted,
) -> Result<Staged<'r>, WriteError> {
    let mut stagings = Stagings::new(lock.homes());
    let writable = parallel::map(replacements, &may_write);
    let mut planned = Vec::with_capacity(replacements.len());
    for (number, (replacement, writable)) in replacements.iter().zip(writable).enumerate() {
        let device = replacement.status.identity.device;
        let near = writable.and_then(|()| stagings.near(replacement.folder(), device));
        let staging = near.map_err(|error| WriteError::refused(replacement, &error))?;
        planned.push((replacement, stagings.get(staging).file(number)));
    }
    let stage = |chunk: &[(&'r Replacement, PathBuf)]| -> Vec<Result<Fresh<'r>, WriteError>> {
        let one = |(replacement, waiting): &(&'r Replacement, PathBuf)| {
            if interrupted.load(Ordering::Relaxed) {
                return Err(WriteError {
                    cause: Cause::Interrupted,
                    left: Vec::new(),
                });
            }
            Fresh::new(replacement, waiting.clone(), sync)
                .map_err(|error| WriteError::refused(replacement, &error))
        };
        chunk.iter().map(one).collect()
    };
    let files = parallel::map(&planned, &stage).into_iter();
    Ok(Staged {
        files: files.collect::<Result<_, _>>()?,
        interrupted,
        _stagings: stagings,
    })
}

/// Whether files can be replaced in the folders of some.
fn may_write(replacements: &[Replacement]) -> Vec<io::Result<()>> {
    let mut last: Option<&Path> = None;
    let one = |replacement| {
        let folder = Replacement::folder(replacement);
        // They come folder by folder.
        if last != Some(folder) {
            rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
            last = Some(folder);
        }
        Ok(())
    };
    replacements.iter().map(one).collect()
}

impl<'r> Fresh<'r> {
    fn new(replacement: &'r Replacement, waiting: PathBuf, sync: bool) -> io::Result<Self> {
        let text = replacement.new_text().map_err(io::Error::other)?;
        let was = &replacement.status.identity;
        let (file, mut carried) = write_new(&waiting, &text, &replacement.path, was)?;
        if sync {
            file.sync_all()?;
            // Some file systems note the time only now.
            carried.identity = exchange::identity(&file.metadata()?);
        }
        // Closed here, since thousands of open files are more than a process may have.
        Ok(Self {
            identity: carried.identity,
            replacement,
            waiting,
            lost: carried.lost,
            _beside: None,
        })
    }

    /// The same, to wait beside its file.
    fn again_beside(&self) -> io::Result<Self> {
        let staging = Staging::open(self.replacement.folder())?;
        let mut file = Self::new(self.replacement, staging.file(0), false)?;
        file._beside = Some(staging);
        Ok(file)
    }

    fn put(&self) -> Result<Placed, NotPlaced> {
        let path = &self.replacement.path;
        exchange::put(&self.waiting, self, path, &Old(self.replacement))
    }

    /// Puts the old file back.
    fn take_back(&self, how: Placed) -> Result<(), NotPlaced> {
        let path = &self.replacement.path;
        match how {
            Placed::Exchanged => exchange::take_back(&self.waiting, path, self),
            Placed::Renamed => {
                write_new(
                    &self.waiting,
                    &self.replacement.old,
                    path,
                    &self.replacement.status.identity,
                )?;
                exchange::rename_over(&self.waiting, path, self)
            }
        }
    }

    fn old_is_untouched(&self) -> bool {
        exchange::is_untouched(&self.waiting, &self.replacement.status.identity)
    }
}

impl Expected for Fresh<'_> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn content(&self) -> Cow<'_, str> {
        self.replacement.new_text().unwrap_or_default().into()
    }
}

/// A new file with what the file at `like` has besides its content.
fn write_new(
    path: &Path,
    content: &str,
    like: &Path,
    was: &Identity,
) -> io::Result<(File, Carried)> {
    // Its folder is for nobody else's eyes, so it may have the old one's mode at once.
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(was.mode & 0o777)
        .open(path)?;
    file.write_all(content.as_bytes())?;
    let carried = attributes::carry_over(like, was, &file)?;
    Ok((file, carried))
}

/// What came of one file.
enum FileOutcome<'r> {
    /// It is replaced; by what was staged once more, where that was needed.
    Placed(Placed, Option<Box<Fresh<'r>>>),
    Untouched,
    Failed(String),
}

impl<'r> FileOutcome<'r> {
    /// Puts a new content in its place. Where the file system says only now that
    /// it comes from another one, it is staged once more beside its file.
    fn of(file: &Fresh<'r>) -> Self {
        let elsewhere = match file.put() {
            Ok(how) => return Self::Placed(how, None),
            Err(NotPlaced::Refused(error)) if exchange::is_elsewhere(&error) => file.again_beside(),
            Err(why) => return Self::failed(why),
        };
        match elsewhere
            .map_err(NotPlaced::from)
            .and_then(|file| Ok((file.put()?, file)))
        {
            Ok((how, file)) => Self::Placed(how, Some(Box::new(file))),
            Err(why) => Self::failed(why),
        }
    }

    fn failed(why: NotPlaced) -> Self {
        Self::Failed(match why {
            NotPlaced::Changed => error::CHANGED.to_owned(),
            NotPlaced::Refused(refused) => error::why(&refused),
        })
    }

    /// What is in the place of the file that `staged` is for.
    fn placed<'o>(&'o self, staged: &'o Fresh<'r>) -> Option<(&'o Fresh<'r>, Placed)> {
        match self {
            Self::Placed(how, again) => Some((again.as_deref().unwrap_or(staged), *how)),
            Self::Untouched | Self::Failed(_) => None,
        }
    }
}

impl<'r> Staged<'r> {
    /// Files whose replacement has not all that they have, as warnings.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let losing = self.files.iter().filter(|file| !file.lost.is_empty());
        let finding = |file: &Fresh<'_>| {
            let message = format!(
                "this file is replaced, and loses {}",
                file.lost.join(" and ")
            );
            let location = Location::file(&file.replacement.name);
            let finding = Finding::warning(Code::LostAttributes, message, location);
            finding.hint("run flux-image as the owner of the file")
        };
        losing.map(finding).collect()
    }

    /// Replaces all files, or none.
    ///
    /// # Errors
    /// When one of them fails; the others are put back, but for what somebody
    /// else wrote to meanwhile.
    pub fn replace(self) -> Result<(), WriteError> {
        // The first failure stops all threads before their next file.
        let stop = AtomicBool::new(false);
        let place = |chunk: &[Fresh<'r>]| -> Vec<FileOutcome<'r>> {
            let one = |file: &Fresh<'r>| {
                if self.interrupted.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
                    return FileOutcome::Untouched;
                }
                let outcome = FileOutcome::of(file);
                if matches!(outcome, FileOutcome::Failed(_)) {
                    stop.store(true, Ordering::Relaxed);
                }
                outcome
            };
            chunk.iter().map(one).collect()
        };
        let outcomes = parallel::map(&self.files, &place);
        self.settle(&outcomes)
    }

    /// Lets the old files go, if all went well.
    fn settle(&self, outcomes: &[FileOutcome<'r>]) -> Result<(), WriteError> {
        let all = || self.files.iter().zip(outcomes);
        let failed = all().find_map(|(file, outcome)| match outcome {
            FileOutcome::Failed(why) => Some((file, why.as_str())),
            _ => None,
        });
        let placed = all().filter_map(|(file, outcome)| outcome.placed(file));
        let exchanged = placed.filter(|(_, how)| *how == Placed::Exchanged);
        let exchanged: Vec<&Fresh<'r>> = exchanged.map(|(file, _)| file).collect();
        // Who had an old file open may have written to it since.
        let touched = || {
            let untouched = |chunk: &[&Fresh<'r>]| -> Vec<bool> {
                chunk.iter().map(|file| file.old_is_untouched()).collect()
            };
            let untouched = parallel::map(&exchanged, &untouched);
            let first = untouched.iter().position(|untouched| !untouched)?;
            Some(exchanged[first])
        };
        let cause = match failed.or_else(|| Some((touched()?, error::CHANGED))) {
            Some((file, why)) => Cause::Failed {
                file: file.replacement.name.clone(),
                why: why.to_owned(),
            },
            None if all().any(|(file, outcome)| outcome.placed(file).is_none()) => {
                Cause::Interrupted
            }
            None => {
                // What is left of them goes with their folder.
                parallel::for_each(&exchanged, &|file| _ = fs::remove_file(&file.waiting));
                return Ok(());
            }
        };
        Err(WriteError {
            cause,
            left: self.put_back(outcomes),
        })
    }

    /// Gives every replaced file its old content again, and says of which it
    /// could not.
    fn put_back(&self, outcomes: &[FileOutcome<'r>]) -> Vec<Left> {
        let all = self.files.iter().zip(outcomes);
        let placed = all.filter_map(|(file, outcome)| outcome.placed(file));
        let left = placed.filter_map(|(file, how)| {
            let refused = match file.take_back(how) {
                Ok(()) => return None,
                Err(NotPlaced::Changed) => None,
                Err(NotPlaced::Refused(refused)) => Some(error::why(&refused)),
            };
            Some(Left {
                file: file.replacement.name.clone(),
                refused,
            })
        });
        left.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use yaml_edit_spans::patch::Edit;

    fn lock(folder: &Path) -> Lock {
        let roots = [folder.to_path_buf()];
        Lock::take(roots, Duration::ZERO, &mut |_| {}).expect("a lock")
    }

    fn replace_all(replacements: &[Replacement], sync: bool) -> Result<(), WriteError> {
        let lock = lock(replacements[0].folder());
        stage(replacements, &lock, sync, Interrupted::default())?.replace()
    }

    /// Files in a folder of their own, each to be replaced.
    fn replacements(count: usize) -> (tempfile::TempDir, Vec<Replacement>) {
        let folder = tempfile::tempdir().expect("a folder");
        let one = |index: usize| {
            let path = folder.path().join(format!("{index:03}"));
            fs::write(&path, "old").expect("a file");
            Replacement {
                status: FileStatus::from(&fs::metadata(&path).expect("metadata")),
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
            matches!(&error.cause, Cause::Failed { file, .. } if *file == all[70].name),
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

    #[test]
    fn what_somebody_wrote_to_a_replaced_file_stays_and_is_named() {
        let (folder, all) = replacements(3);
        let lock = lock(folder.path());
        let staged = stage(&all, &lock, false, Interrupted::default()).expect("staged");
        let placed = [0, 1].map(|number| FileOutcome::of(&staged.files[number]));
        fs::write(&all[0].path, "a person's").expect("a file");
        let failed = FileOutcome::Failed("No space left".to_owned());
        let outcomes: Vec<_> = placed.into_iter().chain([failed]).collect();
        let error = staged.settle(&outcomes).expect_err("the last failed");
        assert_eq!(
            error.to_string(),
            "cannot write 2: No space left; the other files are as they were, but for these:\n  0: someone else wrote to it after it was edited, and it is left as they wrote it"
        );
        drop(staged);
        assert_eq!(contents(folder.path()), ["a person's", "old", "old"]);
    }

    #[test]
    fn who_writes_to_a_file_that_he_had_open_loses_nothing() {
        let (folder, all) = replacements(2);
        let mut open = fs::OpenOptions::new();
        let mut open = open.append(true).open(&all[1].path).expect("a file");
        let lock = lock(folder.path());
        let staged = stage(&all, &lock, false, Interrupted::default()).expect("staged");
        let outcomes = [0, 1].map(|number| FileOutcome::of(&staged.files[number]));
        open.write_all(b" and more").expect("written");
        let error = staged.settle(&outcomes).expect_err("it was written to");
        assert!(matches!(error.cause, Cause::Failed { file, .. } if file == "1"));
        assert_eq!(error.left, []);
        drop(staged);
        assert_eq!(contents(folder.path()), ["old", "old and more"]);
    }

    #[test]
    fn another_file_system_that_is_seen_late() {
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
            return;
        };
        let (folder, all) = replacements(1);
        let staging = Staging::open(other.path()).expect("a folder");
        let file = Fresh::new(&all[0], staging.file(0), false).expect("staged");
        let outcome = FileOutcome::of(&file);
        assert_eq!(fs::read_to_string(&all[0].path).expect("a file"), "new");
        let (placed, how) = outcome.placed(&file).expect("placed");
        placed.take_back(how).expect("back");
        drop(outcome);
        assert_eq!(contents(folder.path()), ["old"]);
    }

    #[test]
    fn a_file_that_was_renamed_over_is_put_back_as_a_copy() {
        let (folder, all) = replacements(1);
        let lock = lock(folder.path());
        let staged = stage(&all, &lock, false, Interrupted::default()).expect("staged");
        let file = &staged.files[0];
        exchange::rename_over(&file.waiting, &all[0].path, &Old(&all[0])).expect("placed");
        file.take_back(Placed::Renamed).expect("back");
        drop(staged);
        assert_eq!(contents(folder.path()), ["old"]);
    }
}
