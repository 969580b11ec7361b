//! Where new contents wait for their place: one folder for a run, not a file
//! beside each.
//!
//! It is in git's own folder where that is on the same file system, since what
//! stands there is no part of the work tree; elsewhere it holds a `.gitignore`
//! that covers all of it. So what a killed run leaves is never committed, and
//! the next run removes it: a folder that nobody has locked has no run.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the names of such folders begin with.
const PREFIX: &str = ".flux-image-";
const IGNORE: &str = ".gitignore";

/// A folder in which new contents wait; it is removed when dropped.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    /// Says that the run is alive.
    _alive: Option<File>,
    device: u64,
}

impl Staging {
    /// Makes one in `home`, from which files can be renamed to `home`, and
    /// removes those there that have no run any more.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(home: &Path) -> io::Result<Self> {
        sweep(home);
        // Between making and locking it may be swept by somebody else.
        for _ in 0..10 {
            let mut builder = tempfile::Builder::new();
            builder
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700));
            let folder = builder.tempdir_in(home)?;
            let file = match File::open(folder.path()) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let is_locked = match file.try_lock() {
                Ok(()) => true,
                Err(fs::TryLockError::WouldBlock) => continue,
                // No locks here, so nobody sweeps.
                Err(fs::TryLockError::Error(_)) => false,
            };
            if !folder.path().is_dir() {
                continue;
            }
            fs::write(folder.path().join(IGNORE), "*\n")?;
            return Ok(Self {
                device: file.metadata()?.dev(),
                folder,
                _alive: is_locked.then_some(file),
            });
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// The name that the file of this number has while it waits.
    #[must_use]
    pub fn file(&self, number: usize) -> PathBuf {
        self.folder.path().join(number.to_string())
    }
}

/// Removes what killed runs have left in `home`. What cannot be removed stays,
/// and so does a folder that holds anything else than a run puts there.
pub fn sweep(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_named_so = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        // Not through a link.
        if is_named_so && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            _ = remove_dead(&entry.path());
        }
    }
}

fn remove_dead(folder: &Path) -> io::Result<()> {
    let file = File::open(folder)?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_number = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !entry.file_type()?.is_file() || !(is_number || name == IGNORE) {
            return Ok(());
        }
        files.push(entry.path());
    }
    // What hides the others goes last.
    files.sort_by_key(|file| file.ends_with(IGNORE));
    files.iter().try_for_each(fs::remove_file)?;
    fs::remove_dir(folder)
}

/// The folders of a run, each made when it is first wanted.
#[derive(Debug)]
pub(super) struct Stagings<'l> {
    homes: Vec<&'l Path>,
    open: Vec<Staging>,
}

impl<'l> Stagings<'l> {
    /// None yet; some of the folders in which they may be are named.
    #[must_use]
    pub(super) fn new(homes: impl Iterator<Item = &'l Path>) -> Self {
        Self {
            homes: homes.collect(),
            open: Vec::new(),
        }
    }

    /// The number of one from which a file of `folder` can be renamed, as far as can be
    /// told before. The file is on the file system `device`, as its folder mostly is.
    ///
    /// # Errors
    /// Where neither git's folder, nor the root, nor `folder` itself has room
    /// for one.
    pub(super) fn near(&mut self, folder: &Path, device: u64) -> io::Result<usize> {
        let on = |device: u64| {
            self.open
                .iter()
                .position(|staging| staging.device == device)
        };
        if let Some(number) = on(device) {
            return Ok(number);
        }
        // A file of an overlay may be on another one than its folder.
        let device = fs::metadata(folder)?.dev();
        if let Some(number) = on(device) {
            return Ok(number);
        }
        let is_near = |home: &Path| fs::metadata(home).is_ok_and(|home| home.dev() == device);
        let homes = self.homes.iter().copied().filter(|home| is_near(home));
        let opened = homes.flat_map(Staging::open).next();
        self.open.push(match opened {
            Some(staging) => staging,
            None => Staging::open(folder)?,
        });
        Ok(self.open.len() - 1)
    }

    /// One of those that are open.
    #[must_use]
    pub(super) fn get(&self, number: usize) -> &Staging {
        &self.open[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("UTF-8")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_nobody_has_is_swept() {
        let home = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("kept"), "").expect("a file");
        let at = |name: &str| home.path().join(name);
        for dead in [".flux-image-dead", ".flux-image-docs", "else"] {
            fs::create_dir(at(dead)).expect("a folder");
            fs::write(at(dead).join("0"), "").expect("a file");
        }
        fs::write(at(".flux-image-docs/index.md"), "a person's").expect("a file");
        fs::create_dir(at(".flux-image-empty")).expect("a folder");
        fs::write(at(".flux-image-notes"), "a person's").expect("a file");
        let link = at(".flux-image-link");
        std::os::unix::fs::symlink(outside.path(), link).expect("a link");
        let alive = Staging::open(home.path()).expect("a folder");
        let alive_name = alive.folder.path().file_name().expect("a name");
        let alive_name = alive_name.to_str().expect("UTF-8").to_owned();
        let second = Staging::open(home.path()).expect("a folder");
        drop(second);
        let mut expected = vec![
            ".flux-image-docs".to_owned(),
            ".flux-image-link".to_owned(),
            ".flux-image-notes".to_owned(),
            alive_name,
            "else".to_owned(),
        ];
        expected.sort();
        assert_eq!(names(home.path()), expected);
        assert_eq!(names(outside.path()), ["kept"]);
        drop(alive);
        assert_eq!(names(home.path()).len(), 4);
    }

    #[test]
    fn another_file_system_has_one_of_its_own() {
        let (home, other) = (
            tempfile::tempdir().expect("a folder"),
            Path::new("/dev/shm"),
        );
        let device = |path: &Path| fs::metadata(path).expect("a folder").dev();
        if !other.is_dir() || device(other) == device(home.path()) {
            return;
        }
        let other = tempfile::tempdir_in(other).expect("a folder");
        let mut stagings = Stagings::new(std::iter::once(home.path()));
        let numbers = [home.path(), other.path(), home.path(), other.path()];
        let numbers = numbers.map(|folder| {
            let near = stagings.near(folder, device(folder));
            near.expect("a folder")
        });
        assert_eq!(numbers, [0, 1, 0, 1]);
        assert!(stagings.get(1).file(7).starts_with(other.path()));
    }
}
