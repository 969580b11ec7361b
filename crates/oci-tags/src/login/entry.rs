//! An entry of Docker's config file, the same in a pull secret.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::secret::{Credential, Secret};

/// A text that is no such file. What it holds is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a valid Docker config (line {line}, column {column})")]
pub struct BadConfig {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl From<serde_json::Error> for BadConfig {
    fn from(error: serde_json::Error) -> Self {
        Self {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// An `auth` that cannot be read. What it holds is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAuth {
    /// Not base64.
    #[error("its `auth` is not base64")]
    Base64,
    /// No colon in it.
    #[error("its `auth` is not base64 of `username:password`")]
    NoPair,
}

/// An entry as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

/// Padding may be there or not, as in Kubernetes.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Entry {
    /// The credential, `None` for an entry that only notes a login kept
    /// elsewhere. Tokens go before `auth`, and `auth` before the rest.
    pub(super) fn credential(&self) -> Result<Option<Credential>, BadAuth> {
        let some = |secret: &Option<Secret>| {
            let found = secret.as_ref().filter(|secret| !secret.reveal().is_empty());
            found.cloned()
        };
        if let Some(token) = some(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        if let Some(token) = some(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(auth) = some(&self.auth) {
            return pair(auth.reveal()).map(Some);
        }
        let username = self.username.clone().unwrap_or_default();
        let password = self.password.clone().unwrap_or_default();
        if username.is_empty() && password.reveal().is_empty() {
            return Ok(None);
        }
        Ok(Some(Credential::Basic { username, password }))
    }
}

fn pair(auth: &str) -> Result<Credential, BadAuth> {
    let bytes = LENIENT.decode(auth.trim()).map_err(|_| BadAuth::Base64)?;
    let text = String::from_utf8(bytes).map_err(|_| BadAuth::NoPair)?;
    let (username, password) = text.split_once(':').ok_or(BadAuth::NoPair)?;
    Ok(Credential::Basic {
        username: username.to_owned(),
        // Old Docker versions padded it.
        password: Secret::new(password.trim_end_matches('\0')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<Credential>, BadAuth> {
        let entry: Entry = serde_json::from_str(json).expect(json);
        entry.credential()
    }

    fn basic(username: &str, password: &str) -> Result<Option<Credential>, BadAuth> {
        Ok(Some(Credential::Basic {
            username: username.to_owned(),
            password: Secret::new(password),
        }))
    }

    #[test]
    fn entries() {
        for (json, expected) in [
            // printf 'alice:pw' | base64
            (r#"{"auth":"YWxpY2U6cHc="}"#, basic("alice", "pw")),
            (r#"{"auth":" YWxpY2U6cHc "}"#, basic("alice", "pw")),
            // printf 'alice:p:w\0' | base64
            (r#"{"auth":"YWxpY2U6cDp3AA=="}"#, basic("alice", "p:w")),
            (
                r#"{"auth":"YWxpY2U6cHc=","username":"bob","password":"x"}"#,
                basic("alice", "pw"),
            ),
            (
                r#"{"username":"bob","password":"x","email":"b@x"}"#,
                basic("bob", "x"),
            ),
            (
                r#"{"identitytoken":"t","auth":"YWxpY2U6cHc="}"#,
                Ok(Some(Credential::IdentityToken(Secret::new("t")))),
            ),
            (
                r#"{"registrytoken":"t"}"#,
                Ok(Some(Credential::RegistryToken(Secret::new("t")))),
            ),
            ("{}", Ok(None)),
            (r#"{"auth":"","username":"","password":null}"#, Ok(None)),
            (r#"{"auth":"not base64!"}"#, Err(BadAuth::Base64)),
            (r#"{"auth":"alice:pw"}"#, Err(BadAuth::Base64)),
            (r#"{"auth":"YWxpY2U="}"#, Err(BadAuth::NoPair)),
            (r#"{"auth":"//79"}"#, Err(BadAuth::NoPair)),
        ] {
            assert_eq!(read(json), expected, "{json}");
        }
    }
}
