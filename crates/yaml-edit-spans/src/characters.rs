//! Which characters may be written as they are.
//!
//! YAML reads fewer than Unicode has (sections 5.1 and 5.4 of both versions),
//! and some of those that it reads act instead of being seen.

/// Whether a character acts instead of being seen: C0, DEL and C1 controls (which
/// hold ESC and the line breaks), the separators of lines and paragraphs, the
/// marks, embeddings, overrides and isolates of bidirectional text, what has no
/// width, byte order marks, tags, and what is not a character.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
