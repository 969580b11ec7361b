//! The binary: everything is in the library.

use std::process::ExitCode;

use flux_image::cli;

fn main() -> ExitCode {
    cli::report_bugs();
    cli::survive_size_limits();
    cli::main().into()
}
