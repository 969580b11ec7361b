//! The values that could be marked: images that `coverage` finds and nobody updates, with
//! where a marker would stand.

use std::collections::BTreeMap;

use super::markers::{MarkAt, Unmarkable, marks_of};
use crate::finding::Location;
use crate::insight::coverage::found::{Found, InFile, What};
use crate::insight::coverage::{Coverage, State};
use oci_tags::image::{NameError, Reference, Repository};

/// A value with an image, or with its tag, that nobody updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub location: Location,
    /// The image, as it is written there, without tag.
    pub image: String,
    /// Its canonical name.
    pub canonical: String,
    /// The tag; empty where there is none.
    pub tag: String,
    /// Whether a digest pins it.
    pub is_pinned: bool,
    /// Where markers of it would stand, or why there can be none.
    pub marks: Result<Vec<MarkAt>, Unmarkable>,
}

impl Candidate {
    /// Whether an ImageRepository with another way to write the name may be used: none where
    /// a marker writes the name, too.
    #[must_use]
    pub fn keeps_name_of(&self, image: &str) -> bool {
        let marks = self.marks.iter().flatten();
        image == self.image || !marks.into_iter().any(MarkAt::writes_name)
    }
}

/// The values of files that nobody updates.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The values.
    pub values: Vec<Candidate>,
    /// How many more there are in files that say of themselves that a program writes them,
    /// by file.
    pub generated: BTreeMap<String, usize>,
}

/// The values of `files` that nobody updates, by what `coverage` says of them. `text_of`
/// tells what a file holds.
#[must_use]
pub fn candidates<'t>(
    files: &[InFile],
    coverage: &Coverage,
    text_of: &dyn Fn(&str) -> Option<&'t str>,
) -> Candidates {
    let items = coverage.items.iter();
    let states: BTreeMap<(&str, usize, usize), State> = items
        .map(|item| ((item.file.as_str(), item.line, item.column), item.state))
        .collect();
    let mut all = Candidates::default();
    for file in files {
        let Some(text) = text_of(&file.file) else {
            continue;
        };
        for found in &file.found {
            let location = &found.location;
            let at = (file.file.as_str(), location.line, location.column);
            let is_free = states.get(&at).is_some_and(|state| {
                // Those of a file that a program writes are excluded, and told by their number.
                is_free(*state) || (file.is_generated && *state == State::Excluded)
            });
            let Some(one) = candidate(found, text).filter(|_| is_free) else {
                continue;
            };
            match file.is_generated {
                true => *all.generated.entry(file.file.clone()).or_default() += 1,
                false => all.values.push(one),
            }
        }
    }
    all
}

/// Whether nobody updates what is in this state, and nobody said that it is to be so.
fn is_free(state: State) -> bool {
    matches!(state, State::Forgotten | State::Pinned | State::Mutable)
}

fn candidate(found: &Found, text: &str) -> Option<Candidate> {
    let is_of_tags = matches!(found.what, What::Image | What::Artifact) && !found.is_range;
    let name = Some(&found.name).filter(|name| is_of_tags && !name.is_empty())?;
    let canonical = Repository::parse(name).ok()?.canonical();
    Some(Candidate {
        location: found.location.clone(),
        image: (name.strip_prefix("index.docker.io/"))
            .map_or_else(|| name.clone(), |rest| format!("docker.io/{rest}")),
        canonical,
        tag: found.tag.clone().unwrap_or_default(),
        is_pinned: found.digest.is_some(),
        marks: marks_of(text, found),
    })
}

/// The image that a user names: with the tag, where one is written.
///
/// # Errors
/// What is no image.
pub fn named(image: &str) -> Result<Candidate, NameError> {
    let reference = Reference::parse(image)?;
    let name = reference.repository.written();
    Ok(Candidate {
        location: Location::default(),
        image: name.to_owned(),
        canonical: Repository::parse(name)?.canonical(),
        tag: reference.tag.unwrap_or_default(),
        is_pinned: reference.digest.is_some(),
        marks: Err(Unmarkable::NotInAFile),
    })
}
