//! What a value is, what stands in for an empty one, and JSON.

use super::super::budget::Fault;
use super::super::function::{Args, Function, Param, Run};
use super::super::value::Value;
use super::json::{self, Style};
use super::{function, lists, params, variadic};

/// The functions by name.
pub(super) static TABLE: &[Function] = &[
    variadic("all", params::NONE, Param::Any, |_, args| {
        Ok(Value::Bool(!args.0.iter().any(is_empty)))
    }),
    variadic("any", params::NONE, Param::Any, |_, args| {
        Ok(Value::Bool(!args.0.iter().all(is_empty)))
    }),
    variadic("coalesce", params::NONE, Param::Any, |_, args| {
        let found = args.0.iter().find(|value| !is_empty(value));
        Ok(found.cloned().unwrap_or(Value::Nil))
    }),
    function("deepEqual", params::ANY_ANY, |run, args| {
        lists::deep_equal(run.budget, args.any(0), args.any(1), 0).map(Value::Bool)
    }),
    variadic("default", params::ANY, Param::Any, |_, args| {
        let given = args.0.get(1).filter(|value| !is_empty(value));
        Ok(given.unwrap_or(args.any(0)).clone())
    }),
    function("empty", params::ANY, |_, args| {
        Ok(Value::Bool(is_empty(args.any(0))))
    }),
    function("fail", params::TEXT, |_, args| Err(args.text(0).into())),
    function("fromJson", params::TEXT, |run, args| {
        match json::read(run.budget, args.bytes(0)) {
            Err(Fault::Error(_)) => Ok(Value::Nil),
            other => other,
        }
    }),
    function("mustFromJson", params::TEXT, |run, args| {
        json::read(run.budget, args.bytes(0))
    }),
    function("kindIs", params::TEXT_ANY, |_, args| {
        Ok(Value::Bool(args.bytes(0) == args.any(1).kind().as_bytes()))
    }),
    function("kindOf", params::ANY, |_, args| {
        Ok(Value::text(args.any(0).kind()))
    }),
    function(
        "ternary",
        &[Param::Any, Param::Any, Param::Bool],
        |_, args| Ok(args.any(if args.bool(2) { 0 } else { 1 }).clone()),
    ),
    function("toJson", params::ANY, |run, args| {
        or_nothing(written(run, args, PLAIN))
    }),
    function("toPrettyJson", params::ANY, |run, args| {
        or_nothing(written(run, args, PRETTY))
    }),
    function("toRawJson", params::ANY, |run, args| {
        written(run, args, RAW)
    }),
    function("mustToJson", params::ANY, |run, args| {
        written(run, args, PLAIN)
    }),
    function("mustToPrettyJson", params::ANY, |run, args| {
        written(run, args, PRETTY)
    }),
    function("mustToRawJson", params::ANY, |run, args| {
        written(run, args, RAW)
    }),
    function("typeIs", params::TEXT_ANY, |_, args| {
        Ok(Value::Bool(
            args.bytes(0) == args.any(1).type_name().as_bytes(),
        ))
    }),
    function("typeIsLike", params::TEXT_ANY, |_, args| {
        let name = args.any(1).type_name().as_bytes();
        let target = args.bytes(0);
        Ok(Value::Bool(
            name == target || name.strip_prefix(b"*") == Some(target),
        ))
    }),
    function("typeOf", params::ANY, |_, args| {
        Ok(Value::text(args.any(0).type_name()))
    }),
];

/// What sprig calls empty: nothing, zero, false, or without elements.
#[must_use]
pub(super) fn is_empty(value: &Value) -> bool {
    !value.is_true()
}

const PLAIN: Style = Style {
    pretty: false,
    raw: false,
};
const PRETTY: Style = Style {
    pretty: true,
    raw: false,
};
const RAW: Style = Style {
    pretty: false,
    raw: true,
};

fn written(run: &mut Run<'_>, args: &Args<'_>, style: Style) -> Result<Value, Fault> {
    Ok(Value::bytes(&json::write(run.budget, args.any(0), style)?))
}

/// An empty text where there is an error.
fn or_nothing(result: Result<Value, Fault>) -> Result<Value, Fault> {
    match result {
        Err(Fault::Error(_)) => Ok(Value::text("")),
        other => other,
    }
}
