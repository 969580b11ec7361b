//! `kpt fn eval`, `kpt fn render` and `kpt fn source | flux-image | kpt fn sink`.

use crate::Story;
use crate::kustomize::{DEPLOYMENT, FLUX};
use crate::world::{Tool, Tree, World};

const KPTFILE: &str = "# about this package
apiVersion: kpt.dev/v1
kind: Kptfile
metadata:
  name: app # its name
info:
  description: an example
";

/// A package whose pipeline runs the function as a program.
fn package(pipeline: &str) -> Tree {
    Tree::new(&[
        ("Kptfile", &format!("{KPTFILE}{pipeline}")),
        ("deploy.yaml", DEPLOYMENT),
        ("flux.yaml", FLUX),
    ])
}

const EXEC: &str = "pipeline:\n  mutators:\n  - exec: flux-image\n";

pub fn stories() -> Vec<Story> {
    let story =
        |name: &str, run: fn(&World)| Story::new(&format!("kpt::{name}"), &[Tool::Kpt], run);
    vec![
        story("eval", eval),
        story("render", render),
        story("every_option_as_a_string", every_option_as_a_string),
        story("source_and_sink", source_and_sink),
        story("errors_are_shown", errors_are_shown),
    ]
}

#[track_caller]
fn is_updated(tree: &Tree) {
    assert_eq!(
        tree.read("deploy.yaml"),
        DEPLOYMENT.replace("app:1.0.0", "app:1.10.0")
    );
    assert_eq!(tree.read("flux.yaml"), FLUX);
}

fn eval(world: &World) {
    let tree = package("");
    for _ in 0..2 {
        let ran = world.run(
            tree.path(),
            "kpt",
            &["fn", "eval", "--exec", "flux-image", "."],
        );
        ran.ok();
        is_updated(&tree);
        assert_eq!(tree.read("Kptfile"), KPTFILE);
    }
}

fn render(world: &World) {
    let tree = package(EXEC);
    let ran = world.run(tree.path(), "kpt", &["fn", "render", "--allow-exec", "."]);
    let shown = "[info] apps/v1/Deployment/app spec.template.spec.containers[0].image: `ghcr.io/acme/app:1.0.0` set to `ghcr.io/acme/app:1.10.0` by policy `flux-system:app`";
    assert!(ran.stderr.contains(shown), "{}", ran.stderr);
    ran.ok();
    is_updated(&tree);
    assert_eq!(tree.read("Kptfile"), format!("{KPTFILE}{EXEC}"));
    let again = world.run(tree.path(), "kpt", &["fn", "render", "--allow-exec", "."]);
    assert!(!again.stderr.contains("Results"), "{}", again.stderr);
    is_updated(&tree);
}

/// A ConfigMap holds strings alone; every option can be said so.
fn every_option_as_a_string(world: &World) {
    let options = r#"    configMap:
      mode: Update
      emit: All
      tagsFrom: Snapshot, Status
      bind: Images
      imageFields: |
        - {group: example.org, kind: Thing, path: spec.runner.image}
      bindings: |
        - policy: flux-system:app:tag
          target: {kind: Thing, name: thing}
          field: spec.version
      policySelector: |
        matchLabels: {team: web}
      onUnresolved: Warn
      keepPolicies: "true"
      repositories: |
        - metadata: {name: app, namespace: flux-system}
          spec: {image: ghcr.io/acme/app}
      policies: |
        - metadata: {name: app, namespace: flux-system, labels: {team: web}}
          spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: 1.x}}}
      snapshots: |
        - spec: {repositories: [{image: ghcr.io/acme/app, tags: [1.0.0, 1.10.0]}]}
"#;
    let thing = "apiVersion: example.org/v1\nkind: Thing\nmetadata:\n  name: thing\nspec:\n  version: 1.0.0\n  runner:\n    image: ghcr.io/acme/app:1.0.0\n";
    let tree = package(&format!("{EXEC}{options}"));
    std::fs::remove_file(tree.at("flux.yaml")).expect("it is there");
    tree.write("thing.yaml", thing);
    world
        .run(tree.path(), "kpt", &["fn", "render", "--allow-exec", "."])
        .ok();
    assert_eq!(tree.read("thing.yaml"), thing.replace("1.0.0", "1.10.0"));
    assert_eq!(
        tree.read("deploy.yaml"),
        DEPLOYMENT.replace("app:1.0.0", "app:1.10.0")
    );
}

fn source_and_sink(world: &World) {
    let tree = package("");
    let script = "kpt fn source . | flux-image | kpt fn sink out";
    world.shell(tree.path(), script).ok();
    assert_eq!(
        tree.read("out/deploy.yaml"),
        DEPLOYMENT.replace("app:1.0.0", "app:1.10.0")
    );
    assert_eq!(tree.read("out/flux.yaml"), FLUX);
    assert_eq!(tree.read("out/Kptfile"), KPTFILE);
    assert_eq!(tree.read("deploy.yaml"), DEPLOYMENT);
}

/// Nothing is lost where the function fails.
fn errors_are_shown(world: &World) {
    let tree = package(EXEC);
    tree.write("flux.yaml", &FLUX.replace("'>=1.0.0'", "'>=9'"));
    let ran = world.run(tree.path(), "kpt", &["fn", "render", "--allow-exec", "."]);
    let said = ran.fails();
    assert!(
        said.contains("ImagePolicy `flux-system:app` gives no image"),
        "{said}"
    );
    assert_eq!(tree.read("deploy.yaml"), DEPLOYMENT);
    assert_eq!(tree.read("Kptfile"), format!("{KPTFILE}{EXEC}"));
}
