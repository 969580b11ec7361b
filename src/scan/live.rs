//! Asking registries, many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::foreign::shown;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::access::{self, Access, Context, DockerLogin, Patience};
use super::cache::{Cache, KeptList};
use crate::api::{Id, ImageRepository};
use crate::documents::logins::References;
use crate::documents::{Documents, Sourced, twins};
use crate::finding::{Code, Finding, Location};
use crate::selection::registry_queries::Answers;
use crate::selection::resolve::Refresh;
use crate::selection::tags::{Answer, Blame, Failure, ImageLabels, KnownTags, Question};
use go_template::duration;
use oci_tags::login::cloud::{self, Clouds};
use oci_tags::registry::trust::{Rank, Ranked};
use oci_tags::registry::{self, Limits, Listing, Page, Registries, RegistryError, Target};

/// How a run asks.
pub struct LiveOptions<'a> {
    /// Docker's own logins, where they may be used.
    pub docker: Option<Box<DockerLogin<'a>>>,
    /// How long a repository may take.
    pub patience: Patience,
    /// Trust, proxies and waits.
    pub limits: Limits,
    /// Where lists are kept.
    pub cache: Option<Cache>,
    /// What is asked although a kept list is fresh.
    pub refresh: Refresh,
    /// Ask nobody: only what is kept counts.
    pub offline: bool,
    /// A cloud's own program may be run for a login.
    pub may_run_programs: bool,
    /// The moment of the run.
    pub now: Timestamp,
}

/// The registries of a run.
pub struct Live<'a> {
    options: LiveOptions<'a>,
    runtime: Runtime,
    registries: Arc<Registries>,
    clouds: Clouds,
    /// The endpoint to each ImageRepository, once it was needed, as the documents have it
    /// that asked last.
    endpoints: BTreeMap<Id, Reached>,
    findings: Vec<Finding>,
}

/// How an ImageRepository is asked, with whatever login it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Endpoint {
    target: Target,
    /// What stands for the credential where that changes from run to run.
    identity: String,
    within: Duration,
    /// A kept list is fresh for so long.
    interval: Duration,
}

/// What documents say of the way to a repository, and where that leads.
struct Reached {
    access: Result<Access, Failure>,
    /// A kept list is fresh for so long.
    interval: Duration,
    endpoint: Result<Endpoint, Failure>,
}

/// One request of the registry, which may answer several questions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    target: Target,
    identity: String,
    what: What,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Tags,
    Digest(String),
    Labels(String),
}

/// The questions that a task answers.
#[derive(Default)]
struct Batch {
    questions: Vec<Question>,
    within: Duration,
    interval: Option<Duration>,
    anew: bool,
}

impl Task {
    fn of(question: &Question, endpoint: &Endpoint) -> Self {
        Self {
            target: endpoint.target.clone(),
            identity: endpoint.identity.clone(),
            what: match question {
                Question::Tags(_) => What::Tags,
                Question::Digest(_, tag) => What::Digest(tag.clone()),
                Question::Labels(_, reference) => What::Labels(reference.clone()),
            },
        }
    }
}

impl Batch {
    /// Of several the most patient and the least content counts.
    fn add(&mut self, question: &Question, endpoint: &Endpoint, anew: bool) {
        self.questions.push(question.clone());
        self.within = self.within.max(endpoint.within);
        let interval = self
            .interval
            .map_or(endpoint.interval, |known| known.min(endpoint.interval));
        self.interval = Some(interval);
        self.anew |= anew;
    }

    fn interval(&self) -> Duration {
        self.interval.unwrap_or_default()
    }
}

/// What a task brought.
enum Response {
    Listed(Listing, Timestamp),
    Digest(String),
    Labels(registry::Labels),
}

impl<'a> Live<'a> {
    /// Nobody is asked yet.
    ///
    /// # Errors
    /// Where the system gives no event queue.
    pub fn new(options: LiveOptions<'a>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let registries = Arc::new(Registries::new(options.limits.clone()));
        let clouds = Clouds::new(options.may_run_programs);
        Ok(Self {
            options,
            runtime,
            registries,
            clouds,
            endpoints: BTreeMap::new(),
            findings: Vec::new(),
        })
    }

    /// Asks. A question without an answer was not asked, since nobody may be.
    pub fn ask(&mut self, documents: &Documents, questions: &[Question]) -> Answers {
        self.find_endpoints(documents, questions);
        let mut answers = Vec::new();
        // Questions that one request answers go together.
        let mut tasks: BTreeMap<Task, Batch> = BTreeMap::new();
        for question in questions {
            let reached = self.endpoints.get(question.repository());
            match reached.map(|reached| &reached.endpoint) {
                None => {}
                // A login that nobody is shown cannot be missing.
                Some(Err(_)) if self.options.offline => {}
                Some(Err(failure)) => {
                    answers.push((question.clone(), Answer::Failed(failure.clone())));
                }
                Some(Ok(endpoint)) => {
                    let anew = self.options.refresh.has(question.repository());
                    let batch = tasks.entry(Task::of(question, endpoint)).or_default();
                    batch.add(question, endpoint, anew);
                }
            }
        }
        for (task, result) in self.perform_all(&tasks) {
            let answer = self.answer(&task, result);
            let asked = tasks.get(&task).map_or(&[][..], |batch| &batch.questions);
            answers.extend(
                asked
                    .iter()
                    .map(|question| (question.clone(), answer.clone())),
            );
        }
        answers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Answers {
            answers,
            findings: std::mem::take(&mut self.findings),
        }
    }

    fn perform_all(
        &self,
        tasks: &BTreeMap<Task, Batch>,
    ) -> Vec<(Task, Result<Response, RegistryError>)> {
        let mut set = JoinSet::new();
        let mut done = Vec::new();
        for (task, batch) in tasks {
            match self.kept(task, batch) {
                CacheDecision::Fresh(kept) => {
                    let listing = Listing {
                        pages: kept.pages.into_owned(),
                    };
                    done.push((task.clone(), Ok(Response::Listed(listing, kept.scanned_at))));
                }
                CacheDecision::Nothing => {}
                CacheDecision::Ask(pages) => {
                    let (registries, now) = (Arc::clone(&self.registries), self.options.now);
                    let (task, within) = (task.clone(), batch.within);
                    let work = async move {
                        let fact = perform(&registries, &task, within, &pages, now).await;
                        (task, fact)
                    };
                    set.spawn_on(work, self.runtime.handle());
                }
            }
        }
        done.extend(self.wait(set));
        done
    }

    /// Looks for the way to each repository. A run may ask for several sets of documents,
    /// as those of several clusters, in which one name has several ways.
    fn find_endpoints(&mut self, documents: &Documents, questions: &[Question]) {
        let references = References::of(&documents.repositories, &documents.logins);
        let asked: BTreeSet<&Id> = questions.iter().map(Question::repository).collect();
        for id in asked {
            let Some(sourced) = documents.repositories.get(id) else {
                self.endpoints.remove(id);
                continue;
            };
            let mut findings = Vec::new();
            let access = self.access(id, sourced, documents, &references, &mut findings);
            let interval = sourced.document.spec.interval.as_deref();
            let interval = interval.and_then(|text| duration::parse(text).ok());
            let interval = interval.unwrap_or_default();
            let known = self.endpoints.get(id);
            if known.is_some_and(|known| known.access == access && known.interval == interval) {
                // What there is to say of it was said.
                continue;
            }
            if !self.options.offline {
                self.findings.append(&mut findings);
            }
            let endpoint = match &access {
                Ok(access) => self.with_login(access.clone(), interval),
                Err(failure) => Err(failure.clone()),
            };
            let reached = Reached {
                access,
                interval,
                endpoint,
            };
            self.endpoints.insert(id.clone(), reached);
        }
    }

    fn access(
        &self,
        id: &Id,
        sourced: &Sourced<ImageRepository>,
        documents: &Documents,
        references: &References,
        findings: &mut Vec<Finding>,
    ) -> Result<Access, Failure> {
        if let Some(other) = &sourced.conflict {
            let message = format!("a different one of this name stands at {other}");
            let hint = twins::hint(other, &sourced.location);
            return Err(Failure::of_documents(message).hint(hint));
        }
        let context = Context {
            logins: &documents.logins,
            references,
            connections: &self.options.limits.connections,
            docker: self.options.docker.as_deref(),
            patience: self.options.patience,
        };
        access::access(id, sourced, &context, findings)
    }

    fn with_login(&mut self, access: Access, interval: Duration) -> Result<Endpoint, Failure> {
        let mut endpoint = Endpoint {
            target: access.target,
            identity: String::new(),
            within: access.within,
            interval,
        };
        let Some(provider) = access.provider else {
            return Ok(endpoint);
        };
        endpoint.identity = cloud::identity(provider);
        // Nobody is asked for a login that nobody is shown.
        if self.options.offline {
            return Ok(endpoint);
        }
        let login = self.clouds.login(provider, &endpoint.target.repository);
        let login = self.runtime.block_on(login).map_err(|error| Failure {
            message: error.to_string(),
            hint: Some(error.hint()),
            blame: if error.is_mistake() {
                Blame::Documents
            } else {
                Blame::Registry
            },
        })?;
        // The machine's own identity is its user's.
        let target = endpoint
            .target
            .with_credential(Ranked::new(login, Rank::User));
        endpoint.target = target.map_err(|withheld| Failure::of_documents(withheld.to_string()))?;
        Ok(endpoint)
    }

    fn kept(&self, task: &Task, batch: &Batch) -> CacheDecision {
        let cache = self.options.cache.as_ref();
        let cache = cache.filter(|_| task.what == What::Tags);
        let kept = cache.and_then(|cache| cache.read(&task.target, &task.identity));
        match kept {
            Some(kept) if self.options.offline => CacheDecision::Fresh(kept),
            _ if self.options.offline => CacheDecision::Nothing,
            Some(kept) if !batch.anew && self.is_fresh(&kept, batch.interval()) => {
                CacheDecision::Fresh(kept)
            }
            Some(kept) => CacheDecision::Ask(kept.pages.into_owned()),
            None => CacheDecision::Ask(Vec::new()),
        }
    }

    fn is_fresh(&self, kept: &KeptList<'_>, interval: Duration) -> bool {
        let age = self.options.now.duration_since(kept.scanned_at);
        // A list of the future says nothing of the present.
        !age.is_negative() && age.unsigned_abs() < interval
    }

    /// Waits for all, and shows how far it is where somebody looks.
    fn wait(
        &self,
        mut set: JoinSet<(Task, Result<Response, RegistryError>)>,
    ) -> Vec<(Task, Result<Response, RegistryError>)> {
        let total = u64::try_from(set.len()).unwrap_or(u64::MAX);
        if total == 0 {
            return Vec::new();
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("asking registries {bar:24} {pos}/{len} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let done = self.runtime.block_on(async {
            let mut done = Vec::new();
            while let Some(joined) = set.join_next().await {
                match joined {
                    Ok((task, fact)) => {
                        bar.set_message(shown(task.target.repository.written()).into_owned());
                        done.push((task, fact));
                    }
                    Err(error) if error.is_panic() => {
                        std::panic::resume_unwind(error.into_panic());
                    }
                    Err(_) => {}
                }
                bar.inc(1);
            }
            done
        });
        bar.finish_and_clear();
        done
    }

    fn answer(&mut self, task: &Task, result: Result<Response, RegistryError>) -> Answer {
        match result {
            Err(error) => Answer::Failed(Failure {
                message: error.to_string(),
                hint: Some(error.hint()),
                blame: match error {
                    RegistryError::Settings(_) | RegistryError::Name(_) => Blame::Documents,
                    _ => Blame::Registry,
                },
            }),
            Ok(Response::Digest(digest)) => Answer::Digest(digest),
            Ok(Response::Labels(labels)) => Answer::Labels(ImageLabels {
                source: labels.source,
                version: labels.version,
            }),
            Ok(Response::Listed(listing, at)) => {
                self.note(task, &listing, at);
                Answer::Tags(Arc::new(KnownTags {
                    tags: listing.into_tags(),
                    digests: BTreeMap::new(),
                    scanned_at: Some(at.to_string()),
                }))
            }
        }
    }

    /// Keeps a new list, and says what was odd about it.
    fn note(&mut self, task: &Task, listing: &Listing, at: Timestamp) {
        let name = task.target.repository.canonical();
        let dropped = listing.dropped();
        if dropped > 0 {
            let message =
                format!("{name}: {dropped} entries of the list are not tags, and were left out");
            let finding = Finding::info(Code::Registry, message, Location::default());
            self.findings.push(finding);
        }
        let Some(cache) = self
            .options
            .cache
            .as_ref()
            .filter(|_| at == self.options.now)
        else {
            return;
        };
        if let Err(error) = cache.write(&task.target, &task.identity, at, &listing.pages) {
            let message = format!("the list of {name} cannot be cached: {error}");
            let finding = Finding::info(Code::Registry, message, Location::default());
            self.findings
                .push(finding.hint("name a folder with `--cache DIR`, or say `--no-cache`"));
        }
    }
}

/// What is to be done where a list may be kept.
enum CacheDecision {
    /// It will do.
    Fresh(KeptList<'static>),
    /// There is none, and nobody may be asked.
    Nothing,
    /// Ask, with what is known of its pages.
    Ask(Vec<Page>),
}

async fn perform(
    registries: &Registries,
    task: &Task,
    within: Duration,
    pages: &[Page],
    now: Timestamp,
) -> Result<Response, RegistryError> {
    match &task.what {
        What::Tags => {
            let listing = registries.tags(&task.target, within, pages).await?;
            Ok(Response::Listed(listing, now))
        }
        What::Labels(reference) => {
            let labels = registries.labels(&task.target, within, reference);
            Ok(Response::Labels(labels.await?))
        }
        What::Digest(tag) => {
            let digest = registries.digest(&task.target, within, tag).await?;
            Ok(Response::Digest(digest))
        }
    }
}
