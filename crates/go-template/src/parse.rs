//! Tokens as a tree, and the trees that `define` and `block` name.
//!
//! As in Go, functions and variables are checked here: a template that calls
//! what does not exist is refused whole, even where the call would never be
//! reached.

use std::collections::{BTreeMap, HashMap};

use super::error::{Cause, Error, Position};
use super::lex::{self, Kind, Token};
use super::literal;
use super::node::{Branch, Call, Command, Node, Nodes, Operand, Pipe, Term};

/// How deep actions may be nested; Go has no such limit.
const MAX_NESTING: usize = 200;

/// The trees of a template by name.
#[derive(Debug)]
pub(crate) struct Trees {
    pub main: Nodes,
    pub named: BTreeMap<String, Nodes>,
}

/// Parses a template. `is_function` knows which functions there are.
pub(crate) fn parse(source: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Trees, Error> {
    let mut parser = Parser {
        source,
        tokens: lex::tokens(source)?,
        next: 0,
        is_function,
        variables: vec!["$".to_owned()],
        ranges: 0,
        nesting: 0,
        named: HashMap::new(),
    };
    let main = parser.top()?;
    Ok(Trees {
        main,
        named: parser.named.into_iter().collect(),
    })
}

struct Parser<'t> {
    source: &'t str,
    tokens: Vec<Token<'t>>,
    next: usize,
    is_function: &'t dyn Fn(&str) -> bool,
    /// Variables in scope.
    variables: Vec<String>,
    /// How many `range` are open.
    ranges: usize,
    nesting: usize,
    named: HashMap<String, Nodes>,
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Ended {
    End,
    Else,
}

/// An action: a node, or a word that ends a list.
enum Action {
    Node(Node),
    Ended(Ended),
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token<'t> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_solid(&mut self) -> Token<'t> {
        self.skip_space();
        self.take()
    }

    fn peek_solid(&mut self) -> Token<'t> {
        self.skip_space();
        self.peek()
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Error {
        Error::syntax(Position::of(self.source, at), message)
    }

    fn unexpected(&self, token: Token<'_>, context: &str) -> Error {
        let what = match token.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Word if is_keyword(token.text) => format!("<{}>", token.text),
            _ => format!("{:?}", token.text),
        };
        self.error(token.at, format!("unexpected {what} in {context}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'t>, Error> {
        let token = self.take_solid();
        if token.kind == kind {
            Ok(token)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(
        &mut self,
        at: usize,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.nesting == MAX_NESTING {
            let message = format!("actions are nested more than {MAX_NESTING} deep");
            let mut error = self.error(at, message);
            error.cause = Cause::Limit;
            return Err(error);
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    fn top(&mut self) -> Result<Nodes, Error> {
        let mut nodes = Nodes::new();
        while self.peek().kind != Kind::End {
            let token = self.peek();
            if self.at_definition() {
                self.definition()?;
                continue;
            }
            match self.text_or_action()? {
                Action::Node(node) => nodes.push(node),
                Action::Ended(ended) => {
                    let word = ended.word();
                    return Err(self.error(token.at, format!("unexpected {{{{{word}}}}}")));
                }
            }
        }
        Ok(nodes)
    }

    /// Goes past `{{ define`, if that comes next. It means something only at
    /// the top.
    fn at_definition(&mut self) -> bool {
        if self.peek().kind != Kind::Open {
            return false;
        }
        let before = self.next;
        self.next += 1;
        let word = self.take_solid();
        let is_definition = word.kind == Kind::Word && word.text == "define";
        if !is_definition {
            self.next = before;
        }
        is_definition
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        let token = self.take_solid();
        let name = self.template_name(token, context)?;
        self.expect(Kind::Close, context)?;
        self.tree(token.at, name, context)
    }

    /// A tree of its own, which sees no variable of the one around it.
    fn tree(&mut self, at: usize, name: String, context: &str) -> Result<(), Error> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, ended) = self.nested(at, Self::list)?;
        if ended == Ended::Else {
            return Err(self.error(at, format!("unexpected {{{{else}}}} in {context}")));
        }
        self.variables = variables;
        self.ranges = ranges;
        let is_new = self.named.get(&name).is_none_or(|old| is_empty(old));
        if is_new {
            self.named.insert(name, nodes);
        } else if !is_empty(&nodes) {
            let message = format!("template: multiple definition of template {name:?}");
            return Err(self.error(at, message));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(Nodes, Ended), Error> {
        let mut nodes = Nodes::new();
        while self.peek_solid().kind != Kind::End {
            match self.text_or_action()? {
                Action::Node(node) => nodes.push(node),
                Action::Ended(ended) => return Ok((nodes, ended)),
            }
        }
        Err(self.error(self.source.len(), "unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Action, Error> {
        let token = self.take_solid();
        match token.kind {
            Kind::Text => Ok(Action::Node(Node::Text(token.text.to_owned()))),
            Kind::Open => self.action(),
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Action, Error> {
        let token = self.peek_solid();
        let word = if token.kind == Kind::Word {
            token.text
        } else {
            ""
        };
        if is_keyword(word) {
            self.next += 1;
        }
        let node = match word {
            "if" => Node::If(self.branch(token.at, word)?),
            "with" => Node::With(self.branch(token.at, word)?),
            "range" => Node::Range(self.branch(token.at, word)?),
            "block" => self.block()?,
            "template" => self.call()?,
            "break" | "continue" => self.jump(token)?,
            "end" => {
                self.expect(Kind::Close, "end")?;
                return Ok(Action::Ended(Ended::End));
            }
            "else" => {
                let next = self.peek_solid();
                // `{{else if` is read by the branch that it belongs to.
                if !(next.kind == Kind::Word && matches!(next.text, "if" | "with")) {
                    self.expect(Kind::Close, "else")?;
                }
                return Ok(Action::Ended(Ended::Else));
            }
            "define" => return Err(self.unexpected(token, "command")),
            _ => Node::Action(self.pipeline("command", Kind::Close)?),
        };
        Ok(Action::Node(node))
    }

    fn jump(&mut self, token: Token<'_>) -> Result<Node, Error> {
        let word = token.text;
        self.expect(Kind::Close, &format!("{{{{{word}}}}}"))?;
        if self.ranges == 0 {
            let message = format!("{{{{{word}}}}} outside {{{{range}}}}");
            return Err(self.error(token.at, message));
        }
        Ok(if word == "break" {
            Node::Break
        } else {
            Node::Continue
        })
    }

    fn branch(&mut self, at: usize, word: &str) -> Result<Branch, Error> {
        self.nested(at, |parser| {
            let variables = parser.variables.len();
            let branch = parser.branch_in_scope(at, word);
            parser.variables.truncate(variables);
            branch
        })
    }

    fn branch_in_scope(&mut self, at: usize, word: &str) -> Result<Branch, Error> {
        let pipe = self.pipeline(word, Kind::Close)?;
        let is_range = usize::from(word == "range");
        self.ranges += is_range;
        let (body, ended) = self.list()?;
        self.ranges -= is_range;
        let mut otherwise = None;
        if ended == Ended::Else {
            let next = self.peek();
            if word != "range" && next.kind == Kind::Word && next.text == word {
                self.next += 1;
                let inner = self.branch(next.at, word)?;
                otherwise = Some(vec![if word == "if" {
                    Node::If(inner)
                } else {
                    Node::With(inner)
                }]);
            } else {
                let (nodes, ended) = self.list()?;
                if ended == Ended::Else {
                    return Err(self.error(next.at, "expected end; found {{else}}"));
                }
                otherwise = Some(nodes);
            }
        }
        Ok(Branch {
            at,
            pipe,
            body,
            otherwise,
        })
    }

    fn block(&mut self) -> Result<Node, Error> {
        let context = "block clause";
        let token = self.take_solid();
        let name = self.template_name(token, context)?;
        let pipe = self.pipeline(context, Kind::Close)?;
        self.tree(token.at, name.clone(), context)?;
        Ok(Node::Template(Call {
            at: token.at,
            name,
            pipe: Some(pipe),
        }))
    }

    fn call(&mut self) -> Result<Node, Error> {
        let context = "template clause";
        let token = self.take_solid();
        let name = self.template_name(token, context)?;
        let pipe = if self.peek_solid().kind == Kind::Close {
            self.next += 1;
            None
        } else {
            Some(self.pipeline(context, Kind::Close)?)
        };
        Ok(Node::Template(Call {
            at: token.at,
            name,
            pipe,
        }))
    }

    fn template_name(&self, token: Token<'_>, context: &str) -> Result<String, Error> {
        if !matches!(token.kind, Kind::Quoted | Kind::Raw) {
            return Err(self.unexpected(token, context));
        }
        let name = literal::text(token.text).map_err(|fault| self.error(token.at, fault))?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let mut pipe = Pipe {
            at: self.peek_solid().at,
            variables: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_solid();
            match token.kind {
                kind if kind == end => {
                    self.next += 1;
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Char
                | Kind::Number
                | Kind::Imaginary
                | Kind::Quoted
                | Kind::Raw
                | Kind::Dot
                | Kind::Field
                | Kind::Variable
                | Kind::LeftParen => pipe.commands.push(self.command()?),
                Kind::Word if !is_keyword(token.text) => pipe.commands.push(self.command()?),
                _ => return Err(self.unexpected(token, context)),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Error> {
        while self.peek_solid().kind == Kind::Variable {
            let before = self.next;
            let variable = self.take().text.to_owned();
            let next = self.peek_solid();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.is_assignment = next.kind == Kind::Assign;
                    self.next += 1;
                    self.declare(pipe, variable);
                    return Ok(());
                }
                Kind::Comma => {
                    self.next += 1;
                    self.declare(pipe, variable);
                    if context != "range" || pipe.variables.len() > 1 {
                        let message = format!("too many declarations in {context}");
                        return Err(self.error(next.at, message));
                    }
                    let third = self.peek_solid();
                    if !matches!(third.kind, Kind::Variable | Kind::Close | Kind::RightParen) {
                        let message = "range can only initialize variables";
                        return Err(self.error(third.at, message));
                    }
                }
                _ => {
                    self.next = before;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: String) {
        self.variables.push(variable.clone());
        pipe.variables.push(variable);
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<(), Error> {
        if pipe.commands.is_empty() {
            return Err(self.error(pipe.at, format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = &command.operands[0];
            let is_value = matches!(
                first.term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::String(..)
            );
            if is_value {
                let stage = index + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return Err(self.error(first.at, message));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, Error> {
        let mut operands = Vec::new();
        let at = self.peek_solid().at;
        loop {
            self.skip_space();
            operands.extend(self.operand()?);
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    self.next += 1;
                    continue;
                }
                Kind::Close | Kind::RightParen => {}
                Kind::Pipe => self.next += 1,
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        if operands.is_empty() {
            return Err(self.error(at, "empty command"));
        }
        Ok(Command { operands })
    }

    fn operand(&mut self) -> Result<Option<Operand>, Error> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let at = self.peek().at;
        let mut more = Vec::new();
        while self.peek().kind == Kind::Field {
            more.push(self.take().text[1..].to_owned());
        }
        if more.is_empty() {
            return Ok(Some(operand));
        }
        match &mut operand.term {
            Term::Field(names) | Term::Variable(_, names) => {
                names.extend(more);
                operand.at = at;
            }
            Term::Bool(_) | Term::String(..) | Term::Number(_) | Term::Nil | Term::Dot => {
                let message = format!("unexpected . after term {:?}", operand.to_string());
                return Err(self.error(at, message));
            }
            _ => {
                operand = Operand {
                    at,
                    term: Term::Chain(Box::new(operand), more),
                };
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>, Error> {
        let token = self.peek_solid();
        let term = match token.kind {
            Kind::Word => match token.text {
                "true" => Term::Bool(true),
                "false" => Term::Bool(false),
                "nil" => Term::Nil,
                word if is_keyword(word) => return Ok(None),
                name if (self.is_function)(name) => Term::Function(name.to_owned()),
                name => {
                    let message = format!("function {name:?} not defined");
                    return Err(self.error(token.at, message));
                }
            },
            Kind::Dot => Term::Dot,
            Kind::Field => Term::Field(vec![token.text[1..].to_owned()]),
            Kind::Variable => {
                if !self.variables.iter().any(|known| known == token.text) {
                    let message = format!("undefined variable {:?}", token.text);
                    return Err(self.error(token.at, message));
                }
                Term::Variable(token.text.to_owned(), Vec::new())
            }
            Kind::Char | Kind::Number | Kind::Imaginary => {
                let number = literal::number(token.text);
                Term::Number(number.map_err(|fault| self.error(token.at, fault))?)
            }
            Kind::Quoted | Kind::Raw => {
                let value = literal::text(token.text);
                let value = value.map_err(|fault| self.error(token.at, fault))?;
                Term::String(token.text.to_owned(), value)
            }
            Kind::LeftParen => {
                self.next += 1;
                let pipe = self.nested(token.at, |parser| {
                    parser.pipeline("parenthesized pipeline", Kind::RightParen)
                })?;
                return Ok(Some(Operand {
                    at: pipe.at,
                    term: Term::Pipe(pipe),
                }));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(Operand { at: token.at, term }))
    }
}

impl Ended {
    fn word(&self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Else => "else",
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "block"
            | "break"
            | "continue"
            | "define"
            | "else"
            | "end"
            | "if"
            | "range"
            | "template"
            | "with"
    )
}

/// Whether a tree prints nothing, and so may be defined again.
fn is_empty(nodes: &[Node]) -> bool {
    nodes
        .iter()
        .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}
