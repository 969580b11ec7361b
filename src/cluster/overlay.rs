//! What a Flux Kustomization adds to the kustomization that it builds, as
//! `fluxcd/pkg/kustomize` writes it into the file (its generator, v1.35).

use serde_json::{Map, Value, json};

use super::kustomization::{self, KustomizationFile};

/// The fields of `spec` that become part of a kustomization.
const FIELDS: [&str; 10] = [
    "targetNamespace",
    "namePrefix",
    "nameSuffix",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "components",
    "ignoreMissingComponents",
    "images",
    "buildMetadata",
];

/// The part of `spec` that matters to a build. Two Kustomizations with the same one on
/// the same folder share a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay(Map<String, Value>);

impl Overlay {
    /// That of a `spec`.
    #[must_use]
    pub fn of(spec: &Map<String, Value>) -> Self {
        let spec = spec.iter();
        let part = spec.filter(|(name, value)| FIELDS.contains(&name.as_str()) && !value.is_null());
        let part = part.map(|(name, value)| (name.clone(), value.clone()));
        let mut part: Vec<(String, Value)> = part.collect();
        part.sort_by(|a, b| a.0.cmp(&b.0));
        Self(part.into_iter().collect())
    }

    /// A text that is the same for equal ones.
    #[must_use]
    pub fn key(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// The components that it adds.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let components = self.list("components").iter();
        components.filter_map(Value::as_str)
    }

    /// Whether components that are missing are left out.
    #[must_use]
    pub fn ignores_missing_components(&self) -> bool {
        self.0.get("ignoreMissingComponents") == Some(&Value::Bool(true))
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Adds it to a kustomization. Of its components those count that `has` knows.
    ///
    /// # Errors
    /// A component that is not local and relative.
    pub fn apply(
        &self,
        file: &mut KustomizationFile,
        has: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        for (from, to) in [
            ("targetNamespace", "namespace"),
            ("namePrefix", "namePrefix"),
            ("nameSuffix", "nameSuffix"),
        ] {
            if let Some(value) = self.0.get(from) {
                file.fields.insert(to.to_owned(), value.clone());
            }
        }
        for patch in self.list("patches") {
            let mut added = Map::new();
            added.insert("patch".to_owned(), patch["patch"].clone());
            if patch["target"].is_object() {
                added.insert("target".to_owned(), patch["target"].clone());
            }
            push(file, "patches", Value::Object(added));
        }
        for patch in self.list("patchesStrategicMerge") {
            push(
                file,
                "patchesStrategicMerge",
                Value::String(patch.to_string()),
            );
        }
        for patch in self.list("patchesJson6902") {
            let added = json!({"patch": patch["patch"].to_string(), "target": patch["target"]});
            push(file, "patchesJson6902", added);
        }
        for component in self.components() {
            if component.starts_with('/')
                || kustomization::is_url(component)
                || kustomization::is_remote(component)
            {
                return Err(format!(
                    "component `{component}` must be local and relative"
                ));
            }
            if self.ignores_missing_components() && !has(component) {
                continue;
            }
            push(file, "components", Value::String(component.to_owned()));
        }
        for image in self.list("images") {
            self.add_image(file, image);
        }
        let metadata = self.list("buildMetadata");
        if !metadata.is_empty() {
            let metadata = Value::Array(metadata.to_vec());
            file.fields.insert("buildMetadata".to_owned(), metadata);
        }
        Ok(())
    }

    fn add_image(&self, file: &mut KustomizationFile, image: &Value) {
        let text = |name: &str| image[name].as_str().unwrap_or_default();
        let images = file.fields.get_mut("images").and_then(Value::as_array_mut);
        let known = images.into_iter().flatten();
        let known = known.filter_map(Value::as_object_mut);
        let mut known =
            known.filter(|known| known.get("name").and_then(Value::as_str) == Some(text("name")));
        let Some(known) = known.next() else {
            return push(file, "images", image.clone());
        };
        if !text("newName").is_empty() {
            known.insert("newName".to_owned(), image["newName"].clone());
        }
        // Tag and digest take each other's place.
        if !text("newTag").is_empty() || !text("digest").is_empty() {
            for name in ["newTag", "digest"] {
                known.insert(name.to_owned(), Value::String(text(name).to_owned()));
            }
        }
    }
}

fn push(file: &mut KustomizationFile, field: &str, value: Value) {
    let list = file.fields.entry(field).or_insert(Value::Null);
    match list {
        Value::Array(list) => list.push(value),
        list => *list = Value::Array(vec![value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn an_overlay_goes_onto_what_is_there() {
        let spec: Map<String, Value> = api::read_text(
            "{path: ./a, targetNamespace: ns, nameSuffix: -x, components: [../c, ../gone], ignoreMissingComponents: true, patches: [{patch: p, target: {kind: K}}], images: [{name: a, newTag: '2'}, {name: b, newName: c}]}",
        )
        .expect("a spec");
        let mut file = KustomizationFile::parse(
            "namespace: old\nresources: [a.yaml]\npatches: [{patch: o}]\nimages: [{name: a, newName: z, digest: d}]\n",
        )
        .expect("a kustomization");
        let overlay = Overlay::of(&spec);
        overlay
            .apply(&mut file, |component| component == "../c")
            .expect("applied");
        let expected = json!({
            "namespace": "ns", "resources": ["a.yaml"],
            "patches": [{"patch": "o"}, {"patch": "p", "target": {"kind": "K"}}],
            "images": [{"name": "a", "newName": "z", "digest": "", "newTag": "2"}, {"name": "b", "newName": "c"}],
            "nameSuffix": "-x", "components": ["../c"],
        });
        assert_eq!(Value::Object(file.fields), expected);
        for component in ["/etc", "https://h/x", "github.com/a/b", "git@h:x"] {
            let mut spec = Map::new();
            spec.insert("components".to_owned(), json!([component]));
            let applied = Overlay::of(&spec).apply(&mut KustomizationFile::default(), |_| true);
            assert!(applied.is_err(), "{component}");
        }
    }
}
