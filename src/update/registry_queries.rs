//! From documents to images, with the registries' help: which questions there
//! are, in two rounds, since a digest can only be asked for once its tag is
//! chosen.
//!
//! Who answers is handed in; nothing here touches a network.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::outcome::{Code, Finding, Severity};
use super::resolve::{self, Refresh, Resolved, Sources, Unresolved};
use crate::api::{Id, OnUnresolved, TagSource, Undefined};
use crate::tags::{Answer, Blame, Failure, Question};
use oci_tags::image::Repository;

/// Who answers questions.
pub type Ask<'a> = dyn FnMut(&Catalogue, &[Question]) -> Answers + 'a;

/// What came of some questions. One that is left out was not asked.
#[derive(Debug, Default)]
pub struct Answers {
    /// Question by question.
    pub answers: Vec<(Question, Answer)>,
    /// What was odd about it.
    pub findings: Vec<Finding>,
}

/// What a run wants to know.
pub struct QueryScope<'w> {
    /// Where tags are taken from.
    pub sources: Sources<'w>,
    /// Tells the names of the policies that matter, where not all do.
    pub policies: Option<&'w dyn Fn() -> BTreeSet<String>>,
    /// The policies that the run is limited to.
    pub only: Option<&'w BTreeSet<Id>>,
    /// What a failure is.
    pub on_unresolved: OnUnresolved,
}

/// The image of every policy, and what went wrong on the way.
pub fn images(
    catalogue: &mut Catalogue,
    wish: &QueryScope<'_>,
    ask: Option<&mut Ask<'_>>,
) -> (BTreeMap<Id, Resolved>, Vec<Finding>) {
    let mut findings = Vec::new();
    let counts = |policy: &Id| wish.only.is_none_or(|only| only.contains(policy));
    let mut images;
    if let Some(ask) = ask {
        let mut needed = repositories(catalogue, &wish.sources);
        needed.retain(|policy, _| counts(policy));
        // Whose names stand in the manifests is looked for only where that
        // spares somebody a question.
        let names = wish.policies.filter(|_| !needed.is_empty());
        if let Some(names) = names.map(|names| names()) {
            needed.retain(|policy, _| names.contains(&policy.name));
        }
        let questions: BTreeSet<Question> = needed.values().cloned().map(Question::Tags).collect();
        learn(catalogue, wish, questions, ask, &mut findings);
        images = resolve::resolve(catalogue, &wish.sources);
        let counting = images.iter().filter(|(policy, _)| counts(policy));
        let questions = digests(catalogue, counting, &wish.sources, &needed);
        learn(catalogue, wish, questions, ask, &mut findings);
        resolve::add_digests(&catalogue.tags, &mut images);
    } else {
        images = resolve::resolve(catalogue, &wish.sources);
    }
    keep_previous(catalogue, &wish.sources, &mut images, &mut findings);
    (images, findings)
}

fn learn(
    catalogue: &mut Catalogue,
    wish: &QueryScope<'_>,
    questions: BTreeSet<Question>,
    ask: &mut Ask<'_>,
    findings: &mut Vec<Finding>,
) {
    if questions.is_empty() {
        return;
    }
    let questions: Vec<Question> = questions.into_iter().collect();
    let answers = ask(catalogue, &questions);
    findings.extend(answers.findings);
    for (question, answer) in answers.answers {
        if let Answer::Failed(failure) = &answer {
            findings.extend(failed(catalogue, &question, failure, wish.on_unresolved));
        }
        catalogue.tags.learn(question, answer);
    }
}

/// Asks for everything: the tags of every ImageRepository that is not
/// suspended, and the digests that its policies reflect.
pub fn scan(catalogue: &mut Catalogue, ask: &mut Ask<'_>) -> Vec<Finding> {
    let wish = QueryScope {
        sources: Sources {
            tags_from: &[TagSource::Registry],
            refresh: &Refresh::Nothing,
        },
        policies: None,
        only: None,
        on_unresolved: OnUnresolved::Fail,
    };
    let mut findings = Vec::new();
    let all = catalogue.repositories.iter();
    let questions = all
        .filter(|(_, repository)| !repository.document.spec.suspend)
        .map(|(id, _)| Question::Tags(id.clone()))
        .collect();
    learn(catalogue, &wish, questions, ask, &mut findings);
    let images = resolve::resolve(catalogue, &wish.sources);
    let questions = digests(catalogue, images.iter(), &wish.sources, &BTreeMap::new());
    learn(catalogue, &wish, questions, ask, &mut findings);
    findings
}

/// The policies that only a registry can answer, and their ImageRepositories.
fn repositories(catalogue: &Catalogue, sources: &Sources<'_>) -> BTreeMap<Id, Id> {
    let mut needed = BTreeMap::new();
    for (id, policy) in &catalogue.policies {
        let document = &policy.document;
        let Ok((repository, found)) = resolve::repository_of(catalogue, id, document) else {
            continue;
        };
        let Ok(name) = Repository::parse(&found.spec.image) else {
            continue;
        };
        let is_idle = document.spec.suspend || found.spec.suspend;
        let has_status = || document.status.image() != Err(Undefined::Absent);
        let first = sources.of(catalogue, &repository);
        let first = first.iter().find(|source| match source {
            TagSource::Status => has_status(),
            TagSource::Snapshot => is_idle || catalogue.tags.written(&name).is_some(),
            TagSource::Registry => true,
        });
        let is_sound = !is_idle
            && policy.conflict.is_none()
            && !document.spec.lacks_interval()
            && document.spec.checked().is_ok();
        if first == Some(&TagSource::Registry) && is_sound {
            needed.insert(id.clone(), repository);
        }
    }
    needed
}

/// The digests that nobody but a registry can tell: of the policies that it was
/// asked for, and of those whose snapshot does not hold theirs. It is the policy
/// that asks for a digest, as in Flux: a suspended ImageRepository does not stop
/// it.
fn digests<'r>(
    catalogue: &Catalogue,
    images: impl Iterator<Item = (&'r Id, &'r Resolved)>,
    sources: &Sources<'_>,
    needed: &BTreeMap<Id, Id>,
) -> BTreeSet<Question> {
    let mut questions = BTreeSet::new();
    for (id, resolved) in images {
        let Err(Unresolved::NoDigest(missing)) = &resolved.image else {
            continue;
        };
        let may_ask = sources
            .of(catalogue, &missing.repository)
            .contains(&TagSource::Registry);
        if needed.contains_key(id) || may_ask {
            let question = Question::Digest(missing.repository.clone(), missing.image.tag.clone());
            questions.insert(question);
        }
    }
    questions
}

/// A failure, said once for each ImageRepository, wherever its policies are
/// used.
fn failed(
    catalogue: &Catalogue,
    question: &Question,
    failure: &Failure,
    on_unresolved: OnUnresolved,
) -> Option<Finding> {
    let id = question.repository();
    let sourced = catalogue.repositories.get(id)?;
    let image = &sourced.document.spec.image;
    let what = match question {
        Question::Tags(_) => format!("ImageRepository `{id}` (`{image}`) could not be scanned"),
        Question::Digest(_, tag) => format!("failed fetching digest of {image}:{tag}"),
        Question::Labels(_, reference) => format!("the labels of {image} ({reference})"),
    };
    let code = match failure.blame {
        Blame::Documents => Code::Login,
        Blame::Registry => Code::RegistryFailed,
    };
    let severity = match on_unresolved {
        OnUnresolved::Fail => Severity::Error,
        OnUnresolved::Warn => Severity::Warning,
    };
    let message = format!("{what}: {}", failure.message);
    let mut finding = Finding::new(severity, code, message, sourced.location.clone());
    finding.hint.clone_from(&failure.hint);
    Some(finding)
}

/// A policy that chooses nothing now keeps what its status names.
fn keep_previous(
    catalogue: &Catalogue,
    sources: &Sources<'_>,
    images: &mut BTreeMap<Id, Resolved>,
    findings: &mut Vec<Finding>,
) {
    for (id, resolved) in images {
        let Some(policy) = catalogue.policies.get(id) else {
            continue;
        };
        let Ok((repository, _)) = resolve::repository_of(catalogue, id, &policy.document) else {
            continue;
        };
        if sources
            .of(catalogue, &repository)
            .contains(&TagSource::Status)
        {
            continue;
        }
        if let (Err(reason), Ok(previous)) = (&resolved.image, policy.document.status.image()) {
            let message =
                format!("ImagePolicy `{id}` chooses nothing now and keeps `{previous}`: {reason}");
            let mut finding = Finding::new(
                Severity::Warning,
                Code::KeptPrevious,
                message,
                resolved.location.clone(),
            );
            finding = finding.hint_if(reason.hint());
            findings.push(finding);
            resolved.kept = Some(reason.clone());
            resolved.image = Ok(previous);
        }
    }
}
