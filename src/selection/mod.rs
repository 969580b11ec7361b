//! From each policy to its image, or the one reason why there is none.
//!
//! [`tags`] holds what is known of the tags of images, [`registry_queries`] says what
//! is left to ask a registry, and [`resolve`] chooses. [`only`] limits a run to some
//! policies.

pub mod current_digests;
pub mod only;
pub mod ready;
pub mod registry_queries;
pub mod resolve;
pub mod tags;
