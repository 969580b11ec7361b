//! The files of a run: listed once, read once, outlined once, whatever is asked of
//! them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::git::Repositories;
use super::request::{CannotPlan, Request};
use super::scope::Scope;
use super::source_files::{self, Refused, SourceFile, Wanted};
use super::walk::{self, Listing};
use crate::finding::{Code, Finding, Location, Severity};
use crate::parallel;
use crate::path_name;
use crate::resource_list::{self, Outline};
use yaml_edit_spans::SyntaxError;

/// What is known of the files of a run.
#[derive(Debug)]
pub struct Files {
    /// Those that could not be read.
    pub refused: Vec<Refused>,
    /// What was found in the tree.
    pub listing: Listing,
    /// Files that the user named.
    pub named: BTreeSet<PathBuf>,
    /// The folder that patches are relative to.
    pub root: PathBuf,
    /// The folder whose git configuration counts.
    pub configured: PathBuf,
    /// The folders whose kustomizations count: of the run, and of each path elsewhere
    /// its work tree, or else its folder.
    pub roots: BTreeSet<PathBuf>,
    /// The folder that findings name files from.
    pub(super) current: PathBuf,
}

/// The files of a run that have something to say, in the order of their paths.
#[derive(Debug)]
pub struct Sources {
    /// Those that may hold documents, or scalars that may be bound.
    pub main: Vec<SourceFile>,
    /// Those that only help to read documents.
    pub beside: Vec<SourceFile>,
    /// The PATHs, where the user named some.
    pub paths: Option<Scope>,
}

/// A file, and what it holds where that matters.
#[derive(Debug)]
pub struct Outlined<'f> {
    /// The file.
    pub source: &'f SourceFile,
    /// What it holds; `None` where nobody asked.
    pub outline: Option<Result<Outline<'f>, SyntaxError>>,
    /// Which of the run's texts it is; `None` where its scalars are not bound.
    pub number: Option<usize>,
}

impl Files {
    /// Lists and reads the files of a run. With `images`, every file that may name one is
    /// among its texts.
    ///
    /// # Errors
    /// A PATH that cannot be looked at.
    pub fn read(
        request: &Request,
        repositories: &Repositories,
        images: bool,
    ) -> Result<(Self, Sources), CannotPlan> {
        let current = (request.current.canonicalize()).unwrap_or_else(|_| request.current.clone());
        let paths: Vec<PathBuf> = request.paths.iter().map(|path| absolute(path)).collect();
        let first = paths.first();
        let work_tree = repositories.work_tree(first.unwrap_or(&current));
        let files = paths.iter().filter(|path| !path.is_dir());
        let named: BTreeSet<PathBuf> = files.cloned().collect();
        let alone = request.alone.as_ref();
        let whole = alone.map(|alone| alone.folder.clone()).or(work_tree);
        let whole = whole.or_else(|| paths.is_empty().then(|| current.clone()));
        let (listing, scope) = list_all(&paths, request, repositories, whole.as_deref())?;
        // Outside a work tree, links may lead anywhere under the first path.
        let confine = whole.clone().or_else(|| first.map(|path| folder_of(path)));
        let confine = confine.unwrap_or_else(|| current.clone());
        let show = |path: &Path| shown(path, &current);
        let wanted = match request.bindings.look_at_all() {
            true => Wanted::All,
            false if images => Wanted::Images,
            false => Wanted::Words(request.also_read),
        };
        let (sources, refused) =
            source_files::read_all(&listing.files, &confine, &named, wanted, &show);
        let (beside, main) = sources
            .into_iter()
            .partition(SourceFile::is_beside_documents);
        let files = Self {
            refused,
            named,
            roots: roots(&confine, &paths, repositories),
            configured: match alone {
                Some(alone) => alone.configured.clone(),
                None => whole.clone().unwrap_or_else(|| current.clone()),
            },
            root: whole.unwrap_or_else(|| current.clone()),
            listing,
            current,
        };
        let sources = Sources {
            main,
            beside,
            paths: scope,
        };
        Ok((files, sources))
    }

    /// A file as findings call it.
    #[must_use]
    pub fn show(&self, path: &Path) -> String {
        shown(path, &self.current)
    }

    /// That a file is not valid YAML: an error where the user named it.
    #[must_use]
    pub fn unparsable(&self, source: &SourceFile, error: &SyntaxError) -> Finding {
        let severity = if self.named.contains(&source.path) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut finding = unparsable(&source.name, severity, error);
        if source.has_markers {
            finding.message.push_str("; its markers stay as they are");
        }
        match is_template_at(&source.text, error.place.line) {
            true => finding.hint(
                "it looks like a template: mark the values of a file that is YAML as it lies",
            ),
            false => finding,
        }
    }
}

/// Whether the line of a text, or one beside it, holds what templates are marked by. One
/// further away may be in a value, as `messageTemplate` is.
fn is_template_at(text: &str, line: usize) -> bool {
    let mut near = text.lines().skip(line.saturating_sub(2)).take(3);
    near.any(|line| ["{{-", "{{ ", "{%"].iter().any(|open| line.contains(open)))
}

/// Some files, of which those that matter are outlined.
#[must_use]
pub fn outlined(
    sources: &[SourceFile],
    matters: impl Fn(&SourceFile) -> bool + Sync,
) -> Vec<Outlined<'_>> {
    let one = |source| Outlined {
        source,
        outline: matters(source).then(|| resource_list::read(&source.text)),
        number: None,
    };
    parallel::map(sources, &|chunk| chunk.iter().map(one).collect())
}

/// Outlines those files that matter and are not outlined yet, and numbers all that
/// matter and could be read, in their order.
pub fn outline_more<'f>(files: &mut [Outlined<'f>], matters: impl Fn(&SourceFile) -> bool + Sync) {
    let left = files.iter().filter(|one| one.outline.is_none());
    let left: Vec<&'f SourceFile> = left.map(|one| one.source).collect();
    let read = |chunk: &[&'f SourceFile]| -> Vec<_> {
        let read =
            |source: &&'f SourceFile| matters(source).then(|| resource_list::read(&source.text));
        chunk.iter().map(read).collect()
    };
    let mut more = parallel::map(&left, &read).into_iter();
    let mut count = 0;
    for one in files {
        if one.outline.is_none() {
            one.outline = more.next().flatten();
        }
        if matters(one.source) && matches!(one.outline, Some(Ok(_))) {
            one.number = Some(count);
            count += 1;
        }
    }
}

/// That a file is not valid YAML.
#[must_use]
pub fn unparsable(name: &str, severity: Severity, error: &SyntaxError) -> Finding {
    let location = Location::new(name, error.place);
    let message = format!("this file is not valid YAML: {}", error.message);
    Finding::new(severity, Code::Unparsable, message, location)
}

fn roots(confine: &Path, paths: &[PathBuf], repositories: &Repositories) -> BTreeSet<PathBuf> {
    let mut roots = BTreeSet::from([confine.to_path_buf()]);
    for path in paths {
        let is_known = roots.iter().any(|root| path.starts_with(root));
        match repositories.work_tree(path) {
            Some(root) => _ = roots.insert(root),
            None if !is_known => _ = roots.insert(folder_of(path)),
            None => {}
        }
    }
    roots
}

/// The files to look at, and the scope that the paths make. The tree is walked once;
/// a PATH is walked on its own only where that did not come to it.
fn list_all(
    paths: &[PathBuf],
    request: &Request,
    repositories: &Repositories,
    whole: Option<&Path>,
) -> Result<(Listing, Option<Scope>), CannotPlan> {
    let cannot = |written: &Path, source: io::Error| CannotPlan::Path {
        path: written.to_path_buf(),
        source,
    };
    let list = |path: &Path, written: &Path| {
        walk::files_under(path, repositories).map_err(|error| cannot(written, error))
    };
    // What was asked for comes first, also where the root cannot be listed.
    for (path, written) in paths.iter().zip(&request.paths) {
        path.canonicalize()
            .map_err(|error| cannot(written, error))?;
    }
    let mut listing = Listing::default();
    let is_container_file =
        |path: &&PathBuf| path.is_file() && path_name::is_container_file_name(path);
    let named = paths.iter().filter(is_container_file);
    let mut container_files: Vec<PathBuf> = named.cloned().collect();
    if let Some(whole) = whole {
        listing = list(whole, whole).or_else(|error| {
            // So does one that cannot be listed itself.
            let mut paths = paths.iter().zip(&request.paths);
            paths.try_for_each(|(path, written)| list(path, written).map(drop))?;
            Err(error)
        })?;
    }
    if paths.is_empty() {
        return Ok((listing, None));
    }
    let (mut in_scope, mut others) = (Vec::new(), Vec::new());
    for (path, written) in paths.iter().zip(&request.paths) {
        let is_inside = whole.is_some_and(|whole| path.starts_with(whole)) && path.is_dir();
        let known = is_inside.then(|| listing.under(path)).flatten();
        match known {
            Some(files) => {
                in_scope.extend(files);
                let inside = listing.container_files.iter();
                let inside = inside.filter(|file| file.starts_with(path));
                container_files.extend(inside.cloned());
            }
            None => {
                let other = list(path, written)?;
                in_scope.extend(other.files.iter().cloned());
                others.push(other);
            }
        }
    }
    let scope = Scope::of_paths(&in_scope);
    if !others.is_empty() {
        others
            .iter_mut()
            .for_each(|other| container_files.append(&mut other.container_files));
        others.into_iter().for_each(|other| listing.extend(other));
        walk::sort(&mut listing.files);
    }
    // Those in scope are the ones that somebody may ask for.
    container_files.sort();
    container_files.dedup();
    listing.container_files = container_files;
    Ok((listing, Some(scope)))
}

/// A path from the root without links in its folders, so that one file has one
/// name. A link to a file stays a link.
fn absolute(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    }
    match (folder_of(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// The folder itself, or the one that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_path_buf();
    }
    path_name::folder(path).to_path_buf()
}

/// A path as findings call it: from the folder of the run on, where it is below that.
#[must_use]
pub fn shown(path: &Path, current: &Path) -> String {
    match path.strip_prefix(current) {
        Ok(here) if here.as_os_str().is_empty() => ".".to_owned(),
        Ok(inside) => path_name::shown(inside),
        Err(_) => path_name::shown(path),
    }
}
