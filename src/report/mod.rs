//! Views of an [`Outcome`](crate::update::outcome::Outcome) and of what
//! registries said: what a person reads, the Report of `-o json`, and the
//! documents that `scan` and `resolve` print.

pub mod json;
pub mod policies;
pub mod results;
pub mod snapshot;
pub mod table;
pub mod text;
