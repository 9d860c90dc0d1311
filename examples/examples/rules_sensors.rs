//! Series with labelled anomalies, and a picture of one sensor: anomalies in red.
//! Run: cargo run --release --example rules_sensors -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use semblant::rules::{Generator, NoModels, Plan};
use semblant_examples::numbers;
use semblant_examples::picture::{Panel, Picture, grouped, steps};

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/sensors.toml"), &NoModels)?;
    let sensors = Generator::new(&plan, 3, 1.0)?;
    // The second sensor: 4,320 steps of ten minutes are thirty days.
    let readings = sensors.rows("readings", 4_320..8_640)?;
    let values = numbers(&readings, "temperature")?;
    let kinds = readings.column("temperature_anomaly")?;
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));

    let count = grouped(values.len());
    let title =
        format!("Temperature of one sensor over thirty days: {count} readings from {low:.1} to {high:.1} degrees; anomalies are red");
    let mut picture = Picture::new(1080, 260, &title);
    let panel = Panel { left: 30.0, right: 1050.0, top: 32.0, bottom: 235.0, x: [0.0, 30.0], y: [low, high] };
    picture.ticks_across(&panel, (0_u32..=30).step_by(5).map(|day| (f64::from(day), format!("day {day}"))));
    picture.ticks_up(&panel, steps(panel.y, 5.0));
    let place = |step: usize| (panel.across(step as f64 / 144.0), panel.up(values[step]));
    picture.line((0..values.len()).map(place), 0.8, "#4878a8");
    picture.dots((0..values.len()).filter(|&step| kinds.label(step) != Some("none")).map(place), 1.6, "#c03028");
    println!("{}", picture.save("sensors.svg")?.display());
    Ok(())
}
