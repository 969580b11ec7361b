//! The Report: the Outcome as one JSON document, later only extended.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::update::outcome::{Change, Finding, Outcome, Severity};

/// What `-o json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `Report`
    pub kind: String,
    /// Whether files or items were written; false with `--check`, `--dry-run`
    /// and `--diff`.
    pub written: bool,
    /// Counts, for a quick look.
    pub summary: Summary,
    /// Files that change, each once, in lexical order.
    pub files: BTreeSet<String>,
    /// What changes, by file, in document order.
    pub changes: Vec<Change>,
    /// What else there is to know.
    pub findings: Vec<Finding>,
}

/// Counts of a Report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Scalars that change.
    pub changes: usize,
    /// Files that change.
    pub files: usize,
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
}

impl Report {
    /// The report of an outcome.
    #[must_use]
    pub fn new(outcome: &Outcome, written: bool) -> Self {
        let count = |severity: Severity| {
            outcome
                .findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        let files: BTreeSet<String> = outcome
            .changes
            .iter()
            .map(|change| change.location.file.clone())
            .collect();
        Self {
            api_version: "flux-image.dev/v1alpha1".to_owned(),
            kind: "Report".to_owned(),
            written,
            summary: Summary {
                changes: outcome.changes.len(),
                files: files.len(),
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
            },
            files,
            changes: outcome.changes.clone(),
            findings: outcome.findings.clone(),
        }
    }
}
