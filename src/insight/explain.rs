//! Why a policy chooses what it chooses, where that goes, and what holds it back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::RunFacts;
use super::uses::{Carrier, Use};
use crate::api::{Id, ImagePolicySpec};
use crate::documents::Sourced;
use crate::policy::exclusion::{self, BadExclusion};
use crate::policy::funnel::{Fate, Funnel, Step, TracedTag};
use crate::policy::{Choice, ChosenNothing, Policy};
use crate::selection::resolve::{self};
use crate::selection::tags::{KnownTags, TagBook};
use go_regexp::Budget;
use masterminds_semver::Version;
use oci_tags::image::{Repository, is_tag};

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pattern: String,
    /// `filterTags.extract`, empty where absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extract: String,
}

/// Where the tags of a policy come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagsFrom {
    /// `given` (`--tags`), `registry` (or a list of it that was kept), `snapshot`, or
    /// `nowhere`.
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
    /// `exclusion`, `pattern`, `extract`, `value`, `range`.
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
    /// Why nobody comes to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
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
    /// The first step that lets it out, `order` where none does.
    pub step: String,
    /// What happens there.
    pub why: String,
    /// What would let it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_in: Option<String>,
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
}

/// What is known of the run that a policy is of.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// The run.
    pub run: RunFacts<'k>,
    /// The commits of the automations, by their numbers.
    pub commits: &'k BTreeMap<usize, CommitFacts>,
    /// Whether the user gave the tags.
    pub are_tags_given: bool,
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
            told.hint = reason.hint();
        }
    }
    let policy = known.run.documents.policies.get(id);
    let traced = policy.and_then(|policy| {
        told.rule = rule(&policy.document.spec);
        traced(id, policy, known, &mut told, tag)
    });
    let uses = known.run.uses.iter().filter(|one| one.policy == *id);
    told.uses = uses
        .map(|one| explained_use(one, known, traced.as_ref()))
        .collect();
    told
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

fn traced(
    id: &Id,
    policy: &Sourced<crate::api::ImagePolicy>,
    known: &Known<'_>,
    told: &mut Explanation,
    tag: Option<&str>,
) -> Option<Traced> {
    let found = resolve::repository_of(known.run.documents, id, &policy.document);
    let (repository_id, repository) = found.ok()?;
    let location = known.run.documents.repositories.get(&repository_id);
    told.repository = Some(ExplainedRepository {
        name: repository_id.to_string(),
        image: repository.spec.image.clone(),
        at: location.map_or_else(String::new, |known| known.location.to_string()),
    });
    let name = Repository::parse(&repository.spec.image).ok();
    let (tags, source) = tags_of(known.run.tags, &repository_id, name.as_ref());
    told.tags_from = TagsFrom {
        source: match known.are_tags_given {
            true => "given",
            false => source,
        }
        .to_owned(),
        scanned_at: tags.and_then(|tags| tags.scanned_at.clone()),
        count: tags.map_or(0, |tags| tags.tags.len()),
    };
    let (tags, policy) = (tags?, policy.document.spec.checked().ok()?);
    let exclusions = &repository.spec.exclusion_list;
    let traced = Traced::new(policy, exclusions, &tags.tags, &mut Budget::default()).ok()?;
    let funnel = &traced.funnel;
    told.steps = steps(funnel);
    let malformed = tags.tags.iter().filter(|tag| !is_tag(tag));
    told.malformed = malformed.take(SAMPLES).cloned().collect();
    told.ranked = funnel.ranked().count();
    told.order = funnel.ranked().take(SAMPLES + 1).map(sample).collect();
    told.tag = tag.and_then(|tag| explained_tag(tag, &traced));
    Some(traced)
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
fn steps(funnel: &Funnel) -> Vec<StepCount> {
    let mut steps: BTreeMap<(Step, String), StepCount> = BTreeMap::new();
    for one in &funnel.tags {
        let step = one.fate.step();
        if step == Step::Order {
            continue;
        }
        let why = reason(&one.fate);
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

/// Why a tag's way ends, to follow it; the same for tags of one reason.
fn reason(fate: &Fate) -> String {
    match fate {
        Fate::Excluded { pattern } if is_default(pattern) => {
            format!("excluded by `{pattern}` (the default of `exclusionList`)")
        }
        Fate::Excluded { pattern } => format!("excluded by `{pattern}`"),
        Fate::Untried => "not tried: `filterTags.pattern` is not valid".to_owned(),
        Fate::Unmatched => "not matched by `filterTags.pattern`".to_owned(),
        Fate::Collided { .. } => "has the value of another tag, which counts".to_owned(),
        Fate::NoVersion { why } => format!("no version: {why}"),
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

fn is_default(pattern: &str) -> bool {
    exclusion::DEFAULT.contains(&pattern)
}

fn sample(one: &TracedTag) -> Sample {
    Sample {
        tag: one.tag.clone(),
        value: one.value.clone().filter(|value| *value != one.tag),
    }
}

fn explained_use(one: &Use, known: &Known<'_>, traced: Option<&Traced>) -> ExplainedUse {
    let mut told = ExplainedUse {
        at: one.location.to_string(),
        field: one.location.field.clone(),
        current: one.current.clone(),
        new: one.new.clone(),
        ..ExplainedUse::default()
    };
    if let Some((tag, traced)) = one.tag.as_deref().zip(traced) {
        match traced.funnel.get(tag) {
            None => told.out = Some(not_listed(tag)),
            Some(found) => match &found.fate {
                Fate::Ranked { place } => told.place = Some(place + 1),
                fate => told.out = Some(reason(fate)),
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
        }
        Carrier::Nobody(why) => told.held_back.clone_from(why),
    }
    told
}

fn not_listed(tag: &str) -> String {
    if is_tag(tag) {
        "not among the known tags".to_owned()
    } else {
        "not a tag".to_owned()
    }
}

/// What becomes of a tag that somebody asks for.
pub(super) fn explained_tag(tag: &str, traced: &Traced) -> Option<ExplainedTag> {
    let found = traced.of(tag)?;
    let is_listed = traced.listed.iter().any(|one| one == tag);
    let mut told = ExplainedTag {
        tag: tag.to_owned(),
        is_listed,
        step: word(found.fate.step()).to_owned(),
        why: match &found.fate {
            Fate::Collided { with } => format!("has the value of `{with}`, which counts"),
            fate => reason(fate),
        },
        ..ExplainedTag::default()
    };
    let ahead = |value: &str| place_of(value, traced);
    match &found.fate {
        Fate::Ranked { place } => told.place = Some(place + 1),
        fate => {
            told.way_in = way_in(tag, fate, traced);
            told.place = match &found.value {
                Some(value) => ahead(value),
                // Without an extract the tag itself is compared.
                None if extract_of(&traced.policy).is_empty() => ahead(tag),
                None => None,
            };
        }
    }
    if !is_tag(tag) {
        told.why = "not a tag: letters, digits, `_`, `.` and `-`, at most 128 of them".to_owned();
        told.way_in = None;
        told.place = None;
    }
    Some(told)
}

fn extract_of(policy: &Policy) -> &str {
    policy.filter().map_or("", |(_, extract)| extract)
}

/// The place that a value would have in the order, from 1; `None` for what cannot be
/// compared.
fn place_of(value: &str, traced: &Traced) -> Option<usize> {
    let alone = Policy::new(unlimited(traced.policy.choice(), value)?, None);
    let ranked = traced.funnel.ranked();
    let mut values: Vec<String> = ranked.filter_map(|one| one.value.clone()).collect();
    values.retain(|known| known != value);
    values.push(value.to_owned());
    let none: [&str; 1] = ["^$"];
    let funnel = Funnel::of(&alone, &none, &values, &mut Budget::default()).ok()?;
    match funnel.get(value)?.fate {
        Fate::Ranked { place } => Some(place + 1),
        _ => None,
    }
}

/// The same order without a range.
fn unlimited(choice: &Choice, value: &str) -> Option<Choice> {
    match choice {
        Choice::Semver(_) => {
            Version::parse_tag(value).ok()?;
            let all = masterminds_semver::Constraint::parse(">=0.0.0-0").ok()?;
            Some(Choice::Semver(all))
        }
        other => Some(other.clone()),
    }
}

/// What would let a tag in.
fn way_in(tag: &str, fate: &Fate, traced: &Traced) -> Option<String> {
    Some(match fate {
        Fate::Excluded { pattern } if is_default(pattern) && traced.exclusions.is_empty() => {
            "write an `exclusionList` of your own, which takes the place of the default".to_owned()
        }
        Fate::Excluded { pattern } => {
            format!("take `{pattern}` out of `exclusionList` of the ImageRepository")
        }
        Fate::Unmatched => format!(
            "widen `filterTags.pattern`, so that it matches `{tag}` (try it with `--pattern`)"
        ),
        Fate::Untried => "mend `filterTags.pattern`".to_owned(),
        Fate::Collided { with } => format!(
            "have `filterTags.extract` hold what tells `{tag}` from `{with}`, or the pattern match one of them"
        ),
        Fate::NoVersion { .. } => {
            "have `filterTags` extract a version of three parts from it (try it with `--pattern` and `--extract`)"
                .to_owned()
        }
        Fate::NoNumber => {
            "have `filterTags.pattern` leave it out, or `extract` the number in it".to_owned()
        }
        Fate::OutOfRange {
            is_prerelease: true,
            ..
        } => {
            let example = with_prereleases(traced.policy.choice());
            format!("give the range a prerelease: `{example}`")
        }
        Fate::OutOfRange { clauses, .. } => format!(
            "widen {} of `semver.range` (try it with `--range`)",
            clauses.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" or ")
        ),
        Fate::Ranked { .. } => return None,
    })
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
