//! `semblant evaluate`.

use std::path::Path;

use semblant::DataKind;
use semblant::data::table::{ReadOptions, Table};
use semblant::files;
use semblant::metrics::membership::lira::Generate;
use semblant::metrics::report::Score;
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
    check_outputs(arguments)?;
    let read = source::read(&arguments.real, arguments.schema.as_deref(), arguments.target.as_deref(), &[])?;
    // The other tables are read as the real one is, so that a column means the same in all of them.
    let options = ReadOptions::with_schema(read.table.schema().clone());
    let tables = arguments.synthetics().iter().map(|path| Ok(Table::read(path, &options)?)).collect::<Result<Vec<Table>, Failure>>()?;
    let holdout = arguments.holdout.as_deref().map(|holdout| source::read_as(holdout, &options)).transpose()?;
    let target = arguments.target.clone().or_else(|| read.table.schema().target.clone());
    let bins = match arguments.bins {
        Bins::EachTable => BinRule::EachTable,
        Bins::Real => BinRule::Real,
    };
    let device = semblant::device::select(&arguments.device)?;
    let max_rows = arguments.max_rows.map(|rows| rows as usize);
    let recipe = arguments.shadow.as_deref().map(|model| Recipe::read(model, DataKind::Table, &device)).transpose()?;
    let options = Options { target, seed: arguments.seed, bins, device, max_rows, ..Options::default() };
    let shadows = arguments.plan();
    let mut stage = |name: &str| {
        if !quiet {
            say(name);
        }
    };
    let reports = tables
        .iter()
        .map(|synthetic| {
            let mut generate = recipe.as_ref().map(|recipe| {
                move |rows: &Table, number: u64| {
                    let seed = shadow_begins(arguments, number, quiet);
                    recipe.train_and_sample(rows, synthetic.rows() as u64, seed).map_err(|error| error.to_string())
                }
            });
            let attack = generate.as_mut().map(|generate| (&shadows, generate as Generate<Table>));
            Ok(evaluate_with_shadows(&read.table, synthetic, holdout.as_ref(), &options, attack, &mut stage)?)
        })
        .collect::<Result<Vec<Report>, Failure>>()?;
    let lists: Vec<&[Score]> = reports.iter().map(|report| &report.scores[..]).collect();
    deliver(arguments, &reports, Report::to_html, || scores(&headings(arguments), &lists))
}

/// Says that a shadow model is trained next; its seed.
pub(crate) fn shadow_begins(arguments: &Evaluate, number: u64, quiet: bool) -> u64 {
    if !quiet {
        say(&format!("  shadow model {} of {}", number + 1, arguments.shadows));
    }
    arguments.seed.wrapping_add(1 + number)
}

/// Refuses outputs that cannot be written before any work is done.
pub(crate) fn check_outputs(arguments: &Evaluate) -> Outcome {
    [&arguments.output, &arguments.json]
        .into_iter()
        .flatten()
        .filter(|path| path.as_os_str() != "-")
        .try_for_each(|path| check_writable(path))
}

/// Writes the page of a single result and the JSON where they were asked to go, and prints the lines unless JSON goes there.
pub(crate) fn deliver<R: serde::Serialize>(
    arguments: &Evaluate,
    results: &[R],
    page: impl Fn(&R) -> String,
    lines: impl FnOnce() -> Vec<String>,
) -> Outcome {
    if let (Some(path), [result]) = (&arguments.output, results) {
        files::write(path, page(result).as_bytes())?;
    }
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => {
            print(&json(arguments, results)?);
            return Ok(());
        }
        Some(path) => files::write(path, json(arguments, results)?.as_bytes())?,
        None => {}
    }
    lines().iter().for_each(|line| print(line));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}

/// A result as it is, or several to compare as one list, each beside the path of its set.
fn json(arguments: &Evaluate, results: &[impl serde::Serialize]) -> Result<String, Failure> {
    let text = match (results, arguments.compare.is_empty()) {
        ([result], true) => serde_json::to_string_pretty(result),
        _ => {
            let entry = |(path, result): (&Path, _)| serde_json::json!({ "synthetic": path.to_string_lossy(), "report": result });
            serde_json::to_string_pretty(&arguments.synthetics().into_iter().zip(results).map(entry).collect::<Vec<_>>())
        }
    };
    text.map_err(|error| Failure::Work(error.to_string()))
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
