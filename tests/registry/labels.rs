//! `-o markdown --labels`: what images say of themselves, and what that costs;
//! and what a trigger asks for.

use aws_lc_rs::digest::{SHA256, digest};

use super::client::PASSWORD;
use super::commands::{AUTH, DEPLOY, POLICY, Place, REPOSITORY, said};
use super::server::{Reply, Server};
use super::support::{code, stdout};

fn sha256(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let hex: Vec<String> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", hex.concat())
}

/// A registry with one image: an index of a manifest with a configuration that
/// has these labels.
fn registry(labels: &str, index_annotations: &str, breaks_config: bool) -> Server {
    let config = format!("{{\"config\":{{\"Labels\":{labels}}}}}");
    let manifest = format!("{{\"config\":{{\"digest\":\"{}\"}}}}", sha256(&config));
    let index = format!(
        "{{\"annotations\":{index_annotations},\"manifests\":[{{\"digest\":\"{}\",\"platform\":{{\"os\":\"unknown\",\"architecture\":\"unknown\"}}}},{{\"digest\":\"{}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"amd64\"}}}}]}}",
        sha256("attestation"),
        sha256(&manifest)
    );
    let (manifest_path, config_path) = (
        format!("/v2/acme/app/manifests/{}", sha256(&manifest)),
        format!("/v2/acme/app/blobs/{}", sha256(&config)),
    );
    Server::start(move |asked| match asked.path() {
        "/v2/acme/app/tags/list" => Reply::tags(&["1.0.0", "1.1.0"]),
        "/v2/acme/app/manifests/1.1.0" => Reply::new(200, index.clone()),
        path if path == manifest_path => Reply::new(200, manifest.clone()),
        path if path == config_path && breaks_config => Reply::new(200, "{}"),
        path if path == config_path => Reply::new(200, config.clone()),
        _ => Reply::new(404, "{}"),
    })
}

const LABELS: &str = r#"{"org.opencontainers.image.source":"https://github.com/acme/app","org.opencontainers.image.version":"1.1.0"}"#;

#[test]
fn links_to_sources_on_request() {
    let server = registry(LABELS, "{}", false);
    let place = Place::usual(&server, "");
    let plain = place.run(&["update", ".", "--dry-run", "-o", "markdown"]);
    assert_eq!(code(&plain), 0, "{}", said(&plain));
    assert!(!stdout(&plain).contains("https://"), "{}", stdout(&plain));
    let asked = server.paths().len();
    let linked = place.run(&["update", ".", "--dry-run", "-o", "markdown", "--labels"]);
    let text = stdout(&linked);
    assert!(
        text.contains(
            "](https://github.com/acme/app) ([1.1.0](https://github.com/acme/app/releases))"
        ),
        "{text}"
    );
    // The list is kept; index, manifest, configuration.
    assert_eq!(server.paths().len() - asked, 3, "{:?}", server.paths());
    // Without a network there are no links, and nothing fails.
    let offline = place.run(&[
        "update",
        ".",
        "--dry-run",
        "-o",
        "markdown",
        "--labels",
        "--offline",
    ]);
    assert_eq!(code(&offline), 0, "{}", said(&offline));
    assert!(!stdout(&offline).contains("https://"));
}

#[test]
fn annotations_spare_the_rest() {
    let server = registry("{}", LABELS, false);
    let place = Place::usual(&server, "");
    let output = place.run(&["update", ".", "--dry-run", "-o", "markdown", "--labels"]);
    assert!(
        stdout(&output).contains("https://github.com/acme/app"),
        "{}",
        said(&output)
    );
    assert_eq!(server.paths().len(), 2, "{:?}", server.paths());
}

#[test]
fn labels_that_cannot_be_had_are_a_warning() {
    let server = registry(LABELS, "{}", true);
    let place = Place::usual(&server, "");
    let output = place.run(&["update", ".", "-o", "markdown", "--labels"]);
    assert_eq!(code(&output), 0);
    let text = said(&output);
    assert!(
        text.contains("the labels of an image of `flux-system:app` could not be had"),
        "{text}"
    );
    assert!(!text.contains("https://"), "{text}");
    assert!(place.read("deploy.yaml").contains(":1.1.0"));
}

#[test]
fn a_label_does_not_say_the_password_again() {
    let config = format!(
        "{{\"config\":{{\"Labels\":{{\"org.opencontainers.image.source\":\"https://evil.example/{PASSWORD}\",\"org.opencontainers.image.version\":\"{AUTH}\"}}}}}}"
    );
    let manifest = format!("{{\"config\":{{\"digest\":\"{}\"}}}}", sha256(&config));
    let path = format!("/v2/acme/app/blobs/{}", sha256(&config));
    let server = Server::start(move |asked| {
        if asked.header("authorization") != Some(&format!("Basic {AUTH}")) {
            return Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\"");
        }
        match asked.path() {
            "/v2/acme/app/tags/list" => Reply::tags(&["1.0.0", "1.1.0"]),
            "/v2/acme/app/manifests/1.1.0" => Reply::new(200, manifest.clone()),
            asked if asked == path => Reply::new(200, config.clone()),
            _ => Reply::new(404, "{}"),
        }
    });
    let repository = REPOSITORY.replace("interval: 5m", "interval: 5m, secretRef: {name: login}");
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login, namespace: flux-system}}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{{\"auths\":{{\"HOST\":{{\"username\":\"alice\",\"password\":\"{PASSWORD}\"}}}}}}'\n"
    );
    let documents = format!("{repository}{POLICY}{secret}");
    let place = Place::new(
        &server,
        &[("policies.yaml", &documents), ("deploy.yaml", DEPLOY)],
    );
    let output = place.run(&["update", ".", "--dry-run", "-o", "markdown", "--labels"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(!said(&output).contains("evil.example"), "{}", said(&output));
    assert_eq!(
        server
            .paths()
            .iter()
            .filter(|path| path.contains("/blobs/"))
            .count(),
        1
    );
}

#[test]
fn a_trigger_asks_for_its_image_alone_and_anew() {
    let server = registry("{}", "{}", false);
    let place = Place::usual(&server, "");
    let other = format!(
        "{}{}",
        REPOSITORY
            .replace("name: app", "name: other")
            .replace("acme/app", "acme/other"),
        POLICY.replace("name: app", "name: other")
    );
    std::fs::write(
        place
            .command(&[])
            .get_current_dir()
            .expect("a folder")
            .join("other.yaml"),
        other.replace("HOST", &server.host())
            + &DEPLOY
                .replace("HOST", &server.host())
                .replace("flux-system:app", "flux-system:other")
                .replace("image:", "---\nimage:"),
    )
    .expect("written");
    let lists = || server.paths();
    let output = place.run(&[
        "update",
        ".",
        "--dry-run",
        "--only-image",
        &format!("{}/acme/app", server.host()),
    ]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert_eq!(lists(), ["GET /v2/acme/app/tags/list?n=1000"]);
    // A kept list knows nothing of what was just pushed.
    place.run(&[
        "update",
        ".",
        "--dry-run",
        "--only-image",
        &format!("{}/acme/app", server.host()),
    ]);
    assert_eq!(lists().len(), 2);
    place.run(&["update", ".", "--dry-run", "--only", "flux-system:app"]);
    assert_eq!(lists().len(), 2);
}
