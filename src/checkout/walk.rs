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
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::git::index::Index;
use super::git::{Repositories, Repository};
use super::ignore_rules::{IgnoreRules, Unread};
use crate::finding::{Code, Finding, Location, Severity};
use crate::path_name;

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
    /// Dockerfiles, none through a link; read by nobody but who asks for images.
    pub container_files: Vec<PathBuf>,
    /// What was not looked at, each once.
    pub notes: BTreeSet<Note>,
    /// Folders that are ignored.
    ignored: BTreeSet<PathBuf>,
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
    /// Another repository, also a submodule.
    Repository,
    /// A submodule that is not checked out.
    Submodule,
    /// A file of ignore rules that cannot be read, and why.
    Rules(String),
    /// An index that cannot be read, and why.
    Index(String),
}

impl Unseen {
    /// Whether no commit of this repository could hold it.
    #[must_use]
    pub fn is_other_repository(&self) -> bool {
        matches!(self, Self::Repository | Self::Submodule)
    }
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
                "make it readable, or exclude it with `.gitignore`",
            ),
            Unseen::Repository => (
                Severity::Info,
                Code::OtherRepository,
                "this folder is another repository and is left alone: no commit of this one can contain its files".to_owned(),
                "run `flux-image update` in there",
            ),
            Unseen::Submodule => (
                Severity::Info,
                Code::OtherRepository,
                "this folder is a submodule that is not checked out, and is left alone: no commit of the repository around it can contain its files".to_owned(),
                "`git submodule update --init` checks it out",
            ),
            Unseen::Rules(why) => (
                Severity::Warning,
                Code::UnusableFile,
                format!("these ignore rules do not count: {why}"),
                "make it a regular file; it and those in the folders above may be 1 MiB together",
            ),
            Unseen::Index(why) => (
                Severity::Warning,
                Code::UnusableFile,
                format!("which files are tracked is not known: {why}"),
                "`git status` tells what git makes of it",
            ),
        };
        Finding::new(severity, code, message, Location::file(show(&self.path))).hint(hint)
    }
}

/// The files under `path`, or `path` itself, whatever its name.
///
/// # Errors
/// When `path` cannot be looked at, or is git's own.
pub fn files_under(path: &Path, repositories: &Repositories) -> io::Result<Listing> {
    let real = path.canonicalize()?;
    let repository = repositories.of(&real);
    let of_git = |one: &Repository| {
        let inside = real.strip_prefix(&one.root);
        inside.is_ok_and(|inside| inside.iter().any(|name| name == ".git"))
    };
    if repository.as_ref().is_some_and(of_git) {
        return Err(io::Error::other("this belongs to git and is not read"));
    }
    let mut walk = Walk::of(repository);
    if let Some(other) = walk.submodule(&real) {
        walk.note(&other, Unseen::Submodule);
    } else if real.is_dir() {
        walk.folder(&real)?;
        walk.tracked(&real);
    } else {
        let is_link = path.symlink_metadata()?.is_symlink();
        walk.listing.files.push(Listed {
            path: path.to_path_buf(),
            is_link,
        });
    }
    let mut listing = walk.listing;
    if real != path && real.is_dir() {
        listing.rename(&real, path);
    }
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
        for file in &mut self.container_files {
            *file = named(file);
        }
        let ignored = std::mem::take(&mut self.ignored).into_iter();
        self.ignored = ignored.map(|path| named(&path)).collect();
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
        self.container_files.extend(other.container_files);
        self.notes.extend(other.notes);
        self.ignored.extend(other.ignored);
    }

    /// The files under a folder that a walk of one above it came to, or was to come
    /// to; `None` where it had no reason to.
    #[must_use]
    pub fn under(&self, folder: &Path) -> Option<Vec<Listed>> {
        let unseen = self.notes.iter().map(|note| &note.path);
        let mut unseen = unseen.chain(&self.ignored);
        if unseen.any(|unseen| folder.starts_with(unseen)) {
            return None;
        }
        let from = (self.files).partition_point(|file| file.path.as_path() < folder);
        let inside = self.files[from..].iter();
        let inside = inside.take_while(|file| file.path.starts_with(folder));
        Some(inside.cloned().collect())
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
    listing: Listing,
}

/// A folder that is being listed.
struct OpenFolder {
    path: PathBuf,
    /// How deep it lies below where the walk began.
    depth: usize,
    /// What is left of what is in it, in the order of the names.
    left: std::vec::IntoIter<FolderEntry>,
}

impl Walk {
    fn of(repository: Option<Repository>) -> Self {
        let mut walk = Self {
            repository: None,
            other_repositories: Vec::new(),
            listing: Listing::default(),
        };
        let Some(repository) = repository else {
            return walk;
        };
        match repository.index() {
            Ok(index) => walk.other_repositories = index.repositories().collect(),
            Err((path, why)) => walk.note(path, Unseen::Index(why.to_string())),
        }
        walk.repository = Some(repository);
        walk
    }

    fn note(&mut self, path: &Path, what: Unseen) {
        self.listing.notes.insert(Note {
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
        let (first, unseen) = OpenFolder::open(top.to_path_buf(), 0)?;
        self.unseen(unseen);
        let mut open = vec![first];
        self.enter(&open[0], &mut rules, &mut unread);
        // In the order of the paths, so that nothing is left to be sorted.
        while let Some(folder) = open.last_mut() {
            let Some(entry) = folder.left.next() else {
                rules.leave(folder.depth.max(1));
                open.pop();
                continue;
            };
            let is_folder = entry.kind.is_dir();
            let name = Path::new(&entry.name);
            let is_manifest = path_name::is_manifest_name(name);
            let is_container_file =
                !is_manifest && entry.kind.is_file() && path_name::is_container_file_name(name);
            if !(is_folder || is_manifest || is_container_file) {
                continue;
            }
            let (path, depth) = (folder.path.join(&entry.name), folder.depth + 1);
            if entry.name == ".git" || rules.ignores(&path, is_folder) {
                if is_folder {
                    self.listing.ignored.insert(path);
                }
            } else if is_folder {
                open.extend(self.opened(path, depth, &mut rules, &mut unread));
            } else if is_container_file {
                self.listing.container_files.push(path);
            } else {
                // Also what is not a file: a pipe by this name is not passed over.
                let is_link = entry.kind.is_symlink();
                self.listing.files.push(Listed { path, is_link });
            }
        }
        for (path, error) in unread {
            self.note(&path, Unseen::Rules(error.to_string()));
        }
        Ok(())
    }

    /// A folder on the way, if it is to be listed and can be.
    fn opened(
        &mut self,
        path: PathBuf,
        depth: usize,
        rules: &mut IgnoreRules,
        unread: &mut Vec<Unread>,
    ) -> Option<OpenFolder> {
        let opened = OpenFolder::open(path.clone(), depth);
        // Of one that cannot be listed a `.git` may still be seen.
        // To git, a link that leads nowhere is not there.
        let has_git = match &opened {
            Ok((folder, _)) => folder.has(".git") && path.join(".git").exists(),
            Err(_) => path.join(".git").symlink_metadata().is_ok(),
        };
        if self.repository.is_some() && has_git {
            self.note(&path, Unseen::Repository);
            return None;
        }
        if self.submodule(&path).is_some() {
            self.note(&path, Unseen::Submodule);
            return None;
        }
        match opened {
            Ok((folder, unseen)) => {
                self.unseen(unseen);
                self.enter(&folder, rules, unread);
                Some(folder)
            }
            // It went away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // One that cannot be listed is no reason to leave the others.
            Err(error) => {
                self.note(&path, Unseen::Folder(error.to_string()));
                None
            }
        }
    }

    /// Notes what in a folder could not be looked at.
    fn unseen(&mut self, unseen: Vec<(PathBuf, io::Error)>) {
        for (path, error) in unseen {
            self.note(&path, Unseen::Folder(error.to_string()));
        }
    }

    /// Has the rules of a folder count.
    fn enter(&self, folder: &OpenFolder, rules: &mut IgnoreRules, unread: &mut Vec<Unread>) {
        if self.repository.is_some() && folder.has(".gitignore") {
            rules.enter(folder.depth, &folder.path, unread);
        }
    }

    /// Adds the manifests under `top` that git tracks: these count even where an
    /// ignore rule matches them.
    fn tracked(&mut self, top: &Path) {
        let Some(repository) = &self.repository else {
            return;
        };
        let found = self.listing.files.iter();
        let found: HashSet<&Path> = found.map(|one| one.path.as_path()).collect();
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
        if !more.is_empty() {
            self.listing.files.extend(more);
            sort(&mut self.listing.files);
        }
    }
}

/// Something in a folder.
struct FolderEntry {
    name: OsString,
    kind: fs::FileType,
}

impl OpenFolder {
    /// Lists a folder. What in it cannot be looked at is told apart.
    fn open(path: PathBuf, depth: usize) -> io::Result<(Self, Vec<(PathBuf, io::Error)>)> {
        let (mut entries, mut unread) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&path)? {
            let (place, read) = match entry {
                Ok(entry) => {
                    let read = entry.file_type().map(|kind| FolderEntry {
                        kind,
                        name: entry.file_name(),
                    });
                    (entry.path(), read)
                }
                Err(error) => (path.clone(), Err(error)),
            };
            match read {
                Ok(entry) => entries.push(entry),
                // What went away meanwhile is passed over.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unread.push((place, error)),
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let folder = Self {
            path,
            depth,
            left: entries.into_iter(),
        };
        Ok((folder, unread))
    }

    /// Whether something of this name is in it, of what is left.
    fn has(&self, name: &str) -> bool {
        self.left.as_slice().iter().any(|entry| entry.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_walk_came_to_is_told_by_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        for (name, text) in [
            (".git/HEAD", ""),
            (".git/x.yaml", ""),
            (".gitignore", "ignored/\n"),
            ("a.yaml", ""),
            ("a/b.yaml", ""),
            ("a/c/d.yaml", ""),
            ("a/c/e.txt", ""),
            ("a-b/f.yaml", ""),
            ("ignored/g/h.yaml", ""),
            ("clone/.git/HEAD", ""),
            ("clone/i.yaml", ""),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let listing = files_under(&root, &Repositories::default()).expect("listed");
        for (path, expected) in [
            ("a", Some(&["a/b.yaml", "a/c/d.yaml"][..])),
            ("a/c", Some(&["a/c/d.yaml"])),
            ("a-b", Some(&["a-b/f.yaml"])),
            ("none", Some(&[])),
            (
                "",
                Some(&["a-b/f.yaml", "a.yaml", "a/b.yaml", "a/c/d.yaml"]),
            ),
            // Whoever names these walks them alone.
            ("ignored", None),
            ("ignored/g", None),
            ("clone", None),
            (".git", None),
        ] {
            let found = listing.under(&root.join(path)).map(|mut files| {
                files.sort_by_key(|file| file.path.clone().into_os_string());
                let names = files
                    .iter()
                    .map(|file| file.path.strip_prefix(&root).expect("in"));
                names
                    .map(|name| name.display().to_string())
                    .collect::<Vec<_>>()
            });
            assert_eq!(
                found.as_deref(),
                expected
                    .map(|all| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
                    .as_deref(),
                "{path}"
            );
        }
        let alone = files_under(&root.join("ignored/g"), &Repositories::default()).expect("listed");
        assert_eq!(alone.files.len(), 1);
    }
}
