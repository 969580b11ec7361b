//! Where a resource of a build stands in the file that it came from.
//!
//! A build may have given it another name, so that the only one of its kind counts, too.

use std::collections::BTreeMap;

use super::artifact::Artifact;
use crate::finding::Finding;
use crate::resource_list::{self, Object, Outline};

/// The resource of a file that a build made one of this kind and name of.
#[must_use]
pub fn find<'o>(outline: &'o Outline<'_>, kind: &str, name: &str) -> Option<&'o Object> {
    let of_kind: Vec<&Object> = (outline.objects())
        .filter(|object| object.kind == kind)
        .collect();
    let named = of_kind.iter().find(|object| object.name == name);
    let only = || of_kind.first().filter(|_| of_kind.len() == 1);
    named.or_else(only).copied()
}

/// Adds lines to findings that name a resource of a file alone. `files` tells the sources
/// and paths by the names in findings.
pub(super) fn add(
    findings: &mut [Finding],
    files: &BTreeMap<String, (usize, String)>,
    artifacts: &[&dyn Artifact],
) {
    let mut by_file: BTreeMap<String, Vec<&mut Finding>> = BTreeMap::new();
    for finding in findings {
        let location = &finding.location;
        if location.line == 0 && location.resource.is_some() {
            let file = location.file.clone();
            by_file.entry(file).or_default().push(finding);
        }
    }
    for (name, findings) in by_file {
        let bytes = files
            .get(&name)
            .and_then(|(artifact, path)| artifacts[*artifact].read(path).ok());
        let Some(bytes) = bytes else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let Ok(outline) = resource_list::read(&text) else {
            continue;
        };
        for finding in findings {
            let Some(resource) = &finding.location.resource else {
                continue;
            };
            if let Some(object) = find(&outline, &resource.kind, &resource.name) {
                finding.location.line = object.place.line;
                finding.location.column = object.place.column;
            }
        }
    }
}
