//! A text that is never printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A password, token or key. It can be compared and used, and prints as `****`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a line break is its end. It may be meant, and hardly ever is:
    /// `echo password | base64` makes one.
    #[must_use]
    pub fn ends_in_line_break(&self) -> bool {
        self.0.ends_with(['\n', '\r'])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Who a registry is told that we are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Credential {
    /// Nobody.
    #[default]
    Anonymous,
    /// A user name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token of the registry's token server (Docker's
    /// `identitytoken`).
    IdentityToken(Secret),
    /// A token that goes to the registry as it is (Docker's `registrytoken`).
    RegistryToken(Secret),
}

impl Credential {
    /// Whether there is anything to present.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }

    /// Whether the password or token ends in a line break.
    #[must_use]
    pub fn ends_in_line_break(&self) -> bool {
        let secret = match self {
            Self::Anonymous => return false,
            Self::Basic { password, .. } => password,
            Self::IdentityToken(token) | Self::RegistryToken(token) => token,
        };
        secret.ends_in_line_break()
    }

    /// How a registry could spell it when it says it again, in lower case. What
    /// is shorter than four bytes is not looked for.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let secrets = match self {
            Self::Anonymous => Vec::new(),
            Self::Basic { username, password } => {
                let pair = format!("{username}:{}", password.reveal());
                vec![password.reveal().to_owned(), STANDARD_NO_PAD.encode(pair)]
            }
            Self::IdentityToken(token) | Self::RegistryToken(token) => {
                vec![token.reveal().to_owned()]
            }
        };
        let long = secrets.into_iter().filter(|secret| secret.len() >= 4);
        long.map(|secret| secret.to_ascii_lowercase()).collect()
    }
}
