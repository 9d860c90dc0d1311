//! A small table with all kinds of columns, small models of tables, and cells that are compared bit for bit.

use semblant::Result;
use semblant::data::table::{Column, ColumnSchema, simulate_patients};
use semblant::prelude::*;
use serde_json::{Value, json};

use super::fits::{Fitted, run};

pub(crate) type Model = Fitted<Table>;

/// Settings that make a model small enough to fit in a moment.
pub(crate) fn small(name: &str) -> Value {
    match name {
        "masked-diffusion" => json!({ "epochs": 3, "batch_rows": 60, "width": 16, "depth": 1, "embedding": 4, "bins": 8 }),
        "ctgan" => json!({ "epochs": 3, "batch_rows": 60, "pac": 3, "noise_width": 8, "generator_widths": [16], "critic_widths": [16] }),
        "tvae" => json!({ "epochs": 3, "batch_rows": 60, "latent_width": 8, "encoder_widths": [16], "decoder_widths": [16] }),
        "rules" => json!({ "spec": concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/rules/patients.toml") }),
        _ => json!({}),
    }
}

/// An unfitted model with its small settings.
pub(crate) fn unfitted(name: &str) -> Model {
    semblant::model::<Table>(name, small(name)).expect("known settings")
}

pub(crate) fn fitted(name: &str, table: &Table) -> Model {
    let mut model = unfitted(name);
    model.fit(table, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

/// Ids that no one could guess.
pub(crate) fn secret(row: u64) -> String {
    format!("{:016x}", (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Patients with missing numbers and labels, a constant column, a counting id, and an id of unguessable texts.
pub(crate) fn patients() -> Table {
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
pub(crate) enum Cell {
    Number(u64),
    Label(Option<String>),
}

pub(crate) fn cells(table: &Table) -> Vec<Vec<Cell>> {
    let cell = |column: &Column, row: usize| match column.numbers() {
        Some(numbers) => Cell::Number(numbers[row].to_bits()),
        None => Cell::Label(column.label(row).map(str::to_owned)),
    };
    (0..table.rows()).map(|row| table.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

pub(crate) fn sample(model: &Model, request: &TableRequest) -> Result<Vec<Vec<Cell>>> {
    Ok(cells(&model.sample(request)?.data))
}
