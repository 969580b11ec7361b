//! `--only`, `--only-image` and webhooks: a run for some policies alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Id;
use crate::binding::marker::{split_digest, split_tag};
use crate::documents::Documents;
use crate::selection::resolve;
use oci_tags::image::Repository;

/// What a run is limited to; with several, to any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Policies.
    pub policies: Vec<Id>,
    /// Images whose policies count.
    pub images: Vec<ImageSubject>,
}

/// An image as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSubject {
    /// A repository, with or without a tag.
    Image(String),
    /// All images of a project, whatever the registry's host: the path and
    /// what is below it.
    Project(String),
    /// An image in a repository of a server that names no host: by its path, as
    /// it is or behind the repository's name.
    Hosted {
        /// The server's name for the repository.
        repository: String,
        /// The image's path in it.
        name: String,
    },
}

/// A name that nothing answers to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// No such policy.
    #[error("no ImagePolicy `{0}` is known; there is {1}")]
    Policy(Id, String),
    /// No ImageRepository has the image.
    #[error("no ImageRepository has the image `{}`; there is {}", _0.escape_debug(), _1)]
    Image(String, String),
}

impl Only {
    /// The policies that count; `None` for all.
    ///
    /// # Errors
    /// A name that nothing answers to, with those that are known.
    pub fn limit(&self, documents: &Documents) -> Result<Option<BTreeSet<Id>>, NoTarget> {
        if self.policies.is_empty() && self.images.is_empty() {
            return Ok(None);
        }
        let (policies, _) = self.targets(documents)?;
        Ok(Some(policies))
    }

    /// The policies that count, and the ImageRepositories that the images name.
    ///
    /// # Errors
    /// A name that nothing answers to, with those that are known.
    pub fn targets(&self, documents: &Documents) -> Result<(BTreeSet<Id>, BTreeSet<Id>), NoTarget> {
        let mut policies = BTreeSet::new();
        for id in &self.policies {
            if !documents.policies.contains_key(id) {
                let known = documents.policies.keys().map(Id::to_string);
                return Err(NoTarget::Policy(id.clone(), listed(known)));
            }
            policies.insert(id.clone());
        }
        let images = Images::of(documents);
        let mut repositories = BTreeSet::new();
        for subject in &self.images {
            let found = images.of_subject(subject);
            repositories.extend(found.iter().map(|id| (*id).clone()));
            if found.is_empty() {
                let all = documents.repositories.values();
                let known = all.map(|known| known.document.spec.image.clone());
                return Err(NoTarget::Image(subject.shown().to_owned(), listed(known)));
            }
        }
        for (id, policy) in &documents.policies {
            let repository = resolve::repository_of(documents, id, &policy.document);
            if repository.is_ok_and(|(repository, _)| repositories.contains(&repository)) {
                policies.insert(id.clone());
            }
        }
        Ok((policies, repositories))
    }
}

fn listed(known: impl Iterator<Item = String>) -> String {
    let known: BTreeSet<String> = known.map(|name| format!("`{name}`")).collect();
    if known.is_empty() {
        return "none".to_owned();
    }
    known.into_iter().collect::<Vec<String>>().join(", ")
}

/// The ImageRepositories by what their images are called, so that each name is
/// looked up and not compared with all.
#[derive(Default)]
struct Images<'c> {
    by_name: BTreeMap<String, Vec<&'c Id>>,
    by_path: BTreeMap<String, Vec<&'c Id>>,
}

impl<'c> Images<'c> {
    fn of(documents: &'c Documents) -> Self {
        let repositories = documents.repositories.iter();
        Self::named(repositories.map(|(id, known)| (id, known.document.spec.image.as_str())))
    }

    fn named<'i>(repositories: impl Iterator<Item = (&'c Id, &'i str)>) -> Self {
        let mut images = Self::default();
        for (id, image) in repositories {
            let Ok(known) = Repository::parse(image) else {
                continue;
            };
            let path = known.path().to_owned();
            images.by_path.entry(path).or_default().push(id);
            images
                .by_name
                .entry(known.canonical())
                .or_default()
                .push(id);
        }
        images
    }

    /// Those that are meant.
    fn of_subject(&self, subject: &ImageSubject) -> Vec<&'c Id> {
        match subject {
            ImageSubject::Image(name) => {
                let named = Repository::parse(without_tag(name)).ok();
                let found = named.and_then(|named| self.by_name.get(&named.canonical()));
                found.cloned().unwrap_or_default()
            }
            ImageSubject::Project(path) => {
                let path = path.to_ascii_lowercase();
                let below = format!("{path}/");
                let behind = self.by_path.range(below.clone()..);
                let behind = behind.take_while(|(path, _)| path.starts_with(&below));
                let own = self.by_path.get(&path).into_iter();
                let all = own.chain(behind.map(|(_, ids)| ids));
                all.flatten().copied().collect()
            }
            ImageSubject::Hosted { repository, name } => {
                // By a port or host of its own, by `NAME/…`, and by
                // `repository/NAME/…`, as the server routes.
                let mut paths =
                    BTreeSet::from([name.clone(), format!("repository/{repository}/{name}")]);
                if repository != "repository" {
                    paths.insert(format!("{repository}/{name}"));
                }
                let all = paths.iter().filter_map(|path| self.by_path.get(path));
                all.flatten().copied().collect()
            }
        }
    }
}

impl ImageSubject {
    /// An image in a repository of a server.
    #[must_use]
    pub fn hosted(repository: &str, name: &str) -> Self {
        Self::Hosted {
            repository: repository.to_owned(),
            name: name.to_owned(),
        }
    }

    /// As it was named.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self {
            Self::Image(name) | Self::Project(name) | Self::Hosted { name, .. } => name,
        }
    }
}

/// A name without its tag and digest.
fn without_tag(name: &str) -> &str {
    split_tag(split_digest(name).0).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(subject: &ImageSubject, image: &str) -> bool {
        let id = Id::new("ns", "app");
        let images = Images::named(std::iter::once((&id, image)));
        !images.of_subject(subject).is_empty()
    }

    #[test]
    fn a_project_is_a_path_and_what_is_below_it() {
        let project = ImageSubject::Project("Acme/app".to_owned());
        for (image, expected) in [
            ("ghcr.io/acme/app", true),
            ("gitlab.example:5050/acme/app/web", true),
            ("ghcr.io/acme/app-2", false),
            ("ghcr.io/acme", false),
            ("ghcr.io/my/acme/app", false),
        ] {
            assert_eq!(is(&project, image), expected, "{image}");
        }
    }

    /// The ways to an image of a Nexus repository: a port or host of its own, and
    /// paths that begin with the repository's name.
    #[test]
    fn an_image_of_a_server_that_names_no_host() {
        let pushed = ImageSubject::hosted("docker-hosted", "acme/app");
        for (image, expected) in [
            ("nexus.example:5000/acme/app", true),
            ("docker.nexus.example/acme/app", true),
            ("nexus.example/docker-hosted/acme/app", true),
            ("nexus.example/repository/docker-hosted/acme/app", true),
            ("nexus.example/docker-proxy/acme/app", false),
            ("nexus.example/docker-hostedacme/app", false),
            ("nexus.example:5000/other/acme/app", false),
            ("nexus.example:5000/acme/app/more", false),
            ("nexus.example:5000/acme/my-app", false),
            ("nexus.example:5000/app", false),
        ] {
            assert_eq!(is(&pushed, image), expected, "{image}");
        }
        let app = ImageSubject::hosted("r", "app");
        assert!(is(&app, "nexus.example:5000/app"));
        assert!(!is(&app, "nexus.example:5000/myapp"));
    }
}
