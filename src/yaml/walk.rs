//! A text as steps through its structure: each event with the path to it.
//!
//! The walk holds one frame for each open collection and nothing else, so a
//! text of any size is read in little memory.

use std::borrow::Cow;

use super::comment::Position;
use super::{ByteSpan, Event, EventKind, Events, Place, Scalar, Style, SyntaxError};

/// An open collection.
#[derive(Debug)]
pub struct Frame<'t> {
    /// Mapping or sequence.
    pub kind: Collection,
    /// Written with brackets or braces.
    pub flow: bool,
    /// Where it begins.
    pub start: usize,
    /// Where the token before it ends.
    pub after: usize,
    /// Column of its first entry, from 1.
    pub column: usize,
    /// In a mapping the key at hand, `None` before the first and for a key
    /// that is no scalar.
    pub key: Option<Cow<'t, str>>,
    /// Children that have begun: the index of the child at hand is one less.
    pub children: usize,
    /// Keys met so far.
    keys: Vec<Cow<'t, str>>,
    expects_key: bool,
    /// The collection is itself a key, or part of one.
    inside_key: bool,
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
    Enter(Place),
    /// A collection ends: what it was and its bytes.
    Leave(Collection, ByteSpan),
    /// A scalar that is no key.
    Value(Value<'t>),
    /// An alias that is no key, and where it begins.
    Alias(ByteSpan, Place),
}

/// A scalar in the position of a value.
#[derive(Debug)]
pub struct Value<'t> {
    /// As read.
    pub scalar: Scalar<'t>,
    /// Bytes of its token; for a block scalar those of its content.
    pub span: ByteSpan,
    /// Where it begins.
    pub place: Place,
    /// Where the token before it ends.
    pub after: usize,
    /// What it is to the collection around it.
    pub position: Position,
}

/// A walk through a text.
pub struct Walk<'t> {
    text: &'t str,
    events: Events<'t>,
    frames: Vec<Frame<'t>>,
    after: usize,
    /// End of the last token that is more than white space.
    content_end: usize,
}

impl<'t> Walk<'t> {
    /// Begins at the top of `text`.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            events: Events::new(text),
            frames: Vec::new(),
            after: 0,
            content_end: 0,
        }
    }

    /// The open collections, outermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame<'t>] {
        &self.frames
    }

    /// Whether a key on the way to the place at hand stands earlier in the
    /// same mapping: Flux never visits what is under the second of two equal
    /// keys.
    #[must_use]
    pub fn is_under_repeated_key(&self) -> bool {
        self.frames
            .iter()
            .any(|frame| match (&frame.key, frame.keys.split_last()) {
                (Some(key), Some((_, earlier))) if frame.kind == Collection::Mapping => {
                    earlier.contains(key)
                }
                _ => false,
            })
    }

    /// The next step, `None` at the end of the text.
    ///
    /// # Errors
    /// Where the text is no YAML.
    pub fn step(&mut self) -> Result<Option<Step<'t>>, SyntaxError> {
        while let Some(event) = self.events.next() {
            let event = event?;
            let after = self.after;
            self.pass(&event);
            if let Some(step) = self.take(event, after) {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Moves the ends of what was read. The bytes of a block scalar run on to
    /// the next token: its last line that is not blank is where it ends for
    /// comments, its last line break is where its content does.
    fn pass(&mut self, event: &Event<'t>) {
        if event.span.is_empty() {
            return;
        }
        self.after = event.span.end;
        if !matches!(
            event.kind,
            EventKind::DocumentStart | EventKind::DocumentEnd
        ) {
            self.content_end = event.span.end;
        }
        if let EventKind::Scalar(scalar) = &event.kind
            && matches!(scalar.style, Style::Literal | Style::Folded)
        {
            let raw = event.span.of(self.text);
            self.after = event.span.start + raw.trim_end_matches([' ', '\t', '\r', '\n']).len();
            self.content_end = event.span.start + raw.rfind('\n').map_or(raw.len(), |at| at + 1);
        }
    }

    fn take(&mut self, event: Event<'t>, after: usize) -> Option<Step<'t>> {
        match event.kind {
            EventKind::DocumentStart => {
                self.frames.clear();
                Some(Step::DocumentStart)
            }
            EventKind::DocumentEnd => Some(Step::DocumentEnd(self.content_end)),
            EventKind::MappingStart(flow) => self.enter(Collection::Mapping, flow, &event, after),
            EventKind::SequenceStart(flow) => self.enter(Collection::Sequence, flow, &event, after),
            EventKind::MappingEnd | EventKind::SequenceEnd => self.leave(event.span),
            EventKind::Alias => self
                .begin_child(None)
                .then_some(Step::Alias(event.span, event.place)),
            EventKind::Scalar(scalar) => {
                let position = self.position();
                self.begin_child(Some(&scalar))
                    .then_some(Step::Value(Value {
                        scalar,
                        span: event.span,
                        place: event.place,
                        after,
                        position,
                    }))
            }
        }
    }

    fn enter(
        &mut self,
        kind: Collection,
        flow: bool,
        event: &Event<'t>,
        after: usize,
    ) -> Option<Step<'t>> {
        let inside_key = !self.begin_child(None);
        self.frames.push(Frame {
            kind,
            flow,
            start: event.span.start,
            after,
            column: event.place.column,
            key: None,
            children: 0,
            keys: Vec::new(),
            expects_key: kind == Collection::Mapping,
            inside_key,
        });
        (!inside_key).then_some(Step::Enter(event.place))
    }

    fn leave(&mut self, end: ByteSpan) -> Option<Step<'t>> {
        let frame = self.frames.pop()?;
        // A block collection ends where its last token does.
        let end = if frame.flow {
            end.end
        } else {
            self.content_end.max(frame.start)
        };
        (!frame.inside_key).then_some(Step::Leave(frame.kind, ByteSpan::new(frame.start, end)))
    }

    /// Counts a node in the collection around it; `false` for a key and for
    /// all that is inside one.
    fn begin_child(&mut self, scalar: Option<&Scalar<'t>>) -> bool {
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
            frame.key = scalar.map(|scalar| scalar.value.clone());
            frame.keys.extend(frame.key.clone());
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
                (Collection::Sequence, false) => Position::BlockItem {
                    first: frame.children == 0,
                },
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

fn path_of(frames: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in frames {
        match (frame.kind, &frame.key) {
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
