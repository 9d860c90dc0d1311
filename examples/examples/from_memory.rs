//! A table from values of the program's own type, and synthetic values of that type; a table as an Arrow record batch and as Parquet.
//! Run: cargo run --release --example from_memory -p semblant-examples

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use anyhow::ensure;
use semblant::data::table::TableFormat;
use semblant::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    ward: String,
    days: u32,
    cost: f64,
    insured: Option<bool>,
}

fn main() -> anyhow::Result<()> {
    let visit = |index: u32| {
        let days = 1 + index * index % 11;
        let (ward, per_day) = if index.is_multiple_of(3) { ("surgery", 910.5) } else { ("medicine", 480.25) };
        Visit {
            ward: ward.into(),
            days,
            cost: f64::from(days) * per_day,
            insured: (!index.is_multiple_of(7)).then_some(!index.is_multiple_of(5)),
        }
    };
    let visits: Vec<Visit> = (0..600).map(visit).collect();
    let table = Table::from_records(&visits, &ReadOptions::default())?.table;

    let mut model = semblant::model::<Table>("copula", serde_json::json!({}))?;
    model.fit(&table, &mut Run::new(semblant::device::select("cpu")?, 0))?;
    let synthetic = model.sample(&TableRequest::new(5, 1).with("ward", "surgery"))?.data;
    for visit in synthetic.to_records::<Visit>()? {
        println!("{visit:?}");
    }

    // Both ways without a file.
    let again = Table::from_record_batches(&[synthetic.to_record_batch()?], &ReadOptions::default())?.table;
    let parquet = synthetic.to_bytes(TableFormat::Parquet)?;
    let third = Table::from_bytes(parquet, TableFormat::Parquet, &ReadOptions::default())?.table;
    ensure!(again.columns() == third.columns(), "Arrow and Parquet hold the same columns");
    Ok(())
}
