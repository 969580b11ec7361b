//! Two sets of documents on one list of tags: which policies choose differently, and which
//! values would move because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::explain::rule;
use super::uses::{Carrier, Use};
use crate::api::Id;
use crate::binding::marker::ImagePart;
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location};
use crate::plan::planned::Owner;
use crate::selection::resolve::{self, Resolved, Suspended, Unresolved};
use oci_tags::image::{Repository, without_login};

/// What differs between two sets of documents, as one cluster sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The cluster, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The policies that differ, by what came of that, then by name.
    pub policies: Vec<PolicyDifference>,
    /// How many policies are the same, and choose the same.
    pub same: usize,
}

/// A policy that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyDifference {
    /// `namespace:name`.
    pub policy: String,
    /// What came of it.
    pub effect: Effect,
    /// Where it stands; for a removed one, where it stood.
    pub at: String,
    /// What it chooses before; absent where it is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<SideChoice>,
    /// What it chooses after; absent where it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<SideChoice>,
    /// The fields that are written otherwise.
    pub fields: Vec<FieldDifference>,
    /// The values that belong to it, where another choice moves them.
    pub values: Vec<MovedValue>,
}

/// What comes of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The policy chooses another image, or none any more, or one at last.
    Differs,
    /// There is no such policy any more.
    Removed,
    /// There was no such policy.
    Added,
    /// Too little is known of tags to tell.
    Unknown,
    /// It is written otherwise, and chooses the same.
    Same,
}

/// What a policy chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SideChoice {
    /// The image, `name:tag[@digest]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Why none; beside an image, what is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why that may not be what is chosen.
    #[serde(skip)]
    pub doubt: Option<Doubt>,
}

/// Why nobody can tell what a policy chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Its documents may be in a file that could not be read.
    Unread,
    /// No tags are known, or the registry gave no answer.
    Tags,
    /// The tag is known, and its digest is not.
    Digest,
    /// It is suspended, so that it stays with what it chose last.
    Suspended,
}

/// A field that is written otherwise; empty where it is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDifference {
    /// The field, `image` and `exclusionList` those of the ImageRepository.
    pub field: String,
    /// What it holds before.
    pub before: String,
    /// What it holds after.
    pub after: String,
}

/// A value that belongs to a policy which chooses otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MovedValue {
    /// Where it is, as `file:line:column`.
    pub at: String,
    /// The field.
    pub field: String,
    /// What it holds; `****` in a Secret and in an encrypted document.
    pub current: String,
    /// What it would get; absent where it would stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The automation that would write it, `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation: Option<String>,
    /// Why no automation comes to it, where there are some: the nearest reasons first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<String>,
}

/// One of the two sets.
#[derive(Clone, Copy)]
pub struct Side<'s> {
    /// Its documents.
    pub documents: &'s Documents,
    /// What its policies choose.
    pub images: &'s BTreeMap<Id, Resolved>,
    /// Its files that may hold documents and could not be read.
    pub unread: &'s [Unread],
}

/// A file that may hold documents and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What findings call it.
    pub name: String,
    /// What it holds, where that is known.
    pub text: Option<Arc<str>>,
}

impl Side<'_> {
    /// Why a document that is not there may be there all the same: documents could not be
    /// had, which was said, or a file could not be read and may name it.
    fn missed(&self, id: &Id) -> Option<String> {
        let mut unread = self.unread.iter();
        let names_it = |one: &&Unread| {
            let text = one.text.as_ref();
            text.is_none_or(|text| text.contains(&id.name))
        };
        if let Some(file) = unread.find(names_it) {
            let why = match file.text {
                Some(_) => "is not valid YAML",
                None => "could not be read",
            };
            return Some(format!("it may be in {}, which {why}", file.name));
        }
        let is_incomplete = self.documents.is_incomplete;
        is_incomplete.then(|| "it may be among documents that could not be read".to_owned())
    }
}

/// What is known of the files of the second set.
#[derive(Clone, Copy, Default)]
pub struct InFiles<'f> {
    /// The values that belong to policies.
    pub uses: &'f [Use],
    /// What was found in the files: also values whose policy is not known.
    pub findings: &'f [Finding],
    /// The automations.
    pub owners: &'f [Owner],
}

/// Compares two sets.
#[must_use]
pub fn compare(
    cluster: Option<&str>,
    (before, after): (Side<'_>, Side<'_>),
    files: InFiles<'_>,
) -> Comparison {
    let mut uses: BTreeMap<&Id, Vec<(ImagePart, MovedValue)>> = BTreeMap::new();
    for one in files.uses {
        let known = uses.entry(&one.policy).or_default();
        known.push((one.part, moved(one, files.owners)));
    }
    let orphans = orphans(files.findings);
    let ids: BTreeSet<&Id> = before.images.keys().chain(after.images.keys()).collect();
    let mut told = Comparison {
        cluster: cluster.map(str::to_owned),
        ..Comparison::default()
    };
    for id in ids {
        match difference(id, before, after) {
            None => told.same += 1,
            Some(mut one) => {
                one.values = match one.effect {
                    Effect::Differs | Effect::Added => {
                        let all = uses.remove(id).unwrap_or_default().into_iter();
                        let parts = [before, after].map(|side| side.images.get(id));
                        let moving = all.filter(|(part, _)| is_other_part(*part, parts));
                        moving.map(|(_, value)| value).collect()
                    }
                    Effect::Removed => {
                        let name = id.to_string();
                        orphans.get(name.as_str()).cloned().unwrap_or_default()
                    }
                    Effect::Unknown | Effect::Same => Vec::new(),
                };
                told.policies.push(one);
            }
        }
    }
    // Those of one effect stay in the order of their names.
    told.policies.sort_by_key(|one| one.effect);
    told
}

impl Comparison {
    /// Whether a policy chooses otherwise, is there no more, or is new.
    #[must_use]
    pub fn has_other_choice(&self) -> bool {
        let is_other = |one: &PolicyDifference| {
            matches!(
                one.effect,
                Effect::Differs | Effect::Removed | Effect::Added
            )
        };
        self.policies.iter().any(is_other)
    }
}

/// Whether a part of an image is another one than before.
fn is_other_part(part: ImagePart, [before, after]: [Option<&Resolved>; 2]) -> bool {
    let of = |side: Option<&Resolved>| {
        let image = side?.image.as_ref().ok()?;
        Some(match part {
            ImagePart::Image => image.to_string(),
            ImagePart::Tag => image.tag.clone(),
            ImagePart::Name => image.name.clone(),
            ImagePart::Digest => image.digest.clone().unwrap_or_default(),
        })
    };
    of(before) != of(after)
}

/// Values in the files whose policy is not known, by its name.
fn orphans(findings: &[Finding]) -> BTreeMap<&str, Vec<MovedValue>> {
    let mut orphans: BTreeMap<&str, Vec<MovedValue>> = BTreeMap::new();
    let unknown = findings
        .iter()
        .filter(|one| one.code == Code::UnknownPolicy);
    for one in unknown {
        if let Some(policy) = one.message.split('`').nth(1) {
            orphans.entry(policy).or_default().push(MovedValue {
                at: one.location.to_string(),
                field: one.location.field.clone(),
                current: one.current.clone().unwrap_or_default(),
                ..MovedValue::default()
            });
        }
    }
    orphans
}

fn moved(one: &Use, owners: &[Owner]) -> MovedValue {
    let (owner, held_back) = match &one.carrier {
        Carrier::Automation(number) => (owners.get(*number), Vec::new()),
        Carrier::Nobody(why) => (None, why.clone()),
    };
    MovedValue {
        at: one.location.to_string(),
        field: one.location.field.clone(),
        current: one.current.clone(),
        new: one.new.clone(),
        automation: owner.map(|owner| owner.id.to_string()),
        held_back,
    }
}

/// The repositories that a list of tags may be of, by their canonical names: those of the
/// policies that are written otherwise, or, where none is, of all.
#[must_use]
pub fn concerned(before: &Documents, after: &Documents) -> BTreeSet<String> {
    let no_images = BTreeMap::new();
    let side = |documents| Side {
        documents,
        images: &no_images,
        unread: &[],
    };
    let ids: BTreeSet<&Id> = before
        .policies
        .keys()
        .chain(after.policies.keys())
        .collect();
    let of = |ids: &mut dyn Iterator<Item = &&Id>| {
        let images = ids.flat_map(|id| [image(id, before), image(id, after)]);
        images.flatten().collect::<BTreeSet<String>>()
    };
    let is_other = |id: &&&Id| fields(id, side(before)) != fields(id, side(after));
    let other = of(&mut ids.iter().filter(is_other));
    match other.is_empty() {
        true => of(&mut ids.iter()),
        false => other,
    }
}

/// The repository of a policy, by its canonical name.
fn image(id: &Id, documents: &Documents) -> Option<String> {
    let policy = documents.policies.get(id)?;
    let (_, repository) = resolve::repository_of(documents, id, &policy.document).ok()?;
    let name = Repository::parse(&repository.spec.image).ok()?;
    Some(name.canonical())
}

/// How a policy differs, if it does.
fn difference(id: &Id, before: Side<'_>, after: Side<'_>) -> Option<PolicyDifference> {
    let (old, new) = (before.images.get(id), after.images.get(id));
    let at = new.or(old).map(|one| &one.location);
    let choice = |found: Option<&Resolved>, side: Side<'_>| match found {
        Some(found) => Some(choice(found, side)),
        None => side.missed(id).map(unread),
    };
    let (mut old, mut new) = (choice(old, before), choice(new, after));
    if let (Some(old), Some(new)) = (&mut old, &mut new) {
        suspended(id, (old, before), new);
    }
    let fields = match (before.images.get(id), after.images.get(id)) {
        (Some(_), Some(_)) => differing(&fields(id, before), &fields(id, after)),
        _ => Vec::new(),
    };
    let effect = match (&old, &new) {
        (Some(_), None) => Effect::Removed,
        (None, _) => Effect::Added,
        (Some(old), Some(new)) => match (is_same(old, new), old == new) {
            (_, true) if fields.is_empty() => return None,
            (None, _) => Effect::Unknown,
            (Some(false), _) => Effect::Differs,
            (Some(true), _) => Effect::Same,
        },
    };
    Some(PolicyDifference {
        policy: id.to_string(),
        effect,
        at: at.map_or_else(String::new, Location::to_string),
        before: old,
        after: new,
        fields,
        values: Vec::new(),
    })
}

/// Whether two choices are the same; `None` where nobody can tell.
fn is_same(old: &SideChoice, new: &SideChoice) -> Option<bool> {
    match (old.doubt, new.doubt) {
        (None, None) => Some(old.image == new.image),
        // Of one tag there is one digest, whoever asks for it.
        (Some(Doubt::Digest), Some(Doubt::Digest)) => Some(old.image == new.image),
        (Some(Doubt::Digest), None) | (None, Some(Doubt::Digest)) => {
            let bare = |side: &SideChoice| {
                let image = side.image.as_deref().unwrap_or_default();
                image.split('@').next().unwrap_or_default().to_owned()
            };
            (bare(old) != bare(new)).then_some(false)
        }
        (Some(Doubt::Suspended), Some(Doubt::Suspended)) => Some(true),
        _ => None,
    }
}

/// A policy that is suspended stays with what it chose last: what it chose before, or what
/// its status says.
fn suspended(id: &Id, (old, before): (&mut SideChoice, Side<'_>), new: &mut SideChoice) {
    let is_suspended = |side: &SideChoice| side.doubt == Some(Doubt::Suspended);
    match (is_suspended(old), is_suspended(new)) {
        (false, true) => {
            new.image.clone_from(&old.image);
            new.doubt = old.doubt;
        }
        (true, false) => {
            let policy = before.documents.policies.get(id);
            let last = policy.and_then(|policy| policy.document.status.image().ok());
            if let Some(last) = last {
                old.image = Some(last.to_string());
                old.doubt = None;
            }
        }
        _ => {}
    }
}

/// Of a policy that may be among documents that could not be had.
fn unread(why: String) -> SideChoice {
    SideChoice {
        image: None,
        reason: Some(why),
        doubt: Some(Doubt::Unread),
    }
}

/// What a policy chooses of the tags that are known, whatever its status says.
fn choice(resolved: &Resolved, side: Side<'_>) -> SideChoice {
    let why = match (&resolved.image, &resolved.kept) {
        (_, Some(why)) | (Err(why), None) => why,
        (Ok(image), None) => {
            return SideChoice {
                image: Some(image.to_string()),
                ..SideChoice::default()
            };
        }
    };
    let reasoned = |doubt: Option<Doubt>| SideChoice {
        image: None,
        reason: Some(why.explained()),
        doubt,
    };
    match why {
        Unresolved::NoDigest(missing) => SideChoice {
            image: Some(missing.image.to_string()),
            reason: Some("its digest is not known".to_owned()),
            doubt: Some(Doubt::Digest),
        },
        Unresolved::Suspended(Suspended::Policy) => SideChoice {
            image: None,
            reason: Some("it is suspended, and stays with what it chose last".to_owned()),
            doubt: Some(Doubt::Suspended),
        },
        Unresolved::NoRepository { wanted, .. } => match side.missed(wanted) {
            Some(missed) => unread(format!("{}; {missed}", why.explained())),
            None => reasoned(None),
        },
        Unresolved::NoTags { .. }
        | Unresolved::Unanswered(..)
        | Unresolved::Suspended(Suspended::Repository) => reasoned(Some(Doubt::Tags)),
        _ => reasoned(None),
    }
}

/// What a choice depends on, by the names of the fields.
fn fields(id: &Id, side: Side<'_>) -> BTreeMap<&'static str, String> {
    let Some(policy) = side.documents.policies.get(id) else {
        return BTreeMap::new();
    };
    let spec = &policy.document.spec;
    let rule = rule(spec);
    let reference = &spec.image_repository_ref;
    let namespace = reference.namespace.as_ref().unwrap_or(&id.namespace);
    let mut fields = BTreeMap::from([
        (
            "imageRepositoryRef",
            format!("{namespace}:{}", reference.name),
        ),
        (
            "policy",
            format!("{} {}", rule.kind, rule.by).trim().to_owned(),
        ),
        ("filterTags.pattern", rule.pattern),
        ("filterTags.extract", rule.extract),
    ]);
    if spec.suspend {
        fields.insert("suspend", "true".to_owned());
    }
    let reflection = spec.digest_reflection_policy.clone();
    fields.insert("digestReflectionPolicy", reflection.unwrap_or_default());
    let repository = resolve::repository_of(side.documents, id, &policy.document);
    if let Ok((_, repository)) = repository {
        let spec = &repository.spec;
        fields.insert("image", without_login(&spec.image).into_owned());
        fields.insert("exclusionList", spec.exclusion_list.join(", "));
    }
    fields
}

fn differing(
    before: &BTreeMap<&'static str, String>,
    after: &BTreeMap<&'static str, String>,
) -> Vec<FieldDifference> {
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let of = |side: &BTreeMap<&'static str, String>, name: &str| {
        side.get(name).cloned().unwrap_or_default()
    };
    let all = names.into_iter().map(|name| FieldDifference {
        field: name.to_owned(),
        before: of(before, name),
        after: of(after, name),
    });
    all.filter(|one| one.before != one.after).collect()
}
