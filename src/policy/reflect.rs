//! How `status.latestRef` of an ImagePolicy moves: digests by
//! `digestReflectionPolicy`, the previous reference, the Ready message.

use serde::{Deserialize, Serialize};

/// `status.latestRef`: the chosen image, with its digest where one is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(default)]
pub struct ImageRef {
    /// `spec.image` of the repository as written.
    pub name: String,
    /// The chosen tag.
    pub tag: String,
    /// The digest, where the policy reflects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl std::fmt::Display for ImageRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// `spec.digestReflectionPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestReflection {
    /// No digest, ever (the default).
    #[default]
    Never,
    /// The digest seen when the tag was first chosen is kept.
    IfNotPresent,
    /// The digest is asked for in every run.
    Always,
}

impl DigestReflection {
    /// Reads the field; an empty text is the default.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "Never" => Some(Self::Never),
            "IfNotPresent" => Some(Self::IfNotPresent),
            "Always" => Some(Self::Always),
            _ => None,
        }
    }

    /// Whether the digest of `tag` must be fetched, given what the status holds;
    /// otherwise the digest that stays.
    #[must_use]
    pub fn wanted(self, name: &str, tag: &str, before: Option<&ImageRef>) -> WantedDigest {
        let kept = before
            .filter(|before| before.name == name && before.tag == tag)
            .and_then(|before| before.digest.clone());
        match (self, kept) {
            (Self::Never, _) => WantedDigest::Known(None),
            (Self::IfNotPresent, Some(digest)) => WantedDigest::Known(Some(digest)),
            (Self::IfNotPresent, None) | (Self::Always, _) => WantedDigest::Fetch,
        }
    }
}

/// What is to be done for a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedDigest {
    /// This one, or none, without asking.
    Known(Option<String>),
    /// The registry must say.
    Fetch,
}

/// The two references that a policy's status holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reflected {
    /// `status.latestRef`.
    pub latest: Option<ImageRef>,
    /// `status.observedPreviousRef`.
    pub previous: Option<ImageRef>,
}

impl Reflected {
    /// The status after `chosen`: where it differs in any field, the latest
    /// becomes the previous.
    #[must_use]
    pub fn moved_to(self, chosen: ImageRef) -> Self {
        if self.latest.as_ref() == Some(&chosen) {
            return self;
        }
        Self {
            previous: self.latest,
            latest: Some(chosen),
        }
    }

    /// The text of the Ready condition, `None` before anything was chosen.
    #[must_use]
    pub fn ready_message(&self) -> Option<String> {
        let latest = self.latest.as_ref()?;
        let mut text = format!(
            "Latest image tag for {} resolved to {}",
            latest.name, latest.tag
        );
        if let Some(digest) = &latest.digest {
            text.push_str(&format!(" with digest {digest}"));
        }
        // A status can hold the same image twice; the controller leaves it out then.
        if let Some(previous) = self.previous.as_ref().filter(|p| *p != latest) {
            text.push_str(&format!(" (previously {previous})"));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `composeImagePolicyReadyMessage` of image-reflector-controller compares
    /// all three fields.
    #[test]
    fn the_previous_image_is_named_where_it_is_another() {
        let image = |name: &str, tag: &str, digest: Option<&str>| ImageRef {
            name: name.to_owned(),
            tag: tag.to_owned(),
            digest: digest.map(str::to_owned),
        };
        let latest = image("ghcr.io/acme/app", "1.0.0", Some("sha256:aa"));
        for (previous, is_named) in [
            (latest.clone(), false),
            (image("ghcr.io/acme/app", "1.0.0", None), true),
            (image("ghcr.io/acme/app", "1.0.0", Some("sha256:bb")), true),
            (image("ghcr.io/acme/app", "0.9.0", Some("sha256:aa")), true),
            (
                image("ghcr.io/acme/other", "1.0.0", Some("sha256:aa")),
                true,
            ),
        ] {
            let end = format!(" (previously {previous})");
            let reflected = Reflected {
                latest: Some(latest.clone()),
                previous: Some(previous),
            };
            let message = reflected.ready_message().expect("an image");
            let start =
                "Latest image tag for ghcr.io/acme/app resolved to 1.0.0 with digest sha256:aa";
            let expected = format!("{start}{}", if is_named { &end } else { "" });
            assert_eq!(message, expected);
        }
    }
}
