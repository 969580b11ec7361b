//! `flux-image schema`.

use anyhow::bail;
use schemars::{Schema, schema_for};

use super::args::{SchemaArgs, SchemaKind};
use super::policy_test::TestResults;
use super::streams::print;
use super::{Exit, crd, items};
use crate::api::{ImagePolicyTest, ImageUpdate, TagSnapshot};
use crate::insight::compare::Comparison;
use crate::insight::coverage::Coverage;
use crate::insight::explain::Explanation;
use crate::insight::suggest::Suggestion;
use crate::insight::tables::{AutomationRow, PolicyRow, RepositoryRow};
use crate::report::json::Report;
use crate::report::lint::LintReport;

/// The schemas by the names of their documents, each as indented JSON with a
/// final line break.
#[must_use]
pub fn schemas() -> [(&'static str, String); 4] {
    [
        ("ImageUpdate", pretty(&schema_for!(ImageUpdate))),
        ("TagSnapshot", pretty(&schema_for!(TagSnapshot))),
        ("ImagePolicyTest", pretty(&schema_for!(ImagePolicyTest))),
        ("Report", pretty(&schema_for!(Report))),
    ]
}

fn pretty(schema: &Schema) -> String {
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
        let text = crd::custom_resource(&schema_for!(ImageUpdate));
        print([text])?;
        return Ok(Exit::Done);
    }
    print([pretty(&schema(args.kind))])?;
    Ok(Exit::Done)
}

fn schema(kind: SchemaKind) -> Schema {
    match kind {
        SchemaKind::ImageUpdate => schema_for!(ImageUpdate),
        SchemaKind::TagSnapshot => schema_for!(TagSnapshot),
        SchemaKind::ImagePolicyTest => schema_for!(ImagePolicyTest),
        SchemaKind::Report => schema_for!(Report),
        SchemaKind::Explanations => items::schema::<Explanation>("Explanations"),
        SchemaKind::Coverage => schema_for!(Coverage),
        SchemaKind::LintReport => schema_for!(LintReport),
        SchemaKind::Suggestions => items::schema::<Suggestion>("Suggestions"),
        SchemaKind::ImagePolicyTestResults => {
            let mut schema = schema_for!(TestResults);
            schema.insert("title".to_owned(), "ImagePolicyTestResults".into());
            schema
        }
        SchemaKind::Comparisons => items::schema::<Comparison>("Comparisons"),
        SchemaKind::ImagePolicyTable => items::schema::<PolicyRow>("ImagePolicyTable"),
        SchemaKind::ImageRepositoryTable => items::schema::<RepositoryRow>("ImageRepositoryTable"),
        SchemaKind::ImageUpdateAutomationTable => {
            items::schema::<AutomationRow>("ImageUpdateAutomationTable")
        }
    }
}
