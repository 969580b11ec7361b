//! Who updates which image, for a terminal, a comment and a browser.

pub mod markdown;
pub mod page;
pub mod text;

use crate::insight::coverage::{Coverage, CoverageItem, State};

/// The states in the order in which people are told of them: what asks for work first.
const ORDER: [State; 7] = [
    State::DeadMarker,
    State::Held,
    State::Mutable,
    State::Forgotten,
    State::Excluded,
    State::Pinned,
    State::Automated,
];

/// The items of each state that has some.
fn by_state(coverage: &Coverage) -> Vec<(State, Vec<&CoverageItem>)> {
    let mut groups = ORDER.map(|state| (state, Vec::new()));
    for item in &coverage.items {
        let group = groups.iter_mut().find(|(state, _)| *state == item.state);
        if let Some((_, items)) = group {
            items.push(item);
        }
    }
    let groups = groups.into_iter();
    groups.filter(|(_, items)| !items.is_empty()).collect()
}

/// The sum in a sentence.
fn sum(coverage: &Coverage) -> String {
    let summary = &coverage.summary;
    match summary.total {
        0 => "no image was found".to_owned(),
        total => format!(
            "{}% of {total} are covered: automated, pinned or excluded with a reason",
            summary.percent
        ),
    }
}

/// What was not looked at, in a sentence; `None` where that is nothing.
fn left_out(coverage: &Coverage) -> Option<String> {
    let mut reasons: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for one in &coverage.left_out {
        *reasons.entry(&one.why).or_default() += 1;
    }
    let said = reasons.iter().map(|(why, count)| format!("{count} {why}"));
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("not looked at: {}", said.join(", ")))
}
