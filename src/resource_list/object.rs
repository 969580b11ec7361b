//! A resource in a text: its bytes, its identity, and what orchestrators noted of it.

use std::borrow::Cow;

use crate::finding::{Location, ResourceRef};
use crate::quote;
use yaml_edit_spans::{ByteSpan, Place, with_line_feeds, work};

/// The annotation that binds fields of a resource to policies.
pub const BIND_ANNOTATION: &str = "flux-image.dev/bind";

/// A resource's bytes and identity.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// From its first byte to the end of its last token.
    pub span: ByteSpan,
    /// Where it begins.
    pub place: Place,
    /// The `-` of an item in a block sequence.
    pub dash: usize,
    /// `apiVersion`, empty where absent.
    pub api_version: String,
    /// `kind`, empty where absent.
    pub kind: String,
    /// `metadata.name`, empty where absent.
    pub name: String,
    /// `metadata.namespace`, empty where absent.
    pub namespace: String,
    /// The path and index that an orchestrator noted in the annotations.
    pub file: Option<FileAnnotation>,
    /// It has a `sops` mapping, or its list has: its values are covered by a
    /// checksum.
    pub is_encrypted: bool,
    /// With `mac_only_encrypted: true` there, that covers the encrypted values
    /// alone.
    pub is_mac_only_encrypted: bool,
    /// It is a Secret or encrypted, or a Secret stands in it: nothing of it is
    /// quoted.
    pub is_concealed: bool,
    /// The annotation `flux-image.dev/bind`.
    pub bind: Option<Box<BindAnnotation>>,
    /// What `kustomize build` says of where it comes from.
    pub build: Option<Box<Build>>,
}

/// The annotation `flux-image.dev/bind` of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAnnotation {
    /// Its value.
    pub value: String,
    /// Where its value begins.
    pub place: Place,
}

/// What `kustomize build` notes in the annotations of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// `config.kubernetes.io/origin`, as it stands: a text in YAML.
    pub origin: String,
    /// Names that it had, the oldest first.
    pub previous_names: Vec<String>,
    /// Namespaces that it had, the oldest first; as many as names.
    pub previous_namespaces: Vec<String>,
    /// It carries the build's own identity.
    is_certain: bool,
}

/// `config.kubernetes.io/path` and `…/index`, or their internal twins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileAnnotation {
    /// The path; empty where only an index is noted.
    pub path: String,
    /// The index in the file.
    pub index: Option<u64>,
}

impl Object {
    /// A place in the resource. What its annotations say of its file counts where the
    /// text itself has no name.
    #[must_use]
    pub fn location(&self, file: &str, place: Place, field: impl Into<String>) -> Location {
        let noted = self.file.as_ref().filter(|_| file.is_empty());
        Location {
            file: quote::name(noted.map_or(file, |noted| noted.path.as_str())).into_owned(),
            line: place.line,
            column: place.column,
            index: noted.and_then(|noted| noted.index),
            resource: Some(ResourceRef {
                api_version: quote::name(&self.api_version).into_owned(),
                kind: quote::name(&self.kind).into_owned(),
                name: quote::name(&self.name).into_owned(),
                namespace: quote::name(&self.namespace).into_owned(),
            }),
            is_item: file.is_empty(),
            field: {
                let field = field.into();
                match quote::name(&field) {
                    Cow::Owned(cut) => cut,
                    Cow::Borrowed(_) => field,
                }
            },
        }
    }

    /// The resource as a text of its own. It may be an item of a list: with its
    /// first line as far to the right as it stands there, its lines form a
    /// document.
    #[must_use]
    pub fn own_text(&self, text: &str) -> String {
        let place = Place {
            column: self.own_column(text),
            ..self.place
        };
        own_text(text, self.span, place)
    }

    /// The column at which it begins in [`Self::own_text`]: where it stands, for
    /// the lines below it are indented by that. In braces they need not be, and
    /// thousands may stand on one line.
    #[must_use]
    pub fn own_column(&self, text: &str) -> usize {
        if self.span.of(text).starts_with('{') {
            1
        } else {
            self.place.column.max(1)
        }
    }

    /// The group of its `apiVersion`, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version of its `apiVersion`.
    #[must_use]
    pub fn version(&self) -> &str {
        let whole = self.api_version.as_str();
        whole.split_once('/').map_or(whole, |(_, version)| version)
    }

    pub(super) fn annotate(&mut self, annotation: &str, text: &str) {
        match annotation {
            "config.kubernetes.io/path" | "internal.config.kubernetes.io/path" => {
                text.clone_into(&mut self.file.get_or_insert_default().path);
            }
            "config.kubernetes.io/index" | "internal.config.kubernetes.io/index" => {
                self.file.get_or_insert_default().index = text.parse().ok();
            }
            "kustomize.config.k8s.io/id" => self.build.get_or_insert_default().is_certain = true,
            "config.kubernetes.io/origin" => {
                text.clone_into(&mut self.build.get_or_insert_default().origin);
            }
            "internal.config.kubernetes.io/previousNames" => {
                self.build.get_or_insert_default().previous_names = split(text);
            }
            "internal.config.kubernetes.io/previousNamespaces" => {
                self.build.get_or_insert_default().previous_namespaces = split(text);
            }
            _ => {}
        }
    }

    pub(super) fn note_sops(&mut self) {
        self.is_encrypted = true;
        // Of two such mappings neither counts for more than the other.
        self.is_mac_only_encrypted = false;
    }

    /// Whether SOPS would refuse the resource once a scalar that reads `old` is
    /// edited: its checksum covers it, or it is, or may have to be, encrypted.
    #[must_use]
    pub fn seals(&self, old: &str) -> bool {
        // SOPS leaves what is empty in the clear wherever it stands.
        let is_nothing = matches!(old, "" | "~" | "null" | "Null" | "NULL");
        let is_clear = !is_nothing && !old.starts_with("ENC[");
        self.is_encrypted && !(self.is_mac_only_encrypted && is_clear)
    }

    /// To be called when all of it was read.
    pub(super) fn settle(&mut self) {
        // In a build, `config.kubernetes.io/path` is not a file.
        if let Some(build) = self.build.as_ref().filter(|build| build.is_certain) {
            let path = build.origin_path().map(str::to_owned);
            self.file = path.map(|path| FileAnnotation { path, index: None });
        }
    }

    /// Whether `kustomize build` handed it over.
    #[must_use]
    pub fn is_from_kustomize_build(&self) -> bool {
        // Its other annotations stay in its output, and mean nothing elsewhere.
        self.build.as_ref().is_some_and(|build| build.is_certain)
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::to_owned).collect()
}

impl Build {
    /// The file that it was read from, relative to the folder that is built;
    /// `None` for what was generated, or lies in another repository.
    #[must_use]
    pub fn origin_path(&self) -> Option<&str> {
        let value = |key: &str| {
            let mut lines = self.origin.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.map(|value| value.trim().trim_matches(['"', '\'']))
        };
        value("path").filter(|_| value("repo").is_none())
    }

    /// The identities that it had: name and namespace, the oldest first.
    pub fn previous(&self) -> impl Iterator<Item = (&str, &str)> {
        let namespaces = self.previous_namespaces.iter().map(String::as_str);
        let names = self.previous_names.iter().map(String::as_str);
        names.zip(namespaces.chain(std::iter::repeat("")))
    }
}

/// What stands at `span`, which begins at `place`, as a text of its own.
#[must_use]
pub fn own_text(text: &str, span: ByteSpan, place: Place) -> String {
    work::count(place.column + span.end - span.start);
    let mut own = " ".repeat(place.column.saturating_sub(1));
    own.push_str(&with_line_feeds(span.of(text)));
    own
}
