//! Every image of a text, whoever updates it: what stands in a resource or a file of values,
//! by the usual shapes.
//!
//! - `image` and keys that end in `Image`, `imageName`, also as `reference` under `image`,
//!   with a tag beside them (`tag`, `imageTag`) or in them.
//! - `repository` (or `name`, in `image` and lists of images) with `registry`, `tag`, `digest`.
//! - kustomize's `images`: `newName` or `name` with `newTag` and `digest`; Argo CD's and other
//!   lists of `[name=]image` under `images`; `literals` of generators and environment
//!   variables whose name ends in `IMAGE`; `value` of a JSON patch whose path ends in `/image`.
//! - charts and artifacts: see `charts`.
//! - `spec.package` of Crossplane's packages.
//! - all this in YAML that stands in a literal block: values of a chart, a patch, a file of a
//!   ConfigMap.
//!
//! Documents of `image.toolkit.fluxcd.io` and of this program only speak of images, and a
//! CustomResourceDefinition only of fields; none is in their text. Nothing is listed of
//! Secrets and encrypted documents; how much was left out is told.

use std::collections::{BTreeMap, BTreeSet};

use super::charts;
use super::container_file;
use super::exclusion::{self, Comments};
use super::found::{
    Found, InFile, MarkPlace, NotLookedAt, Taker, Unknown, What, is_null, is_variable,
};
use super::layers;
use crate::api;
use crate::binding::marker::{self, ImagePart, split_digest, split_tag};
use crate::finding::Location;
use crate::quote;
use crate::resource_list::{self, Object, Outline};
use oci_tags::image::{Reference, Repository, is_tag};
use yaml_edit_spans::tree::{self, Content, Node};
use yaml_edit_spans::{ByteSpan, Place, Style};

/// What a YAML text names. `outline` is what the text holds.
#[must_use]
pub fn of_text(file: &str, text: &str, outline: &Outline<'_>) -> InFile {
    let mut whole = InFile {
        file: file.to_owned(),
        comments: Comments::of(text),
        is_generated: is_generated(text),
        lone_markers: lone_markers(text),
        ..InFile::default()
    };
    if may_name_an_image(text.as_bytes()) {
        let found = find(file, text, outline, Depth::File);
        whole.found = found.found;
        whole.unknown = found.unknown;
        whole.repositories = found.repositories;
        (whole.layers, whole.versions) = (found.layers, found.versions);
    }
    whole
}

fn lone_markers(text: &str) -> BTreeSet<usize> {
    if memchr::memmem::find(text.as_bytes(), marker::TOKEN.as_bytes()).is_none() {
        return BTreeSet::new();
    }
    let lines = exclusion::lines(text).enumerate();
    let lone = lines
        .filter(|(_, line)| line.trim_start().starts_with('#') && line.contains(marker::TOKEN));
    lone.map(|(number, _)| number + 1).collect()
}

/// Whether the comments that a text begins with say that a program writes it, as those of
/// `flux install` do.
fn is_generated(text: &str) -> bool {
    let lines = text.lines().map(str::trim_start);
    let mut head = lines
        .take_while(|line| line.is_empty() || line.starts_with('#') || line.trim_end() == "---");
    head.any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with('#') && line.contains("generated") && line.contains("do not edit")
    })
}

/// Whether a text is a file, or stands in one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    File,
    /// A block of a file; what stands in blocks of that is not looked at.
    Block,
}

fn find(file: &str, text: &str, outline: &Outline<'_>, depth: Depth) -> InFile {
    let is_looked_at = |object: &&Object| {
        let group = object.group();
        group != api::FLUX_GROUP && group != api::OWN_GROUP && object.kind != CRD
    };
    let objects: BTreeMap<usize, &Object> = outline
        .objects()
        .filter(is_looked_at)
        .map(|object| (object.span.start, object))
        .collect();
    let starts: BTreeSet<usize> = objects.keys().copied().collect();
    let is_concealed = |span: ByteSpan| outline.concealed.touches(span);
    let found = tree::build_trees(text, &starts, |in_file: &mut InFile, start, root| {
        let Some(object) = objects.get(&start) else {
            return;
        };
        let mut taker = Taker {
            file,
            object,
            is_concealed: &is_concealed,
            found: in_file,
        };
        charts::find(root, &mut taker);
        let is_of_flux = object.group() == KUSTOMIZE_GROUP && object.kind == "Kustomization";
        if depth == Depth::File && (is_of_flux || charts::is_kustomization(&taker)) {
            layers::find(root, is_of_flux, &mut taker);
        }
        let mut finder = Finder {
            taker,
            path: Vec::new(),
            depth,
        };
        finder.node(root, "");
    });
    // The outline was read from the same text, so there is no error left.
    found.unwrap_or_default()
}

/// What a Dockerfile names.
#[must_use]
pub fn of_container_file(file: &str, text: &str) -> InFile {
    let mut whole = InFile {
        file: file.to_owned(),
        comments: Comments::of(text),
        ..InFile::default()
    };
    for base in container_file::bases(text) {
        let mut location = Location::new(file, base.place);
        location.field = base.field.to_owned();
        let reference = base.image.map(|image| Reference::parse(&image));
        match reference {
            Ok(Ok(reference)) => whole.found.push(Found {
                location,
                what: What::Base,
                name: reference.repository.written().to_owned(),
                tag: reference.tag,
                digest: reference.digest,
                ..Found::default()
            }),
            Ok(Err(_)) => whole.unknown.push(NotLookedAt {
                location,
                why: Unknown::NoName,
            }),
            Err(_) => whole.unknown.push(NotLookedAt {
                location,
                why: Unknown::Variable,
            }),
        }
    }
    whole
}

const CRD: &str = "CustomResourceDefinition";

const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Whether a text speaks of anything that is looked for, or may be a kustomization.
#[must_use]
pub fn may_name_an_image(text: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "mage",
        "tag",
        "chart",
        "IMAGE",
        "Charts",
        "oci://",
        "dependencies",
        "HelmRepository",
        "pkg.crossplane.io",
        // What kustomizations list and set.
        "\nresources:",
        "\nbases:",
        "\ncomponents:",
        "kustomize.toolkit.fluxcd.io",
    ];
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    text.starts_with(b"resources:") || WORDS.iter().any(|word| has(word))
}

/// A step of a path.
#[derive(Clone, Copy)]
enum Step<'n> {
    Key(&'n str),
    Number(usize),
}

/// Looks through a resource.
struct Finder<'f, 'n> {
    taker: Taker<'f>,
    path: Vec<Step<'n>>,
    depth: Depth,
}

/// A name and what stands beside it.
struct Pair<'n, 't> {
    name: String,
    tag: Option<&'n Node<'t>>,
    digest: Option<&'n Node<'t>>,
    /// The lines of what is the name.
    lines: Vec<usize>,
}

impl<'n> Finder<'_, 'n> {
    /// Goes through a node that stands under a key, or is an element of a list under it.
    fn node<'t>(&mut self, node: &'n Node<'t>, key: &'n str) {
        match &node.content {
            Content::Mapping(entries) => {
                let is_pair = self.pair(node, key);
                for (name, child) in entries {
                    self.path.push(Step::Key(name));
                    if child.scalar().is_some() {
                        if is_text_of_yaml(name) {
                            self.block(child);
                        }
                        if !is_pair {
                            self.scalar(node, (key, name), child);
                        }
                    } else {
                        self.node(child, name);
                    }
                    self.path.pop();
                }
            }
            Content::Sequence(elements) => {
                for (number, element) in elements.iter().enumerate() {
                    self.path.push(Step::Number(number));
                    if element.scalar().is_some() {
                        if key == "patchesStrategicMerge" {
                            self.block(element);
                        }
                        self.element(element, key);
                    } else {
                        self.node(element, key);
                    }
                    self.path.pop();
                }
            }
            Content::Scalar(_) | Content::Alias => {}
        }
    }

    /// An image in parts; whether it is one, so that its parts are none of their own.
    fn pair<'t>(&mut self, node: &'n Node<'t>, key: &str) -> bool {
        let Some(pair) = pair_of(node, key) else {
            return false;
        };
        let said = |node: Option<&'n Node<'t>>| {
            let node = node?;
            let text = node.text()?;
            (!is_null(&text)).then(|| (node, text.into_owned()))
        };
        let (tag, digest) = (said(pair.tag), said(pair.digest));
        let Some((place, _)) = tag.as_ref().or(digest.as_ref()) else {
            // The chart decides.
            return true;
        };
        let entries = node.entries().iter();
        let mut at = entries.filter(|(_, child)| std::ptr::eq(child, *place));
        let step = at.next().map(|(key, _)| Step::Key(key));
        self.path.extend(step);
        self.add_pair(place, &pair, tag.as_ref(), digest.as_ref());
        self.path
            .truncate(self.path.len() - usize::from(step.is_some()));
        true
    }

    fn add_pair<'t>(
        &mut self,
        place: &Node<'_>,
        pair: &Pair<'n, 't>,
        tag: Option<&(&'n Node<'t>, String)>,
        digest: Option<&(&'n Node<'t>, String)>,
    ) {
        let name = pair.name.as_str();
        let texts = [tag, digest].into_iter().flatten();
        let mut texts = texts.map(|(_, text)| text.as_str());
        if texts.any(is_variable) || is_variable(name) {
            return self.unknown(place, Unknown::Variable);
        }
        let written = tag.map(|(_, text)| split_digest(text));
        let (tag_text, in_tag) = written.unwrap_or(("", None));
        if !(tag_text.is_empty() || is_tag(tag_text)) {
            return;
        }
        let beside = digest.map(|(_, text)| with_algorithm(text));
        let tag_place = tag.and_then(|(node, _)| MarkPlace::of(node, ImagePart::Tag));
        // A marker writes the algorithm, too.
        let whole = digest.filter(|(_, text)| with_algorithm(text) == *text);
        let digest_place = whole.and_then(|(node, _)| MarkPlace::of(node, ImagePart::Digest));
        let found = Found {
            what: What::Image,
            name: name.to_owned(),
            tag: (!tag_text.is_empty()).then(|| tag_text.to_owned()),
            digest: beside.or_else(|| in_tag.map(str::to_owned)),
            parts: digest.map(|(node, _)| node.place).into_iter().collect(),
            name_lines: pair.lines.clone(),
            marks: tag_place.into_iter().chain(digest_place).collect(),
            ..Found::default()
        };
        self.add(place, found);
    }

    /// A scalar under a key of a mapping; `keys` are the mapping's and its own.
    fn scalar<'t>(&mut self, mapping: &'n Node<'t>, keys: (&str, &str), child: &'n Node<'t>) {
        let sibling = |key: &str| mapping.get(key).and_then(Node::text);
        match keys {
            (_, "image") => self.image(child, Trust::Key),
            ("image", "reference") => self.image(child, Trust::Key),
            (_, "imageName") => self.image(child, Trust::Tag),
            (_, "value") => {
                let is_patch = mapping.get("op").is_some()
                    && sibling("path").is_some_and(|path| path.ends_with("/image"));
                let is_variable = || sibling("name").is_some_and(|name| name.ends_with("IMAGE"));
                if is_patch || is_variable() {
                    self.image(child, Trust::Tag);
                }
            }
            // `postBuild.substitute`, a ConfigMap's `data`, maps of environment variables.
            (_, key) if key.ends_with("Image") || key.ends_with("IMAGE") => {
                self.image(child, Trust::Tag);
            }
            // What stands here without a tag beside it may have one in it.
            (key, "repository") if is_image_key(key) && has_tag(child) => {
                self.image(child, Trust::Tag);
            }
            ("spec", "package") if self.taker.object.group() == "pkg.crossplane.io" => {
                self.image(child, Trust::Key);
            }
            _ => {}
        }
    }

    /// A scalar in a list under a key.
    fn element<'t>(&mut self, element: &'n Node<'t>, key: &str) {
        let Some(text) = element.text() else {
            return;
        };
        match key {
            "images" => {
                let image = text
                    .rsplit_once('=')
                    .map_or(text.as_ref(), |(_, image)| image);
                self.image_text(element, image, Trust::Tag);
            }
            "literals" => {
                if let Some((name, image)) = text.split_once('=')
                    && name.ends_with("IMAGE")
                {
                    self.image_text(element, image, Trust::Tag);
                }
            }
            _ => {}
        }
    }

    fn image<'t>(&mut self, node: &'n Node<'t>, trust: Trust) {
        if let Some(text) = node.text() {
            self.image_text(node, &text, trust);
        }
    }

    fn image_text(&mut self, node: &Node<'_>, text: &str, trust: Trust) {
        if is_null(text) || is_no_image(text) {
            return;
        }
        if is_variable(text) {
            // What is no more than a word may be anything.
            if trust == Trust::Key || text.contains(['/', ':']) {
                self.unknown(node, Unknown::Variable);
            }
            return;
        }
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        let Ok(reference) = Reference::parse(bare) else {
            return;
        };
        let is_exact = reference.tag.is_some() || reference.digest.is_some();
        if !is_exact && trust == Trust::Tag && !has_host(bare) {
            return;
        }
        // Behind `oci://` or a name, a marker would take those away.
        let is_alone = node.text().is_some_and(|whole| whole == bare);
        let place = MarkPlace::of(node, ImagePart::Image).filter(|_| is_alone);
        let found = Found {
            what: What::Image,
            name: reference.repository.written().to_owned(),
            tag: reference.tag,
            digest: reference.digest,
            marks: place.into_iter().collect(),
            ..Found::default()
        };
        self.add(node, found);
    }

    /// YAML in a literal block (`|`), whose lines are those of the file.
    fn block(&mut self, node: &Node<'_>) {
        let Some(value) = node.scalar() else {
            return;
        };
        let is_literal = value.scalar.style == Style::Literal;
        let header = value.scalar.header().filter(|_| is_literal);
        let text = value.scalar.value();
        let Some(header) = header.filter(|_| may_name_an_image(text.as_bytes())) else {
            return;
        };
        if self.depth == Depth::Block || (self.taker.is_concealed)(node.span) {
            return;
        }
        let Ok(outline) = resource_list::read(&text) else {
            return;
        };
        let inside = find(self.taker.file, &text, &outline, Depth::Block);
        let field = self.field();
        let moved = |mut location: Location| {
            location.line += node.place.line;
            location.column += header.indent;
            location.field = format!("{field}: {}", location.field);
            let resource = location.resource.as_ref();
            if resource.is_none_or(|resource| resource.kind.is_empty()) {
                let outer = self.taker.object.location("", node.place, "");
                location.resource = outer.resource;
            }
            location
        };
        let further = |place: Place| Place {
            line: place.line + node.place.line,
            column: place.column + header.indent,
        };
        let found: Vec<Found> = inside
            .found
            .into_iter()
            .map(|one| Found {
                location: moved(one.location),
                parts: one.parts.into_iter().map(further).collect(),
                name_lines: (one.name_lines.iter())
                    .map(|line| line + node.place.line)
                    .collect(),
                marks: Vec::new(),
                ..one
            })
            .collect();
        let unknown = inside.unknown.into_iter().map(|one| NotLookedAt {
            location: moved(one.location),
            ..one
        });
        let unknown: Vec<NotLookedAt> = unknown.collect();
        let versions = inside.versions.into_iter();
        let versions: Vec<Found> = versions
            .map(|one| Found {
                location: moved(one.location),
                ..one
            })
            .collect();
        self.taker.found.versions.extend(versions);
        self.taker.found.found.extend(found);
        self.taker.found.unknown.extend(unknown);
    }

    fn unknown(&mut self, node: &Node<'_>, why: Unknown) {
        self.taker.unknown(node, self.field(), why);
    }

    fn add(&mut self, node: &Node<'_>, found: Found) {
        self.taker.add(node, self.field(), found);
    }

    /// The path of the node that is looked at.
    fn field(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&quote::at_most(key, LONGEST_FIELD));
                }
                Step::Number(number) => path.push_str(&format!("[{number}]")),
            }
            if path.len() > LONGEST_FIELD {
                break;
            }
        }
        path
    }
}

/// Longer paths are cut where they are shown.
const LONGEST_FIELD: usize = 1000;

/// Whether a text under a key is likely YAML: the values of a chart, a patch, a file.
fn is_text_of_yaml(key: &str) -> bool {
    matches!(key, "values" | "patch" | "valuesContent")
        || key.ends_with(".yaml")
        || key.ends_with(".yml")
}

/// What makes a scalar an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The key that it is under.
    Key,
    /// Its tag or digest, or the host in its name.
    Tag,
}

/// An image in parts, by the shapes that charts and kustomize have for it.
fn pair_of<'n, 't>(node: &'n Node<'t>, key: &str) -> Option<Pair<'n, 't>> {
    let said = |key: &str| {
        let text = node.get(key).and_then(Node::text);
        text.filter(|text| !is_null(text))
    };
    let named = |keys: &[&str]| keys.iter().find_map(|key| said(key));
    let lines = |keys: &[&str]| {
        let nodes = keys.iter().filter_map(|key| node.get(key));
        let nodes = nodes.filter(|node| node.scalar().is_some());
        nodes.map(|node| node.place.line).collect()
    };
    let under_image = is_image_key(key);
    if key == "images" && (node.get("newTag").is_some() || node.get("newName").is_some()) {
        let name = named(&["newName", "name"])?;
        return Some(Pair {
            name: split_tag(split_digest(&name).0).0.to_owned(),
            tag: node.get("newTag"),
            digest: node.get("digest"),
            lines: lines(&["newName", "name"]),
        });
    }
    let is_listed = key == "images" || key.ends_with("Images");
    let (tag, digest) = (node.get("tag"), node.get("digest"));
    // As Grafana's chart has it.
    let digest = digest.or_else(|| node.get("sha").filter(|_| under_image));
    let is_scalar = |node: Option<&Node<'t>>| node.is_some_and(|node| node.scalar().is_some());
    if is_scalar(tag) || (is_scalar(digest) && (under_image || is_listed)) {
        let mut name = named(&["repository", "image"]);
        if name.is_none() {
            let is_name =
                |name: &std::borrow::Cow<'_, str>| under_image || is_listed || name.contains('/');
            name = said("name").filter(is_name);
        }
        let name = match name {
            Some(name) => name.into_owned(),
            // Only the tag is the user's, the rest the chart's.
            None if under_image => String::new(),
            None => return None,
        };
        // Istio's charts call it `hub`.
        let registry = said("registry").or_else(|| said("hub"));
        return Some(Pair {
            name: with_registry(&name, registry)?,
            tag,
            digest,
            lines: lines(&["registry", "hub", "repository", "image", "name"]),
        });
    }
    let tag = node.get("imageTag").filter(|tag| tag.scalar().is_some())?;
    let name = named(&["imageName", "imageRepository", "image"]);
    let name = name.map_or_else(String::new, std::borrow::Cow::into_owned);
    Some(Pair {
        name: with_registry(&name, said("imageRegistry"))?,
        tag: Some(tag),
        digest: node.get("imageDigest"),
        lines: lines(&["imageRegistry", "imageName", "imageRepository", "image"]),
    })
}

fn is_image_key(key: &str) -> bool {
    key == "image" || key.ends_with("Image")
}

fn has_tag(node: &Node<'_>) -> bool {
    let text = node.text();
    text.is_some_and(|text| split_tag(split_digest(&text).0).1.is_some())
}

/// A digest with its algorithm, which charts may put before it themselves.
fn with_algorithm(digest: &str) -> String {
    let is_bare = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_bare {
        true => format!("sha256:{digest}"),
        false => digest.to_owned(),
    }
}

/// A name behind its registry; `None` where it is none of an image.
fn with_registry(name: &str, registry: Option<std::borrow::Cow<'_, str>>) -> Option<String> {
    let name = name.strip_prefix("oci://").unwrap_or(name);
    if is_variable(name) || name.is_empty() {
        return Some(name.to_owned());
    }
    let full = match registry {
        Some(registry) => format!("{}/{name}", registry.trim_end_matches('/')),
        None => name.to_owned(),
    };
    (is_variable(&full) || Repository::parse(&full).is_ok()).then_some(full)
}

/// Whether a name begins with a host.
fn has_host(name: &str) -> bool {
    let (rest, _) = split_digest(name);
    let (rest, _) = split_tag(rest);
    let host = rest.split_once('/').map_or("", |(host, _)| host);
    host.contains(['.', ':'])
}

/// Whether a text under a key of images is something else: a word of YAML, a number, a path, a
/// picture or a disk.
fn is_no_image(text: &str) -> bool {
    const ENDS: &[&str] = &[
        ".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".iso", ".img", ".qcow2", ".raw",
        ".vhd", ".vmdk", ".ova",
    ];
    let lower = text.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off"
    ) || text.starts_with(['/', '.', '-'])
        || text.bytes().all(|byte| byte.is_ascii_digit())
        || ENDS.iter().any(|end| lower.ends_with(end))
        || lower.contains("://") && !lower.starts_with("oci://")
}
