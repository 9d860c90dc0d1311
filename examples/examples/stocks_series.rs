//! Windows of daily share prices: flow matching beside its controls, judged by the same scores.
//! Run: SEMBLANT_DATA=data cargo run --release --example stocks_series -p semblant-examples [ROWS SEEN IN TRAINING]
//! Reads stocks/data.csv.gz in the folder SEMBLANT_DATA, or any file of numbers that SEMBLANT_SERIES names.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use std::path::PathBuf;

use anyhow::Context;
use semblant::metrics::report::{SeriesEvaluation, report_series};
use semblant::prelude::*;
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(64_000), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).map(|folder| folder.join("stocks/data.csv.gz"));
    let path = std::env::var_os("SEMBLANT_SERIES").map(PathBuf::from).or(folder).context("set SEMBLANT_DATA or SEMBLANT_SERIES")?;
    let whole = Series::read(&path, &SeriesOptions::default())?.data;
    // The last tenth of the time is kept apart: no window of it shares a row with the training windows.
    let table = whole.rows();
    let cut = table.rows() * 9 / 10;
    let part = |range: std::ops::Range<usize>| Series::of_table(table.take(&range.collect::<Vec<_>>())).windows(24, 1);
    let (train, later) = (part(0..cut)?, part(cut..table.rows())?);
    println!("{} training windows, {} later ones", train.count(), later.count());
    let device = semblant::device::select("cpu")?;
    for (name, settings) in
        [("series-flow", json!({ "training": { "rows": rows } })), ("ar-gaussian", json!({})), ("block-bootstrap", json!({}))]
    {
        let mut model = semblant::model::<Series>(name, settings)?;
        let summary = model.fit(&train, &mut Run::new(device.clone(), 0))?;
        let made = model.sample(&SeriesRequest::new(train.count() as u64, 1))?.data;
        let evaluation = SeriesEvaluation { repeats: 2, seed: 0, device: device.clone(), sources: Default::default() };
        let report = report_series(&train, &made, Some(&later), &evaluation, &mut |_| {})?;
        let score = |id: &str| report.score(id).and_then(|score| score.value).unwrap_or(f64::NAN);
        println!(
            "{name:16} {:5.0} s of training: discriminative {:.3}, Context-FID {:.3}, predictive {:.4}, near copies {:.2}",
            summary.train_secs,
            score("discriminative"),
            score("context_fid"),
            score("predictive"),
            score("near_copies")
        );
    }
    Ok(())
}
