//! `flux-image suggest`: policies for images that have none.

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::Tree;

/// Images of a home, each with tags that came later, the right one first, and what must not
/// be taken.
const IMAGES: [(&str, &[&str]); 29] = [
    (
        "ollama/ollama:0.14.2",
        &["0.14.3", "0.15.0-rc1", "rocm", "0.14.3-rocm"],
    ),
    (
        "ghcr.io/open-webui/open-webui:v0.7.2",
        &["v0.8.0", "v0.8.0-cuda", "main"],
    ),
    (
        "ghcr.io/gethomepage/homepage:v1.9.0",
        &["v1.10.0", "latest"],
    ),
    (
        "ghcr.io/home-assistant/home-assistant:2026.1.2",
        &["2026.2.0", "2026.2.0b3", "dev"],
    ),
    ("n8nio/n8n:2.5.0", &["2.6.0", "2.6.0-exp.0", "next"]),
    (
        "grafana/grafana:12.3.1",
        &["12.4.0", "12.4.0-ubuntu", "13.0.0-123456"],
    ),
    (
        "ghcr.io/paperless-ngx/paperless-ngx:v2.20.5",
        &["2.21.0-beta", "v2.20.6"],
    ),
    ("binwiederhier/ntfy:v2.16.0", &["v2.17.0", "v2"]),
    (
        "docker.io/deluan/navidrome:v0.59.0",
        &["v0.60.0", "pr-1234"],
    ),
    ("docker.io/bellamy/wallos:v4.6.0", &["v4.6.1"]),
    (
        "lscr.io/linuxserver/emby:4.9.3",
        &["4.9.4", "version-4.9.4.1", "amd64-4.9.5"],
    ),
    (
        "docker.io/gotenberg/gotenberg:8.25.1",
        &["8.26.0", "8.26.0-cloudrun", "8"],
    ),
    (
        "docker.io/apache/tika:3.2.3.0",
        &["3.2.3.1", "3.2.3.1-full"],
    ),
    (
        "rdavidoff/twitch-channel-points-miner-v2:2.0.4",
        &["2.0.5", "alpha"],
    ),
    (
        "busybox:1.37",
        &["1.38", "1.38.0", "1.38-musl", "1.38-glibc"],
    ),
    (
        "victoriametrics/victoria-metrics:v1.134.0",
        &["v1.135.0", "v1.135.0-cluster", "v1.136.0-enterprise"],
    ),
    (
        "victoriametrics/vmagent:v1.134.0",
        &["v1.135.0", "v1.135.0-scratch"],
    ),
    (
        "ghcr.io/immich-app/immich-server:v2.4.1",
        &["v2.4.2", "release", "commit-0a1b2c3"],
    ),
    (
        "ghcr.io/immich-app/immich-machine-learning:v2.4.1-cuda",
        &["v2.4.2-cuda", "v2.4.3", "v2.4.3-rocm"],
    ),
    (
        "quay.io/prometheus/node-exporter:v1.10.2",
        &["v1.11.0", "v1.12.0-rc.0"],
    ),
    (
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.18.0",
        &["v2.19.0"],
    ),
    (
        "ghcr.io/hotio/radarr:release-6.0.4.10291",
        &["release-6.0.10.10300", "testing-6.1.0.1", "release"],
    ),
    (
        "ghcr.io/hotio/sonarr:release-4.0.16.2944",
        &["release-4.0.16.3000"],
    ),
    (
        "ghcr.io/hotio/bazarr:release-1.5.4",
        &["release-1.5.10", "nightly-9.9.9"],
    ),
    (
        "ghcr.io/hotio/qbittorrent:release-5.1.4",
        &["release-5.1.5", "legacy-4.6.7"],
    ),
    (
        "ghcr.io/hotio/sabnzbd:release-4.5.5",
        &["release-4.6.0", "release-0a1b2c3"],
    ),
    (
        "minio/minio:RELEASE.2025-09-07T16-13-09Z",
        &[
            "RELEASE.2025-10-01T00-00-00Z",
            "RELEASE.2025-10-02T00-00-00Z-cpuv1",
        ],
    ),
    (
        "minio/mc:RELEASE.2025-08-13T08-35-41Z",
        &["RELEASE.2025-08-14T00-00-00Z", "edge"],
    ),
    (
        "corentinth/it-tools:v2024.10.22-7ca5933",
        &["v2025.1.2-0a1b2c3", "nightly", "latest"],
    ),
];

const OTHERS: [&str; 3] = [
    "ghcr.io/gabe565/obico/web:release",
    "ghcr.io/zhaofengli/attic:latest",
    "ghcr.io/acme/app:8f2c1d9",
];

fn deployment(number: usize, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{number}, namespace: apps}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app   # the app\n        image: {image}\n        args: [\"-x\"]\n"
    )
}

fn name_of(image: &str) -> &str {
    image.rsplit_once(':').map_or(image, |(name, _)| name)
}

/// The tree of a home without any automation.
fn home() -> Tree {
    let tree = Tree::new(&[(".git/HEAD", "")]);
    let all = IMAGES.iter().map(|(image, _)| *image).chain(OTHERS);
    for (number, image) in all.enumerate() {
        tree.write(
            &format!("apps/app-{number}.yaml"),
            &deployment(number, image),
        );
    }
    let mut snapshot = "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: tags}\nspec:\n  repositories:\n".to_owned();
    for (image, later) in IMAGES {
        let (name, tag) = image.rsplit_once(':').expect("a tag");
        let tags: Vec<String> = later
            .iter()
            .chain([&tag])
            .map(|tag| format!("'{tag}'"))
            .collect();
        snapshot.push_str(&format!(
            "  - {{image: {name}, tags: [{}]}}\n",
            tags.join(", ")
        ));
    }
    tree.write("tags.yaml", &snapshot);
    tree
}

fn run(tree: &Tree, arguments: &[&str]) -> std::process::Output {
    let output = run_in(tree.path(), arguments, b"");
    assert_eq!(
        code(&output),
        0,
        "{arguments:?}: {}{}",
        stderr(&output),
        stdout(&output)
    );
    output
}

/// One command automates the images of a home; what an update then takes is what the owner
/// would.
#[test]
fn a_home_is_automated_by_one_command() {
    let tree = home();
    let diff = run(&tree, &["suggest", "--write", "flux/images", "--diff"]);
    assert!(stdout(&diff).contains(
        "+        image: ollama/ollama:0.14.2 # {\"$imagepolicy\": \"flux-system:ollama\"}"
    ));
    assert!(!tree.at("flux").exists(), "`--diff` writes nothing");
    let output = run(&tree, &["suggest", "--write", "flux/images"]);
    let said = stderr(&output);
    assert!(
        said.contains("wrote 29 policies and marked 29 values; 3 images get none"),
        "{said}"
    );
    for (number, (image, _)) in IMAGES.iter().enumerate() {
        let text = tree.read(&format!("apps/app-{number}.yaml"));
        let marked = &text;
        let before = deployment(number, image);
        let (start, end) = before.split_once("\n        args").expect("args");
        assert!(
            marked.starts_with(start) && marked.ends_with(&format!("\n        args{end}")),
            "{text}"
        );
        assert!(
            text.contains(&format!("{image} # {{\"$imagepolicy\": \"flux-system:")),
            "{text}"
        );
    }
    let list = tree.read("flux/images/kustomization.yaml");
    assert_eq!(list.matches("  - ").count(), 29, "{list}");
    run(&tree, &["update", "."]);
    for (number, (image, later)) in IMAGES.iter().enumerate() {
        let wanted = if image.contains("paperless") {
            later[1]
        } else {
            later[0]
        };
        let text = tree.read(&format!("apps/app-{number}.yaml"));
        let expected = format!("image: {}:{wanted} # ", name_of(image));
        assert!(text.contains(&expected), "{image}: {text}");
    }
    // Nothing is left to be said of policies and markers.
    let output = run(&tree, &["lint", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings").iter();
    // No automation was there, and none is made.
    let left: Vec<&Value> = findings
        .filter(|one| one["code"] != "unreached-marker")
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    // A second run has nothing to do but for what cannot be put in order.
    let again = run(&tree, &["suggest", "-o", "json"]);
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(again["items"].as_array().map(Vec::len), Some(3), "{again}");
}

/// The README's way from images without automation to a first update, as it stands there.
#[test]
fn the_five_commands_of_the_readme() {
    let readme = std::fs::read_to_string("README.md").expect("the README");
    let block = readme
        .split("to the first update:")
        .nth(1)
        .expect("the way");
    let block = block
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let lines = block.expect("commands").lines();
    let commands = lines.map(|line| line.split('#').next().unwrap_or(line).trim());
    let commands: Vec<&str> = commands
        .filter_map(|line| line.strip_prefix("flux-image "))
        .collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    let tree = home();
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        run(&tree, &arguments);
    }
    for (number, (image, later)) in IMAGES.iter().enumerate() {
        let wanted = if image.contains("paperless") {
            later[1]
        } else {
            later[0]
        };
        let text = tree.read(&format!("apps/app-{number}.yaml"));
        assert!(
            text.contains(&format!("image: {}:{wanted} # ", name_of(image))),
            "{text}"
        );
    }
}

#[test]
fn a_suggestion_is_proved_and_can_be_applied() {
    let tree = Tree::new(&[(
        "tags",
        "1.27.3-alpine3.19\n1.27.4-alpine3.20\n1.27.4\n1.28.0-rc.1-alpine3.20\nlatest\n",
    )]);
    let arguments = [
        "suggest",
        "ghcr.io/acme/web:1.27.3-alpine3.19",
        "--tags",
        "tags",
    ];
    let output = run(&tree, &arguments);
    let text = stdout(&output);
    assert!(
        text.contains(
            "#   of 5 tags it would choose, in this order: 1.27.4-alpine3.20, 1.27.3-alpine3.19"
        ),
        "{text}"
    );
    // What is printed is read as it is.
    tree.write("policies.yaml", &text);
    let output = run(&tree, &["explain", "web", "--tags", "tags", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        told["items"][0]["image"],
        "ghcr.io/acme/web:1.27.4-alpine3.20"
    );

    for (image, said) in [
        ("ghcr.io/acme/web:8f2c1d9", "GITHUB_RUN_NUMBER"),
        (
            "ghcr.io/acme/web:latest",
            "pin a version first, such as `1.27.4`",
        ),
        ("ghcr.io/acme/web", "no tag, which is `latest`"),
    ] {
        let output = run(&tree, &["suggest", image, "--tags", "tags"]);
        assert!(
            stdout(&output).contains(said),
            "{image}: {}",
            stdout(&output)
        );
        assert!(!stdout(&output).contains("kind:"));
    }
    for (arguments, said) in [
        (
            &["suggest", "no such: thing"][..],
            "is no file, and no image",
        ),
        (
            &["suggest", "ghcr.io/acme/web:1.0.0", "--write", "x"],
            "name a PATH",
        ),
    ] {
        let output = run_in(tree.path(), arguments, b"");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// What is there stays: an ImageRepository, a comment, a file of the same name.
#[test]
fn what_is_there_already_stays() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (
            "flux/kustomization.yaml",
            "resources:\n- repository.yaml # ours\n",
        ),
        (
            "flux/repository.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: ours, namespace: flux-system}\nspec: {image: ghcr.io/acme/app}\n",
        ),
        (
            "a.yaml",
            "kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/app:1.0.0\n  - image: ghcr.io/acme/app:1.0.1 # pinned for now\n  - {name: x, image: ghcr.io/acme/app:1.0.2}\n  - image: ghcr.io/acme/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        ),
        (
            "s.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  containers:\n  - image: ghcr.io/acme/hidden:1.0.0\n",
        ),
    ]);
    let output = run(&tree, &["suggest", "--write", "flux"]);
    let said = stderr(&output);
    assert!(
        said.contains("something else is behind it on its line")
            && said.contains("a comment is there already"),
        "{said}"
    );
    assert!(!said.contains("hidden"), "{said}");
    let policy = tree.read("flux/app.yaml");
    assert!(
        policy.contains("name: ours") && !policy.contains("kind: ImageRepository"),
        "{policy}"
    );
    assert_eq!(
        tree.read("flux/kustomization.yaml"),
        "resources:\n- repository.yaml # ours\n- app.yaml\n"
    );
    let marked = tree.read("a.yaml");
    assert!(
        marked.contains("app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n"),
        "{marked}"
    );
    assert!(marked.contains("app:1.0.1 # pinned for now\n"), "{marked}");
    assert!(
        marked.contains("{name: x, image: ghcr.io/acme/app:1.0.2}\n"),
        "{marked}"
    );

    tree.write(
        "b.yaml",
        "kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/other:1.0.0\n",
    );
    tree.write("flux/other.yaml", "mine: true\n");
    let output = run_in(tree.path(), &["suggest", "b.yaml", "--write", "flux"], b"");
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("is there already; nothing was changed"),
        "{}",
        stderr(&output)
    );
    assert_eq!(tree.read("flux/other.yaml"), "mine: true\n");
    assert!(!tree.read("b.yaml").contains("imagepolicy"));
}

fn pod(image: &str) -> String {
    format!("kind: Pod\nspec:\n  containers:\n  - image: {image}\n")
}

/// Flux generates a kustomization over all files where there is none: one with the new files
/// alone would have it delete the others.
#[test]
fn no_kustomization_is_made_over_manifests_that_have_none() {
    for there in ["flux/cm.yaml", "flux/deep/er/cm.yml"] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            (there, "kind: ConfigMap\n"),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        let output = run(&tree, &["suggest", "a.yaml", "--write", "flux"]);
        let said = stderr(&output);
        assert!(
            said.contains("holds manifests and no kustomization"),
            "{said}"
        );
        assert!(
            said.contains("wrote 1 policy and marked 1 value\n"),
            "{said}"
        );
        assert!(tree.at("flux/app.yaml").exists());
        assert!(!tree.at("flux/kustomization.yaml").exists());
    }
    // Where there is nothing to drop, one is made.
    for there in ["x", "flux/README.md"] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            (there, "text\n"),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        run(&tree, &["suggest", "--write", "flux"]);
        let list = tree.read("flux/kustomization.yaml");
        assert!(list.ends_with("resources:\n  - app.yaml\n"), "{list}");
    }
}

/// A kustomization above takes what it lists, which is said.
#[test]
fn a_kustomization_above_is_told_of() {
    for (there, said) in [
        (
            "flux/images/cm.yaml",
            "add the new files to its `resources`",
        ),
        ("x", "to its `resources`"),
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("flux/kustomization.yaml", "resources: []\n"),
            (there, "kind: ConfigMap\n"),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        let output = run(&tree, &["suggest", "--write", "flux/images"]);
        let text = stderr(&output);
        assert!(
            text.contains(said) && text.contains("flux/kustomization.yaml"),
            "{text}"
        );
    }
}

/// The other names of kustomizations, also where the run does not read them.
#[test]
fn a_kustomization_of_any_name_is_edited() {
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        for about in [&[][..], &["a.yaml"]] {
            let at = format!("flux/{name}");
            let tree = Tree::new(&[
                (".git/HEAD", ""),
                (&at, "resources:\n- cm.yaml\n"),
                ("flux/cm.yaml", "kind: ConfigMap\n"),
                ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
            ]);
            let mut arguments = vec!["suggest"];
            arguments.extend(about);
            arguments.extend(["--write", "flux"]);
            run(&tree, &arguments);
            assert_eq!(
                tree.read(&at),
                "resources:\n- cm.yaml\n- app.yaml\n",
                "{arguments:?}"
            );
            let names = std::fs::read_dir(tree.at("flux"))
                .expect("a folder")
                .count();
            assert_eq!(names, 3, "{name}: no second one");
        }
    }
}

/// A list in brackets is extended too. What cannot be added to stays, as everything does; so
/// does a link.
#[test]
fn a_kustomization_is_extended_or_nothing_is_written() {
    for (text, extended) in [
        (
            "{\"resources\": [\"cm.yaml\"]}\n",
            "{\"resources\": [\"cm.yaml\", \"app.yaml\"]}\n",
        ),
        ("resources: []\n", "resources: [app.yaml]\n"),
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("flux/kustomization.yaml", text),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        run(&tree, &["suggest", "--write", "flux"]);
        assert_eq!(tree.read("flux/kustomization.yaml"), extended);
    }
    for text in [
        "namespace: x\n...\n",
        "a: [\n",
        "resources: &a\n- cm.yaml\n",
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("flux/kustomization.yaml", text),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        let output = run_in(tree.path(), &["suggest", "--write", "flux"], b"");
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("its `resources` cannot be extended"),
            "{}",
            stderr(&output)
        );
        assert_eq!(tree.read("flux/kustomization.yaml"), text);
        assert!(!tree.at("flux/app.yaml").exists());
        assert_eq!(tree.read("a.yaml"), pod("ghcr.io/acme/app:1.0.0"));
    }
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("flux/x", ""),
        ("base/kustomization.yaml", "resources: []\n"),
        ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
    ]);
    tree.link("../base/kustomization.yaml", "flux/kustomization.yaml");
    let output = run_in(tree.path(), &["suggest", "--write", "flux"], b"");
    assert!(
        stderr(&output).contains("is a link or no file"),
        "{}",
        stderr(&output)
    );
    assert_eq!(tree.read("base/kustomization.yaml"), "resources: []\n");
}

/// Nothing is written outside of the work tree, in whatever way the folder is named.
#[test]
fn a_folder_outside_of_the_work_tree_is_refused() {
    let tree = Tree::new(&[
        ("work/.git/HEAD", ""),
        ("work/a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ("work/in/x", ""),
        ("work/sub/.git/HEAD", ""),
        ("out/x", ""),
    ]);
    tree.link("../out", "work/link");
    tree.link("../gone", "work/broken");
    tree.link(".git", "work/git");
    tree.link("in", "work/inner");
    let work = tree.at("work");
    for (folder, said) in [
        ("../out", "leads out of the work tree"),
        ("/", "leads out of the work tree"),
        ("link", "leads out of the work tree"),
        ("link/new", "leads out of the work tree"),
        ("in/../../out", "leads out of the work tree"),
        ("broken", "leads nowhere"),
        ("broken/new", "leads nowhere"),
        (".git", "leads into `.git`"),
        (".git/hooks", "leads into `.git`"),
        ("git/hooks", "leads into `.git`"),
        ("sub", "is in another work tree"),
        ("sub/new", "is in another work tree"),
        ("a.yaml", "is no folder"),
        ("new/../../out", "`..`"),
    ] {
        for diff in [&[][..], &["--diff"]] {
            let mut arguments = vec!["suggest", "--write", folder];
            arguments.extend(diff);
            let output = run_in(&work, &arguments, b"");
            assert_eq!(code(&output), 2, "{folder}: {}", stderr(&output));
            assert!(
                stderr(&output).contains(said),
                "{folder}: {}",
                stderr(&output)
            );
        }
    }
    assert!(!tree.read("work/a.yaml").contains("imagepolicy"));
    assert!(!tree.at("out/app.yaml").exists() && !tree.at("gone").exists());
    // A link that stays inside is where it leads.
    let output = run_in(&work, &["suggest", "--write", "inner"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(tree.at("work/in/app.yaml").exists());
}

#[test]
fn the_namespace_is_a_dns_label() {
    let tree = Tree::new(&[(".git/HEAD", "")]);
    let long = "a".repeat(64);
    for name in ["", "Apps", "a.b", "-a", "a-", "a b", "a\nb: c", &long] {
        let output = run_in(
            tree.path(),
            &[
                "suggest",
                "ghcr.io/acme/app:1.0.0",
                &format!("--namespace={name}"),
            ],
            b"",
        );
        assert_eq!(code(&output), 2, "{name}");
        assert!(
            stderr(&output).contains("no name of a namespace") || name.is_empty(),
            "{}",
            stderr(&output)
        );
    }
}

/// An ImageRepository of another namespace that does not let the policy in, one that is
/// suspended, or none: a new one, with a name that is free. What one leaves out counts.
#[test]
fn an_image_repository_counts_where_it_can_be_used() {
    let repository = |namespace: &str, more: &str| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: {namespace}}}\nspec: {{image: ghcr.io/acme/app, interval: 1h{more}}}\n"
        )
    };
    for (namespace, more, name, is_new) in [
        ("flux-system", "", "app", false),
        ("flux-system", ", suspend: true", "acme-app", true),
        ("other", "", "app", true),
        (
            "other",
            ", accessFrom: {namespaceSelectors: [{}]}",
            "app",
            false,
        ),
        (
            "other",
            ", accessFrom: {namespaceSelectors: [{matchLabels: {kubernetes.io/metadata.name: apps}}]}",
            "app",
            true,
        ),
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("repository.yaml", &repository(namespace, more)),
            (
                "tags.yaml",
                "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: tags}\nspec:\n  repositories:\n  - {image: ghcr.io/acme/app, tags: ['1.0.0', '1.0.1']}\n",
            ),
            ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        ]);
        let output = run(&tree, &["suggest", "-o", "json"]);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let told = &told["items"][0];
        assert_eq!(told["name"], name, "{namespace}{more}: {told}");
        assert_eq!(
            told["repository"].is_null(),
            is_new,
            "{namespace}{more}: {told}"
        );
        assert_eq!(told["chooses"][0], "1.0.1");
    }
}

/// What an ImageRepository leaves out is not chosen.
#[test]
fn the_exclusion_list_of_an_image_repository_counts() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("tags", "1.0.0\n1.0.1\n1.0.2\n"),
        (
            "repository.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: app, namespace: flux-system}\nspec: {image: ghcr.io/acme/app, exclusionList: ['2$']}\n",
        ),
    ]);
    let output = run(
        &tree,
        &[
            "suggest",
            "ghcr.io/acme/app:1.0.0",
            "--tags",
            "tags",
            "-o",
            "json",
        ],
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        told["items"][0]["chooses"],
        serde_json::json!(["1.0.1", "1.0.0"])
    );
}

fn write(tree: &Tree, more: &[&str]) -> String {
    let mut arguments = vec!["suggest", "--offline", "--write", "flux"];
    arguments.extend(more);
    stderr(&run(tree, &arguments))
}

fn snapshot(image: &str, tags: &[&str]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| format!("'{tag}'")).collect();
    format!(
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec:\n  repositories:\n  - {{image: {image}, tags: [{}]}}\n",
        tags.join(", ")
    )
}

fn release(values: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: h, namespace: apps}}\nspec:\n  values:\n{values}"
    )
}

/// What is written like an image and is none: the list of images is that of `coverage`.
#[test]
fn only_images_are_marked() {
    let values = "    env:\n      URL: http://home.default.svc.cluster.local:8123\n      LISTEN: 0.0.0.0:80\n      REDIS: redis-master:6379\n    artifact: oci://ghcr.io/acme/artifact:1.2.3\n";
    let generated = format!(
        "---\n# This manifest was generated by flux. DO NOT EDIT.\n# Flux Version: v2.9.1\n{}",
        pod("ghcr.io/fluxcd/source-controller:v1.4.1")
    );
    let excluded = "kind: Pod\nspec:\n  containers:\n  # flux-image: exclude frozen for the audit\n  - image: ghcr.io/acme/frozen:1.0.0\n";
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("a.yaml", &release(values)),
        ("flux-system/gotk-components.yaml", &generated),
        ("b.yaml", excluded),
    ]);
    let said = write(&tree, &[]);
    assert!(
        said.contains("wrote 0 policies and marked 0 values"),
        "{said}"
    );
    assert!(
        said.contains("left out: 1 image of flux-system/gotk-components.yaml"),
        "{said}"
    );
    assert_eq!(tree.read("a.yaml"), release(values));
    assert_eq!(tree.read("b.yaml"), excluded);
}

/// A digest is never taken away: in the tag it can have no marker, beside it it has its own.
#[test]
fn digests_stay() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let in_tag =
        format!("    image:\n      repository: ghcr.io/acme/in\n      tag: 1.2.3@{digest}\n");
    let beside = format!(
        "    image:\n      repository: ghcr.io/acme/beside\n      tag: 1.2.3\n      digest: {digest}\n"
    );
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("a.yaml", &release(&in_tag)),
        ("b.yaml", &release(&beside)),
        (
            "c.yaml",
            &pod(&format!("ghcr.io/acme/whole:1.2.3@{digest}")),
        ),
        ("d.yaml", &pod("ghcr.io/acme/whole:1.2.3")),
    ]);
    let said = write(&tree, &[]);
    assert!(said.contains("a digest in its tag pins it"), "{said}");
    assert_eq!(tree.read("a.yaml"), release(&in_tag));
    assert!(!tree.at("flux/in.yaml").exists());
    let marked = tree.read("b.yaml");
    assert!(
        marked.contains("tag: 1.2.3 # {\"$imagepolicy\": \"flux-system:beside:tag\"}\n")
            && marked.contains(&format!(
                "digest: {digest} # {{\"$imagepolicy\": \"flux-system:beside:digest\"}}\n"
            )),
        "{marked}"
    );
    assert!(
        tree.read("flux/beside.yaml")
            .contains("digestReflectionPolicy: IfNotPresent")
    );
    // What is not pinned has a policy of its own, of the same ImageRepository.
    let policies = ["flux/whole.yaml", "flux/whole-pinned.yaml"].map(|file| tree.read(file));
    assert!(!policies[0].contains("digestReflection"), "{}", policies[0]);
    assert!(policies[1].contains("IfNotPresent"), "{}", policies[1]);
    assert!(
        !policies[1].contains("kind: ImageRepository"),
        "{}",
        policies[1]
    );
    assert!(policies[1].contains("name: whole\n"), "{}", policies[1]);
}

/// A policy that is there and accepts the tag is the one that the value is marked with.
#[test]
fn a_policy_that_is_there_is_used() {
    let policy = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: ours, namespace: flux-system}\nspec: {image: ghcr.io/acme/app, interval: 1h}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: ours, namespace: flux-system}\nspec: {imageRepositoryRef: {name: ours}, policy: {semver: {range: 1.x}}}\n";
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("policy.yaml", policy),
        (
            "a.yaml",
            &pod("ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:ours\"}"),
        ),
        ("b.yaml", &pod("ghcr.io/acme/app:1.1.0")),
        ("c.yaml", &pod("ghcr.io/acme/app:2.0.0")),
    ]);
    let told = stdout(&run(&tree, &["suggest", "--offline", "b.yaml"]));
    assert!(
        told.contains("ImagePolicy `flux-system:ours` accepts it"),
        "{told}"
    );
    let said = write(&tree, &[]);
    assert!(
        said.contains("wrote 1 policy and marked 2 values"),
        "{said}"
    );
    assert!(
        tree.read("b.yaml")
            .contains("app:1.1.0 # {\"$imagepolicy\": \"flux-system:ours\"}"),
        "{}",
        tree.read("b.yaml")
    );
    let own = tree.read("flux/app.yaml");
    assert!(
        own.contains("range: 2.x") && !own.contains("kind: ImageRepository"),
        "{own}"
    );
    // Two that accept it are for the owner to tell apart.
    let other = policy.replace("name: ours, namespace", "name: other, namespace");
    tree.write("other.yaml", &other);
    tree.write("b.yaml", &pod("ghcr.io/acme/app:1.1.0"));
    let told = stdout(&run(&tree, &["suggest", "--offline", "b.yaml"]));
    assert!(told.contains("several ImagePolicies accept it"), "{told}");
}

/// Nothing is written where something cannot be.
#[test]
fn all_is_written_or_nothing() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        (
            "b.yaml",
            "kind: Pod\nspec:\n  containers:\n  - {image: ghcr.io/acme/flow:1.0.0}\n",
        ),
        ("flux/cm.yaml", "kind: ConfigMap\n"),
        (
            "flux/kustomization.yaml",
            "namespace: images\nresources: [cm.yaml]\n",
        ),
    ]);
    let diff = run(
        &tree,
        &["suggest", "--offline", "--write", "flux", "--diff"],
    );
    let text = stdout(&diff);
    assert!(
        text.contains("--- /dev/null\n+++ b/flux/app.yaml\n@@ -0,0 +1,"),
        "{text}"
    );
    assert!(text.contains("\"images:app\""), "{text}");
    assert!(
        stderr(&diff).contains("would write 1 policy and mark 1 value\n"),
        "{}",
        stderr(&diff)
    );
    let said = write(&tree, &[]);
    // A policy without a marker would do nothing.
    assert!(!tree.at("flux/flow.yaml").exists());
    assert!(said.contains("`git add flux`"), "{said}");
    assert!(tree.read("flux/app.yaml").contains("namespace: images"));

    for (text, namespace, why) in [
        (
            "namePrefix: x-\n",
            None,
            "puts something before or behind names",
        ),
        (
            "namespace: images\n",
            Some("other"),
            "puts everything in `images`",
        ),
    ] {
        tree.write("more/kustomization.yaml", text);
        tree.write("c.yaml", &pod("ghcr.io/acme/more:1.0.0"));
        let mut arguments = vec!["suggest", "--offline", "c.yaml", "--write", "more"];
        arguments.extend(namespace.into_iter().flat_map(|name| ["-n", name]));
        let output = run_in(tree.path(), &arguments, b"");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(!tree.at("more/more.yaml").exists());
    }
}

/// A file of that name is told of before anything else, also by `--diff`.
#[test]
fn a_file_that_is_there_stays() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("c.yaml", &pod("ghcr.io/acme/more:1.0.0")),
    ]);
    tree.write("more/kustomization.yaml", "");
    tree.write("more/more.yaml", "");
    for more in [&[][..], &["--diff"]] {
        let mut arguments = vec!["suggest", "--offline", "c.yaml", "--write", "more"];
        arguments.extend(more);
        let output = run_in(tree.path(), &arguments, b"");
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("is there already"),
            "{}",
            stderr(&output)
        );
    }
    let output = run_in(tree.path(), &["suggest", "nofile.yaml"], b"");
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("no such file"),
        "{}",
        stderr(&output)
    );
}

/// What is behind a value stays: white space, a comment, a line break of Windows.
#[test]
fn a_marker_is_all_that_changes() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (
            "a.yaml",
            "kind: Pod\r\nspec:\r\n  containers:\r\n  - image: \"ghcr.io/acme/app:1.0.0\"  \r\n    name: x",
        ),
        (
            "b.yaml",
            "kind: Pod\nspec:\n  containers:\n  - name: x\n    image: ghcr.io/acme/app:1.0.0",
        ),
        (
            "c.yaml",
            "image:\n  repository: ghcr.io/acme/values\n  tag: '1.0.0'\n",
        ),
        (
            "tags.yaml",
            &snapshot("ghcr.io/acme/app", &["1.0.0", "1.0.1"]),
        ),
    ]);
    write(&tree, &[]);
    assert_eq!(
        tree.read("a.yaml"),
        "kind: Pod\r\nspec:\r\n  containers:\r\n  - image: \"ghcr.io/acme/app:1.0.0\"  # {\"$imagepolicy\": \"flux-system:app\"}\r\n    name: x"
    );
    assert_eq!(
        tree.read("b.yaml"),
        "kind: Pod\nspec:\n  containers:\n  - name: x\n    image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}"
    );
    // Values of a chart have no kind.
    assert_eq!(
        tree.read("c.yaml"),
        "image:\n  repository: ghcr.io/acme/values\n  tag: '1.0.0' # {\"$imagepolicy\": \"flux-system:values:tag\"}\n"
    );
}

/// What could not be read may hold policies or tags, which is said.
#[test]
fn what_is_not_read_is_said() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
        (
            "tags.yaml",
            &snapshot("ghcr.io/acme/app", &["1.0.0"]).replace("'1.0.0'", "1.0"),
        ),
        (
            "b.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\na: [\n",
        ),
    ]);
    let output = run(&tree, &["suggest", "--offline"]);
    let said = stderr(&output);
    assert!(said.contains("TagSnapshot `tags`"), "{said}");
    assert!(said.contains("b.yaml"), "{said}");
}

/// Where there are automations, one is to come to what is marked.
#[test]
fn values_that_nobody_would_update_are_told() {
    let automation = |more: &str| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {{name: all, namespace: flux-system}}\nspec:\n  interval: 1h\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n  git: {{commit: {{author: {{email: flux@acme.example}}}}, push: {{branch: main}}}}\n{more}"
        )
    };
    for (more, namespace, said) in [
        ("  update: {path: ./apps}\n", "flux-system", None),
        (
            "  update: {path: ./other}\n",
            "flux-system",
            Some("`flux-system:all` updates another folder"),
        ),
        (
            "",
            "images",
            Some("`flux-system:all` takes the policies of its own namespace alone"),
        ),
        (
            "  policySelector: {matchLabels: {team: web}}\n",
            "flux-system",
            Some("`flux-system:all` takes policies of some labels"),
        ),
    ] {
        let tree = Tree::new(&[
            (".git/HEAD", ""),
            ("automation.yaml", &automation(more)),
            ("apps/a.yaml", &pod("ghcr.io/acme/app:1.0.0")),
            ("other/x.yaml", "kind: ConfigMap\n"),
        ]);
        let told = write(&tree, &["-n", namespace]);
        let expected = said.unwrap_or("wrote 1 policy");
        assert!(told.contains(expected), "{more}: {told}");
        assert_eq!(
            told.contains("no ImageUpdateAutomation comes"),
            said.is_some(),
            "{told}"
        );
    }
}

/// Of two equal keys Flux reads the first, and a marker behind the second does nothing.
#[test]
fn no_marker_is_put_where_it_is_not_read() {
    let twice = "kind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/app:1.0.0\n    image: ghcr.io/acme/app:1.0.1\n";
    let tree = Tree::new(&[(".git/HEAD", ""), ("a.yaml", twice)]);
    let output = run_in(
        tree.path(),
        &["suggest", "--offline", "--write", "flux"],
        b"",
    );
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("would not be read"),
        "{}",
        stderr(&output)
    );
    assert_eq!(tree.read("a.yaml"), twice);
    assert!(!tree.at("flux").exists());
}

/// Comments right before a Secret may speak of its values, also where a diff shows lines
/// around a change.
#[test]
fn comments_before_a_secret_are_in_no_diff() {
    let secret = "apiVersion: v1\nkind: Secret\nstringData: {p: hunterA}\n";
    for between in [
        "---\n# hunterB\n",
        "--- # hunterB\n# hunterC\n",
        "...\n# hunterB\n---\n",
    ] {
        let text = format!("{}{between}{secret}", pod("ghcr.io/acme/app:1.0.0"));
        let tree = Tree::new(&[(".git/HEAD", ""), ("a.yaml", &text)]);
        let output = run(
            &tree,
            &["suggest", "--offline", "--write", "flux", "--diff"],
        );
        let said = stdout(&output);
        assert!(
            said.contains("imagepolicy") && !said.contains("hunter"),
            "{said}"
        );
    }
}
