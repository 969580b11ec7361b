//! The record of a run, from which results, reports and tables are views.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::api::Id;
use crate::binding::marker::ImagePart;
use crate::finding::{Finding, Location, Severity};
use crate::resource_list::Unshown;
use yaml_edit_spans::ByteSpan;

/// A scalar that gets a new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The setter, as Flux names it: `namespace:name[:part]`.
    pub setter: String,
    /// The value before; `****` in a Secret and in an encrypted document.
    pub old: String,
    /// The value before where `old` does not show it.
    #[serde(skip)]
    pub unshown: Option<Unshown>,
    /// The value after.
    pub new: String,
    /// The ImagePolicy: `namespace:name`.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub policy: Id,
    /// The number of the cluster that this is of; 0 where there are none.
    #[serde(skip)]
    pub cluster: usize,
    /// Which part of the image the scalar holds.
    #[serde(skip)]
    pub part: ImagePart,
    /// The bytes that its edits are in.
    #[serde(skip)]
    pub span: ByteSpan,
    /// The number of the automation whose change it is; `None` where there is none.
    #[serde(skip)]
    pub owner: Option<usize>,
    /// Where.
    #[serde(flatten)]
    pub location: Location,
}

impl Change {
    /// The policy of this cluster.
    #[must_use]
    pub fn policy_key(&self) -> (usize, Id) {
        (self.cluster, self.policy.clone())
    }

    /// The value before, for a message's template: what Flux's would print is the
    /// owner's of the automation to decide.
    #[must_use]
    pub fn value_before(&self) -> &str {
        self.unshown.as_ref().map_or(&self.old, Unshown::reveal)
    }
}

fn as_text<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What changed, or with `--check` would; by file, in document order.
    pub changes: Vec<Change>,
    /// What else there is to know.
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// The heaviest finding.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Takes the findings as a run that is to judge: what leaves a marked value unjudged
    /// is an error.
    pub fn judge(&mut self) {
        let unjudged = self.findings.iter_mut().filter(|one| one.leaves_unjudged);
        unjudged.for_each(|one| one.severity = Severity::Error);
    }

    /// Adds what another part of the run found.
    pub fn extend(&mut self, other: Self) {
        // The first are taken as they are: there may be thousands.
        if self.changes.is_empty() {
            self.changes = other.changes;
        } else {
            self.changes.extend(other.changes);
        }
        self.findings.extend(other.findings);
    }
}
