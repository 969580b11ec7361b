//! Marked values that no automation comes to, as findings: one for each policy.

use std::collections::BTreeSet;

use crate::api::Id;
use crate::finding::{Code, Finding, Location};

/// How many automations a finding names.
pub const MOST_NAMED: usize = 3;

/// The markers of a policy that no automation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// The policy.
    pub policy: Id,
    /// Where it is marked, in the order of files and lines.
    pub places: Vec<Location>,
    /// Why automations do not come, the nearest to it first, at most [`MOST_NAMED`].
    pub reasons: Vec<String>,
    /// How many more do not.
    pub more: usize,
    /// What to do about the first of the reasons.
    pub hint: String,
}

impl Unreached {
    /// What is said of it; nothing where no place is left.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let first = self.places.first()?;
        let count = match self.places.len() {
            1 => "is marked here".to_owned(),
            count => format!("is marked at {count} places, the first of them here"),
        };
        let mut said = self.reasons.clone();
        if self.more > 0 {
            said.push(format!("and {} more do not either", self.more));
        }
        let message = format!(
            "ImagePolicy `{}` {count}, and no ImageUpdateAutomation comes here with it: {}",
            self.policy,
            said.join("; ")
        );
        let finding = Finding::warning(Code::UnreachedMarker, message, first.clone());
        Some(finding.hint(self.hint.clone()))
    }

    /// Takes in what another cluster says of its policy of this name.
    fn join(&mut self, other: Self) {
        let known: BTreeSet<String> = self.places.iter().map(Location::to_string).collect();
        let places = other.places.into_iter();
        self.places
            .extend(places.filter(|one| !known.contains(&one.to_string())));
        let place = |one: &Location| (one.file.clone(), one.line, one.column);
        self.places.sort_by_cached_key(place);
        self.more += other.more;
        for reason in other.reasons {
            if self.reasons.contains(&reason) {
                continue;
            }
            match self.reasons.len() < MOST_NAMED {
                true => self.reasons.push(reason),
                false => self.more += 1,
            }
        }
    }
}

/// What the clusters of a checkout leave, once for each name of a policy. A value that an
/// automation of any of them comes to is not left.
#[must_use]
pub fn of_clusters(all: Vec<Unreached>, is_reached: &dyn Fn(&Location) -> bool) -> Vec<Unreached> {
    let mut left: Vec<Unreached> = Vec::new();
    for mut one in all {
        one.places.retain(|place| !is_reached(place));
        if one.places.is_empty() {
            continue;
        }
        match left.iter_mut().find(|known| known.policy == one.policy) {
            Some(known) => known.join(one),
            None => left.push(one),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use yaml_edit_spans::Place;

    fn unreached(files: &[&str], reason: &str) -> Unreached {
        let place = |file: &&str| Location::new(*file, Place { line: 1, column: 2 });
        Unreached {
            policy: Id::new("flux-system", "web"),
            places: files.iter().map(place).collect(),
            reasons: vec![reason.to_owned()],
            more: 0,
            hint: "widen".to_owned(),
        }
    }

    #[test]
    fn what_any_cluster_reaches_is_not_left() {
        let all = vec![
            unreached(&["base", "staging"], "`prod` updates `./prod` alone"),
            unreached(&["base", "prod"], "`staging` updates `./staging` alone"),
        ];
        let reached = |place: &Location| place.file != "base";
        let left = of_clusters(all.clone(), &reached);
        let [one] = left.as_slice() else {
            panic!("{left:?}")
        };
        let finding = one.finding().expect("a place is left");
        assert_eq!(
            finding.message,
            "ImagePolicy `flux-system:web` is marked here, and no ImageUpdateAutomation comes here with it: `prod` updates `./prod` alone; `staging` updates `./staging` alone"
        );
        assert_eq!(of_clusters(all.clone(), &|_| true), []);
        let left = of_clusters(all, &|_| false);
        let files: Vec<&str> = left[0].places.iter().map(Location::text).collect();
        assert_eq!(files, ["base", "prod", "staging"]);
    }
}
