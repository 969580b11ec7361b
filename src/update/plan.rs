//! The markers of one text and the images of the policies make its edits.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{Change, Code, Finding, Location, Outcome, Severity};
use super::resolve::Resolved;
use crate::api::{Id, OnUnresolved};
use crate::bind::marker::{self, Comment, Part, Target};
use crate::go::semver::Version;
use crate::policy::reflect::ImageRef;
use crate::resource_list::{Document, Object, Outline, Site};
use crate::yaml::patch::Edit;
use crate::yaml::{ByteSpan, Place, scalar};

/// The policies that a plan may use.
#[derive(Debug)]
pub struct Policies<'p> {
    /// Every policy of the run.
    pub all: &'p BTreeMap<Id, Resolved>,
    /// Those that count; the markers of the others are left to whom they
    /// concern. `None`: all.
    pub selected: Option<&'p BTreeSet<Id>>,
    /// What a marker is whose policy gave no image.
    pub on_unresolved: OnUnresolved,
}

/// What is to be done to one text.
#[derive(Debug, Default)]
pub struct Plan {
    /// The edits, to be applied together.
    pub edits: Vec<Edit>,
    /// What they are, and what could not be done.
    pub outcome: Outcome,
    /// The policies that markers in the text use.
    pub used: BTreeSet<Id>,
    /// How many markers there are that name a known policy.
    pub bound: usize,
}

/// Plans the edits of `text`. `file` is what findings call it; an item's own
/// path annotation goes before it.
#[must_use]
pub fn plan(text: &str, outline: &Outline<'_>, file: &str, policies: &Policies<'_>) -> Plan {
    let mut plan = Plan::default();
    // Flux reads no file without the token, so an escaped spelling of the key
    // counts only beside an unescaped one.
    let is_live = text.contains(marker::TOKEN);
    for document in &outline.documents {
        for site in &document.sites {
            let subject = Subject {
                text,
                file,
                document,
                site,
                is_live,
            };
            subject.plan(policies, &mut plan);
        }
    }
    let (mut at, mut place) = (0, Place::of(text.as_bytes(), 0));
    for dead in &outline.dead {
        place = place.further(&text.as_bytes()[at..dead.offset]);
        at = dead.offset;
        let finding = Finding::new(
            Severity::Warning,
            Code::DeadMarker,
            "this marker stands where no marker works: it must be on the line of a scalar value",
            Location::new(file, place),
        );
        plan.outcome
            .findings
            .push(finding.hint("put it behind the value that is to change, on the same line"));
    }
    plan
}

/// What a marker is bound to.
struct Bound<'b> {
    id: Id,
    part: Part,
    image: &'b ImageRef,
}

/// One marked scalar.
struct Subject<'a, 't> {
    text: &'t str,
    file: &'a str,
    document: &'a Document<'t>,
    site: &'a Site<'t>,
    is_live: bool,
}

impl Subject<'_, '_> {
    fn plan(&self, policies: &Policies<'_>, plan: &mut Plan) {
        let value = match marker::read(self.site.comment.of(self.text)) {
            Comment::Other => return,
            Comment::Broken(fault) => {
                let message = format!("this marker does nothing: {fault}");
                plan.outcome.findings.push(
                    self.finding(Severity::Warning, Code::BrokenMarker, message)
                        .hint("write `# {\"$imagepolicy\": \"namespace:name\"}`, with `:tag`, `:name` or `:digest` after the name for a part"),
                );
                return;
            }
            Comment::Marker(value) => value,
        };
        if !self.is_live || !self.site.is_reached {
            let why = if self.is_live {
                "the key stands twice in its mapping"
            } else {
                "its key is written with escapes"
            };
            plan.outcome.findings.push(self.finding(
                Severity::Warning,
                Code::DeadMarker,
                format!("this marker does nothing: {why}"),
            ));
            return;
        }
        let Some((id, part, resolved)) = self.policy(&value, policies, plan) else {
            return;
        };
        plan.bound += 1;
        plan.used.insert(id.clone());
        if policies
            .selected
            .as_ref()
            .is_some_and(|selected| !selected.contains(&id))
        {
            return;
        }
        match &resolved.image {
            Ok(image) => self.write(&value, &Bound { id, part, image }, plan),
            Err(reason) => {
                let severity = match (reason.severity(), policies.on_unresolved) {
                    (Severity::Error, OnUnresolved::Warn) => Severity::Warning,
                    (severity, _) => severity,
                };
                let mut finding = self.finding(
                    severity,
                    reason.code(severity),
                    format!("ImagePolicy `{id}` gives no image: {reason}"),
                );
                finding.hint = reason.hint();
                plan.outcome.findings.push(finding);
            }
        }
    }

    /// The policy that a marker names; what is wrong otherwise goes into the
    /// plan.
    fn policy<'p>(
        &self,
        value: &str,
        policies: &Policies<'p>,
        plan: &mut Plan,
    ) -> Option<(Id, Part, &'p Resolved)> {
        let Some(target) = Target::parse(value) else {
            let message = format!("`{value}` names no policy");
            plan.outcome.findings.push(
                self.finding(Severity::Warning, Code::BrokenMarker, message)
                    .hint("write `namespace:name`, or `namespace:name:tag`, `…:name` or `…:digest` for a part"),
            );
            return None;
        };
        let id = Id::new(target.namespace.clone(), target.name.clone());
        if let Some(resolved) = policies.all.get(&id) {
            return Some((id, target.part, resolved));
        }
        // A document without a namespace is found by its name if that is unique.
        let unplaced = Id::new("", target.name.clone());
        let same_name = policies
            .all
            .keys()
            .filter(|known| known.name == target.name)
            .count();
        if let (Some(resolved), 1) = (policies.all.get(&unplaced), same_name) {
            let message = format!(
                "ImagePolicy `{}` names no namespace; taken for `{id}`",
                target.name
            );
            plan.outcome.findings.push(self.finding(
                Severity::Warning,
                Code::NamespaceGuessed,
                message,
            ));
            return Some((unplaced, target.part, resolved));
        }
        plan.outcome
            .findings
            .push(self.unknown(&target, &id, policies));
        None
    }

    fn unknown(&self, target: &Target, id: &Id, policies: &Policies<'_>) -> Finding {
        let finding = self.finding(
            Severity::Warning,
            Code::UnknownPolicy,
            format!("no ImagePolicy `{id}` is known"),
        );
        let elsewhere: Vec<String> = policies
            .all
            .keys()
            .filter(|known| known.name == target.name)
            .map(Id::to_string)
            .collect();
        if id.to_string().contains("${") {
            finding.hint("`${…}` is not substituted here: write the name itself")
        } else if elsewhere.is_empty() {
            finding.hint("add the ImagePolicy to the repository or name its file with `--policies`")
        } else {
            finding.hint(format!("there is `{}`", elsewhere.join("`, `")))
        }
    }

    fn write(&self, setter: &str, bound: &Bound<'_>, plan: &mut Plan) {
        let (part, image) = (bound.part, bound.image);
        let old = self.site.text.as_ref();
        let new = match part {
            Part::Image => image.to_string(),
            Part::Tag => image.tag.clone(),
            Part::Name => image.name.clone(),
            Part::Digest => match &image.digest {
                Some(digest) => digest.clone(),
                None => {
                    let message = format!("`{setter}` wants a digest, and the policy has none");
                    plan.outcome.findings.push(
                        self.finding(Severity::Error, Code::DigestMissing, message)
                            .hint("set `digestReflectionPolicy: IfNotPresent` on the ImagePolicy"),
                    );
                    return;
                }
            },
        };
        if old == new {
            return;
        }
        if self.object().is_encrypted {
            let message = "this document is encrypted with SOPS: an edit would break its checksum";
            let mut finding = self.finding(Severity::Error, Code::Encrypted, message);
            finding.proposed = Some(new);
            plan.outcome
                .findings
                .push(finding.hint("move the marked value to a document that is not encrypted"));
            return;
        }
        self.warn_of_loss(part, old, image, plan);
        let edits = scalar::rewrite(self.text, &self.site.value, &new);
        let start = edits.iter().map(|edit| edit.span.start).min();
        let end = edits.iter().map(|edit| edit.span.end).max();
        plan.edits.extend(edits);
        plan.outcome.changes.push(Change {
            setter: setter.to_owned(),
            old: old.to_owned(),
            new,
            policy: bound.id.clone(),
            part,
            span: ByteSpan::new(start.unwrap_or_default(), end.unwrap_or_default()),
            location: self.location(),
        });
    }

    /// A digest that goes, a version that falls.
    fn warn_of_loss(&self, part: Part, old: &str, image: &ImageRef, plan: &mut Plan) {
        let (old_reference, old_digest) = old
            .split_once('@')
            .map_or((old, None), |(r, d)| (r, Some(d)));
        let drops = match part {
            Part::Image => image.digest.is_none(),
            Part::Tag => true,
            Part::Name | Part::Digest => false,
        };
        if let (true, Some(digest)) = (drops, old_digest) {
            let message = format!("the digest `{digest}` is dropped");
            let finding = self.finding(Severity::Warning, Code::DigestDropped, message);
            plan.outcome.findings.push(match part {
                Part::Image => finding
                    .hint("set `digestReflectionPolicy` on the ImagePolicy to keep images pinned"),
                _ => finding
                    .hint("a `:tag` marker holds the tag alone; mark another field with `:digest`"),
            });
        }
        let old_tag = match part {
            Part::Tag => old_reference,
            Part::Image => old_reference.rsplit_once(':').map_or("", |(_, tag)| tag),
            Part::Name | Part::Digest => "",
        };
        if let (Ok(before), Ok(after)) =
            (Version::parse_tag(old_tag), Version::parse_tag(&image.tag))
            && after.precedence(&before).is_lt()
        {
            let message = format!("`{}` is lower than `{old_tag}`", image.tag);
            plan.outcome
                .findings
                .push(self.finding(Severity::Warning, Code::Downgrade, message));
        }
    }

    fn object(&self) -> &Object {
        self.document.object_of(self.site)
    }

    fn location(&self) -> Location {
        let field = self.document.path_of(self.site);
        Location::in_object(self.file, self.object(), self.site.place, field)
    }

    fn finding(&self, severity: Severity, code: Code, message: impl Into<String>) -> Finding {
        let mut finding = Finding::new(severity, code, message, self.location());
        finding.current = Some(self.site.text.to_string());
        finding
    }
}
