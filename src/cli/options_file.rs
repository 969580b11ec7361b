//! `.flux-image.yaml` at the root of the work tree: options that commands share, where no
//! flag says otherwise. It is the word of whoever can write to the tree, and holds no
//! documents, no login and no path out of it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use globset::{Glob, GlobBuilder};

use super::streams::{lists_all, say};
use crate::api::{self, Bind, ImageUpdateSpec};
use crate::binding::bindings::BindingConfig;
use crate::checkout::Request;
use crate::checkout::git::Repositories;
use crate::checkout::{regular_file, source_files};
use crate::documents::builder::Builder;
use crate::documents::{Provenance, Rank};
use crate::finding::Location;
use crate::function::config;
use crate::insight::coverage::exclusion::{self, CoverageSettings};
use crate::insight::lint::Ignores;
use crate::resource_list;
use yaml_edit_spans::{ByteSpan, Place, Snippet};

/// So many entries are told with their lines: each is looked for in the whole file.
const MAX_PLACES: usize = 200;

/// Its name.
pub(super) const NAME: &str = ".flux-image.yaml";

/// Options of a work tree.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionsFile {
    /// The root of the work tree.
    root: PathBuf,
    /// The folder of the run.
    current: PathBuf,
    /// What it says.
    spec: ImageUpdateSpec,
    bindings: BindingConfig,
    /// What it excludes.
    exclusions: CoverageSettings,
    /// Where the entries of `ignores` stand.
    ignores_at: Vec<Place>,
    /// What it holds.
    text: String,
}

impl OptionsFile {
    /// Reads the one of the work tree that the current folder is in; empty where there is
    /// none.
    ///
    /// # Errors
    /// One that cannot be read, or says what it cannot.
    pub(super) fn read(repositories: &Repositories) -> anyhow::Result<Self> {
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        let current = current.canonicalize().unwrap_or(current);
        let root = repositories
            .work_tree(&current)
            .unwrap_or_else(|| current.clone());
        let path = root.join(NAME);
        if path.symlink_metadata().is_err() {
            return Ok(Self {
                root,
                current,
                ..Self::default()
            });
        }
        let text = regular_file::text_within(&root, &path)
            .with_context(|| format!("cannot read {NAME}"))?;
        let file = Self::parse(&text, root, current)?;
        if lists_all() {
            say(format_args!("options of {NAME} count\n"));
        }
        Ok(file)
    }

    fn parse(text: &str, root: PathBuf, current: PathBuf) -> anyhow::Result<Self> {
        let outline = resource_list::read(text)
            .map_err(|error| anyhow::anyhow!("{NAME}:{}: {}", error.place, error.message))?;
        let mut objects = outline.objects();
        let object = match (objects.next(), objects.next()) {
            (Some(object), None) if object.kind == "ImageUpdate" => object,
            _ => bail!(
                "{NAME} must hold one ImageUpdate of `flux-image.dev/v1alpha1`, and nothing else"
            ),
        };
        let mut builder = Builder::default();
        let provenance = Provenance::new(NAME, Rank::Tree);
        let settings = config::read(text, object, provenance, &mut builder);
        let said = |findings: &[crate::finding::Finding]| {
            let first = findings.first();
            first.map(|one| anyhow::anyhow!("{}: {}", one.location, one.message))
        };
        let settings = match settings {
            Ok(settings) => settings,
            Err(findings) => {
                return Err(
                    said(&findings).unwrap_or_else(|| anyhow::anyhow!("{NAME} cannot be read"))
                );
            }
        };
        let (_, findings) = builder.finish();
        if let Some(error) = said(&findings) {
            return Err(error);
        }
        let mut file = Self {
            root,
            current,
            bindings: settings.bindings,
            spec: settings.spec,
            exclusions: CoverageSettings::default(),
            ignores_at: Vec::new(),
            text: text.to_owned(),
        };
        let count = file.spec.ignores.len().min(MAX_PLACES);
        let places = (0..count).map(|number| {
            let field = format!("spec.ignores[{number}]");
            api::place_of_field(text, object, &field)
        });
        file.ignores_at = places.collect();
        file.check()?;
        file.exclusions = CoverageSettings::of(&file.spec.exclusions)
            .with_context(|| format!("{NAME}: an entry of `exclusions` has no glob"))?;
        Ok(file)
    }

    /// Refuses what counts elsewhere alone.
    fn check(&self) -> anyhow::Result<()> {
        let spec = &self.spec;
        if !(spec.policies.is_empty() && spec.repositories.is_empty() && spec.snapshots.is_empty())
        {
            bail!("{NAME} holds documents: put them into files of their own, where they are found");
        }
        let rest = ImageUpdateSpec {
            bind: Bind::default(),
            image_fields: Vec::new(),
            bindings: Vec::new(),
            cluster_paths: Vec::new(),
            substitute: BTreeMap::new(),
            exclusions: Vec::new(),
            ignores: Vec::new(),
            ..spec.clone()
        };
        if rest != ImageUpdateSpec::default() {
            bail!(
                "{NAME} takes only `bind`, `imageFields`, `bindings`, `clusterPaths`, `substitute`, `exclusions` and `ignores`; give the rest as flags"
            );
        }
        if spec.bind == Bind::Origin {
            bail!("{NAME}: `bind: Origin` is for `kustomize build`; files have their markers");
        }
        for path in &spec.cluster_paths {
            let is_inside = Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            // Nor by a link. One that is not there is told where it is read.
            let real = source_files::resolve_within(&self.root, path);
            let leads_out = real.is_err_and(|error| !error.is_missing());
            if !is_inside || leads_out {
                bail!(
                    "{NAME}: `clusterPaths` has `{path}`, which is not below the root of the work tree"
                );
            }
        }
        for path in spec.ignores.iter().filter_map(|one| one.path.as_ref()) {
            exclusion::glob(path).with_context(|| format!("{NAME}: `{path}` is no glob"))?;
        }
        if spec
            .exclusions
            .iter()
            .any(|one| one.reason.trim().is_empty())
        {
            bail!("{NAME}: an entry of `exclusions` has no `reason`");
        }
        Ok(())
    }

    /// Has its options count in a request, where flags say nothing.
    pub(super) fn apply(&self, request: &mut Request) {
        let has_own_view = !request.clusters.are_found || !request.has_tree_documents;
        let clusters = &mut request.clusters;
        if clusters.paths.is_empty() && !has_own_view {
            let paths = self.spec.cluster_paths.iter();
            clusters.paths = paths.map(|path| self.root.join(path)).collect();
        }
        for (name, value) in &self.spec.substitute {
            let known = clusters.substitute.entry(name.clone());
            known.or_insert_with(|| value.clone());
        }
    }

    /// How it binds.
    pub(super) fn bindings(&self) -> &BindingConfig {
        &self.bindings
    }

    /// Adds what it ignores.
    pub(super) fn add_ignores(&self, ignores: &mut Ignores) {
        for (number, one) in self.spec.ignores.iter().enumerate() {
            let globs = one.path.iter().flat_map(|path| globs_of(path));
            let place = self.ignores_at.get(number).copied();
            let location = Location {
                field: format!("spec.ignores[{number}]"),
                ..Location::new(NAME, place.unwrap_or_default())
            };
            let line = location.line.checked_sub(1);
            let snippet = line
                .and_then(|line| self.text.lines().nth(line))
                .map(|line| {
                    let whole = ByteSpan::new(0, line.len());
                    Snippet::around(line, whole, location.column.saturating_sub(1))
                });
            ignores.add(&one.code, &one.reason, (location, snippet), globs.collect());
        }
    }

    /// A file as it is from the root of the work tree on.
    pub(super) fn inside(&self, file: &str) -> String {
        match file {
            NAME => NAME.to_owned(),
            file => inside(&self.root, &self.current, file),
        }
    }

    /// What it excludes.
    pub(super) fn exclusions(&self) -> &CoverageSettings {
        &self.exclusions
    }
}

/// The globs of a path: itself, and what is below the folder of that name.
fn globs_of(path: &str) -> Vec<Glob> {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let globs = match path {
        "" | "." => vec!["**".to_owned()],
        path => vec![path.to_owned(), format!("{path}/**")],
    };
    let built = globs
        .iter()
        .map(|glob| GlobBuilder::new(glob).literal_separator(true).build());
    built.filter_map(Result::ok).collect()
}

/// A file as it is from the root of the work tree on.
pub(super) fn inside(root: &Path, current: &Path, file: &str) -> String {
    let path = current.join(file);
    let path = path.strip_prefix(root).unwrap_or(&path);
    path.to_string_lossy().into_owned()
}
