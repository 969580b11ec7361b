//! The commands, asking a registry on loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::PASSWORD;
use super::server::{Asked, Reply, Server, identity, self_signed};
use super::support::{code, feed, flux_image, stderr, stdout};

/// base64 of `alice:hunter2-s3cret`
pub const AUTH: &str = "YWxpY2U6aHVudGVyMi1zM2NyZXQ=";
const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// A folder with manifests, another for what belongs to the user, and the
/// address of the registry for `HOST` in every text.
pub struct Place {
    pub tree: TempDir,
    pub home: TempDir,
    pub host: String,
}

pub const REPOSITORY: &str = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: HOST/acme/app, interval: 5m}
";
pub const POLICY: &str = "---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: 1.x}}}
";
pub const DEPLOY: &str = "image: HOST/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";

impl Place {
    pub fn new(server: &Server, files: &[(&str, &str)]) -> Self {
        let place = Self {
            tree: tempfile::tempdir().expect("a folder"),
            home: tempfile::tempdir().expect("a folder"),
            host: server.host(),
        };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    /// The usual three documents, with more in `spec` of the ImageRepository.
    pub fn usual(server: &Server, spec: &str) -> Self {
        let repository = REPOSITORY.replace("interval: 5m", &format!("interval: 5m{spec}"));
        let policies = format!("{repository}{POLICY}");
        Self::new(
            server,
            &[("policies.yaml", &policies), ("deploy.yaml", DEPLOY)],
        )
    }

    /// Where lists are kept without a word.
    pub fn cache(&self) -> std::path::PathBuf {
        self.home.path().join(".cache/flux-image")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.tree.path().join(name);
        fs::write(path, text.replace("HOST", &self.host)).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        let text = fs::read_to_string(self.tree.path().join(name)).expect(name);
        text.replace(&self.host, "HOST")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = flux_image();
        command
            .env_remove("FLUX_IMAGE_OFFLINE")
            .env("HOME", self.home.path())
            .current_dir(self.tree.path())
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        feed(&mut self.command(arguments), b"")
    }

    /// Docker's config, and a helper of this name that runs this script.
    pub fn docker(&self, config: &str, helper: Option<(&str, &str)>) -> std::ffi::OsString {
        let folder = self.home.path().join(".docker");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(
            folder.join("config.json"),
            config.replace("HOST", &self.host),
        )
        .expect("written");
        let bin = self.home.path().join("bin");
        fs::create_dir_all(&bin).expect("a folder");
        if let Some((name, script)) = helper {
            let path = bin.join(format!("docker-credential-{name}"));
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let mut path = bin.into_os_string();
        path.push(":/usr/bin:/bin");
        path
    }
}

/// Everything that came out must not hold a secret.
pub fn said(output: &Output) -> String {
    let all = format!("{}{}", stdout(output), stderr(output));
    for secret in [PASSWORD, AUTH, "YWxpY2U6"] {
        assert!(!all.contains(secret), "{all}");
    }
    all
}

pub fn open_registry() -> Server {
    Server::start(|asked| match asked.path() {
        "/v2/acme/app/tags/list" => Reply::tags(&["1.0.0", "1.1.0", "2.0.0", "latest"]),
        "/v2/acme/app/manifests/1.1.0" => Reply::new(200, "").with("docker-content-digest", ONE),
        _ => Reply::new(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
    })
}

/// A registry that wants `alice` and her password.
pub fn closed_registry() -> Server {
    Server::start(|asked| match asked.header("authorization") {
        Some(basic) if basic == format!("Basic {AUTH}") => Reply::tags(&["1.0.0", "1.1.0"]),
        _ => Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
    })
}

#[test]
fn update_asks_the_registry() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let output = place.run(&["update", "."]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        place
            .read("deploy.yaml")
            .starts_with("image: HOST/acme/app:1.1.0 #")
    );
    let again = place.run(&["update", "."]);
    assert_eq!((code(&again), stdout(&again).as_str()), (0, ""));
    // The second time the list was fresh.
    assert_eq!(server.paths().len(), 1, "{:?}", server.paths());
}

#[test]
fn a_scan_is_a_snapshot_for_a_run_without_a_network() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let gone = REPOSITORY
        .replace("name: app", "name: gone")
        .replace("acme/app", "acme/gone");
    place.write("gone.yaml", &gone);
    let output = place.run(&["scan", "--no-cache"]);
    let snapshot = stdout(&output);
    let at = snapshot.find("scannedAt: \"").expect("a time") + 12;
    let time = &snapshot[at..at + 20];
    let expected = format!(
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata:\n  name: tags\n  annotations:\n    config.kubernetes.io/local-config: \"true\"\nspec:\n  repositories:\n  - image: {}/acme/app\n    scannedAt: \"{time}\"\n    tags:\n    - 1.0.0\n    - 1.1.0\n    - 2.0.0\n    - latest\n",
        server.host()
    );
    assert_eq!(snapshot, expected);
    assert_eq!(code(&output), 3);
    let told = stderr(&output)
        .replace(&server.host(), "HOST")
        .replace(time, "TIME");
    let expected = "error: ImageRepository `flux-system:gone` (`HOST/acme/gone`) could not be scanned: HOST has no such repository (404 NAME_UNKNOWN)
  at gone.yaml:1:1 in ImageRepository `gone`
  hint: check `spec.image`; some registries answer so where credentials are missing
NAMESPACE    NAME  LAST SCAN  SUSPENDED  READY  MESSAGE
flux-system  app   TIME       False      True   successful scan: found 4 tags
flux-system  gone             False      False  HOST has no such repository (404 NAME_UNKNOWN)
";
    // The columns are as wide as the real time.
    let squeezed = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&told), squeezed(expected));

    place.write("tags.yaml", &snapshot);
    let before = server.paths().len();
    let output = place.run(&["update", ".", "--offline"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        place
            .read("deploy.yaml")
            .starts_with("image: HOST/acme/app:1.1.0 #")
    );
    assert_eq!(server.paths().len(), before);
}

#[test]
fn resolve_prints_policies_as_a_cluster_holds_them() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let other = POLICY
        .replace("{name: app, n", "{name: none, n")
        .replace("1.x", "9.x");
    let before = "status:\n  latestRef: {name: HOST/acme/app, tag: 8.0.0}\n";
    let kept = POLICY
        .replace("{name: app, n", "{name: kept, n")
        .replace("1.x", "9.x");
    let moved = POLICY.replace("{name: app, n", "{name: moved, n");
    place.write(
        "more.yaml",
        &format!("{other}{kept}{before}{moved}{before}"),
    );
    let output = place.run(&["resolve", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    let text = stdout(&output).replace(&server.host(), "HOST");
    let documents: Vec<&str> = text.split("---\n").skip(1).collect();
    assert_eq!(documents.len(), 4, "{text}");
    let status = |n: usize| {
        let (_, status) = documents[n].split_once("status:\n").expect("a status");
        let lines = status
            .lines()
            .filter(|line| !line.contains("lastTransitionTime"));
        lines.map(str::trim).collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        status(0),
        "latestRef:|name: HOST/acme/app|tag: 1.1.0|conditions:|- type: Ready|status: \"True\"|reason: Succeeded|message: Latest image tag for HOST/acme/app resolved to 1.1.0"
    );
    assert_eq!(
        status(1),
        "latestRef:|name: HOST/acme/app|tag: 8.0.0|conditions:|- type: Ready|status: \"False\"|reason: Failure|message: unable to determine latest version from provided list"
    );
    assert_eq!(
        status(2),
        "latestRef:|name: HOST/acme/app|tag: 1.1.0|observedPreviousRef:|name: HOST/acme/app|tag: 8.0.0|conditions:|- type: Ready|status: \"True\"|reason: Succeeded|message: Latest image tag for HOST/acme/app resolved to 1.1.0 (previously HOST/acme/app:8.0.0)"
    );
    assert_eq!(
        status(3),
        "conditions:|- type: Ready|status: \"False\"|reason: Failure|message: unable to determine latest version from provided list"
    );
    let told = stderr(&output);
    assert!(
        told.contains("ImagePolicy `flux-system:none` gives no image: no tag that is left is a version in the range: the nearest, `2.0.0`, is not in `9.x`"),
        "{told}"
    );
    assert!(told.contains("NAMESPACE    NAME   IMAGE"), "{told}");

    // What it prints is what update takes.
    place.write("resolved.txt", &stdout(&output));
    let output = place.run(&["update", ".", "--policies", "resolved.txt", "--offline"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        place
            .read("deploy.yaml")
            .starts_with("image: HOST/acme/app:1.1.0 #")
    );
}

#[test]
fn what_answers_is_written_and_what_does_not_is_exit_3() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let more = format!("{REPOSITORY}{POLICY}")
        .replace("{name: app", "{name: gone")
        .replace("acme/app", "acme/gone");
    place.write("more.yaml", &more);
    place.write(
        "other.yaml",
        &DEPLOY
            .replace("app\"", "gone\"")
            .replace("acme/app", "acme/gone"),
    );
    let output = place.run(&["update", ".", "--no-cache"]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(place.read("deploy.yaml").contains("1.1.0"));
    assert!(place.read("other.yaml").contains("1.0.0"));
    let output = place.run(&["update", ".", "--no-cache", "--allow-unresolved"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    // A mistake of the user's goes before a registry's failure.
    place.write(
        "bad.yaml",
        &POLICY
            .replace("{name: app, n", "{name: bad, n")
            .replace("1.x", "nonsense"),
    );
    place.write("third.yaml", &DEPLOY.replace("app\"", "bad\""));
    assert_eq!(code(&place.run(&["update", ".", "--no-cache"])), 2);
}

#[test]
fn only_what_is_marked_is_asked_for() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let more = format!("{REPOSITORY}{POLICY}")
        .replace("{name: app", "{name: gone")
        .replace("acme/app", "acme/gone");
    place.write("more.yaml", &more);
    let output = place.run(&["update", ".", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert_eq!(server.paths(), ["GET /v2/acme/app/tags/list?n=1000"]);
}

#[test]
fn suspended_and_doubled() {
    let server = open_registry();
    let place = Place::usual(&server, ", suspend: true");
    let output = place.run(&["scan", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        stderr(&output).contains("True       Unknown  suspended"),
        "{}",
        stderr(&output)
    );
    assert!(server.paths().is_empty());
    // Two documents of one image: one list.
    let twice = REPOSITORY.replace("name: app", "name: twin");
    place.write(
        "policies.yaml",
        &format!("{REPOSITORY}{POLICY}---\n{twice}"),
    );
    assert_eq!(code(&place.run(&["scan", "--no-cache"])), 0);
    assert_eq!(server.paths().len(), 1);
}

/// What was written down stays the newest that is known, also where somebody
/// asks for more; the digest is the policy's own question, as in Flux.
#[test]
fn suspended_repositories_stop_no_policy() {
    let server = Server::start(|asked| match asked.path() {
        "/v2/acme/app/manifests/1.1.0" => Reply::new(200, "").with("docker-content-digest", ONE),
        _ => Reply::tags(&["1.0.0", "1.9.0"]),
    });
    let place = Place::usual(&server, ", suspend: true");
    place.write(
        "tags.yaml",
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: tags}\nspec: {repositories: [{image: HOST/acme/app, tags: [1.0.0, 1.1.0]}]}\n",
    );
    for more in [&[] as &[&str], &["--refresh"]] {
        let output = place.run(&[&["update", ".", "--diff", "--no-cache"], more].concat());
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(
            stdout(&output).contains("acme/app:1.1.0"),
            "{}",
            said(&output)
        );
    }
    assert!(server.paths().is_empty(), "{:?}", server.paths());
    let reflected = POLICY.replace("spec: {", "spec: {digestReflectionPolicy: IfNotPresent, ");
    let policies = place.read("policies.yaml").replace(POLICY, &reflected);
    place.write("policies.yaml", &policies);
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        stdout(&output).contains(&format!(":1.1.0@{ONE}")),
        "{}",
        said(&output)
    );
    assert!(!server.paths().iter().any(|path| path.contains("tags/list")));
}

#[test]
fn lists_are_kept_for_the_interval() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        if asked.header("if-none-match") == Some("\"e\"") {
            return Reply::new(304, "");
        }
        let more = count.fetch_add(1, Ordering::Relaxed);
        Reply::tags(&["1.0.0", &format!("1.1.{more}")]).with("etag", "\"e\"")
    });
    let place = Place::usual(&server, "");
    let diff = |arguments: &[&str]| {
        let output = place.run(&[&["update", ".", "--diff"], arguments].concat());
        (
            code(&output),
            stdout(&output).contains(":1.1.0 "),
            said(&output),
        )
    };
    // Nothing is kept yet, and nobody may be asked.
    let (exit, _, text) = diff(&["--offline"]);
    assert_eq!(exit, 2, "{text}");
    assert!(text.contains("its registry was not asked"), "{text}");
    assert!(diff(&[]).1 && diff(&[]).1 && diff(&["--offline"]).1);
    assert_eq!(server.paths().len(), 1);
    // Asked anew it says that nothing has changed.
    assert!(diff(&["--refresh"]).1 && diff(&["--refresh=flux-system/app"]).1);
    assert_eq!(server.asked()[2].header("if-none-match"), Some("\"e\""));
    assert!(diff(&["--refresh=flux-system/other"]).1);
    assert_eq!(server.paths().len(), 3);
    // Without a cache it is a new list each time.
    assert!(!diff(&["--no-cache"]).1);
    assert!(
        diff(&["--refresh=app"])
            .2
            .contains("write `--refresh=NAMESPACE/NAME`")
    );

    let folder = place.home.path().join(".cache/flux-image");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).expect("a folder") {
        let entry = entry.expect("an entry");
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        assert!(!entry.file_name().to_string_lossy().contains("acme"));
    }
    // A file that is broken is as good as none.
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some() {
            fs::write(&path, "{").expect("written");
        }
    }
    assert_eq!(diff(&[]).0, 0);
}

#[test]
fn a_list_belongs_to_its_credential() {
    let server = closed_registry();
    let place = Place::usual(&server, ", secretRef: {name: login}");
    place.write("secret.yaml", &secret("login", "HOST", PASSWORD));
    let output = place.run(&["update", ".", "--diff"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let asked = server.paths().len();
    assert_eq!(code(&place.run(&["update", ".", "--diff"])), 0);
    assert_eq!(server.paths().len(), asked, "kept");
    // With another password nothing of it is seen.
    place.write("secret.yaml", &secret("login", "HOST", "wrong"));
    let output = place.run(&["update", ".", "--diff"]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert_eq!(code(&place.run(&["update", ".", "--diff", "--offline"])), 2);
    // Nor is a secret anywhere in the cache.
    let folder = place.home.path().join(".cache/flux-image");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
        let all = format!("{} {text}", path.display());
        assert!(
            !all.contains(PASSWORD) && !all.contains("alice") && !all.contains(AUTH),
            "{all}"
        );
    }
}

#[test]
fn processes_share_a_cache() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = place.command(&["update", ".", "--diff"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().expect("started")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("ended");
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(stdout(&output).contains("1.1.0"));
    }
    let kept = fs::read_dir(place.home.path().join(".cache/flux-image")).expect("a folder");
    assert_eq!(kept.count(), 2, "one key, one list");
}

pub fn secret(name: &str, key: &str, password: &str) -> String {
    let json = format!(r#"{{"auths":{{"{key}":{{"username":"alice","password":"{password}"}}}}}}"#);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: flux-system}}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{json}'\n"
    )
}

#[test]
fn secrets_of_the_input_log_in() {
    let server = closed_registry();
    let place = Place::usual(&server, ", secretRef: {name: login}");
    let run = |text: &str| {
        place.write("secret.yaml", text);
        let output = place.run(&["update", ".", "--diff", "--no-cache"]);
        (code(&output), said(&output))
    };
    for good in [
        secret("login", "HOST", PASSWORD),
        secret("login", "http://HOST/v2/", PASSWORD),
        secret("login", "HOST/acme", PASSWORD),
        secret("login", "*.0.0.1:PORT", PASSWORD)
            .replace("PORT", server.host().split(':').nth(1).expect("a port")),
        // No namespace of its own.
        secret("login", "HOST", PASSWORD).replace(", namespace: flux-system", ""),
    ] {
        let (exit, text) = run(&good);
        assert_eq!(exit, 0, "{good}{text}");
    }
    for (bad, exit, word) in [
        (
            secret("login", "HOST", "wrong"),
            3,
            "the credentials are not accepted",
        ),
        (
            secret("login", "other.example", PASSWORD),
            3,
            "no entry in the pull secrets",
        ),
        (
            secret("login", "docker.io", PASSWORD),
            3,
            "write `https://index.docker.io/v1/`",
        ),
        (
            secret("other", "HOST", PASSWORD),
            2,
            "is not in the input, and Docker's own config has no login",
        ),
        (
            secret("login", "HOST", PASSWORD).replace(".dockerconfigjson:", "config:"),
            2,
            "is not a pull secret",
        ),
        (
            secret("login", "HOST", PASSWORD).replace("\"auths\"", "\"auths\" hunter2-s3cret"),
            2,
            "is not a valid Docker config",
        ),
        (
            secret("login", "HOST", PASSWORD).replace("stringData", "data"),
            2,
            "not base64 of UTF-8 text",
        ),
        (
            format!("{}sops: {{mac: x}}\n", secret("login", "HOST", PASSWORD)),
            2,
            "is encrypted",
        ),
        (
            secret("login", "HOST", PASSWORD)
                .replace("stringData:\n ", "stringData: hunter2-s3cret\nx:\n "),
            2,
            "cannot be read",
        ),
    ] {
        let (got, text) = run(&bad);
        assert_eq!(got, exit, "{bad}{text}");
        assert!(text.contains(word), "{word}: {text}");
    }
    fs::remove_file(place.tree.path().join("secret.yaml")).expect("removed");
    place.write("elsewhere.txt", &secret("login", "HOST", PASSWORD));
    let output = place.run(&[
        "update",
        ".",
        "--diff",
        "--no-cache",
        "--secret",
        "elsewhere.txt",
    ]);
    assert_eq!(code(&output), 0, "{}", said(&output));
}

/// Two repositories of one host, one of which has a login: it stays its own.
#[test]
fn a_login_is_for_its_repository_alone() {
    let server = Server::start(|asked| {
        match (
            asked.path().contains("/open/"),
            asked.header("authorization"),
        ) {
            (true, None) | (false, Some(_)) => Reply::tags(&["1.0.0", "1.1.0"]),
            (true, Some(_)) => Reply::new(500, "a credential went astray"),
            (false, None) => Reply::new(401, "").with("www-authenticate", "Basic"),
        }
    });
    let place = Place::usual(&server, ", secretRef: {name: login}");
    place.write("secret.yaml", &secret("login", "HOST/acme", PASSWORD));
    let open = REPOSITORY
        .replace("name: app", "name: open")
        .replace("acme/app", "open/app");
    let same = open
        .replace("name: open", "name: same")
        .replace("5m", "5m, secretRef: {name: login}");
    place.write("open.yaml", &format!("{open}---\n{same}"));
    let output = place.run(&["scan", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
}

#[test]
fn pull_secrets_of_a_service_account() {
    let server = closed_registry();
    let place = Place::usual(&server, ", serviceAccountName: robot");
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: flux-system}\nimagePullSecrets: [{name: other}, {name: login}]\n---\n";
    let other = secret("other", "other.example", "x");
    place.write(
        "secret.yaml",
        &format!("{account}{other}---\n{}", secret("login", "HOST", PASSWORD)),
    );
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    fs::remove_file(place.tree.path().join("secret.yaml")).expect("removed");
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(said(&output).contains(
        "ServiceAccount `flux-system:robot` of `spec.serviceAccountName` is not in the input"
    ));
}

#[test]
fn dockers_own_login_is_a_persons() {
    let server = closed_registry();
    let place = Place::usual(&server, "");
    let config = format!(r#"{{"auths":{{"HOST":{{"auth":"{AUTH}"}}}}}}"#);
    place.docker(&config, None);
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    // A Secret that lives in the cluster is answered by it, with a note.
    let policies = format!("{REPOSITORY}{POLICY}")
        .replace("interval: 5m", "interval: 5m, secretRef: {name: login}");
    place.write("policies.yaml", &policies);
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        said(&output).contains("is not in the input; Docker's own login for"),
        "{}",
        said(&output)
    );
    // Elsewhere it may be found, too.
    let elsewhere = place.home.path().join("auth.json");
    fs::rename(place.home.path().join(".docker/config.json"), &elsewhere).expect("moved");
    assert_eq!(
        code(&place.run(&["update", ".", "--diff", "--no-cache"])),
        2
    );
    let mut command = place.command(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(
        code(&feed(command.env("REGISTRY_AUTH_FILE", &elsewhere), b"")),
        0
    );
    // And in the other places that Docker and podman have for it.
    let folder = place.home.path().join("elsewhere");
    fs::create_dir_all(folder.join("containers")).expect("a folder");
    fs::copy(&elsewhere, folder.join("config.json")).expect("copied");
    fs::copy(&elsewhere, folder.join("containers/auth.json")).expect("copied");
    for name in ["DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
        let mut command = place.command(&["update", ".", "--diff", "--no-cache"]);
        let output = feed(command.env(name, &folder), b"");
        assert_eq!(code(&output), 0, "{name}: {}", said(&output));
    }
    // What cannot be read is an error that shows nothing of it.
    place.docker(&config.replace("{\"auth\"", &format!("{PASSWORD}{{")), None);
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(
        said(&output).contains("is not a valid Docker config"),
        "{}",
        said(&output)
    );
    place.docker(&config.replace(AUTH, "%%%"), None);
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert!(
        said(&output).contains("its `auth` is not base64"),
        "{}",
        said(&output)
    );
}

#[test]
fn helpers_are_asked_by_a_persons_command() {
    let server = closed_registry();
    let place = Place::usual(&server, "");
    let run = |script: &str| {
        let path = place.docker(r#"{"credsStore":"test"}"#, Some(("test", script)));
        let mut command = place.command(&["update", ".", "--diff", "--no-cache"]);
        let output = feed(command.env("PATH", path), b"");
        (code(&output), said(&output))
    };
    let good = format!(
        "read server; echo $server >> $HOME/asked; echo '{{\"Username\":\"alice\",\"Secret\":\"{PASSWORD}\"}}'"
    );
    assert_eq!(run(&good).0, 0);
    assert_eq!(
        fs::read_to_string(place.home.path().join("asked")).expect("asked"),
        format!("{}\n", server.host())
    );
    for (script, exit, word) in [
        (
            format!("echo {PASSWORD}; echo {PASSWORD} >&2; exit 1"),
            2,
            "docker-credential-test failed",
        ),
        (
            format!("echo {PASSWORD}"),
            2,
            "answered with something that is not a credential",
        ),
        (
            "echo 'credentials not found in native keychain'; exit 1".to_owned(),
            3,
            "access without credentials is denied",
        ),
    ] {
        let (got, text) = run(&script);
        assert_eq!(got, exit, "{text}");
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_function_uses_nothing_that_was_not_named() {
    let server = closed_registry();
    let place = Place::usual(&server, "");
    let config = format!(r#"{{"auths":{{"HOST":{{"auth":"{AUTH}"}}}}}}"#);
    let input = format!("{REPOSITORY}{POLICY}---\n{DEPLOY}").replace("HOST", &server.host());
    let run = |arguments: &[&str], path: &std::ffi::OsStr| {
        let mut command = place.command(&[&["fn"], arguments].concat());
        feed(command.env("PATH", path), input.as_bytes())
    };
    let path = place.docker(&config, None);
    let output = run(&[], &path);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(!place.home.path().join(".cache").exists(), "no cache");
    let output = run(&["--docker-config"], &path);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(stdout(&output).contains("acme/app:1.1.0"));
    // Helpers are never run.
    let path = place.docker(
        r#"{"credsStore":"test"}"#,
        Some(("test", "touch $HOME/ran")),
    );
    let output = run(&["--docker-config"], &path);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(!place.home.path().join("ran").exists());
    // A cache where one is named.
    let output = run(&["--cache", "kept"], &path);
    assert_eq!(code(&output), 3);
    assert!(place.tree.path().join("kept").exists());
    // And a Secret of the list.
    let with_secret = input.replace("interval: 5m", "interval: 5m, secretRef: {name: login}");
    let with_secret = format!(
        "{with_secret}---\n{}",
        secret("login", &server.host(), PASSWORD)
    );
    let output = feed(&mut place.command(&["fn"]), with_secret.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("acme/app:1.1.0"));
    assert!(!stderr(&output).contains(PASSWORD));
}

/// The usual policy in the namespace `team`, for a repository that is not.
pub fn policy_of_a_team() -> String {
    POLICY
        .replace(
            "{name: app, namespace: flux-system}",
            "{name: app, namespace: team}",
        )
        .replace(
            "{name: app}, policy",
            "{name: app, namespace: flux-system}, policy",
        )
}

#[test]
fn namespaces_are_let_in_or_not() {
    let server = open_registry();
    let policy = policy_of_a_team();
    let deploy = DEPLOY.replace("flux-system:app", "team:app");
    let labels =
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team, labels: {tier: gold}}\n";
    for (access, is_in) in [
        ("", false),
        (", accessFrom: {}", false),
        (", accessFrom: {namespaceSelectors: []}", false),
        (", accessFrom: {namespaceSelectors: [{}]}", true),
        (
            ", accessFrom: {namespaceSelectors: [{matchLabels: {kubernetes.io/metadata.name: team}}]}",
            true,
        ),
        (
            ", accessFrom: {namespaceSelectors: [{matchLabels: {kubernetes.io/metadata.name: other}}]}",
            false,
        ),
        (
            ", accessFrom: {namespaceSelectors: [{matchLabels: {tier: gold}}]}",
            true,
        ),
        (
            ", accessFrom: {namespaceSelectors: [{matchLabels: {tier: gold, x: y}}, {matchLabels: {tier: iron}}]}",
            false,
        ),
    ] {
        let repository = REPOSITORY.replace("interval: 5m", &format!("interval: 5m{access}"));
        let documents = format!("{repository}{policy}{labels}");
        let place = Place::new(
            &server,
            &[("policies.yaml", &documents), ("deploy.yaml", &deploy)],
        );
        let output = place.run(&["update", ".", "--diff", "--no-cache"]);
        assert_eq!(
            code(&output),
            if is_in { 0 } else { 2 },
            "{access}: {}",
            said(&output)
        );
        assert_eq!(
            said(&output).contains("access denied: `accessFrom`"),
            !is_in,
            "{access}"
        );
    }
}

#[test]
fn certificates_of_a_secret() {
    let (ours, theirs) = (identity(), identity());
    let server = Server::start_tls(&theirs, Some(&ours.ca), |_| {
        Reply::tags(&["1.0.0", "1.1.0"])
    });
    let place = Place::usual(&server, ", certSecretRef: {name: tls}");
    let indent = |pem: &str| pem.replace('\n', "\n    ");
    for [ca, crt, key] in [
        ["ca.crt", "tls.crt", "tls.key"],
        ["caFile", "certFile", "keyFile"],
    ] {
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: flux-system}}\nstringData:\n  {ca}: |\n    {}\n  {crt}: |\n    {}\n  {key}: |\n    {}\n",
            indent(&theirs.ca),
            indent(&ours.certificate),
            indent(&ours.key)
        );
        place.write("tls.yaml", &secret);
        let output = place.run(&["update", ".", "--diff", "--no-cache"]);
        assert_eq!(code(&output), 0, "{}", said(&output));
        // Half a pair.
        place.write("tls.yaml", &secret.replace(key, "other"));
        let output = place.run(&["update", ".", "--diff", "--no-cache"]);
        assert_eq!(code(&output), 2, "{}", said(&output));
        assert!(
            said(&output).contains("needs both `tls.crt` and `tls.key`"),
            "{}",
            said(&output)
        );
    }
    // The authority by the environment.
    let server = Server::start_tls(&theirs, None, |_| Reply::tags(&["1.0.0", "1.1.0"]));
    let place = Place::usual(&server, "");
    assert_eq!(
        code(&place.run(&["update", ".", "--diff", "--no-cache"])),
        3
    );
    let file = place.home.path().join("ca.pem");
    fs::write(&file, &theirs.ca).expect("written");
    let mut command = place.command(&["update", ".", "--diff", "--no-cache"]);
    let output = feed(command.env("SSL_CERT_FILE", &file), b"");
    assert_eq!(code(&output), 0, "{}", said(&output));
}

#[test]
fn proxies_by_secret_and_environment() {
    fn answer(asked: &Asked) -> Reply {
        match asked.at.as_str() {
            "http://registry.example/v2/acme/app/tags/list?n=1000" => {
                Reply::tags(&["1.0.0", "1.1.0"])
            }
            _ => Reply::Close,
        }
    }
    let proxy = Server::start(answer);
    let mut place = Place::usual(&proxy, ", insecure: true, proxySecretRef: {name: proxy}");
    place.host = "registry.example".to_owned();
    let documents = format!("{REPOSITORY}{POLICY}");
    let with = |spec: &str| {
        documents.replace(
            "interval: 5m",
            &format!("interval: 5m, insecure: true{spec}"),
        )
    };
    place.write("policies.yaml", &with(", proxySecretRef: {name: proxy}"));
    place.write("deploy.yaml", DEPLOY);
    place.write("proxy.yaml", &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: proxy, namespace: flux-system}}\nstringData: {{address: 'http://{}', username: u, password: {PASSWORD}}}\n", proxy.host()));
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        proxy
            .asked()
            .iter()
            .all(|asked| asked.header("proxy-authorization").is_some())
    );
    place.write("policies.yaml", &with(""));
    let mut command = place.command(&["update", ".", "--diff", "--no-cache"]);
    let url = format!("http://{}", proxy.host());
    let output = feed(
        command.env("HTTP_PROXY", &url).env("HTTPS_PROXY", &url),
        b"",
    );
    assert_eq!(code(&output), 0, "{}", said(&output));

    // This machine needs no way out.
    let server = open_registry();
    let near = Place::usual(&server, "");
    let mut command = near.command(&["update", ".", "--diff", "--no-cache"]);
    let output = feed(
        command
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1"),
        b"",
    );
    assert_eq!(code(&output), 0, "{}", said(&output));
}

#[test]
fn deadlines_are_the_repositorys() {
    let server = Server::start(|_| Reply::Hang(Duration::from_secs(5)));
    let dripping = Server::start(|_| Reply::Drip(Duration::from_millis(50)));
    let flag = |time| vec!["--timeout", time];
    for (server, spec, arguments, said_so) in [
        (&server, ", timeout: 100ms", vec![], "no answer within 1 s"),
        (
            &server,
            ", timeout: 1500ms",
            vec![],
            "no answer within 1.5 s",
        ),
        (&server, "", flag("1200ms"), "no answer within 1.2 s"),
        // A document's own wish ends where the user's patience does.
        (
            &server,
            ", timeout: 87600h",
            flag("1200ms"),
            "no answer within 1.2 s",
        ),
        (
            &dripping,
            ", timeout: 87600h",
            flag("1200ms"),
            "no answer within 1.2 s",
        ),
        (
            &dripping,
            ", timeout: 1200ms",
            flag("1h"),
            "no answer within 1.2 s",
        ),
    ] {
        let place = Place::usual(server, spec);
        let begin = Instant::now();
        let output = place.run(&[vec!["update", ".", "--no-cache"], arguments].concat());
        assert_eq!(code(&output), 3, "{}", said(&output));
        assert!(said(&output).contains(said_so), "{}", said(&output));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    let place = Place::usual(&server, ", timeout: soon");
    let output = place.run(&["update", ".", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(
        said(&output).contains("`spec.timeout`: `soon` is not a duration"),
        "{}",
        said(&output)
    );
}

/// Without `--timeout` there is a ceiling, too, and who meets it hears of it.
#[test]
fn a_deadline_that_a_document_asks_for_has_a_ceiling() {
    let server = open_registry();
    for (spec, arguments, said_so) in [
        (", timeout: 10m", &[][..], false),
        (", timeout: 601s", &[], true),
        (", timeout: 87600h", &[], true),
        (", timeout: 87600h", &["--timeout", "20s"], false),
    ] {
        let place = Place::usual(&server, spec);
        let output = place.run(&[&["update", ".", "--diff", "--no-cache"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", said(&output));
        let text = said(&output);
        assert_eq!(
            text.contains("and the run gives it 600 s"),
            said_so,
            "{spec} {text}"
        );
    }
}

/// Which digest comes from where, and what that costs.
#[test]
fn digests() {
    let server = open_registry();
    let status = |tag: &str, digest: &str| {
        format!("status: {{latestRef: {{name: HOST/acme/app, tag: {tag}, digest: '{digest}'}}}}\n")
    };
    let pinned = |tag: &str, digest: &str| DEPLOY.replace("1.0.0", &format!("{tag}@{digest}"));
    let list = "GET /v2/acme/app/tags/list?n=1000";
    let head = "HEAD /v2/acme/app/manifests/1.1.0";
    let two = format!("{}{}", pinned("1.1.0", TWO), pinned("1.1.0", ONE));
    let parts = format!(
        "a: 1.1.0 # {{\"$imagepolicy\": \"flux-system:app:tag\"}}\nb: {TWO} # {{\"$imagepolicy\": \"flux-system:app:digest\"}}\n"
    );
    for (policy, status, deploy, asked, written) in [
        (
            "Never",
            String::new(),
            DEPLOY.to_owned(),
            vec![list],
            ":1.1.0 #".to_owned(),
        ),
        (
            "Always, interval: 10m",
            String::new(),
            DEPLOY.to_owned(),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "Always, interval: 10m",
            status("1.1.0", TWO),
            pinned("1.1.0", TWO),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "IfNotPresent",
            String::new(),
            DEPLOY.to_owned(),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "IfNotPresent",
            status("1.1.0", TWO),
            DEPLOY.to_owned(),
            vec![list],
            format!(":1.1.0@{TWO} #"),
        ),
        (
            "IfNotPresent",
            status("1.0.0", TWO),
            DEPLOY.to_owned(),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        // What all scalars carry is as good as a status.
        (
            "IfNotPresent",
            String::new(),
            pinned("1.1.0", TWO),
            vec![list],
            format!(":1.1.0@{TWO} #"),
        ),
        (
            "IfNotPresent",
            String::new(),
            pinned("1.0.0", TWO),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "IfNotPresent",
            String::new(),
            format!("{}{DEPLOY}", pinned("1.1.0", TWO))
                .replace("image: HOST/acme/app:1.0.0", "other: HOST/acme/app:1.1.0"),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "IfNotPresent",
            String::new(),
            two.replacen("image", "one", 1),
            vec![list, head],
            format!(":1.1.0@{ONE} #"),
        ),
        (
            "IfNotPresent",
            String::new(),
            parts,
            vec![list],
            format!("b: {TWO} #"),
        ),
    ] {
        let server_before = server.paths().len();
        let policy_text = POLICY.replace(
            "spec: {",
            &format!("spec: {{digestReflectionPolicy: {policy}, "),
        );
        let documents = format!("{REPOSITORY}{policy_text}{status}");
        let place = Place::new(
            &server,
            &[("policies.yaml", &documents), ("deploy.yaml", &deploy)],
        );
        // `--refresh`: the status is only what was chosen before.
        let output = place.run(&["update", ".", "--no-cache", "--refresh"]);
        assert_eq!(
            code(&output),
            0,
            "{policy} {status}{deploy}{}",
            said(&output)
        );
        assert_eq!(
            server.paths()[server_before..],
            asked,
            "{policy} {status}{deploy}"
        );
        let text = place.read("deploy.yaml");
        assert!(text.contains(&written), "{policy} {status}{deploy}: {text}");
    }
}

#[test]
fn a_digest_that_cannot_be_had_is_a_registrys_failure() {
    let server = Server::start(|asked| match asked.path() {
        "/v2/acme/app/tags/list" => Reply::tags(&["1.1.0"]),
        _ => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
    });
    let policy = POLICY.replace(
        "spec: {",
        "spec: {digestReflectionPolicy: Always, interval: 10m, ",
    );
    let place = Place::new(
        &server,
        &[
            ("policies.yaml", &format!("{REPOSITORY}{policy}")),
            ("deploy.yaml", DEPLOY),
        ],
    );
    let output = place.run(&["update", ".", "--no-cache"]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(
        said(&output).contains("failed fetching digest of"),
        "{}",
        said(&output)
    );
    assert!(place.read("deploy.yaml").contains("1.0.0"));
}

/// What was chosen before stays where nothing is chosen now, as in Flux.
#[test]
fn a_refresh_that_chooses_nothing_keeps_the_status() {
    let server = open_registry();
    let policy = POLICY.replace("1.x", "9.x");
    let status = "status: {latestRef: {name: HOST/acme/app, tag: 9.0.0}}\n";
    let documents = format!("{REPOSITORY}{policy}{status}");
    let place = Place::new(
        &server,
        &[("policies.yaml", &documents), ("deploy.yaml", DEPLOY)],
    );
    let output = place.run(&["update", ".", "--no-cache", "--refresh"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        said(&output).contains("chooses nothing now and keeps"),
        "{}",
        said(&output)
    );
    assert!(place.read("deploy.yaml").contains(":9.0.0 #"));
    // Without it the status is the answer, and nobody is asked.
    let before = server.paths().len();
    assert_eq!(code(&place.run(&["update", ".", "--no-cache"])), 0);
    assert_eq!(server.paths().len(), before);
}

/// Without a network the answer comes at once.
#[test]
fn without_a_network() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let documents = format!("{REPOSITORY}{POLICY}").replace("HOST", "registry.example");
    place.write("policies.yaml", &documents);
    let program = env!("CARGO_BIN_EXE_flux-image");
    let mut command = Command::new("unshare");
    command
        .args(["-rn", program, "update", ".", "--no-cache"])
        .current_dir(place.tree.path());
    let probe = Command::new("unshare").args(["-rn", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return super::support::skipped(
            "without_a_network",
            "a process cannot be put into a network of its own here",
        );
    }
    let begin = Instant::now();
    let output = feed(&mut command, b"");
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(
        said(&output).contains("registry.example cannot be reached"),
        "{}",
        said(&output)
    );
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

/// Every failure comes with advice.
#[test]
fn every_failure_has_a_hint() {
    for reply in [
        || Reply::new(404, ""),
        || Reply::new(403, ""),
        || Reply::new(418, ""),
        || Reply::new(200, "<html>"),
        || Reply::new(302, ""),
        || Reply::new(302, "").with("location", "https://evil.example/"),
        || Reply::new(401, "").with("www-authenticate", "Bearer realm=\"http://evil.example/\""),
        || Reply::new(429, "").with("retry-after", "9999"),
        || Reply::tags(&["1"]).with("link", "<//evil.example/>; rel=next"),
    ] {
        let server = Server::start(move |_| reply());
        let place = Place::usual(&server, "");
        let output = place.run(&["scan", "--no-cache"]);
        assert_eq!(code(&output), 3, "{}", said(&output));
        let text = said(&output);
        assert!(
            text.contains("could not be scanned: ") && text.contains("\n  hint: "),
            "{text}"
        );
    }
}

/// Who looks sees how far it is; a log does not.
#[test]
fn progress_is_for_terminals() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(500));
        Reply::tags(&["1.0.0", "1.1.0"])
    });
    let place = Place::usual(&server, "");
    let output = place.run(&["update", ".", "--diff", "--no-cache"]);
    assert!(
        !said(&output).contains("asking registries"),
        "{}",
        said(&output)
    );
    let program = env!("CARGO_BIN_EXE_flux-image");
    let mut command = Command::new("script");
    command
        .args([
            "-qec",
            &format!("{program} update . --diff --no-cache"),
            "/dev/null",
        ])
        .current_dir(place.tree.path())
        .env("TERM", "xterm");
    if Command::new("script").arg("--version").output().is_err() {
        return super::support::skipped("progress_is_for_terminals", "no script(1)");
    }
    let output = feed(&mut command, b"");
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(
        said(&output).contains("asking registries"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("acme/app:1.1.0"),
        "{}",
        said(&output)
    );
}

/// The same documents and tags make the same bytes, but for the times.
#[test]
fn what_is_printed_is_reproducible() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let policy = POLICY.replace("{name: app, n", "{name: still, n");
    let status = "status: {latestRef: {name: HOST/acme/app, tag: 1.0.0}}\n";
    let suspended = policy.replace("spec: {", "spec: {suspend: true, ");
    place.write("more.yaml", &format!("{suspended}{status}"));
    // What cannot be read and contains no documents is nobody's business here.
    fs::write(place.tree.path().join("latin.yaml"), b"a: \xe9\n").expect("written");
    for command in ["scan", "resolve"] {
        assert!(!said(&place.run(&[command, "--no-cache"])).contains("latin.yaml"));
        let run = || {
            let output = place.run(&[command, "--no-cache"]);
            assert_eq!(code(&output), 0, "{}", said(&output));
            let text = stdout(&output);
            let is_time =
                |line: &&str| line.contains("scannedAt") || line.contains("lastTransitionTime");
            let times = text.lines().filter(is_time).count();
            let rest: Vec<&str> = text.lines().filter(|line| !is_time(line)).collect();
            (times, rest.join("\n"))
        };
        let first = run();
        assert_eq!(first, run());
        assert_eq!(first.0, 1, "{}", first.1);
        // Who is suspended keeps the status as it was.
        if command == "resolve" {
            let (_, still) = first
                .1
                .split_once("name: still")
                .expect("the second policy");
            assert!(
                still.contains("tag: 1.0.0") && !still.contains("conditions"),
                "{still}"
            );
        }
    }
}

/// Two different documents of one name, in two files: nobody is asked as one of
/// them at random.
#[test]
fn two_repositories_of_one_name() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    place.write("zwei.yaml", &REPOSITORY.replace("acme/app", "acme/other"));
    let output = place.run(&["update", ".", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    let text = said(&output);
    assert!(
        text.contains(
            "two different ImageRepositories have this name: policies.yaml:1:1 and zwei.yaml:1:1"
        ),
        "{text}"
    );
    let output = place.run(&["scan", "--no-cache"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(said(&output).contains("a different one of this name stands at policies.yaml:1:1"));
    assert!(server.paths().is_empty());
}

/// As with every document, what `--policies` says of a namespace goes before what
/// the tree or the list says, for both commands.
#[test]
fn labels_of_a_flag_go_first() {
    let server = open_registry();
    let policy = policy_of_a_team();
    let access = "interval: 5m, accessFrom: {namespaceSelectors: [{matchLabels: {tier: gold}}]}";
    let repository = REPOSITORY.replace("interval: 5m", access);
    let deploy = DEPLOY.replace("flux-system:app", "team:app");
    let namespace = |tier| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: team, labels: {{tier: {tier}}}}}\n"
        )
    };
    for (given, own, exit) in [("gold", "iron", 0), ("iron", "gold", 2)] {
        let documents = format!("{repository}{policy}---\n{}", namespace(own));
        let place = Place::new(
            &server,
            &[("policies.yaml", &documents), ("deploy.yaml", &deploy)],
        );
        place.write("given.txt", &namespace(given));
        let output = place.run(&[
            "update",
            ".",
            "--diff",
            "--no-cache",
            "--policies",
            "given.txt",
        ]);
        assert_eq!(code(&output), exit, "{given}: {}", said(&output));
        let input = format!("{documents}---\n{deploy}").replace("HOST", &server.host());
        let mut command = place.command(&["fn", "--policies", "given.txt"]);
        let output = feed(&mut command, input.as_bytes());
        assert_eq!(code(&output), exit, "{given}: {}", said(&output));
    }
}

/// An authority of the registry's own: in `ca.crt` of `certSecretRef`, and in `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[test]
fn an_authority_may_be_given_in_each_way() {
    let alone = self_signed(&["127.0.0.1"], |_| {});
    let server = Server::start_tls(&alone, None, |_| Reply::tags(&["1.0.0", "1.1.0"]));
    let place = Place::usual(&server, "");
    let update = ["update", ".", "--diff", "--no-cache"];
    let output = feed(
        place.command(&update).env("SSL_CERT_FILE", "/dev/null"),
        b"",
    );
    assert_eq!(code(&output), 3);
    assert!(
        stderr(&output).contains("no certificate authority is known on this machine"),
        "{}",
        stderr(&output)
    );
    let output = place.run(&update);
    assert_eq!(code(&output), 3);
    assert!(
        stderr(&output).contains("not among the trusted ones"),
        "{}",
        stderr(&output)
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &alone.ca).expect("written");
    let output = feed(place.command(&update).env("SSL_CERT_FILE", &file), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // As `openssl rehash` names it.
    std::fs::rename(&file, folder.path().join("0123abcd.0")).expect("renamed");
    let output = feed(
        place.command(&update).env("SSL_CERT_DIR", folder.path()),
        b"",
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    let place = Place::usual(&server, ", certSecretRef: {name: tls}");
    let pem = alone.ca.replace('\n', "\n    ");
    place.write(
        "secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: tls, namespace: flux-system}}\nstringData:\n  ca.crt: |\n    {pem}\n"
        ),
    );
    let output = place.run(&update);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

/// A file outside the PATHs is nobody's question, also one with documents.
#[test]
fn only_what_is_in_reach_is_asked_for() {
    let server = open_registry();
    let web = format!("{REPOSITORY}{POLICY}").replace("app", "web");
    let web = format!(
        "{web}---\nkind: Pod\nspec:\n  containers:\n  - image: HOST/acme/web:1.0.0 # {{\"$imagepolicy\": \"flux-system:web\"}}\n"
    );
    let place = Place::usual(&server, "");
    place.write("web.yaml", &web);
    for more in [&[][..], &["--bind", "images"]] {
        let arguments = [&["update", "deploy.yaml", "--no-cache", "--dry-run"], more].concat();
        let output = place.run(&arguments);
        assert_eq!(code(&output), 0, "{}", said(&output));
        let asked = server.paths();
        assert!(asked.iter().all(|path| !path.contains("web")), "{asked:?}");
    }
    let output = place.run(&["update", ".", "--no-cache", "--dry-run"]);
    assert_eq!(code(&output), 3, "{}", said(&output));
}

/// Of two Secrets of one name the last file's counts, whatever else that file holds.
#[test]
fn of_two_secrets_the_last_counts() {
    let server = closed_registry();
    let wrong = secret("login", "HOST", "wrong");
    let right = secret("login", "HOST", PASSWORD);
    let repository = REPOSITORY.replace("interval: 5m", "interval: 5m, secretRef: {name: login}");
    let files = |first: &str, last: &str| {
        let place = Place::new(&server, &[("c.yaml", POLICY), ("d.yaml", DEPLOY)]);
        place.write("a.yaml", first);
        place.write("b.yaml", last);
        let output = place.run(&["update", ".", "--diff", "--no-cache"]);
        (code(&output), said(&output))
    };
    for (with_it, alone, expected) in [(&right, &wrong, 0), (&wrong, &right, 3)] {
        let together = format!("{repository}---\n{with_it}");
        let (exit, said) = files(alone, &together);
        assert_eq!(exit, expected, "{said}");
        let (exit, said) = files(&together, alone);
        assert_eq!(exit, 3 - expected, "{said}");
    }
}
