//! `flux-image schema`.

use anyhow::bail;

use super::args::{SchemaArgs, SchemaKind};
use super::streams::print;
use super::{Exit, crd};
use crate::api::{ImagePolicyTest, ImageUpdate, TagSnapshot};
use crate::report::json::Report;

/// The schemas by the names of their documents, each as indented JSON with a
/// final line break.
#[must_use]
pub fn schemas() -> [(&'static str, String); 4] {
    [
        ("ImageUpdate", pretty(&schemars::schema_for!(ImageUpdate))),
        ("TagSnapshot", pretty(&schemars::schema_for!(TagSnapshot))),
        (
            "ImagePolicyTest",
            pretty(&schemars::schema_for!(ImagePolicyTest)),
        ),
        ("Report", pretty(&schemars::schema_for!(Report))),
    ]
}

fn pretty(schema: &schemars::Schema) -> String {
    // A schema is a JSON value, and those always print.
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Prints one.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<Exit> {
    if args.crd && !matches!(args.kind, SchemaKind::ImageUpdate) {
        bail!("`--crd` is for ImageUpdate, the functionConfig");
    }
    if args.crd {
        let text = crd::custom_resource(&schemars::schema_for!(ImageUpdate));
        print([text])?;
        return Ok(Exit::Done);
    }
    let [update, snapshot, test, report] = schemas();
    let (_, text) = match args.kind {
        SchemaKind::ImageUpdate => update,
        SchemaKind::TagSnapshot => snapshot,
        SchemaKind::ImagePolicyTest => test,
        SchemaKind::Report => report,
    };
    print([text])?;
    Ok(Exit::Done)
}
