//! `strconv.ParseFloat(s, 64)`: which texts are numbers in Go, and their value.
//!
//! Go takes hexadecimal floats (with a `p` exponent), single underscores
//! between digits, and `inf`, `infinity`, `nan` in any case; it refuses a value
//! too large for a 64-bit float, where Rust's parser answers infinity.

/// The value of `text`, or `None` where Go returns an error.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    if let Some(value) = special(text) {
        return Some(value);
    }
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'+' => (false, &text[1..]),
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    if unsigned.contains('_') && !underscores_separate_digits(unsigned) {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let value = match digits.get(..2) {
        Some("0x" | "0X") => hexadecimal(&digits[2..])?,
        _ => decimal(&digits)?,
    };
    value
        .is_finite()
        .then_some(if negative { -value } else { value })
}

fn special(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        "nan" => Some(f64::NAN),
        _ => None,
    }
}

/// Go's rule for numeric literals: an underscore stands between two digits, or
/// right after a base prefix.
pub(crate) fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let prefixed = matches!(bytes, [b'0', b'x' | b'X' | b'b' | b'B' | b'o' | b'O', ..]);
    let hexadecimal = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let is_digit = |b: u8| b.is_ascii_digit() || hexadecimal && b.is_ascii_hexdigit();
    let mut previous = if prefixed { b'0' } else { b'^' };
    for &byte in &bytes[if prefixed { 2 } else { 0 }..] {
        let class = match byte {
            b'_' => b'_',
            byte if is_digit(byte) => b'0',
            _ => b'!',
        };
        if class == b'_' && previous != b'0' || previous == b'_' && class != b'0' {
            return false;
        }
        previous = class;
    }
    previous != b'_'
}

fn decimal(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    // A second sign at the front is the only thing Rust would take and Go not.
    if !plain || text.starts_with(['+', '-']) {
        return None;
    }
    text.parse().ok()
}

/// `text` follows `0x`: digits with at most one point, then a binary exponent.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let unsigned = exponent.strip_prefix('-').unwrap_or(exponent);
    if unsigned.is_empty()
        || !unsigned.bytes().all(|b| b.is_ascii_digit())
        || exponent.starts_with("+")
    {
        return None;
    }
    // Beyond this every value is zero or out of range.
    let mut exponent: i64 = exponent.parse().unwrap_or(if exponent.starts_with('-') {
        -1_000_000
    } else {
        1_000_000
    });
    exponent = exponent.clamp(-1_000_000, 1_000_000);

    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u128 = 0;
    let mut sticky = false;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        if bits >> 100 == 0 {
            bits = bits << 4 | u128::from(digit);
            if index >= whole.len() {
                exponent -= 4;
            }
        } else {
            sticky |= digit != 0;
            if index < whole.len() {
                exponent += 4;
            }
        }
    }
    Some(scale(bits, sticky, exponent))
}

/// `bits × 2^exponent`, rounded to nearest, ties to even.
fn scale(bits: u128, sticky: bool, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let length = 128 - i64::from(bits.leading_zeros());
    // The lowest bit kept has this weight: 53 bits, or fewer when subnormal.
    let weight = (exponent + length - 53).max(-1074);
    let drop = weight - exponent;
    let kept = if drop <= 0 {
        bits << (-drop).min(60)
    } else if drop > 127 {
        0
    } else {
        let half = 1_u128 << (drop - 1);
        let lost = bits & ((half << 1) - 1);
        let kept = bits >> drop;
        let up = lost > half || lost == half && (sticky || kept & 1 == 1);
        kept + u128::from(up)
    };
    if weight > 1023 {
        return f64::INFINITY;
    }
    let step = |power: i64| 2_f64.powi(i32::try_from(power).unwrap_or(i32::MIN));
    // Two factors, since 2^-1074 times a 53-bit number passes through normals.
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 54 bits are kept, rounded above"
    )]
    let value = kept as f64;
    let half = weight / 2;
    value * step(half) * step(weight - half)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn hexadecimal_floats() {
        assert_eq!(parse("0x10p0"), Some(16.0));
        assert_eq!(parse("0x1.8p1"), Some(3.0));
        assert_eq!(parse("-0x1p-1074"), Some(-5e-324));
        assert_eq!(parse("0x1p-1076"), Some(0.0));
        assert_eq!(parse("0x1p1024"), None);
        assert_eq!(parse("0x_1p4"), Some(16.0));
        assert_eq!(parse("0x10"), None);
    }

    #[test]
    fn what_go_refuses() {
        for text in [
            "", " 1", "1__0", "_1", "1_", "1e400", "0b1", "1.2.3", "+nan", "--1", "1_e5", "١",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
