//! Every image of a tree, and who updates it.
//!
//! [`inventory`] finds the images of each text, [`seen`] takes what a run knows of their
//! values, [`judge`] puts both together and gives each image exactly one state. Covered is
//! what is automated, pinned by digest, or excluded with a reason; see [`State::is_covered`].

mod charts;
mod container_file;
pub mod exclusion;
pub mod found;
pub mod inventory;
mod minimum;
pub mod seen;
pub mod tag;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use self::exclusion::{CoverageSettings, Excluded};
use self::found::{Found, InFile, Unknown, What};
use self::seen::{BoundValue, Dead, Seen, SeenFile, fixed};
use self::tag::{Standing, is_mutable};
use crate::finding::{Location, ResourceRef};
use crate::parallel;

pub use self::minimum::Minimum;

/// Every image of a tree, and who updates it; what `-o json` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// `flux-image.dev/v1alpha1`
    pub api_version: String,
    /// `Coverage`
    pub kind: String,
    /// The sums.
    pub summary: Summary,
    /// The images, by file, in the order of the text.
    pub items: Vec<CoverageItem>,
    /// What may name an image and was not looked at.
    pub left_out: Vec<LeftOut>,
}

/// How many images are in which state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All images.
    pub total: usize,
    /// Those that are automated, pinned or excluded.
    pub covered: usize,
    /// The share of those, in percent, rounded down to a tenth; 100 of no images.
    pub percent: f64,
    /// How many are in each state; all states are named.
    pub states: BTreeMap<State, usize>,
    /// How many places may name an image and were not looked at.
    pub left_out: usize,
}

/// What becomes of an image: the first that is true of it, in this order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A policy chooses it, and somebody carries that to the file.
    Automated,
    /// It is left alone on purpose, for a reason that is written down.
    Excluded,
    /// It belongs to a policy, and something keeps it from being changed.
    Held,
    /// A marker stands there and does nothing.
    DeadMarker,
    /// Its digest says which image it is.
    Pinned,
    /// Its tag is moved from image to image, or it has none.
    Mutable,
    /// It has a fixed tag, and nobody updates that.
    #[default]
    Forgotten,
}

impl State {
    /// All states, in their order.
    pub const ALL: [Self; 7] = [
        Self::Automated,
        Self::Excluded,
        Self::Held,
        Self::DeadMarker,
        Self::Pinned,
        Self::Mutable,
        Self::Forgotten,
    ];

    /// Whether somebody looks after an image in this state.
    #[must_use]
    pub fn is_covered(self) -> bool {
        matches!(self, Self::Automated | Self::Excluded | Self::Pinned)
    }

    /// A word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Automated => "automated",
            Self::Excluded => "excluded",
            Self::Held => "held",
            Self::DeadMarker => "dead marker",
            Self::Pinned => "pinned",
            Self::Mutable => "mutable tag",
            Self::Forgotten => "forgotten",
        }
    }

    /// What it means, in a sentence's part.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Automated => "a policy chooses it and an automation carries it",
            Self::Excluded => "left alone on purpose",
            Self::Held => "it has a policy, and something holds it back",
            Self::DeadMarker => "a marker is there and does nothing",
            Self::Pinned => "its digest says which image it is, and it has no policy",
            Self::Mutable => "its tag moves, or it has none",
            Self::Forgotten => "a fixed tag that nobody updates",
        }
    }
}

/// An image of the tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverageItem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The resource; absent in files that are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceRef>,
    /// The field, as `spec.containers[0].image`, `FROM` or `COPY --from`.
    pub field: String,
    /// `image`, `base image`, `chart` or `artifact`.
    pub kind: String,
    /// The image.
    pub image: CoveredImage,
    /// What becomes of it.
    pub state: State,
    /// Why, where the state does not say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The policies that it belongs to, and who carries those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<CarriedBy>,
    /// How many tags are later: of those that the policy admits, or of the same form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<usize>,
    /// The latest of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
}

/// An image in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoveredImage {
    /// Its name as it is written; empty where the values of a chart only say the tag.
    pub name: String,
    /// Its tag, or a chart's version or range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where a chart is from: the URL of its HelmRepository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Who updates an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CarriedBy {
    /// The ImagePolicy, `namespace:name`.
    pub policy: String,
    /// The ImageUpdateAutomation, `namespace:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation: Option<String>,
    /// The cluster, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// Something that may name an image and was not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// The line; 0 for the file as a whole.
    pub line: usize,
    /// The field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Why.
    pub why: String,
}

impl CoverageItem {
    /// The image as one text: `name:tag@digest`, with a short digest.
    #[must_use]
    pub fn shown(&self) -> String {
        let image = &self.image;
        let mut out = image.name.clone();
        if let Some(tag) = &image.tag {
            out.push_str(if self.kind == What::Chart.word() {
                " "
            } else {
                ":"
            });
            out.push_str(tag);
        }
        if let Some(digest) = &image.digest {
            out.push('@');
            out.extend(digest.chars().take(19));
        }
        out
    }

    /// Where it is, as `file:line`.
    #[must_use]
    pub fn at(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// What there is to say beside the state: who updates it, or why nobody does, and how far
    /// it is behind.
    #[must_use]
    pub fn told(&self) -> String {
        let mut said: Vec<String> = Vec::new();
        if self.state == State::Automated {
            said.extend(self.by.iter().map(CarriedBy::told));
        } else if !self.why.is_empty() {
            said.push(self.why.clone());
        }
        if let (Some(behind), Some(newest)) = (self.behind, &self.newest) {
            said.push(match behind {
                0 => "newest".to_owned(),
                behind => format!("{behind} newer, up to {newest}"),
            });
        }
        said.join("; ")
    }
}

impl CarriedBy {
    fn told(&self) -> String {
        let mut said = self.policy.clone();
        if let Some(automation) = &self.automation {
            said.push_str(" by ");
            said.push_str(automation);
        }
        if let Some(cluster) = &self.cluster {
            said.push_str(" in ");
            said.push_str(cluster);
        }
        said
    }
}

/// Gives every image of some files its state. `seen` is what each cluster sees of them.
#[must_use]
pub fn judge(
    files: &[InFile],
    seen: &[Seen],
    settings: &CoverageSettings,
    today: Date,
) -> Coverage {
    let charts = ChartUrls::of(files);
    let judge = Judge {
        seen,
        settings,
        today,
        charts: &charts,
    };
    let of_chunk = |chunk: &[InFile]| -> Vec<CoverageItem> {
        chunk.iter().flat_map(|file| judge.file(file)).collect()
    };
    let items = parallel::map(files, &of_chunk);
    let unknown = files.iter().flat_map(|file| &file.unknown);
    let left_out: Vec<LeftOut> = unknown
        .map(|one| LeftOut {
            file: one.location.file.clone(),
            line: one.location.line,
            field: one.location.field.clone(),
            why: Unknown::words(one.why).to_owned(),
        })
        .collect();
    Coverage {
        api_version: "flux-image.dev/v1alpha1".to_owned(),
        kind: "Coverage".to_owned(),
        summary: Summary::of(&items, left_out.len()),
        items,
        left_out,
    }
}

impl Summary {
    fn of(items: &[CoverageItem], left_out: usize) -> Self {
        let mut states: BTreeMap<State, usize> = State::ALL.map(|state| (state, 0)).into();
        for item in items {
            *states.entry(item.state).or_default() += 1;
        }
        let covered = states.iter().filter(|(state, _)| state.is_covered());
        let covered: usize = covered.map(|(_, count)| count).sum();
        let total = items.len();
        let tenths = (covered * 1000).checked_div(total).unwrap_or(1000);
        Self {
            total,
            covered,
            percent: u32::try_from(tenths).map_or(0.0, f64::from) / 10.0,
            states,
            left_out,
        }
    }
}

/// The URLs of the HelmRepositories of a tree.
struct ChartUrls<'f>(HashMap<&'f str, Vec<(&'f str, &'f str)>>);

impl<'f> ChartUrls<'f> {
    fn of(files: &'f [InFile]) -> Self {
        let mut urls: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
        for (source, url) in files.iter().flat_map(|file| &file.repositories) {
            let alike = urls.entry(&source.name).or_default();
            alike.push((&source.namespace, url));
        }
        for alike in urls.values_mut() {
            alike.sort_unstable();
            alike.dedup();
        }
        Self(urls)
    }

    /// The URL of a chart's source: of its namespace, or the only one of its name, since a
    /// kustomization may set namespaces.
    fn get(&self, found: &Found) -> Option<&'f str> {
        let source = found.source.as_ref()?;
        let alike = self.0.get(source.name.as_str())?;
        let namespace = source.namespace.as_str();
        let first = alike.partition_point(|(of, _)| *of < namespace);
        let near = alike.get(first).filter(|(of, _)| *of == namespace);
        let only = || {
            let (_, url) = alike.first()?;
            let is_one = alike.iter().take(64).all(|(_, other)| other == url);
            (is_one && alike.len() <= 64).then_some(url)
        };
        near.map(|(_, url)| url).or_else(only).copied()
    }
}

struct Judge<'j> {
    seen: &'j [Seen],
    settings: &'j CoverageSettings,
    today: Date,
    charts: &'j ChartUrls<'j>,
}

impl Judge<'_> {
    /// The images of a file: those that were found, and other values that are marked.
    fn file(&self, file: &InFile) -> Vec<CoverageItem> {
        let seen = self.seen.iter();
        let seen: Vec<&SeenFile> = seen.filter_map(|one| one.files.get(&file.file)).collect();
        let mut taken: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut lines: BTreeSet<usize> = BTreeSet::new();
        let mut items = Vec::new();
        for found in &file.found {
            let location = &found.location;
            let mut places = vec![(location.line, location.column)];
            places.extend(found.parts.iter().map(|place| (place.line, place.column)));
            if !taken.insert(places[0]) {
                continue;
            }
            taken.extend(&places);
            lines.extend(places.iter().map(|(line, _)| *line));
            items.push(self.item(found, &places, file, &seen));
        }
        let bound = seen.iter().flat_map(|seen| &seen.bound);
        let mut others: BTreeMap<(usize, usize), Found> = BTreeMap::new();
        for (place, values) in bound.filter(|(place, _)| !taken.contains(place)) {
            if let Some(value) = values.first() {
                others.entry(*place).or_insert_with(|| marked(value));
            }
        }
        lines.extend(others.keys().map(|(line, _)| *line));
        let dead = seen.iter().flat_map(|seen| &seen.dead);
        for (line, markers) in dead.filter(|(line, _)| !lines.contains(line)) {
            if let Some(marker) = markers.first() {
                let place = (*line, marker.location.column);
                others.entry(place).or_insert_with(|| unnamed(marker));
            }
        }
        for (place, found) in &others {
            items.push(self.item(found, &[*place], file, &seen));
        }
        items.sort_by_key(|item| (item.line, item.column));
        items
    }

    fn item(
        &self,
        found: &Found,
        places: &[(usize, usize)],
        file: &InFile,
        seen: &[&SeenFile],
    ) -> CoverageItem {
        let location = &found.location;
        let from = self.charts.get(found);
        let mut item = CoverageItem {
            file: location.file.clone(),
            line: location.line,
            column: location.column,
            resource: (location.resource.clone()).filter(|resource| !resource.kind.is_empty()),
            field: location.field.clone(),
            kind: found.what.word().to_owned(),
            image: CoveredImage {
                name: match found.what {
                    What::Chart => charts::with_url(&found.name, from),
                    _ => found.name.clone(),
                },
                tag: found.tag.clone(),
                digest: found.digest.clone(),
                from: from.map(str::to_owned),
            },
            ..CoverageItem::default()
        };
        let bound = seen.iter().flat_map(|seen| {
            let values = places.iter().filter_map(|place| seen.bound.get(place));
            values.flatten()
        });
        let bound: Vec<&BoundValue> = bound.collect();
        let standing = bound.iter().find_map(|value| value.standing.as_ref());
        let standing = standing.or_else(|| self.later(found, &bound));
        item.behind = standing.map(|standing| standing.behind);
        item.newest = standing.map(|standing| standing.newest.clone());
        let excluded = self.excluded(&item, places, file);
        let mut dead = seen.iter().flat_map(|seen| {
            let markers = places.iter().filter_map(|(line, _)| seen.dead.get(line));
            markers.flatten()
        });
        (item.state, item.why) = state(found, &bound, excluded.as_ref(), dead.next());
        let shown = bound
            .iter()
            .filter(|value| item.state != State::Automated || value.held.is_empty());
        let by: BTreeSet<CarriedBy> = shown.map(|value| carried_by(value)).collect();
        item.by = by.into_iter().collect();
        item
    }

    /// How an image without a policy stands.
    fn later(&self, found: &Found, bound: &[&BoundValue]) -> Option<&Standing> {
        if !bound.is_empty() {
            return None;
        }
        let (_, canonical, tag) = fixed(found)?;
        let key = (canonical, tag.to_owned());
        self.seen.iter().find_map(|seen| seen.later.get(&key))
    }

    fn excluded(
        &self,
        item: &CoverageItem,
        places: &[(usize, usize)],
        file: &InFile,
    ) -> Option<Excluded> {
        let lines = places.iter().map(|(line, _)| *line);
        let mut comments = lines.filter_map(|line| file.comments.excludes(line, self.today));
        let comment = comments.next();
        if matches!(comment, Some(Excluded::Yes(_))) {
            return comment;
        }
        let set = (self.settings).excludes(&file.path, &item.image.name, self.today);
        match (&set, &comment) {
            (Some(Excluded::Yes(_)), _) | (_, None) => set,
            _ => comment,
        }
    }
}

/// The state of an image, and why.
fn state(
    found: &Found,
    bound: &[&BoundValue],
    excluded: Option<&Excluded>,
    dead: Option<&Dead>,
) -> (State, String) {
    if bound.iter().any(|value| value.held.is_empty()) {
        return (State::Automated, String::new());
    }
    let lost = match excluded {
        Some(Excluded::Yes(reason)) => return (State::Excluded, reason.clone()),
        Some(Excluded::Expired(said)) => Some(said.clone()),
        Some(Excluded::Unusable(why)) => Some((*why).to_owned()),
        None => None,
    };
    let (state, why) = if !bound.is_empty() {
        let reasons: BTreeSet<&String> = bound.iter().flat_map(|value| &value.held).collect();
        let reasons: Vec<&str> = reasons.into_iter().map(String::as_str).take(4).collect();
        (State::Held, reasons.join("; "))
    } else if let Some(dead) = dead {
        (State::DeadMarker, dead.why.clone())
    } else if found.digest.is_some() {
        (State::Pinned, String::new())
    } else if found.is_range {
        let why = match &found.tag {
            Some(_) => "a range of versions",
            None => "no version: the newest is taken",
        };
        (State::Mutable, why.to_owned())
    } else if is_mutable(found.tag.as_deref()) {
        let why = match found.tag {
            Some(_) => "",
            None => "no tag: `latest` is taken",
        };
        (State::Mutable, why.to_owned())
    } else {
        (State::Forgotten, String::new())
    };
    let why: Vec<String> = [Some(why), lost]
        .into_iter()
        .flatten()
        .filter(|said| !said.is_empty())
        .collect();
    (state, why.join("; "))
}

fn carried_by(value: &BoundValue) -> CarriedBy {
    CarriedBy {
        policy: value.policy.clone(),
        automation: value.automation.clone(),
        cluster: value.cluster.clone(),
    }
}

/// A marked value at a place where no image was looked for.
fn marked(value: &BoundValue) -> Found {
    Found {
        location: value.location.clone(),
        name: value.image.clone(),
        tag: value.tag.clone(),
        ..Found::default()
    }
}

/// A marker that does nothing, at a place where no image was found.
fn unnamed(marker: &Dead) -> Found {
    Found {
        location: Location {
            field: marker.location.field.clone(),
            ..marker.location.clone()
        },
        ..Found::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ExclusionSpec;

    #[test]
    fn settings_exclude_by_path_and_name() {
        let text = "a: {image: ghcr.io/acme/app:1.0.0}\nb: {image: ghcr.io/other/app:1.0.0}\n";
        let outline = crate::resource_list::read(text).expect("YAML");
        let file = InFile {
            path: "apps/old/a.yaml".to_owned(),
            ..inventory::of_text("../old/a.yaml", text, &outline)
        };
        let spec = ExclusionSpec {
            image: Some("ghcr.io/acme/*".to_owned()),
            path: Some("apps/old".to_owned()),
            reason: "goes away".to_owned(),
            until: None,
        };
        let settings = CoverageSettings::of(&[spec]).expect("globs");
        let today = jiff::civil::date(2026, 11, 26);
        let coverage = judge(&[file], &[], &settings, today);
        let states: Vec<State> = coverage.items.iter().map(|item| item.state).collect();
        assert_eq!(states, [State::Excluded, State::Forgotten]);
        assert_eq!(coverage.items[0].why, "goes away");
        assert_eq!(coverage.summary.percent, 50.0);
    }
}
