//! Logins of the clouds, against stand-ins on loopback.
//!
//! The hosts of a cloud are anchored, so that nothing on loopback can pass for
//! one. What stands between is a proxy that leads their names to the
//! stand-ins, whose certificates an authority of the test's own signed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::client::PASSWORD;
use super::real::left_out;
use super::server::{Asked, Identity, Reply, Server, identity_of};
use super::services;
use super::support::{code, feed, flux_image, stderr, stdout};

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const ECR_API: &str = "api.ecr.us-east-1.amazonaws.com";
const PUBLIC: &str = "public.ecr.aws";
const PUBLIC_API: &str = "api.ecr-public.us-east-1.amazonaws.com";
const GAR: &str = "us-docker.pkg.dev";
const ACR: &str = "acme.azurecr.io";
const ENTRA: &str = "login.test";
const HUB: &str = "index.docker.io";
const K8S: &str = "registry.k8s.io";
const MIRROR: &str = "mirror.test";
const EVIL: &str = "1.dkr.ecr.us-east-1.amazonaws.com.evil.example";

/// Leads names to stand-ins, and nothing anywhere else.
struct Internet {
    identity: Identity,
    folder: TempDir,
    proxy: SocketAddr,
    hosts: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
    /// Every name that somebody wanted to reach.
    wanted: Arc<Mutex<Vec<String>>>,
}

impl Internet {
    fn new() -> Self {
        let names = [
            ECR, ECR_API, PUBLIC, PUBLIC_API, GAR, ACR, ENTRA, HUB, K8S, MIRROR, EVIL,
        ];
        let identity = identity_of(&names);
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), &identity.ca).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let internet = Self {
            identity,
            folder,
            proxy: listener.local_addr().expect("an address"),
            hosts: Arc::default(),
            wanted: Arc::default(),
        };
        let (hosts, wanted) = (Arc::clone(&internet.hosts), Arc::clone(&internet.wanted));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (hosts, wanted) = (Arc::clone(&hosts), Arc::clone(&wanted));
                std::thread::spawn(move || _ = tunnel(stream, &hosts, &wanted));
            }
        });
        internet
    }

    /// A stand-in for these names, over TLS.
    fn host(
        &self,
        names: &[&str],
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let server = Server::start_tls(&self.identity, None, answer);
        let mut hosts = self.hosts.lock().expect("unpoisoned");
        for name in names {
            hosts.insert(format!("{name}:443"), server.address);
        }
        server
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// The program, with this internet around it.
    fn command(&self, folder: &Path) -> Command {
        let mut command = flux_image();
        command
            .current_dir(folder)
            .env_remove("FLUX_IMAGE_OFFLINE")
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("SSL_CERT_FILE", self.folder.path().join("ca.pem"))
            .env("HTTPS_PROXY", format!("http://{}", self.proxy));
        command
    }

    /// `update --diff` of one image of a provider.
    fn update(&self, provider: &str, image: &str, environment: &[(&str, &str)]) -> Output {
        let tree = tempfile::tempdir().expect("a folder");
        let documents = format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{image: {image}, interval: 5m, provider: {provider}}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{imageRepositoryRef: {{name: app}}, policy: {{semver: {{range: 1.x}}}}}}\n"
        );
        fs::write(tree.path().join("policies.yaml"), documents).expect("written");
        let deploy = format!("image: {image}:1.0.0 # {{\"$imagepolicy\": \"flux-system:app\"}}\n");
        fs::write(tree.path().join("deploy.yaml"), deploy).expect("written");
        let mut command = self.command(tree.path());
        command
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .args(["update", ".", "--diff", "--no-cache", "--timeout", "20s"]);
        feed(&mut command, b"")
    }

    /// The update must have found its login.
    fn succeeds(&self, provider: &str, image: &str, environment: &[(&str, &str)]) {
        let output = self.update(provider, image, environment);
        assert_eq!(code(&output), 0, "{environment:?}: {}", said(&output));
        assert!(
            stdout(&output).contains(":1.1.0 "),
            "{environment:?}: {}",
            said(&output)
        );
    }
}

fn tunnel(
    mut stream: TcpStream,
    hosts: &Mutex<BTreeMap<String, SocketAddr>>,
    wanted: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let name = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    wanted.lock().expect("unpoisoned").push(name.clone());
    let Some(address) = hosts.lock().expect("unpoisoned").get(&name).copied() else {
        return stream.write_all(b"HTTP/1.1 502 Nobody\r\n\r\n");
    };
    let mut other = TcpStream::connect(address)?;
    stream.write_all(b"HTTP/1.1 200 Go\r\n\r\n")?;
    let (mut back, mut front) = (other.try_clone()?, stream.try_clone()?);
    std::thread::spawn(move || {
        _ = std::io::copy(&mut back, &mut front);
        _ = front.shutdown(std::net::Shutdown::Write);
    });
    _ = std::io::copy(&mut stream, &mut other);
    other.shutdown(std::net::Shutdown::Write)
}

fn said(output: &Output) -> String {
    let all = format!("{}{}", stdout(output), stderr(output));
    assert!(!all.contains(PASSWORD), "{all}");
    all
}

/// A registry that wants this user with the password of all tests.
fn registry(user: &'static str) -> impl Fn(&Asked) -> Reply + Send + Sync {
    let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{PASSWORD}")));
    move |asked| match asked.header("authorization") {
        Some(basic) if basic == wanted => Reply::tags(&["1.0.0", "1.1.0"]),
        _ => Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
    }
}

fn ecr_api(asked: &Asked) -> Reply {
    let service = if asked
        .header("x-amz-target")
        .is_some_and(|t| t.starts_with("Spencer"))
    {
        "us-east-1/ecr-public/aws4_request"
    } else {
        "us-east-1/ecr/aws4_request"
    };
    let signed = asked.header("authorization").unwrap_or_default();
    if !signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDTEST/") || !signed.contains(service) {
        return Reply::new(400, r#"{"__type":"UnrecognizedClientException"}"#);
    }
    let token = STANDARD.encode(format!("AWS:{PASSWORD}"));
    let data = format!("{{\"authorizationToken\":\"{token}\",\"expiresAt\":1420074061.0}}");
    Reply::new(
        200,
        match service.contains("public") {
            true => format!("{{\"authorizationData\":{data}}}"),
            false => format!("{{\"authorizationData\":[{data}]}}"),
        },
    )
}

/// Credentials as the container and machine endpoints give them.
fn credentials() -> String {
    format!(
        "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"AKIDTEST\",\"SecretAccessKey\":\"{PASSWORD}\",\"Token\":\"{PASSWORD}\",\"Expiration\":\"2099-01-01T00:00:00Z\",\"LastUpdated\":\"2026-01-01T00:00:00Z\"}}"
    )
}

#[test]
fn amazon() {
    let internet = Internet::new();
    let _registry = internet.host(&[ECR, PUBLIC], registry("AWS"));
    let api = internet.host(&[ECR_API, PUBLIC_API], ecr_api);
    let image = format!("{ECR}/acme/app");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", PASSWORD),
    ];
    internet.succeeds("aws", &image, &keys);
    assert_eq!(api.paths(), ["POST /"], "one password");
    internet.succeeds("aws", &format!("{PUBLIC}/acme/app"), &keys);

    // Profiles, and a program that a profile names.
    let profile = internet.file(
        "credentials",
        &format!("[work]\naws_access_key_id = AKIDTEST\naws_secret_access_key = {PASSWORD}\n"),
    );
    internet.succeeds(
        "aws",
        &image,
        &[
            ("AWS_PROFILE", "work"),
            ("AWS_SHARED_CREDENTIALS_FILE", &profile),
        ],
    );
    let process = format!(
        "{{\"Version\":1,\"AccessKeyId\":\"AKIDTEST\",\"SecretAccessKey\":\"{PASSWORD}\"}}"
    );
    let answer = internet.file("answer.json", &process);
    let config = internet.file(
        "config",
        &format!("[profile tool]\ncredential_process = /bin/cat {answer}\n"),
    );
    internet.succeeds(
        "aws",
        &image,
        &[("AWS_PROFILE", "tool"), ("AWS_CONFIG_FILE", &config)],
    );

    // Web identity, as on EKS.
    let sts = Server::start(|asked| {
        assert!(
            asked.body.contains("Action=AssumeRoleWithWebIdentity"),
            "{}",
            asked.body
        );
        assert!(
            asked.body.contains("WebIdentityToken=jwt-of-the-pod"),
            "{}",
            asked.body
        );
        Reply::new(
            200,
            format!(
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDTEST</AccessKeyId><SecretAccessKey>{PASSWORD}</SecretAccessKey><SessionToken>{PASSWORD}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            ),
        )
    });
    let token = internet.file("token", "jwt-of-the-pod");
    let at = format!("http://{}", sts.host());
    internet.succeeds(
        "aws",
        &image,
        &[
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
            ("AWS_ENDPOINT_URL_STS", &at),
        ],
    );

    // A container's and a machine's own.
    let near = Server::start(|asked| match asked.path() {
        "/pod" if asked.header("authorization") == Some("pod-token") => {
            Reply::new(200, credentials())
        }
        "/latest/api/token" => {
            Reply::new(200, "imds").with("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        }
        _ if asked.header("x-aws-ec2-metadata-token") != Some("imds") => Reply::new(401, ""),
        path if path.ends_with("/security-credentials/")
            || path.ends_with("/security-credentials-extended/") =>
        {
            Reply::new(200, "role")
        }
        path if path.contains("/security-credentials") => Reply::new(200, credentials()),
        _ => Reply::new(404, ""),
    });
    let pod = format!("http://{}/pod", near.host());
    internet.succeeds(
        "aws",
        &image,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &pod),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token"),
        ],
    );
    let machine = format!("http://{}", near.host());
    internet.succeeds(
        "aws",
        &image,
        &[
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &machine),
            // No proxy may see what a machine is told of itself.
            ("HTTP_PROXY", "http://127.0.0.1:1"),
        ],
    );
}

#[test]
fn amazon_says_no() {
    let internet = Internet::new();
    let _registry = internet.host(&[ECR], registry("AWS"));
    let api = internet.host(&[ECR_API], |_| {
        Reply::new(
            400,
            format!("{{\"__type\":\"AccessDeniedException\",\"message\":\"{PASSWORD}\"}}"),
        )
    });
    let image = format!("{ECR}/acme/app");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", PASSWORD),
    ];
    let output = internet.update("aws", &image, &keys);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(
        said(&output).contains("ecr answered 400 (AccessDeniedException)"),
        "{}",
        said(&output)
    );
    assert_eq!(api.paths().len(), 1);
    // Nothing to log in with.
    let output = internet.update("aws", &image, &[]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(
        said(&output).contains("no login for `provider: aws` was found"),
        "{}",
        said(&output)
    );
    // What a program prints is not said.
    let config = internet.file("config", &format!("[profile tool]\ncredential_process = /bin/sh -c 'echo {PASSWORD}; echo {PASSWORD} >&2; exit 1'\n"));
    let output = internet.update(
        "aws",
        &image,
        &[("AWS_PROFILE", "tool"), ("AWS_CONFIG_FILE", &config)],
    );
    assert_ne!(code(&output), 0, "{}", said(&output));
}

/// A host that only looks like a cloud's gets nothing, not even a question.
#[test]
fn hosts_that_only_look_like_a_clouds() {
    let internet = Internet::new();
    let evil = internet.host(&[EVIL], |_| {
        Reply::new(401, "").with("www-authenticate", "Basic")
    });
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
        ("AWS_SECRET_ACCESS_KEY", PASSWORD),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", PASSWORD),
    ];
    for (provider, host) in [
        ("aws", EVIL),
        (
            "aws",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
        ),
        ("gcp", "gcr.io.evil.example"),
        ("gcp", "evil-docker.pkg.dev.evil.example"),
        ("azure", "acme.azurecr.io.evil.example"),
        ("azure", GAR),
        ("gcp", ECR),
    ] {
        let output = internet.update(provider, &format!("{host}/acme/app"), &keys);
        assert_eq!(code(&output), 2, "{provider} {host}: {}", said(&output));
        assert!(
            said(&output).contains(&format!("is not a registry of `provider: {provider}`")),
            "{}",
            said(&output)
        );
    }
    assert!(evil.paths().is_empty());
    assert!(internet.wanted.lock().expect("unpoisoned").is_empty());
}

/// The real requests of STS and ECR against moto, where it is installed.
#[test]
fn amazon_by_moto() {
    let Some(program) = services::program("python/bin/moto_server") else {
        return left_out("amazon_by_moto", "no moto; run tests/services/install");
    };
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let mut moto = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "moto does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let internet = Internet::new();
    let _registry = internet.host(&[ECR], |asked| match asked.header("authorization") {
        // Whatever password moto made up, for the user that ECR has.
        Some(basic) if basic.starts_with("Basic QVdTO") => Reply::tags(&["1.0.0", "1.1.0"]),
        _ => Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
    });
    let image = format!("{ECR}/acme/app");
    let at = format!("http://{address}");
    let token = internet.file("token", "jwt");
    let keys = internet.update(
        "aws",
        &image,
        &[
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", PASSWORD),
            ("AWS_ENDPOINT_URL", &at),
        ],
    );
    let role = internet.update(
        "aws",
        &image,
        &[
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
            ("AWS_ENDPOINT_URL", &at),
        ],
    );
    _ = moto.kill();
    _ = moto.wait();
    for output in [keys, role] {
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(stdout(&output).contains(":1.1.0 "));
    }
}

#[test]
fn google() {
    let internet = Internet::new();
    let _registry = internet.host(&[GAR], registry("oauth2accesstoken"));
    let image = format!("{GAR}/acme/app/app");
    let token = |_: &Asked| {
        Reply::new(
            200,
            format!(
                "{{\"access_token\":\"{PASSWORD}\",\"expires_in\":3600,\"token_type\":\"Bearer\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"}}"
            ),
        )
        .with("content-type", "application/json")
    };

    // A machine's own.
    let metadata = Server::start(move |asked| match asked.header("metadata-flavor") {
        Some("Google") if asked.path().ends_with("/token") => token(asked),
        Some("Google") => Reply::new(200, "x"),
        _ => Reply::new(403, ""),
    });
    internet.succeeds("gcp", &image, &[("GCE_METADATA_HOST", &metadata.host())]);

    // Files of Application Default Credentials.
    let server = Server::start(token);
    let at = format!("http://{}/token", server.host());
    let user = internet.file("user.json", &format!("{{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"{PASSWORD}\",\"refresh_token\":\"r\",\"token_uri\":\"{at}\"}}"));
    internet.succeeds("gcp", &image, &[("GOOGLE_APPLICATION_CREDENTIALS", &user)]);
    let subject = internet.file("subject", "jwt");
    let external = internet.file("external.json", &format!("{{\"type\":\"external_account\",\"audience\":\"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q\",\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":\"{at}\",\"credential_source\":{{\"file\":\"{subject}\"}}}}"));
    internet.succeeds(
        "gcp",
        &image,
        &[("GOOGLE_APPLICATION_CREDENTIALS", &external)],
    );

    // Nothing, or nothing that makes sense.
    let broken = internet.file("broken.json", PASSWORD);
    let output = internet.update(
        "gcp",
        &image,
        &[("GOOGLE_APPLICATION_CREDENTIALS", &broken)],
    );
    assert_ne!(code(&output), 0, "{}", said(&output));
    let output = internet.update("gcp", &image, &[("GCE_METADATA_HOST", "127.0.0.1:1")]);
    assert_ne!(code(&output), 0, "{}", said(&output));
    assert!(
        said(&output).contains("`provider: gcp`"),
        "{}",
        said(&output)
    );
}

/// ACR with its exchange and its own token server.
fn acr(asked: &Asked) -> Reply {
    match asked.path() {
        "/oauth2/exchange" => {
            assert!(asked.body.contains("grant_type=access_token"), "{}", asked.body);
            assert!(asked.body.contains("service=acme.azurecr.io"), "{}", asked.body);
            match asked.body.contains("access_token=entra-token") {
                true => Reply::new(200, format!("{{\"refresh_token\":\"{PASSWORD}\"}}")),
                false => Reply::new(401, ""),
            }
        }
        "/oauth2/token" if asked.body.contains(&format!("refresh_token={PASSWORD}")) => {
            Reply::new(200, r#"{"access_token":"acr-token"}"#)
        }
        _ if asked.header("authorization") == Some("Bearer acr-token") => Reply::tags(&["1.0.0", "1.1.0"]),
        _ => Reply::new(401, "").with("www-authenticate", format!("Bearer realm=\"https://{ACR}/oauth2/token\",service=\"{ACR}\",scope=\"repository:acme/app:pull\"")),
    }
}

#[test]
fn microsoft() {
    let internet = Internet::new();
    let _registry = internet.host(&[ACR], acr);
    let entra = internet.host(&[ENTRA], |asked| match asked.body.as_str() {
        body if body.contains(&format!("client_secret={PASSWORD}"))
            || body.contains("client_assertion=jwt-of-the-pod") =>
        {
            assert!(
                body.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default"),
                "{body}"
            );
            Reply::new(
                200,
                r#"{"token_type":"Bearer","expires_in":3600,"access_token":"entra-token"}"#,
            )
            .with("content-type", "application/json")
        }
        _ => Reply::new(
            401,
            format!("{{\"error\":\"invalid_client\",\"error_description\":\"{PASSWORD}\"}}"),
        ),
    });
    let image = format!("{ACR}/acme/app");
    let authority = format!("https://{ENTRA}");
    let base = [
        ("AZURE_AUTHORITY_HOST", authority.as_str()),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
    ];
    let with = |more: &[(&'static str, &str)]| {
        internet.succeeds("azure", &image, &[&base[..], more].concat())
    };
    with(&[("AZURE_CLIENT_SECRET", PASSWORD)]);
    assert_eq!(entra.paths(), ["POST /tenant/oauth2/v2.0/token"]);
    let token = internet.file("token", "jwt-of-the-pod");
    with(&[("AZURE_FEDERATED_TOKEN_FILE", &token)]);
    // The identity that App Service and its kin give.
    let near = Server::start(|asked| {
        match asked.header("x-identity-header") {
        Some("header") => Reply::new(200, r#"{"access_token":"entra-token","expires_on":"4102444800","resource":"x","token_type":"Bearer"}"#).with("content-type", "application/json"),
        _ => Reply::new(401, ""),
    }
    });
    let endpoint = format!("http://{}/msi/token", near.host());
    internet.succeeds(
        "azure",
        &image,
        &[
            ("IDENTITY_ENDPOINT", &endpoint),
            ("IDENTITY_HEADER", "header"),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
        ],
    );

    // The wrong secret.
    let output = internet.update(
        "azure",
        &image,
        &[&base[..], &[("AZURE_CLIENT_SECRET", "wrong")]].concat(),
    );
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(
        said(&output).contains("Entra returned no token"),
        "{}",
        said(&output)
    );
}

/// Docker Hub by all of its names: one repository, one list, one login.
#[test]
fn docker_hub_by_its_names() {
    let internet = Internet::new();
    let hub = internet.host(&[HUB], registry("alice"));
    let docker = internet.folder.path().join(".docker");
    fs::create_dir(&docker).expect("a folder");
    let auth = STANDARD.encode(format!("alice:{PASSWORD}"));
    let config =
        format!("{{\"auths\":{{\"https://index.docker.io/v1/\":{{\"auth\":\"{auth}\"}}}}}}");
    fs::write(docker.join("config.json"), config).expect("written");
    let tree = tempfile::tempdir().expect("a folder");
    let names = [
        "alpine",
        "library/alpine",
        "docker.io/alpine",
        "index.docker.io/library/alpine",
    ];
    let document = |(n, image): (usize, &&str)| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: r{n}, namespace: x}}\nspec: {{image: {image}, interval: 5m}}\n"
        )
    };
    let documents: Vec<String> = names.iter().enumerate().map(document).collect();
    fs::write(tree.path().join("r.yaml"), documents.join("---\n")).expect("written");
    let mut command = internet.command(tree.path());
    let output = feed(command.args(["scan", "--no-cache"]), b"");
    assert_eq!(code(&output), 0, "{}", said(&output));
    let list = "GET /v2/library/alpine/tags/list?n=1000";
    assert_eq!(hub.paths(), [list, list], "a challenge, and a list");
    assert_eq!(
        stdout(&output).matches("image: ").count(),
        1,
        "{}",
        stdout(&output)
    );
}

/// A redirect to a host that is known to belong to the registry, or that the
/// user trusts: followed as nobody, the pages after it too.
#[test]
fn redirects_to_other_hosts() {
    let internet = Internet::new();
    let away = internet.host(&[GAR], |asked| {
        match (asked.path(), asked.header("authorization")) {
            ("/token", None) => Reply::new(200, r#"{"token":"nobodys"}"#),
            ("/v2/there/list", Some("Bearer nobodys")) if asked.at.contains("last=") => {
                Reply::tags(&["1.1.0"])
            }
            ("/v2/there/list", Some("Bearer nobodys")) => {
                Reply::tags(&["1.0.0"]).with("link", "</v2/there/list?last=1>; rel=\"next\"")
            }
            _ => Reply::bearer(&format!("https://{GAR}/token")),
        }
    });
    let to = |asked: &Asked| match asked.header("authorization") {
        Some("Bearer ours") => {
            Reply::new(307, "").with("location", format!("https://{GAR}/v2/there/list"))
        }
        _ if asked.path() == "/token" => Reply::new(200, r#"{"token":"ours"}"#),
        _ => Reply::bearer(&format!(
            "https://{}/token",
            asked.header("host").expect("a host")
        )),
    };
    let _home = internet.host(&[K8S, MIRROR], to);
    let tree = tempfile::tempdir().expect("a folder");
    let scan = |host: &str, arguments: &[&str]| {
        let document = format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: x}}\nspec: {{image: {host}/pause, interval: 5m}}\n"
        );
        fs::write(tree.path().join("r.yaml"), document).expect("written");
        let mut command = internet.command(tree.path());
        feed(command.args(["scan", "--no-cache"]).args(arguments), b"")
    };
    let output = scan(K8S, &[]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        stdout(&output).contains("- 1.0.0\n    - 1.1.0\n"),
        "{}",
        said(&output)
    );
    assert!(
        away.asked()
            .iter()
            .all(|asked| asked.header("authorization") != Some("Bearer ours"))
    );

    let output = scan(MIRROR, &[]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(
        said(&output).contains(&format!("say `--trust-host {GAR}`")),
        "{}",
        said(&output)
    );
    let output = scan(MIRROR, &["--trust-host", GAR]);
    assert_eq!(code(&output), 0, "{}", said(&output));
}

/// One password of a region for all of its repositories, one login of Google for
/// all of its hosts.
#[test]
fn a_login_is_shared() {
    let internet = Internet::new();
    let _registry = internet.host(&[ECR], registry("AWS"));
    let _google = internet.host(&[GAR], registry("oauth2accesstoken"));
    let api = internet.host(&[ECR_API], ecr_api);
    let metadata = Server::start(|asked| {
        assert_eq!(asked.header("metadata-flavor"), Some("Google"));
        Reply::new(
            200,
            format!(
                "{{\"access_token\":\"{PASSWORD}\",\"expires_in\":3600,\"token_type\":\"Bearer\"}}"
            ),
        )
    });
    let tree = tempfile::tempdir().expect("a folder");
    let documents: Vec<String> = [(ECR, "aws"), (GAR, "gcp")]
        .iter()
        .flat_map(|(host, provider)| (0..5).map(move |n| {
            format!("apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: {provider}{n}, namespace: x}}\nspec: {{image: {host}/acme/app{n}, interval: 5m, provider: {provider}}}\n")
        }))
        .collect();
    fs::write(tree.path().join("r.yaml"), documents.join("---\n")).expect("written");
    let mut command = internet.command(tree.path());
    command
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", PASSWORD)
        .env("GCE_METADATA_HOST", metadata.host());
    let output = feed(command.args(["scan", "--no-cache"]), b"");
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert_eq!(api.paths().len(), 1, "{:?}", api.paths());
    let tokens = metadata
        .paths()
        .iter()
        .filter(|path| path.contains("/token"))
        .count();
    assert_eq!(tokens, 1, "{:?}", metadata.paths());
}
