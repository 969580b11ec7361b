//! `ImageRepository.spec.exclusionList`: tags that a scan never keeps.

use crate::go::regex::{Regex, SyntaxError};

/// What Flux excludes where a repository names nothing: cosign's signatures.
pub const DEFAULT: &[&str] = &["^.*\\.sig$"];

/// Compiled exclusion patterns; a tag that one of them matches anywhere is out.
#[derive(Clone, Debug)]
pub struct Exclusion(Vec<Regex>);

/// An exclusion pattern that Go would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to compile regex {pattern}")]
pub struct BadExclusion {
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub source: SyntaxError,
}

impl Exclusion {
    /// Compiles the list; an empty one stands for the default.
    ///
    /// # Errors
    /// The first pattern that is no Go regular expression.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, BadExclusion> {
        let patterns: Vec<&str> = match patterns {
            [] => DEFAULT.to_vec(),
            patterns => patterns.iter().map(AsRef::as_ref).collect(),
        };
        let compile = |pattern: &str| {
            Regex::new(pattern).map_err(|source| BadExclusion {
                pattern: pattern.to_owned(),
                source,
            })
        };
        Ok(Self(
            patterns
                .into_iter()
                .map(compile)
                .collect::<Result<_, _>>()?,
        ))
    }

    /// The tags that are kept, sorted as Flux stores them: bytewise descending.
    #[must_use]
    pub fn keep<'t>(&self, tags: &'t [String]) -> Vec<&'t str> {
        let mut kept: Vec<&str> = tags
            .iter()
            .map(String::as_str)
            .filter(|tag| !self.0.iter().any(|pattern| pattern.is_match(tag)))
            .collect();
        kept.sort_unstable_by(|a, b| b.cmp(a));
        kept
    }
}
