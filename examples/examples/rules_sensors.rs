//! Series with labelled anomalies, and a picture of one sensor: anomalies in red.
//! Run: cargo run --release --example rules_sensors -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::fmt::Write;

use semblant::rules::{Generator, NoModels, Plan};

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/sensors.toml"), &NoModels)?;
    let sensors = Generator::new(&plan, 3, 1.0)?;
    // The second sensor: 4,320 steps of ten minutes are thirty days.
    let readings = sensors.rows("readings", 4_320..8_640)?;
    let values = readings.column("temperature")?.numbers().unwrap_or_default();
    let kinds = readings.column("temperature_anomaly")?;
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));

    let mut picture =
        String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1080 240\" font-family=\"sans-serif\" font-size=\"11\">\n");
    let y = |value: f64| 220.0 - 200.0 * (value - low) / (high - low);
    let points: Vec<String> =
        values.iter().enumerate().step_by(2).map(|(step, &value)| format!("{:.1},{:.1}", step as f64 / 4.0, y(value))).collect();
    writeln!(picture, "<polyline fill=\"none\" stroke=\"#4878a8\" stroke-width=\"0.8\" points=\"{}\"/>", points.join(" "))?;
    for (step, &value) in values.iter().enumerate().filter(|(step, _)| kinds.label(*step) != Some("none")) {
        writeln!(picture, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"1.6\" fill=\"#c03028\"/>", step as f64 / 4.0, y(value))?;
    }
    writeln!(
        picture,
        "<text x=\"4\" y=\"236\">temperature of one sensor over thirty days, {low:.1} to {high:.1} degrees; anomalies are red</text>\n</svg>"
    )?;
    let path = std::env::temp_dir().join("sensors.svg");
    std::fs::write(&path, picture)?;
    println!("{}", path.display());
    Ok(())
}
