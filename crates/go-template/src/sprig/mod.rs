//! sprig's hermetic functions (v3.3), by what they are about.
//!
//! Each has the types that sprig's has, since what a function refuses is part
//! of what it does. A `must…` function fails where its twin answers with
//! something empty.

mod case;
mod dates;
mod encoding;
mod json;
mod lists;
mod maps;
mod numbers;
mod paths;
mod regexes;
mod strings;
mod types;
mod urls;

use super::budget::Fault;
use super::function::Function;
use super::value::Value;

/// All of them.
pub(crate) static TABLES: [&[Function]; 10] = [
    strings::TABLE,
    lists::TABLE,
    maps::TABLE,
    numbers::TABLE,
    types::TABLE,
    regexes::TABLE,
    dates::TABLE,
    paths::TABLE,
    urls::TABLE,
    encoding::TABLE,
];

/// What a `must…` function gives, or what its twin answers with where that fails.
fn lenient(result: Result<Value, Fault>, instead: Value) -> Result<Value, Fault> {
    match result {
        Err(Fault::Error(_)) => Ok(instead),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::find;

    /// The names that Flux's templates know, one a line.
    const NAMES: &str = include_str!("../../../../tests/conformance/sprig-functions.txt");

    #[test]
    fn every_name_is_there_and_no_other() {
        let names: Vec<&str> = NAMES.lines().collect();
        assert_eq!(names.len(), 194);
        for name in &names {
            assert!(find(name, &[]).is_some(), "{name}");
        }
        for table in super::TABLES {
            for function in table {
                assert!(names.contains(&function.name), "{}", function.name);
            }
        }
    }
}
