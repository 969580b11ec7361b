//! How the tags of an image are made: what stands before the version, the version itself
//! or a date or a number, and the variant behind it. Told from a tag alone, so that two
//! tags can be said to be of one kind, and a policy can be written that keeps to it.

use std::fmt::Write as _;

/// A tag, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagScheme<'t> {
    /// What stands before the core: `v`, `release-`, `main-`.
    pub prefix: &'t str,
    /// What changes from one tag to the next.
    pub core: Core<'t>,
    /// What stands behind it.
    pub suffix: &'t str,
}

/// What of a tag changes from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core<'t> {
    /// Two to four numbers with dots between.
    Version(&'t str),
    /// A date of eight digits or more (`20241124`, `20241124103000`), or with `-` between
    /// (`2024-11-24`, and a time behind it).
    Date(&'t str),
    /// A number.
    Number(&'t str),
    /// A commit's hash, and nothing else that changes.
    Hash(&'t str),
    /// A word, such as `latest`.
    Word,
}

/// Words of prereleases.
const PRERELEASES: [&str; 13] = [
    "alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "nightly", "canary", "test", "m",
    "b", "a",
];

impl<'t> TagScheme<'t> {
    /// Takes a tag apart.
    #[must_use]
    pub fn of(tag: &'t str) -> Self {
        let runs = digit_runs(tag);
        let hashes = hashes(tag);
        let is_hash = |at: usize| {
            hashes
                .iter()
                .any(|(start, end)| (*start..*end).contains(&at))
        };
        let free = || runs.iter().copied().filter(|(start, _)| !is_hash(*start));
        let found = free()
            .find_map(|run| version_at(tag, run))
            .map(|(start, end)| (start, end, Core::Version(&tag[start..end])))
            .or_else(|| {
                let found = free().find_map(|run| date_at(tag, run));
                found.map(|(start, end)| (start, end, Core::Date(&tag[start..end])))
            })
            .or_else(|| {
                let longest = free().max_by_key(|(start, end)| end - start);
                let stands = longest.filter(|(start, _)| stands_alone(tag, *start));
                stands.map(|(start, end)| (start, end, Core::Number(&tag[start..end])))
            })
            .or_else(|| {
                let (start, end) = *hashes.first()?;
                Some((start, end, Core::Hash(&tag[start..end])))
            });
        match found {
            Some((start, end, core)) => Self {
                prefix: &tag[..start],
                core,
                suffix: &tag[end..],
            },
            None => Self {
                prefix: tag,
                core: Core::Word,
                suffix: "",
            },
        }
    }

    /// The numbers of a version; none of anything else.
    #[must_use]
    pub fn numbers(&self) -> Vec<&'t str> {
        match self.core {
            Core::Version(version) => version.split('.').collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a word behind the version says that it is a prerelease.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        words(self.suffix).any(|word| PRERELEASES.contains(&word.as_str()))
    }

    /// The words behind the core that tell variants apart, such as `alpine`, in order;
    /// numbers, hashes and the words of prereleases are none.
    #[must_use]
    pub fn variant(&self) -> Vec<String> {
        let words = words(self.suffix);
        words
            .filter(|word| !PRERELEASES.contains(&word.as_str()))
            .collect()
    }

    /// What stands before the core, without hashes and numbers.
    #[must_use]
    pub fn family(&self) -> Vec<String> {
        words(self.prefix).collect()
    }
}

/// The words of a part of a tag: letters, without the digits at their ends.
fn words(text: &str) -> impl Iterator<Item = String> {
    let pieces = text.split(['-', '.', '_', '+']);
    let pieces = pieces.filter(|piece| !is_hash(piece));
    let words = pieces.map(|piece| piece.trim_matches(|c: char| c.is_ascii_digit()));
    let words = words.filter(|word| !word.is_empty() && *word != "v");
    words.map(str::to_ascii_lowercase)
}

/// Where runs of digits are.
fn digit_runs(tag: &str) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, byte) in tag.bytes().chain([b' ']).enumerate() {
        match (byte.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                runs.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// Where hashes of commits are: whole pieces between `-`, `.`, `_` and `+`.
fn hashes(tag: &str) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    for piece in tag.split(['-', '.', '_', '+']) {
        if is_hash(piece) {
            found.push((at, at + piece.len()));
        }
        at += piece.len() + 1;
    }
    found
}

/// Whether a piece is a commit's hash, whole or cut to seven digits or more; one of decimal
/// digits alone is taken for a number, unless it is whole.
#[must_use]
pub fn is_hash(piece: &str) -> bool {
    let piece = piece.strip_prefix('g').unwrap_or(piece);
    let is_hex = piece
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has = |what: fn(&u8) -> bool| piece.bytes().any(|byte| what(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    is_hex && matches!(piece.len(), 7..=64) && (is_mixed || matches!(piece.len(), 40 | 64))
}

/// Whether a number at a place is one of its own: behind the beginning, a separator, or a
/// letter `v` that is.
fn stands_alone(tag: &str, start: usize) -> bool {
    let before = &tag[..start];
    let bare = before.strip_suffix(['v', 'V']).unwrap_or(before);
    bare.is_empty() || bare.ends_with(['-', '.', '_', '+'])
}

/// A version of two to four numbers that begins with a run of digits.
fn version_at(tag: &str, (start, _): (usize, usize)) -> Option<(usize, usize)> {
    if !stands_alone(tag, start) || tag[..start].ends_with('.') {
        return None;
    }
    let rest = &tag[start..];
    let end = rest
        .bytes()
        .position(|byte| !byte.is_ascii_digit() && byte != b'.')
        .unwrap_or(rest.len());
    let text = rest[..end].trim_end_matches('.');
    let parts = text.split('.').count();
    let is_whole = text.split('.').all(|part| !part.is_empty());
    (is_whole && (2..=4).contains(&parts)).then_some((start, start + text.len()))
}

/// A date that begins with a run of digits.
fn date_at(tag: &str, (start, end): (usize, usize)) -> Option<(usize, usize)> {
    let run = &tag[start..end];
    let number = |text: &str| text.parse::<u32>().ok();
    let is_date = |year: &str, month: &str, day: &str| {
        let fits = |number: Option<u32>, range: std::ops::RangeInclusive<u32>| {
            number.is_some_and(|number| range.contains(&number))
        };
        fits(number(year), 1990..=2100) && fits(number(month), 1..=12) && fits(number(day), 1..=31)
    };
    if (8..=14).contains(&run.len()) {
        let found = is_date(&run[..4], &run[4..6], &run[6..8]);
        return found.then_some((start, end));
    }
    let text = tag.get(start..start + 10)?;
    let bytes = text.as_bytes();
    let is_dashed = run.len() == 4 && bytes[4] == b'-' && bytes[7] == b'-';
    if !is_dashed || !is_date(&text[..4], text.get(5..7)?, text.get(8..10)?) {
        return None;
    }
    // A time may follow, as in `2024-11-07T00-52-20Z`.
    let rest = &tag[start + 10..];
    let time = rest.strip_prefix('T').map_or(0, |_| {
        let is_time = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'-' | b':');
        rest.bytes()
            .position(|byte| !is_time(byte))
            .unwrap_or(rest.len())
    });
    Some((start, start + 10 + time))
}

/// A policy that keeps to how a tag is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyScheme {
    /// `filterTags.pattern`.
    pub pattern: String,
    /// `filterTags.extract`, where something else than the tag is compared.
    pub extract: Option<String>,
    /// How it compares.
    pub by: SchemeOrder,
}

/// How a scheme compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemeOrder {
    /// As versions, in this range.
    Semver(String),
    /// As numbers.
    Numerical,
    /// By bytes, which is right for dates.
    Alphabetical,
}

/// A tag that no policy can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsortable {
    /// A commit alone.
    #[error("a commit's hash says nothing of which is later")]
    Hash,
    /// A word alone.
    #[error("the tag is a word, which moves by itself")]
    Word,
}

impl PolicyScheme {
    /// The policy that keeps prefix, variant and number of parts of a tag.
    ///
    /// # Errors
    /// A tag in which nothing tells which is later.
    pub fn of(tag: &str) -> Result<Self, Unsortable> {
        let scheme = TagScheme::of(tag);
        let (before, behind) = (literal(scheme.prefix), literal(scheme.suffix));
        let is_plain = scheme.suffix.is_empty();
        match scheme.core {
            Core::Word => Err(Unsortable::Word),
            Core::Hash(_) => Err(Unsortable::Hash),
            Core::Version(_) => Ok(of_version(&scheme, &before, &behind)),
            Core::Date(date) => Ok(Self {
                pattern: format!("^{before}(?P<date>{}){behind}$", fixed(date)),
                extract: Some("$date".to_owned()),
                by: SchemeOrder::Alphabetical,
            }),
            Core::Number(_) => Ok(Self {
                pattern: format!("^{before}(?P<number>\\d+){behind}$"),
                extract: (!is_plain || !scheme.prefix.is_empty()).then(|| "$number".to_owned()),
                by: SchemeOrder::Numerical,
            }),
        }
    }
}

fn of_version(scheme: &TagScheme<'_>, before: &str, behind: &str) -> PolicyScheme {
    let numbers = scheme.numbers();
    let major = numbers
        .first()
        .map_or("", |number| number.trim_start_matches('0'));
    let major = if major.is_empty() { "0" } else { major };
    let is_bare = matches!(scheme.prefix, "" | "v");
    let variant = scheme.variant();
    if scheme.is_prerelease() && variant.is_empty() && numbers.len() == 3 && is_bare {
        let number = r"\d+";
        let suffix = "(-[0-9A-Za-z.-]+)?";
        return PolicyScheme {
            pattern: format!("^{before}{number}\\.{number}\\.{number}{suffix}$"),
            extract: None,
            by: SchemeOrder::Semver(format!(">={major}.0.0-0")),
        };
    }
    // Years go by.
    let is_year = major
        .parse()
        .is_ok_and(|major: u32| (1990..=2100).contains(&major));
    let range = match is_year {
        true => format!(">={major}.0.0"),
        false => format!("{major}.x"),
    };
    let three = r"(?P<version>\d+\.\d+\.\d+)";
    match numbers.len() {
        3 if is_bare && scheme.suffix.is_empty() => PolicyScheme {
            pattern: format!("^{before}\\d+\\.\\d+\\.\\d+$"),
            extract: None,
            by: SchemeOrder::Semver(range),
        },
        2 => PolicyScheme {
            pattern: format!("^{before}(?P<version>\\d+\\.\\d+){behind}$"),
            extract: Some("$version.0".to_owned()),
            by: SchemeOrder::Semver(range),
        },
        4 => PolicyScheme {
            pattern: format!("^{before}{three}\\.(?P<build>\\d+){behind}$"),
            extract: Some("$version-$build".to_owned()),
            by: SchemeOrder::Semver(format!(">={major}.0.0-0")),
        },
        _ => PolicyScheme {
            pattern: format!("^{before}{three}{behind}$"),
            extract: Some("$version".to_owned()),
            by: SchemeOrder::Semver(range),
        },
    }
}

/// A pattern for what stands around a core: words as they are, numbers and hashes as any.
fn literal(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['-', '.', '_', '+']).unwrap_or(rest.len());
        let piece = &rest[..end];
        if is_hash(piece) {
            out.push_str(if piece.starts_with('g') { "g" } else { "" });
            out.push_str("[0-9a-f]{7,64}");
        } else {
            numbers_as_any(piece, &mut out);
        }
        if let Some(separator) = rest[end..].chars().next() {
            out.push_str(&escaped(separator));
            rest = &rest[end + separator.len_utf8()..];
        } else {
            rest = "";
        }
    }
    out
}

fn numbers_as_any(piece: &str, out: &mut String) {
    let mut is_in_number = false;
    for c in piece.chars() {
        if c.is_ascii_digit() {
            if !is_in_number {
                out.push_str(r"\d+");
            }
            is_in_number = true;
        } else {
            is_in_number = false;
            out.push_str(&escaped(c));
        }
    }
}

fn escaped(c: char) -> String {
    match c {
        '-' | '_' => c.to_string(),
        c if c.is_alphanumeric() => c.to_string(),
        c => format!("\\{c}"),
    }
}

/// A pattern of as many digits.
fn fixed(text: &str) -> String {
    let mut out = String::new();
    let mut digits = 0;
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_digit() => digits += 1,
            other => {
                if digits > 0 {
                    _ = write!(out, "\\d{{{digits}}}");
                }
                digits = 0;
                out.extend(other.map(escaped));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use go_regexp::Regex;

    #[test]
    fn tags_are_taken_apart() {
        for (tag, prefix, core, suffix) in [
            ("1.2.3", "", Core::Version("1.2.3"), ""),
            (
                "v1.27-alpine3.19",
                "v",
                Core::Version("1.27"),
                "-alpine3.19",
            ),
            ("release-1.2.3_4", "release-", Core::Version("1.2.3"), "_4"),
            ("1.28.0.5999", "", Core::Version("1.28.0.5999"), ""),
            (
                "main-20241124-abc1234",
                "main-",
                Core::Date("20241124"),
                "-abc1234",
            ),
            (
                "RELEASE.2024-11-07T00-52-20Z",
                "RELEASE.",
                Core::Date("2024-11-07T00-52-20Z"),
                "",
            ),
            ("2024-11-24", "", Core::Date("2024-11-24"), ""),
            (
                "main-abc1234-1700000000",
                "main-abc1234-",
                Core::Number("1700000000"),
                "",
            ),
            ("build-17", "build-", Core::Number("17"), ""),
            ("27", "", Core::Number("27"), ""),
            ("8f2c1d9", "", Core::Hash("8f2c1d9"), ""),
            ("sha-8f2c1d9", "sha-", Core::Hash("8f2c1d9"), ""),
            ("latest", "latest", Core::Word, ""),
            ("jammy", "jammy", Core::Word, ""),
            ("ubuntu22", "ubuntu22", Core::Word, ""),
        ] {
            let scheme = TagScheme {
                prefix,
                core,
                suffix,
            };
            assert_eq!(TagScheme::of(tag), scheme, "{tag}");
        }
    }

    #[test]
    fn variants_are_words_without_numbers() {
        let variant = |tag: &str| TagScheme::of(tag).variant();
        assert_eq!(variant("1.27.3-alpine3.19"), ["alpine"]);
        assert_eq!(variant("1.27.3-alpine3.20"), ["alpine"]);
        assert_eq!(variant("1.2.3-rc.1"), [""; 0]);
        assert_eq!(variant("1.2.3.fips"), ["fips"]);
        assert_eq!(variant("12.4.1-cuda12-ubuntu22.04"), ["cuda", "ubuntu"]);
        assert_eq!(variant("1.2.3-8f2c1d9"), [""; 0]);
        assert!(TagScheme::of("1.2.3-rc.1").is_prerelease());
        assert!(!TagScheme::of("1.2.3-alpine").is_prerelease());
    }

    #[test]
    fn a_policy_keeps_to_how_a_tag_is_made() {
        for (tag, also, never) in [
            ("1.2.3", "1.10.0", "v1.10.0"),
            ("v1.2.3", "v1.3.0", "1.3.0"),
            ("1.27.3-alpine3.19", "1.28.0-alpine3.20", "1.28.0"),
            ("1.27", "1.28", "1.28.1"),
            ("1.28.0.5999", "1.28.0.6000", "1.28.1"),
            (
                "main-20241124-abc1234",
                "main-20241125-0000fff",
                "dev-20241125-0000fff",
            ),
            (
                "main-abc1234-1700000000",
                "main-0000fff-1700000001",
                "pr-0000fff-1700000001",
            ),
            (
                "RELEASE.2024-11-07T00-52-20Z",
                "RELEASE.2025-01-01T00-00-00Z",
                "RELEASE.2025",
            ),
            ("build-17", "build-18", "build-18-rc"),
            ("1.2.3-rc.1", "1.2.3", "v1.2.3"),
            (
                "release-6.0.4.10291",
                "release-6.0.4.10292",
                "nightly-6.0.4.10292",
            ),
            ("v2024.10.22-7ca5933", "v2025.1.1-0000fff", "v2025.1.1"),
        ] {
            let scheme = PolicyScheme::of(tag).expect("sortable");
            let pattern = Regex::new(&scheme.pattern).expect("a pattern");
            assert!(pattern.is_match(tag), "{tag}: {}", scheme.pattern);
            assert!(pattern.is_match(also), "{also}: {}", scheme.pattern);
            assert!(!pattern.is_match(never), "{never}: {}", scheme.pattern);
        }
        assert_eq!(PolicyScheme::of("latest"), Err(Unsortable::Word));
        assert_eq!(PolicyScheme::of("8f2c1d9"), Err(Unsortable::Hash));
    }
}
