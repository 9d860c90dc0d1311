//! Given sequences: what follows them, and what fills their gaps.

use super::sequences::{machines, sequence_of};
use super::*;

#[test]
fn given_sequences_are_continued() {
    let data = machines();
    let model = sequence_of(&data);
    let rebuild = model.rebuild().expect("can");
    let history = data.select(&[3, 7]);
    let made = rebuild.rebuild(&history, None, &SeriesRequest::forecast(4, 3, 5)).expect("possible").data;
    assert_eq!((made.count(), made.common_length()), (6, Some(4)));
    let entities = made.entities().expect("named");
    assert_eq!([0, 2, 3].map(|index| entities.cell(index, 0)), ["m-3-1", "m-3-3", "m-7-1"]);
    assert_eq!([0, 3].map(|index| entities.cell(index, 1)), ["drill", "drill"]);
    let last = data.times().expect("irregular")[data.spans()[3].end - 1];
    assert!(made.times().expect("irregular")[0] >= last);
    let again = rebuild.rebuild(&history, None, &SeriesRequest::forecast(4, 3, 5)).expect("possible").data;
    assert_eq!(again.times(), made.times());
    says("a mask", rebuild.rebuild(&history, Some(&history), &SeriesRequest::forecast(4, 1, 5)), &["--mask"]);
}

/// The cells of series in the form of their file, row by row.
fn cells(series: &Series) -> Vec<Vec<String>> {
    let table = series.to_table().expect("sound");
    (0..table.rows()).map(|row| (0..table.columns().len()).map(|column| table.cell(row, column)).collect()).collect()
}

/// Where the cells of two series of the same form differ, each missing in the first one.
fn filled_cells(given: &Series, made: &Series) -> usize {
    let (given, made) = (cells(given), cells(made));
    assert_eq!(given.len(), made.len());
    let mut count = 0;
    for (given, made) in given.iter().flatten().zip(made.iter().flatten()) {
        if given.is_empty() {
            assert!(!made.is_empty(), "nothing is missing any more");
            count += 1;
        } else {
            assert_eq!(given, made, "what is there stays");
        }
    }
    count
}

#[test]
fn gaps_of_sequences_are_filled_and_nothing_else() {
    let data = machines();
    let missing = cells(&data).iter().flatten().filter(|cell| cell.is_empty()).count();
    let model = sequence_of(&data);
    let rebuild = model.rebuild().expect("can");
    let fill = |seed: u64| rebuild.rebuild(&data, None, &SeriesRequest::new(0, seed)).expect("possible").data;
    assert_eq!(filled_cells(&data, &fill(1)), missing);
    assert_eq!(cells(&fill(1)), cells(&fill(1)));
    assert_ne!(cells(&fill(1)), cells(&fill(2)), "another seed, other readings");
    // A sequence alone is filled as beside others that come later.
    let first = data.select(&[0, 1, 2, 3]);
    let alone = rebuild.rebuild(&first, None, &SeriesRequest::new(0, 1)).expect("possible").data;
    assert_eq!(cells(&alone), cells(&fill(1).select(&[0, 1, 2, 3])));
    let redrawn = SeriesRequest { redraw: vec!["state".into()], ..SeriesRequest::new(0, 1) };
    let redrawn = rebuild.rebuild(&data, None, &redrawn).expect("possible").data;
    assert_ne!(
        cells(&redrawn).iter().map(|row| row[4].clone()).collect::<Vec<_>>(),
        cells(&data).iter().map(|row| row[4].clone()).collect::<Vec<_>>()
    );
    says("nothing is missing", rebuild.rebuild(&fill(1), None, &SeriesRequest::new(0, 1)), &["nothing to fill in", "--horizon"]);
    let unknown = SeriesRequest { redraw: vec!["colour".into()], ..SeriesRequest::new(0, 1) };
    says("no such column", rebuild.rebuild(&data, None, &unknown), &["colour"]);
}

/// Windows whose second column is twice the first: what is known of one decides the other.
fn doubled() -> (Series, Model) {
    let value = |row: usize| (row as f64 / 2.0).sin() + (row * 7919 % 101) as f64 / 100.0;
    let (one, two) = ((0..240).map(value).collect(), (0..240).map(|row| 2.0 * value(row)).collect());
    let columns = vec![("one", ColumnKind::Continuous, Column::Number(one)), ("two", ColumnKind::Continuous, Column::Number(two))];
    let data = Series::of_table(Table::from_columns(columns).expect("sound"));
    let mut model = unfitted("series-flow");
    model.fit(&data.windows(8, 1).expect("long enough"), &mut run(1)).expect("fits");
    (data, model)
}

#[test]
fn gaps_of_windows_follow_what_is_known_exactly() {
    let (data, model) = doubled();
    let whole = data.rows().column("two").expect("there").numbers().expect("numbers").to_vec();
    let gaps = whole.iter().enumerate().map(|(row, value)| if row % 5 == 2 { f64::NAN } else { *value }).collect();
    let columns = vec![data.rows().columns()[0].clone(), Column::Number(gaps)];
    let given = data.with_rows(Table::new(data.rows().schema().clone(), columns).expect("sound")).expect("as many");
    let made = model.rebuild().expect("can").rebuild(&given, None, &SeriesRequest::new(0, 3)).expect("possible").data;
    assert_eq!(filled_cells(&given, &made), 48);
    let found = made.rows().column("two").expect("there").numbers().expect("numbers");
    let worst = found.iter().zip(&whole).map(|(found, whole)| (found - whole).abs()).fold(0.0, f64::max);
    assert!(worst < 0.3, "two is twice one, whatever the network learned: {worst}");
}

#[test]
fn windows_are_continued_beyond_their_length() {
    let (data, model) = doubled();
    let rebuild = model.rebuild().expect("can");
    let made = rebuild.rebuild(&data, None, &SeriesRequest::forecast(19, 2, 7)).expect("possible").data;
    assert_eq!((made.count(), made.common_length()), (2, Some(19)));
    assert_ne!(cells(&made.select(&[0]))[0][1..], cells(&made.select(&[1]))[0][1..], "two draws");
    // A history that is shorter than a window will do.
    let short = data.windows(3, 100).expect("long enough");
    let made = rebuild.rebuild(&short, None, &SeriesRequest::forecast(2, 1, 7)).expect("possible").data;
    assert_eq!((made.count(), made.common_length()), (3, Some(2)));
    assert_eq!(cells(&made)[0][..2], ["0", "3"], "the window's name, and its next step");
    let other = Series::of_table(rows(20));
    says("other columns", rebuild.rebuild(&other, None, &SeriesRequest::forecast(2, 1, 7)), &["one"]);
    assert!(fitted("timevae").rebuild().is_none(), "an autoencoder continues nothing");
}
