//! Whose a change is: of the automations that come to a file, the first that
//! selects the policy.
//!
//! In a cluster the first automation commits, and the next finds the scalar as it
//! should be. A tree may hold as many automations as files and policies, so nobody
//! is tried one by one: automations are found by the folder that they update and
//! by what they select, and those that select the same are known as one.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::api::{Id, LabelSelector, Operator, Requirement, SelectorError};
use crate::path_name;
use crate::selection::resolve::{self, Resolved};
use yaml_edit_spans::work;

/// Policies that somebody selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Its number: one that selects the same has the same.
    number: usize,
    ids: Arc<BTreeSet<Id>>,
}

impl Selection {
    /// Whether a policy is selected.
    #[must_use]
    pub fn has(&self, id: &Id) -> bool {
        self.ids.contains(id)
    }

    /// Whether another one has a policy of this one.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (few, many) = match self.ids.len() <= other.ids.len() {
            true => (self, other),
            false => (other, self),
        };
        few.ids.iter().any(|id| many.ids.contains(id))
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Leaves out of some selections all policies but these.
    pub fn limit<'s>(selections: impl Iterator<Item = &'s mut Self>, only: &BTreeSet<Id>) {
        let mut known: HashMap<usize, Arc<BTreeSet<Id>>> = HashMap::new();
        for selection in selections {
            let ids = known.entry(selection.number).or_insert_with(|| {
                let kept = selection.ids.intersection(only);
                Arc::new(kept.cloned().collect())
            });
            selection.ids = Arc::clone(ids);
        }
    }
}

/// Selections of a run, each made once.
#[derive(Debug)]
pub struct Selections<'i> {
    images: &'i BTreeMap<Id, Resolved>,
    /// The policies of a namespace that have a label, by its key and value.
    by_label: HashMap<[&'i str; 3], Vec<&'i Id>>,
    by_selector: BTreeMap<(String, Option<LabelSelector>), Selection>,
    by_ids: BTreeMap<Arc<BTreeSet<Id>>, usize>,
}

impl<'i> Selections<'i> {
    /// Of these policies.
    #[must_use]
    pub fn of(images: &'i BTreeMap<Id, Resolved>) -> Self {
        let mut by_label: HashMap<_, Vec<&Id>> = HashMap::new();
        for (id, resolved) in images {
            for (key, value) in &resolved.labels {
                let alike = by_label.entry([&id.namespace, key.as_str(), value.as_str()]);
                alike.or_default().push(id);
            }
        }
        Self {
            images,
            by_label,
            by_selector: BTreeMap::new(),
            by_ids: BTreeMap::new(),
        }
    }

    /// What an automation of a namespace selects.
    ///
    /// # Errors
    /// A selector that Kubernetes refuses.
    pub fn select(
        &mut self,
        namespace: &str,
        selector: Option<&LabelSelector>,
    ) -> Result<Selection, SelectorError> {
        let key = (namespace.to_owned(), selector.cloned());
        if let Some(known) = self.by_selector.get(&key) {
            return Ok(known.clone());
        }
        let ids = match selector.and_then(|selector| self.candidates(namespace, selector)) {
            Some(some) => {
                let some = some
                    .into_iter()
                    .filter_map(|id| self.images.get_key_value(id));
                resolve::select(some, selector)?
            }
            None => resolve::select(
                resolve::in_namespace(self.images, Some(namespace)),
                selector,
            )?,
        };
        let selection = self.numbered(ids);
        self.by_selector.insert(key, selection.clone());
        Ok(selection)
    }

    /// Those that have one of the labels that a selector asks for: of the label that
    /// the fewest have. `None` where it asks for none.
    fn candidates(&self, namespace: &str, selector: &LabelSelector) -> Option<Vec<&'i Id>> {
        let labels = selector.match_labels.iter();
        let labels = labels.map(|(key, value)| self.having([namespace, key, value]).to_vec());
        let is_in = |one: &&Requirement| one.operator == Operator::In;
        let required = selector.match_expressions.iter().filter(is_in);
        let required = required.map(|one| {
            let values = one.values.iter();
            let found = values.flat_map(|value| self.having([namespace, &one.key, value]));
            found.copied().collect()
        });
        labels.chain(required).min_by_key(Vec::len)
    }

    /// The policies of a namespace that have a label.
    fn having<'k>(&'k self, label: [&'k str; 3]) -> &'k [&'i Id] {
        let by_label: &'k HashMap<[&'k str; 3], Vec<&'i Id>> = &self.by_label;
        by_label.get(&label).map_or(&[], Vec::as_slice)
    }

    /// All policies.
    #[must_use]
    pub fn all(&mut self) -> Selection {
        self.numbered(self.images.keys().cloned().collect())
    }

    fn numbered(&mut self, ids: BTreeSet<Id>) -> Selection {
        let next = self.by_ids.len();
        if let Some((ids, number)) = self.by_ids.get_key_value(&ids) {
            return Selection {
                number: *number,
                ids: Arc::clone(ids),
            };
        }
        let ids = Arc::new(ids);
        self.by_ids.insert(Arc::clone(&ids), next);
        Selection { number: next, ids }
    }
}

/// Automations by the folders that they update and the policies that they select.
#[derive(Debug, Default)]
pub struct Coverage<'c> {
    folders: HashMap<&'c Path, UpdatedFolder>,
    /// The numbers of the selections that hold a policy, ascending.
    selecting: HashMap<&'c Id, Vec<usize>>,
}

/// Whose `update.path` a folder is.
#[derive(Debug, Default)]
struct UpdatedFolder {
    /// Each selection with the first automation that has it, in the order of these.
    order: Vec<(usize, usize)>,
    /// The same by the selection.
    first: HashMap<usize, usize>,
}

impl UpdatedFolder {
    /// The first automation that has one of these selections (ascending).
    fn first_of(&self, selections: &[usize]) -> Option<usize> {
        if selections.len() <= self.order.len() {
            work::count(selections.len());
            let known = selections.iter().filter_map(|one| self.first.get(one));
            return known.min().copied();
        }
        let mut order = self.order.iter();
        let found = order.find(|(selection, _)| {
            work::count(1);
            selections.binary_search(selection).is_ok()
        });
        found.map(|(_, automation)| *automation)
    }

    /// Of each of these selections, the first automation that has it.
    fn each_of(&self, selections: &[usize]) -> Vec<usize> {
        work::count(selections.len().min(self.order.len()));
        if selections.len() <= self.order.len() {
            let known = selections.iter().filter_map(|one| self.first.get(one));
            return known.copied().collect();
        }
        let order = self.order.iter();
        let known = order.filter(|(selection, _)| selections.binary_search(selection).is_ok());
        known.map(|(_, automation)| *automation).collect()
    }
}

impl<'c> Coverage<'c> {
    /// Of automations, by what each updates and selects. Their numbers are those of
    /// the places in which they come.
    pub fn of(automations: impl Iterator<Item = (&'c Path, &'c Selection)>) -> Self {
        let mut coverage = Self::default();
        let mut known = BTreeSet::new();
        for (number, (folder, selection)) in automations.enumerate() {
            if known.insert(selection.number) {
                for id in selection.ids.iter() {
                    let selecting = coverage.selecting.entry(id).or_default();
                    selecting.push(selection.number);
                }
            }
            let folder = coverage.folders.entry(folder).or_default();
            if let Entry::Vacant(first) = folder.first.entry(selection.number) {
                first.insert(number);
                folder.order.push((selection.number, number));
            }
        }
        for selecting in coverage.selecting.values_mut() {
            selecting.sort_unstable();
        }
        coverage
    }

    /// Who comes to a file; `None` for nobody. Flux takes manifests alone, by their
    /// names, also where `update.path` names one file.
    #[must_use]
    pub fn at<'t>(&'t self, path: &Path) -> Option<Takers<'t>> {
        if !path_name::is_manifest_name(path) {
            return None;
        }
        let around = path.ancestors();
        let folders: Vec<&UpdatedFolder> =
            around.filter_map(|path| self.folders.get(path)).collect();
        let selecting = &self.selecting;
        (!folders.is_empty()).then_some(Takers(Who::Automations { folders, selecting }))
    }

    /// The numbers of the selections that hold a policy.
    #[must_use]
    pub fn selecting(&self, id: &Id) -> &[usize] {
        self.selecting.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Who takes a policy to a text: the automation of this number, or whoever runs the
/// program without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taker(pub Option<usize>);

/// Who takes the images of policies to a text.
#[derive(Debug)]
pub struct Takers<'t>(Who<'t>);

#[derive(Debug)]
enum Who<'t> {
    /// One alone, with these policies, or with all.
    One(Option<&'t BTreeSet<Id>>),
    /// Automations, by the folders that the text is in.
    Automations {
        folders: Vec<&'t UpdatedFolder>,
        selecting: &'t HashMap<&'t Id, Vec<usize>>,
    },
}

impl<'t> Takers<'t> {
    /// One alone, without an automation, with these policies or with all.
    #[must_use]
    pub fn one(selected: Option<&'t BTreeSet<Id>>) -> Self {
        Self(Who::One(selected))
    }

    /// The first who takes a policy.
    #[must_use]
    pub fn first(&self, id: &Id) -> Option<Taker> {
        match &self.0 {
            Who::One(selected) => selected
                .is_none_or(|selected| selected.contains(id))
                .then_some(Taker(None)),
            Who::Automations { folders, selecting } => {
                let selections = selecting.get(id)?;
                let known = folders.iter();
                let first = known.filter_map(|folder| folder.first_of(selections)).min();
                first.map(|number| Taker(Some(number)))
            }
        }
    }

    /// Who takes any of these policies, and which: one of those that take the same.
    #[must_use]
    pub fn choices<'i>(&self, ids: &'i [Id]) -> Vec<(Taker, Vec<&'i Id>)> {
        let mut all: BTreeMap<Taker, Vec<&Id>> = BTreeMap::new();
        for id in ids {
            match &self.0 {
                Who::One(_) => {
                    if let Some(taker) = self.first(id) {
                        all.entry(taker).or_default().push(id);
                    }
                }
                Who::Automations { folders, selecting } => {
                    let selections = selecting.get(id).map_or(&[][..], Vec::as_slice);
                    for number in folders.iter().flat_map(|one| one.each_of(selections)) {
                        all.entry(Taker(Some(number))).or_default().push(id);
                    }
                }
            }
        }
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(number: usize, names: &[&str]) -> Selection {
        let ids = names.iter().map(|name| Id::new("ns", *name));
        Selection {
            number,
            ids: Arc::new(ids.collect()),
        }
    }

    /// Beside the plain rule: of all, the first whose folder holds the file and that
    /// selects the policy.
    #[test]
    fn the_first_is_found_as_if_each_were_tried() {
        let names = ["a", "b", "c"];
        let folders = ["/r", "/r/x", "/r/x/y", "/r/x/y/f.yaml", "/s"].map(Path::new);
        let files = [
            "/r/f.yaml",
            "/r/x/f.yaml",
            "/r/x/y/f.yaml",
            "/r/xy/f.yaml",
            "/r/x/f.txt",
        ];
        let selections: Vec<Selection> = (0..8)
            .map(|bits| {
                let chosen = (0..3).filter(|bit| bits >> bit & 1 == 1);
                let chosen: Vec<&str> = chosen.map(|bit| names[bit]).collect();
                selection(bits, &chosen)
            })
            .collect();
        // A fixed walk through all pairs, in an order that is not theirs.
        let pairs = (0..200_usize).map(|step| (folders[step * 7 % 5], &selections[step * 11 % 8]));
        let pairs: Vec<(&Path, &Selection)> = pairs.collect();
        for from in 0..pairs.len() {
            for length in [1, 2, 5, 20] {
                let some = &pairs[from..pairs.len().min(from + length)];
                let coverage = Coverage::of(some.iter().copied());
                for file in files.map(Path::new) {
                    let is_here = |folder: &Path| {
                        path_name::is_manifest_name(file) && file.starts_with(folder)
                    };
                    let takers = coverage.at(file);
                    let anybody = some.iter().any(|(folder, _)| is_here(folder));
                    assert_eq!(takers.is_some(), anybody);
                    for id in names.map(|name| Id::new("ns", name)) {
                        let first = some
                            .iter()
                            .position(|(folder, selection)| is_here(folder) && selection.has(&id));
                        let found = takers.as_ref().and_then(|takers| takers.first(&id));
                        let first = first.map(|number| Taker(Some(number)));
                        assert_eq!(found, first, "{some:?} {file:?} {id}");
                        let ids = [id];
                        let choices = takers.as_ref().map(|takers| takers.choices(&ids));
                        let choices = choices.unwrap_or_default();
                        assert_eq!(choices.first().map(|(number, _)| *number), first);
                    }
                }
            }
        }
    }

    fn labelled(labels: &[(&str, &str)]) -> Resolved {
        let owned = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Resolved {
            image: Err(resolve::Unresolved::NoInterval),
            location: Default::default(),
            labels: owned.collect(),
            kept: None,
        }
    }

    #[test]
    fn looked_up_by_label_a_selector_takes_what_it_takes_of_all() {
        let images = BTreeMap::from([
            (
                Id::new("a", "one"),
                labelled(&[("app", "x"), ("tier", "gold")]),
            ),
            (Id::new("a", "two"), labelled(&[("app", "y")])),
            (Id::new("a", "three"), labelled(&[])),
            (Id::new("b", "one"), labelled(&[("app", "x")])),
        ]);
        for (selector, expected) in [
            ("{}", &["one", "three", "two"][..]),
            ("{matchLabels: {app: x}}", &["one"]),
            ("{matchLabels: {app: x, tier: silver}}", &[]),
            (
                "{matchExpressions: [{key: app, operator: In, values: [x, y, x]}]}",
                &["one", "two"],
            ),
            (
                "{matchExpressions: [{key: app, operator: NotIn, values: [x]}]}",
                &["three", "two"],
            ),
            (
                "{matchExpressions: [{key: app, operator: Exists}]}",
                &["one", "two"],
            ),
            (
                "{matchLabels: {app: x}, matchExpressions: [{key: tier, operator: DoesNotExist}]}",
                &[],
            ),
        ] {
            let selector: LabelSelector = crate::api::read_text(selector).expect("a selector");
            let mut selections = Selections::of(&images);
            let selected = selections.select("a", Some(&selector)).expect("a selector");
            let names: Vec<&str> = selected.ids.iter().map(|id| id.name.as_str()).collect();
            assert_eq!(names, expected, "{selector:?}");
            assert!(selected.ids.iter().all(|id| id.namespace == "a"));
        }
    }

    #[test]
    fn what_selects_the_same_is_one_choice() {
        let both = selection(0, &["a", "b"]);
        let one = selection(1, &["b"]);
        let folder = Path::new("/r");
        let pairs = [
            (folder, &both),
            (folder, &both),
            (folder, &one),
            (folder, &one),
        ];
        let coverage = Coverage::of(pairs.into_iter());
        let takers = coverage.at(Path::new("/r/f.yaml")).expect("somebody");
        let [a, b] = ["a", "b"].map(|name| Id::new("ns", name));
        let ids = [a.clone(), b.clone()];
        let [first, third] = [0, 2].map(|number| Taker(Some(number)));
        let expected = [(first, vec![&a, &b]), (third, vec![&b])];
        assert_eq!(takers.choices(&ids), expected);
    }
}
