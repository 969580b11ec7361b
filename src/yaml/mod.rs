//! YAML text as bytes that can be edited.
pub mod scalar;
