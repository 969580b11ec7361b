//! The container image: its last stage, built around a static binary and run
//! as the orchestrators run it.
//!
//! `docker build .` needs a base image from outside. Here a binary that is linked
//! statically on this machine stands among the same files, which are the root of
//! a process of their own; `tests/orchestrators` has a real engine build them.

#![cfg(target_os = "linux")]

#[path = "services/image.rs"]
mod image;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use image::{layout, static_binary};
use tempfile::TempDir;

const INPUT: &str = include_str!("cases/fn/version-v1/in");
const EXPECTED: &str = include_str!("cases/fn/version-v1/out");

/// Said past the test runner, which keeps what passing tests print.
fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

fn feed(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    _ = stdin.write_all(INPUT.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_binary_needs_no_library() {
    let output = Command::new("ldd").arg(static_binary()).output();
    let Ok(output) = output else {
        return skipped("the_binary_needs_no_library", "no ldd");
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        said.contains("statically linked") || said.contains("not a dynamic"),
        "{said}"
    );
}

/// Everything that the image holds, and nothing else, as the root of a process
/// without a network.
#[test]
fn its_files_are_enough() {
    let root = TempDir::new().expect("a folder");
    layout(root.path());
    let command = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--mount", "--root"]);
        command.arg(root.path()).arg("/flux-image").env_clear();
        command
    };
    let version = command().arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return skipped("its_files_are_enough", "no root of our own is allowed here");
    }
    let output = feed(&mut command());
    assert_eq!(text(&output.stdout), EXPECTED, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}
