//! The functions that Go's templates bring: comparison, `index`, `len`,
//! `printf` and what escapes. `and` and `or` are in `exec`, since they
//! do not look at all that they are given; `slice` is sprig's.

use super::budget::Fault;
use super::fmt;
use super::function::{Args, Function, Run, text};
use super::value::{Key, Uint, Value};
use crate::{functions, unicode};

/// The functions by name.
pub(crate) static TABLE: &[Function] = functions! {
    // Never called: they stop at the first argument that decides.
    "and" | "or": (Value, ...Value) => |_, _| Ok(Value::Missing);
    "not": (Value) => |_, args| Ok(Value::Bool(!args.any(0).is_true()));
    "call": (Value, ...Value) => call;
    "html": (...Any) => html;
    "js": (...Any) => js;
    "urlquery": (...Any) => urlquery;
    "index": (Value, ...Value) => index;
    "len": (Value) => length;
    "print": (...Any) => |run, args| Ok(Value::bytes(&fmt::sprint(run.budget, args.0)?));
    "printf": (String, ...Any) => printf;
    "println": (...Any) => |run, args| Ok(Value::bytes(&fmt::sprintln(run.budget, args.0)?));
    "eq": (Value, ...Value) => |_, args| Ok(Value::Bool(equal(args.any(0), args.from(1))?));
    "ne": (Value, Value) => |_, args| Ok(Value::Bool(!equal(args.any(0), args.from(1))?));
    "lt": (Value, Value) => |_, args| Ok(Value::Bool(less(args.any(0), args.any(1))?));
    "le": (Value, Value) => |_, args| Ok(Value::Bool(less_or_equal(args.any(0), args.any(1))?));
    "gt": (Value, Value) => |_, args| Ok(Value::Bool(!less_or_equal(args.any(0), args.any(1))?));
    "ge": (Value, Value) => |_, args| Ok(Value::Bool(!less(args.any(0), args.any(1))?));
};

fn call(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let callee = args.any(0);
    if callee.is_nothing() {
        return Err("call of nil".into());
    }
    Err(format!("non-function of type {}", callee.type_name()).into())
}

fn index(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut item = args.any(0).clone();
    if item.is_nothing() {
        return Err("index of untyped nil".into());
    }
    for index in args.from(1) {
        item = match &item {
            Value::List(list) => list.items[position(index, list.items.len())?].clone(),
            Value::String(text) => {
                Value::Uint(text[position(index, text.len())?].into(), Uint::Uint8)
            }
            Value::Map(map) => {
                let is_key = match (index, map.entries.borrow().keys().next()) {
                    (Value::String(_), Some(Key(Value::String(_))) | None) => true,
                    (Value::Struct(one), Some(Key(Value::Struct(other)))) => one.name == other.name,
                    _ => false,
                };
                if index.is_nothing() {
                    return Err("value is nil; should be of type string".into());
                }
                if !is_key {
                    let message =
                        format!("value has type {}; should be the key's", index.type_name());
                    return Err(message.into());
                }
                let found = map.get(&Key(index.clone()));
                found.unwrap_or_else(map.of.zero)
            }
            Value::Nil | Value::Missing => return Err("index of nil pointer".into()),
            other => return Err(format!("can't index item of type {}", other.type_name()).into()),
        };
    }
    Ok(item)
}

fn printf(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let printed = fmt::sprintf(run.budget, args.bytes(0), args.from(1))?;
    Ok(Value::bytes(&printed))
}

fn position(index: &Value, length: usize) -> Result<usize, Fault> {
    let (number, shown) = match index {
        Value::Int(number, _) => (usize::try_from(*number).ok(), number.to_string()),
        Value::Uint(number, _) => (usize::try_from(*number).ok(), number.to_string()),
        Value::Nil | Value::Missing => return Err("cannot index slice/array with nil".into()),
        other => {
            let message = format!("cannot index slice/array with type {}", other.type_name());
            return Err(message.into());
        }
    };
    number
        .filter(|number| *number < length)
        .ok_or_else(|| format!("index out of range: {shown}").into())
}

fn length(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let length = match args.any(0) {
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.borrow().len(),
        Value::String(text) => text.len(),
        Value::Nil | Value::Missing => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Kinds that can be compared with one another.
#[derive(PartialEq)]
enum Basic {
    Bool,
    Int,
    Uint,
    Float,
    Text,
    None,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(..) => Basic::Int,
        Value::Uint(..) => Basic::Uint,
        Value::Float(_) => Basic::Float,
        Value::String(_) => Basic::Text,
        _ => Basic::None,
    }
}

fn equal(one: &Value, others: &[Value]) -> Result<bool, Fault> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equals(one, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equals(one: &Value, other: &Value) -> Result<bool, Fault> {
    let same = |one: i64, other: u64| u64::try_from(one).is_ok_and(|one| one == other);
    Ok(match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one, _), Value::Int(other, _)) => one == other,
        (Value::Uint(one, _), Value::Uint(other, _)) => one == other,
        (Value::Int(one, _), Value::Uint(other, _))
        | (Value::Uint(other, _), Value::Int(one, _)) => same(*one, *other),
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::String(one), Value::String(other)) => one == other,
        _ if one.is_nothing() || other.is_nothing() => {
            let is_nil = |value: &Value| match value {
                Value::List(list) => list.is_nil,
                Value::Map(map) => map.is_nil,
                other => other.is_nothing(),
            };
            let comparable = basic(one) == Basic::None && basic(other) == Basic::None;
            comparable && is_nil(one) == is_nil(other)
        }
        _ if basic(one) != basic(other) => return Err(incompatible(one, other)),
        _ if one.kind() != other.kind() => {
            let (one, other) = (one.type_name(), other.type_name());
            return Err(format!("non-comparable types {one}, {other}").into());
        }
        (Value::List(one), Value::List(other)) if one.is_nil || other.is_nil => {
            one.is_nil == other.is_nil
        }
        (Value::Map(one), Value::Map(other)) if one.is_nil || other.is_nil => {
            one.is_nil == other.is_nil
        }
        (Value::Struct(one), Value::Struct(other)) if is_comparable(one) => {
            one.name == other.name
                && Key(Value::Struct(one.clone())) == Key(Value::Struct(other.clone()))
        }
        (Value::Time(one), Value::Time(other)) => one == other,
        (Value::Version(one), Value::Version(other)) => std::rc::Rc::ptr_eq(one, other),
        (Value::Struct(_), Value::Time(_)) | (Value::Time(_), Value::Struct(_)) => false,
        _ => return Err(format!("non-comparable type {}", other.type_name()).into()),
    })
}

fn is_comparable(inner: &super::value::Struct) -> bool {
    inner.fields.iter().all(|field| match &field.value {
        Value::Struct(inner) => is_comparable(inner),
        Value::List(_) | Value::Map(_) => false,
        _ => true,
    })
}

fn incompatible(one: &Value, other: &Value) -> Fault {
    let (one, other) = (one.type_name(), other.type_name());
    format!("incompatible types for comparison: {one} and {other}").into()
}

fn less(one: &Value, other: &Value) -> Result<bool, Fault> {
    Ok(match (one, other) {
        (Value::Int(one, _), Value::Int(other, _)) => one < other,
        (Value::Uint(one, _), Value::Uint(other, _)) => one < other,
        (Value::Int(one, _), Value::Uint(other, _)) => {
            u64::try_from(*one).map_or(true, |one| one < *other)
        }
        (Value::Uint(one, _), Value::Int(other, _)) => {
            u64::try_from(*other).is_ok_and(|other| *one < other)
        }
        (Value::Float(one), Value::Float(other)) => one < other,
        (Value::String(one), Value::String(other)) => one < other,
        _ if basic(one) == Basic::None
            || basic(other) == Basic::None
            || basic(one) == Basic::Bool && basic(other) == Basic::Bool =>
        {
            return Err("invalid type for comparison".into());
        }
        _ => return Err(incompatible(one, other)),
    })
}

fn less_or_equal(one: &Value, other: &Value) -> Result<bool, Fault> {
    Ok(less(one, other)? || equals(one, other)?)
}

/// One text of all arguments, for what escapes.
fn joined(run: &mut Run<'_>, args: &Args<'_>) -> Result<Vec<u8>, Fault> {
    match args.0 {
        [Value::String(text)] => Ok(text.to_vec()),
        values => {
            let shown = |value: &Value| match value {
                Value::Nil | Value::Missing => Value::text("<no value>"),
                other => other.clone(),
            };
            let values: Vec<Value> = values.iter().map(shown).collect();
            fmt::sprint(run.budget, &values)
        }
    }
}

fn html(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let plain = joined(run, args)?;
    let mut out = Vec::with_capacity(plain.len());
    for byte in plain {
        match byte {
            0 => out.extend("\u{fffd}".bytes()),
            b'"' => out.extend(b"&#34;"),
            b'\'' => out.extend(b"&#39;"),
            b'&' => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            byte => out.push(byte),
        }
    }
    text(run, out)
}

fn js(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let plain = joined(run, args)?;
    let mut out = String::with_capacity(plain.len());
    for (c, _) in fmt::chars(&plain) {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c.is_ascii() || unicode::is_print(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    text(run, out)
}

fn urlquery(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let plain = joined(run, args)?;
    let mut out = String::with_capacity(plain.len());
    for byte in plain {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    text(run, out)
}
