//! The order of a cluster's builds, and what comes out of them.
//!
//! A view is made in rounds. Each goes from the root Kustomization through what is
//! built already, and notes what is to be built next; the builds of a round run at
//! once. A Kustomization whose variables come from ConfigMaps that no build has given
//! yet waits until nothing else is left to do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use serde_json::{Map, Value};

use super::applied::{self, Identity, Values};
use super::artifact;
use super::builds::{Builds, Key, Outcome, World};
use super::flux::{self, FluxKustomization, PostBuild, SourceKey, Spec, Sync};
use super::left_out::{LeftOut, say_values};
use super::overlay::Overlay;
use super::places;
use super::results::{self, BuildResult};
use super::substitute::{self, Substituted, Variables};
use crate::api::{self, Id};
use crate::finding::{Code, Finding, Location, ResourceRef, Severity};
use crate::quote;

/// Rounds that a view takes at most; each ConfigMap that a build gives may ask for
/// one.
const MAX_ROUNDS: usize = 50;
/// Bytes that the results of one Kustomization hold at most, once values are in them.
const MAX_SUBSTITUTED: usize = 64 << 20;
/// Kustomizations that lead to one another, at most.
const MAX_DEPTH: usize = 200;
/// Kustomizations that a cluster has at most.
const MAX_KUSTOMIZATIONS: usize = 10_000;

/// What a cluster sees.
#[derive(Debug, Default)]
pub struct View {
    /// The documents that matter here.
    pub documents: Vec<ClusterDocument>,
    /// What there is to know of the builds.
    pub findings: Vec<Finding>,
    /// Whether there may be documents that could not be had.
    pub is_incomplete: bool,
}

/// A document out of a build.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterDocument {
    /// The document.
    pub resource: Value,
    /// The file that it came from, and the source that holds it.
    pub file: (usize, String),
}

/// What the clusters of some folders see; the number of the source that holds each
/// folder goes before it.
#[must_use]
pub fn of_clusters(folders: &[(usize, String)], world: &World<'_>) -> Vec<View> {
    let mut builds = Builds::default();
    let evaluation = |(root, folder): &'_ (usize, String)| Evaluation {
        world,
        root: *root,
        folder: folder.clone(),
        known: Known::default(),
        is_last: false,
        retried: BTreeSet::new(),
        rounds: 0,
        view: None,
    };
    let mut evaluations: Vec<Evaluation<'_>> = folders.iter().map(evaluation).collect();
    loop {
        let mut wanted = BTreeSet::new();
        for one in evaluations.iter_mut().filter(|one| one.view.is_none()) {
            wanted.extend(one.go_on(&mut builds));
        }
        if evaluations.iter().all(|one| one.view.is_some()) {
            break;
        }
        builds.run(wanted, world);
    }
    let views = evaluations.into_iter().filter_map(|one| one.view);
    views.collect()
}

/// The view of a cluster under way.
struct Evaluation<'w> {
    world: &'w World<'w>,
    root: usize,
    folder: String,
    /// What the round before has found.
    known: Known,
    /// Nothing more is to come: what is missing is missing.
    is_last: bool,
    /// Names for which skipped builds were run.
    retried: BTreeSet<String>,
    /// Rounds that found something new.
    rounds: usize,
    view: Option<View>,
}

/// What a round finds for the next one.
#[derive(Default, PartialEq)]
struct Known {
    /// Values of ConfigMaps and Secrets.
    values: Values,
    /// Addresses of GitRepositories, and what of them is checked out.
    urls: BTreeMap<SourceKey, (String, Value)>,
    /// `spec.ignore` of the sources.
    ignore: BTreeMap<SourceKey, String>,
}

#[derive(Default)]
struct Round {
    wanted: BTreeSet<Key>,
    view: View,
    found: Known,
    missing: BTreeSet<String>,
    is_waiting: bool,
    /// The source of the root, and of what makes it.
    here: BTreeSet<SourceKey>,
    /// Names of Secrets and ServiceAccounts that registries are asked with.
    referred: BTreeSet<String>,
    /// ServiceAccounts that there are.
    accounts: BTreeSet<String>,
    /// Kustomizations of sources that are not here.
    not_followed: Vec<(SourceKey, Id, Location)>,
    /// Kustomizations with variables in their paths.
    unknown_paths: Vec<UnknownPath>,
    seen: BTreeSet<Id>,
    /// ResourceSets that may make what is read here.
    resource_sets: Vec<(Id, Location)>,
    /// Sources and paths of files, by the names that findings use.
    files: BTreeMap<String, (usize, String)>,
}

impl Round {
    /// The view, with what is not followed.
    fn finished(self) -> View {
        let mut view = self.view;
        let is_failure = |one: &Finding| {
            one.severity == Severity::Error
                && matches!(one.code, Code::BuildFailed | Code::UnknownVariable)
        };
        view.is_incomplete = !self.not_followed.is_empty()
            || !self.resource_sets.is_empty()
            || !self.unknown_paths.is_empty()
            || view.findings.iter().any(is_failure);
        for (source, id, location) in self.not_followed {
            let message = format!(
                "Kustomization `{id}` is not followed: the source {source} is not this checkout"
            );
            let finding = Finding::info(Code::NotFollowed, message, location);
            let hint = format!("name a folder that holds it: `--local-sources {source}=DIR`");
            view.findings.push(finding.hint(hint));
        }
        for (id, location) in self.resource_sets {
            let message = format!(
                "ResourceSet `{id}` is not followed: what flux-operator makes of it is not known here"
            );
            let finding = Finding::info(Code::NotFollowed, message, location);
            view.findings.push(finding.hint(
                "hand its documents in: `flux-operator build rset -f FILE | flux-image … --policies -`",
            ));
        }
        let unknown = self.unknown_paths.into_iter();
        view.findings.extend(unknown.map(UnknownPath::finding));
        view
    }
}

/// A Kustomization whose path has variables without values.
struct UnknownPath {
    path: String,
    id: Id,
    location: Location,
    /// Who makes it, unless that is only presumed.
    parent: Option<Id>,
}

impl UnknownPath {
    fn finding(self) -> Finding {
        let Self {
            path,
            id,
            location,
            parent,
        } = self;
        let template = envsubst::Template::parse(&path).ok();
        let names = template.iter().flat_map(envsubst::Template::variables);
        let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
        let listed = names.iter().copied().collect::<Vec<_>>().join(", ");
        let what = format!("Kustomization `{id}` is not followed: `spec.path` has variables");
        let (message, hint) = match parent {
            Some(parent) => (
                format!(
                    "{what} ({listed}), and Kustomization `{parent}`, which makes it, has no `postBuild` that would set any"
                ),
                format!("give `{parent}` a `postBuild`: Flux takes the path as it is written, too"),
            ),
            None => (
                format!("{what} that nothing in the checkout sets ({listed})"),
                say_values(names.into_iter().take(5)),
            ),
        };
        Finding::error(Code::UnknownVariable, message, location).hint(hint)
    }
}

/// A Kustomization that is to be built, and where it stands.
struct Found {
    kustomization: FluxKustomization,
    location: Location,
    is_root: bool,
    /// How many lead to it.
    depth: usize,
    /// Who makes it, unless that is only presumed.
    parent: Option<Id>,
}

impl Found {
    /// Whether it is the root of which nothing is written here.
    fn is_presumed(&self) -> bool {
        self.is_root && self.kustomization.written.is_empty()
    }
}

impl Evaluation<'_> {
    /// Takes rounds until the view is made, or something is to be built.
    fn go_on(&mut self, builds: &mut Builds) -> BTreeSet<Key> {
        while self.view.is_none() {
            let mut round = self.go_through(builds);
            if !round.wanted.is_empty() {
                return round.wanted;
            }
            let is_new = self.learn(mem::take(&mut round.found));
            self.rounds += usize::from(is_new);
            if is_new && self.rounds <= MAX_ROUNDS {
                continue;
            }
            let missing = round.missing.difference(&self.retried);
            let missing: BTreeSet<String> = missing.cloned().collect();
            if !is_new && !missing.is_empty() {
                // More may come of it, so that whoever waited waits again.
                self.is_last = !builds.retry_skipped(&missing);
                self.retried.extend(missing);
                continue;
            }
            if !is_new && round.is_waiting && !self.is_last {
                self.is_last = true;
                continue;
            }
            let files = mem::take(&mut round.files);
            let mut view = round.finished();
            places::add(&mut view.findings, &files, self.world.artifacts);
            if is_new {
                let message = "the variables of its Kustomizations never come to rest";
                let location = self.location(self.root, &self.folder);
                let finding = Finding::error(Code::BuildFailed, message, location);
                view.findings.push(finding);
            }
            self.view = Some(view);
        }
        BTreeSet::new()
    }

    /// One way from the root through all that is built.
    fn go_through(&self, builds: &mut Builds) -> Round {
        let mut round = Round::default();
        let Some(root) = self.root(&mut round, builds) else {
            return round;
        };
        let mut waiting = VecDeque::from([root]);
        while let Some(found) = waiting.pop_front() {
            if (self.world.is_interrupted)() {
                break;
            }
            if found.depth > MAX_DEPTH {
                let message = format!(
                    "Kustomization `{}` is not followed: more than {MAX_DEPTH} lead to it",
                    found.kustomization.id
                );
                let finding = Finding::error(Code::BuildFailed, message, found.location);
                round.view.findings.push(finding);
                continue;
            }
            // One that is presumed is none by its name.
            if round.seen.len() >= MAX_KUSTOMIZATIONS {
                let message =
                    format!("more than {MAX_KUSTOMIZATIONS} Kustomizations are not followed");
                let finding = Finding::error(Code::BuildFailed, message, found.location);
                round.view.findings.push(finding);
                break;
            }
            if !found.is_presumed() && !round.seen.insert(found.kustomization.id.clone()) {
                continue;
            }
            self.apply(found, &mut round, &mut waiting, builds);
        }
        let secrets = round.found.values.keys().map(|(_, id)| id.name.as_str());
        let known: BTreeSet<&str> = secrets
            .chain(round.accounts.iter().map(String::as_str))
            .collect();
        let missing = round.referred.iter();
        let missing = missing.filter(|name| !known.contains(name.as_str()));
        let missing: Vec<String> = missing.cloned().collect();
        round.missing.extend(missing);
        round
    }

    /// The Kustomization that builds the cluster's folder: one of its own, or the one
    /// that Flux is presumed to have.
    fn root(&self, round: &mut Round, builds: &mut Builds) -> Option<Found> {
        let artifact = self.root;
        let key = builds.key(artifact, String::new(), &self.folder, Overlay::default());
        builds.note_root(&key);
        let results: Vec<BuildResult> = self.results(&key, None, round, builds)?.to_vec();
        let mut sync: Option<(Sync, Location)> = None;
        let is_of_flux =
            |one: &&BuildResult| flux::GROUPS.iter().any(|group| one.text.contains(group));
        for result in results.iter().filter(is_of_flux) {
            let Ok(Substituted { resource, .. }) = Variables::default().substitute(&result.text)
            else {
                continue;
            };
            let identity = Identity::of(&resource);
            let namespace = match identity.namespace {
                "" => "flux-system",
                namespace => namespace,
            };
            if identity.is(flux::OPERATOR_GROUP, "FluxInstance") {
                let found = flux::instance_sync(&resource, namespace);
                let found = found.filter(|found| found.folder == self.folder);
                let at = self.location_of(&resource, artifact, &result.file, round);
                sync = sync.or_else(|| found.map(|found| (found, at)));
            }
            if !identity.is(flux::KUSTOMIZE_GROUP, "Kustomization") {
                continue;
            }
            let id = Id::new(namespace, identity.name);
            if let Ok(kustomization) = FluxKustomization::read(&resource, id)
                && kustomization.folder() == self.folder
            {
                round.here.insert(kustomization.source());
                return Some(Found {
                    kustomization,
                    location: self.location_of(&resource, artifact, &result.file, round),
                    is_root: true,
                    depth: 0,
                    parent: None,
                });
            }
        }
        let Some((sync, location)) = sync else {
            return Some(self.presumed_root(None, round));
        };
        let patched = match sync.patches.is_empty() {
            true => None,
            false => self.patched(&sync, location, round, builds),
        };
        match patched {
            Some(patched) => {
                round.here.insert(sync.source);
                Some(patched)
            }
            None => Some(self.presumed_root(Some(sync.source), round)),
        }
    }

    /// The root that a FluxInstance makes, with its patches.
    fn patched(
        &self,
        sync: &Sync,
        location: Location,
        round: &mut Round,
        builds: &mut Builds,
    ) -> Option<Found> {
        let made = builds.patched(&sync.kustomization, &sync.patches, self.world);
        let read = made.and_then(|results| {
            let text = results.first().map(|one| one.text.as_str());
            let variables = Variables::default();
            let made = variables.substitute(text.unwrap_or_default())?;
            FluxKustomization::read(&made.resource, sync.source.id.clone())
        });
        match read {
            Ok(kustomization) => Some(Found {
                kustomization,
                location,
                is_root: true,
                depth: 0,
                parent: None,
            }),
            Err(why) => {
                let message = format!("`spec.kustomize.patches` cannot be applied: {why}");
                let finding = Finding::error(Code::BuildFailed, message, location);
                round.view.findings.push(finding);
                None
            }
        }
    }

    /// The root where none is in the results: that of a FluxInstance, or bootstrap's.
    fn presumed_root(&self, source: Option<SourceKey>, round: &mut Round) -> Found {
        let source = source.unwrap_or_else(|| SourceKey {
            kind: "GitRepository".to_owned(),
            id: Id::new("flux-system", "flux-system"),
        });
        round.here.insert(source.clone());
        let has_values = !self.world.substitute.is_empty();
        let spec = Spec {
            path: Some(self.folder.clone()),
            post_build: has_values.then(PostBuild::default),
            ..Spec::default()
        };
        Found {
            kustomization: FluxKustomization {
                id: source.id,
                spec,
                written: Map::new(),
            },
            location: self.location(self.root, &self.folder),
            is_root: true,
            depth: 0,
            parent: None,
        }
    }

    /// Takes in the results of a Kustomization.
    fn apply(
        &self,
        found: Found,
        round: &mut Round,
        waiting: &mut VecDeque<Found>,
        builds: &mut Builds,
    ) {
        let kustomization = &found.kustomization;
        let Some(artifact) = self.artifact_of(&found, round) else {
            return;
        };
        let overlay = Overlay::of(&kustomization.written);
        let ignore = self.known.ignore.get(&kustomization.source());
        let ignore = ignore.cloned().unwrap_or_default();
        let key = builds.key(artifact, ignore, &kustomization.folder(), overlay);
        let (variables, is_complete) = self.variables(kustomization, round);
        if !is_complete && !self.is_last {
            round.is_waiting = true;
            // Its build need not wait.
            _ = self.results(&key, None, round, builds);
            return;
        }
        note_state(&found, round);
        for assumed in &variables.assumed_absent {
            let message = format!(
                "Kustomization `{}`: {assumed} is optional and not in the checkout: it is taken to hold nothing",
                kustomization.id
            );
            let finding = Finding::info(Code::UnknownVariable, message, found.location.clone());
            let finding = finding.hint(say_values(["NAME"]));
            round.view.findings.push(finding);
        }
        let Some(results) = self.results(&key, Some(&found), round, builds) else {
            return;
        };
        let documents = match documents(results, &variables) {
            Ok(documents) => documents,
            Err((file, why)) => {
                let location = self.location(artifact, file);
                let finding = failed(kustomization, &why, location);
                return round.view.findings.push(finding);
            }
        };
        let mut left_out = LeftOut::default();
        for (made, file) in documents {
            let location = self.location_of(&made.resource, artifact, file, round);
            if let Some(resource) = left_out.sort(made, &location, &variables) {
                let resource = applied::finished(resource, kustomization);
                let file = (artifact, file.to_owned());
                let child = self.take(resource, file, location, round);
                let id = || kustomization.id.clone();
                waiting.extend(child.map(|child| Found {
                    depth: found.depth + 1,
                    parent: (!found.is_presumed()).then(id),
                    ..child
                }));
            }
        }
        let said = left_out.findings(kustomization, &found.location);
        round.view.findings.extend(said);
    }

    /// Takes in a resource; a Kustomization comes back, to be followed.
    fn take(
        &self,
        resource: Value,
        file: (usize, String),
        location: Location,
        round: &mut Round,
    ) -> Option<Found> {
        let identity = Identity::of(&resource);
        let id = Id::new(identity.namespace, identity.name);
        if applied::is_not_reconciled(&resource) && flux::GROUPS.contains(&identity.group) {
            let message = format!(
                "{} `{}` is not reconciled (`{}: disabled`): what the cluster has may be older",
                identity.kind,
                identity.name,
                flux::RECONCILE
            );
            let finding = Finding::info(Code::Suspended, message, location.clone());
            round.view.findings.push(finding);
        }
        if identity.is(flux::KUSTOMIZE_GROUP, "Kustomization") {
            return match FluxKustomization::read(&resource, id) {
                Ok(kustomization) => Some(Found {
                    kustomization,
                    location,
                    is_root: false,
                    depth: 0,
                    parent: None,
                }),
                Err(why) => {
                    let message =
                        format!("Kustomization `{}` cannot be read: {why}", identity.name);
                    let finding = Finding::error(Code::BadDocument, message, location);
                    round.view.findings.push(finding);
                    None
                }
            };
        }
        if identity.is(flux::OPERATOR_GROUP, "ResourceSet") {
            if resource.to_string().contains("toolkit.fluxcd.io") {
                round.resource_sets.push((id, location));
            }
            return None;
        }
        if let Some(values) = applied::values_of(&resource) {
            let kind = identity.kind.to_owned();
            round.found.values.insert((kind, id.clone()), values);
        }
        if identity.is(api::SOURCE_GROUP, "GitRepository") {
            self.note_source(&resource, &id, round);
        }
        if identity.is(api::FLUX_GROUP, "ImageRepository") {
            round.referred.extend(applied::logins_of(&resource));
        }
        if identity.is("", "ServiceAccount") {
            round.accounts.insert(identity.name.to_owned());
        }
        round
            .view
            .documents
            .push(ClusterDocument { resource, file });
        None
    }

    fn note_source(&self, resource: &Value, id: &Id, round: &mut Round) {
        let key = SourceKey {
            kind: "GitRepository".to_owned(),
            id: id.clone(),
        };
        let spec = &resource["spec"];
        if let Some(ignore) = spec["ignore"].as_str() {
            round.found.ignore.insert(key.clone(), ignore.to_owned());
        }
        if substitute::unknown_in(&spec["url"]).is_empty() {
            let url = spec["url"].as_str().unwrap_or_default();
            round
                .found
                .urls
                .insert(key, (url.to_owned(), spec["ref"].clone()));
        }
    }

    /// Whether what a source checks out is what the root's does.
    fn is_same_ref(&self, of: &Value, round: &Round) -> bool {
        let mut here = round.here.iter().filter_map(|key| self.known.urls.get(key));
        here.all(|(_, root)| root == of || root.is_null() || of.is_null())
    }

    /// The source of which this is known.
    fn known_artifact(&self, key: &SourceKey, round: &Round) -> Option<usize> {
        if let Some(artifact) = self.world.sources.get(key) {
            return Some(*artifact);
        }
        round.here.contains(key).then_some(self.root)
    }

    /// Where a Kustomization's source lies, if it is followed.
    fn artifact_of(&self, found: &Found, round: &mut Round) -> Option<usize> {
        if found.is_root {
            return Some(self.root);
        }
        let key = found.kustomization.source();
        let folder = found.kustomization.folder();
        let id = &found.kustomization.id;
        if folder.contains("${") {
            round.unknown_paths.push(UnknownPath {
                path: folder,
                id: id.clone(),
                location: found.location.clone(),
                parent: found.parent.clone(),
            });
            return None;
        }
        if let Some(artifact) = self.known_artifact(&key, round) {
            return Some(artifact);
        }
        let known = self
            .known
            .urls
            .get(&key)
            .filter(|(url, _)| !url.contains("${"));
        let is_checkout = known.and_then(|(url, checked_out)| {
            let is_it = (self.world.is_checkout)(url)?;
            // The same repository, with whatever another branch holds.
            Some(is_it && self.is_same_ref(checked_out, round))
        });
        let holds = |artifact: &usize| {
            let artifact = self.world.artifacts[*artifact];
            artifact.standing(&folder) == artifact::Standing::Folder
        };
        let found_in = match (key.kind.as_str(), is_checkout) {
            (_, Some(true)) => Some(0),
            // Nobody knows: a folder of that name says that it is.
            ("GitRepository", None) => [self.root, 0].into_iter().find(holds),
            _ => None,
        };
        if found_in.is_none() {
            let one = (key, id.clone(), found.location.clone());
            round.not_followed.push(one);
        }
        found_in
    }

    /// The variables of a Kustomization, and whether all that may hold some is there.
    fn variables(&self, of: &FluxKustomization, round: &mut Round) -> (Variables, bool) {
        let mut variables = Variables::default();
        let Some(post_build) = &of.spec.post_build else {
            return (variables, true);
        };
        variables.counts = post_build.substitute_strategy.as_deref() == Some("Always");
        for (name, value) in self.world.substitute {
            variables.set(name, value);
        }
        let mut is_complete = true;
        for from in &post_build.substitute_from {
            let id = Id::new(of.id.namespace.as_str(), from.name.as_str());
            let shown = format!("{} `{}/{}`", from.kind, id.namespace, id.name);
            match self.known.values.get(&(from.kind.clone(), id)) {
                Some(Some(values)) => {
                    let values = values.iter();
                    values.for_each(|(name, value)| variables.set(name, value));
                }
                Some(None) => {
                    variables
                        .missing
                        .insert(format!("{shown}, which is encrypted"));
                }
                None if from.kind == "Secret" && self.world.secrets.contains_key(&from.name) => {
                    let values = self.world.secrets[&from.name].iter();
                    values.for_each(|(name, value)| variables.set(name, value));
                }
                None => {
                    is_complete = false;
                    round.missing.insert(from.name.clone());
                    let missing = match from.optional {
                        true => &mut variables.assumed_absent,
                        false => &mut variables.missing,
                    };
                    missing.insert(shown);
                }
            }
        }
        variables.counts |= !variables.missing.is_empty();
        for (name, value) in &post_build.substitute {
            variables.set(name, value);
        }
        (variables, is_complete)
    }

    /// What a build has given; `None` where it is still to be run, skipped or failed.
    /// What is to be known of that is said to `round` where the Kustomization is told.
    fn results<'b>(
        &self,
        key: &Key,
        found: Option<&Found>,
        round: &mut Round,
        builds: &'b Builds,
    ) -> Option<&'b [BuildResult]> {
        match builds.outcome(key) {
            None => {
                round.wanted.insert(key.clone());
                None
            }
            Some(Outcome::Built(results, left_out)) => {
                if found.is_some() {
                    for (file, entry) in left_out {
                        let message = format!(
                            "`{entry}` lies elsewhere and is left out of the build; Flux fetches it"
                        );
                        let location = self.location(key.artifact, file);
                        let finding = Finding::info(Code::NotFollowed, message, location);
                        if round
                            .view
                            .findings
                            .iter()
                            .any(|one| one.message == finding.message)
                        {
                            continue;
                        }
                        let hint = "have it fetched with `--remote-bases`";
                        round.view.findings.push(finding.hint(hint));
                    }
                }
                Some(results)
            }
            Some(Outcome::Skipped(_)) => None,
            Some(Outcome::Failed(refusal)) => {
                let location = self.location(key.artifact, &refusal.file);
                let of = match found {
                    Some(found) => format!("Kustomization `{}`", found.kustomization.id),
                    None if builds.is_root(key) => "the cluster's folder".to_owned(),
                    None => return None,
                };
                let message = format!("{of} cannot be built: {}", refusal.message);
                let (severity, location) = match (refusal.is_nothing, found) {
                    (true, Some(found)) => (Severity::Warning, found.location.clone()),
                    _ => (Severity::Error, location),
                };
                let finding = Finding::new(severity, Code::BuildFailed, message, location);
                round.view.findings.push(finding);
                None
            }
        }
    }

    /// Takes over what a round has found; whether that is anything new.
    fn learn(&mut self, found: Known) -> bool {
        let is_new = self.known != found;
        self.known = found;
        is_new
    }

    fn location(&self, artifact: usize, file: &str) -> Location {
        Location::file(self.world.artifacts[artifact].show(file))
    }

    /// Where a resource comes from; its line is looked up where that is said.
    fn location_of(
        &self,
        resource: &Value,
        artifact: usize,
        file: &str,
        round: &mut Round,
    ) -> Location {
        let identity = Identity::of(resource);
        let text = |text: &str| quote::name(&substitute::restored_text(text)).into_owned();
        let location = self.location(artifact, file);
        let known = round.files.entry(location.file.clone());
        known.or_insert_with(|| (artifact, file.to_owned()));
        Location {
            resource: Some(ResourceRef {
                api_version: text(resource["apiVersion"].as_str().unwrap_or_default()),
                kind: text(identity.kind),
                name: text(identity.name),
                namespace: text(identity.namespace),
            }),
            ..location
        }
    }
}

/// The resources of a build that are read here, with the values of variables in them.
/// Whatever cannot be substituted fails the whole build.
fn documents<'b>(
    results: &'b [BuildResult],
    variables: &Variables,
) -> Result<Vec<(Substituted, &'b str)>, (&'b str, String)> {
    let mut documents = Vec::new();
    let mut size = 0;
    for result in results {
        let is_ours = results::matters(&result.text);
        let has_variables = variables.counts && result.text.contains('$');
        if !(is_ours || has_variables) {
            continue;
        }
        let substituted = match result.is_substituted() {
            true => variables.substitute(&result.text),
            false => Variables::default().substitute(&result.text),
        };
        let made = substituted.map_err(|why| (result.file.as_str(), why))?;
        size += made.size;
        if size > MAX_SUBSTITUTED {
            let why = format!(
                "the results would be larger than {} MiB",
                MAX_SUBSTITUTED >> 20
            );
            return Err((result.file.as_str(), why));
        }
        if is_ours {
            documents.push((made, result.file.as_str()));
        }
    }
    Ok(documents)
}

/// What there is to know of a Kustomization itself.
fn note_state(found: &Found, round: &mut Round) {
    let (id, spec) = (&found.kustomization.id, &found.kustomization.spec);
    let mut note = |code: Code, what: &str| {
        let message = format!("Kustomization `{id}` {what}");
        let finding = Finding::info(code, message, found.location.clone());
        round.view.findings.push(finding);
    };
    if spec.suspend {
        note(Code::Suspended, "is suspended; it is followed all the same");
    }
    if spec.kube_config.is_some() {
        note(
            Code::NotFollowed,
            "is for another cluster (`kubeConfig`); it is followed all the same",
        );
    }
}

fn failed(kustomization: &FluxKustomization, why: &str, location: Location) -> Finding {
    let id = &kustomization.id;
    let message = format!("Kustomization `{id}` cannot be built: substituting variables: {why}");
    let finding = Finding::error(Code::BuildFailed, message, location);
    finding.hint(format!(
        "write `$${{…}}` for what is no variable, or annotate the resource with `{}: disabled`",
        flux::SUBSTITUTE
    ))
}
