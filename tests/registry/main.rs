//! The commands that ask registries, against a server on loopback and against real
//! registries and clouds. The client alone is tested in its own crate.

#![expect(clippy::too_many_lines, reason = "tables, and stories told in order")]

#[path = "../../crates/oci-tags/tests/registry/client.rs"]
mod client;
mod clouds;
mod commands;
mod kept;
mod labels;
mod policy_changes;
mod ranks;
mod real;
#[path = "../services/mod.rs"]
mod services;

#[path = "../../crates/oci-tags/tests/registry/server.rs"]
mod server;
#[path = "../cli/support.rs"]
mod support;
