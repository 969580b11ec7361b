//! Flux's image automation as a function: policies and manifests in, patched
//! manifests out, no cluster, no commit.
//!
//! The way through the modules, in the order of a run:
//!
//! - [`yaml`]: text as documents with byte spans, and how a scalar is rewritten
//! - [`resource_list`]: whose bytes are whose; the envelope of a KRM function
//! - [`api`]: Flux's documents and ours, typed
//! - [`image`], [`tags`]: names of images, and what is known of their tags
//! - [`go`]: what Go does, exactly, where Flux's answers depend on it
//! - [`policy`]: which tag is chosen, or why none
//! - [`bind`]: which scalar belongs to which policy
//! - [`login`], [`registry`], [`scan`]: who we are to a registry, a client for it,
//!   and asking what policies need
//! - [`update`]: from all that to edits, and to files on a disk
//! - [`message`]: the message and the branch of a commit
//! - [`config`], [`function`]: one run of the function
//! - [`foreign`]: text that others wrote, made harmless to who reads our output
//! - [`report`], [`cli`]: what people and pipelines see

pub mod api;
pub mod bind;
pub mod cli;
pub mod config;
pub mod foreign;
pub mod function;
pub mod go;
pub mod image;
pub mod login;
pub mod message;
mod parallel;
pub mod policy;
mod quote;
pub mod registry;
pub mod report;
pub mod resource_list;
pub mod scan;
pub mod tags;
pub mod update;
pub mod yaml;
