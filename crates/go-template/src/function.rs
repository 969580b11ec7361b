//! Functions that templates call: their names, and the types that they take.

use super::budget::{Budget, Fault};
use super::value::{Bytes, List, Map, Value};
use crate::time::Time;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// `reflect.Value`: anything, even nothing.
    Value,
    /// `interface {}`
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `string`
    String,
    /// `map[string]interface {}`
    Dict,
    /// `time.Time`
    Time,
    /// `*semver.Version`
    Version,
}

impl Param {
    /// The type as Go prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "reflect.Value",
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float64",
            Self::String => "string",
            Self::Dict => "map[string]interface {}",
            Self::Time => "time.Time",
            Self::Version => "*semver.Version",
        }
    }

    /// Whether `nil` may stand for it.
    #[must_use]
    pub fn takes_nil(self) -> bool {
        matches!(self, Self::Value | Self::Any | Self::Dict | Self::Version)
    }

    /// Whether a value is of this type.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::Value | Self::Any => true,
            Self::Version => matches!(value, Value::Version(_)),
            _ => !value.is_nothing() && value.type_name() == self.name(),
        }
    }
}

/// What a function does. Its arguments are as many and of the types that its
/// [`Function`] says.
pub type Call = fn(&mut Run<'_>, &Args<'_>) -> Result<Value, Fault>;

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub params: &'static [Param],
    /// What it takes any number of, behind those.
    pub rest: Option<Param>,
    /// What it does.
    pub call: Call,
}

/// A table of [`Function`](crate::function::Function)s: the names of each, the types of
/// its parameters as [`Param`](crate::function::Param) calls them, and what it does.
/// `...` stands before the type of what it takes any number of.
///
/// ```
/// use go_template::function::Function;
/// use go_template::value::Value;
///
/// static TABLE: &[Function] = go_template::functions! {
///     "first" | "mustFirst": (Any, ...Any) => |_, args| Ok(args.any(0).clone());
///     "hello": () => |_, _| Ok(Value::text("Hello!"));
/// };
/// assert_eq!(TABLE.len(), 3);
/// ```
#[macro_export]
macro_rules! functions {
    ($($($name:literal)|+: $params:tt => $call:expr;)*) => {
        &[$($($crate::functions!(@one $name $params $call)),+),*]
    };
    (@one $name:literal ($($param:ident),* $(,)? $(...$rest:ident)?) $call:expr) => {
        $crate::function::Function {
            name: $name,
            params: &[$($crate::function::Param::$param),*],
            rest: $crate::functions!(@rest $($rest)?),
            call: $call,
        }
    };
    (@rest) => { None };
    (@rest $rest:ident) => { Some($crate::function::Param::$rest) };
}

/// What functions may use.
#[derive(Debug)]
pub struct Run<'r> {
    /// The name that the function is called by.
    pub name: &'static str,
    /// Work and dicts.
    pub budget: &'r mut Budget,
    /// What `ago` counts to, and `now` shows.
    pub now: &'r Time,
}

/// The arguments of a call.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a>(pub &'a [Value]);

impl<'a> Args<'a> {
    /// Any argument.
    #[must_use]
    pub fn any(&self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// Those from here on.
    #[must_use]
    pub fn from(&self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or_default()
    }

    /// A `string`.
    #[must_use]
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.any(index) {
            Value::String(text) => text,
            _ => &[],
        }
    }

    /// A `string` of characters; bytes that are none become U+FFFD.
    #[must_use]
    pub fn text(&self, index: usize) -> String {
        lossy(self.bytes(index))
    }

    /// An `int`.
    #[must_use]
    pub fn int(&self, index: usize) -> i64 {
        match self.any(index) {
            Value::Int(number, _) => *number,
            _ => 0,
        }
    }

    /// A `bool`.
    #[must_use]
    pub fn bool(&self, index: usize) -> bool {
        matches!(self.any(index), Value::Bool(true))
    }

    /// A dict; `None` for nil.
    #[must_use]
    pub fn dict(&self, index: usize) -> Option<&'a Map> {
        match self.any(index) {
            Value::Map(map) if !map.is_nil => Some(map),
            _ => None,
        }
    }

    /// A `time.Time`.
    #[must_use]
    pub fn time(&self, index: usize) -> Time {
        match self.any(index) {
            Value::Time(time) => time.clone(),
            _ => Time::default(),
        }
    }

    /// A slice of any type.
    ///
    /// # Errors
    /// With `fault` and the kind of what it is instead.
    pub fn list(&self, index: usize, fault: &str) -> Result<&'a List, Fault> {
        match self.any(index) {
            Value::List(list) => Ok(list),
            // As reflect panics on the type of nothing.
            Value::Nil | Value::Missing => {
                Err("runtime error: invalid memory address or nil pointer dereference".into())
            }
            other => Err(format!("{fault} {}", other.kind()).into()),
        }
    }
}

/// Bytes as characters; each byte that is part of none becomes U+FFFD.
#[must_use]
pub fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => super::fmt::chars(bytes).map(|(c, _)| c).collect(),
    }
}

/// A text as a result.
///
/// # Errors
/// Where the work is spent.
pub fn text(run: &mut Run<'_>, text: impl AsRef<[u8]>) -> Result<Value, Fault> {
    run.budget.charge(text.as_ref().len())?;
    Ok(Value::String(Bytes::from(text.as_ref())))
}
