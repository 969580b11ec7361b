//! Coverage for a comment on a pull request: the sum, and what is not covered.

use std::fmt::Write as _;

use super::{by_state, left_out, sum};
use crate::insight::coverage::{Coverage, CoverageItem, State};
use crate::report::markdown::{add, code, in_backquotes};

/// The whole text, of at most `most` bytes: what does not fit is counted.
#[must_use]
pub fn body(coverage: &Coverage, most: usize) -> String {
    let mut out = format!("**{}**\n", sum(coverage));
    if coverage.summary.total > 0 {
        states(coverage, most, &mut out);
    }
    // A limit may be below what is said first.
    let mut room = most;
    let lines = out.split_inclusive('\n').take_while(|line| {
        let fits = line.len() <= room;
        room = room.saturating_sub(line.len());
        fits
    });
    lines.collect()
}

fn states(coverage: &Coverage, most: usize, out: &mut String) {
    out.push_str("\n| State | Images | |\n| --- | ---: | --- |\n");
    let mut states = State::ALL;
    states.sort_by_key(|state| !state.is_covered());
    for state in states {
        let count = coverage.summary.states.get(&state).copied();
        if let Some(count) = count.filter(|count| *count > 0) {
            _ = writeln!(out, "| {} | {count} | {} |", state.word(), state.meaning());
        }
    }
    let open = by_state(coverage).into_iter();
    let open = open.filter(|(state, _)| !state.is_covered());
    let open: Vec<&CoverageItem> = open.flat_map(|(_, items)| items).collect();
    let mut left = 0;
    if !open.is_empty() {
        out.push_str("\n| State | Image | Place | |\n| --- | --- | --- | --- |\n");
        left = add(out, open.into_iter().map(row), most);
    }
    if left > 0 {
        _ = writeln!(out, "| and {left} more | | | |");
    }
    let covered =
        (coverage.summary.covered > 0).then_some("Covered images are not listed.".to_owned());
    for said in covered.into_iter().chain(left_out(coverage)) {
        let last = format!("\n{said}\n");
        if out.len() + last.len() <= most {
            out.push_str(&last);
        }
    }
}

fn row(item: &CoverageItem) -> String {
    let image = item.shown();
    let image = match image.as_str() {
        "" => in_backquotes(&item.field),
        image => code(image),
    };
    let told = item.told();
    let told = match told.as_str() {
        "" => String::new(),
        told => code(told),
    };
    let (word, at) = (item.state.word(), code(&item.at()));
    format!("| {word} | {image} | {at} | {told} |\n")
}
