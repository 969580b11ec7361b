//! Which tag a policy chooses: image-reflector-controller's rules, pure.
//!
//! A [`Policy`] is made from `spec.policy` and `spec.filterTags`; [`Policy::select`]
//! takes the tags in the order in which Flux stores them (bytewise descending)
//! and answers with a tag or with the one reason why there is none. Where Go
//! walks a map in random order, candidates are taken in bytewise descending
//! order of the original tag, so the same input has the same answer.

pub mod exclusion;
mod filter;
pub mod funnel;
pub mod reflect;
pub mod select;

pub use filter::{Candidate, Filter};
pub use select::{Choice, ChosenNothing, InvalidPolicy, Order, Policy};
