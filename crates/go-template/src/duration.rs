//! Go's `time.ParseDuration`: `90s`, `1m30s`, `1.5h`.

use std::time::Duration;

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write it as `90s`, `1m30s` or `168h`")]
pub struct BadDuration(String);

const UNITS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Reads a duration that is not negative.
///
/// # Errors
/// Where Go would refuse it, and for a negative one.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut nanos = 0.0;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let value: f64 = rest[..number].parse().map_err(|_| bad())?;
        rest = &rest[number..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (_, scale) = UNITS
            .iter()
            .find(|(name, _)| *name == &rest[..unit])
            .ok_or_else(bad)?;
        nanos += value * scale;
        rest = &rest[unit..];
    }
    // Go counts nanoseconds in 63 bits.
    if nanos >= 9.223_372_036_854_776e18 {
        return Err(bad());
    }
    Ok(Duration::from_secs_f64(nanos / 1e9))
}

/// Reads a duration of either sign, in nanoseconds.
///
/// # Errors
/// Where Go would refuse it.
pub fn parse_signed(text: &str) -> Result<i64, BadDuration> {
    let (sign, size) = match text.strip_prefix('-') {
        // Only one sign is taken.
        Some(size) if !size.starts_with('+') => (-1, size),
        _ => (1, text),
    };
    let size = parse(size).map_err(|_| BadDuration(text.to_owned()))?;
    let size = i64::try_from(size.as_nanos()).map_err(|_| BadDuration(text.to_owned()))?;
    Ok(sign * size)
}

/// Nanoseconds as `Duration.String` prints them: `1h0m5s`, `1.5s`, `20ms`.
#[must_use]
pub fn print(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let decimal = |unit: u64, places: usize| {
        let fraction = format!("{:0places$}", size % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{fraction}", size / unit)
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => decimal(1_000, 3) + "µs",
        1_000_000..1_000_000_000 => decimal(1_000_000, 6) + "ms",
        _ => {
            let minutes = size / 60_000_000_000;
            let rest = size % 60_000_000_000;
            let fraction = format!("{:09}", rest % 1_000_000_000);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            let seconds = format!("{}{point}{fraction}s", rest / 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of Go's own documentation of `ParseDuration`, and its refusals.
    #[test]
    fn as_go_reads_them() {
        for (text, seconds) in [
            ("0", 0.0),
            ("5s", 5.0),
            ("+5s", 5.0),
            ("1478s", 1478.0),
            (".5s", 0.5),
            ("1.5h", 5400.0),
            ("1h15m30.918s", 4530.918),
            ("12h", 43_200.0),
            ("11us", 11e-6),
            ("11µs", 11e-6),
        ] {
            let read = parse(text).expect(text).as_secs_f64();
            assert!((read - seconds).abs() < 1e-9, "{text}: {read}");
        }
        for text in [
            "",
            "3",
            "-5s",
            "s",
            ".",
            "1d",
            "5 s",
            "1h-5m",
            "+",
            "9223372036854775810ns",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
