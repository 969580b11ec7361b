//! Go's `unicode`: classes by general category, and case mappings of single
//! characters.
//!
//! Rust's own `is_uppercase` follows the derived properties, which take in more
//! than Go's categories, and its `to_uppercase` may give several characters
//! where Go keeps the one.

use std::sync::LazyLock;

use go_regexp::Regex;

struct Class(LazyLock<Option<Regex>>);

impl Class {
    fn has(&self, c: char) -> bool {
        let mut buffer = [0; 4];
        let regex = self.0.as_ref();
        regex.is_some_and(|regex| regex.is_match(c.encode_utf8(&mut buffer)))
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal, $ascii:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(c: char) -> bool {
            static CLASS: Class = Class(LazyLock::new(|| Regex::new($pattern).ok()));
            if c.is_ascii() {
                let is_ascii_of_class: fn(char) -> bool = $ascii;
                return is_ascii_of_class(c);
            }
            CLASS.has(c)
        }
    )*};
}

classes! {
    /// Category L.
    is_letter = r"^\p{L}$", |c| c.is_ascii_alphabetic();
    /// Category Nd.
    is_digit = r"^\p{Nd}$", |c| c.is_ascii_digit();
    /// Category N.
    is_number = r"^\p{N}$", |c| c.is_ascii_digit();
    /// Category Lu.
    is_upper = r"^\p{Lu}$", |c| c.is_ascii_uppercase();
    /// Category Ll.
    is_lower = r"^\p{Ll}$", |c| c.is_ascii_lowercase();
    /// Category Lt.
    is_title = r"^\p{Lt}$", |_| false;
    /// Category P. ASCII's symbols (`$+<=>^|~` and the backquote) are none.
    is_punct = r"^\p{P}$", |c| c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    /// Categories L, M, N, P, S, and the blank of ASCII.
    is_print = r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$", |c| matches!(c, ' '..='~');
}

/// Upper case, where that is one character.
pub(crate) fn to_upper(c: char) -> char {
    one(c.to_uppercase(), c)
}

/// Lower case.
pub(crate) fn to_lower(c: char) -> char {
    // The only one that full mapping makes two of.
    if c == 'İ' {
        'i'
    } else {
        one(c.to_lowercase(), c)
    }
}

/// Title case, which differs from upper case for four digraphs.
pub(crate) fn to_title(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        _ => to_upper(c),
    }
}

fn one(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// A character as `%#U` prints it: `U+0041 'A'`.
pub(crate) fn code(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if is_print(c) {
        format!("{number} '{c}'")
    } else {
        number
    }
}
