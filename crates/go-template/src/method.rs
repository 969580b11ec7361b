//! Methods of the values that are neither data nor texts: versions and times.

use std::rc::Rc;

use super::budget::Fault;
use super::function::{Args, Function, Run};
use super::value::{Int, Semver, Uint, Value};
use crate::functions;
use crate::time::Time;
use masterminds_semver::Version;

/// The method of a value. Its first parameter is the value.
pub(crate) fn find(receiver: &Value, name: &str) -> Option<&'static Function> {
    let table = match receiver {
        Value::Version(_) => VERSION,
        Value::Time(_) => TIME,
        _ => return None,
    };
    table.iter().find(|method| method.name == name)
}

static VERSION: &[Function] = functions! {
    "Major": (Version) => |_, args| number(args, 0);
    "Minor": (Version) => |_, args| number(args, 1);
    "Patch": (Version) => |_, args| number(args, 2);
    "Prerelease": (Version) => |_, args| Ok(Value::text(version(args, 0)?.version.prerelease()));
    "Metadata": (Version) => |_, args| Ok(Value::text(&version(args, 0)?.metadata));
    "Original": (Version) => |_, args| Ok(Value::text(&version(args, 0)?.original));
    "String": (Version) => |_, args| Ok(Value::text(version(args, 0)?.to_string()));
    "IncMajor": (Version) => |_, args| increased(args, 0);
    "IncMinor": (Version) => |_, args| increased(args, 1);
    "IncPatch": (Version) => |_, args| increased(args, 2);
    "Compare": (Version, Version) => |_, args| Ok(Value::int(order(args)? as i64));
    "Equal": (Version, Version) => |_, args| Ok(Value::Bool(order(args)?.is_eq()));
    "LessThan": (Version, Version) => |_, args| Ok(Value::Bool(order(args)?.is_lt()));
    "LessThanEqual": (Version, Version) => |_, args| Ok(Value::Bool(order(args)?.is_le()));
    "GreaterThan": (Version, Version) => |_, args| Ok(Value::Bool(order(args)?.is_gt()));
    "GreaterThanEqual": (Version, Version) => |_, args| Ok(Value::Bool(order(args)?.is_ge()));
};

fn version<'a>(args: &Args<'a>, index: usize) -> Result<&'a Semver, Fault> {
    match args.any(index) {
        Value::Version(version) => Ok(version),
        _ => Err("runtime error: invalid memory address or nil pointer dereference".into()),
    }
}

fn number(args: &Args<'_>, index: usize) -> Result<Value, Fault> {
    let numbers = version(args, 0)?.version.numbers();
    Ok(Value::Uint(numbers[index], Uint::Uint64))
}

fn order(args: &Args<'_>) -> Result<std::cmp::Ordering, Fault> {
    let (one, other) = (version(args, 0)?, version(args, 1)?);
    Ok(one.version.precedence(&other.version))
}

/// The next version; the next patch of a prerelease is its release.
fn increased(args: &Args<'_>, index: usize) -> Result<Value, Fault> {
    let old = version(args, 0)?;
    let mut numbers = old.version.numbers();
    if index < 2 || !old.version.is_prerelease() {
        numbers[index] = numbers[index].wrapping_add(1);
    }
    numbers[index + 1..].fill(0);
    let version = Version::of(numbers, "");
    let prefix = if old.original.starts_with('v') {
        "v"
    } else {
        ""
    };
    Ok(Value::Version(Rc::new(Semver {
        original: format!("{prefix}{version}"),
        metadata: String::new(),
        version,
    })))
}

static TIME: &[Function] = functions! {
    "Format": (Time, String) => |_, args| Ok(Value::text(args.time(0).format(&args.text(1))));
    "String": (Time) => |_, args| Ok(Value::text(args.time(0).to_string()));
    "UTC": (Time) => |_, args| Ok(Value::Time(args.time(0).to_utc()));
    "Unix": (Time) => |_, args| Ok(Value::int64(args.time(0).timestamp().as_second()));
    "UnixMilli": (Time) => |_, args| Ok(Value::int64(args.time(0).timestamp().as_millisecond()));
    "Year": (Time) => |_, args| civil(args, |at| at.year().into());
    "Month": (Time) => |_, args| Ok(Value::Int(args.time(0).civil().month().into(), Int::Month));
    "Day": (Time) => |_, args| civil(args, |at| at.day().into());
    "Hour": (Time) => |_, args| civil(args, |at| at.hour().into());
    "Minute": (Time) => |_, args| civil(args, |at| at.minute().into());
    "Second": (Time) => |_, args| civil(args, |at| at.second().into());
    "Nanosecond": (Time) => |_, args| civil(args, |at| at.subsec_nanosecond().into());
    "YearDay": (Time) => |_, args| civil(args, |at| at.date().day_of_year().into());
    "Weekday": (Time) => weekday;
    "IsZero": (Time) => is_zero;
    "AddDate": (Time, Int, Int, Int) => add_date;
    "Before": (Time, Time) => |_, args| Ok(Value::Bool(instants(args).is_lt()));
    "After": (Time, Time) => |_, args| Ok(Value::Bool(instants(args).is_gt()));
    "Equal": (Time, Time) => |_, args| Ok(Value::Bool(instants(args).is_eq()));
};

fn civil(args: &Args<'_>, part: fn(jiff::civil::DateTime) -> i64) -> Result<Value, Fault> {
    Ok(Value::int(part(args.time(0).civil())))
}

fn weekday(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let day = args.time(0).civil().date().weekday();
    Ok(Value::Int(day.to_sunday_zero_offset().into(), Int::Weekday))
}

fn is_zero(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let zero = Time::default().timestamp();
    Ok(Value::Bool(args.time(0).timestamp() == zero))
}

fn instants(args: &Args<'_>) -> std::cmp::Ordering {
    args.time(0).timestamp().cmp(&args.time(1).timestamp())
}

/// Years, months and days later; a day that a month does not have is one of
/// the next.
fn add_date(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let time = args.time(0);
    let shifted = time.plus_date(args.int(1), args.int(2), args.int(3));
    shifted
        .map(Value::Time)
        .ok_or_else(|| "the date is out of range".into())
}
