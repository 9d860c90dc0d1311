//! What is read from well-formed files: kinds, precision, schemas and options.

use std::path::PathBuf;

use semblant_data::table::{Column, ColumnKind, ReadOptions, Schema, Table, TableWriter};

fn file(folder: &tempfile::TempDir, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, contents).expect("writable");
    path
}

fn kinds(table: &Table) -> Vec<ColumnKind> {
    table.schema().columns.iter().map(|column| column.kind).collect()
}

/// NaN is not equal to itself, so tables with missing values are compared as text.
fn cells(table: &Table) -> Vec<String> {
    let columns = table.columns().len();
    (0..table.rows() * columns).map(|cell| table.cell(cell / columns, cell % columns)).collect()
}

const PATIENTS: &str = "id,age,sex,bmi,seen,smoker,site\n\
    P-01,31,f,22.5,2024-01-31,yes,north\n\
    P-02,?,m,31.25,2024-02-01,no,north\n\
    P-03,47,f,NA,2024-02-29,,north\n";

#[test]
fn kinds_precision_and_missing_values_are_inferred() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = Table::read(file(&folder, "patients.csv", PATIENTS), &ReadOptions::with_target("smoker")).expect("readable");
    use ColumnKind::*;
    assert_eq!(kinds(&table), [Id, Integer, Categorical, Continuous, Datetime, Boolean, Constant]);
    assert_eq!(table.schema().target.as_deref(), Some("smoker"));
    let columns = &table.schema().columns;
    let id = columns[0].id.as_ref().expect("a form").generate(0, 0);
    assert!(!PATIENTS.contains(&id) && id.contains('-'), "{id}");
    assert_eq!(columns[3].decimals, Some(2));
    assert_eq!(columns[4].format.as_deref(), Some("%Y-%m-%d"));
    assert_eq!(columns[6].value.as_deref(), Some("north"));
    assert!(table.columns()[1].is_missing(1) && table.columns()[3].is_missing(2) && table.columns()[5].is_missing(2));
    assert_eq!(table.cell(2, 4), "2024-02-29");
    assert_eq!(table.cell(0, 3), "22.5");
}

#[test]
fn a_table_written_and_read_under_its_schema_is_the_same_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = Table::read(file(&folder, "patients.csv", PATIENTS), &ReadOptions::default()).expect("readable");
    for name in ["out.csv", "out.csv.gz", "out.tsv", "out.parquet"] {
        let path = folder.path().join(name);
        let mut writer = TableWriter::create(&path, table.schema()).expect("creatable");
        writer.write(&table.take(&[0])).expect("writable");
        assert!(!path.exists(), "nothing has that name before the end");
        writer.write(&table.take(&[1, 2])).expect("writable");
        writer.finish().expect("finishable");
        let back = Table::read(&path, &ReadOptions::with_schema(table.schema().clone())).expect("readable");
        assert_eq!(back.schema(), table.schema(), "{name}");
        assert_eq!(cells(&back), cells(&table), "{name}");
        let inferred = Table::read(&path, &ReadOptions::default()).expect("readable");
        assert_eq!(kinds(&inferred), kinds(&table), "{name}");
    }
}

#[test]
fn options_overrule_inference() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "t.csv", "a,b,c\n1,-9,x\n2,7,y\n1,8,z\n");
    let options = ReadOptions {
        drop: vec!["c".into()],
        kinds: vec![("a".into(), ColumnKind::Categorical)],
        missing: Some(vec!["-9".into()]),
        ..ReadOptions::default()
    };
    let table = Table::read(&path, &options).expect("readable");
    assert_eq!(kinds(&table), [ColumnKind::Categorical, ColumnKind::Integer]);
    assert!(table.columns()[1].is_missing(0));
    let said = Table::read(&path, &ReadOptions::with_target("income")).expect_err("no such column").to_string();
    assert!(said.contains("income") && said.contains("a, b, c"), "{said}");
}

#[test]
fn a_schema_gives_kinds_order_and_padding() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "t.csv", "b;a\n007;1.5\n010;2\n");
    let schema = "[[columns]]\nname = \"a\"\nkind = \"continuous\"\n[[columns]]\nname = \"b\"\nkind = \"integer\"\n";
    let options = ReadOptions::with_schema(Schema::parse_toml(schema).expect("a schema"));
    let table = Table::read(&path, &options).expect("readable");
    assert_eq!(table.columns(), [Column::Number(vec![1.5, 2.0]), Column::Number(vec![7.0, 10.0])]);
    let inferred = Table::read(&path, &ReadOptions::default()).expect("readable");
    assert_eq!(inferred.column("b").expect("there").label(0), Some("007"));
}

#[test]
fn number_labels_stand_in_numeric_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..200).map(|row| format!("{}\n", [10, 2, 9, 3][row % 4])).collect();
    let result = Table::read_inferred(file(&folder, "t.csv", format!("month\n{rows}")), &ReadOptions::default()).expect("readable");
    let (codes, levels) = result.table.columns()[0].categories().expect("categories");
    assert_eq!(levels, ["2", "3", "9", "10"]);
    assert_eq!(codes[..4], [3, 0, 2, 1]);
    assert!(result.notes[0].contains("month") && result.notes[0].contains("categorical"), "{:?}", result.notes);
}
