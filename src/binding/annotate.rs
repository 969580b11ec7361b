//! Markers as annotations: `flux-image.dev/bind` on each resource that has some,
//! since it survives `kustomize build`, which drops comments.
//!
//! The markers stay, for Flux and for `update`. Nothing but the annotation is
//! written: behind the last one of the resource, or as its first.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Bind;
use crate::binding::bindings::{self, BindingConfig, BindingContext};
use crate::binding::{annotation, origin};
use crate::finding::{Code, Finding, Location};
use crate::resource_list::{BIND_ANNOTATION, Object, Outline};
use yaml_edit_spans::patch::Edit;
use yaml_edit_spans::tree::{self, Content, Node};
use yaml_edit_spans::{Style, scalar};

/// What is to be written in a text.
#[derive(Debug, Default)]
pub struct Annotated {
    /// The edits, to be applied together.
    pub edits: Vec<Edit>,
    /// The resources that get an annotation, or another one, and how many fields
    /// it binds that it did not bind before.
    pub resources: Vec<(Location, usize)>,
    /// Markers that no annotation can take the place of.
    pub findings: Vec<Finding>,
}

/// Annotates the resources of a text, which findings call `file`. The marks that begin
/// where `reached` says are bound in kustomizations.
#[must_use]
pub fn annotate(
    text: &str,
    outline: &Outline<'_>,
    file: &str,
    reached: &BTreeSet<usize>,
) -> Annotated {
    let config = BindingConfig {
        bind: Bind::Markers,
        ..BindingConfig::default()
    };
    let context = BindingContext::new(&config, BTreeMap::new());
    let mut annotated = Annotated {
        findings: bindings::bind(text, outline, file, &context).findings,
        ..Annotated::default()
    };
    let mut values = Values::new();
    for resource in origin::marked(text, outline) {
        let object = &resource.object;
        let location = object.location(file, object.place, "");
        let warn = |message: String| {
            let finding = Finding::warning(Code::BadBinding, message, location.clone());
            finding.unjudged()
        };
        if resource.lost > 0 {
            let message = format!(
                "{} marked values here cannot be named by a field path, and are not annotated",
                resource.lost
            );
            annotated.findings.push(warn(message));
        }
        let fields = resource.fields.iter();
        let is_bound = |start| is_kustomization(object) && reached.contains(start);
        let fields = fields.filter(|one| !is_bound(&one.start));
        let fields: Vec<(String, String)> = fields
            .map(|one| (one.path.to_string(), one.setter.clone()))
            .collect();
        if fields.is_empty() {
            continue;
        }
        match value(object, &fields) {
            Ok(None) => {}
            Ok(Some((value, count))) => {
                values.insert(object.span.start, (value, count, location.clone()));
            }
            Err(why) => annotated
                .findings
                .push(not_annotated(&why, location.clone())),
        }
    }
    annotated.write(text, &values);
    annotated
}

fn not_annotated(why: &str, location: Location) -> Finding {
    let finding = Finding::warning(Code::BadBinding, format!("not annotated: {why}"), location);
    let hint =
        "its values can be bound in `spec.bindings` of the ImageUpdate, or updated in the file";
    finding.hint(hint).unjudged()
}

/// Values of annotations, how many fields are new in each, and whose they are, by where
/// the resources begin.
type Values = BTreeMap<usize, (String, usize, Location)>;

impl Annotated {
    /// Writes annotations into the resources of a text, in one go.
    fn write(&mut self, text: &str, values: &Values) {
        let starts = values.keys().copied().collect();
        type Made = BTreeMap<usize, Result<Vec<Edit>, String>>;
        let made = tree::build_trees(text, &starts, |made: &mut Made, start, root| {
            if let Some((value, ..)) = values.get(&start) {
                made.insert(start, written(text, root, value));
            }
        });
        // What the outline could read, this can.
        let mut made = made.unwrap_or_default();
        for (start, (_, count, location)) in values {
            let edits = made.remove(start);
            match edits.unwrap_or_else(|| Err("it cannot be read".to_owned())) {
                Ok(edits) => {
                    self.edits.extend(edits);
                    self.resources.push((location.clone(), *count));
                }
                Err(why) => self.findings.push(not_annotated(&why, location.clone())),
            }
        }
    }
}

/// Whether a resource is kustomize's own, which need not say what it is. Flux's
/// Kustomization is a resource as any other.
fn is_kustomization(object: &Object) -> bool {
    let is_of_kustomize = matches!(object.group(), "" | "kustomize.config.k8s.io");
    is_of_kustomize && matches!(&*object.kind, "" | "Kustomization" | "Component")
}

/// The edit that adds entries (`patch` and `target`, as JSON) to `known`, which is
/// `patches` of the kustomization at `root`.
///
/// # Errors
/// Where `patches` is no list.
pub(super) fn entries_in(
    text: &str,
    root: &Node<'_>,
    known: Option<&Node<'_>>,
    entries: &[(String, String)],
) -> Result<Edit, String> {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let block = |indent: usize| {
        let pad = " ".repeat(indent);
        let lines = entries.iter().flat_map(|(patch, target)| {
            let patch = patch.replace('\'', "''");
            [
                format!("{pad}- patch: '{patch}'"),
                format!("{pad}  target: {target}"),
            ]
        });
        lines.collect::<Vec<String>>()
    };
    let flow = || {
        let entries = entries.iter();
        let entries = entries
            .map(|(patch, target)| format!("{{\"patch\": {}, \"target\": {target}}}", json(patch)));
        entries.collect::<Vec<String>>().join(", ")
    };
    Ok(match known {
        None => match shape(root, "document")? {
            Shape::Flow => behind_last(text, root, &format!("\"patches\": [{}]", flow())),
            Shape::Block(indent) => {
                let head = format!("{}patches:", " ".repeat(indent));
                let lines = [vec![head], block(indent)].concat();
                lines_behind(text, root, &lines)?
            }
        },
        Some(known) => match (&known.content, known.elements().last()) {
            (Content::Sequence(_), Some(last)) if known.flow => {
                let at = last.span.end;
                Edit::new(at, at, format!(", {}", flow()))
            }
            (Content::Sequence(_), None) => {
                let at = known.span.start + 1;
                Edit::new(at, at, flow())
            }
            (Content::Sequence(_), Some(_)) => {
                lines_behind(text, known, &block(known.place.column - 1))?
            }
            _ => return Err("its `patches` is no list; write `[]` there".to_owned()),
        },
    })
}

/// The annotation of one resource, and how many of its fields are new; `None` where it
/// has them all.
fn value(object: &Object, fields: &[(String, String)]) -> Result<Option<(String, usize)>, String> {
    if object.is_encrypted {
        return Err("it is encrypted with SOPS, and an edit would break its checksum".to_owned());
    }
    if object.kind.is_empty() || is_kustomization(object) {
        return Err("it is not a resource that a build reads".to_owned());
    }
    let old = object.bind.as_ref().map_or("", |bind| &bind.value);
    let known = if old.trim().is_empty() {
        Vec::new()
    } else {
        let fault = |fault| format!("its annotation `{BIND_ANNOTATION}` is broken: {fault}");
        annotation::read(old).map_err(fault)?
    };
    let is_new = |(path, setter): &&(String, String)| {
        !known
            .iter()
            .any(|(known, to)| known.to_string() == *path && to == setter)
    };
    let count = fields.iter().filter(is_new).count();
    let value = annotation::with(old, fields).map_err(|fault| fault.to_string())?;
    Ok(value.map(|value| (value, count)))
}

/// The edits that write the annotation.
fn written(text: &str, root: &Node<'_>, value: &str) -> Result<Vec<Edit>, String> {
    let Some(metadata) = root.get("metadata") else {
        return Err("it has no `metadata`".to_owned());
    };
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let (key, quoted) = (BIND_ANNOTATION, format!("'{}'", value.replace('\'', "''")));
    let entry = format!("{key}: {quoted}");
    let flow_entry = format!("{}: {}", json(key), json(value));
    match metadata.get("annotations") {
        None => match shape(metadata, "metadata")? {
            Shape::Flow => {
                let entry = format!("{}: {{{flow_entry}}}", json("annotations"));
                Ok(vec![behind_last(text, metadata, &entry)])
            }
            Shape::Block(indent) => {
                let pad = " ".repeat(indent);
                let lines = [format!("{pad}annotations:"), format!("{pad}  {entry}")];
                Ok(vec![lines_behind(text, metadata, &lines)?])
            }
        },
        Some(annotations) => {
            if let Some(old) = annotations.get(key) {
                return match old.scalar().filter(|old| scalar::is_written(old)) {
                    Some(old) => Ok(scalar::rewrite(text, old, value)),
                    None => Err(format!("its annotation `{key}` is not a string")),
                };
            }
            match shape(annotations, "metadata.annotations")? {
                Shape::Flow => Ok(vec![behind_last(text, annotations, &flow_entry)]),
                Shape::Block(indent) => {
                    let line = format!("{}{entry}", " ".repeat(indent));
                    Ok(vec![lines_behind(text, annotations, &[line])?])
                }
            }
        }
    }
}

/// How a mapping is written.
enum Shape {
    Flow,
    /// The blanks before its keys.
    Block(usize),
}

fn shape(node: &Node<'_>, name: &str) -> Result<Shape, String> {
    match node.content {
        Content::Mapping(_) if node.flow => Ok(Shape::Flow),
        Content::Mapping(_) => Ok(Shape::Block(node.place.column - 1)),
        Content::Scalar(_) => Err(format!("its `{name}` is empty; write `{{}}` there")),
        _ => Err(format!("its `{name}` is not a mapping")),
    }
}

/// An entry behind the last one of a mapping in braces.
fn behind_last(text: &str, mapping: &Node<'_>, entry: &str) -> Edit {
    match mapping.entries().last() {
        Some((_, last)) if !last.span.is_empty() => {
            Edit::new(last.span.end, last.span.end, format!(", {entry}"))
        }
        Some(_) => {
            // A key without a value.
            let at = mapping.span.end - 1;
            let separator = if text[..at].trim_end().ends_with(',') {
                " "
            } else {
                ", "
            };
            Edit::new(at, at, format!("{separator}{entry}"))
        }
        None => {
            let at = mapping.span.start + 1;
            Edit::new(at, at, entry.to_owned())
        }
    }
}

/// Whether the last value of a node is a block (`|`), of whose text a line break may be
/// part.
fn ends_in_block(node: &Node<'_>) -> bool {
    let mut node = node;
    loop {
        let last = match &node.content {
            Content::Mapping(entries) => entries.last().map(|(_, value)| value),
            Content::Sequence(elements) => elements.last(),
            Content::Scalar(value) => {
                return matches!(value.scalar.style, Style::Literal | Style::Folded);
            }
            Content::Alias => None,
        };
        match last {
            Some(last) => node = last,
            None => return false,
        }
    }
}

/// Lines behind the last one of a block mapping.
///
/// # Errors
/// Where that is part of a text that a line break would change.
fn lines_behind(text: &str, mapping: &Node<'_>, lines: &[String]) -> Result<Edit, String> {
    if !text.ends_with('\n') && mapping.span.end == text.len() && ends_in_block(mapping) {
        return Err(
            "the file ends within a block of text (`|`); end it with a line break".to_owned(),
        );
    }
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let end = mapping.span.end;
    let at = if text[..end].ends_with('\n') {
        end
    } else {
        text[end..]
            .find('\n')
            .map_or(text.len(), |found| end + found + 1)
    };
    let lines = lines.join(newline);
    let added = if text[..at].ends_with('\n') {
        format!("{lines}{newline}")
    } else {
        format!("{newline}{lines}")
    };
    Ok(Edit::new(at, at, added))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource_list;
    use yaml_edit_spans::patch::Patched;

    fn annotated(text: &str) -> (String, Vec<String>) {
        let outline = resource_list::read(text).expect("YAML");
        let annotated = annotate(text, &outline, "a.yaml", &BTreeSet::new());
        let new = Patched::new(text, annotated.edits).expect("no overlap");
        let findings = annotated
            .findings
            .iter()
            .map(|finding| finding.message.clone());
        (new.to_string(), findings.collect())
    }

    const SPEC: &str =
        "spec:\n  containers:\n  - name: app\n    image: a:1 # {\"$imagepolicy\": \"ns:app\"}\n";
    const VALUE: &str = r#"'{"spec.containers.[name=app].image":"ns:app"}'"#;
    const JSON: &str =
        r#""flux-image.dev/bind": "{\"spec.containers.[name=app].image\":\"ns:app\"}""#;

    /// Each way to write metadata, and what it becomes.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn only_the_annotation_is_written() {
        let line = |pad: &str| format!("{pad}flux-image.dev/bind: {VALUE}\n");
        for (head, expected) in [
            (
                "metadata:\n  name: x # why\n",
                format!(
                    "metadata:\n  name: x # why\n  annotations:\n{}",
                    line("    ")
                ),
            ),
            (
                "metadata:\n    annotations:\n        # a\n        a: b # c\n    name: x\n",
                format!(
                    "metadata:\n    annotations:\n        # a\n        a: b # c\n{}    name: x\n",
                    line("        ")
                ),
            ),
            (
                "metadata:\n  annotations:\n    a: |\n      b\n\n  name: x\n",
                format!(
                    "metadata:\n  annotations:\n    a: |\n      b\n{}\n  name: x\n",
                    line("    ")
                ),
            ),
            (
                "metadata:\n  annotations:\n    a: |+\n      b\n\n  name: x\n",
                format!(
                    "metadata:\n  annotations:\n    a: |+\n      b\n\n{}  name: x\n",
                    line("    ")
                ),
            ),
            (
                "metadata:\r\n  name: x\r\n",
                format!(
                    "metadata:\r\n  name: x\r\n  annotations:\r\n{}",
                    line("    ").replace('\n', "\r\n")
                ),
            ),
            (
                "metadata: {name: x}\n",
                format!("metadata: {{name: x, \"annotations\": {{{JSON}}}}}\n"),
            ),
            (
                "metadata: {name: x, annotations: {}}\n",
                format!("metadata: {{name: x, annotations: {{{JSON}}}}}\n"),
            ),
            (
                "metadata:\n  annotations: {a: b, # c\n  }\n",
                format!("metadata:\n  annotations: {{a: b, {JSON}, # c\n  }}\n"),
            ),
            (
                "metadata: {}\n",
                format!("metadata: {{\"annotations\": {{{JSON}}}}}\n"),
            ),
            (
                "metadata:\n  annotations:\n    flux-image.dev/bind: '{\"a\": \"b:c\"}' # d\n",
                format!(
                    "metadata:\n  annotations:\n    flux-image.dev/bind: '{{\"a\":\"b:c\",{}}}' # d\n",
                    &VALUE[2..VALUE.len() - 2]
                ),
            ),
        ] {
            let spec = if head.contains("\r\n") {
                SPEC.replace('\n', "\r\n")
            } else {
                SPEC.to_owned()
            };
            let text = format!("kind: Pod\n{head}{spec}");
            let (new, findings) = annotated(&text);
            assert_eq!(new, format!("kind: Pod\n{expected}{spec}"));
            assert_eq!(findings, [] as [String; 0]);
            assert_eq!(annotated(&new).0, new, "a second run");
        }
    }

    #[test]
    fn a_text_without_a_last_line_break() {
        let text = format!("{SPEC}kind: Pod\nmetadata:\n  name: x");
        let expected = format!("{text}\n  annotations:\n    flux-image.dev/bind: {VALUE}");
        assert_eq!(annotated(&text).0, expected);
    }

    #[test]
    fn what_cannot_be_annotated_is_said() {
        for (head, why) in [
            ("kind: Pod\n", "not annotated: it has no `metadata`"),
            (
                "metadata: {name: x}\n",
                "not annotated: it is not a resource that a build reads",
            ),
            (
                "kind: Kustomization\nmetadata: {name: x}\n",
                "not annotated: it is not a resource that a build reads",
            ),
            (
                "kind: Pod\nmetadata:\n  annotations:\n",
                "not annotated: its `metadata.annotations` is empty; write `{}` there",
            ),
            (
                "kind: Pod\nmetadata: [a]\n",
                "not annotated: its `metadata` is not a mapping",
            ),
            (
                "kind: Pod\nmetadata: {annotations: {flux-image.dev/bind: no}}\n",
                "not annotated: its annotation `flux-image.dev/bind` is broken: it must be a JSON object",
            ),
            (
                "kind: Pod\nmetadata: {name: x}\nsops: {mac: x}\n",
                "not annotated: it is encrypted with SOPS, and an edit would break its checksum",
            ),
            (
                "kind: Pod\nmetadata: {name: x}\n'*': a:1 # {\"$imagepolicy\": \"ns:app\"}\n",
                "1 marked values here cannot be named by a field path, and are not annotated",
            ),
        ] {
            let (_, findings) = annotated(&format!("{head}{SPEC}"));
            assert_eq!(findings, [why], "{head}");
        }
    }
}
