//! Lists of thousands of tags, most of which no policy of their ImageRepository looks at.

use std::collections::BTreeMap;

use super::{PolicyFacts, Subject};
use crate::api::Id;
use crate::finding::{Code, Finding, Severity};
use crate::insight::tag_scheme::{Core, TagScheme, is_hash};
use crate::policy::exclusion;
use crate::policy::funnel::{Fate, Offered, Step, TracedTag};
use go_regexp::{Budget, Regex};

/// A list of this many tags is long.
const LONG_LIST: usize = 1000;

/// So many exclusions are proposed.
const MOST: usize = 5;

/// Of one policy: the tags that it looks at, by their places among those that its
/// ImageRepository has; `None` where nobody knows, and where they are most of them.
pub(super) struct Wanted {
    repository: Id,
    places: Option<Vec<bool>>,
}

impl Wanted {
    /// What a policy looks at, where the list is long.
    pub(super) fn of(facts: &PolicyFacts<'_>) -> Option<Self> {
        let (repository, _) = facts.repository.as_ref()?;
        let repository = repository.clone();
        let Some(traced) = &facts.traced else {
            let places = None;
            return Some(Self { repository, places });
        };
        let kept = traced.offered.kept();
        if kept.len() < LONG_LIST {
            return None;
        }
        // What a pattern of its own matches is meant, whatever comes of it.
        let last = match traced.checked.filter() {
            Some(_) => Step::Pattern,
            None => Step::Value,
        };
        let wanted = || {
            let tags = traced.funnel.tags.iter();
            tags.filter(|one| one.fate.step() > last && !(last == Step::Value && is_closed(one)))
        };
        let is_untried = |one: &TracedTag| one.fate == Fate::Untried;
        if wanted().count() * 2 > kept.len() || traced.funnel.tags.iter().any(is_untried) {
            let places = None;
            return Some(Self { repository, places });
        }
        let mut places = vec![false; kept.len()];
        for one in wanted() {
            let place = kept.binary_search_by(|tag| one.tag.as_str().cmp(tag));
            if let Some(wanted) = place.ok().and_then(|place| places.get_mut(place)) {
                *wanted = true;
            }
        }
        Some(Self {
            repository,
            places: Some(places),
        })
    }
}

/// Whether a range would take a tag, were it no prerelease.
fn is_closed(one: &TracedTag) -> bool {
    let fate = &one.fate;
    matches!(fate, Fate::OutOfRange { is_prerelease, .. } if *is_prerelease)
}

/// One finding for each ImageRepository whose list a few exclusions would spare.
pub(super) fn look(
    subject: &Subject<'_>,
    wanted: Vec<Wanted>,
    offered: &BTreeMap<Id, Offered<'_>>,
) -> Vec<Finding> {
    let mut by_repository: BTreeMap<Id, Option<Vec<bool>>> = BTreeMap::new();
    for one in wanted {
        let Some(known) = by_repository.get_mut(&one.repository) else {
            by_repository.insert(one.repository, one.places);
            continue;
        };
        *known = match (known.take(), one.places) {
            (Some(mut all), Some(places)) => {
                all.iter_mut()
                    .zip(places)
                    .for_each(|(all, one)| *all |= one);
                Some(all)
            }
            _ => None,
        };
    }
    let lists = by_repository.into_iter().filter_map(|(id, places)| {
        let offered = offered.get(&id)?;
        long_list(subject, &id, &places?, offered.kept())
    });
    lists.collect()
}

fn long_list(subject: &Subject<'_>, id: &Id, places: &[bool], kept: &[&str]) -> Option<Finding> {
    let repository = subject.run.documents.repositories.get(id)?;
    let of = |is_wanted: bool| -> Vec<&str> {
        let tags = kept.iter().zip(places);
        let tags = tags.filter(|(_, wanted)| **wanted == is_wanted);
        tags.map(|(tag, _)| *tag).collect()
    };
    let (unwanted, wanted) = (of(false), of(true));
    if unwanted.len() * 2 < kept.len() {
        return None;
    }
    let patterns = exclusions(&unwanted, &wanted, &mut Budget::default());
    if patterns.is_empty() {
        return None;
    }
    let written = &repository.document.spec.exclusion_list;
    let own = written.iter().map(String::as_str);
    let default = exclusion::DEFAULT.iter().copied();
    let default = default.filter(|_| written.is_empty());
    let all = own
        .chain(default)
        .chain(patterns.iter().map(String::as_str));
    let all: Vec<String> = all.map(super::mends::quoted).collect();
    let message = format!(
        "ImageRepository `{id}` has {} tags at each scan, {} of which no ImagePolicy here looks at",
        kept.len(),
        unwanted.len()
    );
    let location = subject
        .texts
        .field(&repository.location, "spec.exclusionList");
    let finding = Finding::new(Severity::Info, Code::LongTagList, message, location);
    Some(finding.hint(format!("write `exclusionList: [{}]`", all.join(", "))))
}

/// The pattern of tags that are made as one is: those of a signature or attestation, what begins
/// with one word or ends in one, commits.
fn family(tag: &str) -> Option<String> {
    if let Some((digest, _)) = tag.split_once('.')
        && let Some(hex) = digest.strip_prefix("sha256-")
        && hex.len() == 64
    {
        return Some("^sha256-[0-9a-f]{64}\\.".to_owned());
    }
    let word = tag.bytes().take_while(u8::is_ascii_alphabetic).count();
    match (word, tag[word..].chars().next()) {
        (2.., Some(separator @ ('-' | '_'))) => {
            return Some(format!("^{}{separator}", &tag[..word]));
        }
        (2.., Some('.')) => return Some(format!("^{}\\.", &tag[..word])),
        _ => {}
    }
    let scheme = TagScheme::of(tag);
    if matches!(
        scheme,
        TagScheme {
            prefix: "",
            core: Core::Hash(_),
            ..
        }
    ) {
        return Some("^[0-9a-f]{7,64}$".to_owned());
    }
    let last = tag.rfind(['-', '_', '.'])?;
    let (separator, word) = (tag.get(last..=last)?, tag.get(last + 1..)?);
    let is_word = word.len() > 1
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !is_hash(word);
    let separator = if separator == "." { "\\." } else { separator };
    is_word.then(|| format!("{separator}{word}$"))
}

/// Patterns that match many of some tags, and none of others.
fn exclusions(unwanted: &[&str], wanted: &[&str], budget: &mut Budget) -> Vec<String> {
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    for tag in unwanted {
        let Some(pattern) = family(tag) else { continue };
        *families.entry(pattern).or_default() += 1;
    }
    let mut families: Vec<(String, usize)> = families.into_iter().collect();
    families.sort_by(|(a, one), (b, other)| other.cmp(one).then(a.cmp(b)));
    let many = unwanted.len() / 20;
    let large = families.into_iter().filter(|(_, count)| *count > many);
    let mut harmless = |pattern: &String| {
        let compiled = Regex::within(pattern, budget).ok();
        compiled.is_some_and(|regex| !wanted.iter().any(|tag| regex.is_match(tag)))
    };
    let patterns = large.map(|(pattern, _)| pattern).take(MOST);
    patterns.filter(|pattern| harmless(pattern)).collect()
}
