//! JSON as diffusers writes it.

use std::path::Path;

use semblant_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// An object's keys and values.
pub(super) type Object = Map<String, Value>;

/// Reads an object. Python writes `Infinity` and `NaN`, which JSON does not know; they become `null`.
pub(super) fn read(path: &Path) -> Result<Object> {
    let text = semblant_core::memory::read_text(path)?;
    match serde_json::from_str(&without_infinities(&text)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::checkpoint(path, "holds no JSON object; fetch or save the folder again")),
        Err(error) => Err(Error::checkpoint(path, format!("is no JSON ({error}); fetch or save the folder again"))),
    }
}

/// As diffusers writes it: sorted, indented by two, with a line end.
pub(super) fn to_bytes(object: Object) -> Vec<u8> {
    let mut value = Value::Object(object);
    value.sort_all_objects();
    format!("{value:#}\n").into_bytes()
}

/// `defaults` with the keys of `found` laid over it. Keys unknown to `T` are ignored, and so is a `null` where `T` has no place for it.
pub(super) fn overlay<T: Serialize + DeserializeOwned>(defaults: &T, found: &Object, path: &Path) -> Result<T> {
    let failed = |error: serde_json::Error| Error::checkpoint(path, error.to_string());
    let mut known = match serde_json::to_value(defaults).map_err(failed)? {
        Value::Object(known) => known,
        _ => Object::new(),
    };
    // One key at a time, so that an error can name it.
    for (key, value) in found {
        let before = known.insert(key.clone(), value.clone());
        if let Err(error) = serde_json::from_value::<T>(Value::Object(known.clone())) {
            if !value.is_null() {
                return Err(Error::checkpoint(path, format!("\"{key}\" is {value}: {error}; this version cannot use it, edit the file")));
            }
            match before {
                Some(before) => known.insert(key.clone(), before),
                None => known.remove(key),
            };
        }
    }
    serde_json::from_value(Value::Object(known)).map_err(failed)
}

fn without_infinities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Every second piece between quotes is a string; a quote after a backslash does not end it.
    let (mut inside, mut escaped, mut start) = (false, false, 0);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => {
                let piece = &text[start..index];
                if inside {
                    out.push_str(piece)
                } else {
                    out.push_str(&replaced(piece))
                }
                out.push('"');
                (inside, start) = (!inside, index + 1);
            }
            _ => {}
        }
    }
    out.push_str(&replaced(&text[start..]));
    out
}

fn replaced(piece: &str) -> String {
    piece.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_become_null_outside_strings_only() {
        let text = r#"{"a": -Infinity, "Infinity": [NaN, "say \"NaN\""], "b": Infinity}"#;
        assert_eq!(without_infinities(text), r#"{"a": null, "Infinity": [null, "say \"NaN\""], "b": null}"#);
    }
}
