//! Flux's image automation as a function: policies and manifests in, patched
//! manifests out, no cluster, no commit.
//!
//! The crates beside it know nothing of Kubernetes or Flux: `yaml-edit-spans` (text
//! with byte spans, and how a scalar is rewritten), `oci-tags` (names of images,
//! logins, registries), `go-regexp`, `masterminds-semver` and `go-template` (what Go
//! does, exactly, where Flux's answers depend on it).
//!
//! The way through the modules, in the order of a run:
//!
//! - [`resource_list`]: whose bytes are whose; the envelope of a KRM function
//! - [`api`]: Flux's documents and ours, typed
//! - [`documents`]: all of a run, by kind and identity
//! - [`binding`]: which scalar belongs to which policy
//! - [`policy`]: which tag is chosen, or why none
//! - [`selection`]: each policy's image, or the one reason why not; what is left to ask
//! - [`scan`]: asking registries
//! - [`plan`]: what is to change, and whose change it is
//! - [`engine`]: the order of it all
//! - [`insight`]: why things are as they are
//! - [`cluster`]: what a cluster sees of its repository
//! - [`checkout`]: everything that touches a disk: git, files, whose they are, writing
//! - [`commit`]: the message and the branch of a commit
//! - [`function`]: one run of the function
//! - [`finding`], [`foreign`]: what a person should know; text that others wrote, made
//!   harmless to who reads our output
//! - [`report`], [`cli`]: what people and pipelines see

#![warn(unreachable_pub)]

pub mod api;
pub mod binding;
pub mod checkout;
pub mod cli;
pub mod cluster;
pub mod commit;
pub mod documents;
pub mod engine;
pub mod finding;
pub mod foreign;
pub mod function;
pub mod insight;
mod parallel;
pub mod path_name;
pub mod plan;
pub mod policy;
mod quote;
pub mod report;
pub mod resource_list;
pub mod scan;
pub mod selection;
