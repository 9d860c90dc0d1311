//! Series from files and back.

use semblant_core::data::{Data, Opened};
use semblant_data::series::{Clock, Series, SeriesOptions};

/// What a file of this text opens as.
fn opened(text: &str, options: &SeriesOptions) -> semblant_core::Result<Opened<Series>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("series.csv");
    std::fs::write(&path, text).expect("writable");
    Series::open(&path, options)
}

fn read(text: &str, options: &SeriesOptions) -> Series {
    opened(text, options).expect("series").data
}

/// All cells as they are written: missing values are equal.
fn cells(series: &Series) -> Vec<Vec<String>> {
    let table = series.to_table().expect("sound");
    (0..table.rows()).map(|row| (0..table.columns().len()).map(|column| table.cell(row, column)).collect()).collect()
}

fn refused(text: &str, options: &SeriesOptions, word: &str) {
    let error = opened(text, options).expect_err("refused").to_string();
    assert!(error.contains("series.csv") && error.contains(word) && !error.contains('\n'), "no {word} in {error}");
}

/// Three machines with rows in any order, a site that does not change, and readings.
const MACHINES: &str = "site,machine,at,load,state\n\
    north,m-1,2026-01-01 00:00,1.5,on\n\
    south,m-2,2026-01-01 06:00,2.5,off\n\
    north,m-1,2026-01-01 02:00,1.7,on\n\
    north,m-1,2026-01-01 01:00,1.6,off\n\
    south,m-2,2026-01-01 07:00,,on\n\
    south,m-3,2026-01-01 00:00,9.5,on\n";

fn by_machine() -> SeriesOptions {
    SeriesOptions { entity: Some("machine".into()), ..SeriesOptions::default() }
}

#[test]
fn rows_are_divided_by_name_and_put_in_the_order_of_time() {
    let Opened { data, notes } = opened(MACHINES, &by_machine()).expect("series");
    assert_eq!((data.count(), [0, 1, 2].map(|index| data.length(index))), (3, [3, 2, 1]));
    assert_eq!(data.rows().schema().names().collect::<Vec<_>>(), ["load", "state"]);
    let load = data.rows().column("load").expect("there").numbers().expect("numbers");
    assert_eq!(load[..4], [1.5, 1.6, 1.7, 2.5]);
    assert!(matches!(&data.layout().clock, Clock::Times(column) if column.name == "at"));
    let entities = data.entities().expect("named");
    assert_eq!(entities.schema().names().collect::<Vec<_>>(), ["machine", "site"]);
    assert_eq!([0, 1, 2].map(|row| entities.cell(row, 1)), ["north", "south", "south"]);
    for word in ["\"at\" is the time", "1 of 3 sequences were put in the order", "site"] {
        assert!(notes.iter().any(|note| note.contains(word)), "no {word} in {notes:?}");
    }
}

/// Samples of one long series cover the same times: by their numbers they stay apart, though their series has no such column.
#[test]
fn numbered_sequences_are_sequences() {
    let text =
        "sequence,at,load\n0,2026-01-01 00:00,1\n0,2026-01-01 01:00,2\n0,2026-01-01 02:00,3\n1,2026-01-01 00:00,7\n1,2026-01-01 01:00,8\n";
    let Opened { data, notes } = opened(text, &SeriesOptions::default()).expect("series");
    assert_eq!((data.count(), data.length(0), data.length(1)), (2, 3, 2));
    assert_eq!(data.rows().column("load").expect("there").numbers().expect("numbers"), [1.0, 2.0, 3.0, 7.0, 8.0]);
    assert!(notes.iter().any(|note| note.contains("\"sequence\" names the sequences") && note.contains("--entity")), "{notes:?}");
    assert_eq!(read(&text.replace("1,2026", "0,2027"), &SeriesOptions::default()).count(), 1, "one sample");
    // What counts rows, or comes again after others, is a column like others.
    let counts = text.replace("0,2026-01-01 01", "5,2026-01-01 01").replace("0,2026-01-01 02", "0,2026-01-01 03");
    assert_eq!(read(&counts, &SeriesOptions::default()).count(), 1);
}

#[test]
fn a_file_comes_back_in_its_form() {
    let data = read(MACHINES, &by_machine());
    let table = data.to_table().expect("sound");
    assert_eq!(table.schema().names().collect::<Vec<_>>(), ["site", "machine", "at", "load", "state"]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.csv");
    data.save(&path).expect("writable");
    let text = std::fs::read_to_string(&path).expect("written");
    let mut lines: Vec<&str> = text.lines().collect();
    let mut wanted: Vec<&str> = MACHINES.lines().collect();
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    assert_eq!(cells(&Series::open(&path, &by_machine()).expect("series").data), cells(&data));
}

#[test]
fn attributes_come_from_a_file_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let attributes = folder.path().join("machines.csv");
    std::fs::write(&attributes, "machine,kind\nm-3,press\nm-1,drill\nm-2,drill\n").expect("writable");
    let options = SeriesOptions { attributes: Some(attributes.clone()), ..SeriesOptions::default() };
    let data = read(MACHINES, &options);
    let entities = data.entities().expect("named");
    assert_eq!(entities.schema().names().collect::<Vec<_>>(), ["machine", "site", "kind"]);
    assert_eq!([0, 1, 2].map(|row| entities.cell(row, 2)), ["drill", "drill", "press"]);
    std::fs::write(&attributes, "machine,kind\nm-1,drill\n").expect("writable");
    refused(MACHINES, &options, "\"m-2\" has no row");
}

#[test]
fn one_series_is_cut_into_windows_that_share_its_rows() {
    let text: String =
        std::iter::once("step,x,y\n".to_owned()).chain((0..50).map(|i| format!("{i},{}.5,{}\n", i % 7, i * i % 11))).collect();
    let whole = read(&text, &SeriesOptions::default());
    assert!(matches!(&whole.layout().clock, Clock::Regular { first, step, .. } if (*first, *step) == (0.0, 1.0)));
    let windows = read(&text, &SeriesOptions { window: Some(24), stride: Some(2), ..SeriesOptions::default() });
    assert_eq!((windows.count(), windows.common_length(), windows.rows().rows()), (14, Some(24), 50));
    let regular = windows.regular().expect("numbers");
    assert_eq!((regular.of(3)[0], regular.channels), (6.5, 2));
    // A file of windows is one of windows again, whatever else is asked for.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("windows.csv");
    windows.save(&path).expect("writable");
    let again = Series::open(&path, &SeriesOptions { window: Some(24), ..SeriesOptions::default() }).expect("series").data;
    assert_eq!((again.count(), again.common_length()), (14, Some(24)));
    assert_eq!(again.regular().expect("numbers"), regular);
    refused(&text, &SeriesOptions { window: Some(51), ..SeriesOptions::default() }, "the longest has 50");
    refused(&text, &SeriesOptions { window: Some(0), ..SeriesOptions::default() }, "--window 0");
}

#[test]
fn parts_join_and_selections_keep_names() {
    let data = read(MACHINES, &by_machine());
    let parts = vec![data.select(&[2]), data.select(&[0, 1])];
    let joined = Series::concat(parts).expect("alike");
    assert_eq!(cells(&joined.select(&[1, 2, 0])), cells(&data));
    assert!(Series::concat(Vec::new()).is_err());
}

#[test]
fn what_is_no_series_is_named() {
    refused(MACHINES, &SeriesOptions { entity: Some("engine".into()), ..SeriesOptions::default() }, "\"engine\"");
    refused(MACHINES, &SeriesOptions { time: Some("state".into()), ..by_machine() }, "--time");
    refused("machine,at,x\nm-1,2026-01-01,1\n,2026-01-02,2\nm-1,2026-01-03,4\nm-2,2026-01-03,4\n", &by_machine(), "row 2");
    refused("machine,at,x\nm-1,2026-01-01,1\nm-1,,2\nm-2,2026-01-03,4\nm-2,2026-01-04,4\n", &by_machine(), "row 2 has no time");
    refused("machine,at,x\n", &by_machine(), "no rows");
    // Data that is only compared may lack what is named.
    let options = SeriesOptions { if_there: true, ..SeriesOptions { entity: Some("engine".into()), ..SeriesOptions::default() } };
    assert_eq!(read(MACHINES, &options).count(), 1);
}

#[test]
fn equal_times_keep_the_order_of_the_file() {
    let text = "who,t,x\na,2,1\na,1,2\na,1,3\nb,5,4\nb,5,5\n";
    let options = SeriesOptions { entity: Some("who".into()), time: Some("t".into()), ..SeriesOptions::default() };
    let Opened { data, notes } = opened(text, &options).expect("series");
    assert_eq!(data.rows().column("x").expect("there").numbers().expect("numbers"), [2.0, 3.0, 1.0, 4.0, 5.0]);
    assert!(notes.iter().any(|note| note.contains("2 rows have the time of the row before")), "{notes:?}");
}
