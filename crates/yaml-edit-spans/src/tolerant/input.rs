//! The text as the tolerant reader is given it: every `#` behind a token stands
//! apart from it.
//!
//! YAML wants white space before a comment. go-yaml, and so Flux, does not where
//! the token before has an end of its own: `"a:1"#c`, `[a]#c`, `|#c`. The parser
//! asks its input whether there was white space, and this one always says yes. All else
//! is [`StrInput`]'s; a `#` inside a plain scalar, a tag or an anchor is never
//! asked about, and stays what it is.

use super::{BorrowedInput, Input, SkipTabs, StrInput, WhitespaceResult};

/// A text in which a comment needs no white space before it.
pub(super) struct GluedComments<'t>(StrInput<'t>);

impl<'t> GluedComments<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self(StrInput::new(text))
    }
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

    fn lookahead(&mut self, count: usize) {
        self.0.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.0.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.0.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.0.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.0.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.0.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.0.skip_n(count);
    }

    fn peek(&self) -> char {
        self.0.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.0.peek_nth(n)
    }

    fn byte_offset(&self) -> Option<usize> {
        self.0.byte_offset()
    }

    fn slice_bytes(&self, start: usize, end: usize) -> Option<&str> {
        self.0.slice_bytes(start, end)
    }

    fn next_is_z(&self) -> bool {
        self.0.next_is_z()
    }

    // What the trait does for any input, character by character, is done in one
    // step by an input that is a slice.

    fn skip_while_non_breakz(&mut self) -> usize {
        self.0.skip_while_non_breakz()
    }

    fn skip_while_blank(&mut self) -> usize {
        self.0.skip_while_blank()
    }

    fn fetch_while_is_alpha(&mut self, out: &mut String) -> usize {
        self.0.fetch_while_is_alpha(out)
    }

    fn fetch_while_is_yaml_non_space(&mut self, out: &mut String) -> usize {
        self.0.fetch_while_is_yaml_non_space(out)
    }

    fn fetch_block_scalar_line(&mut self, out: &mut String) -> usize {
        self.0.fetch_block_scalar_line(out)
    }

    fn take_quoted_scalar_ascii_chunk(&mut self, single: bool) -> &str {
        self.0.take_quoted_scalar_ascii_chunk(single)
    }

    fn take_quoted_scalar_chunk(&mut self, single: bool) -> (&str, usize) {
        self.0.take_quoted_scalar_chunk(single)
    }

    fn fetch_plain_scalar_chunk(
        &mut self,
        out: &mut String,
        count: usize,
        in_flow: bool,
    ) -> (bool, usize) {
        self.0.fetch_plain_scalar_chunk(out, count, in_flow)
    }

    fn skip_plain_scalar_chunk(&mut self, count: usize, in_flow: bool) -> (bool, usize) {
        self.0.skip_plain_scalar_chunk(count, in_flow)
    }
}

impl<'t> BorrowedInput<'t> for GluedComments<'t> {
    fn slice_borrowed(&self, start: usize, end: usize) -> Option<&'t str> {
        self.0.slice_borrowed(start, end)
    }
}
