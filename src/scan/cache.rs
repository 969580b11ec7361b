//! Lists of tags on the disk, so that a repository is not asked again before its
//! `spec.interval` has passed.
//!
//! An entry belongs to one repository, one credential and one connection: who
//! asks with another, or by another proxy or CA, sees nothing of it. Names of files are keyed hashes, so they tell
//! neither. Every file is replaced by a rename, so processes may share a
//! folder.
//!
//! A tag that was kept ends up in a manifest, so a folder that others own or may
//! write in is not used, and what comes out of a file is checked as what comes
//! from a registry. A file that is anything else, a link or a pipe say, is as
//! good as none: that costs a request, never a run.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use oci_tags::login::Credential;
use oci_tags::registry::{Listing, Page, Target};

/// Why a folder keeps no lists.
#[derive(Debug, thiserror::Error)]
pub enum NoCache {
    /// It cannot be made or looked at.
    #[error(transparent)]
    Folder(io::Error),
    /// Its key can be neither read nor made.
    #[error("its file `key` cannot be made: {0}")]
    Key(#[source] io::Error),
    /// It is not ours.
    #[error("it belongs to another user")]
    Owner,
    /// It is not ours alone.
    #[error("others may write in it (its mode is {0:o})")]
    Writable(u32),
}

/// A folder of lists.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
}

/// A list that was kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptList<'p> {
    /// Version of this format.
    version: u32,
    /// Canonical name of the repository.
    image: String,
    /// When it was listed.
    pub scanned_at: Timestamp,
    /// Its pages.
    pub pages: Cow<'p, [Page]>,
}

const VERSION: u32 = 1;
/// A million tags of the longest kind are not as long.
const LONGEST: u64 = 160 << 20;
/// Length of the key, in bytes.
const KEY: usize = 32;

impl Cache {
    /// Opens the folder, and makes it where it is missing, for this user alone.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn open(folder: &Path) -> Result<Self, NoCache> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(NoCache::Folder)?;
        // The folder itself, wherever a link to it will lead later.
        let folder = fs::canonicalize(folder).map_err(NoCache::Folder)?;
        let metadata = fs::metadata(&folder).map_err(NoCache::Folder)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(NoCache::Owner);
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(NoCache::Writable(metadata.mode() & 0o7777));
        }
        let secret = secret(&folder).map_err(NoCache::Key)?;
        Ok(Self {
            folder,
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        })
    }

    /// What is kept for a target.
    #[must_use]
    pub fn read(&self, target: &Target, identity: &str) -> Option<KeptList<'static>> {
        let text = read(&self.path(target, identity), LONGEST)?;
        let kept: KeptList<'static> = serde_json::from_slice(&text).ok()?;
        let fits = kept.version == VERSION && kept.image == target.repository.canonical();
        let listing =
            Listing::of_kept(kept.pages.into_owned(), &target.repository).filter(|_| fits)?;
        Some(KeptList {
            pages: listing.pages.into(),
            ..kept
        })
    }

    /// Keeps a list.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(
        &self,
        target: &Target,
        identity: &str,
        scanned_at: Timestamp,
        pages: &[Page],
    ) -> io::Result<()> {
        let kept = KeptList {
            version: VERSION,
            image: target.repository.canonical(),
            scanned_at,
            pages: pages.into(),
        };
        // Private from its first byte on: that is how temporary files are made.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        let mut out = io::BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut out, &kept)?;
        out.flush()?;
        drop(out);
        file.persist(self.path(target, identity))
            .map_err(|error| error.error)?;
        Ok(())
    }

    fn path(&self, target: &Target, identity: &str) -> PathBuf {
        let mut context = hmac::Context::with_key(&self.key);
        let mut part = |text: &str| {
            context.update(&text.len().to_le_bytes());
            context.update(text.as_bytes());
        };
        part(&target.repository.canonical());
        match target.credential() {
            // A login that changes from run to run is told by who asked for it.
            _ if !identity.is_empty() => part("cloud"),
            Credential::Anonymous => part("anonymous"),
            Credential::Basic { username, password } => {
                part("basic");
                part(username);
                part(password.reveal());
            }
            Credential::IdentityToken(token) => {
                part("identity token");
                part(token.reveal());
            }
            Credential::RegistryToken(token) => {
                part("registry token");
                part(token.reveal());
            }
        }
        part(identity);
        // What came by a proxy or CA that a document names is that document's word
        // alone.
        let connection = target.connection();
        let identity = connection.identity.as_ref();
        part(identity.map_or("", |own| own.value.reveal()));
        part(connection.ca.as_ref().map_or("", |ca| &ca.value));
        let proxy = connection.proxy.as_ref();
        part(proxy.map_or("", |proxy| proxy.value.address.reveal()));
        part(connection.insecure.map_or("", |_| "insecure"));
        let name = HEXLOWER.encode(context.sign().as_ref());
        self.folder.join(format!("{name}.json"))
    }
}

/// The bytes of a file that is ours alone, and no longer than `most`; else
/// `None`, without a wait at a pipe or a step through a link.
fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let is_private = is_ours && metadata.mode() & 0o022 == 0;
    if !metadata.is_file() || !is_private || metadata.len() > most {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What makes the names of this folder's files unlike those of any other. One
/// that cannot be used is replaced: then nothing is found that was kept.
fn secret(folder: &Path) -> io::Result<[u8; KEY]> {
    const LONGEST: u64 = KEY as u64;
    let path = folder.join("key");
    let known = || <[u8; KEY]>::try_from(read(&path, LONGEST)?).ok();
    // Of several processes one makes it; where that one's is broken at once, or
    // two replace each other's, there is an end to it.
    for _ in 0..4 {
        if let Some(key) = known() {
            return Ok(key);
        }
        let is_broken = fs::symlink_metadata(&path).is_ok();
        let mut key = [0; KEY];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        // Whole or not at all.
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        fresh.write_all(&key)?;
        let made = if is_broken {
            fresh.persist(&path)
        } else {
            fresh.persist_noclobber(&path)
        };
        match made {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error.error);
            }
            _ => {}
        }
    }
    Err(io::Error::other("another process replaces it"))
}
