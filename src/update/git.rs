//! What is read of a git repository besides its files: where its own folder is,
//! and the index.
//!
//! A reader of our own, since all that is wanted are names, object ids and the
//! times of files; a git library is megabytes. git itself is never run: a
//! repository's configuration can name programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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
        let text = fs::read_to_string(&git).ok()?;
        root.join(text.strip_prefix("gitdir:")?.trim())
    };
    let folder = folder.canonicalize().ok()?;
    is_own_folder(&folder).then_some(folder)
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
    let entries = read_index(root).unwrap_or_default().into_iter();
    entries.filter(|(_, entry)| !entry.id.is_empty()).collect()
}

/// The paths that the index of the work tree at `root` holds, from there. Those
/// that are not UTF-8 are left out.
#[must_use]
pub fn tracked(root: &Path) -> Vec<String> {
    let entries = read_index(root).unwrap_or_default().into_iter();
    entries
        .filter_map(|(name, _)| String::from_utf8(name).ok())
        .collect()
}

fn read_index(root: &Path) -> Option<Vec<(Vec<u8>, IndexEntry)>> {
    index(&fs::read(own_folder(root)?.join("index")).ok()?)
}

/// The files of an index (versions 2 to 4; gitformat-index), in its order. Those in
/// conflict have no id; those that only their folder stands for are left out.
/// `None` where the index cannot be read.
fn index(bytes: &[u8]) -> Option<Vec<(Vec<u8>, IndexEntry)>> {
    // Nothing in it tells the length of the ids, and the wrong one fits nowhere.
    entries(bytes, 20).or_else(|| entries(bytes, 32))
}

/// Where the fixed part of an entry ends but for the object id and the flags:
/// ten numbers of 32 bits.
const ID_AT: usize = 40;
const EXTENDED: u16 = 0x4000;
const STAGE: u16 = 0x3000;
const NAME_LENGTH: u16 = 0x0fff;

fn entries(bytes: &[u8], id_length: usize) -> Option<Vec<(Vec<u8>, IndexEntry)>> {
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
            entries.push((name.clone(), entry));
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
            let found: Vec<_> = read.iter().map(|(name, _)| name.as_slice()).collect();
            assert_eq!(found, names.map(str::as_bytes), "{length}");
            let expected = IndexEntry {
                id: vec![2; length],
                modified: (202, 203),
                length: 209,
            };
            assert_eq!(read[1].1, expected);
        }
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
