//! Which scalar belongs to which policy: by Flux's markers ([`marker`]), by an
//! [`annotation`] on the resource, by the [`path`] of a field, or because it holds
//! an [`image`].
//!
//! What a binding is to its policy is a [`marker::Target`], however it is made.

pub mod annotation;
pub mod image;
pub mod marker;
pub mod path;
