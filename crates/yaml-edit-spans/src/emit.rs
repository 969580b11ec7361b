//! Values as block YAML: for documents that are made here, not edited.
//!
//! Strings are spelled so that they are strings to every reader; the order is
//! the value's own.

use std::fmt::Write as _;

use serde_json::Value;

use super::scalar::spelled;

/// A document, without `---`. What is not a mapping or sequence is one line.
#[must_use]
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                _ = write!(out, "{pad}{}:", spelled(key));
                inner(value, indent + 2, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                _ = write!(out, "{pad}-");
                item(value, indent + 2, out);
            }
        }
        scalar => _ = writeln!(out, "{pad}{}", one_line(scalar)),
    }
}

/// What stands behind a key.
fn inner(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write(value, indent, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            // As kubectl has it: a list is no deeper than its key.
            write(value, indent - 2, out);
        }
        scalar => _ = writeln!(out, " {}", one_line(scalar)),
    }
}

/// What stands behind a dash: a mapping begins on its line.
fn item(value: &Value, indent: usize, out: &mut String) {
    let mut own = String::new();
    write(value, indent, &mut own);
    out.push(' ');
    out.push_str(own.trim_start_matches(' '));
}

fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) => spelled(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents() {
        let value = json!({
            "a": {"b": "1.10", "c": [1, "x: y", {"d": true, "e": [], "f": {}}, ["g"]]},
            "on": null,
            "t": "on",
            "empty": "",
            "lines": "a\nb",
        });
        let text = "a:\n  b: \"1.10\"\n  c:\n  - 1\n  - \"x: y\"\n  - d: true\n    e: []\n    f: {}\n  - - g\n\"on\": null\nt: \"on\"\nempty: \"\"\nlines: \"a\\nb\"\n";
        assert_eq!(document(&value), text);
    }
}
