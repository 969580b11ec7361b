//! The TagBook written down.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::{Metadata, SnapshotRepository, TagSnapshot, TagSnapshotSpec};
use crate::documents::Documents;
use crate::foreign::yaml;
use crate::selection::tags::TagBook;
use oci_tags::image::Repository;

/// Writes the TagSnapshot of what registries said, by canonical name, each
/// repository once.
#[must_use]
pub fn document(documents: &Documents, tags: &TagBook) -> String {
    let mut repositories: BTreeMap<String, SnapshotRepository> = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        let image = &repository.document.spec.image;
        let (Some(Ok(known)), Ok(name)) = (tags.scanned(id), Repository::parse(image)) else {
            continue;
        };
        let entry = repositories.entry(name.canonical());
        let entry = entry.or_insert_with(|| SnapshotRepository {
            image: image.clone(),
            scanned_at: known.scanned_at.clone(),
            tags: known.tags.clone(),
            digests: BTreeMap::new(),
        });
        let own = tags.digests().filter(|(of, ..)| *of == id);
        let own = own.map(|(_, tag, digest)| (tag.to_owned(), digest.to_owned()));
        entry.digests.extend(own);
    }
    let is_local = "config.kubernetes.io/local-config".to_owned();
    yaml(&json!(TagSnapshot {
        api_version: "flux-image.dev/v1alpha1".to_owned(),
        kind: "TagSnapshot".to_owned(),
        metadata: Metadata {
            name: "tags".to_owned(),
            annotations: [(is_local, Some("true".to_owned()))].into(),
            ..Metadata::default()
        },
        spec: TagSnapshotSpec {
            repositories: repositories.into_values().collect(),
        },
    }))
}
