//! Folders of files, each of its own for a test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of files.
pub struct Tree(TempDir);

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().expect("a folder"));
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).expect("a file")
    }
}
