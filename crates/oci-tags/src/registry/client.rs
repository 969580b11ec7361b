//! The registries of a run: what is shared between their repositories.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use super::address;
use super::challenge::Challenge;
use super::error::RegistryError;
use super::labels::{self, Labels};
use super::list::{self, Listing, Page};
use super::lock;
use super::session::Session;
use super::token::Tokens;
use super::transport::{Connection, Transport};
use super::trust::{Barred, Part, Rank, Ranked, Trusted, may_travel};
use crate::image::Repository;
use crate::login::Credential;

/// Repositories that are asked at a time, in all and at one host.
const AT_ONCE: usize = 32;
const AT_ONCE_A_HOST: usize = 8;

/// What the caller sets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Hosts that the user trusts by name with tokens and redirects.
    pub trusted: Trusted,
    /// Registries for which what documents name of a connection is as good as
    /// the user's own word.
    pub connections: Trusted,
    /// Host names of the proxies that the environment names.
    pub proxies: BTreeSet<String>,
    /// The first wait before asking again; it doubles from then on.
    pub backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            trusted: Trusted::default(),
            connections: Trusted::default(),
            proxies: BTreeSet::new(),
            backoff: Duration::from_millis(250),
        }
    }
}

/// A repository, and how it is to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The repository.
    pub repository: Repository,
    credential: Credential,
    connection: Connection,
}

/// A credential that may not travel to a registry, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{barred}")]
pub struct Withheld {
    /// What it is for.
    pub of: CredentialFor,
    /// What stands against it.
    pub barred: Barred,
}

/// What a credential is shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFor {
    /// The registry, in a header or to its token server.
    Registry,
    /// The registry, as a client certificate.
    Tls,
    /// The proxy.
    Proxy,
}

/// The clients, tokens and limits of a run.
#[derive(Debug)]
pub struct Registries {
    pub(super) transport: Transport,
    pub(super) tokens: Tokens,
    pub(super) limits: Limits,
    hosts: Mutex<HashMap<(String, Connection), Arc<Host>>>,
    requests: Mutex<HashMap<String, Arc<Semaphore>>>,
    repositories: Mutex<HashMap<String, Arc<Semaphore>>>,
    all: Semaphore,
}

/// A host that is asked.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// Held by the first who asks; the others wait for what it learns.
    pub ping: tokio::sync::Mutex<()>,
    /// What was learned of it.
    pub state: Mutex<HostState>,
    /// How many sizes of a page it has refused, largest first.
    pub size: AtomicUsize,
}

/// What was learned of a host.
#[derive(Debug, Default)]
pub(super) enum HostState {
    /// Nothing yet.
    #[default]
    Unknown,
    /// Nobody answers there: why, and how long that was waited for at most.
    Failed {
        error: RegistryError,
        patience: Duration,
    },
    /// It answers.
    Known {
        /// Scheme, host and port that answered.
        base: Url,
        /// How it wants to be asked, where it has said so.
        challenge: Option<Challenge>,
    },
}

impl Registries {
    /// A fresh start.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            transport: Transport::new(limits.proxies.clone()),
            tokens: Tokens::default(),
            limits,
            hosts: Mutex::default(),
            requests: Mutex::default(),
            repositories: Mutex::default(),
            all: Semaphore::new(AT_ONCE),
        }
    }

    /// All tags of a repository. `known` are the pages of an earlier list,
    /// which a registry that gives ETags need not send again. `within` is
    /// counted from the moment it is this repository's turn.
    ///
    /// # Errors
    /// Why the list could not be had in whole; part of a list is none.
    pub async fn tags(
        &self,
        target: &Target,
        within: Duration,
        known: &[Page],
    ) -> Result<Listing, RegistryError> {
        self.in_turn(target, within, async |session| {
            list::tags(&session, known).await
        })
        .await
    }

    /// The digest of a tag (`sha256:…`), of the index where it is one.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn digest(
        &self,
        target: &Target,
        within: Duration,
        tag: &str,
    ) -> Result<String, RegistryError> {
        self.in_turn(target, within, async |session| {
            list::digest(&session, tag).await
        })
        .await
    }

    /// The labels of an image that links are made of, by its tag or digest.
    ///
    /// # Errors
    /// Why they could not be had.
    pub async fn labels(
        &self,
        target: &Target,
        within: Duration,
        reference: &str,
    ) -> Result<Labels, RegistryError> {
        self.in_turn(target, within, async |session| {
            labels::labels(&session, reference).await
        })
        .await
    }

    async fn in_turn<'a, T, F: Future<Output = Result<T, RegistryError>>>(
        &'a self,
        target: &'a Target,
        within: Duration,
        work: impl FnOnce(Session<'a>) -> F,
    ) -> Result<T, RegistryError> {
        target.without_steps()?;
        let host = target.repository.host();
        let turns = share(&self.repositories, host);
        // The semaphores are never closed.
        let _turn = turns.acquire().await;
        let _place = self.all.acquire().await;
        let session = Session {
            registries: self,
            target,
            host: self.host(target),
            deadline: Instant::now() + within,
        };
        let done = tokio::time::timeout(within, work(session)).await;
        done.unwrap_or(Err(RegistryError::Deadline { after: within }))
            .map_err(|error| error.without(target.credential()))
    }

    /// The turns of requests to a host.
    pub(super) fn requests_to(&self, url: &Url) -> Arc<Semaphore> {
        share(&self.requests, &url.origin().ascii_serialization())
    }

    fn host(&self, target: &Target) -> Arc<Host> {
        let key = (
            target.repository.host().to_owned(),
            target.connection.clone(),
        );
        let mut hosts = lock(&self.hosts);
        Arc::clone(hosts.entry(key).or_default())
    }
}

fn share(turns: &Mutex<HashMap<String, Arc<Semaphore>>>, host: &str) -> Arc<Semaphore> {
    let mut turns = lock(turns);
    let entry = turns.entry(host.to_owned());
    Arc::clone(entry.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_A_HOST))))
}

/// Whether a credential for `of`, which `by` gave, may go along.
fn may(
    of: CredentialFor,
    by: Rank,
    parts: impl Iterator<Item = (Part, Rank)>,
) -> Result<(), Withheld> {
    may_travel(by, parts).map_err(|barred| Withheld { of, barred })
}

impl Target {
    /// A repository that is asked as nobody.
    ///
    /// # Errors
    /// Where the connection itself shows a credential, a client certificate or a
    /// proxy's password, to what somebody less trusted has named.
    pub fn new(repository: Repository, connection: Connection) -> Result<Self, Withheld> {
        if let Some(own) = &connection.identity {
            may(CredentialFor::Tls, own.by, connection.parts())?;
        }
        if let Some(proxy) = connection
            .proxy
            .as_ref()
            .filter(|proxy| proxy.value.has_credential())
        {
            // What the registry is asked in does not matter to the proxy.
            let parts = connection.parts();
            let to_proxy = parts.filter(|(part, _)| *part != Part::Insecure);
            may(CredentialFor::Proxy, proxy.by, to_proxy)?;
        }
        Ok(Self {
            repository,
            credential: Credential::Anonymous,
            connection,
        })
    }

    /// The same repository, asked with a credential.
    ///
    /// # Errors
    /// Where somebody less trusted has named a part of the connection.
    pub fn with_credential(self, credential: Ranked<Credential>) -> Result<Self, Withheld> {
        if !credential.value.is_anonymous() {
            self.admits(credential.by)?;
        }
        Ok(Self {
            credential: credential.value,
            ..self
        })
    }

    /// Whether a credential that `by` gave may go along.
    ///
    /// # Errors
    /// Where somebody less trusted has named a part of the connection.
    pub fn admits(&self, by: Rank) -> Result<(), Withheld> {
        may(CredentialFor::Registry, by, self.connection.parts())
    }

    /// Who asks.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// TLS and proxy.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The origins that may be asked for it, in order.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let bases = self.bases().unwrap_or_default();
        let origin = |base: &Url| base.origin().ascii_serialization();
        bases.iter().map(origin).collect()
    }

    /// A URL takes `.` and `..` for steps, and would lead to another repository
    /// than the one that the credential was found for.
    fn without_steps(&self) -> Result<(), RegistryError> {
        let mut segments = self.repository.path().split('/');
        if segments.any(|segment| matches!(segment, "." | "..")) {
            return Err(RegistryError::Name(self.repository.written().to_owned()));
        }
        Ok(())
    }

    /// Where the registry's API may be, best first. TLS comes first always;
    /// plain http only where the user said so, and on loopback.
    pub(super) fn bases(&self) -> Result<Vec<Url>, RegistryError> {
        let host = self.repository.host();
        let no_name = || RegistryError::Name(self.repository.written().to_owned());
        let parse = |scheme: &str| {
            let url = Url::parse(&format!("{scheme}://{host}/"));
            url.map_err(|_| no_name())
        };
        let mut bases = vec![parse("https")?];
        if self.connection.insecure.is_some() || address::is_loopback(&bases[0]) {
            bases.push(parse("http")?);
        }
        Ok(bases)
    }
}
