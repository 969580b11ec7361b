//! Which scalar belongs to which policy: by Flux's markers ([`marker`]), by an
//! [`annotation`] on the resource, by the [`path`] of a field, or because it holds
//! an [`image`].
//!
//! What a binding is to its policy is a [`marker::MarkerTarget`], however it is made.
//! [`bindings`] finds those of a text, [`origin`] those of the files that a text was
//! built of; [`annotate`] writes markers as annotations, and [`overlays`] tells where
//! kustomizations above have another say.

pub mod annotate;
pub mod annotation;
pub mod bindings;
pub mod image;
pub mod marker;
pub mod origin;
pub mod overlays;
pub mod path;
