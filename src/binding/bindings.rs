//! Every scalar of a text that belongs to a policy, and by what: a field of the
//! configuration, an annotation, a marker, or the image that it holds.
//!
//! Where several speak of one scalar, a field counts more than an annotation,
//! that more than a marker, and that more than the image. Only resources that a
//! field or an annotation speaks of are looked at as trees, or all for images;
//! with markers alone the outline tells everything.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Bind, Id, TargetSpec};
use crate::binding::annotation;
use crate::binding::image::{self, ImageFieldKind, ImageFieldRule};
use crate::binding::marker::{self, Comment, MarkerTarget};
use crate::binding::origin::{self, MarkedField, Origins};
use crate::binding::path::FieldPath;
use crate::finding::{Code, Finding, Location, Severity};
use crate::resource_list::{
    BIND_ANNOTATION, Concealed, Document, MASK, MarkedScalar, Object, Outline,
};
use yaml_edit_spans::tree::{self, Content, Node};
use yaml_edit_spans::walk::Value;
use yaml_edit_spans::{ByteSpan, Place, scalar, work};

/// How scalars are bound, as somebody asked for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingConfig {
    /// By which means.
    pub bind: Bind,
    /// Fields that the configuration binds.
    pub fields: Vec<FieldBinding>,
    /// Fields of images that it adds.
    pub image_fields: Vec<ImageFieldRule>,
}

/// How scalars are bound in a run.
pub struct BindingContext<'r> {
    /// As asked for.
    pub config: &'r BindingConfig,
    /// For images, the policies of each repository, by its canonical name.
    pub images: BTreeMap<String, Vec<Id>>,
    /// The configuration's fields, by what they target.
    pub(crate) targets: Targets<'r>,
    /// Reads the files that a build's items come from.
    pub origins: Option<&'r Origins<'r>>,
}

/// Numbers of the configuration's fields by kind, name and namespace of their
/// targets: there may be as many fields as resources.
pub(crate) struct Targets<'r> {
    fields: &'r [FieldBinding],
    by: BTreeMap<[Option<&'r str>; 3], Vec<usize>>,
}

impl<'r> Targets<'r> {
    fn of(fields: &'r [FieldBinding]) -> Self {
        let mut by: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (number, field) in fields.iter().enumerate() {
            let target = &field.target;
            let key = [&target.kind, &target.name, &target.namespace].map(Option::as_deref);
            by.entry(key).or_default().push(number);
        }
        Self { fields, by }
    }

    /// The fields of a resource, in their order.
    fn of_object(&self, object: &Object) -> Vec<usize> {
        let mut found = BTreeSet::new();
        if self.fields.is_empty() {
            return Vec::new();
        }
        let before = object.build.iter().flat_map(|build| build.previous());
        let now = (object.name.as_str(), object.namespace.as_str());
        for (name, namespace) in before.chain([now]) {
            let all = [object.kind.as_str(), name, namespace];
            // What a target leaves out does not matter.
            for left_out in 0_u32..8 {
                let named = |(bit, text): (u32, _)| (left_out >> bit & 1 == 0_u32).then_some(text);
                let [kind, name, namespace] = all;
                let key = [(0, kind), (1, name), (2, namespace)].map(named);
                let numbers = self.by.get(&key).map(Vec::as_slice).unwrap_or_default();
                work::count(1 + numbers.len());
                let selects = |number: &&usize| self.fields[**number].target.selects(object);
                found.extend(numbers.iter().filter(selects));
            }
        }
        found.into_iter().collect()
    }
}

/// A field that the configuration binds to a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldBinding {
    /// The resources.
    pub target: TargetSpec,
    /// The field in them.
    pub field: FieldPath,
    /// The policy: `namespace:name[:part]`.
    pub setter: String,
}

/// By what a scalar is bound, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingSource {
    /// `spec.bindings` of the configuration.
    Field,
    /// `flux-image.dev/bind`.
    Annotation,
    /// A marker.
    Marker,
    /// The image that it holds.
    Image,
}

impl BindingSource {
    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Field => "`spec.bindings`",
            Self::Annotation => "its annotation",
            Self::Marker => "its marker",
            Self::Image => "its image",
        }
    }
}

/// What a bound scalar belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyRef {
    /// What a marker or the like names, as `namespace:name[:part]`.
    Named(String),
    /// Whatever follows a repository, by its canonical name.
    Of(String, ImageFieldKind),
}

/// A scalar that belongs to a policy.
#[derive(Clone, Debug)]
pub struct Binding<'o, 't> {
    /// The scalar.
    pub value: Cow<'o, Value<'t>>,
    /// What it reads as.
    pub text: Cow<'o, str>,
    /// Where it begins.
    pub place: Place,
    /// Its path in the resource.
    pub field: Cow<'o, str>,
    /// The resource.
    pub object: &'o Object,
    /// The policy.
    pub policy: PolicyRef,
    /// By what.
    pub by: BindingSource,
    /// It stands in a Secret or an encrypted document.
    pub is_concealed: bool,
    /// What stands in the file whose marker counts, where that is another one.
    pub in_file: Option<String>,
}

impl Binding<'_, '_> {
    /// Where it is, in a file of this name.
    #[must_use]
    pub fn location(&self, file: &str) -> Location {
        (self.object).location(file, self.place, self.field.clone())
    }

    /// What it reads as, for people to see.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.is_concealed { MASK } else { &self.text }
    }

    /// A finding about it.
    #[must_use]
    pub fn finding(
        &self,
        file: &str,
        severity: Severity,
        code: Code,
        message: impl Into<String>,
    ) -> Finding {
        let mut finding = Finding::new(severity, code, message, self.location(file));
        finding.current = Some(self.shown().to_owned());
        finding
    }
}

/// What is bound in a text.
#[derive(Debug, Default)]
pub struct Bindings<'o, 't> {
    /// The scalars, each once, in the order of the text.
    pub bound: Vec<Binding<'o, 't>>,
    /// What is bound to nothing although it looks like it.
    pub findings: Vec<Finding>,
    /// Which of the configuration's fields found their resource.
    pub matched: BTreeSet<usize>,
}

impl BindingConfig {
    /// Whether any text needs more than a look at its markers.
    #[must_use]
    pub fn look_at_all(&self) -> bool {
        !self.fields.is_empty() || matches!(self.bind, Bind::Images | Bind::Origin)
    }

    /// Whether annotations count.
    fn read_annotations(&self) -> bool {
        self.bind != Bind::Markers
    }
}

impl<'r> BindingContext<'r> {
    /// The context of a run, with the policies of each repository by its canonical name.
    #[must_use]
    pub fn new(config: &'r BindingConfig, images: BTreeMap<String, Vec<Id>>) -> Self {
        Self {
            config,
            images,
            targets: Targets::of(&config.fields),
            origins: None,
        }
    }
}

impl Bindings<'_, '_> {
    /// The names of the policies.
    #[must_use]
    pub fn names(&self, context: &BindingContext<'_>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for bound in &self.bound {
            match &bound.policy {
                PolicyRef::Named(setter) => {
                    names.extend(MarkerTarget::parse(setter).map(|t| t.name))
                }
                PolicyRef::Of(repository, _) => {
                    let ids = context.images.get(repository).into_iter().flatten();
                    names.extend(ids.map(|id| id.name.clone()));
                }
            }
        }
        names
    }
}

/// Binds the scalars of a text. `file` is what findings call it; an item's own
/// path annotation goes before it.
#[must_use]
pub fn bind<'o, 't>(
    text: &'t str,
    outline: &'o Outline<'t>,
    file: &str,
    context: &BindingContext<'_>,
) -> Bindings<'o, 't> {
    let mut bindings = Bindings::default();
    bindings.markers(text, outline, file);
    let config = context.config;
    let annotated = || outline.objects().any(|object| object.bind.is_some());
    if config.look_at_all() || (config.read_annotations() && annotated()) {
        bindings.bind_trees(text, outline, file, context);
        bindings.resolve_conflicts(file);
    }
    bindings
}

/// Whether a comment, which begins a text, speaks of markers and is none: words stand before
/// the object, or its value is no name that a policy can have.
fn is_prose(text: &str) -> bool {
    /// What of a line is looked at: many markers may stand on one.
    const NEAR: usize = 300;
    let end = text
        .char_indices()
        .nth(NEAR)
        .map_or(text.len(), |(at, _)| at);
    let line = text[..end].lines().next().unwrap_or_default();
    let Some((before, object)) = line.split_once('{') else {
        return false;
    };
    if !before.trim_matches(['#', ' ', '\t']).is_empty() {
        return true;
    }
    let end = object.find('}').map_or(object.len(), |end| end + 1);
    let Comment::Marker(value) = marker::read(&format!("{{{}", &object[..end])) else {
        return false;
    };
    let is_name = |name: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '{' | '}');
        name.starts_with(ends) && name.ends_with(ends)
    };
    let target = MarkerTarget::parse(&value);
    target.is_some_and(|target| !is_name(&target.namespace) || !is_name(&target.name))
}

/// Whether the line at `offset` is in the text of a block: one of the lines that it is
/// indented from ends with the block's header.
fn is_in_block(text: &str, offset: usize) -> bool {
    /// What of a text is looked at, in bytes.
    const NEAR: usize = 4096;
    let mut from = offset.saturating_sub(NEAR);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines = text[from..offset].rsplit('\n');
    let mut own = lines.next().map_or(0, indent);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if own == 0 {
            break;
        }
        let outer = indent(line);
        if outer >= own {
            continue;
        }
        let code = line.split(" #").next().unwrap_or(line).trim_end();
        let last = code.rsplit(' ').next().unwrap_or_default();
        let rest = last.strip_prefix(['|', '>']);
        if rest.is_some_and(|rest| rest.bytes().all(|b| matches!(b, b'+' | b'-' | b'1'..=b'9'))) {
            return true;
        }
        own = outer;
    }
    false
}

/// Why a marker at `offset` of a text marks nothing, and what to do: told by what stands
/// before it on its line.
fn why_dead(text: &str, offset: usize) -> (&'static str, &'static str) {
    /// What of a line is looked at, in bytes: many markers may stand on one.
    const NEAR: usize = 300;
    let mut from = offset.saturating_sub(NEAR);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let near = &text[from..offset];
    let line = near.rsplit(['\n', '\r']).next().unwrap_or(near);
    let before = line.rfind('#').map_or(line, |hash| &line[..hash]).trim();
    let last = before.rsplit([' ', '\t']).next().unwrap_or_default();
    if is_in_block(text, offset) {
        (
            "it is part of the text of a block (`|` or `>`)",
            "Flux changes values as a whole: give this one a field of its own",
        )
    } else if before.ends_with([']', '}']) {
        (
            "it is behind a closing bracket, so it belongs to no value",
            "write the value that is to change on a line of its own, with the marker behind it",
        )
    } else if last.starts_with('*') {
        (
            "the value here is an alias",
            "put it behind the value that the alias stands for, at its anchor",
        )
    } else if before.is_empty() || before.ends_with(':') || before == "-" || last.starts_with('&') {
        (
            "it must be on the line of a scalar value",
            "put it behind the value that is to change, on the same line",
        )
    } else {
        (
            "it is part of the text of a block (`|` or `>`)",
            "Flux changes values as a whole: give this one a field of its own",
        )
    }
}

impl<'o, 't> Bindings<'o, 't> {
    fn markers(&mut self, text: &'t str, outline: &'o Outline<'t>, file: &str) {
        // Flux reads no file without the token, so an escaped spelling of the key
        // counts only beside an unescaped one.
        let is_live = text.contains(marker::TOKEN);
        let marked = outline.documents.iter().map(|one| one.marked.len());
        self.bound.reserve_exact(marked.sum());
        for document in &outline.documents {
            for marked in &document.marked {
                let is_concealed = outline.concealed.covers(marked.value.span);
                self.marker(text, (document, marked), file, is_live, is_concealed);
            }
        }
        let (mut at, mut place) = (0, Place::of(text.as_bytes(), 0));
        for dead in &outline.dead {
            let hash = text[at..dead.offset]
                .rfind('#')
                .map_or(at, |hash| at + hash);
            if is_prose(&text[hash..]) {
                continue;
            }
            place = place.further(&text.as_bytes()[at..hash]);
            at = hash;
            let (why, hint) = why_dead(text, dead.offset);
            let message = format!("this marker stands where no marker works: {why}");
            let finding = Finding::warning(Code::DeadMarker, message, Location::new(file, place));
            self.findings.push(finding.hint(hint));
        }
    }

    fn marker(
        &mut self,
        text: &str,
        (document, marked): (&'o Document<'t>, &'o MarkedScalar<'t>),
        file: &str,
        is_live: bool,
        is_concealed: bool,
    ) {
        let comment = marker::read(marked.comment.of(text));
        let setter = match &comment {
            Comment::Other => return,
            Comment::Broken(_) => String::new(),
            Comment::Marker(setter) => setter.clone(),
        };
        let bound = Binding {
            value: Cow::Borrowed(&marked.value),
            text: Cow::Borrowed(&marked.text),
            place: marked.place,
            field: document.path_of(marked),
            object: document.object_of(marked),
            policy: PolicyRef::Named(setter),
            by: BindingSource::Marker,
            in_file: None,
            is_concealed,
        };
        let warn = |code: Code, why: &str| {
            let message = format!("this marker does nothing: {why}");
            bound.finding(file, Severity::Warning, code, message)
        };
        if let Comment::Broken(fault) = comment {
            let finding = warn(Code::BrokenMarker, &fault.to_string());
            self.findings.push(finding.hint("write `# {\"$imagepolicy\": \"namespace:name\"}`, with `:tag`, `:name` or `:digest` after the name for a part"));
        } else if !is_live {
            self.findings
                .push(warn(Code::DeadMarker, "its key is written with escapes"));
        } else if !marked.is_reached {
            self.findings.push(warn(
                Code::DeadMarker,
                "the key occurs twice in its mapping",
            ));
        } else {
            self.bound.push(bound);
        }
    }

    /// What only a tree of the resource tells.
    fn bind_trees(
        &mut self,
        text: &'t str,
        outline: &'o Outline<'t>,
        file: &str,
        context: &BindingContext<'_>,
    ) {
        let mut candidates: BTreeMap<usize, TreeCandidate<'o>> = BTreeMap::new();
        for object in outline.objects() {
            let fields = context.targets.of_object(object);
            self.matched.extend(&fields);
            let annotation = object
                .bind
                .as_deref()
                .filter(|_| context.config.read_annotations());
            let has_images = context.config.bind == Bind::Images && !context.images.is_empty();
            let has_origin =
                context.config.bind == Bind::Origin && object.is_from_kustomize_build();
            if !fields.is_empty() || annotation.is_some() || has_images || has_origin {
                candidates.insert(object.span.start, TreeCandidate { object, fields });
            }
        }
        if candidates.is_empty() {
            return;
        }
        let starts: BTreeSet<usize> = candidates.keys().copied().collect();
        let bound = tree::build_trees(
            text,
            &starts,
            |bound: &mut TreeBindings<'o, 't>, start, root| {
                let Some(candidate) = candidates.get(&start) else {
                    return;
                };
                let mut binder = TreeBinder {
                    root,
                    object: candidate.object,
                    concealed: &outline.concealed,
                    file,
                    bound,
                };
                binder.fields(candidate, context);
                binder.annotation(context);
                binder.images(context);
                binder.origin(context);
            },
        );
        // The outline was read from the same text, so there is no error left.
        let bound = bound.unwrap_or_default();
        self.bound.extend(bound.found);
        self.findings.extend(bound.findings);
        let faults = bound.faults.into_iter().map(origin_finding);
        self.findings.extend(faults);
    }

    /// Leaves of several bindings of one scalar the strongest.
    fn resolve_conflicts(&mut self, file: &str) {
        let mut all = std::mem::take(&mut self.bound);
        all.sort_by_key(|bound| (scalar_of(bound), bound.by));
        for bound in all {
            let Some(stronger) = self
                .bound
                .last()
                .filter(|last| scalar_of(last) == scalar_of(&bound))
            else {
                self.bound.push(bound);
                continue;
            };
            if bound.by == BindingSource::Image || stronger.policy == bound.policy {
                continue;
            }
            let name = |bound: &Binding<'_, '_>| match &bound.policy {
                PolicyRef::Named(setter) => setter.clone(),
                PolicyRef::Of(repository, _) => repository.clone(),
            };
            let message = format!(
                "{} binds this to `{}`, and {} to `{}`: the first counts",
                stronger.by.word(),
                name(stronger),
                bound.by.word(),
                name(&bound)
            );
            let code = Code::ConflictingBindings;
            let finding = bound.finding(file, Severity::Warning, code, message);
            self.findings.push(finding);
        }
    }
}

/// What tells one scalar from another.
fn scalar_of(bound: &Binding<'_, '_>) -> ByteSpan {
    bound.value.span
}

/// A resource to be looked at as a tree.
struct TreeCandidate<'o> {
    object: &'o Object,
    /// Which of the configuration's fields are for it.
    fields: Vec<usize>,
}

/// Binds the scalars of one resource.
struct TreeBinder<'l, 'o, 't> {
    root: &'l Node<'t>,
    object: &'o Object,
    concealed: &'l Concealed,
    file: &'l str,
    bound: &'l mut TreeBindings<'o, 't>,
}

/// What is bound in the trees of resources.
#[derive(Default)]
struct TreeBindings<'o, 't> {
    found: Vec<Binding<'o, 't>>,
    findings: Vec<Finding>,
    faults: Faults,
}

/// What stands in the way of `bind: Origin`: the first resource, and how many.
type Faults = BTreeMap<origin::OriginFault, (Location, usize)>;

fn origin_finding((fault, (location, count)): (origin::OriginFault, (Location, usize))) -> Finding {
    let others = match count {
        1 => String::new(),
        _ => format!(", nor in {} more resources", count - 1),
    };
    let message = format!("`bind: Origin` finds no markers here{others}: {fault}");
    let finding = Finding::warning(Code::BadBinding, message, location);
    finding.hint(fault.hint())
}

impl<'o, 't> TreeBinder<'_, 'o, 't> {
    fn fields(&mut self, candidate: &TreeCandidate<'o>, context: &BindingContext<'_>) {
        for number in &candidate.fields {
            let binding = &context.config.fields[*number];
            let what = format!("spec.bindings[{number}]");
            self.path(
                &binding.field,
                &binding.setter,
                BindingSource::Field,
                &what,
                self.object.place,
            );
        }
    }

    fn annotation(&mut self, context: &BindingContext<'_>) {
        let Some(annotation) = self
            .object
            .bind
            .as_deref()
            .filter(|_| context.config.read_annotations())
        else {
            return;
        };
        match annotation::read(&annotation.value) {
            Ok(fields) => {
                for (field, setter) in fields {
                    self.path(
                        &field,
                        &setter,
                        BindingSource::Annotation,
                        BIND_ANNOTATION,
                        annotation.place,
                    );
                }
            }
            Err(fault) => {
                let message = format!("`{BIND_ANNOTATION}` binds nothing: {fault}");
                let path = format!("metadata.annotations.{BIND_ANNOTATION}");
                let location = self.object.location(self.file, annotation.place, path);
                let finding = Finding::error(Code::BadBinding, message, location);
                self.bound.findings.push(finding.hint("write `flux-image.dev/bind: '{\"spec.template.spec.containers.[name=app].image\": \"namespace:name\"}'`"));
            }
        }
    }

    fn images(&mut self, context: &BindingContext<'_>) {
        if context.config.bind != Bind::Images {
            return;
        }
        let is_wanted = |repository: &str| context.images.contains_key(repository);
        for field in image::fields_of(self.root, &context.config.image_fields, &is_wanted) {
            let policy = PolicyRef::Of(field.repository, field.holds);
            self.add(field.node, field.path, policy, BindingSource::Image);
        }
    }

    fn origin(&mut self, context: &BindingContext<'_>) {
        let (Bind::Origin, Some(build), Some(origins)) =
            (context.config.bind, &self.object.build, context.origins)
        else {
            return;
        };
        match origins.fields(self.object, build) {
            Ok(fields) => {
                for MarkedField {
                    path,
                    setter,
                    value,
                    ..
                } in fields
                {
                    let what = "a marker of the file that this is built from";
                    let (before, by) = (self.bound.found.len(), BindingSource::Marker);
                    self.path(&path, &setter, by, what, self.object.place);
                    for bound in &mut self.bound.found[before..] {
                        bound.in_file = Some(value.clone());
                    }
                }
            }
            Err(fault) => {
                let place = self.object.place;
                let location = self.object.location(self.file, place, "");
                let seen = self.bound.faults.entry(fault).or_insert((location, 0));
                seen.1 += 1;
            }
        }
    }

    /// Binds what a path leads to. `what` names the path, which stands at `place`.
    fn path(
        &mut self,
        field: &FieldPath,
        setter: &str,
        by: BindingSource,
        what: &str,
        place: Place,
    ) {
        let fault = |path: String, why: String| {
            let message = format!("{what} binds nothing at `{field}`: {why}");
            let location = self.object.location(self.file, place, path);
            Finding::warning(Code::BadBinding, message, location)
        };
        let found = match field.find(self.root) {
            Ok(found) => found,
            Err(missing) => {
                let finding = fault(String::new(), missing.to_string());
                self.bound.findings.push(finding);
                return;
            }
        };
        for found in found {
            let why = match &found.node.content {
                Content::Scalar(value) if scalar::is_written(value) => {
                    let policy = PolicyRef::Named(setter.to_owned());
                    self.add(found.node, found.path, policy, by);
                    continue;
                }
                Content::Scalar(_) => "nothing is written there",
                Content::Alias => "an alias stands there; bind the value at its anchor",
                Content::Mapping(_) => "it is a mapping; name a field in it, as `.tag`",
                Content::Sequence(_) => {
                    "it is a list; name elements of it, as `.[name=app]`, `.0` or `.*`"
                }
            };
            let finding = fault(found.path, why.to_owned());
            self.bound.findings.push(finding);
        }
    }

    fn add(&mut self, node: &Node<'t>, path: String, policy: PolicyRef, by: BindingSource) {
        let Some(value) = node.scalar().filter(|value| scalar::is_written(value)) else {
            return;
        };
        self.bound.found.push(Binding {
            text: value.scalar.value().into_owned().into(),
            value: Cow::Owned(value.clone()),
            place: node.place,
            field: path.into(),
            object: self.object,
            policy,
            by,
            is_concealed: self.concealed.covers(value.span),
            in_file: None,
        });
    }
}

/// Fields of the configuration whose resource is nowhere.
pub fn report_unmatched(fields: &[FieldBinding], matched: &BTreeSet<usize>) -> Vec<Finding> {
    let all = fields.iter().enumerate();
    let unmatched = all.filter(|(number, _)| !matched.contains(number));
    let one = |(number, binding): (usize, &FieldBinding)| {
        let message = format!(
            "spec.bindings[{number}] binds nothing: there is no resource of {}",
            binding.target
        );
        Finding::warning(Code::BadBinding, message, Location::default())
    };
    unmatched.map(one).collect()
}
