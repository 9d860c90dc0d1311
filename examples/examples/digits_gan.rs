//! R3GAN on 8 x 8 digits, minutes on a CPU: learns, writes a sheet and a way between two digits, and lets a classifier judge.
//! Run: SEMBLANT_DATA=folder cargo run --release --example digits_gan -p semblant-examples

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
        "network": { "channels": [48, 24] },
        "training": { "rows": 200_000, "tick_rows": 25_000 },
    });
    let mut model = semblant::model::<Images>("r3gan", settings)?;
    let run = Run::new(semblant::device::select("auto")?, 0);
    model.fit(&train, &mut Run { observer: Box::new(Terminal::default()), folder: Some("digits-gan.run".into()), ..run })?;
    model.save("digits-gan.safetensors".as_ref())?;

    let request = |n| ImageRequest::new(n, 1).balanced();
    model.sample(&request(100))?.data.write_grid("digits-gan.png", 10, 8)?;
    let between = ImageRequest::new(8, 1).of_class("3").interpolate(4, 9);
    model.sample(&between)?.data.write_grid("digits-gan-interpolation.png", 8, 8)?;

    let synthetic = model.sample(&request(1000))?.data;
    let mut run = Run::new(semblant::device::select("cpu")?, 0);
    let judge = Classifier::fit(&train, Some(&test), &ClassifierConfig::default(), &mut run)?;
    println!("{}", serde_json::to_string_pretty(&evaluate_images(&train, &synthetic, Some(&test), &judge, 0)?)?);
    Ok(())
}
