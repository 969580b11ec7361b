//! Text that others wrote must not act on what reads our output: terminals,
//! logs of CI systems, review pages, later jobs.

use std::fs;
use std::process::Output;

use tempfile::TempDir;

use crate::support::{code, feed, flux_image, stderr, stdout};

const SOURCES: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: https://git.example/acme/fleet, ref: {branch: main}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {alphabetical: {}}}
status: {latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}}
";

/// A resource whose name, kind and comments would act.
const MANIFEST: &str = "\
apiVersion: v1
kind: \"Config\\u001b[31m##[error]Map\"
metadata: {name: \"a\\u202eb\\u009b31m\\u2028::error::x ##[warning]y\"}
# \u{202e} ##[group]z
image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
other: 1.0.0 # {\"$imagepolicy\": \"flux-system:@all ##[error]fixes #1\"}
";

fn automation(template: &str, branch: &str) -> String {
    format!(
        "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {{name: auto, namespace: flux-system}}\nspec:\n  interval: 30m\n  sourceRef: {{kind: GitRepository, name: fleet}}\n  git: {{commit: {{author: {{name: bot, email: bot@acme.example}}, messageTemplate: \"{template}\"}}, push: {{branch: \"{branch}\"}}}}\n  update: {{path: ., strategy: Setters}}\n"
    )
}

fn tree(documents: &str) -> TempDir {
    let tree = TempDir::new().expect("a folder");
    fs::create_dir(tree.path().join(".git")).expect("a folder");
    fs::write(tree.path().join("flux.yaml"), documents).expect("a file");
    fs::write(tree.path().join("app.yaml"), MANIFEST).expect("a file");
    tree
}

fn update(tree: &TempDir, arguments: &[&str], is_in_ci: bool) -> Output {
    let mut command = flux_image();
    if is_in_ci {
        command.env("GITHUB_ACTIONS", "true");
    }
    let command = command.current_dir(tree.path());
    feed(command.arg("update").args(arguments), b"")
}

fn acts(text: &str) -> Option<char> {
    let hidden = |c: &char| *c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(*c));
    text.chars()
        .find(hidden)
        .or(text.contains("##[").then_some('#'))
}

#[test]
fn nothing_acts_in_any_format() {
    let tree = tree(SOURCES);
    for arguments in [
        &["--dry-run", "."][..],
        &["--diff", "."],
        &["--dry-run", "-o", "json", "."],
        &["--dry-run", "-o", "markdown", "."],
        &["--dry-run", "-o", "github", "."],
        &["--dry-run", "-o", "gitlab", "."],
        &["--dry-run", "-o", "sarif", "."],
        &["--no-such-flag=\u{202e}##[error]x", "."],
        &["no\u{9b}-such##[error]folder"],
    ] {
        let output = update(&tree, arguments, true);
        for said in [stdout(&output), stderr(&output)] {
            assert_eq!(acts(&said), None, "{arguments:?}: {said}");
            assert!(
                !said
                    .lines()
                    .any(|line| line.trim_start().starts_with("::error::")),
                "{said}"
            );
        }
    }
}

#[test]
fn yaml_that_is_printed_does_not_act_and_is_the_same() {
    let policy = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: odd, namespace: flux-system}
spec: {imageRepositoryRef: {name: '##[error]x'}, policy: {semver: {range: 'a ##vso[y]'}}}
";
    let tree = tree(&format!("{SOURCES}---\n{policy}"));
    for arguments in [&["policies", "-o", "yaml"][..], &["resolve"]] {
        let mut command = flux_image();
        let command = command.current_dir(tree.path()).args(arguments);
        let said = stdout(&feed(command, b""));
        assert_eq!(acts(&said), None, "{said}");
        assert!(!said.contains("##vso["), "{said}");
        assert!(said.contains("#\\u0023[error]x"), "{said}");
    }
}

#[test]
fn the_function_gives_back_items_as_they_are_and_results_that_do_nothing() {
    let folder = TempDir::new().expect("a folder");
    let items: String = [SOURCES, "---\n", MANIFEST].concat();
    let item = |text: &str| -> String {
        let lines: Vec<&str> = text.lines().collect();
        format!("- {}\n", lines.join("\n  "))
    };
    let items: String = items.split("---\n").map(item).collect();
    let input = format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}");
    let output = feed(
        flux_image().current_dir(folder.path()).arg("fn"),
        input.as_bytes(),
    );
    let written = stdout(&output);
    let (before, results) = written.split_at(input.len());
    assert_eq!(before, input.replace("app:1.0.0", "app:1.2.0"));
    assert!(results.starts_with("results:\n"), "{results}");
    assert_eq!(acts(results), None, "{results}");
    assert_eq!(acts(&stderr(&output)), None);
}

#[test]
fn a_diff_for_a_tool_is_exact() {
    let tree = tree(SOURCES);
    let exact = stdout(&update(&tree, &["--diff", "."], false));
    assert!(exact.contains(" # \u{202e} ##[group]z\n"), "{exact}");
    let shown = stdout(&update(&tree, &["--diff", "."], true));
    assert!(shown.contains(" # \\u{202e} #\\u{23}[group]z\n"), "{shown}");
}

#[test]
fn nobody_is_called_in_a_review() {
    let tree = tree(SOURCES);
    let body = stdout(&update(&tree, &["--dry-run", "-o", "markdown", "."], false));
    // Code, and nothing else, is left alone by GitHub and GitLab.
    let outside: String = body
        .lines()
        .filter(|line| line.starts_with("- "))
        .flat_map(|line| line.split("``").step_by(2))
        .collect();
    assert!(body.contains("@all"), "{body}");
    assert!(!outside.contains('@') && !outside.contains('#'), "{body}");
}

#[test]
fn no_variable_is_left_to_be_expanded() {
    let tree = tree(&(SOURCES.to_owned() + &automation("Update $SECRET", "images/$CI_JOB_TOKEN")));
    let output = update(
        &tree,
        &["--dry-run", "-o", "gitlab", "--dotenv", "env"],
        false,
    );
    let env = fs::read_to_string(tree.path().join("env")).expect("a file");
    assert_eq!(
        env,
        "FLUX_IMAGE_CHANGED=true\nFLUX_IMAGE_CHANGES=1\nFLUX_IMAGE_FILES=1\n"
    );
    for name in ["FLUX_IMAGE_BRANCH", "FLUX_IMAGE_TITLE"] {
        let said = format!("warning: `{name}` is left out");
        assert!(stderr(&output).contains(&said), "{}", stderr(&output));
    }
}

#[test]
fn what_is_odd_about_a_branch_is_said_before_the_push() {
    for (branch, expected) in [
        (
            "refs/heads/images",
            "warning: ImageUpdateAutomation `flux-system/auto`: `push.branch`: Flux pushes `refs/heads/images` to `refs/heads/refs/heads/images`",
        ),
        (
            "main",
            "info: ImageUpdateAutomation `flux-system/auto`: `push.branch`: `main` is the branch that is checked out",
        ),
        (
            "{{ `main` }}",
            "info: ImageUpdateAutomation `flux-system/auto`: `push.branch`: `main` is the branch that is checked out",
        ),
        (
            "a\\u202eb",
            "error: ImageUpdateAutomation `flux-system/auto`, git.push.branch: no branch is pushed to `a\\u{202e}b`: it contains `\\u{202e}`",
        ),
        ("a\\u0085b", "it contains `\\u{85}`"),
        ("a\\u2066b", "it contains `\\u{2066}`"),
    ] {
        let tree = tree(&(SOURCES.to_owned() + &automation("x", branch)));
        let arguments = ["--dry-run", "--message-file", "message"];
        let output = update(&tree, &arguments, false);
        let said = stderr(&output).replace("flux-system:auto", "flux-system/auto");
        assert!(said.contains(expected), "{branch}: {said}");
        let is_error = expected.starts_with("error") || expected.starts_with("it contains");
        assert_eq!(said.contains("git.push.branch"), is_error, "{said}");
    }
    let tree = tree(&(SOURCES.to_owned() + &automation("x", "images")));
    let output = update(&tree, &["--dry-run", "--message-file", "message"], false);
    assert!(
        !stderr(&output).contains("push.branch"),
        "{}",
        stderr(&output)
    );
    assert!(matches!(code(&output), 0 | 2));
}
