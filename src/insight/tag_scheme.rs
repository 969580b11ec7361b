//! How the tags of an image are made: what stands before the version, the version itself
//! or a date or a number, and the variant behind it. Told from a tag alone, so that two
//! tags can be said to be of one kind, and a policy can be written that keeps to it.

use std::fmt::Write as _;

/// What stands between the pieces of a tag.
pub const SEPARATORS: [char; 4] = ['-', '.', '_', '+'];

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
                // Of the longest the first, which is none of the numbers of a variant.
                let alone = free().filter(|(start, _)| is_first_of_dotted(tag, *start));
                let longest = alone.rev().max_by_key(|(start, end)| end - start);
                longest.map(|(start, end)| (start, end, Core::Number(&tag[start..end])))
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

    /// Whether it has the number of a build, as in `build-1` and `r9`.
    #[must_use]
    pub fn counts_builds(&self) -> bool {
        let word = self
            .prefix
            .trim_end_matches(SEPARATORS)
            .rsplit(SEPARATORS)
            .next();
        let is_number = matches!(self.core, Core::Number(_));
        let is_release = |word: &str| word.eq_ignore_ascii_case("release");
        is_number && word.is_some_and(|word| is_one_of(&COUNTED, word) && !is_release(word))
    }

    /// Whether its number is that of a pull request.
    fn is_of_request(&self) -> bool {
        let word = words(self.prefix).last();
        word.is_some_and(|word| matches!(word.as_str(), "pr" | "mr" | "pull"))
    }

    /// Whether its first number is that of a version of more than four.
    fn is_long(&self) -> bool {
        let rest = self.suffix.strip_prefix('.');
        let numbers = rest.map(|rest| rest.split('.').take_while(|part| is_digits(part)));
        numbers.is_some_and(|numbers| numbers.count() > 3)
    }

    /// What stands before the core, without hashes and numbers.
    #[must_use]
    pub fn family(&self) -> Vec<String> {
        words(self.prefix).collect()
    }
}

/// The words of a part of a tag: letters, without the digits at their ends.
fn words(text: &str) -> impl Iterator<Item = String> {
    let pieces = text.split(SEPARATORS);
    let pieces = pieces.filter(|piece| !is_hash(piece));
    let words = pieces.map(|piece| piece.trim_matches(|c: char| c.is_ascii_digit()));
    let words = words.filter(|word| !word.is_empty() && *word != "v");
    words.map(str::to_ascii_lowercase)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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
    for piece in tag.split(SEPARATORS) {
        if is_hash(piece) {
            found.push((at, at + piece.len()));
        }
        at += piece.len() + 1;
    }
    found
}

/// Whether a piece is a commit's hash, whole or cut to seven digits or more; one of decimal
/// digits or letters alone is taken for a number or a word, unless it is whole or stands
/// behind the `g` of `git describe`.
#[must_use]
pub fn is_hash(piece: &str) -> bool {
    let described = piece.strip_prefix('g');
    let piece = described.unwrap_or(piece);
    let is_hex = piece
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let has = |what: fn(&u8) -> bool| piece.bytes().any(|byte| what(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase);
    let is_whole = matches!(piece.len(), 40 | 64);
    is_hex && matches!(piece.len(), 7..=64) && (is_mixed || is_whole || described.is_some())
}

/// Whether a number at a place is one of its own: behind the beginning, a separator, or a
/// letter `v` or a word of builds that is.
fn stands_alone(tag: &str, start: usize) -> bool {
    let before = &tag[..start];
    let bare = before.strip_suffix(['v', 'V']).unwrap_or(before);
    let word = before.rsplit(SEPARATORS).next();
    let is_counted = word.is_some_and(|word| is_one_of(&COUNTED, word));
    bare.is_empty() || bare.ends_with(SEPARATORS) || is_counted
}

/// Whether a number stands alone, and behind no other and a dot, as in `alpine3.19`.
fn is_first_of_dotted(tag: &str, start: usize) -> bool {
    let before = tag[..start].strip_suffix('.');
    let is_later = before.is_some_and(|text| text.ends_with(|c: char| c.is_ascii_digit()));
    stands_alone(tag, start) && !is_later
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

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let fits = |text: &str, range: std::ops::RangeInclusive<u32>| {
        let number = text.parse();
        number.is_ok_and(|number| range.contains(&number))
    };
    fits(year, 1990..=2100) && fits(month, 1..=12) && fits(day, 1..=31)
}

/// Whether digits are a date, or begin with one.
fn is_plain_date(run: &str) -> bool {
    (8..=14).contains(&run.len()) && is_date(&run[..4], &run[4..6], &run[6..8])
}

/// A date that begins with a run of digits.
fn date_at(tag: &str, (start, end): (usize, usize)) -> Option<(usize, usize)> {
    let run = &tag[start..end];
    if (8..=14).contains(&run.len()) {
        let time = time_at(&tag[end..]);
        return is_plain_date(run).then_some((start, end + time));
    }
    let text = tag.get(start..start + 10)?;
    let bytes = text.as_bytes();
    let is_dashed = run.len() == 4 && bytes[4] == b'-' && bytes[7] == b'-';
    if !is_dashed || !is_date(&text[..4], text.get(5..7)?, text.get(8..10)?) {
        return None;
    }
    Some((start, start + 10 + time_at(&tag[start + 10..])))
}

/// The length of the time that follows a date, as in `2024-11-07T00-52-20Z`; 0 for none.
fn time_at(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        let run = bytes.iter().skip(from);
        run.take_while(|byte| byte.is_ascii_digit()).count()
    };
    if bytes.first() != Some(&b'T') || digits(1) == 0 {
        return 0;
    }
    let mut end = 1 + digits(1);
    for _ in 0..2 {
        let is_separated = matches!(bytes.get(end), Some(b'-' | b':'));
        let goes_on = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_lowercase());
        if is_separated && digits(end + 1) == 2 && !goes_on(end + 3) {
            end += 3;
        }
    }
    end + usize::from(bytes.get(end) == Some(&b'Z'))
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
    /// A major version of a variant, such as `20-alpine`.
    #[error(
        "the tag is a major version, which moves by itself, and the next one is not compatible"
    )]
    Major,
    /// A pull request alone.
    #[error("the number of a pull request says nothing of which is later")]
    Request,
    /// Five numbers or more with dots between.
    #[error("a version of more than four numbers cannot be compared")]
    Parts,
}

impl PolicyScheme {
    /// The policy that keeps prefix, variant, number of parts and major version of a tag:
    /// the first of [`Self::choices`].
    ///
    /// # Errors
    /// A tag in which nothing tells which is later.
    pub fn of(tag: &str) -> Result<Self, Unsortable> {
        let mut choices = Self::choices(tag)?.into_iter();
        choices.next().ok_or(Unsortable::Word)
    }

    /// Policies that keep prefix, variant, number of parts and major version of a tag, the
    /// best first. The later ones are for lists of tags in which the earlier ones would
    /// take tags for one that are none: they compare a number of the variant, too, or hold
    /// the variant as it is.
    ///
    /// # Errors
    /// A tag in which nothing tells which is later.
    pub fn choices(tag: &str) -> Result<Vec<Self>, Unsortable> {
        let scheme = TagScheme::of(tag);
        let before = before(scheme.prefix);
        let behind = Behind::of(scheme.suffix);
        match scheme.core {
            Core::Word => Err(Unsortable::Word),
            Core::Hash(_) => Err(Unsortable::Hash),
            Core::Version(_) if scheme.is_prerelease() => {
                Ok(of_prerelease(&scheme, &before, &behind))
            }
            Core::Version(_) => Ok(of_version(&scheme, &before, &behind)),
            Core::Date(date) => Ok(of_date(date, &before, &behind)),
            Core::Number(_) if scheme.is_long() => Err(Unsortable::Parts),
            Core::Number(_) if scheme.is_of_request() => Err(Unsortable::Request),
            Core::Number(number) => of_number(&scheme, number, &before, &behind),
        }
    }
}

/// How a version is captured and compared.
struct Captured {
    pattern: String,
    /// Three numbers.
    version: &'static str,
    /// What is compared behind them, as a prerelease.
    build: Option<&'static str>,
}

impl Captured {
    fn of(parts: usize) -> Self {
        let (numbers, version) = match parts {
            2 => (r"\d+\.\d+", "$version.0"),
            _ => (r"\d+\.\d+\.\d+", "$version"),
        };
        let fourth = if parts == 4 { r"\.(?P<build>\d+)" } else { "" };
        Self {
            pattern: format!("(?P<version>{numbers}){fourth}"),
            version,
            build: (parts == 4).then_some("$build"),
        }
    }

    /// What is extracted, with something more that is compared.
    fn extract(&self, more: &[&str]) -> String {
        let more = more.iter().copied();
        let tail: Vec<&str> = self.build.into_iter().chain(more).collect();
        match tail.as_slice() {
            [] => self.version.to_owned(),
            tail => format!("{}-{}", self.version, tail.join(".")),
        }
    }
}

/// The range that holds a major version; `with_tail` for versions that are compared with a
/// prerelease behind them. Years and dates go by, and have no upper bound.
fn range_of(major: &str, with_tail: bool) -> String {
    let major = match major.trim_start_matches('0') {
        "" => "0",
        major => major,
    };
    let number = major.parse::<u64>().ok();
    let tail = if with_tail { "-0" } else { "" };
    match number {
        _ if is_plain_date(major) => format!(">=0.0.0{tail}"),
        Some(1990..=2100) | None => format!(">={major}.0.0{tail}"),
        Some(number) if with_tail => {
            format!(">={major}.0.0-0 <{}.0.0-0", number.saturating_add(1))
        }
        Some(_) => format!("{major}.x"),
    }
}

fn of_version(scheme: &TagScheme<'_>, before: &str, behind: &Behind<'_>) -> Vec<PolicyScheme> {
    let numbers = scheme.numbers();
    let major = numbers.first().copied().unwrap_or_default();
    let is_bare = matches!(scheme.prefix, "" | "v");
    if numbers.len() == 3 && is_bare && scheme.suffix.is_empty() {
        return vec![PolicyScheme {
            pattern: format!("^{before}\\d+\\.\\d+\\.\\d+$"),
            extract: None,
            by: SchemeOrder::Semver(range_of(major, false)),
        }];
    }
    let captured = Captured::of(numbers.len());
    let choices = behind.choices().into_iter();
    choices
        .map(|(suffix, more)| PolicyScheme {
            pattern: format!("^{before}{}{suffix}$", captured.pattern),
            extract: Some(captured.extract(more.unwrap_or_default())),
            by: SchemeOrder::Semver(range_of(major, captured.build.is_some() || more.is_some())),
        })
        .collect()
}

/// Prereleases of the same words, and the releases where one pattern takes both.
fn of_prerelease(scheme: &TagScheme<'_>, before: &str, behind: &Behind<'_>) -> Vec<PolicyScheme> {
    let numbers = scheme.numbers();
    let major = numbers.first().copied().unwrap_or_default();
    let by = SchemeOrder::Semver(range_of(major, true));
    let captured = Captured::of(numbers.len());
    let mut choices = Vec::new();
    let bare = scheme.suffix.strip_prefix('-');
    let is_simple = scheme.variant().is_empty() && !behind.has_hash() && captured.build.is_none();
    if let Some(bare) = bare.filter(|_| is_simple) {
        let core = &captured.pattern;
        let version = captured.version;
        let of = |pattern, extract| PolicyScheme {
            pattern,
            extract,
            by: by.clone(),
        };
        if behind.is_dotted() {
            let words = behind.text(|_| Slot::Any);
            let is_plain = numbers.len() == 3 && matches!(scheme.prefix, "" | "v");
            choices.push(match is_plain {
                true => of(format!("^{before}\\d+\\.\\d+\\.\\d+({words})?$"), None),
                false => of(
                    format!("^{before}{core}(?P<pre>{words})?$"),
                    Some(format!("{version}$pre")),
                ),
            });
        } else if behind.numbers().count() == 1 {
            // The words are left out, so that a number alone is compared, as a number.
            let words = Behind::of(bare).text(|_| Slot::Named("number"));
            choices.push(of(
                format!("^{before}{core}(?:(?P<dash>-){words})?$"),
                Some(format!("{version}$dash$number")),
            ));
        }
    }
    let number = behind.prerelease_number();
    for may_move in [true, false] {
        let slot = |at| match Some(at) == number {
            true => Slot::Named("number"),
            false if may_move => behind.slot_of_other(at),
            false => Slot::Pinned,
        };
        choices.push(PolicyScheme {
            pattern: format!("^{before}{}{}$", captured.pattern, behind.text(slot)),
            extract: Some(captured.extract(number.map_or(&[], |_| &["$number"]))),
            by: by.clone(),
        });
    }
    choices.dedup();
    choices
}

fn of_date(date: &str, before: &str, behind: &Behind<'_>) -> Vec<PolicyScheme> {
    let is_plain = date.bytes().all(|byte| byte.is_ascii_digit());
    let choices = behind.choices().into_iter();
    choices
        .map(|(suffix, more)| match more {
            // A version is what is compared by two numbers.
            Some(more) if is_plain => PolicyScheme {
                pattern: format!("^{before}(?P<date>{}){suffix}$", fixed(date)),
                extract: Some(as_version("$date", more)),
                by: SchemeOrder::Semver(">=0.0.0".to_owned()),
            },
            Some(more) if date.len() == 10 => PolicyScheme {
                pattern: format!(
                    "^{before}(?P<year>\\d{{4}})-(?P<month>\\d{{2}})-(?P<day>\\d{{2}}){suffix}$"
                ),
                extract: Some(as_version("$year$month$day", more)),
                by: SchemeOrder::Semver(">=0.0.0".to_owned()),
            },
            _ => PolicyScheme {
                pattern: format!("^{before}(?P<date>{}){suffix}$", fixed(date)),
                extract: Some("$date".to_owned()),
                by: SchemeOrder::Alphabetical,
            },
        })
        .collect()
}

fn of_number(
    scheme: &TagScheme<'_>,
    number: &str,
    before: &str,
    behind: &Behind<'_>,
) -> Result<Vec<PolicyScheme>, Unsortable> {
    let is_bare = matches!(scheme.prefix, "" | "v");
    let has_words = !scheme.variant().is_empty();
    if is_bare && number.len() <= 3 && (has_words || behind.numbers().count() > 0) {
        return behind.of_major(number, before).ok_or(Unsortable::Major);
    }
    let as_long = format!("\\d{{{}}}", number.len());
    // Majors, days and seconds may stand beside each other.
    let shorter = format!("\\d{{1,{}}}", number.len() + MORE_DIGITS);
    if is_bare && scheme.suffix.is_empty() {
        let of = |digits: &str, by: SchemeOrder| {
            let is_whole = scheme.prefix.is_empty();
            PolicyScheme {
                pattern: match is_whole {
                    true => format!("^{digits}$"),
                    false => format!("^{before}(?P<number>{digits})$"),
                },
                extract: (!is_whole).then(|| "$number".to_owned()),
                by,
            }
        };
        return Ok(vec![
            of(r"\d+", SchemeOrder::Numerical),
            of(&shorter, SchemeOrder::Numerical),
            // Of numbers as long as these, bytes say the same, and more than a float can hold.
            of(&as_long, SchemeOrder::Alphabetical),
        ]);
    }
    // As a version of three numbers, it has a major one, unless that is a year.
    let range = |more: &[&str]| match more.len() {
        2 if is_bare || number.len() <= 3 => range_of(number, false),
        _ => ">=0.0.0".to_owned(),
    };
    let mut choices: Vec<PolicyScheme> = Vec::new();
    for digits in [r"\d+", shorter.as_str(), as_long.as_str()] {
        choices.extend(
            behind
                .choices()
                .into_iter()
                .map(|(suffix, more)| match more {
                    Some(more) => PolicyScheme {
                        pattern: format!("^{before}(?P<number>{digits}){suffix}$"),
                        extract: Some(as_version("$number", more)),
                        by: SchemeOrder::Semver(range(more)),
                    },
                    None => PolicyScheme {
                        pattern: format!("^{before}(?P<number>{digits}){suffix}$"),
                        extract: Some("$number".to_owned()),
                        by: SchemeOrder::Numerical,
                    },
                }),
        );
    }
    Ok(choices)
}

/// By so many digits numbers that count one thing may differ.
pub const MORE_DIGITS: usize = 2;

/// What stands behind a core, in pieces.
struct Behind<'t> {
    pieces: Vec<Piece<'t>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Number(&'t str),
    Hash,
}

/// How a pattern takes a number.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Any number.
    Any,
    /// This one.
    Pinned,
    /// Any, which is compared.
    Named(&'static str),
    /// The same without the zeros before it, which no number of a version may have.
    Padded(&'static str),
}

/// Words right before the number of a build.
const COUNTED: [&str; 7] = ["b", "build", "ci", "r", "rev", "run", "release"];

/// Words before the number of a build of one version.
const REVISIONS: [&str; 9] = [
    "r", "rev", "revision", "ls", "p", "patch", "build", "release", "w",
];

/// Words before the version of a language, a database or a machine: another one is another
/// variant.
const VARIANTS: [&str; 43] = [
    "jdk",
    "jre",
    "java",
    "openjdk",
    "jvm",
    "php",
    "pg",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "py",
    "python",
    "node",
    "nodejs",
    "ruby",
    "go",
    "golang",
    "rust",
    "perl",
    "dotnet",
    "net",
    "aspnet",
    "scala",
    "spark",
    "hadoop",
    "cuda",
    "cu",
    "cudnn",
    "rocm",
    "gcc",
    "llvm",
    "clang",
    "amd",
    "arm",
    "armv",
    "aarch",
    "x",
    "i",
    "ppc",
    "win",
    "windows",
    "ltsc",
];

/// Words before the version of what an image is built on, which may go on.
const BASES: [&str; 14] = [
    "alpine",
    "debian",
    "ubuntu",
    "ubi",
    "ol",
    "el",
    "rhel",
    "centos",
    "fedora",
    "photon",
    "rocky",
    "opensuse",
    "suse",
    "azurelinux",
];

/// The number of a build, and the last of those that count with it.
#[derive(Clone, Copy, Debug)]
struct Revision {
    at: usize,
    last: usize,
}

/// What of a suffix is compared: one number, or two.
type More = Option<&'static [&'static str]>;

/// Numbers as a version.
fn as_version(first: &str, more: &[&str]) -> String {
    match more {
        [one] => format!("{first}.{one}.0"),
        more => format!("{first}.{}", more.join(".")),
    }
}

impl<'t> Behind<'t> {
    fn of(text: &'t str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(SEPARATORS).unwrap_or(rest.len());
            let (piece, behind) = rest.split_at(end);
            if is_hash(piece) {
                pieces.extend(piece.strip_prefix('g').map(|_| Piece::Text("g")));
                pieces.push(Piece::Hash);
            } else {
                numbers_and_words(piece, &mut pieces);
            }
            let separator = behind.len().min(1);
            pieces.extend((separator > 0).then(|| Piece::Text(&behind[..separator])));
            rest = &behind[separator..];
        }
        Self { pieces }
    }

    fn numbers(&self) -> impl DoubleEndedIterator<Item = usize> {
        let pieces = self.pieces.iter().enumerate();
        pieces.filter_map(|(at, piece)| matches!(piece, Piece::Number(_)).then_some(at))
    }

    fn has_hash(&self) -> bool {
        self.pieces.contains(&Piece::Hash)
    }

    /// The word right before a piece; empty where a separator or nothing stands there.
    fn word_before(&self, at: usize) -> &'t str {
        match at.checked_sub(1).and_then(|before| self.pieces.get(before)) {
            Some(Piece::Text(text)) if !is_separator(text) => text,
            _ => "",
        }
    }

    /// The word that a number belongs to, also behind a separator, and of the second number
    /// of a version that of the first; empty where there is none.
    fn word_of(&self, at: usize) -> &'t str {
        let piece = |back: usize| at.checked_sub(back).and_then(|at| self.pieces.get(at));
        match (piece(2), piece(1)) {
            (Some(Piece::Number(_)), Some(Piece::Text("."))) => self.word_of(at - 2),
            (Some(Piece::Text(word)), Some(Piece::Text(_))) if !is_separator(word) => word,
            _ => self.word_before(at),
        }
    }

    /// Whether a number is that of a variant, such as `jdk17`, `jdk-17` or `arm32v7`.
    fn is_of_variant(&self, at: usize) -> bool {
        let word = self.word_of(at);
        let start = at - usize::from(!self.word_before(at).is_empty());
        let outer = start.checked_sub(1);
        let is_number = |at: &usize| matches!(self.pieces.get(*at), Some(Piece::Number(_)));
        let is_joined = !self.word_before(at).is_empty();
        let outer = outer.filter(|at| is_joined && is_number(at));
        is_one_of(&VARIANTS, word) || outer.is_some_and(|outer| self.is_of_variant(outer))
    }

    fn is_end_or_separator(&self, at: usize) -> bool {
        match self.pieces.get(at) {
            None => true,
            Some(Piece::Text(text)) => is_separator(text),
            Some(_) => false,
        }
    }

    /// The last number, where it counts the builds of one version: `-r5`, `-ls299`, `-5`,
    /// `k3s1`, but not the 19 of `alpine3.19` or the 12 of `cuda12`. Of two numbers with a
    /// dot between, as in `-20241124.1`, it is the first, and both count.
    fn revision(&self) -> Option<Revision> {
        let last = self.numbers().next_back()?;
        let is_number = |at: usize| matches!(self.pieces.get(at), Some(Piece::Number(_)));
        let is_dot = |at: usize| self.pieces.get(at) == Some(&Piece::Text("."));
        if let [
            Piece::Text(first),
            Piece::Number(_),
            Piece::Text(second),
            Piece::Number(_),
        ] = self.pieces.as_slice()
            && first == second
            && is_separator(first)
        {
            return Some(Revision { at: 1, last: 3 });
        }
        let is_minor = |at: usize| at >= 2 && is_dot(at - 1) && is_number(at - 2);
        let at = if is_minor(last) { last - 2 } else { last };
        let word = self.word_of(at);
        let start = at - usize::from(!self.word_before(at).is_empty());
        let is_behind_number = start > 0 && is_number(start - 1);
        let is_joined = is_behind_number && at == last && !self.is_of_variant(at);
        let is_one = word.is_empty() || is_one_of(&REVISIONS, word) || is_joined;
        let is_whole = self.is_end_or_separator(last + 1) && !is_minor(at);
        (is_one && is_whole).then_some(Revision { at, last })
    }

    /// The number of a prerelease: the first behind one of its words.
    fn prerelease_number(&self) -> Option<usize> {
        let mut is_word_seen = false;
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) if PRERELEASES.contains(&text.to_ascii_lowercase().as_str()) => {
                    is_word_seen = true;
                }
                Piece::Number(_) if is_word_seen => return Some(at),
                _ => {}
            }
        }
        None
    }

    /// Whether each number is an identifier of its own (semver), or there is none.
    fn is_dotted(&self) -> bool {
        let is_dot =
            |at: Option<usize>| at.and_then(|at| self.pieces.get(at)) == Some(&Piece::Text("."));
        self.numbers().all(|at| {
            let is_closed = at + 1 == self.pieces.len() || is_dot(Some(at + 1));
            is_dot(at.checked_sub(1)) && is_closed
        })
    }

    /// Patterns of it, the best first, with what is compared of it.
    fn choices(&self) -> Vec<(String, More)> {
        if let Some(Revision { at: first, last }) = self.revision() {
            let with = |named: fn(&'static str) -> Slot| {
                self.text(|at| match at {
                    at if at == first => named("revision"),
                    at if at == last => named("minor"),
                    _ => Slot::Pinned,
                })
            };
            let more: &[&str] = match first == last {
                true => &["$revision"],
                false => &["$revision", "$minor"],
            };
            let mut choices = vec![
                (with(Slot::Named), Some(more)),
                (with(Slot::Padded), Some(more)),
            ];
            choices.dedup();
            return choices;
        }
        let mut choices: Vec<(String, More)> = vec![
            (self.text(|at| self.slot_of_other(at)), None),
            (self.text(|_| Slot::Pinned), None),
        ];
        // A word that nobody knows may count builds, where the list has no other use for it.
        if let Some(at) = self.counter() {
            let named = |other| match other == at {
                true => Slot::Named("revision"),
                false => Slot::Pinned,
            };
            choices.push((self.text(named), Some(&["$revision"])));
        }
        let free = |at| match self.is_of_variant(at) {
            true => Slot::Pinned,
            false => Slot::Any,
        };
        choices.push((self.text(free), None));
        let mut known = std::collections::BTreeSet::new();
        choices.retain(|(pattern, _)| known.insert(pattern.clone()));
        choices
    }

    /// The last number, where it is one alone and not that of a variant.
    fn counter(&self) -> Option<usize> {
        let last = self.numbers().next_back()?;
        let is_dotted = self.pieces.get(last.wrapping_sub(1)) == Some(&Piece::Text("."));
        let is_whole = self.is_end_or_separator(last + 1);
        (!is_dotted && is_whole && !self.is_of_variant(last)).then_some(last)
    }

    /// Whether a number that is not compared may change: that of a base may, and one without a
    /// word.
    fn slot_of_other(&self, at: usize) -> Slot {
        let word = self.word_of(at);
        match word.is_empty() || is_one_of(&BASES, word) {
            true => Slot::Any,
            false => Slot::Pinned,
        }
    }

    /// What holds a major version and compares the version of what comes with it, as in
    /// `14-vectorchord0.4.3`.
    fn of_major(&self, major: &str, before: &str) -> Option<Vec<PolicyScheme>> {
        let is_dot = |at: usize| self.pieces.get(at) == Some(&Piece::Text("."));
        let is_number = |at: usize| matches!(self.pieces.get(at), Some(Piece::Number(_)));
        let mut numbers = self.numbers();
        let found = numbers.find(|at| is_dot(at + 1) && is_number(at + 2));
        let (first, parts) = match found {
            Some(first) if is_dot(first + 3) && is_number(first + 4) => (first, 3),
            Some(first) => (first, 2),
            None => (self.revision()?.at, 1),
        };
        let (extract, range) = match (parts, self.pieces.get(first)) {
            (2, Some(Piece::Number(number))) => ("$version.0", range_of(number, false)),
            (3, Some(Piece::Number(number))) => ("$version", range_of(number, false)),
            _ => ("$version.0.0", ">=0.0.0".to_owned()),
        };
        let end = first + 2 * parts - 1;
        let start = Behind {
            pieces: self.pieces[..first].to_vec(),
        };
        let rest = Behind {
            pieces: self.pieces[end..].to_vec(),
        };
        let version = vec![r"\d+"; parts].join(r"\.");
        let mut choices: Vec<PolicyScheme> = [true, false]
            .map(|may_move| PolicyScheme {
                pattern: format!(
                    "^{before}{major}{}(?P<version>{version}){}$",
                    start.text(|_| Slot::Pinned),
                    rest.text(|at| match may_move {
                        true => rest.slot_of_other(at),
                        false => Slot::Pinned,
                    })
                ),
                extract: Some(extract.to_owned()),
                by: SchemeOrder::Semver(range.clone()),
            })
            .to_vec();
        choices.dedup();
        Some(choices)
    }

    /// A pattern: words as they are, hashes as any, numbers as `slot` says by their places.
    fn text(&self, slot: impl Fn(usize) -> Slot) -> String {
        let mut out = String::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => out.extend(text.chars().map(escaped)),
                Piece::Hash => out.push_str("[0-9a-f]{7,64}"),
                Piece::Number(number) => match slot(at) {
                    Slot::Any => out.push_str(r"\d+"),
                    Slot::Pinned => out.push_str(number),
                    Slot::Named(name) => {
                        let has_zeros = number.len() > 1 && number.starts_with('0');
                        // A time of day begins with one in the morning.
                        let is_padded = has_zeros || name == "minor";
                        out.push_str(&captured(name, is_padded));
                    }
                    Slot::Padded(name) => out.push_str(&captured(name, true)),
                },
            }
        }
        out
    }
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.contains(&word.to_ascii_lowercase().as_str())
}

fn captured(name: &str, is_padded: bool) -> String {
    let zeros = if is_padded { "0*" } else { "" };
    format!("{zeros}(?P<{name}>\\d+)")
}

fn is_separator(text: &str) -> bool {
    matches!(text, "-" | "." | "_" | "+")
}

fn numbers_and_words<'t>(piece: &'t str, pieces: &mut Vec<Piece<'t>>) {
    let mut rest = piece;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number);
        let (run, behind) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(match is_number {
            true => Piece::Number(run),
            false => Piece::Text(run),
        });
        rest = behind;
    }
}

/// A pattern for what stands before a core: as it is, but for hashes and for numbers that
/// are so long that they count something.
fn before(text: &str) -> String {
    let behind = Behind::of(text);
    let is_long = |at: usize| {
        let piece = behind.pieces.get(at);
        matches!(piece, Some(Piece::Number(number)) if number.len() > 4)
    };
    behind.text(|at| match is_long(at) {
        true => Slot::Any,
        false => Slot::Pinned,
    })
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
                "2024-11-24T10-00-00Z-0bc1234",
                "",
                Core::Date("2024-11-24T10-00-00Z"),
                "-0bc1234",
            ),
            (
                "2024-11-24T10-00-12bc345",
                "",
                Core::Date("2024-11-24T10-00"),
                "-12bc345",
            ),
            ("20-alpine3.19", "", Core::Number("20"), "-alpine3.19"),
            ("15-3.4", "15-", Core::Version("3.4"), ""),
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
            ("r99", "r", Core::Number("99"), ""),
            ("build42", "build", Core::Number("42"), ""),
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
        assert_eq!(variant("1.2.3-4-g0057031"), [""; 0]);
        assert_eq!(variant("1.2.3-4-gdeadbee"), [""; 0]);
        assert!(TagScheme::of("1.2.3-rc.1").is_prerelease());
        assert!(!TagScheme::of("1.2.3-alpine").is_prerelease());
    }

    /// Major version, prefix and variant are held by the first choice.
    #[test]
    fn the_first_choice_holds_the_major_version() {
        let semver = |range: &str| SchemeOrder::Semver(range.to_owned());
        for (tag, pattern, extract, by) in [
            ("1.2.3", r"^\d+\.\d+\.\d+$", None, semver("1.x")),
            (
                "release-6.0.4.10291",
                r"^release-(?P<version>\d+\.\d+\.\d+)\.(?P<build>\d+)$",
                Some("$version-$build"),
                semver(">=6.0.0-0 <7.0.0-0"),
            ),
            (
                "14-vectorchord0.4.3",
                r"^14-vectorchord(?P<version>\d+\.\d+\.\d+)$",
                Some("$version"),
                semver("0.x"),
            ),
            (
                "20241124.1",
                r"^(?P<version>\d+\.\d+)$",
                Some("$version.0"),
                semver(">=0.0.0"),
            ),
            ("8", r"^\d+$", None, SchemeOrder::Numerical),
            (
                "1.2.3-beta1",
                r"^(?P<version>\d+\.\d+\.\d+)(?:(?P<dash>-)beta(?P<number>\d+))?$",
                Some("$version$dash$number"),
                semver(">=1.0.0-0 <2.0.0-0"),
            ),
        ] {
            let expected = PolicyScheme {
                pattern: pattern.to_owned(),
                extract: extract.map(str::to_owned),
                by,
            };
            assert_eq!(PolicyScheme::of(tag), Ok(expected), "{tag}");
        }
        assert_eq!(PolicyScheme::of("20-alpine"), Err(Unsortable::Major));
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
