//! Which scalar belongs to which policy.
//!
//! So far by Flux's markers alone; what a marker is to its policy is a
//! [`marker::Target`].

pub mod marker;
