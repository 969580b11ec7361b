//! `.flux-image.yaml` at the root of the work tree that a command looks at: options that
//! commands share, where no flag says otherwise. It is the word of whoever can write to the tree, and holds no
//! documents, no login and no path out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use globset::{Glob, GlobBuilder};

use super::streams::{lists_all, say};
use crate::api::{self, Bind, ImageUpdateSpec};
use crate::binding::bindings::BindingConfig;
use crate::checkout::Request;
use crate::checkout::git::Repositories;
use crate::checkout::{files, regular_file, source_files};
use crate::documents::builder::Builder;
use crate::documents::{Provenance, Rank};
use crate::finding::{Code, Finding, Location};
use crate::function::config;
use crate::insight::coverage::exclusion::{self, CoverageSettings};
use crate::insight::lint::Ignores;
use crate::report::text::line;
use crate::resource_list::{self, Object, Outline};
use yaml_edit_spans::{ByteSpan, Place, Snippet};

/// Its name.
pub(super) const NAME: &str = ".flux-image.yaml";

/// Options of a work tree.
#[derive(Clone, Debug, Default)]
pub(super) struct OptionsFile {
    /// What findings call it.
    name: String,
    /// What it holds.
    text: String,
    /// The root of the work tree.
    root: PathBuf,
    /// The folder of the run.
    current: PathBuf,
    /// What it says.
    spec: ImageUpdateSpec,
    bindings: BindingConfig,
    /// What it excludes.
    exclusions: CoverageSettings,
}

impl OptionsFile {
    /// Reads the one of the work tree that the first of some PATHs is in, or else the current
    /// folder; empty where there is none. Without git the work tree is that folder.
    ///
    /// # Errors
    /// One that cannot be read, or says what it cannot.
    pub(super) fn read(repositories: &Repositories, paths: &[PathBuf]) -> anyhow::Result<Self> {
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        let current = current.canonicalize().unwrap_or(current);
        let (root, path) = Self::at(paths.first(), &current, repositories);
        if path.symlink_metadata().is_err() {
            return Ok(Self {
                root,
                current,
                ..Self::default()
            });
        }
        let name = files::shown(&path, &current);
        let text = regular_file::text_within(&root, &path)
            .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
        let bare = Self {
            name,
            text,
            root,
            current,
            ..Self::default()
        };
        bare.parsed()
    }

    /// The root of the work tree of a PATH, and where its options are.
    fn at(
        path: Option<&PathBuf>,
        current: &Path,
        repositories: &Repositories,
    ) -> (PathBuf, PathBuf) {
        let folder = path.map(|path| files::folder_of(&current.join(path)));
        let folder = folder.and_then(|folder| folder.canonicalize().ok());
        let folder = folder.unwrap_or_else(|| current.to_path_buf());
        let root = repositories.work_tree(&folder);
        // Without git, what is below the folder of the run belongs to it.
        let root = root.unwrap_or_else(|| match folder.starts_with(current) {
            true => current.to_path_buf(),
            false => folder,
        });
        let path = root.join(NAME);
        (root, path)
    }

    /// Says with `-v` that its options count, and always that those of another work tree
    /// among the PATHs do not.
    pub(super) fn say(&self, repositories: &Repositories, paths: &[PathBuf]) {
        if lists_all() && !self.name.is_empty() {
            say(format_args!("options of {} count\n", line(&self.name)));
        }
        let first = Self::at(paths.first(), &self.current, repositories).1;
        let others = paths.iter().skip(1);
        let others = others.map(|path| Self::at(Some(path), &self.current, repositories).1);
        let others = others.filter(|path| *path != first && path.symlink_metadata().is_ok());
        for other in others.collect::<BTreeSet<PathBuf>>() {
            let other = files::shown(&other, &self.current);
            say(format_args!(
                "options of {} do not count: those of the work tree of the first PATH do\n",
                line(&other)
            ));
        }
    }

    fn parsed(mut self) -> anyhow::Result<Self> {
        let (text, name) = (self.text.as_str(), self.name.as_str());
        let outline = resource_list::read(text)
            .map_err(|error| anyhow::anyhow!("{name}:{}: {}", error.place, error.message))?;
        let object = object_of(&outline).with_context(|| {
            format!(
                "{name} must hold one ImageUpdate of `flux-image.dev/v1alpha1`, and nothing else"
            )
        })?;
        let mut builder = Builder::default();
        let provenance = Provenance::new(name, Rank::Tree);
        let settings = config::read(text, object, provenance, &mut builder);
        let said = |findings: &[Finding]| {
            let first = findings.first();
            first.map(|one| {
                let location = located(one, text, object);
                anyhow::anyhow!("{location}: {}", one.message)
            })
        };
        let settings = match settings {
            Ok(settings) => settings,
            Err(findings) => {
                return Err(
                    said(&findings).unwrap_or_else(|| anyhow::anyhow!("{name} cannot be read"))
                );
            }
        };
        let (_, findings) = builder.finish();
        if let Some(error) = said(&findings) {
            return Err(error);
        }
        self.bindings = settings.bindings;
        self.spec = settings.spec;
        self.check()?;
        self.exclusions = CoverageSettings::of(&self.spec.exclusions)
            .with_context(|| format!("{}: an entry of `exclusions` has no glob", self.name))?;
        Ok(self)
    }

    /// Refuses what counts elsewhere alone.
    fn check(&self) -> anyhow::Result<()> {
        let (spec, name) = (&self.spec, &self.name);
        if !(spec.policies.is_empty() && spec.repositories.is_empty() && spec.snapshots.is_empty())
        {
            bail!("{name} holds documents: put them into files of their own, where they are found");
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
                "{name} takes only `bind`, `imageFields`, `bindings`, `clusterPaths`, `substitute`, `exclusions` and `ignores`; give the rest as flags"
            );
        }
        if spec.bind == Bind::Origin {
            bail!("{name}: `bind: Origin` is for `kustomize build`; files have their markers");
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
                    "{name}: `clusterPaths` has `{path}`, which is not below the root of the work tree"
                );
            }
        }
        for path in spec.ignores.iter().filter_map(|one| one.path.as_ref()) {
            exclusion::glob(path).with_context(|| format!("{name}: `{path}` is no glob"))?;
        }
        if spec
            .exclusions
            .iter()
            .any(|one| one.reason.trim().is_empty())
        {
            bail!("{name}: an entry of `exclusions` has no `reason`");
        }
        Ok(())
    }

    /// Has its options count in a request, where flags say nothing.
    ///
    /// # Errors
    /// A folder of a cluster that is not there.
    pub(super) fn apply(&self, request: &mut Request) -> anyhow::Result<()> {
        let has_own_view = !request.clusters.are_found || !request.has_tree_documents;
        let clusters = &mut request.clusters;
        if clusters.paths.is_empty() && !has_own_view {
            for path in &self.spec.cluster_paths {
                let folder = self.root.join(path);
                if !folder.is_dir() {
                    bail!(
                        "{}: `clusterPaths` has `{path}`, which is no folder here",
                        self.name
                    );
                }
                clusters.paths.push(folder);
            }
        }
        for (name, value) in &self.spec.substitute {
            let known = clusters.substitute.entry(name.clone());
            known.or_insert_with(|| value.clone());
        }
        Ok(())
    }

    /// How it binds.
    pub(super) fn bindings(&self) -> &BindingConfig {
        &self.bindings
    }

    /// Adds what it ignores.
    pub(super) fn add_ignores(&self, ignores: &mut Ignores) {
        if self.spec.ignores.is_empty() {
            return;
        }
        let places = self.places("spec.ignores");
        let lines: Vec<&str> = self.text.lines().collect();
        for (number, one) in self.spec.ignores.iter().enumerate() {
            let globs = one.path.iter().flat_map(|path| globs_of(path));
            let location = self.location("spec.ignores", number, &places);
            let at = (location.line.checked_sub(1)).and_then(|line| lines.get(line));
            let snippet = at.map(|line| {
                let whole = ByteSpan::new(0, line.len());
                Snippet::around(line, whole, location.column.saturating_sub(1))
            });
            ignores.add(&one.code, &one.reason, (location, snippet), globs.collect());
        }
    }

    /// Where the entries of a list stand.
    fn places(&self, list: &str) -> BTreeMap<usize, Place> {
        let outline = resource_list::read(&self.text);
        let outline = outline.unwrap_or_default();
        let object = object_of(&outline);
        object.map_or_else(BTreeMap::new, |object| {
            api::places_of_elements(&self.text, object, list)
        })
    }

    fn location(&self, list: &str, number: usize, places: &BTreeMap<usize, Place>) -> Location {
        let place = places.get(&number).copied();
        Location {
            field: format!("{list}[{number}]"),
            ..Location::new(&self.name, place.unwrap_or_default())
        }
    }

    /// A file as it is from the root of the work tree on.
    pub(super) fn inside(&self, file: &str) -> String {
        match file {
            NAME => NAME.to_owned(),
            file => inside(&self.root, &self.current, file),
        }
    }

    /// Where its exclusions stand.
    pub(super) fn exclusions_at(&self) -> Vec<Location> {
        let list = "spec.exclusions";
        let count = self.spec.exclusions.len();
        let places = if count == 0 {
            BTreeMap::new()
        } else {
            self.places(list)
        };
        let all = (0..count).map(|number| self.location(list, number, &places));
        all.collect()
    }

    /// What it excludes.
    pub(super) fn exclusions(&self) -> &CoverageSettings {
        &self.exclusions
    }
}

/// The one document of the file.
fn object_of<'o>(outline: &'o Outline<'_>) -> Option<&'o Object> {
    let mut objects = outline.objects();
    match (objects.next(), objects.next()) {
        (Some(object), None) if object.kind == "ImageUpdate" => Some(object),
        _ => None,
    }
}

/// Where a finding is: of an unknown field, at the field.
fn located(finding: &Finding, text: &str, object: &Object) -> Location {
    let mut location = finding.location.clone();
    if finding.code == Code::UnknownField
        && let Some(field) = finding.message.rsplit('`').nth(1)
    {
        let place = api::place_of_field(text, object, field);
        (location.line, location.column) = (place.line, place.column);
    }
    location
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
