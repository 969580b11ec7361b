//! Go's `regexp` package, over Rust's automata.
//!
//! Rust's `regex` crate reads a different language: it repeats `a{01}`, intersects `[a&&b]`, treats
//! `\<` as a word boundary, and gives `\d`, `\w`, `\s` Unicode meanings. So the
//! pattern is parsed here by Go's rules and handed to the automata as a
//! ready-made HIR; Rust's own pattern syntax is never involved.
//!
//! What it refuses, Go refuses too. The one thing left over: classes such as
//! `\p{Greek}` have the members of this crate's Unicode tables, which can be a
//! version ahead of Go's.
//!
//! ```
//! use go_regexp::{Regex, Template};
//!
//! let regex = Regex::new(r"^main-(?P<build>\d+)$")?;
//! let mut scratch = regex.scratch();
//! let found = regex.find("main-42", &mut scratch).expect("a match");
//! assert_eq!(Template::new("$build").expand(&found), "42");
//!
//! let error = Regex::new("a{2000}").expect_err("more than Go repeats");
//! assert!(error.to_string().contains("invalid repeat count"));
//! # Ok::<(), go_regexp::SyntaxError>(())
//! ```

#![warn(unreachable_pub)]

mod ast;
mod budget;
mod class;
mod expand;
mod hir;
mod parse;

use std::fmt;

use regex_automata::{Input, meta, util::captures::Captures};

pub use budget::{Budget, RUN_LIMIT};
pub use expand::Template;
pub use parse::{Fault, SyntaxError};

/// Memory a compiled pattern may take, in bytes. Go's own limit is on the
/// number of instructions and of the same order.
const COMPILED_SIZE_LIMIT: usize = 64 << 20;

/// The same for one that is kept, in bytes.
const SMALL_SIZE_LIMIT: usize = 1 << 20;

/// A pattern shorter than this, in bytes, cannot nest deeply.
const LONG_PATTERN: usize = 256;
/// Stack for a pattern that might, in bytes.
const DEEP_STACK: usize = 64 << 20;

/// A compiled pattern that matches as Go's `regexp.Regexp` does: unanchored,
/// leftmost-first.
#[derive(Clone)]
pub struct Regex {
    engine: meta::Regex,
    names: Vec<(String, usize)>,
    groups: usize,
    pattern: String,
}

/// The groups of one match, to be read by a [`Template`].
pub struct Match<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    captures: &'t Captures,
}

/// Memory for matching that can be used again from tag to tag.
pub struct Scratch(Captures);

impl Regex {
    /// Compiles `pattern` in Go's syntax (`regexp/syntax` with the Perl flags,
    /// which is what `regexp.Compile` uses).
    ///
    /// # Errors
    /// What Go's compiler refuses, named as Go names it.
    pub fn new(pattern: &str) -> Result<Self, SyntaxError> {
        Self::compile_deep(pattern, COMPILED_SIZE_LIMIT)
    }

    /// Compiles `pattern` out of what is left for the patterns of a run.
    ///
    /// # Errors
    /// What Go's compiler refuses, and [`Fault::OverBudget`].
    pub fn within(pattern: &str, budget: &mut Budget) -> Result<Self, SyntaxError> {
        let limit = budget.limit();
        let compiled = Self::compile_deep(pattern, limit);
        match &compiled {
            Ok(regex) => budget.spend(regex.engine.memory_usage()),
            // What was made before it was too much is gone, and took its time.
            Err(error) if error.fault == Fault::TooLarge => budget.spend(limit),
            Err(_) => budget.spend(0),
        }
        match compiled {
            Err(error) if error.fault == Fault::TooLarge && limit < COMPILED_SIZE_LIMIT => {
                Err(SyntaxError::new(Fault::OverBudget, pattern))
            }
            compiled => compiled,
        }
    }

    /// Compiles a pattern that stays in memory beside many others: at most a
    /// mebibyte.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn small(pattern: &str) -> Result<Self, SyntaxError> {
        Self::compile_deep(pattern, SMALL_SIZE_LIMIT)
    }

    fn compile_deep(pattern: &str, limit: usize) -> Result<Self, SyntaxError> {
        if pattern.len() < LONG_PATTERN {
            return Self::compile(pattern, limit);
        }
        // Parsing and compiling recurse as deep as the pattern nests, up to
        // Go's limit of 1000: more than the small stack of a thread may hold.
        std::thread::scope(|scope| {
            let compiled = std::thread::Builder::new()
                .stack_size(DEEP_STACK)
                .spawn_scoped(scope, || Self::compile(pattern, limit));
            compiled
                .ok()
                .and_then(|thread| thread.join().ok())
                .unwrap_or_else(|| Err(SyntaxError::new(Fault::TooLarge, pattern)))
        })
    }

    fn compile(pattern: &str, limit: usize) -> Result<Self, SyntaxError> {
        let parsed = parse::parse(pattern)?;
        let engine = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .nfa_size_limit(Some(limit))
                    .utf8_empty(false),
            )
            .build_from_hir(&parsed.node.to_hir())
            .map_err(|_| SyntaxError::new(Fault::TooLarge, pattern))?;
        Ok(Self {
            engine,
            names: parsed.names,
            groups: parsed.groups,
            pattern: pattern.to_owned(),
        })
    }

    /// Whether the pattern matches anywhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text.as_bytes())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Memory for [`Regex::find`].
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch(self.engine.create_captures())
    }

    /// The groups of the first match in `text`, if it matches.
    pub fn find<'r, 't>(
        &'r self,
        text: &'t str,
        scratch: &'t mut Scratch,
    ) -> Option<Match<'r, 't>> {
        self.find_at(text, 0, scratch)
    }

    /// The groups of the first match in `text` that begins at byte `at` or
    /// later; what is before it still counts for `^` and `\b`.
    pub fn find_at<'r, 't>(
        &'r self,
        text: &'t str,
        at: usize,
        scratch: &'t mut Scratch,
    ) -> Option<Match<'r, 't>> {
        let input = Input::new(text.as_bytes()).range(at..);
        self.engine.search_captures(&input, &mut scratch.0);
        scratch.0.is_match().then_some(Match {
            regex: self,
            text,
            captures: &scratch.0,
        })
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.pattern).finish()
    }
}

impl Match<'_, '_> {
    /// Where the match begins and ends.
    #[must_use]
    pub fn span(&self) -> (usize, usize) {
        let span = self.captures.get_match();
        span.map_or((0, 0), |span| (span.start(), span.end()))
    }

    /// The text of group `index`, `None` when it took no part or does not exist.
    fn group(&self, index: usize) -> Option<&str> {
        if index > self.regex.groups {
            return None;
        }
        let span = self.captures.get_group(index)?;
        self.text.get(span.range())
    }

    /// The text of the first group called `name` that took part. Go allows a
    /// name several times.
    fn named(&self, name: &str) -> Option<&str> {
        self.regex
            .names
            .iter()
            .filter(|(known, _)| known == name)
            .find_map(|(_, index)| self.group(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_that_rust_reads_differently() {
        for (pattern, text, expected) in [
            ("a{01}", "a{01}", true),
            ("^a{01}$", "a", false),
            ("[a&&b]", "&", true),
            (r"\<", "<", true),
            (r"^\d$", "١", false),
            (r"\b{start}", "a{start}", true),
            (r"(?i)^\w$", "\u{17f}", true),
            (r"\x{D800}", "a", false),
            (r"^\s$", "\u{b}", false),
        ] {
            let regex = Regex::new(pattern).expect(pattern);
            assert_eq!(regex.is_match(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_error_names_the_fault_as_go_does() {
        let error = Regex::new("[").expect_err("unclosed class");
        assert_eq!(
            error.to_string(),
            "error parsing regexp: missing closing ]: `[`"
        );
    }
}
