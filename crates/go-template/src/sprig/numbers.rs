//! Numbers: whole ones in 64 bits, which wrap around as Go's do, and decimal
//! arithmetic for the `…f` functions, so that `addf 0.1 0.2` is `0.3`.

use std::str::FromStr as _;

use bigdecimal::{BigDecimal, RoundingMode, Zero as _};

use super::super::budget::{Budget, Fault};
use super::super::fmt;
use super::super::function::{Args, Function, Run, text};
use super::super::literal;
use super::super::value::{INTS, List, Value};
use crate::{functions, strconv};

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "add": (...Any) => |_, args| fold(0, args.0, i64::wrapping_add);
    "add1": (Any) => |_, args| fold(1, args.0, i64::wrapping_add);
    "add1f": (Any) => |_, args| decimals(args.any(0), &[Value::Float(1.0)], add);
    "addf": (...Any) => |_, args| decimals(&Value::Float(0.0), args.0, add);
    "atoi": (String) => |_, args| Ok(Value::int(atoi(&args.text(0))));
    "ceil": (Any) => |_, args| Ok(Value::Float(to_float(args.any(0)).ceil()));
    "div": (Any, Any) => |_, args| divided(args, i64::wrapping_div);
    "divf": (Any, ...Any) => |_, args| decimals(args.any(0), args.from(1), divide);
    "float64": (Any) => |_, args| Ok(Value::Float(to_float(args.any(0))));
    "floor": (Any) => |_, args| Ok(Value::Float(to_float(args.any(0)).floor()));
    "int": (Any) => |_, args| Ok(Value::int(to_int(args.any(0))));
    "int64": (Any) => |_, args| Ok(Value::int64(to_int(args.any(0))));
    "max" | "biggest": (Any, ...Any) => |_, args| folded(args, i64::max);
    "maxf": (Any, ...Any) => |_, args| extreme_float(args, max_float);
    "min": (Any, ...Any) => |_, args| folded(args, i64::min);
    "minf": (Any, ...Any) => |_, args| extreme_float(args, |one, other| -max_float(-one, -other));
    "mod": (Any, Any) => |_, args| divided(args, i64::wrapping_rem);
    "mul": (Any, ...Any) => |_, args| folded(args, i64::wrapping_mul);
    "mulf": (Any, ...Any) => |_, args| decimals(args.any(0), args.from(1), multiply);
    "round": (Any, Int, ...Float) => round;
    "seq": (...Int) => seq;
    "sub": (Any, Any) => |_, args| folded(args, i64::wrapping_sub);
    "subf": (Any, ...Any) => |_, args| decimals(args.any(0), args.from(1), subtract);
    "toDecimal": (Any) => to_decimal;
    "until": (Int) => until;
    "untilStep": (Int, Int, Int) =>
        |run, args| ints(run.budget, args.int(0), args.int(1), args.int(2));
};

/// `cast.ToInt64`; what is not a number is 0.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(number, _) => *number,
        Value::Uint(number, _) => number.cast_signed(),
        Value::Float(number) => whole(*number),
        Value::Bool(is_so) => i64::from(*is_so),
        Value::String(text) => {
            let text = String::from_utf8_lossy(text);
            literal::signed(without_zero_decimals(&text)).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Go's conversion on amd64: what does not fit is the least of all.
fn whole(number: f64) -> i64 {
    // 2^63, which is the first that does not fit.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `1.00` as `1`; `1.01` as it is.
fn without_zero_decimals(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// `cast.ToFloat64`; what is not a number is 0.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(number, _) => *number as f64,
        Value::Uint(number, _) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(is_so) => f64::from(u8::from(*is_so)),
        Value::String(text) => {
            let text = String::from_utf8_lossy(text);
            strconv::parse_float(&text).unwrap_or(0.0)
        }
        _ => 0.0,
    }
}

fn atoi(text: &str) -> i64 {
    // A sign, and digits: what Rust reads, too.
    text.parse().unwrap_or(0)
}

fn fold(start: i64, values: &[Value], apply: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    let result = values
        .iter()
        .fold(start, |sum, value| apply(sum, to_int(value)));
    Ok(Value::int64(result))
}

fn divided(args: &Args<'_>, apply: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    let (one, other) = (to_int(args.any(0)), to_int(args.any(1)));
    if other == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::int64(apply(one, other)))
}

/// The first argument, and each of the others applied to it.
fn folded(args: &Args<'_>, apply: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    fold(to_int(args.any(0)), args.from(1), apply)
}

fn extreme_float(args: &Args<'_>, apply: fn(f64, f64) -> f64) -> Result<Value, Fault> {
    let first = to_float(args.any(0));
    let result = args
        .from(1)
        .iter()
        .fold(first, |sum, value| apply(sum, to_float(value)));
    Ok(Value::Float(result))
}

/// `math.Max`: infinity before NaN, NaN before all else, 0 before -0.
fn max_float(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else if one == 0.0 && other == 0.0 {
        if one.is_sign_negative() { other } else { one }
    } else {
        one.max(other)
    }
}

type Operation = fn(&BigDecimal, &BigDecimal) -> Result<BigDecimal, Fault>;

fn add(one: &BigDecimal, other: &BigDecimal) -> Result<BigDecimal, Fault> {
    Ok(one + other)
}

fn subtract(one: &BigDecimal, other: &BigDecimal) -> Result<BigDecimal, Fault> {
    Ok(one - other)
}

fn multiply(one: &BigDecimal, other: &BigDecimal) -> Result<BigDecimal, Fault> {
    Ok(one * other)
}

/// With 16 places behind the point, as shopspring's decimals divide.
fn divide(one: &BigDecimal, other: &BigDecimal) -> Result<BigDecimal, Fault> {
    if other.is_zero() {
        return Err("decimal division by 0".into());
    }
    Ok((one / other).with_scale_round(16, RoundingMode::HalfUp))
}

fn decimals(first: &Value, values: &[Value], apply: Operation) -> Result<Value, Fault> {
    let mut result = decimal(to_float(first))?;
    for value in values {
        result = apply(&result, &decimal(to_float(value))?)?;
    }
    Ok(Value::Float(result.to_string().parse().unwrap_or(f64::NAN)))
}

/// The shortest decimal that is this float.
fn decimal(number: f64) -> Result<BigDecimal, Fault> {
    let fault = || Fault::Error(format!("Cannot create a Decimal from {number}"));
    BigDecimal::from_str(&format!("{number:e}")).map_err(|_| fault())
}

fn to_decimal(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let printed = fmt::print(run.budget, args.any(0))?;
    let printed = String::from_utf8_lossy(&printed);
    Ok(Value::int64(i64::from_str_radix(&printed, 8).unwrap_or(0)))
}

fn round(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let up_from = match args.any(2) {
        Value::Float(number) => *number,
        _ => 0.5,
    };
    let places = i32::try_from(args.int(1)).unwrap_or(i32::MAX);
    let power = 10_f64.powi(places);
    let shifted = power * to_float(args.any(0));
    let rounded = if shifted.fract() >= up_from {
        shifted.ceil()
    } else {
        shifted.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// Numbers from `start`, `step` apart, before `stop`.
fn steps(budget: &mut Budget, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Fault> {
    let distance = i128::from(stop) - i128::from(start);
    if step == 0 || (distance < 0) != (step < 0) || distance == 0 {
        return Ok(Vec::new());
    }
    let size = i128::from(step.unsigned_abs());
    let count = (distance.abs() + size - 1) / size;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    budget.pay_product(count, 16)?;
    let mut number = start;
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        numbers.push(number);
        number = number.wrapping_add(step);
    }
    Ok(numbers)
}

fn ints(budget: &mut Budget, start: i64, stop: i64, step: i64) -> Result<Value, Fault> {
    let numbers = steps(budget, start, stop, step)?;
    let items = numbers.into_iter().map(Value::int).collect();
    Ok(Value::List(List::new(&INTS, items)?))
}

fn until(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let count = args.int(0);
    ints(run.budget, 0, count, if count < 0 { -1 } else { 1 })
}

fn seq(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let number = |index: usize| args.int(index);
    let (start, end, step) = match args.0.len() {
        1 => (1, number(0), if number(0) < 1 { -1 } else { 1 }),
        2 => {
            let step = if number(1) < number(0) { -1 } else { 1 };
            (number(0), number(1), step)
        }
        3 => (number(0), number(2), number(1)),
        _ => return Ok(Value::text("")),
    };
    let past_end = if end < start { -1 } else { 1 };
    let numbers = steps(run.budget, start, end.wrapping_add(past_end), step)?;
    let shown: Vec<String> = numbers.iter().map(i64::to_string).collect();
    text(run, shown.join(" "))
}
