//! What is done with a value.

use std::str;

use crate::Error;
use crate::pattern;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// The value, or, where it is empty, the arguments.
    Default,
    /// Nothing: the value as it is.
    Value,
    Length,
    LowerFirst,
    Lower,
    UpperFirst,
    Upper,
    Part,
    ReplaceFirst,
    ReplaceAll,
    ReplacePrefix,
    ReplaceSuffix,
    CutShortestPrefix,
    CutLongestPrefix,
    CutShortestSuffix,
    CutLongestSuffix,
}

impl Function {
    /// What it makes of a value.
    pub(crate) fn apply(
        self,
        value: &[u8],
        arguments: &[Vec<u8>],
        steps: &mut usize,
    ) -> Result<Vec<u8>, Error> {
        let first = arguments.first().map_or(&[][..], Vec::as_slice);
        let second = arguments.get(1).map_or(&[][..], Vec::as_slice);
        Ok(match self {
            Self::Value => value.to_vec(),
            Self::Default if value.is_empty() => arguments.concat(),
            Self::Default => value.to_vec(),
            Self::Length => value.len().to_string().into_bytes(),
            Self::Lower => mapped(value, usize::MAX, lower),
            Self::LowerFirst => mapped(value, 1, lower),
            Self::Upper => mapped(value, usize::MAX, upper),
            Self::UpperFirst => mapped(value, 1, upper),
            Self::Part => part(value, arguments)?,
            Self::ReplaceFirst => replaced(value, first, second, 1, steps)?,
            Self::ReplaceAll => replaced(value, first, second, usize::MAX, steps)?,
            // Without a replacement the library leaves the value alone.
            Self::ReplacePrefix | Self::ReplaceSuffix if arguments.len() != 2 => value.to_vec(),
            Self::ReplacePrefix => match value.strip_prefix(first) {
                Some(rest) => [second, rest].concat(),
                None => value.to_vec(),
            },
            Self::ReplaceSuffix => match value.strip_suffix(first) {
                Some(rest) => [rest, second].concat(),
                None => value.to_vec(),
            },
            Self::CutShortestPrefix => cut(value, first, Cut::Shortest, steps)?,
            Self::CutLongestPrefix => cut(value, first, Cut::Longest, steps)?,
            Self::CutShortestSuffix => {
                let made = cut(&reversed(value), &reversed(first), Cut::Shortest, steps)?;
                reversed(&made)
            }
            Self::CutLongestSuffix => {
                let made = cut(&reversed(value), &reversed(first), Cut::Longest, steps)?;
                reversed(&made)
            }
        })
    }
}

/// The first `count` characters, mapped, and the others.
fn mapped(value: &[u8], count: usize, map: fn(char) -> char) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let map = |(at, c)| if at < count { map(c) } else { c };
    let made: String = text.chars().enumerate().map(map).collect();
    made.into_bytes()
}

/// Go maps a character to one character.
fn lower(c: char) -> char {
    match c {
        'İ' => 'i',
        c => only(c.to_lowercase(), c),
    }
}

fn upper(c: char) -> char {
    only(c.to_uppercase(), c)
}

fn only(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// A number as Go's `strconv.Atoi` reads it.
fn number(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// The bytes from an offset on, so many or all. What is no number changes nothing.
fn part(value: &[u8], arguments: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let Some(offset) = arguments.first().and_then(|text| number(text)) else {
        return Ok(value.to_vec());
    };
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let from = if offset < 0 {
        (size.saturating_add(offset)).max(0)
    } else {
        offset
    };
    let to = match arguments.get(1) {
        None => size,
        Some(length) => match number(length) {
            None => return Ok(value.to_vec()),
            Some(length) => from.wrapping_add(length),
        },
    };
    let at = |number: i64| usize::try_from(number).ok();
    if to >= size {
        let rest = at(from).and_then(|from| value.get(from..));
        return Ok(rest.unwrap_or_default().to_vec());
    }
    let range = at(from).zip(at(to));
    let part = range.and_then(|(from, to)| value.get(from..to));
    // There Flux's controller would panic.
    part.map(<[u8]>::to_vec).ok_or(Error::NegativeLength)
}

/// As Go's `strings.Replace`: an empty text is found before each character and at
/// the end.
fn replaced(
    value: &[u8],
    old: &[u8],
    new: &[u8],
    most: usize,
    steps: &mut usize,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut rest = value;
    let mut count = 0;
    let mut is_first = true;
    while count < most {
        let before = if old.is_empty() {
            // Behind the first match comes a character.
            let width = if is_first { 0 } else { width(rest) };
            (is_first || !rest.is_empty()).then_some(width)
        } else {
            find(rest, old)
        };
        is_first = false;
        let Some(before) = before else { break };
        out.extend(&rest[..before]);
        out.extend(new);
        rest = &rest[before + old.len()..];
        count += 1;
        *steps = (steps.checked_sub(before + new.len() + 1)).ok_or(Error::TooLarge)?;
    }
    out.extend(rest);
    Ok(out)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// How many bytes the first character has; one that is none has one.
fn width(text: &[u8]) -> usize {
    pattern::first(text).1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Shortest,
    Longest,
}

/// A value without what a pattern matches at its front. Nothing that is empty is
/// tried.
fn cut(value: &[u8], pattern: &[u8], which: Cut, steps: &mut usize) -> Result<Vec<u8>, Error> {
    let mut length = None;
    for end in (1..=value.len()).rev() {
        match pattern::matches(pattern, &value[..end], steps)? {
            // A pattern that is none.
            None => return Ok(value.to_vec()),
            Some(true) => {
                length = Some(end);
                if which == Cut::Longest {
                    break;
                }
            }
            Some(false) => {}
        }
    }
    Ok(value[length.unwrap_or(0)..].to_vec())
}

fn reversed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut characters = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (c, width) = pattern::first(rest);
        characters.push(c);
        rest = &rest[width..];
    }
    for c in characters.into_iter().rev() {
        out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out
}
