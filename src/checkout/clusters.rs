//! The documents of a run as its clusters see them: built from the checkout's files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::BoundIn;
use super::address::Address;
use super::artifact::FolderArtifact;
use super::cluster_folders::MarkedPolicies;
use super::files::{self, Files, Outlined};
use super::git::Repositories;
use super::kustomize::{Kustomize, NoBuilder};
use super::request::{CannotPlan, Request};
use super::source_files::SourceFile;
use super::{cluster_folders, remotes};
use crate::api::{Id, ImageUpdateAutomation};
use crate::cluster::applied::Identity;
use crate::cluster::artifact::Artifact;
use crate::cluster::builds::World;
use crate::cluster::places;
use crate::cluster::view::{self, ClusterDocument, View};
use crate::documents::builder::{Builder, DocumentText};
use crate::documents::{Documents, Provenance, Rank, Sourced, Written};
use crate::finding::{Code, Finding, Location, Severity};
use crate::resource_list::{self, Object, Outline};
use yaml_edit_spans::emit;

/// What one cluster sees, or what lies in the tree.
pub struct Seen {
    /// The cluster's folder as the user names it; `None` for documents as they lie.
    pub cluster: Option<String>,
    /// The documents.
    pub documents: Documents,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What is said after there is nothing more to say of the documents.
    pub unread: Vec<Finding>,
}

/// The documents as they lie, and what else there is to know of them.
pub struct Found<'f> {
    /// The documents.
    pub lying: Seen,
    /// What they are for.
    pub bound_in: BoundIn,
    /// Those of flags.
    pub given: &'f Builder,
    /// Files that only help to read documents.
    pub beside: &'f [SourceFile],
}

/// The documents of the clusters in place of those as they lie, where these are parts
/// of builds and the clusters can be found; else those as they lie.
///
/// # Errors
/// Ctrl-C.
pub fn instead(
    found: Found<'_>,
    request: &Request,
    files: &Files,
    outlined: &mut [Outlined<'_>],
    repositories: &Repositories,
) -> Result<Vec<Seen>, CannotPlan> {
    let Found {
        mut lying,
        bound_in,
        given,
        beside,
    } = found;
    let needed = request.clusters.are_found.then(|| {
        let documents = &lying.documents;
        why_needed(documents, outlined, beside)
    });
    let Some((why, marked)) = needed.flatten() else {
        return Ok(vec![lying]);
    };
    let paths = cluster_folders::folders(files);
    if paths.is_empty() && why == cluster_folders::UNREADABLE {
        // The error says it, and nothing speaks of a build.
        return Ok(vec![lying]);
    }
    if paths.is_empty() {
        let message = format!("{why}, and no folder of a cluster was found that would build it");
        let finding = Finding::info(Code::BuiltClusters, message, Location::default());
        let hint = "if a cluster does, name the folder that `flux bootstrap --path` was given: `--cluster-path DIR`";
        let finding = marked.is_none().then(|| finding.hint(hint));
        lying.findings.extend(finding);
        return Ok(vec![lying]);
    }
    let shown: Vec<String> = paths.iter().map(|path| files.show(path)).collect();
    let list = crate::quote::list(shown.iter());
    let seen = match read(request, &paths, given, files, outlined, repositories) {
        Ok(seen) => seen,
        // What is not known is said where it counts.
        Err(CannotPlan::NoBuilder(_)) if marked.is_some() => return Ok(vec![lying]),
        Err(CannotPlan::NoBuilder(error)) => {
            let message =
                format!("{why}, and what the clusters of {list} see cannot be built: {error}");
            let finding = Finding::warning(Code::BuildFailed, message, Location::default());
            lying
                .findings
                .push(finding.hint(NoBuilder::HINT).unjudged());
            return Ok(vec![lying]);
        }
        Err(error) => return Err(error),
    };
    if let Some(MarkedPolicies { known, unknown }) = marked {
        let sees = |id: &Id| {
            let mut seen = seen.iter();
            seen.any(|one| one.documents.policies.contains_key(id))
        };
        // Where the policies are nowhere, or others are in the tree alone, it counts as it
        // lies.
        if !unknown.iter().any(sees) || !known.iter().all(sees) {
            return Ok(vec![lying]);
        }
    }
    let message = format!("{why}: read as the clusters of {list} see it, built with kustomize");
    Ok(chosen(lying, seen, bound_in, message))
}

/// What the clusters see, of which `message` says why; what lies in the tree where none of
/// them edits anything.
fn chosen(mut lying: Seen, mut seen: Vec<Seen>, bound_in: BoundIn, message: String) -> Vec<Seen> {
    // A cluster without automations edits nothing; but one of which something is wrong
    // may have some.
    let edits = |one: &Seen| !one.documents.automations.is_empty();
    let is_wrong = |one: &Seen| {
        one.findings
            .iter()
            .any(|one| one.severity == Severity::Error)
    };
    if seen.iter().any(edits) {
        seen.retain(|one| bound_in == BoundIn::Tree || edits(one) || is_wrong(one));
    } else if !lying.documents.automations.is_empty() {
        // Why the clusters see none is worth more than what is wrong with parts.
        let said = seen.into_iter().flat_map(|one| one.findings);
        let said = said.filter(|one| one.severity == Severity::Error);
        lying.findings.splice(0..0, said);
        return vec![lying];
    }
    let unseen = unseen(&lying.documents, &seen);
    let finding = Finding::info(Code::BuiltClusters, message, Location::default());
    let hint =
        "`--cluster-path DIR` names them otherwise, `--no-clusters` reads the files as they lie";
    if let Some(first) = seen.first_mut() {
        first.findings.insert(0, finding.hint(hint));
        first.findings.extend(unseen);
    }
    seen
}

/// Why the documents as they lie may not be what counts, if they may not; where only
/// policies that markers name are in question, these.
fn why_needed(
    documents: &Documents,
    outlined: &[Outlined<'_>],
    beside: &[SourceFile],
) -> Option<(&'static str, Option<MarkedPolicies>)> {
    if let Some(why) = cluster_folders::why_parts(documents) {
        return Some((why, None));
    }
    let marked = cluster_folders::named_by_builds(documents, outlined, beside)?;
    let why = "markers name policies that only a build names so";
    Some((why, Some(marked)))
}

/// Automations that lie in the tree and that no cluster sees, so that they edit nothing
/// any more.
fn unseen(lying: &Documents, seen: &[Seen]) -> Vec<Finding> {
    let sees = |name: &str| {
        let mut all = seen.iter().flat_map(|one| one.documents.automations.keys());
        all.any(|id| id.name == name)
    };
    let unseen = lying.automations.iter();
    let unseen = unseen.filter(|(id, _)| !id.name.contains("${") && !sees(&id.name));
    let finding = |(id, one): (&Id, &Sourced<ImageUpdateAutomation>)| {
        let message =
            format!("ImageUpdateAutomation `{id}` is in none of these clusters, and edits nothing");
        let finding = Finding::warning(Code::SkippedAutomation, message, one.location.clone());
        finding.hint("name its cluster, too: `--cluster-path DIR`; or read the files as they lie: `--no-clusters`")
    };
    unseen.map(finding).collect()
}

/// The documents of each cluster of a run, with those of flags, which `given` has.
///
/// # Errors
/// A cluster's folder that is not in the checkout; no builder; Ctrl-C.
pub fn read(
    request: &Request,
    paths: &[PathBuf],
    given: &Builder,
    files: &Files,
    outlined: &mut [Outlined<'_>],
    repositories: &Repositories,
) -> Result<Vec<Seen>, CannotPlan> {
    let clusters = &request.clusters;
    let kustomize = Kustomize::find()?;
    let current = files.current.clone();
    let show = move |path: &Path| files::shown(path, &current);
    let checkout = FolderArtifact::new(&files.root, Box::new(show), &files.listing, repositories);
    let mut others = Vec::new();
    let mut sources = BTreeMap::new();
    for (key, folder) in &clusters.local_sources {
        let number = add_source(&mut others, folder, &files.root, repositories)?;
        sources.insert(key.clone(), number);
    }
    let mut roots = Vec::new();
    for path in paths {
        roots.push(root_of(path, &mut others, &files.root, repositories)?);
    }
    let mut artifacts: Vec<&dyn Artifact> = vec![&checkout];
    artifacts.extend(others.iter().map(|(_, one)| one as &dyn Artifact));
    let settings = repositories.of(&files.configured);
    let settings = settings.map(|found| found.settings());
    let remotes = remotes::of(&settings.unwrap_or_default());
    let is_checkout = |url: &str| {
        let url = Address::parse(url);
        (!remotes.is_empty()).then(|| remotes.iter().any(|remote| remote.is_same(&url)))
    };
    let build = |closure: &_| kustomize.build(closure, &clusters.interrupted);
    let progress = |folder: &str, number, total| clusters.progress.tell(folder, number, total);
    let world = World {
        artifacts: &artifacts,
        sources: &sources,
        substitute: &clusters.substitute,
        secrets: &clusters.secrets,
        is_interrupted: &|| clusters.interrupted.load(Ordering::Relaxed),
        remote_bases: clusters.remote_bases,
        is_checkout: &is_checkout,
        build: &build,
        progress: &progress,
    };
    let views = view::of_clusters(&roots, &world);
    clusters.progress.end();
    if clusters.interrupted.load(Ordering::Relaxed) {
        return Err(CannotPlan::Interrupted);
    }
    outline_named(&views, &files.root, outlined);
    let mut given = given.clone();
    if request.has_tree_documents {
        add_snapshots(outlined, &mut given);
    }
    let places = Places::of(outlined, &files.root);
    let names = paths.iter().map(|path| files.show(path));
    let seen = views.into_iter().zip(names);
    let seen = seen.map(|(view, name)| finished(given.clone(), view, name, &places, &artifacts));
    Ok(knowing_each_other(seen.collect()))
}

/// Adds the TagSnapshots of the tree to the documents of flags: they are this program's own,
/// no part of what a cluster applies, and count for all of them.
fn add_snapshots(outlined: &mut [Outlined<'_>], builder: &mut Builder) {
    for one in outlined {
        let source = one.source;
        let may_have = source.has_documents && !source.is_link;
        if !may_have || !source.text.contains("TagSnapshot") {
            continue;
        }
        let outline = one
            .outline
            .get_or_insert_with(|| resource_list::read(&source.text));
        // A text that cannot be read is reported where its documents matter.
        if let Ok(outline) = outline {
            builder.add_snapshots(&[DocumentText {
                text: &source.text,
                outline,
                provenance: Provenance::new(&source.name, Rank::Tree),
            }]);
        }
    }
}

/// Has each of several clusters know the policies of the others.
fn knowing_each_other(mut seen: Vec<Seen>) -> Vec<Seen> {
    if seen.len() > 1 {
        let all = seen.iter().flat_map(|one| one.documents.policies.keys());
        let all: BTreeSet<_> = all.cloned().collect();
        for one in &mut seen {
            one.documents.elsewhere.clone_from(&all);
        }
    }
    seen
}

/// The source that a cluster's folder is in, the checkout or another repository, and
/// the folder from its root on.
fn root_of(
    path: &Path,
    others: &mut Vec<(PathBuf, FolderArtifact)>,
    root: &Path,
    repositories: &Repositories,
) -> Result<(usize, String), CannotPlan> {
    let cannot = |source| CannotPlan::Path {
        path: path.to_path_buf(),
        source,
    };
    let real = path.canonicalize().map_err(cannot)?;
    if !real.is_dir() {
        return Err(cannot(std::io::Error::other("this is not a folder")));
    }
    let (number, source) = if real.starts_with(root) {
        (0, root.to_path_buf())
    } else {
        let source = repositories
            .work_tree(&real)
            .unwrap_or_else(|| real.clone());
        (add_source(others, &source, root, repositories)?, source)
    };
    let inside = real.strip_prefix(&source).ok().and_then(Path::to_str);
    let odd = || cannot(std::io::Error::other("its name is not UTF-8"));
    Ok((number, inside.ok_or_else(odd)?.to_owned()))
}

/// The number of a folder that holds a source: 0 for the checkout itself.
fn add_source(
    others: &mut Vec<(PathBuf, FolderArtifact)>,
    folder: &Path,
    root: &Path,
    repositories: &Repositories,
) -> Result<usize, CannotPlan> {
    let cannot = |source| CannotPlan::Path {
        path: folder.to_path_buf(),
        source,
    };
    let real = folder.canonicalize().map_err(cannot)?;
    if real == root {
        return Ok(0);
    }
    if let Some(number) = others.iter().position(|(known, _)| *known == real) {
        return Ok(number + 1);
    }
    let artifact = FolderArtifact::of_folder(folder, repositories).map_err(cannot)?;
    others.push((real, artifact));
    Ok(others.len())
}

/// Outlines the files that documents of clusters came from.
fn outline_named<'f>(views: &[View], root: &Path, outlined: &mut [Outlined<'f>]) {
    let documents = views.iter().flat_map(|view| &view.documents);
    let named = documents.filter(|one| one.file.0 == 0);
    let named: BTreeSet<PathBuf> = named.map(|one| root.join(&one.file.1)).collect();
    for one in outlined {
        let source: &'f SourceFile = one.source;
        if one.outline.is_none() && named.contains(&source.path) {
            one.outline = Some(resource_list::read(&source.text));
        }
    }
}

/// Where the resources of files stand.
struct Places<'f> {
    root: &'f Path,
    by_file: BTreeMap<&'f Path, (&'f str, &'f Outline<'f>)>,
}

impl<'f> Places<'f> {
    fn of(outlined: &'f [Outlined<'f>], root: &'f Path) -> Self {
        let read = outlined.iter().filter_map(|one| {
            let outline = one.outline.as_ref()?.as_ref().ok()?;
            Some((one.source.path.as_path(), (&*one.source.text, outline)))
        });
        Self {
            root,
            by_file: read.collect(),
        }
    }

    /// The file of a document, and where that stands in it.
    fn find(&self, one: &ClusterDocument) -> Option<(&'f str, &'f Object)> {
        let (source, file) = &one.file;
        let file = (*source == 0).then(|| self.root.join(file))?;
        let (text, outline) = self.by_file.get(file.as_path())?;
        let Identity { kind, name, .. } = Identity::of(&one.resource);
        Some((text, places::find(outline, kind, name)?))
    }
}

/// What a cluster sees, with the documents of flags.
fn finished(
    mut builder: Builder,
    view: View,
    cluster: String,
    places: &Places<'_>,
    artifacts: &[&dyn Artifact],
) -> Seen {
    let built = view.documents.iter().map(|one| {
        let name = artifacts[one.file.0].show(&one.file.1);
        let written = Written::at(places.find(one));
        (emit::document(&one.resource), name, written)
    });
    let built: Vec<(String, String, Written<'_>)> = built.collect();
    let outlines = built.iter().map(|(text, ..)| resource_list::read(text));
    let outlines: Vec<_> = outlines.collect();
    let read = built.iter().zip(&outlines);
    let read = read.filter_map(|((text, name, written), outline)| {
        Some(DocumentText {
            text,
            outline: outline.as_ref().ok()?,
            provenance: Provenance::new(name, Rank::Tree).built_from(*written),
        })
    });
    let read: Vec<DocumentText<'_>> = read.collect();
    builder.add(&read);
    read.iter().for_each(|text| builder.add_logins(text));
    let (mut documents, mut findings) = builder.finish();
    documents.is_incomplete = view.is_incomplete;
    findings.extend(view.findings);
    Seen {
        cluster: Some(cluster),
        documents,
        findings,
        unread: Vec::new(),
    }
}
