//! `semblant quickstart`: the whole workflow on simulated data, without a download.

use std::path::PathBuf;

use semblant::files;
use semblant::metrics::report::{ModelSource, Source, Sources};
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::rules::patients;
use serde_json::{Value, json};

use crate::arguments::Quickstart;
use crate::{Failure, Outcome, date, observer, outputs, print, say};

pub(crate) fn run(arguments: &Quickstart, registry: &Registry, quiet: bool) -> Outcome {
    if arguments.rows < 100 {
        return Err(Failure::Usage(format!("--rows {}: simulate at least 100 patients", arguments.rows)));
    }
    let tell = |text: &str| {
        if !quiet {
            say(text);
        }
    };
    let folder = &arguments.output;
    std::fs::create_dir_all(folder).map_err(|error| Failure::Work(format!("{}: {error}", folder.display())))?;
    let [real_path, model_path, synthetic_path, report_path] =
        ["patients.csv", "model.safetensors", "synthetic.csv", "report.html"].map(|name| folder.join(name));
    let written = [&real_path, &model_path, &synthetic_path, &report_path].map(PathBuf::as_path);
    outputs::check(&written, &[], arguments.overwrite.force)?;
    let mut model = registry.model::<Table>(&arguments.model, settings(&arguments.model))?;

    tell(&format!("simulating {} patients, and as many again as a holdout", arguments.rows));
    let rows = arguments.rows as u64;
    let real = patients(0..rows, arguments.seed)?;
    let holdout = patients(rows..2 * rows, arguments.seed)?;
    real.write(&real_path)?;
    outputs::record(&real_path);

    let mut run = Run { observer: observer(quiet), ..Run::new(crate::devices::choose("auto", quiet)?, arguments.seed) };
    model.fit(&real, &mut run)?;
    model.save(&model_path)?;
    outputs::record(&model_path);

    tell("sampling");
    let synthetic = model.sample(&TableRequest::new(arguments.rows as u64, arguments.seed))?.data;
    synthetic.write(&synthetic_path)?;
    outputs::record(&synthetic_path);

    let sources = Sources {
        real: Source::named("patients.csv"),
        synthetic: Source::named("synthetic.csv"),
        holdout: Some(Source::named("simulated holdout patients")),
        model: Some(ModelSource { name: arguments.model.clone(), seed: Some(arguments.seed) }),
        date: Some(date()),
        ..Sources::default()
    };
    let options = Options { target: real.schema().target.clone(), seed: arguments.seed, sources, ..Options::default() };
    let report = evaluate(&real, &synthetic, Some(&holdout), &options, &mut |stage| tell(stage))?;
    files::write(&report_path, report.to_html().as_bytes())?;
    outputs::record(&report_path);
    if !quiet {
        report.to_text().iter().for_each(|line| print(line));
    }
    for path in [real_path, model_path, synthetic_path, report_path] {
        print(&path.display().to_string());
    }
    tell("next: open report.html, then try: semblant sample model.safetensors -n 100 --where smoker=yes -o smokers.csv");
    Ok(())
}

/// Short enough for a first look, about a minute on two cores; defaults train longer.
fn settings(model: &str) -> Value {
    match model {
        "ctgan" => json!({ "epochs": 300, "batch_rows": 200 }),
        _ => json!({}),
    }
}
