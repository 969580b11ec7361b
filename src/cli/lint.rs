//! `flux-image lint`.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{FailOn, LintArgs, LintOutput};
use super::function::freshness;
use super::network::{self, Asker, Caller};
use super::options_file::OptionsFile;
use super::streams::{lists_all, print, print_diff, print_styled, say};
use super::{Exit, edit, scan};
use crate::checkout::files::Outlined;
use crate::checkout::git::Repositories;
use crate::checkout::request::GivenText;
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::{self, BoundIn, Request};
use crate::commit::{commits, migrate};
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location, Severity};
use crate::foreign::json_pretty;
use crate::insight::explain;
use crate::insight::lint::{self, Ignored, Ignores, LintText, Texts, Untold, fixes};
use crate::insight::trial::Trial;
use crate::insight::uses::Carrier;
use crate::plan::outcome::Outcome;
use crate::plan::planned::{Planned, Replacement};
use crate::plan::unreached::{self, Unreached};
use crate::policy::{ChosenNothing, InvalidPolicy};
use crate::report::json::Report;
use crate::report::lint::{IgnoredFinding, LintReport, LintSummary, TagsUsed, text};
use crate::report::{github, gitlab, sarif};
use crate::resource_list::{self, Outline};
use crate::selection::registry_queries::Ask;
use crate::selection::resolve::{self, Unresolved};
use go_template::time::Time;
use oci_tags::image::Repository;
use yaml_edit_spans::patch::Edit;
use yaml_edit_spans::{Place, Snippet};

/// Says what is wrong, and mends what mends itself.
pub(super) fn run(args: &LintArgs) -> anyhow::Result<Exit> {
    let edits = args.fix && !args.diff;
    let lock = edits
        .then(|| edit::lock(&args.documents.paths))
        .transpose()?;
    let repositories = Repositories::default();
    let request = Request {
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        also_read: lint::ALSO_READ,
        ..scan::request(
            &args.documents,
            &args.registries,
            freshness(args.max_age),
            &repositories,
        )?
    };
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let options = OptionsFile::read(&repositories, &request.paths)?;
    let mut looked = look(&request, &repositories, &options, &mut ask, args.fix)?;
    if args.diff {
        print_diff(&looked.replacements)?;
    } else if let Some(lock) = &lock
        && !looked.replacements.is_empty()
    {
        let Some(staged) = edit::stage(&looked.replacements, lock, false)? else {
            return Ok(Exit::Interrupted);
        };
        if edit::replace(staged)?.is_none() {
            return Ok(Exit::Interrupted);
        }
        let mended = std::mem::take(&mut looked.mended);
        looked.fixed = mended.len();
        looked.findings.retain(|finding| !mended.contains(finding));
    }
    looked.show(args, &options)
}

/// What was found.
#[derive(Default)]
struct Looked {
    findings: Vec<Finding>,
    ignored: Vec<IgnoredFinding>,
    /// Those that `replacements` mend.
    mended: Vec<Finding>,
    replacements: Vec<Replacement>,
    fixed: usize,
    tags: TagsUsed,
}

/// Looks at a checkout, as each of its clusters sees it.
fn look(
    request: &Request,
    repositories: &Repositories,
    options: &OptionsFile,
    ask: &mut Ask<'_>,
    fix: bool,
) -> anyhow::Result<Looked> {
    let none = Trial::default();
    let subject = Subject {
        only: None,
        trial: &none,
    };
    let mut found = Vec::new();
    let mut tags = TagsUsed::default();
    let mut clusters = Clusters::default();
    let (mut ignores, mut replaced) = (None, BTreeMap::new());
    let mut untold = Untold::default();
    // What cannot be read is an error of the run.
    let given: Vec<(&GivenText, Option<Outline<'_>>)> = (request.policies.iter())
        .map(|one| (one, resource_list::read(&one.text).ok()))
        .collect();
    checkout::with(request, repositories, BoundIn::Reach, |checkout| {
        let surveyed = survey::of(checkout, (request, repositories), subject, Some(&mut *ask));
        let mut texts: Texts<'_> = Texts::of(surveyed.files().filter_map(lint_text));
        for (one, outline) in &given {
            let outline = outline.as_ref();
            texts.add(
                &one.name,
                LintText {
                    text: &one.text,
                    outline,
                },
            );
        }
        untold.note(&surveyed.facts());
        let mut findings = findings_of(&surveyed, &texts, &mut tags);
        lint::add_lines(&mut findings, &texts);
        clusters.note(&surveyed, &texts);
        ignores.get_or_insert_with(|| Ignores::of_comments(&texts));
        if fix {
            mend(&surveyed, &findings, &texts, &mut replaced);
        }
        found.extend(findings);
    })?;
    found.extend(clusters.unreached());
    found.retain(|finding| !clusters.settles(finding));
    let mut looked = Looked {
        tags,
        ..Looked::default()
    };
    let mut ignores = ignores.unwrap_or_default();
    options.add_ignores(&mut ignores);
    let (left, ignored) = ignores.apply(unique(found), &untold, &|file| options.inside(file));
    looked.findings = left;
    looked.ignored = ignored.into_iter().map(told).collect();
    let is_left = |finding: &Finding| looked.findings.contains(finding);
    for (replacement, mended) in replaced.into_values() {
        // What somebody ignores stays as it is.
        if mended.iter().all(is_left) {
            looked.replacements.push(replacement);
            looked.mended.extend(mended);
        }
    }
    Ok(looked)
}

fn told(one: Ignored) -> IgnoredFinding {
    IgnoredFinding {
        finding: one.finding,
        reason: one.reason,
    }
}

/// What the clusters of a checkout make of each other's findings: of what one of them has no
/// use for, another may have some.
#[derive(Default)]
struct Clusters {
    /// Where values belong to a policy of any of them.
    bound: BTreeSet<String>,
    /// Where an automation of any of them comes to a value.
    carried: BTreeSet<String>,
    /// Where documents stand that any of them uses.
    used: BTreeSet<String>,
    /// The values that no automation of one of them comes to.
    unreached: Vec<Unreached>,
    /// Their lines.
    lines: BTreeMap<String, Snippet>,
}

impl Clusters {
    /// Takes in what a cluster sees.
    fn note(&mut self, surveyed: &Surveyed<'_>, texts: &Texts<'_>) {
        let documents = &surveyed.documents;
        for one in &surveyed.uses {
            let at = one.location.to_string();
            if matches!(one.carrier, Carrier::Automation(_)) {
                self.carried.insert(at.clone());
            }
            self.bound.insert(at);
            let policy = documents.policies.get(&one.policy);
            self.used
                .extend(policy.map(|policy| policy.location.to_string()));
        }
        for (id, policy) in &documents.policies {
            let id = resolve::repository_id(id, &policy.document);
            let repository = documents.repositories.get(&id);
            self.used
                .extend(repository.map(|repository| repository.location.to_string()));
        }
        let unreached = surveyed.unreached();
        let places = unreached.iter().flat_map(|one| &one.places);
        let at = |place: &Location| Finding::warning(Code::UnreachedMarker, "", place.clone());
        let mut places: Vec<Finding> = places.map(at).collect();
        lint::add_lines(&mut places, texts);
        let lines = places.into_iter();
        self.lines
            .extend(lines.filter_map(|one| Some((one.location.to_string(), one.snippet?))));
        self.unreached.extend(unreached);
    }

    /// That no automation of any cluster comes to values.
    fn unreached(&mut self) -> Vec<Finding> {
        let all = std::mem::take(&mut self.unreached);
        let is_reached = |at: &Location| self.carried.contains(&at.to_string());
        let left = unreached::of_clusters(all, &is_reached);
        let mut findings: Vec<Finding> = left.iter().filter_map(Unreached::finding).collect();
        for finding in &mut findings {
            finding.snippet = self.lines.get(&finding.location.to_string()).cloned();
        }
        findings
    }

    /// Whether a cluster knows what another one misses.
    fn settles(&self, finding: &Finding) -> bool {
        let at = || finding.location.to_string();
        match finding.code {
            Code::UnknownPolicy => self.bound.contains(&at()),
            Code::UnusedPolicy | Code::UnusedRepository => self.used.contains(&at()),
            _ => false,
        }
    }
}

fn lint_text<'r>(one: &'r Outlined<'r>) -> Option<(&'r str, LintText<'r>)> {
    let outline = match &one.outline {
        Some(Ok(outline)) => Some(outline),
        _ => None,
    };
    (!one.source.is_link).then_some((
        one.source.name.as_str(),
        LintText {
            text: &one.source.text,
            outline,
        },
    ))
}

/// All that is known to be odd, of one view.
fn findings_of(surveyed: &Surveyed<'_>, texts: &Texts<'_>, tags: &mut TagsUsed) -> Vec<Finding> {
    let images = &surveyed.learned.images;
    let mut findings = lint::lint(&lint::Subject {
        run: surveyed.facts(),
        texts,
    });
    let said: BTreeSet<(Code, String)> = (findings.iter())
        .map(|one| (one.code, one.location.to_string()))
        .collect();
    let read = surveyed.findings.iter().cloned();
    findings.extend(read.map(as_note));
    let in_files = surveyed.in_files.iter().cloned();
    let facts = surveyed.facts();
    let unchanged = facts.uses.iter().filter(|one| !facts.is_changed(one));
    let unchanged: BTreeSet<String> = unchanged.map(|one| one.location.to_string()).collect();
    // What nobody writes falls no lower.
    let is_idle = |one: &Finding| {
        one.code == Code::Downgrade && unchanged.contains(&one.location.to_string())
    };
    let in_files = in_files.filter(|one| !is_told_once(one) && !is_idle(one));
    findings.extend(in_files.map(as_note));
    findings.extend(surveyed.unread());
    findings.extend(commits::check_templates(
        &surveyed.automations.owners,
        &Time::utc(network::now()),
    ));
    for finding in &mut findings {
        let field = field_of(finding);
        if !field.is_empty() {
            finding.location = texts.field(&finding.location, field);
        }
        if let Some(place) = place_in_template(finding, texts) {
            (finding.location.line, finding.location.column) = (place.line, place.column);
        }
    }
    for (id, resolved) in images {
        let unresolved = resolved.reason().filter(|reason| reason.is_mistake());
        findings
            .extend(unresolved.and_then(|reason| unresolved_policy(texts, id, resolved, reason)));
        count(surveyed, id, tags);
    }
    // What a rule has told of a place is not told again in other words.
    let is_again = |one: &Finding| {
        let at = one.location.to_string();
        let alike = [
            (Code::LostText, Code::PartMismatch),
            (Code::DigestDropped, Code::PartMismatch),
            (Code::DigestMissing, Code::PartMismatch),
        ];
        alike
            .iter()
            .any(|(code, by)| one.code == *code && said.contains(&(*by, at.clone())))
    };
    findings.retain(|one| !is_again(one));
    let is_partial = surveyed.documents.is_incomplete || findings.iter().any(leaves_parts);
    for finding in &mut findings {
        // Flux lives with the rest, or sees more than is seen here.
        if is_partial || !stops_flux(finding.code) {
            finding.severity = finding.severity.min(Severity::Warning);
        }
    }
    lint::add_usual_hints(&mut findings);
    findings
}

/// Whether a finding says that documents are parts of a build that could not be made.
fn leaves_parts(finding: &Finding) -> bool {
    // Where clusters are read, no hint says how.
    let has_no_cluster = finding.code == Code::BuiltClusters && finding.hint.is_some();
    has_no_cluster || (finding.leaves_unjudged && finding.code == Code::BuildFailed)
}

/// Whether Flux would refuse what has a finding of this code, or do nothing for it.
fn stops_flux(code: Code) -> bool {
    matches!(
        code,
        Code::BadDocument
            | Code::UnresolvedPolicy
            | Code::MatchesNothing
            | Code::OnlyPrereleases
            | Code::NotANumber
            | Code::BadTemplate
            | Code::ConflictingDocuments
            | Code::BadBinding
            | Code::ConflictingBindings
    )
}

/// A policy that Flux would not take, or that chooses nothing of any list.
fn unresolved_policy(
    texts: &Texts<'_>,
    id: &crate::api::Id,
    resolved: &resolve::Resolved,
    reason: &Unresolved,
) -> Option<Finding> {
    if matches!(reason, Unresolved::Unreadable(_)) {
        return None;
    }
    let message = format!("ImagePolicy `{id}` gives no image: {}", reason.explained());
    let location = texts.field(&resolved.location, field_of_reason(reason));
    let finding = Finding::error(Code::UnresolvedPolicy, message, location);
    Some(finding.hint_if(reason.hint()))
}

/// The field of a policy that gives no image for a reason; empty for the whole.
fn field_of_reason(reason: &Unresolved) -> &'static str {
    match reason {
        Unresolved::Invalid(InvalidPolicy::Range(_)) => "spec.policy.semver.range",
        Unresolved::Invalid(_) => "spec.policy",
        Unresolved::Nothing(ChosenNothing::BadPattern { .. }) => "spec.filterTags.pattern",
        Unresolved::Nothing(_) => "spec.filterTags",
        Unresolved::NoRepository { .. } | Unresolved::AccessDenied(..) => "spec.imageRepositoryRef",
        Unresolved::Reflection(_) => "spec.digestReflectionPolicy",
        _ => "",
    }
}

/// The field of its document that a finding is about, where its place is the document's.
fn field_of(finding: &Finding) -> &str {
    match finding.code {
        Code::UnknownField => lint::unknown_field(&finding.message),
        Code::BadTemplate => match &finding.location.resource {
            Some(one) if one.api_version.ends_with("/v1alpha1") => "spec.commit.messageTemplate",
            _ => "spec.git.commit.messageTemplate",
        },
        _ => "",
    }
}

/// What is said of each value, and told of its policy here.
fn is_told_once(finding: &Finding) -> bool {
    matches!(
        finding.code,
        Code::UnresolvedPolicy | Code::UnansweredPolicy | Code::Suspended | Code::KeptPrevious
    )
}

/// A registry that gives no answer is nothing that is wrong with the files.
fn as_note(mut finding: Finding) -> Finding {
    let is_of_registry = matches!(
        finding.code,
        Code::RegistryFailed | Code::UnansweredPolicy | Code::Registry | Code::KeptPrevious
    );
    if is_of_registry {
        finding.severity = Severity::Info;
    }
    finding
}

fn count(surveyed: &Surveyed<'_>, id: &crate::api::Id, tags: &mut TagsUsed) {
    let documents = &surveyed.documents;
    let policy = documents.policies.get(id);
    let repository =
        policy.and_then(|policy| resolve::repository_of(documents, id, &policy.document).ok());
    let source = repository.map_or("nowhere", |(id, repository)| {
        let name = Repository::parse(&repository.spec.image).ok();
        explain::tags_of(surveyed.learned.tags(), &id, name.as_ref()).1
    });
    match source {
        "registry" => tags.registry += 1,
        "snapshot" => tags.snapshot += 1,
        _ => tags.unknown += 1,
    }
}

/// Findings once each, in the order of files and lines. Several clusters may see the same.
fn unique(mut findings: Vec<Finding>) -> Vec<Finding> {
    let key = |one: &Finding| {
        let location = &one.location;
        (
            location.file.clone(),
            location.line,
            location.column,
            one.code,
            one.message.clone(),
        )
    };
    findings.sort_by_cached_key(key);
    findings.dedup_by_key(|one| key(one));
    findings
}

/// Where in its file the line and column of a message template are that a finding names.
fn place_in_template(finding: &Finding, texts: &Texts<'_>) -> Option<Place> {
    if finding.code != Code::BadTemplate {
        return None;
    }
    let mut places = finding.message.match_indices("line ");
    let at = places.find_map(|(at, word)| {
        let rest = &finding.message[at + word.len()..];
        let (line, rest) = rest.split_once(", column ")?;
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let column = &rest[..end.unwrap_or(rest.len())];
        Some((line.parse().ok()?, column.parse().ok()?))
    })?;
    let path: Vec<&str> = finding.location.field.split('.').collect();
    fixes::place_within(finding, texts.get(finding.location.text())?, &path, at)
}

/// The edits of a message template that uses what Flux has removed, where it says the same
/// with what is there now.
fn template(finding: &Finding, text: LintText<'_>) -> Option<Vec<Edit>> {
    let path = ["spec", "git", "commit", "messageTemplate"];
    let (span, template) = fixes::scalar_of(finding, text, &path)?;
    let edits = || fixes::replace_within(text.text, span, migrate::REPLACEMENTS);
    migrate::is_safe(&template).then(edits)
}

/// What mends findings, by file.
fn mend(
    surveyed: &Surveyed<'_>,
    findings: &[Finding],
    texts: &Texts<'_>,
    replaced: &mut BTreeMap<String, (Replacement, Vec<Finding>)>,
) {
    let mut by_file: BTreeMap<&str, (Vec<_>, Vec<Finding>)> = BTreeMap::new();
    for finding in findings {
        let name = finding.location.file.as_str();
        let edits = texts.get(name).map(|text| match finding.code {
            Code::BadTemplate => template(finding, text).unwrap_or_default(),
            _ => fixes::of(finding, text),
        });
        let edits = edits.filter(|edits| !edits.is_empty());
        if let Some(edits) = edits {
            let (all, mended) = by_file.entry(name).or_default();
            all.extend(edits);
            mended.push(finding.clone());
        }
    }
    for one in surveyed.files() {
        let Some((edits, mended)) = by_file.remove(one.source.name.as_str()) else {
            continue;
        };
        if let Ok(replacement) = checkout::replacement(one.source, edits) {
            replaced
                .entry(one.source.name.clone())
                .or_insert((replacement, mended));
        }
    }
}

impl Looked {
    fn show(self, args: &LintArgs, options: &OptionsFile) -> anyhow::Result<Exit> {
        let worst = self.findings.iter().map(|one| one.severity).max();
        let summary = LintSummary::of(&self.findings, self.ignored.len(), self.fixed);
        let tags = self.tags;
        match args.output {
            LintOutput::Text => {
                print_styled([text(&self.findings, lists_all())])?;
                say(tags.line());
                say(format_args!("{}\n", summary.line()));
            }
            LintOutput::Json => print([json_pretty(&LintReport {
                api_version: "flux-image.dev/v1alpha1".to_owned(),
                kind: "LintReport".to_owned(),
                summary,
                tags,
                findings: self.findings,
                ignored: self.ignored,
            })? + "\n"])?,
            LintOutput::Sarif | LintOutput::Github | LintOutput::Gitlab => {
                let planned = Planned {
                    outcome: Outcome {
                        changes: Vec::new(),
                        findings: self.findings,
                    },
                    ..Planned::default()
                };
                let report = Report::new(&planned, &[], false, network::now());
                // Forges name files from the root of the repository.
                let report = report.with_files(&|file| options.inside(file));
                print([match args.output {
                    LintOutput::Sarif => sarif::log(&report, false)?,
                    LintOutput::Gitlab => gitlab::code_quality(&report, false)?,
                    _ => github::annotations(&report),
                }])?;
            }
        }
        let least = match args.fail_on {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Info => Severity::Info,
        };
        let fails = worst.is_some_and(|worst| worst >= least);
        Ok(if fails { Exit::Findings } else { Exit::Done })
    }
}
