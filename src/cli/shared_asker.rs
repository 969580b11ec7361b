//! Asking registries for two sets of documents, each for the tags of a repository once.

use std::collections::BTreeMap;

use super::args::RegistryArgs;
use super::network::{Asker, Caller};
use crate::api::ImageRepositorySpec;
use crate::documents::Documents;
use crate::selection::registry_queries::Answers;
use crate::selection::resolve::Refresh;
use crate::selection::tags::{Answer, Question};
use oci_tags::image::Repository;

/// Asks registries, and remembers what they said of a repository, whichever documents want
/// to know. An answer belongs to the login that got it: it counts for an ImageRepository
/// with the same one.
pub(super) struct SharedAsker<'a> {
    asker: Option<Asker<'a>>,
    known: BTreeMap<Subject, Vec<(Way, Answer)>>,
}

/// What was asked: the canonical name of a repository, and, for a digest, the tag.
type Subject = (String, Option<String>);

/// The way that it was asked: the namespace, and what `spec` says of logins and
/// connections.
#[derive(PartialEq)]
struct Way {
    namespace: String,
    spec: ImageRepositorySpec,
}

impl<'a> SharedAsker<'a> {
    /// Nothing is opened or read yet; with `is_asked` false nobody ever is.
    pub(super) fn new(args: &'a RegistryArgs, refresh: Refresh, is_asked: bool) -> Self {
        Self {
            asker: is_asked.then(|| Asker::new(args, Caller::Person, refresh)),
            known: BTreeMap::new(),
        }
    }

    /// Whether anybody is asked.
    pub(super) fn is_asked(&self) -> bool {
        self.asker.is_some()
    }

    /// Asks; see [`crate::selection::registry_queries::Ask`].
    pub(super) fn ask(&mut self, documents: &Documents, questions: &[Question]) -> Answers {
        let mut told = Answers::default();
        let mut left = Vec::new();
        for question in questions {
            match self.answer(documents, question) {
                Some(answer) => told.answers.push((question.clone(), answer)),
                None => left.push(question.clone()),
            }
        }
        let Some(asker) = self.asker.as_mut().filter(|_| !left.is_empty()) else {
            return told;
        };
        let answers = asker.ask(documents, &left);
        for (question, answer) in &answers.answers {
            self.note(documents, question, answer);
        }
        told.answers.extend(answers.answers);
        told.findings.extend(answers.findings);
        told
    }

    fn answer(&self, documents: &Documents, question: &Question) -> Option<Answer> {
        let (subject, way) = asked(documents, question)?;
        let known = self.known.get(&subject)?;
        let found = known.iter().find(|(known, _)| *known == way);
        found.map(|(_, answer)| answer.clone())
    }

    fn note(&mut self, documents: &Documents, question: &Question, answer: &Answer) {
        if let Some((subject, way)) = asked(documents, question) {
            let known = self.known.entry(subject).or_default();
            known.push((way, answer.clone()));
        }
    }
}

/// What a question asks, and by which way; `None` for one that is not remembered.
fn asked(documents: &Documents, question: &Question) -> Option<(Subject, Way)> {
    let id = question.repository();
    let found = &documents.repositories.get(id)?.document.spec;
    let image = Repository::parse(&found.image).ok()?.canonical();
    let tag = match question {
        Question::Tags(_) => None,
        Question::Digest(_, tag) => Some(tag.clone()),
        Question::Labels(..) => return None,
    };
    let spec = ImageRepositorySpec {
        image: String::new(),
        interval: None,
        timeout: None,
        suspend: false,
        access_from: None,
        exclusion_list: Vec::new(),
        ..found.clone()
    };
    let namespace = id.namespace.clone();
    Some(((image, tag), Way { namespace, spec }))
}
