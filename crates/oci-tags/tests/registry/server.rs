//! A registry on loopback that misbehaves as it is told: what a sound one never
//! does has to be done by somebody.

#![allow(dead_code, reason = "each of the tests that share it uses a part")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub at: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    pub fn path(&self) -> &str {
        self.at.split('?').next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is sent back.
pub enum Reply {
    Http {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection is closed without a word.
    Close,
    /// Nothing comes for so long, then the connection is closed.
    Hang(Duration),
    /// A list that begins, and then comes a blank at a time.
    Drip(Duration),
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Http {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A page of tags.
    pub fn tags(tags: &[&str]) -> Self {
        let tags: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
        Self::new(
            200,
            format!("{{\"name\":\"x\",\"tags\":[{}]}}", tags.join(",")),
        )
        .with("content-type", "application/json")
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }

    /// 401 with a challenge for a token of `realm`.
    pub fn bearer(realm: &str) -> Self {
        Self::new(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#).with(
            "www-authenticate",
            format!("Bearer realm=\"{realm}\",service=\"test\""),
        )
    }
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server that ends with its value.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Mutex<usize>>,
    broken: Arc<Mutex<usize>>,
    is_over: Arc<AtomicBool>,
}

/// A certificate for `localhost` and 127.0.0.1, and what signed it.
pub struct Identity {
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

/// Makes an authority and a certificate of it for this machine.
pub fn identity() -> Identity {
    identity_of(&["localhost", "127.0.0.1"])
}

/// Makes an authority and a certificate of it for these names.
pub fn identity_of(names: &[&str]) -> Identity {
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name
        .push(rcgen::DnType::CommonName, "test authority");
    let ca_pem = ca.self_signed(&ca_key).expect("an authority").pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = rcgen::CertificateParams::new(names).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    Identity {
        ca: ca_pem,
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

/// A certificate that vouches for itself, as `openssl req -x509` makes it: an
/// authority's, used as a server's own.
pub fn self_signed(names: &[&str], change: impl FnOnce(&mut rcgen::CertificateParams)) -> Identity {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut params);
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    Identity {
        ca: certificate.clone(),
        certificate,
        key: key.serialize_pem(),
    }
}

impl Server {
    /// Plain http.
    pub fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(handler))
    }

    /// TLS, with a certificate for clients to present where `clients` is their
    /// authority.
    pub fn start_tls(
        identity: &Identity,
        clients: Option<&str>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = rustls::RootCertStore::empty();
                let ca = CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM");
                roots.add(ca).expect("a root");
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                    Arc::new(roots),
                    provider,
                );
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let chain =
            vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
        let config = builder
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        Self::serve(Some(Arc::new(config)), Arc::new(handler))
    }

    fn serve(tls: Option<Arc<rustls::ServerConfig>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            asked: Arc::default(),
            connections: Arc::default(),
            broken: Arc::default(),
            is_over: Arc::default(),
        };
        let (asked, is_over) = (Arc::clone(&server.asked), Arc::clone(&server.is_over));
        let connections = Arc::clone(&server.connections);
        let broken = Arc::clone(&server.broken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                *connections.lock().expect("unpoisoned") += 1;
                let (handler, asked, tls) = (Arc::clone(&handler), Arc::clone(&asked), tls.clone());
                let broken = Arc::clone(&broken);
                std::thread::spawn(move || {
                    _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                    let said = match tls {
                        None => converse(stream, &handler, &asked),
                        Some(config) => {
                            let connection = rustls::ServerConnection::new(config).expect("TLS");
                            let stream = rustls::StreamOwned::new(connection, stream);
                            converse(stream, &handler, &asked)
                        }
                    };
                    *broken.lock().expect("unpoisoned") += usize::from(said == 0);
                });
            }
        });
        server
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("unpoisoned").clone()
    }

    /// `METHOD path` of each request so far.
    pub fn paths(&self) -> Vec<String> {
        let line = |asked: &Asked| format!("{} {}", asked.method, asked.at);
        self.asked().iter().map(line).collect()
    }

    /// Connections on which no request came: handshakes, mostly.
    pub fn broken(&self) -> usize {
        *self.broken.lock().expect("unpoisoned")
    }

    /// Connections that were made, those that broke included.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("unpoisoned")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The listener wakes up and sees it.
        _ = TcpStream::connect(self.address);
    }
}

/// Answers what comes, and says how much that was.
fn converse<S: Read + Write>(stream: S, handler: &Arc<Handler>, log: &Mutex<Vec<Asked>>) -> usize {
    let mut stream = BufReader::new(stream);
    let mut count = 0;
    while let Some(asked) = read(&mut stream) {
        count += 1;
        log.lock().expect("unpoisoned").push(asked.clone());
        match handler(&asked) {
            Reply::Close => return count,
            Reply::Hang(time) => {
                std::thread::sleep(time);
                return count;
            }
            Reply::Drip(pause) => {
                let stream = stream.get_mut();
                let head = "HTTP/1.1 200 X\r\ncontent-length: 1000000\r\n\r\n";
                let mut sent = stream.write_all(head.as_bytes());
                while sent.and_then(|()| stream.flush()).is_ok() {
                    std::thread::sleep(pause);
                    sent = stream.write_all(b" ");
                }
                return count;
            }
            Reply::Http {
                status,
                headers,
                body,
            } => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                let mut whole = head.into_bytes();
                if asked.method != "HEAD" {
                    whole.extend(body);
                }
                // In one piece, or the kernel waits for an acknowledgement.
                let stream = stream.get_mut();
                if stream.write_all(&whole).is_err() || stream.flush().is_err() {
                    return count;
                }
            }
        }
    }
    count
}

fn read<S: Read>(stream: &mut BufReader<S>) -> Option<Asked> {
    let mut line = String::new();
    // What is not a line of HTTP, a TLS handshake say, ends the conversation.
    stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let mut asked = Asked {
        method: words.next()?.to_owned(),
        at: words.next()?.to_owned(),
        ..Asked::default()
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        asked
            .headers
            .insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = asked.header("content-length").and_then(|n| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}
