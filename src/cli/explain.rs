//! `flux-image explain`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::Exit;
use super::args::{ExplainArgs, TextOrJson};
use super::function::freshness;
use super::items::Items;
use super::network::{self, Asker, Caller};
use super::streams::{print, print_styled, say_findings};
use super::{given, scan};
use crate::api::Id;
use crate::checkout::git::Repositories;
use crate::checkout::request::GivenText;
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::{self, BoundIn, Checkout, Request};
use crate::commit::commits::{CommitSettings, SplitBy, hand_off};
use crate::documents::Documents;
use crate::finding::{Code, Finding};
use crate::insight::explain::{CommitFacts, Explanation, GivenTags, Known, explain};
use crate::insight::given_tags;
use crate::insight::trial::Trial;
use crate::plan::outcome::Outcome;
use crate::report;
use crate::selection::only::{ImageSubject, Only};
use crate::selection::registry_queries::Ask;
use go_template::time::Time;

/// Prints why policies choose what they choose.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let documents = args.look.documents(Vec::new());
    let mut request = Request {
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        ..scan::request(
            &documents,
            &args.look.registries,
            freshness(args.look.max_age),
            &repositories,
        )?
    };
    let (trial, snapshot) = trial(args, &mut request)?;
    let given = match (&args.tags, &snapshot) {
        (None, _) => GivenTags::Nothing,
        (Some(_), None) => GivenTags::List,
        (Some(_), Some(name)) => GivenTags::Snapshot(name),
    };
    let mut asker = Asker::new(
        &args.look.registries,
        Caller::Person,
        request.refresh.clone(),
    );
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let (mut told, mut outcome, mut missing) = (Vec::new(), Outcome::default(), Vec::new());
    checkout::with(&request, &repositories, BoundIn::Reach, |checkout| {
        let only = match tried_of(&args.subject, &checkout, &trial) {
            Ok(only) => only,
            Err(error) => {
                outcome.findings.extend(checkout.missed());
                missing.push(error);
                return;
            }
        };
        let subject = Subject {
            only: Some(&only),
            trial: &trial,
        };
        let asks = args.tags.is_none().then_some(&mut ask as &mut Ask<'_>);
        let surveyed = survey::of(checkout, (&request, &repositories), subject, asks);
        told.extend(explained(&surveyed, &only, args.tag.as_deref(), given));
        // What a cause of its own has is told with the policy.
        let about_others = |finding: &Finding| finding.code != Code::KeptPrevious;
        outcome
            .findings
            .extend(surveyed.findings.into_iter().filter(about_others));
    })?;
    if told.is_empty()
        && let Some(error) = missing.pop()
    {
        say_findings(&outcome.findings);
        return Err(error);
    }
    say_findings(&outcome.findings);
    show(args, told)?;
    Ok(Exit::of(&outcome, false, false))
}

/// The policies that the user means, of which something can be tried.
fn tried_of(named: &str, checkout: &Checkout<'_>, trial: &Trial) -> anyhow::Result<BTreeSet<Id>> {
    let only = subject(named, checkout)?;
    let specs = only.iter().filter_map(|id| {
        let policy = checkout.documents.policies.get(id)?;
        Some((id, &policy.document.spec))
    });
    trial.check_for(specs)?;
    Ok(only)
}

fn show(args: &ExplainArgs, told: Vec<Explanation>) -> anyhow::Result<()> {
    match args.output {
        TextOrJson::Text => {
            let texts: Vec<String> = told.iter().map(report::explain::text).collect();
            print_styled([texts.join("\n")])
        }
        TextOrJson::Json => print([Items::new("Explanations", told).json()?]),
    }
}

/// What is tried, with a TagSnapshot among the documents that count most, and the name of
/// its file.
fn trial(args: &ExplainArgs, request: &mut Request) -> anyhow::Result<(Trial, Option<String>)> {
    let mut trial = Trial {
        range: args.range.clone(),
        pattern: args.pattern.clone(),
        extract: args.extract.clone(),
        order: args.order.clone(),
        tags: None,
    };
    trial.check()?;
    let Some(path) = &args.tags else {
        return Ok((trial, None));
    };
    let (name, text) = given::text(path)?;
    if given_tags::is_snapshot(&text) {
        request.policies.push(GivenText {
            name: name.clone(),
            text,
            file: None,
        });
        return Ok((trial, Some(name)));
    }
    trial.tags = Some(given_tags::parse(&text).with_context(|| format!("`--tags` {name}"))?);
    Ok((trial, None))
}

fn explained(
    surveyed: &Surveyed<'_>,
    only: &BTreeSet<Id>,
    tag: Option<&str>,
    given: GivenTags<'_>,
) -> Vec<Explanation> {
    let commits = commits(surveyed);
    let known = Known {
        run: surveyed.facts(),
        commits: &commits,
        given,
    };
    only.iter().map(|id| explain(id, &known, tag)).collect()
}

/// The commits of the automations, by their numbers.
fn commits(surveyed: &Surveyed<'_>) -> BTreeMap<usize, CommitFacts> {
    let now = Time::utc(network::now());
    let setting = CommitSettings {
        split_by: SplitBy::Automation,
        legacy: false,
        needs_messages: false,
        needs_branches: false,
        now: &now,
    };
    // What is wrong with a commit is told with the values that it would hold.
    let (commits, _) = hand_off(&surveyed.planned(), &setting);
    let commits = commits.into_iter().filter_map(|commit| {
        let facts = CommitFacts {
            branch: commit.push.map(|push| push.branch),
            message: commit.message,
            faults: commit.faults,
        };
        Some((commit.owner?, facts))
    });
    commits.collect()
}

/// The policies that the user means: by a name, with or without a namespace; by a file and
/// a line with a marker; or by an image.
pub(super) fn subject(named: &str, checkout: &Checkout<'_>) -> anyhow::Result<BTreeSet<Id>> {
    let documents = checkout.documents;
    let known = || documents.policies.keys().chain(documents.unreadable.keys());
    let (namespace, name) = match named.split_once([':', '/']) {
        Some((namespace, name)) => (Some(namespace), name.split(':').next().unwrap_or(name)),
        None => (None, named),
    };
    let is_meant =
        |id: &&Id| id.name == name && namespace.is_none_or(|namespace| id.namespace == namespace);
    let found: BTreeSet<Id> = known().filter(is_meant).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some((file, line)) = at_line(named) {
        return at(file, line, checkout);
    }
    let only = Only {
        policies: Vec::new(),
        images: vec![ImageSubject::Image(named.to_owned())],
    };
    if let Ok((policies, _)) = only.targets(documents) {
        if policies.is_empty() {
            bail!("an ImageRepository has the image `{named}`, and no ImagePolicy follows it");
        }
        return Ok(policies);
    }
    let near = known().map(|id| format!("{}/{}", id.namespace, id.name));
    let near: Vec<String> = near.filter(|id| id.contains(name)).take(5).collect();
    let hint = match near.as_slice() {
        [] => "`flux-image policies` lists all".to_owned(),
        near => format!("there is {}", near.join(", ")),
    };
    bail!("no ImagePolicy, marker or image is called `{named}`\n  hint: {hint}");
}

/// `FILE:LINE`, also with a column behind it.
fn at_line(named: &str) -> Option<(&str, usize)> {
    let (rest, last) = named.rsplit_once(':')?;
    let number = last.parse().ok()?;
    let with_column = rest.rsplit_once(':').and_then(|(file, line)| {
        let line: usize = line.parse().ok()?;
        Some((file, line))
    });
    Some(with_column.unwrap_or((rest, number)))
}

/// The policies of the values on a line of a file.
fn at(file: &str, line: usize, checkout: &Checkout<'_>) -> anyhow::Result<BTreeSet<Id>> {
    let wanted = Path::new(file);
    let wanted = wanted.strip_prefix(".").unwrap_or(wanted);
    let Some(bound) = checkout.bound_at(wanted, line) else {
        bail!("{file} is no file of this checkout in which values are marked");
    };
    if bound.is_empty() {
        bail!("no value of {file} on line {line} belongs to a policy");
    }
    let known = |id: &Id| checkout.documents.policies.contains_key(id);
    match bound.iter().find(|id| !known(id)) {
        Some(id) => bail!(
            "the marker on line {line} of {file} names ImagePolicy `{id}`, which is not known\n  hint: name its file with `--policies`, or the cluster that sees it with `--cluster-path`"
        ),
        None => Ok(bound),
    }
}
