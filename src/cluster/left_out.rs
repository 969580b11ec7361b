//! What is left out of a view, since nobody here can know it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::applied::Identity;
use super::flux::{self, FluxKustomization};
use super::substitute::{self, Substituted, Variables};
use crate::api;
use crate::finding::{Code, Finding, Location, Severity};

/// Documents that depend on what is not known, and those with variables that nobody
/// sets.
#[derive(Default)]
pub(super) struct LeftOut {
    unknown: Vec<(String, BTreeSet<String>)>,
    missing: BTreeSet<String>,
    findings: Vec<Finding>,
}

/// The variables that are not known and without which nothing can be said of a
/// document. What a Kustomization hands on is looked for where it arrives.
fn unknown_of(resource: &Value, identity: &Identity<'_>) -> BTreeSet<String> {
    let metadata = &resource["metadata"];
    let spec = &resource["spec"];
    let own = [&metadata["name"], &metadata["namespace"]];
    let more: Vec<&Value> = match identity.group {
        flux::KUSTOMIZE_GROUP => ["path", "sourceRef", "targetNamespace", "components"]
            .iter()
            .map(|field| &spec[*field])
            .collect(),
        // Who commits what does not say what is edited.
        api::FLUX_GROUP if identity.kind == "ImageUpdateAutomation" => {
            let fields = spec.as_object().into_iter().flatten();
            let fields = fields.filter(|(name, _)| name.as_str() != "git");
            fields.map(|(_, value)| value).collect()
        }
        api::FLUX_GROUP | api::OWN_GROUP => vec![spec],
        _ => Vec::new(),
    };
    let all = own.into_iter().chain(more);
    all.flat_map(substitute::unknown_in).collect()
}

/// Whether an ImagePolicy's pattern has a group of this name or number.
fn is_group(resource: &Value, name: &str) -> bool {
    let pattern = resource["spec"]["filterTags"]["pattern"].as_str();
    let pattern = pattern.unwrap_or_default();
    match name.parse::<usize>() {
        Ok(number) => number <= pattern.matches('(').count(),
        Err(_) => ["(?P<", "(?<"]
            .iter()
            .any(|begin| pattern.contains(&format!("{begin}{name}>"))),
    }
}

impl LeftOut {
    /// The resource, if all of it is known.
    pub(super) fn sort(
        &mut self,
        made: Substituted,
        location: &Location,
        variables: &Variables,
    ) -> Option<Value> {
        let identity = Identity::of(&made.resource);
        let name = format!("{} `{}`", identity.kind, identity.name);
        let counts = [api::FLUX_GROUP, flux::KUSTOMIZE_GROUP].contains(&identity.group);
        let mut unknown = unknown_of(&made.resource, &identity);
        unknown.extend(made.lost);
        if !unknown.is_empty() {
            if counts {
                self.unknown.push((name, unknown));
                self.missing.extend(variables.missing.iter().cloned());
            }
            return None;
        }
        if !made.unset.is_empty() && counts {
            let unset: Vec<String> = made
                .unset
                .iter()
                .map(|one| format!("`${{{one}}}`"))
                .collect();
            let message = format!(
                "{name} names {}, which nothing sets, so that it is empty",
                unset.join(", ")
            );
            let finding = Finding::warning(Code::UnsetVariable, message, location.clone());
            let mut unset = made.unset.iter();
            let group = unset.find(|name| is_group(&made.resource, name));
            let first = made.unset.first().map_or("", String::as_str);
            self.findings.push(finding.hint(match group {
                Some(group) => format!(
                    "`{group}` is a group of `filterTags.pattern`: write `$${{{group}}}` in `extract`, which substitution leaves as `${{{group}}}`"
                ),
                None => format!(
                    "set it in `postBuild`, or write `$${{{first}}}` for what is no variable"
                ),
            }));
        }
        let left = substitute::unknown_in(&made.resource);
        if left.is_empty() || !counts {
            return Some(made.resource);
        }
        let names: Vec<String> = left.iter().map(|one| format!("`${{{one}}}`")).collect();
        if identity.kind == "ImageUpdateAutomation" {
            let message = format!(
                "{name} names {} in `spec.git`, which only the cluster knows; it stands there as it is written",
                names.join(", ")
            );
            let finding = Finding::warning(Code::UnknownVariable, message, location.clone());
            let flags: Vec<String> = (left.iter())
                .map(|one| format!("--substitute {one}=VALUE"))
                .collect();
            self.findings
                .push(finding.hint(format!("say what it is: `{}`", flags.join(" "))));
        }
        match identity.group {
            // What it hands on is looked for where it arrives.
            flux::KUSTOMIZE_GROUP => Some(made.resource),
            _ => Some(substitute::restored(made.resource)),
        }
    }

    /// What there is to say of them.
    pub(super) fn findings(
        self,
        kustomization: &FluxKustomization,
        location: &Location,
    ) -> Vec<Finding> {
        let mut findings = self.findings;
        let Some((first, _)) = self.unknown.first() else {
            return findings;
        };
        let names: BTreeSet<&str> = (self.unknown.iter())
            .flat_map(|(_, names)| names.iter().map(String::as_str))
            .collect();
        let more = match self.unknown.len() {
            1 => String::new(),
            count => format!(" and {} more documents", count - 1),
        };
        let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let missing: Vec<String> = self.missing.into_iter().collect();
        let why = match missing.is_empty() {
            true => "which is not known".to_owned(),
            false => format!("and {} is not in the checkout", missing.join(", ")),
        };
        let message = format!(
            "{first}{more} of Kustomization `{}` cannot be known: they use {}, {why}",
            kustomization.id,
            listed.join(", "),
        );
        let finding = Finding::new(
            Severity::Error,
            Code::UnknownVariable,
            message,
            location.clone(),
        );
        findings.push(finding.hint(say_values(names)));
        findings
    }
}

/// The hint for variables that only the cluster knows.
pub(super) fn say_values<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let flags = names.into_iter();
    let flags: Vec<String> = flags
        .map(|name| format!("--substitute {name}=VALUE"))
        .collect();
    format!(
        "say what the cluster has there: `{}`, or all of it with `--substitute-from FILE`",
        flags.join(" ")
    )
}
