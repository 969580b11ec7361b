//! What asks registries of `test` and `compare`, and how often.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::PASSWORD;
use super::commands::{POLICY, Place, REPOSITORY, closed_registry, open_registry, secret};
use super::server::{Reply, Server};
use super::support::{code, stderr, stdout};

/// A place with two folders, in which one repository has two names and two ranges.
fn two_folders(server: &Server) -> Place {
    let place = Place::new(server, &[]);
    for name in ["before", "after"] {
        std::fs::create_dir(place.tree.path().join(name)).expect("a folder");
    }
    place.write("before/app.yaml", &format!("{REPOSITORY}{POLICY}"));
    let renamed = format!("{REPOSITORY}{POLICY}").replace("{name: app}", "{name: other}");
    let renamed = renamed.replacen("name: app", "name: other", 1);
    place.write("after/app.yaml", &renamed.replace("1.x", "'>=1'"));
    place
}

const COMPARE: [&str; 4] = ["compare", "before", "after", "--no-cache"];

#[test]
fn a_repository_is_asked_once_for_both() {
    let server = open_registry();
    let place = two_folders(&server);
    let output = place.run(&COMPARE);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output).replace(&place.host, "HOST");
    assert!(told.contains("before HOST/acme/app:1.1.0"), "{told}");
    assert!(told.contains("after  HOST/acme/app:2.0.0"), "{told}");
    let lists = server.paths();
    let lists = lists.iter().filter(|path| path.contains("/tags/list"));
    assert_eq!(lists.count(), 1);
    // Nobody is asked where the user gives the tags.
    let server = open_registry();
    let place = two_folders(&server);
    place.write("tags", "1.5.0\n");
    let output = place.run(&[&COMPARE[..], &["--tags", "tags"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(server.paths(), [] as [&str; 0]);
}

/// That one ImageRepository gets no answer says nothing of one with a login.
#[test]
fn another_login_is_asked_again() {
    let server = closed_registry();
    let place = two_folders(&server);
    let with_login = REPOSITORY.replace("5m", "5m, secretRef: {name: login}");
    let login = secret("login", "HOST", PASSWORD);
    place.write(
        "before/app.yaml",
        &format!("{with_login}{POLICY}---\n{login}"),
    );
    place.write("after/app.yaml", &format!("{REPOSITORY}{POLICY}"));
    let output = place.run(&COMPARE);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let told = stdout(&output).replace(&place.host, "HOST");
    assert!(
        told.contains("cannot be compared"),
        "{told}{}",
        stderr(&output)
    );
    assert!(told.contains("before HOST/acme/app:1.1.0"), "{told}");
    assert!(told.contains("after  not known: "), "{told}");
}

#[test]
fn only_a_recording_asks() {
    let server = open_registry();
    let place = Place::usual(&server, "");
    let output = place.run(&["test", "--record", "app", "--no-cache"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let recorded = stdout(&output);
    assert!(recorded.contains("tag: 1.1.0"), "{recorded}");
    place.write("test.yaml", &recorded);
    let asked = server.paths().len();
    assert!(asked > 0);
    let output = place.run(&["test"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "ok      test.yaml:1:1  flux-system/app\n");
    assert_eq!(server.paths().len(), asked);
    // Without an answer nothing is recorded.
    let server = closed_registry();
    let place = Place::usual(&server, "");
    let output = place.run(&["test", "--record", "app", "--no-cache"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("nothing was recorded"),
        "{}",
        stderr(&output)
    );
}

/// One name of an ImageRepository may stand for two repositories in two sets.
#[test]
fn each_set_has_its_own_way_to_a_repository() {
    let server = Server::start(|asked| match asked.path() {
        "/v2/acme/app/tags/list" => Reply::tags(&["1.0.0"]),
        "/v2/acme/moved/tags/list" => Reply::tags(&["1.7.0"]),
        _ => Reply::new(404, ""),
    });
    let place = two_folders(&server);
    let text = format!("{REPOSITORY}{POLICY}");
    place.write("before/app.yaml", &text);
    place.write("after/app.yaml", &text.replace("acme/app", "acme/moved"));
    let output = place.run(&COMPARE);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = stdout(&output).replace(&place.host, "HOST");
    assert!(told.contains("before HOST/acme/app:1.0.0"), "{told}");
    assert!(told.contains("after  HOST/acme/moved:1.7.0"), "{told}");
    assert!(
        told.contains("image: HOST/acme/app → HOST/acme/moved"),
        "{told}"
    );
}

/// Ctrl-C while a registry is asked leaves no temporary folder behind.
#[test]
fn ctrl_c_leaves_nothing() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_secs(20));
        Reply::new(500, "")
    });
    let place = two_folders(&server);
    let temporary = tempfile::tempdir().expect("a folder");
    let mut command = place.command(&["compare", "before/app.yaml", "after/app.yaml"]);
    let mut child = command
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let count = || {
        std::fs::read_dir(temporary.path())
            .expect("a folder")
            .count()
    };
    let begin = Instant::now();
    while server.connections() == 0 && begin.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(count(), 2);
    let id = i32::try_from(child.id()).expect("an id");
    kill(Pid::from_raw(id), Signal::SIGINT).expect("sent");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(count(), 0);
}
