//! How much is to be covered at least.

use std::str::FromStr;

use super::Summary;

/// A share in millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum(u32);

/// One percent.
const ONE: u32 = 1_000_000;

impl FromStr for Minimum {
    type Err = String;

    /// Reads `80`, `80%` or `79.5%`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no share: write it as 80% or 79.5%, up to 100%");
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !is_number(whole) || !is_number(part) {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let part: u32 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
        let share = whole.checked_mul(ONE).and_then(|it| it.checked_add(part));
        let share = share.filter(|it| *it <= 100 * ONE).ok_or_else(wrong)?;
        Ok(Self(share))
    }
}

impl Minimum {
    /// Whether this much is covered; of no images everything is.
    #[must_use]
    pub fn is_met(self, summary: &Summary) -> bool {
        let (covered, total) = (summary.covered as u128, summary.total as u128);
        covered * u128::from(100 * ONE) >= total * u128::from(self.0)
    }
}

impl std::fmt::Display for Minimum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        match part {
            0 => write!(f, "{whole}%"),
            part => write!(f, "{whole}.{}%", format!("{part:06}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        for (text, shown) in [
            ("80%", "80%"),
            ("0", "0%"),
            ("79.5%", "79.5%"),
            ("33.33", "33.33%"),
            ("35.4167%", "35.4167%"),
        ] {
            let read: Minimum = text.parse().expect(text);
            assert_eq!(read.to_string(), shown);
        }
        for text in ["", "%", "101%", "-1", "80.1234567", "a", "100.01%"] {
            assert!(text.parse::<Minimum>().is_err(), "{text}");
        }
        let of = |covered, total| Summary {
            covered,
            total,
            ..Summary::default()
        };
        let least = |text: &str| text.parse::<Minimum>().expect(text);
        assert!(least("33.33").is_met(&of(1, 3)));
        assert!(!least("33.34").is_met(&of(1, 3)));
        assert!(least("100").is_met(&of(0, 0)));
        assert!(!least("100").is_met(&of(9_999, 10_000)));
    }
}
