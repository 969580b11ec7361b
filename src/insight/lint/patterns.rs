//! Patterns as they are written: what they match only a part of, and how they are anchored.

use std::borrow::Cow;

use super::LOOKED_AT;
use crate::policy::funnel::{Funnel, TracedTag};
use go_regexp::{Budget, Regex};

/// The names of the groups of a pattern.
pub(super) fn group_names(pattern: &str) -> impl Iterator<Item = &str> {
    let groups = pattern.split("(?").skip(1);
    groups.filter_map(|group| {
        let named = group.strip_prefix("P<").or(group.strip_prefix('<'))?;
        let (name, _) = named.split_once('>')?;
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name.then_some(name)
    })
}

/// An `extract` with a `-` between groups that stand beside each other; `None` where none do.
pub(super) fn apart(extract: &str) -> Option<String> {
    let mut out = String::new();
    let (mut rest, mut ends_group, mut is_new) = (extract, false, false);
    while let Some(first) = rest.chars().next() {
        let length = group_length(rest);
        let piece = match length {
            0 => &rest[..first.len_utf8()],
            length => &rest[..length],
        };
        if length > 0 && ends_group {
            out.push('-');
            is_new = true;
        }
        out.push_str(piece);
        // A name goes on as far as it can.
        if length > 0 && piece.starts_with('$') && !piece.starts_with("${") {
            out.truncate(out.len() - piece.len());
            out.push_str(&format!("${{{}}}", &piece[1..]));
        }
        ends_group = length > 0;
        rest = &rest[piece.len()..];
    }
    is_new.then_some(out)
}

/// The groups that an `extract` refers to.
pub(super) fn groups_of(extract: &str) -> impl Iterator<Item = &str> {
    let places = extract.match_indices('$');
    let references = places.map(|(at, _)| &extract[at..][..group_length(&extract[at..])]);
    let names = references.map(|one| one.trim_matches(['$', '{', '}']));
    names.filter(|name| !name.is_empty())
}

/// Whether a pattern has a group of a name or a number; 0 is the whole.
pub(super) fn has_group(pattern: &str, group: &str) -> bool {
    match group.parse::<usize>() {
        Ok(number) => number <= pattern.matches('(').count(),
        Err(_) => group_names(pattern).any(|name| name == group),
    }
}

/// The length of the reference to a group that a text begins with, as `$name` or `${name}`.
fn group_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('$') else {
        return 0;
    };
    let (open, name) = match rest.strip_prefix('{') {
        Some(name) => (1, name),
        None => (0, rest),
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = name.bytes().take_while(is_name).count();
    let closes = open == 0 || name[length..].starts_with('}');
    match length > 0 && closes {
        true => 1 + length + 2 * open,
        false => 0,
    }
}

/// The tags that a pattern matches only a part of.
pub(super) fn partial<'f>(
    pattern: &str,
    funnel: &'f Funnel,
    budget: &mut Budget,
) -> Vec<&'f TracedTag> {
    let is_whole = pattern.starts_with('^') && ends(pattern) && !has_alternatives(pattern);
    if is_whole {
        return Vec::new();
    }
    let Ok(anchored) = Regex::within(&format!("^(?:{pattern})$"), budget) else {
        return Vec::new();
    };
    let ranked = funnel.ranked().take(LOOKED_AT);
    ranked.filter(|one| !anchored.is_match(&one.tag)).collect()
}

pub(super) fn ends(pattern: &str) -> bool {
    pattern.ends_with('$') && !pattern.ends_with("\\$")
}

/// Whether a `|` stands outside of all parentheses.
fn has_alternatives(pattern: &str) -> bool {
    let (mut depth, mut is_escaped, mut is_class) = (0_usize, false, false);
    for c in pattern.chars() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match c {
            '\\' => is_escaped = true,
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class => depth += 1,
            ')' if !is_class => depth = depth.saturating_sub(1),
            '|' if !is_class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// A pattern for whole tags, of one that is for parts.
pub(super) fn anchored(pattern: &str) -> Option<String> {
    if has_alternatives(pattern) {
        return Some(format!("^(?:{pattern})$"));
    }
    let start = if pattern.starts_with('^') { "" } else { "^" };
    let end = if ends(pattern) { "" } else { "$" };
    (!start.is_empty() || !end.is_empty()).then(|| format!("{start}{pattern}{end}"))
}

/// The tags whose numbers a pattern cuts: it ends in a digit, and they go on with another; or
/// a `.` between its digits stands for one.
pub(super) fn cut<'f>(
    pattern: &str,
    funnel: &'f Funnel,
    budget: &mut Budget,
) -> Vec<&'f TracedTag> {
    let last = pattern.trim_end_matches(')');
    if !last.ends_with(|c: char| c.is_ascii_digit()) || has_alternatives(pattern) {
        return Vec::new();
    }
    let whole = format!("(?:{})(?:[^0-9]|$)", with_dots(pattern));
    let Ok(whole) = Regex::within(&whole, budget) else {
        return Vec::new();
    };
    let ranked = funnel.ranked().take(LOOKED_AT);
    ranked.filter(|one| !whole.is_match(&one.tag)).collect()
}

/// A pattern in which a `.` between two digits is a dot.
pub(super) fn with_dots(pattern: &str) -> Cow<'_, str> {
    let bytes = pattern.as_bytes();
    let is_between = |at: usize| {
        let digit = |at: Option<usize>| {
            let byte = at.and_then(|at| bytes.get(at));
            byte.is_some_and(u8::is_ascii_digit)
        };
        digit(at.checked_sub(1)) && digit(at.checked_add(1))
    };
    let mut out = String::new();
    for (at, c) in pattern.char_indices() {
        if c == '.' && is_between(at) {
            out.push('\\');
        }
        out.push(c);
    }
    match out == pattern {
        true => Cow::Borrowed(pattern),
        false => Cow::Owned(out),
    }
}

/// Whether a pattern names numbers, so that it is for one line of versions.
pub(super) fn names_numbers(pattern: &str) -> bool {
    let mut depth = 0_usize;
    pattern.chars().any(|c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c.is_ascii_digit()
    })
}

/// Whether a pattern begins with a word, so that it is for one family of tags.
pub(super) fn names_words(pattern: &str) -> bool {
    let text = pattern.trim_start_matches(['^', '(']);
    let word = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let is_whole = !text[word..].starts_with(['?', '*', '{', '|']);
    pattern.starts_with('^') && is_whole && word > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_once() {
        for (pattern, expected) in [
            ("2024", Some("^2024$")),
            ("^v", Some("^v$")),
            ("a|b", Some("^(?:a|b)$")),
            ("(a|b)[|]\\|", Some("^(a|b)[|]\\|$")),
            ("^a$", None),
            ("^a\\$", Some("^a\\$$")),
        ] {
            assert_eq!(anchored(pattern).as_deref(), expected, "{pattern}");
        }
        let names: Vec<&str> = group_names("^(?P<a>.)(?<b_1>.)(?:c)(?i)").collect();
        assert_eq!(names, ["a", "b_1"]);
    }

    #[test]
    fn groups_beside_each_other_are_told_apart() {
        for (extract, expected) in [
            ("$y$m$d", Some("${y}-${m}-${d}")),
            ("${y}${m}.0", Some("${y}-${m}.0")),
            ("v$y$1", Some("v${y}-${1}")),
            ("$y.$m", None),
            ("$y", None),
            ("", None),
            ("$$y", None),
        ] {
            assert_eq!(apart(extract).as_deref(), expected, "{extract}");
        }
        let groups: Vec<&str> = groups_of("$y-${m}$2$").collect();
        assert_eq!(groups, ["y", "m", "2"]);
        assert!(has_group("(?P<y>.)(.)", "y") && has_group("(.)", "1"));
        assert!(!has_group("(?P<y>.)", "yy") && !has_group("(.)", "2"));
    }

    #[test]
    fn numbers_of_a_line_are_told_from_others() {
        for (pattern, expected) in [
            (r"^v1\.23\.[0-9]+-k3s[0-9]+$", true),
            (r"^v\d+\.\d+$", false),
            (r"^\d{4}-[0-9]{2}$", false),
        ] {
            assert_eq!(names_numbers(pattern), expected, "{pattern}");
        }
        assert_eq!(with_dots(r"^1.2\.3.x"), r"^1\.2\.3.x");
    }
}
