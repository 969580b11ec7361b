//! `flux-image schema`.

use std::io::Write as _;

use super::Exit;
use super::args::{SchemaArgs, SchemaKind};
use crate::api::{ImageUpdate, TagSnapshot};
use crate::report::json::Report;

/// The schemas by the names of their documents, each as indented JSON with a
/// final line break.
#[must_use]
pub fn schemas() -> [(&'static str, String); 3] {
    [
        ("ImageUpdate", print(&schemars::schema_for!(ImageUpdate))),
        ("TagSnapshot", print(&schemars::schema_for!(TagSnapshot))),
        ("Report", print(&schemars::schema_for!(Report))),
    ]
}

fn print(schema: &schemars::Schema) -> String {
    // A schema is a JSON value, and those always print.
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Prints one.
///
/// # Errors
/// When stdout is gone.
pub fn run(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let [update, snapshot, report] = schemas();
    let (_, text) = match args.kind {
        SchemaKind::ImageUpdate => update,
        SchemaKind::TagSnapshot => snapshot,
        SchemaKind::Report => report,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}
