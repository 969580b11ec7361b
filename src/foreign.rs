//! Text that others wrote, on its way to people and to what reads our output.
//!
//! Names of images, tags, paths and whole lines of documents come from registries
//! and repositories. Some characters in them act instead of being seen: they
//! steer a terminal, turn the direction of a line, end a line where none should
//! end. How they are shown is decided here, and nowhere else.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

pub use yaml_edit_spans::characters::is_hidden;
use yaml_edit_spans::emit;

/// A text on one line, with an escape in the place of each hidden character
/// (`\n`, `\u{202e}`) and of what would make it a command to a CI system: the runners
/// of GitHub and Azure take `##[…]` and `##vso[…]` anywhere in a line, TeamCity
/// `##teamcity[…]`, and GitHub's `::…::` where a line begins.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    let begins = text.trim_start().starts_with("::");
    if !begins && !text.chars().any(is_hidden) && next_command(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut command = next_command(text);
    let mut colon = begins.then(|| text.len() - text.trim_start().len());
    for (at, c) in text.char_indices() {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else if colon.take_if(|colon| *colon == at).is_some() || command == Some(at) {
            out.extend(c.escape_unicode());
            command = next_command(&text[at + 1..]).map(|next| at + 1 + next);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Several lines, each as [`shown`].
#[must_use]
pub fn shown_lines(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// The second `#` of the first `##[` or `##word[`.
fn next_command(text: &str) -> Option<usize> {
    memchr::memmem::find_iter(text.as_bytes(), "##").find_map(|at| {
        // Of three, the last two count.
        let behind = text[at..].trim_start_matches('#');
        let word = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        word.starts_with('[').then(|| text.len() - behind.len() - 1)
    })
}

/// JSON on one line in which no hidden character stands: each is written as
/// `\uXXXX`, so that a reader gets it and an eye does not. As flow style it is
/// YAML, too, which lets fewer characters stand in quotes.
#[must_use]
pub fn json(value: &Value) -> String {
    escaped(&value.to_string())
}

/// The same of any value, over several lines.
///
/// # Errors
/// What cannot be JSON, such as a map with keys that are not strings.
pub fn json_pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|json| escaped(&json))
}

/// Block YAML in which no text is a command to a CI system: one that would be is written in
/// double quotes, as in [`json`].
#[must_use]
pub fn yaml(value: &Value) -> String {
    let acts = |text: &str| next_command(text).is_some() || text.trim_start().starts_with("::");
    emit::document_with(value, &|text| acts(text).then(|| json(&Value::from(text))))
}

/// JSON with escapes for what is hidden and for commands to CI systems. Outside
/// its strings only line breaks of its own are hidden, and `#` stands nowhere.
fn escaped(json: &str) -> String {
    let is_own = |c: char| c == '\n' || !is_hidden(c);
    let mut command = next_command(json);
    if command.is_none() && json.chars().all(is_own) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 8);
    for (at, c) in json.char_indices() {
        if command != Some(at) && is_own(c) {
            out.push(c);
        } else {
            if command == Some(at) {
                command = next_command(&json[at + 1..]).map(|next| at + 1 + next);
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown() {
        for (text, expected) in [
            ("plain é → 日本", "plain é → 日本"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            ("x\u{202e}y\u{2066}", "x\\u{202e}y\\u{2066}"),
            ("\u{200b}\u{feff}\u{2028}", "\\u{200b}\\u{feff}\\u{2028}"),
            ("a ##[error]b ##[c]", "a #\\u{23}[error]b #\\u{23}[c]"),
            (
                "####[x] ##vso[y] ##teamcity[z",
                "###\\u{23}[x] #\\u{23}vso[y] #\\u{23}teamcity[z",
            ),
            ("## [a] #[b] ##-[c]", "## [a] #[b] ##-[c]"),
            (" ::error::x", " \\u{3a}:error::x"),
            ("a ::error::x", "a ::error::x"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn yaml_commands_nobody() {
        let value =
            serde_json::json!({"a": "x ##[error]y", "::error::k": ["##vso[z]"], "b": "a::b"});
        assert_eq!(
            yaml(&value),
            "a: \"x #\\u0023[error]y\"\n\"::error::k\":\n- \"#\\u0023vso[z]\"\nb: a::b\n"
        );
    }

    #[test]
    fn json_hides_nothing_and_loses_nothing() {
        assert_eq!(
            json(&Value::from("##[a]##[b]")),
            r##""#\u0023[a]#\u0023[b]""##
        );
        let text = "a\u{202e}\u{1b}\u{7f}\u{9b}\u{2028}\u{e0041}\n";
        let written = json(&Value::from(text));
        assert_eq!(
            written,
            r#""a\u202e\u001b\u007f\u009b\u2028\udb40\udc41\n""#
        );
        let read: String = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read, text);
        let pretty = json_pretty(&[text]).expect("JSON");
        let read: Vec<String> = serde_json::from_str(&pretty).expect("JSON");
        assert_eq!(read, [text]);
    }
}
