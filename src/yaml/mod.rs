//! YAML as text that can be edited: where each scalar stands, which comment
//! belongs to it, how a new value is spelled in its place.
//!
//! Nothing here rebuilds a document. A text is read as a stream of events with
//! byte spans ([`walk`]), a comment is found by looking at the text around a
//! scalar ([`comment`]), a scalar is rewritten in its own style where that can
//! hold the new value ([`scalar`]), and the edits are spliced in one pass
//! ([`patch`]). Whatever no edit covers stays as it is, byte for byte.

pub mod comment;
pub mod emit;
mod events;
pub mod patch;
pub mod scalar;
mod span;
mod strict;
mod tolerant;
pub mod tree;
pub mod walk;

pub use events::{Event, EventKind, Events, Header, Scalar, Style, SyntaxError, Tag};
pub use span::{ByteSpan, Place};
