//! What a cluster sees: the real kustomize builds it, and the real `flux build` says
//! what should have come out.

#![expect(clippy::too_many_lines, reason = "repositories as tables")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Story;
use crate::world::{Ran, Tool, Tree, World};

const KUSTOMIZE: &[Tool] = &[Tool::Kustomize];

pub fn stories() -> Vec<Story> {
    let story = |name: &str, needs: &[Tool], run: fn(&World)| {
        Story::new(&format!("clusters::{name}"), needs, run)
    };
    vec![
        story(
            "as_flux_builds_them",
            &[Tool::Kustomize, Tool::Flux],
            as_flux_builds,
        ),
        story(
            "the_pipe_without_a_builder",
            &[Tool::Flux],
            the_pipe_without_a_builder,
        ),
        story("variables_of_config_maps_and_secrets", KUSTOMIZE, variables),
        story(
            "what_only_the_cluster_knows",
            KUSTOMIZE,
            only_the_cluster_knows,
        ),
        story("nothing_outside_is_read", KUSTOMIZE, nothing_outside),
        story("what_no_artifact_holds", KUSTOMIZE, no_artifact_holds),
        story(
            "the_builder_gets_nothing_but_copies",
            KUSTOMIZE,
            nothing_but_copies,
        ),
        story("remote_bases_are_left_out", KUSTOMIZE, remote_bases),
        story("two_clusters", KUSTOMIZE, two_clusters),
        story(
            "what_no_cluster_reaches",
            KUSTOMIZE,
            what_no_cluster_reaches,
        ),
        story("found_where_they_are_needed", KUSTOMIZE, found_where_needed),
        story(
            "a_failed_build_leaves_the_others",
            KUSTOMIZE,
            a_failed_build,
        ),
        story("circles_end", KUSTOMIZE, circles_end),
        story("other_sources", KUSTOMIZE, other_sources),
        story("only_what_matters_is_built", KUSTOMIZE, only_what_matters),
        story("interrupted", &[], interrupted),
        story("no_cluster_is_lost", KUSTOMIZE, no_cluster_is_lost),
        story("disagreements_are_whole", KUSTOMIZE, disagreements),
        story("a_view_with_holes_is_no_green_check", KUSTOMIZE, holes),
        story("sources_and_what_they_ignore", KUSTOMIZE, sources),
        story("values_that_come_late", KUSTOMIZE, late_values),
        story("encrypted_values_are_unknown", KUSTOMIZE, encrypted_values),
        story("two_readings_of_one_text", KUSTOMIZE, two_readings),
        story(
            "what_remote_bases_may_be",
            KUSTOMIZE,
            what_remote_bases_may_be,
        ),
        story(
            "files_that_git_does_not_track",
            &[Tool::Kustomize, Tool::Git],
            untracked,
        ),
        story("builds_that_would_not_end", KUSTOMIZE, endless),
        story("what_values_become", KUSTOMIZE, what_values_become),
        story("what_only_builds_name", KUSTOMIZE, what_only_builds_name),
        story(
            "flux_operators_instance",
            KUSTOMIZE,
            flux_operators_instance,
        ),
        story("what_flux_leaves_alone", KUSTOMIZE, what_flux_leaves_alone),
    ]
}

const SYNC: &str = "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: 'https://git.example/acme/fleet', ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 10m
  path: ./clusters/prod
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
";

/// A Kustomization of Flux's.
fn kustomization(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 10m
  path: {path}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
{more}"
    )
}

/// An ImageRepository, an ImagePolicy, and an automation for `path`.
fn images(namespace: &str, image: &str, path: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: app{namespace}}}
spec: {{image: '{image}', interval: 1m}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: app{namespace}}}
spec:
  imageRepositoryRef: {{name: app}}
  policy: {{semver: {{range: '>=1.0.0'}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: auto{namespace}}}
spec:
  interval: 1h
  sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}
  git:
    checkout: {{ref: {{branch: main}}}}
    commit: {{author: {{email: bot@acme.example}}, messageTemplate: 'up {{{{ len .Changed.Changes }}}}'}}
    push: {{branch: main}}
  update: {{path: '{path}', strategy: Setters}}
"
    )
}

const TAGS: &str = "apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
  - {image: ghcr.io/acme/app, tags: [1.0.0, 1.1.0]}
  - {image: ghcr.io/acme/two, tags: [1.0.0, 1.1.0, 1.2.0]}
";

fn marked(policy: &str) -> String {
    format!("image: ghcr.io/acme/app:1.0.0 # {{\"$imagepolicy\": \"{policy}\"}}\n")
}

/// A repository of one cluster whose root is bootstrap's.
fn fleet(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::new(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".git/objects/x", ""),
        (".git/refs/x", ""),
        ("clusters/prod/flux-system/gotk-sync.yaml", SYNC),
        (".tags", TAGS),
    ]);
    for (name, text) in files {
        tree.write(name, text);
    }
    tree
}

/// The same, whose policies and automation for `./apps` a Kustomization brings.
fn fleet_with_policies(files: &[(&str, &str)]) -> Tree {
    let tree = fleet(files);
    let images_of = kustomization("images", "./policies", "  targetNamespace: flux-system\n");
    tree.write("clusters/prod/images.yaml", &images_of);
    let images = images("", "ghcr.io/acme/app", "./apps");
    tree.write("policies/images.yaml", &images);
    tree
}

fn update(world: &World, tree: &Tree, more: &[&str]) -> Ran {
    let arguments = [
        &[
            "update",
            "-o",
            "json",
            "--policies",
            ".tags",
            "--tags-from",
            "snapshot",
        ][..],
        more,
    ];
    world.run(tree.path(), "flux-image", &arguments.concat())
}

fn cluster(world: &World, tree: &Tree, more: &[&str]) -> Ran {
    update(
        world,
        tree,
        &[&["--cluster-path", "clusters/prod"][..], more].concat(),
    )
}

#[track_caller]
fn report(ran: &Ran) -> Value {
    let report = serde_json::from_str(&ran.stdout);
    report.unwrap_or_else(|_| panic!("{:?}: {}{}", ran.code, ran.stdout, ran.stderr))
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let codes = findings.filter(|one| one["severity"] != "info");
    let codes = codes.map(|one| one["code"].as_str().expect("a code").to_owned());
    codes.collect()
}

fn changed(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().expect("changes").iter();
    let one = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        format!("{} {}", text("file"), text("new"))
    };
    changes.map(one).collect()
}

/// Every field of a Kustomization that has a part in a build.
fn every_field() -> Tree {
    let policies = images("", "${REGISTRY:=ghcr.io}/acme/app", "./apps/${ENV}");
    let fragments = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: two, annotations: {kind: fragment}}
spec: {image: ghcr.io/acme/two}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: two, annotations: {kind: fragment}}
spec: {imageRepositoryRef: {name: two}}
";
    let patch = "  targetNamespace: teams
  patches:
  - patch: |
      apiVersion: image.toolkit.fluxcd.io/v1
      kind: ImagePolicy
      metadata: {name: any}
      spec: {policy: {semver: {range: '${RANGE}'}}, filterTags: {pattern: '^(?P<v>1\\..*)$', extract: '$v'}}
    target: {kind: ImagePolicy, annotationSelector: kind=fragment}
  - patch: |
      - {op: add, path: /spec/interval, value: 2m}
    target: {kind: ImageRepository}
  components: [../components/labels, ../components/gone]
  ignoreMissingComponents: true
  commonMetadata: {labels: {team: one}, annotations: {who: me}}
  postBuild: {substitute: {RANGE: '1.x', v: lost}}
";
    let renamed = "  namePrefix: pre-
  nameSuffix: -post
  images: [{name: ghcr.io/acme/app, newTag: 9.9.9}]
  postBuild: {substitute: {X: y}}
";
    fleet(&[
        (
            "clusters/prod/policies.yaml",
            &kustomization(
                "policies",
                "./policies",
                "  postBuild: {substitute: {ENV: prod, P: ./nested}}\n",
            ),
        ),
        (
            "clusters/prod/teams.yaml",
            &kustomization("teams", "./teams", patch),
        ),
        (
            "clusters/prod/renamed.yaml",
            &kustomization("renamed", "./renamed", renamed),
        ),
        (
            "clusters/prod/plain.yaml",
            &kustomization("plain", "./plain", ""),
        ),
        ("policies/images.yaml", &policies),
        (
            "policies/child.yaml",
            &kustomization("child", "${P}", "  targetNamespace: child-ns\n")
                .replace(
                    "namespace: flux-system}\nspec",
                    "namespace: flux-system, annotations: {x: y}}\nspec",
                )
                .replace(
                    "name: flux-system}",
                    "name: flux-system, namespace: flux-system}",
                ),
        ),
        (
            "policies/own/kustomization.yaml",
            "namespace: own\nresources: [deep/images.yaml]\n",
        ),
        (
            "policies/own/deep/images.yaml",
            &images("", "ghcr.io/acme/app", "./own"),
        ),
        (
            "policies/own/left.yaml",
            "a: not a resource, and not read\n",
        ),
        (
            "policies/disabled.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: disabled, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\nspec:\n  imageRepositoryRef: {name: app}\n  filterTags: {pattern: '^(?P<ts>.*)$', extract: '${ts}'}\n  policy: {alphabetical: {}}\n",
        ),
        (
            "nested/images.yaml",
            &images("", "ghcr.io/acme/app", "./nested"),
        ),
        ("teams/two.yaml", fragments),
        (
            "components/labels/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels: [{pairs: {from: component}, includeSelectors: false}]\n",
        ),
        (
            "renamed/kustomization.yaml",
            "resources: [images.yaml]\nnamespace: renamed\n",
        ),
        (
            "renamed/images.yaml",
            &images("", "ghcr.io/acme/app", "./renamed"),
        ),
        (
            "plain/kustomization.yml",
            "resources: [images.yaml]\nnamespace: plain\n",
        ),
        (
            "plain/images.yaml",
            &images("", "ghcr.io/acme/app", "./plain/${ENV}"),
        ),
    ])
}

/// The documents of `flux build`, taken as they are, lead to the same policies and the
/// same plan as ours do.
fn as_flux_builds(world: &World) {
    let tree = every_field();
    let built = built_by_flux(
        world,
        tree.path(),
        "./clusters/prod",
        "./clusters/prod/flux-system/gotk-sync.yaml",
    );
    tree.write(".built", &built.ok());
    let count = assert_alike(world, tree.path(), "clusters/prod");
    assert!(count > 0);
    let resolved = world.run(
        tree.path(),
        "flux-image",
        &[
            "resolve",
            "--policies",
            ".tags",
            "--cluster-path",
            "clusters/prod",
        ],
    );
    let ids: Vec<String> = documents(&resolved.stdout)
        .iter()
        .map(|one| {
            let of = |name: &str| one["metadata"][name].as_str().unwrap_or_default();
            format!("{}/{}", of("namespace"), of("name"))
        })
        .collect();
    let expected = [
        "child-ns/app",
        "flux-system/app",
        "flux-system/disabled",
        "own/app",
        "plain/app",
        "renamed/pre-app-post",
        "teams/two",
    ];
    for id in expected.iter().filter(|id| !id.starts_with("own/")) {
        assert!(ids.contains(&(*id).to_owned()), "{id}: {ids:?}");
    }
}

/// What `flux build` makes of a folder, with all that its Kustomizations name.
pub fn built_by_flux(world: &World, root: &Path, folder: &str, kustomization: &str) -> Ran {
    world.run(
        root,
        "flux",
        &[
            "build",
            "kustomization",
            "flux-system",
            "--path",
            folder,
            "--kustomization-file",
            kustomization,
            "--dry-run",
            "--recursive",
            "--in-memory-build",
            "--local-sources",
            "GitRepository/flux-system/flux-system=./",
        ],
    )
}

/// The documents of `.built` are what the cluster of a folder sees: as `resolve` and
/// `scan` print them, field by field. How many there are.
pub fn assert_alike(world: &World, root: &Path, folder: &str) -> usize {
    let mut count = 0;
    for name in ["resolve", "scan"] {
        let run = |more: &[&str]| {
            let arguments = [&[name, "--policies", ".tags"][..], more].concat();
            world.run(root, "flux-image", &arguments)
        };
        let ours = run(&["--cluster-path", folder]);
        let flux = run(&["--policies", ".built", "--no-tree-documents"]);
        assert_eq!(
            ours.code, flux.code,
            "{folder}: {}{}",
            ours.stderr, flux.stderr
        );
        let plain = |text: &str| -> Vec<Value> {
            let mut all = documents(text);
            all.iter_mut().for_each(forget);
            all.sort_by_key(Value::to_string);
            all
        };
        let (ours, flux) = (plain(&ours.stdout), plain(&flux.stdout));
        assert_eq!(ours, flux, "{folder}: {name}");
        count += ours.len();
    }
    count
}

fn documents(text: &str) -> Vec<Value> {
    flux_image::cluster::kustomization::documents(text).expect("YAML")
}

/// What only one of the two notes: the owner's labels, the cluster, the moment, and the
/// namespace of the Kustomization, which only the controller adds.
fn forget(document: &mut Value) {
    if let Some(metadata) = document["metadata"].as_object_mut() {
        let namespace = metadata.entry("namespace");
        namespace.or_insert_with(|| "flux-system".into());
        for map in ["labels", "annotations"] {
            let is_empty = metadata
                .get_mut(map)
                .and_then(Value::as_object_mut)
                .is_some_and(|map| {
                    map.retain(|key, _| {
                        !key.starts_with("kustomize.toolkit.fluxcd.io/")
                            && !key.starts_with("flux-image.dev/")
                            || key.ends_with("/substitute")
                    });
                    map.is_empty()
                });
            if is_empty {
                metadata.remove(map);
            }
        }
    }
    if let Some(conditions) = document["status"]["conditions"].as_array_mut() {
        for condition in conditions {
            condition["lastTransitionTime"].take();
        }
    }
}

/// The way out that is named where nothing can build works.
fn the_pipe_without_a_builder(world: &World) {
    let tree = fleet(&[
        (
            "clusters/prod/policies.yaml",
            &kustomization(
                "policies",
                "./policies",
                "  targetNamespace: flux-system\n  postBuild: {substitute: {ENV: apps}}\n",
            ),
        ),
        (
            "policies/images.yaml",
            &images("", "ghcr.io/acme/app", "./${ENV}"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let without = world.shell(
        tree.path(),
        "here=$(dirname \"$(command -v flux-image)\"); mkdir .bin; ln -s \"$here/flux-image\" .bin/; PATH=$PWD/.bin flux-image update --cluster-path clusters/prod",
    );
    let said = without.fails();
    assert!(
        said.contains("neither `kustomize` nor `kubectl` is installed"),
        "{said}"
    );
    assert!(said.contains("flux build kustomization"), "{said}");
    let piped = world.shell(
        tree.path(),
        "flux build kustomization flux-system --path ./clusters/prod --kustomization-file ./clusters/prod/flux-system/gotk-sync.yaml --dry-run --recursive --in-memory-build --local-sources GitRepository/flux-system/flux-system=./ > .built
         cat .built .tags | flux-image update --policies - --no-tree-documents",
    );
    piped.ok();
    assert!(tree.read("apps/app.yaml").contains("app:1.1.0"));
}

fn variables(world: &World) {
    let from = "  postBuild:
    substituteFrom:
    - {kind: ConfigMap, name: settings}
    - {kind: Secret, name: more}
    - {kind: ConfigMap, name: absent, optional: true}
    substitute: {OVER: apps}
";
    let settings = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: flux-system}
data: {HOST: nowhere.example, OVER: lost, ORG: acme}
---
apiVersion: v1
kind: Secret
metadata: {name: more, namespace: flux-system}
data: {HOST: Z2hjci5pbw==}
";
    let tree = fleet(&[
        (
            "clusters/prod/a-images.yaml",
            &kustomization(
                "images",
                "./policies",
                &format!("  targetNamespace: flux-system\n{from}"),
            ),
        ),
        // Nothing in it is ours but what somebody asks for.
        (
            "clusters/prod/z-settings.yaml",
            &kustomization("settings", "./settings", ""),
        ),
        ("settings/settings.yaml", settings),
        (
            "policies/images.yaml",
            &images("", "${HOST}/${ORG}/app${absent}", "./${OVER}"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let ran = cluster(world, &tree, &[]);
    let report = report(&ran);
    assert_eq!(
        changed(&report),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}",
        ran.stderr
    );
    assert_eq!(codes(&report), ["unset-variable"]);
    assert_eq!(report["automations"][0]["message"], "up 1");
    assert_eq!(ran.code, Some(0));
}

fn only_the_cluster_knows(world: &World) {
    let from = "  targetNamespace: flux-system\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: absent}], substitute: {ORG: acme}}\n";
    let tree = fleet(&[
        (
            "clusters/prod/images.yaml",
            &kustomization("images", "./policies", from),
        ),
        (
            "policies/images.yaml",
            &images("", "${HOST}/${ORG}/app", "./${ORG}"),
        ),
        (
            "policies/deeper.yaml",
            &kustomization(
                "deeper",
                "./deeper",
                "  postBuild: {substitute: {H: '${HOST}', N: two}}\n",
            ),
        ),
        (
            "deeper/images.yaml",
            &images("", "ghcr.io/acme/${N}", "./two")
                .replace("name: app}", "name: '${N}', namespace: deeper}")
                .replace("name: auto}", "name: '${N}', namespace: deeper}"),
        ),
        ("acme/app.yaml", &marked("flux-system:app")),
        (
            "two/app.yaml",
            &marked("deeper:two").replace("app:", "two:"),
        ),
    ]);
    let ran = cluster(world, &tree, &[]);
    let without = report(&ran);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        changed(&without),
        ["two/app.yaml ghcr.io/acme/two:1.2.0"],
        "{}",
        ran.stderr
    );
    assert!(
        codes(&without).contains(&"unknown-variable".to_owned()),
        "{without}"
    );
    assert!(
        ran.stdout
            .contains("ConfigMap `flux-system/absent` is not in the checkout"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("--substitute HOST=VALUE"),
        "{}",
        ran.stdout
    );
    tree.write(".values", "# of the cluster\nHOST=ghcr.io\n");
    tree.write(
        ".map",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {HOST: ghcr.io, ORG: lost}\n",
    );
    for more in [
        ["--substitute", "HOST=ghcr.io"],
        ["--substitute-from", ".values"],
        ["--substitute-from", ".map"],
    ] {
        tree.write("acme/app.yaml", &marked("flux-system:app"));
        let ran = cluster(world, &tree, &more);
        assert_eq!(
            changed(&report(&ran)),
            ["acme/app.yaml ghcr.io/acme/app:1.1.0"],
            "{more:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.code, Some(0), "{more:?}: {}", ran.stderr);
    }
}

/// Each field that takes a path, with one that leads out: the build is refused, and
/// what stands there is in no output.
fn nothing_outside(world: &World) {
    const SECRET: &str = "an-outside-secret";
    let outside = Tree::new(&[
        ("secret", SECRET),
        ("secret.env", "PASSWORD=an-outside-secret\n"),
        (
            "resource.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stolen}\ndata: {PASSWORD: an-outside-secret}\n",
        ),
        ("base/kustomization.yaml", "resources: [../resource.yaml]\n"),
    ]);
    let place = outside.path().display().to_string();
    let climb = format!("../../../../../../../../../../../../{place}");
    for from in [place.as_str(), climb.as_str()] {
        for attack in [
            format!("resources: [images.yaml, {from}/resource.yaml]"),
            format!("resources: [images.yaml, {from}/base]"),
            format!("bases: [{from}/base]\nresources: [images.yaml]"),
            format!("RESOURCES: [images.yaml, {from}/resource.yaml]"),
            format!("resources: [images.yaml]\ncomponents: [{from}/base]"),
            format!("resources: [images.yaml]\ncrds: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\nconfigurations: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\ngenerators: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\ntransformers: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\nvalidators: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\npatches: [{{path: {from}/resource.yaml}}]"),
            format!("resources: [images.yaml]\npatches: [{{Path: {from}/resource.yaml}}]"),
            format!("resources: [images.yaml]\npatchesStrategicMerge: [{from}/resource.yaml]"),
            format!("resources: [images.yaml]\npatchesJson6902: [{{target: {{version: v1, kind: ConfigMap, name: x}}, path: {from}/resource.yaml}}]"),
            format!("resources: [images.yaml]\nreplacements: [{{path: {from}/resource.yaml}}]"),
            format!("resources: [images.yaml]\nopenapi: {{path: {from}/resource.yaml}}"),
            format!("resources: [images.yaml]\nconfigMapGenerator: [{{name: settings, namespace: flux-system, options: {{disableNameSuffixHash: true}}, files: [PASSWORD={from}/secret]}}]"),
            format!("resources: [images.yaml]\nconfigMapGenerator: [{{name: settings, envs: [{from}/secret.env]}}]"),
            format!("resources: [images.yaml]\nconfigMapGenerator: [{{name: settings, env: {from}/secret.env}}]"),
            format!("resources: [images.yaml]\nsecretGenerator: [{{name: settings, files: [PASSWORD={from}/secret]}}]"),
            format!("resources: [images.yaml]\ngenerators: ['{{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {{name: settings}}, files: [PASSWORD={from}/secret]}}']"),
            "resources: [images.yaml, ../../link.yaml]".to_owned(),
            "resources: [images.yaml]\ngenerators: [../../plugin.yaml]".to_owned(),
            "resources: [images.yaml]\nconfigMapGenerator: [{name: settings, files: [PASSWORD=../../link/secret]}]".to_owned(),
            "resources: [images.yaml]\nconfigMapGenerator: [{name: settings, files: [PASSWORD=../../.git/config]}]".to_owned(),
        ] {
            let post = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings, optional: true}]}\n";
            let tree = fleet(&[
                ("clusters/prod/images.yaml", &kustomization("images", "./teams/one", post)),
                ("teams/one/kustomization.yaml", &format!("{attack}\n")),
                ("teams/one/images.yaml", &images("", "ghcr.io/acme/${PASSWORD}", "./apps")),
                (".git/config", "[x]\n\ty = an-outside-secret\n"),
                ("plugin.yaml", &format!("apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {{name: settings}}\nfiles: [PASSWORD={from}/secret]\n")),
            ]);
            symlink(outside.at("resource.yaml"), tree.at("link.yaml")).expect("a link");
            symlink(outside.path(), tree.at("link")).expect("a link");
            let ran = cluster(world, &tree, &["--remote-bases"]);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, Some(2), "{attack}: {said}");
            assert!(!said.contains(SECRET), "{attack}: {said}");
            assert!(
                said.contains("nothing outside is read") || said.contains("is a link") || said.contains("belongs to git"),
                "{attack}: {said}"
            );
        }
    }
}

/// Links, what git ignores, and what `.sourceignore` leaves out.
fn no_artifact_holds(world: &World) {
    let tree = fleet_with_policies(&[
        ("policies/broken.yaml", "a: [\n"),
        ("policies/ignored.yaml", "a: [\n"),
        ("policies/.github/workflow.yaml", "a: b\n"),
        (".gitignore", "ignored.yaml\n.env\n"),
        (".sourceignore", "broken.yaml\n"),
        ("apps/app.yaml", &marked("flux-system:app")),
        (".env", "PASSWORD=hidden\n"),
    ]);
    symlink("../apps/app.yaml", tree.at("policies/link.yaml")).expect("a link");
    let ran = cluster(world, &tree, &["--dry-run"]);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}",
        ran.stderr
    );
    // `spec.ignore` of the source counts as well.
    tree.write("policies/bad.yaml", "a: [\n");
    let ignoring = SYNC.replace(
        "ref: {branch: main}}",
        "ref: {branch: main}, ignore: \"bad.yaml\\n\"}",
    );
    assert_eq!(cluster(world, &tree, &["--dry-run"]).code, Some(2));
    tree.write("clusters/prod/flux-system/gotk-sync.yaml", &ignoring);
    let ran = cluster(world, &tree, &["--dry-run"]);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    tree.write(
        "policies/kustomization.yaml",
        "resources: [images.yaml]\nconfigMapGenerator: [{name: x, envs: [../.env]}]\n",
    );
    let said = cluster(world, &tree, &["--dry-run"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("is not tracked by git"),
        "{}",
        said.stderr
    );
}

/// The builder's own view: files, arguments, environment; and what is left of it.
fn nothing_but_copies(world: &World) {
    let tree = fleet_with_policies(&[
        (
            "policies/kustomization.yaml",
            "resources: [images.yaml]\nconfigMapGenerator: [{name: x, envs: [env]}]\n",
        ),
        // Without a value it would come from the environment.
        ("policies/env", "CLOUD_TOKEN\n"),
        ("apps/app.yaml", &marked("flux-system:app")),
        ("unused.yaml", "a: b\n"),
    ]);
    let log = Tree::new(&[]);
    let script = format!(
        "#!/bin/sh\n/usr/bin/env > {log}/env.$$\necho \"$PWD $*\" >> {log}/arguments\n/usr/bin/find . -type f >> {log}/files\n/bin/ls -la \"$HOME\" > {log}/home\nexec \"$0.real\" \"$@\"\n",
        log = log.path().display()
    );
    log.write("kustomize", &script);
    fs::set_permissions(log.at("kustomize"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let real = crate::services::program("kustomize").expect("kustomize");
    symlink(
        fs::canonicalize(real).expect("a program"),
        log.at("kustomize.real"),
    )
    .expect("a link");
    let before = files(&tree);
    let script = format!(
        "mkdir {tmp}; export TMPDIR={tmp} CLOUD_TOKEN=very-secret FLUX_IMAGE_KUSTOMIZE={log}/kustomize; flux-image update --dry-run -o json --policies .tags --cluster-path clusters/prod; ls -A {tmp}",
        tmp = log.at("tmp").display(),
        log = log.path().display()
    );
    let ran = world.shell(tree.path(), &script);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.trim_end().ends_with('}'),
        "something was left: {}",
        ran.stdout
    );
    assert_eq!(files(&tree), before, "nothing is written in the tree");
    let environments = fs::read_dir(log.path()).expect("a folder");
    let environments = environments.map(|one| one.expect("a file").path());
    let mut count = 0;
    for path in environments.filter(|path| path.to_string_lossy().contains("/env.")) {
        count += 1;
        let text = fs::read_to_string(path).expect("an environment");
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            .collect();
        for name in names {
            let known = [
                "HOME",
                "XDG_CONFIG_HOME",
                "KUSTOMIZE_PLUGIN_HOME",
                "TMPDIR",
                "GIT_TERMINAL_PROMPT",
                "GIT_CONFIG_NOSYSTEM",
                "GIT_ALLOW_PROTOCOL",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_",
            ];
            assert!(known.contains(&name), "{name}");
        }
    }
    assert_eq!(count, 2);
    let files = log.read("files");
    assert!(
        files.contains("policies/env") && !files.contains("unused"),
        "{files}"
    );
    assert!(!files.contains("app.yaml"), "{files}");
    let arguments = log.read("arguments");
    assert!(
        arguments.contains("build --load-restrictor LoadRestrictionsNone"),
        "{arguments}"
    );
}

fn files(tree: &Tree) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut waiting = vec![tree.path().to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap_or_default();
                all.push((path.display().to_string(), text));
            }
        }
    }
    all.sort();
    all
}

/// URLs are seen before the builder runs; a patch of what is left out fails nothing.
fn remote_bases(world: &World) {
    let tree = fleet_with_policies(&[
        (
            "policies/kustomization.yaml",
            "resources: [images.yaml, 'http://127.0.0.1:9/x.yaml', 'github.com/acme/nothing//base?ref=v1', 'https://127.0.0.1:9/crds.yaml']\npatches:\n- path: patch.yaml\n",
        ),
        (
            "policies/patch.yaml",
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: far}\nspec: {paused: true}\n",
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let ran = cluster(world, &tree, &[]);
    let report = report(&ran);
    assert_eq!(
        changed(&report),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let said = report["findings"].as_array().expect("findings");
    let left_out = said.iter().filter(|one| one["code"] == "not-followed");
    assert_eq!(left_out.count(), 3, "{}", ran.stdout);
    // Where it would be needed, the build is refused.
    tree.write(
        "policies/kustomization.yaml",
        "resources: [images.yaml]\npatches: [{path: 'http://127.0.0.1:9/x.yaml'}]\n",
    );
    let ran = cluster(world, &tree, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("lies elsewhere"), "{}", ran.stderr);
}

/// Two clusters in one repository, as Flux's own guide lays them out.
fn fleet_of_two() -> Tree {
    let tree = Tree::new(&[(".git/HEAD", "ref: refs/heads/main\n"), (".tags", TAGS)]);
    for (name, tag) in [("prod", "1.0.x"), ("staging", "1.x")] {
        let sync = SYNC.replace("clusters/prod", &format!("clusters/{name}"));
        tree.write(
            &format!("clusters/{name}/flux-system/gotk-sync.yaml"),
            &sync,
        );
        let images = images("", "ghcr.io/acme/app", &format!("./apps/{name}"));
        let images = images
            .replace(">=1.0.0", tag)
            .replace("name: app}", "name: app, namespace: flux-system}")
            .replace("name: auto}", "name: auto, namespace: flux-system}")
            .replace(
                "imageRepositoryRef: {name: app, namespace: flux-system}",
                "imageRepositoryRef: {name: app}",
            );
        tree.write(&format!("clusters/{name}/images.yaml"), &images);
        tree.write(
            &format!("apps/{name}/app.yaml"),
            &marked("flux-system:app").replace("1.0.0", "0.9.0"),
        );
    }
    tree
}

fn two_clusters(world: &World) {
    let tree = fleet_of_two();
    // A TagSnapshot of the tree is no part of a build, and counts for both.
    tree.write("tags.yaml", &tree.read(".tags"));
    let ran = world.run(tree.path(), "flux-image", &["policies", "--offline"]);
    for line in [
        "clusters/prod     app   ghcr.io/acme/app  1.0.0",
        "clusters/staging  app   ghcr.io/acme/app  1.1.0",
    ] {
        assert!(ran.stdout.contains(line), "{}{}", ran.stdout, ran.stderr);
    }
    let named = world.run(
        tree.path(),
        "flux-image",
        &["policies", "--offline", "-o", "name"],
    );
    assert_eq!(named.stdout, "imagepolicy.image.toolkit.fluxcd.io/app\n");
    fs::remove_file(tree.path().join("tags.yaml")).expect("removed");
    let both = [
        "--cluster-path",
        "clusters/prod",
        "--cluster-path",
        "clusters/staging",
    ];
    let ran = update(world, &tree, &both);
    let told = report(&ran);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        changed(&told),
        [
            "apps/prod/app.yaml ghcr.io/acme/app:1.0.0",
            "apps/staging/app.yaml ghcr.io/acme/app:1.1.0"
        ]
    );
    assert_eq!(codes(&told), [] as [&str; 0]);
    let commits = told["automations"].as_array().expect("automations");
    let clusters: Vec<&Value> = commits.iter().map(|one| &one["cluster"]).collect();
    assert_eq!(clusters, ["clusters/prod", "clusters/staging"]);
    let messages: Vec<&Value> = commits.iter().map(|one| &one["message"]).collect();
    assert_eq!(messages, ["up 1", "up 1"]);
    assert!(tree.read("apps/prod/app.yaml").contains("app:1.0.0"));
    assert!(tree.read("apps/staging/app.yaml").contains("app:1.1.0"));
    // One marker that both come to, with different images.
    let tree = fleet_of_two();
    for name in ["prod", "staging"] {
        let file = format!("clusters/{name}/images.yaml");
        let text = tree
            .read(&file)
            .replace(&format!("./apps/{name}"), "./apps");
        tree.write(&file, &text);
    }
    let ran = update(world, &tree, &both);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stdout.contains("cluster `clusters/prod` wants `ghcr.io/acme/app:1.0.0` here, and cluster `clusters/staging` `ghcr.io/acme/app:1.1.0`"),
        "{}",
        ran.stdout
    );
    assert!(tree.read("apps/prod/app.yaml").contains("app:0.9.0"));
    // What both write alike is the first one's.
    for name in ["prod", "staging"] {
        let file = format!("clusters/{name}/images.yaml");
        let text = tree.read(&file).replace("'1.x'", "'1.0.x'");
        tree.write(&file, &text);
    }
    let ran = update(world, &tree, &both);
    let told = report(&ran);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert_eq!(changed(&told).len(), 2);
    assert_eq!(told["automations"].as_array().map(Vec::len), Some(1));
    let resolved = world.run(
        tree.path(),
        "flux-image",
        &[&["resolve", "--policies", ".tags"][..], &both].concat(),
    );
    assert!(
        resolved
            .stdout
            .contains("flux-image.dev/cluster: clusters/staging"),
        "{}",
        resolved.stdout
    );
}

/// A marker that no automation of any cluster comes to is told once, and where one comes
/// not at all.
fn what_no_cluster_reaches(world: &World) {
    let tree = fleet_of_two();
    tree.write("apps/base/app.yaml", &marked("flux-system:app"));
    let prod = ["--cluster-path", "clusters/prod"];
    let both = [&prod[..], &["--cluster-path", "clusters/staging"]].concat();
    for command in ["lint", "update"] {
        let found = |clusters: &[&str]| {
            let args = [&[command, "--offline"], clusters].concat();
            let args = match command {
                "lint" => [&args[..], &["-o", "json"]].concat(),
                _ => [
                    &args[..],
                    &["-o", "json", "--dry-run", "--policies", ".tags"],
                ]
                .concat(),
            };
            let ran = world.run(tree.path(), "flux-image", &args);
            let told = report(&ran);
            let findings = told["findings"].as_array().expect("findings");
            let found = findings
                .iter()
                .filter(|one| one["code"] == "unreached-marker");
            found.cloned().collect::<Vec<Value>>()
        };
        let [one] = &*found(&both) else {
            panic!("{command}: {:?}", found(&both))
        };
        assert_eq!(one["file"], "apps/base/app.yaml");
        let message = one["message"].as_str().unwrap_or_default();
        for part in [
            "is marked here",
            "updates `./apps/prod` alone; ",
            "updates `./apps/staging` alone",
        ] {
            assert!(message.contains(part), "{message}");
        }
        // Of one cluster alone nobody can tell whose the rest is.
        let [one] = &*found(&prod) else {
            panic!("{command}: {:?}", found(&prod))
        };
        let hint = one["hint"].as_str().unwrap_or_default();
        assert!(
            hint.contains("if another cluster has these values"),
            "{hint}"
        );
    }
}

/// Without a word, where the documents are parts of builds; and as they lie where they
/// are whole.
fn found_where_needed(world: &World) {
    let tree = fleet_of_two();
    let ran = update(world, &tree, &["--dry-run"]);
    let told = report(&ran);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(changed(&told).len(), 2, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("read as the clusters of"),
        "{}",
        ran.stdout
    );
    let ran = update(world, &tree, &["--dry-run", "--no-clusters"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert_eq!(changed(&report(&ran)), [] as [&str; 0]);
    let tree = every_field();
    tree.write("apps/prod/app.yaml", &marked("flux-system:app"));
    let ran = update(world, &tree, &["--dry-run"]);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/prod/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // A folder that calls itself a cluster does not silence the others without a word.
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (".tags", TAGS),
        (
            "deploy/sync.yaml",
            &SYNC.replace("clusters/prod", "deploy").replace(
                "name: flux-system, namespace: flux-system}\nspec:\n",
                "name: fleet, namespace: flux-system}\nspec:\n",
            ),
        ),
        (
            "deploy/images.yaml",
            &images("", "ghcr.io/acme/app", "./apps")
                .replace(
                    "name: app}\nspec",
                    "name: app, namespace: flux-system}\nspec",
                )
                .replace("name: auto}", "name: auto, namespace: flux-system}"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
        (
            "docs/evil/sync.yaml",
            &SYNC.replace("clusters/prod", "docs/evil"),
        ),
        (
            "docs/evil/images.yaml",
            &images("-evil", "ghcr.io/acme/app", "./docs")
                .replace("-evil}\nspec", "-evil, namespace: flux-system}\nspec")
                .replace("auto-evil}", "auto-evil, namespace: flux-system}"),
        ),
        (
            "docs/part.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: part, namespace: flux-system}\nspec: {imageRepositoryRef: {name: app}}\n",
        ),
    ]);
    let ran = update(world, &tree, &["--check", "--strict"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains("`flux-system:auto` is in none of these clusters"),
        "{}",
        ran.stdout
    );
    // Whole documents are read as they lie.
    let tree = fleet_of_two();
    fs::remove_dir_all(tree.at("clusters/staging")).expect("removed");
    let ran = update(world, &tree, &["--dry-run"]);
    assert!(!ran.stdout.contains("built-clusters"), "{}", ran.stdout);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/prod/app.yaml ghcr.io/acme/app:1.0.0"]
    );
}

fn a_failed_build(world: &World) {
    let tree = fleet_with_policies(&[
        (
            "clusters/prod/broken.yaml",
            &kustomization("broken", "./broken", ""),
        ),
        (
            "clusters/prod/nowhere.yaml",
            &kustomization("nowhere", "./nowhere", ""),
        ),
        (
            "clusters/prod/workflow.yaml",
            &kustomization(
                "workflow",
                "./workflow",
                "  postBuild: {substitute: {A: b}}\n",
            ),
        ),
        (
            "broken/kustomization.yaml",
            "resources: [gone.yaml, images.yaml]\n",
        ),
        (
            "broken/images.yaml",
            &images("", "ghcr.io/acme/two", "./two"),
        ),
        (
            "workflow/ci.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ci}\ndata: {x: 'image.toolkit.fluxcd.io ${{ github.ref }}'}\n",
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let ran = cluster(world, &tree, &["--check"]);
    let report = report(&ran);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert_eq!(changed(&report), ["apps/app.yaml ghcr.io/acme/app:1.1.0"]);
    let mut found = codes(&report);
    found.sort();
    assert_eq!(found, ["build-failed", "build-failed", "build-failed"]);
    for said in [
        "gone.yaml",
        "there is no folder `nowhere`",
        "substituting variables: ",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("/source/"), "{}", ran.stdout);
}

fn circles_end(world: &World) {
    let tree = fleet(&[
        (
            "clusters/prod/all.yaml",
            &kustomization("all", "./", "").replace("path: ./\n", "path: ./loop\n"),
        ),
        ("loop/again.yaml", &kustomization("again", "./loop", "")),
        (
            "loop/root.yaml",
            &kustomization("flux-system", "./loop", ""),
        ),
        (
            "loop/images.yaml",
            &images("", "ghcr.io/acme/app", "./apps"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let ran = cluster(world, &tree, &[]);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

/// The fleet in one repository, the manifests in another.
fn other_sources(world: &World) {
    let apps = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: flux-system}\nspec: {interval: 1m, url: 'https://git.example/acme/apps'}\n";
    let of_apps = kustomization("apps", "./policies", "  targetNamespace: flux-system\n")
        .replace("name: flux-system}\n  target", "name: apps}\n  target");
    let place = Tree::new(&[]);
    let make = |name: &str, files: &[(&str, &str)]| {
        for (file, text) in files {
            place.write(&format!("{name}/{file}"), text);
        }
        place.write(&format!("{name}/.git/HEAD"), "ref: refs/heads/main\n");
        for folder in ["objects", "refs"] {
            place.write(&format!("{name}/.git/{folder}/x"), "");
        }
        let config = format!("[remote \"origin\"]\n\turl = git@git.example:acme/{name}.git\n");
        place.write(&format!("{name}/.git/config"), &config);
    };
    let images = images("", "ghcr.io/acme/app", "./apps").replace(
        "sourceRef: {kind: GitRepository, name: flux-system,",
        "sourceRef: {kind: GitRepository, name: apps,",
    );
    make(
        "fleet",
        &[
            ("clusters/prod/flux-system/gotk-sync.yaml", SYNC),
            ("clusters/prod/apps.yaml", &of_apps),
            ("clusters/prod/source.yaml", apps),
        ],
    );
    make(
        "apps",
        &[
            ("policies/images.yaml", &images),
            ("apps/app.yaml", &marked("flux-system:app")),
            (".tags", TAGS),
        ],
    );
    let run = |folder: &str, more: &[&str]| {
        let arguments = [
            &["update", "--dry-run", "-o", "json", "--policies", ".tags"][..],
            more,
        ]
        .concat();
        world.run(&place.at(folder), "flux-image", &arguments)
    };
    // From the manifests' checkout, whose address the fleet's source has.
    let ran = run("apps", &["--cluster-path", "../fleet/clusters/prod"]);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // From the fleet's, in which nothing is edited.
    place.write("fleet/.tags", TAGS);
    let ran = run("fleet", &["--cluster-path", "clusters/prod"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("--local-sources GitRepository/flux-system/apps=DIR"),
        "{said}"
    );
    let ran = world.run(
        &place.at("fleet"),
        "flux-image",
        &[
            "resolve",
            "--policies",
            ".tags",
            "--cluster-path",
            "clusters/prod",
            "--local-sources",
            "GitRepository/flux-system/apps=../apps",
        ],
    );
    assert!(
        ran.stdout.contains("tag: 1.1.0"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // A checkout whose address tells nothing.
    place.write("apps/.git/config", "");
    let ran = run(
        "apps",
        &[
            "--cluster-path",
            "../fleet/clusters/prod",
            "--local-sources",
            "GitRepository/flux-system/apps=.",
        ],
    );
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    for wrong in [
        "apps=../apps",
        "GitRepository/apps=../apps",
        "GitRepository/a/b/c=x",
        "GitRepository/a/b=",
    ] {
        let ran = run(
            "apps",
            &[
                "--cluster-path",
                "../fleet/clusters/prod",
                "--local-sources",
                wrong,
            ],
        );
        assert_eq!(ran.code, Some(2), "{wrong}");
        assert!(
            ran.stderr.contains("KIND/NAMESPACE/NAME=DIR"),
            "{wrong}: {}",
            ran.stderr
        );
    }
}

/// Builds are counted: a folder without anything of Flux's is none.
fn only_what_matters(world: &World) {
    let tree = fleet_with_policies(&[
        (
            "clusters/prod/apps.yaml",
            &kustomization("apps", "./apps", ""),
        ),
        (
            "clusters/prod/twice.yaml",
            &kustomization("twice", "./policies", "  targetNamespace: flux-system\n"),
        ),
        (
            "apps/app.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n",
        ),
        ("apps/broken.yaml", "a: [\n"),
    ]);
    tree.write(
        ".kustomize",
        "#!/bin/sh\necho x >> \"${0%/*}/.count\"\nexec \"$0.real\" \"$@\"\n",
    );
    fs::set_permissions(tree.at(".kustomize"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let real = crate::services::program("kustomize").expect("kustomize");
    symlink(
        fs::canonicalize(real).expect("a program"),
        tree.at(".kustomize.real"),
    )
    .expect("a link");
    let script = "FLUX_IMAGE_KUSTOMIZE=$PWD/.kustomize flux-image update --dry-run -o json --policies .tags --cluster-path clusters/prod";
    let ran = world.shell(tree.path(), script);
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(
        tree.read(".count").lines().count(),
        2,
        "the root, and the policies once"
    );
}

/// Ctrl-C while a build runs: exit 130, nothing changed, nothing left.
fn interrupted(world: &World) {
    _ = world;
    for signal in ["-INT", "-TERM"] {
        interrupted_by(signal);
    }
}

fn interrupted_by(signal: &str) {
    let tree = fleet(&[("apps/app.yaml", &marked("flux-system:app"))]);
    tree.write(
        ".slow/kustomize",
        "#!/bin/sh\necho $$ > \"${0%/*}/pid\"\nexec /bin/sleep 60\n",
    );
    fs::set_permissions(
        tree.at(".slow/kustomize"),
        fs::Permissions::from_mode(0o755),
    )
    .expect("a mode");
    fs::create_dir(tree.at(".tmp")).expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_flux-image"))
        .args(["update", "--cluster-path", "clusters/prod"])
        .current_dir(tree.path())
        .env("FLUX_IMAGE_KUSTOMIZE", tree.at(".slow/kustomize"))
        .env("TMPDIR", tree.at(".tmp"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let begin = Instant::now();
    while !tree.at(".slow/pid").exists() && begin.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(begin.elapsed() < Duration::from_secs(30));
    let left = fs::read_dir(tree.at(".tmp")).expect("a folder").count();
    assert_eq!(left, 0);
}

/// A cluster of which something is wrong counts, also where another one is fine.
fn no_cluster_is_lost(world: &World) {
    let tree = fleet_of_two();
    tree.write(
        "clusters/staging/kustomization.yaml",
        "resources: [flux-system, gone.yaml, images.yaml]\n",
    );
    let both = [
        "--cluster-path",
        "clusters/prod",
        "--cluster-path",
        "clusters/staging",
    ];
    for more in [&["--check"][..], &[&["--check"][..], &both].concat()] {
        let ran = update(world, &tree, more);
        assert_eq!(ran.code, Some(2), "{more:?}: {}{}", ran.stdout, ran.stderr);
        let report = report(&ran);
        assert_eq!(changed(&report).len(), 1);
        assert!(
            codes(&report).contains(&"build-failed".to_owned()),
            "{}",
            ran.stdout
        );
    }
    // `scan` and `resolve` tell of clusters that edit nothing.
    let tree = fleet_of_two();
    let file = "clusters/staging/images.yaml";
    let images = tree.read(file);
    let (images, _) = images
        .split_once("---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdate")
        .expect("two");
    tree.write(file, images);
    let ran = world.run(
        tree.path(),
        "flux-image",
        &["resolve", "--policies", ".tags"],
    );
    assert!(
        ran.stdout
            .contains("flux-image.dev/cluster: clusters/staging"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let ran = world.run(tree.path(), "flux-image", &["scan", "--policies", ".tags"]);
    assert_eq!(documents(&ran.stdout).len(), 2, "{}", ran.stdout);
}

/// That one cluster wants what stands there, or that a third one comes later, settles
/// nothing.
fn disagreements(world: &World) {
    let tree = fleet_of_two();
    for name in ["prod", "staging"] {
        let file = format!("clusters/{name}/images.yaml");
        let text = tree
            .read(&file)
            .replace(&format!("./apps/{name}"), "./apps");
        tree.write(&file, &text);
    }
    let third = tree
        .read("clusters/prod/images.yaml")
        .replace("1.0.x", "1.x");
    tree.write("clusters/test/images.yaml", &third);
    tree.write(
        "clusters/test/flux-system/gotk-sync.yaml",
        &SYNC.replace("clusters/prod", "clusters/test"),
    );
    let text = marked("flux-system:app");
    for name in ["prod", "staging"] {
        tree.write(&format!("apps/{name}/app.yaml"), &text);
    }
    let paths = ["prod", "staging", "test"].map(|name| format!("clusters/{name}"));
    let arguments: Vec<&str> = paths
        .iter()
        .flat_map(|path| ["--cluster-path", path])
        .collect();
    for count in [4, 6] {
        let ran = update(world, &tree, &arguments[..count]);
        assert_eq!(ran.code, Some(2), "{}", ran.stdout);
        let report = report(&ran);
        assert_eq!(changed(&report), [] as [&str; 0], "{}", ran.stdout);
        assert_eq!(codes(&report), ["conflicting-automations"; 2]);
        assert_eq!(tree.read("apps/prod/app.yaml"), text);
    }
    // Who does not know a policy says so, unless another one decides there.
    let tree = fleet_of_two();
    tree.write("apps/prod/typo.yaml", &marked("flux-system:typo"));
    let images = tree
        .read("clusters/prod/images.yaml")
        .replace("name: app,", "name: only-prod,")
        .replace("{name: app}", "{name: only-prod}");
    tree.write(
        "clusters/prod/more.yaml",
        images
            .split("---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdate")
            .next()
            .expect("documents"),
    );
    tree.write("apps/staging/other.yaml", &marked("flux-system:only-prod"));
    let ran = update(world, &tree, &["--dry-run"]);
    assert!(
        ran.stdout
            .contains("no ImagePolicy `flux-system:typo` is known"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("`flux-system:only-prod` is another cluster's"),
        "{}",
        ran.stdout
    );
}

/// What is not followed may hold the policy of a marker.
fn holes(world: &World) {
    let elsewhere =
        kustomization("far", "./far", "").replace("name: flux-system}\n", "name: far}\n");
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: far, namespace: flux-system}\nspec: {url: 'https://git.example/acme/far'}\n";
    let tree = fleet_with_policies(&[
        (
            ".git/config",
            "[remote \"origin\"]\n\turl = https://git.example/acme/fleet\n",
        ),
        ("clusters/prod/far.yaml", &elsewhere),
        ("clusters/prod/source.yaml", source),
        ("apps/app.yaml", &marked("far:app")),
    ]);
    let ran = cluster(world, &tree, &["--check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("no ImagePolicy `far:app` is known"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .contains("--local-sources GitRepository/flux-system/far=DIR"),
        "{}",
        ran.stdout
    );
}

fn sources(world: &World) {
    // A source of its own in the same checkout, which ignores all but one folder.
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: apps, namespace: flux-system}\nspec: {url: 'https://git.example/acme/fleet', ref: {branch: main}, ignore: \"/*\\n!/policies\\n\"}\n";
    let of_apps = kustomization("images", "./policies", "  targetNamespace: flux-system\n")
        .replace("name: flux-system}\n  target", "name: apps}\n  target");
    let tree = fleet(&[
        (
            ".git/config",
            "[remote \"origin\"]\n\turl = https://git.example/acme/fleet\n",
        ),
        ("clusters/prod/images.yaml", &of_apps),
        ("clusters/prod/source.yaml", source),
        (
            "policies/images.yaml",
            &images("", "ghcr.io/acme/app", "./apps"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let ran = cluster(world, &tree, &["--dry-run"]);
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // Another branch holds who knows what.
    tree.write(
        "clusters/prod/source.yaml",
        &source.replace("branch: main", "branch: other"),
    );
    let ran = cluster(world, &tree, &["--dry-run"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("not followed"), "{said}");
    // A checkout by another address, and who says that it is the one.
    tree.write("clusters/prod/source.yaml", source);
    tree.write(
        ".git/config",
        "[remote \"origin\"]\n\turl = https://mirror.example/fleet\n",
    );
    let named = "GitRepository/flux-system/flux-system=.,GitRepository/flux-system/apps=.";
    let ran = cluster(world, &tree, &["--dry-run", "--local-sources", named]);
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // A folder inside of the one that is built: the real root is followed from there.
    let ran = update(
        world,
        &tree,
        &[
            "--dry-run",
            "--cluster-path",
            "clusters/prod/flux-system",
            "--local-sources",
            named,
        ],
    );
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // Without a network nothing is fetched.
    tree.write(
        "policies/kustomization.yaml",
        "resources: [images.yaml, 'http://127.0.0.1:9/x.yaml']\n",
    );
    let ran = cluster(
        world,
        &tree,
        &[
            "--dry-run",
            "--offline",
            "--remote-bases",
            "--local-sources",
            named,
        ],
    );
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

/// ConfigMaps and Secrets in builds that nothing else asks for.
fn late_values(world: &World) {
    let from = |name: &str| {
        format!(
            "  targetNamespace: flux-system\n  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: {name}}}]}}\n"
        )
    };
    let optional =
        "  postBuild: {substituteFrom: [{kind: Secret, name: nowhere, optional: true}]}\n";
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {HOST: ghcr.io}\n";
    let mention = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containers: [{name: a, envFrom: [{configMapRef: {name: settings}}]}]}}}\n";
    for (name, suffix) in [("settings", ""), ("settings-prod", "  nameSuffix: -prod\n")] {
        let tree = fleet(&[
            // It waits for what is nowhere; its child asks for what is skipped.
            (
                "clusters/prod/top.yaml",
                &kustomization("top", "./top", optional),
            ),
            (
                "top/images.yaml",
                &kustomization("images", "./policies", &from(name)),
            ),
            (
                "clusters/prod/z-config.yaml",
                &kustomization("config", "./config", suffix),
            ),
            (
                "clusters/prod/z-app.yaml",
                &kustomization("app", "./app", ""),
            ),
            ("config/settings.yaml", settings),
            ("app/deploy.yaml", mention),
            (
                "policies/images.yaml",
                &images("", "${HOST}/acme/app", "./apps"),
            ),
            ("apps/app.yaml", &marked("flux-system:app")),
        ]);
        let ran = cluster(world, &tree, &[]);
        assert_eq!(
            changed(&report(&ran)),
            ["apps/app.yaml ghcr.io/acme/app:1.1.0"],
            "{name}: {}{}",
            ran.stdout,
            ran.stderr
        );
        assert!(
            ran.stdout.contains("is optional and not in the checkout"),
            "{}",
            ran.stdout
        );
        assert_eq!(ran.code, Some(0));
    }
    // A long chain is no circle.
    let tree = fleet(&[("apps/app.yaml", &marked("flux-system:app"))]);
    let mut folder = "clusters/prod".to_owned();
    for number in 0..60 {
        let next = format!("chain/{number}");
        tree.write(
            &format!("{folder}/next.yaml"),
            &kustomization(&format!("k{number}"), &format!("./{next}"), ""),
        );
        folder = next;
    }
    tree.write(
        &format!("{folder}/images.yaml"),
        &images("", "ghcr.io/acme/app", "./apps"),
    );
    let ran = cluster(world, &tree, &[]);
    assert_eq!(
        changed(&report(&ran)).len(),
        1,
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // The Secret that a registry is asked with.
    let repository = images("", "ghcr.io/acme/app", "./apps").replacen(
        "interval: 1m",
        "interval: 1m, secretRef: {name: login}",
        1,
    );
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: flux-system}\nstringData: {username: u, password: \"p\\n\"}\n";
    let tree = fleet(&[
        (
            "clusters/prod/images.yaml",
            &kustomization("images", "./policies", "  targetNamespace: flux-system\n"),
        ),
        (
            "clusters/prod/login.yaml",
            &kustomization("login", "./login", ""),
        ),
        ("policies/images.yaml", &repository),
        ("login/secret.yaml", secret),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    let script =
        "unset FLUX_IMAGE_OFFLINE; flux-image scan --cluster-path clusters/prod --timeout 100ms";
    let ran = world.shell(tree.path(), script);
    assert!(
        !ran.stderr.contains("is not in the input"),
        "{}",
        ran.stderr
    );
}

fn encrypted_values(world: &World) {
    const VALUE: &str = "ENC[AES256_GCM,data:abc,iv:x,tag:y,type:str]";
    let tree = fleet(&[
        (
            "clusters/prod/images.yaml",
            &kustomization(
                "images",
                "./policies",
                "  targetNamespace: flux-system\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n",
            ),
        ),
        (
            "clusters/prod/settings.yaml",
            &format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: flux-system}}\ndata: {{HOST: '{VALUE}'}}\n"
            ),
        ),
        (
            "policies/images.yaml",
            &images("", "${HOST}/acme/app", "./apps"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
        (
            ".given",
            &format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData: {{HOST: '{VALUE}'}}\nsops: {{mac: m}}\n"
            ),
        ),
    ]);
    let ran = cluster(world, &tree, &[]);
    assert_eq!(ran.code, Some(2));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("which is encrypted") && !said.contains("ENC["),
        "{said}"
    );
    let ran = cluster(world, &tree, &["--substitute-from", ".given"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("this is encrypted"), "{}", ran.stderr);
}

/// A repository in which one team's folder may hold anything, and its values reach an
/// image.
fn with_team(files: &[(&str, &str)]) -> Tree {
    let post = "  targetNamespace: flux-system\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings, optional: true}]}\n";
    let tree = fleet(&[
        (
            "clusters/prod/images.yaml",
            &kustomization("images", "./teams/one", post),
        ),
        (
            "teams/one/images.yaml",
            &images("", "ghcr.io/acme/${PASSWORD:=app}", "./apps"),
        ),
        ("apps/app.yaml", &marked("flux-system:app")),
    ]);
    for (name, text) in files {
        tree.write(name, text);
    }
    tree
}

/// Texts that our reader and kustomize's may take for different things: whatever it is,
/// nothing outside is read.
fn two_readings(world: &World) {
    const SECRET: &str = "an-outside-secret";
    let patch = images("", "ghcr.io/acme/an-outside-secret", "./apps");
    let patch = patch.split("---").next().expect("a document");
    let outside = Tree::new(&[("secret", SECRET), ("patch.yaml", patch)]);
    let place = outside.path().display().to_string();
    let generator = format!(
        "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {{name: settings, namespace: flux-system}}\noptions: {{disableNameSuffixHash: true}}\nfiles: [\"PASSWORD={place}/secret\"]\n"
    );
    let inline = |last: &str| {
        let text = serde_json::to_string(&format!("{generator}{last}")).expect("JSON");
        format!("resources: [images.yaml]\ngenerators: [{text}]\n")
    };
    let deep = "[".repeat(2000) + &"]".repeat(2000);
    let folders = "resources: [images.yaml, ../g, ../plug]\n".to_owned();
    let climb = "../".repeat(12);
    for (attack, more) in [
        (inline("m: 1e999\n"), vec![]),
        (inline(&format!("m: {deep}\n")), vec![]),
        (inline("#\r"), vec![]),
        (inline("? [a]\n: b\n"), vec![]),
        (inline("a: 1\na: 2\n"), vec![]),
        (inline("m: !!float x\n"), vec![]),
        (
            format!(
                "resources: [images.yaml]\npatchesStrategicMerge: ['x: y/../{climb}{place}/patch.yaml']\n"
            ),
            vec![],
        ),
        (
            format!(
                "resources: [images.yaml]\npatchesStrategicMerge: ['x: y/../{climb}{place}/patch.yaml', '---\n{{}}']\n"
            ),
            vec![],
        ),
        (
            folders,
            vec![
                (
                    "teams/g/kustomization.yaml",
                    "generators: [../plug]\n".to_owned(),
                ),
                (
                    "teams/plug/kustomization.yaml",
                    "resources: [gen.yaml]\n".to_owned(),
                ),
                ("teams/plug/gen.yaml", generator.clone()),
            ],
        ),
        (
            "resources: [images.yaml]\ngenerators: [../1/2/plug, deep]\n".to_owned(),
            vec![
                (
                    "teams/1/2/plug/kustomization.yaml",
                    "resources: [gen.yaml]\n".to_owned(),
                ),
                (
                    "teams/1/2/plug/gen.yaml",
                    generator.replace(&format!("{place}/secret"), "../../x"),
                ),
                (
                    "teams/one/deep/kustomization.yaml",
                    "generators: [../../1/2/plug]\nresources: [../../1/2/plug]\n".to_owned(),
                ),
            ],
        ),
        (
            "resources: [images.yaml, ../h, ../g]\n".to_owned(),
            vec![
                (
                    "teams/h/kustomization.yaml",
                    "resources: [../g]\ngenerators: [../g/kustomization.yaml]\n".to_owned(),
                ),
                (
                    "teams/g/kustomization.yaml",
                    format!(
                        "kind: Kustomization\nmetadata: {{name: x}}\nresources: [{place}/patch.yaml]\n"
                    ),
                ),
            ],
        ),
    ] {
        let mut files: Vec<(&str, &str)> = vec![("teams/one/kustomization.yaml", &attack)];
        files.extend(more.iter().map(|(name, text)| (*name, text.as_str())));
        let tree = with_team(&files);
        let ran = cluster(world, &tree, &["--dry-run"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(SECRET), "{attack}: {said}");
        assert!(matches!(ran.code, Some(0..=3)), "{attack}: {said}");
    }
}

fn what_remote_bases_may_be(world: &World) {
    let outside = Tree::new(&[
        ("secret", "an-outside-secret"),
        (
            "repo/kustomization.yaml",
            "configMapGenerator: [{name: settings, namespace: flux-system, options: {disableNameSuffixHash: true}, literals: [PASSWORD=an-outside-secret]}]\n",
        ),
    ]);
    let git = world.shell(
        &outside.at("repo"),
        "git init -q -b main && git add -A && git commit -qm x",
    );
    let has_git = git.code == Some(0);
    let place = outside.path().display().to_string();
    let climb = "../".repeat(12);
    let touched = outside.at("touched");
    for attack in [
        format!("resources: [images.yaml, 'file://{place}/repo?ref=main']"),
        format!("resources: [images.yaml, 'git::file://{place}/repo?ref=main']"),
        format!("resources: [images.yaml, '{place}/repo/.git?ref=main']"),
        format!(
            "resources: [images.yaml, 'file:///nowhere?ref=--upload-pack=touch%20{}%20%23']",
            touched.display()
        ),
        format!(
            "resources: [images.yaml]\nconfigMapGenerator: [{{name: settings, namespace: flux-system, files: ['PASSWORD=a.git/../{climb}{place}/secret']}}]"
        ),
        format!(
            "resources: [images.yaml]\nconfigMapGenerator: [{{name: settings, namespace: flux-system, envs: ['a://../../{climb}{place}/secret']}}]"
        ),
        // What is fetched and read as if it lay here.
        "resources: [images.yaml]\ngenerators: ['http://127.0.0.1:9/gen.yaml']".to_owned(),
        "resources: [images.yaml]\ntransformers: [../../plug]".to_owned(),
        "resources: [images.yaml]\nopenapi: {path: 'http://127.0.0.1:9/x.json'}".to_owned(),
        "resources: [images.yaml]\nconfigMapGenerator: [{name: settings, namespace: flux-system, files: ['PASSWORD=http://127.0.0.1:9/x']}]".to_owned(),
        "resources: [images.yaml, 'http://169.254.169.254/latest/meta-data']".to_owned(),
    ] {
        let plug = "resources: ['https://127.0.0.1:9/gen.yaml']\n";
        let tree = with_team(&[
            ("teams/one/kustomization.yaml", &attack),
            ("plug/kustomization.yaml", plug),
        ]);
        let ran = cluster(world, &tree, &["--dry-run", "--remote-bases"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !said.contains("an-outside-secret"),
            "{attack} (git: {has_git}): {said}"
        );
        assert_eq!(ran.code, Some(2), "{attack}: {said}");
        assert!(!touched.exists(), "{attack}");
        // Nobody was asked.
        assert!(!said.contains("connection refused"), "{attack}: {said}");
    }
}

fn untracked(world: &World) {
    let tree = with_team(&[
        (
            "teams/one/kustomization.yaml",
            "resources: [images.yaml]\nconfigMapGenerator: [{name: settings, namespace: flux-system, options: {disableNameSuffixHash: true}, envs: [../../local.env]}]\n",
        ),
        (".gitignore", "*.env\n"),
    ]);
    fs::remove_dir_all(tree.at(".git")).expect("removed");
    world
        .shell(
            tree.path(),
            "git init -q -b main && git add -A && git commit -qm x",
        )
        .ok();
    // What a change may say of ignoring counts for nothing.
    tree.write(".gitignore", "!local.env\n");
    tree.write("local.env", "PASSWORD=only-on-this-machine\n");
    let ran = cluster(world, &tree, &["--dry-run"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("only-on-this-machine"), "{said}");
    assert!(said.contains("is not tracked by git"), "{said}");
}

/// Folders that name one another over and over, Kustomizations that make ever new ones,
/// values that make gigabytes.
fn endless(world: &World) {
    let mut files: Vec<(String, String)> = Vec::new();
    for level in 0..25 {
        for side in ["a", "b"] {
            let next = level + 1;
            files.push((
                format!("d/{level}{side}/kustomization.yaml"),
                format!("resources: [../{next}a, ../{next}b]\n"),
            ));
        }
    }
    for side in ["a", "b"] {
        let text = images("", "ghcr.io/acme/two", "./two");
        files.push((
            format!("d/25{side}/kustomization.yaml"),
            "resources: [images.yaml]\n".to_owned(),
        ));
        files.push((format!("d/25{side}/images.yaml"), text));
    }
    let big = "x".repeat(50_000);
    files.push((
        "clusters/prod/d.yaml".to_owned(),
        kustomization("d", "./d/0a", ""),
    ));
    files.push((
        "clusters/prod/n.yaml".to_owned(),
        kustomization("n", "./n", "  postBuild: {substitute: {n: x}}\n"),
    ));
    files.push((
        "n/next.yaml".to_owned(),
        kustomization(
            "'c-${n}'",
            "./n",
            "  postBuild: {substitute: {n: '${n}x'}}\n",
        ),
    ));
    files.push((
        "clusters/prod/big.yaml".to_owned(),
        kustomization(
            "big",
            "./big",
            &format!("  postBuild: {{substitute: {{A: {big}}}}}\n"),
        ),
    ));
    let many = "${A}".repeat(200);
    for number in 0..30 {
        files.push((format!("big/{number}.yaml"), format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big{number}, namespace: image.toolkit.fluxcd.io}}\ndata: {{a: '{many}'}}\n")));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let tree = with_team(&files);
    tree.write(
        "teams/one/images.yaml",
        &images("", "ghcr.io/acme/app", "./apps"),
    );
    let ran = cluster(world, &tree, &["--dry-run"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for said in ["times", "lead to it", "would be larger than"] {
        assert!(
            ran.stdout.contains(said),
            "{said}: {}",
            &ran.stderr[..ran.stderr.len().min(2000)]
        );
    }
    // The rest is there all the same.
    assert_eq!(
        changed(&report(&ran)),
        ["apps/app.yaml ghcr.io/acme/app:1.1.0"]
    );
}

/// The findings of a report that are of a code: place, message and hint.
fn said(report: &Value, code: &str) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let of_code = findings.filter(|one| one["code"] == code);
    let one = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        format!(
            "{}:{}: {}: {} ({})",
            text("file"),
            one["line"],
            text("field"),
            text("message"),
            text("hint")
        )
    };
    of_code.map(one).collect()
}

/// A value without quotes is a number; a group of a pattern is no variable; a path
/// whose maker has no values stays as it is.
fn what_values_become(world: &World) {
    let policy = |name: &str, spec: &str| {
        format!(
            "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\nspec:\n  imageRepositoryRef: {{name: app}}\n{spec}"
        )
    };
    let values = "  targetNamespace: flux-system\n  postBuild: {substitute: {R: '1.10', Q: '\"1.10\"', B: 'yes'}}\n";
    let policies = [
        images("", "ghcr.io/acme/app", "./apps"),
        policy("number", "  policy:\n    semver:\n      range: \"${R}\"\n"),
        policy("quoted", "  policy: {semver: {range: '${Q}'}}\n"),
        policy("bool", "  policy: {alphabetical: {order: '${B}'}}\n"),
        policy(
            "group",
            "  filterTags: {pattern: '^main-(?P<ts>.*)$', extract: '${ts}'}\n  policy: {numerical: {}}\n",
        ),
        policy(
            "escaped",
            "  filterTags: {pattern: '^(?P<ts>.*)$', extract: '$${ts}'}\n  policy: {alphabetical: {}}\n",
        ),
    ];
    let tree = fleet(&[
        (
            "clusters/prod/images.yaml",
            &kustomization("images", "./policies", values),
        ),
        ("policies/all.yaml", &policies.concat()),
        (
            "plain/part.yaml",
            &kustomization("lost", "./apps/${ENV}", ""),
        ),
        (
            "clusters/prod/plain.yaml",
            &kustomization("plain", "./plain", ""),
        ),
        (
            "apps/app.yaml",
            &["number", "escaped", "bool"]
                .map(|name| {
                    let key = format!("{name}: ");
                    key + &marked(&format!("flux-system:{name}"))["image: ".len()..]
                })
                .concat(),
        ),
    ]);
    let ran = cluster(world, &tree, &["--check"]);
    let told = report(&ran);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert_eq!(changed(&told), ["apps/app.yaml ghcr.io/acme/app:1.1.0"]);
    let text = fs::read_to_string(tree.at("policies/all.yaml")).expect("read");
    let line = |needle: &str| {
        1 + text[..text.find(needle).expect(needle)]
            .matches('\n')
            .count()
    };
    let quote = "(if it is the value of a variable, quote it there, where the quotes stay: `NAME: '\"1.10\"'`; kustomize takes those off that stand around `${NAME}`)";
    let at = |needle: &str| format!("policies/all.yaml:{}: ", line(needle));
    let bad = [
        format!(
            "{}spec.policy.alphabetical.order: ImagePolicy `bool` cannot be read: `true` is no string without quotes {quote}",
            at("'${B}'")
        ),
        format!(
            "{}spec.policy.semver.range: ImagePolicy `number` cannot be read: `1.1` is no string without quotes {quote}",
            at("\"${R}\"")
        ),
    ];
    assert_eq!(said(&told, "bad-document"), bad, "{}", ran.stdout);
    let group = line("name: group") - 2;
    assert_eq!(
        said(&told, "unset-variable"),
        [format!(
            "policies/all.yaml:{group}: : ImagePolicy `group` names `${{ts}}`, which nothing sets, so that it is empty (`ts` is a group of `filterTags.pattern`: write `$${{ts}}` in `extract`, which substitution leaves as `${{ts}}`)"
        )]
    );
    assert_eq!(
        said(&told, "unknown-variable"),
        [
            "plain/part.yaml:1: : Kustomization `flux-system:lost` is not followed: `spec.path` has variables (ENV), and Kustomization `flux-system:plain`, which makes it, has no `postBuild` that would set any (give `flux-system:plain` a `postBuild`: Flux takes the path as it is written, too)"
        ]
    );
}

/// Names that no file holds: a prefix, a patch, another namespace. Where the builds do
/// not know them either, the files are read as they lie.
fn what_only_builds_name(world: &World) {
    let whole = images("", "ghcr.io/acme/app", "./apps")
        .replace(
            "metadata: {name: app}",
            "metadata: {name: app, namespace: flux-system}",
        )
        .replace(
            "metadata: {name: auto}",
            "metadata: {name: auto, namespace: flux-system}",
        );
    let renamed = "resources: [all.yaml]
patches:
- target: {kind: ImagePolicy}
  patch: |
    - {op: replace, path: /metadata/name, value: renamed}
";
    let suffixed = "resources: [all.yaml]\nnameSuffix: -prod\nconfigurations: [names.yaml]\n";
    let names = "nameReference: [{kind: ImageRepository, group: image.toolkit.fluxcd.io, fieldSpecs: [{kind: ImagePolicy, path: spec/imageRepositoryRef/name}]}]\n";
    let moved = "resources: [all.yaml]\nnamespace: apps\n";
    for (kustomization, policy, is_built) in [
        (renamed, "flux-system:renamed", true),
        (suffixed, "flux-system:app-prod", true),
        (moved, "apps:app", true),
        (suffixed, "flux-system:nobody", false),
        ("resources: [all.yaml]\n", "apps:app", false),
    ] {
        let tree = fleet(&[
            ("clusters/prod/policies/kustomization.yaml", kustomization),
            ("clusters/prod/policies/all.yaml", &whole),
            ("clusters/prod/policies/names.yaml", names),
            ("apps/app.yaml", &marked(policy)),
        ]);
        let ran = update(world, &tree, &["--check"]);
        let told = report(&ran);
        assert_eq!(
            ran.stdout.contains("built-clusters"),
            is_built,
            "{policy}: {}",
            ran.stdout
        );
        assert_eq!(changed(&told).len(), usize::from(is_built), "{policy}");
        let code = if is_built { 1 } else { 2 };
        assert_eq!(ran.code, Some(code), "{policy}: {}", ran.stdout);
    }
    // What is in the tree alone, and marked, counts all the same.
    let tree = fleet(&[
        ("clusters/prod/policies/kustomization.yaml", renamed),
        ("clusters/prod/policies/all.yaml", &whole),
        (
            "tenants/policy.yaml",
            &whole
                .replace("name: app,", "name: tenant,")
                .replace("name: auto,", "name: other,"),
        ),
        ("apps/app.yaml", &marked("flux-system:renamed")),
        ("apps/tenant.yaml", &marked("flux-system:tenant")),
    ]);
    let told = report(&update(world, &tree, &["--dry-run"]));
    assert_eq!(changed(&told), ["apps/tenant.yaml ghcr.io/acme/app:1.1.0"]);
}

/// The Kustomization of a FluxInstance, with the patches that its owner adds.
fn flux_operators_instance(world: &World) {
    let instance = |patches: &str| {
        format!(
            "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {{name: flux, namespace: flux-system}}\nspec:\n  distribution: {{version: 2.x, registry: ghcr.io/fluxcd}}\n  sync: {{kind: GitRepository, url: 'https://git.example/acme/fleet', ref: refs/heads/main, path: clusters/prod}}\n{patches}"
        )
    };
    let values = "  kustomize:
    patches:
    - target: {kind: Deployment}
      patch: '[{\"op\": \"remove\", \"path\": \"/spec/replicas\"}]'
    - target: {kind: Kustomization, name: flux-system}
      patch: |
        - op: add
          path: /spec/postBuild
          value: {substitute: {HOST: ghcr.io, OVER: apps}}
";
    let broken = "  kustomize:
    patches:
    - target: {kind: Kustomization}
      patch: |
        - {op: replace, path: /spec/gone/field, value: 1}
      path: /etc/passwd
";
    let any = &values.replace(
        "{kind: Kustomization, name: flux-system}",
        "{name: flux-system}",
    );
    for (patches, changes, codes_said) in [
        (values, 1, &[][..]),
        (any, 1, &[]),
        ("", 0, &["unresolved-policy"]),
        (broken, 0, &["build-failed"]),
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", "ref: refs/heads/main\n"),
            (".tags", TAGS),
            ("clusters/prod/flux.yaml", &instance(patches)),
            (
                "clusters/prod/images.yaml",
                &images("", "${HOST}/acme/app", "./apps"),
            ),
            ("apps/app.yaml", &marked("flux-system:app")),
        ]);
        for more in [&["--cluster-path", "clusters/prod"][..], &[]] {
            let ran = update(world, &tree, &[&["--check"][..], more].concat());
            let told = report(&ran);
            assert_eq!(changed(&told).len(), changes, "{patches}: {}", ran.stdout);
            let is_said = |code: &&str| codes(&told).contains(&(*code).to_owned());
            assert!(codes_said.iter().all(is_said), "{patches}: {}", ran.stdout);
            let code = if changes == 1 { 1 } else { 2 };
            assert_eq!(ran.code, Some(code), "{patches}: {}", ran.stdout);
        }
    }
}

/// What is not followed or not applied is told, and no check is green over what it might
/// hold.
fn what_flux_leaves_alone(world: &World) {
    let set = "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSet\nmetadata: {name: apps, namespace: flux-system}\nspec:\n  inputs: [{name: two}]\n  resources:\n  - apiVersion: image.toolkit.fluxcd.io/v1\n    kind: ImagePolicy\n    metadata: {name: << inputs.name >>, namespace: flux-system}\n";
    let tree = fleet_with_policies(&[("apps/app.yaml", &marked("flux-system:app"))]);
    let ran = cluster(world, &tree, &["--check"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    tree.write("policies/set.yaml", set);
    tree.write("apps/two.yaml", &marked("flux-system:two"));
    let ran = cluster(world, &tree, &["--dry-run"]);
    let told = report(&ran);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert_eq!(
        said(&told, "not-followed"),
        [
            "policies/set.yaml:1: : ResourceSet `flux-system:apps` is not followed: what flux-operator makes of it is not known here (hand its documents in: `flux-operator build rset -f FILE | flux-image … --policies -`)"
        ]
    );
    let still = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: still, annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}}\nspec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '*'}}}\n";
    let tree = fleet_with_policies(&[
        ("policies/still.yaml", still),
        ("apps/app.yaml", &marked("flux-system:still")),
    ]);
    let ran = cluster(world, &tree, &["--check"]);
    let told = report(&ran);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(
        said(&told, "suspended"),
        [
            "policies/still.yaml:1: : ImagePolicy `still` is not reconciled (`kustomize.toolkit.fluxcd.io/reconcile: disabled`): what the cluster has may be older ()"
        ]
    );
}
