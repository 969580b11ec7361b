//! Changes of policies as clusters see them: tests of them, and what they do.

use serde_json::Value;

use crate::Story;
use crate::world::{Tool, Tree, World};

pub fn stories() -> Vec<Story> {
    let story = |name: &str, needs: &[Tool], run: fn(&World)| {
        Story::new(&format!("policy_changes::{name}"), needs, run)
    };
    let kustomize = &[Tool::Kustomize];
    vec![
        story("a_test_for_each_cluster", kustomize, a_test_for_each),
        story("clusters_are_compared", kustomize, clusters_are_compared),
        story(
            "commits_are_compared_as_clusters_see_them",
            &[Tool::Kustomize, Tool::Git],
            commits_are_compared,
        ),
    ]
}

const BOTH: [&str; 4] = [
    "--cluster-path",
    "clusters/prod",
    "--cluster-path",
    "clusters/staging",
];

const BASE: &str = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: '${RANGE}'}}
";

const TAGS: &str = "apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec: {repositories: [{image: ghcr.io/acme/app, tags: [1.0.0, 1.1.0, 2.0.0]}]}
";

/// A Kustomization of a cluster that builds `images` with a range.
fn kustomization(range: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: images, namespace: flux-system}}
spec:
  path: ./images
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  postBuild: {{substitute: {{RANGE: '{range}'}}}}
"
    )
}

/// What `flux bootstrap --path` writes.
fn sync(cluster: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: flux-system, namespace: flux-system}}
spec: {{url: 'ssh://git@git.acme.example/fleet'}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: flux-system, namespace: flux-system}}
spec:
  path: ./clusters/{cluster}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
"
    )
}

/// Two clusters that give one policy two ranges.
fn fleet() -> Tree {
    Tree::new(&[
        (".git/HEAD", ""),
        ("clusters/prod/images.yaml", &kustomization("1.0.x")),
        ("clusters/staging/images.yaml", &kustomization("1.x")),
        ("clusters/prod/flux-system/gotk-sync.yaml", &sync("prod")),
        (
            "clusters/staging/flux-system/gotk-sync.yaml",
            &sync("staging"),
        ),
        ("images/app.yaml", BASE),
        (".tags", TAGS),
        (
            "tests/app.yaml",
            "apiVersion: flux-image.dev/v1alpha1
kind: ImagePolicyTest
metadata: {name: no-major}
spec: {policy: app, tags: [1.0.0, 1.1.0, 2.0.0], expect: {tag: 1.1.0}, never: ['/^2/']}
",
        ),
    ])
}

fn a_test_for_each(world: &World) {
    let tree = fleet();
    let ran = world.run(tree.path(), "flux-image", &[&["test"][..], &BOTH].concat());
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        ran.stdout,
        "FAILED  tests/app.yaml:1:1  no-major (clusters/prod): `1.0.0` is chosen in place of `1.1.0`, which is out of the range: `1.0.x`\n\
         ok      tests/app.yaml:1:1  no-major (clusters/staging)\n"
    );
    // Found without being told: the documents are parts.
    let found = world.run(tree.path(), "flux-image", &["test"]);
    assert_eq!(found.stdout, ran.stdout, "{}", found.stderr);
    // One cluster alone, and one that does not see the policy.
    let one = ["test", "--cluster-path", "clusters/staging"];
    world.run(tree.path(), "flux-image", &one).ok();
    tree.write(
        "clusters/prod/images.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
    );
    let ran = world.run(tree.path(), "flux-image", &[&["test"][..], &BOTH].concat());
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stderr);
    assert_eq!(ran.code, Some(0));
    // What the clusters choose differs, so one is to be named.
    let tree = fleet();
    let record = ["test", "--record", "app", "--policies", ".tags"];
    let ran = world.run(tree.path(), "flux-image", &[&record[..], &BOTH].concat());
    assert!(ran.fails().contains("the clusters do not choose alike"));
    let ran = world.run(
        tree.path(),
        "flux-image",
        &[&record[..], &BOTH[..2]].concat(),
    );
    tree.write("tests/app.yaml", &ran.ok());
    let ran = world.run(
        tree.path(),
        "flux-image",
        &[&["test"][..], &BOTH[..2]].concat(),
    );
    assert!(
        ran.ok()
            .starts_with("ok      tests/app.yaml:1:1  flux-system/app")
    );
}

fn compared(world: &World, tree: &Tree, before: &str, after: &str, more: &[&str]) -> Vec<Value> {
    let arguments = [
        "compare",
        before,
        after,
        "--policies",
        ".tags",
        "-o",
        "json",
    ];
    let ran = world.run(tree.path(), "flux-image", &[&arguments[..], more].concat());
    let all: Value = serde_json::from_str(&ran.ok()).expect("JSON");
    all["items"].as_array().expect("items").clone()
}

/// What each cluster had and gets, by its name.
fn told(items: &[Value]) -> Vec<String> {
    let policies = items.iter().flat_map(|one| {
        let cluster = one["cluster"].as_str().unwrap_or("-");
        let policies = one["policies"].as_array().expect("policies").iter();
        policies.map(move |policy| {
            let image = |side: &str| policy[side]["image"].as_str().unwrap_or("-");
            format!(
                "{cluster} {} {} {}",
                policy["effect"].as_str().expect("an effect"),
                image("before"),
                image("after")
            )
        })
    });
    policies.collect()
}

fn clusters_are_compared(world: &World) {
    let (before, after) = (fleet(), fleet());
    let both = Tree::new(&[(".tags", TAGS)]);
    for (name, tree) in [("before", &before), ("after", &after)] {
        for file in [
            "clusters/prod/images.yaml",
            "clusters/staging/images.yaml",
            "images/app.yaml",
        ] {
            both.write(&format!("{name}/{file}"), &tree.read(file));
        }
    }
    both.write(
        "after/clusters/staging/images.yaml",
        &kustomization("1.x || 2.x"),
    );
    both.write("after/clusters/new/images.yaml", &kustomization("1.x"));
    let expected = "clusters/staging differs ghcr.io/acme/app:1.1.0 ghcr.io/acme/app:2.0.0";
    let items = compared(world, &both, "before", "after", &BOTH);
    assert_eq!(told(&items), [expected]);
    assert_eq!(items.len(), 2);
    // What cannot be built is not gone.
    let good = both.read("after/clusters/prod/images.yaml");
    both.write("after/clusters/prod/images.yaml", &kustomization(">=1.0.0"));
    let arguments = ["compare", "before", "after", "--policies", ".tags"];
    let ran = world.run(both.path(), "flux-image", &[&arguments[..], &BOTH].concat());
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stdout
            .contains("flux-system:app of cluster clusters/prod: cannot be compared"),
        "{}",
        ran.stdout
    );
    both.write("after/clusters/prod/images.yaml", &good);
    // A cluster that one of them has alone.
    let more = [&BOTH[..], &["--cluster-path", "clusters/new"]].concat();
    let items = compared(world, &both, "before", "after", &more);
    let added = "clusters/new added - ghcr.io/acme/app:1.1.0";
    assert_eq!(told(&items), [expected, added]);
    let items = compared(world, &both, "after", "before", &more);
    assert_eq!(
        told(&items)[1],
        "clusters/new removed ghcr.io/acme/app:1.1.0 -"
    );
}

fn commits_are_compared(world: &World) {
    let tree = fleet();
    let git = "rm -r .git && git init -q -b main && git add -A && git commit -qm one";
    world.shell(tree.path(), git).ok();
    tree.write("clusters/prod/images.yaml", &kustomization("1.x"));
    let items = compared(world, &tree, "git:main", ".", &BOTH);
    assert_eq!(
        told(&items),
        ["clusters/prod differs ghcr.io/acme/app:1.0.0 ghcr.io/acme/app:1.1.0"]
    );
    // Found without being told, in both.
    assert_eq!(
        told(&compared(world, &tree, "git:main", ".", &[])),
        told(&items)
    );
    // Named by options, which each side is to have of its own.
    tree.write(
        ".flux-image.yaml",
        "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata: {name: options}\nspec: {clusterPaths: [clusters/prod]}\n",
    );
    assert_eq!(
        told(&compared(world, &tree, "git:main", ".", &[])),
        told(&items)
    );
}
