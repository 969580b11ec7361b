//! Files that others write to at the same time, runs that are killed, and
//! systems that refuse.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::run_in;
use crate::support::{code, flux_image, skipped, stderr, stdout};
use crate::tree::Tree;

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '*'}}}
status: {latestRef: {name: ghcr.io/acme/app, tag: TAG}}
";

const OLD: &str = "a: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
const NEW: &str = "a: ghcr.io/acme/app:1.2.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";

/// A git repository with a policy and so many marked files.
fn repository(count: usize) -> Tree {
    let tree = Tree::new(&[("flux/policy.yaml", &POLICY.replace("TAG", "1.2.0"))]);
    for number in 0..count {
        tree.write(&name(number), OLD);
    }
    git(tree.path(), &["init", "-q"]);
    git(tree.path(), &["add", "-A"]);
    tree
}

fn name(number: usize) -> String {
    format!("apps/{}/{number}.yaml", number % 10)
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output)
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = flux_image();
    command.current_dir(folder).args(arguments);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// What is in git's folder that git did not put there.
fn left_in_git(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(tree.at(".git")).expect("a folder");
    let names = entries.map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("UTF-8")
    });
    names.filter(|name| name.contains("flux-image")).collect()
}

#[test]
fn two_runs_take_turns() {
    let tree = repository(100);
    for round in 0..10 {
        for number in 0..100 {
            tree.write(&name(number), OLD);
        }
        let runs = [(); 3].map(|()| start(tree.path(), &["update", "."]));
        let outputs = runs.map(|run| run.wait_with_output().expect("it ends"));
        for output in &outputs {
            assert_eq!(code(output), 0, "{round}: {}", stderr(output));
        }
        let changed = |output: &Output| stdout(output).lines().count();
        let mut counts = outputs.each_ref().map(changed);
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 100], "{round}");
        for number in 0..100 {
            assert_eq!(tree.read(&name(number)), NEW, "{round}: {number}");
        }
        assert_eq!(left_in_git(&tree), [] as [&str; 0]);
    }
}

#[test]
fn a_run_waits_for_another_and_says_so() {
    for command in ["update", "annotate"] {
        let tree = repository(1);
        let held = File::open(tree.at(".git")).expect("a folder");
        held.lock().expect("a lock");
        // Who writes nothing need not wait.
        for flag in ["--check", "--dry-run", "--diff"] {
            let output = run_in(tree.path(), &[command, flag, "."], b"");
            assert_eq!(stderr(&output).find("waiting"), None, "{command} {flag}");
        }
        let mut run = start(&tree.at("apps"), &[command, "."]);
        let mut said = String::new();
        let mut lines = BufReader::new(run.stderr.as_mut().expect("a pipe"));
        lines.read_line(&mut said).expect("a line");
        let root = tree.path().canonicalize().expect("a folder");
        assert_eq!(
            said,
            format!(
                "waiting for another run of flux-image that edits {}\n",
                root.display()
            )
        );
        // What is read is read after the wait.
        tree.write(&name(0), &format!("# news\n{OLD}"));
        drop(held);
        assert_eq!(code(&run.wait_with_output().expect("it ends")), 0);
        let text = tree.read(&name(0));
        assert!(text.starts_with("# news\n"), "{text}");
        if command == "update" {
            assert_eq!(text, format!("# news\n{NEW}"));
        }
    }
}

/// Kills runs at many moments; every file is whole at each, git sees nothing
/// else, and the next run clears up.
#[test]
fn killed_runs_leave_whole_files_and_nothing_for_git_to_add() {
    const FILES: usize = 600;
    let tree = repository(FILES);
    let mut were_left = 0;
    for round in 0..12_u64 {
        let mut run = start(tree.path(), &["update", "."]);
        // From the moment on at which it begins to stage.
        let is_over = |run: &mut Child| run.try_wait().expect("its state").is_some();
        while left_in_git(&tree).is_empty() && !is_over(&mut run) {}
        thread::sleep(Duration::from_millis(round * 4));
        run.kill().expect("killed");
        run.wait().expect("it ends");
        let mut new = 0;
        for number in 0..FILES {
            let text = tree.read(&name(number));
            assert!(text == OLD || text == NEW, "{round}: {text}");
            new += usize::from(text == NEW);
        }
        let seen = git(tree.path(), &["status", "--porcelain", "--ignored"]);
        let others = seen
            .lines()
            .filter(|line| !line.starts_with("AM ") && !line.starts_with("A "));
        assert_eq!(others.count(), 0, "{round}: {seen}");
        let left = left_in_git(&tree);
        assert!(left.len() <= 1, "{round}: {left:?}");
        were_left += left.len();
        if new == FILES {
            for number in 0..FILES {
                tree.write(&name(number), OLD);
            }
        }
    }
    assert!(were_left > 0, "no run was killed while it wrote");
    let output = run_in(tree.path(), &["update", "."], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for number in 0..FILES {
        assert_eq!(tree.read(&name(number)), NEW);
    }
    assert_eq!(left_in_git(&tree), [] as [&str; 0]);
}

/// A person saves files by a rename, as editors do, while runs go on.
#[test]
fn what_a_person_saves_meanwhile_is_never_lost() {
    const FILES: usize = 400;
    let tree = repository(FILES);
    let root = tree.path().to_path_buf();
    let person = thread::spawn(move || {
        let mut saved = 0;
        for number in (0..FILES).rev().cycle().take(2000) {
            let path = root.join(name(number));
            let text = fs::read_to_string(&path).expect("a file");
            let beside = path.with_extension("swp");
            fs::write(&beside, format!("{text}# saved\n")).expect("a file");
            fs::rename(&beside, &path).expect("saved");
            saved += 1;
        }
        saved
    });
    let mut failed = 0;
    let mut tag = 0;
    while !person.is_finished() {
        tag += 1;
        tree.write(
            "flux/policy.yaml",
            &POLICY.replace("TAG", &format!("1.2.{tag}")),
        );
        let output = run_in(tree.path(), &["update", "."], b"");
        if code(&output) == 2 {
            let said = stderr(&output);
            assert!(
                said.contains("someone else changed it after it was read"),
                "{said}"
            );
            failed += 1;
        }
    }
    let saved: usize = person.join().expect("it ends");
    let lines = (0..FILES).map(|number| tree.read(&name(number)).matches("# saved\n").count());
    // Each save holds all that this person saved there before.
    assert_eq!(lines.sum::<usize>(), saved, "{failed} runs failed");
    assert_eq!(left_in_git(&tree), [] as [&str; 0]);
}

#[test]
fn a_limit_on_file_sizes_is_an_error() {
    let tree = repository(2);
    let long = format!("{OLD}{}", "# a comment\n".repeat(1000));
    tree.write(&name(1), &long);
    let program = env!("CARGO_BIN_EXE_flux-image");
    let output = flux_image_in_shell(&tree, &format!("ulimit -f 1; exec '{program}' update ."));
    assert_eq!(output.status.code(), Some(2), "{:?}", output.status);
    let said = stderr(&output);
    assert!(
        said.contains("cannot write apps/1/1.yaml: File too large")
            && said.contains("no file was changed"),
        "{said}"
    );
    assert_eq!(
        (tree.read(&name(0)), tree.read(&name(1))),
        (OLD.to_owned(), long)
    );
    assert_eq!(left_in_git(&tree), [] as [&str; 0]);
}

fn flux_image_in_shell(tree: &Tree, script: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(tree.path());
    shell.env("FLUX_IMAGE_OFFLINE", "true");
    shell.output().expect("a shell")
}

#[test]
fn hard_links_are_said() {
    let tree = repository(3);
    fs::hard_link(tree.at(&name(0)), tree.at("backup")).expect("a link");
    fs::hard_link(tree.at(&name(1)), tree.at("apps/1/second.yaml")).expect("a link");
    let output = run_in(tree.path(), &["update", "."], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains(
            "has another name (a hard link), which keeps the old content\n  at apps/0/0.yaml"
        ),
        "{said}"
    );
    assert!(
        said.contains("edited, too: each becomes a file of its own\n  at apps/1/1.yaml"),
        "{said}"
    );
    assert!(!said.contains("at apps/2/2.yaml"), "{said}");
    assert_eq!(
        (tree.read("backup"), tree.read(&name(0))),
        (OLD.into(), NEW.into())
    );
    assert_eq!(tree.read("apps/1/second.yaml"), NEW);
}

/// Runs the program as nobody, to whom the tree belongs but for git's folder.
#[test]
fn a_git_folder_of_someone_else_is_no_hindrance() {
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let tree = Tree::new(&[
        ("apps/app.yaml", OLD),
        ("policy.yaml", &POLICY.replace("TAG", "1.2.0")),
    ]);
    fs::create_dir(tree.at(".git")).expect("a folder");
    for name in ["apps", "apps/app.yaml", "policy.yaml", ""] {
        if chown(tree.at(name), Some(NOBODY), None).is_err() {
            skipped("a_git_folder_of_someone_else_is_no_hindrance", "not root");
            return;
        }
    }
    fs::set_permissions(tree.at("apps/app.yaml"), fs::Permissions::from_mode(0o640))
        .expect("a mode");
    let group = fs::metadata(tree.at("apps/app.yaml"))
        .expect("a file")
        .gid();
    // Where nobody can start it.
    let program = tree.at("flux-image");
    fs::copy(env!("CARGO_BIN_EXE_flux-image"), &program).expect("a copy");
    let mut command = Command::new(program);
    command.env_clear().env("FLUX_IMAGE_OFFLINE", "true");
    command.args(["update", "."]).current_dir(tree.path());
    command.uid(NOBODY).gid(NOBODY);
    // Other tests start programs, which hold the copy open for a moment.
    let mut tries = std::iter::repeat_with(|| command.output()).take(100);
    let output = tries.find(|output| {
        let error = output.as_ref().err();
        let is_busy = error.is_some_and(|error| error.kind() == ErrorKind::ExecutableFileBusy);
        if is_busy {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        !is_busy
    });
    let output = output.expect("a try").expect("the program starts");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(tree.read("apps/app.yaml"), NEW);
    // The group is none of nobody's: that is said, and gives nobody more.
    let said = stderr(&output);
    assert!(
        said.contains(&format!(
            "is replaced, and loses its group ({group})\n  at apps/app.yaml"
        )),
        "{said}"
    );
    let metadata = fs::metadata(tree.at("apps/app.yaml")).expect("a file");
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (NOBODY, 0o600));
    let left = fs::read_dir(tree.path()).expect("a folder").flatten();
    let left = left.filter(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b".flux-image")
    });
    assert_eq!(left.count(), 0);
}
