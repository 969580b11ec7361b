//! Times and durations. There is no clock here: now is what the run says.

use std::rc::Rc;

use super::super::budget::Fault;
use super::super::function::{Args, Function, Run};
use super::super::value::{Int, Semver, Value};
use crate::time::Time;
use crate::{duration, functions};
use masterminds_semver::{Constraint, Version};

/// The functions by name; versions are here, too, which are two.
pub(super) static TABLE: &[Function] = functions! {
    "ago": (Any) => ago;
    "duration": (Any) => seconds;
    "durationRound": (Any) => duration_round;
    "mustDateModify" | "must_date_modify": (String, Time) => modify;
    "mustToDate": (String, String) => |_, args| Ok(Value::Time(date(args)?));
    "semver": (String) => |_, args| semver(&args.text(0));
    "semverCompare": (String, String) => compare;
    "toDate": (String, String) => |_, args| Ok(Value::Time(date(args).unwrap_or_default()));
    "unixEpoch": (Time) =>
        |_, args| Ok(Value::text(args.time(0).timestamp().as_second().to_string()));
};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Nanoseconds from an instant until now, as far as 64 bits count them.
fn since(run: &Run<'_>, nanoseconds: i128) -> i64 {
    let passed = run.now.timestamp().as_nanosecond() - nanoseconds;
    let least = i128::from(i64::MIN);
    i64::try_from(passed.clamp(least, i128::from(i64::MAX))).unwrap_or(i64::MAX)
}

fn ago(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let passed = match args.any(0) {
        Value::Time(time) => since(run, time.timestamp().as_nanosecond()),
        Value::Int(seconds, Int::Int | Int::Int64) => {
            since(run, i128::from(*seconds) * i128::from(SECOND))
        }
        _ => 0,
    };
    // To the second, and up from the half.
    let half = if passed < 0 { -SECOND / 2 } else { SECOND / 2 };
    let rounded = passed.saturating_add(half) / SECOND;
    Ok(Value::text(duration::print(rounded.saturating_mul(SECOND))))
}

fn seconds(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let seconds = match args.any(0) {
        Value::String(text) => String::from_utf8_lossy(text).parse().unwrap_or(0),
        Value::Int(number, Int::Int64) => *number,
        _ => 0,
    };
    Ok(Value::text(duration::print(seconds.wrapping_mul(SECOND))))
}

fn duration_round(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    const UNITS: [(u64, &str); 6] = [
        (365 * 24 * 3600, "y"),
        (30 * 24 * 3600, "mo"),
        (24 * 3600, "d"),
        (3600, "h"),
        (60, "m"),
        (1, "s"),
    ];
    let nanoseconds = match args.any(0) {
        Value::String(_) => duration::parse_signed(&args.text(0)).unwrap_or(0),
        Value::Int(number, Int::Int64) => *number,
        Value::Time(time) => since(run, time.timestamp().as_nanosecond()),
        _ => 0,
    };
    let size = nanoseconds.unsigned_abs();
    let unit = UNITS
        .iter()
        .find(|(seconds, _)| size > seconds * SECOND.unsigned_abs());
    Ok(Value::text(match unit {
        Some((seconds, name)) => format!("{}{name}", size / (seconds * SECOND.unsigned_abs())),
        None => "0s".to_owned(),
    }))
}

fn modify(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let by = duration::parse_signed(&args.text(0)).map_err(|error| error.to_string())?;
    let time = args.time(1).plus(by).ok_or("the time is out of range")?;
    Ok(Value::Time(time))
}

fn date(args: &Args<'_>) -> Result<Time, Fault> {
    Time::parse(&args.text(0), &args.text(1)).map_err(|error| error.to_string().into())
}

fn version(text: &str) -> Result<Version, Fault> {
    Version::parse(text).map_err(|error| format!("invalid semantic version: {error}").into())
}

fn semver(text: &str) -> Result<Value, Fault> {
    let metadata = text.split_once('+').map_or("", |(_, metadata)| metadata);
    Ok(Value::Version(Rc::new(Semver {
        original: text.to_owned(),
        metadata: metadata.to_owned(),
        version: version(text)?,
    })))
}

fn compare(_: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let constraint = Constraint::parse(&args.text(0)).map_err(|error| error.to_string())?;
    let version = version(&args.text(1))?;
    Ok(Value::Bool(constraint.admits(&version)))
}
