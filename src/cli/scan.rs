//! `flux-image scan` and `flux-image resolve`.

use anyhow::Context as _;

use super::Exit;
use super::args::{RegistryArgs, ResolveArgs, ScanArgs};
use super::function::{documents, freshness};
use super::network::{self, Asker, Caller};
use super::streams::{print, say, say_findings};
use crate::api::OnUnresolved;
use crate::binding::bindings::BindingConfig;
use crate::checkout::git::Repositories;
use crate::checkout::{self, BoundIn, Request};
use crate::documents::Documents;
use crate::engine::Whose;
use crate::finding::{Code, Finding};
use crate::plan::outcome::Outcome;
use crate::report::{policies, snapshot, table};
use crate::selection::only::Only;
use crate::selection::resolve::{Refresh, Resolved, Unresolved};
use crate::selection::tags::Freshness;

/// Prints a TagSnapshot of all ImageRepositories.
///
/// # Errors
/// Where the documents cannot be read at all.
pub(super) fn scan(args: &ScanArgs) -> anyhow::Result<Exit> {
    let refresh = network::refresh(&args.registries)?;
    let request = request(
        &args.paths,
        &args.policies,
        &args.registries,
        freshness(std::time::Duration::MAX),
    )?;
    let mut asker = Asker::new(&args.registries, Caller::Person, refresh.clone());
    checkout::with(
        &request,
        &Repositories::default(),
        BoundIn::Tree,
        |mut checkout| {
            let documents = checkout.documents;
            let mut outcome = Outcome {
                findings: std::mem::take(&mut checkout.findings),
                ..Outcome::default()
            };
            // Nothing is edited, so only documents are missed.
            outcome.findings.extend(checkout.missed());
            outcome.findings.extend(unknown(&refresh, documents));
            let asked = checkout
                .run
                .scan(&mut |documents, questions| asker.ask(documents, questions));
            outcome.findings.extend(asked);
            print(&[snapshot::document(documents, &checkout.run.tags)])?;
            finish(
                &outcome,
                &table::repositories(documents, &checkout.run.tags),
            )
        },
    )?
}

/// Prints the ImagePolicies with their status.
///
/// # Errors
/// Where the documents cannot be read at all.
pub(super) fn resolve(args: &ResolveArgs) -> anyhow::Result<Exit> {
    let refresh = network::refresh(&args.registries)?;
    let request = Request {
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        refresh,
        ..request(
            &args.paths,
            &args.policies,
            &args.registries,
            freshness(args.max_age),
        )?
    };
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    checkout::with(
        &request,
        &Repositories::default(),
        BoundIn::Tree,
        |mut checkout| {
            let documents = checkout.documents;
            let mut outcome = Outcome {
                findings: std::mem::take(&mut checkout.findings),
                ..Outcome::default()
            };
            // Nothing is edited, so only documents are missed.
            outcome.findings.extend(checkout.missed());
            outcome
                .findings
                .extend(unknown(&request.refresh, documents));
            let query = request.query(None);
            let (learned, asked) = checkout.run.learn(&query, Whose::All, Some(&mut ask));
            // Said below, in this command's own weight.
            let is_kept = |finding: &Finding| finding.code == Code::KeptPrevious;
            let asked = asked.into_iter().filter(|finding| !is_kept(finding));
            outcome.findings.extend(asked);
            let images = &learned.images;
            for (id, resolved) in images {
                let reason = resolved.reason();
                let undecided = reason.and_then(|reason| undecided(id, resolved, reason));
                outcome.findings.extend(undecided);
            }
            let now = network::now();
            let printed = images.iter().filter_map(|(id, resolved)| {
                let policy = &documents.policies.get(id)?.document;
                Some(policies::document(id, policy, resolved, now))
            });
            print(printed.collect::<Vec<String>>())?;
            finish(&outcome, &table::policies(images.iter()))
        },
    )?
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
    let finding = Finding::new(severity, code, message, resolved.location.clone());
    Some(finding.hint_if(reason.hint()))
}

/// What `--refresh` names and nobody knows.
pub(super) fn unknown(refresh: &Refresh, documents: &Documents) -> Vec<Finding> {
    let Refresh::Only(ids) = refresh else {
        return Vec::new();
    };
    let missing = ids
        .iter()
        .filter(|id| !documents.repositories.contains_key(id));
    missing
        .map(|id| {
            let message = format!(
                "`--refresh` names no ImageRepository that is known: {}/{}",
                id.namespace, id.name
            );
            Finding::error(Code::BadDocument, message, Default::default())
        })
        .collect()
}

/// What is to be read of a checkout, for who edits nothing.
///
/// # Errors
/// Where a file that a flag names cannot be read.
pub(super) fn request(
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
        bindings: BindingConfig::default(),
    })
}

fn finish(outcome: &Outcome, table: &str) -> anyhow::Result<Exit> {
    say_findings(&outcome.findings);
    say(table);
    Ok(Exit::of(outcome, false, false))
}
