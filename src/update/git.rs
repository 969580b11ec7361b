//! What is read of a git repository besides its files: where its own folder is,
//! the index, its configuration and its ignore rules.
//!
//! A reader of our own, since all that is wanted are names, object ids and the
//! times of files; a git library is megabytes. git itself is never run: a
//! repository's configuration can name programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use super::regular_file::{self, ReadError};

/// The work tree that `from` is in: the nearest folder above with a `.git`.
#[must_use]
pub fn work_tree(from: &Path) -> Option<PathBuf> {
    let absolute = from.canonicalize().ok()?;
    absolute
        .ancestors()
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_path_buf)
}

/// git's own folder of the work tree at `root`: `.git`, or what a file of that
/// name points to, as in a linked work tree or a submodule
/// (gitrepository-layout). A file that points to what is no git folder is as
/// good as none, since it may be an attacker's.
#[must_use]
pub fn own_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    let kind = fs::symlink_metadata(&git).ok()?;
    if kind.is_dir() {
        return Some(git);
    }
    let folder = if kind.is_symlink() {
        git
    } else {
        let text = regular_file::text_within(root, &git).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    let folder = folder.canonicalize().ok()?;
    is_own_folder(&folder).then_some(folder)
}

/// What all work trees of a repository share, as its configuration: git's own
/// folder, or where `commondir` in there says.
fn common_folder(root: &Path) -> Option<PathBuf> {
    let own = own_folder(root)?;
    let common = read(&own.join("commondir")).ok();
    let common = common.and_then(|common| String::from_utf8(common).ok());
    Some(match common {
        Some(common) => own.join(common.trim()),
        None => own,
    })
}

/// The configuration of the repository of the work tree at `root`; empty where
/// there is none, or none that can be read.
#[must_use]
pub fn config(root: &Path) -> String {
    let config = common_folder(root).map(|folder| folder.join("config"));
    let config = config.and_then(|config| read(&config).ok());
    String::from_utf8_lossy(&config.unwrap_or_default()).into_owned()
}

/// Where the ignore rules are that the repository of the work tree at `root` has
/// besides those in its folders.
#[must_use]
pub fn exclude(root: &Path) -> Option<PathBuf> {
    common_folder(root).map(|folder| folder.join("info/exclude"))
}

/// The bytes of a file of git's own. It may be a link, as `git-new-workdir` makes
/// them, but nothing else than a regular file behind it.
fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let target = path.canonicalize()?;
    let (bytes, _) = regular_file::read(&target, regular_file::MAX_BYTES)?;
    Ok(bytes)
}

/// Whether a folder is one in which git keeps a repository or a work tree's
/// part of it.
#[must_use]
pub fn is_own_folder(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("HEAD") && (has("commondir") || has("objects") && has("refs"))
}

/// What the index says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// The name of the blob that git stores: 20 bytes of SHA-1 or 32 of SHA-256.
    /// Empty for a file in conflict.
    pub id: Vec<u8>,
    /// When the file was last written, in seconds and nanoseconds, cut to 32 bits.
    pub modified: (u32, u32),
    /// The file's length in the work tree, cut to 32 bits.
    pub length: u32,
}

/// What the index of the work tree at `root` says of its files, by their paths
/// from there. Files in conflict are left out. Nothing where there is no index, or
/// none that can be read.
#[must_use]
pub fn index_of(root: &Path) -> BTreeMap<Vec<u8>, IndexEntry> {
    let entries = match read_index(root) {
        Ok(entries) => entries.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let entries = entries.into_iter().map(|entry| (entry.0, entry.2));
    entries.filter(|(_, entry)| !entry.id.is_empty()).collect()
}

/// Whose the paths of a work tree are, from its root on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Files and links that git tracks.
    pub files: Vec<PathBuf>,
    /// Submodules, and other repositories that were added as such, whether they
    /// are checked out or not.
    pub repositories: Vec<PathBuf>,
}

/// What the index of the work tree at `root` holds; nothing where there is none.
///
/// # Errors
/// Where there is one that cannot be read: its path, and why.
pub fn tracked(root: &Path) -> Result<Index, (PathBuf, ReadError)> {
    let mut index = Index::default();
    for (name, mode, _) in read_index(root)?.unwrap_or_default() {
        let path = PathBuf::from(OsString::from_vec(name));
        if !is_of_a_work_tree(&path) {
            continue;
        }
        if mode == GITLINK {
            index.repositories.push(path);
        } else {
            index.files.push(path);
        }
    }
    Ok(index)
}

/// Git writes no other; one like `../x` would lead out of the work tree.
fn is_of_a_work_tree(path: &Path) -> bool {
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => name != ".git",
        _ => false,
    };
    path.components().next().is_some() && path.components().all(is_plain)
}

/// The path of an entry, its mode, and what else is said of it.
type Entry = (Vec<u8>, u32, IndexEntry);

/// The entries of the index; `None` where there is none, or it is no index.
fn read_index(root: &Path) -> Result<Option<Vec<Entry>>, (PathBuf, ReadError)> {
    let Some(folder) = own_folder(root) else {
        return Ok(None);
    };
    let path = folder.join("index");
    match read(&path) {
        Ok(bytes) => Ok(index(&bytes)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err((path, error)),
    }
}

/// The files of an index (versions 2 to 4; gitformat-index), in its order. Those in
/// conflict have no id; those that only their folder stands for are left out.
/// `None` where the index cannot be read.
fn index(bytes: &[u8]) -> Option<Vec<Entry>> {
    // Nothing in it tells the length of the ids, and the wrong one fits nowhere.
    entries(bytes, 20).or_else(|| entries(bytes, 32))
}

/// Where the fixed part of an entry ends but for the object id and the flags:
/// ten numbers of 32 bits.
const ID_AT: usize = 40;
const MODE_AT: usize = 24;
/// The mode of a commit of another repository.
const GITLINK: u32 = 0o160_000;
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;
const NAME_LENGTH: u16 = 0x0fff;

fn entries(bytes: &[u8], id_length: usize) -> Option<Vec<Entry>> {
    let (b"DIRC", version, count) = (bytes.get(..4)?, number(bytes, 4)?, number(bytes, 8)?) else {
        return None;
    };
    let mut entries = Vec::new();
    let mut name = Vec::new();
    let mut at = 12;
    for _ in 0..count {
        let flags_at = at + ID_AT + id_length;
        let flags = bytes.get(flags_at..flags_at + 2)?;
        let flags = u16::from_be_bytes([flags[0], flags[1]]);
        let is_extended = version >= 3 && flags & EXTENDED != 0;
        let mut name_at = flags_at + if is_extended { 4 } else { 2 };
        if version == 4 {
            let (cut, length) = offset(bytes.get(name_at..)?)?;
            name.truncate(name.len().checked_sub(cut)?);
            name_at += length;
        } else {
            name.clear();
        }
        let rest = bytes.get(name_at..)?;
        let end = memchr::memchr(0, rest)?;
        name.extend_from_slice(&rest[..end]);
        let told = usize::from(flags & NAME_LENGTH);
        if name.is_empty() || name.len().min(NAME_LENGTH.into()) != told {
            return None;
        }
        let id = bytes.get(at + ID_AT..flags_at)?;
        let is_merged = flags & STAGE == 0;
        let entry = IndexEntry {
            id: if is_merged { id.to_vec() } else { Vec::new() },
            modified: (number(bytes, at + 8)?, number(bytes, at + 12)?),
            length: number(bytes, at + 36)?,
        };
        if !name.ends_with(b"/") {
            entries.push((name.clone(), number(bytes, at + MODE_AT)?, entry));
        }
        let name_end = name_at + end;
        at = match version {
            4 => name_end + 1,
            // Filled up with NULs, so that the length is a multiple of eight.
            _ => at + (name_end - at) / 8 * 8 + 8,
        };
    }
    Some(entries)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let number = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

/// A number in git's offset encoding, and how many bytes it takes.
fn offset(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        number = number << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
        number += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of version 2 with these names, as gitformat-index says.
    fn version_2(names: &[&str], id_length: usize) -> Vec<u8> {
        let mut bytes = b"DIRC\0\0\0\x02".to_vec();
        bytes.extend(u32::try_from(names.len()).expect("few").to_be_bytes());
        for (number, name) in (1_u8..).zip(names) {
            let start = bytes.len();
            for field in 0..10_u32 {
                bytes.extend((u32::from(number) * 100 + field).to_be_bytes());
            }
            bytes.extend(vec![number; id_length]);
            bytes.extend(u16::try_from(name.len()).expect("short").to_be_bytes());
            bytes.extend(name.as_bytes());
            let length = bytes.len() - start;
            bytes.resize(start + length / 8 * 8 + 8, 0);
        }
        bytes
    }

    #[test]
    fn both_kinds_of_ids_are_read() {
        let names = ["a", "apps/deploy.yaml", "exactly/8", "\u{fc}.yaml"];
        for length in [20, 32] {
            let read = index(&version_2(&names, length)).expect("an index");
            let found: Vec<_> = read.iter().map(|(name, ..)| name.as_slice()).collect();
            assert_eq!(found, names.map(str::as_bytes), "{length}");
            let expected = IndexEntry {
                id: vec![2; length],
                modified: (202, 203),
                length: 209,
            };
            assert_eq!(read[1].2, expected);
        }
    }

    #[test]
    fn entries_are_told_apart_and_none_leads_out_of_the_work_tree() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join(".git")).expect("a folder");
        let names = [
            "../x.yaml",
            "/etc/x.yaml",
            "a/../../x",
            ".git/x",
            "a.yaml",
            "vendor",
        ];
        let mut bytes = version_2(&names, 20);
        let mode_at = bytes.len() - 72 + MODE_AT;
        bytes[mode_at..mode_at + 4].copy_from_slice(&GITLINK.to_be_bytes());
        fs::write(folder.path().join(".git/index"), bytes).expect("a file");
        let expected = Index {
            files: vec!["a.yaml".into()],
            repositories: vec!["vendor".into()],
        };
        assert_eq!(tracked(folder.path()).expect("read"), expected);
    }

    #[test]
    fn a_linked_work_tree_has_the_common_configuration() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("main/.git/worktrees/two")).expect("a folder");
        fs::create_dir(at("two")).expect("a folder");
        fs::write(at("main/.git/config"), "[core]\n").expect("a file");
        fs::write(at("main/.git/worktrees/two/HEAD"), "").expect("a file");
        fs::write(at("main/.git/worktrees/two/commondir"), "../..\n").expect("a file");
        let gitdir = format!("gitdir: {}\n", at("main/.git/worktrees/two").display());
        fs::write(at("two/.git"), gitdir).expect("a file");
        assert_eq!(config(&at("two")), "[core]\n");
        assert_eq!(tracked(&at("two")).expect("none yet"), Index::default());
    }

    #[test]
    fn what_is_no_index_is_none() {
        let whole = version_2(&["a", "b"], 20);
        for broken in [
            &b""[..],
            b"DIRC",
            &whole[..whole.len() - 10],
            b"DIRC\0\0\0\x04\xff\xff\xff\xff\0",
        ] {
            assert_eq!(index(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_file_that_points_to_what_is_no_git_folder_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("tree")).expect("a folder");
        fs::create_dir(at("home")).expect("a folder");
        fs::write(at("tree/.git"), "gitdir: ../home\n").expect("a file");
        assert_eq!(own_folder(&at("tree")), None);
        for name in ["objects", "refs"] {
            fs::create_dir(at("home").join(name)).expect("a folder");
        }
        fs::write(at("home/HEAD"), "ref: refs/heads/main\n").expect("a file");
        let real = at("home").canonicalize().expect("a folder");
        assert_eq!(own_folder(&at("tree")), Some(real));
    }
}
