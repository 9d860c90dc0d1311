//! A table whose law is known: what a fitted model learned is compared with the truth instead of with another sample. And a picture of it.
//! Run: cargo run --release --example rules_patients -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use semblant::prelude::*;
use semblant::rules::{Generator, NoModels, Plan};
use semblant_examples::numbers;
use semblant_examples::picture::{Panel, Picture, grouped, steps};

/// The diagnoses with their colours.
const DIAGNOSES: [(&str, &str); 5] =
    [("healthy", "#b4bcc4"), ("asthma", "#009e73"), ("hypertension", "#d55e00"), ("diabetes", "#0072b2"), ("heart disease", "#a8288c")];
/// The first and the last year of each age group.
const GROUPS: [(u32, u32); 7] = [(18, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 79), (80, 95)];

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
    println!("{}", picture(&real)?.save("patients.svg")?.display());
    Ok(())
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

/// The pressure against the age, and the diagnoses by age.
fn picture(patients: &Table) -> anyhow::Result<Picture> {
    let count = grouped(patients.rows());
    let title = format!("{count} patients: systolic pressure (mmHg) against age (years), and the diagnoses of each age group");
    let mut picture = Picture::new(1080, 430, &title);
    picture.legend(10.0, 38.0, DIAGNOSES);
    draw_pressures(&mut picture, patients)?;
    draw_shares(&mut picture, patients)?;
    Ok(picture)
}

/// A dot for each patient, and the mean that the law gives.
fn draw_pressures(picture: &mut Picture, patients: &Table) -> anyhow::Result<()> {
    let panel = Panel { left: 40.0, right: 660.0, top: 70.0, bottom: 395.0, x: [17.0, 96.0], y: [70.0, 180.0] };
    let (ages, pressures, diagnoses) = (numbers(patients, "age")?, numbers(patients, "systolic")?, patients.column("diagnosis")?);
    picture.text(panel.left, 60.0, "start", "systolic pressure, mmHg; the line is the mean by the law: 0.495 more with each year");
    picture.ticks_across(&panel, steps(panel.x, 10.0));
    picture.ticks_up(&panel, steps(panel.y, 10.0));
    // Ages are whole years: the dots of one are spread over its year.
    let place = |row: usize| (panel.across(ages[row] + (row as f64 * 0.618).fract() - 0.5), panel.up(pressures[row]));
    for (name, colour) in DIAGNOSES {
        picture.dots((0..patients.rows()).filter(|&row| diagnoses.label(row) == Some(name)).map(place), 1.4, colour);
    }
    // At 50 the mean of the weight is 25.667, and 48 of 100 are men.
    let mean = |age: f64| 118.0 + 0.9 * (25.667 - 26.0) + 4.0 * 0.48 + 0.495 * (age - 50.0);
    picture.line([18.0, 95.0].map(|age| (panel.across(age), panel.up(mean(age)))), 1.5, "#000");
    picture.text((panel.left + panel.right) / 2.0, panel.bottom + 28.0, "middle", "age, years");
    Ok(())
}

/// A bar for each age group, made up of the diagnoses.
fn draw_shares(picture: &mut Picture, patients: &Table) -> anyhow::Result<()> {
    let panel = Panel { left: 720.0, right: 1065.0, top: 70.0, bottom: 395.0, x: [0.0, GROUPS.len() as f64], y: [0.0, 100.0] };
    let (ages, diagnoses) = (numbers(patients, "age")?, patients.column("diagnosis")?);
    picture.text(panel.left, 60.0, "start", "share of each diagnosis, %");
    picture.ticks_up(&panel, steps(panel.y, 20.0));
    for (place, (low, high)) in GROUPS.into_iter().enumerate() {
        let years = f64::from(low)..=f64::from(high);
        let rows: Vec<usize> = (0..patients.rows()).filter(|&row| years.contains(&ages[row])).collect();
        let (left, mut from) = (panel.across(place as f64), 0.0);
        for (name, colour) in DIAGNOSES {
            let found = rows.iter().filter(|&&row| diagnoses.label(row) == Some(name)).count();
            let to = from + 100.0 * found as f64 / rows.len() as f64;
            picture.bar([left + 4.0, left + 45.0], [panel.up(to), panel.up(from)], colour);
            from = to;
        }
        picture.text(left + 24.5, panel.bottom + 14.0, "middle", &format!("{low}–{high}"));
        picture.text(left + 24.5, panel.bottom + 28.0, "middle", &format!("n = {}", rows.len()));
    }
    Ok(())
}
