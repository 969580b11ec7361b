//! The story of one run of the function: a text in, the same text out, patched.
//!
//! The text is a ResourceList or a plain stream of documents. It is outlined once; its
//! documents, with those given, say which policies there are; the policies get images;
//! markers and images make the edits.

pub mod config;

use std::collections::{BTreeMap, BTreeSet};

use self::config::Settings;
use crate::api::{Bind, Emit, Id, ImageUpdateSpec, Kind, Mode};
use crate::binding::bindings::BindingContext;
use crate::binding::origin::Origins;
use crate::documents::builder::{Builder, DocumentText};
use crate::documents::{Documents, Provenance, Rank};
use crate::engine::{self, Learned, Run, SourceText, Whose};
use crate::finding::{Code, Finding, Location, Severity};
use crate::insight::RunFacts;
use crate::insight::lint::{self, Ignores, LintText, Texts, Untold};
use crate::insight::uses::{self, Carrier, Use};
use crate::plan::edits::Plan;
use crate::plan::outcome::Outcome;
use crate::plan::takers::Takers;
use crate::report::results::results;
use crate::resource_list::outline::EnvelopePart;
use crate::resource_list::{self, Document, Object, Outline, envelope, object, removal};
use crate::selection::registry_queries::{Ask, Query};
use crate::selection::resolve::{self, Refresh, Resolved, Sources};
use crate::selection::tags::Freshness;
use yaml_edit_spans::patch::{self, Patched};
use yaml_edit_spans::walk::Collection;

/// What the function was given besides its input.
pub struct FunctionOptions<'r> {
    /// Options of `--config`; those of the input where absent.
    pub config: Option<Settings>,
    /// Documents of `--policies`.
    pub documents: Builder,
    /// How old a snapshot may be.
    pub freshness: Freshness,
    /// What is asked anew.
    pub refresh: Refresh,
    /// Reads the files that a build's items come from, for `bind: Origin`: by
    /// the path of the item, and that of the functionConfig.
    pub read_origin: Option<&'r ReadOriginOf<'r>>,
}

/// Reads a file by its path as a build notes it, given what the build notes of
/// the functionConfig.
pub type ReadOriginOf<'r> = dyn Fn(&str, Option<&str>) -> Result<String, String> + Sync + 'r;

/// What the function has to say.
#[derive(Debug)]
pub struct Output<'t> {
    /// The text that goes to stdout: whole even where something failed.
    pub text: Patched<'t>,
    /// What happened.
    pub outcome: Outcome,
    /// Whether the run was only to judge (`mode: Check`).
    pub judges: bool,
    /// A bug of ours: two edits for the same bytes. The text is as it came in.
    pub bug: Option<patch::Overlap>,
}

/// Input that cannot be a ResourceList or a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// Nothing came in.
    #[error("stdin is empty: expected a ResourceList or a stream of YAML documents")]
    Empty,
    /// What came in is a text and no resource.
    #[error(
        "<stdin>:{0}: expected a ResourceList or a stream of resources, and found only a scalar"
    )]
    NoResource(yaml_edit_spans::Place),
    /// The text is not valid YAML, or calls itself a ResourceList and is none.
    #[error("<stdin>:{place}: {message}")]
    Fault {
        /// What is wrong.
        message: String,
        /// Where.
        place: yaml_edit_spans::Place,
    },
}

/// Runs the function on `text`. `ask` answers what only registries can tell.
///
/// # Errors
/// Where the input cannot be read at all; anything less comes back in the
/// output's findings.
pub fn run<'t>(
    text: &'t str,
    options: FunctionOptions<'_>,
    ask: Option<&mut Ask<'_>>,
) -> Result<Output<'t>, BadInput> {
    let outline = resource_list::read(text).map_err(|error| BadInput::Fault {
        message: error.message,
        place: error.place,
    })?;
    let list = resource_list(&outline)?;
    let mut builder = options.documents;
    let mut outcome = Outcome::default();
    let settings = options.config.unwrap_or_else(|| {
        let read = function_config(text, list, &mut builder);
        read.unwrap_or_else(|findings| {
            outcome.findings.extend(findings);
            Settings::default()
        })
    });
    let spec = &settings.spec;
    let (documents, found) = with_items(builder, text, &outline);
    // What was asked for is unknown where the options cannot be read, and
    // nothing is to be done where all is suspended.
    let is_misread = outcome.worst() == Some(Severity::Error);
    let ask = ask.filter(|_| !is_misread && !settings.is_suspended);
    let read_origin = |path: &str| match options.read_origin {
        Some(read) => read(path, settings.origin.as_deref()),
        None => Err("no file can be read here".to_owned()),
    };
    let origins = Origins::new(&read_origin);
    let context = BindingContext {
        origins: Some(&origins),
        ..engine::context(&settings.bindings, &documents)
    };
    let texts = [SourceText {
        name: "",
        text,
        outline: &outline,
    }];
    let (run, of_snapshots) = Run::start(&documents, &context, &texts, options.freshness);
    let (learned, asked) = run.learn(&query(spec, &options.refresh), Whose::Bound, ask);
    let selected = selection(&settings, &learned.images)
        .map_err(|finding| outcome.findings.push(*finding))
        .unwrap_or_default();
    // Without knowing what was asked for, nothing is changed.
    let is_misconfigured = outcome.worst() == Some(Severity::Error);
    let all = [found, of_snapshots, asked, of_checkouts(spec)];
    outcome.findings.extend(all.into_iter().flatten());
    let mut edits = Vec::new();
    if settings.is_suspended {
        outcome.findings.push(suspended());
    } else if !is_misconfigured {
        let run = (&learned, &documents);
        let is_bound;
        (is_bound, edits) = planned(run, &settings, selected.as_ref(), &texts[0], &mut outcome);
        // An error says more.
        if !is_bound && outcome.worst() != Some(Severity::Error) {
            outcome.findings.push(nothing_bound(&texts[0], spec.bind));
        }
    }
    let edits = finished(&texts[0], list, spec, edits, &mut outcome);
    Ok(Output::new(text, edits, outcome, spec.mode))
}

/// What the options ask of the policies.
fn query<'q>(spec: &'q ImageUpdateSpec, refresh: &'q Refresh) -> Query<'q> {
    Query {
        sources: Sources {
            tags_from: &spec.tags_from,
            refresh,
        },
        only: None,
        on_unresolved: spec.on_unresolved,
    }
}

/// The edits of the text, with those of its envelope; with `mode: Check` the latter
/// alone.
fn finished(
    text: &SourceText<'_>,
    list: Option<&Document<'_>>,
    spec: &ImageUpdateSpec,
    mut edits: Vec<patch::Edit>,
    outcome: &mut Outcome,
) -> Vec<patch::Edit> {
    if spec.mode == Mode::Check {
        edits.clear();
        judge(outcome);
    }
    with_envelope(text.text, list, spec, edits, outcome)
}

impl<'t> Output<'t> {
    /// What comes out; of a text whose edits overlap, the text as it is.
    fn new(text: &'t str, edits: Vec<patch::Edit>, outcome: Outcome, mode: Mode) -> Self {
        let (text, bug) = match Patched::new(text, edits) {
            Ok(text) => (text, None),
            Err(overlap) => (Patched::unchanged(text), Some(overlap)),
        };
        Self {
            text,
            outcome,
            judges: mode == Mode::Check,
            bug,
        }
    }
}

/// The documents of a run, with those of the text itself, and what was wrong with
/// them.
fn with_items(
    mut builder: Builder,
    text: &str,
    outline: &Outline<'_>,
) -> (Documents, Vec<Finding>) {
    let items = DocumentText {
        text,
        outline,
        provenance: Provenance::new("", Rank::Items),
    };
    builder.add(&[items]);
    if builder.needs_logins() {
        builder.add_logins(&items);
    }
    builder.finish()
}

/// What the text is to hold besides what its envelope gets, and whether anything is bound in
/// it. What is found goes into the outcome.
fn planned(
    (learned, documents): (&Learned<'_>, &Documents),
    settings: &Settings,
    selected: Option<&BTreeSet<Id>>,
    text: &SourceText<'_>,
    outcome: &mut Outcome,
) -> (bool, Vec<patch::Edit>) {
    let texts = [(0, Takers::one(selected))];
    let name_of = |_: Option<usize>| "the functionConfig".to_owned();
    let plans = learned.plan(&texts, settings.spec.on_unresolved, &name_of);
    let mut plan = plans.into_iter().next().unwrap_or_default();
    learned.close(&mut plan);
    if !settings.spec.lint {
        outcome.extend(plan.outcome);
        return (plan.bound > 0, plan.edits);
    }
    let uses = uses_of(learned, &plan, text);
    let run = facts(documents, learned, &uses);
    outcome.extend(plan.outcome);
    outcome.findings.extend(linted(run, text));
    silence(&mut outcome.findings, &run, text);
    lint::add_usual_hints(&mut outcome.findings);
    (plan.bound > 0, plan.edits)
}

/// That an option has no meaning here.
fn of_checkouts(spec: &ImageUpdateSpec) -> Vec<Finding> {
    let said = spec.of_checkouts().map(|option| {
        let message =
            format!("`{option}` counts in `.flux-image.yaml` alone, and not in functionConfig");
        Finding::warning(Code::UnknownField, message, Location::default())
    });
    said.into_iter().collect()
}

/// What rules find in the text; warnings at most, since a build is not to fail by them.
fn linted(run: RunFacts<'_>, text: &SourceText<'_>) -> Vec<Finding> {
    let texts = lint_texts(text);
    let mut findings = lint::lint(&lint::Subject { run, texts: &texts });
    findings.retain(|finding| finding.code != Code::CommentedMarker);
    for finding in &mut findings {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    findings
}

fn uses_of(learned: &Learned<'_>, plan: &Plan, text: &SourceText<'_>) -> Vec<Use> {
    let nobody = |_: &Id| Carrier::Nobody(Vec::new());
    let bindings = learned.bindings().first();
    let uses = bindings.map(|bindings| uses::of_text(text.name, bindings, plan, learned, &nobody));
    uses.unwrap_or_default()
}

fn facts<'k>(documents: &'k Documents, learned: &'k Learned<'_>, uses: &'k [Use]) -> RunFacts<'k> {
    RunFacts {
        cluster: None,
        documents,
        images: &learned.images,
        tags: learned.tags(),
        uses,
        owners: &[],
    }
}

fn lint_texts<'l>(text: &SourceText<'l>) -> Texts<'l> {
    Texts::of(std::iter::once((
        text.name,
        LintText {
            text: text.text,
            outline: Some(text.outline),
        },
    )))
}

/// Leaves out what a comment silences, whoever has found it; not what was left undone.
fn silence(findings: &mut Vec<Finding>, run: &RunFacts<'_>, text: &SourceText<'_>) {
    let mut untold = Untold::default();
    untold.note(run);
    let ignores = Ignores::of_comments(&lint_texts(text));
    let (kept, heard): (Vec<_>, Vec<_>) = std::mem::take(findings)
        .into_iter()
        .partition(|one| one.severity == Severity::Error || one.leaves_unjudged);
    let (left, _) = ignores.apply(heard, &untold, &str::to_owned);
    *findings = kept;
    findings.extend(left);
}

/// The edits with those of the envelope: items that leave, and the results.
fn with_envelope(
    text: &str,
    list: Option<&Document<'_>>,
    spec: &ImageUpdateSpec,
    mut edits: Vec<patch::Edit>,
    outcome: &mut Outcome,
) -> Vec<patch::Edit> {
    let Some(list) = list else {
        refuse_on_stream(spec, outcome);
        return edits;
    };
    let (gone, removals) = dropped(text, list, spec, outcome);
    // What goes is not edited before.
    edits.retain(|edit| !is_within(edit, &gone, list));
    edits.extend(removals);
    match envelope::add_results(text, list, &results(outcome)) {
        Ok(added) => edits.extend(added),
        // Nothing is changed that could not be told.
        Err(refusal) => {
            edits.clear();
            outcome.changes.clear();
            let hint = "write `results: []` without an anchor";
            let finding = refused(refusal.to_string(), list, "results").hint(hint);
            outcome.findings.push(finding);
        }
    }
    edits
}

/// Whether one of the items at `gone` (ascending) holds an edit.
fn is_within(edit: &patch::Edit, gone: &[usize], list: &Document<'_>) -> bool {
    let span = |index: usize| list.items[index].span;
    let after = gone.partition_point(|index| span(*index).start <= edit.span.start);
    after > 0 && span(gone[after - 1]).covers(edit.span)
}

fn refuse_on_stream(spec: &ImageUpdateSpec, outcome: &mut Outcome) {
    if spec.emit == Emit::None || !spec.keep_policies {
        let message =
            "`emit: None` and `keepPolicies: false` need a ResourceList; this is a plain stream";
        let finding = Finding::error(Code::BadDocument, message, Location::default());
        outcome.findings.push(finding);
    }
}

fn suspended() -> Finding {
    let message = "the ImageUpdateAutomation of functionConfig is suspended, so nothing is changed";
    Finding::info(Code::Suspended, message, Location::default())
}

/// The input's ResourceList, if that is what it is.
fn resource_list<'o, 't>(outline: &'o Outline<'t>) -> Result<Option<&'o Document<'t>>, BadInput> {
    let Some(first) = outline.documents.first() else {
        return Err(BadInput::Empty);
    };
    let is_resource = |document: &Document<'_>| document.envelope.root.is_some();
    if !outline.documents.iter().any(is_resource) {
        return Err(BadInput::NoResource(first.root.place));
    }
    let is_envelope = first.root.api_version.starts_with("config.kubernetes.io/");
    if first.root.kind != "ResourceList"
        && !(is_envelope && first.envelope.root == Some(Collection::Mapping))
    {
        return Ok(None);
    }
    let refuse = |place, message| Err(BadInput::Fault { message, place });
    if first.root.kind != "ResourceList" {
        let message = format!(
            "`{}` of `{}` is not a ResourceList",
            first.root.kind, first.root.api_version
        );
        return refuse(first.root.place, message);
    }
    let version = first
        .root
        .api_version
        .strip_prefix("config.kubernetes.io/")
        .unwrap_or_default();
    if !envelope::VERSIONS.contains(&version) {
        let message = format!(
            "ResourceList of unknown version `{}`; known are config.kubernetes.io/{}",
            first.root.api_version,
            envelope::VERSIONS.join(", ")
        );
        return refuse(first.root.place, message);
    }
    if let Some(second) = outline.documents.get(1) {
        let message = "a ResourceList must be the only document".to_owned();
        return refuse(second.root.place, message);
    }
    let parts = [
        ("items", first.envelope.items),
        ("results", first.envelope.results),
    ];
    for (key, part) in parts {
        if let EnvelopePart::Other(place) = part {
            return refuse(
                place,
                format!("`{key}` of the ResourceList is not a sequence"),
            );
        }
    }
    if let Some((fault, place)) = &first.envelope.fault {
        return refuse(*place, format!("{fault} in the ResourceList"));
    }
    Ok(Some(first))
}

fn function_config(
    text: &str,
    list: Option<&Document<'_>>,
    builder: &mut Builder,
) -> Result<Settings, Vec<Finding>> {
    let Some((span, place)) = list.and_then(|list| list.envelope.function_config) else {
        return Ok(Settings::default());
    };
    // Its identity is read by outlining it on its own, from its own column.
    let own = object::own_text(text, span, place);
    let object = resource_list::read(&own)
        .ok()
        .and_then(|outline| outline.documents.into_iter().next())
        .map(|document| Object {
            span,
            place,
            ..document.root
        })
        .unwrap_or_default();
    let noted = object.build.as_ref().and_then(|build| build.origin_path());
    let settings = config::read(text, &object, Provenance::new("", Rank::Config), builder)?;
    Ok(Settings {
        origin: noted.map(str::to_owned),
        ..settings
    })
}

/// The policies that the options select, `None` for all.
fn selection(
    settings: &Settings,
    images: &BTreeMap<Id, Resolved>,
) -> Result<Option<BTreeSet<Id>>, Box<Finding>> {
    let (selector, namespace) = (&settings.spec.policy_selector, &settings.namespace);
    if selector.is_none() && namespace.is_none() {
        return Ok(None);
    }
    let selected = resolve::select(
        resolve::in_namespace(images, namespace.as_deref()),
        selector.as_ref(),
    );
    selected.map(Some).map_err(|error| {
        let message = format!("policySelector is invalid: {error}");
        let finding = Finding::error(Code::BadDocument, message, Location::default());
        Box::new(finding.hint_if(error.hint()))
    })
}

/// Why nothing is bound, and what to do.
fn nothing_bound(text: &SourceText<'_>, bind: Bind) -> Finding {
    let outline = text.outline;
    const WAY_OUT: &str = "write `bind: Images` in the ImageUpdate to go by the images themselves, or have `flux-image annotate` turn markers into annotations, which survive";
    let finding = Finding::nothing_bound();
    match bind {
        Bind::Images => finding.hint(
            "no field has an image whose name is `spec.image` of an ImageRepository with a policy",
        ),
        _ if outline.objects().any(Object::is_from_kustomize_build) => finding.hint(format!(
            "`kustomize build` drops every comment, markers too: {WAY_OUT}"
        )),
        _ if !has_comment(text.text) && outline.objects().any(is_manifest) => finding.hint(format!(
            "the input has no comments; if whatever made it has dropped them, markers too: {WAY_OUT}"
        )),
        _ => finding,
    }
}

/// Whether a resource may carry markers: it is not a document of ours or Flux's,
/// and no list without items.
fn is_manifest(object: &Object) -> bool {
    Kind::of(object).is_none() && object.kind != "ResourceList"
}

fn has_comment(text: &str) -> bool {
    memchr::memchr_iter(b'#', text.as_bytes())
        .any(|at| at == 0 || text.as_bytes()[at - 1].is_ascii_whitespace())
}

/// With `mode: Check` what would change is a finding, and nothing changes.
fn judge(outcome: &mut Outcome) {
    outcome.judge();
    for change in std::mem::take(&mut outcome.changes) {
        let message = format!(
            "`{}` is outdated: policy `{}` has `{}`",
            change.old, change.setter, change.new
        );
        let mut finding = Finding::warning(Code::Outdated, message, change.location);
        finding.current = Some(change.old);
        finding.proposed = Some(change.new);
        outcome.findings.push(finding);
    }
}

/// The items that leave, and the edits that take them out: all with `emit: None`,
/// our own documents with `keepPolicies: false`; but none that has a file, since
/// kpt would delete it.
fn dropped(
    text: &str,
    list: &Document<'_>,
    spec: &ImageUpdateSpec,
    outcome: &mut Outcome,
) -> (Vec<usize>, Vec<patch::Edit>) {
    let is_ours = |&i: &usize| Kind::of(&list.items[i]).is_some_and(|kind| kind != Kind::Source);
    let all = 0..list.items.len();
    let (gone, option): (Vec<usize>, &str) = match (spec.emit, spec.keep_policies) {
        (Emit::None, _) => (all.collect(), "emit: None"),
        (_, false) => (all.filter(is_ours).collect(), "keepPolicies: false"),
        _ => return Default::default(),
    };
    // What a build hands over is written to no file, whatever it notes.
    let has_file = |&i: &usize| {
        let item = &list.items[i];
        let file = item
            .file
            .as_ref()
            .filter(|_| !item.is_from_kustomize_build());
        file.is_some_and(|file| !file.path.is_empty())
    };
    let why = if gone.iter().any(has_file) {
        "items come from files, which would be deleted with them".to_owned()
    } else {
        match removal::remove_items(text, list, &gone) {
            Ok(edits) => return (gone, edits),
            Err(refusal) => refusal.to_string(),
        }
    };
    let message = format!("`{option}` is refused: {why}");
    outcome.findings.push(refused(message, list, "items"));
    Default::default()
}

/// An error about a field of the ResourceList itself.
fn refused(message: String, list: &Document<'_>, field: &str) -> Finding {
    let place = list.root.place;
    let location = list.root.location("", place, field);
    Finding::error(Code::BadDocument, message, location)
}
