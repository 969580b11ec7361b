//! Which images are left alone on purpose: by settings, and by comments in the files.
//!
//! A comment `# flux-image: exclude REASON [until YYYY-MM-DD]` counts for the values of its
//! line, or where it has a line of its own for those of the next line that is no comment.
//! A day named with `until` is the last on which an exclusion counts.

use std::collections::BTreeMap;

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet};
use jiff::civil::Date;

use crate::api::ExclusionSpec;
use crate::quote;

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
    /// It is left alone, for this reason.
    Yes(String),
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

    /// What the exclusions say of an image: the first that fits and counts today, else the
    /// first that fits.
    #[must_use]
    pub fn excludes(&self, file: &str, image: &str, today: Date) -> Option<Excluded> {
        let of_image = self.images.matches(image).into_iter();
        let of_image = of_image.filter_map(|glob| self.of_glob.get(glob).copied());
        let mut fitting: Vec<usize> = of_image.chain(self.of_all.iter().copied()).collect();
        fitting.sort_unstable();
        let fitting = fitting.into_iter().filter_map(|at| self.exclusions.get(at));
        let fitting =
            fitting.filter(|one| one.path.as_ref().is_none_or(|path| path.is_match(file)));
        let mut said = fitting.map(|one| judged(&one.reason, one.until, today));
        let first = said.next()?;
        if matches!(first, Excluded::Yes(_)) {
            return Some(first);
        }
        let counting = said.find(|one| matches!(one, Excluded::Yes(_)));
        Some(counting.unwrap_or(first))
    }
}

fn judged(reason: &str, until: Option<Date>, today: Date) -> Excluded {
    match until {
        Some(until) if until < today => {
            Excluded::Expired(format!("its exclusion ended on {until}: {reason}"))
        }
        Some(until) => Excluded::Yes(format!("{reason} (until {until})")),
        None => Excluded::Yes(reason.to_owned()),
    }
}

/// An exclusion that a comment speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    reason: String,
    until: Option<Date>,
    is_day_wrong: bool,
}

/// Bytes of a reason that are told.
const LONGEST_REASON: usize = 500;

/// What stands before the reason.
pub const WORD: &str = "flux-image: exclude";

/// The comments of a text that exclude something, by the line that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments(BTreeMap<usize, Comment>);

impl Comments {
    /// Finds them. Lines count from 1.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut found = BTreeMap::new();
        if memchr::memmem::find(text.as_bytes(), WORD.as_bytes()).is_none() {
            return Self(found);
        }
        let mut above: Option<Comment> = None;
        for (number, line) in lines(text).enumerate() {
            let trimmed = line.trim_start();
            if trimmed.starts_with('#') {
                above = read(trimmed).or(above);
                continue;
            }
            let behind = line.match_indices('#').find_map(|(at, _)| {
                let is_comment = line[..at].ends_with([' ', '\t']);
                is_comment.then(|| read(&line[at..])).flatten()
            });
            if let Some(comment) = behind.or(above.take()) {
                found.insert(number + 1, comment);
            }
            above = None;
        }
        Self(found)
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
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.split('\n');
    whole.flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Reads a comment from its `#` on.
fn read(comment: &str) -> Option<Comment> {
    let body = comment.trim_start_matches('#').trim();
    let rest = body.strip_prefix(WORD)?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t', ':']) {
        return None;
    }
    let rest = rest.trim_start_matches(':').trim();
    let day = match rest.rsplit_once("until ") {
        Some((reason, day)) if reason.is_empty() || reason.ends_with(' ') => {
            Some((reason.trim(), day.trim()))
        }
        _ => None,
    };
    // Words behind `until` are a reason's.
    let day = day.filter(|(_, day)| day.starts_with(|c: char| c.is_ascii_digit()));
    let (reason, day) = day.map_or((rest, None), |(reason, day)| (reason, Some(day)));
    let until = day.and_then(|day| day.parse::<Date>().ok());
    Some(Comment {
        // It may be told of every value of a line.
        reason: quote::at_most(reason, LONGEST_REASON).into_owned(),
        is_day_wrong: day.is_some() && until.is_none(),
        until,
    })
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
";
        let comments = Comments::of(text);
        let at = |line| comments.excludes(line, TODAY);
        let yes = |reason: &str| Some(Excluded::Yes(reason.to_owned()));
        assert_eq!(at(1), yes("frozen for the audit (until 2026-12-01)"));
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
        let told = |file, image| settings.excludes(file, image, TODAY);
        assert_eq!(
            told("apps/old/x.yaml", "ghcr.io/acme/app"),
            Some(Excluded::Yes("because".to_owned()))
        );
        assert!(matches!(
            told("apps/old/x.yaml", "nginx"),
            Some(Excluded::Expired(_))
        ));
        assert_eq!(told("apps/older/x.yaml", "nginx"), None);
    }
}
