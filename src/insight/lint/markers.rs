//! Rules on markers and the values behind them.

use super::{LintText, Subject, Texts};
use crate::binding::marker::{self, Comment, ImagePart, MarkerTarget};
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::uses::Use;
use crate::plan::edits;
use crate::quote;
use memchr::memmem;
use oci_tags::image::is_tag;
use yaml_edit_spans::Place;

/// What is wrong with markers.
pub(super) fn look(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in subject.run.uses {
        findings.extend(part(one));
        findings.extend(beside_digest(one, subject.texts));
    }
    for (name, text) in subject.texts.iter() {
        findings.extend(commented(name, text.text));
        findings.extend(sealed(name, text));
    }
    findings
}

fn finding(one: &Use, code: Code, message: String) -> Finding {
    let mut finding = Finding::warning(code, message, one.location.clone());
    finding.current = Some(one.current.clone());
    finding
}

/// A marker for one part of an image at a value that holds another.
fn part(one: &Use) -> Option<Finding> {
    let value = one.current.as_str();
    let is_shown = value != crate::resource_list::MASK;
    if !is_shown || value.is_empty() {
        return None;
    }
    let key = one.location.field.rsplit('.').next().unwrap_or_default();
    let key = key.to_ascii_lowercase();
    let looks_like_tag = is_tag(value)
        && (key.ends_with("tag") || key.ends_with("version"))
        && value.contains(|c: char| c.is_ascii_digit());
    let shown = quote::at_most(value, 100);
    let id = &one.policy;
    let (message, hint) = match one.part {
        ImagePart::Name if looks_like_tag => (
            format!(
                "this marker writes the name of the image in the place of `{shown}`, which is a tag"
            ),
            format!("write `{id}:tag`"),
        ),
        ImagePart::Image if looks_like_tag => (
            format!("this marker writes a whole image in the place of `{shown}`, which is a tag"),
            format!("write `{id}:tag`"),
        ),
        part if part.takes(value) => return None,
        ImagePart::Tag if ImagePart::Image.takes(value) && value.contains('/') => (
            format!("this marker writes a tag in the place of `{shown}`, which is a whole image"),
            format!("write `{id}`"),
        ),
        part => (
            format!(
                "`{shown}` is not {}, so that an update would lose a part of it",
                part.article()
            ),
            "give the image a value of its own, and mark that".to_owned(),
        ),
    };
    Some(finding(one, Code::PartMismatch, message).hint(hint))
}

/// A tag that is updated beside a digest that is not.
fn beside_digest(one: &Use, texts: &Texts<'_>) -> Option<Finding> {
    if one.part != ImagePart::Tag {
        return None;
    }
    let text = texts.get(&one.location.file)?.text;
    let lines: Vec<&str> = text.lines().collect();
    let at = one.location.line.checked_sub(1)?;
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let own = indent(lines.get(at)?);
    let around = near(&lines, at, own, &indent);
    let digest = around.into_iter().find(|line| {
        let line = line.trim_start_matches([' ', '-']);
        let value = line.strip_prefix("digest:").map(str::trim_start);
        value.is_some_and(|value| value.trim_matches(['"', '\'']).starts_with("sha256:"))
    })?;
    if digest.contains(marker::TOKEN) {
        return None;
    }
    let message = "this tag is updated, and the digest beside it is not: whoever reads both pulls the old image".to_owned();
    let hint = format!(
        "mark the digest as well, with `{}:digest`, and set `digestReflectionPolicy: IfNotPresent`",
        one.policy
    );
    Some(finding(one, Code::TagBesideDigest, message).hint(hint))
}

/// The lines of the mapping that a line is in, as far as they have its indentation.
fn near<'t>(
    lines: &[&'t str],
    at: usize,
    own: usize,
    indent: &dyn Fn(&str) -> usize,
) -> Vec<&'t str> {
    /// Mappings of images are short.
    const NEAR: usize = 20;
    let is_within = |line: &&&str| line.trim().is_empty() || indent(line) >= own;
    let has_dash = |line: &str| line.trim_start().starts_with("- ");
    let mut found = Vec::new();
    if !has_dash(lines[at]) {
        for line in lines[..at].iter().rev().take(NEAR).take_while(is_within) {
            found.push(*line);
            if has_dash(line) {
                break;
            }
        }
    }
    let below = lines[at + 1..].iter().take(NEAR);
    let below = below.take_while(|line| is_within(line) && !has_dash(line));
    found.extend(below);
    found.retain(|line| indent(line) == own);
    found
}

/// Markers in documents whose values a checksum covers, whether anything changes now or not.
fn sealed(name: &str, text: LintText<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let documents = text
        .outline
        .into_iter()
        .flat_map(|outline| &outline.documents);
    for document in documents {
        for marked in &document.marked {
            let is_marker = || {
                matches!(
                    marker::read(marked.comment.of(text.text)),
                    Comment::Marker(_)
                )
            };
            let object = document.object_of(marked);
            if object.seals(&marked.text) && is_marker() {
                let (message, hint) = edits::sealed(object);
                let location = object.location(name, marked.place, document.path_of(marked));
                findings.push(Finding::warning(Code::Encrypted, message, location).hint(hint));
            }
        }
    }
    findings
}

/// Markers on lines that are commented out.
fn commented(name: &str, text: &str) -> Vec<Finding> {
    let (mut at, mut place) = (0, Place::of(text.as_bytes(), 0));
    let tokens = memmem::find_iter(text.as_bytes(), marker::TOKEN);
    let found = tokens.filter_map(|token| {
        let line = text[..token].rfind('\n').map_or(0, |at| at + 1);
        let end = text[token..].find('\n').map_or(text.len(), |at| token + at);
        let whole = text[line..end].trim_start();
        let body = whole.trim_start_matches(['#', ' ', '-']);
        let comment = &text[text[..token].rfind('#')?..end];
        let is_commented = whole.starts_with('#') && body.contains(": ") && !body.starts_with('{');
        let Comment::Marker(value) = marker::read(comment.trim_end()) else {
            return None;
        };
        let target = MarkerTarget::parse(&value).filter(|_| is_commented)?;
        place = place.further(&text.as_bytes()[at..line]);
        at = line;
        let message = format!(
            "the marker of `{}:{}` is on a line that is commented out",
            quote::at_most(&target.namespace, 100),
            quote::at_most(&target.name, 100)
        );
        let location = Location::new(name, place);
        let finding = Finding::new(Severity::Info, Code::CommentedMarker, message, location);
        Some(finding.hint("take the line out, or bring it back"))
    });
    found.collect()
}
