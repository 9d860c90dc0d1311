//! `semblant evaluate`.

use std::path::Path;

use semblant::DataKind;
use semblant::checkpoint::write_atomically;
use semblant::data::table::{ReadOptions, Table};
use semblant::metrics::membership::lira::Generate;
use semblant::metrics::report::{Source, Sources, compare, short_names};
use semblant::metrics::table::binning::BinRule;
use semblant::metrics::{Options, Report, evaluate_with_shadows};
use semblant::shadow::Recipe;

use crate::arguments::{Bins, Evaluate};
use crate::fit::check_writable;
use crate::{Failure, Outcome, print, say, source};

pub(crate) fn run(arguments: &Evaluate, quiet: bool) -> Outcome {
    if let Some(model) = &arguments.likelihood {
        return crate::judge::likelihood(arguments, model, quiet);
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
        .zip(arguments.synthetics())
        .map(|(synthetic, path)| {
            let options = Options { sources: sources(arguments, path), ..options.clone() };
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
    deliver(arguments, reports)
}

/// The names of what is evaluated, for the report.
pub(crate) fn sources(arguments: &Evaluate, synthetic: &Path) -> Sources {
    Sources {
        real: Source::named(&arguments.real),
        synthetic: Source::named(synthetic.to_string_lossy()),
        holdout: arguments.holdout.as_ref().map(Source::named),
        ..Sources::default()
    }
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

/// Writes the page and the JSON to the paths given, and prints the scores unless the JSON is printed. Several reports become a comparison.
pub(crate) fn deliver(arguments: &Evaluate, mut reports: Vec<Report>) -> Outcome {
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
        write_atomically(path, page.as_bytes())?;
    }
    match arguments.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => {
            print(&json);
            return Ok(());
        }
        Some(path) => write_atomically(path, json.as_bytes())?,
        None => {}
    }
    lines.iter().for_each(|line| print(line));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}
