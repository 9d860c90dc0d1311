//! `semblant compare`: several models on one split of the data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use semblant::metrics::Report;
use semblant::metrics::report::compare;
use semblant::options::Names;
use semblant::{CompareJob, Compared, Registry, Source, Verb, files};
use serde_json::{Map, Value, json};

use crate::arguments::Compare;
use crate::evaluate::kind_of;
use crate::{Failure, Outcome, datasets, date, devices, groups, observer, outputs, print, print_document};

pub(crate) fn run(arguments: &Compare, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let source = datasets::source(&arguments.data, "train")?;
    let kind = kind_of(arguments.kind.as_deref(), &source, registry)?;
    let options = groups::values(matches, registry, Verb::Compare, kind)?;
    let holdout = arguments.holdout.as_deref().map(|holdout| datasets::source(holdout, "test")).transpose()?;
    if !(arguments.holdout_share > 0.0 && arguments.holdout_share < 1.0) {
        return Err(Failure::Usage(format!("--holdout-share {}: write a share between 0 and 1, such as 0.2", arguments.holdout_share)));
    }
    let named = groups::files(kind, Verb::Compare, &options, Names::Input);
    let inputs: Vec<&Path> = std::iter::once(&source).chain(&holdout).map(Source::path).chain(named.iter().map(PathBuf::as_path)).collect();
    let stdout = arguments.json.then_some(Path::new("-"));
    let written: Vec<&Path> = arguments.output.as_deref().into_iter().chain(stdout).collect();
    outputs::check(&written, &inputs, arguments.overwrite.force)?;
    written.into_iter().try_for_each(outputs::check_writable)?;
    let device = devices::choose(&arguments.device, quiet)?;
    let date = date();
    let job = CompareJob {
        models: arguments.models.iter().map(|name| (name.clone(), Value::Object(Map::new()))).collect(),
        source: &source,
        holdout,
        holdout_share: arguments.holdout_share,
        budget: arguments.budget,
        seed: arguments.seed,
        device: &device,
        date: Some(&date),
        stop: Arc::default(),
        options: &options,
    };
    deliver(arguments, kind.compare(job, &|| observer(quiet))?)
}

/// The scores side by side, with the times; the page if it was asked for.
fn deliver(arguments: &Compare, compared: Vec<Compared>) -> Outcome {
    let times: Vec<(String, f64, f64)> = compared
        .iter()
        .map(|Compared { model, summary, sample_secs, .. }| (model.clone(), summary.encode_secs + summary.train_secs, *sample_secs))
        .collect();
    let named: Vec<(String, Report)> = compared.into_iter().map(|one| (one.model, one.report)).collect();
    let comparison = compare(&named)?;
    let failed = |error: serde_json::Error| Failure::Work(error.to_string());
    if let Some(path) = &arguments.output {
        if outputs::is_stream(path) {
            print_document(&comparison.to_html());
            return Ok(());
        }
        files::write(path, comparison.to_html().as_bytes())?;
        outputs::record(path);
    }
    if arguments.json {
        let scores: Value = serde_json::from_str(&comparison.to_json().map_err(failed)?).map_err(failed)?;
        let times: Vec<Value> =
            times.iter().map(|(model, fit, sample)| json!({ "model": model, "fit_secs": fit, "sample_secs": sample })).collect();
        print_document(&json!({ "scores": scores, "times": times }).to_string());
        return Ok(());
    }
    comparison.to_text().iter().for_each(|line| print(line));
    times.iter().for_each(|(model, fit, sample)| print(&format!("{model}: fitted in {fit:.1} s, sampled in {sample:.1} s")));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}
