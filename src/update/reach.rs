//! Markers that no automation comes to: of a policy that is known, in a file or a
//! namespace that is nobody's.
//!
//! In a cluster such a value stays as it is for ever, and nothing says so. Each
//! policy is one finding, at the first of its markers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::bindings::{self, By, Policy, Rules};
use super::outcome::{Code, Finding, Location, Severity};
use super::resolve::Resolved;
use super::scope::{Automations, LeftOut, Owner, Reason, Scope};
use super::tree::SourceFile;
use crate::api::Id;
use crate::bind::annotation;
use crate::bind::marker::{self, Target};
use crate::parallel;
use crate::resource_list::outline;

/// What is known of a checkout and its automations.
pub struct Reach<'a> {
    automations: &'a Automations,
    images: &'a BTreeMap<Id, Resolved>,
    rules: &'a Rules<'a>,
    only: Option<&'a BTreeSet<Id>>,
    root: &'a Path,
}

/// The markers of a policy that nobody comes to.
#[derive(Debug)]
struct Left {
    first: Location,
    path: PathBuf,
    count: usize,
}

impl<'a> Reach<'a> {
    /// What `automations` reach of the policies in `images`, or of `only` those
    /// that the run is limited to. Update paths are shown from `root` on.
    #[must_use]
    pub fn new(
        automations: &'a Automations,
        images: &'a BTreeMap<Id, Resolved>,
        rules: &'a Rules<'a>,
        only: Option<&'a BTreeSet<Id>>,
        root: &'a Path,
    ) -> Self {
        Self {
            automations,
            images,
            rules,
            only,
            root,
        }
    }

    /// One finding for each policy with a marker that no automation comes to.
    /// Nothing where no automation edits at all: that was said.
    #[must_use]
    pub fn findings(&self, sources: &[SourceFile]) -> Vec<Finding> {
        if self.automations.scopes.is_empty() {
            return Vec::new();
        }
        let mut names: BTreeMap<&str, Vec<&Id>> = BTreeMap::new();
        for id in self.images.keys() {
            names.entry(&id.name).or_default().push(id);
        }
        let open: Vec<&SourceFile> = sources
            .iter()
            .filter(|source| source.has_markers && !source.is_link)
            .filter(|source| self.may_be_left(source, &names))
            .collect();
        let work = |share: &[&SourceFile]| -> Vec<(Id, Left)> {
            share
                .iter()
                .flat_map(|source| self.left_in(source))
                .collect()
        };
        let mut all: BTreeMap<Id, Left> = BTreeMap::new();
        for (id, left) in parallel::map(&open, &work) {
            let known = all.get_mut(&id);
            match known {
                Some(known) => known.count += left.count,
                None => _ = all.insert(id, left),
            }
        }
        all.iter()
            .map(|(id, left)| self.finding(id, left))
            .collect()
    }

    /// Whether it is worth a look, by what the bytes of its markers say.
    fn may_be_left(&self, source: &SourceFile, names: &BTreeMap<&str, Vec<&Id>>) -> bool {
        let is_left = |name: String| {
            let same = names.get(name.as_str()).into_iter().flatten();
            same.into_iter()
                .any(|id| !self.is_reached(id, &source.path))
        };
        source.text.contains(annotation::KEY) || marker::names_in(&source.text).any(is_left)
    }

    /// The policies that a file names and nobody comes for.
    fn left_in(&self, source: &SourceFile) -> Vec<(Id, Left)> {
        // A text that cannot be read is reported where it matters.
        let Ok(outline) = outline::read(&source.text) else {
            return Vec::new();
        };
        let bindings = bindings::bind(&source.text, &outline, &source.name, self.rules);
        let explicit = bindings.bound.iter();
        let explicit = explicit.filter(|bound| matches!(bound.by, By::Marker | By::Annotation));
        explicit
            .filter_map(|bound| {
                let Policy::Named(setter) = &bound.policy else {
                    return None;
                };
                let id = self.policy(&Target::parse(setter)?)?;
                (!self.is_reached(&id, &source.path)).then(|| {
                    let left = Left {
                        first: bound.location(&source.name),
                        path: source.path.clone(),
                        count: 1,
                    };
                    (id, left)
                })
            })
            .collect()
    }

    /// The policy that a marker names, if it is known, and the run is not
    /// limited to others.
    fn policy(&self, target: &Target) -> Option<Id> {
        let id = Id::new(target.namespace.clone(), target.name.clone());
        let counts = self.only.is_none_or(|only| only.contains(&id));
        (counts && self.images.contains_key(&id)).then_some(id)
    }

    /// Whether an automation comes to a file with a policy, or would if it
    /// were not suspended or wrong, which was said, or another cluster's.
    fn is_reached(&self, id: &Id, path: &Path) -> bool {
        let comes = |scope: &Scope| scope.has(path) && selects(scope, id);
        let would_come = |one: &LeftOut| {
            one.reason != Reason::OtherRepository
                && path.starts_with(&one.base)
                && one.selected.contains(id)
        };
        self.automations.scopes.iter().any(comes)
            || self.automations.left_out.iter().any(would_come)
    }

    fn finding(&self, id: &Id, left: &Left) -> Finding {
        let count = match left.count {
            1 => "is marked here".to_owned(),
            count => format!("is marked at {count} places, the first of them here"),
        };
        let mut reasons = self.reasons(id, &left.path);
        reasons.sort();
        let hint = reasons
            .first()
            .map_or(Why::Namespace, |(why, _)| *why)
            .hint(id);
        let more = reasons.len().saturating_sub(MOST_NAMED);
        let mut said: Vec<String> = reasons
            .into_iter()
            .take(MOST_NAMED)
            .map(|(_, said)| said)
            .collect();
        if more > 0 {
            said.push(format!("and {more} more do not either"));
        }
        let message = format!(
            "ImagePolicy `{id}` {count}, and no ImageUpdateAutomation comes here with it: {}",
            said.join("; ")
        );
        let location = left.first.clone();
        Finding::new(Severity::Warning, Code::UnreachedMarker, message, location).hint(hint)
    }

    /// Why each automation does not come to a place.
    fn reasons(&self, id: &Id, path: &Path) -> Vec<(Why, String)> {
        let owners = self.automations.scopes.iter();
        let editing = owners.filter_map(|scope| Some((scope, scope.owner.as_ref()?)));
        let editing = editing.map(|(scope, owner)| self.reason(id, path, scope, owner));
        let left_out = self.automations.left_out.iter();
        let others = left_out.filter_map(|one| {
            let name = &one.id;
            Some(match one.reason {
                Reason::OtherRepository => (
                    Why::Repository,
                    format!("`{name}` is for another repository"),
                ),
                Reason::Suspended => (Why::LeftOut, format!("`{name}` is suspended")),
                Reason::Fault => (Why::LeftOut, format!("`{name}` is left out")),
                Reason::Outranked => return None,
            })
        });
        editing.chain(others).collect()
    }

    fn reason(&self, id: &Id, path: &Path, scope: &Scope, owner: &Owner) -> (Why, String) {
        let name = &owner.id;
        if name.namespace != id.namespace {
            let said = format!("`{name}` takes the policies of its own namespace alone");
            return (Why::Namespace, said);
        }
        if !selects(scope, id) {
            let said = format!("the `policySelector` of `{name}` does not select it");
            return (Why::Selector, said);
        }
        let base = owner.base.strip_prefix(self.root).unwrap_or(&owner.base);
        debug_assert!(!scope.has(path), "{name} comes to {}", path.display());
        let said = format!("`{name}` updates `./{}` alone", base.display());
        (Why::Path, said)
    }
}

fn selects(scope: &Scope, id: &Id) -> bool {
    let selected = scope.selected.as_ref();
    selected.is_none_or(|selected| selected.contains(id))
}

/// How many automations a finding names.
const MOST_NAMED: usize = 3;

/// Why an automation does not come, the nearest to it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Path,
    Selector,
    LeftOut,
    Namespace,
    Repository,
}

impl Why {
    fn hint(self, id: &Id) -> String {
        match self {
            Self::Path => "widen its `update.path`, or name the PATH to update".to_owned(),
            Self::Selector => {
                "give the policy a label that the selector asks for, or name the PATH to update"
                    .to_owned()
            }
            Self::LeftOut | Self::Namespace | Self::Repository => format!(
                "add an ImageUpdateAutomation to the namespace `{}`, or name the PATH to update",
                id.namespace
            ),
        }
    }
}
