//! Which clusters a repository is for, and whether their view of it is needed.
//!
//! Documents that are complete as they lie are read as they lie. Those that are plainly
//! parts of what a build makes of them are read from the builds, where the folders of
//! the clusters can be found: by the Kustomization that `flux bootstrap` writes into
//! the folder that it builds, or by a FluxInstance.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use memchr::memmem::{self, Finder};
use serde_json::Value;

use super::files::{Files, Outlined};
use super::regular_file::{self, MAX_BYTES};
use super::source_files::SourceFile;
use crate::api::{Id, ImagePolicySpec, ImageRepositorySpec, ImageUpdateAutomationSpec};
use crate::binding::marker::{self, Comment, MarkerTarget};
use crate::cluster::applied::Identity;
use crate::cluster::artifact;
use crate::cluster::flux::{self, FluxKustomization};
use crate::cluster::kustomization;
use crate::documents::Documents;
use crate::parallel;

/// Why documents may be parts of a build of which one cannot be read, which is said.
pub const UNREADABLE: &str = "a document cannot be read as it lies";

/// Why documents as they lie are plainly parts of what a build makes of them, if they
/// are.
#[must_use]
pub fn why_parts(documents: &Documents) -> Option<&'static str> {
    let specs = || documents.policies.values().map(|one| &one.document.spec);
    if specs().any(|spec| spec.policy == Default::default()) {
        return Some("an ImagePolicy has no `spec.policy`");
    }
    if specs().any(|spec| spec.image_repository_ref.name.is_empty()) {
        return Some("an ImagePolicy has no `spec.imageRepositoryRef`");
    }
    if has_variables(documents) {
        return Some("documents have variables (`${…}`)");
    }
    if documents.policies.keys().any(|id| id.namespace.is_empty()) {
        return Some("an ImagePolicy has no namespace");
    }
    let has_twins = documents
        .policies
        .values()
        .any(|one| one.conflict.is_some())
        || documents
            .repositories
            .values()
            .any(|one| one.conflict.is_some())
        || documents
            .automations
            .values()
            .any(|one| one.conflict.is_some());
    if has_twins {
        return Some("several different documents have one name");
    }
    let is_broken = !documents.unreadable.is_empty() || documents.has_unreadable_automation;
    is_broken.then_some(UNREADABLE)
}

/// Whether a field that counts waits for the value of a variable.
fn has_variables(documents: &Documents) -> bool {
    let has_one = |text: &str| text.contains("${");
    let is_named = |id: &Id| has_one(&id.name) || has_one(&id.namespace);
    let ids = documents.policies.keys();
    let ids = ids.chain(documents.repositories.keys());
    let mut ids = ids.chain(documents.automations.keys());
    let mut policies = documents.policies.values();
    let mut repositories = documents.repositories.values();
    let mut automations = documents.automations.values();
    ids.any(is_named)
        || policies.any(|one| texts_of_policy(&one.document.spec).any(has_one))
        || policies_extract_one(documents)
        || repositories.any(|one| texts_of_repository(&one.document.spec).any(has_one))
        || automations.any(|one| texts_of_automation(&one.document.spec).any(has_one))
}

fn texts_of_policy(spec: &ImagePolicySpec) -> impl Iterator<Item = &str> {
    let choice = &spec.policy;
    let orders = [&choice.alphabetical, &choice.numerical]
        .into_iter()
        .flatten();
    let range = choice.semver.iter().map(|one| &one.range);
    let patterns = spec.filter_tags.iter().map(|one| &one.pattern);
    let texts = range.chain(orders.map(|one| &one.order)).chain(patterns);
    let texts = texts.chain([&spec.image_repository_ref.name]);
    let texts = texts.chain(&spec.image_repository_ref.namespace);
    texts
        .chain(&spec.digest_reflection_policy)
        .map(String::as_str)
}

/// Whether a policy extracts `${NAME}` where its pattern has no such group.
fn policies_extract_one(documents: &Documents) -> bool {
    let filters = documents.policies.values();
    let mut filters = filters.filter_map(|one| one.document.spec.filter_tags.as_ref());
    filters.any(|filter| {
        let mut names = filter.extract.split("${").skip(1);
        names.any(|rest| {
            let name = rest.split('}').next().unwrap_or_default();
            name.parse::<usize>().is_err() && !filter.pattern.contains(&format!("<{name}>"))
        })
    })
}

fn texts_of_repository(spec: &ImageRepositorySpec) -> impl Iterator<Item = &str> {
    let references = [
        &spec.secret_ref,
        &spec.proxy_secret_ref,
        &spec.cert_secret_ref,
    ];
    let references = references.into_iter().flatten().map(|one| &one.name);
    let texts = references.chain([&spec.image]).chain(&spec.exclusion_list);
    let texts = texts.chain(&spec.service_account_name);
    texts.chain(&spec.provider).map(String::as_str)
}

fn texts_of_automation(spec: &ImageUpdateAutomationSpec) -> impl Iterator<Item = &str> {
    let source = &spec.source_ref;
    let texts = [&source.name].into_iter().chain(&source.namespace);
    let checkout = spec.git.checkout.iter().map(|one| &one.reference);
    let branches = checkout.flat_map(|one| [&one.branch, &one.tag, &one.name]);
    let pushes = [&spec.git.push, &spec.push].into_iter().flatten();
    let pushes = pushes.flat_map(|one| [&one.branch, &one.refspec]);
    let commits = spec.commit.iter().chain([&spec.git.commit]);
    let commits = commits.flat_map(|one| {
        let author = [&one.author.name, &one.message_template];
        author.into_iter().flatten().chain([&one.author.email])
    });
    let labels = spec.policy_selector.iter();
    let labels = labels.flat_map(|one| one.match_labels.values());
    let texts = texts.chain(branches.chain(pushes).flatten());
    let texts = texts.chain(commits).chain(labels);
    texts.chain(&spec.update.path).map(String::as_str)
}

/// Policies that markers name.
pub struct MarkedPolicies {
    /// Those that lie in the tree.
    pub known: BTreeSet<Id>,
    /// Those that do not.
    pub unknown: BTreeSet<Id>,
}

/// The policies that markers name, where some do not lie in the tree and a build may name
/// one so: with another namespace, or another name.
#[must_use]
pub fn named_by_builds(
    documents: &Documents,
    outlined: &[Outlined<'_>],
    beside: &[SourceFile],
) -> Option<MarkedPolicies> {
    let marked = outlined.iter().map(|one| one.source);
    let marked = marked.filter(|source| source.has_markers && !source.is_link);
    let is_known =
        |id: &Id| documents.policies.contains_key(id) || documents.unreadable.contains_key(id);
    let marked: Vec<&SourceFile> = marked.collect();
    let named = |chunk: &[&SourceFile]| {
        let mut comments = HashSet::new();
        for source in chunk {
            comments.extend(comments_of(&source.text));
        }
        comments.into_iter().filter_map(target).collect()
    };
    let named = parallel::map(&marked, &named).into_iter();
    let (known, unknown): (BTreeSet<Id>, BTreeSet<Id>) = named.partition(is_known);
    if unknown.is_empty() || documents.policies.is_empty() {
        return None;
    }
    let names: BTreeSet<&str> = (documents.policies.keys())
        .map(|id| id.name.as_str())
        .collect();
    let is_elsewhere = unknown.iter().any(|id| names.contains(id.name.as_str()));
    let words = ["namePrefix:", "nameSuffix:", "metadata/name"].map(Finder::new);
    let mut kustomizations = outlined
        .iter()
        .map(|one| one.source)
        .chain(beside)
        .filter(|source| source.is_kustomization);
    let mut renames = || {
        kustomizations.any(|source| {
            let text = source.text.as_bytes();
            words.iter().any(|word| word.find(text).is_some())
        })
    };
    (is_elsewhere || renames()).then_some(MarkedPolicies { known, unknown })
}

/// What may be markers in a text: of each line that holds the token, the comment that does.
fn comments_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let token = memmem::find(rest.as_bytes(), marker::TOKEN.as_bytes())?;
            let line = rest[..token].rfind('\n').map_or(0, |at| at + 1);
            let end = memchr::memchr(b'\n', &rest.as_bytes()[token..]);
            let end = end.map_or(rest.len(), |at| token + at);
            let hash = rest[line..token].rfind('#');
            let comment = hash.map(|at| rest[line + at..end].trim_end_matches('\r'));
            rest = &rest[end..];
            if comment.is_some() {
                return comment;
            }
        }
    })
}

/// The policy that a comment names.
fn target(comment: &str) -> Option<Id> {
    let Comment::Marker(value) = marker::read(comment) else {
        return None;
    };
    let target = MarkerTarget::parse(&value)?;
    Some(Id::new(target.namespace, target.name))
}

/// The folders of the clusters that a checkout is for, in the order of their paths.
#[must_use]
pub fn folders(files: &Files) -> Vec<PathBuf> {
    let words = [flux::KUSTOMIZE_GROUP, flux::OPERATOR_GROUP].map(Finder::new);
    let mut roots: BTreeMap<String, bool> = BTreeMap::new();
    for file in files.listing.files.iter().filter(|file| !file.is_link) {
        let inside = file.path.strip_prefix(&files.root).ok();
        let Some(inside) = inside.and_then(Path::to_str) else {
            continue;
        };
        let Ok((bytes, _)) = regular_file::read(&file.path, MAX_BYTES) else {
            continue;
        };
        if !words.iter().any(|word| word.find(&bytes).is_some()) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        for document in kustomization::documents(&text).unwrap_or_default() {
            if let Some((folder, is_sure)) = root_of(&document, inside) {
                *roots.entry(folder).or_default() |= is_sure;
            }
        }
    }
    // What bootstrap wrote is a root; another one that holds itself may be part of one.
    let has_sure = roots.values().any(|is_sure| *is_sure);
    let roots = roots
        .into_iter()
        .filter(|(_, is_sure)| *is_sure || !has_sure);
    let folders = roots.map(|(folder, _)| files.root.join(folder));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// The GitRepositories that some texts say are this checkout, and which file says so: by a
/// Kustomization, or a FluxInstance, that applies the folder which it lies in itself, as
/// `flux bootstrap` writes it. That one applies the root says nothing: those of other
/// repositories do, too; unless it is called as bootstrap's is.
pub fn own_sources<'t>(texts: impl Iterator<Item = (&'t Path, &'t str)>) -> BTreeMap<Id, PathBuf> {
    let words = [flux::KUSTOMIZE_GROUP, flux::OPERATOR_GROUP].map(Finder::new);
    let mut own = BTreeMap::new();
    for (inside, text) in texts {
        let has_one = words
            .iter()
            .any(|word| word.find(text.as_bytes()).is_some());
        let Some(file) = inside.to_str().filter(|_| has_one) else {
            continue;
        };
        for document in kustomization::documents(text).unwrap_or_default() {
            let identity = Identity::of(&document);
            let found = match (identity.group, identity.kind) {
                (flux::KUSTOMIZE_GROUP, "Kustomization") => {
                    let id = Id::new(identity.namespace, identity.name);
                    let one = FluxKustomization::read(&document, id).ok();
                    let says = |one: &FluxKustomization| {
                        let is_sure = one.id.name == "flux-system";
                        one.spec.path.is_some() && (is_sure || !one.folder().is_empty())
                    };
                    one.filter(says).map(|one| (one.folder(), one.source()))
                }
                (flux::OPERATOR_GROUP, "FluxInstance") => {
                    let sync = flux::instance_sync(&document, identity.namespace);
                    sync.map(|sync| (sync.folder, sync.source))
                }
                _ => None,
            };
            if let Some((folder, source)) = found
                && source.kind == "GitRepository"
                && artifact::is_below(&folder, file)
            {
                own.entry(source.id).or_insert_with(|| inside.to_path_buf());
            }
        }
    }
    own
}

/// The folder that a document of a file says is a cluster's, and whether it is one for
/// sure.
fn root_of(document: &Value, file: &str) -> Option<(String, bool)> {
    let identity = Identity::of(document);
    match (identity.group, identity.kind) {
        (flux::KUSTOMIZE_GROUP, "Kustomization") => {
            let id = Id::new(identity.namespace, identity.name);
            let kustomization = FluxKustomization::read(document, id).ok()?;
            let path = kustomization.spec.path.as_deref()?;
            let folder = artifact::rooted(path);
            let is_inside = artifact::is_below(&folder, file);
            // As bootstrap calls it, in a patch of it, too.
            let is_sure = kustomization.id.name == "flux-system";
            let counts = (is_inside || is_sure) && !path.contains("${");
            counts.then_some((folder, is_sure))
        }
        (flux::OPERATOR_GROUP, "FluxInstance") => {
            let sync = flux::instance_sync(document, identity.namespace)?;
            Some((sync.folder, true))
        }
        _ => None,
    }
}
