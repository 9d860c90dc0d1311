//! serde over the tree: derived types read it, and every error has the place of the innermost value that it is about.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};

use super::{Key, Node, Value};
use crate::error::{Place, did_you_mean};

/// The name by which [`At`] asks for a value with its place.
const AT: &str = "$semblant::at";

/// A value of a spec with its place in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for At<T> {
    fn from(value: T) -> Self {
        Self { value, place: Place::default() }
    }
}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = At<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
                let mut next = || parts.next_element::<u64>().map(|part| part.unwrap_or(0) as usize);
                let place = Place { line: next()?, column: next()? };
                let value = parts.next_element()?.ok_or_else(|| de::Error::invalid_length(2, &"a value with its place"))?;
                Ok(At { value, place })
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<At<T>, D::Error> {
                T::deserialize(deserializer).map(At::from)
            }
        }

        deserializer.deserialize_newtype_struct(AT, Seen(PhantomData))
    }
}

/// What is wrong, and where as soon as that is known.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) place: Place,
    pub(super) what: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Said {}

impl de::Error for Said {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self { place: Place::default(), what: what.to_string() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!(
            "there is no key \"{field}\" here{}; the keys are {}",
            did_you_mean(field, expected.iter().copied()),
            expected.join(", ")
        ))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!(
            "there is no \"{variant}\" here{}; write one of {}",
            did_you_mean(variant, expected.iter().copied()),
            expected.join(", ")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key \"{field}\" is missing; add it"))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("this is {}; write {expected}", plain(&found)))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("this is {}; write {expected}", plain(&found)))
    }
}

fn plain(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(text) => format!("the text \"{text}\""),
        de::Unexpected::Signed(whole) => format!("the number {whole}"),
        de::Unexpected::Float(number) => format!("the number {number}"),
        de::Unexpected::Bool(truth) => format!("{truth}"),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a map".into(),
        de::Unexpected::Unit => "empty".into(),
        other => other.to_string(),
    }
}

/// The place of the innermost value stays.
fn at<T>(place: Place, result: Result<T, Said>) -> Result<T, Said> {
    result.map_err(|said| if said.place.line == 0 { Said { place, ..said } } else { said })
}

/// A node as serde reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    node: &'a Node,
}

impl<'a> Reader<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self { node }
    }
}

impl<'de> IntoDeserializer<'de, Said> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Said;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Said> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Whole(whole) => visitor.visit_i64(*whole),
            Value::Number(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader::new))),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        at(self.node.place, result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Said> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Said> {
        if name != AT {
            return visitor.visit_newtype_struct(self);
        }
        let Place { line, column } = self.node.place;
        at(self.node.place, visitor.visit_seq(Parts { node: self.node, place: [line, column], next: 0 }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Said> {
        let place = self.node.place;
        let result = match &self.node.value {
            Value::Text(text) => visitor.visit_enum(IntoDeserializer::<Said>::into_deserializer(text.as_str())),
            Value::Map(entries) => match entries.as_slice() {
                [(key, value)] => visitor.visit_enum(Choice { key, value }),
                [] => Err(de::Error::custom("is empty; write what is to be here, such as normal = { mean = 0, sd = 1 }")),
                [_, (second, _), ..] => {
                    let what = format!("only one thing can stand here, and \"{}\" is a second; remove one", second.name);
                    Err(Said { place: second.place, what })
                }
            },
            _ => Err(de::Error::custom("this is no choice; write a name, or a map of one name with its settings")),
        };
        at(place, result)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The entries of a map.
struct Entries<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Said;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Said> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        at(key.place, seed.deserialize(KeyReader(key))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Said> {
        let node = self.value.take().ok_or_else(|| <Said as de::Error>::custom("a value without its key"))?;
        at(node.place, seed.deserialize(Reader::new(node)))
    }
}

/// A key, whose place [`At`] may ask for too.
struct KeyReader<'a>(&'a Key);

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = Said;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Said> {
        visitor.visit_borrowed_str(&self.0.name)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// A place and the value that stands there.
struct Parts<'a> {
    node: &'a Node,
    place: [usize; 2],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Parts<'de> {
    type Error = Said;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Said> {
        self.next += 1;
        match self.place.get(self.next - 1) {
            Some(&part) => seed.deserialize((part as u64).into_deserializer()).map(Some),
            None => seed.deserialize(Reader::new(self.node)).map(Some),
        }
    }
}

/// A map of one name, which is the variant of an enum.
struct Choice<'a> {
    key: &'a Key,
    value: &'a Node,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Said;
    type Variant = Reader<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'de>), Said> {
        Ok((at(self.key.place, seed.deserialize(KeyReader(self.key)))?, Reader::new(self.value)))
    }
}

impl<'de> VariantAccess<'de> for Reader<'de> {
    type Error = Said;

    fn unit_variant(self) -> Result<(), Said> {
        match &self.node.value {
            Value::Map(entries) if entries.is_empty() => Ok(()),
            Value::Null | Value::Boolean(true) => Ok(()),
            _ => at(self.node.place, Err(de::Error::custom("this takes no settings; write {}"))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Said> {
        at(self.node.place, seed.deserialize(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Said> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, Said> {
        self.deserialize_any(visitor)
    }
}
