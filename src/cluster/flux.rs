//! Flux's Kustomization and FluxInstance, as far as a build depends on them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::artifact;
use crate::api::{self, Id};

/// Group of Flux's Kustomization.
pub const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// Group of flux-operator's documents.
pub const OPERATOR_GROUP: &str = "fluxcd.controlplane.io";
/// The groups whose resources are read here.
pub const GROUPS: [&str; 5] = [
    api::FLUX_GROUP,
    KUSTOMIZE_GROUP,
    api::SOURCE_GROUP,
    api::OWN_GROUP,
    OPERATOR_GROUP,
];
/// The label or annotation that keeps variables as they are.
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The label or annotation that leaves a resource in the cluster as it is.
pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";

/// A source by kind, namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey {
    /// `GitRepository` and the like.
    pub kind: String,
    /// Its namespace and name.
    pub id: Id,
}

impl std::fmt::Display for SourceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.id.namespace, self.id.name)
    }
}

/// A Kustomization of Flux's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FluxKustomization {
    /// Its name.
    pub id: Id,
    /// What it builds.
    pub spec: Spec,
    /// The same as it is written, of which the build's part is taken.
    pub written: Map<String, Value>,
}

/// `spec`, as far as it is no part of a kustomization.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    /// The folder, from the source's root.
    pub path: Option<String>,
    /// The source.
    pub source_ref: SourceRef,
    /// Variables.
    pub post_build: Option<PostBuild>,
    /// Labels and annotations for all results.
    pub common_metadata: Option<CommonMetadata>,
    /// Whether it rests.
    pub suspend: bool,
    /// Another cluster, where the results go.
    pub kube_config: Option<Value>,
}

/// `spec.sourceRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SourceRef {
    /// Kind of the source.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; that of the Kustomization where absent.
    pub namespace: Option<String>,
}

/// `spec.postBuild`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PostBuild {
    /// Variables by name.
    pub substitute: BTreeMap<String, String>,
    /// ConfigMaps and Secrets that hold more, the later over the earlier.
    pub substitute_from: Vec<SubstituteFrom>,
    /// `Always`, or `WithVariables`: only where there are some.
    pub substitute_strategy: Option<String>,
}

/// Where variables come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct SubstituteFrom {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Its name, in the Kustomization's namespace.
    pub name: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// `spec.commonMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CommonMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl FluxKustomization {
    /// Reads a resource that lies in `namespace` where it names none.
    ///
    /// # Errors
    /// A field of the wrong type.
    pub fn read(resource: &Value, id: Id) -> Result<Self, String> {
        // The API server drops nulls before it reads.
        let written = match without_nulls(&resource["spec"]) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let spec = serde_json::from_value(Value::Object(written.clone()));
        Ok(Self {
            id,
            spec: spec.map_err(|error| error.to_string())?,
            written,
        })
    }

    /// The folder that it builds, from its source's root.
    #[must_use]
    pub fn folder(&self) -> String {
        artifact::rooted(self.spec.path.as_deref().unwrap_or_default())
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> SourceKey {
        let reference = &self.spec.source_ref;
        let namespace = reference.namespace.as_deref();
        SourceKey {
            kind: reference.kind.clone(),
            id: Id::new(
                namespace.unwrap_or(&self.id.namespace),
                reference.name.as_str(),
            ),
        }
    }
}

/// A value without fields that are null, at any depth.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(name, value)| (name.clone(), without_nulls(value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// What a FluxInstance of flux-operator's syncs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sync {
    /// The source that it makes.
    pub source: SourceKey,
    /// The folder in it.
    pub folder: String,
    /// The Kustomization that it makes, before its patches.
    pub kustomization: Value,
    /// Those of `spec.kustomize.patches` that are for a Kustomization.
    pub patches: Vec<Value>,
}

/// That of a FluxInstance in `namespace`.
#[must_use]
pub fn instance_sync(resource: &Value, namespace: &str) -> Option<Sync> {
    let sync = &resource["spec"]["sync"];
    let path = sync["path"].as_str()?;
    // Both documents that it makes are called as its namespace, unless it says so.
    let name = sync["name"].as_str().unwrap_or(namespace);
    let kind = sync["kind"].as_str().unwrap_or("GitRepository");
    let patches = resource["spec"]["kustomize"]["patches"].as_array();
    let patches = patches.into_iter().flatten().filter(|patch| {
        // kustomize knows what a target selects; without one, the patch says it.
        let text = patch["patch"].as_str().unwrap_or_default();
        let documents = || super::kustomization::documents(text).unwrap_or_default();
        let is_kustomization = |one: &Value| one["kind"] == "Kustomization";
        patch["target"].is_object() || documents().iter().any(is_kustomization)
    });
    Some(Sync {
        source: SourceKey {
            kind: kind.to_owned(),
            id: Id::new(namespace, name),
        },
        folder: artifact::rooted(path),
        kustomization: json!({
            "apiVersion": format!("{KUSTOMIZE_GROUP}/v1"),
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "interval": "10m",
                "path": path,
                "prune": true,
                "sourceRef": {"kind": kind, "name": name},
            },
        }),
        // A path would be one of the machine.
        patches: patches
            .map(|patch| match &patch["target"] {
                Value::Null => json!({"patch": patch["patch"]}),
                target => json!({"patch": patch["patch"], "target": target}),
            })
            .collect(),
    })
}
