//! Who we are, to whom: where credentials come from, and which of them is for
//! which image.
//!
//! Nothing here talks to a registry. A [`Secret`] is never printed.

mod secret;

pub use secret::{Credential, Secret};
