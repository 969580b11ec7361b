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
            "no version: it has two parts where a version has three",
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
        (
            ["--range", "1.x", "--order", "numerical"],
            "give one of them",
        ),
        (
            ["--range", "foo", "--tag", "v1"],
            "error: `--range`: improper constraint: \"foo\"\n",
        ),
        (
            ["--pattern", "(?!x)", "--tag", "v1"],
            "error: `--pattern`: error parsing regexp: invalid or unsupported Perl syntax: `(?!`\n",
        ),
        (
            ["--order", "desc", "--tag", "v1"],
            "`--order desc` has no effect on ImagePolicy `flux-system:app`",
        ),
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
    assert!(stdout(&output).contains("no tags, by their names: app-1.2.0 x, app-1.3.0/y"));
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

/// What `explain` prints of a list of tags, and of one of them.
fn text_of(tree: &Tree, tags: &str, arguments: &[&str]) -> String {
    let arguments = [&["explain", "app", "--tags", "-"], arguments].concat();
    let output = run_in(tree.path(), &arguments, tags.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output)
}

/// FLUX with a policy that has no filter.
fn unfiltered() -> String {
    let filter = "  filterTags: {pattern: '^app-(?P<v>.*)$', extract: '$v'}\n";
    FLUX.replace(filter, "").replace(">=1.0.0 <2", ">=1.0.0")
}

/// The place that a hint promises is the one that the changed policy gives, and what lets
/// the tag out next is said.
#[test]
fn what_comes_after_a_hint_is_what_the_changed_policy_does() {
    let tree = tree();
    tree.write("flux/app.yaml", &unfiltered());
    let asked = |tags: &str, arguments: &[&str]| {
        tree.write("tags", tags);
        explained(&tree, &[&["app", "--tags", "tags"], arguments].concat())["tag"].clone()
    };
    let tags = "1.2.0\n1.2.5-rc.1\n1.3.0-rc.1\n";
    let told = asked(tags, &["--range", "^1.0", "--tag", "1.2.5-rc.1"]);
    assert_eq!(
        told["wayIn"],
        "give the range a prerelease: `^1.0 >=0.0.0-0`"
    );
    assert_eq!(told["place"], 2);
    let told = asked(tags, &["--range", "^1.0 >=0.0.0-0", "--tag", "1.2.5-rc.1"]);
    assert_eq!(
        (&told["step"], &told["place"]),
        (&"order".into(), &2.into())
    );
    let other = ["--pattern", "^1", "--range", "1.x", "--tag", "2.0.0-rc.1"];
    let told = asked("1.2.0\n2.0.0-rc.1\n", &other);
    assert_eq!(told["next"], "out of the range: `1.x`");
    assert!(told["place"].is_null(), "{told}");
    let told = asked("4.0.0\n", &["--range", ">5 <3", "--tag", "4.0.0"]);
    assert_eq!(
        told["wayIn"],
        "widen `>5` and `<3` of `semver.range` (try it with `--range`)"
    );
    let told = asked("1.0.0\n", &["--range", "^1", "--tag", "2.0.0-rc.1"]);
    assert_eq!(
        told["wayIn"],
        "widen `^1` of `semver.range` and give it a prerelease, as `>=0.0.0-0` (try it with `--range`)"
    );
    let excluded = |list: &str| {
        let own = format!("image: ghcr.io/acme/app, exclusionList: {list}}}");
        unfiltered().replace("image: ghcr.io/acme/app}", &own)
    };
    tree.write("flux/app.yaml", &excluded("['-rc', 'x', 'rc1']"));
    let told = asked("1.0.0\n2.1.0-rc1\n", &["--tag", "2.1.0-rc1"]);
    assert_eq!(
        told["wayIn"],
        "take `-rc` and `rc1` out of `exclusionList` of the ImageRepository"
    );
    assert_eq!(told["next"], "a prerelease, which the range does not admit");
    // An empty list is the default again, and what the user wrote is no default.
    tree.write("flux/app.yaml", &excluded("['^.*\\.sig$']"));
    let told = asked("1.0.0\n2.1.0-rc1.sig\n", &["--tag", "2.1.0-rc1.sig"]);
    assert_eq!(told["why"], "excluded by `^.*\\.sig$`");
    let way_in = told["wayIn"].as_str().expect("a way");
    assert!(way_in.contains("an empty list stands for"), "{way_in}");
}

/// Where none of the tags in order is chosen, the first of them is told like the others.
#[test]
fn the_first_tag_is_told_where_none_is_chosen() {
    let tree = tree();
    tree.write("flux/app.yaml", &unfiltered());
    let order = ["--order", "numerical", "--tag", "3"];
    let text = text_of(&tree, "1\n2\n3\nx\n", &order);
    for said in [
        "  first     3, 2, 1\n",
        "Tag 3\n  number 1 in the order\n  it would be the latest\n  the policy chooses none now\n",
    ] {
        assert!(text.contains(said), "{text}");
    }
    let reflecting = unfiltered().replace(
        "  policy: {semver",
        "  digestReflectionPolicy: IfNotPresent\n  policy: {semver",
    );
    tree.write("flux/app.yaml", &reflecting);
    let text = text_of(&tree, "1.0.0\n2.0.0\n", &[]);
    assert!(text.contains("  first     2.0.0, 1.0.0\n"), "{text}");
    assert!(!text.contains("let the registry be asked"), "{text}");
    // The tags of the snapshot are no versions.
    let snapshot = "---\napiVersion: flux-image";
    let status = "status: {latestRef: {name: ghcr.io/acme/app, tag: 1.0.0}}\n";
    let kept = unfiltered().replacen(snapshot, &format!("{status}{snapshot}"), 1);
    tree.write("flux/app.yaml", &kept);
    let output = run_in(tree.path(), &["explain", "app"], b"");
    let text = stdout(&output);
    assert!(
        text.contains("  kept      ghcr.io/acme/app:1.0.0\n  because   no tag that is left"),
        "{text}"
    );
}

/// What is wrong with a policy is the reason why nothing is told of its tags.
#[test]
fn tags_are_not_tried_where_the_policy_is_not_valid() {
    let tree = tree();
    for (from, to, why) in [
        (
            ">=1.0.0",
            "foo",
            "invalid policy: improper constraint: \"foo\"",
        ),
        (
            "{semver: {range: '>=1.0.0'}}",
            "{numerical: {order: up}}",
            "invalid policy: invalid order argument provided: 'UP', must be one of: ASC, DESC",
        ),
        (
            "image: ghcr.io/acme/app}",
            "image: ghcr.io/acme/app, exclusionList: ['(']}",
            "failed to compile regex (: error parsing regexp: missing closing ): `(`",
        ),
        (
            "imageRepositoryRef: {name: app}",
            "imageRepositoryRef: {name: none}",
            "referenced ImageRepository does not exist: flux-system:none",
        ),
    ] {
        tree.write("flux/app.yaml", &unfiltered().replace(from, to));
        let told = explained(&tree, &["app", "--tag", "latest"]);
        assert_eq!(told["tag"]["step"], "untried", "{told}");
        assert_eq!(told["tag"]["why"], format!("not tried: {why}"));
        if told["tagsFrom"]["count"] != 0 {
            assert_eq!(told["steps"][0]["step"], "untried");
            assert_eq!(told["steps"][0]["count"], told["tagsFrom"]["count"]);
        }
    }
    let bad = unfiltered().replace(
        "  policy: {semver",
        "  filterTags: {pattern: '(?!x)'}\n  policy: {semver",
    );
    tree.write("flux/app.yaml", &bad);
    let reason = explained(&tree, &["app"])["reason"].clone();
    let reason = reason.as_str().expect("a reason");
    assert!(
        reason.ends_with("error parsing regexp: invalid or unsupported Perl syntax: `(?!`"),
        "{reason}"
    );
    // Without tags the policy can be tried all the same.
    let none = unfiltered().replace("image: ghcr.io/acme/app\n", "image: ghcr.io/acme/other\n");
    tree.write("flux/app.yaml", &none);
    let told = explained(&tree, &["app", "--offline", "--tag", "0.9.0"]);
    assert_eq!(told["tag"]["why"], "out of the range: `>=1.0.0`");
    let told = explained(&tree, &["app", "--offline", "--tag", "1.0.0"]);
    assert_eq!(told["tag"]["why"], "let in by each step");
    assert!(told["tag"]["place"].is_null());
    assert!(told["uses"][0]["out"].is_null(), "{told}");
    let hint = told["hint"].as_str().expect("a hint");
    assert!(!hint.contains("status.latestRef"), "{hint}");
}

/// Tags are those of `--tags` only where it has this repository.
#[test]
fn tags_come_from_where_they_are_said_to() {
    let tree = tree();
    let snapshot = FLUX.split("---\n").nth(2).expect("the snapshot");
    let other = snapshot.replace("ghcr.io/acme/app", "ghcr.io/acme/other");
    tree.write("other.txt", &other);
    let told = explained(&tree, &["app", "--tags", "other.txt"]);
    assert_eq!(told["tagsFrom"]["source"], "snapshot");
    tree.write("flux/app.yaml", &FLUX.replace(snapshot, ""));
    let told = explained(&tree, &["app", "--tags", "other.txt"]);
    assert_eq!(told["tagsFrom"]["source"], "nowhere");
    assert_eq!(
        told["hint"],
        "`--tags` takes a TagSnapshot: give it with this repository"
    );
    tree.write("own.txt", snapshot);
    let told = explained(&tree, &["app", "--tags", "own.txt"]);
    assert_eq!(told["tagsFrom"]["source"], "given");
    let text = text_of(
        &tree,
        "\u{feff}app-1.0.0\napp-1.0.0\napp-1.0.1\nTagSnapshot\n",
        &[],
    );
    assert!(text.contains("  then      app-1.0.0 (1.0.0)\n"), "{text}");
    assert!(text.contains("   3 listed\n"), "{text}");
}

#[test]
fn a_suspended_repository_is_told() {
    let tree = tree();
    let suspended = FLUX.replace(
        "image: ghcr.io/acme/app}",
        "image: ghcr.io/acme/app, suspend: true}",
    );
    tree.write("flux/app.yaml", &suspended);
    let told = explained(&tree, &["app"]);
    assert_eq!(told["repository"]["isSuspended"], true);
    assert_eq!(told["image"], "ghcr.io/acme/app:app-1.3.0");
}

/// A commit that Flux could not make carries nothing.
#[test]
fn what_keeps_an_automation_from_its_commit_is_told() {
    let tree = tree();
    let template = "'Update {{ len .Changed.Changes }} values'";
    let tag = "---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: ssh://git@example.com/fleet, ref: {tag: v1}}
";
    for (flux, said) in [
        (
            FLUX.replace(template, "'{{ .Updated }}'"),
            "template uses removed '.Updated' field",
        ),
        (
            FLUX.replace(template, "'{{ nope }}'"),
            "function \"nope\" not defined",
        ),
        (
            FLUX.replace("    push: {branch: updates}\n", "") + tag,
            "push spec not provided",
        ),
    ] {
        tree.write("flux/app.yaml", &flux);
        let told = explained(&tree, &["app"]);
        let held = told["uses"][0]["heldBack"][0].as_str().expect("a reason");
        assert!(
            held.starts_with("`flux-system:all` pushes no commit: "),
            "{held}"
        );
        assert!(held.contains(said), "{held}");
    }
    // Of a GitRepository that is not known, nobody knows its branch.
    tree.write(
        "flux/app.yaml",
        &FLUX.replace("    push: {branch: updates}\n", ""),
    );
    assert!(explained(&tree, &["app"])["uses"][0]["heldBack"].is_null());
}

/// A value says why nothing is written there, and what is no tag of this repository.
#[test]
fn values_that_get_nothing_say_why() {
    let tree = tree();
    tree.write(
        "apps/app.yaml",
        "digest: '' # {\"$imagepolicy\": \"flux-system:app:digest\"}
image: docker.io/acme/app:app-1.2.3 # {\"$imagepolicy\": \"flux-system:app\"}
",
    );
    let told = explained(&tree, &["app"]);
    assert_eq!(
        told["uses"][0]["heldBack"][0],
        "the policy reflects no digest (`digestReflectionPolicy`)"
    );
    assert_eq!(told["uses"][1]["out"], "an image of another repository");
    assert!(told["uses"][1]["place"].is_null());
}

/// A login in `spec.image`, where none belongs, is shown by no command.
#[test]
fn a_login_in_an_image_is_not_shown() {
    for image in [
        "robot:s3cret@ghcr.io/acme/app",
        "https://robot:s3cret@ghcr.io/acme/app",
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            (
                "a.yaml",
                &format!(
                    "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{image: '{image}', interval: 5m}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{imageRepositoryRef: {{name: app}}, policy: {{semver: {{range: 1.x}}}}}}\n"
                ),
            ),
            (
                "b.yaml",
                "a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n",
            ),
            ("c.yaml", ""),
        ]);
        for arguments in [
            &["explain", "app"][..],
            &["explain", "app", "-o", "json"],
            &["repositories", "-o", "wide"],
            &["policies", "-o", "wide"],
            &["lint", "--no-cache", "-o", "sarif"],
            &["compare", "a.yaml", "c.yaml", "-o", "markdown"],
            &["coverage"],
            &["update", "."],
        ] {
            let mut arguments = arguments.to_vec();
            arguments.push("--offline");
            let output = run_in(tree.path(), &arguments, b"");
            let said = stdout(&output) + &stderr(&output);
            assert!(
                !said.contains("s3cret") && !said.contains("unexpected argument"),
                "{arguments:?}: {said}"
            );
        }
    }
}
