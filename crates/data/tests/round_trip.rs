//! Whatever table is written, the same is read; and whatever bytes are read, nothing panics.

use proptest::prelude::*;
use semblant_data::table::{Column, ColumnKind, ReadOptions, Table};

fn numbers(rows: usize, of: impl Strategy<Value = f64> + 'static) -> BoxedStrategy<Column> {
    prop::collection::vec(prop_oneof![4 => of, 1 => Just(f64::NAN)], rows).prop_map(Column::Number).boxed()
}

fn labels(rows: usize) -> BoxedStrategy<Column> {
    // The empty text is the missing value, so a label holds at least one character that is not a blank.
    let label = ".{0,6}[a-z,;\"'].{0,6}";
    prop::collection::vec(prop::option::weighted(0.8, label), rows).prop_map(Column::from_labels).boxed()
}

fn tables() -> impl Strategy<Value = Table> {
    (1usize..30).prop_flat_map(|rows| {
        let micros = (-60_000_000_000_000_000i64..200_000_000_000_000_000).prop_map(|micros| micros as f64 / 1e6);
        let exact =
            prop_oneof![any::<f64>().prop_filter("finite", |value| value.is_finite()), (-1000i32..1000).prop_map(|v| f64::from(v) / 8.0)];
        let whole = (-(1i64 << 53) + 1..1i64 << 53).prop_map(|value| value as f64);
        (numbers(rows, exact), numbers(rows, whole), numbers(rows, micros), labels(rows)).prop_map(|(real, whole, time, labels)| {
            Table::from_columns(vec![
                ("real", ColumnKind::Continuous, real),
                ("whole, \"quoted\"", ColumnKind::Integer, whole),
                ("time", ColumnKind::Datetime, time),
                ("label", ColumnKind::Categorical, labels),
            ])
            .expect("a table")
        })
    })
}

/// The first column and row that differ. NaN is the missing value, and two ways to number the same labels are one table.
fn difference(left: &Table, right: &Table) -> Option<String> {
    assert!(left.schema().names().eq(right.schema().names()) && left.rows() == right.rows());
    left.iter().zip(right.columns()).find_map(|((described, left), right)| {
        let differs = |&row: &usize| match (left.numbers(), right.numbers()) {
            (Some(left), Some(right)) => left[row] != right[row] && !(left[row].is_nan() && right[row].is_nan()),
            _ => left.label(row) != right.label(row),
        };
        let row = (0..left.len()).find(differs)?;
        let show = |column: &Column| match column.numbers() {
            Some(numbers) => format!("{:?}", numbers[row]),
            None => format!("{:?}", column.label(row)),
        };
        Some(format!("{}, row {row}: {} and {}", described.name, show(left), show(right)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(table in tables()) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = ReadOptions::with_schema(table.schema().clone());
        options.missing = Some(Vec::new());
        for name in ["t.csv", "t.tsv.gz", "t.parquet"] {
            let path = folder.path().join(name);
            table.write(&path).expect("writable");
            let back = Table::read(&path, &options).expect("readable");
            prop_assert_eq!(difference(&back, &table), None, "{}", name);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "[-+0-9a-zA-Z.,;:/\"\n\r\t ?]{0,200}") {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, contents) in [("t.csv", bytes.clone()), ("t.parquet", bytes.clone()), ("t.tsv", text.clone().into_bytes()), ("u.csv", text.into_bytes())] {
            let path = folder.path().join(name);
            std::fs::write(&path, contents).expect("writable");
            let _ = Table::read(&path, &ReadOptions::default());
        }
    }

    #[test]
    fn a_damaged_parquet_file_is_an_error_or_a_table(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.parquet");
        let columns = vec![
            ("a", ColumnKind::Continuous, Column::Number((0..50).map(|i| f64::from(i) / 3.0).collect())),
            ("b", ColumnKind::Categorical, Column::from_labels((0..50).map(|i| Some(["x", "y", "z"][i % 3])))),
        ];
        Table::from_columns(columns).expect("a table").write(&path).expect("writable");
        let mut bytes = std::fs::read(&path).expect("readable");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        std::fs::write(&path, bytes).expect("writable");
        let _ = Table::read(&path, &ReadOptions::default());
    }
}
