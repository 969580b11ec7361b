//! Go's `encoding/json`, as far as `toJson` and `fromJson` meet it.
//!
//! Keys are sorted, `<`, `>` and `&` are escaped unless asked not to, floats
//! print as in JavaScript. A map whose keys are structs cannot be written, and
//! neither can what holds one.

use super::super::budget::{Budget, Fault, STEP};
use super::super::fmt;
use super::super::value::{Entries, Key, LIST, List, MAX_DEPTH, Map, Struct, Value};
use crate::strconv;

/// How to write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// A line for each element, indented by two.
    pub pretty: bool,
    /// `<`, `>` and `&` as they are.
    pub raw: bool,
}

/// A value as JSON.
pub(super) fn write(budget: &mut Budget, value: &Value, style: Style) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer {
        budget,
        style,
        out: Vec::new(),
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'h> {
    budget: &'h mut Budget,
    style: Style,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.budget.charge(text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn line(&mut self, depth: usize) -> Result<(), Fault> {
        if self.style.pretty {
            self.push(b"\n")?;
            self.push("  ".repeat(depth).as_bytes())?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::too_deep());
        }
        self.budget.charge(STEP)?;
        match value {
            Value::Missing | Value::Nil => self.push(b"null"),
            Value::Bool(is_so) => self.push(is_so.to_string().as_bytes()),
            Value::Int(number, _) => self.push(number.to_string().as_bytes()),
            Value::Uint(number, _) => self.push(number.to_string().as_bytes()),
            Value::Float(number) => {
                let text = float(*number)?;
                self.push(text.as_bytes())
            }
            Value::String(text) => self.text(text),
            Value::List(list) => self.list(list, depth),
            Value::Map(map) => self.map(map, depth),
            Value::Struct(inner) => {
                self.push(b"{")?;
                let mut is_first = true;
                self.fields(inner, &mut is_first, depth)?;
                self.close(b"}", is_first, depth)
            }
            Value::Time(time) => {
                let text = time.format("2006-01-02T15:04:05.999999999Z07:00");
                self.text(text.as_bytes())
            }
            Value::Version(version) => self.text(version.to_string().as_bytes()),
        }
    }

    fn close(&mut self, bracket: &[u8], is_empty: bool, depth: usize) -> Result<(), Fault> {
        if !is_empty {
            self.line(depth)?;
        }
        self.push(bracket)
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), Fault> {
        if list.is_nil {
            return self.push(b"null");
        }
        self.push(b"[")?;
        for (index, item) in list.items.iter().enumerate() {
            if index > 0 {
                self.push(b",")?;
            }
            self.line(depth + 1)?;
            self.value(item, depth + 1)?;
        }
        self.close(b"]", list.items.is_empty(), depth)
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), Fault> {
        let entries = map.entries.borrow();
        if map.of.name.starts_with("map[") && !map.of.name.starts_with("map[string]") {
            return Err(format!("json: unsupported type: {}", map.of.name).into());
        }
        if map.is_nil {
            return self.push(b"null");
        }
        self.push(b"{")?;
        for (index, (key, value)) in entries.iter().enumerate() {
            let Value::String(key) = &key.0 else {
                return Err(format!("json: unsupported type: {}", map.of.name).into());
            };
            self.member(key, value, index == 0, depth)?;
        }
        self.close(b"}", entries.is_empty(), depth)
    }

    /// The fields of a struct; those of an embedded one are its own.
    fn fields(&mut self, inner: &Struct, is_first: &mut bool, depth: usize) -> Result<(), Fault> {
        for field in &inner.fields {
            match &field.value {
                Value::Struct(embedded) if field.is_embedded => {
                    self.fields(embedded, is_first, depth)?;
                }
                value => {
                    self.member(field.name.as_bytes(), value, *is_first, depth)?;
                    *is_first = false;
                }
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        key: &[u8],
        value: &Value,
        is_first: bool,
        depth: usize,
    ) -> Result<(), Fault> {
        if !is_first {
            self.push(b",")?;
        }
        self.line(depth + 1)?;
        self.text(key)?;
        self.push(if self.style.pretty { b": " } else { b":" })?;
        self.value(value, depth + 1)
    }

    fn text(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.push(b"\"")?;
        for (c, bytes) in fmt::chars(text) {
            let escaped = match c {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                '\x08' => "\\b".to_owned(),
                '\x0c' => "\\f".to_owned(),
                '<' | '>' | '&' if !self.style.raw => format!("\\u{:04x}", u32::from(c)),
                '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(c)),
                c if u32::from(c) < 0x20 => format!("\\u{:04x}", u32::from(c)),
                char::REPLACEMENT_CHARACTER if bytes.len() == 1 => "\\ufffd".to_owned(),
                _ => {
                    self.push(bytes)?;
                    continue;
                }
            };
            self.push(escaped.as_bytes())?;
        }
        self.push(b"\"")
    }
}

fn float(number: f64) -> Result<String, Fault> {
    if !number.is_finite() {
        return Err(format!(
            "json: unsupported value: {}",
            strconv::format(number, 'f', None)
        )
        .into());
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // An exponent of one digit loses the 0 before it, unless it is positive.
        let text = strconv::format(number, 'e', None);
        return Ok(match text.split_once("e-0") {
            Some((digits, exponent)) => format!("{digits}e-{exponent}"),
            None => text,
        });
    }
    Ok(strconv::format(number, 'f', None))
}

/// What a JSON text says; all numbers are floats.
pub(super) fn read(budget: &mut Budget, text: &[u8]) -> Result<Value, Fault> {
    budget.pay_product(text.len(), 4)?;
    let text = String::from_utf8_lossy(text);
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Fault::Error(error.to_string()))?;
    convert(budget, &value)
}

fn convert(budget: &mut Budget, value: &serde_json::Value) -> Result<Value, Fault> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(is_so) => Value::Bool(*is_so),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            let items: Result<Vec<Value>, Fault> =
                items.iter().map(|item| convert(budget, item)).collect();
            Value::List(List::new(&LIST, items?)?)
        }
        Json::Object(members) => {
            let mut entries = Entries::new();
            for (key, value) in members {
                entries.insert(Key::text(key), convert(budget, value)?);
            }
            Value::Map(budget.dict(entries))
        }
    })
}
