//! `semblant evaluate`.

use std::path::Path;

use clap::ArgMatches;
use semblant::checkpoint::write_atomically;
use semblant::metrics::Report;
use semblant::metrics::report;
use semblant::{EvaluateJob, LikelihoodJob, Modality, Registry, Source, Verb};
use serde_json::{Value, json};

use crate::arguments::Evaluate;
use crate::fit::check_writable;
use crate::{Failure, Outcome, datasets, devices, groups, observer, print};

pub(crate) fn run(arguments: &Evaluate, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    let real = datasets::source(&arguments.real, "train")?;
    let kind = kind_of(arguments, &real, registry)?;
    let options = groups::values(matches, registry, Verb::Evaluate, kind)?;
    check_outputs(arguments)?;
    let device = devices::choose(&arguments.device, quiet)?;
    let mut observer = observer(quiet);
    if let Some(model) = &arguments.likelihood {
        let job = LikelihoodJob { model, source: &real, samples: arguments.samples, seed: arguments.seed, device: &device, options: &options };
        return likelihood(arguments, &kind.negative_log_likelihoods(job, observer.as_mut())?);
    }
    let job = EvaluateJob {
        real: &real,
        synthetics: arguments.synthetics().into_iter().map(Source::of_path).collect(),
        holdout: arguments.holdout.as_deref().map(|holdout| datasets::source(holdout, "test")).transpose()?,
        seed: arguments.seed,
        device: &device,
        shadow: arguments.shadow.as_deref(),
        options: &options,
    };
    let reports = kind.evaluate(job, observer.as_mut())?;
    deliver(arguments, reports)
}

/// The kind of data: as named, as a public data set says, or as the name of the file or folder shows.
fn kind_of<'a>(arguments: &Evaluate, real: &Source, registry: &'a Registry) -> Result<&'a dyn Modality, Failure> {
    if let Some(name) = &arguments.kind {
        return Ok(registry.kind(name)?);
    }
    registry.kinds().find(|kind| kind.recognizes(real)).ok_or_else(|| {
        let kinds = registry.kinds().map(Modality::kind).collect::<Vec<_>>().join(" or ");
        Failure::Usage(format!("--real {}: its name does not show what it holds; add --kind {kinds}", arguments.real))
    })
}

/// Refuses outputs that cannot be written before any work is done.
fn check_outputs(arguments: &Evaluate) -> Outcome {
    [&arguments.output, &arguments.json]
        .into_iter()
        .flatten()
        .filter(|path| path.as_os_str() != "-")
        .try_for_each(|path| check_writable(path))
}

/// Writes the page and the JSON where they were asked to go, and prints the scores unless the JSON goes there.
fn deliver(arguments: &Evaluate, reports: Vec<Report>) -> Outcome {
    let named: Vec<(String, Report)> = arguments.synthetics().iter().map(|path| path.to_string_lossy().into_owned()).zip(reports).collect();
    let single = match named.as_slice() {
        [(_, report)] if arguments.compare.is_empty() => Some(report),
        _ => None,
    };
    if let Some(path) = &arguments.output {
        let page = single.map_or_else(|| report::comparison_page(&named), Report::to_html);
        write_atomically(path, page.as_bytes())?;
    }
    let json = || -> Result<String, Failure> {
        let text = single.map_or_else(|| report::comparison_json(&named), Report::to_json);
        text.map_err(|error| Failure::Work(error.to_string()))
    };
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => {
            print(&json()?);
            return Ok(());
        }
        Some(path) => write_atomically(path, json()?.as_bytes())?,
        None => {}
    }
    report::text_table(&named).iter().for_each(|line| print(line));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}

/// Mean and standard error of negative log-likelihoods.
fn likelihood(arguments: &Evaluate, each: &[f64]) -> Outcome {
    let count = each.len() as f64;
    let mean = each.iter().sum::<f64>() / count;
    let variance = each.iter().map(|nats| (nats - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let error = (variance / count).sqrt();
    let json: Value = json!({
        "negative_log_likelihood_nats": mean, "standard_error_nats": error,
        "items": each.len(), "samples": arguments.samples, "seed": arguments.seed,
    });
    let text = format!("negative log-likelihood {mean:.3} nats an item (standard error {error:.3})");
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => print(&json.to_string()),
        Some(path) => {
            write_atomically(path, format!("{json:#}\n").as_bytes())?;
            print(&text);
        }
        None => print(&text),
    }
    Ok(())
}
