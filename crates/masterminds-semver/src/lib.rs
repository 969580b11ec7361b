//! Versions and constraints as Masterminds/semver v3.5 reads them, with the
//! extra rule of `fluxcd/pkg/version` for tags.
//!
//! Rust's `semver::VersionReq` is another language: it disagrees on most of
//! the constraints in use (`>1` is `>=2.0.0` here, `1.2` is a tilde, a
//! prerelease anywhere in an AND group admits all prereleases). The rules are
//! in the table of Masterminds' documentation and, where that is silent, were
//! recorded from its code.
//!
//! ```
//! use masterminds_semver::{Constraint, Version};
//!
//! let constraint = Constraint::parse(">=1.2 <2")?;
//! let version = Version::parse("v1.10.0").expect("a version");
//! assert!(constraint.admits(&version));
//! let prerelease = Version::parse("1.10.0-rc.1").expect("a version");
//! assert!(!constraint.admits(&prerelease));
//! # Ok::<(), masterminds_semver::ConstraintError>(())
//! ```

#![warn(unreachable_pub)]

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

const MAX_CONSTRAINT_BYTES: usize = 512;
const MAX_GROUPS: usize = 32;
const MAX_VERSION_BYTES: usize = 256;

/// A version: Masterminds' loose form, `v1`, `1.2` and leading zeros included.
/// Build metadata is checked and not kept, since nothing compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        Ok(())
    }
}

/// Why a text is not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// Fewer than two dots in the whole tag (`fluxcd/pkg/version`).
    #[error("it has fewer than two dots")]
    TooFewDots,
    /// Not of the form `v?MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]`.
    #[error("it is not of the form MAJOR.MINOR.PATCH")]
    Form,
    /// A number over 64 bits, or the whole over 256 bytes.
    #[error("it is too long")]
    TooLong,
    /// A numeric prerelease identifier with a leading zero.
    #[error("a numeric prerelease identifier has a leading zero")]
    LeadingZero,
}

impl Version {
    /// Reads a tag as Flux does: loosely, but only with two dots somewhere.
    ///
    /// # Errors
    /// Why Flux would skip the tag.
    pub fn parse_tag(tag: &str) -> Result<Self, VersionFault> {
        if tag.bytes().filter(|b| *b == b'.').count() < 2 {
            return Err(VersionFault::TooFewDots);
        }
        Self::parse(tag)
    }

    /// Reads a version loosely: one to three numbers, `v` allowed before them.
    ///
    /// # Errors
    /// Why Masterminds' `NewVersion` would refuse it.
    pub fn parse(text: &str) -> Result<Self, VersionFault> {
        if text.len() > MAX_VERSION_BYTES {
            return Err(VersionFault::TooLong);
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = split_at(text, '+');
        let (core, prerelease) = split_at(text, '-');
        if build.is_some_and(|build| !are_identifiers(build)) {
            return Err(VersionFault::Form);
        }
        if prerelease.is_some_and(|prerelease| !are_identifiers(prerelease)) {
            return Err(VersionFault::Form);
        }
        let mut numbers = [0; 3];
        for (index, part) in core.split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let slot = numbers.get_mut(index).filter(|_| digits);
            let slot = slot.ok_or(VersionFault::Form)?;
            *slot = part.parse().map_err(|_| VersionFault::TooLong)?;
        }
        let prerelease = prerelease.unwrap_or_default();
        let leading_zero = |id: &str| {
            id.len() > 1 && id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit())
        };
        if prerelease.split('.').any(leading_zero) {
            return Err(VersionFault::LeadingZero);
        }
        let [major, minor, patch] = numbers;
        Ok(Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
        })
    }

    /// A version of these parts, as they are.
    #[must_use]
    pub fn of(numbers: [u64; 3], prerelease: &str) -> Self {
        let [major, minor, patch] = numbers;
        Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
        }
    }

    /// Major, minor and patch.
    #[must_use]
    pub fn numbers(&self) -> [u64; 3] {
        [self.major, self.minor, self.patch]
    }

    /// What is behind the `-`, empty where there is none.
    #[must_use]
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// Whether it has a prerelease part.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// Order of precedence; build metadata does not count.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        let core = |v: &Self| (v.major, v.minor, v.patch);
        core(self)
            .cmp(&core(other))
            .then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }
}

fn split_at(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn are_identifiers(text: &str) -> bool {
    text.split('.')
        .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare_identifiers(a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A number over 64 bits counts as text here, as it does in Masterminds.
fn compare_identifiers(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// A version range: groups of comparators, one of which must hold as a whole.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
    text: String,
}

/// What leaves a version out of one group of a constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'c> {
    /// A comparator, as it was written (a hyphen range as its two comparators).
    Comparator(&'c str),
    /// It is a prerelease, and no comparator of the group has one; every comparator
    /// would let it in.
    Prerelease,
}

#[derive(Clone, Debug)]
struct Group {
    comparators: Vec<Comparator>,
    /// One comparator with a prerelease opens the whole group to prereleases.
    admits_prereleases: bool,
}

#[derive(Clone, Debug)]
struct Comparator {
    text: String,
    operator: Operator,
    version: Version,
    /// Which of the three numbers is the first that is absent or a wildcard.
    open_from: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Major,
    Minor,
    Patch,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Why a text is not a constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// A group that is not a list of comparators; the text is the group's.
    #[error("improper constraint: {0:?}")]
    Improper(String),
    /// A comparator whose version does not parse, such as `1x`.
    #[error("constraint parser error")]
    Version,
    /// Over 512 bytes.
    #[error("constraint string is too long: over {MAX_CONSTRAINT_BYTES} bytes")]
    TooLong,
    /// Over 32 groups.
    #[error("constraint has too many groups: over {MAX_GROUPS}")]
    TooManyGroups,
}

const SPACE: &str = r"[\t\n\f\r ]";
const OPERATOR: &str = r"(?:=>|=<|>=|<=|!=|~>|=|>|<|~|\^|)";
const IDENTIFIERS: &str = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*";

/// A version inside a constraint. The `|` is in the class in Masterminds too.
fn version_pattern() -> String {
    let number = r"[0-9|xX*]+";
    format!(r"v?(?:{number})(?:\.{number})?(?:\.{number})?(?:-{IDENTIFIERS})?(?:\+{IDENTIFIERS})?")
}

struct Patterns {
    hyphen: Regex,
    group: Regex,
    comparator: Regex,
    pieces: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let (space, version) = (SPACE, version_pattern());
    let item = format!("{OPERATOR}{space}*{version}{space}*");
    let compile = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
    Patterns {
        hyphen: compile(&format!(
            "{space}*({version}){space}+-{space}+({version}){space}*"
        )),
        group: compile(&format!(
            "^{space}*{item}(?:(?:{space}+|,{space}*){item})*$"
        )),
        comparator: compile(&format!("({OPERATOR}){space}*({version})")),
        pieces: compile(&format!(
            r"^v?([0-9|xX*]+)(?:\.([0-9|xX*]+))?(?:\.([0-9|xX*]+))?(-{IDENTIFIERS})?(?:\+{IDENTIFIERS})?$"
        )),
    }
});

impl Constraint {
    /// Reads a constraint: hyphen ranges are rewritten first, then the text is
    /// split on `||`, then each group into comparators.
    ///
    /// # Errors
    /// What Masterminds' `NewConstraint` refuses.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_CONSTRAINT_BYTES {
            return Err(ConstraintError::TooLong);
        }
        let rewritten = PATTERNS
            .hyphen
            .replace_all(text, ">= $1, <= $2 ")
            .into_owned();
        let groups: Vec<&str> = rewritten.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err(ConstraintError::TooManyGroups);
        }
        Ok(Self {
            groups: groups
                .into_iter()
                .map(Group::parse)
                .collect::<Result<_, _>>()?,
            text: text.to_owned(),
        })
    }

    /// Whether `version` is in the range.
    #[must_use]
    pub fn admits(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.admits(version))
    }

    /// Of each group (they are joined by `||`), what leaves `version` out; nothing
    /// where the version is in the range.
    ///
    /// ```
    /// use masterminds_semver::{Constraint, Refusal, Version};
    ///
    /// let constraint = Constraint::parse(">=1.2 <2").expect("a constraint");
    /// let version = Version::parse("2.1.0").expect("a version");
    /// assert_eq!(constraint.refusals(&version), [Refusal::Comparator("<2")]);
    /// ```
    #[must_use]
    pub fn refusals(&self, version: &Version) -> Vec<Refusal<'_>> {
        let refusals = self.groups.iter().map(|group| group.refusal(version));
        refusals.collect::<Option<_>>().unwrap_or_default()
    }

    /// Of each group, everything that leaves `version` out: each comparator that refuses it,
    /// and that it is a prerelease, where the group admits none. Empty where the version is
    /// in the range.
    ///
    /// ```
    /// use masterminds_semver::{Constraint, Refusal, Version};
    ///
    /// let constraint = Constraint::parse(">5 <3").expect("a constraint");
    /// let version = Version::parse("4.0.0-rc.1").expect("a version");
    /// let all = constraint.all_refusals(&version);
    /// let (above, below) = (Refusal::Comparator(">5"), Refusal::Comparator("<3"));
    /// assert_eq!(all, [vec![above, below, Refusal::Prerelease]]);
    /// ```
    #[must_use]
    pub fn all_refusals(&self, version: &Version) -> Vec<Vec<Refusal<'_>>> {
        if self.admits(version) {
            return Vec::new();
        }
        let groups = self.groups.iter();
        groups.map(|group| group.refusals(version)).collect()
    }

    /// Whether a prerelease can be in the range.
    #[must_use]
    pub fn admits_prereleases(&self) -> bool {
        self.groups.iter().any(|group| group.admits_prereleases)
    }

    /// The constraint as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        if !PATTERNS.group.is_match(text) {
            return Err(ConstraintError::Improper(text.to_owned()));
        }
        let comparators: Vec<Comparator> = PATTERNS
            .comparator
            .captures_iter(text)
            .map(|found| Comparator::parse(&found[0], &found[1], &found[2]))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            admits_prereleases: comparators.iter().any(|c| c.version.is_prerelease()),
            comparators,
        })
    }

    fn admits(&self, version: &Version) -> bool {
        (self.admits_prereleases || !version.is_prerelease())
            && self.comparators.iter().all(|c| c.admits(version))
    }

    /// Everything that leaves a version out.
    fn refusals(&self, version: &Version) -> Vec<Refusal<'_>> {
        let refusing = self.comparators.iter().filter(|c| !c.admits(version));
        let refusing = refusing.map(|c| Refusal::Comparator(&c.text));
        let is_refused = version.is_prerelease() && !self.admits_prereleases;
        refusing
            .chain(is_refused.then_some(Refusal::Prerelease))
            .collect()
    }

    /// What leaves a version out, `None` where nothing does.
    fn refusal(&self, version: &Version) -> Option<Refusal<'_>> {
        let refuses = |c: &&Comparator| !c.admits(version);
        match self.comparators.iter().find(refuses) {
            Some(comparator) => Some(Refusal::Comparator(&comparator.text)),
            None if self.admits(version) => None,
            None => Some(Refusal::Prerelease),
        }
    }
}

impl Comparator {
    fn parse(text: &str, operator: &str, version: &str) -> Result<Self, ConstraintError> {
        let pieces = PATTERNS
            .pieces
            .captures(version)
            .ok_or(ConstraintError::Version)?;
        let part = |index| pieces.get(index).map_or("", |m| m.as_str());
        let is_open = |part: &str| matches!(part, "" | "x" | "X" | "*");
        let (major, minor, prerelease) = (part(1), part(2), part(4));
        // The first open part decides; what follows it is not looked at.
        let (open_from, spelled) = if is_open(major) {
            (Some(Part::Major), format!("0.0.0{prerelease}"))
        } else if is_open(minor) {
            (Some(Part::Minor), format!("{major}.0.0{prerelease}"))
        } else if is_open(part(3)) {
            (Some(Part::Patch), format!("{major}.{minor}.0{prerelease}"))
        } else {
            (None, version.to_owned())
        };
        Ok(Self {
            text: text.to_owned(),
            operator: match operator {
                "!=" => Operator::NotEqual,
                ">" => Operator::Greater,
                "<" => Operator::Less,
                ">=" | "=>" => Operator::GreaterEqual,
                "<=" | "=<" => Operator::LessEqual,
                "~" | "~>" => Operator::Tilde,
                "^" => Operator::Caret,
                _ => Operator::Equal,
            },
            version: Version::parse(&spelled).map_err(|_| ConstraintError::Version)?,
            open_from,
        })
    }

    fn admits(&self, v: &Version) -> bool {
        let order = v.precedence(&self.version);
        match self.operator {
            Operator::Equal if self.open_from.is_none() => order.is_eq(),
            Operator::Equal | Operator::Tilde => order.is_ge() && self.same_tilde(v),
            Operator::NotEqual => self.differs(v, order),
            Operator::Greater => self.is_above(v, order),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual => self.is_not_above(v, order),
            Operator::Caret => order.is_ge() && self.same_caret(v),
        }
    }

    fn same_tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        let zero = c.major == 0 && c.minor == 0 && c.patch == 0;
        if zero && matches!(self.open_from, None | Some(Part::Major)) {
            return true;
        }
        v.major == c.major && (v.minor == c.minor || self.open_from == Some(Part::Minor))
    }

    fn same_caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if c.major > 0 || self.open_from == Some(Part::Minor) {
            return v.major == c.major;
        }
        if c.minor > 0 || self.open_from == Some(Part::Patch) {
            return v.major == 0 && v.minor == c.minor;
        }
        v.major == 0 && v.minor == 0 && v.patch == c.patch
    }

    fn differs(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        match self.open_from {
            None | Some(Part::Major) => order.is_ne(),
            Some(Part::Minor) => v.major != c.major,
            Some(Part::Patch) => {
                v.major != c.major || v.minor != c.minor || v.prerelease != c.prerelease
            }
        }
    }

    fn is_above(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        match self.open_from {
            None | Some(Part::Major) => order.is_gt(),
            Some(Part::Minor) => v.major > c.major,
            Some(Part::Patch) => (v.major, v.minor) > (c.major, c.minor),
        }
    }

    fn is_not_above(&self, v: &Version, order: Ordering) -> bool {
        let c = &self.version;
        match self.open_from {
            None => order.is_le(),
            Some(Part::Minor) => v.major <= c.major,
            Some(Part::Major | Part::Patch) => (v.major, v.minor) <= (c.major, c.minor),
        }
    }
}
