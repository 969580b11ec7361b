//! functionConfig: from what was passed to options that are valid.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::api::{
    self, Bind, BindingSpec, Emit, ImageFieldSpec, ImageUpdateSpec, Kind, Mode, OnUnresolved,
    TagSource, TargetSpec,
};
use crate::binding::bindings::{BindingConfig, FieldBinding};
use crate::binding::image::ImageFieldRule;
use crate::binding::marker::MarkerTarget;
use crate::binding::path::FieldPath;
use crate::documents::Provenance;
use crate::documents::builder::Builder;
use crate::finding::{Code, Finding, Location, Severity};
use crate::resource_list::Object;

/// Options of a run, valid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The options.
    pub spec: ImageUpdateSpec,
    /// Only policies of this namespace count.
    pub namespace: Option<String>,
    /// Nothing is to be changed: an ImageUpdateAutomation that is suspended.
    pub is_suspended: bool,
    /// `bind`, `bindings` and `imageFields`.
    pub bindings: BindingConfig,
    /// What a build notes of the file that the functionConfig comes from.
    pub origin: Option<String>,
}

impl TryFrom<ImageUpdateSpec> for Settings {
    type Error = String;

    /// Options of an ImageUpdate. What is wrong with one of its paths or names
    /// is the error.
    fn try_from(spec: ImageUpdateSpec) -> Result<Self, String> {
        let at = |list: &'static str, number: usize| {
            move |why: String| format!("functionConfig: {list}[{number}]: {why}")
        };
        let fields = spec.bindings.iter().enumerate();
        let fields = fields.map(|(n, one)| field_binding(one).map_err(at("bindings", n)));
        let images = spec.image_fields.iter().enumerate();
        let images = images.map(|(n, one)| image_field(one).map_err(at("imageFields", n)));
        Ok(Self {
            bindings: BindingConfig {
                bind: spec.bind,
                fields: fields.collect::<Result<_, _>>()?,
                image_fields: images.collect::<Result<_, _>>()?,
            },
            spec,
            ..Self::default()
        })
    }
}

fn field_binding(spec: &BindingSpec) -> Result<FieldBinding, String> {
    if MarkerTarget::parse(&spec.policy).is_none() {
        return Err(format!(
            "`policy` is `{}`; write `namespace:name`, or `namespace:name:tag`, `…:name` or `…:digest` for a part",
            spec.policy
        ));
    }
    let target = &spec.target;
    if *target == TargetSpec::default() {
        return Err("`target` selects nothing; name a `kind` and a `name`".to_owned());
    }
    Ok(FieldBinding {
        target: target.clone(),
        field: FieldPath::parse(&spec.field).map_err(|error| format!("`field`: {error}"))?,
        setter: spec.policy.clone(),
    })
}

fn image_field(spec: &ImageFieldSpec) -> Result<ImageFieldRule, String> {
    if spec.kind.is_empty() {
        return Err("`kind` is missing".to_owned());
    }
    Ok(ImageFieldRule {
        group: spec.group.clone(),
        version: spec.version.clone(),
        kind: spec.kind.clone(),
        path: FieldPath::parse(&spec.path).map_err(|error| format!("`path`: {error}"))?,
    })
}

/// Makes options of a functionConfig: an ImageUpdate, a ConfigMap with the same
/// keys as strings, or an ImageUpdateAutomation. Documents in it go to
/// `builder`.
///
/// # Errors
/// What is wrong with it, as findings.
pub fn read(
    text: &str,
    object: &Object,
    provenance: Provenance<'_>,
    builder: &mut Builder,
) -> Result<Settings, Vec<Finding>> {
    let location = Location::new(provenance.file, object.place);
    let refuse =
        |message: String| vec![Finding::error(Code::BadDocument, message, location.clone())];
    match Kind::of(object) {
        Some(kind @ (Kind::Update | Kind::Automation)) => {
            let reading = api::read(text, object, kind);
            let settings = match &reading {
                Ok(reading) => settings_of(&reading.document).map_err(refuse)?,
                Err(_) => Settings::default(),
            };
            let findings = builder.add_reading(object, reading, provenance);
            let is_error = |finding: &Finding| finding.severity == Severity::Error;
            if findings.iter().any(is_error) {
                return Err(findings);
            }
            builder.note(findings);
            Ok(settings)
        }
        None if object.kind == "ConfigMap" && object.api_version == "v1" => {
            let spec = config_map(text, object).and_then(checked).map_err(refuse)?;
            builder.add_options(&spec, &location, provenance.rank);
            spec.try_into().map_err(refuse)
        }
        _ => Err(refuse(format!(
            "functionConfig is a `{}` of `{}`; give an ImageUpdate of `{}/v1alpha1`, a ConfigMap or an ImageUpdateAutomation",
            object.kind,
            object.api_version,
            api::OWN_GROUP
        ))),
    }
}

fn settings_of(document: &api::Document) -> Result<Settings, String> {
    match document {
        api::Document::Update(update) => update.spec.clone().try_into(),
        api::Document::Automation(automation) => {
            let spec = &automation.spec;
            spec.check_strategy().map_err(|error| {
                format!(
                    "ImageUpdateAutomation `{}`: {error}",
                    automation.metadata.name
                )
            })?;
            Ok(Settings {
                spec: ImageUpdateSpec {
                    policy_selector: spec.policy_selector.clone(),
                    ..ImageUpdateSpec::default()
                },
                namespace: automation.metadata.namespace.clone(),
                is_suspended: spec.suspend,
                ..Settings::default()
            })
        }
        _ => Ok(Settings::default()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: BTreeMap<String, ConfigMapValue>,
}

/// Orchestrators that make the ConfigMap of flags may leave out the quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum ConfigMapValue {
    Text(String),
    Flag(bool),
}

/// Options whose documents a cluster could hold.
fn checked(spec: ImageUpdateSpec) -> Result<ImageUpdateSpec, String> {
    match api::fault_of_options(&spec) {
        None => Ok(spec),
        Some(api::FieldFault { field, message, .. }) => {
            let key = field.trim_start_matches("spec.");
            Err(format!("functionConfig: {key}: {message}"))
        }
    }
}

/// The same options, every value a string.
fn config_map(text: &str, object: &Object) -> Result<ImageUpdateSpec, String> {
    let map: ConfigMap = api::read_text(&object.own_text(text))
        .map_err(|message| format!("functionConfig cannot be read: {message}"))?;
    let mut spec = ImageUpdateSpec::default();
    for (key, value) in &map.data {
        let value = match value {
            ConfigMapValue::Text(text) => text.trim(),
            ConfigMapValue::Flag(true) => "true",
            ConfigMapValue::Flag(false) => "false",
        };
        match key.as_str() {
            "mode" => {
                let known = [("Update", Mode::Update), ("Check", Mode::Check)];
                spec.mode = word(key, value, &known)?;
            }
            "emit" => spec.emit = word(key, value, &[("All", Emit::All), ("None", Emit::None)])?,
            "bind" => {
                let known = [
                    ("Auto", Bind::Auto),
                    ("Markers", Bind::Markers),
                    ("Images", Bind::Images),
                    ("Origin", Bind::Origin),
                ];
                spec.bind = word(key, value, &known)?;
            }
            "imageFields" => spec.image_fields = nested(key, value)?,
            "bindings" => spec.bindings = nested(key, value)?,
            "onUnresolved" => {
                spec.on_unresolved = word(
                    key,
                    value,
                    &[("Fail", OnUnresolved::Fail), ("Warn", OnUnresolved::Warn)],
                )?;
            }
            "keepPolicies" => {
                spec.keep_policies = word(key, value, &[("true", true), ("false", false)])?
            }
            "tagsFrom" => {
                let known = [
                    ("Status", TagSource::Status),
                    ("Snapshot", TagSource::Snapshot),
                    ("Registry", TagSource::Registry),
                ];
                let entries = value
                    .split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                spec.tags_from = entries
                    .map(|entry| word(key, entry, &known))
                    .collect::<Result<_, _>>()?;
            }
            "policySelector" => spec.policy_selector = Some(nested(key, value)?),
            "repositories" => spec.repositories = nested(key, value)?,
            "policies" => spec.policies = nested(key, value)?,
            "snapshots" => spec.snapshots = nested(key, value)?,
            _ => return Err(format!("functionConfig has an unknown key `{key}`")),
        }
    }
    Ok(spec)
}

fn word<T: Copy>(key: &str, value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!(
            "functionConfig: `{key}` is `{value}`, and must be one of {}",
            names.join(", ")
        )
    })
}

fn nested<T: for<'de> Deserialize<'de>>(key: &str, value: &str) -> Result<T, String> {
    api::read_text(value)
        .map_err(|message| format!("functionConfig: `{key}` cannot be read: {message}"))
}
