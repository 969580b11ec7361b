//! Names of new documents.

use std::collections::{BTreeMap, BTreeSet};

use super::Candidate;
use crate::insight::tag_scheme::TagScheme;

/// Names that are taken, and those that were given.
#[derive(Clone, Debug, Default)]
pub struct Names {
    policies: BTreeSet<String>,
    repositories: BTreeSet<String>,
    /// The ImageRepositories that were made, by their images.
    made: BTreeMap<String, String>,
}

impl Names {
    /// Those of documents that are there.
    #[must_use]
    pub fn new(mut policies: BTreeSet<String>, repositories: BTreeSet<String>) -> Self {
        // Files are named by policies, and this one is taken.
        policies.insert("kustomization".to_owned());
        Self {
            policies,
            repositories,
            made: BTreeMap::new(),
        }
    }

    /// The ImageRepository that was made for an image.
    pub(super) fn repository_of(&self, image: &str) -> Option<&str> {
        self.made.get(image).map(String::as_str)
    }

    /// A name for the policy of an image, and for an ImageRepository where one is made with
    /// it: the last part of its path, with more of it where that is taken; for a further
    /// policy of an image with what tells its tags apart.
    pub(super) fn of_policy(&mut self, one: &Candidate, with_repository: bool) -> String {
        let path: Vec<&str> = one.canonical.split('/').skip(1).collect();
        let base = plain(path.last().copied().unwrap_or_default());
        let base = match base.is_empty() {
            true => "image".to_owned(),
            false => base,
        };
        let of_path = (1..=path.len()).map(|parts| plain(&path[path.len() - parts..].join("-")));
        let of_tag = match self.made.get(&one.image) {
            Some(first) => differences(&one.tag, one.is_pinned)
                .into_iter()
                .map(|difference| plain(&format!("{first}-{difference}")))
                .collect(),
            None => Vec::new(),
        };
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let mut wanted = of_tag.into_iter().chain(of_path).chain(numbered);
        let free = wanted.find(|name| !name.is_empty() && self.take(name, with_repository));
        let name = free.unwrap_or(base);
        if with_repository {
            self.made.insert(one.image.clone(), name.clone());
        }
        name
    }

    /// Takes a name for a policy, and for an ImageRepository where one is made.
    fn take(&mut self, name: &str, with_repository: bool) -> bool {
        let is_taken =
            self.policies.contains(name) || (with_repository && self.repositories.contains(name));
        if !is_taken {
            self.policies.insert(name.to_owned());
            if with_repository {
                self.repositories.insert(name.to_owned());
            }
        }
        !is_taken
    }
}

/// What tells the tags of a policy from those of others of the image, in few words.
fn differences(tag: &str, is_pinned: bool) -> Vec<String> {
    let scheme = TagScheme::of(tag);
    let mut words = scheme.family();
    words.extend(scheme.variant());
    let mut all = Vec::new();
    if !words.is_empty() {
        all.push(words.join("-"));
    }
    if let Some(major) = scheme.numbers().first() {
        words.insert(0, (*major).to_owned());
        all.push(words.join("-"));
    }
    if is_pinned {
        all.insert(0, "pinned".to_owned());
    }
    all
}

/// A text as a part of a name (RFC 1123).
fn plain(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let kept = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let kept: String = kept.take(50).collect();
    kept.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut names = Names::default();
        let mut name = |image: &str| names.of_policy(&named(image).expect("an image"), true);
        assert_eq!(name("ghcr.io/acme/app:1"), "app");
        assert_eq!(name("ghcr.io/other/app:1"), "other-app");
        assert_eq!(name("ghcr.io/acme/app:2"), "acme-app");
        assert_eq!(name("ghcr.io/acme/app:3"), "app-2");
        assert_eq!(name("ghcr.io/acme/my_app:1.0"), "my-app");
        // Of files, one has a meaning of its own; of documents, two have one name.
        let mut names = Names::new(BTreeSet::new(), BTreeSet::from(["web".to_owned()]));
        let mut name = |image: &str, with_repository| {
            names.of_policy(&named(image).expect("an image"), with_repository)
        };
        assert_eq!(
            name("ghcr.io/acme/kustomization:1", true),
            "acme-kustomization"
        );
        assert_eq!(name("ghcr.io/acme/web:1", true), "acme-web");
        assert_eq!(name("ghcr.io/acme/web:1", false), "web");
    }
}
