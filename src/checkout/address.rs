//! Addresses of git repositories, and when two of them are of one.
//!
//! `git@host:team/repo`, `ssh://git@host/team/repo.git` and
//! `https://host/team/repo` are one repository. What the large hosts say of
//! their own addresses counts: further names for ssh through firewalls, Azure
//! DevOps' three forms, and paths whose letter case does not matter.
//!
//! Ports tell two servers on one host apart, but only where both addresses are
//! of one scheme: one server has its ssh and its web pages on different ports.

use std::fmt;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Ssh,
    /// A path on this machine, or what git reads in no other way.
    Other,
}

impl Scheme {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "ssh" | "git+ssh" | "ssh+git" => Self::Ssh,
            _ => Self::Other,
        }
    }

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Ssh => Some(22),
            Self::Other => None,
        }
    }

    fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

/// The address of a repository, without user, `.git` and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    /// In lower case; empty for a path on this machine.
    host: String,
    /// Where it is not the scheme's own.
    port: Option<u16>,
    path: String,
}

/// Words by which a host says that it runs software whose paths ignore case.
const IGNORE_CASE: &[&str] = &[
    "github",
    "gitlab",
    "bitbucket",
    "gitea",
    "forgejo",
    "codeberg",
];

impl Address {
    /// Reads an address as git does.
    #[must_use]
    pub fn parse(url: &str) -> Self {
        let url = url.trim();
        let (scheme, authority, path) = split(url);
        // A query may hold a token.
        let path = match scheme.is_web() {
            true => path.split(['?', '#']).next().unwrap_or(path),
            false => path,
        };
        let (host, port) = host_and_port(authority);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        Self {
            scheme,
            host,
            port: port.filter(|port| Some(*port) != scheme.default_port()),
            path: clean(path),
        }
        .by_host()
    }

    /// Whether both are of one repository.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let ports = self.scheme != other.scheme || self.port == other.port;
        self.host == other.host && ports && self.has_path_of(other)
    }

    fn has_path_of(&self, other: &Self) -> bool {
        let is_equal = if self.ignores_case() {
            self.path.to_lowercase() == other.path.to_lowercase()
        } else {
            self.path == other.path
        };
        is_equal || self.is_scm_of(other) || other.is_scm_of(self)
    }

    /// Bitbucket's own servers put `scm/` before the path, but only in web
    /// addresses.
    fn is_scm_of(&self, other: &Self) -> bool {
        let bare = self.path.strip_prefix("scm/");
        self.scheme.is_web()
            && other.scheme == Scheme::Ssh
            && bare.is_some_and(|bare| bare.to_lowercase() == other.path.to_lowercase())
    }

    fn ignores_case(&self) -> bool {
        let first = self.host.split('.').next().unwrap_or_default();
        IGNORE_CASE.contains(&first) || self.host == AZURE || self.host.ends_with(".ghe.com")
    }

    /// The one address that a host has several names or forms for.
    fn by_host(mut self) -> Self {
        let one = match self.host.as_str() {
            "www.github.com" | "ssh.github.com" => "github.com",
            "altssh.gitlab.com" => "gitlab.com",
            "altssh.bitbucket.org" | "www.bitbucket.org" => "bitbucket.org",
            _ => return self.of_azure(),
        };
        // ssh on 443 there is that of 22 here.
        if self.scheme == Scheme::Ssh {
            self.port = None;
        }
        one.clone_into(&mut self.host);
        self
    }

    /// `O/P/_git/R` of Azure DevOps, from what it is written as.
    fn of_azure(mut self) -> Self {
        let parts: Vec<&str> = self.path.split('/').collect();
        let organization = match self.host.as_str() {
            "ssh.dev.azure.com" | "vs-ssh.visualstudio.com" => match parts.as_slice() {
                [version, organization, project, repository] if is_version(version) => {
                    self.path = format!("{organization}/{project}/_git/{repository}");
                    return self.at_azure();
                }
                _ => return self,
            },
            AZURE => None,
            host => match host.strip_suffix(".visualstudio.com") {
                Some(organization) => Some(organization),
                None => return self,
            },
        };
        let mut parts: Vec<&str> = organization.into_iter().chain(parts).collect();
        if parts
            .get(1)
            .is_some_and(|part| part.eq_ignore_ascii_case("DefaultCollection"))
        {
            parts.remove(1);
        }
        // `_full` and `_optimized` say only how much is sent.
        parts.retain(|part| !matches!(*part, "_full" | "_optimized"));
        self.path = match parts.as_slice() {
            // The repository that has its project's name.
            [organization, "_git" | "_ssh", repository] => {
                format!("{organization}/{repository}/_git/{repository}")
            }
            [organization, project, "_git" | "_ssh", repository] => {
                format!("{organization}/{project}/_git/{repository}")
            }
            _ => parts.join("/"),
        };
        self.at_azure()
    }

    fn at_azure(self) -> Self {
        Self {
            host: AZURE.to_owned(),
            port: None,
            ..self
        }
    }
}

const AZURE: &str = "dev.azure.com";

/// `v3` of Azure's ssh addresses.
fn is_version(part: &str) -> bool {
    let digits = part.strip_prefix(['v', 'V']);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Scheme, `user@host:port`, path.
fn split(url: &str) -> (Scheme, &str, &str) {
    if let Some((scheme, rest)) = url.split_once("://") {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        return (Scheme::parse(scheme), authority, path);
    }
    // `host:path` has no slash before its colon, and an address in brackets may
    // hold colons of its own; anything else without a scheme is a path on this
    // machine.
    let behind = url
        .find('[')
        .and_then(|open| Some((open, url[open..].find("]:")?)));
    let colon = match behind {
        Some((open, length)) if !url[..open].contains(['/', ':']) => Some(open + length + 1),
        _ => url.find(':'),
    };
    match colon {
        Some(colon) if !url[..colon].contains('/') => {
            let host = &url[..colon];
            let is_whole = host.starts_with('[') && host.contains('@');
            let host = if is_whole {
                host.trim_matches(['[', ']'])
            } else {
                host
            };
            (Scheme::Ssh, host, &url[colon + 1..])
        }
        _ => (Scheme::Other, "", url),
    }
}

/// The host without its user, and its port.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if let Some((name, port)) = host.rsplit_once(':')
        && (!name.contains(':') || name.ends_with(']'))
    {
        return match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) if port.is_empty() => (name, None),
            Err(_) => (host, None),
        };
    }
    (host, None)
}

/// A path without empty parts, `.git` and `%20`.
fn clean(path: &str) -> String {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let path = parts.join("/");
    path.strip_suffix(".git").unwrap_or(&path).to_owned()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(addresses: &[&str]) {
        for a in addresses {
            for b in addresses {
                let (a, b) = (Address::parse(a), Address::parse(b));
                assert!(a.is_same(&b), "{a:?} {b:?}");
            }
        }
    }

    fn two(a: &str, b: &str) {
        let (a, b) = (Address::parse(a), Address::parse(b));
        assert!(!a.is_same(&b) && !b.is_same(&a), "{a:?} {b:?}");
    }

    #[test]
    fn one_repository_has_many_addresses() {
        one(&[
            "https://git.example/Team/repo",
            "https://git.example/Team/repo.git/",
            "https://bot:secret@GIT.example:443/Team/repo.git",
            "http://git.example:80//Team/repo",
            "ssh://git@git.example:22/Team/repo",
            "git@git.example:Team/repo.git",
            "git.example:/Team/repo",
            "git+ssh://git@git.example./Team/repo",
            "[git@git.example:22]:Team/repo",
        ]);
        one(&[
            "git@[::1]:a/b",
            "ssh://git@[::1]:22/a/b",
            "ssh://[::1]/a/b.git",
        ]);
        one(&["/srv/git/fleet.git", "file:///srv/git/fleet"]);
        two("git@git.example:team/repo", "https://git.example/Team/repo");
        two("git@git.example:team/repo", "git@git.example:team/repos");
        two("git@git.example:team/repo", "git@git.example.com:team/repo");
        two("ssh://[::1]/a/b", "ssh://[::2]/a/b");
    }

    /// <https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port>,
    /// <https://about.gitlab.com/blog/gitlab-dot-com-now-supports-an-alternate-git-plus-ssh-port/>,
    /// <https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/>
    #[test]
    fn hosts_have_further_names() {
        one(&[
            "ssh://git@ssh.github.com:443/Acme/Fleet.git",
            "git@github.com:acme/fleet",
            "https://www.github.com/acme/FLEET",
            "git@ssh.github.com:acme/fleet.git",
        ]);
        one(&[
            "ssh://git@altssh.gitlab.com:443/acme/team/fleet.git",
            "https://gitlab.com/Acme/team/fleet.git",
        ]);
        one(&[
            "ssh://git@altssh.bitbucket.org:443/acme/fleet.git",
            "https://bot@bitbucket.org/Acme/fleet.git",
        ]);
        one(&[
            "https://gitlab.acme.example/A/b",
            "git@gitlab.acme.example:a/B.git",
        ]);
        two(
            "https://gitlab.com/acme/fleet",
            "https://github.com/acme/fleet",
        );
        two(
            "https://notgithub.com/Acme/fleet",
            "https://notgithub.com/acme/fleet",
        );
    }

    /// <https://learn.microsoft.com/en-us/azure/devops/repos/git/use-ssh-keys-to-authenticate>
    #[test]
    fn azure_has_three_forms() {
        one(&[
            "https://dev.azure.com/Acme/My%20Project/_git/fleet",
            "https://acme@dev.azure.com/acme/My%20Project/_git/Fleet",
            "git@ssh.dev.azure.com:v3/acme/My%20Project/fleet",
            "ssh://git@ssh.dev.azure.com/v3/acme/My%20Project/fleet",
            "ssh://git@ssh.dev.azure.com:22/v3/acme/My Project/fleet",
            "https://acme.visualstudio.com/My%20Project/_git/fleet",
            "https://acme.visualstudio.com/DefaultCollection/My%20Project/_git/fleet",
            "acme@vs-ssh.visualstudio.com:v3/acme/My%20Project/fleet",
            "https://dev.azure.com/acme/My%20Project/_git/_full/fleet",
        ]);
        one(&[
            "https://dev.azure.com/acme/_git/fleet",
            "https://acme.visualstudio.com/_git/fleet",
            "git@ssh.dev.azure.com:v3/acme/fleet/fleet",
        ]);
        let fleet = "https://dev.azure.com/acme/apps/_git/fleet";
        two(fleet, "https://dev.azure.com/acme/apps/_git/other");
        two(fleet, "https://dev.azure.com/acme/infra/_git/fleet");
        two(fleet, "https://umbrella.visualstudio.com/apps/_git/fleet");
        two(fleet, "git@ssh.dev.azure.com:v3/umbrella/apps/fleet");
    }

    /// Two servers on one host, and one server's two schemes.
    #[test]
    fn ports() {
        two("https://git.example:8443/a/b", "https://git.example/a/b");
        two(
            "https://git.example:8443/a/b",
            "https://git.example:9443/a/b",
        );
        two("ssh://git@git.example:7999/a/b", "git@git.example:a/b");
        two(
            "ssh://git@git.example:7999/a/b",
            "ssh://git.example:2222/a/b",
        );
        one(&[
            "ssh://git@git.example:7999/a/b",
            "https://git.example:8443/a/b",
        ]);
        one(&["ssh://git@git.example:2222/a/b", "https://git.example/a/b"]);
        one(&["http://git.example:3000/a/b", "https://git.example/a/b"]);
        // Bitbucket's own server.
        one(&[
            "ssh://git@code.example:7999/team/fleet.git",
            "https://code.example:8443/scm/TEAM/fleet.git",
        ]);
        two("https://code.example/scm/a/b", "https://code.example/a/b");
    }

    #[test]
    fn no_secret_is_shown() {
        for (url, shown) in [
            (
                "https://bot:s3cret@git.example:8443/a/b.git",
                "git.example:8443/a/b",
            ),
            (
                "git@ssh.dev.azure.com:v3/acme/apps/fleet",
                "dev.azure.com/acme/apps/_git/fleet",
            ),
            (
                "https://git.example/a/b.git?token=s3cret",
                "git.example/a/b",
            ),
            ("/srv/git/fleet.git", "/srv/git/fleet"),
        ] {
            assert_eq!(Address::parse(url).to_string(), shown);
        }
    }
}
