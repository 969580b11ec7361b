//! `flux-image compare`: what a change of policies does, before it is merged.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::run_in;
use crate::support::{code, feed, flux_image, skipped, stderr, stdout};
use crate::update::Tree;

/// A policy and its repository.
fn policy(name: &str, range: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: {name}, namespace: flux-system}}
spec: {{image: ghcr.io/acme/{name}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: {name}, namespace: flux-system}}
spec:
  imageRepositoryRef: {{name: {name}}}
  policy: {{semver: {{range: '{range}'}}}}
"
    )
}

const TAGS: &str = "apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
  - {image: ghcr.io/acme/app, tags: [1.0.0, 1.2.0, 2.0.0, 3.0.0-rc.1]}
  - {image: ghcr.io/acme/web, tags: [1.0.0, 2.0.0]}
  - {image: ghcr.io/acme/gone, tags: [1.0.0]}
  - {image: ghcr.io/acme/new, tags: [7.0.0]}
";

const AUTOMATION: &str = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  git: {commit: {author: {email: flux@example.com}}}
  update: {path: ./apps, strategy: Setters}
";

fn marked(name: &str, tag: &str) -> String {
    format!("image: ghcr.io/acme/{name}:{tag} # {{\"$imagepolicy\": \"flux-system:{name}\"}}\n")
}

/// Two folders: of app another range, of web another way to write the same, gone and new.
fn folders() -> Tree {
    Tree::new(&[
        ("before/flux/app.yaml", &policy("app", "1.x")),
        ("before/flux/web.yaml", &policy("web", ">=1.0.0")),
        ("before/flux/gone.yaml", &policy("gone", "1.x")),
        ("before/flux/same.yaml", &policy("web2", "1.x")),
        ("after/flux/app.yaml", &policy("app", ">=1.0.0")),
        ("after/flux/web.yaml", &policy("web", ">=1.0.0 <9")),
        ("after/flux/new.yaml", &policy("new", "*")),
        ("after/flux/same.yaml", &policy("web2", "1.x")),
        ("after/flux/tags.yaml", TAGS),
        ("after/flux/automation.yaml", AUTOMATION),
        (
            "after/apps/app.yaml",
            &(marked("app", "1.2.0") + &marked("app", "2.0.0").replacen("image", "other", 1)),
        ),
        ("after/apps/web.yaml", &marked("web", "1.0.0")),
        ("after/apps/gone.yaml", &marked("gone", "1.0.0")),
    ])
}

fn compared(tree: &Tree, arguments: &[&str]) -> Value {
    let arguments = [&["compare"], arguments, &["-o", "json"]].concat();
    let output = run_in(tree.path(), &arguments, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    all["items"][0].clone()
}

#[test]
fn what_a_change_does_to_choices_and_values() {
    let tree = folders();
    let told = compared(&tree, &["before", "after"]);
    let effects: Vec<(&str, &str)> = told["policies"]
        .as_array()
        .expect("policies")
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            (text("policy"), text("effect"))
        })
        .collect();
    assert_eq!(
        effects,
        [
            ("flux-system:app", "differs"),
            ("flux-system:gone", "removed"),
            ("flux-system:new", "added"),
            ("flux-system:web", "same"),
        ]
    );
    assert_eq!(told["same"], 1);
    let app = &told["policies"][0];
    assert_eq!(app["at"], "after/flux/app.yaml:6:1");
    assert_eq!(app["before"]["image"], "ghcr.io/acme/app:1.2.0");
    assert_eq!(app["after"]["image"], "ghcr.io/acme/app:2.0.0");
    assert_eq!(
        app["fields"],
        json!([{"field": "policy", "before": "semver 1.x", "after": "semver >=1.0.0"}])
    );
    assert_eq!(
        app["values"],
        json!([
            {"at": "after/apps/app.yaml:1:8", "field": "image", "current": "ghcr.io/acme/app:1.2.0",
             "new": "ghcr.io/acme/app:2.0.0", "automation": "flux-system:all"},
            {"at": "after/apps/app.yaml:2:8", "field": "other", "current": "ghcr.io/acme/app:2.0.0",
             "automation": "flux-system:all"},
        ])
    );
    let gone = &told["policies"][1];
    assert_eq!(gone["before"]["image"], "ghcr.io/acme/gone:1.0.0");
    assert_eq!(gone["values"][0]["at"], "after/apps/gone.yaml:1:8");
    assert_eq!(told["policies"][3]["values"], json!([]));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn people_and_pull_requests_read_it() {
    let tree = folders();
    let output = run_in(tree.path(), &["compare", "before", "after"], b"");
    assert_eq!(code(&output), 0);
    assert_eq!(
        stdout(&output),
        "ImagePolicy flux-system:app: chooses differently
  at after/flux/app.yaml:6:1
  before ghcr.io/acme/app:1.2.0
  after  ghcr.io/acme/app:2.0.0
  policy: semver 1.x → semver >=1.0.0
  after/apps/app.yaml:1:8  ghcr.io/acme/app:1.2.0 → ghcr.io/acme/app:2.0.0, by flux-system:all
  after/apps/app.yaml:2:8  ghcr.io/acme/app:2.0.0: stays, by flux-system:all

ImagePolicy flux-system:gone: is removed
  at before/flux/gone.yaml:6:1
  before ghcr.io/acme/gone:1.0.0
  after/apps/gone.yaml:1:8  ghcr.io/acme/gone:1.0.0: its policy is gone

ImagePolicy flux-system:new: is added
  at after/flux/new.yaml:6:1
  after  ghcr.io/acme/new:7.0.0

ImagePolicy flux-system:web: is written differently, and chooses the same
  at after/flux/web.yaml:6:1
  before ghcr.io/acme/web:2.0.0
  after  ghcr.io/acme/web:2.0.0
  policy: semver >=1.0.0 → semver >=1.0.0 <9
"
    );
    assert!(
        stderr(&output).contains("1 of 5 policies chooses differently, 1 removed, 1 added"),
        "{}",
        stderr(&output)
    );
    let output = run_in(
        tree.path(),
        &["compare", "before", "after", "-o", "markdown"],
        b"",
    );
    assert_eq!(
        stdout(&output),
        "| Policy | Choice | Written differently |
| --- | --- | --- |
| `flux-system:app` | `ghcr.io/acme/app:1.2.0` → `ghcr.io/acme/app:2.0.0` | `policy`: `semver 1.x` → `semver >=1.0.0` |
| `flux-system:gone` | **removed**, was `ghcr.io/acme/gone:1.0.0` |  |
| `flux-system:new` | **added**: `ghcr.io/acme/new:7.0.0` |  |

| Value | Holds | Would be | By |
| --- | --- | --- | --- |
| `after/apps/app.yaml:1:8` | `ghcr.io/acme/app:1.2.0` | `ghcr.io/acme/app:2.0.0` | `flux-system:all` |
| `after/apps/app.yaml:2:8` | `ghcr.io/acme/app:2.0.0` | stays | `flux-system:all` |
| `after/apps/gone.yaml:1:8` | `ghcr.io/acme/gone:1.0.0` | its policy is gone |  |

Written differently, and choosing the same:

- `flux-system:web`
"
    );
    let same = run_in(
        tree.path(),
        &["compare", "after", "after", "-o", "markdown", "--check"],
        b"",
    );
    assert_eq!(
        (code(&same), stdout(&same).as_str()),
        (0, "No policy chooses differently.\n")
    );
    let check = run_in(tree.path(), &["compare", "before", "after", "--check"], b"");
    assert_eq!(code(&check), 1);
}

/// A comment on a forge takes so much.
#[test]
fn markdown_keeps_to_its_limit() {
    let tree = folders();
    let (mut before, mut after) = (String::new(), String::new());
    for n in 0..800 {
        before += &format!(
            "---\n{}",
            policy("app", "1.x").replace("name: app", &format!("name: app-{n}"))
        );
        after += &format!(
            "---\n{}",
            policy("app", "*").replace("name: app", &format!("name: app-{n}"))
        );
    }
    tree.write("before/flux/many.yaml", &before);
    tree.write("after/flux/many.yaml", &after);
    let arguments = ["compare", "before", "after", "-o", "markdown"];
    let output = run_in(tree.path(), &arguments, b"");
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!((30_000..=65_536).contains(&told.len()), "{}", told.len());
    assert!(
        told.contains("| and ") && told.contains(" more | | |"),
        "{told}"
    );
    assert!(
        told.contains("after/apps/app.yaml:1:8"),
        "values are seen, too"
    );
}

#[test]
fn one_list_of_tags_for_both() {
    let tree = folders();
    std::fs::remove_file(tree.at("after/flux/tags.yaml")).expect("removed");
    // Nobody tells: of what changed that is said, and a judge does not let it pass.
    let output = run_in(tree.path(), &["compare", "before", "after"], b"");
    assert_eq!(code(&output), 0);
    assert!(
        stderr(&output).contains(
            "what the change of ImagePolicy `flux-system:app` does is not known: no tags are known"
        ),
        "{}",
        stderr(&output)
    );
    let output = run_in(tree.path(), &["compare", "before", "after", "--check"], b"");
    assert_eq!(code(&output), 2);
    // A list is of one repository.
    let output = feed(
        flux_image()
            .current_dir(tree.path())
            .args(["compare", "before", "after", "--tags", "-"]),
        b"1.0.0\n",
    );
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("several repositories are concerned: `ghcr.io/acme/app`"),
        "{}",
        stderr(&output)
    );
    for name in ["gone", "new", "web"] {
        for side in ["before", "after"] {
            _ = std::fs::remove_file(tree.at(&format!("{side}/flux/{name}.yaml")));
        }
    }
    tree.write("tags.txt", "1.0.0\n1.9.0\n2.5.0\n");
    let told = compared(&tree, &["before", "after", "--tags", "tags.txt"]);
    assert_eq!(
        told["policies"][0]["before"]["image"],
        "ghcr.io/acme/app:1.9.0"
    );
    assert_eq!(
        told["policies"][0]["after"]["image"],
        "ghcr.io/acme/app:2.5.0"
    );
    // A snapshot is of any, and counts more than those of the documents.
    tree.write("before/flux/tags.yaml", TAGS);
    let told = compared(&tree, &["before", "after"]);
    assert_eq!(
        told["policies"][0]["after"]["image"],
        "ghcr.io/acme/app:2.0.0"
    );
    tree.write("tags.yaml", &TAGS.replace("2.0.0", "2.7.0"));
    let told = compared(&tree, &["before", "after", "--tags", "tags.yaml"]);
    assert_eq!(
        told["policies"][0]["after"]["image"],
        "ghcr.io/acme/app:2.7.0"
    );
}

/// Single files are sets, too, through a pipe as well.
#[test]
fn files_are_compared() {
    let tree = folders();
    tree.write("tags.yaml", TAGS);
    let files = [
        "before/flux/app.yaml",
        "after/flux/app.yaml",
        "--tags",
        "tags.yaml",
    ];
    let told = compared(&tree, &files);
    assert_eq!(told["policies"][0]["effect"], "differs");
    assert_eq!(told["policies"][0]["at"], "app.yaml:6:1");
    // What a cluster has, as kubectl prints it.
    let items = policy("app", "1.x");
    let items: Vec<String> = items
        .split("---\n")
        .map(|item| format!("- {}", item.trim_end().replace('\n', "\n  ")))
        .collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}\n", items.join("\n"));
    let output = run_in(tree.path(), &["compare", "-", "after"], list.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).starts_with("ImagePolicy flux-system:app: chooses differently\n"),
        "{}",
        stdout(&output)
    );
    let output = run_in(tree.path(), &["compare", "-", "after", "--tags", "-"], b"");
    assert!(
        stderr(&output).contains("would both read stdin"),
        "{}",
        stderr(&output)
    );
    let none = run_in(
        tree.path(),
        &["compare", "before/flux/app.yaml", "nowhere.yaml"],
        b"",
    );
    assert_eq!(code(&none), 2);
    assert!(
        stderr(&none).contains("AFTER: cannot read nowhere.yaml"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn reasons_stand_where_nothing_is_chosen() {
    let tree = folders();
    tree.write("after/flux/app.yaml", &policy("app", "^9"));
    let told = compared(&tree, &["before", "after"]);
    let after = &told["policies"][0]["after"];
    assert!(after["image"].is_null());
    assert!(
        after["reason"]
            .as_str()
            .expect("a reason")
            .contains("is not in `^9`"),
        "{after}"
    );
    tree.write(
        "after/flux/app.yaml",
        &policy("app", "1.x").replace(
            "spec: {image: ghcr.io/acme/app}",
            "spec: {image: ghcr.io/acme/app, exclusionList: ['^1.2']}",
        ),
    );
    let told = compared(&tree, &["before", "after"]);
    assert_eq!(
        told["policies"][0]["after"]["image"],
        "ghcr.io/acme/app:1.0.0"
    );
    assert_eq!(told["policies"][0]["fields"][0]["field"], "exclusionList");
}

/// What a status says was chosen is no choice of now.
#[test]
fn a_status_does_not_count() {
    let tree = folders();
    let with_status = |range: &str| {
        let status = "status: {latestRef: {name: ghcr.io/acme/app, tag: 1.0.0}}\n";
        policy("app", range) + status
    };
    tree.write("before/flux/app.yaml", &with_status("1.x"));
    tree.write("after/flux/app.yaml", &with_status("^9"));
    let told = compared(&tree, &["before", "after"]);
    assert_eq!(
        told["policies"][0]["before"]["image"],
        "ghcr.io/acme/app:1.2.0"
    );
    assert!(told["policies"][0]["after"]["image"].is_null(), "{told}");
}

/// What is wrong before is no reason to refuse what mends it.
#[test]
fn what_was_wrong_before_is_a_warning() {
    let tree = folders();
    tree.write(
        "before/flux/app.yaml",
        &policy("app", "1.x").replace("{semver: {range: '1.x'}}", "{semver: [1]}"),
    );
    let output = run_in(tree.path(), &["compare", "before", "after"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("warning: BEFORE: ImagePolicy `app` cannot be read"),
        "{}",
        stderr(&output)
    );
    let output = run_in(tree.path(), &["compare", "after", "before"], b"");
    assert_eq!(code(&output), 2);
}

/// A policy whose file cannot be read is not gone: nobody knows.
#[test]
fn what_cannot_be_read_is_not_gone() {
    let tree = folders();
    let broken = |name: &str| policy(name, "1.x").replace("{semver: {range: '1.x'}}", "{semver: [");
    tree.write("after/flux/app.yaml", &broken("app"));
    let effects = |arguments: &[&str], expected: i32| {
        let arguments = [&["compare"], arguments, &["-o", "json"]].concat();
        let output = run_in(tree.path(), &arguments, b"");
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let policies = told["items"][0]["policies"].as_array().cloned();
        let effect = |one: &Value| (one["policy"].clone(), one["effect"].clone());
        let effects: Vec<_> = policies.iter().flatten().map(effect).collect();
        (effects, stderr(&output))
    };
    let (told, said) = effects(&["before", "after"], 2);
    assert!(told.contains(&("flux-system:app".into(), "unknown".into())));
    // The file does not name this one.
    assert!(told.contains(&("flux-system:gone".into(), "removed".into())));
    let expected = "error: what the change of ImagePolicy `flux-system:app` does is not known: it may be in after/flux/app.yaml, which is not valid YAML";
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("template"), "{said}");
    let (told, said) = effects(&["after", "before"], 0);
    assert!(told.contains(&("flux-system:app".into(), "unknown".into())));
    assert!(
        said.contains("warning: BEFORE: this file is not valid YAML"),
        "{said}"
    );
    effects(&["after", "before", "--check"], 2);
    // Nor is its ImageRepository.
    let (_, alone) = policy("app", "*")
        .split_once("---\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("two");
    tree.write("after/flux/app.yaml", &alone);
    let repository = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: app, namespace: [\n";
    tree.write("after/flux/repository.yaml", repository);
    let (told, _) = effects(&["before", "after"], 2);
    assert!(told.contains(&("flux-system:app".into(), "unknown".into())));
}

/// A digest that nobody knows is no digest that stays.
#[test]
fn a_digest_that_is_not_known_cannot_be_compared() {
    let tree = folders();
    let reflecting = |range: &str| {
        policy("app", range).replace(
            "  policy:",
            "  digestReflectionPolicy: IfNotPresent\n  policy:",
        )
    };
    tree.write("tags.yaml", TAGS);
    let effect = |before: &str, after: &str| {
        tree.write("before/flux/app.yaml", before);
        tree.write("after/flux/app.yaml", after);
        let told = compared(&tree, &["before", "after", "--tags", "tags.yaml"]);
        let policies = told["policies"].as_array().cloned().unwrap_or_default();
        let app = policies
            .into_iter()
            .find(|one| one["policy"] == "flux-system:app");
        app.map_or(Value::Null, |app| app["effect"].clone())
    };
    let plain = |range: &str| policy("app", range);
    assert_eq!(effect(&plain("1.x"), &reflecting("1.x")), "unknown");
    assert_eq!(effect(&plain("1.x"), &reflecting("*")), "differs");
    assert_eq!(effect(&reflecting("1.x"), &reflecting("~1.2")), "same");
    assert_eq!(effect(&reflecting("1.x"), &reflecting("1.x")), Value::Null);
}

/// A suspended policy stays with what it chose last.
#[test]
fn a_suspended_policy_chooses_as_before() {
    let tree = folders();
    let suspended = policy("app", "*").replace("  policy:", "  suspend: true\n  policy:");
    tree.write("after/flux/app.yaml", &suspended);
    let told = compared(&tree, &["before", "after"]);
    let app = |told: &Value| {
        let policies = told["policies"].as_array().cloned().unwrap_or_default();
        let app = policies
            .into_iter()
            .find(|one| one["policy"] == "flux-system:app");
        app.expect("app")
    };
    assert_eq!(app(&told)["effect"], "same");
    assert_eq!(app(&told)["after"]["image"], "ghcr.io/acme/app:1.2.0");
    // What it chose last says its status, or nobody.
    let told = compared(&tree, &["after", "before"]);
    assert_eq!(app(&told)["effect"], "unknown");
    let status = "status: {latestRef: {name: ghcr.io/acme/app, tag: 1.0.0}}\n";
    tree.write("after/flux/app.yaml", &(suspended + status));
    let told = compared(&tree, &["after", "before"]);
    assert_eq!(app(&told)["effect"], "differs");
    assert_eq!(app(&told)["before"]["image"], "ghcr.io/acme/app:1.0.0");
}

/// A value that no automation comes to says so.
#[test]
fn what_nobody_writes_is_told() {
    let tree = folders();
    tree.write("after/elsewhere/app.yaml", &marked("app", "1.2.0"));
    let output = run_in(tree.path(), &["compare", "before", "after"], b"");
    let said = "after/elsewhere/app.yaml:1:8  ghcr.io/acme/app:1.2.0 → ghcr.io/acme/app:2.0.0, by nobody: `flux-system:all` updates `./apps` alone\n";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
    let arguments = ["compare", "before", "after", "-o", "markdown"];
    let output = run_in(tree.path(), &arguments, b"");
    let said = "| nobody (`` `flux-system:all` updates `./apps` alone ``) |";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
}

/// Automations only tell who would write a value.
#[test]
fn what_is_wrong_with_an_automation_is_a_warning() {
    let tree = folders();
    tree.write("all.yaml", &(policy("app", "1.x") + "---\n" + AUTOMATION));
    tree.write("tags.yaml", TAGS);
    let arguments = ["compare", "all.yaml", "all.yaml", "--tags", "tags.yaml"];
    let output = run_in(tree.path(), &arguments, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("warning: ImageUpdateAutomation `flux-system:all` is left out"),
        "{}",
        stderr(&output)
    );
}

/// Nothing that others wrote leaves its cell.
#[test]
fn hostile_names_stay_in_their_cells() {
    let tree = folders();
    let hostile = |range: &str| {
        policy("app", range).replace(
            "policy: {semver",
            "filterTags: {pattern: \"^(a|b`| @all \\u202e <script>)?\", extract: ''}\n  policy: {semver",
        )
    };
    tree.write("after/flux/app.yaml", &hostile("*"));
    tree.write(
        "after/flux/x.yaml",
        &policy("x", "*").replace("name: x", "name: \"x|`\\u202e@all\""),
    );
    for format in ["text", "markdown", "json"] {
        let output = run_in(
            tree.path(),
            &["compare", "before", "after", "-o", format],
            b"",
        );
        let told = stdout(&output);
        assert!(
            !told.contains('\u{202e}') && !stderr(&output).contains('\u{202e}'),
            "{told}"
        );
        if format == "markdown" {
            for row in told.lines().filter(|line| line.starts_with("| ")) {
                let bare = row.replace("\\|", "");
                let bars = bare.matches('|').count();
                assert!(bars == 4 || bars == 5, "{row}");
            }
            assert!(
                told.contains("`` ^(a\\|b`\\| @all \\u{202e} <script>)? ``"),
                "{told}"
            );
        }
    }
}

/// Runs git in a folder, as its owner would.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@acme.example"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output).trim().to_owned()
}

/// A repository with one commit, and a change of a policy in its work tree.
fn repository(test: &str) -> Option<Tree> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped(test, "git is not installed");
        return None;
    }
    let tree = Tree::new(&[
        ("flux/app.yaml", &policy("app", "1.x")),
        ("flux/tags.yaml", TAGS),
        ("apps/app.yaml", &marked("app", "1.2.0")),
        (".gitignore", "ignored.yaml\n"),
    ]);
    git(tree.path(), &["init", "-q"]);
    git(tree.path(), &["add", "-A"]);
    git(tree.path(), &["commit", "-qm", "one"]);
    tree.write("flux/app.yaml", &policy("app", "*"));
    Some(tree)
}

/// Runs it where git is on the path.
fn with_git(tree: &Tree, arguments: &[&str]) -> std::process::Output {
    let temporary = tree.at("../");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = flux_image();
    command.env("PATH", path).env("TMPDIR", &temporary);
    feed(command.current_dir(tree.path()).args(arguments), b"")
}

/// The story: a pull request changes a policy, and says at once what that does.
#[test]
fn a_pull_request_is_compared_with_its_base() {
    let Some(tree) = repository("a_pull_request_is_compared_with_its_base") else {
        return;
    };
    let output = with_git(
        &tree,
        &["compare", "git:main", ".", "-o", "markdown", "--check"],
    );
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "| Policy | Choice | Written differently |
| --- | --- | --- |
| `flux-system:app` | `ghcr.io/acme/app:1.2.0` → `ghcr.io/acme/app:2.0.0` | `policy`: `semver 1.x` → `semver *` |

| Value | Holds | Would be | By |
| --- | --- | --- | --- |
| `apps/app.yaml:1:8` | `ghcr.io/acme/app:1.2.0` | `ghcr.io/acme/app:2.0.0` |  |
"
    );
    git(tree.path(), &["commit", "-qam", "two"]);
    let output = with_git(&tree, &["compare", "git:HEAD~1", "git:main", "--check"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("  at flux/app.yaml:6:1\n"),
        "{}",
        stdout(&output)
    );
    let output = with_git(&tree, &["compare", "git:main", "git:HEAD", "--check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // What is not tracked is in no commit; what is tracked counts, ignored or not.
    git(tree.path(), &["branch", "base"]);
    tree.write("flux/ignored.yaml", &policy("web", "*"));
    git(tree.path(), &["add", "-f", "flux/ignored.yaml"]);
    git(tree.path(), &["commit", "-qm", "three"]);
    let output = with_git(&tree, &["compare", "git:base", "git:main", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["items"][0]["policies"][0]["effect"], "added");
}

/// A configuration, an attribute or a hook of the repository runs nothing, links lead
/// nowhere, and nothing is left behind.
#[test]
fn a_hostile_repository_runs_nothing() {
    let Some(tree) = repository("a_hostile_repository_runs_nothing") else {
        return;
    };
    let outside = Tree::new(&[("secret.yaml", &policy("outside", "*"))]);
    tree.write(
        ".gitattributes",
        "*.yaml filter=evil diff=evil export-subst\n",
    );
    std::os::unix::fs::symlink(outside.at("secret.yaml"), tree.at("flux/link.yaml"))
        .expect("a link");
    std::os::unix::fs::symlink(outside.path(), tree.at("folder")).expect("a link");
    std::os::unix::fs::symlink("app.yaml", tree.at("flux/inner.yaml")).expect("a link");
    git(tree.path(), &["add", "-A"]);
    git(tree.path(), &["commit", "-qm", "two"]);
    let evil = format!("touch {}", tree.at("evil").display());
    for name in [
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "tar.tar.command",
        "pager.rev-parse",
        "alias.cat-file",
    ] {
        git(tree.path(), &["config", name, &evil]);
    }
    tree.write(".git/hooks/post-checkout", &format!("#!/bin/sh\n{evil}\n"));
    let temporary = Tree::new(&[]);
    let mut command = flux_image();
    command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", temporary.path());
    let arguments = ["compare", "git:HEAD", "git:HEAD~1", "-o", "json"];
    let output = feed(command.current_dir(tree.path()).args(arguments), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(!tree.at("evil").exists());
    assert!(!stdout(&output).contains("outside"), "{}", stdout(&output));
    assert_eq!(temporary.names(), Vec::<String>::new());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_commit_is_refused() {
    let Some(tree) = repository("what_is_no_commit_is_refused") else {
        return;
    };
    for (name, said) in [
        (
            "git:nowhere",
            "BEFORE: this repository has no commit `nowhere`",
        ),
        ("git:", "`git:` names no commit"),
        (
            "git:--upload-pack=x",
            "`git:--upload-pack=x` names no commit",
        ),
        (
            "git:main:flux/app.yaml",
            "has no commit `main:flux/app.yaml`",
        ),
        ("git:a\u{202e}b", "has no commit `a\\u{202e}b`"),
    ] {
        let output = with_git(&tree, &["compare", name, "."]);
        assert_eq!(code(&output), 2, "{name}");
        assert!(
            stderr(&output).contains(said),
            "{name}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
    let plain = folders();
    let output = with_git(&plain, &["compare", "git:main", "after"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output)
            .contains("`git:main` is a commit of a git repository, and this folder is in none"),
        "{}",
        stderr(&output)
    );
    let output = with_git(&tree, &["compare", "git:main", "flux"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("is the whole of a work tree"),
        "{}",
        stderr(&output)
    );
    let mut inside = flux_image();
    let path = std::env::var_os("PATH").unwrap_or_default();
    inside.env("PATH", path).env("TMPDIR", tree.at("flux"));
    let output = feed(
        inside
            .current_dir(tree.path())
            .args(["compare", "git:main", "."]),
        b"",
    );
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("set TMPDIR to another"),
        "{}",
        stderr(&output)
    );
    let output = run_in(tree.path(), &["compare", "git:main", "."], b"");
    assert!(
        stderr(&output).contains("`git` is not installed"),
        "{}",
        stderr(&output)
    );
}

/// Puts an object into a repository that git itself would not make.
fn object(tree: &Tree, kind: &str, bytes: &[u8]) -> String {
    let mut command = Command::new("git");
    command.current_dir(tree.path()).args([
        "hash-object",
        "-t",
        kind,
        "-w",
        "--literally",
        "--stdin",
    ]);
    let output = feed(&mut command, bytes);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).trim().to_owned()
}

/// The entry of a tree.
fn entry(mode: &str, name: &str, id: &str) -> Vec<u8> {
    let digits = id.as_bytes().chunks(2);
    let id = digits.map(|two| {
        let two = std::str::from_utf8(two).expect("hex");
        u8::from_str_radix(two, 16).expect("hex")
    });
    let mut bytes = format!("{mode} {name}\0").into_bytes();
    bytes.extend(id);
    bytes
}

/// Trees that no checkout could hold are refused, and nothing is written outside.
#[test]
fn odd_trees_are_refused() {
    let Some(tree) = repository("odd_trees_are_refused") else {
        return;
    };
    let blob = object(&tree, "blob", policy("odd", "*").as_bytes());
    let link = object(&tree, "blob", b"../");
    let with = |entries: &[Vec<u8>]| object(&tree, "tree", &entries.concat());
    let inner = with(&[entry("100644", "x.yaml", &blob)]);
    let mut bomb = inner.clone();
    for _ in 0..30 {
        bomb = with(&[entry("40000", "a", &bomb), entry("40000", "b", &bomb)]);
    }
    let refused = "which no checkout could have";
    for (odd, said) in [
        (with(&[entry("40000", "..", &inner)]), refused),
        (with(&[entry("100644", "../x.yaml", &blob)]), refused),
        (with(&[entry("100644", "/tmp/x.yaml", &blob)]), refused),
        (with(&[entry("40000", ".GIT", &inner)]), refused),
        // A link, and a file through it.
        (
            with(&[entry("120000", "a", &link), entry("40000", "a", &inner)]),
            "cannot be written to a temporary folder",
        ),
        (bomb, "are more than are read"),
    ] {
        let commit = git(tree.path(), &["commit-tree", "-m", "odd", &odd]);
        let output = with_git(&tree, &["compare", &format!("git:{commit}"), "."]);
        assert_eq!(code(&output), 2, "{}", stdout(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    // Nothing is fetched, and what is missing is told.
    let id = git(tree.path(), &["rev-parse", "HEAD:flux/app.yaml"]);
    let file = tree.at(&format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    std::fs::remove_file(file).expect("removed");
    let output = with_git(&tree, &["compare", "git:HEAD", "."]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("not all files of `HEAD` are here"),
        "{}",
        stderr(&output)
    );
}

/// Values of a file that is not valid YAML may move as well, which is said.
#[test]
fn a_file_with_markers_that_is_not_read_is_told() {
    let tree = folders();
    let broken = format!("{}x: [\n", marked("app", "1.0.0"));
    tree.write("after/apps/more.yaml", &broken);
    let output = run_in(tree.path(), &["compare", "before", "after"], b"");
    let said = stderr(&output);
    assert!(
        said.contains("this file is not valid YAML") && said.contains("after/apps/more.yaml"),
        "{said}"
    );
}
