//! From tags to the one tag a policy chooses, or the reason why none.

use super::{Candidate, Filter};
use crate::quote;
use go_regexp::{Budget, SyntaxError};
use go_template::strconv;
use masterminds_semver::{Constraint, ConstraintError, Version, VersionFault};

/// How a policy compares tags.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The greatest version in a range.
    Semver(Constraint),
    /// By bytes of the text.
    Alphabetical(Order),
    /// As numbers.
    Numerical(Order),
}

/// Which end of the order is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The greatest is the latest (`asc`, and the default).
    Ascending,
    /// The smallest is the latest (`desc`).
    Descending,
}

impl Order {
    /// Reads `order` as Flux does: upper-cased first, nothing trimmed.
    ///
    /// # Errors
    /// Any word but ASC, DESC and none.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        match text.to_uppercase().as_str() {
            "" | "ASC" => Ok(Self::Ascending),
            "DESC" => Ok(Self::Descending),
            upper => Err(InvalidPolicy::Order(upper.to_owned())),
        }
    }
}

/// `spec.policy` and `spec.filterTags` of an ImagePolicy, checked.
#[derive(Clone, Debug)]
pub struct Policy {
    choice: Choice,
    /// Compiled only when there are tags: a bad pattern is noticed no sooner
    /// in Flux.
    filter: Option<(String, String)>,
}

/// A `spec.policy` that can choose nothing from any tags (Flux: InvalidPolicy).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// None of semver, alphabetical, numerical is set.
    #[error("given ImagePolicyChoice object is invalid")]
    Empty,
    /// `semver.range` is not a constraint.
    #[error(transparent)]
    Range(#[from] ConstraintError),
    /// `order` is neither ASC nor DESC; the word is upper-cased.
    #[error("invalid order argument provided: '{0}', must be one of: ASC, DESC")]
    Order(String),
}

/// Why a valid policy chose no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChosenNothing {
    /// The repository has no tags.
    #[error("no tags in database")]
    NoTags,
    /// `filterTags.pattern` is no Go regular expression.
    #[error("failed to filter tags: invalid regular expression pattern '{pattern}'")]
    BadPattern {
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        source: SyntaxError,
    },
    /// No tag matches `filterTags.pattern`.
    #[error("version list argument cannot be empty")]
    AllFiltered,
    /// No tag is a version in the range; the one that comes nearest, and why it is none.
    #[error("unable to determine latest version from provided list")]
    NoneInRange(Option<Nearest>),
    /// A value is not a number; one such value fails the whole policy.
    #[error("failed to parse invalid numeric value '{value}'")]
    NotNumeric {
        /// The value, after extraction.
        value: String,
    },
}

/// A value that is no version in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The value.
    pub value: String,
    /// What it is instead, to follow it.
    pub why: String,
}

impl ChosenNothing {
    /// The reason in plain words, where Flux's are not.
    #[must_use]
    pub fn plainly(&self) -> Option<String> {
        Some(match self {
            Self::NoTags => "there are no tags, or `exclusionList` leaves none".to_owned(),
            Self::AllFiltered => "no tag matches `filterTags.pattern`".to_owned(),
            Self::NoneInRange(None) => "no tag that is left is a version in the range".to_owned(),
            Self::NoneInRange(Some(Nearest { value, why })) => {
                let value = quote::at_most(value, 200);
                format!(
                    "no tag that is left is a version in the range: the nearest, `{value}`, {why}"
                )
            }
            _ => return None,
        })
    }

    /// Whether Flux gives up until the policy changes, rather than retrying.
    #[must_use]
    pub fn stalls(&self) -> bool {
        matches!(self, Self::BadPattern { .. })
    }
}

impl Policy {
    /// A policy that compares by `choice` what `filter` (pattern, extract)
    /// leaves.
    #[must_use]
    pub fn new(choice: Choice, filter: Option<(String, String)>) -> Self {
        Self { choice, filter }
    }

    /// How it compares.
    #[must_use]
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Its filter, as written: pattern and extract.
    #[must_use]
    pub fn filter(&self) -> Option<(&str, &str)> {
        let filter = self.filter.as_ref();
        filter.map(|(pattern, extract)| (pattern.as_str(), extract.as_str()))
    }

    /// Whether one tag is lower than another by what this policy compares of them: versions
    /// or numbers. `None` where it compares nothing of one of them, or only bytes, which say
    /// nothing of what is lower, or takes the lower for the later.
    #[must_use]
    pub fn is_lower(&self, one: &str, other: &str, budget: &mut Budget) -> Option<bool> {
        let values = match &self.filter {
            None => [one.to_owned(), other.to_owned()],
            Some((pattern, extract)) => {
                let filter = Filter::new(pattern, extract, budget).ok()?;
                let tags = [one, other];
                let mut values = filter.values(&tags);
                [values.next()??, values.next()??]
            }
        };
        if let Choice::Numerical(order) = &self.choice {
            let [one, other] = values.map(|value| strconv::parse_float(&value));
            return Some(one? < other?).filter(|_| *order == Order::Ascending);
        }
        let [one, other] = values.map(|value| Version::parse_tag(&value).ok());
        Some(one?.precedence(&other?).is_lt())
    }

    /// The latest tag of `tags`, which come in the order Flux stores them:
    /// bytewise descending.
    ///
    /// # Errors
    /// The one reason why nothing was chosen.
    pub fn select<S: AsRef<str>>(&self, tags: &[S]) -> Result<String, ChosenNothing> {
        self.select_within(tags, &mut Budget::default())
    }

    /// As [`Self::select`], with what is left for the patterns of a run.
    ///
    /// # Errors
    /// The one reason why nothing was chosen.
    pub fn select_within<S: AsRef<str>>(
        &self,
        tags: &[S],
        budget: &mut Budget,
    ) -> Result<String, ChosenNothing> {
        if tags.is_empty() {
            return Err(ChosenNothing::NoTags);
        }
        let Some(filter) = self.compiled(budget)? else {
            let values = || tags.iter().map(AsRef::as_ref);
            let latest = self.latest(values)?;
            return Ok(tags[latest].as_ref().to_owned());
        };
        let candidates = filter.apply(tags);
        self.latest_of(&candidates)
    }

    /// Whether the filter can be compiled.
    ///
    /// # Errors
    /// Why not.
    pub fn check_filter(&self, budget: &mut Budget) -> Result<(), ChosenNothing> {
        self.compiled(budget).map(drop)
    }

    fn compiled(&self, budget: &mut Budget) -> Result<Option<Filter>, ChosenNothing> {
        let Some((pattern, extract)) = &self.filter else {
            return Ok(None);
        };
        let filter = Filter::new(pattern, extract, budget);
        let filter = filter.map_err(|source| ChosenNothing::BadPattern {
            pattern: pattern.clone(),
            source,
        })?;
        Ok(Some(filter))
    }

    /// The latest of the tags that the filter leaves, which come bytewise descending.
    pub(super) fn latest_of(&self, candidates: &[Candidate]) -> Result<String, ChosenNothing> {
        if candidates.is_empty() {
            return Err(ChosenNothing::AllFiltered);
        }
        let latest = self.latest(|| candidates.iter().map(|c| c.value.as_str()))?;
        Ok(candidates[latest].tag.clone())
    }

    /// The position of the latest value.
    fn latest<'v, I>(&self, values: impl Fn() -> I) -> Result<usize, ChosenNothing>
    where
        I: Iterator<Item = &'v str>,
    {
        let found = match &self.choice {
            Choice::Semver(range) => {
                let found = latest_version(values(), range);
                return found.ok_or_else(|| ChosenNothing::NoneInRange(nearest(values(), range)));
            }
            Choice::Alphabetical(Order::Ascending) => {
                // The first of equals: `max_by` would take the last.
                values()
                    .enumerate()
                    .reduce(|best, next| if next.1 > best.1 { next } else { best })
                    .map(|(i, _)| i)
            }
            Choice::Alphabetical(Order::Descending) => values()
                .enumerate()
                .reduce(|best, next| if next.1 < best.1 { next } else { best })
                .map(|(i, _)| i),
            Choice::Numerical(order) => latest_number(values(), *order)?,
        };
        found.ok_or(ChosenNothing::NoneInRange(None))
    }
}

/// The value that comes nearest to a version in a range: one whose first numbers would
/// be one, else the greatest version, else one that begins as a version does.
fn nearest<'v>(values: impl Iterator<Item = &'v str>, range: &Constraint) -> Option<Nearest> {
    let mut greatest: Option<(&str, Version)> = None;
    let mut other = None;
    for text in values {
        match Version::parse_tag(text) {
            Ok(version) => {
                let leads = |(_, best): &(&str, Version)| version.precedence(best).is_gt();
                if greatest.as_ref().is_none_or(leads) {
                    greatest = Some((text, version));
                }
            }
            Err(fault) => {
                let Some(numbers) = leading_numbers(text) else {
                    continue;
                };
                let found = || Nearest {
                    value: text.to_owned(),
                    why: why_none(text, fault),
                };
                if range.admits(&Version::of(numbers, "")) {
                    return Some(found());
                }
                other = other.or_else(|| Some(found()));
            }
        }
    }
    let of_version = greatest.map(|(text, version)| Nearest {
        value: text.to_owned(),
        why: match version.is_prerelease() && range.admits(&Version::of(version.numbers(), "")) {
            true => "is a prerelease, which the range does not admit".to_owned(),
            false => format!("is not in `{}`", range.as_str()),
        },
    });
    of_version.or(other)
}

/// The first three numbers of a text that begins as a version does.
fn leading_numbers(text: &str) -> Option<[u64; 3]> {
    let text = text.trim_start_matches(['v', 'V']);
    let core = text.split(['-', '+', '_']).next()?;
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    let first = parts.next()??;
    let mut next = || parts.next().flatten().unwrap_or(0);
    Some([first, next(), next()])
}

/// Why a text is no version, to follow it.
pub(super) fn why_none(text: &str, fault: VersionFault) -> String {
    if text.starts_with('V') {
        return "begins with a capital `V`".to_owned();
    }
    if fault == VersionFault::Form && Version::parse_tag(&text.replacen('_', "+", 1)).is_ok() {
        return "has a `_` where a version has a `+` or a `-`".to_owned();
    }
    if !text
        .trim_start_matches('v')
        .starts_with(|c: char| c.is_ascii_digit())
    {
        return "does not begin with a number".to_owned();
    }
    let core = text.trim_start_matches('v').split(['-', '+', '_']).next();
    let parts = core.unwrap_or_default().split('.').count();
    match parts {
        1 => "has one part where a version has three".to_owned(),
        2 => "has two parts where a version has three".to_owned(),
        4 => "has four parts where a version has three".to_owned(),
        _ => faulty(text, fault).to_owned(),
    }
}

/// What is wrong with a text of three parts, to follow it.
fn faulty(text: &str, fault: VersionFault) -> &'static str {
    match fault {
        VersionFault::Form | VersionFault::TooFewDots => "is not of the form MAJOR.MINOR.PATCH",
        VersionFault::TooLong if text.len() > 256 => "is longer than 256 bytes",
        VersionFault::TooLong => "has a number of more than 64 bits",
        VersionFault::LeadingZero => "has a numeric prerelease identifier with a leading zero",
    }
}

/// The greatest version in the range; of equals the first.
fn latest_version<'v>(values: impl Iterator<Item = &'v str>, range: &Constraint) -> Option<usize> {
    let mut best: Option<(usize, Version)> = None;
    for (index, text) in values.enumerate() {
        let Ok(version) = Version::parse_tag(text) else {
            continue;
        };
        let leads = best
            .as_ref()
            .is_none_or(|(_, best)| version.precedence(best).is_gt());
        if leads && range.admits(&version) {
            best = Some((index, version));
        }
    }
    best.map(|(index, _)| index)
}

/// The position of the latest value. Of equals the last is chosen, and a NaN
/// takes the lead and loses it to whatever follows, as in Flux.
fn latest_number<'v>(
    values: impl Iterator<Item = &'v str>,
    order: Order,
) -> Result<Option<usize>, ChosenNothing> {
    let mut best: Option<(usize, f64)> = None;
    for (index, text) in values.enumerate() {
        let value = strconv::parse_float(text).ok_or_else(|| ChosenNothing::NotNumeric {
            value: text.to_owned(),
        })?;
        let keeps = best.is_some_and(|(_, best)| match order {
            Order::Ascending => best > value,
            Order::Descending => best < value,
        });
        if !keeps {
            best = Some((index, value));
        }
    }
    Ok(best.map(|(index, _)| index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lower_goes_by_what_is_compared() {
        let semver = || Choice::Semver(Constraint::parse("1.x").expect("a range"));
        let number = || Choice::Numerical(Order::Ascending);
        let ends = Some((r"-r?(?P<n>\d+)$", "$n"));
        for (choice, filter, one, other, expected) in [
            (number(), ends, "1.2-r9", "1.2-r10", Some(true)),
            (number(), ends, "1.2-r10", "1.2-r9", Some(false)),
            (number(), ends, "1.2-r10", "latest", None),
            (number(), None, "9", "1e1", Some(true)),
            (Choice::Numerical(Order::Descending), None, "9", "10", None),
            (semver(), None, "1.2.3", "2.0.0", Some(true)),
            (semver(), None, "1.2.3", "1.2", None),
            (
                Choice::Alphabetical(Order::Ascending),
                ends,
                "a-9",
                "a-10",
                None,
            ),
            (
                Choice::Alphabetical(Order::Ascending),
                None,
                "1.9.0",
                "1.10.0",
                Some(true),
            ),
        ] {
            let filter = filter.map(|(pattern, extract)| (pattern.to_owned(), extract.to_owned()));
            let policy = Policy::new(choice, filter);
            let found = policy.is_lower(one, other, &mut Budget::default());
            assert_eq!(found, expected, "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_tag_says_why_it_is_none() {
        for (range, tags, expected) in [
            (
                "1.x",
                &["1.28.0.5999", "latest"][..],
                "the nearest, `1.28.0.5999`, has four parts where a version has three",
            ),
            (">=1.0.0", &["v1.2", "main-7"], "`v1.2`, has two parts"),
            (
                ">=1.0.0",
                &["V1.2.3"],
                "`V1.2.3`, begins with a capital `V`",
            ),
            ("<2", &["3.0.0", "2.1.0"], "`3.0.0`, is not in `<2`"),
            (">=1.0.0", &["1.2.3-rc.1"], "`1.2.3-rc.1`, is a prerelease"),
            (
                ">=1.0.0",
                &["1.2.3-01"],
                "`1.2.3-01`, has a numeric prerelease identifier with a leading zero",
            ),
            (
                ">=1.0.0",
                &["1.18446744073709551616.0"],
                "has a number of more than 64 bits",
            ),
            (">=1.0.0", &["1.2.3_2"], "has a `_` where a version has"),
            (
                ">=1.0.0",
                &["latest"],
                "no tag that is left is a version in the range",
            ),
        ] {
            let range = Constraint::parse(range).expect("a range");
            let policy = Policy::new(Choice::Semver(range), None);
            let nothing = policy.select(tags).expect_err("nothing");
            let said = nothing.plainly().expect("plain words");
            assert!(said.contains(expected), "{tags:?}: {said}");
            assert_eq!(
                nothing.to_string(),
                "unable to determine latest version from provided list"
            );
        }
    }
}
