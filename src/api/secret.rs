//! Secret, ServiceAccount and Namespace, as far as a login depends on them.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;

use super::meta::{LocalReference, Metadata};
use oci_tags::login;

/// A `v1` Secret. Its values are never printed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    /// Name and namespace.
    pub metadata: Metadata,
    /// `kubernetes.io/dockerconfigjson` and the like; `Opaque` where absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Values in base64.
    pub data: BTreeMap<String, Option<login::Secret>>,
    /// Values as they are; they go before those of `data`.
    pub string_data: BTreeMap<String, Option<login::Secret>>,
}

/// A value that is no text in base64. What it holds is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its `data` has a `{0}` that is not base64 of UTF-8 text")]
pub struct BadValue(String);

impl Secret {
    /// The value of the first of `keys` that is there, as a text.
    ///
    /// # Errors
    /// A value that is not base64 of UTF-8.
    pub fn value(&self, keys: &[&str]) -> Result<Option<login::Secret>, BadValue> {
        for key in keys {
            if let Some(Some(text)) = self.string_data.get(*key) {
                return Ok(Some(text.clone()));
            }
            if let Some(Some(encoded)) = self.data.get(*key) {
                // As in Go, line breaks in base64 are nothing.
                let encoded: String = encoded
                    .reveal()
                    .chars()
                    .filter(|c| !matches!(c, '\r' | '\n'))
                    .collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(encoded);
                let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text = text.ok_or_else(|| BadValue((*key).to_owned()))?;
                return Ok(Some(login::Secret::new(text)));
            }
        }
        Ok(None)
    }
}

/// A `v1` ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Name and namespace.
    pub metadata: Metadata,
    /// Secrets with registry logins.
    pub image_pull_secrets: Vec<LocalReference>,
}

/// A `v1` Namespace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Name and labels.
    pub metadata: Metadata,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let secret: Secret = super::super::read_text(
            "{data: {a: YWJj, b: 'YW\nJj', c: '!', d: //79, e: null, f: YWJj}, stringData: {f: xyz, g: abc}}",
        )
        .expect("a Secret");
        let value = |key| {
            secret
                .value(&[key])
                .map(|v| v.map(|v| v.reveal().to_owned()))
        };
        for (key, expected) in [("a", "abc"), ("f", "xyz"), ("g", "abc")] {
            assert_eq!(value(key), Ok(Some(expected.to_owned())), "{key}");
        }
        assert_eq!(value("e"), Ok(None));
        assert_eq!(value("c"), Err(BadValue("c".to_owned())));
        assert_eq!(value("d"), Err(BadValue("d".to_owned())));
        assert!(!format!("{secret:?}").contains("YWJj"));
    }
}
