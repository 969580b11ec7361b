//! What Go does, exactly, where Flux's answers depend on it.
//!
//! These modules know nothing of Kubernetes or Flux: `regex` is Go's `regexp`,
//! `semver` is Masterminds' constraint language, `float` is
//! `strconv.ParseFloat`. Each is checked row by row against answers that were
//! recorded from the real code.

pub mod duration;
pub mod float;
pub mod regex;
pub mod semver;
