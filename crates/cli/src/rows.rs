//! `semblant impute` and `semblant score`: rows that are given.

use std::path::{Path, PathBuf};

use semblant::options::{GAPS_ONLY, OptionValues};
use semblant::{LikelihoodJob, Likelihoods, Registry, SampleJob, Source, files};
use serde_json::json;

use crate::arguments::{Impute, Score};
use crate::{Failure, Outcome, datasets, devices, observer, outputs, print};

/// Fills missing cells; several draws are files with numbers.
pub(crate) fn impute(arguments: &Impute, registry: &Registry, quiet: bool) -> Outcome {
    if arguments.draws == 0 {
        return Err(Failure::Usage("--draws 0: ask for at least one".into()));
    }
    let source = datasets::source(&arguments.data, "train")?;
    let kind = registry.kind_of_file(&arguments.model)?;
    let files: Vec<PathBuf> = (1..=arguments.draws).map(|draw| numbered(&arguments.output, draw, arguments.draws)).collect();
    let outputs: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    outputs::check(&outputs, &[&arguments.model, source.path()], arguments.overwrite.force)?;
    let device = devices::choose(&arguments.device, true)?;
    let mut options = OptionValues::default();
    options.insert(GAPS_ONLY, []);
    if !arguments.columns.is_empty() {
        options.insert("redraw", arguments.columns.iter().cloned());
    }
    if arguments.escape_formulas {
        options.insert("escape-formulas", []);
    }
    for (draw, output) in files.iter().enumerate() {
        let init = Some((datasets::source(&arguments.data, "train")?, None));
        let seed = arguments.seed.wrapping_add(draw as u64);
        let job = SampleJob { model: &arguments.model, device: &device, rows: 0..0, seed, init, options: &options, output };
        kind.sample(job, &|| observer(quiet))?;
        outputs::record(output);
        if !outputs::is_stream(output) {
            print(&output.display().to_string());
        }
    }
    Ok(())
}

/// `made.csv` for one draw; `made-1.csv`, `made-2.csv` and so on for several.
fn numbered(output: &Path, draw: u64, draws: u64) -> PathBuf {
    let name = output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if draws == 1 || outputs::is_stream(output) {
        return output.to_path_buf();
    }
    let (stem, extension) = name.split_once('.').map_or((name.as_str(), String::new()), |(stem, rest)| (stem, format!(".{rest}")));
    output.with_file_name(format!("{stem}-{draw}{extension}"))
}

/// Log-likelihoods of rows, as a summary and as a file.
pub(crate) fn score(arguments: &Score, registry: &Registry, quiet: bool) -> Outcome {
    let source: Source = datasets::source(&arguments.data, "test")?;
    let kind = registry.kind_of_file(&arguments.model)?;
    let stdout = arguments.json.then_some(Path::new("-"));
    let outputs: Vec<&Path> = arguments.output.as_deref().into_iter().chain(stdout).collect();
    outputs::check(&outputs, &[&arguments.model, source.path()], arguments.overwrite.force)?;
    outputs.into_iter().try_for_each(outputs::check_writable)?;
    let device = devices::choose(&arguments.device, true)?;
    let options = OptionValues::default();
    let job = LikelihoodJob {
        model: &arguments.model,
        source: &source,
        samples: arguments.orders.max(1),
        seed: arguments.seed,
        device: &device,
        options: &options,
        parts: arguments.per_column,
    };
    let Likelihoods { nats, parts, .. } = kind.negative_log_likelihoods(job, &|| observer(quiet))?;
    if let Some(path) = &arguments.output {
        let mut text = String::from("row,log_likelihood");
        parts.iter().for_each(|(name, _)| text.push_str(&format!(",{}", quoted(name))));
        text.push('\n');
        for (row, nats) in nats.iter().enumerate() {
            text.push_str(&format!("{row},{}", -nats));
            parts.iter().for_each(|(_, values)| text.push_str(&format!(",{}", -values[row])));
            text.push('\n');
        }
        if outputs::is_stream(path) {
            print(text.trim_end());
            return Ok(());
        }
        files::write(path, text.as_bytes())?;
        outputs::record(path);
    }
    let count = nats.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let total = mean(&nats);
    let deviation = (nats.iter().map(|value| (value - total).powi(2)).sum::<f64>() / (count - 1.0).max(1.0)).sqrt();
    if arguments.json {
        let columns: serde_json::Map<String, serde_json::Value> =
            parts.iter().map(|(name, values)| (name.clone(), json!(-mean(values)))).collect();
        let summary =
            json!({ "rows": nats.len(), "mean_log_likelihood": -total, "standard_error": deviation / count.sqrt(), "columns": columns });
        print(&summary.to_string());
        return Ok(());
    }
    print(&format!(
        "mean log-likelihood {:.3} nats a row (standard error {:.3}) over {} {}",
        -total,
        deviation / count.sqrt(),
        nats.len(),
        kind.items()
    ));
    parts.iter().for_each(|(name, values)| print(&format!("  {:10.3}  {name}", -mean(values))));
    let mut least: Vec<usize> = (0..nats.len()).collect();
    least.sort_by(|&a, &b| nats[b].total_cmp(&nats[a]).then(a.cmp(&b)));
    let listed: Vec<String> = least.iter().take(5).map(|&row| format!("{row} ({:.1})", -nats[row])).collect();
    print(&format!("least probable rows, from 0: {}", listed.join(", ")));
    if let Some(path) = &arguments.output {
        print(&path.display().to_string());
    }
    Ok(())
}

/// A name as a cell of a CSV file.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}
