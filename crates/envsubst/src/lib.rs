//! `${variables}` in a text, as Flux's `postBuild` substitutes them.
//!
//! The forms are those of bash that `fluxcd/pkg/envsubst` has: a value (`${v}`), its
//! length (`${#v}`), a default (`${v:=d}`, `${v:-d}`), a part (`${v:0:3}`), a
//! replacement (`${v/a/b}`), what is cut off by a pattern (`${v#a*}`), and upper and
//! lower case (`${v^^}`). `$v` stays, and `$$` is a `$`. Whatever that library makes
//! of an odd text is made of it here, byte for byte; where it would fail, there is an
//! error with its words.
//!
//! ```
//! use envsubst::Template;
//!
//! let template = Template::parse("${host:=ghcr.io}/acme/app:${tag}, $${x}")?;
//! let text = template.expand(&|name| (name == "tag").then_some("1.0.0"))?;
//! assert_eq!(text, "ghcr.io/acme/app:1.0.0, ${x}");
//! # Ok::<(), envsubst::Error>(())
//! ```

mod functions;
mod pattern;
mod scanner;

use std::sync::LazyLock;

use functions::Function;
use go_regexp::Regex;
use scanner::{Escapes, Modes, Scanner, Token};

/// Variables inside one another go no deeper.
const MAX_DEPTH: usize = 200;

/// A text of this many bytes is made at most, and as many steps are taken in
/// patterns times ten.
pub const MAX_BYTES: usize = 64 << 20;

/// Why nothing is made of a text. The first five are in the library's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A form that does not go on as it began.
    #[error("bad substitution")]
    BadSubstitution,
    /// A name that something else stands behind.
    #[error("missing closing brace")]
    MissingClosingBrace,
    /// No name behind `${`.
    #[error("unable to parse variable name")]
    VariableName,
    /// An argument that ends too soon.
    #[error("unable to parse substitution within function")]
    Argument,
    /// No operator of a default.
    #[error("unable to parse default function")]
    Default,
    /// A part of a negative length.
    #[error("a length is negative")]
    NegativeLength,
    /// More than anyone writes.
    #[error("variables are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More than anyone needs.
    #[error("the result would be larger than {} MiB, or its patterns take too long", MAX_BYTES >> 20)]
    TooLarge,
    /// A part that ends inside a character.
    #[error("the result is not valid UTF-8")]
    NotUtf8,
}

/// What is made of a variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The value itself.
    Value,
    /// A default stands in where it is empty.
    Default,
    /// Its length, a part of it, or something else that it need not be seen in.
    Part,
}

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(Vec<u8>),
    Variable(Variable),
}

/// A variable, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    function: Function,
    arguments: Vec<Node>,
}

impl Template {
    /// Reads a text. A character NUL ends it.
    ///
    /// # Errors
    /// Where it would be one for Flux, or is nested too deeply.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parser = Parser {
            scanner: Scanner::new(text),
            depth: 0,
        };
        let mut nodes = Vec::new();
        loop {
            let scanner = &mut parser.scanner;
            scanner.escapes = Escapes::Dollar;
            let modes = Modes::TEXT.with_variables().with_escapes();
            match scanner.scan(modes, |_, _| true) {
                (Token::Text, text) => nodes.push(Node::Text(text)),
                (Token::Open, _) => nodes.push(Node::Variable(parser.variable()?)),
                (Token::End, _) => return Ok(Self { nodes }),
                _ => return Err(Error::BadSubstitution),
            }
        }
    }

    /// The names of all variables, as often as they occur, with what is made of their
    /// values.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Form)> {
        let mut waiting: Vec<&Node> = self.nodes.iter().rev().collect();
        std::iter::from_fn(move || {
            loop {
                if let Node::Variable(variable) = waiting.pop()? {
                    waiting.extend(variable.arguments.iter().rev());
                    let form = match variable.function {
                        Function::Value => Form::Value,
                        Function::Default => Form::Default,
                        _ => Form::Part,
                    };
                    return Some((variable.name.as_str(), form));
                }
            }
        })
    }

    /// The text with the values that `value` gives; one that it does not know is
    /// empty.
    ///
    /// # Errors
    /// Where there is no text to be made.
    pub fn expand<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> Result<String, Error> {
        let mut out = Vec::new();
        let mut steps = MAX_BYTES * 10;
        for node in &self.nodes {
            expand(node, value, &mut out, &mut steps)?;
        }
        String::from_utf8(out).map_err(|_| Error::NotUtf8)
    }
}

fn expand<'v>(
    node: &Node,
    value: &dyn Fn(&str) -> Option<&'v str>,
    out: &mut Vec<u8>,
    steps: &mut usize,
) -> Result<(), Error> {
    match node {
        Node::Text(text) => out.extend(text),
        Node::Variable(variable) => {
            let mut arguments = Vec::new();
            for node in &variable.arguments {
                let mut argument = Vec::new();
                expand(node, value, &mut argument, steps)?;
                arguments.push(argument);
            }
            let value = value(&variable.name).unwrap_or_default();
            let made = variable
                .function
                .apply(value.as_bytes(), &arguments, steps)?;
            out.extend(made);
        }
    }
    if out.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    Ok(())
}

/// Whether Go counts a character as a letter or a digit; or it is a low line.
fn is_of_name(c: char) -> bool {
    static OTHERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]$").ok());
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    let others = OTHERS.as_ref();
    others.is_some_and(|others| others.is_match(c.encode_utf8(&mut [0; 4])))
}

struct Parser<'t> {
    scanner: Scanner<'t>,
    depth: usize,
}

impl Parser<'_> {
    /// The rest of a variable, behind `${`.
    fn variable(&mut self) -> Result<Variable, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        self.scanner.escapes = Escapes::All;
        let variable = match self.scanner.peek() {
            Some('#') => self.length(),
            _ => self.named(),
        };
        self.depth -= 1;
        variable
    }

    fn named(&mut self) -> Result<Variable, Error> {
        let name = self.name().ok_or(Error::VariableName)?;
        let mut variable = Variable {
            name,
            function: Function::Value,
            arguments: Vec::new(),
        };
        match self.scanner.peek() {
            Some(':') => match self.scanner.peek_second() {
                Some('=' | '-' | '?' | '+') => self.default(&mut variable)?,
                Some(next) if next.is_ascii() => self.part(&mut variable)?,
                _ => return Err(Error::BadSubstitution),
            },
            Some('=') => self.default(&mut variable)?,
            Some(',' | '^') => {
                let operator = self.operator(|c, at| matches!(c, ',' | '^') && at < 3)?;
                variable.function = match operator.as_slice() {
                    b"," => Function::LowerFirst,
                    b",," => Function::Lower,
                    b"^" => Function::UpperFirst,
                    b"^^" => Function::Upper,
                    _ => Function::Value,
                };
                self.close()?;
            }
            Some('/') => self.replacement(&mut variable)?,
            Some(first @ ('#' | '%')) => {
                let operator = self.operator(|c, at| c == first && at < 3)?;
                variable.function = match operator.as_slice() {
                    b"#" => Function::CutShortestPrefix,
                    b"##" => Function::CutLongestPrefix,
                    b"%" => Function::CutShortestSuffix,
                    _ => Function::CutLongestSuffix,
                };
                let argument = self.argument(Modes::TEXT, |c, _| c != '}')?;
                variable.arguments.push(argument);
                self.close()?;
            }
            _ => {
                let (token, _) = self.scanner.scan(Modes::CLOSE, |_, _| false);
                if token != Token::Close {
                    return Err(Error::MissingClosingBrace);
                }
            }
        }
        Ok(variable)
    }

    fn name(&mut self) -> Option<String> {
        let (token, name) = self.scanner.scan(Modes::TEXT, |c, _| is_of_name(c));
        let name = String::from_utf8(name).ok();
        name.filter(|_| token == Token::Text)
    }

    /// An operator, of whose characters `fits` tells, with the bytes up to there.
    fn operator(&mut self, fits: impl Fn(char, usize) -> bool) -> Result<Vec<u8>, Error> {
        match self.scanner.scan(Modes::TEXT, fits) {
            (Token::Text, operator) => Ok(operator),
            _ => Err(Error::BadSubstitution),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.scanner.scan(Modes::CLOSE, |_, _| false) {
            (Token::Close, _) => Ok(()),
            _ => Err(Error::BadSubstitution),
        }
    }

    /// An argument: a variable, or a text of characters that fit, which may not be
    /// empty.
    fn argument(
        &mut self,
        modes: Modes,
        fits: impl Fn(char, usize) -> bool,
    ) -> Result<Node, Error> {
        match self.scanner.scan(modes.with_variables(), fits) {
            (Token::Open, _) => Ok(Node::Variable(self.variable()?)),
            (Token::Text, text) => Ok(Node::Text(text)),
            _ => Err(Error::Argument),
        }
    }

    /// `${#v}`
    fn length(&mut self) -> Result<Variable, Error> {
        self.operator(|c, at| c == '#' && at == 1)?;
        let name = self.name().ok_or(Error::BadSubstitution)?;
        self.close()?;
        Ok(Variable {
            name,
            function: Function::Length,
            arguments: Vec::new(),
        })
    }

    /// `${v=d}`, `${v:=d}`, `${v:-d}`, `${v:?d}` and `${v:+d}`, which all do the same.
    fn default(&mut self, variable: &mut Variable) -> Result<(), Error> {
        let has_colon = self.scanner.peek() == Some(':');
        let fits = |c: char, at: usize| match (has_colon, at) {
            (true, 1) => c == ':',
            (true, 2) => matches!(c, '=' | '-' | '?' | '+'),
            (false, 1) => c == '=',
            _ => false,
        };
        variable.function = Function::Default;
        self.operator(fits).map_err(|_| Error::Default)?;
        while self.scanner.peek() != Some('}') {
            let argument = self.argument(Modes::TEXT, |c, _| c != '}')?;
            variable.arguments.push(argument);
        }
        self.close()
    }

    /// `${v:offset}` and `${v:offset:length}`
    fn part(&mut self, variable: &mut Variable) -> Result<(), Error> {
        variable.function = Function::Part;
        self.operator(|c, at| c == ':' && at == 1)?;
        let offset = self.argument(Modes::TEXT, |c, _| c != ':' && c != '}')?;
        variable.arguments.push(offset);
        match self.scanner.scan(Modes::TEXT.with_close(), |c, _| c == ':') {
            (Token::Close, _) => return Ok(()),
            (Token::Text, _) => {}
            _ => return Err(Error::BadSubstitution),
        }
        let length = self.argument(Modes::TEXT, |c, _| c != '}')?;
        variable.arguments.push(length);
        self.close()
    }

    /// `${v/a/b}`, `${v//a/b}`, `${v/#a/b}` and `${v/%a/b}`
    fn replacement(&mut self, variable: &mut Variable) -> Result<(), Error> {
        let fits = |c: char, at: usize| match at {
            1 => c == '/',
            2 => matches!(c, '/' | '#' | '%'),
            _ => false,
        };
        variable.function = match self.operator(fits)?.as_slice() {
            b"//" => Function::ReplaceAll,
            b"/#" => Function::ReplacePrefix,
            b"/%" => Function::ReplaceSuffix,
            _ => Function::ReplaceFirst,
        };
        let modes = Modes::TEXT.with_escapes();
        let old = self.argument(modes, |c, _| c != '/')?;
        variable.arguments.push(old);
        self.operator(|c, _| c == '/')?;
        if self.scanner.peek() != Some('}') {
            let new = self.argument(modes, |c, _| c != '}')?;
            variable.arguments.push(new);
        }
        self.close()
    }
}
