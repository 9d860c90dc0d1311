//! What the contract tests share: a small table with everything in it, small models, and cells that are compared bit for bit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use semblant::Result;
use semblant::data::table::{Column, ColumnSchema, simulate_patients};
use semblant::prelude::*;
use semblant::progress::{Event, Observer};
use serde_json::{Value, json};

pub type Model = Box<dyn Synthesizer<Data = Table>>;

/// Settings that make a model small enough to fit in a moment.
pub fn small(name: &str) -> Value {
    match name {
        "ctgan" => json!({ "epochs": 3, "batch_rows": 60, "pac": 3, "noise_width": 8, "generator_widths": [16], "critic_widths": [16] }),
        "tvae" => json!({ "epochs": 3, "batch_rows": 60, "latent_width": 8, "encoder_widths": [16], "decoder_widths": [16] }),
        _ => json!({}),
    }
}

/// The names of the registry.
pub fn names() -> Vec<&'static str> {
    semblant::table_models().map(|entry| entry.name).collect()
}

pub fn run(seed: u64) -> Run {
    Run::new(semblant::device::select("cpu").expect("always there"), seed)
}

pub fn fitted(name: &str, table: &Table) -> Model {
    let mut model = table_model(name, small(name)).expect("known settings");
    model.fit(table, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

/// Ids that no one could guess.
pub fn secret(row: u64) -> String {
    format!("{:016x}", (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Patients with missing numbers and labels, a constant column, a counting id, and an id of unguessable texts.
pub fn patients() -> Table {
    let table = simulate_patients(300, 0);
    let mut schema = table.schema().clone();
    let mut columns = table.columns().to_vec();
    schema.columns.push(ColumnSchema::new("clinic", ColumnKind::Constant));
    columns.push(Column::from_labels((0..300).map(|_| Some("north"))));
    schema.columns.push(ColumnSchema::new("key", ColumnKind::Id));
    columns.push(Column::from_labels((0..300).map(|row| Some(secret(row)))));
    let table = Table::new(schema, columns).expect("sound");
    for column in ["smoker", "cholesterol"] {
        assert!(table.column(column).expect("there").missing() > 0, "the table shall have missing values");
    }
    table
}

/// One cell, numbers by their bits.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Cell {
    Number(u64),
    Label(Option<String>),
}

pub fn cells(table: &Table) -> Vec<Vec<Cell>> {
    let cell = |column: &Column, row: usize| match column.numbers() {
        Some(numbers) => Cell::Number(numbers[row].to_bits()),
        None => Cell::Label(column.label(row).map(str::to_owned)),
    };
    (0..table.rows()).map(|row| table.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

pub fn sample(model: &Model, request: &SampleRequest) -> Result<Vec<Vec<Cell>>> {
    Ok(cells(&model.sample(request)?.data))
}

pub fn bytes(model: &Model) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    model.save(&path).expect("writable");
    std::fs::read(path).expect("just written")
}

pub fn load(path: &Path) -> Result<Model> {
    load_table_model(path, "cpu")
}

/// Raises a flag once some of a fit is done.
pub struct StopAt {
    pub rows: u64,
    pub stop: Arc<AtomicBool>,
}

impl Observer for StopAt {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Rows { done, .. } = event
            && done >= self.rows
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
