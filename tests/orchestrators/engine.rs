//! A Docker engine: the one that answers, or one of our own for the tests' time.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::services;

/// An engine.
pub struct Engine {
    /// The one that was started here.
    own: Mutex<Option<(Child, TempDir)>>,
    host: Option<String>,
}

impl Engine {
    /// The engine that answers, or else one that is started, where that can be.
    pub fn find() -> Option<Self> {
        let docker = services::program("docker")?;
        let answers = |host: Option<&str>| {
            let mut command = Command::new(&docker);
            command
                .arg("info")
                .envs(host.map(|host| ("DOCKER_HOST", host)));
            command.output().is_ok_and(|output| output.status.success())
        };
        if answers(None) {
            return Some(Self {
                own: Mutex::new(None),
                host: None,
            });
        }
        let folder = TempDir::new().ok()?;
        let host = format!("unix://{}", folder.path().join("docker.sock").display());
        let child = start(folder.path(), &host)?;
        let engine = Self {
            own: Mutex::new(Some((child, folder))),
            host: Some(host.clone()),
        };
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(30) {
            if answers(Some(&host)) {
                return Some(engine);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        engine.end();
        None
    }

    /// What its clients need to know.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let host = self.host.iter().map(|host| ("DOCKER_HOST", host.clone()));
        host.chain([("DOCKER_BUILDKIT", "0".to_owned())]).collect()
    }

    /// Ends the engine that was started here.
    pub fn end(&self) {
        let own = self.own.lock().expect("nobody panics").take();
        if let Some((mut child, folder)) = own {
            // It ends what it started itself when it is asked to.
            let id = child.id().to_string();
            _ = Command::new("kill").args(["-TERM", &id]).status();
            _ = child.wait();
            drop(folder);
        }
    }
}

/// Without a bridge and without changes to the machine's firewall.
fn start(folder: &Path, host: &str) -> Option<Child> {
    let dockerd = services::program("dockerd")?;
    let log = std::fs::File::create(folder.join("log")).ok()?;
    let mut command = Command::new(dockerd);
    command
        .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
        .args(["--storage-driver=vfs", "--host", host])
        .arg("--data-root")
        .arg(folder.join("data"))
        .arg("--exec-root")
        .arg(folder.join("exec"))
        .arg("--pidfile")
        .arg(folder.join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().ok()
}
