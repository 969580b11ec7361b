//! Rules on markers and the values behind them.

use super::{LintText, Subject, Texts};
use crate::api::Id;
use crate::binding::marker::{self, Comment, ImagePart, MarkerTarget};
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::tag_scheme::{Core, TagScheme};
use crate::insight::uses::Use;
use crate::parallel;
use crate::plan::edits;
use crate::quote;
use crate::resource_list::Outline;
use oci_tags::image::is_tag;
use std::collections::{BTreeMap, BTreeSet};
use yaml_edit_spans::tree::{self, Node};
use yaml_edit_spans::{ByteSpan, Place};

/// What is wrong with markers.
pub(super) fn look(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in subject.run.uses {
        findings.extend(part(one));
    }
    findings.extend(beside_digests(subject));
    let texts: Vec<(&str, LintText<'_>)> = subject.texts.iter().collect();
    findings.extend(parallel::map(&texts, &|chunk| {
        let of_text = |(name, text): &(&str, LintText<'_>)| {
            let commented = commented(name, text.text).into_iter().map(told);
            let mut findings: Vec<Finding> = commented.collect();
            findings.extend(misspelled(name, *text));
            findings.extend(sealed(name, *text));
            findings
        };
        chunk.iter().flat_map(of_text).collect()
    }));
    findings
}

fn finding(one: &Use, code: Code, message: String) -> Finding {
    let mut finding = Finding::warning(code, message, one.location.clone());
    finding.current = Some(one.current.clone());
    finding
}

/// A marker for one part of an image at a value that holds another.
pub(super) fn part(one: &Use) -> Option<Finding> {
    // A block has a line break at its end, which an update takes away.
    let value = one.current.trim_end();
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
    let is_image = ImagePart::Image.takes(value) && value.contains('/');
    let (message, hint) = match one.part {
        ImagePart::Name if looks_like_tag || is_version(value) => (
            format!(
                "this marker writes the name of the image in the place of `{shown}`, which is a tag"
            ),
            format!("write `{id}:tag`"),
        ),
        ImagePart::Image if looks_like_tag => (
            format!("this marker writes a whole image in the place of `{shown}`, which is a tag"),
            format!("write `{id}:tag`"),
        ),
        ImagePart::Digest if looks_like_tag || is_version(value) => (
            format!("this marker writes a digest in the place of `{shown}`, which is a tag"),
            format!("write `{id}:tag`"),
        ),
        part if part.takes(value) => return None,
        ImagePart::Name if is_image => (
            format!(
                "this marker writes the name of the image in the place of `{shown}`, which is a whole image"
            ),
            format!("write `{id}`"),
        ),
        ImagePart::Tag if is_image => (
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

/// Whether a value is a version or a date, with nothing before it but a `v`: no image is named
/// so.
fn is_version(value: &str) -> bool {
    let scheme = TagScheme::of(value);
    let is_bare = matches!(scheme.prefix, "" | "v" | "V");
    is_tag(value) && is_bare && matches!(scheme.core, Core::Version(_) | Core::Date(_))
}

/// Tags that are updated beside digests that are not.
fn beside_digests(subject: &Subject<'_>) -> Vec<Finding> {
    let mut tags: BTreeMap<&str, Vec<&Use>> = BTreeMap::new();
    for one in subject.run.uses {
        if one.part == ImagePart::Tag {
            tags.entry(one.location.text()).or_default().push(one);
        }
    }
    let mut findings = Vec::new();
    for (file, uses) in tags {
        let Some(text) = subject.texts.get(file) else {
            continue;
        };
        let outline = text.outline.filter(|_| text.text.contains("sha256:"));
        let beside = outline.map(|outline| tags_beside_digests(text.text, outline));
        let beside = beside.unwrap_or_default();
        let found = uses.into_iter().filter(|one| {
            let place = (one.location.line, one.location.column);
            beside.contains(&place)
        });
        findings.extend(found.map(beside_digest));
    }
    findings
}

fn beside_digest(one: &Use) -> Finding {
    let message = "this tag is updated, and the digest beside it is not: whoever reads both pulls the old image".to_owned();
    let hint = format!(
        "mark the digest as well, with `{}:digest`, and set `digestReflectionPolicy: IfNotPresent`",
        one.policy
    );
    finding(one, Code::TagBesideDigest, message).hint(hint)
}

/// Where the marked values of a text stand, by line and column, that have a `digest` beside
/// them which is not marked.
fn tags_beside_digests(text: &str, outline: &Outline<'_>) -> BTreeSet<(usize, usize)> {
    let marked = outline.documents.iter().flat_map(|one| &one.marked);
    let marked: BTreeSet<usize> = marked.map(|one| one.value.span.start).collect();
    let starts = outline.objects().map(|object| object.span.start).collect();
    type Places = BTreeSet<(usize, usize)>;
    let found = tree::build_trees(text, &starts, |found: &mut Places, _, root| {
        beside(root, &marked, found);
    });
    found.unwrap_or_default()
}

/// The same, of a node and what is below it.
fn beside(node: &Node<'_>, marked: &BTreeSet<usize>, found: &mut BTreeSet<(usize, usize)>) {
    let is_marked = |node: &Node<'_>| {
        let value = node.scalar();
        value.is_some_and(|value| marked.contains(&value.span.start))
    };
    let digest = node.get("digest").filter(|digest| {
        let text = digest.text();
        text.is_some_and(|text| text.starts_with("sha256:")) && !is_marked(digest)
    });
    for (_, child) in node.entries() {
        if digest.is_some() && is_marked(child) {
            found.insert((child.place.line, child.place.column));
        }
        beside(child, marked, found);
    }
    for child in node.elements() {
        beside(child, marked, found);
    }
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

/// Where a marker of each policy is commented out.
pub(super) fn commented_out(texts: &Texts<'_>) -> BTreeMap<Id, Location> {
    let mut found = BTreeMap::new();
    for (name, text) in texts.iter() {
        for (target, location) in commented(name, text.text) {
            let id = Id::new(target.namespace, target.name);
            found.entry(id).or_insert(location);
        }
    }
    found
}

/// The policies whose markers stand in texts that could not be read.
pub(super) fn unread(texts: &Texts<'_>) -> BTreeSet<Id> {
    let unread = texts.iter().filter(|(_, text)| text.outline.is_none());
    let lines = unread.flat_map(|(_, text)| text.text.lines());
    let marked = lines.filter_map(|line| {
        let hash = line[..line.find(marker::TOKEN)?].rfind('#')?;
        let Comment::Marker(value) = marker::read(line[hash..].trim_end()) else {
            return None;
        };
        let target = MarkerTarget::parse(&value)?;
        Some(Id::new(target.namespace, target.name))
    });
    marked.collect()
}

fn told((target, location): (MarkerTarget, Location)) -> Finding {
    let message = format!(
        "the marker of `{}:{}` is on a line that is commented out",
        quote::at_most(&target.namespace, 100),
        quote::at_most(&target.name, 100)
    );
    let finding = Finding::new(Severity::Info, Code::CommentedMarker, message, location);
    finding.hint("take the line out, or bring it back")
}

/// Comments that are markers but for the spelling of the key: to Flux they are none, and no
/// reason to read the file.
fn misspelled(name: &str, text: LintText<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.text.contains('#') {
        return findings;
    }
    let (mut at, mut place) = (0, Place::of(text.text.as_bytes(), 0));
    let mut start = 0;
    for line in text.text.split_inclusive('\n') {
        let from = start;
        start += line.len();
        let Some((hash, key)) = misspelled_key(line) else {
            continue;
        };
        let is_hidden = text
            .outline
            .is_none_or(|outline| outline.concealed.touches(ByteSpan::new(from, start)));
        if is_hidden {
            continue;
        }
        place = place.further(&text.text.as_bytes()[at..from + hash]);
        at = from + hash;
        let message = format!(
            "this marker does nothing: its key is `{}`, where Flux looks for `\"$imagepolicy\"` in a JSON object",
            quote::at_most(key, 100)
        );
        let finding = Finding::warning(Code::BrokenMarker, message, Location::new(name, place));
        findings.push(finding.hint("write `# {\"$imagepolicy\": \"namespace:name\"}`, with `:tag`, `:name` or `:digest` after the name for a part"));
    }
    findings
}

/// Where on a line a comment begins that is nearly a marker, and the key that it has.
fn misspelled_key(line: &str) -> Option<(usize, &str)> {
    let (hash, _) = line.match_indices('#').find(|(at, _)| {
        let body = line[*at..].trim_start_matches(['#', ' ']);
        let is_first = line[..*at].ends_with([' ', '\t']) || *at == 0;
        is_first && (body.starts_with('{') || body.starts_with(['$', '"']))
    })?;
    let body = line[hash..].trim_start_matches(['#', ' ']).trim_end();
    let is_object = body.starts_with('{');
    let (key, value) = body.trim_start_matches(['{', ' ']).split_once(':')?;
    let key = key.trim();
    let bare = key.trim_matches(['"', '\'']);
    let letters = bare.trim_start_matches('$').replace(['-', '_'], "");
    if !letters.eq_ignore_ascii_case("imagepolicy") || (!is_object && !bare.starts_with('$')) {
        return None;
    }
    let value = value.trim_matches([' ', '"', '\'', '}']);
    // Where the key is as Flux has it, reading says what is wrong.
    let is_spelled = line.contains("$imagepolicy");
    let names_policy = MarkerTarget::parse(value).is_some();
    (names_policy && !is_spelled && !value.contains(' ')).then_some((hash, bare))
}

/// Markers on lines that are commented out: whose, and where.
fn commented(name: &str, text: &str) -> Vec<(MarkerTarget, Location)> {
    let mut found = Vec::new();
    if !text.contains(marker::TOKEN) {
        return found;
    }
    let (mut at, mut place) = (0, Place::of(text.as_bytes(), 0));
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = start;
        start += line.len();
        let whole = line.trim_start();
        let body = whole.trim_start_matches(['#', ' ', '-']);
        if !whole.starts_with('#') || !body.contains(": ") || body.starts_with('{') {
            continue;
        }
        let token = line.rfind(marker::TOKEN);
        let comment = token.and_then(|token| Some(&line[line[..token].rfind('#')?..]));
        let Some(Comment::Marker(value)) = comment.map(|text| marker::read(text.trim_end())) else {
            continue;
        };
        if let Some(target) = MarkerTarget::parse(&value) {
            let hash = from + line.len() - whole.len();
            place = place.further(&text.as_bytes()[at..hash]);
            at = hash;
            found.push((target, Location::new(name, place)));
        }
    }
    found
}
