//! `spec.provider`: logins of the clouds, each found by its owner's own crate.
//!
//! Which cloud a host belongs to is decided first, by patterns anchored at both
//! ends: a host that only looks like a cloud's gets nothing. Only then is
//! anybody asked for a token. What went wrong inside a provider's crate is
//! told by its kind alone, since its text may hold what a helper printed.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcp")]
mod gcp;
mod host;
#[cfg(any(feature = "aws", feature = "azure"))]
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

pub use host::{Host, Provider};

use super::secret::Credential;
use crate::image::Repository;

/// A provider that looks everywhere takes no longer.
const WITHIN: Duration = Duration::from_secs(60);

/// Why a cloud gives no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The host is none of the cloud's.
    #[error(
        "`{host}` is not a registry of `provider: {provider}`, so it gets no credentials of that cloud"
    )]
    Host {
        /// The host.
        host: String,
        /// The cloud.
        provider: Provider,
    },
    /// Left out of this build.
    #[error("`provider: {0}` was left out of this build")]
    LeftOut(Provider),
    /// Nothing was found to log in with.
    #[error("no login for `provider: {provider}` was found: {what}")]
    NotFound {
        /// The cloud.
        provider: Provider,
        /// Where was looked.
        what: &'static str,
    },
    /// A login was found, and the cloud did not take it.
    #[error("the login for `provider: {provider}` failed: {what}")]
    Failed {
        /// The cloud.
        provider: Provider,
        /// At what.
        what: String,
    },
}

impl CloudError {
    /// Whether the documents or the environment are to blame, rather than the
    /// cloud.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Host { .. } => "remove `provider`, or set the one that the host belongs to".to_owned(),
            Self::LeftOut(provider) => format!("build it with `--features {provider}`, or give a pull secret as `spec.secretRef`"),
            Self::NotFound { provider: Provider::Aws, .. } => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(),
            Self::NotFound { provider: Provider::Gcp, .. } => "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`; where a proxy is set, NO_PROXY must name the metadata server".to_owned(),
            Self::NotFound { provider: Provider::Azure, .. } => "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, or run `az login`".to_owned(),
            Self::Failed { .. } => "is the identity allowed to pull from this registry, and can the cloud be reached from here?".to_owned(),
        }
    }
}

impl Provider {
    /// A login was found, and this went wrong.
    fn failed(self, what: impl ToString) -> CloudError {
        CloudError::Failed {
            provider: self,
            what: what.to_string(),
        }
    }
}

/// Logins of a run, each asked for once.
#[derive(Debug, Default)]
pub struct Clouds {
    logins: BTreeMap<Host, Result<Credential, CloudError>>,
    /// The program of a cloud may be run for a login.
    may_run_programs: bool,
}

impl Clouds {
    /// No login yet. Whether a cloud's own program (`az`) may be run for one.
    #[must_use]
    pub fn new(may_run_programs: bool) -> Self {
        Self {
            logins: BTreeMap::new(),
            may_run_programs,
        }
    }

    /// The login for an image.
    ///
    /// # Errors
    /// Where the host is none of the cloud's, or the cloud gives none.
    pub async fn login(
        &mut self,
        provider: Provider,
        image: &Repository,
    ) -> Result<Credential, CloudError> {
        let host = Host::of(provider, image.host()).ok_or_else(|| CloudError::Host {
            host: image.host().to_owned(),
            provider,
        })?;
        if let Some(known) = self.logins.get(&host) {
            return known.clone();
        }
        let asked = tokio::time::timeout(WITHIN, ask(&host, self.may_run_programs));
        let login = asked.await.unwrap_or_else(|_| {
            Err(provider.failed(format!("no answer within {} s", WITHIN.as_secs())))
        });
        self.logins.insert(host, login.clone());
        login
    }
}

async fn ask(host: &Host, may_run_programs: bool) -> Result<Credential, CloudError> {
    match host {
        #[cfg(feature = "aws")]
        Host::Ecr { region, api } => aws::ecr(region, api).await,
        #[cfg(feature = "aws")]
        Host::EcrPublic => aws::ecr_public().await,
        #[cfg(feature = "gcp")]
        Host::Google => gcp::login().await,
        #[cfg(feature = "azure")]
        Host::Acr {
            host,
            resource,
            authority,
        } => azure::login(host, resource, authority, may_run_programs).await,
        #[allow(unreachable_patterns, reason = "reached where a cloud is left out")]
        other => {
            _ = may_run_programs;
            Err(CloudError::LeftOut(other.provider()))
        }
    }
}

/// What tells one login of the environment from another: for what is kept on
/// the disk under it.
#[must_use]
pub fn identity(provider: Provider) -> String {
    let names: &[&str] = match provider {
        Provider::Aws => &[
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
        ],
        Provider::Gcp => &["GOOGLE_APPLICATION_CREDENTIALS"],
        Provider::Azure => &["AZURE_TENANT_ID", "AZURE_CLIENT_ID"],
    };
    let mut identity = provider.to_string();
    for name in names {
        let value = std::env::var_os(name).unwrap_or_default();
        identity.push_str(&format!("\n{name}={}", value.to_string_lossy()));
    }
    identity
}
