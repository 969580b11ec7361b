//! The documents of a run, by kind and identity.
//!
//! A [`builder`] takes in what texts hold and is finished once; after that nothing
//! changes. Of two documents with one identity `--policies` beats functionConfig
//! beats items and tree; within one of these the last wins. Two different ones in a
//! tree, or among items, are kept as a conflict, to be an error where a marker needs
//! them.

pub mod builder;
mod grants;
pub mod logins;
mod sourced;
pub mod twins;

pub use sourced::{Provenance, Rank, Sourced, Written};

use std::collections::{BTreeMap, BTreeSet};

use self::grants::Grants;
use self::logins::Logins;
use crate::api::{
    GitRepository, Id, ImagePolicy, ImagePolicyTest, ImageRepository, ImageUpdateAutomation,
    TagSnapshot,
};
use crate::finding::{Finding, Location};

/// All documents of a run.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// ImageRepositories.
    pub repositories: BTreeMap<Id, Sourced<ImageRepository>>,
    /// ImagePolicies.
    pub policies: BTreeMap<Id, Sourced<ImagePolicy>>,
    /// ImageUpdateAutomations.
    pub automations: BTreeMap<Id, Sourced<ImageUpdateAutomation>>,
    /// ImageUpdateAutomations of the tree in whose place `--policies` has others
    /// of the same name, as those of another cluster.
    pub outranked: Vec<(Id, ImageUpdateAutomation)>,
    /// GitRepositories.
    pub sources: BTreeMap<Id, Sourced<GitRepository>>,
    /// TagSnapshots and where they stand, the weakest first.
    pub snapshots: Vec<(TagSnapshot, Location)>,
    /// ImagePolicyTests and where they stand, in the order in which they were read; a run
    /// that tests nothing has no use for them.
    pub tests: Vec<(ImagePolicyTest, Location)>,
    /// What is wrong with ImagePolicyTests, which is for nobody else to hear.
    pub of_tests: Vec<Finding>,
    /// Secrets and what goes with them.
    pub logins: Logins,
    /// Whom the ImageRepositories let in.
    grants: BTreeMap<Id, Grants>,
    /// ImagePolicies that could not be read, and where they stand.
    pub unreadable: BTreeMap<Id, Location>,
    /// Whether an ImageUpdateAutomation could not be read, which was reported.
    pub has_unreadable_automation: bool,
    /// What a build has renamed, by the names before.
    pub renamed: Renamed,
    /// The ImagePolicies of all clusters, where the run has several.
    pub elsewhere: BTreeSet<Id>,
    /// Whether some of the cluster's documents could not be had, which was said.
    pub is_incomplete: bool,
}

/// Documents whose names a `kustomize build` has changed: the names before, and
/// those now.
#[derive(Clone, Debug, Default)]
pub struct Renamed {
    /// ImagePolicies.
    pub policies: BTreeMap<Id, Id>,
    /// ImageRepositories.
    pub repositories: BTreeMap<Id, Id>,
}

/// Why a reference no longer fits, and the way out.
#[must_use]
pub fn renamed(before: &Id, now: &Id) -> String {
    format!(
        "`{before}` is `{now}` here: a `namePrefix`, `nameSuffix` or `namespace` of the kustomization has renamed it, and renames no reference to it; put the documents inside the ImageUpdate (`spec.policies`, `spec.repositories`), where kustomize renames nothing"
    )
}

impl Documents {
    /// Whether the ImageRepository of this name lets the policies of a namespace
    /// in that is not its own.
    #[must_use]
    pub fn lets_in(&self, repository: &Id, namespace: &str) -> bool {
        let rank = self.repositories.get(repository).map(|known| known.rank);
        let grants = self.grants.get(repository);
        grants
            .zip(rank)
            .is_some_and(|(grants, rank)| grants.lets_in(&self.logins.labels_of(namespace, rank)))
    }
}
