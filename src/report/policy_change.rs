//! What a run changes, policy by policy: from which images to which, and how
//! far that is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::binding::marker::{ImagePart, split_digest, split_tag};
use crate::finding::ResourceRef;
use crate::plan::outcome::Change;
use crate::plan::planned::{Planned, PolicyKey};
use crate::policy::reflect::ImageRef;
use crate::resource_list::MASK;
use masterminds_semver::Version;

/// How far an image moves; of several, the first here counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionStep {
    /// To a lower version.
    Downgrade,
    /// To another major version.
    Major,
    /// To another minor version.
    Minor,
    /// To another patch, or from a prerelease on.
    Patch,
    /// To another tag, where the two are not both versions.
    Tag,
    /// To another digest of the same tag.
    Digest,
    /// To another name alone.
    Name,
}

impl VersionStep {
    fn between(old: &ImageParts, new: &ImageRef) -> Self {
        if old.is_masked() {
            return Self::Tag;
        }
        let Some(tag) = old.tag.as_deref().filter(|tag| *tag != new.tag) else {
            return if old.digest.is_some() || old.tag.is_some() {
                Self::Digest
            } else {
                Self::Name
            };
        };
        let (Ok(before), Ok(after)) = (Version::parse_tag(tag), Version::parse_tag(&new.tag))
        else {
            return Self::Tag;
        };
        let ([old_major, old_minor, _], [major, minor, _]) = (before.numbers(), after.numbers());
        if after.precedence(&before).is_lt() {
            Self::Downgrade
        } else if major != old_major {
            Self::Major
        } else if minor != old_minor {
            Self::Minor
        } else {
            Self::Patch
        }
    }
}

/// An image, or the parts of one that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageParts {
    /// The name, without tag and digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl ImageParts {
    /// What the old value of a scalar says.
    fn of(change: &Change) -> Self {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut reference = Self::default();
        match change.part {
            ImagePart::Name => reference.name = some(&change.old),
            ImagePart::Digest => reference.digest = some(&change.old),
            ImagePart::Tag | ImagePart::Image => {
                let (before, digest) = split_digest(&change.old);
                reference.digest = digest.and_then(some);
                match split_tag(before) {
                    _ if change.part == ImagePart::Tag => reference.tag = some(before),
                    (name, tag) => {
                        (reference.name, reference.tag) = (some(name), tag.and_then(some));
                    }
                }
            }
        }
        reference
    }

    /// Whether it stood in a Secret: what it was is not known here.
    fn is_masked(&self) -> bool {
        let mut parts = [&self.name, &self.tag, &self.digest].into_iter();
        parts.any(|part| part.as_deref() == Some(MASK))
    }

    /// One of both, where no part is known twice.
    fn joined(&self, other: &Self) -> Option<Self> {
        let one = |own: &Option<String>, other: &Option<String>| match (own, other) {
            (Some(_), Some(_)) => None,
            (own, other) => Some(own.clone().or_else(|| other.clone())),
        };
        Some(Self {
            name: one(&self.name, &other.name)?,
            tag: one(&self.tag, &other.tag)?,
            digest: one(&self.digest, &other.digest)?,
        })
    }
}

impl From<&ImageRef> for ImageParts {
    fn from(image: &ImageRef) -> Self {
        Self {
            name: Some(image.name.clone()),
            tag: Some(image.tag.clone()),
            digest: image.digest.clone(),
        }
    }
}

impl std::fmt::Display for ImageParts {
    /// The tag, else the digest, else the name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.tag, &self.digest, &self.name) {
            (Some(tag), Some(digest), _) => write!(f, "{tag}@{digest}"),
            (Some(shown), ..) | (None, Some(shown), _) | (None, None, Some(shown)) => {
                f.write_str(shown)
            }
            (None, None, None) => f.write_str("(empty)"),
        }
    }
}

/// A policy that changes something.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    /// The policy of its cluster, as a run knows it.
    #[serde(skip)]
    pub key: PolicyKey,
    /// The cluster that it is of, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Namespace of the ImagePolicy.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The images before, as far as the changed scalars tell, each once.
    pub old: Vec<ImageParts>,
    /// The image after.
    pub new: ImageParts,
    /// How far that is.
    pub step: VersionStep,
    /// How many scalars change.
    pub changes: usize,
    /// The files that they are in, in lexical order.
    pub files: Vec<String>,
}

impl PolicyChange {
    /// Every policy of a run that changes something, by name.
    #[must_use]
    pub fn all(planned: &Planned) -> Vec<Self> {
        let mut by_policy: BTreeMap<PolicyKey, Vec<&Change>> = BTreeMap::new();
        for change in &planned.outcome.changes {
            by_policy
                .entry(change.policy_key())
                .or_default()
                .push(change);
        }
        let of = |(key, image): (&PolicyKey, &ImageRef)| {
            let (cluster, id) = key;
            let changes = by_policy.get(key).map(Vec::as_slice).unwrap_or_default();
            let old = old_images(changes);
            let mut files: Vec<String> = changes
                .iter()
                .map(|change| change.location.file.clone())
                .collect();
            files.sort();
            files.dedup();
            let steps = old.iter().map(|old| VersionStep::between(old, image));
            Self {
                key: key.clone(),
                cluster: planned.clusters.get(*cluster).cloned(),
                namespace: id.namespace.clone(),
                name: id.name.clone(),
                step: steps.min().unwrap_or(VersionStep::Tag),
                old,
                new: ImageParts::from(image),
                changes: changes.len(),
                files,
            }
        };
        planned.images.iter().map(of).collect()
    }

    /// `namespace:name`, as markers have it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.namespace, self.name)
    }

    /// The old images in short, each once.
    #[must_use]
    pub fn old_shown(&self) -> String {
        let mut shown: Vec<String> = self.old.iter().map(ImageParts::to_string).collect();
        shown.dedup();
        shown.join(", ")
    }
}

/// The old images. Name, tag and digest may stand in scalars of their own,
/// beside one another in a resource.
fn old_images(changes: &[&Change]) -> Vec<ImageParts> {
    let mut by_object: BTreeMap<(&str, Option<&ResourceRef>), Vec<ImageParts>> = BTreeMap::new();
    for change in changes {
        let place = &change.location;
        let known = by_object
            .entry((place.file.as_str(), place.resource.as_ref()))
            .or_default();
        let reference = ImageParts::of(change);
        let joined = known.last().and_then(|last| last.joined(&reference));
        match (joined, known.last_mut()) {
            (Some(joined), Some(last)) => *last = joined,
            _ => known.push(reference),
        }
    }
    let mut all: Vec<ImageParts> = by_object.into_values().flatten().collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Flux reads tags: what has fewer than two dots is not a version.
    #[test]
    fn how_far_a_tag_moves() {
        for (old, new, step) in [
            ("1.2.3", "2.0.0", VersionStep::Major),
            ("v1.2.3", "v1.3.0", VersionStep::Minor),
            ("1.2.3", "1.2.4", VersionStep::Patch),
            ("1.2.3-rc.1", "1.2.3", VersionStep::Patch),
            ("1.2.3", "1.2.2", VersionStep::Downgrade),
            ("41", "42", VersionStep::Tag),
            ("1.9", "1.10", VersionStep::Tag),
            ("20261125", "20261126", VersionStep::Tag),
            ("main-1-2", "main-1-3", VersionStep::Tag),
        ] {
            let old_image = ImageParts {
                tag: Some(old.to_owned()),
                ..ImageParts::default()
            };
            let image = ImageRef {
                name: "ghcr.io/acme/app".to_owned(),
                tag: new.to_owned(),
                digest: None,
            };
            assert_eq!(
                VersionStep::between(&old_image, &image),
                step,
                "{old} to {new}"
            );
        }
    }
}
