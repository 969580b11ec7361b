//! The files of the container image, around a static binary of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A static binary: `FLUX_IMAGE_STATIC`, or one that is built here.
pub fn static_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(path) = std::env::var_os("FLUX_IMAGE_STATIC") {
            return path.into();
        }
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let folder = Path::new(ROOT).join("target/static");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--bin", "flux-image"])
            .args(["--target", &target, "--target-dir"])
            .arg(&folder)
            .env("RUSTFLAGS", "-C target-feature=+crt-static")
            .current_dir(ROOT)
            .status()
            .expect("cargo");
        assert!(status.success(), "the static binary was not built");
        folder.join(target).join("debug/flux-image")
    })
}

/// The files of the image, as the build stage lays them out.
pub fn layout(folder: &Path) {
    fs::create_dir_all(folder.join("etc/ssl/certs")).expect("a folder");
    fs::copy(static_binary(), folder.join("flux-image")).expect("the binary");
    for name in ["passwd", "group"] {
        let source = Path::new(ROOT).join("docker").join(name);
        fs::copy(source, folder.join("etc").join(name)).expect("docker/");
    }
    // The authorities are those of the build stage's own system.
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if authorities.exists() {
        let target = folder.join("etc/ssl/certs/ca-certificates.crt");
        fs::copy(authorities, target).expect("certificates");
    }
}
