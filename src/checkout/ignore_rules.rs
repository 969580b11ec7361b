//! Which untracked files a repository ignores: `.gitignore` in each folder and
//! `info/exclude` (gitignore(5)).
//!
//! The files are opened here, not by the library that matches: as in git, a
//! `.gitignore` is not read through a link, and nothing is waited for. Rules that
//! cannot be read count as none, and that is said. A user's global rules are left
//! out, so that a run does the same on every machine.

use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::regular_file::{self, ReadError};

/// What the files of rules that count at one place may hold together, in bytes. A
/// rule takes hundreds of times its length once it is compiled.
const MAX_RULES: u64 = 1 << 20;

/// The rules that count at a point of a walk: those further down come later, and
/// beat those before them.
#[derive(Debug, Default)]
pub struct IgnoreRules {
    files: Vec<Rules>,
}

#[derive(Debug)]
struct Rules {
    /// How deep their folder lies below where the walk began; 0 for that and
    /// all above.
    depth: usize,
    /// Bytes of their file.
    size: u64,
    matcher: Gitignore,
}

/// A file of rules that could not be read.
pub type Unread = (PathBuf, ReadError);

impl IgnoreRules {
    /// Those of a repository's exclude file and of the folders from `root` down
    /// to `folder`, where a walk begins.
    pub fn above(
        root: &Path,
        exclude: Option<&Path>,
        folder: &Path,
        unread: &mut Vec<Unread>,
    ) -> Self {
        let mut rules = Self::default();
        let linked = |path: &Path| {
            let target = path.canonicalize()?;
            regular_file::read(&target, MAX_RULES)
        };
        if let Some(exclude) = exclude {
            rules.push(0, root, exclude, linked(exclude), unread);
        }
        let folders = folder.ancestors().skip(1);
        let mut folders: Vec<&Path> = folders.take_while(|one| one.starts_with(root)).collect();
        folders.reverse();
        for folder in folders {
            rules.enter(0, folder, unread);
        }
        rules
    }

    /// Adds those of a folder.
    pub fn enter(&mut self, depth: usize, folder: &Path, unread: &mut Vec<Unread>) {
        let path = folder.join(".gitignore");
        let used: u64 = self.files.iter().map(|rules| rules.size).sum();
        let read = regular_file::read(&path, MAX_RULES.saturating_sub(used));
        self.push(depth, folder, &path, read, unread);
    }

    /// Forgets those of folders that lie as deep as an entry at `depth`, or
    /// deeper.
    pub fn leave(&mut self, depth: usize) {
        while self.files.last().is_some_and(|last| last.depth >= depth) {
            self.files.pop();
        }
    }

    /// Whether something is ignored, as long as it is not tracked.
    #[must_use]
    pub fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let verdicts = self.files.iter().rev();
        let mut verdicts = verdicts.map(|rules| rules.matcher.matched(path, is_folder));
        let first = verdicts.find(|verdict| !verdict.is_none());
        matches!(first, Some(Match::Ignore(_)))
    }

    fn push(
        &mut self,
        depth: usize,
        folder: &Path,
        path: &Path,
        read: Result<(Vec<u8>, std::fs::Metadata), ReadError>,
        unread: &mut Vec<Unread>,
    ) {
        match read {
            Ok((bytes, _)) => {
                let (size, matcher) = (bytes.len() as u64, matcher(folder, &bytes));
                if !matcher.is_empty() {
                    self.files.push(Rules {
                        depth,
                        size,
                        matcher,
                    });
                }
            }
            Err(error) if error.is_missing() => {}
            Err(ReadError::TooLarge(_)) => {
                unread.push((path.to_path_buf(), ReadError::TooLarge(MAX_RULES)));
            }
            Err(error) => unread.push((path.to_path_buf(), error)),
        }
    }
}

/// The rules of a text, which count from `folder` on. A line that is not a pattern,
/// or not UTF-8, matches nothing.
fn matcher(folder: &Path, text: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Ok(line) = std::str::from_utf8(line) {
            _ = builder.add_line(None, line);
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_further_down_beat_those_above() {
        let mut rules = IgnoreRules::default();
        let at = Path::new("/r");
        for (depth, folder, text) in [
            (0, at, &b"\xef\xbb\xbf*.tmp.yaml\r\nbuild/\n\xff\n"[..]),
            (1, &at.join("apps"), b"!keep.tmp.yaml\n"),
        ] {
            let matcher = matcher(folder, text);
            rules.files.push(Rules {
                depth,
                size: 0,
                matcher,
            });
        }
        assert!(rules.ignores(&at.join("apps/a.tmp.yaml"), false));
        assert!(!rules.ignores(&at.join("apps/keep.tmp.yaml"), false));
        assert!(rules.ignores(&at.join("build"), true));
        assert!(!rules.ignores(&at.join("build"), false));
        rules.leave(1);
        assert!(rules.ignores(&at.join("apps/keep.tmp.yaml"), false));
    }
}
