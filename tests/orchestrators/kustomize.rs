//! `kustomize build` with the function as transformer and as validator, and
//! `kustomize fn run`.

use crate::Story;
use crate::world::{Ran, Tool, Tree, World};

/// Where tags are, which is the latest, and the tags, for `kustomize build` to
/// carry and to drop.
pub const FLUX: &str = r#"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata:
  name: app
  namespace: flux-system
  annotations: {config.kubernetes.io/local-config: "true"}
spec: {image: ghcr.io/acme/app}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: app
  namespace: flux-system
  annotations: {config.kubernetes.io/local-config: "true"}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: '>=1.0.0'}}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata:
  name: tags
  annotations: {config.kubernetes.io/local-config: "true"}
spec:
  repositories:
  - {image: ghcr.io/acme/app, tags: [1.0.0, 1.10.0, 1.9.0, 2.0.0-rc.1]}
"#;

/// The same inside an ImageUpdate.
const INSIDE: &str = "
  repositories:
  - metadata: {name: app, namespace: flux-system}
    spec: {image: ghcr.io/acme/app}
  policies:
  - metadata: {name: app, namespace: flux-system}
    spec:
      imageRepositoryRef: {name: app}
      policy: {semver: {range: '>=1.0.0'}}
  snapshots:
  - spec:
      repositories:
      - {image: ghcr.io/acme/app, tags: [1.0.0, 1.10.0, 1.9.0]}
";

pub const DEPLOYMENT: &str = "# comment above
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
spec:
  template:
    spec:
      initContainers:
      - name: wait
        image: busybox:1.36
      containers:
      - name: app # its name
        image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
        envFrom:
        - configMapRef: {name: settings}
";

/// What a build of it is, with an image and the name of its ConfigMap.
fn built(name: &str, image: &str, settings: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
      - envFrom:
        - configMapRef:
            name: {settings}
        image: {image}
        name: app
      initContainers:
      - image: busybox:1.36
        name: wait
"
    )
}

/// An ImageUpdate that is run as a program, with a spec.
pub fn update(spec: &str) -> String {
    function("exec: {path: flux-image}", spec)
}

/// An ImageUpdate with a way to run it.
pub fn function(way: &str, spec: &str) -> String {
    format!(
        "apiVersion: flux-image.dev/v1alpha1
kind: ImageUpdate
metadata:
  name: update-images
  annotations:
    config.kubernetes.io/function: |
      {way}
spec: {spec}
"
    )
}

pub fn build(world: &World, tree: &Tree, folder: &str) -> Ran {
    let flags = ["build", "--enable-alpha-plugins", "--enable-exec", folder];
    world.run(tree.path(), "kustomize", &flags)
}

const KUSTOMIZE: &[Tool] = &[Tool::Kustomize];

pub fn stories() -> Vec<Story> {
    let story =
        |name: &str, run: fn(&World)| Story::new(&format!("kustomize::{name}"), KUSTOMIZE, run);
    vec![
        story("policies_as_local_config", policies_as_local_config),
        story("policies_inside_the_image_update", policies_inside),
        story("a_base_and_an_overlay", a_base_and_an_overlay),
        story(
            "generated_config_maps_keep_their_hash",
            generated_config_maps,
        ),
        story("images_of_the_kustomization", images_of_the_kustomization),
        story("a_validator", a_validator),
        story(
            "a_validator_behind_a_transformer",
            a_validator_behind_a_transformer,
        ),
        story("renamed_policies_are_named", renamed_policies_are_named),
        story(
            "documents_inside_are_not_renamed",
            documents_inside_are_not_renamed,
        ),
        story("markers_alone_are_told_of", markers_alone_are_told_of),
        story("annotations_survive", annotations_survive),
        story("origins_in_one_folder", origins_in_one_folder),
        story("origins_through_overlays", origins_through_overlays),
        story(
            "origins_of_a_function_in_a_base",
            origins_of_a_function_in_a_base,
        ),
        story(
            "origins_stay_in_the_repository",
            origins_stay_in_the_repository,
        ),
        story("origins_are_asked_for", origins_are_asked_for),
        story(
            "a_wrong_option_ends_the_build",
            a_wrong_option_ends_the_build,
        ),
        story("fn_run_keeps_comments", fn_run_keeps_comments),
        story("the_nearest_mark_wins", the_nearest_mark_wins),
        story(
            "origins_below_what_sets_an_image",
            origins_below_what_sets_an_image,
        ),
        story("marks_that_reach_no_build", marks_that_reach_no_build),
        story("what_is_gone_breaks_no_build", what_is_gone_breaks_no_build),
    ]
}

fn tree(update: &str, kustomization: &str) -> Tree {
    Tree::new(&[
        ("deploy.yaml", DEPLOYMENT),
        ("flux.yaml", FLUX),
        ("update.yaml", update),
        ("kustomization.yaml", kustomization),
    ])
}

const WITH_FLUX: &str = "resources: [deploy.yaml, flux.yaml]\ntransformers: [update.yaml]\n";

fn policies_as_local_config(world: &World) {
    let tree = tree(&update("{bind: Images}"), WITH_FLUX);
    let first = build(world, &tree, ".").ok();
    assert_eq!(first, built("app", "ghcr.io/acme/app:1.10.0", "settings"));
    assert_eq!(build(world, &tree, ".").ok(), first, "a second build");
}

fn policies_inside(world: &World) {
    let inside = format!("\n  bind: Images{INSIDE}");
    let tree = tree(
        &update(&inside),
        "resources: [deploy.yaml]\ntransformers: [update.yaml]\n",
    );
    let first = build(world, &tree, ".").ok();
    assert_eq!(first, built("app", "ghcr.io/acme/app:1.10.0", "settings"));
}

fn a_base_and_an_overlay(world: &World) {
    let spec = format!("\n  bind: Images{INSIDE}");
    let overlay = "namePrefix: prod-\nnamespace: prod\nresources: [../base]\n";
    for (in_base, in_overlay) in [(true, false), (false, true), (true, true)] {
        let listed = |is: bool| {
            if is {
                "transformers: [update.yaml]\n"
            } else {
                ""
            }
        };
        let tree = Tree::new(&[
            ("base/deploy.yaml", DEPLOYMENT),
            ("base/update.yaml", &update(&spec)),
            (
                "base/kustomization.yaml",
                &format!("resources: [deploy.yaml]\n{}", listed(in_base)),
            ),
            ("overlay/update.yaml", &update(&spec)),
            (
                "overlay/kustomization.yaml",
                &format!("{overlay}{}", listed(in_overlay)),
            ),
        ]);
        let expected = built(
            "prod-app\n  namespace: prod",
            "ghcr.io/acme/app:1.10.0",
            "settings",
        );
        assert_eq!(
            build(world, &tree, "overlay").ok(),
            expected,
            "{in_base} {in_overlay}"
        );
    }
}

fn generated_config_maps(world: &World) {
    let generator = "configMapGenerator:\n- name: settings\n  literals: [mode=fast]\n";
    let plain = tree("", &format!("resources: [deploy.yaml]\n{generator}"));
    let ours = tree(
        &update("{bind: Images}"),
        &format!("{WITH_FLUX}{generator}"),
    );
    let expected = build(world, &plain, ".")
        .ok()
        .replace("app:1.0.0", "app:1.10.0");
    assert!(expected.contains("name: settings-"), "{expected}");
    assert_eq!(build(world, &ours, ".").ok(), expected);
}

/// kustomize's own images come first, and what is then in the field counts.
fn images_of_the_kustomization(world: &World) {
    for (images, expected) in [
        (
            "[{name: ghcr.io/acme/app, newTag: 1.9.0}]",
            "ghcr.io/acme/app:1.10.0",
        ),
        (
            "[{name: ghcr.io/acme/app, newName: mirror.acme.example/app}]",
            "mirror.acme.example/app:1.0.0",
        ),
    ] {
        let tree = tree(
            &update("{bind: Images}"),
            &format!("{WITH_FLUX}images: {images}\n"),
        );
        assert_eq!(
            build(world, &tree, ".").ok(),
            built("app", expected, "settings")
        );
    }
}

const VALIDATOR: &str = "{bind: Images, mode: Check, emit: None}";

fn a_validator(world: &World) {
    let tree = tree(
        &update(VALIDATOR),
        "resources: [deploy.yaml, flux.yaml]\nvalidators: [update.yaml]\n",
    );
    let said = build(world, &tree, ".").fails();
    let expected = "`ghcr.io/acme/app:1.0.0` is outdated: policy `flux-system:app` has `ghcr.io/acme/app:1.10.0`";
    assert!(said.contains(expected), "{said}");
    tree.write("deploy.yaml", &DEPLOYMENT.replace("1.0.0", "1.10.0"));
    let first = build(world, &tree, ".").ok();
    assert_eq!(first, built("app", "ghcr.io/acme/app:1.10.0", "settings"));
}

/// After a transformer, items carry a path that is not a file.
fn a_validator_behind_a_transformer(world: &World) {
    let tree = tree(
        &update("{bind: Images}"),
        "resources: [deploy.yaml, flux.yaml]\ntransformers: [update.yaml]\nvalidators: [check.yaml]\n",
    );
    tree.write(
        "check.yaml",
        &update(VALIDATOR).replace("name: update-images", "name: check-images"),
    );
    let first = build(world, &tree, ".").ok();
    assert_eq!(first, built("app", "ghcr.io/acme/app:1.10.0", "settings"));
}

fn renamed(spec: &str, resources: &str, base: &str) -> Tree {
    let overlay =
        "namePrefix: prod-\nnamespace: prod\nresources: [../base]\ntransformers: [update.yaml]\n";
    let annotated = DEPLOYMENT.replace(
        "  name: app\nspec",
        "  name: app\n  annotations: {flux-image.dev/bind: '{\"spec.template.spec.containers.[name=app].image\": \"flux-system:app\"}'}\nspec",
    );
    Tree::new(&[
        ("base/deploy.yaml", &annotated),
        ("base/flux.yaml", base),
        (
            "base/kustomization.yaml",
            &format!("resources: {resources}\n"),
        ),
        ("overlay/update.yaml", &update(spec)),
        ("overlay/kustomization.yaml", overlay),
    ])
}

fn renamed_policies_are_named(world: &World) {
    let way_out = "a `namePrefix`, `nameSuffix` or `namespace` of the kustomization has renamed it, and renames no reference to it; put the documents inside the ImageUpdate";
    for (spec, what) in [
        ("{}", "no ImagePolicy `flux-system:app` is known"),
        (
            "{bind: Images}",
            "referenced ImageRepository does not exist: prod:app",
        ),
    ] {
        let tree = renamed(spec, "[deploy.yaml, flux.yaml]", FLUX);
        let said = build(world, &tree, "overlay").fails();
        assert!(said.contains(what) && said.contains(way_out), "{said}");
    }
}

fn documents_inside_are_not_renamed(world: &World) {
    let tree = renamed(&format!("\n  bind: Auto{INSIDE}"), "[deploy.yaml]", "");
    let text = build(world, &tree, "overlay").ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.10.0\n"), "{text}");
    assert!(text.contains("name: prod-app\n"), "{text}");
}

fn markers_alone_are_told_of(world: &World) {
    let tree = tree(&update("{}"), WITH_FLUX);
    let ran = build(world, &tree, ".");
    let said = ran.stderr.clone();
    assert_eq!(ran.ok(), built("app", "ghcr.io/acme/app:1.0.0", "settings"));
    for expected in [
        "no scalar is bound to a policy",
        "`kustomize build` drops every comment, markers too",
        "`bind: Images`",
        "`flux-image annotate`",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

/// What `annotate` writes does in a build what the markers do in the file.
fn annotations_survive(world: &World) {
    let tree = tree(&update("{}"), WITH_FLUX);
    world
        .run(tree.path(), "flux-image", &["annotate", "."])
        .ok();
    let annotated = tree.read("deploy.yaml");
    let text = build(world, &tree, ".").ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.10.0\n"), "{text}");
    world.run(tree.path(), "flux-image", &["update", "."]).ok();
    assert_eq!(
        tree.read("deploy.yaml"),
        annotated.replace("app:1.0.0", "app:1.10.0")
    );
    assert_eq!(build(world, &tree, ".").ok(), text);
}

const ORIGIN: &str = "{bind: Origin}";
const NOTES: &str = "buildMetadata: [originAnnotations]\n";

fn without_notes(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "  annotations:" {
            while lines.next_if(|line| line.starts_with("    ")).is_some() {}
        } else {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

fn origins_in_one_folder(world: &World) {
    let tree = tree(&update(ORIGIN), &format!("{WITH_FLUX}{NOTES}"));
    let text = build(world, &tree, ".").ok();
    assert_eq!(
        without_notes(&text),
        built("app", "ghcr.io/acme/app:1.10.0", "settings")
    );
    // From another folder, too.
    let elsewhere = Tree::new(&[]);
    let path = tree.path().to_str().expect("UTF-8");
    assert_eq!(build(world, &elsewhere, path).ok(), text);
}

/// Patches may move a container, and names change; the marker is still found.
fn origins_through_overlays(world: &World) {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {template: {spec: {containers: [{name: first, image: first:1}]}}}\n";
    let spec = format!("\n  bind: Origin{INSIDE}");
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("base/deploy.yaml", DEPLOYMENT),
        ("base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("overlays/prod/patch.yaml", patch),
        ("overlays/prod/update.yaml", &update(&spec)),
        (
            "overlays/prod/kustomization.yaml",
            &format!(
                "namePrefix: prod-\nnamespace: prod\nresources: [../../base]\npatches: [{{path: patch.yaml}}]\ntransformers: [update.yaml]\n{NOTES}"
            ),
        ),
    ]);
    let text = build(world, &tree, "overlays/prod").ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.10.0\n"), "{text}");
    assert!(
        text.contains("image: first:1\n") && text.contains("name: prod-app\n"),
        "{text}"
    );
}

/// The paths count from the folder that is built, the function runs in another.
fn origins_of_a_function_in_a_base(world: &World) {
    let spec = format!("\n  bind: Origin{INSIDE}");
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("base/apps/deploy.yaml", DEPLOYMENT),
        ("base/update.yaml", &update(&spec)),
        (
            "base/kustomization.yaml",
            "resources: [apps/deploy.yaml]\ntransformers: [update.yaml]\n",
        ),
        (
            "overlays/prod/kustomization.yaml",
            &format!("namespace: prod\nresources: [../../base]\n{NOTES}"),
        ),
    ]);
    let text = build(world, &tree, "overlays/prod").ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.10.0\n"), "{text}");
}

fn origins_stay_in_the_repository(world: &World) {
    let spec = format!("\n  bind: Origin{INSIDE}");
    let tree = Tree::new(&[
        ("outside/deploy.yaml", DEPLOYMENT),
        ("outside/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("repository/.git/HEAD", ""),
        ("repository/update.yaml", &update(&spec)),
        (
            "repository/kustomization.yaml",
            &format!("resources: [../outside]\ntransformers: [update.yaml]\n{NOTES}"),
        ),
    ]);
    let ran = build(world, &tree, "repository");
    assert!(
        ran.stderr
            .contains("../outside/deploy.yaml: this leads out of"),
        "{}",
        ran.stderr
    );
    let text = ran.ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.0.0\n"), "{text}");
}

fn origins_are_asked_for(world: &World) {
    let tree = tree(&update(ORIGIN), WITH_FLUX);
    let said = build(world, &tree, ".").stderr;
    assert!(
        said.contains("it does not say which file it comes from"),
        "{said}"
    );
    assert!(
        said.contains("`buildMetadata: [originAnnotations]`"),
        "{said}"
    );
    assert_eq!(
        said.matches("does not say which file").count(),
        1,
        "once: {said}"
    );
}

fn a_wrong_option_ends_the_build(world: &World) {
    let tree = tree(&update("{bind: Everything}"), WITH_FLUX);
    let said = build(world, &tree, ".").fails();
    assert!(
        said.contains("ImageUpdate `update-images` cannot be read"),
        "{said}"
    );
}

/// Comments come through here, so that markers do.
fn fn_run_keeps_comments(world: &World) {
    let tree = Tree::new(&[("deploy.yaml", DEPLOYMENT), ("flux.yaml", FLUX)]);
    tree.write("update.yaml", &update("{}"));
    // Inside the package, its files would be items.
    let results = Tree::new(&[]);
    let folder = results.path().to_str().expect("UTF-8");
    let flags = ["fn", "run", "--enable-exec", "--results-dir", folder, "."];
    world.run(tree.path(), "kustomize", &flags).ok();
    let text = tree.read("deploy.yaml");
    let line = "image: ghcr.io/acme/app:1.10.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    assert!(
        text.contains(line) && text.contains("- name: app # its name\n"),
        "{text}"
    );
    let written = std::fs::read_dir(results.path()).expect("a folder");
    let written = written.map(|entry| entry.expect("an entry").path());
    let written: String = written
        .map(|path| std::fs::read_to_string(path).expect("results"))
        .collect();
    assert!(written.contains("1.10.0"), "{written}");
    world.run(tree.path(), "kustomize", &flags).ok();
    assert_eq!(tree.read("deploy.yaml"), text, "a second run");
}

/// Two policies of one image.
const TWO: &str = "
  repositories:
  - metadata: {name: app, namespace: flux-system}
    spec: {image: ghcr.io/acme/app}
  policies:
  - metadata: {name: app, namespace: flux-system}
    spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '>=1.0.0'}}}
  - metadata: {name: prod, namespace: flux-system}
    spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: 1.9.x}}}
  snapshots:
  - spec:
      repositories:
      - {image: ghcr.io/acme/app, tags: [1.0.0, 1.10.0, 1.9.0, 1.9.5]}
";

/// A base whose image and init container are marked.
fn base_of_two(update: &str) -> Tree {
    let deployment = DEPLOYMENT.replace(
        "image: busybox:1.36",
        "image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:prod\"}",
    );
    let deployment = deployment.replace("kind: Deployment", "kind: Deployment # base");
    Tree::new(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("base/deploy.yaml", &deployment),
        ("base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("update.yaml", update),
    ])
}

/// The images of the container and of the init container that come out of a build.
fn images_of(text: &str) -> [String; 2] {
    let images: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "))
        .collect();
    let [app, wait] = images[..] else {
        panic!("{text}")
    };
    let tag = |image: &str| image.trim_start_matches("ghcr.io/acme/").to_owned();
    [tag(app), tag(wait)]
}

/// Where a kustomization above sets an image, the mark there counts, or none.
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_nearest_mark_wins(world: &World) {
    let with = |more: &str| format!("resources: [../base]\ntransformers: [update.yaml]\n{more}");
    let patch = |mark: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: ghcr.io/acme/app:1.0.1{mark}\n"
        )
    };
    let mark = " # {\"$imagepolicy\": \"flux-system:prod\"}";
    let tag = " # {\"$imagepolicy\": \"flux-system:prod:tag\"}";
    let name = " # {\"$imagepolicy\": \"flux-system:prod:name\"}";
    let image = |what: &str| format!("images:\n- name: ghcr.io/acme/app\n{what}");
    let json = "patches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: replace, path: /spec/template/spec/containers/0/image, value: 'ghcr.io/acme/app:1.0.1'}\n";
    for (what, kustomization, expected) in [
        (
            "nothing",
            with("namePrefix: x-\n"),
            ["app:1.10.0", "app:1.9.5"],
        ),
        (
            "a marked tag",
            with(&image(&format!("  newTag: 1.0.1{tag}\n"))),
            ["app:1.9.5", "app:1.9.5"],
        ),
        (
            "a marked tag of a mirror",
            with(&image(&format!(
                "  newName: mirror.example/app\n  newTag: 1.0.1{tag}\n"
            ))),
            ["mirror.example/app:1.9.5", "mirror.example/app:1.9.5"],
        ),
        (
            "a marked name and tag",
            with(&image(&format!(
                "  newName: ghcr.io/acme/app{name}\n  newTag: 1.0.1{tag}\n"
            ))),
            ["app:1.9.5", "app:1.9.5"],
        ),
        (
            "a tag without a mark",
            with(&image("  newTag: 1.0.1\n")),
            ["app:1.0.1", "app:1.0.1"],
        ),
        (
            "another image",
            with("images:\n- {name: other, newTag: 1.0.1}\n"),
            ["app:1.10.0", "app:1.9.5"],
        ),
        (
            "a patch without a mark",
            with("patches:\n  - path: patch.yaml\n"),
            ["app:1.0.1", "app:1.9.5"],
        ),
        (
            "a marked patch",
            with("patches: [{path: marked.yaml}]\n"),
            ["app:1.9.5", "app:1.9.5"],
        ),
        (
            "a marked patch as it was called",
            with("patchesStrategicMerge: [marked.yaml]\n"),
            ["app:1.9.5", "app:1.9.5"],
        ),
        ("a patch by place", with(json), ["app:1.0.1", "app:1.9.5"]),
        (
            "a patch by patterns",
            with(&json.replace("{kind: Deployment}", "{kind: Deploy.*, name: 'ap+'}")),
            ["app:1.0.1", "app:1.9.5"],
        ),
        (
            "images by a pattern",
            with("images: [{name: 'ghcr.io/acme/.*', newTag: 1.0.1}]\n"),
            ["app:1.0.1", "app:1.0.1"],
        ),
        (
            "a component",
            with("components: [../component]\n"),
            ["app:1.0.1", "app:1.9.5"],
        ),
        (
            "a replacement",
            with(
                "replacements:\n- source: {kind: Deployment, fieldPath: 'spec.template.spec.containers.[name=app].image'}\n  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.initContainers.[name=wait].image']}]\n",
            ),
            ["app:1.10.0", "app:1.10.0"],
        ),
        (
            "a list of patches in another case",
            with("Patches: [{path: patch.yaml}]\n"),
            ["app:1.0.1", "app:1.9.5"],
        ),
        (
            "a later patch that is marked",
            with(&format!(
                "{}patches: [{{path: marked.yaml}}]\n",
                image("  newTag: 1.0.1\n")
            )),
            ["app:1.0.1", "app:1.0.1"],
        ),
    ] {
        let tree = base_of_two("");
        tree.write("over/update.yaml", &update(TWO));
        tree.write("over/kustomization.yaml", &kustomization);
        tree.write("over/patch.yaml", &patch(""));
        tree.write("over/marked.yaml", &patch(mark));
        let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: patch.yaml}]\n";
        tree.write("component/kustomization.yaml", component);
        tree.write("component/patch.yaml", &patch(""));
        tree.write(
            "top/kustomization.yaml",
            &with("nameSuffix: -y\n")
                .replace("base", "over")
                .replace("update.yaml", "../over/update.yaml"),
        );
        let annotate = |more: &[&str]| {
            let arguments = [&["annotate", "."][..], more].concat();
            world.run(tree.path(), "flux-image", &arguments)
        };
        let ran = annotate(&[]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        let ran = annotate(&["--check"]);
        assert_eq!(ran.code, Some(0), "{what}: {}{}", ran.stdout, ran.stderr);
        for folder in ["over", "top"] {
            let flags = [
                "build",
                "--load-restrictor",
                "LoadRestrictionsNone",
                "--enable-alpha-plugins",
                "--enable-exec",
                folder,
            ];
            let built = world.run(tree.path(), "kustomize", &flags).ok();
            assert_eq!(images_of(&built), expected, "{what} {folder}: {built}");
        }
    }
}

/// The same where the markers are read from the files: what a kustomization above sets is
/// left alone, and said.
fn origins_below_what_sets_an_image(world: &World) {
    let tree = base_of_two("");
    // kustomize writes the number in its own way.
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n  values:\n    tag: 1.10 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n";
    tree.write("base/release.yaml", release);
    tree.write(
        "base/kustomization.yaml",
        "resources: [deploy.yaml, release.yaml]\n",
    );
    let spec = format!("\n  bind: Origin{TWO}");
    tree.write("over/update.yaml", &update(&spec));
    let kustomization =
        "resources: [../base]\ntransformers: [update.yaml]\nbuildMetadata: [originAnnotations]\n";
    for (more, expected) in [
        ("", ["app:1.10.0", "app:1.9.5"]),
        (
            "images: [{name: ghcr.io/acme/app, newTag: 1.0.1}]\n",
            ["app:1.0.1", "app:1.0.1"],
        ),
    ] {
        tree.write("over/kustomization.yaml", &format!("{kustomization}{more}"));
        let ran = build(world, &tree, "over");
        assert_eq!(
            images_of(&ran.stdout),
            expected,
            "{}{}",
            ran.stdout,
            ran.stderr
        );
        assert!(ran.stdout.contains("tag: 1.10.0\n"), "{}", ran.stdout);
        assert_eq!(
            ran.stderr.contains("a kustomization above sets this"),
            !more.is_empty(),
            "{}",
            ran.stderr
        );
    }
}

/// Marks that no annotation can carry into a build fail the check.
fn marks_that_reach_no_build(world: &World) {
    let tag = "# {\"$imagepolicy\": \"flux-system:app:tag\"}\n";
    for (name, text) in [
        ("values.yaml", format!("image:\n  tag: 1.0.0 {tag}")),
        (
            "kustomization.yaml",
            format!(
                "resources: ['https://example.org/x.yaml']\nimages:\n- name: ghcr.io/acme/app\n  newTag: 1.0.0 {tag}"
            ),
        ),
        (
            "patch.yaml",
            format!("- op: replace\n  path: /spec/image\n  value: 1.0.0 {tag}"),
        ),
        ("broken.yaml", format!("a: [\nb: 1.0.0 {tag}")),
    ] {
        let tree = Tree::new(&[(name, text.as_str())]);
        let ran = world.run(tree.path(), "flux-image", &["annotate", ".", "--check"]);
        assert_eq!(ran.code, Some(2), "{name}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        let ran = world.run(tree.path(), "flux-image", &["annotate", "."]);
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.stdout, ran.stderr);
    }
}

/// A resource that a kustomization deletes, and one that has another name by now: what
/// was written for them selects nothing.
fn what_is_gone_breaks_no_build(world: &World) {
    let tree = base_of_two("");
    let other = DEPLOYMENT.replace("name: app\n", "name: other\n");
    tree.write("base/other.yaml", &other);
    tree.write(
        "base/kustomization.yaml",
        "resources: [deploy.yaml, other.yaml]\n",
    );
    let images = "images: [{name: ghcr.io/acme/app, newTag: 1.0.1}]\n";
    let delete = "patches:\n- patch: |\n    $patch: delete\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: other}\n";
    let annotate = |more: &[&str]| {
        let arguments = [&["annotate", "."][..], more].concat();
        world.run(tree.path(), "flux-image", &arguments).ok()
    };
    let built = || world.run(tree.path(), "kustomize", &["build", "over"]).ok();
    tree.write(
        "over/kustomization.yaml",
        &format!("resources: [../base]\n{images}"),
    );
    annotate(&[]);
    assert_eq!(built().matches("flux-image.dev/bind: '{}'").count(), 2);
    // Now one is deleted, and the other has another name.
    let text = tree.read("over/kustomization.yaml");
    tree.write(
        "over/kustomization.yaml",
        &text.replace("patches:\n", delete),
    );
    assert_eq!(built().matches("flux-image.dev/bind: '{}'").count(), 1);
    let renamed = tree
        .read("base/deploy.yaml")
        .replace("  name: app\n", "  name: new\n");
    tree.write("base/deploy.yaml", &renamed);
    annotate(&[]);
    annotate(&["--check"]);
    assert_eq!(built().matches("flux-image.dev/bind: '{}'").count(), 1);
}
