//! Encoding, training, sampling and judging a table. Run: SEMBLANT_DATA=folder cargo bench -p semblant-benches

use divan::Bencher;
use divan::counter::ItemsCount;
use semblant::data::table::encode::{NumberOptions, TableTransform};
use semblant::data::table::{TableFormat, simulate_patients};
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant_benches::table;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Reads a million patients, of eleven columns, from bytes: as a file, but without the disk.
#[divan::bench(args = ["csv", "parquet"], sample_count = 5, sample_size = 1)]
fn read_1_000_000_rows(bencher: Bencher<'_, '_>, format: &str) {
    let format = if format == "csv" { TableFormat::Csv } else { TableFormat::Parquet };
    let bytes = simulate_patients(1_000_000, 0).to_bytes(format).expect("writable");
    let read = |bytes| Table::from_bytes(bytes, format, &ReadOptions::default()).expect("readable");
    bencher.counter(ItemsCount::new(1_000_000usize)).with_inputs(|| bytes.clone()).bench_values(read);
}

/// Fits every column's transform and encodes every row.
#[divan::bench(sample_count = 10)]
fn encode(bencher: Bencher<'_, '_>) {
    let table = table();
    bencher.bench(|| TableTransform::fit(&table, &NumberOptions::default()).and_then(|transform| transform.encode(&table, 0)));
}

/// One epoch: rows a second is steps a second times the batch.
#[divan::bench(args = ["ctgan", "tvae"], sample_count = 5, sample_size = 1)]
fn train_one_epoch(bencher: Bencher<'_, '_>, model: &str) {
    let table = table();
    bencher.counter(ItemsCount::new(table.rows())).bench(|| fitted(model, &table));
}

#[divan::bench(args = ["ctgan", "tvae", "copula"], sample_count = 5, sample_size = 1)]
fn sample_100_000_rows(bencher: Bencher<'_, '_>, model: &str) {
    let model = fitted(model, &table());
    bencher.counter(ItemsCount::new(100_000usize)).bench_local(|| model.sample(&TableRequest::new(100_000, 0)));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn evaluate_everything(bencher: Bencher<'_, '_>) {
    let table = table();
    let synthetic = fitted("copula", &table).sample(&TableRequest::new(table.rows() as u64, 0));
    let Ok(synthetic) = synthetic else { return };
    bencher.bench(|| evaluate(&table, &synthetic.data, None, &Options::default(), &mut |_| {}));
}

fn fitted(model: &str, table: &Table) -> Box<dyn Synthesizer<Table>> {
    let settings = if model == "copula" { json!({}) } else { json!({ "epochs": 1 }) };
    let mut model = semblant::model::<Table>(model, settings).expect("a model of the registry");
    model.fit(table, &mut Run::new(semblant::device::select("cpu").expect("always there"), 0)).expect("fits");
    model
}
