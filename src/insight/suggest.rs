//! Policies for images that nobody updates: from the value that is there and the tags that
//! there are, documents that keep the variant, the prefix and the scheme of the tag.
//!
//! A suggestion is proved before it is made: the policy is run on the tags, and today's
//! value must be among what it accepts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::tag_scheme::{Core, PolicyScheme, SchemeOrder, TagScheme, Unsortable};
use crate::api::{Id, ImagePolicySpec, OrderChoice, PolicyChoice, SemverChoice, TagFilter};
use crate::binding::bindings::Bindings;
use crate::binding::image::{self, ImageFieldKind};
use crate::binding::marker::{split_digest, split_tag};
use crate::finding::Location;
use crate::policy::funnel::{Fate, Funnel};
use crate::resource_list::{self, Outline};
use go_regexp::Budget;
use oci_tags::image::{Reference, Repository};
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::{ByteSpan, Style, tree};

/// So many tags are shown that a policy would choose.
const FIRST: usize = 5;

/// A value with an image, or with its tag, that belongs to no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub location: Location,
    /// Its bytes in the text.
    pub span: ByteSpan,
    /// The image, as it is written there, without tag.
    pub image: String,
    /// Its canonical name.
    pub canonical: String,
    /// The tag; empty where there is none.
    pub tag: String,
    /// Whether a digest pins it.
    pub is_pinned: bool,
    /// What the value holds.
    pub holds: ImageFieldKind,
    /// Whether it stands on a line, where a marker can be put behind it.
    pub is_on_a_line: bool,
}

/// The images of a text that belong to no policy, and that are not in a Secret or an
/// encrypted document.
#[must_use]
pub fn candidates(
    file: &str,
    text: &str,
    outline: &Outline<'_>,
    bindings: Option<&Bindings<'_, '_>>,
) -> Vec<Candidate> {
    let bound: BTreeSet<usize> = (bindings.into_iter())
        .flat_map(|bindings| &bindings.bound)
        .map(|bound| bound.value.span.start)
        .collect();
    let objects: BTreeMap<usize, _> = (outline.objects())
        .filter(|object| !object.kind.is_empty())
        .map(|object| (object.span.start, object))
        .collect();
    let starts = objects.keys().copied().collect();
    let found = tree::build_trees(text, &starts, |found: &mut Vec<Candidate>, start, root| {
        let Some(object) = objects.get(&start) else {
            return;
        };
        for field in image::fields_of(root, &[], &|_| true) {
            let Some(value) = field.node.scalar() else {
                continue;
            };
            let span = value.span;
            if bound.contains(&span.start) || outline.concealed.touches(span) {
                continue;
            }
            let Some(written) = field.node.text() else {
                continue;
            };
            let place = yaml_edit_spans::Place::of(text.as_bytes(), span.start);
            let location = object.location(file, place, field.path);
            let one = candidate(&written, &field.repository, field.holds, location, span);
            found.extend(one.map(|one| Candidate {
                is_on_a_line: is_on_a_line(value.scalar.style),
                ..one
            }));
        }
    });
    found.unwrap_or_default()
}

fn is_on_a_line(style: Style) -> bool {
    matches!(
        style,
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted
    )
}

fn candidate(
    written: &str,
    repository: &str,
    holds: ImageFieldKind,
    location: Location,
    span: ByteSpan,
) -> Option<Candidate> {
    let (image, tag, is_pinned) = match holds {
        ImageFieldKind::Image => {
            let reference = Reference::parse(written).ok()?;
            let name = split_tag(split_digest(written).0).0.to_owned();
            (
                name,
                reference.tag.unwrap_or_default(),
                reference.digest.is_some(),
            )
        }
        ImageFieldKind::Tag { is_pinned } => {
            let (tag, digest) = split_digest(written);
            (
                repository.to_owned(),
                tag.to_owned(),
                is_pinned || digest.is_some(),
            )
        }
        ImageFieldKind::Digest => return None,
    };
    Some(Candidate {
        location,
        span,
        image: image
            .strip_prefix("index.docker.io/")
            .map_or(image.clone(), |rest| format!("docker.io/{rest}")),
        canonical: repository.to_owned(),
        tag,
        is_pinned,
        holds,
        is_on_a_line: true,
    })
}

/// A policy for an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// The image, without tag.
    pub image: String,
    /// The tag that is there now.
    pub tag: String,
    /// Name of the ImageRepository and the ImagePolicy; empty where there is none.
    pub name: String,
    /// The ImageRepository that is there already, `namespace:name`.
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

/// What a build adds to tags of commits, so that they can be put in order.
const CI: &str = "have the build add a number that grows: `tags: ghcr.io/acme/app:main-${GITHUB_SHA::7}-${GITHUB_RUN_NUMBER}` (GitLab: `$CI_COMMIT_SHORT_SHA-$CI_PIPELINE_IID`), and compare it: pattern `^main-[0-9a-f]+-(?P<number>\\d+)$`, extract `$number`, `numerical: {order: asc}`";

/// Groups candidates by image and by how their tags are made.
#[must_use]
pub fn group(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: BTreeMap<(String, String), Vec<Candidate>> = BTreeMap::new();
    for one in candidates {
        let scheme = match PolicyScheme::of(&one.tag) {
            Ok(scheme) => format!("{scheme:?}"),
            Err(_) => one.tag.clone(),
        };
        groups
            .entry((one.canonical.clone(), scheme))
            .or_default()
            .push(one);
    }
    groups.into_values().collect()
}

/// The suggestion for values of one image whose tags are made alike. `tags` are those that
/// are known; `names` are taken, and the new one is added.
#[must_use]
pub fn suggest(
    values: Vec<Candidate>,
    tags: Option<&[String]>,
    repository: Option<&Id>,
    names: &mut BTreeSet<String>,
) -> Suggestion {
    let Some(first) = values.first() else {
        return Suggestion::default();
    };
    let mut told = Suggestion {
        image: first.image.clone(),
        tag: first.tag.clone(),
        tags: tags.map(<[String]>::len),
        repository: repository.map(Id::to_string),
        at: values.iter().map(|one| one.location.to_string()).collect(),
        ..Suggestion::default()
    };
    let scheme = match PolicyScheme::of(&first.tag) {
        Ok(scheme) => scheme,
        Err(why) => {
            (told.why, told.hint) = not_sortable(why, &first.tag, tags);
            told.values = values;
            return told;
        }
    };
    let mut spec = spec_of(&scheme);
    if values.iter().any(|one| one.is_pinned) {
        spec.digest_reflection_policy = Some("IfNotPresent".to_owned());
    }
    match accepted(&spec, &first.tag, tags) {
        Ok(chooses) => {
            told.chooses = chooses;
            told.name = name_of(first, names);
            spec.image_repository_ref.name = match repository {
                Some(id) => id.name.clone(),
                None => told.name.clone(),
            };
            spec.image_repository_ref.namespace = repository.map(|id| id.namespace.clone());
            told.policy = Some(spec);
        }
        Err(why) => told.why = Some(why),
    }
    told.values = values;
    told
}

fn not_sortable(
    why: Unsortable,
    tag: &str,
    tags: Option<&[String]>,
) -> (Option<String>, Option<String>) {
    let shown = if tag.is_empty() {
        "no tag, which is `latest`"
    } else {
        tag
    };
    let fixed = tags.into_iter().flatten().filter(|tag| {
        let scheme = TagScheme::of(tag);
        let is_version = matches!(scheme.core, Core::Version(_));
        is_version && !scheme.is_prerelease() && scheme.variant().is_empty()
    });
    let latest = fixed.max_by(|a, b| super::lint::naturally(a, b));
    let hint = match (why, latest) {
        (Unsortable::Hash, _) => CI.to_owned(),
        (Unsortable::Word, Some(tag)) => {
            format!("pin a version first, such as `{tag}`, and ask again")
        }
        (Unsortable::Word, None) => "pin a version first, and ask again".to_owned(),
    };
    (Some(format!("not sortable ({shown}): {why}")), Some(hint))
}

fn spec_of(scheme: &PolicyScheme) -> ImagePolicySpec {
    let order = || OrderChoice {
        order: "asc".to_owned(),
    };
    let policy = match &scheme.by {
        SchemeOrder::Semver(range) => PolicyChoice {
            semver: Some(SemverChoice {
                range: range.clone(),
            }),
            ..PolicyChoice::default()
        },
        SchemeOrder::Numerical => PolicyChoice {
            numerical: Some(order()),
            ..PolicyChoice::default()
        },
        SchemeOrder::Alphabetical => PolicyChoice {
            alphabetical: Some(order()),
            ..PolicyChoice::default()
        },
    };
    ImagePolicySpec {
        policy,
        filter_tags: Some(TagFilter {
            pattern: scheme.pattern.clone(),
            extract: scheme.extract.clone().unwrap_or_default(),
        }),
        ..ImagePolicySpec::default()
    }
}

/// The first tags that a policy would choose, where today's is among what it accepts.
fn accepted(
    spec: &ImagePolicySpec,
    today: &str,
    tags: Option<&[String]>,
) -> Result<Vec<String>, String> {
    let checked = spec.checked().map_err(|error| error.to_string())?;
    let mut all: BTreeSet<String> = tags.unwrap_or_default().iter().cloned().collect();
    all.insert(today.to_owned());
    let all: Vec<String> = all.into_iter().collect();
    let none: [&str; 0] = [];
    let funnel = Funnel::of(&checked, &none, &all, &mut Budget::default());
    let funnel = funnel.map_err(|error| error.to_string())?;
    let is_accepted = matches!(
        funnel.get(today).map(|one| &one.fate),
        Some(Fate::Ranked { .. })
    );
    if !is_accepted {
        return Err(format!("no policy was found that accepts `{today}`"));
    }
    let known: BTreeSet<&String> = tags.unwrap_or_default().iter().collect();
    let ranked = funnel.ranked().filter(|one| known.contains(&one.tag));
    Ok(ranked.take(FIRST).map(|one| one.tag.clone()).collect())
}

/// A name for the documents of an image: the last part of its path, with more of it where
/// that is taken.
fn name_of(one: &Candidate, names: &mut BTreeSet<String>) -> String {
    let path = one.canonical.split('/').skip(1).collect::<Vec<_>>();
    let plain = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let kept = lower
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        let kept: String = kept.take(50).collect();
        kept.trim_matches('-').to_owned()
    };
    for parts in 1..=path.len() {
        let name = plain(&path[path.len() - parts..].join("-"));
        if !name.is_empty() && names.insert(name.clone()) {
            return name;
        }
    }
    let base = plain(path.last().copied().unwrap_or("image"));
    let base = if base.is_empty() {
        "image".to_owned()
    } else {
        base
    };
    let mut numbered = (2..).map(|number: u32| format!("{base}-{number}"));
    let free = numbered.find(|name| names.insert(name.clone()));
    free.unwrap_or(base)
}

impl Suggestion {
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

/// A value that gets no marker, and why.
pub type Unmarked = (Location, &'static str);

/// The edits that mark values of a text with their policies; and those that cannot be
/// marked.
#[must_use]
pub fn markers(text: &str, values: &[(&Candidate, String)]) -> (Vec<Edit>, Vec<Unmarked>) {
    let (mut edits, mut left) = (Vec::new(), Vec::new());
    for (one, policy) in values {
        match marker(text, one, policy) {
            Ok(edit) => edits.push(edit),
            Err(why) => left.push((one.location.clone(), why)),
        }
    }
    let is_read = |edits: &[Edit]| {
        let patched = Patched::new(text, edits.to_vec()).ok()?.to_string();
        let outline = resource_list::read(&patched).ok()?;
        let marked = outline.documents.iter().map(|one| one.marked.len());
        Some(marked.sum::<usize>())
    };
    let before = is_read(&[]);
    // All of them are read as markers of a value each, or none is written.
    if is_read(&edits) != before.map(|count| count + edits.len()) {
        let why = "a marker there would not be read";
        left.extend(values.iter().map(|(one, _)| (one.location.clone(), why)));
        edits.clear();
    }
    (edits, left)
}

fn marker(text: &str, one: &Candidate, policy: &str) -> Result<Edit, &'static str> {
    let part = match one.holds {
        ImageFieldKind::Image => "",
        ImageFieldKind::Tag { is_pinned: true } => return Err("a digest beside it pins it"),
        ImageFieldKind::Tag { .. } | ImageFieldKind::Digest => ":tag",
    };
    let rest = &text[one.span.end..];
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    if !rest[..end].trim().is_empty() {
        return Err("there is something else behind it on its line");
    }
    if !one.is_on_a_line || text[one.span.start..one.span.end].contains('\n') {
        return Err("it does not stand on one line");
    }
    let at = one.span.end;
    Ok(Edit {
        span: ByteSpan::new(at, at + end),
        text: format!(" # {{\"$imagepolicy\": \"{policy}{part}\"}}"),
    })
}

/// The edits that add files to `resources` of a kustomization; `None` where its list cannot
/// be found in block style.
#[must_use]
pub fn resources(text: &str, names: &[String]) -> Option<Vec<Edit>> {
    let bare = |item: &str| {
        let item = item.split(" #").next().unwrap_or(item).trim();
        item.trim_matches(['"', '\''])
            .trim_start_matches("./")
            .to_owned()
    };
    let known = |name: &String| {
        text.lines().any(|line| {
            let item = line.trim_start().strip_prefix("- ");
            item.is_some_and(|item| bare(item) == name.as_str())
        })
    };
    let new: Vec<&String> = names.iter().filter(|name| !known(name)).collect();
    if new.is_empty() {
        return Some(Vec::new());
    }
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let insert = |at: usize, text: String| {
        Some(vec![Edit {
            span: ByteSpan::new(at, at),
            text,
        }])
    };
    let mut at = 0;
    let mut list: Option<(usize, String)> = None;
    let mut is_in = false;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        at += line.len();
        if let Some(behind) = body.strip_prefix("resources:") {
            let behind = behind.trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                return None;
            }
            is_in = true;
            list = Some((at, String::new()));
        } else if is_in && body.trim_start().starts_with("- ") {
            let indent = &body[..body.len() - body.trim_start().len()];
            list = Some((at, indent.to_owned()));
        } else if is_in && !body.is_empty() && !body.trim_start().starts_with('#') {
            is_in = false;
        }
    }
    let mut added = String::new();
    let (at, indent) = match list {
        Some((at, indent)) => (at, indent),
        None => {
            added.push_str("resources:");
            added.push_str(line_break);
            (text.len(), "  ".to_owned())
        }
    };
    if at > 0 && !text[..at].ends_with('\n') {
        added.insert_str(0, line_break);
    }
    for name in new {
        added.push_str(&format!("{indent}- {name}{line_break}"));
    }
    insert(at, added)
}

/// The image that a user names: with the tag, where one is written.
///
/// # Errors
/// What is no image.
pub fn named(image: &str) -> Result<Candidate, oci_tags::image::NameError> {
    let reference = Reference::parse(image)?;
    let name = split_tag(split_digest(image).0).0;
    Ok(Candidate {
        location: Location::default(),
        span: ByteSpan::new(0, 0),
        image: name.to_owned(),
        canonical: Repository::parse(name)?.canonical(),
        tag: reference.tag.unwrap_or_default(),
        is_pinned: reference.digest.is_some(),
        holds: ImageFieldKind::Image,
        is_on_a_line: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The images of the first seed, with how their tags go on, and what would be a trap.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
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
            let told = suggest(vec![value], Some(&tags), None, &mut BTreeSet::new());
            assert_eq!(told.why, None, "{image}");
            assert_eq!(
                told.chooses.first().map(String::as_str),
                Some(next),
                "{image}"
            );
            assert!(!told.chooses.contains(&trap.to_owned()), "{image}");
        }
        let told = suggest(
            vec![named("ghcr.io/gabe565/obico/web:release").expect("an image")],
            None,
            None,
            &mut BTreeSet::new(),
        );
        assert!(told.why.expect("why").starts_with("not sortable"));
        let told = suggest(
            vec![named("ghcr.io/acme/app:8f2c1d9").expect("an image")],
            None,
            None,
            &mut BTreeSet::new(),
        );
        assert!(told.hint.expect("a hint").contains("RUN_NUMBER"));
    }

    #[test]
    fn names_are_told_apart() {
        let mut names = BTreeSet::new();
        let mut name = |image: &str| name_of(&named(image).expect("an image"), &mut names);
        assert_eq!(name("ghcr.io/acme/app:1"), "app");
        assert_eq!(name("ghcr.io/other/app:1"), "other-app");
        assert_eq!(name("ghcr.io/acme/app:2"), "acme-app");
        assert_eq!(name("ghcr.io/acme/app:3"), "app-2");
        assert_eq!(name("ghcr.io/acme/my_app:1.0"), "my-app");
    }

    #[test]
    fn files_are_added_to_the_list_of_a_kustomization() {
        let names = ["a.yaml".to_owned(), "b.yaml".to_owned()];
        for (text, expected) in [
            (
                "resources:\n  - a.yaml # one\n\nnamespace: x\n",
                "resources:\n  - a.yaml # one\n  - b.yaml\n\nnamespace: x\n",
            ),
            (
                "resources:\r\n- c.yaml\r\n",
                "resources:\r\n- c.yaml\r\n- a.yaml\r\n- b.yaml\r\n",
            ),
            (
                "namespace: x",
                "namespace: x\nresources:\n  - a.yaml\n  - b.yaml\n",
            ),
            (
                "resources:\n- ./a.yaml\n- b.yaml\n",
                "resources:\n- ./a.yaml\n- b.yaml\n",
            ),
        ] {
            let edits = resources(text, &names).expect("a list");
            let patched = Patched::new(text, edits).expect("edits").to_string();
            assert_eq!(patched, expected);
        }
        assert_eq!(resources("resources: [a.yaml]\n", &names), None);
    }
}
