//! A field that is null is one that is absent.
//!
//! The API server drops nulls before it fills in defaults, in objects at any
//! depth ("Defaulting and Nullable" in Kubernetes' documentation of custom
//! resources), so a `labels:` with nothing but a comment below is no fault.
//! A null in a list stays, and is refused as it is there.
//!
//! serde fills in a default only where the key is gone, so what is null must be
//! known before: a [`Shape`] of the text is made first, and only where a text
//! could not be read without one. So a field whose default is a value is no
//! `Option`, which would take the null.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// Where the nulls of a text are.
#[derive(Debug)]
pub(super) enum Shape {
    /// A null.
    Null,
    /// Another scalar.
    Scalar,
    /// A sequence.
    Items(Vec<Self>),
    /// A mapping, by its keys.
    Fields(BTreeMap<String, Self>),
}

impl Shape {
    /// Whether a field is null somewhere.
    #[must_use]
    pub(super) fn has_null_fields(&self) -> bool {
        match self {
            Self::Null | Self::Scalar => false,
            Self::Items(items) => items.iter().any(Self::has_null_fields),
            Self::Fields(fields) => fields
                .values()
                .any(|field| matches!(field, Self::Null) || field.has_null_fields()),
        }
    }

    /// Whether the field is null at a path as `spec.policies.0.spec.suspend`.
    #[must_use]
    pub(super) fn is_null_at(&self, path: &str) -> bool {
        let mut steps = path.split('.');
        let end = steps.try_fold(self, |at, step| match at {
            Self::Fields(fields) => fields.get(step),
            Self::Items(items) => items.get(step.parse::<usize>().ok()?),
            Self::Null | Self::Scalar => None,
        });
        matches!(end, Some(Self::Null))
    }

    fn field(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.get(key),
            _ => None,
        }
    }

    fn item(&self, index: usize) -> Option<&Self> {
        match self {
            Self::Items(items) => items.get(index),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shapes)
    }
}

struct Shapes;

/// Methods of which it makes a scalar, whatever the value.
macro_rules! scalars {
    ($($method:ident($of:ty))*) => {
        $(
            fn $method<E: Error>(self, _: $of) -> Result<Shape, E> {
                Ok(Shape::Scalar)
            }
        )*
    };
}

impl<'de> Visitor<'de> for Shapes {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    scalars! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128)
        visit_f64(f64) visit_str(&str)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::Items(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(Key(key)) = map.next_key()? {
            fields.insert(key, map.next_value()?);
        }
        Ok(Shape::Fields(fields))
    }
}

/// The text of a key.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key(key.to_owned()))
            }
        }
        deserializer.deserialize_identifier(Text)
    }
}

/// A deserializer that leaves out the fields that are null by `shape`; all
/// fields come where there is none.
///
/// Only what may hold fields is wrapped; scalars go to the visitor as they are.
#[derive(Debug)]
pub(super) struct Pruned<'s, D> {
    inner: D,
    shape: Option<&'s Shape>,
}

impl<'s, D> Pruned<'s, D> {
    /// What `inner` holds, without its null fields.
    pub(super) fn new(inner: D, shape: Option<&'s Shape>) -> Self {
        Self { inner, shape }
    }

    fn around<V>(&self, visitor: V) -> Around<'s, V> {
        Around {
            visitor,
            shape: self.shape,
        }
    }
}

/// Methods that hand the visitor on as it is.
macro_rules! handed_on {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
                self.inner.$method(visitor)
            }
        )*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Pruned<'_, D> {
    type Error = D::Error;

    handed_on! {
        deserialize_any deserialize_bool deserialize_char deserialize_str deserialize_string
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let around = self.around(visitor);
        self.inner.deserialize_option(around)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let around = self.around(visitor);
        self.inner.deserialize_seq(around)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let around = self.around(visitor);
        self.inner.deserialize_map(around)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = self.around(visitor);
        self.inner.deserialize_struct(name, fields, around)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = self.around(visitor);
        self.inner.deserialize_newtype_struct(name, around)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A visitor, an access or a seed, and the shape of what it gets.
struct Around<'s, V> {
    visitor: V,
    shape: Option<&'s Shape>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Around<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Pruned::new(inner, self.shape))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor
            .visit_newtype_struct(Pruned::new(inner, self.shape))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items {
            inner,
            shape: self.shape,
            next: 0,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Fields {
            inner,
            shape: self.shape,
            value: None,
        })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Around<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.visitor.deserialize(Pruned::new(inner, self.shape))
    }
}

struct Items<'s, A> {
    inner: A,
    shape: Option<&'s Shape>,
    next: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let shape = self.shape.and_then(|shape| shape.item(self.next));
        self.next += 1;
        self.inner.next_element_seed(Around {
            visitor: seed,
            shape,
        })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Fields<'s, A> {
    inner: A,
    shape: Option<&'s Shape>,
    /// The shape of the value whose key came last.
    value: Option<&'s Shape>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(shape) = self.shape else {
            return self.inner.next_key_seed(seed);
        };
        while let Some(Key(key)) = self.inner.next_key_seed(PhantomData::<Key>)? {
            self.value = shape.field(&key);
            if matches!(self.value, Some(Shape::Null)) {
                self.inner.next_value::<IgnoredAny>()?;
                continue;
            }
            let key = serde::de::value::StringDeserializer::new(key);
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(Around {
            visitor: seed,
            shape: self.value,
        })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::super::*;

    /// Null as YAML 1.1 spells it.
    const NULLS: &[&str] = &["", "~", "null", "Null", "NULL", "!!null ''", "# nothing"];

    fn same<T>(with: &str, without: &str)
    where
        T: for<'de> serde::Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let wanted: T = read_text(without).expect(without);
        for null in NULLS {
            let text = with.replace("NULL", null);
            assert_eq!(read_text::<T>(&text).as_ref(), Ok(&wanted), "{text}");
        }
    }

    #[test]
    fn a_null_field_is_an_absent_one() {
        let automation = "metadata: {name: a}\nspec:\n  interval: 1h\n";
        same::<ImageUpdateAutomation>(
            "metadata:\n  name: a\n  namespace: NULL\n  labels: NULL\n  annotations: NULL\nspec:\n  interval: 1h\n  update: NULL\n  suspend: NULL\n  policySelector: NULL\n  sourceRef: NULL\n  git: NULL\n",
            automation,
        );
        same::<ImageUpdateAutomation>(
            "metadata:\n  name: a\nspec:\n  interval: 1h\n  update:\n    strategy: NULL\n    path: NULL\n  git:\n    commit:\n      author:\n        email: NULL\n        name: NULL\n      messageTemplateValues:\n        a: NULL\n    push:\n",
            automation,
        );
        same::<ImageUpdateAutomation>("metadata: {name: a}\nspec: NULL\n", "metadata: {name: a}");
        same::<ImagePolicy>(
            "metadata:\n  name: a\n  labels:\n    team: NULL\n    tier: web\nspec:\n  imageRepositoryRef:\n    name: b\n    namespace: NULL\n  policy:\n    semver: NULL\n    alphabetical:\n      order: NULL\n  filterTags:\n    pattern: x\n    extract: NULL\nstatus: NULL\n",
            "metadata: {name: a, labels: {tier: web}}\nspec:\n  imageRepositoryRef: {name: b}\n  policy: {alphabetical: {}}\n  filterTags: {pattern: x}\n",
        );
        same::<ImageRepository>(
            "metadata: {name: a}\nspec:\n  image: b\n  exclusionList: NULL\n  insecure: NULL\n  provider: NULL\n  accessFrom:\n    namespaceSelectors:\n    - matchLabels: NULL\n",
            "metadata: {name: a}\nspec:\n  image: b\n  accessFrom: {namespaceSelectors: [{}]}\n",
        );
        same::<ImageUpdate>(
            "spec:\n  tagsFrom: NULL\n  keepPolicies: NULL\n  mode: NULL\n  bindings: NULL\n  policies:\n  - metadata:\n      name: a\n      labels: NULL\n    spec:\n      suspend: NULL\n",
            "spec: {policies: [{metadata: {name: a}, spec: {}}]}",
        );
        same::<TagSnapshot>(
            "metadata: NULL\nspec:\n  repositories:\n  - image: a\n    tags: NULL\n    digests:\n      x: NULL\n",
            "spec: {repositories: [{image: a}]}",
        );
    }

    /// Every field of the options, whatever its default.
    #[test]
    fn no_field_is_forgotten() {
        fn each<T: Serialize + Default>(above: &str) {
            let value = serde_json::to_value(T::default()).expect("JSON");
            for field in value.as_object().expect("fields").keys() {
                same::<ImageUpdate>(&format!("{above}\n  {field}: NULL\n"), "{}");
            }
        }
        each::<ImageUpdateSpec>("spec:");
        each::<Metadata>("metadata:");
    }

    #[test]
    fn a_null_in_a_list_is_refused() {
        for text in [
            "spec: {exclusionList: [null]}",
            "spec: {exclusionList: [a, ~], suspend: null}",
            "spec: {accessFrom: {namespaceSelectors: [null]}}",
        ] {
            let read = read_text::<ImageRepository>(text);
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }

    /// What is wrong besides keeps its message, and a null that is text is none.
    #[test]
    fn other_faults_stay() {
        let read = read_text::<ImagePolicy>("metadata: {labels: null}\nspec: {suspend: 'null'}");
        assert!(read.is_err(), "{read:?}");
        let read = read_text::<ImagePolicy>("metadata: {name: 'null', labels: null}");
        assert_eq!(
            read.map(|policy| policy.metadata.name).as_deref(),
            Ok("null")
        );
        let read = read_text::<ImagePolicy>("metadata: {labels: null, labels: {}}");
        assert!(read.is_err(), "{read:?}");
    }
}
