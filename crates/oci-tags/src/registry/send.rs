//! Asking again: which trouble passes, how long it is waited out, and the way from
//! TLS to plain http where that is allowed.

use std::time::{Duration, Instant, SystemTime};

use reqwest::Request;
use url::Url;

use super::address::{self, Reach};
use super::answer::authority;
use super::error::RegistryError;
use super::retry;
use super::session::{MOST_BYTES, Session};
use super::transport::{self, Answer, Connection, Fault, Heard};

impl Session<'_> {
    /// Sends the first of `requests` that reaches anybody, again and again
    /// while the trouble may pass. A later request is tried only where an
    /// earlier one met nobody who speaks TLS.
    pub(super) async fn send_with_retries(
        &self,
        requests: &[Request],
        connection: &Connection,
        reach: Reach,
    ) -> Result<Answer, RegistryError> {
        self.send_and_hear(requests, connection, reach, &|_| {})
            .await
    }

    /// The same, and `heard` is told of every answer that begins.
    pub(super) async fn send_and_hear(
        &self,
        requests: &[Request],
        connection: &Connection,
        reach: Reach,
        heard: Heard<'_>,
    ) -> Result<Answer, RegistryError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self.once(requests, connection, reach, heard).await;
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
        heard: Heard<'_>,
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
            let sent = transport.send(connection, reach, copy, MOST_BYTES, heard);
            let sent = sent.await;
            drop(turn);
            let is_last = requests.len() == 1;
            trouble = match sent {
                Ok(answer) => return Ok(answer),
                Err(Fault::NotTls(what)) if is_last => RegistryError::Tls { host, what },
                Err(Fault::NotTls(what)) => RegistryError::Unreachable {
                    host,
                    what: what.to_string(),
                },
                Err(Fault::Io(what)) => RegistryError::Unreachable { host, what },
                // Somebody speaks TLS there, and not as they should: going on in
                // the clear is what an attacker would want.
                Err(Fault::Tls(what)) => return Err(RegistryError::Tls { host, what }),
                Err(Fault::Address) => return Err(RegistryError::Forbidden(host)),
                Err(Fault::Settings(what)) => return Err(RegistryError::Settings(what)),
                Err(Fault::TooLarge) => {
                    return Err(RegistryError::Endless("an answer has more than 16 MiB"));
                }
            };
        }
        Err(trouble)
    }
}

/// Whether asking again may help at all: there is a network, or it is this
/// machine that is asked.
fn has_way(requests: &[Request]) -> bool {
    let is_near = |request: &Request| address::is_loopback(request.url());
    requests.iter().any(is_near) || transport::has_route()
}
