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
//!
//! A dash alone is a text in brackets, to go-yaml: `[cat, -]`. The parser refuses one that
//! a comma or bracket follows, so that something else seems to follow.
//!
//! Lines of a quoted text may begin anywhere, to go-yaml; the parser wants them further to
//! the right than their key. What is missing seems to be there: blanks that begin such
//! a line are no part of the text anyway.

use std::cell::Cell;

use super::{BorrowedInput, Input, SkipTabs, StrInput, WhitespaceResult};

/// A text in which a comment needs no white space before it.
pub(super) struct GluedComments<'t> {
    inner: StrInput<'t>,
    text: &'t str,
    anchor: Cell<Anchor>,
    /// How many blanks seem to stand before what is next.
    blanks: usize,
    /// In a quoted text, how far to the right its quote stands.
    quoted: Option<usize>,
}

/// So many blanks seem to be there at most: each is a step of the parser's.
const MAX_BLANKS: usize = 64;

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
        Self {
            inner: StrInput::new(text),
            text,
            anchor: Cell::new(Anchor::Outside),
            blanks: 0,
            quoted: None,
        }
    }

    /// The blanks that the line at `at`, a part of a quoted text, lacks to stand to the
    /// right of `column`.
    fn missing(&self, at: usize, column: usize) -> usize {
        let line = &self.text[at..];
        let rest = line.trim_start_matches([' ', '\t']);
        let is_blank = rest.starts_with(['\r', '\n']) || rest.is_empty();
        // To go-yaml, too, a text ends there.
        let is_document = ["---", "..."].iter().any(|sign| line.starts_with(sign));
        let tabs = line[..line.len() - rest.len()].contains('\t');
        let own = line.len() - rest.len();
        match !is_blank && !is_document && (own <= column || tabs) {
            true => (column + 1).min(MAX_BLANKS),
            false => 0,
        }
    }
}

/// Methods of the trait that are [`StrInput`]'s own.
macro_rules! forward {
    ($($name:ident($this:ident: $own:ty $(, $arg:ident: $of:ty)*) $(-> $out:ty)?;)*) => {$(
        fn $name($this: $own $(, $arg: $of)*) $(-> $out)? {
            $this.inner.$name($($arg),*)
        }
    )*};
}

impl Input for GluedComments<'_> {
    fn skip_ws_to_eol_blanks(&mut self, skip_tabs: SkipTabs) -> (usize, WhitespaceResult) {
        let (consumed, blanks) = self.inner.skip_ws_to_eol_blanks(skip_tabs);
        let has_space = true;
        (
            consumed,
            WhitespaceResult::new(blanks.found_tabs(), has_space),
        )
    }

    fn skip(&mut self) {
        if self.blanks > 0 {
            self.blanks -= 1;
            return;
        }
        let c = self.inner.peek();
        let next = match (c, self.anchor.get()) {
            ('&' | '*', Anchor::Outside | Anchor::Ended) => Anchor::Name,
            (c, Anchor::Name) if !c.is_whitespace() => Anchor::Name,
            _ => Anchor::Outside,
        };
        self.anchor.set(next);
        self.inner.skip();
        match (c, self.quoted) {
            ('\n', Some(column)) => {
                let at = self.inner.byte_offset();
                self.blanks = at.map_or(0, |at| self.missing(at, column));
            }
            ('"' | '\'', _) => self.quoted = None,
            _ => {}
        }
    }

    fn peek(&self) -> char {
        if self.blanks > 0 {
            return ' ';
        }
        let c = self.inner.peek();
        let ends = || {
            let next = self.inner.peek_nth(1);
            c == ':' && matches!(next, ' ' | '\t' | '\n' | '\r' | '\0')
        };
        if self.anchor.get() == Anchor::Name && ends() {
            self.anchor.set(Anchor::Ended);
            return ' ';
        }
        c
    }

    fn peek_nth(&self, n: usize) -> char {
        let Some(n) = n.checked_sub(self.blanks) else {
            return ' ';
        };
        let c = self.inner.peek_nth(n);
        let is_sign = || matches!(c, ',' | '[' | ']' | '{' | '}');
        match n {
            1 if self.inner.peek() == '-' && is_sign() => '-',
            _ => c,
        }
    }

    fn take_quoted_scalar_chunk(&mut self, single: bool) -> (&str, usize) {
        if self.quoted.is_none() {
            let at = self.inner.byte_offset().unwrap_or_default();
            let line = self.text[..at].rfind('\n').map_or(0, |found| found + 1);
            self.quoted = Some((at - line).min(MAX_BLANKS));
        }
        self.inner.take_quoted_scalar_chunk(single)
    }

    forward! {
        lookahead(self: &mut Self, count: usize);
        buflen(self: &Self) -> usize;
        bufmaxlen(self: &Self) -> usize;
        raw_read_ch(self: &mut Self) -> char;
        raw_read_non_breakz_ch(self: &mut Self) -> Option<char>;
        skip_n(self: &mut Self, count: usize);
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
        fetch_plain_scalar_chunk(self: &mut Self, out: &mut String, count: usize, in_flow: bool) -> (bool, usize);
        skip_plain_scalar_chunk(self: &mut Self, count: usize, in_flow: bool) -> (bool, usize);
    }
}

impl<'t> BorrowedInput<'t> for GluedComments<'t> {
    fn slice_borrowed(&self, start: usize, end: usize) -> Option<&'t str> {
        self.inner.slice_borrowed(start, end)
    }
}
