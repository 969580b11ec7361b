//! What lets a request in: an answer to the registry's challenge, and the tokens
//! that some of them take.

use std::time::Instant;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use super::address::Reach;
use super::answer::{authority, code_of, shown};
use super::challenge::Challenge;
use super::error::RegistryError;
use super::session::{Session, without_identity};
use super::token::{Token, Wanted};
use super::transport::Connection;
use super::trust;
use crate::login::{Credential, Secret};

/// Who we say we are to a token server that is asked by POST.
const CLIENT_ID: &str = "flux-image";

/// What goes into a request to be let in.
pub struct Pass {
    pub header: HeaderValue,
    /// The token in it, where it is one that can be asked for anew.
    pub token: Option<Secret>,
    /// The realm's host, where the credential was kept from it.
    pub untrusted: Option<String>,
}

impl Session<'_> {
    /// What lets us in, `None` where there is nothing to present.
    pub(super) async fn pass(
        &self,
        challenge: &Challenge,
        base: &Url,
        refused: Option<&Secret>,
    ) -> Result<Option<Pass>, RegistryError> {
        match (challenge, self.target.credential()) {
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
                let connection = self.target.connection();
                let pass = self.token(challenge, base, credential, connection, refused);
                pass.await.map(Some)
            }
            (Challenge::Basic, _) => Ok(None),
        }
    }

    /// What lets nobody in particular in.
    pub(super) async fn nobody(
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
}

fn post(url: Url, fields: &[(&str, &str)]) -> Request {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let mut request = Request::new(Method::POST, url);
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
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
