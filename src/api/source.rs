//! GitRepository of Flux's source-controller: which repository an automation
//! is for.

use serde::Deserialize;

use super::automation::GitReference;
use super::meta::Metadata;

/// A GitRepository of any version, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitRepository {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: GitRepositorySpec,
}

/// `spec` of a GitRepository, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitRepositorySpec {
    /// Where the repository is.
    pub url: String,
    /// What is checked out.
    #[serde(rename = "ref")]
    pub reference: Option<GitReference>,
}
