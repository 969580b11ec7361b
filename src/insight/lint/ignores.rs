//! Findings that somebody has silenced, by code and place, with a reason.
//!
//! A comment `# flux-image: ignore CODE reason` behind a value silences findings of its
//! line, on a line of its own those of the next line that is no comment. Several codes are
//! joined by commas. In `.flux-image.yaml`, `ignores` silences a code in the files that a
//! glob matches.

use std::collections::BTreeMap;

use memchr::memmem;

use super::Texts;
use crate::finding::{Code, Finding, Location};
use crate::quote;
use yaml_edit_spans::Place;

/// What a comment begins with.
const WORDS: &str = "flux-image: ignore";

/// Who silences what.
#[derive(Default)]
pub struct Ignores {
    in_lines: BTreeMap<(String, usize), Vec<Ignore>>,
    in_files: Vec<FileIgnore>,
    broken: Vec<Finding>,
}

struct Ignore {
    code: Code,
    reason: String,
    location: Location,
    is_used: bool,
}

/// Tells whether a file is meant.
pub type FileMatch = Box<dyn Fn(&str) -> bool>;

struct FileIgnore {
    ignore: Ignore,
    is_meant: FileMatch,
}

/// A finding that is silenced, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The finding.
    pub finding: Finding,
    /// Why it does not count.
    pub reason: String,
}

impl Ignores {
    /// Those of comments.
    #[must_use]
    pub fn of_comments(texts: &Texts<'_>) -> Self {
        let mut ignores = Self::default();
        for (name, text) in texts.iter() {
            ignores.add_text(name, text.text);
        }
        ignores
    }

    /// Adds one of a file of options, which stands at `location`. `is_meant` tells of the
    /// name of a file whether it counts there.
    pub fn add(&mut self, code: &str, reason: &str, location: Location, is_meant: FileMatch) {
        if let Some(ignore) = self.checked(code, reason, location) {
            self.in_files.push(FileIgnore { ignore, is_meant });
        }
    }

    fn add_text(&mut self, name: &str, text: &str) {
        let (mut at, mut place) = (0, Place::of(text.as_bytes(), 0));
        for found in memmem::find_iter(text.as_bytes(), WORDS) {
            let line = text[..found].rfind('\n').map_or(0, |at| at + 1);
            let end = text[found..].find('\n').map_or(text.len(), |at| found + at);
            let before = text[line..found].trim_end();
            let is_comment = before.ends_with('#');
            let rest = text[found + WORDS.len()..end].trim_end();
            let is_word = rest.is_empty() || rest.starts_with([' ', '\t']);
            if !is_comment || !is_word {
                continue;
            }
            place = place.further(&text.as_bytes()[at..found]);
            at = found;
            let location = Location::new(name, place);
            let is_alone = before.trim_start().chars().all(|c| c == '#');
            let target = match is_alone {
                false => place.line,
                true => {
                    let below = text[end..].lines().skip(1);
                    let comments = below.take_while(|line| {
                        let line = line.trim_start();
                        line.is_empty() || line.starts_with('#')
                    });
                    place.line + 1 + comments.count()
                }
            };
            let (codes, reason) = rest
                .trim()
                .split_once([' ', '\t'])
                .unwrap_or((rest.trim(), ""));
            for code in codes.split(',') {
                if let Some(ignore) = self.checked(code, reason, location.clone()) {
                    let known = self.in_lines.entry((name.to_owned(), target));
                    known.or_default().push(ignore);
                }
            }
        }
    }

    fn checked(&mut self, code: &str, reason: &str, location: Location) -> Option<Ignore> {
        let mut broken = |what: String, hint: &str| {
            let finding = Finding::warning(Code::BadIgnore, what, location.clone());
            self.broken.push(finding.hint(hint));
        };
        let Some(known) = Code::of_word(code) else {
            let code = quote::at_most(code, 100);
            broken(
                format!("this ignores `{code}`, which is no code of a finding"),
                "write `# flux-image: ignore CODE reason`, with a code as `flux-image lint` prints it",
            );
            return None;
        };
        if reason.trim().is_empty() {
            broken(
                format!("this ignores `{code}` without a reason"),
                "write why behind the code",
            );
            return None;
        }
        Some(Ignore {
            code: known,
            reason: reason.trim().to_owned(),
            location,
            is_used: false,
        })
    }

    /// The findings that count, with what is wrong with ignores, and those that do not.
    #[must_use]
    pub fn apply(mut self, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Ignored>) {
        let (mut left, mut ignored) = (Vec::new(), Vec::new());
        for finding in findings {
            match self.reason(&finding) {
                Some(reason) => ignored.push(Ignored { finding, reason }),
                None => left.push(finding),
            }
        }
        let in_lines = self.in_lines.into_values().flatten();
        let in_files = self.in_files.into_iter().map(|one| one.ignore);
        let unused = in_lines.chain(in_files).filter(|one| !one.is_used);
        left.append(&mut self.broken);
        left.extend(unused.map(|one| {
            let message = format!(
                "this ignores `{}`, and nothing of it is found",
                one.code.word()
            );
            let finding = Finding::warning(Code::UnusedIgnore, message, one.location);
            finding.hint("take it out")
        }));
        (left, ignored)
    }

    fn reason(&mut self, finding: &Finding) -> Option<String> {
        let location = &finding.location;
        let key = (location.file.clone(), location.line);
        let in_line = self.in_lines.get_mut(&key).into_iter().flatten();
        let in_files = self.in_files.iter_mut();
        let in_files = in_files.filter(|one| (one.is_meant)(&location.file));
        let mut all = in_line.chain(in_files.map(|one| &mut one.ignore));
        let found = all.find(|one| one.code == finding.code)?;
        found.is_used = true;
        Some(found.reason.clone())
    }
}
