//! Why things are as they are: what is known of a run, told for people who ask.
//!
//! Nothing here chooses or edits. The choice is [`policy`](crate::policy)'s, the edits
//! are [`plan`](crate::plan)'s; these modules take apart what came of them.

pub mod compare;
pub mod coverage;
pub mod explain;
pub mod given_tags;
pub mod lint;
pub mod policy_test;
pub mod suggest;
pub mod tables;
pub mod tag_scheme;
pub mod trial;
pub mod uses;

use std::collections::BTreeMap;

use crate::api::Id;
use crate::documents::Documents;
use crate::plan::planned::Owner;
use crate::selection::resolve::Resolved;
use crate::selection::tags::TagBook;

/// What is known of a run, as one cluster sees it where it knows of some.
#[derive(Clone, Copy)]
pub struct RunFacts<'k> {
    /// The cluster, where there are some.
    pub cluster: Option<&'k str>,
    /// The documents.
    pub documents: &'k Documents,
    /// What came of the policies.
    pub images: &'k BTreeMap<Id, Resolved>,
    /// What is known of tags.
    pub tags: &'k TagBook,
    /// The values that belong to policies.
    pub uses: &'k [uses::Use],
    /// The automations that edit.
    pub owners: &'k [Owner],
}

impl RunFacts<'_> {
    /// Whether somebody writes a value: an automation, or the user where there are none.
    #[must_use]
    pub fn is_changed(&self, one: &uses::Use) -> bool {
        self.owners.is_empty() || matches!(one.carrier, uses::Carrier::Automation(_))
    }
}
