//! CTGAN on the Adult census table, scored against rows that it never saw.
//! Run: SEMBLANT_DATA=folder cargo run --release --example adult_ctgan -p semblant-examples [-- EPOCHS]

use std::path::{Path, PathBuf};

use semblant::data::catalog::Catalog;
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::progress::Terminal;

fn main() -> anyhow::Result<()> {
    let epochs: u64 = std::env::args().nth(1).map_or(Ok(300), |text| text.parse())?;
    let folder = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from);
    let adult = Catalog::get("adult")?;
    let train = adult.read("train", folder.as_deref(), Path::new("."))?;
    let test = adult.read("test", folder.as_deref(), Path::new("."))?;

    let train_config = TrainConfig { epochs, ..CtganConfig::default().train };
    let mut model = Ctgan::new(CtganConfig { train: train_config, ..CtganConfig::default() })?;
    let mut run = Run { observer: Box::new(Terminal::default()), ..Run::new(semblant::device::select("auto")?, 0) };
    model.fit(&train, &mut run)?;
    model.save("adult.safetensors".as_ref())?;

    let synthetic = model.sample(&TableRequest::new(train.rows() as u64, 1))?.data;
    let options = Options { target: Some("income".into()), ..Options::default() };
    let report = evaluate(&train, &synthetic, Some(&test), &options, &mut |_| {})?;
    std::fs::write("adult.html", report.to_html())?;
    Ok(())
}
