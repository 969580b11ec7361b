//! Findings that somebody has silenced, by code and place, with a reason.
//!
//! A comment `# flux-image: ignore CODE reason` behind a value silences findings of its
//! line, on a line of its own those of the next line that is no comment. Several codes are
//! joined by commas. In `.flux-image.yaml`, `ignores` silences a code in the files that a
//! glob matches.

use std::collections::BTreeMap;

use globset::{Glob, GlobSet, GlobSetBuilder};
use memchr::memmem;

use super::Texts;
use crate::finding::{Code, Finding, Location};
use crate::quote;
use yaml_edit_spans::Place;

/// The column, the codes and the reason of a comment in which the words stand at a byte of a
/// line; `None` where they are no comment's beginning.
fn comment(line: &str, at: usize) -> Option<(usize, &str, &str)> {
    let before = line[..at].trim_end();
    let rest = line[at + WORDS.len()..].trim_end();
    let is_word = rest.is_empty() || rest.starts_with([' ', '\t']);
    if !before.ends_with('#') || !is_word {
        return None;
    }
    let rest = rest.trim_start();
    let (codes, reason) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Some((line[..at].chars().count() + 1, codes, reason))
}

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

/// An ignore of a file of options, for the files of some globs; for all where there are none.
struct FileIgnore {
    ignore: Ignore,
    globs: Vec<Glob>,
}

/// Those of one code, to be asked about many files.
struct OfCode {
    ignores: Vec<Ignore>,
    set: GlobSet,
    /// Whose each glob of the set is.
    owners: Vec<usize>,
    /// Those for all files.
    everywhere: Vec<usize>,
}

impl OfCode {
    fn of(all: Vec<FileIgnore>) -> Self {
        let mut builder = GlobSetBuilder::new();
        let (mut ignores, mut owners, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
        for (number, one) in all.into_iter().enumerate() {
            if one.globs.is_empty() {
                everywhere.push(number);
            }
            for glob in one.globs {
                builder.add(glob);
                owners.push(number);
            }
            ignores.push(one.ignore);
        }
        Self {
            ignores,
            // Each of them was compiled before.
            set: builder.build().unwrap_or_default(),
            owners,
            everywhere,
        }
    }

    fn get(&mut self, file: &str) -> Option<&mut Ignore> {
        let matching = self.set.matches(file).into_iter().map(|at| self.owners[at]);
        let first = matching.chain(self.everywhere.iter().copied()).min()?;
        self.ignores.get_mut(first)
    }
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

    /// Adds one of a file of options, which stands at `location`, for the files of some
    /// globs; for all where there are none.
    pub fn add(&mut self, code: &str, reason: &str, location: Location, globs: Vec<Glob>) {
        if let Some(ignore) = self.checked(code, reason, location) {
            self.in_files.push(FileIgnore { ignore, globs });
        }
    }

    fn add_text(&mut self, name: &str, text: &str) {
        if memmem::find(text.as_bytes(), WORDS.as_bytes()).is_none() {
            return;
        }
        // Those on lines of their own, until the line comes that they are for.
        let mut waiting: Vec<Ignore> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            let found = memmem::find(line.as_bytes(), WORDS.as_bytes());
            let comment = found.and_then(|at| comment(line, at));
            let trimmed = line.trim_start();
            let is_alone = trimmed.starts_with('#');
            let codes = comment.map(|(column, codes, reason)| {
                let location = Location::new(
                    name,
                    Place {
                        line: number,
                        column,
                    },
                );
                let codes = codes.split(',');
                let ignores = codes.filter_map(|code| self.checked(code, reason, location.clone()));
                ignores.collect::<Vec<Ignore>>()
            });
            let codes = codes.unwrap_or_default();
            if is_alone || trimmed.is_empty() {
                waiting.extend(codes);
                continue;
            }
            if waiting.is_empty() && codes.is_empty() {
                continue;
            }
            let known = self.in_lines.entry((name.to_owned(), number)).or_default();
            known.append(&mut waiting);
            known.extend(codes);
        }
        // What is for no line silences nothing.
        let last = self.in_lines.entry((name.to_owned(), 0));
        if !waiting.is_empty() {
            last.or_default().extend(waiting);
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
    /// `inside` makes of a file's name the one that globs are about.
    #[must_use]
    pub fn apply(
        mut self,
        findings: Vec<Finding>,
        inside: &dyn Fn(&str) -> String,
    ) -> (Vec<Finding>, Vec<Ignored>) {
        let mut by_code: BTreeMap<Code, Vec<FileIgnore>> = BTreeMap::new();
        for one in self.in_files {
            by_code.entry(one.ignore.code).or_default().push(one);
        }
        let mut in_files: BTreeMap<Code, OfCode> = (by_code.into_iter())
            .map(|(code, all)| (code, OfCode::of(all)))
            .collect();
        let (mut left, mut ignored) = (Vec::new(), Vec::new());
        for finding in findings {
            let location = &finding.location;
            let key = (location.file.clone(), location.line);
            let mut in_line = self.in_lines.get_mut(&key).into_iter().flatten();
            let found = in_line.find(|one| one.code == finding.code);
            let found = found.or_else(|| {
                let of_code = in_files.get_mut(&finding.code)?;
                of_code.get(&inside(&location.file))
            });
            match found {
                Some(ignore) => {
                    ignore.is_used = true;
                    let reason = ignore.reason.clone();
                    ignored.push(Ignored { finding, reason });
                }
                None => left.push(finding),
            }
        }
        let in_lines = self.in_lines.into_values().flatten();
        let in_files = in_files.into_values().flat_map(|all| all.ignores);
        let unused = in_lines.chain(in_files).filter(|one| !one.is_used);
        left.append(&mut self.broken);
        left.extend(unused.map(|one| {
            let code = one.code.word();
            let message = format!("this ignores `{code}`, and nothing of it is found");
            let finding = Finding::warning(Code::UnusedIgnore, message, one.location);
            finding.hint("take it out")
        }));
        (left, ignored)
    }
}
