//! Exit codes, the same for every command.

use std::process::ExitCode;

use crate::checkout::CannotPlan;
use crate::finding::{Code, Finding, Severity};
use crate::plan::outcome::Outcome;
use yaml_edit_spans::patch::Overlap;

/// How the word "error" looks.
pub(super) const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: it was asked to judge, and found something.
    Findings,
    /// 2: the documents or the flags are wrong.
    Usage,
    /// 3: a registry gave no answer.
    Registry,
    /// 70: a bug of ours.
    Bug,
    /// 130: Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

impl Exit {
    /// The number, for `std::process::exit`.
    #[must_use]
    pub fn code(self) -> i32 {
        self.number().into()
    }

    fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Registry => 3,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// The exit of an error that ended a run: 70 for a bug of ours, else 2.
    #[must_use]
    pub fn of_error(error: &anyhow::Error) -> Self {
        let is_interrupted = |cause: &CannotPlan| matches!(cause, CannotPlan::Interrupted);
        if error.downcast_ref().is_some_and(is_interrupted) {
            return Self::Interrupted;
        }
        let is_bug = error.chain().any(|cause| {
            // An error of writing may hold another.
            let inner = cause.downcast_ref::<std::io::Error>();
            let inner = inner.and_then(std::io::Error::get_ref);
            cause.is::<Overlap>() || inner.is_some_and(|inner| inner.is::<Overlap>())
        });
        if is_bug { Self::Bug } else { Self::Usage }
    }

    /// The exit of a run: 2 with an error, 3 where all of them are a
    /// registry's, 1 with what a judge was asked to find, else 0.
    #[must_use]
    pub fn of(outcome: &Outcome, finds_changes: bool, strict: bool) -> Self {
        let is_registry = |finding: &Finding| {
            matches!(finding.code, Code::RegistryFailed | Code::UnansweredPolicy)
        };
        let errors = || (outcome.findings.iter()).filter(|f| f.severity == Severity::Error);
        match outcome.worst() {
            Some(Severity::Error) if errors().all(is_registry) => Self::Registry,
            Some(Severity::Error) => Self::Usage,
            Some(Severity::Warning) if strict => Self::Findings,
            _ if finds_changes => Self::Findings,
            _ => Self::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_told_from_a_mistake() {
        let bug = anyhow::Error::new(Overlap(7)).context("cannot make patches");
        assert_eq!(Exit::of_error(&bug), Exit::Bug);
        assert_eq!(Exit::Bug.code(), 70);
        let bug = anyhow::Error::new(std::io::Error::other(Overlap(7)));
        assert_eq!(Exit::of_error(&bug), Exit::Bug);
        let mistake = anyhow::anyhow!("cannot read x");
        assert_eq!(Exit::of_error(&mistake), Exit::Usage);
    }
}
