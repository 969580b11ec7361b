//! Rules on what policies would make of the values that the files hold now.

use super::mends::{Gone, Mend};
use super::{PolicyFacts, Texts, markers, orders};
use crate::binding::marker::{ImagePart, split_digest, split_tag};
use crate::finding::{Code, Finding, Severity};
use crate::insight::RunFacts;
use crate::insight::tag_scheme::{Core, TagScheme};
use crate::insight::uses::Use;
use crate::policy::funnel::Fate;
use crate::quote;
use oci_tags::image::{Repository, is_tag};

/// What is odd about the change from what is there to what is chosen. Of one value the most
/// direct is said.
pub(super) fn look(facts: &PolicyFacts<'_>, run: &RunFacts<'_>, texts: &Texts<'_>) -> Vec<Finding> {
    let chosen = facts
        .resolved
        .and_then(|resolved| resolved.image.as_ref().ok());
    let mut findings = Vec::new();
    for one in facts.uses.iter().filter(|one| run.is_changed(one)) {
        if let Some(image) = chosen {
            findings.extend(other_image(facts, one, &image.name));
        }
        // A value that is no tag is changed by its marker, not by the tag that is chosen.
        let current = one.tag.as_deref().filter(|tag| is_tag(tag));
        let current = current.filter(|tag| !is_placeholder(tag));
        let Some(current) = current.filter(|_| markers::part(one).is_none()) else {
            continue;
        };
        let of_tags = chosen.and_then(|image| of_tags(facts, one, current, &image.tag));
        findings.extend(of_tags.or_else(|| never_again(facts, one, current, texts)));
    }
    findings
}

/// Whether a tag is a version of zeros alone, which stands for any until the first update.
fn is_placeholder(tag: &str) -> bool {
    let numbers = TagScheme::of(tag).numbers();
    let is_zero = |number: &&str| number.bytes().all(|digit| digit == b'0');
    !numbers.is_empty() && numbers.iter().all(is_zero)
}

/// A policy that keeps to how a tag is made: it is chosen by it, as the tags are known.
fn keeping_to(facts: &PolicyFacts<'_>, tag: &str) -> Option<String> {
    let traced = facts.traced.as_ref()?;
    let is_kept = |chosen: &str| difference(tag, chosen).is_none();
    let mend = traced.first_proved(traced.like(&[tag]), &[tag], Gone::By(&is_kept))?;
    Some(mend.written(&Mend::of_policy(&traced.checked)))
}

/// Whether no tag that is listed is made as one is.
fn is_alone(facts: &PolicyFacts<'_>, tag: &str) -> bool {
    facts.traced.as_ref().is_some_and(|traced| {
        let mut listed = traced.offered.kept().iter();
        !listed.any(|other| difference(tag, other).is_none())
    })
}

/// What tells two tags apart, but for the version itself and hashes of commits.
fn difference(current: &str, new: &str) -> Option<(Code, &'static str)> {
    let (current, new) = orders::with_one_hash(current, new);
    let (before, after) = (TagScheme::of(&current), TagScheme::of(&new));
    if before.variant() != after.variant() {
        Some((Code::VariantChanges, "another variant of the image"))
    } else if orders::shape(before.prefix) != orders::shape(after.prefix)
        && before.family() == after.family()
    {
        Some((Code::PrefixChanges, "a tag with another prefix"))
    } else if before.family() != after.family() {
        Some((Code::PrefixChanges, "a tag of another family"))
    } else if before.numbers().len() != after.numbers().len() {
        Some((Code::PartsChange, "a version with another number of parts"))
    } else {
        None
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
    let shown = |text: &str| quote::at_most(text, 200).into_owned();
    let (was, is) = (shown(current), shown(new));
    let (code, what) = difference(current, new)?;
    let what = format!("would make `{is}` of `{was}`: {what}");
    let finding = finding(facts, one, code, Severity::Warning, &what);
    let moves = matches!(TagScheme::of(current).core, Core::Word | Core::Hash(_));
    Some(finding.hint(match keeping_to(facts, current) {
        Some(mend) => format!("to keep to `{was}`: {mend}"),
        None if moves => format!("if `{was}` is meant to stay, take the marker out: nothing in such a tag says which is later"),
        None if is_alone(facts, current) => format!("no tag like `{was}` is listed, so no policy could keep to such tags: have the build push them again, or take what is listed"),
        None => format!("to keep to tags like `{was}`, name them in `filterTags.pattern`"),
    }))
}

/// A whole image that would get another name.
fn other_image(facts: &PolicyFacts<'_>, one: &Use, name: &str) -> Option<Finding> {
    if one.part != ImagePart::Image || one.current.is_empty() {
        return None;
    }
    let written = split_tag(split_digest(one.current.trim()).0).0;
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

/// A value that the policy would never choose again, although it chooses another.
fn never_again(
    facts: &PolicyFacts<'_>,
    one: &Use,
    current: &str,
    texts: &Texts<'_>,
) -> Option<Finding> {
    let traced = facts.traced.as_ref()?;
    if traced.funnel.chosen.is_err() {
        return None;
    }
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
    Some(finding.hint(match keeping_to(facts, current) {
        Some(mend) => format!("if tags like it are meant, at {place}: {mend}"),
        None => format!("look at `{field}`, at {place}"),
    }))
}
