//! From documents and tags to edits.
//!
//! [`catalogue`] holds the documents, [`resolve`] makes of each policy an image
//! or the reason why there is none, [`bindings`] says what in a text belongs to
//! whom ([`origin`]: in a text that was built of others), [`plan`] makes edits of
//! that, [`scope`] and [`takers`] say whose they are, [`reach`] what is nobody's,
//! [`gather`] asks registries on the way, [`outcome`] is the one record of it all.
//! On a disk, [`walk`] finds files, [`regular_file`] opens and [`tree`] reads them,
//! and [`files`] replaces them ([`git`]: what else is read of a repository).
//! [`only`] and [`webhook`] limit a run. [`annotate`] writes markers as annotations.

pub mod address;
pub mod annotate;
pub mod bindings;
pub mod catalogue;
pub mod checkout;
pub mod current_digests;
pub mod files;
pub mod git;
mod grants;
pub mod ignore_rules;
pub mod kustomization;
pub mod labels;
pub mod logins;
pub mod only;
pub mod origin;
pub mod outcome;
pub mod path_name;
pub mod plan;
pub mod reach;
pub mod registry_queries;
pub mod regular_file;
pub mod remotes;
pub mod resolve;
pub mod scope;
pub mod takers;
pub mod tree;
pub mod twins;
pub mod walk;
pub mod webhook;
