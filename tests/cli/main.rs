//! The program as users run it: each command, on real input, by its output.

mod automations;
mod bad_input;
mod bindings;
mod compare;
mod completion;
mod coverage;
mod documents;
mod explain;
mod foreign;
mod function;
mod git_layouts;
mod handoff;
mod lint;
mod nested_repositories;
mod odd_files;
mod options_file;
mod output_files;
mod patches;
mod policy_tests;
mod schemas;
mod secrets;
mod streams;
mod suggest;
mod support;
mod tables;
#[path = "../services/tree.rs"]
mod tree;
mod update;
mod writing;

/// Runs the program in a folder with these arguments.
fn run_in(folder: &std::path::Path, arguments: &[&str], input: &[u8]) -> std::process::Output {
    support::feed(
        support::flux_image().current_dir(folder).args(arguments),
        input,
    )
}
