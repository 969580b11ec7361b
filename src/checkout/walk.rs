//! The files of a tree: which are looked at.
//!
//! As in Flux: names that end in exactly `.yaml` or `.yml`, or that are
//! `Kustomization`, in every folder, dot-folders too, and no folder through a
//! link. Unlike Flux: `.git` is left out, and so are untracked files that the
//! repository ignores. Flux works on a fresh clone without submodules, so neither
//! submodules nor other repositories in the work tree are walked: no commit of
//! this one could hold what is edited there.
//!
//! What cannot be looked at is not passed over: it comes out as a [`Note`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::git::Repository;
use super::git::index::Index;
use super::ignore_rules::{IgnoreRules, Unread};
use crate::update::outcome::{Code, Finding, Location, Severity};
use crate::update::path_name;

/// A file that a walk found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// It is a symbolic link.
    pub is_link: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files, in lexical order of their paths, each once.
    pub files: Vec<Listed>,
    /// What was not looked at, each once.
    pub notes: BTreeSet<Note>,
}

/// Something that a walk did not look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub what: Unseen,
}

/// Why something was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// A folder that cannot be listed, and what the system said.
    Folder(String),
    /// A submodule, or another repository.
    Repository,
    /// A file of ignore rules that cannot be read, and why.
    Rules(String),
    /// An index that cannot be read, and why.
    Index(String),
}

impl Note {
    /// The note as a finding; `show` makes the name that it uses.
    #[must_use]
    pub fn finding(&self, show: &dyn Fn(&Path) -> String) -> Finding {
        let (severity, code, message, hint) = match &self.what {
            Unseen::Folder(why) => (
                Severity::Warning,
                Code::UnusableFile,
                format!("this folder cannot be listed: {why}"),
                "let it be read, or leave it out by `.gitignore`",
            ),
            Unseen::Repository => (
                Severity::Info,
                Code::OtherRepository,
                "this folder is another repository and is left alone: no commit of this one can hold its files".to_owned(),
                "run `flux-image update` in there",
            ),
            Unseen::Rules(why) => (
                Severity::Warning,
                Code::UnusableFile,
                format!("these ignore rules do not count: the file {why}"),
                "make it a regular file; together with those in the folders above it may hold 1 MiB",
            ),
            Unseen::Index(why) => (
                Severity::Warning,
                Code::UnusableFile,
                format!("which files are tracked is not known: git's index {why}"),
                "`git status` tells what git makes of it",
            ),
        };
        Finding::new(severity, code, message, Location::file(show(&self.path))).hint(hint)
    }
}

/// The files under `path`, or `path` itself, whatever its name.
///
/// # Errors
/// When `path` cannot be looked at.
pub fn files_under(path: &Path) -> io::Result<Listing> {
    let real = path.canonicalize()?;
    let mut walk = Walk::of(&real);
    if let Some(other) = walk.submodule(&real) {
        walk.note(&other, Unseen::Repository);
    } else if real.is_dir() {
        walk.folder(&real)?;
        walk.tracked(&real);
    } else {
        let is_link = path.symlink_metadata()?.is_symlink();
        walk.found.push(Listed {
            path: path.to_path_buf(),
            is_link,
        });
    }
    let mut listing = Listing {
        files: walk.found,
        notes: walk.notes,
    };
    if real != path && real.is_dir() {
        listing.rename(&real, path);
    }
    sort(&mut listing.files);
    Ok(listing)
}

impl Listing {
    /// Calls everything under `real` by `name`, as the user does.
    fn rename(&mut self, real: &Path, name: &Path) {
        let named = |path: &Path| match path.strip_prefix(real) {
            Ok(inside) => name.join(inside),
            Err(_) => path.to_path_buf(),
        };
        for file in &mut self.files {
            file.path = named(&file.path);
        }
        let notes = std::mem::take(&mut self.notes).into_iter();
        self.notes = notes
            .map(|note| Note {
                path: named(&note.path),
                what: note.what,
            })
            .collect();
    }

    /// Adds what another walk found.
    pub fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.notes.extend(other.notes);
    }
}

/// Puts files into the lexical order of their paths, each once.
pub fn sort(files: &mut Vec<Listed>) {
    // Mostly sorted already, which this sort makes use of.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
}

/// A walk under way. All paths are real ones.
struct Walk {
    /// The work tree. Ignore rules and other repositories are a repository's;
    /// without one there are none to look for.
    repository: Option<Repository>,
    /// Those that the index knows, from the root on.
    other_repositories: Vec<PathBuf>,
    found: Vec<Listed>,
    notes: BTreeSet<Note>,
}

impl Walk {
    fn of(real: &Path) -> Self {
        let mut walk = Self {
            repository: None,
            other_repositories: Vec::new(),
            found: Vec::new(),
            notes: BTreeSet::new(),
        };
        let Some(repository) = Repository::of(real) else {
            return walk;
        };
        match repository.index() {
            Ok(index) => walk.other_repositories = index.repositories().collect(),
            Err(error) => walk.note(&error.path, Unseen::Index(error.why.clone())),
        }
        walk.repository = Some(repository);
        walk
    }

    fn note(&mut self, path: &Path, what: Unseen) {
        self.notes.insert(Note {
            path: path.to_path_buf(),
            what,
        });
    }

    /// The other repository that a path is in, or is, if the index knows of one.
    fn submodule(&self, path: &Path) -> Option<PathBuf> {
        let root = &self.repository.as_ref()?.root;
        let inside = path.strip_prefix(root).ok()?;
        let mut others = self.other_repositories.iter();
        let other = others.find(|other| inside.starts_with(other))?;
        Some(root.join(other))
    }

    /// Lists a folder and all that are in it.
    fn folder(&mut self, top: &Path) -> io::Result<()> {
        let mut unread: Vec<Unread> = Vec::new();
        let mut rules = IgnoreRules::default();
        if let Some(repository) = &self.repository {
            let exclude = repository.exclude_file();
            rules = IgnoreRules::above(&repository.root, exclude.as_deref(), top, &mut unread);
        }
        let mut entries = WalkDir::new(top).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.depth() == 0 => return Err(error.into()),
                Err(error) => {
                    self.unlisted(top, &error);
                    continue;
                }
            };
            let (depth, path, kind) = (entry.depth(), entry.path(), entry.file_type());
            rules.leave(depth.max(1));
            let is_folder = kind.is_dir();
            if depth > 0 && (entry.file_name() == ".git" || rules.ignores(path, is_folder)) {
                if is_folder {
                    entries.skip_current_dir();
                }
            } else if is_folder {
                if depth > 0 && self.is_repository(path) {
                    self.note(path, Unseen::Repository);
                    entries.skip_current_dir();
                } else if self.repository.is_some() {
                    rules.enter(depth, path, &mut unread);
                }
            } else if path_name::is_manifest_name(path) {
                // Also what is no file: a pipe by this name is not passed over.
                self.found.push(Listed {
                    is_link: kind.is_symlink(),
                    path: entry.into_path(),
                });
            }
        }
        for (path, error) in unread {
            let is_unlisted = |note: &Note| {
                matches!(note.what, Unseen::Folder(_)) && path.parent() == Some(&note.path)
            };
            if !self.notes.iter().any(is_unlisted) {
                self.note(&path, Unseen::Rules(error.to_string()));
            }
        }
        Ok(())
    }

    /// A folder that cannot be opened, which is no reason to leave the others.
    fn unlisted(&mut self, top: &Path, error: &walkdir::Error) {
        let why = error.io_error();
        if why.is_some_and(|why| why.kind() == io::ErrorKind::NotFound) {
            return; // It went away.
        }
        let why = why.map_or_else(|| error.to_string(), ToString::to_string);
        self.note(error.path().unwrap_or(top), Unseen::Folder(why));
    }

    /// Whether a folder below the work tree's root is another repository.
    fn is_repository(&self, folder: &Path) -> bool {
        self.repository.is_some()
            && (self.submodule(folder).is_some() || folder.join(".git").symlink_metadata().is_ok())
    }

    /// Adds the manifests under `top` that git tracks: these count even where an
    /// ignore rule matches them.
    fn tracked(&mut self, top: &Path) {
        let Some(repository) = &self.repository else {
            return;
        };
        let found: HashSet<&Path> = self.found.iter().map(|one| one.path.as_path()).collect();
        let mut real_folders: BTreeMap<PathBuf, bool> = BTreeMap::new();
        let mut more = Vec::new();
        // What is wrong with it is noted.
        let files = repository.index().into_iter().flat_map(Index::files);
        for name in files.filter(|name| path_name::is_manifest_name(name)) {
            let path = repository.root.join(name);
            if !path.starts_with(top) || found.contains(path.as_path()) {
                continue;
            }
            // A folder that was replaced by a link holds nothing tracked.
            let folder = path.parent().unwrap_or(top);
            let is_real = *real_folders
                .entry(folder.to_path_buf())
                .or_insert_with(|| folder.canonicalize().is_ok_and(|real| real == folder));
            let metadata = path.symlink_metadata();
            if let (true, Ok(metadata)) = (is_real, metadata)
                && !metadata.is_dir()
            {
                let is_link = metadata.is_symlink();
                more.push(Listed { path, is_link });
            }
        }
        self.found.extend(more);
    }
}
