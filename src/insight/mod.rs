//! Why things are as they are: what is known of a run, told for people who ask.
//!
//! Nothing here chooses or edits. The choice is [`policy`](crate::policy)'s, the edits
//! are [`plan`](crate::plan)'s; these modules take apart what came of them.

pub mod compare;
pub mod coverage;
pub mod explain;
pub mod given_tags;
pub mod lint;
pub mod policy_test;
pub mod suggest;
pub mod tables;
pub mod tag_scheme;
pub mod trial;
pub mod uses;
