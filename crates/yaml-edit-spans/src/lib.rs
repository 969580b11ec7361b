//! YAML as text that can be edited: where each scalar stands, which comment
//! belongs to it, how a new value is spelled in its place.
//!
//! Nothing here rebuilds a document. A text is read as a stream of events with
//! byte spans ([`walk`]), a comment is found by looking at the text around a
//! scalar ([`comment`]), a scalar is rewritten in its own style where that can
//! hold the new value ([`scalar`]), and the edits are spliced in one pass
//! ([`patch`]). Whatever no edit covers stays as it is, byte for byte.
//!
//! ```
//! use yaml_edit_spans::patch::Patched;
//! use yaml_edit_spans::walk::{Step, Walk};
//! use yaml_edit_spans::{comment, scalar};
//!
//! let text = "image:   'app:1.0'   # the app\n";
//! let mut walk = Walk::strict(text);
//! let mut edits = Vec::new();
//! while let Some(step) = walk.step().expect("YAML") {
//!     if let Step::Value(value) = step {
//!         let found = comment::of(text, &value, &[]).expect("a comment");
//!         assert_eq!(found.of(text), "# the app");
//!         edits = scalar::rewrite(text, &value, "app:1.1");
//!     }
//! }
//! let patched = Patched::new(text, edits).expect("no overlap");
//! assert_eq!(patched.to_string(), "image:   'app:1.1'   # the app\n");
//! ```

#![warn(unreachable_pub)]

pub mod characters;
pub mod comment;
pub mod emit;
pub mod encoding;
mod events;
pub mod patch;
pub mod scalar;
mod snippet;
mod span;
mod strict;
mod tolerant;
pub mod tree;
pub mod walk;
pub mod work;

use std::borrow::Cow;

pub use events::{Event, EventKind, Events, Header, Scalar, Style, SyntaxError, Tag};
pub use snippet::Snippet;
pub use span::{ByteSpan, Place};

/// Where a carriage return ends a line alone, without a line feed.
#[must_use]
pub fn lone_carriage_return(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'\r', bytes).find(|at| bytes.get(at + 1) != Some(&b'\n'))
}

/// The text with a line feed for each carriage return that stands alone. Both are
/// line breaks (YAML 1.2.2, section 5.4) that mean the same, and take one byte.
#[must_use]
pub fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if lone_carriage_return(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\r') {
        out.push_str(line);
        let is_alone = line.ends_with('\r') && !text[out.len()..].starts_with('\n');
        if is_alone {
            out.pop();
            out.push('\n');
        }
    }
    Cow::Owned(out)
}
