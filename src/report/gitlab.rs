//! What GitLab CI reads: a Code Quality report, and the variables of a dotenv
//! report.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::fingerprint::Fingerprints;
use super::json::{self, Report};
use crate::finding::{Location, Severity};
use crate::foreign::is_hidden;

/// A Code Quality report: what changes is an issue of severity `info`, or with
/// `--check`, where it is what was looked for, `minor`.
///
/// # Errors
/// Never, in fact: JSON values always print.
pub fn code_quality(report: &Report, checks: bool) -> Result<String, serde_json::Error> {
    let mut issues = Issues::default();
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
            Severity::Info => "info",
        };
        let name = finding.code.word();
        let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
        let said = (
            finding.message.as_str(),
            hint.as_deref().unwrap_or_default(),
        );
        issues.add(&name, said, severity, &finding.location);
    }
    for change in &report.changes {
        let severity = if checks { "minor" } else { "info" };
        let message = format!("{}: {} → {}", change.setter, change.old, change.new);
        issues.add("outdated", (&message, ""), severity, &change.location);
    }
    let mut text = crate::foreign::json_pretty(&issues.list)?;
    text.push('\n');
    Ok(text)
}

/// The issues of a report. GitLab tells old from new by their fingerprints.
#[derive(Default)]
struct Issues {
    list: Vec<Value>,
    fingerprints: Fingerprints,
}

impl Issues {
    fn add(
        &mut self,
        name: &str,
        (message, hint): (&str, &str),
        severity: &str,
        location: &Location,
    ) {
        let path = match location.file.trim_start_matches("./") {
            // Each issue needs a file; what is of none is of the repository.
            "" => ".",
            file => file,
        };
        let fingerprint = self.fingerprints.of(name, message, location);
        self.list.push(json!({
            "description": format!("{message}{hint}"),
            "check_name": format!("flux-image/{name}"),
            "fingerprint": fingerprint,
            "severity": severity,
            "location": {"path": path, "lines": {"begin": location.line.max(1)}},
        }));
    }
}

/// Variables for later jobs, and the names of those that are left out. A dotenv
/// report takes no value of several lines: of the message it has the first. GitLab
/// expands `$` in the values of such variables, with whatever secrets a later job
/// has, and nothing in the file can keep it from that.
#[must_use]
pub fn dotenv(report: &Report) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut left_out = Vec::new();
    let mut put = |name: &str, value: &str| {
        let line = value.lines().next().unwrap_or_default();
        let plain: String = line.chars().filter(|c| !is_hidden(*c)).collect();
        if plain.contains('$') {
            left_out.push(format!("FLUX_IMAGE_{name}"));
            return;
        }
        // Writing to a String cannot fail.
        _ = writeln!(out, "FLUX_IMAGE_{name}={plain}");
    };
    put(
        "CHANGED",
        if report.changes.is_empty() {
            "false"
        } else {
            "true"
        },
    );
    put("CHANGES", &report.changes.len().to_string());
    put("FILES", &report.files.len().to_string());
    if let Ok(branch) = json::branch(&report.automations, None) {
        put("BRANCH", &branch);
    }
    if let Ok(message) = json::message(&report.automations, None) {
        put("TITLE", message.trim_start());
    }
    (out, left_out)
}
