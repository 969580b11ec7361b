//! The container image: its last stage, built around a static binary and run
//! as the orchestrators run it.
//!
//! `docker build .` needs a base image from outside. Here the same last stage
//! is built around a binary that is linked statically on this machine, by a
//! real engine where one answers; and without an engine the same files are the
//! root of a process of their own.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const INPUT: &str = include_str!("cases/fn/version-v1/in");
const EXPECTED: &str = include_str!("cases/fn/version-v1/out");

/// Said past the test runner, which keeps what passing tests print.
fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// A static binary: `FLUX_IMAGE_STATIC`, or one that is built here.
fn static_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(path) = std::env::var_os("FLUX_IMAGE_STATIC") {
            return path.into();
        }
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let folder = Path::new(ROOT).join("target/static");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--bin", "flux-image"])
            .args(["--target", &target, "--target-dir"])
            .arg(&folder)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .current_dir(ROOT)
            .status()
            .expect("cargo");
        assert!(status.success(), "the static binary was not built");
        folder.join(target).join("debug/flux-image")
    })
}

/// The files of the image, as the build stage lays them out.
fn layout(folder: &Path) {
    fs::create_dir_all(folder.join("etc/ssl/certs")).expect("a folder");
    fs::copy(static_binary(), folder.join("flux-image")).expect("the binary");
    for name in ["passwd", "group"] {
        let source = Path::new(ROOT).join("docker").join(name);
        fs::copy(source, folder.join("etc").join(name)).expect("docker/");
    }
    // The authorities are those of the build stage's own system.
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if authorities.exists() {
        let target = folder.join("etc/ssl/certs/ca-certificates.crt");
        fs::copy(authorities, target).expect("certificates");
    }
}

fn feed(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    _ = stdin.write_all(INPUT.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_binary_needs_no_library() {
    let output = Command::new("ldd").arg(static_binary()).output();
    let Ok(output) = output else {
        return skipped("the_binary_needs_no_library", "no ldd");
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        said.contains("statically linked") || said.contains("not a dynamic"),
        "{said}"
    );
}

/// Everything that the image holds, and nothing else, as the root of a process
/// without a network.
#[test]
fn its_files_are_enough() {
    let root = TempDir::new().expect("a folder");
    layout(root.path());
    let command = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "--mount", "--root"]);
        command.arg(root.path()).arg("/flux-image").env_clear();
        command
    };
    let version = command().arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return skipped("its_files_are_enough", "no root of our own is allowed here");
    }
    let output = feed(&mut command());
    assert_eq!(text(&output.stdout), EXPECTED, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[expect(clippy::too_many_lines, reason = "one story")]
#[test]
fn a_real_engine_builds_and_runs_it() {
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_BUILDKIT", "0");
        command
    };
    if !docker(&["info"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return skipped(
            "a_real_engine_builds_and_runs_it",
            "no Docker engine answers",
        );
    }
    let dockerfile = fs::read_to_string(Path::new(ROOT).join("Dockerfile")).expect("Dockerfile");
    let (_, stage) = dockerfile
        .split_once("FROM scratch\n")
        .expect("a last stage from scratch");
    assert!(stage.contains("COPY --from=build /out/ /\n"), "{stage}");
    let stage = stage.replace("COPY --from=build /out/ /", "COPY out/ /");
    let context = TempDir::new().expect("a folder");
    layout(&context.path().join("out"));
    fs::write(
        context.path().join("Dockerfile"),
        format!("FROM scratch\n{stage}"),
    )
    .expect("a file");
    let name = format!("localhost/flux-image-test:{}", std::process::id());
    let folder = context.path().to_str().expect("UTF-8");
    let built = docker(&["build", "--quiet", "--tag", &name, folder])
        .output()
        .expect("docker");
    assert!(built.status.success(), "{}", text(&built.stderr));

    let shape = docker(&["inspect", "--format", "{{.Config.User}} {{.Config.Entrypoint}} {{index .Config.Labels \"org.opencontainers.image.licenses\"}}", &name])
        .output()
        .expect("docker");
    // As kustomize starts functions (`krm-contract`): no network, no rights.
    let run = [
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "--user",
        "nobody",
        "--security-opt=no-new-privileges",
        "--read-only",
    ];
    let output = feed(docker(&run).arg(&name));
    let help = docker(&run)
        .arg(&name)
        .arg("--help")
        .output()
        .expect("docker");
    let removed = docker(&["rmi", "--force", &name]).output().expect("docker");

    assert_eq!(
        text(&shape.stdout).trim(),
        "nobody [/flux-image] Apache-2.0"
    );
    assert_eq!(text(&output.stdout), EXPECTED, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(help.status.code(), Some(0));
    assert!(
        text(&help.stdout).contains("KRM function"),
        "{}",
        text(&help.stdout)
    );
    assert!(removed.status.success());
}
