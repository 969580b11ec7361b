//! The plans of several clusters for one checkout, put together.
//!
//! Each cluster has documents of its own, and so each run of its automations is one of
//! its own. What two of them want alike is the first one's; where they want different
//! values, and be it that one wants what stands there, nothing is written, and an error
//! names both.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use crate::finding::{Code, Finding, Location};
use crate::plan::outcome::Change;
use crate::plan::planned::{Planned, Replacement};
use crate::plan::unreached::{self, Unreached};
use crate::quote;
use yaml_edit_spans::ByteSpan;

/// A place of a value: file, line, column.
type Place = (String, usize, usize);

fn place(location: &Location) -> Place {
    (location.file.clone(), location.line, location.column)
}

/// Puts the plans of clusters together, each with its cluster's name.
#[must_use]
pub fn together(mut plans: Vec<(String, Planned)>) -> Planned {
    let mut all = Planned {
        root: plans
            .first()
            .map_or_else(PathBuf::new, |(_, one)| one.root.clone()),
        ..Planned::default()
    };
    let wanted = wanted(&plans);
    let names: Vec<String> = plans.iter().map(|(name, _)| name.clone()).collect();
    let disagreements = wanted.iter().filter_map(|(at, by)| {
        let first = by.first()?;
        let other = by.iter().find(|other| other.1 != first.1)?;
        let [one, two] = [first, other].map(|(cluster, ..)| names[*cluster].as_str());
        let finding = disagreement([one, two], [&first.1, &other.1], first.2.clone());
        Some((at.clone(), finding))
    });
    let contested: BTreeMap<Place, Finding> = disagreements.collect();
    let kept = plans.iter().flat_map(|(_, planned)| &planned.kept);
    let kept = kept.map(|(location, _)| place(location));
    let decided: HashSet<Place> = kept.chain(wanted.into_keys()).collect();
    let mut findings: Vec<Vec<Finding>> = Vec::new();
    let mut left = Vec::new();
    for (_, planned) in &mut plans {
        leave_out(planned, &contested);
        findings.push(std::mem::take(&mut planned.outcome.findings));
        left.append(&mut planned.unreached);
    }
    let left = unreached::of_clusters(left, &|at| decided.contains(&place(at)));
    for (number, (name, planned)) in plans.into_iter().enumerate() {
        add(&mut all, number, name, planned);
    }
    all.replacements.retain(|one| !one.edits.is_empty());
    all.replacements.sort_by(|a, b| a.path.cmp(&b.path));
    all.outcome.findings.extend(contested.into_values());
    all.outcome.findings.extend(shared(findings, &decided));
    (all.outcome.findings).extend(left.iter().filter_map(Unreached::finding));
    let changes = all.outcome.changes.iter();
    let left: BTreeSet<_> = changes.map(Change::policy_key).collect();
    all.images.retain(|key, _| left.contains(key));
    all
}

/// What each cluster wants of each value, those that are to stay with them: by place, the
/// cluster's number, the value, and where it is.
fn wanted(plans: &[(String, Planned)]) -> BTreeMap<Place, Vec<(usize, String, Location)>> {
    let mut wanted: BTreeMap<Place, Vec<(usize, String, Location)>> = BTreeMap::new();
    for (number, (_, planned)) in plans.iter().enumerate() {
        let changes = planned.outcome.changes.iter();
        let changes = changes.map(|change| (&change.location, &change.new));
        let kept = planned.kept.iter();
        let kept = kept.filter_map(|(location, text)| Some((location, text.as_ref()?)));
        for (location, text) in changes.chain(kept) {
            let by = wanted.entry(place(location)).or_default();
            by.push((number, text.clone(), location.clone()));
        }
    }
    wanted
}

/// Leaves out what clusters do not agree on.
fn leave_out(planned: &mut Planned, contested: &BTreeMap<Place, Finding>) {
    let is_out = |change: &Change| contested.contains_key(&place(&change.location));
    let gone = planned.outcome.changes.iter().filter(|one| is_out(one));
    let gone: Vec<(String, ByteSpan)> = gone
        .map(|change| (change.location.file.clone(), change.span))
        .collect();
    for replacement in &mut planned.replacements {
        replacement.edits.retain(|edit| {
            let mut spans = gone.iter().filter(|(file, _)| *file == replacement.name);
            !spans.any(|(_, span)| covers(*span, edit.span))
        });
    }
    planned.outcome.changes.retain(|change| !is_out(change));
}

fn covers(span: ByteSpan, inner: ByteSpan) -> bool {
    span.start <= inner.start && inner.end <= span.end
}

/// Adds the plan of a further cluster.
fn add(all: &mut Planned, number: usize, name: String, mut planned: Planned) {
    let first_owner = all.owners.len();
    for owner in &mut planned.owners {
        owner.cluster = Some(name.clone());
    }
    all.owners.append(&mut planned.owners);
    let images = planned.images.into_iter();
    all.images
        .extend(images.map(|((_, id), one)| ((number, id), one)));
    let labels = planned.labels.into_iter();
    all.labels
        .extend(labels.map(|((_, id), one)| ((number, id), one)));
    all.clusters.push(name);
    let mut changes = planned.outcome.changes;
    for change in &mut changes {
        change.cluster = number;
        change.owner = change.owner.map(|owner| owner + first_owner);
    }
    for replacement in planned.replacements {
        merge(all, replacement, &mut changes);
    }
    all.outcome.changes.append(&mut changes);
}

/// Adds the edits of a further cluster in one file. What was planned there already, by
/// another one, is alike.
fn merge(all: &mut Planned, replacement: Replacement, changes: &mut Vec<Change>) {
    let known = all.replacements.iter_mut();
    let mut known = known.filter(|known| known.path == replacement.path);
    let Some(known) = known.next() else {
        all.replacements.push(replacement);
        return;
    };
    let of_file = all.outcome.changes.iter();
    let of_file = of_file.filter(|change| change.location.file == replacement.name);
    let before: Vec<ByteSpan> = of_file.map(|change| change.span).collect();
    changes.retain(|change| {
        change.location.file != replacement.name || !before.contains(&change.span)
    });
    let more = replacement.edits.into_iter();
    let more = more.filter(|edit| !before.iter().any(|span| covers(*span, edit.span)));
    known.edits.extend(more);
    known.edits.sort_by_key(|edit| edit.span.start);
}

fn disagreement([one, two]: [&str; 2], texts: [&str; 2], location: Location) -> Finding {
    let [first, second] = texts.map(|text| quote::at_most(text, 300).into_owned());
    let message = format!("cluster `{one}` wants `{first}` here, and cluster `{two}` `{second}`");
    let finding = Finding::error(Code::ConflictingAutomations, message, location);
    finding.hint(
        "give their automations different `update.path`s or their policies different names, or run one cluster at a time: `--cluster-path DIR`",
    )
}

/// The findings of all clusters, each once. That one does not know a place is nothing
/// where another does; that nothing is bound, only where every one says so.
fn shared(findings: Vec<Vec<Finding>>, decided: &HashSet<Place>) -> Vec<Finding> {
    let says = |all: &[Finding]| all.iter().any(|one| one.code == Code::NothingBound);
    let is_nothing = findings.iter().all(|all| says(all));
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for finding in findings.into_iter().flatten() {
        let counts = match finding.code {
            Code::NothingBound => is_nothing,
            Code::UnknownPolicy => !decided.contains(&place(&finding.location)),
            _ => true,
        };
        let key = (
            finding.severity,
            finding.code,
            finding.message.clone(),
            place(&finding.location),
        );
        if counts && seen.insert(key) {
            out.push(finding);
        }
    }
    out
}
