//! Two different documents of one identity in one tree, most often those of two
//! clusters, and how to say which of them counts.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::finding::Location;

/// Where two different documents of one identity stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    /// What they are, as `ImagePolicies`.
    pub kinds: &'static str,
    /// The one.
    pub first: Location,
    /// The other.
    pub second: Location,
}

impl fmt::Display for Twins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (&self.first, &self.second);
        write!(
            f,
            "two different {} have this name: {first} and {second}",
            self.kinds
        )
    }
}

/// What to do about two documents of one identity: to name the folder, or the
/// file, where the ways to them part, since what a flag names goes before the
/// tree.
#[must_use]
pub fn hint(first: &Location, second: &Location) -> String {
    let (first, second) = (Path::new(&first.file), Path::new(&second.file));
    if first == second {
        return "remove one of them, or give it another name".to_owned();
    }
    let (one, other) = parting(first, second);
    let (one_shown, other_shown) = (one.display(), other.display());
    if one == first || other == second {
        return format!(
            "name the one that counts: `--policies {one_shown}`, or `--policies {other_shown}`"
        );
    }
    format!(
        "if they are of two clusters, name the folder of the one to update: `--policies {one_shown}`, or `--policies {other_shown}`"
    )
}

/// Two paths up to the first step in which they differ. Of two that begin at
/// different places nobody can tell where that is: their folders part.
fn parting(first: &Path, second: &Path) -> (PathBuf, PathBuf) {
    if first.is_absolute() != second.is_absolute() {
        let folder = |path: &Path| {
            let folder = path.parent().filter(|one| !one.as_os_str().is_empty());
            folder.unwrap_or(path).to_path_buf()
        };
        return (folder(first), folder(second));
    }
    let common = first.components().zip(second.components());
    let common = common.take_while(|(one, other)| one == other).count();
    let cut = |path: &Path| -> PathBuf { path.components().take(common + 1).collect() };
    (cut(first), cut(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_where_the_paths_part() {
        for (first, second, expected) in [
            (
                "clusters/dev/flux-system/images.yaml",
                "clusters/prod/flux-system/images.yaml",
                "if they are of two clusters, name the folder of the one to update: `--policies clusters/dev`, or `--policies clusters/prod`",
            ),
            (
                "/srv/a/x.yaml",
                "/srv/b/c/x.yaml",
                "if they are of two clusters, name the folder of the one to update: `--policies /srv/a`, or `--policies /srv/b`",
            ),
            (
                "flux/policy.yaml",
                "flux/twin.yaml",
                "name the one that counts: `--policies flux/policy.yaml`, or `--policies flux/twin.yaml`",
            ),
            (
                "clusters/images.yaml",
                "clusters/prod/images.yaml",
                "name the one that counts: `--policies clusters/images.yaml`, or `--policies clusters/prod`",
            ),
            (
                "flux/policy.yaml",
                "/srv/b/flux/policy.yaml",
                "if they are of two clusters, name the folder of the one to update: `--policies flux`, or `--policies /srv/b/flux`",
            ),
            (
                "policy.yaml",
                "/srv/b/flux/policy.yaml",
                "name the one that counts: `--policies policy.yaml`, or `--policies /srv/b/flux`",
            ),
            (
                "one.yaml",
                "one.yaml",
                "remove one of them, or give it another name",
            ),
        ] {
            let place = |file: &str| Location::file(file);
            assert_eq!(hint(&place(first), &place(second)), expected);
        }
    }
}
