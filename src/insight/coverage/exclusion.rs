//! Which images are left alone on purpose: by settings, and by comments in the files.
//!
//! A comment `# flux-image: exclude REASON [until YYYY-MM-DD]` counts for the values of its
//! line, or where it has a line of its own for those of the next line that is no comment.
//! A day named with `until` is the last on which an exclusion counts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ExclusionSpec;

use crate::quote;

/// What `coverage` is told about a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CoverageSettings {
    /// Images that are left alone on purpose; the first that fits counts.
    pub exclusions: Vec<Exclusion>,
}

/// Images that are left alone on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Exclusion {
    /// Their names, without tag and digest: a pattern with `*` (no slash), `**` and `?`. All
    /// where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The files that they are in, from the root of the work tree on: such a pattern, or a
    /// folder. All where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which this counts (`YYYY-MM-DD`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Date>,
}

impl From<&ExclusionSpec> for Exclusion {
    fn from(spec: &ExclusionSpec) -> Self {
        Self {
            image: spec.image.clone(),
            path: spec.path.clone(),
            reason: spec.reason.clone(),
            until: spec.until,
        }
    }
}

/// What an exclusion means for an image today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// It is left alone, for this reason.
    Yes(String),
    /// It was, until a day that is past.
    Expired(String),
    /// A comment that should exclude it does not count, and why.
    Unusable(&'static str),
}

impl Exclusion {
    fn fits(&self, file: &str, image: &str) -> bool {
        let is_path = |pattern: &String| {
            let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
            let file = file.trim_start_matches("./");
            let inside = file
                .strip_prefix(pattern)
                .is_some_and(|rest| rest.starts_with('/'));
            inside || matches_glob(pattern, file)
        };
        let is_image = |pattern: &String| matches_glob(pattern, image);
        self.path.as_ref().is_none_or(is_path) && self.image.as_ref().is_none_or(is_image)
    }
}

impl CoverageSettings {
    /// What the exclusions say of an image: the first that fits and counts today, else the
    /// first that fits.
    #[must_use]
    pub fn excludes(&self, file: &str, image: &str, today: Date) -> Option<Excluded> {
        let fitting = self.exclusions.iter().filter(|one| one.fits(file, image));
        let mut said = fitting.map(|one| judged(&one.reason, one.until, today));
        let first = said.next()?;
        if matches!(first, Excluded::Yes(_)) {
            return Some(first);
        }
        let counting = said.find(|one| matches!(one, Excluded::Yes(_)));
        Some(counting.unwrap_or(first))
    }
}

fn judged(reason: &str, until: Option<Date>, today: Date) -> Excluded {
    match until {
        Some(until) if until < today => {
            Excluded::Expired(format!("its exclusion ended on {until}: {reason}"))
        }
        Some(until) => Excluded::Yes(format!("{reason} (until {until})")),
        None => Excluded::Yes(reason.to_owned()),
    }
}

/// Whether a text is of a pattern: `*` stands for anything but a slash, `**` for anything,
/// `?` for one character but a slash. The work is at most the product of both lengths.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // Whether the pattern up to here takes the text up to there; one row for the text.
    let text: Vec<char> = text.chars().collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let is_any = pattern[at] == '*';
        let is_deep = is_any && pattern.get(at + 1) == Some(&'*');
        let mut next = vec![false; text.len() + 1];
        if is_any {
            next[0] = row[0];
            for (number, c) in text.iter().enumerate() {
                next[number + 1] = row[number + 1] || (next[number] && (is_deep || *c != '/'));
            }
        } else {
            for (number, c) in text.iter().enumerate() {
                let is_it = pattern[at] == *c || (pattern[at] == '?' && *c != '/');
                next[number + 1] = row[number] && is_it;
            }
        }
        row = next;
        at += if is_deep { 2 } else { 1 };
    }
    row[text.len()]
}

/// An exclusion that a comment speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    reason: String,
    until: Option<Date>,
    is_day_wrong: bool,
}

/// Bytes of a reason that are told.
const LONGEST_REASON: usize = 500;

/// What stands before the reason.
pub const WORD: &str = "flux-image: exclude";

/// The comments of a text that exclude something, by the line that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments(BTreeMap<usize, Comment>);

impl Comments {
    /// Finds them. Lines count from 1.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut found = BTreeMap::new();
        if memchr::memmem::find(text.as_bytes(), WORD.as_bytes()).is_none() {
            return Self(found);
        }
        let mut above: Option<Comment> = None;
        for (number, line) in lines(text).enumerate() {
            let trimmed = line.trim_start();
            if trimmed.starts_with('#') {
                above = read(trimmed).or(above);
                continue;
            }
            let behind = line.match_indices('#').find_map(|(at, _)| {
                let is_comment = line[..at].ends_with([' ', '\t']);
                is_comment.then(|| read(&line[at..])).flatten()
            });
            if let Some(comment) = behind.or(above.take()) {
                found.insert(number + 1, comment);
            }
            above = None;
        }
        Self(found)
    }

    /// What they say of a value on a line.
    #[must_use]
    pub fn excludes(&self, line: usize, today: Date) -> Option<Excluded> {
        let comment = self.0.get(&line)?;
        if comment.is_day_wrong {
            return Some(Excluded::Unusable(
                "the comment that excludes it names no day that there is, as YYYY-MM-DD",
            ));
        }
        if comment.reason.is_empty() {
            return Some(Excluded::Unusable(
                "the comment that excludes it says no reason, and does not count",
            ));
        }
        Some(judged(&comment.reason, comment.until, today))
    }
}

/// The lines of a text as YAML counts them: ended by a line feed, a carriage return, or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.split('\n');
    whole.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Reads a comment from its `#` on.
fn read(comment: &str) -> Option<Comment> {
    let body = comment.trim_start_matches('#').trim();
    let rest = body.strip_prefix(WORD)?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t', ':']) {
        return None;
    }
    let rest = rest.trim_start_matches(':').trim();
    let day = match rest.rsplit_once("until ") {
        Some((reason, day)) if reason.is_empty() || reason.ends_with(' ') => {
            Some((reason.trim(), day.trim()))
        }
        _ => None,
    };
    // Words behind `until` are a reason's.
    let day = day.filter(|(_, day)| day.starts_with(|c: char| c.is_ascii_digit()));
    let (reason, day) = day.map_or((rest, None), |(reason, day)| (reason, Some(day)));
    let until = day.and_then(|day| day.parse::<Date>().ok());
    Some(Comment {
        // It may be told of every value of a line.
        reason: quote::at_most(reason, LONGEST_REASON).into_owned(),
        is_day_wrong: day.is_some() && until.is_none(),
        until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 26);

    #[test]
    fn patterns_know_slashes() {
        for (pattern, text, expected) in [
            ("ghcr.io/acme/*", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/a/b", false),
            ("ghcr.io/**", "ghcr.io/acme/a/b", true),
            ("**/app", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/ap?", "ghcr.io/acme/app", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(matches_glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn comments_are_of_their_line_or_the_next() {
        let text = "\
a: x # flux-image: exclude frozen for the audit until 2026-12-01
# flux-image: exclude ours to build
# more words

b: y
#flux-image: exclude: kept until 2026-01-01
c: z
d: 'w' # flux-image: exclude
e: v # flux-image: excluded
f: u#flux-image: exclude glued
g: t # flux-image: exclude waits until then
h: s # flux-image: exclude waits until 2026-13-01
";
        let comments = Comments::of(text);
        let at = |line| comments.excludes(line, TODAY);
        let yes = |reason: &str| Some(Excluded::Yes(reason.to_owned()));
        assert_eq!(at(1), yes("frozen for the audit (until 2026-12-01)"));
        assert_eq!(at(4), yes("ours to build"));
        assert_eq!(at(5), None);
        assert_eq!(
            at(7),
            Some(Excluded::Expired(
                "its exclusion ended on 2026-01-01: kept".to_owned()
            ))
        );
        assert!(matches!(at(8), Some(Excluded::Unusable(_))));
        assert_eq!(at(9), None);
        assert_eq!(at(10), None);
        assert_eq!(at(11), yes("waits until then"));
        assert!(matches!(at(12), Some(Excluded::Unusable(_))));
    }

    #[test]
    fn the_first_that_counts_is_told() {
        let exclusion = |path: Option<&str>, image: Option<&str>, until: Option<Date>| Exclusion {
            image: image.map(str::to_owned),
            path: path.map(str::to_owned),
            reason: "because".to_owned(),
            until,
        };
        let settings = CoverageSettings {
            exclusions: vec![
                exclusion(Some("apps/old"), None, Some(jiff::civil::date(2026, 1, 1))),
                exclusion(Some("apps/**/*.yaml"), Some("ghcr.io/acme/*"), None),
            ],
        };
        let told = |file, image| settings.excludes(file, image, TODAY);
        assert_eq!(
            told("apps/old/x.yaml", "ghcr.io/acme/app"),
            Some(Excluded::Yes("because".to_owned()))
        );
        assert!(matches!(
            told("apps/old/x.yaml", "nginx"),
            Some(Excluded::Expired(_))
        ));
        assert_eq!(told("apps/older/x.yaml", "nginx"), None);
    }
}
