//! Rows that meet conditions, and a table in which every class comes equally often.
//! Run: cargo run --release --example conditional_sampling -p semblant-examples

use semblant::data::table::simulate_patients;
use semblant::prelude::*;

fn main() -> anyhow::Result<()> {
    let train_config = TrainConfig { epochs: 60, ..CtganConfig::default().train };
    let mut model = Ctgan::new(CtganConfig { train: train_config, ..CtganConfig::default() })?;
    model.fit(&simulate_patients(3000, 0), &mut Run::new(semblant::device::select("cpu")?, 0))?;

    let condition = |column: &str, wanted| Condition { column: column.into(), wanted };
    let conditions = vec![
        condition("smoker", Wanted::Is("yes".into())),               // exactly this value
        condition("age", Wanted::Between { low: 30.0, high: 60.0 }), // any number in the range
    ];
    let request = TableRequest { conditions, ..TableRequest::new(500, 1) };
    let sample = model.sample(&request)?;
    anyhow::ensure!((0..500).all(|row| sample.data.column("smoker").is_ok_and(|smoker| smoker.label(row) == Some("yes"))));
    sample.data.write("smokers.csv")?;

    let request = TableRequest { balance: Some("diagnosis".into()), ..TableRequest::new(500, 1) };
    model.sample(&request)?.data.write("balanced.csv")?;
    Ok(())
}
