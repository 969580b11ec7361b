//! What becomes of each tag on its way through a policy, and why: the steps of
//! [`exclusion::keep`] and [`Policy::select`], told for every tag.
//!
//! The choice itself is made as in [`Policy::select`]; the funnel only says how it came
//! about.
//! A tag ends at the first step that lets it out, or has a place in the policy's order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::exclusion::{self, BadExclusion};
use super::select::{self, Choice, ChosenNothing, Order, Policy};
use super::{Candidate, Filter};
use go_regexp::{Budget, Regex};
use go_template::strconv;
use masterminds_semver::{Constraint, Refusal, Version};

/// What became of the tags of a repository.
#[derive(Clone, Debug)]
pub struct Funnel {
    /// The tags: those that have a place in the order, the latest first, then the others,
    /// bytewise descending.
    pub tags: Vec<TracedTag>,
    /// The tag that is chosen, or the one reason why none is.
    pub chosen: Result<String, ChosenNothing>,
}

/// A tag, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedTag {
    /// The tag.
    pub tag: String,
    /// What is compared of it; `None` where it did not come so far.
    pub value: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// Where a tag's way ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A pattern of `exclusionList` matches it.
    Excluded {
        /// The pattern, as written; the default where the list is empty.
        pattern: String,
    },
    /// `filterTags.pattern` cannot be compiled, so nobody knows.
    Untried,
    /// `filterTags.pattern` does not match it.
    Unmatched,
    /// Another tag has the same extracted value, and counts.
    Collided {
        /// The other tag.
        with: String,
    },
    /// Its value is no version.
    NoVersion {
        /// Why, to follow the value.
        why: String,
    },
    /// Its value is a version outside of the range.
    OutOfRange {
        /// The comparators that let it out, one for each group of the range.
        clauses: Vec<String>,
        /// The range would admit it, were it no prerelease.
        is_prerelease: bool,
    },
    /// Its value is no number, which fails the whole policy.
    NoNumber,
    /// It is in the order of the policy.
    Ranked {
        /// Its place, from 0 for the latest.
        place: usize,
    },
}

/// What the `exclusionList` of an ImageRepository leaves of its tags: the same for all of
/// its policies.
#[derive(Clone, Debug)]
pub struct Offered<'t> {
    /// Bytewise descending.
    kept: Vec<&'t str>,
    excluded: Vec<TracedTag>,
}

impl<'t> Offered<'t> {
    /// Sends tags through an `exclusionList`. A tag that is listed twice is one tag.
    ///
    /// # Errors
    /// An exclusion pattern that Go would refuse, or for which nothing is left in the
    /// budget.
    pub fn of<S: AsRef<str>>(
        exclusions: &[S],
        listed: &'t [String],
        budget: &mut Budget,
    ) -> Result<Self, BadExclusion> {
        let mut excluded = Vec::new();
        let kept = exclude(exclusions, listed, budget, &mut excluded)?;
        Ok(Self { kept, excluded })
    }

    /// The tags that are left, bytewise descending.
    #[must_use]
    pub fn kept(&self) -> &[&'t str] {
        &self.kept
    }

    /// Whether a tag is left.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        self.kept.binary_search_by(|one| tag.cmp(one)).is_ok()
    }
}

/// The steps of the funnel, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// `exclusionList`.
    Exclusion,
    /// `filterTags.pattern`.
    Pattern,
    /// `filterTags.extract`: of tags with one value one counts.
    Extract,
    /// A value that can be compared: a version or a number.
    Value,
    /// `semver.range`.
    Range,
    /// It has a place in the order.
    Order,
}

impl Fate {
    /// The step at which the way ends.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Excluded { .. } => Step::Exclusion,
            Self::Untried | Self::Unmatched => Step::Pattern,
            Self::Collided { .. } => Step::Extract,
            Self::NoVersion { .. } | Self::NoNumber => Step::Value,
            Self::OutOfRange { .. } => Step::Range,
            Self::Ranked { .. } => Step::Order,
        }
    }
}

impl Funnel {
    /// Sends all tags of a repository through its `exclusionList` and a policy.
    ///
    /// # Errors
    /// An exclusion pattern that Go would refuse, or for which nothing is left in the
    /// budget.
    pub fn of<S: AsRef<str>>(
        policy: &Policy,
        exclusions: &[S],
        listed: &[String],
        budget: &mut Budget,
    ) -> Result<Self, BadExclusion> {
        Ok(Self::of_offered(
            policy,
            &Offered::of(exclusions, listed, budget)?,
            budget,
        ))
    }

    /// As [`Self::of`], of tags that have been through the `exclusionList` before.
    #[must_use]
    pub fn of_offered(policy: &Policy, offered: &Offered<'_>, budget: &mut Budget) -> Self {
        let kept = &offered.kept;
        let mut tags = Vec::with_capacity(kept.len() + offered.excluded.len());
        tags.extend_from_slice(&offered.excluded);
        let filtered = filter(policy, kept, budget, &mut tags);
        let (chosen, mut ranked) = match filtered {
            _ if kept.is_empty() => (Err(ChosenNothing::NoTags), Vec::new()),
            Err(nothing) => (Err(nothing), Vec::new()),
            Ok(candidates) => choose(policy, candidates, &mut tags),
        };
        if let Ok(chosen) = &chosen
            && let Some(at) = ranked.iter().position(|one| one.tag == *chosen)
        {
            // What is no number to compare by (`NaN`) has no place of its own.
            ranked[..=at].rotate_right(1);
        }
        tags.sort_unstable_by(|a, b| b.tag.cmp(&a.tag));
        let ranked = ranked.into_iter().enumerate();
        let ranked = ranked.map(|(place, one)| TracedTag {
            tag: one.tag,
            value: Some(one.value),
            fate: Fate::Ranked { place },
        });
        Self {
            tags: ranked.chain(tags).collect(),
            chosen,
        }
    }

    /// What became of a tag, `None` where it is not among the tags.
    #[must_use]
    pub fn get(&self, tag: &str) -> Option<&TracedTag> {
        self.tags.iter().find(|one| one.tag == tag)
    }

    /// The tags that have a place in the order, the latest first.
    pub fn ranked(&self) -> impl Iterator<Item = &TracedTag> {
        let is_ranked = |one: &&TracedTag| matches!(one.fate, Fate::Ranked { .. });
        self.tags.iter().take_while(is_ranked)
    }

    /// The tags whose way ends at a step.
    pub fn ended_at(&self, step: Step) -> impl Iterator<Item = &TracedTag> {
        self.tags.iter().filter(move |one| one.fate.step() == step)
    }
}

/// What `exclusionList` leaves, bytewise descending.
fn exclude<'t, S: AsRef<str>>(
    patterns: &[S],
    listed: &'t [String],
    budget: &mut Budget,
    ended: &mut Vec<TracedTag>,
) -> Result<Vec<&'t str>, BadExclusion> {
    let mut kept: Vec<&str> = listed.iter().map(String::as_str).collect();
    kept.sort_unstable_by(|a, b| b.cmp(a));
    kept.dedup();
    for pattern in exclusion::patterns(patterns) {
        let compiled = Regex::within(pattern, budget).map_err(|source| BadExclusion {
            pattern: pattern.to_owned(),
            source,
        })?;
        kept.retain(|tag| {
            let is_excluded = compiled.is_match(tag);
            if is_excluded {
                let pattern = pattern.to_owned();
                ended.push(end(tag, None, Fate::Excluded { pattern }));
            }
            !is_excluded
        });
    }
    Ok(kept)
}

/// What `filterTags` leaves, bytewise descending, as [`Filter::apply`] has it.
fn filter(
    policy: &Policy,
    tags: &[&str],
    budget: &mut Budget,
    ended: &mut Vec<TracedTag>,
) -> Result<Vec<Candidate>, ChosenNothing> {
    let whole = |tag: &&str| Candidate {
        value: (*tag).to_owned(),
        tag: (*tag).to_owned(),
    };
    let Some((pattern, extract)) = policy.filter() else {
        return Ok(tags.iter().map(whole).collect());
    };
    let filter = Filter::new(pattern, extract, budget).map_err(|source| {
        ended.extend(tags.iter().map(|tag| end(tag, None, Fate::Untried)));
        let pattern = pattern.to_owned();
        ChosenNothing::BadPattern { pattern, source }
    })?;
    // Of one value the last counts, as in `Filter::apply`.
    let values: Vec<Option<String>> = filter.values(tags).collect();
    let mut counting: BTreeMap<&str, &str> = BTreeMap::new();
    for (tag, value) in tags.iter().zip(&values) {
        if let Some(value) = value {
            counting.insert(value, tag);
        }
    }
    let mut left = Vec::new();
    for (tag, value) in tags.iter().zip(&values) {
        let Some(value) = value else {
            ended.push(end(tag, None, Fate::Unmatched));
            continue;
        };
        match counting.get(value.as_str()) {
            Some(with) if with != tag => {
                let with = (*with).to_owned();
                ended.push(end(tag, Some(value.clone()), Fate::Collided { with }));
            }
            _ => left.push(Candidate {
                value: value.clone(),
                tag: (*tag).to_owned(),
            }),
        }
    }
    Ok(left)
}

/// The tag that is chosen, and the candidates in the order of the policy.
fn choose(
    policy: &Policy,
    candidates: Vec<Candidate>,
    ended: &mut Vec<TracedTag>,
) -> (Result<String, ChosenNothing>, Vec<Candidate>) {
    if !matches!(policy.choice(), Choice::Semver(_)) {
        let chosen = policy.latest_of(&candidates);
        return (chosen, compared(policy, candidates, ended));
    }
    // Versions are read once, for the order: its first is the one that is chosen. Why none
    // is takes a look of its own.
    let from = ended.len();
    let ranked = compared(policy, candidates, ended);
    let chosen = match ranked.first() {
        Some(first) => Ok(first.tag.clone()),
        None => policy.latest_of(&candidates_of(&ended[from..])),
    };
    (chosen, ranked)
}

/// The candidates that all came to nothing.
fn candidates_of(ended: &[TracedTag]) -> Vec<Candidate> {
    let left = ended.iter().filter_map(|one| {
        Some(Candidate {
            value: one.value.clone()?,
            tag: one.tag.clone(),
        })
    });
    left.collect()
}

/// The candidates in the order of the policy, the latest first.
fn compared(
    policy: &Policy,
    candidates: Vec<Candidate>,
    ended: &mut Vec<TracedTag>,
) -> Vec<Candidate> {
    match policy.choice() {
        Choice::Semver(range) => versions(range, candidates, ended),
        Choice::Alphabetical(order) => {
            let mut ranked = candidates;
            ranked.sort_by(|a, b| match order {
                Order::Ascending => b.value.cmp(&a.value),
                Order::Descending => a.value.cmp(&b.value),
            });
            ranked
        }
        Choice::Numerical(order) => numbers(*order, candidates, ended),
    }
}

fn versions(
    range: &Constraint,
    candidates: Vec<Candidate>,
    ended: &mut Vec<TracedTag>,
) -> Vec<Candidate> {
    let mut ranked: Vec<(Version, Candidate)> = Vec::new();
    for one in candidates {
        let version = match Version::parse_tag(&one.value) {
            Ok(version) => version,
            Err(fault) => {
                let why = select::why_none(&one.value, fault);
                ended.push(end(&one.tag, Some(one.value), Fate::NoVersion { why }));
                continue;
            }
        };
        if range.admits(&version) {
            ranked.push((version, one));
            continue;
        }
        let refusals = range.refusals(&version);
        let is_prerelease = refusals.contains(&Refusal::Prerelease);
        let clauses = refusals.iter().filter_map(|refusal| match refusal {
            Refusal::Comparator(text) => Some((*text).trim().to_owned()),
            Refusal::Prerelease => None,
        });
        let fate = Fate::OutOfRange {
            clauses: clauses.collect(),
            is_prerelease,
        };
        ended.push(end(&one.tag, Some(one.value), fate));
    }
    // Of equals the first counts.
    ranked.sort_by(|(a, _), (b, _)| b.precedence(a));
    ranked.into_iter().map(|(_, one)| one).collect()
}

fn numbers(order: Order, candidates: Vec<Candidate>, ended: &mut Vec<TracedTag>) -> Vec<Candidate> {
    let mut ranked: Vec<(f64, Candidate)> = Vec::new();
    for one in candidates {
        match strconv::parse_float(&one.value) {
            Some(number) => ranked.push((number, one)),
            None => ended.push(end(&one.tag, Some(one.value), Fate::NoNumber)),
        }
    }
    // Of equals the last counts.
    ranked.reverse();
    ranked.sort_by(|(a, _), (b, _)| {
        let ascending = b.partial_cmp(a).unwrap_or(Ordering::Equal);
        match order {
            Order::Ascending => ascending,
            Order::Descending => ascending.reverse(),
        }
    });
    ranked.into_iter().map(|(_, one)| one).collect()
}

fn end(tag: &str, value: Option<String>, fate: Fate) -> TracedTag {
    TracedTag {
        tag: tag.to_owned(),
        value,
        fate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn funnel(choice: Choice, filter: Option<(&str, &str)>, tags: &[&str]) -> Funnel {
        let filter = filter.map(|(pattern, extract)| (pattern.to_owned(), extract.to_owned()));
        let policy = Policy::new(choice, filter);
        let listed: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let none: [&str; 0] = [];
        Funnel::of(&policy, &none, &listed, &mut Budget::default()).expect("exclusions")
    }

    fn semver(range: &str) -> Choice {
        Choice::Semver(Constraint::parse(range).expect("a range"))
    }

    #[test]
    fn each_tag_says_where_its_way_ends() {
        let tags = [
            "app-1.2.3",
            "app-1.10.0",
            "app-1.11.0-rc.1",
            "app-2.0.0",
            "app-1.2",
            "latest",
            "sha256-0.sig",
        ];
        let filter = Some(("^app-(?P<v>.*)$", "$v"));
        let funnel = funnel(semver(">=1.0.0 <2"), filter, &tags);
        assert_eq!(funnel.chosen, Ok("app-1.10.0".to_owned()));
        let fate = |tag: &str| &funnel.get(tag).expect("listed").fate;
        assert_eq!(*fate("app-1.10.0"), Fate::Ranked { place: 0 });
        assert_eq!(*fate("app-1.2.3"), Fate::Ranked { place: 1 });
        assert_eq!(*fate("latest"), Fate::Unmatched);
        let pattern = "^.*\\.sig$".to_owned();
        assert_eq!(*fate("sha256-0.sig"), Fate::Excluded { pattern });
        let why = "has two parts where a version has three".to_owned();
        assert_eq!(*fate("app-1.2"), Fate::NoVersion { why });
        let out = |clauses: &[&str], is_prerelease| Fate::OutOfRange {
            clauses: clauses.iter().map(|&clause| clause.to_owned()).collect(),
            is_prerelease,
        };
        assert_eq!(*fate("app-2.0.0"), out(&["<2"], false));
        assert_eq!(*fate("app-1.11.0-rc.1"), out(&[], true));
    }

    /// Flux's choice is the same with and without the second: it is of the greatest.
    #[test]
    fn a_tag_that_is_listed_twice_counts_once() {
        let tags = ["1.0.1", "1.0.0", "x.sig", "1.0.1", "x.sig"];
        let funnel = funnel(semver("*"), None, &tags);
        let ranked: Vec<&str> = funnel.ranked().map(|one| one.tag.as_str()).collect();
        assert_eq!(ranked, ["1.0.1", "1.0.0"]);
        assert_eq!(funnel.tags.len(), 3);
    }

    #[test]
    fn one_value_of_two_tags_counts_once() {
        let filter = Some(("^(?P<v>\\d+)-\\w+$", "$v"));
        let funnel = funnel(
            Choice::Numerical(Order::Ascending),
            filter,
            &["7-a", "7-b", "6-a"],
        );
        assert_eq!(funnel.chosen, Ok("7-a".to_owned()));
        let with = "7-a".to_owned();
        assert_eq!(
            funnel.get("7-b").expect("listed").fate,
            Fate::Collided { with }
        );
        let ranked: Vec<&str> = funnel.ranked().map(|one| one.tag.as_str()).collect();
        assert_eq!(ranked, ["7-a", "6-a"]);
    }

    /// The funnel filters by itself, and chooses what the policy does.
    #[test]
    fn the_choice_is_that_of_the_policy() {
        let tags = ["1.2.3", "1.2.3-debug", "1.2.4", "latest", "v1.2.4"];
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let by_number = || Choice::Numerical(Order::Ascending);
        for (choice, filter) in [
            (semver("1.x"), None),
            (semver("2.x"), None),
            (semver("1.x"), Some(("^v?(?P<v>[0-9.]+)(-debug)?$", "$v"))),
            (semver("1.x"), Some(("^x", ""))),
            (semver("1.x"), Some(("(", ""))),
            (by_number(), None),
            (
                Choice::Alphabetical(Order::Descending),
                Some(("[0-9]$", "")),
            ),
        ] {
            let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
            let policy = Policy::new(choice, filter.map(owned));
            let none: [&str; 0] = [];
            for tags in [&tags[..], &[]] {
                let funnel = Funnel::of(&policy, &none, tags, &mut Budget::default());
                let kept = exclusion::keep(&none, tags, &mut Budget::default());
                let expected = policy.select(&kept.expect("exclusions"));
                assert_eq!(funnel.expect("exclusions").chosen, expected, "{filter:?}");
            }
        }
    }

    #[test]
    fn the_first_place_is_what_is_chosen_also_of_what_is_no_number() {
        for order in [Order::Ascending, Order::Descending] {
            let tags = ["NaN", "1", "2", "02", "-inf", "0x1p4"];
            let funnel = funnel(Choice::Numerical(order), None, &tags);
            let first = funnel.ranked().next().map(|one| one.tag.clone());
            assert_eq!(funnel.chosen.ok(), first, "{order:?}");
        }
    }
}
