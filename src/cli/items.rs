//! What commands print as JSON: a list of items of one kind.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use crate::foreign::json_pretty;

/// A list of one kind.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Items<T> {
    /// `flux-image.dev/v1alpha1`
    api_version: String,
    /// What the items are.
    kind: String,
    /// The items.
    items: Vec<T>,
}

impl<T: Serialize> Items<T> {
    /// Of a kind.
    pub(super) fn new(kind: &str, items: Vec<T>) -> Self {
        Self {
            api_version: "flux-image.dev/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            items,
        }
    }

    /// As indented JSON.
    ///
    /// # Errors
    /// What cannot be written as JSON, which nothing here is.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        Ok(json_pretty(self)? + "\n")
    }
}

/// The schema of such a list.
pub(super) fn schema<T: JsonSchema>(kind: &str) -> Schema {
    let mut schema = schema_for!(Items<T>);
    schema.insert("title".to_owned(), kind.into());
    schema
}
