//! Flow matching on 8 x 8 digits, minutes on a CPU: learns, writes a sheet, and lets a classifier judge.
//! Run: SEMBLANT_DATA=folder cargo run --release --example digits_flow -p semblant-examples

#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::path::{Path, PathBuf};

use semblant::data::catalog::Catalog;
use semblant::metrics::image::classifier::{Classifier, ClassifierConfig};
use semblant::metrics::image::evaluate_images;
use semblant::prelude::*;
use semblant::progress::Terminal;

fn main() -> anyhow::Result<()> {
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let digits = Catalog::get("digits8x8")?;
    let train = digits.read_images("train", folder.as_deref(), Path::new("."))?.images;
    let test = digits.read_images("test", folder.as_deref(), Path::new("."))?.images;

    let settings = serde_json::json!({
        "network": { "kind": "dit", "patch": 2, "width": 96, "depth": 4, "heads": 4 },
        "training": { "rows": 100_000, "tick_rows": 20_000, "ema": { "half_life_rows": 5000.0 } },
    });
    let mut model = semblant::model::<Images>("flow", settings)?;
    // With a run folder, a sheet of samples is drawn at every tick: watch it learn.
    let run = Run::new(semblant::device::select("auto")?, 0);
    model.fit(&train, &mut Run { observer: Box::new(Terminal::default()), folder: Some("digits.run".into()), ..run })?;
    model.save("digits.safetensors".as_ref())?;

    // Every class in turn; guidance makes the digits plainer than those that people wrote.
    let request = |n| ImageRequest::new(n, 1).balanced().steps(12).solver("heun").guidance(1.5);
    model.sample(&request(100))?.data.write_grid("digits.png", 10, 8)?;

    let synthetic = model.sample(&request(1000))?.data;
    let mut run = Run::new(semblant::device::select("cpu")?, 0);
    let judge = Classifier::fit(&train, Some(&test), &ClassifierConfig::default(), &mut run)?;
    println!("{}", serde_json::to_string_pretty(&evaluate_images(&train, &synthetic, Some(&test), &judge, 0)?)?);
    Ok(())
}
