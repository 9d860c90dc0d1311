//! Learn a table, make new rows, judge them. Run: cargo run --release --example quickstart -p semblant-examples

use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::progress::Terminal;
use semblant::rules::patients;

fn main() -> anyhow::Result<()> {
    // Any table will do: Table::read("patients.csv", &ReadOptions::with_target("diagnosis"))?
    let real = patients(0..4000, 0)?;

    let mut model = MaskedDiffusion::default();
    let mut run = Run { observer: Box::new(Terminal::default()), ..Run::new(semblant::device::select("auto")?, 0) };
    model.fit(&real, &mut run)?;

    let synthetic = model.sample(&TableRequest::new(4000, 1))?.data;
    synthetic.write("synthetic.csv")?;

    let options = Options { target: Some("diagnosis".into()), ..Options::default() };
    let report = evaluate(&real, &synthetic, Some(&patients(4000..8000, 0)?), &options, &mut |_| {})?;
    std::fs::write("report.html", report.to_html())?;
    model.save("model.safetensors".as_ref())?;
    Ok(())
}
