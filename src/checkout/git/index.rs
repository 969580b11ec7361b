//! git's index (gitformat-index, versions 2 to 4): which paths are tracked, as
//! what, and what git last saw of them.
//!
//! A reader of our own. gix-index reads the same, but brings some sixty crates,
//! maps the file into memory, and opens what is there, be it a pipe. Here an index is
//! read as every other file is, and only names, ids and times are wanted.
//!
//! A split index has most of its entries in a shared file, `sharedindex.<hash>`,
//! and says which of them are gone and which have changed. Of a sparse index, the
//! entries for whole folders are left out: nothing of them is in the work tree.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use data_encoding::HEXLOWER;

/// Why an index cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It is none; of a split one, the shared file of this name.
    #[error("git's index is not one of version 2, 3 or 4")]
    NotUnderstood(Option<String>),
    /// A split one that speaks of entries that the shared one does not have.
    #[error("git's index does not fit its shared part")]
    NotShared,
    /// There is no folder of git's that could hold it.
    #[error("git's index cannot be found, since this leads to no repository")]
    LeadsNowhere,
    /// A file that cannot be read; of a split one, the shared file of this name.
    #[error("{0}")]
    Unread(String, Option<String>),
}

impl IndexError {
    /// The shared file, where it is to blame.
    #[must_use]
    pub fn shared(&self) -> Option<&str> {
        match self {
            Self::NotUnderstood(shared) | Self::Unread(_, shared) => shared.as_deref(),
            Self::NotShared | Self::LeadsNowhere => None,
        }
    }
}

/// What an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Its entries, in the order of their paths.
    pub entries: Vec<IndexEntry>,
}

/// What an index says of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// From the root of the work tree on.
    pub path: Vec<u8>,
    /// The name of the blob that git stores: 20 bytes of SHA-1 or 32 of SHA-256.
    pub id: Vec<u8>,
    /// When the file was last written, in seconds and nanoseconds, cut to 32 bits.
    pub modified: (u32, u32),
    /// The file's length in the work tree, cut to 32 bits.
    pub length: u32,
    mode: u32,
    /// 0, or which side of a conflict it is.
    stage: u8,
}

/// The mode of a commit of another repository.
const GITLINK: u32 = 0o160_000;

impl Index {
    /// Reads an index. `shared` reads the file of this name, which holds most of a
    /// split one.
    ///
    /// # Errors
    /// Where it is none, or what `shared` says.
    pub fn parse(
        bytes: &[u8],
        shared: impl FnOnce(&str) -> Result<Vec<u8>, IndexError>,
    ) -> Result<Self, IndexError> {
        let parsed = Parsed::of(bytes).ok_or(IndexError::NotUnderstood(None))?;
        let Some(link) = parsed.link else {
            return Ok(Self::of(parsed.entries));
        };
        let name = format!("sharedindex.{}", HEXLOWER.encode(&link.shared));
        let shared = Parsed::of(&shared(&name)?).filter(|shared| shared.link.is_none());
        let shared = shared.ok_or(IndexError::NotUnderstood(Some(name)))?;
        let joined = joined(shared.entries, parsed.entries, &link);
        joined.map(Self::of).ok_or(IndexError::NotShared)
    }

    fn of(mut entries: Vec<IndexEntry>) -> Self {
        entries.retain(|entry| !entry.path.ends_with(b"/"));
        entries.sort_by(|a, b| (&a.path, a.stage).cmp(&(&b.path, b.stage)));
        Self { entries }
    }

    /// Files and links that git tracks.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.paths(|entry| entry.mode != GITLINK)
    }

    /// Submodules, and other repositories that were added as such, whether they
    /// are checked out or not.
    pub fn repositories(&self) -> impl Iterator<Item = PathBuf> {
        self.paths(|entry| entry.mode == GITLINK)
    }

    fn paths(&self, fits: impl Fn(&IndexEntry) -> bool) -> impl Iterator<Item = PathBuf> {
        let entries = self.entries.iter().filter(move |entry| fits(entry));
        let paths = entries.map(|entry| PathBuf::from(OsString::from_vec(entry.path.clone())));
        paths.filter(|path| is_of_a_work_tree(path))
    }

    /// What is said of each file by its path. Files in conflict are left out.
    #[must_use]
    pub fn by_path(&self) -> BTreeMap<&[u8], &IndexEntry> {
        let entries = self.entries.iter().filter(|entry| entry.stage == 0);
        entries.map(|entry| (&entry.path[..], entry)).collect()
    }
}

/// Git writes no other; one like `../x` would lead out of the work tree.
fn is_of_a_work_tree(path: &Path) -> bool {
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => name != ".git",
        _ => false,
    };
    path.components().next().is_some() && path.components().all(is_plain)
}

/// One file of an index.
struct Parsed {
    entries: Vec<IndexEntry>,
    link: Option<Link>,
}

/// What the extension `link` says.
struct Link {
    /// The hash that names the shared index.
    shared: Vec<u8>,
    /// Numbers of the shared entries that are gone.
    gone: Vec<usize>,
    /// Numbers of those that this file's entries without a path take the place of,
    /// in their order.
    changed: Vec<usize>,
}

/// The entries of a split index.
fn joined(shared: Vec<IndexEntry>, own: Vec<IndexEntry>, link: &Link) -> Option<Vec<IndexEntry>> {
    let mut all: Vec<Option<IndexEntry>> = shared.into_iter().map(Some).collect();
    let (changed, new): (Vec<_>, Vec<_>) = own.into_iter().partition(|one| one.path.is_empty());
    if changed.len() != link.changed.len() {
        return None;
    }
    for (number, change) in link.changed.iter().zip(changed) {
        let place = all.get_mut(*number)?.as_mut()?;
        let path = std::mem::take(&mut place.path);
        *place = IndexEntry { path, ..change };
    }
    for number in &link.gone {
        *all.get_mut(*number)? = None;
    }
    Some(all.into_iter().flatten().chain(new).collect())
}

/// Where the fixed part of an entry ends but for the object id and the flags:
/// ten numbers of 32 bits.
const ID_AT: usize = 40;
const MODE_AT: usize = 24;
const EXTENDED: u16 = 0x4000;
const STAGE_AT: u32 = 12;
const NAME_LENGTH: u16 = 0x0fff;

impl Parsed {
    /// Reads a file. `None` where it is not an index.
    fn of(bytes: &[u8]) -> Option<Self> {
        // Nothing in it tells the length of the ids, and the wrong one fits nowhere.
        Self::with(bytes, 20).or_else(|| Self::with(bytes, 32))
    }

    fn with(bytes: &[u8], id_length: usize) -> Option<Self> {
        let (b"DIRC", version @ 2..=4, count) =
            (bytes.get(..4)?, number(bytes, 4)?, number(bytes, 8)?)
        else {
            return None;
        };
        let mut entries = Vec::new();
        let mut path = Vec::new();
        let mut at = 12;
        for _ in 0..count {
            let (entry, length) = entry(bytes.get(at..)?, version, id_length, &mut path)?;
            entries.push(entry);
            at += length;
        }
        let rest = bytes.get(at..bytes.len().checked_sub(id_length)?)?;
        let link = match link(rest)? {
            Some(data) => Link::read(data, id_length)?,
            None => None,
        };
        let nameless = entries.iter().any(|entry| entry.path.is_empty());
        (!nameless || link.is_some()).then_some(Self { entries, link })
    }
}

/// The entry that `bytes` begin with, and its length there. `path` is that of the
/// entry before, of which version 4 keeps what is alike.
fn entry(
    bytes: &[u8],
    version: u32,
    id_length: usize,
    path: &mut Vec<u8>,
) -> Option<(IndexEntry, usize)> {
    let flags_at = ID_AT + id_length;
    let flags = bytes.get(flags_at..flags_at + 2)?;
    let flags = u16::from_be_bytes([flags[0], flags[1]]);
    let is_extended = version >= 3 && flags & EXTENDED != 0;
    let mut path_at = flags_at + if is_extended { 4 } else { 2 };
    if version == 4 {
        let (cut, length) = offset(bytes.get(path_at..)?)?;
        path.truncate(path.len().checked_sub(cut)?);
        path_at += length;
    } else {
        path.clear();
    }
    let rest = bytes.get(path_at..)?;
    let end = memchr::memchr(0, rest)?;
    path.extend_from_slice(&rest[..end]);
    let told = usize::from(flags & NAME_LENGTH);
    if path.len().min(NAME_LENGTH.into()) != told {
        return None;
    }
    let entry = IndexEntry {
        path: path.clone(),
        id: bytes.get(ID_AT..flags_at)?.to_vec(),
        modified: (number(bytes, 8)?, number(bytes, 12)?),
        length: number(bytes, 36)?,
        mode: number(bytes, MODE_AT)?,
        stage: u8::try_from(flags >> STAGE_AT & 3).ok()?,
    };
    let path_end = path_at + end;
    let length = match version {
        4 => path_end + 1,
        // Filled up with NULs, so that the length is a multiple of eight.
        _ => path_end / 8 * 8 + 8,
    };
    Some((entry, length))
}

/// The data of the extension `link`, if there is one. `None` where one is there
/// that changes what the entries mean, which a lower-case letter tells, in a way
/// that is not known here.
fn link(mut bytes: &[u8]) -> Option<Option<&[u8]>> {
    let mut link = None;
    while let Some(length) = number(bytes, 4) {
        let length = usize::try_from(length).ok()?;
        let Some(data) = bytes.get(8..8 + length) else {
            break;
        };
        match &bytes[..4] {
            b"link" => link = Some(data),
            b"sdir" | [b'A'..=b'Z', ..] => {}
            _ => return None,
        }
        bytes = &bytes[8 + length..];
    }
    Some(link)
}

impl Link {
    /// `Some(None)` where no index is shared, `None` where this is not understood.
    fn read(data: &[u8], id_length: usize) -> Option<Option<Self>> {
        let (shared, bitmaps) = data.split_at_checked(id_length)?;
        if shared.iter().all(|byte| *byte == 0) {
            return Some(None);
        }
        let (gone, changed) = if bitmaps.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let (gone, length) = set_bits(bitmaps)?;
            (gone, set_bits(&bitmaps[length..])?.0)
        };
        Some(Some(Self {
            shared: shared.to_vec(),
            gone,
            changed,
        }))
    }
}

/// An index has fewer entries, or it would not be read.
const MAX_BITS: u32 = 1 << 22;

/// The numbers of the bits that are set in a bitmap (gitformat-bitmap, "EWAH"),
/// and its length.
fn set_bits(bytes: &[u8]) -> Option<(Vec<usize>, usize)> {
    let bits = number(bytes, 0).filter(|bits| *bits <= MAX_BITS)?;
    let bits = usize::try_from(bits).ok()?;
    let words = usize::try_from(number(bytes, 4)?).ok()?;
    let length = words.checked_mul(8)?.checked_add(12)?;
    let mut words = bytes.get(8..length - 4)?.chunks_exact(8);
    bytes.get(..length)?;
    let mut set = Vec::new();
    let mut at = 0;
    while let Some(word) = next(&mut words) {
        // A run of words that are all alike, then some that are as they stand.
        let run = usize::try_from(word >> 1 & 0xffff_ffff).ok()? * 64;
        if word & 1 == 1 {
            set.extend(at..bits.min(at + run));
        }
        at += run;
        for _ in 0..word >> 33 {
            let word = next(&mut words)?;
            set.extend(
                (0..64)
                    .filter(|bit| word >> bit & 1 == 1)
                    .map(|bit| at + bit),
            );
            at += 64;
        }
        if at > bits + 64 {
            return None;
        }
    }
    Some((set, length))
}

fn next<'b>(words: &mut impl Iterator<Item = &'b [u8]>) -> Option<u64> {
    Some(u64::from_be_bytes(words.next()?.try_into().ok()?))
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

    fn with_checksum(mut bytes: Vec<u8>, id_length: usize) -> Vec<u8> {
        bytes.extend(vec![7; id_length]);
        bytes
    }

    fn paths(entries: &[IndexEntry]) -> Vec<&str> {
        let paths = entries.iter().map(|entry| &entry.path[..]);
        paths
            .map(|path| std::str::from_utf8(path).expect("UTF-8"))
            .collect()
    }

    #[test]
    fn both_kinds_of_ids_are_read() {
        let names = ["a", "apps/deploy.yaml", "exactly/8", "\u{fc}.yaml"];
        for length in [20, 32] {
            let bytes = with_checksum(version_2(&names, length), length);
            let read = Parsed::of(&bytes).expect("an index");
            assert_eq!(paths(&read.entries), names, "{length}");
            let second = &read.entries[1];
            assert_eq!(second.id, vec![2; length]);
            assert_eq!((second.modified, second.length), ((202, 203), 209));
        }
    }

    #[test]
    fn entries_are_told_apart_and_none_leads_out_of_the_work_tree() {
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
        let index = Index::parse(&with_checksum(bytes, 20), no_shared).expect("read");
        assert_eq!(index.files().collect::<Vec<_>>(), [Path::new("a.yaml")]);
        assert_eq!(
            index.repositories().collect::<Vec<_>>(),
            [Path::new("vendor")]
        );
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        let whole = version_2(&["a", "b"], 20);
        for broken in [
            &b""[..],
            b"DIRC",
            &whole[..whole.len() - 10],
            b"DIRC\0\0\0\x04\xff\xff\xff\xff\0",
            b"DIRC\0\0\0\x05\0\0\0\0",
        ] {
            let error = Index::parse(broken, no_shared).expect_err("no index");
            assert_eq!(error, IndexError::NotUnderstood(None), "{broken:?}");
        }
    }

    fn no_shared(name: &str) -> Result<Vec<u8>, IndexError> {
        Err(IndexError::Unread(
            "is not there".into(),
            Some(name.to_owned()),
        ))
    }

    /// A bitmap of these words.
    fn bitmap(bits: u32, words: &[u64]) -> Vec<u8> {
        let mut bytes = bits.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(words.len()).expect("few").to_be_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn bitmaps_of_runs_and_words() {
        let run = |bit: u64, words: u64, literal: u64| bit | words << 1 | literal << 33;
        for (bits, words, expected) in [
            (0, vec![run(0, 0, 0)], Some(vec![])),
            (3, vec![run(0, 0, 1), 0b101], Some(vec![0, 2])),
            (130, vec![run(0, 2, 1), 0b10], Some(vec![129])),
            (66, vec![run(1, 2, 0)], Some((0..66).collect())),
            // As many as nobody has.
            (u32::MAX, vec![run(1, 0xffff_ffff, 0)], None),
            (64, vec![run(1, 0xffff_ffff, 0)], None),
            (64, vec![run(0, 0, 5), 1], None),
        ] {
            let bytes = bitmap(bits, &words);
            let read = set_bits(&bytes);
            let expected = expected.map(|set| (set, bytes.len()));
            assert_eq!(read, expected, "{bits} {words:x?}");
            assert_eq!(set_bits(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn a_split_index_is_joined() {
        let hash = [0xab; 20];
        let shared = with_checksum(version_2(&["a", "b", "c"], 20), 20);
        let wanted = format!("sharedindex.{}", HEXLOWER.encode(&hash));
        let bytes_of = |own: &[&str], gone: u64, changed: u64| {
            let mut bytes = version_2(own, 20);
            let mut data = hash.to_vec();
            data.extend(bitmap(3, &[1 << 33, gone]));
            data.extend(bitmap(3, &[1 << 33, changed]));
            bytes.extend(b"TREE\0\0\0\x02xx");
            bytes.extend(b"link");
            bytes.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
            bytes.extend(data);
            with_checksum(bytes, 20)
        };
        let split = |own: &[&str], gone: u64, changed: u64| {
            Index::parse(&bytes_of(own, gone, changed), |name| {
                assert_eq!(name, wanted);
                Ok(shared.clone())
            })
        };
        let index = split(&["", "bb"], 0b001, 0b100).expect("read");
        assert_eq!(paths(&index.entries), ["b", "bb", "c"]);
        // The third has what the first of its own entries says.
        assert_eq!(index.entries[2].id, [1; 20]);
        assert_eq!(index.entries[0].id, [2; 20]);
        assert!(split(&["d"], 0, 0b100).is_err(), "one is missing");
        assert!(split(&[], 0b1_0000, 0).is_err(), "one too many");
        let mut unknown = version_2(&["a"], 20);
        unknown.extend(b"TREE\0\0\0\x01xwhat\0\0\0\0");
        assert!(Parsed::of(&with_checksum(unknown, 20)).is_none());
        let error = Index::parse(&bytes_of(&[], 0, 0), no_shared).expect_err("no shared index");
        assert_eq!(error.shared(), Some(wanted.as_str()));
    }
}
