//! The files that a `kustomize build` was made of, for `bind: Origin`.
//!
//! An exec function runs in the folder of the kustomization that lists it. The
//! paths that the build notes count from the folder that is built, which may be
//! another: where a base lists the function, the path of the functionConfig
//! tells how the two lie to each other.

use std::env;
use std::path::{Component, Path, PathBuf};

use crate::checkout::git;
use crate::checkout::regular_file::{self, ReadError};

/// Reads a file, by its path as the build notes it. `config` is what it notes of
/// the functionConfig.
///
/// # Errors
/// Where it cannot be read, or lies outside the repository that this folder is
/// in (without a repository: outside this folder).
pub(super) fn read(path: &str, config: Option<&str>) -> Result<String, String> {
    let current = env::current_dir()
        .and_then(|folder| folder.canonicalize())
        .map_err(|error| error.to_string())?;
    let root = git::work_tree(&current).unwrap_or_else(|| current.clone());
    let file = locate(&current, path, config)?;
    let real = regular_file::inside(&root, &file).map_err(|error| match error {
        ReadError::LeadsOut => format!("this leads out of {}", root.display()),
        error => error.to_string(),
    })?;
    regular_file::text_within(&root, &real).map_err(|error| error.to_string())
}

fn locate(current: &Path, path: &str, config: Option<&str>) -> Result<PathBuf, String> {
    if Path::new(path).is_absolute() {
        return Err("this is not a path inside the kustomization".to_owned());
    }
    let Some(config) = config.filter(|config| !current.join(config).is_file()) else {
        return Ok(current.join(path));
    };
    // The functionConfig lies in or below the current folder, so the folder
    // that is as many steps above the one that is built is known.
    let unknown = || "the folder that is built cannot be told from here".to_owned();
    let (steps, inside) = steps_up(config);
    let folder = inside.parent().ok_or_else(unknown)?;
    let above = folder
        .ancestors()
        .find_map(|folder| strip_end(current, folder))
        .ok_or_else(unknown)?;
    match steps_up(path) {
        (same, inside) if same == steps => Ok(above.join(inside)),
        _ => Err(unknown()),
    }
}

/// The leading `..` of a path, and the rest.
fn steps_up(path: &str) -> (usize, PathBuf) {
    let parts = Path::new(path).components();
    let steps = parts
        .clone()
        .take_while(|part| *part == Component::ParentDir);
    let steps = steps.count();
    (steps, parts.skip(steps).collect())
}

fn strip_end(path: &Path, end: &Path) -> Option<PathBuf> {
    if end.as_os_str().is_empty() || !path.ends_with(end) {
        return None;
    }
    let above = path.ancestors().nth(end.components().count());
    above.map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_knows_where_it_lies() {
        let located = |current: &str, path: &str, config: &str| {
            locate(Path::new(current), path, Some(config))
        };
        let found = |path: &str| Ok(PathBuf::from(path));
        assert_eq!(
            located("/r/base", "../../base/a/deploy.yaml", "../../base/fn.yaml"),
            found("/r/base/a/deploy.yaml")
        );
        assert_eq!(
            located(
                "/r/base",
                "../../other/deploy.yaml",
                "../../base/functions/fn.yaml"
            ),
            found("/r/other/deploy.yaml")
        );
        for (current, path, config) in [
            ("/r/base", "../prod/deploy.yaml", "../../base/fn.yaml"),
            (
                "/r/elsewhere",
                "../../base/deploy.yaml",
                "../../base/fn.yaml",
            ),
            ("/r/base", "/etc/passwd", "fn.yaml"),
        ] {
            assert!(located(current, path, config).is_err(), "{path}");
        }
    }
}
