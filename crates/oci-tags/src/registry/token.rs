//! Tokens of a registry's token server (distribution project, "Token
//! Authentication"; OAuth2 by POST for an identity token).
//!
//! One request for a (registry, credential, scope), however many wait for it,
//! and what it said counts for all of them, also when it was no.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::RegistryError;
use super::lock;
use super::transport::{Answer, Connection};
use crate::login::{Credential, Secret};

/// Longest token that is taken.
const LONGEST: usize = 64 << 10;
/// Longest answer of a token server that is read.
const LONGEST_ANSWER: usize = 256 << 10;
/// What a token without `expires_in` is good for, as the specification says.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// The registry, as scheme, host and port.
    pub registry: String,
    /// The token server.
    pub realm: String,
    /// `service` of the challenge.
    pub service: Option<String>,
    /// What it must allow; empty for none in particular.
    pub scope: String,
    /// Who asks; nobody where the realm may not know.
    pub credential: Credential,
    /// How it is reached.
    pub connection: Connection,
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The token itself.
    pub secret: Secret,
    good_until: Instant,
}

/// The state of one token: none yet, one, or why there is none.
pub(super) type Slot = Option<Result<Token, RegistryError>>;

/// Tokens of a run.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<Wanted, Arc<tokio::sync::Mutex<Slot>>>>);

impl Tokens {
    /// The place for a token; whoever holds its lock asks for it.
    pub(super) fn slot(&self, wanted: &Wanted) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = lock(&self.0);
        Arc::clone(slots.entry(wanted.clone()).or_default())
    }
}

impl Token {
    /// Whether it may be used: it has not run out, and is not the one that the
    /// registry has just refused.
    pub(super) fn is_good(&self, now: Instant, refused: Option<&Secret>) -> bool {
        now < self.good_until && refused != Some(&self.secret)
    }

    /// Reads the answer of a token server that came at `now`.
    pub(super) fn read(answer: &Answer, now: Instant) -> Result<Self, RegistryError> {
        #[derive(Deserialize)]
        struct Body {
            token: Option<Secret>,
            access_token: Option<Secret>,
            expires_in: Option<f64>,
        }
        let bad = |what: &str| RegistryError::Token {
            host: answer.url.host_str().unwrap_or_default().to_owned(),
            what: what.to_owned(),
        };
        if answer.body.len() > LONGEST_ANSWER {
            return Err(bad("answered with more than 256 KiB"));
        }
        let body: Body =
            serde_json::from_slice(&answer.body).map_err(|_| bad("answered without a token"))?;
        let is_some = |token: &Secret| !token.reveal().is_empty();
        let secret = body.token.filter(is_some);
        let secret = secret
            .or(body.access_token.filter(is_some))
            .ok_or_else(|| bad("answered without a token"))?;
        if secret.reveal().len() > LONGEST {
            return Err(bad("returned a token of more than 64 KiB"));
        }
        if !secret.reveal().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("returned a token that does not fit in a header"));
        }
        let life = body
            .expires_in
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
            .map_or(DEFAULT_LIFE, |seconds| {
                Duration::from_secs_f64(seconds.min(86_400.0))
            });
        Ok(Self {
            secret,
            // A tenth is left for the way.
            good_until: now + life.mul_f64(0.9),
        })
    }
}
