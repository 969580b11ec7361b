//! Findings that are mended by themselves: where nothing else of the file can change its
//! meaning, and byte for byte.

use std::collections::BTreeSet;

use super::LintText;
use crate::api::{self, Document, FLUX_GROUP};
use crate::finding::{Code, Finding};
use crate::resource_list::{self, Object};
use yaml_edit_spans::patch::{Edit, Patched};
use yaml_edit_spans::{ByteSpan, Place, tree};

/// The edits that mend a finding in its text; none where a person has to decide.
#[must_use]
pub fn of(finding: &Finding, text: LintText<'_>) -> Vec<Edit> {
    match finding.code {
        Code::OldVersion => new_version(finding, text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The resource that a finding is about, or about a field of.
fn object_at<'l>(finding: &Finding, text: LintText<'l>) -> Option<&'l Object> {
    let objects = text.outline?.objects();
    let before = objects.take_while(|object| object.place.line <= finding.location.line);
    before.last()
}

/// The scalar at a path of the resource that a finding is about: its bytes, and what it
/// reads as.
#[must_use]
pub fn scalar_of(
    finding: &Finding,
    text: LintText<'_>,
    path: &[&str],
) -> Option<(ByteSpan, String)> {
    let object = object_at(finding, text)?;
    let starts = BTreeSet::from([object.span.start]);
    let found = tree::build_trees(text.text, &starts, |found: &mut Vec<_>, _, root| {
        let node = path.iter().try_fold(root, |node, key| node.get(key));
        let scalar = node.and_then(|node| Some((node.scalar()?.span, node.text()?.into_owned())));
        found.extend(scalar);
    });
    found.ok()?.pop()
}

/// Where a line and a column, from 1, of the scalar at a path stand in the file, where the
/// scalar is written on several lines as it reads: a block of `|`.
#[must_use]
pub fn place_within(
    finding: &Finding,
    text: LintText<'_>,
    path: &[&str],
    (line, column): (usize, usize),
) -> Option<Place> {
    let (span, read) = scalar_of(finding, text, path)?;
    let written = span.of(text.text);
    let wanted = read.lines().nth(line.checked_sub(1)?)?;
    let number = line - 1 + usize::from(written.starts_with('|'));
    let found = written.lines().nth(number)?;
    let indent = found.strip_suffix(wanted)?;
    let start = Place::of(text.text.as_bytes(), span.start);
    if !written.contains('\n') || !indent.trim_matches(' ').is_empty() {
        return None;
    }
    let before = match number {
        0 => start.column - 1,
        _ => 0,
    };
    Some(Place {
        line: start.line + number,
        column: before + indent.len() + column,
    })
}

/// The edits that replace texts within some bytes of a text, wherever they stand there.
#[must_use]
pub fn replace_within(text: &str, within: ByteSpan, pairs: &[(&str, &str)]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let written = &text[within.start..within.end];
    for (from, to) in pairs {
        let found = memchr::memmem::find_iter(written.as_bytes(), from);
        edits.extend(found.map(|at| {
            let start = within.start + at;
            Edit {
                span: ByteSpan::new(start, start + from.len()),
                text: (*to).to_owned(),
            }
        }));
    }
    edits.sort_by_key(|edit| edit.span.start);
    edits
}

/// `apiVersion` of a document of Flux's whose fields are the same in `v1`.
fn new_version(finding: &Finding, text: LintText<'_>) -> Option<Vec<Edit>> {
    let is_alike = finding
        .hint
        .as_ref()?
        .ends_with("its fields stay as they are");
    let object = object_at(finding, text)?;
    if !is_alike || object.group() != FLUX_GROUP || object.is_concealed {
        return None;
    }
    let own = &text.text[object.span.start..object.span.end];
    let keys = memchr::memmem::find_iter(own.as_bytes(), "apiVersion");
    let edits = keys.filter_map(|key| {
        let line = own[key..].lines().next()?;
        let at = key + line.find(&object.api_version)? + FLUX_GROUP.len() + 1;
        let version = object.version();
        let start = object.span.start + at;
        let edit = Edit {
            span: ByteSpan::new(start, start + version.len()),
            text: "v1".to_owned(),
        };
        is_migrated(text.text, &edit, object).then_some(edit)
    });
    edits.take(1).map(|edit| Some(vec![edit])).next()?
}

/// Whether an edit has made a document one of `v1`, and left all others as they are.
fn is_migrated(text: &str, edit: &Edit, object: &Object) -> bool {
    let Ok(patched) = Patched::new(text, vec![edit.clone()]) else {
        return false;
    };
    let patched = patched.to_string();
    let (Ok(before), Ok(after)) = (resource_list::read(text), resource_list::read(&patched)) else {
        return false;
    };
    let versions = |outline: &resource_list::Outline<'_>| -> Vec<String> {
        outline
            .objects()
            .map(|one| one.api_version.clone())
            .collect()
    };
    let number = before
        .objects()
        .position(|one| one.span.start == object.span.start);
    let mut expected = versions(&before);
    if let Some(version) = number.and_then(|number| expected.get_mut(number)) {
        *version = format!("{FLUX_GROUP}/v1");
    }
    let migrated = number.and_then(|number| after.objects().nth(number));
    let is_alike =
        migrated.is_some_and(|migrated| means_the_same((text, object), (&patched, migrated)));
    is_alike && versions(&after) == expected
}

/// Whether a document of `v1` is what it was before, and has all that `v1` wants.
fn means_the_same(before: (&str, &Object), after: (&str, &Object)) -> bool {
    let read = |(text, object): (&str, &Object)| {
        let kind = api::Kind::of(object)?;
        api::read(text, object, kind).ok()
    };
    let (Some(before), Some(after)) = (read(before), read(after)) else {
        return false;
    };
    // What nobody reads here may be a field that `v1` has in another place.
    if !before.unknown_fields.is_empty() || !after.unknown_fields.is_empty() {
        return false;
    }
    match (&before.document, &after.document) {
        (Document::Repository(one), Document::Repository(other)) => one == other,
        (Document::Policy(one), Document::Policy(other)) => one == other,
        (Document::Automation(one), Document::Automation(other)) => {
            let spec = &other.spec;
            let is_whole = !spec.source_ref.name.is_empty() && spec.check_strategy().is_ok();
            one == other && is_whole && spec.moved_to_v1().is_none()
        }
        _ => false,
    }
}
