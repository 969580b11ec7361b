//! Policies that hints write. Each is run on the known tags before it is said: it must choose
//! something, accept what the files hold now, and be without what is found.

use std::collections::BTreeMap;

use super::natural::naturally;
use super::{LOOKED_AT, TracedTags, orders, patterns};
use crate::insight::tag_scheme::{PolicyScheme, SchemeOrder, TagScheme};
use crate::policy::funnel::Funnel;
use crate::policy::{Choice, Order, Policy};
use go_regexp::Budget;
use masterminds_semver::Constraint;

/// A policy, as a hint writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mend {
    /// `filterTags`: pattern and extract.
    pub filter: Option<(String, String)>,
    /// `policy`.
    pub by: By,
}

/// How a policy compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// As versions, in this range.
    Semver(String),
    /// By bytes.
    Alphabetical(Order),
    /// As numbers.
    Numerical(Order),
}

impl Mend {
    /// A policy as it is.
    pub(super) fn of_policy(policy: &Policy) -> Self {
        let filter = policy.filter();
        Self {
            filter: filter.map(|(pattern, extract)| (pattern.to_owned(), extract.to_owned())),
            by: match policy.choice() {
                Choice::Semver(range) => By::Semver(range.as_str().to_owned()),
                Choice::Alphabetical(order) => By::Alphabetical(*order),
                Choice::Numerical(order) => By::Numerical(*order),
            },
        }
    }

    fn of_scheme(scheme: PolicyScheme) -> Self {
        Self {
            filter: Some((scheme.pattern, scheme.extract.unwrap_or_default())),
            by: match scheme.by {
                SchemeOrder::Semver(range) => By::Semver(range),
                SchemeOrder::Numerical => By::Numerical(Order::Ascending),
                SchemeOrder::Alphabetical => By::Alphabetical(Order::Ascending),
            },
        }
    }

    /// The same with another order.
    pub(super) fn by(&self, by: By) -> Self {
        Self {
            by,
            filter: self.filter.clone(),
        }
    }

    /// The same with another filter.
    pub(super) fn filtered(&self, pattern: String, extract: &str) -> Self {
        Self {
            filter: Some((pattern, extract.to_owned())),
            by: self.by.clone(),
        }
    }

    /// The pattern, empty where there is none.
    pub(super) fn pattern(&self) -> &str {
        self.filter
            .as_ref()
            .map_or("", |(pattern, _)| pattern.as_str())
    }

    fn policy(&self) -> Option<Policy> {
        let choice = match &self.by {
            By::Semver(range) => Choice::Semver(Constraint::parse(range).ok()?),
            By::Alphabetical(order) => Choice::Alphabetical(*order),
            By::Numerical(order) => Choice::Numerical(*order),
        };
        Some(Policy::new(choice, self.filter.clone()))
    }

    /// The policy as it is written, without a filter that stays as it is.
    pub(super) fn written(&self, before: &Self) -> String {
        let order = |order: &Order| match order {
            Order::Ascending => "asc",
            Order::Descending => "desc",
        };
        let by = match &self.by {
            By::Semver(range) => format!("semver: {{range: {}}}", quoted(range)),
            By::Alphabetical(by) => format!("alphabetical: {{order: {}}}", order(by)),
            By::Numerical(by) => format!("numerical: {{order: {}}}", order(by)),
        };
        let by = format!("`policy: {{{by}}}`");
        let filter = self
            .filter
            .as_ref()
            .filter(|_| self.filter != before.filter);
        let Some((pattern, extract)) = filter else {
            return by;
        };
        let extract = match extract.as_str() {
            "" => String::new(),
            plain if plain.starts_with('$') && !plain.contains(['#', ':', '{', '}', ',']) => {
                format!(", extract: {plain}")
            }
            other => format!(", extract: {}", quoted(other)),
        };
        format!(
            "`filterTags: {{pattern: {}{extract}}}`, {by}",
            quoted(pattern)
        )
    }
}

/// Whether a tag is of the variant of one of those that the files hold now, if they hold any.
fn keeps_variant(current: &[&str], tag: &str) -> bool {
    let is_alike = |one: &&str| {
        let (one, tag) = orders::with_one_hash(one, tag);
        TagScheme::of(&one).variant() == TagScheme::of(&tag).variant()
    };
    current.is_empty() || current.iter().any(is_alike)
}

/// A YAML scalar in single quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// When what is found is gone.
#[derive(Clone, Copy)]
pub(super) enum Gone<'g> {
    /// As soon as anything is chosen, of a variant that is there now.
    Any,
    /// By the tag that is chosen.
    By(&'g dyn Fn(&str) -> bool),
    /// By what becomes of all tags.
    Look(&'g dyn Fn(&Policy, &Funnel) -> bool),
}

impl<'l> TracedTags<'l> {
    /// The first of some policies that is proved: on the known tags it chooses something, it
    /// accepts each tag of `current` that is among these, and what is found is gone.
    pub(super) fn first_proved(
        &self,
        mends: impl IntoIterator<Item = Mend>,
        current: &[&str],
        gone: Gone<'_>,
    ) -> Option<Mend> {
        let mut tried: Vec<Mend> = vec![Mend::of_policy(&self.checked)];
        mends.into_iter().find(|mend| {
            let is_new = !tried.contains(mend);
            tried.push(mend.clone());
            is_new && self.proves(mend, current, gone)
        })
    }

    fn proves(&self, mend: &Mend, current: &[&str], gone: Gone<'_>) -> bool {
        let Some(policy) = mend.policy() else {
            return false;
        };
        let mut budget = Budget::default();
        // What costs least goes first: lists may have tens of thousands of tags.
        let mut listed = current.iter().filter(|tag| self.offered.has(tag));
        if !listed.all(|tag| policy.select_within(&[tag], &mut budget).is_ok()) {
            return false;
        }
        match gone {
            Gone::Any => {
                let chosen = policy.select_within(self.offered.kept(), &mut budget);
                chosen.is_ok_and(|tag| keeps_variant(current, &tag))
            }
            Gone::By(is_gone) => {
                let chosen = policy.select_within(self.offered.kept(), &mut budget);
                chosen.is_ok_and(|tag| is_gone(&tag))
            }
            Gone::Look(is_gone) => {
                let funnel = Funnel::of_offered(&policy, self.offered, &mut budget);
                funnel.chosen.is_ok() && is_gone(&policy, &funnel)
            }
        }
    }

    /// Policies that keep to how tags are made: each with the order of the policy, where that
    /// is of one kind, and with its own.
    pub(super) fn like(&self, tags: &[&str]) -> Vec<Mend> {
        let own = Mend::of_policy(&self.checked);
        let is_line = patterns::names_numbers(own.pattern());
        let own = own.by;
        let mut mends = Vec::new();
        for tag in tags {
            let Ok(scheme) = PolicyScheme::of(tag) else {
                continue;
            };
            let mend = Mend::of_scheme(scheme);
            let is_alike = std::mem::discriminant(&mend.by) == std::mem::discriminant(&own);
            let alike = is_alike.then(|| mend.by(own.clone()));
            // A pattern of one line keeps the range of its line.
            if is_line {
                mends.extend([mend].into_iter().chain(alike));
            } else {
                mends.extend(alike.into_iter().chain([mend]));
            }
        }
        mends
    }

    /// A tag of each of the largest families among the tags, the latest of it that is looked
    /// at; the largest first.
    pub(super) fn families(&self) -> Vec<&'l str> {
        let kept = self.offered.kept();
        let step = kept.len() / LOOKED_AT + 1;
        let mut families: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for tag in kept.iter().step_by(step) {
            let Ok(scheme) = PolicyScheme::of(tag) else {
                continue;
            };
            let known = families.entry(scheme.pattern).or_insert((0, tag));
            known.0 += 1;
            if naturally(tag, known.1).is_gt() {
                known.1 = tag;
            }
        }
        let mut families: Vec<(usize, &str)> = families.into_values().collect();
        families.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| naturally(other, one)));
        families.into_iter().map(|(_, tag)| tag).take(3).collect()
    }
}
