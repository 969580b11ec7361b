//! Texts that go-yaml reads, and what of them is refused here.
//!
//! `go-yaml.jsonl` holds texts that go.yaml.in/yaml/v3 v3.0.6 was recorded to read: small
//! ones, and changed ones (characters, lines and pieces added, taken out and moved in
//! manifests with every style). Of 60,000 such texts go-yaml read a quarter; all that is
//! refused here belongs to a class below.

use std::collections::BTreeSet;

use yaml_edit_spans::Events;

/// Whether a text that is refused with an error is of a class.
type IsOf = fn(&str, &str) -> bool;

/// Why a text is refused: what it holds, or what the error says.
const CLASSES: &[(&str, IsOf)] = &[
    // YAML 1.1 has more line breaks than YAML 1.2.
    ("a line break of Unicode", |text, _| {
        text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
    }),
    ("a byte order mark inside", |text, _| {
        text.rfind('\u{feff}').is_some_and(|at| at > 0)
    }),
    ("a line break right behind a quote", |_, error| {
        error.contains("multiline quoted scalar")
    }),
    // `{a: b:}` is `b:` to go-yaml.
    ("a colon before a closing bracket", |_, error| {
        error.contains("while parsing a flow mapping")
    }),
    // go-yaml keeps anchors from one document to the next.
    ("an anchor of another document", |_, error| {
        error.contains("unknown anchor")
    }),
    ("a tag that is none", |_, error| {
        error.contains("a tag,") || error.contains("unknown escape")
    }),
    ("a directive inside a stream", |_, error| {
        error.contains("before directive")
    }),
];

fn error_of(events: Events<'_>) -> Option<String> {
    let mut events = events;
    events.find_map(|event| Some(event.err()?.to_string()))
}

#[test]
fn what_go_yaml_reads_is_read_or_listed() {
    let mut refused = BTreeSet::new();
    for row in include_str!("go-yaml.jsonl").lines() {
        let text: String = serde_json::from_str(row).expect("JSON");
        if error_of(Events::strict(&text)).is_none() {
            continue;
        }
        let Some(error) = error_of(Events::tolerant(&text)) else {
            continue;
        };
        let mut classes = CLASSES.iter().filter(|(_, is_it)| is_it(&text, &error));
        let class = classes.next();
        let (class, _) = class.unwrap_or_else(|| panic!("{error}: {text:?}"));
        refused.insert(*class);
    }
    // A class that nothing belongs to is mended.
    for (class, _) in CLASSES {
        assert!(refused.contains(class), "{class}");
    }
}
