//! The tools that there are, and running them in folders of their own.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::container::{self, Image};
use crate::coverage_page;
use crate::engine::Engine;
use crate::services;
pub use crate::tree::Tree;

/// Longest time for one command.
const LIMIT: Duration = Duration::from_secs(120);

/// What a test may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Actionlint,
    Chromium,
    Kustomize,
    Kpt,
    Docker,
    Fish,
    Flux,
    Git,
    Jq,
    Registry,
    Zsh,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kustomize => "kustomize",
            Self::Kpt => "kpt",
            Self::Docker => "a Docker engine",
            Self::Actionlint => "actionlint",
            Self::Chromium => "Chromium with Playwright",
            Self::Fish => "fish",
            Self::Flux => "flux",
            Self::Git => "git",
            Self::Jq => "jq",
            Self::Registry => "a registry",
            Self::Zsh => "zsh",
        })
    }
}

/// The tools of this machine.
pub struct World {
    path: OsString,
    home: TempDir,
    engine: OnceLock<Option<Engine>>,
    image: OnceLock<Image>,
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    pub fn new() -> Self {
        let own = Path::new(env!("CARGO_BIN_EXE_flux-image"));
        let own = own.parent().expect("a folder").to_path_buf();
        let peers = Path::new(services::ROOT).join("target/services");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [own, peers].into_iter().chain(std::env::split_paths(&path));
        Self {
            path: std::env::join_paths(folders).expect("a path"),
            home: TempDir::new().expect("a folder"),
            engine: OnceLock::new(),
            image: OnceLock::new(),
        }
    }

    pub fn has(&self, tool: Tool) -> bool {
        match tool {
            Tool::Kustomize => services::program("kustomize").is_some(),
            Tool::Kpt => services::program("kpt").is_some(),
            Tool::Actionlint => services::program("actionlint").is_some(),
            Tool::Chromium => coverage_page::browser().is_some(),
            Tool::Jq => services::program("jq").is_some(),
            Tool::Fish => services::program("fish").is_some(),
            Tool::Flux => services::program("flux").is_some(),
            Tool::Zsh => services::program("zsh").is_some(),
            Tool::Git => services::program("git").is_some(),
            Tool::Registry => container::program().is_some(),
            Tool::Docker => self.engine().is_some(),
        }
    }

    /// The engine, which is started at the first call where none answers.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.get_or_init(Engine::find).as_ref()
    }

    /// The name of the function's image, which is built at the first call.
    pub fn image(&self) -> &str {
        self.image.get_or_init(|| Image::build(self)).name()
    }

    /// Ends what was started.
    pub fn end(&self) {
        if let Some(image) = self.image.get() {
            image.remove(self);
        }
        if let Some(Some(engine)) = self.engine.get() {
            engine.end();
        }
    }

    /// Runs a command in a folder, with nothing of this machine's environment
    /// but where programs are.
    pub fn run(&self, folder: &Path, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments);
        self.finish(folder, command)
    }

    /// Runs a script of a shell in a folder.
    pub fn shell(&self, folder: &Path, script: &str) -> Ran {
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", script]);
        self.finish(folder, command)
    }

    fn finish(&self, folder: &Path, mut command: Command) -> Ran {
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            .env("FLUX_IMAGE_OFFLINE", "true")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "a tester")
            .env("GIT_AUTHOR_EMAIL", "tester@acme.example")
            .env("GIT_COMMITTER_NAME", "a tester")
            .env("GIT_COMMITTER_EMAIL", "tester@acme.example")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(Some(engine)) = self.engine.get() {
            command.envs(engine.environment());
        }
        // Found in the path that the command gets.
        let mut child = command.spawn().expect("the program starts");
        let mut streams = (child.stdout.take(), child.stderr.take());
        let read = |stream: Option<&mut dyn std::io::Read>| {
            let mut text = Vec::new();
            if let Some(stream) = stream {
                _ = stream.read_to_end(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let (stdout, stderr) = std::thread::scope(|scope| {
            let out = scope.spawn(|| read(streams.0.as_mut().map(|s| s as &mut dyn std::io::Read)));
            let err = scope.spawn(|| read(streams.1.as_mut().map(|s| s as &mut dyn std::io::Read)));
            let begin = Instant::now();
            while child.try_wait().expect("it can be waited for").is_none() {
                if begin.elapsed() > LIMIT {
                    _ = child.kill();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            (out.join().expect("read"), err.join().expect("read"))
        });
        let code = child.wait().expect("it ended").code();
        Ran {
            code,
            stdout,
            stderr,
        }
    }
}

impl Ran {
    /// What it printed, where it succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What it said, where it failed.
    #[track_caller]
    pub fn fails(self) -> String {
        assert_ne!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}
