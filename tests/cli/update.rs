//! `flux-image update` on real folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::run_in;
use crate::support::{code, flux_image, skipped, stderr, stdout};

pub const POLICY: &str = r"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: app
  namespace: flux-system
  labels: {team: web}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: '*'}}
status:
  latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}
";

pub const OLD: &str =
    "a: ghcr.io/acme/app:1.0.0  # {\"$imagepolicy\": \"flux-system:app\"}\r\nb:   [1,2]";
pub const NEW: &str =
    "a: ghcr.io/acme/app:1.2.0  # {\"$imagepolicy\": \"flux-system:app\"}\r\nb:   [1,2]";

pub fn automation(name: &str, path: &str, more: &str) -> String {
    format!(
        r"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  sourceRef: {{kind: GitRepository, name: repo}}
  git: {{commit: {{author: {{email: bot@acme.example}}}}}}
  update: {{strategy: Setters, path: '{path}'}}
{more}"
    )
}

pub use crate::tree::Tree;

impl Tree {
    /// A work tree with one policy and one marked file.
    pub fn with_policy(files: &[(&str, &str)]) -> Self {
        let tree = Self::new(&[("flux/policy.yaml", POLICY), ("apps/app.yaml", OLD)]);
        fs::create_dir(tree.path().join(".git")).expect("a folder");
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    pub fn update(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["update"];
        all.extend(arguments);
        run_in(self.path(), &all, b"")
    }

    /// What `arguments` print as a Report.
    pub fn report(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["-o", "json"];
        all.extend(arguments);
        let output = self.update(&all);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path().join(name), fs::Permissions::from_mode(mode))
            .expect("the mode is set");
    }

    pub fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.path().join(name)).expect("a link");
    }

    /// Every file of the tree, to see that nothing was left behind.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect(self.path(), self.path(), &mut names);
        names.sort();
        names
    }
}

fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, names);
        } else {
            let name = path.strip_prefix(root).expect("inside");
            names.push(name.display().to_string());
        }
    }
}

pub fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings");
    let code = |finding: &'_ Value| finding["code"].as_str().map(str::len);
    assert!(findings.iter().all(|finding| code(finding).is_some()));
    findings
        .iter()
        .filter_map(|finding| finding["code"].as_str())
        .collect()
}

#[test]
fn only_the_marked_bytes_change() {
    let tree = Tree::with_policy(&[]);
    let before = tree.names();
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    assert_eq!(tree.names(), before);
    assert_eq!(
        stdout(&output),
        "flux-system:app  ghcr.io/acme/app:1.0.0 → ghcr.io/acme/app:1.2.0  apps/app.yaml:1:4\n"
    );
    assert_eq!(stderr(&output), "changed 1 value in 1 file\n");
    let again = tree.update(&["."]);
    assert_eq!((code(&again), stdout(&again)), (0, String::new()));
    assert_eq!(stderr(&again), "nothing to change\n");
}

#[test]
fn looking_writes_nothing() {
    let tree = Tree::with_policy(&[]);
    for (arguments, expected) in [
        (vec!["--dry-run", "."], 0),
        (vec!["--diff", "."], 0),
        (vec!["--check", "."], 1),
        (vec!["--check", "-o", "json", "."], 1),
    ] {
        let output = tree.update(&arguments);
        assert_eq!(code(&output), expected, "{arguments:?}");
        assert_eq!(tree.read("apps/app.yaml"), OLD, "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    tree.update(&["."]);
    assert_eq!(code(&tree.update(&["--check", "."])), 0);
}

#[test]
fn the_diff_is_one_that_patch_takes() {
    let tree = Tree::with_policy(&[]);
    let output = tree.update(&["--diff", "."]);
    let diff = stdout(&output);
    assert_eq!(
        diff,
        "--- a/apps/app.yaml\n+++ b/apps/app.yaml\n@@ -1,2 +1,2 @@\n\
         -a: ghcr.io/acme/app:1.0.0  # {\"$imagepolicy\": \"flux-system:app\"}\r\n\
         +a: ghcr.io/acme/app:1.2.0  # {\"$imagepolicy\": \"flux-system:app\"}\r\n \
         b:   [1,2]\n\\ No newline at end of file\n"
    );
    let Ok(applied) = Command::new("git").arg("--version").output() else {
        skipped(
            "the_diff_is_one_that_patch_takes",
            "no git to apply it with",
        );
        return;
    };
    assert!(applied.status.success());
    tree.write("change.patch", &diff);
    let applied = Command::new("git")
        .args(["apply", "change.patch"])
        .current_dir(tree.path().join("."))
        .env(
            "GIT_CEILING_DIRECTORIES",
            tree.path().parent().expect("tmp"),
        )
        .env("GIT_DIR", "/nonexistent")
        .output()
        .expect("git");
    assert!(applied.status.success(), "{}", stderr(&applied));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
}

#[test]
fn the_report_is_what_its_schema_says() {
    let tree = Tree::with_policy(&[]);
    let report = tree.report(&["--dry-run", "."]);
    assert_eq!(report["apiVersion"], "flux-image.dev/v1alpha1");
    assert_eq!(report["kind"], "Report");
    assert_eq!(report["written"], false);
    assert_eq!(report["files"], serde_json::json!(["apps/app.yaml"]));
    assert_eq!(
        report["changes"],
        serde_json::json!([{
            "setter": "flux-system:app",
            "old": "ghcr.io/acme/app:1.0.0",
            "new": "ghcr.io/acme/app:1.2.0",
            "policy": "flux-system:app",
            "file": "apps/app.yaml",
            "line": 1,
            "column": 4,
            "resource": {"apiVersion": "", "kind": "", "name": "", "namespace": ""},
            "field": "a",
        }])
    );
    let written = tree.report(&["."]);
    assert_eq!(written["written"], true);
    assert_eq!(written["summary"]["changes"], 1);
}

#[test]
fn modes_stay_and_read_only_files_are_refused() {
    let tree = Tree::with_policy(&[("apps/second.yaml", OLD), ("apps/third.yaml", OLD)]);
    tree.chmod("apps/app.yaml", 0o640);
    tree.chmod("apps/second.yaml", 0o755);
    tree.chmod("apps/third.yaml", 0o444);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    let mode = |name: &str| {
        fs::metadata(tree.path().join(name))
            .expect("a file")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("apps/app.yaml"), tree.read("apps/app.yaml")),
        (0o640, NEW.into())
    );
    assert_eq!(
        (mode("apps/second.yaml"), tree.read("apps/second.yaml")),
        (0o755, NEW.into())
    );
    assert_eq!(
        (mode("apps/third.yaml"), tree.read("apps/third.yaml")),
        (0o444, OLD.into())
    );
    assert!(
        stderr(&output).contains("would change, but it is read-only\n  at apps/third.yaml"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn links_are_not_written_through() {
    let outside = Tree::new(&[("secret.yaml", OLD)]);
    let tree = Tree::with_policy(&[]);
    let target = outside.path().join("secret.yaml");
    tree.link(target.to_str().expect("UTF-8"), "apps/out.yaml");
    tree.link("app.yaml", "apps/alias.yaml");
    tree.write("data/app.txt", OLD);
    tree.link("../data/app.txt", "apps/text.yaml");
    tree.link("nowhere.yaml", "apps/broken.yaml");
    let output = tree.update(&["apps"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(outside.read("secret.yaml"), OLD);
    assert_eq!(tree.read("data/app.txt"), OLD);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    assert!(tree.path().join("apps/alias.yaml").is_symlink());
    let said = stderr(&output);
    assert!(
        said.contains("leads out of the tree and is not read\n  at apps/out.yaml"),
        "{said}"
    );
    assert!(
        said.contains("links are not written through\n  at apps/text.yaml"),
        "{said}"
    );
    assert!(!said.contains("apps/alias.yaml"), "{said}");
    assert!(!said.contains("apps/broken.yaml"), "{said}");
}

#[test]
fn a_link_to_a_folder_is_not_followed() {
    let outside = Tree::new(&[("app.yaml", OLD)]);
    let tree = Tree::with_policy(&[]);
    tree.link(outside.path().to_str().expect("UTF-8"), "apps/linked");
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(outside.read("app.yaml"), OLD);
}

#[test]
fn ignored_files_count_only_when_tracked() {
    let tree = Tree::new(&[
        ("flux/policy.yaml", POLICY),
        (".gitignore", "*.gen.yaml\nbuild/\n"),
        ("apps/tracked.gen.yaml", OLD),
        ("apps/untracked.gen.yaml", OLD),
        ("build/tracked.yaml", OLD),
        ("build/untracked.yaml", OLD),
        (".hidden/app.yaml", OLD),
        ("node_modules/app.yml", OLD),
        ("apps/app.YAML", OLD),
        ("apps/Kustomization", OLD),
        ("apps/app.yaml.bak", OLD),
    ]);
    if !git(&tree, &["init", "-q"]) {
        skipped("ignored_files_count_only_when_tracked", "no git");
        return;
    }
    tree.write(".git/app.yaml", OLD);
    tree.write(".git/info/exclude", "excluded.yaml\n");
    tree.write("excluded.yaml", OLD);
    for version in ["2", "3", "4"] {
        git(&tree, &["config", "index.version", version]);
        fs::remove_file(tree.path().join(".git/index")).ok();
        assert!(git(
            &tree,
            &["add", "-f", "apps/tracked.gen.yaml", "build/tracked.yaml"]
        ));
        // Version 3 needs an entry with an extended flag to be written at all.
        if version == "3" {
            tree.write("intended.yaml", "a: b\n");
            assert!(git(&tree, &["add", "-N", "intended.yaml"]));
        }
        let report = tree.report(&["--dry-run", "."]);
        assert_eq!(
            report["files"],
            serde_json::json!([
                ".hidden/app.yaml",
                "apps/Kustomization",
                "apps/tracked.gen.yaml",
                "build/tracked.yaml",
                "node_modules/app.yml",
            ]),
            "index version {version}"
        );
    }
    // A path that is named counts whatever it is.
    let report = tree.report(&["--dry-run", "build/untracked.yaml", "apps/app.yaml.bak"]);
    assert_eq!(
        report["files"],
        serde_json::json!(["apps/app.yaml.bak", "build/untracked.yaml"])
    );
}

fn git(tree: &Tree, arguments: &[&str]) -> bool {
    Command::new("git")
        .args(arguments)
        .current_dir(tree.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn the_path_limits_what_is_edited_not_what_is_read() {
    let tree = Tree::with_policy(&[("other/app.yaml", OLD)]);
    let output = run_in(&tree.path().join("apps"), &["update", "."], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    assert_eq!(tree.read("other/app.yaml"), OLD);
}

#[test]
fn each_automation_on_its_own_path() {
    let other = POLICY
        .replace("name: app\n", "name: api\n")
        .replace("team: web", "team: api");
    let far = POLICY.replace("namespace: flux-system", "namespace: far");
    let marked = |policy: &str| OLD.replace("flux-system:app", policy);
    let tree = Tree::with_policy(&[
        ("flux/other.yaml", &other),
        ("flux/far.yaml", &far),
        (
            "flux/a.yaml",
            &automation(
                "a",
                "./apps",
                "  policySelector: {matchLabels: {team: web}}\n",
            ),
        ),
        ("flux/b.yaml", &automation("b", "/infra/../infra", "")),
        (
            "flux/c.yaml",
            &automation("c", "./asleep", "  suspend: true\n"),
        ),
        (
            "flux/d.yaml",
            &automation(
                "d",
                "../../..",
                "  policySelector: {matchLabels: {team: none}}\n",
            ),
        ),
        ("apps/api.yaml", &marked("flux-system:api")),
        ("infra/api.yaml", &marked("flux-system:api")),
        ("infra/far.yaml", &marked("far:app")),
        ("asleep/app.yaml", OLD),
        ("elsewhere/app.yaml", OLD),
    ]);
    let report = tree.report(&[]);
    assert_eq!(
        report["files"],
        serde_json::json!(["apps/app.yaml", "infra/api.yaml"]),
        "{report:#}"
    );
    assert_eq!(tree.read("asleep/app.yaml"), OLD);
    assert!(codes(&report).contains(&"suspended"));
}

#[test]
fn automations_that_cannot_run_say_so_and_the_others_run() {
    let tree = Tree::with_policy(&[
        ("flux/a.yaml", &automation("a", "apps", "")),
        ("flux/b.yaml", &automation("b", "missing", "")),
        (
            "flux/c.yaml",
            &automation("c", "apps", "").replace("Setters", "Guess"),
        ),
        (
            "flux/d.yaml",
            &automation("d", "apps", "").replace("Setters", "''"),
        ),
    ]);
    let output = tree.update(&[]);
    assert_eq!(code(&output), 2);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    let said = stderr(&output);
    for expected in [
        "ImageUpdateAutomation `flux-system:b` is left out: its update.path",
        "ImageUpdateAutomation `flux-system:c` is left out: unknown update strategy `Guess`",
        "ImageUpdateAutomation `flux-system:d` is left out: no update strategy",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_automation_of_another_repository_is_left_out() {
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: repo, namespace: flux-system}\nspec: {interval: 1h, url: 'ssh://git@git.example/acme/fleet'}\n";
    let tree = Tree::with_policy(&[
        ("flux/a.yaml", &automation("a", "apps", "")),
        ("flux/source.yaml", source),
        (
            ".git/config",
            "[remote \"origin\"]\n\turl = https://git.example/acme/other.git\n",
        ),
    ]);
    let report = tree.report(&[]);
    assert_eq!(codes(&report), ["skipped-automation"]);
    assert_eq!(tree.read("apps/app.yaml"), OLD);
    tree.write(
        ".git/config",
        "[remote \"up\"]\n\turl = git@git.example:acme/fleet.git\n",
    );
    assert_eq!(codes(&tree.report(&[])), [] as [&str; 0]);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
}

#[test]
fn without_a_scope_there_is_advice() {
    let tree = Tree::with_policy(&[]);
    let output = tree.update(&[]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("hint: `flux-image update .`"),
        "{}",
        stderr(&output)
    );
    let output = tree.update(&["absent"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("absent: No such file"), "{said}");
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
    tree.write(".git/hooks/app.yaml", OLD);
    for path in [".git", ".git/hooks/app.yaml"] {
        let output = tree.update(&[path]);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{said}");
        assert!(said.contains("this belongs to git"), "{said}");
    }
    let output = run_in(tree.path(), &["annotate", ".git/hooks/app.yaml"], b"");
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

#[test]
fn two_policies_of_one_name_are_an_error_where_they_are_used() {
    let tree = Tree::with_policy(&[
        ("flux/twin.yaml", &POLICY.replace("1.2.0", "1.3.0")),
        ("apps/fine.yaml", "a: b\n"),
    ]);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(
        said.contains("two different ImagePolicies have this name: flux/policy.yaml:1:1 and flux/twin.yaml:1:1"),
        "{said}"
    );
    assert_eq!(tree.read("apps/app.yaml"), OLD);
    // The same twice is not a conflict, and a flag beats the tree.
    tree.write("more.txt", &POLICY.replace("1.2.0", "1.9.0"));
    let output = tree.update(&[".", "--policies", "more.txt"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(tree.read("apps/app.yaml").contains("1.9.0"));
    tree.write("flux/twin.yaml", POLICY);
    assert_eq!(code(&tree.update(&["."])), 0);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
}

#[test]
fn a_namespace_comes_from_the_kustomization_above() {
    let bare = POLICY.replace("  namespace: flux-system\n", "");
    let tree = Tree::new(&[
        (
            "flux/kustomization.yaml",
            "namespace: flux-system\nresources: [deep/policy.yaml]\n",
        ),
        ("flux/deep/policy.yaml", &bare),
        ("apps/app.yaml", OLD),
    ]);
    let report = tree.report(&["."]);
    assert_eq!(codes(&report), [] as [&str; 0]);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
}

/// Without a work tree, the folder that a flag names is where it ends, whatever the
/// current one is.
#[test]
fn documents_of_a_flag_have_the_namespace_of_their_folder() {
    let bare = POLICY.replace("  namespace: flux-system\n", "");
    let tree = Tree::new(&[
        ("kustomization.yaml", "namespace: above\n"),
        ("given/kustomization.yaml", "namespace: flux-system\n"),
        ("given/deep/policy.yaml", &bare),
        ("other/app.yaml", OLD),
    ]);
    for (folder, given, expected) in [
        ("", "given", true),
        ("other", "../given", true),
        ("given", "deep", false),
        ("", "given/deep", false),
        ("given/deep", "policy.yaml", false),
        // Each flag for itself, in whatever order.
        ("", "given/deep --policies given", true),
        ("", "given --policies given/deep", true),
    ] {
        let (folder, app) = (tree.at(folder), tree.at("other/app.yaml"));
        let app = app.to_str().expect("UTF-8");
        let given = format!("update -o json --dry-run {app} --policies {given}");
        let arguments: Vec<&str> = given.split(' ').collect();
        let report = stdout(&run_in(&folder, &arguments, b""));
        assert!(report.contains("ghcr.io/acme/app:1.2.0"), "{report}");
        let is_guessed = report.contains("namespace-guessed");
        assert_eq!(!is_guessed, expected, "{folder:?} {given}: {report}");
    }
}

#[test]
fn policies_come_from_a_pipe_too() {
    let tree = Tree::new(&[("apps/app.yaml", OLD)]);
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        POLICY.trim_end().replace('\n', "\n  ")
    );
    let output = run_in(
        tree.path(),
        &["update", ".", "--policies", "-"],
        list.as_bytes(),
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
}

#[test]
fn what_cannot_be_parsed_weighs_by_who_asked() {
    let broken = "a: [ # {\"$imagepolicy\": \"flux-system:app\"}\n";
    let tree = Tree::with_policy(&[("apps/broken.yaml", broken)]);
    let walked = tree.update(&["."]);
    assert_eq!(code(&walked), 0);
    assert!(
        stderr(&walked).contains("warning: this file is not valid YAML"),
        "{}",
        stderr(&walked)
    );
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    assert_eq!(code(&tree.update(&["--strict", "."])), 1);
    let named = tree.update(&["apps/broken.yaml"]);
    assert_eq!(code(&named), 2);
    assert!(
        stderr(&named).contains("apps/broken.yaml:1:4"),
        "{}",
        stderr(&named)
    );
}

#[test]
fn unresolved_fails_unless_allowed() {
    let policy = POLICY.split("status:").next().expect("a part").to_owned();
    let tree = Tree::with_policy(&[
        ("flux/policy.yaml", &policy),
        ("apps/second.yaml", "a: 1\n"),
    ]);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("referenced ImageRepository does not exist"),
        "{}",
        stderr(&output)
    );
    assert_eq!(code(&tree.update(&["--allow-unresolved", "."])), 0);
    assert_eq!(tree.read("apps/app.yaml"), OLD);
}

#[test]
fn colour_only_where_it_is_seen() {
    let tree = Tree::with_policy(&[]);
    let plain = tree.update(&["--dry-run", "."]);
    assert!(!stdout(&plain).contains('\u{1b}'));
    let coloured = flux_image()
        .args(["update", "--diff", "."])
        .env("CLICOLOR_FORCE", "1")
        .current_dir(tree.path())
        .output()
        .expect("it runs");
    assert!(stdout(&coloured).contains('\u{1b}'));
}

/// The first of the README's two commands, in this very repository.
#[test]
fn the_readmes_example_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    assert!(readme.contains("cargo run -- update examples/quickstart --diff\ncargo test\n"));
    let output = run_in(root, &["update", "examples/quickstart", "--diff"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output), "would change 1 value in 1 file\n");
    assert!(stdout(&output).contains("+        image: ghcr.io/acme/podinfo:6.10.1 # {"));
}
