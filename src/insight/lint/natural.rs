//! The order in which a person would put tags.

use std::cmp::Ordering;

/// As a person counts: runs of digits as numbers, the rest by bytes.
pub(crate) fn naturally(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (pieces(a), pieces(b));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => {
                let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
                if is_number(a) && is_number(b) {
                    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                    a.len().cmp(&b.len()).then(a.cmp(b))
                } else {
                    a.cmp(b)
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The runs of digits of a text, and what is between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_digit = rest.chars().next()?.is_ascii_digit();
        let end = rest
            .find(|c: char| c.is_ascii_digit() != is_digit)
            .unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        assert!(naturally("build-9", "build-10").is_lt());
        assert!(naturally("1.10.0", "1.9.0").is_gt());
        assert!(naturally("007", "7").is_eq());
        assert!(naturally("a", "b").is_lt());
    }
}
