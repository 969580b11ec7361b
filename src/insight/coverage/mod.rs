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
mod layers;
mod minimum;
pub mod seen;
pub mod tag;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use self::exclusion::{CoverageSettings, Excluded};
use self::found::{Found, InFile, Unknown, What};
use self::layers::Layers;
use self::seen::{BoundValue, Dead, Seen, SeenFile, fixed};
use self::tag::{Standing, is_mutable};
use crate::finding::{Code, Finding, Location, ResourceRef};
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
    /// What may name an image and was not looked at, and what is not counted.
    pub left_out: Vec<LeftOut>,
    /// Exclusions that exclude nothing.
    #[serde(skip)]
    #[schemars(skip)]
    pub findings: Vec<Finding>,
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
    /// How many places may name an image and were not looked at or not counted.
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
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The last day on which its exclusion counts, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The policies that it belongs to, and who carries those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

/// Something that may name an image and was not looked at, or is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// The line; 0 for the file as a whole.
    pub line: usize,
    /// The field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Why.
    pub why: String,
    /// Where what it lacks is set, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
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
            said.push(match &self.until {
                Some(day) => format!("{} (until {day})", self.why),
                None => self.why.clone(),
            });
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
    let (charts, layers) = (ChartUrls::of(files), Layers::of(files));
    let judge = Judge {
        seen,
        settings,
        today,
        charts: &charts,
        layers: &layers,
    };
    let of_chunk =
        |chunk: &[InFile]| -> Vec<OfFile> { chunk.iter().map(|file| judge.file(file)).collect() };
    let (mut items, mut left_out) = (Vec::new(), Vec::new());
    let (mut findings, mut used) = (Vec::new(), BTreeSet::new());
    for (file, of) in files.iter().zip(parallel::map(files, &of_chunk)) {
        let unknown = file.unknown.iter();
        left_out.extend(unknown.map(|one| left_out_of(&one.location, Unknown::words(one.why))));
        items.extend(of.items);
        left_out.extend(of.left_out);
        findings.extend(of.unused);
        used.extend(of.used);
    }
    findings.extend(settings.unused(&used));
    Coverage {
        api_version: "flux-image.dev/v1alpha1".to_owned(),
        kind: "Coverage".to_owned(),
        summary: Summary::of(&items, left_out.len()),
        items,
        left_out,
        findings,
    }
}

fn left_out_of(location: &Location, why: &str) -> LeftOut {
    LeftOut {
        file: location.file.clone(),
        line: location.line,
        field: location.field.clone(),
        why: why.to_owned(),
        set_by: None,
    }
}

/// What there is to say of a file.
#[derive(Default)]
struct OfFile {
    items: Vec<CoverageItem>,
    left_out: Vec<LeftOut>,
    /// Comments that exclude nothing.
    unused: Vec<Finding>,
    /// The exclusions of settings that fit something.
    used: BTreeSet<usize>,
    /// The lines of its images.
    lines: BTreeSet<usize>,
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
    layers: &'j Layers<'j>,
}

/// Why an image is not counted of which a kustomization, or a patch, sets what it lacks.
pub const SET_ELSEWHERE: &str = "with a tag or version that an overlay sets";

/// Why a marker is not counted that has no value.
pub const NO_VALUE: &str = "marker without a value";

impl Judge<'_> {
    /// The images of a file: those that were found, and other values that are marked.
    fn file(&self, file: &InFile) -> OfFile {
        let seen = self.seen.iter();
        let seen: Vec<&SeenFile> = seen.filter_map(|one| one.files.get(&file.file)).collect();
        let mut taken: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut of = OfFile::default();
        let versions: Vec<Found> = self.layers.versions(file).collect();
        for found in file.found.iter().chain(&versions) {
            let places = places_of(found);
            if !taken.insert(places[0]) {
                continue;
            }
            taken.extend(&places);
            of.lines.extend(places.iter().map(|(line, _)| *line));
            of.lines.extend(&found.name_lines);
            let item = self.item(found, &places, file, (&seen, &mut of.used));
            let set_by = match item.state {
                State::Mutable => self.layers.set_by(file, found),
                _ => None,
            };
            match set_by {
                Some(by) => of.left_out.push(LeftOut {
                    set_by: Some(format!("{}:{}", by.file, by.line)),
                    ..left_out_of(&found.location, SET_ELSEWHERE)
                }),
                None => of.items.push(item),
            }
        }
        self.others(file, (&seen, &taken), &mut of);
        of.items.sort_by_key(|item| (item.line, item.column));
        // What may name an image may be excluded.
        let unknown = file.unknown.iter().map(|one| one.location.line);
        of.lines.extend(unknown);
        of.unused = unused_comments(file, &of.lines);
        of
    }

    /// Marked values where no image was looked for.
    fn others(
        &self,
        file: &InFile,
        (seen, taken): (&[&SeenFile], &BTreeSet<(usize, usize)>),
        of: &mut OfFile,
    ) {
        let bound = seen.iter().flat_map(|seen| &seen.bound);
        let mut others: BTreeMap<(usize, usize), Found> = BTreeMap::new();
        // Tag and digest of one image are one.
        let mut alike: HashMap<String, (usize, usize)> = HashMap::new();
        for (place, values) in bound.filter(|(place, _)| !taken.contains(place)) {
            let Some(value) = values.first() else {
                continue;
            };
            of.lines.insert(place.0);
            let first = *alike.entry(part_of(value)).or_insert(*place);
            let known = others.entry(first).or_insert_with(|| marked(value));
            if first != *place {
                known.parts.push(yaml_edit_spans::Place {
                    line: place.0,
                    column: place.1,
                });
                known.tag = known.tag.take().or_else(|| value.tag.clone());
            }
        }
        let dead = seen.iter().flat_map(|seen| &seen.dead);
        for (line, markers) in dead.filter(|(line, _)| !of.lines.contains(line)) {
            let Some(marker) = markers.first() else {
                continue;
            };
            let is_lone = file.lone_markers.contains(line);
            if is_lone && of.lines.contains(&(line + 1)) {
                // Told of the image below it.
            } else if is_lone {
                of.left_out.push(left_out_of(&marker.location, NO_VALUE));
            } else {
                let place = (*line, marker.location.column);
                others.entry(place).or_insert_with(|| unnamed(marker));
            }
        }
        for found in others.values() {
            let item = self.item(found, &places_of(found), file, (seen, &mut of.used));
            of.lines.insert(item.line);
            of.items.push(item);
        }
    }

    fn item(
        &self,
        found: &Found,
        places: &[(usize, usize)],
        file: &InFile,
        (seen, used): (&[&SeenFile], &mut BTreeSet<usize>),
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
        let fitting = self.settings.fitting(&file.path, &item.image.name);
        let lines: Vec<usize> = places.iter().map(|(line, _)| *line).collect();
        let excluded = self.excluded((found, &lines), &fitting, file);
        used.extend(fitting);
        let dead = dead_at(seen, &lines, &file.lone_markers);
        (item.state, item.why) = state(found, &bound, excluded.as_ref(), dead);
        if let (State::Excluded, Some(Excluded::Yes(_, until))) = (item.state, &excluded) {
            item.until = until.map(|day| day.to_string());
        }
        let is_idle = matches!(item.state, State::Mutable | State::Forgotten);
        if is_idle && file.is_generated {
            (item.state, item.why) = (State::Excluded, GENERATED.to_owned());
        }
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
        (found, lines): (&Found, &[usize]),
        fitting: &[usize],
        file: &InFile,
    ) -> Option<Excluded> {
        let lines = lines.iter().chain(&found.name_lines);
        let mut comments = lines.filter_map(|line| file.comments.excludes(*line, self.today));
        let comment = comments.next();
        if matches!(comment, Some(Excluded::Yes(..))) {
            return comment;
        }
        let set = self.settings.said_of(fitting, self.today);
        match (&set, &comment) {
            (Some(Excluded::Yes(..)), _) | (_, None) => set,
            _ => comment,
        }
    }
}

/// Why an image of a file is left alone that a program writes.
const GENERATED: &str = "in a file that a program writes (`DO NOT EDIT`)";

/// Where an image and parts of it stand.
fn places_of(found: &Found) -> Vec<(usize, usize)> {
    let location = &found.location;
    let mut places = vec![(location.line, location.column)];
    places.extend(found.parts.iter().map(|place| (place.line, place.column)));
    places
}

/// A marker that does nothing on one of some lines, or on a line of its own above one.
fn dead_at<'s>(seen: &[&'s SeenFile], lines: &[usize], lone: &BTreeSet<usize>) -> Option<&'s Dead> {
    let on_line =
        |seen: &&'s SeenFile, line: usize| seen.dead.get(&line).and_then(|all| all.first());
    let mut all = seen.iter().flat_map(|seen| {
        lines.iter().filter_map(|line| {
            let above = || {
                on_line(
                    seen,
                    line.checked_sub(1).filter(|line| lone.contains(line))?,
                )
            };
            on_line(seen, *line).or_else(above)
        })
    });
    all.next()
}

/// The image that a marked value is a part of, by its field.
fn part_of(value: &BoundValue) -> String {
    let location = &value.location;
    let field = location.field.as_str();
    let above = match field.rsplit_once('.') {
        Some((above, "tag" | "newTag" | "digest")) => above,
        _ => return location.to_string(),
    };
    format!("{:?} {above} {}", location.resource, value.policy)
}

/// Comments of a file that should exclude something and are about no image.
fn unused_comments(file: &InFile, lines: &BTreeSet<usize>) -> Vec<Finding> {
    let finding = |line: usize| {
        let place = yaml_edit_spans::Place { line, column: 1 };
        let message = "this comment excludes nothing: no image was found on its line, or on the line below it";
        let location = Location::new(&file.file, place);
        let finding = Finding::warning(Code::UnusedExclusion, message, location);
        finding.hint("write it behind the image, its tag or its name")
    };
    file.comments.unused(lines).map(finding).collect()
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
        Some(Excluded::Yes(reason, _)) => return (State::Excluded, reason.clone()),
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
            None => "no version is written: the newest is taken, unless a patch sets one",
        };
        (State::Mutable, why.to_owned())
    } else if is_mutable(found.tag.as_deref()) {
        let why = match found.tag {
            Some(_) => "",
            None => "no tag is written: `latest` is taken, unless a kustomization sets one",
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
