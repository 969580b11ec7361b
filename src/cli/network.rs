//! From flags and the environment to who asks registries, and how.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::args::RegistryArgs;
use super::given;
use crate::api::Id;
use crate::checkout::regular_file;
use crate::documents::Documents;
use crate::finding::{Code, Finding, Location, Severity};
use crate::scan::{Cache, DockerLogin, Live, LiveOptions, Patience};
use crate::selection::registry_queries::Answers;
use crate::selection::resolve::Refresh;
use crate::selection::tags::Question;
use oci_tags::image::Repository;
use oci_tags::login::{self, Credential, DockerAnswer, DockerConfig};
use oci_tags::registry::trust::Trusted;
use oci_tags::registry::{Limits, host_of};

/// A credential helper gets so long.
const HELPER_TIME: Duration = Duration::from_secs(30);

/// Who runs the command, which decides what may be used without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A person: Docker's logins, its helpers, the user's cache folder.
    Person,
    /// An orchestrator: nothing that no flag names.
    Orchestrator {
        /// `--docker-config`.
        may_use_docker: bool,
    },
}

/// `--refresh`.
pub(super) fn refresh(args: &RegistryArgs) -> anyhow::Result<Refresh> {
    let mut ids = BTreeSet::new();
    for name in &args.refresh {
        if name.is_empty() {
            return Ok(Refresh::All);
        }
        let Some((namespace, name)) = name.split_once('/') else {
            bail!("`--refresh={name}` names no ImageRepository: write `--refresh=NAMESPACE/NAME`");
        };
        ids.insert(Id::new(namespace, name));
    }
    Ok(if ids.is_empty() {
        Refresh::Nothing
    } else {
        Refresh::Only(ids)
    })
}

/// The moment of a run, in whole seconds.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Who answers questions, made ready when there is the first one.
pub(super) struct Asker<'a> {
    args: &'a RegistryArgs,
    caller: Caller,
    refresh: Refresh,
    live: Option<Live<'static>>,
}

impl<'a> Asker<'a> {
    /// Has no kept list count for some ImageRepositories. To be called before
    /// the first question.
    pub(super) fn ask_anew(&mut self, repositories: BTreeSet<Id>) {
        if self.args.offline || repositories.is_empty() {
            return;
        }
        match &mut self.refresh {
            Refresh::All => {}
            Refresh::Only(known) => known.extend(repositories),
            refresh @ Refresh::Nothing => *refresh = Refresh::Only(repositories),
        }
    }

    /// Nothing is opened or read yet.
    pub(super) fn new(args: &'a RegistryArgs, caller: Caller, refresh: Refresh) -> Self {
        Self {
            args,
            caller,
            refresh,
            live: None,
        }
    }

    /// Asks; see [`crate::selection::registry_queries::Ask`].
    pub(super) fn ask(&mut self, documents: &Documents, questions: &[Question]) -> Answers {
        let mut findings = Vec::new();
        if self.live.is_none() {
            match self.open(&mut findings) {
                Ok(live) => self.live = Some(live),
                Err(error) => findings.push(trouble(Severity::Error, format!("{error:#}"))),
            }
        }
        let mut answers = match &mut self.live {
            Some(live) => live.ask(documents, questions),
            None => Answers::default(),
        };
        findings.append(&mut answers.findings);
        answers.findings = findings;
        answers
    }

    fn open(&self, findings: &mut Vec<Finding>) -> anyhow::Result<Live<'static>> {
        let docker: Option<Box<DockerLogin<'static>>> = match self.caller {
            Caller::Person => Some(docker_login(true)),
            Caller::Orchestrator { may_use_docker } => may_use_docker.then(|| docker_login(false)),
        };
        let options = LiveOptions {
            docker,
            patience: self
                .args
                .timeout
                .map_or_else(Patience::default, Patience::at_most),
            limits: Limits {
                trusted: Trusted::new(self.args.trusted.iter().cloned()),
                connections: Trusted::new(self.args.connections.iter().map(registry_host)),
                proxies: proxies(),
                ..Limits::default()
            },
            cache: self.cache(findings),
            refresh: self.refresh.clone(),
            offline: self.args.offline,
            may_run_programs: self.caller == Caller::Person,
            now: now(),
        };
        Live::new(options).context("cannot ask registries")
    }

    fn cache(&self, findings: &mut Vec<Finding>) -> Option<Cache> {
        let usual = || (self.caller == Caller::Person && !self.args.no_cache).then(cache_folder);
        let folder = self.args.cache.clone().or_else(|| usual().flatten())?;
        match Cache::open(&folder) {
            Ok(cache) => Some(cache),
            // Without it registries are asked, which costs requests and no run.
            Err(error) => {
                let message = format!(
                    "lists of tags are not cached: {}: {error}",
                    folder.display()
                );
                findings.push(
                    trouble(Severity::Info, message)
                        .hint("name a folder that is yours alone (mode 700) with `--cache DIR`, or say `--no-cache`"),
                );
                None
            }
        }
    }
}

/// A registry as image names have it: `docker.io` is Docker Hub's short name.
fn registry_host(host: &String) -> String {
    let named = Repository::parse(&format!("{host}/image"));
    named.map_or_else(|_| host.clone(), |named| named.host().to_owned())
}

fn trouble(severity: Severity, message: String) -> Finding {
    Finding::new(severity, Code::Registry, message, Location::default())
}

fn path_of(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

fn cache_folder() -> Option<PathBuf> {
    let home = || Some(path_of("HOME")?.join(".cache"));
    let caches = path_of("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(home)?;
    Some(caches.join("flux-image"))
}

/// Host names of the environment's proxies.
fn proxies() -> BTreeSet<String> {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()])
        .filter_map(|name| host_of(&env::var(name).ok()?))
        .collect()
}

/// Where logins may be, in the order that counts.
fn docker_files() -> Vec<PathBuf> {
    let home = path_of("HOME");
    let docker = path_of("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    let config = path_of("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let containers = |folder: PathBuf| folder.join("containers/auth.json");
    [
        path_of("REGISTRY_AUTH_FILE"),
        docker.map(|folder| folder.join("config.json")),
        path_of("XDG_RUNTIME_DIR").map(containers),
        config.map(containers),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Docker's logins, read when the first is asked for.
fn docker_login(may_run_helpers: bool) -> Box<DockerLogin<'static>> {
    let logins = DockerLogins {
        may_run_helpers,
        files: OnceCell::new(),
        asked: RefCell::default(),
    };
    Box::new(move |image: &Repository| logins.find(image))
}

type Login = Result<Option<Credential>, String>;

struct DockerLogins {
    may_run_helpers: bool,
    files: OnceCell<Vec<(PathBuf, Result<DockerConfig, String>)>>,
    /// What helpers said, by their name and the server: each is asked once.
    asked: RefCell<BTreeMap<(String, String), Login>>,
}

impl DockerLogins {
    /// The login that the first file has which has one.
    fn find(&self, image: &Repository) -> Login {
        let files = || docker_files().into_iter().filter_map(read).collect();
        for (path, config) in self.files.get_or_init(files) {
            let said = |why: String| format!("{}: {why}", path.display());
            let config = config.as_ref().map_err(|why| said(why.clone()))?;
            if let Some(credential) = self.find_in(config, image).map_err(said)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    fn find_in(&self, config: &DockerConfig, image: &Repository) -> Login {
        let bad_entry =
            |error: login::BadAuth| format!("the entry for `{}`: {error}", image.host());
        let mut answer = config.find(image).map_err(bad_entry)?;
        if let DockerAnswer::Helper { name, server } = &answer {
            if self.may_run_helpers
                && let Some(credential) = self.ask_helper(name, server)?
            {
                return Ok(Some(credential));
            }
            answer = config.entry(image).map_err(bad_entry)?;
        }
        Ok(match answer {
            DockerAnswer::Credential(credential) => Some(credential),
            _ => None,
        })
    }

    fn ask_helper(&self, name: &str, server: &str) -> Login {
        let mut asked = self.asked.borrow_mut();
        let known = asked.entry((name.to_owned(), server.to_owned()));
        let ask = || login::ask_helper(name, server, HELPER_TIME).map_err(|e| e.to_string());
        known.or_insert_with(ask).clone()
    }
}

fn read(path: PathBuf) -> Option<(PathBuf, Result<DockerConfig, String>)> {
    let config = match regular_file::text_given(&path) {
        Err(error) if error.is_missing() => return None,
        Err(error) => Err(error.to_string()),
        Ok(text) => DockerConfig::parse(&text).map_err(|error| error.to_string()),
    };
    Some((path, config))
}

/// The texts of `--secret`.
pub(super) fn secrets(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let read = |path: &PathBuf| {
        let (name, text) = given::text(path)?;
        // What is wrong with it is not repeated: it holds secrets.
        crate::resource_list::read(&text).map_err(|error| {
            anyhow::anyhow!("{name}:{}: this file is not valid YAML", error.place)
        })?;
        Ok((name, text))
    };
    paths.iter().map(read).collect()
}
