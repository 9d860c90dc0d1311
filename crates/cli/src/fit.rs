//! `semblant fit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use semblant::DataKind;
use semblant::prelude::*;
use semblant::trainer::{LOG_FILE, STATE_FILE};
use serde_json::{Map, Value, json};

use crate::arguments::{Fit, Precision};
use crate::{Failure, Outcome, devices, observer, print, say, source};

pub(crate) fn run(arguments: &Fit, quiet: bool) -> Outcome {
    let settings = settings(arguments.config.as_deref(), &arguments.settings)?;
    match semblant::data_kind(&arguments.model)? {
        DataKind::Table => fit_table(arguments, settings, quiet),
        DataKind::Image => fit_images(arguments, settings, quiet),
    }
}

fn fit_table(arguments: &Fit, settings: Value, quiet: bool) -> Outcome {
    let model = table_model(&arguments.model, settings.clone())?;
    if arguments.size.is_some() || arguments.strict {
        return Err(Failure::Usage(format!("--size and --strict are for images, and {} is a model of tables", arguments.model)));
    }
    if arguments.precision != Precision::F32 {
        return Err(Failure::Usage(format!("--precision bf16 is for networks of images, and {} is a model of tables", arguments.model)));
    }
    let devices = chosen(arguments, quiet)?;
    if let Some(output) = &arguments.output {
        check_writable(output)?;
    }
    let read = source::read(&arguments.data, arguments.schema.as_deref(), arguments.target.as_deref(), &arguments.dropped)?;
    if let Some(path) = &arguments.write_schema {
        semblant::files::write(path, read.table.schema().to_toml()?.as_bytes())?;
        print(&path.display().to_string());
        return Ok(());
    }
    if !quiet {
        read.notes.iter().for_each(|note| say(&format!("note: {note}")));
    }
    train(arguments, model, &read.table, devices, &settings, quiet)
}

fn fit_images(arguments: &Fit, settings: Value, quiet: bool) -> Outcome {
    let model = image_model(&arguments.model, settings.clone())?;
    let of_tables =
        arguments.target.is_some() || arguments.schema.is_some() || arguments.write_schema.is_some() || !arguments.dropped.is_empty();
    if of_tables {
        let what = format!("--target, --schema, --write-schema and --drop are for tables, and {} is a model of images", arguments.model);
        return Err(Failure::Usage(what));
    }
    let devices = chosen(arguments, quiet)?;
    if let Some(output) = &arguments.output {
        check_writable(output)?;
    }
    let options =
        ImageOptions { size: arguments.size.as_deref().map(size).transpose()?, strict: arguments.strict, ..ImageOptions::default() };
    let read = source::read_images(&arguments.data, &options)?;
    if !quiet {
        read.notes.iter().for_each(|note| say(&format!("note: {note}")));
    }
    train(arguments, model, &read.images, devices, &settings, quiet)
}

/// The device that was asked for, or those that shall learn together.
fn chosen(arguments: &Fit, quiet: bool) -> Result<Vec<semblant::Device>, Failure> {
    let names = if arguments.devices.is_empty() { std::slice::from_ref(&arguments.device) } else { &arguments.devices };
    names.iter().map(|name| devices::choose(name, quiet)).collect()
}

/// `32` or `32x48`, height first.
pub(crate) fn size(text: &str) -> Result<[usize; 2], Failure> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (height.trim().parse(), width.trim().parse()) {
        (Ok(height), Ok(width)) => Ok([height, width]),
        _ => Err(Failure::Usage(format!("--size {text}: write 32 or 32x48, height first"))),
    }
}

fn train<D>(
    arguments: &Fit,
    mut model: Box<dyn Synthesizer<Data = D>>,
    data: &D,
    devices: Vec<semblant::Device>,
    settings: &Value,
    quiet: bool,
) -> Outcome {
    let Some(output) = &arguments.output else { return Err(Failure::Usage("give the model file with -o".into())) };
    let folder = run_folder(output);
    let stop = stop_on_interrupt();
    let precision = match arguments.precision {
        Precision::F32 => semblant::precision::Precision::F32,
        Precision::Bf16 => semblant::precision::Precision::Bf16,
    };
    devices.iter().try_for_each(|device| precision.check(device))?;
    let mut devices = devices.into_iter();
    let Some(device) = devices.next() else { return Err(Failure::Usage("--devices names no device".into())) };
    let mut run = Run {
        extra_devices: devices.collect(),
        folder: Some(folder.clone()),
        precision,
        resume: arguments.resume,
        observer: observer(quiet),
        stop,
        ..Run::new(device, arguments.seed)
    };
    let is_new = !folder.exists();
    let mut work = || -> Result<_, Failure> {
        std::fs::create_dir_all(&folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
        // A run that goes on has the settings that are there already, or is refused.
        if !(arguments.resume && folder.join(STATE_FILE).exists()) {
            write_config(&folder, arguments, settings)?;
        }
        let summary = model.fit(data, &mut run)?;
        model.save(output)?;
        Ok(summary)
    };
    let summary = work().inspect_err(|_| {
        if is_new {
            forget_fruitless(&folder);
        }
    })?;
    // The state has done its service; log and settings stay.
    let _ = std::fs::remove_file(folder.join(STATE_FILE));
    if arguments.json {
        print(&json!({ "model": output, "summary": summary }).to_string());
        return Ok(());
    }
    if !quiet {
        let losses: Vec<String> = summary.losses.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        say(&format!(
            "{} steps in {:.1} s (and {:.2} s to encode)  {}",
            summary.steps,
            summary.train_secs,
            summary.encode_secs,
            losses.join("  ")
        ));
    }
    print(&output.display().to_string());
    Ok(())
}

/// The folder beside the model file that holds settings, log and resume state.
pub(crate) fn run_folder(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".run");
    PathBuf::from(name)
}

/// Removes the folder of a run that failed before it had learnt anything: no state, and no line in the log.
fn forget_fruitless(folder: &Path) {
    let logged = std::fs::metadata(folder.join(LOG_FILE)).is_ok_and(|log| log.len() > 0);
    if !logged && !folder.join(STATE_FILE).exists() {
        // The failure that led here is what the user must hear of.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Finds out before hours of work, not after, that the result could not be written.
pub(crate) fn check_writable(output: &Path) -> Result<(), Failure> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if output.is_dir() {
        return Err(Failure::Work(format!("{}: this is a folder; give the name of a file", output.display())));
    }
    let probe = folder.join(format!(".semblant-probe-{}", std::process::id()));
    std::fs::write(&probe, b"").map_err(|error| Failure::Work(format!("{}: cannot be written: {error}", output.display())))?;
    let _ = std::fs::remove_file(probe);
    Ok(())
}

/// Ctrl-C asks the run to save its state and leave; a second one ends the process at once.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    // Without a handler, Ctrl-C kills the process as usual; the last checkpoint is still there.
    let _ = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
    });
    stop
}

fn write_config(folder: &Path, arguments: &Fit, settings: &Value) -> Outcome {
    let resolved = json!({ "model": arguments.model, "data": arguments.data, "seed": arguments.seed, "settings": settings });
    let text = toml::to_string_pretty(&resolved).map_err(|error| Failure::Work(error.to_string()))?;
    Ok(semblant::files::write(&folder.join("config.toml"), text.as_bytes())?)
}

/// Settings from a TOML file, then from `key=value` pairs.
pub(crate) fn settings(file: Option<&Path>, pairs: &[String]) -> Result<Value, Failure> {
    let mut settings = Map::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        settings = toml::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        // A recipe has its settings in a table of their own, beside the scores that it reached.
        if let Some(Value::Object(inner)) = settings.get("settings") {
            settings = inner.clone();
        }
    }
    for pair in pairs {
        let Some((key, text)) = pair.split_once('=') else { return Err(Failure::Usage(format!("--set {pair}: write key=value"))) };
        let value = toml::from_str::<Map<String, Value>>(&format!("v = {text}"))
            .ok()
            .and_then(|mut parsed| parsed.remove("v"))
            .unwrap_or_else(|| Value::String(text.to_owned()));
        put(&mut settings, key, value)
            .map_err(|part| Failure::Usage(format!("--set {pair}: \"{part}\" is a value, not a group of settings")))?;
    }
    Ok(Value::Object(settings))
}

fn put(settings: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), String> {
    match key.split_once('.') {
        None => {
            settings.insert(key.to_owned(), value);
            Ok(())
        }
        Some((first, rest)) => match settings.entry(first).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(inner) => put(inner, rest, value),
            _ => Err(first.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_typed_and_nested() {
        let pairs = ["epochs=3", "generator.learning_rate=1e-4", "generator.schedule=cosine", "generator_widths=[8, 8]"].map(String::from);
        let expected = json!({ "epochs": 3, "generator": { "learning_rate": 1e-4, "schedule": "cosine" }, "generator_widths": [8, 8] });
        assert_eq!(settings(None, &pairs).expect("well formed"), expected);
        assert!(settings(None, &["epochs".into()]).is_err());
        assert!(settings(None, &["a=1".into(), "a.b=2".into()]).is_err());
    }
}
