//! Lists of tags that a user brings: lines, or JSON as tools and registries print it.

use std::collections::HashSet;

use serde_json::Value;

/// A text that holds no list of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTags {
    /// It begins as JSON does, and is none.
    #[error("this is neither lines nor JSON: {0}")]
    Json(String),
    /// It is JSON of another kind.
    #[error(
        "no tags are in this JSON: they are looked for in a list of texts, and in `Tags`, `tags` and `results[].name`"
    )]
    Other,
    /// A line that holds more than a tag.
    #[error("line {0} is not a tag: write one on each line")]
    Line(usize),
}

/// Whether a text is a TagSnapshot rather than a list, which may have a tag of that name.
#[must_use]
pub fn is_snapshot(text: &str) -> bool {
    let says_kind = |line: &str| line.contains("kind") && line.contains(':');
    let mut lines = text.lines().filter(|line| line.contains("TagSnapshot"));
    lines.any(says_kind)
}

/// Reads a list of tags, each once: one on each line, or JSON of `skopeo list-tags` (`Tags`), of a
/// registry's `/tags/list` (`tags`; several pages may follow each other), of Docker Hub
/// (`results[].name`), or a plain list.
///
/// # Errors
/// A text that is none of these.
pub fn parse(text: &str) -> Result<Vec<String>, BadTags> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tags = match text.trim_start().starts_with(['{', '[']) {
        true => of_json(text)?,
        false => of_lines(text)?,
    };
    // Pages of a registry may overlap.
    let mut known = HashSet::new();
    tags.retain(|tag| known.insert(tag.clone()));
    Ok(tags)
}

fn of_lines(text: &str) -> Result<Vec<String>, BadTags> {
    let mut tags = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains(char::is_whitespace) {
            return Err(BadTags::Line(number + 1));
        }
        tags.push(line.to_owned());
    }
    Ok(tags)
}

fn of_json(text: &str) -> Result<Vec<String>, BadTags> {
    let mut tags = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| BadTags::Json(error.to_string()))?;
        let list = [&value, &value["Tags"], &value["tags"], &value["results"]];
        let list = list.into_iter().find_map(|list| match list {
            // Some registries say so where there are none.
            Value::Null if value.get("tags").is_some_and(Value::is_null) => Some(&[][..]),
            list => list.as_array().map(Vec::as_slice),
        });
        for one in list.ok_or(BadTags::Other)? {
            let name = one.as_str().or_else(|| one["name"].as_str());
            tags.push(name.ok_or(BadTags::Other)?.to_owned());
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_may_be_called_as_a_kind() {
        assert!(!is_snapshot("1.0.0\nTagSnapshot\n"));
        assert!(!is_snapshot("{\n\"Tags\": [\n\"TagSnapshot\"\n]}"));
        assert!(is_snapshot("apiVersion: x\nkind: TagSnapshot\n"));
        assert!(is_snapshot(
            "{\"apiVersion\": \"x\", \"kind\": \"TagSnapshot\"}"
        ));
    }

    #[test]
    fn lists_are_read_as_tools_print_them() {
        for text in [
            "1.0.0\n\n# older\n  0.9.0  \n",
            "\u{feff}1.0.0\n0.9.0\n1.0.0\n",
            r#"{"Repository": "r", "Tags": ["1.0.0", "0.9.0"]}"#,
            r#"{"name": "r", "tags": ["1.0.0"]}{"name": "r", "tags": ["0.9.0"]}"#,
            r#"["1.0.0", "0.9.0"]"#,
            r#"{"count": 2, "results": [{"name": "1.0.0"}, {"name": "0.9.0"}]}"#,
        ] {
            let expected = vec!["1.0.0".to_owned(), "0.9.0".to_owned()];
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse(r#"{"name": "r", "tags": null}"#), Ok(Vec::new()));
        assert_eq!(parse("1.0.0\nno tag"), Err(BadTags::Line(2)));
        assert_eq!(parse(r#"{"errors": []}"#), Err(BadTags::Other));
        assert_eq!(parse("[1]"), Err(BadTags::Other));
        assert!(matches!(parse("{"), Err(BadTags::Json(_))));
    }
}
