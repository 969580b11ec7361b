//! Go's `Regexp.Expand`: `$name`, `${name}`, `$1`, `$$`.
//!
//! A name is the *longest* run of letters, digits and `_`, so `$1x` is the
//! group called `1x`. A malformed `$` is copied as it stands.

use super::{Match, Regex};

/// A parsed `filterTags.extract`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Index(usize),
    Name(String),
}

impl Template {
    /// Reads a template; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            literal.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
            } else if let Some((piece, after)) = reference(rest) {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(piece);
                rest = after;
            } else {
                literal.push('$');
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Self { pieces }
    }

    /// The template filled in from a match.
    #[must_use]
    pub fn expand(&self, found: &Match<'_, '_>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Index(index) => out.push_str(found.group(*index).unwrap_or_default()),
                Piece::Name(name) => out.push_str(found.named(name).unwrap_or_default()),
            }
        }
        out
    }
}

/// Reads a group reference after its `$`, and what follows it.
fn reference(text: &str) -> Option<(Piece, &str)> {
    let (braced, inside) = match text.strip_prefix('{') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    let length = inside
        .find(|c: char| !(c == '_' || is_letter_or_digit(c)))
        .unwrap_or(inside.len());
    let (name, mut after) = inside.split_at(length);
    if name.is_empty() {
        return None;
    }
    if braced {
        after = after.strip_prefix('}')?;
    }
    let is_number =
        name.bytes().all(|b| b.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    // Go stops counting at 1e8; no pattern has so many groups.
    let piece = match name.parse::<usize>() {
        Ok(index) if is_number && index < 100_000_000 => Piece::Index(index),
        _ => Piece::Name(name.to_owned()),
    };
    Some((piece, after))
}

/// Go's `unicode.IsLetter` or `unicode.IsDigit`.
fn is_letter_or_digit(c: char) -> bool {
    use std::sync::LazyLock;
    static MEMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]$").ok());
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    MEMBERS
        .as_ref()
        .is_some_and(|members| members.is_match(c.encode_utf8(&mut [0; 4])))
}
