//! What a command prints.
//!
//! Whoever reads stdout may stop early, as `head` does. What is left is dropped
//! then, and the command goes on and ends as it would have. What cannot be written
//! to stderr can be told to nobody.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::adapter::strip_bytes;
use anstream::{AutoStream, ColorChoice};
use anyhow::Context as _;

use crate::finding::Finding;
use crate::plan::planned::Replacement;
use crate::report::text::{self, DiffReader};

/// Long texts go out in pieces of this many bytes.
const BUFFER: usize = 1 << 16;

/// Prints to stdout, as it is.
///
/// # Errors
/// Where stdout takes nothing, though somebody reads it.
pub(super) fn print<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> anyhow::Result<()> {
    write_all(io::stdout().lock(), pieces).context("cannot write to stdout")
}

/// Prints to stdout, with colours where they are seen.
pub(super) fn print_styled<P: AsRef<[u8]>>(
    pieces: impl IntoIterator<Item = P>,
) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let written = if AutoStream::choice(&stdout) == ColorChoice::Never {
        // Plain before the buffer: the library would write piece by piece behind it.
        let plain = pieces.into_iter();
        let plain = plain.map(|piece| strip_bytes(piece.as_ref()).into_vec());
        write_all(stdout.lock(), plain)
    } else {
        write_all(anstream::stdout().lock(), pieces)
    };
    written.context("cannot write to stdout")
}

fn write_all<P: AsRef<[u8]>>(
    stream: impl Write,
    pieces: impl IntoIterator<Item = P>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, stream);
    let mut pieces = pieces.into_iter();
    let written = pieces
        .try_for_each(|piece| out.write_all(piece.as_ref()))
        .and_then(|()| out.flush());
    // What is still in the buffer is nobody's.
    _ = out.into_parts();
    unless_closed(written)
}

/// A reader that has gone is not an error.
pub(super) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints how files change, as one diff, with colours where they are seen.
pub(super) fn print_diff(replacements: &[Replacement]) -> anyhow::Result<()> {
    let reader = diff_reader();
    for file in replacements {
        print_styled([text::diff(file, reader)?])?;
    }
    Ok(())
}

/// Prints the diff of a file that is new.
///
/// # Errors
/// Where stdout takes nothing.
pub(super) fn print_created(path: &Path, text: &str) -> anyhow::Result<()> {
    let name = crate::path_name::shown(path);
    print_styled([text::created(&name, text, diff_reader())])
}

/// Who reads a diff on stdout: in the log of a CI system a person does, unless it
/// goes to a file.
fn diff_reader() -> DiffReader {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let in_ci = [
        "GITHUB_ACTIONS",
        "GITLAB_CI",
        "TF_BUILD",
        "TEAMCITY_VERSION",
    ];
    let is_log = || {
        let file = std::fs::metadata("/dev/stdout");
        !file.is_ok_and(|file| file.is_file())
    };
    if std::io::stdout().is_terminal() || in_ci.into_iter().any(is_set) && is_log() {
        DiffReader::Person
    } else {
        DiffReader::Tool
    }
}

/// Prints to stderr, with colours where they are seen.
pub(super) fn say(text: impl Display) {
    _ = write!(anstream::stderr().lock(), "{text}");
}

/// Whether every place of what is said once is listed.
static LISTS_ALL: AtomicBool = AtomicBool::new(false);

/// Has every finding printed, however many have one cause.
pub(super) fn list_all() {
    LISTS_ALL.store(true, Ordering::Relaxed);
}

/// Whether every place is listed.
pub(super) fn lists_all() -> bool {
    LISTS_ALL.load(Ordering::Relaxed)
}

/// Prints findings to stderr, those of one cause together.
pub(super) fn say_findings<'f>(findings: impl IntoIterator<Item = &'f Finding>) {
    say(text::findings(findings, lists_all()));
}
