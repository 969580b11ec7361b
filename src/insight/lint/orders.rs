//! Orders that do not put values right: numbers, dates and hashes that are compared as texts.

use super::LOOKED_AT;
use super::natural::naturally;
use crate::insight::tag_scheme::{Core, SEPARATORS, TagScheme, is_hash};
use masterminds_semver::Version;

/// What an order does not put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disorder {
    /// Hashes of commits.
    Hashes,
    /// The value that is taken for the latest, and the place of one that counts on from it.
    Numbers(usize),
    /// Dates that do not begin with the year; the place of the latest, where it can be told.
    Dates(Option<usize>),
}

/// What a text is without what says nothing of its order: hashes are all alike.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let pieces = text.split_inclusive(SEPARATORS);
    for piece in pieces {
        let bare = piece.trim_end_matches(SEPARATORS);
        out.push_str(if is_hex(bare) { "#" } else { bare });
        out.push_str(&piece[bare.len()..]);
    }
    out
}

/// Two tags with one hash in the place of those that stand in both: a hash of digits alone, or
/// of letters, is known by the other's.
pub(super) fn with_one_hash(one: &str, other: &str) -> (String, String) {
    /// What every reader of tags takes for a hash.
    const HASH: &str = "0a1b2c3";
    let pieces = |text: &str| text.split(SEPARATORS).count();
    if pieces(one) != pieces(other) {
        return (one.to_owned(), other.to_owned());
    }
    let mut masked = (String::new(), String::new());
    let both = one.split_inclusive(SEPARATORS);
    for (one, other) in both.zip(other.split_inclusive(SEPARATORS)) {
        let bare = (
            one.trim_end_matches(SEPARATORS),
            other.trim_end_matches(SEPARATORS),
        );
        let is_one = are_hashes(bare.0, bare.1);
        for (whole, bare, out) in [(one, bare.0, &mut masked.0), (other, bare.1, &mut masked.1)] {
            out.push_str(if is_one { HASH } else { bare });
            out.push_str(&whole[bare.len()..]);
        }
    }
    masked
}

/// Whether two pieces that stand at one place are hashes of commits: of hexadecimal digits,
/// and not numbers both.
fn are_hashes(one: &str, other: &str) -> bool {
    let bare = |piece: &str| {
        let bare = piece.strip_prefix('g').unwrap_or(piece);
        let is_hex = bare
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_date = matches!(TagScheme::of(bare).core, Core::Date(_));
        (is_hex && !is_date && (7..=64).contains(&bare.len())).then(|| bare.to_owned())
    };
    let is_number = |piece: &str| piece.bytes().all(|byte| byte.is_ascii_digit());
    match (bare(one), bare(other)) {
        (Some(one), Some(other)) => !is_number(&one) || !is_number(&other),
        _ => false,
    }
}

/// What a part of a tag is when hashes are all alike, and numbers are.
pub(super) fn shape(text: &str) -> String {
    let mut out = String::new();
    for c in masked(text).chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !out.ends_with('0') {
            out.push(c);
        }
    }
    // A number and a hash stand for each other: some hashes are digits alone.
    out.replace('#', "0")
}

/// Whether a piece is a commit's hash, also one that has no digit by chance.
fn is_hex(piece: &str) -> bool {
    let bare = piece.strip_prefix('g').unwrap_or(piece);
    let is_word = bare.bytes().all(|byte| matches!(byte, b'a'..=b'f'));
    is_hash(piece) || (is_word && (7..=64).contains(&bare.len()))
}

/// What is wrong with values in the order of their bytes, the greatest first.
pub(super) fn of_bytes(values: &[&str]) -> Option<Disorder> {
    let by_bytes = *values.first().filter(|_| values.len() > 1)?;
    let step = values.len() / LOOKED_AT + 1;
    let looked_at = values.iter().step_by(step);
    let hashes = looked_at.clone();
    let hashes = hashes.filter(|value| matches!(TagScheme::of(value).core, Core::Hash(_)));
    if hashes.count() * 4 >= looked_at.len() * 3 {
        return Some(Disorder::Hashes);
    }
    if let Some(dates) = dates(values) {
        return Some(Disorder::Dates(dates));
    }
    let (mut latest, mut at) = (masked(by_bytes), None);
    // Where hashes stand, every value has to be written anew.
    let most = match latest.contains('#') {
        true => LOOKED_AT,
        false => values.len(),
    };
    for (place, value) in values.iter().enumerate().take(most).skip(1) {
        // Only what has a hash needs to be written anew.
        let is_later = naturally(value, &latest).is_gt() && {
            let value = masked(value);
            let is_later = naturally(&value, &latest).is_gt();
            if is_later {
                latest = value;
            }
            is_later
        };
        at = if is_later { Some(place) } else { at };
    }
    at.map(Disorder::Numbers)
}

/// The place of the latest of numbers with one dot, the greatest first, where as decimals it is
/// not the latest: `1.10` is `1.1` to a number.
pub(super) fn of_decimals(values: &[&str]) -> Option<usize> {
    let is_dotted = |value: &str| {
        let parts = value.split_once('.');
        parts.is_some_and(|(one, other)| {
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            is_number(one) && is_number(other)
        })
    };
    let first = values.first().copied().filter(|first| is_dotted(first))?;
    let dotted = values.iter().enumerate().take(LOOKED_AT);
    let dotted = dotted.filter(|(_, value)| is_dotted(value));
    let latest = dotted.max_by(|(_, one), (_, other)| naturally(one, other));
    let (place, latest) = latest?;
    naturally(latest, first).is_gt().then_some(place)
}

/// Where dates of day, month and year are compared: the place of the latest, where the day can
/// be told from the month.
fn dates(values: &[&str]) -> Option<Option<usize>> {
    let first = date(values[0]).filter(|date| !date.is_year_first)?;
    let mut all = Vec::new();
    for value in values.iter().take(LOOKED_AT) {
        let date = date(value)?;
        if date.prefix != first.prefix || date.is_year_first {
            return None;
        }
        all.push(date.numbers);
    }
    let days_first = all.iter().any(|[a, ..]| *a > 12);
    let months_first = all.iter().any(|[_, b, _]| *b > 12);
    let key = |[a, b, year]: [u32; 3]| match days_first {
        true => (year, b, a),
        false => (year, a, b),
    };
    let latest = all.iter().enumerate().max_by_key(|(_, date)| key(**date));
    Some(
        latest
            .map(|(place, _)| place)
            .filter(|_| days_first != months_first),
    )
}

/// A date of three numbers at the end of a tag.
struct Date<'t> {
    prefix: &'t str,
    separator: char,
    numbers: [u32; 3],
    is_year_first: bool,
}

fn date(tag: &str) -> Option<Date<'_>> {
    let separator = ['-', '_', '.']
        .into_iter()
        .find(|one| tag.matches(*one).count() >= 2)?;
    let mut parts = tag.rsplitn(3, separator);
    let (last, middle, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let bare = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let first = &rest[bare.len()..];
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+'));
    let (a, b, c) = (number(first)?, number(middle)?, number(last)?);
    let is_year = |year: u32| (1990..=2100).contains(&year);
    let is_day = |a: u32, b: u32| (1..=31).contains(&a) && (1..=31).contains(&b) && a.min(b) <= 12;
    let is_short = |text: &str| match separator {
        // Versions have dots as well.
        '.' => text.len() == 2,
        _ => matches!(text.len(), 1 | 2),
    };
    let year_first = is_year(a) && is_day(b, c) && is_short(middle) && is_short(last);
    let year_last = is_year(c) && is_day(a, b) && is_short(first) && is_short(middle);
    (year_first || year_last).then_some(Date {
        prefix: bare,
        separator,
        numbers: [a, b, c],
        is_year_first: year_first,
    })
}

/// Whether dates whose year comes last begin with the day.
pub(super) fn is_days_first(values: &[&str]) -> bool {
    let mut dates = values
        .iter()
        .take(LOOKED_AT)
        .filter_map(|value| date(value));
    dates.any(|date| date.numbers[0] > 12)
}

/// The filter that makes versions of the dates at the end of tags, so that their numbers
/// count: pattern and extract. `days_first` tells how dates are written whose year is last.
pub(super) fn date_filter(tag: &str, days_first: bool) -> Option<(String, String)> {
    let date = date(tag)?;
    let mut prefix = String::new();
    for c in date.prefix.chars() {
        if !c.is_ascii_alphanumeric() && c != '-' && c != '_' {
            prefix.push('\\');
        }
        prefix.push(c);
    }
    let separator = match date.separator {
        '.' => "\\.".to_owned(),
        other => other.to_string(),
    };
    let group = |name: &str| match name {
        "year" => r"(?P<year>\d{4})".to_owned(),
        name => format!("(?P<{name}>\\d{{1,2}})"),
    };
    let names = match (date.is_year_first, days_first) {
        (true, _) => ["year", "month", "day"],
        (false, true) => ["day", "month", "year"],
        (false, false) => ["month", "day", "year"],
    };
    let pattern = names.map(group).join(&separator);
    Some((
        format!("^{prefix}{pattern}$"),
        "$year.$month.$day".to_owned(),
    ))
}

/// What is wrong with the prereleases of the latest version, the latest first: identifiers of
/// letters and numbers are compared as texts.
pub(super) fn of_prereleases(versions: &[Version]) -> Option<Disorder> {
    let first = versions.first().filter(|one| one.is_prerelease())?;
    let shape = |masked: &str| -> String {
        let letters = masked.chars().filter(|c| !c.is_ascii_digit());
        letters.collect()
    };
    let own = masked(first.prerelease());
    let mut latest = own.clone();
    let (mut at, mut is_hash) = (None, false);
    for (place, version) in versions.iter().enumerate().skip(1) {
        if version.numbers() != first.numbers() || !version.is_prerelease() {
            break;
        }
        let other = masked(version.prerelease());
        if own.contains('#') && other == own {
            is_hash = true;
        }
        if shape(&other) == shape(&own) && naturally(&other, &latest).is_gt() {
            latest = other;
            at = Some(place);
        }
    }
    match at {
        Some(place) => Some(Disorder::Numbers(place)),
        None => is_hash.then_some(Disorder::Hashes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_dates_and_hashes_are_told_apart() {
        for (values, expected) in [
            (&["main-9", "main-10"][..], Some(Disorder::Numbers(1))),
            (&["2024-9-30", "2024-10-1"], Some(Disorder::Numbers(1))),
            (
                &["20-02-2023", "01-02-2024"],
                Some(Disorder::Dates(Some(1))),
            ),
            (&["02-02-2023", "01-02-2024"], Some(Disorder::Dates(None))),
            (&["8f2c1d9", "0a1b2c3"], Some(Disorder::Hashes)),
            // The same version of two commits.
            (&["1.2.3-8f2c1d9", "1.2.3-0f2c1d99"], None),
            (&["sha-fffec3b", "sha-fddccad", "a-1", "a-0"], None),
            (&["main-20240102-1234abc", "main-20240101-99999abc"], None),
            (&["1.2.4", "1.2.3"], None),
        ] {
            assert_eq!(of_bytes(values), expected, "{values:?}");
        }
    }

    #[test]
    fn hashes_are_known_by_each_other() {
        for (one, other, expected) in [
            ("main-99-4417302", "main-100-8f2c1d9", true),
            ("4417302-9", "8f2c1d9-11", true),
            ("8f2c1d9-9", "deadbee-11", true),
            ("v1.2.3-1-g8f2c1d9", "v1.2.3-3-gdeadbee", true),
            ("main-4417302", "main-4417303", false),
            ("main-20240102", "main-8f2c1d9a", false),
            ("main-8f2c1d9", "main-8f2c1d9-1", false),
            ("1.2.3-alpine", "1.2.3-deadbee", false),
        ] {
            let (a, b) = with_one_hash(one, other);
            assert_eq!((a != one) || (b != other), expected, "{one} {other}");
        }
    }

    #[test]
    fn prereleases_without_dots_are_texts() {
        for (tags, expected) in [
            (&["1.2.3-rc9", "1.2.3-rc10"][..], Some(Disorder::Numbers(1))),
            (&["1.2.3-8f2c1d9", "1.2.3-0f2c1d9"], Some(Disorder::Hashes)),
            (
                &["1.2.3-9-g8f2c1d9", "1.2.3-10-g0f2c1d9"],
                Some(Disorder::Numbers(1)),
            ),
            (&["1.2.3-rc.10", "1.2.3-rc.9"], None),
            (&["1.2.3-rc9", "1.2.3-alpha10"], None),
            (&["1.2.3-rc9", "1.2.2-rc10"], None),
            (&["1.2.3", "1.2.3-rc10"], None),
        ] {
            let versions = tags
                .iter()
                .map(|tag| Version::parse(tag).expect("a version"));
            let versions: Vec<Version> = versions.collect();
            assert_eq!(of_prereleases(&versions), expected, "{tags:?}");
        }
    }
}
