//! Air quality hour by hour: what may follow a history, judged by the continuous ranked probability score (Gneiting and Raftery 2007) beside two
//! baselines: the same hours of the last seven days, and a linear autoregression over 24 hours with normal noise.
//! Run: SEMBLANT_DATA=data cargo run --release --example sensor_forecast -p semblant-examples [MODEL] [COLUMN]
//! Reads beijing-pm25/data.csv.gz in the folder SEMBLANT_DATA, or the series that SEMBLANT_SERIES names. MODEL is a file of `sequence` that was fitted
//! to the first four fifths; without it one is fitted here, for a few minutes.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use std::path::PathBuf;

use anyhow::Context;
use semblant::data::table::{Column, ColumnSchema};
use semblant::prelude::*;
use semblant::progress::Terminal;
use semblant::seeds::Stream;

/// Rows that follow; histories; draws of each.
const HORIZON: usize = 48;
const ORIGINS: usize = 40;
const DRAWS: usize = 50;
/// Rows of a history: two weeks of hours.
const HISTORY: usize = 336;
/// Rows that the autoregression looks back.
const ORDER: usize = 24;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).map(|folder| folder.join("beijing-pm25/data.csv.gz"));
    let path = std::env::var_os("SEMBLANT_SERIES").map(PathBuf::from).or(folder).context("set SEMBLANT_DATA or SEMBLANT_SERIES")?;
    let hours = hourly(Table::read(&path, &ReadOptions::default())?)?;
    let cut = hours.rows() * 4 / 5;
    let part = |range: std::ops::Range<usize>| -> anyhow::Result<Series> {
        Ok(Series::grouped(hours.take(&range.collect::<Vec<_>>()), None, &SeriesOptions::default())?.data)
    };
    let train = part(0..cut)?;
    let device = semblant::device::select("cpu")?;
    let model: Box<dyn Synthesizer<Series>> = match arguments.first() {
        Some(file) => semblant::load(file, "cpu")?,
        None => {
            let mut model = semblant::model::<Series>("sequence", serde_json::json!({}))?;
            model.fit(&train, &mut Run { observer: Box::new(Terminal::default()), ..Run::new(device, 0) })?;
            model
        }
    };
    let column = arguments.get(1).map_or("TEMP", String::as_str);
    let known = filled(numbers(&train, column)?);
    let coefficients = autoregression(&known);
    let rebuild = model.rebuild().context("this model continues no series")?;
    let (mut scores, mut counted) = ([0.0; 3], 0usize);
    for origin in 0..ORIGINS {
        let start = cut + origin * (hours.rows() - cut - HISTORY - HORIZON) / ORIGINS;
        let history = part(start..start + HISTORY)?;
        let made = rebuild.rebuild(&history, None, &SeriesRequest::forecast(HORIZON, DRAWS, origin as u64))?.data;
        let drawn = numbers(&made, column)?;
        let before = filled(numbers(&history, column)?);
        let truth = numbers(&part(start + HISTORY..start + HISTORY + HORIZON)?, column)?;
        for (row, &truth) in truth.iter().enumerate().filter(|(_, truth)| truth.is_finite()) {
            let own: Vec<f64> = (0..DRAWS).map(|draw| drawn[draw * HORIZON + row]).filter(|value| value.is_finite()).collect();
            let days: Vec<f64> = (1..=7).map(|day| before[HISTORY + row % 24 - 24 * day]).collect();
            scores[0] += crps(&own, truth);
            scores[1] += crps(&days, truth);
            counted += 1;
        }
        let paths: Vec<Vec<f64>> =
            (0..DRAWS).map(|draw| simulated(&coefficients, &before, Stream::new(origin as u64, draw as u32))).collect();
        for (row, &truth) in truth.iter().enumerate().filter(|(_, truth)| truth.is_finite()) {
            scores[2] += crps(&paths.iter().map(|path| path[row]).collect::<Vec<f64>>(), truth);
        }
    }
    let [own, days, linear] = scores.map(|score| score / counted as f64);
    println!(
        "{column}: CRPS over {HORIZON} hours of {ORIGINS} histories: sequence {own:.3}, last seven days {days:.3}, autoregression {linear:.3}"
    );
    Ok(())
}

/// A table with columns of year, month, day and hour gets one of dates instead; others stay as they are.
fn hourly(table: Table) -> anyhow::Result<Table> {
    let Ok(parts) = ["year", "month", "day", "hour"].map(|name| table.column(name).cloned()).into_iter().collect::<Result<Vec<_>, _>>()
    else {
        return Ok(table);
    };
    let number = |column: &Column, row: usize| column.numbers().map(|values| values[row]).or_else(|| column.label(row)?.parse().ok());
    let time = |row: usize| -> Option<f64> {
        let [year, month, day, hour] = [0, 1, 2, 3].map(|part| number(&parts[part], row));
        Some(86_400.0 * days(year? as i64, month? as i64, day? as i64) as f64 + 3_600.0 * hour?)
    };
    let times = (0..table.rows()).map(time).collect::<Option<Vec<f64>>>().context("a row has no date")?;
    let mut described = ColumnSchema::new("at", ColumnKind::Datetime);
    described.format = Some("%Y-%m-%d %H:%M".into());
    let (mut schema, mut columns) = (Schema { columns: vec![described], ..Schema::default() }, vec![Column::Number(times)]);
    for (described, column) in
        table.iter().filter(|(described, _)| !["No", "year", "month", "day", "hour"].contains(&described.name.as_str()))
    {
        schema.columns.push(described.clone());
        columns.push(column.clone());
    }
    Ok(Table::new(schema, columns)?)
}

/// Days since 1970-01-01 of a civil date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn numbers(series: &Series, column: &str) -> anyhow::Result<Vec<f64>> {
    let values = series.rows().column(column)?.numbers().with_context(|| format!("{column} holds no numbers"))?;
    Ok(series.spans().iter().flat_map(Clone::clone).map(|row| values[row]).collect())
}

/// Missing values taken from the row before.
fn filled(mut values: Vec<f64>) -> Vec<f64> {
    let mut last = values.iter().copied().find(|value| value.is_finite()).unwrap_or(0.0);
    values.iter_mut().for_each(|value| if value.is_finite() { last = *value } else { *value = last });
    values
}

/// Constant, coefficients of the rows before (the last one first), and the deviation of the noise, by least squares.
fn autoregression(values: &[f64]) -> Vec<f64> {
    let size = ORDER + 1;
    let mut system = vec![vec![0.0; size + 1]; size];
    let inputs = |row: usize| std::iter::once(1.0).chain((1..=ORDER).map(move |lag| values[row - lag])).collect::<Vec<f64>>();
    for row in ORDER..values.len() {
        let inputs = inputs(row);
        for i in 0..size {
            (0..size).for_each(|j| system[i][j] += inputs[i] * inputs[j]);
            system[i][size] += inputs[i] * values[row];
        }
    }
    for pivot in 0..size {
        let line = system[pivot].clone();
        for row in (0..size).filter(|&row| row != pivot) {
            let factor = system[row][pivot] / line[pivot];
            (pivot..=size).for_each(|column| system[row][column] -= factor * line[column]);
        }
    }
    let mut found: Vec<f64> = (0..size).map(|row| system[row][size] / system[row][row]).collect();
    let error = |row: usize| values[row] - inputs(row).iter().zip(&found).map(|(input, coefficient)| input * coefficient).sum::<f64>();
    let variance = (ORDER..values.len()).map(|row| error(row).powi(2)).sum::<f64>() / (values.len() - ORDER) as f64;
    found.push(variance.sqrt());
    found
}

/// What follows by the autoregression.
fn simulated(coefficients: &[f64], before: &[f64], stream: Stream) -> Vec<f64> {
    let mut values = before[before.len() - ORDER..].to_vec();
    let mut noise = vec![0.0; HORIZON];
    stream.normals(0, &mut noise);
    for noise in noise {
        let lags = coefficients[1..=ORDER].iter().enumerate().map(|(lag, coefficient)| coefficient * values[values.len() - 1 - lag]);
        let next = coefficients[0] + lags.sum::<f64>() + coefficients[ORDER + 1] * f64::from(noise);
        values.push(next);
    }
    values.split_off(ORDER)
}

/// The continuous ranked probability score of draws: mean distance to the truth less half the mean distance between draws.
fn crps(draws: &[f64], truth: f64) -> f64 {
    let count = draws.len().max(1) as f64;
    let to_truth = draws.iter().map(|draw| (draw - truth).abs()).sum::<f64>() / count;
    let between = draws.iter().flat_map(|a| draws.iter().map(move |b| (a - b).abs())).sum::<f64>() / (count * count);
    to_truth - between / 2.0
}
