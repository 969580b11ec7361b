//! Completion: `__complete`, in the words of cobra, which `flux` passes on to its
//! plugins; and scripts for shells, which ask the same.
//!
//! `__complete ARGS… TOCOMPLETE` prints one value a line, with a tab and what it is,
//! and last `:` with a number: 0 where the shell may go on with files, 4 where not,
//! 2 more where no blank is to follow.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::CommandFactory as _;
use clap_complete::engine::{CompletionCandidate, complete};

use super::args::{Cli, CompletionArgs, RegistryArgs, Shell};
use super::function::freshness;
use super::streams::print;
use super::{Exit, scan};
use crate::api::{Id, ImagePolicy};
use crate::checkout;
use crate::checkout::git::Repositories;
use crate::documents::{Documents, Sourced};

const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// Prints what may stand in the place of the last argument.
pub(super) fn answer(arguments: &[OsString]) -> anyhow::Result<Exit> {
    let mut words = vec![OsString::from("flux-image")];
    words.extend_from_slice(arguments);
    if arguments.is_empty() {
        words.push(OsString::new());
    }
    let last = words.len() - 1;
    // Files are the shell's own business, hence no folder.
    let candidates = complete(&mut Cli::command(), words, last, None).unwrap_or_default();
    // Flags are offered to whom asks for one: where nothing is typed, a path or a
    // value is meant.
    let wants_flags = arguments
        .last()
        .is_some_and(|word| word.to_string_lossy().starts_with('-'));
    let is_flag = |one: &CompletionCandidate| one.get_value().to_string_lossy().starts_with('-');
    let fits = |one: &CompletionCandidate| !one.is_hide_set() && (wants_flags || !is_flag(one));
    let candidates: Vec<_> = candidates.into_iter().filter(fits).collect();
    let mut text = String::new();
    let mut directive = if candidates.is_empty() { 0 } else { NO_FILES };
    for candidate in &candidates {
        let value = candidate.get_value().to_string_lossy();
        if value.ends_with([':', '/']) {
            directive |= NO_SPACE;
        }
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default().replace(['\n', '\t'], " ");
        text.push_str(&value);
        if !help.is_empty() {
            text.push('\t');
            text.push_str(&help);
        }
        text.push('\n');
    }
    text.push_str(&format!(":{directive}\n"));
    print([text])?;
    Ok(Exit::Done)
}

/// Prints the script of a shell.
pub(super) fn script(args: &CompletionArgs) -> anyhow::Result<Exit> {
    let script = match args.shell {
        Shell::Bash => include_str!("shells/bash"),
        Shell::Zsh => include_str!("shells/zsh"),
        Shell::Fish => include_str!("shells/fish"),
    };
    print([script])?;
    Ok(Exit::Done)
}

/// The documents of the repository that the shell is in; none where they cannot
/// be read, since nobody asked for errors.
fn documents() -> Documents {
    let freshness = freshness(std::time::Duration::MAX);
    let (args, registries) = (Default::default(), RegistryArgs::default());
    let repositories = Repositories::default();
    let request = scan::request(&args, &registries, freshness, &repositories);
    let documents = request
        .ok()
        .and_then(|request| checkout::documents(&request, &repositories).ok());
    documents.unwrap_or_default()
}

/// Names of documents as `NAMESPACE` with `separator` and name. With nothing typed
/// yet and several namespaces, these come first.
fn names<'d>(
    documents: impl Iterator<Item = (&'d Id, String)>,
    separator: char,
    typed: &OsStr,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let mut namespaces: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (id, help) in documents {
        let name = format!("{}{separator}{}", id.namespace, id.name);
        let all = namespaces.entry(id.namespace.clone()).or_default();
        all.push((name, help));
    }
    let is_named = typed.contains(separator) || namespaces.len() < 2;
    let candidates: Vec<(String, String)> = if is_named {
        namespaces.into_values().flatten().collect()
    } else {
        let one = |(namespace, all): (String, Vec<_>)| {
            (
                format!("{namespace}{separator}"),
                format!("{} in this namespace", all.len()),
            )
        };
        namespaces.into_iter().map(one).collect()
    };
    let fits = candidates
        .into_iter()
        .filter(|(name, _)| name.starts_with(&*typed));
    fits.map(|(name, help)| CompletionCandidate::new(name).help(Some(help.into())))
        .collect()
}

/// ImagePolicies, as `NAMESPACE:NAME`.
pub(super) fn policies(typed: &OsStr) -> Vec<CompletionCandidate> {
    let documents = documents();
    let help = |policy: &Sourced<ImagePolicy>| {
        let repository = &policy.document.spec.image_repository_ref.name;
        format!("ImagePolicy of ImageRepository {repository}")
    };
    let all = documents
        .policies
        .iter()
        .map(|(id, policy)| (id, help(policy)));
    names(all, ':', typed)
}

/// ImageRepositories, as `NAMESPACE/NAME`.
pub(super) fn repositories(typed: &OsStr) -> Vec<CompletionCandidate> {
    let documents = documents();
    let all = documents.repositories.iter();
    let all = all.map(|(id, repository)| (id, repository.document.spec.image.clone()));
    names(all, '/', typed)
}

/// ImageUpdateAutomations, as `NAMESPACE/NAME`.
pub(super) fn automations(typed: &OsStr) -> Vec<CompletionCandidate> {
    let documents = documents();
    let path = |path: Option<&String>| path.cloned().unwrap_or_else(|| ".".to_owned());
    let all = documents.automations.iter().map(|(id, automation)| {
        let spec = &automation.document.spec;
        (id, format!("updates {}", path(spec.update.path.as_ref())))
    });
    names(all, '/', typed)
}

/// Images that ImageRepositories name.
pub(super) fn images(typed: &OsStr) -> Vec<CompletionCandidate> {
    let documents = documents();
    let typed = typed.to_string_lossy().into_owned();
    let mut images: BTreeMap<String, Id> = BTreeMap::new();
    for (id, repository) in &documents.repositories {
        let image = repository.document.spec.image.clone();
        images.entry(image).or_insert_with(|| id.clone());
    }
    let fits = images
        .into_iter()
        .filter(|(image, _)| image.starts_with(&typed));
    fits.map(|(image, id)| {
        let help = format!("ImageRepository {}/{}", id.namespace, id.name);
        CompletionCandidate::new(image).help(Some(help.into()))
    })
    .collect()
}
