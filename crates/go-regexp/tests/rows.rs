//! Flux's recorded answers for `filterTags`: which tags a pattern takes, and what
//! `Expand` makes of each. What Go refuses is refused here.

use std::collections::BTreeMap;

use go_regexp::{Budget, Regex, Template};
use serde_json::Value;

fn texts(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

/// What is made of each tag that matches: of one value the last tag, as Flux keeps it.
fn pairs(row: &Value) -> Result<BTreeMap<String, String>, String> {
    let part = |name: &str| row["filterTags"][name].as_str().unwrap_or_default();
    let pattern = Regex::within(part("pattern"), &mut Budget::default());
    let pattern = pattern.map_err(|error| error.to_string())?;
    let template = Template::new(part("extract"));
    let mut scratch = pattern.scratch();
    let mut pairs = BTreeMap::new();
    for tag in texts(&row["tags"]) {
        let Some(found) = pattern.find(tag, &mut scratch) else {
            continue;
        };
        let value = match part("extract") {
            "" => tag.to_owned(),
            _ => template.expand(&found),
        };
        pairs.insert(value, tag.to_owned());
    }
    Ok(pairs)
}

#[test]
fn as_go_answers() {
    let mut count = 0;
    for row in include_str!("regex.jsonl").lines() {
        let row: Value = serde_json::from_str(row).expect("JSON");
        let expect = &row["expect"];
        match (pairs(&row), expect.get("error")) {
            (Err(_), Some(_)) => {}
            (ours, None) => {
                let flux = expect["pairs"].as_array().into_iter().flatten();
                let flux = flux.map(texts);
                let flux = flux.map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
                assert_eq!(ours, Ok(flux.collect()), "{row}");
            }
            (Ok(ours), Some(error)) => panic!("{row}: {ours:?}, and Go says {error}"),
        }
        count += 1;
    }
    assert!(count > 200, "only {count} rows");
}
