//! Configurations: a model's settings as a type, and the one way from JSON or TOML to it.

use std::path::Path;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::checkpoint::Checkpoint;
use crate::{Error, Result};

mod bounds;

pub use bounds::{LARGEST_COUNT, LARGEST_SIZE, MOST_AT_ONCE, MOST_ENTRIES};

/// A model's settings: plain data with defaults and ranges.
pub trait Config: Serialize + DeserializeOwned + JsonSchema + Default + Clone + Send + Sync + 'static {
    /// Checks the range of every field.
    ///
    /// # Errors
    /// [`Error::Config`] with the field, its value and what is allowed.
    fn check(&self) -> Result<()>;

    /// Former names of settings, `(old, new)`, as paths with dots: files and recipes that use them keep working.
    fn renamed() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Settings that there were once and that have no effect any more, as paths with dots.
    fn retired() -> &'static [&'static str] {
        &[]
    }
}

/// A setting as help shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name; nested ones have dots.
    pub name: String,
    /// Its default, as JSON.
    pub default: Value,
    /// The documentation of its field.
    pub about: String,
    /// Whether it is the path of a file, which the field says with `#[schemars(extend("format" = "path"))]`.
    pub is_path: bool,
}

/// All settings of a configuration, in the order of their names, with the documentation of their fields.
pub fn settings<C: Config>() -> Vec<Setting> {
    let schema = schema_for!(C).to_value();
    let mut found = Vec::new();
    let defaults = serde_json::to_value(C::default()).unwrap_or(Value::Null);
    describe("", &defaults, &schema, &schema, &mut found);
    found
}

fn describe(prefix: &str, defaults: &Value, schema: &Value, root: &Value, found: &mut Vec<Setting>) {
    for (key, default) in defaults.as_object().into_iter().flatten() {
        let name = format!("{prefix}{key}");
        let field = property(schema, key, root);
        if default.as_object().is_some_and(|group| !group.is_empty()) {
            describe(&format!("{name}."), default, field.unwrap_or(&Value::Null), root, found);
        } else {
            let about = field.and_then(|field| documented(field, root)).unwrap_or_else(|| choices(schema, key, root)).replace('\n', " ");
            let format = field.and_then(|field| resolved(field, root).get("format")?.as_str());
            found.push(Setting { name, default: default.clone(), about, is_path: format == Some("path") });
        }
    }
}

/// What a reference in a schema leads to.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| root.pointer(path.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// The schema of a field, in whichever variant has it.
fn property<'a>(schema: &'a Value, key: &str, root: &'a Value) -> Option<&'a Value> {
    let schema = resolved(schema, root);
    schema.get("properties").and_then(|properties| properties.get(key)).or_else(|| {
        let variants = ["allOf", "anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
        variants.into_iter().find_map(|variant| property(variant, key, root))
    })
}

/// The values of the field that tells variants apart.
fn choices(schema: &Value, key: &str, root: &Value) -> String {
    let schema = resolved(schema, root);
    let variants = ["anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
    let value = |variant: &Value| property(variant, key, root)?.get("const")?.as_str().map(str::to_owned);
    let values: Vec<String> = variants.filter_map(value).collect();
    if values.is_empty() { String::new() } else { format!("One of {}.", values.join(", ")) }
}

fn documented(field: &Value, root: &Value) -> Option<String> {
    let own = |schema: &Value| schema.get("description").and_then(Value::as_str).map(str::to_owned);
    own(field).or_else(|| own(resolved(field, root)))
}

/// The settings in `values` laid over the defaults of `C`, at every depth: a group of settings that is given in part keeps the defaults of
/// the rest. A table with a `kind` of its own replaces one of another kind.
///
/// # Errors
/// [`Error::Config`] with an unknown key and the keys there are, a value of another type, or a value out of its range. `owner` is named in
/// the message.
pub fn from_value<C: Config>(owner: &str, values: Value) -> Result<C> {
    let config: C = overlaid(&C::default(), owner, current::<C>(values))?;
    let settings = serde_json::to_value(&config).map_err(|error| Error::Config(format!("settings of {owner}: {error}")))?;
    bounds::check(owner, &settings, &schema_for!(C).to_value())?;
    config.check()?;
    Ok(config)
}

/// The configuration in a model file.
///
/// # Errors
/// Settings that are missing, unknown or out of range; the message begins with `path`.
pub fn of_file<C: Config>(file: &Checkpoint, path: &Path) -> Result<C> {
    // Models that have no settings wrote none.
    let values = if file.metadata.contains_key("config") { file.metadata_as("config", path)? } else { Value::Null };
    from_value(file.model(), values)
        .map_err(|error| Error::checkpoint(path, format!("{error}; it was written by another version, fit the model again")))
}

/// `base` with `values` laid over it; see [`from_value`]. Ranges are not checked.
///
/// # Errors
/// [`Error::Config`] with an unknown key or a value of another type.
pub fn overlaid<S: Serialize + DeserializeOwned>(base: &S, owner: &str, values: Value) -> Result<S> {
    let refuse = |what: String| Error::Config(format!("settings of {owner}: {what}"));
    let mut merged = serde_json::to_value(base).map_err(|error| refuse(error.to_string()))?;
    match values {
        Value::Null => {}
        Value::Object(_) => lay(&mut merged, values.clone()),
        other => return Err(refuse(format!("{other} is not a table of names and values"))),
    }
    let config: S = serde_json::from_value(merged).map_err(|error| refuse(error.to_string()))?;
    // What the type did not take up is a key that it does not have.
    let known = serde_json::to_value(&config).map_err(|error| refuse(error.to_string()))?;
    match unknown("", &values, &known) {
        None => Ok(config),
        Some((key, keys)) => Err(refuse(format!("unknown setting {key}; there are {keys}"))),
    }
}

/// Puts a setting written `key=value` into `settings`. The value is TOML, or text where it is none; keys of nested settings have dots.
///
/// # Errors
/// [`Error::Config`] without a `=`, with a key of more parts than any setting has, a number that is not finite, or where a part of the key
/// is a value already.
pub fn set(settings: &mut Map<String, Value>, pair: &str) -> Result<()> {
    let Some((key, text)) = pair.split_once('=') else { return Err(Error::Config(format!("--set {pair}: write key=value"))) };
    if key.split('.').count() > bounds::DEEPEST {
        let parts = key.split('.').count();
        return Err(Error::Config(format!(
            "--set: a key of {parts} parts between dots is no setting's; the longest has {}",
            bounds::DEEPEST
        )));
    }
    let parsed = match toml::from_str::<toml::Table>(&format!("v = {text}")) {
        Ok(mut parsed) => {
            parsed.remove("v").map(|value| finite(key, value)).transpose().map_err(|what| Error::Config(format!("--set {what}")))?
        }
        Err(_) => None,
    };
    let mut group = settings;
    let (groups, name) = key.rsplit_once('.').map_or((None, key), |(groups, name)| (Some(groups), name));
    for part in groups.into_iter().flat_map(|groups| groups.split('.')) {
        group = match group.entry(part).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(inner) => inner,
            _ => return Err(Error::Config(format!("--set {pair}: \"{part}\" is a value, not a group of settings"))),
        };
    }
    group.insert(name.to_owned(), parsed.unwrap_or_else(|| Value::String(text.to_owned())));
    Ok(())
}

/// The settings in the text of a TOML file.
///
/// # Errors
/// [`Error::Config`] with the first mistake in the text, or a number that is not finite.
pub fn of_toml(text: &str) -> Result<Map<String, Value>> {
    let table: toml::Table = toml::from_str(text).map_err(|error| Error::Config(error.to_string()))?;
    table.into_iter().map(|(key, value)| finite(&key, value).map(|value| (key, value))).collect::<Result<_, _>>().map_err(Error::Config)
}

/// TOML as JSON, which has no infinities: left to itself, serde makes them `null`, and a setting that may be left out would silently be.
fn finite(key: &str, value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::Float(number) if !number.is_finite() => {
            return Err(format!("{key} = {number} is not a finite number; choose another"));
        }
        toml::Value::Array(entries) => entries.into_iter().map(|entry| finite(key, entry)).collect::<Result<_, _>>()?,
        toml::Value::Table(group) => group
            .into_iter()
            .map(|(inner, value)| finite(&format!("{key}.{inner}"), value).map(|value| (inner, value)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object)?,
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        other => serde_json::to_value(other).map_err(|error| format!("{key}: {error}"))?,
    })
}

/// `values` under today's names.
fn current<C: Config>(mut values: Value) -> Value {
    for path in C::retired() {
        take(&mut values, path);
    }
    for (old, new) in C::renamed() {
        if let Some(value) = take(&mut values, old) {
            put(&mut values, new, value);
        }
    }
    values
}

/// Removes what is at `path`.
fn take(values: &mut Value, path: &str) -> Option<Value> {
    match path.split_once('.') {
        None => values.as_object_mut()?.remove(path),
        Some((group, rest)) => take(values.get_mut(group)?, rest),
    }
}

/// Puts `value` at `path`, unless something is there.
fn put(values: &mut Value, path: &str, value: Value) {
    let Some(group) = values.as_object_mut() else { return };
    match path.split_once('.') {
        None => drop(group.entry(path).or_insert(value)),
        Some((first, rest)) => put(group.entry(first).or_insert_with(|| Value::Object(Map::new())), rest, value),
    }
}

fn lay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            // Variants of an enum have settings of their own; they are told apart by `kind`, or by the only key.
            let other_kind = over.get("kind").is_some_and(|kind| base.get("kind") != Some(kind));
            let other_key = base.len() == 1 && over.len() == 1 && base.keys().ne(over.keys());
            if other_kind || other_key {
                *base = over;
                return;
            }
            for (key, value) in over {
                lay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// The first key of `given` that `known` lacks, as a path, and the known keys of its group, those with the most alike beginnings first.
fn unknown(path: &str, given: &Value, known: &Value) -> Option<(String, String)> {
    let (Value::Object(given), Value::Object(known)) = (given, known) else { return None };
    given.iter().find_map(|(key, value)| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match known.get(key) {
            Some(known) => unknown(&path, value, known),
            None if known.is_empty() => Some((path, "none".into())),
            None => {
                let mut keys: Vec<&str> = known.keys().map(String::as_str).collect();
                keys.sort_by_key(|known| std::cmp::Reverse(known.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count()));
                Some((path, keys.join(", ")))
            }
        }
    })
}

/// Checks that `low <= value <= high`.
///
/// # Errors
/// [`Error::Config`] with the field, its value and the range.
pub fn check_range<T: PartialOrd + std::fmt::Display>(field: &str, value: T, low: T, high: T) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::Config(format!("{field} = {value} is out of range; choose a number from {low} to {high}")))
}

/// Checks that a number is finite and at least `low`.
///
/// # Errors
/// [`Error::Config`] with the field, its value and the bound.
pub fn check_at_least(field: &str, value: f64, low: f64) -> Result<()> {
    if value >= low && value.is_finite() {
        return Ok(());
    }
    Err(Error::Config(format!("{field} = {value} is out of range; choose a number of at least {low}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Net {
        Mlp { width: usize, depth: usize },
        Dit { heads: usize },
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    struct Rate {
        learning_rate: f64,
        beta: f64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    struct Example {
        net: Net,
        #[serde(flatten)]
        rate: Rate,
        limit: Option<u64>,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { net: Net::Mlp { width: 8, depth: 2 }, rate: Rate { learning_rate: 0.1, beta: 0.5 }, limit: None }
        }
    }

    impl Config for Example {
        fn check(&self) -> Result<()> {
            check_range("beta", self.rate.beta, 0.0, 1.0)
        }

        fn renamed() -> &'static [(&'static str, &'static str)] {
            &[("momentum", "beta"), ("net.layers", "net.depth")]
        }

        fn retired() -> &'static [&'static str] {
            &["net.record"]
        }
    }

    #[test]
    fn parts_of_groups_keep_the_defaults_of_the_rest() {
        let read = |values: Value| from_value::<Example>("example", values).expect("known");
        assert_eq!(read(Value::Null), Example::default());
        assert_eq!(read(json!({ "net": { "width": 3 } })).net, Net::Mlp { width: 3, depth: 2 });
        assert_eq!(read(json!({ "net": { "kind": "dit", "heads": 4 } })).net, Net::Dit { heads: 4 });
        assert_eq!(
            read(json!({ "learning_rate": 1.0, "limit": 7 })),
            Example { rate: Rate { learning_rate: 1.0, beta: 0.5 }, limit: Some(7), ..Example::default() }
        );
    }

    #[test]
    fn former_names_keep_working() {
        let read = |values: Value| from_value::<Example>("example", values).expect("known");
        assert_eq!(read(json!({ "momentum": 0.25 })).rate.beta, 0.25);
        assert_eq!(read(json!({ "net": { "layers": 5, "record": true } })).net, Net::Mlp { width: 8, depth: 5 });
    }

    #[test]
    fn settings_as_text_are_typed_and_nested() {
        let mut settings = Map::new();
        for pair in ["epochs=3", "generator.learning_rate=1e-4", "generator.schedule=cosine", "widths=[8, 8]"] {
            set(&mut settings, pair).expect("well formed");
        }
        let expected = json!({ "epochs": 3, "generator": { "learning_rate": 1e-4, "schedule": "cosine" }, "widths": [8, 8] });
        assert_eq!(Value::Object(settings.clone()), expected);
        assert!(set(&mut settings, "epochs").is_err() && set(&mut settings, "epochs.b=2").is_err());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let said = |values: Value| from_value::<Example>("example", values).expect_err("refused").to_string();
        let unknown = said(json!({ "bta": 1.0 }));
        assert!(unknown.contains("bta") && unknown.contains("beta, ") && unknown.contains("example"), "{unknown}");
        assert!(said(json!({ "net": { "wdith": 1 } })).contains("net.wdith"));
        assert!(said(json!({ "beta": "much" })).contains("much"));
        assert!(said(json!({ "beta": 2.0 })).contains("from 0 to 1"));
        assert!(said(json!([1])).contains("not a table"));
        assert!(check_range("x", f64::NAN, 0.0, 1.0).is_err() && check_at_least("x", -1.0, 0.0).is_err());
    }
}
