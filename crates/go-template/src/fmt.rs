//! Go's `fmt`: how values print, and `printf` with its verbs and flags.
//!
//! What does not fit is printed, not refused: `%!d(string=hi)`, `%!(EXTRA
//! int=1)`, `%!v(MISSING)`.

use super::budget::{Budget, Fault, STEP};
use super::value::{List, MAX_DEPTH, Map, Struct, Value};
use crate::{strconv, unicode};

/// What `fmt.Sprint` gives: blanks between two that are not texts.
pub(crate) fn sprint(budget: &mut Budget, values: &[Value]) -> Result<Vec<u8>, Fault> {
    let mut printer = Printer::new(budget);
    let mut was_text = true;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::String(_));
        if index > 0 && !is_text && !was_text {
            printer.push(b" ")?;
        }
        printer.value(value, &Spec::plain('v'), 0)?;
        was_text = is_text;
    }
    Ok(printer.out)
}

/// What `fmt.Sprintln` gives.
pub(crate) fn sprintln(budget: &mut Budget, values: &[Value]) -> Result<Vec<u8>, Fault> {
    let mut printer = Printer::new(budget);
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            printer.push(b" ")?;
        }
        printer.value(value, &Spec::plain('v'), 0)?;
    }
    printer.push(b"\n")?;
    Ok(printer.out)
}

/// A value as `%v` prints it.
pub(crate) fn print(budget: &mut Budget, value: &Value) -> Result<Vec<u8>, Fault> {
    let mut printer = Printer::new(budget);
    printer.value(value, &Spec::plain('v'), 0)?;
    Ok(printer.out)
}

/// What `fmt.Sprintf` gives.
pub(crate) fn sprintf(
    budget: &mut Budget,
    format: &[u8],
    values: &[Value],
) -> Result<Vec<u8>, Fault> {
    let mut printer = Printer::new(budget);
    let mut format = Format {
        text: format,
        at: 0,
        next: 0,
        reordered: false,
        is_sound: true,
        values,
    };
    while format.at < format.text.len() {
        let rest = &format.text[format.at..];
        let literal = memchr::memchr(b'%', rest).unwrap_or(rest.len());
        printer.push(&rest[..literal])?;
        format.at += literal;
        if format.at < format.text.len() {
            format.at += 1;
            format.verb(&mut printer)?;
        }
    }
    if !format.reordered && format.next < values.len() {
        printer.push(b"%!(EXTRA ")?;
        for (index, value) in values[format.next..].iter().enumerate() {
            if index > 0 {
                printer.push(b", ")?;
            }
            printer.typed(value)?;
        }
        printer.push(b")")?;
    }
    Ok(printer.out)
}

/// Go takes no width or precision past this.
const MOST: i64 = 1_000_000;

/// A verb with its flags.
#[derive(Clone, Copy, Debug, Default)]
struct Spec {
    verb: char,
    minus: bool,
    plus: bool,
    sharp: bool,
    /// `#` and `+` of `%v`, which mean something else there.
    sharp_v: bool,
    plus_v: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

impl Spec {
    fn plain(verb: char) -> Self {
        Self {
            verb,
            ..Self::default()
        }
    }

    /// Another verb with the same flags.
    fn with(self, verb: char) -> Self {
        Self { verb, ..self }
    }

    /// Filled with blanks, whatever was asked for.
    fn without_zeros(self) -> Self {
        Self {
            zero: false,
            ..self
        }
    }
}

struct Format<'f> {
    text: &'f [u8],
    at: usize,
    next: usize,
    reordered: bool,
    /// Whether the last `[n]` named an argument.
    is_sound: bool,
    values: &'f [Value],
}

impl Format<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn verb(&mut self, printer: &mut Printer<'_>) -> Result<(), Fault> {
        let mut spec = Spec::default();
        self.is_sound = true;
        self.flags(&mut spec);
        let after_index = self.width(&mut spec, printer)?;
        let after_index = self.precision(&mut spec, after_index, printer)?;
        if !after_index {
            self.index();
        }
        let Some((verb, length)) = decode(&self.text[self.at..]) else {
            return printer.push(b"%!(NOVERB)");
        };
        self.at += length;
        spec.verb = verb;
        if verb == 'v' {
            spec.sharp_v = std::mem::take(&mut spec.sharp);
            spec.plus_v = std::mem::take(&mut spec.plus);
        }
        if verb == '%' {
            return printer.push(b"%");
        }
        if !self.is_sound {
            return printer.push(format!("%!{verb}(BADINDEX)").as_bytes());
        }
        let Some(value) = self.values.get(self.next) else {
            return printer.push(format!("%!{verb}(MISSING)").as_bytes());
        };
        self.next += 1;
        printer.value(value, &spec, 0)
    }

    fn flags(&mut self, spec: &mut Spec) {
        while let Some(flag) = self.peek() {
            match flag {
                b'#' => spec.sharp = true,
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.minus = true,
                b' ' => spec.space = true,
                _ => break,
            }
            self.at += 1;
        }
    }

    /// Reads the width; whether an index stands behind it.
    fn width(&mut self, spec: &mut Spec, printer: &mut Printer<'_>) -> Result<bool, Fault> {
        let after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.push(b"%!(BADWIDTH)")?,
            }
            return Ok(false);
        }
        spec.width = self.number();
        if after_index && spec.width.is_some() {
            self.is_sound = false;
        }
        Ok(after_index)
    }

    /// Reads the precision; whether an index stands before the verb.
    fn precision(
        &mut self,
        spec: &mut Spec,
        after_index: bool,
        printer: &mut Printer<'_>,
    ) -> Result<bool, Fault> {
        if self.peek() != Some(b'.') {
            return Ok(after_index);
        }
        self.at += 1;
        if after_index {
            self.is_sound = false;
        }
        let after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(precision) if precision >= 0 => {
                    spec.precision = usize::try_from(precision).ok();
                }
                _ => printer.push(b"%!(BADPREC)")?,
            }
            return Ok(false);
        }
        spec.precision = Some(self.number().unwrap_or(0));
        Ok(after_index)
    }

    /// A decimal number; one that is too large is none.
    fn number(&mut self) -> Option<usize> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[from..self.at]).ok()?;
        let number: i64 = digits.parse().ok()?;
        usize::try_from(number).ok().filter(|_| number <= MOST)
    }

    /// An argument for `*`.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        if value.is_some() {
            self.next += 1;
        }
        let number = match value? {
            Value::Int(number, _) => *number,
            Value::Uint(number, _) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (-MOST..=MOST).contains(&number).then_some(number)
    }

    /// `[n]`: which argument comes next. Whether there was one.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.text[self.at..];
        let Some(end) = memchr::memchr(b']', rest) else {
            self.is_sound = false;
            self.at += 1;
            return false;
        };
        self.at += end + 1;
        let number = std::str::from_utf8(&rest[1..end]).ok();
        let number = number.and_then(|number| number.parse::<usize>().ok());
        match number {
            Some(number) if (1..=self.values.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            _ => {
                self.is_sound = false;
                number.is_some()
            }
        }
    }
}

/// The first character of some bytes, and how long it is.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let most = bytes.len().min(4);
    let found = (2..=most).find_map(|length| {
        let text = std::str::from_utf8(&bytes[..length]).ok()?;
        Some((text.chars().next()?, length))
    });
    Some(found.unwrap_or((char::REPLACEMENT_CHARACTER, 1)))
}

/// The characters of some bytes; a byte that is part of none counts as U+FFFD.
pub(crate) fn chars(mut bytes: &[u8]) -> impl Iterator<Item = (char, &[u8])> {
    std::iter::from_fn(move || {
        let (c, length) = decode(bytes)?;
        let (one, rest) = bytes.split_at(length);
        bytes = rest;
        Some((c, one))
    })
}

/// A text as `strconv.Quote` writes it.
pub(crate) fn quote(text: &[u8]) -> String {
    quote_with(text, '"', false)
}

fn quote_with(text: &[u8], mark: char, ascii: bool) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for (c, bytes) in chars(text) {
        // Writing to a String cannot fail.
        _ = match c {
            char::REPLACEMENT_CHARACTER if bytes.len() == 1 => write!(out, "\\x{:02x}", bytes[0]),
            c if c == mark || c == '\\' => write!(out, "\\{c}"),
            c if (c.is_ascii() || !ascii) && unicode::is_print(c) => write!(out, "{c}"),
            '\x07' => write!(out, "\\a"),
            '\x08' => write!(out, "\\b"),
            '\x0c' => write!(out, "\\f"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            '\x0b' => write!(out, "\\v"),
            c if u32::from(c) < 0x20 || c == '\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
            c if u32::from(c) < 0x1_0000 => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push(mark);
    out
}

struct Printer<'h> {
    budget: &'h mut Budget,
    out: Vec<u8>,
}

impl<'h> Printer<'h> {
    fn new(budget: &'h mut Budget) -> Self {
        Self {
            budget,
            out: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.budget.charge(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// A text in its width.
    fn pad(&mut self, text: &[u8], spec: &Spec) -> Result<(), Fault> {
        let length = chars(text).count();
        let missing = spec.width.unwrap_or(0).saturating_sub(length);
        self.budget.charge(missing)?;
        let fill = if spec.zero && !spec.minus { b'0' } else { b' ' };
        let padding = vec![fill; missing];
        if spec.minus {
            self.push(text)?;
            self.push(&padding)
        } else {
            self.push(&padding)?;
            self.push(text)
        }
    }

    /// `type=value`, for what does not fit.
    fn typed(&mut self, value: &Value) -> Result<(), Fault> {
        if value.is_nothing() {
            return self.push(b"<nil>");
        }
        self.push(value.type_name().as_bytes())?;
        self.push(b"=")?;
        self.value(value, &Spec::plain('v'), 0)
    }

    fn bad_verb(&mut self, value: &Value, spec: &Spec) -> Result<(), Fault> {
        self.push(format!("%!{}(", spec.verb).as_bytes())?;
        if value.is_nothing() {
            self.push(b"<nil>")?;
        } else {
            self.push(value.type_name().as_bytes())?;
            self.push(b"=")?;
            // The flags stay as they were.
            self.value(value, &spec.with('v'), 1)?;
        }
        self.push(b")")
    }

    fn value(&mut self, value: &Value, spec: &Spec, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::too_deep());
        }
        self.budget.charge(STEP)?;
        if value.is_nothing() {
            return match spec.verb {
                'T' | 'v' => self.pad(b"<nil>", &spec.without_zeros()),
                _ => self.bad_verb(value, spec),
            };
        }
        if spec.verb == 'T' {
            return self.text(value.type_name().as_bytes(), &spec.with('s'));
        }
        let is_text_verb = matches!(spec.verb, 'v' | 's' | 'x' | 'X' | 'q');
        if is_text_verb
            && !spec.sharp_v
            && let Some(text) = value.string()
        {
            return self.text(&text, spec);
        }
        self.plain(value, spec, depth)
    }

    /// A value that says nothing of itself.
    fn plain(&mut self, value: &Value, spec: &Spec, depth: usize) -> Result<(), Fault> {
        match value {
            Value::Missing | Value::Nil => Ok(()),
            Value::Bool(is_so) => match spec.verb {
                't' | 'v' => self.pad(is_so.to_string().as_bytes(), spec),
                _ => self.bad_verb(value, spec),
            },
            Value::Int(number, _) => self.integer(value, number.unsigned_abs(), *number < 0, spec),
            Value::Uint(number, _) => {
                let mut spec = *spec;
                if spec.sharp_v {
                    spec.verb = 'x';
                    spec.sharp = true;
                }
                self.integer(value, *number, false, &spec)
            }
            Value::Float(number) => self.float(value, *number, spec),
            Value::String(text) => self.text(text, spec),
            Value::List(list) => self.list(list, spec, depth),
            Value::Map(map) => self.map(map, spec, depth),
            Value::Struct(inner) => self.structure(inner, spec, depth),
            Value::Time(time) if spec.verb == 'v' => self.push(time.go_string().as_bytes()),
            Value::Version(version) => {
                // A pointer shows what it points to only at the top.
                self.push(b"&")?;
                self.structure(&version.parts(), spec, depth)
            }
            Value::Time(_) => self.bad_verb(value, spec),
        }
    }

    fn text(&mut self, text: &[u8], spec: &Spec) -> Result<(), Fault> {
        let cut = |text: &[u8]| {
            let most = spec.precision.unwrap_or(usize::MAX);
            let kept: Vec<u8> = chars(text)
                .take(most)
                .flat_map(|(_, one)| one.to_vec())
                .collect();
            kept
        };
        match spec.verb {
            'v' if spec.sharp_v => self.pad(quote(text).as_bytes(), spec),
            'v' | 's' if spec.precision.is_none() => self.pad(text, spec),
            'v' | 's' => self.pad(&cut(text), spec),
            'q' => {
                let text = cut(text);
                let is_raw = spec.sharp && can_backquote(&text);
                let quoted = if is_raw {
                    [b"`", text.as_slice(), b"`"].concat()
                } else {
                    quote_with(&text, '"', spec.plus).into_bytes()
                };
                self.pad(&quoted, spec)
            }
            'x' | 'X' => {
                let most = spec.precision.unwrap_or(text.len()).min(text.len());
                let hex = hexadecimal(&text[..most], spec);
                self.pad(hex.as_bytes(), spec)
            }
            _ => self.bad_verb(&Value::bytes(text), spec),
        }
    }

    fn integer(
        &mut self,
        value: &Value,
        size: u64,
        is_negative: bool,
        spec: &Spec,
    ) -> Result<(), Fault> {
        let (radix, prefix) = match spec.verb {
            'v' | 'd' => (10, ""),
            'b' => (2, "0b"),
            'o' => (8, "0"),
            'O' => (8, "0o"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            'c' | 'q' | 'U' => return self.character(size, is_negative, spec),
            _ => return self.bad_verb(value, spec),
        };
        let mut digits = in_radix(size, radix);
        if spec.verb == 'X' {
            digits = digits.to_uppercase();
        }
        let sign = match (is_negative, spec.plus, spec.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        let mut spec = *spec;
        if let Some(precision) = spec.precision {
            if precision == 0 && size == 0 {
                return self.pad(b"", &spec.without_zeros());
            }
            self.budget.charge(precision)?;
            digits = format!("{digits:0>precision$}");
            spec.zero = false;
        } else if let Some(width) = spec.width.filter(|_| spec.zero && !spec.minus) {
            // The sign counts, a prefix does not.
            let width = width.saturating_sub(sign.len());
            self.budget.charge(width)?;
            digits = format!("{digits:0>width$}");
        }
        let prefix = match spec.verb {
            'O' if spec.sharp && !digits.starts_with('0') => "0o0",
            'O' => prefix,
            'o' if spec.sharp && digits.starts_with('0') => "",
            _ if spec.sharp => prefix,
            _ => "",
        };
        spec.zero = false;
        self.pad(format!("{sign}{prefix}{digits}").as_bytes(), &spec)
    }

    fn character(&mut self, code: u64, is_negative: bool, spec: &Spec) -> Result<(), Fault> {
        let known = u32::try_from(code).ok().and_then(char::from_u32);
        let c = known.filter(|_| !is_negative);
        let shown = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = match spec.verb {
            'c' => shown.to_string(),
            'q' => {
                let mut buffer = [0; 4];
                quote_with(shown.encode_utf8(&mut buffer).as_bytes(), '\'', spec.plus)
            }
            _ => {
                let code = if is_negative {
                    code.wrapping_neg()
                } else {
                    code
                };
                let digits = spec.precision.unwrap_or(4).max(4);
                self.budget.charge(digits)?;
                let number = format!("U+{code:0digits$X}");
                match c.filter(|c| spec.sharp && unicode::is_print(*c)) {
                    Some(c) => format!("{number} '{c}'"),
                    None => number,
                }
            }
        };
        let mut spec = *spec;
        spec.zero &= spec.verb != 'U';
        self.pad(text.as_bytes(), &spec)
    }

    fn float(&mut self, value: &Value, number: f64, spec: &Spec) -> Result<(), Fault> {
        self.budget
            .charge(spec.precision.unwrap_or(0).saturating_add(400))?;
        let (verb, precision) = match spec.verb {
            'v' => ('g', spec.precision),
            'F' => ('f', spec.precision.or(Some(6))),
            verb @ ('e' | 'E' | 'f') => (verb, spec.precision.or(Some(6))),
            verb @ ('b' | 'g' | 'G' | 'x' | 'X') => (verb, spec.precision),
            _ => return self.bad_verb(value, spec),
        };
        let is_number = number.is_finite();
        let mut text = strconv::format(number, verb, precision);
        if spec.sharp && is_number && verb != 'b' {
            text = with_point(&text, spec);
        }
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None if spec.plus => ("+", text.as_str()),
            None if spec.space => (" ", text.as_str()),
            None if number.is_infinite() => ("+", text.as_str()),
            None => ("", text.as_str()),
        };
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let mut spec = *spec;
        spec.zero &= is_number;
        if spec.zero && !spec.minus {
            let width = spec.width.unwrap_or(0).saturating_sub(sign.len());
            let digits = format!("{digits:0>width$}");
            return self.push(format!("{sign}{digits}").as_bytes());
        }
        self.pad(format!("{sign}{digits}").as_bytes(), &spec)
    }

    fn list(&mut self, list: &List, spec: &Spec, depth: usize) -> Result<(), Fault> {
        if spec.sharp_v {
            self.push(list.of.name.as_bytes())?;
            if list.is_nil {
                return self.push(b"(nil)");
            }
            return self.joined(b"{", list.items.iter(), b", ", b"}", spec, depth);
        }
        self.joined(b"[", list.items.iter(), b" ", b"]", spec, depth)
    }

    fn joined<'v>(
        &mut self,
        open: &[u8],
        values: impl Iterator<Item = &'v Value>,
        between: &[u8],
        close: &[u8],
        spec: &Spec,
        depth: usize,
    ) -> Result<(), Fault> {
        self.push(open)?;
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.push(between)?;
            }
            self.inner(value, spec, depth)?;
        }
        self.push(close)
    }

    /// A value inside another.
    fn inner(&mut self, value: &Value, spec: &Spec, depth: usize) -> Result<(), Fault> {
        if value.is_nothing() {
            return self.push(if spec.sharp_v {
                b"interface {}(nil)"
            } else {
                b"<nil>"
            });
        }
        self.value(value, spec, depth + 1)
    }

    fn map(&mut self, map: &Map, spec: &Spec, depth: usize) -> Result<(), Fault> {
        let is_sharp = spec.sharp_v;
        if is_sharp {
            self.push(map.of.name.as_bytes())?;
            if map.is_nil {
                return self.push(b"(nil)");
            }
        }
        self.push(if is_sharp { b"{" } else { b"map[" })?;
        for (index, (key, value)) in map.entries.borrow().iter().enumerate() {
            if index > 0 {
                self.push(if is_sharp { b", " } else { b" " })?;
            }
            self.inner(&key.0, spec, depth)?;
            self.push(b":")?;
            self.inner(value, spec, depth)?;
        }
        self.push(if is_sharp { b"}" } else { b"]" })
    }

    fn structure(&mut self, inner: &Struct, spec: &Spec, depth: usize) -> Result<(), Fault> {
        let is_sharp = spec.sharp_v;
        let is_named = spec.plus_v || is_sharp;
        if is_sharp {
            self.push(inner.name.as_bytes())?;
        }
        self.push(b"{")?;
        for (index, field) in inner.fields.iter().enumerate() {
            if index > 0 {
                self.push(if is_sharp { b", " } else { b" " })?;
            }
            if is_named {
                self.push(field.name.as_bytes())?;
                self.push(b":")?;
            }
            self.inner(&field.value, spec, depth)?;
        }
        self.push(b"}")
    }
}

/// A float with its point, and for `%g` with all its digits, as `#` asks.
fn with_point(text: &str, spec: &Spec) -> String {
    let exponent = if matches!(spec.verb, 'x' | 'X') {
        ['p', 'P']
    } else {
        ['e', 'E']
    };
    let (digits, tail) = text.split_at(text.find(exponent).unwrap_or(text.len()));
    let mut digits = digits.to_owned();
    if !digits.contains('.') {
        digits.push('.');
    }
    if matches!(spec.verb, 'g' | 'G') {
        let wanted = spec.precision.unwrap_or(6);
        let all = digits.chars().filter(char::is_ascii_digit);
        let mut shown = all.skip_while(|c| *c == '0').count();
        if shown == 0 {
            shown = digits.chars().filter(char::is_ascii_digit).count();
        }
        digits.extend(std::iter::repeat_n('0', wanted.saturating_sub(shown)));
    }
    digits + tail
}

fn can_backquote(text: &[u8]) -> bool {
    let is_plain = |c: char| c != '`' && c != '\u{feff}' && (c == '\t' || !c.is_control());
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(is_plain))
}

fn hexadecimal(bytes: &[u8], spec: &Spec) -> String {
    let prefix = match (spec.sharp, spec.verb) {
        (true, 'X') => "0X",
        (true, _) => "0x",
        _ => "",
    };
    let pairs: Vec<String> = bytes
        .iter()
        .map(|byte| match spec.verb {
            'X' => format!("{byte:02X}"),
            _ => format!("{byte:02x}"),
        })
        .collect();
    match (pairs.is_empty(), spec.space) {
        (true, _) => String::new(),
        (false, true) => {
            let pairs: Vec<String> = pairs.iter().map(|pair| format!("{prefix}{pair}")).collect();
            pairs.join(" ")
        }
        (false, false) => format!("{prefix}{}", pairs.concat()),
    }
}

fn in_radix(number: u64, radix: u32) -> String {
    match radix {
        2 => format!("{number:b}"),
        8 => format!("{number:o}"),
        16 => format!("{number:x}"),
        _ => number.to_string(),
    }
}
