//! `order` of alphabetical and numerical policies.

use super::InvalidPolicy;

/// Which end of the order is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The greatest is the latest (`asc`, and the default).
    Ascending,
    /// The smallest is the latest (`desc`).
    Descending,
}

impl Order {
    /// Reads `order` as Flux does: upper-cased first, nothing trimmed.
    ///
    /// # Errors
    /// Any word but ASC, DESC and none.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        match text.to_uppercase().as_str() {
            "" | "ASC" => Ok(Self::Ascending),
            "DESC" => Ok(Self::Descending),
            upper => Err(InvalidPolicy::Order(upper.to_owned())),
        }
    }
}
