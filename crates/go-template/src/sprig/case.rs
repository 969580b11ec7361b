//! Upper and lower case, and words told apart by it.

use super::super::fmt;
use crate::unicode;

/// Each character changed.
pub(super) fn map(plain: &str, change: fn(char) -> char) -> String {
    plain.chars().map(change).collect()
}

/// `strings.Title`: the first letter of each word.
pub(super) fn title(plain: &str) -> String {
    let mut before = ' ';
    let change = |c: char| {
        let is_first = is_separator(before);
        before = c;
        if is_first { unicode::to_title(c) } else { c }
    };
    plain.chars().map(change).collect()
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !unicode::is_letter(c) && !unicode::is_digit(c) && c.is_whitespace()
}

/// `goutils.Uncapitalize`: the first letter of each word, down.
pub(super) fn untitle(plain: &str) -> String {
    let mut is_first = true;
    let change = |c: char| {
        if c.is_whitespace() {
            is_first = true;
            return c;
        }
        if std::mem::take(&mut is_first) {
            return unicode::to_lower(c);
        }
        c
    };
    plain.chars().map(change).collect()
}

/// `goutils.SwapCase`: a small letter at the start of a word gets title case.
pub(super) fn swap(plain: &str) -> String {
    let mut at_start = true;
    let change = |c: char| {
        if unicode::is_upper(c) || unicode::is_title(c) {
            at_start = false;
            unicode::to_lower(c)
        } else if unicode::is_lower(c) {
            if std::mem::take(&mut at_start) {
                unicode::to_title(c)
            } else {
                unicode::to_upper(c)
            }
        } else {
            at_start = c.is_whitespace();
            c
        }
    };
    plain.chars().map(change).collect()
}

/// goutils takes each byte for a character.
fn bytes_as_chars(plain: &[u8]) -> impl Iterator<Item = char> {
    plain.iter().copied().map(char::from)
}

/// `goutils.Initials`.
pub(super) fn initials(plain: &[u8]) -> String {
    let mut after_gap = true;
    let is_initial = |c: &char| {
        if c.is_whitespace() {
            after_gap = true;
            return false;
        }
        std::mem::take(&mut after_gap)
    };
    bytes_as_chars(plain).filter(is_initial).collect()
}

/// `goutils.DeleteWhiteSpace`. A text without any comes back as it is; of
/// others, bytes past ASCII are taken for characters.
pub(super) fn without_space(plain: &[u8]) -> Vec<u8> {
    if !bytes_as_chars(plain).any(char::is_whitespace) {
        return plain.to_vec();
    }
    let kept: String = bytes_as_chars(plain)
        .filter(|c| !c.is_whitespace())
        .collect();
    kept.into_bytes()
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// `xstrings.ToPascalCase`: `foo_bar` as `FooBar`.
pub(super) fn pascal(plain: &str) -> String {
    let leading = plain.len() - plain.trim_start_matches(is_connector).len();
    let (connectors, words) = plain.split_at(leading);
    let mut out = connectors.to_owned();
    let mut rest = words.chars();
    let Some(first) = rest.next() else {
        return out;
    };
    // A run of capitals at the start of a word goes down.
    let mut in_capitals = unicode::is_upper(first);
    let mut held = unicode::to_upper(first);
    for c in rest {
        let before = held;
        held = c;
        match (is_connector(before), is_connector(c)) {
            (true, true) => out.push(before),
            (true, false) => {
                in_capitals = unicode::is_upper(c);
                held = unicode::to_upper(c);
            }
            (false, _) => {
                if in_capitals {
                    if unicode::is_upper(c) {
                        held = unicode::to_lower(c);
                    } else {
                        in_capitals = false;
                    }
                }
                out.push(before);
            }
        }
    }
    out.push(held);
    out
}

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// What xstrings counts as part of a word: letters, but for Chinese ones.
fn is_alphabet(c: char) -> bool {
    let is_chinese =
        matches!(u32::from(c), 0x3400..=0x4D85 | 0x4E00..=0x9FCC | 0x2_0000..=0x2_B81D);
    unicode::is_letter(c) && !is_chinese
}

/// Small letters, and those that have no case.
fn is_small(c: char) -> bool {
    is_alphabet(c) && !unicode::is_upper(c)
}

/// Where the characters end that follow the first and are wanted.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    let end = text.char_indices().skip(1).find(|(_, c)| !wanted(*c));
    end.map_or(text.len(), |(at, _)| at)
}

/// The first word of a text, and what is behind it.
fn next_word(text: &str) -> (Word, &str, &str) {
    let Some(first) = text.chars().next() else {
        return (Word::None, "", "");
    };
    let (word, end) = if is_connector(first) {
        (Word::Connector, run(text, is_connector))
    } else if unicode::is_punct(first) {
        (Word::Punctuation, run(text, unicode::is_punct))
    } else if unicode::is_upper(first) {
        (Word::Upper, capitals(text, first))
    } else if is_alphabet(first) {
        (Word::Alphabet, run(text, is_small))
    } else if unicode::is_number(first) {
        (Word::Number, run(text, unicode::is_number))
    } else {
        let is_other = |c: char| {
            !(is_connector(c) || is_alphabet(c) || unicode::is_number(c) || unicode::is_punct(c))
        };
        (Word::Other, run(text, is_other))
    };
    (word, &text[..end], &text[end..])
}

/// The end of a word that begins with a capital: `HTTP` of `HTTPStatus`,
/// `Status` of `StatusCode`.
fn capitals(text: &str, first: char) -> usize {
    let second = text[first.len_utf8()..].chars().next();
    match second {
        Some(c) if unicode::is_upper(c) => {
            let end = run(text, unicode::is_upper);
            let next = text[end..].chars().next();
            if next.is_some_and(is_alphabet) {
                let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
                end - last
            } else {
                end
            }
        }
        Some(c) if is_alphabet(c) => run(text, is_small),
        _ => first.len_utf8(),
    }
}

/// `xstrings.ToSnakeCase` and `ToKebabCase`: `FooBar` as `foo_bar`. Numbers
/// belong to the word before them, or to small letters behind them.
pub(super) fn lower(plain: &str, connector: char) -> String {
    let mut out = String::with_capacity(plain.len() + 8);
    let mut words = Words {
        rest: plain,
        word: Word::None,
        text: "",
    };
    words.advance();
    while !words.rest.is_empty() {
        if words.word != Word::Connector {
            put(&mut out, words.word, words.text, connector);
        }
        let (before, last) = (words.word, words.text);
        words.advance();
        match before {
            Word::Number => words.put_letters(&mut out, connector),
            Word::Connector => put(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if words.word != Word::Number => {
                if !matches!(words.word, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => words.put_number(&mut out, connector),
        }
    }
    put(&mut out, words.word, words.text, connector);
    out
}

struct Words<'t> {
    rest: &'t str,
    word: Word,
    text: &'t str,
}

impl Words<'_> {
    fn advance(&mut self) {
        (self.word, self.text, self.rest) = next_word(self.rest);
    }

    /// Small letters and numbers as they follow one another.
    fn put_letters(&mut self, out: &mut String, connector: char) {
        while matches!(self.word, Word::Alphabet | Word::Number) {
            put(out, self.word, self.text, connector);
            self.advance();
        }
        if !matches!(self.word, Word::None | Word::Punctuation | Word::Connector) {
            out.push(connector);
        }
    }

    /// A number between two words.
    fn put_number(&mut self, out: &mut String, connector: char) {
        let number = self.text;
        self.advance();
        if self.word == Word::Alphabet {
            out.push(connector);
            put(out, Word::Number, number, connector);
            self.put_letters(out, connector);
            return;
        }
        put(out, Word::Number, number, connector);
        if !matches!(self.word, Word::Connector | Word::Punctuation) {
            out.push(connector);
        }
    }
}

fn put(out: &mut String, word: Word, text: &str, connector: char) {
    if !matches!(word, Word::Upper | Word::Connector) {
        out.push_str(text);
        return;
    }
    for (c, _) in fmt::chars(text.as_bytes()) {
        out.push(match c {
            c if is_connector(c) => connector,
            c if unicode::is_upper(c) => unicode::to_lower(c),
            c => c,
        });
    }
}
