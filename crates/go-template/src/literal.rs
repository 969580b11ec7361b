//! Go's literals: texts in double quotes and backquotes, characters, numbers.

use super::node::Number;
use crate::strconv;

/// What `strconv.Unquote` makes of a text in double quotes or backquotes.
///
/// # Errors
/// A bad escape.
pub(crate) fn text(quoted: &str) -> Result<Vec<u8>, String> {
    if let Some(raw) = quoted.strip_prefix('`') {
        let raw = raw.strip_suffix('`').unwrap_or(raw);
        return Ok(raw.replace('\r', "").into_bytes());
    }
    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    let mut rest = inner.ok_or("invalid syntax")?;
    let mut value = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, after) = unit(rest, '"').ok_or("invalid syntax")?;
        unit.append_to(&mut value);
        rest = after;
    }
    Ok(value)
}

/// One character or byte of a literal.
enum Unit {
    Char(char),
    Byte(u8),
}

impl Unit {
    fn append_to(&self, value: &mut Vec<u8>) {
        match self {
            Self::Char(c) => value.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            Self::Byte(byte) => value.push(*byte),
        }
    }
}

/// The first unit of a text, and what is behind it.
fn unit(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    match chars.next()? {
        '\n' => return None,
        c if c == quote => return None,
        '\\' => {}
        c => return Some((Unit::Char(c), chars.as_str())),
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let digits = |count: usize, radix: u32| {
        let digits = rest.get(..count)?;
        let is_sound = digits.chars().all(|c| c.is_digit(radix));
        let number = is_sound.then(|| u32::from_str_radix(digits, radix).ok())??;
        Some((number, &rest[count..]))
    };
    let simple = |c: char| Some((Unit::Char(c), rest));
    match escape {
        'a' => simple('\x07'),
        'b' => simple('\x08'),
        'f' => simple('\x0c'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0b'),
        '\\' => simple('\\'),
        c @ ('\'' | '"') => (c == quote).then_some((Unit::Char(c), rest)),
        'x' => {
            let (number, rest) = digits(2, 16)?;
            Some((Unit::Byte(u8::try_from(number).ok()?), rest))
        }
        'u' | 'U' => {
            let (number, rest) = digits(if escape == 'u' { 4 } else { 8 }, 16)?;
            Some((Unit::Char(char::from_u32(number)?), rest))
        }
        '0'..='7' => {
            let octal = text.get(1..4)?;
            let is_sound = octal.chars().all(|c| c.is_digit(8));
            let number = is_sound.then(|| u32::from_str_radix(octal, 8).ok())??;
            Some((Unit::Byte(u8::try_from(number).ok()?), &text[4..]))
        }
        _ => None,
    }
}

/// A constant: a character, an integer in any base, or a float.
///
/// # Errors
/// What is none, does not fit, or is imaginary.
pub(crate) fn number(text: &str) -> Result<Number, String> {
    let mut number = Number {
        text: text.to_owned(),
        int: None,
        uint: None,
        float: None,
    };
    if let Some(inner) = text.strip_prefix('\'') {
        let fault = || format!("malformed character constant: {text}");
        let (unit, rest) = unit(inner, '\'').ok_or_else(fault)?;
        if rest != "'" {
            return Err(fault());
        }
        let code = match unit {
            Unit::Char(c) => u32::from(c),
            Unit::Byte(byte) => u32::from(byte),
        };
        number.int = Some(code.into());
        number.uint = Some(code.into());
        number.float = Some(code.into());
        return Ok(number);
    }
    if text.ends_with('i') && !text.starts_with("0x") {
        return Err(format!("imaginary numbers are not supported: {text}"));
    }
    number.uint = unsigned(text);
    number.int = signed(text);
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    match (number.int, number.uint) {
        (Some(int), _) => number.float = Some(int as f64),
        (None, Some(uint)) => number.float = Some(uint as f64),
        (None, None) => float_of(text, &mut number)?,
    }
    if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
        return Err(format!("illegal number syntax: {text:?}"));
    }
    Ok(number)
}

fn float_of(text: &str, number: &mut Number) -> Result<(), String> {
    let Some(value) = strconv::parse_float(text) else {
        return Ok(());
    };
    if !text.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(format!("integer overflow: {text:?}"));
    }
    number.float = Some(value);
    // A float that is whole is an integer, too.
    if value == (value as i64) as f64 {
        number.int = Some(value as i64);
    }
    if value == (value as u64) as f64 {
        number.uint = Some(value as u64);
    }
    Ok(())
}

/// `strconv.ParseInt` with base 0.
#[must_use]
pub(crate) fn signed(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = unsigned(digits)?;
    if is_negative {
        0_i64.checked_sub_unsigned(number)
    } else {
        i64::try_from(number).ok()
    }
}

/// `strconv.ParseUint` with base 0: a prefix says the base, and `_` may stand
/// between digits and behind the prefix.
#[must_use]
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &text[2..]),
        [b'0', b'b', ..] => (2, &text[2..]),
        [b'0', b'o', ..] => (8, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    let has_prefix = digits.len() != text.len();
    let mut before = if has_prefix { '0' } else { '_' };
    for c in digits.chars() {
        let is_sound = match c {
            '_' => before != '_',
            c => c.is_digit(radix),
        };
        if !is_sound {
            return None;
        }
        before = c;
    }
    if before == '_' || digits.is_empty() {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}
