//! Files that the user's own flags name: what they may not be, what is known
//! before the first edit, and what is taken away.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::run_in;
use crate::support::{code, feed, flux_image, stderr, stdout};
use crate::tree::Tree;

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '*'}}}
status: {latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: auto, namespace: flux-system}
spec:
  interval: 1h
  sourceRef: {kind: GitRepository, name: fleet}
  git: {commit: {author: {email: bot@acme.example}, messageTemplate: images}, push: {branch: auto}}
  update: {strategy: Setters, path: .}
";

const OLD: &str = "a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";

/// A work tree with something to change.
fn tree() -> Tree {
    let tree = Tree::new(&[
        ("flux/policy.yaml", POLICY),
        ("apps/app.yaml", OLD),
        ("apps/kustomization.yaml", "resources: [app.yaml]\n"),
        ("apps/notes.txt", "a person's\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
    ]);
    for folder in ["objects", "refs/tags", "hooks"] {
        fs::create_dir_all(tree.at(".git").join(folder)).expect("a folder");
    }
    fs::hard_link(tree.at("apps/app.yaml"), tree.at("apps/other")).expect("a link");
    symlink("app.yaml", tree.at("apps/link.json")).expect("a link");
    symlink("apps", tree.at("folder-link")).expect("a link");
    tree
}

fn update(tree: &Tree, arguments: &[&str]) -> Output {
    let mut all = vec!["update"];
    all.extend(arguments);
    run_in(tree.path(), &all, b"")
}

/// All files and what they hold.
fn state(tree: &Tree) -> Vec<(String, String)> {
    let names = tree.names().into_iter();
    names
        .map(|name| {
            (
                name.clone(),
                fs::read_to_string(tree.at(&name)).unwrap_or_default(),
            )
        })
        .collect()
}

/// Flags, and why they are refused.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["--report", "apps/app.yaml"],
        "has the name of a manifest of the work tree",
    ),
    (
        &["--report", "apps/../apps/./app.yaml"],
        "has the name of a manifest",
    ),
    (
        &["--report", "folder-link/app.yaml"],
        "has the name of a manifest",
    ),
    (
        &["--message-file", "apps/kustomization.yaml"],
        "has the name of a manifest",
    ),
    (&["--report", "apps/new.yml"], "has the name of a manifest"),
    (
        &["--branch-file", "apps/Kustomization"],
        "has the name of a manifest",
    ),
    (
        &["-o", "gitlab", "--dotenv", "apps/app.yaml"],
        "has the name of a manifest",
    ),
    (
        &["--report", "apps/other"],
        "is another name of apps/app.yaml, which is edited",
    ),
    (
        &["--message-file", "apps/link.json"],
        "is a link, and links are not written through\n  hint: name the file itself: app.yaml",
    ),
    (&["--report", "apps"], "it is a folder"),
    (&["--report", "new/"], "it is a folder"),
    (&["--report", ".git/report.json"], "is in git's own folder"),
    (
        &["--message-file", ".git/COMMIT_EDITMSG"],
        "is in git's own folder",
    ),
    (
        &["--branch-file", ".git/refs/tags/b"],
        "is in git's own folder",
    ),
    (
        &["--report", "r", "--message-file", "./apps/../r"],
        "`--report r` and `--message-file ./apps/../r` are one file",
    ),
    (
        &["--message-file", "r", "--branch-file", "r"],
        "are one file",
    ),
    (
        &[
            "--message-file",
            "/dev/stderr",
            "--branch-file",
            "/dev/fd/2",
        ],
        "are one file",
    ),
    (
        &["--report", "out/r", "--patch-dir", "out"],
        "is in the folder of `--patch-dir out`",
    ),
    (&["--patch-dir", "apps"], "the folder is not empty"),
    (&["--patch-dir", "apps/notes.txt"], "is not a folder"),
    (&["--patch-dir", ".git"], "the folder is not empty"),
    (
        &["--patch-dir", ".git/refs/tags"],
        "is a folder of git itself",
    ),
    (
        &["--patch-dir", "apps/../.git/objects/new"],
        "is a folder of git itself",
    ),
    (
        &["--report", "more.json", "--policies", "more.json"],
        "is what `--policies more.json` reads",
    ),
    (
        &["--report", "secret", "--secret", "secret"],
        "is what `--secret secret` reads",
    ),
    (
        &["--report", "config.txt", "--config", "./config.txt"],
        "is what `--config ./config.txt` reads",
    ),
    (
        &["--report", "apps/notes.txt", "apps/notes.txt"],
        "is what `PATH apps/notes.txt` reads",
    ),
    (
        &["--report", "apps/notes.txt"],
        "contains something other than a report",
    ),
    (&["--report", "-"], "`/dev/stdout` is stdout"),
    (
        &["--report", "no/such/folder/r"],
        "cannot write no/such/folder/r: No such file",
    ),
];

#[test]
fn what_outputs_may_not_be() {
    let tree = tree();
    tree.write("more.json", POLICY);
    tree.write("secret", "{}");
    tree.write(
        "config.txt",
        "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata: {name: a}\n",
    );
    let before = state(&tree);
    for (arguments, why) in REFUSED {
        // The folder out/ is made only once everything else is right.
        fs::create_dir_all(tree.at("out")).expect("a folder");
        let output = update(&tree, arguments);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert_eq!(state(&tree), before, "{arguments:?}");
    }
    let mut command = flux_image();
    command
        .current_dir(tree.path())
        .args(["update", "-o", "github"]);
    command.env("GITHUB_OUTPUT", "apps/app.yaml");
    let output = feed(&mut command, b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("`GITHUB_OUTPUT apps/app.yaml` has the name of a manifest"));
    assert_eq!(state(&tree), before);
}

#[test]
fn patches_may_go_into_gits_folder() {
    let tree = tree();
    let output = update(&tree, &["--patch-dir", ".git/flux-image/patches"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let folder = tree.at(".git/flux-image/patches");
    let mut names: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = names.iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(
        names,
        [
            "01-flux-system-auto.branch",
            "01-flux-system-auto.message",
            "01-flux-system-auto.patch"
        ]
    );
}

#[test]
fn only_what_an_earlier_run_left_is_taken_away() {
    let tree = tree();
    let flags = [
        "--report",
        "report",
        "--message-file",
        "message",
        "--branch-file",
        "branch",
    ];
    assert_eq!(code(&update(&tree, &flags)), 0);
    for name in ["report", "message", "branch"] {
        assert!(tree.at(name).is_file(), "{name}");
    }
    // Nothing changes now; somebody else's files are left, and that is an error.
    let report = tree.read("report");
    for (name, theirs) in [
        ("report", "{\"kind\": \"Report\"}"),
        ("report", "[1]"),
        ("report", "notes\n"),
        ("message", "notes\n"),
        ("branch", "main\n"),
    ] {
        let ours = tree.read(name);
        fs::remove_file(tree.at(name)).expect("removed");
        tree.write(name, theirs);
        let output = update(&tree, &flags);
        assert_eq!(code(&output), 2, "{name}: {theirs}");
        assert!(
            stderr(&output).contains("is not removed"),
            "{}",
            stderr(&output)
        );
        assert_eq!(tree.read(name), theirs);
        fs::remove_file(tree.at(name)).expect("removed");
        tree.write(name, if name == "report" { &ours } else { "" });
    }
    // What is empty is nobody's loss.
    assert_eq!(tree.read("report"), report);
    let output = update(&tree, &flags);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for name in ["report", "message", "branch"] {
        assert!(!tree.at(name).exists(), "{name}");
    }
}

#[test]
fn what_takes_nothing_is_known_before_the_first_edit() {
    for arguments in [
        &["--report", "/dev/full"][..],
        &["--message-file", "/dev/full"],
        &["-o", "gitlab", "--dotenv", "/dev/full"],
    ] {
        let tree = tree();
        let before = state(&tree);
        let output = update(&tree, arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        let said = stderr(&output);
        assert!(
            said.contains("cannot write /dev/full: No space left"),
            "{said}"
        );
        assert_eq!(state(&tree), before, "{arguments:?}");
    }
    for command in ["update", "annotate"] {
        let tree = tree();
        let before = state(&tree);
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let mut run = flux_image();
        run.current_dir(tree.path())
            .args([command, "."])
            .stdout(full);
        let output = run.stdin(Stdio::null()).output().expect("it runs");
        assert_eq!(code(&output), 2, "{command}");
        let said = stderr(&output);
        assert!(
            said.contains("cannot write to stdout; no file was changed: No space left"),
            "{said}"
        );
        assert_eq!(state(&tree), before, "{command}");
    }
}

#[test]
fn a_pipe_with_a_reader_gets_all() {
    let tree = tree();
    let made = Command::new("mkfifo").arg(tree.at("pipe")).status();
    assert!(made.is_ok_and(|made| made.success()));
    let pipe = tree.at("pipe");
    let reader = thread::spawn(move || fs::read_to_string(pipe).expect("a pipe"));
    let output = update(&tree, &["--report", "pipe"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report = reader.join().expect("it ends");
    assert!(report.contains("\"kind\": \"Report\""), "{report}");
    assert!(tree.read("apps/app.yaml").contains("1.2.0"));
}

/// `/dev/stdout` is written to, not replaced, also where it is a file.
#[test]
fn stdout_by_its_name() {
    let tree = tree();
    let program = env!("CARGO_BIN_EXE_flux-image");
    let script =
        format!("FLUX_IMAGE_OFFLINE=true '{program}' update --message-file /dev/stdout > said");
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", &script])
        .current_dir(tree.path())
        .output();
    assert_eq!(code(&output.expect("a shell")), 0);
    let said = tree.read("said");
    assert!(
        said.starts_with("images") && said.contains("flux-system:app"),
        "{said}"
    );
    let script = format!("FLUX_IMAGE_OFFLINE=true '{program}' update --message-file said > said");
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", &script])
        .current_dir(tree.path())
        .output();
    let output = output.expect("a shell");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("is the file that stdout or stderr goes to"));
}

/// A run that is killed leaves no file beside those that were to be.
#[test]
fn outputs_wait_where_git_does_not_see_them() {
    let tree = tree();
    fs::create_dir_all(tree.at("out/.flux-image-killed")).expect("a folder");
    tree.write("out/.flux-image-killed/.gitignore", "*\n");
    tree.write("out/.flux-image-killed/0", "{}");
    let output = update(&tree, &["--dry-run", "--patch-dir", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let names = tree.names();
    assert!(
        names.iter().all(|name| !name.contains(".flux-image")),
        "{names:?}"
    );
    assert!(stdout(&output).contains("flux-system:app"));
}
