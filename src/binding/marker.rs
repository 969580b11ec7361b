//! Flux's setter markers: `# {"$imagepolicy": "namespace:name[:part]"}`.
//!
//! A comment is a marker when, its leading `#` taken away, the *whole* of it is
//! a JSON object whose values are all strings and which has the key. The value
//! is a URL fragment in Flux, so `%61` stands for `a`. Two further forms that
//! Flux's library knows, `$ref` and `x-k8s-cli`, are not markers here: the
//! second lets a comment write any value.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use oci_tags::image::is_tag;

/// The bytes that a file must hold for Flux to read it at all.
pub const TOKEN: &str = "\"$imagepolicy\"";
const KEY: &str = "$imagepolicy";

/// What a comment turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comment {
    /// A marker, with its value decoded.
    Marker(String),
    /// It speaks of `$imagepolicy` but is not a marker.
    Broken(MarkerFault),
    /// Something else.
    Other,
}

/// Why a comment that speaks of `$imagepolicy` is not a marker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkerFault {
    /// The comment is not one JSON object and nothing else.
    #[error("the whole comment must be one JSON object, and nothing before or after it")]
    NotAnObject,
    /// A value of the object is not a string.
    #[error("every value in the marker must be a string")]
    NotAString,
    /// The value is not a policy name.
    #[error("its value is empty")]
    Empty,
    /// The value cannot be decoded.
    #[error("its value has a bad `%` escape")]
    Escape,
}

/// Reads a comment, given from its first `#` to the end of the line.
#[must_use]
pub fn read(comment: &str) -> Comment {
    let body = comment.trim_start_matches('#');
    let speaks = || comment.contains(KEY);
    let parsed: Result<BTreeMap<String, Option<String>>, _> = serde_json::from_str(body);
    let value = match parsed {
        Ok(mut object) => object.remove(KEY),
        Err(_) if !speaks() => return Comment::Other,
        Err(_) => {
            let is_object =
                serde_json::from_str::<serde_json::Value>(body).is_ok_and(|v| v.is_object());
            return Comment::Broken(if is_object {
                MarkerFault::NotAString
            } else {
                MarkerFault::NotAnObject
            });
        }
    };
    match value {
        None if speaks() => Comment::Broken(MarkerFault::NotAnObject),
        None => Comment::Other,
        Some(None) => Comment::Broken(MarkerFault::NotAString),
        Some(Some(value)) if value.is_empty() => Comment::Broken(MarkerFault::Empty),
        Some(Some(value)) => {
            decode(&value).map_or(Comment::Broken(MarkerFault::Escape), Comment::Marker)
        }
    }
}

/// A URL fragment's percent escapes, as Go's `net/url` decodes them.
fn decode(value: &str) -> Option<String> {
    let mut rest = value;
    while let Some(percent) = rest.find('%') {
        let hex = rest.get(percent + 1..percent + 3)?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        rest = &rest[percent + 3..];
    }
    percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

/// Which part of a policy's image a marker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImagePart {
    /// `name:tag[@digest]`
    Image,
    /// The tag alone.
    Tag,
    /// The name alone.
    Name,
    /// The digest alone.
    Digest,
}

impl ImagePart {
    /// Whether an old value is of this part's form, so that nothing but the
    /// part itself is lost where it is replaced. Names may be spelled in ways
    /// that no registry takes; placeholders are.
    #[must_use]
    pub fn takes(self, old: &str) -> bool {
        match self {
            Self::Image => {
                let (rest, digest) = split_digest(old);
                let (name, tag) = split_tag(rest);
                digest.is_none_or(is_any_digest) && is_name(name) && tag.is_none_or(is_tag)
            }
            Self::Tag => {
                let (tag, digest) = split_digest(old);
                is_tag(tag) && digest.is_none_or(is_any_digest)
            }
            Self::Name => is_name(old),
            Self::Digest => is_any_digest(old),
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub fn article(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Tag => "a tag",
            Self::Name => "the name of an image",
            Self::Digest => "a digest",
        }
    }
}

/// What stands before a digest, and the digest.
pub(crate) fn split_digest(text: &str) -> (&str, Option<&str>) {
    match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    }
}

/// A name without its tag, and the tag; a host's port is none.
pub(crate) fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// `[HOST[:PORT]/]PATH`, in either case.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let mut words = text.split('/').peekable();
    let first = words.next().unwrap_or_default();
    let is_first = match first.rsplit_once(':') {
        Some((host, port)) => {
            let is_address = host.starts_with('[') && host.ends_with(']');
            let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            words.peek().is_some() && is_port && (is_address || is_word(host))
        }
        None => is_word(first),
    };
    is_first && words.all(is_word)
}

/// `ALGORITHM:HEX`, of any algorithm and length.
fn is_any_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        let is_algorithm =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+._-".contains(&b);
        !algorithm.is_empty()
            && algorithm.bytes().all(is_algorithm)
            && !hex.is_empty()
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// What a marker's value points to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkerTarget {
    /// Namespace of the policy.
    pub namespace: String,
    /// Name of the policy.
    pub name: String,
    /// The part it writes.
    pub part: ImagePart,
}

impl MarkerTarget {
    /// Reads `namespace:name[:part]`; the parts are case-sensitive.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut pieces = value.split(':');
        let (namespace, name) = (pieces.next()?, pieces.next()?);
        let part = match (pieces.next(), pieces.next()) {
            (None, _) => ImagePart::Image,
            (Some("tag"), None) => ImagePart::Tag,
            (Some("name"), None) => ImagePart::Name,
            (Some("digest"), None) => ImagePart::Digest,
            _ => return None,
        };
        (!namespace.is_empty() && !name.is_empty()).then(|| Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            part,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a part of an image may read as before it is replaced.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn old_values_of_each_form() {
        for (part, of_its_form, other) in [
            (
                ImagePart::Image,
                &[
                    "a:1",
                    "nginx",
                    "ghcr.io/acme/app:1.0.0",
                    "localhost:5000/app",
                    "[::1]:5000/app:1",
                    "app@sha256:aa",
                    "app:1.0@sha512:00ff",
                    "PLACEHOLDER",
                ][..],
                &[
                    "image=app:1.0",
                    "${IMAGE}",
                    "${IMAGE:=app:1.0}",
                    "oci://ghcr.io/acme/app:1.0.0",
                    "docker pull app:1.0",
                    "{{ image }}",
                    "app:1.0 app:2.0",
                    "app:1.0,other:2.0",
                    "ghcr.io/acme/app:${TAG}",
                    "/app:1",
                    "app:1@1.0",
                    "--image=app:1",
                    "\"app:1\"",
                ][..],
            ),
            (
                ImagePart::Tag,
                &[
                    "1.0.0",
                    "v1.0.0",
                    "latest",
                    "CHANGEME",
                    "1.0@sha256:aa",
                    "2024-01-01",
                ],
                &[
                    "APP_VERSION=1.0.0",
                    "${TAG:=1.0.0}",
                    "$TAG",
                    "{{ tag }}",
                    "{{ .Values.tag }}",
                    ":1.0.0",
                    "app:1.0.0",
                    ">=1.0.0",
                    "~1.2",
                    "1.0.0 # x",
                    "<tag>",
                    "sha256:aa",
                    "refs/tags/v1",
                    "?ref=v1.0.0",
                ],
            ),
            (
                ImagePart::Name,
                &["app", "ghcr.io/acme/app", "localhost:5000/app", "NAME"],
                &[
                    "oci://ghcr.io/acme/app",
                    "app:1.0",
                    "app@sha256:aa",
                    "app:",
                    "https://x.y/z",
                ],
            ),
            (
                ImagePart::Digest,
                &["sha256:aa", "sha512:00ff", "sha256+b64:AA"],
                &[
                    "@sha256:aa",
                    "1.0@sha256:aa",
                    "1.0.0",
                    "sha256:",
                    "aa",
                    "digest=sha256:aa",
                ],
            ),
        ] {
            for old in of_its_form {
                assert!(part.takes(old), "{old} is {}", part.article());
            }
            for old in other {
                assert!(!part.takes(old), "{old} is not {}", part.article());
            }
        }
    }
}
