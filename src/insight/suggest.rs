//! Policies for images that nobody updates: from the value that is there and the tags that
//! there are, documents that keep the variant, the prefix and the scheme of the tag.
//!
//! A suggestion is proved before it is made: the policy is run on the tags, and today's
//! value must be among what it accepts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::tag_scheme::{self, Core, PolicyScheme, SchemeOrder, TagScheme, Unsortable};
use crate::api::{Id, ImagePolicySpec, OrderChoice, PolicyChoice, SemverChoice, TagFilter};
use crate::binding::bindings::Bindings;
use crate::binding::image::{self, ImageFieldKind};
use crate::binding::marker::{split_digest, split_tag};
use crate::cluster::kustomization;
use crate::finding::Location;
use crate::policy::exclusion;
use crate::policy::funnel::{Fate, Funnel, Step, TracedTag};
use crate::resource_list::{self, Outline};
use go_regexp::Budget;
use masterminds_semver::Version;
use oci_tags::image::{Reference, Repository};
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::{ByteSpan, Style, tree};

/// So many tags are shown that a policy would choose.
const FIRST: usize = 5;

/// A value with an image, or with its tag, that belongs to no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub location: Location,
    /// Its bytes in the text.
    pub span: ByteSpan,
    /// The image, as it is written there, without tag.
    pub image: String,
    /// Its canonical name.
    pub canonical: String,
    /// The tag; empty where there is none.
    pub tag: String,
    /// Whether a digest pins it.
    pub is_pinned: bool,
    /// What the value holds.
    pub holds: ImageFieldKind,
    /// Whether it stands on a line, where a marker can be put behind it.
    pub is_on_a_line: bool,
}

/// The images of a text that belong to no policy, and that are not in a Secret or an
/// encrypted document.
#[must_use]
pub fn candidates(
    file: &str,
    text: &str,
    outline: &Outline<'_>,
    bindings: Option<&Bindings<'_, '_>>,
) -> Vec<Candidate> {
    let bound: BTreeSet<usize> = (bindings.into_iter())
        .flat_map(|bindings| &bindings.bound)
        .map(|bound| bound.value.span.start)
        .collect();
    let objects: BTreeMap<usize, _> = (outline.objects())
        .filter(|object| !object.kind.is_empty())
        .map(|object| (object.span.start, object))
        .collect();
    let starts = objects.keys().copied().collect();
    let found = tree::build_trees(text, &starts, |found: &mut Vec<Candidate>, start, root| {
        let Some(object) = objects.get(&start) else {
            return;
        };
        for field in image::fields_of(root, &[], &|_| true) {
            let Some(value) = field.node.scalar() else {
                continue;
            };
            let span = value.span;
            if bound.contains(&span.start) || outline.concealed.touches(span) {
                continue;
            }
            let Some(written) = field.node.text() else {
                continue;
            };
            let place = yaml_edit_spans::Place::of(text.as_bytes(), span.start);
            let location = object.location(file, place, field.path);
            let one = candidate(&written, &field.repository, field.holds, location, span);
            found.extend(one.map(|one| Candidate {
                is_on_a_line: is_on_a_line(value.scalar.style),
                ..one
            }));
        }
    });
    found.unwrap_or_default()
}

fn is_on_a_line(style: Style) -> bool {
    matches!(
        style,
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted
    )
}

fn candidate(
    written: &str,
    repository: &str,
    holds: ImageFieldKind,
    location: Location,
    span: ByteSpan,
) -> Option<Candidate> {
    let (image, tag, is_pinned) = match holds {
        ImageFieldKind::Image => {
            let reference = Reference::parse(written).ok()?;
            let name = split_tag(split_digest(written).0).0.to_owned();
            (
                name,
                reference.tag.unwrap_or_default(),
                reference.digest.is_some(),
            )
        }
        ImageFieldKind::Tag { is_pinned } => {
            let (tag, digest) = split_digest(written);
            (
                repository.to_owned(),
                tag.to_owned(),
                is_pinned || digest.is_some(),
            )
        }
        ImageFieldKind::Digest => return None,
    };
    Some(Candidate {
        location,
        span,
        image: image
            .strip_prefix("index.docker.io/")
            .map_or(image.clone(), |rest| format!("docker.io/{rest}")),
        canonical: repository.to_owned(),
        tag,
        is_pinned,
        holds,
        is_on_a_line: true,
    })
}

/// A policy for an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// The image, without tag.
    pub image: String,
    /// The tag that is there now.
    pub tag: String,
    /// Name of the ImageRepository and the ImagePolicy; empty where there is none.
    pub name: String,
    /// The ImageRepository that is there already, `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub policy: Option<ImagePolicySpec>,
    /// The first tags that it would choose, the latest first; none where no tags are known.
    pub chooses: Vec<String>,
    /// How many tags are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<usize>,
    /// Why there is no policy, or what to know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What would make one possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where it is, as `file:line:column`.
    pub at: Vec<String>,
    /// The values.
    #[serde(skip)]
    #[schemars(skip)]
    pub values: Vec<Candidate>,
}

/// What a build adds to tags of commits, so that they can be put in order.
const CI: &str = "have the build add a number that grows: `tags: ghcr.io/acme/app:main-${GITHUB_SHA::7}-${GITHUB_RUN_NUMBER}` (GitLab: `$CI_COMMIT_SHORT_SHA-$CI_PIPELINE_IID`), and compare it: pattern `^main-[0-9a-f]+-(?P<number>\\d+)$`, extract `$number`, `numerical: {order: asc}`";

/// Groups candidates by image and by how their tags are made.
#[must_use]
pub fn group(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: BTreeMap<(String, String), Vec<Candidate>> = BTreeMap::new();
    for one in candidates {
        let scheme = match PolicyScheme::of(&one.tag) {
            Ok(scheme) => format!("{scheme:?}"),
            Err(_) => one.tag.clone(),
        };
        groups
            .entry((one.canonical.clone(), scheme))
            .or_default()
            .push(one);
    }
    groups.into_values().collect()
}

/// What is known of an image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'k> {
    /// Its tags, where they are known.
    pub tags: Option<&'k [String]>,
    /// The ImageRepository that the policy may name.
    pub repository: Option<&'k Id>,
    /// The `exclusionList` of that.
    pub exclusions: &'k [String],
}

/// Names that are taken.
#[derive(Clone, Debug, Default)]
pub struct Names {
    policies: BTreeSet<String>,
    repositories: BTreeSet<String>,
}

impl Names {
    /// Those of documents that are there.
    #[must_use]
    pub fn new(mut policies: BTreeSet<String>, repositories: BTreeSet<String>) -> Self {
        // Files are named by policies, and this one is taken.
        policies.insert("kustomization".to_owned());
        Self {
            policies,
            repositories,
        }
    }

    /// Takes a name for a policy, and for an ImageRepository where one is made.
    fn take(&mut self, name: &str, with_repository: bool) -> bool {
        let is_taken =
            self.policies.contains(name) || (with_repository && self.repositories.contains(name));
        if !is_taken {
            self.policies.insert(name.to_owned());
            if with_repository {
                self.repositories.insert(name.to_owned());
            }
        }
        !is_taken
    }
}

/// The suggestions for values of one image whose tags are made alike: one, or more where no
/// policy takes all of them. The `names` of new documents are added.
#[must_use]
pub fn suggest(values: Vec<Candidate>, known: &Known<'_>, names: &mut Names) -> Vec<Suggestion> {
    let mut all = Vec::new();
    let mut left = values;
    while let Some(first) = left.first().cloned() {
        let own: BTreeSet<String> = left.iter().map(|one| one.tag.clone()).collect();
        let found = Proved::of(&first.tag, own, known);
        let is_taken = |one: &Candidate| match &found {
            Ok(proved) => proved.accepted.contains(&one.tag),
            Err(refused) if refused.is_of_scheme => {
                let is_listed = || known.tags.is_none_or(|tags| tags.contains(&one.tag));
                one.tag == first.tag || (is_alike(&one.tag, &first.tag) && is_listed())
            }
            Err(_) => one.tag == first.tag,
        };
        let (values, others) = left.into_iter().partition(is_taken);
        left = others;
        all.push(one_suggestion(&first, values, found, known, names));
    }
    all
}

/// Whether the same policies are tried for two tags.
fn is_alike(tag: &str, other: &str) -> bool {
    PolicyScheme::choices(tag) == PolicyScheme::choices(other)
}

fn one_suggestion(
    first: &Candidate,
    values: Vec<Candidate>,
    found: Result<Proved, Refused>,
    known: &Known<'_>,
    names: &mut Names,
) -> Suggestion {
    let repository = known.repository;
    let mut told = Suggestion {
        image: first.image.clone(),
        tag: first.tag.clone(),
        tags: known.tags.map(<[String]>::len),
        repository: repository.map(Id::to_string),
        at: values.iter().map(|one| one.location.to_string()).collect(),
        ..Suggestion::default()
    };
    match found {
        Ok(proved) => {
            let mut spec = proved.spec;
            if values.iter().any(|one| one.is_pinned) {
                spec.digest_reflection_policy = Some("IfNotPresent".to_owned());
            }
            told.chooses = proved.chooses;
            told.hint = proved.hint;
            told.name = name_of(first, repository.is_none(), names);
            spec.image_repository_ref.name = match repository {
                Some(id) => id.name.clone(),
                None => told.name.clone(),
            };
            spec.image_repository_ref.namespace = repository.map(|id| id.namespace.clone());
            told.policy = Some(spec);
        }
        Err(refused) => {
            told.why = Some(refused.why);
            told.hint = refused.hint;
        }
    }
    told.values = values;
    told
}

/// Why there is no policy.
struct Refused {
    why: String,
    hint: Option<String>,
    /// It holds for all tags that are made alike.
    is_of_scheme: bool,
}

impl Refused {
    fn new(why: String, hint: Option<String>) -> Self {
        Self {
            why,
            hint,
            is_of_scheme: false,
        }
    }
}

/// A policy that was run on the tags.
struct Proved {
    spec: ImagePolicySpec,
    chooses: Vec<String>,
    /// The tags that have a place in its order.
    accepted: BTreeSet<String>,
    hint: Option<String>,
}

/// Why a scheme does not fit a list of tags.
enum Misfit {
    /// Two tags are one to it.
    Collision(String, String),
    /// It leaves out tags that are made like today's.
    Drops(Box<Proved>),
    /// It does not accept today's tag.
    NotToday,
}

impl Proved {
    /// The first scheme by which no two tags collide, and that accepts today's.
    /// Where no tags are known, those of the values are all that there are.
    fn of(today: &str, own: BTreeSet<String>, known: &Known<'_>) -> Result<Self, Refused> {
        let choices = match PolicyScheme::choices(today) {
            Ok(choices) => choices,
            Err(why) => {
                let (why, hint) = not_sortable(why, today, known.tags);
                return Err(Refused::new(why, hint));
            }
        };
        listed(today, known)?;
        let all = match known.tags {
            Some(tags) => tags.iter().cloned().collect(),
            None => own,
        };
        let all: Vec<String> = all.into_iter().collect();
        let (mut collision, mut dropping) = (None, None);
        for scheme in &choices {
            match Self::by(scheme, today, &all, known)? {
                Ok(mut proved) => {
                    proved.hint = of_one_day(today);
                    return Ok(proved);
                }
                Err(Misfit::Collision(a, b)) => collision = collision.or(Some((a, b))),
                Err(Misfit::Drops(proved)) => dropping = dropping.or(Some(*proved)),
                Err(Misfit::NotToday) => {}
            }
        }
        match (dropping, collision) {
            (Some(proved), _) => Ok(proved),
            (None, Some((a, b))) => Err(collided(today, &a, &b)),
            (None, None) => {
                let why = format!("no policy was found that accepts `{today}`");
                Err(Refused::new(why, None))
            }
        }
    }

    fn by(
        scheme: &PolicyScheme,
        today: &str,
        all: &[String],
        known: &Known<'_>,
    ) -> Result<Result<Self, Misfit>, Refused> {
        let refused = |why: String| Refused::new(why, None);
        let spec = spec_of(scheme);
        let checked = spec.checked().map_err(|error| refused(error.to_string()))?;
        let funnel = Funnel::of(&checked, known.exclusions, all, &mut Budget::default());
        let funnel = funnel.map_err(|error| refused(error.to_string()))?;
        for one in funnel.ended_at(Step::Extract) {
            if let Fate::Collided { with } = &one.fate {
                return Ok(Err(Misfit::Collision(one.tag.clone(), with.clone())));
            }
        }
        if let Some((a, b)) = equals(&scheme.by, &funnel) {
            return Ok(Err(Misfit::Collision(a, b)));
        }
        let accepted: BTreeSet<String> = funnel.ranked().map(|one| one.tag.clone()).collect();
        if !accepted.contains(today) {
            return Ok(Err(Misfit::NotToday));
        }
        // Days and seconds among numbers that are far smaller.
        let is_numerical = scheme.by == SchemeOrder::Numerical;
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        let longest = accepted.iter().map(|tag| digits(tag)).max();
        let is_mixed = is_numerical && longest.unwrap_or_default() > digits(today) + 2;
        let has_drops = is_mixed || funnel.ended_at(Step::Value).next().is_some();
        let shown = known.tags.map_or(0, |_| FIRST);
        let chooses = funnel.ranked().take(shown);
        let proved = Self {
            spec,
            chooses: chooses.map(|one| one.tag.clone()).collect(),
            accepted,
            hint: None,
        };
        Ok(match has_drops {
            true if is_mixed => Err(Misfit::NotToday),
            true => Err(Misfit::Drops(Box::new(proved))),
            false => Ok(proved),
        })
    }
}

/// Two tags that are one to the order, though not to the pattern: `1.02.3` and `1.2.3`, or
/// numbers of which a float holds the first digits alone.
fn equals(by: &SchemeOrder, funnel: &Funnel) -> Option<(String, String)> {
    let value = |one: &TracedTag| one.value.clone().unwrap_or_else(|| one.tag.clone());
    let is_equal = |a: &str, b: &str| match by {
        SchemeOrder::Semver(_) => match (Version::parse_tag(a), Version::parse_tag(b)) {
            (Ok(a), Ok(b)) => a.precedence(&b).is_eq(),
            _ => false,
        },
        SchemeOrder::Numerical => {
            let number = |text: &str| text.parse::<f64>().ok();
            number(a).is_some() && number(a) == number(b)
        }
        SchemeOrder::Alphabetical => a == b,
    };
    let later = funnel.ranked().skip(1);
    let mut pairs = funnel.ranked().zip(later);
    let found = pairs.find(|(one, next)| is_equal(&value(one), &value(next)));
    found.map(|(one, next)| (one.tag.clone(), next.tag.clone()))
}

/// Refuses a tag that is not among those that are known, or is left out of them.
fn listed(today: &str, known: &Known<'_>) -> Result<(), Refused> {
    let Some(tags) = known.tags else {
        return Ok(());
    };
    if !tags.iter().any(|tag| tag == today) {
        let known = match tags.len() {
            1 => "the one tag that is known".to_owned(),
            count => format!("the {count} tags that are known"),
        };
        let why = format!("`{today}` is not among {known}");
        let hint = nearest(today, tags).map(|tag| format!("did you mean `{tag}`?"));
        return Err(Refused::new(why, hint));
    }
    let only = [today.to_owned()];
    let why = match exclusion::keep(known.exclusions, &only, &mut Budget::default()) {
        Ok(kept) if !kept.is_empty() => return Ok(()),
        Ok(_) => match known.repository {
            Some(id) => format!("`exclusionList` of ImageRepository `{id}` leaves out `{today}`"),
            None => format!("Flux leaves out tags like `{today}` (signatures)"),
        },
        Err(error) => error.to_string(),
    };
    Err(Refused::new(why, None))
}

/// The tag that differs the least in one place; none where more than half of it does.
fn nearest<'t>(today: &str, tags: &'t [String]) -> Option<&'t str> {
    let differs = |tag: &str| {
        let (a, b) = (today.as_bytes(), tag.as_bytes());
        let shorter = a.len().min(b.len());
        let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
        let head = a.iter().zip(b).take_while(same).count();
        let tail = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
        a.len().max(b.len()) - (head + tail).min(shorter)
    };
    let near = tags.iter().map(|tag| (differs(tag), tag.as_str()));
    let near = near.filter(|(differs, _)| *differs * 2 <= today.len());
    let later = |a: &(usize, &str), b: &(usize, &str)| super::lint::naturally(b.1, a.1);
    let found = near.min_by(|a, b| a.0.cmp(&b.0).then_with(|| later(a, b)));
    found.map(|(_, tag)| tag)
}

/// Whether a tag holds a commit's hash.
fn has_hash(scheme: &TagScheme<'_>) -> bool {
    let separators = ['-', '.', '_', '+'];
    let behind = scheme.suffix.split(separators);
    let mut pieces = scheme.prefix.split(separators).chain(behind);
    pieces.any(tag_scheme::is_hash)
}

/// Whether builds of commits are told apart by their day alone.
fn is_of_one_day(tag: &str) -> bool {
    let scheme = TagScheme::of(tag);
    let is_day = matches!(scheme.core, Core::Date(date) if date.len() <= 10);
    is_day && has_hash(&scheme)
}

fn of_one_day(tag: &str) -> Option<String> {
    is_of_one_day(tag).then(|| {
        format!(
            "two builds of one day could not be told apart, and Flux would take any of them: {CI}"
        )
    })
}

fn collided(today: &str, a: &str, b: &str) -> Refused {
    let (why, hint) = match is_of_one_day(today) {
        true => (
            format!(
                "not sortable: builds of one day cannot be told apart, such as `{a}` and `{b}`"
            ),
            Some(CI.to_owned()),
        ),
        false => (
            format!("not sortable: nothing that can be compared tells `{a}` and `{b}` apart"),
            has_hash(&TagScheme::of(today)).then(|| CI.to_owned()),
        ),
    };
    Refused {
        is_of_scheme: true,
        ..Refused::new(why, hint)
    }
}

fn not_sortable(why: Unsortable, tag: &str, tags: Option<&[String]>) -> (String, Option<String>) {
    let shown = if tag.is_empty() {
        "no tag, which is `latest`"
    } else {
        tag
    };
    let own = TagScheme::of(tag);
    let major = match own.core {
        Core::Number(number) if why == Unsortable::Major => Some(number),
        _ => None,
    };
    let variant = major.map_or_else(Vec::new, |_| own.variant());
    let fixed = tags.into_iter().flatten().filter(|tag| {
        let scheme = TagScheme::of(tag);
        let is_version = matches!(scheme.core, Core::Version(_));
        let is_of_major = major.is_none() || scheme.numbers().first().copied() == major;
        is_version && is_of_major && !scheme.is_prerelease() && scheme.variant() == variant
    });
    let latest = fixed.max_by(|a, b| super::lint::naturally(a, b));
    let hint = match (why, latest) {
        (Unsortable::Hash, _) => CI.to_owned(),
        (Unsortable::Major, Some(tag)) => {
            format!("pin a whole version of that variant first, such as `{tag}`, and ask again")
        }
        (Unsortable::Major, None) => {
            "pin a whole version of that variant first, and ask again".to_owned()
        }
        (Unsortable::Word, Some(tag)) => {
            format!("pin a version first, such as `{tag}`, and ask again")
        }
        (Unsortable::Word, None) => "pin a version first, and ask again".to_owned(),
    };
    (format!("not sortable ({shown}): {why}"), Some(hint))
}

fn spec_of(scheme: &PolicyScheme) -> ImagePolicySpec {
    let order = || OrderChoice {
        order: "asc".to_owned(),
    };
    let policy = match &scheme.by {
        SchemeOrder::Semver(range) => PolicyChoice {
            semver: Some(SemverChoice {
                range: range.clone(),
            }),
            ..PolicyChoice::default()
        },
        SchemeOrder::Numerical => PolicyChoice {
            numerical: Some(order()),
            ..PolicyChoice::default()
        },
        SchemeOrder::Alphabetical => PolicyChoice {
            alphabetical: Some(order()),
            ..PolicyChoice::default()
        },
    };
    ImagePolicySpec {
        policy,
        filter_tags: Some(TagFilter {
            pattern: scheme.pattern.clone(),
            extract: scheme.extract.clone().unwrap_or_default(),
        }),
        ..ImagePolicySpec::default()
    }
}

/// A name for the documents of an image: the last part of its path, with more of it where
/// that is taken.
fn name_of(one: &Candidate, with_repository: bool, names: &mut Names) -> String {
    let path = one.canonical.split('/').skip(1).collect::<Vec<_>>();
    let plain = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let kept = lower
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        let kept: String = kept.take(50).collect();
        kept.trim_matches('-').to_owned()
    };
    for parts in 1..=path.len() {
        let name = plain(&path[path.len() - parts..].join("-"));
        if !name.is_empty() && names.take(&name, with_repository) {
            return name;
        }
    }
    let base = plain(path.last().copied().unwrap_or("image"));
    let base = if base.is_empty() {
        "image".to_owned()
    } else {
        base
    };
    let mut numbered = (2..).map(|number: u32| format!("{base}-{number}"));
    let free = numbered.find(|name| names.take(name, with_repository));
    free.unwrap_or(base)
}

impl Suggestion {
    /// The documents, in YAML; empty where there are none.
    #[must_use]
    pub fn documents(&self, namespace: &str) -> String {
        let Some(spec) = &self.policy else {
            return String::new();
        };
        let metadata = serde_json::json!({"name": self.name, "namespace": namespace});
        let mut out = String::new();
        if self.repository.is_none() {
            out.push_str(&yaml_edit_spans::emit::document(&serde_json::json!({
                "apiVersion": "image.toolkit.fluxcd.io/v1",
                "kind": "ImageRepository",
                "metadata": metadata,
                "spec": {"image": self.image, "interval": "1h"},
            })));
            out.push_str("---\n");
        }
        let mut spec = spec.clone();
        let reference = &mut spec.image_repository_ref;
        if reference.namespace.as_deref() == Some(namespace) {
            reference.namespace = None;
        }
        out.push_str(&yaml_edit_spans::emit::document(&serde_json::json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImagePolicy",
            "metadata": metadata,
            "spec": spec,
        })));
        out
    }
}

/// A value that gets no marker, and why.
pub type Unmarked = (Location, &'static str);

/// The edits that mark values of a text with their policies; and those that cannot be
/// marked.
#[must_use]
pub fn markers(text: &str, values: &[(&Candidate, String)]) -> (Vec<Edit>, Vec<Unmarked>) {
    let (mut edits, mut left) = (Vec::new(), Vec::new());
    for (one, policy) in values {
        match marker(text, one, policy) {
            Ok(edit) => edits.push(edit),
            Err(why) => left.push((one.location.clone(), why)),
        }
    }
    let is_read = |edits: &[Edit]| {
        let patched = Patched::new(text, edits.to_vec()).ok()?.to_string();
        let outline = resource_list::read(&patched).ok()?;
        let marked = outline.documents.iter().map(|one| one.marked.len());
        Some(marked.sum::<usize>())
    };
    let before = is_read(&[]);
    // All of them are read as markers of a value each, or none is written.
    if is_read(&edits) != before.map(|count| count + edits.len()) {
        let why = "a marker there would not be read";
        left.extend(values.iter().map(|(one, _)| (one.location.clone(), why)));
        edits.clear();
    }
    (edits, left)
}

fn marker(text: &str, one: &Candidate, policy: &str) -> Result<Edit, &'static str> {
    let part = match one.holds {
        ImageFieldKind::Image => "",
        ImageFieldKind::Tag { is_pinned: true } => return Err("a digest beside it pins it"),
        ImageFieldKind::Tag { .. } | ImageFieldKind::Digest => ":tag",
    };
    let rest = &text[one.span.end..];
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    if !rest[..end].trim().is_empty() {
        return Err("there is something else behind it on its line");
    }
    if !one.is_on_a_line || text[one.span.start..one.span.end].contains('\n') {
        return Err("it does not stand on one line");
    }
    let at = one.span.end;
    Ok(Edit {
        span: ByteSpan::new(at, at + end),
        text: format!(" # {{\"$imagepolicy\": \"{policy}{part}\"}}"),
    })
}

/// The edits that add files to `resources` of a kustomization; `None` where its list cannot
/// be found in block style. What the edits make is read again: it holds what was there, and
/// the new files, and nothing else.
#[must_use]
pub fn resources(text: &str, names: &[String]) -> Option<Vec<Edit>> {
    let before = sole_document(text)?;
    let list = |fields: &Map<String, Value>| match fields.get("resources") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => Some(list.clone()),
        Some(_) => None,
    };
    let known = list(&before)?;
    let is_known = |name: &&String| {
        let mut known = known.iter().filter_map(Value::as_str);
        known.any(|one| one.trim_start_matches("./") == name.as_str())
    };
    let new: Vec<&String> = names.iter().filter(|name| !is_known(name)).collect();
    let edits = added(text, &new)?;
    let patched = Patched::new(text, edits.clone()).ok()?.to_string();
    let after = sole_document(&patched)?;
    let wanted = new.iter().map(|name| Value::String((*name).clone()));
    let wanted: Vec<Value> = known.iter().cloned().chain(wanted).collect();
    let without = |mut fields: Map<String, Value>| {
        fields.remove("resources");
        fields
    };
    let is_as_wanted = list(&after)? == wanted && without(before) == without(after);
    is_as_wanted.then_some(edits)
}

/// The fields of the one document of a text, in block style and without aliases.
fn sole_document(text: &str) -> Option<Map<String, Value>> {
    let outline = resource_list::read(text).ok()?;
    let is_one = matches!(outline.documents.len(), 0 | 1);
    // What may follow the end of a document is none of it.
    let has_end = text.lines().any(|line| line.trim_end() == "...");
    let is_json = text.trim_start().starts_with('{');
    let mut documents = kustomization::documents(text).ok()?.into_iter();
    match documents.next().unwrap_or_default() {
        Value::Object(fields) if is_one && !has_end && !is_json => Some(fields),
        Value::Null if is_one && !has_end => Some(Map::new()),
        _ => None,
    }
}

fn added(text: &str, new: &[&String]) -> Option<Vec<Edit>> {
    if new.is_empty() {
        return Some(Vec::new());
    }
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let insert = |at: usize, text: String| {
        Some(vec![Edit {
            span: ByteSpan::new(at, at),
            text,
        }])
    };
    let mut at = 0;
    let mut list: Option<(usize, String)> = None;
    let mut is_in = false;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        at += line.len();
        if let Some(behind) = body.strip_prefix("resources:") {
            let behind = behind.trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                return None;
            }
            is_in = true;
            list = Some((at, String::new()));
        } else if is_in && body.trim_start().starts_with("- ") {
            let indent = &body[..body.len() - body.trim_start().len()];
            list = Some((at, indent.to_owned()));
        } else if is_in && !body.is_empty() && !body.trim_start().starts_with('#') {
            is_in = false;
        }
    }
    let mut added = String::new();
    let (at, indent) = match list {
        Some((at, indent)) => (at, indent),
        None => {
            added.push_str("resources:");
            added.push_str(line_break);
            (text.len(), "  ".to_owned())
        }
    };
    if at > 0 && !text[..at].ends_with('\n') {
        added.insert_str(0, line_break);
    }
    for name in new {
        added.push_str(&format!("{indent}- {name}{line_break}"));
    }
    insert(at, added)
}

/// The image that a user names: with the tag, where one is written.
///
/// # Errors
/// What is no image.
pub fn named(image: &str) -> Result<Candidate, oci_tags::image::NameError> {
    let reference = Reference::parse(image)?;
    let name = split_tag(split_digest(image).0).0;
    Ok(Candidate {
        location: Location::default(),
        span: ByteSpan::new(0, 0),
        image: name.to_owned(),
        canonical: Repository::parse(name)?.canonical(),
        tag: reference.tag.unwrap_or_default(),
        is_pinned: reference.digest.is_some(),
        holds: ImageFieldKind::Image,
        is_on_a_line: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(value: Candidate, tags: Option<&[String]>) -> Suggestion {
        let known = Known {
            tags,
            ..Known::default()
        };
        let mut all = suggest(vec![value], &known, &mut Names::default());
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// The images of the first seed, with how their tags go on, and what would be a trap.
    #[test]
    fn the_images_of_a_home_are_kept_to_their_schemes() {
        for (image, next, trap) in [
            ("ollama/ollama:0.14.2", "0.14.3", "0.15.0-rc1"),
            (
                "ghcr.io/open-webui/open-webui:v0.7.2",
                "v0.8.0",
                "v0.8.0-cuda",
            ),
            (
                "ghcr.io/home-assistant/home-assistant:2026.1.2",
                "2027.1.0",
                "2026.2.0b3",
            ),
            ("n8nio/n8n:2.5.0", "2.6.0", "2.6.0-exp.0"),
            ("docker.io/apache/tika:3.2.3.0", "3.2.3.1", "3.2.3.0-full"),
            ("busybox:1.37", "1.38", "1.38-musl"),
            (
                "ghcr.io/immich-app/immich-machine-learning:v2.4.1-cuda",
                "v2.5.0-cuda",
                "v2.5.0",
            ),
            (
                "ghcr.io/hotio/radarr:release-6.0.4.10291",
                "release-6.0.10.10300",
                "testing-6.1.0.1",
            ),
            (
                "ghcr.io/hotio/bazarr:release-1.5.4",
                "release-1.5.10",
                "nightly-9.9.9",
            ),
            (
                "minio/minio:RELEASE.2025-09-07T16-13-09Z",
                "RELEASE.2025-10-01T00-00-00Z",
                "RELEASE.2025-10-02T00-00-00Z-cpuv1",
            ),
            (
                "corentinth/it-tools:v2024.10.22-7ca5933",
                "v2025.1.2-0a1b2c3",
                "nightly-2025.1.2",
            ),
        ] {
            let value = named(image).expect("an image");
            let tags = [value.tag.clone(), next.to_owned(), trap.to_owned()];
            let told = told_of(value, Some(&tags));
            assert_eq!(told.why, None, "{image}");
            assert_eq!(
                told.chooses.first().map(String::as_str),
                Some(next),
                "{image}"
            );
            assert!(!told.chooses.contains(&trap.to_owned()), "{image}");
        }
        let told = told_of(
            named("ghcr.io/gabe565/obico/web:release").expect("an image"),
            None,
        );
        assert!(told.why.expect("why").starts_with("not sortable"));
        let told = told_of(named("ghcr.io/acme/app:8f2c1d9").expect("an image"), None);
        assert!(told.hint.expect("a hint").contains("RUN_NUMBER"));
    }

    /// Images with all tags: what is chosen, in which order; or why nothing is.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn no_tag_collides_and_the_order_is_that_of_the_builds() {
        for (today, others, expected) in [
            (
                "7.2.4-debian-12-r5",
                &[
                    "7.2.4-debian-12-r10",
                    "7.2.4-debian-12-r9",
                    "8.0.0-debian-12-r0",
                ][..],
                Ok(&[
                    "7.2.4-debian-12-r10",
                    "7.2.4-debian-12-r9",
                    "7.2.4-debian-12-r5",
                ][..]),
            ),
            (
                "4.0.1-ls299",
                &["4.0.1-ls300", "4.0.2-ls301", "5.0.0-ls302"],
                Ok(&["4.0.2-ls301", "4.0.1-ls300", "4.0.1-ls299"]),
            ),
            (
                "1.27.3-alpine3.19",
                &[
                    "1.27.3-alpine3.20",
                    "1.27.4-alpine3.19",
                    "1.27.4-alpine3.20",
                ],
                Ok(&["1.27.4-alpine3.19", "1.27.3-alpine3.19"]),
            ),
            (
                "v1.27.3-k3s1",
                &["v1.27.3-k3s2"],
                Ok(&["v1.27.3-k3s2", "v1.27.3-k3s1"]),
            ),
            (
                "6.0.4.10291",
                &["6.1.0.10300", "7.0.0.1"],
                Ok(&["6.1.0.10300", "6.0.4.10291"]),
            ),
            (
                "14-vectorchord0.4.3",
                &[
                    "14-vectorchord0.4.10",
                    "15-vectorchord0.4.10",
                    "16-vectorchord0.5.0",
                ],
                Ok(&["14-vectorchord0.4.10", "14-vectorchord0.4.3"]),
            ),
            ("20-alpine", &["22-alpine"], Err("a major version")),
            ("8-jdk17", &["8-jdk21"], Err("a major version")),
            ("15-3.4", &["15-3.5", "16-3.5"], Ok(&["15-3.5", "15-3.4"])),
            ("8", &["9", "20240101", "1700000000"], Ok(&["9", "8"])),
            ("build-8", &["build-10", "build-20240101"], Ok(&["build-8"])),
            (
                "20241124.1",
                &["20241124.10", "20241124.9", "20250101.1"],
                Ok(&["20250101.1", "20241124.10", "20241124.9", "20241124.1"]),
            ),
            (
                "2024-11-24-2",
                &["2024-11-24-10", "2025-01-01-1"],
                Ok(&["2025-01-01-1", "2024-11-24-10", "2024-11-24-2"]),
            ),
            (
                "main-20241124-abc1234",
                &["main-20241124-0000abc"],
                Err("builds of one day cannot be told apart"),
            ),
            (
                "v0.0.0-20240101120000-abcdef123456",
                &["v0.0.0-20240201120000-0bcdef123456"],
                Ok(&[
                    "v0.0.0-20240201120000-0bcdef123456",
                    "v0.0.0-20240101120000-abcdef123456",
                ]),
            ),
            (
                "1.2.3-beta9",
                &[
                    "1.2.3-beta10",
                    "1.2.3-alpha11",
                    "1.2.3-beta10-alpine",
                    "1.2.2",
                    "2.0.0-beta1",
                ],
                Ok(&["1.2.3-beta10", "1.2.3-beta9", "1.2.2"]),
            ),
            (
                "1.2.3-rc.1",
                &["1.2.3-rc.10", "1.2.3", "1.2.4-dev.1", "1.2.3-rc.10-alpine"],
                Ok(&["1.2.3", "1.2.3-rc.10", "1.2.3-rc.1"]),
            ),
            (
                "2026.2.0b9",
                &["2026.2.0b10"],
                Ok(&["2026.2.0b10", "2026.2.0b9"]),
            ),
            (
                "1.2.3-rc.1-alpine",
                &["1.2.3-rc.10-alpine", "1.2.3-rc.11"],
                Ok(&["1.2.3-rc.10-alpine", "1.2.3-rc.1-alpine"]),
            ),
            (
                "1.2.3-20241124.2",
                &["1.2.3-20241124.10", "1.2.3-20241125.1"],
                Ok(&["1.2.3-20241125.1", "1.2.3-20241124.10", "1.2.3-20241124.2"]),
            ),
            (
                "v1.2.3-0.20240101120000-abcdef123456",
                &["v1.2.3-0.20240201120000-0bcdef123456"],
                Ok(&[
                    "v1.2.3-0.20240201120000-0bcdef123456",
                    "v1.2.3-0.20240101120000-abcdef123456",
                ]),
            ),
            (
                "1.2.3-20241124.103000",
                &["1.2.3-20241125.093000", "1.2.3-20241124.113000"],
                Ok(&[
                    "1.2.3-20241125.093000",
                    "1.2.3-20241124.113000",
                    "1.2.3-20241124.103000",
                ]),
            ),
            (
                "20241124.1030",
                &["20241125.0930", "20241124.1130"],
                Ok(&["20241125.0930", "20241124.1130", "20241124.1030"]),
            ),
            (
                "3.2.1-node18.19",
                &["3.2.1-node20.1", "3.2.2-node18.19"],
                Ok(&["3.2.2-node18.19", "3.2.1-node18.19"]),
            ),
            (
                "24.04",
                &["24.4"],
                Err("nothing that can be compared tells"),
            ),
            ("1.2.3-r10", &["1.3.0-r01"], Ok(&["1.3.0-r01", "1.2.3-r10"])),
            (
                "90071992547409920",
                &["90071992547409921"],
                Ok(&["90071992547409921", "90071992547409920"]),
            ),
            ("24.04", &["24.10", "22.04"], Ok(&["24.10", "24.04"])),
            (
                "v2024.10.22-7ca5933",
                &["v2024.10.22-0a1b2c3"],
                Err("nothing that can be compared tells"),
            ),
        ] {
            let value = named(&format!("ghcr.io/acme/app:{today}")).expect("an image");
            let mut tags: Vec<String> = others.iter().map(|tag| (*tag).to_owned()).collect();
            tags.push(today.to_owned());
            let told = told_of(value, Some(&tags));
            match expected {
                Ok(order) => {
                    assert_eq!(told.why, None, "{today}");
                    assert_eq!(told.chooses, order, "{today}: {:?}", told.policy);
                }
                Err(why) => {
                    assert!(
                        told.why.as_deref().unwrap_or_default().contains(why),
                        "{told:?}"
                    );
                    assert!(told.policy.is_none() && told.documents("x").is_empty());
                }
            }
        }
    }

    #[test]
    fn a_tag_that_is_not_there_gets_no_policy_but_a_hint() {
        let of = |today: &str, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            told_of(
                named(&format!("ghcr.io/acme/app:{today}")).expect("an image"),
                Some(&tags),
            )
        };
        let told = of("1.2.33", &["1.2.3", "1.2.4", "v2"]);
        assert!(told.policy.is_none());
        assert_eq!(
            told.why.as_deref(),
            Some("`1.2.33` is not among the 3 tags that are known")
        );
        assert_eq!(told.hint.as_deref(), Some("did you mean `1.2.3`?"));
        let told = of(
            "20-alpine",
            &["20-alpine", "20.1.2-alpine", "20.1.3", "22.1.0-alpine"],
        );
        let hint = told.hint.unwrap_or_default();
        assert!(hint.contains("`20.1.2-alpine`"), "{hint}");
        // What may be the case tomorrow is said today.
        let told = of(
            "20241124-abc1234",
            &["20241124-abc1234", "20241125-0bc1234"],
        );
        assert_eq!(told.chooses, ["20241125-0bc1234", "20241124-abc1234"]);
        let hint = told.hint.unwrap_or_default();
        assert!(
            hint.contains("two builds of one day") && hint.contains("RUN_NUMBER"),
            "{hint}"
        );
        let told = of("1.2.3", &["completely-different"]);
        assert_eq!((told.policy, told.hint), (None, None));
    }

    /// Values of one image that no one policy takes.
    #[test]
    fn one_policy_for_all_values_or_several() {
        let values = |tags: &[&str]| -> Vec<Candidate> {
            let image = |tag: &&str| named(&format!("ghcr.io/acme/app:{tag}")).expect("an image");
            tags.iter().map(image).collect()
        };
        let counts = |values: Vec<Candidate>, tags: Option<&[String]>| -> Vec<(usize, bool)> {
            let known = Known {
                tags,
                ..Known::default()
            };
            let all = suggest(values, &known, &mut Names::default());
            all.iter()
                .map(|told| (told.values.len(), told.policy.is_some()))
                .collect()
        };
        let all = values(&["1.2.3", "1.2.4", "1.2.5"]);
        assert_eq!(counts(all.clone(), None), [(3, true)]);
        let tags = ["1.2.3".to_owned(), "1.2.5".to_owned()];
        assert_eq!(counts(all, Some(&tags)), [(2, true), (1, false)]);
        let days = ["20241124-abc1234", "20241124-0bc1234", "20241125-0bc1234"];
        assert_eq!(counts(values(&days), None), [(3, false)]);
    }

    /// What the ImageRepository leaves out is not chosen, and gets no policy.
    #[test]
    fn exclusions_count_in_the_proof() {
        let tags = ["1.2.3", "1.2.4", "1.2.5"].map(str::to_owned);
        let exclusions = ["^1\\.2\\.5$".to_owned()];
        let id = Id::new("flux-system", "app");
        let known = Known {
            tags: Some(&tags),
            repository: Some(&id),
            exclusions: &exclusions,
        };
        let value = |tag: &str| vec![named(&format!("a.example/app:{tag}")).expect("an image")];
        let told = suggest(value("1.2.3"), &known, &mut Names::default());
        assert_eq!(told[0].chooses, ["1.2.4", "1.2.3"]);
        let told = suggest(value("1.2.5"), &known, &mut Names::default());
        let why = told[0].why.as_deref().unwrap_or_default();
        assert!(
            why.starts_with("`exclusionList` of ImageRepository `flux-system:app`"),
            "{why}"
        );
    }

    #[test]
    fn names_are_told_apart() {
        let mut names = Names::default();
        let mut name = |image: &str| name_of(&named(image).expect("an image"), true, &mut names);
        assert_eq!(name("ghcr.io/acme/app:1"), "app");
        assert_eq!(name("ghcr.io/other/app:1"), "other-app");
        assert_eq!(name("ghcr.io/acme/app:2"), "acme-app");
        assert_eq!(name("ghcr.io/acme/app:3"), "app-2");
        assert_eq!(name("ghcr.io/acme/my_app:1.0"), "my-app");
        // Of files, one has a meaning of its own; of documents, two have one name.
        let mut names = Names::new(BTreeSet::new(), BTreeSet::from(["web".to_owned()]));
        let mut name = |image: &str, with_repository| {
            name_of(
                &named(image).expect("an image"),
                with_repository,
                &mut names,
            )
        };
        assert_eq!(
            name("ghcr.io/acme/kustomization:1", true),
            "acme-kustomization"
        );
        assert_eq!(name("ghcr.io/acme/web:1", true), "acme-web");
        assert_eq!(name("ghcr.io/acme/web:1", false), "web");
    }

    #[test]
    fn files_are_added_to_the_list_of_a_kustomization() {
        let names = ["a.yaml".to_owned(), "b.yaml".to_owned()];
        for (text, expected) in [
            (
                "resources:\n  - a.yaml # one\n\nnamespace: x\n",
                "resources:\n  - a.yaml # one\n  - b.yaml\n\nnamespace: x\n",
            ),
            (
                "resources:\r\n- c.yaml\r\n",
                "resources:\r\n- c.yaml\r\n- a.yaml\r\n- b.yaml\r\n",
            ),
            (
                "namespace: x",
                "namespace: x\nresources:\n  - a.yaml\n  - b.yaml\n",
            ),
            (
                "resources:\n- ./a.yaml\n- b.yaml\n",
                "resources:\n- ./a.yaml\n- b.yaml\n",
            ),
        ] {
            let edits = resources(text, &names).expect("a list");
            let patched = Patched::new(text, edits).expect("edits").to_string();
            assert_eq!(patched, expected);
        }
        for text in [
            "resources: [a.yaml]\n",
            "{\"resources\": [\"c.yaml\"]}\n",
            "{}\n",
            "{\n\"namespace\": \"x\"\n}\n",
            "namespace: x\n...\n",
            "resources:\n- c.yaml\n...\n",
            "namespace: x\n---\nnamespace: y\n",
            "resources: &all\n- c.yaml\n",
            "\"resources\":\n- c.yaml\n",
            "resources :\n- c.yaml\n",
            "resources:\n- c.yaml\nresources:\n- d.yaml\n",
            "- c.yaml\n",
            "resources:\n- |\n  c.yaml\n",
            "a: [\n",
        ] {
            assert_eq!(resources(text, &names), None, "{text}");
        }
    }
}
