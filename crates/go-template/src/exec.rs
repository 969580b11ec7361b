//! A template and its data give a text.
//!
//! Types are checked as Go's reflection checks them: a constant takes the type
//! that is wanted, all else must have it already.

use std::rc::Rc;

use super::budget::{Budget, Fault, STEP};
use super::error::{Cause, Error, Position};
use super::function::{self, Args, Function, Param, Run};
use super::node::{Branch, Call, Command, Node, Operand, Pipe, Term};
use super::value::{Bytes, Entries, Key, Value};
use super::{Template, fmt, method};
use crate::time::Time;

/// How deep templates, actions and pipelines may call one another. Go's limit,
/// on templates alone, is 100,000.
const MAX_DEPTH: usize = 2_000;

/// Executes a template.
pub(crate) fn execute(template: &Template, data: &Value, now: &Time) -> Result<Vec<u8>, Error> {
    let mut state = State {
        template,
        now,
        budget: Budget::new(template.limits.work),
        out: Vec::new(),
        variables: vec![("$".into(), data.clone())],
        depth: 0,
    };
    state.nodes(data, &template.trees.main)?;
    Ok(state.out)
}

struct State<'s> {
    template: &'s Template,
    now: &'s Time,
    budget: Budget,
    out: Vec<u8>,
    variables: Vec<(Rc<str>, Value)>,
    depth: usize,
}

/// How a list of nodes was left.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    AtEnd,
    Break,
    Continue,
}

/// Where something went wrong, for the error.
struct Place<'p> {
    at: usize,
    context: &'p dyn std::fmt::Display,
}

/// Where an action is executed: what the dot is there, and what errors name.
#[derive(Clone, Copy)]
struct Frame<'f> {
    dot: &'f Value,
    place: &'f Place<'f>,
}

impl<'p> Place<'p> {
    fn new(at: usize, context: &'p dyn std::fmt::Display) -> Self {
        Self { at, context }
    }

    fn of(operand: &'p Operand) -> Self {
        Self::new(operand.at, operand)
    }
}

impl State<'_> {
    fn error(&self, place: &Place<'_>, cause: Cause, message: impl Into<String>) -> Error {
        Error {
            position: Position::of(&self.template.source, place.at),
            context: place.context.to_string(),
            message: message.into(),
            cause,
        }
    }

    fn fail<T>(&self, place: &Place<'_>, message: impl Into<String>) -> Result<T, Error> {
        Err(self.error(place, Cause::Run, message))
    }

    /// What a function says, as an error here.
    fn fault(&self, place: &Place<'_>, name: &str, fault: Fault) -> Error {
        match fault {
            Fault::Error(message) => self.error(
                place,
                Cause::Run,
                format!("error calling {name}: {message}"),
            ),
            Fault::Limit(message) => self.error(place, Cause::Limit, message),
        }
    }

    fn charge(&mut self, place: &Place<'_>, work: usize) -> Result<(), Error> {
        let paid = self.budget.charge(work);
        paid.map_err(|fault| self.fault(place, "", fault))
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(
        &mut self,
        place: &Place<'_>,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            let message = "templates or actions call one another without end";
            return Err(self.error(place, Cause::Limit, message));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn write(&mut self, place: &Place<'_>, bytes: &[u8]) -> Result<(), Error> {
        self.charge(place, bytes.len())?;
        let most = self.template.limits.result;
        if self.out.len() + bytes.len() > most {
            let message = format!("the result is longer than {most} bytes");
            return Err(self.error(place, Cause::Limit, message));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn nodes(&mut self, dot: &Value, nodes: &[Node]) -> Result<Flow, Error> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::AtEnd {
                return Ok(flow);
            }
        }
        Ok(Flow::AtEnd)
    }

    fn node(&mut self, dot: &Value, node: &Node) -> Result<Flow, Error> {
        match node {
            Node::Text(text) => {
                self.write(&Place::new(0, &"text"), text.as_bytes())?;
            }
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(&Place::new(pipe.at, pipe), &value)?;
                }
            }
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template(call) => self.template(dot, call)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::AtEnd)
    }

    fn print(&mut self, place: &Place<'_>, value: &Value) -> Result<(), Error> {
        if value.is_nothing() {
            return self.write(place, b"<no value>");
        }
        let printed = fmt::print(&mut self.budget, value);
        let printed = printed.map_err(|fault| self.fault(place, "print", fault))?;
        self.write(place, &printed)
    }

    fn branch(&mut self, dot: &Value, branch: &Branch, is_with: bool) -> Result<Flow, Error> {
        let place = Place::new(branch.at, &branch.pipe);
        self.deeper(&place, |state| {
            let mark = state.variables.len();
            let value = state.pipe(dot, &branch.pipe)?;
            let flow = match (value.is_true(), &branch.otherwise) {
                (true, _) if is_with => state.nodes(&value, &branch.body),
                (true, _) => state.nodes(dot, &branch.body),
                (false, Some(otherwise)) => state.nodes(dot, otherwise),
                (false, None) => Ok(Flow::AtEnd),
            };
            state.variables.truncate(mark);
            flow
        })
    }

    fn range(&mut self, dot: &Value, branch: &Branch) -> Result<Flow, Error> {
        let place = Place::new(branch.at, &branch.pipe);
        self.deeper(&place, |state| {
            let mark = state.variables.len();
            let value = state.pipe(dot, &branch.pipe)?;
            let flow = state.iterate(dot, branch, &value, &place);
            state.variables.truncate(mark);
            flow
        })
    }

    fn iterate(
        &mut self,
        dot: &Value,
        branch: &Branch,
        value: &Value,
        place: &Place<'_>,
    ) -> Result<Flow, Error> {
        let mut ran = false;
        match value {
            Value::Int(count, kind) => {
                let count = u64::try_from(*count).unwrap_or(0);
                let element = |number: u64| Value::Int(number.cast_signed(), *kind);
                match self.count(branch, count, &element, place)? {
                    Flow::Break => return Ok(Flow::AtEnd),
                    _ => ran = count > 0,
                }
            }
            Value::Uint(count, kind) => {
                let element = |number: u64| Value::Uint(number, *kind);
                match self.count(branch, *count, &element, place)? {
                    Flow::Break => return Ok(Flow::AtEnd),
                    _ => ran = *count > 0,
                }
            }
            Value::List(list) => {
                for (number, element) in (0..).zip(list.items.iter()) {
                    ran = true;
                    let index = Value::int(number);
                    if self.turn(branch, index, element.clone(), place)? == Flow::Break {
                        return Ok(Flow::AtEnd);
                    }
                }
            }
            Value::Map(map) => {
                // The body may change the map.
                self.charge(place, map.entries.borrow().len() * 4)?;
                let entries: Entries = map.entries.borrow().clone();
                for (Key(key), element) in entries {
                    ran = true;
                    if self.turn(branch, key, element, place)? == Flow::Break {
                        return Ok(Flow::AtEnd);
                    }
                }
            }
            Value::Missing => {}
            other => {
                let shown = fmt::print(&mut self.budget, other).unwrap_or_default();
                let shown = function::lossy(&shown);
                return self.fail(place, format!("range can't iterate over {shown}"));
            }
        }
        match &branch.otherwise {
            Some(otherwise) if !ran => self.nodes(dot, otherwise),
            _ => Ok(Flow::AtEnd),
        }
    }

    /// A range over the numbers below another.
    fn count(
        &mut self,
        branch: &Branch,
        count: u64,
        element: &dyn Fn(u64) -> Value,
        place: &Place<'_>,
    ) -> Result<Flow, Error> {
        if branch.pipe.variables.len() > 1 {
            let message = format!("can't use {count} to iterate over more than one variable");
            return self.fail(place, message);
        }
        for number in 0..count {
            if self.turn(branch, Value::Missing, element(number), place)? == Flow::Break {
                return Ok(Flow::Break);
            }
        }
        Ok(Flow::AtEnd)
    }

    /// One turn of a range.
    fn turn(
        &mut self,
        branch: &Branch,
        index: Value,
        element: Value,
        place: &Place<'_>,
    ) -> Result<Flow, Error> {
        self.charge(place, STEP)?;
        let mark = self.variables.len();
        let pipe = &branch.pipe;
        match pipe.variables.as_slice() {
            [] => {}
            [one] if pipe.is_assignment => self.assign(place, one, element.clone())?,
            [one, two] if pipe.is_assignment => {
                self.assign(place, one, index)?;
                self.assign(place, two, element.clone())?;
            }
            // The pipe pushed its variables, which stand at the top.
            [_] => self.variables[mark - 1].1 = element.clone(),
            _ => {
                self.variables[mark - 1].1 = element.clone();
                self.variables[mark - 2].1 = index;
            }
        }
        let flow = self.nodes(&element, &branch.body);
        self.variables.truncate(mark);
        flow
    }

    fn template(&mut self, dot: &Value, call: &Call) -> Result<(), Error> {
        let place = Place::new(call.at, call);
        let Some(tree) = self.template.trees.named.get(&call.name) else {
            return self.fail(&place, format!("template {:?} not defined", call.name));
        };
        let data = match &call.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        self.charge(&place, STEP)?;
        self.deeper(&place, |state| {
            let inner = vec![("$".into(), data.clone())];
            let outer = std::mem::replace(&mut state.variables, inner);
            let flow = state.nodes(&data, tree);
            state.variables = outer;
            flow.map(|_| ())
        })
    }

    fn assign(&mut self, place: &Place<'_>, name: &str, value: Value) -> Result<(), Error> {
        let mut known = self.variables.iter_mut().rev();
        match known.find(|(known, _)| **known == *name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(place, format!("undefined variable: {name}")),
        }
    }

    fn pipe(&mut self, dot: &Value, pipe: &Pipe) -> Result<Value, Error> {
        let place = Place::new(pipe.at, pipe);
        self.charge(&place, STEP)?;
        let mut value = None;
        for command in &pipe.commands {
            let given = self.command(dot, command, value)?;
            // What is inside an interface; nothing, in a nil one.
            value = Some(match given {
                Value::Nil => Value::Missing,
                given => given,
            });
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.is_assignment {
                self.assign(&place, name, value.clone())?;
            } else {
                self.variables.push((name.as_str().into(), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value,
        command: &Command,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let first = &command.operands[0];
        let call = Invocation {
            operands: &command.operands[1..],
            last,
        };
        match &first.term {
            // Its errors show the whole command.
            Term::Function(name) => {
                let place = Place::new(first.at, command);
                self.function(Frame { dot, place: &place }, name, call)
            }
            Term::Field(_) | Term::Chain(..) => self.operand_with(dot, first, call),
            Term::Variable(_, names) if !names.is_empty() => self.operand_with(dot, first, call),
            _ if call.has_arguments() => {
                let message = format!("can't give argument to non-function {first}");
                self.fail(&Place::of(first), message)
            }
            Term::Nil => self.fail(&Place::of(first), "nil is not a command"),
            _ => self.operand(dot, first),
        }
    }

    /// A variable's value. Its name is known, but it may stand before its own
    /// declaration: `{{ $x := $x }}`.
    fn variable(&self, place: &Place<'_>, name: &str) -> Result<Value, Error> {
        let mut known = self.variables.iter().rev();
        match known.find(|(known, _)| **known == *name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fail(place, format!("undefined variable: {name}")),
        }
    }

    /// An operand where any type will do.
    fn operand(&mut self, dot: &Value, operand: &Operand) -> Result<Value, Error> {
        self.operand_with(dot, operand, Invocation::bare())
    }

    /// An operand; what can be called is given the arguments of `call`.
    fn operand_with(
        &mut self,
        dot: &Value,
        operand: &Operand,
        call: Invocation<'_>,
    ) -> Result<Value, Error> {
        let place = Place::of(operand);
        let frame = Frame { dot, place: &place };
        Ok(match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => Value::Nil,
            Term::Bool(is_so) => Value::Bool(*is_so),
            Term::String(_, text) => Value::String(Bytes::from(text.as_slice())),
            Term::Number(number) => {
                if number.is_float_by_itself() {
                    return Ok(Value::Float(number.float));
                }
                let Some(int) = number.int else {
                    return self.fail(&place, format!("{} overflows int", number.text));
                };
                Value::int(int)
            }
            Term::Field(names) => self.fields(frame, dot.clone(), names, call)?,
            Term::Variable(name, names) => {
                let receiver = self.variable(&place, name)?;
                self.fields(frame, receiver, names, call)?
            }
            Term::Chain(inner, names) => {
                let receiver = self.operand(dot, inner)?;
                self.fields(frame, receiver, names, call)?
            }
            Term::Function(name) => self.function(frame, name, call)?,
            Term::Pipe(pipe) => self.deeper(&place, |state| state.pipe(dot, pipe))?,
        })
    }

    /// An operand where a type is wanted.
    fn argument(&mut self, dot: &Value, operand: &Operand, param: Param) -> Result<Value, Error> {
        let place = Place::of(operand);
        let found = |what: &str| format!("expected {what}; found {operand}");
        match (&operand.term, param) {
            (Term::Nil, param) if param.takes_nil() => Ok(Value::Nil),
            (Term::Nil, param) => {
                self.fail(&place, format!("cannot assign nil to {}", param.name()))
            }
            (Term::Bool(_) | Term::Number(_) | Term::String(..), Param::Any | Param::Value) => {
                self.operand(dot, operand)
            }
            (Term::Bool(is_so), Param::Bool) => Ok(Value::Bool(*is_so)),
            (Term::Number(number), Param::Int) if number.int.is_some() => {
                Ok(Value::int(number.int.unwrap_or_default()))
            }
            (Term::Number(number), Param::Float) => Ok(Value::Float(number.float)),
            (Term::String(_, text), Param::String) => {
                Ok(Value::String(Bytes::from(text.as_slice())))
            }
            (Term::Bool(_) | Term::Number(_) | Term::String(..), param) => {
                let message = match param {
                    Param::Bool => found("bool"),
                    Param::Int => found("integer"),
                    Param::Float => found("float"),
                    Param::String => found("string"),
                    _ => format!("can't handle {operand} for arg of type {}", param.name()),
                };
                self.fail(&place, message)
            }
            _ => {
                let value = self.operand(dot, operand)?;
                self.check(&place, value, param)
            }
        }
    }

    fn check(&self, place: &Place<'_>, value: Value, param: Param) -> Result<Value, Error> {
        let name = param.name();
        match &value {
            Value::Missing if param == Param::Any => Ok(Value::Nil),
            Value::Missing if param.takes_nil() => Ok(value),
            Value::Missing => self.fail(place, format!("invalid value; expected {name}")),
            _ if param.takes(&value) => Ok(value),
            other => {
                let type_name = match other {
                    Value::Nil => "interface {}",
                    other => other.type_name(),
                };
                let message = format!("wrong type for value; expected {name}; got {type_name}");
                self.fail(place, message)
            }
        }
    }

    /// Fields, one of the other; arguments go to the last.
    fn fields(
        &mut self,
        frame: Frame<'_>,
        mut receiver: Value,
        names: &[String],
        call: Invocation<'_>,
    ) -> Result<Value, Error> {
        let Some((last, before)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in before {
            receiver = self.field(frame, &receiver, name, Invocation::bare())?;
        }
        self.field(frame, &receiver, last, call)
    }

    fn field(
        &mut self,
        frame: Frame<'_>,
        receiver: &Value,
        name: &str,
        call: Invocation<'_>,
    ) -> Result<Value, Error> {
        let place = frame.place;
        match receiver {
            Value::Missing => return Ok(Value::Missing),
            Value::Nil => {
                let message = format!("nil pointer evaluating interface {{}}.{name}");
                return self.fail(place, message);
            }
            Value::Struct(inner) => {
                let method = inner.methods.iter().find(|(known, _)| *known == name);
                if let Some((_, method)) = method {
                    if call.has_arguments() {
                        let message = format!("wrong number of args for {name}: want 0");
                        return self.fail(place, message);
                    }
                    let given = method();
                    let value = given.map_err(|why| self.error(place, Cause::Refused, why))?;
                    let paid = self.budget.pay_to_make(&value);
                    paid.map_err(|fault| self.fault(place, name, fault))?;
                    return Ok(value);
                }
                if let Some(value) = inner.field(name) {
                    if call.has_arguments() {
                        let message =
                            format!("{name} has arguments but cannot be invoked as function");
                        return self.fail(place, message);
                    }
                    return Ok(value);
                }
            }
            Value::Map(map) if map.of.name.starts_with("map[string]") => {
                if call.has_arguments() {
                    let message = format!("{name} is not a method but has arguments");
                    return self.fail(place, message);
                }
                return Ok(map.get(&Key::text(name)).unwrap_or(Value::Missing));
            }
            _ => {
                if let Some(method) = method::find(receiver, name) {
                    let method = Function {
                        params: &method.params[1..],
                        ..*method
                    };
                    let values = self.arguments(frame, &method, call)?;
                    let values: Vec<Value> = [receiver.clone()].into_iter().chain(values).collect();
                    return self.call(&method, place, &values);
                }
            }
        }
        let of = receiver.type_name();
        self.fail(place, format!("can't evaluate field {name} in type {of}"))
    }

    fn function(
        &mut self,
        frame: Frame<'_>,
        name: &str,
        call: Invocation<'_>,
    ) -> Result<Value, Error> {
        let place = frame.place;
        let Some(function) = super::find(name, self.template.functions) else {
            return self.fail(place, format!("{name:?} is not a defined function"));
        };
        if matches!(name, "and" | "or") {
            return self.and_or(frame, name == "or", function, call);
        }
        let values = self.arguments(frame, function, call)?;
        self.call(function, place, &values)
    }

    fn call(
        &mut self,
        function: &Function,
        place: &Place<'_>,
        values: &[Value],
    ) -> Result<Value, Error> {
        let mut run = Run {
            name: function.name,
            budget: &mut self.budget,
            now: self.now,
        };
        let mut result = run.budget.charge(STEP);
        for value in values {
            result = result.and_then(|()| run.budget.pay_for(value));
        }
        let result = result.and_then(|()| (function.call)(&mut run, &Args(values)));
        let result = result.and_then(|value| {
            run.budget.pay_for(&value)?;
            Ok(value)
        });
        result.map_err(|fault| self.fault(place, function.name, fault))
    }

    /// The first argument that decides, or the last.
    fn and_or(
        &mut self,
        frame: Frame<'_>,
        is_or: bool,
        function: &Function,
        call: Invocation<'_>,
    ) -> Result<Value, Error> {
        self.check_count(function, frame.place, &call)?;
        let mut value = Value::Missing;
        for operand in call.operands {
            value = self.argument(frame.dot, operand, Param::Value)?;
            if value.is_true() == is_or {
                return Ok(value);
            }
        }
        Ok(call.last.unwrap_or(value))
    }

    fn check_count(
        &self,
        function: &Function,
        place: &Place<'_>,
        call: &Invocation<'_>,
    ) -> Result<(), Error> {
        let given = call.operands.len() + usize::from(call.last.is_some());
        let (name, want) = (function.name, function.params.len());
        if function.rest.is_some() && given < want {
            let message =
                format!("wrong number of args for {name}: want at least {want} got {given}");
            return self.fail(place, message);
        }
        if function.rest.is_none() && given != want {
            let message = format!("wrong number of args for {name}: want {want} got {given}");
            return self.fail(place, message);
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        Frame { dot, place }: Frame<'_>,
        function: &Function,
        call: Invocation<'_>,
    ) -> Result<Vec<Value>, Error> {
        self.check_count(function, place, &call)?;
        let param = |index: usize| {
            let fixed = function.params.get(index).copied();
            fixed.or(function.rest).unwrap_or(Param::Any)
        };
        let mut values = Vec::with_capacity(call.operands.len() + 1);
        for (index, operand) in call.operands.iter().enumerate() {
            values.push(self.argument(dot, operand, param(index))?);
        }
        if let Some(last) = call.last {
            values.push(self.check(place, last, param(call.operands.len()))?);
        }
        Ok(values)
    }
}

/// What a function or method is given.
struct Invocation<'i> {
    operands: &'i [Operand],
    /// The result of the command before, in a pipe.
    last: Option<Value>,
}

impl Invocation<'_> {
    /// Nothing.
    fn bare() -> Self {
        Self {
            operands: &[],
            last: None,
        }
    }

    fn has_arguments(&self) -> bool {
        !self.operands.is_empty() || self.last.is_some()
    }
}
