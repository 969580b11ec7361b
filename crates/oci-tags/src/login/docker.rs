//! Docker's own config file, and `auth.json` of podman and skopeo: what a
//! person has logged in to.
//!
//! Unlike a pull secret's, its keys are names, not patterns: the longest part
//! of the image's name that is a key is taken.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{BadAuth, BadConfig, Entry};
use super::secret::Credential;
use crate::image::Repository;

/// The name under which Docker Hub's login is kept.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A file that was read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

/// What the file says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// This credential.
    Credential(Credential),
    /// A helper knows; what the file itself holds counts where it does not.
    Helper {
        /// `NAME` of `docker-credential-NAME`.
        name: String,
        /// What it is asked for.
        server: String,
    },
}

impl DockerConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// A text that is no such file.
    pub fn parse(json: &str) -> Result<Self, BadConfig> {
        Ok(serde_json::from_str(json)?)
    }

    /// Who knows the credential for an image.
    ///
    /// # Errors
    /// Where the entry for it cannot be read.
    pub fn find(&self, image: &Repository) -> Result<Answer, BadAuth> {
        let names = names(image);
        let host = names.last().map_or("", String::as_str);
        let server = if host == "docker.io" {
            DOCKER_HUB
        } else {
            host
        };
        let own = self
            .cred_helpers
            .iter()
            .find(|(key, _)| name_of(key) == host);
        let store = (!self.creds_store.is_empty()).then_some(&self.creds_store);
        if let Some(name) = own.map(|(_, name)| name).or(store) {
            return Ok(Answer::Helper {
                name: name.clone(),
                server: server.to_owned(),
            });
        }
        self.entry(image)
    }

    /// What the file itself holds for an image.
    ///
    /// # Errors
    /// Where the entry for it cannot be read.
    pub fn entry(&self, image: &Repository) -> Result<Answer, BadAuth> {
        for name in names(image) {
            let found = self.auths.iter().filter(|(key, _)| name_of(key) == name);
            for (_, entry) in found {
                if let Some(credential) = entry.credential()? {
                    return Ok(Answer::Credential(credential));
                }
            }
        }
        Ok(Answer::Nothing)
    }
}

/// A key as a name: without scheme and API version, Docker Hub by one name.
fn name_of(key: &str) -> String {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key)
        .trim_end_matches('/');
    let rest = rest
        .strip_suffix("/v1")
        .or_else(|| rest.strip_suffix("/v2"))
        .unwrap_or(rest);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{}{path}", hub(host))
}

fn hub(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

/// The names that stand for an image, the longest first, its host last.
fn names(image: &Repository) -> Vec<String> {
    let mut name = format!("{}/{}", hub(image.host()), image.path());
    let mut names = Vec::new();
    while let Some(slash) = name.rfind('/') {
        names.push(name.clone());
        name.truncate(slash);
    }
    names.push(name);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, image: &str) -> Result<Answer, BadAuth> {
        let image = Repository::parse(image).expect(image);
        DockerConfig::parse(json).expect(json).find(&image)
    }

    fn user(answer: Result<Answer, BadAuth>) -> Option<String> {
        match answer {
            Ok(Answer::Credential(Credential::Basic { username, .. })) => Some(username),
            _ => None,
        }
    }

    #[test]
    fn names_and_not_patterns() {
        for (key, image, is_match) in [
            ("https://index.docker.io/v1/", "alpine", true),
            ("docker.io", "alpine", true),
            ("index.docker.io", "docker.io/acme/app", true),
            ("registry-1.docker.io", "alpine", true),
            ("ghcr.io", "ghcr.io/acme/app", true),
            ("https://ghcr.io/v2/", "ghcr.io/acme/app", true),
            ("ghcr.io/acme", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/app", "ghcr.io/acme/app", true),
            ("ghcr.io/ac", "ghcr.io/acme/app", false),
            ("*.io", "ghcr.io/acme/app", false),
            ("ghcr.io", "ghcr.io.evil.example/acme/app", false),
            ("r.example:5000", "r.example:5000/app", true),
            ("r.example:5000", "r.example/app", false),
        ] {
            let json = format!(r#"{{"auths":{{"{key}":{{"username":"u","password":"p"}}}}}}"#);
            assert_eq!(
                user(find(&json, image)).is_some(),
                is_match,
                "{key} for {image}"
            );
        }
        let both = r#"{"auths":{"ghcr.io":{"username":"host","password":"p"},"ghcr.io/acme":{"username":"team","password":"p"}}}"#;
        assert_eq!(
            user(find(both, "ghcr.io/acme/app")).as_deref(),
            Some("team")
        );
        assert_eq!(
            user(find(both, "ghcr.io/other/app")).as_deref(),
            Some("host")
        );
    }

    #[test]
    fn helpers() {
        let helper = |name: &str, server: &str| {
            Ok(Answer::Helper {
                name: name.to_owned(),
                server: server.to_owned(),
            })
        };
        let json = r#"{"credsStore":"desktop","credHelpers":{"ghcr.io":"gh","https://index.docker.io/v1/":"hub"}}"#;
        assert_eq!(find(json, "ghcr.io/acme/app"), helper("gh", "ghcr.io"));
        assert_eq!(find(json, "alpine"), helper("hub", DOCKER_HUB));
        assert_eq!(find(json, "quay.io/acme/app"), helper("desktop", "quay.io"));
        let json = r#"{"auths":{"ghcr.io":{}},"HttpHeaders":{"X":"y"}}"#;
        assert_eq!(find(json, "ghcr.io/acme/app"), Ok(Answer::Nothing));
    }
}
