//! Kubernetes resources in YAML text: whose bytes are whose, and the envelope
//! that a KRM function gets them in.

pub mod chunks;
mod concealed;
pub mod envelope;
mod gap;
mod mentions;
pub mod object;
pub mod outline;
pub mod removal;

pub use concealed::{Concealed, MASK, Unshown, comments_before, comments_behind};
pub use mentions::MARKER_STEM;
pub use object::{BIND_ANNOTATION, Object};
pub use outline::{Document, MarkedScalar, Outline};

use yaml_edit_spans::SyntaxError;

/// Reads `text`, a large one on every core.
///
/// # Errors
/// Where it is not valid YAML.
pub fn read(text: &str) -> Result<Outline<'_>, SyntaxError> {
    match chunks::read(text) {
        Some(outline) => Ok(outline),
        None => outline::read_whole(text),
    }
}
