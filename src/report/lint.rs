//! What `lint` prints.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;

use crate::finding::{Code, Finding, Severity};
use crate::foreign::{is_hidden, shown};
use yaml_edit_spans::ByteSpan;

/// What `-o json` prints.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintReport {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `LintReport`
    pub kind: String,
    /// Counts, for a quick look.
    pub summary: LintSummary,
    /// Where tags came from.
    pub tags: TagsUsed,
    /// What was found, by file and line.
    pub findings: Vec<Finding>,
    /// What was found and does not count.
    pub ignored: Vec<IgnoredFinding>,
}

/// Counts of a LintReport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintSummary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub infos: usize,
    /// Findings that do not count.
    pub ignored: usize,
    /// Findings that were mended.
    pub fixed: usize,
}

/// Of how many policies the tags are known, and whence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagsUsed {
    /// From registries, or lists of theirs that were kept.
    pub registry: usize,
    /// From TagSnapshots.
    pub snapshot: usize,
    /// None are known, so that nothing is said of what they would tell.
    pub unknown: usize,
}

/// A finding that does not count.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredFinding {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it does not count.
    pub reason: String,
}

impl LintSummary {
    /// Of these findings.
    #[must_use]
    pub fn of(findings: &[Finding], ignored: usize, fixed: usize) -> Self {
        let count = |severity: Severity| {
            let alike = findings.iter().filter(|one| one.severity == severity);
            alike.count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            ignored,
            fixed,
        }
    }

    /// A line about them.
    #[must_use]
    pub fn line(&self) -> String {
        let plural = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let mut parts = vec![
            plural(self.errors, "error"),
            plural(self.warnings, "warning"),
            plural(self.infos, "note"),
        ];
        if self.ignored > 0 {
            parts.push(format!("{} ignored", self.ignored));
        }
        if self.fixed > 0 {
            parts.push(format!("{} fixed", self.fixed));
        }
        parts.join(", ")
    }
}

impl TagsUsed {
    /// A line about them.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if self.registry > 0 {
            parts.push(format!("{} of registries or kept lists", self.registry));
        }
        if self.snapshot > 0 {
            parts.push(format!("{} of TagSnapshots", self.snapshot));
        }
        if self.unknown > 0 {
            parts.push(format!("{} are not known", self.unknown));
        }
        match parts.as_slice() {
            [] => String::new(),
            parts => format!("tags of policies: {}\n", parts.join(", ")),
        }
    }
}

/// So many findings of one code are shown.
const SHOWN: usize = 5;

/// The findings as a person reads them, each with its line where it may be shown. Of one
/// code the first few, unless `lists_all`.
#[must_use]
pub fn text(findings: &[Finding], lists_all: bool) -> String {
    let renderer = Renderer::styled();
    let mut out = String::new();
    let mut counts: BTreeMap<(Severity, Code), usize> = BTreeMap::new();
    for finding in findings {
        let count = counts.entry((finding.severity, finding.code)).or_default();
        *count += 1;
        if lists_all || *count <= SHOWN {
            out.push_str(&one(finding, &renderer));
            out.push_str("\n\n");
        }
    }
    for ((_, code), count) in counts.into_iter().rev() {
        let more = count.saturating_sub(SHOWN);
        if !lists_all && more > 0 {
            let code = code.word();
            out.push_str(&format!("and {more} more of `{code}`; `-v` lists them\n"));
        }
    }
    out
}

fn one(finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(shown(&finding.message));
    let mut group = Group::with_title(title.id(finding.code.word()));
    let location = &finding.location;
    let path = shown(&location.file).into_owned();
    let line = finding.snippet.as_ref().and_then(piece);
    match &line {
        Some((line, span)) if location.line > 0 => {
            let annotation = AnnotationKind::Primary.span(span.start..span.end);
            let snippet = Snippet::source(line.as_str());
            let snippet = snippet.line_start(location.line).path(path);
            group = group.element(snippet.annotation(annotation));
        }
        _ if !path.is_empty() => {
            let origin = Origin::path(path);
            group = group.element(match location.line {
                0 => origin,
                line => origin.line(line).char_column(location.column.max(1)),
            });
        }
        _ => {}
    }
    if let Some(hint) = &finding.hint {
        group = group.element(Level::HELP.message(shown(hint).into_owned()));
    }
    renderer.render(&[group])
}

/// How many characters the place of a snippet has.
pub(super) fn length_of_place(snippet: &yaml_edit_spans::Snippet) -> Option<usize> {
    let (line, span) = piece(snippet)?;
    Some(span.of(&line).chars().count())
}

/// A line as it may be shown, and what of it is meant.
fn piece(snippet: &yaml_edit_spans::Snippet) -> Option<(String, ByteSpan)> {
    let visible = |text: String| {
        let visible = text.chars().map(|c| if is_hidden(c) { ' ' } else { c });
        shown(&visible.collect::<String>()).into_owned()
    };
    let before: String = snippet.text().chars().take(snippet.before()).collect();
    let behind: String = snippet.text().chars().skip(snippet.before()).collect();
    let (mut line, behind) = (visible(before), visible(behind));
    let begin = line.len();
    let length = meant(&behind);
    line.push_str(&behind);
    (length > 0).then(|| (line, ByteSpan::new(begin, begin + length)))
}

/// How much of a line is the value that begins it: to the closing quote, a comment, or the
/// end.
fn meant(rest: &str) -> usize {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let end = match quote {
        Some(quote) => rest[1..].find(quote).map(|at| at + 2),
        None => rest.find(" #"),
    };
    let end = end.unwrap_or(rest.len()).min(rest.len());
    // In brackets a comma stands between values.
    let value = rest[..end].trim_end().trim_end_matches(',');
    value.len().max(1).min(rest.len())
}
