//! What GitLab CI reads: a Code Quality report, and the variables of a dotenv
//! report.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

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
        issues.add(&name, &finding.message, severity, &finding.location);
    }
    for change in &report.changes {
        let severity = if checks { "minor" } else { "info" };
        let message = format!("{}: {} → {}", change.setter, change.old, change.new);
        issues.add("outdated", &message, severity, &change.location);
    }
    let mut text = crate::foreign::json_pretty(&issues.list)?;
    text.push('\n');
    Ok(text)
}

/// The issues of a report. GitLab tells old from new by their fingerprints, which
/// therefore hold no line: a line above that is added or taken away neither fixes an
/// issue nor makes a new one. Several that are alike are told apart by their order.
#[derive(Default)]
struct Issues {
    list: Vec<Value>,
    /// How many there are of each.
    alike: HashMap<String, usize>,
}

impl Issues {
    fn add(&mut self, name: &str, message: &str, severity: &str, location: &Location) {
        let path = match location.file.trim_start_matches("./") {
            // Each issue needs a file; what is of none is of the repository.
            "" => ".",
            file => file,
        };
        let resource = location.resource.as_ref();
        let resource = resource.map(|one| [&*one.kind, &*one.namespace, &*one.name].join("\0"));
        let what = [
            name,
            path,
            &resource.unwrap_or_default(),
            &location.field,
            &without_places(message),
        ]
        .join("\0");
        let number = self.alike.entry(what.clone()).or_default();
        *number += 1;
        let unique = format!("{what}\0{number}");
        let fingerprint = digest::digest(&digest::SHA256, unique.as_bytes());
        self.list.push(json!({
            "description": message,
            "check_name": format!("flux-image/{name}"),
            "fingerprint": HEXLOWER.encode(&fingerprint.as_ref()[..16]),
            "severity": severity,
            "location": {"path": path, "lines": {"begin": location.line.max(1)}},
        }));
    }
}

/// A message without the lines and columns in it, as of `a.yaml:3:7`.
fn without_places(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, behind)) = rest.split_once(':') {
        out.push_str(before);
        rest = behind;
        let number =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let line = number(behind);
        let column = behind[line..].strip_prefix(':').map_or(0, number);
        if line > 0 && column > 0 {
            rest = &behind[line + 1 + column..];
        } else {
            out.push(':');
        }
    }
    out + rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_messages() {
        for (message, expected) in [
            (
                "two have this name: flux/a.yaml:3:7 and b.yaml:12:1",
                "two have this name: flux/a.yaml and b.yaml",
            ),
            ("has no line: a.yaml:7", "has no line: a.yaml:7"),
            (
                "ghcr.io/acme/app:1.0: unknown",
                "ghcr.io/acme/app:1.0: unknown",
            ),
            (":1:2:", ":"),
            ("", ""),
        ] {
            assert_eq!(without_places(message), expected);
        }
    }
}
