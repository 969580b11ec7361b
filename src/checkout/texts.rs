//! The texts of a checkout, for who looks at everything that is in them.

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
    /// What it holds.
    pub text: &'r str,
    /// The same, outlined, or why it is not valid YAML.
    pub outline: Result<&'r Outline<'r>, &'r SyntaxError>,
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

    /// The Dockerfiles of the PATHs, or all where there are none, by name and text; and those
    /// that could not be read.
    #[must_use]
    pub fn container_files(&self) -> (Vec<(String, String)>, Vec<Finding>) {
        let (mut texts, mut findings) = (Vec::new(), Vec::new());
        for path in &self.tree.files.listing.container_files {
            let name = self.tree.files.show(path);
            let refused = |why: String| {
                Finding::warning(Code::UnusableFile, why, Location::file(name.clone()))
            };
            match regular_file::read(path, MAX_BYTES) {
                Ok((bytes, _)) => match encoding::decode(bytes) {
                    Ok(text) => texts.push((name, text)),
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
