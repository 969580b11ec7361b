//! What lets a request in: an answer to the registry's challenge, and the tokens
//! that some of them take.

use std::time::Instant;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use super::address::Reach;
use super::answer::{authority, code_of, shown};
use super::challenge::{Bearer, Challenge};
use super::error::RegistryError;
use super::session::{Session, without_identity};
use super::token::{Token, Wanted};
use super::transport::{Answer, Connection};
use super::trust::{self, NoRealm};
use crate::http;
use crate::login::{Credential, Secret};

/// Who we say we are to a token server that is asked by POST.
const CLIENT_ID: &str = "flux-image";

/// What a token may be asked for beside `pull`: what some registries call
/// reading a list (Azure's).
const READING: &[&str] = &["metadata_read"];

/// What goes into a request to be let in.
pub(super) struct Authorization {
    pub header: HeaderValue,
    /// The challenge that it answers, with the scope that was asked for.
    pub answers: Challenge,
    /// The token in it, where it is one that can be asked for anew.
    pub token: Option<Secret>,
    /// The realm's host, where the credential was kept from it.
    pub untrusted: Option<String>,
}

impl Session<'_> {
    /// What lets us in, `None` where there is nothing to present.
    pub(super) async fn authorize(
        &self,
        challenge: &Challenge,
        base: &Url,
        refused: Option<&Secret>,
    ) -> Result<Option<Authorization>, RegistryError> {
        let with = |header| {
            Some(Authorization {
                header,
                answers: self.answered(challenge),
                token: None,
                untrusted: None,
            })
        };
        match (challenge, self.target.credential()) {
            (Challenge::Basic, Credential::Basic { username, password }) => {
                Ok(with(basic(username, password)))
            }
            (Challenge::Bearer(_), Credential::RegistryToken(token)) => {
                // Docker's `registrytoken` goes as it is written.
                Ok(with(bearer(token, base)?))
            }
            (Challenge::Bearer(said), credential) => {
                let asked = asked_for(said, self.target.repository.path());
                let connection = self.target.connection();
                let authorization = self.token(asked, base, credential, connection, refused);
                authorization.await.map(Some)
            }
            (Challenge::Basic, _) => Ok(None),
        }
    }

    /// What lets nobody in particular in, where a redirect led to `at`.
    pub(super) async fn anonymous(
        &self,
        said: &Bearer,
        at: &Url,
        connection: &Connection,
    ) -> Result<Authorization, RegistryError> {
        let own = self.target.repository.path();
        let asked = asked_for(said, repository_in(at).unwrap_or(own));
        self.token(asked, at, &Credential::Anonymous, connection, None)
            .await
    }

    /// A challenge with what is asked for in answer to it.
    pub(super) fn answered(&self, challenge: &Challenge) -> Challenge {
        match challenge {
            Challenge::Bearer(said) => {
                Challenge::Bearer(asked_for(said, self.target.repository.path()))
            }
            Challenge::Basic => Challenge::Basic,
        }
    }

    async fn token(
        &self,
        asked: Bearer,
        registry: &Url,
        credential: &Credential,
        connection: &Connection,
        refused: Option<&Secret>,
    ) -> Result<Authorization, RegistryError> {
        let forbidden = |realm: String, why| RegistryError::ForbiddenRealm {
            registry: authority(registry),
            realm,
            why,
        };
        let url = registry
            .join(&asked.realm)
            .map_err(|_| forbidden("an address".to_owned(), NoRealm::Unreadable))?;
        let is_near = self.registries.transport.resolved.is_near(registry);
        let trust = trust::realm(registry, &url, is_near, &self.registries.limits.trusted);
        let (trust, reach) = trust.map_err(|why| forbidden(shown(&url), why))?;
        let is_kept = trust == trust::Realm::Anonymous && !credential.is_anonymous();
        let wanted = Wanted {
            registry: shown(registry),
            realm: url.to_string(),
            service: asked.service.clone(),
            scope: asked.scope.clone().unwrap_or_default(),
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
        let at = shown(&url);
        let token = self.fetch_token(&wanted, url, reach, refused).await;
        match token {
            Ok(token) => Ok(Authorization {
                header: bearer(&token, registry)?,
                answers: Challenge::Bearer(asked),
                token: Some(token),
                untrusted,
            }),
            Err(RegistryError::Denied { .. }) if let Some(realm) = untrusted => {
                Err(RegistryError::UntrustedRealm {
                    registry: authority(registry),
                    realm,
                })
            }
            // Its name was no more than a name until it was resolved.
            Err(RegistryError::Forbidden(_)) if reach == Reach::Public => {
                Err(forbidden(at, NoRealm::Address))
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch_token(
        &self,
        wanted: &Wanted,
        mut url: Url,
        reach: Reach,
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
        let service = wanted.service.as_deref();
        let service = service.map(|service| ("service", service));
        let request = match &wanted.credential {
            Credential::IdentityToken(token) => {
                let mut fields = vec![("scope", wanted.scope.as_str())];
                fields.extend(service);
                fields.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", token.reveal()),
                ]);
                http::form(url, &fields)
            }
            credential => {
                let scopes = wanted.scope.split(' ').map(|scope| ("scope", scope));
                url.query_pairs_mut().extend_pairs(scopes.chain(service));
                let mut request = Request::new(Method::GET, url);
                if let Credential::Basic { username, password } = credential {
                    let header = basic(username, password);
                    request.headers_mut().insert(AUTHORIZATION, header);
                }
                request
            }
        };
        let answer = self
            .send_with_retries(&[request], &wanted.connection, reach)
            .await;
        let token = answer.and_then(|answer| match answer.status {
            200 => Token::read(&answer, Instant::now()),
            400 | 401 | 403 => Err(denied(&answer, &wanted.credential)),
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

/// The challenge with what a token must allow in place of what it says: to
/// pull from the repository at `path`, and of the registry's own word what
/// else is reading the same repository.
fn asked_for(said: &Bearer, path: &str) -> Bearer {
    let scope = said.scope.as_deref().unwrap_or_default();
    Bearer {
        scope: Some(scopes(path, scope)),
        ..said.clone()
    }
}

/// The scopes of a token, separated by blanks (OAuth 2): `pull` from the
/// repository, and what of `said`, a challenge's scopes, reads the same one.
fn scopes(path: &str, said: &str) -> String {
    let mut all = format!("repository:{path}:pull");
    let said = said.split(' ').filter_map(|scope| {
        let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
        (name == path).then_some(actions)
    });
    let said: Vec<&str> = said.flat_map(|actions| actions.split(',')).collect();
    for action in READING.iter().filter(|action| said.contains(action)) {
        all.push_str(&format!(" repository:{path}:{action}"));
    }
    all
}

/// The repository that an address of the distribution API is about.
fn repository_in(url: &Url) -> Option<&str> {
    let (_, rest) = url.path().split_once("/v2/")?;
    let kinds = ["/tags/", "/manifests/", "/blobs/"].iter();
    // A name may have such a step in it, too: the last one counts.
    kinds
        .filter_map(|kind| rest.rsplit_once(kind))
        .map(|(name, _)| name)
        .max_by_key(|name| name.len())
}

/// 401 and the like to whom showed `credential`.
pub(super) fn denied(answer: &Answer, credential: &Credential) -> RegistryError {
    RegistryError::Denied {
        host: authority(&answer.url),
        status: answer.status,
        code: code_of(answer),
        anonymous: credential.is_anonymous(),
        line_break: credential.ends_in_line_break(),
    }
}

/// `None` where it has characters that fit in no header.
fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn basic(username: &str, password: &Secret) -> HeaderValue {
    let pair = format!("{username}:{}", password.reveal());
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let header = secret_header(&format!("Basic {encoded}"));
    // Base64 fits in every header.
    header.unwrap_or_else(|| HeaderValue::from_static("Basic"))
}

fn bearer(token: &Secret, registry: &Url) -> Result<HeaderValue, RegistryError> {
    let header = secret_header(&format!("Bearer {}", token.reveal()));
    header.ok_or_else(|| RegistryError::Unsendable {
        host: authority(registry),
        line_break: token.ends_in_line_break(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What registries say that they want, and what they are asked for.
    #[test]
    fn what_is_asked_for() {
        let pull = "repository:acme/app:pull";
        let both = "repository:acme/app:pull repository:acme/app:metadata_read";
        for (said, expected) in [
            ("", pull),
            (pull, pull),
            ("repository:acme/app:metadata_read", both),
            ("repository:acme/app:metadata_read,pull", both),
            ("repository:acme/app:pull,push,metadata_read,delete", both),
            (
                "repository:acme/app:pull repository:acme/app:metadata_read",
                both,
            ),
            ("repository:acme/app:push", pull),
            ("repository:acme/app:*", pull),
            ("repository:acme/app:metadata_write", pull),
            ("repository:acme/secret:metadata_read", pull),
            ("repository:acme/secret:pull", pull),
            ("repository:acme:app:metadata_read", pull),
            ("registry:catalog:*", pull),
            ("aws", pull),
        ] {
            assert_eq!(scopes("acme/app", said), expected, "{said}");
        }
    }

    #[test]
    fn the_repository_of_an_address() {
        for (url, expected) in [
            ("https://r.example/v2/a/b/tags/list?n=1", Some("a/b")),
            ("https://r.example/v2/a/tags/manifests/1", Some("a/tags")),
            ("https://r.example/x/v2/a/blobs/sha256:1", Some("a")),
            ("https://r.example/moved/list", None),
        ] {
            let parsed = Url::parse(url).expect(url);
            assert_eq!(repository_in(&parsed), expected, "{url}");
        }
    }
}
