//! Tables as `flux get` prints them.

use crate::api::{Id, ImageRepository};
use crate::documents::{Documents, Sourced};
use crate::foreign::shown;
use crate::selection::resolve::Resolved;
use crate::selection::tags::TagBook;

/// Rows under headings, in columns as wide as they need to be.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let shown = |row: &Vec<String>| row.iter().map(|cell| shown(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width + 2 - cell.chars().count()));
        }
        format!("{}\n", line.trim_end())
    };
    let mut out = line(&mut headings.iter().copied());
    for row in &rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// The columns of `flux get image repository -A`.
#[must_use]
pub fn repositories(documents: &Documents, tags: &TagBook) -> String {
    let row = |(id, repository): (&Id, &Sourced<ImageRepository>)| {
        let suspended = repository.document.spec.suspend;
        let (at, ready, message) = match tags.scanned(id) {
            Some(Ok(known)) => (
                known.scanned_at.clone().unwrap_or_default(),
                "True",
                format!("successful scan: found {} tags", known.tags.len()),
            ),
            Some(Err(failure)) => (String::new(), "False", failure.message.clone()),
            None if suspended => (String::new(), "Unknown", "suspended".to_owned()),
            None => (String::new(), "Unknown", "not asked".to_owned()),
        };
        vec![
            id.namespace.clone(),
            id.name.clone(),
            at,
            flag(suspended),
            ready.to_owned(),
            message,
        ]
    };
    let rows: Vec<Vec<String>> = documents.repositories.iter().map(row).collect();
    let headings = [
        "NAMESPACE",
        "NAME",
        "LAST SCAN",
        "SUSPENDED",
        "READY",
        "MESSAGE",
    ];
    table(&headings, &rows)
}

/// The columns of `flux get image policy -A`.
pub fn policies<'r>(images: impl Iterator<Item = (&'r Id, &'r Resolved)>) -> String {
    let row = |(id, resolved): (&Id, &Resolved)| {
        let (image, tag) = match &resolved.image {
            Ok(image) => (image.name.clone(), image.tag.clone()),
            Err(_) => (String::new(), String::new()),
        };
        let reason = resolved.reason();
        let message = reason.map_or_else(
            || format!("Latest image tag for {image} resolved to {tag}"),
            ToString::to_string,
        );
        vec![
            id.namespace.clone(),
            id.name.clone(),
            image,
            tag,
            flag(reason.is_none()),
            message,
        ]
    };
    let rows: Vec<Vec<String>> = images.map(row).collect();
    table(
        &["NAMESPACE", "NAME", "IMAGE", "TAG", "READY", "MESSAGE"],
        &rows,
    )
}

fn flag(is_so: bool) -> String {
    if is_so { "True" } else { "False" }.to_owned()
}
