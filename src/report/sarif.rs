//! SARIF 2.1.0, which code scanning of several forges reads.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::json::Report;
use crate::finding::{Location, Severity};
use crate::path_name;

/// The findings and changes as one SARIF run. A change is a note, or a warning
/// where a check was asked for.
///
/// # Errors
/// Never, in fact: JSON values always print.
pub fn log(report: &Report, checks: bool) -> Result<String, serde_json::Error> {
    let mut rules = BTreeSet::new();
    let mut results = Vec::new();
    for finding in &report.findings {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let rule = finding.code.word();
        let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
        let message = format!("{}{}", finding.message, hint.unwrap_or_default());
        results.push(result(&rule, level, &message, &finding.location));
        rules.insert(rule);
    }
    for change in &report.changes {
        let level = if checks { "warning" } else { "note" };
        let message = format!("{}: {} → {}", change.setter, change.old, change.new);
        results.push(result("outdated", level, &message, &change.location));
        rules.insert("outdated".to_owned());
    }
    let rules: Vec<Value> = rules.iter().map(|rule| json!({"id": rule})).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "flux-image",
                "version": report.run.version,
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(crate::foreign::json_pretty(&log)? + "\n")
}

fn result(rule: &str, level: &str, message: &str, location: &Location) -> Value {
    let mut result = json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
    });
    if location.file.is_empty() {
        return result;
    }
    let mut place = json!({
        "artifactLocation": {"uri": uri(&location.file)},
    });
    if location.line > 0 {
        place["region"] =
            json!({"startLine": location.line, "startColumn": location.column.max(1)});
    }
    result["locations"] = json!([{"physicalLocation": place}]);
    result
}

/// A file as a relative URI, whose escapes stand for the bytes of its path.
fn uri(file: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
    const KEPT: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    let path = path_name::bytes(file);
    percent_encode(path.strip_prefix(b"./").unwrap_or(&path), KEPT).to_string()
}
