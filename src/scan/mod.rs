//! What policies need of registries: whom to ask, as whom, and asking.
//!
//! `access` makes a target of an ImageRepository and its Secrets, without
//! touching anything; `live` asks, many at a time; `cache` keeps lists on
//! the disk. The middle of the program hands over questions and gets answers,
//! so that a run without a network is the same run with fewer of them.

mod access;
mod cache;
mod live;

pub use access::{Access, DockerLogin, Patience};
pub use cache::Cache;
pub use live::{Live, LiveOptions};
