//! Values of Secrets and of encrypted documents: whatever is asked for, and
//! whatever is broken beside them, they are in no output (promise 6).

use std::fs;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;

/// Stands in every value that is nobody's to see.
const CANARY: &str = "hunter2";

const MARKER: &str = "# {\"$imagepolicy\": \"flux-system:app\"}";

/// Documents in which a value that nobody is to see is marked.
#[expect(clippy::too_many_lines, reason = "a table")]
fn marked() -> Vec<(&'static str, String)> {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  other: {CANARY}\n  # {CANARY}\n  image: {CANARY}:1.0.0@{CANARY} {MARKER}\n  block: |\n    {CANARY}\n"
    );
    let indented = |pad: &str| secret.replace('\n', &format!("\n{pad}"));
    vec![
        ("plain", secret.clone()),
        (
            "kind behind",
            format!(
                "stringData:\n  image: {CANARY}:1 {MARKER}\nmetadata: {{name: s}}\nkind: 'Secret'\n"
            ),
        ),
        (
            "escaped kind",
            secret.replace("kind: Secret", "kind: \"\\x53ecret\""),
        ),
        (
            "other group",
            secret.replace("apiVersion: v1", "apiVersion: acme.example/v1"),
        ),
        (
            "kind by alias",
            format!(
                "a: &k Secret\n{}",
                secret.replace("kind: Secret", "kind: *k")
            ),
        ),
        (
            "merged",
            format!("base: &b {{kind: Secret}}\n<<: *b\ndata:\n  image: {CANARY}:1.0.0 {MARKER}\n"),
        ),
        (
            "List",
            format!(
                "apiVersion: v1\nkind: List\nitems:\n- {}",
                indented("  ").trim_end()
            ),
        ),
        (
            "SecretList",
            format!(
                "kind: SecretList\nitems:\n- metadata: {{name: s}}\n  data:\n    image: {CANARY}:1.0.0 {MARKER}\n"
            ),
        ),
        (
            "inside another",
            format!(
                "kind: Object\nmetadata: {{name: o}}\nspec:\n  manifest:\n    {}",
                indented("    ").trim_end()
            ),
        ),
        (
            "generated",
            format!(
                "kind: Kustomization\nsecretGenerator:\n- name: s\n  literals:\n  - {CANARY}:1.0.0 {MARKER}\n"
            ),
        ),
        (
            "JSON",
            format!(
                "{{\"kind\": \"Secret\", \"metadata\": {{\"name\": \"s\"}}, \"data\": {{\"other\": \"{CANARY}\",\n\"image\": \"{CANARY}:1.0.0\" {MARKER}\n}}}}\n"
            ),
        ),
        (
            "annotation",
            format!(
                "kind: Secret\nmetadata:\n  name: s\n  annotations:\n    flux-image.dev/bind: '{{\"stringData.image\": \"flux-system:app\"}}'\nstringData:\n  image: {CANARY}:1.0.0\n  x: {CANARY}\n"
            ),
        ),
    ]
}

fn tree(document: &str) -> Tree {
    let tree = Tree::new(&[("flux/policy.yaml", POLICY), ("apps/app.yaml", document)]);
    fs::create_dir(tree.path().join(".git")).expect("a folder");
    tree
}

#[test]
fn a_marked_value_of_a_secret_is_written_and_never_printed() {
    for (name, document) in marked() {
        for how in [
            &["--dry-run"][..],
            &["--diff"],
            &["--check", "-o", "json"],
            &["--check", "-o", "markdown"],
            &["--check", "-o", "github"],
            &["--check", "-o", "gitlab"],
            &["--check", "-o", "sarif"],
            &["--report", "../report", "--message-file", "../message"],
        ] {
            let tree = tree(&document);
            let outside = tempfile::tempdir().expect("a folder");
            let how: Vec<String> = how
                .iter()
                .map(|word| word.replace("..", &outside.path().display().to_string()))
                .collect();
            let how: Vec<&str> = how.iter().map(String::as_str).collect();
            let output = tree.update(&[&["apps"], how.as_slice()].concat());
            let mut said = stdout(&output) + &stderr(&output);
            for file in fs::read_dir(outside.path()).expect("a folder") {
                said += &fs::read_to_string(file.expect("a file").path()).expect("UTF-8");
            }
            assert!(!said.contains(CANARY), "{name} {how:?}: {said}");
            assert!(
                said.contains("1.2.0") || how[0] == "--report",
                "{name} {how:?}: {said}"
            );
            if how[0] == "--report" {
                let now = fs::read_to_string(tree.path().join("apps/app.yaml")).expect("UTF-8");
                assert!(now.contains("ghcr.io/acme/app:1.2.0"), "{name}: {now}");
            }
        }
        let input = format!("{POLICY}---\n{document}");
        let output = run_in(std::env::temp_dir().as_path(), &["fn"], input.as_bytes());
        assert!(
            !stderr(&output).contains(CANARY),
            "{name}: {}",
            stderr(&output)
        );
    }
}

/// A message is what Flux's template prints, whatever the owner of the automation
/// wrote into it; nothing else shows the value.
#[test]
fn a_template_prints_what_flux_prints() {
    let document = format!(
        "kind: Secret\nmetadata: {{name: s}}\nstringData:\n  image: {CANARY}:1.0.0 {MARKER}\n"
    );
    let tree = tree(&document);
    let automation = automation("app", "apps", "").replace(
        "{commit: {author",
        "{commit: {messageTemplate: '{{ range .Changed.Changes }}{{ .OldValue }} {{ .NewValue }}{{ end }}', author",
    );
    tree.write("flux/app.yaml", &automation);
    let outside = tempfile::tempdir().expect("a folder");
    let message = outside.path().join("message");
    let output = tree.update(&["--message-file", message.to_str().expect("UTF-8")]);
    let said = stdout(&output) + &stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(!said.contains(CANARY), "{said}");
    let message = fs::read_to_string(message).expect("a message");
    assert_eq!(message, format!("{CANARY}:1.0.0 ghcr.io/acme/app:1.2.0"));
}

#[test]
fn results_mask_what_they_changed() {
    let item = format!(
        "kind: Secret\n  metadata: {{name: s}}\n  stringData:\n    image: {CANARY}:1.0.0 {MARKER}\n"
    );
    let policy = POLICY.trim_end().replace('\n', "\n  ");
    for (config, sops) in [
        ("", ""),
        (
            "functionConfig: {apiVersion: flux-image.dev/v1alpha1, kind: ImageUpdate, metadata: {name: x}, spec: {mode: Check}}\n",
            "",
        ),
        ("", "  sops: {mac: x}\n"),
    ] {
        let input = format!(
            "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{config}items:\n- {policy}\n- {item}{sops}"
        );
        let output = run_in(std::env::temp_dir().as_path(), &["fn"], input.as_bytes());
        let out = stdout(&output);
        let (_, results) = out.split_once("results:").expect("results");
        assert!(results.contains("currentValue: \"****\""), "{results}");
        assert!(
            !(results.to_owned() + &stderr(&output)).contains(CANARY),
            "{results}"
        );
    }
}

/// A list that SOPS encrypts as a whole has one checksum over its items.
#[test]
fn items_of_an_encrypted_list_are_encrypted() {
    let item = format!("kind: Pod\n  image: {CANARY}:1.0.0 {MARKER}\n");
    for (head, tail) in [("sops: {mac: x}\n", ""), ("", "sops: {mac: x}\n")] {
        let document = format!("kind: List\n{head}items:\n- {item}{tail}");
        let tree = tree(&document);
        let output = tree.update(&["apps"]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("encrypted with SOPS"));
        assert!(!stderr(&output).contains(CANARY));
        let now = fs::read_to_string(tree.path().join("apps/app.yaml")).expect("UTF-8");
        assert_eq!(now, document);
    }
}

/// What is broken beside a Secret, on the same line or in the same document.
#[test]
fn a_broken_document_shows_nothing_of_its_neighbours() {
    let secret = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},"stringData":{{"p":"{CANARY}"}}}}"#
    );
    let head = r#""apiVersion":"image.toolkit.fluxcd.io/v1","metadata":{"name":"app","namespace":"flux-system"}"#;
    for broken in [
        format!(r#"{{{head},"kind":"ImagePolicy","spec":[1]}}"#),
        format!(r#"{{{head},"kind":"ImagePolicy","spec":{{"policy":{{"semver":{{"range":7}}}}}}}}"#),
        format!(r#"{{{head},"kind":"ImageRepository","spec":{{"image":{{}}}}}}"#),
        format!(r#"{{{head},"kind":"ImageRepository","spec":{{"interval":["1m"]}},"x":{secret}}}"#),
        format!(r#"{{{head},"kind":"ImagePolicy","spec":"{CANARY}","sops":{{"mac":"x"}}}}"#),
        r#"{"apiVersion":"image.toolkit.fluxcd.io/v9","kind":"ImagePolicy","metadata":{"name":"a"}}"#.to_owned(),
    ] {
        for input in [
            format!(r#"{{"apiVersion":"v1","kind":"List","items":[{secret},{broken},{secret}]}}"#),
            format!(r#"{{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[{secret},{broken},{secret}]}}"#),
            format!("--- {secret}\n--- {broken}\n--- {secret}\n"),
        ] {
            let output = run_in(std::env::temp_dir().as_path(), &["fn"], input.as_bytes());
            assert_eq!(code(&output), 2, "{input}: {}", stderr(&output));
            assert!(!stderr(&output).contains(CANARY), "{input}: {}", stderr(&output));
            let tree = tree(&input);
            let output = tree.update(&["apps", "-o", "json", "--dry-run"]);
            let said = stdout(&output) + &stderr(&output);
            assert!(!said.contains(CANARY), "{input}: {said}");
        }
    }
}

/// Megabytes of somebody else's text are not repeated.
#[test]
fn a_quoted_value_has_a_bounded_length() {
    let long = "x".repeat(1 << 20);
    for spec in [
        format!("spec: {long}"),
        format!(
            "spec: {{policy: {{semver: {{range: '{long}'}}}}, imageRepositoryRef: {{name: r}}}}"
        ),
        format!("spec: {{imageRepositoryRef: {{name: '{long}'}}, policy: {{alphabetical: {{}}}}}}"),
        format!("{long}: 1"),
        format!("'{long}': 1\n'{long}': 1"),
    ] {
        for (version, name) in [("v1", "app"), ("v1", &long), (&long, "app")] {
            let document = format!(
                "apiVersion: image.toolkit.fluxcd.io/{version}\nkind: ImagePolicy\nmetadata: {{name: {name}, namespace: flux-system}}\n{spec}\n---\na: b:1 {MARKER}\n"
            );
            let output = run_in(std::env::temp_dir().as_path(), &["fn"], document.as_bytes());
            let said = stderr(&output).len();
            assert!(said < 50_000, "{said} bytes about {}", &document[..200]);
        }
    }
}
