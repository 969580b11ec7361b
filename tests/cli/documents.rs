//! Documents as the API server would hold them: with its defaults, without nulls,
//! and not at all where it refuses them.

use crate::run_in;
use crate::support::{code, stderr};
use crate::update::NEW;
use crate::update::OLD;
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;
use crate::update::codes;

const SNAPSHOT: &str = r"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, interval: 5m}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
  - image: ghcr.io/acme/app
    tags: [1.0.0, 1.2.0]
";

/// A policy whose image comes from tags.
fn undecided() -> String {
    let (policy, _) = POLICY.split_once("status:").expect("a status");
    policy.to_owned()
}

/// The CRD's defaults (`config/crd/bases` of image-automation-controller): no
/// `update` at all stands in Flux's own documentation.
#[test]
fn a_strategy_is_filled_in() {
    let usual = automation("all", "./apps", "");
    let whole = "  update: {strategy: Setters, path: './apps'}\n";
    assert!(usual.contains(whole), "{usual}");
    for update in [
        "  update: {path: ./apps}\n",
        "  update:\n    path: ./apps\n    strategy: null\n",
        "  update: {}\n",
        "  update: null\n",
        "  update:\n    # all of it\n",
        "  update:",
        "",
    ] {
        let tree = Tree::with_policy(&[("flux/all.yaml", &usual.replace(whole, update))]);
        let report = tree.report(&["--strict"]);
        assert_eq!(codes(&report), [] as [&str; 0], "{update}");
        assert_eq!(tree.read("apps/app.yaml"), NEW, "{update}");
    }
    for version in ["v1beta2", "v1beta1", "v1alpha2", "v1alpha1"] {
        let old = usual
            .replace(whole, "")
            .replace("fluxcd.io/v1", &format!("fluxcd.io/{version}"));
        let tree = Tree::with_policy(&[("flux/all.yaml", &old)]);
        assert_eq!(codes(&tree.report(&[])), ["old-version"]);
        assert_eq!(tree.read("apps/app.yaml"), NEW, "{version}");
    }
    // Nothing is filled into what is not there, and the API server takes no
    // other word.
    let (head, _) = usual.split_once("spec:").expect("a spec");
    let empty = usual.replace("Setters", "''");
    for text in [head, &format!("{head}spec: null\n"), &empty] {
        let tree = Tree::with_policy(&[("flux/all.yaml", text)]);
        let output = tree.update(&[]);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("no update strategy"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_null_is_absent() {
    let policy = POLICY
        .replace(
            "labels: {team: web}",
            "labels:\n    # team: web\n  annotations: ~",
        )
        .replace(
            "spec:\n",
            "spec:\n  suspend: null\n  filterTags:\n  interval: NULL\n",
        )
        .replace("status:\n", "status:\n  latestImage: null\n");
    let all = automation("all", "./apps", "  suspend: null\n  policySelector: ~\n")
        .replace("git: {commit:", "git: {push: null, checkout: ~, commit:");
    let tree = Tree::with_policy(&[("flux/policy.yaml", &policy), ("flux/all.yaml", &all)]);
    let report = tree.report(&["--strict"]);
    assert_eq!(codes(&report), [] as [&str; 0], "{report:#}");
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    // The same through the function, and inside its configuration.
    let list = format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: flux-image.dev/v1alpha1\n  kind: ImageUpdate\n  metadata: null\n  spec:\n    mode: ~\n    tagsFrom:\n    snapshots: null\n    policies:\n    - {}\nitems:\n- {OLD}\n",
        policy.trim_end().replace('\n', "\n      ")
    );
    let output = run_in(
        tree.path(),
        &["fn", "--strict"],
        list.replace("\r\n", "\n  ").as_bytes(),
    );
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

#[test]
fn a_null_that_is_no_field_is_an_error_at_its_line() {
    let repository = SNAPSHOT.replace("interval: 5m}", "interval: 5m, exclusionList: [null]}");
    let tree = Tree::with_policy(&[
        ("flux/policy.yaml", &undecided()),
        ("flux/r.yaml", &repository),
    ]);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("flux/r.yaml:4:"),
        "{}",
        stderr(&output)
    );
    for name in ["null", "", "~", "''"] {
        let unnamed = POLICY.replace(
            "name: app\n  namespace",
            &format!("name: {name}\n  namespace"),
        );
        let tree = Tree::with_policy(&[("flux/policy.yaml", &unnamed)]);
        let output = tree.update(&["."]);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output)
                .contains("cannot be read: `metadata.name` is missing\n  at flux/policy.yaml:"),
            "{}",
            stderr(&output)
        );
    }
}

/// `signingKey.type` is of image-automation-controller 1.2,
/// `policyChangeDelay` of 1.3.
#[test]
fn fields_of_newer_versions() {
    let signed = |kind: &str| {
        let key = format!("signingKey: {{secretRef: {{name: key}}, type: {kind}}}, author:");
        automation("all", "./apps", "  policyChangeDelay: 30s\n").replace("author:", &key)
    };
    for kind in ["gpg", "ssh", "null"] {
        let tree = Tree::with_policy(&[("flux/all.yaml", &signed(kind))]);
        assert_eq!(codes(&tree.report(&["--strict"])), [] as [&str; 0]);
        assert_eq!(tree.read("apps/app.yaml"), NEW);
    }
    let kind = automation("all", "./apps", "").replace("GitRepository", "OCIRepository");
    for (text, expected) in [
        (
            &signed("pgp"),
            "`spec.git.commit.signingKey.type` is `pgp`, and must be one of: gpg, ssh\n  at flux/all.yaml:7:",
        ),
        (
            &kind,
            "`spec.sourceRef.kind` is `OCIRepository`, and must be one of: GitRepository\n  at flux/all.yaml:6:",
        ),
    ] {
        let tree = Tree::with_policy(&[("flux/all.yaml", text)]);
        let output = tree.update(&[]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

/// The pattern of 1.3: `^$|^[^+:]`
#[test]
fn refspecs_that_newer_versions_refuse() {
    for (refspec, is_said) in [
        ("refs/heads/a:refs/heads/b", false),
        ("", false),
        ("+refs/heads/a:refs/heads/b", true),
        (":refs/heads/b", true),
    ] {
        let push = format!("push: {{branch: a, refspec: '{refspec}'}}, commit:");
        let all = automation("all", "./apps", "").replace("commit:", &push);
        let tree = Tree::with_policy(&[("flux/all.yaml", &all)]);
        let output = tree.update(&["--strict"]);
        assert_eq!(code(&output), i32::from(is_said), "{refspec}");
        assert_eq!(
            stderr(&output).contains("and image-automation-controller 1.3 refuses it"),
            is_said,
            "{}",
            stderr(&output)
        );
        assert_eq!(tree.read("apps/app.yaml"), NEW);
    }
}

/// `IntervalNotConfigured` of image-reflector-controller.
#[test]
fn always_needs_an_interval() {
    let always = |rest: &str| {
        undecided().replace(
            "spec:\n",
            &format!("spec:\n  digestReflectionPolicy: Always\n{rest}"),
        )
    };
    let digest = format!("sha256:{}", "a".repeat(64));
    let snapshot = SNAPSHOT.replace(
        "1.2.0]",
        &format!("1.2.0]\n    digests: {{1.2.0: '{digest}'}}"),
    );
    let tree = Tree::with_policy(&[
        ("flux/policy.yaml", &always("")),
        ("flux/tags.yaml", &snapshot),
    ]);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    let stalled = "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'";
    assert!(
        said.contains(stalled) && said.contains("hint: write `interval`"),
        "{said}"
    );
    assert_eq!(tree.read("apps/app.yaml"), OLD);
    // Who stalls keeps what was chosen before.
    let status = "status:\n  latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}\n";
    tree.write("flux/policy.yaml", &format!("{}{status}", always("")));
    assert_eq!(code(&tree.update(&["."])), 0);
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    tree.write("flux/policy.yaml", &always("  interval: 10m\n"));
    assert_eq!(code(&tree.update(&["."])), 0);
    assert!(
        tree.read("apps/app.yaml")
            .contains(&format!("1.2.0@{digest}"))
    );
}

#[test]
fn a_suspended_repository_stops_the_asking_alone() {
    let suspended = SNAPSHOT.replace("interval: 5m}", "interval: 5m, suspend: true}");
    let tree = Tree::with_policy(&[
        ("flux/policy.yaml", &undecided()),
        ("flux/tags.yaml", &suspended),
    ]);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    // Where nothing is known, that is why.
    let (repository, _) = suspended.split_once("---").expect("two documents");
    tree.write("flux/tags.yaml", repository);
    tree.write("apps/app.yaml", OLD);
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 0);
    let expected = "info: ImagePolicy `flux-system:app` gives no image: its ImageRepository is suspended, and no tags are known";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    // A policy that is wrong stays wrong.
    tree.write("flux/policy.yaml", &undecided().replace("'*'", "nonsense"));
    let output = tree.update(&["."]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("invalid policy"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn labels_that_kubernetes_refuses() {
    let long = "a".repeat(64);
    for (label, expected) in [
        ("team: my team", "`my team` is not a label's value"),
        ("team: -web", "`-web` is not a label's value"),
        (&format!("team: {long}"), "a` is not a label's value"),
        ("my team: web", "`my team` is not a label's name"),
        ("/team: web", "`/team` is not a label's name"),
        (
            "Example.com/team: web",
            "`Example.com/team` is not a label's name",
        ),
    ] {
        let policy = POLICY.replace("team: web", label);
        let tree = Tree::with_policy(&[("flux/policy.yaml", &policy)]);
        let output = tree.update(&["."]);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{label}");
        assert!(said.contains(expected), "{said}");
        assert!(
            said.contains("at flux/policy.yaml:6:") && said.contains("metadata.labels."),
            "{said}"
        );
        assert_eq!(tree.read("apps/app.yaml"), OLD);
    }
    // Fine, or filled in later.
    for label in [
        "team: ''",
        "example.com/team: web_1.2",
        "team: '${team}'",
        "'${a}': b",
    ] {
        let policy = POLICY.replace("team: web", label);
        let tree = Tree::with_policy(&[("flux/policy.yaml", &policy)]);
        let output = tree.update(&["--strict", "."]);
        assert_eq!(code(&output), 0, "{label}: {}", stderr(&output));
    }
}

/// What `metav1.LabelSelectorAsSelector` refuses stalls an automation in Flux.
#[test]
fn selectors_that_kubernetes_refuses() {
    for (selector, expected) in [
        (
            "matchLabels: {team: my team}",
            "`my team` is not a label's value",
        ),
        (
            "matchLabels: {my team: web}",
            "`my team` is not a label's name",
        ),
        (
            "matchExpressions: [{key: team, operator: In, values: [web, a/b]}]",
            "`a/b` is not a label's value",
        ),
        (
            "matchExpressions: [{key: 'a b', operator: Exists}]",
            "`a b` is not a label's name",
        ),
        (
            "matchLabels: {team: '${team}'}",
            "hint: `${…}` is not substituted here: write the value itself",
        ),
    ] {
        let all = automation(
            "all",
            "./apps",
            &format!("  policySelector: {{{selector}}}\n"),
        );
        let tree = Tree::with_policy(&[("flux/all.yaml", &all)]);
        let output = tree.update(&[]);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{selector}");
        assert!(
            said.contains("is left out: policySelector: ") && said.contains(expected),
            "{said}"
        );
    }
}

/// An automation that is there and cannot be read is the message, not that there
/// is none.
#[test]
fn the_only_automation_cannot_be_read() {
    let usual = automation("all", "./apps", "");
    let marked = format!("{usual}# {{\"$imagepolicy\": \"flux-system:app\"}}\nx: [\n");
    for (text, expected) in [
        (
            usual.replace("interval: 1h", "interval: [1h]"),
            "error: ImageUpdateAutomation `all` cannot be read: expected a string\n  at flux/all.yaml:5:",
        ),
        (
            usual.replace("fluxcd.io/v1", "fluxcd.io/v9"),
            "unknown version `image.toolkit.fluxcd.io/v9` of ImageUpdateAutomation",
        ),
        (format!("{usual}x: [\n"), "flux/all.yaml:"),
        (marked, "flux/all.yaml:"),
    ] {
        let tree = Tree::with_policy(&[("flux/all.yaml", &text)]);
        for arguments in [&[] as &[&str], &["--check"]] {
            let output = tree.update(arguments);
            let said = stderr(&output);
            assert_eq!(code(&output), 2, "{said}");
            assert!(said.contains(expected), "{said}");
            assert!(
                !said.contains("no ImageUpdateAutomation was found,"),
                "{said}"
            );
        }
    }
    let tree = Tree::with_policy(&[]);
    let said = stderr(&tree.update(&[]));
    assert!(
        said.contains("no ImageUpdateAutomation was found, and no PATH was given"),
        "{said}"
    );
}

/// What is wrong with documents is said in the order of the files, and last the
/// kustomizations that could not be read.
#[test]
fn findings_come_in_the_order_of_the_files() {
    let old = POLICY.replace("fluxcd.io/v1\n", "fluxcd.io/v1beta2\n");
    let aged = SNAPSHOT.replace(
        "    tags:",
        "    scannedAt: 2020-01-01T00:00:00Z\n    tags:",
    );
    let unplaced = undecided().replace(", namespace: flux-system", "");
    let tree = Tree::new(&[
        ("a.yaml", &old),
        ("b.yaml", "# image.toolkit.fluxcd.io\na: [\n"),
        (
            "c.yaml",
            &(undecided().replace("name: app, ", "name: web, ") + "  more: x\n"),
        ),
        ("d.yaml", &aged),
        ("e.yaml", OLD),
        ("f/g.yaml", &unplaced),
        ("f/kustomization.yaml/x", ""),
    ]);
    let report = tree.report(&["."]);
    let said: Vec<&str> = codes(&report)
        .into_iter()
        .filter(|code| *code != "unused-policy")
        .collect();
    let expected = [
        "old-version",
        "unparsable",
        "unknown-field",
        "old-snapshot",
        "unusable-file",
    ];
    assert_eq!(said, expected, "{report}");
}

/// Without a network no login is shown to anybody, so none is missing.
#[test]
fn offline_nobody_complains_about_logins() {
    let repository = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: app, namespace: flux-system}\nspec: {image: ghcr.io/acme/app, secretRef: {name: gone}, certSecretRef: {name: gone}, serviceAccountName: gone}\n";
    let bare = POLICY.split("status:").next().expect("a document");
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux/policy.yaml", bare),
        ("flux/repository.yaml", repository),
        ("apps/app.yaml", OLD),
    ]);
    let tags = "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: t}\nspec: {repositories: [{image: ghcr.io/acme/app, tags: [1.2.0]}]}\n";
    let without = tree.update(&["--offline", "apps"]);
    assert!(!stderr(&without).contains("gone"), "{}", stderr(&without));
    assert!(
        stderr(&without).contains("no tags are known"),
        "{}",
        stderr(&without)
    );
    tree.write("flux/tags.yaml", tags);
    let output = tree.update(&["--offline", "apps"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output), "changed 1 value in 1 file\n");
}
