//! The TagBook written down.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::documents::Documents;
use crate::selection::tags::{KnownTags, TagBook};
use oci_tags::image::Repository;
use yaml_edit_spans::scalar::spelled;

/// Writes the TagSnapshot of what registries said, by canonical name, each
/// repository once.
#[must_use]
pub fn document(documents: &Documents, tags: &TagBook) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    _ = write(documents, tags, &mut out);
    out
}

fn write(documents: &Documents, tags: &TagBook, out: &mut String) -> fmt::Result {
    let mut entries: BTreeMap<String, (&str, &KnownTags, BTreeMap<&str, &str>)> = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        let image = &repository.document.spec.image;
        let (Some(Ok(known)), Ok(name)) = (tags.scanned(id), Repository::parse(image)) else {
            continue;
        };
        let entry = entries.entry(name.canonical());
        let (_, _, digests) = entry.or_insert((image, known, BTreeMap::new()));
        let own = tags.digests().filter(|(of, ..)| *of == id);
        digests.extend(own.map(|(_, tag, digest)| (tag, digest)));
    }
    writeln!(out, "apiVersion: flux-image.dev/v1alpha1")?;
    writeln!(out, "kind: TagSnapshot")?;
    writeln!(out, "metadata:")?;
    writeln!(out, "  name: tags")?;
    writeln!(out, "  annotations:")?;
    writeln!(out, "    config.kubernetes.io/local-config: \"true\"")?;
    writeln!(out, "spec:")?;
    let none = if entries.is_empty() { " []" } else { "" };
    writeln!(out, "  repositories:{none}")?;
    for (image, known, digests) in entries.values() {
        writeln!(out, "  - image: {}", spelled(image))?;
        if let Some(at) = &known.scanned_at {
            writeln!(out, "    scannedAt: \"{at}\"")?;
        }
        let none = if known.tags.is_empty() { " []" } else { "" };
        writeln!(out, "    tags:{none}")?;
        for tag in &known.tags {
            writeln!(out, "    - {}", spelled(tag))?;
        }
        if !digests.is_empty() {
            writeln!(out, "    digests:")?;
            for (tag, digest) in digests {
                writeln!(out, "      {}: {digest}", spelled(tag))?;
            }
        }
    }
    Ok(())
}
