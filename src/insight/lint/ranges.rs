//! Ranges as they are written: what reads as something else than it means, and what a
//! comparator would be in its place.

use std::collections::BTreeSet;
use std::ops::Range;

use masterminds_semver::{Constraint, Version};

/// A comparator, where it stands in its range.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word<'r> {
    group: usize,
    operator: &'r str,
    version: &'r str,
    /// From its operator on.
    span: Range<usize>,
    hyphen: Option<Bound>,
}

/// Which side of a hyphen range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Lower,
    Upper,
}

impl Word<'_> {
    fn is_upper(&self) -> bool {
        matches!(self.operator, "<" | "<=" | "=<") || self.hyphen == Some(Bound::Upper)
    }

    fn prerelease(&self) -> Option<&str> {
        self.version
            .split_once('-')
            .map(|(_, prerelease)| prerelease)
    }

    /// Where its prerelease stands, from the `-` on.
    fn tail(&self) -> Option<Range<usize>> {
        let at = self.version.find('-')?;
        Some(self.span.end - self.version.len() + at..self.span.end)
    }
}

/// The comparators of a range.
fn words(range: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let (mut start, mut is_upper) = (0, false);
    for (group, text) in range.split("||").enumerate() {
        let end = start + text.len();
        let mut at = start;
        while at < end {
            let run = |from: usize, is_in: &dyn Fn(char) -> bool| {
                let rest = &range[from..end];
                from + rest.find(|c| !is_in(c)).unwrap_or(rest.len())
            };
            let is_blank = |c: char| c.is_ascii_whitespace() || c == ',';
            let from = run(at, &is_blank);
            let behind = run(from, &|c| "=<>!~^".contains(c));
            let version = run(behind, &is_blank);
            at = run(version, &|c| !is_blank(c));
            let (operator, text) = (&range[from..behind], &range[version..at]);
            if text.is_empty() {
                break;
            }
            if operator.is_empty() && text == "-" {
                is_upper = true;
                if let Some(last) = words.last_mut() {
                    last.hyphen = Some(Bound::Lower);
                }
                continue;
            }
            words.push(Word {
                group,
                operator,
                version: text,
                span: from..at,
                hyphen: std::mem::take(&mut is_upper).then_some(Bound::Upper),
            });
        }
        start = end + 2;
    }
    words
}

/// A range with other texts at some places of it, which are in order.
fn replaced(range: &str, edits: &[(Range<usize>, String)]) -> String {
    let mut out = range.to_owned();
    for (span, text) in edits.iter().rev() {
        out.replace_range(span.clone(), text);
    }
    out
}

fn admits(range: &str, version: [u64; 3]) -> bool {
    let range = Constraint::parse(range);
    range.is_ok_and(|range| range.admits(&Version::of(version, "")))
}

/// Whether a range is one version.
pub(super) fn is_version(range: &str) -> bool {
    let words = words(range);
    let [one] = words.as_slice() else {
        return false;
    };
    let is_plain = matches!(one.operator, "" | "=") && one.hyphen.is_none();
    is_plain && Version::parse(one.version.trim_start_matches('v')).is_ok()
}

/// What a range means that reads as something else, and how to write what it reads as; then,
/// where that is another one, how to write what it means.
pub(super) fn odd(range: &str) -> Option<(String, Vec<String>)> {
    let words = words(range);
    let has_groups = range.contains("||");
    let (mut what, mut as_read, mut as_is) = (None, Vec::new(), Vec::new());
    let (mut from, mut hyphens) = (0, Vec::new());
    for word in &words {
        let opened = words
            .iter()
            .any(|other| other.group == word.group && other.prerelease().is_some());
        let (said, read, is) = match word.hyphen {
            Some(Bound::Lower) if has_groups => {
                from = word.span.start;
                continue;
            }
            Some(Bound::Upper) if has_groups => {
                let lower = range[from..word.span.start].trim_end();
                let lower = lower.trim_end_matches('-').trim_end();
                let upper = next_bound(word.version, opened);
                let upper = upper.unwrap_or_else(|| format!("<={}", word.version));
                let plain = format!(">={lower} {upper}");
                hyphens.push((from..word.span.end, plain));
                continue;
            }
            Some(_) => continue,
            None => match odd_word(word, opened) {
                Some(found) => found,
                None => continue,
            },
        };
        what.get_or_insert(said.to_owned());
        as_read.push((word.span.clone(), read));
        as_is.push((word.span.clone(), is));
    }
    if let Some(said) = misread(range, &replaced(range, &hyphens)) {
        what.get_or_insert(said);
        for edits in [&mut as_read, &mut as_is] {
            edits.extend(hyphens.iter().cloned());
            edits.sort_by_key(|(span, _)| span.start);
        }
    }
    let mut hints = vec![replaced(range, &as_read), replaced(range, &as_is)];
    hints.dedup();
    hints.retain(|hint| Constraint::parse(hint).is_ok());
    Some((what?, hints))
}

/// What a range with hyphens beside `||` is in place of what it reads as, told by trying the
/// versions around its bounds; `None` where it is the same.
fn misread(range: &str, as_read: &str) -> Option<String> {
    let plain = Constraint::parse(as_read).ok()?;
    let Ok(own) = Constraint::parse(range) else {
        return Some("a `||` that touches a hyphen range is read as a part of it".to_owned());
    };
    let numbers = range.split(|c: char| !c.is_ascii_digit());
    let numbers: BTreeSet<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let near = numbers
        .iter()
        .flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]);
    let near: BTreeSet<u64> = near.chain([0]).take(30).collect();
    let versions = near.iter().flat_map(|major| {
        let minors = near.iter();
        minors.flat_map(|minor| near.iter().map(|patch| [*major, *minor, *patch]))
    });
    let mut versions = versions.map(|numbers| Version::of(numbers, ""));
    let other = versions.find(|one| own.admits(one) != plain.admits(one))?;
    let verb = if own.admits(&other) {
        "admits"
    } else {
        "keeps out"
    };
    Some(format!(
        "a `||` that touches a hyphen range is read as a part of it, so that it {verb} `{other}`"
    ))
}

/// A comparator that reads as something else than it means: why, what it reads as, and what
/// it is.
fn odd_word(word: &Word<'_>, opened: bool) -> Option<(&'static str, String, String)> {
    let bare = word.version.trim_start_matches('v');
    let spelled = format!("{}{}", word.operator, word.version);
    let is_wild = |part: &str| matches!(part, "*" | "x" | "X");
    match word.operator {
        "^" | "~" | "~>" | ">=" | "=>" | "=" if bare.split('.').all(is_wild) => {
            let what = match admits(&spelled, [1, 2, 3]) {
                true => "the operator has no meaning there, every release is in it",
                false => "behind this operator the wildcard is a zero, and `0.0.0` alone is in it",
            };
            Some((what, "*".to_owned(), "*".to_owned()))
        }
        "~" | "~>" if bare == "0.0.0" && admits(&spelled, [1, 2, 3]) => Some((
            "a tilde on zeros lets every version in, whatever its numbers",
            ">=0.0.0 <0.1.0".to_owned(),
            ">=0.0.0".to_owned(),
        )),
        "<=" | "=<" => {
            let next = next_bound(word.version, opened)?;
            Some((
                "with numbers left out, all versions that begin so are below the bound",
                next.clone(),
                next,
            ))
        }
        _ => None,
    }
}

/// The bound below which all versions are that begin as an upper bound of one or two numbers
/// does.
fn next_bound(version: &str, opened: bool) -> Option<String> {
    let parts: Vec<&str> = version.trim_start_matches('v').split('.').collect();
    let mut numbers: Vec<u64> = Vec::new();
    for part in &parts {
        let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        numbers.push(part.parse().ok().filter(|_| is_digits)?);
    }
    if numbers.len() > 2 {
        return None;
    }
    let last = numbers.last_mut()?;
    *last = last.checked_add(1)?;
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    // An opened group has the prereleases of the bound below it.
    let tail = if opened { "-0" } else { "" };
    Some(format!("<{}{tail}", numbers.join(".")))
}

/// Two versions with a hyphen between that has no blanks around it: a version and its
/// prerelease, to Flux. The range with the blanks.
pub(super) fn with_blanks(range: &str) -> Option<String> {
    let mut edits = Vec::new();
    for word in words(range) {
        let is_range = word.prerelease().is_some_and(|behind| {
            let behind = behind.trim_start_matches('v');
            let parts: Vec<&str> = behind.split('.').collect();
            let is_number =
                |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            (2..=3).contains(&parts.len()) && parts.iter().all(is_number)
        });
        if let Some(tail) = word.tail().filter(|_| is_range && word.operator.is_empty()) {
            edits.push((tail.start..tail.start + 1, " - ".to_owned()));
        }
    }
    (!edits.is_empty()).then(|| replaced(range, &edits))
}

/// A comparator, and the range without what is found about it, where that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blamed {
    pub clause: String,
    pub hint: Option<String>,
}

/// The groups of a range that admit a version, by number.
fn admitting(range: &str, version: &Version) -> Vec<usize> {
    let groups = range.split("||").enumerate();
    let found = groups
        .filter(|(_, group)| Constraint::parse(group).is_ok_and(|group| group.admits(version)));
    found.map(|(number, _)| number).collect()
}

/// The comparator that lets a prerelease in and keeps out its release, in a group that admits
/// the prerelease.
pub(super) fn keeps_out_release(range: &str, version: &Version) -> Option<Blamed> {
    let release = Version::of(version.numbers(), "");
    let groups = admitting(range, version);
    let words = words(range);
    let mut hint = Vec::new();
    let mut clause = None;
    for word in words.iter().filter(|word| groups.contains(&word.group)) {
        let operator = match word.hyphen {
            Some(Bound::Lower) => ">=",
            Some(Bound::Upper) => "<=",
            None => word.operator,
        };
        let alone = Constraint::parse(&format!("{operator}{} >=0.0.0-0", word.version));
        let is_it = alone.is_ok_and(|alone| !alone.admits(&release) && alone.admits(version));
        if is_it && word.prerelease().is_none() {
            clause.get_or_insert_with(|| range[word.span.clone()].to_owned());
            if operator == "<" {
                hint.push((word.span.end..word.span.end, "-0".to_owned()));
            }
        }
    }
    let hint = (!hint.is_empty()).then(|| replaced(range, &hint));
    clause.map(|clause| Blamed { clause, hint })
}

/// The comparator whose prerelease opens a group to all prereleases, where that is likely not
/// meant: one that is named, or `-0` at an upper bound alone.
pub(super) fn opens(range: &str, version: &Version) -> Option<Blamed> {
    let groups = admitting(range, version);
    let words = words(range);
    let mut inside = words.iter().filter(|word| groups.contains(&word.group));
    let lower_is_open = |group: usize| {
        let mut own = words.iter().filter(|word| word.group == group);
        own.any(|word| !word.is_upper() && word.prerelease().is_some())
    };
    let word = inside.find(|word| match word.prerelease() {
        None => false,
        Some("0") => word.is_upper() && !lower_is_open(word.group),
        Some(_) => true,
    })?;
    Some(Blamed {
        clause: range[word.span.clone()].to_owned(),
        hint: word
            .tail()
            .map(|tail| replaced(range, &[(tail, String::new())])),
    })
}

/// Whether prereleases are asked for on both sides of a group that admits a version: each of
/// its comparators has `-0`, and one of them is an upper bound.
pub(super) fn is_open(range: &str, version: &Version) -> bool {
    let groups = admitting(range, version);
    let words = words(range);
    groups.iter().any(|group| {
        let mut own = words.iter().filter(|word| word.group == *group);
        let has_upper = own.clone().any(Word::is_upper);
        has_upper && own.all(|word| word.prerelease() == Some("0"))
    })
}

/// A range without the prereleases in it; `None` where it has none.
pub(super) fn without_prereleases(range: &str) -> Option<String> {
    let words = words(range);
    let tails = words.iter().filter_map(Word::tail);
    let edits: Vec<_> = tails.map(|tail| (tail, String::new())).collect();
    (!edits.is_empty()).then(|| replaced(range, &edits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Version> {
        let mut all = Vec::new();
        for major in [0, 1, 2, 3, 4, 10] {
            for minor in [0, 1, 4, 5, 6, 10] {
                for patch in [0, 1, 9] {
                    all.push(Version::of([major, minor, patch], ""));
                    all.push(Version::of([major, minor, patch], "rc.1"));
                }
            }
        }
        all
    }

    fn admitted(range: &str) -> Vec<String> {
        let range = Constraint::parse(range).expect(range);
        let versions = all().into_iter().filter(|one| range.admits(one));
        versions.map(|one| one.to_string()).collect()
    }

    /// The hints of an odd range admit what it reads as, and are not odd themselves.
    #[test]
    fn odd_ranges_have_a_plain_spelling() {
        for (range, hint, meant) in [
            ("^*", "*", "*"),
            ("~*", "*", "*"),
            ("~> x", "*", "*"),
            ("=*", "*", "*"),
            (">=X", "*", "*"),
            ("~0.0.0", ">=0.0.0 <0.1.0", "0.0.x"),
            ("~>v0.0.0", ">=0.0.0 <0.1.0", "0.0.x"),
            ("<=1", "<2", "<2.0.0"),
            ("=<1", "<2", "<2.0.0"),
            ("<= v1.4", "<1.5", "<1.5.0"),
            (">=1.0.0 <=1.4", ">=1.0.0 <1.5", ">=1.0.0 <1.5.0"),
            ("<=1 >=0.5", "<2 >=0.5", ">=0.5 <2.0.0"),
            ("<=1 || 3.x", "<2 || 3.x", "<2.0.0 || 3.x"),
            (">=1.0.0-0,<=1", ">=1.0.0-0,<2-0", ">=1.0.0-0 <2.0.0-0"),
            (
                "1.0.0 - 2.0.0||3.x",
                ">=1.0.0 <=2.0.0||3.x",
                ">=1.0.0 <=2.0.0||3.x",
            ),
            ("1.x||2.x - 3.x", "1.x||>=2.x <=3.x", "1.x || 2.x || 3.x"),
        ] {
            let (_, hints) = odd(range).expect(range);
            assert_eq!(hints[0], hint, "{range}");
            assert_eq!(admitted(hint), admitted(meant), "{range}");
            assert_eq!(odd(hint), None, "{range}");
        }
        // What the words say of wildcards and zeros.
        assert_eq!(admitted("^*"), ["0.0.0"]);
        assert_eq!(admitted("~0.0.0"), admitted(">=0.0.0"));
        assert_ne!(admitted("~0"), admitted(">=0.0.0"));
        for range in [
            "1.x",
            "<=1.2.3",
            ">=1.0.0 <2",
            "~1.2",
            "~0",
            "~0.0",
            "^0.1.0",
            "1.0.0 - 2.0.0",
            "1.0.0 - 2",
            "1.0.0 - 2.0.0 || 3.x",
            "4.x || v1.0.0 - 2",
            "*",
        ] {
            assert_eq!(odd(range), None, "{range}");
        }
    }

    #[test]
    fn the_comparator_to_blame_is_the_one_of_the_group() {
        let version = |text: &str| Version::parse(text).expect("a version");
        for (range, chosen, clause, hint) in [
            (
                ">=1.0.0-0 <2.0.0",
                "2.0.0-rc.1",
                "<2.0.0",
                ">=1.0.0-0 <2.0.0-0",
            ),
            (
                ">=1.0.0-0 <2 || >=3.0.0-0 <20",
                "20.0.0-rc.1",
                "<20",
                ">=1.0.0-0 <2 || >=3.0.0-0 <20-0",
            ),
            (
                "<2, !=0.1.2 >=1.2.0-0",
                "2.0.0-rc.1",
                "<2",
                "<2-0, !=0.1.2 >=1.2.0-0",
            ),
        ] {
            let blamed = keeps_out_release(range, &version(chosen)).expect(range);
            assert_eq!(blamed.clause, clause);
            assert_eq!(blamed.hint.as_deref(), Some(hint));
            assert!(
                !Constraint::parse(hint)
                    .expect(hint)
                    .admits(&version(chosen))
            );
        }
        for (range, clause, hint) in [
            (">=1.0.0 <2.0.0-0", "<2.0.0-0", ">=1.0.0 <2.0.0"),
            ("1.0.0 - 2.0.0-0", "2.0.0-0", "1.0.0 - 2.0.0"),
            (">=1.0.0-rc.1", ">=1.0.0-rc.1", ">=1.0.0"),
        ] {
            let blamed = opens(range, &version("1.5.0-rc.1")).expect(range);
            assert_eq!(
                (blamed.clause.as_str(), blamed.hint.as_deref()),
                (clause, Some(hint))
            );
        }
        assert_eq!(opens(">=1.0.0-0 <2.0.0-0", &version("1.5.0-rc.1")), None);
        assert_eq!(with_blanks("1.0.0-2.0.0").as_deref(), Some("1.0.0 - 2.0.0"));
        assert_eq!(with_blanks(">=1.0.0-2.0.0"), None);
        assert_eq!(
            without_prereleases("1.0.0-0 - 2.0.0-0 || 3.x").as_deref(),
            Some("1.0.0 - 2.0.0 || 3.x")
        );
    }
}
