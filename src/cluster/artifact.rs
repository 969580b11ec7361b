//! A source of manifests as Flux has it: what source-controller's artifact of it holds.

use std::sync::Arc;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Nothing.
    Missing,
    /// Something that the artifact does not hold, and why, to follow its path.
    LeftOut(&'static str),
    /// Something that `.sourceignore` and its like leave out.
    Ignored,
}

/// The files of a source. Paths are texts with `/` between their steps, from the
/// source's root on, without `.` and `..`; the root itself is the empty text.
pub trait Artifact: Sync {
    /// What stands at a path.
    fn standing(&self, path: &str) -> Standing;

    /// What a file holds.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, String>;

    /// The manifests below a folder, and kustomizations, in the order of their paths.
    fn manifests(&self, folder: &str) -> Vec<String>;

    /// The same without what `spec.ignore` of a GitRepository leaves out, in the syntax
    /// of `.gitignore`.
    fn without(&self, rules: &str) -> Box<dyn Artifact + '_>;

    /// A path as findings call it.
    fn show(&self, path: &str) -> String;
}

/// Why a path leads to no file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// One that begins at the root of a machine.
    #[error("is an absolute path")]
    Absolute,
    /// One that leaves the source.
    #[error("leads out of the repository")]
    Outside,
}

/// `path` as seen from `folder`, without `.` and `..`.
///
/// # Errors
/// One that is not below the source's root.
pub fn join(folder: &str, path: &str) -> Result<String, PathError> {
    if path.starts_with('/') {
        return Err(PathError::Absolute);
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => _ = steps.pop().ok_or(PathError::Outside)?,
            step => steps.push(step),
        }
    }
    Ok(steps.join("/"))
}

/// `spec.path` of one of Flux's documents: always below the root, as Flux joins it.
#[must_use]
pub fn rooted(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => _ = steps.pop(),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Whether a path is below a folder.
#[must_use]
pub fn is_below(folder: &str, path: &str) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The folder that a file is in.
#[must_use]
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last step of a path.
#[must_use]
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (folder, path, expected) in [
            ("a/b", "c.yaml", Ok("a/b/c.yaml")),
            ("a/b", "../../c/./d//e", Ok("c/d/e")),
            ("", ".", Ok("")),
            ("a", "..", Ok("")),
            ("a", "../..", Err(PathError::Outside)),
            ("a", "../../a", Err(PathError::Outside)),
            ("a", "/a", Err(PathError::Absolute)),
            ("", "b/../../etc", Err(PathError::Outside)),
        ] {
            let joined = join(folder, path);
            assert_eq!(
                joined.as_deref(),
                expected.as_ref().map(|path| *path),
                "{path}"
            );
        }
        assert_eq!(rooted("./../a/../../b/"), "b");
        assert_eq!(rooted("/"), "");
    }
}
