//! Real registries on loopback: distribution 2 and 3.
//!
//! Where one is missing its tests print SKIPPED; with `FLUX_IMAGE_TEST_INSTALL=1` it
//! is brought, and what is missing then is a failure.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oci_tags::login::Secret;
use oci_tags::registry::RegistryError;
use tempfile::TempDir;

use super::client::{
    PASSWORD, by, digest as digest_of, list_all, own, tags, target, with, with_password,
};
use super::server::{Asked, Reply, Server, identity};
use super::services;
use super::support::skipped;

/// The bcrypt of the password of all tests.
const HTPASSWD: &str = "alice:$2b$04$DQt47C4tgGG9CrDG1rvJc.8e3Y4IokBq5gr3A9CBnNMUXGx91LBf.\n";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Debian's.
    Two,
    /// As `tests/services/install` builds it.
    Three,
}

/// A registry that ends with its value.
struct Real {
    child: Child,
    folder: TempDir,
    host: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn program(version: Version) -> Option<PathBuf> {
    services::program(match version {
        Version::Two => "docker-registry",
        Version::Three => "registry",
    })
}

/// Leaves a test out for want of a program, where that may be.
pub fn left_out(test: &str, why: &str) {
    assert!(!services::must_be_here(), "{test}: {why}");
    skipped(test, why);
}

impl Real {
    /// Starts one; `None` where there is none to start.
    fn start(version: Version, test: &str, more: &str) -> Option<Self> {
        let Some(program) = program(version) else {
            left_out(test, "no registry to start; run tests/services/install");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = free.local_addr().expect("an address").to_string();
        drop(free);
        let data = folder.path().join("data");
        let http = format!("http:\n  addr: {host}\n");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n{}",
            data.display(),
            if more.starts_with("http:") {
                more.replace("ADDR", &host)
            } else {
                format!("{http}{more}")
            }
        );
        let config = config.replace("FOLDER", &folder.path().display().to_string());
        let path = folder.path().join("config.yml");
        fs::write(&path, config).expect("written");
        let child = Command::new(program)
            .arg("serve")
            .arg(&path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(fs::File::create(folder.path().join("log")).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let real = Self {
            child,
            folder,
            host,
        };
        let begin = Instant::now();
        while TcpStream::connect(&real.host).is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{test}: the registry does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(real)
    }

    /// Puts tags of one manifest where the registry keeps them; pushing each by
    /// its API would take longer than everything else.
    fn fill(&self, name: &str, tags: impl Iterator<Item = String>) {
        let data = self.folder.path().join("data/docker/registry/v2");
        let blob = |bytes: &[u8]| {
            let hex: String = digest(&SHA256, bytes)
                .as_ref()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let folder = data.join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("data"), bytes).expect("written");
            hex
        };
        let config = blob(b"{}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{config}","size":2}},"layers":[]}}"#
        );
        let hex = blob(manifest.as_bytes());
        let repository = data.join("repositories").join(name);
        let link = |folder: PathBuf| {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("link"), format!("sha256:{hex}")).expect("written");
        };
        link(repository.join(format!("_manifests/revisions/sha256/{hex}")));
        for tag in tags {
            link(repository.join(format!("_manifests/tags/{tag}/current")));
        }
    }
}

fn numbered(n: usize) -> impl Iterator<Item = String> {
    (0..n).map(|n| format!("v{n:05}"))
}

#[test]
fn open_registries() {
    for version in [Version::Two, Version::Three] {
        let Some(real) = Real::start(version, "open_registries", "") else {
            continue;
        };
        real.fill("acme/app", numbered(2500));
        let target = target(&real.host, "acme/app");
        assert_eq!(
            tags(&target).expect("a list"),
            numbered(2500).collect::<Vec<_>>()
        );
        let digest = digest_of(&target, "v00001").expect("a digest");
        assert!(digest.starts_with("sha256:"), "{digest}");
        let gone =
            tags(&super::client::target(&real.host, "acme/gone")).expect_err("no such repository");
        assert!(gone.to_string().contains("404 NAME_UNKNOWN"), "{gone}");
        let gone = digest_of(&target, "none").expect_err("no such tag");
        assert!(matches!(gone, RegistryError::NotFound { .. }), "{gone}");
    }
}

#[test]
fn what_skopeo_pushed() {
    let Some(real) = Real::start(Version::Two, "what_skopeo_pushed", "") else {
        return;
    };
    if Command::new("skopeo").arg("--version").output().is_err() {
        return left_out(
            "what_skopeo_pushed",
            "no skopeo; run tests/services/install",
        );
    }
    // An image in the layout of the OCI, to push from.
    let folder = real.folder.path().join("layout");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder");
    let blob = |text: &str| {
        let hex: String = digest(&SHA256, text.as_bytes())
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        fs::write(blobs.join(&hex), text).expect("written");
        (hex, text.len())
    };
    let (config, config_size) = blob(
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#,
    );
    let (manifest, manifest_size) = blob(&format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{config}","size":{config_size}}},"layers":[]}}"#
    ));
    fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("written");
    fs::write(
        folder.join("index.json"),
        format!(r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{manifest}","size":{manifest_size},"annotations":{{"org.opencontainers.image.ref.name":"x"}}}}]}}"#),
    )
    .expect("written");
    for tag in ["1.0.0", "1.1.0"] {
        let pushed = Command::new("skopeo")
            .args([
                "copy",
                "--insecure-policy",
                "--dest-tls-verify=false",
                "--quiet",
            ])
            .arg(format!("oci:{}:x", folder.display()))
            .arg(format!("docker://{}/acme/app:{tag}", real.host))
            .output()
            .expect("skopeo");
        assert!(
            pushed.status.success(),
            "{}",
            String::from_utf8_lossy(&pushed.stderr)
        );
    }
    let target = target(&real.host, "acme/app");
    assert_eq!(tags(&target).expect("a list"), ["1.0.0", "1.1.0"]);
    assert_eq!(
        digest_of(&target, "1.1.0"),
        Ok(format!("sha256:{manifest}"))
    );
}

#[test]
fn passwords() {
    for version in [Version::Two, Version::Three] {
        let auth = "auth:\n  htpasswd: {realm: test, path: FOLDER/htpasswd}\n";
        // The file must be there before the registry is.
        let Some(real) = Real::start(version, "passwords", auth) else {
            continue;
        };
        fs::write(real.folder.path().join("htpasswd"), HTPASSWD).expect("written");
        real.fill("acme/app", numbered(3));
        let target = target(&real.host, "acme/app");
        let found = tags(&with_password(target.clone())).expect("a list");
        assert_eq!(found.len(), 3);
        let error = tags(&target).expect_err("nobody");
        assert!(
            matches!(
                error,
                RegistryError::Denied {
                    anonymous: true,
                    ..
                }
            ),
            "{error}"
        );
        let mut wrong = with_password(target);
        let credential = oci_tags::login::Credential::Basic {
            username: "alice".to_owned(),
            password: Secret::new("wrong"),
        };
        wrong = with(wrong, credential);
        let error = tags(&wrong).expect_err("the wrong password");
        assert!(
            matches!(
                error,
                RegistryError::Denied {
                    anonymous: false,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn certificates() {
    let (ours, theirs) = (identity(), identity());
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("crt", &theirs.certificate),
        ("key", &theirs.key),
        ("ca", &ours.ca),
    ] {
        fs::write(folder.path().join(name), text).expect("written");
    }
    let at = folder.path().display();
    let http = format!(
        "http:\n  addr: ADDR\n  tls: {{certificate: {at}/crt, key: {at}/key, clientcas: [{at}/ca]}}\n"
    );
    for version in [Version::Two, Version::Three] {
        let Some(real) = Real::start(version, "certificates", &http) else {
            continue;
        };
        real.fill("acme/app", numbered(3));
        let mut target = target(&real.host, "acme/app");
        target = by(&target, |way| way.ca = own(theirs.ca.clone()));
        target = by(&target, |way| {
            way.identity = own(Secret::new(format!("{}{}", ours.certificate, ours.key)))
        });
        assert_eq!(tags(&target).expect("a list").len(), 3);
        let log = fs::read_to_string(real.folder.path().join("log")).expect("a log");
        assert!(
            version == Version::Three || log.contains("HTTP/2.0\" 200"),
            "{log}"
        );
        target = by(&target, |way| way.identity = None);
        tags(&target).expect_err("no certificate");
    }
}

/// A token server as distribution wants it: tokens are signed, and say what
/// they allow.
fn token_server(key: Arc<EcdsaKeyPair>, certificate: String) -> Server {
    Server::start(move |asked| {
        let basic = format!("Basic {}", STANDARD.encode(format!("alice:{PASSWORD}")));
        if asked.header("authorization") != Some(&basic) {
            return Reply::new(401, "");
        }
        let name = scope(asked);
        let now = std::time::SystemTime::now();
        let now = now
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let header = format!(r#"{{"typ":"JWT","alg":"ES256","x5c":["{certificate}"]}}"#);
        let claims = format!(
            r#"{{"iss":"test","sub":"alice","aud":"test","exp":{},"nbf":{},"iat":{now},"jti":"1","access":[{{"type":"repository","name":"{name}","actions":["pull"]}}]}}"#,
            now + 300,
            now - 10
        );
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("a signature");
        Reply::new(
            200,
            format!(
                r#"{{"token":"{signed}.{}","expires_in":300}}"#,
                URL_SAFE_NO_PAD.encode(signature)
            ),
        )
    })
}

/// The repository that a token is asked for.
fn scope(asked: &Asked) -> String {
    let scope = asked
        .at
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("scope="));
    let scope = scope
        .unwrap_or_default()
        .replace("%3A", ":")
        .replace("%2F", "/");
    scope.split(':').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn tokens() {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["token.test".to_owned()]).expect("parameters");
    let certificate = params.self_signed(&pair).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle.pem");
    fs::write(&bundle, certificate.pem()).expect("written");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der())
        .expect("a key");
    let server = token_server(Arc::new(key), STANDARD.encode(certificate.der()));
    let auth = format!(
        "auth:\n  token: {{realm: 'http://{}/token', service: test, issuer: test, rootcertbundle: {}}}\n",
        server.host(),
        bundle.display()
    );
    for version in [Version::Two, Version::Three] {
        let Some(real) = Real::start(version, "tokens", &auth) else {
            continue;
        };
        // The large ones once: files are slow to make.
        let (repositories, large) = if version == Version::Three {
            (32, 20_000)
        } else {
            (4, 1)
        };
        for n in 0..repositories {
            real.fill(&format!("acme/app{n}"), numbered(300));
        }
        real.fill("acme/large", numbered(large));
        let before = server.paths().len();
        let names = (0..repositories).map(|n| format!("acme/app{n}"));
        let names = names.chain(["acme/large".to_owned()]);
        let lists = list_all(names.map(|name| with_password(target(&real.host, &name))));
        assert_eq!(lists.len(), repositories + 1);
        for (target, listing) in lists {
            let path = target.repository.path();
            let count = if path == "acme/large" { large } else { 300 };
            let expected: Vec<String> = numbered(count).collect();
            assert_eq!(listing.into_tags(), expected, "{path}");
        }
        assert_eq!(
            server.paths().len() - before,
            repositories + 1,
            "one token a scope"
        );
        let error = tags(&target(&real.host, "acme/app0")).expect_err("nobody");
        assert!(
            matches!(
                error,
                RegistryError::Denied {
                    anonymous: true,
                    ..
                }
            ),
            "{error}"
        );
    }
}
