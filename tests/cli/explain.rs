//! `flux-image explain`: the way of every tag, the values, who carries them.

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
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
  filterTags: {pattern: '^app-(?P<v>.*)$', extract: '$v'}
  policy: {semver: {range: '>=1.0.0 <2'}}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
    - image: ghcr.io/acme/app
      scannedAt: 2026-11-20T10:00:00Z
      tags: [app-1.2.3, app-1.3.0, app-1.4.0-rc.1, app-2.0.0, app-1.9, latest, sha256-0.sig]
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: all, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  git:
    commit:
      author: {email: flux@example.com}
      messageTemplate: 'Update {{ len .Changed.Changes }} values'
    push: {branch: updates}
  update: {path: ./apps, strategy: Setters}
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      containers:
      - image: ghcr.io/acme/app:app-1.2.3 # {\"$imagepolicy\": \"flux-system:app\"}
";

fn tree() -> Tree {
    Tree::new(&[
        (".git/HEAD", ""),
        ("flux/app.yaml", FLUX),
        ("apps/app.yaml", DEPLOYMENT),
        ("elsewhere/app.yaml", DEPLOYMENT),
    ])
}

const AGE: [&str; 2] = ["--max-age", "87600h"];

fn explained(tree: &Tree, arguments: &[&str]) -> Value {
    let arguments = [&["explain"], arguments, &AGE, &["-o", "json"]].concat();
    let output = run_in(tree.path(), &arguments, b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    all["items"][0].clone()
}

#[test]
fn the_way_of_every_tag_and_of_the_change() {
    let tree = tree();
    let told = explained(&tree, &["app"]);
    assert_eq!(told["policy"], "flux-system:app");
    assert_eq!(told["repository"]["image"], "ghcr.io/acme/app");
    assert_eq!(told["tagsFrom"]["source"], "snapshot");
    assert_eq!(told["tagsFrom"]["scannedAt"], "2026-11-20T10:00:00Z");
    assert_eq!(told["image"], "ghcr.io/acme/app:app-1.3.0");
    let steps = told["steps"].as_array().expect("steps").iter();
    let steps: Vec<(String, String, u64)> = steps
        .map(|step| {
            let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            (
                word("step"),
                word("why"),
                step["count"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    let expected = [
        (
            "exclusion",
            "excluded by `^.*\\.sig$` (the default of `exclusionList`)",
            1,
        ),
        ("pattern", "not matched by `filterTags.pattern`", 1),
        (
            "value",
            "no version: has two parts where a version has three",
            1,
        ),
        ("range", "a prerelease, which the range does not admit", 1),
        ("range", "out of the range: `<2`", 1),
    ];
    let expected = expected.map(|(step, why, count)| (step.to_owned(), why.to_owned(), count));
    assert_eq!(steps, expected);
    assert_eq!(told["ranked"], 2);
    let [carried, held] = told["uses"].as_array().expect("uses").as_slice() else {
        panic!("two values: {told}");
    };
    assert_eq!(carried["at"], "apps/app.yaml:8:16");
    assert_eq!(carried["place"], 2);
    assert_eq!(carried["new"], "ghcr.io/acme/app:app-1.3.0");
    assert_eq!(carried["automation"], "flux-system:all");
    assert_eq!(carried["branch"], "updates");
    assert_eq!(carried["message"], "Update 1 values");
    assert_eq!(held["at"], "elsewhere/app.yaml:8:16");
    assert_eq!(
        held["heldBack"][0],
        "`flux-system:all` updates `./apps` alone"
    );
}

#[test]
fn a_policy_is_named_by_its_name_a_line_or_an_image() {
    let tree = tree();
    for subject in [
        "app",
        "flux-system/app",
        "flux-system:app",
        "flux-system:app:tag",
        "apps/app.yaml:8",
        "./apps/app.yaml:8:16",
        "ghcr.io/acme/app",
        "ghcr.io/acme/app:app-1.2.3",
    ] {
        assert_eq!(
            explained(&tree, &[subject])["policy"],
            "flux-system:app",
            "{subject}"
        );
    }
    for (subject, said) in [
        ("ap", "there is flux-system/app"),
        (
            "ghcr.io/acme/other",
            "no ImagePolicy, marker or image is called",
        ),
        (
            "apps/app.yaml:3",
            "no value of apps/app.yaml on line 3 belongs to a policy",
        ),
        (
            "apps/none.yaml:3",
            "no file of this checkout in which values are marked",
        ),
    ] {
        let output = run_in(tree.path(), &["explain", subject], b"");
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains(said),
            "{subject}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
}

/// What `--tag` says would let a tag in does so, where it can be tried.
#[test]
fn what_lets_a_tag_in_does() {
    let tree = tree();
    let tag = |tag: &str| explained(&tree, &["app", "--tag", tag])["tag"].clone();
    let prerelease = tag("app-1.4.0-rc.1");
    assert_eq!(prerelease["step"], "range");
    assert_eq!(prerelease["place"], 1);
    let way_in = prerelease["wayIn"].as_str().expect("a way");
    let range = way_in.split('`').nth(1).expect("a range").to_owned();
    let told = explained(
        &tree,
        &["app", "--tag", "app-1.4.0-rc.1", "--range", &range],
    );
    assert_eq!(told["tag"]["step"], "order");
    assert_eq!(told["image"], "ghcr.io/acme/app:app-1.4.0-rc.1");
    assert_eq!(told["rule"]["by"], range.as_str());

    let next = tag("app-2.0.0");
    assert_eq!(next["why"], "out of the range: `<2`");
    assert_eq!(
        (&next["place"], &next["isListed"]),
        (&1.into(), &true.into())
    );
    assert_eq!(tag("app-1.9")["step"], "value");
    assert_eq!(tag("latest")["step"], "pattern");
    assert_eq!(tag("app-1.2.9")["isListed"], false);
    assert_eq!(tag("app-1.2.9")["place"], 2);
    assert!(
        tag("no tag")["why"]
            .as_str()
            .expect("why")
            .starts_with("not a tag")
    );
}

#[test]
fn a_policy_is_tried_on_other_tags_before_it_is_written() {
    let tree = tree();
    let lists = [
        "v1\nv2\nv10\n",
        r#"{"Repository": "ghcr.io/acme/app", "Tags": ["v1", "v2", "v10"]}"#,
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: t}\nspec:\n  repositories: [{image: ghcr.io/acme/app, tags: [v1, v2, v10]}]\n",
    ];
    for list in lists {
        tree.write("tags", list);
        let told = explained(
            &tree,
            &[
                "app",
                "--tags",
                "tags",
                "--pattern",
                "^v(?P<n>\\d+)$",
                "--extract",
                "$n",
                "--order",
                "numerical",
            ],
        );
        assert_eq!(told["tagsFrom"]["source"], "given", "{list}");
        assert_eq!(told["image"], "ghcr.io/acme/app:v10", "{list}");
        assert_eq!(told["rule"]["kind"], "numerical");
        assert_eq!(told["uses"][0]["new"], "ghcr.io/acme/app:v10");
    }
    for (flags, said) in [
        (["--range", "1.x", "--order", "semver"], "give one of them"),
        (["--order", "newest", "--tag", "v1"], "is no order"),
    ] {
        let arguments = [&["explain", "app"], &flags[..]].concat();
        let output = run_in(tree.path(), &arguments, b"");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    tree.write("tags", "{\"errors\": []}");
    let output = run_in(tree.path(), &["explain", "app", "--tags", "tags"], b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no tags are in this JSON"));
}

/// A policy without a namespace is found by its name only where no other has it, as an
/// update finds it.
#[test]
fn a_name_alone_finds_the_only_one() {
    let tree = tree();
    let unplaced = FLUX.replace("{name: app, namespace: flux-system}", "{name: app}");
    tree.write("flux/app.yaml", &unplaced);
    let alone = explained(&tree, &["app"]);
    assert_eq!(alone["uses"].as_array().map(Vec::len), Some(2), "{alone}");
    let other = FLUX.split("---\n").nth(1).expect("the policy");
    let other = other.replace("namespace: flux-system", "namespace: other");
    tree.write("flux/other.yaml", &other);
    let arguments = [
        "explain",
        "apps/app.yaml:8",
        "-o",
        "json",
        "--max-age",
        "87600h",
    ];
    let output = run_in(tree.path(), &arguments, b"");
    assert_eq!(code(&output), 2, "{}", stdout(&output));
    assert!(
        stderr(&output).contains("which is not known"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn names_that_are_no_tags_are_told() {
    let tree = tree();
    tree.write("tags", r#"["app-1.0.0", "app-1.2.0 x", "app-1.3.0/y"]"#);
    let told = explained(&tree, &["app", "--tags", "tags"]);
    assert_eq!(
        told["malformed"],
        serde_json::json!(["app-1.2.0 x", "app-1.3.0/y"])
    );
    let output = run_in(tree.path(), &["explain", "app", "--tags", "tags"], b"");
    assert!(stdout(&output).contains("no tags by their names: app-1.2.0 x, app-1.3.0/y"));
}

#[test]
fn what_gives_nothing_says_why() {
    let tree = tree();
    let suspended = FLUX.replace("  update: {path", "  suspend: true\n  update: {path");
    tree.write("flux/app.yaml", &suspended.replace(">=1.0.0 <2", "^3.0.0"));
    let told = explained(&tree, &["app", "--tag", "app-1.9"]);
    let reason = told["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("the nearest, `2.0.0`, is not in `^3.0.0`"),
        "{reason}"
    );
    assert_eq!(
        told["uses"][0]["heldBack"][0],
        "`flux-system:all` is suspended"
    );
    assert_eq!(told["uses"][0]["out"], "out of the range: `^3.0.0`");
}

/// What people read keeps to 80 columns, and what others wrote does not steer a terminal.
#[test]
fn it_reads_well_at_80_columns() {
    let tree = tree();
    let tags: Vec<String> = (0..40)
        .map(|n| format!("app-1.0.{n}, app-0.{n}.0-x\u{202e}"))
        .collect();
    tree.write("tags", &tags.join("\n").replace(", ", "\n"));
    let output = run_in(
        tree.path(),
        &["explain", "app", "--tags", "tags", "--tag", "x"],
        b"",
    );
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        text.contains("\\u{202e}") && !text.contains('\u{202e}'),
        "{text}"
    );
    assert!(
        !text.contains('\u{1b}'),
        "no colours where nobody sees them"
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
