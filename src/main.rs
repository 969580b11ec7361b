//! The binary: everything is in the library.

use std::process::ExitCode;

use flux_image::cli::{self, Exit};

fn main() -> ExitCode {
    // A panic has printed its message by now; what is left is the exit code.
    std::panic::catch_unwind(cli::main)
        .unwrap_or(Exit::Bug)
        .into()
}
