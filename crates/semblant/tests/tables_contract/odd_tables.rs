//! Tables of unusual shapes and contents.

use semblant::data::table::{Column, MISSING, Protect};
use semblant::prelude::*;
use serde_json::json;

use crate::support::fits::*;
use crate::support::tables::*;

for_every!(tables: learns_single_rows_and_columns, learns_columns_without_values_or_variance, refuses_tables_without_rows,
    learns_values_that_all_differ, learns_2000_columns, rare_labels_and_extremes_never_come_back, files_with_20_000_categories_are_small);

/// A model that trains for one short epoch at most.
fn brief(name: &str, batch_rows: u64) -> Model {
    let mut settings = small(name);
    if settings.get("epochs").is_some() {
        settings["epochs"] = json!(1);
        settings["batch_rows"] = json!(batch_rows);
    }
    semblant::model::<Table>(name, settings).expect("known settings")
}

/// Fits the model to `table` and samples `rows` rows, whose values must be those of the table, or between them.
#[track_caller]
fn learns(name: &str, table: &Table, rows: u64) {
    let mut model = brief(name, 60);
    model.fit(table, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let made = model.sample(&TableRequest::new(rows, 1)).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    assert_eq!((made.rows() as u64, made.columns().len()), (rows, table.columns().len()), "{name}");
    for ((described, real), made) in table.iter().zip(made.columns()) {
        match (real.numbers(), made.numbers()) {
            (Some(real), Some(made)) => {
                let low = real.iter().copied().fold(f64::INFINITY, f64::min);
                let high = real.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let known = |value: &f64| (low..=high).contains(value) || (value.is_nan() && real.iter().any(|real| real.is_nan()));
                assert!(made.iter().all(known), "{name}, \"{}\": {made:?} from {low} to {high}", described.name);
            }
            _ if described.kind == ColumnKind::Id => assert_eq!(made.missing(), 0, "{name}, \"{}\"", described.name),
            _ => {
                let (codes, levels) = real.categories().expect("labels");
                let known: std::collections::HashSet<&str> = levels.iter().map(String::as_str).collect();
                for row in 0..rows as usize {
                    let sound = made.label(row).map_or(codes.contains(&MISSING), |label| known.contains(label));
                    assert!(sound, "{name}, \"{}\": {:?}", described.name, made.label(row));
                }
            }
        }
    }
}

fn table(columns: Vec<(String, ColumnKind, Column)>) -> Table {
    unprotected(&Table::from_columns(columns).expect("sound"))
}

/// The same table with every label and number to be learned as it is.
fn unprotected(table: &Table) -> Table {
    let schema = Schema { protect: Protect { rare: 0 }, ..table.schema().clone() };
    table.clone().with_schema(schema).expect("sound")
}

fn number(name: &str, kind: ColumnKind, values: impl Iterator<Item = f64>) -> (String, ColumnKind, Column) {
    (name.into(), kind, Column::Number(values.collect()))
}

fn label(name: &str, labels: impl Iterator<Item = String>) -> (String, ColumnKind, Column) {
    (name.into(), ColumnKind::Categorical, Column::from_labels(labels.map(Some)))
}

fn learns_single_rows_and_columns(name: &str) {
    learns(name, &unprotected(&patients().take(&[0])), 20);
    learns(name, &unprotected(&patients().take(&[0, 1])), 20);
    learns(name, &table(vec![number("x", ColumnKind::Continuous, (0..50).map(|i| f64::from(i).sqrt()))]), 20);
    learns(name, &table(vec![number("x", ColumnKind::Integer, (0..50).map(|_| 4.0))]), 20);
    learns(name, &table(vec![label("x", (0..50).map(|i| format!("{}", i % 3)))]), 20);
}

fn learns_columns_without_values_or_variance(name: &str) {
    let nothing = || Column::from_labels((0..50).map(|_| None::<&str>));
    learns(
        name,
        &table(vec![
            number("empty", ColumnKind::Continuous, (0..50).map(|_| f64::NAN)),
            ("blank".into(), ColumnKind::Categorical, nothing()),
            label("same", (0..50).map(|_| "a".into())),
            number("huge", ColumnKind::Continuous, (0..50).map(|i| 1e300 * f64::from(i))),
            number("tiny", ColumnKind::Continuous, (0..50).map(|i| 1e-300 * f64::from(i))),
            number("far", ColumnKind::Integer, (0..50).map(|i| 9e15 + f64::from(i))),
        ]),
        20,
    );
}

fn refuses_tables_without_rows(name: &str) {
    says(name, unfitted(name).fit(&patients().take(&[]), &mut run(1)), &["no rows"]);
}

fn learns_values_that_all_differ(name: &str) {
    let labels = label("name", (0..300).map(|i| format!("person {i}")));
    learns(name, &table(vec![number("x", ColumnKind::Continuous, (0..300).map(|i| (f64::from(i) * 0.37).sin())), labels]), 50);
}

fn rare_labels_and_extremes_never_come_back(name: &str) {
    let rare = |row: u32| if row.is_multiple_of(100) { format!("rare {row}") } else { format!("frequent {}", row % 3) };
    let extreme = |row: u32| if row == 250 { 1e6 } else { f64::from(row % 40) };
    let columns = vec![label("label", (0..300).map(rare)), number("x", ColumnKind::Integer, (0..300).map(extreme))];
    let table = Table::from_columns(columns).expect("sound");
    let mut model = brief(name, 60);
    model.fit(&table, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    model.save(file.path()).expect("writable");
    let bytes = String::from_utf8_lossy(&std::fs::read(file.path()).expect("readable")).into_owned();
    assert!(!bytes.contains("rare 100") && bytes.contains("frequent 1"), "{name}: what the file holds");
    let made = model.sample(&TableRequest::new(500, 1)).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    assert!((0..500).all(|row| made.cell(row, 0).starts_with("frequent")), "{name}");
    assert!(made.columns()[1].numbers().expect("numbers").iter().all(|&value| value <= 39.0), "{name}");
}

fn learns_2000_columns(name: &str) {
    let columns = (0..2000).map(|index| match index % 2 {
        0 => number(&format!("n{index}"), ColumnKind::Continuous, (0..3).map(|row| f64::from((row * 7 + index) % 11))),
        _ => label(&format!("c{index}"), (0..3).map(|row| format!("{}", (row + index) % 2))),
    });
    learns(name, &table(columns.collect()), 5);
}

fn files_with_20_000_categories_are_small(name: &str) {
    let rows = 20_000;
    let many = table(vec![
        label("key", (0..rows).map(|i| format!("k{}", (i * 7919) % rows))),
        number("x", ColumnKind::Integer, (0..rows).map(|i| f64::from(i % 1000))),
    ]);
    let mut model = brief(name, 600);
    model.fit(&many, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    // A label costs its text and its count, not a row of a one-hot matrix.
    let size = bytes(&model).len();
    assert!(size < rows as usize * 60, "{name}: {size} bytes");
    assert_eq!(sample(&model, &TableRequest::new(2000, 1)).expect("fitted").len(), 2000, "{name}");
}
