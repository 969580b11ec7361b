//! Texts: cut, joined, padded, quoted. Positions are bytes, as in Go.

use super::super::budget::{Budget, Fault};
use super::super::fmt;
use super::super::function::{Args, Function, Run, text};
use super::super::value::{Entries, Key, List, Map, TEXT_MAP, TEXTS, Value};
use super::case;
use crate::{functions, unicode};
use memchr::memmem;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "abbrev": (Int, String) => abbrev;
    "abbrevboth": (Int, Int, String) => abbrev_both;
    "camelcase": (String) => |run, args| text(run, case::pascal(&args.text(0)));
    "cat": (...Any) => |run, args| joined(run, args, <[u8]>::to_vec);
    "contains": (String, String) =>
        |_, args| Ok(Value::Bool(memmem::find(args.bytes(1), args.bytes(0)).is_some()));
    "hasPrefix": (String, String) =>
        |_, args| Ok(Value::Bool(args.bytes(1).starts_with(args.bytes(0))));
    "hasSuffix": (String, String) =>
        |_, args| Ok(Value::Bool(args.bytes(1).ends_with(args.bytes(0))));
    "hello": () => |_, _| Ok(Value::text("Hello!"));
    "indent": (Int, String) => |run, args| indent(run, args, "");
    "nindent": (Int, String) => |run, args| indent(run, args, "\n");
    "initials": (String) => |run, args| text(run, case::initials(args.bytes(0)));
    "join": (String, Any) => join;
    "kebabcase": (String) => |run, args| text(run, case::lower(&args.text(0), '-'));
    "lower": (String) => |run, args| text(run, case::map(&args.text(0), unicode::to_lower));
    "nospace": (String) => |run, args| text(run, case::without_space(args.bytes(0)));
    "plural": (String, String, Int) =>
        |_, args| Ok(args.any(if args.int(2) == 1 { 0 } else { 1 }).clone());
    "quote": (...Any) => |run, args| joined(run, args, |text| fmt::quote(text).into_bytes());
    "repeat": (Int, String) => repeat;
    "replace": (String, String, String) => replace;
    "snakecase": (String) => |run, args| text(run, case::lower(&args.text(0), '_'));
    "split": (String, String) =>
        |_, args| Ok(numbered(&split(args.bytes(1), args.bytes(0), None)));
    "splitList": (String, String) => |_, args| texts(split(args.bytes(1), args.bytes(0), None));
    "splitn": (String, Int, String) => splitn;
    "squote": (...Any) => |run, args| joined(run, args, |text| [b"'", text, b"'"].concat());
    "substr": (Int, Int, String) => substr;
    "swapcase": (String) => |run, args| text(run, case::swap(&args.text(0)));
    "title": (String) => |run, args| text(run, case::title(&args.text(0)));
    "toString": (Any) => |run, args| Ok(Value::bytes(&fmt::print(run.budget, args.any(0))?));
    "toStrings": (Any) => to_strings;
    "trim": (String) =>
        |run, args| text(run, trimmed(args.bytes(0), char::is_whitespace, true, true));
    "trimAll" | "trimall": (String, String) => trim_all;
    "trimPrefix": (String, String) => trim_prefix;
    "trimSuffix": (String, String) => trim_suffix;
    "trunc": (Int, String) => trunc;
    "untitle": (String) => |run, args| text(run, case::untitle(&args.text(0)));
    "upper": (String) => |run, args| text(run, case::map(&args.text(0), unicode::to_upper));
    "wrap": (Int, String) => |run, args| wrapped(run, args.bytes(1), args.int(0), b"\n", false);
    "wrapWith": (Int, String, String) => wrap_with;
};

/// A `[]string`, which is never nested too deep.
pub(super) fn texts(parts: Vec<&[u8]>) -> Result<Value, Fault> {
    let items = parts.into_iter().map(Value::bytes).collect();
    Ok(Value::List(List::new(&TEXTS, items)?))
}

/// `{_0: …, _1: …}`
fn numbered(parts: &[&[u8]]) -> Value {
    let entries: Entries = (0..)
        .zip(parts)
        .map(|(index, part)| (Key::text(format!("_{index}")), Value::bytes(part)))
        .collect();
    Value::Map(Map::new(&TEXT_MAP, entries))
}

/// What `strings.SplitN` gives; `most` is `None` for all parts.
fn split<'t>(plain: &'t [u8], by: &[u8], most: Option<usize>) -> Vec<&'t [u8]> {
    let most = most.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    if most == 0 {
        return parts;
    }
    let mut rest = plain;
    if by.is_empty() {
        while let Some((_, length)) = fmt::decode(rest) {
            if parts.len() + 1 == most {
                parts.push(rest);
                return parts;
            }
            parts.push(&rest[..length]);
            rest = &rest[length..];
        }
        return parts;
    }
    let finder = memmem::Finder::new(by);
    while parts.len() + 1 < most
        && let Some(at) = finder.find(rest)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + by.len()..];
    }
    parts.push(rest);
    parts
}

fn splitn(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let most = usize::try_from(args.int(1)).ok();
    Ok(numbered(&split(args.bytes(2), args.bytes(0), most)))
}

fn replace(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (old, new, plain) = (args.bytes(0), args.bytes(1), args.bytes(2));
    let mut parts = split(plain, old, None);
    run.budget.pay_product(parts.len(), new.len())?;
    // Without a text to look for, one goes before and behind each character.
    if old.is_empty() {
        parts.insert(0, b"");
        parts.push(b"");
    }
    text(run, parts.join(new))
}

/// What is not nil, printed and made something of.
fn each(
    budget: &mut Budget,
    values: &[Value],
    make: impl Fn(&[u8]) -> Vec<u8>,
) -> Result<Vec<Vec<u8>>, Fault> {
    let values = values.iter().filter(|value| !value.is_nothing());
    values
        .map(|value| Ok(make(&fmt::print(budget, value)?)))
        .collect()
}

/// What [`each`] makes, with blanks between.
fn joined(run: &mut Run<'_>, args: &Args<'_>, make: fn(&[u8]) -> Vec<u8>) -> Result<Value, Fault> {
    let made = each(run.budget, args.0, make)?;
    text(run, made.join(&b" "[..]))
}

/// The elements of a list as texts; of what is not a list, itself.
pub(super) fn strings(budget: &mut Budget, value: &Value) -> Result<Vec<Vec<u8>>, Fault> {
    match value {
        Value::List(list) => each(budget, &list.items, <[u8]>::to_vec),
        value => each(budget, std::slice::from_ref(value), <[u8]>::to_vec),
    }
}

fn to_strings(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let strings = strings(run.budget, args.any(0))?;
    texts(strings.iter().map(Vec::as_slice).collect())
}

fn join(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let strings = strings(run.budget, args.any(1))?;
    run.budget.pay_product(strings.len(), args.bytes(0).len())?;
    text(run, strings.join(args.bytes(0)))
}

fn indent(run: &mut Run<'_>, args: &Args<'_>, before: &str) -> Result<Value, Fault> {
    let plain = args.bytes(1);
    let count = usize::try_from(args.int(0)).map_err(|_| "strings: negative Repeat count")?;
    let lines = memchr::memchr_iter(b'\n', plain).count() + 1;
    run.budget.pay_product(lines, count)?;
    let pad = vec![b' '; count];
    let mut out = before.as_bytes().to_vec();
    for (index, line) in plain.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend(&pad);
        out.extend(line);
    }
    text(run, out)
}

fn repeat(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let count = usize::try_from(args.int(0)).map_err(|_| "strings: negative Repeat count")?;
    run.budget.pay_product(args.bytes(1).len(), count)?;
    Ok(Value::bytes(&args.bytes(1).repeat(count)))
}

fn substr(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (start, end, plain) = (args.int(0), args.int(1), args.bytes(2));
    let at = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let part = if start < 0 {
        plain.get(..at(end))
    } else if end < 0 || at(end) > plain.len() {
        plain.get(at(start)..)
    } else {
        plain.get(at(start)..at(end))
    };
    text(run, part.ok_or("runtime error: slice bounds out of range")?)
}

fn trunc(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (count, plain) = (args.int(0), args.bytes(1));
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    text(
        run,
        match count {
            count if count < 0 && plain.len() > size => &plain[plain.len() - size..],
            count if count >= 0 && plain.len() > size => &plain[..size],
            _ => plain,
        },
    )
}

fn trim_all(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let set: Vec<char> = fmt::chars(args.bytes(0)).map(|(c, _)| c).collect();
    run.budget.pay_product(set.len(), args.bytes(1).len())?;
    text(
        run,
        trimmed(args.bytes(1), |c| set.contains(&c), true, true),
    )
}

fn trim_prefix(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let plain = args.bytes(1);
    text(run, plain.strip_prefix(args.bytes(0)).unwrap_or(plain))
}

fn trim_suffix(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let plain = args.bytes(1);
    text(run, plain.strip_suffix(args.bytes(0)).unwrap_or(plain))
}

/// A text without the wanted characters at its ends.
pub(super) fn trimmed(
    mut plain: &[u8],
    wanted: impl Fn(char) -> bool,
    at_start: bool,
    at_end: bool,
) -> &[u8] {
    while at_start
        && let Some((c, length)) = fmt::decode(plain)
        && wanted(c)
    {
        plain = &plain[length..];
    }
    while at_end && !plain.is_empty() {
        let first = (1..=plain.len().min(4)).find_map(|length| {
            let last = &plain[plain.len() - length..];
            let (c, whole) = fmt::decode(last)?;
            (whole == length && (length > 1 || c.is_ascii())).then_some((c, length))
        });
        let (c, length) = first.unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        if !wanted(c) {
            break;
        }
        plain = &plain[..plain.len() - length];
    }
    plain
}

fn abbrev(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (width, plain) = (args.int(0), args.bytes(1));
    text(run, abbreviated(0, width, plain, width < 4))
}

fn abbrev_both(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (left, right, plain) = (args.int(0), args.int(1), args.bytes(2));
    let as_is = right < 4 || left > 0 && right < 7;
    text(run, abbreviated(left, right, plain, as_is))
}

/// `goutils.AbbreviateFull`; `as_is` where it is not asked.
fn abbreviated(offset: i64, width: i64, plain: &[u8], as_is: bool) -> Vec<u8> {
    let length = i64::try_from(plain.len()).unwrap_or(i64::MAX);
    if as_is || length <= width {
        return plain.to_vec();
    }
    let at = |number: i64| usize::try_from(number.clamp(0, length)).unwrap_or(0);
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [&plain[..at(width - 3)], b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        let rest = abbreviated(0, width - 3, &plain[at(offset)..], false);
        return [&b"..."[..], &rest].concat();
    }
    [b"...", &plain[at(length - (width - 3))..]].concat()
}

fn wrap_with(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let line = match args.bytes(1) {
        b"" => b"\n",
        line => line,
    };
    wrapped(run, args.bytes(2), args.int(0), line, true)
}

/// `goutils.WrapCustom`: lines of at most `width` bytes, cut at blanks.
fn wrapped(
    run: &mut Run<'_>,
    plain: &[u8],
    width: i64,
    line: &[u8],
    cuts_words: bool,
) -> Result<Value, Fault> {
    let width = usize::try_from(width.max(1)).unwrap_or(1);
    run.budget
        .pay_product(plain.len() / width + 1, line.len())?;
    let mut out = Vec::with_capacity(plain.len());
    let mut rest = plain;
    while rest.len() > width {
        run.budget.charge(width.min(rest.len()))?;
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let (end, skipped) = if let Some(blank) = memchr::memrchr(b' ', &rest[..=width]) {
            (blank, 1)
        } else if cuts_words {
            (width, 0)
        } else if let Some(blank) = memchr::memchr(b' ', &rest[width..]) {
            (width + blank, 1)
        } else {
            break;
        };
        out.extend(&rest[..end]);
        out.extend(line);
        rest = &rest[end + skipped..];
    }
    out.extend(rest);
    text(run, out)
}
