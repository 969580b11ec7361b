//! Which images are left alone on purpose: by settings, and by comments in the files.
//!
//! A comment `# flux-image: exclude REASON [until YYYY-MM-DD]` counts for the values of its
//! line, or where it has a line of its own for those of the next line that is no comment. Of
//! an image in parts each line counts. Neither case nor blanks around the colon matter.
//! A day named with `until` is the last on which an exclusion counts.

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet};
use jiff::civil::Date;

use crate::api::ExclusionSpec;
use crate::finding::{Code, Finding, Location};
use crate::quote;
use oci_tags::image::Repository;

/// What `coverage` is told about a repository: images that are left alone on purpose, told
/// by globs (`*` for anything but a slash, `**` for anything). A name is tried on those of
/// all images at once.
#[derive(Clone, Debug, Default)]
pub struct CoverageSettings {
    exclusions: Vec<Exclusion>,
    images: GlobSet,
    /// The exclusion of each glob of `images`.
    of_glob: Vec<usize>,
    /// The exclusions that are of all images.
    of_all: Vec<usize>,
    /// Where they stand, for who wants to know which exclude nothing.
    places: Vec<Location>,
}

/// What an exclusion says besides of which images it is.
#[derive(Clone, Debug)]
struct Exclusion {
    /// The files that they are in, from the root of the work tree on; all where absent.
    path: Option<PathGlob>,
    reason: String,
    until: Option<Date>,
}

/// A glob of files, or the name of a folder that they are below.
#[derive(Clone, Debug)]
pub struct PathGlob {
    folder: String,
    glob: GlobMatcher,
}

/// A glob of names with slashes.
///
/// # Errors
/// A text that is no glob.
pub fn glob(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).build()
}

impl PathGlob {
    /// Of a text as it is written in options.
    ///
    /// # Errors
    /// A text that is no glob.
    pub fn new(text: &str) -> Result<Self, globset::Error> {
        let bare = text.trim_start_matches("./").trim_end_matches('/');
        let bare = if bare == "." { "**" } else { bare };
        Ok(Self {
            folder: format!("{bare}/"),
            glob: glob(bare)?.compile_matcher(),
        })
    }

    /// Whether it means a file, which is named from the root of the work tree on.
    #[must_use]
    pub fn is_match(&self, file: &str) -> bool {
        let file = file.trim_start_matches("./");
        file.starts_with(&self.folder) || self.glob.is_match(file)
    }
}

/// What an exclusion means for an image today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// It is left alone, for this reason, until this day or for ever.
    Yes(String, Option<Date>),
    /// It was, until a day that is past.
    Expired(String),
    /// A comment that should exclude it does not count, and why.
    Unusable(&'static str),
}

impl CoverageSettings {
    /// Of the exclusions of options.
    ///
    /// # Errors
    /// A text that is no glob.
    pub fn of(specs: &[ExclusionSpec]) -> Result<Self, globset::Error> {
        let mut made = Self::default();
        let mut images = GlobSet::builder();
        for (at, spec) in specs.iter().enumerate() {
            match &spec.image {
                Some(image) => {
                    images.add(glob(image)?);
                    made.of_glob.push(at);
                }
                None => made.of_all.push(at),
            }
            made.exclusions.push(Exclusion {
                path: spec.path.as_deref().map(PathGlob::new).transpose()?,
                reason: spec.reason.clone(),
                until: spec.until,
            });
        }
        made.images = images.build()?;
        Ok(made)
    }

    /// The same, of which those that exclude nothing are to be told. They stand at `places`.
    #[must_use]
    pub fn at(mut self, places: Vec<Location>) -> Self {
        self.places = places;
        self
    }

    /// The numbers of the exclusions that fit an image, whether they count today or not.
    #[must_use]
    pub fn fitting(&self, file: &str, image: &str) -> Vec<usize> {
        if self.exclusions.is_empty() {
            return Vec::new();
        }
        let names = names_of(image);
        let of_image = names.iter().flat_map(|name| self.images.matches(name));
        let of_image = of_image.filter_map(|glob| self.of_glob.get(glob).copied());
        let fitting: BTreeSet<usize> = of_image.chain(self.of_all.iter().copied()).collect();
        let is_there = |at: &usize| {
            let path = self.exclusions.get(*at).map(|one| one.path.as_ref());
            path.is_some_and(|path| path.is_none_or(|path| path.is_match(file)))
        };
        fitting.into_iter().filter(is_there).collect()
    }

    /// What exclusions say of an image that they fit: the first that counts today, else the
    /// first.
    #[must_use]
    pub fn said_of(&self, fitting: &[usize], today: Date) -> Option<Excluded> {
        let fitting = fitting.iter().filter_map(|at| self.exclusions.get(*at));
        let mut said = fitting.map(|one| judged(&one.reason, one.until, today));
        let first = said.next()?;
        if matches!(first, Excluded::Yes(..)) {
            return Some(first);
        }
        let counting = said.find(|one| matches!(one, Excluded::Yes(..)));
        Some(counting.unwrap_or(first))
    }

    /// Those that fit no image, of which `used` has the others.
    #[must_use]
    pub fn unused(&self, used: &BTreeSet<usize>) -> Vec<Finding> {
        let places = self.places.iter().enumerate();
        let unused = places.filter(|(at, _)| !used.contains(at));
        let finding = |(_, place): (usize, &Location)| {
            let message = "this excludes nothing: no image that was found fits it";
            let finding = Finding::warning(Code::UnusedExclusion, message, place.clone());
            finding.hint("take it out, or write `image` without a tag and `path` from the root of the work tree on")
        };
        unused.map(finding).collect()
    }
}

/// The names that an image goes by: as it is written, with its registry, and without Docker
/// Hub's.
fn names_of(image: &str) -> Vec<String> {
    let mut names = vec![image.to_owned()];
    if let Ok(name) = Repository::parse(image) {
        let canonical = name.canonical();
        if let Some(bare) = canonical.strip_prefix("index.docker.io/") {
            names.extend([format!("docker.io/{bare}"), bare.to_owned()]);
            names.extend(bare.strip_prefix("library/").map(str::to_owned));
        }
        names.push(canonical);
    }
    names
}

fn judged(reason: &str, until: Option<Date>, today: Date) -> Excluded {
    match until {
        Some(until) if until < today => {
            Excluded::Expired(format!("its exclusion ended on {until}: {reason}"))
        }
        Some(_) | None => Excluded::Yes(reason.to_owned(), until),
    }
}

/// An exclusion that a comment speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    reason: String,
    until: Option<Date>,
    is_day_wrong: bool,
    /// The line that it stands on.
    line: usize,
}

/// Bytes of a reason that are told.
const LONGEST_REASON: usize = 500;

/// The comments of a text that exclude something, by the line that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments(BTreeMap<usize, Comment>);

impl Comments {
    /// Finds them. Lines count from 1.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut found = BTreeMap::new();
        let is_there =
            |word: &&str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
        if !["flux-image", "Flux-image", "FLUX-IMAGE"]
            .iter()
            .any(is_there)
        {
            return Self(found);
        }
        let mut above: Option<Comment> = None;
        for (number, line) in lines(text).enumerate() {
            let line = line.trim_end();
            let trimmed = line.trim_start();
            if trimmed.starts_with('#') {
                above = read(trimmed, number + 1).or(above);
                continue;
            }
            let behind = line.match_indices('#').find_map(|(at, _)| {
                let is_comment = line[..at].ends_with([' ', '\t']);
                is_comment.then(|| read(&line[at..], number + 1)).flatten()
            });
            if let Some(comment) = behind.or(above.take()) {
                found.insert(number + 1, comment);
            }
            above = None;
        }
        Self(found)
    }

    /// Those about none of these lines.
    pub fn unused<'c>(&'c self, lines: &'c BTreeSet<usize>) -> impl Iterator<Item = usize> + 'c {
        let unused = self.0.iter().filter(|(line, _)| !lines.contains(line));
        unused.map(|(_, comment)| comment.line)
    }

    /// What they say of a value on a line.
    #[must_use]
    pub fn excludes(&self, line: usize, today: Date) -> Option<Excluded> {
        let comment = self.0.get(&line)?;
        if comment.is_day_wrong {
            return Some(Excluded::Unusable(
                "the comment that excludes it names no day that there is, as YYYY-MM-DD",
            ));
        }
        if comment.reason.is_empty() {
            return Some(Excluded::Unusable(
                "the comment that excludes it says no reason, and does not count",
            ));
        }
        Some(judged(&comment.reason, comment.until, today))
    }
}

/// The lines of a text as YAML counts them: ended by a line feed, a carriage return, or both.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.split('\n');
    whole.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Reads a comment from its `#` on.
fn read(comment: &str, line: usize) -> Option<Comment> {
    let body = comment.trim_start_matches('#').trim();
    let rest = after(body, "flux-image")?.trim_start().strip_prefix(':')?;
    let rest = after(rest.trim_start(), "exclude")?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t', ':']) {
        return None;
    }
    let rest = rest.trim_start_matches(':').trim();
    // Also as it is told: `REASON (until DAY)`.
    let lower = rest.to_ascii_lowercase();
    let day = lower.rfind("until ").and_then(|at| {
        let (reason, day) = (&rest[..at], rest[at + "until ".len()..].trim());
        let (reason, day) = match (reason.strip_suffix('('), day.strip_suffix(')')) {
            (Some(reason), Some(day)) => (reason, day),
            _ => (reason, day),
        };
        (reason.is_empty() || reason.ends_with(' ')).then(|| (reason.trim(), day.trim()))
    });
    // Words behind `until` are a reason's.
    let day = day.filter(|(_, day)| day.starts_with(|c: char| c.is_ascii_digit()));
    let (reason, day) = day.map_or((rest, None), |(reason, day)| (reason, Some(day)));
    let until = day.and_then(|day| day.parse::<Date>().ok());
    Some(Comment {
        // It may be told of every value of a line.
        reason: quote::at_most(reason, LONGEST_REASON).into_owned(),
        is_day_wrong: day.is_some() && until.is_none(),
        until,
        line,
    })
}

/// What follows a word, whatever its case.
fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    let is_it = head.eq_ignore_ascii_case(word);
    is_it.then(|| &text[word.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 26);

    #[test]
    fn patterns_know_slashes() {
        for (pattern, text, expected) in [
            ("ghcr.io/acme/*", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/a/b", false),
            ("ghcr.io/**", "ghcr.io/acme/a/b", true),
            ("**/app", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/ap?", "ghcr.io/acme/app", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            let matcher = glob(pattern).expect("a glob").compile_matcher();
            assert_eq!(matcher.is_match(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn comments_are_of_their_line_or_the_next() {
        let text = "\
a: x # flux-image: exclude frozen for the audit until 2026-12-01
# flux-image: exclude ours to build
# more words

b: y
#flux-image: exclude: kept until 2026-01-01
c: z
d: 'w' # flux-image: exclude
e: v # flux-image: excluded
f: u#flux-image: exclude glued
g: t # flux-image: exclude waits until then
h: s # flux-image: exclude waits until 2026-13-01
i: r # Flux-Image:Exclude as it is told (Until 2026-12-01)
";
        let comments = Comments::of(text);
        let at = |line| comments.excludes(line, TODAY);
        let yes = |reason: &str| Some(Excluded::Yes(reason.to_owned(), None));
        let until = |reason: &str| {
            let day = jiff::civil::date(2026, 12, 1);
            Some(Excluded::Yes(reason.to_owned(), Some(day)))
        };
        assert_eq!(at(1), until("frozen for the audit"));
        assert_eq!(at(13), until("as it is told"));
        assert_eq!(at(4), yes("ours to build"));
        assert_eq!(at(5), None);
        assert_eq!(
            at(7),
            Some(Excluded::Expired(
                "its exclusion ended on 2026-01-01: kept".to_owned()
            ))
        );
        assert!(matches!(at(8), Some(Excluded::Unusable(_))));
        assert_eq!(at(9), None);
        assert_eq!(at(10), None);
        assert_eq!(at(11), yes("waits until then"));
        assert!(matches!(at(12), Some(Excluded::Unusable(_))));
    }

    #[test]
    fn the_first_that_counts_is_told() {
        let exclusion =
            |path: Option<&str>, image: Option<&str>, until: Option<Date>| ExclusionSpec {
                image: image.map(str::to_owned),
                path: path.map(str::to_owned),
                reason: "because".to_owned(),
                until,
            };
        let settings = CoverageSettings::of(&[
            exclusion(Some("apps/old"), None, Some(jiff::civil::date(2026, 1, 1))),
            exclusion(Some("apps/**/*.yaml"), Some("ghcr.io/acme/*"), None),
        ])
        .expect("globs");
        let told = |file, image| settings.said_of(&settings.fitting(file, image), TODAY);
        assert_eq!(
            told("apps/old/x.yaml", "ghcr.io/acme/app"),
            Some(Excluded::Yes("because".to_owned(), None))
        );
        assert!(matches!(
            told("apps/old/x.yaml", "nginx"),
            Some(Excluded::Expired(_))
        ));
        assert_eq!(told("apps/older/x.yaml", "nginx"), None);
    }

    #[test]
    fn images_of_docker_hub_have_several_names() {
        for image in [
            "nginx",
            "library/nginx",
            "docker.io/library/nginx",
            "index.docker.io/library/nginx",
        ] {
            let spec = ExclusionSpec {
                image: Some(image.to_owned()),
                reason: "because".to_owned(),
                ..ExclusionSpec::default()
            };
            let settings = CoverageSettings::of(&[spec]).expect("globs");
            for written in ["nginx", "docker.io/nginx", "docker.io/library/nginx"] {
                assert_eq!(
                    settings.fitting("a.yaml", written),
                    [0],
                    "{image} {written}"
                );
            }
            assert_eq!(settings.fitting("a.yaml", "ghcr.io/library/nginx"), [0; 0]);
        }
    }
}
