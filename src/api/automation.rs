//! ImageUpdateAutomation: which path, whose policies, which message; and the
//! GitRepository that it is for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::meta::{LocalReference, Metadata};
use super::selector::LabelSelector;

/// An ImageUpdateAutomation of any version from v1alpha1 to v1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ImageUpdateAutomation {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ImageUpdateAutomationSpec,
}

/// Why an automation edits nothing in Flux, until it is changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// There is no `spec`, or `strategy` is empty.
    #[error("no update strategy")]
    Absent,
    /// Only `Setters` exists.
    #[error("unknown update strategy `{0}`; `Setters` is the only one")]
    Unknown(String),
}

impl ImageUpdateAutomationSpec {
    /// Whether `update.strategy` is one that Flux runs.
    ///
    /// # Errors
    /// What Flux stalls on.
    pub fn check_strategy(&self) -> Result<(), StrategyError> {
        match self.update.strategy.as_str() {
            SETTERS => Ok(()),
            "" => Err(StrategyError::Absent),
            other => Err(StrategyError::Unknown(other.to_owned())),
        }
    }

    /// Who commits, and with which message.
    #[must_use]
    pub fn commit(&self) -> &CommitSpec {
        self.commit.as_ref().unwrap_or(&self.git.commit)
    }

    /// Where to push.
    #[must_use]
    pub fn push(&self) -> Option<&PushSpec> {
        self.push.as_ref().or(self.git.push.as_ref())
    }

    /// What is checked out, where the automation says so itself.
    #[must_use]
    pub fn checkout_ref(&self) -> Option<GitReference> {
        let older = self.checkout.as_ref().and_then(|checkout| {
            let branch = checkout.branch.clone()?;
            Some(GitReference {
                branch: Some(branch),
                ..GitReference::default()
            })
        });
        let newer = self.git.checkout.as_ref();
        older.or_else(|| newer.map(|checkout| checkout.reference.clone()))
    }

    /// What v1 says in place of the fields that only v1alpha1 has, as YAML in
    /// braces; `None` where none of them is used.
    #[must_use]
    pub fn moved_to_v1(&self) -> Option<String> {
        if self.checkout.is_none() && self.commit.is_none() && self.push.is_none() {
            return None;
        }
        let checkout = self.checkout.as_ref();
        let source = checkout.map(|checkout| {
            let LocalReference { name, namespace } = &checkout.git_repository_ref;
            present(json!({"kind": "GitRepository", "name": name, "namespace": namespace}))
        });
        let branch = checkout.and_then(|checkout| checkout.branch.as_ref());
        let pushed = self.push.as_ref().and_then(|push| push.branch.as_ref());
        let git = present(json!({
            "checkout": branch.map(|branch| json!({"ref": {"branch": branch}})),
            "commit": self.commit.as_ref().map(CommitSpec::as_v1),
            "push": pushed.map(|branch| json!({"branch": branch})),
        }));
        let source = source.map(|source| format!("`sourceRef: {source}`"));
        let git = (git != json!({})).then(|| format!("`git: {git}`"));
        let parts: Vec<String> = source.into_iter().chain(git).collect();
        Some(parts.join(" and "))
    }
}

impl CommitSpec {
    /// Who commits, in whatever version that is written.
    #[must_use]
    pub fn author(&self) -> CommitAuthor {
        let CommitAuthor { name, email } = &self.author;
        CommitAuthor {
            name: self.author_name.clone().or_else(|| name.clone()),
            email: self.author_email.clone().unwrap_or_else(|| email.clone()),
        }
    }

    fn as_v1(&self) -> Value {
        let CommitAuthor { name, email } = self.author();
        let key = self.signing_key.as_ref().map(|key| {
            present(json!({"secretRef": {"name": key.secret_ref.name}, "type": key.kind}))
        });
        present(json!({
            "author": present(json!({"name": name, "email": email})),
            "signingKey": key,
            "messageTemplate": self.message_template,
        }))
    }
}

/// An object without the fields that are null.
fn present(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// `spec` of an ImageUpdateAutomation. `checkout`, `commit` and `push` stand
/// here in v1alpha1 and under `git` since.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageUpdateAutomationSpec {
    /// The GitRepository to update.
    pub source_ref: SourceReference,
    /// How to check out, commit and push.
    pub git: GitSpec,
    /// How often a cluster would run.
    pub interval: Option<String>,
    /// How long a cluster would wait for more changes of policies (v1 since
    /// image-automation-controller 1.3).
    pub policy_change_delay: Option<String>,
    /// Which policies count; all of the namespace where absent.
    pub policy_selector: Option<LabelSelector>,
    /// What to edit; that of a cluster where absent.
    #[serde(default = "UpdateStrategy::of_cluster")]
    pub update: UpdateStrategy,
    /// Do nothing.
    pub suspend: bool,
    /// v1alpha1 only.
    pub checkout: Option<CheckoutV1alpha1>,
    /// v1alpha1 only.
    pub commit: Option<CommitSpec>,
    /// v1alpha1 only.
    pub push: Option<PushSpec>,
}

/// `sourceRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SourceReference {
    /// Group and version of the source.
    pub api_version: Option<String>,
    /// `GitRepository`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<String>,
}

/// `git`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitSpec {
    /// What to check out.
    pub checkout: Option<CheckoutSpec>,
    /// Who commits, and with which message.
    pub commit: CommitSpec,
    /// Where to push.
    pub push: Option<PushSpec>,
}

/// `git.checkout`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename = "ref")]
pub struct CheckoutSpec {
    /// The reference.
    #[serde(rename = "ref")]
    pub reference: GitReference,
}

/// A branch, tag, version, name or commit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitReference {
    /// A branch.
    pub branch: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// The latest tag in a range.
    pub semver: Option<String>,
    /// A full reference name.
    pub name: Option<String>,
    /// A commit.
    pub commit: Option<String>,
}

/// A GitRepository of any version, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitRepository {
    /// Name and namespace.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: GitRepositorySpec,
}

/// `spec` of a GitRepository, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GitRepositorySpec {
    /// Where the repository is.
    pub url: String,
    /// What is checked out.
    #[serde(rename = "ref")]
    pub reference: Option<GitReference>,
}

/// `checkout` of v1alpha1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CheckoutV1alpha1 {
    /// The GitRepository.
    pub git_repository_ref: LocalReference,
    /// The branch.
    pub branch: Option<String>,
}

/// `git.commit`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CommitSpec {
    /// The author.
    pub author: CommitAuthor,
    /// v1alpha1's name of the author.
    pub author_name: Option<String>,
    /// v1alpha1's address of the author.
    pub author_email: Option<String>,
    /// The key to sign with.
    pub signing_key: Option<SigningKey>,
    /// Template of the message.
    pub message_template: Option<String>,
    /// Values for the template.
    pub message_template_values: BTreeMap<String, String>,
}

/// `git.commit.author`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CommitAuthor {
    /// Name.
    pub name: Option<String>,
    /// Address.
    pub email: String,
}

/// `git.commit.signingKey`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SigningKey {
    /// Secret with the key.
    pub secret_ref: LocalReference,
    /// `gpg`, also where absent, or `ssh` (image-automation-controller 1.2).
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// `git.push`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PushSpec {
    /// The branch.
    pub branch: Option<String>,
    /// A refspec to push besides.
    pub refspec: Option<String>,
    /// Push options.
    pub options: BTreeMap<String, String>,
}

/// `update`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct UpdateStrategy {
    /// `Setters` is the only one; empty only where `spec` is absent.
    #[serde(default = "setters")]
    pub strategy: String,
    /// The folder to edit, from the root of the repository.
    pub path: Option<String>,
}

const SETTERS: &str = "Setters";

/// What the CRD fills in for `update.strategy`, in every version that has
/// defaults.
fn setters() -> String {
    SETTERS.to_owned()
}

impl UpdateStrategy {
    /// What the CRD fills in for `spec.update`. A document without a `spec` gets
    /// none, and so stalls.
    fn of_cluster() -> Self {
        Self {
            strategy: setters(),
            path: None,
        }
    }
}
