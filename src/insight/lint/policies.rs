//! Rules on policies and the tags that come to them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{PolicyFacts, Texts, TracedTags};
use crate::finding::{Code, Finding, Severity};
use crate::insight::explain;
use crate::insight::tag_scheme::{Core, PolicyScheme, SchemeOrder, TagScheme};
use crate::policy::funnel::{Fate, Step, TracedTag};
use crate::policy::{Choice, ChosenNothing, Order, exclusion};
use crate::quote;
use go_regexp::{Budget, Regex};
use masterminds_semver::{Constraint, Version};

const PATTERN: &str = "spec.filterTags.pattern";
const EXTRACT: &str = "spec.filterTags.extract";
const RANGE: &str = "spec.policy.semver.range";

/// A list of this many tags is long.
const LONG_LIST: usize = 1000;

/// What is wrong with a policy.
pub(super) fn look(
    facts: &PolicyFacts<'_>,
    texts: &Texts<'_>,
    budget: &mut Budget,
    findings: &mut Vec<Finding>,
) {
    let mut look = Look {
        facts,
        texts,
        findings,
    };
    look.range();
    look.unused();
    let Some(traced) = &facts.traced else {
        return;
    };
    match &traced.funnel.chosen {
        Ok(chosen) => look.chosen(traced, chosen, budget),
        Err(nothing) => look.nothing(traced, nothing),
    }
    look.collisions(traced);
    look.long_list(traced, budget);
}

struct Look<'a, 'l> {
    facts: &'a PolicyFacts<'l>,
    texts: &'a Texts<'a>,
    findings: &'a mut Vec<Finding>,
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
        if !self.facts.uses.is_empty() || is_suspended {
            return;
        }
        let id = self.facts.id;
        let message = "has no value that is marked with it".to_owned();
        let hint =
            format!("mark one with `# {{\"$imagepolicy\": \"{id}\"}}`, or take the policy out");
        self.warn(Code::UnusedPolicy, "", message, hint);
    }

    /// A range that reads as something else than it means.
    fn range(&mut self) {
        let Some(semver) = &self.facts.policy.document.spec.policy.semver else {
            return;
        };
        if let Some((what, hint)) = odd(&semver.range) {
            let message = format!("has the range `{}`: {what}", semver.range);
            self.warn(Code::OddRange, RANGE, message, format!("write `{hint}`"));
        }
    }

    /// Why nothing is chosen, where the list of tags tells more than the error does.
    fn nothing(&mut self, traced: &TracedTags<'_>, nothing: &ChosenNothing) {
        let error = Severity::Error;
        match nothing {
            ChosenNothing::AllFiltered => {
                let listed: Vec<&str> = traced.known.tags.iter().map(String::as_str).collect();
                let like = self.current().or_else(|| listed.first().copied());
                let message = format!(
                    "has a pattern that matches none of {} tags, such as {}",
                    listed.len(),
                    quote::list(listed.iter().take(3))
                );
                let scheme = like.and_then(|tag| PolicyScheme::of(tag).ok());
                let hint = match scheme {
                    Some(scheme) => format!("write `{}`", scheme.pattern),
                    None => "try patterns with `flux-image explain NAME --pattern`".to_owned(),
                };
                self.say((error, Code::MatchesNothing), PATTERN, message, hint);
            }
            ChosenNothing::NotNumeric { value } => {
                let value = quote::at_most(value, 200);
                let message = format!(
                    "compares numbers, and `{value}` is none, which fails the whole policy"
                );
                let hint = format!(
                    "let numbers alone come to it: `filterTags: {{pattern: '{}'}}`",
                    numbers_of(traced)
                );
                self.say((error, Code::NotANumber), "spec.policy", message, hint);
            }
            ChosenNothing::NoneInRange(_) => self.prereleases_alone(traced),
            _ => {}
        }
    }

    fn prereleases_alone(&mut self, traced: &TracedTags<'_>) {
        let mut out = traced.funnel.ended_at(Step::Range).peekable();
        let first = out.peek().map(|one| one.tag.clone());
        let is_prerelease = |one: &TracedTag| match &one.fate {
            Fate::OutOfRange { is_prerelease, .. } => *is_prerelease,
            _ => false,
        };
        let Some(first) = first.filter(|_| out.all(is_prerelease)) else {
            return;
        };
        let message = format!(
            "gets prereleases alone, such as `{}`, and its range admits none",
            quote::at_most(&first, 200)
        );
        let hint = explain::with_prereleases(traced.checked.choice());
        let error = (Severity::Error, Code::OnlyPrereleases);
        self.say(error, RANGE, message, format!("write `{hint}`"));
    }

    /// What is odd about what is chosen.
    fn chosen(&mut self, traced: &TracedTags<'_>, chosen: &str, budget: &mut Budget) {
        match traced.checked.choice() {
            Choice::Semver(range) => {
                self.dropped(traced, chosen);
                self.accident(traced, range);
                self.equals(traced);
            }
            Choice::Alphabetical(order) => self.bytes(traced, chosen, *order),
            Choice::Numerical(Order::Descending) => self.oldest(traced, chosen),
            Choice::Numerical(Order::Ascending) => {}
        }
        self.unanchored(traced, budget);
        self.variants(traced);
    }

    /// Values that an order by bytes does not put right.
    fn bytes(&mut self, traced: &TracedTags<'_>, chosen: &str, order: Order) {
        let values: Vec<&str> = (traced.funnel.ranked())
            .filter_map(|one| one.value.as_deref())
            .collect();
        if values.len() < 2 {
            return;
        }
        let is_hash = |value: &&&str| matches!(TagScheme::of(value).core, Core::Hash(_));
        let hashes = values.iter().filter(is_hash).count();
        let field = "spec.policy.alphabetical";
        if hashes * 4 >= values.len() * 3 {
            let message = format!(
                "sorts hashes of commits, which say nothing of which is later; it chooses `{}`",
                quote::at_most(chosen, 200)
            );
            let hint = "have the build put a number that grows into the tag, as `main-$COMMIT-$RUN_NUMBER`, and compare it: `filterTags: {pattern: '^main-[0-9a-f]+-(?P<number>\\d+)$', extract: $number}`, `policy: {numerical: {order: asc}}`".to_owned();
            self.warn(Code::UnorderedValues, field, message, hint);
            return;
        }
        if order == Order::Descending {
            self.oldest(traced, chosen);
            return;
        }
        let latest = values.iter().max_by(|a, b| naturally(a, b));
        let by_bytes = values[0];
        let Some(latest) = latest.filter(|latest| naturally(latest, by_bytes).is_gt()) else {
            return;
        };
        let (by_bytes, latest) = (quote::at_most(by_bytes, 200), quote::at_most(latest, 200));
        let message =
            format!("sorts numbers by bytes: it takes `{by_bytes}` for later than `{latest}`");
        let hint = numerically(&latest);
        self.warn(Code::UnorderedValues, field, message, hint);
    }

    /// An order that has the oldest be the latest.
    fn oldest(&mut self, traced: &TracedTags<'_>, chosen: &str) {
        let values: Vec<&str> = (traced.funnel.ranked())
            .filter_map(|one| one.value.as_deref())
            .collect();
        let has_numbers = |value: &&str| value.bytes().any(|byte| byte.is_ascii_digit());
        let [first, .., last] = values.as_slice() else {
            return;
        };
        let is_oldest = values.iter().all(|other| naturally(first, other).is_le());
        if !is_oldest || !values.iter().all(has_numbers) || naturally(first, last).is_eq() {
            return;
        }
        let field = match traced.checked.choice() {
            Choice::Numerical(_) => "spec.policy.numerical.order",
            _ => "spec.policy.alphabetical.order",
        };
        let message = format!(
            "chooses the oldest tag, `{}`: with `desc` the smallest value is the latest",
            quote::at_most(chosen, 200)
        );
        self.warn(
            Code::OldestChosen,
            field,
            message,
            "write `order: asc`".to_owned(),
        );
    }

    /// Tags that are no versions to Flux although they carry the newest.
    fn dropped(&mut self, traced: &TracedTags<'_>, chosen: &str) {
        let numbers = |text: &str| -> Option<Vec<u64>> {
            let scheme = TagScheme::of(text);
            let numbers = scheme.numbers();
            let parsed = numbers.iter().map(|number| number.parse().ok());
            parsed
                .collect::<Option<Vec<u64>>>()
                .filter(|all| !all.is_empty())
        };
        let value = traced
            .funnel
            .ranked()
            .next()
            .and_then(|one| one.value.as_deref());
        let Some(best) = value.and_then(numbers) else {
            return;
        };
        let like = TagScheme::of(chosen);
        let dropped = traced.funnel.ended_at(Step::Value);
        let newer = dropped.filter(|one| {
            let scheme = TagScheme::of(&one.tag);
            let value = one.value.as_deref().and_then(numbers);
            let is_newer = value.is_some_and(|value| {
                // Years beside versions are another scheme.
                let is_near = value[0] < best[0].saturating_add(100);
                is_near && value > best && !best.starts_with(&value)
            });
            is_newer && !scheme.is_prerelease() && scheme.variant() == like.variant()
        });
        let newer: Vec<&TracedTag> = newer.collect();
        let Some(first) = newer.iter().max_by(|a, b| naturally(&a.tag, &b.tag)) else {
            return;
        };
        let why = match &first.fate {
            Fate::NoVersion { why } => why.as_str(),
            _ => "is no version",
        };
        let tag = quote::at_most(&first.tag, 200);
        let message = format!(
            "leaves out `{tag}`, which looks newer than `{}`: it {why}",
            quote::at_most(chosen, 200)
        );
        let hint = match PolicyScheme::of(&first.tag) {
            Ok(scheme) => format!("if it is: {}", written(&scheme)),
            Err(_) => "see `flux-image explain`".to_owned(),
        };
        self.warn(Code::NewestDropped, RANGE, message, hint);
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
        if range.admits(&release) {
            self.opened(traced, range, &first.tag);
            return;
        }
        let refusals = range.refusals(&release);
        let clause = refusals.iter().find_map(|refusal| match refusal {
            masterminds_semver::Refusal::Comparator(text) => Some(text.trim()),
            masterminds_semver::Refusal::Prerelease => None,
        });
        let Some(clause) = clause else { return };
        let tag = quote::at_most(&first.tag, 200);
        let message = format!(
            "chooses the prerelease `{tag}`, although `{clause}` keeps out the release: every prerelease of it is lower"
        );
        let written = range.as_str();
        let hint = match clause.strip_prefix('<') {
            Some(bound) if !bound.starts_with('=') && written.contains(clause) => {
                format!(
                    "write `{}`",
                    written.replace(clause, &format!("{clause}-0"))
                )
            }
            _ => "write an upper bound with `-0` behind it, as `<2.0.0-0`".to_owned(),
        };
        self.warn(Code::AccidentalPrerelease, RANGE, message, hint);
    }

    /// A prerelease of a range that one prerelease in it has opened to all of them, although
    /// there are releases.
    fn opened(&mut self, traced: &TracedTags<'_>, range: &Constraint, tag: &str) {
        let is_release = |one: &TracedTag| {
            let version = one.value.as_deref().map(Version::parse_tag);
            matches!(version, Some(Ok(version)) if !version.is_prerelease())
        };
        let written = range.as_str();
        let mut words = written.split([' ', ',', '|']);
        let prerelease = words.find_map(|word| {
            let (version, prerelease) = word.split_once('-')?;
            let is_told = !prerelease.is_empty() && prerelease != "0" && version.contains('.');
            is_told.then_some((version, word))
        });
        let (Some((version, word)), Some(latest)) = (
            prerelease,
            traced.funnel.ranked().find(|one| is_release(one)),
        ) else {
            return;
        };
        let message = format!(
            "chooses the prerelease `{}` before the release `{}`: `{word}` opens the range to all prereleases",
            quote::at_most(tag, 200),
            quote::at_most(&latest.tag, 200)
        );
        let hint = format!(
            "write `{}`, or `-0` in its place where prereleases are meant",
            written.replacen(word, version, 1)
        );
        self.warn(Code::AccidentalPrerelease, RANGE, message, hint);
    }

    /// Several tags of the latest version.
    fn equals(&mut self, traced: &TracedTags<'_>) {
        let mut ranked = traced.funnel.ranked();
        let version = |one: &TracedTag| Version::parse_tag(one.value.as_deref()?).ok();
        let Some((first, best)) = ranked.next().and_then(|one| Some((one, version(one)?))) else {
            return;
        };
        let equal = ranked.take_while(|one| {
            version(one).is_some_and(|version| version.precedence(&best).is_eq())
        });
        let equal: Vec<&str> = equal.map(|one| one.tag.as_str()).collect();
        if equal.is_empty() {
            return;
        }
        let message = format!(
            "has several latest tags, of one version: it chooses `{}`, beside {}",
            quote::at_most(&first.tag, 200),
            quote::list(equal.iter())
        );
        let keep = self.current().filter(|tag| equal.contains(tag));
        let keep = keep.unwrap_or(&first.tag);
        let pattern = PolicyScheme::of(keep).map(|scheme| scheme.pattern);
        let fits = pattern.ok().filter(|pattern| {
            let regex = Regex::new(pattern).ok();
            let others = equal.iter().copied().chain([first.tag.as_str()]);
            let mut others = others.filter(|tag| *tag != keep);
            regex.is_some_and(|regex| !others.any(|tag| regex.is_match(tag)))
        });
        let hint = match fits {
            Some(pattern) => format!("keep to one form: `filterTags: {{pattern: '{pattern}'}}`"),
            None => "keep to one form with `filterTags.pattern`".to_owned(),
        };
        self.warn(Code::EqualVersions, RANGE, message, hint);
    }

    /// A pattern that matches a part of tags only.
    fn unanchored(&mut self, traced: &TracedTags<'_>, budget: &mut Budget) {
        let Some((pattern, _)) = traced.checked.filter() else {
            return;
        };
        let whole = format!("^(?:{pattern})$");
        let Ok(anchored) = Regex::within(&whole, budget) else {
            return;
        };
        let is_partial = |one: &&TracedTag| !anchored.is_match(&one.tag);
        let partial: Vec<&TracedTag> = traced.funnel.ranked().filter(is_partial).collect();
        let Some(first) = partial.first() else {
            return;
        };
        let is_first = matches!(first.fate, Fate::Ranked { place: 0 });
        let severity = match is_first {
            true => Severity::Warning,
            false => Severity::Info,
        };
        let message = format!(
            "has the pattern `{}`, which matches only a part of tags such as `{}`",
            quote::at_most(pattern, 300),
            quote::at_most(&first.tag, 200)
        );
        let hint = format!("if the whole tag is meant: `{whole}`");
        self.say((severity, Code::UnanchoredPattern), PATTERN, message, hint);
    }

    /// Variants of an image in one order.
    fn variants(&mut self, traced: &TracedTags<'_>) {
        let mut kinds: BTreeMap<Vec<String>, &str> = BTreeMap::new();
        let is_versions = matches!(
            traced.checked.choice(),
            Choice::Semver(_) | Choice::Alphabetical(_)
        );
        for one in traced.funnel.ranked() {
            let scheme = TagScheme::of(&one.tag);
            let is_told = matches!(scheme.core, Core::Version(_) | Core::Date(_));
            if is_told && is_versions {
                kinds.entry(scheme.variant()).or_insert(&one.tag);
            }
        }
        if kinds.len() < 2 {
            return;
        }
        let chosen = traced.funnel.chosen.as_deref().unwrap_or_default();
        let keep = self.current().unwrap_or(chosen);
        let own = TagScheme::of(keep).variant();
        let others = kinds.iter().filter(|(variant, _)| **variant != own);
        let others: Vec<&str> = others.map(|(_, tag)| *tag).take(3).collect();
        if others.is_empty() {
            return;
        }
        let message = format!(
            "puts variants of the image in one order: `{}` beside {}",
            quote::at_most(keep, 200),
            quote::list(others.iter())
        );
        let hint = match PolicyScheme::of(keep) {
            Ok(scheme) => format!("keep to one: {}", written(&scheme)),
            Err(_) => "keep to one with `filterTags.pattern`".to_owned(),
        };
        self.warn(Code::MixedVariants, PATTERN, message, hint);
    }

    fn collisions(&mut self, traced: &TracedTags<'_>) {
        if self.extracts_nothing(traced) {
            return;
        }
        let collided: Vec<&TracedTag> = traced.funnel.ended_at(Step::Extract).collect();
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
            "extracts `{}` of both `{}` and `{}`, of which Flux takes one by chance (left out so: {} of {} tags)",
            quote::at_most(first.value.as_deref().unwrap_or_default(), 100),
            quote::at_most(with, 200),
            quote::at_most(&first.tag, 200),
            collided.len(),
            traced.known.tags.len()
        );
        let hint =
            "have the pattern match one of them, or `extract` what tells them apart".to_owned();
        self.say((severity, Code::ExtractCollides), EXTRACT, message, hint);
    }

    /// Whether `extract` makes nothing of every tag, which is said.
    fn extracts_nothing(&mut self, traced: &TracedTags<'_>) -> bool {
        let Some((_, extract)) = traced.checked.filter() else {
            return false;
        };
        let mut values = traced
            .funnel
            .tags
            .iter()
            .filter_map(|one| one.value.as_deref());
        let is_empty = values.next().is_some_and(str::is_empty) && values.all(str::is_empty);
        if is_empty && !extract.is_empty() {
            let message = format!(
                "extracts nothing of its tags: `{}` names no group of the pattern",
                quote::at_most(extract, 200)
            );
            let hint =
                "name a group, as `(?P<version>…)` in the pattern and `$version` here".to_owned();
            self.say(
                (Severity::Error, Code::MatchesNothing),
                EXTRACT,
                message,
                hint,
            );
        }
        is_empty
    }

    /// A list of thousands of tags that a few exclusions would spare.
    fn long_list(&mut self, traced: &TracedTags<'_>, budget: &mut Budget) {
        let Some((_, repository)) = &self.facts.repository else {
            return;
        };
        let listed = traced.known.tags.len();
        let unwanted: Vec<&str> = [Step::Pattern, Step::Value]
            .into_iter()
            .flat_map(|step| traced.funnel.ended_at(step))
            .map(|one| one.tag.as_str())
            .collect();
        if listed < LONG_LIST || unwanted.len() * 2 < listed {
            return;
        }
        let wanted: Vec<&str> = (traced.funnel.tags.iter())
            .filter(|one| one.fate.step() > Step::Value)
            .map(|one| one.tag.as_str())
            .collect();
        let patterns = exclusions(&unwanted, &wanted, budget);
        if patterns.is_empty() {
            return;
        }
        let kept = if repository.spec.exclusion_list.is_empty() {
            exclusion::DEFAULT
                .iter()
                .map(|&one| one.to_owned())
                .collect()
        } else {
            repository.spec.exclusion_list.clone()
        };
        let all: Vec<String> = kept
            .into_iter()
            .chain(patterns)
            .map(|one| format!("'{one}'"))
            .collect();
        let message = format!(
            "is offered {listed} tags at each scan, {} of which it never looks at",
            unwanted.len()
        );
        let hint = format!(
            "if no other policy wants them, in the ImageRepository: `exclusionList: [{}]`",
            all.join(", ")
        );
        self.say((Severity::Info, Code::LongTagList), "", message, hint);
    }

    /// A tag that the files hold now.
    fn current(&self) -> Option<&str> {
        let mut tags = self.facts.uses.iter().filter_map(|one| one.tag.as_deref());
        tags.next()
    }
}

/// Patterns that match many of some tags, and none of others.
fn exclusions(unwanted: &[&str], wanted: &[&str], budget: &mut Budget) -> Vec<String> {
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    for tag in unwanted {
        let pattern = match TagScheme::of(tag).core {
            Core::Hash(_) if TagScheme::of(tag).prefix.is_empty() => "^[0-9a-f]{7,64}$".to_owned(),
            _ => {
                let word: String = tag.chars().take_while(char::is_ascii_alphabetic).collect();
                match (word.len(), tag[word.len()..].chars().next()) {
                    (2.., Some(separator @ ('-' | '_'))) => format!("^{word}{separator}"),
                    (2.., Some('.')) => format!("^{word}\\."),
                    _ => continue,
                }
            }
        };
        *families.entry(pattern).or_default() += 1;
    }
    let mut families: Vec<(String, usize)> = families.into_iter().collect();
    families.sort_by(|(a, one), (b, other)| other.cmp(one).then(a.cmp(b)));
    let many = unwanted.len() / 20;
    let large = families
        .into_iter()
        .filter(|(_, count)| *count > many)
        .take(5);
    let mut harmless = |pattern: &String| {
        let compiled = Regex::within(pattern, budget).ok();
        compiled.is_some_and(|regex| !wanted.iter().any(|tag| regex.is_match(tag)))
    };
    let patterns: Vec<String> = large.map(|(pattern, _)| pattern).collect();
    patterns
        .into_iter()
        .filter(|pattern| harmless(pattern))
        .collect()
}

/// As a person counts: runs of digits as numbers, the rest by bytes.
pub(crate) fn naturally(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (pieces(a), pieces(b));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => {
                let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
                if is_number(a) && is_number(b) {
                    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                    a.len().cmp(&b.len()).then(a.cmp(b))
                } else {
                    a.cmp(b)
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The runs of digits of a text, and what is between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_digit = rest.chars().next()?.is_ascii_digit();
        let end = rest
            .find(|c: char| c.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

/// A pattern that lets the numbers among tags through, as the longest family of them is
/// written.
fn numbers_of(traced: &TracedTags<'_>) -> String {
    let bare = traced.funnel.ranked().next();
    match bare.map(|one| TagScheme::of(&one.tag)) {
        Some(scheme) if !scheme.prefix.is_empty() || !scheme.suffix.is_empty() => {
            "^[0-9.]+$".to_owned()
        }
        _ => "^[0-9]+$".to_owned(),
    }
}

/// How to compare values whose numbers count.
fn numerically(value: &str) -> String {
    let scheme = PolicyScheme::of(value);
    match scheme {
        Ok(scheme) => format!("compare the numbers: {}", written(&scheme)),
        Err(_) => {
            "compare numbers: `filterTags` with `extract`, and `policy: {numerical: {order: asc}}`"
                .to_owned()
        }
    }
}

/// A policy as it is written.
pub(crate) fn written(scheme: &PolicyScheme) -> String {
    let extract = scheme.extract.as_ref();
    let extract = extract.map_or_else(String::new, |extract| format!(", extract: {extract}"));
    let by = match &scheme.by {
        SchemeOrder::Semver(range) => format!("semver: {{range: '{range}'}}"),
        SchemeOrder::Numerical => "numerical: {order: asc}".to_owned(),
        SchemeOrder::Alphabetical => "alphabetical: {order: asc}".to_owned(),
    };
    format!(
        "`filterTags: {{pattern: '{}'{extract}}}`, `policy: {{{by}}}`",
        scheme.pattern
    )
}

/// What a range means that reads as something else, and how to write what it reads as.
fn odd(range: &str) -> Option<(&'static str, String)> {
    let bare: String = range.chars().filter(|c| !c.is_whitespace()).collect();
    if matches!(
        bare.as_str(),
        "^*" | "~*" | "^x" | "~x" | "^X" | "~X" | ">=*" | "=*"
    ) {
        return Some((
            "the operator has no meaning there, every release is in it",
            "*".to_owned(),
        ));
    }
    if matches!(bare.as_str(), "~0.0.0" | "~0" | "~>0.0.0" | "~v0.0.0") {
        return Some((
            "a tilde on zeros lets every version in, whatever its numbers",
            ">=0.0.0 <0.1.0".to_owned(),
        ));
    }
    if let Some(bound) = bare.rsplit("<=").next().filter(|_| bare.contains("<=")) {
        let bound: Vec<&str> = bound.trim_start_matches('v').split('.').collect();
        let is_numbers = bound
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty());
        let next = bound.last().and_then(|part| part.parse::<u64>().ok());
        if let (true, 1 | 2, Some(next)) = (is_numbers, bound.len(), next) {
            let mut parts: Vec<String> = bound.iter().map(|&part| part.to_owned()).collect();
            parts.pop();
            parts.push((next + 1).to_string());
            let from = range.rfind("<=").map_or("", |at| &range[..at]);
            return Some((
                "with numbers left out, all versions that begin so are below the bound",
                format!("{from}<{}", parts.join(".")),
            ));
        }
    }
    let mut groups = range.split("||");
    let has_hyphen = groups.clone().count() > 1 && groups.any(|group| group.contains(" - "));
    has_hyphen.then(|| {
        let groups: BTreeSet<String> = range.split("||").map(plain_bounds).collect();
        (
            "hyphen ranges beside `||` are easily misread",
            groups.into_iter().collect::<Vec<_>>().join(" || "),
        )
    })
}

/// A hyphen range as its two bounds.
fn plain_bounds(group: &str) -> String {
    match group.trim().split_once(" - ") {
        Some((from, to)) => format!(">={} <={}", from.trim(), to.trim()),
        None => group.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other spelling says the same, but for what is odd about the first.
    #[test]
    fn odd_ranges_have_a_plain_spelling() {
        for (range, hint) in [
            ("^*", "*"),
            ("~0.0.0", ">=0.0.0 <0.1.0"),
            ("<=1", "<2"),
            (">=1.0.0 <=1.4", ">=1.0.0 <1.5"),
            ("1.0.0 - 2.0.0||3.x", "3.x || >=1.0.0 <=2.0.0"),
        ] {
            let (_, written) = odd(range).expect(range);
            assert_eq!(written, hint, "{range}");
            Constraint::parse(&written).expect("a range");
        }
        for range in [
            "1.x",
            "<=1.2.3",
            ">=1.0.0 <2",
            "~1.2",
            "^0.1.0",
            "1.0.0 - 2.0.0",
            "*",
        ] {
            assert_eq!(odd(range), None, "{range}");
        }
    }

    #[test]
    fn numbers_count_as_numbers() {
        assert!(naturally("build-9", "build-10").is_lt());
        assert!(naturally("1.10.0", "1.9.0").is_gt());
        assert!(naturally("007", "7").is_eq());
        assert!(naturally("a", "b").is_lt());
    }
}
