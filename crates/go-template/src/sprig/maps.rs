//! Dicts: `map[string]interface {}`, shared and changed in place by `set`,
//! `unset` and `merge`.

use std::rc::Rc;

use super::super::budget::{Budget, Fault, STEP};
use super::super::fmt;
use super::super::function::{Args, Function, Param, Run};
use super::super::value::{DICT, Entries, Key, LIST, List, MAX_DEPTH, Map, Semver, TEXTS, Value};
use super::types::is_empty;
use crate::functions;
use masterminds_semver::Version;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "deepCopy" | "mustDeepCopy": (Any) => deep_copy;
    "dict": (...Any) => dict;
    "dig": (...Any) => dig;
    "get": (Dict, String) => |_, args| Ok(found(args).unwrap_or_else(|| Value::text("")));
    "hasKey": (Dict, String) => |_, args| Ok(Value::Bool(found(args).is_some()));
    "keys": (...Dict) => keys;
    "merge" | "mustMerge": (Dict, ...Dict) => |run, args| merged(run, args, false);
    "mergeOverwrite" | "mustMergeOverwrite": (Dict, ...Dict) => |run, args| merged(run, args, true);
    "omit": (Dict, ...String) => |run, args| kept(run, args, false);
    "pick": (Dict, ...String) => |run, args| kept(run, args, true);
    "pluck": (String, ...Dict) => pluck;
    "set": (Dict, String, Any) => set;
    "unset": (Dict, String) => unset;
    "values": (Dict) => values;
};

fn key(args: &Args<'_>, index: usize) -> Key {
    Key::text(args.bytes(index))
}

/// The value of the key that is asked for.
fn found(args: &Args<'_>) -> Option<Value> {
    args.dict(0)?.get(&key(args, 1))
}

fn dict(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut entries = Entries::new();
    for pair in args.0.chunks(2) {
        let key = Key(Value::bytes(&fmt::print(run.budget, &pair[0])?));
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        entries.insert(key, value);
    }
    Ok(Value::Map(run.budget.dict(entries)))
}

fn set(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let Some(dict) = args.dict(0) else {
        return Err("assignment to entry in nil map".into());
    };
    run.budget.charge(64)?;
    let mut entries = dict.entries.borrow_mut();
    entries.insert(key(args, 1), args.any(2).clone());
    Ok(args.any(0).clone())
}

fn unset(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let Some(dict) = args.dict(0) else {
        return Ok(Value::Map(Map::none(&DICT)));
    };
    dict.entries.borrow_mut().remove(&key(args, 1));
    Ok(args.any(0).clone())
}

fn dig(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let [path @ .., default, dict] = args.0 else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let conversion = |value: &Value, to: &str| {
        let from = value.type_name();
        Fault::Error(format!(
            "interface conversion: interface {{}} is {from}, not {to}"
        ))
    };
    let mut here = dict.clone();
    for step in path {
        let Value::Map(map) = &here else {
            return Err(conversion(&here, "map[string]interface {}"));
        };
        if map.of.name != Param::Dict.name() {
            return Err(conversion(&here, "map[string]interface {}"));
        }
        let Value::String(_) = step else {
            return Err(conversion(step, "string"));
        };
        match map.get(&Key(step.clone())) {
            Some(value) => here = value,
            None => return Ok(default.clone()),
        }
    }
    Ok(here)
}

fn keys(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut items = Vec::new();
    for index in 0..args.0.len() {
        if let Some(dict) = args.dict(index) {
            run.budget.charge(dict.entries.borrow().len())?;
            items.extend(dict.entries.borrow().keys().map(|Key(key)| key.clone()));
        }
    }
    Ok(Value::List(List::new(&TEXTS, items)?))
}

fn values(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let items = args
        .dict(0)
        .map(|dict| dict.entries.borrow().values().cloned().collect());
    Ok(Value::List(List::new(&LIST, items.unwrap_or_default())?))
}

fn pluck(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let key = key(args, 0);
    let dicts = (1..args.0.len()).filter_map(|index| args.dict(index));
    let items = dicts.filter_map(|dict| dict.get(&key)).collect();
    Ok(Value::List(List::new(&LIST, items)?))
}

/// A dict of the named keys, or of the others.
fn kept(run: &mut Run<'_>, args: &Args<'_>, named: bool) -> Result<Value, Fault> {
    let names: Vec<Key> = (1..args.0.len()).map(|index| key(args, index)).collect();
    let mut entries = Entries::new();
    if let Some(dict) = args.dict(0) {
        let given = dict.entries.borrow();
        run.budget.pay_product(given.len(), names.len() + 1)?;
        let wanted = given.iter().filter(|(key, _)| names.contains(key) == named);
        entries.extend(wanted.map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(Value::Map(run.budget.dict(entries)))
}

fn merged(run: &mut Run<'_>, args: &Args<'_>, overwrites: bool) -> Result<Value, Fault> {
    let into = match args.dict(0) {
        Some(into) => into.clone(),
        None if args.0.len() == 1 => return Ok(Value::Map(Map::none(&DICT))),
        None => run.budget.dict(Entries::new()),
    };
    for index in 1..args.0.len() {
        if let Some(from) = args.dict(index) {
            merge(run.budget, &into, from, overwrites, 0)?;
        }
    }
    Ok(Value::Map(into))
}

/// `mergo.Merge`: what is missing or empty is taken over, dicts are merged.
fn merge(
    budget: &mut Budget,
    into: &Map,
    from: &Map,
    overwrites: bool,
    depth: usize,
) -> Result<(), Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::too_deep());
    }
    budget.pay_product(from.entries.borrow().len(), 64)?;
    let source = from.entries.borrow().clone();
    for (key, value) in source {
        let old = into.get(&key);
        let is_free = old.as_ref().is_none_or(is_empty);
        let takes = match (&old, &value) {
            (_, Value::Nil) => overwrites,
            (Some(Value::Map(old)), Value::Map(new)) => {
                merge(budget, old, new, overwrites, depth + 1)?;
                old.entries.borrow().is_empty()
            }
            _ => overwrites || is_free,
        };
        if takes {
            into.entries.borrow_mut().insert(key, value);
        }
    }
    Ok(())
}

fn deep_copy(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    match args.any(0) {
        Value::Nil | Value::Missing => {
            Err("reflect: call of reflect.Value.Type on zero Value".into())
        }
        // Its fields are its own, and copystructure passes over those.
        Value::Version(_) => Ok(Value::Version(Rc::new(Semver {
            original: String::new(),
            metadata: String::new(),
            version: Version::of([0; 3], ""),
        }))),
        value => copy(run.budget, value, 0),
    }
}

fn copy(budget: &mut Budget, value: &Value, depth: usize) -> Result<Value, Fault> {
    budget.charge(STEP)?;
    if depth > MAX_DEPTH {
        return Err(Fault::too_deep());
    }
    Ok(match value {
        Value::List(list) if !list.is_nil => {
            let items: Result<Vec<Value>, Fault> = list
                .items
                .iter()
                .map(|item| copy(budget, item, depth + 1))
                .collect();
            Value::List(List::new(list.of, items?)?)
        }
        Value::Map(map) if map.of.name == Param::Dict.name() => {
            budget.charge(map.entries.borrow().len())?;
            let mut entries = map.entries.borrow().clone();
            for value in entries.values_mut() {
                *value = copy(budget, value, depth + 1)?;
            }
            Value::Map(budget.dict(entries))
        }
        // What no function changes may be shared.
        other => other.clone(),
    })
}
