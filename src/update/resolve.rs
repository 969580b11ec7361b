//! Each policy's image, or the one reason why there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Catalogue, Sourced};
use super::outcome::{Code, Finding, Location, Outcome, Severity};
use crate::api::{
    Id, ImagePolicy, ImageRepository, LabelSelector, SelectorError, TagSource, Undefined,
};
use crate::image::{NameError, Repository};
use crate::policy::exclusion::{BadExclusion, Exclusion};
use crate::policy::reflect::{ImageRef, Wanted};
use crate::policy::{ChosenNothing, InvalidPolicy};
use crate::tags::Known;

/// What came of a policy.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The image, or why there is none.
    pub image: Result<ImageRef, Unresolved>,
    /// Where the policy stands.
    pub location: Location,
    /// Its labels, for selectors.
    pub labels: BTreeMap<String, String>,
}

/// Why a policy gives no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Its status names what is no image.
    #[error(transparent)]
    Status(#[from] Undefined),
    /// The policy, or its repository, is suspended and has no status.
    #[error("{0} is suspended")]
    Suspended(&'static str),
    /// Its document cannot be read, which was reported there.
    #[error("its document cannot be read: {0}")]
    Unreadable(String),
    /// Two different documents have its identity.
    #[error("two different ImagePolicies have this name: {0} and {1}")]
    Ambiguous(String, String),
    /// The ImageRepository it names is not there.
    #[error("referenced ImageRepository does not exist: {0}")]
    NoRepository(Id),
    /// `spec.image` of its repository is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Nothing is known of its repository.
    #[error("no tags are known for {image}: {tried}")]
    NoTags {
        /// `spec.image`.
        image: String,
        /// What was looked at.
        tried: String,
    },
    /// `exclusionList` is no list of patterns.
    #[error("{0}: {source}", source = .0.source)]
    Exclusion(BadExclusion),
    /// `spec.policy` can choose nothing.
    #[error("invalid policy: {0}")]
    Invalid(#[from] InvalidPolicy),
    /// No tag was chosen.
    #[error("{}", .0.with_source())]
    Nothing(ChosenNothing),
    /// `digestReflectionPolicy` is a word that Flux does not know.
    #[error("invalid digestReflectionPolicy `{0}`, must be one of: Always, IfNotPresent, Never")]
    Reflection(String),
    /// The digest is wanted and nobody can tell it.
    #[error("failed fetching digest of {0}: it is in no snapshot")]
    NoDigest(String),
    /// The chosen tag makes no image reference.
    #[error("encountered invalid image ref \"{0}\": could not parse reference: {0}")]
    Reference(String),
}

impl ChosenNothing {
    fn with_source(&self) -> String {
        match self {
            Self::BadPattern { source, .. } => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }
}

impl Unresolved {
    /// How much it weighs where a scalar is bound to the policy.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Suspended(_) => Severity::Info,
            _ => Severity::Error,
        }
    }

    /// Whether the documents are to blame, rather than what is known of tags.
    fn is_mistake(&self) -> bool {
        match self {
            Self::Suspended(_) | Self::Unreadable(_) | Self::NoTags { .. } | Self::NoDigest(_) => {
                false
            }
            Self::Nothing(reason) => reason.stalls(),
            _ => true,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRepository(id) => format!("add the ImageRepository `{}` of namespace `{}` to the input", id.name, id.namespace),
            Self::NoTags { .. } => {
                "give the policy a `status.latestRef` (as `kubectl get imagepolicy -o yaml` shows it), or add a TagSnapshot of the repository".to_owned()
            }
            Self::NoDigest(_) => "add the digest to `digests` of the TagSnapshot".to_owned(),
            Self::Nothing(ChosenNothing::NoTags) => "the TagSnapshot lists no tag of the repository that `exclusionList` leaves".to_owned(),
            Self::Nothing(ChosenNothing::AllFiltered) => "no tag matches `filterTags.pattern`".to_owned(),
            Self::Nothing(ChosenNothing::NoneInRange) => "no tag that is left is a version in the range".to_owned(),
            _ => return None,
        })
    }
}

/// The image of every policy. `tags_from` says which sources may answer, in
/// order.
#[must_use]
pub fn resolve(catalogue: &Catalogue, tags_from: &[TagSource]) -> BTreeMap<Id, Resolved> {
    let one = |(id, policy): (&Id, &Sourced<ImagePolicy>)| {
        let resolved = Resolved {
            image: image_of(catalogue, id, policy, tags_from),
            location: policy.location.clone(),
            labels: policy.document.metadata.labels.clone(),
        };
        (id.clone(), resolved)
    };
    let mut all: BTreeMap<Id, Resolved> = catalogue.policies.iter().map(one).collect();
    for (id, location) in &catalogue.unreadable {
        all.entry(id.clone()).or_insert_with(|| Resolved {
            image: Err(Unresolved::Unreadable(location.to_string())),
            location: location.clone(),
            labels: BTreeMap::new(),
        });
    }
    all
}

/// The policies of a namespace (`None`: of all) whose labels a selector selects
/// (`None`: all).
///
/// # Errors
/// A selector that the API server would refuse.
pub fn select(
    images: &BTreeMap<Id, Resolved>,
    namespace: Option<&str>,
    selector: Option<&LabelSelector>,
) -> Result<BTreeSet<Id>, SelectorError> {
    let mut selected = BTreeSet::new();
    for (id, resolved) in images {
        let is_near = namespace.is_none_or(|namespace| namespace == id.namespace);
        if is_near && selector.map_or(Ok(true), |selector| selector.matches(&resolved.labels))? {
            selected.insert(id.clone());
        }
    }
    Ok(selected)
}

/// Warns of policies that can give no image until somebody changes them, and
/// that nothing is bound to; bound ones are reported at their scalars.
pub fn report_unused(images: &BTreeMap<Id, Resolved>, used: &BTreeSet<Id>, outcome: &mut Outcome) {
    for (id, resolved) in images.iter().filter(|(id, _)| !used.contains(id)) {
        let Err(reason) = &resolved.image else {
            continue;
        };
        if !reason.is_mistake() {
            continue;
        }
        let message =
            format!("ImagePolicy `{id}` gives no image, and nothing is bound to it: {reason}");
        let mut finding = Finding::new(
            Severity::Warning,
            Code::UnusedPolicy,
            message,
            resolved.location.clone(),
        );
        finding.hint = reason.hint();
        outcome.findings.push(finding);
    }
}

fn image_of(
    catalogue: &Catalogue,
    id: &Id,
    policy: &Sourced<ImagePolicy>,
    tags_from: &[TagSource],
) -> Result<ImageRef, Unresolved> {
    if let Some(other) = &policy.conflict {
        return Err(Unresolved::Ambiguous(
            other.to_string(),
            policy.location.to_string(),
        ));
    }
    let document = &policy.document;
    for source in tags_from {
        match source {
            TagSource::Status => match document.status.image() {
                Ok(image) => return Ok(image),
                Err(Undefined::Absent) => {}
                Err(invalid) => return Err(invalid.into()),
            },
            TagSource::Snapshot => {
                if document.spec.suspend {
                    return Err(Unresolved::Suspended("the policy"));
                }
                if let Some(image) = from_snapshot(catalogue, id, document)? {
                    return Ok(image);
                }
            }
        }
    }
    let repository = repository_of(catalogue, id, document).ok();
    Err(Unresolved::NoTags {
        image: repository.map_or_else(
            || "its repository".to_owned(),
            |repository| repository.spec.image.clone(),
        ),
        tried: tried(tags_from),
    })
}

fn tried(tags_from: &[TagSource]) -> String {
    let one = |source: &TagSource| match source {
        TagSource::Status => "the policy has no status.latestRef",
        TagSource::Snapshot => "no TagSnapshot holds it",
    };
    tags_from.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn repository_of<'c>(
    catalogue: &'c Catalogue,
    id: &Id,
    policy: &ImagePolicy,
) -> Result<&'c ImageRepository, Unresolved> {
    let reference = &policy.spec.image_repository_ref;
    let namespace = reference.namespace.as_deref().unwrap_or(&id.namespace);
    let wanted = Id::new(namespace, reference.name.clone());
    match catalogue.repositories.get(&wanted) {
        Some(found) => Ok(&found.document),
        None => Err(Unresolved::NoRepository(wanted)),
    }
}

fn from_snapshot(
    catalogue: &Catalogue,
    id: &Id,
    policy: &ImagePolicy,
) -> Result<Option<ImageRef>, Unresolved> {
    let document = repository_of(catalogue, id, policy)?;
    // Flux's order: the repository's name, then the policy, then the tags.
    let repository = Repository::parse(&document.spec.image)?;
    let checked = policy.spec.checked()?;
    if document.spec.suspend {
        return Err(Unresolved::Suspended("its ImageRepository"));
    }
    let Some(known) = catalogue.tags.get(&repository) else {
        return Ok(None);
    };
    let exclusion = Exclusion::new(&document.spec.exclusion_list).map_err(Unresolved::Exclusion)?;
    let tags = exclusion.keep(&known.tags);
    let tag = checked.select(&tags).map_err(Unresolved::Nothing)?;
    let digest = digest_of(policy, &document.spec.image, &tag, known)?;
    let image = ImageRef {
        name: document.spec.image.clone(),
        tag,
        digest,
    };
    if crate::image::is_tag(&image.tag) {
        Ok(Some(image))
    } else {
        Err(Unresolved::Reference(image.to_string()))
    }
}

fn digest_of(
    policy: &ImagePolicy,
    name: &str,
    tag: &str,
    known: &Known,
) -> Result<Option<String>, Unresolved> {
    let spec = &policy.spec;
    let word = || spec.digest_reflection_policy.clone().unwrap_or_default();
    let reflection = spec
        .reflection()
        .ok_or_else(|| Unresolved::Reflection(word()))?;
    let before = policy.status.image().ok();
    match reflection.wanted(name, tag, before.as_ref()) {
        Wanted::Known(digest) => Ok(digest),
        Wanted::Fetch => match known.digests.get(tag) {
            Some(digest) => Ok(Some(digest.clone())),
            None => Err(Unresolved::NoDigest(format!("{name}:{tag}"))),
        },
    }
}
