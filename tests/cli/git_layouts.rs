//! Every layout of a git repository: what git tracks counts, whatever ignore rules
//! say, wherever git keeps the index.

use std::fs;
use std::io;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{code, feed, flux_image, skipped, stderr};
use crate::update::NEW;
use crate::update::OLD;
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;

/// Runs git in a folder of the tree, with nothing of this machine's configuration.
pub fn git(tree: &Tree, folder: &str, arguments: &[&str]) -> io::Result<Output> {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@acme.example"])
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(tree.at(folder))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    git.output()
}

fn must(tree: &Tree, folder: &str, arguments: &[&str]) {
    let output = git(tree, folder, arguments).expect("git");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
}

/// A repository `main` in which `ignored/app.yaml` is tracked though ignored, and
/// `ignored/not.yaml` is not tracked; `None` where there is no git.
fn repository(test: &str, init: &[&str]) -> Option<Tree> {
    let tree = Tree::new(&[
        ("main/flux/policy.yaml", POLICY),
        ("main/apps/app.yaml", OLD),
        ("main/ignored/app.yaml", OLD),
        ("main/.gitignore", "ignored\n"),
        ("main/zz/more.txt", "x\n"),
    ]);
    if Command::new("git").arg("--version").output().is_err() {
        skipped(test, "no git");
        return None;
    }
    must(
        &tree,
        "main",
        &[&["init", "-q", "-b", "main"], init].concat(),
    );
    must(&tree, "main", &["add", "-f", "."]);
    must(&tree, "main", &["commit", "-q", "-m", "x"]);
    Some(tree)
}

/// What `update` edits in a folder.
fn edited(tree: &Tree, folder: &str, environment: &[(&str, &str)]) -> Value {
    tree.write(&format!("{folder}/ignored/not.yaml"), OLD);
    let mut command = flux_image();
    command
        .current_dir(tree.at(folder))
        .envs(environment.iter().copied())
        .args(["update", ".", "-o", "json"]);
    let output = feed(&mut command, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["findings"], json!([]), "{report}");
    assert_eq!(tree.read(&format!("{folder}/ignored/not.yaml")), OLD);
    report["files"].clone()
}

fn both() -> Value {
    json!(["apps/app.yaml", "ignored/app.yaml"])
}

#[test]
fn each_version_of_the_index() {
    for version in ["2", "3", "4"] {
        let Some(tree) = repository("each_version_of_the_index", &[]) else {
            return;
        };
        must(&tree, "main", &["update-index", "--index-version", version]);
        if version == "3" {
            // Git writes it only where an entry needs it.
            tree.write("main/new.txt", "");
            must(&tree, "main", &["add", "-N", "new.txt"]);
        }
        let index = fs::read(tree.at("main/.git/index")).expect("an index");
        assert_eq!(index[7].to_string(), version);
        assert_eq!(edited(&tree, "main", &[]), both(), "{version}");
    }
}

#[test]
fn an_index_of_sha_256() {
    let test = "an_index_of_sha_256";
    let Some(tree) = repository(test, &["--object-format=sha256"]) else {
        return;
    };
    must(&tree, "main", &["update-index", "--split-index"]);
    assert_eq!(edited(&tree, "main", &[]), both());
}

#[test]
fn a_split_index() {
    for version in ["2", "4"] {
        let Some(tree) = repository("a_split_index", &[]) else {
            return;
        };
        must(&tree, "main", &["update-index", "--index-version", version]);
        must(
            &tree,
            "main",
            &["config", "splitIndex.maxPercentChange", "100"],
        );
        must(&tree, "main", &["update-index", "--split-index"]);
        // One that changes, one that goes, and new ones.
        tree.write("main/zz/more.txt", "y\n");
        must(&tree, "main", &["add", "zz/more.txt"]);
        must(&tree, "main", &["rm", "-q", "--cached", "apps/app.yaml"]);
        tree.write("main/ignored/z.yaml", OLD);
        must(&tree, "main", &["add", "-f", "ignored/z.yaml"]);
        let names = tree.names();
        let shared = names.iter().filter(|name| name.contains("sharedindex."));
        assert_eq!(shared.count(), 1, "{names:?}");
        assert_eq!(
            edited(&tree, "main", &[]),
            json!(["apps/app.yaml", "ignored/app.yaml", "ignored/z.yaml"]),
            "{version}"
        );
        // The patch is for what git stores, and tells the same entries.
        must(&tree, "main", &["add", "-f", "apps", "ignored/app.yaml"]);
        let untracked = tree.read("main/ignored/not.yaml");
        assert_eq!(untracked, OLD);
    }
}

#[test]
fn a_split_index_whose_shared_part_is_gone_is_said() {
    let test = "a_split_index_whose_shared_part_is_gone_is_said";
    let Some(tree) = repository(test, &[]) else {
        return;
    };
    must(&tree, "main", &["update-index", "--split-index"]);
    let names = tree.names();
    let shared = names.iter().find(|name| name.contains("sharedindex."));
    fs::remove_file(tree.at(shared.expect("a shared index"))).expect("ours");
    let report = tree.report(&["main"]);
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "unusable-file", "{report}");
    let message = finding["message"].as_str().expect("a message");
    assert!(message.contains("which files are tracked is not known"));
    assert_eq!(report["files"], json!(["main/apps/app.yaml"]));
}

#[test]
fn a_sparse_index() {
    let Some(tree) = repository("a_sparse_index", &[]) else {
        return;
    };
    tree.write("main/away/deep/app.yaml", OLD);
    must(&tree, "main", &["add", "-f", "away"]);
    must(&tree, "main", &["commit", "-q", "-m", "y"]);
    for arguments in [
        &["sparse-checkout", "init", "--cone", "--sparse-index"][..],
        &["sparse-checkout", "set", "flux", "apps", "ignored"],
    ] {
        must(&tree, "main", arguments);
    }
    assert!(!tree.at("main/away").exists());
    let index = fs::read(tree.at("main/.git/index")).expect("an index");
    assert!(index.windows(4).any(|bytes| bytes == b"sdir"));
    assert_eq!(edited(&tree, "main", &[]), both());
}

/// A file that git is told to leave alone is still one of the repository: Flux's
/// clone has it.
#[test]
fn what_git_does_not_look_at_is_still_tracked() {
    for flag in ["--skip-worktree", "--assume-unchanged"] {
        let test = "what_git_does_not_look_at_is_still_tracked";
        let Some(tree) = repository(test, &[]) else {
            return;
        };
        must(&tree, "main", &["update-index", flag, "ignored/app.yaml"]);
        assert_eq!(edited(&tree, "main", &[]), both(), "{flag}");
    }
}

#[test]
fn linked_work_trees_and_submodules() {
    let Some(tree) = repository("linked_work_trees_and_submodules", &[]) else {
        return;
    };
    must(
        &tree,
        "main",
        &["worktree", "add", "-q", "-b", "two", "../two"],
    );
    assert_eq!(edited(&tree, "two", &[]), both());
    fs::create_dir(tree.at("outer")).expect("a folder");
    must(&tree, "outer", &["init", "-q"]);
    must(
        &tree,
        "outer",
        &["submodule", "--quiet", "add", "../main", "in"],
    );
    assert_eq!(edited(&tree, "outer/in", &[]), both());
}

/// git's own folder and the work tree may lie apart.
#[test]
fn what_the_environment_names() {
    let Some(tree) = repository("what_the_environment_names", &[]) else {
        return;
    };
    fs::rename(tree.at("main/.git"), tree.at("apart")).expect("moved");
    // Without a word, it is a folder of files, and nothing is ignored there.
    tree.write("main/ignored/not.yaml", OLD);
    let report = tree.report(&["--dry-run", "main"]);
    assert_eq!(report["files"].as_array().expect("files").len(), 3);
    assert_eq!(edited(&tree, "main", &[("GIT_DIR", "../apart")]), both());

    tree.write("main/apps/app.yaml", OLD);
    tree.write("main/ignored/app.yaml", OLD);
    let apart = tree.at("apart");
    let main = tree.at("main");
    let [apart, main] = [&apart, &main].map(|path| path.to_str().expect("UTF-8"));
    let mut command = flux_image();
    command
        .current_dir(tree.path())
        .env("GIT_DIR", apart)
        .env("GIT_WORK_TREE", main)
        .args(["update", "main", "-o", "json"]);
    let output = feed(&mut command, b"");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(
        report["files"],
        json!(["main/apps/app.yaml", "main/ignored/app.yaml"]),
        "{}",
        stderr(&output)
    );

    // Or its configuration names the work tree.
    must(&tree, "apart", &["config", "core.worktree", "../main"]);
    tree.write("main/apps/app.yaml", OLD);
    tree.write("main/ignored/app.yaml", OLD);
    assert_eq!(edited(&tree, "main", &[("GIT_DIR", "../apart")]), both());

    // A folder that is none names nothing.
    fs::rename(tree.at("apart"), tree.at("main/.git")).expect("moved");
    tree.write("main/apps/app.yaml", OLD);
    tree.write("main/ignored/app.yaml", OLD);
    assert_eq!(edited(&tree, "main", &[("GIT_DIR", "flux")]), both());
}

/// Two PATHs may be known by one folder of git's, which is locked once.
#[test]
fn two_work_trees_of_one_repository() {
    let Some(tree) = repository("two_work_trees_of_one_repository", &[]) else {
        return;
    };
    must(&tree, "main", &["worktree", "add", "-q", "../two"]);
    let mut command = flux_image();
    command
        .current_dir(tree.at("main"))
        .env("GIT_WORK_TREE", tree.at("two"))
        .args([
            "update",
            "--offline",
            "../two/apps",
            "../main",
            "-o",
            "json",
        ]);
    let output = feed(&mut command, b"");
    assert!(!stderr(&output).contains("waiting"), "{}", stderr(&output));
    assert_eq!(
        tree.read("two/apps/app.yaml"),
        tree.read("main/apps/app.yaml")
    );
}

/// `git commit -a` gives its hooks an index of their own.
#[test]
fn in_a_hook() {
    let Some(tree) = repository("in_a_hook", &[]) else {
        return;
    };
    let hook = tree.at("main/.git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().expect("a parent")).expect("a folder");
    let script = format!(
        "#!/bin/sh\nexec '{}' update . --diff > ../seen 2>&1\n",
        env!("CARGO_BIN_EXE_flux-image")
    );
    fs::write(&hook, script).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&hook, mode).expect("ours");
    tree.write("main/zz/more.txt", "y\n");
    must(&tree, "main", &["commit", "-q", "-a", "-m", "y"]);
    let seen = tree.read("seen");
    assert!(seen.contains("+++ b/ignored/app.yaml"), "{seen}");
    assert!(!seen.contains("warning"), "{seen}");
}

/// A hook of a plain `git commit` is told a relative one, and may go elsewhere.
#[test]
fn a_relative_index_counts_from_the_top() {
    let Some(tree) = repository("a_relative_index_counts_from_the_top", &[]) else {
        return;
    };
    let report = |index: &str| {
        let mut command = flux_image();
        command
            .current_dir(tree.at("main/apps"))
            .env("GIT_INDEX_FILE", index)
            .args(["update", "..", "--dry-run", "-o", "json"]);
        let output = feed(&mut command, b"");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        report
    };
    let found = report(".git/index");
    assert_eq!(
        found["changes"].as_array().expect("changes").len(),
        2,
        "{found}"
    );
    assert_eq!(found["findings"], json!([]));
    // One that is not there is no empty one.
    let found = report("../.git/index");
    assert_eq!(found["findings"][0]["code"], "unusable-file", "{found}");
}

/// As of a linked work tree that was mounted without its repository.
#[test]
fn a_git_file_that_leads_nowhere_is_said() {
    let test = "a_git_file_that_leads_nowhere_is_said";
    let Some(tree) = repository(test, &[]) else {
        return;
    };
    fs::rename(tree.at("main/.git"), tree.at("real")).expect("moved");
    tree.write("main/.git", "gitdir: /nonexistent/worktrees/two\n");
    let report = tree.report(&["--dry-run", "main"]);
    let finding = &report["findings"][0];
    assert_eq!(finding["file"], "main/.git", "{report}");
    let message = finding["message"].as_str().expect("a message");
    assert!(message.contains("leads to no repository"), "{message}");

    // `.git` may be a link to such a file, too.
    tree.write("file", "gitdir: ../real\n");
    fs::remove_file(tree.at("main/.git")).expect("ours");
    std::os::unix::fs::symlink("../file", tree.at("main/.git")).expect("a link");
    assert_eq!(edited(&tree, "main", &[]), both());
}

/// The remotes may stand in a file that the configuration includes.
#[test]
fn an_included_configuration_names_the_remotes() {
    let test = "an_included_configuration_names_the_remotes";
    let Some(tree) = repository(test, &[]) else {
        return;
    };
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: repo, namespace: flux-system}\nspec: {url: 'https://git.example/acme/fleet', interval: 1m}\n";
    tree.write("main/flux/source.yaml", source);
    tree.write("main/flux/auto.yaml", &automation("auto", "./apps", ""));
    tree.write(
        "main/.git/remotes.inc",
        "[remote \"origin\"]\n\turl = git@git.example:acme/other.git\n",
    );
    must(&tree, "main", &["config", "include.path", "remotes.inc"]);
    let update = || crate::run_in(&tree.at("main"), &["update"], b"");
    let output = update();
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("acme/fleet"), "{said}");
    tree.write(
        "main/.git/remotes.inc",
        "[url \"git@git.example:\"]\n\tinsteadOf = acme:\n[remote \"origin\"]\n\turl = acme:acme/fleet.git\n",
    );
    let output = update();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("main/apps/app.yaml"), NEW);
}
