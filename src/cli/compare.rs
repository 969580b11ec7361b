//! `flux-image compare`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::Exit;
use super::args::{CompareArgs, CompareOutput, DocumentArgs};
use super::function::freshness;
use super::items::Items;
use super::shared_asker::SharedAsker;
use super::streams::{print, print_styled, say, say_findings};
use super::{given, interrupt, scan};
use crate::api::Id;
use crate::checkout::commit_tree::CommitTree;
use crate::checkout::git::Repositories;
use crate::checkout::request::{Alone, GivenText};
use crate::checkout::survey::{self, Subject};
use crate::checkout::{self, BoundIn, Checkout, Request};
use crate::documents::Documents;
use crate::finding::{Code, Finding, Severity};
use crate::insight::compare::{self, Comparison, Doubt, Effect, InFiles, Side, Unread};
use crate::insight::given_tags;
use crate::insight::trial::Trial;
use crate::path_name;
use crate::plan::outcome::Outcome;
use crate::report;
use crate::selection::registry_queries::{self, Ask};
use crate::selection::resolve::{self, Resolved};
use crate::selection::tags::{KnownTags, TagBook};
use oci_tags::image::Repository;

/// Compares two sets of documents.
pub(super) fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let before = Place::open(&args.before, "BEFORE", &repositories)?;
    let after = Place::open(&args.after, "AFTER", &repositories)?;
    check_wholes(&before, &after)?;
    let mut requests = [
        request(args, &before, &repositories)?,
        request(args, &after, &repositories)?,
    ];
    leave_out_missing(&mut requests);
    let list = tags(args, &mut requests)?;
    let sides = [(&before, &requests[0]), (&after, &requests[1])];
    let mut run = Comparing {
        list,
        asker: SharedAsker::new(
            &args.registries,
            requests[1].refresh.clone(),
            args.tags.is_none(),
        ),
        are_clusters_named: !args.clusters.cluster_path.is_empty(),
        repositories: &repositories,
        comparisons: Vec::new(),
        outcome: Outcome::default(),
    };
    if !run.all(sides)? {
        // One is read as its clusters see it and the other is not: neither is.
        for request in &mut requests {
            request.clusters.are_found = false;
        }
        run.all([(&before, &requests[0]), (&after, &requests[1])])?;
    }
    let Comparing {
        comparisons,
        mut outcome,
        ..
    } = run;
    outcome
        .findings
        .extend(unknown(&comparisons, args.tags.is_some()));
    if args.check {
        outcome.judge();
    }
    say_findings(&outcome.findings);
    let summary = report::compare::summary(&comparisons);
    let is_other = comparisons.iter().any(Comparison::has_other_choice);
    show(args, comparisons)?;
    say(summary);
    Ok(Exit::of(&outcome, args.check && is_other, false))
}

fn show(args: &CompareArgs, comparisons: Vec<Comparison>) -> anyhow::Result<()> {
    match args.output {
        CompareOutput::Text => {
            let texts = comparisons.iter().map(report::compare::text);
            let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
            print_styled([texts.join("\n")])
        }
        CompareOutput::Markdown => {
            print([report::compare::markdown(&comparisons, args.markdown_limit)])
        }
        CompareOutput::Json => print([Items::new("Comparisons", comparisons).json()?]),
    }
}

/// Policies that differ, and of which nobody can tell what comes of it. What cannot be read
/// after the change is an error.
fn unknown(comparisons: &[Comparison], are_tags_given: bool) -> Vec<Finding> {
    let all = comparisons.iter().flat_map(|told| &told.policies);
    let unknown = all.filter(|one| one.effect == Effect::Unknown);
    let findings = unknown.map(|one| {
        let sides = [&one.before, &one.after].into_iter().flatten();
        let doubtful = sides.filter(|side| side.doubt.is_some());
        let doubtful = doubtful.max_by_key(|side| side.doubt == Some(Doubt::Unread));
        let reason = doubtful.and_then(|side| side.reason.as_deref());
        let message = format!(
            "what the change of ImagePolicy `{}` does is not known: {}",
            one.policy,
            reason.unwrap_or_default()
        );
        let after = one.after.as_ref().and_then(|side| side.doubt);
        let severity = match after {
            Some(Doubt::Unread) => Severity::Error,
            _ => Severity::Warning,
        };
        let finding = Finding::new(
            severity,
            Code::UnresolvedPolicy,
            message,
            Default::default(),
        );
        let hint = match (doubtful.and_then(|side| side.doubt), are_tags_given) {
            (Some(Doubt::Unread) | None, _) => None,
            (Some(Doubt::Suspended), _) => {
                Some("give it the `status.latestRef` that the cluster has")
            }
            (Some(Doubt::Tags), false) => {
                Some("let its registry be asked, or give all tags with `--tags`")
            }
            (Some(Doubt::Tags), true) => {
                Some("`--tags` takes a TagSnapshot: give it with this repository")
            }
            (Some(Doubt::Digest), false) => {
                Some("let its registry be asked, or add the digest to `digests` of a TagSnapshot")
            }
            (Some(Doubt::Digest), true) => Some(
                "`--tags` takes a TagSnapshot: give it with the digest of this tag in `digests`",
            ),
        };
        finding.hint_if(hint.map(str::to_owned)).unjudged()
    });
    findings.collect()
}

/// One of the two sets, as a folder.
struct Place {
    folder: PathBuf,
    /// The folder that names of files begin at.
    current: PathBuf,
    /// Whose git configuration counts.
    configured: PathBuf,
    /// What goes away with it.
    kept: Option<Kept>,
}

#[expect(dead_code, reason = "each removes its folder when it is dropped")]
enum Kept {
    Commit(CommitTree),
    File(TempDir),
}

impl Place {
    fn open(written: &Path, what: &str, repositories: &Repositories) -> anyhow::Result<Self> {
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        let current = current.canonicalize().unwrap_or(current);
        if let Some(name) = written.as_os_str().as_bytes().strip_prefix(b"git:") {
            let name = std::str::from_utf8(name).context("the name of the commit is not UTF-8")?;
            let repository = repositories.of(&current);
            let tree = CommitTree::read(repository.as_ref(), name, &interrupt::remove_at_the_end);
            let tree = tree.context(what.to_owned())?;
            let root = repository.map_or(current, |found| found.root);
            return Self::temporary(
                tree.folder().to_path_buf(),
                root,
                repositories,
                Kept::Commit(tree),
            );
        }
        if written.is_dir() {
            let shown = || format!("{what}: {}", path_name::shown(written));
            let folder = written.canonicalize().with_context(shown)?;
            return Ok(Self {
                configured: folder.clone(),
                folder,
                current,
                kept: None,
            });
        }
        let (_, text) = given::text(written).with_context(|| what.to_owned())?;
        let folder = tempfile::Builder::new().prefix("flux-image-").tempdir();
        let folder = folder.context("no temporary folder")?;
        interrupt::remove_at_the_end(folder.path());
        let name = written.file_name().map(Path::new);
        let name = name.filter(|name| path_name::is_manifest_name(name));
        let name = name.unwrap_or(Path::new("documents.yaml"));
        std::fs::write(folder.path().join(name), text).context("no temporary folder")?;
        let place = folder.path().to_path_buf();
        Self::temporary(place, current, repositories, Kept::File(folder))
    }

    /// A temporary folder, with what was put there from `origin`.
    fn temporary(
        folder: PathBuf,
        origin: PathBuf,
        repositories: &Repositories,
        kept: Kept,
    ) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().context("no temporary folder")?;
        if let Some(root) = repositories.work_tree(&folder) {
            bail!(
                "the folder for temporary files lies in a git repository, {}, whose rules would count\n  hint: set TMPDIR to another",
                path_name::shown(&root)
            );
        }
        Ok(Self {
            current: folder.clone(),
            folder,
            configured: origin,
            kept: Some(kept),
        })
    }

    /// A cluster's folder, from this one on.
    fn cluster(&self, named: &str) -> String {
        let whole = self.current.join(named);
        match whole.strip_prefix(&self.folder) {
            Ok(inside) if !inside.as_os_str().is_empty() => path_name::shown(inside),
            _ => named.to_owned(),
        }
    }
}

/// Refuses a commit beside a part of its own work tree: all the rest would be missing.
fn check_wholes(before: &Place, after: &Place) -> anyhow::Result<()> {
    for (commit, other) in [(before, after), (after, before)] {
        let is_commit = matches!(commit.kept, Some(Kept::Commit(_)));
        let root = &commit.configured;
        if is_commit && other.folder.starts_with(root) && other.folder != *root {
            bail!(
                "a commit is the whole of a work tree, and {} is a part of it\n  hint: compare it with {}",
                path_name::shown(&other.folder),
                path_name::shown(root)
            );
        }
    }
    Ok(())
}

/// What is read of a place.
fn request(
    args: &CompareArgs,
    place: &Place,
    repositories: &Repositories,
) -> anyhow::Result<Request> {
    let documents = DocumentArgs {
        paths: Vec::new(),
        policies: args.policies.clone(),
        clusters: args.clusters.clone(),
    };
    let mut request = Request {
        tags_from: args.tags_from.iter().copied().map(Into::into).collect(),
        current: place.current.clone(),
        alone: Some(Alone {
            folder: place.folder.clone(),
            configured: place.configured.clone(),
        }),
        ..scan::request(
            &documents,
            &args.registries,
            freshness(args.max_age),
            repositories,
        )?
    };
    // What the checkout is, each of the two is.
    let current = std::env::current_dir()
        .ok()
        .and_then(|here| repositories.of(&here));
    for path in &mut request.clusters.paths {
        // Those of options are in the checkout.
        let inside = current
            .as_ref()
            .and_then(|found| path.strip_prefix(&found.root).ok());
        *path = place.folder.join(inside.unwrap_or(path));
    }
    for (_, folder) in &mut request.clusters.local_sources {
        let real = folder.canonicalize().ok();
        if real.is_some() && real.as_deref() == current.as_ref().map(|found| found.root.as_path()) {
            folder.clone_from(&place.folder);
        }
    }
    Ok(request)
}

/// Leaves out the clusters that one set does not have, which are new or gone there. One
/// that neither has is for its reader to report.
fn leave_out_missing(requests: &mut [Request; 2]) {
    let [before, after] = requests;
    let are_there = |request: &Request| -> Vec<bool> {
        let paths = request.clusters.paths.iter();
        paths.map(|path| path.is_dir()).collect()
    };
    let (in_before, in_after) = (are_there(before), are_there(after));
    let leave = |request: &mut Request, own: &[bool], other: &[bool]| {
        let mut kept = own.iter().zip(other).map(|(own, other)| *own || !other);
        let paths = &mut request.clusters.paths;
        paths.retain(|_| kept.next().unwrap_or(true));
    };
    leave(before, &in_before, &in_after);
    leave(after, &in_after, &in_before);
}

/// What `--tags` has: a list, or a TagSnapshot that counts most among the documents.
fn tags(args: &CompareArgs, requests: &mut [Request; 2]) -> anyhow::Result<Option<Vec<String>>> {
    let Some(path) = &args.tags else {
        return Ok(None);
    };
    let (name, text) = given::text(path)?;
    if !given_tags::is_snapshot(&text) {
        let list = given_tags::parse(&text).with_context(|| format!("`--tags` {name}"))?;
        return Ok(Some(list));
    }
    for request in requests {
        request.policies.push(GivenText {
            name: name.clone(),
            text: text.clone(),
            file: None,
        });
    }
    Ok(None)
}

/// The documents before, of one cluster.
struct Before {
    cluster: Option<String>,
    documents: Documents,
    unread: Vec<Unread>,
    findings: Vec<Finding>,
}

/// A comparison under way.
struct Comparing<'a> {
    list: Option<Vec<String>>,
    asker: SharedAsker<'a>,
    repositories: &'a Repositories,
    /// Whether the user names clusters, of which one set may have none.
    are_clusters_named: bool,
    comparisons: Vec<Comparison>,
    outcome: Outcome,
}

impl Comparing<'_> {
    /// Compares all clusters. `false` where one set is read as its clusters see it and the
    /// other as it lies, and nothing was compared.
    fn all(&mut self, sides: [(&Place, &Request); 2]) -> anyhow::Result<bool> {
        let [(old, old_request), (new, new_request)] = sides;
        let mut before = self.before(old, old_request)?;
        let (mut error, mut is_alike) = (None, true);
        let repositories = self.repositories;
        let has_no_cluster = self.has_no_cluster(new_request);
        let then = |checkout: Checkout<'_>| {
            let is_of_cluster = checkout.cluster.is_some();
            is_alike &= before
                .iter()
                .all(|one| one.cluster.is_some() == is_of_cluster);
            if !is_alike || error.is_some() {
                return;
            }
            let cluster = checkout.cluster.as_deref().map(|named| new.cluster(named));
            let at = before.iter().position(|one| one.cluster == cluster);
            let before = at.map(|at| before.remove(at)).unwrap_or_else(|| Before {
                cluster,
                documents: Documents::default(),
                unread: Vec::new(),
                findings: Vec::new(),
            });
            let compared = self.one(before, checkout, [old_request, new_request]);
            error = error.take().or(compared.err());
        };
        if !has_no_cluster {
            checkout::with(new_request, repositories, BoundIn::Reach, then)?;
        }
        if let Some(error) = error {
            return Err(error);
        }
        if is_alike {
            for gone in before {
                self.gone(gone, old_request);
            }
        }
        Ok(is_alike)
    }

    /// Whether the user names clusters, and a set has none of them.
    fn has_no_cluster(&self, request: &Request) -> bool {
        self.are_clusters_named && request.clusters.paths.is_empty()
    }

    /// The documents before.
    fn before(&self, place: &Place, request: &Request) -> anyhow::Result<Vec<Before>> {
        if self.has_no_cluster(request) {
            return Ok(Vec::new());
        }
        let read = checkout::with(request, self.repositories, BoundIn::Reach, |checkout| {
            let missed = checkout.missed();
            Before {
                cluster: checkout
                    .cluster
                    .as_deref()
                    .map(|named| place.cluster(named)),
                documents: checkout.documents.clone(),
                unread: checkout.unread_documents(),
                findings: checkout.findings.into_iter().chain(missed).collect(),
            }
        })?;
        Ok(read)
    }

    /// Compares one cluster, or all documents where there are none.
    fn one(
        &mut self,
        before: Before,
        mut checkout: Checkout<'_>,
        [old_request, new_request]: [&Request; 2],
    ) -> anyhow::Result<()> {
        let (written, _) = TagBook::of_snapshots(&before.documents, old_request.freshness);
        checkout.run.tags.complete(written);
        let (after, missed) = (checkout.documents, checkout.missed());
        let unread = checkout.unread_documents();
        checkout.findings.extend(missed);
        let mut book = checkout.run.tags.clone();
        if let Some(list) = &self.list {
            let concerned = compare::concerned(&before.documents, after);
            give(list, &concerned, after, &mut checkout.run.tags)?;
            give(list, &concerned, &before.documents, &mut book)?;
        }
        let asker = &mut self.asker;
        let is_asked = asker.is_asked();
        let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
        let nothing = Trial::default();
        let subject = Subject {
            only: None,
            trial: &nothing,
        };
        let asks: Option<&mut Ask<'_>> = is_asked.then_some(&mut ask as _);
        let surveyed = survey::of(checkout, (new_request, self.repositories), subject, asks);
        let (images, asked) = self.images(&before.documents, &mut book, old_request);
        let sides = (
            Side {
                documents: &before.documents,
                images: &images,
                unread: &before.unread,
            },
            Side {
                documents: after,
                images: &surveyed.learned.images,
                unread: &unread,
            },
        );
        let files = InFiles {
            uses: &surveyed.uses,
            findings: &surveyed.in_files,
            owners: &surveyed.automations.owners,
        };
        let told = compare::compare(before.cluster.as_deref(), sides, files);
        self.comparisons.push(told);
        // Values of a file that cannot be read may move as well.
        let unparsable: Vec<Finding> = surveyed.unread().collect();
        self.say(unparsable, false);
        self.say(surveyed.findings, false);
        self.say(before.findings, true);
        self.say(asked, true);
        Ok(())
    }

    /// What the policies before choose, and what was found while asking.
    fn images(
        &mut self,
        documents: &Documents,
        book: &mut TagBook,
        request: &Request,
    ) -> (BTreeMap<Id, Resolved>, Vec<Finding>) {
        let is_asked = self.asker.is_asked();
        let asker = &mut self.asker;
        let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
        let asks: Option<&mut Ask<'_>> = is_asked.then_some(&mut ask as _);
        registry_queries::images(documents, book, &request.query(None), None, asks)
    }

    /// A cluster that is there no more: all its policies are gone.
    fn gone(&mut self, before: Before, request: &Request) {
        let (mut book, _) = TagBook::of_snapshots(&before.documents, request.freshness);
        let (images, asked) = self.images(&before.documents, &mut book, request);
        let sides = (
            Side {
                documents: &before.documents,
                images: &images,
                unread: &before.unread,
            },
            Side {
                documents: &Documents::default(),
                images: &BTreeMap::new(),
                unread: &[],
            },
        );
        let cluster = before.cluster.as_deref();
        let told = compare::compare(cluster, sides, InFiles::default());
        self.comparisons.push(told);
        self.say(before.findings, true);
        self.say(asked, true);
    }

    /// Takes in findings. Those of the documents before are for nobody to mend: they are no
    /// errors, and said where the documents after do not have them, too.
    fn say(&mut self, findings: Vec<Finding>, are_before: bool) {
        let about_status = |one: &Finding| one.code == Code::KeptPrevious;
        let key = |one: &Finding| (one.code, one.message.clone());
        let known: HashSet<_> = match are_before {
            true => self.outcome.findings.iter().map(key).collect(),
            false => HashSet::new(),
        };
        for mut one in findings.into_iter().filter(|one| !about_status(one)) {
            // Who would write a value is told beside what is compared.
            let resource = one.location.resource.as_ref();
            if resource.is_some_and(|one| one.kind == "ImageUpdateAutomation") {
                one.severity = one.severity.min(Severity::Warning);
            }
            if !are_before {
                self.outcome.findings.push(one);
                continue;
            }
            if one.severity == Severity::Info || known.contains(&key(&one)) {
                continue;
            }
            one.message = format!("BEFORE: {}", one.message);
            one.severity = Severity::Warning;
            one.leaves_unjudged = false;
            self.outcome.findings.push(one);
        }
    }
}

/// Has a list be all tags of the one repository that is concerned.
fn give(
    list: &[String],
    concerned: &BTreeSet<String>,
    documents: &Documents,
    book: &mut TagBook,
) -> anyhow::Result<()> {
    if concerned.len() > 1 {
        bail!(
            "`--tags` has a list, and several repositories are concerned: {}\n  hint: give a TagSnapshot, as `flux-image scan` prints it",
            crate::quote::list(concerned.iter())
        );
    }
    let known = Arc::new(KnownTags {
        tags: list.to_vec(),
        ..KnownTags::default()
    });
    for (id, policy) in &documents.policies {
        let Ok((repository, document)) = resolve::repository_of(documents, id, &policy.document)
        else {
            continue;
        };
        let image = &document.spec.image;
        let is_it = |name: Repository| concerned.contains(&name.canonical());
        if Repository::parse(image).is_ok_and(is_it) {
            book.replace(&repository, image, Arc::clone(&known));
        }
    }
    Ok(())
}
