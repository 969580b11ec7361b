//! What differs between two sets of documents: for people, and for a pull request.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::markdown::{add, code};
use super::text::line;
use crate::insight::compare::{
    Comparison, Effect, FieldDifference, MovedValue, PolicyDifference, SideChoice,
};
use crate::quote;

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// So much of a field is shown, in bytes.
const FIELD: usize = 300;

/// A comparison as a person reads it.
#[must_use]
pub fn text(told: &Comparison) -> String {
    let mut out = String::new();
    for one in &told.policies {
        if !out.is_empty() {
            out.push('\n');
        }
        policy(one, told.cluster.as_deref(), &mut out);
    }
    out
}

fn policy(one: &PolicyDifference, cluster: Option<&str>, out: &mut String) {
    let cluster = cluster.map_or_else(String::new, |cluster| format!(" of cluster {cluster}"));
    let name = format!("{}{cluster}", one.policy);
    _ = writeln!(
        out,
        "{HEAD}ImagePolicy {}{HEAD:#}: {}",
        line(&name),
        effect(one.effect)
    );
    _ = writeln!(out, "  {DIM}at {}{DIM:#}", line(&one.at));
    for (word, style, side) in [("before", BAD, &one.before), ("after", GOOD, &one.after)] {
        if let Some(side) = side {
            let choice = plainly(side);
            _ = writeln!(out, "  {word:<6} {style}{}{style:#}", line(&choice));
        }
    }
    for field in &one.fields {
        let (before, after) = shown(field);
        let changed = format!("{}: {before} → {after}", field.field);
        _ = writeln!(out, "  {}", line(&changed));
    }
    for value in &one.values {
        let what = match (&value.new, one.effect) {
            (Some(new), _) => format!("{} → {new}", value.current),
            (None, Effect::Removed) => format!("{}: its policy is gone", value.current),
            (None, _) => format!("{}: stays", value.current),
        };
        let by = match (&value.automation, value.held_back.first()) {
            (Some(by), _) => format!(", by {by}"),
            (None, Some(why)) => format!(", by nobody: {why}"),
            (None, None) => String::new(),
        };
        let value = format!("{}  {what}{by}", value.at);
        _ = writeln!(out, "  {}", line(&value));
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Differs => "chooses differently",
        Effect::Removed => "is removed",
        Effect::Added => "is added",
        Effect::Unknown => "cannot be compared",
        Effect::Same => "is written differently, and chooses the same",
    }
}

fn plainly(side: &SideChoice) -> String {
    match (&side.image, &side.reason) {
        (Some(image), Some(reason)) => format!("{image}: {reason}"),
        (Some(image), None) => image.clone(),
        (None, Some(reason)) if side.doubt.is_some() => format!("not known: {reason}"),
        (None, Some(reason)) => format!("none: {reason}"),
        (None, None) => "none".to_owned(),
    }
}

fn shown(field: &FieldDifference) -> (String, String) {
    let of = |text: &str| match text {
        "" => "(none)".to_owned(),
        text => quote::at_most(text, FIELD).into_owned(),
    };
    (of(&field.before), of(&field.after))
}

/// How many policies choose differently, for stderr.
#[must_use]
pub fn summary(all: &[Comparison]) -> String {
    let differences = || all.iter().flat_map(|one| &one.policies);
    let count = |effect: Effect| differences().filter(|one| one.effect == effect).count();
    let total = differences().count() + all.iter().map(|one| one.same).sum::<usize>();
    let mut out = format!(
        "{} of {total} policies {} differently",
        count(Effect::Differs),
        if count(Effect::Differs) == 1 {
            "chooses"
        } else {
            "choose"
        }
    );
    for (effect, word) in [
        (Effect::Removed, "removed"),
        (Effect::Added, "added"),
        (Effect::Unknown, "not comparable"),
    ] {
        let count = count(effect);
        if count > 0 {
            _ = write!(out, ", {count} {word}");
        }
    }
    out.push('\n');
    out
}

/// Comparisons as the body of a pull request, of at most `most` bytes: what does not fit
/// is counted.
#[must_use]
pub fn markdown(all: &[Comparison], most: usize) -> String {
    let mut out = String::new();
    let of = |is_it: fn(Effect) -> bool| {
        let all = all.iter();
        all.flat_map(move |told| {
            let policies = told.policies.iter().filter(move |one| is_it(one.effect));
            policies.map(move |one| (told.cluster.as_deref(), one))
        })
    };
    let choices = || of(|effect| effect != Effect::Same);
    if choices().next().is_none() {
        out.push_str("No policy chooses differently.\n");
    } else {
        out.push_str("| Policy | Choice | Written differently |\n| --- | --- | --- |\n");
        let left = add(
            &mut out,
            choices().map(|(cluster, one)| row(cluster, one)),
            most / 2,
        );
        if left > 0 {
            _ = writeln!(out, "| and {left} more | | |");
        }
    }
    let mut values = choices()
        .flat_map(|(_, one)| one.values.iter().map(move |value| value_row(one, value)))
        .peekable();
    if values.peek().is_some() {
        out.push_str("\n| Value | Holds | Would be | By |\n| --- | --- | --- | --- |\n");
        let left = add(&mut out, values, most.saturating_mul(7) / 8);
        if left > 0 {
            _ = writeln!(out, "| and {left} more | | | |");
        }
    }
    let mut same = of(|effect| effect == Effect::Same).peekable();
    if same.peek().is_some() {
        out.push_str("\nWritten differently, and choosing the same:\n\n");
        let same = same.map(|(cluster, one)| format!("- {}\n", named(cluster, one)));
        let left = add(&mut out, same, most);
        if left > 0 {
            _ = writeln!(out, "- and {left} more");
        }
    }
    out
}

fn named(cluster: Option<&str>, one: &PolicyDifference) -> String {
    match cluster {
        Some(cluster) => format!("{} ({})", code(&one.policy), code(cluster)),
        None => code(&one.policy),
    }
}

fn row(cluster: Option<&str>, one: &PolicyDifference) -> String {
    let side = |side: &Option<SideChoice>| match side {
        Some(SideChoice {
            image: Some(image),
            reason: Some(reason),
            ..
        }) => format!("{} ({})", code(image), code(reason)),
        Some(SideChoice {
            image: Some(image), ..
        }) => code(image),
        Some(SideChoice {
            reason: Some(reason),
            doubt,
            ..
        }) => {
            let word = if doubt.is_some() { "not known" } else { "none" };
            format!("{word} ({})", code(reason))
        }
        _ => "none".to_owned(),
    };
    let (before, after) = (side(&one.before), side(&one.after));
    let choice = match one.effect {
        Effect::Removed => format!("**removed**, was {before}"),
        Effect::Added => format!("**added**: {after}"),
        Effect::Unknown => format!("**not known**: {before} → {after}"),
        Effect::Differs | Effect::Same => format!("{before} → {after}"),
    };
    let fields = one.fields.iter().map(|field| {
        let (before, after) = shown(field);
        format!(
            "{}: {} → {}",
            code(&field.field),
            code(&before),
            code(&after)
        )
    });
    let fields: Vec<String> = fields.collect();
    let name = named(cluster, one);
    format!("| {name} | {choice} | {} |\n", fields.join("<br>"))
}

fn value_row(one: &PolicyDifference, value: &MovedValue) -> String {
    let new = match (&value.new, one.effect) {
        (Some(new), _) => code(new),
        (None, Effect::Removed) => "its policy is gone".to_owned(),
        (None, _) => "stays".to_owned(),
    };
    let by = match (&value.automation, value.held_back.first()) {
        (Some(by), _) => code(by),
        (None, Some(why)) => format!("nobody ({})", code(why)),
        (None, None) => String::new(),
    };
    let (at, current) = (code(&value.at), code(&value.current));
    format!("| {at} | {current} | {new} | {by} |\n")
}
