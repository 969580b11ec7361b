//! ImageUpdate: the functionConfig.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::meta::Metadata;
use super::selector::LabelSelector;

/// How the function is to run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageUpdate {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `ImageUpdate`
    pub kind: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// The options.
    pub spec: ImageUpdateSpec,
}

/// `spec` of an ImageUpdate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageUpdateSpec {
    /// Whether items are changed or only judged.
    pub mode: Mode,
    /// Which items come back.
    pub emit: Emit,
    /// Where tags are taken from, in order.
    pub tags_from: Vec<TagSource>,
    /// How scalars are bound to policies.
    pub bind: Bind,
    /// Only policies with these labels count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_selector: Option<LabelSelector>,
    /// What a bound scalar is whose policy chose nothing.
    pub on_unresolved: OnUnresolved,
    /// Whether our own documents come back.
    pub keep_policies: bool,
    /// Whole ImageRepository documents.
    #[schemars(with = "Vec<serde_json::Value>")]
    #[serde(skip_serializing)]
    pub repositories: Vec<super::ImageRepository>,
    /// Whole ImagePolicy documents.
    #[schemars(with = "Vec<serde_json::Value>")]
    #[serde(skip_serializing)]
    pub policies: Vec<super::ImagePolicy>,
    /// Whole TagSnapshot documents.
    pub snapshots: Vec<super::TagSnapshot>,
}

impl Default for ImageUpdateSpec {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            emit: Emit::default(),
            tags_from: TagSource::ALL.to_vec(),
            bind: Bind::default(),
            policy_selector: None,
            on_unresolved: OnUnresolved::default(),
            keep_policies: true,
            repositories: Vec::new(),
            policies: Vec::new(),
            snapshots: Vec::new(),
        }
    }
}

/// `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Mode {
    /// Items come back patched.
    #[default]
    Update,
    /// Items come back as they were; what would change is a finding.
    Check,
}

/// `emit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Emit {
    /// All items.
    #[default]
    All,
    /// None: for `validators:` of kustomize alone.
    None,
}

/// `bind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Bind {
    /// By every means that names a policy: so far markers.
    #[default]
    Auto,
    /// By markers.
    Markers,
}

/// An entry of `tagsFrom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TagSource {
    /// `status.latestRef` of the policy.
    Status,
    /// A TagSnapshot.
    Snapshot,
    /// The registry itself, where none of the others has an answer.
    Registry,
}

impl TagSource {
    /// Every source, in the order of the default.
    pub const ALL: [Self; 3] = [Self::Status, Self::Snapshot, Self::Registry];
}

/// `onUnresolved`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnUnresolved {
    /// An error, exit 2.
    #[default]
    Fail,
    /// A warning.
    Warn,
}
