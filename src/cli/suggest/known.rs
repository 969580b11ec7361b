//! What is known of the images that have no policy: their ImageRepositories, tags and other
//! policies.

use std::collections::{BTreeMap, BTreeSet};

use super::looked::Looked;
use crate::api::{Id, ImageRepository};
use crate::documents::{Documents, Rank, Sourced};
use crate::finding::{Code, Finding, Location};
use crate::insight::explain::tags_of;
use crate::insight::suggest::{self, Candidate, KnownPolicy, Names, Suggestion};
use crate::selection::registry_queries::Ask;
use crate::selection::resolve;
use crate::selection::tags::{Answer, Question, TagBook};
use oci_tags::image::Repository;

/// What is known of images.
pub(super) struct Images {
    documents: Documents,
    book: TagBook,
    names: Names,
}

impl Images {
    /// What documents and snapshots tell.
    pub(super) fn of(looked: &Looked, namespace: &str) -> Self {
        let documents = looked.documents.clone();
        let named = |ids: &mut dyn Iterator<Item = &Id>| {
            let own = ids.filter(|id| id.namespace == namespace);
            own.map(|id| id.name.clone()).collect::<BTreeSet<String>>()
        };
        let mut policies = named(&mut documents.policies.keys());
        policies.extend(named(&mut documents.unreadable.keys()));
        let names = Names::new(policies, named(&mut documents.repositories.keys()));
        Self {
            book: looked.book.clone(),
            documents,
            names,
        }
    }

    /// The suggestions for values, and what is to be said of registries. Tags that are `given`
    /// are all that there are.
    pub(super) fn suggest(
        &mut self,
        values: Vec<Candidate>,
        given: Option<&[String]>,
        namespace: &str,
        ask: &mut Ask<'_>,
    ) -> (Vec<Suggestion>, Vec<Finding>) {
        let groups = suggest::group(values);
        let policies = policies_by_image(&self.documents);
        let images = repositories(&mut self.documents, &groups, namespace);
        let mut findings = Vec::new();
        if given.is_none() {
            findings = learn(&self.documents, &images, &mut self.book, ask);
        }
        let mut all = Vec::new();
        for values in groups {
            let Some(first) = values.first() else {
                continue;
            };
            let known = images.get(&first.image);
            let id = known.map(|known| &known.id);
            let name = Repository::parse(&first.image).ok();
            let listed = id.and_then(|id| tags_of(&self.book, id, name.as_ref()).0);
            let existing = known.filter(|known| known.is_usable);
            let document = existing.and_then(|known| self.documents.repositories.get(&known.id));
            let of_image = policies
                .get(&first.canonical)
                .map_or(&[][..], Vec::as_slice);
            let of_image: Vec<KnownPolicy<'_>> = of_image
                .iter()
                .filter_map(|id| known_policy(&self.documents, id))
                .collect();
            let about = suggest::Known {
                tags: given.or(listed.map(|listed| listed.tags.as_slice())),
                repository: existing.map(|known| &known.id),
                exclusions: document.map_or(&[], |one| &one.document.spec.exclusion_list),
                policies: &of_image,
            };
            let told = suggest::suggest(values, &about, namespace, &mut self.names);
            all.extend(told);
        }
        (all, findings)
    }
}

/// The policies of images, by canonical name.
fn policies_by_image(documents: &Documents) -> BTreeMap<String, Vec<Id>> {
    let mut all: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for (id, policy) in &documents.policies {
        let repository = resolve::repository_of(documents, id, &policy.document);
        let Ok((_, repository)) = repository else {
            continue;
        };
        if let Ok(name) = Repository::parse(&repository.spec.image) {
            all.entry(name.canonical()).or_default().push(id.clone());
        }
    }
    all
}

fn known_policy<'d>(documents: &'d Documents, id: &'d Id) -> Option<KnownPolicy<'d>> {
    let policy = documents.policies.get(id)?;
    let is_one = policy.conflict.is_none() && !policy.document.spec.suspend;
    let (_, repository) = resolve::repository_of(documents, id, &policy.document).ok()?;
    is_one.then_some(KnownPolicy {
        id,
        spec: &policy.document.spec,
        image: &repository.spec.image,
        exclusions: &repository.spec.exclusion_list,
    })
}

/// The ImageRepository of an image.
struct Repo {
    id: Id,
    /// Whether a policy of the namespace may name it, it is scanned, and markers would not
    /// write the name otherwise.
    is_usable: bool,
}

/// The ImageRepositories of images, by the names as they are written: those that policies of
/// a namespace may name come first, then any, whose tags are known. For images that have
/// none, one is added, to ask with.
fn repositories(
    documents: &mut Documents,
    groups: &[Vec<Candidate>],
    namespace: &str,
) -> BTreeMap<String, Repo> {
    let mut there: BTreeMap<String, Vec<&Id>> = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        if let Ok(name) = Repository::parse(&repository.document.spec.image) {
            there.entry(name.canonical()).or_default().push(id);
        }
    }
    let mut of_image: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for one in groups.iter().flatten() {
        of_image.entry(&one.image).or_default().push(one);
    }
    let mut known: BTreeMap<String, Repo> = BTreeMap::new();
    let mut asked = Vec::new();
    for (number, (image, values)) in of_image.into_iter().enumerate() {
        let Some(first) = values.first() else {
            continue;
        };
        let rank = |id: &Id| {
            let repository = documents.repositories.get(id);
            let is_usable = repository.is_some_and(|repository| {
                let spec = &repository.document.spec;
                repository.conflict.is_none()
                    && !spec.suspend
                    && (id.namespace == namespace || documents.lets_in(id, namespace))
                    && values.iter().all(|one| one.keeps_name_of(&spec.image))
            });
            (is_usable, is_usable && id.namespace == namespace)
        };
        let ids = there.get(&first.canonical).map_or(&[][..], Vec::as_slice);
        let best = ids.iter().rev().max_by_key(|id| rank(id));
        let repo = match best {
            Some(id) => Repo {
                id: (*id).clone(),
                is_usable: rank(id).0,
            },
            None => {
                // No document has a name like it.
                let id = Id::new("", format!("suggested/{number}"));
                asked.push((id.clone(), (*first).clone()));
                Repo {
                    id,
                    is_usable: false,
                }
            }
        };
        known.insert(image.to_owned(), repo);
    }
    for (id, first) in asked {
        let mut document = ImageRepository::default();
        document.spec.image.clone_from(&first.image);
        let sourced = Sourced {
            document,
            location: first.location,
            conflict: None,
            rank: Rank::Tree,
        };
        documents.repositories.insert(id, sourced);
    }
    known
}

/// Asks for the tags that no snapshot tells.
fn learn(
    documents: &Documents,
    images: &BTreeMap<String, Repo>,
    book: &mut TagBook,
    ask: &mut Ask<'_>,
) -> Vec<Finding> {
    let is_unknown = |id: &&Id| {
        let repository = documents.repositories.get(id);
        let name = repository.and_then(|one| Repository::parse(&one.document.spec.image).ok());
        name.is_some_and(|name| book.written(&name).is_none())
    };
    let wanted: BTreeSet<&Id> = (images.values().map(|known| &known.id))
        .filter(is_unknown)
        .collect();
    let questions: Vec<Question> = wanted.into_iter().cloned().map(Question::Tags).collect();
    if questions.is_empty() {
        return Vec::new();
    }
    let answers = ask(documents, &questions);
    let mut findings = answers.findings;
    for (question, answer) in answers.answers {
        if let Answer::Failed(failure) = &answer {
            let repository = documents.repositories.get(question.repository());
            let image = repository.map_or("", |one| one.document.spec.image.as_str());
            let message = format!("the tags of `{image}` are not known: {}", failure.message);
            let finding = Finding::info(Code::Registry, message, Location::default());
            findings.push(finding.hint_if(failure.hint.clone()));
        }
        book.learn(question, answer);
    }
    findings
}
