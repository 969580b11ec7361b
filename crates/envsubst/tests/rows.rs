//! What Flux's own `envsubst` makes of generated texts.

use std::collections::BTreeMap;

use envsubst::{Error, Template};
use serde_json::Value;

#[test]
fn as_flux_substitutes() {
    let rows = std::env::var("ENVSUBST_ROWS").map_or_else(
        |_| include_str!("envsubst.jsonl").to_owned(),
        |path| std::fs::read_to_string(path).expect("rows"),
    );
    let mut rows = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).expect("JSON"));
    let values = rows.next().expect("the values")["values"].clone();
    let values: BTreeMap<String, String> = serde_json::from_value(values).expect("texts");
    let value = |name: &str| values.get(name).map(String::as_str);
    let mut count = 0;
    for row in rows {
        let text = row["text"].as_str().expect("a text");
        let made = Template::parse(text).and_then(|template| template.expand(&value));
        match (made, row["out"].as_str(), row["error"].as_str()) {
            (Ok(made), Some(flux), None) => assert_eq!(made, flux, "{text:?}"),
            (Err(Error::NegativeLength), None, Some("panic")) => {}
            (Err(Error::NotUtf8), None, Some("bytes")) => {}
            (Err(error), None, Some(flux)) => assert_eq!(error.to_string(), flux, "{text:?}"),
            (ours, ..) => panic!("{row}: {ours:?}"),
        }
        count += 1;
    }
    assert!(count >= 2000, "only {count} rows");
}
