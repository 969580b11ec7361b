//! The TagBook: for each repository its tags and digests. The middle of the
//! program knows registries only through it.

use std::collections::BTreeMap;

use crate::api::TagSnapshot;
use crate::image::{NameError, Repository};

/// Tags and digests by canonical name of the repository.
#[derive(Clone, Debug, Default)]
pub struct TagBook(BTreeMap<String, Known>);

/// What is known of one repository.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All its tags, in no order that counts.
    pub tags: Vec<String>,
    /// Digests of some of them.
    pub digests: BTreeMap<String, String>,
    /// When they were seen (RFC 3339).
    pub scanned_at: Option<String>,
}

impl TagBook {
    /// Takes in a snapshot; a later one replaces what an earlier one said of a
    /// repository.
    ///
    /// # Errors
    /// The names in it that are no repositories; the others are taken all the
    /// same.
    pub fn add(&mut self, snapshot: &TagSnapshot) -> Result<(), Vec<NameError>> {
        let mut errors = Vec::new();
        for entry in &snapshot.spec.repositories {
            match Repository::parse(&entry.image) {
                Err(error) => errors.push(error),
                Ok(repository) => {
                    let known = Known {
                        tags: entry.tags.clone(),
                        digests: entry.digests.clone(),
                        scanned_at: entry.scanned_at.clone(),
                    };
                    self.0.insert(repository.canonical(), known);
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// What is known of `repository`.
    #[must_use]
    pub fn get(&self, repository: &Repository) -> Option<&Known> {
        self.0.get(&repository.canonical())
    }
}
