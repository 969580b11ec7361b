//! Reading a text back with another eye than the program's own: its scalars in
//! order, and what is left of the text when some of them are cut out.

use granit_parser::{Event, Parser, ScalarStyle};

/// A scalar as read.
pub struct Scalar {
    /// Its value.
    pub value: String,
    /// It can be nothing but a string: quoted, a block, or a plain text that
    /// YAML 1.2 reads as one.
    pub is_string: bool,
    is_block: bool,
    /// It is a block scalar, or has a tag that a new value takes away.
    is_loose: bool,
    /// It is written without quotes.
    #[allow(dead_code, reason = "two test programs share this file")]
    pub is_plain: bool,
    start: usize,
    end: usize,
}

#[allow(dead_code, reason = "two test programs share this file")]
impl Scalar {
    /// Where it ends.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether it is a block scalar.
    pub fn is_block(&self) -> bool {
        self.is_block
    }
}

/// All scalars of a text, keys too, in order.
pub fn scalars(text: &str) -> Result<Vec<Scalar>, String> {
    let mut found = Vec::new();
    let options = granit_parser::options! { emit_comments: false };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| format!("does not parse: {error}"))?;
        if let Event::Scalar(value, style, _, tag) = event {
            let bytes = span.byte_range().unwrap_or_default();
            let tag_start = span
                .tag_span()
                .and_then(|tag| tag.byte_range())
                .map(|tag| tag.start);
            let core_tag = tag
                .as_ref()
                .and_then(|tag| tag.core_suffix().map(str::to_owned));
            let plain_string = || {
                // `inf` and `nan` without a point are strings in YAML.
                let number =
                    value.parse::<f64>().is_ok() && value.contains(|c: char| c.is_ascii_digit());
                let lower = value.to_ascii_lowercase();
                let is_cased = *value == lower
                    || *value == value.to_ascii_uppercase()
                    || value.get(1..) == lower.get(1..);
                let word = matches!(
                    lower.as_str(),
                    "true" | "false" | "null" | "~" | "" | "yes" | "no" | "on" | "off"
                );
                !(number || word && is_cased)
            };
            let is_string = match core_tag.as_deref() {
                Some("str") => true,
                Some(_) => false,
                None => style != ScalarStyle::Plain || tag.is_some() || plain_string(),
            };
            let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
            // A block scalar is written from its header on.
            let start = if is_block {
                text[..bytes.start].rfind(['|', '>']).unwrap_or(bytes.start)
            } else {
                bytes.start
            };
            let is_loose = is_block || core_tag.as_deref().is_some_and(|tag| tag != "str");
            let start = if core_tag.is_some_and(|tag| tag != "str") {
                tag_start.unwrap_or(start)
            } else {
                start
            };
            found.push(Scalar {
                value: value.into_owned(),
                is_string,
                is_loose,
                is_block,
                is_plain: style == ScalarStyle::Plain && tag.is_none(),
                start,
                end: bytes.end,
            });
        }
    }
    Ok(found)
}

/// A text of which scalars are cut out.
pub struct Rest<'t> {
    text: &'t str,
    at: usize,
    kept: String,
    is_loose: bool,
}

impl<'t> Rest<'t> {
    /// Nothing is cut out yet.
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            kept: String::new(),
            is_loose: false,
        }
    }

    /// Cuts out a scalar, but not a comment on the header line of a block.
    pub fn without(&mut self, scalar: &Scalar) {
        self.is_loose |= scalar.is_loose;
        self.kept.push_str(&self.text[self.at..scalar.start]);
        let cut = &self.text[scalar.start..scalar.end];
        if cut.starts_with(['|', '>'])
            && let Some(comment) = cut
                .lines()
                .next()
                .and_then(|line| line.find('#').map(|at| &line[at..]))
        {
            self.kept.push_str(comment);
        }
        self.at = scalar.end;
    }

    /// Whether white space around a cut cannot be told from the scalar's own:
    /// the end of a block scalar, the blank behind a tag.
    pub fn is_loose(&self) -> bool {
        self.is_loose
    }

    /// What is left; `loose` takes all runs of white space as equal.
    pub fn text(&self, loose: bool) -> String {
        let mut text = self.kept.clone();
        text.push_str(&self.text[self.at..]);
        if loose {
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        } else {
            text
        }
    }
}
