//! Resources as kustomize-controller applies them.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::flux::{self, FluxKustomization};
use crate::api::{self, Id};

/// ConfigMaps and Secrets by kind, namespace and name; `None` for one whose values
/// cannot be read.
pub(super) type Values = BTreeMap<(String, Id), Option<BTreeMap<String, String>>>;

/// Group, kind, namespace and name of a resource.
pub struct Identity<'r> {
    /// The group; empty for Kubernetes' own.
    pub group: &'r str,
    /// The kind.
    pub kind: &'r str,
    /// The namespace, empty where it names none.
    pub namespace: &'r str,
    /// The name.
    pub name: &'r str,
}

impl<'r> Identity<'r> {
    /// That of a resource.
    #[must_use]
    pub fn of(resource: &'r Value) -> Self {
        let text = |value: &'r Value| value.as_str().unwrap_or_default();
        let version = text(&resource["apiVersion"]);
        Self {
            group: version.rsplit_once('/').map_or("", |(group, _)| group),
            kind: text(&resource["kind"]),
            namespace: text(&resource["metadata"]["namespace"]),
            name: text(&resource["metadata"]["name"]),
        }
    }

    /// Whether it is of this group and kind.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// A resource as Flux applies it: in the Kustomization's namespace where it names none,
/// with the common metadata and the labels of its owner.
pub(super) fn finished(mut resource: Value, kustomization: &FluxKustomization) -> Value {
    let is_namespace = Identity::of(&resource).is("", "Namespace");
    let Value::Object(fields) = &mut resource else {
        return resource;
    };
    let metadata = fields.entry("metadata").or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if let Value::Object(metadata) = metadata {
        let has_namespace = metadata
            .get("namespace")
            .and_then(Value::as_str)
            .is_some_and(|namespace| !namespace.is_empty());
        let id = &kustomization.id;
        if !has_namespace && !is_namespace {
            let namespace = Value::String(id.namespace.clone());
            metadata.insert("namespace".to_owned(), namespace);
        }
        let common = kustomization
            .spec
            .common_metadata
            .clone()
            .unwrap_or_default();
        let group = flux::KUSTOMIZE_GROUP;
        let owner = [("name", &id.name), ("namespace", &id.namespace)];
        let owner = owner.map(|(what, value)| (format!("{group}/{what}"), value.clone()));
        add_all(metadata, "labels", owner.into_iter().chain(common.labels));
        add_all(metadata, "annotations", common.annotations.into_iter());
    }
    resource
}

fn add_all(
    metadata: &mut Map<String, Value>,
    name: &str,
    more: impl Iterator<Item = (String, String)>,
) {
    let mut more = more.peekable();
    if more.peek().is_none() {
        return;
    }
    let known = metadata.entry(name).or_insert(Value::Null);
    if !known.is_object() {
        *known = Value::Object(Map::new());
    }
    if let Value::Object(known) = known {
        known.extend(more.map(|(key, value)| (key, Value::String(value))));
    }
}

/// Whether a resource says that Flux is not to apply it.
pub(super) fn is_not_reconciled(resource: &Value) -> bool {
    let maps = ["labels", "annotations"].map(|map| &resource["metadata"][map]);
    maps.iter().any(|map| map[flux::RECONCILE] == "disabled")
}

/// Names of Secrets and ServiceAccounts that an ImageRepository refers to.
pub(super) fn logins_of(resource: &Value) -> Vec<String> {
    let spec = &resource["spec"];
    let secrets = ["secretRef", "certSecretRef", "proxySecretRef"];
    let secrets = secrets.map(|field| &spec[field]["name"]);
    let names = secrets.into_iter().chain([&spec["serviceAccountName"]]);
    names
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}

/// Whether SOPS has encrypted values of a ConfigMap or Secret, or of the file that it was
/// generated from.
#[must_use]
pub fn is_encrypted(resource: &Value) -> bool {
    const MARK: &str = "ENC[AES256_GCM,";
    let all = ["data", "stringData"].map(|field| resource[field].as_object());
    let values = all.into_iter().flatten().flat_map(|values| values.values());
    let mut texts = values.filter_map(Value::as_str);
    let is_mark = |text: &str| {
        let decoded = || base64::engine::general_purpose::STANDARD.decode(text).ok();
        text.starts_with(MARK) || decoded().is_some_and(|bytes| bytes.starts_with(MARK.as_bytes()))
    };
    resource["sops"].is_object() || texts.any(is_mark)
}

/// The values of a ConfigMap or Secret; `Some(None)` where they are encrypted.
pub(super) fn values_of(resource: &Value) -> Option<Option<BTreeMap<String, String>>> {
    let identity = Identity::of(resource);
    if resource["apiVersion"] != "v1" {
        return None;
    }
    let texts = |field: &str| {
        let values = resource[field].as_object().into_iter().flatten();
        values.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
    };
    match identity.kind {
        "ConfigMap" | "Secret" if is_encrypted(resource) => Some(None),
        "ConfigMap" => Some(Some(texts("data").collect())),
        "Secret" => {
            let secret: api::Secret = serde_json::from_value(resource.clone()).ok()?;
            let names = secret.data.keys().chain(secret.string_data.keys());
            let values = names.filter_map(|name| {
                let value = secret.value(&[name.as_str()]).ok()??;
                Some((name.clone(), value.reveal().to_owned()))
            });
            Some(Some(values.collect()))
        }
        _ => None,
    }
}
