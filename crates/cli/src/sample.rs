//! `semblant sample`: streamed, so that memory does not grow with the rows.

use std::ops::Range;

use semblant::AnyModel;
use semblant::prelude::*;
use semblant::progress::Event;
use serde_json::{Value, json};

use crate::arguments::Sample as Arguments;
use crate::{Failure, Outcome, observer, print, say};

pub(crate) fn run(arguments: &Arguments, quiet: bool) -> Outcome {
    if arguments.batch_rows == 0 {
        return Err(Failure::Usage("--batch-rows 0: compute at least one row at once".into()));
    }
    // Not left to the parser: one argument that requires another is let pass where that other one is ruled out, as it is by -n.
    if arguments.from.is_none() && (arguments.strength.is_some() || arguments.keep.is_some() || arguments.size.is_some()) {
        return Err(Failure::Usage("--strength, --keep and --size are for images made out of images; give those with --from".into()));
    }
    let mut conditions = arguments.conditions.iter().map(|text| condition(text)).collect::<Result<Vec<_>, _>>()?;
    conditions.extend(arguments.class.iter().map(|name| Condition { column: "class".into(), wanted: Wanted::Is(name.clone()) }));
    let request = SampleRequest {
        rows: if arguments.from.is_some() { 0..0 } else { rows(arguments)? },
        seed: arguments.seed,
        conditions,
        balance: arguments.balance.clone(),
        batch_rows: arguments.batch_rows,
        settings: sampling(arguments)?,
        between: arguments.interpolate.as_ref().map(|pair| [pair[0], pair[1]]),
    };
    let device = crate::devices::choose(&arguments.device, quiet)?;
    match semblant::load_model_on(&arguments.model, &device)? {
        AnyModel::Table(model) => rows_to_file(arguments, model.as_ref(), request, quiet),
        AnyModel::Image(model) => crate::pictures::to_file(arguments, model.as_ref(), request, quiet),
    }
}

/// Settings of sampling from `--set` and the flags that have names of their own; null when there are none.
fn sampling(arguments: &Arguments) -> Result<Value, Failure> {
    let mut settings = crate::fit::settings(None, &arguments.settings)?;
    let named = [
        ("steps", arguments.steps.map(|steps| json!(steps))),
        ("solver", arguments.solver.as_ref().map(|solver| json!(solver))),
        ("guidance", arguments.guidance.map(|guidance| json!(guidance))),
        ("strength", arguments.strength.map(|strength| json!(strength))),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            settings[key] = value;
        }
    }
    Ok(if settings.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { settings })
}

fn rows_to_file(arguments: &Arguments, model: &dyn Synthesizer<Data = Table>, mut request: SampleRequest, quiet: bool) -> Outcome {
    if arguments.from.is_some() {
        return Err(Failure::Usage("--from is for images, and this is a model of tables".into()));
    }
    let rows = request.rows.clone();
    let mut observer = observer(quiet);
    let total = rows.end - rows.start;
    let mut writer: Option<TableWriter> = None;
    let mut drawn_rows = 0;
    let mut start = rows.start;
    while start < rows.end {
        let end = rows.end.min(start.saturating_add(arguments.batch_rows as u64));
        request.rows = start..end;
        let sample = model.sample(&request)?;
        drawn_rows += sample.drawn_rows;
        // The file is begun only when there is something to put into it.
        let open = match writer.take() {
            Some(open) => open,
            None => TableWriter::create(&arguments.output, sample.data.schema())?,
        };
        let open = writer.insert(open);
        open.write(&sample.data)?;
        start = end;
        observer.event(Event::Rows { done: end - rows.start, total });
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    observer.event(Event::Done);
    let acceptance = total as f64 / drawn_rows.max(1) as f64;
    if arguments.json {
        print(&json!({ "output": arguments.output, "rows": total, "drawn_rows": drawn_rows, "acceptance": acceptance }).to_string());
        return Ok(());
    }
    if !quiet && (drawn_rows != total || !request.conditions.is_empty() || request.balance.is_some()) {
        say(&format!("{total} rows meet the conditions, out of {drawn_rows} drawn: acceptance {:.1} %", 100.0 * acceptance));
    }
    print(&arguments.output.display().to_string());
    Ok(())
}

fn rows(arguments: &Arguments) -> Result<Range<u64>, Failure> {
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

/// `column=value`, or `column=low..high`. A value that holds `..` but is no range of numbers is taken as it stands.
fn condition(text: &str) -> Result<Condition, Failure> {
    let Some((column, wanted)) = text.split_once('=') else {
        return Err(Failure::Usage(format!("--where {text}: write column=value, or column=low..high")));
    };
    let range = wanted.split_once("..").and_then(|(low, high)| {
        let bound = |text: &str, open: f64| {
            if text.trim().is_empty() { Some(open) } else { text.trim().parse::<f64>().ok().filter(|value| !value.is_nan()) }
        };
        Some(Wanted::Between { low: bound(low, f64::NEG_INFINITY)?, high: bound(high, f64::INFINITY)? })
    });
    Ok(Condition { column: column.trim().to_owned(), wanted: range.unwrap_or_else(|| Wanted::Is(wanted.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_values_or_ranges() {
        let wanted = |text: &str| condition(text).expect("well formed").wanted;
        assert_eq!(wanted("income=>50K"), Wanted::Is(">50K".into()));
        assert_eq!(wanted("age=30..40"), Wanted::Between { low: 30.0, high: 40.0 });
        assert_eq!(wanted("age=..-2.5"), Wanted::Between { low: f64::NEG_INFINITY, high: -2.5 });
        assert_eq!(wanted("path=a..b"), Wanted::Is("a..b".into()));
        assert_eq!(wanted("city="), Wanted::Is(String::new()));
        assert!(condition("age").is_err());
    }
}
