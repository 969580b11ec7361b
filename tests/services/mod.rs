//! The real programs that tests run against: who has them, who brings them.
//!
//! With `FLUX_IMAGE_TEST_INSTALL=1` the tests bring what is missing themselves
//! (`tests/services/install`), and none may be left out. Without it nothing is
//! installed on anybody's system, and what is missing is named.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// The folder of this project.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whether everything must be here, which is brought if it is not.
pub fn must_be_here() -> bool {
    std::env::var_os("FLUX_IMAGE_TEST_INSTALL").is_some_and(|value| value == "1")
}

/// Brings what is missing, where that was asked for.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if must_be_here() {
            let script = Path::new(ROOT).join("tests/services/install");
            let status = Command::new(script)
                .status()
                .expect("tests/services/install");
            assert!(status.success(), "tests/services/install failed");
        }
    });
}

/// A program of `target/services`, or of the path.
pub fn program(name: &str) -> Option<PathBuf> {
    install();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = Path::new(ROOT).join("target/services");
    let folders = std::iter::once(own).chain(std::env::split_paths(&path));
    let files = folders.map(|folder| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}
