//! Five tables of a shop from one spec, streamed to Parquet, with ten times as many customers.
//! Run: cargo run --release --example rules_shop -p semblant-examples
#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use semblant::prelude::*;
use semblant::rules::{Generator, NoModels, Plan};

fn main() -> anyhow::Result<()> {
    let plan = Plan::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/rules/shop.toml"), &NoModels)?;
    let shop = Generator::new(&plan, 7, 10.0)?;
    let folder = std::env::temp_dir().join("semblant-shop");
    std::fs::create_dir_all(&folder)?;
    for table in plan.tables() {
        let path = folder.join(table).with_extension("parquet");
        let mut writer = TableWriter::create(&path, plan.schema(table)?)?;
        shop.stream(table, 0..shop.count(table)?, |part| -> anyhow::Result<()> { Ok(writer.write(&part.data)?) })?;
        println!("{table}: {} rows in {}", writer.rows(), path.display());
        writer.finish()?;
    }
    // Any rows of any table come without those before them.
    let last = shop.count("lines")?;
    println!("the last line of the last order: {:?}", shop.rows("lines", last - 1..last)?.cell(0, 0));
    Ok(())
}
