//! What `suggest` prints.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::text::line;
use crate::insight::suggest::Suggestion;

const HEAD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// So many places of one image are shown.
const PLACES: usize = 3;

/// Suggestions for a person: documents that can be applied as they are, with what speaks for
/// them as comments.
#[must_use]
pub fn text(all: &[Suggestion], namespace: &str) -> String {
    let mut out = String::new();
    for told in all {
        one(told, namespace, &mut out);
    }
    out
}

/// So many of something.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Columns of a terminal.
const WIDTH: usize = 80;

/// A text on lines of a terminal's width, the first behind `head`, the others behind `rest`.
fn wrapped(head: &str, rest: &str, text: &str) -> String {
    let (mut out, mut width) = (head.to_owned(), head.chars().count());
    let mut is_first = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !is_first && width + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(rest);
            width = rest.chars().count();
        } else if !is_first {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
        is_first = false;
    }
    out.push('\n');
    out
}

fn one(told: &Suggestion, namespace: &str, out: &mut String) {
    let mut put = |text: std::fmt::Arguments<'_>| {
        // A String takes everything.
        _ = out.write_fmt(text);
    };
    let tag = match told.tag.as_str() {
        "" => String::new(),
        tag => format!(":{tag}"),
    };
    put(format_args!(
        "{HEAD}# {}{HEAD:#}\n",
        line(&format!("{}{tag}", told.image))
    ));
    for at in told.at.iter().filter(|at| *at != "<stdin>").take(PLACES) {
        put(format_args!("{DIM}#   {}{DIM:#}\n", line(at)));
    }
    let more = told.at.len().saturating_sub(PLACES);
    if more > 0 {
        put(format_args!(
            "{DIM}#   and {}{DIM:#}\n",
            count(more, "more place", "more places")
        ));
    }
    match (&told.why, told.tags) {
        _ if told.existing.is_some() => {
            let existing = told.existing.as_deref().unwrap_or_default();
            put(format_args!(
                "#   ImagePolicy `{}` accepts it: mark it with that\n",
                line(existing)
            ));
        }
        (Some(why), _) => put(format_args!("{BAD}#   {}{BAD:#}\n", line(why))),
        (None, None) => put(format_args!(
            "#   no tags are known, so that it was tried on `{}` alone\n",
            line(&told.tag)
        )),
        (None, Some(known)) => {
            let chooses = told.chooses.iter().map(|tag| line(tag).into_owned());
            let chooses: Vec<String> = chooses.collect();
            put(format_args!(
                "#   of {} it would choose, in this order: {}\n",
                count(known, "tag", "tags"),
                chooses.join(", ")
            ));
        }
    }
    if let Some(hint) = &told.hint {
        put(format_args!(
            "{}",
            wrapped("#   hint: ", "#     ", &line(hint))
        ));
    }
    let documents = told.documents(namespace);
    if !documents.is_empty() {
        put(format_args!(
            "---\n{}",
            crate::foreign::shown_lines(&documents)
        ));
    }
    put(format_args!("\n"));
}
