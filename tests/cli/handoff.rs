//! From the edit to the commit, in real git repositories: report, message,
//! branch, patches, and what CI systems read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::run_in;
use crate::support::{code, feed, flux_image, stderr, stdout};
use crate::update::{OLD, POLICY, Tree};

const SOURCES: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: https://git.example/acme/fleet, ref: {branch: main}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, interval: 1h}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '*'}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: web, namespace: flux-system}
spec: {image: docker.io/acme/web, interval: 1h}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: web, namespace: flux-system}
spec: {imageRepositoryRef: {name: web}, policy: {semver: {range: '*'}}}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
    - {image: ghcr.io/acme/app, scannedAt: '2026-11-21T00:00:00Z', tags: [1.0.0, 1.2.0, 2.0.0]}
    - {image: docker.io/acme/web, scannedAt: '2026-11-21T00:00:00Z', tags: [0.9.0, 0.9.1]}
";

const NOW: [&str; 2] = ["--now", "2026-11-21T12:00:00Z"];

/// CRLF, no final line break, two policies.
const DEPLOY: &str = "apiVersion: apps/v1\r\nkind: Deployment\r\nmetadata: {name: a, namespace: d}\r\nspec:\r\n  containers:\r\n    - image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\r\n    - image: docker.io/acme/web:0.9.0 # {\"$imagepolicy\": \"flux-system:web\"}";

const KUSTOMIZATION: &str =
    "images:\n  - name: x\n    newTag: 1.0.0 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n";

const ROOT: &str = "v: docker.io/acme/web:0.9.0 # {\"$imagepolicy\": \"flux-system:web\"}\n";

pub fn automation(name: &str, path: &str, git: &str) -> String {
    format!(
        "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  interval: 30m\n  sourceRef: {{kind: GitRepository, name: fleet}}\n  git: {git}\n  update: {{path: {path}, strategy: Setters}}\n"
    )
}

/// `git` as the automations of the tests have it.
pub fn git_of(template: &str, branch: &str) -> String {
    format!(
        "{{commit: {{author: {{name: bot, email: bot@acme.example}}, messageTemplate: '{template}'}}, push: {{branch: '{branch}'}}}}"
    )
}

/// A git repository with files in one commit, and a bare one as its remote.
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    pub fn new(automations: &str) -> Self {
        let repository = Self {
            folder: TempDir::new().expect("a folder"),
        };
        fs::create_dir(repository.work()).expect("a folder");
        repository.git(&["init", "-q", "-b", "main", "."]);
        repository.git(&["init", "-q", "--bare", "-b", "main", "../remote.git"]);
        repository.write("flux/docs.yaml", &format!("{SOURCES}{automations}"));
        repository.write("apps/a/deploy.yaml", DEPLOY);
        repository.write("apps/b/kustomization.yaml", KUSTOMIZATION);
        repository.write("root \u{fc}.yaml", ROOT);
        repository.commit("first");
        // The remote's name is that of the GitRepository.
        repository.git(&[
            "remote",
            "add",
            "origin",
            "https://git.example/acme/fleet.git",
        ]);
        repository.push("main");
        repository
    }

    /// The marked file outside `apps`, which would be a finding.
    fn remove_what_nobody_updates(&self) {
        fs::remove_file(self.work().join("root \u{fc}.yaml")).expect("a file");
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.work().join(name)).expect("a file")
    }

    pub fn try_git(&self, arguments: &[&str]) -> Output {
        Command::new("git")
            .args(["-c", "user.name=bot", "-c", "user.email=bot@acme.example"])
            .args(arguments)
            .current_dir(self.work())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs")
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        stdout(&output)
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", message]);
    }

    pub fn push(&self, branch: &str) {
        self.git(&["push", "-q", "../remote.git", branch]);
    }

    /// The tree of a revision.
    pub fn tree(&self, revision: &str) -> String {
        self.git(&["rev-parse", &format!("{revision}^{{tree}}")])
    }

    pub fn flux_image(&self, arguments: &[&str]) -> Output {
        run_in(&self.work(), arguments, b"")
    }

    pub fn update(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["update"];
        all.extend(NOW);
        all.extend(arguments);
        self.flux_image(&all)
    }

    pub fn names_of(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        names.sort();
        names
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn from_the_edit_to_the_push_and_again() {
    let template = "update {{ len .Changed.Changes }} images\n\n\n  {{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}\n\n  {{ end }}";
    let repository = Repository::new(&automation(
        "auto",
        ".",
        &git_of(template, "updates/{{ isoWeek }}"),
    ));
    let (report, message, branch) = (
        repository.out("report.json"),
        repository.out("message"),
        repository.out("branch"),
    );
    let output = repository.update(&[
        "--report",
        text(&report),
        "--message-file",
        text(&message),
        "--branch-file",
        text(&branch),
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let name = fs::read_to_string(&branch).expect("a branch");
    assert_eq!(name, "updates/2026-w47\n");
    let expected = fs::read_to_string(&message).expect("a message");
    assert!(expected.starts_with("update 3 images\n"), "{expected}");

    // The report gives the same.
    let printed = repository.flux_image(&["message", text(&report)]);
    assert_eq!(stdout(&printed), expected);
    let printed = repository.flux_image(&["branch", text(&report)]);
    assert_eq!(stdout(&printed), name);

    repository.git(&["switch", "-qc", name.trim()]);
    repository.git(&["add", "-u"]);
    repository.git(&["commit", "-q", "-F", text(&message)]);
    repository.push(name.trim());
    let subject = repository.git(&["log", "-1", "--format=%s"]);
    assert_eq!(subject, "update 3 images\n");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");

    // Again: nothing to do, no files, and what an earlier run left is gone.
    let again = repository.update(&[
        "--report",
        text(&report),
        "--message-file",
        text(&message),
        "--branch-file",
        text(&branch),
    ]);
    assert_eq!((code(&again), stdout(&again)), (0, String::new()));
    assert!(!report.exists() && !message.exists() && !branch.exists());
    assert_eq!(code(&repository.update(&["--check"])), 0);
    let json = repository.update(&["-o", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["automations"], serde_json::json!([]));
    assert_eq!(json["summary"]["changes"], 0);
}

#[test]
fn a_branch_made_again_from_a_newer_main_holds_the_same() {
    let repository = Repository::new(&automation("auto", "./apps", &git_of("x", "auto")));
    repository.git(&["switch", "-qc", "auto"]);
    assert_eq!(code(&repository.update(&[])), 0);
    repository.commit("images");
    repository.push("auto");
    // main moves on, in another file and in a marked one.
    repository.git(&["switch", "-q", "main"]);
    repository.write("README.md", "news\n");
    repository.write(
        "apps/b/kustomization.yaml",
        &format!("# news\n{KUSTOMIZATION}"),
    );
    repository.commit("news");
    // Rebased by git, and made anew by us: one tree.
    repository.git(&["branch", "rebased", "auto"]);
    repository.git(&["rebase", "-q", "main", "rebased"]);
    repository.git(&["switch", "-qC", "auto", "main"]);
    assert_eq!(code(&repository.update(&[])), 0);
    repository.commit("images");
    assert_eq!(repository.tree("auto"), repository.tree("rebased"));
    repository.git(&[
        "push",
        "-q",
        "--force-with-lease=auto:rebased@{1}",
        "../remote.git",
        "auto",
    ]);
}

/// What each split of the same run says.
fn assert_parts(split: &str, messages: &[String], branches: &[String]) {
    let (expected_messages, expected_branches): (&[&str], &[&str]) = match split {
        "automation" => (&["one: 3", "two: 1"], &["one\n", "two\n"]),
        "policy" => (
            &["one: 2", "one: 1", "two: 1"],
            &["one-flux-system-app\n", "one-flux-system-web\n", "two\n"],
        ),
        "image" => (
            &["one: 1", "one: 2", "two: 1"],
            &[
                "one-docker-io-acme-web\n",
                "one-ghcr-io-acme-app\n",
                "two\n",
            ],
        ),
        _ => (
            &["one: 2", "one: 1", "two: 1"],
            &["one-apps-a\n", "one-apps-b\n", "two\n"],
        ),
    };
    assert_eq!(messages, expected_messages);
    assert_eq!(branches, expected_branches);
}

#[test]
fn patches_one_after_the_other_give_the_same_tree() {
    let two = automation(
        "one",
        "./apps",
        &git_of("one: {{ len .Changed.Changes }}", "one"),
    ) + &automation(
        "two",
        ".",
        &git_of("two: {{ len .Changed.Changes }}", "two"),
    );
    for split in ["automation", "policy", "image", "folder"] {
        let repository = Repository::new(&two);
        let folder = repository.out("patches");
        let output = repository.update(&["--patch-dir", text(&folder), "--split-by", split]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        repository.commit("all at once");
        let expected = repository.tree("HEAD");

        repository.git(&["switch", "-qc", "again", "HEAD^"]);
        let names = repository.names_of(&folder);
        let patches: Vec<&String> = names
            .iter()
            .filter(|name| name.ends_with(".patch"))
            .collect();
        for name in &patches {
            let patch = folder.join(name);
            repository.git(&["apply", "--check", text(&patch)]);
            repository.git(&["apply", text(&patch)]);
            let stem = text(&patch).trim_end_matches(".patch").to_owned();
            repository.git(&["add", "-u"]);
            repository.git(&["commit", "-q", "-F", &format!("{stem}.message")]);
        }
        assert_eq!(repository.tree("HEAD"), expected, "{split}");
        // Each part has a message of its own changes, and a branch of its own.
        let read = |name: &String, end: &str| {
            let name = name.replace(".patch", end);
            fs::read_to_string(folder.join(name)).expect("a file")
        };
        let messages: Vec<String> = patches.iter().map(|name| read(name, ".message")).collect();
        let branches: Vec<String> = patches.iter().map(|name| read(name, ".branch")).collect();
        assert_parts(split, &messages, &branches);
        // Once written, the folder is not written to again.
        repository.git(&["switch", "-q", "--detach", "main~1"]);
        let full = repository.update(&["--patch-dir", text(&folder)]);
        assert_eq!(code(&full), 2);
        assert!(stderr(&full).contains("the folder is not empty"));
        assert_eq!(repository.git(&["status", "--porcelain"]), "");
    }
}

#[test]
fn two_branches_are_not_one() {
    let two = automation("one", "./apps", &git_of("one", "one"))
        + &automation("two", ".", &git_of("two", "two"));
    let repository = Repository::new(&two);
    let branch = repository.out("branch");
    let output = repository.update(&["--branch-file", text(&branch)]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(
        said.contains("`one` (flux-system/one), `two` (flux-system/two)"),
        "{said}"
    );
    assert!(said.contains("--patch-dir"), "{said}");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    // Asked for one, it is one; the messages of both are one text.
    let report = repository.out("report.json");
    repository.update(&["--dry-run", "--report", text(&report)]);
    let one = repository.flux_image(&["branch", text(&report), "--automation", "flux-system/two"]);
    assert_eq!(stdout(&one), "two\n");
    let both = repository.flux_image(&["message", text(&report)]);
    let both = stdout(&both);
    assert_eq!(both, "Update images for 2 automations\n\none\n\ntwo\n");
    let file = repository.out("message");
    let output = repository.update(&["--dry-run", "--message-file", text(&file)]);
    assert_eq!(fs::read_to_string(&file).expect("a message"), both);
    let said = stderr(&output);
    assert!(said.contains("2 messages below one subject"), "{said}");
    assert!(said.contains("--patch-dir DIR"), "{said}");
    // One of them needs no other subject; nor do parts that say the same.
    let of_one = ["message", text(&report), "--automation", "flux-system/two"];
    assert_eq!(stdout(&repository.flux_image(&of_one)), "two");
    let file = repository.out("one-message");
    let output = repository.update(&["--dry-run", "apps", "--message-file", text(&file)]);
    assert!(!stderr(&output).contains("one subject"));
    // Parts of one automation are of that automation.
    let file = repository.out("parts");
    let template = "{{ range .Changed.Changes }}{{ .NewValue }} {{ end }}";
    let one = Repository::new(&automation("auto", ".", &git_of(template, "b")));
    let flags = ["--dry-run", "--split-by", "policy", "--message-file"];
    let output = one.update(&[&flags[..], &[text(&file)]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let parts = fs::read_to_string(&file).expect("a message");
    let (subject, rest) = parts.split_once("\n\n").expect("a subject");
    assert_eq!(subject, "Update images for flux-system/auto");
    assert!(rest.split("\n\n").count() > 1, "{parts}");
    let none = repository.flux_image(&["message", text(&report), "--automation", "a/b"]);
    assert_eq!(code(&none), 2);
    assert!(stderr(&none).contains("there is `flux-system/one`, `flux-system/two`"));
}

/// Templates of a message and of a branch, and what is said of them.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "a {{ foo }}",
        "b",
        "line 1, column 6: function \"foo\" not defined",
    ),
    (
        "a\n\n\n  b {{ .Nope }}",
        "b",
        "line 3, column 6: at <.Nope>",
    ),
    (
        "{{ .Updated }}",
        "b",
        "template uses removed ''.Updated'' field",
    ),
    (
        "{{ .Changed.ImageResult }}",
        "b",
        "removed ''.Changed.ImageResult'' field",
    ),
    ("{{ \"\\x00\" }}", "b", "a NUL byte"),
    (
        "{{ repeat 1000000000 \"x\" }}",
        "b",
        "too much time or memory",
    ),
    (
        "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
        "b",
        "without end",
    ),
    ("m", "{{ .Nope }}", "at <.Nope>"),
    ("m", "a..b", "git takes no branch `a..b`"),
    (
        "m",
        "{{ now \"2006 01\" }}",
        "git takes no branch `2026 11`",
    ),
];

#[test]
fn wrong_templates_leave_files_as_they_are() {
    for (template, name, why) in WRONG {
        let repository = Repository::new(&automation("auto", ".", &git_of(template, name)));
        let report = repository.out("report.json");
        let output = repository.update(&["--report", text(&report)]);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{template} {name}: {said}");
        assert!(
            said.contains(&why.replace("''", "'")),
            "{template} {name}: {said}"
        );
        assert!(said.contains("at flux/docs.yaml:"), "{said}");
        assert!(said.contains("--keep-going"), "{said}");
        assert_eq!(repository.git(&["status", "--porcelain"]), "", "{template}");
        assert!(!report.exists());
        let (message, branch) = (repository.out("message"), repository.out("branch"));
        let output = repository.update(&[
            "--keep-going",
            "--report",
            text(&report),
            "--message-file",
            text(&message),
            "--branch-file",
            text(&branch),
        ]);
        assert_eq!(code(&output), 2);
        // What is not wrong is written.
        assert!(report.exists());
        assert!(message.exists() != branch.exists(), "{template} {name}");
        assert!(repository.read("apps/a/deploy.yaml").contains("app:2.0.0"));
    }
}

#[test]
fn templates_of_old_versions_on_request() {
    let template = "{{ range $f, $_ := .Updated.Files }}{{ $f }} {{ end }}{{ range $o, $_ := .Updated.Objects }}{{ $o.Kind }}/{{ $o.Name }} {{ end }}{{ range .Updated.Images }}{{ . }} {{ .Identifier }} {{ .Repository }} {{ .Policy }};{{ end }}{{ range .Changed.ImageResult.Images }}{{ .Name }};{{ end }}";
    let repository = Repository::new(&automation("auto", "./apps", &git_of(template, "b")));
    let message = repository.out("message");
    let refused = repository.update(&["--message-file", text(&message)]);
    assert_eq!(code(&refused), 2);
    let said = stderr(&refused);
    assert!(said.contains("`--legacy-templates`"), "{said}");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    // Nobody asked for a message: the edits are not held up.
    let plain = repository.update(&["--dry-run"]);
    assert_eq!(code(&plain), 0);
    assert!(stderr(&plain).contains("warning"), "{}", stderr(&plain));
    assert!(stderr(&plain).contains("template uses removed '.Updated' field"));
    let output = repository.update(&["--legacy-templates", "--message-file", text(&message)]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        fs::read_to_string(&message).expect("a message"),
        "a/deploy.yaml b/kustomization.yaml / Deployment/a ghcr.io/acme/app:2.0.0 2.0.0 acme/app flux-system/app;docker.io/acme/web:0.9.1 0.9.1 acme/web flux-system/web;ghcr.io/acme/app:2.0.0;index.docker.io/acme/web:0.9.1;"
    );
}

#[test]
fn branches_that_mean_the_day_are_warned_of() {
    let git = git_of("m", "image-updates/{{ now \"2006-w02\" }}");
    let repository = Repository::new(&automation("auto", ".", &git));
    let branch = repository.out("branch");
    let output = repository.update(&["--branch-file", text(&branch)]);
    assert_eq!(code(&output), 0);
    let said = stderr(&output);
    assert!(said.contains("`02` is the day of the month"), "{said}");
    assert!(said.contains("{{ isoWeek }}"), "{said}");
    assert_eq!(
        fs::read_to_string(&branch).expect("a branch"),
        "image-updates/2026-w21\n"
    );
}

#[test]
fn one_policy_or_image_alone() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    let changed = |arguments: &[&str]| -> Vec<String> {
        let mut all = vec!["--dry-run", "-o", "json"];
        all.extend(arguments);
        let output = repository.update(&all);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let changes = report["changes"].as_array().expect("changes").iter();
        changes
            .map(|change| change["setter"].as_str().expect("a setter").to_owned())
            .collect()
    };
    let app = ["flux-system:app", "flux-system:app:tag"];
    let web = ["flux-system:web", "flux-system:web"];
    assert_eq!(changed(&["--only", "flux-system:app"]), app);
    assert_eq!(changed(&["--only-image", "ghcr.io/acme/app:9.9.9"]), app);
    assert_eq!(changed(&["--only-image", "index.docker.io/acme/web"]), web);
    assert_eq!(changed(&["--only", "flux-system:app", "."]), app);
    assert_eq!(
        changed(&["--only", "flux-system:app", "--only-image", "acme/web"]).len(),
        4
    );
    for (arguments, why) in [
        (
            ["--only", "flux-system:nope"],
            "there is `flux-system:app`, `flux-system:web`",
        ),
        (["--only", "nope"], "write `--only NAMESPACE:NAME`"),
        (
            ["--only-image", "ghcr.io/acme/other"],
            "there is `docker.io/acme/web`, `ghcr.io/acme/app`",
        ),
    ] {
        let output = repository.update(&arguments);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_webhook_names_the_image() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    let payload = br#"{"push_data":{"tag":"1"},"repository":{"repo_name":"acme/web"}}"#;
    let arguments = ["update", "--dry-run", "--from-webhook", "-"];
    let output = run_in(&repository.work(), &arguments, payload);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stdout(&output));
    // Nexus names no host.
    let payload = br#"{"repositoryName":"hosted","action":"CREATED","component":{"format":"docker","name":"acme/web","version":"1"}}"#;
    let of_nexus = run_in(&repository.work(), &arguments, payload);
    assert_eq!(stdout(&of_nexus), stdout(&output));
    for (payload, why) in [
        (
            r#"{"push_data":{},"repository":{"repo_name":"acme/else"}}"#.to_owned(),
            "`docker.io/acme/else`",
        ),
        (
            r#"{"push_data":{},"repository":{"repo_name":"a\n::error::b"}}"#.to_owned(),
            "`docker.io/a\\n::error::b`",
        ),
        (r#"{"what":1}"#.to_owned(), "not from a known registry"),
        (
            format!("\"{}\"", "x".repeat(2 << 20)),
            "longer than 1048576 bytes",
        ),
        ("{".to_owned(), "not JSON"),
    ] {
        let output = run_in(&repository.work(), &arguments, payload.as_bytes());
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn suspended_stays_suspended_for_a_trigger() {
    let git = git_of("m", "b");
    let suspended = automation("auto", ".", &git).replace("  interval: 30m", "  suspend: true");
    let repository = Repository::new(&suspended);
    let output = repository.update(&["--only-image", "ghcr.io/acme/app"]);
    assert_eq!((code(&output), stdout(&output)), (0, String::new()));
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_text_for_review() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    let output = repository.update(&["--dry-run", "-o", "markdown"]);
    assert_eq!(
        stdout(&output),
        "| Policy | Image | Old → new | Step | Files |\n\
         | --- | --- | --- | --- | --- |\n\
         | `flux-system:app` | `ghcr.io/acme/app` | `1.0.0` → `2.0.0` | **major** | `apps/a/deploy.yaml`<br>`apps/b/kustomization.yaml` |\n\
         | `flux-system:web` | `docker.io/acme/web` | `0.9.0` → `0.9.1` | patch | `apps/a/deploy.yaml`<br>`root \u{fc}.yaml` |\n"
    );
    repository.update(&[]);
    let output = repository.update(&["-o", "markdown"]);
    assert_eq!(stdout(&output), "No image changes.\n");
}

#[test]
fn what_github_reads() {
    let template = "one\n\n  two END_OF_VALUE\n\n  END_OF_VALUE";
    let repository = Repository::new(&automation("auto", "./apps", &git_of(template, "b")));
    repository.remove_what_nobody_updates();
    let (outputs, summary) = (repository.out("outputs"), repository.out("summary"));
    fs::write(&outputs, "before=1\n").expect("a file");
    let mut command = flux_image();
    command
        .current_dir(repository.work())
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .args(["update", "-o", "github"]);
    let output = feed(&mut command, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "::notice file=apps/a/deploy.yaml,line=6,col=14,title=flux-system%3Aapp::changed ghcr.io/acme/app:1.0.0 → ghcr.io/acme/app:2.0.0\n\
         ::notice file=apps/a/deploy.yaml,line=7,col=14,title=flux-system%3Aweb::changed docker.io/acme/web:0.9.0 → docker.io/acme/web:0.9.1\n\
         ::notice file=apps/b/kustomization.yaml,line=3,col=13,title=flux-system%3Aapp%3Atag::changed 1.0.0 → 2.0.0\n"
    );
    assert_eq!(
        fs::read_to_string(&outputs).expect("outputs"),
        "before=1\nchanged<<END_OF_VALUE\ntrue\nEND_OF_VALUE\nchanges<<END_OF_VALUE\n3\nEND_OF_VALUE\nfiles<<END_OF_VALUE\napps/a/deploy.yaml\napps/b/kustomization.yaml\nEND_OF_VALUE\nmessage<<END_OF_VALUE_\none\ntwo END_OF_VALUE\nEND_OF_VALUE\nEND_OF_VALUE_\nbranch<<END_OF_VALUE\nb\nEND_OF_VALUE\n"
    );
    assert!(
        fs::read_to_string(&summary)
            .expect("a summary")
            .starts_with("| Policy |")
    );
}

#[test]
fn what_gitlab_reads() {
    let repository = Repository::new(&automation("auto", "./apps", &git_of("one\n\n  two", "b")));
    repository.remove_what_nobody_updates();
    let variables = repository.out("variables.env");
    let output = repository.update(&["--check", "-o", "gitlab", "--dotenv", text(&variables)]);
    assert_eq!(code(&output), 1);
    let issues: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &issues[0];
    assert_eq!(first["check_name"], "flux-image/outdated");
    assert_eq!(first["severity"], "minor");
    assert_eq!(first["location"]["path"], "apps/a/deploy.yaml");
    assert_eq!(first["location"]["lines"]["begin"], 6);
    let prints: std::collections::BTreeSet<&str> = issues
        .as_array()
        .expect("issues")
        .iter()
        .map(|issue| issue["fingerprint"].as_str().expect("a fingerprint"))
        .collect();
    assert_eq!(prints.len(), 3);
    // A line above changes where they stand, and none of them.
    let path = repository.work().join("apps/a/deploy.yaml");
    let manifest = fs::read_to_string(&path).expect("a file");
    fs::write(&path, format!("# a line\n{manifest}")).expect("a file");
    let shifted = repository.update(&["--check", "-o", "gitlab"]);
    let shifted: Value = serde_json::from_slice(&shifted.stdout).expect("JSON");
    assert_eq!(shifted[0]["location"]["lines"]["begin"], 7);
    for number in 0..3 {
        assert_eq!(
            shifted[number]["fingerprint"], issues[number]["fingerprint"],
            "{number}"
        );
    }
    // The same, twice in one file, is two issues.
    fs::write(&path, format!("{manifest}---\n{manifest}")).expect("a file");
    let twice = repository.update(&["--check", "-o", "gitlab"]);
    let twice: Value = serde_json::from_slice(&twice.stdout).expect("JSON");
    let twice = twice.as_array().expect("issues").iter();
    let prints: std::collections::BTreeSet<String> = twice
        .map(|issue| issue["fingerprint"].to_string())
        .collect();
    assert_eq!(prints.len(), 5);
    assert_eq!(
        fs::read_to_string(&variables).expect("variables"),
        "FLUX_IMAGE_CHANGED=true\nFLUX_IMAGE_CHANGES=3\nFLUX_IMAGE_FILES=2\nFLUX_IMAGE_BRANCH=b\nFLUX_IMAGE_TITLE=one\n"
    );
}

#[test]
fn what_code_scanning_reads() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    repository.write(
        "apps/c.yaml",
        "x: 1 # {\"$imagepolicy\": \"flux-system:nope\"}\n",
    );
    let output = repository.update(&["--dry-run", "-o", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "flux-image");
    let results = run["results"].as_array().expect("results");
    let rules: Vec<&str> = results
        .iter()
        .map(|r| r["ruleId"].as_str().expect("a rule"))
        .collect();
    assert_eq!(
        rules,
        [
            "unknown-policy",
            "outdated",
            "outdated",
            "outdated",
            "outdated"
        ]
    );
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "apps/c.yaml");
    assert_eq!(
        place["region"],
        serde_json::json!({"startLine": 1, "startColumn": 4})
    );
    let last = &results[4]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(last["uri"], "root%20%C3%BC.yaml");
}

#[test]
fn the_report_tells_what_a_commit_needs() {
    let git = "{checkout: {ref: {branch: dev}}, commit: {author: {email: bot@acme.example}}, push: {refspec: 'refs/heads/dev:refs/heads/x', options: {ci.skip: ''}}}";
    let repository = Repository::new(&automation("auto", "./apps", git));
    let output = repository.update(&["--dry-run", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["run"]["time"], "2026-11-21T12:00:00Z");
    assert_eq!(
        report["automations"],
        serde_json::json!([{
            "namespace": "flux-system",
            "name": "auto",
            "message": "Update from image update automation",
            "branch": "dev",
            "switchesBranch": false,
            "refspec": "refs/heads/dev:refs/heads/x",
            "pushOptions": {"ci.skip": ""},
            "author": {"email": "bot@acme.example"},
            "files": ["apps/a/deploy.yaml", "apps/b/kustomization.yaml"],
            "changes": [0, 1, 2],
        }])
    );
    assert_eq!(
        report["policies"][0],
        serde_json::json!({
            "namespace": "flux-system",
            "name": "app",
            "old": [{"tag": "1.0.0"}, {"name": "ghcr.io/acme/app", "tag": "1.0.0"}],
            "new": {"name": "ghcr.io/acme/app", "tag": "2.0.0"},
            "step": "major",
            "changes": 2,
            "files": ["apps/a/deploy.yaml", "apps/b/kustomization.yaml"],
        })
    );
    assert_eq!(report["objects"].as_array().expect("objects").len(), 2);
}

#[test]
fn only_reports_are_read_as_reports() {
    let repository = Repository::new("");
    for (text, why) in [
        ("{}", "not a report"),
        ("[", "not a report"),
        ("{\"kind\":\"Report\"}", "nothing changed"),
    ] {
        let output = run_in(&repository.work(), &["message", "-"], text.as_bytes());
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    let output = repository.flux_image(&["branch", "no-such-file"]);
    assert_eq!(code(&output), 2);
}

#[test]
fn what_cannot_be_written_is_known_before_the_edit() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    let (nowhere, folder) = (
        repository.out("no/such/folder/report.json"),
        repository.out("."),
    );
    for arguments in [
        ["--report", text(&nowhere)],
        ["--message-file", text(&folder)],
        ["--patch-dir", "/proc/no-such-folder"],
    ] {
        let output = repository.update(&arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains("cannot"), "{}", stderr(&output));
        assert_eq!(
            repository.git(&["status", "--porcelain"]),
            "",
            "{arguments:?}"
        );
    }
    // A pipe is written to, not replaced.
    let output = repository.update(&["--dry-run", "--message-file", "/dev/stderr"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).starts_with('m'), "{}", stderr(&output));
}

#[test]
fn paths_have_the_usual_message_and_no_branch() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    let (report, branch) = (repository.out("report.json"), repository.out("branch"));
    let output = repository.update(&["--dry-run", "apps", "--report", text(&report)]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let message = repository.flux_image(&["message", "--report", text(&report)]);
    assert_eq!(stdout(&message), "Update from image update automation");
    let output = repository.update(&["apps", "--branch-file", text(&branch)]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("PATHs were given"),
        "{}",
        stderr(&output)
    );
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

/// What is said of two places names both, and neither line is part of the issue.
#[test]
fn what_gitlab_takes_for_one_issue() {
    let tree = Tree::with_policy(&[]);
    let twin = POLICY.replace("range: '*'", "range: '>0'");
    let issues = |above: &str| {
        tree.write("flux/twin.yaml", &format!("{above}{twin}"));
        tree.write("flux/policy.yaml", &format!("{above}{POLICY}"));
        let output = tree.update(&["--dry-run", ".", "-o", "gitlab"]);
        let issues: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let issues = issues.as_array().expect("issues").iter();
        let texts = issues.map(|issue| {
            let [text, print] = ["description", "fingerprint"].map(|key| issue[key].to_string());
            (text, print)
        });
        texts.unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (texts, prints) = issues("");
    assert!(
        texts.iter().any(|one| one.contains("twin.yaml:1:1")),
        "{texts:?}"
    );
    let (shifted, same) = issues("# a line\n");
    assert!(
        shifted.iter().any(|one| one.contains("twin.yaml:2:1")),
        "{shifted:?}"
    );
    assert_eq!(same, prints);
}

/// What does not fit into a comment is counted.
#[test]
fn a_review_text_has_a_length() {
    let files: Vec<(String, String)> = (0..400)
        .map(|number| (format!("apps/file-{number}.yaml"), OLD.to_owned()))
        .collect();
    let mut files: Vec<(&str, &str)> = (files.iter())
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    files.push(("flux/policy.yaml", POLICY));
    let tree = Tree::new(&files);
    let output = tree.update(&["--dry-run", ".", "-o", "markdown"]);
    let text = stdout(&output);
    assert!(
        text.contains("and 390 more |") && text.len() < 1000,
        "{text}"
    );
    // What could not be judged is not called unchanged.
    let tree = Tree::with_policy(&[(
        "apps/app.yaml",
        &OLD.replace("system:app", "system:app:digest"),
    )]);
    let output = tree.update(&["--dry-run", ".", "-o", "markdown"]);
    let text = stdout(&output);
    assert!(
        text.starts_with("No image changes: not everything could be judged.\n"),
        "{text}"
    );
    let many: String = (0..3000)
        .map(|_| "- a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app:digest\"}\n")
        .collect();
    tree.write("apps/app.yaml", &many);
    let text = stdout(&tree.update(&["--dry-run", ".", "-o", "markdown"]));
    assert!(
        text.len() <= 65_536 && text.contains("\n- and "),
        "{}",
        text.len()
    );
    let text = stdout(&tree.update(&[
        "--dry-run",
        ".",
        "-o",
        "markdown",
        "--markdown-limit",
        "2000",
    ]));
    assert!(text.len() <= 2000, "{}", text.len());
}

/// A name of a reference that is no branch, and a second push: what a file with a branch
/// does not tell.
#[test]
fn what_a_branch_alone_does_not_tell() {
    let git = |checkout: &str, push: &str| {
        format!(
            "{{checkout: {{ref: {{{checkout}}}}}, commit: {{author: {{email: bot@acme.example}}}}{push}}}"
        )
    };
    let named = git("name: refs/heads/dev", "");
    let repository = Repository::new(&automation("auto", ".", &named));
    let branch = repository.out("branch");
    let output = repository.update(&["--branch-file", text(&branch)]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(
        said.contains("`ref.name`, a tag and a commit do not count"),
        "{said}"
    );
    let besides = git(
        "branch: dev",
        ", push: {refspec: 'refs/heads/dev:refs/for/dev'}",
    );
    let repository = Repository::new(&automation("auto", ".", &besides));
    let branch = repository.out("branch");
    let output = repository.update(&["--branch-file", text(&branch)]);
    assert_eq!(code(&output), 0);
    let said = stderr(&output);
    let what =
        "Flux pushes `refs/heads/dev:refs/for/dev` (`push.refspec`) besides the branch `dev`";
    assert!(said.contains(what), "{said}");
    assert_eq!(fs::read_to_string(&branch).expect("a branch"), "dev\n");
    let repository = Repository::new(&automation("auto", ".", &besides));
    assert_eq!(
        stderr(&repository.update(&[])),
        "changed 4 values in 3 files\n"
    );
}
