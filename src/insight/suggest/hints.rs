//! Why there is no policy for a tag, and what would make one possible.

use super::kin;
use crate::insight::lint::naturally;
use crate::insight::tag_scheme::{self, Core, SEPARATORS, TagScheme, Unsortable};
use crate::policy::funnel::{Funnel, Step};

/// What a build adds to tags of commits, so that they can be put in order.
const CI: &str = "have the build add a number that grows: `tags: ghcr.io/acme/app:main-${GITHUB_SHA::7}-${GITHUB_RUN_NUMBER}` (GitLab: `$CI_COMMIT_SHORT_SHA-$CI_PIPELINE_IID`), and compare it: pattern `^main-[0-9a-f]+-(?P<number>\\d+)$`, extract `$number`, `numerical: {order: asc}`";

/// Whether a tag holds a commit's hash.
fn has_hash(scheme: &TagScheme<'_>) -> bool {
    let behind = scheme.suffix.split(SEPARATORS);
    let mut pieces = scheme.prefix.split(SEPARATORS).chain(behind);
    pieces.any(tag_scheme::is_hash)
}

/// Whether builds of commits are told apart by their day alone.
fn is_of_one_day(tag: &str) -> bool {
    let scheme = TagScheme::of(tag);
    let is_day = matches!(scheme.core, Core::Date(date) if date.len() <= 10);
    let next = scheme.suffix.trim_start_matches(['-', '.', '_']);
    let time = next.bytes().take_while(u8::is_ascii_digit).count();
    is_day && time == 0 && has_hash(&scheme)
}

/// What may be the case of builds of a day, though no two are listed.
pub(super) fn of_one_day(tag: &str) -> Option<String> {
    is_of_one_day(tag).then(|| {
        format!(
            "two builds of one day could not be told apart, and Flux would take any of them: {CI}"
        )
    })
}

/// Why tags that are made alike cannot be followed, of which two are one to every policy.
pub(super) fn collided(today: &str, a: &str, b: &str) -> (String, Option<String>) {
    match is_of_one_day(today) {
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
    }
}

const ITS_TAGS: &str = "its tags would tell: name them with `--tags`, or in a TagSnapshot";

/// Of a tag of which its other tags would tell what it is.
pub(super) fn doubtful(tag: &str) -> (String, String) {
    let why = format!("not sortable ({tag}): the number of a build, or a commit's hash?");
    (why, ITS_TAGS.to_owned())
}

/// Why a tag cannot be followed, and what would help.
pub(super) fn not_sortable(
    why: Unsortable,
    tag: &str,
    tags: Option<&[String]>,
) -> (String, Option<String>) {
    let shown = if tag.is_empty() {
        "no tag, which is `latest`"
    } else {
        tag
    };
    if why == Unsortable::Major && tags.is_none() {
        let why = format!("not sortable ({shown}): a major version, or the number of a build?");
        return (why, Some(ITS_TAGS.to_owned()));
    }
    let fixed = version_of(tag, tags.unwrap_or_default());
    let hint = match (why, fixed) {
        (Unsortable::Hash | Unsortable::Request, _) => CI.to_owned(),
        (Unsortable::Parts, _) => {
            "have the build make versions of three numbers, or add a number that grows".to_owned()
        }
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

/// Words of tags that move, which say nothing of a variant.
const MOVING: [&str; 16] = [
    "latest",
    "stable",
    "lts",
    "main",
    "master",
    "edge",
    "release",
    "current",
    "nightly",
    "dev",
    "develop",
    "rolling",
    "beta",
    "test",
    "prod",
    "production",
];

/// The pieces of a tag that are no numbers and do not say that it moves.
fn variant_of(tag: &str) -> Vec<&str> {
    let is_word = |piece: &&str| {
        let is_number = piece.bytes().all(|byte| byte.is_ascii_digit());
        !piece.is_empty() && !is_number && !MOVING.contains(piece)
    };
    tag.split(SEPARATORS).filter(is_word).collect()
}

/// The latest version of the same variant as a tag that moves, and of its major version.
fn version_of<'t>(tag: &str, tags: &'t [String]) -> Option<&'t str> {
    let own = TagScheme::of(tag);
    let major = match own.core {
        Core::Number(number) => Some(number),
        _ => None,
    };
    let wanted = match own.core {
        Core::Word => variant_of(tag),
        _ => variant_of(own.suffix),
    };
    let fixed = tags.iter().filter(|tag| {
        let scheme = TagScheme::of(tag);
        let is_version = matches!(scheme.core, Core::Version(_)) && !scheme.is_prerelease();
        let is_bare = matches!(scheme.prefix, "" | "v");
        let is_of_major = major.is_none() || scheme.numbers().first().copied() == major;
        is_version && is_bare && is_of_major && variant_of(scheme.suffix) == wanted
    });
    let latest = fixed.max_by(|a, b| naturally(a, b));
    latest.map(String::as_str)
}

/// That a policy accepts no other tag, though others look alike.
pub(super) fn alone(today: &str, funnel: &Funnel) -> Option<String> {
    if funnel.ranked().nth(1).is_some() {
        return None;
    }
    let form = kin::form(today);
    let mut others = funnel.ended_at(Step::Pattern);
    let alike = others.find(|one| kin::form(&one.tag) == form)?;
    Some(format!(
        "it accepts this tag alone, and not `{}`, which looks alike: see whether that is meant",
        alike.tag
    ))
}
