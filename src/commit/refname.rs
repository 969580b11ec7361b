//! Which names git takes for a branch: the rules of `git check-ref-format
//! --branch`, and that no character in them acts instead of being seen.

use crate::foreign::{is_hidden, shown};

/// Why git would refuse a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} `{}`: {why}", if *.is_hidden { "no branch is pushed to" } else { "git takes no branch" }, shown(name))]
pub struct BadBranch {
    name: String,
    why: String,
    /// git would take it.
    is_hidden: bool,
}

/// Checks the name of a branch.
///
/// # Errors
/// The rule that it breaks.
pub fn check(name: &str) -> Result<(), BadBranch> {
    match fault(name) {
        // Who reviews it would see another name than git.
        None => match name.chars().find(|c| is_hidden(*c)) {
            None => Ok(()),
            Some(c) => Err(BadBranch {
                name: name.to_owned(),
                why: format!("it contains `{}`, which is invisible", c.escape_unicode()),
                is_hidden: true,
            }),
        },
        Some(why) => Err(BadBranch {
            name: name.to_owned(),
            why,
            is_hidden: false,
        }),
    }
}

fn fault(name: &str) -> Option<String> {
    let has = |part: &str| name.contains(part).then(|| format!("it contains `{part}`"));
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name == "@" || name == "HEAD" {
        return Some("the name is taken".to_owned());
    }
    if name.starts_with('-') {
        return Some("it begins with `-`".to_owned());
    }
    if name.ends_with('.') {
        return Some("it ends with `.`".to_owned());
    }
    let is_bad = |c: &char| u32::from(*c) < 0x20 || " ~^:?*[\\\x7f".contains(*c);
    if let Some(c) = name.chars().find(is_bad) {
        return Some(format!("it contains `{}`", c.escape_debug()));
    }
    for step in name.split('/') {
        if step.is_empty() {
            return Some("a part between slashes is empty".to_owned());
        }
        if step.starts_with('.') {
            return Some("a part begins with `.`".to_owned());
        }
        if step.ends_with(".lock") {
            return Some("a part ends with `.lock`".to_owned());
        }
    }
    has("..").or_else(|| has("@{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_git_answers() {
        for name in [
            "main",
            "image-updates/2026-w47",
            "a.b",
            "é",
            "a@b",
            "x{y}",
            "a/HEAD",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "@",
            "HEAD",
            "-x",
            "a.",
            "a..b",
            "a b",
            "a~",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a@{b",
            "a\tb",
            "a\x7f",
            "a\u{85}",
            "a\u{9b}31m",
            "a\u{202e}b",
            "a\u{2066}",
            "a\u{200b}",
            "a\u{2028}",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
