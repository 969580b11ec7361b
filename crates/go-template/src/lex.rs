//! Text and actions of a template, as tokens.
//!
//! Delimiters are `{{` and `}}`. `{{- ` and ` -}}` take the white space beside
//! them away; a comment is `{{/* … */}}` with nothing else between the
//! delimiters. Inside an action runs of white space are a token, since
//! `.A .B` is two operands and `.A.B` is one.

use super::error::{Error, Position};
use crate::unicode;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Open,
    Close,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    /// Another printable character, which no rule of the grammar takes.
    Other,
    /// A letter in single quotes, with them.
    Char,
    Number,
    Imaginary,
    /// A text in double quotes, with them.
    Quoted,
    /// A text in backquotes, with them.
    Raw,
    Dot,
    /// `.Name`
    Field,
    /// `$` or `$name`
    Variable,
    Word,
    End,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub kind: Kind,
    pub at: usize,
    pub text: &'t str,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// What Go's lexer takes as white space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || unicode::is_letter(c) || unicode::is_digit(c)
}

/// The tokens of a template; the last one is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut lexer = Lexer {
        source,
        at: 0,
        tokens: Vec::new(),
    };
    while lexer.at < source.len() {
        lexer.text()?;
    }
    lexer.push(Kind::End, lexer.at);
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    source: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(wanted).len();
    }

    fn accept(&mut self, one_of: &str) -> bool {
        let is_one = self.peek().is_some_and(|c| one_of.contains(c));
        if is_one {
            self.at += 1;
        }
        is_one
    }

    fn push(&mut self, kind: Kind, from: usize) {
        self.tokens.push(Token {
            kind,
            at: from,
            text: &self.source[from..self.at],
        });
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Error {
        Error::syntax(Position::of(self.source, at), message)
    }

    /// Text up to an action, and the action.
    fn text(&mut self) -> Result<(), Error> {
        let rest = self.rest();
        let from = self.at;
        let Some(open) = rest.find(OPEN) else {
            self.at = self.source.len();
            self.push(Kind::Text, from);
            return Ok(());
        };
        let action = from + open;
        let trims = trims_left(&self.source[action + OPEN.len()..]);
        self.at = if trims {
            from + rest[..open].trim_end_matches(is_space).len()
        } else {
            action
        };
        if self.at > from {
            self.push(Kind::Text, from);
        }
        self.at = action + OPEN.len() + if trims { 2 } else { 0 };
        if self.rest().starts_with("/*") {
            return self.comment();
        }
        self.tokens.push(Token {
            kind: Kind::Open,
            at: action,
            text: OPEN,
        });
        self.action(action)
    }

    fn comment(&mut self) -> Result<(), Error> {
        let from = self.at;
        // `/*/` opens a comment and does not close it.
        let Some(end) = self.source[from + 2..].find("*/") else {
            return Err(self.error(from, "unclosed comment"));
        };
        self.at = from + 2 + end + 2;
        if !self.close() {
            return Err(self.error(from, "comment ends before closing delimiter"));
        }
        Ok(())
    }

    /// Goes past a closing delimiter, and past the white space behind it where
    /// it says so.
    fn close(&mut self) -> bool {
        let rest = self.rest();
        let trims = is_trimming_close(rest);
        if !trims && !rest.starts_with(CLOSE) {
            return false;
        }
        self.at += CLOSE.len() + if trims { 2 } else { 0 };
        if trims {
            self.skip(is_space);
        }
        true
    }

    /// The tokens of one action. `open` is where its delimiter stands.
    fn action(&mut self, open: usize) -> Result<(), Error> {
        let mut depth = 0_usize;
        loop {
            let from = self.at;
            if is_trimming_close(self.rest()) || self.rest().starts_with(CLOSE) {
                if depth > 0 {
                    return Err(self.error(from, "unclosed left paren"));
                }
                self.close();
                self.tokens.push(Token {
                    kind: Kind::Close,
                    at: from,
                    text: CLOSE,
                });
                return Ok(());
            }
            let Some(c) = self.next() else {
                return Err(self.error(open, "unclosed action"));
            };
            let kind = match c {
                _ if is_space(c) => {
                    self.spaces();
                    Kind::Space
                }
                '=' => Kind::Assign,
                ':' if self.accept("=") => Kind::Declare,
                ':' => return Err(self.error(from, "expected :=")),
                '|' => Kind::Pipe,
                '"' => self.quoted(from, '"', "unterminated quoted string")?,
                '\'' => self.quoted(from, '\'', "unterminated character constant")?,
                '`' => self.raw(from)?,
                '$' => self.name(Kind::Variable, Kind::Variable)?,
                '.' if !self.peek().is_none_or(|c| c.is_ascii_digit()) => {
                    self.name(Kind::Field, Kind::Dot)?
                }
                '.' | '+' | '-' | '0'..='9' => self.number(from)?,
                _ if is_word(c) => {
                    self.skip(is_word);
                    self.terminator()?;
                    Kind::Word
                }
                '(' => {
                    depth += 1;
                    Kind::LeftParen
                }
                ')' if depth == 0 => return Err(self.error(from, "unexpected right paren")),
                ')' => {
                    depth -= 1;
                    Kind::RightParen
                }
                ',' => Kind::Comma,
                ' '..='~' => Kind::Other,
                _ => {
                    let message = format!("unrecognized character in action: {}", unicode::code(c));
                    return Err(self.error(from, message));
                }
            };
            self.push(kind, from);
        }
    }

    /// White space, but for the blank that belongs to a trimming close.
    fn spaces(&mut self) {
        self.skip(is_space);
        if is_trimming_close(&self.source[self.at - 1..]) {
            self.at -= 1;
        }
    }

    fn quoted(&mut self, from: usize, end: char, fault: &str) -> Result<Kind, Error> {
        loop {
            match self.next() {
                Some('\\') if self.next().is_some_and(|c| c != '\n') => {}
                Some(c) if c == end => break,
                None | Some('\n' | '\\') => return Err(self.error(from, fault)),
                Some(_) => {}
            }
        }
        Ok(if end == '"' { Kind::Quoted } else { Kind::Char })
    }

    fn raw(&mut self, from: usize) -> Result<Kind, Error> {
        let Some(end) = self.rest().find('`') else {
            return Err(self.error(from, "unterminated raw quoted string"));
        };
        self.at += end + 1;
        Ok(Kind::Raw)
    }

    /// `named` with a name behind its sign, `bare` without.
    fn name(&mut self, named: Kind, bare: Kind) -> Result<Kind, Error> {
        if self.is_terminator() {
            return Ok(bare);
        }
        self.skip(is_word);
        self.terminator()?;
        Ok(named)
    }

    fn is_terminator(&self) -> bool {
        self.rest().starts_with(CLOSE)
            || self
                .peek()
                .is_none_or(|c| is_space(c) || ".,|:)(".contains(c))
    }

    fn terminator(&self) -> Result<(), Error> {
        if self.is_terminator() {
            return Ok(());
        }
        let c = self.peek().unwrap_or_default();
        Err(self.error(self.at, format!("bad character {}", unicode::code(c))))
    }

    fn number(&mut self, from: usize) -> Result<Kind, Error> {
        self.at = from;
        let mut is_number = self.scan_number();
        let mut kind = Kind::Number;
        if is_number && self.peek().is_some_and(|c| "+-".contains(c)) {
            is_number = self.scan_number() && self.source[..self.at].ends_with('i');
            kind = Kind::Imaginary;
        }
        if is_number {
            return Ok(kind);
        }
        let text = &self.source[from..self.at];
        Err(self.error(from, format!("bad number syntax: {text:?}")))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        let mut exponents = "eE";
        if self.accept("0") {
            if self.accept("xX") {
                (digits, exponents) = ("0123456789abcdefABCDEF_", "pP");
            } else if self.accept("oO") {
                (digits, exponents) = ("01234567_", "");
            } else if self.accept("bB") {
                (digits, exponents) = ("01_", "");
            }
        }
        self.skip(|c| digits.contains(c));
        if self.accept(".") {
            self.skip(|c| digits.contains(c));
        }
        if self.accept(exponents) {
            self.accept("+-");
            self.skip(|c| "0123456789_".contains(c));
        }
        self.accept("i");
        match self.peek().filter(|c| is_word(*c)) {
            Some(c) => {
                self.at += c.len_utf8();
                false
            }
            None => true,
        }
    }
}

/// Whether the text behind `{{` begins with a trim marker.
fn trims_left(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

/// Whether a text begins with white space and `-}}`.
fn is_trimming_close(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next().is_some_and(is_space) && chars.as_str().starts_with("-}}")
}
