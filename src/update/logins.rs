//! The documents that a login depends on: Secrets, ServiceAccounts and
//! Namespaces, read only where an ImageRepository refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Catalogue, Origin, Rank};
use super::outcome::Location;
use crate::api::{self, Document, Id, Namespace, Secret, ServiceAccount};
use crate::resource_list::{Object, Outline};

/// Secrets and what goes with them, by namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    secrets: BTreeMap<Id, Entry<Secret>>,
    accounts: BTreeMap<Id, Entry<ServiceAccount>>,
    namespaces: BTreeMap<Id, Entry<Namespace>>,
    encrypted: BTreeSet<Id>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    document: Result<T, String>,
    location: Location,
    rank: Rank,
}

/// A document that was found.
#[derive(Debug)]
pub struct Known<'l, T> {
    /// The document.
    pub document: &'l T,
    /// Where it stands.
    pub location: &'l Location,
    /// Who gave it.
    pub rank: Rank,
}

/// What a reference leads to.
#[derive(Debug)]
pub enum Found<'l, T> {
    /// The document.
    Document(Known<'l, T>),
    /// One that cannot be read, and why.
    Unreadable(&'l str, &'l Location),
    /// One whose values are encrypted.
    Encrypted,
    /// One without a namespace, to which references of several namespaces lead.
    Ambiguous(&'l Location, BTreeSet<String>),
    /// Nothing in the input.
    Absent,
}

/// The references to Secrets and ServiceAccounts of a run: for each name the
/// namespaces that refer to it.
#[derive(Clone, Debug, Default)]
pub struct References {
    secrets: Names,
    accounts: Names,
}

type Names = BTreeMap<String, BTreeSet<String>>;

impl References {
    /// The references of all ImageRepositories, and of the ServiceAccounts that
    /// they name.
    #[must_use]
    pub fn of(catalogue: &Catalogue) -> Self {
        let mut references = Self::default();
        let note = |names: &mut Names, name: &str, namespace: &str| {
            let namespaces = names.entry(name.to_owned()).or_default();
            namespaces.insert(namespace.to_owned());
        };
        for (id, repository) in &catalogue.repositories {
            let spec = &repository.document.spec;
            let named = [
                &spec.secret_ref,
                &spec.cert_secret_ref,
                &spec.proxy_secret_ref,
            ];
            for reference in named.into_iter().flatten() {
                note(&mut references.secrets, &reference.name, &id.namespace);
            }
            if let Some(account) = &spec.service_account_name {
                note(&mut references.accounts, account, &id.namespace);
            }
        }
        for (name, namespaces) in &references.accounts {
            for namespace in namespaces {
                let id = Id::new(namespace.as_str(), name.as_str());
                let account = entry(&catalogue.logins.accounts, &id);
                let account = account.and_then(|account| account.document.as_ref().ok());
                let secrets = account.into_iter().flat_map(|a| &a.image_pull_secrets);
                for secret in secrets {
                    note(&mut references.secrets, &secret.name, namespace);
                }
            }
        }
        references
    }
}

impl Logins {
    /// Takes in what a text holds of them.
    pub fn add(&mut self, text: &str, outline: &Outline<'_>, origin: Origin<'_>) {
        for object in outline.objects() {
            if let Some(kind) = api::Kind::of_login(object) {
                self.add_object(text, object, kind, origin);
            }
        }
    }

    fn add_object(&mut self, text: &str, object: &Object, kind: api::Kind, origin: Origin<'_>) {
        let namespace = match object.namespace.as_str() {
            "" => origin.default_namespace.unwrap_or_default(),
            namespace => namespace,
        };
        let id = Id::new(namespace, object.name.clone());
        let location = Location::in_object(origin.file, object, object.place, String::new());
        if object.is_encrypted && kind == api::Kind::Secret {
            self.encrypted.insert(id);
            return;
        }
        let rank = origin.rank;
        let said = |error: api::ReadError| match error.field.as_str() {
            "" => error.message,
            field => format!("{field}: {}", error.message),
        };
        match (kind, api::read(text, object, kind).map(|r| r.document)) {
            (_, Ok(Document::Secret(secret))) => {
                insert(&mut self.secrets, id, Ok(secret), location, rank);
            }
            (_, Ok(Document::ServiceAccount(account))) => {
                insert(&mut self.accounts, id, Ok(account), location, rank);
            }
            (_, Ok(Document::Namespace(namespace))) => {
                let id = Id::new("", id.name);
                insert(&mut self.namespaces, id, Ok(namespace), location, rank);
            }
            (api::Kind::Secret, Err(error)) => {
                insert(&mut self.secrets, id, Err(said(error)), location, rank);
            }
            (api::Kind::ServiceAccount, Err(error)) => {
                insert(&mut self.accounts, id, Err(said(error)), location, rank);
            }
            _ => {}
        }
    }

    /// A Secret, as one of `references`.
    #[must_use]
    pub fn secret(&self, id: &Id, references: &References) -> Found<'_, Secret> {
        match find(&self.secrets, id, &references.secrets) {
            Found::Absent if self.is_encrypted(id) => Found::Encrypted,
            found => found,
        }
    }

    /// A ServiceAccount, as one of `references`.
    #[must_use]
    pub fn account(&self, id: &Id, references: &References) -> Found<'_, ServiceAccount> {
        find(&self.accounts, id, &references.accounts)
    }

    fn is_encrypted(&self, id: &Id) -> bool {
        let unplaced = Id::new("", id.name.clone());
        self.encrypted.contains(id) || self.encrypted.contains(&unplaced)
    }

    /// Whether `namespace` has all of these labels. Its name is one of them,
    /// whether it is written or not. A Namespace of a lower rank than `least` is
    /// as good as none: whoever grants access is not overruled by who asks for
    /// it.
    #[must_use]
    pub fn has_labels(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        least: Rank,
    ) -> bool {
        let known = self.namespaces.get(&Id::new("", namespace));
        let known = known.filter(|entry| !entry.rank.is_below(least));
        let known = known.and_then(|entry| entry.document.as_ref().ok());
        labels.iter().all(|(key, value)| {
            if key == "kubernetes.io/metadata.name" {
                return value == namespace;
            }
            known.is_some_and(|known| known.metadata.labels.get(key) == Some(value))
        })
    }
}

/// By namespace and name; else one without a namespace by its name.
fn entry<'l, T>(entries: &'l BTreeMap<Id, Entry<T>>, id: &Id) -> Option<&'l Entry<T>> {
    let unplaced = || entries.get(&Id::new("", id.name.as_str()));
    entries.get(id).or_else(unplaced)
}

/// The document that `id` refers to. One without a namespace serves the
/// references of one namespace alone: where several would take it, nobody has
/// said whose it is, and a tenant could ask with the login of another.
fn find<'l, T>(entries: &'l BTreeMap<Id, Entry<T>>, id: &Id, references: &Names) -> Found<'l, T> {
    let Some(found) = entry(entries, id) else {
        return Found::Absent;
    };
    if !entries.contains_key(id) {
        let all = references.get(&id.name).into_iter().flatten();
        let has_none = |namespace: &&String| {
            !entries.contains_key(&Id::new(namespace.as_str(), id.name.as_str()))
        };
        let takers: BTreeSet<String> = all.filter(has_none).cloned().collect();
        if takers.len() > 1 {
            return Found::Ambiguous(&found.location, takers);
        }
    }
    match &found.document {
        Ok(document) => Found::Document(Known {
            document,
            location: &found.location,
            rank: found.rank,
        }),
        Err(why) => Found::Unreadable(why, &found.location),
    }
}

fn insert<T>(
    entries: &mut BTreeMap<Id, Entry<T>>,
    id: Id,
    document: Result<T, String>,
    location: Location,
    rank: Rank,
) {
    if entries.get(&id).is_some_and(|known| known.rank > rank) {
        return;
    }
    let entry = Entry {
        document,
        location,
        rank,
    };
    entries.insert(id, entry);
}
