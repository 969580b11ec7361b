//! Kubernetes' label selector (`metav1.LabelSelector`).
//!
//! The one type of Kubernetes that is needed here beyond names: taken from
//! `k8s-openapi` it brought three minutes of compiling with it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::label::{self, BadLabel};

/// All labels and all expressions must hold; an empty selector selects all.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
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

/// A selector that Kubernetes refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// `In` or `NotIn` without values.
    #[error("`values` of `{0}` must not be empty")]
    NoValues(String),
    /// `Exists` or `DoesNotExist` with values.
    #[error("`values` of `{0}` must be empty")]
    Values(String),
    /// What can be no label's.
    #[error(transparent)]
    Label(#[from] BadLabel),
}

impl SelectorError {
    /// What to do about it, where that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Label(label) => label.hint(),
            Self::NoValues(_) | Self::Values(_) => None,
        }
    }
}

impl LabelSelector {
    /// Whether it may be asked at all.
    ///
    /// # Errors
    /// What Flux stalls on (`metav1.LabelSelectorAsSelector`).
    pub fn check(&self) -> Result<(), SelectorError> {
        label::check(&self.match_labels)?;
        self.match_expressions
            .iter()
            .try_for_each(Requirement::check)
    }

    /// Whether labels are selected, by a selector that was checked.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut wanted = self.match_labels.iter();
        wanted.all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|one| one.holds(labels))
    }
}

impl Requirement {
    fn check(&self) -> Result<(), SelectorError> {
        label::check_key(&self.key)?;
        match (self.operator, self.values.is_empty()) {
            (Operator::In | Operator::NotIn, true) => {
                return Err(SelectorError::NoValues(self.key.clone()));
            }
            (Operator::Exists | Operator::DoesNotExist, false) => {
                return Err(SelectorError::Values(self.key.clone()));
            }
            _ => {}
        }
        let mut values = self.values.iter();
        values.try_for_each(|value| Ok(label::check_value(&self.key, value)?))
    }

    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        match self.operator {
            Operator::In => label.is_some_and(|label| self.values.contains(label)),
            Operator::NotIn => label.is_none_or(|label| !self.values.contains(label)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
        }
    }
}
