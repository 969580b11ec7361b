//! Kubernetes resources in YAML text: whose bytes are whose, and the envelope
//! that a KRM function gets them in.

pub mod chunks;
mod concealed;
pub mod envelope;
mod gap;
pub mod outline;
pub mod removal;

pub use concealed::{Concealed, MASK, Unshown};
pub use outline::{Document, MarkedScalar, Object, Outline};
