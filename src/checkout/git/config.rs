//! A repository's configuration (git-config(1)), with the files that it includes.
//!
//! `includeIf` is left out: its conditions are for the configuration of a user.

use std::env;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

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
    /// Without quotes and escapes; `true` where only the key stands there.
    pub value: String,
}

impl GitSetting {
    /// Whether it has this section, without a subsection, and this key.
    #[must_use]
    pub fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.subsection.is_empty() && self.key == key
    }

    /// Whether it is a yes.
    #[must_use]
    pub fn is_true(&self) -> bool {
        let value = self.value.to_ascii_lowercase();
        matches!(value.as_str(), "true" | "yes" | "on" | "1")
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

/// What a text says (git-config(1), "Syntax"). Of a line that is none, nothing.
fn parse(text: &str) -> Vec<GitSetting> {
    let mut settings = Vec::new();
    let (mut section, mut subsection) = (String::new(), String::new());
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut text = text.chars().peekable();
    while let Some(first) = text.next() {
        match first {
            '[' => match header(&mut text) {
                Some(names) => (section, subsection) = names,
                None => skip_line(&mut text),
            },
            first if first.is_ascii_alphabetic() => {
                let is_of_key = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
                let mut key = String::from(first.to_ascii_lowercase());
                while let Some(c) = text.next_if(is_of_key) {
                    key.push(c.to_ascii_lowercase());
                }
                while text.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
                let value = match text.next_if_eq(&'=') {
                    Some(_) => value(&mut text),
                    None => {
                        skip_line(&mut text);
                        "true".to_owned()
                    }
                };
                settings.push(GitSetting {
                    section: section.clone(),
                    subsection: subsection.clone(),
                    key,
                    value,
                });
            }
            first if first.is_whitespace() => {}
            _ => skip_line(&mut text),
        }
    }
    settings
}

type Text<'t> = Peekable<Chars<'t>>;

fn skip_line(text: &mut Text<'_>) {
    while text.next_if(|c| *c != '\n').is_some() {}
}

/// Section and subsection, behind the bracket.
fn header(text: &mut Text<'_>) -> Option<(String, String)> {
    let mut section = String::new();
    loop {
        match text.next_if(|c| *c != '\n')? {
            ']' => {
                // The old form of a subsection, in lower case.
                let (section, subsection) = section.split_once('.').unwrap_or((&section, ""));
                return Some((section.to_owned(), subsection.to_owned()));
            }
            ' ' | '\t' => {}
            '"' => break,
            c => section.push(c.to_ascii_lowercase()),
        }
    }
    let mut subsection = String::new();
    loop {
        match text.next_if(|c| *c != '\n')? {
            '"' => break,
            '\\' => subsection.push(text.next_if(|c| *c != '\n')?),
            c => subsection.push(c),
        }
    }
    text.next_if_eq(&']').map(|_| (section, subsection))
}

/// A value to the end of its line, without quotes, escapes and the comment behind
/// it. It goes on in the next line behind a backslash.
fn value(text: &mut Text<'_>) -> String {
    let mut value = String::new();
    // How much of it stays, whatever blanks come last.
    let mut end = 0;
    let mut is_quoted = false;
    while let Some(c) = text.next_if(|c| *c != '\n') {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                end = value.len();
                continue;
            }
            '#' | ';' if !is_quoted => {
                skip_line(text);
                break;
            }
            '\\' => match text.next() {
                Some('\n') | None => continue,
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('b') => value.push('\u{8}'),
                Some(c) => value.push(c),
            },
            c if c.is_whitespace() && !is_quoted => {
                if !value.is_empty() {
                    value.push(c);
                }
                continue;
            }
            c => value.push(c),
        }
        end = value.len();
    }
    value.truncate(end);
    value
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

    /// Each is what `git config --list -z` makes of it.
    #[test]
    fn odd_spellings() {
        let one = |text: &str| {
            let all = parse(text);
            let all = all.iter();
            all.map(|one| {
                let [section, sub] = [&one.section, &one.subsection];
                format!("{section}|{sub}|{}={}", one.key, one.value)
            })
            .collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("[a]\n# old: \\\nb = 1\n", &["a||b=1"][..]),
            ("[a]\nb = 1 ; \\\nc = 2\n", &["a||b=1", "a||c=2"]),
            ("\u{feff}[a]\r\nb=1\r\n", &["a||b=1"]),
            (r#"[a "x]y\"z\\"] B = 1"#, &[r#"a|x]y"z\|b=1"#]),
            ("[A.Sub]\nb=1", &["a|sub|b=1"]),
            (r#"[a]b=x\ty\\z\"q\""#, &["a||b=x\ty\\z\"q\""]),
            ("[a]\nb = \" x \"  y  # z\n", &["a||b= x   y"]),
            ("[a]\nb = x\\\n  y\nc\n", &["a||b=x  y", "a||c=true"]),
            (
                "[a]\nb = \"#;\"#;\n= 3\n[broken\nc = 1",
                &["a||b=#;", "a||c=1"],
            ),
        ] {
            assert_eq!(one(text), expected, "{text:?}");
        }
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
