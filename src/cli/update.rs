//! `flux-image update`.

use std::cell::LazyCell;
use std::ops::Deref;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::args::{Output, UpdateArgs};
use super::function::{freshness, read_config};
use super::network::{self, Asker, Caller};
use super::options_file::{self, OptionsFile};
use super::output_files::{Contents, OutputFiles};
use super::streams::{print, print_diff, print_styled, say, say_findings};
use super::target::Targets;
use super::{Exit, edit, handoff};
use super::{clusters, given};
use crate::api::{Bind, ImageUpdateSpec, OnUnresolved};
use crate::binding::bindings::BindingConfig;
use crate::checkout::git::Repositories;
use crate::checkout::git::index::Index;
use crate::checkout::write::{self, Staged};
use crate::checkout::{self, CannotPlan, Request};
use crate::commit::commits::{Commit, CommitSettings, hand_off};
use crate::documents::Documents;
use crate::documents::builder::Builder;
use crate::finding::{Code, Finding, Location, Severity};
use crate::foreign::json_pretty;
use crate::function::config;
use crate::parallel;
use crate::plan::outcome::Change;
use crate::plan::planned::Planned;
use crate::report::json::{self, Report};
use crate::report::stored::{self, Forms};
use crate::report::{github, gitlab, markdown, sarif, text};
use go_template::time::Time;

/// Updates files in place.
pub(super) fn run(args: &UpdateArgs) -> anyhow::Result<Exit> {
    let targets = Targets::new(args)?;
    let Some(request) = request(args)? else {
        return Ok(Exit::Usage);
    };
    let edits = !(args.check || args.dry_run || args.diff);
    let lock = edits.then(|| edit::lock(&args.paths)).transpose()?;
    // What another run was about to change is read behind it.
    let repositories = Repositories::default();
    let mut planned = plan(args, &request, &repositories)?;
    let hard_links = write::hard_links(&planned.replacements);
    planned.outcome.findings.extend(hard_links);
    let now = handoff::moment(&args.handoff);
    let commits = commits(args, &mut planned, &Time::utc(now));
    let forms = forms(args, &repositories, &mut planned);
    let is_broken = planned.outcome.findings.iter().any(is_template_fault);
    let is_kept_back = is_broken && !args.handoff.keep_going;
    let lock = lock.filter(|_| !is_kept_back);
    let writes = lock.is_some();
    let mut staged = None;
    if let Some(lock) = &lock {
        staged = edit::stage(&planned.replacements, lock, args.fsync)?;
        if staged.is_none() {
            return Ok(Exit::Interrupted);
        }
    }
    let lost = staged.as_ref().map(Staged::findings);
    planned.outcome.findings.extend(lost.unwrap_or_default());
    let report = LazyCell::new(|| Report::new(&planned, &commits, writes, now));
    let contents = Contents {
        planned: &planned,
        commits: &commits,
        forms: &forms,
        report: &|| &report,
    };
    let files = OutputFiles::stage(args, &targets, contents, !is_kept_back)?;
    if let Some(staged) = staged
        && edit::replace(staged)?.is_none()
    {
        return Ok(Exit::Interrupted);
    }
    let after = || match writes {
        true => "the files were edited, but not every output could be written",
        false => "not every output could be written",
    };
    let left_out: Vec<Finding> = files.left_out.iter().map(|name| expandable(name)).collect();
    files.write().with_context(after)?;
    say_findings(planned.outcome.findings.iter().chain(&left_out));
    show(args, &planned, writes, &report).with_context(after)?;
    if is_kept_back {
        say("no file was changed; `--keep-going` edits them all the same\n");
    } else if args.handoff.message_file.is_some()
        && let Some(count) = json::messages_in_one(&report.automations)
    {
        say(format_args!(
            "`--message-file` holds {count} messages below one subject; `--patch-dir DIR` writes each with its own patch\n"
        ));
    }
    let outdated = args.check && !planned.outcome.changes.is_empty();
    let exit = Exit::of(&planned.outcome, outdated, args.strict);
    // The process ends here: giving back thousands of texts one by one would
    // only take time.
    std::mem::forget((planned, commits));
    Ok(exit)
}

/// What the user asked for; `None` where the options are wrong, which was said.
fn request(args: &UpdateArgs) -> anyhow::Result<Option<Request>> {
    let repositories = Repositories::default();
    let mut bindings = BindingConfig::default();
    let mut policies = given::documents(&args.policies, &repositories)?;
    if let Some(path) = &args.config {
        let Some(config) = read_config(path, &mut Builder::default())? else {
            return Ok(None);
        };
        bindings = of_config(path, config.settings)?;
        // Its documents count as those of `--policies`.
        let given = given::with_place(path, config.name, config.text, &repositories);
        policies.push(given);
    }
    if let Some(bind) = args.bind {
        bindings.bind = bind;
    }
    let options = OptionsFile::read(&repositories, &args.paths)?;
    options.say(&repositories, &args.paths);
    if args.config.is_none() {
        let file = options.bindings().clone();
        bindings = BindingConfig {
            bind: args.bind.unwrap_or(file.bind),
            ..file
        };
    }
    let mut request = Request {
        current: std::env::current_dir().context("cannot tell the current folder")?,
        paths: args.paths.clone(),
        alone: None,
        policies,
        tags_from: args.tags_from.clone(),
        on_unresolved: if args.allow_unresolved {
            OnUnresolved::Warn
        } else {
            OnUnresolved::Fail
        },
        freshness: freshness(args.max_age),
        refresh: network::refresh(&args.registries)?,
        secrets: network::secrets(&args.registries.secrets)?,
        only: handoff::only(&args.only)?,
        labels: args.handoff.labels && matches!(args.output, Output::Markdown | Output::Github),
        bindings,
        clusters: clusters::of(&args.clusters, args.registries.offline)?,
        has_tree_documents: !args.clusters.no_tree_documents,
        also_read: &[],
    };
    options.apply(&mut request)?;
    Ok(Some(request))
}

/// What an ImageUpdate says of bindings. Its other options are flags here.
fn of_config(path: &Path, config: config::Settings) -> anyhow::Result<BindingConfig> {
    let rest = ImageUpdateSpec {
        bind: Bind::default(),
        image_fields: Vec::new(),
        bindings: Vec::new(),
        repositories: Vec::new(),
        policies: Vec::new(),
        snapshots: Vec::new(),
        ..config.spec.clone()
    };
    let name = path.display();
    if rest != ImageUpdateSpec::default() || config.namespace.is_some() {
        bail!(
            "{name}: `update` takes only `bind`, `imageFields`, `bindings` and documents from there; give the rest as flags (`--check`, `--tags-from`, `--allow-unresolved`)"
        );
    }
    if config.spec.bind == Bind::Origin {
        bail!("{name}: `bind: Origin` is for `kustomize build`; files have their markers");
    }
    Ok(config.bindings)
}

fn plan(
    args: &UpdateArgs,
    request: &Request,
    repositories: &Repositories,
) -> anyhow::Result<Planned> {
    let mut asker = Asker::new(&args.registries, Caller::Person, request.refresh.clone());
    let mut ask = |documents: &Documents, questions: &[_]| {
        // Who names an image knows of something new in it.
        if let Ok((_, repositories)) = request.only.targets(documents) {
            asker.ask_anew(repositories);
        }
        asker.ask(documents, questions)
    };
    let planned = checkout::plan(request, repositories, Some(&mut ask));
    let mut planned = planned.map_err(|error| {
        let CannotPlan::NoScope(findings) = &error else {
            return error.into();
        };
        say_findings(findings);
        if !request.clusters.paths.is_empty() {
            return anyhow::anyhow!(
                "no ImageUpdateAutomation is among the documents that the cluster sees, and no PATH was given"
            );
        }
        anyhow::anyhow!(
            "{error}\n  hint: `flux-image update .` edits every marked value below this folder"
        )
    })?;
    if args.check {
        planned.outcome.judge();
    }
    Ok(planned)
}

/// The commits to be made, with what is wrong about them among the findings.
fn commits(args: &UpdateArgs, planned: &mut Planned, now: &Time) -> Vec<Commit> {
    let setting = CommitSettings {
        split_by: args.handoff.split_by,
        legacy: args.handoff.legacy_templates,
        needs_messages: args.handoff.wants_messages(),
        needs_branches: args.handoff.wants_branches(),
        now,
    };
    let (commits, findings) = hand_off(planned, &setting);
    planned.outcome.findings.extend(findings);
    commits
}

/// In which form git stores the files that patches are for.
fn forms(args: &UpdateArgs, repositories: &Repositories, planned: &mut Planned) -> Forms {
    if args.handoff.patch_dir.is_none() {
        return Forms::default();
    }
    let repository = repositories.of(&planned.root);
    // One that cannot be read is among the findings.
    let index = repository.as_ref().and_then(|found| found.index().ok());
    let (forms, findings) = stored::forms(planned, index.unwrap_or(&Index::default()));
    planned.outcome.findings.extend(findings);
    forms
}

fn is_template_fault(finding: &Finding) -> bool {
    let is_fault = matches!(finding.code, Code::BadTemplate | Code::BadBranch);
    is_fault && finding.severity == Severity::Error
}

/// Prints what changed. `report` is made where it is looked at.
fn show(
    args: &UpdateArgs,
    planned: &Planned,
    written: bool,
    report: &impl Deref<Target = Report>,
) -> anyhow::Result<()> {
    let text = match args.output {
        Output::Text => return show_to_people(args, planned, written),
        Output::Json => json_pretty(&**report)? + "\n",
        Output::Markdown => markdown::body(planned, args.markdown_limit),
        Output::Github => github::annotations(&from_root(planned, report)),
        Output::Gitlab => gitlab::code_quality(&from_root(planned, report), args.check)?,
        Output::Sarif => sarif::log(&from_root(planned, report), args.check)?,
    };
    print([text])
}

/// The report for a forge, which names files from the root of the repository.
fn from_root(planned: &Planned, report: &Report) -> Report {
    let current = std::env::current_dir().and_then(|current| current.canonicalize());
    let current = current.unwrap_or_default();
    let inside = |file: &str| options_file::inside(&planned.root, &current, file);
    report.clone().with_files(&inside)
}

/// Why a variable is left out of a dotenv report.
fn expandable(name: &str) -> Finding {
    let message = format!(
        "`{name}` is left out of the dotenv report: its value contains `$`, which GitLab would expand"
    );
    Finding::warning(Code::DoubtfulTemplate, message, Location::default())
        .hint("read it from the file of `--branch-file`, `--message-file` or `--report`")
}

/// The changes, a line each, or a diff.
fn show_to_people(args: &UpdateArgs, planned: &Planned, written: bool) -> anyhow::Result<()> {
    if args.diff {
        print_diff(&planned.replacements)?;
    } else {
        let lines = |chunk: &[Change]| chunk.iter().map(text::change).collect();
        print_styled(parallel::map(&planned.outcome.changes, &lines))?;
    }
    let files = planned.replacements.len();
    say(text::summary(&planned.outcome, files, written));
    Ok(())
}
