//! Coverage as a person reads it: the sum as a bar, then the images by state and file, in
//! lines of at most 80 columns where names allow.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{by_state, left_out, sum};
use crate::insight::coverage::{Coverage, CoverageItem, State};
use crate::report::text::{flow, line};

const HEAD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Columns of a line.
const WIDTH: usize = 80;

/// Columns of the bar.
const BAR: usize = 50;

/// Images are put into a column of at most this width.
const IMAGE: usize = 46;

/// The table, many lines.
#[must_use]
pub fn table(coverage: &Coverage) -> String {
    let mut out = String::new();
    put(&mut out, format_args!("{HEAD}{}{HEAD:#}\n", sum(coverage)));
    if coverage.summary.total > 0 {
        bar(coverage, &mut out);
    }
    for (state, items) in by_state(coverage) {
        group(state, &items, &mut out);
    }
    if let Some(left_out) = left_out(coverage) {
        out.push('\n');
        let said = format!("{left_out}; `-o json` lists them");
        flow(&line(&said), (0, WIDTH), DIM, &mut out);
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    _ = out.write_fmt(text);
}

fn style(state: State) -> Style {
    match state {
        State::Automated => AnsiColor::Green.on_default(),
        State::Pinned => AnsiColor::Cyan.on_default(),
        State::Excluded => AnsiColor::Blue.on_default(),
        State::Held | State::Mutable => AnsiColor::Yellow.on_default(),
        State::DeadMarker | State::Forgotten => AnsiColor::Red.on_default(),
    }
}

/// What fills the bar for a state: told apart without colours, too.
fn fill(state: State) -> char {
    match state {
        State::Automated => '█',
        State::Pinned => '▓',
        State::Excluded => '▒',
        _ => '░',
    }
}

/// A bar of the covered states, then the others, with a legend.
fn bar(coverage: &Coverage, out: &mut String) {
    let summary = &coverage.summary;
    let states = [
        State::Automated,
        State::Pinned,
        State::Excluded,
        State::Held,
        State::DeadMarker,
        State::Mutable,
        State::Forgotten,
    ];
    let (mut count, mut column) = (0, 0);
    for state in states {
        count += summary.states.get(&state).copied().unwrap_or_default();
        let end = count * BAR / summary.total.max(1);
        let style = style(state);
        let piece = fill(state).to_string().repeat(end - column);
        if !piece.is_empty() {
            put(out, format_args!("{style}{piece}{style:#}"));
        }
        column = end;
    }
    out.push('\n');
    let mut column = 0;
    for state in states {
        let count = summary.states.get(&state).copied().unwrap_or_default();
        if count == 0 {
            continue;
        }
        let told = format!(" {count} {}", state.word());
        let width = told.chars().count() + 1;
        if column > 0 {
            let fits = column + 2 + width <= WIDTH;
            out.push_str(if fits { "  " } else { "\n" });
            column = if fits { column + 2 } else { 0 };
        }
        let style = style(state);
        put(out, format_args!("{style}{}{style:#}{told}", fill(state)));
        column += width;
    }
    out.push('\n');
}

fn group(state: State, items: &[&CoverageItem], out: &mut String) {
    let style = style(state);
    put(
        out,
        format_args!(
            "\n{style}{HEAD}{}{HEAD:#}{style:#} ({}): {}\n",
            state.word(),
            items.len(),
            state.meaning()
        ),
    );
    let widest = items.iter().map(|item| name(item).chars().count()).max();
    let width = widest.unwrap_or_default().min(IMAGE);
    let mut file = "";
    for item in items {
        if item.file != file {
            file = &item.file;
            put(out, format_args!("  {}\n", line(file)));
        }
        row(item, width, out);
    }
}

/// The image of an item, or what else there is to name it by.
fn name(item: &CoverageItem) -> String {
    let shown = item.shown();
    match item.image.name.as_str() {
        "" if item.image.tag.is_none() => format!("({})", or_marker(&item.field)),
        "" => format!("({}) {shown}", item.field),
        _ => shown,
    }
}

fn or_marker(field: &str) -> &str {
    if field.is_empty() { "a marker" } else { field }
}

fn row(item: &CoverageItem, width: usize, out: &mut String) {
    let at = format!("{}:{}", item.line, item.column);
    let name = line(&name(item)).into_owned();
    put(out, format_args!("  {DIM}{at:>8}{DIM:#}  {name}"));
    let told = item.told();
    if told.is_empty() {
        out.push('\n');
        return;
    }
    let length = name.chars().count();
    let begin = 12 + width + 2;
    if length > width || begin > WIDTH - 20 {
        out.push('\n');
        out.push_str(&" ".repeat(14));
        flow(&line(&told), (14, WIDTH), DIM, out);
    } else {
        out.push_str(&" ".repeat(width - length + 2));
        flow(&line(&told), (begin, WIDTH), DIM, out);
    }
}
