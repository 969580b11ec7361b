//! What the API server refuses of a document whose types are right: where ours
//! would act on a document that no cluster can hold.
//!
//! Not the whole of the CRDs: an `order: ASC` is taken by Flux's own code, and a
//! missing `interval` changes nothing here.

use super::{Document, ImageUpdateAutomation, ImageUpdateSpec, Metadata, label};

/// Why a document would be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The path of the field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// The first fault of a document.
#[must_use]
pub(super) fn document(document: &Document) -> Option<FieldFault> {
    match document {
        Document::Repository(repository) => metadata(&repository.metadata, ""),
        Document::Policy(policy) => metadata(&policy.metadata, ""),
        Document::Automation(document) => {
            metadata(&document.metadata, "").or_else(|| automation(document))
        }
        Document::Test(test) => metadata(&test.metadata, "").or_else(|| test.spec.fault()),
        Document::Update(update) => options(&update.spec),
        Document::Source(_) | Document::Snapshot(_) => None,
    }
}

/// The first fault of the documents inside an ImageUpdate.
#[must_use]
pub fn options(spec: &ImageUpdateSpec) -> Option<FieldFault> {
    let repositories = (spec.repositories.iter().enumerate())
        .map(|(n, one)| (format!("spec.repositories[{n}]."), &one.metadata));
    let policies = (spec.policies.iter().enumerate())
        .map(|(n, one)| (format!("spec.policies[{n}]."), &one.metadata));
    let mut all = repositories.chain(policies);
    all.find_map(|(above, one)| metadata(one, &above))
}

/// `metadata` of the document at the path `above`.
fn metadata(metadata: &Metadata, above: &str) -> Option<FieldFault> {
    if metadata.name.is_empty() {
        return Some(FieldFault {
            field: format!("{above}metadata.name"),
            message: "`metadata.name` is missing".to_owned(),
        });
    }
    let bad = label::check(&metadata.labels).err()?;
    // What somebody fills in later may be a label then.
    if ["${", "{{"].iter().any(|open| bad.written().contains(open)) {
        return None;
    }
    Some(FieldFault {
        field: format!("{above}metadata.labels.{}", bad.key()),
        message: bad.to_string(),
    })
}

/// Words of an automation that are none of the CRD's.
fn automation(document: &ImageUpdateAutomation) -> Option<FieldFault> {
    let spec = &document.spec;
    let wrong = |field: &str, word: &str, known: &str| {
        Some(FieldFault {
            field: field.to_owned(),
            message: format!("`{field}` is `{word}`, and must be one of: {known}"),
        })
    };
    let kind = spec.source_ref.kind.as_str();
    if !matches!(kind, "" | "GitRepository") {
        return wrong("spec.sourceRef.kind", kind, "GitRepository");
    }
    let key = spec.commit().signing_key.as_ref();
    match key.and_then(|key| key.kind.as_deref()) {
        None | Some("gpg" | "ssh") => None,
        Some(other) => wrong("spec.git.commit.signingKey.type", other, "gpg, ssh"),
    }
}
