//! `flux-image coverage`: every image of a tree, its state, and what is said of it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run_in;
use crate::support::{code, skipped, stderr, stdout};
use crate::update::Tree;

const FLUX: &str = r"apiVersion: image.toolkit.fluxcd.io/v1
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
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
    - image: ghcr.io/acme/app
      scannedAt: 2026-11-20T10:00:00Z
      tags: [1.2.3, 1.3.0, 1.4.0, 2.0.0, latest]
    - image: ghcr.io/acme/other
      scannedAt: 2026-11-20T10:00:00Z
      tags: [v0.9.0, v1.0.0, v1.1.0, v1.1.0-rc.1]
";

const AUTOMATION: &str = r"---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  git: {commit: {author: {email: flux@example.com}}}
  update: {path: ./apps, strategy: Setters}
";

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn tree(files: &[(&str, &str)]) -> Tree {
    let flux = format!("{FLUX}{AUTOMATION}");
    let tree = Tree::new(&[(".git/HEAD", ""), ("flux/app.yaml", &flux)]);
    for (name, text) in files {
        tree.write(name, text);
    }
    tree
}

const AGE: [&str; 2] = ["--max-age", "87600h"];

fn covered(folder: &Path, arguments: &[&str]) -> Value {
    let arguments = [&["coverage", "-o", "json"], arguments, &AGE].concat();
    let output = run_in(folder, &arguments, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The items as `line:column field kind name:tag@digest`.
fn listed(coverage: &Value) -> Vec<String> {
    let items = coverage["items"].as_array().expect("items").iter();
    let line = |item: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let image = &item["image"];
        let part = |key: &str, before: &str| match image[key].as_str() {
            Some(text) => format!("{before}{text}"),
            None => String::new(),
        };
        format!(
            "{}:{} {} {} {}{}{}",
            item["line"],
            item["column"],
            text(&item["field"]),
            text(&item["kind"]),
            text(&image["name"]),
            part("tag", ":"),
            part("digest", "@").replace(DIGEST, "DIGEST"),
        )
    };
    items.map(line).collect()
}

/// State and words of the items, by line.
fn states(coverage: &Value) -> Vec<(u64, String, String)> {
    let items = coverage["items"].as_array().expect("items").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items
        .map(|item| {
            let line = item["line"].as_u64().expect("a line");
            (line, text(&item["state"]), text(&item["why"]))
        })
        .collect()
}

/// What is found in one file.
fn found_in(name: &str, text: &str) -> Vec<String> {
    let tree = Tree::new(&[(".git/HEAD", ""), (name, text)]);
    listed(&covered(tree.path(), &[]))
}

#[test]
fn images_of_workloads_and_of_what_looks_like_them() {
    let text = format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec:
  template:
    spec:
      initContainers:
      - {{name: a, image: busybox}}
      containers:
      - name: b
        image: ghcr.io/acme/app:1.2.3@{DIGEST}
        env:
        - {{name: SIDECAR_IMAGE, value: ghcr.io/acme/side:1.0.0}}
        - {{name: OTHER, value: ghcr.io/acme/none:1.0.0}}
      volumes:
      - {{name: v, image: {{reference: ghcr.io/acme/data:3, pullPolicy: Always}}}}
---
apiVersion: acme.example/v1
kind: Thing
spec:
  image: {{repository: ghcr.io/acme/thing, tag: 2.1.0}}
  proxyImage: ghcr.io/acme/proxy:1.1.1
  backgroundImage: sky/day
  image2: ghcr.io/acme/none:1.0.0
  icon: {{image: a.png}}
  other: {{image: true}}
---
- {{op: replace, path: /spec/template/spec/containers/0/image, value: ghcr.io/acme/patched:1.0.0}}
"
    );
    assert_eq!(
        found_in("apps/app.yaml", &text),
        [
            "8:26 spec.template.spec.initContainers[0].image image busybox",
            "11:16 spec.template.spec.containers[0].image image ghcr.io/acme/app:1.2.3@DIGEST",
            "13:40 spec.template.spec.containers[0].env[0].value image ghcr.io/acme/side:1.0.0",
            "16:38 spec.template.spec.volumes[0].image.reference image ghcr.io/acme/data:3",
            "21:48 spec.image.tag image ghcr.io/acme/thing:2.1.0",
            "22:15 spec.proxyImage image ghcr.io/acme/proxy:1.1.1",
            "28:70 [0].value image ghcr.io/acme/patched:1.0.0",
        ]
    );
}

#[test]
fn values_of_charts() {
    let text = format!(
        "\
controller:
  image:
    registry: registry.example
    repository: team/app
    tag: 1.2.3
    digest: {DIGEST}
worker:
  image: {{repository: ghcr.io/acme/worker, tag: \"\"}}
only:
  image: {{tag: v4}}
plain:
  image: ghcr.io/acme/plain
  imageTag: 5.6.7
legacy: {{imageName: ghcr.io/acme/legacy:1.0.1}}
split: {{imageRegistry: registry.example, imageRepository: a/b, imageTag: 1.1.1}}
inside: {{image: {{repository: ghcr.io/acme/in, tag: '1.0@{DIGEST}'}}}}
git: {{repository: 'https://git.example/a', tag: v1}}
log: {{name: access, tag: kube}}
sum: {{image: {{repository: ghcr.io/acme/sum, digest: '{DIGEST}'}}}}
"
    );
    assert_eq!(
        found_in("charts/values.yaml", &text),
        [
            "5:10 controller.image.tag image registry.example/team/app:1.2.3@DIGEST",
            "10:16 only.image.tag image :v4",
            "13:13 plain.imageTag image ghcr.io/acme/plain:5.6.7",
            "14:21 legacy.imageName image ghcr.io/acme/legacy:1.0.1",
            "15:74 split.imageTag image registry.example/a/b:1.1.1",
            "16:52 inside.image.tag image ghcr.io/acme/in:1.0@DIGEST",
            "19:53 sum.image.digest image ghcr.io/acme/sum@DIGEST",
        ]
    );
}

/// As charts are often written: `name: &app web`, and `*app` for the keys below.
#[test]
fn keys_that_are_aliases_are_what_they_stand_for() {
    let text = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: &app web}
spec:
  values:
    controllers:
      *app :
        containers:
          *app :
            image: {repository: ghcr.io/acme/web, tag: 1.2.3}
    more: {*app : {image: ghcr.io/acme/more:1.0.0}}
";
    assert_eq!(
        found_in("apps/web.yaml", text),
        [
            "10:56 spec.values.controllers.web.containers.web.image.tag image ghcr.io/acme/web:1.2.3",
            "11:27 spec.values.more.web.image image ghcr.io/acme/more:1.0.0",
        ]
    );
}

/// Whether a pattern is one can be told without tags, as of a range.
#[test]
fn a_policy_that_flux_stalls_on_holds_its_images() {
    let tree = tree(&[(
        "apps/web.yaml",
        &deployment("- image: ghcr.io/acme/app:1.2.3 # {\"$imagepolicy\": \"flux-system:app\"}"),
    )]);
    let flux = format!("{FLUX}{AUTOMATION}").replacen(
        "  imageRepositoryRef: {name: app}\n",
        "  imageRepositoryRef: {name: app}\n  filterTags: {pattern: '('}\n",
        1,
    );
    let flux = flux.replace(
        "ghcr.io/acme/app\n      scanned",
        "ghcr.io/acme/none\n      scanned",
    );
    tree.write("flux/app.yaml", &flux);
    let coverage = covered(tree.path(), &["apps", "--offline"]);
    let [(_, state, why)] = states(&coverage).try_into().expect("one");
    assert_eq!(state, "held", "{why}");
    assert!(
        why.contains("invalid regular expression pattern '('"),
        "{why}"
    );
    let arguments = ["policies", "app", "--offline"];
    let table = stdout(&run_in(tree.path(), &arguments, b""));
    assert!(table.contains("False  failed to filter tags"), "{table}");
}

#[test]
fn kustomizations_of_every_kind() {
    let text = format!(
        "\
images:
- {{name: app, newName: ghcr.io/acme/app, newTag: 1.2.3}}
- {{name: nginx, newTag: '1.27'}}
- {{name: redis, digest: '{DIGEST}', newTag: 7.4.1}}
- {{name: only, newName: ghcr.io/acme/only}}
configMapGenerator:
- name: c
  literals: [APP_IMAGE=ghcr.io/acme/lit:1.0.0, PORT=ghcr.io/acme/none:1.0.0]
helmCharts:
- {{name: podinfo, repo: 'oci://ghcr.io/acme/charts', version: 6.7.1}}
"
    );
    assert_eq!(
        found_in("apps/kustomization.yaml", &text),
        [
            "2:50 images[0].newTag image ghcr.io/acme/app:1.2.3",
            "3:25 images[1].newTag image nginx:1.27",
            "4:108 images[2].newTag image redis:7.4.1@DIGEST",
            "8:14 configMapGenerator[0].literals[0] image ghcr.io/acme/lit:1.0.0",
            "10:63 helmCharts[0].version chart ghcr.io/acme/charts/podinfo:6.7.1",
        ]
    );
    let flux = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps}
spec: {images: [{name: app, newTag: 1.2.3}]}
";
    assert_eq!(
        found_in("clusters/apps.yaml", flux),
        ["4:37 spec.images[0].newTag image app:1.2.3"]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn charts_and_artifacts() {
    let text = format!(
        "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: a, namespace: apps}}
spec:
  chart:
    spec:
      chart: podinfo
      version: 6.7.1
      sourceRef: {{kind: HelmRepository, name: oci}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: b}}
spec:
  chart: {{spec: {{chart: nginx, sourceRef: {{kind: HelmRepository, name: web}}}}}}
  values: {{image: {{repository: nginx, tag: 1.27.3}}}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: c}}
spec: {{chart: {{spec: {{chart: ./charts/c, version: 1.0.0, sourceRef: {{kind: GitRepository, name: x}}}}}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {{name: d}}
spec: {{chart: d, version: '>=1', sourceRef: {{kind: HelmRepository, name: web}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: oci}}
spec: {{type: oci, url: 'oci://ghcr.io/acme/charts'}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: web}}
spec: {{url: 'https://charts.example'}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: e}}
spec: {{url: 'oci://ghcr.io/acme/e', ref: {{tag: 1.0.0, semver: 1.x, digest: '{DIGEST}'}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: f}}
spec: {{url: 'oci://ghcr.io/acme/f', ref: {{tag: 1.0.0, semver: 1.x}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: g}}
spec: {{url: 'oci://ghcr.io/acme/g'}}
"
    );
    let tree = Tree::new(&[(".git/HEAD", ""), ("charts.yaml", &text)]);
    let coverage = covered(tree.path(), &[]);
    assert_eq!(
        listed(&coverage),
        [
            "8:16 spec.chart.spec.version chart ghcr.io/acme/charts/podinfo:6.7.1",
            "15:25 spec.chart.spec.chart chart nginx",
            "16:44 spec.values.image.tag image nginx:1.27.3",
            "26:27 spec.version chart d:>=1",
            "41:76 spec.ref.digest artifact ghcr.io/acme/e:1.0.0@DIGEST",
            "46:63 spec.ref.semver artifact ghcr.io/acme/f:1.x",
            "51:13 spec.url artifact ghcr.io/acme/g",
        ]
    );
    assert_eq!(
        coverage["items"][0]["image"]["from"],
        "oci://ghcr.io/acme/charts"
    );
    assert_eq!(
        coverage["items"][1]["image"]["from"],
        "https://charts.example"
    );
    let states = states(&coverage);
    let states: Vec<(&str, &str)> = states
        .iter()
        .map(|(_, state, why)| (state.as_str(), why.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("forgotten", ""),
            (
                "mutable",
                "no version is written: the newest is taken, unless a patch sets one"
            ),
            ("forgotten", ""),
            ("mutable", "a range of versions"),
            ("pinned", ""),
            ("mutable", "a range of versions"),
            (
                "mutable",
                "no tag is written: `latest` is taken, unless a kustomization sets one"
            ),
        ]
    );
    let chart = "\
apiVersion: v2
name: umbrella
version: 0.1.0
dependencies:
- {name: redis, version: 20.1.0, repository: 'oci://registry.example/charts'}
- {name: here, version: 0.1.0, repository: 'file://../here'}
";
    assert_eq!(
        found_in("charts/umbrella/Chart.yaml", chart),
        ["5:26 dependencies[0].version chart registry.example/charts/redis:20.1.0"]
    );
}

#[test]
fn applications_of_argo_cd() {
    let text = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec:
  sources:
  - chart: podinfo
    repoURL: ghcr.io/acme/charts
    targetRevision: 6.7.1
    helm:
      parameters:
      - {name: image.repository, value: ghcr.io/acme/app}
      - {name: image.tag, value: 1.2.3}
      - {name: sidecar.image, value: 'ghcr.io/acme/side:1.0.0'}
      - {name: log.tag, value: x}
      valuesObject: {db: {image: {repository: postgres, tag: '16'}}}
  - repoURL: https://git.example/x
    targetRevision: v1.0.0
    kustomize: {images: ['app=ghcr.io/acme/fork:1.0.0', 'nginx:1.27.3']}
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: b}
spec:
  template:
    spec:
      source: {chart: b, repoURL: 'https://charts.example', targetRevision: 1.*}
      other: {image: '{{image}}'}
";
    assert_eq!(
        found_in("argo.yaml", text),
        [
            "8:21 spec.sources[0].targetRevision chart ghcr.io/acme/charts/podinfo:6.7.1",
            "12:34 spec.sources[0].helm.parameters[1].value image ghcr.io/acme/app:1.2.3",
            "13:38 spec.sources[0].helm.parameters[2].value image ghcr.io/acme/side:1.0.0",
            "15:62 spec.sources[0].helm.valuesObject.db.image.tag image postgres:16",
            "18:26 spec.sources[1].kustomize.images[0] image ghcr.io/acme/fork:1.0.0",
            "18:57 spec.sources[1].kustomize.images[1] image nginx:1.27.3",
            "26:77 spec.template.spec.source.targetRevision chart b:1.*",
        ]
    );
}

#[test]
fn what_a_dockerfile_does_not_name() {
    let text =
        "\u{feff}FROM golang:1.25.3 AS build\nFROM s AS a\nADD --from=ghcr.io/acme/x:1 a b\n";
    let tree = Tree::new(&[(".git/HEAD", ""), ("Dockerfile", text)]);
    let coverage = covered(tree.path(), &[]);
    assert_eq!(listed(&coverage), ["1:6 FROM base image golang:1.25.3"]);
    let left_out = coverage["leftOut"].as_array().expect("a list");
    assert_eq!(left_out.len(), 1, "{coverage}");
    assert_eq!(left_out[0]["why"], "no name of an image");
}

#[test]
fn yaml_in_a_block_has_the_lines_of_its_file() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data:
  values.yaml: |

    # flux-image: exclude not ours
    image: {repository: ghcr.io/acme/app, tag: 1.2.3}
    other:
      image: ghcr.io/acme/other:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
  notes.txt: |
    image: ghcr.io/acme/none:1.0.0
  folded.yaml: >
    image: ghcr.io/acme/none:1.0.0
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
patches:
- target: {kind: Deployment}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{image: ghcr.io/acme/web:2.0.0}]}}}
- patch: |
    - op: replace
      path: /spec/template/spec/containers/0/image
      value: ghcr.io/acme/side:3.0.0
- patch: |
    apiVersion: v1
    kind: Secret
    metadata: {name: s}
    stringData: {image: ghcr.io/acme/none:1.0.0}
";
    let tree = tree(&[("apps/values.yaml", text)]);
    let coverage = covered(tree.path(), &["apps"]);
    assert_eq!(
        listed(&coverage),
        [
            "8:48 data.values.yaml: image.tag image ghcr.io/acme/app:1.2.3",
            "10:14 data.values.yaml: other.image image ghcr.io/acme/other:1.0.0",
            "24:51 patches[0].patch: spec.template.spec.containers[0].image image ghcr.io/acme/web:2.0.0",
            "28:14 patches[1].patch: [0].value image ghcr.io/acme/side:3.0.0",
        ]
    );
    let states = states(&coverage);
    let states: Vec<&str> = states.iter().map(|(_, state, _)| state.as_str()).collect();
    assert_eq!(
        states,
        ["excluded", "dead-marker", "forgotten", "forgotten"]
    );
    let kinds: Vec<&Value> = (0..4)
        .map(|number| &coverage["items"][number]["resource"]["kind"])
        .collect();
    let expected = ["ConfigMap", "ConfigMap", "Deployment", "Kustomization"];
    assert_eq!(kinds, expected);
}

#[test]
fn dockerfiles_are_looked_at_by_who_asks_for_images() {
    let tree = tree(&[
        (
            "build/Dockerfile",
            "ARG GO=1.25.3\nFROM golang:${GO} AS build\n# flux-image: exclude rebuilt each night\nFROM gcr.io/distroless/static\nCOPY --from=build /a /a\nCOPY --from=ghcr.io/acme/tool:1.2.3 /t /t\nFROM ${BASE}\n",
        ),
        ("build/Containerfile.dev", "FROM alpine\n"),
        ("build/web.Dockerfile", "FROM nginx:1.27.3\n"),
        ("build/Dockerfile.dockerignore", "FROM none:1.0.0\n"),
        ("ignored/Dockerfile", "FROM none:1.0.0\n"),
        (".gitignore", "ignored/\n"),
        ("apps/a.yaml", "a: 1\n"),
    ]);
    tree.link("build/Dockerfile", "Dockerfile.link");
    let coverage = covered(tree.path(), &["build"]);
    assert_eq!(
        listed(&coverage),
        [
            "1:6 FROM base image alpine",
            "2:6 FROM base image golang:1.25.3",
            "4:6 FROM base image gcr.io/distroless/static",
            "6:13 COPY --from base image ghcr.io/acme/tool:1.2.3",
            "1:6 FROM base image nginx:1.27.3",
        ]
    );
    let states = states(&coverage);
    let states: Vec<&str> = states.iter().map(|(_, state, _)| state.as_str()).collect();
    let expected = ["mutable", "forgotten", "excluded", "forgotten", "forgotten"];
    assert_eq!(states, expected);
    assert_eq!(coverage["leftOut"][0]["line"], 7);
    // Whether it is named, or found.
    let whole = covered(tree.path(), &[]);
    assert_eq!(whole["items"].as_array().map(Vec::len), Some(5));
    let named = covered(tree.path(), &["build/web.Dockerfile"]);
    assert_eq!(listed(&named), ["1:6 FROM base image nginx:1.27.3"]);
}

/// Lines of a Deployment, the first of them line 8.
fn deployment(containers: &str) -> String {
    let lines: String = containers
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      containers:\n{lines}"
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_state_and_who_or_why() {
    let text = deployment(&format!(
        "\
- image: ghcr.io/acme/app:1.2.3 # {{\"$imagepolicy\": \"flux-system:app\"}}
- image: ghcr.io/acme/app:1.2.3 # {{\"$imagepolicy\": \"flux-system:frozen\"}}
- image: ghcr.io/acme/app:1.2.3 # {{\"$imagepolicy\": \"flux-system:gone\"}}
- image: ghcr.io/acme/app:1.2.3 # {{\"$imagepolicy\": broken}}
- image: ghcr.io/acme/app:1.2.3@{DIGEST}
- image: ghcr.io/acme/app:1.2.3 # flux-image: exclude for the audit
- image: ghcr.io/acme/app
- image: ghcr.io/acme/app:1.2.3
- image: ghcr.io/acme/other:v0.9.0
- args: ['1.2.3'] # {{\"$imagepolicy\": \"flux-system:app:tag\"}}
  env: # {{\"$imagepolicy\": \"flux-system:app:tag\"}}
    - {{name: VERSION, value: x}}
- command:
  - 1.2.3 # {{\"$imagepolicy\": \"flux-system:app:tag\"}}"
    ));
    let tree = tree(&[("apps/web.yaml", &text), ("elsewhere/web.yaml", &text)]);
    let coverage = covered(tree.path(), &["apps"]);
    let states = states(&coverage);
    let states: Vec<(u64, &str)> = states
        .iter()
        .map(|(line, state, _)| (*line, state.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (8, "automated"),
            (9, "held"),
            (10, "dead-marker"),
            (11, "dead-marker"),
            (12, "pinned"),
            (13, "excluded"),
            (14, "mutable"),
            (15, "forgotten"),
            (16, "forgotten"),
            (17, "dead-marker"),
            (18, "dead-marker"),
            (21, "automated"),
        ]
    );
    let item = |number: usize| &coverage["items"][number];
    assert_eq!(item(0)["by"][0]["policy"], "flux-system:app");
    assert_eq!(item(0)["by"][0]["automation"], "flux-system:all");
    assert_eq!(item(0)["behind"], 2);
    assert_eq!(item(0)["newest"], "1.4.0");
    let why = |number: usize| item(number)["why"].as_str().unwrap_or_default();
    assert!(why(1).contains("suspended"), "{}", why(1));
    assert!(why(2).contains("flux-system:gone"), "{}", why(2));
    assert!(why(3).contains("this marker does nothing"), "{}", why(3));
    assert_eq!(why(5), "for the audit");
    // Without a policy, by tags of the same form.
    assert_eq!(item(7)["behind"], 3);
    assert_eq!(item(7)["newest"], "2.0.0");
    assert_eq!(item(8)["behind"], 2);
    assert_eq!(item(8)["newest"], "v1.1.0");
    // A marked value that is no image by itself.
    assert_eq!(item(11)["image"]["name"], "ghcr.io/acme/app");
    assert_eq!(item(11)["image"]["tag"], "1.2.3");
    let summary = &coverage["summary"];
    assert_eq!(summary["total"], 12);
    assert_eq!(summary["covered"], 4);
    assert_eq!(summary["percent"], 33.3);
    assert_eq!(summary["states"]["dead-marker"], 4);
    // Where no automation comes, all that have a policy are held.
    let elsewhere = covered(tree.path(), &["elsewhere"]);
    assert_eq!(elsewhere["items"][0]["state"], "held");
    assert_eq!(
        elsewhere["items"][0]["why"],
        "`flux-system:all` updates `./apps` alone"
    );
    let anyhow = covered(tree.path(), &["elsewhere", "--without-automations"]);
    assert_eq!(anyhow["items"][0]["state"], "automated");
    assert_eq!(anyhow["items"][1]["state"], "held");
}

#[test]
fn parts_of_an_image_share_its_state() {
    let tree = tree(&[(
        "apps/values.yaml",
        &format!(
            "\
a: {{image: {{repository: ghcr.io/acme/app, tag: 1.2.3, digest: '{DIGEST}'}}}}
b:
  image:
    repository: ghcr.io/acme/app
    tag: 1.2.3
    digest: {DIGEST} # {{\"$imagepolicy\": \"flux-system:app:digest\"}}
c:
  image:
    repository: ghcr.io/acme/app # {{\"$imagepolicy\": \"flux-system:app:name\"}}
    tag: 1.2.3
"
        ),
    )]);
    let coverage = covered(tree.path(), &["apps"]);
    let states = states(&coverage);
    let states: Vec<(u64, &str)> = states
        .iter()
        .map(|(line, state, _)| (*line, state.as_str()))
        .collect();
    // A name alone does not say which image is run.
    assert_eq!(states, [(1, "pinned"), (5, "automated"), (10, "forgotten")]);
}

#[test]
fn comments_exclude_until_their_day() {
    let text = deployment(
        "\
- image: nginx:1.27.3 # flux-image: exclude frozen until 2999-12-31
- image: nginx:1.27.3 # flux-image: exclude frozen until 2001-01-01
# flux-image: exclude ours
- image: nginx:1.27.3
- image: nginx:1.27.3 # flux-image: exclude
- image: ghcr.io/acme/app:1.2.3 # flux-image: exclude policy comes later
# flux-image: exclude not this one

- image: nginx:1.27.3",
    );
    let tree = tree(&[("apps/web.yaml", &text)]);
    let coverage = covered(tree.path(), &["apps"]);
    let forgotten = "forgotten".to_owned();
    let excluded = "excluded".to_owned();
    assert_eq!(
        states(&coverage),
        [
            (8, excluded.clone(), "frozen".to_owned()),
            (
                9,
                forgotten.clone(),
                "its exclusion ended on 2001-01-01: frozen".to_owned()
            ),
            (11, excluded.clone(), "ours".to_owned()),
            (
                12,
                forgotten.clone(),
                "the comment that excludes it says no reason, and does not count".to_owned()
            ),
            (13, excluded, "policy comes later".to_owned()),
            (16, forgotten, String::new()),
        ]
    );
}

#[test]
fn a_minimum_judges() {
    let tree = tree(&[(
        "apps/web.yaml",
        &deployment(&format!(
            "- image: nginx:1.27.3\n- image: nginx@{DIGEST}\n- image: redis@{DIGEST}"
        )),
    )]);
    for (min, expected) in [("66%", 0), ("66.6%", 0), ("67%", 1), ("0", 0), ("100%", 1)] {
        let output = run_in(tree.path(), &["coverage", "apps", "--min", min], b"");
        assert_eq!(code(&output), expected, "{min}: {}", stderr(&output));
        let said = stderr(&output).contains("66.6% is covered, and `--min` asks for");
        assert_eq!(said, expected == 1, "{}", stderr(&output));
        assert!(stdout(&output).contains("66.6% of 3 are covered"));
    }
    let output = run_in(tree.path(), &["coverage", "--min", "eighty"], b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("`eighty` is no share"));
}

#[test]
fn nothing_of_secrets_is_listed() {
    let secret = "\
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {image: ghcr.io/acme/cellar:6.6.6, values: 'x'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: sealed}
spec:
  template: {spec: {containers: [{image: 'ghcr.io/acme/cellar:6.6.6'}]}}
sops: {mac: x, version: 3.9.0}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: marked}
spec:
  template:
    spec:
      containers:
      - image: ghcr.io/acme/cellar:6.6.6 # {\"$imagepolicy\": \"flux-system:app\"}
sops: {mac: x, version: 3.9.0}
";
    let tree = tree(&[("apps/secret.yaml", secret)]);
    for format in ["text", "json", "markdown", "html"] {
        let output = run_in(tree.path(), &["coverage", "apps", "-o", format], b"");
        let said = stdout(&output) + &stderr(&output);
        assert!(
            !said.contains("6.6.6") && !said.contains("cellar"),
            "{said}"
        );
    }
    let coverage = covered(tree.path(), &["apps"]);
    assert_eq!(coverage["summary"]["total"], 1);
    assert_eq!(coverage["items"][0]["state"], "held");
    assert_eq!(coverage["items"][0]["image"]["tag"], Value::Null);
    let left_out = coverage["leftOut"].as_array().expect("a list");
    assert!(left_out.len() >= 2);
    for one in left_out {
        assert_eq!(one["why"], "in a Secret or an encrypted document");
    }
}

#[test]
fn what_strangers_write_is_shown_and_does_not_act() {
    const EVIL: &str = "</script><img src=x onerror=alert(1)>\u{202e}\"'`|";
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec: {{containers: [{{image: 'ghcr.io/acme/app:1.2.3'}}]}}\n# a\nother: {{image: ghcr.io/acme/app:2.0.0}} # flux-image: exclude {EVIL}\n",
        serde_json::to_string(EVIL).expect("JSON")
    );
    let tree = tree(&[("apps/a\"b'<b>\u{202e}|&.yaml", &pod)]);
    let print = |format: &str| {
        let output = run_in(tree.path(), &["coverage", "apps", "-o", format], b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    for format in ["text", "json", "markdown", "html"] {
        assert!(!print(format).contains('\u{202e}'), "{format}");
    }
    let html = print("html");
    assert!(!html.contains("<img") && !html.contains("<b>\\u"), "{html}");
    assert_eq!(html.matches("<script>").count(), 1);
    assert_eq!(html.matches("</script>").count(), 1);
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"));
    let markdown = print("markdown");
    assert!(!markdown.lines().any(|line| line.starts_with("<")));
    let json: Value = serde_json::from_str(&print("json")).expect("JSON");
    assert_eq!(json["items"][0]["resource"]["name"], EVIL);
}

#[test]
fn markdown_keeps_to_its_limit() {
    let containers: String = (0..2000)
        .map(|number| format!("- image: registry.example/team/service-{number}:1.0.0\n"))
        .collect();
    let tree = tree(&[("apps/web.yaml", &deployment(&containers))]);
    let arguments = ["coverage", "apps", "-o", "markdown"];
    let body = stdout(&run_in(tree.path(), &arguments, b""));
    assert!(body.len() <= 65_536, "{}", body.len());
    assert!(body.starts_with("**0% of 2000 are covered"), "{body}");
    assert!(body.contains("| forgotten | 2000 |"));
    assert!(body.contains("more | | | |"));
    let short = [&arguments[..], &["--markdown-limit", "2000"]].concat();
    assert!(stdout(&run_in(tree.path(), &short, b"")).len() <= 2000);
    let none = [&arguments[..], &["--markdown-limit", "0"]].concat();
    assert_eq!(stdout(&run_in(tree.path(), &none, b"")), "");
}

#[test]
fn an_empty_tree_has_nothing_to_look_after() {
    let tree = Tree::new(&[(".git/HEAD", ""), ("a.yaml", "a: 1\n")]);
    let output = run_in(tree.path(), &["coverage", "--min", "100%"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "no image was found\n");
    let coverage = covered(tree.path(), &[]);
    assert_eq!(coverage["summary"]["total"], 0);
    assert_eq!(coverage["summary"]["percent"], 100.0);
    for format in ["html", "markdown"] {
        let output = run_in(tree.path(), &["coverage", "-o", format], b"");
        assert!(
            stdout(&output)
                .to_lowercase()
                .contains("no image was found")
        );
    }
    let gone = run_in(tree.path(), &["coverage", "gone"], b"");
    assert_eq!(code(&gone), 2);
}

#[test]
fn what_is_not_looked_at_is_told() {
    let tree = tree(&[
        (
            "apps/template.yaml",
            "image: {{ .Values.image }}\n{{- if x }}\n",
        ),
        (
            "apps/vars.yaml",
            "a: {image: {repository: '${REPO}', tag: '${TAG}'}}\nb: {image: 'ghcr.io/acme/app:${TAG}'}\nc:\n  image: ${IMAGE}\n",
        ),
        ("apps/web.yaml", &deployment("- image: nginx:1.27.3")),
    ]);
    tree.link("web.yaml", "apps/link.yaml");
    std::fs::write(
        tree.at("apps/wrong.yaml"),
        b"image: \xff\xfe\xfd nginx:1.27.3\n",
    )
    .expect("a file");
    let coverage = covered(tree.path(), &["apps"]);
    assert_eq!(coverage["summary"]["total"], 1);
    let left_out = coverage["leftOut"].as_array().expect("a list").iter();
    let left_out: Vec<String> = left_out
        .map(|one| format!("{}:{} {}", one["file"], one["line"], one["why"]).replace('"', ""))
        .collect();
    assert_eq!(
        left_out,
        [
            "apps/template.yaml:2 not valid YAML",
            "apps/vars.yaml:1 made by a variable or a template",
            "apps/vars.yaml:2 made by a variable or a template",
            "apps/vars.yaml:4 made by a variable or a template",
            "apps/wrong.yaml:1 could not be read",
        ]
    );
    let text = stdout(&run_in(tree.path(), &["coverage", "apps"], b""));
    assert!(
        text.replace('\n', " ").contains("not looked at: 1 could not be read, 3 made by a variable or a template, 1 not valid YAML"),
        "{text}"
    );
}

#[test]
fn the_table_fits_its_columns() {
    let text = deployment(&format!(
        "- image: ghcr.io/acme/app:1.2.3 # {{\"$imagepolicy\": \"flux-system:frozen\"}}\n- image: nginx\n- image: nginx:1.27.3 # flux-image: exclude {}\n",
        "because of many words ".repeat(20)
    ));
    let tree = tree(&[("apps/web.yaml", &text)]);
    let arguments = [&["coverage"][..], &AGE].concat();
    let table = stdout(&run_in(tree.path(), &arguments, b""));
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let first = "33.3% of 3 are covered: automated, pinned or excluded with a reason\n";
    assert!(table.starts_with(first), "{table}");
    assert!(table.contains("\nheld (1): it has a policy, and something holds it back\n"));
    assert!(table.contains("\n  apps/web.yaml\n      8:16  ghcr.io/acme/app:1.2.3  "));
}

/// What a base leaves open and every overlay sets is counted at the overlay alone.
#[test]
fn what_overlays_set_is_counted_there() {
    let release =
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web}\n";
    let chart = format!(
        "{release}spec: {{chart: {{spec: {{chart: podinfo, sourceRef: {{kind: HelmRepository, name: web}}}}}}}}\n"
    );
    let version = format!("{release}spec: {{chart: {{spec: {{version: 6.7.1}}}}}}\n");
    let overlay = "resources: [../base]\nimages:\n- {name: ghcr.io/acme/app, newTag: 1.2.3}\npatches: [{path: release.yaml}]\n";
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (
            "base/d.yaml",
            &deployment("- image: ghcr.io/acme/app\n- image: busybox"),
        ),
        ("base/release.yaml", &chart),
        (
            "base/kustomization.yaml",
            "resources:\n- d.yaml\n- ./release.yaml\n",
        ),
        ("prod/kustomization.yaml", overlay),
        ("prod/release.yaml", &version),
    ]);
    let coverage = covered(tree.path(), &[]);
    assert_eq!(
        listed(&coverage),
        [
            "9:16 spec.template.spec.containers[1].image image busybox",
            "3:36 images[0].newTag image ghcr.io/acme/app:1.2.3",
            "4:32 spec.chart.spec.version chart podinfo:6.7.1",
        ]
    );
    let left_out = coverage["leftOut"].as_array().expect("a list").iter();
    let left_out: Vec<String> = left_out
        .map(|one| format!("{}:{} {}", one["file"], one["line"], one["setBy"]).replace('"', ""))
        .collect();
    assert_eq!(
        left_out,
        [
            "base/d.yaml:8 prod/kustomization.yaml:3",
            "base/release.yaml:4 prod/release.yaml:4",
        ]
    );
    let text = stdout(&run_in(tree.path(), &["coverage"], b""));
    assert!(
        text.contains("not counted: 2 with a tag or version that an overlay sets"),
        "{text}"
    );
    // One overlay that sets none takes what is the newest.
    tree.write("dev/kustomization.yaml", "resources: [../base]\n");
    let coverage = covered(tree.path(), &[]);
    assert_eq!(coverage["items"][0]["image"]["name"], "ghcr.io/acme/app");
    assert_eq!(coverage["items"][0]["state"], "mutable");
}

#[test]
fn exclusions_that_exclude_nothing_are_told() {
    let text = "\
# flux-image: exclude nothing here
a: {b: c}
image:
  # flux-image: exclude by its name
  repository: ghcr.io/acme/app
  tag: 1.2.3
other:
  image: ghcr.io/acme/tool:7.0.0 # Flux-Image:exclude as told (until 2030-01-01)
list:
- # flux-image: exclude a dash
  image: ghcr.io/acme/web:1.0.0
";
    let options = "\
apiVersion: flux-image.dev/v1alpha1
kind: ImageUpdate
metadata: {name: options}
spec:
  exclusions:
  - {image: docker.io/library/nginx, reason: of Docker Hub}
  - {image: 'ghcr.io/acme/web:1.0.0', reason: with a tag}
";
    let tree = tree(&[
        (".flux-image.yaml", options),
        ("apps/values.yaml", text),
        ("apps/web.yaml", &deployment("- image: nginx:1.27.3")),
    ]);
    let coverage = covered(tree.path(), &[]);
    let states = states(&coverage);
    let states: Vec<(u64, &str, &str)> = states
        .iter()
        .map(|(line, state, why)| (*line, state.as_str(), why.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (6, "excluded", "by its name"),
            (8, "excluded", "as told"),
            (11, "forgotten", ""),
            (8, "excluded", "of Docker Hub"),
        ]
    );
    assert_eq!(coverage["items"][1]["until"], "2030-01-01");
    let output = run_in(tree.path(), &["coverage"], b"");
    assert_eq!(code(&output), 0);
    let said = stderr(&output);
    for at in [
        "apps/values.yaml:1:",
        "apps/values.yaml:10:",
        ".flux-image.yaml:7:5",
    ] {
        assert!(said.contains(at), "{at}: {said}");
    }
    assert_eq!(said.matches("and at ").count(), 1, "{said}");
    // Of a part of the tree nobody knows.
    let said = stderr(&run_in(tree.path(), &["coverage", "apps/web.yaml"], b""));
    assert!(!said.contains("excludes nothing"), "{said}");
}

#[test]
fn what_is_named_in_other_ways() {
    let sum = "0".repeat(64);
    let text = format!(
        "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: a}}
spec: {{postBuild: {{substitute: {{APP_IMAGE: 'ghcr.io/acme/sub:1.2.3', MODE: 'a:b'}}}}}}
---
apiVersion: v1
kind: ConfigMap
data: {{OTHER_IMAGE: 'ghcr.io/acme/other:1.2.3'}}
---
apiVersion: helm.cattle.io/v1
kind: HelmChart
spec: {{chart: traefik, repo: 'https://charts.example', version: 1.2.3}}
---
apiVersion: pkg.crossplane.io/v1
kind: Provider
spec: {{package: 'xpkg.example/acme/provider:v1.2.3'}}
---
grafana: {{image: {{repository: grafana/grafana, tag: 11.0.0, sha: '{sum}'}}}}
inside: {{image: {{repository: 'ghcr.io/acme/in:1.2.3'}}}}
istio: {{image: {{hub: docker.io/istio, image: proxyv2, tag: 1.2.3}}}}
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images: [{{name: 'ghcr.io/acme/app:1.2.2', newTag: 1.2.3}}]
"
    );
    let found = found_in("a.yaml", &text);
    let found: Vec<&str> = found
        .iter()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(
        found,
        [
            "ghcr.io/acme/sub:1.2.3",
            "ghcr.io/acme/other:1.2.3",
            "traefik:1.2.3",
            "xpkg.example/acme/provider:v1.2.3",
            "grafana/grafana:11.0.0@DIGEST",
            "ghcr.io/acme/in:1.2.3",
            "docker.io/istio/proxyv2:1.2.3",
            "ghcr.io/acme/app:1.2.3",
        ]
    );
}

/// No image is counted that is none, and none twice.
#[test]
fn markers_and_images_are_one() {
    let text = format!(
        "\
# {{\"$imagepolicy\": \"flux-system:app\"}}
image: ghcr.io/acme/app:1.2.3
# {{\"$imagepolicy\": \"flux-system:app\"}}

parts:
  tag: 1.2.3 # {{\"$imagepolicy\": \"flux-system:app:tag\"}}
  digest: {DIGEST} # {{\"$imagepolicy\": \"flux-system:app:digest\"}}
"
    );
    let tree = tree(&[("apps/values.yaml", &text)]);
    let coverage = covered(tree.path(), &["apps"]);
    let states = states(&coverage);
    let states: Vec<(u64, &str)> = states
        .iter()
        .map(|(line, state, _)| (*line, state.as_str()))
        .collect();
    assert_eq!(states, [(2, "dead-marker"), (6, "automated")], "{coverage}");
    assert_eq!(coverage["leftOut"][0]["why"], "marker without a value");
    assert_eq!(coverage["leftOut"][0]["line"], 3);
}

#[test]
fn files_that_a_program_writes_are_left_to_it() {
    let text = format!(
        "# This manifest was generated by flux. DO NOT EDIT.\n{}",
        deployment("- image: ghcr.io/fluxcd/source-controller:v1.2.3")
    );
    let tree = tree(&[("apps/gotk-components.yaml", &text)]);
    let coverage = covered(tree.path(), &["--min", "100%"]);
    assert_eq!(coverage["items"][0]["state"], "excluded");
    let why = "in a file that a program writes (`DO NOT EDIT`)";
    assert_eq!(coverage["items"][0]["why"], why);
}

/// In a clone of a mirror, the tree itself says whose it is; `update` asks for more.
#[test]
fn a_mirror_is_the_repository_that_its_own_sync_names() {
    let sync = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: 'https://git.example/acme/fleet'}
";
    let kustomization = "\
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: sync, namespace: flux-system}
spec: {path: ./clusters/prod, sourceRef: {kind: GitRepository, name: fleet}}
";
    let web =
        deployment("- image: ghcr.io/acme/app:1.2.3 # {\"$imagepolicy\": \"flux-system:app\"}");
    let config = "[remote \"origin\"]\n\turl = https://mirror.example/fleet\n";
    let tree = tree(&[
        (".git/config", config),
        (".git/objects/x", ""),
        (".git/refs/x", ""),
        ("clusters/prod/sync.yaml", sync),
        ("apps/web.yaml", &web),
    ]);
    let other = covered(tree.path(), &[]);
    assert_eq!(other["items"][0]["state"], "held", "{other}");
    let why = other["items"][0]["why"].as_str().expect("a reason");
    assert!(
        why.contains("is not a remote of this checkout (mirror.example/fleet)"),
        "{why}"
    );
    let said = stderr(&run_in(tree.path(), &["coverage"], b""));
    assert!(
        said.contains("--local-sources GitRepository/flux-system/fleet=."),
        "{said}"
    );
    // Another repository's root says nothing of whose this file is.
    let root = kustomization.replace("./clusters/prod", "./");
    tree.write("clusters/prod/sync.yaml", &format!("{sync}{root}"));
    assert_eq!(covered(tree.path(), &[])["items"][0]["state"], "held");
    tree.write("clusters/prod/sync.yaml", &format!("{sync}{kustomization}"));
    assert_eq!(covered(tree.path(), &[])["items"][0]["state"], "automated");
    let arguments = [&["coverage", "-v"][..], &AGE].concat();
    let said = stderr(&run_in(tree.path(), &arguments, b""));
    assert!(
        said.contains("since `clusters/prod/sync.yaml` applies its own folder"),
        "{said}"
    );
    let output = run_in(tree.path(), &["update", "--dry-run"], b"");
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("is not a remote of this checkout"));
}

fn corpus(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("CORPORA_DIR").map_or(beside, PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(
        "coverage of real repositories",
        &format!("{} is not there (CORPORA_DIR)", folder.display()),
    );
    None
}

#[test]
fn real_repositories() {
    for (name, least, (state, of_it)) in [
        ("home-ops", 90, ("pinned", 29)),
        ("fleet-infra", 25, ("automated", 15)),
    ] {
        let Some(folder) = corpus(name) else {
            continue;
        };
        let coverage = covered(&folder, &[]);
        let summary = &coverage["summary"];
        let count = |of: &Value| of.as_u64().expect("a number");
        assert!(count(&summary["total"]) >= least, "{name}: {summary}");
        assert!(
            count(&summary["states"][state]) >= of_it,
            "{name}: {summary}"
        );
        let states = summary["states"].as_object().expect("states");
        let sum: u64 = states.values().map(count).sum();
        assert_eq!(sum, count(&summary["total"]), "each has one state");
    }
}
