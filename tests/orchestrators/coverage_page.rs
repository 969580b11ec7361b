//! `flux-image coverage`: its page in a real browser, and what several clusters see.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Story;
use crate::services;
use crate::world::{Tool, Tree, World};

pub fn stories() -> Vec<Story> {
    vec![
        Story::new("coverage::page_in_chromium", &[Tool::Chromium], page),
        Story::new(
            "coverage::page_of_two_clusters",
            &[Tool::Chromium, Tool::Kustomize],
            page_of_clusters,
        ),
        Story::new("coverage::of_two_clusters", &[Tool::Kustomize], clusters),
    ]
}

/// Chromium by its names, and the Python that drives it.
pub fn browser() -> Option<(PathBuf, PathBuf)> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let browser = names.into_iter().find_map(services::program)?;
    let python = Path::new(services::ROOT).join("target/services/python");
    let libraries = fs::read_dir(python.join("lib")).ok()?.flatten();
    let mut libraries = libraries.map(|entry| entry.path().join("site-packages/playwright"));
    let has_driver = libraries.any(|folder| folder.is_dir());
    has_driver.then(|| (browser, python.join("bin/python")))
}

const POLICIES: &str = r"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: 1.x}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: frozen, namespace: flux-system}
spec:
  suspend: true
  imageRepositoryRef: {name: app}
  policy: {semver: {range: 1.x}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
  git: {commit: {author: {email: flux@acme.example}}}
  update: {path: ./apps, strategy: Setters}
";

const TAGS: &str = r"apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
    - {image: ghcr.io/acme/app, tags: [1.2.3, 1.3.0, 1.4.0]}
";

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: "</script><img src=x onerror=alert(1)>"}
spec:
  template:
    spec:
      containers:
      - image: ghcr.io/acme/app:1.2.3 # {"$imagepolicy": "flux-system:app"}
      - image: ghcr.io/acme/app:1.2.3 # {"$imagepolicy": "flux-system:frozen"}
      - image: ghcr.io/acme/app:1.2.3 # {"$imagepolicy": "flux-system:gone"}
      - image: ghcr.io/acme/web:1.2.3@sha256:0000000000000000000000000000000000000000000000000000000000000000
      - image: nginx:1.27.3 # flux-image: exclude <b onclick="alert(1)">'of ours'</b>
      - image: ghcr.io/acme/a-service-with-a-long-name/and-a-path-that-does-not-end/for-a-long-time
"#;

/// As it is opened from a file: by people with and without JavaScript.
fn page(world: &World) {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (".tags", TAGS),
        ("flux/policies.yaml", POLICIES),
        ("apps/a\"b'<b>c.yaml", DEPLOYMENT),
        ("elsewhere/web.yaml", DEPLOYMENT),
        ("build/Dockerfile", "FROM golang:1.25.3\nFROM debian\n"),
    ]);
    let arguments = ["coverage", "--policies", ".tags", "-o", "html"];
    let ran = world.run(tree.path(), "flux-image", &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    open(world, &tree, &ran.stdout, "tree");
}

/// The same with a column for clusters.
fn page_of_clusters(world: &World) {
    let tree = fleet();
    let arguments = [
        "coverage",
        "--policies",
        ".tags",
        "-o",
        "html",
        "--cluster-path",
        "clusters/prod",
        "--cluster-path",
        "clusters/test",
    ];
    let ran = world.run(tree.path(), "flux-image", &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    open(world, &tree, &ran.stdout, "clusters");
}

/// Opens a page in the browser, which is to find what it should of this kind.
fn open(world: &World, tree: &Tree, page: &str, kind: &str) {
    let (browser, python) = browser().expect("Chromium");
    tree.write(".page.html", page);
    // For people to look at.
    let shots = Path::new(services::ROOT).join("target/coverage-page");
    fs::create_dir_all(&shots).expect("a folder");
    let script = Path::new(services::ROOT).join("tests/orchestrators/coverage_page.py");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let page = tree.at(".page.html");
    let arguments = [&*script, &*browser, &*page, &*shots].map(text);
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.push(kind);
    let ran = world.run(tree.path(), &text(&python), &arguments);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

/// A repository of two clusters, of which the second has its automation suspended.
fn fleet() -> Tree {
    let sync = |name: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: flux-system, namespace: flux-system}}\nspec: {{interval: 1h, prune: true, path: ./clusters/{name}, sourceRef: {{kind: GitRepository, name: flux-system}}}}\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: flux-system, namespace: flux-system}}\nspec: {{interval: 1h, url: 'https://git.example/fleet'}}\n"
        )
    };
    let suspended = POLICIES.replace("  sourceRef:", "  suspend: true\n  sourceRef:");
    Tree::new(&[
        (".git/HEAD", ""),
        (".tags", TAGS),
        ("clusters/prod/flux-system/sync.yaml", &sync("prod")),
        ("clusters/prod/policies.yaml", POLICIES),
        ("clusters/test/flux-system/sync.yaml", &sync("test")),
        ("clusters/test/policies.yaml", &suspended),
        ("apps/web.yaml", DEPLOYMENT),
    ])
}

/// An image that one cluster updates and another does not is automated; which does it is told.
fn clusters(world: &World) {
    let tree = fleet();
    let with = |paths: &[&str]| -> Value {
        let mut arguments = vec!["coverage", "apps", "--policies", ".tags", "-o", "json"];
        arguments.extend(paths.iter().flat_map(|path| ["--cluster-path", *path]));
        let ran = world.run(tree.path(), "flux-image", &arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let both = with(&["clusters/prod", "clusters/test"]);
    let first = &both["items"][0];
    assert_eq!(first["state"], "automated", "{both}");
    assert_eq!(
        first["by"],
        serde_json::json!([{"policy": "flux-system:app", "automation": "flux-system:all", "cluster": "clusters/prod"}])
    );
    assert_eq!(both["items"].as_array().map(Vec::len), Some(6));
    assert_eq!(both["items"][2]["state"], "dead-marker");
    let held = with(&["clusters/test"]);
    assert_eq!(held["items"][0]["state"], "held");
    assert_eq!(held["items"][0]["by"][0]["cluster"], "clusters/test");
    // What one cluster does not know, the other may.
    let others = POLICIES.replace("{name: app,", "{name: other,");
    tree.write("clusters/test/policies.yaml", &others);
    let lint = |paths: &[&str]| -> String {
        let mut arguments = vec!["lint", "apps", "--policies", ".tags", "-o", "json"];
        arguments.extend(paths.iter().flat_map(|path| ["--cluster-path", *path]));
        let ran = world.run(tree.path(), "flux-image", &arguments);
        assert!(ran.code < Some(2), "{}{}", ran.stderr, ran.stdout);
        ran.stdout
    };
    let is_unknown = |told: &str| told.contains("no ImagePolicy `flux-system:app` is known");
    assert!(is_unknown(&lint(&["clusters/test"])));
    let both = lint(&["clusters/prod", "clusters/test"]);
    assert!(!both.contains("`flux-system:app` is"), "{both}");
}
