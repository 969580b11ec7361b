//! Go's `strconv`, for floating-point numbers: how they are read, and printed.

mod format_float;
mod parse_float;

pub(crate) use format_float::format;
pub use parse_float::parse as parse_float;
pub(crate) use parse_float::underscores_separate_digits;
