//! `flux-image suggest`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use schemars::JsonSchema;
use serde::Serialize;

use super::Exit;
use super::args::{DocumentArgs, SuggestArgs, TextOrJson};
use super::function::freshness;
use super::network::{self, Asker, Caller};
use super::options_file::OptionsFile;
use super::streams::{print, print_diff, print_styled, say, say_findings};
use super::{edit, given, scan};
use crate::api::{Bind, Id, ImageRepository, TagSource};
use crate::binding::bindings::BindingConfig;
use crate::checkout::git::Repositories;
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::{self, BoundIn, Request};
use crate::documents::{Documents, Rank, Sourced};
use crate::finding::{Code, Finding, Location};
use crate::foreign::json_pretty;
use crate::insight::explain::tags_of;
use crate::insight::given_tags;
use crate::insight::suggest::{self, Candidate, Suggestion};
use crate::insight::trial::Trial;
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::plan::planned::Replacement;
use crate::report;
use crate::selection::registry_queries::Ask;
use crate::selection::tags::{Answer, Question, TagBook};
use oci_tags::image::Repository;

/// What `-o json` prints.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Suggestions {
    /// `flux-image.dev/v1alpha1`
    api_version: String,
    /// `Suggestions`
    kind: String,
    /// One for each image and scheme of tags.
    items: Vec<Suggestion>,
}

/// Writes policies for images that have none.
pub(super) fn run(args: &SuggestArgs) -> anyhow::Result<Exit> {
    let subject = subject(args)?;
    let writes = args.write.is_some() && !args.diff;
    let lock = writes.then(|| edit::lock(&[])).transpose()?;
    let repositories = Repositories::default();
    let mut asker = Asker::new(&args.registries, Caller::Person, Default::default());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let mut made = Made::default();
    let request = request(args, &subject, &repositories)?;
    let given = given_tags(args)?;
    let options = OptionsFile::read(&repositories)?;
    let none = Trial::default();
    let about = Subject {
        only: None,
        trial: &none,
    };
    let mut is_first = true;
    checkout::with(&request, &repositories, BoundIn::Reach, |checkout| {
        // Several clusters have the same files.
        if !std::mem::take(&mut is_first) {
            return;
        }
        let surveyed = survey::of(checkout, (&request, &repositories), about, None);
        made.make(
            &surveyed,
            &subject.image,
            &options,
            given.as_deref(),
            &mut ask,
        );
        if let Some(folder) = &args.write {
            made.write(&surveyed, folder, &args.namespace);
        }
    })?;
    say_findings(&made.outcome.findings);
    if let Some(folder) = &args.write {
        if args.diff {
            print_diff(&made.replacements)?;
        }
        if let Some(lock) = &lock
            && write(&made, folder, lock)?.is_none()
        {
            return Ok(Exit::Interrupted);
        }
        say(made.summary(writes));
    } else {
        show(args, &made.all)?;
    }
    Ok(Exit::of(&made.outcome, false, false))
}

fn request(
    args: &SuggestArgs,
    subject: &Wanted,
    repositories: &Repositories,
) -> anyhow::Result<Request> {
    let documents = DocumentArgs {
        paths: subject.paths.clone(),
        policies: args.policies.clone(),
        clusters: args.clusters.clone(),
    };
    let freshness = freshness(args.max_age);
    Ok(Request {
        // What every file holds is looked at.
        bindings: BindingConfig {
            bind: Bind::Images,
            ..BindingConfig::default()
        },
        tags_from: vec![TagSource::Snapshot],
        ..scan::request(&documents, &args.registries, freshness, repositories)?
    })
}

/// What suggestions are for: an image, or what is in files.
struct Wanted {
    image: Option<Candidate>,
    paths: Vec<PathBuf>,
}

fn subject(args: &SuggestArgs) -> anyhow::Result<Wanted> {
    let Some(subject) = &args.subject else {
        return Ok(Wanted {
            image: None,
            paths: Vec::new(),
        });
    };
    if Path::new(subject).exists() {
        return Ok(Wanted {
            image: None,
            paths: vec![subject.into()],
        });
    }
    let image = suggest::named(subject);
    let image = image.with_context(|| format!("`{subject}` is no file, and no image"))?;
    if args.write.is_some() {
        bail!("`--write` marks the values of files: name a PATH, or none for the whole repository");
    }
    Ok(Wanted {
        image: Some(image),
        paths: Vec::new(),
    })
}

fn given_tags(args: &SuggestArgs) -> anyhow::Result<Option<Vec<String>>> {
    let Some(path) = &args.tags else {
        return Ok(None);
    };
    let (name, text) = given::text(path)?;
    let tags = given_tags::parse(&text).with_context(|| format!("`--tags` {name}"))?;
    Ok(Some(tags))
}

/// What was made.
#[derive(Default)]
struct Made {
    all: Vec<Suggestion>,
    outcome: Outcome,
    replacements: Vec<Replacement>,
    /// New files, by the names that `resources` has.
    files: BTreeMap<String, String>,
    marked: usize,
}

impl Made {
    fn make(
        &mut self,
        surveyed: &Surveyed<'_>,
        image: &Option<Candidate>,
        options: &OptionsFile,
        given: Option<&[String]>,
        ask: &mut Ask<'_>,
    ) {
        let candidates = match image {
            Some(image) => vec![image.clone()],
            None => candidates(surveyed),
        };
        let today = network::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let is_wanted =
            |one: &Candidate| !options.is_excluded(&one.image, &one.location.file, today);
        let candidates = candidates.into_iter().filter(is_wanted).collect();
        let groups = suggest::group(candidates);
        let mut documents = surveyed.documents.clone();
        let images = repositories(&mut documents, &groups);
        let mut book = surveyed.learned.tags().clone();
        if given.is_none() {
            let findings = learn(&documents, &images, &mut book, ask);
            self.outcome.findings.extend(findings);
        }
        let mut names: BTreeSet<String> = (documents.policies.keys())
            .map(|id| id.name.clone())
            .collect();
        for values in groups {
            let Some(first) = values.first() else {
                continue;
            };
            let id = images.get(&first.canonical);
            let name = Repository::parse(&first.image).ok();
            let known = id.and_then(|id| tags_of(&book, id, name.as_ref()).0);
            let tags = given.or(known.map(|known| known.tags.as_slice()));
            let existing = id.filter(|id| surveyed.documents.repositories.contains_key(id));
            let told = suggest::suggest(values, tags, existing, &mut names);
            self.all.push(told);
        }
    }

    /// The files to be written, and the edits.
    fn write(&mut self, surveyed: &Surveyed<'_>, folder: &Path, namespace: &str) {
        let mut by_file: BTreeMap<&str, Vec<(&Candidate, String)>> = BTreeMap::new();
        for told in self.all.iter().filter(|told| told.policy.is_some()) {
            let file = format!("{}.yaml", told.name);
            self.files.insert(file, told.documents(namespace));
            for one in &told.values {
                let policy = format!("{namespace}:{}", told.name);
                by_file
                    .entry(&one.location.file)
                    .or_default()
                    .push((one, policy));
            }
        }
        let kustomization = folder.join("kustomization.yaml");
        let kustomization = std::path::absolute(&kustomization).unwrap_or(kustomization);
        let names: Vec<String> = self.files.keys().cloned().collect();
        let mut has_kustomization = false;
        for one in surveyed.files() {
            let source = one.source;
            let mut edits = Vec::new();
            if let Some(values) = by_file.get(source.name.as_str()) {
                let (markers, left) = suggest::markers(&source.text, values);
                self.marked += markers.len();
                edits.extend(markers);
                self.outcome.findings.extend(left.into_iter().map(unmarked));
            }
            if source.path == kustomization {
                has_kustomization = true;
                match suggest::resources(&source.text, &names) {
                    Some(more) => edits.extend(more),
                    None => self.outcome.findings.push(unlisted(&source.name)),
                }
            }
            if edits.is_empty() {
                continue;
            }
            match checkout::replacement(source, edits) {
                Ok(replacement) => self.replacements.push(replacement),
                Err(why) => {
                    let severity = crate::finding::Severity::Error;
                    let finding = checkout::unwritten(source, severity, &why);
                    self.outcome.findings.push(finding);
                }
            }
        }
        if !has_kustomization && !names.is_empty() {
            let list: String = names.iter().map(|name| format!("  - {name}\n")).collect();
            let text = format!(
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{list}"
            );
            self.files.insert("kustomization.yaml".to_owned(), text);
        }
    }

    fn summary(&self, written: bool) -> String {
        let verb = if written { "wrote" } else { "would write" };
        let policies = self.all.iter().filter(|told| told.policy.is_some()).count();
        let left = self.all.len() - policies;
        let mut text = format!(
            "{verb} {policies} policies and marked {} values",
            self.marked
        );
        if left > 0 {
            text.push_str(&format!("; {left} images have no tag that can be put in order (`flux-image suggest` says why)"));
        }
        text.push('\n');
        text
    }
}

fn unmarked((location, why): suggest::Unmarked) -> Finding {
    let message = format!("this value gets no marker: {why}");
    let finding = Finding::warning(Code::DeadMarker, message, location);
    finding.hint("write the value on a line of its own, and mark it")
}

fn unlisted(name: &str) -> Finding {
    let message = "`resources` of this kustomization is not a list in block style, so that the new files are not added to it";
    let finding = Finding::warning(Code::UnusableFile, message, Location::file(name));
    finding.hint("add them by hand, or write the list with a `-` for each")
}

/// The images of all files that belong to no policy.
fn candidates(surveyed: &Surveyed<'_>) -> Vec<Candidate> {
    let files = surveyed.files().filter(|one| !one.source.is_link);
    let found = files.flat_map(|one| {
        let Some(Ok(outline)) = &one.outline else {
            return Vec::new();
        };
        let bindings = one
            .number
            .map(|number| &surveyed.learned.bindings()[number]);
        suggest::candidates(&one.source.name, &one.source.text, outline, bindings)
    });
    found.collect()
}

/// The ImageRepositories of images, by canonical name; for those that have none, one is
/// added, to ask with.
fn repositories(documents: &mut Documents, groups: &[Vec<Candidate>]) -> BTreeMap<String, Id> {
    let mut known = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        if let Ok(name) = Repository::parse(&repository.document.spec.image) {
            known.entry(name.canonical()).or_insert_with(|| id.clone());
        }
    }
    for (number, first) in groups.iter().filter_map(|group| group.first()).enumerate() {
        if known.contains_key(&first.canonical) {
            continue;
        }
        let id = Id::new("", format!("suggested-{number}"));
        let mut document = ImageRepository::default();
        document.spec.image.clone_from(&first.image);
        let sourced = Sourced {
            document,
            location: first.location.clone(),
            conflict: None,
            rank: Rank::Tree,
        };
        documents.repositories.insert(id.clone(), sourced);
        known.insert(first.canonical.clone(), id);
    }
    known
}

/// Asks for the tags that no snapshot tells.
fn learn(
    documents: &Documents,
    images: &BTreeMap<String, Id>,
    book: &mut TagBook,
    ask: &mut Ask<'_>,
) -> Vec<Finding> {
    let is_unknown = |id: &&Id| {
        let repository = documents.repositories.get(id);
        let name = repository.and_then(|one| Repository::parse(&one.document.spec.image).ok());
        name.is_some_and(|name| book.written(&name).is_none())
    };
    let wanted: BTreeSet<&Id> = images.values().filter(is_unknown).collect();
    let questions: Vec<Question> = wanted.into_iter().cloned().map(Question::Tags).collect();
    if questions.is_empty() {
        return Vec::new();
    }
    let answers = ask(documents, &questions);
    let mut findings = answers.findings;
    for (question, answer) in answers.answers {
        if let Answer::Failed(failure) = &answer {
            let repository = documents.repositories.get(question.repository());
            let image = repository.map_or("", |one| one.document.spec.image.as_str());
            let message = format!("the tags of `{image}` are not known: {}", failure.message);
            let finding = Finding::info(Code::Registry, message, Location::default());
            findings.push(finding.hint_if(failure.hint.clone()));
        }
        book.learn(question, answer);
    }
    findings
}

/// Writes new files and edits others, or nothing; `None` after Ctrl-C.
fn write(
    made: &Made,
    folder: &Path,
    lock: &crate::checkout::write::Lock,
) -> anyhow::Result<Option<()>> {
    let cannot = |path: &Path| format!("cannot write {}", path_name::shown(path));
    for name in made.files.keys() {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            bail!(
                "{} is there already; nothing was changed\n  hint: name another folder, or take it out",
                path_name::shown(&path)
            );
        }
    }
    let Some(staged) = edit::stage(&made.replacements, lock, false)? else {
        return Ok(None);
    };
    fs::create_dir_all(folder).with_context(|| cannot(folder))?;
    let mut written: Vec<PathBuf> = Vec::new();
    let result = made.files.iter().try_for_each(|(name, text)| {
        let path = folder.join(name);
        let mut file = fs::File::create_new(&path).with_context(|| cannot(&path))?;
        written.push(path.clone());
        file.write_all(text.as_bytes())
            .with_context(|| cannot(&path))
    });
    let result = result.and_then(|()| edit::replace(staged));
    if !matches!(result, Ok(Some(()))) {
        // All or nothing.
        for path in &written {
            _ = fs::remove_file(path);
        }
    }
    result
}

fn show(args: &SuggestArgs, all: &[Suggestion]) -> anyhow::Result<()> {
    match args.output {
        TextOrJson::Text => {
            print_styled([report::suggest::text(all, &args.namespace)])?;
            if all.is_empty() {
                say("every image belongs to a policy, or there is none\n");
            }
            Ok(())
        }
        TextOrJson::Json => print([json_pretty(&Suggestions {
            api_version: "flux-image.dev/v1alpha1".to_owned(),
            kind: "Suggestions".to_owned(),
            items: all.to_vec(),
        })? + "\n"]),
    }
}
