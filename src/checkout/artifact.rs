//! The files of a folder as source-controller puts them into a GitRepository's artifact.
//!
//! That holds no links, nothing of git's, nothing that `.sourceignore`, `spec.ignore`
//! or Flux's own list leaves out; and what git ignores was never committed.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::{Repositories, Repository};
use super::ignore_rules::IgnoreRules;
use super::regular_file::{self, MAX_BYTES};
use super::walk::{self, Listing};
use crate::cluster::artifact::{self, Artifact, Standing};
use crate::path_name;

/// What Flux leaves out of an artifact by itself (`fluxcd/pkg/sourceignore` v0.18).
const DEFAULTS: &str = ".git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
";

/// What of a file of rules counts, in bytes.
const MAX_RULES: u64 = 1 << 20;

/// The artifact of a folder.
pub struct FolderArtifact {
    folder: Arc<Folder>,
    /// `spec.ignore`.
    of_source: Gitignore,
}

struct Folder {
    root: PathBuf,
    show: Box<dyn Fn(&Path) -> String + Send + Sync>,
    repository: Option<Repository>,
    /// Folders that are repositories of their own.
    others: Vec<String>,
    manifests: Vec<String>,
    defaults: Gitignore,
    by_folder: Mutex<BTreeMap<String, Arc<Gitignore>>>,
    tracked: OnceLock<HashSet<PathBuf>>,
    /// Files that were read: many builds read the same.
    texts: Mutex<BTreeMap<String, Arc<[u8]>>>,
}

impl FolderArtifact {
    /// That of `root`, a real path, in which a walk found `listing`. `show` makes the
    /// names that findings use.
    #[must_use]
    pub fn new(
        root: &Path,
        show: Box<dyn Fn(&Path) -> String + Send + Sync>,
        listing: &Listing,
        repositories: &Repositories,
    ) -> Self {
        let inside = |path: &Path| Some(path.strip_prefix(root).ok()?.to_str()?.to_owned());
        let files = listing.files.iter().filter(|file| !file.is_link);
        let notes = listing.notes.iter();
        let others = notes.filter(|note| note.what.is_other_repository());
        let folder = Folder {
            root: root.to_path_buf(),
            show,
            repository: repositories.of(root),
            others: others.filter_map(|note| inside(&note.path)).collect(),
            manifests: files.filter_map(|file| inside(&file.path)).collect(),
            defaults: rules(DEFAULTS),
            by_folder: Mutex::default(),
            tracked: OnceLock::new(),
            texts: Mutex::default(),
        };
        Self {
            folder: Arc::new(folder),
            of_source: Gitignore::empty(),
        }
    }

    /// That of a folder that a flag names.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn of_folder(folder: &Path, repositories: &Repositories) -> std::io::Result<Self> {
        let root = folder.canonicalize()?;
        let listing = walk::files_under(&root, repositories)?;
        let (from, named) = (root.clone(), folder.to_path_buf());
        let show = move |path: &Path| {
            let inside = path.strip_prefix(&from).unwrap_or(path);
            path_name::shown(&named.join(inside))
        };
        Ok(Self::new(&root, Box::new(show), &listing, repositories))
    }

    /// Whether Flux's rules leave a path out: the last one that says anything counts.
    fn is_left_out(&self, path: &str, is_folder: bool) -> bool {
        let verdict = |rules: &Gitignore, path: &str| match rules
            .matched_path_or_any_parents(path, is_folder)
        {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        };
        let mut said = verdict(&self.of_source, path);
        let mut folder = path;
        while said.is_none() && !folder.is_empty() {
            folder = crate::cluster::artifact::folder_of(folder);
            let inner = path.strip_prefix(folder).unwrap_or(path);
            said = verdict(&self.folder.rules_of(folder), inner.trim_start_matches('/'));
        }
        said.or_else(|| verdict(&self.folder.defaults, path))
            .unwrap_or(false)
    }
}

impl Folder {
    /// The rules of a folder's own `.sourceignore`.
    fn rules_of(&self, folder: &str) -> Arc<Gitignore> {
        let mut known = self.by_folder.lock();
        let known = known
            .as_mut()
            .map_or_else(|error| &mut **error.get_mut(), |map| &mut **map);
        let read = || {
            let path = self.root.join(folder).join(".sourceignore");
            let bytes = regular_file::read(&path, MAX_RULES);
            let text = bytes
                .ok()
                .and_then(|(bytes, _)| String::from_utf8(bytes).ok());
            Arc::new(text.map_or_else(Gitignore::empty, |text| rules(&text)))
        };
        Arc::clone(known.entry(folder.to_owned()).or_insert_with(read))
    }

    /// Whether no commit holds a file: git does not track it, or, where nothing says what
    /// it tracks, ignores it. What is ignored, the user's own settings say as well, and
    /// whoever writes to the repository.
    fn is_untracked(&self, path: &Path) -> bool {
        let Some(repository) = &self.repository else {
            return false;
        };
        let tracked = self.tracked.get_or_init(|| {
            let files = repository.index().into_iter();
            let files = files.flat_map(|index| index.files());
            files.map(|file| repository.root.join(file)).collect()
        });
        if !tracked.is_empty() {
            return !tracked.contains(path);
        }
        let exclude = repository.exclude_file();
        let mut unread = Vec::new();
        let rules = IgnoreRules::above(&repository.root, exclude.as_deref(), path, &mut unread);
        let mut above = path.ancestors().skip(1);
        rules.ignores(path, false)
            || above.any(|folder| folder != repository.root && rules.ignores(folder, true))
    }
}

fn rules(text: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        // What is no pattern matches nothing.
        _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

impl Artifact for FolderArtifact {
    fn standing(&self, path: &str) -> Standing {
        let mut at = self.folder.root.clone();
        let mut kind = Standing::Folder;
        let mut walked = String::new();
        for step in path.split('/').filter(|step| !step.is_empty()) {
            if kind != Standing::Folder {
                return Standing::Missing;
            }
            if step == ".git" {
                return Standing::LeftOut("belongs to git");
            }
            at.push(step);
            walked.push_str(if walked.is_empty() { "" } else { "/" });
            walked.push_str(step);
            let Ok(metadata) = at.symlink_metadata() else {
                return Standing::Missing;
            };
            kind = if metadata.is_symlink() {
                return Standing::LeftOut("is a link, which Flux's artifact does not hold");
            } else if metadata.is_dir() {
                Standing::Folder
            } else if metadata.is_file() {
                Standing::File
            } else {
                return Standing::LeftOut("is not a regular file");
            };
            if self.folder.others.contains(&walked) {
                return Standing::LeftOut("is in another repository");
            }
        }
        if walked.is_empty() {
            return kind;
        }
        if self.is_left_out(&walked, kind == Standing::Folder) {
            return Standing::Ignored;
        }
        if kind == Standing::File && self.folder.is_untracked(&at) {
            return Standing::LeftOut("is not tracked by git, so that no commit holds it");
        }
        kind
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let known = self.folder.texts.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known.get(path) {
            return Ok(Arc::clone(bytes));
        }
        let read = regular_file::read(&self.folder.root.join(path), MAX_BYTES);
        let (bytes, _) = read.map_err(|error| error.to_string())?;
        let bytes: Arc<[u8]> = bytes.into();
        known.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(bytes)
    }

    fn manifests(&self, folder: &str) -> Vec<String> {
        let files = self.folder.manifests.iter();
        let files = files.filter(|path| artifact::is_below(folder, path));
        let files = files.filter(|path| {
            let is_untracked = || self.folder.is_untracked(&self.folder.root.join(path));
            !self.is_left_out(path, false) && !is_untracked()
        });
        files.cloned().collect()
    }

    fn without(&self, text: &str) -> Box<dyn Artifact + '_> {
        Box::new(Self {
            folder: Arc::clone(&self.folder),
            of_source: rules(text),
        })
    }

    fn show(&self, path: &str) -> String {
        (self.folder.show)(&self.folder.root.join(path))
    }
}
