//! A parsed template. Nodes print as Go prints them, for errors.

use std::fmt;

/// A list of nodes.
pub(crate) type Nodes = Vec<Node>;

/// What is between or in actions.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Call),
    Break,
    Continue,
}

/// `if`, `with` or `range`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub at: usize,
    pub pipe: Pipe,
    pub body: Nodes,
    pub otherwise: Option<Nodes>,
}

/// `template` or `block`.
#[derive(Debug)]
pub(crate) struct Call {
    pub at: usize,
    pub name: String,
    pub pipe: Option<Pipe>,
}

/// Commands in a row, each given the result of the one before.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub at: usize,
    /// Variables that take the result, with their `$`.
    pub variables: Vec<String>,
    /// `=` in place of `:=`
    pub is_assignment: bool,
    pub commands: Vec<Command>,
}

/// A function, method, field or value, and what it is given.
#[derive(Debug)]
pub(crate) struct Command {
    pub operands: Vec<Operand>,
}

/// One operand and where it stands.
#[derive(Debug)]
pub(crate) struct Operand {
    pub at: usize,
    pub term: Term,
}

/// What an operand is.
#[derive(Debug)]
pub(crate) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// A text as written, and its value.
    String(String, Vec<u8>),
    /// `.A.B`
    Field(Vec<String>),
    /// `$a.B.C`: the variable with its `$`, and fields.
    Variable(String, Vec<String>),
    /// `(…).A.B`
    Chain(Box<Operand>, Vec<String>),
    Function(String),
    Pipe(Pipe),
}

/// A constant that takes its type from where it is used.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    /// As written.
    pub text: String,
    pub int: Option<i64>,
    pub float: f64,
}

impl Number {
    /// Whether it is a float where nothing says what it should be.
    pub(crate) fn is_float_by_itself(&self) -> bool {
        let text = self.text.as_bytes();
        let is_hex = text.len() > 2
            && text[0] == b'0'
            && matches!(text[1], b'x' | b'X')
            && !self.text.contains(['p', 'P']);
        !is_hex && text.first() != Some(&b'\'') && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

fn fields(f: &mut fmt::Formatter<'_>, fields: &[String]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Number(number) => f.write_str(&number.text),
            Term::String(written, _) => f.write_str(written),
            Term::Field(names) => fields(f, names),
            Term::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            Term::Chain(operand, names) => {
                match operand.term {
                    Term::Pipe(_) => write!(f, "{operand}")?,
                    _ => write!(f, "({operand})")?,
                }
                fields(f, names)
            }
            Term::Function(name) => f.write_str(name),
            Term::Pipe(pipe) => write!(f, "({pipe})"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{operand}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {:?}", self.name)?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}
