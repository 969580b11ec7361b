//! Message templates that use what Flux 2.7 has removed, written anew: where a message of
//! changes to different images stays the same, word for word.

use crate::api::Id;
use crate::commit::data::{Changed, Data, SeenChange};
use crate::commit::render::{self, MessageError};
use crate::finding::ResourceRef;
use crate::policy::reflect::ImageRef;
use go_template::time::Time;
use jiff::Timestamp;

/// What stood there, and what stands in its place.
pub const REPLACEMENTS: &[(&str, &str)] = &[
    (".Changed.ImageResult.Files", ".Changed.FileChanges"),
    (".Changed.ImageResult.Objects", ".Changed.Objects"),
    (".Changed.ImageResult.Images", ".Changed.Changes"),
    (".Updated.Files", ".Changed.FileChanges"),
    (".Updated.Objects", ".Changed.Objects"),
    (".Updated.Images", ".Changed.Changes"),
    ("{{.}}", "{{.NewValue}}"),
    ("{{ . }}", "{{ .NewValue }}"),
    ("{{- . }}", "{{- .NewValue }}"),
    ("{{ . -}}", "{{ .NewValue -}}"),
    ("{{- . -}}", "{{- .NewValue -}}"),
    ("{{ println . }}", "{{ println .NewValue }}"),
    ("{{println .}}", "{{println .NewValue}}"),
];

/// A text in which everything is replaced.
#[must_use]
pub fn replaced(text: &str) -> String {
    let pairs = REPLACEMENTS.iter();
    pairs.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Whether a template that Flux refuses for what it has removed says the same as before
/// once it is [`replaced`].
#[must_use]
pub fn is_safe(template: &str) -> bool {
    let changed = sample();
    let automation = Id::new("flux-system", "flux-system");
    let render = |template: &str, legacy| {
        let data = Data {
            automation: &automation,
            changed: &changed,
            values: None,
            legacy,
        };
        render::message(template, &data, &Time::utc(Timestamp::UNIX_EPOCH))
    };
    let is_removed = matches!(render(template, false), Err(MessageError::Removed(_)));
    let (before, after) = (render(template, true), render(&replaced(template), false));
    is_removed && before.is_ok() && before.ok() == after.ok()
}

/// Two images in two resources of two files.
fn sample() -> Changed {
    let mut changed = Changed::default();
    for (file, name) in [("apps/a.yaml", "a"), ("apps/b.yaml", "b")] {
        let object = ResourceRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: name.to_owned(),
            namespace: "apps".to_owned(),
        };
        let image = ImageRef {
            name: format!("ghcr.io/acme/{name}"),
            tag: "1.1.0".to_owned(),
            digest: None,
        };
        let change = SeenChange {
            old: format!("ghcr.io/acme/{name}:1.0.0"),
            new: image.to_string(),
            setter: format!("flux-system:{name}"),
            image: Some(image),
        };
        changed.add(file, object, change);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_says_the_same_is_written_anew() {
        for template in [
            "{{ range .Updated.Images -}}\n- {{ . }}\n{{ end -}}",
            "{{range .Updated.Images}}{{println .}}{{end}}",
            "Files:\n{{ range $file, $_ := .Updated.Files }}- {{ $file }}\n{{ end }}",
            "{{ range $resource, $images := .Changed.ImageResult.Objects }}{{ $resource.Kind }} {{ $resource.Name }}: {{ range $images }}{{ . }} {{ end }}{{ end }}",
        ] {
            assert!(is_safe(template), "{template}");
            assert!(!is_safe(&replaced(template)), "nothing is left to be done");
        }
        for template in [
            "{{ range .Changed.Changes }}{{ .NewValue }}{{ end }}",
            "{{ range .Updated.Images }}{{ .Repository }}{{ end }}",
            "{{ .Updated",
            "{{ with .Updated }}{{ len .Images }}{{ end }}",
        ] {
            assert!(!is_safe(template), "{template}");
        }
    }
}
