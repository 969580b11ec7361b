//! Numerical order: every value must be a number in Go's eyes.

use super::{ChosenNothing, Order};
use go_template::strconv;

/// The position of the latest value. Of equals the last is chosen, and a NaN
/// takes the lead and loses it to whatever follows, as in Flux.
///
/// # Errors
/// The first value that is not a number.
pub(super) fn latest<'v>(
    values: impl Iterator<Item = &'v str>,
    order: Order,
) -> Result<Option<usize>, ChosenNothing> {
    let mut best: Option<(usize, f64)> = None;
    for (index, text) in values.enumerate() {
        let value = strconv::parse_float(text).ok_or_else(|| ChosenNothing::NotNumeric {
            value: text.to_owned(),
        })?;
        let keeps = best.is_some_and(|(_, best)| match order {
            Order::Ascending => best > value,
            Order::Descending => best < value,
        });
        if !keeps {
            best = Some((index, value));
        }
    }
    Ok(best.map(|(index, _)| index))
}
