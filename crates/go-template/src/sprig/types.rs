//! What a value is, what stands in for an empty one, and JSON.

use super::super::budget::Fault;
use super::super::function::{Args, Function, Run};
use super::super::value::Value;
use super::json::{self, Style};
use super::{lenient, lists};
use crate::functions;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "all": (...Any) => |_, args| Ok(Value::Bool(!args.0.iter().any(is_empty)));
    "any": (...Any) => |_, args| Ok(Value::Bool(!args.0.iter().all(is_empty)));
    "coalesce": (...Any) => coalesce;
    "deepEqual": (Any, Any) =>
        |run, args| lists::deep_equal(run.budget, args.any(0), args.any(1), 0).map(Value::Bool);
    "default": (Any, ...Any) => default;
    "empty": (Any) => |_, args| Ok(Value::Bool(is_empty(args.any(0))));
    "fail": (String) => |_, args| Err(args.text(0).into());
    "fromJson": (String) => |run, args| lenient(json::read(run.budget, args.bytes(0)), Value::Nil);
    "mustFromJson": (String) => |run, args| json::read(run.budget, args.bytes(0));
    "kindIs": (String, Any) =>
        |_, args| Ok(Value::Bool(args.bytes(0) == args.any(1).kind().as_bytes()));
    "kindOf": (Any) => |_, args| Ok(Value::text(args.any(0).kind()));
    "ternary": (Any, Any, Bool) =>
        |_, args| Ok(args.any(if args.bool(2) { 0 } else { 1 }).clone());
    "toJson": (Any) => |run, args| lenient(written(run, args, PLAIN), Value::text(""));
    "toPrettyJson": (Any) => |run, args| lenient(written(run, args, PRETTY), Value::text(""));
    "toRawJson" | "mustToRawJson": (Any) => |run, args| written(run, args, RAW);
    "mustToJson": (Any) => |run, args| written(run, args, PLAIN);
    "mustToPrettyJson": (Any) => |run, args| written(run, args, PRETTY);
    "typeIs": (String, Any) =>
        |_, args| Ok(Value::Bool(args.bytes(0) == args.any(1).type_name().as_bytes()));
    "typeIsLike": (String, Any) => type_is_like;
    "typeOf": (Any) => |_, args| Ok(Value::text(args.any(0).type_name()));
};

fn coalesce(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let found = args.0.iter().find(|value| !is_empty(value));
    Ok(found.cloned().unwrap_or(Value::Nil))
}

fn default(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let given = args.0.get(1).filter(|value| !is_empty(value));
    Ok(given.unwrap_or(args.any(0)).clone())
}

fn type_is_like(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (target, name) = (args.bytes(0), args.any(1).type_name().as_bytes());
    let is_like = name == target || name.strip_prefix(b"*") == Some(target);
    Ok(Value::Bool(is_like))
}

/// What sprig calls empty: nothing, zero, false, or without elements.
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
