//! Writing: all new contents are staged beside their files, then each file is
//! replaced by a rename. A failure puts every file back.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempPath;

use super::parallel;
use crate::yaml::patch::{Edit, Overlap, Patched};

/// Set from outside (Ctrl-C) to stop before the next file is touched; what was
/// done is undone.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A file that is to hold something else.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The file.
    pub path: PathBuf,
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
    for (index, (file, replacement)) in staged.into_iter().zip(replacements).enumerate() {
        let replaced = if INTERRUPTED.load(Ordering::Relaxed) {
            Err(None)
        } else {
            replace(file, replacement).map_err(Some)
        };
        if let Err(source) = replaced {
            return Err(put_back(&replacements[..index], &replacement.path, source));
        }
    }
    Ok(())
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

fn put_back(done: &[Replacement], path: &Path, source: Option<io::Error>) -> WriteError {
    for replacement in done {
        let undone = stage(replacement, &replacement.old, false)
            .and_then(|file| file.persist(&replacement.path).map_err(|error| error.error));
        if let Err(error) = undone {
            return WriteError::Lost {
                path: path.to_path_buf(),
                lost: replacement.path.clone(),
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
