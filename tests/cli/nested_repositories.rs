//! Submodules and other repositories in a work tree: no commit of this one could
//! hold what is edited there, and Flux does not see it.

use std::fs;

use crate::git_layouts;
use crate::support::{code, skipped, stderr};
use crate::update::NEW;
use crate::update::OLD;
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;
use crate::update::codes;

/// Whether git did what it was told, in a folder of the tree.
fn git(tree: &Tree, folder: &str, arguments: &[&str]) -> bool {
    git_layouts::git(tree, folder, arguments).is_ok_and(|output| output.status.success())
}

fn others(report: &serde_json::Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings");
    let others = findings
        .iter()
        .filter(|finding| finding["code"] == "other-repository");
    others
        .map(|finding| {
            assert_eq!(finding["severity"], "info");
            finding["file"].as_str().expect("a folder")
        })
        .collect()
}

#[test]
fn a_clone_or_work_tree_inside_is_left_alone_and_named_once() {
    let other = POLICY.replace("1.2.0", "9.9.9");
    let tree = Tree::with_policy(&[
        ("clone/.git/HEAD", "ref: refs/heads/main\n"),
        ("clone/app.yaml", OLD),
        // Its documents would contradict those of this repository.
        ("clone/policy.yaml", &other),
        ("clone/deeper/.git", "gitdir: ../.git/modules/deeper\n"),
        ("work/tree/.git", "gitdir: ../../.git/worktrees/tree\n"),
        ("work/tree/app.yaml", OLD),
        // Bare, so only a folder of files.
        ("bare.git/HEAD", "ref: refs/heads/main\n"),
        ("bare.git/objects/x.yaml", OLD),
        ("ignored/.git/HEAD", ""),
        ("ignored/app.yaml", OLD),
        (".gitignore", "ignored\n"),
    ]);
    for arguments in [vec!["--strict", "."], vec!["--strict", "apps", "bare.git"]] {
        let report = tree.report(&arguments);
        assert_eq!(others(&report), ["clone", "work/tree"], "{arguments:?}");
        assert_eq!(codes(&report).len(), 2, "{report}");
    }
    assert_eq!(tree.read("clone/app.yaml"), OLD);
    assert_eq!(tree.read("work/tree/app.yaml"), OLD);
    assert_eq!(tree.read("ignored/app.yaml"), OLD);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    assert_eq!(tree.read("bare.git/objects/x.yaml"), NEW);
    // In there it is the repository.
    let report = tree.report(&["clone"]);
    assert_eq!(others(&report), ["clone/deeper"]);
    assert_eq!(tree.read("clone/app.yaml"), OLD.replace("1.0.0", "9.9.9"));
}

/// To git, a `.git` that leads nowhere is not there.
#[test]
fn a_dangling_link_makes_no_repository() {
    let tree = Tree::with_policy(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("sub/app.yaml", OLD),
    ]);
    std::os::unix::fs::symlink("nowhere", tree.at("sub/.git")).expect("a link");
    let report = tree.report(&["."]);
    assert_eq!(others(&report), [""; 0], "{report}");
    assert_eq!(tree.read("sub/app.yaml"), NEW);
}

/// A repository `main` with a submodule `vendor/charts`; `None` where git is missing.
fn with_submodule(test: &str) -> Option<Tree> {
    let tree = Tree::new(&[
        ("charts/app.yaml", OLD),
        ("charts/policy.yaml", POLICY),
        ("main/flux/policy.yaml", POLICY),
        ("main/apps/app.yaml", OLD),
    ]);
    let add = ["submodule", "--quiet", "add", "../charts", "vendor/charts"];
    let done = git(&tree, "charts", &["init", "-q", "-b", "main"])
        && git(&tree, "charts", &["add", "."])
        && git(&tree, "charts", &["commit", "-q", "-m", "x"])
        && git(&tree, "main", &["init", "-q", "-b", "main"])
        && git(&tree, "main", &add)
        && git(&tree, "main", &["add", "."])
        && git(&tree, "main", &["commit", "-q", "-m", "x"]);
    if !done {
        skipped(test, "no git");
    }
    done.then_some(tree)
}

#[test]
fn submodules_are_known_from_the_index() {
    let Some(tree) = with_submodule("submodules_are_known_from_the_index") else {
        return;
    };
    let at = |name: &str| tree.read(&format!("main/{name}"));
    let report = tree.report(&["main"]);
    assert_eq!(others(&report), ["main/vendor/charts"]);
    assert_eq!(report["files"], serde_json::json!(["main/apps/app.yaml"]));
    assert_eq!(at("vendor/charts/app.yaml"), OLD);

    // Named, it is a repository of its own: `.git` is a file there.
    let report = tree.report(&["main/vendor/charts"]);
    assert_eq!(
        report["files"],
        serde_json::json!(["main/vendor/charts/app.yaml"])
    );
    assert_eq!(at("vendor/charts/app.yaml"), NEW);
    assert!(others(&report).is_empty());

    // What is left of a submodule that is not checked out is still none of this
    // repository's files, also where it is named.
    let gone = git(
        &tree,
        "main",
        &["submodule", "--quiet", "deinit", "-f", "vendor/charts"],
    );
    assert!(gone);
    tree.write("main/vendor/charts/left.yaml", OLD);
    for path in ["main", "main/vendor/charts", "main/vendor/charts/left.yaml"] {
        let report = tree.report(&[path]);
        assert_eq!(others(&report).len(), 1, "{path}: {report}");
        assert_eq!(at("vendor/charts/left.yaml"), OLD, "{path}");
    }
    let output = crate::run_in(&tree.at("main/vendor/charts"), &["update", "."], b"");
    let said = stderr(&output);
    assert!(said.contains("at .\n"), "{said}");
    assert!(said.contains("`git submodule update --init`"), "{said}");
    assert_eq!(at("vendor/charts/left.yaml"), OLD);

    // An automation cannot reach into it.
    tree.write(
        "main/flux/auto.yaml",
        &automation("auto", "./vendor/charts", ""),
    );
    let output = crate::run_in(&tree.at("main"), &["update"], b"");
    let said = stderr(&output);
    let expected = "its update.path `./vendor/charts` is in another repository, `vendor/charts`";
    // No other edits anything, so that this is an error.
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_linked_work_tree_has_an_index_of_its_own() {
    let Some(tree) = with_submodule("a_linked_work_tree_has_an_index_of_its_own") else {
        return;
    };
    assert!(git(
        &tree,
        "main",
        &["worktree", "add", "-q", "-b", "two", "../two"]
    ));
    tree.write("two/apps/app.yaml", OLD);
    tree.write("two/.gitignore", "apps\n");
    tree.write("two/vendor/charts/left.yaml", OLD);
    let report = tree.report(&["two"]);
    assert_eq!(others(&report), ["two/vendor/charts"], "{report}");
    assert_eq!(
        tree.read("two/apps/app.yaml"),
        NEW,
        "tracked, and so never ignored"
    );
}

/// Git lists what it tracks, whatever has become a repository since.
#[test]
fn tracked_files_count_in_a_folder_that_became_a_repository() {
    let tree = Tree::new(&[("flux/policy.yaml", POLICY), ("sub/app.yaml", OLD)]);
    if !(git(&tree, ".", &["init", "-q"]) && git(&tree, ".", &["add", "."])) {
        skipped(
            "tracked_files_count_in_a_folder_that_became_a_repository",
            "no git",
        );
        return;
    }
    fs::create_dir(tree.at("sub/.git")).expect("a folder");
    tree.write("sub/untracked.yaml", OLD);
    let report = tree.report(&["."]);
    assert_eq!(report["files"], serde_json::json!(["sub/app.yaml"]));
    assert_eq!(others(&report), ["sub"]);
    // A folder that became a link is no longer what is tracked.
    let outside = Tree::new(&[("app.yaml", OLD)]);
    fs::rename(tree.at("sub"), tree.at("moved")).expect("moved");
    tree.link(outside.path().to_str().expect("UTF-8"), "sub");
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(outside.read("app.yaml"), OLD);
}

/// Where there is no repository, there is no commit that could not hold them.
#[test]
fn in_a_folder_of_clones_all_are_edited() {
    let tree = Tree::new(&[
        ("one/.git/HEAD", ""),
        ("one/policy.yaml", POLICY),
        ("two/.git/HEAD", ""),
        ("two/app.yaml", OLD),
    ]);
    let report = tree.report(&["."]);
    assert_eq!(report["files"], serde_json::json!(["two/app.yaml"]));
    assert!(others(&report).is_empty());
}
