//! SARIF 2.1.0, which code scanning of several forges reads.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fingerprint::Fingerprints;
use super::json::Report;
use super::lint;
use crate::finding::{Code, Location, Severity};
use crate::path_name;

/// The findings and changes as one SARIF run. A change is a note, or a warning
/// where a check was asked for.
///
/// # Errors
/// Never, in fact: JSON values always print.
pub fn log(report: &Report, checks: bool) -> Result<String, serde_json::Error> {
    let mut rules = BTreeSet::new();
    let mut results = Vec::new();
    let mut fingerprints = Fingerprints::default();
    for finding in &report.findings {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let rule = finding.code.word();
        let hint = finding.hint.as_ref().map(|hint| format!(" ({hint})"));
        let message = format!("{}{}", finding.message, hint.unwrap_or_default());
        let mut result = result(&rule, level, &message, &finding.location);
        let print = fingerprints.of(&rule, &finding.message, &finding.location);
        result["partialFingerprints"] = json!({"fluxImage/v1": print});
        let end = finding.snippet.as_ref().and_then(lint::length_of_place);
        if let (Some(length), Some(region)) = (end, region_of(&mut result)) {
            region["endColumn"] = json!(finding.location.column.max(1) + length);
        }
        results.push(result);
        rules.insert(rule);
    }
    for change in &report.changes {
        let level = if checks { "warning" } else { "note" };
        let message = format!("{}: {} → {}", change.setter, change.old, change.new);
        results.push(result("outdated", level, &message, &change.location));
        rules.insert("outdated".to_owned());
    }
    let described = descriptions();
    let of_rule = |rule: &String| {
        let mut of_rule = json!({"id": rule});
        if let Some(text) = described.get(rule.as_str()) {
            of_rule["shortDescription"] = json!({"text": text});
            of_rule["help"] =
                json!({"text": format!("{text} The hint of each result says what to do.")});
        }
        of_rule
    };
    let rules: Vec<Value> = rules.iter().map(of_rule).collect();
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

/// What each code is about, as the schema of reports says it.
fn descriptions() -> BTreeMap<String, String> {
    let schema = schemars::schema_for!(Code);
    let all = schema.get("oneOf").and_then(Value::as_array);
    let described = all.into_iter().flatten().filter_map(|one| {
        let text = one["description"].as_str()?.replace('\n', " ");
        Some((one["const"].as_str()?.to_owned(), text))
    });
    described.collect()
}

/// The lines and columns of a result.
fn region_of(result: &mut Value) -> Option<&mut Value> {
    result.pointer_mut("/locations/0/physicalLocation/region")
}

fn result(rule: &str, level: &str, message: &str, location: &Location) -> Value {
    let mut result = json!({
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
    });
    // Code scanning wants a place of each; what is of no file is of the repository.
    let file = match location.file.as_str() {
        "" => ".".to_owned(),
        file => uri(file),
    };
    let mut place = json!({"artifactLocation": {"uri": file}});
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
