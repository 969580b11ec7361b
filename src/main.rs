//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    flux_image::cli::main().into()
}
