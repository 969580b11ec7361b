//! `flux-image test`.

use std::collections::{BTreeSet, HashSet};

use anyhow::bail;
use schemars::JsonSchema;
use serde::Serialize;

use super::Exit;
use super::args::{DocumentArgs, TestArgs, TestOutput};
use super::explain::subject;
use super::function::freshness;
use super::network::{Asker, Caller};
use super::scan;
use super::streams::{print, print_styled, say, say_findings};
use crate::api::{Id, TagSource};
use crate::checkout::git::Repositories;
use crate::checkout::{self, BoundIn, Checkout, Request};
use crate::documents::Documents;
use crate::engine::Whose;
use crate::finding::{Code, Finding, Severity};
use crate::foreign::json_pretty;
use crate::insight::explain::tags_of;
use crate::insight::policy_test::{self, PolicyTests, TestResult};
use crate::plan::outcome::Outcome;
use crate::report;
use crate::selection::registry_queries::Ask;
use crate::selection::resolve::{Unresolved, repository_of};
use go_regexp::Budget;
use oci_tags::image::Repository;

/// A test of more tags than this is told to be long.
const MANY_TAGS: usize = 500;

/// What `-o json` prints.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestResults {
    /// `flux-image.dev/v1alpha1`
    api_version: String,
    /// `ImagePolicyTestResults`
    kind: String,
    /// How many tests failed.
    failed: usize,
    /// One for each test, and for each cluster that sees its policy.
    items: Vec<TestResult>,
}

/// Runs ImagePolicyTests, or writes one.
pub(super) fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    match &args.record {
        Some(named) => record(named, args),
        None => test(args),
    }
}

fn request(args: &TestArgs, repositories: &Repositories) -> anyhow::Result<Request> {
    let documents = DocumentArgs {
        paths: args.paths.clone(),
        policies: args.policies.clone(),
        clusters: args.clusters.clone(),
    };
    Ok(Request {
        tags_from: vec![TagSource::Snapshot, TagSource::Registry],
        ..scan::request(
            &documents,
            &args.registries,
            freshness(args.max_age),
            repositories,
        )?
    })
}

/// Runs tests. Nobody is asked for anything.
fn test(args: &TestArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let request = request(args, &repositories)?;
    let read = checkout::tests(&request, &repositories)?;
    let mut outcome = Outcome {
        findings: read.findings,
        ..Outcome::default()
    };
    let mut tests = PolicyTests::new(&read.tests);
    checkout::with(&request, &repositories, BoundIn::Tree, |checkout| {
        tests.run(checkout.documents, checkout.cluster.as_deref());
        let missed = checkout.missed();
        // Which tags there are does not matter, and so not how old a list of them is.
        let about_tags = |one: &Finding| one.code == Code::OldSnapshot;
        let said = missed.chain(checkout.findings);
        let said: Vec<Finding> = said.filter(|one| !about_tags(one)).collect();
        add(&mut outcome.findings, said);
    })?;
    let (mut results, wrong) = tests.finish();
    outcome.findings.extend(wrong);
    // A report that leaves out what could not be run looks better than it is.
    results.extend(outcome.findings.iter().filter_map(TestResult::not_run));
    results.sort_by(|a, b| {
        let place = |one: &TestResult| (one.location.file.clone(), one.location.line);
        place(a).cmp(&place(b))
    });
    if read.tests.is_empty() && outcome.worst() != Some(Severity::Error) {
        outcome.findings.push(no_test());
    }
    say_findings(&outcome.findings);
    let failed = results.iter().filter(|one| !one.is_passed).count();
    let summary = report::policy_test::summary(&results);
    show(args.output, results, failed)?;
    say(summary);
    Ok(Exit::of(&outcome, failed > 0, false))
}

/// Adds findings that were not said yet: a file that is wrong may be read for the tests
/// and for the policies.
fn add(findings: &mut Vec<Finding>, more: Vec<Finding>) {
    let key = |one: &Finding| (one.code, one.message.clone(), one.location.to_string());
    let mut known: HashSet<_> = findings.iter().map(key).collect();
    let new = more.into_iter().filter(|one| known.insert(key(one)));
    findings.extend(new);
}

fn no_test() -> Finding {
    let message = "no ImagePolicyTest was found, so nothing was tested";
    Finding::error(Code::BadDocument, message, Default::default())
        .hint("`flux-image test --record NAME > test.yaml` writes one of what ImagePolicy NAME chooses now")
}

fn show(output: TestOutput, results: Vec<TestResult>, failed: usize) -> anyhow::Result<()> {
    match output {
        TestOutput::Text => print_styled(results.iter().map(report::policy_test::text)),
        TestOutput::Tap => print([report::policy_test::tap(&results)]),
        TestOutput::Junit => print([report::policy_test::junit(&results)?]),
        TestOutput::Json => print([json_pretty(&TestResults {
            api_version: "flux-image.dev/v1alpha1".to_owned(),
            kind: "ImagePolicyTestResults".to_owned(),
            failed,
            items: results,
        })? + "\n"]),
    }
}

/// Prints the test of what a policy chooses now.
fn record(named: &str, args: &TestArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let request = request(args, &repositories)?;
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let (mut told, mut outcome, mut missing) = (BTreeSet::new(), Outcome::default(), Vec::new());
    checkout::with(&request, &repositories, BoundIn::Tree, |mut checkout| {
        let mut findings = std::mem::take(&mut checkout.findings);
        match recorded(named, checkout, &request, &mut findings, &mut ask) {
            Ok(written) => _ = told.insert(written),
            Err(error) => missing.push(error),
        }
        add(&mut outcome.findings, findings);
    })?;
    say_findings(&outcome.findings);
    let mut told = told.into_iter();
    let Some((document, count)) = told.next() else {
        return match missing.pop() {
            Some(error) if outcome.worst() != Some(Severity::Error) => Err(error),
            // Why was said.
            _ => {
                say("nothing was recorded\n");
                Ok(Exit::of(&outcome, false, false))
            }
        };
    };
    if told.next().is_some() {
        bail!("the clusters do not choose alike: name the one to record with `--cluster-path DIR`");
    }
    print([document])?;
    if count > MANY_TAGS {
        say(format_args!(
            "recorded all {count} tags; the test keeps its meaning with those that matter to it\n"
        ));
    }
    Ok(Exit::of(&outcome, false, false))
}

/// The test of a policy in one checkout, and of how many tags it is.
fn recorded(
    named: &str,
    checkout: Checkout<'_>,
    request: &Request,
    findings: &mut Vec<Finding>,
    ask: &mut Ask<'_>,
) -> anyhow::Result<(String, usize)> {
    let found = subject(named, &checkout)?;
    let [id] = &found.iter().collect::<Vec<&Id>>()[..] else {
        let names = crate::quote::list(found.iter());
        bail!("`{named}` means several policies: {names}; write NAMESPACE/NAME");
    };
    let documents = checkout.documents;
    let query = request.query(Some(&found));
    let (learned, asked) = checkout.run.learn(&query, Whose::All, Some(ask));
    findings.extend(
        asked
            .into_iter()
            .filter(|one| one.code != Code::KeptPrevious),
    );
    let no_image = |why: &Unresolved| {
        let hint = why.hint();
        let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        anyhow::anyhow!(
            "nothing can be recorded of ImagePolicy `{id}`: {}{hint}",
            why.explained()
        )
    };
    let policy = documents.policies.get(id);
    let repository = policy.map(|one| repository_of(documents, id, &one.document));
    let tags = match &repository {
        Some(Ok((repository, document))) => {
            let name = Repository::parse(&document.spec.image).ok();
            tags_of(learned.tags(), repository, name.as_ref()).0
        }
        _ => None,
    };
    let Some(tags) = tags else {
        let why = learned.images.get(*id).and_then(|one| one.reason());
        return Err(match why {
            Some(why) => no_image(why),
            None => anyhow::anyhow!("no tags are known of ImagePolicy `{id}`"),
        });
    };
    let outcome = policy_test::outcome(documents, id, &tags.tags, &mut Budget::default());
    let written = report::recorded_test::document(id, &tags.tags, &outcome.chosen);
    Ok((written, tags.tags.len()))
}
