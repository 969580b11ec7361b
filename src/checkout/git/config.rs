//! A repository's configuration (git-config(1)), with the files that it includes.
//!
//! `includeIf` is left out: its conditions are for the configuration of a user.

use std::env;
use std::path::{Path, PathBuf};

use crate::checkout::regular_file;

/// Files that include one another go no deeper, as in git.
const MAX_DEPTH: usize = 10;
/// Files that are read in all.
const MAX_FILES: usize = 100;

/// A line of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSetting {
    /// As `remote`, in lower case.
    pub section: String,
    /// As `origin` in `[remote "origin"]`.
    pub subsection: String,
    /// In lower case.
    pub key: String,
    /// Without quotes and escapes.
    pub value: String,
}

impl GitSetting {
    /// Whether it has this section, without a subsection, and this key.
    #[must_use]
    pub fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.subsection.is_empty() && self.key == key
    }
}

/// The settings of a file and of those that it includes, in git's order. A file
/// that cannot be read has none.
#[must_use]
pub fn read(file: &Path) -> Vec<GitSetting> {
    let mut settings = Vec::new();
    let mut left = MAX_FILES;
    add(file, MAX_DEPTH, &mut left, &mut settings);
    settings
}

fn add(file: &Path, depth: usize, left: &mut usize, settings: &mut Vec<GitSetting>) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let Ok(bytes) = regular_file::read_of_git(file) else {
        return;
    };
    for setting in parse(&String::from_utf8_lossy(&bytes)) {
        let included = setting
            .is("include", "path")
            .then(|| named(file, &setting.value));
        settings.push(setting);
        if let (Some(included), 1..) = (included.flatten(), depth) {
            add(&included, depth - 1, left, settings);
        }
    }
}

/// The file that `path` in a configuration file means.
fn named(file: &Path, path: &str) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(path) => Some(PathBuf::from(env::var_os("HOME")?).join(path)),
        // Beside the file, wherever a link to that leads.
        None => Some(file.canonicalize().ok()?.parent()?.join(path)),
    }
}

/// What a text says (git-config(1), "Syntax").
fn parse(text: &str) -> Vec<GitSetting> {
    let mut settings = Vec::new();
    let (mut section, mut subsection) = (String::new(), String::new());
    // A value goes on behind a backslash at the end of its line.
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    for line in text.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let Some((name, rest)) = header.split_once(']') else {
                continue;
            };
            let (name, sub) = name.split_once([' ', '\t']).unwrap_or((name, ""));
            section = name.to_ascii_lowercase();
            subsection = sub.trim().trim_matches('"').to_owned();
            line = rest.trim_start();
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if line.starts_with(['#', ';']) {
            continue;
        }
        settings.push(GitSetting {
            section: section.clone(),
            subsection: subsection.clone(),
            key: key.trim().to_ascii_lowercase(),
            value: unquoted(value),
        });
    }
    settings
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
    use std::fs;

    use super::*;

    fn values(settings: &[GitSetting]) -> Vec<&str> {
        settings.iter().map(|one| one.value.as_str()).collect()
    }

    #[test]
    fn values_as_git_reads_them() {
        let text = "[Remote \"a\"] URL = h:a # mine\n[remote \"b\"]\n  url = \"h:b#x\" ; no\n  # url = h:c\n  url = h:\\\nd\n";
        let settings = parse(text);
        assert_eq!(values(&settings), ["h:a", "h:b#x", "h:d"]);
        assert_eq!(settings[0].section, "remote");
        assert_eq!(settings[0].key, "url");
        assert_eq!(settings[1].subsection, "b");
    }

    #[test]
    fn included_files_count_where_they_are_included() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file");
        };
        write(
            "config",
            "[a]\nb = 1\n[include]\npath = more\npath = gone\n[a]\nb = 4\n",
        );
        write("more", "[a]\nb = 2\n[include]\npath = more\n[a]\nb = 3\n");
        let settings = read(&folder.path().join("config"));
        let numbers: Vec<_> = settings.iter().filter(|one| one.is("a", "b")).collect();
        // `more` includes itself, as deep as files may.
        assert_eq!(numbers.first().expect("some").value, "1");
        assert_eq!(numbers.last().expect("some").value, "4");
        assert_eq!(numbers.len(), 2 + 2 * MAX_DEPTH);
    }

    /// Two files that include each other twice would be read without end.
    #[test]
    fn files_that_include_each_other_come_to_an_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "[include]\npath = a\npath = b\n[x]\ny = 1\n";
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let settings = read(&folder.path().join("a"));
        let read = settings.iter().filter(|one| one.is("x", "y")).count();
        assert_eq!(read, MAX_FILES);
    }
}
