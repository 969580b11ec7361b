//! Rules on what policies would make of the values that the files hold now.

use super::policies::written;
use super::{PolicyFacts, Texts};
use crate::binding::marker::{ImagePart, split_digest, split_tag};
use crate::finding::{Code, Finding, Severity};
use crate::insight::tag_scheme::{PolicyScheme, TagScheme};
use crate::insight::uses::Use;
use crate::policy::funnel::Fate;
use crate::quote;
use oci_tags::image::Repository;

/// What is odd about the change from what is there to what is chosen.
pub(super) fn look(facts: &PolicyFacts<'_>, texts: &Texts<'_>, findings: &mut Vec<Finding>) {
    let chosen = facts
        .resolved
        .and_then(|resolved| resolved.image.as_ref().ok());
    for one in &facts.uses {
        if let (Some(current), Some(image)) = (&one.tag, chosen) {
            findings.extend(of_tags(facts, one, current, &image.tag));
            findings.extend(other_image(facts, one, &image.name));
        }
        findings.extend(never_again(facts, one, texts));
    }
}

fn finding(
    facts: &PolicyFacts<'_>,
    one: &Use,
    code: Code,
    severity: Severity,
    what: &str,
) -> Finding {
    let message = format!("ImagePolicy `{}` {what}", facts.id);
    let mut finding = Finding::new(severity, code, message, one.location.clone());
    finding.current = Some(one.current.clone());
    finding.proposed.clone_from(&one.new);
    finding
}

/// A tag that is made otherwise.
fn of_tags(facts: &PolicyFacts<'_>, one: &Use, current: &str, new: &str) -> Option<Finding> {
    if current == new {
        return None;
    }
    let (before, after) = (TagScheme::of(current), TagScheme::of(new));
    let shown = |text: &str| quote::at_most(text, 200).into_owned();
    let (was, is) = (shown(current), shown(new));
    let (code, what) = if before.variant() != after.variant() {
        (Code::VariantChanges, "another variant of the image")
    } else if before.prefix != after.prefix && before.family() == after.family() {
        (Code::PrefixChanges, "a tag with another prefix")
    } else if before.family() != after.family() {
        (Code::PrefixChanges, "a tag of another family")
    } else if before.numbers().len() != after.numbers().len() {
        (Code::PartsChange, "a version with another number of parts")
    } else {
        return None;
    };
    let what = format!("would make `{is}` of `{was}`: {what}");
    let finding = finding(facts, one, code, Severity::Warning, &what);
    Some(finding.hint(match PolicyScheme::of(current) {
        Ok(scheme) => format!("to keep to `{was}`: {}", written(&scheme)),
        Err(_) => format!("to keep to tags like `{was}`, name them in `filterTags.pattern`"),
    }))
}

/// A whole image that would get another name.
fn other_image(facts: &PolicyFacts<'_>, one: &Use, name: &str) -> Option<Finding> {
    if one.part != ImagePart::Image || one.current.is_empty() {
        return None;
    }
    let written = split_tag(split_digest(&one.current).0).0;
    let (before, after) = (
        Repository::parse(written).ok()?,
        Repository::parse(name).ok()?,
    );
    if before.canonical() == after.canonical() {
        return None;
    }
    let what = match before.path() == after.path() {
        true => format!("would take `{written}` from another registry: `{name}`"),
        false => format!("would put another image in the place of `{written}`: `{name}`"),
    };
    let finding = finding(facts, one, Code::OtherImage, Severity::Warning, &what);
    Some(finding.hint("if that is not meant, mark the tag alone (`…:tag`), or have the ImageRepository name the image that is there"))
}

/// A value that the policy would never choose again.
fn never_again(facts: &PolicyFacts<'_>, one: &Use, texts: &Texts<'_>) -> Option<Finding> {
    let (current, traced) = (one.tag.as_deref()?, facts.traced.as_ref()?);
    let found = traced.funnel.get(current)?;
    let (field, why) = match &found.fate {
        Fate::Excluded { pattern } => ("exclusionList", format!("`{pattern}` excludes it")),
        Fate::Unmatched => (
            "filterTags.pattern",
            "the pattern does not match it".to_owned(),
        ),
        Fate::NoVersion { why } => ("filterTags", format!("as a version it {why}")),
        // A range that has moved on is how versions are raised by hand.
        _ => return None,
    };
    let what = format!(
        "would never choose today's `{}` again: {why}",
        quote::at_most(current, 200)
    );
    let finding = finding(facts, one, Code::NeverAgain, Severity::Warning, &what);
    let place = texts.field(&facts.policy.location, "spec.filterTags");
    Some(finding.hint(match PolicyScheme::of(current) {
        Ok(scheme) => format!(
            "if tags like it are meant, at {place}: {}",
            written(&scheme)
        ),
        Err(_) => format!("look at `{field}`, at {place}"),
    }))
}
