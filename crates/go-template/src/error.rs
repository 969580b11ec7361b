//! What is wrong with a template, and where.

use std::fmt;

/// A place in the text of a template, both numbers from 1, the column in
/// characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    /// The place of a byte.
    #[must_use]
    pub fn of(source: &str, at: usize) -> Self {
        let before = &source[..at.min(source.len())];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// When a template failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is not a template.
    Syntax,
    /// It could not be executed.
    Run,
    /// It asked for what the data refuses to give, in the data's own words.
    Refused,
    /// It went past a limit.
    Limit,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where in the template.
    pub position: Position,
    /// What the template says there, spelled as Go does; empty for syntax.
    pub context: String,
    /// What is wrong.
    pub message: String,
    /// When it failed.
    pub cause: Cause,
}

impl Error {
    pub(super) fn syntax(position: Position, message: impl Into<String>) -> Self {
        Self {
            position,
            context: String::new(),
            message: message.into(),
            cause: Cause::Syntax,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.position)?;
        if !self.context.is_empty() {
            write!(f, "at <{}>: ", printable(&self.context))?;
        }
        f.write_str(&printable(&self.message))
    }
}

/// A template may hold what would steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

impl std::error::Error for Error {}
