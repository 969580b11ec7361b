//! Hints of findings that say no more than what is the case, whoever has found it.

use std::borrow::Cow;

use crate::api::OWN_GROUP;
use crate::finding::{Code, Finding};

/// Adds a hint to each finding that has none, where its code tells what to do.
pub fn add_usual_hints(findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|one| one.hint.is_none()) {
        finding.hint = usual(finding).map(Cow::into_owned);
    }
}

/// What is to be done about findings that say no more than what is the case.
fn usual(finding: &Finding) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match finding.code {
        Code::BadDocument if let Some(kind) = own_kind(finding) => {
            return Some(Cow::Owned(format!(
                "write the field as the document's schema has it; `flux-image schema {kind}` shows it"
            )));
        }
        Code::BadDocument => {
            "write the field as the document's schema has it; `kubectl explain` shows it"
        }
        Code::UnknownField => misplaced(finding),
        Code::Unparsable => "mend the YAML, or have the values in a file that is",
        Code::Downgrade => {
            "if the lower version is meant, let it be; else widen the policy, so that it takes the one that is there"
        }
        Code::UnresolvedPolicy => {
            "mend the policy; `flux-image explain` tells what becomes of each tag"
        }
        Code::Suspended => "take `suspend` out when it is to go on",
        Code::BadTemplate => "mend the template; `flux-image update --dry-run` renders it",
        _ => return None,
    }))
}

/// The kind of a document of this program's own, of which no cluster has a schema.
fn own_kind(finding: &Finding) -> Option<&str> {
    let resource = finding.location.resource.as_ref()?;
    let (group, _) = resource.api_version.split_once('/')?;
    (group == OWN_GROUP).then_some(resource.kind.as_str())
}

/// Where a field belongs that stands in the wrong place.
fn misplaced(finding: &Finding) -> &'static str {
    let field = unknown_field(&finding.message);
    let name = field.rsplit('.').next().unwrap_or(field);
    let resource = finding.location.resource.as_ref();
    let is_policy = resource.is_none_or(|one| one.kind == "ImagePolicy");
    let is_automation = resource.is_some_and(|one| one.kind == "ImageUpdateAutomation");
    match name {
        "messageTemplate" | "messageTemplateValues" | "author" | "signingKey" if is_automation => {
            "write it under `spec.git.commit`"
        }
        "branch" | "refspec" | "options" if is_automation => "write it under `spec.git.push`",
        "strategy" | "path" if is_automation => "write it under `spec.update`",
        "policy" | "semver" | "numerical" | "alphabetical" | "range" | "order" if !is_policy => {
            "write it under `spec.policy` of the ImagePolicy"
        }
        "filterTags" | "pattern" | "extract" if !is_policy => {
            "write it under `spec.filterTags` of the ImagePolicy"
        }
        "policy" | "semver" | "numerical" | "alphabetical" | "range" | "order" => {
            "write it under `spec.policy`, as `spec.policy.semver.range`"
        }
        "filterTags" | "pattern" | "extract" => "write it under `spec.filterTags`",
        "exclusionList" | "image" | "interval" if is_policy => {
            "write it under `spec` of the ImageRepository"
        }
        _ => "take it out, or move it to where it belongs",
    }
}

/// The field that a message of an unknown one names.
#[must_use]
pub fn unknown_field(message: &str) -> &str {
    message.rsplit('`').nth(1).unwrap_or_default()
}
