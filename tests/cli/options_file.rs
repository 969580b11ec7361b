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
    assert!(
        stderr(&output).contains("options of .flux-image.yaml count"),
        "{}",
        stderr(&output)
    );
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
            ".flux-image.yaml:5",
        ),
        ("  excludes: []\n", "unknown field `spec.excludes`"),
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
