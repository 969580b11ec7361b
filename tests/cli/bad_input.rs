//! What bad input gets: a clear error or result, nothing half written, never a
//! panic, never success with empty output.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::run_in;
use crate::support::{code, flux_image, skipped, stderr, stdout};

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: app, namespace: flux-system}\nspec: {imageRepositoryRef: {name: app}, policy: {alphabetical: {}}}\nstatus: {latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}}\n";
const MARKED: &str = "a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
const UPDATED: &str = "a: ghcr.io/acme/app:1.2.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";

/// Texts that are no YAML, or more than a reader should take, and what is said
/// of them.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let with = |text: String| [MARKED.as_bytes(), text.as_bytes()].concat();
    vec![
        (
            "truncated in quotes",
            with("b: \"x".into()),
            "unclosed quote",
        ),
        (
            "truncated in brackets",
            with("b: [x, ".into()),
            "unclosed bracket",
        ),
        ("a tab for indentation", with("b:\n\t- c\n".into()), "tab"),
        ("an unknown anchor", with("b: *c\n".into()), "anchor"),
        ("a NUL", with("b: \0\n".into()), "unexpected character"),
        (
            "a control character",
            with("b: \u{7}\n".into()),
            "character",
        ),
        (
            "20,000 brackets",
            with(format!("b: {}", "[".repeat(20_000))),
            "nest",
        ),
        (
            "20,000 braces",
            with(format!("b: {}", "{a: ".repeat(20_000))),
            "nest",
        ),
        (
            "20,000 dashes",
            with(format!("b:\n {}x\n", "- ".repeat(20_000))),
            "nest",
        ),
        (
            "not UTF-8",
            [MARKED.as_bytes(), b"b: \xff\n"].concat(),
            "UTF-8",
        ),
        (
            "UTF-16",
            with("b: c\n".into()).iter().flat_map(|&b| [b, 0]).collect(),
            "character",
        ),
    ]
}

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let tree = TempDir::new().expect("a folder");
    fs::create_dir(tree.path().join(".git")).expect("a folder");
    for (name, bytes) in files {
        fs::write(tree.path().join(name), bytes).expect("a file");
    }
    tree
}

fn leftovers(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    });
    names.filter(|name| name.contains("flux-image")).collect()
}

#[test]
fn on_stdin_it_is_an_error_with_its_place() {
    let folder = TempDir::new().expect("a folder");
    for (name, bytes, expected) in unreadable() {
        let output = run_in(folder.path(), &["fn"], &bytes);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{name}: {said}");
        assert!(output.stdout.is_empty(), "{name}");
        assert!(said.starts_with("error: <stdin>:"), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
        assert!(said.len() < 300, "{name}: {said}");
    }
}

#[test]
fn in_a_walked_file_it_is_a_warning_and_the_others_go_on() {
    for (name, bytes, expected) in unreadable() {
        let tree = tree(&[
            ("p.yaml", POLICY.as_bytes()),
            ("good.yaml", MARKED.as_bytes()),
            ("bad.yaml", &bytes),
        ]);
        let output = run_in(tree.path(), &["update", "."], b"");
        let said = stderr(&output);
        assert_eq!(code(&output), 0, "{name}: {said}");
        assert_eq!(
            fs::read_to_string(tree.path().join("good.yaml")).expect("good"),
            UPDATED
        );
        assert_eq!(
            fs::read(tree.path().join("bad.yaml")).expect("bad"),
            bytes,
            "{name}"
        );
        // UTF-16 holds no marker that Flux or we would see.
        if name != "UTF-16" {
            assert!(
                said.contains("warning: ") && said.contains("bad.yaml"),
                "{name}: {said}"
            );
            assert!(said.contains(expected), "{name}: {said}");
            let strict = run_in(tree.path(), &["update", "--strict", "."], b"");
            assert_eq!(code(&strict), 1, "{name}");
        }
    }
}

#[test]
fn in_a_named_file_it_is_an_error() {
    for (name, bytes, _) in unreadable().iter().filter(|(name, ..)| *name != "UTF-16") {
        let tree = tree(&[("p.yaml", POLICY.as_bytes()), ("bad.yaml", bytes)]);
        let output = run_in(tree.path(), &["update", "bad.yaml"], b"");
        assert_eq!(code(&output), 2, "{name}: {}", stderr(&output));
        assert_eq!(
            &fs::read(tree.path().join("bad.yaml")).expect("bad"),
            bytes,
            "{name}"
        );
    }
}

/// Nine anchors, each nine times the one before.
fn alias_bomb(key: &str) -> String {
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    format!("{bomb}{key}: *a9\n")
}

#[test]
fn an_alias_bomb_in_a_manifest_is_only_text() {
    let folder = TempDir::new().expect("a folder");
    let input = format!(
        "{POLICY}---\n{}b: 1 # {{\"$imagepolicy\": \"flux-system:app:tag\"}}\n",
        alias_bomb("c")
    );
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), input.replace("b: 1 #", "b: 1.2.0 #"));
}

#[test]
fn an_alias_bomb_in_a_policy_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    let input = format!(
        "{POLICY}---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: bomb}}\n{}---\n{MARKED}",
        alias_bomb("spec")
    );
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("ImagePolicy `bomb` cannot be read"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("app:1.2.0"));
}

#[test]
fn deep_nesting_in_a_policy_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    let deep = format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: deep}}\nspec: {}{}\n",
        "[".repeat(300),
        "]".repeat(300)
    );
    let output = run_in(folder.path(), &["fn"], deep.as_bytes());
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert_eq!(stdout(&output), deep);
}

#[test]
fn a_scalar_of_100_mb() {
    let folder = TempDir::new().expect("a folder");
    let long = "x".repeat(100 << 20);
    let input = format!("{POLICY}---\nlong: {long}\n{MARKED}");
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(output.stdout.len(), input.len());
    assert!(output.stdout.ends_with(UPDATED.as_bytes()));
}

#[test]
fn a_policy_with_a_huge_scalar_is_an_error_or_read() {
    let folder = TempDir::new().expect("a folder");
    let input = POLICY
        .replace(
            "alphabetical: {}",
            &format!("semver: {{range: '{}'}}", "1".repeat(1 << 20)),
        )
        .split("status")
        .next()
        .map(str::to_owned)
        .expect("a part");
    let list = format!("{input}---\n{MARKED}");
    let output = run_in(folder.path(), &["fn"], list.as_bytes());
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output), list);
}

/// Policies that can choose nothing, and what is said.
#[test]
fn a_bad_policy_names_its_field_and_stops_no_other() {
    let rest = "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: app, namespace: flux-system}\nspec: {image: ghcr.io/acme/app}\n---\napiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {name: tags}\nspec: {repositories: [{image: ghcr.io/acme/app, tags: [1.0.0, '1.5.0']}]}\n---\n";
    let folder = TempDir::new().expect("a folder");
    for (spec, expected) in [
        ("policy: {semver: {range: '>=one'}}", "improper constraint"),
        (
            "policy: {alphabetical: {order: up}}",
            "invalid order argument provided: 'UP'",
        ),
        ("policy: {}", "given ImagePolicyChoice object is invalid"),
        (
            "policy: {semver: {range: '*'}}, filterTags: {pattern: '('}",
            "invalid regular expression pattern",
        ),
        (
            "policy: {semver: {range: '*'}}, filterTags: {pattern: '(?=a)'}",
            "invalid regular expression pattern",
        ),
        (
            "policy: {semver: {range: '*'}}, filterTags: {pattern: 'a{1001}'}",
            "invalid regular expression pattern",
        ),
        (
            "policy: {semver: {range: '*'}}, filterTags: {pattern: 'v2'}",
            "version list argument cannot be empty",
        ),
        (
            "policy: {numerical: {order: asc}}",
            "failed to parse invalid numeric value",
        ),
        (
            "policy: {semver: {range: '*'}}, digestReflectionPolicy: Sometimes",
            "invalid digestReflectionPolicy",
        ),
        (
            "policy: {semver: {range: '*'}}, digestReflectionPolicy: IfNotPresent",
            "failed fetching digest",
        ),
    ] {
        let bad = format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: bad, namespace: flux-system}}\nspec: {{imageRepositoryRef: {{name: app}}, {spec}}}\n"
        );
        let marked = MARKED.replace(":app\"", ":bad\"");
        let input = format!("{POLICY}---\n{bad}{rest}{marked}---\n{MARKED}");
        let output = run_in(folder.path(), &["fn"], input.as_bytes());
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{spec}: {said}");
        assert!(said.contains(expected), "{spec}: {said}");
        assert!(
            said.contains("ImagePolicy `flux-system:bad`"),
            "{spec}: {said}"
        );
        assert!(
            stdout(&output).ends_with(&format!("{marked}---\n{UPDATED}")),
            "{spec}"
        );
    }
}

#[test]
fn tags_that_yaml_would_misread_are_quoted() {
    let folder = TempDir::new().expect("a folder");
    for tag in [
        "1.10",
        "2024",
        "1e5",
        "on",
        "0x1f",
        "1_000",
        "2024-01-01",
        "0123",
        "null",
        "y",
        "12_30",
        "0o17",
    ] {
        let policy = POLICY.replace("tag: 1.2.0", &format!("tag: '{tag}'"));
        let input = format!("{policy}---\na: b # {{\"$imagepolicy\": \"flux-system:app:tag\"}}\n");
        let output = run_in(folder.path(), &["fn"], input.as_bytes());
        assert_eq!(code(&output), 0, "{tag}: {}", stderr(&output));
        let expected =
            format!("{policy}---\na: \"{tag}\" # {{\"$imagepolicy\": \"flux-system:app:tag\"}}\n");
        assert_eq!(stdout(&output), expected);
    }
}

#[test]
fn a_status_that_is_no_image_is_an_error() {
    let folder = TempDir::new().expect("a folder");
    for status in [
        "tag: 'a b'",
        "tag: ''",
        "tag: 'x\" # injected'",
        "tag: v1, digest: md5:1",
    ] {
        let policy = POLICY.replace("tag: 1.2.0", status);
        let input = format!("{policy}---\n{MARKED}");
        let output = run_in(folder.path(), &["fn"], input.as_bytes());
        assert_eq!((code(&output), stdout(&output)), (2, input), "{status}");
    }
}

/// Runs in a mount of its own that holds next to nothing.
#[test]
fn a_full_disk_changes_nothing() {
    let tree = tree(&[]);
    let script = format!(
        "mount -t tmpfs -o size=256k tmpfs {0} && cd {0} && mkdir .git && cp {1} p.yaml && \
         for i in $(seq 40); do cp {2} $i.yaml; done && \
         dd if=/dev/zero of=filler bs=4096 2>/dev/null; rm -f 7.yaml; cp {2} 7.yaml; \
         {3} update .; echo \"exit $?\"; cat [0-9]*.yaml | sort | uniq -c; ls -A",
        tree.path().display(),
        "$POLICY",
        "$MARKED",
        env!("CARGO_BIN_EXE_flux-image"),
    );
    let source = TempDir::new().expect("a folder");
    let (policy, marked) = (source.path().join("p"), source.path().join("m"));
    fs::write(&policy, POLICY).expect("a file");
    fs::write(&marked, MARKED).expect("a file");
    let output = Command::new("unshare")
        .args(["-r", "-m", "sh", "-c", &script])
        .env("POLICY", &policy)
        .env("MARKED", &marked)
        .output();
    let Some(output) = output
        .ok()
        .filter(|output| stdout(output).contains("exit "))
    else {
        skipped(
            "a_full_disk_changes_nothing",
            "no mount of our own is allowed here",
        );
        return;
    };
    let (said, shown) = (stderr(&output), stdout(&output));
    assert!(shown.contains("exit 2"), "{shown}{said}");
    assert!(
        said.contains("cannot write ") && said.contains("no file was changed"),
        "{said}"
    );
    assert!(said.contains("No space left"), "{said}");
    assert!(shown.contains(&format!("40 {MARKED}")), "{shown}");
    assert!(!shown.contains("flux-image"), "{shown}");
}

/// Ctrl-C at any moment: all files are new or all are old, and nothing is left
/// beside them.
#[test]
fn an_interrupt_leaves_nothing_half_done() {
    const FILES: usize = 400;
    for delay in [0, 5, 10, 20, 40, 80, 120] {
        let tree = tree(&[("p.yaml", POLICY.as_bytes())]);
        for index in 0..FILES {
            fs::write(tree.path().join(format!("{index}.yaml")), MARKED).expect("a file");
        }
        let child = flux_image()
            .args(["update", "."])
            .current_dir(tree.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        let id = child.id().to_string();
        _ = Command::new("kill").args(["-INT", &id]).status();
        let output = child.wait_with_output().expect("it ends");
        let updated = (0..FILES)
            .map(|index| {
                fs::read_to_string(tree.path().join(format!("{index}.yaml"))).expect("a file")
            })
            .filter(|text| text == UPDATED)
            .count();
        let expected = if output.status.code() == Some(0) {
            FILES
        } else {
            0
        };
        assert_eq!(updated, expected, "after {delay} ms: {:?}", output.status);
        assert!(
            matches!(output.status.code(), Some(0 | 130) | None),
            "{:?}",
            output.status
        );
        assert_eq!(leftovers(tree.path()), [] as [&str; 0]);
    }
}

#[test]
fn flags_that_are_wrong_say_what_is_right() {
    let folder = TempDir::new().expect("a folder");
    for (arguments, expected) in [
        (
            vec!["update", "--tags-from", "guess"],
            "possible values: status, snapshot",
        ),
        (vec!["update", "-o", "xml"], "possible values: text, json"),
        (vec!["updat"], "a similar subcommand exists: 'update'"),
        (vec!["fn", "--max-age", "7d"], "write it as `90s`"),
        (vec!["schema", "Pod"], "ImageUpdate"),
        (vec!["fn", "--policies", "-"], "takes its input from stdin"),
    ] {
        let output = run_in(folder.path(), &arguments, b"");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

/// As many tags as a busy repository has: large is not bad.
#[test]
fn a_snapshot_of_300_000_tags_is_read() {
    let folder = TempDir::new().expect("a folder");
    let tags: Vec<String> = (0..300_000)
        .map(|n| format!("\"1.{}.{n}\"", n % 500))
        .collect();
    let policy = POLICY
        .split("status")
        .next()
        .expect("a part")
        .replace("alphabetical: {}", "semver: {range: '*'}");
    let input = format!(
        "{policy}---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: app, namespace: flux-system}}\nspec: {{image: ghcr.io/acme/app}}\n---\napiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec: {{repositories: [{{image: ghcr.io/acme/app, tags: [{}]}}]}}\n---\n{MARKED}",
        tags.join(", ")
    );
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).ends_with(&MARKED.replace("1.0.0", "1.499.299999")));
}

/// A text of comments and markers that lead nowhere takes no longer than its
/// length: the place of each is counted from the one before.
#[test]
fn many_dead_markers_are_all_reported() {
    let folder = TempDir::new().expect("a folder");
    let line = "# {\"$imagepolicy\": \"flux-system:app\"}\nk: v\n";
    let input = format!("{POLICY}---\n{}", line.replace("k:", "k0:").repeat(2000));
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    let said = stderr(&output);
    assert_eq!(said.matches("stands where no marker works").count(), 1);
    assert!(said.contains("and 1996 more; `-v` lists them"), "{said}");
    let output = run_in(folder.path(), &["fn", "-v"], input.as_bytes());
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), input);
    let said = stderr(&output);
    assert_eq!(said.matches("stands where no marker works").count(), 2000);
    assert!(
        said.contains("at <stdin>:4005:1"),
        "{}",
        &said[said.len() - 600..]
    );
}

/// Four causes, and what to do about each.
#[test]
fn why_a_marker_marks_nothing() {
    const MARK: &str = "# {\"$imagepolicy\": \"flux-system:app\"}";
    let folder = TempDir::new().expect("a folder");
    for (text, why) in [
        (
            format!("x: |\n  a: b:1 {MARK}\n"),
            "part of the text of a block",
        ),
        (
            format!("x: >-\n  a: b:1 {MARK}\n  more\n"),
            "part of the text of a block",
        ),
        (format!("x: &x b:1\ny: *x {MARK}\n"), "is an alias"),
        (
            format!("x: [a, 'b:1'] {MARK}\n"),
            "behind a closing bracket",
        ),
        (
            format!("x: {{a: 'b:1'}} {MARK}\n"),
            "behind a closing bracket",
        ),
        (
            format!("x: {MARK}\n  a: b:1\n"),
            "on the line of a scalar value",
        ),
        (
            format!("x:\n{MARK}\n- - a: b:1\n"),
            "on the line of a scalar value",
        ),
    ] {
        let input = format!("{POLICY}---\n{text}");
        let said = stderr(&run_in(folder.path(), &["fn"], input.as_bytes()));
        assert!(said.contains(why), "{text}: {said}");
    }
    for text in [
        "# our $imagepolicy markers are documented elsewhere\nx: y\n".to_owned(),
        format!("# image: a:1 {MARK}\nx: y\n"),
        format!("  #- a:1   {MARK}\nx: y\n"),
    ] {
        let input = format!("{POLICY}---\n{text}");
        let said = stderr(&run_in(folder.path(), &["fn"], input.as_bytes()));
        assert!(!said.contains("marker"), "{text}: {said}");
    }
}

/// An alias that ends at the colon is a key.
#[test]
fn an_alias_may_be_a_key() {
    let folder = TempDir::new().expect("a folder");
    let text = "x: &app app\ny:\n  *app: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    let input = format!("{POLICY}---\n{text}");
    let output = run_in(folder.path(), &["fn"], input.as_bytes());
    assert!(
        stdout(&output).ends_with(&text.replace("1.0.0", "1.2.0")),
        "{}",
        stderr(&output)
    );
}
