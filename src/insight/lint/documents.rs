//! Rules on ImageRepositories, their logins, and other documents.

use std::collections::BTreeSet;

use super::Subject;
use crate::api::{self, Document, Id, ImageRepository, Kind};
use crate::cluster::flux::OPERATOR_GROUP;
use crate::documents::Sourced;
use crate::documents::logins::{Lookup, References};
use crate::finding::{Code, Finding, Severity};
use crate::resource_list::Object;
use crate::selection::resolve;
use oci_tags::image::Repository;

/// What is wrong with documents.
pub(super) fn look(subject: &Subject<'_>) -> Vec<Finding> {
    let documents = subject.run.documents;
    let policies = documents.policies.iter();
    let used: BTreeSet<Id> = policies
        .map(|(id, policy)| resolve::repository_id(id, &policy.document))
        .collect();
    let mut findings = Vec::new();
    for (id, repository) in &documents.repositories {
        let look = Look {
            id,
            repository,
            subject,
        };
        findings.extend(look.unused(&used));
        findings.extend(look.insecure());
        findings.extend(look.beside_provider());
        findings.extend(look.login());
    }
    for (name, text) in subject.texts.iter() {
        let objects = text
            .outline
            .into_iter()
            .flat_map(|outline| outline.objects());
        for object in objects {
            if is_tag_provider(object) {
                findings.extend(text_order(name, text.text, object));
            }
            findings.extend(without_source(name, text.text, object));
        }
    }
    findings
}

struct Look<'a> {
    id: &'a Id,
    repository: &'a Sourced<ImageRepository>,
    subject: &'a Subject<'a>,
}

impl Look<'_> {
    fn finding(&self, severity: Severity, code: Code, field: &str, what: &str) -> Finding {
        let message = format!("ImageRepository `{}` {what}", self.id);
        let location = self.subject.texts.field(&self.repository.location, field);
        Finding::new(severity, code, message, location)
    }

    fn unused(&self, used: &BTreeSet<Id>) -> Option<Finding> {
        if used.contains(self.id) {
            return None;
        }
        let what = "is scanned, and no ImagePolicy refers to it";
        let finding = self.finding(Severity::Warning, Code::UnusedRepository, "", what);
        Some(finding.hint("add an ImagePolicy with `imageRepositoryRef`, or take it out"))
    }

    fn insecure(&self) -> Option<Finding> {
        if !self.repository.document.spec.insecure {
            return None;
        }
        let what = "may be asked without encryption (`insecure: true`): whoever is on the way decides which tags there are";
        let field = "spec.insecure";
        let finding = self.finding(Severity::Warning, Code::InsecureRegistry, field, what);
        Some(finding.hint("take `insecure` out, with a CA of your own in `certSecretRef`"))
    }

    fn beside_provider(&self) -> Option<Finding> {
        let spec = &self.repository.document.spec;
        let provider = spec.provider.as_deref()?;
        let login = spec.secret_ref.as_ref()?;
        if matches!(provider, "" | "generic") {
            return None;
        }
        let what = format!(
            "has `secretRef` `{}` beside `provider: {provider}`, of which one alone counts",
            login.name
        );
        let field = "spec.secretRef";
        let finding = self.finding(Severity::Warning, Code::LoginBesideProvider, field, &what);
        Some(finding.hint("keep one of them: `provider` for the cloud's own login, `secretRef` for one that lies in a Secret"))
    }

    /// A pull secret that has no login for the registry, or one with a line break.
    fn login(&self) -> Option<Finding> {
        let spec = &self.repository.document.spec;
        let reference = spec.secret_ref.as_ref()?;
        let image = Repository::parse(&spec.image).ok()?;
        let id = Id::new(self.id.namespace.clone(), reference.name.clone());
        let logins = &self.subject.run.documents.logins;
        let none = References::default();
        let Lookup::Document(secret) = logins.secret(&id, &none) else {
            return None;
        };
        let json = secret.document.value(&[".dockerconfigjson"]).ok()??;
        let place = secret.location.to_string();
        let hosts = hosts(json.reveal())?;
        let own = |host: &String| {
            let bare = host
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            let named = bare.split('/').next().unwrap_or(bare);
            let parsed = Repository::parse(&format!("{named}/image"));
            parsed.is_ok_and(|parsed| parsed.host() == image.host())
        };
        let found = hosts.iter().find(|(host, _)| own(host));
        match found {
            None => {
                let names: Vec<&String> = hosts.iter().map(|(host, _)| host).collect();
                let has = match names.as_slice() {
                    [] => "none at all".to_owned(),
                    names => crate::quote::list(names.iter()),
                };
                let what = format!(
                    "logs in with the Secret `{}`, which has no login for `{}`: it has {}",
                    id.name,
                    image.host(),
                    has
                );
                let field = "spec.secretRef";
                let finding = self.finding(Severity::Warning, Code::LoginWithoutHost, field, &what);
                Some(finding.hint(format!(
                    "add `{}` to `auths` of the Secret, at {place}",
                    image.host()
                )))
            }
            Some((_, true)) => {
                let what = format!(
                    "logs in with the Secret `{}`, whose password ends in a line break",
                    id.name
                );
                let location = secret.location.clone();
                let message = format!("ImageRepository `{}` {what}", self.id);
                let finding = Finding::warning(Code::PasswordLineBreak, message, location);
                Some(finding.hint("make the Secret anew, with `printf %s` in the place of `echo`"))
            }
            Some(_) => None,
        }
    }
}

/// The hosts of a pull secret, and whether the password of each ends in a line break.
fn hosts(json: &str) -> Option<Vec<(String, bool)>> {
    use base64::Engine as _;
    let config: serde_json::Value = serde_json::from_str(json).ok()?;
    let hosts = config["auths"].as_object()?.iter().map(|(host, auth)| {
        let password = auth["password"].as_str().unwrap_or_default();
        let both = auth["auth"].as_str().unwrap_or_default();
        let both = base64::engine::general_purpose::STANDARD.decode(both);
        let ends = password.ends_with('\n') || both.is_ok_and(|both| both.ends_with(b"\n"));
        (host.clone(), ends)
    });
    Some(hosts.collect())
}

/// An automation that names no repository, which the API server refuses.
fn without_source(name: &str, text: &str, object: &Object) -> Option<Finding> {
    if Kind::of(object) != Some(Kind::Automation) || object.is_concealed {
        return None;
    }
    let Document::Automation(automation) = api::read(text, object, Kind::Automation).ok()?.document
    else {
        return None;
    };
    let spec = &automation.spec;
    // What an older version has in its place is told with the version.
    if !spec.source_ref.name.is_empty() || spec.checkout.is_some() {
        return None;
    }
    let message = format!(
        "ImageUpdateAutomation `{}` has no `spec.sourceRef`",
        crate::quote::at_most(&object.name, 200)
    );
    let place = api::place_of_field(text, object, "spec");
    let location = object.location(name, place, "spec");
    let finding = Finding::error(Code::BadDocument, message, location);
    Some(finding.hint(
        "write `sourceRef: {kind: GitRepository, name: …}`, the GitRepository that it updates",
    ))
}

/// Whether a resource is a ResourceSetInputProvider of flux-operator that lists tags.
fn is_tag_provider(object: &Object) -> bool {
    object.group() == OPERATOR_GROUP && object.kind == "ResourceSetInputProvider"
}

/// A provider of tags without a range: it takes tags as texts, the greatest first.
fn text_order(name: &str, text: &str, object: &Object) -> Option<Finding> {
    let document: serde_json::Value = crate::api::read_text(&object.own_text(text)).ok()?;
    let spec = &document["spec"];
    let kind = spec["type"].as_str()?;
    let filter = &spec["filter"];
    let is_even = filter["includeTag"].as_str().is_some_and(has_one_length);
    if !kind.ends_with("ArtifactTag") || filter["semver"].is_string() || is_even {
        return None;
    }
    let message = format!(
        "ResourceSetInputProvider `{}` (`{kind}`) sorts tags as plain texts, so that `9` comes before `10`",
        crate::quote::at_most(&object.name, 200)
    );
    let place = crate::api::place_of_field(text, object, "spec.filter");
    let location = object.location(name, place, "spec.filter");
    let finding = Finding::warning(Code::TextOrder, message, location);
    let semver = match filter.is_object() {
        true => "add `semver: '>=0.0.0'` to `filter`",
        false => "write `filter: {semver: '>=0.0.0'}`",
    };
    Some(finding.hint(format!(
        "{semver}, or have `includeTag` match tags of one length, from `^` to `$`"
    )))
}

/// Whether all texts that a pattern matches have one length: nothing in it is repeated any
/// number of times, left out, or one of several.
fn has_one_length(pattern: &str) -> bool {
    let is_whole = pattern.starts_with('^') && pattern.ends_with('$');
    is_whole && !pattern.contains(['*', '+', '?', '|', ',']) && !pattern.ends_with("\\$")
}
