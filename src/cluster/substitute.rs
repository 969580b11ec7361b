//! Variables in the results of a build, as kustomize-controller puts their values in
//! (`fluxcd/pkg/kustomize`, `SubstituteVariables`).
//!
//! Each resource is substituted as a text of its own and read again: a value without
//! quotes may become a number, a boolean, or nothing. A variable that nobody sets is
//! empty; one that only a missing ConfigMap or Secret could set is unknown, and so is
//! what it stands in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use crate::resource_list;
use envsubst::{Form, Template};
use yaml_edit_spans::tree::{Content, Node, build_trees};
use yaml_edit_spans::{Style, SyntaxError, scalar};

/// The values of a Kustomization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    /// Values by name, without line breaks.
    pub values: BTreeMap<String, String>,
    /// ConfigMaps and Secrets that are not there and may hold more.
    pub missing: BTreeSet<String>,
    /// Optional ones that are not there and are taken to hold nothing.
    pub assumed_absent: BTreeSet<String>,
    /// Whether there are any, or the strategy is `Always`: else nothing is
    /// substituted.
    pub counts: bool,
}

/// What became of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Substituted {
    /// The resource.
    pub resource: Value,
    /// Variables that nobody sets.
    pub unset: BTreeSet<String>,
    /// Variables that are not known, where nobody can tell what depends on them.
    pub lost: BTreeSet<String>,
    /// How long its text is, in bytes.
    pub size: usize,
}

impl Variables {
    /// Adds a value.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = value.replace('\n', "");
        self.values.insert(name.to_owned(), value);
        self.counts = true;
    }

    /// A name that Flux refuses, which fails the build.
    #[must_use]
    pub fn bad_name(&self) -> Option<&str> {
        let is_letter = |c: char| c == '_' || c.is_ascii_alphabetic();
        let is_good = |name: &str| {
            name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        };
        let mut names = self.values.keys().map(String::as_str);
        names.find(|name| !is_good(name))
    }

    /// A resource of a build with the values in it.
    ///
    /// # Errors
    /// What fails the build in Flux, too.
    pub fn substitute(&self, text: &str) -> Result<Substituted, String> {
        if !self.counts {
            return Ok(Substituted {
                resource: read(text)?,
                ..Substituted::default()
            });
        }
        if let Some(name) = self.bad_name() {
            return Err(format!(
                "`{}` is not a name of a variable",
                crate::quote::at_most(name, 100)
            ));
        }
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        let mut unset = BTreeSet::new();
        let mut unknown = BTreeMap::new();
        let mut lost = BTreeSet::new();
        let is_unknown = |name: &str| match self.values.get(name) {
            Some(value) => !unknown_in_text(value).is_empty(),
            None => !self.missing.is_empty(),
        };
        for (name, form) in template.variables() {
            if is_unknown(name) {
                unknown.insert(name, placeholder(name));
                if form == Form::Part {
                    // Nobody can tell what of it is left.
                    lost.insert(name.to_owned());
                }
            } else if !self.values.contains_key(name) && form != Form::Default {
                // A default is what its owner wants.
                unset.insert(name.to_owned());
            }
        }
        let value = |name: &str| {
            let value = self.values.get(name).or_else(|| unknown.get(name));
            value.map(String::as_str)
        };
        let made = match template.expand(&value) {
            // What is not known was cut apart.
            Err(envsubst::Error::NotUtf8) if !unknown.is_empty() => {
                return Ok(Substituted {
                    resource: read(text)?,
                    unset,
                    lost: unknown.keys().map(|&name| name.to_owned()).collect(),
                    size: text.len(),
                });
            }
            made => made.map_err(|error| error.to_string())?,
        };
        Ok(Substituted {
            resource: read(&made)?,
            unset,
            lost,
            size: made.len(),
        })
    }
}

/// Stands for the value of a variable that is not known: letters that nobody writes
/// (of Unicode's private use), so that whatever is made of it can be told, too.
fn placeholder(name: &str) -> String {
    let bytes = name
        .bytes()
        .map(|byte| char::from_u32(FIRST + u32::from(byte)));
    let bytes = bytes.flatten();
    bytes.chain(char::from_u32(LAST)).collect()
}

const FIRST: u32 = 0x10_f000;
const LAST: u32 = 0x10_f100;

/// The variables that are not known and on whose values a value depends.
#[must_use]
pub fn unknown_in(value: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => all.extend(unknown_in_text(text)),
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => {
                all.extend(fields.keys().flat_map(|key| unknown_in_text(key)));
                waiting.extend(fields.values());
            }
            _ => {}
        }
    }
    all
}

/// A value with the variables that are not known as they were written.
#[must_use]
pub fn restored(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(restored_text(&text)),
        Value::Array(items) => items.into_iter().map(restored).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(key, value)| (restored_text(&key), restored(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// The same of a text.
pub(super) fn restored_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut name = Vec::new();
    for c in text.chars() {
        match u32::from(c) {
            LAST => {
                out.push_str(&format!("${{{}}}", String::from_utf8_lossy(&name)));
                name.clear();
            }
            code if (FIRST..LAST).contains(&code) => {
                name.extend(u8::try_from(code - FIRST));
            }
            _ => out.push(c),
        }
    }
    out
}

fn unknown_in_text(text: &str) -> Vec<String> {
    let is_part = |c: char| (FIRST..=LAST).contains(&u32::from(c));
    let pieces = text
        .split(|c| !is_part(c))
        .filter(|piece| !piece.is_empty());
    let names = pieces.flat_map(|piece| piece.split(|c| u32::from(c) == LAST));
    let names = names.filter(|name| !name.is_empty());
    let name = |piece: &str| {
        let bytes = piece.chars().map(|c| u8::try_from(u32::from(c) - FIRST));
        let bytes: Vec<u8> = bytes.flatten().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    names.map(name).collect()
}

/// The first document of a text, with the types that Go's YAML 1.1 reader sees.
fn read(text: &str) -> Result<Value, String> {
    let wrong = |error: SyntaxError| format!("what comes out is not valid YAML: {error}");
    let outline = resource_list::read(text).map_err(wrong)?;
    let Some(document) = outline.documents.first() else {
        return Ok(Value::Null);
    };
    let starts = BTreeSet::from([document.root.span.start]);
    let found = build_trees(text, &starts, |found: &mut Option<Value>, _, root| {
        *found = Some(value_of(root));
    });
    Ok(found.map_err(wrong)?.unwrap_or_default())
}

fn value_of(node: &Node<'_>) -> Value {
    match &node.content {
        Content::Mapping(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| (key.to_string(), value_of(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Content::Sequence(items) => items.iter().map(value_of).collect(),
        // What kustomize writes has none, and a value of a variable has no anchor.
        Content::Alias => Value::Null,
        Content::Scalar(value) => {
            let text = value.scalar.value();
            match value.scalar.style {
                Style::Plain => plain(&text),
                _ => Value::String(text.into_owned()),
            }
        }
    }
}

/// A text without quotes.
fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if !scalar::reads_as_non_string_in_yaml_1_1(text) {
        return Value::String(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "on" | "true" => return Value::Bool(true),
        "n" | "no" | "off" | "false" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.replace('_', "");
    let number = digits.parse::<i64>().ok().map(Number::from);
    let number = number.or_else(|| digits.parse::<u64>().ok().map(Number::from));
    let number = number.or_else(|| Number::from_f64(digits.parse().ok()?));
    // Some other number, or a moment: no string in any case.
    number.map_or(Value::Bool(false), Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables(values: &[(&str, &str)], missing: &[&str]) -> Variables {
        let mut variables = Variables {
            counts: true,
            ..Variables::default()
        };
        for (name, value) in values {
            variables.set(name, value);
        }
        variables.missing = missing.iter().map(|&name| name.to_owned()).collect();
        variables
    }

    #[test]
    fn a_value_without_quotes_is_what_it_looks_like() {
        let variables = variables(
            &[
                ("n", "1.10"),
                ("b", "yes"),
                ("t", "1.2.3"),
                ("e", ""),
                ("x", "0x1f"),
            ],
            &[],
        );
        let text = "a: ${n}\nb: ${b}\nc: '${n}'\nd: ${t}\ne: ${e}\nf: ${x}\ng: ${gone}\nh: $${n}\ni: ${gone2:=d}\n";
        let made = variables.substitute(text).expect("substituted");
        let expected = json!({
            "a": 1.1, "b": true, "c": "1.10", "d": "1.2.3", "e": null, "f": false,
            "g": null, "h": "${n}", "i": "d",
        });
        assert_eq!(made.resource, expected);
        assert_eq!(made.unset, ["gone".to_owned()].into());
        for text in ["a: ${a.b}", "a: ${{ x }}", "a: ${a-b}"] {
            assert!(variables.substitute(text).is_err(), "{text}");
        }
        let bad = self::variables(&[("a.b", "c")], &[]);
        assert!(bad.substitute("a: b").is_err());
    }

    #[test]
    fn what_is_not_known_is_told_wherever_it_goes() {
        let variables = variables(&[("known", "k")], &["ConfigMap `a/b`"]);
        let text = "a: ${one}${two}\nb: [x, 'y-${three:=d}-${known}']\nc: ${four:0:4}\n";
        let made = variables.substitute(text).expect("substituted");
        assert_eq!(made.lost, ["four".to_owned()].into());
        let made = made.resource;
        let of = |value: &Value| unknown_in(value).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&made["a"]), ["one", "two"]);
        assert_eq!(of(&made["b"]), ["three"]);
        assert_eq!(of(&made["c"]), ["f"]);
        assert!(of(&json!("${known}")).is_empty());
        let text = "a: x-${one}-${two:=d}\n";
        let made = variables.substitute(text).expect("substituted").resource;
        assert_eq!(restored(made), json!({"a": "x-${one}-${two}"}));
        let made = variables
            .substitute("a: ${one:0:2}\n")
            .expect("substituted");
        assert_eq!(made.lost, ["one".to_owned()].into());
    }
}
