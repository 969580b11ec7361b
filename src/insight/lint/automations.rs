//! Rules on automations.

use std::collections::BTreeMap;
use std::path::Path;

use super::Subject;
use crate::finding::{Code, Finding, Severity};
use crate::insight::uses::Carrier;
use crate::plan::planned::Owner;

/// So many automations of one folder are compared.
const MOST: usize = 50;

/// What is odd about automations.
pub(super) fn look(subject: &Subject<'_>) -> Vec<Finding> {
    let mut folders: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (number, owner) in subject.run.owners.iter().enumerate() {
        folders.entry(&owner.base).or_default().push(number);
    }
    let carried: std::collections::BTreeSet<usize> = (subject.run.uses.iter())
        .filter_map(|one| match one.carrier {
            Carrier::Automation(number) => Some(number),
            Carrier::Nobody(_) => None,
        })
        .collect();
    let owners = subject.run.owners.iter().enumerate();
    let found = owners.filter_map(|(number, owner)| {
        let around = owner
            .base
            .ancestors()
            .filter_map(|folder| folders.get(folder));
        let others = around.flat_map(|numbers| numbers.iter().take(MOST));
        let mut others = others.filter(|other| **other != number);
        let other = others.find(|other| {
            let is_first = **other < number || subject.run.owners[**other].base != owner.base;
            // What one of them carries in the folder of both, the other comes to as well.
            let is_carried = carried.contains(*other) || carried.contains(&number);
            is_first && is_carried && is_shared(owner, &subject.run.owners[**other])
        })?;
        Some(twice(owner, &subject.run.owners[*other]))
    });
    found.collect()
}

fn is_shared(one: &Owner, other: &Owner) -> bool {
    one.selected.number() == other.selected.number() || one.selected.meets(&other.selected)
}

fn twice(owner: &Owner, other: &Owner) -> Finding {
    let message = format!(
        "ImageUpdateAutomation `{}` comes to values of `{}` as well: whichever commits first has them, and the other may meet its push",
        owner.id, other.id
    );
    let location = owner.location.clone();
    let finding = Finding::new(Severity::Info, Code::SeveralAutomations, message, location);
    finding.hint("give each an `update.path` or a `policySelector` of its own")
}
