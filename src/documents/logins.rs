//! The documents that a login depends on: Secrets, ServiceAccounts and
//! Namespaces, read only where an ImageRepository refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::sourced::{Provenance, Rank, Sourced};
use crate::api::{self, DocumentError, Id, ImageRepository, Namespace, Secret, ServiceAccount};
use crate::finding::Location;
use crate::resource_list::{Object, Outline};

/// Secrets and what goes with them, by namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    secrets: BTreeMap<Id, LoginDocument<Secret>>,
    accounts: BTreeMap<Id, LoginDocument<ServiceAccount>>,
    namespaces: BTreeMap<Id, LoginDocument<Namespace>>,
    encrypted: BTreeSet<Id>,
}

#[derive(Clone, Debug)]
struct LoginDocument<T> {
    document: Result<T, String>,
    location: Location,
    rank: Rank,
}

/// A document that was found.
#[derive(Debug)]
pub struct KnownDocument<'l, T> {
    /// The document.
    pub document: &'l T,
    /// Where it stands.
    pub location: &'l Location,
    /// Who gave it.
    pub rank: Rank,
}

/// What a reference leads to.
#[derive(Debug)]
pub enum Lookup<'l, T> {
    /// The document.
    Document(KnownDocument<'l, T>),
    /// One that cannot be read, and why.
    Unreadable(&'l str, &'l Location),
    /// One whose values are encrypted.
    Encrypted,
    /// One without a namespace, to which references of several namespaces lead.
    Ambiguous(&'l Location, &'l BTreeSet<String>),
    /// Nothing in the input.
    Absent,
}

/// The references to Secrets and ServiceAccounts of a run: for each name the
/// namespaces that refer to it and have none of their own by that name, so that
/// one without a namespace would be theirs.
#[derive(Clone, Debug, Default)]
pub struct References {
    secrets: NamespacesByName,
    accounts: NamespacesByName,
}

type NamespacesByName = BTreeMap<String, BTreeSet<String>>;

impl References {
    /// The references of all ImageRepositories, and of the ServiceAccounts that
    /// they name.
    #[must_use]
    pub fn of(repositories: &BTreeMap<Id, Sourced<ImageRepository>>, logins: &Logins) -> Self {
        let mut references = Self::default();
        let note = |names: &mut NamespacesByName, id: Id| {
            names.entry(id.name).or_default().insert(id.namespace);
        };
        let note_secret = |names: &mut NamespacesByName, name: &str, namespace: &str| {
            let id = Id::new(namespace, name);
            if !logins.secrets.contains_key(&id) {
                note(names, id);
            }
        };
        let mut accounts: BTreeSet<Id> = BTreeSet::new();
        for (id, repository) in repositories {
            let spec = &repository.document.spec;
            let named = [
                &spec.secret_ref,
                &spec.cert_secret_ref,
                &spec.proxy_secret_ref,
            ];
            for reference in named.into_iter().flatten() {
                note_secret(&mut references.secrets, &reference.name, &id.namespace);
            }
            if let Some(account) = &spec.service_account_name {
                accounts.insert(Id::new(id.namespace.as_str(), account.as_str()));
            }
        }
        for id in accounts {
            let account = entry(&logins.accounts, &id);
            let account = account.and_then(|account| account.document.as_ref().ok());
            for secret in account.into_iter().flat_map(|a| &a.image_pull_secrets) {
                note_secret(&mut references.secrets, &secret.name, &id.namespace);
            }
            if !logins.accounts.contains_key(&id) {
                note(&mut references.accounts, id);
            }
        }
        references
    }
}

impl Logins {
    /// Takes in what a text holds of them.
    pub fn add(&mut self, text: &str, outline: &Outline<'_>, provenance: Provenance<'_>) {
        const KINDS: [&str; 3] = ["Secret", "ServiceAccount", "Namespace"];
        for object in outline.objects() {
            if object.api_version == "v1" && KINDS.contains(&object.kind.as_str()) {
                self.add_object(text, object, provenance);
            }
        }
    }

    fn add_object(&mut self, text: &str, object: &Object, provenance: Provenance<'_>) {
        let namespace = match object.namespace.as_str() {
            "" => provenance.default_namespace.unwrap_or_default(),
            namespace => namespace,
        };
        let id = Id::new(namespace, object.name.clone());
        let location = provenance.location(object, object.place, "");
        let rank = provenance.rank;
        let said = |error: DocumentError| match error.field.as_str() {
            "" => error.message,
            field => format!("{field}: {}", error.message),
        };
        match object.kind.as_str() {
            "Secret" if object.is_encrypted => _ = self.encrypted.insert(id),
            "Secret" => {
                let secret = api::read_secret(text, object).map_err(said);
                insert(&mut self.secrets, id, secret, location, rank);
            }
            "ServiceAccount" => {
                let account = api::read_login(text, object).map_err(said);
                insert(&mut self.accounts, id, account, location, rank);
            }
            "Namespace" => {
                if let Ok(namespace) = api::read_login(text, object) {
                    let id = Id::new("", id.name);
                    insert(&mut self.namespaces, id, Ok(namespace), location, rank);
                }
            }
            _ => {}
        }
    }

    /// A Secret, as one of `references`.
    #[must_use]
    pub fn secret<'l>(&'l self, id: &Id, references: &'l References) -> Lookup<'l, Secret> {
        match find(&self.secrets, id, &references.secrets) {
            Lookup::Absent if self.is_encrypted(id) => Lookup::Encrypted,
            found => found,
        }
    }

    /// A ServiceAccount, as one of `references`.
    #[must_use]
    pub fn account<'l>(
        &'l self,
        id: &Id,
        references: &'l References,
    ) -> Lookup<'l, ServiceAccount> {
        find(&self.accounts, id, &references.accounts)
    }

    fn is_encrypted(&self, id: &Id) -> bool {
        let unplaced = Id::new("", id.name.clone());
        self.encrypted.contains(id) || self.encrypted.contains(&unplaced)
    }

    /// The labels of `namespace`. Its name is one of them, whether it is written
    /// or not. A Namespace of a lower rank than `least` is as good as none:
    /// whoever grants access is not overruled by who asks for it.
    #[must_use]
    pub fn labels_of<'l>(&'l self, namespace: &'l str, least: Rank) -> BTreeMap<&'l str, &'l str> {
        let known = self.namespaces.get(&Id::new("", namespace));
        let known = known.filter(|entry| !entry.rank.is_below(least));
        let known = known.and_then(|entry| entry.document.as_ref().ok());
        let written = known.into_iter().flat_map(|known| &known.metadata.labels);
        let mut labels: BTreeMap<&str, &str> = written
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        labels.insert("kubernetes.io/metadata.name", namespace);
        labels
    }
}

/// By namespace and name; else one without a namespace by its name.
fn entry<'l, T>(
    entries: &'l BTreeMap<Id, LoginDocument<T>>,
    id: &Id,
) -> Option<&'l LoginDocument<T>> {
    let unplaced = || entries.get(&Id::new("", id.name.as_str()));
    entries.get(id).or_else(unplaced)
}

/// The document that `id` refers to. One without a namespace serves the
/// references of one namespace alone: where several would take it, nobody has
/// said whose it is, and a tenant could ask with the login of another.
fn find<'l, T>(
    entries: &'l BTreeMap<Id, LoginDocument<T>>,
    id: &Id,
    references: &'l NamespacesByName,
) -> Lookup<'l, T> {
    let Some(found) = entry(entries, id) else {
        return Lookup::Absent;
    };
    if !entries.contains_key(id)
        && let Some(takers) = references.get(&id.name).filter(|takers| takers.len() > 1)
    {
        return Lookup::Ambiguous(&found.location, takers);
    }
    match &found.document {
        Ok(document) => Lookup::Document(KnownDocument {
            document,
            location: &found.location,
            rank: found.rank,
        }),
        Err(why) => Lookup::Unreadable(why, &found.location),
    }
}

fn insert<T>(
    entries: &mut BTreeMap<Id, LoginDocument<T>>,
    id: Id,
    document: Result<T, String>,
    location: Location,
    rank: Rank,
) {
    if entries.get(&id).is_some_and(|known| known.rank > rank) {
        return;
    }
    let entry = LoginDocument {
        document,
        location,
        rank,
    };
    entries.insert(id, entry);
}
