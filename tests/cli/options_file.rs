//! `.flux-image.yaml`: options that commands share.

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::Tree;

const FLUX: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, insecure: true}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: 1.x}}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec: {repositories: [{image: ghcr.io/acme/app, tags: [1.0.0, 1.1.0]}]}
";

const POD: &str = "kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/app:1.0.0\n";

fn options(spec: &str) -> String {
    format!(
        "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata: {{name: options}}\nspec:\n{spec}"
    )
}

fn tree(spec: &str) -> Tree {
    Tree::new(&[
        (".git/HEAD", ""),
        ("flux/app.yaml", FLUX),
        ("apps/pod.yaml", POD),
        (".flux-image.yaml", &options(spec)),
    ])
}

#[test]
fn flags_beat_it_and_it_beats_defaults() {
    let tree = tree("  bind: Images\n");
    let output = run_in(tree.path(), &["update", ".", "--bind", "markers"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/pod.yaml"), POD);
    // From a folder of the tree as well, and said with `-v`.
    let output = run_in(&tree.at("apps"), &["update", ".", "-v"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    let options = tree.at(".flux-image.yaml").canonicalize().expect("a file");
    let options = format!("options of {} count\n", options.display());
    assert_eq!(said.matches(&options).count(), 1, "{said}");
    assert_eq!(tree.read("apps/pod.yaml"), POD.replace("1.0.0", "1.1.0"));
    let output = run_in(&tree.at("apps"), &["update", "."], b"");
    assert!(!stderr(&output).contains("options of"));
}

#[test]
fn findings_and_images_are_left_alone_with_a_reason() {
    let tree = tree(
        "  ignores:\n  - {code: insecure-registry, path: 'flux/*.yaml', reason: on loopback}\n  - {code: downgrade, reason: never here}\n  exclusions:\n  - {image: 'ghcr.io/acme/*', path: apps, reason: by hand}\n",
    );
    for folder in ["", "apps"] {
        let output = run_in(&tree.at(folder), &["lint", "-o", "json"], b"");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["ignored"][0]["reason"], "on loopback", "{report}");
        let findings = report["findings"].to_string();
        assert!(
            findings.contains("unused-ignore") && !findings.contains("insecure"),
            "{report}"
        );
    }
    tree.write("flux/app.yaml", "x: y\n");
    let output = run_in(tree.path(), &["suggest"], b"");
    assert_eq!(stdout(&output), "", "{}", stdout(&output));
    tree.write(
        ".flux-image.yaml",
        &options("  exclusions:\n  - {reason: by hand, until: 2020-01-01}\n"),
    );
    let output = run_in(tree.path(), &["suggest"], b"");
    assert!(
        stdout(&output).contains("kind: ImagePolicy"),
        "{}",
        stderr(&output)
    );
}

/// What is looked at says which options count, not the folder of the run.
#[test]
fn it_is_of_the_work_tree_that_is_looked_at() {
    let excluding = |why: &str| options(&format!("  exclusions: [{{reason: {why}}}]\n"));
    let tree = Tree::new(&[
        ("a/.git/HEAD", ""),
        ("a/.flux-image.yaml", &excluding("of a")),
        ("a/apps/pod.yaml", POD),
        ("b/.git/HEAD", ""),
        ("b/.flux-image.yaml", &excluding("of b")),
        ("b/pod.yaml", POD),
        ("plain/.flux-image.yaml", &excluding("of plain")),
        ("plain/apps/pod.yaml", POD),
    ]);
    for (folder, paths, why) in [
        ("a", &["."][..], "of a"),
        ("a/apps", &["."], "of a"),
        ("a", &["../b"], "of b"),
        ("", &["a/apps", "b"], "of a"),
        ("", &["b/pod.yaml"], "of b"),
        ("plain", &[], "of plain"),
        ("plain", &["apps"], "of plain"),
        ("plain/apps", &[".."], "of plain"),
    ] {
        let arguments = [&["coverage", "-v"][..], paths].concat();
        let output = run_in(&tree.at(folder), &arguments, b"");
        let (table, said) = (stdout(&output), stderr(&output));
        assert!(table.contains(why), "{folder} {paths:?}: {table}{said}");
        assert_eq!(said.matches(" count\n").count(), 1, "{said}");
        let is_left = said.contains("options of b/.flux-image.yaml do not count");
        assert_eq!(is_left, paths.len() == 2, "{said}");
    }
}

/// It is the word of whoever can write to the tree.
#[test]
fn what_it_may_not_say_is_refused() {
    for (spec, said) in [
        ("  mode: Check\n", "takes only `bind`"),
        ("  bind: Origin\n", "for `kustomize build`"),
        (
            "  clusterPaths: [../other]\n",
            "not below the root of the work tree",
        ),
        (
            "  clusterPaths: [/etc]\n",
            "not below the root of the work tree",
        ),
        (
            "  ignores: [{code: x, path: '[', reason: y}]\n",
            "is no glob",
        ),
        ("  exclusions: [{image: x}]\n", "has no `reason`"),
        (
            "  exclusions: [{reason: x, until: soon}]\n",
            ".flux-image.yaml:5:35: ImageUpdate `options` cannot be read: `soon` is no day; write it as 2027-03-31",
        ),
        (
            "  bind: Images\n  excludes: []\n",
            ".flux-image.yaml:6:13: ImageUpdate `options` has an unknown field `spec.excludes`",
        ),
        (
            "  clusterPaths: [nope]\n",
            ".flux-image.yaml: `clusterPaths` has `nope`, which is no folder here",
        ),
        (
            "  repositories: [{metadata: {name: a}, spec: {image: b}}]\n",
            "holds documents",
        ),
        ("  bind: Images\n---\nkind: ConfigMap\n", "one ImageUpdate"),
        ("  bind: [\n", ".flux-image.yaml:"),
    ] {
        let tree = tree(spec);
        for command in ["update", "lint", "suggest", "policies"] {
            let output = run_in(tree.path(), &[command], b"");
            assert_eq!(code(&output), 2, "{command} {spec}: {}", stderr(&output));
            assert!(
                stderr(&output).contains(said),
                "{command} {spec}: {}",
                stderr(&output)
            );
        }
    }
    let tree = tree("  bind: Images\n");
    std::fs::remove_file(tree.at(".flux-image.yaml")).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", tree.at(".flux-image.yaml")).expect("a link");
    let output = run_in(tree.path(), &["lint"], b"");
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

/// The function has its own options, and says so of what counts in the file alone.
#[test]
fn the_function_never_reads_it() {
    let tree = tree("  bind: Images\n");
    let input = format!("{FLUX}---\n{POD}");
    let output = run_in(tree.path(), &["fn"], input.as_bytes());
    assert!(stdout(&output).contains("app:1.0.0"), "{}", stdout(&output));
    let list = |spec: &str| {
        let items = input
            .split("---\n")
            .map(|item| format!("- {}", item.trim_end().replace('\n', "\n  ")));
        let items: Vec<String> = items.collect();
        format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  {}\nitems:\n{}\n",
            options(spec).trim_end().replace('\n', "\n  "),
            items.join("\n")
        )
    };
    let output = run_in(
        tree.path(),
        &["fn"],
        list("  clusterPaths: [a]\n").as_bytes(),
    );
    assert!(
        stdout(&output).contains("`clusterPaths` counts in `.flux-image.yaml` alone"),
        "{}",
        stdout(&output)
    );
    // What lint would find is among the results where that is asked for, and fails nothing.
    let output = run_in(tree.path(), &["fn"], list("  bind: Images\n").as_bytes());
    assert!(!stdout(&output).contains("insecure-registry"));
    let output = run_in(
        tree.path(),
        &["fn"],
        list("  bind: Images\n  lint: true\n").as_bytes(),
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("insecure-registry"),
        "{}",
        stdout(&output)
    );
}
