//! Parts of a spec that may be written in more than one way.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{At, Draw};

/// A number, a boolean, or an SQL expression over the columns of the row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// An expression, or for `value` a text.
    Text(String),
}

/// A [`Scalar`] with its place.
pub type Term = At<Scalar>;

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "boolean", "string"], "description": "A number, or an SQL expression over the columns of the row" })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl Visitor<'_> for Seen {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or an expression in quotes")
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(truth))
            }

            fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(whole as f64))
            }

            fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(whole as f64))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                if number.is_finite() { Ok(Scalar::Number(number)) } else { Err(E::custom("this is no finite number; write one")) }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// How many children a parent has: a number, an expression over the parent's columns, or a distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Children {
    /// A number, or an expression over the parent's columns.
    Term(Scalar),
    /// A distribution of whole numbers.
    Draw(Box<Draw>),
}

impl JsonSchema for Children {
    fn schema_name() -> Cow<'static, str> {
        "Children".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let draw = generator.subschema_for::<Draw>();
        json_schema!({ "anyOf": [{ "type": ["number", "string"] }, draw] })
    }
}

impl<'de> Deserialize<'de> for Children {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Children;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, an expression in quotes or a distribution such as { poisson = { mean = 3 } }")
            }

            fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Children, E> {
                Ok(Children::Term(Scalar::Number(whole as f64)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Children, E> {
                Ok(Children::Term(Scalar::Text(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Children, A::Error> {
                Draw::deserialize(MapAccessDeserializer::new(map)).map(|draw| Children::Draw(Box::new(draw)))
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// Labels with weights, which need not add up to 1: `["a", "b"]` with equal ones, or `{ a = 3, b = "0.1 * age" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted(pub Vec<(String, Term)>);

impl Serialize for Weighted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(label, weight)| (label, weight)))
    }
}

impl JsonSchema for Weighted {
    fn schema_name() -> Cow<'static, str> {
        "Weighted".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "array", "items": { "type": ["string", "number"] } },
                { "type": "object", "additionalProperties": { "type": ["number", "string"] } }
            ],
            "description": "Labels with equal weights, or with weights that are numbers or SQL expressions"
        })
    }
}

impl<'de> Deserialize<'de> for Weighted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Weighted;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels: a list, or a map of labels with their weights")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Weighted, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = items.next_element::<At<Scalar>>()? {
                    let text = match label.value {
                        Scalar::Text(text) => text,
                        Scalar::Number(number) => number.to_string(),
                        Scalar::Boolean(truth) => truth.to_string(),
                    };
                    labels.push((text, At { value: Scalar::Number(1.0), place: label.place }));
                }
                Ok(Weighted(labels))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weighted, A::Error> {
                let mut labels = Vec::new();
                while let Some(entry) = map.next_entry::<String, Term>()? {
                    labels.push(entry);
                }
                Ok(Weighted(labels))
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Names(pub Vec<At<String>>);

impl JsonSchema for Names {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Vec<At<String>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a list of names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(vec![name.to_owned().into()])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(names)
            }
        }

        // A name alone stands where the value does.
        let At { value, place } = At::<OneOrMore>::deserialize(deserializer)?;
        return Ok(Names(value.0.into_iter().map(|name| if name.place.line == 0 { At { place, ..name } } else { name }).collect()));

        struct OneOrMore(Vec<At<String>>);

        impl<'de> Deserialize<'de> for OneOrMore {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Seen).map(OneOrMore)
            }
        }
    }
}

/// Where a state leads: a name, names with weights, or branches.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Next {
    /// Always the same.
    Direct(At<String>),
    /// By weights, which are numbers or expressions.
    Weighted(Weighted),
    /// The first branch whose condition holds.
    Branches(Vec<super::Transition>),
}

impl JsonSchema for Next {
    fn schema_name() -> Cow<'static, str> {
        "Next".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let branch = generator.subschema_for::<super::Transition>();
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": ["number", "string"] } },
                { "type": "array", "items": branch }
            ],
            "description": "A state, states with weights, or branches with conditions"
        })
    }
}

impl<'de> Deserialize<'de> for Next {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Next;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a state, states with weights, or a list of branches")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Next, E> {
                Ok(Next::Direct(name.to_owned().into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Next, A::Error> {
                Weighted::deserialize(MapAccessDeserializer::new(map)).map(Next::Weighted)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Next, A::Error> {
                let mut branches = Vec::new();
                while let Some(branch) = items.next_element()? {
                    branches.push(branch);
                }
                Ok(Next::Branches(branches))
            }
        }

        deserializer.deserialize_any(Seen)
    }
}
