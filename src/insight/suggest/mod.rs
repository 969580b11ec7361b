//! Policies for images that nobody updates: from the value that is there and the tags that
//! there are, documents that keep the variant, the prefix and the scheme of the tag.
//!
//! A suggestion is proved before it is made: the policy is run on the tags, and today's
//! value must be among what it accepts. Where a policy is there already that accepts it, the
//! value is to be marked with that.

mod candidates;
mod file_list;
mod hints;
mod kin;
mod markers;
mod names;
mod proof;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use self::proof::{Proved, Refused};
use crate::api::{Id, ImagePolicySpec};
use crate::insight::tag_scheme::PolicyScheme;
use crate::policy::funnel::Funnel;
use go_regexp::Budget;

pub use self::candidates::{Candidate, Candidates, candidates, named};
pub use self::file_list::resources;
pub use self::markers::{Unmarkable, Unmarked, markers};
pub use self::names::Names;

/// A policy for an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// The image, without tag.
    pub image: String,
    /// The tag that is there now.
    pub tag: String,
    /// Name of the ImagePolicy, and of the ImageRepository where one is made with it; empty
    /// where there is none.
    pub name: String,
    /// The ImagePolicy that is there already and accepts the tag, `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<String>,
    /// The ImageRepository that is there already, or made with another policy,
    /// `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub policy: Option<ImagePolicySpec>,
    /// The first tags that it would choose, the latest first; none where no tags are known.
    pub chooses: Vec<String>,
    /// How many tags are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<usize>,
    /// Why there is no policy, or what to know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What would make one possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where it is, as `file:line:column`.
    pub at: Vec<String>,
    /// The values.
    #[serde(skip)]
    #[schemars(skip)]
    pub values: Vec<Candidate>,
}

/// Groups candidates by image and by how their tags are made; of one image the groups of the
/// most values come first.
#[must_use]
pub fn group(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: BTreeMap<(String, bool, String), Vec<Candidate>> = BTreeMap::new();
    for one in candidates {
        let scheme = match PolicyScheme::of(&one.tag) {
            Ok(scheme) => format!("{scheme:?}"),
            Err(_) => one.tag.clone(),
        };
        groups
            .entry((one.image.clone(), one.is_pinned, scheme))
            .or_default()
            .push(one);
    }
    let mut groups: Vec<Vec<Candidate>> = groups.into_values().collect();
    let image = |group: &[Candidate]| group.first().map(|one| one.image.clone());
    groups.sort_by(|a, b| (image(a).cmp(&image(b))).then(b.len().cmp(&a.len())));
    groups
}

/// What is known of an image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'k> {
    /// Its tags, where they are known.
    pub tags: Option<&'k [String]>,
    /// The ImageRepository that the policy may name.
    pub repository: Option<&'k Id>,
    /// The `exclusionList` of that.
    pub exclusions: &'k [String],
    /// The policies that it has.
    pub policies: &'k [KnownPolicy<'k>],
}

/// A policy of an image.
#[derive(Clone, Copy, Debug)]
pub struct KnownPolicy<'k> {
    /// Its name.
    pub id: &'k Id,
    /// What it says.
    pub spec: &'k ImagePolicySpec,
    /// `spec.image` of its ImageRepository.
    pub image: &'k str,
    /// The `exclusionList` of that.
    pub exclusions: &'k [String],
}

impl KnownPolicy<'_> {
    /// Whether values may be marked with the policy: their tags are among those that it
    /// orders, the markers would change nothing else, and it goes where `own` would, which is
    /// what would be suggested without it.
    fn serves(&self, values: &[Candidate], own: &Proved, tags: Option<&[String]>) -> bool {
        let digests = self.spec.digest_reflection_policy.as_deref();
        let has_digests = matches!(digests, Some("Always" | "IfNotPresent"));
        let keeps = |one: &Candidate| one.keeps_name_of(self.image) && one.is_pinned == has_digests;
        let Ok(policy) = self.spec.checked() else {
            return false;
        };
        let today: Vec<String> = values.iter().map(|one| one.tag.clone()).collect();
        let tags = tags.unwrap_or(&today);
        let funnel = Funnel::of(&policy, self.exclusions, tags, &mut Budget::default());
        let Ok(funnel) = funnel else {
            return false;
        };
        let ranked: BTreeSet<&str> = funnel.ranked().map(|one| one.tag.as_str()).collect();
        let takes = values
            .iter()
            .all(|one| ranked.contains(one.tag.as_str()) && keeps(one));
        let is_own =
            || self.spec.policy == own.spec.policy && self.spec.filter_tags == own.spec.filter_tags;
        let latest = funnel.ranked().next();
        takes && (is_own() || latest.is_some_and(|one| own.accepted.contains(&one.tag)))
    }
}

/// The suggestions for values of one image whose tags are made alike: one, or more where no
/// policy takes all of them. Documents are named in `namespace`, and their `names` are added.
#[must_use]
pub fn suggest(
    values: Vec<Candidate>,
    known: &Known<'_>,
    namespace: &str,
    names: &mut Names,
) -> Vec<Suggestion> {
    let (mut all, mut left) = (Vec::new(), values);
    while let Some(first) = left.first().cloned() {
        let own: BTreeSet<String> = left.iter().map(|one| one.tag.clone()).collect();
        let found = match first.tag.is_empty() && first.is_pinned {
            true => Err(without_tag()),
            false => Proved::of(&first.tag, own, known),
        };
        let is_taken = |one: &Candidate| match &found {
            Ok(proved) => proved.accepted.contains(&one.tag),
            Err(refused) if refused.is_of_scheme => {
                let is_listed = || known.tags.is_none_or(|tags| tags.contains(&one.tag));
                one.tag == first.tag || (is_alike(&one.tag, &first.tag) && is_listed())
            }
            Err(_) => one.tag == first.tag,
        };
        let (values, others) = left.into_iter().partition(is_taken);
        left = others;
        let mut told = Suggestion::of(&first, values, known);
        match found {
            Ok(proved) => told.add(&first, proved, (known, namespace), names),
            Err(refused) => told.refuse(refused),
        }
        all.push(told);
    }
    all
}

fn without_tag() -> Refused {
    let why = "a digest without a tag: nothing tells which tag it was".to_owned();
    let hint = "write the tag before it, as `name:tag@sha256:…`, and ask again";
    Refused::new(why, Some(hint.to_owned()))
}

/// Whether the same policies are tried for two tags.
fn is_alike(tag: &str, other: &str) -> bool {
    PolicyScheme::choices(tag) == PolicyScheme::choices(other)
}

impl Suggestion {
    fn of(first: &Candidate, values: Vec<Candidate>, known: &Known<'_>) -> Self {
        Self {
            image: first.image.clone(),
            tag: first.tag.clone(),
            tags: known.tags.map(<[String]>::len),
            at: (values.iter())
                .filter(|one| !one.location.file.is_empty())
                .map(|one| one.location.to_string())
                .collect(),
            values,
            ..Self::default()
        }
    }

    fn refuse(&mut self, refused: Refused) {
        self.why = Some(refused.why);
        self.hint = refused.hint;
    }

    /// Adds a policy: the one that is there, or a new one.
    fn add(
        &mut self,
        first: &Candidate,
        proved: Proved,
        (known, namespace): (&Known<'_>, &str),
        names: &mut Names,
    ) {
        let there = known.policies.iter();
        let there = there.filter(|policy| policy.serves(&self.values, &proved, known.tags));
        let ids: Vec<String> = there.map(|policy| policy.id.to_string()).collect();
        match ids.as_slice() {
            [] => {}
            [id] => {
                self.existing = Some(id.clone());
                self.chooses = proved.chooses;
                return;
            }
            ids => {
                let ids: Vec<String> = ids.iter().take(4).map(|id| format!("`{id}`")).collect();
                let why = format!("several ImagePolicies accept it: {}", ids.join(", "));
                let hint = "mark it with the one that is meant".to_owned();
                return self.refuse(Refused::new(why, Some(hint)));
            }
        }
        let mut spec = proved.spec;
        if first.is_pinned {
            spec.digest_reflection_policy = Some("IfNotPresent".to_owned());
        }
        self.chooses = proved.chooses;
        self.hint = proved.hint.or_else(|| self.several_tags());
        let made = names.repository_of(&first.image);
        let made = made.map(|name| Id::new(namespace, name));
        let repository = known.repository.or(made.as_ref());
        self.name = names.of_policy(first, repository.is_none());
        self.repository = repository.map(Id::to_string);
        spec.image_repository_ref.name = match repository {
            Some(id) => id.name.clone(),
            None => self.name.clone(),
        };
        spec.image_repository_ref.namespace = repository.map(|id| id.namespace.clone());
        self.policy = Some(spec);
    }

    /// That values with different tags get one.
    fn several_tags(&self) -> Option<String> {
        let tags: BTreeSet<&str> = self.values.iter().map(|one| one.tag.as_str()).collect();
        let shown: Vec<String> = tags.iter().take(4).map(|tag| format!("`{tag}`")).collect();
        (tags.len() > 1).then(|| {
            format!(
                "its values have different tags ({}) and would get the same: write a policy of its own for one that is to stay behind",
                shown.join(", ")
            )
        })
    }

    /// The ImagePolicy that values are to be marked with, `namespace:name`; `None` where there
    /// is none.
    #[must_use]
    pub fn marked_with(&self, namespace: &str) -> Option<String> {
        let made = || {
            self.policy
                .as_ref()
                .map(|_| format!("{namespace}:{}", self.name))
        };
        self.existing.clone().or_else(made)
    }

    /// The documents, in YAML; empty where there are none.
    #[must_use]
    pub fn documents(&self, namespace: &str) -> String {
        let Some(spec) = &self.policy else {
            return String::new();
        };
        let metadata = serde_json::json!({"name": self.name, "namespace": namespace});
        let mut out = String::new();
        if self.repository.is_none() {
            out.push_str(&yaml_edit_spans::emit::document(&serde_json::json!({
                "apiVersion": "image.toolkit.fluxcd.io/v1",
                "kind": "ImageRepository",
                "metadata": metadata,
                "spec": {"image": self.image, "interval": "1h"},
            })));
            out.push_str("---\n");
        }
        let mut spec = spec.clone();
        let reference = &mut spec.image_repository_ref;
        if reference.namespace.as_deref() == Some(namespace) {
            reference.namespace = None;
        }
        out.push_str(&yaml_edit_spans::emit::document(&serde_json::json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImagePolicy",
            "metadata": metadata,
            "spec": spec,
        })));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "flux-system";

    fn told_of(value: Candidate, tags: Option<&[String]>) -> Suggestion {
        let known = Known {
            tags,
            ..Known::default()
        };
        let mut all = suggest(vec![value], &known, NAMESPACE, &mut Names::default());
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// The images of the first seed, with how their tags go on, and what would be a trap.
    #[test]
    fn the_images_of_a_home_are_kept_to_their_schemes() {
        for (image, next, trap) in [
            ("ollama/ollama:0.14.2", "0.14.3", "0.15.0-rc1"),
            (
                "ghcr.io/open-webui/open-webui:v0.7.2",
                "v0.8.0",
                "v0.8.0-cuda",
            ),
            (
                "ghcr.io/home-assistant/home-assistant:2026.1.2",
                "2027.1.0",
                "2026.2.0b3",
            ),
            ("n8nio/n8n:2.5.0", "2.6.0", "2.6.0-exp.0"),
            ("docker.io/apache/tika:3.2.3.0", "3.2.3.1", "3.2.3.0-full"),
            ("busybox:1.37", "1.38", "1.38-musl"),
            (
                "ghcr.io/immich-app/immich-machine-learning:v2.4.1-cuda",
                "v2.5.0-cuda",
                "v2.5.0",
            ),
            (
                "ghcr.io/hotio/radarr:release-6.0.4.10291",
                "release-6.0.10.10300",
                "testing-6.1.0.1",
            ),
            (
                "ghcr.io/hotio/bazarr:release-1.5.4",
                "release-1.5.10",
                "nightly-9.9.9",
            ),
            (
                "minio/minio:RELEASE.2025-09-07T16-13-09Z",
                "RELEASE.2025-10-01T00-00-00Z",
                "RELEASE.2025-10-02T00-00-00Z-cpuv1",
            ),
            (
                "corentinth/it-tools:v2024.10.22-7ca5933",
                "v2025.1.2-0a1b2c3",
                "nightly-2025.1.2",
            ),
        ] {
            let value = named(image).expect("an image");
            let tags = [value.tag.clone(), next.to_owned(), trap.to_owned()];
            let told = told_of(value, Some(&tags));
            assert_eq!(told.why, None, "{image}");
            assert_eq!(
                told.chooses.first().map(String::as_str),
                Some(next),
                "{image}"
            );
            assert!(!told.chooses.contains(&trap.to_owned()), "{image}");
        }
        let told = told_of(
            named("ghcr.io/gabe565/obico/web:release").expect("an image"),
            None,
        );
        assert!(told.why.expect("why").starts_with("not sortable"));
        let told = told_of(named("ghcr.io/acme/app:8f2c1d9").expect("an image"), None);
        assert!(told.hint.expect("a hint").contains("RUN_NUMBER"));
    }

    /// Images with all tags: what is chosen, in which order; or why nothing is.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn no_tag_collides_and_the_order_is_that_of_the_builds() {
        for (today, others, expected) in [
            (
                "7.2.4-debian-12-r5",
                &[
                    "7.2.4-debian-12-r10",
                    "7.2.4-debian-12-r9",
                    "8.0.0-debian-12-r0",
                ][..],
                Ok(&[
                    "7.2.4-debian-12-r10",
                    "7.2.4-debian-12-r9",
                    "7.2.4-debian-12-r5",
                ][..]),
            ),
            (
                "4.0.1-ls299",
                &["4.0.1-ls300", "4.0.2-ls301", "5.0.0-ls302"],
                Ok(&["4.0.2-ls301", "4.0.1-ls300", "4.0.1-ls299"]),
            ),
            (
                "1.27.3-alpine3.19",
                &[
                    "1.27.3-alpine3.20",
                    "1.27.4-alpine3.19",
                    "1.27.4-alpine3.20",
                ],
                Ok(&["1.27.4-alpine3.19", "1.27.3-alpine3.19"]),
            ),
            (
                "v1.27.3-k3s1",
                &["v1.27.3-k3s2"],
                Ok(&["v1.27.3-k3s2", "v1.27.3-k3s1"]),
            ),
            (
                "6.0.4.10291",
                &["6.1.0.10300", "7.0.0.1"],
                Ok(&["6.1.0.10300", "6.0.4.10291"]),
            ),
            (
                "14-vectorchord0.4.3",
                &[
                    "14-vectorchord0.4.10",
                    "15-vectorchord0.4.10",
                    "16-vectorchord0.5.0",
                ],
                Ok(&["14-vectorchord0.4.10", "14-vectorchord0.4.3"]),
            ),
            ("20-alpine", &["22-alpine"], Err("a major version")),
            ("8-jdk17", &["8-jdk21"], Err("a major version")),
            ("15-3.4", &["15-3.5", "16-3.5"], Ok(&["15-3.5", "15-3.4"])),
            ("8", &["9", "20240101", "1700000000"], Ok(&["9", "8"])),
            (
                "build-8",
                &["build-10", "build-20240101"],
                Ok(&["build-10", "build-8"]),
            ),
            // What goes on keeps growing.
            (
                "8",
                &["7", "9", "10", "11"],
                Ok(&["11", "10", "9", "8", "7"]),
            ),
            (
                "123",
                &["124", "1000", "20240101"],
                Ok(&["1000", "124", "123"]),
            ),
            ("v8", &["v9", "v10"], Ok(&["v10", "v9", "v8"])),
            // Whole versions tell that the number is a major one.
            ("16", &["17", "18", "16.4", "18.0"], Err("a major version")),
            ("v1", &["v2", "v1.2.3"], Err("a major version")),
            // Digits of a hash are none of the number.
            (
                "main-abcdef1-1700000000",
                &["main-123456a-1700000100"],
                Ok(&["main-123456a-1700000100", "main-abcdef1-1700000000"]),
            ),
            (
                "main-abcdef1-10",
                &["main-12cdef0-100"],
                Ok(&["main-12cdef0-100", "main-abcdef1-10"]),
            ),
            // A hash may have digits alone.
            (
                "main-1234567-1700000000",
                &["main-abcdef1-1700000100"],
                Ok(&["main-abcdef1-1700000100", "main-1234567-1700000000"]),
            ),
            (
                "1.2.3-1234567",
                &["1.2.4-abcdef1"],
                Ok(&["1.2.4-abcdef1", "1.2.3-1234567"]),
            ),
            (
                "prod-1234567-20240101120000",
                &["prod-abcdef1-20240201120000"],
                Ok(&["prod-abcdef1-20240201120000", "prod-1234567-20240101120000"]),
            ),
            (
                "45-1234567",
                &["46-abcdef1"],
                Ok(&["46-abcdef1", "45-1234567"]),
            ),
            // The version of a base may go on, that of a language or a database may not.
            (
                "6.6.2-php8.3-apache",
                &["6.7.0-php8.4-apache", "6.6.3-php8.3-apache"],
                Ok(&["6.6.3-php8.3-apache", "6.6.2-php8.3-apache"]),
            ),
            (
                "2.479.1-lts-jdk17",
                &["2.492.1-lts-jdk21"],
                Ok(&["2.479.1-lts-jdk17"]),
            ),
            (
                "2.29.2-pg17",
                &["2.30.0-pg18", "2.30.0-pg17"],
                Ok(&["2.30.0-pg17", "2.29.2-pg17"]),
            ),
            (
                "2024w41",
                &["2024w42", "2025w02"],
                Ok(&["2025w02", "2024w42", "2024w41"]),
            ),
            ("1.2.3.4.5", &["1.2.3.4.6"], Err("more than four numbers")),
            ("pr-12", &["pr-13"], Err("a pull request")),
            (
                "git-1234567",
                &["git-abcdef1", "git-7654321"],
                Err("a commit's hash"),
            ),
            ("12345678", &["abcdef12"], Err("a commit's hash")),
            ("r99", &["r100"], Ok(&["r100", "r99"])),
            ("b42", &["b43"], Ok(&["b43", "b42"])),
            (
                "3.9-eclipse-temurin-17",
                &["3.9-eclipse-temurin-21", "3.10-eclipse-temurin-17"],
                Ok(&["3.10-eclipse-temurin-17", "3.9-eclipse-temurin-17"]),
            ),
            (
                "1.16.0-otp-26-alpine",
                &["1.16.1-otp-27-alpine", "1.16.1-otp-26-alpine"],
                Ok(&["1.16.1-otp-26-alpine", "1.16.0-otp-26-alpine"]),
            ),
            (
                "1.2.3-arm32v6",
                &["1.2.4-arm32v7", "1.2.4-arm32v6"],
                Ok(&["1.2.4-arm32v6", "1.2.3-arm32v6"]),
            ),
            (
                "1.2.3-thing-4",
                &["1.2.4-thing-5", "1.2.4-thing-4"],
                Ok(&["1.2.4-thing-4", "1.2.3-thing-4"]),
            ),
            (
                "1.2.3-k8s1.28",
                &["1.2.4-k8s1.29", "1.2.4-k8s1.28"],
                Ok(&["1.2.4-k8s1.28", "1.2.3-k8s1.28"]),
            ),
            (
                "1.2.3-debian-11",
                &["1.2.4-debian-12"],
                Ok(&["1.2.4-debian-12", "1.2.3-debian-11"]),
            ),
            (
                "pr-213-0a1b2c3-20240101120000",
                &[
                    "pr-214-0a1b2c3-20240102120000",
                    "pr-213-1a1b2c3-20240102120000",
                ],
                Ok(&[
                    "pr-213-1a1b2c3-20240102120000",
                    "pr-213-0a1b2c3-20240101120000",
                ]),
            ),
            (
                "20240801T124310Z-0a1b2c3",
                &["20240802T024310Z-1a1b2c3", "20240801T124311Z-1a1b2c3"],
                Ok(&[
                    "20240802T024310Z-1a1b2c3",
                    "20240801T124311Z-1a1b2c3",
                    "20240801T124310Z-0a1b2c3",
                ]),
            ),
            // A word that is neither a variant nor a base counts builds.
            (
                "v1.2.3-etke53",
                &["v1.2.4-etke54", "v1.2.3-etke60"],
                Ok(&["v1.2.4-etke54", "v1.2.3-etke60", "v1.2.3-etke53"]),
            ),
            (
                "4.9.0.1-2.12.0-0a1b2c3",
                &["4.9.1.1-2.13.0-1a1b2c3"],
                Ok(&["4.9.1.1-2.13.0-1a1b2c3", "4.9.0.1-2.12.0-0a1b2c3"]),
            ),
            (
                "1.2.3-cu121",
                &["1.2.4-cu124", "1.2.4-cu121"],
                Ok(&["1.2.4-cu121", "1.2.3-cu121"]),
            ),
            (
                "release_1_2_3",
                &["release_1_10_0", "release_2_0_0"],
                Ok(&["release_1_10_0", "release_1_2_3"]),
            ),
            (
                "20241124.1",
                &["20241124.10", "20241124.9", "20250101.1"],
                Ok(&["20250101.1", "20241124.10", "20241124.9", "20241124.1"]),
            ),
            (
                "2024-11-24-2",
                &["2024-11-24-10", "2025-01-01-1"],
                Ok(&["2025-01-01-1", "2024-11-24-10", "2024-11-24-2"]),
            ),
            (
                "main-20241124-abc1234",
                &["main-20241124-0000abc"],
                Err("builds of one day cannot be told apart"),
            ),
            (
                "v0.0.0-20240101120000-abcdef123456",
                &["v0.0.0-20240201120000-0bcdef123456"],
                Ok(&[
                    "v0.0.0-20240201120000-0bcdef123456",
                    "v0.0.0-20240101120000-abcdef123456",
                ]),
            ),
            (
                "1.2.3-beta9",
                &[
                    "1.2.3-beta10",
                    "1.2.3-alpha11",
                    "1.2.3-beta10-alpine",
                    "1.2.2",
                    "2.0.0-beta1",
                ],
                Ok(&["1.2.3-beta10", "1.2.3-beta9", "1.2.2"]),
            ),
            (
                "1.2.3-rc.1",
                &["1.2.3-rc.10", "1.2.3", "1.2.4-dev.1", "1.2.3-rc.10-alpine"],
                Ok(&["1.2.3", "1.2.3-rc.10", "1.2.3-rc.1"]),
            ),
            (
                "2026.2.0b9",
                &["2026.2.0b10"],
                Ok(&["2026.2.0b10", "2026.2.0b9"]),
            ),
            (
                "1.2.3-rc.1-alpine",
                &["1.2.3-rc.10-alpine", "1.2.3-rc.11"],
                Ok(&["1.2.3-rc.10-alpine", "1.2.3-rc.1-alpine"]),
            ),
            (
                "1.2.3-20241124.2",
                &["1.2.3-20241124.10", "1.2.3-20241125.1"],
                Ok(&["1.2.3-20241125.1", "1.2.3-20241124.10", "1.2.3-20241124.2"]),
            ),
            (
                "v1.2.3-0.20240101120000-abcdef123456",
                &["v1.2.3-0.20240201120000-0bcdef123456"],
                Ok(&[
                    "v1.2.3-0.20240201120000-0bcdef123456",
                    "v1.2.3-0.20240101120000-abcdef123456",
                ]),
            ),
            (
                "1.2.3-20241124.103000",
                &["1.2.3-20241125.093000", "1.2.3-20241124.113000"],
                Ok(&[
                    "1.2.3-20241125.093000",
                    "1.2.3-20241124.113000",
                    "1.2.3-20241124.103000",
                ]),
            ),
            (
                "20241124.1030",
                &["20241125.0930", "20241124.1130"],
                Ok(&["20241125.0930", "20241124.1130", "20241124.1030"]),
            ),
            (
                "3.2.1-node18.19",
                &["3.2.1-node20.1", "3.2.2-node18.19"],
                Ok(&["3.2.2-node18.19", "3.2.1-node18.19"]),
            ),
            (
                "24.04",
                &["24.4"],
                Err("nothing that can be compared tells"),
            ),
            ("1.2.3-r10", &["1.3.0-r01"], Ok(&["1.3.0-r01", "1.2.3-r10"])),
            (
                "90071992547409920",
                &["90071992547409921"],
                Ok(&["90071992547409921", "90071992547409920"]),
            ),
            ("24.04", &["24.10", "22.04"], Ok(&["24.10", "24.04"])),
            (
                "v2024.10.22-7ca5933",
                &["v2024.10.22-0a1b2c3"],
                Err("nothing that can be compared tells"),
            ),
        ] {
            let value = named(&format!("ghcr.io/acme/app:{today}")).expect("an image");
            let mut tags: Vec<String> = others.iter().map(|tag| (*tag).to_owned()).collect();
            tags.push(today.to_owned());
            let told = told_of(value, Some(&tags));
            match expected {
                Ok(order) => {
                    assert_eq!(told.why, None, "{today}");
                    assert_eq!(told.chooses, order, "{today}: {:?}", told.policy);
                }
                Err(why) => {
                    assert!(
                        told.why.as_deref().unwrap_or_default().contains(why),
                        "{told:?}"
                    );
                    assert!(told.policy.is_none() && told.documents("x").is_empty());
                }
            }
        }
    }

    #[test]
    fn a_tag_that_is_not_there_gets_no_policy_but_a_hint() {
        let of = |today: &str, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            told_of(
                named(&format!("ghcr.io/acme/app:{today}")).expect("an image"),
                Some(&tags),
            )
        };
        let told = of("1.2.33", &["1.2.3", "1.2.4", "v2"]);
        assert!(told.policy.is_none());
        assert_eq!(
            told.why.as_deref(),
            Some("`1.2.33` is not among the 3 tags that are known")
        );
        assert_eq!(told.hint.as_deref(), Some("did you mean `1.2.3`?"));
        let told = of(
            "20-alpine",
            &["20-alpine", "20.1.2-alpine", "20.1.3", "22.1.0-alpine"],
        );
        let hint = told.hint.unwrap_or_default();
        assert!(hint.contains("`20.1.2-alpine`"), "{hint}");
        // What may be the case tomorrow is said today.
        let told = of(
            "20241124-abc1234",
            &["20241124-abc1234", "20241125-0bc1234"],
        );
        assert_eq!(told.chooses, ["20241125-0bc1234", "20241124-abc1234"]);
        let hint = told.hint.unwrap_or_default();
        assert!(
            hint.contains("two builds of one day") && hint.contains("RUN_NUMBER"),
            "{hint}"
        );
        let told = of("1.2.3", &["completely-different"]);
        assert_eq!((told.policy, told.hint), (None, None));
    }

    /// Values of one image that no one policy takes.
    #[test]
    fn one_policy_for_all_values_or_several() {
        let values = |tags: &[&str]| -> Vec<Candidate> {
            let image = |tag: &&str| named(&format!("ghcr.io/acme/app:{tag}")).expect("an image");
            tags.iter().map(image).collect()
        };
        let counts = |values: Vec<Candidate>, tags: Option<&[String]>| -> Vec<(usize, bool)> {
            let known = Known {
                tags,
                ..Known::default()
            };
            let all = suggest(values, &known, NAMESPACE, &mut Names::default());
            all.iter()
                .map(|told| (told.values.len(), told.policy.is_some()))
                .collect()
        };
        let all = values(&["1.2.3", "1.2.4", "1.2.5"]);
        assert_eq!(counts(all.clone(), None), [(3, true)]);
        let tags = ["1.2.3".to_owned(), "1.2.5".to_owned()];
        assert_eq!(counts(all, Some(&tags)), [(2, true), (1, false)]);
        let days = ["20241124-abc1234", "20241124-0bc1234", "20241125-0bc1234"];
        assert_eq!(counts(values(&days), None), [(3, false)]);
    }

    /// What the ImageRepository leaves out is not chosen, and gets no policy.
    #[test]
    fn exclusions_count_in_the_proof() {
        let tags = ["1.2.3", "1.2.4", "1.2.5"].map(str::to_owned);
        let exclusions = ["^1\\.2\\.5$".to_owned()];
        let id = Id::new("flux-system", "app");
        let known = Known {
            tags: Some(&tags),
            repository: Some(&id),
            exclusions: &exclusions,
            policies: &[],
        };
        let value = |tag: &str| vec![named(&format!("a.example/app:{tag}")).expect("an image")];
        let told = suggest(value("1.2.3"), &known, NAMESPACE, &mut Names::default());
        assert_eq!(told[0].chooses, ["1.2.4", "1.2.3"]);
        let told = suggest(value("1.2.5"), &known, NAMESPACE, &mut Names::default());
        let why = told[0].why.as_deref().unwrap_or_default();
        assert!(
            why.starts_with("`exclusionList` of ImageRepository `flux-system:app`"),
            "{why}"
        );
    }
}
