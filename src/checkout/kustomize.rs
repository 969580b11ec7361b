//! Running the user's own `kustomize`, or `kubectl kustomize`.
//!
//! It gets a folder with copies of the files that were checked, an empty home, and an
//! environment without anything in it: no plugins, no credentials, and no `git` to
//! fetch with, unless remote bases are allowed.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::write::Interrupted;
use crate::cluster::closure::Closure;
use crate::quote;

/// The variable that names the builder.
pub const VARIABLE: &str = "FLUX_IMAGE_KUSTOMIZE";
/// A build that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a build prints at most, in bytes.
const MAX_OUTPUT: u64 = 256 << 20;
const MAX_ERRORS: u64 = 64 << 10;
/// The address space of a builder at most, in bytes.
#[cfg(target_os = "linux")]
const MAX_MEMORY: u64 = 4 << 30;
/// What a build may need of the environment to fetch from the network.
const OF_THE_NETWORK: [&str; 12] = [
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
];

/// A program that builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kustomize {
    program: PathBuf,
    command: &'static str,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBuilder {
    /// Neither of them is installed.
    #[error(
        "neither `kustomize` nor `kubectl` is installed, and what a cluster sees has to be built"
    )]
    NotInstalled,
    /// The variable names nothing that can be run.
    #[error("`{VARIABLE}` names `{0}`, which is not there")]
    NotThere(String),
}

impl NoBuilder {
    /// What to do about it.
    pub const HINT: &str = "install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/), or build elsewhere: `flux build kustomization NAME --path DIR --kustomization-file FILE --dry-run --recursive --local-sources GitRepository/flux-system/flux-system=./ | flux-image update --policies - --no-tree-documents`";
}

impl Kustomize {
    /// The program that the environment names, or the first on the path.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find() -> Result<Self, NoBuilder> {
        if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            let path = Path::new(&named);
            let program = match path.components().count() {
                1 => on_path(&named),
                _ => path.canonicalize().ok().filter(|path| path.is_file()),
            };
            let shown = || NoBuilder::NotThere(quote::name(&named.to_string_lossy()).into_owned());
            return program
                .map(|program| Self::of(program, path))
                .ok_or_else(shown);
        }
        let found = ["kustomize", "kubectl"].into_iter().find_map(|name| {
            let program = on_path(OsStr::new(name))?;
            Some(Self::of(program, Path::new(name)))
        });
        found.ok_or(NoBuilder::NotInstalled)
    }

    fn of(program: PathBuf, named: &Path) -> Self {
        let name = named.file_name().unwrap_or_default().to_string_lossy();
        let command = match name.contains("kubectl") {
            true => "kustomize",
            false => "build",
        };
        Self { program, command }
    }

    /// Runs a build; the text that comes out.
    ///
    /// # Errors
    /// What kustomize says, or why it was not run.
    pub fn build(&self, closure: &Closure, interrupted: &Interrupted) -> Result<String, String> {
        let place = tempfile::Builder::new().prefix("flux-image-").tempdir();
        let place = place.map_err(|error| format!("no temporary folder: {error}"))?;
        let root = place.path().canonicalize();
        let root = root.map_err(|error| format!("no temporary folder: {error}"))?;
        let (source, home) = (root.join("source"), root.join("home"));
        let put = || -> std::io::Result<()> {
            fs::create_dir(&home)?;
            fs::create_dir_all(source.join(&closure.folder))?;
            for (path, bytes) in &closure.files {
                let path = source.join(path);
                fs::create_dir_all(path.parent().unwrap_or(&source))?;
                fs::write(path, bytes)?;
            }
            Ok(())
        };
        put().map_err(|error| format!("its files cannot be copied: {error}"))?;
        let mut command = Command::new(&self.program);
        command
            .arg(self.command)
            .args(["--load-restrictor", "LoadRestrictionsNone"])
            .arg(source.join(&closure.folder))
            .current_dir(&source)
            .env_clear()
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("KUSTOMIZE_PLUGIN_HOME", &home)
            .env("TMPDIR", &home)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ALLOW_PROTOCOL", "https:ssh")
            // What it starts ends with it.
            .process_group(0);
        if closure.is_remote {
            for name in OF_THE_NETWORK {
                if let Some(value) = std::env::var_os(name) {
                    command.env(name, value);
                }
            }
        }
        let (status, out, said) = run(&mut command, interrupted)
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let text = String::from_utf8(out).map_err(|_| "what comes out is not UTF-8".to_owned());
        if status.success() {
            return text;
        }
        let said = shown(&String::from_utf8_lossy(&said), &source);
        Err(match said.is_empty() {
            true => format!("{} failed without a word", self.program.display()),
            false => quote::at_most(&said, 600).into_owned(),
        })
    }
}

/// What kustomize said of files in `source`, as of files in the repository.
fn shown(said: &str, source: &Path) -> String {
    let said = said.trim();
    if said.contains("fatal error: ") && said.contains("out of memory") {
        return "it takes more than 4 GiB of memory".to_owned();
    }
    // kubectl's log has it in quotes, or, with line breaks in it, in a block.
    let unquoted = said.split_once(" err=").and_then(|(_, quoted)| {
        if let Some(block) = quoted.strip_prefix('<') {
            let end = block.rfind("\n >").unwrap_or(block.len());
            return Some(block[..end].trim().to_owned());
        }
        let quoted = quoted.lines().next()?;
        serde_json::from_str::<String>(quoted).ok()
    });
    let said = unquoted.as_deref().unwrap_or(said);
    // Warnings come before.
    let error = said.rsplit_once("\nError: ").map(|(_, error)| error);
    let said = error.unwrap_or_else(|| said.trim_start_matches("Error: "));
    // What follows are the resources themselves, Secrets among them.
    let said = match said.split_once(" with config: `") {
        Some((before, after)) => {
            let why = after.rsplit_once("`: ").map_or("", |(_, why)| why);
            format!("{before}: {why}")
        }
        None => said.to_owned(),
    };
    let resources = [
        "from [",
        "[patch:",
        " in JSON:",
        "literal sources [",
        "invalid literal source",
    ];
    let end = resources.iter().filter_map(|begin| said.find(begin)).min();
    let said = said[..end.unwrap_or(said.len())].trim_end();
    let folder = format!("{}/", source.display());
    let said = said.replace(&folder, "");
    let said = said.replace(&*source.to_string_lossy(), ".");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A program on the path, in folders whose names do not depend on the current one.
pub(super) fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.find_map(|folder| {
        let program = folder.join(name);
        program.is_file().then_some(program)
    })
}

type Ran = (ExitStatus, Vec<u8>, Vec<u8>);

/// Runs a command to its end, and reads what it prints.
fn run(command: &mut Command, interrupted: &Interrupted) -> Result<Ran, String> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| format!("cannot be started: {error}"))?;
    limit_memory(&child);
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let read = |most: u64, from: Option<Box<dyn std::io::Read + Send>>| {
            let mut bytes = Vec::new();
            let mut from = from?;
            from.by_ref().take(most + 1).read_to_end(&mut bytes).ok()?;
            // The rest is read too, so that nobody waits for it.
            _ = std::io::copy(&mut from, &mut std::io::sink());
            Some(bytes)
        };
        let out = out.map(|out| Box::new(out) as Box<dyn std::io::Read + Send>);
        let errors = errors.map(|errors| Box::new(errors) as Box<dyn std::io::Read + Send>);
        let out = scope.spawn(move || read(MAX_OUTPUT, out));
        let errors = scope.spawn(move || read(MAX_ERRORS, errors));
        let status = wait(&mut child, interrupted);
        let out = out.join().ok().flatten().unwrap_or_default();
        let errors = errors.join().ok().flatten().unwrap_or_default();
        let status = status?;
        if out.len() as u64 > MAX_OUTPUT {
            return Err(format!("printed more than {} MiB", MAX_OUTPUT >> 20));
        }
        Ok((status, out, errors))
    })
}

/// What a builder may take of memory: a patch can copy into itself, and doubles with each
/// line.
#[cfg(target_os = "linux")]
fn limit_memory(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let most = Some(MAX_MEMORY);
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    _ = pid.map(|pid| prlimit(Some(pid), Resource::As, limit));
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_: &Child) {}

fn wait(child: &mut Child, interrupted: &Interrupted) -> Result<ExitStatus, String> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    let why = loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Err(error) => break format!("cannot be waited for: {error}"),
            Ok(None) if interrupted.load(Ordering::Relaxed) => break "interrupted".to_owned(),
            Ok(None) if begin.elapsed() >= PATIENCE => {
                break format!("did not end within {} s", PATIENCE.as_secs());
            }
            Ok(None) => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    _ = group.map(|group| killpg(group, Signal::SIGKILL));
    _ = child.kill();
    _ = child.wait();
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builders_own_words() {
        let source = Path::new("/tmp/x/source");
        for (said, expected) in [
            ("Error: no such file\n", "no such file"),
            (
                "# Warning: 'bases' is deprecated.\nError: accumulating /tmp/x/source/apps/a.yaml\n",
                "accumulating apps/a.yaml",
            ),
            (
                "E1126 10:33:29.7 18650 run.go:72] \"command failed\" err=\"no such file\"\n",
                "no such file",
            ),
            (
                "E1126 10:33:29.7 18650 run.go:72] \"command failed\" err=<\n\taccumulating:\n\tno such file\n >\n",
                "accumulating: no such file",
            ),
            (
                "Error: loading KV pairs: literal sources [hunter2]: invalid literal source hunter2, expected key=value",
                "loading KV pairs:",
            ),
            (
                "fatal error: runtime: out of memory\n\ngoroutine 1 [running]:\n",
                "it takes more than 4 GiB of memory",
            ),
            (
                "Error: trouble configuring builtin PatchTransformer with config: `\npatch: |\n  password: `hunter2`: x\n`: unable to parse SM or JSON patch from [password: hunter2]\n",
                "trouble configuring builtin PatchTransformer: unable to parse SM or JSON patch",
            ),
        ] {
            assert_eq!(shown(said, source), expected);
        }
    }
}
