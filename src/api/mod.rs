//! The documents that this program acts on, typed: Flux's own and ours.
//!
//! A field nobody knows is tolerated, with a warning; a wrong type is an error
//! that names the line. Each document is read from the bytes of its resource
//! alone, so a bad one never hides its neighbours.

mod automation;
mod label;
mod meta;
mod nulls;
mod policy;
mod policy_test;
mod read;
mod repository;
mod secret;
mod selector;
mod selector_text;
mod snapshot;
mod update;
mod validate;

pub use automation::{
    CommitAuthor, CommitSpec, GitReference, GitRepository, GitRepositorySpec,
    ImageUpdateAutomation, ImageUpdateAutomationSpec, PushSpec,
};
pub use label::BadLabel;
pub use meta::{Id, LocalReference, Metadata};
pub use policy::{
    ImagePolicy, ImagePolicySpec, ImagePolicyStatus, OrderChoice, PolicyChoice, SemverChoice,
    TagFilter, Undefined,
};
pub use policy_test::{Expectation, Expected, ImagePolicyTest, ImagePolicyTestSpec, pattern_of};
pub use read::{
    Document, DocumentError, Kind, Reading, place_of_field, places_of_elements, read, read_login,
    read_secret, read_text,
};
pub use repository::{AccessFrom, ImageRepository, ImageRepositorySpec, NamespaceSelector};
pub use secret::{BadValue, Namespace, Secret, ServiceAccount};
pub use selector::{LabelSelector, Operator, Requirement, SelectorError};
pub use selector_text::BadSelector;
pub use snapshot::{SnapshotRepository, TagSnapshot, TagSnapshotSpec};
pub use update::{
    Bind, BindingSpec, Emit, ExclusionSpec, IgnoreSpec, ImageFieldSpec, ImageUpdate,
    ImageUpdateSpec, Mode, OnUnresolved, TagSource, TargetSpec,
};
pub use validate::{FieldFault, options as fault_of_options};

/// Group of Flux's image documents.
pub const FLUX_GROUP: &str = "image.toolkit.fluxcd.io";
/// Group of our own documents.
pub const OWN_GROUP: &str = "flux-image.dev";
/// Group of Flux's sources.
pub const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
