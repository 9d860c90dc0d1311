//! `semblant models`, `semblant inspect` and `semblant export`.

use std::path::Path;

use semblant::AnyModel;
use semblant::checkpoint::Checkpoint;
use serde_json::{Value, json};

use crate::arguments::{Export, Format};
use crate::{Outcome, print};

pub(crate) fn models(as_json: bool) -> Outcome {
    if as_json {
        let list: Vec<Value> = list().map(|(name, data, summary)| json!({ "name": name, "data": data, "summary": summary })).collect();
        print(&Value::Array(list).to_string());
        return Ok(());
    }
    list().for_each(|(name, data, summary)| print(&format!("{name:12} {data:5}  {summary}")));
    Ok(())
}

fn list() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let tables = semblant::table_models().map(|entry| (entry.name, "table", entry.summary));
    tables.chain(semblant::image_models().map(|entry| (entry.name, "image", entry.summary)))
}

pub(crate) fn export(arguments: &Export) -> Outcome {
    let Export { model, format: Format::Diffusers, output } = arguments;
    match semblant::load_model(model, "cpu")? {
        AnyModel::Image(model) => model.export_diffusers(output)?,
        AnyModel::Table(model) => model.export_diffusers(output)?,
    }
    print(&output.display().to_string());
    Ok(())
}

pub(crate) fn file(path: &Path, as_json: bool) -> Outcome {
    let file = Checkpoint::read(path)?;
    let parameters: usize = file.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let metadata = |key: &str| file.metadata.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
    let config = metadata("config");
    let images = metadata("images");
    // Networks keep the schema in their transform, models without training beside what they know of each column.
    let schemas = |fitted: Value| fitted["columns"].as_array().into_iter().flatten().map(|column| column["schema"].clone()).collect();
    let columns = metadata("transform").pointer("/schema/columns").cloned().unwrap_or_else(|| Value::Array(schemas(metadata("fitted"))));
    if as_json {
        let tensors: Vec<Value> = file.shapes().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect();
        print(
            &json!({ "model": file.model(), "parameters": parameters, "columns": columns, "images": images, "config": config, "tensors": tensors })
                .to_string(),
        );
        return Ok(());
    }
    print(&format!("model       {}", file.model()));
    print(&format!("parameters  {parameters} in {} tensors", file.shapes().count()));
    if let Some(shape) = images.get("shape") {
        print(&format!("images      {} x {} pixels in {} channels", shape["height"], shape["width"], shape["channels"]));
        let names: Vec<&str> = images["class_names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        print(&format!("classes     {}", if names.is_empty() { "none".into() } else { names.join(", ") }));
    } else {
        print("columns");
    }
    for column in columns.as_array().into_iter().flatten() {
        print(&format!("  {:12} {}", column["kind"].as_str().unwrap_or_default(), column["name"].as_str().unwrap_or_default()));
    }
    print("settings");
    for (key, value) in config.as_object().into_iter().flatten() {
        print(&format!("  {key} = {value}"));
    }
    Ok(())
}
