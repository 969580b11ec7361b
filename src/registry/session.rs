//! One repository's conversation with its registry: the scheme is settled, the
//! challenge answered, a redirect followed, a broken answer asked for again.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;

use super::address::{self, Reach};
use super::challenge::{self, Challenge};
use super::client::{Host, Registries, Target};
use super::error::RegistryError;
use super::token::{Token, Wanted};
use super::transport::{self, Answer, Connection, Fault};
use super::{retry, trust};
use crate::login::{Credential, Secret};

const MOST_REDIRECTS: usize = 3;
/// Largest body that is read: a page of tags, or a manifest.
pub const MOST_BYTES: usize = 16 << 20;
/// Who we say we are to a token server that is asked by POST.
const CLIENT_ID: &str = "flux-image";

/// A repository's turn.
pub struct Session<'a> {
    pub(super) registries: &'a Registries,
    pub(super) target: &'a Target,
    pub(super) host: Arc<Host>,
    pub(super) deadline: Instant,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
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

/// What goes into a request to be let in.
struct Pass {
    header: HeaderValue,
    /// The token in it, where it is one that can be asked for anew.
    token: Option<Secret>,
    /// The realm's host, where the credential was kept from it.
    untrusted: Option<String>,
}

impl Session<'_> {
    /// Asks, and comes back with an answer that is no challenge, no redirect
    /// and no passing trouble.
    pub async fn ask(&self, question: &Question) -> Result<Answer, RegistryError> {
        let base = self.base();
        if let (Some(base), Ok(url)) = (&base, Url::parse(&question.at))
            && url.origin() != base.origin()
        {
            return self
                .elsewhere(question, base, url, MOST_REDIRECTS - 1)
                .await;
        }
        let answer = self.admitted(question).await?;
        let base = answer.url.clone();
        match location(&answer)? {
            None => Ok(answer),
            Some(to) => {
                self.elsewhere(question, &base, to, MOST_REDIRECTS - 1)
                    .await
            }
        }
    }

    fn base(&self) -> Option<Url> {
        let base = self.host.base.lock();
        base.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn challenge(&self) -> Option<Challenge> {
        let challenge = self.host.challenge.lock();
        challenge.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps how the host wants to be asked; the scope is this request's alone.
    fn remember(&self, challenge: Option<Challenge>) {
        let challenge = challenge.map(|challenge| match challenge {
            Challenge::Bearer { realm, service, .. } => Challenge::Bearer {
                realm,
                service,
                scope: None,
            },
            Challenge::Basic => Challenge::Basic,
        });
        let known = self.host.challenge.lock();
        *known.unwrap_or_else(PoisonError::into_inner) = challenge;
    }

    /// The address of a page as a question has it: whole where the list has
    /// moved to another host, else path and query, so that it means the same
    /// however the registry is reached.
    pub fn relative(&self, next: &Url) -> String {
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
    async fn admitted(&self, question: &Question) -> Result<Answer, RegistryError> {
        let (mut answer, mut pass) = self.first(question).await?;
        // Once for the challenge, once for a token that has run out.
        for _ in 0..2 {
            if answer.status != 401 {
                return Ok(answer);
            }
            let Some(challenge) = challenge::choose(answer.texts("www-authenticate")) else {
                break;
            };
            let refused = pass.as_ref().and_then(|pass| pass.token.clone());
            let is_untrusted = pass.as_ref().is_some_and(|pass| pass.untrusted.is_some());
            if is_untrusted || pass.is_some() && refused.is_none() {
                break;
            }
            self.remember(Some(challenge.clone()));
            let base = answer.url.clone();
            let next = self.pass(&challenge, &base, refused.as_ref()).await?;
            if next.is_none() {
                break;
            }
            pass = next;
            answer = self.send_to(&[base], question, pass.as_ref()).await?;
        }
        match pass.and_then(|pass| pass.untrusted) {
            Some(realm) if matches!(answer.status, 401 | 403) => {
                Err(RegistryError::UntrustedRealm {
                    registry: authority(&answer.url),
                    realm,
                })
            }
            _ => Ok(answer),
        }
    }

    /// The first answer, and the pass it came with. Of all who ask a host for
    /// the first time one goes ahead, so that scheme and challenge are learned
    /// once.
    async fn first(&self, question: &Question) -> Result<(Answer, Option<Pass>), RegistryError> {
        if self.base().is_none() {
            let _lead = self.host.lead.lock().await;
            if self.base().is_none() {
                return self.lead(question).await.map(|answer| (answer, None));
            }
        }
        let bases: Vec<Url> = self.base().into_iter().collect();
        let pass = match (self.challenge(), bases.first()) {
            (Some(challenge), Some(base)) => self.pass(&challenge, base, None).await?,
            _ => None,
        };
        let answer = self.send_to(&bases, question, pass.as_ref()).await?;
        Ok((answer, pass))
    }

    /// Learns scheme and challenge of the host. Where nobody answers, nobody is
    /// asked again: the next in line gets the same error at once.
    async fn lead(&self, question: &Question) -> Result<Answer, RegistryError> {
        let failed = || {
            self.host
                .failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(error) = &*failed() {
            return Err(error.clone());
        }
        let bases = self.target.bases()?;
        // What stays behind where the deadline ends this.
        *failed() = Some(RegistryError::Unreachable {
            host: self.target.repository.host().to_owned(),
            what: "it did not answer an earlier request".to_owned(),
        });
        let answer = self.send_to(&bases, question, None).await;
        *failed() = answer.as_ref().err().cloned();
        let answer = answer?;
        let mut base = answer.url.clone();
        base.set_path("/");
        base.set_query(None);
        *(self.host.base.lock()).unwrap_or_else(PoisonError::into_inner) = Some(base);
        if answer.status == 401 {
            self.remember(challenge::choose(answer.texts("www-authenticate")));
        }
        Ok(answer)
    }

    /// Sends to the first of `bases` that answers.
    async fn send_to(
        &self,
        bases: &[Url],
        question: &Question,
        pass: Option<&Pass>,
    ) -> Result<Answer, RegistryError> {
        let mut requests = Vec::new();
        for base in bases {
            let url = base.join(&question.at);
            let url = url.map_err(|_| RegistryError::Link(super::link::BadLink::Unreadable))?;
            requests.push(request(question, url, pass.map(|pass| &pass.header)));
        }
        self.persist(&requests, &self.target.connection, Reach::Named)
            .await
    }

    /// Follows a redirect, or asks for a page that lies where one led. Nothing
    /// of ours goes along; a challenge there is answered as nobody.
    async fn elsewhere(
        &self,
        question: &Question,
        base: &Url,
        mut to: Url,
        mut left: usize,
    ) -> Result<Answer, RegistryError> {
        let mut from = base.clone();
        let connection = without_identity(&self.target.connection);
        loop {
            let reach = trust::redirect(base, &to, &self.registries.limits.trusted);
            let reach = reach.map_err(|why| RegistryError::Redirect {
                from: authority(&from),
                to: shown(&to),
                why,
            })?;
            let plain = [request(question, to.clone(), None)];
            let mut answer = self.persist(&plain, &connection, reach).await?;
            if answer.status == 401
                && let Some(challenge @ Challenge::Bearer { .. }) =
                    challenge::choose(answer.texts("www-authenticate"))
            {
                let pass = self.nobody(&challenge, &to, &connection).await?;
                let request = request(question, to.clone(), Some(&pass.header));
                answer = self.persist(&[request], &connection, reach).await?;
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

    /// What lets us in, `None` where there is nothing to present.
    async fn pass(
        &self,
        challenge: &Challenge,
        base: &Url,
        refused: Option<&Secret>,
    ) -> Result<Option<Pass>, RegistryError> {
        match (challenge, &self.target.credential) {
            (Challenge::Basic, Credential::Basic { username, password }) => Ok(Some(Pass {
                header: basic(username, password)?,
                token: None,
                untrusted: None,
            })),
            (Challenge::Bearer { .. }, Credential::RegistryToken(token)) => Ok(Some(Pass {
                header: bearer(token)?,
                token: None,
                untrusted: None,
            })),
            (Challenge::Bearer { .. }, credential) => {
                let connection = &self.target.connection;
                let pass = self.token(challenge, base, credential, connection, refused);
                pass.await.map(Some)
            }
            (Challenge::Basic, _) => Ok(None),
        }
    }

    async fn nobody(
        &self,
        challenge: &Challenge,
        at: &Url,
        connection: &Connection,
    ) -> Result<Pass, RegistryError> {
        self.token(challenge, at, &Credential::Anonymous, connection, None)
            .await
    }

    async fn token(
        &self,
        challenge: &Challenge,
        registry: &Url,
        credential: &Credential,
        connection: &Connection,
        refused: Option<&Secret>,
    ) -> Result<Pass, RegistryError> {
        let Challenge::Bearer {
            realm,
            service,
            scope,
        } = challenge
        else {
            return Err(RegistryError::Settings("no token is asked for".to_owned()));
        };
        let url = registry
            .join(realm)
            .map_err(|_| RegistryError::ForbiddenRealm {
                registry: authority(registry),
                realm: "an address".to_owned(),
                why: "it is no URL",
            })?;
        let trust = trust::realm(registry, &url, &self.registries.limits.trusted);
        if trust == trust::Realm::Never {
            return Err(RegistryError::ForbiddenRealm {
                registry: authority(registry),
                realm: shown(&url),
                why: "it is plain http, a link-local address or a metadata service, or has a user name in it",
            });
        }
        let is_kept = trust == trust::Realm::Anonymous && !credential.is_anonymous();
        let wanted = Wanted {
            registry: shown(registry),
            realm: url.to_string(),
            service: service.clone(),
            scope: self.scope(scope.as_deref()),
            credential: if is_kept {
                Credential::Anonymous
            } else {
                credential.clone()
            },
            connection: if trust == trust::Realm::Anonymous {
                without_identity(connection)
            } else {
                connection.clone()
            },
        };
        let untrusted = is_kept.then(|| authority(&url));
        let token = self.fetch_token(&wanted, url, refused).await;
        match token {
            Ok(token) => Ok(Pass {
                header: bearer(&token)?,
                token: Some(token),
                untrusted,
            }),
            Err(RegistryError::Denied { .. }) if let Some(realm) = untrusted => {
                Err(RegistryError::UntrustedRealm {
                    registry: authority(registry),
                    realm,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// What the token must allow. The registry's own word counts only where it
    /// asks for no more than reading.
    fn scope(&self, asked: Option<&str>) -> String {
        let own = format!("repository:{}:pull", self.target.repository.path());
        let is_reading = |scope: &&str| {
            scope.starts_with("repository:") && scope.ends_with(":pull") && !scope.contains(' ')
        };
        match asked.filter(is_reading) {
            Some(asked) => asked.to_owned(),
            None => own,
        }
    }

    async fn fetch_token(
        &self,
        wanted: &Wanted,
        mut url: Url,
        refused: Option<&Secret>,
    ) -> Result<Secret, RegistryError> {
        let slot = self.registries.tokens.slot(wanted);
        let mut slot = slot.lock().await;
        match &*slot {
            Some(Ok(token)) if token.is_good(Instant::now(), refused) => {
                return Ok(token.secret.clone());
            }
            Some(Err(error)) => return Err(error.clone()),
            _ => {}
        }
        let mut fields = vec![("scope", wanted.scope.as_str())];
        fields.extend(
            wanted
                .service
                .as_deref()
                .map(|service| ("service", service)),
        );
        let request = match &wanted.credential {
            Credential::IdentityToken(token) => {
                fields.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", token.reveal()),
                ]);
                post(url, &fields)
            }
            credential => {
                url.query_pairs_mut().extend_pairs(&fields);
                let mut request = Request::new(Method::GET, url);
                if let Credential::Basic { username, password } = credential {
                    let header = basic(username, password)?;
                    request.headers_mut().insert(AUTHORIZATION, header);
                }
                request
            }
        };
        let answer = self
            .persist(&[request], &wanted.connection, Reach::Named)
            .await;
        let token = answer.and_then(|answer| match answer.status {
            200 => Token::read(&answer, Instant::now()),
            status @ (400 | 401 | 403) => Err(RegistryError::Denied {
                host: authority(&answer.url),
                status,
                code: code_of(&answer),
                anonymous: wanted.credential.is_anonymous(),
            }),
            status @ 300..=399 => Err(RegistryError::Token {
                host: authority(&answer.url),
                what: format!("redirects ({status}), which is not followed"),
            }),
            status => Err(RegistryError::Token {
                host: authority(&answer.url),
                what: format!("answered {status}"),
            }),
        });
        *slot = Some(token.clone());
        token.map(|token| token.secret)
    }

    /// Sends the first of `requests` that reaches anybody, again and again
    /// while the trouble may pass. A later request is tried only where an
    /// earlier one met nobody who speaks TLS.
    async fn persist(
        &self,
        requests: &[Request],
        connection: &Connection,
        reach: Reach,
    ) -> Result<Answer, RegistryError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self.once(requests, connection, reach).await;
            let wait = match &answer {
                Ok(answer) if retry::is_passing(answer.status) => {
                    let header = answer.text("retry-after");
                    let asked = header.and_then(|text| retry::after(text, SystemTime::now()));
                    if let Some(asked) = asked {
                        self.patience(&answer.url, asked)?;
                    }
                    asked.map(|asked| asked.min(retry::LONGEST_WAIT))
                }
                Err(error) if error.is_passing() && has_way(requests) => None,
                _ => return answer,
            };
            let wait = wait.unwrap_or_else(|| {
                retry::backoff(self.registries.limits.backoff, attempt, fastrand::f64())
            });
            if attempt == retry::ATTEMPTS || Instant::now() + wait > self.deadline {
                return answer;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether there is time for what a registry asks.
    fn patience(&self, url: &Url, wait: Duration) -> Result<(), RegistryError> {
        if Instant::now() + wait.min(retry::LONGEST_WAIT) > self.deadline {
            return Err(RegistryError::Later {
                host: authority(url),
                wait,
            });
        }
        Ok(())
    }

    async fn once(
        &self,
        requests: &[Request],
        connection: &Connection,
        reach: Reach,
    ) -> Result<Answer, RegistryError> {
        let mut trouble = RegistryError::Settings("nothing is asked".to_owned());
        for request in requests {
            let host = authority(request.url());
            // No body here is a stream.
            let Some(copy) = request.try_clone() else {
                continue;
            };
            let turns = self.registries.requests_to(request.url());
            let turn = turns.acquire().await;
            let transport = &self.registries.transport;
            let sent = transport.send(connection, reach, copy, MOST_BYTES).await;
            drop(turn);
            let (what, is_tls) = match sent {
                Ok(answer) => return Ok(answer),
                Err(Fault::NotTls(what)) => (what, true),
                Err(Fault::Io(what)) => (what, false),
                // Somebody speaks TLS there, and not as they should: going on in
                // the clear is what an attacker would want.
                Err(Fault::Tls(what)) => return Err(RegistryError::Tls { host, what }),
                Err(Fault::Address) => return Err(RegistryError::Forbidden(host)),
                Err(Fault::Settings(what)) => return Err(RegistryError::Settings(what)),
                Err(Fault::TooLarge) => {
                    return Err(RegistryError::Endless("an answer has more than 16 MiB"));
                }
            };
            let is_last = requests.len() == 1;
            trouble = if is_tls && is_last {
                RegistryError::Tls { host, what }
            } else {
                RegistryError::Unreachable { host, what }
            };
        }
        Err(trouble)
    }
}

/// The same way without our own certificate, which is a credential too.
fn without_identity(connection: &Connection) -> Connection {
    Connection {
        identity: None,
        ..connection.clone()
    }
}

/// Whether asking again may help at all: there is a network, or it is this
/// machine that is asked.
fn has_way(requests: &[Request]) -> bool {
    let is_near = |request: &Request| address::is_loopback(request.url());
    requests.iter().any(is_near) || transport::has_route()
}

fn request(question: &Question, url: Url, pass: Option<&HeaderValue>) -> Request {
    let mut request = Request::new(question.method.clone(), url);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(question.accept));
    if let Some(pass) = pass {
        headers.insert(AUTHORIZATION, pass.clone());
    }
    let etag = question.etag.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(etag)) = etag {
        headers.insert(IF_NONE_MATCH, etag);
    }
    request
}

fn post(url: Url, fields: &[(&str, &str)]) -> Request {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let mut request = Request::new(Method::POST, url);
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request
        .headers_mut()
        .insert(reqwest::header::CONTENT_TYPE, form);
    *request.body_mut() = Some(body.finish().into());
    request
}

fn secret_header(text: &str) -> Result<HeaderValue, RegistryError> {
    let mut header = HeaderValue::from_str(text).map_err(|_| {
        RegistryError::Settings("the credential has characters that fit in no header".to_owned())
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn basic(username: &str, password: &Secret) -> Result<HeaderValue, RegistryError> {
    let pair = format!("{username}:{}", password.reveal());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    secret_header(&format!("Basic {encoded}"))
}

fn bearer(token: &Secret) -> Result<HeaderValue, RegistryError> {
    secret_header(&format!("Bearer {}", token.reveal()))
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

/// The first error code of the specification in a body ("Error Codes").
pub fn code_of(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        code: String,
    }
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    let code = body.errors.into_iter().next()?.code;
    // Anything else could be what we sent, sent back. Codes are a few words.
    const CODES: &[&str] = &[
        "BLOB_UNKNOWN",
        "DENIED",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "TAG_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNAVAILABLE",
        "UNKNOWN",
        "UNSUPPORTED",
    ];
    CODES.contains(&code.as_str()).then_some(code)
}

/// Host, with the port where it is not the scheme's own.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Scheme and host: what may be said of an address that a registry gave.
fn shown(url: &Url) -> String {
    format!("{}://{}", address::scheme_of(url), authority(url))
}
