//! Rules on policies and the tags that come to them.

use std::collections::BTreeMap;

use super::mends::{By, Gone, Mend};
use super::natural::naturally;
use super::orders::{self, Disorder};
use super::{LOOKED_AT, PolicyFacts, Texts, TracedTags, mends, patterns, ranges};
use crate::finding::{Code, Finding, Severity};
use crate::insight::explain;
use crate::insight::tag_scheme::{Core, TagScheme};
use crate::policy::funnel::{Fate, Funnel, Step, TracedTag};
use crate::policy::select::Nearest;
use crate::policy::{Choice, ChosenNothing, Filter, Order, Policy};
use crate::quote;
use go_regexp::Budget;
use go_template::strconv;
use masterminds_semver::{Constraint, Version};
use oci_tags::image::is_tag;

const PATTERN: &str = "spec.filterTags.pattern";
const EXTRACT: &str = "spec.filterTags.extract";
const RANGE: &str = "spec.policy.semver.range";

/// What is wrong with a policy. `outcome` is what has been said of its values, which is not
/// said again in other words.
pub(super) fn look(
    facts: &PolicyFacts<'_>,
    texts: &Texts<'_>,
    outcome: &[Finding],
    budget: &mut Budget,
) -> Vec<Finding> {
    let mut look = Look {
        facts,
        texts,
        outcome,
        findings: Vec::new(),
    };
    look.range();
    look.unused();
    if let Some(traced) = &facts.traced {
        match &traced.funnel.chosen {
            Ok(chosen) => look.chosen(traced, chosen, budget),
            Err(nothing) => look.nothing(traced, nothing),
        }
        look.collisions(traced);
    }
    look.findings
}

struct Look<'a, 'l> {
    facts: &'a PolicyFacts<'l>,
    texts: &'a Texts<'a>,
    outcome: &'a [Finding],
    findings: Vec<Finding>,
}

/// A tag, in a sentence.
fn shown(tag: &str) -> String {
    quote::at_most(tag, 200).into_owned()
}

impl Look<'_, '_> {
    fn warn(&mut self, code: Code, field: &str, message: String, hint: String) {
        self.say((Severity::Warning, code), field, message, hint);
    }

    fn say(&mut self, weight: (Severity, Code), field: &str, message: String, hint: String) {
        let finding = self.facts.finding(self.texts, weight, field, message);
        self.findings.push(finding.hint(hint));
    }

    fn unused(&mut self) {
        let is_suspended = self.facts.policy.document.spec.suspend;
        if !self.facts.uses.is_empty() || self.facts.is_unread || is_suspended {
            return;
        }
        let id = self.facts.id;
        let message = "has no value that is marked with it".to_owned();
        let hint = match self.facts.commented {
            Some(at) => format!(
                "bring back the line with its marker that is commented out, at {at}, or take the policy out"
            ),
            None => {
                format!("mark one with `# {{\"$imagepolicy\": \"{id}\"}}`, or take the policy out")
            }
        };
        self.warn(Code::UnusedPolicy, "", message, hint);
    }

    /// A range that reads as something else than it means.
    fn range(&mut self) {
        let Some(semver) = &self.facts.policy.document.spec.policy.semver else {
            return;
        };
        let Some((what, ranges)) = ranges::odd(&semver.range) else {
            return;
        };
        let range = match &self.facts.traced {
            None => ranges.first().cloned(),
            Some(traced) => {
                let own = Mend::of_policy(&traced.checked);
                let mends = ranges.iter().map(|range| own.by(By::Semver(range.clone())));
                let proved = traced.first_proved(mends, &self.currents(), Gone::Any);
                proved.and_then(|mend| match mend.by {
                    By::Semver(range) => Some(range),
                    _ => None,
                })
            }
        };
        let hint = match range {
            Some(range) => format!("write `{range}`"),
            None => "write the bounds that are meant, as `>=1.0.0 <2.0.0`".to_owned(),
        };
        let message = format!("has the range `{}`: {what}", semver.range);
        self.warn(Code::OddRange, RANGE, message, hint);
    }

    /// Why nothing is chosen, where the list of tags tells more than the error does.
    fn nothing(&mut self, traced: &TracedTags<'_>, nothing: &ChosenNothing) {
        match nothing {
            ChosenNothing::AllFiltered => {
                let kept = traced.offered.kept();
                let message = format!(
                    "has a pattern that matches none of {} tags, such as {}",
                    kept.len(),
                    quote::list(kept.iter().rev().take(3))
                );
                let words = "no tag looks as the pattern has it: try others with `flux-image explain NAME --pattern`";
                let pattern = traced.checked.filter().map_or("", |(pattern, _)| pattern);
                let is_line = patterns::names_numbers(pattern) || patterns::names_words(pattern);
                self.matches_nothing(traced, PATTERN, message, words, is_line);
            }
            ChosenNothing::NoTags if !traced.known.tags.is_empty() => {
                let message = format!(
                    "gets none of {} tags: `exclusionList` of its ImageRepository leaves none",
                    traced.known.tags.len()
                );
                let hint = "take patterns out of `exclusionList`".to_owned();
                self.say((Severity::Error, Code::MatchesNothing), "", message, hint);
            }
            ChosenNothing::NotNumeric { value } if !self.extracts_nothing(traced) => {
                self.not_a_number(traced, value);
            }
            ChosenNothing::NoneInRange(nearest) => {
                let is_told = self.extracts_nothing(traced) || self.prereleases_alone(traced);
                if !is_told {
                    self.none_in_range(traced, nearest.as_ref());
                }
            }
            _ => {}
        }
    }

    /// What could be in the place of a policy that chooses nothing; `is_line` where it asks for
    /// one line of versions.
    fn matches_nothing(
        &mut self,
        traced: &TracedTags<'_>,
        field: &str,
        message: String,
        words: &str,
        is_line: bool,
    ) {
        let own = Mend::of_policy(&traced.checked);
        let with_blanks = match &own.by {
            By::Semver(range) => ranges::with_blanks(range),
            _ => None,
        };
        let odd = match &own.by {
            By::Semver(range) => ranges::odd(range).map(|(_, ranges)| ranges),
            _ => None,
        };
        let spelled = with_blanks.into_iter().chain(odd.unwrap_or_default());
        let spelled: Vec<Mend> = spelled.map(|range| own.by(By::Semver(range))).collect();
        let mends = spelled.iter().cloned();
        let mends = mends.chain(traced.like(&self.likely(traced)));
        let proved = traced.first_proved(mends, &self.currents(), Gone::Any);
        // One version is asked for, whatever the files hold.
        let is_version =
            matches!(&own.by, By::Semver(range) if field == RANGE && ranges::is_version(range));
        let is_line = is_version || is_line && self.currents().is_empty();
        let hint = match proved {
            Some(mend) if is_line && !spelled.contains(&mend) => {
                format!(
                    "no tag of the line that is asked for is listed; to follow what is listed: {}",
                    mend.written(&own)
                )
            }
            Some(mend) => format!("write {}", mend.written(&own)),
            None => words.to_owned(),
        };
        self.say(
            (Severity::Error, Code::MatchesNothing),
            field,
            message,
            hint,
        );
    }

    fn none_in_range(&mut self, traced: &TracedTags<'_>, nearest: Option<&Nearest>) {
        let count = traced.offered.kept().len();
        let message = match nearest {
            Some(Nearest { value, why }) => format!(
                "chooses none of {count} tags: the nearest, `{}`, {why}",
                shown(value)
            ),
            None => {
                let kept = traced.offered.kept().iter().take(3);
                format!(
                    "chooses none of {count} tags: none of them is a version, such as {}",
                    quote::list(kept)
                )
            }
        };
        let words = "widen the range, or have `filterTags` extract versions of three parts; `flux-image explain` tells what becomes of each tag";
        let is_line = nearest.is_some_and(|nearest| nearest.why.starts_with("is not in"));
        self.matches_nothing(traced, RANGE, message, words, is_line);
    }

    fn not_a_number(&mut self, traced: &TracedTags<'_>, value: &str) {
        let message = match value {
            "" => "compares numbers, and `extract` leaves nothing of some tags, which fails the whole policy".to_owned(),
            value => format!(
                "compares numbers, and `{}` is none, which fails the whole policy",
                shown(value)
            ),
        };
        let mut mends = traced.like(&self.likely(traced));
        mends.sort_by_key(|mend| !matches!(mend.by, By::Numerical(_)));
        let own = Mend::of_policy(&traced.checked);
        let proved = traced.first_proved(mends, &self.currents(), Gone::Any);
        let hint = match proved {
            Some(mend) => format!("let numbers alone come to it: {}", mend.written(&own)),
            None => {
                "have `filterTags.pattern` leave it out, or `extract` the number in it".to_owned()
            }
        };
        self.say(
            (Severity::Error, Code::NotANumber),
            "spec.policy",
            message,
            hint,
        );
    }

    fn prereleases_alone(&mut self, traced: &TracedTags<'_>) -> bool {
        let mut out = traced.funnel.ended_at(Step::Range).peekable();
        let first = out.peek().map(|one| one.tag.clone());
        let is_prerelease = |one: &TracedTag| match &one.fate {
            Fate::OutOfRange { is_prerelease, .. } => *is_prerelease,
            _ => false,
        };
        let Some(first) = first.filter(|_| out.all(is_prerelease)) else {
            return false;
        };
        let message = format!(
            "gets prereleases alone, such as `{}`, and its range admits none",
            shown(&first)
        );
        let range = explain::with_prereleases(traced.checked.choice());
        let own = Mend::of_policy(&traced.checked);
        let opened = own.by(By::Semver(range.clone()));
        let mends = [opened.clone()].into_iter();
        let mends = mends.chain(traced.like(&self.currents()));
        let hint = match traced.first_proved(mends, &self.currents(), Gone::Any) {
            Some(mend) if mend == opened => format!("write `{range}`"),
            Some(mend) => format!("write {}", mend.written(&own)),
            None => "give the range a prerelease, as `>=1.0.0-0`".to_owned(),
        };
        let error = (Severity::Error, Code::OnlyPrereleases);
        self.say(error, RANGE, message, hint);
        true
    }

    /// What is odd about what is chosen.
    fn chosen(&mut self, traced: &TracedTags<'_>, chosen: &str, budget: &mut Budget) {
        match traced.checked.choice() {
            Choice::Semver(range) => {
                self.dropped(traced, range, chosen);
                self.accident(traced, range);
                self.equals(traced, RANGE);
                self.prereleases(traced);
            }
            // Joined numbers are no one number, so nothing else tells their order.
            Choice::Alphabetical(Order::Ascending)
                if self.joined(traced, chosen, budget).is_some() => {}
            Choice::Numerical(Order::Ascending)
                if self.joined(traced, chosen, budget) == Some(true) => {}
            Choice::Alphabetical(order) => self.bytes(traced, chosen, *order),
            Choice::Numerical(Order::Descending) => {
                self.equals(traced, "spec.policy.numerical");
                self.oldest(traced, chosen);
            }
            Choice::Numerical(Order::Ascending) => self.decimals(traced),
        }
        self.variants(traced, chosen);
        self.unanchored(traced, budget);
    }

    /// Numbers of different lengths that `extract` puts beside each other, so that their order
    /// is not that of their values; whether there are. `None` where it puts no numbers so.
    fn joined(
        &mut self,
        traced: &TracedTags<'_>,
        chosen: &str,
        budget: &mut Budget,
    ) -> Option<bool> {
        let (pattern, extract) = traced.checked.filter()?;
        let apart = patterns::apart(extract)?;
        let filter = Filter::new(pattern, &apart, budget).ok()?;
        let ranked: Vec<&TracedTag> = traced.funnel.ranked().take(LOOKED_AT).collect();
        let tags: Vec<&str> = ranked.iter().map(|one| one.tag.as_str()).collect();
        let values: Vec<String> = (filter.values(&tags))
            .map(Option::unwrap_or_default)
            .collect();
        let is_number = |value: &&String| {
            let mut parts = value.split(['-', '.']);
            parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        };
        let numbers = values
            .iter()
            .enumerate()
            .filter(|(_, value)| is_number(value));
        let latest = numbers.max_by(|(_, one), (_, other)| naturally(one, other));
        let first = values.first().filter(is_number)?;
        let (place, latest) = latest?;
        if naturally(latest, first).is_le() {
            return Some(false);
        }
        let value = |at: usize| shown(ranked[at].value.as_deref().unwrap_or_default());
        let latest = tags[place];
        let message = format!(
            "joins numbers of different lengths: it takes `{}`, of `{}`, for later than `{}`, of `{}`",
            value(0),
            shown(chosen),
            value(place),
            shown(latest)
        );
        let own = Mend::of_policy(&traced.checked);
        let mends = traced.like(&[latest]);
        let proved = traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag == latest));
        let hint = match proved {
            Some(mend) => format!("compare each number: {}", mend.written(&own)),
            None => "compare each number: `extract` them with dots between, as `$year.$month.$day`, with `policy: {semver: {range: '>=0.0.0'}}`; or have the build write numbers of one length".to_owned(),
        };
        self.warn(Code::UnorderedValues, EXTRACT, message, hint);
        Some(true)
    }

    /// Values that an order by bytes does not put right.
    fn bytes(&mut self, traced: &TracedTags<'_>, chosen: &str, order: Order) {
        if order == Order::Descending {
            self.oldest(traced, chosen);
            return;
        }
        let ranked: Vec<(&str, &str)> = (traced.funnel.ranked())
            .filter_map(|one| Some((one.tag.as_str(), one.value.as_deref()?)))
            .collect();
        let values: Vec<&str> = ranked.iter().map(|(_, value)| *value).collect();
        let field = "spec.policy.alphabetical";
        let (message, latest, days_first) = match orders::of_bytes(&values) {
            None => return self.word_before_release(traced, chosen),
            Some(Disorder::Hashes) => {
                let message = format!(
                    "sorts hashes of commits, which say nothing of which is later; it chooses `{}`",
                    shown(chosen)
                );
                let hint = with_numbers(chosen);
                return self.warn(Code::UnorderedValues, field, message, hint);
            }
            Some(Disorder::Numbers(place)) => (
                format!(
                    "sorts numbers by bytes: it takes `{}` for later than `{}`",
                    shown(values[0]),
                    shown(values[place])
                ),
                Some(ranked[place].0),
                false,
            ),
            Some(Disorder::Dates(place)) => (
                format!(
                    "sorts dates by bytes whose year comes last; it chooses `{}`",
                    shown(chosen)
                ),
                place.map(|place| ranked[place].0),
                orders::is_days_first(&values),
            ),
        };
        let own = Mend::of_policy(&traced.checked);
        let proved = latest.and_then(|latest| {
            let date = orders::date_filter(latest, days_first);
            let by_date = date.map(|(pattern, extract)| {
                own.filtered(pattern, &extract)
                    .by(By::Semver(">=0.0.0".to_owned()))
            });
            let mends = [
                own.by(By::Numerical(Order::Ascending)),
                own.by(By::Semver(">=0.0.0".to_owned())),
                own.by(By::Semver(">=0.0.0-0".to_owned())),
            ];
            let mends = mends
                .into_iter()
                .chain(by_date)
                .chain(traced.like(&[latest]));
            traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag == latest))
        });
        let hint = match proved {
            Some(mend) => format!("compare the numbers: {}", mend.written(&own)),
            None => "compare numbers: `filterTags` with `extract`, and `policy: {numerical: {order: asc}}`; or have the build write numbers of one length, and dates with the year first".to_owned(),
        };
        self.warn(Code::UnorderedValues, field, message, hint);
    }

    /// A prerelease that comes before its release by bytes, since it is longer.
    fn word_before_release(&mut self, traced: &TracedTags<'_>, chosen: &str) {
        let scheme = TagScheme::of(chosen);
        if !scheme.is_prerelease() || !matches!(scheme.core, Core::Version(_)) {
            return;
        }
        let mut ranked = traced.funnel.ranked().take(LOOKED_AT);
        let release = ranked.find(|one| {
            let other = TagScheme::of(&one.tag);
            (other.prefix, other.core) == (scheme.prefix, scheme.core)
                && !other.is_prerelease()
                && other.variant() == scheme.variant()
        });
        let Some(release) = release else { return };
        let message = format!(
            "chooses the prerelease `{}` before the release `{}`: by bytes the longer text is later",
            shown(chosen),
            shown(&release.tag)
        );
        let own = Mend::of_policy(&traced.checked);
        let mends = [own.by(By::Semver(">=0.0.0".to_owned()))].into_iter();
        let mends = mends.chain(traced.like(&[&release.tag]));
        let proved = traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag != chosen));
        let hint = match proved {
            Some(mend) => format!("compare versions: {}", mend.written(&own)),
            None => "compare versions, with `policy: {semver: {range: …}}`".to_owned(),
        };
        let field = "spec.policy.alphabetical";
        self.warn(Code::AccidentalPrerelease, field, message, hint);
    }

    /// Prereleases of the latest version that are compared as texts.
    fn prereleases(&mut self, traced: &TracedTags<'_>) {
        let ranked: Vec<(&str, Version)> = (traced.funnel.ranked().take(LOOKED_AT))
            .filter_map(|one| {
                let version = Version::parse_tag(one.value.as_deref()?).ok()?;
                Some((one.tag.as_str(), version))
            })
            .collect();
        let versions: Vec<Version> = ranked.iter().map(|(_, version)| version.clone()).collect();
        let Some(disorder) = orders::of_prereleases(&versions) else {
            return;
        };
        let chosen = ranked[0].0;
        let Disorder::Numbers(place) = disorder else {
            let message = format!(
                "sorts the hashes of commits behind one version, which say nothing of which is later; it chooses `{}`",
                shown(chosen)
            );
            let hint = "have the build put a number that grows before the hash, with dots around it, as `1.2.3-$RUN_NUMBER.$COMMIT`".to_owned();
            return self.warn(Code::UnorderedValues, RANGE, message, hint);
        };
        let latest = ranked[place].0;
        let message = format!(
            "compares identifiers of letters and digits as texts: it takes `{}` for later than `{}`",
            shown(chosen),
            shown(latest)
        );
        let own = Mend::of_policy(&traced.checked);
        let has_release = versions.iter().any(|version| !version.is_prerelease());
        let mend = own.filtered(
            r"^v?(?P<version>\d+\.\d+\.\d+)-(?P<word>[a-z]+)(?P<number>\d+)$".to_owned(),
            "$version-$word.$number",
        );
        let dotted = Some(mend).filter(|_| !has_release);
        let mends = dotted.clone().into_iter().chain(traced.like(&[latest]));
        let proved = traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag == latest));
        let words = "have the build write a dot before the number, as `1.2.3-rc.10`";
        let hint = match proved {
            Some(mend) if Some(&mend) == dotted.as_ref() => {
                format!("{words}, or put one there: {}", mend.written(&own))
            }
            Some(mend) => format!("compare the number: {}", mend.written(&own)),
            None => words.to_owned(),
        };
        self.warn(Code::UnorderedValues, RANGE, message, hint);
    }

    /// An order that has the oldest be the latest.
    fn oldest(&mut self, traced: &TracedTags<'_>, chosen: &str) {
        let has_numbers = |value: &str| value.bytes().any(|byte| byte.is_ascii_digit());
        // Words such as `latest` are neither older nor newer.
        let ranked = traced.funnel.ranked();
        let ranked = ranked.filter_map(|one| Some((one.tag.as_str(), one.value.as_deref()?)));
        let ranked: Vec<(&str, &str)> = ranked.filter(|(_, value)| has_numbers(value)).collect();
        let [(first, least), .., (latest, _)] = ranked.as_slice() else {
            return;
        };
        let mut values = ranked.iter().map(|(_, value)| *value);
        let is_oldest = *first == chosen && values.all(|other| naturally(least, other).is_le());
        if !is_oldest || naturally(first, latest).is_eq() {
            return;
        }
        let (field, by) = match traced.checked.choice() {
            Choice::Numerical(_) => (
                "spec.policy.numerical.order",
                By::Numerical(Order::Ascending),
            ),
            _ => (
                "spec.policy.alphabetical.order",
                By::Alphabetical(Order::Ascending),
            ),
        };
        let message = format!(
            "chooses the oldest tag, `{}`: with `desc` the smallest value is the latest",
            shown(chosen)
        );
        let own = Mend::of_policy(&traced.checked);
        let ascending = own.by(by);
        let mends = [ascending.clone()].into_iter();
        let mends = mends.chain(traced.like(&[latest]));
        let is_gone = |tag: &str| tag != chosen && has_numbers(tag);
        let proved = traced.first_proved(mends, &self.currents(), Gone::By(&is_gone));
        let hint = match proved {
            Some(mend) if mend == ascending => "write `order: asc`".to_owned(),
            Some(mend) => format!("take the newest: {}", mend.written(&own)),
            None => "choose an order in which the newest tag is the latest".to_owned(),
        };
        self.warn(Code::OldestChosen, field, message, hint);
    }

    /// Tags that are no versions to Flux although they carry the newest.
    fn dropped(&mut self, traced: &TracedTags<'_>, range: &Constraint, chosen: &str) {
        let value = traced.funnel.ranked().next();
        let value = value.and_then(|one| one.value.as_deref());
        let Some(best) = value.and_then(numbers) else {
            return;
        };
        let like = TagScheme::of(chosen);
        let dropped = traced.funnel.ended_at(Step::Value);
        let dropped = dropped
            .filter(|one| one.tag.contains('.'))
            .take(2 * LOOKED_AT);
        let newer = dropped.filter(|one| {
            let scheme = TagScheme::of(&one.tag);
            let value = one.value.as_deref().and_then(numbers);
            let is_newer = value.is_some_and(|value| {
                // Years beside versions are another scheme.
                let is_near = value[0] < best[0].saturating_add(100);
                is_near && value > best && !best.starts_with(&value) && is_in(range, &value)
            });
            is_newer && !scheme.is_prerelease() && scheme.variant() == like.variant()
        });
        let Some(first) = newer.max_by(|a, b| naturally(&a.tag, &b.tag)) else {
            return;
        };
        if self.is_told_of_value_like(&first.tag) {
            return;
        }
        let why = match &first.fate {
            Fate::NoVersion { why } => why.as_str(),
            _ => "is no version",
        };
        let message = format!(
            "leaves out `{}`, which looks newer than `{}`: it {why}",
            shown(&first.tag),
            shown(chosen)
        );
        let own = Mend::of_policy(&traced.checked);
        let either = own.filtered(r"^[vV]?(?P<version>\d+\.\d+\.\d+)$".to_owned(), "$version");
        let mends = [either].into_iter().chain(traced.like(&[&first.tag]));
        let proved =
            traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag == first.tag));
        let hint = match proved {
            Some(mend) => format!("if it is: {}", mend.written(&own)),
            None => "if it is, have `filterTags` extract a version of three parts from each tag: try it with `flux-image explain NAME --pattern … --extract …`".to_owned(),
        };
        self.warn(Code::NewestDropped, RANGE, message, hint);
    }

    /// Whether it is said of a value that its policy lets it out, of one that is made as a
    /// tag is.
    fn is_told_of_value_like(&self, tag: &str) -> bool {
        let own = TagScheme::of(tag).numbers().len();
        let is_told = |code: Code| matches!(code, Code::PartsChange | Code::NeverAgain);
        let mut uses = self.facts.uses.iter();
        self.outcome.iter().any(|one| is_told(one.code))
            && uses.any(|one| {
                let current = one.tag.as_deref().unwrap_or_default();
                TagScheme::of(current).numbers().len() == own
            })
    }

    /// A prerelease that came in by accident.
    fn accident(&mut self, traced: &TracedTags<'_>, range: &Constraint) {
        let Some(first) = traced.funnel.ranked().next() else {
            return;
        };
        let version = first.value.as_deref().map(Version::parse_tag);
        let Some(Ok(version)) = version else { return };
        if !version.is_prerelease() {
            return;
        }
        let release = Version::of(version.numbers(), "");
        let tag = shown(&first.tag);
        let found = match range.admits(&release) {
            false => ranges::keeps_out_release(range.as_str(), &version).map(|blamed| {
                let message = format!(
                    "chooses the prerelease `{tag}`, although `{}` keeps out the release: every prerelease of it is lower",
                    blamed.clause
                );
                let words = "write an upper bound with `-0` behind it, as `<2.0.0-0`";
                (message, blamed.hint, words)
            }),
            true => self.opened(traced, range, &first.tag, &version),
        };
        let Some((message, range, words)) = found else {
            return;
        };
        let mend = range.map(|range| Mend::of_policy(&traced.checked).by(By::Semver(range)));
        let proved = traced.first_proved(mend, &self.currents(), Gone::By(&|tag| tag != first.tag));
        let hint = match proved.map(|mend| mend.by) {
            Some(By::Semver(range)) => format!("write `{range}`"),
            _ => words.to_owned(),
        };
        self.warn(Code::AccidentalPrerelease, RANGE, message, hint);
    }

    /// A prerelease of a range that is open to all of them, although there are releases, or
    /// although the files hold one: what is said of it, the range without them, and words.
    fn opened(
        &self,
        traced: &TracedTags<'_>,
        range: &Constraint,
        tag: &str,
        version: &Version,
    ) -> Option<(String, Option<String>, &'static str)> {
        let is_release = |one: &&TracedTag| {
            let version = one.value.as_deref().map(Version::parse_tag);
            matches!(version, Some(Ok(version)) if !version.is_prerelease())
        };
        if is_named(traced, version) {
            return None;
        }
        let release = traced.funnel.ranked().find(is_release);
        let words = "leave the prerelease out of the range, or write `-0` in its place where prereleases are meant";
        if let (Some(blamed), Some(latest)) = (ranges::opens(range.as_str(), version), release) {
            let message = format!(
                "chooses the prerelease `{}` before the release `{}`: `{}` opens the range to all prereleases",
                shown(tag),
                shown(&latest.tag),
                blamed.clause
            );
            return Some((message, blamed.hint, words));
        }
        let scheme = TagScheme::of(tag);
        if ranges::is_open(range.as_str(), version) {
            return None;
        }
        let is_plain = |scheme: &TagScheme<'_>| {
            matches!(scheme.core, Core::Version(_)) && scheme.variant().is_empty()
        };
        if !scheme.is_prerelease() || !is_plain(&scheme) {
            return None;
        }
        let current = self.facts.uses.iter().find_map(|one| {
            let current = one.tag.as_deref()?;
            let other = TagScheme::of(current);
            (is_plain(&other) && !other.is_prerelease() && other.suffix.is_empty())
                .then_some(current)
        })?;
        let hint = ranges::without_prereleases(range.as_str())?;
        let message = format!(
            "chooses the prerelease `{}`, although today's `{}` is a release: a prerelease in the range opens it to all prereleases",
            shown(tag),
            shown(current)
        );
        Some((message, Some(hint), words))
    }

    /// Numbers behind a dot that are compared as decimals.
    fn decimals(&mut self, traced: &TracedTags<'_>) {
        let field = "spec.policy.numerical";
        if self.equals(traced, field) {
            return;
        }
        let ranked: Vec<(&str, &str)> = (traced.funnel.ranked())
            .filter_map(|one| Some((one.tag.as_str(), one.value.as_deref()?)))
            .collect();
        let values: Vec<&str> = ranked.iter().map(|(_, value)| *value).collect();
        let Some(place) = orders::of_decimals(&values) else {
            return;
        };
        let latest = ranked[place].0;
        let message = format!(
            "compares numbers with a dot as decimals: it takes `{}` for later than `{}`",
            shown(values[0]),
            shown(values[place])
        );
        let own = Mend::of_policy(&traced.checked);
        let mends = traced.like(&[latest]);
        let proved = traced.first_proved(mends, &self.currents(), Gone::By(&|tag| tag == latest));
        let hint = match proved {
            Some(mend) => format!("compare versions: {}", mend.written(&own)),
            None => "compare versions: have `filterTags` extract three numbers, as `$version.0`, with `policy: {semver: {range: …}}`".to_owned(),
        };
        self.warn(Code::UnorderedValues, field, message, hint);
    }

    /// Several tags of the latest version or number; whether there are.
    fn equals(&mut self, traced: &TracedTags<'_>, field: &str) -> bool {
        let equal = equals(&traced.checked, &traced.funnel);
        let [first, others @ ..] = equal.as_slice() else {
            return false;
        };
        if others.is_empty() {
            return false;
        }
        let what = match traced.checked.choice() {
            Choice::Semver(_) => "version",
            _ => "number",
        };
        let message = format!(
            "has several latest tags, of one {what}: it chooses `{}`, beside {}",
            shown(first),
            quote::list(others.iter())
        );
        let currents = self.currents();
        let keep = currents.iter().copied().find(|tag| equal.contains(tag));
        let keep = keep.unwrap_or(first);
        let is_gone = |policy: &Policy, funnel: &Funnel| equals(policy, funnel).len() < 2;
        let own = Mend::of_policy(&traced.checked);
        let likely: Vec<&str> = [keep].into_iter().chain(equal.iter().copied()).collect();
        let proved = traced.first_proved(traced.like(&likely), &currents, Gone::Look(&is_gone));
        let hint = match proved {
            Some(mend) => format!("keep to one form: {}", mend.written(&own)),
            None => "keep to one form with `filterTags.pattern`".to_owned(),
        };
        self.warn(Code::EqualVersions, field, message, hint);
        true
    }

    /// A pattern that matches a part of tags only.
    fn unanchored(&mut self, traced: &TracedTags<'_>, budget: &mut Budget) {
        let Some((pattern, extract)) = traced.checked.filter() else {
            return;
        };
        let partial = patterns::partial(pattern, &traced.funnel, budget);
        let Some(first) = partial.first() else {
            return;
        };
        if pattern.starts_with('^') && is_one_family(&traced.funnel) {
            return self.cut(traced, budget);
        }
        let is_first = matches!(first.fate, Fate::Ranked { place: 0 });
        let severity = match is_first {
            true => Severity::Warning,
            false => Severity::Info,
        };
        let message = format!(
            "has the pattern `{}`, which matches only a part of tags such as `{}`",
            quote::at_most(pattern, 300),
            shown(&first.tag)
        );
        let own = Mend::of_policy(&traced.checked);
        let anchored = patterns::anchored(pattern).map(|whole| own.filtered(whole, extract));
        let mut likely = self.currents();
        likely.extend(traced.funnel.chosen.as_deref());
        let mends = anchored.into_iter().chain(traced.like(&likely));
        let widened = own.filtered(format!("{pattern}.*$"), extract);
        let mends = mends.chain(
            [widened]
                .into_iter()
                .filter(|_| pattern.starts_with('^') && !patterns::ends(pattern)),
        );
        let is_gone = |policy: &Policy, funnel: &Funnel| {
            let pattern = policy.filter().map_or("", |(pattern, _)| pattern);
            patterns::partial(pattern, funnel, &mut Budget::default()).is_empty()
        };
        let proved = traced.first_proved(mends, &self.currents(), Gone::Look(&is_gone));
        let is_again = proved.as_ref().is_some_and(|mend| {
            let pattern = mends::quoted(mend.pattern());
            let mut said = self.findings.iter().chain(self.outcome);
            said.any(|one| {
                one.hint
                    .as_ref()
                    .is_some_and(|hint| hint.contains(&pattern))
            })
        });
        let hint = match proved {
            Some(mend)
                if mend.by == own.by
                    && mend.filter.as_ref().is_some_and(|(_, own)| own == extract) =>
            {
                format!("if the whole tag is meant: `{}`", mend.pattern())
            }
            Some(mend) => format!("if one family is meant: {}", mend.written(&own)),
            None => "have the pattern say what the whole tag is, from `^` to `$`".to_owned(),
        };
        if !is_again {
            self.say((severity, Code::UnanchoredPattern), PATTERN, message, hint);
        }
    }

    /// A pattern that ends within the numbers of tags.
    fn cut(&mut self, traced: &TracedTags<'_>, budget: &mut Budget) {
        let Some((pattern, extract)) = traced.checked.filter() else {
            return;
        };
        let cut = patterns::cut(pattern, &traced.funnel, budget);
        let Some(first) = cut.first() else {
            return;
        };
        let severity = match first.fate {
            Fate::Ranked { place: 0 } => Severity::Warning,
            _ => Severity::Info,
        };
        let message = format!(
            "has the pattern `{}`, which ends within a number of tags such as `{}`",
            quote::at_most(pattern, 300),
            shown(&first.tag)
        );
        let own = Mend::of_policy(&traced.checked);
        let dotted = patterns::with_dots(pattern);
        let ends = [r"\.", r"\b", "$"];
        let mends = ends.map(|end| own.filtered(format!("{dotted}{end}"), extract));
        let is_gone = |policy: &Policy, funnel: &Funnel| {
            let tags = || funnel.ranked().map(|one| one.tag.as_str());
            let is_left = tags().any(|tag| cut.iter().any(|one| one.tag == tag));
            policy.filter().is_some() && !is_left
        };
        let proved = traced.first_proved(mends, &self.currents(), Gone::Look(&is_gone));
        let hint = match proved {
            Some(mend) => format!("if the number is to end there: `{}`", mend.pattern()),
            None => "write what follows the number, as `\\.`".to_owned(),
        };
        self.say((severity, Code::UnanchoredPattern), PATTERN, message, hint);
    }

    /// Variants of an image in one order.
    fn variants(&mut self, traced: &TracedTags<'_>, chosen: &str) {
        let mut outcome = self.outcome.iter();
        if outcome.any(|one| one.code == Code::VariantChanges) {
            return;
        }
        let currents = self.currents();
        let keep = currents.first().copied().unwrap_or(chosen);
        let others = other_variants(&traced.checked, &traced.funnel, keep);
        if others.is_empty() {
            return;
        }
        let message = format!(
            "puts variants of the image in one order: `{}` beside {}",
            shown(keep),
            quote::list(others.iter())
        );
        let own = Mend::of_policy(&traced.checked);
        let is_gone =
            |policy: &Policy, funnel: &Funnel| other_variants(policy, funnel, keep).is_empty();
        let proved = traced.first_proved(traced.like(&[keep]), &currents, Gone::Look(&is_gone));
        let hint = match proved {
            Some(mend) => format!("keep to one: {}", mend.written(&own)),
            None => "keep to one with `filterTags.pattern`".to_owned(),
        };
        self.warn(Code::MixedVariants, PATTERN, message, hint);
    }

    fn collisions(&mut self, traced: &TracedTags<'_>) {
        if traced.funnel.chosen.is_ok() && self.extracts_nothing(traced) {
            return;
        }
        let collided: Vec<&TracedTag> = traced.funnel.ended_at(Step::Extract).collect();
        let is_empty = |one: &&TracedTag| one.value.as_deref() == Some("");
        if collided.iter().all(is_empty) {
            return;
        }
        let chosen = traced.funnel.chosen.as_deref().ok();
        let at_top = collided.iter().find(|one| match &one.fate {
            Fate::Collided { with } => chosen == Some(with.as_str()),
            _ => false,
        });
        let Some(first) = at_top.or(collided.first()) else {
            return;
        };
        let Fate::Collided { with } = &first.fate else {
            return;
        };
        let severity = match at_top {
            Some(_) => Severity::Warning,
            None => Severity::Info,
        };
        let message = format!(
            "extracts `{}` of both `{}` and `{}`, of which only the first by bytes ever counts (left out so: {} of {} tags)",
            quote::at_most(first.value.as_deref().unwrap_or_default(), 100),
            shown(with),
            shown(&first.tag),
            collided.len(),
            traced.known.tags.len()
        );
        let hint =
            "have the pattern match one of them, or `extract` what tells them apart".to_owned();
        self.say((severity, Code::ExtractCollides), EXTRACT, message, hint);
    }

    /// Whether `extract` makes nothing of every tag, which is said.
    fn extracts_nothing(&mut self, traced: &TracedTags<'_>) -> bool {
        let Some((pattern, extract)) = traced.checked.filter() else {
            return false;
        };
        if extract.is_empty() || !has_no_value(&traced.funnel) {
            return false;
        }
        // A group that is there may be empty.
        if patterns::groups_of(extract).any(|group| patterns::has_group(pattern, group)) {
            return false;
        }
        let message = format!(
            "extracts nothing of its tags: `{}` names no group of the pattern",
            shown(extract)
        );
        let own = Mend::of_policy(&traced.checked);
        let mends = patterns::group_names(pattern)
            .map(|name| own.filtered(pattern.to_owned(), &format!("${name}")));
        let is_gone = |_: &Policy, funnel: &Funnel| !has_no_value(funnel);
        let proved = traced.first_proved(mends, &self.currents(), Gone::Look(&is_gone));
        let hint = match proved.and_then(|mend| mend.filter) {
            Some((_, extract)) => format!("name a group of the pattern: `extract: {extract}`"),
            None => {
                "name a group, as `(?P<version>…)` in the pattern and `$version` here".to_owned()
            }
        };
        // By bytes an empty value is one like any other.
        let severity = match traced.funnel.chosen {
            Ok(_) => Severity::Warning,
            Err(_) => Severity::Error,
        };
        self.say((severity, Code::MatchesNothing), EXTRACT, message, hint);
        true
    }

    /// The tags that the files hold now and that are listed.
    fn currents(&self) -> Vec<&str> {
        /// So many values tell what a policy must keep to.
        const MOST: usize = 10;
        let Some(traced) = &self.facts.traced else {
            return Vec::new();
        };
        let mut tags: Vec<&str> = Vec::new();
        for one in &self.facts.uses {
            let tag = one.tag.as_deref().filter(|tag| is_tag(tag));
            let listed = tag.filter(|tag| !tags.contains(tag) && traced.offered.has(tag));
            tags.extend(listed);
            if tags.len() == MOST {
                break;
            }
        }
        tags
    }

    /// The tags that a policy is likely for: those that the files hold, then one of each of
    /// the largest families.
    fn likely<'s>(&'s self, traced: &TracedTags<'s>) -> Vec<&'s str> {
        let mut likely = self.currents();
        likely.extend(traced.families());
        likely
    }
}

/// The numbers of a version, whatever stands around it.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let scheme = TagScheme::of(text);
    let numbers = scheme.numbers();
    let parsed = numbers.iter().map(|number| number.parse().ok());
    let parsed = parsed.collect::<Option<Vec<u64>>>();
    parsed.filter(|all| !all.is_empty())
}

/// Whether the pattern of a policy names the words of a prerelease, which is then meant.
fn is_named(traced: &TracedTags<'_>, version: &Version) -> bool {
    let Some((pattern, _)) = traced.checked.filter() else {
        return false;
    };
    let words = version
        .prerelease()
        .split(|c: char| !c.is_ascii_alphabetic());
    let mut words = words.filter(|word| word.len() > 1).peekable();
    words.peek().is_some() && words.all(|word| pattern.contains(word))
}

/// Whether a range admits the version that begins with some numbers.
fn is_in(range: &Constraint, numbers: &[u64]) -> bool {
    let number = |at: usize| numbers.get(at).copied().unwrap_or_default();
    range.admits(&Version::of([number(0), number(1), number(2)], ""))
}

/// Whether no value is left of any tag.
fn has_no_value(funnel: &Funnel) -> bool {
    let mut values = funnel.tags.iter().filter_map(|one| one.value.as_deref());
    values.next().is_some_and(str::is_empty) && values.all(str::is_empty)
}

/// The tags of the latest version or number.
fn equals<'f>(policy: &Policy, funnel: &'f Funnel) -> Vec<&'f str> {
    let Some(best) = funnel.ranked().next().and_then(|one| one.value.as_deref()) else {
        return Vec::new();
    };
    let is_equal = |value: &str| match policy.choice() {
        Choice::Semver(_) => match (Version::parse_tag(value), Version::parse_tag(best)) {
            (Ok(version), Ok(best)) => version.precedence(&best).is_eq(),
            _ => false,
        },
        Choice::Numerical(_) => {
            let number = strconv::parse_float(value);
            number.is_some() && number == strconv::parse_float(best)
        }
        Choice::Alphabetical(_) => value == best,
    };
    let equal = funnel
        .ranked()
        .take_while(|one| one.value.as_deref().is_some_and(is_equal));
    equal.map(|one| one.tag.as_str()).collect()
}

/// A tag of each other variant in an order of versions or texts.
fn other_variants<'f>(policy: &Policy, funnel: &'f Funnel, keep: &str) -> Vec<&'f str> {
    if matches!(policy.choice(), Choice::Numerical(_)) {
        return Vec::new();
    }
    let mut kinds: BTreeMap<Vec<String>, &str> = BTreeMap::new();
    for one in funnel.ranked().take(LOOKED_AT) {
        let (own, other) = orders::with_one_hash(keep, &one.tag);
        let scheme = TagScheme::of(&other);
        let is_other = scheme.variant() != TagScheme::of(&own).variant();
        if is_other && matches!(scheme.core, Core::Version(_) | Core::Date(_)) {
            kinds.entry(scheme.variant()).or_insert(&one.tag);
        }
    }
    kinds.into_values().take(3).collect()
}

/// Whether all tags in an order begin with the same words, and are of one variant.
fn is_one_family(funnel: &Funnel) -> bool {
    let mut ranked = funnel.ranked().take(LOOKED_AT);
    let family = |tag: &str| {
        let scheme = TagScheme::of(tag);
        (scheme.family(), scheme.variant())
    };
    let Some(first) = ranked.next() else {
        return true;
    };
    ranked.all(|one| {
        let (first, other) = orders::with_one_hash(&first.tag, &one.tag);
        family(&first) == family(&other)
    })
}

/// What a build should write in the place of a commit alone, with the words of its tags.
fn with_numbers(tag: &str) -> String {
    let prefix = TagScheme::of(tag).prefix;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let prefix = if prefix.chars().all(is_plain) {
        prefix
    } else {
        ""
    };
    let prefix = if prefix.len() > 50 { "" } else { prefix };
    format!(
        "have the build put a number that grows into the tag, as `{prefix}$COMMIT-$RUN_NUMBER`, and compare it: `filterTags: {{pattern: '^{prefix}[0-9a-f]+-(?P<number>\\d+)$', extract: $number}}`, `policy: {{numerical: {{order: asc}}}}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use go_regexp::Regex;

    /// What the hint says of tags to come is so.
    #[test]
    fn a_number_behind_a_commit_is_found() {
        for tag in ["sha-8f2c1d9", "8f2c1d9"] {
            let hint = with_numbers(tag);
            let pattern = hint.split('\'').nth(1).expect("a pattern");
            let regex = Regex::new(pattern).expect("a pattern");
            assert!(regex.is_match(&format!("{tag}-17")), "{hint}");
        }
    }
}
