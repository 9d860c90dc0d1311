//! Visits by a state machine: how often one event follows another.
//! Run: cargo run --release --example rules_clinic -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::collections::BTreeMap;

use semblant::rules::{Generator, NoModels, Plan};

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/clinic.toml"), &NoModels)?;
    let clinic = Generator::new(&plan, 5, 1.0)?;
    let visits = clinic.rows("visits", 0..clinic.count("visits")?)?;
    let (patients, events) = (visits.column("patient_id")?.numbers().unwrap_or_default(), visits.column("event")?);
    let mut follows: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in 1..visits.rows() {
        if let (true, Some(before), Some(after)) = (patients[row] == patients[row - 1], events.label(row - 1), events.label(row)) {
            *follows.entry((before, after)).or_default() += 1;
        }
    }
    println!("{} visits of {} patients", visits.rows(), clinic.count("patients")?);
    for ((before, after), count) in follows {
        println!("{before:10} -> {after:10} {count:6}");
    }
    Ok(())
}
