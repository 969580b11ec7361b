//! Builds of folders: each is made once in a run, whichever cluster asks for it, and only
//! where it can matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem::Finder;
use serde_json::{Value, json};

use super::artifact::Artifact;
use super::closure::{self, Closure, Refusal};
use super::flux::{GROUPS, SourceKey};
use super::overlay::Overlay;
use super::results::{self, BuildResult};
use crate::parallel;

/// Runs a build: the text that comes out, or what the builder says.
pub type Build<'b> = dyn Fn(&Closure) -> Result<String, String> + Sync + 'b;

/// What a view is made from.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// The sources, the checkout first.
    pub artifacts: &'w [&'w dyn Artifact],
    /// Which of them Flux's sources are, where the user said so.
    pub sources: &'w BTreeMap<SourceKey, usize>,
    /// Variables of the user.
    pub substitute: &'w BTreeMap<String, String>,
    /// Secrets of the user by name, for who names them.
    pub secrets: &'w BTreeMap<String, BTreeMap<String, String>>,
    /// Whether the run is to end.
    pub is_interrupted: &'w (dyn Fn() -> bool + Sync),
    /// Whether the builder fetches what lies elsewhere.
    pub remote_bases: bool,
    /// Whether an address is one of the checkout's; `None` where that is not known.
    pub is_checkout: &'w (dyn Fn(&str) -> Option<bool> + Sync),
    /// Runs a build.
    pub build: &'w Build<'w>,
    /// Told of each build: the folder, its number, and how many are known of.
    pub progress: &'w (dyn Fn(&str, usize, usize) + Sync),
}

/// A build that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The number of the source.
    pub artifact: usize,
    /// `spec.ignore` of its GitRepository.
    pub ignore: String,
    /// The folder, from the source's root.
    pub folder: String,
    /// What a Kustomization adds, as a text.
    overlay: String,
}

/// What came of it.
pub(super) enum Outcome {
    /// Its resources, and what was left out of it: files, and what they name.
    Built(Arc<[BuildResult]>, BTreeSet<(String, String)>),
    /// Nothing in it seemed to matter.
    Skipped(Closure),
    /// Why there is nothing.
    Failed(Refusal),
}

/// The builds of a run: each is made once, whichever cluster asks for it.
#[derive(Default)]
pub(super) struct Builds {
    outcomes: BTreeMap<Key, Outcome>,
    overlays: BTreeMap<String, Overlay>,
    /// Names of ConfigMaps and Secrets that make a build matter.
    wanted_names: BTreeSet<String>,
    /// Folders of clusters, which always matter.
    roots: BTreeSet<Key>,
    /// What came of builds, by the content that they were made from.
    by_content: BTreeMap<Content, Result<Arc<[BuildResult]>, String>>,
}

/// What the files of a build are looked through for.
struct Words<'w> {
    groups: [Finder<'w>; 5],
    names: Vec<Finder<'w>>,
    parts: Vec<Finder<'w>>,
    holders: [Finder<'w>; 5],
    changers: [Finder<'w>; 4],
}

impl Words<'_> {
    /// Whether a build may give anything that is asked for.
    fn matter_in(&self, closure: &Closure) -> bool {
        let may_hold = || {
            closure.holds(&self.names)
                || closure.holds(&self.parts) && closure.holds(&self.changers)
        };
        closure.holds(&self.groups) || closure.holds(&self.holders) && may_hold()
    }
}

/// What makes ConfigMaps and Secrets, and what goes with them.
const HOLDERS: [&str; 5] = [
    "kind: ConfigMap",
    "kind: Secret",
    "onfigMapGenerator",
    "ecretGenerator",
    "kind: ServiceAccount",
];

/// What changes names.
const CHANGERS: [&str; 4] = ["namePrefix", "nameSuffix", "${", "/metadata/name"];

/// A digest of the files of a build.
type Content = [u8; 32];

impl Builds {
    /// The build of a folder with what a Kustomization adds.
    pub(super) fn key(
        &mut self,
        artifact: usize,
        ignore: String,
        folder: &str,
        overlay: Overlay,
    ) -> Key {
        let key = Key {
            artifact,
            ignore,
            folder: folder.to_owned(),
            overlay: overlay.key(),
        };
        self.overlays.insert(key.overlay.clone(), overlay);
        key
    }

    /// Says that a folder is a cluster's.
    pub(super) fn note_root(&mut self, key: &Key) {
        self.roots.insert(key.clone());
    }

    /// Whether a folder is a cluster's.
    pub(super) fn is_root(&self, key: &Key) -> bool {
        self.roots.contains(key)
    }

    /// What came of a build; `None` where it was not run.
    pub(super) fn outcome(&self, key: &Key) -> Option<&Outcome> {
        self.outcomes.get(key)
    }

    /// Runs builds at once, as far as they matter.
    pub(super) fn run(&mut self, wanted: BTreeSet<Key>, world: &World<'_>) {
        let words = self.words();
        let keys: Vec<Key> = wanted.into_iter().collect();
        let gathered = parallel::queue(&keys, &|key| self.gather(key, &words, world));
        let (mut made_of, mut jobs) = (Vec::new(), BTreeMap::new());
        let mut outcomes = Vec::new();
        let mut of_flux = BTreeSet::new();
        for (key, gathered) in keys.into_iter().zip(gathered) {
            match gathered {
                Ok(closure) => {
                    let content = closure.digest();
                    if self.roots.contains(&key) || closure.holds(&words.groups) {
                        of_flux.insert(key.clone());
                    }
                    made_of.push((key, content, closure.left_out.clone()));
                    if !self.by_content.contains_key(&content) {
                        jobs.insert(content, closure);
                    }
                }
                Err(outcome) => outcomes.push((key, outcome)),
            }
        }
        self.outcomes.extend(outcomes);
        self.build(jobs.into_iter().collect(), world);
        for (key, content, left_out) in made_of {
            let outcome = match &self.by_content[&content] {
                Ok(results) => Outcome::Built(Arc::clone(results), left_out),
                // It was only looked through for a name, which is still missing.
                Err(_) if !of_flux.contains(&key) => Outcome::Built(Arc::new([]), left_out),
                Err(message) => Outcome::Failed(Refusal {
                    is_nothing: false,
                    file: key.folder.clone(),
                    message: message.clone(),
                }),
            };
            self.outcomes.insert(key, outcome);
        }
    }

    /// The files of a build that matters.
    fn gather(&self, key: &Key, words: &Words<'_>, world: &World<'_>) -> Result<Closure, Outcome> {
        let artifact = world.artifacts[key.artifact];
        let without = match key.ignore.as_str() {
            "" => None,
            rules => Some(artifact.without(rules)),
        };
        let artifact = without.as_deref().unwrap_or(artifact);
        let overlay = &self.overlays[&key.overlay];
        let closure = closure::gather(artifact, &key.folder, overlay, world.remote_bases);
        let closure = closure.map_err(Outcome::Failed)?;
        match self.roots.contains(key) || words.matter_in(&closure) {
            true => Ok(closure),
            false => Err(Outcome::Skipped(closure)),
        }
    }

    fn build(&mut self, jobs: Vec<(Content, Closure)>, world: &World<'_>) {
        let before = self.by_content.len();
        let total = before + jobs.len();
        let started = AtomicUsize::new(before);
        let run = |(_, closure): &(Content, Closure)| {
            let number = started.fetch_add(1, Ordering::Relaxed) + 1;
            (world.progress)(&closure.folder, number, total);
            let text = (world.build)(closure)?;
            Ok(results::of(&text, &closure.folder).into())
        };
        let made = parallel::queue(&jobs, &run);
        let contents = jobs.into_iter().map(|(content, _)| content);
        self.by_content.extend(contents.zip(made));
    }

    /// A resource with patches.
    ///
    /// # Errors
    /// What the builder says.
    pub(super) fn patched(
        &mut self,
        resource: &Value,
        patches: &[Value],
        world: &World<'_>,
    ) -> Result<Arc<[BuildResult]>, String> {
        let kustomization = json!({"resources": ["resource.yaml"], "patches": patches});
        let files = [
            ("kustomization.yaml", kustomization.to_string()),
            ("resource.yaml", resource.to_string()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.into_bytes().into()));
        let closure = Closure {
            files: files.into(),
            ..Closure::default()
        };
        let content = closure.digest();
        if !self.by_content.contains_key(&content) {
            self.build(vec![(content, closure)], world);
        }
        self.by_content[&content].clone()
    }

    /// Has skipped builds run that hold a name that is asked for; whether there are any.
    pub(super) fn retry_skipped(&mut self, missing: &BTreeSet<String>) -> bool {
        self.wanted_names.extend(missing.iter().cloned());
        let words = self.words();
        let matters = |outcome: &Outcome| match outcome {
            Outcome::Skipped(closure) => words.matter_in(closure),
            _ => false,
        };
        let again = self.outcomes.iter().filter(|(_, outcome)| matters(outcome));
        let again: Vec<Key> = again.map(|(key, _)| key.clone()).collect();
        for key in &again {
            self.outcomes.remove(key);
        }
        !again.is_empty()
    }

    fn words(&self) -> Words<'static> {
        let names = self.wanted_names.iter();
        let parts = names.clone().flat_map(|name| name.split(['-', '.']));
        // Of a name that a build changes, a part stands in the files.
        let parts = parts.filter(|part| part.len() > 2);
        let parts: BTreeSet<&str> = parts.collect();
        Words {
            groups: GROUPS.map(Finder::new),
            names: names.map(|name| Finder::new(name).into_owned()).collect(),
            parts: parts
                .into_iter()
                .map(|part| Finder::new(part).into_owned())
                .collect(),
            holders: HOLDERS.map(Finder::new),
            changers: CHANGERS.map(Finder::new),
        }
    }
}
