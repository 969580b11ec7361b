//! `flux-image fn` over the folders of `tests/cases/fn`: `in` is the
//! input, `args` the arguments, `out` what stdout, `err` what stderr and the
//! exit code must be. `UPDATE_CASES=1` writes the last two anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::run_in;
use crate::support::{code, feed, flux_image, stderr, stdout};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/fn");

fn cases() -> BTreeSet<std::path::PathBuf> {
    let entries = fs::read_dir(CASES).expect("tests/cases/fn");
    let cases: BTreeSet<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    assert!(!cases.is_empty(), "{CASES} is empty");
    cases
}

fn arguments(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("args")).unwrap_or_default();
    let mut arguments = vec!["fn".to_owned()];
    arguments.extend(text.lines().map(str::to_owned));
    arguments
}

fn check(case: &Path, name: &str, actual: &str, failures: &mut Vec<String>) {
    let path = case.join(name);
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(&path, actual).expect("write the case");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != actual {
        failures.push(format!(
            "{}:\n--- expected\n{expected}\n--- actual\n{actual}",
            path.display()
        ));
    }
}

#[test]
fn every_case() {
    let mut failures = Vec::new();
    for case in cases() {
        let input = fs::read(case.join("in")).expect("in");
        let arguments = arguments(&case);
        let output = feed(flux_image().current_dir(&case).args(arguments), &input);
        check(&case, "out", &stdout(&output), &mut failures);
        let err = format!("{}exit {}\n", stderr(&output), code(&output));
        check(&case, "err", &err, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What came out goes in again: nothing changes any more.
#[test]
fn a_second_run_changes_nothing() {
    for case in cases() {
        let input = fs::read(case.join("in")).expect("in");
        let arguments = arguments(&case);
        let run = |input: &[u8]| feed(flux_image().current_dir(&case).args(&arguments), input);
        let first = run(&input);
        if first.stdout.is_empty() {
            continue;
        }
        let second = run(&first.stdout);
        let text = stdout(&second);
        let changed = text.matches("` set to `").count();
        let before = stdout(&first).matches("` set to `").count();
        assert_eq!(changed, before, "{}:\n{text}", case.display());
    }
}

/// Where input could be read, it comes back, whatever the exit code.
#[test]
fn success_is_never_empty() {
    for case in cases() {
        let output = fs::read(case.join("out")).expect("out");
        let err = fs::read_to_string(case.join("err")).expect("err");
        assert!(
            !output.is_empty() || err.ends_with("exit 2\n"),
            "{}",
            case.display()
        );
    }
}

#[test]
fn no_command_is_fn() {
    let case = Path::new(CASES).join("version-v1");
    let input = fs::read(case.join("in")).expect("in");
    let output = run_in(&case, &[], &input);
    assert_eq!(
        stdout(&output),
        fs::read_to_string(case.join("out")).expect("out")
    );
}

/// What the environment says counts, too: nobody is asked.
#[test]
fn no_command_is_fn_in_the_same_environment() {
    let input = r#"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: ns}
spec: {image: 127.0.0.1:1/acme/app, insecure: true}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: ns}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: 1.x}}}
---
kind: Deployment
image: 127.0.0.1:1/acme/app:1.0.0 # {"$imagepolicy": "ns:app"}
"#;
    let run = |arguments: &[&str]| feed(flux_image().args(arguments), input.as_bytes());
    let (bare, named) = (run(&[]), run(&["fn"]));
    assert_eq!(code(&bare), 2, "{}", stderr(&bare));
    assert_eq!(stderr(&bare), stderr(&named));
    assert_eq!(stdout(&bare), stdout(&named));
}
