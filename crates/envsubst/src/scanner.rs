//! Tokens of a text. What counts as one depends on where it is looked for.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The text ends.
    End,
    /// Characters that fit.
    Text,
    /// `${`
    Open,
    /// `}`
    Close,
    /// Something else.
    Other,
}

/// What is looked for besides the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modes {
    text: bool,
    variables: bool,
    close: bool,
    escapes: bool,
}

impl Modes {
    /// Characters that fit.
    pub(crate) const TEXT: Self = Self {
        text: true,
        variables: false,
        close: false,
        escapes: false,
    };
    /// `}`
    pub(crate) const CLOSE: Self = Self {
        text: false,
        close: true,
        ..Self::TEXT
    };

    /// And `${`.
    pub(crate) const fn with_variables(self) -> Self {
        Self {
            variables: true,
            ..self
        }
    }

    /// And `}`.
    pub(crate) const fn with_close(self) -> Self {
        Self {
            close: true,
            ..self
        }
    }

    /// And, in a text, what is escaped.
    pub(crate) const fn with_escapes(self) -> Self {
        Self {
            escapes: true,
            ..self
        }
    }
}

/// What may be escaped where escapes are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// `$$`
    Dollar,
    /// `$$`, `\/` and `\\`.
    All,
}

/// A text on its way.
#[derive(Debug)]
pub(crate) struct Scanner<'t> {
    rest: &'t str,
    /// What may be escaped from here on.
    pub(crate) escapes: Escapes,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        // To the library, a NUL is the end.
        let rest = text.split('\0').next().unwrap_or_default();
        Self {
            rest,
            escapes: Escapes::Dollar,
        }
    }

    /// The next character.
    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The one after it.
    pub(crate) fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// The next token. Of a text, `fits` tells which characters belong to it, by how
    /// many bytes it has with them.
    pub(crate) fn scan(
        &mut self,
        modes: Modes,
        fits: impl Fn(char, usize) -> bool,
    ) -> (Token, Vec<u8>) {
        let token = match self.peek() {
            None => Token::End,
            Some('$') if modes.variables && self.rest.starts_with("${") => {
                self.rest = &self.rest[2..];
                Token::Open
            }
            Some('}') if modes.close => {
                self.rest = &self.rest[1..];
                Token::Close
            }
            Some(_) if modes.text => {
                let text = self.text(modes, fits);
                if !text.is_empty() {
                    return (Token::Text, text);
                }
                Token::Other
            }
            Some(_) => Token::Other,
        };
        (token, Vec::new())
    }

    fn text(&mut self, modes: Modes, fits: impl Fn(char, usize) -> bool) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(c) = self.peek() {
            if modes.variables && self.rest.starts_with("${") {
                break;
            }
            if modes.escapes && self.is_escape() {
                // What is escaped belongs to the text, whether it fits or not.
                text.push(self.rest.as_bytes()[1]);
                self.rest = &self.rest[2..];
                continue;
            }
            if !fits(c, text.len() + c.len_utf8()) {
                break;
            }
            let length = c.len_utf8();
            text.extend(&self.rest.as_bytes()[..length]);
            self.rest = &self.rest[length..];
        }
        text
    }

    fn is_escape(&self) -> bool {
        match self.rest.as_bytes() {
            [b'$', b'$', ..] => true,
            [b'\\', b'/' | b'\\', ..] => self.escapes == Escapes::All,
            _ => false,
        }
    }
}
