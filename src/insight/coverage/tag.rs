//! What a tag says of itself: whether it moves, and which tags are later ones of its kind.
//!
//! A registry does not tell whether a tag is moved, so this is a rule on how it is written,
//! which `docs/coverage.md` states for users: see [`is_mutable`].

use std::collections::HashMap;

use crate::insight::tag_scheme::{Core, PolicyScheme, SEPARATORS, TagScheme, Unsortable, is_hash};

/// Parts of a tag that say that it moves, whatever stands beside them.
const ALWAYS_MOVING: &[&str] = &["latest", "head", "tip", "snapshot"];

/// How many digits a number alone must have to name one build.
const BUILD_DIGITS: usize = 3;

/// How many hexadecimal digits a commit is abbreviated to, at least.
const COMMIT_DIGITS: usize = 7;

/// Whether a tag is one that is moved from image to image; none is `latest`.
///
/// Parts are what stands between `-`, `_` and `+`. A tag is fixed if one of its parts is
/// specific: a version of two numbers or more (`1.2`), a number of three digits or more
/// (`20241121`, `build-123`), seven or more hexadecimal digits of a commit (`sha-0a1b2c3`);
/// or if three of them have digits, as a date has. All other tags move: words (`main`,
/// `stable-alpine`), words with a version of their own (`alpine3.19`), numbers of one or two
/// digits (`16`, `v1`, `16-bookworm`), unless a word of builds stands before them (`build-1`,
/// `r9`). With `latest` among the parts it moves always.
#[must_use]
pub fn is_mutable(tag: Option<&str>) -> bool {
    let Some(tag) = tag.filter(|tag| !tag.is_empty()) else {
        return true;
    };
    let mut numbered = 0;
    let mut is_specific = false;
    for part in tag.split(['-', '_', '+']) {
        let lower = part.to_ascii_lowercase();
        if ALWAYS_MOVING.contains(&lower.as_str()) {
            return true;
        }
        numbered += usize::from(part.bytes().any(|byte| byte.is_ascii_digit()));
        is_specific |= is_specific_part(&lower);
    }
    !(is_specific || numbered >= 3 || TagScheme::of(tag).counts_builds())
}

fn is_specific_part(part: &str) -> bool {
    let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && part.len() >= COMMIT_DIGITS {
        return true;
    }
    let letters = part.bytes().take_while(u8::is_ascii_alphabetic).count();
    let rest = &part[letters..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // A word with a version of its own says what the image is made of.
    let is_word = letters > 1;
    let has_more = rest[digits..]
        .strip_prefix('.')
        .is_some_and(|more| more.starts_with(|c: char| c.is_ascii_digit()));
    digits > 0 && !is_word && (digits >= BUILD_DIGITS || has_more)
}

/// The place of a tag among those of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many tags are later.
    pub behind: usize,
    /// The latest.
    pub newest: String,
}

/// The tags of a repository by their form, each in the order of its numbers.
#[derive(Debug, Default)]
pub struct Later<'t> {
    by_form: HashMap<String, Vec<(Vec<u128>, &'t str)>>,
}

impl<'t> Later<'t> {
    /// Sorts the tags of a repository.
    #[must_use]
    pub fn of(tags: &'t [String]) -> Self {
        let mut later = Self::default();
        for tag in tags {
            if let Some((form, numbers)) = form(tag) {
                let alike = later.by_form.entry(form).or_default();
                alike.push((numbers, tag));
            }
        }
        for alike in later.by_form.values_mut() {
            alike.sort_unstable();
            // `1.02` is `1.2`.
            alike.dedup_by(|a, b| a.0 == b.0);
        }
        later
    }

    /// How many tags of the same form have higher numbers, and which has the highest; `None`
    /// where the tag has no numbers to compare, or is not listed and none is higher.
    #[must_use]
    pub fn than(&self, tag: &str) -> Option<Standing> {
        let (form, numbers) = form(tag)?;
        let alike = self.by_form.get(&form)?;
        let up_to = alike.partition_point(|(other, _)| *other <= numbers);
        let behind = alike.len() - up_to;
        let is_listed = up_to > 0 && alike[up_to - 1].0 == numbers;
        let newest = match behind {
            0 if !is_listed => return None,
            0 => tag,
            _ => alike.last().map_or(tag, |(_, newest)| newest),
        };
        Some(Standing {
            behind,
            newest: newest.to_owned(),
        })
    }
}

/// How a tag is made, as `suggest` would keep to it, and its numbers but for those of hashes.
/// Of a prerelease nothing is told.
fn form(tag: &str) -> Option<(String, Vec<u128>)> {
    let scheme = TagScheme::of(tag);
    if scheme.is_prerelease() {
        return None;
    }
    let form = match (PolicyScheme::of(tag), scheme.core) {
        (Ok(policy), _) => policy.pattern,
        (Err(Unsortable::Major), Core::Number(_)) => format!("{}#{}", scheme.prefix, scheme.suffix),
        (Err(_), _) => return None,
    };
    let pieces = tag.split(SEPARATORS);
    let pieces = pieces.filter(|piece| !is_hash(piece));
    let numbers = pieces.flat_map(|piece| piece.split(|c: char| !c.is_ascii_digit()));
    let numbers = numbers.filter(|number| !number.is_empty());
    let numbers: Result<Vec<u128>, _> = numbers.map(str::parse).collect();
    Some((form, numbers.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_tags_move() {
        for tag in [
            "latest",
            "main",
            "master",
            "stable",
            "edge",
            "nightly",
            "dev",
            "1",
            "v1",
            "16",
            "16-alpine",
            "16-alpine3.19",
            "alpine3.19",
            "stable-alpine",
            "2022-latest",
            "latest-amd64",
            "bookworm",
            "jdk17",
            "lts",
            "1-bookworm",
            "release-1",
        ] {
            assert!(is_mutable(Some(tag)), "{tag}");
        }
        for tag in [
            "1.2",
            "1.2.3",
            "v1.2.3",
            "v1.2",
            "1.25-alpine",
            "20241121",
            "main-0a1b2c3",
            "sha-0a1b2c3d",
            "0a1b2c3d4e",
            "nightly-2024-11-21",
            "2024-11-21",
            "build-123",
            "RELEASE.2024-11-07T00-52-20Z",
            "b4219",
            "release-1.2",
            "1.2.3-rc.1",
            "8.0.1_42",
            "build-1",
            "r9",
        ] {
            assert!(!is_mutable(Some(tag)), "{tag}");
        }
        assert!(is_mutable(None));
        assert!(is_mutable(Some("")));
    }

    #[test]
    fn later_tags_are_of_the_same_form() {
        let tags = [
            "2024-01-01",
            "2024-02-01",
            "RELEASE.2024-01-01T00-00-00Z",
            "RELEASE.2024-02-01T00-00-00Z",
            "main-12-abcdef1",
            "main-13-12f4567",
            "abcdef1",
            "4.0.1-ls299",
            "4.0.2-ls300",
            "9.9-jdk17",
            "9.10-jdk21",
            "16-bookworm",
            "17-bookworm",
            "1.2.3",
            "1.10.0",
            "1.9.9-alpine",
            "2.0.0-rc.1",
            "2.0",
            "v3.0.0",
            "latest",
        ];
        let tags = tags.map(str::to_owned);
        let later = Later::of(&tags);
        let standing = |behind, newest: &str| {
            Some(Standing {
                behind,
                newest: newest.to_owned(),
            })
        };
        assert_eq!(later.than("1.2.3"), standing(1, "1.10.0"));
        assert_eq!(later.than("1.10.0"), standing(0, "1.10.0"));
        assert_eq!(later.than("1.0.0-alpine"), standing(1, "1.9.9-alpine"));
        assert_eq!(later.than("v1.0.0"), standing(1, "v3.0.0"));
        assert_eq!(later.than("main"), None);
        for (tag, newest) in [
            ("2024-01-01", "2024-02-01"),
            (
                "RELEASE.2024-01-01T00-00-00Z",
                "RELEASE.2024-02-01T00-00-00Z",
            ),
            ("main-12-abcdef1", "main-13-12f4567"),
            ("4.0.1-ls299", "4.0.2-ls300"),
            ("16-bookworm", "17-bookworm"),
        ] {
            assert_eq!(later.than(tag), standing(1, newest), "{tag}");
            assert_eq!(later.than(newest), standing(0, newest), "{tag}");
        }
        assert_eq!(later.than("9.9-jdk17"), standing(0, "9.9-jdk17"));
        // Of hashes none is later, and what is not listed may not be the newest.
        assert_eq!(later.than("abcdef1"), None);
        assert_eq!(later.than("9.9.9"), None);
        assert_eq!(later.than("5.0.0-fips"), None);
    }
}
