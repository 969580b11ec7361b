//! Each policy's image, or the one reason why there is none.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{
    Id, ImagePolicy, ImagePolicySpec, ImageRepository, LabelSelector, SelectorError, TagSource,
    Undefined,
};
use crate::documents::twins::{self, Twins};
use crate::documents::{self, Documents, Sourced};
use crate::finding::{Code, Finding, Location, Severity};
use crate::policy::exclusion::{self, BadExclusion};
use crate::policy::reflect::{DigestReflection, ImageRef, WantedDigest};
use crate::policy::{ChosenNothing, InvalidPolicy};
use crate::selection::tags::{Blame, Failure, KnownTags, TagBook};
use go_regexp::{Budget, Fault, SyntaxError};
use oci_tags::image::{NameError, Repository};
use yaml_edit_spans::work;

/// What came of a policy.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The image, or why there is none.
    pub image: Result<ImageRef, Unresolved>,
    /// Where the policy stands.
    pub location: Location,
    /// Its labels, for selectors.
    pub labels: BTreeMap<String, String>,
    /// Why the image is the one of its status, where it is only that.
    pub kept: Option<Unresolved>,
}

/// Why a policy gives no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Its status names what is not an image.
    #[error(transparent)]
    Status(#[from] Undefined),
    /// The policy is suspended and has no status, or its repository is, and
    /// nothing is known of its tags.
    #[error("{0} is suspended")]
    Suspended(&'static str),
    /// Its document cannot be read, which was reported there.
    #[error("its document cannot be read: {0}")]
    Unreadable(String),
    /// Two different documents have its identity.
    #[error("{0}")]
    Ambiguous(Box<Twins>),
    /// The ImageRepository it names is not there.
    #[error("referenced ImageRepository does not exist: {wanted}")]
    NoRepository {
        /// The one.
        wanted: Id,
        /// What a build calls it now.
        now: Option<Id>,
    },
    /// The ImageRepository is in another namespace and does not let it in.
    #[error(
        "access denied: `accessFrom` of ImageRepository `{0}` does not select the namespace `{1}`"
    )]
    AccessDenied(Id, String),
    /// The registry gave no answer.
    #[error("{0}")]
    Unanswered(String, Blame),
    /// `spec.image` of its repository is not a name.
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
    /// `exclusionList` is not a list of patterns.
    #[error("{0}: {source}", source = .0.source)]
    Exclusion(BadExclusion),
    /// Nothing is left for this pattern of the ImageRepository or its policy.
    #[error(
        "the patterns of one run may take {} MiB when compiled, and `{pattern}` of {whose} is more than is left",
        go_regexp::RUN_LIMIT >> 20
    )]
    OverBudget {
        /// The pattern as written.
        pattern: String,
        /// Whose it is, and of which field.
        whose: String,
    },
    /// `spec.policy` can choose nothing.
    #[error("invalid policy: {0}")]
    Invalid(#[from] InvalidPolicy),
    /// No tag was chosen.
    #[error("{}", .0.with_source())]
    Nothing(ChosenNothing),
    /// `digestReflectionPolicy: Always` without an `interval`; Flux stalls on it.
    #[error("spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'")]
    NoInterval,
    /// `digestReflectionPolicy` is a word that Flux does not know.
    #[error("invalid digestReflectionPolicy `{0}`, must be one of: Always, IfNotPresent, Never")]
    Reflection(String),
    /// The digest is wanted and nobody can tell it.
    #[error(transparent)]
    NoDigest(Box<MissingDigest>),
    /// The chosen tag makes no image reference.
    #[error("encountered invalid image ref \"{0}\": could not parse reference: {0}")]
    Reference(String),
}

/// A digest that nobody told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed fetching digest of {image}: {}", .failure.as_ref().map_or("it is in no snapshot, and no registry was asked", |f| f.message.as_str()))]
pub struct MissingDigest {
    /// The image that was chosen, without a digest.
    pub image: ImageRef,
    /// Its ImageRepository.
    pub repository: Id,
    /// What the registry said, where it was asked.
    pub failure: Option<Failure>,
}

impl MissingDigest {
    /// The image with what a registry has said of its digest.
    fn asked(mut self: Box<Self>, book: &TagBook) -> Result<ImageRef, Unresolved> {
        match book.digest(&self.repository, &self.image.tag) {
            Some(Ok(digest)) => {
                self.image.digest = Some(digest.clone());
                return Ok(self.image);
            }
            Some(Err(failure)) => self.failure = Some(failure.clone()),
            None => {}
        }
        Err(Unresolved::NoDigest(self))
    }
}

impl ChosenNothing {
    fn with_source(&self) -> String {
        match self {
            Self::BadPattern { source, .. } => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }
}

impl Resolved {
    /// Why nothing was chosen now, also where the image of the status stays.
    #[must_use]
    pub fn reason(&self) -> Option<&Unresolved> {
        self.kept.as_ref().or(self.image.as_ref().err())
    }
}

impl Unresolved {
    /// What a finding about it is called; `severity` is what it weighs there.
    #[must_use]
    pub fn code(&self, severity: Severity) -> Code {
        match severity {
            Severity::Info => Code::Suspended,
            _ if self.is_unanswered() => Code::UnansweredPolicy,
            _ => Code::UnresolvedPolicy,
        }
    }

    /// How much it weighs where a scalar is bound to the policy.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Suspended(_) => Severity::Info,
            _ => Severity::Error,
        }
    }

    /// Whether a registry is to blame.
    fn is_unanswered(&self) -> bool {
        let blame = match self {
            Self::Unanswered(_, blame) => Some(*blame),
            Self::NoDigest(missing) => missing.failure.as_ref().map(|failure| failure.blame),
            _ => None,
        };
        blame == Some(Blame::Registry)
    }

    /// Whether the documents are to blame, rather than what is known of tags.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        match self {
            Self::Suspended(_)
            | Self::Unreadable(_)
            | Self::NoTags { .. }
            | Self::NoDigest(_)
            | Self::Unanswered(..) => false,
            Self::Nothing(reason) => reason.stalls(),
            _ => true,
        }
    }

    /// The reason for people: in plain words first, then in Flux's, where those alone
    /// say little.
    #[must_use]
    pub fn explained(&self) -> String {
        match self {
            Self::Nothing(nothing) => match nothing.plainly() {
                Some(plainly) => format!("{plainly} (Flux: {nothing})"),
                None => nothing.with_source(),
            },
            other => other.to_string(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRepository { wanted, now: Some(now) } => documents::renamed(wanted, now),
            Self::NoRepository { wanted: id, .. } => format!("add the ImageRepository `{}` of namespace `{}` to the input", id.name, id.namespace),
            Self::Ambiguous(twins) => twins::hint(&twins.first, &twins.second),
            Self::NoTags { .. } => {
                "give the policy a `status.latestRef` (as `kubectl get imagepolicy -o yaml` shows it), add a TagSnapshot of the repository (`flux-image scan`), or let the registry be asked".to_owned()
            }
            Self::AccessDenied(..) => "add a selector to `accessFrom.namespaceSelectors` of the ImageRepository; labels other than the name come from a Namespace that was given by whoever gave the ImageRepository, or by a flag".to_owned(),
            Self::NoDigest(missing) => match &missing.failure {
                None => "add the digest to `digests` of the TagSnapshot, or let the registry be asked".to_owned(),
                Some(failure) => return failure.hint.clone(),
            },
            Self::OverBudget { .. } => "write smaller repetitions and classes, such as `[a-z]{1,20}` in place of `\\pL{1,500}`; or give fewer documents to one run".to_owned(),
            Self::NoInterval => "write `interval`, as `interval: 10m`; or `digestReflectionPolicy: IfNotPresent`, which needs none".to_owned(),
            _ => return None,
        })
    }
}

/// Where tags are taken from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'s> {
    /// In this order.
    pub tags_from: &'s [TagSource],
    /// What is to be asked anew whatever is known.
    pub refresh: &'s Refresh,
}

/// `--refresh`: which ImageRepositories are to be asked anew. What status and
/// snapshots say of them does not count then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// These.
    Only(BTreeSet<Id>),
}

impl Refresh {
    /// Whether an ImageRepository is to be asked anew.
    #[must_use]
    pub fn has(&self, id: &Id) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }
}

impl<'s> Sources<'s> {
    /// Which sources count for the policies of an ImageRepository. One that is
    /// suspended is not asked, so what is known of it stays the newest.
    #[must_use]
    pub fn of(&self, documents: &Documents, repository: &Id) -> &'s [TagSource] {
        if self.refresh.has(repository) && !is_suspended(documents, repository) {
            &[TagSource::Registry]
        } else {
            self.tags_from
        }
    }
}

fn is_suspended(documents: &Documents, repository: &Id) -> bool {
    let found = documents.repositories.get(repository);
    found.is_some_and(|found| found.document.spec.suspend)
}

/// The image of every policy.
#[must_use]
pub fn resolve(
    documents: &Documents,
    book: &TagBook,
    sources: &Sources<'_>,
) -> BTreeMap<Id, Resolved> {
    resolve_within(documents, book, sources, &mut Budget::default())
}

/// Takes in the digests that a registry was asked for since: what was chosen
/// stays, so that nothing is compiled or compared once more.
pub fn add_digests(book: &TagBook, images: &mut BTreeMap<Id, Resolved>) {
    for resolved in images.values_mut() {
        if let Err(Unresolved::NoDigest(missing)) = &resolved.image {
            resolved.image = missing.clone().asked(book);
        }
    }
}

/// As [`resolve`], with what the patterns may take when compiled. Policies are
/// taken by repository, so that the patterns of each are compiled once and its
/// tags are held no longer than they are needed.
#[must_use]
pub fn resolve_within(
    documents: &Documents,
    book: &TagBook,
    sources: &Sources<'_>,
    budget: &mut Budget,
) -> BTreeMap<Id, Resolved> {
    let mut tags = Tags {
        book,
        budget,
        kept: None,
    };
    let one = |(id, policy): (&Id, &Sourced<ImagePolicy>)| {
        let resolved = Resolved {
            image: image_of(documents, id, policy, sources, &mut tags),
            location: policy.location.clone(),
            labels: policy.document.metadata.labels.clone(),
            kept: None,
        };
        (id.clone(), resolved)
    };
    let mut policies: Vec<(&Id, &Sourced<ImagePolicy>)> = documents.policies.iter().collect();
    policies.sort_by_cached_key(|(id, policy)| repository_id(id, &policy.document));
    let mut all: BTreeMap<Id, Resolved> = policies.into_iter().map(one).collect();
    for (id, location) in &documents.unreadable {
        all.entry(id.clone()).or_insert_with(|| Resolved {
            image: Err(Unresolved::Unreadable(location.to_string())),
            location: location.clone(),
            labels: BTreeMap::new(),
            kept: None,
        });
    }
    all
}

/// The policies of each repository, by its canonical name.
#[must_use]
pub fn followers(documents: &Documents) -> BTreeMap<String, Vec<Id>> {
    let mut followers: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for (id, policy) in &documents.policies {
        let repository = repository_of(documents, id, &policy.document);
        let image = repository.map(|(_, repository)| Repository::parse(&repository.spec.image));
        if let Ok(Ok(image)) = image {
            let all = followers.entry(image.canonical()).or_default();
            all.push(id.clone());
        }
    }
    followers
}

/// The policies of a namespace, or all of them.
pub fn in_namespace<'i>(
    images: &'i BTreeMap<Id, Resolved>,
    namespace: Option<&'i str>,
) -> impl Iterator<Item = (&'i Id, &'i Resolved)> {
    // They come in the order of their namespaces.
    let from = Id::new(namespace.unwrap_or_default(), "");
    let is_near = move |id: &Id| namespace.is_none_or(|namespace| namespace == id.namespace);
    images.range(from..).take_while(move |(id, _)| is_near(id))
}

/// Those of some policies that a selector takes; all, if there is none.
///
/// # Errors
/// A selector that Kubernetes refuses.
pub fn select<'i>(
    policies: impl Iterator<Item = (&'i Id, &'i Resolved)>,
    selector: Option<&LabelSelector>,
) -> Result<BTreeSet<Id>, SelectorError> {
    selector.map_or(Ok(()), LabelSelector::check)?;
    let selected = policies.filter(|(_, resolved)| {
        work::count(1);
        selector.is_none_or(|selector| selector.matches(&resolved.labels))
    });
    Ok(selected.map(|(id, _)| id.clone()).collect())
}

/// Warnings of policies that can give no image until somebody changes them, and
/// that nothing is bound to; bound ones are reported at their scalars.
pub fn unused(
    images: &BTreeMap<Id, Resolved>,
    used: &BTreeSet<Id>,
) -> impl Iterator<Item = Finding> {
    let unused = images.iter().filter(|(id, _)| !used.contains(id));
    unused.filter_map(|(id, resolved)| {
        let reason = resolved.image.as_ref().err()?;
        if !reason.is_mistake() {
            return None;
        }
        let message = format!(
            "ImagePolicy `{id}` gives no image, and nothing is bound to it: {}",
            reason.explained()
        );
        // Nothing is bound to it because of what is wrong.
        let severity = match reason {
            Unresolved::NoRepository { now: Some(_), .. } => Severity::Error,
            _ => Severity::Warning,
        };
        let location = resolved.location.clone();
        let finding = Finding::new(severity, Code::UnusedPolicy, message, location);
        Some(finding.hint_if(reason.hint()))
    })
}

/// The tags of one repository at a time.
struct Tags<'c, 'b> {
    book: &'c TagBook,
    budget: &'b mut Budget,
    /// What `exclusionList` leaves of the last repository's tags, as a source
    /// has them.
    kept: Option<(Id, TagSource, KeptTags<'c>)>,
}

/// Tags, or why there are none.
type KeptTags<'c> = Result<Vec<&'c str>, Unresolved>;

impl<'c> Tags<'c, '_> {
    /// The tags that `exclusionList` of a repository leaves of those known.
    fn kept(
        &mut self,
        (id, repository): (&Id, &ImageRepository),
        source: TagSource,
        known: &'c KnownTags,
    ) -> KeptTags<'c> {
        match &self.kept {
            Some((of, from, kept)) if of == id && *from == source => return kept.clone(),
            _ => {}
        }
        let patterns = &repository.spec.exclusion_list;
        let kept = exclusion::keep(patterns, &known.tags, self.budget).map_err(|bad| {
            let of = || format!("`exclusionList` of ImageRepository `{id}`");
            over_budget(&bad.pattern, &bad.source, of).unwrap_or(Unresolved::Exclusion(bad))
        });
        self.kept = Some((id.clone(), source, kept.clone()));
        kept
    }
}

fn over_budget(
    pattern: &str,
    error: &SyntaxError,
    whose: impl FnOnce() -> String,
) -> Option<Unresolved> {
    (error.fault == Fault::OverBudget).then(|| Unresolved::OverBudget {
        pattern: pattern.to_owned(),
        whose: whose(),
    })
}

fn image_of<'c>(
    documents: &'c Documents,
    id: &Id,
    policy: &Sourced<ImagePolicy>,
    sources: &Sources<'_>,
    tags: &mut Tags<'c, '_>,
) -> Result<ImageRef, Unresolved> {
    if let Some(other) = &policy.conflict {
        return Err(ambiguous("ImagePolicies", other, &policy.location));
    }
    let document = &policy.document;
    let named = repository_id(id, document);
    let tags_from = sources.of(documents, &named);
    for source in tags_from {
        match source {
            TagSource::Status => match document.status.image() {
                Ok(image) => return Ok(image),
                Err(Undefined::Absent) => {}
                Err(invalid) => return Err(invalid.into()),
            },
            TagSource::Snapshot | TagSource::Registry => {
                if document.spec.suspend {
                    return Err(Unresolved::Suspended("the policy"));
                }
                if document.spec.lacks_interval() {
                    return Err(Unresolved::NoInterval);
                }
                if let Some(image) = from_tags(documents, id, document, *source, tags)? {
                    return Ok(image);
                }
            }
        }
    }
    if is_suspended(documents, &named) {
        return Err(Unresolved::Suspended("its ImageRepository"));
    }
    if let Some(bad) = bad_pattern(&document.spec, tags.budget) {
        return Err(Unresolved::Nothing(bad));
    }
    let repository = repository_of(documents, id, document).ok();
    Err(Unresolved::NoTags {
        image: repository.map_or_else(
            || "its repository".to_owned(),
            |(_, repository)| repository.spec.image.clone(),
        ),
        tried: tried(tags_from),
    })
}

/// That `filterTags.pattern` is none, which needs no tags to be seen. Flux notices it with the
/// first tags that it has.
fn bad_pattern(spec: &ImagePolicySpec, budget: &mut Budget) -> Option<ChosenNothing> {
    let bad = spec.checked().ok()?.check_filter(budget).err()?;
    let is_wrong = matches!(&bad, ChosenNothing::BadPattern { source, .. } if source.fault != Fault::OverBudget);
    is_wrong.then_some(bad)
}

fn tried(tags_from: &[TagSource]) -> String {
    let one = |source: &TagSource| match source {
        TagSource::Status => "the policy has no status.latestRef",
        TagSource::Snapshot => "no TagSnapshot has it",
        TagSource::Registry => "its registry was not asked",
    };
    tags_from.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The ImageRepository that a policy names, if it lets the policy in.
///
/// # Errors
/// Where there is none, or it does not.
pub fn repository_of<'c>(
    documents: &'c Documents,
    id: &Id,
    policy: &ImagePolicy,
) -> Result<(Id, &'c ImageRepository), Unresolved> {
    let wanted = repository_id(id, policy);
    let Some(found) = documents.repositories.get(&wanted) else {
        let now = documents.renamed.repositories.get(&wanted).cloned();
        return Err(Unresolved::NoRepository { wanted, now });
    };
    if let Some(other) = &found.conflict {
        return Err(ambiguous("ImageRepositories", other, &found.location));
    }
    if wanted.namespace != id.namespace && !documents.lets_in(&wanted, &id.namespace) {
        return Err(Unresolved::AccessDenied(wanted, id.namespace.clone()));
    }
    Ok((wanted, &found.document))
}

fn ambiguous(kinds: &'static str, first: &Location, second: &Location) -> Unresolved {
    Unresolved::Ambiguous(Box::new(Twins {
        kinds,
        first: first.clone(),
        second: second.clone(),
    }))
}

/// The ImageRepository that a policy names.
#[must_use]
pub fn repository_id(id: &Id, policy: &ImagePolicy) -> Id {
    let reference = &policy.spec.image_repository_ref;
    let namespace = reference.namespace.as_deref().unwrap_or(&id.namespace);
    Id::new(namespace, reference.name.clone())
}

fn from_tags<'c>(
    documents: &'c Documents,
    id: &Id,
    policy: &ImagePolicy,
    source: TagSource,
    tags: &mut Tags<'c, '_>,
) -> Result<Option<ImageRef>, Unresolved> {
    let (repository_id, document) = repository_of(documents, id, policy)?;
    // Flux's order: the repository's name, then the policy, then the tags.
    let repository = Repository::parse(&document.spec.image)?;
    let checked = policy.spec.checked()?;
    let known = if source == TagSource::Snapshot {
        tags.book.written(&repository)
    } else {
        match tags.book.scanned(&repository_id) {
            None => None,
            Some(Ok(known)) => Some(known.as_ref()),
            Some(Err(failure)) => {
                if let Some(bad) = bad_pattern(&policy.spec, tags.budget) {
                    return Err(Unresolved::Nothing(bad));
                }
                let message = failure.message.clone();
                return Err(Unresolved::Unanswered(message, failure.blame));
            }
        }
    };
    let Some(known) = known else {
        return Ok(None);
    };
    let kept = tags.kept((&repository_id, document), source, known)?;
    let chosen = checked.select_within(&kept, tags.budget);
    let tag = chosen.map_err(|reason| match &reason {
        ChosenNothing::BadPattern { pattern, source } => {
            let of = || {
                format!("`filterTags` of ImagePolicy `{id}` (ImageRepository `{repository_id}`)")
            };
            over_budget(pattern, source, of).unwrap_or(Unresolved::Nothing(reason))
        }
        _ => Unresolved::Nothing(reason),
    })?;
    let image = ImageRef {
        name: document.spec.image.clone(),
        tag,
        digest: None,
    };
    if !oci_tags::image::is_tag(&image.tag) {
        return Err(Unresolved::Reference(image.to_string()));
    }
    let digests = Digests {
        known,
        book: tags.book,
        policy: id,
        repository: &repository_id,
    };
    digests.add(policy, image).map(Some)
}

/// Where digests are known.
struct Digests<'a> {
    known: &'a KnownTags,
    book: &'a TagBook,
    policy: &'a Id,
    repository: &'a Id,
}

impl Digests<'_> {
    /// The image with the digest that the policy reflects: the one of its status,
    /// or that of the manifests, or what a snapshot or the registry says, as
    /// `digestReflectionPolicy` has it.
    fn add(&self, document: &ImagePolicy, mut image: ImageRef) -> Result<ImageRef, Unresolved> {
        let spec = &document.spec;
        let word = || spec.digest_reflection_policy.clone().unwrap_or_default();
        let reflection = spec
            .reflection()
            .ok_or_else(|| Unresolved::Reflection(word()))?;
        let before = document.status.image().ok();
        let tag = &image.tag;
        match reflection.wanted(&image.name, tag, before.as_ref()) {
            WantedDigest::Known(digest) => {
                image.digest = digest;
                return Ok(image);
            }
            WantedDigest::Fetch => {}
        }
        let present = self.book.present(self.policy, tag);
        let present = present.filter(|_| reflection == DigestReflection::IfNotPresent);
        let known = present.or_else(|| self.known.digests.get(tag).map(String::as_str));
        if let Some(digest) = known {
            image.digest = Some(digest.to_owned());
            return Ok(image);
        }
        let missing = MissingDigest {
            image,
            repository: self.repository.clone(),
            failure: None,
        };
        Box::new(missing).asked(self.book)
    }
}
