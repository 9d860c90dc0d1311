//! `semblant fit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ArgMatches;
use semblant::prelude::*;
use semblant::trainer::{LOG_FILE, STATE_FILE};
use semblant::{FitJob, FitOutcome, Verb};
use serde_json::{Map, Value, json};

use crate::arguments::{Fit, Precision};
use crate::{Failure, Outcome, datasets, devices, groups, observer, print, say};

pub(crate) fn run(arguments: &Fit, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let settings = settings(arguments.config.as_deref(), &arguments.settings)?;
    let kind = registry.kind_of_model(&arguments.model)?;
    let options = groups::values(matches, registry, Verb::Fit, kind)?;
    let mut devices = chosen(arguments, quiet)?.into_iter();
    let precision = match arguments.precision {
        Precision::F32 => semblant::precision::Precision::F32,
        Precision::Bf16 => semblant::precision::Precision::Bf16,
    };
    let Some(device) = devices.next() else { return Err(Failure::Usage("--devices names no device".into())) };
    let extra_devices: Vec<_> = devices.collect();
    let output = arguments.output.as_deref();
    output.map(check_writable).transpose()?;
    let source = datasets::source(&arguments.data, "train")?;
    let folder = output.map(run_folder);
    let mut run = Run {
        extra_devices,
        folder: folder.clone(),
        precision,
        resume: arguments.resume,
        observer: observer(quiet),
        stop: stop_on_interrupt(),
        ..Run::new(device, arguments.seed)
    };
    let is_new = folder.as_ref().is_some_and(|folder| !folder.exists());
    let mut work = || -> Result<_, Failure> {
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
            // A run that continues has the settings that are there already, or is refused.
            if !(arguments.resume && folder.join(STATE_FILE).exists()) {
                write_config(folder, arguments, &settings)?;
            }
        }
        let job = FitJob { model: &arguments.model, settings: settings.clone(), source: &source, options: &options, output };
        Ok(kind.fit(job, &mut run)?)
    };
    let outcome = work();
    if let (Some(folder), true) = (&folder, is_new && !matches!(outcome, Ok(FitOutcome::Fitted(_)))) {
        forget_fruitless(folder);
    }
    match outcome? {
        FitOutcome::Instead(path) => print(&path.display().to_string()),
        FitOutcome::Fitted(summary) => report(arguments, output, folder.as_deref(), &summary, quiet),
    }
    Ok(())
}

/// Says what a fit did. The resume state is removed; log and settings stay.
fn report(arguments: &Fit, output: Option<&Path>, folder: Option<&Path>, summary: &Summary, quiet: bool) {
    let _ = folder.map(|folder| std::fs::remove_file(folder.join(STATE_FILE)));
    if arguments.json {
        print(&json!({ "model": output, "summary": summary }).to_string());
        return;
    }
    if !quiet {
        let losses: Vec<String> = summary.losses.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        say(&format!(
            "{} steps in {:.1} s ({:.2} s to encode)  {}",
            summary.steps,
            summary.train_secs,
            summary.encode_secs,
            losses.join("  ")
        ));
    }
    print(&output.unwrap_or(Path::new("")).display().to_string());
}

/// The device or devices to train on.
fn chosen(arguments: &Fit, quiet: bool) -> Result<Vec<semblant::Device>, Failure> {
    let names = if arguments.devices.is_empty() { std::slice::from_ref(&arguments.device) } else { &arguments.devices };
    names.iter().map(|name| devices::choose(name, quiet)).collect()
}

/// The run folder, next to the model file: settings, log and resume state.
pub(crate) fn run_folder(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".run");
    PathBuf::from(name)
}

/// Removes the folder of a run that failed before it had learned anything: no state, and no line in the log.
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
        semblant::config::set(&mut settings, pair)?;
    }
    Ok(Value::Object(settings))
}
