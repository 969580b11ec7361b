//! What is wrong, or about to be: rules on markers, policies, what these would change, and
//! documents.
//!
//! A rule looks at what a run knows (documents, tags, values) and says what is the case,
//! where, and the one thing to do about it. Nothing here is an error of a tree that works
//! under Flux: what Flux lives with is a warning or a note. What reading and planning have
//! found on their way is part of it, in the same words and codes.
//!
//! Rules that need tags say nothing of a policy whose tags are not known.

mod automations;
mod documents;
pub mod fixes;
mod hints;
mod ignores;
mod lists;
mod markers;
mod mends;
mod natural;
mod orders;
mod outcome;
mod patterns;
mod policies;
mod ranges;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{self, Id, ImagePolicy, ImageRepository};
use crate::cluster::flux;
use crate::documents::Sourced;
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::RunFacts;
use crate::insight::explain;
use crate::insight::uses::Use;
use crate::parallel;
use crate::policy::Policy;
use crate::policy::funnel::{Funnel, Offered};
use crate::resource_list::{Object, Outline};
use crate::selection::resolve::{self, Resolved};
use crate::selection::tags::KnownTags;
use go_regexp::Budget;
use oci_tags::image::Repository;
use yaml_edit_spans::{ByteSpan, Place, Snippet};

use lists::Wanted;
pub(crate) use natural::naturally;

pub use hints::{add_usual_hints, unknown_field};
pub use ignores::{Ignored, Ignores, Untold};

/// Words of documents that rules look at and no other command reads: those of ignores, and
/// how a marker is misspelled.
pub const ALSO_READ: &[&str] = &[
    flux::OPERATOR_GROUP,
    ignores::WORDS,
    "\"imagePolicy\"",
    "$imagePolicy",
    "$ImagePolicy",
];

/// So many tags are looked at where a few tell as much as all.
const LOOKED_AT: usize = 1000;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Subject<'l> {
    /// The run.
    pub run: RunFacts<'l>,
    /// The texts.
    pub texts: &'l Texts<'l>,
}

/// The texts of a run, by the names that findings call them.
#[derive(Default)]
pub struct Texts<'l> {
    by_name: BTreeMap<&'l str, LintText<'l>>,
}

/// A text.
#[derive(Clone, Copy)]
pub struct LintText<'l> {
    /// What it holds.
    pub text: &'l str,
    /// The same, outlined; `None` where it is not valid YAML or nobody asked.
    pub outline: Option<&'l Outline<'l>>,
}

impl LintText<'_> {
    /// A place in the text, with the resource that it is in.
    fn location(&self, name: &str, place: Place) -> Location {
        let objects = self
            .outline
            .into_iter()
            .flat_map(|outline| outline.objects());
        let before = objects.take_while(|object| object.place.line <= place.line);
        match before.last() {
            Some(object) => object.location(name, place, ""),
            None => Location::new(name, place),
        }
    }

    /// A line around a column of it, where it may be shown: none of a Secret, and none of what
    /// cannot be read, which may be one.
    fn snippet(&self, line: ByteSpan, column: usize) -> Option<Snippet> {
        if self.outline?.concealed.hides(self.text, line) {
            return None;
        }
        let before = line.of(self.text).chars().take(column.max(1) - 1);
        let at = line.start + before.map(char::len_utf8).sum::<usize>();
        Some(Snippet::around(self.text, line, at))
    }
}

impl<'l> Texts<'l> {
    /// Of these, by their names.
    pub fn of(texts: impl Iterator<Item = (&'l str, LintText<'l>)>) -> Self {
        Self {
            by_name: texts.collect(),
        }
    }

    /// Adds a text, which may take the place of one of that name.
    pub fn add(&mut self, name: &'l str, text: LintText<'l>) {
        self.by_name.insert(name, text);
    }

    /// The text of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<LintText<'l>> {
        self.by_name.get(name).copied()
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'l str, LintText<'l>)> {
        self.by_name.iter().map(|(name, text)| (*name, *text))
    }

    /// The resource that begins at a place.
    fn object_at(&self, location: &Location) -> Option<(&'l str, &'l Object)> {
        let found = self.get(location.text())?;
        let mut objects = found.outline?.objects();
        let object = objects.find(|object| object.place.line == location.line)?;
        Some((found.text, object))
    }

    /// Where a field of the resource at a place stands, or the nearest above it.
    #[must_use]
    pub fn field(&self, location: &Location, field: &str) -> Location {
        let mut found = location.clone();
        if let Some((text, object)) = self.object_at(location) {
            let place = api::place_of_field(text, object, field);
            (found.line, found.column) = (place.line, place.column);
            found.field = field.to_owned();
        }
        found
    }
}

/// Adds the line of each finding that has none, where it may be shown.
pub fn add_lines<'f>(findings: impl IntoIterator<Item = &'f mut Finding>, texts: &Texts<'_>) {
    let mut starts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let findings = findings.into_iter();
    for finding in findings.filter(|one| one.snippet.is_none()) {
        let Some(found) = texts.get(finding.location.text()) else {
            continue;
        };
        let Some(number) = finding.location.line.checked_sub(1) else {
            continue;
        };
        let starts = starts
            .entry(finding.location.text().to_owned())
            .or_insert_with(|| {
                let breaks = memchr::memchr_iter(b'\n', found.text.as_bytes());
                std::iter::once(0).chain(breaks.map(|at| at + 1)).collect()
            });
        let Some(&start) = starts.get(number) else {
            continue;
        };
        let end = starts
            .get(number + 1)
            .map_or(found.text.len(), |next| next - 1);
        let line = ByteSpan::new(start, end.max(start));
        finding.snippet = found.snippet(line, finding.location.column);
    }
}

/// A policy, and what is known of it.
pub(crate) struct PolicyFacts<'l> {
    /// Its name.
    pub id: &'l Id,
    /// The document.
    pub policy: &'l Sourced<ImagePolicy>,
    /// Its ImageRepository.
    pub repository: Option<(Id, &'l ImageRepository)>,
    /// What came of it.
    pub resolved: Option<&'l Resolved>,
    /// What is known of its tags.
    pub traced: Option<TracedTags<'l>>,
    /// The values that belong to it.
    pub uses: Vec<&'l Use>,
    /// Where a marker of it is commented out.
    pub commented: Option<&'l Location>,
    /// Whether a text that could not be read has a marker of it.
    pub is_unread: bool,
}

/// The tags of a policy, and what became of them.
pub(crate) struct TracedTags<'l> {
    /// All of them.
    pub known: &'l KnownTags,
    /// Those that `exclusionList` leaves.
    pub offered: &'l Offered<'l>,
    /// The policy, checked.
    pub checked: Policy,
    /// The way of each.
    pub funnel: Funnel,
}

impl PolicyFacts<'_> {
    /// A finding about a field of the policy.
    fn finding(
        &self,
        texts: &Texts<'_>,
        (severity, code): (Severity, Code),
        field: &str,
        message: String,
    ) -> Finding {
        let message = format!("ImagePolicy `{}` {message}", self.id);
        let location = texts.field(&self.policy.location, field);
        Finding::new(severity, code, message, location)
    }
}

/// What the rules find, besides what reading and planning have found.
#[must_use]
pub fn lint(subject: &Subject<'_>) -> Vec<Finding> {
    let mut uses: BTreeMap<&Id, Vec<&Use>> = BTreeMap::new();
    for one in subject.run.uses {
        uses.entry(&one.policy).or_default().push(one);
    }
    let around = Around {
        offered: offered(subject),
        commented: markers::commented_out(subject.texts),
        unread: markers::unread(subject.texts),
        uses,
    };
    let policies: Vec<_> = subject.run.documents.policies.iter().collect();
    let look = |chunk: &[(&Id, &Sourced<ImagePolicy>)]| -> Vec<(Vec<Finding>, Option<Wanted>)> {
        // Patterns of a chunk share what they may take, as those of a run do.
        let mut budget = Budget::default();
        let look = |(id, policy): &(&Id, &Sourced<ImagePolicy>)| {
            let facts = facts(subject, &around, (id, policy), &mut budget);
            let mut findings = outcome::look(&facts, &subject.run, subject.texts);
            let own = policies::look(&facts, subject.texts, &findings, &mut budget);
            findings.extend(own);
            (findings, Wanted::of(&facts))
        };
        chunk.iter().map(look).collect()
    };
    let (found, wanted): (Vec<_>, Vec<_>) = parallel::map(&policies, &look).into_iter().unzip();
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    let wanted = wanted.into_iter().flatten().collect();
    findings.extend(lists::look(subject, wanted, &around.offered));
    findings.extend(documents::look(subject));
    findings.extend(markers::look(subject));
    findings.extend(automations::look(subject));
    findings
}

/// What the policies of a run share.
struct Around<'l> {
    /// What the `exclusionList` of each ImageRepository leaves.
    offered: BTreeMap<Id, Offered<'l>>,
    /// Where markers are commented out.
    commented: BTreeMap<Id, Location>,
    /// Those with markers in texts that could not be read.
    unread: BTreeSet<Id>,
    /// The values, by their policies.
    uses: BTreeMap<&'l Id, Vec<&'l Use>>,
}

fn offered<'l>(subject: &Subject<'l>) -> BTreeMap<Id, Offered<'l>> {
    let mut budget = Budget::default();
    let mut offered = BTreeMap::new();
    for (id, policy) in &subject.run.documents.policies {
        let repository = resolve::repository_of(subject.run.documents, id, &policy.document);
        let Ok((id, repository)) = repository else {
            continue;
        };
        if offered.contains_key(&id) {
            continue;
        }
        let name = Repository::parse(&repository.spec.image).ok();
        let (known, _) = explain::tags_of(subject.run.tags, &id, name.as_ref());
        let Some(known) = known else { continue };
        let exclusions = &repository.spec.exclusion_list;
        if let Ok(left) = Offered::of(exclusions, &known.tags, &mut budget) {
            offered.insert(id, left);
        }
    }
    offered
}

fn facts<'f, 'l: 'f>(
    subject: &Subject<'l>,
    around: &'f Around<'l>,
    (id, policy): (&'l Id, &'l Sourced<ImagePolicy>),
    budget: &mut Budget,
) -> PolicyFacts<'f> {
    let repository = resolve::repository_of(subject.run.documents, id, &policy.document).ok();
    let traced = repository.as_ref().and_then(|(repository_id, repository)| {
        let name = Repository::parse(&repository.spec.image).ok();
        let (known, _) = explain::tags_of(subject.run.tags, repository_id, name.as_ref());
        let (known, checked) = (known?, policy.document.spec.checked().ok()?);
        let offered = around.offered.get(repository_id)?;
        let funnel = Funnel::of_offered(&checked, offered, budget);
        Some(TracedTags {
            known,
            offered,
            checked,
            funnel,
        })
    });
    PolicyFacts {
        id,
        policy,
        repository,
        resolved: subject.run.images.get(id),
        traced,
        uses: around.uses.get(id).cloned().unwrap_or_default(),
        commented: around.commented.get(id),
        is_unread: around.unread.contains(id),
    }
}
