//! Lists. Those of any type come in, those of anything go out.

use super::super::budget::{Budget, Fault, STEP};
use super::super::function::{Args, Function, Run};
use super::super::value::{LIST, LISTS, List, MAX_DEPTH, TEXTS, Value};
use super::numbers::to_int;
use super::strings;
use super::types::is_empty;
use crate::functions;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "append" | "mustAppend" | "push" | "mustPush": (Any, Any) => push;
    "prepend" | "mustPrepend": (Any, Any) => prepend;
    "chunk" | "mustChunk": (Int, Any) => chunk;
    "compact" | "mustCompact": (Any) => compact;
    "concat": (...Any) => concat;
    "first" | "mustFirst": (Any) => first;
    "last" | "mustLast": (Any) => last;
    "rest" | "mustRest": (Any) => rest;
    "initial" | "mustInitial": (Any) => initial;
    "has" | "mustHas": (Any, Any) => has;
    "list" | "tuple": (...Any) => |_, args| list(args.0.to_vec());
    "reverse" | "mustReverse": (Any) => reverse;
    "slice" | "mustSlice": (Any, ...Any) => slice;
    "sortAlpha": (Any) => sort_alpha;
    "uniq" | "mustUniq": (Any) => uniq;
    "without" | "mustWithout": (Any, ...Any) => without;
};

fn list(items: Vec<Value>) -> Result<Value, Fault> {
    Ok(Value::List(List::new(&LIST, items)?))
}

fn none() -> Value {
    Value::List(List::none(&LIST))
}

fn push(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot push on type")?;
    let items = given.items.iter().chain([args.any(1)]);
    list(items.cloned().collect())
}

fn prepend(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot prepend on type")?;
    let items = [args.any(1)].into_iter().chain(given.items.iter());
    list(items.cloned().collect())
}

fn chunk(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(1, "Cannot chunk type")?;
    let Ok(size @ 1..) = usize::try_from(args.int(0)) else {
        // Go counts the chunks in floats before it looks at the size.
        let count = (given.items.len() as f64 - 1.0) / args.int(0) as f64;
        if count.floor() == -1.0 {
            return Ok(Value::List(List::new(&LISTS, Vec::new())?));
        }
        return Err("runtime error: makeslice: len out of range".into());
    };
    let chunks = given.items.chunks(size);
    let chunks: Result<Vec<Value>, Fault> = chunks.map(|chunk| list(chunk.to_vec())).collect();
    Ok(Value::List(List::new(&LISTS, chunks?)?))
}

fn compact(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot compact on type")?;
    let items = given.items.iter().filter(|item| !is_empty(item));
    list(items.cloned().collect())
}

fn concat(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut items = Vec::new();
    for index in 0..args.0.len() {
        let given = args.list(index, "Cannot concat type")?;
        run.budget.charge(given.items.len())?;
        items.extend(given.items.iter().cloned());
    }
    if items.is_empty() {
        return Ok(none());
    }
    list(items)
}

fn first(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find first on type")?;
    Ok(given.items.first().cloned().unwrap_or(Value::Nil))
}

fn last(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find last on type")?;
    Ok(given.items.last().cloned().unwrap_or(Value::Nil))
}

fn rest(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find rest on type")?;
    match given.items.split_first() {
        Some((_, rest)) => list(rest.to_vec()),
        None => Ok(none()),
    }
}

fn initial(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find initial on type")?;
    match given.items.split_last() {
        Some((_, initial)) => list(initial.to_vec()),
        None => Ok(none()),
    }
}

fn reverse(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find reverse on type")?;
    list(given.items.iter().rev().cloned().collect())
}

fn has(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    if args.any(1).is_nothing() {
        return Ok(Value::Bool(false));
    }
    let given = args.list(1, "Cannot find has on type")?;
    contains(run.budget, &given.items, args.any(0)).map(Value::Bool)
}

fn contains(budget: &mut Budget, items: &[Value], wanted: &Value) -> Result<bool, Fault> {
    for item in items {
        if deep_equal(budget, wanted, item, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "list should be type of slice or array but")?;
    if given.items.is_empty() {
        return Ok(Value::Nil);
    }
    let at = |index: usize, default: usize| match args.0.get(index) {
        Some(value) => usize::try_from(to_int(value)).unwrap_or(usize::MAX),
        None => default,
    };
    let part = given.items.get(at(1, 0)..at(2, given.items.len()));
    let part = part.ok_or("reflect.Value.Slice: slice index out of bounds")?;
    Ok(Value::List(List::new(given.of, part.to_vec())?))
}

fn sort_alpha(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut strings = match args.any(0) {
        Value::List(_) => strings::strings(run.budget, args.any(0))?,
        other => vec![super::super::fmt::print(run.budget, other)?],
    };
    strings.sort();
    let items = strings.iter().map(|text| Value::bytes(text)).collect();
    Ok(Value::List(List::new(&TEXTS, items)?))
}

fn uniq(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find uniq on type")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in given.items.iter() {
        if !contains(run.budget, &kept, item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

fn without(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.list(0, "Cannot find without on type")?;
    let mut kept = Vec::new();
    for item in given.items.iter() {
        if !contains(run.budget, args.from(1), item)? {
            kept.push(item.clone());
        }
    }
    list(kept)
}

/// `reflect.DeepEqual`: an `int` is not an `int64`, and a nil list is not an empty one.
pub(super) fn deep_equal(
    budget: &mut Budget,
    one: &Value,
    other: &Value,
    depth: usize,
) -> Result<bool, Fault> {
    budget.charge(STEP)?;
    if depth > MAX_DEPTH {
        return Err(Fault::too_deep());
    }
    if one.is_nothing() || other.is_nothing() {
        return Ok(one.is_nothing() && other.is_nothing());
    }
    if one.type_name() != other.type_name() {
        return Ok(false);
    }
    Ok(match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one, _), Value::Int(other, _)) => one == other,
        (Value::Uint(one, _), Value::Uint(other, _)) => one == other,
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::String(one), Value::String(other)) => {
            budget.charge(one.len())?;
            one == other
        }
        (Value::List(one), Value::List(other)) => {
            if one.is_nil != other.is_nil || one.items.len() != other.items.len() {
                return Ok(false);
            }
            for (one, other) in one.items.iter().zip(other.items.iter()) {
                if !deep_equal(budget, one, other, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(one), Value::Map(other)) => {
            if one.is_nil != other.is_nil {
                return Ok(false);
            }
            let (one, other) = (one.entries.borrow(), other.entries.borrow());
            if one.len() != other.len() {
                return Ok(false);
            }
            for ((key, value), (other_key, other_value)) in one.iter().zip(other.iter()) {
                if key != other_key || !deep_equal(budget, value, other_value, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Struct(one), Value::Struct(other)) => {
            for (one, other) in one.fields.iter().zip(&other.fields) {
                if !deep_equal(budget, &one.value, &other.value, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Time(one), Value::Time(other)) => one == other,
        (Value::Version(one), Value::Version(other)) => one.original == other.original,
        _ => false,
    })
}
