//! What `suggest --write` writes: new documents, the list of a kustomization, markers; all of
//! it or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::looked::{Carrier, Looked};
use super::target::{FileList, Target};
use crate::checkout;
use crate::checkout::git::Repositories;
use crate::checkout::source_files::{self, SourceFile};
use crate::checkout::walk::Listed;
use crate::checkout::write::Lock;
use crate::cli::edit;
use crate::cli::streams::{print_created, print_diff};
use crate::finding::{Code, Finding};
use crate::insight::suggest::{self, Candidate, Suggestion};
use crate::path_name;
use crate::plan::planned::Replacement;
use crate::report;
use yaml_edit_spans::patch::Edit;

/// What is to be written.
#[derive(Default)]
pub(super) struct Writing {
    replacements: Vec<Replacement>,
    /// New files, by their names in the folder.
    files: BTreeMap<String, String>,
    folder: PathBuf,
    policies: usize,
    marked: usize,
    /// What to know of the folder.
    note: Option<String>,
}

/// Why a value gets no marker, where it gets none.
pub(super) fn unmarked(one: &Candidate) -> Option<Finding> {
    let why = one.marks.as_ref().err()?;
    let message = format!("this value gets no marker: {}", why.why());
    let finding = Finding::warning(Code::DeadMarker, message, one.location.clone());
    Some(finding.hint(why.hint()))
}

/// That no automation would come to values with their new policies, where there are any.
pub(super) fn unreached(all: &[Suggestion], looked: &Looked, namespace: &str) -> Option<Finding> {
    let comes = |one: &Candidate| {
        let source = looked.sources.get(&one.location.file);
        let comes = |carrier: &Carrier| {
            carrier.id.namespace == namespace
                && !carrier.has_selector
                && source.is_some_and(|source| source.path.starts_with(&carrier.folder))
        };
        looked.carriers.iter().any(comes)
    };
    let made = all.iter().filter(|told| told.policy.is_some());
    let left = made.flat_map(|told| &told.values).filter(|one| !comes(one));
    let left: Vec<&Candidate> = left.collect();
    let first = left.first().filter(|_| !looked.carriers.is_empty())?;
    let why = |carrier: &Carrier| {
        let id = &carrier.id;
        match (id.namespace == namespace, carrier.has_selector) {
            (false, _) => format!("`{id}` takes the policies of its own namespace alone"),
            (true, true) => format!("`{id}` takes policies of some labels (`policySelector`)"),
            (true, false) => format!("`{id}` updates another folder (`update.path`)"),
        }
    };
    let why: BTreeSet<String> = looked.carriers.iter().map(why).collect();
    let why: Vec<String> = why.into_iter().take(4).collect();
    let values = match left.len() {
        1 => "this value".to_owned(),
        count => format!("{count} values, the first of them here,"),
    };
    let message = format!(
        "no ImageUpdateAutomation comes to {values} with the new policies: {}",
        why.join("; ")
    );
    let finding = Finding::warning(Code::UnreachedMarker, message, first.location.clone());
    Some(finding.hint("name its namespace with `-n`, widen its `update.path`, add one, or run `flux-image update PATH`"))
}

impl Writing {
    /// What suggestions come to.
    ///
    /// # Errors
    /// A file that cannot be changed as it is to be; one that is there already.
    pub(super) fn of(
        all: &[Suggestion],
        looked: &Looked,
        target: &Target,
        namespace: &str,
    ) -> anyhow::Result<Self> {
        let mut writing = Self {
            folder: target.folder.clone(),
            ..Self::default()
        };
        let mut by_file: BTreeMap<&str, Vec<(&Candidate, String)>> = BTreeMap::new();
        for told in all {
            let Some(policy) = told.marked_with(namespace) else {
                continue;
            };
            if told.policy.is_some() {
                let file = format!("{}.yaml", told.name);
                writing.files.insert(file, told.documents(namespace));
                writing.policies += 1;
            }
            for one in &told.values {
                let values = by_file.entry(&one.location.file).or_default();
                values.push((one, policy.clone()));
            }
        }
        let names: Vec<String> = writing.files.keys().cloned().collect();
        let mut list = match &target.list {
            FileList::Kustomization(path) if !names.is_empty() => Some(path),
            _ => None,
        };
        for source in looked.sources.values() {
            let mut edits = Vec::new();
            if let Some(values) = by_file.get(source.name.as_str()) {
                edits = markers(source, values)?;
                writing.marked += values.len();
            }
            if let Some(path) = list
                && source.path == *path
            {
                list = None;
                edits.extend(listed(source, &names)?);
            }
            writing.replace(source, edits)?;
        }
        if let Some(path) = list {
            writing.list_in(path, target, &names)?;
        }
        writing.add_list(target, &names)?;
        for name in writing.files.keys() {
            let path = target.folder.join(name);
            if fs::symlink_metadata(&path).is_ok() {
                bail!(
                    "{} is there already; nothing was changed\n  hint: name another folder, or take it out",
                    path_name::shown(&path)
                );
            }
        }
        Ok(writing)
    }

    fn replace(&mut self, source: &SourceFile, edits: Vec<Edit>) -> anyhow::Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        match checkout::replacement(source, edits) {
            Ok(replacement) => self.replacements.push(replacement),
            Err(why) => bail!(
                "{} would change, but {why}; nothing was changed",
                source.name
            ),
        }
        Ok(())
    }

    /// Adds the new files to a kustomization that the run has not read.
    fn list_in(&mut self, path: &Path, target: &Target, names: &[String]) -> anyhow::Result<()> {
        let file = Listed {
            path: path.to_path_buf(),
            is_link: false,
        };
        let show = |path: &Path| path_name::shown(path).to_string();
        let named = BTreeSet::from([file.path.clone()]);
        let all = source_files::Wanted::All;
        let (sources, refused) = source_files::read_all(&[file], &target.root, &named, all, &show);
        if let Some(refused) = refused.first() {
            bail!(
                "{}: {}; nothing was changed",
                show(path),
                refused.finding.message
            );
        }
        for source in &sources {
            let edits = listed(source, names)?;
            self.replace(source, edits)?;
        }
        Ok(())
    }

    /// Adds a new kustomization, or a note why there is none.
    fn add_list(&mut self, target: &Target, names: &[String]) -> anyhow::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.note = target.note();
        match &target.list {
            FileList::New => {
                let list: String = names.iter().map(|name| format!("  - {name}\n")).collect();
                let text = format!(
                    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{list}"
                );
                self.files.insert("kustomization.yaml".to_owned(), text);
                Ok(())
            }
            FileList::Untouchable(path) => bail!(
                "{} is a link or no file, so that the new files cannot be added to it; nothing was changed\n  hint: name another folder",
                path_name::shown(path)
            ),
            FileList::Generated | FileList::Kustomization(_) => Ok(()),
        }
    }

    /// Writes new files and edits others, or nothing; `None` after Ctrl-C.
    ///
    /// # Errors
    /// What cannot be written.
    pub(super) fn write(&self, target: &Target, lock: &Lock) -> anyhow::Result<Option<()>> {
        let cannot = |path: &Path| format!("cannot write {}", path_name::shown(path));
        let folder = &target.folder;
        let Some(staged) = edit::stage(&self.replacements, lock, false)? else {
            return Ok(None);
        };
        let made: Vec<&Path> = folder
            .ancestors()
            .take_while(|above| !above.exists())
            .collect();
        if !self.files.is_empty() {
            fs::create_dir_all(folder)
                .with_context(|| format!("{}; nothing was changed", cannot(folder)))?;
            if folder.canonicalize().with_context(|| cannot(folder))? != *folder {
                bail!(
                    "{} has become a link; nothing was changed",
                    path_name::shown(folder)
                );
            }
        }
        let mut written: Vec<PathBuf> = Vec::new();
        let result = self.files.iter().try_for_each(|(name, text)| {
            let path = folder.join(name);
            let cannot = || format!("{}; nothing was changed", cannot(&path));
            let mut file = fs::File::create_new(&path).with_context(cannot)?;
            written.push(path.clone());
            file.write_all(text.as_bytes()).with_context(cannot)
        });
        let result = result.and_then(|()| edit::replace(staged));
        if !matches!(result, Ok(Some(()))) {
            // All or nothing.
            for path in &written {
                _ = fs::remove_file(path);
            }
            for folder in made {
                _ = fs::remove_dir(folder);
            }
        }
        result
    }

    /// Prints how files would change, and those that would be new.
    ///
    /// # Errors
    /// Where stdout takes nothing.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        print_diff(&self.replacements)?;
        let current = std::env::current_dir().and_then(|folder| folder.canonicalize());
        let current = current.unwrap_or_default();
        let folder = self.folder.strip_prefix(&current).unwrap_or(&self.folder);
        for (name, text) in &self.files {
            print_created(&folder.join(name), text)?;
        }
        Ok(())
    }

    /// What was done, or would be.
    pub(super) fn summary(
        &self,
        is_written: bool,
        all: &[Suggestion],
        repositories: &Repositories,
        target: &Target,
    ) -> String {
        let count = report::suggest::count;
        let (write, mark) = match is_written {
            true => ("wrote", "marked"),
            false => ("would write", "mark"),
        };
        let mut text = self.note.clone().unwrap_or_default();
        text.push_str(&format!(
            "{write} {} and {mark} {}",
            count(self.policies, "policy", "policies"),
            count(self.marked, "value", "values"),
        ));
        let none = all.iter().filter(|told| told.why.is_some()).count();
        if none > 0 {
            let none = count(none, "image gets", "images get");
            text.push_str(&format!("; {none} none (`flux-image suggest` says why)"));
        }
        text.push('\n');
        let made = all.iter().filter(|told| told.policy.is_some());
        let unproved = made.filter(|told| told.tags.is_none()).count();
        if unproved > 0 {
            let unproved = count(unproved, "policy has", "policies have");
            text.push_str(&format!(
                "{unproved} been tried on today's tags alone, since no others are known\n"
            ));
        }
        if is_written && !self.files.is_empty() && repositories.work_tree(&target.root).is_some() {
            let inside = target.folder.strip_prefix(&target.root);
            let folder = inside.map_or_else(|_| String::new(), path_name::shown);
            let folder = if folder.is_empty() {
                ".".to_owned()
            } else {
                folder
            };
            text.push_str(&format!(
                "builds of clusters see new files once git tracks them: `git add {folder}`\n"
            ));
        }
        text
    }
}

/// The edits that mark the values of a file.
fn markers(source: &SourceFile, values: &[(&Candidate, String)]) -> anyhow::Result<Vec<Edit>> {
    let (edits, left) = suggest::markers(&source.text, values);
    if let Some((location, why)) = left.first() {
        bail!(
            "{location}: {}; nothing was changed\n  hint: name a PATH without this file",
            why.why()
        );
    }
    Ok(edits)
}

/// The edits that add files to a kustomization.
fn listed(source: &SourceFile, names: &[String]) -> anyhow::Result<Vec<Edit>> {
    suggest::resources(&source.text, names).with_context(|| {
        format!(
            "{}: its `resources` cannot be extended as it is written; nothing was changed\n  hint: write it as a list with a `-` for each, or name another folder",
            source.name
        )
    })
}
