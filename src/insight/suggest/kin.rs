//! What the other tags of a list tell of how one of them is made.

use crate::insight::tag_scheme::{Core, PolicyScheme, SEPARATORS, TagScheme, Unsortable, is_hash};

/// Whether a number is a major version, and not that of a build: whole versions begin with
/// it. Where no tags are known, it may be either, and is taken for a major version.
pub(super) fn is_major(today: &str, tags: Option<&[String]>) -> bool {
    let scheme = TagScheme::of(today);
    let Core::Number(number) = scheme.core else {
        return false;
    };
    let is_bare = |scheme: &TagScheme<'_>| matches!(scheme.prefix, "" | "v");
    if !is_bare(&scheme) || !scheme.suffix.is_empty() || number.len() > 3 {
        return false;
    }
    let is_of_it = |tag: &String| {
        let other = TagScheme::of(tag);
        is_bare(&other) && other.numbers().first() == Some(&number)
    };
    tags.is_none_or(|tags| tags.iter().any(is_of_it))
}

/// Whether a piece may be a number, or a hash of decimal digits alone.
fn is_doubtful(piece: &str) -> bool {
    let digits = piece.strip_prefix('g').unwrap_or(piece);
    let is_date = matches!(TagScheme::of(digits).core, Core::Date(_));
    is_number(digits) && matches!(digits.len(), 7..=39) && !is_date
}

fn is_number(piece: &str) -> bool {
    piece.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether nothing but other tags tells if a tag has a hash: seven digits, as git cuts them,
/// beside no longer number.
pub(super) fn needs_others(today: &str) -> bool {
    let mut pieces = today.split(SEPARATORS);
    let is_one = |piece: &str| is_doubtful(piece) && piece.len() == 7;
    let mut numbers = today.split(SEPARATORS).filter(|piece| is_number(piece));
    pieces.any(is_one) && !numbers.any(|number| number.len() > 7)
}

/// Policies for a tag with a piece that is a hash of decimal digits alone, as one in thirty of
/// seven digits is: those of another tag that has letters in its place.
///
/// # Errors
/// That tag is a hash, and so is this one.
pub(super) fn choices(today: &str, all: &[String]) -> Result<Vec<PolicyScheme>, Unsortable> {
    let own: Vec<&str> = today.split(SEPARATORS).collect();
    if !own.iter().any(|piece| is_doubtful(piece)) {
        return Ok(Vec::new());
    }
    let separators =
        |tag: &str| -> Vec<char> { tag.chars().filter(|c| SEPARATORS.contains(c)).collect() };
    let own_separators = separators(today);
    let alike = |other: &String| -> Option<usize> {
        let pieces: Vec<&str> = other.split(SEPARATORS).collect();
        if pieces.len() != own.len() || separators(other) != own_separators {
            return None;
        }
        let (mut hashes, mut equal) = (0, 0);
        for (own, other) in own.iter().zip(&pieces) {
            if is_doubtful(own) && is_hash(other) && own.len() == other.len() {
                hashes += 1;
            } else if own == other {
                equal += 1;
            } else if !is_number(own) || !is_number(other) {
                return None;
            }
        }
        (hashes > 0).then_some(equal)
    };
    let alike = all.iter().filter_map(|other| Some((alike(other)?, other)));
    let nearest = alike.max_by_key(|(equal, _)| *equal);
    match nearest {
        Some((_, other)) => PolicyScheme::choices(other),
        None => Ok(Vec::new()),
    }
}

/// A tag without its numbers and hashes: two of one form look alike.
pub(super) fn form(tag: &str) -> String {
    let mut form = String::new();
    for piece in tag.split_inclusive(SEPARATORS) {
        let body = piece.trim_end_matches(SEPARATORS);
        if is_hash(body) {
            form.push('#');
        } else {
            let mut was_digit = false;
            for c in body.chars() {
                let is_digit = c.is_ascii_digit();
                if !(is_digit && was_digit) {
                    form.push(if is_digit { '0' } else { c });
                }
                was_digit = is_digit;
            }
        }
        form.push_str(&piece[body.len()..]);
    }
    form
}
