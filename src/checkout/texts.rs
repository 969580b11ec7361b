//! The texts of a checkout, for who looks at everything that is in them.

use std::path::{Path, PathBuf};

use super::regular_file::{self, MAX_BYTES};
use super::{Checkout, path_name};
use crate::finding::{Code, Finding, Location};
use crate::resource_list::Outline;
use yaml_edit_spans::SyntaxError;
use yaml_edit_spans::encoding;

/// A manifest or another YAML file.
#[derive(Clone, Copy, Debug)]
pub struct YamlText<'r> {
    /// What findings call it.
    pub name: &'r str,
    /// Where it is, from the root of the work tree on.
    pub inside: &'r Path,
    /// What it holds.
    pub text: &'r str,
    /// The same, outlined, or why it is not valid YAML.
    pub outline: Result<&'r Outline<'r>, &'r SyntaxError>,
}

/// A Dockerfile.
#[derive(Clone, Debug)]
pub struct ContainerFile {
    /// What findings call it.
    pub name: String,
    /// Where it is, from the root of the work tree on.
    pub inside: PathBuf,
    /// What it holds.
    pub text: String,
}

impl<'r> Checkout<'r> {
    /// The YAML files of the PATHs, or all where there are none. A link is none of them: what
    /// it leads to has its own name.
    #[must_use]
    pub fn yaml_texts(&self) -> Vec<YamlText<'r>> {
        let reach = self.tree.paths.as_ref().map(super::Scope::reach);
        let files = self.tree.outlined.iter();
        let files = files.filter(|one| {
            let source = one.source;
            let is_in_reach = |reach: &super::ScopeReach<'_>| reach.at(&source.path).is_some();
            !source.is_link
                && reach.as_ref().is_none_or(is_in_reach)
                && !path_name::is_container_file_name(&source.path)
        });
        let texts = files.filter_map(|one| {
            Some(YamlText {
                name: &one.source.name,
                inside: self.inside(&one.source.path),
                text: &one.source.text,
                outline: one.outline.as_ref()?.as_ref(),
            })
        });
        texts.collect()
    }

    /// The YAML files of the PATHs that could not be read, and why.
    #[must_use]
    pub fn unread(&self) -> Vec<Finding> {
        let reach = self.tree.paths.as_ref().map(super::Scope::reach);
        let refused = self.tree.files.refused.iter();
        let refused = refused.filter(|one| {
            let is_in_reach = |reach: &super::ScopeReach<'_>| reach.at(&one.path).is_some();
            reach.as_ref().is_none_or(is_in_reach)
        });
        refused.map(|one| one.finding.clone()).collect()
    }

    /// A path from the root of the work tree on.
    fn inside<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.tree.files.root).unwrap_or(path)
    }

    /// The Dockerfiles of the PATHs, or all where there are none; and those that could not be
    /// read.
    #[must_use]
    pub fn container_files(&self) -> (Vec<ContainerFile>, Vec<Finding>) {
        let (mut texts, mut findings) = (Vec::new(), Vec::new());
        for path in &self.tree.files.listing.container_files {
            let name = self.tree.files.show(path);
            let refused = |why: String| {
                Finding::warning(Code::UnusableFile, why, Location::file(name.clone()))
            };
            match regular_file::read(path, MAX_BYTES) {
                Ok((bytes, _)) => match encoding::decode(bytes) {
                    Ok(text) => texts.push(ContainerFile {
                        inside: self.inside(path).to_path_buf(),
                        name,
                        text,
                    }),
                    Err(error) => findings.push(refused(error.to_string())),
                },
                // It went away since it was listed.
                Err(error) if error.is_missing() => {}
                Err(error) => findings.push(refused(error.to_string())),
            }
        }
        (texts, findings)
    }
}
