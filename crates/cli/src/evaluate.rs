//! `semblant evaluate`.

use std::path::Path;

use semblant::checkpoint::write_atomically;
use semblant::data::table::{ReadOptions, Table};
use semblant::metrics::report::Score;
use semblant::metrics::table::attacks::shadow::{Generate, Shadows};
use semblant::metrics::table::binning::BinRule;
use semblant::metrics::{Options, Report, evaluate_with_shadows};
use semblant::shadow::Recipe;

use crate::arguments::{Bins, Evaluate};
use crate::fit::check_writable;
use crate::{Failure, Outcome, beside, print, say, source};

pub(crate) fn run(arguments: &Evaluate, quiet: bool) -> Outcome {
    if let Some(model) = &arguments.likelihood {
        return crate::judge::likelihood(arguments, model, quiet);
    }
    if arguments.output.is_some() && !arguments.compare.is_empty() {
        return Err(Failure::Usage("--output writes the report of one set; with --compare use --json, or --synthetic for each".into()));
    }
    if let Some(features) = &arguments.features {
        return crate::judge::run(arguments, features, quiet);
    }
    let to_stdout = arguments.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
    for output in [&arguments.output, &arguments.json].into_iter().flatten().filter(|path| path.as_os_str() != "-") {
        check_writable(output)?;
    }
    let read = source::read(&arguments.real, arguments.schema.as_deref(), arguments.target.as_deref(), &[])?;
    // The other tables are read as the real one is, so that a column means the same in all of them.
    let options = ReadOptions::with_schema(read.table.schema().clone());
    let synthetics = arguments.synthetics();
    let tables = synthetics.iter().map(|path| Ok(Table::read(path, &options)?)).collect::<Result<Vec<Table>, Failure>>()?;
    let holdout = arguments.holdout.as_deref().map(|holdout| source::read_as(holdout, &options)).transpose()?;
    let target = arguments.target.clone().or_else(|| read.table.schema().target.clone());
    let bins = match arguments.bins {
        Bins::EachTable => BinRule::EachTable,
        Bins::Real => BinRule::Real,
    };
    let device = semblant::device::select(&arguments.device)?;
    let max_rows = arguments.max_rows.map(|rows| rows as usize);
    let options = Options { target, seed: arguments.seed, bins, device, max_rows, ..Options::default() };
    let recipe = arguments.shadow.as_deref().map(|model| Recipe::read(model, &arguments.device)).transpose()?;
    let shadows = Shadows { models: arguments.shadows.into(), persons: arguments.persons as usize, seed: arguments.seed };
    let mut stage = |name: &str| {
        if !quiet {
            say(name);
        }
    };
    let reports = tables
        .iter()
        .map(|synthetic| {
            let mut generate = |rows: &Table, number: u64| {
                let recipe = recipe.as_ref().ok_or("no model was given")?;
                if !quiet {
                    say(&format!("  model {} of {}", number + 1, shadows.models));
                }
                let seed = arguments.seed.wrapping_add(1 + number);
                recipe.train_and_sample(rows, synthetic.rows() as u64, seed).map_err(|error| error.to_string())
            };
            let attack = recipe.is_some().then_some((&shadows, &mut generate as Generate));
            Ok(evaluate_with_shadows(&read.table, synthetic, holdout.as_ref(), &options, attack, &mut stage)?)
        })
        .collect::<Result<Vec<Report>, Failure>>()?;
    let json = || match (&reports[..], arguments.compare.is_empty()) {
        ([report], true) => report.to_json().map_err(|error| Failure::Work(error.to_string())),
        _ => named_json(&synthetics, &reports),
    };
    if let (Some(path), [report]) = (&arguments.output, &reports[..]) {
        write_atomically(path, report.to_html().as_bytes())?;
    }
    match &arguments.json {
        Some(_) if to_stdout => print(&json()?),
        Some(path) => write_atomically(path, json()?.as_bytes())?,
        None => {}
    }
    if !to_stdout {
        let lists: Vec<&[Score]> = reports.iter().map(|report| &report.scores[..]).collect();
        scores(&headings(arguments), &lists).iter().for_each(|line| print(line));
        if let Some(path) = &arguments.output {
            print(&path.display().to_string());
        }
    }
    Ok(())
}

/// Results of several sets as one JSON list, each beside the path of its set.
pub(crate) fn named_json(paths: &[&Path], results: &[impl serde::Serialize]) -> Result<String, Failure> {
    let entry = |(path, result): (&&Path, _)| serde_json::json!({ "synthetic": path.to_string_lossy(), "report": result });
    let list: Vec<serde_json::Value> = paths.iter().zip(results).map(entry).collect();
    serde_json::to_string_pretty(&list).map_err(|error| Failure::Work(error.to_string()))
}

/// What stands over the columns of values.
pub(crate) fn headings(arguments: &Evaluate) -> Vec<String> {
    if arguments.compare.is_empty() { vec!["value".to_owned()] } else { beside::headings(&arguments.synthetics()) }
}

/// One line a score: name, the values, and what they are held against, which is the first report's where the reports differ.
pub(crate) fn scores(headings: &[String], reports: &[&[Score]]) -> Vec<String> {
    let first = reports.first().copied().unwrap_or_default();
    let value = |report: &[Score], id: &str| report.iter().find(|score| score.id == id).and_then(|score| score.value);
    let values = |id: &str| reports.iter().map(|report| value(report, id)).collect();
    beside::lines(headings, first.iter().map(|score| (score.name.clone(), values(&score.id), score.reference)))
}
