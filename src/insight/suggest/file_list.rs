//! The edits that tell a kustomization of new files.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cluster::kustomization;
use crate::resource_list;
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::{ByteSpan, tree};

/// The edits that add files to `resources` of a kustomization; `None` where its list cannot
/// be found. What the edits make is read again: it holds what was there, and
/// the new files, and nothing else.
#[must_use]
pub fn resources(text: &str, names: &[String]) -> Option<Vec<Edit>> {
    let before = sole_document(text)?;
    let list = |fields: &Map<String, Value>| match fields.get("resources") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => Some(list.clone()),
        Some(_) => None,
    };
    let known = list(&before)?;
    let is_known = |name: &&String| {
        let mut known = known.iter().filter_map(Value::as_str);
        known.any(|one| one.trim_start_matches("./") == name.as_str())
    };
    let new: Vec<&String> = names.iter().filter(|name| !is_known(name)).collect();
    let edits = added(text, &new)?;
    let patched = Patched::new(text, edits.clone()).ok()?.to_string();
    let after = sole_document(&patched)?;
    let wanted = new.iter().map(|name| Value::String((*name).clone()));
    let wanted: Vec<Value> = known.iter().cloned().chain(wanted).collect();
    let without = |mut fields: Map<String, Value>| {
        fields.remove("resources");
        fields
    };
    let is_as_wanted = list(&after)? == wanted && without(before) == without(after);
    is_as_wanted.then_some(edits)
}

/// The fields of the one document of a text, without aliases.
fn sole_document(text: &str) -> Option<Map<String, Value>> {
    let outline = resource_list::read(text).ok()?;
    let is_one = matches!(outline.documents.len(), 0 | 1);
    // What may follow the end of a document is none of it.
    let has_end = text.lines().any(|line| line.trim_end() == "...");
    let mut documents = kustomization::documents(text).ok()?.into_iter();
    match documents.next().unwrap_or_default() {
        Value::Object(fields) if is_one && !has_end => Some(fields),
        Value::Null if is_one && !has_end => Some(Map::new()),
        _ => None,
    }
}

fn added(text: &str, new: &[&String]) -> Option<Vec<Edit>> {
    if new.is_empty() {
        return Some(Vec::new());
    }
    if let Some(edit) = in_brackets(text, new) {
        return Some(vec![edit]);
    }
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let insert = |at: usize, text: String| {
        Some(vec![Edit {
            span: ByteSpan::new(at, at),
            text,
        }])
    };
    let mut at = 0;
    let mut list: Option<(usize, String)> = None;
    let mut is_in = false;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        at += line.len();
        if let Some(behind) = body.strip_prefix("resources:") {
            let behind = behind.trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                return None;
            }
            is_in = true;
            list = Some((at, String::new()));
        } else if is_in && body.trim_start().starts_with("- ") {
            let indent = &body[..body.len() - body.trim_start().len()];
            list = Some((at, indent.to_owned()));
        } else if is_in && !body.is_empty() && !body.trim_start().starts_with('#') {
            is_in = false;
        }
    }
    let mut added = String::new();
    let (at, indent) = match list {
        Some((at, indent)) => (at, indent),
        None => {
            added.push_str("resources:");
            added.push_str(line_break);
            (text.len(), "  ".to_owned())
        }
    };
    if at > 0 && !text[..at].ends_with('\n') {
        added.insert_str(0, line_break);
    }
    for name in new {
        added.push_str(&format!("{indent}- {name}{line_break}"));
    }
    insert(at, added)
}

/// The edit of a list in brackets; `None` where there is none.
fn in_brackets(text: &str, new: &[&String]) -> Option<Edit> {
    let starts: BTreeSet<usize> = (resource_list::read(text).ok()?.objects())
        .map(|object| object.span.start)
        .collect();
    let found = tree::build_trees(text, &starts, |found: &mut Option<ByteSpan>, _, root| {
        *found = root.get("resources").map(|list| list.span);
    });
    let list = found.ok().flatten()?;
    let written = text.get(list.start..list.end)?;
    let inside = written.strip_prefix('[')?.strip_suffix(']')?;
    let is_json = inside.contains('"') || text.trim_start().starts_with('{');
    let names: Vec<String> = new
        .iter()
        .map(|name| match is_json {
            true => format!("\"{name}\""),
            false => (*name).clone(),
        })
        .collect();
    let kept = inside.trim_end();
    let comma = match kept {
        "" => "",
        kept if kept.ends_with(',') => " ",
        _ => ", ",
    };
    let at = list.start + 1 + kept.len();
    Some(Edit {
        span: ByteSpan::new(at, at),
        text: format!("{comma}{}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_added_to_the_list_of_a_kustomization() {
        let names = ["a.yaml".to_owned(), "b.yaml".to_owned()];
        for (text, expected) in [
            (
                "resources:\n  - a.yaml # one\n\nnamespace: x\n",
                "resources:\n  - a.yaml # one\n  - b.yaml\n\nnamespace: x\n",
            ),
            (
                "resources:\r\n- c.yaml\r\n",
                "resources:\r\n- c.yaml\r\n- a.yaml\r\n- b.yaml\r\n",
            ),
            (
                "namespace: x",
                "namespace: x\nresources:\n  - a.yaml\n  - b.yaml\n",
            ),
            (
                "resources:\n- ./a.yaml\n- b.yaml\n",
                "resources:\n- ./a.yaml\n- b.yaml\n",
            ),
            ("resources: []\n", "resources: [a.yaml, b.yaml]\n"),
            (
                "resources: [ c.yaml ] # ours\nnamespace: x\n",
                "resources: [ c.yaml, a.yaml, b.yaml ] # ours\nnamespace: x\n",
            ),
            (
                "resources: [\n  c.yaml,\n]\n",
                "resources: [\n  c.yaml, a.yaml, b.yaml\n]\n",
            ),
            (
                "{\"resources\": [\"c.yaml\"]}\n",
                "{\"resources\": [\"c.yaml\", \"a.yaml\", \"b.yaml\"]}\n",
            ),
        ] {
            let edits = resources(text, &names).expect("a list");
            let patched = Patched::new(text, edits).expect("edits").to_string();
            assert_eq!(patched, expected);
        }
        for text in [
            "{}\n",
            "{\n\"namespace\": \"x\"\n}\n",
            "namespace: x\n...\n",
            "resources:\n- c.yaml\n...\n",
            "namespace: x\n---\nnamespace: y\n",
            "resources: &all\n- c.yaml\n",
            "resources: [\n  c.yaml, # one\n]\n",
            "\"resources\":\n- c.yaml\n",
            "resources :\n- c.yaml\n",
            "resources:\n- c.yaml\nresources:\n- d.yaml\n",
            "- c.yaml\n",
            "resources:\n- |\n  c.yaml\n",
            "a: [\n",
        ] {
            assert_eq!(resources(text, &names), None, "{text}");
        }
    }
}
