//! What a run has looked at: files, documents, tags, and what nobody updates.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Wanted;
use crate::api::Id;
use crate::checkout::git::Repositories;
use crate::checkout::source_files::SourceFile;
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::{self, BoundIn, Request};
use crate::cli::coverage::{inventory, told};
use crate::cli::network;
use crate::cli::options_file::OptionsFile;
use crate::documents::Documents;
use crate::finding::{Code, Finding};
use crate::insight::coverage;
use crate::insight::coverage::found::InFile;
use crate::insight::coverage::seen::{Known, Seen};
use crate::insight::suggest::{self, Candidates};
use crate::insight::trial::Trial;
use crate::plan::planned::Owner;
use crate::report;
use crate::selection::tags::TagBook;

/// Whether a finding tells of what could not be read, and may hold a policy or tags.
fn is_of_reading(finding: &Finding) -> bool {
    matches!(
        finding.code,
        Code::BadDocument
            | Code::Unparsable
            | Code::UnusableFile
            | Code::ConflictingDocuments
            | Code::BuildFailed
            | Code::BuiltClusters
            | Code::OldSnapshot
    )
}

/// An ImageUpdateAutomation that edits files.
pub(super) struct Carrier {
    pub(super) id: Id,
    /// The folder of its `update.path`.
    pub(super) folder: PathBuf,
    /// Whether it takes policies of some labels alone, which a new one has none of.
    pub(super) has_selector: bool,
}

fn carriers(surveyed: &Surveyed<'_>) -> Vec<Carrier> {
    let of = |owner: &Owner| {
        let automation = surveyed.documents.automations.get(&owner.id);
        let selector = automation.and_then(|one| one.document.spec.policy_selector.as_ref());
        Carrier {
            id: owner.id.clone(),
            folder: owner.base.clone(),
            has_selector: selector.is_some(),
        }
    };
    surveyed.automations.owners.iter().map(of).collect()
}

/// What was looked at.
#[derive(Default)]
pub(super) struct Looked {
    /// The automations, of all clusters.
    pub(super) carriers: Vec<Carrier>,
    /// The documents; of several clusters those of all, of which the first counts.
    pub(super) documents: Documents,
    /// The tags that no registry was asked for.
    pub(super) book: TagBook,
    /// The files that name images, and kustomizations, by name.
    pub(super) sources: BTreeMap<String, SourceFile>,
    /// What nobody updates.
    pub(super) candidates: Candidates,
    /// What was found on the way.
    pub(super) findings: Vec<Finding>,
}

impl Looked {
    /// Looks at the files of a request.
    ///
    /// # Errors
    /// A path that cannot be looked at; options that cannot be read.
    pub(super) fn at(
        request: &Request,
        repositories: &Repositories,
        wanted: &Wanted,
    ) -> anyhow::Result<Self> {
        let options = OptionsFile::read(repositories, &request.paths)?;
        let mut looked: Option<Self> = None;
        let mut files: Vec<InFile> = Vec::new();
        let mut seen = Vec::new();
        let trial = Trial::default();
        checkout::with(request, repositories, BoundIn::Everything, |checkout| {
            let is_first = looked.is_none();
            let mut findings = Vec::new();
            if is_first && wanted.image.is_none() {
                (files, findings) = inventory(&checkout);
            }
            findings.extend(checkout.missed());
            let subject = Subject {
                only: None,
                trial: &trial,
            };
            let surveyed = survey::of(checkout, (request, repositories), subject, None);
            let known = Known {
                run: surveyed.facts(),
                in_files: &surveyed.in_files,
                // A value that is marked is somebody's.
                needs_automation: false,
            };
            seen.push(Seen::of(&known, &files));
            let looked = looked.get_or_insert_with(|| Self {
                book: surveyed.learned.tags().clone(),
                sources: (surveyed.files())
                    .map(|one| (one.source.name.clone(), one.source.clone()))
                    .collect(),
                ..Self::default()
            });
            looked.carriers.extend(carriers(&surveyed));
            findings.extend(surveyed.findings);
            let findings = findings.into_iter().filter(is_of_reading);
            looked.findings.extend(findings.filter_map(told));
            looked.add(surveyed.documents.into_owned());
        })?;
        let mut looked = looked.unwrap_or_default();
        looked.findings.dedup();
        if let Some(image) = &wanted.image {
            looked.candidates.values.push(image.clone());
            return Ok(looked);
        }
        let today = network::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let coverage = coverage::judge(&files, &seen, options.exclusions(), today);
        let sources = &looked.sources;
        let text_of = |name: &str| {
            let source = sources.get(name).filter(|source| !source.is_link);
            source.map(|source| source.text.as_ref())
        };
        looked.candidates = suggest::candidates(&files, &coverage, &text_of);
        Ok(looked)
    }

    fn add(&mut self, documents: Documents) {
        if self.documents.policies.is_empty() && self.documents.repositories.is_empty() {
            self.documents = documents;
            return;
        }
        for (id, policy) in documents.policies {
            self.documents.policies.entry(id).or_insert(policy);
        }
        for (id, repository) in documents.repositories {
            let repositories = &mut self.documents.repositories;
            repositories.entry(id).or_insert(repository);
        }
    }

    /// What was left out, as a line for each reason.
    pub(super) fn left_out(&self) -> String {
        let generated = &self.candidates.generated;
        let Some((first, _)) = generated.first_key_value() else {
            return String::new();
        };
        let count = generated.values().sum();
        let more = match generated.len() {
            1 => String::new(),
            files => format!(
                " and {}",
                report::suggest::count(files - 1, "more file", "more files")
            ),
        };
        format!(
            "left out: {} of {first}{more}, which a program writes (`DO NOT EDIT`)\n",
            report::suggest::count(count, "image", "images")
        )
    }
}
