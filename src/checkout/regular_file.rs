//! Opening files that a tree names: the one place for manifests, kustomizations,
//! ignore rules and git's own files.
//!
//! Who writes a repository chooses what stands at a name: a link to `/dev/zero`,
//! a named pipe that nobody writes to, a sparse file of 100 GB. So opening never
//! waits and never follows a link of its own, only regular files are read, and
//! no more of them than [`MAX_BYTES`]; memory follows what is read, not what a
//! file claims to hold. A link is followed by whoever may follow it, which
//! [`inside`] tells.
//!
//! What a flag names is the user's own choice, and may be a pipe, as `<(…)` makes
//! one ([`read_given`]).
//!
//! A folder that is replaced by a link while the run reads it is not guarded
//! against: who can do that can as well write to the files.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::plan::planned::{FileStatus, Identity};
use yaml_edit_spans::encoding::{self, NotUtf8};

/// The largest file that is read, in bytes: more than forges take into a
/// repository, and far more than a controller could hold.
pub const MAX_BYTES: u64 = 256 << 20;

/// The most that is set aside for a file before any of it was read.
const MAX_RESERVED: u64 = 4 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("this file cannot be read: {0}")]
    System(#[from] io::Error),
    /// A link, where none is followed.
    #[error("this is a link and is not read")]
    Link,
    /// A link out of the tree.
    #[error("this link leads out of the tree and is not read")]
    LeadsOut,
    /// A link to what belongs to git.
    #[error("this leads into `.git` and is not read")]
    LeadsIntoGit,
    /// What holds no bytes of its own.
    #[error("this is {0}, not a regular file, and is not read")]
    NotRegular(&'static str),
    /// More bytes than are read.
    #[error("this file is larger than {} MiB and is not read", .0 >> 20)]
    TooLarge(u64),
    /// Bytes that are not text.
    #[error("{0}")]
    NotUtf8(NotUtf8),
}

impl ReadError {
    /// What to do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotUtf8(_) => Some(NotUtf8::HINT),
            Self::TooLarge(_) => Some("split it, or exclude it with `.gitignore`"),
            _ => None,
        }
    }

    /// A text may be there all the same.
    #[must_use]
    pub fn may_hide_a_text(&self) -> bool {
        matches!(self, Self::System(_) | Self::TooLarge(_) | Self::NotUtf8(_))
    }

    /// Nothing stands at that name.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::System(error) if matches!(error.kind(), NotFound | NotADirectory))
    }
}

impl From<&Metadata> for FileStatus {
    fn from(metadata: &Metadata) -> Self {
        Self {
            identity: Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                length: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                mode: metadata.mode(),
                owner: (metadata.uid(), metadata.gid()),
            },
            links: metadata.nlink(),
        }
    }
}

/// The bytes of a regular file, and what the system says of it. A link is not
/// followed.
///
/// # Errors
/// Where it is something else, holds more than `most` bytes, or cannot be read.
pub fn read(path: &Path, most: u64) -> Result<(Vec<u8>, Metadata), ReadError> {
    let file = open(path).map_err(|error| unopened(path, error))?;
    let metadata = file.metadata()?;
    if let Some(kind) = kind(&metadata) {
        return Err(ReadError::NotRegular(kind));
    }
    if metadata.len() > most {
        return Err(ReadError::TooLarge(most));
    }
    let bytes = match all_at_once(&file, metadata.len())? {
        Ok(bytes) => bytes,
        Err(begun) => rest(begun, &file, most)?,
    };
    Ok((bytes, metadata))
}

/// Opens a file without waiting for it, and through no link.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Why a file was not opened, which for links and sockets the error does not say.
fn unopened(path: &Path, error: io::Error) -> ReadError {
    match error.raw_os_error() {
        Some(libc::ELOOP) => ReadError::Link,
        Some(libc::ENXIO | libc::EOPNOTSUPP) => path
            .symlink_metadata()
            .ok()
            .and_then(|metadata| kind(&metadata))
            .map_or(ReadError::System(error), ReadError::NotRegular),
        _ => ReadError::System(error),
    }
}

/// What something is that is not a regular file.
fn kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a folder"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// The bytes of a file of git's own. It may be a link, as `git-new-workdir` makes
/// them, but nothing else than a regular file behind it.
///
/// # Errors
/// As [`read`], and where the link leads nowhere.
pub fn read_of_git(path: &Path) -> Result<Vec<u8>, ReadError> {
    let target = path.canonicalize()?;
    let (bytes, _) = read(&target, MAX_BYTES)?;
    Ok(bytes)
}

/// As [`read`], through a link that stays inside `root`.
///
/// # Errors
/// As [`read`], and where a link leads elsewhere.
pub fn read_within(root: &Path, path: &Path) -> Result<(Vec<u8>, Metadata), ReadError> {
    match read(path, MAX_BYTES) {
        Err(ReadError::Link) => read(&inside(root, path)?, MAX_BYTES),
        read => read,
    }
}

/// The text of [`read_within`].
///
/// # Errors
/// As there, and where it is not UTF-8.
pub fn text_within(root: &Path, path: &Path) -> Result<String, ReadError> {
    let (bytes, _) = read_within(root, path)?;
    encoding::decode(bytes).map_err(ReadError::NotUtf8)
}

/// Where a link leads, if that is inside `root` and not in `.git`. `root` is a
/// real path, without links.
///
/// # Errors
/// Where it is not, or leads nowhere.
pub fn inside(root: &Path, path: &Path) -> Result<PathBuf, ReadError> {
    let target = path.canonicalize()?;
    let Ok(in_tree) = target.strip_prefix(root) else {
        return Err(ReadError::LeadsOut);
    };
    if in_tree.components().any(|part| part.as_os_str() == ".git") {
        return Err(ReadError::LeadsIntoGit);
    }
    Ok(target)
}

/// The bytes of what the user named: a file, or a pipe, which is waited for.
///
/// # Errors
/// Where it cannot be read, or holds more than [`MAX_BYTES`].
pub fn read_given(path: &Path) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    bounded(&file, size, MAX_BYTES)
}

/// The text of [`read_given`].
///
/// # Errors
/// As there, and where it is not UTF-8.
pub fn text_given(path: &Path) -> Result<String, ReadError> {
    encoding::decode(read_given(path)?).map_err(ReadError::NotUtf8)
}

/// The bytes of a regular file of `size` bytes, read in one go where that is how many
/// there are; else those that were read so far.
fn all_at_once(mut file: &File, size: u64) -> io::Result<Result<Vec<u8>, Vec<u8>>> {
    let expected = usize::try_from(size.min(MAX_RESERVED)).unwrap_or(0);
    // A byte more is asked for: who gets fewer than that has come to the end.
    let mut bytes = vec![0; expected + 1];
    let read = loop {
        match file.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    let is_end = read < bytes.len();
    bytes.truncate(read);
    Ok(if is_end && read as u64 == size {
        Ok(bytes)
    } else {
        Err(bytes)
    })
}

/// All bytes of a stream of which some were read.
fn rest(mut bytes: Vec<u8>, stream: impl Read, most: u64) -> Result<Vec<u8>, ReadError> {
    let left = (most + 1).saturating_sub(bytes.len() as u64);
    stream.take(left).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(ReadError::TooLarge(most));
    }
    Ok(bytes)
}

/// Whether a file that was just opened holds these bytes. No more of them is read.
#[must_use]
pub fn holds(file: &File, expected: &[u8]) -> bool {
    match all_at_once(file, expected.len() as u64) {
        Ok(Ok(bytes)) => bytes == expected,
        Ok(Err(begun)) => {
            let all = rest(begun, file, expected.len() as u64);
            all.is_ok_and(|all| all == expected)
        }
        Err(_) => false,
    }
}

/// All bytes of a stream that is said to hold `size`.
///
/// # Errors
/// Where it cannot be read, or holds more than `most`.
pub fn bounded(stream: impl Read, size: u64, most: u64) -> Result<Vec<u8>, ReadError> {
    let reserved = usize::try_from(size.min(MAX_RESERVED)).unwrap_or(0);
    // One more byte than there are tells the end without growing.
    rest(Vec::with_capacity(reserved + 1), stream, most)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    fn why(path: &Path) -> String {
        read(path, 1000).expect_err("refused").to_string()
    }

    #[test]
    fn only_regular_files_are_read_and_nothing_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").expect("a file");
        let (bytes, metadata) = read(&at("file"), 4).expect("read");
        assert_eq!((bytes.as_slice(), metadata.len()), (&b"text"[..], 4));

        symlink("file", at("link")).expect("a link");
        assert_eq!(why(&at("link")), "this is a link and is not read");
        symlink("loop", at("loop")).expect("a link");
        assert_eq!(why(&at("loop")), "this is a link and is not read");
        let made = Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.expect("mkfifo").success());
        let said = why(&at("pipe"));
        assert_eq!(
            said,
            "this is a named pipe, not a regular file, and is not read"
        );
        let _listener = UnixListener::bind(at("socket")).expect("a socket");
        let said = why(&at("socket"));
        assert_eq!(
            said,
            "this is a socket, not a regular file, and is not read"
        );
        let said = why(Path::new("/dev/zero"));
        assert_eq!(
            said,
            "this is a device, not a regular file, and is not read"
        );
        let said = why(folder.path());
        assert_eq!(
            said,
            "this is a folder, not a regular file, and is not read"
        );
        let missing = read(&at("nothing"), 1000).expect_err("missing");
        assert!(missing.is_missing());
        let below_a_file = read(&at("file/x"), 1000).expect_err("missing");
        assert!(below_a_file.is_missing());
    }

    #[test]
    fn a_size_is_no_promise() {
        let folder = tempfile::tempdir().expect("a folder");
        let sparse = folder.path().join("sparse");
        let file = fs::File::create(&sparse).expect("a file");
        file.set_len(100 << 30).expect("a sparse file");
        let said = read(&sparse, MAX_BYTES).expect_err("refused").to_string();
        assert_eq!(said, "this file is larger than 256 MiB and is not read");
        let given = read_given(Path::new("/proc/self/status")).expect("no size, but bytes");
        assert!(!given.is_empty());
        // A stream that holds more than it says.
        assert_eq!(bounded(&b"12345"[..], 0, 5).expect("read"), b"12345");
        let more = bounded(io::repeat(b'x'), 0, 1 << 20);
        assert!(matches!(more, Err(ReadError::TooLarge(_))));
    }

    /// Also where it fills what was set aside to the last byte.
    #[test]
    fn the_end_of_a_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let most = usize::try_from(MAX_RESERVED).expect("small");
        for length in [0, 1, most - 1, most, most + 1, most + 2] {
            let bytes = vec![b'x'; length];
            fs::write(&path, &bytes).expect("a file");
            let (read, _) = read(&path, MAX_BYTES).expect("read");
            assert!(read == bytes, "{length}");
            let open = || File::open(&path).expect("a file");
            assert!(holds(&open(), &bytes), "{length}");
            assert!(!holds(&open(), &vec![b'x'; length + 1]), "{length}");
            if let Some(shorter) = bytes.get(1..) {
                assert!(!holds(&open(), shorter), "{length}");
            }
        }
    }

    #[test]
    fn a_link_is_followed_inside_the_root_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a folder");
        let root = real.join("root");
        fs::create_dir_all(root.join(".git")).expect("a folder");
        fs::write(real.join("outside"), "outside").expect("a file");
        fs::write(root.join("inside"), "inside").expect("a file");
        fs::write(root.join(".git/config"), "token").expect("a file");
        // A name that only begins as the root's does.
        fs::write(real.join("root-2"), "outside").expect("a file");
        for (name, target, expected) in [
            ("a", "inside", Ok("inside")),
            ("chain", "a", Ok("inside")),
            (
                "b",
                "../outside",
                Err("this link leads out of the tree and is not read"),
            ),
            (
                "c",
                "../root-2",
                Err("this link leads out of the tree and is not read"),
            ),
            (
                "d",
                "b",
                Err("this link leads out of the tree and is not read"),
            ),
            (
                "e",
                ".git/config",
                Err("this leads into `.git` and is not read"),
            ),
        ] {
            symlink(target, root.join(name)).expect("a link");
            let read = text_within(&root, &root.join(name)).map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{name}");
        }
        symlink("gone", root.join("broken")).expect("a link");
        let broken = text_within(&root, &root.join("broken")).expect_err("broken");
        assert!(broken.is_missing());
        symlink("loop", root.join("loop")).expect("a link");
        let looped = text_within(&root, &root.join("loop")).expect_err("a loop");
        assert!(matches!(looped, ReadError::System(_)), "{looped}");
    }
}
