//! Columns of free text in tables, series and databases.

#[allow(dead_code, unused_macros, unused_imports, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "support/mod.rs"]
mod support;

use semblant::Error;
use semblant::data::table::{ColumnKind, ReadOptions, TableFormat};
use semblant::prelude::*;
use serde_json::{Value, json};
use support::fits::*;

/// What stands for a text while its row is made.
const PLACEHOLDER: &str = "(text)";

fn texts() -> Value {
    json!({ "epochs": 3, "batch_rows": 16, "tick_rows": 64, "width": 16, "depth": 1, "heads": 2, "context": 32 })
}

fn table(text: &str) -> Table {
    Table::from_bytes(text.as_bytes().to_vec(), TableFormat::Csv, &ReadOptions::default()).expect("a table").table
}

fn note(row: usize) -> String {
    let thing = ["the tea", "a cake", "the soup", "our bread", "that pie"][row * 7 % 5];
    format!("{thing} of table number {} was {} and we come again", row, ["warm", "cold"][row % 2])
}

/// Every seventh note is missing.
fn notes() -> Table {
    let line = |row: usize| {
        let note = if row % 7 == 3 { String::new() } else { note(row) };
        format!("{},{},{}\n", row % 23, ["warm", "cold"][row % 2], note)
    };
    table(&format!("size,sort,note\n{}", (0..280).map(line).collect::<String>()))
}

fn of_table(name: &str) -> Fitted<Table> {
    semblant::model::<Table>(name, json!({ "texts": texts() })).expect("known settings")
}

/// The texts of a column, which are no placeholders.
fn own(table: &Table, name: &str) -> Vec<String> {
    let column = table.column(name).expect("there");
    let all: Vec<String> = (0..column.len()).filter_map(|row| column.label(row)).map(str::to_owned).collect();
    assert!(all.iter().all(|text| text != PLACEHOLDER && !text.is_empty()), "{all:?}");
    all
}

#[test]
fn tables_keep_what_models_promise() {
    let data = notes();
    assert_eq!(data.schema().columns[2].kind, ColumnKind::Text);
    let mut model = of_table("copula");
    model.fit(&data, &mut run(1)).expect("fits");
    let whole = bytes(&model);
    let sample = |model: &Fitted<Table>, request: &TableRequest| model.sample(request).expect("possible").data;
    let made = sample(&model, &TableRequest::new(100, 5));
    let there = own(&made, "note").len();
    assert!((70..98).contains(&there) && made.schema().columns[2].kind == ColumnKind::Text, "{there}");
    // Slices, files, and damage.
    let part = sample(&model, &TableRequest { rows: 30..50, ..TableRequest::new(0, 5) });
    assert!((0..20).all(|row| (0..3).all(|column| part.cell(row, column) == made.cell(30 + row, column))));
    let loaded = loads_or_names_the_file::<Table>(&whole).expect("whole");
    assert!(sample(&loaded, &TableRequest::new(100, 5)) == made && bytes(&loaded) == whole);
    refuses_damage::<Table>("copula", &whole);
    survives_any_number::<Table>("copula", &whole);
    says("unknown", semblant::model::<Table>("copula", json!({ "texts": { "epoch": 1 } })), &["texts", "epoch"]);
}

#[test]
fn a_fit_that_is_stopped_while_it_learns_texts_goes_on() {
    let data = notes();
    let mut model = of_table("copula");
    model.fit(&data, &mut run(1)).expect("fits");
    let folder = tempfile::tempdir().expect("a folder");
    let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
    let mut first = within(false);
    first.observer = Box::new(StopAt { rows: 200, stop: first.stop.clone() });
    let stopped = of_table("copula").fit(&data, &mut first).expect_err("stopped");
    assert!(matches!(stopped, Error::Interrupted { .. }), "{stopped}");
    assert_eq!(semblant::trainer::states(&folder.path().join("run")).len(), 1);
    let mut resumed = of_table("copula");
    resumed.fit(&data, &mut within(true)).expect("goes on");
    assert!(bytes(&resumed) == bytes(&model), "resumed and uninterrupted files differ");
    // What is finished is not learned again.
    let mut again = of_table("copula");
    let mut third = within(true);
    third.observer = Box::new(StopAt { rows: 1, stop: third.stop.clone() });
    again.fit(&data, &mut third).expect("nothing is left to learn");
    assert!(bytes(&again) == bytes(&model));
}

#[test]
fn cells_beside_a_text_are_filled_by_it_and_missing_texts_are_drawn() {
    let data = notes();
    let settings = json!({ "epochs": 2, "width": 8, "depth": 1, "embedding": 2, "bins": 6, "texts": texts() });
    let mut model = semblant::model::<Table>("masked-diffusion", settings).expect("known settings");
    model.fit(&data, &mut run(1)).expect("fits");
    let gaps = table(&format!("size,sort,note\n3,,{}\n,cold,\n,,{}\n", note(1), note(2)));
    let filled = model.rebuild().expect("can").rebuild(&gaps, None, &TableRequest::new(0, 2)).expect("possible").data;
    assert_eq!((filled.cell(0, 2), filled.cell(2, 2)), (note(1), note(2)), "given texts stay");
    assert!(own(&filled, "note").len() == 3 && (0..3).all(|row| (0..2).all(|column| !filled.cell(row, column).is_empty())));
    let nats = model.likelihood().expect("has one").parts(&data, 1, 0).expect("judged");
    let (name, of_notes) = nats.last().expect("texts");
    assert!(name == "note" && (0..280).all(|row| (of_notes[row] > 1.0) == (row % 7 != 3)));
}

#[test]
fn rows_of_sequences_have_texts() {
    let mut text = String::from("machine,kind,at,reading,note\n");
    for machine in 0..20 {
        for row in 0..12 + machine % 3 {
            let kind = ["press", "drill"][machine % 2];
            text.push_str(&format!("m-{machine},{kind},2026-03-01 {row:02}:00:00,{}.5,{}\n", 20 + row, note(machine * 31 + row)));
        }
    }
    let options = SeriesOptions { entity: Some("machine".into()), ..SeriesOptions::default() };
    let data = Series::grouped(table(&text), None, &options).expect("series").data;
    let rows = json!({ "epochs": 1, "width": 8, "depth": 1, "embedding": 2, "bins": 6 });
    let settings = json!({
        "rows": 64, "batch_rows": 8, "tick_rows": 32, "chunk_rows": 8, "width": 8, "embedding": 2, "frequencies": 2, "bins": 6,
        "attributes": rows, "texts": texts(),
    });
    let mut model = semblant::model::<Series>("sequence", settings).expect("known settings");
    model.fit(&data, &mut run(1)).expect("fits");
    let made = model.sample(&SeriesRequest::new(6, 2)).expect("possible").data;
    assert_eq!(own(made.rows(), "note").len(), made.rows().rows());
    let part = model.sample(&SeriesRequest { rows: 2..4, ..SeriesRequest::new(0, 2) }).expect("possible").data;
    let of = |series: &Series, sequence: usize| own(&series.rows().take(&series.spans()[sequence].clone().collect::<Vec<_>>()), "note");
    assert!(of(&part, 0) == of(&made, 2) && of(&part, 1) == of(&made, 3));
    let loaded = loads_or_names_the_file::<Series>(&bytes(&model)).expect("whole");
    assert!(loaded.sample(&SeriesRequest::new(6, 2)).expect("possible").data == made);
    let next = model.rebuild().expect("can").rebuild(&data, None, &SeriesRequest::forecast(3, 1, 4)).expect("possible").data;
    assert_eq!(own(next.rows(), "note").len(), 60);
    refuses_damage::<Series>("sequence", &bytes(&model));
}

#[test]
fn tables_of_a_database_have_texts() {
    let customers: String = (0..60).map(|row| format!("C{row:03},{},{}\n", ["gold", "plain"][row % 2], 20 + row % 30)).collect();
    let order = |row: usize| format!("{},C{:03},{},{}\n", 1000 + row, row * 7 % 60, row % 40 + 1, note(row));
    // Comments say nothing but a text.
    let comment = |row: usize| format!("{},{}\n", 1000 + row % 300, note(row + 7));
    let tables = vec![
        ("customers".to_owned(), table(&format!("id,kind,age\n{customers}"))),
        ("orders".to_owned(), table(&format!("order_id,customer_id,units,note\n{}", (0..300).map(order).collect::<String>()))),
        ("comments".to_owned(), table(&format!("order_id,comment\n{}", (0..240).map(comment).collect::<String>()))),
    ];
    let keys = r#"
        customers.key = "id"
        orders.key = "order_id"
        orders.foreign = [{ columns = "customer_id", table = "customers" }]
        comments.foreign = [{ columns = "order_id", table = "orders" }]
    "#;
    let data = Database::new(tables, Keys::parse_toml(keys).expect("keys")).expect("a database").data;
    let rows = json!({ "epochs": 1, "width": 8, "depth": 1, "embedding": 2, "bins": 6 });
    let settings = json!({
        "tables": rows.clone(),
        "sequences": {
            "rows": 64, "batch_rows": 8, "tick_rows": 32, "chunk_rows": 8, "width": 8, "embedding": 2, "frequencies": 2, "bins": 6, "attributes": rows,
        },
        "texts": texts(),
    });
    let mut model = semblant::model::<Database>("relational", settings).expect("known settings");
    model.fit(&data, &mut run(1)).expect("fits");
    let made = model.sample(&DatabaseRequest::new(30, 2)).expect("possible").data;
    let named = |name: &str| &made.tables().iter().find(|(own, _)| own == name).expect("there").1;
    assert_eq!(own(named("orders"), "note").len(), named("orders").rows());
    assert_eq!(own(named("comments"), "comment").len(), named("comments").rows());
    assert!(named("comments").rows() > 0);
    let loaded = loads_or_names_the_file::<Database>(&bytes(&model)).expect("whole");
    assert!(loaded.sample(&DatabaseRequest::new(30, 2)).expect("possible").data.tables() == made.tables());
    refuses_damage::<Database>("relational", &bytes(&model));
}
