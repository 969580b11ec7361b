//! Findings that somebody has silenced, by code and place, with a reason.
//!
//! A comment `# flux-image: ignore CODE reason` behind a value silences findings of its
//! line, on a line of its own those of the next line that is no comment; behind a marker it
//! would break that. Several codes are joined by commas. In `.flux-image.yaml`, `ignores` silences a code in the files that a
//! glob matches.

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobSet, GlobSetBuilder};
use memchr::memmem;

use super::{LintText, Texts};
use crate::finding::{Code, Finding, Location};
use crate::insight::{RunFacts, explain};
use crate::quote;
use crate::selection::resolve;
use oci_tags::image::Repository;
use yaml_edit_spans::{ByteSpan, Place, Snippet};

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
    let (codes, reason) = codes_of(rest);
    Some((line[..at].chars().count() + 1, codes, reason))
}

/// The codes, joined by commas, and the reason behind them.
fn codes_of(text: &str) -> (&str, &str) {
    let blank = [' ', '\t'];
    let mut end = 0;
    loop {
        let word = text[end..].find(blank).map_or(text.len(), |at| end + at);
        let next = word + (text[word..].len() - text[word..].trim_start_matches(blank).len());
        let goes_on = text[..word].ends_with(',') || text[next..].starts_with(',');
        if !goes_on || next == text.len() {
            return (&text[..word], &text[next..]);
        }
        end = next;
    }
}

/// What to do about a comment without a code, and about one without a reason.
const COMMENT: [&str; 2] = [
    "write `# flux-image: ignore CODE reason`, with a code as `flux-image lint` prints it",
    "write why behind the code",
];

/// What a comment begins with.
pub(super) const WORDS: &str = "flux-image: ignore";

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
    place: IgnorePlace,
    is_used: bool,
}

/// Where an ignore stands, and its line where that may be shown.
type IgnorePlace = (Location, Option<Snippet>);

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

/// Where nobody can tell what needs tags, since those of a policy are not known: the lines of
/// its values, and the files of its documents.
#[derive(Default)]
pub struct Untold {
    lines: BTreeSet<(String, usize)>,
    files: BTreeSet<String>,
}

impl Untold {
    /// Takes in the policies of a run.
    pub fn note(&mut self, run: &RunFacts<'_>) {
        let mut unknown = BTreeSet::new();
        for (id, policy) in &run.documents.policies {
            let repository = resolve::repository_of(run.documents, id, &policy.document).ok();
            let known = repository.as_ref().and_then(|(id, repository)| {
                let name = Repository::parse(&repository.spec.image).ok();
                explain::tags_of(run.tags, id, name.as_ref()).0
            });
            if known.is_some() {
                continue;
            }
            unknown.insert(id);
            self.files.insert(policy.location.text().to_owned());
            let repository = repository.and_then(|(id, _)| run.documents.repositories.get(&id));
            let location = repository.map(|repository| &repository.location);
            self.files
                .extend(location.map(|location| location.text().to_owned()));
        }
        let uses = run.uses.iter();
        let uses = uses.filter(|one| unknown.contains(&one.policy));
        self.lines
            .extend(uses.map(|one| (one.location.text().to_owned(), one.location.line)));
    }

    fn has(&self, file: &str, line: usize) -> bool {
        self.files.contains(file) || self.lines.contains(&(file.to_owned(), line))
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Whether nobody can tell what is found of a code without tags.
fn needs_tags(code: Code) -> bool {
    matches!(
        code,
        Code::Downgrade
            | Code::DigestDropped
            | Code::DigestMissing
            | Code::LostText
            | Code::UnorderedValues
            | Code::NotANumber
            | Code::OldestChosen
            | Code::OnlyPrereleases
            | Code::ExtractCollides
            | Code::UnanchoredPattern
            | Code::MixedVariants
            | Code::NewestDropped
            | Code::AccidentalPrerelease
            | Code::MatchesNothing
            | Code::EqualVersions
            | Code::LongTagList
            | Code::VariantChanges
            | Code::PrefixChanges
            | Code::PartsChange
            | Code::OtherImage
            | Code::NeverAgain
    )
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
            ignores.add_text(name, text);
        }
        ignores
    }

    /// Adds one of a file of options, which stands at `location`, for the files of some
    /// globs; for all where there are none.
    pub fn add(&mut self, code: &str, reason: &str, place: IgnorePlace, globs: Vec<Glob>) {
        let hints = [
            "write a code as `flux-image lint` prints it",
            "write why, as `reason`",
        ];
        if let Some(ignore) = self.checked(code, (reason, hints), place) {
            self.in_files.push(FileIgnore { ignore, globs });
        }
    }

    fn add_text(&mut self, name: &str, lint_text: LintText<'_>) {
        let text = lint_text.text;
        if memmem::find(text.as_bytes(), WORDS.as_bytes()).is_none() {
            return;
        }
        // Those on lines of their own, until the line comes that they are for.
        let mut waiting: Vec<Ignore> = Vec::new();
        let mut start = 0;
        for (number, whole) in text.split_inclusive('\n').enumerate() {
            let number = number + 1;
            let line = whole.trim_end_matches(['\r', '\n']);
            let span = ByteSpan::new(start, start + line.len());
            start += whole.len();
            let found = memmem::find(line.as_bytes(), WORDS.as_bytes());
            let comment = found.and_then(|at| comment(line, at));
            let trimmed = line.trim_start();
            let is_alone = trimmed.starts_with('#');
            let codes = comment.map(|(column, codes, reason)| {
                let at = Place {
                    line: number,
                    column,
                };
                let place = (
                    lint_text.location(name, at),
                    lint_text.snippet(span, column),
                );
                let codes = codes.trim_end_matches(',').split(',').map(str::trim);
                let written = (reason, COMMENT);
                let ignores = codes.filter_map(|code| self.checked(code, written, place.clone()));
                ignores.collect::<Vec<Ignore>>()
            });
            let codes = codes.unwrap_or_default();
            // What is for the next line may be in the next document.
            if is_alone || trimmed.is_empty() || line.trim_end() == "---" {
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

    /// An ignore, where it names a code and a reason. What is wrong is noted, with a hint for
    /// the one and for the other.
    fn checked(
        &mut self,
        code: &str,
        (reason, hints): (&str, [&str; 2]),
        place: IgnorePlace,
    ) -> Option<Ignore> {
        let mut broken = |what: String, hint: &str| {
            let (location, snippet) = place.clone();
            let finding = Finding::warning(Code::BadIgnore, what, location);
            self.broken.push(Finding {
                snippet,
                ..finding.hint(hint)
            });
        };
        let Some(known) = Code::of_word(code) else {
            let code = quote::at_most(code, 100);
            let message = match code.as_ref() {
                "" => "this ignores nothing: it names no code".to_owned(),
                code => format!("this ignores `{code}`, which is no code of a finding"),
            };
            broken(message, hints[0]);
            return None;
        };
        if reason.trim().is_empty() {
            broken(format!("this ignores `{code}` without a reason"), hints[1]);
            return None;
        }
        Some(Ignore {
            code: known,
            reason: reason.trim().to_owned(),
            place,
            is_used: false,
        })
    }

    /// The findings that count, with what is wrong with ignores, and those that do not.
    /// `inside` makes of a file's name the one that globs are about. What silences nothing is a
    /// finding, unless `untold` has its place.
    #[must_use]
    pub fn apply(
        mut self,
        findings: Vec<Finding>,
        untold: &Untold,
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
            let key = (location.text().to_owned(), location.line);
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
        let in_lines = self.in_lines.into_iter().flat_map(|((file, line), all)| {
            let is_untold = untold.has(&file, line);
            all.into_iter().map(move |one| (one, is_untold))
        });
        let in_files = in_files.into_values().flat_map(|all| all.ignores);
        let in_files = in_files.map(|one| (one, !untold.is_empty()));
        let unused = in_lines.chain(in_files).filter_map(|(one, is_untold)| {
            let is_kept = one.is_used || is_untold && needs_tags(one.code);
            (!is_kept).then_some(one)
        });
        left.append(&mut self.broken);
        left.extend(unused.map(|one| {
            let code = one.code.word();
            let message = format!("this ignores `{code}`, and nothing of it is found");
            let (location, snippet) = one.place;
            let finding = Finding::warning(Code::UnusedIgnore, message, location);
            Finding {
                snippet,
                ..finding.hint("take it out")
            }
        }));
        (left, ignored)
    }
}
