//! From documents to images, with the registries' help: which questions there
//! are, in two rounds, since a digest can only be asked for once its tag is
//! chosen.
//!
//! Who answers is handed in; nothing here touches a network.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Id, OnUnresolved, TagSource, Undefined};
use crate::documents::Documents;
use crate::finding::{Code, Finding, Severity};
use crate::selection::resolve::{self, Refresh, Resolved, Sources, Unresolved};
use crate::selection::tags::{Answer, Blame, Failure, Question, TagBook};
use oci_tags::image::Repository;

/// Who answers questions.
pub type Ask<'a> = dyn FnMut(&Documents, &[Question]) -> Answers + 'a;

/// What came of some questions. One that is left out was not asked.
#[derive(Debug, Default)]
pub struct Answers {
    /// Question by question.
    pub answers: Vec<(Question, Answer)>,
    /// What was odd about it.
    pub findings: Vec<Finding>,
}

/// What a run asks of its policies.
#[derive(Clone, Copy)]
pub struct Query<'q> {
    /// Where tags are taken from.
    pub sources: Sources<'q>,
    /// The policies that the run is limited to.
    pub only: Option<&'q BTreeSet<Id>>,
    /// What a failure is.
    pub on_unresolved: OnUnresolved,
}

/// Tells the names of the policies that matter.
pub type BoundNames<'n> = dyn Fn() -> BTreeSet<String> + 'n;

/// The image of every policy, and what went wrong on the way. Registries are asked
/// for the policies that `names` tells alone, where it is given.
pub fn images(
    documents: &Documents,
    tags: &mut TagBook,
    query: &Query<'_>,
    names: Option<&BoundNames<'_>>,
    ask: Option<&mut Ask<'_>>,
) -> (BTreeMap<Id, Resolved>, Vec<Finding>) {
    let sources = &query.sources;
    let mut findings = Vec::new();
    let counts = |policy: &Id| query.only.is_none_or(|only| only.contains(policy));
    let mut images;
    if let Some(ask) = ask {
        let mut needed = repositories(documents, tags, sources);
        needed.retain(|policy, _| counts(policy));
        // Whose names stand in the manifests is looked for only where that
        // spares somebody a question.
        let names = names.filter(|_| !needed.is_empty());
        if let Some(names) = names.map(|names| names()) {
            needed.retain(|policy, _| names.contains(&policy.name));
        }
        let mut asking = Asking {
            documents,
            tags,
            on_unresolved: query.on_unresolved,
            ask,
            findings: &mut findings,
        };
        asking.learn(needed.values().cloned().map(Question::Tags).collect());
        images = resolve::resolve(documents, asking.tags, sources);
        let counting = images.iter().filter(|(policy, _)| counts(policy));
        asking.learn(digests(documents, counting, sources, &needed));
        resolve::add_digests(tags, &mut images);
    } else {
        images = resolve::resolve(documents, tags, sources);
    }
    keep_previous(documents, sources, &mut images, &mut findings);
    (images, findings)
}

/// Asks for everything: the tags of every ImageRepository that is not
/// suspended, and the digests that its policies reflect.
pub fn scan(documents: &Documents, tags: &mut TagBook, ask: &mut Ask<'_>) -> Vec<Finding> {
    let sources = Sources {
        tags_from: &[TagSource::Registry],
        refresh: &Refresh::Nothing,
    };
    let mut findings = Vec::new();
    let mut asking = Asking {
        documents,
        tags,
        on_unresolved: OnUnresolved::Fail,
        ask,
        findings: &mut findings,
    };
    let all = documents.repositories.iter();
    let all = all.filter(|(_, repository)| !repository.document.spec.suspend);
    asking.learn(all.map(|(id, _)| Question::Tags(id.clone())).collect());
    let images = resolve::resolve(documents, asking.tags, &sources);
    asking.learn(digests(
        documents,
        images.iter(),
        &sources,
        &BTreeMap::new(),
    ));
    findings
}

/// Who asks, and where the answers go.
struct Asking<'a, 'b> {
    documents: &'a Documents,
    tags: &'a mut TagBook,
    on_unresolved: OnUnresolved,
    ask: &'a mut Ask<'b>,
    findings: &'a mut Vec<Finding>,
}

impl Asking<'_, '_> {
    fn learn(&mut self, questions: BTreeSet<Question>) {
        if questions.is_empty() {
            return;
        }
        let questions: Vec<Question> = questions.into_iter().collect();
        let answers = (self.ask)(self.documents, &questions);
        self.findings.extend(answers.findings);
        for (question, answer) in answers.answers {
            if let Answer::Failed(failure) = &answer {
                let finding = failed(self.documents, &question, failure, self.on_unresolved);
                self.findings.extend(finding);
            }
            self.tags.learn(question, answer);
        }
    }
}

/// The policies that only a registry can answer, and their ImageRepositories.
fn repositories(documents: &Documents, tags: &TagBook, sources: &Sources<'_>) -> BTreeMap<Id, Id> {
    let mut needed = BTreeMap::new();
    for (id, policy) in &documents.policies {
        let document = &policy.document;
        let Ok((repository, found)) = resolve::repository_of(documents, id, document) else {
            continue;
        };
        let is_idle = document.spec.suspend || found.spec.suspend;
        let has_status = || document.status.image() != Err(Undefined::Absent);
        let name = || Repository::parse(&found.spec.image).ok();
        let is_written = || name().is_some_and(|name| tags.written(&name).is_some());
        let first = sources.of(documents, &repository);
        let first = first.iter().find(|source| match source {
            TagSource::Status => has_status(),
            TagSource::Snapshot => is_idle || is_written(),
            TagSource::Registry => true,
        });
        let is_sound = || {
            !is_idle
                && policy.conflict.is_none()
                && !document.spec.lacks_interval()
                && document.spec.checked().is_ok()
                && name().is_some()
        };
        if first == Some(&TagSource::Registry) && is_sound() {
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
    documents: &Documents,
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
            .of(documents, &missing.repository)
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
    documents: &Documents,
    question: &Question,
    failure: &Failure,
    on_unresolved: OnUnresolved,
) -> Option<Finding> {
    let id = question.repository();
    let sourced = documents.repositories.get(id)?;
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
    documents: &Documents,
    sources: &Sources<'_>,
    images: &mut BTreeMap<Id, Resolved>,
    findings: &mut Vec<Finding>,
) {
    for (id, resolved) in images {
        let Some(policy) = documents.policies.get(id) else {
            continue;
        };
        let Ok((repository, _)) = resolve::repository_of(documents, id, &policy.document) else {
            continue;
        };
        if sources
            .of(documents, &repository)
            .contains(&TagSource::Status)
        {
            continue;
        }
        if let (Err(reason), Ok(previous)) = (&resolved.image, policy.document.status.image()) {
            let message =
                format!("ImagePolicy `{id}` chooses nothing now and keeps `{previous}`: {reason}");
            let location = resolved.location.clone();
            let finding = Finding::warning(Code::KeptPrevious, message, location);
            findings.push(finding.hint_if(reason.hint()));
            resolved.kept = Some(reason.clone());
            resolved.image = Ok(previous);
        }
    }
}
