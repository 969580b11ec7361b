//! Go's pattern grammar (`regexp/syntax.Parse` with the Perl flags).
//!
//! As in Go, a pattern is read left to right over one stack of finished items,
//! so that `a(?i)*` repeats the `a` and `(?i)*` has nothing to repeat.

use super::hir::{ClassUnicode, ClassUnicodeRange, Look};

use super::{ast::Node, class};

/// Largest repeat count, nested counts multiplied (Go's limit).
const MAX_REPEAT: u32 = 1000;
/// Deepest nesting of a pattern (Go's limit).
const MAX_DEPTH: usize = 1000;

/// Why a pattern is no Go regular expression; the text of each is Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A class range or class name that does not exist.
    #[error("invalid character class range")]
    ClassRange,
    /// An escape that Go does not know.
    #[error("invalid escape sequence")]
    Escape,
    /// A group name outside `[A-Za-z0-9_]+`.
    #[error("invalid named capture")]
    NamedCapture,
    /// `(?…)` with something Go lacks, such as lookaround.
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    /// A repetition of a repetition, such as `a**`.
    #[error("invalid nested repetition operator")]
    RepeatOp,
    /// A repeat count over 1000.
    #[error("invalid repeat count")]
    RepeatSize,
    /// A `[` without its `]`.
    #[error("missing closing ]")]
    MissingBracket,
    /// A `(` without its `)`.
    #[error("missing closing )")]
    MissingParen,
    /// A repetition with nothing before it.
    #[error("missing argument to repetition operator")]
    MissingRepeatArgument,
    /// A backslash at the very end.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// A `)` without its `(`.
    #[error("unexpected )")]
    UnexpectedParen,
    /// Nested more than 1000 deep.
    #[error("expression nests too deeply")]
    TooDeep,
    /// Compiled, the pattern would take too much memory.
    #[error("expression too large")]
    TooLarge,
    /// Compiled, the patterns of the run would take too much memory.
    #[error("the expressions of one run are too large together")]
    OverBudget,
}

/// A pattern that Go would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {fault}: `{part}`")]
pub struct SyntaxError {
    /// What is wrong.
    pub fault: Fault,
    /// The part of the pattern it is about.
    pub part: String,
}

impl SyntaxError {
    pub(super) fn new(fault: Fault, part: &str) -> Self {
        Self {
            fault,
            part: part.to_owned(),
        }
    }
}

/// A parsed pattern.
pub(super) struct Parsed {
    pub(super) node: Node,
    /// Group names in order, each with its index.
    pub(super) names: Vec<(String, usize)>,
    /// How many groups there are, the whole match not counted.
    pub(super) groups: usize,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
    ungreedy: bool,
}

/// An open group: what is finished inside it so far.
struct Frame {
    alternatives: Vec<Node>,
    items: Vec<Node>,
    /// Flags to go back to when the group closes.
    outer: Flags,
    capture: Option<u32>,
}

struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    flags: Flags,
    frames: Vec<Frame>,
    names: Vec<(String, usize)>,
    groups: u32,
}

/// Parses `pattern`.
pub(super) fn parse(pattern: &str) -> Result<Parsed, SyntaxError> {
    let mut parser = Parser {
        pattern,
        at: 0,
        flags: Flags::default(),
        frames: vec![Frame::new(Flags::default(), None)],
        names: Vec::new(),
        groups: 0,
    };
    parser.run()?;
    if parser.frames.len() > 1 {
        return Err(SyntaxError::new(Fault::MissingParen, pattern));
    }
    let node = parser.frames.remove(0).close();
    if node.height() > MAX_DEPTH {
        return Err(SyntaxError::new(Fault::TooDeep, pattern));
    }
    Ok(Parsed {
        node,
        names: parser.names,
        groups: parser.groups as usize,
    })
}

impl Frame {
    fn new(outer: Flags, capture: Option<u32>) -> Self {
        Self {
            alternatives: Vec::new(),
            items: Vec::new(),
            outer,
            capture,
        }
    }

    fn close(mut self) -> Node {
        self.alternatives.push(Node::concat(self.items));
        let node = Node::alternate(self.alternatives);
        match self.capture {
            Some(index) => Node::Capture {
                index,
                inner: Box::new(node),
            },
            None => node,
        }
    }
}

impl<'p> Parser<'p> {
    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn fault<T>(&self, fault: Fault, from: usize) -> Result<T, SyntaxError> {
        Err(SyntaxError::new(fault, &self.pattern[from..self.at]))
    }

    fn push(&mut self, node: Node) {
        if let Some(frame) = self.frames.last_mut() {
            frame.items.push(node);
        }
    }

    fn run(&mut self) -> Result<(), SyntaxError> {
        // Where the repetition just before this position begins, if one does.
        let mut repeated: Option<usize> = None;
        while self.at < self.pattern.len() {
            let start = self.at;
            let previous = repeated.take();
            match self.rest().as_bytes()[0] {
                b'(' => self.open_group()?,
                b')' => self.close_group()?,
                b'|' => self.alternative(),
                b'[' => {
                    let node = self.class()?;
                    self.push(node);
                }
                b'^' | b'$' | b'.' => self.one_character_operator(),
                b'*' | b'+' | b'?' => {
                    let (min, max) = match self.take() {
                        Some('*') => (0, None),
                        Some('+') => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(min, max, false, start, previous)?;
                    repeated = Some(start);
                }
                b'{' => {
                    if let Some((min, max)) = self.counts(start)? {
                        self.repeat(min, max, true, start, previous)?;
                        repeated = Some(start);
                    } else {
                        self.take();
                        self.literal('{');
                    }
                }
                b'\\' => self.escape_sequence()?,
                _ => {
                    if let Some(c) = self.take() {
                        self.literal(c);
                    }
                }
            }
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        let mut class = class::ranges(&[(c, c)]);
        if self.flags.fold {
            class.case_fold_simple();
        }
        let node = if class.ranges().len() == 1 && class.ranges()[0].len() == 1 {
            Node::Literal(c.to_string())
        } else {
            Node::Class(class)
        };
        self.push(node);
    }

    fn one_character_operator(&mut self) {
        let node = match (self.take(), self.flags) {
            (Some('^'), flags) if flags.multi_line => Node::Assertion(Look::StartLF),
            (Some('^'), _) => Node::Assertion(Look::Start),
            (Some('$'), flags) if flags.multi_line => Node::Assertion(Look::EndLF),
            (Some('$'), _) => Node::Assertion(Look::End),
            (_, flags) => {
                let mut dot = class::everything();
                if !flags.dot_newline {
                    dot.difference(&class::ranges(&[('\n', '\n')]));
                }
                Node::Class(dot)
            }
        };
        self.push(node);
    }

    fn alternative(&mut self) {
        self.take();
        if let Some(frame) = self.frames.last_mut() {
            let items = std::mem::take(&mut frame.items);
            frame.alternatives.push(Node::concat(items));
        }
    }

    fn open_group(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        if self.frames.len() > MAX_DEPTH {
            return Err(SyntaxError::new(Fault::TooDeep, self.pattern));
        }
        if self.eat("(?P<") || self.eat("(?<") {
            return self.named_group(start);
        }
        if self.eat("(?") {
            return self.flag_group(start);
        }
        self.take();
        self.groups += 1;
        self.frames.push(Frame::new(self.flags, Some(self.groups)));
        Ok(())
    }

    fn named_group(&mut self, start: usize) -> Result<(), SyntaxError> {
        let Some(end) = self.rest().find('>') else {
            self.at = self.pattern.len();
            return self.fault(Fault::NamedCapture, start);
        };
        let name = &self.rest()[..end];
        self.at += end + 1;
        let valid = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(valid) {
            return self.fault(Fault::NamedCapture, start);
        }
        self.groups += 1;
        self.names.push((name.to_owned(), self.groups as usize));
        self.frames.push(Frame::new(self.flags, Some(self.groups)));
        Ok(())
    }

    /// `(?flags)` or `(?flags:`, the `(?` already read.
    fn flag_group(&mut self, start: usize) -> Result<(), SyntaxError> {
        let mut flags = self.flags;
        let (mut on, mut seen) = (true, false);
        loop {
            let Some(c) = self.take() else {
                return self.fault(Fault::MissingParen, start);
            };
            match c {
                'i' => flags.fold = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.ungreedy = on,
                '-' if on => {
                    (on, seen) = (false, false);
                    continue;
                }
                ':' | ')' if on || seen => {
                    if c == ':' {
                        self.frames.push(Frame::new(self.flags, None));
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return self.fault(Fault::PerlSyntax, start),
            }
            seen = true;
        }
    }

    fn close_group(&mut self) -> Result<(), SyntaxError> {
        if self.frames.len() < 2 {
            return Err(SyntaxError::new(Fault::UnexpectedParen, self.pattern));
        }
        self.take();
        if let Some(frame) = self.frames.pop() {
            self.flags = frame.outer;
            self.push(frame.close());
        }
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`. Anything else, `{01}` too, is no
    /// repetition in Go and nothing is read.
    fn counts(&mut self, start: usize) -> Result<Option<(u32, Option<u32>)>, SyntaxError> {
        let Some((inside, _)) = self.rest()[1..].split_once('}') else {
            return Ok(None);
        };
        let (low, high) = match inside.split_once(',') {
            None => (inside, Some(inside)),
            Some((low, "")) => (low, None),
            Some((low, high)) => (low, Some(high)),
        };
        let is_count = |s: &str| {
            !s.is_empty()
                && s.bytes().all(|b| b.is_ascii_digit())
                && (s.len() == 1 || !s.starts_with('0'))
        };
        if !is_count(low) || !high.is_none_or(is_count) {
            return Ok(None);
        }
        self.at += inside.len() + 2;
        let number = |s: &str| s.parse::<u32>().ok().filter(|n| *n <= MAX_REPEAT);
        let min = number(low);
        let max = high.map(number);
        match (min, max) {
            (Some(min), None) => Ok(Some((min, None))),
            (Some(min), Some(Some(max))) if min <= max => Ok(Some((min, Some(max)))),
            _ => self.fault(Fault::RepeatSize, start),
        }
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        counted: bool,
        start: usize,
        previous: Option<usize>,
    ) -> Result<(), SyntaxError> {
        let lazy = self.eat("?");
        if let Some(previous) = previous {
            return self.fault(Fault::RepeatOp, previous);
        }
        let Some(inner) = self.frames.last_mut().and_then(|frame| frame.items.pop()) else {
            return self.fault(Fault::MissingRepeatArgument, start);
        };
        let node = Node::Repeat {
            min,
            max,
            greedy: lazy == self.flags.ungreedy,
            counted,
            inner: Box::new(inner),
        };
        let repeats = min >= 2 || max.is_some_and(|max| max >= 2);
        if counted && repeats && !node.repeats_within(MAX_REPEAT) {
            return self.fault(Fault::RepeatSize, start);
        }
        self.push(node);
        Ok(())
    }

    fn escape_sequence(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let node = match self.rest().as_bytes().get(1) {
            Some(b'A') => Node::Assertion(Look::Start),
            Some(b'b') => Node::Assertion(Look::WordAscii),
            Some(b'B') => Node::Assertion(Look::WordAsciiNegate),
            Some(b'z') => Node::Assertion(Look::End),
            Some(b'C') => {
                self.at += 2;
                return self.fault(Fault::Escape, start);
            }
            Some(b'Q') => {
                self.at += 2;
                let quoted = self.rest().split("\\E").next().unwrap_or_default();
                self.at = (self.at + quoted.len() + 2).min(self.pattern.len());
                quoted.chars().for_each(|c| self.literal(c));
                return Ok(());
            }
            _ => {
                if let Some(class) = self.escaped_class()? {
                    self.push(Node::Class(class));
                } else {
                    let c = self.escaped_character()?;
                    if let Some(c) = c {
                        self.literal(c);
                    } else {
                        self.push(Node::Class(ClassUnicode::empty()));
                    }
                }
                return Ok(());
            }
        };
        self.at += 2;
        self.push(node);
        Ok(())
    }

    /// `\d`, `\p{…}` and their like, folded and negated as the flags and the
    /// letter say; `None` when the text here is something else.
    fn escaped_class(&mut self) -> Result<Option<ClassUnicode>, SyntaxError> {
        let start = self.at;
        let mut letters = self.rest().chars().skip(1);
        let Some(letter) = letters.next() else {
            return Ok(None);
        };
        let (mut class, mut negated) = if let Some(class) = class::perl(letter.to_ascii_lowercase())
        {
            self.at += 2;
            (class, letter.is_ascii_uppercase())
        } else if letter == 'p' || letter == 'P' {
            self.at += 2;
            let mut negated = letter == 'P';
            let name = match self.take() {
                Some('{') => {
                    let Some((name, _)) = self.rest().split_once('}') else {
                        self.at = self.pattern.len();
                        return self.fault(Fault::ClassRange, start);
                    };
                    self.at += name.len() + 1;
                    name.strip_prefix('^')
                        .inspect(|_| negated = !negated)
                        .unwrap_or(name)
                }
                Some(c) => &self.pattern[self.at - c.len_utf8()..self.at],
                None => return self.fault(Fault::ClassRange, start),
            };
            match class::unicode(name) {
                Some(class) => (class, negated),
                None => return self.fault(Fault::ClassRange, start),
            }
        } else {
            return Ok(None);
        };
        if self.flags.fold {
            class.case_fold_simple();
        }
        if std::mem::take(&mut negated) {
            class.negate();
        }
        Ok(Some(class))
    }

    /// One escaped character; `None` is a surrogate, which Go compiles and
    /// nothing ever matches.
    fn escaped_character(&mut self) -> Result<Option<char>, SyntaxError> {
        let start = self.at;
        self.take();
        let Some(c) = self.take() else {
            return self.fault(Fault::TrailingBackslash, self.at);
        };
        let octal = |c: Option<char>| c.filter(|c| matches!(c, '0'..='7')).is_some();
        let code = match c {
            '1'..='7' if !octal(self.rest().chars().next()) => None,
            '0'..='7' => {
                let mut code = c as u32 - '0' as u32;
                for _ in 0..2 {
                    match self.rest().chars().next() {
                        Some(digit @ '0'..='7') => {
                            self.take();
                            code = code * 8 + (digit as u32 - '0' as u32);
                        }
                        _ => break,
                    }
                }
                Some(code)
            }
            'x' => self.hexadecimal(),
            'a' => Some(7),
            'f' => Some(0xc),
            'n' => Some(0xa),
            'r' => Some(0xd),
            't' => Some(9),
            'v' => Some(0xb),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c as u32),
            _ => None,
        };
        match code {
            Some(code) if code <= 0x10_ffff => Ok(char::from_u32(code)),
            _ => self.fault(Fault::Escape, start),
        }
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        if self.eat("{") {
            let (digits, _) = self.rest().split_once('}')?;
            self.at += digits.len() + 1;
            let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let significant = digits.trim_start_matches('0');
            return match (valid, significant) {
                (true, "") => Some(0),
                (true, _) => u32::from_str_radix(significant, 16).ok(),
                _ => None,
            };
        }
        let digits = self.rest().get(..2)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 2;
        u32::from_str_radix(digits, 16).ok()
    }

    fn class(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        self.take();
        let negated = self.eat("^");
        let mut members = ClassUnicode::empty();
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            if self.rest().is_empty() {
                return self.fault(Fault::MissingBracket, start);
            }
            if let Some(class) = self.named_class()? {
                members.union(&class);
                continue;
            }
            if self.rest().starts_with('\\')
                && let Some(class) = self.escaped_class()?
            {
                members.union(&class);
                continue;
            }
            self.class_range(start, &mut members)?;
        }
        self.take();
        if negated {
            members.negate();
        }
        Ok(Node::Class(members))
    }

    /// `[:alpha:]` inside a class. Without a `:]` further on it is not a name.
    fn named_class(&mut self) -> Result<Option<ClassUnicode>, SyntaxError> {
        let start = self.at;
        let Some(inside) = self.rest().strip_prefix("[:") else {
            return Ok(None);
        };
        let Some(length) = inside.find(":]") else {
            return Ok(None);
        };
        let name = &inside[..length];
        self.at += length + 4;
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(mut class) = class::posix(name) else {
            return self.fault(Fault::ClassRange, start);
        };
        if self.flags.fold {
            class.case_fold_simple();
        }
        if negated {
            class.negate();
        }
        Ok(Some(class))
    }

    fn class_range(&mut self, start: usize, members: &mut ClassUnicode) -> Result<(), SyntaxError> {
        let from = self.at;
        let low = self.class_character(start)?;
        let mut high = low;
        let rest = self.rest();
        if rest.len() >= 2 && rest.starts_with('-') && !rest[1..].starts_with(']') {
            self.take();
            high = self.class_character(start)?;
        }
        let code = |c: Option<char>| c.map_or(0xd800, |c| c as u32);
        if code(high) < code(low) {
            return self.fault(Fault::ClassRange, from);
        }
        // A bound that is a surrogate moves to the nearest scalar value inside.
        let range = match (low, high) {
            (None, None) => return Ok(()),
            (low, high) => {
                ClassUnicodeRange::new(low.unwrap_or('\u{e000}'), high.unwrap_or('\u{d7ff}'))
            }
        };
        let mut class = ClassUnicode::new([range]);
        if self.flags.fold {
            class.case_fold_simple();
        }
        members.union(&class);
        Ok(())
    }

    fn class_character(&mut self, start: usize) -> Result<Option<char>, SyntaxError> {
        match self.rest().chars().next() {
            None => self.fault(Fault::MissingBracket, start),
            Some('\\') => self.escaped_character(),
            Some(_) => Ok(self.take()),
        }
    }
}
