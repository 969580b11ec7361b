//! The annotation `flux-image.dev/bind` on a resource: which of its fields belong
//! to which policies. It survives `kustomize build`, which drops comments.
//!
//! ```yaml
//! flux-image.dev/bind: '{"spec.template.spec.containers.[name=app].image": "flux-system:app"}'
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::binding::path::{BadPath, FieldPath};

/// Why its value binds nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationFault {
    /// It is no JSON object.
    #[error("it must be a JSON object")]
    NotAnObject,
    /// A value of the object is not a text.
    #[error("the value of `{0}` must be a string, as `namespace:name`")]
    NotAText(String),
    /// A key is not a path.
    #[error(transparent)]
    Path(#[from] BadPath),
}

/// The fields and their setters, in the order of the text.
///
/// # Errors
/// What is wrong with the first that is wrong.
pub fn read(value: &str) -> Result<Vec<(FieldPath, String)>, AnnotationFault> {
    let one = |(path, setter): (String, Value)| match setter {
        Value::String(setter) => Ok((FieldPath::parse(&path)?, setter)),
        _ => Err(AnnotationFault::NotAText(path)),
    };
    object(value)?.into_iter().map(one).collect()
}

/// The value with more `fields` (path and setter), each once; `None` where it
/// holds them all.
///
/// # Errors
/// Where the value is no JSON object.
pub fn with(value: &str, fields: &[(String, String)]) -> Result<Option<String>, AnnotationFault> {
    let mut object = if value.trim().is_empty() {
        Map::new()
    } else {
        object(value)?
    };
    let before = object.clone();
    for (path, setter) in fields {
        object.insert(path.clone(), Value::String(setter.clone()));
    }
    Ok((object != before).then(|| Value::Object(object).to_string()))
}

/// The value that binds some fields and no others.
#[must_use]
pub fn written(fields: &BTreeMap<String, String>) -> String {
    let fields = fields.iter();
    let fields = fields.map(|(path, setter)| (path.clone(), Value::String(setter.clone())));
    Value::Object(fields.collect()).to_string()
}

fn object(value: &str) -> Result<Map<String, Value>, AnnotationFault> {
    serde_json::from_str(value).map_err(|_| AnnotationFault::NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        for (value, expected) in [
            ("", "it must be a JSON object"),
            ("[]", "it must be a JSON object"),
            ("{a: b}", "it must be a JSON object"),
            (
                r#"{"spec.image": 1}"#,
                "the value of `spec.image` must be a string, as `namespace:name`",
            ),
            (
                r#"{"a..b": "c"}"#,
                "`a..b` is not a field path: a piece of it is empty",
            ),
        ] {
            let fault = read(value).expect_err(value);
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[test]
    fn fields_are_added_once() {
        let fields = [("b".to_owned(), "x:y".to_owned())];
        let first = with(r#"{"a":"1:2"}"#, &fields).expect("an object");
        assert_eq!(first.as_deref(), Some(r#"{"a":"1:2","b":"x:y"}"#));
        assert_eq!(with(&first.expect("a change"), &fields), Ok(None));
        assert_eq!(with("", &fields), Ok(Some(r#"{"b":"x:y"}"#.to_owned())));
        assert_eq!(with("a", &fields), Err(AnnotationFault::NotAnObject));
    }
}
