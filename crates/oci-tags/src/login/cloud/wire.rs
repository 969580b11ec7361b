//! The way of the clouds' crates to the network: through the proxy and the roots
//! of the environment, except to metadata services, which no proxy may see.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Request};
use url::Host;

use crate::http;

/// No answer of a cloud is longer.
const MOST_BYTES: usize = 1 << 20;
/// A metadata service is on the local network, or there is none.
const NEXT_DOOR: Duration = Duration::from_secs(2);
const FAR: Duration = Duration::from_secs(10);

/// Two clients, made when they are needed.
#[derive(Debug, Default)]
pub(super) struct Wire {
    near: OnceLock<Option<Client>>,
    far: OnceLock<Option<Client>>,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// No client can be made.
    #[error("a TLS client cannot be made; are root certificates installed?")]
    Client,
    /// No connection.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// The answer does not end, or broke off.
    #[error("{0} sent no whole answer")]
    Broken(String),
}

impl Wire {
    /// Sends a request; redirects are not followed.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, WireError> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let client = self.client(&request).ok_or(WireError::Client)?;
        let sent = client.execute(request).await;
        let mut response = sent.map_err(|_| WireError::Unreachable(host.clone()))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let Ok(Some(body)) = http::body(&mut response, MOST_BYTES).await else {
            return Err(WireError::Broken(host));
        };
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    fn client(&self, request: &Request) -> Option<Client> {
        let is_near = match request.url().host() {
            Some(Host::Ipv4(v4)) => v4.is_link_local() || v4.is_loopback(),
            Some(Host::Ipv6(v6)) => {
                v6.is_unicast_link_local() || v6.is_loopback() || v6.is_unique_local()
            }
            Some(Host::Domain(name)) => name == "localhost" || name == "metadata.google.internal",
            None => false,
        };
        let client = if is_near {
            let near = || http::client().no_proxy().connect_timeout(NEXT_DOOR);
            self.near.get_or_init(|| near().build().ok())
        } else {
            let far = || http::client().connect_timeout(FAR);
            self.far.get_or_init(|| far().build().ok())
        };
        client.clone()
    }
}
