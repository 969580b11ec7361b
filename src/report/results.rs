//! The outcome as `results` of a ResourceList (Kubernetes' function
//! specification, version 1).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::finding::{Finding, Location, ResourceRef, Severity};
use crate::plan::outcome::{Change, Outcome};

/// A result for each change and each finding, in their order.
#[must_use]
pub fn results(outcome: &Outcome) -> Vec<Value> {
    let changes = outcome.changes.iter().map(of_change);
    let all = changes.chain(outcome.findings.iter().map(of_finding));
    all.map(|result| {
        // Texts and numbers under keys that are texts: nothing that JSON could not hold.
        serde_json::to_value(&result).unwrap_or_else(|_| result.message.into())
    })
    .collect()
}

/// One entry of `results`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionResult {
    message: String,
    severity: Severity,
    /// Absent where a resource has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_ref: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<ResultField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<ResultFile>,
    tags: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultField {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_value: Option<String>,
}

#[derive(Serialize)]
struct ResultFile {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
}

fn of_change(change: &Change) -> FunctionResult {
    let (old, new, setter) = (&change.old, &change.new, &change.setter);
    FunctionResult {
        message: format!("`{old}` set to `{new}` by policy `{setter}`"),
        tags: BTreeMap::from([("policy", setter.clone())]),
        ..at(&change.location, Some(old.clone()), Some(new.clone()))
    }
}

fn of_finding(finding: &Finding) -> FunctionResult {
    let hint = finding.hint.iter().map(|hint| format!("; hint: {hint}"));
    let (current, proposed) = (finding.current.clone(), finding.proposed.clone());
    FunctionResult {
        message: finding.message.clone() + &hint.collect::<String>(),
        severity: finding.severity,
        tags: BTreeMap::from([("code", finding.code.word())]),
        ..at(&finding.location, current, proposed)
    }
}

/// A result at a place, with the value there and the one that it should have.
fn at(location: &Location, current: Option<String>, proposed: Option<String>) -> FunctionResult {
    let resource = location.resource.as_ref();
    let resource = resource.filter(|resource| !resource.name.is_empty());
    FunctionResult {
        message: String::new(),
        severity: Severity::Info,
        resource_ref: resource.map(reference),
        field: (!location.field.is_empty()).then(|| ResultField {
            path: location.field.clone(),
            current_value: current,
            proposed_value: proposed,
        }),
        file: (!location.file.is_empty()).then(|| ResultFile {
            path: location.file.clone(),
            index: location.index,
        }),
        tags: BTreeMap::new(),
    }
}

/// A resource without the fields that are empty.
fn reference(resource: &ResourceRef) -> Value {
    let mut reference = json!(resource);
    if let Some(fields) = reference.as_object_mut() {
        fields.retain(|_, text| text != "");
    }
    reference
}
