//! Charts and artifacts of Flux, Argo CD, kustomize and Helm, which have versions as images
//! have tags.
//!
//! - HelmRelease (`spec.chart.spec`) and HelmChart: of a HelmRepository, since a chart of a
//!   GitRepository has the version of its folder.
//! - OCIRepository: `spec.url` with `spec.ref`, of which a digest counts before a range, and
//!   that before a tag, as in source-controller.
//! - Argo CD's Application and ApplicationSet: sources with a `chart`, their
//!   `helm.parameters`. What stands in `valuesObject` and `kustomize.images` is found as
//!   everywhere.
//! - `dependencies` of `Chart.yaml`, `helmCharts` of a kustomization.

use std::collections::BTreeMap;

use super::found::{ChartSource, Found, MarkPlace, Taker, Unknown, What, is_null, is_variable};
use crate::api;
use crate::binding::marker::{ImagePart, split_digest};
use crate::binding::path::below;
use crate::quote;
use yaml_edit_spans::tree::Node;

/// Finds the charts and artifacts of a resource.
pub(super) fn find(root: &Node<'_>, taker: &mut Taker<'_>) {
    let object = taker.object;
    let (group, kind) = (object.group(), object.kind.as_str());
    let spec = root.get("spec");
    match (group, kind) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let chart = at(spec, &["chart", "spec"]);
            flux_chart(chart, "spec.chart.spec", taker);
            version_of_patch(chart, taker);
        }
        (api::SOURCE_GROUP, "HelmChart") => flux_chart(spec, "spec", taker),
        (api::SOURCE_GROUP, "OCIRepository") => artifact(spec, taker),
        (api::SOURCE_GROUP, "HelmRepository") => {
            let source = ChartSource {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
            };
            let url = text(spec, "url").unwrap_or_default();
            taker.found.repositories.push((source, url));
        }
        // k3s and RKE2 install charts by these.
        ("helm.cattle.io", "HelmChart") => {
            let name = text(spec, "chart").filter(|name| !name.starts_with("http"));
            if let Some(name) = name {
                let full = with_url(&name, text(spec, "repo").as_deref());
                let full = full.trim_start_matches("oci://").to_owned();
                chart(spec, (full, None), ("chart", "version"), "spec", taker);
            }
        }
        ("argoproj.io", "Application") => argo(spec, "spec", taker),
        ("argoproj.io", "ApplicationSet") => {
            let spec = at(spec, &["template", "spec"]);
            argo(spec, "spec.template.spec", taker);
        }
        _ => {
            let name = taker.file.rsplit('/').next().unwrap_or_default();
            let is_chart = matches!(name, "Chart.yaml" | "Chart.yml");
            if is_chart || is_kustomization(taker) {
                list(root, "dependencies", ["name", "repository"], taker);
                list(root, "helmCharts", ["name", "repo"], taker);
            }
        }
    }
}

/// Whether a resource is a kustomization of kustomize's.
pub(super) fn is_kustomization(taker: &Taker<'_>) -> bool {
    let name = taker.file.rsplit('/').next().unwrap_or_default();
    taker.object.group() == "kustomize.config.k8s.io"
        || name.starts_with("kustomization.")
        || name == "Kustomization"
}

/// The version of a patch, which completes a HelmRelease that stands elsewhere.
fn version_of_patch(spec: Option<&Node<'_>>, taker: &mut Taker<'_>) {
    let node = spec.and_then(|spec| spec.get("version"));
    let (Some(node), Some(version), None) = (node, text(spec, "version"), text(spec, "chart"))
    else {
        return;
    };
    if is_variable(&version) || (taker.is_concealed)(node.span) {
        return;
    }
    let field = "spec.chart.spec.version";
    taker.found.versions.push(Found {
        location: taker.object.location(taker.file, node.place, field),
        what: What::Chart,
        is_range: is_range(&version),
        tag: Some(version),
        ..Found::default()
    });
}

fn at<'a, 't>(node: Option<&'a Node<'t>>, path: &[&str]) -> Option<&'a Node<'t>> {
    path.iter().try_fold(node?, |node, key| node.get(key))
}

/// What a key says; `None` where it says nothing.
pub(super) fn text(node: Option<&Node<'_>>, key: &str) -> Option<String> {
    let text = node?.get(key)?.text()?;
    (!is_null(&text)).then(|| quote::name(&text).into_owned())
}

/// What `spec.chart.spec` and a HelmChart's `spec` say.
fn flux_chart(spec: Option<&Node<'_>>, path: &str, taker: &mut Taker<'_>) {
    let reference = spec.and_then(|spec| spec.get("sourceRef"));
    let kind = text(reference, "kind");
    if kind.is_some_and(|kind| kind != "HelmRepository") {
        return;
    }
    let Some(name) = text(spec, "chart") else {
        return;
    };
    let source = text(reference, "name").map(|name| ChartSource {
        namespace: text(reference, "namespace").unwrap_or_else(|| taker.object.namespace.clone()),
        name,
    });
    chart(spec, (name, source), ("chart", "version"), path, taker);
}

/// A chart and its version, under these two keys.
fn chart(
    spec: Option<&Node<'_>>,
    (name, source): (String, Option<ChartSource>),
    (chart, version): (&str, &str),
    path: &str,
    taker: &mut Taker<'_>,
) {
    let Some(spec) = spec else {
        return;
    };
    let written = text(Some(spec), version);
    let key = if written.is_some() { version } else { chart };
    let Some(node) = spec.get(key) else {
        return;
    };
    if is_variable(&name) || written.as_deref().is_some_and(is_variable) {
        return taker.unknown(node, below(path, key), Unknown::Variable);
    }
    let is_range = written.as_deref().is_none_or(is_range);
    let found = Found {
        what: What::Chart,
        name,
        tag: written,
        is_range,
        source,
        ..Found::default()
    };
    taker.add(node, below(path, key), found);
}

/// Whether Helm takes a version as a range. A version of fewer than three numbers is one.
fn is_range(version: &str) -> bool {
    masterminds_semver::Version::parse_tag(version).is_err()
}

/// An OCIRepository's URL and the artifact that it takes.
fn artifact(spec: Option<&Node<'_>>, taker: &mut Taker<'_>) {
    let (Some(spec), Some(url)) = (spec, text(spec, "url")) else {
        return;
    };
    let reference = spec.get("ref");
    let key = ["digest", "semver", "tag"];
    let key = key.into_iter().find(|key| text(reference, key).is_some());
    let node = match key {
        Some(key) => reference.and_then(|reference| reference.get(key)),
        None => spec.get("url"),
    };
    let Some(node) = node else {
        return;
    };
    let value = key.and_then(|key| text(reference, key));
    let path = key.map_or_else(|| "spec.url".to_owned(), |key| below("spec.ref", key));
    if is_variable(&url) || value.as_deref().is_some_and(is_variable) {
        return taker.unknown(node, path, Unknown::Variable);
    }
    let (tag, digest) = match (key, &value) {
        (Some("digest"), Some(digest)) => {
            let tag = text(reference, "tag");
            (
                tag.map(|tag| split_digest(&tag).0.to_owned()),
                Some(digest.clone()),
            )
        }
        (_, Some(tag)) => {
            let (tag, digest) = split_digest(tag);
            (Some(tag.to_owned()), digest.map(str::to_owned))
        }
        (_, None) => (None, None),
    };
    let is_range = key == Some("semver") && value.as_deref().is_none_or(is_range);
    let place = MarkPlace::of(node, ImagePart::Tag).filter(|_| key == Some("tag"));
    let parts = ["tag", "semver", "digest"].into_iter();
    let parts = parts.filter_map(|key| Some(reference?.get(key)?.place));
    let found = Found {
        what: What::Artifact,
        name: url.strip_prefix("oci://").unwrap_or(&url).to_owned(),
        tag,
        digest,
        is_range,
        parts: parts.collect(),
        marks: place.into_iter().collect(),
        ..Found::default()
    };
    taker.add(node, path, found);
}

/// The sources of an Application.
fn argo(spec: Option<&Node<'_>>, path: &str, taker: &mut Taker<'_>) {
    let Some(spec) = spec else {
        return;
    };
    if let Some(source) = spec.get("source") {
        argo_source(source, &below(path, "source"), taker);
    }
    let sources = spec.get("sources").map_or(&[][..], Node::elements);
    for (number, source) in sources.iter().enumerate() {
        let path = format!("{}[{number}]", below(path, "sources"));
        argo_source(source, &path, taker);
    }
}

fn argo_source(source: &Node<'_>, path: &str, taker: &mut Taker<'_>) {
    if let Some(name) = text(Some(source), "chart") {
        let name = with_url(&name, text(Some(source), "repoURL").as_deref());
        chart(
            Some(source),
            (name, None),
            ("chart", "targetRevision"),
            path,
            taker,
        );
    }
    let parameters = at(Some(source), &["helm", "parameters"]);
    let parameters = parameters.map_or(&[][..], Node::elements);
    // Parameters of one prefix are parts of one image.
    let mut values: BTreeMap<String, (usize, &Node<'_>)> = BTreeMap::new();
    for (number, parameter) in parameters.iter().enumerate() {
        if let (Some(name), Some(value)) = (text(Some(parameter), "name"), parameter.get("value")) {
            values.insert(name, (number, value));
        }
    }
    for (name, (number, node)) in &values {
        let path = format!("{path}.helm.parameters[{number}].value");
        parameter(name, node, &values, path, taker);
    }
}

fn parameter(
    name: &str,
    node: &Node<'_>,
    values: &BTreeMap<String, (usize, &Node<'_>)>,
    path: String,
    taker: &mut Taker<'_>,
) {
    let Some(value) = node.text().filter(|text| !is_null(text)) else {
        return;
    };
    let of = |prefix: &str, key: &str| {
        let (_, node) = values.get(&format!("{prefix}.{key}"))?;
        node.text().map(std::borrow::Cow::into_owned)
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let (repository, whole) = match name.strip_suffix(".tag") {
        Some(prefix) => {
            let name = of(prefix, "repository").or_else(|| of(prefix, "name"));
            let is_image = prefix.rsplit('.').next().is_some_and(is_image_key);
            match (name, is_image) {
                (Some(name), _) => match of(prefix, "registry") {
                    Some(registry) => (format!("{registry}/{name}"), value.into_owned()),
                    None => (name, value.into_owned()),
                },
                (None, true) => (String::new(), value.into_owned()),
                (None, false) => return,
            }
        }
        None if is_image_key(last) => {
            let (rest, digest) = split_digest(&value);
            let (name, tag) = crate::binding::marker::split_tag(rest);
            let tag = tag.unwrap_or_default();
            let digest = digest.map_or_else(String::new, |digest| format!("@{digest}"));
            (name.to_owned(), format!("{tag}{digest}"))
        }
        None => return,
    };
    if is_variable(&repository) || is_variable(&whole) {
        return taker.unknown(node, path, Unknown::Variable);
    }
    let (tag, digest) = split_digest(&whole);
    let found = Found {
        name: repository,
        tag: (!tag.is_empty()).then(|| tag.to_owned()),
        digest: digest.map(str::to_owned),
        ..Found::default()
    };
    taker.add(node, path, found);
}

fn is_image_key(key: &str) -> bool {
    key == "image" || key.ends_with("Image")
}

/// A chart's name behind the registry that it is in, where it is in one.
pub(super) fn with_url(name: &str, url: Option<&str>) -> String {
    let url = url.unwrap_or_default().trim_end_matches('/');
    // Argo CD writes registries without a scheme.
    let registry = match url.strip_prefix("oci://") {
        Some(rest) => rest,
        None if url.contains("://") => "",
        None => url,
    };
    match registry {
        "" => name.to_owned(),
        registry if registry.ends_with(&format!("/{name}")) => registry.to_owned(),
        registry => format!("{registry}/{name}"),
    }
}

/// Charts of a list, by the keys of their name and of where they are.
fn list(root: &Node<'_>, key: &str, [name, url]: [&str; 2], taker: &mut Taker<'_>) {
    let elements = root.get(key).map_or(&[][..], Node::elements);
    for (number, element) in elements.iter().enumerate() {
        let url = text(Some(element), url);
        // A chart of the same tree has no version of its own.
        let is_here = url.as_ref().is_none_or(|url| url.starts_with("file:"));
        if let Some(chart_name) = text(Some(element), name).filter(|_| !is_here) {
            let full = with_url(&chart_name, url.as_deref());
            let path = format!("{key}[{number}]");
            chart(Some(element), (full, None), (name, "version"), &path, taker);
        }
    }
}
