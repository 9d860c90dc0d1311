//! `semblant models` and `semblant inspect`.

use std::path::Path;

use semblant::checkpoint::Checkpoint;
use serde_json::{Value, json};

use crate::{Outcome, print};

pub(crate) fn models(as_json: bool) -> Outcome {
    if as_json {
        let list: Vec<Value> =
            semblant::table_models().map(|entry| json!({ "name": entry.name, "data": "table", "summary": entry.summary })).collect();
        print(&Value::Array(list).to_string());
        return Ok(());
    }
    semblant::table_models().for_each(|entry| print(&format!("{:12} table  {}", entry.name, entry.summary)));
    Ok(())
}

pub(crate) fn file(path: &Path, as_json: bool) -> Outcome {
    let file = Checkpoint::read(path)?;
    let parameters: usize = file.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let metadata = |key: &str| file.metadata.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
    let config = metadata("config");
    // Networks keep the schema in their transform, models without training beside what they know of each column.
    let schemas = |fitted: Value| fitted["columns"].as_array().into_iter().flatten().map(|column| column["schema"].clone()).collect();
    let columns = metadata("transform").pointer("/schema/columns").cloned().unwrap_or_else(|| Value::Array(schemas(metadata("fitted"))));
    if as_json {
        let tensors: Vec<Value> = file.shapes().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect();
        print(
            &json!({ "model": file.model(), "parameters": parameters, "columns": columns, "config": config, "tensors": tensors })
                .to_string(),
        );
        return Ok(());
    }
    print(&format!("model       {}", file.model()));
    print(&format!("parameters  {parameters} in {} tensors", file.shapes().count()));
    print("columns");
    for column in columns.as_array().into_iter().flatten() {
        print(&format!("  {:12} {}", column["kind"].as_str().unwrap_or_default(), column["name"].as_str().unwrap_or_default()));
    }
    print("settings");
    for (key, value) in config.as_object().into_iter().flatten() {
        print(&format!("  {key} = {value}"));
    }
    Ok(())
}
