//! The program as users run it: each door, on real input, by its output.

mod bad_input;
mod function;
mod schemas;
mod support;
mod update;
