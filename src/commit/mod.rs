//! What a commit needs: its message and the branch that it goes to.
//!
//! Flux's image-automation-controller renders the one and pushes to the other;
//! here both are handed to the pipeline that makes the commit.
//!
//! - [`data`]: what a template sees
//! - [`render`]: a template and its data give a message
//! - [`branch`]: where Flux would push, and templates in `push.branch`
//! - [`commits`]: the commits of a run
//! - [`refname`]: which names git takes for a branch

pub mod branch;
pub mod commits;
pub mod data;
pub mod migrate;
pub mod refname;
pub mod render;
