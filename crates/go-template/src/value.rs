//! What a template computes with: Go's values, as far as templates meet them.
//!
//! Every value knows its Go type, since functions check what they are given by
//! type, `typeOf` prints it, and an `int64` is not an `int`.
//!
//! A text is bytes, as in Go: `trunc` may cut a character in half. Dicts are
//! shared and can be changed with `set`, so a dict may come to hold itself;
//! whoever walks through values counts the depth, and [`super::budget::Budget`]
//! takes dicts apart when all is done.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::Fault;
use crate::time::{MONTHS, Time, WEEKDAYS};
use masterminds_semver::Version;

/// A text.
pub type Bytes = Rc<[u8]>;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value: a key that a map does not have.
    Missing,
    /// `nil` as an `interface {}`.
    Nil,
    /// `bool`
    Bool(bool),
    /// A signed integer.
    Int(i64, Int),
    /// An unsigned integer.
    Uint(u64, Uint),
    /// `float64`
    Float(f64),
    /// `string`
    String(Bytes),
    /// A slice.
    List(List),
    /// A map.
    Map(Map),
    /// A struct of the data.
    Struct(Rc<Struct>),
    /// `time.Time`
    Time(Time),
    /// `*semver.Version`
    Version(Rc<Semver>),
}

/// A version as it was written and as it was read.
#[derive(Clone, Debug)]
pub struct Semver {
    /// As written.
    pub original: String,
    /// What is behind the `+`.
    pub metadata: String,
    /// The rest.
    pub version: Version,
}

impl Semver {
    /// The version as the struct that it is in Go.
    #[must_use]
    pub fn parts(&self) -> Struct {
        let [major, minor, patch] = self.version.numbers();
        let number = |name, number| Field::new(name, Value::Uint(number, Uint::Uint64));
        let text = |name, text: &str| Field::new(name, Value::text(text));
        Struct {
            name: "semver.Version",
            fields: vec![
                number("major", major),
                number("minor", minor),
                number("patch", patch),
                text("pre", self.version.prerelease()),
                text("metadata", &self.metadata),
                text("original", &self.original),
            ],
            ..Struct::default()
        }
    }
}

impl std::fmt::Display for Semver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.version)?;
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Types of signed integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `time.Month`
    Month,
    /// `time.Weekday`
    Weekday,
}

/// Types of unsigned integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uint {
    /// `uint8`
    Uint8,
    /// `uint64`
    Uint64,
}

/// A type of slices or maps.
#[derive(Debug)]
pub struct Type {
    /// As Go prints it.
    pub name: &'static str,
    /// What an element is that is not there.
    pub zero: fn() -> Value,
}

/// `[]interface {}`
pub static LIST: Type = Type {
    name: "[]interface {}",
    zero: || Value::Nil,
};
/// `[]string`
pub static TEXTS: Type = Type {
    name: "[]string",
    zero: || Value::text(""),
};
/// `[]int`
pub static INTS: Type = Type {
    name: "[]int",
    zero: || Value::Int(0, Int::Int),
};
/// `[][]interface {}`
pub static LISTS: Type = Type {
    name: "[][]interface {}",
    zero: || Value::List(List::none(&LIST)),
};
/// `map[string]interface {}`
pub static DICT: Type = Type {
    name: "map[string]interface {}",
    zero: || Value::Nil,
};
/// `map[string]string`
pub static TEXT_MAP: Type = Type {
    name: "map[string]string",
    zero: || Value::text(""),
};

/// How deep lists may be nested in one another. Freeing and printing go down
/// one step each.
pub const MAX_DEPTH: usize = 100;

/// A slice.
#[derive(Clone, Debug)]
pub struct List {
    /// Its type.
    pub of: &'static Type,
    /// Its elements.
    pub items: Rc<[Value]>,
    /// A nil slice prints as an empty one and is `null` in JSON.
    pub is_nil: bool,
    depth: usize,
}

impl List {
    /// A slice.
    ///
    /// # Errors
    /// Where lists are nested too deep.
    pub fn new(of: &'static Type, items: Vec<Value>) -> Result<Self, Fault> {
        let depth = |value: &Value| match value {
            Value::List(list) => list.depth,
            _ => 0,
        };
        let depth = 1 + items.iter().map(depth).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(Fault::too_deep());
        }
        Ok(Self {
            of,
            items: items.into(),
            is_nil: false,
            depth,
        })
    }

    /// A nil slice.
    #[must_use]
    pub fn none(of: &'static Type) -> Self {
        Self {
            of,
            items: Rc::new([]),
            is_nil: true,
            depth: 1,
        }
    }
}

/// A key of a map: a text, or a struct of texts.
#[derive(Clone, Debug)]
pub struct Key(pub Value);

impl Key {
    /// A text as a key.
    #[must_use]
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self(Value::bytes(text.as_ref()))
    }
}

impl Ord for Key {
    /// Texts bytewise, structs field by field, as Go ranges over them.
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Struct(one), Value::Struct(other)) => {
            let pairs = one.fields.iter().zip(&other.fields);
            pairs
                .map(|(one, other)| order(&one.value, &other.value))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }
        _ => Ordering::Equal,
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

/// What a map holds.
pub type Entries = BTreeMap<Key, Value>;

/// A map, shared by all that hold it.
#[derive(Clone)]
pub struct Map {
    /// Its type.
    pub of: &'static Type,
    /// What it holds.
    pub entries: Rc<RefCell<Entries>>,
    /// A nil map cannot be written to, and is `null` in JSON.
    pub is_nil: bool,
}

impl std::fmt::Debug for Map {
    /// Without its entries, among which it may be itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.of.name)
    }
}

impl Map {
    /// A map of the data, which no function changes. Dicts are made by
    /// [`super::budget::Budget::dict`].
    #[must_use]
    pub fn new(of: &'static Type, entries: Entries) -> Self {
        Self {
            of,
            entries: Rc::new(RefCell::new(entries)),
            is_nil: false,
        }
    }

    /// A nil map.
    #[must_use]
    pub fn none(of: &'static Type) -> Self {
        Self {
            is_nil: true,
            ..Self::new(of, Entries::new())
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Value> {
        self.entries.borrow().get(key).cloned()
    }
}

/// What a method without arguments gives, or says instead. It is called only
/// where a template asks for it.
pub type Method = Box<dyn Fn() -> Result<Value, String>>;

/// A struct.
#[derive(Default)]
pub struct Struct {
    /// Its type, as `package.Name`.
    pub name: &'static str,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// Methods without arguments.
    pub methods: Vec<(&'static str, Method)>,
    /// What its `String` method gives.
    pub string: Option<Bytes>,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Whether its own fields are found as if they were the struct's.
    pub is_embedded: bool,
}

impl Field {
    /// A field that stands for itself.
    #[must_use]
    pub fn new(name: &'static str, value: Value) -> Self {
        Self {
            name,
            value,
            is_embedded: false,
        }
    }
}

impl std::fmt::Debug for Struct {
    /// Without its methods.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.name).field(&self.fields).finish()
    }
}

impl Struct {
    /// The value of a field, or of one of an embedded struct.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value> {
        let own = self.fields.iter().find(|field| field.name == name);
        if let Some(own) = own {
            return Some(own.value.clone());
        }
        let embedded = self.fields.iter().filter(|field| field.is_embedded);
        embedded
            .filter_map(|field| match &field.value {
                Value::Struct(inner) => inner.field(name),
                _ => None,
            })
            .next()
    }
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::bytes(text.as_ref().as_bytes())
    }

    /// A text of any bytes.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::String(bytes.into())
    }

    /// An `int`.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Int(number, Int::Int)
    }

    /// An `int64`.
    #[must_use]
    pub fn int64(number: i64) -> Self {
        Self::Int(number, Int::Int64)
    }

    /// The type as Go prints it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_, Int::Int) => "int",
            Self::Int(_, Int::Int64) => "int64",
            Self::Int(_, Int::Month) => "time.Month",
            Self::Int(_, Int::Weekday) => "time.Weekday",
            Self::Uint(_, Uint::Uint8) => "uint8",
            Self::Uint(_, Uint::Uint64) => "uint64",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::List(list) => list.of.name,
            Self::Map(map) => map.of.name,
            Self::Struct(inner) => inner.name,
            Self::Time(_) => "time.Time",
            Self::Version(_) => "*semver.Version",
        }
    }

    /// The kind as `reflect` names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "invalid",
            Self::Int(_, Int::Int64) => "int64",
            Self::Int(..) => "int",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Struct(_) | Self::Time(_) => "struct",
            Self::Version(_) => "ptr",
            other => other.type_name(),
        }
    }

    /// Whether `if` takes it as true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(is_so) => *is_so,
            Self::Int(number, _) => *number != 0,
            Self::Uint(number, _) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.borrow().is_empty(),
            Self::Struct(_) | Self::Time(_) | Self::Version(_) => true,
        }
    }

    /// Whether there is nothing: no value, or nil.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::Nil)
    }

    /// What the value says of itself, where it has a `String` method.
    #[must_use]
    pub fn string(&self) -> Option<Bytes> {
        match self {
            Self::Struct(inner) => inner.string.clone(),
            Self::Time(time) => Some(time.to_string().into_bytes().into()),
            Self::Version(version) => Some(version.to_string().into_bytes().into()),
            Self::Int(number, Int::Month) => Some(named(&MONTHS, 1, *number, "Month")),
            Self::Int(number, Int::Weekday) => Some(named(&WEEKDAYS, 0, *number, "Weekday")),
            _ => None,
        }
    }
}

/// The name of a number; `first` is the one of the first name.
fn named(names: &[&str], first: i64, number: i64, of: &str) -> Bytes {
    let at = usize::try_from(number - first).ok();
    let name = at.and_then(|at| names.get(at));
    let shown = name.map_or_else(|| format!("%!{of}({number})"), ToString::to_string);
    shown.into_bytes().into()
}
