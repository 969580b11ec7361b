//! Pull secrets, matched as Kubernetes and go-containerregistry match them:
//! host with a wildcard for each label, port, the beginning of the path; the
//! longest key first.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{BadAuth, BadConfig, Entry};
use super::secret::Credential;
use crate::image::Repository;

/// The two ways to write the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.dockerconfigjson`: the entries are under `auths`.
    ConfigJson,
    /// `.dockercfg`: the entries are the file.
    Cfg,
}

/// The entries of pull secrets, each with `S`, which tells whose it is.
#[derive(Clone, Debug)]
pub struct Keyring<S> {
    entries: Vec<(Key, Result<Credential, BadAuth>, S)>,
    /// What is odd about them.
    pub oddities: Vec<Oddity>,
}

/// Something in a pull secret that does not do what it looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// A key that no image matches.
    #[error("its key `{key}` matches no image; write `{instead}`")]
    NeverMatches {
        /// The key.
        key: String,
        /// The one that works.
        instead: String,
    },
    /// An entry that cannot be read.
    #[error("its entry for `{key}` cannot be read: {why}")]
    Unreadable {
        /// The key.
        key: String,
        /// Why.
        why: BadAuth,
    },
}

/// A key taken apart, without its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    host: String,
    path: String,
}

const DOCKER_HUB: &str = "index.docker.io";

impl Key {
    fn parse(text: &str) -> Self {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .unwrap_or(text);
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (host, path) = rest[..end].split_at(rest[..end].find('/').unwrap_or(end));
        // The registry's API under a host is the host.
        let path = match path.get(..4) {
            Some("/v1/" | "/v2/") => &path[3..],
            _ => path,
        };
        Self {
            host: host.rsplit('@').next().unwrap_or_default().to_owned(),
            path: if path == "/" { "" } else { path }.to_owned(),
        }
    }

    fn text(&self) -> String {
        format!("{}{}", self.host, self.path)
    }

    fn matches(&self, host: &str, path: &str) -> bool {
        let (own, own_port) = split_port(&self.host);
        let (other, other_port) = split_port(host);
        let (own, other): (Vec<&str>, Vec<&str>) =
            (own.split('.').collect(), other.split('.').collect());
        own_port == other_port
            && own.len() == other.len()
            && path.starts_with(&self.path)
            && own.iter().zip(other).all(|(own, other)| glob(own, other))
    }

    /// The key to write instead of one that matches nothing.
    fn instead(&self) -> Option<String> {
        let bare = matches!(self.path.as_str(), "/v1" | "/v2");
        match self.host.as_str() {
            "docker.io" | "registry.docker.io" | "registry-1.docker.io" | "hub.docker.com" => {
                Some("https://index.docker.io/v1/".to_owned())
            }
            DOCKER_HUB if bare => Some("https://index.docker.io/v1/".to_owned()),
            host if bare => Some(host.to_owned()),
            _ => None,
        }
    }
}

fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, port),
        _ => (host, ""),
    }
}

impl<S> Default for Keyring<S> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            oddities: Vec::new(),
        }
    }
}

impl<S: Clone> Keyring<S> {
    /// Takes in the file of a pull secret, which is `whose`.
    ///
    /// # Errors
    /// A text that is no such file; nothing of it is taken in then.
    pub fn add(&mut self, json: &str, format: Format, whose: S) -> Result<(), BadConfig> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            auths: BTreeMap<String, Entry>,
        }
        let auths = match format {
            Format::ConfigJson => serde_json::from_str::<File>(json)?.auths,
            Format::Cfg => serde_json::from_str(json)?,
        };
        for (text, entry) in auths {
            let key = Key::parse(&text);
            let shown = key.text();
            if let Some(instead) = key.instead() {
                // As it was written, but for a user name.
                let key = if text.contains('@') {
                    shown.clone()
                } else {
                    text.clone()
                };
                self.oddities.push(Oddity::NeverMatches { key, instead });
            }
            match entry.credential() {
                Ok(None) => {}
                Ok(Some(credential)) => self.entries.push((key, Ok(credential), whose.clone())),
                Err(why) => {
                    self.oddities.push(Oddity::Unreadable { key: shown, why });
                    self.entries.push((key, Err(why), whose.clone()));
                }
            }
        }
        // The longer of two keys that match comes later in the alphabet. Equal
        // ones stay in the order of their secrets.
        self.entries
            .sort_by_key(|(key, ..)| std::cmp::Reverse(key.text()));
        Ok(())
    }

    /// The credential for an image and whose it is, `None` where no key matches.
    ///
    /// # Errors
    /// Where the entry that matches cannot be read.
    pub fn find(&self, image: &Repository) -> Result<Option<(Credential, &S)>, BadAuth> {
        let path = format!("/{}", image.path());
        // Docker Hub has a second name for its registry, and one login.
        let host = match image.host() {
            "registry-1.docker.io" => DOCKER_HUB,
            host => host,
        };
        let found = self
            .entries
            .iter()
            .find(|(key, ..)| key.matches(host, &path));
        found
            .map(|(_, credential, whose)| Ok((credential.clone()?, whose)))
            .transpose()
    }
}

/// Go's `path.Match` on one label; a pattern that is none matches nothing.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    matches_from(&pattern, &text)
}

fn matches_from(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|at| matches_from(rest, &text[at..])),
        Some(('?', rest)) => !text.is_empty() && matches_from(rest, &text[1..]),
        Some(('[', rest)) => class(rest, text),
        Some(('\\', rest)) => match (rest.split_first(), text.split_first()) {
            (Some((c, rest)), Some((t, text))) => c == t && matches_from(rest, text),
            _ => false,
        },
        Some((c, rest)) => text.first() == Some(c) && matches_from(rest, &text[1..]),
    }
}

/// `[a-z]` or `[^a-z]`, behind its bracket.
fn class(mut pattern: &[char], text: &[char]) -> bool {
    let Some((c, text)) = text.split_first() else {
        return false;
    };
    let negated = pattern.first() == Some(&'^');
    pattern = &pattern[usize::from(negated)..];
    let (mut is_in, mut first) = (false, true);
    while first || pattern.first() != Some(&']') {
        let Some(low) = class_char(&mut pattern) else {
            return false;
        };
        let mut high = low;
        if pattern.first() == Some(&'-') {
            pattern = &pattern[1..];
            match class_char(&mut pattern) {
                Some(end) => high = end,
                None => return false,
            }
        }
        is_in |= (low..=high).contains(c);
        first = false;
    }
    is_in != negated && matches_from(&pattern[1..], text)
}

fn class_char(pattern: &mut &[char]) -> Option<char> {
    let (first, mut rest) = pattern.split_first()?;
    let c = match first {
        '-' | ']' => return None,
        '\\' => {
            let (escaped, after) = rest.split_first()?;
            rest = after;
            *escaped
        }
        c => *c,
    };
    *pattern = rest;
    Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(keys: &[&str]) -> Keyring<()> {
        let auths: serde_json::Map<String, serde_json::Value> = keys
            .iter()
            .map(|key| {
                (
                    (*key).to_owned(),
                    serde_json::json!({"username": key, "password": "x"}),
                )
            })
            .collect();
        let mut keyring = Keyring::default();
        let json = serde_json::json!({ "auths": auths }).to_string();
        keyring.add(&json, Format::ConfigJson, ()).expect("JSON");
        keyring
    }

    /// The key whose credential an image gets.
    fn chosen(keys: &[&str], image: &str) -> Option<String> {
        let image = Repository::parse(image).expect(image);
        match keyring(keys).find(&image).expect("readable") {
            Some((Credential::Basic { username, .. }, ())) => Some(username),
            _ => None,
        }
    }

    /// Cases of Kubernetes' own description ("Interpretation of config.json")
    /// and of its keyring's tests' kinds.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn which_key_is_for_which_image() {
        for (key, image, is_match) in [
            ("ghcr.io", "ghcr.io/acme/app", true),
            ("https://ghcr.io", "ghcr.io/acme/app", true),
            ("http://ghcr.io", "ghcr.io/acme/app", true),
            ("https://ghcr.io/v1/", "ghcr.io/acme/app", true),
            ("https://ghcr.io/v2/", "ghcr.io/acme/app", true),
            ("https://ghcr.io/v2", "ghcr.io/acme/app", false),
            ("ghcr.io/", "ghcr.io/acme/app", true),
            ("ghcr.io/acme", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/app", "ghcr.io/acme/app", true),
            ("ghcr.io/acme/app/x", "ghcr.io/acme/app", false),
            ("ghcr.io/v2/acme", "ghcr.io/acme/app", true),
            ("ghcr.io/other", "ghcr.io/acme/app", false),
            // A prefix of the text, as Kubernetes has it.
            ("ghcr.io/ac", "ghcr.io/acme/app", true),
            ("GHCR.io", "ghcr.io/acme/app", false),
            ("*.acme.com", "r.acme.com/app", true),
            ("*.acme.com", "a.r.acme.com/app", false),
            ("*.acme.com", "acme.com/app", false),
            ("*.*.acme.com", "a.r.acme.com/app", true),
            ("r*.acme.com", "r1.acme.com/app", true),
            // Go reads a `?` as the beginning of a query.
            ("r?.acme.com", "r1.acme.com/app", false),
            ("r[0-9].acme.com", "r1.acme.com/app", true),
            ("r[^0-9].acme.com", "r1.acme.com/app", false),
            ("r[].acme.com", "r1.acme.com/app", false),
            ("r[0-.acme.com", "r1.acme.com/app", false),
            ("*", "r.acme.com/app", false),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com/app",
                true,
            ),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app",
                false,
            ),
            ("r.acme.com:5000", "r.acme.com:5000/app", true),
            ("r.acme.com:5000", "r.acme.com/app", false),
            ("r.acme.com", "r.acme.com:5000/app", false),
            ("r.acme.com:*", "r.acme.com:5000/app", false),
            ("ghcr.io", "ghcr.io.evil.example/acme/app", false),
            ("ghcr.io", "evil.example/ghcr.io/app", false),
            ("https://index.docker.io/v1/", "alpine", true),
            (
                "https://index.docker.io/v1/",
                "docker.io/library/alpine",
                true,
            ),
            (
                "https://index.docker.io/v1/",
                "registry-1.docker.io/library/alpine",
                true,
            ),
            ("index.docker.io", "alpine", true),
            ("index.docker.io/acme", "acme/app", true),
            ("index.docker.io/acme", "alpine", false),
            ("docker.io", "alpine", false),
            ("https://index.docker.io/v1", "alpine", false),
            ("registry-1.docker.io", "alpine", false),
        ] {
            assert_eq!(
                chosen(&[key], image).is_some(),
                is_match,
                "{key} for {image}"
            );
        }
    }

    #[test]
    fn the_longest_key_is_taken() {
        let keys = ["ghcr.io", "ghcr.io/acme", "ghcr.io/acme/app"];
        assert_eq!(
            chosen(&keys, "ghcr.io/acme/app").as_deref(),
            Some("ghcr.io/acme/app")
        );
        assert_eq!(
            chosen(&keys, "ghcr.io/acme/other").as_deref(),
            Some("ghcr.io/acme")
        );
        assert_eq!(
            chosen(&keys, "ghcr.io/other/app").as_deref(),
            Some("ghcr.io")
        );
    }

    #[test]
    fn keys_that_never_match_are_named() {
        for (key, instead) in [
            ("docker.io", "https://index.docker.io/v1/"),
            ("https://docker.io", "https://index.docker.io/v1/"),
            ("https://index.docker.io/v1", "https://index.docker.io/v1/"),
            ("https://ghcr.io/v2", "ghcr.io"),
        ] {
            let expected = Oddity::NeverMatches {
                key: key.to_owned(),
                instead: instead.to_owned(),
            };
            assert_eq!(keyring(&[key]).oddities, [expected]);
            // What is said to work does.
            assert_eq!(keyring(&[instead]).oddities, []);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        let mut keyring = Keyring::default();
        let json = r#"{"auths":{"https://u:hunter2@ghcr.io":{"auth":"hunter2!"}}}"#;
        keyring.add(json, Format::ConfigJson, ()).expect("JSON");
        let said = format!("{:?} {}", keyring, keyring.oddities[0]);
        assert!(!said.contains("hunter2"), "{said}");
        let image = Repository::parse("ghcr.io/acme/app").expect("a name");
        assert_eq!(keyring.find(&image), Err(BadAuth::Base64));
        for bad in [
            r#"{"auths":{"x":"hunter2"}}"#,
            "hunter2",
            r#"{"auths":["hunter2"]}"#,
        ] {
            let error = Keyring::default()
                .add(bad, Format::ConfigJson, ())
                .expect_err(bad);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_old_format() {
        let mut keyring = Keyring::default();
        keyring
            .add(r#"{"ghcr.io":{"auth":"YWxpY2U6cHc="}}"#, Format::Cfg, ())
            .expect("JSON");
        let image = Repository::parse("ghcr.io/acme/app").expect("a name");
        assert!(keyring.find(&image).expect("readable").is_some());
    }
}
