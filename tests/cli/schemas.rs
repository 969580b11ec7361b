//! The schemas under `function-config/` are what the program prints, and the
//! documents of the examples are of that shape.

use std::path::Path;

use crate::run_in;
use crate::support::{code, stdout};

#[test]
fn those_checked_in_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-config");
    for kind in ["ImageUpdate", "TagSnapshot", "ImagePolicyTest", "Report"] {
        let output = run_in(&folder, &["schema", kind], b"");
        assert_eq!(code(&output), 0);
        let path = folder.join(format!("{kind}.schema.json"));
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            checked_in,
            stdout(&output),
            "run: flux-image schema {kind} > {}",
            path.display()
        );
    }
}

#[test]
fn the_definition_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-config");
    let output = run_in(&folder, &["schema", "ImageUpdate", "--crd"], b"");
    assert_eq!(code(&output), 0);
    let checked_in = std::fs::read_to_string(folder.join("image-update.crd.yaml"));
    assert_eq!(
        checked_in.unwrap_or_default(),
        stdout(&output),
        "run: flux-image schema ImageUpdate --crd > function-config/image-update.crd.yaml"
    );
    // A structural schema knows none of these.
    for word in [
        "$ref",
        "anyOf",
        "oneOf",
        "const:",
        "- \"null\"",
        "writeOnly",
    ] {
        assert!(!stdout(&output).contains(word), "{word}");
    }
    assert_eq!(
        code(&run_in(&folder, &["schema", "Report", "--crd"], b"")),
        2
    );
}

const LIST: &str = "\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: image.toolkit.fluxcd.io/v1
  kind: ImageRepository
  metadata: {name: app, namespace: flux-system}
  spec: {image: ghcr.io/acme/app}
- apiVersion: image.toolkit.fluxcd.io/v1
  kind: ImagePolicy
  metadata: {name: app, namespace: flux-system, labels: {team: web, stage: prod}}
  spec:
    imageRepositoryRef: {name: app}
    policy: {semver: {range: '>=1.0.0'}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: app}
  spec:
    template:
      spec:
        containers:
        - name: app
          image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}
- apiVersion: helm.toolkit.fluxcd.io/v2
  kind: HelmRelease
  metadata: {name: app, namespace: apps}
  spec: {values: {image: {tag: 1.0.0}}}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: images}
  data: {app.image: 'ghcr.io/acme/app:1.0.0'}
- apiVersion: example.org/v1
  kind: Thing
  metadata: {name: thing}
  spec:
    runner: {image: 'ghcr.io/acme/app:1.0.0'}
    steps: [{acme.io/image: 'ghcr.io/acme/app:1.0.0'}]
";

/// Files of `function-config` that are not options.
const OTHERS: &[&str] = &[
    "image-policy-test.yaml",
    "image-update.crd.yaml",
    "metadata.yaml",
    "tag-snapshot.yaml",
];

/// Each commented file is read, and does what it says.
#[test]
fn every_file_is_loaded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-config");
    let entries = std::fs::read_dir(&folder).expect("function-config");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let is_config = |name: &String| name.ends_with(".yaml") && !OTHERS.contains(&name.as_str());
    let names: Vec<String> = names.filter(is_config).collect();
    assert_eq!(names.len(), 13, "{names:?}");
    for name in names {
        // How many values are set or found outdated, and the exit code.
        let expected = match name.as_str() {
            "images.yaml" | "fields.yaml" | "config-map.yaml" => (3, 0),
            "check.yaml" => (1, 1),
            _ => (1, 0),
        };
        let flags = ["fn", "--config", &name, "--policies", "tag-snapshot.yaml"];
        let output = run_in(&folder, &flags, LIST.as_bytes());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = stdout(&output);
        let done = text.matches(" set to ").count() + text.matches("is outdated").count();
        assert_eq!((done, code(&output)), expected, "{name}: {said}");
        assert!(!said.contains("unknown field"), "{name}: {said}");
    }
}

/// What a catalogue wants to know of a function.
#[test]
fn the_metadata_of_a_catalogue() {
    let text = include_str!("../../function-config/metadata.yaml");
    let metadata: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
    let fields = metadata.as_object().expect("a mapping");
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let known = [
        "image",
        "description",
        "tags",
        "sourceURL",
        "examplePackageURLs",
        "emails",
        "license",
    ];
    assert_eq!(names, known);
    assert_eq!(metadata["license"], env!("CARGO_PKG_LICENSE"));
    let example = metadata["examplePackageURLs"][0].as_str().expect("a text");
    let (_, path) = example.split_once("/flux-image/").expect("a path");
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(path)
            .join("Kptfile")
            .is_file()
    );
}
