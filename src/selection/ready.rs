//! The Ready condition of an ImagePolicy, as image-reflector-controller writes it.

use crate::api::{ImagePolicy, ImagePolicyStatus};
use crate::policy::reflect::{ImageRef, Reflected};
use crate::selection::resolve::{Resolved, Unresolved};

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `True` or `False`.
    pub status: &'static str,
    /// Its `reason`.
    pub reason: &'static str,
    /// Its message, word for word.
    pub message: String,
    /// What the policy holds now, and held before.
    pub reflected: Reflected,
}

/// The condition that comes of a policy.
#[must_use]
pub fn of(policy: &ImagePolicy, resolved: &Resolved) -> Ready {
    let before = Reflected {
        latest: policy.status.image().ok(),
        previous: previous(&policy.status),
    };
    let reflected = match (&resolved.image, &resolved.kept) {
        (Ok(image), None) => before.moved_to(image.clone()),
        _ => before,
    };
    let (status, reason, message) = match resolved.reason() {
        None => (
            "True",
            "Succeeded",
            reflected.ready_message().unwrap_or_default(),
        ),
        Some(reason) => ("False", word(reason), reason.to_string()),
    };
    Ready {
        status,
        reason,
        message,
        reflected,
    }
}

fn previous(status: &ImagePolicyStatus) -> Option<ImageRef> {
    let older = ImagePolicyStatus {
        latest_ref: status.observed_previous_ref.clone(),
        latest_image: status.observed_previous_image.clone(),
        ..ImagePolicyStatus::default()
    };
    older.image().ok()
}

/// The `reason` of the condition, in the controller's words.
fn word(reason: &Unresolved) -> &'static str {
    match reason {
        Unresolved::Invalid(_) => "InvalidPolicy",
        Unresolved::NoInterval => "IntervalNotConfigured",
        Unresolved::AccessDenied(..) => "AccessDenied",
        Unresolved::Name(_) => "ImageURLInvalid",
        Unresolved::NoRepository { .. }
        | Unresolved::NoTags { .. }
        | Unresolved::Unanswered(..) => "DependencyNotReady",
        _ => "Failure",
    }
}
