//! How `status.latestRef` of an ImagePolicy moves: digests by
//! `digestReflectionPolicy`, the previous reference, the Ready message.

/// `status.latestRef`: the chosen image, with its digest where one is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// `spec.image` of the repository as written.
    pub name: String,
    /// The chosen tag.
    pub tag: String,
    /// The digest, where the policy reflects it.
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
    pub fn wanted(self, name: &str, tag: &str, before: Option<&ImageRef>) -> Wanted {
        let kept = before
            .filter(|before| before.name == name && before.tag == tag)
            .and_then(|before| before.digest.clone());
        match (self, kept) {
            (Self::Never, _) => Wanted::Known(None),
            (Self::IfNotPresent, Some(digest)) => Wanted::Known(Some(digest)),
            (Self::IfNotPresent, None) | (Self::Always, _) => Wanted::Fetch,
        }
    }
}

/// What is to be done for a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
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
        if let Some(previous) = &self.previous {
            text.push_str(&format!(" (previously {previous})"));
        }
        Some(text)
    }
}
