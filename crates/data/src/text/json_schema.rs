//! A JSON schema as a regular expression, for constrained decoding.
//!
//! What is regular of a schema is taken: objects whose properties come in their order, arrays, numbers, texts, enumerations, alternatives. Other keywords are
//! errors, so that nothing is promised that does not hold. JSON is written without blanks, but for one after `,` and `:`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Error, Result};

/// How deep schemas may lie in each other; a schema that refers to itself is deeper.
const MOST_DEPTH: usize = 32;
/// The most repetitions that a schema may ask for.
const MOST_REPEATED: u64 = 1000;
/// The whole numbers that are allowed where no bound is given.
const MOST_INTEGER: i64 = 999_999_999_999_999;
/// What separates the parts of an object or array, and a name from its value.
const COMMA: &str = ", ?";
const COLON: &str = ": ?";
/// A character of a JSON text.
const CHARACTER: &str = r#"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])"#;

/// What is regular of a JSON schema; any other keyword is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Schema {
    #[serde(rename = "type")]
    kind: Option<Kinds>,
    properties: Option<Properties>,
    required: Vec<String>,
    additional_properties: Option<bool>,
    items: Option<Box<Schema>>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<String>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    #[serde(rename = "enum")]
    values: Option<Vec<Value>>,
    #[serde(rename = "const", deserialize_with = "some")]
    value: Option<Value>,
    #[serde(alias = "oneOf")]
    any_of: Option<Vec<Schema>>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "$defs", alias = "definitions")]
    definitions: BTreeMap<String, Schema>,
    // Keywords that say nothing of what is allowed.
    #[serde(rename = "$schema")]
    _schema: IgnoredAny,
    #[serde(rename = "$id")]
    _id: IgnoredAny,
    #[serde(rename = "$comment")]
    _comment: IgnoredAny,
    #[serde(rename = "title")]
    _title: IgnoredAny,
    #[serde(rename = "description")]
    _description: IgnoredAny,
    #[serde(rename = "default")]
    _default: IgnoredAny,
    #[serde(rename = "examples")]
    _examples: IgnoredAny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Null,
    Object,
    Array,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "\"type\" names a type of JSON, or lists some")]
enum Kinds {
    One(Kind),
    Several(Vec<Kind>),
}

/// Properties in the order of the file.
#[derive(Debug)]
struct Properties(Vec<(String, Schema)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a schema for each property")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Properties, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Properties(all))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A value that may be null.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The regular expression of the JSON texts that a schema allows.
///
/// # Errors
/// A text that is no schema, keywords that are not supported, and a schema that refers to itself.
pub fn regex_of(schema: &str) -> Result<String> {
    let root: Schema = serde_json::from_str(schema).map_err(|error| Error::Table(error.to_string()))?;
    Reader { root: &root }.read(&root, "#", 0).map_err(Error::Table)
}

struct Reader<'a> {
    root: &'a Schema,
}

type Said<T = String> = std::result::Result<T, String>;

impl Reader<'_> {
    fn read(&self, schema: &Schema, place: &str, depth: usize) -> Said {
        if depth > MOST_DEPTH {
            return Err(format!("{place} lies too deep or refers to itself, and no regular expression does that"));
        }
        if let Some(reference) = &schema.reference {
            let name = ["#/$defs/", "#/definitions/"].iter().find_map(|start| reference.strip_prefix(start));
            let target = name.and_then(|name| self.root.definitions.get(name));
            return self.read(target.ok_or_else(|| format!("{place}: {reference} is not in the schema's $defs"))?, reference, depth + 1);
        }
        if let Some(value) = &schema.value {
            return Ok(escaped(&value.to_string()));
        }
        if let Some(cases) = &schema.any_of {
            let case = |(at, case): (usize, &Schema)| self.read(case, &format!("{place}/anyOf/{at}"), depth + 1);
            return Ok(any(cases.iter().enumerate().map(case).collect::<Said<Vec<_>>>()?));
        }
        if let Some(values) = &schema.values {
            return Ok(any(values.iter().map(|value| escaped(&value.to_string()))));
        }
        let of = |&kind: &Kind| match kind {
            Kind::String => text(schema, place),
            Kind::Integer => integer(schema, place),
            Kind::Number if schema.minimum.is_some() || schema.maximum.is_some() => {
                Err(format!("{place}: minimum and maximum hold for \"type\": \"integer\" alone; leave them out"))
            }
            Kind::Number => Ok(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?".into()),
            Kind::Boolean => Ok("(?:true|false)".into()),
            Kind::Null => Ok("null".into()),
            Kind::Object => self.object(schema, place, depth),
            Kind::Array => self.array(schema, place, depth),
        };
        match &schema.kind {
            Some(Kinds::One(kind)) => of(kind),
            Some(Kinds::Several(kinds)) => Ok(any(kinds.iter().map(of).collect::<Said<Vec<_>>>()?)),
            None => Err(format!("{place}: say its type, such as \"type\": \"string\"")),
        }
    }

    /// The properties in their order; those that are not required may be left out.
    fn object(&self, schema: &Schema, place: &str, depth: usize) -> Said {
        if schema.additional_properties == Some(true) {
            return Err(format!("{place}: additionalProperties can only be false"));
        }
        let Some(Properties(properties)) = &schema.properties else { return Err(format!("{place}: name its properties")) };
        if let Some(lost) = schema.required.iter().find(|name| !properties.iter().any(|(own, _)| own == *name)) {
            return Err(format!("{place}: \"{lost}\" is required and is no property"));
        }
        let member = |(name, own): &(String, Schema)| -> Said<(String, bool)> {
            let value = self.read(own, &format!("{place}/properties/{name}"), depth + 1)?;
            Ok((format!("{}{COLON}{value}", escaped(&Value::from(name.as_str()).to_string())), schema.required.contains(name)))
        };
        let members: Vec<(String, bool)> = properties.iter().map(member).collect::<Said<_>>()?;
        let after = |members: &[(String, bool)]| -> String {
            members
                .iter()
                .map(|(member, needed)| if *needed { format!("{COMMA}{member}") } else { format!("(?:{COMMA}{member})?") })
                .collect()
        };
        // Which member is the first decides where commas stand.
        let mut cases = Vec::new();
        for (at, (member, needed)) in members.iter().enumerate() {
            cases.push(format!("{member}{}", after(&members[at + 1..])));
            if *needed {
                break;
            }
        }
        if members.iter().all(|(_, needed)| !needed) {
            cases.push(String::new());
        }
        Ok(format!(r"\{{{}\}}", any(cases)))
    }

    fn array(&self, schema: &Schema, place: &str, depth: usize) -> Said {
        let items = schema.items.as_ref().ok_or_else(|| format!("{place}: say what its items are"))?;
        let item = self.read(items, &format!("{place}/items"), depth + 1)?;
        let (least, most) = bounds((schema.min_items, schema.max_items), place)?;
        let repeated = match most {
            Some(0) => return Ok(r"\[\]".into()),
            Some(most) => format!("{{{},{}}}", least.saturating_sub(1), most - 1),
            None => format!("{{{},}}", least.saturating_sub(1)),
        };
        let some = format!("{item}(?:{COMMA}{item}){repeated}");
        Ok(if least == 0 { format!(r"\[(?:{some})?\]") } else { format!(r"\[{some}\]") })
    }
}

fn text(schema: &Schema, place: &str) -> Said {
    let (least, most) = bounds((schema.min_length, schema.max_length), place)?;
    match &schema.pattern {
        Some(_) if schema.min_length.is_some() || schema.max_length.is_some() => {
            Err(format!("{place}: a pattern says how long a text may be; leave minLength and maxLength out"))
        }
        Some(pattern) => {
            let inner = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
            let inner = inner.ok_or_else(|| format!("{place}: write the pattern of the whole text, from ^ to $"))?;
            Ok(format!("\"(?:{inner})\""))
        }
        None => Ok(match (least, most) {
            (0, None) => format!("\"{CHARACTER}*\""),
            (least, most) => format!("\"{CHARACTER}{{{least},{}}}\"", most.map_or_else(String::new, |most| most.to_string())),
        }),
    }
}

/// How often something may be repeated.
fn bounds((least, most): (Option<u64>, Option<u64>), place: &str) -> Said<(u64, Option<u64>)> {
    let least = least.unwrap_or(0);
    if least.max(most.unwrap_or(0)) > MOST_REPEATED || most.is_some_and(|most| most < least) {
        return Err(format!("{place}: lengths and numbers of items are from 0 to {MOST_REPEATED}, the least before the greatest"));
    }
    Ok((least, most))
}

fn integer(schema: &Schema, place: &str) -> Said {
    let low = schema.minimum.unwrap_or(-MOST_INTEGER).max(-MOST_INTEGER);
    let high = schema.maximum.unwrap_or(MOST_INTEGER).min(MOST_INTEGER);
    if low > high {
        return Err(format!("{place}: minimum is above maximum"));
    }
    let mut cases = Vec::new();
    if low < 0 {
        let nearest = if high < 0 { high.unsigned_abs() } else { 1 };
        cases.push(format!("-{}", any(between(nearest, low.unsigned_abs()))));
    }
    if high >= 0 {
        cases.extend(between(low.max(0) as u64, high as u64));
    }
    Ok(any(cases))
}

/// Expressions of the whole numbers from `low` to `high`: ranges whose digits after some place are free.
fn between(low: u64, high: u64) -> Vec<String> {
    let (mut cases, mut low) = (Vec::new(), low);
    loop {
        // The longest run of numbers from `low` on that share all but their last digits and have the same length.
        let mut size = 1u64;
        while low.is_multiple_of(size * 10) && low > 0 && low + (size * 10 - 1) <= high {
            size *= 10;
        }
        let digit = low / size % 10;
        let last = (low / size).min(high / size);
        let most = (high - (low - low % size)) / size;
        let mut end = digit + (9 - digit).min(most);
        if last * size + (end - digit) * size + (size - 1) > high {
            end = end.saturating_sub(1).max(digit);
        }
        let head = low / size / 10;
        let head = if head > 0 { head.to_string() } else { String::new() };
        let free = size.ilog10();
        let own = if digit == end { digit.to_string() } else { format!("[{digit}-{end}]") };
        cases.push(if free > 0 { format!("{head}{own}[0-9]{{{free}}}") } else { format!("{head}{own}") });
        let next = low + (end - digit + 1) * size;
        if next > high {
            return cases;
        }
        low = next;
    }
}

fn any(cases: impl IntoIterator<Item = String>) -> String {
    let cases: Vec<String> = cases.into_iter().collect();
    if cases.len() == 1 { cases.into_iter().collect() } else { format!("(?:{})", cases.join("|")) }
}

fn escaped(text: &str) -> String {
    regex_syntax::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;
    use serde_json::json;

    fn matcher(schema: Value) -> impl Fn(&str) -> bool {
        let regex = Regex::new(&format!(r"\A(?:{})\z", regex_of(&schema.to_string()).expect("supported"))).expect("a sound expression");
        move |text: &str| regex.is_match(text)
    }

    #[test]
    fn ranges_of_whole_numbers_are_exact() {
        for (low, high) in
            [(0, 0), (0, 7), (3, 3), (5, 12), (0, 100), (17, 2345), (99, 101), (1, 999), (250, 1000), (-12, -3), (-5, 20), (-1000, 1000)]
        {
            let matches = matcher(json!({ "type": "integer", "minimum": low, "maximum": high }));
            for number in -1100i64..2500 {
                assert_eq!(matches(&number.to_string()), (low..=high).contains(&number), "{number} of {low} to {high}");
            }
            assert!(!matches("007") && !matches("-0") && !matches(""));
        }
    }

    #[test]
    fn objects_have_their_properties_in_order() {
        let schema = r##"{
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "An order",
            "type": "object",
            "properties": {
                "z": { "type": "integer" },
                "b": { "type": ["string", "null"], "maxLength": 3 },
                "a": { "type": "array", "items": { "$ref": "#/$defs/flag" }, "minItems": 1, "maxItems": 2 }
            },
            "required": ["b"],
            "$defs": { "flag": { "type": "boolean" } }
        }"##;
        let regex = Regex::new(&format!(r"\A(?:{})\z", regex_of(schema).expect("supported"))).expect("a sound expression");
        let matches = |text: &str| regex.is_match(text);
        for right in [r#"{"b":"xyz"}"#, r#"{"z":1, "b": null}"#, r#"{"z":-4,"b":"\"","a":[true, false]}"#, r#"{"b":"","a":[true]}"#] {
            assert!(matches(right) && serde_json::from_str::<Value>(right).is_ok(), "{right}");
        }
        for wrong in
            [r#"{}"#, r#"{"z":1}"#, r#"{"b":"wxyz"}"#, r#"{"a":[true],"b":""}"#, r#"{"b":"","a":[]}"#, r#"{,"b":""}"#, r#"{"b":"",}"#]
        {
            assert!(!matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn constants_texts_and_numbers() {
        let matches = matcher(json!({ "enum": ["a.b", 3, null] }));
        assert!(matches("\"a.b\"") && matches("3") && matches("null") && !matches("\"axb\""));
        let matches = matcher(json!({ "type": "string", "pattern": "^[A-Z]{2}-\\d$" }));
        assert!(matches("\"AB-1\"") && !matches("AB-1") && !matches("\"ABC-1\""));
        let matches = matcher(json!({ "type": "number" }));
        assert!(matches("-0.5") && matches("12") && !matches(".5") && !matches("1.") && !matches("01"));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (schema, part) in [
            (json!({ "type": "object" }), "properties"),
            (json!({ "type": "string", "format": "uri" }), "`format`"),
            (json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "array", "items": { "$ref": "#/$defs/a" } } } }), "refers to itself"),
            (json!({ "$ref": "#/$defs/none" }), "is not in the schema"),
            (json!(7), "invalid type"),
            (json!({ "type": "word" }), "\"type\" names a type"),
            (json!({ "type": "integer", "minimum": 3, "maximum": 2 }), "above"),
            (json!({ "type": "object", "properties": {}, "required": ["x"] }), "\"x\""),
            (json!({ "type": "string", "pattern": "abc" }), "from ^ to $"),
        ] {
            let said = regex_of(&schema.to_string()).expect_err("refused").to_string();
            assert!(said.contains(part), "{said}");
        }
    }
}
