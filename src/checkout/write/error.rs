//! Why files are not as planned, and what each of them holds then.

use std::error::Error;
use std::fmt;
use std::io;

use crate::foreign::shown;
use crate::plan::planned::Replacement;
use yaml_edit_spans::patch::Overlap;

/// Why the files are not as planned.
#[derive(Debug)]
pub struct WriteError {
    /// What went wrong.
    pub cause: Cause,
    /// Files that are not as they were before.
    pub left: Vec<Left>,
}

/// What went wrong.
#[derive(Debug, PartialEq, Eq)]
pub enum Cause {
    /// A file could not be staged or replaced.
    Failed {
        /// The file.
        file: String,
        /// Why, and what to do about it.
        why: String,
    },
    /// The edits of a file are none of its text.
    Bug {
        /// The file.
        file: String,
        /// Where.
        overlap: Overlap,
    },
    /// Ctrl-C.
    Interrupted,
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Bug { overlap, .. } => Some(overlap),
            Cause::Failed { .. } | Cause::Interrupted => None,
        }
    }
}

/// A file that is not as it was before.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// The file.
    pub file: String,
    /// What the system said when it was to be put back; `None` where somebody
    /// else wrote to it after it was edited, and it is left as they wrote it.
    pub refused: Option<String>,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failed { file, why } => write!(f, "cannot write {}: {why}", shown(file))?,
            // What is wrong with it is the source.
            Cause::Bug { file, .. } => write!(f, "cannot edit {}", shown(file))?,
            Cause::Interrupted => f.write_str("interrupted")?,
        }
        if self.left.is_empty() {
            return f.write_str("; no file was changed");
        }
        f.write_str("; the other files are as they were, but for these:")?;
        for left in &self.left {
            let file = shown(&left.file);
            match &left.refused {
                None => write!(
                    f,
                    "\n  {file}: someone else wrote to it after it was edited, and it is left as they wrote it"
                )?,
                Some(why) => write!(f, "\n  {file}: is edited, and could not be put back: {why}")?,
            }
        }
        Ok(())
    }
}

impl WriteError {
    /// What stops a file from being staged.
    pub(super) fn refused(replacement: &Replacement, error: &io::Error) -> Self {
        let file = replacement.name.clone();
        let overlap = error.get_ref().and_then(|inner| inner.downcast_ref());
        let cause = match overlap {
            Some(overlap) => Cause::Bug {
                file,
                overlap: *overlap,
            },
            None => Cause::Failed {
                file,
                why: why(error),
            },
        };
        Self {
            cause,
            left: Vec::new(),
        }
    }
}

pub(super) const CHANGED: &str = "someone else changed it after it was read";

pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ResourceBusy => format!(
            "{error} (a file that is mounted by itself cannot be replaced; mount its folder)"
        ),
        _ => error.to_string(),
    }
}
