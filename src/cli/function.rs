//! `flux-image fn`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Exit;
use super::args::FnArgs;
use super::network::{self, Asker, Caller};
use super::origin;
use crate::config::{self, Settings};
use crate::function::{self, Options};
use crate::report::text;
use crate::resource_list::outline;
use crate::update::catalogue::{Catalogue, Freshness, Origin, Rank};
use crate::update::checkout;
use crate::update::outcome::{Finding, Severity};
use crate::update::tree;
use crate::yaml::Place;

/// Runs the function from stdin to stdout.
///
/// # Errors
/// Where the input cannot be read at all.
pub fn run(args: &FnArgs) -> anyhow::Result<Exit> {
    if args.policies.iter().any(|path| path.as_os_str() == "-") {
        bail!("`--policies -` would read the list itself: `fn` takes its input from stdin");
    }
    let mut options = Options {
        config: None,
        catalogue: given(args)?,
        freshness: freshness(args.max_age),
        refresh: network::refresh(&args.registries)?,
        read_origin: Some(&origin::read),
    };
    if let Some(path) = &args.config {
        let Some(settings) = read_config(path, &mut options.catalogue)? else {
            return Ok(Exit::Usage);
        };
        options.config = Some(settings);
    }
    let bytes = read_stdin().context("cannot read stdin")?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!(function::BadInput::Empty);
    }
    let input = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("<stdin>:{}: is no UTF-8", Place::of(error.as_bytes(), at))
    })?;
    let caller = Caller::Orchestrator {
        may_use_docker: args.docker_config,
    };
    let mut asker = Asker::new(&args.registries, caller, options.refresh.clone());
    let mut ask = |catalogue: &Catalogue, questions: &[_]| asker.ask(catalogue, questions);
    let output = function::run(&input, options, Some(&mut ask))?;
    for finding in &output.outcome.findings {
        anstream::eprint!("{}", text::finding(finding));
    }
    // Unedited stretches of a large list go out as they are.
    let mut stdout = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    output
        .text
        .pieces()
        .try_for_each(|piece| stdout.write_all(piece.as_bytes()))
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    if let Some(overlap) = output.bug {
        bail!(overlap);
    }
    let judged = output.judges
        && output
            .outcome
            .findings
            .iter()
            .any(|f| f.code == crate::update::outcome::Code::Outdated);
    Ok(Exit::of(&output.outcome, judged, args.strict))
}

/// The documents of `--policies` and `--secret`.
fn given(args: &FnArgs) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    for (name, text) in documents(&args.policies)? {
        let outline = outline::read(&text)
            .map_err(|error| anyhow::anyhow!("{name}:{}: {error}", error.place))?;
        let namespace = checkout::kustomization_namespace(Path::new(&name));
        let origin = Origin {
            default_namespace: namespace.as_deref(),
            ..Origin::flag(&name)
        };
        catalogue.add_outline(&text, &outline, origin);
        catalogue.logins.add(&text, &outline, origin);
    }
    for (name, text) in network::secrets(&args.registries.secrets)? {
        if let Ok(outline) = outline::read(&text) {
            catalogue.logins.add(&text, &outline, Origin::flag(&name));
        }
    }
    Ok(catalogue)
}

fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A file tells its size, which spares copying while the buffer grows.
    #[cfg(target_os = "linux")]
    if let Ok(metadata) = std::fs::metadata("/dev/stdin")
        && metadata.is_file()
    {
        bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    }
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Options of a file; `None` where they are wrong, which was said. Documents in it
/// go to the catalogue.
///
/// # Errors
/// Where it cannot be read.
pub fn read_config(path: &Path, catalogue: &mut Catalogue) -> anyhow::Result<Option<Settings>> {
    let name = path.display().to_string();
    let source = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let outline = outline::read(&source)
        .map_err(|error| anyhow::anyhow!("{name}:{}: {error}", error.place))?;
    let Some(document) = outline.documents.first() else {
        bail!("{name} holds no document");
    };
    let origin = Origin {
        file: &name,
        rank: Rank::Config,
        default_namespace: None,
        severity: Severity::Error,
    };
    let settings = config::read(&source, &document.root, origin, catalogue);
    let say = |findings: Vec<Finding>| {
        for finding in &findings {
            anstream::eprint!("{}", text::finding(finding));
        }
    };
    Ok(settings.map_err(say).ok())
}

/// The moment of the run, and `--max-age`.
pub fn freshness(max_age: Duration) -> Freshness {
    Freshness {
        now: jiff::Timestamp::now(),
        max_age,
    }
}

/// The files of `--policies`, by name: a file, each manifest of a folder that may
/// hold documents, or stdin.
///
/// # Errors
/// What cannot be read.
pub fn documents(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut documents = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = std::io::read_to_string(std::io::stdin()).context("cannot read stdin")?;
            documents.push(("<stdin>".to_owned(), text));
            continue;
        }
        let files =
            tree::files_under(path).with_context(|| format!("cannot read {}", path.display()))?;
        for tree::Listed { path: file, .. } in files {
            let name = file.display().to_string();
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {name}"))?;
            // A chart's templates beside the documents are nobody's business.
            if file != *path && !tree::may_have_documents(&bytes) {
                continue;
            }
            let text = String::from_utf8(bytes).with_context(|| format!("cannot read {name}"))?;
            documents.push((name, text));
        }
    }
    Ok(documents)
}
