//! `flux-image suggest`.

mod known;
mod looked;
mod target;
mod written;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::known::Images;
use self::looked::Looked;
use self::target::Target;
use self::written::Writing;
use super::Exit;
use super::args::{SuggestArgs, TextOrJson};
use super::function::freshness;
use super::items::Items;
use super::network::{Asker, Caller};
use super::streams::{print, print_styled, say, say_findings};
use super::{edit, given, scan};
use crate::api::TagSource;
use crate::checkout::Request;
use crate::checkout::git::Repositories;
use crate::documents::Documents;
use crate::insight::given_tags;
use crate::insight::suggest::{self, Candidate, Suggestion};
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::report;

/// Writes policies for images that have none.
pub(super) fn run(args: &SuggestArgs) -> anyhow::Result<Exit> {
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
    let request = request(args, &subject, &repositories)?;
    let given = given_tags(args)?;
    let looked = Looked::at(&request, &repositories, &subject)?;
    let namespace = namespace(args, target.as_ref(), &looked.documents)?;
    let mut outcome = Outcome::default();
    outcome.findings.extend(looked.findings.iter().cloned());
    let mut values = looked.candidates.values.clone();
    if args.write.is_some() {
        // No policy is written that nothing would be marked with.
        let unmarked = values.iter().filter_map(written::unmarked);
        outcome.findings.extend(unmarked.collect::<Vec<_>>());
        values.retain(|one| one.marks.is_ok());
    }
    let mut images = Images::of(&looked, &namespace);
    let (all, findings) = images.suggest(values, given.as_deref(), &namespace, &mut ask);
    outcome.findings.extend(findings);
    let Some(target) = &target else {
        say_findings(&outcome.findings);
        show(args, &all, &namespace)?;
        say(looked.left_out());
        return Ok(Exit::of(&outcome, false, false));
    };
    let writing = Writing::of(&all, &looked, target, &namespace)?;
    let unreached = written::unreached(&all, &looked, &namespace);
    outcome.findings.extend(unreached);
    say_findings(&outcome.findings);
    match &lock {
        Some(lock) => {
            if writing.write(target, lock)?.is_none() {
                return Ok(Exit::Interrupted);
            }
        }
        None => writing.print()?,
    }
    say(looked.left_out());
    say(writing.summary(writes, &all, &repositories, target));
    Ok(Exit::of(&outcome, false, false))
}

fn request(
    args: &SuggestArgs,
    subject: &Wanted,
    repositories: &Repositories,
) -> anyhow::Result<Request> {
    let documents = args.look.documents(subject.paths.clone());
    let freshness = freshness(args.look.max_age);
    Ok(Request {
        tags_from: vec![TagSource::Snapshot],
        ..scan::request(&documents, &args.look.registries, freshness, repositories)?
    })
}

/// The namespace of the documents: the one that is asked for, that of the kustomization that
/// lists them, that of all ImageUpdateAutomations, or Flux's own.
///
/// # Errors
/// What is no name of one; one that the kustomization would change.
fn namespace(
    args: &SuggestArgs,
    target: Option<&Target>,
    documents: &Documents,
) -> anyhow::Result<String> {
    let set = target.and_then(|target| target.renames.namespace.as_deref());
    let asked = args.namespace.as_deref();
    if let (Some(asked), Some(set)) = (asked, set)
        && asked != set
    {
        bail!(
            "`--namespace` is `{asked}`, and the kustomization of `--write` puts everything in `{set}`; nothing was changed"
        );
    }
    let mut of_automations = documents.automations.keys().map(|id| id.namespace.as_str());
    let first = of_automations.next();
    let only = first.filter(|first| of_automations.all(|other| other == *first));
    let namespace = asked.or(set).or(only).unwrap_or(FLUX_SYSTEM);
    check_namespace(namespace)?;
    Ok(namespace.to_owned())
}

/// The namespace of Flux.
const FLUX_SYSTEM: &str = "flux-system";

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
    let is_path = subject.starts_with(['.', '/'])
        || [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| subject.ends_with(end));
    if is_path {
        bail!(
            "{}: there is no such file or folder",
            path_name::shown(Path::new(subject))
        );
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

fn show(args: &SuggestArgs, all: &[Suggestion], namespace: &str) -> anyhow::Result<()> {
    match args.output {
        TextOrJson::Text => {
            print_styled([report::suggest::text(all, namespace)])?;
            if all.is_empty() {
                say("every image has a policy or is left alone on purpose, or there is none\n");
            }
            Ok(())
        }
        TextOrJson::Json => print([Items::new("Suggestions", all.to_vec()).json()?]),
    }
}
