//! stdin has one reader at most, and whoever reads stdout or stderr may stop.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::run_in;
use crate::support::{code, flux_image, stderr, stdout};

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: app, namespace: flux-system}\nspec: {imageRepositoryRef: {name: app}, policy: {alphabetical: {}}}\nstatus: {latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}}\n";

/// A folder with more to say than a pipe holds.
fn large() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("policies.yaml"), POLICY).expect("a file");
    let line = "- ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    let dead = "- x # {\"$imagepolicy\": \"flux-system:dead\"}\n";
    let text = line.repeat(3_000) + &dead.repeat(3_000);
    fs::write(folder.path().join("a.yaml"), text).expect("a file");
    let pod = |number| {
        format!("---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p{number}\nspec:\n{line}")
    };
    let pods: String = (0..1_000).map(pod).collect();
    fs::write(folder.path().join("b.yaml"), pods).expect("a file");
    folder
}

/// Runs a command whose stdout or stderr is closed after its first line.
fn closed(command: &mut Command, reads_stderr: bool) -> (i32, String) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = (out.expect("a pipe"), err.expect("a pipe"));
    let drain = |mut stream: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        })
    };
    let mut first = String::new();
    let other = if reads_stderr {
        let other = drain(Box::new(out));
        BufReader::new(err).read_line(&mut first).expect("a line");
        other
    } else {
        let other = drain(Box::new(err));
        BufReader::new(out).read_line(&mut first).expect("a line");
        other
    };
    assert!(!first.is_empty());
    let other = other.join().expect("a reader").expect("UTF-8");
    let status = child.wait().expect("the program ends");
    (status.code().expect("the program was not killed"), other)
}

#[test]
fn a_reader_of_stdout_may_stop() {
    for arguments in [
        &["update", ".", "--diff"][..],
        &["update", ".", "--dry-run"],
        &["update", ".", "--dry-run", "-o", "json"],
        &["update", ".", "--dry-run", "-o", "github"],
        &["update", ".", "--dry-run", "-o", "sarif"],
        &["update", ".", "--dry-run", "--report", "/dev/stdout"],
        &["update", "."],
        &["annotate", ".", "--diff"],
    ] {
        let folder = large();
        let mut command = flux_image();
        command.current_dir(folder.path()).args(arguments);
        let (code, said) = closed(&mut command, false);
        assert_eq!(code, 0, "{arguments:?}: {said}");
        assert!(!said.contains("error"), "{arguments:?}: {said}");
        assert!(!said.contains("ipe"), "{arguments:?}: {said}");
        let text = fs::read_to_string(folder.path().join("a.yaml")).expect("a file");
        let is_edited = text.contains("app:1.2.0");
        assert_eq!(is_edited, arguments == ["update", "."], "{arguments:?}");
    }
}

/// What the run found out is still told by its exit code.
#[test]
fn a_judge_whose_text_nobody_reads_still_judges() {
    let folder = large();
    let mut command = flux_image();
    command
        .current_dir(folder.path())
        .args(["update", ".", "--check"]);
    // There are markers of policies that nobody knows, too.
    assert_eq!(closed(&mut command, false).0, 2);
}

#[test]
fn a_reader_of_a_function_may_stop() {
    let folder = large();
    let path = folder.path().join("a.yaml");
    let input = fs::read_to_string(&path).expect("a file");
    fs::write(&path, format!("{POLICY}---\n{input}")).expect("a file");
    // The shell opens the file, and `head` closes the pipe.
    let script = format!(
        "'{}' < a.yaml 2> said | head -1; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_flux-image")
    );
    let mut bash = Command::new("bash");
    let output = bash
        .arg0("bash")
        .current_dir(folder.path())
        .args(["-c", &script])
        .output()
        .expect("bash");
    assert_eq!(
        stdout(&output),
        "apiVersion: image.toolkit.fluxcd.io/v1\n0\n"
    );
    let said = fs::read_to_string(folder.path().join("said")).expect("a file");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn a_reader_of_stderr_may_stop() {
    let folder = large();
    let mut command = flux_image();
    command.current_dir(folder.path()).args(["update", "."]);
    let (code, out) = closed(&mut command, true);
    assert_eq!(code, 0);
    assert_eq!(out.lines().count(), 4_000);
    let text = fs::read_to_string(folder.path().join("a.yaml")).expect("a file");
    assert!(text.contains("app:1.2.0"));
}

#[test]
fn stdin_has_one_reader() {
    let folder = TempDir::new().expect("a folder");
    for (arguments, both) in [
        (
            &["update", "--policies", "-", "--secret", "-"][..],
            "`--policies -` and `--secret -`",
        ),
        (
            &["update", "--policies", "-", "--from-webhook", "-"],
            "`--policies -` and `--from-webhook -`",
        ),
        (
            &["update", "--policies", "-", "--policies", "-"],
            "`--policies -` and `--policies -`",
        ),
        (
            &["update", "--config", "/dev/stdin", "--secret", "-"],
            "`--config /dev/stdin` and `--secret -`",
        ),
        (
            &["update", "--secret", "-", "--from-webhook", "/dev/fd/0"],
            "`--secret -` and `--from-webhook /dev/fd/0`",
        ),
        (
            &["update", "--policies", "/dev/./stdin", "--secret", "-"],
            "`--policies /dev/./stdin` and `--secret -`",
        ),
        (
            &[
                "update",
                "--policies",
                "/proc/thread-self/fd/0",
                "--secret",
                "-",
            ],
            "`--policies /proc/thread-self/fd/0` and `--secret -`",
        ),
        (
            &["scan", "--policies", "-", "--secret", "-"],
            "`--policies -` and `--secret -`",
        ),
        (
            &["resolve", "--policies", "-", "--secret", "-"],
            "`--policies -` and `--secret -`",
        ),
    ] {
        let output = run_in(folder.path(), arguments, POLICY.as_bytes());
        assert_eq!(code(&output), 2, "{arguments:?}");
        let expected = format!("{both} would both read stdin");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
    for flag in ["--policies", "--secret", "--config"] {
        let output = run_in(folder.path(), &["fn", flag, "-"], POLICY.as_bytes());
        assert_eq!(code(&output), 2, "{flag}");
        let expected = format!("`{flag} -` would read the ResourceList itself");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}
