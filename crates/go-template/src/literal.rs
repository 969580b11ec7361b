//! Go's literals: texts in double quotes and backquotes, characters, numbers.

use super::node::Number;
use crate::strconv;

/// What `strconv.Unquote` makes of a text in double quotes or backquotes.
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
pub(crate) fn number(text: &str) -> Result<Number, String> {
    let number = |int: Option<i64>, float: f64| Number {
        text: text.to_owned(),
        int,
        float,
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
        return Ok(number(Some(code.into()), code.into()));
    }
    if text.ends_with('i') && !text.starts_with("0x") {
        return Err(format!("imaginary numbers are not supported: {text}"));
    }
    if let Some(int) = signed(text) {
        return Ok(number(Some(int), int as f64));
    }
    if let Some(uint) = unsigned(text) {
        return Ok(number(None, uint as f64));
    }
    let Some(float) = strconv::parse_float(text) else {
        return Err(format!("illegal number syntax: {text:?}"));
    };
    if !text.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(format!("integer overflow: {text:?}"));
    }
    // A float that is whole is an integer, too.
    let int = Some(float as i64).filter(|int| *int as f64 == float);
    Ok(number(int, float))
}

/// `strconv.ParseInt` with base 0.
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
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    // A sign is what Rust would take here.
    if digits.starts_with('+') || !strconv::underscores_separate_digits(text) {
        return None;
    }
    u64::from_str_radix(&digits.replace('_', ""), radix).ok()
}
