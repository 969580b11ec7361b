//! Flux's image automation as a function.
pub mod go;
pub mod image;
pub mod policy;
pub mod yaml;
