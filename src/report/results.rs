//! The outcome as `results` of a ResourceList (Kubernetes' function
//! specification, version 1).

use serde_json::{Map, Value, json};

use crate::finding::{Finding, Location, Severity};
use crate::plan::outcome::{Change, Outcome};

/// A result for each change and each finding, in their order.
#[must_use]
pub fn results(outcome: &Outcome) -> Vec<Value> {
    let changes = outcome.changes.iter().map(ResultEntry::from);
    let findings = outcome.findings.iter().map(ResultEntry::from);
    changes
        .chain(findings)
        .map(|entry| entry.to_json())
        .collect()
}

/// One entry of `results`.
struct ResultEntry {
    message: String,
    severity: Severity,
    location: Location,
    current: Option<String>,
    proposed: Option<String>,
    tags: Vec<(&'static str, String)>,
}

impl From<&Change> for ResultEntry {
    fn from(change: &Change) -> Self {
        Self {
            message: format!(
                "`{}` set to `{}` by policy `{}`",
                change.old, change.new, change.setter
            ),
            severity: Severity::Info,
            location: change.location.clone(),
            current: Some(change.old.clone()),
            proposed: Some(change.new.clone()),
            tags: vec![("policy", change.setter.clone())],
        }
    }
}

impl From<&Finding> for ResultEntry {
    fn from(finding: &Finding) -> Self {
        let hint = finding
            .hint
            .as_ref()
            .map(|hint| format!("; hint: {hint}"))
            .unwrap_or_default();
        Self {
            message: format!("{}{hint}", finding.message),
            severity: finding.severity,
            location: finding.location.clone(),
            current: finding.current.clone(),
            proposed: finding.proposed.clone(),
            tags: vec![("code", finding.code.word())],
        }
    }
}

impl ResultEntry {
    /// The entry as JSON, which is YAML too.
    fn to_json(&self) -> Value {
        let severity = match self.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let mut entry = Map::new();
        entry.insert("message".into(), json!(self.message));
        entry.insert("severity".into(), json!(severity));
        if let Some(resource) = self
            .location
            .resource
            .as_ref()
            .filter(|resource| !resource.name.is_empty())
        {
            let fields = [
                ("apiVersion", &resource.api_version),
                ("kind", &resource.kind),
                ("name", &resource.name),
                ("namespace", &resource.namespace),
            ];
            let reference: Map<String, Value> = fields
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(key, value)| (key.to_owned(), json!(value)))
                .collect();
            entry.insert("resourceRef".into(), Value::Object(reference));
        }
        if !self.location.field.is_empty() {
            let mut field = Map::new();
            field.insert("path".into(), json!(self.location.field));
            let values = [
                ("currentValue", &self.current),
                ("proposedValue", &self.proposed),
            ];
            for (name, value) in values {
                if let Some(value) = value {
                    field.insert(name.into(), json!(value));
                }
            }
            entry.insert("field".into(), Value::Object(field));
        }
        if !self.location.file.is_empty() {
            let mut file = Map::new();
            file.insert("path".into(), json!(self.location.file));
            if let Some(index) = self.location.index {
                file.insert("index".into(), json!(index));
            }
            entry.insert("file".into(), Value::Object(file));
        }
        let tags: Map<String, Value> = self
            .tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        if !tags.is_empty() {
            entry.insert("tags".into(), Value::Object(tags));
        }
        Value::Object(entry)
    }
}
