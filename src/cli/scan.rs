//! `flux-image scan` and `flux-image resolve`.

use anyhow::Context as _;

use super::Exit;
use super::args::{DocumentArgs, RegistryArgs, ResolveArgs, ScanArgs};
use super::function::freshness;
use super::network::{self, Asker, Caller};
use super::options_file::OptionsFile;
use super::streams::{print, say, say_findings};
use super::{clusters, given};
use crate::api::OnUnresolved;
use crate::binding::bindings::BindingConfig;
use crate::checkout::git::Repositories;
use crate::checkout::{self, BoundIn, Checkout, Request};
use crate::documents::Documents;
use crate::engine::Whose;
use crate::finding::{Code, Finding};
use crate::plan::outcome::Outcome;
use crate::report::{policies, snapshot, table};
use crate::selection::only::Only;
use crate::selection::resolve::{Refresh, Resolved, Unresolved};
use crate::selection::tags::Freshness;

/// Prints a TagSnapshot of all ImageRepositories.
pub(super) fn scan(args: &ScanArgs) -> anyhow::Result<Exit> {
    let freshness = freshness(std::time::Duration::MAX);
    let repositories = Repositories::default();
    let request = request(&args.documents, &args.registries, freshness, &repositories)?;
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    look(&request, &repositories, |checkout, mut outcome| {
        let (documents, mut run) = (checkout.documents, checkout.run);
        let asked = run.scan(&mut |documents, questions| asker.ask(documents, questions));
        outcome.findings.extend(asked);
        let begin = match &checkout.cluster {
            // Several are a stream.
            Some(_) => "---\n",
            None => "",
        };
        print([begin, &snapshot::document(documents, &run.tags)])?;
        let table = table::repositories(documents, &run.tags);
        finish(&outcome, checkout.cluster.as_deref(), &table)
    })
}

/// Prints the ImagePolicies with their status.
pub(super) fn resolve(args: &ResolveArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let freshness = freshness(args.max_age);
    let request = Request {
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        ..request(&args.documents, &args.registries, freshness, &repositories)?
    };
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    look(&request, &repositories, |checkout, mut outcome| {
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
            let policy = &checkout.documents.policies.get(id)?.document;
            let cluster = checkout.cluster.as_deref();
            Some(policies::document(id, policy, resolved, cluster, now))
        });
        print(printed.collect::<Vec<String>>())?;
        let table = table::policies(images.iter());
        finish(&outcome, checkout.cluster.as_deref(), &table)
    })
}

/// Reads a checkout for who edits nothing, and goes on with it and with what was
/// found so far.
fn look(
    request: &Request,
    repositories: &Repositories,
    mut then: impl FnMut(Checkout<'_>, Outcome) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let exits = checkout::with(request, repositories, BoundIn::Tree, |mut checkout| {
        let mut findings = std::mem::take(&mut checkout.findings);
        // Nothing is edited, so only documents are missed.
        findings.extend(checkout.missed());
        findings.extend(unknown(&request.refresh, checkout.documents));
        let changes = Vec::new();
        then(checkout, Outcome { changes, findings })
    })?;
    let exits: Vec<Exit> = exits.into_iter().collect::<anyhow::Result<_>>()?;
    let worst = exits.into_iter().max_by_key(|exit| exit.code());
    Ok(worst.unwrap_or(Exit::Done))
}

/// A policy that chooses nothing.
fn undecided(id: &crate::api::Id, resolved: &Resolved, reason: &Unresolved) -> Option<Finding> {
    let severity = reason.severity();
    // Its document was reported.
    if matches!(reason, Unresolved::Unreadable(_)) {
        return None;
    }
    let why = reason.explained();
    let message = match (&resolved.image, &resolved.kept) {
        (Ok(image), Some(_)) => {
            format!("ImagePolicy `{id}` chooses nothing now and keeps `{image}`: {why}")
        }
        _ => format!("ImagePolicy `{id}` gives no image: {why}"),
    };
    let code = reason.code(severity);
    let finding = Finding::new(severity, code, message, resolved.location.clone());
    Some(finding.hint_if(reason.hint()))
}

/// What `--refresh` names and nobody knows.
fn unknown(refresh: &Refresh, documents: &Documents) -> Vec<Finding> {
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
pub(super) fn request(
    args: &DocumentArgs,
    registries: &RegistryArgs,
    freshness: Freshness,
    repositories: &Repositories,
) -> anyhow::Result<Request> {
    let mut request = Request {
        refresh: network::refresh(registries)?,
        current: std::env::current_dir().context("cannot tell the current folder")?,
        paths: args.paths.clone(),
        alone: None,
        policies: given::documents(&args.policies, repositories)?,
        tags_from: Vec::new(),
        on_unresolved: OnUnresolved::Fail,
        freshness,
        secrets: network::secrets(&registries.secrets)?,
        only: Only::default(),
        labels: false,
        bindings: BindingConfig::default(),
        clusters: clusters::of(&args.clusters, registries.offline)?,
        has_tree_documents: !args.clusters.no_tree_documents,
        also_read: &[],
    };
    let options = OptionsFile::read(repositories, &request.paths)?;
    options.say(repositories, &request.paths);
    request.bindings = options.bindings().clone();
    options.apply(&mut request)?;
    Ok(request)
}

fn finish(outcome: &Outcome, cluster: Option<&str>, table: &str) -> anyhow::Result<Exit> {
    say_findings(&outcome.findings);
    if let Some(cluster) = cluster {
        let cluster = crate::report::text::line(cluster);
        say(format_args!("cluster {cluster}:\n"));
    }
    say(table);
    Ok(Exit::of(outcome, false, false))
}
