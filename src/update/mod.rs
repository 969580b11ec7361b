//! From documents and tags to edits.
//!
//! [`catalogue`] holds the documents, [`resolve`] makes of each policy an image
//! or the reason why there is none, [`bindings`] says what in a text belongs to
//! whom ([`origin`]: in a text that was built of others), [`plan`] makes edits of
//! that, [`takers`] says whose they are, [`registry_queries`] asks registries on the
//! way, [`outcome`] is the one record of it all. [`only`] and [`webhook`] limit a
//! run. [`annotate`] writes markers as annotations.

pub mod annotate;
pub mod bindings;
pub mod catalogue;
pub mod current_digests;
mod grants;
pub mod logins;
pub mod only;
pub mod origin;
pub mod outcome;
pub mod path_name;
pub mod plan;
pub mod registry_queries;
pub mod resolve;
pub mod takers;
pub mod twins;
pub mod webhook;
