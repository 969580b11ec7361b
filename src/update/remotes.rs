//! The remotes of a checkout, as its git configuration names them.
//!
//! An ImageUpdateAutomation is for one repository; in a checkout of another it
//! has no say. The configuration of the user and of the machine is not read:
//! what they rewrite, the checkout does not know.

use std::path::Path;

use super::address::Address;
use super::git;

/// Addresses of the remotes of the work tree at `root`. Empty where there are
/// none, or none can be read.
#[must_use]
pub fn of(root: &Path) -> Vec<Address> {
    let urls = urls(&git::config(root));
    urls.iter().map(|url| Address::parse(url)).collect()
}

/// `url` and `pushurl` of the `[remote "…"]` sections, each as it stands and as
/// `url.<base>.insteadOf` rewrites it.
fn urls(config: &str) -> Vec<String> {
    let entries = entries(config);
    let in_section = |name: &'static str| {
        let entries = entries.iter();
        entries.filter(move |entry| entry.section.eq_ignore_ascii_case(name))
    };
    let mut all = Vec::new();
    for entry in in_section("remote") {
        if !matches!(entry.key.as_str(), "url" | "pushurl") {
            continue;
        }
        let rewrites = in_section("url").filter(|rewrite| {
            matches!(rewrite.key.as_str(), "insteadof" | "pushinsteadof")
                && entry.value.starts_with(&rewrite.value)
        });
        // The longest counts.
        if let Some(rewrite) = rewrites.max_by_key(|rewrite| rewrite.value.len()) {
            let rest = &entry.value[rewrite.value.len()..];
            all.push(format!("{}{rest}", rewrite.subsection));
        }
        all.push(entry.value.clone());
    }
    all
}

/// A line of a configuration.
struct Entry {
    section: String,
    subsection: String,
    /// In lower case.
    key: String,
    value: String,
}

/// What a configuration says (git-config(1), "Syntax").
fn entries(config: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut section, mut subsection) = (String::new(), String::new());
    // A value goes on behind a backslash at the end of its line.
    let config = config.replace("\\\r\n", "").replace("\\\n", "");
    for line in config.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let Some((name, rest)) = header.split_once(']') else {
                continue;
            };
            let (name, sub) = name.split_once([' ', '\t']).unwrap_or((name, ""));
            name.clone_into(&mut section);
            subsection = sub.trim().trim_matches('"').to_owned();
            line = rest.trim_start();
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if line.starts_with(['#', ';']) {
            continue;
        }
        entries.push(Entry {
            section: section.clone(),
            subsection: subsection.clone(),
            key: key.trim().to_ascii_lowercase(),
            value: unquoted(value),
        });
    }
    entries
}

/// A value without quotes, escapes and the comment behind it.
fn unquoted(value: &str) -> String {
    let mut text = String::new();
    let mut is_quoted = false;
    let mut characters = value.trim().chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' => text.extend(characters.next()),
            '#' | ';' if !is_quoted => break,
            c => text.push(c),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_remotes_are_read() {
        let config = "[core]\n\turl = a\n[remote \"origin\"]\n\tfetch = x\n\turl = git@h:b\n\tpushurl=\"h:c\"\n[branch \"m\"]\n url = d\n";
        assert_eq!(urls(config), ["git@h:b", "h:c"]);
    }

    #[test]
    fn values_as_git_reads_them() {
        let config = "[Remote \"a\"] URL = h:a # mine\n[remote \"b\"]\n  url = \"h:b#x\" ; no\n  # url = h:c\n  url = h:\\\nd\n";
        assert_eq!(urls(config), ["h:a", "h:b#x", "h:d"]);
    }

    #[test]
    fn rewritten_addresses() {
        let config = "[url \"git@github.com:\"]\n  insteadOf = gh:\n[url \"https://git.example/\"]\n  insteadOf = gh:acme/\n[remote \"origin\"]\n  url = gh:acme/fleet\n[remote \"up\"]\n  url = gh:up/fleet\n";
        assert_eq!(
            urls(config),
            [
                "https://git.example/fleet",
                "gh:acme/fleet",
                "git@github.com:up/fleet",
                "gh:up/fleet"
            ]
        );
    }
}
