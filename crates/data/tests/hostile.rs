//! Files that are wrong, odd or large: an error that names the place, or a table, and never a panic.

use std::path::{Path, PathBuf};
use std::time::Instant;

use semblant_data::table::{Column, ColumnKind, ColumnSchema, ReadOptions, Schema, Table, TableWriter};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, contents).expect("writable");
        path
    }

    fn entries(&self) -> usize {
        std::fs::read_dir(self.0.path()).expect("readable").count()
    }
}

fn read(path: &Path) -> Table {
    Table::read(path, &ReadOptions::default()).expect("readable")
}

/// The error of reading `contents`, which must be one line, name the file and hold every one of `words`.
#[track_caller]
fn refused(name: &str, contents: impl AsRef<[u8]>, options: &ReadOptions, words: &[&str]) {
    let folder = Folder::new();
    let path = folder.file(name, contents);
    let said = Table::read(&path, options).expect_err("not readable").to_string();
    assert!(!said.contains('\n'), "{said}");
    for word in words.iter().chain(&[name]) {
        assert!(said.contains(word), "no \"{word}\" in: {said}");
    }
}

#[track_caller]
fn refused_csv(contents: impl AsRef<[u8]>, words: &[&str]) {
    refused("t.csv", contents, &ReadOptions::default(), words);
}

#[test]
fn files_that_are_not_there_or_hold_nothing() {
    let folder = Folder::new();
    let said = Table::read(folder.0.path().join("absent.csv"), &ReadOptions::default()).expect_err("absent").to_string();
    assert!(said.contains("absent.csv"), "{said}");
    let said = Table::read(folder.0.path(), &ReadOptions::default()).expect_err("a folder").to_string();
    assert!(said.contains("folder"), "{said}");
    refused_csv("", &["empty"]);
    refused_csv("\n\n", &["empty"]);
    refused_csv("a,b\n", &["header but no rows"]);
    refused("t.xlsx", "PK", &ReadOptions::default(), &["csv", "parquet"]);
}

#[test]
fn ragged_rows_are_named_with_their_counts() {
    refused_csv("a,b\n1,2\n3\n", &["line 3", "row 2", "1 cells", "has 2"]);
    refused_csv("a,b\n1,2\n3,4,5\n", &["line 3", "row 2", "3 cells"]);
    refused_csv("a,b\n1,2\n\"3,4\n5,6\n", &["line 3", "1 cells", "unclosed quote"]);
}

#[test]
fn bytes_that_are_not_utf8_are_named() {
    refused_csv(b"a,b\n1,x\n2,caf\xe9\n", &["line 3", "row 2", "\"b\"", "byte 4", "UTF-8"]);
    refused_csv(b"a,caf\xe9\n1,2\n", &["header", "UTF-8"]);
    refused_csv(b"\xff\xfea\0,\0b\0\n\0", &["UTF-16"]);
}

#[test]
fn headers_without_or_with_equal_names_are_completed() {
    let folder = Folder::new();
    let read = |text: &str| Table::read_inferred(folder.file("t.csv", text), &ReadOptions::default()).expect("readable");
    let twice = read("a,b,a\n1,2,3\n4,5,6\n");
    assert_eq!(twice.table.schema().names().collect::<Vec<_>>(), ["a", "b", "a.1"]);
    assert!(twice.notes.iter().any(|note| note.contains("twice") && note.contains("\"a.1\"")), "{:?}", twice.notes);
    let nameless = read(",a\n0,5\n1,7\n");
    assert_eq!(nameless.table.schema().names().collect::<Vec<_>>(), ["Unnamed: 0", "a"]);
    assert!(nameless.notes.iter().any(|note| note.contains("no name")), "{:?}", nameless.notes);
    let options = ReadOptions { drop: vec!["Unnamed: 0".into()], ..ReadOptions::default() };
    let table = Table::read(folder.file("t.csv", ",a\n0,5\n1,7\n"), &options).expect("the nameless column is dropped");
    assert_eq!(table.schema().names().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn columns_without_a_value_are_kept_empty() {
    let folder = Folder::new();
    let read = Table::read_inferred(folder.file("t.csv", "a,b\n1,\n2,\n"), &ReadOptions::default()).expect("readable");
    assert_eq!(read.table.columns()[1].missing(), 2);
    assert_eq!(read.table.schema().columns[1].kind, ColumnKind::Constant);
    assert!(read.notes.iter().any(|note| note.contains("\"b\"") && note.contains("empty")), "{:?}", read.notes);
}

#[test]
fn text_in_a_declared_number_column_is_named() {
    let schema = Schema {
        columns: vec![ColumnSchema::new("age", ColumnKind::Integer), ColumnSchema::new("bmi", ColumnKind::Continuous)],
        ..Schema::default()
    };
    let options = ReadOptions::with_schema(schema);
    refused("t.csv", "age,bmi\n3,1\nold,2\nolder,3\n", &options, &["\"age\"", "2 of 3", "row 2", "\"old\"", "missing"]);
    refused("t.csv", "age,bmi\n3,1\n3.5,2\n", &options, &["\"age\"", "row 2", "3.5", "continuous"]);
    refused("t.csv", "age\n3\n", &options, &["\"bmi\"", "not in the file"]);
    refused("t.csv", "age,bmi,c\n3,1,1\n", &options, &["\"c\"", "not in the schema"]);
}

#[test]
fn infinite_numbers_are_named() {
    for text in ["inf", "-inf", "Infinity", "1e999", "-1e999"] {
        refused_csv(format!("a,b\n1,2\n3,{text}\n"), &["\"b\"", "row 2", text]);
    }
    // In a text column they are text, and without their text in `missing`, nan is text too.
    let folder = Folder::new();
    assert_eq!(read(&folder.file("t.csv", "a\ninf\nbeer\n")).columns()[0].label(0), Some("inf"));
    let options = ReadOptions { missing: Some(Vec::new()), ..ReadOptions::default() };
    let table = Table::read(folder.file("n.csv", "a\n1\nNaN\n"), &options).expect("readable");
    assert_eq!(table.columns()[0].label(1), Some("NaN"));
}

#[test]
fn odd_shapes_are_read() {
    let folder = Folder::new();
    let one = read(&folder.file("one.csv", "a,b\n1,x\n"));
    assert_eq!((one.rows(), one.columns().len()), (1, 2));
    let names: Vec<String> = (0..2_000).map(|i| format!("c{i}")).collect();
    let cells = vec!["1.5"; 2_000].join(",");
    let wide = read(&folder.file("wide.csv", format!("{}\n{cells}\n{cells}\n", names.join(","))));
    assert_eq!(wide.columns().len(), 2_000);
    assert_eq!(wide.schema().columns[1_999].kind, ColumnKind::Constant);
    let huge = "x".repeat(10 << 20);
    let table = read(&folder.file("huge.csv", format!("a,b\n1,{huge}\n2,y\n")));
    assert_eq!(table.columns()[1].label(0).map(str::len), Some(10 << 20));
}

#[test]
fn a_hundred_thousand_categories_are_read_quickly() {
    let folder = Folder::new();
    let rows: String = (0..500_000u64).map(|row| format!("k{:x}\n", (row % 100_000).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let path = folder.file("many.csv", format!("a\n{rows}"));
    let start = Instant::now();
    let table = read(&path);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    assert_eq!(table.schema().columns[0].kind, ColumnKind::Categorical);
    assert_eq!(table.columns()[0].categories().map(|(_, levels)| levels.len()), Some(100_000));
}

#[test]
fn line_ends_marks_and_quotes_do_not_matter() {
    let folder = Folder::new();
    let plain = read(&folder.file("plain.csv", "a,b\n1,x\n2,y\n"));
    assert_eq!(read(&folder.file("crlf.csv", "a,b\r\n1,x\r\n2,y\r\n")), plain);
    assert_eq!(read(&folder.file("bom.csv", "\u{feff}a,b\n1,x\n2,y")), plain);
    assert_eq!(read(&folder.file("quoted.csv", "\"a\",\"b\"\n\"1\",\"x\"\n\"2\",\"y\"\n")), plain);
    let quoted = read(&folder.file("lines.csv", "a,b\n1,\"x\ny, \"\"z\"\"\"\n2,y\n"));
    assert_eq!(quoted.columns()[1].label(0), Some("x\ny, \"z\""));
    let blanks = read(&folder.file("blanks.csv", "a, b\n 1, x\n ?, y\n3, y\n"));
    assert_eq!(blanks.columns()[0].numbers().map(|n| n[1].is_nan()), Some(true));
    assert_eq!(blanks.columns()[1].label(0), Some(" x"));
}

#[test]
fn damaged_archives_are_told_from_missing_ones() {
    let folder = Folder::new();
    let columns = vec![("a", ColumnKind::Integer, Column::Number((0..5_000).map(|i| f64::from(i * 7919 % 4999)).collect()))];
    let table = Table::from_columns(columns).expect("a table");
    for name in ["t.csv.gz", "t.parquet"] {
        let path = folder.0.path().join(name);
        table.write(&path).expect("writable");
        let bytes = std::fs::read(&path).expect("readable");
        refused(name, &bytes[..bytes.len() / 2], &ReadOptions::default(), &["again"]);
    }
    refused("t.parquet", "PAR1 and then nothing of the kind", &ReadOptions::default(), &["Parquet"]);
    refused("t.csv.gz", [0x1f, 0x8b, 0x08, 0x00, 0xff], &ReadOptions::default(), &["gzip"]);
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let folder = Folder::new();
    let table = Table::from_columns(vec![("a", ColumnKind::Integer, Column::Number(vec![1.0]))]).expect("a table");
    let path = folder.file("t.csv", "what was there before");
    let mut writer = TableWriter::create(&path, table.schema()).expect("creatable");
    writer.write(&table).expect("writable");
    drop(writer);
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), "what was there before");
    assert_eq!(folder.entries(), 1);
    table.write(&path).expect("writable");
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), "a\n1\n");
    assert_eq!(folder.entries(), 1);
}

#[test]
fn targets_that_cannot_be_written_are_named() {
    let folder = Folder::new();
    let schema = Schema { columns: vec![ColumnSchema::new("a", ColumnKind::Integer)], ..Schema::default() };
    for name in ["no/such/folder/t.csv", "t.xlsx", "t.parquet.gz", "t"] {
        let said = TableWriter::create(folder.0.path().join(name), &schema).expect_err("not writable").to_string();
        assert!(said.contains(name) && !said.contains('\n'), "{said}");
    }
    std::fs::create_dir(folder.0.path().join("folder.csv")).expect("creatable");
    assert!(TableWriter::create(folder.0.path().join("folder.csv"), &schema).is_err());
    let other = Table::from_columns(vec![("b", ColumnKind::Integer, Column::Number(vec![1.0]))]).expect("a table");
    let mut writer = TableWriter::create(folder.0.path().join("t.csv"), &schema).expect("creatable");
    let said = writer.write(&other).expect_err("other columns").to_string();
    assert!(said.contains("(b)") && said.contains("(a)"), "{said}");
    let infinite = Table::from_columns(vec![("a", ColumnKind::Integer, Column::Number(vec![1.0, f64::INFINITY]))]).expect("a table");
    assert!(writer.write(&infinite).expect_err("infinite").to_string().contains("row 2"));
}
