//! `semblant sample`: streamed, so that memory does not grow with the number of rows.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use semblant::options::{Names, OptionValues};
use semblant::{Registry, SampleJob, SampleOutcome, Source, Verb};
use serde_json::json;

use crate::arguments::{Format, Sample, count};
use crate::{Failure, Outcome, datasets, devices, groups, observer, outputs, print, print_document, say};

pub(crate) fn run(arguments: &Sample, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    if arguments.from.is_none() && (arguments.mask.is_some() || ["strength", "size"].iter().any(|name| given(matches, name))) {
        return Err(Failure::Usage("--strength, --mask and --size need data to start from; give it with --from".into()));
    }
    if arguments.table.is_some() || arguments.scale.is_some() {
        return Err(Failure::Usage("--table and --scale are for specs of rules (.toml or .yaml); leave them out".into()));
    }
    if arguments.n.is_none() && arguments.rows.is_none() && arguments.from.is_none() && !given(matches, "given") {
        return Err(Failure::Usage("ask for a number of rows or images with -n, or for a range with --rows A..B".into()));
    }
    // Rows that are given say how many there are.
    let counted = arguments.n.is_some() || arguments.rows.is_some();
    let rows = if arguments.from.is_some() || !counted && given(matches, "given") { 0..0 } else { rows(arguments)? };
    let device = devices::choose(&arguments.device, true)?;
    let kind = registry.kind_of_file(&arguments.model)?;
    let options = groups::values(matches, registry, Verb::Sample, kind)?;
    let source = |text: &String| datasets::source(text, "train");
    let mask = arguments.mask.as_ref().map(source).transpose()?;
    let init = arguments.from.as_ref().map(source).transpose()?.map(|init| (init, mask));
    let output = output(arguments, kind.kind())?;
    let named = groups::files(kind, Verb::Sample, &options, Names::Input);
    let inputs: Vec<&Path> = std::iter::once(arguments.model.as_path())
        .chain(init.iter().flat_map(|(init, mask)| std::iter::once(init).chain(mask)).map(Source::path))
        .chain(named.iter().map(PathBuf::as_path))
        .collect();
    let stdout = arguments.json.then_some(Path::new("-"));
    let outputs: Vec<&Path> = std::iter::once(output.as_path()).chain(stdout).collect();
    outputs::check(&outputs, &inputs, arguments.overwrite.force)?;
    let asked = rows.end - rows.start;
    let job = SampleJob { model: &arguments.model, device: &device, rows, seed: arguments.seed, init, options: &options, output: &output };
    let SampleOutcome { items, drawn, cut } = match kind.sample(job, &|| observer(quiet)) {
        // A reader that closed the pipe has read enough.
        Err(semblant::Error::Io { source, .. }) if outputs::is_stream(&output) && source.kind() == ErrorKind::BrokenPipe => return Ok(()),
        sampled => sampled?,
    };
    let is_conditional = is_conditional(&options);
    tell(arguments, &output, (kind.items(), asked, is_conditional), SampleOutcome { items, drawn, cut }, quiet)
}

/// The options that ask rows to be something.
const CONDITIONS: [&str; 4] = ["where", "balance", "distribution", "given"];

/// Whether rows are asked to be something.
pub(crate) fn is_conditional(options: &OptionValues) -> bool {
    CONDITIONS.iter().any(|name| options.has(name))
}

/// Says what was written: how many of the `asked` items there are.
pub(crate) fn tell(
    arguments: &Sample,
    output: &Path,
    (name, asked, is_conditional): (&str, u64, bool),
    SampleOutcome { items, drawn, cut }: SampleOutcome,
    quiet: bool,
) -> Outcome {
    outputs::record(output);
    let to_stdout = outputs::is_stream(output);
    if let Some(why) = cut {
        let of = if asked > 0 { format!(" of {asked}") } else { String::new() };
        let kept = format!("{items}{of} {} were found in {drawn} draws and are in {}", name, output.display());
        return Err(Failure::Work(format!("{why}; {kept}")));
    }
    let acceptance = items as f64 / drawn.max(1) as f64;
    if arguments.json {
        let summary = json!({ "output": arguments.output, name: items, "drawn_rows": drawn, "acceptance": acceptance });
        print_document(&summary.to_string());
        return Ok(());
    }
    if !quiet && (drawn != items || is_conditional && name == "rows") {
        say(&format!("{items} {} meet the conditions, out of {drawn} drawn: acceptance {:.1} %", name, 100.0 * acceptance));
    }
    if !to_stdout {
        print(&output.display().to_string());
    }
    Ok(())
}

/// The output, which on standard output has its format as an extension.
pub(crate) fn output(arguments: &Sample, kind: &str) -> Result<PathBuf, Failure> {
    if arguments.output.as_os_str() != "-" {
        return Ok(arguments.output.clone());
    }
    if !["table", "series", "text"].contains(&kind) {
        return Err(Failure::Usage(format!("-o -: {kind} cannot be written to standard output; give a file or folder")));
    }
    Ok(PathBuf::from(match arguments.format {
        Format::Csv => "-",
        Format::Jsonl => "-.jsonl",
        Format::Parquet => "-.parquet",
        Format::Sql => "-.sql",
    }))
}

fn given(matches: &ArgMatches, name: &str) -> bool {
    matches.try_contains_id(name).unwrap_or(false)
}

pub(crate) fn rows(arguments: &Sample) -> Result<Range<u64>, Failure> {
    if let Some(text) = &arguments.rows {
        if let Ok(count) = count(text) {
            return if count > 0 { Ok(0..count) } else { Err(Failure::Usage("--rows 0: ask for at least one row".into())) };
        }
        let parsed =
            text.split_once("..").and_then(|(start, end)| Some(start.trim().parse::<u64>().ok()?..end.trim().parse::<u64>().ok()?));
        return match parsed {
            Some(range) if range.start < range.end => Ok(range),
            _ => Err(Failure::Usage(format!("--rows {text}: write a number, or A..B with A less than B, for example 0..1000"))),
        };
    }
    match arguments.n {
        Some(n) if n > 0 => Ok(0..n),
        _ => Err(Failure::Usage("-n 0: ask for at least one row".into())),
    }
}
