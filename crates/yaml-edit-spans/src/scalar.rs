//! What an unquoted text reads as, and how a new value is written in the place
//! of an old scalar.
//!
//! The writer keeps the style of the scalar as long as that can hold the new
//! value as a string in YAML 1.1 and 1.2 alike; where it cannot, double quotes
//! can. A tag such as `!!float` goes, since the value is a string from then on;
//! anchors, `!!str` and tags of the user's own stay.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::characters::is_hidden;
use super::patch::Edit;
use super::walk::Value;
use super::{EventKind, Events, Header, Style, comment};

/// Whether Go's YAML 1.1 reader, as Flux asks it, takes a plain `text` for
/// something else than a string: a number, a boolean, null, or a collection.
#[must_use]
pub fn reads_as_non_string_in_yaml_1_1(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') || text.starts_with('\t') {
        return false;
    }
    match plain_root(text) {
        Root::Plain(value) => is_go_yaml_1_1_non_string(&value),
        Root::Collection | Root::Null => true,
        Root::OtherOrBroken => false,
    }
}

enum Root {
    Plain(String),
    Null,
    Collection,
    OtherOrBroken,
}

/// Whether `text` can be nothing but one plain scalar. Most tags are, and lists of
/// them are long.
fn is_harmless(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._+/-".contains(&b);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(is_plain)
}

/// What `text` is when it is read as a whole document.
fn plain_root(text: &str) -> Root {
    if is_harmless(text) {
        return Root::Plain(text.to_owned());
    }
    root_by_events(text)
}

fn root_by_events(text: &str) -> Root {
    // A comment alone is a document of nothing.
    let mut root = if text.trim_start().starts_with('#') {
        Root::Null
    } else {
        Root::OtherOrBroken
    };
    let mut nodes = 0;
    for event in Events::tolerant(text) {
        let Ok(event) = event else {
            return Root::OtherOrBroken;
        };
        match event.kind {
            EventKind::Scalar(scalar) if nodes == 0 => {
                nodes += 1;
                root = match (scalar.style, scalar.tag()) {
                    (Style::Plain, None) if event.span.is_empty() => Root::Null,
                    (Style::Plain, None) => Root::Plain(scalar.value().into_owned()),
                    _ => Root::OtherOrBroken,
                };
            }
            EventKind::MappingStart(_) | EventKind::SequenceStart(_) if nodes == 0 => {
                nodes += 1;
                root = Root::Collection;
            }
            _ => {}
        }
    }
    root
}

struct Forms {
    number: Regex,
    hexadecimal: Regex,
    yaml_1_1: Regex,
    yaml_1_2: Regex,
}

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let compile = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
    Forms {
        // Underscores are taken out before.
        number: compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
        hexadecimal: compile(
            r"^[-+]?0[xX][0-9a-fA-F]{1,16}$|^[-+]?0[bB][01]{1,64}$|^[-+]?0o[0-7]+$",
        ),
        // The types of yaml.org/type for version 1.1, as PyYAML reads them:
        // base 60 and dates besides what Go knows.
        yaml_1_1: compile(
            r"^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?|=|<<)$",
        ),
        // Section 10.3.2 of YAML 1.2.2.
        yaml_1_2: compile(
            r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$",
        ),
    }
});

fn is_word_of_yaml(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let cased = || {
        let first_upper = || {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c.is_ascii_uppercase())
                && chars.all(|c| c.is_ascii_lowercase())
        };
        text == lower || text == text.to_ascii_uppercase() || first_upper()
    };
    match lower.as_str() {
        "~" => true,
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" => cased(),
        ".nan" => matches!(text, ".nan" | ".NaN" | ".NAN"),
        _ => match lower.strip_prefix(['+', '-']).unwrap_or(&lower) {
            ".inf" => matches!(
                text.trim_start_matches(['+', '-']),
                ".inf" | ".Inf" | ".INF"
            ),
            _ => false,
        },
    }
}

fn is_go_yaml_1_1_non_string(text: &str) -> bool {
    if is_word_of_yaml(text) {
        return true;
    }
    let is_number = |digits: &str| {
        FORMS.number.is_match(digits) && digits.parse::<f64>().is_ok_and(f64::is_finite)
    };
    match text.as_bytes().first() {
        // Go counts a text beginning with a point as a number by another rule:
        // an underscore must stand between digits.
        Some(b'.') => {
            let bytes = text.as_bytes();
            let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            let joins = |(at, byte): (usize, &u8)| {
                *byte != b'_' || at > 0 && is_digit(at - 1) && is_digit(at + 1)
            };
            let digits = text.replace('_', "");
            bytes.iter().enumerate().all(joins) && is_number(&digits)
        }
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = text.replace('_', "");
            FORMS.hexadecimal.is_match(&digits) || is_number(&digits)
        }
        _ => false,
    }
}

/// Whether a plain `text` is a string to every reader: to Go's YAML 1.1, to
/// YAML 1.1 and to YAML 1.2.
fn is_string_everywhere(text: &str) -> bool {
    // No number begins with a letter, and none has two points but beside a colon.
    let is_no_number = text.starts_with(|c: char| c.is_ascii_alphabetic())
        || text.bytes().filter(|b| *b == b'.').nth(1).is_some();
    if is_no_number && is_harmless(text) {
        return !is_word_of_yaml(text);
    }
    is_string_by_rule(text)
}

fn is_string_by_rule(text: &str) -> bool {
    !reads_as_non_string_in_yaml_1_1(text)
        && !is_word_of_yaml(text)
        && !FORMS.yaml_1_1.is_match(text)
        && !FORMS.yaml_1_2.is_match(text)
}

/// The edits that make `old` read as the string `new`, in its own style where
/// that can hold it.
#[must_use]
pub fn rewrite(text: &str, old: &Value<'_>, new: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut is_string_by_tag = false;
    if let Some(tag) = old.scalar.tag() {
        is_string_by_tag = tag.is_string;
        if tag.is_non_string {
            let after = text[tag.span.end..].len()
                - text[tag.span.end..].trim_start_matches([' ', '\t']).len();
            edits.push(Edit::new(tag.span.start, tag.span.end + after, ""));
        }
    }
    match (old.scalar.header(), old.scalar.style) {
        (Some(header), _) => rewrite_block(text, old, header, new, &mut edits),
        (None, style) => {
            let flow = matches!(
                old.position,
                comment::Position::FlowValue | comment::Position::FlowItem
            );
            let kept = match style {
                Style::SingleQuoted => single_quoted(new),
                Style::Plain => plain(new, flow, is_string_by_tag),
                _ => None,
            };
            let spelled = kept.unwrap_or_else(|| double_quoted(new));
            edits.push(Edit::new(old.span.start, old.span.end, spelled));
        }
    }
    edits
}

/// Block scalars keep their `|` or `>`; the value has no final line break, so
/// the header says `-`.
fn rewrite_block(text: &str, old: &Value<'_>, header: Header, new: &str, edits: &mut Vec<Edit>) {
    let Header { span, indent } = header;
    let rest = &text[span.end..];
    let line_end = span.end + rest.find(['\n', '\r']).unwrap_or(rest.len());
    let length = header.content_length(old.span.of(text));
    let content_end = if length == 0 {
        line_end
    } else {
        old.span.start + length
    };
    let holds = length > 0
        && !new.is_empty()
        && !new.starts_with([' ', '\t'])
        && new.chars().all(is_printable_in_one_line);
    if !holds {
        edits.push(Edit::new(span.start, span.end, double_quoted(new)));
        edits.push(Edit::new(line_end, content_end, ""));
        return;
    }
    let written = span.of(text);
    if !written.contains('-') {
        // `|-2` and `|2-` are both allowed.
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let stripped = format!("{}{digits}-", &written[..1]);
        edits.push(Edit::new(span.start, span.end, stripped));
    }
    let content = format!("{}{new}", " ".repeat(indent));
    edits.push(Edit::new(old.span.start, content_end, content));
}

/// A string as a scalar of its own: plain where every reader takes that for the
/// string, else in double quotes.
#[must_use]
pub fn spelled(text: &str) -> String {
    plain(text, false, false).unwrap_or_else(|| double_quoted(text))
}

/// Whether the old value's bytes can take an edit at all: a null that is
/// written as nothing has no bytes, and Flux leaves it alone.
#[must_use]
pub fn is_written(value: &Value<'_>) -> bool {
    !value.span.is_empty() || value.scalar.header().is_some()
}

fn plain(text: &str, flow: bool, is_string_by_tag: bool) -> Option<String> {
    let first = text.chars().next()?;
    let starts_like_indicator = match first {
        '-' | '?' | ':' => {
            text.starts_with("---") || text.chars().nth(1).is_none_or(char::is_whitespace)
        }
        first => ",[]{}#&*!|>'\"%@` \t".contains(first),
    };
    let unsafe_inside = text.contains(": ")
        || text.contains(":\t")
        || text.contains(" #")
        || text.contains("\t#")
        || text.ends_with([':', ' ', '\t'])
        || text.starts_with("...")
        || flow && (text.contains([',', '[', ']', '{', '}']) || first == '?' || first == ':');
    let fits =
        !starts_like_indicator && !unsafe_inside && text.chars().all(is_printable_in_one_line);
    (fits && (is_string_by_tag || is_string_everywhere(text))).then(|| text.to_owned())
}

fn single_quoted(text: &str) -> Option<String> {
    text.chars()
        .all(is_printable_in_one_line)
        .then(|| format!("'{}'", text.replace('\'', "''")))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printable_in_one_line(c) => out.push(c),
            c if (c as u32) < 0x100 => _ = write!(out, "\\x{:02x}", c as u32),
            c if (c as u32) < 0x1_0000 => _ = write!(out, "\\u{:04x}", c as u32),
            c => _ = write!(out, "\\U{:08x}", c as u32),
        }
    }
    out.push('"');
    out
}

/// Characters that a reader of any YAML version takes as they are, without
/// line breaks of either version, tabs, and what is not seen.
fn is_printable_in_one_line(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !is_hidden(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short ways say what the rules say, on every text of four characters
    /// that could be told apart by them, and on some longer ones.
    #[test]
    fn short_ways_lead_to_the_same() {
        let letters = [
            "0", "1", "9", "a", "e", "E", "n", "o", "x", "y", "~", ".", "_", "+", "-", "/",
        ];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer = texts
                .iter()
                .flat_map(|text| letters.map(|letter| format!("{text}{letter}")));
            let longer: Vec<String> = longer.collect();
            for text in &longer {
                assert_eq!(
                    is_string_everywhere(text),
                    is_string_by_rule(text),
                    "{text}"
                );
                let read = match plain_root(text) {
                    Root::Plain(value) => Some(value),
                    _ => None,
                };
                if is_harmless(text) {
                    assert_eq!(read.as_deref(), Some(text.as_str()));
                    assert!(matches!(root_by_events(text), Root::Plain(value) if value == *text));
                }
            }
            texts = longer;
        }
        for text in [
            "true",
            "False",
            "null",
            "v1.2.3",
            "1.2.3",
            "1.2",
            "1e10",
            "2024-01-02",
            "0x1F",
            "1.2.3.4",
            "a.b",
            "on.off",
        ] {
            assert_eq!(
                is_string_everywhere(text),
                is_string_by_rule(text),
                "{text}"
            );
        }
    }

    use crate::patch::Patched;
    use crate::walk::{Step, Walk};

    /// The text with its last value set to `new`.
    fn set(text: &str, new: &str) -> String {
        let mut walk = Walk::tolerant(text);
        let mut last = None;
        while let Some(step) = walk.step().expect("yaml") {
            if let Step::Value(value) = step {
                last = Some(value);
            }
        }
        let edits = rewrite(text, &last.expect("a value"), new);
        Patched::new(text, edits).expect("no overlap").to_string()
    }

    #[test]
    fn the_style_stays_where_it_can_hold_the_value() {
        for (old, new, expected) in [
            ("a: x # c\n", "1.2.3", "a: 1.2.3 # c\n"),
            ("a: x # c\n", "1.10", "a: \"1.10\" # c\n"),
            ("a: x\n", "2024-01-01", "a: \"2024-01-01\"\n"),
            ("a: 'x'\n", "1.10", "a: '1.10'\n"),
            ("a: &n !!float 1.0 # c\n", "1.2.3", "a: &n 1.2.3 # c\n"),
            ("a: !!str x\n", "1.10", "a: !!str 1.10\n"),
            ("a: ! x\n", "1.10", "a: ! \"1.10\"\n"),
            (
                "a: |  # c\n  x\n  y\n\n# d\n",
                "1.10",
                "a: |-  # c\n  1.10\n\n# d\n",
            ),
            ("a: |2\n\n   x\n", "v1", "a: |2-\n  v1\n"),
            ("a: >+\r\n   x\r\n\r\n", "v1", "a: >-\r\n   v1\r\n\r\n"),
            ("a: | # c\n", "v1", "a: \"v1\" # c\n"),
            ("a: [x,\n  'y'\n]\n", "b", "a: [x,\n  'b'\n]\n"),
            ("a: one\n  two # c\n", "v1", "a: v1 # c\n"),
            ("a: \"x\"#c\n", "v1", "a: \"v1\"#c\n"),
            ("a: |#c\n  x\n", "v1", "a: |-#c\n  v1\n"),
        ] {
            assert_eq!(set(old, new), expected, "{old:?} with {new}");
        }
    }
}
