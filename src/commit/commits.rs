//! What the commits of a run need: whose changes they hold, their message and
//! their branch. There is one commit for each automation, or for each policy,
//! image or folder of one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use clap::ValueEnum;

use crate::api::Id;
use crate::commit::branch::{self, Push};
use crate::commit::data::{self, Changed, Data};
use crate::commit::render::{self, MessageError};
use crate::finding::{Code, Finding, Location, Severity};
use crate::path_name;
use crate::plan::outcome::Change;
use crate::plan::planned::{Owner, Planned};
use go_template::time::Time;

/// What gets a commit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// Each ImageUpdateAutomation
    #[default]
    Automation,
    /// Each ImagePolicy of one
    Policy,
    /// Each image of one
    Image,
    /// Each folder of one
    Folder,
}

/// How commits are made.
#[derive(Clone, Copy, Debug)]
pub struct CommitSettings<'s> {
    /// What gets a commit of its own.
    pub split_by: SplitBy,
    /// Whether templates may use what Flux has removed.
    pub legacy: bool,
    /// Whether somebody asked for messages. Where nobody did, a template of an
    /// old version is a warning.
    pub needs_messages: bool,
    /// Whether somebody asked for a branch.
    pub needs_branches: bool,
    /// The moment that branches are named after.
    pub now: &'s Time,
}

/// A commit to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Which of the run's owners it is for; `None` where the user named PATHs.
    pub owner: Option<usize>,
    /// The policy, image or folder, where it is for one.
    pub part: Option<String>,
    /// Which of the run's changes it holds.
    pub changes: Vec<usize>,
    /// Its message; `None` where the template gives none, which is a finding.
    pub message: Option<String>,
    /// Where it goes; `None` where nothing says so, or it is a finding.
    pub push: Option<Push>,
    /// Why Flux could not make it, or not push it.
    pub faults: Vec<String>,
}

/// The commits of a run, in the order in which they are to be made, and what is
/// wrong with their templates.
#[must_use]
pub fn hand_off(planned: &Planned, setting: &CommitSettings<'_>) -> (Vec<Commit>, Vec<Finding>) {
    let paths = paths_of(planned);
    let mut groups: BTreeMap<(Option<usize>, String), Vec<usize>> = BTreeMap::new();
    for (number, change) in planned.outcome.changes.iter().enumerate() {
        let part = part_of(change, planned, &paths, setting.split_by);
        groups.entry((change.owner, part)).or_default().push(number);
    }
    let mut findings = Vec::new();
    let mut commits: Vec<Commit> = groups
        .into_iter()
        .map(|((owner, part), changes)| {
            let mut commit = Commit {
                owner,
                part: (setting.split_by != SplitBy::Automation).then_some(part),
                changes,
                message: None,
                push: None,
                faults: Vec::new(),
            };
            fill(&mut commit, planned, &paths, setting, &mut findings);
            commit
        })
        .collect();
    tell_apart(&mut commits);
    // The same template fails alike for each part of an automation.
    let mut told = HashSet::new();
    findings.retain(|one| told.insert((one.location.to_string(), one.message.clone())));
    (commits, findings)
}

/// What is wrong with the templates of automations, whatever they would commit.
#[must_use]
pub fn check_templates(owners: &[Owner], now: &Time) -> Vec<Finding> {
    let changed = Changed::default();
    let check = |owner: &Owner| {
        let values = &owner.commit.message_template_values;
        let data = Data {
            automation: &owner.id,
            changed: &changed,
            values: (!values.is_empty()).then_some(values),
            legacy: false,
        };
        let template = owner.commit.message_template.as_deref().unwrap_or_default();
        let error = render::message(template, &data, now).err()?;
        let finding = fault(Some(owner), Code::BadTemplate, &error.to_string());
        let mut finding = finding.hint_if(error.hint());
        if matches!(error, MessageError::Removed(_)) {
            finding.severity = Severity::Warning;
        }
        Some(finding)
    };
    owners.iter().filter_map(check).collect()
}

/// Where the files are that changes name.
type Paths<'p> = HashMap<&'p str, &'p Path>;

fn paths_of(planned: &Planned) -> Paths<'_> {
    let files = planned.replacements.iter();
    files
        .map(|file| (file.name.as_str(), file.path.as_path()))
        .collect()
}

fn part_of(change: &Change, planned: &Planned, paths: &Paths<'_>, by: SplitBy) -> String {
    match by {
        SplitBy::Automation => String::new(),
        SplitBy::Policy => change.policy.to_string(),
        SplitBy::Image => {
            let image = planned.images.get(&change.policy_key());
            image.map_or_else(|| change.policy.to_string(), |image| image.name.clone())
        }
        SplitBy::Folder => {
            let name = change.location.file.as_str();
            let file = planned.inside(paths.get(name).copied().unwrap_or(Path::new(name)));
            match file.parent() {
                Some(folder) if folder != Path::new("") => path_name::shown(folder),
                _ => ".".to_owned(),
            }
        }
    }
}

/// Message and branch of a commit.
fn fill(
    commit: &mut Commit,
    planned: &Planned,
    paths: &Paths<'_>,
    setting: &CommitSettings<'_>,
    findings: &mut Vec<Finding>,
) {
    let owner = commit.owner.and_then(|owner| planned.owners.get(owner));
    let nobody = Id::default();
    let template = owner.and_then(|owner| owner.commit.message_template.as_deref());
    let branch = owner.and_then(|owner| owner.push.as_ref()?.branch.as_deref());
    // What nobody looks at need not be made.
    let is_seen = [template, branch]
        .into_iter()
        .flatten()
        .any(render::has_actions);
    let changed = if is_seen {
        changed(&commit.changes, owner, planned, paths)
    } else {
        Changed::default()
    };
    let data = Data {
        automation: owner.map_or(&nobody, |owner| &owner.id),
        changed: &changed,
        values: owner
            .map(|owner| &owner.commit.message_template_values)
            .filter(|values| !values.is_empty()),
        legacy: setting.legacy,
    };
    match render::message(template.unwrap_or_default(), &data, setting.now) {
        Ok(message) => commit.message = Some(message),
        Err(error) => {
            commit
                .faults
                .push(format!("`git.commit.messageTemplate`: {error}"));
            let finding = fault(owner, Code::BadTemplate, &error.to_string());
            let mut finding = finding.hint_if(error.hint());
            if matches!(error, MessageError::Removed(_)) && !setting.needs_messages {
                finding.severity = Severity::Warning;
            }
            findings.push(finding);
        }
    }
    if let Some(owner) = owner {
        fill_push(commit, owner, planned, &data, setting, findings);
    }
}

/// Where a commit of an automation goes.
fn fill_push(
    commit: &mut Commit,
    owner: &Owner,
    planned: &Planned,
    data: &Data<'_>,
    setting: &CommitSettings<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut push = match branch::push(owner.push.as_ref(), owner.checkout.as_ref()) {
        Ok(push) => push,
        // The pipeline knows its own branch. Flux has none where a `ref` names none; what the
        // GitRepository says is not known where there is no `ref`.
        Err(error) => {
            let is_sure = owner.checkout.is_some();
            commit.faults.extend(is_sure.then(|| error.to_string()));
            return;
        }
    };
    let is_said = || is_said_unknown(&planned.outcome.findings, &owner.location);
    if let Some(doubt) = branch::doubt(&push.branch)
        && !(doubt.is_variable && is_said())
    {
        let message = format!(
            "ImageUpdateAutomation `{}`: `push.branch`: {}",
            owner.id, doubt.what
        );
        let finding = Finding::warning(Code::DoubtfulTemplate, message, owner.location.clone());
        findings.push(finding.hint(doubt.hint));
    }
    match branch::name(&push.branch, data, setting.now) {
        Ok(name) => {
            findings.extend(said_of(&name, &push, owner, setting));
            findings.extend(pushed_besides(&name, &push, owner, setting));
            push.branch = name;
            commit.push = Some(push);
        }
        Err(error) => {
            commit.faults.push(format!("`git.push.branch`: {error}"));
            findings.push(fault(Some(owner), Code::BadBranch, &error.to_string()));
        }
    }
}

/// Whether it was said of an automation that its variables are not known.
fn is_said_unknown(findings: &[Finding], at: &Location) -> bool {
    let name = |location: &Location| location.resource.as_ref().map(|one| one.name.clone());
    let mut unknown = findings
        .iter()
        .filter(|one| one.code == Code::UnknownVariable);
    unknown.any(|one| one.location.file == at.file && name(&one.location) == name(at))
}

/// What a pipeline should know before it pushes there. That it pushes to the
/// branch it came from is how many want it, and told only who asks for a message.
fn said_of(
    name: &str,
    push: &Push,
    owner: &Owner,
    setting: &CommitSettings<'_>,
) -> Option<Finding> {
    let doubt = branch::doubt_of_name(name, push)?;
    let severity = if name.starts_with("refs/") {
        Severity::Warning
    } else if setting.needs_messages {
        Severity::Info
    } else {
        return None;
    };
    let message = format!(
        "ImageUpdateAutomation `{}`: `push.branch`: {}",
        owner.id, doubt.what
    );
    let location = owner.location.clone();
    let finding = Finding::new(severity, Code::DoubtfulTemplate, message, location);
    Some(finding.hint(doubt.hint))
}

/// That Flux pushes elsewhere, too, which a branch alone does not tell.
fn pushed_besides(
    name: &str,
    push: &Push,
    owner: &Owner,
    setting: &CommitSettings<'_>,
) -> Option<Finding> {
    let refspec = push.refspec.as_ref().filter(|_| setting.needs_branches)?;
    let message = format!(
        "ImageUpdateAutomation `{}`: Flux pushes `{refspec}` (`push.refspec`) besides the branch `{name}`",
        owner.id
    );
    let location = owner.location.clone();
    let finding = Finding::info(Code::DoubtfulTemplate, message, location);
    Some(
        finding
            .hint("push both: `--branch-file` has the branch alone, `--report` has `refspec`, too"),
    )
}

fn fault(owner: Option<&Owner>, code: Code, what: &str) -> Finding {
    let (name, location) = match owner {
        Some(owner) => (owner.id.to_string(), owner.location.clone()),
        None => return Finding::error(code, what, Default::default()),
    };
    let field = match code {
        Code::BadBranch => "git.push.branch",
        _ => "git.commit.messageTemplate",
    };
    let message = format!("ImageUpdateAutomation `{name}`, {field}: {what}");
    Finding::error(code, message, location)
}

/// What a template sees of some changes. Files are named from `update.path` on,
/// as Flux names them.
fn changed(
    numbers: &[usize],
    owner: Option<&Owner>,
    planned: &Planned,
    paths: &Paths<'_>,
) -> Changed {
    let mut changed = Changed::default();
    for number in numbers {
        let change = &planned.outcome.changes[*number];
        let name = change.location.file.as_str();
        let path = paths.get(name).copied().unwrap_or(Path::new(name));
        let base = owner.map_or(planned.root.as_path(), |owner| owner.base.as_path());
        let file = match path.strip_prefix(base) {
            Ok(inside) if !inside.as_os_str().is_empty() => path_name::shown(inside),
            Ok(_) => path
                .file_name()
                .map_or_else(String::new, |name| path_name::shown(Path::new(name))),
            Err(_) => name.to_owned(),
        };
        let object = change.location.resource.clone().unwrap_or_default();
        let seen = data::SeenChange {
            old: change.value_before().to_owned(),
            new: change.new.clone(),
            setter: change.setter.clone(),
            image: planned.images.get(&change.policy_key()).cloned(),
        };
        changed.add(&file, object, seen);
    }
    changed
}

/// Gives each part of an automation a branch of its own, where they would all
/// go to one that is not the checked out one.
fn tell_apart(commits: &mut [Commit]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for push in commits.iter().filter_map(|commit| commit.push.as_ref()) {
        *uses.entry(push.branch.clone()).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let mut next_of: HashMap<String, usize> = HashMap::new();
    for commit in commits {
        let (Some(part), Some(push)) = (&commit.part, &mut commit.push) else {
            continue;
        };
        if push.switches && uses.get(&push.branch).is_some_and(|uses| *uses > 1) {
            let name = format!("{}-{}", push.branch, slug(part));
            // Where many are called alike, no number is tried twice.
            let next = next_of.entry(name.clone()).or_insert(1);
            push.branch = loop {
                let numbered = match *next {
                    1 => name.clone(),
                    number => format!("{name}-{number}"),
                };
                *next += 1;
                if taken.insert(numbered.clone()) {
                    break numbered;
                }
            };
        }
    }
}

/// A name as part of a file's or branch's: letters, digits, and `-` for all
/// else.
#[must_use]
pub fn slug(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let slug: String = name.chars().map(plain).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "x".to_owned()
    } else {
        slug.to_owned()
    }
}
