//! What is known of repositories.

pub mod book;

pub use book::{Known, TagBook};
