//! The schemas under `function-config/` are what the program prints, and the
//! documents of the examples are of that shape.

use std::path::Path;

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stdout};
use crate::update::Tree;

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

/// Whether a value is of a schema's shape, and has no field that the schema does not name.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = root.pointer(&reference[1..]).expect("a definition");
        return fits(value, schema, root);
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(schemas) = schema[any].as_array() {
            let is_one = schemas.iter().any(|one| fits(value, one, root).is_ok());
            return is_one
                .then_some(())
                .ok_or_else(|| format!("{value} is none of {schema}"));
        }
    }
    let of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_type = |named: &Value| named == of || (named == "number" && of == "integer");
    let is_typed = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(is_type),
        named => is_type(named),
    };
    if !is_typed {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    for element in value.as_array().into_iter().flatten() {
        fits(element, &schema["items"], root)?;
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let named = &schema["properties"][key];
        let others = &schema["additionalProperties"];
        match (
            named.is_null(),
            others.is_object(),
            schema["type"].is_null(),
        ) {
            (false, ..) => fits(value, named, root),
            (true, true, _) => fits(value, others, root),
            (true, false, true) => Ok(()),
            (true, false, false) => Err(format!("{key} is not known to {schema}")),
        }?;
    }
    let required = schema["required"].as_array().into_iter().flatten();
    let mut missing = required.filter(|key| value.get(key.as_str().unwrap_or_default()).is_none());
    missing
        .next()
        .map_or(Ok(()), |key| Err(format!("{key} is not there: {value}")))
}

/// What each command prints as JSON is of the shape that is told for it.
#[test]
fn commands_print_what_their_schemas_say() {
    let tree = Tree::with_policy(&[
        (".git/HEAD", ""),
        (
            "more.yaml",
            "kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/more:1.0.0\n  - image: ghcr.io/acme/app:latest\n  - image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"ns:none\"}\n",
        ),
        (
            "test.yaml",
            "apiVersion: flux-image.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {name: t}\nspec: {policy: app, tags: [1.0.0], expect: {tag: 1.1.0}}\n",
        ),
        ("none.yaml", ""),
        (
            "others.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: more, namespace: flux-system}\nspec: {image: ghcr.io/acme/other}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec:\n  interval: 1h\n  sourceRef: {kind: GitRepository, name: flux-system}\n  git: {commit: {author: {email: flux@acme.example}}}\n",
        ),
    ]);
    for (kind, arguments) in [
        ("Report", &["update", "--dry-run", "."][..]),
        ("Explanations", &["explain", "app", "--tag", "0.1.0"]),
        ("Coverage", &["coverage"]),
        ("LintReport", &["lint"]),
        ("Suggestions", &["suggest"]),
        ("ImagePolicyTestResults", &["test"]),
        ("Comparisons", &["compare", "flux/policy.yaml", "none.yaml"]),
        ("ImagePolicyTable", &["policies", "-A"]),
        ("ImageRepositoryTable", &["repositories", "-A"]),
        ("ImageUpdateAutomationTable", &["automations", "-A"]),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json", "--offline"]);
        arguments.retain(|argument| kind != "ImagePolicyTestResults" || *argument != "--offline");
        let output = run_in(tree.path(), &arguments, b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
        let schema = run_in(tree.path(), &["schema", kind], b"");
        let schema: Value = serde_json::from_slice(&schema.stdout).expect("a schema");
        assert_eq!(schema["title"], kind);
        assert_eq!(printed["kind"], kind);
        if let Err(why) = fits(&printed, &schema, &schema) {
            panic!("{kind}: {why}");
        }
    }
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
