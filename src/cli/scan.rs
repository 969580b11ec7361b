//! `flux-image scan` and `flux-image resolve`.

use anyhow::Context as _;

use super::Exit;
use super::args::{RegistryArgs, ResolveArgs, ScanArgs};
use super::function::{documents, freshness};
use super::network::{self, Asker, Caller};
use super::streams::{print, say, say_findings};
use crate::api::{OnUnresolved, TagSource};
use crate::checkout::{self, Request};
use crate::report::{policies, snapshot, table};
use crate::update::bindings::BindingConfig;
use crate::update::catalogue::{Catalogue, Freshness};
use crate::update::only::Only;
use crate::update::outcome::{Code, Finding, Outcome, Severity};
use crate::update::registry_queries::{self, QueryScope};
use crate::update::resolve::{Refresh, Resolved, Sources, Unresolved};

/// Prints a TagSnapshot of all ImageRepositories.
///
/// # Errors
/// Where the documents cannot be read at all.
pub fn scan(args: &ScanArgs) -> anyhow::Result<Exit> {
    let refresh = network::refresh(&args.registries)?;
    let request = request(
        &args.paths,
        &args.policies,
        &args.registries,
        freshness(std::time::Duration::MAX),
    )?;
    let mut catalogue = checkout::catalogue(&request)?;
    let mut outcome = Outcome::default();
    // How old a snapshot is does not matter to who makes a new one.
    let mut found = std::mem::take(&mut catalogue.findings);
    found.retain(|finding| finding.code != Code::OldSnapshot);
    outcome.findings = found;
    outcome.findings.extend(unknown(&refresh, &catalogue));
    let mut asker = Asker::new(&args.registries, Caller::Person, refresh);
    let asked = registry_queries::scan(&mut catalogue, &mut |catalogue, questions| {
        asker.ask(catalogue, questions)
    });
    outcome.findings.extend(asked);
    print(&[snapshot::document(&catalogue)])?;
    finish(&outcome, &table::repositories(&catalogue))
}

/// Prints the ImagePolicies with their status.
///
/// # Errors
/// Where the documents cannot be read at all.
pub fn resolve(args: &ResolveArgs) -> anyhow::Result<Exit> {
    let refresh = network::refresh(&args.registries)?;
    let request = request(
        &args.paths,
        &args.policies,
        &args.registries,
        freshness(args.max_age),
    )?;
    let mut catalogue = checkout::catalogue(&request)?;
    let mut outcome = Outcome::default();
    outcome.findings.append(&mut catalogue.findings);
    outcome.findings.extend(unknown(&refresh, &catalogue));
    let tags_from: Vec<TagSource> = args.tags_from.iter().copied().map(Into::into).collect();
    let wish = QueryScope {
        sources: Sources {
            tags_from: &tags_from,
            refresh: &refresh,
        },
        policies: None,
        only: None,
        on_unresolved: OnUnresolved::Fail,
    };
    let mut asker = Asker::new(&args.registries, Caller::Person, refresh.clone());
    let (images, asked) = registry_queries::images(
        &mut catalogue,
        &wish,
        Some(&mut |catalogue: &Catalogue, questions: &[_]| asker.ask(catalogue, questions)),
    );
    // Said below, in this command's own weight.
    let kept = |finding: &Finding| finding.code == Code::KeptPrevious;
    outcome
        .findings
        .extend(asked.into_iter().filter(|finding| !kept(finding)));
    for (id, resolved) in &images {
        let reason = resolved.reason();
        outcome
            .findings
            .extend(reason.and_then(|reason| undecided(id, resolved, reason)));
    }
    let now = network::now();
    let documents: Vec<String> = images
        .iter()
        .filter_map(|(id, resolved)| {
            let policy = &catalogue.policies.get(id)?.document;
            Some(policies::document(id, policy, resolved, now))
        })
        .collect();
    print(&documents)?;
    finish(&outcome, &table::policies(images.iter()))
}

/// A policy that chooses nothing.
fn undecided(id: &crate::api::Id, resolved: &Resolved, reason: &Unresolved) -> Option<Finding> {
    let severity = reason.severity();
    // Its document was reported.
    if matches!(reason, Unresolved::Unreadable(_)) {
        return None;
    }
    let message = match (&resolved.image, &resolved.kept) {
        (Ok(image), Some(_)) => {
            format!("ImagePolicy `{id}` chooses nothing now and keeps `{image}`: {reason}")
        }
        _ => format!("ImagePolicy `{id}` gives no image: {reason}"),
    };
    let code = reason.code(severity);
    let mut finding = Finding::new(severity, code, message, resolved.location.clone());
    finding = finding.hint_if(reason.hint());
    Some(finding)
}

/// What `--refresh` names and nobody knows.
pub fn unknown(refresh: &Refresh, catalogue: &Catalogue) -> Vec<Finding> {
    let Refresh::Only(ids) = refresh else {
        return Vec::new();
    };
    let missing = ids
        .iter()
        .filter(|id| !catalogue.repositories.contains_key(id));
    missing
        .map(|id| {
            let message = format!(
                "`--refresh` names no ImageRepository that is known: {}/{}",
                id.namespace, id.name
            );
            Finding::new(
                Severity::Error,
                Code::BadDocument,
                message,
                Default::default(),
            )
        })
        .collect()
}

/// What is to be read of a checkout, for who edits nothing.
///
/// # Errors
/// Where a file that a flag names cannot be read.
pub fn request(
    paths: &[std::path::PathBuf],
    policies: &[std::path::PathBuf],
    registries: &RegistryArgs,
    freshness: Freshness,
) -> anyhow::Result<Request> {
    Ok(Request {
        current: std::env::current_dir().context("cannot tell the current folder")?,
        paths: paths.to_vec(),
        policies: documents(policies)?,
        tags_from: Vec::new(),
        on_unresolved: OnUnresolved::Fail,
        freshness,
        refresh: Refresh::Nothing,
        secrets: network::secrets(&registries.secrets)?,
        only: Only::default(),
        labels: false,
        ways: BindingConfig::default(),
    })
}

fn finish(outcome: &Outcome, table: &str) -> anyhow::Result<Exit> {
    say_findings(&outcome.findings);
    say(table);
    Ok(Exit::of(outcome, false, false))
}
