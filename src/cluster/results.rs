//! The resources that come out of a build, and the files that they come from.

use super::artifact;
use super::flux::{GROUPS, SUBSTITUTE};
use crate::api;

/// A resource as kustomize writes it: its keys in order, and without the note of where
/// it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildResult {
    /// Its text.
    pub text: String,
    /// The file that it comes from; a folder where that is not known.
    pub file: String,
}

/// The resources of a build of `folder`.
#[must_use]
pub fn of(text: &str, folder: &str) -> Vec<BuildResult> {
    let text = text.strip_prefix("---\n").unwrap_or(text);
    let texts = text.split("\n---\n").filter(|one| !one.trim().is_empty());
    texts.map(|one| result(one, folder)).collect()
}

fn result(text: &str, folder: &str) -> BuildResult {
    let lines: Vec<&str> = text.lines().collect();
    let kept = |gone: std::ops::Range<usize>| {
        let lines = lines.iter().enumerate();
        let lines = lines.filter(|(number, _)| !gone.contains(number));
        let mut kept = String::with_capacity(text.len());
        for (_, line) in lines {
            kept.push_str(line);
            kept.push('\n');
        }
        kept
    };
    let Some(note) = note_in(&lines) else {
        return BuildResult {
            text: kept(0..0),
            file: folder.to_owned(),
        };
    };
    let said = |name: &str| {
        let lines = lines[note.begin..note.end].iter();
        let mut lines = lines.filter_map(|line| line.trim().strip_prefix(name));
        lines
            .next()
            .map(|rest| rest.trim().trim_matches(['"', '\'']))
    };
    let is_elsewhere = said("repo:").is_some();
    let path = said("path:").or_else(|| said("configuredIn:"));
    let file = path.filter(|_| !is_elsewhere);
    let file = file.and_then(|path| artifact::join(folder, path).ok());
    let gone = match note.is_alone {
        true => note.begin - 1..note.end,
        false => note.begin..note.end,
    };
    BuildResult {
        text: kept(gone),
        file: file.unwrap_or_else(|| folder.to_owned()),
    }
}

/// The lines of the note, and whether it is the only annotation.
struct Note {
    begin: usize,
    end: usize,
    is_alone: bool,
}

/// Finds the note among the annotations of the metadata, where kustomize writes each
/// level two spaces further in. The same text elsewhere is none.
fn note_in(lines: &[&str]) -> Option<Note> {
    let behind = |from: usize, depth: usize| {
        let is_deeper = |line: &&&str| line.len() - line.trim_start().len() >= depth;
        from + lines[from..].iter().take_while(is_deeper).count()
    };
    let metadata = lines.iter().position(|line| *line == "metadata:")? + 1;
    let metadata_end = behind(metadata, 2);
    let within = &lines[metadata..metadata_end];
    let annotations = within.iter().position(|line| *line == "  annotations:")? + metadata + 1;
    let annotations_end = behind(annotations, 4);
    let within = &lines[annotations..annotations_end];
    let is_note = |line: &&str| line.starts_with("    config.kubernetes.io/origin: ");
    let begin = within.iter().position(is_note)? + annotations;
    let end = behind(begin + 1, 5);
    Some(Note {
        begin,
        end,
        is_alone: begin == annotations && end == annotations_end,
    })
}

impl BuildResult {
    /// Whether variables in it count. A label or an annotation may say that they
    /// do not.
    #[must_use]
    pub fn is_substituted(&self) -> bool {
        let lines: Vec<&str> = self.text.lines().collect();
        let Some(metadata) = lines.iter().position(|line| *line == "metadata:") else {
            return true;
        };
        let within = lines[metadata + 1..].iter();
        let mut within = within.take_while(|line| line.starts_with(' '));
        let disabled = format!("    {SUBSTITUTE}: disabled");
        !within.any(|line| *line == disabled)
    }
}

/// Whether a resource is of a kind that is read here: it begins with its `apiVersion`,
/// and `kind` is at the left.
#[must_use]
pub fn matters(text: &str) -> bool {
    let version = text.strip_prefix("apiVersion: ").unwrap_or_default();
    let version = version.lines().next().unwrap_or_default();
    let kind = text.lines().find_map(|line| line.strip_prefix("kind: "));
    let kind = kind.unwrap_or_default();
    is_read(version, kind)
}

/// Whether resources of a version and kind are read here.
#[must_use]
pub fn is_read(version: &str, kind: &str) -> bool {
    match version.rsplit_once('/').map(|(group, _)| group) {
        Some(api::SOURCE_GROUP) => kind == "GitRepository",
        Some(group) => GROUPS.contains(&group),
        None => {
            version == "v1"
                && ["ConfigMap", "Secret", "ServiceAccount", "Namespace"].contains(&kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_of_an_origin_is_taken_off() {
        let text = "apiVersion: v1\ndata:\n  x: |\n    config.kubernetes.io/origin: |\n      path: no.yaml\nkind: ConfigMap\nmetadata:\n  annotations:\n    a: b\n    config.kubernetes.io/origin: |\n      path: ../base/c.yaml\n    z: y\n  name: x\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  annotations:\n    config.kubernetes.io/origin: |\n      path: d.yaml\n      repo: https://h/x\n  name: y\n";
        let results = of(text, "apps/one");
        assert_eq!(
            results[0].text,
            "apiVersion: v1\ndata:\n  x: |\n    config.kubernetes.io/origin: |\n      path: no.yaml\nkind: ConfigMap\nmetadata:\n  annotations:\n    a: b\n    z: y\n  name: x\n"
        );
        assert_eq!(results[0].file, "apps/base/c.yaml");
        assert_eq!(
            results[1].text,
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: y\n"
        );
        assert_eq!(results[1].file, "apps/one");
    }

    #[test]
    fn what_is_read_here() {
        for (text, expected) in [
            ("apiVersion: v1\nkind: ConfigMap\n", true),
            ("apiVersion: v1\nkind: Pod\n", false),
            ("apiVersion: apps/v1\nkind: Secret\n", false),
            ("apiVersion: image.toolkit.fluxcd.io/v1\nkind: X\n", true),
            (
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n",
                false,
            ),
            (
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
                false,
            ),
        ] {
            assert_eq!(matters(text), expected, "{text}");
        }
    }
}
