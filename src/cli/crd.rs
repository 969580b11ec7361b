//! The schema of the functionConfig as a CustomResourceDefinition, which is how
//! catalogues of functions describe one.
//!
//! A structural schema (Kubernetes' OpenAPI v3) knows no references, no lists of
//! types and no `const`: they are written out.

use serde_json::{Map, Value, json};

use crate::api::OWN_GROUP;
use yaml_edit_spans::emit;

/// The definition, as YAML.
#[must_use]
pub(super) fn custom_resource(schema: &schemars::Schema) -> String {
    let root = schema.as_value();
    let mut structural = plain(root, root);
    // The API server knows what metadata is.
    structural["properties"]["metadata"] = json!({"type": "object"});
    for field in ["apiVersion", "kind"] {
        structural["properties"][field] = json!({"type": "string"});
    }
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("imageupdates.{OWN_GROUP}")},
        "spec": {
            "group": OWN_GROUP,
            "names": {
                "kind": "ImageUpdate",
                "listKind": "ImageUpdateList",
                "plural": "imageupdates",
                "singular": "imageupdate",
            },
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": structural},
            }],
        },
    });
    emit::document(&definition)
}

/// A schema without what a structural one may not hold.
fn plain(schema: &Value, root: &Value) -> Value {
    let Value::Object(schema) = schema else {
        // `true`: anything.
        return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    };
    let mut out = Map::new();
    if let Some(of) = referred(schema, root) {
        let Value::Object(of) = plain(of, root) else {
            return Value::Null;
        };
        out = of;
    }
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("$ref" | "$defs" | "$schema" | "title" | "format" | "anyOf" | "writeOnly", _) => {}
            ("type", Value::Array(types)) => {
                let one = types.iter().find(|one| *one != "null");
                out.insert("type".to_owned(), one.cloned().unwrap_or_default());
                out.insert("nullable".to_owned(), true.into());
            }
            ("properties", Value::Object(fields)) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, field)| (name.clone(), plain(field, root)));
                out.insert(key.clone(), Value::Object(fields.collect()));
            }
            ("items" | "additionalProperties", _) => {
                _ = out.insert(key.clone(), plain(value, root))
            }
            ("oneOf", Value::Array(words)) => choice(words, &mut out),
            ("default", value) if is_empty(value) => {}
            // That of the words' type says nothing that the field does not.
            ("description", _) if schema.contains_key("oneOf") => {}
            ("description", Value::String(text)) => {
                // What is said of the words stays behind what the field is.
                let words = out.get("enum").and(out.get("description"));
                let words = words.and_then(Value::as_str).unwrap_or_default();
                let text = format!("{} {words}", text.replace('\n', " "));
                out.insert(key.clone(), text.trim().into());
            }
            _ => _ = out.insert(key.clone(), value.clone()),
        }
    }
    Value::Object(out)
}

/// What a schema refers to, also where it may be null instead.
fn referred<'r>(schema: &Map<String, Value>, root: &'r Value) -> Option<&'r Value> {
    let direct = schema.get("$ref");
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let choice = || {
        choices
            .into_iter()
            .flatten()
            .find_map(|one| one.get("$ref"))
    };
    let name = direct.or_else(choice)?.as_str()?;
    root.pointer(name.strip_prefix('#')?)
}

/// Defaults that say nothing.
fn is_empty(value: &Value) -> bool {
    let empty = [json!(""), json!([]), json!({}), json!({"name": ""})];
    empty.contains(value)
}

/// Words, each with what it means.
fn choice(words: &[Value], out: &mut Map<String, Value>) {
    let said = |word: &Value, key: &str| word.get(key).and_then(Value::as_str).map(str::to_owned);
    let meanings = words.iter().filter_map(|word| {
        let meaning = said(word, "description")?.replace('\n', " ");
        Some(format!("`{}`: {meaning}", said(word, "const")?))
    });
    let meanings: Vec<String> = meanings.collect();
    let names = words.iter().filter_map(|word| word.get("const").cloned());
    out.insert("type".to_owned(), "string".into());
    out.insert("enum".to_owned(), names.collect());
    out.insert("description".to_owned(), meanings.join(" ").into());
}
