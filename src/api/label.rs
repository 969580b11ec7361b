//! What Kubernetes takes as a label (`k8s.io/apimachinery/pkg/util/validation`).

use std::collections::BTreeMap;

/// Most characters of a label's name, and of its value.
const LONGEST: usize = 63;
/// Most characters of the prefix of a label's name.
const LONGEST_PREFIX: usize = 253;

/// A label that Kubernetes refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLabel {
    /// The key.
    #[error(
        "`{0}` is not a label's name: it must be at most 63 letters, digits, `-`, `_` or `.`, with a letter or digit at both ends, and may have a DNS name and `/` before it"
    )]
    Key(String),
    /// The value of a key.
    #[error(
        "`{value}` is not a label's value: it must be at most 63 letters, digits, `-`, `_` or `.`, with a letter or digit at both ends"
    )]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

impl BadLabel {
    /// The label that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Key(key) | Self::Value { key, .. } => key,
        }
    }

    /// What is wrong as it is written.
    #[must_use]
    pub fn written(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Value { value, .. } => value,
        }
    }

    /// What to do about it, where that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let is_substituted = self.written().contains("${");
        is_substituted.then(|| "`${…}` is not substituted here: write the value itself".to_owned())
    }
}

/// Whether a key may be a label's (`IsQualifiedName`).
pub(super) fn check_key(key: &str) -> Result<(), BadLabel> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_none_or(is_dns_name) && !name.is_empty() && is_word(name) {
        Ok(())
    } else {
        Err(BadLabel::Key(key.to_owned()))
    }
}

/// Whether a value may be a label's (`IsValidLabelValue`); it may be empty.
pub(super) fn check_value(key: &str, value: &str) -> Result<(), BadLabel> {
    if is_word(value) {
        return Ok(());
    }
    Err(BadLabel::Value {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

/// Whether all of them may be labels, or which is the first that may not.
pub(super) fn check(labels: &BTreeMap<String, String>) -> Result<(), BadLabel> {
    labels.iter().try_for_each(|(key, value)| {
        check_key(key)?;
        check_value(key, value)
    })
}

fn is_word(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_end = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LONGEST
        && bytes.iter().all(|b| is_inner(*b))
        && is_end(bytes.first())
        && is_end(bytes.last())
}

/// `IsDNS1123Subdomain`.
fn is_dns_name(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= LONGEST_PREFIX
        && text.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(is_inner)
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kubernetes' own `validation_test.go`.
    #[test]
    fn keys() {
        let longest = "a".repeat(63);
        let prefixed = format!("{}/a", "a".repeat(253));
        for key in [
            "simple",
            "now-with-dashes",
            "1-starts-with-num",
            "1234",
            "simple/simple",
            "now.with.dots/simple",
            "1-num.2-num/3-num",
            "1.2.3.4/5678",
            "Uppercase_Is_OK_123",
            "example.com/Uppercase_Is_OK_123",
            &longest,
            &prefixed,
        ] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        let too_long = "a".repeat(64);
        let prefix_too_long = format!("{}/a", "a".repeat(254));
        for key in [
            "",
            "nospecialchars%^=@",
            "cantendwithadash-",
            "-cantstartwithadash-",
            "only/one/slash",
            "Example.com/abc",
            "example_com/abc",
            "example.com/",
            "/simple",
            &too_long,
            &prefix_too_long,
        ] {
            assert_eq!(check_key(key), Err(BadLabel::Key(key.to_owned())), "{key}");
        }
    }

    #[test]
    fn values() {
        let longest = "a".repeat(63);
        for value in ["", "simple", "a.b", "1_2", "UP", &longest] {
            assert_eq!(check_value("k", value), Ok(()), "{value}");
        }
        let too_long = "a".repeat(64);
        for value in ["a b", "-a", "a-", ".a", "a/b", "é", "${x}", &too_long] {
            assert!(check_value("k", value).is_err(), "{value}");
        }
    }
}
