//! ImagePolicy: which tag is the latest.

use serde::{Deserialize, Serialize};

use super::meta::{LocalReference, Metadata};
use crate::policy::reflect::{DigestReflection, ImageRef};
use crate::policy::{Choice, InvalidPolicy, Order, Policy};
use masterminds_semver::Constraint;
use oci_tags::image::{Reference, is_digest, is_tag, without_login};

/// An ImagePolicy of any version from v1alpha1 to v1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ImagePolicy {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ImagePolicySpec,
    /// What a controller, or `resolve`, found.
    pub status: ImagePolicyStatus,
}

/// `spec` of an ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImagePolicySpec {
    /// The repository whose tags count.
    pub image_repository_ref: LocalReference,
    /// How tags are compared.
    pub policy: PolicyChoice,
    /// Which tags count, and what of them is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_tags: Option<TagFilter>,
    /// `Never`, `IfNotPresent` or `Always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_reflection_policy: Option<String>,
    /// How often the digest is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Choose no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// `spec.policy`: the first that is present counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct PolicyChoice {
    /// Versions in a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semver: Option<SemverChoice>,
    /// By bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alphabetical: Option<OrderChoice>,
    /// As numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numerical: Option<OrderChoice>,
}

/// `semver`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct SemverChoice {
    /// The range.
    pub range: String,
}

/// `alphabetical` and `numerical`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct OrderChoice {
    /// `asc` or `desc`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub order: String,
}

/// `filterTags`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct TagFilter {
    /// Go regular expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pattern: String,
    /// Template for what is compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extract: String,
}

/// `status` of an ImagePolicy, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImagePolicyStatus {
    /// The chosen image (v1beta2 and later).
    pub latest_ref: Option<ImageRef>,
    /// The chosen image as one text (before v1beta2).
    pub latest_image: Option<String>,
    /// What was chosen before it.
    pub observed_previous_ref: Option<ImageRef>,
    /// The same, as one text.
    pub observed_previous_image: Option<String>,
}

/// Why a policy's status gives no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// There is no status, or it names no image.
    #[error("its status names no image")]
    Absent,
    /// The status names what is not an image reference; Flux fails the run on it.
    #[error(
        "encountered invalid image ref \"{image}\": could not parse reference: {image}",
        image = without_login(.0)
    )]
    Invalid(String),
}

impl ImagePolicySpec {
    /// The policy, checked.
    ///
    /// # Errors
    /// What Flux calls InvalidPolicy.
    pub fn checked(&self) -> Result<Policy, InvalidPolicy> {
        let choice = match &self.policy {
            PolicyChoice {
                semver: Some(semver),
                ..
            } => Choice::Semver(Constraint::parse(&semver.range)?),
            PolicyChoice {
                alphabetical: Some(by),
                ..
            } => Choice::Alphabetical(Order::parse(&by.order)?),
            PolicyChoice {
                numerical: Some(by),
                ..
            } => Choice::Numerical(Order::parse(&by.order)?),
            _ => return Err(InvalidPolicy::Empty),
        };
        let filter = self.filter_tags.clone();
        Ok(Policy::new(
            choice,
            filter.map(|filter| (filter.pattern, filter.extract)),
        ))
    }

    /// Whether the digest is to be asked for in every run, and nothing says how
    /// often that is.
    #[must_use]
    pub fn lacks_interval(&self) -> bool {
        self.reflection() == Some(DigestReflection::Always) && self.interval.is_none()
    }

    /// How digests are reflected; `None` for a word that Flux does not know.
    #[must_use]
    pub fn reflection(&self) -> Option<DigestReflection> {
        DigestReflection::parse(self.digest_reflection_policy.as_deref().unwrap_or_default())
    }
}

impl ImagePolicyStatus {
    /// The image that the status names: `latestRef`, or `latestImage` where
    /// that is absent.
    ///
    /// # Errors
    /// Where there is none, or none that Flux would accept.
    pub fn image(&self) -> Result<ImageRef, Undefined> {
        if let Some(latest) = &self.latest_ref {
            return checked(latest);
        }
        let image = self
            .latest_image
            .as_deref()
            .filter(|image| !image.is_empty());
        let image = image.ok_or(Undefined::Absent)?;
        let reference =
            Reference::parse(image).map_err(|_| Undefined::Invalid(image.to_owned()))?;
        Ok(ImageRef {
            name: reference.repository.written().to_owned(),
            tag: reference
                .tag
                .ok_or_else(|| Undefined::Invalid(image.to_owned()))?,
            digest: reference.digest,
        })
    }
}

/// What a status names, where Flux would accept it; an empty digest is none.
fn checked(named: &ImageRef) -> Result<ImageRef, Undefined> {
    let mut image = named.clone();
    image.digest = image.digest.filter(|digest| !digest.is_empty());
    let valid = Reference::parse(&image.name).is_ok_and(|r| r.tag.is_none() && r.digest.is_none())
        && is_tag(&image.tag)
        && image.digest.as_deref().is_none_or(is_digest);
    if valid {
        Ok(image)
    } else {
        Err(Undefined::Invalid(image.to_string()))
    }
}
