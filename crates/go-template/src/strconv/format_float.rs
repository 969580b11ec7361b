//! How Go prints floats: `strconv.FormatFloat`.
//!
//! Rust's own printing gives the same digits, shortest and exact; only the
//! layout differs.

/// A float by one of the verbs `b`, `e`, `E`, `f`, `g`, `G`, `x` and `X`. A precision of
/// `None` is for as many digits as tell the number from all others.
pub(crate) fn format(number: f64, verb: char, precision: Option<usize>) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb {
        'b' => binary(number),
        'e' => scientific(number, precision),
        'f' => fixed(number, precision),
        'x' => hexadecimal(number, precision),
        'E' => scientific(number, precision).to_uppercase(),
        'X' => hexadecimal(number, precision).to_uppercase(),
        'G' => general(number, precision).to_uppercase(),
        _ => general(number, precision),
    }
}

/// `%e`: one digit, a point, the rest, and an exponent of at least two digits.
fn scientific(number: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{number:.precision$e}"),
        None => format!("{number:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%f`: no exponent.
fn fixed(number: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{number:.precision$}"),
        None => format!("{number}"),
    }
}

/// `%g`: without an exponent, unless it is below -4 or large: of the precision
/// on, or without one, of 6 on.
fn general(number: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else {
        let exponent = exponent(&format!("{number:e}"));
        return if !(-4..6).contains(&exponent) {
            scientific(number, None)
        } else {
            fixed(number, None)
        };
    };
    let significant = precision.max(1);
    let rounded = format!("{number:.0$e}", significant - 1);
    let exponent = exponent(&rounded);
    let digits = rounded.split('e').next().unwrap_or_default();
    let kept = digits
        .chars()
        .filter(char::is_ascii_digit)
        .collect::<String>();
    let kept = kept.trim_end_matches('0').len().max(1);
    let limit = i32::try_from(significant).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= limit {
        scientific(number, Some(kept - 1))
    } else {
        let whole = usize::try_from(exponent + 1).unwrap_or(0);
        let places = if exponent >= 0 {
            kept.saturating_sub(whole)
        } else {
            kept + usize::try_from(-exponent - 1).unwrap_or(0)
        };
        let rounded: f64 = rounded.parse().unwrap_or(number);
        fixed(rounded, Some(places))
    }
}

/// `%x`: the mantissa in base 16, the exponent of 2 behind a `p`.
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(number);
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if mantissa == 0 {
        exponent = 0;
    } else {
        // One bit before the point, 52 behind.
        let shift = mantissa.leading_zeros() - 11;
        mantissa <<= shift;
        exponent += 52 - i64::from(shift);
    }
    if let Some(places) = precision.filter(|places| *places < 13) {
        let dropped = 52 - 4 * u32::try_from(places).unwrap_or(0);
        let (kept, rest) = (mantissa >> dropped, mantissa & ((1 << dropped) - 1));
        let half = 1 << (dropped - 1);
        let up = rest > half || rest == half && kept & 1 == 1;
        mantissa = (kept + u64::from(up)) << dropped;
        if mantissa >> 53 == 1 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(places) if places < 13 => digits[..places].to_owned(),
        Some(places) => format!("{digits:0<places$}"),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let (direction, size) = if exponent < 0 {
        ('-', -exponent)
    } else {
        ('+', exponent)
    };
    format!(
        "{sign}0x{}{point}{digits}p{direction}{size:02}",
        mantissa >> 52
    )
}

/// `%b`: the mantissa as a whole number, the exponent of 2 behind a `p`.
fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    let sign = if number.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// A whole number and the power of 2 that it is to be multiplied by.
fn parts(number: f64) -> (u64, i64) {
    let bits = number.to_bits();
    let (fraction, biased) = (
        bits & ((1 << 52) - 1),
        i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0),
    );
    if biased == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, biased - 1075)
    }
}

fn exponent(scientific: &str) -> i32 {
    let exponent = scientific.split_once('e').map(|(_, exponent)| exponent);
    exponent.and_then(|e| e.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn upper_case_is_for_digits_alone() {
        assert_eq!(format(1e21, 'E', None), "1E+21");
        for verb in ['E', 'G', 'X'] {
            assert_eq!(format(f64::NEG_INFINITY, verb, None), "-Inf");
            assert_eq!(format(f64::NAN, verb, None), "NaN");
        }
    }
}
