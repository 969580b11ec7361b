//! A large text, read in chunks on every core.
//!
//! A stream is cut before lines that are `---`, a ResourceList before lines
//! that begin an item. Each chunk is read by the strict reader alone; where one
//! of them is refused, or anything about them is odd, the answer is `None` and
//! the text is read as a whole. A cut inside a quoted text, a collection in
//! brackets or a block scalar leaves a chunk that the reader refuses, so what
//! is put together is what the whole would have given; the tests compare them.

use memchr::memmem;

use super::outline::{self, Document, EnvelopePart, Outline};
use crate::parallel;
use yaml_edit_spans::ByteSpan;

/// Texts smaller than this are read by one core.
const SMALLEST: usize = 256 << 10;

/// Reads `text` in chunks, if it is large and of a known shape.
#[must_use]
pub fn read(text: &str) -> Option<Outline<'_>> {
    if text.len() < SMALLEST {
        return None;
    }
    read_in(text, parallel::workers())
}

/// Reads `text` in about `count` chunks.
#[must_use]
pub fn read_in(text: &str, count: usize) -> Option<Outline<'_>> {
    if count < 2 {
        return None;
    }
    match BlockList::find(text) {
        Some(list) => list.read(text, count),
        None => stream(text, count),
    }
}

/// The places near the `count`th parts of `from..to` where `next` finds a cut.
fn cuts(
    (from, to): (usize, usize),
    count: usize,
    next: impl Fn(usize) -> Option<usize>,
) -> Vec<ByteSpan> {
    let mut chunks = Vec::new();
    let mut start = from;
    for part in 1..count {
        let near = from + (to - from) / count * part;
        if near > start
            && let Some(cut) = next(near).filter(|cut| *cut < to)
            && cut > start
        {
            chunks.push(ByteSpan::new(start, cut));
            start = cut;
        }
    }
    chunks.push(ByteSpan::new(start, to));
    chunks
}

fn stream(text: &str, count: usize) -> Option<Outline<'_>> {
    let next = |from: usize| {
        let bytes = text.as_bytes();
        let mut at = from;
        loop {
            at += memmem::find(&bytes[at..], b"\n---")? + 1;
            if matches!(bytes.get(at + 3), Some(b'\n' | b'\r')) {
                return Some(at);
            }
        }
    };
    let chunks = cuts((0, text.len()), count, next);
    if chunks.len() < 2 {
        return None;
    }
    let read = |chunk: &ByteSpan| outline::read_chunk(text, *chunk, false).ok();
    let mut whole = Outline::default();
    for part in parallel::each(&chunks, &read) {
        let part = part?;
        whole.documents.extend(part.documents);
        whole.dead.extend(part.dead);
        whole.concealed.append(part.concealed);
    }
    Some(whole)
}

/// The lines of a ResourceList in block style.
struct BlockList {
    /// Where its first item's line begins.
    items: usize,
    /// Where the first line behind its items begins.
    tail: usize,
    /// Blanks before each item's `-`.
    indent: usize,
}

impl BlockList {
    fn find(text: &str) -> Option<Self> {
        let key = if text.starts_with("items:") {
            0
        } else {
            text.find("\nitems:")? + 1
        };
        let line = text[key..].find('\n')? + key;
        if !text[key + "items:".len()..line].trim().is_empty() {
            return None;
        }
        let items = line + 1;
        let indent = text[items..].len() - text[items..].trim_start_matches(' ').len();
        let mut list = Self {
            items,
            tail: text.len(),
            indent,
        };
        if !list.is_item(&text.as_bytes()[items..]) {
            return None;
        }
        list.tail = list.find_tail(text);
        Some(list)
    }

    fn is_item(&self, line: &[u8]) -> bool {
        line.get(..self.indent)
            .is_some_and(|blanks| blanks.iter().all(|byte| *byte == b' '))
            && line.get(self.indent..self.indent + 2) == Some(b"- ")
    }

    /// The first line at the left margin that is not an item, comment or blank.
    fn find_tail(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let is_tail = |at: &usize| match bytes.get(*at) {
            None | Some(b' ' | b'#' | b'\n' | b'\r') => false,
            Some(b'-') => self.indent > 0 || !self.is_item(&bytes[*at..]),
            Some(_) => true,
        };
        memchr::memchr_iter(b'\n', &bytes[self.items..])
            .map(|at| self.items + at + 1)
            .find(is_tail)
            .unwrap_or(text.len())
    }

    /// The next line from `from` on that begins an item, right below a line
    /// with content: a comment above an item is that item's.
    fn next_item(&self, text: &str, from: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut breaks = memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at);
        let mut above = breaks.next()? + 1;
        for end in breaks {
            let line = &bytes[above..end];
            let is_said = line.trim_ascii().first().is_some_and(|byte| *byte != b'#');
            above = end + 1;
            if is_said && self.is_item(&bytes[above..]) {
                return Some(above);
            }
        }
        None
    }

    fn read<'t>(&self, text: &'t str, count: usize) -> Option<Outline<'t>> {
        let mut chunks = cuts((self.items, self.tail), count, |from| {
            self.next_item(text, from)
        });
        if chunks.len() < 2 {
            return None;
        }
        // The head goes with the first items.
        chunks[0].start = 0;
        let read = |chunk: &ByteSpan| outline::read_chunk(text, *chunk, chunk.start > 0).ok();
        let mut parts = parallel::each(&chunks, &read).into_iter();
        let mut whole = parts.next()??;
        let mut document = only(&mut whole)?;
        if document.root.is_encrypted {
            // So are the items of all chunks.
            return None;
        }
        for part in parts {
            let mut part = part?;
            add_items(&mut document, only(&mut part)?)?;
            whole.dead.append(&mut part.dead);
            whole.concealed.append(part.concealed);
        }
        if self.tail < text.len() {
            let tail = ByteSpan::new(self.tail, text.len());
            let mut part = outline::read_chunk(text, tail, false).ok()?;
            add_tail(&mut document, only(&mut part)?)?;
            whole.dead.append(&mut part.dead);
            whole.concealed.append(part.concealed);
        }
        document.conceal(&mut whole.concealed);
        whole.documents.push(document);
        Some(whole)
    }
}

/// The only document, if nothing is wrong with it.
fn only<'t>(outline: &mut Outline<'t>) -> Option<Document<'t>> {
    let document = outline.documents.pop()?;
    let is_fine = outline.documents.is_empty() && document.envelope.fault.is_none();
    is_fine.then_some(document)
}

fn add_items<'t>(whole: &mut Document<'t>, mut part: Document<'t>) -> Option<()> {
    let (EnvelopePart::List(items), EnvelopePart::List(more)) =
        (&mut whole.envelope.items, &part.envelope.items)
    else {
        return None;
    };
    items.span.end = more.span.end;
    whole.root.span.end = part.root.span.end;
    let before = whole.items.len();
    for marked in &mut part.marked {
        marked.item = Some(marked.item? + before);
    }
    whole.items.append(&mut part.items);
    whole.marked.append(&mut part.marked);
    Some(())
}

/// Adds the keys behind the items; none may stand on both sides.
fn add_tail<'t>(whole: &mut Document<'t>, mut tail: Document<'t>) -> Option<()> {
    let EnvelopePart::Absent = tail.envelope.items else {
        return None;
    };
    match (&whole.envelope.results, tail.envelope.results) {
        (_, EnvelopePart::Absent) => {}
        (EnvelopePart::Absent, results) => whole.envelope.results = results,
        _ => return None,
    }
    match (
        whole.envelope.function_config,
        tail.envelope.function_config,
    ) {
        (_, None) => {}
        (None, config) => whole.envelope.function_config = config,
        _ => return None,
    }
    // Whatever else stands there is rare, and not worth rules of its own.
    let root = &tail.root;
    let says_more = [&root.api_version, &root.kind, &root.name, &root.namespace]
        .iter()
        .any(|text| !text.is_empty());
    if says_more || root.is_encrypted || root.file.is_some() || tail.envelope.root.is_none() {
        return None;
    }
    whole.root.span.end = root.span.end;
    whole.marked.append(&mut tail.marked);
    Some(())
}
