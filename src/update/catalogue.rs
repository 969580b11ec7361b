//! The documents of a run, by kind and identity.
//!
//! Of two documents with one identity `--policies` beats functionConfig beats
//! items and tree; within one of these the last wins. Two different ones in a
//! tree, or among items, are kept as a conflict, to be an error where a marker needs them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::grants::Grants;
use super::logins::Logins;
use super::outcome::{Code, Finding, Location, Severity};
use crate::api::{
    self, Document, GitRepository, Id, ImagePolicy, ImageRepository, ImageUpdateAutomation,
    ImageUpdateSpec, TagSnapshot,
};
use crate::parallel;
use crate::quote;
use crate::resource_list::{Object, Outline};
use crate::tags::TagBook;

/// Where a document came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The checkout.
    Tree,
    /// Items of a ResourceList or a stream.
    Items,
    /// functionConfig.
    Config,
    /// `--policies`.
    Flag,
}

impl Rank {
    /// Whether whoever gave this is trusted less. The checkout and the items of
    /// a ResourceList are one: whoever proposes a change to manifests.
    #[must_use]
    pub fn is_below(self, other: Self) -> bool {
        self < other && !(self <= Self::Items && other <= Self::Items)
    }
}

/// A document and where it stands.
#[derive(Clone, Debug)]
pub struct Sourced<T> {
    /// The document.
    pub document: T,
    /// Where it stands.
    pub location: Location,
    /// Where another, different one of the same identity stands.
    pub conflict: Option<Location>,
    rank: Rank,
}

impl<T> Sourced<T> {
    /// Where it came from.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.rank
    }
}

/// All documents of a run.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// ImageRepositories.
    pub repositories: BTreeMap<Id, Sourced<ImageRepository>>,
    /// ImagePolicies.
    pub policies: BTreeMap<Id, Sourced<ImagePolicy>>,
    /// ImageUpdateAutomations.
    pub automations: BTreeMap<Id, Sourced<ImageUpdateAutomation>>,
    /// ImageUpdateAutomations of the tree in whose place `--policies` has others
    /// of the same name, as those of another cluster.
    pub outranked: Vec<(Id, ImageUpdateAutomation)>,
    /// GitRepositories.
    pub sources: BTreeMap<Id, Sourced<GitRepository>>,
    /// Tags from snapshots and registries.
    pub tags: TagBook,
    /// Secrets and what goes with them.
    pub logins: Logins,
    /// Whom the ImageRepositories let in, once all documents are in.
    grants: BTreeMap<Id, Grants>,
    /// ImagePolicies that could not be read, and where they stand.
    pub unreadable: BTreeMap<Id, Location>,
    /// Whether an ImageUpdateAutomation could not be read, which was reported.
    pub has_unreadable_automation: bool,
    /// What a build has renamed, by the names before.
    pub renamed: Renamed,
    snapshots: Vec<(Rank, TagSnapshot, Location)>,
    /// What reading the documents found.
    pub findings: Vec<Finding>,
}

/// Documents whose names a `kustomize build` has changed: the names before, and
/// those now.
#[derive(Clone, Debug, Default)]
pub struct Renamed {
    /// ImagePolicies.
    pub policies: BTreeMap<Id, Id>,
    /// ImageRepositories.
    pub repositories: BTreeMap<Id, Id>,
}

/// Why a reference no longer fits, and the way out.
#[must_use]
pub fn renamed(before: &Id, now: &Id) -> String {
    format!(
        "`{before}` is `{now}` here: a `namePrefix`, `nameSuffix` or `namespace` of the kustomization has renamed it, and renames no reference to it; put the documents inside the ImageUpdate (`spec.policies`, `spec.repositories`), where kustomize renames nothing"
    )
}

/// What the reader of a text knows of the documents in it.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// The file, empty for stdin.
    pub file: &'a str,
    /// Its rank.
    pub rank: Rank,
    /// Namespace of documents that name none.
    pub default_namespace: Option<&'a str>,
    /// How much a document weighs that cannot be read.
    pub severity: Severity,
}

impl<'a> Provenance<'a> {
    /// A file that a flag names.
    #[must_use]
    pub fn flag(file: &'a str) -> Self {
        Self {
            file,
            rank: Rank::Flag,
            default_namespace: None,
            severity: Severity::Error,
        }
    }
}

/// When a run takes place, and how old a snapshot may be.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// Now.
    pub now: Timestamp,
    /// Older snapshots are a warning.
    pub max_age: Duration,
}

impl Renamed {
    fn note(&mut self, object: &Object) {
        let build = object
            .build
            .as_ref()
            .filter(|_| object.is_from_kustomize_build());
        let (Some(build), Some(kind)) = (build, api::Kind::of(object)) else {
            return;
        };
        let names = match kind {
            api::Kind::Policy => &mut self.policies,
            api::Kind::Repository => &mut self.repositories,
            _ => return,
        };
        let now = Id::new(object.namespace.clone(), object.name.clone());
        for (name, namespace) in build.previous() {
            let before = Id::new(namespace, name);
            if before != now {
                names.entry(before).or_insert_with(|| now.clone());
            }
        }
    }
}

impl Catalogue {
    /// Takes in the documents of a text.
    pub fn add_outline(&mut self, text: &str, outline: &Outline<'_>, origin: Provenance<'_>) {
        let known: Vec<(&Object, api::Kind)> = outline
            .objects()
            .filter_map(|object| api::Kind::of(object).map(|kind| (object, kind)))
            .collect();
        let read = |share: &[(&Object, api::Kind)]| -> Vec<Result<api::Reading, api::ReadError>> {
            share
                .iter()
                .map(|(object, kind)| api::read(text, object, *kind))
                .collect()
        };
        // Typed reading is the dear part of a run with thousands of policies.
        let readings = parallel::map(&known, &read);
        for ((object, _), reading) in known.iter().zip(readings) {
            self.add_reading(object, reading, origin);
        }
    }

    /// Takes in a resource that was read, or says why it could not be.
    pub fn add_reading(
        &mut self,
        object: &Object,
        reading: Result<api::Reading, api::ReadError>,
        origin: Provenance<'_>,
    ) {
        let location = Location::in_object(origin.file, object, object.place, String::new());
        match reading {
            Err(error) => {
                let message = format!(
                    "{} `{}` cannot be read: {}",
                    object.kind,
                    quote::at_most(&object.name, 300),
                    error.message
                );
                let location = Location::in_object(origin.file, object, error.place, error.field);
                self.has_unreadable_automation |=
                    api::Kind::of(object) == Some(api::Kind::Automation);
                if api::Kind::of(object) == Some(api::Kind::Policy) {
                    let namespace = match object.namespace.as_str() {
                        "" => origin.default_namespace.unwrap_or_default(),
                        namespace => namespace,
                    };
                    let id = Id::new(namespace, object.name.clone());
                    self.unreadable.insert(id, location.clone());
                }
                // Flux's own business, of which only the address is read here.
                let severity = match api::Kind::of(object) {
                    Some(api::Kind::Source) => Severity::Warning,
                    _ => origin.severity,
                };
                let mut finding = Finding::new(severity, Code::BadDocument, message, location);
                finding.snippet = error.snippet.filter(|line| !line.text().is_empty());
                finding = finding.hint_if(error.hint);
                self.findings.push(finding);
            }
            Ok(reading) => {
                for field in reading.unknown_fields {
                    let message = format!(
                        "{} `{}` has an unknown field `{}`",
                        object.kind,
                        quote::at_most(&object.name, 300),
                        quote::at_most(&field, 300)
                    );
                    let finding = Finding::new(
                        Severity::Warning,
                        Code::UnknownField,
                        message,
                        location.clone(),
                    );
                    self.findings.push(finding);
                }
                self.note_old_version(object, &reading.document, &location);
                self.renamed.note(object);
                self.add(reading.document, location, origin);
            }
        }
    }

    fn note_old_version(&mut self, object: &Object, document: &Document, location: &Location) {
        let Some((group, version)) = object.api_version.split_once('/') else {
            return;
        };
        if group != api::FLUX_GROUP || version == "v1" {
            return;
        }
        let message = format!(
            "{} `{}` is of the old version `{}`",
            object.kind,
            quote::at_most(&object.name, 300),
            object.api_version
        );
        let finding = Finding::new(
            Severity::Warning,
            Code::OldVersion,
            message,
            location.clone(),
        );
        let moved = match document {
            Document::Automation(automation) => automation.spec.moved_to_v1(),
            _ => None,
        };
        self.findings.push(finding.hint(match moved {
            None => format!("write `apiVersion: {group}/v1`; its fields stay as they are"),
            Some(moved) => format!(
                "write `apiVersion: {group}/v1`, and in `spec`, in place of `checkout`, `commit` and `push`: {moved}"
            ),
        }));
    }

    fn add(&mut self, document: Document, location: Location, origin: Provenance<'_>) {
        match document {
            Document::Repository(document) => {
                let id = id_of(&document.metadata, origin);
                insert(&mut self.repositories, id, document, location, origin.rank);
            }
            Document::Policy(mut document) => {
                let id = id_of(&document.metadata, origin);
                // What orchestrators note of an item is no part of it.
                let annotations = &mut document.metadata.annotations;
                annotations.retain(|key, _| !is_of_orchestrator(key));
                insert(&mut self.policies, id, document, location, origin.rank);
            }
            Document::Automation(document) => {
                let id = id_of(&document.metadata, origin);
                let known = self.automations.get(&id);
                if known.is_some_and(|known| known.rank > origin.rank) {
                    self.outranked.push((id.clone(), document.clone()));
                }
                insert(&mut self.automations, id, document, location, origin.rank);
            }
            Document::Source(document) => {
                let id = id_of(&document.metadata, origin);
                insert(&mut self.sources, id, document, location, origin.rank);
            }
            Document::Snapshot(document) => self.snapshots.push((origin.rank, document, location)),
            Document::Update(document) => self.add_options(&document.spec, &location),
            // Read where a login depends on them.
            Document::Secret(_) | Document::ServiceAccount(_) | Document::Namespace(_) => {}
        }
    }

    /// Takes in the documents inside the options of an ImageUpdate.
    pub fn add_options(&mut self, options: &ImageUpdateSpec, location: &Location) {
        let origin = Provenance {
            file: "",
            rank: Rank::Config,
            default_namespace: None,
            severity: Severity::Error,
        };
        for document in &options.repositories {
            let id = id_of(&document.metadata, origin);
            insert(
                &mut self.repositories,
                id,
                document.clone(),
                location.clone(),
                Rank::Config,
            );
        }
        for document in &options.policies {
            let id = id_of(&document.metadata, origin);
            insert(
                &mut self.policies,
                id,
                document.clone(),
                location.clone(),
                Rank::Config,
            );
        }
        for document in &options.snapshots {
            self.snapshots
                .push((Rank::Config, document.clone(), location.clone()));
        }
    }

    /// Whether a Secret, ServiceAccount or Namespace matters to any document.
    #[must_use]
    pub fn needs_logins(&self) -> bool {
        let needs = |repository: &Sourced<ImageRepository>| {
            let spec = &repository.document.spec;
            spec.secret_ref.is_some()
                || spec.cert_secret_ref.is_some()
                || spec.proxy_secret_ref.is_some()
                || spec.service_account_name.is_some()
                || spec.access_from.is_some()
        };
        self.repositories.values().any(needs)
    }

    /// Whether the ImageRepository of this name lets the policies of a namespace
    /// in that is not its own.
    #[must_use]
    pub fn lets_in(&self, repository: &Id, namespace: &str) -> bool {
        let rank = self.repositories.get(repository).map(Sourced::rank);
        let grants = self.grants.get(repository);
        grants
            .zip(rank)
            .is_some_and(|(grants, rank)| grants.lets_in(&self.logins.labels_of(namespace, rank)))
    }

    /// Lets go of what only the choice of images needs.
    pub fn forget_policies(&mut self) {
        self.policies = BTreeMap::new();
        self.repositories = BTreeMap::new();
        self.tags = TagBook::default();
    }

    /// Makes the TagBook of the snapshots, the weakest first, and warns of old
    /// ones. To be called once, when all documents are in.
    pub fn finish(&mut self, freshness: Freshness) {
        let granting = self.repositories.iter().filter_map(|(id, repository)| {
            let access = repository.document.spec.access_from.as_ref()?;
            Some((id.clone(), Grants::of(access)))
        });
        self.grants = granting.collect();
        self.snapshots.sort_by_key(|(rank, ..)| *rank);
        for (_, snapshot, location) in std::mem::take(&mut self.snapshots) {
            self.findings.extend(aged(&snapshot, &location, freshness));
            for error in self.tags.add(&snapshot).err().unwrap_or_default() {
                let message = format!("TagSnapshot `{}`: {error}", snapshot.metadata.name);
                self.findings.push(Finding::new(
                    Severity::Error,
                    Code::BadDocument,
                    message,
                    location.clone(),
                ));
            }
        }
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
                    "TagSnapshot `{name}`: `scannedAt` of `{}` is `{written}`, which is no time of RFC 3339",
                    repository.image
                );
                return Some(Finding::new(
                    Severity::Error,
                    Code::BadDocument,
                    message,
                    location.clone(),
                ));
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
    let finding = Finding::new(
        Severity::Warning,
        Code::OldSnapshot,
        message,
        location.clone(),
    );
    Some(finding.hint("make a new one, or allow its age with `--max-age`"))
}

fn id_of(metadata: &api::Metadata, origin: Provenance<'_>) -> Id {
    let namespace = metadata.namespace.as_deref().or(origin.default_namespace);
    Id::new(namespace.unwrap_or_default(), metadata.name.clone())
}

fn is_of_orchestrator(key: &str) -> bool {
    key.contains("config.kubernetes.io/") || key.starts_with("kustomize.config.k8s.io/")
}

fn insert<T: PartialEq>(
    map: &mut BTreeMap<Id, Sourced<T>>,
    id: Id,
    document: T,
    location: Location,
    rank: Rank,
) {
    let mut conflict = None;
    if let Some(known) = map.get_mut(&id) {
        if known.rank > rank {
            return;
        }
        let is_one_place = matches!(rank, Rank::Tree | Rank::Items) && known.rank == rank;
        if is_one_place && known.document != document {
            conflict = Some(known.location.clone());
        }
    }
    map.insert(
        id,
        Sourced {
            document,
            location,
            conflict,
            rank,
        },
    );
}
