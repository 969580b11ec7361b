//! Where an image or a chart gets what is not written beside it: kustomize's `images` of a
//! kustomization that lists the file, and patches of HelmReleases.

use std::collections::HashMap;

use super::charts::text;
use super::found::{Found, InFile, Layer, Taker, What};
use crate::finding::Location;
use yaml_edit_spans::tree::Node;

/// Takes down what a kustomization lists and sets.
pub(super) fn find(root: &Node<'_>, is_of_flux: bool, taker: &mut Taker<'_>) {
    let mut layer = Layer {
        is_of_flux,
        ..Layer::default()
    };
    let of = match is_of_flux {
        true => root.get("spec"),
        false => Some(root),
    };
    layer.lists.extend(text(of, "path").filter(|_| is_of_flux));
    for key in ["resources", "bases", "components"] {
        let listed = root.get(key).map_or(&[][..], Node::elements).iter();
        let listed = listed.filter_map(Node::text);
        layer.lists.extend(listed.map(std::borrow::Cow::into_owned));
    }
    let images = of.and_then(|of| of.get("images"));
    for image in images.map_or(&[][..], Node::elements) {
        let written = ["newTag", "digest"].into_iter();
        let mut written = written.filter(|key| text(Some(image), key).is_some());
        let node = written.next().and_then(|key| image.get(key));
        if let (Some(name), Some(node)) = (text(Some(image), "name"), node) {
            let location = taker.object.location(taker.file, node.place, "");
            layer.sets.push((name, location));
        }
    }
    if !layer.lists.is_empty() {
        taker.found.layers.push(layer);
    }
}

/// The kustomizations of a tree, to be asked what they set, and the charts of its
/// HelmReleases.
pub(super) struct Layers<'f> {
    layers: Vec<(Option<String>, &'f Layer)>,
    /// Who lists a file or a folder.
    listing: HashMap<String, Vec<usize>>,
    /// The versions of patches, by the name of the HelmRelease.
    versions: HashMap<&'f str, &'f Found>,
    /// The charts of HelmReleases, by name.
    charts: HashMap<&'f str, &'f Found>,
}

/// So many layers are asked for one image.
const MOST_ASKED: usize = 100;

impl<'f> Layers<'f> {
    pub(super) fn of(files: &'f [InFile]) -> Self {
        let mut all = Self {
            layers: Vec::new(),
            listing: HashMap::new(),
            versions: HashMap::new(),
            charts: HashMap::new(),
        };
        for file in files {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for layer in &file.layers {
                let from = if layer.is_of_flux { "" } else { folder };
                let listed = layer.lists.iter().filter_map(|path| joined(from, path));
                for path in listed {
                    let number = all.layers.len();
                    all.listing.entry(path).or_default().push(number);
                }
                let folder = (!layer.is_of_flux).then(|| folder.to_owned());
                all.layers.push((folder, layer));
            }
            let versions = file.versions.iter();
            let versions = versions.filter_map(|found| Some((release_of(found)?, found)));
            all.versions.extend(versions);
            let charts = file.found.iter().filter(|found| found.what == What::Chart);
            let charts = charts.filter_map(|found| Some((release_of(found)?, found)));
            all.charts.extend(charts);
        }
        all
    }

    /// Where what an image lacks is set, if that is so in every build that is known of it.
    pub(super) fn set_by(&self, file: &InFile, found: &Found) -> Option<&Location> {
        if found.tag.is_some() || found.digest.is_some() {
            return None;
        }
        match found.what {
            What::Chart => {
                let patch = self.versions.get(release_of(found)?)?;
                Some(&patch.location)
            }
            What::Image => {
                // Of containers alone, and of the name as it is written, as kustomize has it.
                let field = found.location.field.as_str();
                let is_container = field.contains("ontainers[") && field.ends_with("].image");
                let mut left = MOST_ASKED;
                let set = || self.set(&file.path, &found.name, &mut left);
                is_container.then(set).flatten()
            }
            _ => None,
        }
    }

    fn set(&self, path: &str, image: &str, left: &mut usize) -> Option<&Location> {
        let mut first = None;
        for number in self.listing.get(path)? {
            *left = left.checked_sub(1)?;
            let (folder, layer) = &self.layers[*number];
            let mut set = layer.sets.iter().filter(|(name, _)| name == image);
            let by = match set.next() {
                Some((_, location)) => location,
                None => self.set(folder.as_ref()?, image, left)?,
            };
            first.get_or_insert(by);
        }
        first
    }

    /// The versions of a file's patches, with the charts that they are of.
    pub(super) fn versions<'a>(&'a self, file: &'a InFile) -> impl Iterator<Item = Found> + 'a {
        file.versions.iter().filter_map(|found| {
            let chart = self.charts.get(release_of(found)?)?;
            Some(Found {
                name: chart.name.clone(),
                source: chart.source.clone(),
                ..found.clone()
            })
        })
    }
}

/// The HelmRelease that a chart is of.
fn release_of(found: &Found) -> Option<&str> {
    let resource = found.location.resource.as_ref()?;
    (resource.kind == "HelmRelease").then_some(resource.name.as_str())
}

/// A path below the root of the work tree; `None` where it leads out, or is none.
fn joined(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.starts_with('/') {
        return None;
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => _ = steps.pop()?,
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}
