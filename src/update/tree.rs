//! Which files of a checkout are looked at, and reading them.
//!
//! As in Flux: names that end in exactly `.yaml` or `.yml`, or that are
//! `Kustomization`, in every folder, dot-folders too. Unlike Flux: `.git` is
//! left out, and so are untracked files that the repository ignores; nothing
//! is read through a link that leads out of the root.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ignore::WalkBuilder;
use memchr::memmem;

use super::git;
use super::outcome::{Code, Finding, Location, Severity};
use crate::api;
use crate::bind::{annotation, marker};
use crate::parallel;
use crate::yaml::Place;

/// A file that has something to say: markers, or documents of ours or Flux's.
#[derive(Debug)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// What findings call it.
    pub name: String,
    /// What it holds.
    pub text: Arc<str>,
    /// It speaks of `$imagepolicy`, or of `flux-image.dev/bind`.
    pub has_markers: bool,
    /// Its scalars may be bound: by what it speaks of, or by what everything is
    /// looked at for.
    pub may_bind: bool,
    /// It may hold documents that are read.
    pub has_documents: bool,
    /// It is a symbolic link.
    pub is_link: bool,
    /// What the system said of it when it was read.
    pub metadata: fs::Metadata,
}

/// A file that a walk found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// It is a symbolic link.
    pub is_link: bool,
}

/// A file that could not be read.
#[derive(Debug)]
pub struct Refused {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub finding: Finding,
    /// It may have held documents, so that it counts wherever it is; else it
    /// only counts where it was to be edited.
    pub may_have_documents: bool,
}

/// The work tree that `from` is in: the nearest folder above with a `.git`.
#[must_use]
pub fn work_tree(from: &Path) -> Option<PathBuf> {
    let absolute = from.canonicalize().ok()?;
    absolute
        .ancestors()
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_path_buf)
}

/// `path` under `root`, as Flux joins `update.path`: absolute paths count from
/// the root, and `..` never leaves it.
#[must_use]
pub fn join_within(root: &Path, path: &str) -> PathBuf {
    let mut inside: Vec<&std::ffi::OsStr> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::ParentDir => _ = inside.pop(),
            _ => {}
        }
    }
    root.join(inside.iter().collect::<PathBuf>())
}

/// Whether Flux would read a file of this name.
#[must_use]
pub fn is_manifest_name(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization"
}

/// The files under `path` (or `path` itself, whatever its name), in lexical
/// order of their paths.
///
/// # Errors
/// When `path` cannot be looked at.
pub fn files_under(path: &Path) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    if !fs::metadata(path)?.is_dir() {
        found.push(listed(path.to_path_buf()));
        return Ok(found);
    }
    // Ignore rules are the repository's; without one there are none to look
    // for in every folder.
    let in_repository = work_tree(path).is_some();
    let mut walk = WalkBuilder::new(path);
    walk.hidden(false)
        .ignore(false)
        .git_global(false)
        .git_ignore(in_repository)
        .git_exclude(in_repository)
        .follow_links(false)
        .parents(in_repository)
        .sort_by_file_name(std::cmp::Ord::cmp)
        .filter_entry(|entry| entry.file_name() != ".git");
    for entry in walk.build() {
        // A folder that cannot be opened is no reason to leave the others.
        let Ok(entry) = entry else { continue };
        let Some(kind) = entry.file_type() else {
            continue;
        };
        if (kind.is_file() || kind.is_symlink()) && is_manifest_name(entry.path()) {
            let is_link = kind.is_symlink();
            found.push(Listed {
                path: entry.into_path(),
                is_link,
            });
        }
    }
    found.extend(tracked_under(path).into_iter().map(listed));
    sort(&mut found);
    Ok(found)
}

/// Puts files into the lexical order of their paths, each once.
pub fn sort(files: &mut Vec<Listed>) {
    // Mostly sorted already, which this sort makes use of.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
}

fn listed(path: PathBuf) -> Listed {
    let is_link = fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink());
    Listed { path, is_link }
}

/// Manifests under `path` that git tracks: these count even where an ignore
/// rule matches them.
fn tracked_under(path: &Path) -> Vec<PathBuf> {
    let Some(root) = work_tree(path) else {
        return Vec::new();
    };
    let Ok(absolute) = path.canonicalize() else {
        return Vec::new();
    };
    let mut tracked = Vec::new();
    for name in git::tracked(&root) {
        let file = root.join(&name);
        if let (true, Ok(inside)) = (is_manifest_name(&file), file.strip_prefix(&absolute)) {
            let named = path.join(inside);
            if named.is_file() {
                tracked.push(named);
            }
        }
    }
    tracked
}

/// Reads those of `files` that speak of policies or are documents of ours or
/// Flux's, in their order. `root` is the folder that no link may lead out of;
/// `show` makes the name that findings use. `named` files were named by the
/// user, so what is wrong with them weighs as an error. With `all`, every file
/// may be bound.
#[must_use]
pub fn read_all(
    files: &[Listed],
    root: &Path,
    named: &BTreeSet<PathBuf>,
    all: bool,
    show: &(dyn Fn(&Path) -> String + Sync),
) -> (Vec<SourceFile>, Vec<Refused>) {
    let read_share = |share: &[Listed]| -> Vec<Option<Result<SourceFile, Refused>>> {
        let needles = Needles::new(all);
        share
            .iter()
            .map(|listed| read_one(listed, root, named.contains(&listed.path), show, &needles))
            .collect()
    };
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    for read in parallel::map(files, &read_share).into_iter().flatten() {
        match read {
            Ok(source) => sources.push(source),
            Err(one) => refused.push(one),
        }
    }
    (sources, refused)
}

/// The texts of those of `files` that hold one of `words`. What cannot be read,
/// or is a link out of `root`, has nothing to say here.
pub fn read_holding<'f>(
    files: &'f [Listed],
    root: &'f Path,
    words: &[&'static str],
) -> impl Iterator<Item = (PathBuf, String)> + 'f {
    let finders: Vec<_> = words
        .iter()
        .map(|word| memmem::Finder::new(*word))
        .collect();
    files.iter().filter_map(move |listed| {
        let path = &listed.path;
        if listed.is_link && !path.canonicalize().is_ok_and(|to| to.starts_with(root)) {
            return None;
        }
        let (bytes, _) = read_with_metadata(path).ok()?;
        if !finders.iter().any(|finder| finder.find(&bytes).is_some()) {
            return None;
        }
        Some((path.clone(), String::from_utf8(bytes).ok()?))
    })
}

/// Whether a text may hold documents that are read: ours, Flux's, or what a
/// login depends on.
#[must_use]
pub fn may_have_documents(bytes: &[u8]) -> bool {
    let logins = ["Secret", "ServiceAccount", "Namespace"];
    Needles::new(false).may_have_documents(bytes)
        || logins
            .iter()
            .any(|kind| memmem::find(bytes, kind.as_bytes()).is_some())
}

struct Needles {
    /// Whether a file may be bound that holds none.
    all: bool,
    annotation: memmem::Finder<'static>,
    marker: memmem::Finder<'static>,
    flux: memmem::Finder<'static>,
    own: memmem::Finder<'static>,
    source: memmem::Finder<'static>,
}

impl Needles {
    fn new(all: bool) -> Self {
        Self {
            all,
            annotation: memmem::Finder::new(annotation::KEY),
            marker: memmem::Finder::new(marker::KEY_STEM),
            flux: memmem::Finder::new(api::FLUX_GROUP),
            own: memmem::Finder::new(api::OWN_GROUP),
            source: memmem::Finder::new(api::SOURCE_GROUP),
        }
    }

    fn may_have_documents(&self, bytes: &[u8]) -> bool {
        let words = [&self.flux, &self.own, &self.source];
        words.iter().any(|word| word.find(bytes).is_some())
    }

    fn has_markers(&self, bytes: &[u8]) -> bool {
        let words = [&self.marker, &self.annotation];
        words.iter().any(|word| word.find(bytes).is_some())
    }
}

fn read_one(
    listed: &Listed,
    root: &Path,
    is_named: bool,
    show: &(dyn Fn(&Path) -> String + Sync),
    needles: &Needles,
) -> Option<Result<SourceFile, Refused>> {
    let path = listed.path.as_path();
    let severity = if is_named {
        Severity::Error
    } else {
        Severity::Warning
    };
    let refuse = |code: Code, message: String, may_have_documents: bool| {
        Some(Err(Refused {
            path: path.to_path_buf(),
            finding: Finding::new(severity, code, message, Location::file(show(path))),
            may_have_documents,
        }))
    };
    if listed.is_link {
        match path.canonicalize() {
            // A broken link has nothing to say; Flux skips it too.
            Err(_) if !is_named => return None,
            Ok(target) if !target.starts_with(root) => {
                let message = "this link leads out of the tree and is not read".to_owned();
                return refuse(Code::UnusableFile, message, false);
            }
            _ => {}
        }
    }
    let (bytes, metadata) = match read_with_metadata(path) {
        Ok(read) => read,
        // It went away since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return None,
        Err(error) => {
            return refuse(Code::UnusableFile, format!("cannot be read: {error}"), true);
        }
    };
    let has_documents = needles.may_have_documents(&bytes);
    let has_markers = needles.has_markers(&bytes);
    let may_bind = has_markers || needles.all;
    if !may_bind && !has_documents {
        return None;
    }
    match String::from_utf8(bytes) {
        Err(_) if !has_markers && !has_documents => None,
        Ok(text) => Some(Ok(SourceFile {
            path: path.to_path_buf(),
            name: show(path),
            text: text.into(),
            has_markers,
            may_bind,
            has_documents,
            is_link: listed.is_link,
            metadata,
        })),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let place = Place::of(error.as_bytes(), at);
            refuse(
                Code::Unparsable,
                format!("is no UTF-8: line {}, column {}", place.line, place.column),
                has_documents,
            )
        }
    }
}

fn read_with_metadata(path: &Path) -> io::Result<(Vec<u8>, fs::Metadata)> {
    let mut file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    file.read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}
