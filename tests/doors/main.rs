//! The program as users run it: each door, on real input, by its output.

mod function;
mod support;
mod update;
