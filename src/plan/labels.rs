//! What the new images say of themselves, for a text for review: asked for on
//! request, and for no more images than a reviewer reads about.

use std::collections::BTreeMap;

use crate::api::Id;
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location, Severity};
use crate::plan::planned::Planned;
use crate::selection::registry_queries::Ask;
use crate::selection::resolve;
use crate::selection::tags::{Answer, Question};

/// Of so many images the labels are asked for; each takes three requests at
/// most.
const MOST: usize = 50;

/// Asks for the labels of the images that the policies of a run changed to.
/// What cannot be had is a finding, and no error.
pub fn ask(planned: &mut Planned, documents: &Documents, ask: &mut Ask<'_>) {
    let mut asked: BTreeMap<Question, Vec<Id>> = BTreeMap::new();
    for ((_, id), image) in &planned.images {
        let Some(policy) = documents.policies.get(id) else {
            continue;
        };
        let Ok((repository, _)) = resolve::repository_of(documents, id, &policy.document) else {
            continue;
        };
        let reference = image.digest.as_ref().unwrap_or(&image.tag).clone();
        let question = Question::Labels(repository, reference);
        asked.entry(question).or_default().push(id.clone());
    }
    let left = asked.len().saturating_sub(MOST);
    let questions: Vec<Question> = asked.keys().take(MOST).cloned().collect();
    if questions.is_empty() {
        return;
    }
    let mut tell = |severity, message: String| {
        let finding = Finding::new(severity, Code::Registry, message, Location::default());
        planned.outcome.findings.push(finding);
    };
    if left > 0 {
        let message = format!("the labels of {left} more images were not asked for");
        tell(Severity::Info, message);
    }
    let answers = ask(documents, &questions);
    for (question, answer) in answers.answers {
        match answer {
            Answer::Labels(labels) => {
                for id in asked.get(&question).into_iter().flatten() {
                    planned.labels.insert((0, id.clone()), labels.clone());
                }
            }
            Answer::Failed(failure) => {
                let id = question.repository();
                let message = format!(
                    "the labels of an image of `{id}` could not be had: {}",
                    failure.message
                );
                tell(Severity::Warning, message);
            }
            _ => {}
        }
    }
}
