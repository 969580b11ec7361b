//! Character classes with Go's members: ASCII for `\d`, `\s`, `\w` and the
//! POSIX names, Unicode tables for `\p`, simple folding under `(?i)`.

use super::hir::{self, Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The members of `\d`, `\s` or `\w` (lower-case letter given), before any
/// negation. `\s` has no vertical tab in Go.
pub(super) fn perl(letter: char) -> Option<ClassUnicode> {
    Some(match letter {
        'd' => ranges(&[('0', '9')]),
        's' => ranges(&[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')]),
        'w' => ranges(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        _ => return None,
    })
}

/// The members of a POSIX class name such as `alpha`.
pub(super) fn posix(name: &str) -> Option<ClassUnicode> {
    Some(match name {
        "alnum" => ranges(&[('0', '9'), ('A', 'Z'), ('a', 'z')]),
        "alpha" => ranges(&[('A', 'Z'), ('a', 'z')]),
        "ascii" => ranges(&[('\0', '\x7f')]),
        "blank" => ranges(&[('\t', '\t'), (' ', ' ')]),
        "cntrl" => ranges(&[('\0', '\x1f'), ('\x7f', '\x7f')]),
        "digit" => ranges(&[('0', '9')]),
        "graph" => ranges(&[('!', '~')]),
        "lower" => ranges(&[('a', 'z')]),
        "print" => ranges(&[(' ', '~')]),
        "punct" => ranges(&[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
        "space" => ranges(&[('\t', '\r'), (' ', ' ')]),
        "upper" => ranges(&[('A', 'Z')]),
        "word" => return perl('w'),
        "xdigit" => ranges(&[('0', '9'), ('A', 'F'), ('a', 'f')]),
        _ => return None,
    })
}

/// The members of `\p{name}`, if Go knows the name: Any, ASCII, Assigned, a
/// general category by its short or long name, or a script of one word.
/// Case, spaces, `_` and `-` do not count (Go 1.25 and later).
pub(super) fn unicode(name: &str) -> Option<ClassUnicode> {
    let wanted = canonical(name);
    match wanted.as_str() {
        "any" => return Some(everything()),
        "ascii" => return posix("ascii"),
        "assigned" => {
            let mut class = table("Cn")?;
            class.negate();
            return Some(class);
        }
        "cs" | "surrogate" => return Some(ClassUnicode::empty()),
        "cntrl" => return table("Cc"),
        "digit" => return table("Nd"),
        "punct" => return table("P"),
        _ => {}
    }
    let known = CATEGORIES
        .split_ascii_whitespace()
        .chain(SCRIPTS.split_ascii_whitespace());
    let spelled = known.into_iter().find(|known| canonical(known) == wanted)?;
    if spelled == "C" || spelled == "Other" {
        // The surrogates have no scalar values, so nothing of Cs is lost here.
        return table("Other");
    }
    table(spelled)
}

/// Every code point.
pub(super) fn everything() -> ClassUnicode {
    ranges(&[('\0', '\u{10ffff}')])
}

/// A class of the given inclusive ranges.
pub(super) fn ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|&(first, last)| ClassUnicodeRange::new(first, last)),
    )
}

fn canonical(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn table(name: &str) -> Option<ClassUnicode> {
    let hir = hir::parse(&format!(r"\p{{{name}}}")).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one code point comes back as a literal.
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let only = text.chars().next()?;
            Some(ranges(&[(only, only)]))
        }
        _ => None,
    }
}

/// Unicode's general categories as Go names them, short and long.
const CATEGORIES: &str = "C Cc Cf Cn Co L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf \
    Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs Cased_Letter Close_Punctuation Combining_Mark \
    Connector_Punctuation Control Currency_Symbol Dash_Punctuation Decimal_Number Enclosing_Mark \
    Final_Punctuation Format Initial_Punctuation Letter Letter_Number Line_Separator \
    Lowercase_Letter Mark Math_Symbol Modifier_Letter Modifier_Symbol Nonspacing_Mark Number \
    Open_Punctuation Other Other_Letter Other_Number Other_Punctuation Other_Symbol \
    Paragraph_Separator Private_Use Punctuation Separator Space_Separator Spacing_Mark Symbol \
    Titlecase_Letter Unassigned Uppercase_Letter";

/// The scripts that Go 1.26 finds (Unicode 15.0): those of a single word, since
/// it looks names up with their underscores taken out.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo \
    Brahmi Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic \
    Cuneiform Cypriot Cyrillic Deseret Devanagari Dogra Duployan Elbasan Elymaic Ethiopic \
    Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran \
    Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki \
    Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic \
    Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean \
    Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician Rejang Runic \
    Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac \
    Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta \
    Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi";
