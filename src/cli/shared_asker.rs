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
/// to know. That there was no answer counts for an ImageRepository that is written the same:
/// another login may get one.
pub(super) struct SharedAsker<'a> {
    asker: Option<Asker<'a>>,
    /// What was answered, by the canonical name and, for a digest, the tag.
    known: BTreeMap<(String, Option<String>), Answer>,
    /// What was not answered, to an ImageRepository that is written so.
    failed: BTreeMap<Question, (ImageRepositorySpec, Answer)>,
}

impl<'a> SharedAsker<'a> {
    /// Nothing is opened or read yet; with `is_asked` false nobody ever is.
    pub(super) fn new(args: &'a RegistryArgs, refresh: Refresh, is_asked: bool) -> Self {
        Self {
            asker: is_asked.then(|| Asker::new(args, Caller::Person, refresh)),
            known: BTreeMap::new(),
            failed: BTreeMap::new(),
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
        if let Some(answer) = key(documents, question).and_then(|key| self.known.get(&key)) {
            return Some(answer.clone());
        }
        let spec = spec(documents, question)?;
        let failed = self.failed.get(question);
        let (_, answer) = failed.filter(|(known, _)| known == spec)?;
        Some(answer.clone())
    }

    fn note(&mut self, documents: &Documents, question: &Question, answer: &Answer) {
        match (answer, spec(documents, question)) {
            (Answer::Failed(_), Some(spec)) => {
                let failed = (spec.clone(), answer.clone());
                self.failed.insert(question.clone(), failed);
            }
            _ => {
                if let Some(key) = key(documents, question) {
                    self.known.insert(key, answer.clone());
                }
            }
        }
    }
}

fn spec<'d>(documents: &'d Documents, question: &Question) -> Option<&'d ImageRepositorySpec> {
    let found = documents.repositories.get(question.repository())?;
    Some(&found.document.spec)
}

fn key(documents: &Documents, question: &Question) -> Option<(String, Option<String>)> {
    let image = Repository::parse(&spec(documents, question)?.image).ok()?;
    match question {
        Question::Tags(_) => Some((image.canonical(), None)),
        Question::Digest(_, tag) => Some((image.canonical(), Some(tag.clone()))),
        Question::Labels(..) => None,
    }
}
