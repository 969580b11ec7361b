//! `ImageRepository.spec.exclusionList`: tags that a scan never keeps.

use go_regexp::{Budget, Regex, SyntaxError};

/// What Flux excludes where a repository names nothing: cosign's signatures.
pub const DEFAULT: &[&str] = &["^.*\\.sig$"];

/// An exclusion pattern that Go would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to compile regex {pattern}")]
pub struct BadExclusion {
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub source: SyntaxError,
}

/// The patterns that count: an empty list stands for the default.
pub(super) fn patterns<S: AsRef<str>>(written: &[S]) -> Vec<&str> {
    match written {
        [] => DEFAULT.to_vec(),
        written => written.iter().map(AsRef::as_ref).collect(),
    }
}

/// The tags that no pattern matches anywhere, sorted as Flux stores them:
/// bytewise descending. An empty list of patterns stands for the default. One
/// compiled pattern is alive at a time, since each may be large.
///
/// # Errors
/// The first pattern that is not a Go regular expression, or for which nothing
/// is left in the budget.
pub fn keep<'t, S: AsRef<str>>(
    patterns: &[S],
    tags: &'t [String],
    budget: &mut Budget,
) -> Result<Vec<&'t str>, BadExclusion> {
    let mut kept: Vec<&str> = tags.iter().map(String::as_str).collect();
    for pattern in self::patterns(patterns) {
        let compiled = Regex::within(pattern, budget).map_err(|source| BadExclusion {
            pattern: pattern.to_owned(),
            source,
        })?;
        kept.retain(|tag| !compiled.is_match(tag));
    }
    kept.sort_unstable_by(|a, b| b.cmp(a));
    Ok(kept)
}
