//! Methods of the values that are neither data nor texts: versions and times.

use std::rc::Rc;

use super::budget::Fault;
use super::function::{Args, Function, Param, Run};
use super::value::{Int, Semver, Uint, Value};
use masterminds_semver::Version;

/// The method of a value. Its first parameter is the value.
#[must_use]
pub(crate) fn find(receiver: &Value, name: &str) -> Option<&'static Function> {
    let table = match receiver {
        Value::Version(_) => VERSION,
        Value::Time(_) => TIME,
        _ => return None,
    };
    table.iter().find(|method| method.name == name)
}

const fn method(
    name: &'static str,
    params: &'static [Param],
    call: super::function::Call,
) -> Function {
    Function {
        name,
        params,
        rest: None,
        call,
    }
}

const OF_VERSION: &[Param] = &[Param::Version];
const WITH_VERSION: &[Param] = &[Param::Version, Param::Version];

static VERSION: &[Function] = &[
    method("Major", OF_VERSION, |_, args| number(args, 0)),
    method("Minor", OF_VERSION, |_, args| number(args, 1)),
    method("Patch", OF_VERSION, |_, args| number(args, 2)),
    method("Prerelease", OF_VERSION, |_, args| {
        Ok(Value::text(version(args, 0)?.version.prerelease()))
    }),
    method("Metadata", OF_VERSION, |_, args| {
        Ok(Value::text(&version(args, 0)?.metadata))
    }),
    method("Original", OF_VERSION, |_, args| {
        Ok(Value::text(&version(args, 0)?.original))
    }),
    method("String", OF_VERSION, |_, args| {
        Ok(Value::text(version(args, 0)?.to_string()))
    }),
    method("IncMajor", OF_VERSION, |_, args| increased(args, 0)),
    method("IncMinor", OF_VERSION, |_, args| increased(args, 1)),
    method("IncPatch", OF_VERSION, |_, args| increased(args, 2)),
    method("Compare", WITH_VERSION, |_, args| {
        Ok(Value::int(order(args)? as i64))
    }),
    method("Equal", WITH_VERSION, |_, args| {
        Ok(Value::Bool(order(args)?.is_eq()))
    }),
    method("LessThan", WITH_VERSION, |_, args| {
        Ok(Value::Bool(order(args)?.is_lt()))
    }),
    method("LessThanEqual", WITH_VERSION, |_, args| {
        Ok(Value::Bool(order(args)?.is_le()))
    }),
    method("GreaterThan", WITH_VERSION, |_, args| {
        Ok(Value::Bool(order(args)?.is_gt()))
    }),
    method("GreaterThanEqual", WITH_VERSION, |_, args| {
        Ok(Value::Bool(order(args)?.is_ge()))
    }),
];

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

const OF_TIME: &[Param] = &[Param::Time];
const WITH_TIME: &[Param] = &[Param::Time, Param::Time];

static TIME: &[Function] = &[
    method("Format", &[Param::Time, Param::String], |_, args| {
        Ok(Value::text(args.time(0).format(&args.text(1))))
    }),
    method("String", OF_TIME, |_, args| {
        Ok(Value::text(args.time(0).to_string()))
    }),
    method("UTC", OF_TIME, |_, args| {
        Ok(Value::Time(args.time(0).to_utc()))
    }),
    method("Unix", OF_TIME, |_, args| {
        Ok(Value::int64(args.time(0).timestamp().as_second()))
    }),
    method("UnixMilli", OF_TIME, |_, args| {
        Ok(Value::int64(args.time(0).timestamp().as_millisecond()))
    }),
    method("Year", OF_TIME, |_, args| {
        civil(args, |at| at.year().into())
    }),
    method("Month", OF_TIME, |_, args| {
        Ok(Value::Int(args.time(0).civil().month().into(), Int::Month))
    }),
    method("Day", OF_TIME, |_, args| civil(args, |at| at.day().into())),
    method("Hour", OF_TIME, |_, args| {
        civil(args, |at| at.hour().into())
    }),
    method("Minute", OF_TIME, |_, args| {
        civil(args, |at| at.minute().into())
    }),
    method("Second", OF_TIME, |_, args| {
        civil(args, |at| at.second().into())
    }),
    method("Nanosecond", OF_TIME, |_, args| {
        civil(args, |at| at.subsec_nanosecond().into())
    }),
    method("YearDay", OF_TIME, |_, args| {
        civil(args, |at| at.date().day_of_year().into())
    }),
    method("Weekday", OF_TIME, |_, args| {
        let day = args
            .time(0)
            .civil()
            .date()
            .weekday()
            .to_sunday_zero_offset();
        Ok(Value::Int(day.into(), Int::Weekday))
    }),
    method("IsZero", OF_TIME, |_, args| {
        let zero = crate::time::Time::default();
        Ok(Value::Bool(args.time(0).timestamp() == zero.timestamp()))
    }),
    method(
        "AddDate",
        &[Param::Time, Param::Int, Param::Int, Param::Int],
        add_date,
    ),
    method("Before", WITH_TIME, |_, args| {
        Ok(Value::Bool(instants(args).is_lt()))
    }),
    method("After", WITH_TIME, |_, args| {
        Ok(Value::Bool(instants(args).is_gt()))
    }),
    method("Equal", WITH_TIME, |_, args| {
        Ok(Value::Bool(instants(args).is_eq()))
    }),
];

fn civil(args: &Args<'_>, part: fn(jiff::civil::DateTime) -> i64) -> Result<Value, Fault> {
    Ok(Value::int(part(args.time(0).civil())))
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
