//! Where policies are used: each value that belongs to one, what it holds now, what it
//! would get, and who would carry that.

use std::collections::HashMap;

use crate::api::Id;
use crate::binding::bindings::{Binding, BindingSource, Bindings};
use crate::binding::marker::{ImagePart, split_digest, split_tag};
use crate::engine::Learned;
use crate::finding::Location;
use crate::plan::edits::Plan;

/// A value that belongs to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The policy.
    pub policy: Id,
    /// Which part of its image the value holds.
    pub part: ImagePart,
    /// By what it belongs to the policy.
    pub by: BindingSource,
    /// Where it is.
    pub location: Location,
    /// What it holds; `****` in a Secret and in an encrypted document.
    pub current: String,
    /// The tag in it; `None` where it holds none, or is not to be seen.
    pub tag: Option<String>,
    /// What it would get, where that is something else.
    pub new: Option<String>,
    /// Who would write it.
    pub carrier: Carrier,
}

/// Who writes a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The automation of this number.
    Automation(usize),
    /// Nobody, and why: the nearest reasons first.
    Nobody(Vec<String>),
}

/// The values of a text that belong to policies. `plan` is what is planned for it, whoever
/// asks; `carrier` tells who comes to the text with a policy.
#[must_use]
pub fn of_text(
    file: &str,
    bindings: &Bindings<'_, '_>,
    plan: &Plan,
    learned: &Learned<'_>,
    carrier: &dyn Fn(&Id) -> Carrier,
) -> Vec<Use> {
    let place = |location: &Location| (location.line, location.column);
    let changes = plan.outcome.changes.iter();
    let new: HashMap<(usize, usize), &str> = changes
        .map(|one| (place(&one.location), one.new.as_str()))
        .collect();
    let mut uses = Vec::new();
    for bound in &bindings.bound {
        let location = bound.location(file);
        let new = new.get(&place(&location)).copied();
        for (policy, part) in learned.policies_of(&bound.policy) {
            uses.push(Use {
                carrier: carrier(&policy),
                policy,
                part,
                by: bound.by,
                location: location.clone(),
                current: bound.shown().to_owned(),
                tag: tag_of(bound, part),
                new: new.map(str::to_owned),
            });
        }
    }
    uses
}

fn tag_of(bound: &Binding<'_, '_>, part: ImagePart) -> Option<String> {
    if bound.is_concealed {
        return None;
    }
    let (rest, _) = split_digest(&bound.text);
    match part {
        ImagePart::Image => split_tag(rest).1.map(str::to_owned),
        ImagePart::Tag => Some(rest.to_owned()),
        ImagePart::Name | ImagePart::Digest => None,
    }
}
