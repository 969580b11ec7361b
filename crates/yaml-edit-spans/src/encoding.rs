//! Which bytes are a text: UTF-8, with or without a byte order mark.
//!
//! YAML may be UTF-16 or UTF-32, too, and go-yaml reads UTF-16. But Flux looks
//! for its markers in the bytes as they are and so edits no such file, and a
//! scalar that is rewritten here is rewritten as UTF-8. They are refused by their
//! name, and decoded only to tell whether anybody will miss them.

use super::Place;

/// An encoding whose characters are wider than a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wide {
    /// Bytes of a code unit: 2 or 4.
    width: usize,
    is_little_endian: bool,
    /// It says so in a byte order mark. Else its first character tells, which in
    /// YAML is one of ASCII.
    has_mark: bool,
}

/// The encoding that bytes begin in, by the table of YAML 1.2, 5.2; `None` where
/// that is UTF-8.
#[must_use]
pub fn wide(bytes: &[u8]) -> Option<Wide> {
    let (width, is_little_endian, has_mark) = match bytes {
        [0, 0, 0xfe, 0xff, ..] => (4, false, true),
        [0, 0, 0, first, ..] if *first != 0 => (4, false, false),
        [0xff, 0xfe, 0, 0, ..] => (4, true, true),
        [first, 0, 0, 0, ..] if *first != 0 => (4, true, false),
        [0xfe, 0xff, ..] => (2, false, true),
        [0, first, ..] if *first != 0 => (2, false, false),
        [0xff, 0xfe, ..] => (2, true, true),
        [first, 0, ..] if *first != 0 => (2, true, false),
        _ => return None,
    };
    Some(Wide {
        width,
        is_little_endian,
        has_mark,
    })
}

impl Wide {
    /// The text that `bytes` are in this encoding. What is not a character becomes
    /// U+FFFD.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> String {
        let units = bytes.chunks_exact(self.width).map(|unit| {
            let add = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
            if self.is_little_endian {
                unit.iter().rev().fold(0, add)
            } else {
                unit.iter().fold(0, add)
            }
        });
        let unknown = char::REPLACEMENT_CHARACTER;
        if self.width == 4 {
            return units
                .map(|unit| char::from_u32(unit).unwrap_or(unknown))
                .collect();
        }
        let units = units.filter_map(|unit| u16::try_from(unit).ok());
        char::decode_utf16(units)
            .map(|decoded| decoded.unwrap_or(unknown))
            .collect()
    }
}

/// Bytes that are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUtf8 {
    /// Where that begins to show.
    pub place: Place,
    /// What they are instead, where that can be told.
    pub wide: Option<Wide>,
}

impl NotUtf8 {
    /// What to do about it.
    pub const HINT: &'static str = "save it as UTF-8, the only encoding that Flux edits";
}

impl std::fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.wide {
            None => f.write_str("this is not UTF-8"),
            Some(wide) if wide.has_mark => write!(f, "this is UTF-{}, not UTF-8", wide.width * 8),
            Some(wide) => write!(
                f,
                "this is UTF-{}, not UTF-8: its first character takes {} bytes",
                wide.width * 8,
                wide.width
            ),
        }
    }
}

impl std::error::Error for NotUtf8 {}

/// The text that bytes are.
///
/// # Errors
/// Where they are not UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    let wide = wide(&bytes);
    if wide.is_some() {
        let place = Place::of(&bytes, 0);
        return Err(NotUtf8 { place, wide });
    }
    String::from_utf8(bytes).map_err(|error| NotUtf8 {
        place: Place::of(error.as_bytes(), error.utf8_error().valid_up_to()),
        wide,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` in units of `width` bytes.
    fn encoded(text: &str, width: usize, is_little_endian: bool) -> Vec<u8> {
        let unit = |value: u32| {
            let bytes = value.to_be_bytes();
            let mut unit = bytes[4 - width..].to_vec();
            if is_little_endian {
                unit.reverse();
            }
            unit
        };
        if width == 4 {
            return text.chars().flat_map(|c| unit(u32::from(c))).collect();
        }
        text.encode_utf16()
            .flat_map(|c| unit(u32::from(c)))
            .collect()
    }

    #[test]
    fn every_wide_encoding_is_known_with_and_without_a_mark() {
        for (width, is_little_endian) in [(2, true), (2, false), (4, true), (4, false)] {
            for (text, has_mark) in [
                ("\u{feff}a: ü\u{1f600}\n", true),
                ("a: ü\u{1f600}\n", false),
            ] {
                let bytes = encoded(text, width, is_little_endian);
                let expected = Wide {
                    width,
                    is_little_endian,
                    has_mark,
                };
                assert_eq!(wide(&bytes), Some(expected), "{bytes:?}");
                assert_eq!(expected.decode(&bytes), text);
                let error = decode(bytes).expect_err("refused");
                let name = format!("this is UTF-{}, not UTF-8", width * 8);
                assert!(error.to_string().starts_with(&name), "{error}");
            }
        }
    }

    #[test]
    fn utf_8_is_none_of_them() {
        for text in ["", "a", "\u{feff}a: b\n", "ü: b\n", "a: \0"] {
            assert_eq!(decode(text.into()).as_deref(), Ok(text), "{text:?}");
        }
        let error = decode(b"a: b\nc: \xff\n".to_vec()).expect_err("refused");
        assert_eq!((error.place.line, error.place.column), (2, 4));
        assert_eq!(error.to_string(), "this is not UTF-8");
    }

    #[test]
    fn half_a_character_is_none() {
        let bytes = [0xff, 0xfe, b'a', 0, 0x3d, 0xd8, b'b', 0, b'c'];
        let decoded = wide(&bytes).expect("UTF-16").decode(&bytes);
        assert_eq!(decoded, "\u{feff}a\u{fffd}b");
    }
}
