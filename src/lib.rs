//! Flux's image automation as a function.
pub mod api;
pub mod bind;
pub mod config;
pub mod function;
pub mod go;
pub mod image;
pub mod policy;
pub mod resource_list;
pub mod tags;
pub mod update;
pub mod yaml;
