//! Which markers a text has, as Flux's own library was recorded to find them: the rows
//! of `yaml-edit-spans`, through the outline that the program reads.

use flux_image::binding::marker::{self, Comment};
use flux_image::resource_list;
use serde_json::Value;

#[test]
fn markers_are_where_go_yaml_finds_them() {
    let rows = include_str!("../../crates/yaml-edit-spans/tests/comments.jsonl");
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
            .flat_map(|document| &document.marked)
            .filter(|marked| marked.is_reached && !marked.text.is_empty())
            .filter_map(|marked| match marker::read(marked.comment.of(text)) {
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
