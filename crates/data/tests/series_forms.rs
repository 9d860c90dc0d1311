//! Series of wide tables and of folders, and back.

use std::path::Path;

use semblant_core::data::{Data, Opened};
use semblant_data::series::{Clock, Series, SeriesOptions, WideOption};

fn written(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writable");
    path
}

fn of(wide: WideOption) -> SeriesOptions {
    SeriesOptions { wide: Some(wide), ..SeriesOptions::default() }
}

fn refused(path: &Path, options: &SeriesOptions, word: &str) {
    let error = Series::open(path, options).expect_err("refused").to_string();
    assert!(error.contains(word) && !error.contains('\n'), "no {word} in {error}");
}

/// Four pulses with a shape and a name; the second one ends early, the last has a gap.
const ROWS: &str = "name,shape,0,10,20,30\np1,flat,1.5,1.5,1.5,1.5\np2,steep,1.0,9.0,,\np3,flat,2.0,2.5,2.5,2.0\np4,steep,0.5,,8.5,9.5\n";

#[test]
fn rows_of_a_wide_table_are_sequences_and_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), "pulses.csv", ROWS);
    let options = SeriesOptions { entity: Some("name".into()), ..of(WideOption::Rows) };
    let Opened { data, notes } = Series::open(&path, &options).expect("series");
    assert_eq!((data.count(), data.lengths().collect::<Vec<_>>()), (4, vec![4, 2, 4, 4]));
    assert!(matches!(&data.layout().clock, Clock::Regular { first, step, .. } if (*first, *step) == (0.0, 10.0)));
    let entities = data.entities().expect("named");
    assert_eq!((entities.cell(1, 0), entities.cell(1, 1)), ("p2".into(), "steep".into()));
    assert!(notes.iter().any(|note| note.contains("the 4 columns of numbers from \"0\" to \"30\"")), "{notes:?}");
    let again = folder.path().join("again.csv");
    data.save(&again).expect("writable");
    assert_eq!(std::fs::read_to_string(&again).expect("there"), ROWS);
    let back = Series::open(&again, &options).expect("series").data;
    assert_eq!((back.entities(), back.spans(), back.layout()), (data.entities(), data.spans(), data.layout()));
    refused(&written(folder.path(), "one.csv", "name,a\np1,1\np2,2\n"), &options, "--wide");
}

#[test]
fn columns_of_a_wide_table_are_sequences_and_come_back() {
    let text = "at,north,south\n2026-01-01 00:00:00,1.5,7.0\n2026-01-01 01:00:00,,7.5\n2026-01-01 02:00:00,2.5,8.0\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), "load.csv", text);
    let data = Series::open(&path, &of(WideOption::Columns)).expect("series").data;
    assert_eq!((data.count(), data.common_length()), (2, Some(3)));
    let entities = data.entities().expect("named");
    assert_eq!([0, 1].map(|row| entities.cell(row, 0)), ["north", "south"]);
    let values = data.rows().columns()[0].numbers().expect("numbers");
    assert!(values[1].is_nan() && values[3..] == [7.0, 7.5, 8.0], "{values:?}");
    let again = folder.path().join("again.csv");
    data.save(&again).expect("writable");
    assert_eq!(std::fs::read_to_string(&again).expect("there"), text);
    let labels = written(folder.path(), "labels.csv", "at,north,kind\n2026-01-01,1,a\n2026-01-02,2,b\n2026-01-03,2,a\n");
    refused(&labels, &of(WideOption::Columns), "--drop kind");
    let windows = SeriesOptions { window: Some(2), ..of(WideOption::Columns) };
    assert_eq!(Series::open(&path, &windows).expect("series").data.count(), 4);
}

#[test]
fn files_of_a_folder_are_sequences_and_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("units");
    std::fs::create_dir(&source).expect("a folder");
    // Alone the first file would have whole numbers, and one label.
    written(&source, "b-2.csv", "step,level,state\n0,1,on\n1,2,on\n2,3,on\n");
    written(&source, "a-1.csv", "step,level,state\n0,0.5,off\n1,0.7,on\n");
    written(&source, "README.md", "not a table");
    written(&source, ".hidden.csv", "x\n1\n");
    let data = Series::open(&source, &SeriesOptions::default()).expect("series").data;
    assert_eq!((data.count(), data.lengths().collect::<Vec<_>>()), (2, vec![2, 3]));
    let entities = data.entities().expect("named");
    assert_eq!([0, 1].map(|row| entities.cell(row, 0)), ["a-1", "b-2"]);
    let level = data.rows().column("level").expect("there").numbers().expect("numbers");
    assert_eq!(level, [0.5, 0.7, 1.0, 2.0, 3.0]);
    let again = folder.path().join("again");
    data.save(&again).expect("writable");
    let mut names: Vec<String> =
        std::fs::read_dir(&again).expect("there").map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["a-1.csv", "b-2.csv"]);
    let back = Series::open(&again, &SeriesOptions::default()).expect("series").data;
    assert_eq!(back.rows().column("level").expect("there").numbers(), Some(level));
    assert!(
        Series::open(&again, &SeriesOptions::default()).expect("series").data.save(&again).is_err(),
        "a folder with files is not replaced"
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    refused(&empty, &SeriesOptions::default(), "no file that is a table");
    written(&source, "c.csv", "step,height\n0,1\n1,2\n");
    refused(&source, &SeriesOptions::default(), "all files of a folder need the same");
}

#[test]
fn names_of_sequences_are_safe_names_of_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "id,step,x\n../../up,0,1\n../../up,1,2\n.hidden,0,3\n.hidden,1,4\na/b,0,5\na/b,1,6\na?b,0,7\na?b,1,8\n";
    let path = written(folder.path(), "odd.csv", text);
    let options = SeriesOptions { entity: Some("id".into()), ..SeriesOptions::default() };
    let data = Series::open(&path, &options).expect("series").data;
    let again = folder.path().join("out");
    data.save(&again).expect("writable");
    let mut names: Vec<String> =
        std::fs::read_dir(&again).expect("there").map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["_.._.._up.csv", "_.hidden.csv", "a_b-2.csv", "a_b.csv"]);
}
