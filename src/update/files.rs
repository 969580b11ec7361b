//! Writing: all new contents are staged beside their files, then each file is
//! replaced by a rename. A failure puts every file back.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

/// Set from outside (Ctrl-C) to stop before the next file is touched; what was
/// done is undone.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A file that is to hold something else.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The file.
    pub path: PathBuf,
    /// What it was read as.
    pub old: String,
    /// What it is to hold.
    pub new: String,
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

/// Whether `path` may be replaced: a regular file, not a link, that the mode
/// lets its owner write. (A rename would succeed without.)
///
/// # Errors
/// What stands against it.
pub fn may_replace(path: &Path) -> Result<(), String> {
    let data =
        fs::symlink_metadata(path).map_err(|error| format!("cannot be looked at: {error}"))?;
    if data.is_symlink() {
        return Err("is a link, and links are not written through".to_owned());
    }
    if !data.is_file() {
        return Err("is no regular file".to_owned());
    }
    if data.permissions().readonly() {
        return Err("is read-only".to_owned());
    }
    Ok(())
}

/// Replaces all files, or none. With `sync` the data is on the disk before the
/// first rename.
///
/// # Errors
/// When one of them fails; the others are put back.
pub fn replace_all(replacements: &[Replacement], sync: bool) -> Result<(), WriteError> {
    let mut staged = Vec::with_capacity(replacements.len());
    for replacement in replacements {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(WriteError::Interrupted);
        }
        let file = stage(replacement, sync).map_err(|source| WriteError::Failed {
            path: replacement.path.clone(),
            source,
        })?;
        staged.push(file);
    }
    for (index, (file, replacement)) in staged.into_iter().zip(replacements).enumerate() {
        let persisted = if INTERRUPTED.load(Ordering::Relaxed) {
            Err(None)
        } else {
            check_unchanged(replacement)
                .and_then(|()| file.persist(&replacement.path).map_err(|error| error.error))
                .map_err(Some)
        };
        if let Err(source) = persisted {
            return Err(put_back(&replacements[..index], &replacement.path, source));
        }
    }
    Ok(())
}

/// The new content in a file of its own, with the mode of the old one.
fn stage(replacement: &Replacement, sync: bool) -> io::Result<NamedTempFile> {
    let folder = replacement
        .path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".flux-image-")
        .suffix(".tmp")
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(replacement.new.as_bytes())?;
    file.as_file()
        .set_permissions(fs::metadata(&replacement.path)?.permissions())?;
    if sync {
        file.as_file().sync_all()?;
    }
    Ok(file)
}

/// Nobody else may have written the file since it was read.
fn check_unchanged(replacement: &Replacement) -> io::Result<()> {
    let length = File::open(&replacement.path)?.metadata()?.len();
    let same = length == replacement.old.len() as u64
        && fs::read(&replacement.path)? == replacement.old.as_bytes();
    if same {
        Ok(())
    } else {
        Err(io::Error::other(
            "the file was changed by someone else meanwhile",
        ))
    }
}

fn put_back(done: &[Replacement], path: &Path, source: Option<io::Error>) -> WriteError {
    for replacement in done {
        let undo = Replacement {
            path: replacement.path.clone(),
            old: replacement.new.clone(),
            new: replacement.old.clone(),
        };
        let undone = stage(&undo, false)
            .and_then(|file| file.persist(&undo.path).map_err(|error| error.error));
        if let Err(error) = undone {
            return WriteError::Lost {
                path: path.to_path_buf(),
                lost: undo.path,
                source: source.unwrap_or(error),
            };
        }
    }
    match source {
        Some(source) => WriteError::Failed {
            path: path.to_path_buf(),
            source,
        },
        None => WriteError::Interrupted,
    }
}
