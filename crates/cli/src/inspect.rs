//! `semblant models`, `semblant inspect` and `semblant export`.

use std::path::Path;

use semblant::Registry;
use semblant::checkpoint::Checkpoint;
use serde_json::{Value, json};

use crate::arguments::Export;
use crate::{Outcome, outputs, print, print_document, signals};

pub(crate) fn models(registry: &Registry, name: Option<&str>, as_json: bool) -> Outcome {
    if let Some(name) = name {
        return settings(registry, name, as_json);
    }
    let models = || registry.kinds().flat_map(|kind| kind.models().into_iter().map(|model| (kind.kind(), model)));
    if as_json {
        let list: Vec<Value> =
            models().map(|(kind, model)| json!({ "name": model.name, "kind": kind, "summary": model.summary })).collect();
        print_document(&Value::Array(list).to_string());
        return Ok(());
    }
    models().for_each(|(kind, model)| print(&format!("{:14} {kind:6}  {}", model.name, model.summary)));
    Ok(())
}

/// Every setting of a model, with its default and meaning.
fn settings(registry: &Registry, name: &str, as_json: bool) -> Outcome {
    let kind = registry.kind_of_model(name)?;
    let settings = kind.settings(name)?;
    if as_json {
        let list: Vec<Value> =
            settings.iter().map(|setting| json!({ "name": setting.name, "default": setting.default, "about": setting.about })).collect();
        print_document(&json!({ "name": name, "kind": kind.kind(), "settings": list }).to_string());
        return Ok(());
    }
    let about = kind.models().into_iter().find(|model| model.name == name).map_or("", |model| model.summary);
    print(&format!("{name} ({}): {about}", kind.kind()));
    if settings.is_empty() {
        print("no settings");
    }
    for setting in settings {
        print(&format!("  --set {}={}", setting.name, setting.default));
        textwrap::wrap(&setting.about, 100).iter().for_each(|line| print(&format!("      {line}")));
    }
    Ok(())
}

pub(crate) fn export(arguments: &Export, registry: &Registry) -> Outcome {
    let Export { model, format, output } = arguments;
    outputs::check_not_read(output, &[model])?;
    registry.kind_of_file(model)?.export(model, format, output)?;
    signals::completed(output);
    print(&output.display().to_string());
    Ok(())
}

pub(crate) fn file(path: &Path, registry: &Registry, as_json: bool) -> Outcome {
    let file = Checkpoint::read(path)?;
    let kind = registry.kind_of_file(path)?;
    let parameters: usize = file.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let config = file.metadata.get("config").and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or(Value::Null);
    let (lines, described) = kind.inspect(&file);
    if as_json {
        let tensors: Vec<Value> = file.shapes().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect();
        let mut all = json!({ "model": file.model(), "kind": kind.kind(), "parameters": parameters, "config": config, "tensors": tensors });
        for (key, value) in described.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        print_document(&all.to_string());
        return Ok(());
    }
    print(&format!("model       {}", file.model()));
    print(&format!("kind        {}", kind.kind()));
    print(&format!("parameters  {parameters} in {} tensors", file.shapes().count()));
    lines.iter().for_each(|line| print(line));
    print("settings");
    for (key, value) in config.as_object().into_iter().flatten() {
        print(&format!("  {key} = {value}"));
    }
    Ok(())
}
