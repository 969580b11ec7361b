//! Which clusters a repository is for, and whether their view of it is needed.
//!
//! Documents that are complete as they lie are read as they lie. Those that are plainly
//! parts of what a build makes of them are read from the builds, where the folders of
//! the clusters can be found: by the Kustomization that `flux bootstrap` writes into
//! the folder that it builds, or by a FluxInstance.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use serde_json::Value;

use super::files::Files;
use super::regular_file::{self, MAX_BYTES};
use crate::api::{Id, ImagePolicy, ImageUpdateAutomation};
use crate::cluster::applied::Identity;
use crate::cluster::artifact;
use crate::cluster::flux::{self, FluxKustomization};
use crate::cluster::kustomization;
use crate::documents::{Documents, Sourced};

/// Why documents as they lie are plainly parts of what a build makes of them, if they
/// are.
#[must_use]
pub fn why_parts(documents: &Documents) -> Option<&'static str> {
    let has_variable = |text: &str| text.contains("${");
    let is_fragment = |one: &Sourced<ImagePolicy>| {
        let spec = &one.document.spec;
        spec.policy == Default::default() || spec.image_repository_ref.name.is_empty()
    };
    if documents.policies.values().any(is_fragment) {
        return Some("an ImagePolicy is not whole");
    }
    let ids = documents.policies.keys();
    let ids = ids.chain(documents.repositories.keys());
    let mut ids = ids.chain(documents.automations.keys());
    let path = |one: &Sourced<ImageUpdateAutomation>| {
        let path = one.document.spec.update.path.as_deref();
        path.is_some_and(has_variable)
    };
    let mut images = documents.repositories.values();
    if ids.any(|id| has_variable(&id.name) || has_variable(&id.namespace))
        || images.any(|one| has_variable(&one.document.spec.image))
        || documents.automations.values().any(path)
    {
        return Some("documents have variables (`${…}`)");
    }
    if documents.policies.keys().any(|id| id.namespace.is_empty()) {
        return Some("an ImagePolicy has no namespace");
    }
    let has_twins = documents
        .policies
        .values()
        .any(|one| one.conflict.is_some())
        || documents
            .repositories
            .values()
            .any(|one| one.conflict.is_some())
        || documents
            .automations
            .values()
            .any(|one| one.conflict.is_some());
    if has_twins {
        return Some("several different documents have one name");
    }
    let is_broken = !documents.unreadable.is_empty() || documents.has_unreadable_automation;
    is_broken.then_some("a document cannot be read as it lies")
}

/// The folders of the clusters that a checkout is for, in the order of their paths.
#[must_use]
pub fn folders(files: &Files) -> Vec<PathBuf> {
    let words = [flux::KUSTOMIZE_GROUP, flux::OPERATOR_GROUP].map(Finder::new);
    let mut roots: BTreeMap<String, bool> = BTreeMap::new();
    for file in files.listing.files.iter().filter(|file| !file.is_link) {
        let inside = file.path.strip_prefix(&files.root).ok();
        let Some(inside) = inside.and_then(Path::to_str) else {
            continue;
        };
        let Ok((bytes, _)) = regular_file::read(&file.path, MAX_BYTES) else {
            continue;
        };
        if !words.iter().any(|word| word.find(&bytes).is_some()) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        for document in kustomization::documents(&text).unwrap_or_default() {
            if let Some((folder, is_sure)) = root_of(&document, inside) {
                *roots.entry(folder).or_default() |= is_sure;
            }
        }
    }
    // What bootstrap wrote is a root; another one that holds itself may be part of one.
    let has_sure = roots.values().any(|is_sure| *is_sure);
    let roots = roots
        .into_iter()
        .filter(|(_, is_sure)| *is_sure || !has_sure);
    let folders = roots.map(|(folder, _)| files.root.join(folder));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// The folder that a document of a file says is a cluster's, and whether it is one for
/// sure.
fn root_of(document: &Value, file: &str) -> Option<(String, bool)> {
    let identity = Identity::of(document);
    match (identity.group, identity.kind) {
        (flux::KUSTOMIZE_GROUP, "Kustomization") => {
            let id = Id::new(identity.namespace, identity.name);
            let kustomization = FluxKustomization::read(document, id).ok()?;
            let path = kustomization.spec.path.as_deref()?;
            let folder = artifact::rooted(path);
            let is_inside = artifact::is_below(&folder, file);
            // As bootstrap calls it, in a patch of it, too.
            let is_sure = kustomization.id.name == "flux-system";
            let counts = (is_inside || is_sure) && !path.contains("${");
            counts.then_some((folder, is_sure))
        }
        (flux::OPERATOR_GROUP, "FluxInstance") => {
            let (_, folder) = flux::instance_sync(document, identity.namespace)?;
            Some((folder, true))
        }
        _ => None,
    }
}
