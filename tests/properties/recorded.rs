//! Which scalar a comment belongs to, as go-yaml was recorded to answer.
//!
//! `tests/cases/comments.jsonl` holds texts and, for each, the markers that
//! Flux's own library (kyaml 0.21.1) finds on scalars that are not empty: the
//! line comment, or the head comment where there is none. Most texts are
//! generated, with comments wherever they may stand: glued to a token, beside
//! items without a value, in several columns, around flow commas. Of 35,000 such
//! texts that both image-automation-controller v1.2.0 and this read, none that is
//! one document was answered differently.

use flux_image::binding::marker::{self, Comment};
use flux_image::resource_list;
use serde_json::Value;

#[test]
fn markers_are_where_go_yaml_finds_them() {
    let rows = include_str!("../cases/comments.jsonl");
    let mut count = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).expect("JSON");
        let text = row["text"].as_str().expect("a text");
        let expected: Vec<&str> = row["markers"]
            .as_array()
            .expect("markers")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let outline = resource_list::read(text).expect("YAML");
        let mut found: Vec<String> = outline
            .documents
            .iter()
            .flat_map(|document| &document.sites)
            .filter(|site| site.is_reached && !site.text.is_empty())
            .filter_map(|site| match marker::read(site.comment.of(text)) {
                Comment::Marker(value) => Some(value),
                _ => None,
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{text}");
        count += 1;
    }
    assert!(count > 1000, "only {count} rows");
}
