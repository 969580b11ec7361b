//! An explanation as a person reads it, in lines of at most 80 columns where names allow.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::text::{flow, line};
use crate::insight::explain::{
    ExplainedTag, ExplainedUse, Explanation, SAMPLES, Sample, StepCount, TagsFrom,
};

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// Columns of a line.
const WIDTH: usize = 80;

/// So many uses are shown.
const USES: usize = 20;

/// An explanation, several lines.
#[must_use]
pub fn text(told: &Explanation) -> String {
    let mut out = String::new();
    let of = told.cluster.as_ref();
    let of = of.map_or_else(String::new, |cluster| {
        format!(" of cluster {}", line(cluster))
    });
    put(
        &mut out,
        format_args!("{HEAD}ImagePolicy {}{HEAD:#}{of}\n", line(&told.policy)),
    );
    put(
        &mut out,
        format_args!("  {DIM}at {}{DIM:#}\n", line(&told.at)),
    );
    source(told, &mut out);
    let rule = &told.rule;
    let mut pairs = vec![("chooses", format!("{} `{}`", rule.kind, rule.by))];
    pairs.push(("pattern", format!("`{}`", rule.pattern)));
    pairs.push(("extract", format!("`{}`", rule.extract)));
    if rule.kind.is_empty() {
        pairs[0].1 =
            "nothing: `spec.policy` has none of semver, alphabetical, numerical".to_owned();
    }
    if told.is_unreadable {
        pairs.clear();
    }
    for (name, value) in pairs.iter().filter(|(_, value)| value != "``") {
        field(name, Style::new(), value, &mut out);
    }
    out.push('\n');
    funnel(told, &mut out);
    chosen(told, &mut out);
    if let Some(tag) = &told.tag {
        asked(tag, told, &mut out);
    }
    uses(told, &mut out);
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    _ = out.write_fmt(text);
}

fn source(told: &Explanation, out: &mut String) {
    let TagsFrom {
        source,
        scanned_at,
        count,
    } = &told.tags_from;
    let Some(repository) = &told.repository else {
        return;
    };
    let image = format!("{} (ImageRepository {})", repository.image, repository.name);
    field("image", Style::new(), &image, out);
    let at = scanned_at.as_ref();
    let at = at.map_or_else(String::new, |at| format!(", as of {at}"));
    let tags = match source.as_str() {
        "given" => format!("{count}, as given with `--tags`{at}"),
        "registry" => format!("{count}, of the registry or the list of it that was kept{at}"),
        "snapshot" => format!("{count}, of a TagSnapshot{at}"),
        _ => "none are known".to_owned(),
    };
    field("tags", Style::new(), &tags, out);
    if repository.is_suspended {
        let why = "the ImageRepository: Flux does not list its tags, and the policy goes on with those of the last scan";
        field("suspended", BAD, why, out);
    }
}

/// A name and what belongs to it, which goes on below itself.
fn field(name: &str, style: Style, value: &str, out: &mut String) {
    put(out, format_args!("  {name:<9} "));
    flow(&line(value), (12, WIDTH), style, out);
}

fn funnel(told: &Explanation, out: &mut String) {
    if told.tags_from.source == "nowhere" || told.repository.is_none() {
        return;
    }
    let width = told.tags_from.count.to_string().len() + 1;
    put(
        out,
        format_args!("  {:>width$} listed\n", told.tags_from.count),
    );
    if !told.malformed.is_empty() {
        let names: Vec<&str> = told.malformed.iter().map(String::as_str).collect();
        let said = format!("no tags, by their names: {}", names.join(", "));
        put(out, format_args!("  {:>width$} ", ""));
        flow(&line(&said), (width + 3, WIDTH), BAD, out);
    }
    for step in &told.steps {
        let StepCount {
            why,
            count,
            samples,
            ..
        } = step;
        let minus = format!("-{count}");
        put(out, format_args!("  {minus:>width$} "));
        flow(&line(why), (width + 3, WIDTH), Style::new(), out);
        let more = count - samples.len();
        list(samples, more, width + 5, out);
    }
    put(out, format_args!("  {:>width$} in order\n\n", told.ranked));
}

/// Tags on as many lines as they need, indented.
fn list(samples: &[Sample], more: usize, indent: usize, out: &mut String) {
    let mut words: Vec<String> = samples.iter().map(shown).collect();
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    let last = words.len().saturating_sub(1);
    let mut column = 0;
    for (number, word) in words.iter().enumerate() {
        let comma = if number == last { "" } else { "," };
        let length = word.chars().count() + comma.len() + 1;
        if column == 0 || column + length > WIDTH {
            if column > 0 {
                out.push('\n');
            }
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            out.push(' ');
        }
        column += length;
        put(out, format_args!("{DIM}{word}{comma}{DIM:#}"));
    }
    if column > 0 {
        out.push('\n');
    }
}

fn shown(one: &Sample) -> String {
    match &one.value {
        Some(value) => format!("{} ({})", line(&one.tag), line(value)),
        None => line(&one.tag).into_owned(),
    }
}

fn chosen(told: &Explanation, out: &mut String) {
    let word = if told.reason.is_some() {
        "kept"
    } else {
        "chosen"
    };
    if let Some(image) = &told.image {
        field(word, GOOD, image, out);
    }
    if let Some(reason) = &told.reason {
        let word = match told.image {
            Some(_) => "because",
            None => "no image:",
        };
        field(word, BAD, reason, out);
    }
    if let Some(hint) = &told.hint {
        field("hint:", Style::new(), hint, out);
    }
    // Where none of them is chosen, the first is told with the others.
    let (word, first) = match is_chosen(told) {
        true => ("  then", 1),
        false => ("  first", 0),
    };
    let next = told.order.iter().skip(first).take(SAMPLES);
    let next: Vec<Sample> = next.cloned().collect();
    if !next.is_empty() {
        let start = out.len();
        let more = told.ranked.saturating_sub(first + next.len());
        list(&next, more, 12, out);
        out.replace_range(start..start + word.len(), word);
    }
}

/// Whether the first tag in order is chosen.
fn is_chosen(told: &Explanation) -> bool {
    told.image.is_some() && told.reason.is_none()
}

fn asked(tag: &ExplainedTag, told: &Explanation, out: &mut String) {
    put(
        out,
        format_args!("\n{HEAD}Tag {}{HEAD:#}\n", line(&tag.tag)),
    );
    let is_tried = tag.step != "untried";
    match told.tags_from.source.as_str() {
        _ if tag.is_listed || !is_tried => {}
        "nowhere" => out.push_str("  no tags are known; if it were one, it would be\n"),
        _ => out.push_str("  is not among the known tags; if it were, it would be\n"),
    }
    out.push_str("  ");
    flow(&line(&tag.why), (2, WIDTH), Style::new(), out);
    if let Some(way_in) = &tag.way_in {
        field("hint:", Style::new(), way_in, out);
    }
    if let Some(next) = &tag.next {
        field("then", Style::new(), &format!("it is {next}"), out);
    }
    let is_in = tag.step == "order";
    let (is, are, then) = match (is_in, tag.is_listed && is_chosen(told)) {
        (true, true) => ("is", "are", ""),
        (true, false) => ("would be", "would be", ""),
        (false, _) => ("would be", "would be", " then"),
    };
    match tag.place {
        Some(1) => put(out, format_args!("  it {is} the latest{then}\n")),
        Some(2) => put(out, format_args!("  one {is} later{then}\n")),
        Some(place) => put(out, format_args!("  {} {are} later{then}\n", place - 1)),
        None => {}
    }
    if is_in && !is_chosen(told) && told.reason.is_some() {
        out.push_str("  the policy chooses none now\n");
    }
}

fn uses(told: &Explanation, out: &mut String) {
    if told.uses.is_empty() {
        out.push_str("\nNo value belongs to it: mark one with `# {\"$imagepolicy\": \"");
        put(out, format_args!("{}\"}}`\n", line(&told.policy)));
        return;
    }
    for one in told.uses.iter().take(USES) {
        usage(one, told, out);
    }
    let more = told.uses.len().saturating_sub(USES);
    if more > 0 {
        put(
            out,
            format_args!("\nand {more} more values (`-o json` has all)\n"),
        );
    }
}

fn usage(one: &ExplainedUse, told: &Explanation, out: &mut String) {
    put(out, format_args!("\n{HEAD}{}{HEAD:#}\n", line(&one.at)));
    if !one.field.is_empty() {
        field("field", DIM, &one.field, out);
    }
    let place = match (one.place, &one.out) {
        (Some(1), _) => ", which is the latest".to_owned(),
        (Some(place), _) => format!(", number {place} of {}", told.ranked),
        (None, Some(out)) => format!(", {out}"),
        (None, None) => String::new(),
    };
    field("is", Style::new(), &format!("{}{place}", one.current), out);
    if let Some(new) = &one.new {
        field("would be", GOOD, new, out);
    }
    if let Some(automation) = &one.automation {
        let branch = one.branch.as_ref();
        let branch = branch.map_or_else(String::new, |branch| format!(", to branch {branch}"));
        let by = format!("ImageUpdateAutomation {automation}{branch}");
        field("by", Style::new(), &by, out);
    }
    if let Some(message) = &one.message {
        let mut lines = message.trim().lines();
        let first = lines.next().unwrap_or_default();
        let more = if lines.next().is_some() { " …" } else { "" };
        field("message", DIM, &format!("{first}{more}"), out);
    }
    for why in &one.held_back {
        field("held back", BAD, why, out);
    }
    if one.automation.is_none() && one.held_back.is_empty() {
        let why = "no ImageUpdateAutomation is known; `flux-image update PATH` needs none";
        field("held back", BAD, why, out);
    }
}
