//! Whose files and policies are whose: repositories by their addresses, two
//! clusters in one tree, markers that are nobody's.

use crate::support::{code, stderr};
use crate::update::NEW;
use crate::update::OLD;
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;
use crate::update::codes;

const SOURCE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: repo, namespace: flux-system}\nspec: {interval: 1h, url: 'URL'}\n";

/// A checkout of `remote` with an automation for `url`.
fn checkout(url: &str, remote: &str) -> Tree {
    let config = format!("[remote \"origin\"]\n\turl = {remote}\n");
    Tree::with_policy(&[
        ("flux/all.yaml", &automation("all", "apps", "")),
        ("flux/source.yaml", &SOURCE.replace("URL", url)),
        (".git/config", &config),
    ])
}

#[test]
fn one_repository_under_two_addresses() {
    for (url, remote) in [
        (
            "ssh://git@ssh.dev.azure.com/v3/acme/infra/fleet",
            "https://acme@dev.azure.com/Acme/infra/_git/fleet",
        ),
        (
            "https://acme.visualstudio.com/infra/_git/fleet",
            "git@ssh.dev.azure.com:v3/acme/infra/fleet",
        ),
        (
            "ssh://git@ssh.github.com:443/acme/fleet",
            "https://github.com/Acme/fleet.git",
        ),
        (
            "ssh://git@altssh.gitlab.com:443/acme/fleet.git",
            "git@gitlab.com:acme/fleet.git",
        ),
        (
            "ssh://git@git.example:7999/acme/fleet.git",
            "https://git.example:8443/scm/ACME/fleet.git",
        ),
    ] {
        let tree = checkout(url, remote);
        let report = tree.report(&["--strict"]);
        assert_eq!(codes(&report), [] as [&str; 0], "{url} {remote}");
        assert_eq!(tree.read("apps/app.yaml"), NEW);
    }
}

/// Nothing was done, and nobody wanted that.
#[test]
fn where_every_automation_is_left_out_the_exit_is_two() {
    let tree = checkout(
        "https://git.example:8443/acme/fleet",
        "https://bot:s3cret@git.example/acme/fleet",
    );
    for arguments in [
        &[] as &[&str],
        &["--check"],
        &["--dry-run"],
        &["-o", "json", "--check"],
    ] {
        let output = tree.update(arguments);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{said}");
        assert!(
            said.contains("error: ImageUpdateAutomation `flux-system:all` is left out: its GitRepository `repo` is git.example:8443/acme/fleet, which is not a remote of this checkout (git.example/acme/fleet)"),
            "{said}"
        );
        assert!(!said.contains("s3cret"));
    }
    assert_eq!(tree.read("apps/app.yaml"), OLD);
    // A second one that is suspended does nothing, either.
    tree.write(
        "flux/more.yaml",
        &automation("more", ".", "  suspend: true\n"),
    );
    assert_eq!(code(&tree.update(&["--check"])), 2);
    // One that runs makes the other a warning.
    let more = automation("more", "apps", "").replace("name: repo", "name: this");
    tree.write("flux/more.yaml", &more);
    let output = tree.update(&["--check"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("warning: ImageUpdateAutomation `flux-system:all` is left out")
    );
    // The PATH is the user's.
    assert_eq!(code(&tree.update(&["."])), 0);
}

/// Somebody wants nothing to be done.
#[test]
fn all_are_suspended() {
    let all = automation("all", "apps", "  suspend: true\n");
    let tree = Tree::with_policy(&[("flux/all.yaml", &all)]);
    let output = tree.update(&["--strict", "--check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), OLD);
}

/// <https://fluxcd.io/flux/guides/repository-structure/#monorepo>, with what
/// `flux bootstrap` writes and image automation in each cluster.
fn monorepo() -> Tree {
    let tree = Tree::new(&[]);
    std::fs::create_dir(tree.at(".git")).expect("a folder");
    for (cluster, version) in [("dev", "1.2.0"), ("prod", "1.1.0")] {
        let at = |name: &str| format!("clusters/{cluster}/flux-system/{name}");
        tree.write(
            &at("kustomization.yaml"),
            "namespace: flux-system\nresources: [images.yaml, automation.yaml, gotk-sync.yaml]\n",
        );
        let bare = POLICY.replace("  namespace: flux-system\n", "");
        tree.write(&at("images.yaml"), &bare.replace("1.2.0", version));
        let all = automation("flux-system", &format!("./apps/{cluster}"), "");
        tree.write(
            &at("automation.yaml"),
            &all.replace(", namespace: flux-system", ""),
        );
        let sync = SOURCE.replace("URL", "ssh://git@git.example/acme/fleet");
        tree.write(
            &at("gotk-sync.yaml"),
            &sync.replace("1h", if cluster == "dev" { "1m" } else { "1h" }),
        );
        // What does not matter to anybody who looks for documents.
        tree.write(&at("chart/templates/app.yaml"), "{{ if }}\na: {{ x }\n");
        tree.write(&format!("apps/{cluster}/app.yaml"), OLD);
    }
    tree
}

#[test]
fn two_clusters_in_one_tree() {
    let tree = monorepo();
    let hint = "hint: if they are of two clusters, name the folder of the one to update: `--policies clusters/dev`, or `--policies clusters/prod`";
    let output = tree.update(&[]);
    let said = stderr(&output);
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.contains("is left out: a different one of this name stands at clusters/dev/flux-system/automation.yaml:1:1"), "{said}");
    assert!(said.contains(hint), "{said}");
    let output = tree.update(&["."]);
    let said = stderr(&output);
    assert_eq!(code(&output), 2, "{said}");
    assert!(
        said.contains("two different ImagePolicies have this name") && said.contains(hint),
        "{said}"
    );
    // And it does work, from any folder.
    let output = tree.update(&["--strict", "--policies", "clusters/dev"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/dev/app.yaml"), NEW);
    assert_eq!(tree.read("apps/prod/app.yaml"), OLD);
    let folder = tree.at("clusters");
    let output = crate::run_in(&folder, &["update", "--strict", "--policies", "prod"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        tree.read("apps/prod/app.yaml"),
        NEW.replace("1.2.0", "1.1.0")
    );
    assert_eq!(tree.read("apps/dev/app.yaml"), NEW);
}

#[test]
fn a_marker_that_no_automation_comes_to() {
    let far = POLICY.replace("namespace: flux-system", "namespace: far");
    let api = POLICY
        .replace("name: app\n", "name: api\n")
        .replace("team: web", "team: api");
    let marked = |policy: &str| OLD.replace("flux-system:app", policy);
    let selecting = automation(
        "web",
        "./apps",
        "  policySelector: {matchLabels: {team: web}}\n",
    );
    let tree = Tree::with_policy(&[
        ("flux/far.yaml", &far),
        ("flux/api.yaml", &api),
        ("flux/web.yaml", &selecting),
        ("apps/api.yaml", &marked("flux-system:api")),
        ("apps/far.yaml", &marked("far:app")),
        ("infra/app.yaml", &format!("{OLD}\n---\n{OLD}")),
        ("infra/notes.md", OLD),
        ("infra/unknown.yaml", &marked("flux-system:unknown")),
    ]);
    let output = tree.update(&["--strict"]);
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    for expected in [
        "warning: ImagePolicy `far:app` is marked here, and no ImageUpdateAutomation comes here with it: `flux-system:web` takes the policies of its own namespace alone\n  at apps/far.yaml:1:4",
        "  hint: add an ImageUpdateAutomation to the namespace `far`, or name the PATH to update",
        "warning: ImagePolicy `flux-system:api` is marked here, and no ImageUpdateAutomation comes here with it: the `policySelector` of `flux-system:web` does not select it\n  at apps/api.yaml:1:4",
        "warning: ImagePolicy `flux-system:app` is marked at 2 places, the first of them here, and no ImageUpdateAutomation comes here with it: `flux-system:web` updates `./apps` alone\n  at infra/app.yaml:1:4",
        "  hint: widen its `update.path`, or name the PATH to update",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert_eq!(
        said.matches("no ImageUpdateAutomation comes here").count(),
        3,
        "{said}"
    );
    // Where the user names the PATH, no automation counts.
    assert_eq!(codes(&tree.report(&["--dry-run", "apps"])), [] as [&str; 0]);
    // A second automation comes there; suspended, it was said.
    for more in ["", "  suspend: true\n"] {
        tree.write("flux/infra.yaml", &automation("infra", "infra", more));
        let output = tree.update(&["--dry-run"]);
        assert!(
            !stderr(&output).contains("`flux-system:app` is marked"),
            "{}",
            stderr(&output)
        );
    }
    // Where it comes to another folder, it does not help.
    tree.write(
        "flux/infra.yaml",
        &automation("infra", "infrastructure", "  suspend: true\n"),
    );
    let output = tree.update(&["--dry-run"]);
    assert!(
        stderr(&output)
            .contains("`flux-system:web` updates `./apps` alone; `flux-system:infra` is suspended"),
        "{}",
        stderr(&output)
    );
}

/// All markers are out of reach: that is said, and not that there are none.
#[test]
fn no_marker_is_reached() {
    let tree = Tree::with_policy(&[
        ("flux/all.yaml", &automation("all", "other", "")),
        ("other/fine.yaml", "a: b\n"),
        ("apps/second.yaml", "a: 1\n"),
    ]);
    let report = tree.report(&[]);
    assert_eq!(codes(&report), ["unreached-marker"]);
    assert_eq!(code(&tree.update(&["--check"])), 0);
    assert_eq!(code(&tree.update(&["--check", "--strict"])), 1);
    assert_eq!(tree.read("apps/app.yaml"), OLD);
}

/// A policy that only a build gives a namespace: no automation selects it as it lies,
/// so that nobody can say that its values are current.
#[test]
fn a_policy_that_no_automation_selects_is_no_green_check() {
    let bare = POLICY.replace("  namespace: flux-system\n", "");
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux/policy.yaml", &bare),
        ("flux/automation.yaml", &automation("auto", "./apps", "")),
        ("apps/app.yaml", OLD),
    ]);
    let output = tree.update(&["--check"]);
    let said = stderr(&output);
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.contains("--cluster-path DIR"), "{said}");
    // What a build says of it counts.
    let given = ["--check", "--policies", "whole.txt"];
    tree.write("whole.txt", POLICY);
    assert_eq!(code(&tree.update(&given)), 1);
    let alone = [&given[..], &["--no-tree-documents", "apps"]].concat();
    assert_eq!(code(&tree.update(&alone)), 1);
    let output = tree.update(&["--check", "--policies", "whole.txt", "--no-tree-documents"]);
    assert_eq!(code(&output), 2, "no automation is among them");
}

/// A marker of a policy that nobody knows, and one in a file that cannot be read: a run
/// that edits warns of them, and one that judges has not judged them.
#[test]
fn what_nobody_can_judge_is_no_green_check() {
    let current = NEW;
    let unknown = OLD.replace("flux-system:app", "flux-system:gone");
    let broken = format!("a: [\n{OLD}");
    let bogus = OLD.replace("flux-system:app", "flux-system:app:bogus");
    let zero = format!("{OLD}\0");
    for text in [&unknown, &broken, &bogus, &zero] {
        let tree = Tree::with_policy(&[
            ("flux/all.yaml", &automation("all", "apps", "")),
            ("apps/app.yaml", current),
            ("apps/second.yaml", text),
            ("elsewhere/third.yaml", text),
        ]);
        let output = tree.update(&["--dry-run"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let output = tree.update(&["--check"]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{}", stderr(&output));
        // Where no automation comes, nothing is asked.
        tree.write("apps/second.yaml", "a: b\n");
        let output = tree.update(&["--check"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}
