//! Why things are as they are: what is known of a run, told for people who ask.
//!
//! Nothing here chooses or edits. The choice is [`policy`](crate::policy)'s, the edits
//! are [`plan`](crate::plan)'s; these modules take apart what came of them.

pub mod coverage;
pub mod explain;
pub mod given_tags;
pub mod trial;
pub mod uses;
