//! The remotes of a checkout, as its git configuration names them.
//!
//! An ImageUpdateAutomation is for one repository; in a checkout of another it
//! has no say. What the configuration of the user and of the machine rewrites, the
//! checkout does not know.

use super::address::Address;
use super::git::config::GitSetting;

/// Addresses of the remotes that a repository's configuration names.
#[must_use]
pub fn of(settings: &[GitSetting]) -> Vec<Address> {
    let urls = urls(settings);
    urls.iter().map(|url| Address::parse(url)).collect()
}

/// `url` and `pushurl` of the `[remote "…"]` sections, each as it stands and as
/// `url.<base>.insteadOf` rewrites it.
fn urls(settings: &[GitSetting]) -> Vec<String> {
    let in_section = |name: &'static str| {
        let settings = settings.iter();
        settings.filter(move |setting| setting.section == name)
    };
    let mut all = Vec::new();
    for remote in in_section("remote") {
        if !matches!(remote.key.as_str(), "url" | "pushurl") {
            continue;
        }
        let rewrites = in_section("url").filter(|rewrite| {
            matches!(rewrite.key.as_str(), "insteadof" | "pushinsteadof")
                && remote.value.starts_with(&rewrite.value)
        });
        // The longest counts.
        if let Some(rewrite) = rewrites.max_by_key(|rewrite| rewrite.value.len()) {
            let rest = &remote.value[rewrite.value.len()..];
            all.push(format!("{}{rest}", rewrite.subsection));
        }
        all.push(remote.value.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(section: &str, subsection: &str, key: &str, value: &str) -> GitSetting {
        GitSetting {
            section: section.to_owned(),
            subsection: subsection.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn only_remotes_are_read() {
        let settings = [
            setting("core", "", "url", "a"),
            setting("remote", "origin", "fetch", "x"),
            setting("remote", "origin", "url", "git@h:b"),
            setting("remote", "origin", "pushurl", "h:c"),
            setting("branch", "m", "url", "d"),
        ];
        assert_eq!(urls(&settings), ["git@h:b", "h:c"]);
    }

    #[test]
    fn rewritten_addresses() {
        let settings = [
            setting("url", "git@github.com:", "insteadof", "gh:"),
            setting("url", "https://git.example/", "insteadof", "gh:acme/"),
            setting("remote", "origin", "url", "gh:acme/fleet"),
            setting("remote", "up", "url", "gh:up/fleet"),
        ];
        assert_eq!(
            urls(&settings),
            [
                "https://git.example/fleet",
                "gh:acme/fleet",
                "git@github.com:up/fleet",
                "gh:up/fleet"
            ]
        );
    }
}
