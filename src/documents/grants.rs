//! Which namespaces an ImageRepository lets in (`accessFrom`).
//!
//! Flux's rule: without `accessFrom` nobody of another namespace, else who has all
//! labels of one of its selectors. A repository may have thousands of selectors,
//! for as many namespaces, so they are looked up by a label and not tried one by
//! one.

use std::collections::BTreeMap;

use crate::api::AccessFrom;
use yaml_edit_spans::work;

type NamespaceLabels = BTreeMap<String, String>;

/// The selectors of an ImageRepository.
#[derive(Clone, Debug, Default)]
pub(super) struct Grants {
    /// A selector without labels, which selects every namespace.
    everybody: bool,
    /// The others, each by the one of its labels that the fewest have.
    by_label: BTreeMap<(String, String), Vec<NamespaceLabels>>,
}

impl Grants {
    /// Those of `accessFrom`.
    #[must_use]
    pub(super) fn of(access: &AccessFrom) -> Self {
        let mut grants = Self::default();
        let all = || access.namespace_selectors.iter();
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (key, value) in all().flat_map(|selector| &selector.match_labels) {
            *counts.entry((key, value)).or_default() += 1;
        }
        for selector in all() {
            let labels = &selector.match_labels;
            let how_often = |(key, value): &(&String, &String)| {
                counts.get(&(key.as_str(), value.as_str())).copied()
            };
            match labels.iter().min_by_key(how_often) {
                None => grants.everybody = true,
                Some((key, value)) => {
                    let known = grants.by_label.entry((key.clone(), value.clone()));
                    known.or_default().push(labels.clone());
                }
            }
        }
        grants
    }

    /// Whether a namespace with these labels is let in.
    #[must_use]
    pub(super) fn lets_in(&self, labels: &BTreeMap<&str, &str>) -> bool {
        let has =
            |(key, value): (&String, &String)| labels.get(key.as_str()) == Some(&value.as_str());
        self.everybody
            || labels.iter().any(|(key, value)| {
                let found = self.by_label.get(&((*key).to_owned(), (*value).to_owned()));
                let mut found = found.into_iter().flatten();
                found.any(|selector| {
                    work::count(selector.len());
                    selector.iter().all(has)
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::NamespaceSelector;

    #[test]
    fn who_has_all_labels_of_one_selector() {
        let team = ("team", "a");
        for (selectors, labels, expected) in [
            (&[][..], &[team][..], false),
            (&[&[][..]], &[], true),
            (&[&[team]], &[team], true),
            (&[&[team]], &[("team", "b")], false),
            (&[&[team]], &[("a", "team")], false),
            (&[&[team, ("tier", "gold")]], &[team], false),
            (
                &[&[team, ("tier", "gold")]],
                &[team, ("tier", "gold")],
                true,
            ),
            (&[&[("x", "y")], &[team]], &[team], true),
            (
                &[&[team, ("x", "1")], &[team, ("x", "2")]],
                &[team, ("x", "2")],
                true,
            ),
            (
                &[&[team, ("x", "1")], &[team, ("x", "2")]],
                &[team, ("x", "3")],
                false,
            ),
        ] {
            let selector = |labels: &&[(&str, &str)]| NamespaceSelector {
                match_labels: labels
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            };
            let access = AccessFrom {
                namespace_selectors: selectors.iter().map(selector).collect(),
            };
            let labels = labels.iter().copied().collect();
            assert_eq!(
                Grants::of(&access).lets_in(&labels),
                expected,
                "{selectors:?} {labels:?}"
            );
        }
    }
}
