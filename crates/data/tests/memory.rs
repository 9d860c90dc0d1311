//! Small files with huge contents: refused by what they would take, before it is taken; and values that no column can hold.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Date32Array, Date64Array, NullArray, RecordBatch, TimestampSecondArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use semblant_core::memory::Memory;
use semblant_data::image::{ImageOptions, Images};
use semblant_data::table::{Inferred, ReadOptions, Table, TableFormat};

const SMALL: u64 = 1 << 20;

fn within(bytes: u64) -> ReadOptions {
    ReadOptions { memory: Memory::of(bytes), ..ReadOptions::default() }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("in memory")
}

/// The error, in less than a second or two, of bytes that fit into a wider limit.
#[track_caller]
fn refused(bytes: Vec<u8>, format: TableFormat, word: &str) {
    let started = Instant::now();
    let said = Table::from_bytes(bytes, format, &within(SMALL)).expect_err("refused").to_string();
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    assert!(said.contains(word) && !said.contains('\n'), "no \"{word}\" in: {said}");
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("has a form");
    writer.write(batch).expect("in memory");
    writer.into_inner().expect("in memory")
}

fn batch(arrays: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(arrays).expect("equal lengths")
}

#[test]
fn a_parquet_file_of_nothing_but_missing_values_is_reckoned_with_by_its_rows() {
    let nothing: ArrayRef = Arc::new(NullArray::new(1_000_000));
    let bytes = parquet(&RecordBatch::try_from_iter_with_nullable(vec![("a", nothing, true)]).expect("one column"));
    assert!(bytes.len() < 5_000, "{} bytes", bytes.len());
    refused(bytes.clone(), TableFormat::Parquet, "1000000 rows of 1 columns would take");
    assert_eq!(Table::from_bytes(bytes, TableFormat::Parquet, &within(64 << 20)).expect("fits").table.rows(), 1_000_000);
}

#[test]
fn a_cell_has_an_end() {
    let cell = format!("a,b\n1,{}\n", "x".repeat(SMALL as usize));
    refused(cell.clone().into_bytes(), TableFormat::Csv, "too many for a row");
    refused(gzipped(cell.as_bytes()), TableFormat::Csv, "too many for a row");
    refused(format!("a,b\n\"{}", "1,2\n".repeat(SMALL as usize)).into_bytes(), TableFormat::Csv, "unclosed quote");
    refused(format!("{{\"a\": \"{}\"}}\n", "x".repeat(SMALL as usize)).into_bytes(), TableFormat::JsonLines, "longer than");
    Table::from_bytes(cell.into_bytes(), TableFormat::Csv, &within(16 << 20)).expect("fits");
}

#[test]
fn columns_and_rows_are_reckoned_with() {
    let columns = 100_000;
    let wide = format!("{}\n{}\n", vec!["c"; columns].join(","), vec!["1"; columns].join(","));
    refused(wide.into_bytes(), TableFormat::Csv, "its 100000 columns");
    let long = format!("a\n{}", "7\n".repeat(200_000));
    refused(long.clone().into_bytes(), TableFormat::Csv, "rows would take");
    refused(gzipped(long.as_bytes()), TableFormat::Csv, "--memory");
    assert_eq!(Table::from_bytes(long.into_bytes(), TableFormat::Csv, &within(64 << 20)).expect("fits").table.rows(), 200_000);
    // A field more on every line has a cell in every line.
    let square: String = (0..2_000).map(|line| format!("{{\"f{line}\": 1}}\n")).collect();
    refused(square.into_bytes(), TableFormat::JsonLines, "fields in");
}

#[test]
fn a_device_without_end_is_no_table() {
    if Path::new("/dev/zero").exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
        let said = Table::read(&path, &ReadOptions::default()).expect_err("refused").to_string();
        assert!(said.contains("device"), "{said}");
    }
}

/// What no column holds is missing, and is told; it is never another value.
#[test]
fn dates_out_of_range_are_missing_with_a_note() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), Some(i32::MAX), Some(i32::MIN), None]));
    let millis: ArrayRef = Arc::new(Date64Array::from(vec![0, i64::MAX, i64::MIN, 86_400_000]));
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, i64::MAX, i64::MIN, 253_402_300_799]));
    let made = batch(vec![("days", days), ("millis", millis), ("seconds", seconds)]);
    let from_file = Table::from_bytes(parquet(&made), TableFormat::Parquet, &ReadOptions::default()).expect("readable");
    for Inferred { table, notes } in [Table::from_record_batches(&[made], &ReadOptions::default()).expect("readable"), from_file] {
        let cells = |column: usize| (0..4).map(|row| table.cell(row, column)).collect::<Vec<_>>();
        assert_eq!(cells(0), ["1970-01-01", "", "", ""]);
        assert_eq!(cells(1), ["1970-01-01", "", "", "1970-01-02"]);
        assert_eq!((cells(2)[1].as_str(), cells(2)[2].as_str()), ("", ""));
        assert!(cells(2)[3].starts_with("9999-12-31"), "{:?}", cells(2));
        for name in ["days", "millis", "seconds"] {
            assert!(notes.iter().any(|note| note.contains(&format!("\"{name}\": 2 values"))), "{name}: {notes:?}");
        }
    }
}

fn png(side: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(side, side).write_to(&mut bytes, image::ImageFormat::Png).expect("in memory");
    bytes.into_inner()
}

#[test]
fn pictures_are_reckoned_with_by_their_headers() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..40 {
        std::fs::write(folder.path().join(format!("{number:02}.png")), png(2_000)).expect("writable");
    }
    let read = |memory: u64| Images::read(folder.path(), &ImageOptions { memory: Memory::of(memory), ..ImageOptions::default() });
    let started = Instant::now();
    let said = read(32 << 20).expect_err("160 MB of pixels").to_string();
    assert!(said.contains("its pixels") && said.contains("--memory"), "{said}");
    // Forty pictures take seconds to decode, their headers nothing.
    std::fs::write(folder.path().join("39.png"), png(1_999)).expect("writable");
    let said = read(1 << 30).expect_err("two sizes").to_string();
    assert!(said.contains("39.png is 1999 x 1999") && said.contains("2000 x 2000"), "{said}");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    // A file of another size that cannot be decoded is left out, as other damaged ones are.
    let cut = png(1_999);
    std::fs::write(folder.path().join("39.png"), &cut[..cut.len() / 2]).expect("writable");
    let made = read(1 << 30).expect("the others");
    assert_eq!(made.images.count(), 39);
    assert!(made.notes.iter().any(|note| note.contains("39.png")), "{:?}", made.notes);
}

#[test]
fn packed_images_are_reckoned_with_by_what_they_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ImageOptions { memory: Memory::of(SMALL), ..ImageOptions::default() };
    let said = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        Images::read(&path, &options).expect_err("refused").to_string()
    };
    let sides = |sides: [u32; 3]| sides.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>();
    let idx = [&[0, 0, 8, 3][..], &sides([4, 1_000, 1_000]), &vec![0; 4_000_000]].concat();
    assert!(said("a-idx3-ubyte.gz", gzipped(&idx)).contains("--memory"));
    assert!(said("data_batch_1.bin", gzipped(&vec![0; 3_073 * 1_000])).contains("--memory"));
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4_000_000);
    header.set_mode(0o644);
    archive.append_data(&mut header, "a/b.png", std::io::repeat(0).take(4_000_000)).expect("in memory");
    let archive = gzipped(&archive.into_inner().expect("in memory"));
    assert!(archive.len() < 100_000);
    assert!(said("a.tar.gz", archive).contains("MiB"));
}
