//! ImagePolicies as a cluster would hold them: with the status that
//! image-reflector-controller writes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::api::{Id, ImagePolicy};
use crate::foreign::yaml;
use crate::selection::ready;
use crate::selection::resolve::{Resolved, Unresolved};

/// The annotation that names the cluster of a policy.
const CLUSTER: &str = "flux-image.dev/cluster";

/// One document of the stream that `resolve` prints; of a cluster, where the run knows
/// of some.
#[must_use]
pub fn document(
    id: &Id,
    policy: &ImagePolicy,
    resolved: &Resolved,
    cluster: Option<&str>,
    now: Timestamp,
) -> String {
    let value = json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImagePolicy",
        "metadata": metadata(id, policy, cluster),
        "spec": policy.spec,
        "status": status(policy, resolved, now),
    });
    format!("---\n{}", yaml(&value))
}

fn metadata(id: &Id, policy: &ImagePolicy, cluster: Option<&str>) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), id.name.clone().into());
    if !id.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), id.namespace.clone().into());
    }
    let labels = &policy.metadata.labels;
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(labels));
    }
    // What orchestrators note for themselves is no part of the document.
    let mut annotations: Map<String, Value> = (policy.metadata.annotations.iter())
        .filter(|(key, _)| !key.contains("config.kubernetes.io/"))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    if let Some(cluster) = cluster {
        annotations.insert(CLUSTER.to_owned(), cluster.into());
    }
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), annotations.into());
    }
    metadata.into()
}

fn status(policy: &ImagePolicy, resolved: &Resolved, now: Timestamp) -> Value {
    let ready = ready::of(policy, resolved);
    let is_untouched = matches!(resolved.reason(), Some(Unresolved::Suspended(_)));
    let mut status = Map::new();
    if let Some(latest) = &ready.reflected.latest {
        status.insert("latestRef".to_owned(), json!(latest));
    }
    if let Some(previous) = &ready.reflected.previous {
        status.insert("observedPreviousRef".to_owned(), json!(previous));
    }
    if !is_untouched {
        let condition = json!([{
            "type": "Ready",
            "status": ready.status,
            "reason": ready.reason,
            "message": ready.message,
            "lastTransitionTime": now.to_string(),
        }]);
        status.insert("conditions".to_owned(), condition);
    }
    status.into()
}
