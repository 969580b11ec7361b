//! What GitHub Actions reads: annotations as workflow commands, and step
//! outputs as the file of `GITHUB_OUTPUT` holds them.

use std::fmt::Write as _;

use super::json::{self, Report};
use crate::finding::{Finding, Location, Severity};
use crate::foreign::{shown, shown_lines};
use crate::plan::outcome::Change;

/// One annotation for each change and each finding, a line each.
#[must_use]
pub fn annotations(report: &Report) -> String {
    let changes = report
        .changes
        .iter()
        .map(|change| of_change(change, report.written));
    let findings = report.findings.iter().map(of_finding);
    findings.chain(changes).collect()
}

fn of_change(change: &Change, written: bool) -> String {
    let verb = if written { "changed" } else { "would change" };
    let message = format!("{verb} {} → {}", shown(&change.old), shown(&change.new));
    annotation("notice", &change.location, &change.setter, &message)
}

fn of_finding(finding: &Finding) -> String {
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    // The line break before the hint is the only one.
    let mut message = shown(&finding.message).into_owned();
    if let Some(hint) = &finding.hint {
        _ = write!(message, "\nhint: {}", shown(hint));
    }
    let title = format!("flux-image {}", finding.code.word());
    annotation(word, &finding.location, &title, &message)
}

fn annotation(word: &str, location: &Location, title: &str, message: &str) -> String {
    let mut out = format!("::{word} ");
    if !location.file.is_empty() {
        let file = location.file.trim_start_matches("./");
        _ = write!(out, "file={},", property(file));
        if location.line > 0 {
            _ = write!(out, "line={},", location.line);
        }
        if location.column > 0 {
            _ = write!(out, "col={},", location.column);
        }
    }
    _ = writeln!(out, "title={}::{}", property(title), data(message));
    out
}

/// The text of a command, which ends at the line.
fn data(text: &str) -> String {
    shown_lines(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command, which ends at a comma or colon, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The step outputs: `changed`, `changes`, `files`, and with one commit to be
/// made `message` and `branch`.
#[must_use]
pub fn outputs(report: &Report) -> String {
    let files: Vec<&str> = report.files.iter().map(String::as_str).collect();
    let mut out = String::new();
    let mut put = |name: &str, value: &str| {
        // What stands in manifests and templates must not end its own value.
        let mut end = String::from("END_OF_VALUE");
        while value.contains(&end) {
            end.push('_');
        }
        _ = writeln!(out, "{name}<<{end}\n{value}\n{end}");
    };
    put("changed", &(!report.changes.is_empty()).to_string());
    put("changes", &report.changes.len().to_string());
    put("files", &files.join("\n"));
    if let Ok(message) = json::message(&report.automations, None) {
        put("message", message.trim_end_matches('\n'));
    }
    if let Ok(branch) = json::branch(&report.automations, None) {
        put("branch", &branch);
    }
    out
}
