//! What is bound in a text and the images of the policies make its edits, each of
//! the automation whose it is.
//!
//! A scalar that several automations would write alike belongs to the first of them
//! ([`Takers`]); one that they would write differently, which can only be where the
//! image itself says whose it is, is an error that names two, and stays as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::api::{Id, ImagePolicy, OnUnresolved};
use crate::binding::bindings::{Binding, BindingSource, Bindings, PolicyRef};
use crate::binding::image::ImageFieldKind;
use crate::binding::marker::{ImagePart, MarkerTarget, split_digest, split_tag};
use crate::documents::{self, Sourced};
use crate::finding::{Code, Finding, Location, Severity};
use crate::plan::outcome::{Change, Outcome};
use crate::plan::takers::{Taker, Takers};
use crate::policy::reflect::ImageRef;
use crate::quote;
use crate::resource_list::{MASK, Object, Unshown};
use crate::selection::resolve::Resolved;
use go_regexp::Budget;
use masterminds_semver::Version;
use oci_tags::image::{Reference, is_tag};
use yaml_edit_spans::patch::Edit;
use yaml_edit_spans::{ByteSpan, Style, scalar};

/// Characters of an old value that a message shows.
const MAX_SHOWN: usize = 80;

/// The policies that a plan may use.
pub struct Policies<'p> {
    /// Every policy of the run.
    pub all: &'p BTreeMap<Id, Resolved>,
    /// Their documents.
    pub documents: &'p BTreeMap<Id, Sourced<ImagePolicy>>,
    /// The same by their names.
    pub names: PolicyNames<'p>,
    /// What an error calls who takes one.
    pub name_of: &'p (dyn Fn(Option<usize>) -> String + Sync),
    /// What a bound scalar is whose policy gave no image.
    pub on_unresolved: OnUnresolved,
    /// The policies of each repository, by its canonical name.
    pub images: &'p BTreeMap<String, Vec<Id>>,
    /// Policies that a build has renamed, by the names that they had.
    pub renamed: &'p BTreeMap<Id, Id>,
    /// The policies of all clusters, where a run has several.
    pub elsewhere: &'p BTreeSet<Id>,
    /// Whether there are documents that could not be read.
    pub is_incomplete: bool,
}

impl Policies<'_> {
    /// Whether a tag is lower than the one that is there: by what its policy compares, and
    /// as a version where that says nothing.
    fn lower(&self, id: &Id, new: &str, old: &str) -> bool {
        if !is_tag(old) {
            return false;
        }
        let of_versions = match (Version::parse_tag(new), Version::parse_tag(old)) {
            (Ok(new), Ok(old)) => new.precedence(&old).is_lt(),
            _ => false,
        };
        let document = self.documents.get(id).map(|policy| &policy.document.spec);
        // A pattern is compiled only where it can tell something else.
        let asked = document.filter(|spec| of_versions || spec.policy.numerical.is_some());
        let policy = asked.and_then(|spec| spec.checked().ok());
        let of_policy = policy.and_then(|policy| policy.is_lower(new, old, &mut Budget::default()));
        of_policy.unwrap_or(of_versions)
    }
}

/// Policies by their names, whatever their namespaces.
pub type PolicyNames<'p> = BTreeMap<&'p str, Vec<&'p Id>>;

/// The policies of a run by their names.
#[must_use]
pub fn by_name(all: &BTreeMap<Id, Resolved>) -> PolicyNames<'_> {
    let mut names = PolicyNames::new();
    for id in all.keys() {
        names.entry(id.name.as_str()).or_default().push(id);
    }
    names
}

/// The policy that a marker names, among all. A document without a namespace is found by
/// its name, if `same_name` tells of no other of that name.
pub fn known<'p>(
    all: &'p BTreeMap<Id, Resolved>,
    id: &Id,
    same_name: impl FnOnce() -> usize,
) -> Option<(&'p Id, &'p Resolved)> {
    let unplaced = || all.get_key_value(&Id::new("", id.name.clone()));
    let by_name = || unplaced().filter(|_| same_name() == 1);
    all.get_key_value(id).or_else(by_name)
}

/// What is to be done to a text, or to all of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The edits of a text, to be applied together.
    pub edits: Vec<Edit>,
    /// What they are, and what could not be done.
    pub outcome: Outcome,
    /// Values that are to stay what they are, `None` where nobody knows; told only where a
    /// run has several clusters.
    pub kept: Vec<(Location, Option<String>)>,
    /// The policies that something in the text is bound to.
    pub used: BTreeSet<Id>,
    /// How many scalars are bound to a known policy.
    pub bound: usize,
    /// Which of the configuration's fields found their resource.
    pub matched: BTreeSet<usize>,
    /// Who takes the images of a repository: found once for each.
    followers: BTreeMap<String, Arc<Followers>>,
}

/// Who takes the images of a repository that say themselves whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Followers {
    /// Policies that somebody takes alone of all that follow the repository, each
    /// with the first who does.
    each: Vec<(Taker, Id)>,
    /// What is said where somebody takes several.
    ambiguous: Option<String>,
    /// All of those.
    several: BTreeSet<Id>,
}

impl Followers {
    fn of(ids: &[Id], takers: &Takers<'_>) -> Self {
        let mut followers = Self::default();
        let mut known = BTreeSet::new();
        for (taker, taken) in takers.choices(ids) {
            if let [id] = taken.as_slice() {
                if known.insert(*id) {
                    followers.each.push((taker, (*id).clone()));
                }
                continue;
            }
            if followers.ambiguous.is_none() {
                followers.ambiguous = Some(several(&taken));
            }
            followers.several.extend(taken.into_iter().cloned());
        }
        followers
    }
}

/// Why a value of an encrypted document cannot be edited, and the way out.
#[must_use]
pub fn sealed(object: &Object) -> (&'static str, &'static str) {
    if object.is_mac_only_encrypted {
        (
            "this value is encrypted with SOPS, or would have to be: it can only be edited with `sops`",
            "move the value to a key that SOPS leaves in the clear",
        )
    } else {
        (
            "this document is encrypted with SOPS: an edit would break its checksum",
            "move the value to a document that is not encrypted, or encrypt this one with `mac_only_encrypted: true`",
        )
    }
}

/// Plans the edits of `text`, in which `bindings` are bound. `file` is what
/// findings call it; an item's own path annotation goes before it. What is bound to a
/// policy that none of `takers` takes is left to whom it concerns.
#[must_use]
pub fn plan(
    (file, text): (&str, &str),
    bindings: &Bindings<'_, '_>,
    takers: &Takers<'_>,
    policies: &Policies<'_>,
) -> Plan {
    let mut plan = Plan {
        matched: bindings.matched.clone(),
        ..Plan::default()
    };
    plan.outcome.findings.clone_from(&bindings.findings);
    // There may be thousands of texts, each with few.
    plan.outcome.changes.reserve_exact(bindings.bound.len());
    plan.edits.reserve_exact(bindings.bound.len());
    for bound in &bindings.bound {
        let subject = BoundScalar {
            text,
            file,
            bound,
            takers,
        };
        subject.plan(policies, &mut plan);
    }
    plan
}

/// What is said where several policies follow a repository. It stands at every
/// image of it, so it names only some.
fn several(ids: &[&Id]) -> String {
    format!(
        "{} ImagePolicies follow this repository, and nothing says whose this is: {}",
        ids.len(),
        quote::list(ids.iter())
    )
}

/// What a scalar is bound to, by whom it is taken.
struct Taken {
    /// Whose change it is.
    by: Taker,
    id: Id,
    /// As Flux would name it.
    setter: String,
    part: ImagePart,
    /// What an image's own fields hold; absent where somebody named the part.
    holds: Option<ImageFieldKind>,
}

/// What a scalar is to get.
struct NewValue<'b> {
    taken: Taken,
    image: &'b ImageRef,
}

/// One bound scalar.
struct BoundScalar<'a, 'o, 't> {
    text: &'a str,
    file: &'a str,
    bound: &'a Binding<'o, 't>,
    takers: &'a Takers<'a>,
}

impl BoundScalar<'_, '_, '_> {
    fn plan(&self, policies: &Policies<'_>, plan: &mut Plan) {
        match &self.bound.policy {
            PolicyRef::Named(setter) => {
                let Some((id, part, resolved)) = self.named(setter, policies, plan) else {
                    return;
                };
                plan.bound += 1;
                plan.used.insert(id.clone());
                if let Some(by) = self.takers.first(&id) {
                    let (part, holds) = self.part_of_image(part);
                    let taken = Taken {
                        by,
                        id,
                        part,
                        setter: setter.clone(),
                        holds,
                    };
                    self.take(taken, resolved, policies, plan);
                }
            }
            PolicyRef::Of(repository, holds) => self.follow(repository, *holds, policies, plan),
        }
    }

    /// What is written where `part` is wanted: the tag of a value that is a whole image goes
    /// into it, where an annotation asks for it. (A marker has its whole value replaced, as
    /// in Flux.)
    fn part_of_image(&self, part: ImagePart) -> (ImagePart, Option<ImageFieldKind>) {
        let old = self.bound.text.as_ref();
        let is_within = part == ImagePart::Tag
            && self.bound.by == BindingSource::Annotation
            && split_tag(split_digest(old).0).1.is_some()
            && ImagePart::Image.takes(old);
        match is_within {
            true => (ImagePart::Image, Some(ImageFieldKind::Image)),
            false => (part, None),
        }
    }

    /// Writes what a policy says, or says why it gives nothing.
    fn take(&self, taken: Taken, resolved: &Resolved, policies: &Policies<'_>, plan: &mut Plan) {
        match &resolved.image {
            Ok(image) => self.write(&NewValue { taken, image }, policies, plan),
            Err(reason) => {
                if !policies.elsewhere.is_empty() {
                    plan.kept.push((self.bound.location(self.file), None));
                }
                let severity = match (reason.severity(), policies.on_unresolved) {
                    (Severity::Error, OnUnresolved::Warn) => Severity::Warning,
                    (severity, _) => severity,
                };
                let why = reason.explained();
                let message = format!("ImagePolicy `{}` gives no image: {why}", taken.id);
                let finding = self.finding(severity, reason.code(severity), message);
                plan.note(finding.hint_if(reason.hint()));
            }
        }
    }

    /// Writes what the one policy says that follows a repository; several are an
    /// error, with one taker or where two would write something different.
    fn follow(
        &self,
        repository: &str,
        holds: ImageFieldKind,
        policies: &Policies<'_>,
        plan: &mut Plan,
    ) {
        let followers = match plan.followers.get(repository) {
            Some(known) => Arc::clone(known),
            None => {
                let ids = policies.images.get(repository);
                let ids = ids.map_or(&[][..], Vec::as_slice);
                let found = Arc::new(Followers::of(ids, self.takers));
                plan.used.extend(found.several.iter().cloned());
                plan.used
                    .extend(found.each.iter().map(|(_, id)| id.clone()));
                let known = Arc::clone(&found);
                plan.followers.insert(repository.to_owned(), known);
                found
            }
        };
        plan.bound += usize::from(!followers.each.is_empty() || followers.ambiguous.is_some());
        let before = (plan.edits.len(), plan.outcome.changes.len());
        for (taker, id) in &followers.each {
            let Some(resolved) = policies.all.get(id) else {
                continue;
            };
            let part = holds.part();
            let taken = Taken {
                by: *taker,
                id: id.clone(),
                part,
                setter: setter_of(id, part),
                holds: Some(holds),
            };
            let (edits, findings) = (plan.edits.len(), plan.outcome.findings.len());
            self.take(taken, resolved, policies, plan);
            let [first, other] = &plan.outcome.changes[before.1..] else {
                continue;
            };
            let is_alike = first.new == other.new;
            if is_alike {
                plan.undo(edits, before.1 + 1);
                plan.outcome.findings.truncate(findings);
                continue;
            }
            let finding = disagreement(
                (&(policies.name_of)(first.owner), first),
                (&(policies.name_of)(other.owner), other),
            );
            plan.undo(before.0, before.1);
            plan.note(finding);
            break;
        }
        if let Some(message) = &followers.ambiguous {
            self.ambiguous(message.clone(), plan);
        }
    }

    fn ambiguous(&self, message: String, plan: &mut Plan) {
        let finding = self.finding(Severity::Error, Code::AmbiguousPolicy, message);
        plan.note(finding.hint("bind it in `spec.bindings`, or by the annotation `flux-image.dev/bind`; or select one of them with `policySelector`"));
    }

    /// The policy that a marker or the like names; what is wrong otherwise goes
    /// into the plan.
    fn named<'p>(
        &self,
        value: &str,
        policies: &Policies<'p>,
        plan: &mut Plan,
    ) -> Option<(Id, ImagePart, &'p Resolved)> {
        let Some(target) = MarkerTarget::parse(value) else {
            let message = format!("`{value}` names no policy");
            let finding = self.finding(self.severity(), Code::BrokenMarker, message);
            plan.note(finding.unjudged().hint(
                "write `namespace:name`, or `namespace:name:tag`, `…:name` or `…:digest` for a part",
            ));
            return None;
        };
        let id = Id::new(target.namespace.clone(), target.name.clone());
        let same_name = || policies.names.get(target.name.as_str()).map_or(0, Vec::len);
        let Some((found, resolved)) = known(policies.all, &id, same_name) else {
            plan.note(self.unknown(&target, &id, policies));
            return None;
        };
        if *found != id {
            plan.note(self.guessed(&id, self.takers.first(found).is_some()));
        }
        Some((found.clone(), target.part, resolved))
    }

    /// That a policy was found by its name alone. Where nobody takes it, nothing can be
    /// said of the value.
    fn guessed(&self, id: &Id, is_taken: bool) -> Finding {
        let name = &id.name;
        if is_taken {
            let message = format!("ImagePolicy `{name}` names no namespace; taken for `{id}`");
            return self.finding(Severity::Warning, Code::NamespaceGuessed, message);
        }
        let message = format!(
            "ImagePolicy `{name}` names no namespace, so that no ImageUpdateAutomation selects it for `{id}`"
        );
        let finding = self.finding(Severity::Error, Code::NamespaceGuessed, message);
        finding.hint("if a build gives it one, read documents as the cluster sees them: `--cluster-path DIR`")
    }

    /// How much a name weighs that names no policy: in a comment it may be
    /// anything, in what was written for us it is a mistake.
    fn severity(&self) -> Severity {
        match self.bound.by {
            BindingSource::Field | BindingSource::Annotation => Severity::Error,
            BindingSource::Marker | BindingSource::Image => Severity::Warning,
        }
    }

    fn unknown(&self, target: &MarkerTarget, id: &Id, policies: &Policies<'_>) -> Finding {
        if policies.elsewhere.contains(id) {
            let message = format!(
                "ImagePolicy `{id}` is another cluster's, whose ImageUpdateAutomations do not come here"
            );
            let finding = self.finding(self.severity(), Code::UnknownPolicy, message);
            return finding.unjudged();
        }
        let message = format!("no ImagePolicy `{id}` is known");
        let severity = match policies.is_incomplete {
            // It may be in what could not be read.
            true => Severity::Error,
            false => self.severity(),
        };
        let finding = self.finding(severity, Code::UnknownPolicy, message);
        let finding = finding.unjudged();
        let elsewhere = policies.names.get(target.name.as_str());
        let elsewhere = elsewhere.map(Vec::as_slice).unwrap_or_default();
        if let Some(now) = policies.renamed.get(id) {
            finding.hint(documents::renamed(id, now))
        } else if id.to_string().contains("${") {
            finding.hint("`${…}` is not substituted here: write the name itself")
        } else if elsewhere.is_empty() && policies.is_incomplete {
            finding.hint("it may be among what could not be read or built, which is said as well")
        } else if elsewhere.is_empty() {
            finding.hint("add the ImagePolicy to the repository or name its file with `--policies`")
        } else {
            finding.hint(format!("there is {}", quote::list(elsewhere.iter())))
        }
    }

    /// The new value; what stands in the way goes into the plan.
    fn value(&self, wanted: &NewValue<'_>, plan: &mut Plan) -> Option<String> {
        let old = self.bound.text.as_ref();
        let image = wanted.image;
        let digest = image.digest.as_ref();
        Some(match (wanted.taken.part, wanted.taken.holds) {
            // The name stays as it is spelled there.
            (ImagePart::Image, Some(_)) => {
                let written = Reference::parse(old).ok()?.repository;
                let kept = ImageRef {
                    name: written.written().to_owned(),
                    ..image.clone()
                };
                kept.to_string()
            }
            (ImagePart::Image, None) => image.to_string(),
            // The digest beside it reports that there is none.
            (ImagePart::Tag, Some(ImageFieldKind::Tag { is_pinned: true })) if digest.is_none() => {
                return None;
            }
            (ImagePart::Tag, Some(_)) => match digest.filter(|_| old.contains('@')) {
                Some(digest) => format!("{}@{digest}", image.tag),
                None => image.tag.clone(),
            },
            (ImagePart::Tag, None) => image.tag.clone(),
            (ImagePart::Name, _) => image.name.clone(),
            (ImagePart::Digest, holds) => {
                let Some(digest) = digest else {
                    let message = if holds.is_some() {
                        format!(
                            "the digest stays, and so does the tag beside it: ImagePolicy `{}` has no digest",
                            wanted.taken.id
                        )
                    } else {
                        format!(
                            "`{}` wants a digest, and the policy has none",
                            wanted.taken.setter
                        )
                    };
                    let finding = self.finding(Severity::Error, Code::DigestMissing, message);
                    let is_tag = holds.is_none() && ImagePart::Tag.takes(&self.bound.text);
                    plan.note(match is_tag && !self.bound.is_concealed {
                        true => finding.hint(format!("write `{}:tag`", wanted.taken.id)),
                        false => finding
                            .hint("set `digestReflectionPolicy: IfNotPresent` on the ImagePolicy"),
                    });
                    return None;
                };
                digest.clone()
            }
        })
    }

    fn write(&self, wanted: &NewValue<'_>, policies: &Policies<'_>, plan: &mut Plan) {
        let old = self.bound.text.as_ref();
        let Some(new) = self.value(wanted, plan) else {
            return;
        };
        if old == new {
            // That it is to stay matters to who may want something else.
            if !policies.elsewhere.is_empty() {
                plan.kept.push((self.bound.location(self.file), Some(new)));
            }
            return;
        }
        // kustomize writes numbers and the like in its own way.
        let is_set =
            |below: &&str| *below != old && !scalar::reads_as_non_string_in_yaml_1_1(below);
        if let Some(below) = self.bound.in_file.as_deref().filter(is_set) {
            plan.note(self.decided_above(below));
            return;
        }
        if self.bound.object.seals(old) {
            let mut finding = self.sealed();
            finding.proposed = Some(new);
            plan.note(finding);
            return;
        }
        plan.outcome.findings.extend(self.lost_text(wanted));
        self.warn_of_loss(wanted, (old, &new), policies, plan);
        let edits = scalar::rewrite(self.text, &self.bound.value, &new);
        let start = edits.iter().map(|edit| edit.span.start).min();
        let end = edits.iter().map(|edit| edit.span.end).max();
        plan.edits.extend(edits);
        plan.outcome.changes.push(Change {
            setter: wanted.taken.setter.clone(),
            old: self.bound.shown().to_owned(),
            unshown: self.bound.is_concealed.then(|| Unshown::new(old)),
            new,
            policy: wanted.taken.id.clone(),
            cluster: 0,
            part: wanted.taken.part,
            span: ByteSpan::new(start.unwrap_or_default(), end.unwrap_or_default()),
            owner: wanted.taken.by.0,
            location: self.bound.location(self.file),
        });
    }

    /// A value that is not the one of the file whose marker is read: the nearest who sets
    /// it decides.
    fn decided_above(&self, below: &str) -> Finding {
        let below = match self.bound.is_concealed {
            true => MASK,
            false => below,
        };
        let message = format!(
            "a kustomization above sets this: in the file with the marker it is `{}`, so the marker does not count",
            quote::at_most(below, 300)
        );
        let finding = self.finding(Severity::Warning, Code::BadBinding, message);
        finding
            .hint("bind it where it is set: mark it in that kustomization, and have `flux-image annotate` write it there")
            .unjudged()
    }

    /// What SOPS would not read any more.
    fn sealed(&self) -> Finding {
        let (message, hint) = sealed(self.bound.object);
        self.finding(Severity::Error, Code::Encrypted, message)
            .hint(hint)
    }

    /// Text around what the marker speaks of, which goes with the edit as it
    /// does in Flux. Images that are bound by what they hold have none.
    fn lost_text(&self, wanted: &NewValue<'_>) -> Option<Finding> {
        let old = self.bound.text.trim();
        let is_null = self.bound.value.scalar.style == Style::Plain
            && matches!(old, "~" | "null" | "Null" | "NULL");
        let part = wanted.taken.part;
        if wanted.taken.holds.is_some() || is_null || old.is_empty() || part.takes(old) {
            return None;
        }
        let message = format!(
            "{} is not {}, and all of it is replaced",
            self.shown(old),
            part.article()
        );
        let hint = match part {
            ImagePart::Image => {
                "a marker writes the whole value: name a part of the image with `:tag`, `:name` or `:digest`, or give the image a field of its own"
            }
            _ => {
                "a marker writes the whole value: give this part of the image a field of its own, or name another part in the marker"
            }
        };
        let finding = self.finding(Severity::Warning, Code::LostText, message);
        Some(finding.hint(hint))
    }

    /// An old value in a message: its first line, and nothing of a Secret's.
    fn shown(&self, old: &str) -> String {
        if self.bound.is_concealed {
            return "the old value".to_owned();
        }
        let first = old.lines().next().unwrap_or_default();
        match first.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("`{}…`", &first[..end]),
            None if first.len() < old.len() => format!("`{first}…`"),
            None => format!("`{first}`"),
        }
    }

    /// A digest that goes, a version that falls.
    fn warn_of_loss(
        &self,
        wanted: &NewValue<'_>,
        (old, new): (&str, &str),
        policies: &Policies<'_>,
        plan: &mut Plan,
    ) {
        let (part, image) = (wanted.taken.part, wanted.image);
        let (old_reference, old_digest) = split_digest(old);
        let drops = matches!(part, ImagePart::Image | ImagePart::Tag) && !new.contains('@');
        if let (true, Some(digest)) = (drops, old_digest) {
            let shown = if self.bound.is_concealed {
                MASK
            } else {
                digest
            };
            let message = format!("the digest `{shown}` is dropped");
            let finding = self.finding(Severity::Warning, Code::DigestDropped, message);
            plan.note(finding.hint(match (part, wanted.taken.holds) {
                (ImagePart::Tag, None) => {
                    "a `:tag` marker holds the tag alone; mark another field with `:digest`"
                }
                _ => "set `digestReflectionPolicy` on the ImagePolicy to keep images pinned",
            }));
        }
        let old_tag = match part {
            ImagePart::Tag => old_reference,
            ImagePart::Image => split_tag(old_reference).1.unwrap_or_default(),
            ImagePart::Name | ImagePart::Digest => "",
        };
        if policies.lower(&wanted.taken.id, &image.tag, old_tag) {
            let shown = if self.bound.is_concealed {
                MASK
            } else {
                old_tag
            };
            let message = format!("`{}` is lower than `{shown}`", image.tag);
            plan.note(self.finding(Severity::Warning, Code::Downgrade, message));
        }
    }

    fn finding(&self, severity: Severity, code: Code, message: impl Into<String>) -> Finding {
        self.bound.finding(self.file, severity, code, message)
    }
}

impl Plan {
    /// Adds what was planned for another text of the run, without its edits.
    pub fn merge(&mut self, other: Self) {
        self.outcome.extend(other.outcome);
        self.used.extend(other.used);
        self.kept.extend(other.kept);
        self.bound += other.bound;
        self.matched.extend(other.matched);
    }

    fn note(&mut self, finding: Finding) {
        self.outcome.findings.push(finding);
    }

    /// Leaves of what is said of the images of a repository the first, with a count.
    pub fn tell_ambiguous_once(&mut self) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        self.outcome.findings.retain(|one| {
            let is_ambiguous = one.code == Code::AmbiguousPolicy;
            let count = is_ambiguous.then(|| counts.entry(one.message.clone()).or_default());
            count.is_none_or(|count| {
                *count += 1;
                *count == 1
            })
        });
        for finding in &mut self.outcome.findings {
            let count = counts.get(&finding.message).copied().unwrap_or_default();
            if finding.code == Code::AmbiguousPolicy && count > 1 {
                let more = format!(" (at {count} places, the first of them here)");
                finding.message.push_str(&more);
            }
        }
    }

    /// Takes back the edits and changes from these numbers on.
    fn undo(&mut self, edits: usize, changes: usize) {
        self.edits.truncate(edits);
        self.outcome.changes.truncate(changes);
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

fn disagreement(one: (&str, &Change), other: (&str, &Change)) -> Finding {
    let message = format!(
        "{} would write `{}` here, and {} `{}`",
        one.0, one.1.new, other.0, other.1.new
    );
    let location = one.1.location.clone();
    let mut finding = Finding::error(Code::ConflictingAutomations, message, location);
    finding.current = Some(one.1.old.clone());
    finding.hint("let one of them have this file: narrow its `update.path` or its `policySelector`")
}

/// The setter that a marker would name.
fn setter_of(id: &Id, part: ImagePart) -> String {
    let part = match part {
        ImagePart::Image => "",
        ImagePart::Tag => ":tag",
        ImagePart::Name => ":name",
        ImagePart::Digest => ":digest",
    };
    format!("{id}{part}")
}
