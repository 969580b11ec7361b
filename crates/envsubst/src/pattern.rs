//! Go's `path.Match`, with a `*` that matches `/`, too.

use std::str;

use crate::Error;

/// The first character of a text and its width. What is no UTF-8 is one byte, and
/// counts as U+FFFD; the text is not empty.
pub(crate) fn first(text: &[u8]) -> (char, usize) {
    let most = &text[..text.len().min(4)];
    let valid = match str::from_utf8(most) {
        Ok(valid) => valid,
        Err(error) => str::from_utf8(&most[..error.valid_up_to()]).unwrap_or_default(),
    };
    let c = valid.chars().next();
    c.map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8()))
}

/// Whether a pattern matches the whole of a text; `None` where the pattern is none.
pub(crate) fn matches(
    mut pattern: &[u8],
    mut text: &[u8],
    steps: &mut usize,
) -> Result<Option<bool>, Error> {
    'pattern: while !pattern.is_empty() {
        let (is_star, chunk, rest) = chunk(pattern);
        pattern = rest;
        if is_star && chunk.is_empty() {
            return Ok(Some(true));
        }
        let is_last = pattern.is_empty();
        let Some(found) = match_chunk(chunk, text, steps)? else {
            return Ok(None);
        };
        if let Some(left) = found.filter(|left| left.is_empty() || !is_last) {
            text = left;
            continue;
        }
        if is_star {
            for at in 1..=text.len() {
                let Some(found) = match_chunk(chunk, &text[at..], steps)? else {
                    return Ok(None);
                };
                if let Some(left) = found.filter(|left| left.is_empty() || !is_last) {
                    text = left;
                    continue 'pattern;
                }
            }
        }
        return Ok(Some(false));
    }
    Ok(Some(text.is_empty()))
}

/// Whether a `*` comes first, what comes up to the next one, and the rest.
fn chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut is_in_class = false;
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => is_in_class = true,
            b']' => is_in_class = false,
            b'*' if !is_in_class => break,
            _ => {}
        }
        at += 1;
    }
    let (chunk, rest) = pattern.split_at(at);
    (stars > 0, chunk, rest)
}

/// What is left of a text behind a chunk that it begins with: `None` where the chunk
/// is no pattern, as far as it was looked at.
fn match_chunk<'t>(
    mut chunk: &[u8],
    mut text: &'t [u8],
    steps: &mut usize,
) -> Result<Option<Option<&'t [u8]>>, Error> {
    *steps = steps.checked_sub(1).ok_or(Error::TooLarge)?;
    while let Some(byte) = chunk.first() {
        *steps = steps.checked_sub(1).ok_or(Error::TooLarge)?;
        if text.is_empty() {
            return Ok(Some(None));
        }
        match byte {
            b'[' => {
                let (c, width) = first(text);
                text = &text[width..];
                let Some((fits, rest)) = class(&chunk[1..], c) else {
                    return Ok(None);
                };
                if !fits {
                    return Ok(Some(None));
                }
                chunk = rest;
            }
            b'?' => {
                text = &text[first(text).1..];
                chunk = &chunk[1..];
            }
            byte => {
                let mut byte = byte;
                if *byte == b'\\' {
                    chunk = &chunk[1..];
                    let Some(escaped) = chunk.first() else {
                        return Ok(None);
                    };
                    byte = escaped;
                }
                if *byte != text[0] {
                    return Ok(Some(None));
                }
                text = &text[1..];
                chunk = &chunk[1..];
            }
        }
    }
    Ok(Some(Some(text)))
}

/// Whether a character is in a class, and what stands behind it; `None` where it is
/// none.
fn class(mut chunk: &[u8], c: char) -> Option<(bool, &[u8])> {
    let is_negated = chunk.first() == Some(&b'^');
    if is_negated {
        chunk = &chunk[1..];
    }
    let mut is_in = false;
    let mut ranges = 0;
    loop {
        if chunk.first() == Some(&b']') && ranges > 0 {
            return Some((is_in != is_negated, &chunk[1..]));
        }
        let (low, rest) = member(chunk)?;
        let mut high = low;
        chunk = rest;
        if chunk.first() == Some(&b'-') {
            (high, chunk) = member(&chunk[1..])?;
        }
        is_in |= low <= c && c <= high;
        ranges += 1;
    }
}

/// A character of a class, and what stands behind it, where something does.
fn member(chunk: &[u8]) -> Option<(char, &[u8])> {
    let chunk = match chunk.first()? {
        b'-' | b']' => return None,
        b'\\' => &chunk[1..],
        _ => chunk,
    };
    chunk.first()?;
    let (c, width) = first(chunk);
    if c == char::REPLACEMENT_CHARACTER && width == 1 {
        return None;
    }
    let rest = &chunk[width..];
    (!rest.is_empty()).then_some((c, rest))
}
