//! Regular expressions, in Go's syntax.

use super::super::budget::Fault;
use super::super::function::{Args, Function, Run, text};
use super::super::value::{List, TEXTS, Value};
use super::{lenient, strings};
use crate::functions;
use go_regexp::{Regex, Template};

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "regexFind" | "mustRegexFind": (String, String) => find;
    "regexFindAll" | "mustRegexFindAll": (String, String, Int) => find_all;
    "regexMatch": (String, String) => |run, args| lenient(is_match(run, args), Value::Bool(false));
    "mustRegexMatch": (String, String) => is_match;
    "regexQuoteMeta": (String) => quote_meta;
    "regexReplaceAll" | "mustRegexReplaceAll": (String, String, String) =>
        |run, args| replace(run, args, false);
    "regexReplaceAllLiteral" | "mustRegexReplaceAllLiteral": (String, String, String) =>
        |run, args| replace(run, args, true);
    "regexSplit" | "mustRegexSplit": (String, String, Int) => split;
};

fn is_match(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let regex = run.budget.regex(args.bytes(0))?;
    Ok(Value::Bool(regex.is_match(&args.text(1))))
}

fn quote_meta(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut out = Vec::new();
    for byte in args.bytes(0) {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    text(run, out)
}

/// Where the expression matches, at most so many times; of an empty match
/// right behind another, Go takes no notice.
fn spans(regex: &Regex, plain: &str, most: usize) -> Vec<(usize, usize)> {
    let mut scratch = regex.scratch();
    let mut found: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut last_end) = (0, None);
    while found.len() < most && at <= plain.len() {
        let Some(span) = regex
            .find_at(plain, at, &mut scratch)
            .map(|found| found.span())
        else {
            break;
        };
        let (start, end) = span;
        let is_empty_behind = end == at && Some(start) == last_end;
        at = if end == at { next(plain, at) } else { end };
        last_end = Some(end);
        if !is_empty_behind {
            found.push((start, end));
        }
    }
    found
}

/// The place behind the character at `at`.
fn next(plain: &str, at: usize) -> usize {
    let here = plain[at..].chars().next();
    at + here.map_or(1, char::len_utf8)
}

fn find(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let regex = run.budget.regex(args.bytes(0))?;
    let plain = args.text(1);
    let found = spans(&regex, &plain, 1);
    text(
        run,
        found
            .first()
            .map_or("", |(start, end)| &plain[*start..*end]),
    )
}

/// Go takes a negative number for all.
fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn find_all(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let regex = run.budget.regex(args.bytes(0))?;
    let plain = args.text(1);
    let found = spans(&regex, &plain, count(args.int(2)));
    if found.is_empty() {
        return Ok(Value::List(List::none(&TEXTS)));
    }
    run.budget.pay_product(found.len(), 32)?;
    strings::texts(
        found
            .iter()
            .map(|(start, end)| &plain.as_bytes()[*start..*end])
            .collect(),
    )
}

fn replace(run: &mut Run<'_>, args: &Args<'_>, is_literal: bool) -> Result<Value, Fault> {
    let regex = run.budget.regex(args.bytes(0))?;
    let (plain, new) = (args.text(1), args.text(2));
    let template = Template::new(&new);
    let mut scratch = regex.scratch();
    let mut out = String::new();
    let (mut at, mut last_end) = (0, 0);
    while at <= plain.len() {
        let Some(found) = regex.find_at(&plain, at, &mut scratch) else {
            break;
        };
        let (start, end) = found.span();
        out.push_str(&plain[last_end..start]);
        if end > last_end || start == 0 {
            if is_literal {
                out.push_str(&new);
            } else {
                out.push_str(&template.expand(&found));
            }
        }
        run.budget.charge(new.len() + 8)?;
        last_end = end;
        at = next(&plain, at).max(end);
    }
    out.push_str(&plain[last_end.min(plain.len())..]);
    text(run, out)
}

fn split(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let pattern = args.bytes(0);
    let regex = run.budget.regex(pattern)?;
    let plain = args.text(1);
    let most = count(args.int(2));
    if most == 0 {
        return Ok(Value::List(List::none(&TEXTS)));
    }
    if !pattern.is_empty() && plain.is_empty() {
        return strings::texts(vec![b""]);
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (start, stop) in spans(&regex, &plain, most) {
        if parts.len() + 1 == most {
            break;
        }
        end = start;
        if stop != 0 {
            parts.push(&plain.as_bytes()[begin..end]);
        }
        begin = stop;
    }
    if end != plain.len() {
        parts.push(&plain.as_bytes()[begin..]);
    }
    run.budget.pay_product(parts.len(), 32)?;
    strings::texts(parts)
}
