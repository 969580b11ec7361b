//! Lists of tags on the disk, so that a repository is not asked again before its
//! `spec.interval` has passed.
//!
//! An entry belongs to one repository, one credential and one connection: who
//! asks with another, or by another proxy or CA, sees nothing of it. Names of files are keyed hashes, so they tell
//! neither. Every file is replaced by a rename, so processes may share a
//! folder; a file that cannot be read is as good as none.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::login::Credential;
use crate::registry::{Page, Target};

/// A folder of lists.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
}

/// A list that was kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Version of this format.
    version: u32,
    /// Canonical name of the repository.
    image: String,
    /// When it was listed.
    pub scanned_at: Timestamp,
    /// Its pages.
    pub pages: Vec<Page>,
}

/// The same, to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keep<'p> {
    version: u32,
    image: String,
    scanned_at: Timestamp,
    pages: &'p [Page],
}

const VERSION: u32 = 1;
/// A million tags of the longest kind are not as long.
const LONGEST: u64 = 256 << 20;

impl Cache {
    /// Opens the folder, and makes it where it is missing, for this user alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let secret = secret(folder)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        })
    }

    /// What is kept for a target.
    #[must_use]
    pub fn read(&self, target: &Target, identity: &str) -> Option<Kept> {
        let file = fs::File::open(self.path(target, identity)).ok()?;
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        let fits = kept.version == VERSION && kept.image == target.repository.canonical();
        fits.then_some(kept)
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
        let kept = Keep {
            version: VERSION,
            image: target.repository.canonical(),
            scanned_at,
            pages,
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

/// What makes the names of this folder's files unlike those of any other.
fn secret(folder: &Path) -> io::Result<[u8; 32]> {
    let path = folder.join("key");
    let mut key = [0; 32];
    for _ in 0..2 {
        match fs::File::open(&path) {
            Ok(mut file) => {
                file.read_exact(&mut key)?;
                return Ok(key);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        // Whole or not at all: of several processes one makes it.
        let fresh = folder.join(format!("key.{}", std::process::id()));
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?
            .write_all(&key)?;
        let linked = fs::hard_link(&fresh, &path);
        _ = fs::remove_file(&fresh);
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let mut file = fs::File::open(&path)?;
    file.read_exact(&mut key)?;
    Ok(key)
}
