//! What several automations would do to one file, as one plan.
//!
//! In a cluster the first automation commits, and the next finds the scalar as
//! it should be. So a scalar that several would write alike belongs to the
//! first of them; one that they would write differently is an error that names
//! both, and stays as it is.

use std::collections::{BTreeSet, HashMap};

use super::outcome::{Change, Code, Finding, Outcome, Severity};
use super::plan::Plan;
use crate::api::Id;
use crate::yaml::ByteSpan;
use crate::yaml::patch::Edit;

/// What is to be done to a file, and by whom.
#[derive(Debug, Default)]
pub struct Merged {
    /// The edits, to be applied together.
    pub edits: Vec<Edit>,
    /// What they are, and what could not be done.
    pub outcome: Outcome,
    /// For each change, which of the plans it is from.
    pub owners: Vec<usize>,
    /// The policies that something is bound to.
    pub used: BTreeSet<Id>,
    /// How many scalars are bound to a known policy.
    pub bound: usize,
    /// Which of the configuration's fields found their resource.
    pub matched: BTreeSet<usize>,
}

/// Merges plans for one text. `plans` come with the number of whose they are,
/// which `name` names.
#[must_use]
pub fn merge(mut plans: Vec<(usize, Plan)>, name: &dyn Fn(usize) -> String) -> Merged {
    if plans.len() == 1
        && let Some((owner, plan)) = plans.pop()
    {
        return Merged {
            owners: vec![owner; plan.outcome.changes.len()],
            edits: plan.edits,
            outcome: plan.outcome,
            used: plan.used,
            bound: plan.bound,
            matched: plan.matched,
        };
    }
    let mut merged = Merged::default();
    let mut known: HashMap<ByteSpan, usize> = HashMap::new();
    let mut said: HashMap<String, Vec<usize>> = HashMap::new();
    let mut refused = BTreeSet::new();
    for (owner, mut plan) in plans {
        merged.bound = merged.bound.max(plan.bound);
        merged.used.extend(plan.used);
        merged.matched.extend(plan.matched);
        for finding in plan.outcome.findings {
            let alike = said.entry(key_of(&finding)).or_default();
            let findings = &mut merged.outcome.findings;
            if !alike.iter().any(|at| findings[*at] == finding) {
                alike.push(findings.len());
                findings.push(finding);
            }
        }
        plan.edits.sort();
        for change in plan.outcome.changes {
            let at = *known
                .entry(change.span)
                .or_insert(merged.outcome.changes.len());
            match merged.outcome.changes.get(at) {
                None => {
                    merged
                        .edits
                        .extend_from_slice(edits_of(&plan.edits, &change));
                    merged.outcome.changes.push(change);
                    merged.owners.push(owner);
                }
                Some(first) if first.new == change.new => {}
                Some(first) => {
                    let one = (name(merged.owners[at]), first);
                    let finding = disagreement(one, (name(owner), &change));
                    merged.outcome.findings.push(finding);
                    refused.insert(at);
                }
            }
        }
    }
    merged.edits.sort();
    merged.without(&refused);
    merged
}

/// What findings that are alike have in common, so that each is compared with
/// few.
fn key_of(finding: &Finding) -> String {
    format!("{} {}", finding.location, finding.message)
}

impl Merged {
    /// Takes out the changes of these numbers, with their edits, which are in
    /// the order of the text.
    fn without(&mut self, refused: &BTreeSet<usize>) {
        if refused.is_empty() {
            return;
        }
        let mut gone = BTreeSet::new();
        for at in refused {
            let edits = edits_of(&self.edits, &self.outcome.changes[*at]);
            gone.extend(edits.iter().cloned());
        }
        self.edits.retain(|edit| !gone.contains(edit));
        let is_kept = |at: usize| !refused.contains(&at);
        let mut numbers = 0..;
        let mut keep = || numbers.next().is_some_and(is_kept);
        self.outcome.changes.retain(|_| keep());
        let mut numbers = 0..;
        let mut keep = || numbers.next().is_some_and(is_kept);
        self.owners.retain(|_| keep());
    }
}

/// The edits that make a change, of edits in the order of the text.
#[must_use]
pub fn edits_of<'e>(edits: &'e [Edit], change: &Change) -> &'e [Edit] {
    let span = change.span;
    let from = edits.partition_point(|edit| edit.span.start < span.start);
    let rest = &edits[from..];
    let to = rest.partition_point(|edit| edit.span.end <= span.end);
    &rest[..to]
}

fn disagreement(one: (String, &Change), other: (String, &Change)) -> Finding {
    let message = format!(
        "{} would write `{}` here, and {} `{}`",
        one.0, one.1.new, other.0, other.1.new
    );
    let mut finding = Finding::new(
        Severity::Error,
        Code::ConflictingAutomations,
        message,
        one.1.location.clone(),
    );
    finding.current = Some(one.1.old.clone());
    finding.hint("let one of them have this file: narrow its `update.path` or its `policySelector`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::marker::Part;
    use crate::update::outcome::Location;
    use crate::yaml::Place;

    fn plan(line: usize, at: usize, new: &str) -> Plan {
        let change = Change {
            setter: "ns:app:tag".to_owned(),
            old: "1".to_owned(),
            unshown: None,
            new: new.to_owned(),
            policy: Id::new("ns", "app"),
            part: Part::Tag,
            span: ByteSpan::new(at, at + 1),
            location: Location::new("a.yaml", Place { line, column: 1 }),
        };
        Plan {
            edits: vec![Edit::new(at, at + 1, new)],
            outcome: Outcome {
                changes: vec![change],
                findings: Vec::new(),
            },
            ..Plan::default()
        }
    }

    fn merged(plans: Vec<Plan>) -> Merged {
        let plans = plans.into_iter().enumerate().collect();
        merge(plans, &|owner| format!("automation {owner}"))
    }

    #[test]
    fn what_two_write_alike_is_the_firsts() {
        let merged = merged(vec![plan(1, 0, "2"), plan(1, 0, "2"), plan(2, 5, "2")]);
        assert_eq!(merged.owners, [0, 2]);
        assert_eq!(merged.edits, [Edit::new(0, 1, "2"), Edit::new(5, 6, "2")]);
        assert_eq!(merged.outcome.findings, []);
    }

    #[test]
    fn what_two_write_differently_is_an_error_that_names_both() {
        let merged = merged(vec![plan(1, 0, "2"), plan(2, 5, "2"), plan(1, 0, "3")]);
        assert_eq!(merged.owners, [1]);
        assert_eq!(merged.edits, [Edit::new(5, 6, "2")]);
        let [finding] = merged.outcome.findings.as_slice() else {
            panic!("{:?}", merged.outcome.findings);
        };
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "automation 0 would write `2` here, and automation 2 `3`"
        );
    }
}
