//! TagSnapshot: what registries held, written down.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::meta::Metadata;

/// Tags and digests of repositories at a moment, so that a run needs no
/// network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TagSnapshot {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `TagSnapshot`
    pub kind: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// What was seen.
    pub spec: TagSnapshotSpec,
}

/// `spec` of a TagSnapshot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct TagSnapshotSpec {
    /// One entry for each repository.
    pub repositories: Vec<SnapshotRepository>,
}

/// What was seen of one repository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SnapshotRepository {
    /// Name of the repository, without tag.
    pub image: String,
    /// When it was scanned (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<String>,
    /// All its tags. An empty list is knowledge too: there are none.
    pub tags: Vec<String>,
    /// Digests of some of the tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
}
