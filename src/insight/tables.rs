//! The tables of `flux get image policy|repository|update`, as far as a checkout can tell,
//! and what Flux cannot: the value in the files, how far it is behind, where it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use super::RunFacts;
use super::explain::tags_of;
use super::uses::{Carrier, Use};
use crate::api::{Id, ImagePolicy, ImageRepository};
use crate::documents::Sourced;
use crate::policy::exclusion;
use crate::policy::funnel::{Fate, Funnel};
use crate::selection::ready;
use crate::selection::resolve::{self, Unresolved};
use go_regexp::Budget;
use oci_tags::image::{Repository, without_login};

/// `--status-selector`: a condition and its status. Flux takes any condition.
#[derive(Clone, Debug)]
pub struct StatusSelector {
    condition: String,
    status: String,
    is_negated: bool,
}

impl FromStr for StatusSelector {
    type Err = String;

    /// Reads `ready=false` or, which Flux has none of, `ready!=false`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (condition, status) = text
            .split_once('=')
            .ok_or("write it as `ready=false` or `ready!=true`")?;
        let bare = condition.strip_suffix('!');
        Ok(Self {
            condition: bare.unwrap_or(condition).to_owned(),
            status: status.to_owned(),
            is_negated: bare.is_some(),
        })
    }
}

impl StatusSelector {
    /// Whether rows have this condition.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.condition.eq_ignore_ascii_case("ready")
    }

    /// Whether a row with this Ready condition is selected.
    #[must_use]
    pub fn matches(&self, ready: &str) -> bool {
        self.is_known() && ready.eq_ignore_ascii_case(&self.status) != self.is_negated
    }
}

/// What all rows have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowHead {
    /// The cluster that sees the document, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where it stands, as `file:line:column`.
    pub at: String,
    /// `True`, `False` or `Unknown`.
    pub ready: String,
    /// The message of the Ready condition, in Flux's words where it has some.
    pub message: String,
}

/// An ImagePolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRow {
    /// What all rows have.
    #[serde(flatten)]
    pub head: RowHead,
    /// The image that it gives, without tag.
    pub image: String,
    /// The tag that it chooses.
    pub tag: String,
    /// The tags that the files hold now.
    pub current: BTreeSet<String>,
    /// How many tags are later than the oldest of them that the policy admits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<usize>,
    /// The files with values that belong to it, and how many.
    pub used_in: BTreeMap<String, usize>,
}

/// An ImageRepository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRow {
    /// What all rows have.
    #[serde(flatten)]
    pub head: RowHead,
    /// `spec.image`.
    pub image: String,
    /// When its tags were seen (RFC 3339), empty where nobody knows.
    pub last_scan: String,
    /// `spec.suspend`.
    pub suspended: bool,
    /// How many tags `exclusionList` leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<usize>,
    /// The policies that refer to it, `namespace:name`.
    pub policies: BTreeSet<String>,
}

/// An ImageUpdateAutomation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRow {
    /// What all rows have.
    #[serde(flatten)]
    pub head: RowHead,
    /// `spec.suspend`.
    pub suspended: bool,
    /// `spec.update.path`.
    pub path: String,
    /// How many values it comes to.
    pub values: usize,
    /// How many of them are not what they should be.
    pub outdated: usize,
}

fn head<T>(
    known: &RunFacts<'_>,
    id: &Id,
    sourced: &Sourced<T>,
    labels: &BTreeMap<String, String>,
) -> RowHead {
    RowHead {
        cluster: known.cluster.map(str::to_owned),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        labels: labels.clone(),
        at: sourced.location.to_string(),
        ..RowHead::default()
    }
}

/// The policies, by namespace and name.
#[must_use]
pub fn policies(known: &RunFacts<'_>) -> Vec<PolicyRow> {
    let mut uses: BTreeMap<&Id, Vec<&Use>> = BTreeMap::new();
    for one in known.uses {
        uses.entry(&one.policy).or_default().push(one);
    }
    let mut budget = Budget::default();
    let policies = known.documents.policies.iter();
    let rows = policies.map(|(id, policy)| {
        let uses = uses.get(id).map_or(&[][..], Vec::as_slice);
        policy_row(known, (id, policy), uses, &mut budget)
    });
    rows.collect()
}

fn policy_row(
    known: &RunFacts<'_>,
    (id, policy): (&Id, &Sourced<ImagePolicy>),
    uses: &[&Use],
    budget: &mut Budget,
) -> PolicyRow {
    let document = &policy.document;
    let mut row = PolicyRow {
        head: head(known, id, policy, &document.metadata.labels),
        ..PolicyRow::default()
    };
    if let Some(resolved) = known.images.get(id) {
        if let Ok(image) = &resolved.image {
            row.image.clone_from(&image.name);
            row.tag.clone_from(&image.tag);
        }
        let ready = ready::of(document, resolved);
        (row.head.ready, row.head.message) = match resolved.reason() {
            // What was chosen before stays chosen.
            Some(Unresolved::Suspended(what)) => {
                let message = what.to_string();
                (
                    "Unknown".to_owned(),
                    ready.reflected.ready_message().unwrap_or(message),
                )
            }
            _ => (ready.status.to_owned(), ready.message),
        };
    }
    row.current = uses.iter().filter_map(|one| one.tag.clone()).collect();
    for one in uses {
        let count = row.used_in.entry(one.location.file.clone()).or_default();
        *count += 1;
    }
    row.behind = behind(known, (id, document), &row.current, budget);
    row
}

/// How many tags are later than the oldest of some, of those that the policy admits.
fn behind(
    known: &RunFacts<'_>,
    (id, policy): (&Id, &ImagePolicy),
    current: &BTreeSet<String>,
    budget: &mut Budget,
) -> Option<usize> {
    let (repository_id, repository) = resolve::repository_of(known.documents, id, policy).ok()?;
    let name = Repository::parse(&repository.spec.image).ok();
    let (tags, _) = tags_of(known.tags, &repository_id, name.as_ref());
    let (tags, checked) = (tags?, policy.spec.checked().ok()?);
    let exclusions = &repository.spec.exclusion_list;
    let funnel = Funnel::of(&checked, exclusions, &tags.tags, budget).ok()?;
    // Of a tag that the policy does not admit nobody can tell.
    let places = current
        .iter()
        .filter_map(|tag| match funnel.get(tag)?.fate {
            Fate::Ranked { place } => Some(place),
            _ => None,
        });
    places.max()
}

/// The ImageRepositories, by namespace and name.
#[must_use]
pub fn repositories(known: &RunFacts<'_>) -> Vec<RepositoryRow> {
    let mut policies: BTreeMap<Id, BTreeSet<String>> = BTreeMap::new();
    for (id, policy) in &known.documents.policies {
        let named = policies.entry(resolve::repository_id(id, &policy.document));
        named.or_default().insert(id.to_string());
    }
    let mut budget = Budget::default();
    let repositories = known.documents.repositories.iter();
    let rows = repositories.map(|(id, repository)| {
        let mut row = repository_row(known, (id, repository), &mut budget);
        row.policies = policies.remove(id).unwrap_or_default();
        row
    });
    rows.collect()
}

fn repository_row(
    known: &RunFacts<'_>,
    (id, repository): (&Id, &Sourced<ImageRepository>),
    budget: &mut Budget,
) -> RepositoryRow {
    let document = &repository.document;
    let spec = &document.spec;
    let mut row = RepositoryRow {
        head: head(known, id, repository, &document.metadata.labels),
        image: without_login(&spec.image).into_owned(),
        suspended: spec.suspend,
        ..RepositoryRow::default()
    };
    let name = match Repository::parse(&spec.image) {
        Ok(name) => name,
        Err(error) => {
            row.head.ready = "False".to_owned();
            row.head.message = error.to_string();
            return row;
        }
    };
    let (ready, message) = match (
        tags_of(known.tags, id, Some(&name)).0,
        known.tags.scanned(id),
    ) {
        (Some(tags), _) => {
            row.last_scan = tags.scanned_at.clone().unwrap_or_default();
            match exclusion::keep(&spec.exclusion_list, &tags.tags, budget) {
                Ok(kept) => {
                    row.tags = Some(kept.len());
                    (
                        "True",
                        format!("successful scan: found {} tags", kept.len()),
                    )
                }
                Err(bad) => ("False", format!("{bad}: {}", bad.source)),
            }
        }
        (None, Some(Err(failure))) => ("False", failure.message.clone()),
        (None, _) if spec.suspend => ("Unknown", "suspended".to_owned()),
        (None, _) => ("Unknown", "not scanned".to_owned()),
    };
    row.head.ready = ready.to_owned();
    row.head.message = message;
    row
}

/// The automations, by namespace and name. `why_not` tells of one that edits nothing why.
#[must_use]
pub fn automations(
    known: &RunFacts<'_>,
    why_not: &dyn Fn(&Id) -> Option<String>,
) -> Vec<AutomationRow> {
    let mut counts: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut unknown: BTreeMap<usize, usize> = BTreeMap::new();
    for one in known.uses {
        if let Carrier::Automation(number) = one.carrier {
            let (values, outdated) = counts.entry(number).or_default();
            *values += 1;
            *outdated += usize::from(one.new.is_some());
            let resolved = known.images.get(&one.policy);
            if resolved.is_none_or(|resolved| resolved.image.is_err()) {
                *unknown.entry(number).or_default() += 1;
            }
        }
    }
    let numbers: BTreeMap<&Id, usize> = (known.owners.iter().enumerate())
        .map(|(number, owner)| (&owner.id, number))
        .collect();
    let rows = known.documents.automations.iter().map(|(id, automation)| {
        let spec = &automation.document.spec;
        let count = numbers.get(id).and_then(|number| counts.get(number));
        let (values, outdated) = count.copied().unwrap_or_default();
        let unknown = numbers.get(id).and_then(|number| unknown.get(number));
        let (ready, message) = match (why_not(id), unknown) {
            // What it did before is not known here.
            (Some(_), _) if spec.suspend => ("Unknown", "suspended".to_owned()),
            (Some(why), _) => ("False", why),
            (None, Some(count)) => (
                "Unknown",
                format!("the images of {count} of {values} values are not known"),
            ),
            (None, None) if outdated == 0 => ("True", "repository up-to-date".to_owned()),
            (None, None) => (
                "True",
                format!("would change {outdated} of {values} values"),
            ),
        };
        let mut head = head(known, id, automation, &automation.document.metadata.labels);
        head.ready = ready.to_owned();
        head.message = message;
        AutomationRow {
            head,
            suspended: spec.suspend,
            path: spec.update.path.clone().unwrap_or_default(),
            values,
            outdated,
        }
    });
    rows.collect()
}
