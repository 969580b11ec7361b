//! ImageUpdate: the functionConfig.

use std::collections::BTreeMap;

use clap::ValueEnum;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::meta::Metadata;
use super::selector::LabelSelector;
use crate::resource_list::Object;

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
    /// Further fields of images, for `bind: Images`.
    pub image_fields: Vec<ImageFieldSpec>,
    /// Fields that belong to policies, whatever `bind` says.
    pub bindings: Vec<BindingSpec>,
    /// Only policies with these labels count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_selector: Option<LabelSelector>,
    /// What a bound scalar is whose policy chose nothing.
    pub on_unresolved: OnUnresolved,
    /// Whether our own documents come back.
    pub keep_policies: bool,
    /// Whether what `flux-image lint` would find is among the results, as warnings at most.
    pub lint: bool,
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
    /// In `.flux-image.yaml`: the folders that `flux bootstrap --path` was given, from the
    /// root of the work tree on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cluster_paths: Vec<String>,
    /// In `.flux-image.yaml`: variables of `postBuild` that only the clusters have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub substitute: BTreeMap<String, String>,
    /// In `.flux-image.yaml`: images that are left alone on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<ExclusionSpec>,
    /// In `.flux-image.yaml`: findings of `lint` that do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignores: Vec<IgnoreSpec>,
}

/// An entry of `exclusions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["reason"]))]
pub struct ExclusionSpec {
    /// The images, without tag and digest, as a glob; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The files, from the root of the work tree on, as a glob, or a folder; all where
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it counts (`YYYY-MM-DD`).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "day")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Date>,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let day = |text: String| {
        let day = text.parse();
        day.map_err(|_| D::Error::custom(format!("`{text}` is no day; write it as 2027-03-31")))
    };
    text.map(day).transpose()
}

/// An entry of `ignores`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["code", "reason"]))]
pub struct IgnoreSpec {
    /// The code, as `lint` prints it.
    pub code: String,
    /// The files, from the root of the work tree on, as a glob, or a folder; all where
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why.
    pub reason: String,
}

impl ImageUpdateSpec {
    /// The first option that it has and that counts in `.flux-image.yaml` alone.
    #[must_use]
    pub fn of_checkouts(&self) -> Option<&'static str> {
        let options = [
            ("clusterPaths", self.cluster_paths.is_empty()),
            ("substitute", self.substitute.is_empty()),
            ("exclusions", self.exclusions.is_empty()),
            ("ignores", self.ignores.is_empty()),
        ];
        let mut given = options.into_iter().filter(|(_, is_empty)| !is_empty);
        given.next().map(|(name, _)| name)
    }
}

impl Default for ImageUpdateSpec {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            emit: Emit::default(),
            tags_from: TagSource::ALL.to_vec(),
            bind: Bind::default(),
            image_fields: Vec::new(),
            bindings: Vec::new(),
            policy_selector: None,
            on_unresolved: OnUnresolved::default(),
            keep_policies: true,
            lint: false,
            repositories: Vec::new(),
            policies: Vec::new(),
            snapshots: Vec::new(),
            cluster_paths: Vec::new(),
            substitute: BTreeMap::new(),
            exclusions: Vec::new(),
            ignores: Vec::new(),
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
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ValueEnum,
)]
pub enum Bind {
    /// By every means that names a policy: markers, and the annotation
    /// `flux-image.dev/bind`.
    #[default]
    #[value(help = "By markers, and by the annotation flux-image.dev/bind")]
    Auto,
    /// By markers alone.
    Markers,
    /// As `Auto`, and fields that hold an image of a policy's repository.
    #[value(help = "As auto, and fields that hold an image of a policy's repository")]
    Images,
    /// As `Auto`, with the markers of the files that a `kustomize build` with
    /// `buildMetadata: [originAnnotations]` was made of.
    #[value(skip)]
    Origin,
}

/// An entry of `imageFields`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["kind", "path"]))]
pub struct ImageFieldSpec {
    /// API group, empty for the core group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version; any where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Path of a whole image, or of a mapping with `repository` and `tag`, as
    /// `spec.runner.image`.
    pub path: String,
}

/// An entry of `bindings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["policy", "target", "field"]))]
pub struct BindingSpec {
    /// The policy: `namespace:name`, or for a part of its image
    /// `namespace:name:tag`, `…:name` or `…:digest`.
    pub policy: String,
    /// The resources.
    pub target: TargetSpec,
    /// The field in them, as in kustomize's replacements:
    /// `spec.template.spec.containers.[name=app].image`.
    pub field: String,
}

/// `target` of a binding; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct TargetSpec {
    /// API group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// API version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name, also one that a kustomization has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace, also one that a kustomization has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl TargetSpec {
    /// Whether it selects a resource.
    #[must_use]
    pub fn selects(&self, object: &Object) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        let before = object.build.iter().flat_map(|build| build.previous());
        let mut identities = before.chain([(object.name.as_str(), object.namespace.as_str())]);
        is(&self.group, object.group())
            && is(&self.version, object.version())
            && is(&self.kind, &object.kind)
            && identities
                .any(|(name, namespace)| is(&self.name, name) && is(&self.namespace, namespace))
    }
}

impl std::fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("group", &self.group),
            ("version", &self.version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
        ];
        let said = parts
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} `{value}`")));
        f.write_str(&said.collect::<Vec<_>>().join(", "))
    }
}

/// An entry of `tagsFrom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ValueEnum)]
pub enum TagSource {
    /// `status.latestRef` of the policy.
    #[value(help = "status.latestRef of the policies")]
    Status,
    /// A TagSnapshot.
    #[value(help = "TagSnapshots")]
    Snapshot,
    /// The registry itself, where none of the others has an answer.
    #[value(help = "The registries")]
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
