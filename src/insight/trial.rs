//! What somebody tries out before it is written: other settings of a policy, or other
//! tags.

use std::borrow::Cow;
use std::sync::Arc;

use crate::api::{Id, ImagePolicySpec, OrderChoice, PolicyChoice, SemverChoice};
use crate::documents::Documents;
use crate::selection::resolve;
use crate::selection::tags::{KnownTags, TagBook};
use go_regexp::{Regex, SyntaxError};
use masterminds_semver::{Constraint, ConstraintError};

/// What is tried, in the place of what documents and registries say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// `semver.range`.
    pub range: Option<String>,
    /// `filterTags.pattern`.
    pub pattern: Option<String>,
    /// `filterTags.extract`.
    pub extract: Option<String>,
    /// How tags are compared.
    pub order: Option<TriedOrder>,
    /// All tags of the repository.
    pub tags: Option<Vec<String>>,
}

/// How tags are compared, with `asc` or `desc` where that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriedOrder {
    /// As versions, in the range that the trial or the policy has, or in any.
    Semver,
    /// By bytes.
    Alphabetical(String),
    /// As numbers.
    Numerical(String),
    /// As the policy does, this way round.
    Same(String),
}

/// What cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrial {
    /// `semver.range` is no constraint.
    #[error("`--range`: {0}")]
    Range(ConstraintError),
    /// `filterTags.pattern` is no regular expression.
    #[error("`--pattern`: {0}")]
    Pattern(SyntaxError),
    /// A range and another order.
    #[error("`--range` and `--order` are two ways to compare: give one of them")]
    TwoOrders,
    /// The way round of an order, and there is none.
    #[error(
        "`--order {order}` has no effect on ImagePolicy `{policy}`, which is neither `alphabetical` nor `numerical`\n  hint: write `alphabetical:{order}` or `numerical:{order}`"
    )]
    NoOrder {
        /// As it is written.
        order: String,
        /// The policy.
        policy: Id,
    },
}

/// An order that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no order: write `semver`, `alphabetical[:asc|desc]`, `numerical[:asc|desc]`, `asc` or `desc`"
)]
pub struct BadOrder(String);

impl std::str::FromStr for TriedOrder {
    type Err = BadOrder;

    fn from_str(text: &str) -> Result<Self, BadOrder> {
        let (kind, order) = text.split_once(':').unwrap_or((text, ""));
        let order = order.to_ascii_lowercase();
        let is_known = matches!(order.as_str(), "" | "asc" | "desc");
        match kind.to_ascii_lowercase().as_str() {
            "semver" if order.is_empty() => Ok(Self::Semver),
            "alphabetical" if is_known => Ok(Self::Alphabetical(order)),
            "numerical" if is_known => Ok(Self::Numerical(order)),
            same @ ("asc" | "desc") if order.is_empty() => Ok(Self::Same(same.to_owned())),
            _ => Err(BadOrder(text.to_owned())),
        }
    }
}

impl Trial {
    /// Whether nothing is tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what no policy can be changed to.
    ///
    /// # Errors
    /// What Flux would refuse, and two ways to compare.
    pub fn check(&self) -> Result<(), BadTrial> {
        if let Some(range) = &self.range {
            Constraint::parse(range).map_err(BadTrial::Range)?;
        }
        if let Some(pattern) = &self.pattern {
            Regex::new(pattern).map_err(BadTrial::Pattern)?;
        }
        match (&self.range, &self.order) {
            (Some(_), Some(order)) if *order != TriedOrder::Semver => Err(BadTrial::TwoOrders),
            _ => Ok(()),
        }
    }

    /// Refuses what changes none of some policies.
    ///
    /// # Errors
    /// The way round of an order, where no policy has one.
    pub fn check_for<'p>(
        &self,
        policies: impl IntoIterator<Item = (&'p Id, &'p ImagePolicySpec)>,
    ) -> Result<(), BadTrial> {
        let Some(TriedOrder::Same(order)) = &self.order else {
            return Ok(());
        };
        let mut first = None;
        for (id, spec) in policies {
            // A range counts before an order, as in Flux.
            let choice = &spec.policy;
            let has_order = choice.alphabetical.is_some() || choice.numerical.is_some();
            if choice.semver.is_none() && has_order {
                return Ok(());
            }
            first = first.or(Some(id));
        }
        first.map_or(Ok(()), |policy| {
            Err(BadTrial::NoOrder {
                order: order.clone(),
                policy: policy.clone(),
            })
        })
    }

    /// The documents in which some policies are as they are tried.
    #[must_use]
    pub fn documents<'d>(&self, documents: &'d Documents, policies: &[Id]) -> Cow<'d, Documents> {
        if self.is_empty() {
            return Cow::Borrowed(documents);
        }
        let mut tried = documents.clone();
        for id in policies {
            if let Some(policy) = tried.policies.get_mut(id) {
                self.change(&mut policy.document.spec);
            }
        }
        Cow::Owned(tried)
    }

    /// Changes a policy.
    pub fn change(&self, spec: &mut ImagePolicySpec) {
        let choice = &mut spec.policy;
        match &self.order {
            None => {}
            Some(TriedOrder::Semver) => {
                let range = choice.semver.take();
                let any = || SemverChoice {
                    range: "*".to_owned(),
                };
                *choice = PolicyChoice {
                    semver: Some(range.unwrap_or_else(any)),
                    ..PolicyChoice::default()
                };
            }
            Some(TriedOrder::Alphabetical(order)) => {
                *choice = PolicyChoice {
                    alphabetical: Some(ordered(order)),
                    ..PolicyChoice::default()
                };
            }
            Some(TriedOrder::Numerical(order)) => {
                *choice = PolicyChoice {
                    numerical: Some(ordered(order)),
                    ..PolicyChoice::default()
                };
            }
            Some(TriedOrder::Same(order)) => {
                let by = [&mut choice.alphabetical, &mut choice.numerical];
                by.into_iter()
                    .flatten()
                    .for_each(|by| by.order.clone_from(order));
            }
        }
        if let Some(range) = &self.range {
            *choice = PolicyChoice {
                semver: Some(SemverChoice {
                    range: range.clone(),
                }),
                ..PolicyChoice::default()
            };
        }
        if self.pattern.is_some() || self.extract.is_some() {
            let filter = spec.filter_tags.get_or_insert_default();
            if let Some(pattern) = &self.pattern {
                filter.pattern.clone_from(pattern);
            }
            if let Some(extract) = &self.extract {
                filter.extract.clone_from(extract);
            }
        }
    }

    /// Has the tags that are tried be those of the repositories of some policies.
    pub fn give(&self, documents: &Documents, policies: &[Id], book: &mut TagBook) {
        let Some(tags) = &self.tags else {
            return;
        };
        let known = Arc::new(KnownTags {
            tags: tags.clone(),
            ..KnownTags::default()
        });
        for id in policies {
            let Some(policy) = documents.policies.get(id) else {
                continue;
            };
            if let Ok((id, repository)) = resolve::repository_of(documents, id, &policy.document) {
                book.replace(&id, &repository.spec.image, Arc::clone(&known));
            }
        }
    }
}

fn ordered(order: &str) -> OrderChoice {
    OrderChoice {
        order: order.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        for (text, expected) in [
            ("semver", TriedOrder::Semver),
            ("Numerical", TriedOrder::Numerical(String::new())),
            (
                "alphabetical:desc",
                TriedOrder::Alphabetical("desc".to_owned()),
            ),
            ("ASC", TriedOrder::Same("asc".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "semver:asc", "numerical:up", "newest"] {
            assert!(text.parse::<TriedOrder>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_trial_changes_what_it_names_alone() {
        let mut spec = ImagePolicySpec::default();
        spec.policy.semver = Some(SemverChoice {
            range: "1.x".to_owned(),
        });
        let trial = Trial {
            extract: Some("$v".to_owned()),
            ..Trial::default()
        };
        trial.change(&mut spec);
        assert_eq!(
            spec.policy.semver.as_ref().map(|it| it.range.as_str()),
            Some("1.x")
        );
        assert_eq!(
            spec.filter_tags.as_ref().map(|it| it.extract.as_str()),
            Some("$v")
        );
        let trial = Trial {
            order: Some(TriedOrder::Numerical("desc".to_owned())),
            ..Trial::default()
        };
        trial.change(&mut spec);
        assert_eq!(spec.policy.semver, None);
        assert_eq!(spec.policy.numerical, Some(ordered("desc")));
    }
}
