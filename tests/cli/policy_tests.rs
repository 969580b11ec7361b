//! `flux-image test`: what a policy is to choose, and what a change of it breaks.

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::Tree;

const FLUX: &str = r"apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, exclusionList: ['^old-']}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec:
  imageRepositoryRef: {name: app}
  filterTags: {pattern: '^v?(?P<v>.*)$', extract: '$v'}
  policy: {semver: {range: '>=1.0.0 <2'}}
";

const TESTS: &str = r"apiVersion: flux-image.dev/v1alpha1
kind: ImagePolicyTest
metadata: {name: stable, namespace: flux-system}
spec:
  policy: app
  tags: [v1.2.3, v1.10.0, v1.11.0-rc.1, v2.0.0, latest, old-1.9.9]
  expect: {tag: v1.10.0}
  never: ['/-rc/', v2.0.0]
---
apiVersion: flux-image.dev/v1alpha1
kind: ImagePolicyTest
metadata: {name: empty}
spec:
  policy: flux-system:app
  tags: []
  expect: {reason: no tags in database}
---
apiVersion: flux-image.dev/v1alpha1
kind: ImagePolicyTest
metadata: {name: no-prerelease}
spec:
  policy: app
  tags: [v1.0.0, v1.11.0-rc.1]
  never: ['/-rc/']
";

fn tree() -> Tree {
    Tree::new(&[
        (".git/HEAD", ""),
        ("flux/app.yaml", FLUX),
        ("tests/app.yaml", TESTS),
    ])
}

fn results(tree: &Tree, arguments: &[&str], exit: i32) -> Vec<Value> {
    let output = run_in(
        tree.path(),
        &[&["test", "-o", "json"], arguments].concat(),
        b"",
    );
    assert_eq!(code(&output), exit, "{}", stderr(&output));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    all["items"].as_array().expect("items").clone()
}

/// One test with this `spec`, in a file of its own.
fn test(spec: &str) -> String {
    format!(
        "apiVersion: flux-image.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {{name: one}}\nspec: {spec}\n"
    )
}

/// A change of a policy shows at once what it breaks, and why.
#[test]
fn a_change_of_a_policy_shows_what_it_breaks() {
    let tree = tree();
    let output = run_in(tree.path(), &["test"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "ok      tests/app.yaml:1:1  flux-system/stable\n\
         ok      tests/app.yaml:10:1  empty\n\
         ok      tests/app.yaml:18:1  no-prerelease\n"
    );
    assert_eq!(stderr(&output), "3 tests passed\n");

    tree.write(
        "flux/app.yaml",
        &FLUX.replace(">=1.0.0 <2", ">=1.0.0-0 <1.10"),
    );
    let output = run_in(tree.path(), &["test"], b"");
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "FAILED  tests/app.yaml:1:1  flux-system/stable: `v1.2.3` is chosen in place of `v1.10.0`, which is out of the range: `<1.10`\n\
         ok      tests/app.yaml:10:1  empty\n\
         ok      tests/app.yaml:18:1  no-prerelease\n"
    );
    assert_eq!(stderr(&output), "1 of 3 tests failed\n");

    tree.write("flux/app.yaml", &FLUX.replace(">=1.0.0 <2", ">=1.0.0-0"));
    let told = results(&tree, &[], 1);
    assert_eq!(told[0]["chosen"], "v2.0.0");
    assert_eq!(
        told[0]["failures"],
        serde_json::json!([
            "`v2.0.0` is chosen in place of `v1.10.0`, which is number 3 in the order",
            "`v2.0.0` is chosen, and `never` has `v2.0.0`",
        ])
    );
    assert_eq!(
        told[2]["failures"][0],
        "`v1.11.0-rc.1` is chosen, and `never` has `/-rc/`"
    );
}

#[test]
fn each_reason_is_told() {
    let tree = tree();
    for (spec, said) in [
        (
            "{policy: app, tags: [old-1.9.9, v1.0.0], expect: {tag: old-1.9.9}}",
            "`v1.0.0` is chosen in place of `old-1.9.9`, which is excluded by `^old-`",
        ),
        (
            "{policy: app, tags: [v1.0.0], expect: {tag: v1.0.1}}",
            "`v1.0.0` is chosen in place of `v1.0.1`, which is not among the tags of the test",
        ),
        (
            "{policy: app, tags: [1.0.0, v1.0.0], expect: {tag: v1.0.0}}",
            "`1.0.0` is chosen in place of `v1.0.0`, which is left out, since `1.0.0` has the same value, and counts",
        ),
        (
            "{policy: app, tags: [v3.0.0], expect: {tag: v3.0.0}}",
            "no tag is chosen: no tag that is left is a version in the range: the nearest, `3.0.0`, is not in `>=1.0.0 <2` (Flux: unable to determine latest version from provided list); `v3.0.0` is out of the range: `<2`",
        ),
        (
            "{policy: app, tags: [v1.0.0], expect: {reason: is not in}}",
            "`v1.0.0` is chosen, and none was to be, for the reason `is not in`",
        ),
        (
            "{policy: app, tags: [], expect: {reason: is not in}}",
            "no tag is chosen, and not for the reason `is not in`: there are no tags, or `exclusionList` leaves none (Flux: no tags in database)",
        ),
    ] {
        tree.write("tests/app.yaml", &test(spec));
        let told = results(&tree, &[], 1);
        assert_eq!(told[0]["failures"], serde_json::json!([said]));
    }
    // In Flux's words, and in plain ones.
    for reason in ["latest version from provided", "is not in `>=1.0.0 <2`"] {
        let spec = format!("{{policy: app, tags: [v3.0.0], expect: {{reason: '{reason}'}}}}");
        tree.write("tests/app.yaml", &test(&spec));
        assert_eq!(results(&tree, &[], 0)[0]["isPassed"], true);
    }
    tree.write(
        "flux/app.yaml",
        &FLUX.replace("name: app}\n  filter", "name: gone}\n  filter"),
    );
    tree.write(
        "tests/app.yaml",
        &test("{policy: app, tags: [v1.0.0], expect: {reason: referenced ImageRepository does not exist}}"),
    );
    assert_eq!(results(&tree, &[], 0)[0]["isPassed"], true);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_documents_are_told_with_their_place() {
    let tree = tree();
    for (spec, at, said) in [
        (
            "{policy: app, tags: [v1], expect: {tag: v1}, skip: true}",
            ":4:",
            "it has an unknown field `spec.skip`",
        ),
        (
            "{policy: app, tags: [v1], expect: {tags: v1}}",
            ":4:",
            "it has an unknown field `spec.expect.tags`",
        ),
        (
            "{policy: app, tags: v1, expect: {tag: v1}}",
            ":4:",
            "cannot be read",
        ),
        (
            "{policy: app, tags: [1.10], expect: {tag: v1}}",
            ":4:",
            "`1.10` is no string without quotes",
        ),
        (
            "{tags: [v1], expect: {tag: v1}}",
            ":4:7",
            "`spec.policy` is missing",
        ),
        (
            "{policy: 'a:b:c', tags: [v1], expect: {tag: v1}}",
            ":4:",
            "as `name` or `namespace:name`",
        ),
        (
            "{policy: app, expect: {tag: v1}}",
            ":4:7",
            "`spec.tags` is missing",
        ),
        ("{policy: app, tags: [v1]}", ":4:7", "nothing is expected"),
        (
            "{policy: app, tags: [v1], expect: {}, never: [v2]}",
            ":4:",
            "has neither `tag` nor `reason`",
        ),
        (
            "{policy: app, tags: [v1], expect: {tag: v1, reason: x}}",
            ":4:",
            "has both `tag` and `reason`",
        ),
        (
            "{policy: app, tags: [v1], expect: {reason: ''}}",
            ":4:",
            "`spec.expect.reason` is empty",
        ),
        (
            "{policy: app, tags: [v1], never: ['']}",
            ":4:",
            "an entry of `spec.never` is empty",
        ),
        (
            "{policy: app, tags: [v1], never: ['/(/']}",
            ":1:1",
            "`spec.never[0]` is no regular expression of Go: error parsing regexp",
        ),
        (
            "{policy: other, tags: [v1], never: [v2]}",
            ":1:1",
            "ImagePolicy `other`, which is not known",
        ),
        (
            "{policy: 'x:app', tags: [v1], never: [v2]}",
            ":1:1",
            "ImagePolicy `x:app`, which is not known",
        ),
        (
            "{policy: app, tags: [v1\n",
            ":4:27",
            "this file is not valid YAML",
        ),
    ] {
        tree.write("tests/app.yaml", &test(spec));
        let output = run_in(tree.path(), &["test"], b"");
        assert_eq!(code(&output), 2, "{spec}: {}", stderr(&output));
        let said_of_it = stderr(&output);
        assert!(said_of_it.contains(said), "{spec}: {said_of_it}");
        assert!(
            said_of_it.contains(&format!("tests/app.yaml{at}")),
            "{spec}: {said_of_it}"
        );
    }
    let nameless = test("{policy: app, tags: [], never: [v2]}").replace("name: one", "");
    tree.write("tests/app.yaml", &nameless);
    let output = run_in(tree.path(), &["test"], b"");
    assert!(
        stderr(&output).contains("`metadata.name` is missing"),
        "{}",
        stderr(&output)
    );
    tree.write("tests/app.yaml", &nameless.replace("v1alpha1", "v2"));
    let output = run_in(tree.path(), &["test"], b"");
    assert!(
        stderr(&output).contains("known are v1alpha1"),
        "{}",
        stderr(&output)
    );
    assert_eq!(code(&output), 2);
    // One that is wrong does not hide another that fails.
    let both = format!(
        "{}---\n{}",
        test("{policy: app, tags: []}"),
        test("{policy: app, tags: [v1.0.0], never: [v1.0.0]}")
    );
    tree.write("tests/app.yaml", &both);
    let output = run_in(tree.path(), &["test"], b"");
    assert_eq!(code(&output), 2);
    assert!(
        stdout(&output).contains("FAILED  tests/app.yaml:6:1  one"),
        "{}",
        stdout(&output)
    );
    // What could not be run is counted, as an error and no failure.
    assert!(
        stderr(&output).contains("2 of 2 tests failed"),
        "{}",
        stderr(&output)
    );
    let output = run_in(tree.path(), &["test", "-o", "junit"], b"");
    let xml = stdout(&output);
    assert!(xml.contains("failures=\"1\" errors=\"1\""), "{xml}");
}

/// Without a namespace a policy is that of the test's own, or the only one of its name.
#[test]
fn policies_are_found_by_namespace() {
    let tree = tree();
    let other = FLUX.replace("namespace: flux-system", "namespace: apps");
    tree.write("flux/other.yaml", &other.replace("<2", "<3"));
    let spec = "{policy: app, tags: [v1.0.0, v2.0.0], expect: {tag: v2.0.0}}";
    tree.write("tests/app.yaml", &test(spec));
    let output = run_in(tree.path(), &["test"], b"");
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("of which there are several: `apps:app`, `flux-system:app`"),
        "{}",
        stderr(&output)
    );
    let placed = test(spec).replace("name: one", "name: one, namespace: apps");
    tree.write("tests/app.yaml", &placed);
    assert_eq!(results(&tree, &[], 0)[0]["policy"], "apps:app");
    tree.write(
        "tests/app.yaml",
        &placed.replace("namespace: apps", "namespace: web"),
    );
    let output = run_in(tree.path(), &["test"], b"");
    assert!(
        stderr(&output).contains("which its namespace `web` does not have; there is `apps:app`"),
        "{}",
        stderr(&output)
    );
    // A kustomization may give the namespace.
    tree.write("tests/app.yaml", &test(spec));
    tree.write(
        "tests/kustomization.yaml",
        "namespace: apps\nresources: [app.yaml]\n",
    );
    assert_eq!(results(&tree, &[], 0)[0]["policy"], "apps:app");
}

#[test]
fn paths_limit_what_is_run() {
    let tree = tree();
    tree.write(
        "more/failing.yaml",
        &test("{policy: app, tags: [v1.0.0], never: [v1.0.0]}"),
    );
    assert_eq!(results(&tree, &[], 1).len(), 4);
    assert_eq!(results(&tree, &["tests"], 0).len(), 3);
    assert_eq!(results(&tree, &["more/failing.yaml"], 1).len(), 1);
    assert_eq!(
        results(&tree, &["flux", "--policies", "more/failing.yaml"], 1).len(),
        1
    );
    for arguments in [&["test", "flux"][..], &["test", "nowhere"]] {
        let output = run_in(tree.path(), arguments, b"");
        assert_eq!(code(&output), 2);
        let said = stderr(&output);
        assert!(
            said.contains("no ImagePolicyTest was found") || said.contains("No such file"),
            "{said}"
        );
    }
}

/// Names and tags act in no terminal, table, or reader of TAP or XML.
#[test]
fn hostile_names_do_nothing() {
    let tree = tree();
    let hostile = "apiVersion: flux-image.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {name: \"a # TODO `x` | \\u202e </testcase> ##[error]\"}\nspec:\n  policy: app\n  tags: [v1.0.0, \"2\\u202e|`<&>]]>\\n::error::x\"]\n  expect: {tag: \"2\\u202e|`<&>]]>\\n::error::x\"}\n";
    tree.write("tests/app.yaml", hostile);
    for format in ["text", "tap", "junit", "json"] {
        let output = run_in(tree.path(), &["test", "-o", format], b"");
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let told = stdout(&output);
        assert!(!told.contains('\u{202e}'), "{told}");
        assert!(!told.contains("##[error]"), "{told}");
        assert!(!told.contains("\n::"), "{told}");
        match format {
            "text" => assert_eq!(told.lines().count(), 1, "{told}"),
            "tap" => {
                assert!(
                    told.contains("\nnot ok 1 - a \\# TODO `x` | \\\\u{202e}"),
                    "{told}"
                );
                assert_eq!(told.matches("\nnot ok").count(), 1);
            }
            "junit" => {
                assert_eq!(told.matches("</testcase>").count(), 1, "{told}");
                assert!(told.contains("&lt;/testcase&gt;"), "{told}");
            }
            _ => {
                let all: Value = serde_json::from_str(&told).expect("JSON");
                assert_eq!(
                    all["items"][0]["expected"]["tag"],
                    "2\u{202e}|`<&>]]>\n::error::x"
                );
            }
        }
    }
}

#[test]
fn tap_and_junit_are_what_their_readers_take() {
    let tree = tree();
    tree.write(
        "flux/app.yaml",
        &FLUX.replace(">=1.0.0 <2", ">=1.0.0 <1.10"),
    );
    let output = run_in(tree.path(), &["test", "-o", "tap"], b"");
    assert_eq!(
        stdout(&output),
        "TAP version 14\n1..3\nnot ok 1 - flux-system/stable\n  ---\n  \
         message: \"`v1.2.3` is chosen in place of `v1.10.0`, which is out of the range: `<1.10`\"\n  \
         severity: \"fail\"\n  policy: \"flux-system:app\"\n  at: \"tests/app.yaml:1:1\"\n  \
         expected: {\"tag\":\"v1.10.0\"}\n  chosen: \"v1.2.3\"\n  ...\nok 2 - empty\nok 3 - no-prerelease\n"
    );
    let output = run_in(tree.path(), &["test", "-o", "junit"], b"");
    let told = stdout(&output);
    for part in [
        "<testsuites name=\"flux-image test\" tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"0\">",
        "<testsuite name=\"tests/app.yaml\" tests=\"3\"",
        "<testcase name=\"flux-system/stable\" classname=\"flux-system:app\" file=\"tests/app.yaml\" line=\"1\">",
        "<failure message=\"`v1.2.3` is chosen in place of `v1.10.0`",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// What `--record` prints passes, whatever is chosen, and fails when the policy changes.
#[test]
fn what_is_recorded_passes() {
    let tree = tree();
    let many: Vec<String> = (0..600).map(|n| format!("v1.0.{n}")).collect();
    let lists = [
        ("v1.2.3, v1.10.0, '1.20', \"x\\ty # y\"", "v1.10.0"),
        ("", "no tags in database"),
        (
            "latest",
            "unable to determine latest version from provided list",
        ),
        (&many.join(", "), "v1.0.599"),
    ];
    for (tags, expected) in lists {
        let snapshot = format!(
            "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec:\n  repositories: [{{image: ghcr.io/acme/app, tags: [{tags}]}}]\n"
        );
        tree.write("flux/tags.yaml", &snapshot);
        tree.write("tests/app.yaml", "");
        let output = run_in(tree.path(), &["test", "--record", "app"], b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).contains(expected), "{}", stdout(&output));
        assert_eq!(
            stderr(&output).contains("recorded all 600 tags"),
            tags.len() > 1000,
            "{}",
            stderr(&output)
        );
        tree.write("tests/app.yaml", &stdout(&output));
        assert_eq!(results(&tree, &[], 0).len(), 1);
    }
    tree.write("flux/app.yaml", &FLUX.replace("<2", "<1.0.5"));
    assert_eq!(results(&tree, &[], 1)[0]["chosen"], "v1.0.4");

    std::fs::remove_file(tree.at("flux/tags.yaml")).expect("removed");
    for (name, said) in [
        (
            "app",
            "nothing can be recorded of ImagePolicy `flux-system:app`: no tags are known",
        ),
        (
            "flux-system/other",
            "no ImagePolicy, marker or image is called `flux-system/other`",
        ),
    ] {
        let output = run_in(tree.path(), &["test", "--record", name], b"");
        assert_ne!(code(&output), 0);
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// Tests are nobody's business but `test`'s, right or wrong.
#[test]
fn other_commands_pass_tests_over() {
    let tree = tree();
    tree.write("tests/wrong.yaml", &test("{policy: app, bogus: 1}"));
    tree.write(
        "apps/app.yaml",
        "image: ghcr.io/acme/app:v1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n",
    );
    tree.write(
        "flux/tags.yaml",
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: tags}\nspec:\n  repositories: [{image: ghcr.io/acme/app, tags: [v1.0.0]}]\n",
    );
    for arguments in [
        &["update", "apps", "--dry-run"][..],
        &["resolve"],
        &["explain", "app"],
    ] {
        let output = run_in(tree.path(), arguments, b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(
            !stderr(&output).contains("ImagePolicyTest"),
            "{}",
            stderr(&output)
        );
    }
    let items = format!("{FLUX}---\n{TESTS}---\n{}", test("{policy: app, bogus: 1}"));
    let output = run_in(
        tree.path(),
        &["fn", "--policies", "flux/tags.yaml"],
        items.as_bytes(),
    );
    assert!(
        !stderr(&output).contains("ImagePolicyTest"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), items);
}

/// The commented example passes as it lies.
#[test]
fn the_example_passes() {
    let tree = tree();
    let example = include_str!("../../function-config/image-policy-test.yaml");
    tree.write("tests/app.yaml", example);
    assert_eq!(results(&tree, &[], 0)[0]["chosen"], "1.1.0");
}
