//! The remotes of a checkout, as its git configuration names them.
//!
//! An ImageUpdateAutomation is for one repository; in a checkout of another it
//! has no say. Only the address counts: `git@host:team/repo`,
//! `ssh://git@host/team/repo.git` and `https://host/team/repo` are one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Addresses of the remotes of the work tree at `root`, canonical. Empty where
/// there are none, or none can be read.
#[must_use]
pub fn of(root: &Path) -> BTreeSet<String> {
    let Some(folder) = git_folder(root) else {
        return BTreeSet::new();
    };
    let config = fs::read_to_string(folder.join("config")).unwrap_or_default();
    urls(&config).map(|url| canonical(&url)).collect()
}

/// Where the configuration is: `.git`, or for a linked work tree or a
/// submodule what `.git` and `commondir` point to (gitrepository-layout).
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    let folder = root.join(text.strip_prefix("gitdir:")?.trim());
    match fs::read_to_string(folder.join("commondir")) {
        Ok(common) => Some(folder.join(common.trim())),
        Err(_) => Some(folder),
    }
}

/// `url` and `pushurl` of the `[remote "…"]` sections.
fn urls(config: &str) -> impl Iterator<Item = String> {
    let mut in_remote = false;
    config.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with('[') {
            in_remote = line.to_ascii_lowercase().starts_with("[remote ");
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let key = key.trim().to_ascii_lowercase();
        let is_url = in_remote && matches!(key.as_str(), "url" | "pushurl");
        is_url.then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Host and path of a repository's address, without scheme, user, port,
/// `.git` and slashes at the end; the host in lower case.
#[must_use]
pub fn canonical(url: &str) -> String {
    let (rest, is_url) = match url.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (url, false),
    };
    // `host:path` has no slash before its colon; anything else without a scheme
    // is a path on this machine.
    let (host, path) = match (is_url, rest.split_once(':'), rest.split_once('/')) {
        (true, _, Some((host, path))) => (host, path),
        (false, Some((host, path)), _) if !host.contains('/') => (host, path),
        _ => ("", rest),
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = match (is_url, host.rsplit_once(':')) {
        (true, Some((name, port))) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{}/{path}", host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_has_many_addresses() {
        for url in [
            "https://git.example/Team/repo",
            "https://git.example/Team/repo.git/",
            "https://bot:secret@GIT.example:8443/Team/repo.git",
            "ssh://git@git.example:22/Team/repo",
            "git@git.example:Team/repo.git",
            "git.example:/Team/repo",
        ] {
            assert_eq!(canonical(url), "git.example/Team/repo", "{url}");
        }
        assert_ne!(
            canonical("git@git.example:team/repo"),
            "git.example/Team/repo"
        );
    }

    #[test]
    fn only_remotes_are_read() {
        let config = "[core]\n\turl = a\n[remote \"origin\"]\n\tfetch = x\n\turl = git@h:b\n\tpushurl=\"h:c\"\n[branch \"m\"]\n url = d\n";
        assert_eq!(urls(config).collect::<Vec<_>>(), ["git@h:b", "h:c"]);
    }
}
