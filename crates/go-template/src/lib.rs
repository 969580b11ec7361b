//! Go's `text/template` without options (a missing key prints `<no value>`), and
//! sprig's hermetic functions, which the feature `sprig` adds.
//!
//! The way of a template: `lex` → `parse` (nodes) → `exec`, with [`value`]s as
//! Go types them, `fmt` for how they print, [`function`] for what can be
//! called. Checked against answers recorded from Go and sprig.
//!
//! What Go leaves to chance is fixed here: `keys` and `values` come in the
//! order of the keys. What cannot end, ends: work, depth and the length of the
//! result are counted ([`Limits`]).
//!
//! ```
//! use go_template::value::Value;
//! use go_template::{Limits, Template};
//! use go_template::time::Time;
//!
//! let template = Template::parse("{{ . | printf \"%05d\" }}", &[], Limits::default())?;
//! let now = Time::utc(jiff::Timestamp::UNIX_EPOCH);
//! assert_eq!(template.execute(&Value::int(42), &now)?, "00042");
//! # Ok::<(), go_template::error::Error>(())
//! ```

#![warn(unreachable_pub)]
#![allow(
    clippy::mutable_key_type,
    reason = "keys are texts and structs of texts, which nothing changes"
)]

pub mod budget;
mod builtin;
pub mod duration;
pub mod error;
mod exec;
mod fmt;
pub mod function;

mod lex;
mod literal;
mod method;
mod node;
mod parse;
#[cfg(feature = "sprig")]
mod sprig;
pub mod strconv;
pub mod time;
#[cfg_attr(
    not(feature = "sprig"),
    allow(dead_code, reason = "sprig uses all of it")
)]
mod unicode;
pub mod value;

use self::error::{Cause, Error, Position};
use self::function::Function;
use self::time::Time;
use self::value::Value;

/// What a template may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of its source.
    pub source: usize,
    /// Bytes of its result.
    pub result: usize,
    /// Units of work; see [`budget`].
    pub work: usize,
}

impl Default for Limits {
    /// A mebibyte in, a mebibyte out, and a second or so at most.
    fn default() -> Self {
        Self {
            source: 1 << 20,
            result: 1 << 20,
            work: 200_000_000,
        }
    }
}

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    source: String,
    trees: parse::Trees,
    functions: &'static [Function],
    limits: Limits,
}

impl Template {
    /// Parses a template that may call sprig's functions, Go's, and `more`.
    ///
    /// # Errors
    /// What is not a template, or calls what does not exist.
    pub fn parse(source: &str, more: &'static [Function], limits: Limits) -> Result<Self, Error> {
        if source.len() > limits.source {
            let most = limits.source;
            let message = format!("the template is longer than {most} bytes");
            return Err(Error {
                cause: Cause::Limit,
                ..Error::syntax(Position::of(source, 0), message)
            });
        }
        let is_function = |name: &str| find(name, more).is_some();
        Ok(Self {
            source: source.to_owned(),
            trees: parse::parse(source, &is_function)?,
            functions: more,
            limits,
        })
    }

    /// The text that the template makes of `data`; bytes that are no UTF-8
    /// become U+FFFD. `now` is what `ago` counts to.
    ///
    /// # Errors
    /// What cannot be done, and where.
    pub fn execute(&self, data: &Value, now: &Time) -> Result<String, Error> {
        let result = exec::execute(self, data, now)?;
        Ok(function::lossy(&result))
    }
}

/// Functions by name: sprig's go before Go's own, as Flux adds them.
fn find(name: &str, more: &'static [Function]) -> Option<&'static Function> {
    #[cfg(feature = "sprig")]
    let sprig = sprig::TABLES;
    #[cfg(not(feature = "sprig"))]
    let sprig = [];
    let tables = [more].into_iter().chain(sprig).chain([builtin::TABLE]);
    tables.flatten().find(|function| function.name == name)
}
