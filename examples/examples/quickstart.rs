//! Learn a table, make new rows, judge them. Run: cargo run --release --example quickstart -p semblant-examples

use semblant::data::table::simulate_patients;
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::progress::Terminal;

fn main() -> anyhow::Result<()> {
    // Any table will do: Table::read("patients.csv", &ReadOptions::with_target("diagnosis"))?
    let patients = simulate_patients(4000, 0);

    let mut model = MaskedDiffusion::default();
    let mut run = Run { observer: Box::new(Terminal::default()), ..Run::new(semblant::device::select("auto")?, 0) };
    model.fit(&patients, &mut run)?;

    let synthetic = model.sample(&TableRequest::new(4000, 1))?.data;
    synthetic.write("synthetic.csv")?;

    let options = Options { target: Some("diagnosis".into()), ..Options::default() };
    let report = evaluate(&patients, &synthetic, Some(&simulate_patients(4000, 1)), &options, &mut |_| {})?;
    std::fs::write("report.html", report.to_html())?;
    model.save("model.safetensors".as_ref())?;
    Ok(())
}
