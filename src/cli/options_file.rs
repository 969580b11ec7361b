//! `.flux-image.yaml` at the root of the work tree: options that commands share, where no
//! flag says otherwise. It is the word of whoever can write to the tree, and holds no
//! documents, no login and no path out of it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet};
use jiff::civil::Date;

use super::streams::{lists_all, say};
use crate::api::{Bind, ExclusionSpec, IgnoreSpec, ImageUpdateSpec};
use crate::binding::bindings::BindingConfig;
use crate::checkout::Request;
use crate::checkout::git::Repositories;
use crate::checkout::regular_file;
use crate::documents::builder::Builder;
use crate::documents::{Provenance, Rank};
use crate::finding::Location;
use crate::function::config;
use crate::insight::lint::{FileMatch, Ignores};
use crate::resource_list;

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
    /// Its exclusions, with their globs compiled once for all images.
    exclusions: Exclusions,
    /// Where it stands.
    location: Location,
}

/// Exclusions, compiled: an image is tried on the globs of all of them at once.
#[derive(Clone, Debug, Default)]
struct Exclusions {
    all: Vec<Exclusion>,
    images: GlobSet,
    /// The exclusion of each glob of `images`.
    of_glob: Vec<usize>,
    /// The exclusions that name no image.
    of_any: Vec<usize>,
}

/// What counts of an exclusion besides its image.
#[derive(Clone, Debug)]
struct Exclusion {
    path: Option<PathMatch>,
    until: Option<Date>,
}

impl Exclusions {
    fn of(specs: &[ExclusionSpec]) -> Result<Self, globset::Error> {
        let mut made = Self::default();
        let mut images = GlobSet::builder();
        for (at, one) in specs.iter().enumerate() {
            match &one.image {
                Some(image) => {
                    images.add(glob(image)?);
                    made.of_glob.push(at);
                }
                None => made.of_any.push(at),
            }
            made.all.push(Exclusion {
                path: one.path.as_deref().map(PathMatch::of),
                until: one.until,
            });
        }
        made.images = images.build()?;
        Ok(made)
    }

    fn is_match(&self, image: &str, file: &str, today: Date) -> bool {
        let of_image = self.images.matches(image).into_iter();
        let of_image = of_image.filter_map(|glob| self.of_glob.get(glob));
        let mut found = of_image
            .chain(&self.of_any)
            .filter_map(|at| self.all.get(*at));
        found.any(|one| {
            one.until.is_none_or(|until| until >= today)
                && one.path.as_ref().is_none_or(|path| path.is_match(file))
        })
    }
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
            return Ok(Self::default());
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
            exclusions: Exclusions::default(),
            bindings: settings.bindings,
            spec: settings.spec,
            location: Location::new(NAME, object.place),
        };
        file.check()?;
        file.exclusions = Exclusions::of(&file.spec.exclusions)
            .with_context(|| format!("{NAME}: `exclusions` cannot be compiled"))?;
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
            if !is_inside {
                bail!(
                    "{NAME}: `clusterPaths` has `{path}`, which is not below the root of the work tree"
                );
            }
        }
        let globs = spec
            .exclusions
            .iter()
            .flat_map(|one| [&one.image, &one.path]);
        let globs = globs.chain(spec.ignores.iter().map(|one| &one.path));
        for glob in globs.flatten() {
            matcher(glob).with_context(|| format!("{NAME}: `{glob}` is no glob"))?;
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
        for IgnoreSpec { code, path, reason } in &self.spec.ignores {
            let is_meant: FileMatch = match path {
                None => Box::new(|_| true),
                Some(path) => {
                    let (root, current) = (self.root.clone(), self.current.clone());
                    let is_of = PathMatch::of(path);
                    Box::new(move |file| is_of.is_match(&inside(&root, &current, file)))
                }
            };
            ignores.add(code, reason, self.location.clone(), is_meant);
        }
    }

    /// What it excludes.
    pub(super) fn exclusions(&self) -> &[ExclusionSpec] {
        &self.spec.exclusions
    }

    /// Whether it excludes an image in a file, on a day.
    pub(super) fn is_excluded(&self, image: &str, file: &str, today: Date) -> bool {
        let file = inside(&self.root, &self.current, file);
        self.exclusions.is_match(image, &file, today)
    }
}

/// A file as it is from the root of the work tree on.
fn inside(root: &Path, current: &Path, file: &str) -> String {
    let path = current.join(file);
    let path = path.strip_prefix(root).unwrap_or(&path);
    path.to_string_lossy().into_owned()
}

/// A glob of files, or the name of a folder that they are below.
#[derive(Clone, Debug)]
struct PathMatch {
    folder: String,
    glob: Option<GlobMatcher>,
}

impl PathMatch {
    fn of(path: &str) -> Self {
        let bare = path.trim_start_matches("./");
        Self {
            folder: format!("{}/", bare.trim_end_matches('/')),
            glob: matcher(bare).ok(),
        }
    }

    fn is_match(&self, file: &str) -> bool {
        let is_of_glob = || self.glob.as_ref().is_some_and(|glob| glob.is_match(file));
        file.starts_with(&self.folder) || is_of_glob()
    }
}

/// A glob: `*` for anything but a slash, `**` for anything.
fn matcher(text: &str) -> Result<GlobMatcher, globset::Error> {
    glob(text).map(|glob| glob.compile_matcher())
}

fn glob(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_holds_for_its_images_files_and_days() {
        let spec = |image: Option<&str>, path: Option<&str>, until: Option<Date>| ExclusionSpec {
            image: image.map(str::to_owned),
            path: path.map(str::to_owned),
            reason: "r".to_owned(),
            until,
        };
        let day = |day| Date::new(2026, 1, day).expect("a day");
        let exclusions = Exclusions::of(&[
            spec(Some("a.example/*"), None, None),
            spec(None, Some("legacy"), None),
            spec(Some("b.example/**"), Some("apps/*.yaml"), Some(day(10))),
        ])
        .expect("globs");
        for (image, file, today, expected) in [
            ("a.example/x", "x.yaml", 1, true),
            ("a.example/x/y", "x.yaml", 1, false),
            ("c.example/x", "legacy/deep/x.yaml", 1, true),
            ("b.example/x/y", "apps/x.yaml", 10, true),
            ("b.example/x/y", "apps/x.yaml", 11, false),
            ("b.example/x/y", "other/x.yaml", 10, false),
        ] {
            let is = exclusions.is_match(image, file, day(today));
            assert_eq!(is, expected, "{image} {file} {today}");
        }
    }
}
