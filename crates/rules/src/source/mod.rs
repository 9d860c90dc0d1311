//! The text of a spec as a tree that knows where each of its parts stands, whichever format it is written in.

mod de;
mod toml;
mod yaml;

use std::path::Path;

use serde::de::DeserializeOwned;

pub use de::At;

use crate::error::{Error, Place, Result};

/// The longest spec, in bytes.
const LONGEST: usize = 4 << 20;
/// How deep a spec may be nested.
pub(crate) const DEEPEST: usize = 64;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// What a spec is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text.
    Map(Vec<(Key, Node)>),
}

/// A key of a map with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Reads a value from a text whose format the extension of `path` names: `.toml`, `.yaml` or `.yml`.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    if text.len() > LONGEST {
        return Err(Error::new(path, Place::default(), format!("is longer than {} MiB; divide it into several specs", LONGEST >> 20)));
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let tree = match extension.as_str() {
        "toml" => toml::parse(text),
        "yaml" | "yml" => yaml::parse(text),
        _ => Err((Place::default(), "has an unknown extension; name it .toml or .yaml".to_owned())),
    };
    let read = tree.and_then(|tree| T::deserialize(de::Reader::new(&tree)).map_err(|error| (error.place, error.what)));
    read.map_err(|(place, what)| Error::new(path, place, what))
}
