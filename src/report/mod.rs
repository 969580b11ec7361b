//! Views of an [`Outcome`](crate::plan::outcome::Outcome) and of what
//! registries said: what a person reads, the Report of `-o json`, patches and
//! texts for review, what CI systems read, and the documents that `scan` and
//! `resolve` print.

pub mod compare;
pub mod coverage;
pub mod explain;
mod fingerprint;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod lint;
pub mod markdown;
mod masked;
pub mod patch;
pub mod policies;
pub mod policy_change;
pub mod policy_test;
pub mod recorded_test;
pub mod results;
pub mod sarif;
pub mod snapshot;
pub mod stored;
pub mod suggest;
pub mod table;
pub mod text;
