//! What `Masterminds/semver` 3.5.0 and `fluxcd/pkg/version` 0.16.0 say of tags and
//! constraints.

use masterminds_semver::{Constraint, Version};
use serde_json::Value;

fn texts(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

#[test]
fn as_masterminds_answers() {
    let rows = include_str!("semver.jsonl").lines();
    let rows: Vec<Value> = rows
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect();
    let sorted = rows.iter().find(|row| row.get("sorted").is_some());
    let sorted = texts(&sorted.expect("a row")["sorted"]);
    let parsed = |tag: &&str| Version::parse_tag(tag).unwrap_or_else(|_| panic!("{tag}"));
    let versions: Vec<Version> = sorted.iter().map(parsed).collect();
    assert!(versions.is_sorted_by(|a, b| a.precedence(b).is_le()));
    let (mut refused, mut constraints) = (0, 0);
    for row in &rows {
        if let Some(tag) = row["tag"].as_str() {
            assert!(Version::parse_tag(tag).is_err(), "{tag}");
            refused += 1;
        }
        let Some(constraint) = row["constraint"].as_str() else {
            continue;
        };
        constraints += 1;
        let ours = Constraint::parse(constraint).map(|constraint| {
            let all = sorted.iter().zip(&versions);
            let admitted = all.filter(|(_, version)| constraint.admits(version));
            admitted.map(|(tag, _)| *tag).collect::<Vec<&str>>()
        });
        match row["error"].as_str() {
            Some(error) => assert!(ours.is_err(), "{constraint:?}: {error}"),
            None => assert_eq!(ours, Ok(texts(&row["admits"])), "{constraint:?}"),
        }
    }
    assert!(refused > 50 && constraints > 700);
}
