//! Kubernetes' label selector (`metav1.LabelSelector`).
//!
//! The one type of Kubernetes that is needed here beyond names: taken from
//! `k8s-openapi` it brought three minutes of compiling with it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All labels and all expressions must hold; an empty selector selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// An entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what: needed for `In` and `NotIn`, refused for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// `operator` of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is absent.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// A requirement whose values do not fit its operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// `In` or `NotIn` without values.
    #[error("`values` of `{0}` must not be empty")]
    NoValues(String),
    /// `Exists` or `DoesNotExist` with values.
    #[error("`values` of `{0}` must be empty")]
    Values(String),
}

impl LabelSelector {
    /// Whether labels are selected.
    ///
    /// # Errors
    /// What the API server would refuse
    /// (`metav1.LabelSelectorAsSelector`).
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> Result<bool, SelectorError> {
        let mut all = self
            .match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value));
        for requirement in &self.match_expressions {
            all &= requirement.holds(labels)?;
        }
        Ok(all)
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> Result<bool, SelectorError> {
        let label = labels.get(&self.key);
        match (self.operator, self.values.is_empty()) {
            (Operator::In | Operator::NotIn, true) => {
                Err(SelectorError::NoValues(self.key.clone()))
            }
            (Operator::Exists | Operator::DoesNotExist, false) => {
                Err(SelectorError::Values(self.key.clone()))
            }
            (Operator::In, _) => Ok(label.is_some_and(|label| self.values.contains(label))),
            (Operator::NotIn, _) => Ok(label.is_none_or(|label| !self.values.contains(label))),
            (Operator::Exists, _) => Ok(label.is_some()),
            (Operator::DoesNotExist, _) => Ok(label.is_none()),
        }
    }
}
