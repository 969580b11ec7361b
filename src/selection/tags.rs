//! The TagBook: for each repository its tags and digests, or why nothing is
//! known. The middle of the program knows registries only through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{Id, TagSnapshot};
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location};
use oci_tags::image::{NameError, Repository};

/// What is known, from snapshots by the repository's canonical name, from
/// registries by ImageRepository: each has its own way to log in.
#[derive(Clone, Debug, Default)]
pub struct TagBook {
    written: BTreeMap<String, KnownTags>,
    scanned: BTreeMap<Id, Result<Arc<KnownTags>, Failure>>,
    digests: BTreeMap<(Id, String), Result<String, Failure>>,
    present: BTreeMap<Id, Present>,
}

/// When a run takes place, and how old a snapshot may be.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// Now.
    pub now: Timestamp,
    /// Older snapshots are a warning.
    pub max_age: Duration,
}

/// What is known of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTags {
    /// All its tags, in no order that counts.
    pub tags: Vec<String>,
    /// Digests of some of them.
    pub digests: BTreeMap<String, String>,
    /// When they were seen (RFC 3339).
    pub scanned_at: Option<String>,
}

/// The tag and digest that all scalars of a policy carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The tag.
    pub tag: String,
    /// The digest.
    pub digest: String,
}

/// Why a registry gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is the case.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Who can do it.
    pub blame: Blame,
}

impl Failure {
    /// What is wrong with a document or a flag, without a hint.
    #[must_use]
    pub fn of_documents(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            blame: Blame::Documents,
        }
    }

    /// The failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// A document or a flag of the user's.
    Documents,
    /// The registry, or the way to it.
    Registry,
}

/// Something that only a registry can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// All tags of an ImageRepository.
    Tags(Id),
    /// The digest of one of them.
    Digest(Id, String),
    /// The labels of one of its images, by tag or digest.
    Labels(Id, String),
}

impl Question {
    /// The ImageRepository that it is about.
    #[must_use]
    pub fn repository(&self) -> &Id {
        match self {
            Self::Tags(id) | Self::Digest(id, _) | Self::Labels(id, _) => id,
        }
    }
}

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLabels {
    /// `org.opencontainers.image.source`: where its sources are.
    pub source: Option<String>,
    /// `org.opencontainers.image.version`: which version it is of.
    pub version: Option<String>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Tags.
    Tags(Arc<KnownTags>),
    /// A digest.
    Digest(String),
    /// Labels.
    Labels(ImageLabels),
    /// None of them.
    Failed(Failure),
}

impl TagBook {
    /// What the snapshots of a run say, of one repository the last; with a warning for
    /// an old one, and an error for what is not a repository.
    #[must_use]
    pub fn of_snapshots(documents: &Documents, freshness: Freshness) -> (Self, Vec<Finding>) {
        let (mut book, mut findings) = (Self::default(), Vec::new());
        for (snapshot, location) in &documents.snapshots {
            findings.extend(aged(snapshot, location, freshness));
            let errors = book.add(snapshot).into_iter().map(|error| {
                let message = format!("TagSnapshot `{}`: {error}", snapshot.metadata.name);
                Finding::error(Code::BadDocument, message, location.clone())
            });
            findings.extend(errors);
        }
        (book, findings)
    }

    /// Takes in a snapshot, and says which names in it are not repositories.
    fn add(&mut self, snapshot: &TagSnapshot) -> Vec<NameError> {
        let mut errors = Vec::new();
        for entry in &snapshot.spec.repositories {
            match Repository::parse(&entry.image) {
                Err(error) => errors.push(error),
                Ok(repository) => {
                    let known = KnownTags {
                        tags: entry.tags.clone(),
                        digests: entry.digests.clone(),
                        scanned_at: entry.scanned_at.clone(),
                    };
                    self.written.insert(repository.canonical(), known);
                }
            }
        }
        errors
    }

    /// Takes in what snapshots of another set of documents say of repositories that these
    /// say nothing of.
    pub fn complete(&mut self, weaker: Self) {
        for (name, known) in weaker.written {
            self.written.entry(name).or_insert(known);
        }
    }

    /// Takes in what a registry said.
    pub fn learn(&mut self, question: Question, answer: Answer) {
        match (question, answer) {
            (Question::Tags(id), Answer::Tags(known)) => {
                self.scanned.insert(id, Ok(known));
            }
            (Question::Tags(id), Answer::Failed(failure)) => {
                self.scanned.insert(id, Err(failure));
            }
            (Question::Digest(id, tag), Answer::Digest(digest)) => {
                self.digests.insert((id, tag), Ok(digest));
            }
            (Question::Digest(id, tag), Answer::Failed(failure)) => {
                self.digests.insert((id, tag), Err(failure));
            }
            // Labels are nothing that a choice is made by, and an answer to
            // another question is none.
            _ => {}
        }
    }

    /// Has some tags be all that is known of an ImageRepository, whose image is `image`.
    pub fn replace(&mut self, id: &Id, image: &str, tags: Arc<KnownTags>) {
        if let Ok(repository) = Repository::parse(image) {
            self.written.remove(&repository.canonical());
        }
        self.scanned.insert(id.clone(), Ok(tags));
    }

    /// Takes in what the scalars of policies carry.
    pub fn note_present(&mut self, present: BTreeMap<Id, Present>) {
        self.present = present;
    }

    /// What snapshots say of `repository`.
    #[must_use]
    pub fn written(&self, repository: &Repository) -> Option<&KnownTags> {
        self.written.get(&repository.canonical())
    }

    /// What the registry said of an ImageRepository, `None` where it was not
    /// asked.
    #[must_use]
    pub fn scanned(&self, id: &Id) -> Option<&Result<Arc<KnownTags>, Failure>> {
        self.scanned.get(id)
    }

    /// The digest of a tag, where it was asked for.
    #[must_use]
    pub fn digest(&self, id: &Id, tag: &str) -> Option<&Result<String, Failure>> {
        self.digests.get(&(id.clone(), tag.to_owned()))
    }

    /// The digest that the scalars of a policy carry beside `tag`.
    #[must_use]
    pub fn present(&self, policy: &Id, tag: &str) -> Option<&str> {
        let present = self.present.get(policy)?;
        (present.tag == tag).then_some(present.digest.as_str())
    }

    /// Every digest that was asked for and found, by ImageRepository and tag.
    pub fn digests(&self) -> impl Iterator<Item = (&Id, &str, &str)> {
        self.digests.iter().filter_map(|((id, tag), digest)| {
            let digest = digest.as_ref().ok()?;
            Some((id, tag.as_str(), digest.as_str()))
        })
    }
}

/// What the times in a snapshot say.
fn aged(snapshot: &TagSnapshot, location: &Location, freshness: Freshness) -> Option<Finding> {
    let name = &snapshot.metadata.name;
    let mut oldest: Option<(Timestamp, &str)> = None;
    for repository in &snapshot.spec.repositories {
        let Some(written) = &repository.scanned_at else {
            continue;
        };
        match written.parse::<Timestamp>() {
            Err(_) => {
                let message = format!(
                    "TagSnapshot `{name}`: `scannedAt` of `{}` is `{written}`, which is not an RFC 3339 time",
                    repository.image
                );
                return Some(Finding::error(Code::BadDocument, message, location.clone()));
            }
            Ok(at) if oldest.is_none_or(|(oldest, _)| at < oldest) => {
                oldest = Some((at, &repository.image));
            }
            Ok(_) => {}
        }
    }
    let (at, image) = oldest?;
    let age = freshness.now.duration_since(at).unsigned_abs();
    if at > freshness.now || age <= freshness.max_age {
        return None;
    }
    let message = format!("TagSnapshot `{name}` is old: `{image}` was scanned at {at}");
    let finding = Finding::warning(Code::OldSnapshot, message, location.clone());
    Some(finding.hint("make a new one, or allow its age with `--max-age`"))
}
