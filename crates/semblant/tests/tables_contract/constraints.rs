//! Constraints, target shares and given rows: what holds in every row, whatever the model.

use std::collections::HashSet;

use semblant::data::table::{Column, ColumnSchema, Constraint};
use semblant::prelude::*;

use crate::support::tables::*;

for_every!(tables: constraints_hold_in_every_row, unique_values_do_not_depend_on_range_or_batch, target_shares_are_met,
    given_cells_stay_and_the_rest_is_drawn);

/// Patients with a total of two columns, a later date, a region that goes with the sex, and two columns of which one is 1.
fn with_relations() -> Table {
    let table = patients();
    let (mut schema, mut columns) = (table.schema().clone(), table.columns().to_vec());
    let number = |name: &str| table.column(name).expect("there").numbers().expect("numbers").to_vec();
    let (age, systolic, visit) = (number("age"), number("systolic"), number("visit"));
    let label = |name: &'static str| {
        let column = table.column(name).expect("there").clone();
        move |row: usize| column.label(row).map(str::to_owned)
    };
    let (sex, rows) = (label("sex"), table.rows());
    let mut add = |described: ColumnSchema, column: Column| {
        schema.columns.push(described);
        columns.push(column);
    };
    let step = schema_step(&table, "visit");
    add(
        ColumnSchema::new("sum", ColumnKind::Integer),
        Column::Number(age.iter().zip(&systolic).map(|(age, systolic)| (age + systolic).round()).collect()),
    );
    add(
        ColumnSchema { name: "discharge".into(), ..table.schema().columns[table.schema().index_of("visit").expect("there")].clone() },
        Column::Number(visit.iter().enumerate().map(|(row, visit)| visit + step * (row % 6) as f64).collect()),
    );
    let region = |row: usize| sex(row).map(|sex| format!("{} {}", if sex == "male" { "north" } else { "south" }, row % 3));
    add(ColumnSchema::new("region", ColumnKind::Categorical), Column::from_labels((0..rows).map(region)));
    for (name, hot) in [("first", 0), ("second", 1), ("third", 2)] {
        let value = move |row: usize| f64::from(u8::from(row % 3 == hot));
        add(ColumnSchema::new(name, ColumnKind::Integer), Column::Number((0..rows).map(value).collect()));
    }
    Table::new(schema, columns).expect("a table")
}

fn schema_step(table: &Table, name: &str) -> f64 {
    table.schema().columns[table.schema().index_of(name).expect("there")].step().unwrap_or(86_400.0)
}

fn constrained(constraints: Vec<Constraint>) -> Table {
    let table = with_relations();
    Table::new(Schema { constraints, ..table.schema().clone() }, table.columns().to_vec()).expect("a table")
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn constraints_hold_in_every_row(name: &str) {
    let real = constrained(vec![
        Constraint::Check("sum = round(age + systolic)".into()),
        Constraint::Check("age >= 45 or systolic <= 150".into()),
        Constraint::Order { columns: columns(&["visit", "discharge"]), strict: false },
        Constraint::Combinations { columns: columns(&["sex", "region"]), allowed: None, file: None },
        Constraint::OneHot(columns(&["first", "second", "third"])),
    ]);
    let model = fitted(name, &real);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    model.save(&path).expect("saved");
    let model = semblant::load::<Table>(&path, "cpu").expect("loaded");
    let requests = [
        TableRequest::new(150, 3),
        TableRequest::new(60, 3).with("sex", "male").with_expression("sum > 150"),
        TableRequest::new(60, 3).with_expression("region like 'north%' and discharge >= visit"),
        TableRequest::new(60, 3).balanced("region"),
        TableRequest::new(30, 3).with("second", "1"),
    ];
    for request in requests {
        let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
        let column = |name: &str| made.column(name).expect("there");
        let value = |name: &str, row: usize| column(name).numbers().expect("numbers")[row];
        assert_eq!(made.schema().names().collect::<Vec<_>>(), real.schema().names().collect::<Vec<_>>());
        for row in 0..made.rows() {
            assert_eq!(value("sum", row), (value("age", row) + value("systolic", row)).round(), "{name}, row {row}");
            assert!(value("age", row) >= 45.0 || value("systolic", row) <= 150.0, "{name}, row {row}");
            assert!(value("visit", row) <= value("discharge", row), "{name}, row {row}");
            let (sex, region) = (column("sex").label(row).expect("a label"), column("region").label(row).expect("a label"));
            assert_eq!(sex == "male", region.starts_with("north"), "{name}, row {row}");
            let hot = ["first", "second", "third"].map(|name| value(name, row));
            assert_eq!((hot.iter().sum::<f64>(), hot.contains(&1.0)), (1.0, true), "{name}, row {row}: {hot:?}");
        }
        let asked =
            |row: usize| request.conditions.iter().all(|condition| condition.column != "sex" || column("sex").label(row) == Some("male"));
        assert!((0..made.rows()).all(asked), "{name}");
        if request.expressions.iter().any(|text| text.starts_with("sum")) {
            assert!((0..made.rows()).all(|row| value("sum", row) > 150.0), "{name}");
        }
        if request.balance.is_some() {
            let (codes, levels) = column("region").categories().expect("labels");
            let counts: HashSet<usize> =
                (0..levels.len() as u32).map(|level| codes.iter().filter(|&&code| code == level).count()).collect();
            assert_eq!(counts, HashSet::from([60 / levels.len()]), "{name}");
        }
    }
}

fn unique_values_do_not_depend_on_range_or_batch(name: &str) {
    let real = constrained(vec![Constraint::Unique(columns(&["age", "systolic"]))]);
    let model = fitted(name, &real);
    let request = TableRequest::new(60, 3);
    let whole = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    let [age, systolic] = ["age", "systolic"].map(|name| whole.schema().index_of(name).expect("there"));
    let keys: HashSet<(String, String)> = (0..60).map(|row| (whole.cell(row, age), whole.cell(row, systolic))).collect();
    assert_eq!(keys.len(), 60, "{name}");
    let slice = sample(&model, &TableRequest { rows: 20..40, batch_rows: 7, ..request.clone() }).expect("possible");
    let all = sample(&model, &request).expect("possible");
    assert_eq!(slice, all[20..40], "{name}");
}

fn target_shares_are_met(name: &str) {
    let model = fitted(name, &patients());
    let made = model.sample(&TableRequest::new(200, 5).with_distribution("sex", [("male", 3.0), ("female", 1.0)])).expect("possible").data;
    let sex = made.column("sex").expect("there");
    let male = (0..200).filter(|&row| sex.label(row) == Some("male")).count();
    assert!((147..=153).contains(&male), "{name}: {male}");
    let said = |request: TableRequest| model.sample(&request).expect_err("refused").to_string();
    assert!(said(TableRequest::new(9, 5).with_distribution("sex", [("man", 1.0)])).contains("\"man\" was not in the training data"));
    assert!(said(TableRequest::new(9, 5).with_distribution("age", [("3", 1.0)])).contains("only a categorical column"));
    assert!(said(TableRequest::new(9, 5).with_distribution("sex", [("male", 0.0)])).contains("above 0"));
}

fn given_cells_stay_and_the_rest_is_drawn(name: &str) {
    let model = fitted(name, &patients());
    let given = Table::from_columns(vec![
        ("smoker", ColumnKind::Categorical, Column::from_labels([Some("yes"), None, Some("no")])),
        ("age", ColumnKind::Integer, Column::Number(vec![50.0, 41.0, f64::NAN])),
    ])
    .expect("a table");
    let request = TableRequest::new(0, 5).with_given(given, 4);
    let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
    assert_eq!(made.rows(), 12);
    let (smoker, age) = (made.column("smoker").expect("there"), made.column("age").expect("there").numbers().expect("numbers"));
    for row in 0..12 {
        match row % 3 {
            0 => assert_eq!((smoker.label(row), age[row]), (Some("yes"), 50.0), "{name}"),
            1 => assert_eq!(age[row], 41.0, "{name}"),
            _ => assert_eq!(smoker.label(row), Some("no"), "{name}"),
        }
    }
    let drawn: HashSet<u64> = (0..4).map(|draw| age[3 * draw + 2].to_bits()).collect();
    assert!(drawn.len() > 1, "{name}: what is not given differs between draws");
    let slice = sample(&model, &TableRequest { rows: 5..9, ..request.clone() }).expect("possible");
    assert_eq!(slice, sample(&model, &request).expect("possible")[5..9], "{name}");
}
