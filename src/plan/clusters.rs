//! The plans of several clusters for one checkout, put together.
//!
//! Each cluster has documents of its own, and so each run of its automations is one of
//! its own. What two of them write the same way is the first one's; what they write
//! differently stays as it is, and is an error that names both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::finding::{Code, Finding};
use crate::plan::outcome::{Change, Outcome};
use crate::plan::planned::{Planned, Replacement};
use crate::quote;
use yaml_edit_spans::ByteSpan;

/// Puts the plans of clusters together, each with its cluster's name.
#[must_use]
pub fn together(plans: Vec<(String, Planned)>) -> Planned {
    let mut all = Planned {
        root: plans
            .first()
            .map_or_else(PathBuf::new, |(_, one)| one.root.clone()),
        ..Planned::default()
    };
    let count = plans.len();
    let mut findings: Vec<Vec<Finding>> = Vec::new();
    for (number, (name, mut planned)) in plans.into_iter().enumerate() {
        let first_owner = all.owners.len();
        for owner in &mut planned.owners {
            owner.cluster = Some(name.clone());
        }
        all.owners.append(&mut planned.owners);
        let of_it = |key: (usize, crate::api::Id)| (number, key.1);
        all.images.extend(
            planned
                .images
                .into_iter()
                .map(|(key, one)| (of_it(key), one)),
        );
        all.labels.extend(
            planned
                .labels
                .into_iter()
                .map(|(key, one)| (of_it(key), one)),
        );
        for change in &mut planned.outcome.changes {
            change.cluster = number;
            change.owner = change.owner.map(|owner| owner + first_owner);
        }
        all.clusters.push(name);
        let Outcome {
            changes,
            findings: found,
        } = planned.outcome;
        findings.push(found);
        merge(&mut all, planned.replacements, changes);
    }
    all.replacements.sort_by(|a, b| a.path.cmp(&b.path));
    all.outcome.findings.extend(shared(findings, count));
    let left: std::collections::BTreeSet<_> =
        all.outcome.changes.iter().map(Change::policy_key).collect();
    all.images.retain(|key, _| left.contains(key));
    all
}

/// Adds the edits of a further cluster.
fn merge(all: &mut Planned, replacements: Vec<Replacement>, mut changes: Vec<Change>) {
    for replacement in replacements {
        let known = all.replacements.iter_mut();
        let mut known = known.filter(|known| known.path == replacement.path);
        let Some(known) = known.next() else {
            all.replacements.push(replacement);
            continue;
        };
        let of_file = |change: &Change| change.location.file == replacement.name;
        let before: BTreeMap<(usize, usize), usize> = (all.outcome.changes.iter().enumerate())
            .filter(|(_, change)| of_file(change))
            .map(|(at, change)| (key(change.span), at))
            .collect();
        let mut gone = Vec::new();
        changes.retain(|change| {
            let Some(at) = before.get(&key(change.span)).filter(|_| of_file(change)) else {
                return true;
            };
            let other = &all.outcome.changes[*at];
            if other.new != change.new {
                let clusters = [other, change].map(|one| all.clusters[one.cluster].as_str());
                all.outcome
                    .findings
                    .push(disagreement(clusters, other, change));
                gone.push(*at);
            }
            false
        });
        let covered = |span: ByteSpan| {
            let mut spans = before.keys();
            spans.any(|(start, end)| *start <= span.start && span.end <= *end)
        };
        let more = replacement.edits.into_iter();
        known.edits.extend(more.filter(|edit| !covered(edit.span)));
        for at in &gone {
            let span = all.outcome.changes[*at].span;
            known
                .edits
                .retain(|edit| !(span.start <= edit.span.start && edit.span.end <= span.end));
        }
        known.edits.sort_by_key(|edit| edit.span.start);
        gone.sort_unstable();
        for at in gone.into_iter().rev() {
            all.outcome.changes.remove(at);
        }
    }
    all.replacements.retain(|one| !one.edits.is_empty());
    all.outcome.changes.append(&mut changes);
}

fn key(span: ByteSpan) -> (usize, usize) {
    (span.start, span.end)
}

fn disagreement([one, two]: [&str; 2], first: &Change, second: &Change) -> Finding {
    let cut = |text: &str| quote::at_most(text, 300).into_owned();
    let message = format!(
        "cluster `{one}` would write `{}` here, and cluster `{two}` `{}`",
        cut(&first.new),
        cut(&second.new)
    );
    let finding = Finding::error(
        Code::ConflictingAutomations,
        message,
        first.location.clone(),
    );
    finding
        .hint("give their automations different `update.path`s, or their policies different names")
}

/// The findings of all clusters, each once. What only says that a cluster does not know
/// a place counts where every one says so.
fn shared(mut findings: Vec<Vec<Finding>>, count: usize) -> Vec<Finding> {
    let is_local = |code: Code| {
        matches!(
            code,
            Code::UnreachedMarker | Code::NothingBound | Code::UnknownPolicy
        )
    };
    let mut seen: Vec<Finding> = Vec::new();
    let mut uses: BTreeMap<(Code, String), usize> = BTreeMap::new();
    for finding in findings.iter().flatten() {
        let place = (finding.code, finding.location.to_string());
        *uses.entry(place).or_default() += 1;
    }
    for finding in findings.iter_mut().flat_map(std::mem::take) {
        let place = (finding.code, finding.location.to_string());
        let is_everywhere = uses.get(&place).is_some_and(|uses| *uses >= count);
        if is_local(finding.code) && !is_everywhere || seen.contains(&finding) {
            continue;
        }
        seen.push(finding);
    }
    seen
}
