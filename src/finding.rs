//! What a person should know of a run: how much it weighs, what it is about, where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::quote;
use yaml_edit_spans::{Place, Snippet, work};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be known, nothing more.
    Info,
    /// Something is odd; with `--strict` it counts.
    Warning,
    /// Something was not done; exit 2.
    Error,
}

/// What a finding is about; part of the report's contract.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A marked scalar would change (`mode: Check`, `--check`).
    Outdated,
    /// The new version is lower than the old.
    Downgrade,
    /// An old digest was dropped, since the policy has none.
    DigestDropped,
    /// An old value held more than the part of an image that its marker names.
    LostText,
    /// A `:digest` marker whose policy has no digest.
    DigestMissing,
    /// A comment speaks of `$imagepolicy` and is not a marker.
    BrokenMarker,
    /// A marker at a place where no marker works.
    DeadMarker,
    /// A marker names no policy that is known.
    UnknownPolicy,
    /// A marker was found by the name of its policy alone.
    NamespaceGuessed,
    /// A policy gave no image.
    UnresolvedPolicy,
    /// A policy, repository or automation is suspended.
    Suspended,
    /// A document whose values are covered by a checksum.
    Encrypted,
    /// A text that is not valid YAML.
    Unparsable,
    /// A document that cannot be read.
    BadDocument,
    /// A field that the document does not have.
    UnknownField,
    /// A document of a version before v1.
    OldVersion,
    /// A TagSnapshot that was made long ago.
    OldSnapshot,
    /// Two documents of one identity.
    ConflictingDocuments,
    /// A file that could not be read or may not be written.
    UnusableFile,
    /// A file that is replaced, and cannot keep all that it has: hard links, its
    /// owner, an attribute.
    LostAttributes,
    /// A folder that belongs to another repository.
    OtherRepository,
    /// A policy that no scalar is bound to.
    UnusedPolicy,
    /// No scalar is bound to any policy.
    NothingBound,
    /// A field, an annotation or an origin that binds nothing.
    BadBinding,
    /// Two bindings of one scalar name different policies.
    ConflictingBindings,
    /// Several policies follow one repository.
    AmbiguousPolicy,
    /// An automation that this run leaves out.
    SkippedAutomation,
    /// A marker of a known policy that no automation comes to.
    UnreachedMarker,
    /// Two automations would write one scalar differently.
    ConflictingAutomations,
    /// A template of a message that gives none.
    BadTemplate,
    /// A branch that git would refuse, or a template that gives none.
    BadBranch,
    /// A template that Flux would read otherwise, or that likely means
    /// something else.
    DoubtfulTemplate,
    /// An ImageRepository that could not be scanned, or a digest that could not
    /// be had, since the registry gave no answer.
    RegistryFailed,
    /// A policy gave no image, since a registry gave no answer.
    UnansweredPolicy,
    /// Something about a registry's answer, or about keeping it.
    Registry,
    /// Something about the credentials for a registry.
    Login,
    /// A policy that chose nothing keeps the image of its status.
    KeptPrevious,
    /// Documents are read as clusters see them.
    BuiltClusters,
    /// A Kustomization that cannot be built.
    BuildFailed,
    /// Something that a build would hold and that is not in the checkout.
    NotFollowed,
    /// A variable that nothing sets.
    UnsetVariable,
    /// A variable that only something outside of the checkout could set.
    UnknownVariable,
    /// Values that the policy's order does not put right: numbers without padding, or
    /// hashes, by bytes.
    UnorderedValues,
    /// A value of a numerical policy that is no number.
    NotANumber,
    /// An order that has the oldest tag be the latest.
    OldestChosen,
    /// A policy to which nothing but prereleases comes, and that admits none.
    OnlyPrereleases,
    /// Tags of which the policy extracts the same.
    ExtractCollides,
    /// A pattern that matches in the middle of tags.
    UnanchoredPattern,
    /// Tags of several variants of an image in one order.
    MixedVariants,
    /// A newer tag that is no version to the policy.
    NewestDropped,
    /// A range that lets in a prerelease which it seems to keep out.
    AccidentalPrerelease,
    /// A range that means something else than it looks like.
    OddRange,
    /// A policy that no tag comes to.
    MatchesNothing,
    /// The latest versions are equal ones, of which any may be chosen.
    EqualVersions,
    /// An ImageRepository that no policy refers to.
    UnusedRepository,
    /// A list of thousands of tags, most of which nobody wants.
    LongTagList,
    /// An update to another variant of the image.
    VariantChanges,
    /// An update to a tag that begins otherwise.
    PrefixChanges,
    /// An update to a version of more or fewer parts.
    PartsChange,
    /// An update to an image of another name.
    OtherImage,
    /// A policy that would never choose today's value again.
    NeverAgain,
    /// A `secretRef` beside a cloud's `provider`.
    LoginBesideProvider,
    /// A pull secret without a login for the registry.
    LoginWithoutHost,
    /// A password that ends in a line break.
    PasswordLineBreak,
    /// A registry that is asked without encryption.
    InsecureRegistry,
    /// A provider of inputs that sorts tags as plain texts.
    TextOrder,
    /// A marker on a line that is commented out.
    CommentedMarker,
    /// A value that several automations come to.
    SeveralAutomations,
    /// A marker for another part of an image than the value holds.
    PartMismatch,
    /// A tag that is updated beside a digest that is not.
    TagBesideDigest,
    /// An `ignore` that silences nothing.
    UnusedIgnore,
    /// An `ignore` that is not understood.
    BadIgnore,
    /// An exclusion that excludes no image.
    UnusedExclusion,
}

impl Code {
    /// The code of a word in reports; `None` for what is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }

    /// The word for it in reports, as `unknown-policy`.
    #[must_use]
    pub fn word(self) -> String {
        word(self)
    }
}

/// The word for something in reports, as serde writes it.
pub(crate) fn word(of: impl Serialize) -> String {
    let word = serde_json::to_value(of).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or_default().to_owned()
}

/// The resource that something is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRef {
    /// Its apiVersion, empty where absent.
    pub api_version: String,
    /// Its kind, empty where absent.
    pub kind: String,
    /// Its name, empty where absent.
    pub name: String,
    /// Its namespace, empty where absent.
    pub namespace: String,
}

/// Where something is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The file as the run names it; in a ResourceList the item's path
    /// annotation, empty where there is none.
    pub file: String,
    /// Line of the text that was read (of a ResourceList, whatever file its
    /// items come from), from 1; 0 where none is known.
    pub line: usize,
    /// Column in characters, from 1; 0 where none is known.
    pub column: usize,
    /// The item's index annotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceRef>,
    /// The file is where the item of a ResourceList comes from, while line and
    /// column are the list's.
    #[serde(skip)]
    pub is_item: bool,
    /// Path of the field in it, as `spec.containers[0].image`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Location {
    /// A place in a file.
    #[must_use]
    pub fn new(file: impl Into<String>, place: Place) -> Self {
        Self {
            file: file.into(),
            line: place.line,
            column: place.column,
            ..Self::default()
        }
    }

    /// The name of the text that the line is of: an item's is the whole list's.
    #[must_use]
    pub fn text(&self) -> &str {
        match self.is_item {
            true => "",
            false => &self.file,
        }
    }

    /// A file as a whole.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self::new(file, Place::default())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = if self.file.is_empty() || self.is_item {
            "<stdin>"
        } else {
            &self.file
        };
        match (self.line, self.column) {
            (0, _) => f.write_str(file)?,
            (line, 0) => write!(f, "{file}:{line}")?,
            (line, column) => write!(f, "{file}:{line}:{column}")?,
        }
        if self.is_item && !self.file.is_empty() {
            write!(f, " ({})", self.file)?;
        }
        Ok(())
    }
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is about.
    pub code: Code,
    /// What is the case.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where.
    #[serde(flatten)]
    pub location: Location,
    /// The value there; `****` in a Secret and in an encrypted document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The value it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
    /// The line there, where a document of ours or Flux's is wrong: at most
    /// 100 characters, none of another resource's, and none of a Secret's.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_piece")]
    #[schemars(with = "Option<String>")]
    pub snippet: Option<Snippet>,
    /// A marked value stays of which nobody can tell what it should be: an error for who
    /// asks whether anything is outdated.
    #[serde(skip)]
    pub leaves_unjudged: bool,
}

impl Finding {
    /// A finding without a hint.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: Code,
        message: impl Into<String>,
        location: Location,
    ) -> Self {
        let message = message.into();
        work::count(message.len());
        Self {
            severity,
            code,
            message: quote::message(message),
            hint: None,
            location,
            current: None,
            proposed: None,
            snippet: None,
            leaves_unjudged: false,
        }
    }

    /// The finding as one about a marked value of which nothing can be said.
    #[must_use]
    pub fn unjudged(self) -> Self {
        Self {
            leaves_unjudged: true,
            ..self
        }
    }

    /// An error without a hint.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>, location: Location) -> Self {
        Self::new(Severity::Error, code, message, location)
    }

    /// A warning without a hint.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>, location: Location) -> Self {
        Self::new(Severity::Warning, code, message, location)
    }

    /// A note without a hint.
    #[must_use]
    pub fn info(code: Code, message: impl Into<String>, location: Location) -> Self {
        Self::new(Severity::Info, code, message, location)
    }

    /// No scalar is bound to any policy.
    #[must_use]
    pub fn nothing_bound() -> Self {
        let message = "no scalar is bound to a policy, so nothing can change";
        Self::warning(Code::NothingBound, message, Location::default())
            .hint("mark a value with `# {\"$imagepolicy\": \"namespace:name\"}`")
    }

    /// The finding with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(quote::message(hint.into()));
        self
    }

    /// The finding with advice, where there is some.
    #[must_use]
    pub fn hint_if(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(|hint| quote::message(hint.into()));
        self
    }
}

fn as_piece<S: Serializer>(snippet: &Option<Snippet>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = snippet.as_ref().map(Snippet::text);
    text.serialize(serializer)
}
