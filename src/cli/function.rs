//! `flux-image fn`.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use super::args::FnArgs;
use super::given::{self, unread};
use super::network::{self, Asker, Caller};
use super::streams::{print, say_findings};
use super::{Exit, origin};
use crate::checkout::git::Repositories;
use crate::checkout::regular_file::{self, ReadError};
use crate::checkout::tree_documents;
use crate::documents::builder::Builder;
use crate::documents::{Documents, Provenance, Rank};
use crate::finding::{Code, Finding};
use crate::function::config::{self, Settings};
use crate::function::{self, FunctionOptions};
use crate::path_name;
use crate::resource_list;
use crate::selection::tags::Freshness;
use yaml_edit_spans::encoding;

/// Runs the function from stdin to stdout.
pub(super) fn run(args: &FnArgs) -> anyhow::Result<Exit> {
    let mut options = FunctionOptions {
        config: None,
        documents: documents(args)?,
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
    let bytes = read_stdin().map_err(|error| anyhow::anyhow!("<stdin>: {error}"))?;
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
fn documents(args: &FnArgs) -> anyhow::Result<Builder> {
    let policies = given::documents(&args.policies, &Repositories::default())?;
    let mut builder = tree_documents::given(&policies);
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

/// The moment of the run, and `--max-age`.
pub(super) fn freshness(max_age: Duration) -> Freshness {
    Freshness {
        now: jiff::Timestamp::now(),
        max_age,
    }
}
