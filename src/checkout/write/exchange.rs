//! Putting one file in the place of another, and taking it back, without ever
//! losing what somebody else wrote.
//!
//! The two change names in one step of the kernel (`RENAME_EXCHANGE`), so what
//! was in the place is still there to be looked at: if it is not what was read,
//! it goes back, and nobody has seen it gone. The old file waits where the new
//! one did, until the run is through. Where a file system cannot exchange, the
//! file is looked at just before a plain rename: a writer in that very moment is
//! not seen.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::checkout::regular_file;
use crate::plan::planned::{FileStatus, Identity};

/// What tells a file from another, by what the system says of it.
#[must_use]
pub(super) fn identity(metadata: &Metadata) -> Identity {
    FileStatus::from(metadata).identity
}

/// Whether the file of this name is this one, by what the system says of the name
/// alone.
fn seems_at(identity: &Identity, path: &Path) -> io::Result<bool> {
    Ok(self::identity(&fs::symlink_metadata(path)?) == *identity)
}

/// A file that is expected somewhere.
pub(super) trait Expected {
    /// Which file.
    fn identity(&self) -> &Identity;

    /// What it holds.
    fn content(&self) -> Cow<'_, str>;

    /// Whether the file of this name is this one with this content. A time of
    /// change is too coarse to tell alone.
    fn is_at(&self, path: &Path) -> bool {
        let is_this = |now: &Metadata| identity(now) == *self.identity();
        let file = regular_file::open(path).ok();
        let file = file.filter(|file| file.metadata().as_ref().is_ok_and(is_this));
        file.is_some_and(|file| regular_file::holds(&file, self.content().as_bytes()))
    }

    /// Whether the file of this name holds this content, whatever else it is.
    fn content_is_at(&self, path: &Path) -> bool {
        let file = regular_file::open(path);
        file.is_ok_and(|file| regular_file::holds(&file, self.content().as_bytes()))
    }
}

/// How a file came into its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// The old one waits where the new one did.
    Exchanged,
    /// The old one is gone.
    Renamed,
}

/// Why a file is not in its place.
#[derive(Debug)]
pub(super) enum NotPlaced {
    /// What is there is not what was expected.
    Changed,
    /// The system refuses it.
    Refused(io::Error),
}

impl From<io::Error> for NotPlaced {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Somebody took it away.
            io::ErrorKind::NotFound => Self::Changed,
            _ => Self::Refused(error),
        }
    }
}

/// Puts `new`, which waits at `waiting`, in the place of `old` at `path`. What
/// is at `path` stays there if it does not seem to be `old`, and goes back there if it
/// holds something else.
///
/// # Errors
/// Where it does not come to its place; it waits where it did, then.
pub(super) fn put(
    waiting: &Path,
    new: &impl Expected,
    path: &Path,
    old: &impl Expected,
) -> Result<Placed, NotPlaced> {
    if !seems_at(old.identity(), path)? {
        return Err(NotPlaced::Changed);
    }
    match exchange(waiting, path) {
        // What else the system says of it, `is_untouched` looks at before it is let go.
        Ok(()) if old.content_is_at(waiting) => Ok(Placed::Exchanged),
        Ok(()) => {
            give_back(waiting, path, new)?;
            Err(NotPlaced::Changed)
        }
        Err(error) if cannot_exchange(&error) => {
            rename_over(waiting, path, old)?;
            Ok(Placed::Renamed)
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts the file at `waiting` in the place of `old` without an exchange.
pub(super) fn rename_over(
    waiting: &Path,
    path: &Path,
    old: &impl Expected,
) -> Result<(), NotPlaced> {
    if !old.is_at(path) {
        return Err(NotPlaced::Changed);
    }
    fs::rename(waiting, path)?;
    Ok(())
}

/// Puts the old file back that waits at `waiting`, in the place of `new`.
///
/// # Errors
/// Where what is at `path` is not `new` any more, or the system refuses it.
pub(super) fn take_back(waiting: &Path, path: &Path, new: &impl Expected) -> Result<(), NotPlaced> {
    if !new.is_at(path) {
        return Err(NotPlaced::Changed);
    }
    give_back(waiting, path, new)
}

/// Whether the old file still is as it was when it was put aside: somebody may
/// have had it open.
#[must_use]
pub(super) fn is_untouched(waiting: &Path, old: &Identity) -> bool {
    seems_at(old, waiting).unwrap_or(false)
}

/// What waits at `waiting` goes to `path`, and `new` comes back from there;
/// anything else that comes is put back.
fn give_back(waiting: &Path, path: &Path, new: &impl Expected) -> Result<(), NotPlaced> {
    exchange(waiting, path)?;
    if new.is_at(waiting) {
        return Ok(());
    }
    exchange(waiting, path)?;
    Err(NotPlaced::Changed)
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Whether kernel or file system do not know the exchange.
fn cannot_exchange(error: &io::Error) -> bool {
    let unknown = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|errno| unknown.contains(&errno))
}

/// Whether the two names are on different file systems.
#[must_use]
pub(super) fn is_elsewhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::CrossesDevices
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::PathBuf;

    use super::*;

    /// A file and its content.
    struct Known<'c> {
        identity: Identity,
        content: &'c str,
    }

    impl Expected for Known<'_> {
        fn identity(&self) -> &Identity {
            &self.identity
        }

        fn content(&self) -> Cow<'_, str> {
            self.content.into()
        }
    }

    /// `old` in its place, and `new` waiting.
    struct Two {
        folder: tempfile::TempDir,
    }

    impl Two {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let two = Self { folder };
            fs::write(two.path(), "old").expect("a file");
            fs::write(two.waiting(), "new").expect("a file");
            two
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("deploy.yaml")
        }

        fn waiting(&self) -> PathBuf {
            self.folder.path().join("0")
        }

        fn known(&self) -> (Known<'static>, Known<'static>) {
            let of = |path: &Path, content| Known {
                identity: identity(&fs::metadata(path).expect("a file")),
                content,
            };
            (of(&self.waiting(), "new"), of(&self.path(), "old"))
        }

        fn put(&self) -> (Known<'static>, Known<'static>, Result<Placed, NotPlaced>) {
            let (new, old) = self.known();
            let placed = put(&self.waiting(), &new, &self.path(), &old);
            (new, old, placed)
        }

        fn contents(&self) -> [String; 2] {
            [self.path(), self.waiting()].map(|path| fs::read_to_string(path).unwrap_or_default())
        }
    }

    /// Other content of the same length in the same file, with the time it had:
    /// what a coarse clock hides.
    fn write_unseen(path: &Path, content: &str) {
        let modified = fs::metadata(path).expect("a file").modified();
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).open(path).expect("a file");
        io::Write::write_all(&mut file, content.as_bytes()).expect("written");
        file.set_modified(modified.expect("a time"))
            .expect("a time");
    }

    #[test]
    fn there_and_back() {
        let two = Two::new();
        let (new, old, placed) = two.put();
        assert_eq!(placed.expect("placed"), Placed::Exchanged);
        assert_eq!(two.contents(), ["new", "old"]);
        assert!(is_untouched(&two.waiting(), &old.identity));
        take_back(&two.waiting(), &two.path(), &new).expect("back");
        assert_eq!(two.contents(), ["old", "new"]);
        // The very file, not a copy.
        assert!(seems_at(&old.identity, &two.path()).expect("a file"));
    }

    #[test]
    fn what_a_person_wrote_before_stays() {
        type Edit = fn(&Path);
        let edits: [Edit; 5] = [
            |path| fs::write(path, "another").expect("a file"),
            |path| write_unseen(path, "odd"),
            |path| {
                fs::write(path.with_extension("swp"), "old").expect("a file");
                fs::rename(path.with_extension("swp"), path).expect("renamed");
            },
            |path| {
                fs::remove_file(path).expect("removed");
                std::os::unix::fs::symlink("elsewhere", path).expect("a link");
            },
            |path| {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("a folder");
            },
        ];
        for (number, edit) in edits.into_iter().enumerate() {
            let two = Two::new();
            let (new, old) = two.known();
            edit(&two.path());
            let expected = two.contents();
            let before = fs::symlink_metadata(two.path()).expect("a file").ino();
            let placed = put(&two.waiting(), &new, &two.path(), &old);
            assert!(matches!(placed, Err(NotPlaced::Changed)), "{number}");
            assert_eq!(two.contents(), expected, "{number}");
            let after = fs::symlink_metadata(two.path()).expect("a file").ino();
            assert_eq!(after, before, "{number}");
        }
    }

    #[test]
    fn what_was_taken_away_is_not_made_again() {
        let two = Two::new();
        let (new, old) = two.known();
        fs::remove_file(two.path()).expect("removed");
        let placed = put(&two.waiting(), &new, &two.path(), &old);
        assert!(matches!(placed, Err(NotPlaced::Changed)));
        assert!(!two.path().exists());
        // Nor on the way back.
        let two = Two::new();
        let (new, _, _) = two.put();
        fs::remove_file(two.path()).expect("removed");
        let back = take_back(&two.waiting(), &two.path(), &new);
        assert!(matches!(back, Err(NotPlaced::Changed)));
        assert!(!two.path().exists());
    }

    #[test]
    fn what_a_person_wrote_over_ours_stays() {
        let two = Two::new();
        let (new, _, _) = two.put();
        write_unseen(&two.path(), "odd");
        let back = take_back(&two.waiting(), &two.path(), &new);
        assert!(matches!(back, Err(NotPlaced::Changed)));
        assert_eq!(two.contents(), ["odd", "old"]);
    }

    #[test]
    fn a_late_write_to_the_old_file_is_seen() {
        let two = Two::new();
        let mut open = fs::OpenOptions::new();
        let mut open = open.append(true).open(two.path()).expect("a file");
        let (_, old, _) = two.put();
        io::Write::write_all(&mut open, b"er").expect("written");
        assert!(!is_untouched(&two.waiting(), &old.identity));
    }

    #[test]
    fn without_an_exchange_the_file_is_looked_at_before() {
        let two = Two::new();
        let (_, old) = two.known();
        rename_over(&two.waiting(), &two.path(), &old).expect("placed");
        assert_eq!(two.contents(), ["new", ""]);
        let two = Two::new();
        let (_, old) = two.known();
        write_unseen(&two.path(), "odd");
        let placed = rename_over(&two.waiting(), &two.path(), &old);
        assert!(matches!(placed, Err(NotPlaced::Changed)));
        assert_eq!(two.contents(), ["odd", "new"]);
    }
}
