//! `semblant fit`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use semblant::config::Setting;
use semblant::options::{Names, OptionValues};
use semblant::prelude::*;
use semblant::trainer::{LOG_FILE, STATE_FILE, states};
use semblant::{FitJob, FitOutcome, Modality, Verb, files};
use serde_json::{Map, Value, json};

use crate::arguments::{Fit, Precision};
use crate::lock::Lock;
use crate::signals::Watched;
use crate::{Failure, Outcome, datasets, devices, groups, observer, outputs, print, print_document, say, signals};

pub(crate) fn run(arguments: &Fit, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let plan = Plan::new(arguments, matches, registry)?;
    let Plan { model, data, settings, seed, options, output, resume, .. } = &plan;
    let kind = registry.kind_of_model(model)?;
    let mut devices = chosen(arguments, quiet)?.into_iter();
    let precision = match arguments.precision {
        Precision::F32 => semblant::precision::Precision::F32,
        Precision::Bf16 => semblant::precision::Precision::Bf16,
    };
    let Some(device) = devices.next() else { return Err(Failure::Usage("--devices names no device".into())) };
    let source = datasets::source(data, "train")?;
    let output = output.as_deref();
    check_outputs(arguments, &plan, kind, source.path())?;
    let folder = output.map(run_folder);
    let is_new = folder.as_ref().is_some_and(|folder| !folder.exists());
    let _lock = folder.as_deref().map(Lock::of).transpose()?;
    if let (Some(folder), Some(output)) = (&folder, output) {
        check_state(arguments, &plan, folder, output)?;
        let (folder, output) = (folder.clone(), output.to_owned());
        signals::at_early_end(move || kept(&folder, &output, is_new));
    }
    let mut run = Run {
        extra_devices: devices.collect(),
        folder: folder.clone(),
        precision,
        recompute: arguments.recompute,
        resume: *resume,
        observer: Box::new(Watched(observer(quiet))),
        stop: signals::stop(),
        ..Run::new(device, *seed)
    };
    let mut work = || -> Result<_, Failure> {
        // A run that continues has the settings that are there already, or is refused.
        if let Some(folder) = folder.as_ref().filter(|folder| !*resume || states(folder).is_empty()) {
            plan.write(folder)?;
        }
        let job = FitJob { model, settings: Value::Object(settings.clone()), source: &source, options, output };
        Ok(kind.fit(job, &mut run)?)
    };
    let outcome = work();
    if let (Some(folder), true) = (&folder, is_new && !matches!(outcome, Ok(FitOutcome::Fitted(_)))) {
        forget_fruitless(folder);
    }
    match outcome? {
        FitOutcome::Instead(path) => {
            outputs::record(&path);
            print(&path.display().to_string());
        }
        FitOutcome::Fitted(summary) => report(arguments, output, folder.as_deref(), &summary, quiet),
    }
    Ok(())
}

/// What is fitted: as the arguments say, or as the run folder of an interrupted fit does.
#[derive(Debug)]
struct Plan {
    model: String,
    data: String,
    settings: Map<String, Value>,
    seed: u64,
    options: OptionValues,
    output: Option<PathBuf>,
    resume: bool,
}

impl Plan {
    fn new(arguments: &Fit, matches: &ArgMatches, registry: &Registry) -> Result<Self, Failure> {
        let named = arguments.resume.as_deref().filter(|path| !path.is_empty()).map(PathBuf::from);
        if let (Some(output), None) = (&named, &arguments.data) {
            return Self::resumed(arguments, output);
        }
        let Some(data) = arguments.data.clone() else {
            return Err(Failure::Usage("--resume: name the model file whose fit continues, as in --resume sales.safetensors".into()));
        };
        let model = model_of(arguments, registry)?;
        let kind = registry.kind_of_model(&model)?;
        let Value::Object(mut settings) = settings(arguments.config.as_deref(), &arguments.settings)? else {
            return Err(Failure::Usage("settings are names and values".into()));
        };
        passes(&mut settings, &kind.settings(&model)?, arguments.epochs);
        Ok(Self {
            model,
            data,
            settings,
            seed: arguments.seed,
            options: groups::values(matches, registry, Verb::Fit, kind)?,
            output: arguments.output.clone().or(named),
            resume: arguments.resume.is_some(),
        })
    }

    /// The plan that a run folder holds.
    fn resumed(arguments: &Fit, output: &Path) -> Result<Self, Failure> {
        let folder = run_folder(output);
        let path = folder.join(CONFIG_FILE);
        let refuse = |why: String| Failure::Usage(format!("--resume {}: {why}", output.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| {
            refuse(format!(
                "{}: {error}; there is no fit to continue, start one with semblant fit DATA -o {}",
                path.display(),
                output.display()
            ))
        })?;
        let saved: Value = toml::from_str(&text).map_err(|error| refuse(format!("{}: {error}", path.display())))?;
        let text = |name: &str| saved[name].as_str().map(str::to_owned);
        let (Some(model), Some(data)) = (text("model"), text("data")) else {
            return Err(refuse(format!("{} does not name a model and data", path.display())));
        };
        let mut settings = saved["settings"].as_object().cloned().unwrap_or_default();
        let mut options = OptionValues::default();
        for (name, values) in saved["options"].as_object().into_iter().flatten() {
            options.insert(name, values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
        let interrupted = !states(&folder).is_empty();
        let before = settings.get("epochs").and_then(Value::as_u64);
        match arguments.epochs {
            Some(epochs) if before.is_none_or(|before| epochs > before) && !interrupted => {
                settings.insert("epochs".into(), json!(epochs));
            }
            Some(epochs) if before != Some(epochs) => {
                let before = before.map_or_else(|| "its default".into(), |before| before.to_string());
                return Err(refuse(format!("this fit has epochs = {before}; continue it without --epochs")));
            }
            None if !interrupted && output.exists() => {
                return Err(refuse("this fit is complete; train longer with --epochs N, which starts anew".into()));
            }
            _ => {}
        }
        Ok(Self {
            model,
            data,
            settings,
            seed: saved["seed"].as_u64().unwrap_or(0),
            options,
            output: Some(output.to_owned()),
            resume: interrupted,
        })
    }

    fn write(&self, folder: &Path) -> Outcome {
        let options: Map<String, Value> = self.options.iter().map(|(name, values)| (name.to_owned(), json!(values))).collect();
        let data = absolute(&self.data);
        let resolved = json!({ "model": self.model, "data": data, "seed": self.seed, "settings": self.settings, "options": options });
        let text = toml::to_string_pretty(&resolved).map_err(|error| Failure::Work(error.to_string()))?;
        Ok(semblant::files::write(&folder.join(CONFIG_FILE), text.as_bytes())?)
    }
}

/// The model that is fitted; where none is named the first for data of this kind, as far as the name of the data shows the kind.
pub(crate) fn model_of(arguments: &Fit, registry: &Registry) -> Result<String, Failure> {
    const OF_TABLES: &str = "masked-diffusion";
    if let Some(model) = &arguments.model {
        return Ok(model.clone());
    }
    let source = arguments.data.as_deref().map(|data| datasets::source(data, "train")).transpose()?;
    let kind = source.and_then(|source| registry.kinds().find(|kind| kind.recognizes(&source)));
    Ok(kind.and_then(|kind| kind.models().first().map(|model| model.name)).unwrap_or(OF_TABLES).to_owned())
}

/// Takes the number of passes into the settings, under the name that the model has for it. Models that count rows count passes then.
fn passes(settings: &mut Map<String, Value>, known: &[Setting], asked: Option<u64>) {
    for group in ["", "training."] {
        let find = |name: &str| known.iter().find(|setting| setting.name == format!("{group}{name}"));
        let (Some(_), rows) = (find("epochs"), find("rows")) else { continue };
        let own = match group.strip_suffix('.') {
            None => Some(&mut *settings),
            Some(_) if asked.is_none() && !settings.contains_key("training") => None,
            Some(group) => settings.entry(group).or_insert_with(|| json!({})).as_object_mut(),
        };
        let Some(own) = own else { continue };
        if let Some(epochs) = asked {
            own.insert("epochs".into(), json!(epochs));
        }
        if own.contains_key("epochs") && !own.contains_key("rows") && rows.is_some_and(|rows| rows.default != json!(0)) {
            own.insert("rows".into(), json!(0));
        }
        return;
    }
    // The model says that it has no such setting.
    if let Some(epochs) = asked {
        settings.insert("epochs".into(), json!(epochs));
    }
}

/// The settings of a run, in its folder.
const CONFIG_FILE: &str = "config.toml";

/// A file's whole path, so that a run can be continued from another folder; other names stay.
fn absolute(data: &str) -> String {
    let path = Path::new(data);
    if path.exists() {
        std::path::absolute(path).map_or_else(|_| data.to_owned(), |path| path.display().to_string())
    } else {
        data.to_owned()
    }
}

/// Refuses before any work what could not be written, or should not be.
fn check_outputs(arguments: &Fit, plan: &Plan, kind: &dyn Modality, data: &Path) -> Outcome {
    let written = groups::files(kind, Verb::Fit, &plan.options, Names::Output);
    let read = groups::files(kind, Verb::Fit, &plan.options, Names::Input);
    let in_settings = outputs::named_in_settings(&Value::Object(plan.settings.clone()));
    let inputs = read.iter().chain(&arguments.config).chain(&in_settings).map(PathBuf::as_path);
    let inputs: Vec<&Path> = std::iter::once(data).chain(inputs).collect();
    let outputs: Vec<&Path> = plan.output.iter().chain(&written).map(PathBuf::as_path).collect();
    outputs::check(&outputs, &inputs, arguments.overwrite.force)?;
    let Some(folder) = plan.output.as_deref().map(run_folder) else { return Ok(()) };
    let own = [CONFIG_FILE, LOG_FILE, STATE_FILE].map(|name| folder.join(name));
    own.iter().chain([&folder]).try_for_each(|own| outputs::check_not_read(own, &inputs))?;
    outputs.into_iter().try_for_each(outputs::check_writable)
}

/// Refuses to begin anew where an interrupted fit can go on.
fn check_state(arguments: &Fit, plan: &Plan, folder: &Path, output: &Path) -> Outcome {
    let Some(state) = states(folder).into_iter().next().filter(|_| !plan.resume && !arguments.overwrite.force) else { return Ok(()) };
    Err(Failure::Usage(format!(
        "{}: holds the state of an interrupted fit; continue it with --resume {}, or start anew with --force",
        state.display(),
        output.display()
    )))
}

/// Tidies up when a fit ends early, and says what is kept.
fn kept(folder: &Path, output: &Path, is_new: bool) -> Option<String> {
    Lock::remove(folder);
    if is_new {
        forget_fruitless(folder);
    }
    let state = states(folder).into_iter().next()?;
    Some(format!("the last saved state is {}; continue with --resume {}", state.display(), output.display()))
}

/// Says what a fit did. The resume state is removed; log and settings stay.
fn report(arguments: &Fit, output: Option<&Path>, folder: Option<&Path>, summary: &Summary, quiet: bool) {
    folder.map(states).into_iter().flatten().for_each(|state| {
        let _ = std::fs::remove_file(state);
    });
    let _ = output.map(outputs::record);
    if arguments.json {
        print_document(&json!({ "model": output, "summary": summary }).to_string());
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

/// The run folder, next to the model file: settings, log and resume state. One file has one, whatever links lead to it.
fn run_folder(output: &Path) -> PathBuf {
    let mut name = files::followed(output).unwrap_or_else(|_| output.to_owned()).into_os_string();
    name.push(".run");
    PathBuf::from(name)
}

/// Removes the folder of a run that failed before it had learned anything: no state, and no line in the log.
fn forget_fruitless(folder: &Path) {
    let logged = std::fs::metadata(folder.join(LOG_FILE)).is_ok_and(|log| log.len() > 0);
    if !logged && states(folder).is_empty() {
        // The failure that led here is what the user must hear of.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Settings from a TOML file, then from `key=value` pairs.
pub(crate) fn settings(file: Option<&Path>, pairs: &[String]) -> Result<Value, Failure> {
    let mut settings = Map::new();
    if let Some(path) = file {
        let text = semblant::memory::read_text(path).map_err(|error| Failure::Usage(error.to_string()))?;
        settings = semblant::config::of_toml(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
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
