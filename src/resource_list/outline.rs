//! One text, read once: its documents, the resources in them, and the scalars
//! that carry a marker.
//!
//! A resource is a document, or an item of one whose kind ends in `List`
//! (`kubectl get -o yaml`, a ResourceList). Only identities and marked scalars
//! are kept, so a large list costs little more than its own text.

use memchr::memmem;

use crate::bind::marker;
use crate::yaml::walk::{Collection, Step, Value, Walk};
use crate::yaml::{ByteSpan, Place, Style, SyntaxError, comment, scalar};

/// What a text holds.
#[derive(Debug, Default)]
pub struct Outline<'t> {
    /// Its documents that are not empty, in order.
    pub documents: Vec<Document<'t>>,
    /// Comments that speak of `$imagepolicy` but stand beside no scalar.
    pub dead: Vec<DeadMarker>,
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
    pub sites: Vec<Site<'t>>,
}

/// A resource's bytes and identity.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// From its first byte to the end of its last token.
    pub span: ByteSpan,
    /// Where it begins.
    pub place: Place,
    /// `apiVersion`, empty where absent.
    pub api_version: String,
    /// `kind`, empty where absent.
    pub kind: String,
    /// `metadata.name`, empty where absent.
    pub name: String,
    /// `metadata.namespace`, empty where absent.
    pub namespace: String,
    /// The path and index that an orchestrator noted in the annotations.
    pub file: Option<FileAnnotation>,
    /// It has a `sops` mapping: its values are covered by a checksum.
    pub is_encrypted: bool,
    /// It carries the annotation that `kustomize build` gives its items.
    pub is_from_kustomize_build: bool,
}

/// `config.kubernetes.io/path` and `…/index`, or their internal twins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileAnnotation {
    /// The path; empty where only an index is noted.
    pub path: String,
    /// The index in the file.
    pub index: Option<u64>,
}

/// Where the parts of a ResourceList stand.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// The root mapping: written in braces, and its bytes.
    pub flow: bool,
    /// What the root is, where it is no scalar.
    pub root: Option<Collection>,
    /// `items`.
    pub items: Part,
    /// `results`.
    pub results: Part,
    /// `functionConfig`, with where it begins.
    pub function_config: Option<(ByteSpan, Place)>,
    /// What a ResourceList must not have, first come first.
    pub fault: Option<(Fault, Place)>,
}

/// What stands under a key of the envelope.
#[derive(Clone, Copy, Debug, Default)]
pub enum Part {
    /// There is no such key.
    #[default]
    Absent,
    /// A null; its bytes, empty behind the `:` where none are written.
    Null(ByteSpan),
    /// A sequence.
    List(List),
    /// Anything else.
    Other(Place),
}

impl Part {
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
pub enum Fault {
    /// A key of the envelope that stands twice.
    #[error("`{0}` stands twice")]
    RepeatedKey(String),
    /// A functionConfig that is no resource.
    #[error("`functionConfig` is no mapping")]
    ConfigIsNoMapping,
    /// An item that is no mapping.
    #[error("items[{0}] is no mapping")]
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
pub struct Site<'t> {
    /// The scalar.
    pub value: Value<'t>,
    /// The comment, from its `#`.
    pub comment: ByteSpan,
    /// The resource: an index into `items`, or the root.
    pub item: Option<usize>,
    /// Path from the resource's root.
    pub path: String,
    /// Whether Flux would come here: not under the second of two equal keys.
    pub is_reached: bool,
}

/// A comment that speaks of `$imagepolicy` and belongs to no scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadMarker {
    /// Its first `imagepolicy`.
    pub offset: usize,
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

    /// The resource that a site is in.
    #[must_use]
    pub fn object_of(&self, site: &Site<'_>) -> &Object {
        match site.item {
            Some(index) if self.is_list() => self.items.get(index).unwrap_or(&self.root),
            _ => &self.root,
        }
    }

    /// The path of a site from the root of [`Self::object_of`].
    #[must_use]
    pub fn path_of(&self, site: &Site<'_>) -> String {
        match site.item {
            Some(index) if !self.is_list() => format!("items[{index}].{}", site.path),
            _ => site.path.clone(),
        }
    }
}

/// Reads `text`.
///
/// # Errors
/// Where it is no YAML.
pub fn read(text: &str) -> Result<Outline<'_>, SyntaxError> {
    let mut reader = Reader {
        text,
        walk: Walk::new(text),
        mentions: memmem::find_iter(text.as_bytes(), marker::KEY_STEM).collect(),
        next_mention: 0,
        outline: Outline::default(),
        open: None,
        behind_key: 0,
    };
    while let Some(step) = reader.walk.step()? {
        reader.take(step);
    }
    reader.pass_mentions(text.len());
    Ok(reader.outline)
}

struct Reader<'t> {
    text: &'t str,
    walk: Walk<'t>,
    /// Where the text speaks of `imagepolicy`.
    mentions: Vec<usize>,
    /// The first of them that no token has passed.
    next_mention: usize,
    outline: Outline<'t>,
    open: Option<Document<'t>>,
    /// Behind the `:` of the key of the envelope's open sequence.
    behind_key: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, step: Step<'t>) {
        match step {
            Step::DocumentStart => {
                self.open = Some(Document {
                    root: Object::default(),
                    items: Vec::new(),
                    envelope: Envelope::default(),
                    sites: Vec::new(),
                });
            }
            Step::DocumentEnd(end) => {
                if let Some(mut document) = self.open.take()
                    && document.root.place.line > 0
                {
                    document.root.span.end = end.max(document.root.span.start);
                    self.outline.documents.push(document);
                }
            }
            Step::Enter(place) => self.enter(place),
            Step::Leave(kind, span) => self.leave(kind, span),
            Step::Alias(span, place) => self.part(Part::Other(place), span.start, place),
            Step::Value(value) => {
                self.scalar_part(&value);
                self.value(value);
            }
        }
    }

    fn enter(&mut self, place: Place) {
        let frames = self.walk.frames();
        let (Some(document), Some(frame)) = (&mut self.open, frames.last()) else {
            return;
        };
        let outer_key = frames.first().and_then(|root| root.key.as_deref());
        if frames.len() == 2
            && let Some(key) = outer_key.filter(|key| ENVELOPE_KEYS.contains(key))
            && self.walk.is_under_repeated_key()
        {
            let fault = (Fault::RepeatedKey(key.to_owned()), place);
            document.envelope.fault.get_or_insert(fault);
        }
        match frames.len() {
            1 => {
                document.root.span.start = frame.start;
                document.root.place = place;
                document.envelope.flow = frame.flow;
                document.envelope.root = Some(frame.kind);
            }
            2 if outer_key == Some("items") && frame.kind == Collection::Mapping => {
                document.envelope.items = Part::Other(place);
            }
            2 if outer_key == Some("results") && frame.kind == Collection::Mapping => {
                document.envelope.results = Part::Other(place);
            }
            2 if outer_key == Some("functionConfig") => {
                if frame.kind != Collection::Mapping {
                    let fault = (Fault::ConfigIsNoMapping, place);
                    document.envelope.fault.get_or_insert(fault);
                }
                document.envelope.function_config =
                    Some((ByteSpan::new(frame.start, frame.start), place));
            }
            2 if outer_key == Some("sops") && frame.kind == Collection::Mapping => {
                document.root.is_encrypted = true;
            }
            3 if outer_key == Some("items") && frames[1].kind == Collection::Sequence => {
                let index = frames[1].children - 1;
                if frame.kind != Collection::Mapping {
                    let fault = (Fault::ItemIsNoMapping(index), place);
                    document.envelope.fault.get_or_insert(fault);
                }
                // Items that are no mappings leave gaps that keep the indices.
                document.items.resize_with(index, Object::default);
                document.items.push(Object {
                    span: ByteSpan::new(frame.start, frame.start),
                    place,
                    ..Object::default()
                });
            }
            2 if matches!(outer_key, Some("items" | "results")) => {
                let colon = self.text[frame.after..].find(':').map_or(0, |at| at + 1);
                self.behind_key = frame.after + colon;
            }
            4 if outer_key == Some("items") && frames[2].key.as_deref() == Some("sops") => {
                if let Some(item) = document.items.last_mut() {
                    item.is_encrypted = true;
                }
            }
            _ => {}
        }
    }

    fn leave(&mut self, kind: Collection, span: ByteSpan) {
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        let outer_key = frames.first().and_then(|root| root.key.as_deref());
        match (frames.len(), outer_key) {
            (1, Some("functionConfig")) => {
                if let Some((open, _)) = &mut document.envelope.function_config {
                    open.end = span.end;
                }
            }
            (1, Some(key @ ("items" | "results"))) if kind == Collection::Sequence => {
                let flow = self.text[span.start..].starts_with('[');
                let list = Part::List(List {
                    span,
                    flow,
                    behind_key: self.behind_key,
                    is_empty: flow
                        && span
                            .of(self.text)
                            .trim_matches(['[', ']'])
                            .trim()
                            .is_empty(),
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
                }
            }
            _ => {}
        }
    }

    /// Notes what a scalar is to the envelope.
    fn scalar_part(&mut self, value: &Value<'t>) {
        let is_null = value.scalar.style == Style::Plain
            && value.scalar.tag.is_none()
            && matches!(&*value.scalar.value, "" | "~" | "null" | "Null" | "NULL");
        let part = if !is_null {
            Part::Other(value.place)
        } else if value.span.is_empty() {
            // Behind the `:`, wherever the parser says that nothing stands.
            let colon = self.text[value.after..].find(':').map_or(0, |at| at + 1);
            Part::Null(ByteSpan::new(value.after + colon, value.after + colon))
        } else {
            Part::Null(value.span)
        };
        self.part(part, value.span.start, value.place);
    }

    /// Notes a node that is no collection.
    fn part(&mut self, part: Part, start: usize, place: Place) {
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        let envelope = &mut document.envelope;
        match (frames.len(), frames.first().and_then(|f| f.key.as_deref())) {
            (0, _) if matches!(part, Part::Other(_)) => {
                document.root.place = place;
                document.root.span.start = start;
            }
            (1, Some(key)) if ENVELOPE_KEYS.contains(&key) => {
                if self.walk.is_under_repeated_key() {
                    let fault = Fault::RepeatedKey(key.to_owned());
                    envelope.fault.get_or_insert((fault, place));
                }
                match key {
                    "items" => envelope.items = part,
                    "results" => envelope.results = part,
                    "functionConfig" if matches!(part, Part::Other(_)) => {
                        let fault = (Fault::ConfigIsNoMapping, place);
                        envelope.fault.get_or_insert(fault);
                    }
                    _ => {}
                }
            }
            (2, Some("items")) if frames[1].kind == Collection::Sequence => {
                let fault = Fault::ItemIsNoMapping(frames[1].children - 1);
                envelope.fault.get_or_insert((fault, place));
            }
            _ => {}
        }
    }

    fn value(&mut self, value: Value<'t>) {
        self.identity(&value);
        if self.next_mention >= self.mentions.len() {
            return;
        }
        let token_end = self.marker_search_start(&value);
        let comment = comment::line_comment(self.text, token_end, value.position).or_else(|| {
            comment::head_comment(
                self.text,
                value.after,
                self.node_start(&value),
                value.position,
            )
        });
        if let Some(comment) = comment
            && self.speaks(comment)
            && scalar::is_written(self.text, &value)
        {
            self.pass_mentions(comment.start);
            self.skip_mentions(comment.end);
            self.site(value, comment);
        } else {
            // Whatever is said inside the scalar is text, not a comment.
            self.pass_mentions(value.span.start);
            self.skip_mentions(value.span.end);
        }
    }

    /// Where a comment behind the value would begin: after its header for a
    /// block scalar, else after its token.
    fn marker_search_start(&self, value: &Value<'_>) -> usize {
        scalar::block_header_of(self.text, value).map_or(value.span.end, |header| header.end)
    }

    fn node_start(&self, value: &Value<'_>) -> usize {
        scalar::block_header_of(self.text, value).map_or(value.span.start, |header| header.start)
    }

    fn speaks(&self, comment: ByteSpan) -> bool {
        let from = self.mentions.partition_point(|&at| at < comment.start);
        self.mentions.get(from).is_some_and(|&at| at < comment.end)
    }

    /// Leaves behind the mentions before `end`: they were in comments that
    /// belong to no scalar, or in keys.
    fn pass_mentions(&mut self, end: usize) {
        while let Some(&at) = self.mentions.get(self.next_mention).filter(|&&at| at < end) {
            self.next_mention += 1;
            let line = self.text[..at].rfind('\n').map_or(0, |n| n + 1);
            let before = &self.text[line..at];
            let in_comment = before
                .find('#')
                .is_some_and(|hash| before[hash..].contains('$'));
            if in_comment {
                self.outline.dead.push(DeadMarker { offset: at });
            }
        }
    }

    fn skip_mentions(&mut self, end: usize) {
        while self
            .mentions
            .get(self.next_mention)
            .is_some_and(|&at| at < end)
        {
            self.next_mention += 1;
        }
    }

    fn site(&mut self, value: Value<'t>, comment: ByteSpan) {
        let frames = self.walk.frames();
        let in_items = frames.len() > 2
            && frames[0].key.as_deref() == Some("items")
            && frames[1].kind == Collection::Sequence;
        let site = Site {
            value,
            comment,
            item: in_items.then(|| frames[1].children - 1),
            path: self.walk.path(if in_items { 2 } else { 0 }),
            is_reached: !self.walk.is_under_repeated_key(),
        };
        if let Some(document) = &mut self.open {
            if document.root.place.line == 0 {
                document.root.place = site.value.place;
                document.root.span.start = site.value.span.start;
            }
            document.sites.push(site);
        }
    }

    fn identity(&mut self, value: &Value<'t>) {
        let frames = self.walk.frames();
        let Some(document) = &mut self.open else {
            return;
        };
        let key = |index: usize| frames.get(index).and_then(|f| f.key.as_deref());
        let in_items = key(0) == Some("items") && frames.len() > 2;
        let (object, base) = if in_items {
            match document.items.last_mut() {
                Some(item) => (item, 2),
                None => return,
            }
        } else {
            (&mut document.root, 0)
        };
        let text = &value.scalar.value;
        match (frames.len() - base, key(base), key(base + 1), key(base + 2)) {
            (1, Some("apiVersion"), ..) => object.api_version = text.to_string(),
            (1, Some("kind"), ..) => object.kind = text.to_string(),
            (2, Some("metadata"), Some("name"), _) => object.name = text.to_string(),
            (2, Some("metadata"), Some("namespace"), _) => object.namespace = text.to_string(),
            (3, Some("metadata"), Some("annotations"), Some(annotation)) => {
                object.annotate(annotation, text);
            }
            _ => {}
        }
    }
}

impl Object {
    fn annotate(&mut self, annotation: &str, text: &str) {
        match annotation {
            "config.kubernetes.io/path" | "internal.config.kubernetes.io/path" => {
                text.clone_into(&mut self.file.get_or_insert_default().path);
            }
            "config.kubernetes.io/index" | "internal.config.kubernetes.io/index" => {
                self.file.get_or_insert_default().index = text.parse().ok();
            }
            "kustomize.config.k8s.io/id" => self.is_from_kustomize_build = true,
            _ => {}
        }
    }
}
