//! The files that flags name: documents, Secrets, messages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::stdin::is_stdin;
use super::streams::say_findings;
use crate::checkout::git::Repositories;
use crate::checkout::regular_file::{self, MAX_BYTES, ReadError};
use crate::checkout::request::{GivenFile, GivenText};
use crate::checkout::source_files;
use crate::checkout::walk::{self, Unseen};
use crate::path_name;
use yaml_edit_spans::encoding::{self, NotUtf8};

/// The files of `--policies`: a file or a pipe, each manifest of a folder that may
/// hold documents, or stdin. Of a folder, links count that stay in its work tree.
pub(super) fn documents(
    paths: &[PathBuf],
    repositories: &Repositories,
) -> anyhow::Result<Vec<GivenText>> {
    let mut documents = Vec::new();
    for path in paths {
        if path.is_dir() {
            documents.extend(documents_under(path, repositories)?);
            continue;
        }
        documents.push(document(path, repositories)?);
    }
    Ok(documents)
}

fn document(path: &Path, repositories: &Repositories) -> anyhow::Result<GivenText> {
    let (name, text) = text(path)?;
    Ok(with_place(path, name, text, repositories))
}

/// A file that a flag named and that was read, with its place.
pub(super) fn with_place(
    path: &Path,
    name: String,
    text: String,
    repositories: &Repositories,
) -> GivenText {
    let place = || {
        let folder = std::path::absolute(path).ok()?;
        let folder = folder.parent()?.canonicalize().ok()?;
        Some(GivenFile {
            path: folder.join(path.file_name()?),
            root: repositories.work_tree(&folder).unwrap_or(folder),
        })
    };
    GivenText {
        file: if is_stdin(path) { None } else { place() },
        name,
        text,
    }
}

/// A file that a flag names, or stdin, by name.
pub(super) fn text(path: &Path) -> anyhow::Result<(String, String)> {
    if is_stdin(path) {
        let bytes = regular_file::bounded(std::io::stdin().lock(), 0, MAX_BYTES);
        let text = bytes.and_then(|bytes| encoding::decode(bytes).map_err(ReadError::NotUtf8));
        let name = "<stdin>".to_owned();
        return text
            .map_err(|error| unread(&name, error))
            .map(|text| (name, text));
    }
    let name = path_name::shown(path);
    let text = regular_file::text_given(path).map_err(|error| unread(&name, error))?;
    Ok((name, text))
}

fn documents_under(folder: &Path, repositories: &Repositories) -> anyhow::Result<Vec<GivenText>> {
    let unlisted = || format!("cannot read {}", folder.display());
    let listing = walk::files_under(folder, repositories).with_context(unlisted)?;
    for note in &listing.notes {
        let finding = note.finding(&path_name::shown);
        // A folder that cannot be listed may hold what was asked for.
        if let Unseen::Folder(why) = &note.what {
            bail!("cannot read {}: {why}", path_name::shown(&note.path));
        }
        say_findings([&finding]);
    }
    let real = folder.canonicalize().with_context(unlisted)?;
    let root = repositories
        .work_tree(&real)
        .unwrap_or_else(|| real.clone());
    let mut documents = Vec::new();
    for file in &listing.files {
        let name = path_name::shown(&file.path);
        let text =
            source_files::read_documents(file, &root).map_err(|error| unread(&name, error))?;
        // A chart's templates beside the documents are nobody's business.
        documents.extend(text.map(|text| GivenText {
            file: file.path.strip_prefix(folder).ok().map(|inside| GivenFile {
                path: real.join(inside),
                root: root.clone(),
            }),
            name,
            text,
        }));
    }
    Ok(documents)
}

/// Why a file that was asked for is not read, with its place and what to do.
pub(super) fn unread(name: &str, error: ReadError) -> anyhow::Error {
    match &error {
        ReadError::NotUtf8(not) => {
            anyhow::anyhow!("{name}:{}: {error}\n  hint: {}", not.place, NotUtf8::HINT)
        }
        ReadError::System(error) => anyhow::anyhow!("cannot read {name}: {error}"),
        _ => anyhow::anyhow!("{name}: {error}"),
    }
}
