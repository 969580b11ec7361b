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

use super::function::{Call, Function, Param};

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

const fn function(name: &'static str, params: &'static [Param], call: Call) -> Function {
    Function {
        name,
        params,
        rest: None,
        call,
    }
}

const fn variadic(
    name: &'static str,
    params: &'static [Param],
    rest: Param,
    call: Call,
) -> Function {
    Function {
        name,
        params,
        rest: Some(rest),
        call,
    }
}

/// Parameter lists that many functions have.
mod params {
    use super::Param;

    pub(super) const NONE: &[Param] = &[];
    pub(super) const ANY: &[Param] = &[Param::Any];
    pub(super) const ANY_ANY: &[Param] = &[Param::Any, Param::Any];
    pub(super) const TEXT: &[Param] = &[Param::String];
    pub(super) const TEXT_TEXT: &[Param] = &[Param::String, Param::String];
    pub(super) const TEXT_ANY: &[Param] = &[Param::String, Param::Any];
    pub(super) const THREE_TEXTS: &[Param] = &[Param::String, Param::String, Param::String];
    pub(super) const INT: &[Param] = &[Param::Int];
    pub(super) const INT_TEXT: &[Param] = &[Param::Int, Param::String];
    pub(super) const INT_ANY: &[Param] = &[Param::Int, Param::Any];
    pub(super) const DICT: &[Param] = &[Param::Dict];
    pub(super) const DICT_TEXT: &[Param] = &[Param::Dict, Param::String];
}

#[cfg(test)]
mod tests {
    use super::super::function::find;

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
