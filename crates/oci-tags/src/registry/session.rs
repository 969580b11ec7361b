//! One repository's conversation with its registry: the scheme is settled, the
//! challenge answered, a redirect followed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Request};
use tokio::sync::MutexGuard;
use url::Url;

use super::address::Reach;
use super::answer::{authority, shown};
use super::auth::Authorization;
use super::challenge::{self, Bearer, Challenge};
use super::client::{Host, HostState, Registries, Target};
use super::error::RegistryError;
use super::lock;
use super::transport::{Answer, Connection};
use super::trust;

const MOST_REDIRECTS: usize = 3;
/// Largest body that is read: a page of tags, or a manifest.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// A repository's turn.
pub(super) struct Session<'a> {
    pub(super) registries: &'a Registries,
    pub(super) target: &'a Target,
    pub(super) host: Arc<Host>,
    pub(super) deadline: Instant,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// GET or HEAD.
    pub method: Method,
    /// Path and query under the registry, or an absolute address that an
    /// answer gave.
    pub at: String,
    /// `Accept`.
    pub accept: &'static str,
    /// `If-None-Match`.
    pub etag: Option<String>,
}

impl Session<'_> {
    /// Asks, and comes back with an answer that is neither a challenge, nor a
    /// redirect, nor a passing failure.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, RegistryError> {
        let base = self.base();
        if let (Some(base), Ok(url)) = (&base, Url::parse(&question.at))
            && url.origin() != base.origin()
        {
            return self
                .follow_redirects(question, base, url, MOST_REDIRECTS - 1)
                .await;
        }
        let answer = self.send_authorized(question).await?;
        let base = answer.url.clone();
        match location(&answer)? {
            None => Ok(answer),
            Some(to) => {
                self.follow_redirects(question, &base, to, MOST_REDIRECTS - 1)
                    .await
            }
        }
    }

    fn base(&self) -> Option<Url> {
        match &*lock(&self.host.state) {
            HostState::Known { base, .. } => Some(base.clone()),
            _ => None,
        }
    }

    fn challenge(&self) -> Option<Challenge> {
        match &*lock(&self.host.state) {
            HostState::Known { challenge, .. } => challenge.clone(),
            _ => None,
        }
    }

    /// Keeps how the host wants to be asked; the scope is this request's alone.
    fn remember(&self, asked: Challenge) {
        if let HostState::Known { challenge, .. } = &mut *lock(&self.host.state) {
            *challenge = Some(without_scope(asked));
        }
    }

    /// The address of the page after the one that came from `page`, as a
    /// question has it: the list's own, with another query. It is whole where
    /// the list has moved to another host, else path and query, so that it means
    /// the same however the registry is reached.
    pub(super) fn page_after(&self, page: &Url, query: Option<&str>) -> String {
        let mut next = page.clone();
        next.set_query(query);
        next.set_fragment(None);
        let is_home = self
            .base()
            .is_some_and(|base| base.origin() == next.origin());
        match (is_home, next.query()) {
            (false, _) => next.to_string(),
            (true, Some(query)) => format!("{}?{query}", next.path()),
            (true, None) => next.path().to_owned(),
        }
    }

    /// The registry's own answer, after its challenge.
    async fn send_authorized(&self, question: &Question) -> Result<Answer, RegistryError> {
        let (mut answer, mut authorization) = self.first(question).await?;
        // Once for the challenge, once for a token that has run out.
        let mut rounds = 2;
        while rounds > 0 && answer.status == 401 {
            rounds -= 1;
            let Some(challenge) = challenge::choose(answer.texts("www-authenticate")) else {
                break;
            };
            // Only what answers this very challenge was refused. What was kept of
            // a neighbour's, or said before the registry named a scope, was not.
            let asked = self.answered(&challenge);
            let known = authorization
                .take()
                .filter(|authorization| authorization.answers == asked);
            let refused = known
                .as_ref()
                .and_then(|authorization| authorization.token.clone());
            let is_untrusted = known
                .as_ref()
                .is_some_and(|authorization| authorization.untrusted.is_some());
            if is_untrusted || known.is_some() && refused.is_none() {
                authorization = known;
                break;
            }
            let base = answer.url.clone();
            let next = self.authorize(&challenge, &base, refused.as_ref()).await?;
            self.remember(challenge);
            if next.is_none() {
                break;
            }
            authorization = next;
            answer = self
                .send_to(&[base], question, authorization.as_ref())
                .await?;
        }
        match authorization.and_then(|authorization| authorization.untrusted) {
            Some(realm) if matches!(answer.status, 401 | 403) => {
                Err(RegistryError::UntrustedRealm {
                    registry: authority(&answer.url),
                    realm,
                })
            }
            _ => Ok(answer),
        }
    }

    /// The first answer, and the authorization it came with. Of all who ask a host for
    /// the first time one goes ahead, so that scheme and challenge are learned
    /// once.
    async fn first(
        &self,
        question: &Question,
    ) -> Result<(Answer, Option<Authorization>), RegistryError> {
        if self.base().is_none() {
            let turn = self.host.ping.lock().await;
            if self.base().is_none() {
                return self.ping(question, turn).await.map(|answer| (answer, None));
            }
        }
        let bases: Vec<Url> = self.base().into_iter().collect();
        let authorization = match bases.first() {
            Some(base) => self.remembered(base).await,
            None => None,
        };
        let answer = self
            .send_to(&bases, question, authorization.as_ref())
            .await?;
        match authorization {
            Some(authorization) => self.doubted(question, &bases, answer, authorization).await,
            None => Ok((answer, None)),
        }
    }

    /// An answer to an authorization that another's challenge led to, which may have been
    /// the wrong one: where it is refused without a word on what would do, that
    /// word is asked for.
    async fn doubted(
        &self,
        question: &Question,
        bases: &[Url],
        answer: Answer,
        authorization: Authorization,
    ) -> Result<(Answer, Option<Authorization>), RegistryError> {
        let wants = |answer: &Answer| {
            let challenge = challenge::choose(answer.texts("www-authenticate"));
            challenge.map(|challenge| self.answered(&challenge))
        };
        let is_mute = answer.status == 403 || answer.status == 401 && wants(&answer).is_none();
        if !is_mute {
            return Ok((answer, Some(authorization)));
        }
        let plain = self.send_to(bases, question, None).await?;
        let is_other = wants(&plain).is_some_and(|wanted| wanted != authorization.answers);
        Ok(if plain.status == 401 && !is_other || plain.status == 403 {
            (answer, Some(authorization))
        } else {
            (plain, None)
        })
    }

    /// An authorization for the challenge that the host gave before, to whomever. It was
    /// another repository's, so that one which leads to no token is none, and
    /// half of the time is left for this one's own.
    async fn remembered(&self, base: &Url) -> Option<Authorization> {
        let challenge = self.challenge()?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let authorization = self.authorize(&challenge, base, None);
        tokio::time::timeout(left / 2, authorization)
            .await
            .ok()?
            .ok()?
    }

    /// Learns scheme and challenge of the host, and lets the others go as soon as
    /// the answer begins: its body may be a slow one. Where nobody answers, nobody
    /// is asked again: the next in line gets the same error at once, unless it is
    /// more patient.
    async fn ping(
        &self,
        question: &Question,
        turn: MutexGuard<'_, ()>,
    ) -> Result<Answer, RegistryError> {
        let patience = self.deadline.saturating_duration_since(Instant::now());
        let fail = |error| {
            let mut state = lock(&self.host.state);
            // Who has answered once is there.
            if !matches!(*state, HostState::Known { .. }) {
                *state = HostState::Failed { error, patience };
            }
        };
        if let HostState::Failed {
            error,
            patience: waited,
        } = &*lock(&self.host.state)
            && patience <= *waited + Duration::from_secs(1)
        {
            return Err(error.clone());
        }
        let bases = self.target.bases()?;
        // What stays behind where the deadline ends this.
        let host = self.target.repository.host().to_owned();
        let what = "it did not answer an earlier request".to_owned();
        let error = RegistryError::Unreachable { host, what };
        fail(error);
        let turn = std::sync::Mutex::new(Some(turn));
        let heard = |answer: &Answer| {
            self.learn(answer);
            drop(lock(&turn).take());
        };
        let requests = requests(&bases, question, None)?;
        let connection = self.target.connection();
        let answer = self.send_and_hear(&requests, connection, Reach::Named, &heard);
        let answer = answer.await;
        if let Err(error) = &answer
            && error.is_the_hosts()
        {
            fail(error.clone());
        }
        answer
    }

    /// What an answer tells of the host, whatever was asked.
    fn learn(&self, answer: &Answer) {
        let mut base = answer.url.clone();
        base.set_path("/");
        base.set_query(None);
        let mut state = lock(&self.host.state);
        let known = match &mut *state {
            HostState::Known { challenge, .. } => challenge.take(),
            _ => None,
        };
        let challenge = match answer.status {
            401 => challenge::choose(answer.texts("www-authenticate")).map(without_scope),
            _ => None,
        };
        // Others may have heard since how it wants to be asked.
        let challenge = challenge.or(known);
        *state = HostState::Known { base, challenge };
    }

    /// Sends to the first of `bases` that answers.
    async fn send_to(
        &self,
        bases: &[Url],
        question: &Question,
        authorization: Option<&Authorization>,
    ) -> Result<Answer, RegistryError> {
        let requests = requests(bases, question, authorization)?;
        self.send_with_retries(&requests, self.target.connection(), Reach::Named)
            .await
    }

    /// Follows a redirect, or asks for a page that lies where one led. Nothing
    /// of ours goes along; a challenge there is answered as nobody.
    async fn follow_redirects(
        &self,
        question: &Question,
        base: &Url,
        mut to: Url,
        mut left: usize,
    ) -> Result<Answer, RegistryError> {
        let mut from = base.clone();
        let connection = without_identity(self.target.connection());
        loop {
            let reach = trust::redirect(base, &to, &self.registries.limits.trusted);
            let reach = reach.map_err(|why| RegistryError::Redirect {
                from: authority(&from),
                to: shown(&to),
                why,
            })?;
            let plain = [request(question, to.clone(), None)];
            let mut answer = self.send_with_retries(&plain, &connection, reach).await?;
            if answer.status == 401
                && let Some(Challenge::Bearer(said)) =
                    challenge::choose(answer.texts("www-authenticate"))
            {
                let authorization = self.anonymous(&said, &to, &connection).await?;
                let request = request(question, to.clone(), Some(&authorization.header));
                answer = self
                    .send_with_retries(&[request], &connection, reach)
                    .await?;
            }
            match location(&answer)? {
                None => return Ok(answer),
                Some(_) if left == 0 => return Err(RegistryError::Redirects(authority(base))),
                Some(next) => {
                    left -= 1;
                    from = std::mem::replace(&mut to, next);
                }
            }
        }
    }
}

/// A challenge without its scope, which is one request's alone.
fn without_scope(challenge: Challenge) -> Challenge {
    match challenge {
        Challenge::Bearer(bearer) => Challenge::Bearer(Bearer {
            scope: None,
            ..bearer
        }),
        Challenge::Basic => Challenge::Basic,
    }
}

/// The same way without our own certificate, which is a credential too.
pub(super) fn without_identity(connection: &Connection) -> Connection {
    Connection {
        identity: None,
        ..connection.clone()
    }
}

/// The question to each of `bases`.
fn requests(
    bases: &[Url],
    question: &Question,
    authorization: Option<&Authorization>,
) -> Result<Vec<Request>, RegistryError> {
    let ask = |base: &Url| {
        let url = base.join(&question.at);
        let url = url.map_err(|_| RegistryError::Link(super::link::BadLink::Unreadable))?;
        Ok(request(
            question,
            url,
            authorization.map(|authorization| &authorization.header),
        ))
    };
    bases.iter().map(ask).collect()
}

fn request(question: &Question, url: Url, authorization: Option<&HeaderValue>) -> Request {
    let mut request = Request::new(question.method.clone(), url);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(question.accept));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    let etag = question.etag.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(etag)) = etag {
        headers.insert(IF_NONE_MATCH, etag);
    }
    request
}

/// Where an answer redirects to.
fn location(answer: &Answer) -> Result<Option<Url>, RegistryError> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let to = answer
        .text("location")
        .and_then(|to| answer.url.join(to).ok());
    let is_plain = |to: &Url| to.username().is_empty() && to.password().is_none();
    to.filter(is_plain)
        .map(Some)
        .ok_or_else(|| RegistryError::NoRegistry {
            host: authority(&answer.url),
            what: format!("a redirect ({}) to nowhere", answer.status),
        })
}
