//! Why a registry gave no answer.
//!
//! No variant holds anything that a registry could have echoed: bodies are
//! reduced to the specification's error codes, addresses to scheme and host.

use std::time::Duration;

use super::link::BadLink;
use super::tls::TlsFault;
use super::trust::{NoRealm, NoRedirect};
use crate::image::is_digest;
use crate::login::Credential;

/// Why a repository could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No connection, or one that broke.
    #[error("{host} cannot be reached: {what}")]
    Unreachable {
        /// Whom.
        host: String,
        /// What went wrong.
        what: String,
    },
    /// TLS failed.
    #[error("TLS with {host} failed: {what}")]
    Tls {
        /// With whom.
        host: String,
        /// What went wrong.
        what: TlsFault,
    },
    /// The client for these TLS or proxy settings cannot be made.
    #[error("{0}")]
    Settings(String),
    /// A name that makes no address of its own.
    #[error("`{0}` does not make an address in a registry")]
    Name(String),
    /// A name that leads where nobody is asked.
    #[error("{0} is a link-local address or a metadata service, which is never asked")]
    Forbidden(String),
    /// 401 or 403.
    #[error("{host} answered {status}{}: {}", and_code(.code), denial(*.anonymous, *.line_break))]
    Denied {
        /// Who.
        host: String,
        /// The status.
        status: u16,
        /// The specification's error code.
        code: Option<String>,
        /// Nothing was presented.
        anonymous: bool,
        /// What was presented ends in a line break, as `echo` makes it.
        line_break: bool,
    },
    /// A token that cannot be sent.
    #[error("the token for {host} does not fit in a header: it {}", if *.line_break { "ends in a line break" } else { "has control characters in it" })]
    Unsendable {
        /// To whom.
        host: String,
        /// That is what is wrong with it.
        line_break: bool,
    },
    /// The token server is none that the credential may be given to.
    #[error(
        "{registry} sends credentials to {realm}, which is not known to belong to it, and access without credentials is denied"
    )]
    UntrustedRealm {
        /// The registry.
        registry: String,
        /// The realm's host.
        realm: String,
    },
    /// The token server is one that is never asked.
    #[error("{registry} wants a token from {realm}, which is never asked: {why}")]
    ForbiddenRealm {
        /// The registry.
        registry: String,
        /// The realm, as scheme and host.
        realm: String,
        /// Why.
        why: NoRealm,
    },
    /// A token server's answer that is none.
    #[error("the token server {host} {what}")]
    Token {
        /// The token server.
        host: String,
        /// What is wrong.
        what: String,
    },
    /// 404.
    #[error("{host} has {} (404{})", missing(.manifest), and_code(.code))]
    NotFound {
        /// Who.
        host: String,
        /// The tag or digest whose manifest is missing, where the repository is
        /// there.
        manifest: Option<String>,
        /// The specification's error code.
        code: Option<String>,
    },
    /// Any other status.
    #[error("{host} answered {status}{}", and_code(.code))]
    Status {
        /// Who.
        host: String,
        /// The status.
        status: u16,
        /// The specification's error code.
        code: Option<String>,
    },
    /// 200 with what is not an answer of a registry.
    #[error("{host} does not answer as a registry: {what}")]
    NoRegistry {
        /// Who.
        host: String,
        /// What came.
        what: String,
    },
    /// A page link that is not followed.
    #[error(transparent)]
    Link(#[from] BadLink),
    /// A redirect that is not followed.
    #[error("{from} redirects to {to}, which is not followed: {why}")]
    Redirect {
        /// Who.
        from: String,
        /// Where to, as scheme and host.
        to: String,
        /// Why not.
        why: NoRedirect,
    },
    /// Redirected too often.
    #[error("{0} redirects more than 3 times")]
    Redirects(String),
    /// More than anybody has.
    #[error("the list of tags is endless: {0}")]
    Endless(&'static str),
    /// The registry wants to be asked later than there is time for.
    #[error("{host} asks clients to wait {} s", .wait.as_secs())]
    Later {
        /// Who.
        host: String,
        /// For how long.
        wait: Duration,
    },
    /// The deadline has passed.
    #[error("no answer within {}", seconds(.after))]
    Deadline {
        /// How long was waited.
        after: Duration,
    },
    /// What came is not what its digest says.
    #[error("{host} sent a manifest that does not match its digest")]
    WrongDigest {
        /// Who.
        host: String,
    },
}

fn denial(anonymous: bool, line_break: bool) -> &'static str {
    match (anonymous, line_break) {
        (true, _) => "access without credentials is denied",
        (false, false) => "the credentials are not accepted for this repository",
        (false, true) => {
            "the credentials are not accepted for this repository, and the password ends in a line break"
        }
    }
}

fn and_code(code: &Option<String>) -> String {
    code.as_ref()
        .map_or_else(String::new, |code| format!(" {code}"))
}

fn missing(manifest: &Option<String>) -> String {
    match manifest {
        None => "no such repository".to_owned(),
        Some(digest) if is_digest(digest) => format!("no manifest for the digest `{digest}`"),
        Some(tag) => format!("no manifest for the tag `{tag}`"),
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

impl RegistryError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => "is the name right, and can it be reached from here? a proxy is taken from `HTTPS_PROXY` or `proxySecretRef`; without a network use a TagSnapshot".to_owned(),
            Self::Tls { what, .. } => what.hint().to_owned(),
            Self::Denied { anonymous: true, .. } => "add a `secretRef` to the ImageRepository with its Secret in the input (or `--secret FILE`), log in with `docker login`, or set `provider`".to_owned(),
            Self::Denied { line_break: true, .. } | Self::Unsendable { .. } => "a line break at the end is hardly part of a password or token, and the likely cause: write it without, as `printf %s` does and `echo` does not".to_owned(),
            Self::Denied { .. } => "check that the credentials are valid and may pull this repository".to_owned(),
            Self::UntrustedRealm { realm, .. } => format!("if this host may have the credentials, say `--trust-host {realm}`"),
            Self::NotFound { manifest: Some(_), .. } => "the list of tags still names an image that was deleted, or was never pushed completely: push it again, delete the tag, or keep the policy from it with `filterTags`".to_owned(),
            Self::NotFound { .. } => "check `spec.image`; some registries answer so where credentials are missing".to_owned(),
            Self::NoRegistry { .. } => "is `spec.image` the name of an image in a registry? a login page or a proxy may have answered".to_owned(),
            Self::Redirect { to, why: NoRedirect::Host, .. } => {
                let host = to.split_once("://").map_or(to.as_str(), |(_, host)| host);
                format!("if this host may be asked, say `--trust-host {host}`")
            }
            Self::Deadline { .. } => "allow more with `spec.timeout` of the ImageRepository, or with `--timeout`, beyond which it does not count".to_owned(),
            Self::Later { .. } | Self::Status { status: 429, .. } => "the registry limits requests: log in, scan less often, or use a TagSnapshot".to_owned(),
            Self::Status { status: 500.., .. } => "the registry is in trouble: try again later, or use a TagSnapshot".to_owned(),
            Self::Endless(_) => "an image with so many tags needs a TagSnapshot that is made in another way".to_owned(),
            Self::Settings(_) => "check `certSecretRef` and `proxySecretRef` of the ImageRepository".to_owned(),
            Self::Link(_) | Self::Redirect { .. } | Self::Redirects(_) | Self::ForbiddenRealm { .. } | Self::Token { .. } => "the registry, or a proxy before it, is not set up as it should be".to_owned(),
            Self::Forbidden(_) | Self::Name(_) => "check `spec.image`: this is not a registry that can be asked".to_owned(),
            Self::Status { .. } | Self::WrongDigest { .. } => "is `spec.image` the name of an image in a registry?".to_owned(),
        }
    }

    /// The error without what a registry could have put into the name of a host:
    /// the very credential that it was given.
    #[must_use]
    pub fn without(mut self, credential: &Credential) -> Self {
        let secrets = credential.spellings();
        for text in self.texts() {
            for secret in &secrets {
                while let Some(at) = text.to_ascii_lowercase().find(secret) {
                    text.replace_range(at..at + secret.len(), "****");
                }
            }
        }
        self
    }

    /// The texts that a registry has a say in.
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Unreachable { host, what }
            | Self::NoRegistry { host, what }
            | Self::Token { host, what } => vec![host, what],
            Self::Tls { host, what } => std::iter::once(host).chain(what.text()).collect(),
            Self::UntrustedRealm { registry, realm }
            | Self::ForbiddenRealm {
                registry, realm, ..
            } => vec![registry, realm],
            Self::Redirect { from, to, .. } => vec![from, to],
            Self::NotFound { host, manifest, .. } => {
                std::iter::once(host).chain(manifest.as_mut()).collect()
            }
            Self::Denied { host, .. }
            | Self::Unsendable { host, .. }
            | Self::Status { host, .. }
            | Self::Later { host, .. }
            | Self::WrongDigest { host }
            | Self::Link(BadLink::Elsewhere { host, .. }) => vec![host],
            Self::Settings(text)
            | Self::Name(text)
            | Self::Forbidden(text)
            | Self::Redirects(text) => {
                vec![text]
            }
            Self::Link(_) | Self::Endless(_) | Self::Deadline { .. } => Vec::new(),
        }
    }

    /// Whether it is the host's, so that whoever asks there next would meet it,
    /// rather than that of one repository.
    #[must_use]
    pub fn is_the_hosts(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Tls { .. }
                | Self::Forbidden(_)
                | Self::Settings(_)
                | Self::Later { .. }
        )
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
