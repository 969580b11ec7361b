//! Kubernetes resources in YAML text: whose bytes are whose, and the envelope
//! that a KRM function gets them in.

pub mod envelope;
mod gap;
pub mod outline;
pub mod removal;
pub mod shares;

pub use outline::{Document, Object, Outline, Site};
