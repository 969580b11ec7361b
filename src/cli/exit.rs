//! Exit codes, the same in every door.

use std::process::ExitCode;

use crate::update::outcome::{Outcome, Severity};

/// How the word "error" looks.
pub const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: it was asked to judge, and found something.
    Findings,
    /// 2: the documents or the flags are wrong.
    Usage,
    /// 70: a bug of ours.
    Bug,
    /// 130: Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
        })
    }
}

impl Exit {
    /// The exit of a run: 2 with an error, 1 with what a judge was asked to
    /// find, else 0.
    #[must_use]
    pub fn of(outcome: &Outcome, finds_changes: bool, strict: bool) -> Self {
        match outcome.worst() {
            Some(Severity::Error) => Self::Usage,
            Some(Severity::Warning) if strict => Self::Findings,
            _ if finds_changes => Self::Findings,
            _ => Self::Done,
        }
    }
}
