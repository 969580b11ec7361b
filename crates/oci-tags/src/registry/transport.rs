//! One request, one answer: clients by their TLS and proxy settings, names that
//! are resolved with care, bodies that end.
//!
//! Redirects, retries and logins are decided elsewhere; nothing here follows,
//! repeats or authenticates by itself.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Proxy, Request};
use url::Url;

use super::address::{self, Reach};
use super::lock;
use super::resolver::{Guard, NotAsked, Resolved};
use super::tls::{self, Roots, TlsFault};
use super::trust::{Part, Rank, Ranked};
use crate::http;
use crate::login::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What documents say of a repository's connections, and whose word it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    /// Certificates (PEM) that count beside the system's.
    pub ca: Option<Ranked<String>>,
    /// Our own certificate and its key (PEM).
    pub identity: Option<Ranked<Secret>>,
    /// The way out; that of the environment where absent.
    pub proxy: Option<Ranked<ProxySettings>>,
    /// Plain http will do where TLS is not spoken.
    pub insecure: Option<Rank>,
}

impl Connection {
    /// What was named of it, and by whom.
    pub fn parts(&self) -> impl Iterator<Item = (Part, Rank)> {
        let proxy = self.proxy.as_ref().map(|proxy| (Part::Proxy, proxy.by));
        let ca = self.ca.as_ref().map(|ca| (Part::Ca, ca.by));
        let identity = self.identity.as_ref();
        let identity = identity.map(|own| (Part::ClientCertificate, own.by));
        let insecure = self.insecure.map(|by| (Part::Insecure, by));
        [proxy, ca, identity, insecure].into_iter().flatten()
    }

    /// The same, where the user has said that what documents name of it is as
    /// good as their own word (`--trust-connection`).
    #[must_use]
    pub fn trusted(self) -> Self {
        fn own<T>(part: Option<Ranked<T>>) -> Option<Ranked<T>> {
            part.map(|part| Ranked::new(part.value, Rank::User))
        }
        Self {
            ca: own(self.ca),
            identity: own(self.identity),
            proxy: own(self.proxy),
            insecure: self.insecure.map(|_| Rank::User),
        }
    }
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxySettings {
    /// Its URL, which may hold a password.
    pub address: Secret,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}

impl ProxySettings {
    /// Whether the proxy is told a password, or a user name.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        let in_address = Url::parse(self.address.reveal())
            .is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
        in_address || self.username.is_some() || self.password.is_some()
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// Where it came from.
    pub url: Url,
}

impl Answer {
    /// The values of a header that are text.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all(name).into_iter();
        values.filter_map(|value| value.to_str().ok())
    }

    /// The first of them.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }
}

/// Who is told that an answer begins, before its body comes: that may take long.
pub(super) type Heard<'h> = &'h (dyn Fn(&Answer) + Send + Sync);

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The peer does not speak TLS.
    NotTls(TlsFault),
    /// It speaks TLS, and it failed.
    Tls(TlsFault),
    /// No connection, or one that broke.
    Io(String),
    /// The name leads to an address that is not asked.
    Address,
    /// The body does not end.
    TooLarge,
    /// The settings make no client.
    Settings(String),
}

/// Clients, each made once.
#[derive(Debug, Default)]
pub(super) struct Transport {
    clients: Mutex<HashMap<(Connection, Reach, bool), Client>>,
    roots: OnceLock<Roots>,
    /// What names led to.
    pub resolved: Resolved,
    /// Hosts of the environment's proxies, which may be near.
    proxies: BTreeSet<String>,
}

impl Transport {
    /// A transport. `proxies` are the host names of the proxies that the
    /// environment names.
    pub(super) fn new(proxies: BTreeSet<String>) -> Self {
        Self {
            clients: Mutex::default(),
            roots: OnceLock::new(),
            resolved: Resolved::default(),
            proxies,
        }
    }

    /// Sends `request` and reads at most `most` bytes of the body.
    pub(super) async fn send(
        &self,
        connection: &Connection,
        reach: Reach,
        request: Request,
        most: usize,
        heard: Heard<'_>,
    ) -> Result<Answer, Fault> {
        if !reach.allows_host(request.url()) {
            return Err(Fault::Address);
        }
        // As in Go, this machine is reached without the environment's proxy.
        let is_direct = address::is_loopback(request.url());
        let client = self.client(connection, reach, is_direct)?;
        let url = request.url().clone();
        let mut response = client.execute(request).await.map_err(fault)?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: Vec::new(),
            url,
        };
        heard(&answer);
        let body = http::body(&mut response, most).await.map_err(fault)?;
        answer.body = body.ok_or(Fault::TooLarge)?;
        Ok(answer)
    }

    fn client(
        &self,
        connection: &Connection,
        reach: Reach,
        is_direct: bool,
    ) -> Result<Client, Fault> {
        let mut clients = lock(&self.clients);
        let key = (connection.clone(), reach, is_direct);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(connection, reach, is_direct)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn build(
        &self,
        connection: &Connection,
        reach: Reach,
        is_direct: bool,
    ) -> Result<Client, Fault> {
        let mut near = self.proxies.clone();
        let mut builder = http::client().connect_timeout(CONNECT_TIMEOUT);
        if let Some(settings) = &connection.proxy {
            let proxy = proxy(&settings.value)?;
            near.extend(host_of(settings.value.address.reveal()));
            builder = builder.no_proxy().proxy(proxy);
        } else if is_direct {
            builder = builder.no_proxy();
        }
        // Without a single root plain http still works, and TLS says what it
        // lacks.
        let system = self.roots.get_or_init(Roots::of_the_system);
        let roots = match &connection.ca {
            None => system.clone(),
            Some(pem) => system
                .with_pem(&pem.value)
                .ok_or_else(|| Fault::Settings("`ca.crt` contains no certificate in PEM".into()))?,
        };
        let identity = connection.identity.as_ref().map(|own| &own.value);
        let tls =
            tls::config(roots, identity).map_err(|error| Fault::Settings(error.to_string()))?;
        let guard = Guard {
            reach,
            near,
            resolved: self.resolved.clone(),
        };
        builder
            .dns_resolver(Arc::new(guard))
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| Fault::Settings(deepest(&error.without_url())))
    }
}

fn proxy(settings: &ProxySettings) -> Result<Proxy, Fault> {
    // The address may hold a password, so what is wrong with it stays unsaid.
    let bad =
        |_| Fault::Settings("`address` of the proxy's Secret is not the URL of a proxy".into());
    let address = settings.address.reveal();
    let scheme = Url::parse(address).map_err(|_| bad(()))?;
    if !matches!(scheme.scheme(), "http" | "https") {
        return Err(bad(()));
    }
    // An address is not resolved, so the resolver's guard does not see it.
    if !Reach::Named.allows_host(&scheme) {
        return Err(Fault::Address);
    }
    let proxy = Proxy::all(address).map_err(|_| bad(()))?;
    Ok(match (&settings.username, &settings.password) {
        (None, None) => proxy,
        (username, password) => proxy.basic_auth(
            username.as_deref().unwrap_or_default(),
            password.as_ref().map_or("", Secret::reveal),
        ),
    })
}

/// The host of a proxy's address, which may lack a scheme.
#[must_use]
pub fn host_of(address: &str) -> Option<String> {
    let parsed = Url::parse(address).ok().filter(Url::has_host);
    let url = parsed.or_else(|| Url::parse(&format!("http://{address}")).ok())?;
    url.host_str().map(str::to_owned)
}

/// Whether packets would leave this machine at all; none is sent.
pub(super) fn has_route() -> bool {
    // Documentation addresses (RFC 5737, RFC 3849): a route to them is a route
    // to anywhere.
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")]
        .iter()
        .any(|(from, to)| UdpSocket::bind(from).is_ok_and(|socket| socket.connect(to).is_ok()))
}

fn fault(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    let is_connect = error.is_connect();
    for cause in causes(&error) {
        if cause.is::<NotAsked>() {
            return Fault::Address;
        }
        match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidMessage(_)) if is_connect => {
                return Fault::NotTls(TlsFault::NotTls);
            }
            Some(tls) => return Fault::Tls(TlsFault::from(tls)),
            None => {}
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        if is_connect && kind.is_some_and(|kind| closed.contains(&kind)) {
            return Fault::NotTls(TlsFault::Closed);
        }
    }
    Fault::Io(if error.is_timeout() {
        "timed out".to_owned()
    } else {
        deepest(&error)
    })
}

/// An error and its causes. What an I/O error is made of is its cause here,
/// though it does not say so itself, however often it is wrapped.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

fn cause_of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match inner {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// What the cause of all causes says.
fn deepest(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}
