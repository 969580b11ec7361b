//! From an ImageRepository and the documents it refers to: whom to ask, as
//! whom, and for how long.

use std::time::Duration;

use crate::api::{Id, ImageRepository, Secret};
use crate::go::duration;
use crate::image::Repository;
use crate::login::cloud::Provider;
use crate::login::{self, Credential, Format, Keyring};
use crate::registry::{Connection, ProxySettings, Target};
use crate::tags::{Blame, Failure};
use crate::update::logins::{Found, Logins};
use crate::update::outcome::{Code, Finding, Location, Severity};

/// Shortest deadline of a scan, as in Flux.
const SHORTEST: Duration = Duration::from_secs(1);

/// How a person has logged in to the host of an image: a credential, or why
/// what there is cannot be used.
pub type DockerLogin<'a> = dyn Fn(&Repository) -> Result<Option<Credential>, String> + 'a;

/// How a repository is asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whom to ask, as whom.
    pub target: Target,
    /// For how long.
    pub within: Duration,
    /// The cloud whose login counts, where no Secret was named.
    pub provider: Option<Provider>,
}

/// What the documents and flags of the run say.
pub struct Context<'a> {
    /// Secrets and what goes with them.
    pub logins: &'a Logins,
    /// Docker's own logins, where they may be used.
    pub docker: Option<&'a DockerLogin<'a>>,
    /// The longest deadline where the repository names none.
    pub timeout: Duration,
}

/// What is wrong with a document that a login depends on.
struct Wrong {
    message: String,
    hint: Option<String>,
}

impl Wrong {
    fn new(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

/// Makes a target of an ImageRepository.
///
/// # Errors
/// A document that is wrong, as the failure of a scan.
pub fn access(
    id: &Id,
    document: &ImageRepository,
    location: &Location,
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Access, Failure> {
    let subject = Subject {
        id,
        document,
        location,
        context,
        findings,
    };
    subject.access().map_err(|wrong| Failure {
        message: wrong.message,
        hint: wrong.hint,
        blame: Blame::Documents,
    })
}

struct Subject<'a> {
    id: &'a Id,
    document: &'a ImageRepository,
    location: &'a Location,
    context: &'a Context<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Subject<'_> {
    fn access(mut self) -> Result<Access, Wrong> {
        let spec = &self.document.spec;
        let repository =
            Repository::parse(&spec.image).map_err(|error| Wrong::new(error.to_string()))?;
        let provider = self.provider()?;
        let within = self.within()?;
        let connection = self.connection()?;
        let (credential, provider) = match (self.pull_secrets(&repository)?, provider) {
            (Some(credential), _) => (credential, None),
            (None, Some(provider)) => (Credential::Anonymous, Some(provider)),
            (None, None) => (self.docker(&repository)?.unwrap_or_default(), None),
        };
        Ok(Access {
            target: Target {
                // By its canonical name, so that two spellings are one repository.
                repository: Repository::parse(&repository.canonical()).unwrap_or(repository),
                insecure: spec.insecure,
                credential,
                connection,
            },
            within,
            provider,
        })
    }

    fn provider(&self) -> Result<Option<Provider>, Wrong> {
        match self.document.spec.provider.as_deref() {
            None | Some("" | "generic") => Ok(None),
            Some("aws") => Ok(Some(Provider::Aws)),
            Some("gcp") => Ok(Some(Provider::Gcp)),
            Some("azure") => Ok(Some(Provider::Azure)),
            Some(other) => Err(Wrong::new(format!(
                "`spec.provider` is `{other}`, and must be one of: generic, aws, azure, gcp"
            ))),
        }
    }

    /// `spec.timeout`, else `spec.interval`, but at most the run's.
    fn within(&self) -> Result<Duration, Wrong> {
        let spec = &self.document.spec;
        let read = |field: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => duration::parse(text)
                .map(Some)
                .map_err(|error| Wrong::new(format!("`spec.{field}`: {error}"))),
        };
        let most = self.context.timeout;
        let within = match (
            read("timeout", &spec.timeout)?,
            read("interval", &spec.interval)?,
        ) {
            (Some(timeout), _) => timeout,
            (None, Some(interval)) => interval.min(most),
            (None, None) => most,
        };
        Ok(within.max(SHORTEST))
    }

    /// The Secret that a field names, `None` where the field is absent.
    fn named(&self, field: &str, name: Option<&str>) -> Result<Option<Named<'_>>, Wrong> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let id = Id::new(self.id.namespace.clone(), name);
        match self.context.logins.secret(&id) {
            Found::Document(secret, location) => Ok(Some(Named {
                id,
                secret,
                location,
            })),
            Found::Unreadable(why, at) => Err(Wrong::new(format!(
                "the Secret `{id}` of `spec.{field}` cannot be read: {why} (at {at})"
            ))),
            missing => Err(Wrong {
                message: format!(
                    "the Secret `{id}` of `spec.{field}` is {}",
                    whereabouts(&missing)
                ),
                hint: Some("give it with `--secret FILE`".to_owned()),
            }),
        }
    }

    fn connection(&self) -> Result<Connection, Wrong> {
        let spec = &self.document.spec;
        let name = spec.cert_secret_ref.as_ref().map(|r| r.name.as_str());
        let mut connection = Connection::default();
        if let Some(named) = self.named("certSecretRef", name)? {
            let value = |keys: &[&str]| named.value(keys);
            let ca = value(&["ca.crt", "caFile"])?;
            let certificate = value(&["tls.crt", "certFile"])?;
            let key = value(&["tls.key", "keyFile"])?;
            connection.ca = ca.map(|ca| ca.reveal().to_owned());
            connection.identity = match (certificate, key) {
                (Some(certificate), Some(key)) => Some(login::Secret::new(format!(
                    "{}\n{}",
                    certificate.reveal(),
                    key.reveal()
                ))),
                (None, None) => None,
                _ => return Err(named.wrong("needs both `tls.crt` and `tls.key`, or neither")),
            };
            if connection == Connection::default() {
                return Err(named.wrong("holds none of `ca.crt`, `tls.crt` and `tls.key`"));
            }
        }
        let name = spec.proxy_secret_ref.as_ref().map(|r| r.name.as_str());
        if let Some(named) = self.named("proxySecretRef", name)? {
            let address = named.value(&["address"])?;
            let address = address.ok_or_else(|| named.wrong("holds no `address`"))?;
            let username = named.value(&["username"])?;
            connection.proxy = Some(ProxySettings {
                address,
                username: username.map(|name| name.reveal().to_owned()),
                password: named.value(&["password"])?,
            });
        }
        Ok(connection)
    }

    /// The credential of `secretRef` and of the pull secrets of the
    /// ServiceAccount; `None` where none was named.
    fn pull_secrets(&mut self, image: &Repository) -> Result<Option<Credential>, Wrong> {
        let mut keyring = Keyring::default();
        let mut missing = None;
        let names = self.pull_secret_names(&mut missing)?;
        if names.is_empty() && missing.is_none() {
            return Ok(None);
        }
        let mut oddities = Vec::new();
        for (field, name) in names {
            let id = Id::new(self.id.namespace.clone(), name);
            match self.context.logins.secret(&id) {
                Found::Document(secret, location) => {
                    let named = Named {
                        id,
                        secret,
                        location,
                    };
                    named.add_to(&mut keyring)?;
                    let all = std::mem::take(&mut keyring.oddities);
                    oddities.extend(all.into_iter().map(|oddity| named.note(oddity.to_string())));
                }
                Found::Unreadable(why, at) => {
                    return Err(Wrong::new(format!(
                        "the Secret `{id}` of `{field}` cannot be read: {why} (at {at})"
                    )));
                }
                absent => {
                    missing = Some(format!(
                        "the Secret `{id}` of `{field}` is {}",
                        whereabouts(&absent)
                    ));
                }
            }
        }
        self.findings.extend(oddities);
        let found = keyring.find(image).map_err(|why| {
            Wrong::new(format!(
                "the entry for `{}` in its pull secret cannot be read: {why}",
                image.host()
            ))
        })?;
        match (found, missing) {
            (Some(credential), _) => Ok(Some(credential)),
            (None, Some(missing)) => self.in_place_of(&missing, image).map(Some),
            (None, None) => {
                let message = format!(
                    "no entry in the pull secrets of ImageRepository `{}` is for `{}`, so it is asked without credentials",
                    self.id,
                    image.canonical()
                );
                self.findings.push(Finding::new(
                    Severity::Warning,
                    Code::Login,
                    message,
                    self.location.clone(),
                ));
                Ok(Some(Credential::Anonymous))
            }
        }
    }

    fn pull_secret_names(
        &self,
        missing: &mut Option<String>,
    ) -> Result<Vec<(&'static str, String)>, Wrong> {
        let spec = &self.document.spec;
        let named = |name: &String| !name.is_empty();
        let mut names = Vec::new();
        let own = spec.secret_ref.as_ref().map(|r| r.name.clone());
        names.extend(own.filter(named).map(|name| ("spec.secretRef", name)));
        if let Some(account) = spec
            .service_account_name
            .as_ref()
            .filter(|name| named(name))
        {
            let id = Id::new(self.id.namespace.clone(), account.clone());
            match self.context.logins.account(&id) {
                Found::Document(account, _) => {
                    let secrets = account.image_pull_secrets.iter();
                    names.extend(secrets.map(|r| ("imagePullSecrets", r.name.clone())));
                }
                Found::Unreadable(why, at) => {
                    return Err(Wrong::new(format!(
                        "the ServiceAccount `{id}` of `spec.serviceAccountName` cannot be read: {why} (at {at})"
                    )));
                }
                // With a provider it names whom the cloud knows, and nothing is
                // missing here.
                _ if self.provider()?.is_some() => {}
                absent => {
                    *missing = Some(format!(
                        "the ServiceAccount `{id}` of `spec.serviceAccountName` is {}",
                        whereabouts(&absent)
                    ));
                }
            }
        }
        Ok(names)
    }

    /// Docker's own login where the Secret lives in the cluster alone.
    fn in_place_of(&mut self, missing: &str, image: &Repository) -> Result<Credential, Wrong> {
        let Some(credential) = self.docker(image)? else {
            let docker = if self.context.docker.is_some() {
                format!("Docker's own config has no login for `{}`", image.host())
            } else {
                "Docker's own config may not be used without `--docker-config`".to_owned()
            };
            return Err(Wrong {
                message: format!("{missing}, and {docker}"),
                hint: Some(
                    "give the Secret with `--secret FILE`, or log in with `docker login`"
                        .to_owned(),
                ),
            });
        };
        let message = format!(
            "{missing}; Docker's own login for `{}` is used",
            image.host()
        );
        self.findings.push(Finding::new(
            Severity::Info,
            Code::Login,
            message,
            self.location.clone(),
        ));
        Ok(credential)
    }

    fn docker(&self, image: &Repository) -> Result<Option<Credential>, Wrong> {
        let Some(docker) = self.context.docker else {
            return Ok(None);
        };
        docker(image).map_err(Wrong::new)
    }
}

fn whereabouts<T>(found: &Found<'_, T>) -> &'static str {
    match found {
        Found::Encrypted => "encrypted",
        _ => "not in the input",
    }
}

/// A Secret that was found.
struct Named<'a> {
    id: Id,
    secret: &'a Secret,
    location: &'a Location,
}

impl Named<'_> {
    fn wrong(&self, what: &str) -> Wrong {
        Wrong::new(format!(
            "the Secret `{}` {what} (at {})",
            self.id, self.location
        ))
    }

    fn value(&self, keys: &[&str]) -> Result<Option<login::Secret>, Wrong> {
        let value = self.secret.value(keys);
        value.map_err(|error| self.wrong(&format!("cannot be read: {error}")))
    }

    fn note(&self, message: String) -> Finding {
        Finding::new(
            Severity::Warning,
            Code::Login,
            format!("Secret `{}`: {message}", self.id),
            self.location.clone(),
        )
    }

    fn add_to(&self, keyring: &mut Keyring) -> Result<(), Wrong> {
        let mut found = false;
        for (key, format) in [
            (".dockerconfigjson", Format::ConfigJson),
            (".dockercfg", Format::Cfg),
        ] {
            if let Some(file) = self.value(&[key])? {
                found = true;
                keyring
                    .add(file.reveal(), format)
                    .map_err(|error| self.wrong(&format!("cannot be read: its `{key}` {error}")))?;
            }
        }
        if found {
            Ok(())
        } else {
            Err(self
                .wrong("is no pull secret: it has neither `.dockerconfigjson` nor `.dockercfg`"))
        }
    }
}
