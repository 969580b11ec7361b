//! `flux-image suggest`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use schemars::JsonSchema;
use serde::Serialize;

use super::Exit;
use super::args::{SuggestArgs, TextOrJson};
use super::function::freshness;
use super::network::{self, Asker, Caller};
use super::options_file::OptionsFile;
use super::streams::{print, print_diff, print_styled, say, say_findings};
use super::{edit, given, scan};
use crate::api::{Bind, Id, ImageRepository, TagSource};
use crate::binding::bindings::BindingConfig;
use crate::checkout::git::Repositories;
use crate::checkout::kustomization::is_name_of_one;
use crate::checkout::source_files::{self, SourceFile};
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::walk::Listed;
use crate::checkout::{self, BoundIn, Request};
use crate::cluster::kustomization::NAMES;
use crate::documents::{Documents, Rank, Sourced};
use crate::finding::{Code, Finding, Location};
use crate::foreign::json_pretty;
use crate::insight::explain::tags_of;
use crate::insight::given_tags;
use crate::insight::suggest::{self, Candidate, Names, Suggestion};
use crate::insight::trial::Trial;
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::plan::planned::Replacement;
use crate::report;
use crate::selection::registry_queries::Ask;
use crate::selection::tags::{Answer, Question, TagBook};
use oci_tags::image::Repository;
use yaml_edit_spans::patch::Edit;

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
    check_namespace(&args.namespace)?;
    let subject = subject(args)?;
    let writes = args.write.is_some() && !args.diff;
    let lock = writes.then(|| edit::lock(&subject.paths)).transpose()?;
    let repositories = Repositories::default();
    let target = args.write.as_deref();
    let target = target
        .map(|folder| Target::of(folder, &subject, &repositories))
        .transpose()?;
    let mut asker = Asker::new(&args.look.registries, Caller::Person, Default::default());
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
            (&subject.image, &args.namespace),
            &options,
            given.as_deref(),
            &mut ask,
        );
        if let Some(target) = &target {
            made.write(&surveyed, target, &args.namespace);
        }
    })?;
    say_findings(&made.outcome.findings);
    if let Some(target) = &target {
        if args.diff {
            print_diff(&made.replacements)?;
        }
        if let Some(lock) = &lock
            && write(&made, target, lock)?.is_none()
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
    let documents = args.look.documents(subject.paths.clone());
    let freshness = freshness(args.look.max_age);
    Ok(Request {
        // What every file holds is looked at.
        bindings: BindingConfig {
            bind: Bind::Images,
            ..BindingConfig::default()
        },
        tags_from: vec![TagSource::Snapshot],
        ..scan::request(&documents, &args.look.registries, freshness, repositories)?
    })
}

/// Refuses what is no name of a namespace (a DNS label, RFC 1123).
fn check_namespace(name: &str) -> anyhow::Result<()> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = matches!(name.len(), 1..=63)
        && name.bytes().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !is_label {
        bail!(
            "`--namespace` is `{name}`, which is no name of a namespace: it must be at most 63 lower-case letters, digits or `-`, with a letter or digit at both ends"
        );
    }
    Ok(())
}

/// Where `--write` adds documents: a folder of the work tree.
struct Target {
    /// The root of the work tree; a real path.
    root: PathBuf,
    /// The folder, without links; it may not be there yet.
    folder: PathBuf,
    /// What tells Flux of new files.
    list: FileList,
}

/// What tells Flux of the files in a folder.
enum FileList {
    /// This kustomization, which is edited.
    Kustomization(PathBuf),
    /// This one, which is a link or no file, and stays.
    Untouchable(PathBuf),
    /// Nothing: there are manifests without a kustomization, so Flux takes all of them.
    Generated,
    /// A new kustomization.
    New,
}

impl Target {
    /// The folder that `--write` names.
    ///
    /// # Errors
    /// One that is not inside the work tree, or in `.git`, or no folder.
    fn of(named: &Path, subject: &Wanted, repositories: &Repositories) -> anyhow::Result<Self> {
        let shown = path_name::shown(named);
        let current = std::env::current_dir().and_then(|folder| folder.canonicalize());
        let current = current.context("cannot tell the current folder")?;
        let about = subject.paths.first().unwrap_or(&current);
        let root = repositories.work_tree(about).unwrap_or(current);
        let root = root.canonicalize().unwrap_or(root);
        let folder = real(named).with_context(|| format!("`--write` {shown}"))?;
        let Ok(inside) = folder.strip_prefix(&root) else {
            bail!(
                "`--write` {shown} leads out of the work tree {}; nothing was changed\n  hint: name a folder inside of it",
                path_name::shown(&root)
            );
        };
        let mut parts = inside.components().map(|part| part.as_os_str());
        if parts.any(|part| part.eq_ignore_ascii_case(".git")) {
            bail!("`--write` {shown} leads into `.git`; nothing was changed");
        }
        let there = folder.ancestors().find(|above| above.is_dir());
        let nearest = there.and_then(|there| repositories.work_tree(there));
        let nearest = nearest.map(|nearest| nearest.canonicalize().unwrap_or(nearest));
        if nearest.is_some_and(|nearest| nearest != root) {
            bail!(
                "`--write` {shown} is in another work tree, such as a submodule; nothing was changed"
            );
        }
        if folder.exists() && !folder.is_dir() {
            bail!("`--write` {shown} is no folder; nothing was changed");
        }
        let list = FileList::of(&folder)
            .with_context(|| format!("cannot read {}", path_name::shown(&folder)))?;
        Ok(Self { root, folder, list })
    }

    /// What to know of the folder, besides findings.
    fn note(&self) -> Option<String> {
        let inside = self.folder.strip_prefix(&self.root).ok()?;
        let above = inside.ancestors().skip(1).find_map(|above| {
            let all = NAMES.map(|name| above.join(name));
            (all.into_iter()).find(|path| self.root.join(path).is_file())
        });
        let folder = match inside.as_os_str().is_empty() {
            true => "the root of the work tree".to_owned(),
            false => path_name::shown(inside).to_string(),
        };
        let above = above.map(|path| path_name::shown(&path).to_string());
        match (&self.list, above) {
            (FileList::Generated, None) => Some(format!(
                "{folder} holds manifests and no kustomization, so that Flux takes all files below it: none is made, which would leave the others out\n"
            )),
            (FileList::Generated, Some(above)) => Some(format!(
                "{folder} holds manifests and no kustomization: none is made, which would leave the others out; where Flux builds {above}, add the new files to its `resources`\n"
            )),
            (FileList::New, Some(above)) => Some(format!(
                "where Flux builds {above}, add {folder} to its `resources`\n"
            )),
            _ => None,
        }
    }
}

/// A path without links, of what may not be there yet.
fn real(path: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut there = path.as_path();
    let mut missing = Vec::new();
    while there.symlink_metadata().is_err() {
        let (Some(above), Some(name)) = (there.parent(), there.components().next_back()) else {
            break;
        };
        if !matches!(name, std::path::Component::Normal(_)) {
            bail!("has `..` behind a folder that is not there");
        }
        missing.push(name.as_os_str());
        there = above;
    }
    let mut real = (there.canonicalize())
        .with_context(|| format!("{} leads nowhere", path_name::shown(there)))?;
    real.extend(missing.iter().rev());
    Ok(real)
}

impl FileList {
    fn of(folder: &Path) -> std::io::Result<Self> {
        for path in NAMES.map(|name| folder.join(name)) {
            if let Ok(metadata) = path.symlink_metadata() {
                return Ok(match metadata.is_file() {
                    true => Self::Kustomization(path),
                    false => Self::Untouchable(path),
                });
            }
        }
        Ok(match holds_manifests(folder)? {
            true => Self::Generated,
            false => Self::New,
        })
    }
}

/// Whether a file below a folder is one that Flux would list in a kustomization of its own.
/// No link is followed.
fn holds_manifests(folder: &Path) -> std::io::Result<bool> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let name = path.extension().and_then(|extension| extension.to_str());
            if matches!(name, Some("yaml" | "yml")) || is_name_of_one(&path) {
                return Ok(true);
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(false)
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
    /// What to know of the folder.
    note: Option<String>,
}

impl Made {
    fn make(
        &mut self,
        surveyed: &Surveyed<'_>,
        (image, namespace): (&Option<Candidate>, &str),
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
        let images = repositories(&mut documents, &groups, namespace);
        let mut book = surveyed.learned.tags().clone();
        if given.is_none() {
            let findings = learn(&documents, &images, &mut book, ask);
            self.outcome.findings.extend(findings);
        }
        let named = |ids: &mut dyn Iterator<Item = &Id>| ids.map(|id| id.name.clone()).collect();
        let mut names = Names::new(
            named(&mut documents.policies.keys()),
            named(&mut surveyed.documents.repositories.keys()),
        );
        for values in groups {
            let Some(first) = values.first() else {
                continue;
            };
            let known = images.get(&first.canonical);
            let id = known.map(|known| &known.id);
            let name = Repository::parse(&first.image).ok();
            let listed = id.and_then(|id| tags_of(&book, id, name.as_ref()).0);
            let existing = known.filter(|known| known.is_usable);
            let document = existing.and_then(|known| documents.repositories.get(&known.id));
            let about = suggest::Known {
                tags: given.or(listed.map(|listed| listed.tags.as_slice())),
                repository: existing.map(|known| &known.id),
                exclusions: document.map_or(&[], |one| &one.document.spec.exclusion_list),
            };
            self.all
                .extend(suggest::suggest(values, &about, &mut names));
        }
    }

    /// The files to be written, and the edits.
    fn write(&mut self, surveyed: &Surveyed<'_>, target: &Target, namespace: &str) {
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
        let names: Vec<String> = self.files.keys().cloned().collect();
        let mut list = match &target.list {
            FileList::Kustomization(path) if !names.is_empty() => Some(path),
            _ => None,
        };
        let mut changed = Vec::new();
        for one in surveyed.files() {
            let source = one.source;
            let mut edits = Vec::new();
            if let Some(values) = by_file.get(source.name.as_str()) {
                let (markers, left) = suggest::markers(&source.text, values);
                self.marked += markers.len();
                edits.extend(markers);
                self.outcome.findings.extend(left.into_iter().map(unmarked));
            }
            if let Some(path) = list
                && source.path == *path
            {
                list = None;
                match suggest::resources(&source.text, &names) {
                    Some(more) => edits.extend(more),
                    None => self.outcome.findings.push(unlisted(&source.name)),
                }
            }
            changed.push((source, edits));
        }
        for (source, edits) in changed {
            self.replace(source, edits);
        }
        if let Some(path) = list {
            self.list_in(path, target, &names);
        }
        self.tell_of(target, &names);
    }

    fn replace(&mut self, source: &SourceFile, edits: Vec<Edit>) {
        if edits.is_empty() {
            return;
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

    /// Adds the new files to a kustomization that the run has not read.
    fn list_in(&mut self, path: &Path, target: &Target, names: &[String]) {
        let listed = Listed {
            path: path.to_path_buf(),
            is_link: false,
        };
        let show = |path: &Path| path_name::shown(path).to_string();
        let named = BTreeSet::from([listed.path.clone()]);
        let all = source_files::Wanted::All;
        let (sources, refused) =
            source_files::read_all(&[listed], &target.root, &named, all, &show);
        for source in &sources {
            match suggest::resources(&source.text, names) {
                Some(edits) => self.replace(source, edits),
                None => self.outcome.findings.push(unlisted(&source.name)),
            }
        }
        if !refused.is_empty() {
            self.outcome.findings.push(unlisted(&show(path)));
        }
    }

    /// A new kustomization, or why there is none.
    fn tell_of(&mut self, target: &Target, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.note = target.note();
        match &target.list {
            FileList::New => {
                let list: String = names.iter().map(|name| format!("  - {name}\n")).collect();
                let text = format!(
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{list}"
                );
                self.files.insert("kustomization.yaml".to_owned(), text);
            }
            FileList::Untouchable(path) => {
                let name = path_name::shown(path).to_string();
                let message = "this kustomization is a link or no file, so that the new files are not added to it";
                let finding = Finding::warning(Code::UnusableFile, message, Location::file(&name));
                let hint = "add them by hand where it leads";
                self.outcome.findings.push(finding.hint(hint));
            }
            FileList::Generated | FileList::Kustomization(_) => {}
        }
    }

    fn summary(&self, written: bool) -> String {
        let verb = if written { "wrote" } else { "would write" };
        let policies = self.all.iter().filter(|told| told.policy.is_some()).count();
        let left = self.all.len() - policies;
        let mut text = self.note.clone().unwrap_or_default();
        text.push_str(&format!(
            "{verb} {} and marked {}",
            report::suggest::count(policies, "policy", "policies"),
            report::suggest::count(self.marked, "value", "values"),
        ));
        if left > 0 {
            let left = report::suggest::count(left, "image gets", "images get");
            text.push_str(&format!("; {left} none (`flux-image suggest` says why)"));
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

/// The ImageRepository of an image.
struct Repo {
    id: Id,
    /// Whether a policy of the namespace may name it, and it is scanned.
    is_usable: bool,
}

/// The ImageRepositories of images, by canonical name: those that policies of a namespace
/// may name come first, then any, whose tags are known. For images that have none, one is
/// added, to ask with.
fn repositories(
    documents: &mut Documents,
    groups: &[Vec<Candidate>],
    namespace: &str,
) -> BTreeMap<String, Repo> {
    let mut known: BTreeMap<String, Repo> = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        let spec = &repository.document.spec;
        let Ok(name) = Repository::parse(&spec.image) else {
            continue;
        };
        let is_usable = repository.conflict.is_none()
            && !spec.suspend
            && (id.namespace == namespace || documents.lets_in(id, namespace));
        let rank = |id: &Id, is_usable| (is_usable, is_usable && id.namespace == namespace);
        let own = rank(id, is_usable);
        let canonical = name.canonical();
        if (known.get(&canonical)).is_none_or(|one| rank(&one.id, one.is_usable) < own) {
            let id = id.clone();
            known.insert(canonical, Repo { id, is_usable });
        }
    }
    for (number, first) in groups.iter().filter_map(|group| group.first()).enumerate() {
        if known.contains_key(&first.canonical) {
            continue;
        }
        // No document has a name like it.
        let id = Id::new("", format!("suggested/{number}"));
        let mut document = ImageRepository::default();
        document.spec.image.clone_from(&first.image);
        let sourced = Sourced {
            document,
            location: first.location.clone(),
            conflict: None,
            rank: Rank::Tree,
        };
        documents.repositories.insert(id.clone(), sourced);
        let is_usable = false;
        known.insert(first.canonical.clone(), Repo { id, is_usable });
    }
    known
}

/// Asks for the tags that no snapshot tells.
fn learn(
    documents: &Documents,
    images: &BTreeMap<String, Repo>,
    book: &mut TagBook,
    ask: &mut Ask<'_>,
) -> Vec<Finding> {
    let is_unknown = |id: &&Id| {
        let repository = documents.repositories.get(id);
        let name = repository.and_then(|one| Repository::parse(&one.document.spec.image).ok());
        name.is_some_and(|name| book.written(&name).is_none())
    };
    let wanted: BTreeSet<&Id> = (images.values().map(|known| &known.id))
        .filter(is_unknown)
        .collect();
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
    target: &Target,
    lock: &crate::checkout::write::Lock,
) -> anyhow::Result<Option<()>> {
    let cannot = |path: &Path| format!("cannot write {}", path_name::shown(path));
    let folder = &target.folder;
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
    if !made.files.is_empty() {
        fs::create_dir_all(folder).with_context(|| cannot(folder))?;
        if folder.canonicalize().with_context(|| cannot(folder))? != *folder {
            bail!(
                "{} has become a link; nothing was changed",
                path_name::shown(folder)
            );
        }
    }
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
