//! What a cluster sees of its repository.
//!
//! Flux does not read the files that lie in Git: kustomize-controller builds the
//! folder that `flux bootstrap --path` was given, finds Flux's own Kustomizations in
//! the result, builds the `spec.path` of each, and so on, substituting variables on
//! the way. Only what comes out is a document for it. Here the same is done without a
//! cluster: [`view`] tells the order, [`kustomization`] and [`closure`] which files
//! a build reads, [`overlay`] what a Flux Kustomization adds to them,
//! [`substitute`] what becomes of the variables.
//!
//! Nothing here touches a disk: an [`artifact::Artifact`] hands over files, and the
//! builder (`kustomize`) is a closure. What it gets to read is what was checked:
//! every kustomization is written anew from what was understood of it, so that no
//! spelling can mean one path here and another one there.

pub mod applied;
pub mod artifact;
pub mod builds;
pub mod closure;
pub mod flux;
pub mod kustomization;
mod left_out;
pub mod overlay;
pub mod places;
pub mod results;
pub mod substitute;
pub mod view;
