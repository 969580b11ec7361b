//! The folder that `suggest --write` adds documents to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Wanted;
use crate::checkout::git::Repositories;
use crate::checkout::kustomization::is_name_of_one;
use crate::checkout::regular_file::{self, MAX_BYTES};
use crate::cluster::kustomization::{self, NAMES};
use crate::path_name;

/// Where `--write` adds documents: a folder of the work tree.
pub(super) struct Target {
    /// The root of the work tree; a real path.
    pub(super) root: PathBuf,
    /// The folder, without links; it may not be there yet.
    pub(super) folder: PathBuf,
    /// What tells Flux of new files.
    pub(super) list: FileList,
    /// What the kustomization does to names.
    pub(super) renames: Renames,
}

/// What tells Flux of the files in a folder.
pub(super) enum FileList {
    /// This kustomization, which is edited.
    Kustomization(PathBuf),
    /// This one, which is a link or no file, and stays.
    Untouchable(PathBuf),
    /// Nothing: there are manifests without a kustomization, so Flux takes all of them.
    Generated,
    /// A new kustomization.
    New,
}

impl Target {
    /// The folder that `--write` names.
    ///
    /// # Errors
    /// One that is not inside the work tree, or in `.git`, or no folder.
    pub(super) fn of(
        named: &Path,
        subject: &Wanted,
        repositories: &Repositories,
    ) -> anyhow::Result<Self> {
        let shown = path_name::shown(named);
        let current = std::env::current_dir().and_then(|folder| folder.canonicalize());
        let current = current.context("cannot tell the current folder")?;
        let about = subject.paths.first().unwrap_or(&current);
        let root = repositories.work_tree(about).unwrap_or(current);
        let root = root.canonicalize().unwrap_or(root);
        let folder = real(named).with_context(|| format!("`--write` {shown}"))?;
        let Ok(inside) = folder.strip_prefix(&root) else {
            bail!(
                "`--write` {shown} leads out of the work tree {}; nothing was changed\n  hint: name a folder inside of it",
                path_name::shown(&root)
            );
        };
        let mut parts = inside.components().map(|part| part.as_os_str());
        if parts.any(|part| part.eq_ignore_ascii_case(".git")) {
            bail!("`--write` {shown} leads into `.git`; nothing was changed");
        }
        let there = folder.ancestors().find(|above| above.is_dir());
        let nearest = there.and_then(|there| repositories.work_tree(there));
        let nearest = nearest.map(|nearest| nearest.canonicalize().unwrap_or(nearest));
        if nearest.is_some_and(|nearest| nearest != root) {
            bail!(
                "`--write` {shown} is in another work tree, such as a submodule; nothing was changed"
            );
        }
        if folder.exists() && !folder.is_dir() {
            bail!("`--write` {shown} is no folder; nothing was changed");
        }
        let list = FileList::of(&folder)
            .with_context(|| format!("cannot read {}", path_name::shown(&folder)))?;
        let renames = match &list {
            FileList::Kustomization(path) => Renames::of(path),
            _ => Renames::default(),
        };
        if renames.has_affix {
            bail!(
                "the kustomization of `--write` {shown} puts something before or behind names (`namePrefix`, `nameSuffix`), so that no marker would mean them; nothing was changed\n  hint: name another folder"
            );
        }
        Ok(Self {
            root,
            folder,
            list,
            renames,
        })
    }

    /// What to know of the folder, besides findings.
    pub(super) fn note(&self) -> Option<String> {
        let inside = self.folder.strip_prefix(&self.root).ok()?;
        let above = inside.ancestors().skip(1).find_map(|above| {
            let all = NAMES.map(|name| above.join(name));
            (all.into_iter()).find(|path| self.root.join(path).is_file())
        });
        let folder = match inside.as_os_str().is_empty() {
            true => "the root of the work tree".to_owned(),
            false => path_name::shown(inside).to_string(),
        };
        let above = above.map(|path| path_name::shown(&path).to_string());
        match (&self.list, above) {
            (FileList::Generated, None) => Some(format!(
                "{folder} holds manifests and no kustomization, so that Flux takes all files below it: none is made, which would leave the others out\n"
            )),
            (FileList::Generated, Some(above)) => Some(format!(
                "{folder} holds manifests and no kustomization: none is made, which would leave the others out; where Flux builds {above}, add the new files to its `resources`\n"
            )),
            (FileList::New, Some(above)) => Some(format!(
                "where Flux builds {above}, add {folder} to its `resources`\n"
            )),
            _ => None,
        }
    }
}

/// A path without links, of what may not be there yet.
fn real(path: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut there = path.as_path();
    let mut missing = Vec::new();
    while there.symlink_metadata().is_err() {
        let (Some(above), Some(name)) = (there.parent(), there.components().next_back()) else {
            break;
        };
        if !matches!(name, std::path::Component::Normal(_)) {
            bail!("has `..` behind a folder that is not there");
        }
        missing.push(name.as_os_str());
        there = above;
    }
    let mut real = (there.canonicalize())
        .with_context(|| format!("{} leads nowhere", path_name::shown(there)))?;
    real.extend(missing.iter().rev());
    Ok(real)
}

/// What a kustomization does to the names of what it lists.
#[derive(Default)]
pub(super) struct Renames {
    /// The `namespace` that it puts everything in.
    pub(super) namespace: Option<String>,
    has_affix: bool,
}

impl Renames {
    /// Of a kustomization; nothing where it cannot be read, which is said where it is edited.
    fn of(path: &Path) -> Self {
        let text = regular_file::read(path, MAX_BYTES).map(|(bytes, _)| bytes);
        let text = text.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let documents = text.and_then(|text| kustomization::documents(&text).ok());
        let Some(fields) = documents.and_then(|documents| documents.into_iter().next()) else {
            return Self::default();
        };
        let said = |key: &str| fields.get(key).and_then(|value| value.as_str());
        let said = |key: &str| said(key).filter(|value| !value.is_empty());
        Self {
            namespace: said("namespace").map(str::to_owned),
            has_affix: said("namePrefix").or_else(|| said("nameSuffix")).is_some(),
        }
    }
}

impl FileList {
    fn of(folder: &Path) -> std::io::Result<Self> {
        for path in NAMES.map(|name| folder.join(name)) {
            if let Ok(metadata) = path.symlink_metadata() {
                return Ok(match metadata.is_file() {
                    true => Self::Kustomization(path),
                    false => Self::Untouchable(path),
                });
            }
        }
        Ok(match holds_manifests(folder)? {
            true => Self::Generated,
            false => Self::New,
        })
    }
}

/// Whether a file below a folder is one that Flux would list in a kustomization of its own.
/// No link is followed.
fn holds_manifests(folder: &Path) -> std::io::Result<bool> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let name = path.extension().and_then(|extension| extension.to_str());
            if matches!(name, Some("yaml" | "yml")) || is_name_of_one(&path) {
                return Ok(true);
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(false)
}
