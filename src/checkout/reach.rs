//! Markers that no automation comes to: of a policy that is known, in a file or a
//! namespace that is nobody's.
//!
//! In a cluster such a value stays as it is for ever, and nothing says so. Each
//! policy is one finding, at the first of its markers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::Tree;
use super::scope::{self, Automations, LeftOut, Reason};
use super::source_files::SourceFile;
use crate::api::Id;
use crate::binding::bindings::{BindingSource, Bindings, PolicyRef};
use crate::binding::marker::MarkerTarget;
use crate::finding::Location;
use crate::insight::uses::Carrier;
use crate::parallel;
use crate::plan::planned::Owner;
use crate::plan::takers::Coverage;
use crate::plan::unreached::{MOST_NAMED, Unreached};
use crate::selection::resolve::Resolved;

/// What is known of a checkout and its automations.
pub struct AutomationReach<'a> {
    automations: &'a Automations,
    editing: Coverage<'a>,
    /// Who would come if it were not suspended or wrong, which was said, or another
    /// cluster's.
    idle: Coverage<'a>,
    images: &'a BTreeMap<Id, Resolved>,
    only: Option<&'a BTreeSet<Id>>,
    root: &'a Path,
    /// Whether the user has named one cluster, beside which there may be others.
    is_of_one_cluster: bool,
}

impl<'a> AutomationReach<'a> {
    /// What `automations` reach of the policies in `images`, or of `only` those
    /// that the run is limited to, in a tree.
    #[must_use]
    pub(super) fn new(
        automations: &'a Automations,
        images: &'a BTreeMap<Id, Resolved>,
        only: Option<&'a BTreeSet<Id>>,
        tree: Tree<'a>,
    ) -> Self {
        let idle = automations.left_out.iter();
        let idle = idle.filter(|one| one.reason != Reason::OtherRepository);
        Self {
            automations,
            editing: scope::coverage(&automations.owners),
            idle: Coverage::of(idle.map(|one| (one.base.as_path(), &one.selected))),
            images,
            only,
            root: &tree.files.root,
            is_of_one_cluster: tree.is_of_one_cluster,
        }
    }

    /// For each policy the markers that no automation comes to. Nothing where no
    /// automation edits at all: that was said.
    #[must_use]
    pub fn unreached(&self, files: &[(&SourceFile, &Bindings<'_, '_>)]) -> Vec<Unreached> {
        if self.automations.owners.is_empty() {
            return Vec::new();
        }
        let work = |chunk: &[(&SourceFile, &Bindings<'_, '_>)]| -> Vec<(Id, Location)> {
            let chunk = chunk.iter().filter(|(source, _)| !source.is_link);
            chunk
                .flat_map(|(source, bindings)| self.left_in(source, bindings))
                .collect()
        };
        let mut all: BTreeMap<Id, Vec<Location>> = BTreeMap::new();
        for (id, place) in parallel::map(files, &work) {
            all.entry(id).or_default().push(place);
        }
        let known = KnownAutomations::of(self.automations);
        let all = all.into_iter();
        all.map(|(id, places)| self.of_policy(id, places, &known))
            .collect()
    }

    /// The same, to be asked who carries what.
    #[must_use]
    pub fn carriers(&'a self) -> Carriers<'a> {
        Carriers {
            reach: self,
            known: KnownAutomations::of(self.automations),
        }
    }

    /// The policies that a file names and nobody comes for.
    fn left_in(&self, source: &SourceFile, bindings: &Bindings<'_, '_>) -> Vec<(Id, Location)> {
        // An automation that edits it, or would.
        let coming = [&self.editing, &self.idle].map(|coverage| coverage.at(&source.path));
        let is_reached = |id: &Id| {
            let takers = coming.iter().flatten();
            takers.into_iter().any(|takers| takers.first(id).is_some())
        };
        let explicit = bindings.bound.iter();
        let explicit = explicit
            .filter(|bound| matches!(bound.by, BindingSource::Marker | BindingSource::Annotation));
        let left = explicit.filter_map(|bound| {
            let PolicyRef::Named(setter) = &bound.policy else {
                return None;
            };
            let id = self.policy(&MarkerTarget::parse(setter)?)?;
            (!is_reached(&id)).then(|| (id, bound.location(&source.name)))
        });
        left.collect()
    }

    /// The policy that a marker names, if it is known, and the run is not
    /// limited to others.
    fn policy(&self, target: &MarkerTarget) -> Option<Id> {
        let id = Id::new(target.namespace.clone(), target.name.clone());
        let counts = self.only.is_none_or(|only| only.contains(&id));
        (counts && self.images.contains_key(&id)).then_some(id)
    }

    fn of_policy(&self, id: Id, places: Vec<Location>, known: &KnownAutomations<'_>) -> Unreached {
        let reasons = self.reasons(&id, known);
        let why = reasons.first().map_or(Why::Namespace, |(why, _)| *why);
        Unreached {
            hint: match self.is_of_one_cluster {
                true => format!(
                    "{}; if another cluster has these values, name it, too: `--cluster-path DIR`",
                    why.hint(&id)
                ),
                false => why.hint(&id),
            },
            more: known.count.saturating_sub(reasons.len()),
            reasons: reasons.into_iter().map(|(_, said)| said).collect(),
            places,
            policy: id,
        }
    }

    /// Why automations do not come with a policy, the nearest to it first, and only
    /// some: there may be as many as policies.
    fn reasons(&self, id: &Id, known: &KnownAutomations<'_>) -> Vec<(Why, String)> {
        let selections = self.editing.selecting(id).iter();
        let selecting = selections.filter_map(|number| known.by_selection.get(number));
        let selecting = selecting.flat_map(|owners| owners.iter().take(MOST_NAMED));
        let mut selecting: Vec<&Owner> = selecting.copied().collect();
        selecting.sort_by_key(|owner| &owner.id);
        let elsewhere = selecting.into_iter().map(|owner| {
            let base = owner.base.strip_prefix(self.root).unwrap_or(&owner.base);
            let said = format!("`{}` updates `./{}` alone", owner.id, base.display());
            (Why::Path, said)
        });
        let near = known.by_namespace.get(id.namespace.as_str());
        let near = near.into_iter().flatten();
        let others = near.filter(|owner| !owner.selected.has(id)).map(|owner| {
            let said = format!("the `policySelector` of `{}` does not select it", owner.id);
            (Why::Selector, said)
        });
        let left_out = known.left_out.iter();
        let left_out = left_out.map(|one| (Why::LeftOut, said_of(one)));
        let owners = self.automations.owners.iter();
        let far = owners.filter(|owner| owner.id.namespace != id.namespace);
        let far = far.map(|owner| {
            let said = format!(
                "`{}` takes the policies of its own namespace alone",
                owner.id
            );
            (Why::Namespace, said)
        });
        let abroad = known.abroad.iter();
        let abroad = abroad.map(|one| (Why::Repository, said_of(one)));
        let all = elsewhere.chain(others).chain(left_out).chain(far);
        all.chain(abroad).take(MOST_NAMED).collect()
    }
}

/// Tells who writes a value.
pub struct Carriers<'a> {
    reach: &'a AutomationReach<'a>,
    known: KnownAutomations<'a>,
}

impl Carriers<'_> {
    /// The automation that comes to a file with a policy, or why none does.
    #[must_use]
    pub fn of(&self, path: &Path, id: &Id) -> Carrier {
        let first = |coverage: &Coverage<'_>| Some(coverage.at(path)?.first(id)?.0);
        if let Some(number) = first(&self.reach.editing).flatten() {
            return Carrier::Automation(number);
        }
        let idle = first(&self.reach.idle).flatten();
        let left_out = self.reach.automations.left_out.iter();
        let mut idle = left_out
            .filter(|one| one.reason != Reason::OtherRepository)
            .skip(idle.unwrap_or(usize::MAX));
        Carrier::Nobody(match idle.next() {
            Some(one) => vec![said_of(one)],
            None => (self.reach.reasons(id, &self.known).into_iter())
                .map(|(_, said)| said)
                .collect(),
        })
    }
}

/// Why an automation edits nothing.
fn said_of(one: &LeftOut) -> String {
    let name = &one.id;
    match one.reason {
        Reason::Suspended => format!("`{name}` is suspended"),
        Reason::OtherRepository => format!("`{name}` is for another repository: {}", one.said),
        Reason::Outranked => format!("`{name}` is another cluster's"),
        Reason::Fault => format!("`{name}` is left out, since it is not valid"),
    }
}

/// The automations of a checkout by what tells why they do not come.
#[derive(Default)]
struct KnownAutomations<'a> {
    by_selection: HashMap<usize, Vec<&'a Owner>>,
    by_namespace: HashMap<&'a str, Vec<&'a Owner>>,
    left_out: Vec<&'a LeftOut>,
    /// Those for another repository.
    abroad: Vec<&'a LeftOut>,
    /// All that can be named.
    count: usize,
}

impl<'a> KnownAutomations<'a> {
    fn of(automations: &'a Automations) -> Self {
        let mut known = Self::default();
        for owner in &automations.owners {
            let alike = known.by_selection.entry(owner.selected.number());
            alike.or_default().push(owner);
            let near = known.by_namespace.entry(&owner.id.namespace);
            near.or_default().push(owner);
        }
        for one in &automations.left_out {
            match one.reason {
                Reason::OtherRepository => known.abroad.push(one),
                Reason::Suspended | Reason::Fault => known.left_out.push(one),
                Reason::Outranked => {}
            }
        }
        known.count = automations.owners.len() + known.left_out.len() + known.abroad.len();
        known
    }
}

/// Why an automation does not come, the nearest to it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
