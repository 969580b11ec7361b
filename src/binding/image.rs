//! Fields that hold images: which of a resource's scalars an image policy may
//! write without a marker.
//!
//! - Lists of containers (`containers`, `initContainers`, `ephemeralContainers`)
//!   and image volumes, wherever they stand in a resource: every kind of workload
//!   has them, those of custom resources too.
//! - Fields of the kinds in `FIELDS` and those that the configuration adds.
//! - In the values of a HelmRelease, whole images (with a tag, or under a key that
//!   ends in `image`), and `repository`, `image` or `name` beside a `tag`, with a
//!   `registry` before it where there is one.
//! - `images` of a Kustomization, of Flux's own Kustomization and of a HelmRelease's
//!   post renderers: `newTag` beside `newName` or `name`.

use crate::binding::marker::ImagePart;
use crate::binding::path::{FieldPath, below};
use oci_tags::image::{Reference, Repository};
use yaml_edit_spans::tree::{Content, Node};

/// Further fields of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFieldRule {
    /// API group, empty for the core group.
    pub group: String,
    /// API version; any where absent.
    pub version: Option<String>,
    /// Kind.
    pub kind: String,
    /// A whole image, or a mapping with `repository` and `tag`.
    pub path: FieldPath,
}

/// A scalar that holds an image or a part of one.
#[derive(Clone, Debug)]
pub struct ImageField<'n, 't> {
    /// The scalar.
    pub node: &'n Node<'t>,
    /// Its path.
    pub path: String,
    /// Its repository in canonical form.
    pub repository: String,
    /// What it holds.
    pub holds: ImageFieldKind,
}

/// What a scalar holds of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFieldKind {
    /// `name[:tag][@digest]`
    Image,
    /// `tag[@digest]`; whether a digest stands in a field beside it.
    Tag {
        /// A digest beside it decides which image is run.
        is_pinned: bool,
    },
    /// The digest alone.
    Digest,
}

impl ImageFieldKind {
    /// The part of an image that a marker would name.
    #[must_use]
    pub fn part(self) -> ImagePart {
        match self {
            Self::Image => ImagePart::Image,
            Self::Tag { .. } => ImagePart::Tag,
            Self::Digest => ImagePart::Digest,
        }
    }
}

/// A group, its kinds (every one where none is named), and what is looked at in them.
type Known = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Fields that hold images, besides containers and volumes: paths from the root, as
/// [`FieldPath`] reads them.
const FIELDS: &[Known] = &[
    (
        "monitoring.coreos.com",
        &[
            "Prometheus",
            "PrometheusAgent",
            "Alertmanager",
            "ThanosRuler",
        ],
        &["spec.image", "spec.thanos.image"],
    ),
    (
        "postgresql.cnpg.io",
        &["Cluster"],
        &[
            "spec.imageName",
            "spec.postgresql.extensions.*.image.reference",
        ],
    ),
    (
        "postgresql.cnpg.io",
        &["ImageCatalog", "ClusterImageCatalog"],
        &[
            "spec.images.*.image",
            "spec.images.*.extensions.*.image.reference",
        ],
    ),
    ("tekton.dev", &["StepAction"], &["spec.image"]),
];

/// Keys of a mapping that has an `image`, or of a list of such mappings, wherever
/// they stand.
const HOLDERS: &[Known] = &[
    ("tekton.dev", &[], STEPS),
    // Templates of the kinds above.
    ("triggers.tekton.dev", &["TriggerTemplate"], STEPS),
    ("argoproj.io", &[], &["container", "script", "sidecars"]),
];

const STEPS: &[&str] = &["steps", "sidecars", "stepTemplate"];

/// Where kustomize's own `images` stand in the kinds of a group.
const LISTS_OF_IMAGES: &[(&str, &str)] = &[
    ("kustomize.config.k8s.io", "images.*"),
    ("kustomize.toolkit.fluxcd.io", "spec.images.*"),
    (
        "helm.toolkit.fluxcd.io",
        "spec.postRenderers.*.kustomize.images.*",
    ),
];

const CONTAINERS: &[&str] = &["containers", "initContainers", "ephemeralContainers"];

/// The images in a resource whose repository, in canonical form, `is_wanted`;
/// each scalar once.
pub fn fields_of<'n, 't>(
    root: &'n Node<'t>,
    further: &[ImageFieldRule],
    is_wanted: &dyn Fn(&str) -> bool,
) -> Vec<ImageField<'n, 't>> {
    let text = |key: &str| root.get(key).and_then(Node::text).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let mut finder = Finder {
        is_wanted,
        holders: Vec::new(),
        places: Vec::new(),
    };
    let is_of = |(of, kinds, _): &&Known| {
        *of == group && (kinds.is_empty() || kinds.contains(&kind.as_ref()))
    };
    let known = |all: &'static [Known]| all.iter().filter(is_of).flat_map(|(.., known)| *known);
    finder.holders = known(HOLDERS).copied().collect();
    finder.containers(root, String::new());
    for path in known(FIELDS).filter_map(|path| FieldPath::parse(path).ok()) {
        finder.fields(root, &path);
    }
    let is_for = |field: &&ImageFieldRule| {
        let is_version = field
            .version
            .as_ref()
            .is_none_or(|wanted| wanted == version);
        field.group == group && field.kind == kind && is_version
    };
    for field in further.iter().filter(is_for) {
        finder.fields(root, &field.path);
    }
    if (group, kind.as_ref()) == ("helm.toolkit.fluxcd.io", "HelmRelease")
        && let Some(values) = root.get("spec").and_then(|spec| spec.get("values"))
    {
        finder.values(values, "spec.values".to_owned(), "");
    }
    for (_, path) in LISTS_OF_IMAGES.iter().filter(|(of, _)| *of == group) {
        if let Ok(path) = FieldPath::parse(path) {
            finder.kustomized(root, &path);
        }
    }
    let mut places = finder.places;
    places.sort_by_key(|place| start(place.node));
    places.dedup_by_key(|place| start(place.node));
    places
}

fn start(node: &Node<'_>) -> usize {
    node.scalar().map_or(usize::MAX, |value| value.span.start)
}

struct Finder<'w, 'n, 't> {
    is_wanted: &'w dyn Fn(&str) -> bool,
    holders: Vec<&'static str>,
    places: Vec<ImageField<'n, 't>>,
}

impl<'n, 't> Finder<'_, 'n, 't> {
    /// Containers, image volumes and the holders of the kind, wherever they are.
    fn containers(&mut self, node: &'n Node<'t>, path: String) {
        for (key, child) in node.entries() {
            let at = below(&path, key);
            let is_holder = self.holders.contains(&key.as_ref());
            if is_holder && let Some(image) = child.get("image") {
                self.image(image, below(&at, "image"));
            }
            for (number, element) in child.elements().iter().enumerate() {
                let at = format!("{at}[{number}]");
                let image = element.get("image");
                if is_holder || CONTAINERS.contains(&key.as_ref()) {
                    if let Some(image) = image {
                        self.image(image, below(&at, "image"));
                    }
                } else if key == "volumes"
                    && let Some(reference) = image.and_then(|image| image.get("reference"))
                {
                    self.image(reference, below(&at, "image.reference"));
                }
            }
            self.containers(child, at);
        }
        for (number, element) in node.elements().iter().enumerate() {
            self.containers(element, format!("{path}[{number}]"));
        }
    }

    fn fields(&mut self, root: &'n Node<'t>, path: &FieldPath) {
        for found in path.find(root).unwrap_or_default() {
            match found.node.content {
                Content::Mapping(_) => self.pair(found.node, &found.path, NAMES, "tag"),
                _ => self.image(found.node, found.path),
            }
        }
    }

    fn kustomized(&mut self, root: &'n Node<'t>, path: &FieldPath) {
        for found in path.find(root).unwrap_or_default() {
            self.pair(found.node, &found.path, &["newName", "name"], "newTag");
        }
    }

    fn values(&mut self, node: &'n Node<'t>, path: String, key: &str) {
        match &node.content {
            Content::Mapping(entries) => {
                self.pair(node, &path, NAMES, "tag");
                let is_pair = node.get("tag").is_some();
                for (key, child) in entries {
                    // Beside a `tag`, a name is not an image.
                    if !(is_pair && NAMES.contains(&key.as_ref()) && child.scalar().is_some()) {
                        self.values(child, below(&path, key), key);
                    }
                }
            }
            Content::Sequence(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    self.values(element, format!("{path}[{at}]"), key);
                }
            }
            Content::Scalar(value) => {
                let text = value.scalar.value();
                let is_image = key == "image" || key.ends_with("Image");
                let has_tag =
                    || Reference::parse(&text).is_ok_and(|r| r.tag.is_some() || r.digest.is_some());
                if is_image || has_tag() {
                    self.image(node, path);
                }
            }
            Content::Alias => {}
        }
    }

    fn image(&mut self, node: &'n Node<'t>, path: String) {
        let reference = node.text().and_then(|text| Reference::parse(&text).ok());
        if let Some(reference) = reference {
            self.add(
                node,
                path,
                reference.repository.canonical(),
                ImageFieldKind::Image,
            );
        }
    }

    /// A name, the tag beside it and a digest beside that.
    fn pair(&mut self, node: &'n Node<'t>, path: &str, names: &[&str], tag: &str) {
        let said = |key: &str| {
            let text = node.get(key).and_then(Node::text);
            text.filter(|text| !matches!(text.as_ref(), "" | "~" | "null"))
        };
        let (Some(name), Some(_)) = (names.iter().find_map(|key| said(key)), said(tag)) else {
            return;
        };
        let full = said("registry").map(|registry| format!("{registry}/{name}"));
        let names = full.iter().map(String::as_str).chain([name.as_ref()]);
        let repositories = names.filter_map(|name| Repository::parse(name).ok());
        let known = repositories.map(|repository| repository.canonical());
        let Some(repository) = known.into_iter().find(|one| (self.is_wanted)(one)) else {
            return;
        };
        let digest = said("digest").and(node.get("digest"));
        let is_pinned = digest.is_some();
        if let Some(digest) = digest {
            self.add(
                digest,
                below(path, "digest"),
                repository.clone(),
                ImageFieldKind::Digest,
            );
        }
        if let Some(node) = node.get(tag) {
            self.add(
                node,
                below(path, tag),
                repository,
                ImageFieldKind::Tag { is_pinned },
            );
        }
    }

    fn add(&mut self, node: &'n Node<'t>, path: String, repository: String, holds: ImageFieldKind) {
        if node.scalar().is_some() && (self.is_wanted)(&repository) {
            self.places.push(ImageField {
                node,
                path,
                repository,
                holds,
            });
        }
    }
}

/// Keys of a name beside a `tag`.
const NAMES: &[&str] = &["repository", "image", "name"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use yaml_edit_spans::tree;

    const APP: &str = "ghcr.io/acme/app";

    /// The places of a resource of an apiVersion and kind, with what they hold.
    fn found_in(head: &str, body: &str, further: &[ImageFieldRule]) -> Vec<String> {
        let (api_version, kind) = head.split_once(' ').expect("two words");
        let text = format!("{{apiVersion: {api_version}, kind: {kind}, {body}}}");
        let starts = BTreeSet::from([0]);
        let found = tree::build_trees(&text, &starts, |found: &mut Vec<String>, _, root| {
            for place in fields_of(root, further, &|name| name == APP) {
                let holds = match place.holds {
                    ImageFieldKind::Image => "",
                    ImageFieldKind::Tag { is_pinned: false } => " tag",
                    ImageFieldKind::Tag { is_pinned: true } => " pinned tag",
                    ImageFieldKind::Digest => " digest",
                };
                found.push(format!("{}{holds}", place.path));
            }
        });
        found.expect("YAML")
    }

    #[test]
    fn fields_of_every_kind() {
        let containers = "containers: [{image: ghcr.io/acme/app:1}, {image: other}], initContainers: [{image: ghcr.io/acme/app}], ephemeralContainers: [{image: 'ghcr.io/acme/app:1@sha256:0000000000000000000000000000000000000000000000000000000000000000'}], volumes: [{image: {reference: 'ghcr.io/acme/app:1'}}]";
        let fields = |prefix: &str| {
            [
                "containers[0].image",
                "initContainers[0].image",
                "ephemeralContainers[0].image",
                "volumes[0].image.reference",
            ]
            .map(|field| format!("{prefix}.{field}"))
        };
        for head in [
            "apps/v1 Deployment",
            "apps/v1 StatefulSet",
            "apps/v1 DaemonSet",
            "apps/v1 ReplicaSet",
            "v1 ReplicationController",
            "batch/v1 Job",
            "argoproj.io/v1alpha1 Rollout",
            "serving.knative.dev/v1 Service",
            "apps.kruise.io/v1alpha1 CloneSet",
        ] {
            let body = format!("spec: {{template: {{spec: {{{containers}}}}}}}");
            assert_eq!(
                found_in(head, &body, &[]),
                fields("spec.template.spec"),
                "{head}"
            );
        }
        let pod = format!("spec: {{{containers}}}");
        assert_eq!(found_in("v1 Pod", &pod, &[]), fields("spec"));
        let template = format!("template: {{spec: {{{containers}}}}}");
        assert_eq!(
            found_in("v1 PodTemplate", &template, &[]),
            fields("template.spec")
        );
        let cron =
            format!("spec: {{jobTemplate: {{spec: {{template: {{spec: {{{containers}}}}}}}}}}}");
        assert_eq!(
            found_in("batch/v1 CronJob", &cron, &[]),
            fields("spec.jobTemplate.spec.template.spec")
        );
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn fields_of_their_own() {
        const IMAGE: &str = "image: 'ghcr.io/acme/app:1'";
        for (head, body, expected) in [
            (
                "monitoring.coreos.com/v1 Prometheus",
                "spec: {IMAGE, thanos: {IMAGE}}",
                "spec.image, spec.thanos.image",
            ),
            (
                "monitoring.coreos.com/v1 Alertmanager",
                "spec: {IMAGE}",
                "spec.image",
            ),
            (
                "postgresql.cnpg.io/v1 Cluster",
                "spec: {imageName: 'ghcr.io/acme/app:1', postgresql: {extensions: [{image: {reference: 'ghcr.io/acme/app:1'}}]}}",
                "spec.imageName, spec.postgresql.extensions[0].image.reference",
            ),
            (
                "postgresql.cnpg.io/v1 ImageCatalog",
                "spec: {images: [{major: 16, IMAGE}]}",
                "spec.images[0].image",
            ),
            (
                "tekton.dev/v1 Task",
                "spec: {stepTemplate: {IMAGE}, steps: [{IMAGE}], sidecars: [{IMAGE}]}",
                "spec.stepTemplate.image, spec.steps[0].image, spec.sidecars[0].image",
            ),
            (
                "tekton.dev/v1 PipelineRun",
                "spec: {pipelineSpec: {tasks: [{taskSpec: {steps: [{IMAGE}]}}], finally: [{taskSpec: {steps: [{IMAGE}]}}]}}",
                "spec.pipelineSpec.tasks[0].taskSpec.steps[0].image, spec.pipelineSpec.finally[0].taskSpec.steps[0].image",
            ),
            (
                "tekton.dev/v1beta1 StepAction",
                "spec: {IMAGE}",
                "spec.image",
            ),
            (
                "triggers.tekton.dev/v1beta1 TriggerTemplate",
                "spec: {resourcetemplates: [{spec: {taskSpec: {steps: [{IMAGE}]}}}]}",
                "spec.resourcetemplates[0].spec.taskSpec.steps[0].image",
            ),
            (
                "argoproj.io/v1alpha1 WorkflowTemplate",
                "spec: {templates: [{container: {IMAGE}}, {script: {IMAGE}, sidecars: [{IMAGE}]}, {containerSet: {containers: [{IMAGE}]}}, {dag: {tasks: [{inline: {container: {IMAGE}}}]}}]}",
                "spec.templates[0].container.image, spec.templates[1].script.image, spec.templates[1].sidecars[0].image, spec.templates[2].containerSet.containers[0].image, spec.templates[3].dag.tasks[0].inline.container.image",
            ),
            (
                "argoproj.io/v1alpha1 CronWorkflow",
                "spec: {workflowSpec: {templates: [{container: {IMAGE}}]}}",
                "spec.workflowSpec.templates[0].container.image",
            ),
            (
                "example.org/v1 Other",
                "spec: {IMAGE, container: {IMAGE}, steps: [{IMAGE}]}",
                "",
            ),
            ("v1 ConfigMap", "data: {IMAGE}", ""),
        ] {
            let body = body.replace("IMAGE", IMAGE);
            assert_eq!(found_in(head, &body, &[]).join(", "), expected, "{head}");
        }
    }

    #[test]
    fn values_of_helm_releases() {
        const DIGEST: &str =
            "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (values, expected) in [
            (
                "image: {repository: ghcr.io/acme/app, tag: 1.0}",
                "spec.values.image.tag tag",
            ),
            (
                "image: {registry: ghcr.io, repository: acme/app, tag: 1.0}",
                "spec.values.image.tag tag",
            ),
            (
                "image: {registry: docker.io, repository: ghcr.io/acme/app, tag: 1.0}",
                "spec.values.image.tag tag",
            ),
            (
                "image: {repository: ghcr.io/acme/app, digest: DIGEST, tag: 1.0}",
                "spec.values.image.digest digest, spec.values.image.tag pinned tag",
            ),
            (
                "image: {repository: ghcr.io/acme/app, digest: '', tag: 1.0}",
                "spec.values.image.tag tag",
            ),
            ("image: {repository: ghcr.io/acme/app, tag: ''}", ""),
            ("image: {repository: ghcr.io/acme/app, tag: null}", ""),
            ("image: {repository: ghcr.io/acme/app}", ""),
            ("image: {repository: ghcr.io/acme/other, tag: 1.0}", ""),
            ("image: ghcr.io/acme/app, tag: 1.0", "spec.values.tag tag"),
            (
                "a: [{name: ghcr.io/acme/app, tag: 1.0}]",
                "spec.values.a[0].tag tag",
            ),
            ("image: ghcr.io/acme/app", "spec.values.image"),
            ("initImage: ghcr.io/acme/app", "spec.values.initImage"),
            ("repository: ghcr.io/acme/app", ""),
            ("worker: 'ghcr.io/acme/app:2'", "spec.values.worker"),
            (
                "workers: ['ghcr.io/acme/app:2', 'ghcr.io/acme/app']",
                "spec.values.workers[0]",
            ),
            (
                "extra: {containers: [{image: ghcr.io/acme/app}]}",
                "spec.values.extra.containers[0].image",
            ),
        ] {
            let body = format!("spec: {{values: {{{}}}}}", values.replace("DIGEST", DIGEST));
            let found = found_in("helm.toolkit.fluxcd.io/v2 HelmRelease", &body, &[]);
            assert_eq!(found.join(", "), expected, "{values}");
        }
    }

    #[test]
    fn images_of_a_kustomization() {
        let head = "kustomize.config.k8s.io/v1beta1 Kustomization";
        let body = "images: [{name: app, newName: ghcr.io/acme/app, newTag: v1}, {name: ghcr.io/acme/app, newTag: v1}, {name: ghcr.io/acme/app, newName: other, newTag: v1}]";
        assert_eq!(
            found_in(head, body, &[]),
            ["images[0].newTag tag", "images[1].newTag tag"]
        );
        let list = "images: [{name: ghcr.io/acme/app, newTag: v1}]";
        for (head, body, expected) in [
            (
                "kustomize.toolkit.fluxcd.io/v1 Kustomization",
                format!("spec: {{{list}}}"),
                "spec.images[0].newTag tag",
            ),
            (
                "helm.toolkit.fluxcd.io/v2 HelmRelease",
                format!("spec: {{postRenderers: [{{kustomize: {{{list}}}}}]}}"),
                "spec.postRenderers[0].kustomize.images[0].newTag tag",
            ),
        ] {
            assert_eq!(found_in(head, &body, &[]), [expected]);
        }
    }

    #[test]
    fn fields_of_the_configuration() {
        let field = |group: &str, version: Option<&str>, path: &str| ImageFieldRule {
            group: group.to_owned(),
            version: version.map(str::to_owned),
            kind: "Thing".to_owned(),
            path: FieldPath::parse(path).expect("a path"),
        };
        let body = "spec: {runner: {image: 'ghcr.io/acme/app:1'}, other: {repository: ghcr.io/acme/app, tag: 1}}";
        let found = |fields: &[ImageFieldRule]| found_in("example.org/v1 Thing", body, fields);
        assert_eq!(
            found(&[field("example.org", None, "spec.runner.image")]),
            ["spec.runner.image"]
        );
        assert_eq!(
            found(&[field("example.org", Some("v1"), "spec.other")]),
            ["spec.other.tag tag"]
        );
        assert!(found(&[field("example.org", Some("v2"), "spec.other")]).is_empty());
        assert!(found(&[field("", None, "spec.other")]).is_empty());
    }
}
