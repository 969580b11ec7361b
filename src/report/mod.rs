//! Views of an [`Outcome`](crate::update::outcome::Outcome): what a person
//! reads, and the Report of `-o json`.

pub mod json;
pub mod results;
pub mod text;
