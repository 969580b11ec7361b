//! ImageRepository: where the tags are.

use serde::Deserialize;

use super::meta::{LocalReference, Metadata};

/// An ImageRepository of any version from v1alpha1 to v1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ImageRepository {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ImageRepositorySpec,
}

/// `spec` of an ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageRepositorySpec {
    /// The image's name, without tag.
    pub image: String,
    /// How often a cluster would scan.
    pub interval: Option<String>,
    /// Longest time for a scan.
    pub timeout: Option<String>,
    /// Secret with registry credentials.
    pub secret_ref: Option<LocalReference>,
    /// Secret with the proxy's address.
    pub proxy_secret_ref: Option<LocalReference>,
    /// Secret with TLS certificates.
    pub cert_secret_ref: Option<LocalReference>,
    /// ServiceAccount whose pull secrets count.
    pub service_account_name: Option<String>,
    /// Scan no more.
    pub suspend: bool,
    /// Namespaces whose policies may refer to this repository.
    pub access_from: Option<AccessFrom>,
    /// Patterns of tags to leave out.
    pub exclusion_list: Vec<String>,
    /// `generic`, `aws`, `azure` or `gcp`.
    pub provider: Option<String>,
    /// Plain HTTP is allowed.
    pub insecure: bool,
}

/// `accessFrom`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccessFrom {
    /// One of these must match the labels of the policy's namespace.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// A selector of namespaces by labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// All must be present; none selects every namespace.
    pub match_labels: std::collections::BTreeMap<String, String>,
}
