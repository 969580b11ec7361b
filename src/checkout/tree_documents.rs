//! The documents of a run in a checkout: those of flags, and those of the whole tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clusters::Seen;
use super::files::{self, Files, Outlined};
use super::kustomization::Namespaces;
use super::request::{GivenFile, GivenText};
use super::source_files::SourceFile;
use crate::documents::builder::{Builder, DocumentText};
use crate::documents::{Provenance, Rank};
use crate::finding::{Code, Finding, Location, Severity};
use crate::resource_list::{self, Outline};

/// The documents: those of flags, which `builder` has, and those of the tree.
pub fn read(
    mut builder: Builder,
    files: &mut Files,
    outlined: &[Outlined<'_>],
    beside: &[SourceFile],
) -> Seen {
    let show = |path: &Path| files.show(path);
    let notes = files.listing.notes.iter();
    builder.note(notes.map(|note| note.finding(&show)));
    let sources = outlined.iter().map(|one| one.source).chain(beside);
    let kustomizations = sources.filter(|source| source.is_kustomization);
    let texts = kustomizations.map(|source| (source.path.as_path(), &*source.text));
    let mut namespaces = Namespaces::under(files.roots.clone(), texts);
    add_documents(files, outlined, &mut namespaces, &mut builder);
    if builder.needs_logins() {
        add_logins(outlined, beside, &mut namespaces, &mut builder);
    }
    let unread = namespaces.unread;
    let unread = note_unread(unread, files);
    let (documents, findings) = builder.finish();
    Seen {
        cluster: None,
        documents,
        findings,
        unread,
    }
}

/// The documents of flags alone.
#[must_use]
pub fn of_flags(given: Builder) -> Seen {
    let (documents, findings) = given.finish();
    Seen {
        cluster: None,
        documents,
        findings,
        unread: Vec::new(),
    }
}

/// The documents of `--policies`. A text that is not valid YAML is an error among the
/// findings.
#[must_use]
pub fn given(policies: &[GivenText]) -> Builder {
    let mut builder = Builder::default();
    let mut by_root: BTreeMap<&Path, Namespaces<'_>> = BTreeMap::new();
    for GivenText { name, text, file } in policies {
        let namespace = file.as_ref().and_then(|GivenFile { path, root }| {
            let of_root = || Namespaces::under([root.clone()].into(), std::iter::empty());
            by_root.entry(root).or_insert_with(of_root).of(path)
        });
        let provenance = Provenance::new(name, Rank::Flag).in_namespace(namespace.as_deref());
        match resource_list::read(text) {
            Ok(outline) => {
                let document = DocumentText {
                    text,
                    outline: &outline,
                    provenance,
                };
                builder.add(&[document]);
                builder.add_logins(&document);
            }
            Err(error) => {
                builder.note([files::unparsable(name, Severity::Error, &error)]);
            }
        }
    }
    builder
}

/// Adds the Secrets of `--secret`, by the names of their files.
pub fn add_secrets(builder: &mut Builder, secrets: &[(String, String)]) {
    for (name, text) in secrets {
        // What cannot be read was refused before.
        if let Ok(outline) = resource_list::read(text) {
            builder.add_logins(&DocumentText {
                text,
                outline: &outline,
                provenance: Provenance::new(name, Rank::Flag),
            });
        }
    }
}

fn add_documents(
    files: &Files,
    outlined: &[Outlined<'_>],
    namespaces: &mut Namespaces<'_>,
    builder: &mut Builder,
) {
    let mut holding: Vec<Holding<'_>> = Vec::new();
    for Outlined {
        source, outline, ..
    } in outlined
    {
        if !source.has_documents || source.is_link {
            continue;
        }
        match outline {
            Some(Ok(outline)) => holding.push((source, outline, namespaces.of(&source.path))),
            // Reported where its markers are planned.
            Some(Err(_)) if source.has_markers => {}
            // Findings come in the order of the files.
            Some(Err(error)) => {
                add_all(&std::mem::take(&mut holding), builder);
                builder.note([files.unparsable(source, error)]);
            }
            None => {}
        }
    }
    add_all(&holding, builder);
}

/// A file, what it holds, and the namespace of its documents that name none.
type Holding<'h> = (&'h SourceFile, &'h Outline<'h>, Option<String>);

fn add_all(holding: &[Holding<'_>], builder: &mut Builder) {
    let texts = holding
        .iter()
        .map(|(source, outline, namespace)| document_text(source, outline, namespace.as_deref()));
    builder.add(&texts.collect::<Vec<_>>());
}

/// What an ImageRepository may refer to: the Secrets of the tree, and what goes
/// with them.
fn add_logins(
    outlined: &[Outlined<'_>],
    beside: &[SourceFile],
    namespaces: &mut Namespaces<'_>,
    builder: &mut Builder,
) {
    let beside = files::outlined(beside, |source| source.has_logins);
    let all = outlined.iter().chain(&beside);
    let mut all: Vec<&Outlined<'_>> = all.filter(|one| one.source.has_logins).collect();
    // Of two with one name the last counts.
    all.sort_by_key(|one| &one.source.path);
    for Outlined {
        source, outline, ..
    } in all
    {
        let namespace = namespaces.of(&source.path);
        let mut add = |outline: &Outline<'_>| {
            builder.add_logins(&document_text(source, outline, namespace.as_deref()));
        };
        // A text that cannot be read holds no Secret, and is reported where it matters.
        match outline {
            Some(Ok(outline)) => add(outline),
            Some(Err(_)) => {}
            None => _ = resource_list::read(&source.text).map(|outline| add(&outline)),
        }
    }
}

fn document_text<'a>(
    source: &'a SourceFile,
    outline: &'a Outline<'a>,
    namespace: Option<&'a str>,
) -> DocumentText<'a> {
    DocumentText {
        text: &source.text,
        outline,
        provenance: Provenance::new(&source.name, Rank::Tree).in_namespace(namespace),
    }
}

/// Kustomizations that could not be read, and so gave no namespace to documents
/// below them: those among the refused files count wherever they are, and the
/// others are reported here.
fn note_unread(
    unread: impl IntoIterator<Item = (PathBuf, String)>,
    files: &mut Files,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, why) in unread {
        let mut refused = files.refused.iter_mut();
        if let Some(refused) = refused.find(|refused| refused.path == path) {
            refused.may_have_documents = true;
            continue;
        }
        let location = Location::file(files.show(&path));
        let message = format!("documents below get no namespace from here: {why}");
        findings.push(Finding::warning(Code::UnusableFile, message, location));
    }
    findings
}
