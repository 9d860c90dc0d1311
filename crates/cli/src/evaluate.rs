//! `semblant evaluate`.

use std::path::Path;

use semblant::checkpoint::write_atomically;
use semblant::data::table::{ReadOptions, Table};
use semblant::metrics::table::binning::BinRule;
use semblant::metrics::{Options, Report, evaluate};

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
    let to_stdout = arguments.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
    for output in [&arguments.output, &arguments.json].into_iter().flatten().filter(|path| path.as_os_str() != "-") {
        check_writable(output)?;
    }
    let read = source::read(&arguments.real, arguments.schema.as_deref(), arguments.target.as_deref(), &[])?;
    // The other tables are read as the real one is, so that a column means the same in all of them.
    let options = ReadOptions::with_schema(read.table.schema().clone());
    let synthetic = Table::read(synthetic(arguments)?, &options)?;
    let holdout = arguments.holdout.as_deref().map(|holdout| source::read_as(holdout, &options)).transpose()?;
    let target = arguments.target.clone().or_else(|| read.table.schema().target.clone());
    let bins = match arguments.bins {
        Bins::EachTable => BinRule::EachTable,
        Bins::Real => BinRule::Real,
    };
    let options = Options { target, seed: arguments.seed, bins, ..Options::default() };
    let mut stage = |name: &str| {
        if !quiet {
            say(name);
        }
    };
    let report = evaluate(&read.table, &synthetic, holdout.as_ref(), &options, &mut stage)?;
    let json = || report.to_json().map_err(|error| Failure::Work(error.to_string()));
    if let Some(path) = &arguments.output {
        write_atomically(path, report.to_html().as_bytes())?;
    }
    match &arguments.json {
        Some(_) if to_stdout => print(&json()?),
        Some(path) => write_atomically(path, json()?.as_bytes())?,
        None => {}
    }
    if !to_stdout {
        scores(&report).iter().for_each(|line| print(line));
        if let Some(path) = &arguments.output {
            print(&path.display().to_string());
        }
    }
    Ok(())
}

/// What is judged.
pub(crate) fn synthetic(arguments: &Evaluate) -> Result<&Path, Failure> {
    arguments.synthetic.as_deref().ok_or_else(|| Failure::Usage("name what is to be judged with --synthetic".into()))
}

/// One line a score: name, value, and what it is held against.
pub(crate) fn scores(report: &Report) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mut lines = vec![format!("{:44} {:>10} {:>10}", "score", "value", "reference")];
    lines
        .extend(report.scores.iter().map(|score| format!("{:44} {:>10} {:>10}", score.name, number(score.value), number(score.reference))));
    lines
}
