//! Reading the files of a tree that have something to say: markers, documents of
//! ours or Flux's, what logins need, or the namespace of documents.
//!
//! Which files those are, [`walk`](super::walk) says, and how they are opened,
//! [`regular_file`]. Nothing is read through a link that leads out of the root, and
//! a file that cannot be read or edited is refused with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;

use super::kustomization;
use super::regular_file::{self, MAX_BYTES, ReadError};
use super::walk::Listed;
use crate::api;
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::coverage::inventory;
use crate::parallel;
use crate::plan::planned::FileStatus;
use crate::resource_list::{BIND_ANNOTATION, MARKER_STEM};
use yaml_edit_spans::encoding;

/// A file that has something to say: markers, documents of ours or Flux's, what logins
/// need, or the namespace of documents.
#[derive(Clone, Debug)]
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
    /// It may hold what logins need: Secrets, ServiceAccounts, Namespaces.
    pub has_logins: bool,
    /// It is a kustomization, and no link to one.
    pub is_kustomization: bool,
    /// It is a symbolic link.
    pub is_link: bool,
    /// What the system said of it when it was read.
    pub status: FileStatus,
}

impl SourceFile {
    /// Whether it only helps to read documents: by a namespace, or a login.
    #[must_use]
    pub fn is_beside_documents(&self) -> bool {
        !self.may_bind && !self.has_documents
    }
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

/// Where `path` leads from `root`, as Flux resolves `update.path`: joined as by
/// [`join_within`], links followed on the way. Unlike Flux, which takes a link out
/// of the root for one inside it, such a link is refused. `root` is a real path.
///
/// # Errors
/// Where nothing is there, or a link leads out of the root or into `.git`.
pub fn resolve_within(root: &Path, path: &str) -> Result<PathBuf, ReadError> {
    let mut real = root.to_path_buf();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => real = regular_file::inside(root, &real.join(name))?,
            Component::ParentDir if real != root => _ = real.pop(),
            _ => {}
        }
    }
    Ok(real)
}

/// Reads those of `files` that have something to say, in their order. `root` is the folder that no link may lead out of;
/// `show` makes the name that findings use. `named` files were named by the
/// user, so what is wrong with them weighs as an error. `wanted` says which files have
/// something to say besides.
#[must_use]
pub fn read_all(
    files: &[Listed],
    root: &Path,
    named: &BTreeSet<PathBuf>,
    wanted: Wanted,
    show: &(dyn Fn(&Path) -> String + Sync),
) -> (Vec<SourceFile>, Vec<Refused>) {
    let read_chunk = |chunk: &[Listed]| -> Vec<Option<Result<SourceFile, Refused>>> {
        let needles = Needles::new(wanted);
        chunk
            .iter()
            .map(|listed| read_one(listed, root, named.contains(&listed.path), show, &needles))
            .collect()
    };
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    for read in parallel::map(files, &read_chunk).into_iter().flatten() {
        match read {
            Ok(source) => sources.push(source),
            Err(one) => refused.push(one),
        }
    }
    (sources, refused)
}

/// Which files are wanted besides those that speak of markers or hold documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those with documents that hold one of these words.
    Words(&'static [&'static str]),
    /// Those that may name an image.
    Images,
    /// All.
    All,
}

struct Needles {
    /// Whether a file may be bound that holds none.
    wanted: Wanted,
    /// Further words of documents that are read.
    also: Vec<memmem::Finder<'static>>,
    annotation: memmem::Finder<'static>,
    marker: memmem::Finder<'static>,
    flux: memmem::Finder<'static>,
    own: memmem::Finder<'static>,
    source: memmem::Finder<'static>,
    image: memmem::Finder<'static>,
    logins: [memmem::Finder<'static>; 3],
}

impl Needles {
    fn new(wanted: Wanted) -> Self {
        let words: &[&str] = match wanted {
            Wanted::Words(words) => words,
            Wanted::Images | Wanted::All => &[],
        };
        Self {
            wanted,
            also: words.iter().map(memmem::Finder::new).collect(),
            annotation: memmem::Finder::new(BIND_ANNOTATION),
            marker: memmem::Finder::new(MARKER_STEM),
            flux: memmem::Finder::new(api::FLUX_GROUP),
            own: memmem::Finder::new(api::OWN_GROUP),
            source: memmem::Finder::new(api::SOURCE_GROUP),
            image: memmem::Finder::new("image"),
            logins: ["Secret", "ServiceAccount", "Namespace"].map(memmem::Finder::new),
        }
    }

    fn may_have_documents(&self, bytes: &[u8]) -> bool {
        let words = [&self.flux, &self.own, &self.source];
        let mut words = words.into_iter().chain(&self.also);
        words.any(|word| word.find(bytes).is_some())
    }

    fn may_have_logins(&self, bytes: &[u8]) -> bool {
        self.logins.iter().any(|word| word.find(bytes).is_some())
    }

    fn has_markers(&self, bytes: &[u8]) -> bool {
        let words = [&self.marker, &self.annotation];
        words.iter().any(|word| word.find(bytes).is_some())
    }

    /// Whether a text that is not read may hold an image that would be bound.
    fn may_miss(&self, bytes: &[u8]) -> bool {
        !matches!(self.wanted, Wanted::Words(_)) && self.image.find(bytes).is_some()
    }

    fn is_wanted(&self, bytes: &[u8]) -> bool {
        match self.wanted {
            Wanted::Words(_) => false,
            Wanted::Images => inventory::may_name_an_image(bytes),
            Wanted::All => true,
        }
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
    let refuse = |code: Code, why: &ReadError, location: Location, may_have_documents: bool| {
        let finding = Finding::new(severity, code, why.to_string(), location);
        Some(Err(Refused {
            path: path.to_path_buf(),
            finding: finding.hint_if(why.hint()),
            may_have_documents,
        }))
    };
    let (bytes, metadata) = match read_listed(listed, root) {
        Ok(read) => read,
        // It went away since it was listed, or is a link to nothing, which Flux
        // skips, too.
        Err(error) if error.is_missing() && !is_named => return None,
        Err(error) => {
            // No documents are read through links.
            let may_have_documents = !listed.is_link && error.may_hide_a_text();
            let location = Location::file(show(path));
            return refuse(Code::UnusableFile, &error, location, may_have_documents);
        }
    };
    let wide = encoding::wide(&bytes).map(|wide| wide.decode(&bytes));
    let looked_at = wide.as_deref().map_or(bytes.as_slice(), str::as_bytes);
    let has_documents = needles.may_have_documents(looked_at);
    let has_markers = needles.has_markers(looked_at);
    let may_bind = has_markers || needles.is_wanted(looked_at);
    let has_logins = needles.may_have_logins(looked_at);
    let is_kustomization = !listed.is_link && kustomization::is_name_of_one(path);
    let is_missed = has_markers || has_documents || needles.may_miss(looked_at);
    if !(may_bind || has_documents || has_logins || is_kustomization) {
        return None;
    }
    match encoding::decode(bytes) {
        Err(_) if !is_missed => None,
        Ok(text) => Some(Ok(SourceFile {
            path: path.to_path_buf(),
            name: show(path),
            text: text.into(),
            has_markers,
            may_bind,
            has_documents,
            has_logins,
            is_kustomization,
            is_link: listed.is_link,
            status: FileStatus::from(&metadata),
        })),
        Err(error) => {
            let location = Location::new(show(path), error.place);
            let why = ReadError::NotUtf8(error);
            refuse(Code::Unparsable, &why, location, has_documents)
        }
    }
}

/// The text of a file that a walk found, through a link only inside `root`; `None`
/// where it contains no documents that are read.
///
/// # Errors
/// Where it cannot be read, or is not UTF-8.
pub fn read_documents(listed: &Listed, root: &Path) -> Result<Option<String>, ReadError> {
    let (bytes, _) = read_listed(listed, root)?;
    let wide = encoding::wide(&bytes).map(|wide| wide.decode(&bytes));
    let looked_at = wide.as_deref().map_or(bytes.as_slice(), str::as_bytes);
    let needles = Needles::new(Wanted::Words(&[]));
    if !needles.may_have_documents(looked_at) && !needles.may_have_logins(looked_at) {
        return Ok(None);
    }
    let text = encoding::decode(bytes).map_err(ReadError::NotUtf8)?;
    Ok(Some(text))
}

/// The bytes of a file that a walk found.
fn read_listed(listed: &Listed, root: &Path) -> Result<(Vec<u8>, fs::Metadata), ReadError> {
    if listed.is_link {
        regular_file::read(&regular_file::inside(root, &listed.path)?, MAX_BYTES)
    } else {
        regular_file::read(&listed.path, MAX_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn update_path_follows_links_inside_the_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a folder");
        let root = real.join("root");
        fs::create_dir_all(root.join("a/b")).expect("a folder");
        fs::create_dir_all(root.join(".git/x")).expect("a folder");
        fs::create_dir(real.join("outside")).expect("a folder");
        for (target, name) in [
            ("a/b", "link"),
            ("../link", "a/again"),
            ("../outside", "out"),
            ("/", "all"),
            ("../..", "a/above"),
            (".git/x", "git"),
            ("loop", "loop"),
        ] {
            symlink(target, root.join(name)).expect("a link");
        }
        for (path, expected) in [
            (".", Some("")),
            ("", Some("")),
            ("./a/b/", Some("a/b")),
            ("/a/b", Some("a/b")),
            ("../../a", Some("a")),
            ("link", Some("a/b")),
            ("a/again", Some("a/b")),
            ("link/..", Some("a")),
            ("link/../again/../b", Some("a/b")),
            ("out", None),
            ("out/../root/a", None),
            ("all", None),
            ("a/above", None),
            ("git", None),
            (".git/x", None),
            ("loop", None),
            ("gone", None),
        ] {
            let resolved = resolve_within(&root, path).ok();
            let expected = expected.map(|inside| root.join(inside));
            assert_eq!(resolved, expected, "{path}");
        }
    }
}
