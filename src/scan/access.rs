//! From an ImageRepository and the documents it refers to: whom to ask, as
//! whom, and for how long.
//!
//! Each part of it keeps whose word it is; whether a credential may go along is
//! decided by [`oci_tags::registry::trust`].

use std::time::Duration;

use crate::api::{Id, ImageRepository, Secret};
use crate::documents::logins::{KnownDocument, Logins, Lookup, References};
use crate::documents::{self, Sourced};
use crate::finding::{Code, Finding, Location};
use crate::quote;
use crate::selection::tags::Failure;
use go_template::duration;
use oci_tags::image::Repository;
use oci_tags::login::cloud::Provider;
use oci_tags::login::{self, Credential, Format, Keyring};
use oci_tags::registry::trust::{Part, Rank, Ranked, Trusted};
use oci_tags::registry::{Connection, CredentialFor, ProxySettings, Target, Withheld};

/// Shortest deadline of a scan, as in Flux.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long a repository may take, as far as the user has a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one whose document asks for nothing.
    usual: Duration,
    /// For every one, whatever its document asks for: a document is not always
    /// the user's own.
    most: Duration,
}

impl Default for Patience {
    /// A minute; ten for a document that asks for them. A list of a hundred
    /// thousand tags takes less, and a job of a pipeline outlives it.
    fn default() -> Self {
        Self {
            usual: Duration::from_secs(60),
            most: Duration::from_secs(600),
        }
    }
}

impl Patience {
    /// What `--timeout` says: no repository takes longer.
    #[must_use]
    pub fn at_most(most: Duration) -> Self {
        Self { usual: most, most }
    }
}

/// How a person has logged in to the host of an image: a credential, or why
/// what there is cannot be used.
pub type DockerLogin<'a> = dyn Fn(&Repository) -> Result<Option<Credential>, String> + 'a;

/// How a repository is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whom to ask, as whom.
    pub target: Target,
    /// For how long.
    pub within: Duration,
    /// The cloud whose login counts, where no Secret was named.
    pub provider: Option<Provider>,
}

/// What the documents and flags of the run say.
pub(super) struct Context<'a> {
    /// Secrets and what goes with them.
    pub logins: &'a Logins,
    /// Who refers to them.
    pub references: &'a References,
    /// Registries for which what documents name of a connection is the user's
    /// own word (`--trust-connection`).
    pub connections: &'a Trusted,
    /// Docker's own logins, where they may be used.
    pub docker: Option<&'a DockerLogin<'a>>,
    /// How long a repository may take.
    pub patience: Patience,
}

/// Makes a target of an ImageRepository.
pub(super) fn access(
    id: &Id,
    repository: &Sourced<ImageRepository>,
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Access, Failure> {
    let subject = RepositoryAccess {
        id,
        document: &repository.document,
        location: &repository.location,
        rank: trusted_as(repository.rank),
        named: Vec::new(),
        context,
        findings,
    };
    subject.access()
}

struct RepositoryAccess<'a> {
    id: &'a Id,
    document: &'a ImageRepository,
    location: &'a Location,
    rank: Rank,
    /// What names each part of the connection.
    named: Vec<(Part, String)>,
    context: &'a Context<'a>,
    findings: &'a mut Vec<Finding>,
}

/// How far the giver of a document is trusted.
fn trusted_as(rank: documents::Rank) -> Rank {
    match rank {
        documents::Rank::Tree | documents::Rank::Items => Rank::Tree,
        documents::Rank::Config => Rank::FunctionConfig,
        documents::Rank::Flag => Rank::Given,
    }
}

impl RepositoryAccess<'_> {
    fn access(mut self) -> Result<Access, Failure> {
        let spec = &self.document.spec;
        let repository = Repository::parse(&spec.image)
            .map_err(|error| Failure::of_documents(error.to_string()))?;
        let provider = self.provider()?;
        let within = self.within()?;
        // By its canonical name, so that two spellings are one repository.
        let repository = Repository::parse(&repository.canonical()).unwrap_or(repository);
        let connection = self.connection(&repository)?;
        let target = Target::new(repository.clone(), connection)
            .map_err(|withheld| self.withheld("", &repository, withheld))?;
        let (target, provider) = match (self.pull_secrets(&repository)?, provider) {
            (Some((credential, whose)), _) => {
                let target = target.with_credential(credential);
                let target =
                    target.map_err(|withheld| self.withheld(&whose, &repository, withheld))?;
                (target, None)
            }
            (None, Some(provider)) => {
                // Known before anybody is asked for a login.
                let whose = format!("the login of `provider: {provider}`");
                target
                    .admits(Rank::User)
                    .map_err(|withheld| self.withheld(&whose, &repository, withheld))?;
                (target, Some(provider))
            }
            (None, None) => (self.with_dockers_own(target)?, None),
        };
        Ok(Access {
            target,
            within,
            provider,
        })
    }

    /// With the login that nobody named but Docker has. Where it may not go
    /// along, the registry is asked without, since a list may be public.
    fn with_dockers_own(&mut self, target: Target) -> Result<Target, Failure> {
        let repository = target.repository.clone();
        let Some(credential) = self.docker(&repository)? else {
            return Ok(target);
        };
        let with = target.clone().with_credential(credential);
        with.or_else(|withheld| {
            let whose = format!("Docker's own login for `{}`", repository.host());
            let wrong = self.withheld(&whose, &repository, withheld);
            let message = format!(
                "ImageRepository `{}` is asked without credentials: {}",
                self.id, wrong.message
            );
            let mut finding = Finding::warning(Code::Login, message, self.location.clone());
            finding.hint = wrong.hint;
            self.findings.push(finding);
            Ok(target)
        })
    }

    /// A credential that stays here, since somebody less trusted has named the
    /// way it would take.
    fn withheld(&self, whose: &str, repository: &Repository, withheld: Withheld) -> Failure {
        let part = withheld.barred.part;
        let by = |part: Part| {
            let known = self.named.iter().find(|(known, _)| *known == part);
            known.map_or("", |(_, by)| by.as_str())
        };
        let whose = match withheld.of {
            CredentialFor::Registry => whose.to_owned(),
            CredentialFor::Tls => {
                format!("the client certificate of {}", by(Part::ClientCertificate))
            }
            CredentialFor::Proxy => format!("the proxy's password of {}", by(Part::Proxy)),
        };
        let named = match part {
            Part::Insecure => format!("{} allows plain http", by(part)),
            part => format!("the {part} is named by {}", by(part)),
        };
        let message = format!("{whose} is not sent, since {named}, which is trusted less");
        let flag = match part {
            Part::Proxy => "name the proxy in `HTTPS_PROXY`",
            Part::Ca => "name the CA in `SSL_CERT_FILE`",
            Part::ClientCertificate => "give the client certificate with `--secret FILE`",
            Part::Insecure => "give the ImageRepository with `--policies FILE`",
        };
        let host = repository.host();
        let trust =
            format!("allow what documents name for this registry with `--trust-connection {host}`");
        // A Secret of a flag may use what another flag gives; a login of the
        // user's own only what they name themselves.
        let is_enough =
            matches!(part, Part::Proxy | Part::Ca) || withheld.barred.credential < Rank::User;
        Failure::of_documents(message).hint(if is_enough {
            format!("{flag}, or {trust}")
        } else {
            trust
        })
    }

    fn provider(&self) -> Result<Option<Provider>, Failure> {
        match self.document.spec.provider.as_deref() {
            None | Some("" | "generic") => Ok(None),
            Some("aws") => Ok(Some(Provider::Aws)),
            Some("gcp") => Ok(Some(Provider::Gcp)),
            Some("azure") => Ok(Some(Provider::Azure)),
            Some(other) => Err(Failure::of_documents(format!(
                "`spec.provider` is `{other}`, and must be one of: generic, aws, azure, gcp"
            ))),
        }
    }

    /// `spec.timeout`, else `spec.interval`, neither beyond what the run allows.
    fn within(&mut self) -> Result<Duration, Failure> {
        let spec = &self.document.spec;
        let read = |field: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => duration::parse(text)
                .map(Some)
                .map_err(|error| Failure::of_documents(format!("`spec.{field}`: {error}"))),
        };
        let Patience { usual, most } = self.context.patience;
        let within = match (
            read("timeout", &spec.timeout)?,
            read("interval", &spec.interval)?,
        ) {
            (Some(timeout), _) => timeout,
            (None, Some(interval)) => interval.min(usual),
            (None, None) => usual,
        };
        // Who says `--timeout` knows that it counts.
        if within > most && most > usual {
            self.note_timeout(most);
        }
        let within = within.min(most);
        Ok(within.max(SHORTEST))
    }

    fn note_timeout(&mut self, most: Duration) {
        let asked = self.document.spec.timeout.as_deref().unwrap_or_default();
        let message = format!(
            "ImageRepository `{}`: `spec.timeout` is {}, and the run gives it {} s",
            self.id,
            asked.escape_debug(),
            most.as_secs_f64()
        );
        let finding = Finding::info(Code::Registry, message, self.location.clone());
        self.findings
            .push(finding.hint("`--timeout` allows every repository more or less"));
    }

    /// The Secret that a field names, `None` where the field is absent.
    fn named(&self, field: &str, name: Option<&str>) -> Result<Option<Named<'_>>, Failure> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let id = Id::new(self.id.namespace.clone(), name);
        let lookup = self.context.logins.secret(&id, self.context.references);
        match found("Secret", field, &id, lookup)? {
            Ok(known) => Ok(Some(Named::new(id, &known))),
            Err(absent) => Err(Failure::of_documents(absent).hint("give it with `--secret FILE`")),
        }
    }

    /// How the registry is reached, with whose word each part of it is.
    fn connection(&mut self, repository: &Repository) -> Result<Connection, Failure> {
        let mut connection = Connection::default();
        self.add_certificates(&mut connection)?;
        self.add_proxy(&mut connection)?;
        if self.document.spec.insecure {
            connection.insecure = Some(self.rank);
            let by = format!(
                "`spec.insecure` of ImageRepository `{}` (at {})",
                self.id, self.location
            );
            self.named.push((Part::Insecure, by));
        }
        Ok(
            if self.context.connections.has_registry(repository.host()) {
                connection.trusted()
            } else {
                connection
            },
        )
    }

    fn add_certificates(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let name = self.document.spec.cert_secret_ref.as_ref();
        let name = name.map(|reference| reference.name.as_str());
        let Some(named) = self.named("spec.certSecretRef", name)? else {
            return Ok(());
        };
        let ca = named.value(&["ca.crt", "caFile"])?;
        let certificate = named.value(&["tls.crt", "certFile"])?;
        let key = named.value(&["tls.key", "keyFile"])?;
        let pair = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                Some(format!("{}\n{}", certificate.reveal(), key.reveal()))
            }
            (None, None) => None,
            _ => return Err(named.wrong("needs both `tls.crt` and `tls.key`, or neither")),
        };
        if ca.is_none() && pair.is_none() {
            return Err(named.wrong("has none of `ca.crt`, `tls.crt` and `tls.key`"));
        }
        connection.ca = ca.map(|ca| Ranked::new(ca.reveal().to_owned(), named.rank));
        connection.identity = pair.map(|pair| Ranked::new(login::Secret::new(pair), named.rank));
        let by = named.by();
        self.named.push((Part::Ca, by.clone()));
        self.named.push((Part::ClientCertificate, by));
        Ok(())
    }

    fn add_proxy(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let name = self.document.spec.proxy_secret_ref.as_ref();
        let name = name.map(|reference| reference.name.as_str());
        let Some(named) = self.named("spec.proxySecretRef", name)? else {
            return Ok(());
        };
        let address = named.value(&["address"])?;
        let address = address.ok_or_else(|| named.wrong("has no `address`"))?;
        let username = named.value(&["username"])?;
        let proxy = ProxySettings {
            address,
            username: username.map(|name| name.reveal().to_owned()),
            password: named.value(&["password"])?,
        };
        connection.proxy = Some(Ranked::new(proxy, named.rank));
        let by = named.by();
        self.named.push((Part::Proxy, by));
        Ok(())
    }

    /// The credential of `secretRef` and of the pull secrets of the
    /// ServiceAccount, and what it is called; `None` where none was named.
    fn pull_secrets(
        &mut self,
        image: &Repository,
    ) -> Result<Option<(Ranked<Credential>, String)>, Failure> {
        let mut keyring: Keyring<(Rank, String)> = Keyring::default();
        let mut missing = None;
        let names = self.pull_secret_names(&mut missing)?;
        if names.is_empty() && missing.is_none() {
            return Ok(None);
        }
        let mut oddities = Vec::new();
        for (field, name) in names {
            let id = Id::new(self.id.namespace.clone(), name);
            let lookup = self.context.logins.secret(&id, self.context.references);
            match found("Secret", field, &id, lookup)? {
                Ok(known) => {
                    let named = Named::new(id, &known);
                    named.add_to(&mut keyring)?;
                    let all = std::mem::take(&mut keyring.oddities);
                    oddities.extend(all.into_iter().map(|oddity| named.note(oddity.to_string())));
                }
                Err(absent) => missing = Some(absent),
            }
        }
        self.findings.extend(oddities);
        let found = keyring.find(image).map_err(|why| {
            Failure::of_documents(format!(
                "the entry for `{}` in its pull secret cannot be read: {why}",
                image.host()
            ))
        })?;
        match (found, missing) {
            (Some((credential, (rank, secret))), _) => {
                let whose = format!("the credential of {secret}");
                Ok(Some((Ranked::new(credential, *rank), whose)))
            }
            (None, Some(missing)) => {
                let credential = self.in_place_of(&missing, image)?;
                let whose = format!("{missing}, and Docker's own login for `{}`", image.host());
                Ok(Some((credential, whose)))
            }
            (None, None) => {
                self.note_no_entry(image);
                let nobody = Ranked::new(Credential::Anonymous, self.rank);
                Ok(Some((nobody, String::new())))
            }
        }
    }

    fn note_no_entry(&mut self, image: &Repository) {
        let message = format!(
            "no entry in the pull secrets of ImageRepository `{}` is for `{}`, so it is asked without credentials",
            self.id,
            image.canonical()
        );
        let finding = Finding::warning(Code::Login, message, self.location.clone());
        self.findings.push(finding);
    }

    fn pull_secret_names(
        &self,
        missing: &mut Option<String>,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
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
            let lookup = self.context.logins.account(&id, self.context.references);
            match found("ServiceAccount", "spec.serviceAccountName", &id, lookup)? {
                Ok(account) => {
                    let secrets = account.document.image_pull_secrets.iter();
                    names.extend(secrets.map(|r| ("imagePullSecrets", r.name.clone())));
                }
                // With a provider it names whom the cloud knows, and nothing is
                // missing here.
                Err(_) if self.provider()?.is_some() => {}
                Err(absent) => *missing = Some(absent),
            }
        }
        Ok(names)
    }

    /// Docker's own login where the Secret lives in the cluster alone.
    fn in_place_of(
        &mut self,
        missing: &str,
        image: &Repository,
    ) -> Result<Ranked<Credential>, Failure> {
        let Some(credential) = self.docker(image)? else {
            let docker = if self.context.docker.is_some() {
                format!("Docker's own config has no login for `{}`", image.host())
            } else {
                "Docker's own config may not be used without `--docker-config`".to_owned()
            };
            let failure = Failure::of_documents(format!("{missing}, and {docker}"));
            let hint = "give the Secret with `--secret FILE`, or log in with `docker login`";
            return Err(failure.hint(hint));
        };
        let message = format!(
            "{missing}; Docker's own login for `{}` is used",
            image.host()
        );
        let finding = Finding::info(Code::Login, message, self.location.clone());
        self.findings.push(finding);
        Ok(credential)
    }

    fn docker(&self, image: &Repository) -> Result<Option<Ranked<Credential>>, Failure> {
        let Some(docker) = self.context.docker else {
            return Ok(None);
        };
        let credential = docker(image).map_err(Failure::of_documents)?;
        Ok(credential.map(|credential| Ranked::new(credential, Rank::User)))
    }
}

/// The document that a field names, or words for its absence, which is no failure
/// yet. One that cannot be read is, and so is one without a namespace that references
/// of several would take.
fn found<'l, T>(
    kind: &str,
    field: &str,
    id: &Id,
    lookup: Lookup<'l, T>,
) -> Result<Result<KnownDocument<'l, T>, String>, Failure> {
    let absent = |what: &str| Ok(Err(format!("the {kind} `{id}` of `{field}` is {what}")));
    match lookup {
        Lookup::Document(known) => Ok(Ok(known)),
        Lookup::Encrypted => absent("encrypted"),
        Lookup::Absent => absent("not in the input"),
        Lookup::Unreadable(why, at) => Err(Failure::of_documents(format!(
            "the {kind} `{id}` of `{field}` cannot be read: {why} (at {at})"
        ))),
        Lookup::Ambiguous(at, namespaces) => {
            let message = format!(
                "the {kind} `{}` (at {at}) names no namespace, and is referred to in several: {}",
                id.name,
                quote::list(namespaces.iter())
            );
            let hint = "write `metadata.namespace` in it, once for each namespace that may use it";
            Err(Failure::of_documents(message).hint(hint))
        }
    }
}

/// A Secret that was found.
struct Named<'a> {
    id: Id,
    secret: &'a Secret,
    location: &'a Location,
    rank: Rank,
}

impl<'a> Named<'a> {
    fn new(id: Id, known: &KnownDocument<'a, Secret>) -> Self {
        Self {
            id,
            secret: known.document,
            location: known.location,
            rank: trusted_as(known.rank),
        }
    }

    /// What messages call it.
    fn by(&self) -> String {
        format!("Secret `{}` (at {})", self.id, self.location)
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::of_documents(format!(
            "the Secret `{}` {what} (at {})",
            self.id, self.location
        ))
    }

    fn value(&self, keys: &[&str]) -> Result<Option<login::Secret>, Failure> {
        let value = self.secret.value(keys);
        value.map_err(|error| self.wrong(&format!("cannot be read: {error}")))
    }

    fn note(&self, message: String) -> Finding {
        let message = format!("Secret `{}`: {message}", self.id);
        Finding::warning(Code::Login, message, self.location.clone())
    }

    fn add_to(&self, keyring: &mut Keyring<(Rank, String)>) -> Result<(), Failure> {
        let mut found = false;
        for (key, format) in [
            (".dockerconfigjson", Format::ConfigJson),
            (".dockercfg", Format::Cfg),
        ] {
            if let Some(file) = self.value(&[key])? {
                found = true;
                keyring
                    .add(file.reveal(), format, (self.rank, self.by()))
                    .map_err(|error| self.wrong(&format!("cannot be read: its `{key}` {error}")))?;
            }
        }
        if found {
            Ok(())
        } else {
            Err(self
                .wrong("is not a pull secret: it has neither `.dockerconfigjson` nor `.dockercfg`"))
        }
    }
}
