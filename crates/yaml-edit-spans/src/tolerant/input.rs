//! The text as the tolerant reader is given it: every `#` behind a token stands
//! apart from it.
//!
//! YAML wants white space before a comment. go-yaml, and so Flux, does not where
//! the token before has an end of its own: `"a:1"#c`, `[a]#c`, `|#c`. The parser
//! asks its input whether there was white space, and this one always says yes. All else
//! is [`StrInput`]'s; a `#` inside a plain scalar, a tag or an anchor is never
//! asked about, and stays what it is.
//!
//! To the parser a colon may be part of an anchor's name, as in YAML 1.2; to go-yaml it
//! ends one, so that `*name: value` is a mapping whose key is an alias. So the name
//! seems to end before a colon that a blank follows.

use std::cell::Cell;

use super::{BorrowedInput, Input, SkipTabs, StrInput, WhitespaceResult};

/// A text in which a comment needs no white space before it.
pub(super) struct GluedComments<'t>(StrInput<'t>, Cell<Anchor>);

/// How far the reading of an anchor's name has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    /// No `&` or `*` was just passed.
    Outside,
    /// Its name is being read.
    Name,
    /// It seemed to end before a colon, which is there for whoever asks next.
    Ended,
}

impl<'t> GluedComments<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self(StrInput::new(text), Cell::new(Anchor::Outside))
    }
}

/// Methods of the trait that are [`StrInput`]'s own.
macro_rules! forward {
    ($($name:ident($this:ident: $own:ty $(, $arg:ident: $of:ty)*) $(-> $out:ty)?;)*) => {$(
        fn $name($this: $own $(, $arg: $of)*) $(-> $out)? {
            $this.0.$name($($arg),*)
        }
    )*};
}

impl Input for GluedComments<'_> {
    fn skip_ws_to_eol_blanks(&mut self, skip_tabs: SkipTabs) -> (usize, WhitespaceResult) {
        let (consumed, blanks) = self.0.skip_ws_to_eol_blanks(skip_tabs);
        let has_space = true;
        (
            consumed,
            WhitespaceResult::new(blanks.found_tabs(), has_space),
        )
    }

    fn skip(&mut self) {
        let next = match (self.0.peek(), self.1.get()) {
            ('&' | '*', Anchor::Outside | Anchor::Ended) => Anchor::Name,
            (c, Anchor::Name) if !c.is_whitespace() => Anchor::Name,
            _ => Anchor::Outside,
        };
        self.1.set(next);
        self.0.skip();
    }

    fn peek(&self) -> char {
        let c = self.0.peek();
        let ends = || c == ':' && matches!(self.0.peek_nth(1), ' ' | '\t' | '\n' | '\r' | '\0');
        if self.1.get() == Anchor::Name && ends() {
            self.1.set(Anchor::Ended);
            return ' ';
        }
        c
    }

    forward! {
        lookahead(self: &mut Self, count: usize);
        buflen(self: &Self) -> usize;
        bufmaxlen(self: &Self) -> usize;
        raw_read_ch(self: &mut Self) -> char;
        raw_read_non_breakz_ch(self: &mut Self) -> Option<char>;
        skip_n(self: &mut Self, count: usize);
        peek_nth(self: &Self, n: usize) -> char;
        byte_offset(self: &Self) -> Option<usize>;
        slice_bytes(self: &Self, start: usize, end: usize) -> Option<&str>;
        next_is_z(self: &Self) -> bool;
    }

    // What the trait does for any input, character by character, is done in one
    // step by an input that is a slice.
    forward! {
        skip_while_non_breakz(self: &mut Self) -> usize;
        skip_while_blank(self: &mut Self) -> usize;
        fetch_while_is_alpha(self: &mut Self, out: &mut String) -> usize;
        fetch_while_is_yaml_non_space(self: &mut Self, out: &mut String) -> usize;
        fetch_block_scalar_line(self: &mut Self, out: &mut String) -> usize;
        take_quoted_scalar_ascii_chunk(self: &mut Self, single: bool) -> &str;
        take_quoted_scalar_chunk(self: &mut Self, single: bool) -> (&str, usize);
        fetch_plain_scalar_chunk(self: &mut Self, out: &mut String, count: usize, in_flow: bool) -> (bool, usize);
        skip_plain_scalar_chunk(self: &mut Self, count: usize, in_flow: bool) -> (bool, usize);
    }
}

impl<'t> BorrowedInput<'t> for GluedComments<'t> {
    fn slice_borrowed(&self, start: usize, end: usize) -> Option<&'t str> {
        self.0.slice_borrowed(start, end)
    }
}
