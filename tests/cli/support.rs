//! Running the program, and folders to run it in.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// The program, with nothing of this machine's environment that could change
/// what it prints.
pub fn flux_image() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flux-image"));
    command
        .env_clear()
        .env("COLUMNS", "100")
        .env("FLUX_IMAGE_OFFLINE", "true");
    command
}

/// Runs `command` with `input` on stdin.
pub fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    output
}

/// Said past the test runner, which keeps what passing tests print.
pub fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}
