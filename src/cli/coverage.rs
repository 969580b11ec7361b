//! `flux-image coverage`.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::Exit;
use super::args::{CoverageArgs, CoverageOutput};
use super::function::freshness;
use super::network::{self, Asker, Caller};
use super::options_file::OptionsFile;
use super::scan;
use super::streams::{print, print_styled, say, say_findings};
use crate::api::OnUnresolved;
use crate::checkout::git::Repositories;
use crate::checkout::survey::{self, Subject};
use crate::checkout::texts::YamlText;
use crate::checkout::{self, BoundIn, Checkout, Request};
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location, Severity};
use crate::foreign::json_pretty;
use crate::insight::coverage::found::{InFile, NotLookedAt, Unknown};
use crate::insight::coverage::seen::{Known, Seen};
use crate::insight::coverage::{self, Coverage, inventory};
use crate::insight::trial::Trial;
use crate::parallel;
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::report;

/// Lists every image, and who updates it.
pub(super) fn run(args: &CoverageArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let request = request(args, &repositories)?;
    let mut asker = Asker::new(
        &args.look.registries,
        Caller::Person,
        request.refresh.clone(),
    );
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let mut files: Option<Vec<InFile>> = None;
    let (mut seen, mut outcome) = (Vec::new(), Outcome::default());
    let trial = Trial::default();
    checkout::with(&request, &repositories, BoundIn::Everything, |checkout| {
        // The files are the same for every cluster.
        let files = files.get_or_insert_with(|| {
            let (files, findings) = inventory(&checkout);
            let told = findings.iter().map(|one| one.location.file.as_str());
            let told: BTreeSet<&str> = told.collect();
            let missed = checkout.missed();
            let missed = missed.filter(|one| !told.contains(one.location.file.as_str()));
            outcome.findings.extend(missed.collect::<Vec<_>>());
            outcome.findings.extend(findings);
            files
        });
        let subject = Subject {
            only: None,
            trial: &trial,
        };
        let surveyed = survey::of(checkout, (&request, &repositories), subject, Some(&mut ask));
        let known = Known {
            run: surveyed.facts(),
            in_files: &surveyed.in_files,
            needs_automation: !args.without_automations,
        };
        seen.push(Seen::of(&known, files));
        let findings = surveyed.findings.into_iter();
        outcome
            .findings
            .extend(findings.filter(is_news).map(weighed));
    })?;
    let today = network::now().to_zoned(TimeZone::UTC).date();
    let options = OptionsFile::read(&repositories, &request.paths)?;
    let mut settings = options.exclusions().clone();
    if args.paths.is_empty() {
        // Of a part of the tree nobody can say that an exclusion fits nothing.
        settings = settings.at(options.exclusions_at());
    }
    let coverage = coverage::judge(&files.unwrap_or_default(), &seen, &settings, today);
    say_findings(outcome.findings.iter().chain(&coverage.findings));
    show(&coverage, args)?;
    let missed = args.min.filter(|min| !min.is_met(&coverage.summary));
    if let Some(min) = missed {
        let percent = coverage.summary.percent;
        say(format_args!(
            "{percent}% is covered, and `--min` asks for {min}\n"
        ));
    }
    Ok(Exit::of(&outcome, missed.is_some(), false))
}

fn request(args: &CoverageArgs, repositories: &Repositories) -> anyhow::Result<Request> {
    let documents = args.look.documents(args.paths.clone());
    let freshness = freshness(args.look.max_age);
    Ok(Request {
        tags_from: args.tags_from.clone(),
        on_unresolved: OnUnresolved::Warn,
        ..scan::request(&documents, &args.look.registries, freshness, repositories)?
    })
}

/// What is to be said of a finding by who asks which images have a policy: nothing of one
/// is graver than a warning.
pub(super) fn told(mut finding: Finding) -> Option<Finding> {
    finding.severity = finding.severity.min(Severity::Warning);
    is_news(&finding).then_some(finding)
}

/// What the states do not tell, and `lint` is not for.
fn is_news(finding: &Finding) -> bool {
    !matches!(
        finding.code,
        Code::KeptPrevious | Code::Suspended | Code::OldVersion | Code::UnknownField
    )
}

/// Who updates an image does not hang on what a registry answers now; that an automation is
/// left out is told by the states.
fn weighed(mut finding: Finding) -> Finding {
    let is_of_now = matches!(
        finding.code,
        Code::RegistryFailed | Code::UnansweredPolicy | Code::SkippedAutomation
    );
    if is_of_now {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    finding
}

/// The images of all files, and what is wrong with files.
pub(super) fn inventory(checkout: &Checkout<'_>) -> (Vec<InFile>, Vec<Finding>) {
    let texts = checkout.yaml_texts();
    let of_chunk = |chunk: &[YamlText<'_>]| chunk.iter().map(of_yaml).collect();
    let mut files: Vec<InFile> = parallel::map(&texts, &of_chunk);
    let (container_files, mut findings) = checkout.container_files();
    let container_files = container_files.iter();
    files.extend(container_files.map(|one| InFile {
        path: path_name::shown(&one.inside),
        ..inventory::of_container_file(&one.name, &one.text)
    }));
    findings.extend(checkout.unread());
    files.extend(findings.iter().map(|finding| InFile {
        file: finding.location.file.clone(),
        unknown: vec![NotLookedAt {
            location: finding.location.clone(),
            why: Unknown::Unreadable,
        }],
        ..InFile::default()
    }));
    files.sort_by(|a, b| a.file.cmp(&b.file));
    (files, findings)
}

fn of_yaml(one: &YamlText<'_>) -> InFile {
    match one.outline {
        Ok(outline) => InFile {
            path: path_name::shown(one.inside),
            ..inventory::of_text(one.name, one.text, outline)
        },
        Err(error) => InFile {
            file: one.name.to_owned(),
            unknown: vec![NotLookedAt {
                location: Location::new(one.name, error.place),
                why: Unknown::Unparsable,
            }],
            ..InFile::default()
        },
    }
}

fn show(coverage: &Coverage, args: &CoverageArgs) -> anyhow::Result<()> {
    match args.output {
        CoverageOutput::Text => print_styled([report::coverage::text::table(coverage)]),
        CoverageOutput::Json => print([json_pretty(coverage)? + "\n"]),
        CoverageOutput::Markdown => {
            let limit = args.markdown_limit;
            print([report::coverage::markdown::body(coverage, limit)])
        }
        CoverageOutput::Html => print([report::coverage::page::page(coverage)]),
    }
}
