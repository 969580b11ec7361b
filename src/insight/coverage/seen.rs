//! What a run knows of the values of its files: which policy each belongs to, who carries
//! that, what holds it back, which markers do nothing, and which tags are later.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::found::{Found, InFile};
use super::tag::{Later, Standing};
use crate::api::Id;
use crate::binding::marker::ImagePart;
use crate::finding::{Code, Finding, Location};
use crate::insight::RunFacts;
use crate::insight::explain::tags_of;
use crate::insight::uses::{Carrier, Use};
use crate::policy::funnel::Funnel;
use crate::selection::resolve::{self, Unresolved};
use go_regexp::Budget;
use oci_tags::image::{Repository, without_login};

/// What is known of a run, and what of it counts.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// The run.
    pub run: RunFacts<'k>,
    /// What was found in the files.
    pub in_files: &'k [Finding],
    /// Whether only what an automation carries is updated.
    pub needs_automation: bool,
}

/// What one cluster sees of the files.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) files: HashMap<String, SeenFile>,
    /// By canonical name and tag.
    pub(super) later: HashMap<(String, String), Standing>,
}

/// What is known of the values of a file, by their places.
#[derive(Debug, Default)]
pub(super) struct SeenFile {
    pub(super) bound: BTreeMap<(usize, usize), Vec<BoundValue>>,
    /// Markers that do nothing, by line.
    pub(super) dead: BTreeMap<usize, Vec<Dead>>,
}

/// A value that belongs to a policy.
#[derive(Clone, Debug)]
pub(super) struct BoundValue {
    pub(super) location: Location,
    pub(super) policy: String,
    pub(super) cluster: Option<String>,
    pub(super) automation: Option<String>,
    /// Why nobody changes it; empty where somebody does.
    pub(super) held: Vec<String>,
    pub(super) image: String,
    pub(super) tag: Option<String>,
    pub(super) standing: Option<Standing>,
}

/// A marker that does nothing.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    pub(super) location: Location,
    pub(super) why: String,
}

/// What a policy says of tags, and what holds it.
#[derive(Debug, Default)]
struct OfPolicy {
    image: String,
    held: Option<String>,
    places: HashMap<String, usize>,
    newest: Option<String>,
}

impl Seen {
    /// Looks at what a run knows. `files` tells which images have no policy.
    #[must_use]
    pub fn of(known: &Known<'_>, files: &[InFile]) -> Self {
        let mut seen = Self::default();
        seen.bind(known);
        for finding in known.in_files {
            let is_dead = matches!(
                finding.code,
                Code::BrokenMarker | Code::DeadMarker | Code::UnknownPolicy
            );
            let location = &finding.location;
            if is_dead {
                let file = seen.files.entry(location.file.clone()).or_default();
                file.dead.entry(location.line).or_default().push(Dead {
                    location: location.clone(),
                    why: finding.message.clone(),
                });
            }
        }
        seen.learn_later(known, files);
        seen
    }

    fn bind(&mut self, known: &Known<'_>) {
        let sealed = known.in_files.iter();
        let sealed = sealed.filter(|finding| finding.code == Code::Encrypted);
        let sealed: HashMap<(&str, usize, usize), &str> = sealed
            .map(|finding| (spot(&finding.location), finding.message.as_str()))
            .collect();
        // A name alone does not say which image is run.
        let uses = known.run.uses.iter();
        let uses: Vec<&Use> = uses.filter(|one| one.part != ImagePart::Name).collect();
        let mut tags: BTreeMap<&Id, HashSet<&str>> = BTreeMap::new();
        for one in &uses {
            tags.entry(&one.policy)
                .or_default()
                .extend(one.tag.as_deref());
        }
        let mut budget = Budget::default();
        let policies: BTreeMap<&Id, OfPolicy> = tags
            .iter()
            .map(|(id, tags)| (*id, of_policy(id, tags, known, &mut budget)))
            .collect();
        let unknown = OfPolicy::default();
        for one in uses {
            let policy = policies.get(&one.policy).unwrap_or(&unknown);
            let (automation, mut held) = match &one.carrier {
                Carrier::Automation(number) => {
                    let owner = known.run.owners.get(*number);
                    (owner.map(|owner| owner.id.to_string()), Vec::new())
                }
                Carrier::Nobody(_) if !known.needs_automation => (None, Vec::new()),
                Carrier::Nobody(why) if why.is_empty() => {
                    (None, vec!["no ImageUpdateAutomation is known".to_owned()])
                }
                Carrier::Nobody(why) => (None, why.clone()),
            };
            held.extend(policy.held.clone());
            held.extend(
                sealed
                    .get(&spot(&one.location))
                    .map(|why| (*why).to_owned()),
            );
            let place = one.tag.as_ref().and_then(|tag| policy.places.get(tag));
            let standing = place
                .zip(policy.newest.as_ref())
                .map(|(place, newest)| Standing {
                    behind: *place,
                    newest: newest.clone(),
                });
            let file = self.files.entry(one.location.file.clone()).or_default();
            let at = (one.location.line, one.location.column);
            file.bound.entry(at).or_default().push(BoundValue {
                location: one.location.clone(),
                policy: one.policy.to_string(),
                cluster: known.run.cluster.map(str::to_owned),
                automation,
                held,
                image: policy.image.clone(),
                tag: one.tag.clone(),
                standing,
            });
        }
    }

    /// Learns of images without a policy which tags are later, where tags are known.
    fn learn_later(&mut self, known: &Known<'_>, files: &[InFile]) {
        let repositories = known.run.documents.repositories.iter();
        let named: HashMap<String, &Id> = repositories
            .filter_map(|(id, one)| {
                let name = Repository::parse(&one.document.spec.image).ok()?;
                Some((name.canonical(), id))
            })
            .collect();
        let mut later: HashMap<String, Option<Later<'_>>> = HashMap::new();
        for found in files.iter().flat_map(|file| &file.found) {
            let Some((name, canonical, tag)) = fixed(found) else {
                continue;
            };
            let key = (canonical, tag.to_owned());
            if self.later.contains_key(&key) {
                continue;
            }
            let of_name = later.entry(key.0.clone()).or_insert_with(|| {
                let tags = match named.get(&key.0) {
                    Some(id) => tags_of(known.run.tags, id, Some(&name)).0,
                    None => known.run.tags.written(&name),
                };
                tags.map(|tags| Later::of(&tags.tags))
            });
            if let Some(standing) = of_name.as_ref().and_then(|later| later.than(tag)) {
                self.later.insert(key, standing);
            }
        }
    }
}

/// The name, its canonical form and the tag of an image that has a tag.
pub(super) fn fixed(found: &Found) -> Option<(Repository, String, &str)> {
    let tag = found.tag.as_deref().filter(|_| !found.is_range)?;
    let name = Repository::parse(&found.name).ok()?;
    let canonical = name.canonical();
    Some((name, canonical, tag))
}

fn spot(location: &Location) -> (&str, usize, usize) {
    (&location.file, location.line, location.column)
}

/// What is to be told of a policy, and of these tags.
fn of_policy(id: &Id, wanted: &HashSet<&str>, known: &Known<'_>, budget: &mut Budget) -> OfPolicy {
    let mut of = OfPolicy::default();
    let resolved = known.run.images.get(id);
    of.held = resolved.and_then(|resolved| {
        let reason = resolved.reason()?;
        // That nothing is known of tags now holds nobody back.
        let is_unknown = matches!(
            reason,
            Unresolved::NoTags { .. } | Unresolved::Unanswered(..) | Unresolved::NoDigest(_)
        );
        (!is_unknown).then(|| format!("ImagePolicy `{id}`: {}", reason.explained()))
    });
    let Some(policy) = known.run.documents.policies.get(id) else {
        return of;
    };
    let found = resolve::repository_of(known.run.documents, id, &policy.document);
    let Ok((repository_id, repository)) = found else {
        return of;
    };
    of.image = without_login(&repository.spec.image).into_owned();
    let is_suspended = repository.spec.suspend && of.held.is_none();
    if is_suspended {
        of.held = Some(format!("ImageRepository `{repository_id}` is suspended"));
    }
    if policy.document.spec.suspend && of.held.is_none() {
        of.held = Some(format!("ImagePolicy `{id}` is suspended"));
    }
    let name = Repository::parse(&repository.spec.image).ok();
    let tags = tags_of(known.run.tags, &repository_id, name.as_ref()).0;
    let Some((tags, policy)) = tags.zip(policy.document.spec.checked().ok()) else {
        return of;
    };
    let exclusions = &repository.spec.exclusion_list;
    if let Ok(funnel) = Funnel::of(&policy, exclusions, &tags.tags, budget) {
        let ranked = funnel.ranked().enumerate();
        let ranked = ranked.filter(|(_, one)| wanted.contains(one.tag.as_str()));
        of.places = ranked
            .map(|(place, one)| (one.tag.clone(), place))
            .collect();
        of.newest = funnel.ranked().next().map(|one| one.tag.clone());
    }
    of
}
