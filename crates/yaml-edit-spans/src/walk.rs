//! A text as steps through its structure: each event with the path to it.
//!
//! The walk holds one frame for each open collection and nothing else, so a
//! text of any size is read in little memory.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::comment::Position;
use super::{ByteSpan, Event, EventKind, Events, Place, Scalar, Style, SyntaxError};

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// An open collection.
#[derive(Debug)]
pub struct Frame<'t> {
    /// Mapping or sequence.
    pub kind: Collection,
    /// Written with brackets or braces.
    pub flow: bool,
    /// Where it begins: its bracket, first key or first `-`.
    pub start: usize,
    /// In a mapping the key at hand, `None` before the first and for a key
    /// that is not a scalar.
    pub key: Option<Cow<'t, str>>,
    /// In a mapping whose key at hand is an alias (`*name :`) the scalar that this stands
    /// for. Such a key is none to Flux, which does not look there for what it knows.
    pub alias_key: Option<Cow<'t, str>>,
    /// Children that have begun: the index of the child at hand is one less.
    pub children: usize,
    /// Where its keys begin among those of all open collections.
    keys_from: usize,
    /// Which of its keys were looked at for repetition, and what came of it.
    seen: Seen<'t>,
    expects_key: bool,
    /// The collection is itself a key, or part of one.
    inside_key: bool,
}

/// Keys that were compared with each other. Filled only on the way to a marked
/// scalar, so that other mappings cost nothing.
#[derive(Debug, Default)]
struct Seen<'t> {
    keys: HashSet<Cow<'t, str>>,
    /// How many of the mapping's keys are in it.
    upto: usize,
    /// Whether the last of them was there before.
    is_repeated: bool,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// A mapping.
    Mapping,
    /// A sequence.
    Sequence,
}

/// One step of the walk.
#[derive(Debug)]
pub enum Step<'t> {
    /// A document begins.
    DocumentStart,
    /// A document ends; the byte is where its content ends.
    DocumentEnd(usize),
    /// A collection begins; its frame is the last.
    Enter,
    /// A collection ends: what it was and its bytes.
    Leave(Collection, ByteSpan),
    /// A scalar that is not a key.
    Value(Value<'t>),
    /// An alias that is not a key.
    Alias(ByteSpan),
}

/// A scalar in the position of a value.
#[derive(Clone, Debug)]
pub struct Value<'t> {
    /// As written.
    pub scalar: Scalar<'t>,
    /// Bytes of its token; for a block scalar those of its content's lines.
    pub span: ByteSpan,
    /// Where the token before it ends.
    pub after: usize,
    /// Where the innermost block collection begins that this token is in.
    pub block: usize,
    /// What it is to the collection around it.
    pub position: Position,
}

impl<'t> Frame<'t> {
    /// What the key at hand says, be it an alias.
    #[must_use]
    pub fn any_key(&self) -> Option<&Cow<'t, str>> {
        self.key.as_ref().or(self.alias_key.as_ref())
    }
}

impl Value<'_> {
    /// Whether it is null, in `text` that it stands in.
    #[must_use]
    pub fn is_null(&self, text: &str) -> bool {
        self.scalar.style == Style::Plain
            && self.scalar.tag().is_none()
            && matches!(self.span.of(text), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// A walk through a text.
pub struct Walk<'t> {
    text: &'t str,
    events: Events<'t>,
    frames: Vec<Frame<'t>>,
    /// Keys of the open mappings.
    keys: Vec<Cow<'t, str>>,
    /// The scalars of the document so far that have an anchor, by its name.
    anchors: HashMap<&'t str, Cow<'t, str>>,
    after: usize,
    /// Where the block collection of the token that ends there begins.
    block: usize,
    /// End of the last token that is more than white space.
    content_end: usize,
    /// End of the last token before the last closing bracket or brace.
    inner_end: usize,
    /// Where the block mappings begin that have ended since the last token.
    ended: Vec<usize>,
    is_after_token: bool,
    /// A place that was asked for, and its offset.
    place: (usize, Place),
    /// Whether the text is what stands under the key `items`.
    in_items: bool,
}

/// What `read` makes of a text by the strict reader or, where that refuses it, by
/// the tolerant one, which is slow, and takes more.
///
/// # Errors
/// Where neither reads the text: what the second said.
pub fn by_either<'t, T>(
    text: &'t str,
    read: impl Fn(Walk<'t>) -> Result<T, SyntaxError>,
) -> Result<T, SyntaxError> {
    read(Walk::strict(text)).or_else(|_| read(Walk::tolerant(text)))
}

impl<'t> Walk<'t> {
    /// Begins at the top of `text`, which is read to the letter.
    #[must_use]
    pub fn strict(text: &'t str) -> Self {
        Self::strict_chunk(text, ByteSpan::new(0, text.len()))
    }

    /// Begins at a chunk of `text`, which is read to the letter and as a text
    /// of its own.
    #[must_use]
    pub fn strict_chunk(text: &'t str, chunk: ByteSpan) -> Self {
        Self::of(text, chunk.start, Events::strict_chunk(text, chunk))
    }

    /// Begins at a chunk of `text` that holds items of a sequence under the key
    /// `items` of a mapping.
    #[must_use]
    pub fn strict_items(text: &'t str, chunk: ByteSpan) -> Self {
        let mut walk = Self::strict_chunk(text, chunk);
        walk.in_items = true;
        walk
    }

    /// Begins at the top of `text`, which is read as go-yaml does.
    #[must_use]
    pub fn tolerant(text: &'t str) -> Self {
        Self::of(text, 0, Events::tolerant(text))
    }

    fn of(text: &'t str, start: usize, events: Events<'t>) -> Self {
        Self {
            text,
            events,
            frames: Vec::new(),
            keys: Vec::new(),
            anchors: HashMap::new(),
            after: start,
            block: start,
            content_end: start,
            inner_end: 0,
            ended: Vec::new(),
            is_after_token: false,
            place: (start, Place::of(text.as_bytes(), start)),
            in_items: false,
        }
    }

    /// The open collections, outermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame<'t>] {
        &self.frames
    }

    /// Where the block mappings begin that have ended between the token before
    /// and the one at hand.
    #[must_use]
    pub fn ended_mappings(&self) -> &[usize] {
        &self.ended
    }

    /// Behind the `:` before the node at hand.
    #[must_use]
    pub fn behind_colon(&self) -> usize {
        self.events.signs().behind_colon
    }

    /// The `-` before the node at hand.
    #[must_use]
    pub fn dash(&self) -> usize {
        self.events.signs().dash
    }

    /// Where the last token ends before the bracket or brace that closed the
    /// collection at hand.
    #[must_use]
    pub fn inner_end(&self) -> usize {
        self.inner_end
    }

    /// The place of a byte. Cheap when asked for in the order of the text.
    pub fn place(&mut self, offset: usize) -> Place {
        let (at, place) = self.place;
        let place = if offset < at {
            Place::of(self.text.as_bytes(), offset)
        } else {
            place.further(&self.text.as_bytes()[at..offset])
        };
        self.place = (offset, place);
        place
    }

    /// Whether a key on the way to the place at hand stands earlier in the
    /// same mapping: Flux never visits what is under the second of two equal
    /// keys.
    pub fn is_under_repeated_key(&mut self) -> bool {
        let mut is_repeated = false;
        let mut keys_to = self.keys.len();
        for frame in self.frames.iter_mut().rev() {
            let keys = &self.keys[frame.keys_from..keys_to];
            keys_to = frame.keys_from;
            if frame.kind == Collection::Mapping && frame.key.is_some() {
                is_repeated |= frame.seen.repeats(keys);
            }
        }
        is_repeated
    }

    /// The next step, `None` at the end of the text.
    ///
    /// # Errors
    /// Where the text is not valid YAML.
    pub fn step(&mut self) -> Result<Option<Step<'t>>, SyntaxError> {
        while let Some(event) = self.events.next() {
            let event = event?;
            let before = (self.after, self.block);
            let has_header = || matches!(&event.kind, EventKind::Scalar(s) if s.header().is_some());
            let is_token = !event.span.is_empty() || has_header();
            if std::mem::replace(&mut self.is_after_token, is_token) {
                self.ended.clear();
            }
            self.pass(&event);
            let step = self.take(event, before);
            if is_token && let Some(block) = self.frames.iter().rfind(|frame| !frame.flow) {
                self.block = block.start;
            }
            if let Some(step) = step {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Moves the ends of what was read. To comments a block scalar ends behind
    /// its last line that is not blank.
    fn pass(&mut self, event: &Event<'t>) {
        match &event.kind {
            EventKind::Scalar(scalar) if scalar.header().is_some() => {
                let header_end = scalar.header().map_or(0, |header| header.span.end);
                let lines = event.span.of(self.text).trim_end_matches(BLANKS);
                self.after = if lines.is_empty() {
                    header_end
                } else {
                    event.span.start + lines.len()
                };
                self.content_end = self.content_end.max(event.span.end);
            }
            // A null that is written as nothing ends with the sign before it.
            EventKind::Scalar(_) if event.span.is_empty() => {
                self.content_end = self.content_end.max(event.span.end);
            }
            _ if event.span.is_empty() => {}
            EventKind::DocumentStart | EventKind::DocumentEnd => self.after = event.span.end,
            _ => (self.after, self.content_end) = (event.span.end, event.span.end),
        }
    }

    fn take(&mut self, event: Event<'t>, (after, block): (usize, usize)) -> Option<Step<'t>> {
        match event.kind {
            EventKind::DocumentStart => {
                self.frames.clear();
                self.keys.clear();
                self.anchors.clear();
                if self.in_items {
                    let start = ByteSpan::new(self.after, self.after);
                    self.enter(Collection::Mapping, false, start);
                    self.begin_child(|| Some(Cow::Borrowed("items")));
                }
                Some(Step::DocumentStart)
            }
            EventKind::DocumentEnd => Some(Step::DocumentEnd(self.content_end)),
            EventKind::MappingStart(flow) => self.enter(Collection::Mapping, flow, event.span),
            EventKind::SequenceStart(flow) => self.enter(Collection::Sequence, flow, event.span),
            EventKind::MappingEnd | EventKind::SequenceEnd => {
                self.inner_end = after;
                self.leave(event.span)
            }
            EventKind::Alias => self.alias(event.span),
            EventKind::Scalar(scalar) => {
                self.note_anchor(&scalar, event.span.start);
                let position = self.position();
                self.begin_child(|| Some(scalar.value()))
                    .then_some(Step::Value(Value {
                        scalar,
                        span: event.span,
                        after,
                        block,
                        position,
                    }))
            }
        }
    }

    /// Notes the anchor of a scalar that begins at `at`.
    fn note_anchor(&mut self, scalar: &Scalar<'t>, at: usize) {
        if scalar.start >= at || scalar.header().is_some() {
            return;
        }
        let properties = ByteSpan::new(scalar.start, at).of(self.text);
        let mut names = properties.split_whitespace();
        if let Some(name) = names.find_map(|one| one.strip_prefix('&')) {
            self.anchors.insert(name, scalar.value());
        }
    }

    fn alias(&mut self, span: ByteSpan) -> Option<Step<'t>> {
        if self.begin_child(|| None) {
            return Some(Step::Alias(span));
        }
        let name = span.of(self.text).trim_start_matches('*').trim_end();
        let said = self.anchors.get(name).cloned();
        if let Some(frame) = self.frames.last_mut().filter(|frame| !frame.inside_key) {
            frame.alias_key = said;
        }
        None
    }

    fn enter(&mut self, kind: Collection, flow: bool, span: ByteSpan) -> Option<Step<'t>> {
        let inside_key = !self.begin_child(|| None);
        self.frames.push(Frame {
            kind,
            flow,
            start: span.start,
            key: None,
            alias_key: None,
            children: 0,
            keys_from: self.keys.len(),
            seen: Seen::default(),
            expects_key: kind == Collection::Mapping,
            inside_key,
        });
        (!inside_key).then_some(Step::Enter)
    }

    fn leave(&mut self, end: ByteSpan) -> Option<Step<'t>> {
        let frame = self.frames.pop()?;
        self.keys.truncate(frame.keys_from);
        if !frame.flow && frame.kind == Collection::Mapping {
            self.ended.push(frame.start);
        }
        // A block collection ends where its last token does.
        let end = if frame.flow {
            end.end
        } else {
            self.content_end.max(frame.start)
        };
        (!frame.inside_key).then_some(Step::Leave(frame.kind, ByteSpan::new(frame.start, end)))
    }

    /// Counts a node in the collection around it; `false` for a key and for
    /// all that is inside one. `key` is asked what it says as a key.
    fn begin_child(&mut self, key: impl FnOnce() -> Option<Cow<'t, str>>) -> bool {
        let Some(frame) = self.frames.last_mut() else {
            return true;
        };
        if frame.inside_key {
            return false;
        }
        if frame.kind == Collection::Sequence {
            frame.children += 1;
            return true;
        }
        let is_key = frame.expects_key;
        if is_key {
            frame.key = key();
            frame.alias_key = None;
            self.keys.extend(frame.key.clone());
            frame.children += 1;
        }
        frame.expects_key = !is_key;
        !is_key
    }

    fn position(&self) -> Position {
        match self.frames.last() {
            None => Position::Root,
            Some(frame) => match (frame.kind, frame.flow) {
                (Collection::Mapping, false) => Position::BlockValue,
                (Collection::Mapping, true) => Position::FlowValue,
                (Collection::Sequence, false) => Position::BlockItem,
                (Collection::Sequence, true) => Position::FlowItem,
            },
        }
    }

    /// The path to the node at hand, as the function specification spells
    /// `field.path`: `spec.containers[0].image`. `from` leaves out that many
    /// outer frames.
    #[must_use]
    pub fn path(&self, from: usize) -> String {
        path_of(self.frames.get(from..).unwrap_or_default())
    }

    /// The path to the node at hand less `inner` frames of its own.
    #[must_use]
    pub fn path_above(&self, inner: usize) -> String {
        path_of(&self.frames[..self.frames.len().saturating_sub(inner)])
    }
}

impl<'t> Seen<'t> {
    /// Whether the last of `keys`, to which only more are added from call to
    /// call, stands twice.
    fn repeats(&mut self, keys: &[Cow<'t, str>]) -> bool {
        for key in keys.get(self.upto..).unwrap_or_default() {
            self.is_repeated = !self.keys.insert(key.clone());
        }
        self.upto = keys.len();
        self.is_repeated
    }
}

fn path_of(frames: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in frames {
        match (frame.kind, frame.any_key()) {
            (Collection::Sequence, _) => {
                path.push_str(&format!("[{}]", frame.children.saturating_sub(1)));
            }
            (Collection::Mapping, Some(key)) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            (Collection::Mapping, None) => path.push('?'),
        }
    }
    path
}
