//! An ImagePolicyTest of what a policy chooses now, as a document.

use serde_json::json;

use crate::api::{Expectation, Id, ImagePolicyTest, ImagePolicyTestSpec, Metadata};
use crate::foreign::yaml;
use crate::selection::resolve::Unresolved;

/// Writes the test of a policy that chooses so of some tags.
#[must_use]
pub fn document(id: &Id, tags: &[String], chosen: &Result<String, Unresolved>) -> String {
    let expect = match chosen {
        Ok(tag) => Expectation {
            tag: Some(tag.clone()),
            reason: None,
        },
        Err(why) => Expectation {
            tag: None,
            reason: Some(why.to_string()),
        },
    };
    let is_local = "config.kubernetes.io/local-config".to_owned();
    let namespace = Some(id.namespace.clone()).filter(|namespace| !namespace.is_empty());
    yaml(&json!(ImagePolicyTest {
        api_version: "flux-image.dev/v1alpha1".to_owned(),
        kind: "ImagePolicyTest".to_owned(),
        metadata: Metadata {
            name: id.name.clone(),
            namespace: namespace.clone(),
            // No cluster knows the kind.
            annotations: [(is_local, Some("true".to_owned()))].into(),
            ..Metadata::default()
        },
        spec: ImagePolicyTestSpec {
            policy: match namespace {
                Some(_) => id.to_string(),
                None => id.name.clone(),
            },
            tags: Some(tags.to_vec()),
            expect: Some(expect),
            never: Vec::new(),
        },
    }))
}
