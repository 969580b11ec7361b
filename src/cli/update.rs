//! `flux-image update`.

use anyhow::Context as _;

use super::Exit;
use super::args::{Output, UpdateArgs};
use super::function::{documents, freshness};
use super::network::{self, Asker, Caller};
use crate::api::OnUnresolved;
use crate::report::json::Report;
use crate::report::text;
use crate::update::catalogue::Catalogue;
use crate::update::checkout::{self, CannotPlan, Planned, Request};
use crate::update::files::{self, WriteError};

/// Updates files in place.
///
/// # Errors
/// Where nothing can be planned or written.
pub fn run(args: &UpdateArgs) -> anyhow::Result<Exit> {
    let request = Request {
        current: std::env::current_dir().context("cannot tell the current folder")?,
        paths: args.paths.clone(),
        policies: documents(&args.policies)?,
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        on_unresolved: if args.allow_unresolved {
            OnUnresolved::Warn
        } else {
            OnUnresolved::Fail
        },
        freshness: freshness(args.max_age),
        refresh: network::refresh(&args.registries)?,
        secrets: network::secrets(&args.registries.secrets)?,
    };
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |catalogue: &Catalogue, questions: &[_]| asker.ask(catalogue, questions);
    let planned = checkout::plan(&request, Some(&mut ask)).map_err(|error| match error {
        CannotPlan::NoScope => anyhow::anyhow!(
            "{error}\n  hint: `flux-image update .` edits every marked value below this folder"
        ),
        error => error.into(),
    })?;
    let writes = !(args.check || args.dry_run || args.diff);
    if writes {
        watch_for_interrupts();
        match files::replace_all(&planned.replacements, args.fsync) {
            Ok(()) => {}
            Err(WriteError::Interrupted) => {
                anstream::eprintln!("{}", WriteError::Interrupted);
                return Ok(Exit::Interrupted);
            }
            Err(error) => return Err(error.into()),
        }
    }
    show(args, &planned, writes)?;
    let outdated = args.check && !planned.outcome.changes.is_empty();
    let exit = Exit::of(&planned.outcome, outdated, args.strict);
    // The process ends here: giving back thousands of texts one by one would
    // only take time.
    std::mem::forget(planned);
    Ok(exit)
}

fn watch_for_interrupts() {
    // Where no handler can be set, Ctrl-C ends the process as it always did.
    _ = ctrlc::set_handler(|| files::INTERRUPTED.store(true, std::sync::atomic::Ordering::Relaxed));
}

fn show(args: &UpdateArgs, planned: &Planned, written: bool) -> anyhow::Result<()> {
    use std::io::Write as _;
    let outcome = &planned.outcome;
    for finding in &outcome.findings {
        anstream::eprint!("{}", text::finding(finding));
    }
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    if args.output == Output::Json {
        serde_json::to_writer_pretty(&mut out, &Report::new(outcome, written))?;
        writeln!(out)?;
        out.flush()?;
        return Ok(());
    }
    if args.diff {
        for replacement in &planned.replacements {
            write!(
                out,
                "{}",
                text::diff(
                    &replacement.name,
                    &replacement.old,
                    &replacement.new_text()?
                )
            )?;
        }
    } else {
        for change in &outcome.changes {
            write!(out, "{}", text::change(change))?;
        }
    }
    out.flush()?;
    anstream::eprint!(
        "{}",
        text::summary(outcome, planned.replacements.len(), written)
    );
    Ok(())
}
