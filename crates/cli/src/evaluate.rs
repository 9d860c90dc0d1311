//! `semblant evaluate`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use semblant::files;
use semblant::metrics::Report;
use semblant::metrics::report::{compare, short_names};
use semblant::options::Names;
use semblant::{EvaluateJob, LikelihoodJob, Likelihoods, Modality, Registry, Source, Verb};
use serde_json::{Value, json};

use crate::arguments::Evaluate;
use crate::outputs::check_writable;
use crate::{Failure, Outcome, datasets, date, devices, groups, observer, outputs, print, print_document};

pub(crate) fn run(arguments: &Evaluate, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let real = datasets::source(&arguments.real, "train")?;
    let kind = match &arguments.likelihood {
        Some(model) if arguments.kind.is_none() => registry.kind_of_file(model)?,
        _ => kind_of(arguments.kind.as_deref(), &real, registry)?,
    };
    let options = groups::values(matches, registry, Verb::Evaluate, kind)?;
    let synthetics = arguments.synthetics().into_iter().map(|text| datasets::source(text, "test")).collect::<Result<Vec<_>, _>>()?;
    let holdout = arguments.holdout.as_deref().map(|holdout| datasets::source(holdout, "test")).transpose()?;
    let named = groups::files(kind, Verb::Evaluate, &options, Names::Input);
    let inputs = std::iter::once(&real).chain(&synthetics).chain(&holdout).map(Source::path);
    let models = [&arguments.shadow, &arguments.likelihood].into_iter().flatten();
    let inputs: Vec<&Path> = inputs.chain(models.chain(&named).map(PathBuf::as_path)).collect();
    check_outputs(arguments, &inputs)?;
    let device = devices::choose(&arguments.device, true)?;
    let observe = || observer(quiet);
    let date = date();
    if let Some(model) = &arguments.likelihood {
        let job = LikelihoodJob {
            model,
            source: &real,
            samples: arguments.samples,
            seed: arguments.seed,
            device: &device,
            options: &options,
            parts: false,
        };
        return likelihood(arguments, kind.items(), kind.negative_log_likelihoods(job, &observe)?);
    }
    let job = EvaluateJob {
        real: &real,
        synthetics,
        holdout,
        seed: arguments.seed,
        device: &device,
        shadow: arguments.shadow.as_deref(),
        date: Some(&date),
        options: &options,
    };
    deliver(arguments, kind.evaluate(job, &observe)?)
}

/// The kind of data: as named, as a public data set says, or as the name of the file or folder shows.
pub(crate) fn kind_of<'a>(named: Option<&str>, source: &Source, registry: &'a Registry) -> Result<&'a dyn Modality, Failure> {
    if let Some(name) = named {
        return Ok(registry.kind(name)?);
    }
    registry.kinds().find(|kind| kind.recognizes(source)).ok_or_else(|| {
        let kinds = registry.kinds().map(Modality::kind).collect::<Vec<_>>().join(" or ");
        Failure::Usage(format!("{}: the name does not show the kind of data; add --kind {kinds}", source.name()))
    })
}

/// Refuses outputs that cannot be written before any work is done.
fn check_outputs(arguments: &Evaluate, inputs: &[&Path]) -> Outcome {
    let outputs: Vec<&Path> = [&arguments.output, &arguments.json].into_iter().flatten().map(PathBuf::as_path).collect();
    outputs::check(&outputs, inputs, arguments.overwrite.force)?;
    outputs.into_iter().try_for_each(check_writable)
}

/// Writes the page and the JSON to the paths given, and prints the scores unless the JSON is printed. Several reports become a comparison.
fn deliver(arguments: &Evaluate, mut reports: Vec<Report>) -> Outcome {
    let (page, json, lines) = match reports.pop() {
        Some(report) if arguments.compare.is_empty() => (report.to_html(), report.to_json(), report.to_text()),
        last => {
            let reports = reports.into_iter().chain(last);
            let named: Vec<(String, Report)> = short_names(&arguments.synthetics()).into_iter().zip(reports).collect();
            let comparison = compare(&named)?;
            (comparison.to_html(), comparison.to_json(), comparison.to_text())
        }
    };
    let json = json.map_err(|error| Failure::Work(error.to_string()))?;
    if let Some(path) = &arguments.output {
        if outputs::is_stream(path) {
            print_document(&page);
            return Ok(());
        }
        files::write(path, page.as_bytes())?;
        outputs::record(path);
    }
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => {
            print_document(&json);
            return Ok(());
        }
        Some(path) => {
            files::write(path, json.as_bytes())?;
            outputs::record(path);
        }
        None => {}
    }
    lines.iter().for_each(|line| print(line));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}

/// Mean and standard error of negative log-likelihoods.
fn likelihood(arguments: &Evaluate, items: &str, found: Likelihoods) -> Outcome {
    let Likelihoods { nats: each, dimensions, values, .. } = found;
    let count = each.len() as f64;
    let mean = each.iter().sum::<f64>() / count;
    let variance = each.iter().map(|nats| (nats - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let error = (variance / count).sqrt();
    let bits = dimensions.map(|dimensions| mean / dimensions as f64 / std::f64::consts::LN_2);
    let mut json: Value = json!({
        "negative_log_likelihood_nats": mean, "standard_error_nats": error, "bits_per_dimension": bits,
        items: each.len(), "samples": arguments.samples, "seed": arguments.seed,
    });
    let bits = bits.map_or_else(String::new, |bits| format!(", {bits:.4} bits per dimension"));
    let bits = values.map_or(bits, |(values, name)| {
        let nats = mean * count / values.max(1) as f64;
        json[format!("nats_per_{name}")] = json!(nats);
        format!(", {nats:.4} nats and {:.4} bits per {name}", nats / std::f64::consts::LN_2)
    });
    let text = format!("negative log-likelihood {mean:.3} nats per item (standard error {error:.3}){bits}");
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => print_document(&json.to_string()),
        Some(path) => {
            files::write(path, format!("{json:#}\n").as_bytes())?;
            outputs::record(path);
            print(&text);
        }
        None => print(&text),
    }
    Ok(())
}
