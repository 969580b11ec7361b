//! Taking in documents, text by text.

use std::collections::BTreeMap;

use super::grants::Grants;
use super::{Documents, Provenance, Rank, Renamed, Sourced};
use crate::api::{
    self, Document, GitRepository, Id, ImagePolicy, ImageRepository, ImageUpdateAutomation,
    ImageUpdateSpec, TagSnapshot,
};
use crate::finding::{Code, Finding, Location, Severity};
use crate::parallel;
use crate::quote;
use crate::resource_list::{Object, Outline};

/// What mends a variable whose value is no string: a build takes quotes off `'${NAME}'`.
const UNQUOTED_VARIABLE: &str = "if it is the value of a variable, quote it there, where the quotes stay: `NAME: '\"1.10\"'`; kustomize takes those off that stand around `${NAME}`";

/// So many documents are read at a time.
const BATCH: usize = 500;

/// Documents as they come in.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    documents: Documents,
    snapshots: Vec<(Rank, TagSnapshot, Location)>,
    findings: Vec<Finding>,
}

/// A text that holds documents.
#[derive(Clone, Copy, Debug)]
pub struct DocumentText<'a> {
    /// The text.
    pub text: &'a str,
    /// What it holds.
    pub outline: &'a Outline<'a>,
    /// Where it comes from.
    pub provenance: Provenance<'a>,
}

impl Builder {
    /// Takes in the documents of some texts.
    pub fn add(&mut self, texts: &[DocumentText<'_>]) {
        self.add_some(texts, |_| true);
    }

    /// Takes in the TagSnapshots of some texts, and nothing else.
    pub fn add_snapshots(&mut self, texts: &[DocumentText<'_>]) {
        self.add_some(texts, |kind| kind == api::Kind::Snapshot);
    }

    fn add_some(&mut self, texts: &[DocumentText<'_>], is_wanted: impl Fn(api::Kind) -> bool) {
        let objects = texts.iter().flat_map(|text| {
            let objects = text.outline.objects();
            objects.filter_map(move |object| Some((text, object, api::Kind::of(object)?)))
        });
        let objects = objects.filter(|(.., kind)| is_wanted(*kind));
        let known: Vec<(&DocumentText<'_>, &Object, api::Kind)> = objects.collect();
        let read = |chunk: &[(&DocumentText<'_>, &Object, api::Kind)]| -> Vec<_> {
            let chunk = chunk.iter();
            chunk
                .map(|(text, object, kind)| api::read(text.text, object, *kind))
                .collect()
        };
        // Typed reading is the dear part of a run with thousands of policies. A document
        // on its way is large, so not all are at once.
        for some in known.chunks(BATCH) {
            let readings = parallel::map(some, &read);
            for ((text, object, _), reading) in some.iter().zip(readings) {
                let findings = self.add_reading(object, reading, text.provenance);
                self.findings.extend(findings);
            }
        }
    }

    /// Takes in the Secrets of a text, and what goes with them.
    pub fn add_logins(&mut self, text: &DocumentText<'_>) {
        (self.documents.logins).add(text.text, text.outline, text.provenance);
    }

    /// Takes in what else there is to know of the documents.
    pub fn note(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// What was found so far.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes in a resource that was read, and says what is wrong with it.
    #[must_use]
    pub fn add_reading(
        &mut self,
        object: &Object,
        reading: Result<api::Reading, api::DocumentError>,
        provenance: Provenance<'_>,
    ) -> Vec<Finding> {
        if api::Kind::of(object) == Some(api::Kind::Test) {
            self.add_test(object, reading, provenance);
            return Vec::new();
        }
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => return vec![self.unreadable(object, error, provenance)],
        };
        let location = provenance.location(object, object.place, "");
        let unknown = reading.unknown_fields.iter().map(|field| {
            let message = format!(
                "{} `{}` has an unknown field `{}`",
                object.kind,
                quote::at_most(&object.name, 300),
                quote::at_most(field, 300)
            );
            Finding::warning(Code::UnknownField, message, location.clone())
        });
        let mut findings: Vec<Finding> = unknown.collect();
        findings.extend(old_version(object, &reading.document, &location));
        self.documents.renamed.note(object);
        self.add_document(reading.document, location, provenance);
        findings
    }

    /// Takes in an ImagePolicyTest, or what is wrong with it.
    fn add_test(
        &mut self,
        object: &Object,
        reading: Result<api::Reading, api::DocumentError>,
        provenance: Provenance<'_>,
    ) {
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                let finding = self.unreadable(object, error, provenance);
                self.documents.of_tests.push(finding);
                return;
            }
        };
        let location = provenance.location(object, object.place, "");
        self.add_document(reading.document, location, provenance);
    }

    /// Notes a document that cannot be read.
    fn unreadable(
        &mut self,
        object: &Object,
        error: api::DocumentError,
        provenance: Provenance<'_>,
    ) -> Finding {
        let message = format!(
            "{} `{}` cannot be read: {}",
            object.kind,
            quote::at_most(&object.name, 300),
            error.message
        );
        let location = provenance.location(object, error.place, error.field);
        let mut severity = provenance.severity;
        match api::Kind::of(object) {
            Some(api::Kind::Automation) => self.documents.has_unreadable_automation = true,
            Some(api::Kind::Policy) => {
                let namespace = match object.namespace.as_str() {
                    "" => provenance.default_namespace.unwrap_or_default(),
                    namespace => namespace,
                };
                let id = Id::new(namespace, object.name.clone());
                self.documents.unreadable.insert(id, location.clone());
            }
            // Flux's own business, of which only the address is read here.
            Some(api::Kind::Source) => severity = Severity::Warning,
            _ => {}
        }
        let mut finding = Finding::new(severity, Code::BadDocument, message, location);
        if error.lacks_quotes {
            finding = finding.hint(match provenance.built_from {
                None => "quote it",
                Some(_) => UNQUOTED_VARIABLE,
            });
        }
        let snippet = error.snippet.filter(|line| !line.text().is_empty());
        // Of what was built nobody has the lines.
        finding.snippet = snippet.filter(|_| provenance.built_from.is_none());
        finding
    }

    fn add_document(&mut self, document: Document, location: Location, provenance: Provenance<'_>) {
        let (documents, rank) = (&mut self.documents, provenance.rank);
        match document {
            Document::Repository(document) => {
                let id = id_of(&document.metadata, provenance);
                insert(&mut documents.repositories, id, document, location, rank);
            }
            Document::Policy(mut document) => {
                let id = id_of(&document.metadata, provenance);
                // What orchestrators note of an item is no part of it.
                let annotations = &mut document.metadata.annotations;
                annotations.retain(|key, _| !is_of_orchestrator(key));
                insert(&mut documents.policies, id, document, location, rank);
            }
            Document::Automation(document) => {
                let id = id_of(&document.metadata, provenance);
                let known = documents.automations.get(&id);
                if known.is_some_and(|known| known.rank > rank) {
                    documents.outranked.push((id.clone(), document.clone()));
                }
                insert(&mut documents.automations, id, document, location, rank);
            }
            Document::Source(document) => {
                let id = id_of(&document.metadata, provenance);
                insert(&mut documents.sources, id, document, location, rank);
            }
            Document::Snapshot(document) => self.snapshots.push((rank, document, location)),
            Document::Test(mut document) => {
                let id = id_of(&document.metadata, provenance);
                document.metadata.namespace = Some(id.namespace).filter(|one| !one.is_empty());
                documents.tests.push((document, location));
            }
            Document::Update(document) => self.add_options(&document.spec, &location, rank),
        }
    }

    /// Takes in the documents inside the options of an ImageUpdate. They are the word of
    /// whoever gave it: one that lies in a tree is no functionConfig.
    pub fn add_options(&mut self, options: &ImageUpdateSpec, location: &Location, rank: Rank) {
        let provenance = Provenance::new("", rank);
        let here = || location.clone();
        let repositories = options.repositories.iter().cloned();
        let policies = options.policies.iter().cloned();
        let snapshots = options.snapshots.iter().cloned();
        let nested = (repositories.map(Document::Repository))
            .chain(policies.map(Document::Policy))
            .chain(snapshots.map(Document::Snapshot));
        for document in nested {
            self.add_document(document, here(), provenance);
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
        self.documents.repositories.values().any(needs)
    }

    /// The documents, and what reading them found.
    #[must_use]
    pub fn finish(self) -> (Documents, Vec<Finding>) {
        let Self {
            mut documents,
            mut snapshots,
            findings,
        } = self;
        let granting = documents
            .repositories
            .iter()
            .filter_map(|(id, repository)| {
                let access = repository.document.spec.access_from.as_ref()?;
                Some((id.clone(), Grants::of(access)))
            });
        documents.grants = granting.collect();
        snapshots.sort_by_key(|(rank, ..)| *rank);
        let snapshots = snapshots.into_iter();
        documents.snapshots = snapshots
            .map(|(_, one, location)| (one, location))
            .collect();
        (documents, findings)
    }
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

/// A document of a version before v1.
fn old_version(object: &Object, document: &Document, location: &Location) -> Option<Finding> {
    let (group, version) = object.api_version.split_once('/')?;
    if group != api::FLUX_GROUP || version == "v1" {
        return None;
    }
    let message = format!(
        "{} `{}` is of the version `{}`, which Flux 2.9 no longer has",
        object.kind,
        quote::at_most(&object.name, 300),
        object.api_version
    );
    let finding = Finding::warning(Code::OldVersion, message, location.clone());
    let moved = match document {
        Document::Automation(automation) => automation.spec.moved_to_v1(),
        _ => None,
    };
    Some(finding.hint(match moved {
        None => format!("write `apiVersion: {group}/v1`; its fields stay as they are"),
        Some(moved) => format!(
            "write `apiVersion: {group}/v1`, and in `spec`, in place of `checkout`, `commit` and `push`: {moved}"
        ),
    }))
}

fn id_of(metadata: &api::Metadata, provenance: Provenance<'_>) -> Id {
    let namespace = metadata
        .namespace
        .as_deref()
        .or(provenance.default_namespace);
    Id::new(namespace.unwrap_or_default(), metadata.name.clone())
}

fn is_of_orchestrator(key: &str) -> bool {
    key.contains("config.kubernetes.io/") || key.starts_with("kustomize.config.k8s.io/")
}

/// What tells two documents of one name apart.
trait Counts {
    /// Whether the other says the same as far as a run depends on it: labels,
    /// annotations and intervals are nobody's business.
    fn counts_as(&self, other: &Self) -> bool;
}

impl Counts for ImageRepository {
    fn counts_as(&self, other: &Self) -> bool {
        let counting = |one: &Self| {
            let mut spec = one.spec.clone();
            (spec.interval, spec.timeout) = (None, None);
            spec
        };
        counting(self) == counting(other)
    }
}

impl Counts for ImagePolicy {
    fn counts_as(&self, other: &Self) -> bool {
        let counting = |one: &Self| {
            let mut spec = one.spec.clone();
            // Whether there is one counts, however long it is.
            spec.interval = spec.interval.map(|_| String::new());
            spec
        };
        counting(self) == counting(other) && self.status == other.status
    }
}

impl Counts for ImageUpdateAutomation {
    fn counts_as(&self, other: &Self) -> bool {
        let counting = |one: &Self| {
            let mut spec = one.spec.clone();
            spec.interval = None;
            spec
        };
        counting(self) == counting(other)
    }
}

impl Counts for GitRepository {
    fn counts_as(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

fn insert<T: Counts>(
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
        if is_one_place && !known.document.counts_as(&document) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever can write a file of the tree must not speak as the functionConfig does.
    #[test]
    fn documents_inside_an_image_update_have_its_rank() {
        let text = "apiVersion: flux-image.dev/v1alpha1
kind: ImageUpdate
metadata: {name: options}
spec:
  repositories:
  - metadata: {name: app, namespace: flux-system}
    spec: {image: ghcr.io/acme/app, insecure: true}
";
        let outline = crate::resource_list::read(text).expect("YAML");
        for rank in [Rank::Tree, Rank::Config] {
            let mut builder = Builder::default();
            builder.add(&[DocumentText {
                text,
                outline: &outline,
                provenance: Provenance::new("options.yaml", rank),
            }]);
            let (documents, findings) = builder.finish();
            assert_eq!(findings, []);
            let repository = documents.repositories.values().next().expect("one");
            assert_eq!(repository.rank, rank);
        }
    }
}
