//! Why a policy chooses what it chooses, where that goes, and what holds it back.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::RunFacts;
use super::uses::{Carrier, Use};
use crate::api::{Id, ImagePolicySpec};
use crate::binding::marker::{ImagePart, split_digest, split_tag};
use crate::documents::{Documents, Sourced};
use crate::policy::exclusion::{self, BadExclusion};
use crate::policy::funnel::{Fate, Funnel, Step, TracedTag};
use crate::policy::{Choice, ChosenNothing, Policy};
use crate::selection::resolve::{self, Unresolved};
use crate::selection::tags::{KnownTags, TagBook};
use go_regexp::{Budget, Regex};
use masterminds_semver::{Constraint, Refusal, Version};
use oci_tags::image::{Repository, is_tag, without_login};

/// So many tags are shown of each step and of the order.
pub const SAMPLES: usize = 5;

/// Why a policy chooses what it chooses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The cluster that sees the policy, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `namespace:name`.
    pub policy: String,
    /// Where it stands, as `file:line:column`.
    pub at: String,
    /// Its ImageRepository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<ExplainedRepository>,
    /// How it chooses.
    pub rule: Rule,
    /// Where its tags come from.
    pub tags_from: TagsFrom,
    /// What became of the tags, step by step; empty where none are known.
    pub steps: Vec<StepCount>,
    /// Names in the list that are no tags. Flux chooses one like any other, and fails then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malformed: Vec<String>,
    /// How many tags have a place in the order.
    pub ranked: usize,
    /// The latest of them, the chosen one first.
    pub order: Vec<Sample>,
    /// The image that it gives, `name:tag[@digest]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Why it gives none, or keeps the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The values that belong to it.
    pub uses: Vec<ExplainedUse>,
    /// What `--tag` asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<ExplainedTag>,
    /// Its document cannot be read, so that nobody knows how it chooses.
    #[serde(skip)]
    pub is_unreadable: bool,
}

/// The ImageRepository of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedRepository {
    /// `namespace:name`.
    pub name: String,
    /// `spec.image`.
    pub image: String,
    /// Where it stands, as `file:line:column`.
    pub at: String,
    /// Flux does not list its tags, and its policies go on with those of the last scan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_suspended: bool,
}

/// How a policy chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `semver`, `alphabetical` or `numerical`; empty where there is none of them.
    pub kind: String,
    /// `semver.range`, or the order.
    pub by: String,
    /// `filterTags.pattern`, empty where absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pattern: String,
    /// `filterTags.extract`, empty where absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extract: String,
}

/// Where the tags of a policy come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagsFrom {
    /// `given` (`--tags`), `registry` (or a list of it that was kept), `snapshot`, or
    /// `nowhere`, where none are known.
    pub source: String,
    /// When they were seen (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<String>,
    /// How many there are.
    pub count: usize,
}

/// The tags whose way ends at one step for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepCount {
    /// `exclusion`, `pattern`, `extract`, `value`, `range`; `untried` where the policy or its
    /// ImageRepository is not valid.
    pub step: String,
    /// Why, to follow "n tags".
    pub why: String,
    /// How many.
    pub count: usize,
    /// The first of them, bytewise descending.
    pub samples: Vec<Sample>,
}

/// A tag, and what is compared of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The tag.
    pub tag: String,
    /// What is compared of it, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A value that belongs to the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedUse {
    /// Where it is, as `file:line:column`.
    pub at: String,
    /// The field.
    pub field: String,
    /// What it holds; `****` in a Secret and in an encrypted document.
    pub current: String,
    /// The place of its tag in the order, from 1; `None` where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// Why its tag has no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// What it would get, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The automation that comes to it, `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation: Option<String>,
    /// The branch that the change would go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The message that the commit would have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why nobody comes to it, or nothing is written there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<String>,
}

/// What becomes of one tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedTag {
    /// The tag.
    pub tag: String,
    /// Whether it is among the known tags.
    pub is_listed: bool,
    /// The first step that lets it out, `order` where none does; `untried` where the policy
    /// or its ImageRepository is not valid.
    pub step: String,
    /// What happens there.
    pub why: String,
    /// What would let it in, or to the next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_in: Option<String>,
    /// What lets it out then, where a later step does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where it stands, or would stand if it were let in, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
}

/// The commit that an automation would make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitFacts {
    /// The branch that it goes to, where something says so.
    pub branch: Option<String>,
    /// Its message, where its template gives one.
    pub message: Option<String>,
    /// Why Flux could not make it, or not push it.
    pub faults: Vec<String>,
}

/// What the user gave with `--tags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenTags<'k> {
    /// Nothing.
    Nothing,
    /// A list of tags.
    List,
    /// A TagSnapshot, by the name of its file.
    Snapshot(&'k str),
}

/// What is known of the run that a policy is of.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// The run.
    pub run: RunFacts<'k>,
    /// The commits of the automations, by their numbers.
    pub commits: &'k BTreeMap<usize, CommitFacts>,
    /// What the user gave with `--tags`.
    pub given: GivenTags<'k>,
}

/// Explains a policy. `tag` is one that somebody asks for.
#[must_use]
pub fn explain(id: &Id, known: &Known<'_>, tag: Option<&str>) -> Explanation {
    let mut told = Explanation {
        cluster: known.run.cluster.map(str::to_owned),
        policy: id.to_string(),
        ..Explanation::default()
    };
    if let Some(resolved) = known.run.images.get(id) {
        told.at = resolved.location.to_string();
        told.image = resolved.image.as_ref().ok().map(ToString::to_string);
        if let Some(reason) = resolved.reason() {
            told.reason = Some(reason.explained());
            told.hint = hint(reason, known.given);
        }
    }
    let policy = known.run.documents.policies.get(id);
    told.is_unreadable = policy.is_none();
    let (tags, traced) = match policy {
        Some(policy) => traced(id, policy, known, &mut told),
        None => (None, None),
    };
    told.tag = tag.map(|tag| match &traced {
        Some(traced) => asked(tag, traced, tags.is_some()),
        None => untried(tag, tags, &told),
    });
    // Where no tags are known, nothing is said of those of values.
    let traced = traced.filter(|_| tags.is_some());
    let uses = known.run.uses.iter().filter(|one| one.policy == *id);
    told.uses = uses
        .map(|one| explained_use(one, known, &told, traced.as_ref()))
        .collect();
    told
}

/// What to do about a reason, where `--tags` keeps registries from being asked.
fn hint(reason: &Unresolved, given: GivenTags<'_>) -> Option<String> {
    let hint = match reason {
        _ if given == GivenTags::Nothing => return reason.hint(),
        Unresolved::NoTags { .. } => "`--tags` takes a TagSnapshot: give it with this repository",
        Unresolved::NoDigest(missing) if missing.failure.is_none() => {
            "`--tags` takes a TagSnapshot: give it with the digest of this tag in `digests`"
        }
        _ => return reason.hint(),
    };
    Some(hint.to_owned())
}

/// A policy and what became of its tags.
pub(super) struct Traced {
    policy: Policy,
    exclusions: Vec<String>,
    listed: Vec<String>,
    funnel: Funnel,
}

impl Traced {
    /// Sends tags through an `exclusionList` and a policy.
    ///
    /// # Errors
    /// An exclusion that is no pattern.
    pub(super) fn new(
        policy: Policy,
        exclusions: &[String],
        tags: &[String],
        budget: &mut Budget,
    ) -> Result<Self, BadExclusion> {
        let funnel = Funnel::of(&policy, exclusions, tags, budget)?;
        Ok(Self {
            policy,
            exclusions: exclusions.to_vec(),
            listed: tags.to_vec(),
            funnel,
        })
    }

    /// The tag that is chosen, or why none.
    pub(super) fn chosen(&self) -> Result<&String, &ChosenNothing> {
        self.funnel.chosen.as_ref()
    }

    /// Why a tag's way ends, to follow it; the same for tags of one reason.
    fn reason(&self, fate: &Fate) -> String {
        match fate {
            Fate::Excluded { pattern } if self.exclusions.is_empty() => {
                format!("excluded by `{pattern}` (the default of `exclusionList`)")
            }
            Fate::Excluded { pattern } => format!("excluded by `{pattern}`"),
            Fate::Untried => "not tried: `filterTags.pattern` is not valid".to_owned(),
            Fate::Unmatched => "not matched by `filterTags.pattern`".to_owned(),
            Fate::Collided { .. } => {
                "left out, since another tag has the same value, and counts".to_owned()
            }
            Fate::NoVersion { why } => format!("no version: it {why}"),
            Fate::NoNumber => "no number, which fails the whole policy".to_owned(),
            Fate::OutOfRange {
                is_prerelease: true,
                ..
            } => "a prerelease, which the range does not admit".to_owned(),
            Fate::OutOfRange { clauses, .. } => {
                let clauses: Vec<String> = clauses.iter().map(|one| format!("`{one}`")).collect();
                format!("out of the range: {}", clauses.join(" and "))
            }
            Fate::Ranked { place } => format!("number {} in the order", place + 1),
        }
    }

    /// The same of one tag, with the name of the tag that counts in its place.
    fn reason_of_one(&self, fate: &Fate) -> String {
        match fate {
            Fate::Collided { with } => {
                format!("left out, since `{with}` has the same value, and counts")
            }
            fate => self.reason(fate),
        }
    }

    /// What becomes of a tag, as if it were listed.
    fn of(&self, tag: &str) -> Option<TracedTag> {
        if let Some(known) = self.funnel.get(tag) {
            return Some(known.clone());
        }
        let mut listed = self.listed.clone();
        listed.push(tag.to_owned());
        let mut budget = Budget::default();
        let funnel = Funnel::of(&self.policy, &self.exclusions, &listed, &mut budget).ok()?;
        funnel.get(tag).cloned()
    }
}

/// The known tags of a policy, and what became of them; that is `None` where the policy or
/// its ImageRepository is not valid.
fn traced<'k>(
    id: &Id,
    policy: &Sourced<crate::api::ImagePolicy>,
    known: &Known<'k>,
    told: &mut Explanation,
) -> (Option<&'k KnownTags>, Option<Traced>) {
    let documents = known.run.documents;
    told.rule = rule(&policy.document.spec);
    let found = resolve::repository_of(documents, id, &policy.document);
    let Ok((repository_id, repository)) = found else {
        return (None, None);
    };
    let location = documents.repositories.get(&repository_id);
    told.repository = Some(ExplainedRepository {
        name: repository_id.to_string(),
        image: without_login(&repository.spec.image).into_owned(),
        at: location.map_or_else(String::new, |known| known.location.to_string()),
        is_suspended: repository.spec.suspend,
    });
    let name = Repository::parse(&repository.spec.image).ok();
    let (tags, source) = tags_of(known.run.tags, &repository_id, name.as_ref());
    let is_given = match known.given {
        GivenTags::Nothing => false,
        GivenTags::List => tags.is_some(),
        GivenTags::Snapshot(file) => {
            source == "snapshot" && name.is_some_and(|name| has(documents, file, &name))
        }
    };
    let none: &[String] = &[];
    let listed = tags.map_or(none, |tags| tags.tags.as_slice());
    let distinct: BTreeSet<&String> = listed.iter().collect();
    told.tags_from = TagsFrom {
        source: if is_given { "given" } else { source }.to_owned(),
        scanned_at: tags.and_then(|tags| tags.scanned_at.clone()),
        count: distinct.len(),
    };
    let exclusions = &repository.spec.exclusion_list;
    let checked = policy.document.spec.checked().map_err(Unresolved::from);
    let traced = checked.and_then(|policy| {
        let traced = Traced::new(policy, exclusions, listed, &mut Budget::default());
        traced.map_err(Unresolved::Exclusion)
    });
    let malformed = distinct.iter().filter(|tag| !is_tag(tag));
    told.malformed = malformed.take(SAMPLES).map(|tag| (*tag).clone()).collect();
    match traced {
        Ok(traced) => {
            told.steps = steps(&traced);
            let ranked = || traced.funnel.ranked();
            told.ranked = ranked().count();
            told.order = ranked().take(SAMPLES + 1).map(sample).collect();
            (tags, Some(traced))
        }
        Err(why) => {
            let latest = distinct.iter().rev().take(SAMPLES);
            let all = StepCount {
                step: UNTRIED.to_owned(),
                why: format!("not tried: {}", why.explained()),
                count: distinct.len(),
                samples: latest.map(|tag| of_tag(tag)).collect(),
            };
            told.steps = Some(all).filter(|all| all.count > 0).into_iter().collect();
            (tags, None)
        }
    }
}

/// Where nothing was tried.
const UNTRIED: &str = "untried";

/// Whether a TagSnapshot of a file has a repository.
fn has(documents: &Documents, file: &str, name: &Repository) -> bool {
    let of_file = documents.snapshots.iter();
    let of_file = of_file.filter(|(_, location)| location.file == file);
    let mut images = of_file.flat_map(|(snapshot, _)| &snapshot.spec.repositories);
    images.any(|one| {
        Repository::parse(&one.image).is_ok_and(|one| one.canonical() == name.canonical())
    })
}

/// The tags of an ImageRepository, and where they come from.
#[must_use]
pub fn tags_of<'b>(
    book: &'b TagBook,
    id: &Id,
    name: Option<&Repository>,
) -> (Option<&'b KnownTags>, &'static str) {
    if let Some(written) = name.and_then(|name| book.written(name)) {
        return (Some(written), "snapshot");
    }
    match book.scanned(id) {
        Some(Ok(known)) => (Some(known), "registry"),
        _ => (None, "nowhere"),
    }
}

/// How a policy chooses, as it is written.
#[must_use]
pub fn rule(spec: &ImagePolicySpec) -> Rule {
    let choice = &spec.policy;
    let order = |order: &str| match order {
        "" => "asc".to_owned(),
        order => order.to_owned(),
    };
    let (kind, by) = if let Some(semver) = &choice.semver {
        ("semver", semver.range.clone())
    } else if let Some(by) = &choice.alphabetical {
        ("alphabetical", order(&by.order))
    } else if let Some(by) = &choice.numerical {
        ("numerical", order(&by.order))
    } else {
        ("", String::new())
    };
    let filter = spec.filter_tags.clone().unwrap_or_default();
    Rule {
        kind: kind.to_owned(),
        by,
        pattern: filter.pattern,
        extract: filter.extract,
    }
}

/// What became of the tags, by step and reason.
fn steps(traced: &Traced) -> Vec<StepCount> {
    let mut steps: BTreeMap<(Step, String), StepCount> = BTreeMap::new();
    for one in &traced.funnel.tags {
        let step = one.fate.step();
        if step == Step::Order {
            continue;
        }
        let why = traced.reason(&one.fate);
        let known = steps
            .entry((step, why.clone()))
            .or_insert_with(|| StepCount {
                step: word(step).to_owned(),
                why,
                ..StepCount::default()
            });
        known.count += 1;
        if known.samples.len() < SAMPLES {
            known.samples.push(sample(one));
        }
    }
    // Of one step the most frequent reason first.
    let mut steps: Vec<((Step, String), StepCount)> = steps.into_iter().collect();
    steps.sort_by(|((a, _), one), ((b, _), other)| {
        a.cmp(b).then_with(|| other.count.cmp(&one.count))
    });
    steps.into_iter().map(|(_, step)| step).collect()
}

/// A step's word in reports.
#[must_use]
pub fn word(step: Step) -> &'static str {
    match step {
        Step::Exclusion => "exclusion",
        Step::Pattern => "pattern",
        Step::Extract => "extract",
        Step::Value => "value",
        Step::Range => "range",
        Step::Order => "order",
    }
}

fn of_tag(tag: &str) -> Sample {
    Sample {
        tag: tag.to_owned(),
        value: None,
    }
}

fn sample(one: &TracedTag) -> Sample {
    Sample {
        tag: one.tag.clone(),
        value: one.value.clone().filter(|value| *value != one.tag),
    }
}

fn explained_use(
    one: &Use,
    known: &Known<'_>,
    of: &Explanation,
    traced: Option<&Traced>,
) -> ExplainedUse {
    let mut told = ExplainedUse {
        at: one.location.to_string(),
        field: one.location.field.clone(),
        current: one.current.clone(),
        new: one.new.clone(),
        ..ExplainedUse::default()
    };
    if is_of_another(one, of) {
        told.out = Some("an image of another repository".to_owned());
    } else if let Some((tag, traced)) = one.tag.as_deref().zip(traced) {
        match traced.funnel.get(tag) {
            None => told.out = Some(not_listed(tag)),
            Some(found) => match &found.fate {
                Fate::Ranked { place } => told.place = Some(place + 1),
                fate => told.out = Some(traced.reason_of_one(fate)),
            },
        }
    }
    match &one.carrier {
        Carrier::Automation(number) => {
            let owner = known.run.owners.get(*number);
            told.automation = owner.map(|owner| owner.id.to_string());
            let commit = known.commits.get(number).filter(|_| one.new.is_some());
            told.branch = commit.and_then(|commit| commit.branch.clone());
            told.message = commit.and_then(|commit| commit.message.clone());
            let faults = commit.into_iter().flat_map(|commit| &commit.faults);
            let name = told.automation.as_deref().unwrap_or_default();
            let held = faults.map(|fault| format!("`{name}` pushes no commit: {fault}"));
            told.held_back = held.collect();
        }
        Carrier::Nobody(why) => told.held_back.clone_from(why),
    }
    let image = known.run.images.get(&one.policy);
    let image = image.and_then(|resolved| resolved.image.as_ref().ok());
    if one.part == ImagePart::Digest && image.is_some_and(|image| image.digest.is_none()) {
        let why = "the policy reflects no digest (`digestReflectionPolicy`)";
        told.held_back.insert(0, why.to_owned());
    }
    told
}

/// Whether a value names an image that is not of the policy's repository.
fn is_of_another(one: &Use, of: &Explanation) -> bool {
    let of = of.repository.as_ref();
    let of = of.and_then(|of| Repository::parse(&of.image).ok());
    let (rest, _) = split_digest(&one.current);
    let own = Repository::parse(split_tag(rest).0).ok();
    let is_named = one.part == ImagePart::Image && one.tag.is_some();
    match (of, own) {
        (Some(of), Some(own)) => is_named && of.canonical() != own.canonical(),
        _ => false,
    }
}

fn not_listed(tag: &str) -> String {
    if is_tag(tag) {
        "not among the known tags".to_owned()
    } else {
        "not a tag".to_owned()
    }
}

/// What becomes of a tag that somebody asks for, as far as is known.
fn asked(tag: &str, traced: &Traced, are_known: bool) -> ExplainedTag {
    let mut told = explained_tag(tag, traced);
    if !are_known {
        told.place = None;
        if told.step == word(Step::Order) {
            "let in by each step".clone_into(&mut told.why);
        }
    }
    told
}

/// A tag of which nothing can be told: the policy or its ImageRepository is not valid.
fn untried(tag: &str, tags: Option<&KnownTags>, told: &Explanation) -> ExplainedTag {
    let why = told.reason.as_deref().unwrap_or("the policy is not valid");
    ExplainedTag {
        tag: tag.to_owned(),
        is_listed: tags.is_some_and(|tags| tags.tags.iter().any(|one| one == tag)),
        step: UNTRIED.to_owned(),
        why: format!("not tried: {why}"),
        ..ExplainedTag::default()
    }
}

/// What becomes of a tag that somebody asks for.
pub(super) fn explained_tag(tag: &str, traced: &Traced) -> ExplainedTag {
    let mut told = ExplainedTag {
        tag: tag.to_owned(),
        is_listed: traced.listed.iter().any(|one| one == tag),
        ..ExplainedTag::default()
    };
    let found = traced.of(tag).filter(|_| is_tag(tag));
    let Some(found) = found else {
        UNTRIED.clone_into(&mut told.step);
        told.why = "not a tag: letters, digits, `_`, `.` and `-`, at most 128 of them".to_owned();
        return told;
    };
    word(found.fate.step()).clone_into(&mut told.step);
    told.why = traced.reason_of_one(&found.fate);
    if let Fate::Ranked { place } = &found.fate {
        told.place = Some(place + 1);
        return told;
    }
    let (way_in, then) = way_in(&found, traced);
    told.way_in = Some(way_in);
    match then {
        Then::Place(place) => told.place = Some(place),
        Then::Out(why) => told.next = Some(why),
        Then::Unknown => {}
    }
    told
}

/// What becomes of a tag that a change lets through the step that let it out.
enum Then {
    /// It has this place in the order, from 1.
    Place(usize),
    /// A later step lets it out, and why.
    Out(String),
    /// That depends on how the change is written.
    Unknown,
}

impl Then {
    /// What becomes of a tag that goes through a changed policy.
    fn of(tag: &str, changed: Result<Traced, BadExclusion>) -> Self {
        let Ok(changed) = changed else {
            return Self::Unknown;
        };
        match changed.of(tag).map(|found| found.fate) {
            None => Self::Unknown,
            Some(Fate::Ranked { place }) => Self::Place(place + 1),
            Some(fate) => Self::Out(changed.reason_of_one(&fate)),
        }
    }
}

/// What would let a tag through the step that let it out, and what becomes of it then: the
/// policy is run as it would be.
fn way_in(found: &TracedTag, traced: &Traced) -> (String, Then) {
    let tag = found.tag.as_str();
    match &found.fate {
        Fate::Excluded { .. } => past_exclusions(tag, traced),
        Fate::Unmatched => {
            let way = format!(
                "widen `filterTags.pattern`, so that it matches `{tag}` (try it with `--pattern`)"
            );
            (way, past_pattern(tag, traced))
        }
        Fate::Untried => ("mend `filterTags.pattern`".to_owned(), Then::Unknown),
        Fate::Collided { with } => {
            let way = format!(
                "have `filterTags.extract` hold what tells `{tag}` from `{with}`, or the pattern match one of them"
            );
            (way, Then::Unknown)
        }
        Fate::NoVersion { .. } => {
            let way = "have `filterTags` extract a version of three parts from it (try it with `--pattern` and `--extract`)";
            (way.to_owned(), Then::Unknown)
        }
        Fate::NoNumber => {
            let way = "have `filterTags.pattern` leave it out, or `extract` the number in it";
            (way.to_owned(), Then::Unknown)
        }
        Fate::OutOfRange { .. } | Fate::Ranked { .. } => into_range(found, traced),
    }
}

/// Past the patterns of `exclusionList` that match a tag.
fn past_exclusions(tag: &str, traced: &Traced) -> (String, Then) {
    let run = |exclusions: &[String]| {
        let policy = traced.policy.clone();
        Then::of(
            tag,
            Traced::new(policy, exclusions, &traced.listed, &mut Budget::default()),
        )
    };
    let is_match = |pattern: &str| Regex::new(pattern).is_ok_and(|one| one.is_match(tag));
    let (matching, others): (Vec<String>, Vec<String>) =
        (traced.exclusions.iter().cloned()).partition(|one| is_match(one));
    // An empty list stands for the default.
    let is_by_default = exclusion::DEFAULT.iter().any(|one| is_match(one));
    if others.is_empty() && is_by_default {
        let way = match matching.is_empty() {
            true => "write an `exclusionList` of your own, which takes the place of the default",
            false => {
                "have `exclusionList` of the ImageRepository not match it; an empty list stands for the default, which does"
            }
        };
        return (way.to_owned(), run(&["^$".to_owned()]));
    }
    let way = format!(
        "take {} out of `exclusionList` of the ImageRepository",
        quoted(matching.iter().map(String::as_str), " and ")
    );
    (way, run(&others))
}

/// Past `filterTags.pattern`. What is extracted is not known before it is written.
fn past_pattern(tag: &str, traced: &Traced) -> Then {
    let extract = traced.policy.filter().map_or("", |(_, extract)| extract);
    if !extract.is_empty() {
        return Then::Unknown;
    }
    // The others that the pattern leaves out stay out.
    let ranked = traced.funnel.ranked().map(|one| one.tag.clone());
    let listed: Vec<String> = ranked.chain([tag.to_owned()]).collect();
    let policy = Policy::new(traced.policy.choice().clone(), None);
    let changed = Traced::new(policy, &["^$".to_owned()], &listed, &mut Budget::default());
    Then::of(tag, changed)
}

/// Into the range: past its comparators, and past what it says of prereleases.
fn into_range(found: &TracedTag, traced: &Traced) -> (String, Then) {
    let value = found.value.as_deref().unwrap_or_default();
    let Choice::Semver(range) = traced.policy.choice() else {
        return (String::new(), Then::Unknown);
    };
    let refusals = Version::parse_tag(value).map(|version| range.all_refusals(&version));
    let refusals = refusals.unwrap_or_default();
    let comparators: Vec<Vec<&str>> = refusals.iter().map(|group| comparators(group)).collect();
    let prereleases = with_prereleases(traced.policy.choice());
    // A group that refuses nothing but prereleases is the nearest.
    if comparators.iter().any(Vec::is_empty) {
        let way = format!("give the range a prerelease: `{prereleases}`");
        return (way, Then::of(&found.tag, ranged(&prereleases, traced)));
    }
    let groups = comparators.iter();
    let groups: Vec<String> = groups
        .map(|group| quoted(group.iter().copied(), " and "))
        .collect();
    let is_prerelease = refusals
        .iter()
        .all(|group| group.contains(&Refusal::Prerelease));
    let (and, range) = match is_prerelease {
        true => (" and give it a prerelease, as `>=0.0.0-0`", &*prereleases),
        false => ("", range.as_str()),
    };
    let way = format!(
        "widen {} of `semver.range`{and} (try it with `--range`)",
        groups.join(", or ")
    );
    let changed = ranged(range, traced).ok();
    let place = changed.and_then(|changed| place_of(value, &changed));
    (way, place.map_or(Then::Unknown, Then::Place))
}

fn comparators<'r>(group: &[Refusal<'r>]) -> Vec<&'r str> {
    let comparators = group.iter().filter_map(|one| match one {
        Refusal::Comparator(text) => Some(text.trim()),
        Refusal::Prerelease => None,
    });
    comparators.collect()
}

fn quoted<'t>(all: impl Iterator<Item = &'t str>, and: &str) -> String {
    let all: Vec<String> = all.map(|one| format!("`{one}`")).collect();
    all.join(and)
}

/// What becomes of the tags in another range.
fn ranged(range: &str, traced: &Traced) -> Result<Traced, BadExclusion> {
    let choice = match Constraint::parse(range) {
        Ok(range) => Choice::Semver(range),
        Err(_) => traced.policy.choice().clone(),
    };
    let filter = traced.policy.filter();
    let filter = filter.map(|(pattern, extract)| (pattern.to_owned(), extract.to_owned()));
    let policy = Policy::new(choice, filter);
    let budget = &mut Budget::default();
    Traced::new(policy, &traced.exclusions, &traced.listed, budget)
}

/// The place that a version would have among those in the range, from 1, where the range
/// is widened to take it in and no other.
fn place_of(value: &str, traced: &Traced) -> Option<usize> {
    let all = Choice::Semver(Constraint::parse(">=0.0.0-0").ok()?);
    let ranked = traced.funnel.ranked();
    let mut values: Vec<String> = ranked.filter_map(|one| one.value.clone()).collect();
    values.retain(|known| known != value);
    values.push(value.to_owned());
    let none: [&str; 1] = ["^$"];
    let funnel = Funnel::of(
        &Policy::new(all, None),
        &none,
        &values,
        &mut Budget::default(),
    );
    match funnel.ok()?.get(value)?.fate {
        Fate::Ranked { place } => Some(place + 1),
        _ => None,
    }
}

/// A range that admits the prereleases of what it admits.
#[must_use]
pub fn with_prereleases(choice: &Choice) -> String {
    let Choice::Semver(range) = choice else {
        return String::new();
    };
    let written = range.as_str().trim();
    // `>=0.0.0-0` opens a group to prereleases and lets nothing else out.
    let groups = written.split("||");
    let groups: Vec<String> = groups
        .map(|group| match group.trim() {
            "" | "*" | "x" | "X" => ">=0.0.0-0".to_owned(),
            group => format!("{group} >=0.0.0-0"),
        })
        .collect();
    groups.join(" || ")
}
