//! Who updates which image, for a terminal, a comment and a browser.

pub mod markdown;
pub mod page;
pub mod text;

use std::collections::BTreeMap;

use crate::insight::coverage::{Coverage, CoverageItem, NO_VALUE, SET_ELSEWHERE, State};

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
    let is_counted = |why: &str| ![SET_ELSEWHERE, NO_VALUE].contains(&why);
    let said = |head: &str, is_wanted: &dyn Fn(&str) -> bool| {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        let wanted = coverage.left_out.iter().filter(|one| is_wanted(&one.why));
        for one in wanted {
            *reasons.entry(&one.why).or_default() += 1;
        }
        let all = reasons.iter().map(|(why, count)| format!("{count} {why}"));
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| format!("{head}: {}", all.join(", ")))
    };
    let not_looked_at = said("not looked at", &is_counted);
    let not_counted = said("not counted", &|why| !is_counted(why));
    let all: Vec<String> = not_looked_at.into_iter().chain(not_counted).collect();
    (!all.is_empty()).then(|| all.join("; "))
}
