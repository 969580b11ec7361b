//! Docker's credential helpers: `docker-credential-NAME get`.
//!
//! What a helper prints is a secret, on both of its streams; only whether it
//! answered is ever said.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::secret::{Credential, Secret};

/// No answer of a helper is longer.
const LONGEST: u64 = 256 << 10;
/// The user name that says that the secret is a token.
const TOKEN: &str = "<token>";

/// Why a helper gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelperError {
    /// A name that could lead to another program.
    #[error("`{0}` is not the name of a credential helper")]
    Name(String),
    /// It cannot be started.
    #[error("docker-credential-{0} cannot be started: {1}")]
    Start(String, std::io::ErrorKind),
    /// It takes too long.
    #[error("docker-credential-{0} did not answer within {n} s", n = .1.as_secs())]
    Slow(String, Duration),
    /// It failed.
    #[error("docker-credential-{0} failed")]
    Failed(String),
    /// It answered with something else.
    #[error("docker-credential-{0} answered with something that is not a credential")]
    Answer(String),
}

/// Asks the helper `name` for the login of `server`; `None` where it has none.
///
/// # Errors
/// A helper that cannot be asked or does not answer.
pub fn ask(name: &str, server: &str, within: Duration) -> Result<Option<Credential>, HelperError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(HelperError::Name(name.to_owned()));
    }
    let mut helper = Command::new(format!("docker-credential-{name}"));
    converse(helper.arg("get"), name, server, within)
}

fn converse(
    helper: &mut Command,
    name: &str,
    server: &str,
    within: Duration,
) -> Result<Option<Credential>, HelperError> {
    let mut child = helper
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| HelperError::Start(name.to_owned(), error.kind()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read has failed for a reason of its own.
        _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            _ = stdout.take(LONGEST).read_to_end(&mut answer);
        }
        answer
    });
    let Some(succeeded) = wait(&mut child, within) else {
        _ = child.kill();
        _ = child.wait();
        return Err(HelperError::Slow(name.to_owned(), within));
    };
    // A child of the helper may still hold the pipe.
    let begin = Instant::now();
    while !reader.is_finished() && begin.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(5));
    }
    if !reader.is_finished() {
        return Err(HelperError::Answer(name.to_owned()));
    }
    let answer = reader.join().unwrap_or_default();
    read(name, succeeded, &answer)
}

/// Whether it succeeded, `None` where it does not end in time.
fn wait(child: &mut Child, within: Duration) -> Option<bool> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Err(_) => return Some(false),
            Ok(None) if begin.elapsed() >= within => return None,
            Ok(None) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn read(name: &str, succeeded: bool, answer: &[u8]) -> Result<Option<Credential>, HelperError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Login {
        username: String,
        secret: Secret,
    }
    if !succeeded {
        // The protocol's own words for a login that it does not have.
        let text = String::from_utf8_lossy(answer);
        return if text.contains("credentials not found in native keychain") {
            Ok(None)
        } else {
            Err(HelperError::Failed(name.to_owned()))
        };
    }
    let login: Login =
        serde_json::from_slice(answer).map_err(|_| HelperError::Answer(name.to_owned()))?;
    Ok(Some(match login.username.as_str() {
        "" if login.secret.reveal().is_empty() => return Ok(None),
        TOKEN => Credential::IdentityToken(login.secret),
        _ => Credential::Basic {
            username: login.username,
            password: login.secret,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let ok = |json: &str| read("x", true, json.as_bytes());
        assert_eq!(
            ok(r#"{"ServerURL":"ghcr.io","Username":"alice","Secret":"pw"}"#),
            Ok(Some(Credential::Basic {
                username: "alice".to_owned(),
                password: Secret::new("pw"),
            }))
        );
        assert_eq!(
            ok(r#"{"Username":"<token>","Secret":"t"}"#),
            Ok(Some(Credential::IdentityToken(Secret::new("t"))))
        );
        assert_eq!(ok(r#"{"Username":"","Secret":""}"#), Ok(None));
        assert_eq!(ok("hunter2"), Err(HelperError::Answer("x".to_owned())));
        assert_eq!(
            read("x", false, b"credentials not found in native keychain\n"),
            Ok(None)
        );
        assert_eq!(
            read("x", false, b"hunter2"),
            Err(HelperError::Failed("x".to_owned()))
        );
    }

    #[test]
    fn a_helper_that_does_not_end_is_ended() {
        let within = Duration::from_millis(100);
        for script in ["sleep 60", "sleep 60 & echo x", "exec 1>&-; sleep 60"] {
            let begin = Instant::now();
            let error = converse(
                Command::new("sh").args(["-c", script]),
                "x",
                "ghcr.io",
                within,
            );
            error.expect_err("no answer");
            assert!(begin.elapsed() < Duration::from_secs(20), "{script}");
        }
    }

    #[test]
    fn names_lead_to_no_other_program() {
        for name in ["", "../../bin/sh", "a/b", "a b", "a;b"] {
            let error = ask(name, "ghcr.io", Duration::from_secs(1)).expect_err(name);
            assert_eq!(error, HelperError::Name(name.to_owned()));
        }
    }
}
