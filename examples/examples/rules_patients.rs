//! A table whose law is known: what a fitted model learned is compared with the truth instead of with another sample.
//! Run: cargo run --release --example rules_patients -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use semblant::prelude::*;
use semblant::rules::{Generator, NoModels, Plan};

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/patients.toml"), &NoModels)?;
    let patients = Generator::new(&plan, 1, 1.0)?;
    let real = patients.rows("patients", 0..3_000)?;
    let mut model = GaussianCopula::default();
    model.fit(&real, &mut Run::new(semblant::device::select("cpu")?, 1))?;
    let synthetic = model.sample(&TableRequest::new(20_000, 2))?.data;

    // The law says that a year of age adds 0.45 to the systolic pressure, and what it adds through the weight.
    println!("rise of the systolic pressure with age: true 0.495, model {:.3}", slope(&synthetic, "age", "systolic")?);
    // Four of ten are missing below 35, one of twenty from there on.
    let share = |low: f64, high: f64| missing(&synthetic, "cholesterol", low, high);
    println!("cholesterol missing: true 0.40 and 0.05, model {:.2} and {:.2}", share(18.0, 34.0)?, share(35.0, 95.0)?);
    Ok(())
}

fn numbers<'t>(table: &'t Table, column: &str) -> anyhow::Result<&'t [f64]> {
    table.column(column)?.numbers().ok_or_else(|| anyhow::anyhow!("{column} holds no numbers"))
}

/// The slope of a straight line through the rows.
fn slope(table: &Table, x: &str, y: &str) -> anyhow::Result<f64> {
    let (x, y) = (numbers(table, x)?, numbers(table, y)?);
    let count = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let covariance: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    Ok(covariance / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>())
}

fn missing(table: &Table, column: &str, low: f64, high: f64) -> anyhow::Result<f64> {
    let ages = numbers(table, "age")?;
    let rows: Vec<usize> = (0..table.rows()).filter(|&row| (low..=high).contains(&ages[row])).collect();
    let column = table.column(column)?;
    Ok(rows.iter().filter(|&&row| column.is_missing(row)).count() as f64 / rows.len() as f64)
}
