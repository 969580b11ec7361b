//! A thin client for registries: the tags of a repository, the digest of a tag.
//!
//! It speaks the two requests of the distribution specification that choosing a
//! tag needs, and everything that stands before them: names, TLS, challenges,
//! tokens, pages, limits on how often and how long. It knows nothing of
//! Kubernetes, files or the environment. Where a credential may go is decided
//! in [`trust`] alone.
//!
//! It refuses to push, to cache on a disk, and to guess: no page is thought to
//! be the last but for its missing `Link`, no host is asked in the clear but
//! where the user said so or on loopback.

mod address;
mod answer;
mod auth;
mod challenge;
mod client;
mod error;
mod labels;
mod link;
mod list;
mod resolver;
mod retry;
mod send;
mod session;
mod tls;
mod token;
mod transport;
pub mod trust;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use client::{CredentialFor, Limits, Registries, Target, Withheld};
pub use error::RegistryError;
pub use labels::Labels;
pub use list::{Listing, Page};
pub use tls::TlsFault;
pub use transport::{Connection, ProxySettings, host_of};

/// The lock, also after a panic under it: whatever is kept here is replaced
/// whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
