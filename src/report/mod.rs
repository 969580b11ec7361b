//! Views of an [`Outcome`]: what a person reads, and the Report of `-o json`.

pub mod json;
pub mod text;
