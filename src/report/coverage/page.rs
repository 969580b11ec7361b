//! Coverage as one page that needs nothing beside it: no network, no framework; without
//! JavaScript it is a table, with it the table can be filtered, sorted and grouped.
//!
//! Its parts stand beside this file. Names, tags and paths are a stranger's: each goes through
//! [`escaped`], none into the style or the script, and the page's own policy lets no other
//! script run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{by_state, left_out};
use crate::foreign::shown;
use crate::insight::coverage::{Coverage, CoverageItem, State};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// So many images are shown, those that ask for work first: a browser is to open the page.
const MOST_ROWS: usize = 10_000;

/// So many places are named that were not looked at.
const MOST_LEFT_OUT: usize = 200;

/// The states in the order of the bar.
const BAR: [State; 7] = [
    State::Automated,
    State::Pinned,
    State::Excluded,
    State::Held,
    State::Mutable,
    State::DeadMarker,
    State::Forgotten,
];

/// The page.
#[must_use]
pub fn page(coverage: &Coverage) -> String {
    let has_clusters = (coverage.items.iter()).any(|item| item.by.iter().any(has_cluster));
    let total = coverage.summary.total;
    let percent = coverage.summary.percent.to_string();
    let sum = match total {
        0 => "No image was found.".to_owned(),
        1 => "of the one image is automated, pinned or excluded with a reason".to_owned(),
        total => format!("of {total} images are automated, pinned or excluded with a reason"),
    };
    let count = match total.checked_sub(MOST_ROWS) {
        Some(more @ 1..) => format!("The first {MOST_ROWS} images; {more} more are in `-o json`."),
        _ => format!("{total} {}", images(total)),
    };
    let cluster_option = match has_clusters {
        true => "<option value=\"cluster\">cluster</option>",
        false => "",
    };
    fill(&[
        ("hash", &script_hash()),
        ("percent", &percent),
        ("css", STYLE),
        ("sum", &sum),
        ("bar", &bar(coverage)),
        ("clusters", cluster_option),
        ("count", &count),
        ("columns", &columns(has_clusters)),
        ("rows", &rows(coverage, has_clusters)),
        ("left", &not_looked_at(coverage)),
        ("meanings", &meanings()),
        ("script", SCRIPT),
    ])
}

/// The page with its parts put in, which are not looked at again.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = PAGE;
    while let Some((before, behind)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, behind) = behind.split_once("}}").unwrap_or((behind, ""));
        let part = parts.iter().find(|(key, _)| *key == name);
        out.push_str(part.map_or("", |(_, part)| part));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// What the page's policy calls its script: the hash of all between its tags.
fn script_hash() -> String {
    let script = format!("\n{SCRIPT}");
    let hash = digest::digest(&digest::SHA256, script.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(hash.as_ref()))
}

/// Text as a page shows it, in its content and in attributes in double quotes: what is hidden
/// or turns the direction of a line is shown as an escape.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A name or a path, escaped, which may be broken behind its separators.
fn breakable(text: &str) -> String {
    let mut out = String::new();
    // No separator stands in an escape.
    for c in escaped(text).chars() {
        match c {
            '/' | '.' => put(&mut out, format_args!("{c}<wbr>")),
            '[' => out.push_str("<wbr>["),
            c => out.push(c),
        }
    }
    out
}

/// A sentence, escaped, in which what stands between backquotes is code.
fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    // An odd one belongs to the text.
    let is_even = pieces.len() % 2 == 1;
    let mut out = String::new();
    for (number, piece) in pieces.iter().enumerate() {
        let piece = escaped(piece);
        match (number, is_even && number % 2 == 1) {
            (_, true) => put(&mut out, format_args!("<code>{piece}</code>")),
            (0, false) => out.push_str(&piece),
            (_, false) if is_even => out.push_str(&piece),
            (_, false) => put(&mut out, format_args!("`{piece}")),
        }
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    _ = out.write_fmt(text);
}

fn images(count: usize) -> &'static str {
    if count == 1 { "image" } else { "images" }
}

fn class(state: State) -> &'static str {
    match state {
        State::Automated => "automated",
        State::Excluded => "excluded",
        State::Held => "held",
        State::DeadMarker => "dead",
        State::Pinned => "pinned",
        State::Mutable => "mutable",
        State::Forgotten => "forgotten",
    }
}

/// The whole as a bar, and what its pieces are.
fn bar(coverage: &Coverage) -> String {
    let count = |state: State| coverage.summary.states.get(&state).copied();
    let states = BAR.into_iter();
    let states = states.filter_map(|state| Some((state, count(state)?)));
    let states: Vec<(State, usize)> = states.filter(|(_, count)| *count > 0).collect();
    if states.is_empty() {
        return String::new();
    }
    let mut out = "<div class=\"bar\" aria-hidden=\"true\">".to_owned();
    for (state, count) in &states {
        let class = class(*state);
        put(
            &mut out,
            format_args!("<span class=\"{class}\" style=\"flex:{count} 1 0\"></span>"),
        );
    }
    out.push_str("</div>\n<ul class=\"legend\" aria-label=\"Images by state\">\n");
    for (state, count) in &states {
        let (class, word) = (class(*state), state.word());
        put(
            &mut out,
            format_args!(
                "<li class=\"plain {class}\" data-state=\"{class}\"><span class=\"dot\"></span>{word} <b>{count}</b></li>\n"
            ),
        );
    }
    out.push_str("</ul>");
    out
}

fn columns(has_clusters: bool) -> String {
    let all = [
        ("state", "State"),
        ("image", "Image"),
        ("place", "Place"),
        ("told", "Updated by, or why not"),
        ("cluster", "Cluster"),
        ("newer", "Newer tags"),
    ];
    let all = all
        .into_iter()
        .filter(|(key, _)| has_clusters || *key != "cluster");
    let (mut widths, mut heads) = (String::new(), String::new());
    for (key, title) in all {
        let number = if key == "newer" {
            " class=\"number\""
        } else {
            ""
        };
        put(&mut widths, format_args!("<col class=\"c-{key}\">"));
        put(
            &mut heads,
            format_args!("<th scope=\"col\" data-key=\"{key}\"{number}>{title}</th>"),
        );
    }
    let class = if has_clusters { "" } else { " class=\"roomy\"" };
    format!("<colgroup{class}>{widths}</colgroup>\n<thead><tr>{heads}</tr></thead>")
}

fn rows(coverage: &Coverage, has_clusters: bool) -> String {
    let mut out = String::new();
    let items = by_state(coverage).into_iter().flat_map(|(_, items)| items);
    for item in items.take(MOST_ROWS) {
        row(item, has_clusters, &mut out);
    }
    out
}

fn has_cluster(by: &crate::insight::coverage::CarriedBy) -> bool {
    by.cluster.is_some()
}

fn row(item: &CoverageItem, has_clusters: bool, out: &mut String) {
    let (class, state) = (class(item.state), item.state);
    let behind = item.behind;
    let behind = behind.map_or_else(String::new, |behind| format!(" data-behind=\"{behind}\""));
    let covered = u8::from(state.is_covered());
    put(
        out,
        format_args!(
            "<tr data-state=\"{class}\" data-covered=\"{covered}\"{behind}><td><span class=\"state {class}\">{}</span></td>",
            state.word()
        ),
    );
    put(out, format_args!("<th scope=\"row\">{}</th>", image(item)));
    let resource = item.resource.as_ref();
    let resource = resource.map_or_else(String::new, |resource| {
        format!(
            "{}, ",
            format!("{} {}", resource.kind, resource.name).trim_end()
        )
    });
    put(
        out,
        format_args!(
            "<td><span class=\"file\">{}</span><span class=\"line\">:{}</span><span class=\"more\">{}</span></td>",
            breakable(&item.file),
            item.line,
            breakable(&format!("{resource}{}", item.field))
        ),
    );
    put(out, format_args!("<td>{}</td>", by_or_why(item)));
    if has_clusters {
        let clusters = item.by.iter().filter_map(|by| by.cluster.as_deref());
        let clusters: BTreeSet<&str> = clusters.collect();
        let clusters: Vec<&str> = clusters.into_iter().collect();
        put(
            out,
            format_args!("<td>{}</td>", escaped(&clusters.join(", "))),
        );
    }
    let newer = match (item.behind, &item.newest) {
        (Some(0), _) => "0".to_owned(),
        (Some(behind), Some(newest)) => {
            format!(
                "{behind}<span class=\"more\">up to {}</span>",
                escaped(newest)
            )
        }
        _ => String::new(),
    };
    put(
        out,
        format_args!("<td class=\"number\">{newer}</td></tr>\n"),
    );
}

/// The image in parts: its name, its tag, its digest, what it is.
fn image(item: &CoverageItem) -> String {
    let image = &item.image;
    let mut out = "<span class=\"name\">".to_owned();
    if !image.name.is_empty() {
        let name = breakable(&image.name);
        put(
            &mut out,
            format_args!("<span class=\"repository\">{name}</span>"),
        );
    }
    if let Some(tag) = &image.tag {
        let colon = if image.name.is_empty() { "" } else { ":" };
        put(&mut out, format_args!("{colon}<b>{}</b>", escaped(tag)));
    }
    out.push_str("</span>");
    let mut more: Vec<String> = Vec::new();
    if item.kind != "image" {
        more.push(item.kind.clone());
    }
    match (&image.name, &image.tag) {
        (name, Some(_)) if name.is_empty() => more.push("the tag of a chart's image".to_owned()),
        (name, None) if name.is_empty() => more.push("a marker".to_owned()),
        _ => {}
    }
    if let Some(digest) = &image.digest {
        more.push(digest.chars().take(19).collect());
    }
    if !more.is_empty() {
        let more = escaped(&more.join(", "));
        put(&mut out, format_args!("<span class=\"more\">{more}</span>"));
    }
    out
}

/// The policies and automations of an image, or why nobody updates it.
fn by_or_why(item: &CoverageItem) -> String {
    let mut out = String::new();
    let mut before: Option<(&str, Option<&str>)> = None;
    for by in &item.by {
        // Of several clusters there is a column, and what holds an image names automations.
        let automation = by.automation.as_deref();
        let automation = automation.filter(|_| item.state == State::Automated);
        let this = (by.policy.as_str(), automation);
        if before == Some(this) {
            continue;
        }
        before = Some(this);
        put(&mut out, format_args!("<div>{}", escaped(&by.policy)));
        if let Some(automation) = automation {
            let automation = escaped(automation);
            put(
                &mut out,
                format_args!("<span class=\"more\">by {automation}</span>"),
            );
        }
        out.push_str("</div>");
    }
    if !item.why.is_empty() {
        let class = if item.by.is_empty() { "why" } else { "more" };
        let why = prose(&item.why);
        put(&mut out, format_args!("<div class=\"{class}\">{why}</div>"));
    }
    out
}

fn not_looked_at(coverage: &Coverage) -> String {
    let Some(said) = left_out(coverage) else {
        return String::new();
    };
    let mut out = format!("<details><summary>{}</summary><ul>\n", escaped(&said));
    for one in coverage.left_out.iter().take(MOST_LEFT_OUT) {
        let place = match one.line {
            0 => one.file.clone(),
            line => format!("{}:{line}", one.file),
        };
        let why = match &one.set_by {
            Some(by) => format!("{}: {by}", one.why),
            None => one.why.clone(),
        };
        let (place, why) = (escaped(&place), escaped(&why));
        put(
            &mut out,
            format_args!("<li><span class=\"file\">{place}</span> {why}</li>\n"),
        );
    }
    let more = coverage.left_out.len().saturating_sub(MOST_LEFT_OUT);
    if more > 0 {
        put(&mut out, format_args!("<li>and {more} more</li>\n"));
    }
    out.push_str("</ul></details>");
    out
}

fn meanings() -> String {
    let mut out = String::new();
    for state in BAR {
        let (class, word) = (class(state), state.word());
        put(
            &mut out,
            format_args!(
                "<dt><span class=\"state {class}\">{word}</span></dt><dd>{}</dd>\n",
                state.meaning()
            ),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_tag_or_ends_an_attribute() {
        assert_eq!(
            escaped("</script><img src=x onerror='a' alt=\"b\">&\u{202e}"),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39; alt=&quot;b&quot;&gt;&amp;\\u{202e}"
        );
    }

    #[test]
    fn code_stands_between_backquotes() {
        assert_eq!(prose("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(prose("a `b"), "a `b");
        assert_eq!(prose("`a`"), "<code>a</code>");
        assert_eq!(breakable("a/<b>.c[0]"), "a/<wbr>&lt;b&gt;.<wbr>c<wbr>[0]");
    }

    #[test]
    fn the_script_is_what_its_hash_says() {
        let page = page(&Coverage::default());
        let (_, script) = page.split_once("<script>").expect("a script");
        let (script, _) = script.split_once("</script>").expect("its end");
        let hash = digest::digest(&digest::SHA256, script.as_bytes());
        let hash = BASE64_STANDARD.encode(hash.as_ref());
        assert!(page.contains(&format!("script-src 'sha256-{hash}'")));
        assert!(!page.contains("{{"), "a part is missing");
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }

    #[test]
    fn parts_are_not_looked_at_again() {
        let mut coverage = Coverage::default();
        coverage.items.push(CoverageItem {
            file: "{{script}}.yaml".to_owned(),
            ..CoverageItem::default()
        });
        coverage.summary.total = 1;
        assert!(page(&coverage).contains("{{script}}.<wbr>yaml"));
    }
}
