//! One text, read once: its documents, the resources in them, and the scalars
//! that carry a marker.
//!
//! A resource is a document, or an item of one whose kind ends in `List`
//! (`kubectl get -o yaml`, a ResourceList). Only identities and marked scalars
//! are kept, so a large list costs little more than its own text.

use std::borrow::Cow;

use super::concealed::{self, Concealed, Watch};
use super::gap::{self, Gap};
use super::mentions::{DeadMarker, Mentions};
use super::object::{BIND_ANNOTATION, BindAnnotation, Object};
use yaml_edit_spans::walk::{Collection, Step, Value, Walk, by_either};
use yaml_edit_spans::{ByteSpan, Place, Style, SyntaxError, comment, scalar};

/// What a text holds.
#[derive(Debug, Default)]
pub struct Outline<'t> {
    /// Its documents that are not empty, in order.
    pub documents: Vec<Document<'t>>,
    /// Comments that speak of `$imagepolicy` but stand beside no scalar.
    pub dead: Vec<DeadMarker>,
    /// The bytes of Secrets and encrypted documents.
    pub concealed: Concealed,
}

/// One document.
#[derive(Debug)]
pub struct Document<'t> {
    /// The resource that the whole document is.
    pub root: Object,
    /// The resources under `items`, if there is such a sequence.
    pub items: Vec<Object>,
    /// Where the collections of the envelope stand.
    pub envelope: Envelope,
    /// Scalars with a marker, in document order.
    pub marked: Vec<MarkedScalar<'t>>,
}

/// Where the parts of a ResourceList stand.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The root mapping: written in braces, and its bytes.
    pub flow: bool,
    /// Where the last token of a root in braces ends before the closing one.
    pub inner_end: usize,
    /// What the root is, where it is not a scalar.
    pub root: Option<Collection>,
    /// `items`.
    pub items: EnvelopePart,
    /// `results`.
    pub results: EnvelopePart,
    /// `functionConfig`, with where it begins.
    pub function_config: Option<(ByteSpan, Place)>,
    /// What a ResourceList must not have, first come first.
    pub fault: Option<(OutlineFault, Place)>,
}

/// What stands under a key of the envelope.
#[derive(Clone, Copy, Debug, Default)]
pub enum EnvelopePart {
    /// There is no such key.
    #[default]
    Absent,
    /// A null.
    Null(Null),
    /// A sequence.
    List(List),
    /// Anything else.
    Other(Place),
}

/// A null under a key of the envelope.
#[derive(Clone, Copy, Debug)]
pub struct Null {
    /// Its bytes; where none are written an empty stretch behind the `:` and the
    /// anchor.
    pub span: ByteSpan,
    /// Where its key ends.
    pub key_end: usize,
    /// Whether a `:` stands behind the key.
    pub has_colon: bool,
}

impl EnvelopePart {
    /// The sequence.
    #[must_use]
    pub fn list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}

/// What makes an envelope unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutlineFault {
    /// A key of the envelope that stands twice.
    #[error("`{0}` occurs twice")]
    RepeatedKey(String),
    /// A functionConfig that is not a resource.
    #[error("`functionConfig` is not a mapping")]
    ConfigIsNoMapping,
    /// An item that is not a mapping.
    #[error("items[{0}] is not a mapping")]
    ItemIsNoMapping(usize),
}

/// The keys of the envelope that may stand only once.
const ENVELOPE_KEYS: &[&str] = &["apiVersion", "kind", "items", "results", "functionConfig"];

/// A sequence of the envelope.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Its bytes.
    pub span: ByteSpan,
    /// Written in brackets.
    pub flow: bool,
    /// Behind the `:` of its key.
    pub behind_key: usize,
    /// It has no entries.
    pub is_empty: bool,
}

/// A scalar with the comment that belongs to it.
#[derive(Debug)]
pub struct MarkedScalar<'t> {
    /// The scalar.
    pub value: Value<'t>,
    /// What it reads as.
    pub text: Cow<'t, str>,
    /// Where it begins.
    pub place: Place,
    /// The comment, from its `#`.
    pub comment: ByteSpan,
    /// The resource: an index into `items`, or the root.
    pub item: Option<usize>,
    /// Path from the resource's root.
    pub path: String,
    /// Whether Flux would come here: not under the second of two equal keys.
    pub is_reached: bool,
}

impl Outline<'_> {
    /// All resources: each document, and the items of those that are lists.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.documents.iter().flat_map(|document| {
            let items = if document.is_list() {
                document.items.as_slice()
            } else {
                &[]
            };
            let root = (!document.is_list()).then_some(&document.root);
            root.into_iter().chain(items)
        })
    }
}

impl Document<'_> {
    /// Whether the items are resources of their own.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.envelope.items.list().is_some() && self.root.kind.ends_with("List")
    }

    fn add_item(&mut self, index: usize, start: usize, place: Place, dash: usize) {
        // Items that are not mappings leave gaps that keep the indices.
        self.items.resize_with(index, Object::default);
        self.items.push(Object {
            span: ByteSpan::new(start, start),
            place,
            dash,
            ..Object::default()
        });
    }

    /// A list that SOPS encrypted as a whole has one checksum for all items.
    fn seal_items(&mut self) {
        if self.root.is_encrypted {
            for item in &mut self.items {
                item.is_mac_only_encrypted = self.root.is_mac_only_encrypted
                    && (item.is_mac_only_encrypted || !item.is_encrypted);
                item.is_encrypted = true;
            }
        }
    }

    /// Says which of its resources nobody is to see; all of them where the
    /// whole is encrypted, or a list of Secrets.
    pub(super) fn conceal(&mut self, concealed: &mut Concealed) {
        if self.root.is_encrypted || self.root.kind == "SecretList" {
            concealed.add(self.root.span);
        }
        let items = self.items.iter_mut();
        for item in items {
            item.is_concealed = concealed.touches(item.span);
        }
        self.root.is_concealed = concealed.touches(self.root.span);
    }

    /// The resource that a marked scalar is in.
    #[must_use]
    pub fn object_of(&self, marked: &MarkedScalar<'_>) -> &Object {
        match marked.item {
            Some(index) if self.is_list() => self.items.get(index).unwrap_or(&self.root),
            _ => &self.root,
        }
    }

    /// The path of a marked scalar from the root of [`Self::object_of`].
    #[must_use]
    pub fn path_of<'s>(&self, marked: &'s MarkedScalar<'_>) -> Cow<'s, str> {
        match marked.item {
            Some(index) if !self.is_list() => format!("items[{index}].{}", marked.path).into(),
            _ => Cow::Borrowed(&marked.path),
        }
    }
}

/// Reads the whole of `text`, in one go.
pub(super) fn read_whole(text: &str) -> Result<Outline<'_>, SyntaxError> {
    let whole = ByteSpan::new(0, text.len());
    by_either(text, |walk| read_by(text, whole, walk))
}

/// Reads a chunk of `text` strictly: documents, or with `in_items` the items of
/// a list's `items`.
pub(super) fn read_chunk(
    text: &str,
    chunk: ByteSpan,
    in_items: bool,
) -> Result<Outline<'_>, SyntaxError> {
    let walk = if in_items {
        Walk::strict_items(text, chunk)
    } else {
        Walk::strict_chunk(text, chunk)
    };
    read_by(text, chunk, walk)
}

fn read_by<'t>(text: &'t str, chunk: ByteSpan, walk: Walk<'t>) -> Result<Outline<'t>, SyntaxError> {
    let mut reader = Reader {
        text,
        walk,
        mentions: Mentions::of(text, chunk),
        outline: Outline::default(),
        open: None,
        watch: Watch::default(),
        behind_key: 0,
    };
    while let Some(step) = reader.walk.step()? {
        reader.take(step);
    }
    reader.mentions.pass(chunk.end, &mut reader.outline.dead);
    Ok(reader.outline)
}

struct Reader<'t> {
    text: &'t str,
    walk: Walk<'t>,
    mentions: Mentions<'t>,
    outline: Outline<'t>,
    open: Option<Document<'t>>,
    watch: Watch,
    /// Behind the `:` of the key of the envelope's open sequence.
    behind_key: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, step: Step<'t>) {
        match step {
            Step::DocumentStart => {
                self.watch.clear();
                self.open = Some(Document {
                    root: Object::default(),
                    items: Vec::new(),
                    envelope: Envelope::default(),
                    marked: Vec::new(),
                });
            }
            Step::DocumentEnd(end) => {
                if let Some(mut document) = self.open.take()
                    && document.root.place.line > 0
                {
                    document.root.settle();
                    document.seal_items();
                    document.root.span.end = end.max(document.root.span.start);
                    document.conceal(&mut self.outline.concealed);
                    if self.outline.documents.is_empty() {
                        // Most texts have one, and there may be thousands.
                        self.outline.documents.reserve_exact(1);
                    }
                    self.outline.documents.push(document);
                }
            }
            Step::Enter => {
                self.watch.enter(self.walk.frames());
                self.enter();
            }
            Step::Leave(kind, span) => {
                if self.watch.leave(self.walk.frames()) {
                    self.outline.concealed.add(span);
                }
                self.leave(kind, span);
            }
            Step::Alias(span) => {
                self.watch.note(self.walk.frames(), true, || None);
                self.part(span, EnvelopePart::Other);
            }
            Step::Value(value) => {
                let text = || Some(value.scalar.value());
                self.watch.note(self.walk.frames(), false, text);
                if concealed::patches_secret(self.walk.frames(), text) {
                    self.outline.concealed.add(value.span);
                }
                // Only these are parts of an envelope.
                if self.walk.frames().len() < 3 {
                    self.scalar_part(&value);
                }
                self.identity(&value);
                self.value(value);
            }
        }
    }

    fn enter(&mut self) {
        let depth = self.walk.frames().len();
        if depth > 4 {
            return;
        }
        let start = self.walk.frames()[depth - 1].start;
        let place = self.walk.place(start);
        let is_repeated_part = depth == 2 && self.envelope_key().is_some_and(|(_, again)| again);
        let (dash, behind_colon) = (self.walk.dash(), self.walk.behind_colon());
        let frames = self.walk.frames();
        let (Some(document), Some(frame)) = (&mut self.open, frames.last()) else {
            return;
        };
        let outer_key = frames.first().and_then(|root| root.key.as_deref());
        let is_mapping = frame.kind == Collection::Mapping;
        let envelope = &mut document.envelope;
        let mut fault = |fault: OutlineFault| _ = envelope.fault.get_or_insert((fault, place));
        if is_repeated_part {
            fault(OutlineFault::RepeatedKey(
                outer_key.unwrap_or_default().to_owned(),
            ));
        }
        match (depth, outer_key) {
            (1, _) => {
                document.root.span.start = start;
                document.root.place = place;
                envelope.flow = frame.flow;
                envelope.root = Some(frame.kind);
            }
            (2, Some("items")) if is_mapping => envelope.items = EnvelopePart::Other(place),
            (2, Some("results")) if is_mapping => envelope.results = EnvelopePart::Other(place),
            (2, Some("items" | "results")) => {
                self.behind_key = behind_colon;
                if document.root.place.line == 0 {
                    // A chunk of a list, whose root is in another.
                    document.root.place = place;
                }
            }
            (2, Some("functionConfig")) => {
                if !is_mapping {
                    fault(OutlineFault::ConfigIsNoMapping);
                }
                envelope.function_config = Some((ByteSpan::new(start, start), place));
            }
            (2, Some("sops")) if is_mapping => document.root.note_sops(),
            (3, Some("items")) if frames[1].kind == Collection::Sequence => {
                let index = frames[1].children - 1;
                if !is_mapping {
                    fault(OutlineFault::ItemIsNoMapping(index));
                }
                document.add_item(index, start, place, dash);
            }
            (4, Some("items")) if frames[2].key.as_deref() == Some("sops") => {
                if let Some(item) = document.items.last_mut() {
                    item.note_sops();
                }
            }
            _ => {}
        }
    }

    /// The key of the envelope that the node at hand stands under, and whether
    /// it stands twice.
    fn envelope_key(&mut self) -> Option<(&'static str, bool)> {
        let key = self.walk.frames().first()?.key.as_deref()?;
        let key = ENVELOPE_KEYS.iter().find(|known| **known == key)?;
        Some((key, self.walk.is_under_repeated_key()))
    }

    fn leave(&mut self, kind: Collection, span: ByteSpan) {
        let inner_end = self.walk.inner_end();
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        if frames.len() > 2 {
            return;
        }
        let outer_key = frames.first().and_then(|root| root.key.as_deref());
        match (frames.len(), outer_key) {
            (0, _) if document.envelope.flow => document.envelope.inner_end = inner_end,
            (1, Some("functionConfig")) => {
                if let Some((open, _)) = &mut document.envelope.function_config {
                    open.end = span.end;
                }
            }
            (1, Some(key @ ("items" | "results"))) if kind == Collection::Sequence => {
                let flow = self.text[span.start..].starts_with('[');
                let has_entries = || {
                    let inside = Gap::read(self.text, span.start + 1, span.end - 1);
                    inner_end > span.start + 1 || inside.signs_end > span.start + 1
                };
                let list = EnvelopePart::List(List {
                    span,
                    flow,
                    behind_key: self.behind_key,
                    is_empty: flow && !has_entries(),
                });
                if key == "items" {
                    document.envelope.items = list;
                } else {
                    document.envelope.results = list;
                }
            }
            (2, Some("items")) if frames[1].kind == Collection::Sequence => {
                if let Some(item) = document.items.last_mut() {
                    item.span.end = span.end;
                    item.settle();
                    if item.is_encrypted {
                        self.outline.concealed.add(span);
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes what a scalar is to the envelope.
    fn scalar_part(&mut self, value: &Value<'t>) {
        let null = self.null(value);
        let span = value.span;
        let is_null = value.is_null(self.text);
        self.part(span, |place| {
            if is_null {
                EnvelopePart::Null(null)
            } else {
                EnvelopePart::Other(place)
            }
        });
    }

    /// A null, with where its list would have to stand.
    fn null(&self, value: &Value<'t>) -> Null {
        let (key_end, behind_colon) = (value.after, self.walk.behind_colon());
        let has_colon = behind_colon > key_end;
        let mut span = value.span;
        if span.is_empty() {
            // What it is written with may be an anchor, on the same line; one on
            // a later line is the next key's.
            let from = behind_colon.max(key_end);
            let start = value.scalar.start;
            let is_anchored = self
                .text
                .get(start..)
                .is_some_and(|rest| rest.starts_with('&'))
                && (from..=gap::end_of_line(self.text, from)).contains(&start);
            let at = if is_anchored {
                gap::property_end(self.text, start)
            } else {
                from
            };
            span = ByteSpan::new(at, at);
        }
        Null {
            span,
            key_end,
            has_colon,
        }
    }

    /// Notes a node that is not a collection.
    fn part(&mut self, span: ByteSpan, part: impl FnOnce(Place) -> EnvelopePart) {
        let place = self.walk.place(span.start);
        let part = part(place);
        let key = self.envelope_key();
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        let envelope = &mut document.envelope;
        match (frames.len(), key) {
            (0, _) if matches!(part, EnvelopePart::Other(_)) => {
                document.root.place = place;
                document.root.span.start = span.start;
            }
            (1, Some((key, again))) => {
                if again {
                    let fault = (OutlineFault::RepeatedKey(key.to_owned()), place);
                    envelope.fault.get_or_insert(fault);
                }
                match key {
                    "items" => envelope.items = part,
                    "results" => envelope.results = part,
                    "functionConfig" if matches!(part, EnvelopePart::Other(_)) => {
                        let fault = (OutlineFault::ConfigIsNoMapping, place);
                        envelope.fault.get_or_insert(fault);
                    }
                    _ => {}
                }
            }
            (2, Some(("items", _))) if frames[1].kind == Collection::Sequence => {
                let fault = OutlineFault::ItemIsNoMapping(frames[1].children - 1);
                envelope.fault.get_or_insert((fault, place));
            }
            _ => {}
        }
    }

    fn value(&mut self, value: Value<'t>) {
        // Where a comment behind the value would begin: a block scalar's stands
        // behind its header.
        let token_end = value
            .scalar
            .header()
            .map_or(value.span.end, |header| header.span.end);
        // What stands around a null that is written as nothing may be the next
        // item's.
        let is_far = self.mentions.is_far_from(token_end)
            && (self.mentions.is_done() || {
                let reach = comment::reach(self.text, token_end, value.position);
                self.mentions.is_far_from(reach)
            });
        if is_far || !scalar::is_written(&value) {
            return;
        }
        let comment = comment::of(self.text, &value, self.walk.ended_mappings());
        if let Some(comment) = comment
            && self.mentions.is_in(comment)
        {
            self.mentions.pass(comment.start, &mut self.outline.dead);
            self.mentions.skip(comment.end);
            self.mark(value, comment);
        } else {
            self.mentions.pass(value.span.start, &mut self.outline.dead);
            // Whatever is said inside the scalar is text, not a comment; on a line of a
            // block it looks like one.
            match value.scalar.header() {
                Some(_) => self.mentions.pass(value.span.end, &mut self.outline.dead),
                None => self.mentions.skip(value.span.end),
            }
        }
    }

    fn mark(&mut self, value: Value<'t>, comment: ByteSpan) {
        let start = value
            .scalar
            .header()
            .map_or(value.span.start, |h| h.span.start);
        let place = self.walk.place(start);
        let is_reached = !self.walk.is_under_repeated_key();
        let frames = self.walk.frames();
        let in_items = frames.len() > 2
            && frames[0].key.as_deref() == Some("items")
            && frames[1].kind == Collection::Sequence;
        let marked = MarkedScalar {
            text: value.scalar.value(),
            value,
            place,
            comment,
            item: in_items.then(|| frames[1].children - 1),
            path: self.walk.path(if in_items { 2 } else { 0 }),
            is_reached,
        };
        if let Some(document) = &mut self.open {
            if document.marked.is_empty() {
                // Most have one, and there may be thousands of texts.
                document.marked.reserve_exact(1);
            }
            document.marked.push(marked);
        }
    }

    fn identity(&mut self, value: &Value<'t>) {
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        let key = |index: usize| frames.get(index).and_then(|f| f.key.as_deref());
        let base = if frames.len() > 2 && key(0) == Some("items") {
            2
        } else {
            0
        };
        if frames.len() - base > 3 {
            return;
        }
        let object = match (base, document.items.last_mut()) {
            (0, _) => &mut document.root,
            (_, Some(item)) => item,
            (_, None) => return,
        };
        let is_null = value.is_null(self.text);
        let text = || match is_null {
            true => Cow::Borrowed(""),
            false => value.scalar.value(),
        };
        let is_bind =
            key(base + 1) == Some("annotations") && key(base + 2) == Some(BIND_ANNOTATION);
        if is_bind && frames.len() - base == 3 && key(base) == Some("metadata") {
            let header = value.scalar.header().map(|header| header.span.start);
            let place = self.walk.place(header.unwrap_or(value.span.start));
            let value = value.scalar.value().into_owned();
            object
                .bind
                .get_or_insert_with(|| Box::new(BindAnnotation { value, place }));
            return;
        }
        match (frames.len() - base, key(base), key(base + 1), key(base + 2)) {
            (1, Some("apiVersion"), ..) => object.api_version = text().into_owned(),
            (1, Some("kind"), ..) => object.kind = text().into_owned(),
            (2, Some("sops"), Some("mac_only_encrypted"), _) => {
                // What else go-yaml takes for a boolean, SOPS never writes.
                object.is_mac_only_encrypted = object.is_encrypted
                    && value.scalar.style == Style::Plain
                    && matches!(text().as_ref(), "true" | "True" | "TRUE");
            }
            (2, Some("metadata"), Some("name"), _) => object.name = text().into_owned(),
            (2, Some("metadata"), Some("namespace"), _) => object.namespace = text().into_owned(),
            (3, Some("metadata"), Some("annotations"), Some(annotation)) => {
                object.annotate(annotation, &text());
            }
            _ => {}
        }
    }
}
