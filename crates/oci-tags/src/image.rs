//! Image names as Flux reads them: go-containerregistry's weak validation plus
//! image-reflector-controller's own checks of `ImageRepository.spec.image`.
//!
//! A [`Repository`] keeps the name as it was written beside its canonical
//! form, because manifests must show the first and comparisons need the second.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

/// Docker Hub's canonical host.
const DOCKER_HUB: &str = "index.docker.io";
const MAX_TAG_BYTES: usize = 128;

/// A validated `ImageRepository.spec.image`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    host: String,
    path: String,
    written: String,
}

/// Why a text names no image repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// `https://…` and the like.
    #[error(
        "image '{}' should not include URL scheme; remove '{scheme}://'",
        without_login(image)
    )]
    Scheme {
        /// The name as written.
        image: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// A tag or digest after the name.
    #[error(
        "image '{}' should not include a tag; remove ':{}'",
        without_login(image),
        without_login(tag)
    )]
    Tag {
        /// The name as written.
        image: String,
        /// The piece after the first colon of the path.
        tag: String,
    },
    /// No image reference at all.
    #[error("could not parse reference: {}", without_login(.0))]
    Reference(String),
}

/// A name without the login that somebody wrote into it, which no image has: `****` stands
/// for what is before an `@` that no digest follows.
#[must_use]
pub fn without_login(name: &str) -> Cow<'_, str> {
    let Some((before, rest)) = name.rsplit_once('@') else {
        return Cow::Borrowed(name);
    };
    let algorithm = rest.split(':').next().unwrap_or(rest);
    let bits = algorithm.strip_prefix("sha").unwrap_or_default();
    let is_digest = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    if is_digest {
        return match without_login(before) {
            Cow::Borrowed(_) => Cow::Borrowed(name),
            Cow::Owned(before) => Cow::Owned(format!("{before}@{rest}")),
        };
    }
    let scheme = before.find("://").map_or(0, |at| at + "://".len());
    Cow::Owned(format!("{}****@{rest}", &before[..scheme]))
}

impl Repository {
    /// Checks `spec.image` as image-reflector-controller does.
    ///
    /// # Errors
    /// Flux's own message for what is wrong with the name.
    pub fn parse(image: &str) -> Result<Self, NameError> {
        if let Some((scheme, _)) = image.split_once("://") {
            return Err(NameError::Scheme {
                image: image.to_owned(),
                scheme: scheme.to_owned(),
            });
        }
        let reference = Reference::parse(image)?;
        let registry_prefix = image
            .split_once('/')
            .filter(|(first, _)| is_host(first))
            .map_or(0, |(first, _)| first.len() + 1);
        if let Some(tag) = image[registry_prefix..].split(':').nth(1) {
            return Err(NameError::Tag {
                image: image.to_owned(),
                tag: tag.to_owned(),
            });
        }
        Ok(reference.repository)
    }

    /// Registry host, with a port if one was written; Docker Hub is
    /// `index.docker.io` however it was spelled.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Path under the host; `library/` is filled in on Docker Hub.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name as it was written.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// `HOST/PATH`: equal for two spellings of one repository.
    #[must_use]
    pub fn canonical(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }

    /// The scheme go-containerregistry would use, `http` or `https`.
    #[must_use]
    pub fn scheme(&self, insecure: bool) -> &'static str {
        let port = self.host.rsplit_once(':').filter(|(_, port)| {
            (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
        });
        let name = port.map_or(self.host.as_str(), |(name, _)| name);
        let first = self.host.split(':').next().unwrap_or_default();
        let private = first.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_private());
        let local = self.host.starts_with("localhost:")
            || self.host.contains("127.0.0.1")
            || self.host.contains("::1")
            || name.ends_with(".localhost");
        if insecure || private || local {
            "http"
        } else {
            "https"
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A whole image reference, `NAME[:TAG][@DIGEST]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The repository it is in.
    pub repository: Repository,
    /// The tag, where one is written.
    pub tag: Option<String>,
    /// The digest, where one is written.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads a reference with go-containerregistry's weak validation.
    ///
    /// # Errors
    /// [`NameError::Reference`] where its `ParseReference` fails.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fault = || NameError::Reference(text.to_owned());
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(fault()),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        // An empty tag is as good as none.
        let tag = tag.filter(|tag| !tag.is_empty());
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(fault());
        }
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if is_host(first) => (first, path),
            _ => (DOCKER_HUB, name),
        };
        let valid_path = (2..=255).contains(&path.len())
            && path
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/'));
        if !valid_path || !is_authority(host) {
            return Err(fault());
        }
        let host = if host == "docker.io" {
            DOCKER_HUB
        } else {
            host
        };
        let path = if host == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self {
            repository: Repository {
                host: host.to_owned(),
                path,
                written: name.to_owned(),
            },
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// Whether `text` is a tag in the grammar of the OCI distribution
/// specification, as go-containerregistry's weak validation has it.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Whether `text` is a `sha256` digest.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A first path segment is a host only with a dot or a colon: `localhost/app`
/// is on Docker Hub.
fn is_host(segment: &str) -> bool {
    segment.contains(['.', ':'])
}

fn is_authority(host: &str) -> bool {
    let port = match host.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((address, after)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                match after.strip_prefix(':') {
                    Some(port) => port,
                    None if after.is_empty() => "",
                    None => return false,
                }
            }
            _ => return false,
        },
        None => {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            let forbidden = |c: char| c.is_control() || " \"<>\\^`{}|%?#@[]/".contains(c);
            if name.contains(forbidden) {
                return false;
            }
            port
        }
    };
    port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_not_shown() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (name, shown) in [
            ("ghcr.io/acme/app", "ghcr.io/acme/app"),
            ("robot:s3cret@ghcr.io/acme/app", "****@ghcr.io/acme/app"),
            ("robot:s3cret@shared.example/app", "****@shared.example/app"),
            (
                "https://robot:s3@cret@ghcr.io/acme/app:1.0",
                "https://****@ghcr.io/acme/app:1.0",
            ),
        ] {
            assert_eq!(without_login(name), shown);
            let with_digest = format!("{name}@{digest}");
            assert_eq!(without_login(&with_digest), format!("{shown}@{digest}"));
        }
        for name in [
            "robot:s3cret@ghcr.io/acme/app",
            "https://robot:s3cret@ghcr.io/acme/app",
        ] {
            let error = Repository::parse(name).expect_err("a login");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
