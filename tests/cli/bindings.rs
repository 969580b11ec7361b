//! Bindings besides markers, in files: by image, by field, by annotation; and
//! `flux-image annotate`, which makes the last of the first.

use std::process::Output;

use serde_json::Value;

use crate::run_in;
use crate::support::{code, feed, flux_image, stderr, stdout};
use crate::update::Tree;
use crate::update::codes;

const FLUX: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  policy: {semver: {range: '*'}}
status:
  latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}
";

/// Two images, one of them marked.
const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app # a name
spec:
  template:
    spec:
      containers:
      - name: app
        image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}

      - image: \"ghcr.io/acme/app:1.0.0\"
        name: pinned
";

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: apps}
spec:
  values: {image: {repository: ghcr.io/acme/app, tag: 1.0.0}}
";

const CHART: &str = "image: {{ .Values.image }}:{{ .Values.tag }}\n";

fn tree() -> Tree {
    Tree::new(&[
        (".git/HEAD", ""),
        ("flux/app.yaml", FLUX),
        ("apps/deploy.yaml", DEPLOYMENT),
        ("apps/release.yaml", RELEASE),
        ("chart/templates/deploy.yaml", CHART),
    ])
}

fn annotate(tree: &Tree, arguments: &[&str]) -> Output {
    let mut all = vec!["annotate"];
    all.extend(arguments);
    run_in(tree.path(), &all, b"")
}

fn changed(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().expect("changes");
    let one = |change: &Value| {
        let field = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", field("file"), field("field"))
    };
    changes.iter().map(one).collect()
}

#[test]
fn images_are_updated_only_when_asked() {
    let tree = tree();
    let marked = ["apps/deploy.yaml spec.template.spec.containers[0].image"];
    assert_eq!(changed(&tree.report(&["--dry-run", "."])), marked);
    let report = tree.report(&["--bind", "images", "."]);
    assert_eq!(codes(&report), [] as [&str; 0]);
    assert_eq!(
        changed(&report),
        [
            marked[0],
            "apps/deploy.yaml spec.template.spec.containers[1].image",
            "apps/release.yaml spec.values.image.tag",
        ]
    );
    assert_eq!(
        tree.read("apps/deploy.yaml"),
        DEPLOYMENT.replace("1.0.0", "1.2.0")
    );
    assert_eq!(
        tree.read("apps/release.yaml"),
        RELEASE.replace("1.0.0", "1.2.0")
    );
    let again = tree.report(&["--bind", "images", "."]);
    assert_eq!(changed(&again), [] as [&str; 0]);
}

#[test]
fn fields_of_a_configuration() {
    let config = "\
apiVersion: flux-image.dev/v1alpha1
kind: ImageUpdate
metadata: {name: fields}
spec:
  bindings:
  - policy: flux-system:app:tag
    target: {kind: HelmRelease, name: app}
    field: spec.values.image.tag
  - policy: flux-system:app:tag
    target: {kind: HelmRelease, name: other}
    field: spec.values.image.tag
";
    let tree = tree();
    tree.write("fields.yaml", config);
    let report = tree.report(&["--config", "fields.yaml", "apps"]);
    assert_eq!(codes(&report), ["bad-binding"]);
    assert_eq!(
        report["findings"][0]["message"],
        "spec.bindings[1] binds nothing: there is no resource of kind `HelmRelease`, name `other`"
    );
    assert_eq!(
        tree.read("apps/release.yaml"),
        RELEASE.replace("1.0.0", "1.2.0")
    );
    for (wrong, said) in [
        (
            config.replace("spec:", "spec:\n  mode: Check"),
            "give the rest as flags",
        ),
        (
            config.replace("spec:", "spec:\n  bind: Origin"),
            "files have their markers",
        ),
        (
            config.replace(".tag\n  - policy", "..tag\n  - policy"),
            "is not a field path",
        ),
        (
            config.replace("ImageUpdate", "Deployment"),
            "functionConfig is a `Deployment`",
        ),
    ] {
        tree.write("fields.yaml", &wrong);
        let output = tree.update(&["--config", "fields.yaml", "apps"]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn markers_become_annotations() {
    let tree = tree();
    let diff = annotate(&tree, &["--diff", "."]);
    assert_eq!(
        stdout(&diff),
        r#"--- a/apps/deploy.yaml
+++ b/apps/deploy.yaml
@@ -2,6 +2,8 @@
 kind: Deployment
 metadata:
   name: app # a name
+  annotations:
+    flux-image.dev/bind: '{"spec.template.spec.containers.[name=app].image":"flux-system:app"}'
 spec:
   template:
     spec:
"#
    );
    assert_eq!(code(&annotate(&tree, &["--check", "apps"])), 1);
    assert_eq!(
        tree.read("apps/deploy.yaml"),
        DEPLOYMENT,
        "nothing was written"
    );
    let output = annotate(&tree, &["apps/deploy.yaml", "apps"]);
    assert_eq!(
        stdout(&output),
        "apps/deploy.yaml:1  Deployment `app`  1 field\n"
    );
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let annotated = tree.read("apps/deploy.yaml");
    let again = annotate(&tree, &["."]);
    assert_eq!((code(&again), stdout(&again).as_str()), (0, ""));
    assert_eq!(tree.read("apps/deploy.yaml"), annotated, "a second run");
    assert_eq!(code(&annotate(&tree, &["--check", "."])), 0);

    // The annotation alone does what the marker did.
    let (line, _) = annotated.split_once(" # {").expect("a marker");
    let bare = annotated.replace(" # {\"$imagepolicy\": \"flux-system:app\"}", "");
    assert!(bare.starts_with(line) && !bare.contains("imagepolicy"));
    tree.write("apps/deploy.yaml", &bare);
    let report = tree.report(&["apps"]);
    let field = "apps/deploy.yaml spec.template.spec.containers[0].image";
    assert_eq!(changed(&report), [field]);
    assert_eq!(
        tree.read("apps/deploy.yaml"),
        bare.replacen("1.0.0", "1.2.0", 1)
    );
    tree.write("apps/deploy.yaml", &bare);
    let markers = tree.report(&["--bind", "markers", "apps"]);
    assert_eq!(codes(&markers), ["nothing-bound"]);
}

#[test]
fn annotations_stay_inside_the_tree() {
    let outside = Tree::new(&[("deploy.yaml", DEPLOYMENT)]);
    let tree = Tree::new(&[("broken.yaml", &format!("a: [\n{DEPLOYMENT}"))]);
    tree.write("real.yaml", DEPLOYMENT);
    tree.link("real.yaml", "inside.yaml");
    let target = outside.path().join("deploy.yaml");
    tree.link(target.to_str().expect("UTF-8"), "outside.yaml");
    let output = annotate(&tree, &["."]);
    assert_eq!(code(&output), 0);
    let said = stderr(&output);
    for expected in [
        "is not valid YAML",
        "is a link, and links are not written through\n  at ./inside.yaml",
        "this link leads out of the tree and is not read\n  at ./outside.yaml",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(outside.read("deploy.yaml"), DEPLOYMENT);
    assert!(tree.read("real.yaml").contains("flux-image.dev/bind"));
    let gone = annotate(&tree, &["gone"]);
    assert_eq!(code(&gone), 2);
    assert!(
        stderr(&gone).contains("gone: No such file"),
        "{}",
        stderr(&gone)
    );
}

/// Two automations whose policies take different tags of one image: the value
/// stays, and both are named.
#[test]
fn automations_that_disagree() {
    let tree = Tree::new(&[(".git/HEAD", ""), ("apps/deploy.yaml", DEPLOYMENT)]);
    for (name, tag) in [("one", "1.1.0"), ("two", "1.2.0")] {
        let documents = format!(
            "{FLUX}---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {{name: auto, namespace: flux-system}}\nspec:\n  interval: 1h\n  sourceRef: {{kind: GitRepository, name: fleet}}\n  git: {{commit: {{author: {{email: bot@acme.example}}}}}}\n  update: {{path: ./apps, strategy: Setters}}\n"
        );
        let documents = documents.replace("flux-system", name).replace("1.2.0", tag);
        tree.write(&format!("flux/{name}.yaml"), &documents);
    }
    let bare = DEPLOYMENT.replace(" # {\"$imagepolicy\": \"flux-system:app\"}", "");
    tree.write("apps/deploy.yaml", &bare);
    let output = tree.update(&["--bind", "images", "--verbose"]);
    assert_eq!(code(&output), 2);
    let said = "ImageUpdateAutomation `one:auto` would write `ghcr.io/acme/app:1.1.0` here, and ImageUpdateAutomation `two:auto` `ghcr.io/acme/app:1.2.0`";
    assert_eq!(
        stderr(&output).matches(said).count(),
        2,
        "{}",
        stderr(&output)
    );
    assert_eq!(tree.read("apps/deploy.yaml"), bare);
}

/// A list that says its items come from files which are none of its business.
#[test]
fn origins_lead_nowhere_else() {
    let outside = Tree::new(&[("deploy.yaml", DEPLOYMENT)]);
    let tree = Tree::new(&[(".git/HEAD", ""), ("folder/file", "")]);
    let target = outside.path().join("deploy.yaml");
    let target = target.to_str().expect("UTF-8");
    tree.link(target, "link.yaml");
    let pipe = std::process::Command::new("mkfifo")
        .arg(tree.path().join("pipe"))
        .status();
    assert!(pipe.is_ok_and(|status| status.success()));
    for (path, why) in [
        (target, "is not a path inside the kustomization"),
        ("link.yaml", "leads out of"),
        ("../../../../../../../../etc/passwd", "leads out of"),
        ("folder", "not a regular file"),
        ("pipe", "not a regular file"),
        ("gone.yaml", "No such file"),
    ] {
        let list = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: flux-image.dev/v1alpha1\n  kind: ImageUpdate\n  metadata: {{name: u}}\n  spec: {{bind: Origin}}\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: app\n    annotations:\n      kustomize.config.k8s.io/id: 'name: app'\n      config.kubernetes.io/origin: |\n        path: {path}\n  spec: {{template: {{spec: {{containers: [{{name: app, image: 'ghcr.io/acme/app:1.0.0'}}]}}}}}}\n"
        );
        let output = run_in(tree.path(), &["fn"], list.as_bytes());
        assert_eq!(code(&output), 0);
        assert!(stderr(&output).contains(why), "{path}: {}", stderr(&output));
        assert!(
            stdout(&output).starts_with(&list[..list.len() - 1]),
            "{path}"
        );
    }
}

/// Bindings as somebody hostile would write them: an end comes, without a crash.
#[test]
fn hostile_bindings() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let stars = vec!["*"; 2000].join(".");
    let long = "a.".repeat(100_000) + "b";
    for path in [
        &stars,
        &long,
        "spec.[name=(((a+)+)+)+$].x",
        "spec.[name=a{1000}{1000}].x",
        "[[[[",
        "a.[b",
        r"\\.\\.",
        "spec.\u{0}",
    ] {
        let value = serde_json::json!({ path: "flux-system:app" }).to_string();
        let annotation = serde_json::Value::from(value).to_string();
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n    flux-image.dev/bind: {annotation}\nspec: {deep}\n---\n{FLUX}"
        );
        let mut command = flux_image();
        let output = feed(command.arg("fn"), text.as_bytes());
        assert!(
            [0, 2].contains(&code(&output)),
            "{path}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), text);
        assert!(
            stderr(&output).contains("flux-image.dev/bind"),
            "{}",
            stderr(&output)
        );
    }
}

/// A ConfigMap has the words of an ImageUpdate.
#[test]
fn each_word_of_a_config_map() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let run = |key: &str, value: &str| {
        let input = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{{key}: '{value}'}}}}\nitems: []\n"
        );
        crate::run_in(folder.path(), &["fn"], input.as_bytes())
    };
    for (key, words) in [
        ("mode", "Update, Check"),
        ("emit", "All, None"),
        ("bind", "Auto, Markers, Images, Origin"),
        ("onUnresolved", "Fail, Warn"),
        ("keepPolicies", "true, false"),
        ("tagsFrom", "Status, Snapshot, Registry"),
    ] {
        let said = stderr(&run(key, "guess"));
        let expected = format!("must be one of {words}");
        assert!(said.contains(&expected), "{said}");
        for word in words.split(", ") {
            let said = stderr(&run(key, word));
            assert!(!said.contains("must be one of"), "{key}: {word}: {said}");
        }
    }
    // The same by an ImageUpdate.
    for word in ["Auto", "Markers", "Images", "Origin"] {
        let input = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {{apiVersion: flux-image.dev/v1alpha1, kind: ImageUpdate, metadata: {{name: c}}, spec: {{bind: {word}}}}}\nitems: []\n"
        );
        let output = crate::run_in(folder.path(), &["fn"], input.as_bytes());
        assert!(!stderr(&output).contains("spec.bind"), "{word}");
    }
}

/// Flux's Kustomization is a resource that reaches a cluster; kustomize's own is none.
#[test]
fn kustomizations_of_flux_and_of_kustomize() {
    let images = "images:\n  - name: ghcr.io/acme/app\n    newTag: 1.0.0 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n";
    let flux = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\nspec:\n  path: ./apps\n  {images}"
    );
    let own = format!("kind: Kustomization\n{}", images.replace("\n  ", "\n"));
    let of_group = format!("apiVersion: kustomize.config.k8s.io/v1beta1\n{own}");
    let tree = Tree::new(&[
        ("flux.yaml", &flux),
        ("a/kustomization.yaml", &own),
        ("b/kustomization.yaml", &of_group),
    ]);
    let output = annotate(&tree, &["."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = tree.read("flux.yaml");
    assert!(
        text.contains("flux-image.dev/bind") && text.contains("spec.images"),
        "{text}"
    );
    assert_eq!(tree.read("a/kustomization.yaml"), own);
    assert_eq!(tree.read("b/kustomization.yaml"), of_group);
    assert_eq!(
        stderr(&output).matches("not annotated").count(),
        1,
        "{}",
        stderr(&output)
    );
}

/// Two policies on one image: a field that a marker or an annotation decides is theirs,
/// and of the others an error speaks once for the image.
#[test]
fn two_policies_of_one_image_are_told_once() {
    let (_, policy) = FLUX.split_once("---\n").expect("two documents");
    let second = policy.replace("{name: app, namespace", "{name: second, namespace");
    let deployment = |marker: &str, annotation: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a, annotations: {{{annotation}}}}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: ghcr.io/acme/app:1.0.0{marker}\n"
        )
    };
    let marked = deployment(" # {\"$imagepolicy\": \"flux-system:app\"}", "");
    let annotated = deployment(
        "",
        "flux-image.dev/bind: '{\"spec.template.spec.containers.[name=a].image\": \"flux-system:app\"}'",
    );
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux/all.yaml", FLUX),
        ("flux/second.yaml", &second),
        ("apps/marked.yaml", &marked),
        ("apps/annotated.yaml", &annotated),
    ]);
    let told = |tree: &Tree| {
        let output = tree.update(&["apps", "--bind", "images", "--dry-run", "-o", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let of_code = report["findings"].as_array().expect("findings").iter();
        let of_code = of_code.filter(|one| one["code"] == "ambiguous-policy");
        let messages = of_code.map(|one| one["message"].as_str().expect("a text").to_owned());
        let changes = report["changes"].as_array().expect("changes").len();
        (changes, messages.collect::<Vec<_>>())
    };
    assert_eq!(told(&tree), (2, vec![]));
    for number in 0..3 {
        tree.write(&format!("apps/plain{number}.yaml"), &deployment("", ""));
    }
    let message = "2 ImagePolicies follow this repository, and nothing says whose this is: `flux-system:app`, `flux-system:second` (at 3 places, the first of them here)";
    assert_eq!(told(&tree), (2, vec![message.to_owned()]));
}
