//! What an image says of itself: the annotations of its index or manifest, else
//! the labels of its configuration (OCI image specification, "Annotations").
//!
//! At most three documents are asked for; each must fit the digest that named
//! it.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;

use super::answer::authority;
use super::error::RegistryError;
use super::list::{MANIFESTS, no_manifest, sha256};
use super::session::{Question, Session};
use crate::image::is_digest;
use crate::login::Credential;

/// Where the sources of an image are.
const SOURCE: &str = "org.opencontainers.image.source";
/// Which version an image is of.
const VERSION: &str = "org.opencontainers.image.version";
/// A longer label is none, in bytes.
const MOST_BYTES: usize = 500;

/// The labels that links are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// `org.opencontainers.image.source`
    pub source: Option<String>,
    /// `org.opencontainers.image.version`
    pub version: Option<String>,
}

/// An index, a manifest or a configuration, as far as labels are in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    annotations: Option<BTreeMap<String, String>>,
    manifests: Vec<Descriptor>,
    config: Option<Config>,
}

/// What an index names: its digest and what it is for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    os: String,
    architecture: String,
}

/// `config` of a manifest is a descriptor, that of a configuration has labels.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    digest: String,
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

/// The labels of an image, by its tag or digest. A label that is not there is
/// no error.
pub(super) async fn labels(
    session: &Session<'_>,
    reference: &str,
) -> Result<Labels, RegistryError> {
    let mut found = Labels::default();
    let mut document = fetch(session, "manifests", reference).await?;
    found.add(document.annotations.take(), session);
    if let Some(digest) = for_linux(&document.manifests).filter(|_| !found.is_whole()) {
        let digest = digest.to_owned();
        document = fetch(session, "manifests", &digest).await?;
        found.add(document.annotations.take(), session);
    }
    let config = document.config.map(|config| config.digest);
    let config = config.filter(|digest| !found.is_whole() && is_digest(digest));
    if let Some(digest) = config {
        let document = fetch(session, "blobs", &digest).await?;
        let labels = document.config.and_then(|config| config.labels);
        found.add(labels, session);
    }
    Ok(found)
}

/// The manifest of an index that most people run, else its first; those without
/// a platform are not images.
fn for_linux(manifests: &[Descriptor]) -> Option<&str> {
    let images = manifests.iter().filter(|entry| {
        let platform = entry.platform.as_ref();
        is_digest(&entry.digest) && platform.is_none_or(|platform| platform.os != "unknown")
    });
    let is_common = |entry: &&Descriptor| {
        let platform = entry.platform.as_ref();
        platform.is_some_and(|it| it.os == "linux" && it.architecture == "amd64")
    };
    let mut first = images.clone();
    let found = images.clone().find(is_common).or_else(|| first.next());
    found.map(|entry| entry.digest.as_str())
}

async fn fetch(
    session: &Session<'_>,
    kind: &str,
    reference: &str,
) -> Result<Document, RegistryError> {
    let path = session.target.repository.path();
    let question = Question {
        method: Method::GET,
        at: format!("/v2/{path}/{kind}/{reference}"),
        accept: if kind == "blobs" { "*/*" } else { MANIFESTS },
        etag: None,
    };
    let answer = session.ask(&question).await?;
    if answer.status != 200 {
        return Err(no_manifest(session, &answer, reference));
    }
    let host = authority(&answer.url);
    if reference.starts_with("sha256:") && sha256(&answer.body) != reference {
        return Err(RegistryError::WrongDigest { host });
    }
    serde_json::from_slice(&answer.body).map_err(|_| RegistryError::NoRegistry {
        host,
        what: "200 with a body that is not a manifest or configuration".to_owned(),
    })
}

impl Labels {
    fn is_whole(&self) -> bool {
        self.source.is_some() && self.version.is_some()
    }

    fn add(&mut self, labels: Option<BTreeMap<String, String>>, session: &Session<'_>) {
        let mut labels = labels.unwrap_or_default();
        let credential = session.target.credential();
        let mut take = |name: &str| {
            let label = labels.remove(name)?;
            is_sound(&label, credential).then_some(label)
        };
        let (source, version) = (take(SOURCE), take(VERSION));
        self.source = self.source.take().or(source);
        self.version = self.version.take().or(version);
    }
}

/// Whether a label may be shown: short, one line, and without the credential
/// that its registry was sent.
fn is_sound(label: &str, credential: &Credential) -> bool {
    let lower = label.to_ascii_lowercase();
    let secrets = credential.spellings();
    label.len() <= MOST_BYTES
        && !label.is_empty()
        && !label.chars().any(char::is_control)
        && !secrets.iter().any(|secret| lower.contains(secret))
}
