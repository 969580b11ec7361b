//! ImagePolicyTest: what an ImagePolicy is to choose of some tags.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::meta::{Id, Metadata};
use super::validate::FieldFault;

/// Tags, and what an ImagePolicy is to choose of them. `flux-image test` runs it, without
/// a network and without a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImagePolicyTest {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `ImagePolicyTest`
    pub kind: String,
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is tried, and what is to come of it.
    pub spec: ImagePolicyTestSpec,
}

/// `spec` of an ImagePolicyTest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImagePolicyTestSpec {
    /// The ImagePolicy, as `name` or `namespace:name`. Without a namespace it is that of
    /// the test; where the test has none either, the one policy of this name.
    pub policy: String,
    /// The tags that the repository has in this test. They go through the
    /// `exclusionList` of the policy's ImageRepository, too.
    pub tags: Option<Vec<String>>,
    /// What is to come of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expectation>,
    /// What may not be chosen: a tag, or between slashes a regular expression of Go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
}

/// What is to come of the tags of a test: a tag, or the reason why none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Expectation {
    /// The tag that is to be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// A part of the reason why none is, in Flux's words or in those of `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a test expects, once its document is known to be sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'t> {
    /// This tag.
    Tag(&'t str),
    /// None, for a reason with these words.
    Reason(&'t str),
    /// Whatever `never` leaves.
    Anything,
}

impl ImagePolicyTestSpec {
    /// What is expected.
    #[must_use]
    pub fn expected(&self) -> Expected<'_> {
        let expect = self.expect.as_ref();
        let expect = expect.map(|one| (one.tag.as_deref(), one.reason.as_deref()));
        match expect {
            Some((Some(tag), _)) => Expected::Tag(tag),
            Some((None, Some(reason))) => Expected::Reason(reason),
            _ => Expected::Anything,
        }
    }

    /// The policy, by the namespace that is written, if one is, and its name.
    #[must_use]
    pub fn named(&self) -> (Option<&str>, &str) {
        match self.policy.split_once([':', '/']) {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, &self.policy),
        }
    }

    /// The first fault, with the field that has it.
    pub(super) fn fault(&self) -> Option<FieldFault> {
        let fault = |field: &str, message: &str| {
            Some(FieldFault {
                field: field.to_owned(),
                message: message.to_owned(),
            })
        };
        let (namespace, name) = self.named();
        if self.policy.is_empty() {
            return fault("spec.policy", "`spec.policy` is missing");
        }
        if name.is_empty() || name.contains([':', '/']) || namespace.is_some_and(str::is_empty) {
            let message = "`spec.policy` is an ImagePolicy as `name` or `namespace:name`";
            return fault("spec.policy", message);
        }
        if self.tags.is_none() {
            let message = "`spec.tags` is missing: write the tags of the test, or `[]` for none";
            return fault("spec.tags", message);
        }
        let empty = self.never.iter().position(|one| is_empty(one));
        if let Some(number) = empty {
            let message = "an entry of `spec.never` is empty: write a tag, or a regular expression between slashes";
            return fault(&format!("spec.never[{number}]"), message);
        }
        let Some(expect) = &self.expect else {
            let message =
                "nothing is expected: write `spec.expect` with `tag` or `reason`, or `spec.never`";
            return self
                .never
                .is_empty()
                .then(|| fault("spec", message))
                .flatten();
        };
        match (expect.tag.as_deref(), expect.reason.as_deref()) {
            (Some(_), Some(_)) => fault(
                "spec.expect",
                "`spec.expect` has both `tag` and `reason`: a policy chooses a tag or has a reason why not",
            ),
            (None, None) => fault(
                "spec.expect",
                "`spec.expect` has neither `tag` nor `reason`",
            ),
            (Some(""), _) => fault("spec.expect.tag", "`spec.expect.tag` is empty"),
            (_, Some("")) => fault(
                "spec.expect.reason",
                "`spec.expect.reason` is empty, and would be part of every reason",
            ),
            _ => None,
        }
    }
}

fn is_empty(never: &str) -> bool {
    matches!(never, "" | "/" | "//")
}

/// The regular expression of an entry of `never`, where it is one.
#[must_use]
pub fn pattern_of(never: &str) -> Option<&str> {
    never.strip_prefix('/')?.strip_suffix('/')
}

impl ImagePolicyTest {
    /// Its name, in a namespace where it has one.
    #[must_use]
    pub fn id(&self) -> Id {
        let namespace = self.metadata.namespace.clone();
        Id::new(namespace.unwrap_or_default(), self.metadata.name.clone())
    }
}
