//! A review text: the body of a pull request.

use std::fmt::Write as _;

use super::policy_change::{PolicyChange, VersionStep};
use crate::finding::{Finding, Severity, word};
use crate::foreign::shown;
use crate::plan::planned::Planned;
use crate::selection::tags::ImageLabels;

/// Files of one policy that are named.
const FILES: usize = 10;

/// The whole text, of at most `most` bytes: what does not fit is counted.
#[must_use]
pub fn body(planned: &Planned, most: usize) -> String {
    let policies = PolicyChange::all(planned);
    let findings = planned.outcome.findings.iter();
    let told = findings.filter(|finding| finding.severity >= Severity::Warning);
    let told: Vec<String> = told.map(finding).collect();
    let mut out = String::new();
    if policies.is_empty() {
        let has_error = planned.outcome.worst() == Some(Severity::Error);
        out.push_str(match has_error {
            true => "No image changes: not everything could be judged.\n",
            false => "No image changes.\n",
        });
        if !has_error {
            return out;
        }
    } else {
        out.push_str("| Policy | Image | Old → new | Step | Files |\n");
        out.push_str("| --- | --- | --- | --- | --- |\n");
        let rows = policies.iter().map(|policy| row(policy, planned));
        // What is wrong is to be seen, too.
        let left = add(&mut out, rows, most.saturating_mul(3) / 4);
        if left > 0 {
            _ = writeln!(out, "| and {left} more | | | | |");
        }
    }
    if !told.is_empty() {
        out.push('\n');
        let left = add(&mut out, told.into_iter(), most);
        if left > 0 {
            _ = writeln!(out, "- and {left} more");
        }
    }
    out
}

/// Adds lines as far as they fit; how many do not.
pub(super) fn add(out: &mut String, lines: impl Iterator<Item = String>, most: usize) -> usize {
    /// For what is said of the rest.
    const REST: usize = 60;
    let mut left = 0;
    for line in lines {
        if left > 0 || out.len() + line.len() + REST > most {
            left += 1;
        } else {
            out.push_str(&line);
        }
    }
    left
}

/// One line of the table.
fn row(policy: &PolicyChange, planned: &Planned) -> String {
    let name = policy.new.name.as_deref().unwrap_or_default();
    let named = policy.files.iter().take(FILES);
    let mut files: Vec<String> = named.map(|file| code(file)).collect();
    if let Some(more) = policy
        .files
        .len()
        .checked_sub(FILES)
        .filter(|more| *more > 0)
    {
        files.push(format!("and {more} more"));
    }
    format!(
        "| {} | {} | {} → {} | {} | {} |\n",
        match &policy.cluster {
            Some(cluster) => format!("{} ({})", code(&policy.id()), code(cluster)),
            None => code(&policy.id()),
        },
        linked(name, planned.labels.get(&policy.key)),
        code(&policy.old_shown()),
        code(&policy.new.to_string()),
        step(policy.step),
        files.join("<br>"),
    )
}

/// One line for a finding.
fn finding(finding: &Finding) -> String {
    let word = word(finding.severity);
    let place = finding.location.to_string();
    let at = match place.as_str() {
        "<stdin>" => String::new(),
        place => format!(" ({})", code(place)),
    };
    format!("- **{word}**: {}{at}\n", in_backquotes(&finding.message))
}

fn step(step: VersionStep) -> String {
    match step {
        VersionStep::Downgrade | VersionStep::Major => format!("**{}**", word(step)),
        _ => word(step),
    }
}

/// An image's name, and where its sources are if it says so.
fn linked(name: &str, labels: Option<&ImageLabels>) -> String {
    let source = labels.and_then(|labels| labels.source.as_deref());
    let Some(source) = source.filter(|source| is_web(source)) else {
        return code(name);
    };
    let version = labels.and_then(|labels| labels.version.as_deref());
    let repository = source.trim_end_matches(".git").trim_end_matches('/');
    let shown = format!("[{}]({source})", code(name));
    match version.filter(|_| repository.starts_with("https://github.com/")) {
        Some(version) if is_version(version) => {
            format!("{shown} ([{version}]({repository}/releases))")
        }
        _ => shown,
    }
}

/// A link that a page may hold: nothing in it ends the link or the cell.
fn is_web(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() < 500
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._~/?#@!$&+,;=%:".contains(c))
    })
}

fn is_version(text: &str) -> bool {
    text.len() < 80
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._+".contains(c))
}

/// Text as code in a cell of a table.
pub(super) fn code(text: &str) -> String {
    in_backquotes(&text.replace('|', "\\|"))
}

/// Text as code. There alone neither GitHub nor GitLab makes anything of `@name`,
/// `#1`, a commit's hash, an address or HTML: a backslash before them is gone by
/// the time that they look.
pub(super) fn in_backquotes(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // A blank line would end the code.
    let one_line = text.replace(['\n', '\r', '\t'], " ");
    let text = shown(&one_line);
    // More backquotes around than any run inside.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{text}`");
    }
    let marks = "`".repeat(longest + 1);
    format!("{marks} {text} {marks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_cell() {
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(code("a\u{202e}b"), "`a\\u{202e}b`");
    }

    #[test]
    fn nobody_is_called_and_nothing_is_linked() {
        for (text, expected) in [
            ("<script>@all [x](y)", "`<script>@all [x](y)`"),
            ("fixes #1, GH-2, a/b#3, !4", "`fixes #1, GH-2, a/b#3, !4`"),
            ("`a` is ``b``|c", "``` `a` is ``b``|c ```"),
            ("a\n\n/close", "`a  /close`"),
            ("##[error]x", "`#\\u{23}[error]x`"),
        ] {
            assert_eq!(in_backquotes(text), expected);
        }
    }

    #[test]
    fn only_links_to_the_web_are_links() {
        let labels = |source: &str| ImageLabels {
            source: Some(source.to_owned()),
            version: Some("1.2.3".to_owned()),
        };
        assert_eq!(
            linked("a/b", Some(&labels("https://github.com/acme/app.git"))),
            "[`a/b`](https://github.com/acme/app.git) ([1.2.3](https://github.com/acme/app/releases))"
        );
        for source in [
            "javascript:alert(1)",
            "https://x) [y](z",
            "https://x y",
            "file:///etc",
        ] {
            assert_eq!(linked("a/b", Some(&labels(source))), "`a/b`", "{source}");
        }
    }
}
