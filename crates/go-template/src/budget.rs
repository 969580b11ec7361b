//! What a run of a template may use: work, and the dicts that it makes.
//!
//! Work is counted, not timed, so that the same template on the same data
//! always comes to the same end. A unit is about a byte read or written; a step
//! of the program is [`STEP`] of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::value::{DICT, Entries, Map, Value};
use go_regexp::Regex;

/// Work of one step.
pub const STEP: usize = 32;

/// Why a function gives no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As in Go.
    Error(String),
    /// A limit of ours.
    Limit(String),
}

impl Fault {
    /// Values nested in one another past all use.
    #[must_use]
    pub fn too_deep() -> Self {
        let most = super::value::MAX_DEPTH;
        Self::Limit(format!("values are nested more than {most} deep"))
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Error(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::Error(message.to_owned())
    }
}

/// Work of reading a regular expression, and of each byte of it.
const REGEX: (usize, usize) = (100_000, 1_000);

/// How many regular expressions are kept, which may be large.
const REGEXES: usize = 8;

/// The work left, the dicts made, and the regular expressions read.
#[derive(Debug)]
pub struct Budget {
    left: usize,
    dicts: Vec<Rc<RefCell<Entries>>>,
    regexes: HashMap<String, Rc<Regex>>,
}

impl Budget {
    /// For a run that may do so much work.
    #[must_use]
    pub fn new(work: usize) -> Self {
        Self {
            left: work,
            dicts: Vec::new(),
            regexes: HashMap::new(),
        }
    }

    /// Pays for work, before it is done.
    ///
    /// # Errors
    /// Where none is left.
    pub fn charge(&mut self, work: usize) -> Result<(), Fault> {
        match self.left.checked_sub(work) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Fault::Limit(
                "the template takes too much time or memory".to_owned(),
            )),
        }
    }

    /// Pays for work that is a product, such as a text so many times.
    ///
    /// # Errors
    /// Where none is left.
    pub fn pay_product(&mut self, one: usize, other: usize) -> Result<(), Fault> {
        self.charge(one.saturating_mul(other))
    }

    /// A new `map[string]interface {}`.
    pub fn dict(&mut self, entries: Entries) -> Map {
        let map = Map::new(&DICT, entries);
        self.dicts.push(Rc::clone(&map.entries));
        map
    }

    /// A regular expression, which is read once.
    ///
    /// # Errors
    /// What is none, or where no work is left.
    pub fn regex(&mut self, pattern: &[u8]) -> Result<Rc<Regex>, Fault> {
        let pattern =
            std::str::from_utf8(pattern).map_err(|_| "error parsing regexp: invalid UTF-8")?;
        if let Some(known) = self.regexes.get(pattern) {
            return Ok(Rc::clone(known));
        }
        self.pay_product(REGEX.1, pattern.len())?;
        self.charge(REGEX.0)?;
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let regex = Rc::new(regex);
        if self.regexes.len() == REGEXES {
            self.regexes.clear();
        }
        self.regexes.insert(pattern.to_owned(), Rc::clone(&regex));
        Ok(regex)
    }

    /// Pays for looking at a value, without what is in it.
    ///
    /// # Errors
    /// Where nothing is left.
    pub fn pay_for(&mut self, value: &Value) -> Result<(), Fault> {
        self.charge(size(value))
    }

    /// Pays for making a value, element by element.
    ///
    /// # Errors
    /// Where nothing is left.
    pub fn pay_to_make(&mut self, value: &Value) -> Result<(), Fault> {
        self.pay_product(size(value), STEP)
    }
}

/// The size of a value, without what is in it.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.items.len() * 4,
        Value::Map(map) => map.entries.borrow().len() * 4,
        _ => 1,
    }
}

impl Drop for Budget {
    /// Dicts hold one another in chains of any length, and in circles. Each is
    /// emptied while all the others are still held here, so nothing is freed
    /// through another.
    fn drop(&mut self) {
        for dict in &self.dicts {
            let entries = std::mem::take(&mut *dict.borrow_mut());
            drop(entries);
        }
    }
}
