//! Taking items out of a ResourceList.
//!
//! With an item go its dash or comma, the comment behind it on its line, and in
//! a block the comments that stand directly above its dash, which are about it.
//! Comments on other lines of their own stay. What stays must read as before: a
//! comma stands between two items and none before the first, and no blank line
//! that stood behind an item becomes part of a block scalar before it.

use super::gap::{Gap, end_of_line, line_start, next_line};
use super::outline::{Document, List};
use yaml_edit_spans::ByteSpan;
use yaml_edit_spans::patch::Edit;

/// Why items cannot be taken out of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An alias that stays names an anchor that would go.
    #[error("the alias `*{0}` names an anchor of what would be left out")]
    Aliased(String),
    /// A list in brackets with a mapping that has no braces.
    #[error("items[{0}] is a mapping without braces in a list in brackets")]
    NoBraces(usize),
}

/// The edits that take the items at `gone` (ascending) out of the list.
///
/// # Errors
/// Where the rest would not read as before.
pub fn remove_items(text: &str, list: &Document<'_>, gone: &[usize]) -> Result<Vec<Edit>, Refusal> {
    let (Some(items), false) = (list.envelope.items.list(), gone.is_empty()) else {
        return Ok(Vec::new());
    };
    let removal = Removal {
        text,
        list,
        items,
        gone,
    };
    let edits = match (items.flow, gone.len() == list.items.len()) {
        (true, true) => vec![Edit::new(items.span.start, items.span.end, "[]")],
        (true, false) => removal.of_flow()?,
        (false, true) => removal.of_whole_block(),
        (false, false) => removal.of_block(),
    };
    removal.refuse_aliases(&edits)?;
    Ok(edits)
}

struct Removal<'r, 't> {
    text: &'r str,
    list: &'r Document<'t>,
    items: &'r List,
    gone: &'r [usize],
}

/// A run of items that go: indices of the first and the last.
type Run = (usize, usize);

impl Removal<'_, '_> {
    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for &index in self.gone {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => runs.push((index, index)),
            }
        }
        runs
    }

    fn span(&self, index: usize) -> ByteSpan {
        self.list.items[index].span
    }

    /// What stands before an item: behind the one before it, or the bracket.
    fn gap_before(&self, index: usize) -> Gap {
        let from = match index {
            0 => self.items.span.start + 1,
            _ => self.span(index - 1).end,
        };
        Gap::read(self.text, from, self.span(index).start)
    }

    /// Where an item of brackets begins, with its anchor and tag.
    fn begin(&self, index: usize) -> usize {
        let gap = self.gap_before(index);
        gap.properties_start().unwrap_or(self.span(index).start)
    }

    fn of_flow(&self) -> Result<Vec<Edit>, Refusal> {
        let in_braces = |index: &usize| self.span(*index).of(self.text).starts_with('{');
        if let Some(bare) = (0..self.list.items.len()).find(|index| !in_braces(index)) {
            return Err(Refusal::NoBraces(bare));
        }
        let mut edits = Vec::new();
        for (first, last) in self.runs() {
            if last + 1 < self.list.items.len() {
                self.before_others(first, last, &mut edits);
            } else {
                self.behind_others(first, last, &mut edits);
            }
        }
        Ok(edits)
    }

    /// A run with an item behind it: the comma behind it goes.
    fn before_others(&self, first: usize, last: usize, edits: &mut Vec<Edit>) {
        let start = self.begin(first);
        let gap = self.gap_before(last + 1);
        let Some(comment) = gap.own_line_comment() else {
            edits.push(Edit::new(start, self.begin(last + 1), ""));
            return;
        };
        edits.push(Edit::new(start, comment, ""));
        if let Some(comma) = gap.comma.filter(|comma| *comma > comment) {
            edits.push(Edit::new(comma, comma + 1, ""));
        }
    }

    /// The last run, with an item before it: the comma before it goes, or the
    /// one behind it where there are two.
    fn behind_others(&self, first: usize, last: usize, edits: &mut Vec<Edit>) {
        let before = self.gap_before(first);
        let end = self.span(last).end;
        let behind = Gap::read(self.text, end, self.items.span.end - 1);
        // A comment behind a comma on the same line is about it, too.
        let comment = behind.comments.first();
        let comment = comment.filter(|comment| !comment.has_own_line);
        let is_comma_before = |at: usize| behind.comma.is_some_and(|comma| comma < at);
        if before.comments.is_empty() {
            let start = self.span(first - 1).end;
            edits.push(Edit::new(start, end, ""));
            match comment {
                Some(comment) if is_comma_before(comment.span.start) || behind.comma.is_none() => {
                    edits.push(Edit::new(comment.span.start, comment.span.end, ""));
                }
                _ => {}
            }
            return;
        }
        edits.push(Edit::new(self.begin(first), end, ""));
        if let Some(comma) = behind.comma.or(before.comma) {
            edits.push(Edit::new(comma, comma + 1, ""));
        }
        if let Some(comment) = comment {
            edits.push(Edit::new(comment.span.start, comment.span.end, ""));
        }
    }

    /// Behind an explicit `:` the first dash shares its line.
    fn has_own_line(&self, index: usize) -> bool {
        let dash = self.list.items[index].dash;
        let before = &self.text[line_start(self.text, dash)..dash];
        before.bytes().all(|byte| byte == b' ')
    }

    fn of_block(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (first, last) in self.runs() {
            if self.has_own_line(first) {
                let each = first..=last;
                edits.extend(
                    each.map(|index| Edit::new(self.block_start(index), self.block_end(index), "")),
                );
            } else {
                // What stays takes its place on the line.
                let (start, end) = (self.list.items[first].dash, self.list.items[last + 1].dash);
                edits.push(Edit::new(start, end, ""));
            }
        }
        edits
    }

    fn of_whole_block(&self) -> Vec<Edit> {
        let first = self.list.items[0].dash;
        let gap = Gap::read(self.text, self.items.behind_key, first);
        let at = gap.properties_end().unwrap_or(self.items.behind_key);
        let mut edits = vec![Edit::new(at, at, " []")];
        let all = 0..self.list.items.len();
        if self.has_own_line(0) {
            let item = |index| Edit::new(self.block_start(index), self.block_end(index), "");
            edits.extend(all.map(item));
        } else {
            edits.push(Edit::new(first, self.span(all.end - 1).end, ""));
        }
        edits
    }

    /// Where an item begins with its dash and the comments directly above it.
    fn block_start(&self, index: usize) -> usize {
        let text = self.text;
        let dash = self.list.items[index].dash;
        if !self.has_own_line(index) {
            return dash;
        }
        let mut start = line_start(text, dash);
        let column = dash - start;
        let floor = match index {
            0 => self.items.behind_key,
            _ => self.span(index - 1).end,
        };
        let floor = next_line(text, trimmed_end(text, floor));
        while start > floor {
            let above = line_start(text, before_break(text, start));
            let line = &text[above..start];
            let indent = line.len() - line.trim_start_matches(' ').len();
            if above < floor || indent != column || !line[indent..].starts_with('#') {
                break;
            }
            start = above;
        }
        start
    }

    /// Where the lines of an item end: all that are indented deeper than its
    /// dash, and the blank ones between and behind them.
    fn block_end(&self, index: usize) -> usize {
        let text = self.text;
        let dash = self.list.items[index].dash;
        let column = dash - line_start(text, dash);
        let mut at = next_line(text, trimmed_end(text, self.span(index).end));
        while at < text.len() {
            let line = &text[at..end_of_line(text, at)];
            let indent = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() && indent <= column {
                break;
            }
            at = next_line(text, at);
        }
        at
    }

    fn refuse_aliases(&self, edits: &[Edit]) -> Result<(), Refusal> {
        for edit in edits {
            for name in anchors(edit.span.of(self.text)) {
                let is_kept = |at: usize| !edits.iter().any(|edit| edit.span.range().contains(&at));
                if aliases(self.text, name).any(is_kept) {
                    return Err(Refusal::Aliased(name.to_owned()));
                }
            }
        }
        Ok(())
    }
}

/// Before the line break that ends at `at`.
fn before_break(text: &str, at: usize) -> usize {
    let line = text[..at].strip_suffix('\n').unwrap_or(&text[..at]);
    line.strip_suffix('\r').unwrap_or(line).len()
}

fn trimmed_end(text: &str, at: usize) -> usize {
    text[..at].trim_end_matches([' ', '\t', '\r', '\n']).len()
}

/// Whether a sign at `at` may begin an anchor or an alias.
fn begins_token(text: &str, at: usize) -> bool {
    let before = text.as_bytes()[..at].last();
    before.is_none_or(|byte| byte.is_ascii_whitespace() || b",[{".contains(byte))
}

fn name_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let is_end = |c: char| c.is_ascii_whitespace() || ",[]{}".contains(c);
    &rest[..rest.find(is_end).unwrap_or(rest.len())]
}

/// The names of what looks like anchors in `text`.
pub(super) fn anchors(text: &str) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(b'&', text.as_bytes())
        .filter(|at| begins_token(text, *at))
        .map(|at| name_at(text, at + 1))
        .filter(|name| !name.is_empty())
}

/// Where `text` holds what looks like an alias of `name`.
pub(super) fn aliases(text: &str, name: &str) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b'*', text.as_bytes())
        .filter(move |at| begins_token(text, *at) && name_at(text, at + 1) == name)
}
