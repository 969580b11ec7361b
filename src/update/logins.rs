//! The documents that a login depends on: Secrets, ServiceAccounts and
//! Namespaces, read only where an ImageRepository refers to them.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Origin, Rank};
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

/// What a reference leads to.
#[derive(Debug)]
pub enum Found<'l, T> {
    /// The document.
    Document(&'l T, &'l Location),
    /// One that cannot be read, and why.
    Unreadable(&'l str, &'l Location),
    /// One whose values are encrypted.
    Encrypted,
    /// Nothing in the input.
    Absent,
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

    /// A Secret.
    #[must_use]
    pub fn secret(&self, id: &Id) -> Found<'_, Secret> {
        match find(&self.secrets, id) {
            Found::Absent if self.is_encrypted(id) => Found::Encrypted,
            found => found,
        }
    }

    /// A ServiceAccount.
    #[must_use]
    pub fn account(&self, id: &Id) -> Found<'_, ServiceAccount> {
        find(&self.accounts, id)
    }

    fn is_encrypted(&self, id: &Id) -> bool {
        let unplaced = Id::new("", id.name.clone());
        self.encrypted.contains(id) || self.encrypted.contains(&unplaced)
    }

    /// Whether `namespace` has all of these labels. Its name is one of them,
    /// whether it is written or not.
    #[must_use]
    pub fn has_labels(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let known = self.namespaces.get(&Id::new("", namespace));
        let known = known.and_then(|entry| entry.document.as_ref().ok());
        labels.iter().all(|(key, value)| {
            if key == "kubernetes.io/metadata.name" {
                return value == namespace;
            }
            known.is_some_and(|known| known.metadata.labels.get(key) == Some(value))
        })
    }
}

/// By namespace and name; a document without a namespace is found by its name.
fn find<'l, T>(entries: &'l BTreeMap<Id, Entry<T>>, id: &Id) -> Found<'l, T> {
    let entry = entries
        .get(id)
        .or_else(|| entries.get(&Id::new("", id.name.clone())));
    match entry {
        None => Found::Absent,
        Some(entry) => match &entry.document {
            Ok(document) => Found::Document(document, &entry.location),
            Err(why) => Found::Unreadable(why, &entry.location),
        },
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
