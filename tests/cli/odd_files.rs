//! What stands at a name may be no file, no text, out of the tree, or without a
//! name that is text. Nothing of that is read, waited for, or passed over.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::run_in;
use crate::support::{code, flux_image, skipped, stderr, stdout};
use crate::update::NEW;
use crate::update::OLD;
use crate::update::POLICY;
use crate::update::Tree;
use crate::update::automation;
use crate::update::codes;

/// Runs the program, and fails where it would run on for ever.
fn soon(tree: &Tree, arguments: &[&str]) -> Output {
    let mut child = flux_image()
        .current_dir(tree.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let start = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().expect("ended");
            panic!("{arguments:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("the program ended")
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
}

/// `text` as UTF-16 with a byte order mark.
fn utf_16(text: &str, is_big_endian: bool) -> Vec<u8> {
    let unit = |unit: u16| match is_big_endian {
        true => unit.to_be_bytes(),
        false => unit.to_le_bytes(),
    };
    let text = format!("\u{feff}{text}");
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn ignore_rules_are_not_read_through_links() {
    // The link's target would ignore everything.
    let rules = Tree::new(&[("rules", "*\n")]);
    let rules = rules.at("rules");
    let targets = [
        "/dev/zero",
        rules.to_str().expect("UTF-8"),
        "../rules",
        "loop",
    ];
    for name in [".gitignore", "apps/.gitignore"] {
        for target in targets {
            let tree = Tree::with_policy(&[("rules", "*\n")]);
            tree.link(target, name);
            let output = soon(&tree, &["update", "."]);
            let said = stderr(&output);
            assert_eq!(code(&output), 0, "{name} {target}: {said}");
            assert_eq!(tree.read("apps/app.yaml"), NEW, "{name} {target}: {said}");
            let expected = format!("this is a link and is not read\n  at {name}\n  hint: ");
            assert!(said.contains(&expected), "{said}");
            assert_eq!(code(&soon(&tree, &["update", "--strict", "."])), 1);
        }
    }
}

#[test]
fn nothing_waits_for_a_pipe_or_reads_a_device() {
    let names = [
        ".gitignore",
        ".git/index",
        ".git/config",
        ".git/info/exclude",
        "apps/.gitignore",
        "apps/pipe.yaml",
        "apps/kustomization.yaml",
        "flux/kustomization.yaml",
        "flux/Kustomization",
    ];
    for name in names {
        let with_automation = [("flux/auto.yaml", automation("auto", "./apps", ""))];
        let new = || {
            let tree = Tree::with_policy(&[]);
            for (name, text) in &with_automation {
                tree.write(name, text);
            }
            fs::create_dir(tree.at(".git/info")).expect("a folder");
            tree
        };
        let (by_pipe, by_socket, by_link) = (new(), new(), new());
        pipe(&by_pipe.at(name));
        let _listener = UnixListener::bind(by_socket.at(name)).expect("a socket");
        by_link.link("/dev/zero", name);
        for (tree, what) in [(by_pipe, "pipe"), (by_socket, "socket"), (by_link, "link")] {
            for arguments in [
                vec!["update", "--dry-run"],
                vec!["update", "--dry-run", "apps"],
                vec!["resolve"],
                vec!["__complete", "update", "--only", ""],
            ] {
                let output = soon(&tree, &arguments);
                let said = stderr(&output);
                // `resolve` knows of no ImageRepository.
                let expected = if arguments == ["resolve"] { 2 } else { 0 };
                assert_eq!(
                    code(&output),
                    expected,
                    "{name} {what} {arguments:?}: {said}"
                );
                assert!(!output.stdout.is_empty(), "{name} {what} {arguments:?}");
            }
            // All are said, but for the configuration, which only tells of more
            // that might be left out.
            let output = soon(&tree, &["update", "--strict", "."]);
            let said = stderr(&output);
            let expected = i32::from(name != ".git/config");
            assert_eq!(code(&output), expected, "{name} {what}: {said}");
            assert_eq!(tree.read("apps/app.yaml"), NEW, "{name} {what}");
        }
    }
}

#[test]
fn a_named_pipe_is_an_error_and_one_in_a_folder_of_policies_too() {
    let tree = Tree::with_policy(&[("more/policy.yaml", POLICY)]);
    pipe(&tree.at("more/pipe.yaml"));
    let output = soon(&tree, &["update", "more/pipe.yaml"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("named pipe"),
        "{}",
        stderr(&output)
    );
    for command in ["update", "fn"] {
        let output = soon(&tree, &[command, "--policies", "more"]);
        assert_eq!(code(&output), 2, "{command}");
        let said = stderr(&output);
        let expected = "error: more/pipe.yaml: this is a named pipe, not a regular file";
        assert!(said.starts_with(expected), "{said}");
    }
}

/// `--policies <(…)` and the like: what a shell makes of them is a pipe.
#[test]
fn a_flag_may_name_a_pipe() {
    let tree = Tree::new(&[("apps/app.yaml", OLD), (".git/HEAD", "")]);
    tree.write("policy", POLICY);
    let config = "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata: {name: u}\nspec:\n  policies:\n  - apiVersion: image.toolkit.fluxcd.io/v1\n    kind: ImagePolicy\n    metadata: {name: app, namespace: flux-system}\n    spec: {imageRepositoryRef: {name: app}, policy: {alphabetical: {}}}\n    status: {latestRef: {name: ghcr.io/acme/app, tag: 1.2.0}}\n";
    tree.write("config", config);
    for (flag, file) in [("--policies", "policy"), ("--config", "config")] {
        pipe(&tree.at("pipe"));
        let (from, to) = (tree.at(file), tree.at("pipe"));
        let writer = std::thread::spawn(move || fs::write(to, fs::read(from).expect("a file")));
        let output = soon(&tree, &["update", "--diff", flag, "pipe", "apps"]);
        writer.join().expect("a writer").expect("written");
        assert_eq!(code(&output), 0, "{flag}: {}", stderr(&output));
        assert!(
            stdout(&output).contains("+a: ghcr.io/acme/app:1.2.0"),
            "{flag}"
        );
        fs::remove_file(tree.at("pipe")).expect("removed");
    }
    let policies = ["update", "--diff", "--policies", "/dev/stdin", "apps"];
    let output = run_in(tree.path(), &policies, POLICY.as_bytes());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("+a: ghcr.io/acme/app:1.2.0"));
}

#[test]
fn a_folder_of_policies_is_left_through_no_link() {
    let outside = Tree::new(&[("policy.yaml", POLICY)]);
    let tree = Tree::with_policy(&[("more/.data/policy.yaml", POLICY)]);
    // As a mounted ConfigMap has them.
    tree.link(".data/policy.yaml", "more/policy.yaml");
    let output = soon(&tree, &["update", "--check", "--policies", "more", "apps"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let target = outside.at("policy.yaml");
    tree.link(target.to_str().expect("UTF-8"), "more/out.yaml");
    let output = soon(&tree, &["update", "--check", "--policies", "more", "apps"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(
        said.starts_with("error: more/out.yaml: this link leads out of the tree"),
        "{said}"
    );
}

#[test]
fn update_path_may_be_a_link_inside_the_tree() {
    for (target, name, path) in [
        ("real", "link", "./link"),
        ("real", "link", "link/inner"),
        ("../real", "dir/link", "dir/link/inner/.."),
        ("link-2", "link", "/link"),
    ] {
        let tree = Tree::with_policy(&[
            ("real/inner/app.yaml", OLD),
            ("dir/other.yaml", OLD),
            ("flux/auto.yaml", &automation("auto", path, "")),
        ]);
        tree.link("real", "link-2");
        tree.link(target, name);
        let output = soon(&tree, &["update"]);
        assert_eq!(code(&output), 0, "{path}: {}", stderr(&output));
        assert_eq!(tree.read("real/inner/app.yaml"), NEW, "{path}");
        assert_eq!(tree.read("apps/app.yaml"), OLD, "{path}");
        assert_eq!(tree.read("dir/other.yaml"), OLD, "{path}");
    }
}

#[test]
fn update_path_leads_nowhere_else() {
    let outside = Tree::new(&[("app.yaml", OLD)]);
    let outside_name = outside.path().to_str().expect("UTF-8").to_owned();
    for (target, path, why) in [
        (outside_name.as_str(), "link", "leads out of the tree"),
        ("/", "link", "leads out of the tree"),
        ("..", "link", "leads out of the tree"),
        ("/", "link/etc", "leads out of the tree"),
        (".git/hooks", "link", "leads into `.git`"),
        ("apps", ".git/hooks", "leads into `.git`"),
        ("link", "link", "symbolic links"),
        ("gone", "link", "is not in this checkout"),
    ] {
        let auto = automation("auto", path, "");
        let tree = Tree::with_policy(&[("flux/auto.yaml", &auto), (".git/hooks/a.yaml", OLD)]);
        tree.link(target, "link");
        let output = soon(&tree, &["update"]);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{target} {path}: {said}");
        let expected = "ImageUpdateAutomation `flux-system:auto` is left out: its update.path `";
        assert!(said.contains(expected) && said.contains(why), "{said}");
        assert_eq!(tree.read("apps/app.yaml"), OLD);
        assert_eq!(tree.read(".git/hooks/a.yaml"), OLD);
        assert_eq!(outside.read("app.yaml"), OLD);
    }
}

#[test]
fn a_link_into_git_is_not_read() {
    let tree = Tree::with_policy(&[(".git/config", "[remote \"origin\"]\n\turl = x\n")]);
    tree.write(".git/secret.yaml", &format!("token: x\n{OLD}"));
    tree.link("../.git/secret.yaml", "apps/link.yaml");
    tree.link("loop.yaml", "apps/loop.yaml");
    let output = soon(&tree, &["update", "."]);
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(
        said.contains("this leads into `.git` and is not read\n  at apps/link.yaml"),
        "{said}"
    );
    assert!(
        said.contains("symbolic links") && said.contains("apps/loop.yaml"),
        "{said}"
    );
}

/// A kustomization outside would put the policy into another namespace.
#[test]
fn a_namespace_comes_from_no_kustomization_outside() {
    let nameless = POLICY.replace("  namespace: flux-system\n", "");
    let here = OLD.replace("flux-system", "here");
    for has_git in [true, false] {
        let tree = Tree::new(&[
            ("kustomization.yaml", "namespace: outside\n"),
            ("root/flux/policy.yaml", &nameless),
            ("root/app.yaml", &here),
        ]);
        if has_git {
            fs::create_dir(tree.at("root/.git")).expect("a folder");
            tree.link("../../kustomization.yaml", "root/flux/kustomization.yaml");
        }
        let report = tree.report(&["--dry-run", "root"]);
        let found = codes(&report);
        assert!(!found.contains(&"unknown-policy"), "{report}");
        assert!(found.contains(&"namespace-guessed"), "{report}");
        assert_eq!(found.contains(&"unusable-file"), has_git, "{report}");
        // Inside it counts, through a link, too.
        tree.write("root/base/kustomization.yaml", "namespace: here\n");
        if has_git {
            fs::remove_file(tree.at("root/flux/kustomization.yaml")).expect("removed");
        }
        tree.link("../base/kustomization.yaml", "root/flux/kustomization.yaml");
        let report = tree.report(&["--dry-run", "root"]);
        assert!(codes(&report).is_empty(), "{report}");
    }
}

#[test]
fn a_sparse_file_of_100_gb_is_a_finding() {
    let tree = Tree::with_policy(&[]);
    let file = fs::File::create(tree.at("apps/sparse.yaml")).expect("a file");
    if file.set_len(100 << 30).is_err() {
        skipped(
            "a_sparse_file_of_100_gb_is_a_finding",
            "no sparse files here",
        );
        return;
    }
    let output = soon(&tree, &["update", "."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = "warning: this file is larger than 256 MiB and is not read\n  at apps/sparse.yaml\n  hint: ";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    let named = soon(&tree, &["update", "apps/sparse.yaml"]);
    assert_eq!(code(&named), 2);
    let given = soon(&tree, &["update", "--policies", "apps/sparse.yaml", "apps"]);
    assert_eq!(code(&given), 2);
    let stdin = fs::File::open(tree.at("apps/sparse.yaml")).expect("a file");
    let list = flux_image().arg("fn").stdin(stdin).output().expect("runs");
    assert_eq!(code(&list), 2);
    let said = stderr(&list);
    assert!(
        said.starts_with("error: <stdin>: this file is larger than"),
        "{said}"
    );
}

/// Permissions do not bind root, so the program runs as nobody where it can.
#[test]
fn a_folder_that_cannot_be_listed_is_a_finding() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = Tree::with_policy(&[("locked/app.yaml", OLD), ("bare/app.yaml", OLD)]);
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(tree.at(name), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode("", 0o755);
    mode("bare/app.yaml", 0o000);
    mode("locked", 0o000);
    let is_bound = fs::read_dir(tree.at("locked")).is_err();
    let mut command = if is_bound {
        flux_image()
    } else {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_flux-image"));
        command
    };
    command
        .env("FLUX_IMAGE_OFFLINE", "true")
        .current_dir(tree.path());
    let output = command
        .args(["update", "--dry-run", "--strict", "."])
        .output();
    mode("locked", 0o755);
    let output = match output {
        Ok(output) if output.status.code() == Some(1) || is_bound => output,
        other => {
            let why = format!("no other user to run as: {other:?}");
            skipped("a_folder_that_cannot_be_listed_is_a_finding", &why);
            return;
        }
    };
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    let folder =
        "warning: this folder cannot be listed: Permission denied (os error 13)\n  at locked\n";
    assert!(said.contains(folder), "{said}");
    assert!(
        said.contains("cannot be read: Permission denied (os error 13)\n  at bare/app.yaml"),
        "{said}"
    );
    assert_eq!(said.matches("locked").count(), 1, "{said}");
}

/// Files whose names are not UTF-8, in a folder too; the one that is spelled as
/// another is shown is not a manifest's name.
const UNTOLD: [&[u8]; 4] = [
    b"caf\xe8.yaml",
    b"caf\xe9.yaml",
    b"d\xff/app.yaml",
    b"\"caf\\351.yaml\"",
];

/// `None` where the disk takes no such names.
fn with_untold_names(test: &str) -> Option<Tree> {
    let tree = Tree::with_policy(&[]);
    for name in UNTOLD {
        let path = tree.at("apps").join(OsStr::from_bytes(name));
        let folder = path.parent().expect("a folder");
        if fs::create_dir_all(folder).is_err() || fs::write(path, OLD).is_err() {
            skipped(test, "this disk wants text");
            return None;
        }
    }
    Some(tree)
}

#[test]
fn names_that_are_not_utf_8_stay_apart_in_reports() {
    let Some(tree) = with_untold_names("names_that_are_not_utf_8_stay_apart_in_reports") else {
        return;
    };
    let report = tree.report(&["--dry-run", "--split-by", "folder", "apps"]);
    let expected = serde_json::json!([
        r#""apps/caf\350.yaml""#,
        r#""apps/caf\351.yaml""#,
        r#""apps/d\377/app.yaml""#,
        "apps/app.yaml"
    ]);
    assert_eq!(report["files"], expected);
    assert_eq!(report["summary"]["changes"], 4);
    let commits = report["automations"].as_array().expect("commits").iter();
    let parts: Vec<&str> = commits
        .filter_map(|commit| commit["part"].as_str())
        .collect();
    assert_eq!(parts, [r#""apps/d\377""#, "apps"]);
    let sarif = tree.update(&["--dry-run", "-o", "sarif", "apps"]);
    for uri in ["caf%E8.yaml", "caf%E9.yaml", "d%FF/app.yaml"] {
        assert!(stdout(&sarif).contains(&format!("\"apps/{uri}\"")), "{uri}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_written_as_git_takes_them() {
    let Some(tree) = with_untold_names("names_that_are_not_utf_8_are_written_as_git_takes_them")
    else {
        return;
    };
    let paths = UNTOLD[..3]
        .iter()
        .map(|name| tree.at("apps").join(OsStr::from_bytes(name)));
    let paths: Vec<_> = paths.collect();
    let output = soon(&tree, &["update", "--patch-dir", "patches", "apps"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for path in &paths {
        assert_eq!(fs::read_to_string(path).expect("a file"), NEW);
        fs::write(path, OLD).expect("a file");
    }
    tree.write("apps/app.yaml", OLD);
    let patch = tree.read("patches/01-changes.patch");
    assert_eq!(patch.matches("diff --git").count(), 4);
    let applied = Command::new("git")
        .args(["apply", "patches/01-changes.patch"])
        .current_dir(tree.path())
        .env("GIT_DIR", "/nonexistent")
        .output();
    let Ok(applied) = applied else {
        let test = "names_that_are_not_utf_8_are_written_as_git_takes_them";
        skipped(test, "no git to apply it with");
        return;
    };
    assert!(applied.status.success(), "{}", stderr(&applied));
    for path in &paths {
        assert_eq!(fs::read_to_string(path).expect("a file"), NEW);
    }
}

#[test]
fn utf_16_is_said_and_not_edited() {
    for is_big_endian in [true, false] {
        let tree = Tree::with_policy(&[]);
        let markers = utf_16(OLD, is_big_endian);
        fs::write(tree.at("apps/wide.yaml"), &markers).expect("a file");
        // Nothing that anybody would miss.
        fs::write(tree.at("apps/other.yaml"), utf_16("a: b\n", is_big_endian)).expect("a file");
        let report = tree.report(&["--strict", "."]);
        let finding = &report["findings"][0];
        assert_eq!(codes(&report), ["unparsable"], "{report}");
        assert_eq!(
            (&finding["severity"], &finding["file"]),
            (&"warning".into(), &"apps/wide.yaml".into())
        );
        assert_eq!(finding["message"], "this is UTF-16, not UTF-8");
        assert_eq!(
            fs::read(tree.at("apps/wide.yaml")).expect("a file"),
            markers
        );
        assert_eq!(tree.read("apps/app.yaml"), NEW);
        assert_eq!(code(&tree.update(&["apps/wide.yaml"])), 2);

        // Documents are missed wherever they are.
        fs::write(tree.at("flux/policy.yaml"), utf_16(POLICY, is_big_endian)).expect("a file");
        let report = tree.report(&["apps/app.yaml"]);
        assert!(codes(&report).contains(&"unparsable"), "{report}");
        for arguments in [
            &["update", "--policies", "flux/policy.yaml", "apps"][..],
            &["fn", "--policies", "flux"],
            &["update", "--config", "flux/policy.yaml"],
        ] {
            let output = soon(&tree, arguments);
            assert_eq!(code(&output), 2, "{arguments:?}");
            let expected =
                "error: flux/policy.yaml:1:1: this is UTF-16, not UTF-8\n  hint: save it as UTF-8";
            assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
        }
        let output = run_in(tree.path(), &["fn"], &markers);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()));
        let expected = "error: <stdin>:1:1: this is UTF-16, not UTF-8\n  hint: ";
        assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    }
}
