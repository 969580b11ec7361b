//! `flux-image fn`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::args::FnArgs;
use super::network::{self, Asker, Caller};
use super::stdin::is_stdin;
use super::streams::{print, say_findings};
use super::{Exit, origin};
use crate::checkout::git::Repositories;
use crate::checkout::regular_file::{self, MAX_BYTES, ReadError};
use crate::checkout::walk::{self, Unseen};
use crate::checkout::{source_files, tree_documents};
use crate::documents::builder::Builder;
use crate::documents::{Documents, Provenance, Rank};
use crate::finding::{Code, Finding};
use crate::function::config::{self, Settings};
use crate::function::{self, FunctionOptions};
use crate::path_name;
use crate::resource_list;
use crate::selection::tags::Freshness;
use yaml_edit_spans::encoding::{self, NotUtf8};

/// Runs the function from stdin to stdout.
pub(super) fn run(args: &FnArgs) -> anyhow::Result<Exit> {
    let mut options = FunctionOptions {
        config: None,
        documents: given(args)?,
        freshness: freshness(args.max_age),
        refresh: network::refresh(&args.registries)?,
        read_origin: Some(&origin::read),
    };
    if let Some(path) = &args.config {
        let Some(config) = read_config(path, &mut options.documents)? else {
            return Ok(Exit::Usage);
        };
        options.config = Some(config.settings);
    }
    let bytes = read_stdin().map_err(|error| anyhow::anyhow!("<stdin> {error}"))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!(function::BadInput::Empty);
    }
    let input =
        encoding::decode(bytes).map_err(|error| unread("<stdin>", ReadError::NotUtf8(error)))?;
    let caller = Caller::Orchestrator {
        may_use_docker: args.docker_config,
    };
    let mut asker = Asker::new(&args.registries, caller, options.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let output = function::run(&input, options, Some(&mut ask))?;
    say_findings(&output.outcome.findings);
    // Unedited stretches of a large list go out as they are.
    print(output.text.pieces())?;
    if let Some(overlap) = output.bug {
        bail!(overlap);
    }
    let judged = output.judges
        && output
            .outcome
            .findings
            .iter()
            .any(|f| f.code == crate::finding::Code::Outdated);
    Ok(Exit::of(&output.outcome, judged, args.strict))
}

/// The documents of `--policies` and `--secret`.
fn given(args: &FnArgs) -> anyhow::Result<Builder> {
    let mut builder = tree_documents::given(&documents(&args.policies)?);
    let mut findings = builder.findings().iter();
    if let Some(unparsable) = findings.find(|one| one.code == Code::Unparsable) {
        bail!("{}: {}", unparsable.location, unparsable.message);
    }
    let secrets = network::secrets(&args.registries.secrets)?;
    tree_documents::add_secrets(&mut builder, &secrets);
    Ok(builder)
}

/// The largest ResourceList that is read, in bytes.
const MAX_LIST: u64 = 2 << 30;

fn read_stdin() -> Result<Vec<u8>, ReadError> {
    let stdin = std::io::stdin().lock();
    // A file tells its size, which spares copying while the buffer grows.
    #[cfg(target_os = "linux")]
    if let Ok(metadata) = std::fs::metadata("/dev/stdin")
        && metadata.is_file()
    {
        if metadata.len() > MAX_LIST {
            return Err(ReadError::TooLarge(MAX_LIST));
        }
        return regular_file::bounded(stdin, metadata.len(), MAX_LIST);
    }
    regular_file::bounded(stdin, 0, MAX_LIST)
}

/// Options of a file, and its text.
#[derive(Debug)]
pub(super) struct Config {
    /// What it asks for.
    pub settings: Settings,
    /// The file's name.
    pub name: String,
    /// What it holds. It is read once, since it may be a pipe.
    pub text: String,
}

/// Options of a file; `None` where they are wrong, which was said. Documents in it
/// go to `builder`.
pub(super) fn read_config(path: &Path, builder: &mut Builder) -> anyhow::Result<Option<Config>> {
    let name = path_name::shown(path);
    let source = regular_file::text_given(path).map_err(|error| unread(&name, error))?;
    let outline = resource_list::read(&source)
        .map_err(|error| anyhow::anyhow!("{name}:{}: {error}", error.place))?;
    let Some(document) = outline.documents.first() else {
        bail!("{name} contains no document");
    };
    let provenance = Provenance::new(&name, Rank::Config);
    let settings = config::read(&source, &document.root, provenance, builder);
    let say = |findings: Vec<Finding>| {
        say_findings(&findings);
    };
    let settings = settings.map_err(say).ok();
    Ok(settings.map(|settings| Config {
        settings,
        name,
        text: source,
    }))
}

/// Why a file that was asked for is not read, with its place and what to do.
pub(super) fn unread(name: &str, error: ReadError) -> anyhow::Error {
    match &error {
        ReadError::NotUtf8(not) => {
            anyhow::anyhow!("{name}:{}: {error}\n  hint: {}", not.place, NotUtf8::HINT)
        }
        ReadError::System(error) => anyhow::anyhow!("cannot read {name}: {error}"),
        _ => anyhow::anyhow!("{name} {error}"),
    }
}

/// The moment of the run, and `--max-age`.
pub(super) fn freshness(max_age: Duration) -> Freshness {
    Freshness {
        now: jiff::Timestamp::now(),
        max_age,
    }
}

/// The files of `--policies`, by name: a file or a pipe, each manifest of a folder
/// that may hold documents, or stdin. Of a folder, links count that stay in its
/// work tree.
pub(super) fn documents(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut documents = Vec::new();
    for path in paths {
        if path.is_dir() {
            documents.extend(documents_under(path)?);
            continue;
        }
        documents.push(document(path)?);
    }
    Ok(documents)
}

/// A file that a flag names, or stdin, by name.
pub(super) fn document(path: &Path) -> anyhow::Result<(String, String)> {
    if is_stdin(path) {
        let bytes = regular_file::bounded(std::io::stdin().lock(), 0, MAX_BYTES);
        let text = bytes.and_then(|bytes| encoding::decode(bytes).map_err(ReadError::NotUtf8));
        let name = "<stdin>".to_owned();
        return text
            .map_err(|error| unread(&name, error))
            .map(|text| (name, text));
    }
    let name = path_name::shown(path);
    let text = regular_file::text_given(path).map_err(|error| unread(&name, error))?;
    Ok((name, text))
}

fn documents_under(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let unlisted = || format!("cannot read {}", folder.display());
    let repositories = Repositories::default();
    let listing = walk::files_under(folder, &repositories).with_context(unlisted)?;
    for note in &listing.notes {
        let finding = note.finding(&path_name::shown);
        // A folder that cannot be listed may hold what was asked for.
        if let Unseen::Folder(why) = &note.what {
            bail!("cannot read {}: {why}", path_name::shown(&note.path));
        }
        say_findings([&finding]);
    }
    let real = folder.canonicalize().with_context(unlisted)?;
    let work_tree = repositories.work_tree(&real);
    let root = work_tree.unwrap_or(real);
    let mut documents = Vec::new();
    for file in &listing.files {
        let name = path_name::shown(&file.path);
        let text =
            source_files::read_documents(file, &root).map_err(|error| unread(&name, error))?;
        // A chart's templates beside the documents are nobody's business.
        documents.extend(text.map(|text| (name, text)));
    }
    Ok(documents)
}
