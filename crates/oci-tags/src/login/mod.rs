//! Who we are, to whom: where credentials come from, and which of them is for
//! which image.
//!
//! Nothing here talks to a registry. A [`Secret`] is never printed, and no
//! error repeats what a credential's text holds.

pub mod cloud;
mod docker;
mod entry;
mod helper;
mod pull_secret;
mod secret;

pub use docker::{Answer as DockerAnswer, DockerConfig};
pub use entry::{BadAuth, BadConfig};
pub use helper::{HelperError, ask as ask_helper};
pub use pull_secret::{Format, Keyring, Oddity};
pub use secret::{Credential, Secret};
