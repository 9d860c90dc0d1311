//! `semblant sample`: streamed, so that memory does not grow with the number of rows.

use std::ops::Range;

use clap::ArgMatches;
use semblant::{Registry, SampleJob, SampleOutcome, Verb};
use serde_json::json;

use crate::arguments::Sample;
use crate::{Failure, Outcome, datasets, devices, groups, observer, print, say};

pub(crate) fn run(arguments: &Sample, matches: &ArgMatches, registry: &Registry, quiet: bool) -> Outcome {
    if arguments.from.is_none() && (arguments.mask.is_some() || ["strength", "size"].iter().any(|name| given(matches, name))) {
        return Err(Failure::Usage("--strength, --mask and --size need data to start from; give it with --from".into()));
    }
    let rows = if arguments.from.is_some() { 0..0 } else { rows(arguments)? };
    let device = devices::choose(&arguments.device, quiet)?;
    let kind = registry.kind_of_file(&arguments.model)?;
    let options = groups::values(matches, registry, Verb::Sample, kind)?;
    let source = |text: &String| datasets::source(text, "train");
    let mask = arguments.mask.as_ref().map(source).transpose()?;
    let init = arguments.from.as_ref().map(source).transpose()?.map(|init| (init, mask));
    let job = SampleJob {
        model: &arguments.model,
        device: &device,
        rows,
        seed: arguments.seed,
        init,
        options: &options,
        output: &arguments.output,
    };
    let SampleOutcome { items, drawn } = kind.sample(job, &|| observer(quiet))?;
    let acceptance = items as f64 / drawn.max(1) as f64;
    if arguments.json {
        let summary = json!({ "output": arguments.output, kind.items(): items, "drawn_rows": drawn, "acceptance": acceptance });
        print(&summary.to_string());
        return Ok(());
    }
    if !quiet && (drawn != items || options.has("where") && kind.items() == "rows" || options.has("balance") && kind.items() == "rows") {
        say(&format!("{items} {} meet the conditions, out of {drawn} drawn: acceptance {:.1} %", kind.items(), 100.0 * acceptance));
    }
    print(&arguments.output.display().to_string());
    Ok(())
}

fn given(matches: &ArgMatches, name: &str) -> bool {
    matches.try_contains_id(name).unwrap_or(false)
}

fn rows(arguments: &Sample) -> Result<Range<u64>, Failure> {
    if let Some(text) = &arguments.rows {
        let parsed =
            text.split_once("..").and_then(|(start, end)| Some(start.trim().parse::<u64>().ok()?..end.trim().parse::<u64>().ok()?));
        return match parsed {
            Some(range) if range.start < range.end => Ok(range),
            _ => Err(Failure::Usage(format!("--rows {text}: write A..B with A less than B, for example 0..1000"))),
        };
    }
    match arguments.n {
        Some(n) if n > 0 => Ok(0..n),
        _ => Err(Failure::Usage("-n 0: ask for at least one row".into())),
    }
}
