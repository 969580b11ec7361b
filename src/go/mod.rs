//! What Go does, exactly, where Flux's answers depend on it.
//!
//! These modules know nothing of Kubernetes or Flux: `regex` is Go's `regexp`,
//! `semver` is Masterminds' constraint language, `float` and `number` are
//! `strconv.ParseFloat` and `FormatFloat`, `duration` and `time` are `time`,
//! `template` is `text/template` with sprig. Each is checked row by row against
//! answers that were recorded from the real code.

pub mod duration;
pub mod float;
pub mod number;
pub mod regex;
pub mod semver;
pub mod template;
pub mod time;
pub mod unicode;
