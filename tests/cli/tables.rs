//! `flux-image policies`, `repositories` and `automations`: the tables of `flux get`.

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::Tree;

const FLUX: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, exclusionList: ['^old-']}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: idle, namespace: flux-system}
spec: {image: ghcr.io/acme/idle, suspend: true}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system, labels: {team: web}}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: 1.x}}
status:
  latestRef: {name: ghcr.io/acme/app, tag: 1.1.0}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: none, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: 7.x}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: other}
spec:
  imageRepositoryRef: {name: absent}
  policy: {semver: {range: 1.x}}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
    - image: ghcr.io/acme/app
      scannedAt: 2026-11-20T10:00:00Z
      tags: [1.0.0, 1.1.0, 1.2.0, 1.2.1, old-1]
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  git: {commit: {author: {email: flux@example.com}}, push: {branch: main}}
  update: {path: ./apps, strategy: Setters}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: idle, namespace: flux-system}
spec:
  suspend: true
  sourceRef: {kind: GitRepository, name: fleet}
  git: {commit: {author: {email: flux@example.com}}, push: {branch: main}}
  update: {path: ./apps, strategy: Setters}
";

const APP: &str = "\
kind: Deployment
a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
b: ghcr.io/acme/app:1.2.1 # {\"$imagepolicy\": \"flux-system:app\"}
";

fn printed(arguments: &[&str]) -> String {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux.yaml", FLUX),
        ("apps/app.yaml", APP),
    ]);
    let arguments = [arguments, &["--max-age", "87600h"]].concat();
    let output = run_in(tree.path(), &arguments, b"");
    format!(
        "{}{}",
        stdout(&output),
        if code(&output) == 0 {
            String::new()
        } else {
            stderr(&output)
        }
    )
}

#[test]
fn the_columns_are_those_of_flux_get() {
    let expected = "\
NAME  IMAGE             TAG    READY  MESSAGE
app   ghcr.io/acme/app  1.2.1  True   Latest image tag for ghcr.io/acme/app resolved to 1.2.1 (previously ghcr.io/acme/app:1.1.0)
none                           False  unable to determine latest version from provided list
";
    assert_eq!(printed(&["policies"]), expected);
    let expected = "\
NAME  LAST SCAN             SUSPENDED  READY    MESSAGE
app   2026-11-20T10:00:00Z  False      True     successful scan: found 4 tags
idle                        True       Unknown  suspended
";
    assert_eq!(printed(&["repositories"]), expected);
    let expected = "\
NAME  LAST RUN  SUSPENDED  READY    MESSAGE
all             False      True     would change 1 of 2 values
idle            True       Unknown  suspended
";
    assert_eq!(printed(&["automations"]), expected);
}

/// What is not known is not said to be fine.
#[test]
fn an_automation_says_what_it_does_not_know() {
    for (change, said) in [
        (
            ("1.x}}", "8.x}}"),
            "the images of 2 of 2 values are not known",
        ),
        (
            ("path: ./apps", "path: ./nope"),
            "its update.path `./nope` is not in this checkout",
        ),
    ] {
        let flux = FLUX.replacen(change.0, change.1, 1).replace(
            "status:\n  latestRef: {name: ghcr.io/acme/app, tag: 1.1.0}\n",
            "",
        );
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("flux.yaml", &flux),
            ("apps/app.yaml", APP),
        ]);
        let output = run_in(
            tree.path(),
            &["automations", "all", "--max-age", "87600h"],
            b"",
        );
        assert!(
            stdout(&output).contains(said),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
    }
}

#[test]
fn rows_are_chosen_as_flux_get_chooses() {
    let names = |arguments: &[&str]| -> Vec<String> {
        let text = printed(&[arguments, &["-o", "name"]].concat());
        let names = text
            .lines()
            .map(|line| line.rsplit('/').next().unwrap_or(line).to_owned());
        names.collect()
    };
    assert_eq!(names(&["policies"]), ["app", "none"]);
    assert_eq!(names(&["policies", "-A"]), ["app", "none", "app"]);
    assert_eq!(names(&["policies", "-n", "other"]), ["app"]);
    assert_eq!(names(&["policies", "none"]), ["none"]);
    assert_eq!(names(&["policies", "-l", "team in (web,db)"]), ["app"]);
    assert_eq!(names(&["policies", "-l", "!team"]), ["none"]);
    assert_eq!(
        names(&["policies", "--status-selector", "ready=false"]),
        ["none"]
    );
    assert_eq!(
        names(&["policies", "--status-selector", "ready!=false"]),
        ["app"]
    );
    assert_eq!(
        printed(&["repositories", "app", "-o", "name"]),
        "imagerepository.image.toolkit.fluxcd.io/app\n"
    );
    assert!(!printed(&["policies", "--no-header"]).contains("MESSAGE"));
    assert!(printed(&["policies", "-A"]).starts_with("NAMESPACE    NAME"));
    // As Flux does where none has the status.
    assert_eq!(
        printed(&["policies", "--status-selector", "stalled=true"]),
        "NAME  IMAGE  TAG  READY  MESSAGE\n"
    );
    assert_eq!(
        printed(&["repositories", "--status-selector", "READY=false"]),
        "NAME  LAST SCAN  SUSPENDED  READY  MESSAGE\n"
    );
    assert!(printed(&["policies", "--status-selector", "ready"]).contains("`ready=false`"));
    assert_eq!(
        names(&["policies", "-A", "-n", "other"]),
        ["app", "none", "app"]
    );
    let missing = printed(&["policies", "-l", "team=none"]);
    assert!(missing.contains("no ImagePolicy with these labels is known in the namespace"));
    assert!(!printed(&["policies", "-A", "absent"]).contains("hint"));
    let missing = printed(&["policies", "absent"]);
    assert!(missing.contains("no ImagePolicy `absent` is known in the namespace `flux-system`"));
    assert!(printed(&["policies", "-l", "a b"]).contains("is no label selector"));
}

/// Of a tag that the policy does not admit nobody can tell how far it is behind.
#[test]
fn a_tag_of_another_kind_hides_no_other() {
    let app = APP.replace("app:1.2.1", "app:main");
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux.yaml", FLUX),
        ("apps/app.yaml", &app),
    ]);
    let arguments = ["policies", "app", "-o", "json", "--max-age", "87600h"];
    let output = run_in(tree.path(), &arguments, b"");
    let rows: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(rows["items"][0]["behind"], 3, "{rows}");
}

#[test]
fn what_flux_cannot_show_is_wide() {
    let wide = printed(&["policies", "app", "-o", "wide"]);
    assert!(wide.contains("CURRENT       BEHIND  USED IN"), "{wide}");
    assert!(
        wide.contains("1.0.0, 1.2.1  3       apps/app.yaml (2)"),
        "{wide}"
    );
    let rows: Value = serde_json::from_str(&printed(&["policies", "-o", "json"])).expect("JSON");
    assert_eq!(rows["kind"], "ImagePolicyTable");
    assert_eq!(rows["items"][0]["behind"], 3);
    assert_eq!(rows["items"][0]["usedIn"]["apps/app.yaml"], 2);
    let rows: Value = serde_json::from_str(&printed(&["automations", "-o", "json"])).expect("JSON");
    assert_eq!(
        (&rows["items"][0]["values"], &rows["items"][0]["outdated"]),
        (&2.into(), &1.into())
    );
    let yaml = printed(&["repositories", "app", "-o", "yaml"]);
    assert!(yaml.contains("kind: ImageRepositoryTable"), "{yaml}");
    assert!(yaml.contains("flux-system:none"), "{yaml}");
}
