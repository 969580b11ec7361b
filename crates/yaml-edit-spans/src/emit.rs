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
    document_with(value, &|_| None)
}

/// The same, with texts spelled as `spell` has them, where it has them; else as usual.
#[must_use]
pub fn document_with(value: &Value, spell: &dyn Fn(&str) -> Option<String>) -> String {
    let mut writer = Writer {
        out: String::new(),
        spell,
    };
    writer.write(value, 0);
    writer.out
}

struct Writer<'w> {
    out: String,
    spell: &'w dyn Fn(&str) -> Option<String>,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, indent: usize) {
        let pad = " ".repeat(indent);
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let key = self.spelled(key);
                    _ = write!(self.out, "{pad}{key}:");
                    self.inner(value, indent + 2);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for value in list {
                    _ = write!(self.out, "{pad}-");
                    self.item(value, indent + 2);
                }
            }
            scalar => {
                let scalar = self.one_line(scalar);
                _ = writeln!(self.out, "{pad}{scalar}");
            }
        }
    }

    /// What stands behind a key.
    fn inner(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.out.push('\n');
                self.write(value, indent);
            }
            Value::Array(list) if !list.is_empty() => {
                self.out.push('\n');
                // As kubectl has it: a list is no deeper than its key.
                self.write(value, indent - 2);
            }
            scalar => {
                let scalar = self.one_line(scalar);
                _ = writeln!(self.out, " {scalar}");
            }
        }
    }

    /// What stands behind a dash: a mapping begins on its line.
    fn item(&mut self, value: &Value, indent: usize) {
        let from = self.out.len();
        self.write(value, indent);
        let own = self.out.split_off(from);
        self.out.push(' ');
        self.out.push_str(own.trim_start_matches(' '));
    }

    fn one_line(&self, value: &Value) -> String {
        match value {
            Value::String(text) => self.spelled(text),
            other => other.to_string(),
        }
    }

    fn spelled(&self, text: &str) -> String {
        (self.spell)(text).unwrap_or_else(|| spelled(text))
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
