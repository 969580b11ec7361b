//! The namespace that a kustomization gives to documents without one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::regular_file;
use crate::cluster::kustomization::NAMES;
use yaml_edit_spans::walk::{Step, Walk};

/// Whether a file has the name of a kustomization.
#[must_use]
pub fn is_name_of_one(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|own| NAMES.iter().any(|name| own == *name))
}

/// Namespaces of the folders of a run. Each kustomization is read once, and none
/// outside the roots of the run: what lies above has no say.
#[derive(Debug, Default)]
pub struct Namespaces<'t> {
    /// Real paths, in order: of two that hold a file, the later is further down.
    roots: BTreeSet<PathBuf>,
    /// Kustomizations that were read already.
    texts: BTreeMap<&'t Path, &'t str>,
    known: BTreeMap<PathBuf, Option<String>>,
    /// Kustomizations that could not be read, and why.
    pub unread: BTreeMap<PathBuf, String>,
}

impl<'t> Namespaces<'t> {
    /// Those under some folders, which are real paths. Of the kustomizations some
    /// `texts` were read already.
    #[must_use]
    pub fn under(
        roots: BTreeSet<PathBuf>,
        texts: impl Iterator<Item = (&'t Path, &'t str)>,
    ) -> Self {
        Self {
            roots,
            texts: texts.collect(),
            known: BTreeMap::new(),
            unread: BTreeMap::new(),
        }
    }

    /// `namespace` of the nearest kustomization above a file.
    pub fn of(&mut self, file: &Path) -> Option<String> {
        let mut above = self.roots.iter().rev();
        let root = above.find(|root| file.starts_with(root))?.clone();
        let mut passed = Vec::new();
        let mut namespace = None;
        for folder in file.ancestors().skip(1) {
            if let Some(known) = self.known.get(folder) {
                namespace.clone_from(known);
                break;
            }
            passed.push(folder.to_path_buf());
            if let Some(found) = self.read(&root, folder) {
                namespace = found;
                break;
            }
            if folder == root {
                break;
            }
        }
        let passed = passed.into_iter();
        self.known
            .extend(passed.map(|folder| (folder, namespace.clone())));
        namespace
    }

    /// What the kustomization of a folder says; `None` where there is none.
    fn read(&mut self, root: &Path, folder: &Path) -> Option<Option<String>> {
        for path in NAMES.map(|name| folder.join(name)) {
            if let Some(text) = self.texts.get(path.as_path()) {
                return Some(top_level_scalar(text, "namespace"));
            }
            match regular_file::text_within(root, &path) {
                Ok(text) => return Some(top_level_scalar(&text, "namespace")),
                Err(error) if error.is_missing() => {}
                Err(error) => {
                    self.unread.insert(path, error.to_string());
                    return Some(None);
                }
            }
        }
        None
    }
}

fn top_level_scalar(text: &str, key: &str) -> Option<String> {
    let text = yaml_edit_spans::with_line_feeds(text);
    let mut walk = Walk::tolerant(&text);
    while let Ok(Some(step)) = walk.step() {
        if let Step::Value(value) = step
            && let [frame] = walk.frames()
            && frame.key.as_deref() == Some(key)
            && !value.is_null(&text)
        {
            return Some(value.scalar.value().into_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_kustomization_counts_and_none_outside_the_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a folder");
        let root = real.join("root");
        let write = |name: &str, text: &str| {
            let path = real.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("kustomization.yaml", "namespace: outside\n");
        write("root/a/kustomization.yaml", "namespace: a\n");
        write("root/a/b/c/d.yaml", "");
        write("root/a/none/Kustomization", "resources: []\n");
        write("root/x/y/z.yaml", "");
        std::os::unix::fs::symlink(
            real.join("kustomization.yaml"),
            root.join("x/kustomization.yaml"),
        )
        .expect("a link");
        std::os::unix::fs::symlink("../../a/kustomization.yaml", root.join("x/y/Kustomization"))
            .expect("a link");
        let mut namespaces = Namespaces::under([root.clone()].into(), std::iter::empty());
        for _ in 0..2 {
            for (file, expected) in [
                ("a/b/c/d.yaml", Some("a")),
                ("a/e.yaml", Some("a")),
                ("a/none/f.yaml", None),
                ("g.yaml", None),
                ("x/h.yaml", None),
                ("x/y/z.yaml", Some("a")),
            ] {
                let namespace = namespaces.of(&root.join(file));
                assert_eq!(namespace.as_deref(), expected, "{file}");
            }
            // What was read stays known.
            fs::write(root.join("a/kustomization.yaml"), "namespace: late\n").expect("a file");
        }
        assert_eq!(namespaces.of(&real.join("elsewhere.yaml")), None);
        let unread: Vec<_> = namespaces.unread.into_iter().collect();
        let expected = "this link leads out of the tree and is not read".to_owned();
        assert_eq!(unread, [(root.join("x/kustomization.yaml"), expected)]);
    }
}
