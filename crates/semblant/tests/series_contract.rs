//! What every model of series promises.

#[allow(dead_code, unused_macros, unused_imports, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "support/mod.rs"]
mod support;

use std::path::Path;

use semblant::Error;
use semblant::data::table::Column;
use semblant::prelude::*;
use serde_json::{Value, json};
use support::fits::*;

type Model = Fitted<Series>;

for_every!(series: sequences_do_not_depend_on_range_or_batch, equal_seeds_give_equal_files, resumed_fits_equal_uninterrupted_ones,
    files_give_the_same_sequences, damaged_files_are_refused, any_number_in_a_file_is_survived, unfitted_models_refuse_to_sample_and_save,
    sequences_have_the_form_of_the_data, invalid_settings_are_named);
for_every!(windows: what_cannot_be_learned_is_named);

#[test]
fn every_model_of_the_registry_is_tested() {
    let all = names::<Series>();
    let windows = all.iter().copied().filter(|name| *name != "sequence").collect::<Vec<_>>();
    for (group, tested, expected) in [("series", group!(series tests (names)), all), ("windows", group!(windows tests (names)), windows)] {
        assert_eq!(tested, expected, "add the model to the group \"{group}\" of tests/support/models.rs");
    }
}

/// Two columns in time: a wave of whole numbers, and its slope with two decimals.
fn rows(count: usize) -> Table {
    let wave = |row: usize| (row as f64 / 3.0).sin() + (row * 7919 % 101) as f64 / 400.0;
    let mut slope = semblant::data::table::ColumnSchema::new("slope", ColumnKind::Continuous);
    slope.decimals = Some(2);
    let schema =
        Schema { columns: vec![semblant::data::table::ColumnSchema::new("level", ColumnKind::Integer), slope], ..Schema::default() };
    let levels = (0..count).map(|row| (40.0 * wave(row)).round()).collect();
    let slopes = (0..count).map(|row| (100.0 * (wave(row + 1) - wave(row))).round() / 100.0).collect();
    Table::new(schema, vec![Column::Number(levels), Column::Number(slopes)]).expect("sound")
}

fn windows() -> Series {
    Series::of_table(rows(60)).windows(8, 1).expect("long enough")
}

fn small(name: &str) -> Value {
    match name {
        "series-flow" => {
            json!({ "width": 8, "heads": 2, "depth": 1, "steps": 3, "training": { "rows": 240, "batch_rows": 16, "tick_rows": 48 } })
        }
        "sequence" => json!({
            "rows": 64, "batch_rows": 8, "tick_rows": 32, "chunk_rows": 8, "width": 8, "embedding": 2, "frequencies": 2, "bins": 8,
            "attributes": { "epochs": 1, "width": 8, "depth": 1, "embedding": 2, "bins": 4 },
        }),
        _ => json!({}),
    }
}

fn unfitted(name: &str) -> Model {
    semblant::model::<Series>(name, small(name)).expect("known settings")
}

fn fitted(name: &str) -> Model {
    let mut model = unfitted(name);
    model.fit(&windows(), &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

fn sample(model: &Model, request: &SeriesRequest) -> Series {
    model.sample(request).expect("possible").data
}

/// The numbers of all sequences by their bits, and the sequences' names.
fn bits(series: &Series) -> (Vec<u64>, Vec<String>) {
    let table = series.to_table().expect("sound");
    let numbers = table.columns().iter().filter_map(Column::numbers).flatten().map(|value| value.to_bits()).collect();
    let names = series.entities().expect("named");
    (numbers, (0..names.rows()).map(|row| names.cell(row, 0)).collect())
}

fn sequences_do_not_depend_on_range_or_batch(name: &str) {
    let model = fitted(name);
    let whole = sample(&model, &SeriesRequest::new(150, 3));
    let slice = sample(&model, &SeriesRequest { rows: 120..140, ..SeriesRequest::new(0, 3) });
    assert_eq!(bits(&slice), bits(&whole.select(&(120..140).collect::<Vec<_>>())), "{name}: a slice is part of the whole");
    assert!(bits(&slice) != bits(&sample(&model, &SeriesRequest { rows: 120..140, ..SeriesRequest::new(0, 4) })), "{name}: another seed");
    let far = SeriesRequest { rows: u64::MAX - 3..u64::MAX, ..SeriesRequest::new(0, 3) };
    assert_eq!(sample(&model, &far).count(), 3, "{name}");
}

fn equal_seeds_give_equal_files(name: &str) {
    let of_seed = |seed| {
        let mut model = unfitted(name);
        let steps = model.fit(&windows(), &mut run(seed)).expect("fits").steps;
        (bytes(&model), steps)
    };
    let (first, steps) = of_seed(1);
    assert!(first == of_seed(1).0, "{name}: the same seed, another file");
    assert_eq!(first != of_seed(2).0, steps > 0, "{name}: another seed");
}

fn resumed_fits_equal_uninterrupted_ones(name: &str) {
    let expected = bytes(&fitted(name));
    let folder = tempfile::tempdir().expect("a folder");
    let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
    let mut model = unfitted(name);
    let mut first = within(false);
    first.observer = Box::new(StopAt { rows: 32, stop: first.stop.clone() });
    match model.fit(&windows(), &mut first) {
        Ok(summary) => assert_eq!(summary.steps, 0, "{name}: a model that trains can be stopped"),
        Err(error) => assert!(matches!(error, Error::Interrupted { .. }), "{name}: {error}"),
    }
    let mut resumed = unfitted(name);
    resumed.fit(&windows(), &mut within(true)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(bytes(&resumed) == expected, "{name}: resumed and uninterrupted files differ");
}

fn files_give_the_same_sequences(name: &str) {
    let model = fitted(name);
    let loaded = loads_or_names_the_file::<Series>(&bytes(&model)).expect("whole");
    let request = SeriesRequest::new(20, 5);
    assert_eq!(bits(&sample(&model, &request)), bits(&sample(&loaded, &request)), "{name}");
    assert!(bytes(&model) == bytes(&loaded), "{name}: saved again, another file");
}

fn damaged_files_are_refused(name: &str) {
    let whole = bytes(&fitted(name));
    refuses_damage::<Series>(name, &whole);
    survives_damaged_headers::<Series>(name, &whole, 150);
}

fn any_number_in_a_file_is_survived(name: &str) {
    survives_any_number::<Series>(name, &bytes(&fitted(name)));
}

fn unfitted_models_refuse_to_sample_and_save(name: &str) {
    let model = unfitted(name);
    assert!(model.sample(&SeriesRequest::new(1, 1)).expect_err("unfitted").to_string().contains("fit"), "{name}");
    assert!(model.save(Path::new("never-written")).is_err(), "{name}");
    assert!(!Path::new("never-written").exists());
}

fn sequences_have_the_form_of_the_data(name: &str) {
    let made = sample(&fitted(name), &SeriesRequest { rows: 5..25, ..SeriesRequest::new(0, 1) });
    assert_eq!((made.count(), made.common_length()), (20, Some(8)), "{name}");
    let table = made.to_table().expect("sound");
    assert_eq!(table.schema().names().collect::<Vec<_>>(), ["window", "step", "level", "slope"], "{name}");
    assert_eq!((table.cell(0, 0), table.cell(9, 1)), ("5".into(), "1".into()), "{name}: windows are named by their place");
    let numbers = |column: &str| table.column(column).expect("there").numbers().expect("numbers").to_vec();
    let real = rows(60);
    let (low, high) = real
        .column("level")
        .expect("there")
        .numbers()
        .expect("numbers")
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    assert!(
        numbers("level").iter().all(|value| value.fract() == 0.0 && (low..=high).contains(value)),
        "{name}: whole numbers within the range"
    );
    assert!(numbers("slope").iter().all(|value| (100.0 * value - (100.0 * value).round()).abs() < 1e-6), "{name}: two decimals");
}

fn what_cannot_be_learned_is_named(name: &str) {
    let refused = |series: Series, word: &str| {
        says(name, unfitted(name).fit(&series, &mut run(1)), &[word]);
    };
    refused(Series::of_table(rows(60)), "--window");
    let mut missing = vec![1.0; 60];
    missing[7] = f64::NAN;
    let table = Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(missing))]).expect("sound");
    refused(Series::of_table(table).windows(8, 1).expect("long enough"), "missing");
    let labels = Column::from_labels((0..60).map(|row| Some(if row % 2 == 0 { "a" } else { "b" })));
    let table = Table::from_columns(vec![("side", ColumnKind::Categorical, labels)]).expect("sound");
    refused(Series::of_table(table).windows(8, 1).expect("long enough"), "--drop side");
}

fn invalid_settings_are_named(name: &str) {
    says(name, semblant::model::<Series>(name, json!({ "no_such_setting": 1 })), &["no_such_setting"]);
}

#[test]
fn invalid_settings_of_single_models_are_named() {
    let refused = |name: &str, settings: Value, word: &str| {
        says(name, semblant::model::<Series>(name, settings), &[word]);
    };
    refused("series-flow", json!({ "width": 9, "heads": 2 }), "width = 9");
    refused("series-flow", json!({ "training": { "batch_rows": u64::MAX } }), "batch_rows");
    refused("ar-gaussian", json!({ "order": 0 }), "order");
    refused("block-bootstrap", json!({ "block_rows": u64::MAX }), "block_rows");
}

/// Twelve machines of two kinds with 5 to 16 rows at irregular times: a reading that drifts, a state, and missing readings.
fn machines() -> Series {
    let mut text = String::from("machine,kind,at,reading,state\n");
    for machine in 0..12 {
        let mut minutes = 37 * machine;
        for row in 0..5 + machine {
            minutes += 10 + (row * 7 + machine) % 5;
            let reading = if (row + machine) % 6 == 5 { String::new() } else { format!("{:.1}", 20.0 + row as f64 / 2.0 + machine as f64) };
            let state = if row % 3 == 0 { "idle" } else { "busy" };
            let kind = if machine % 2 == 0 { "press" } else { "drill" };
            text.push_str(&format!("m-{machine},{kind},2026-03-01 {:02}:{:02}:00,{reading},{state}\n", minutes / 60, minutes % 60));
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("machines.csv");
    std::fs::write(&path, text).expect("writable");
    Series::read(&path, &SeriesOptions { entity: Some("machine".into()), ..SeriesOptions::default() }).expect("series").data
}

fn sequence_of(data: &Series) -> Model {
    let mut model = unfitted("sequence");
    model.fit(data, &mut run(1)).unwrap_or_else(|error| panic!("{error}"));
    model
}

#[test]
fn sequences_of_mixed_rows_have_attributes_lengths_and_times() {
    let data = machines();
    let model = sequence_of(&data);
    let made = sample(&model, &SeriesRequest::new(40, 2));
    let table = made.to_table().expect("sound");
    assert_eq!(table.schema().names().collect::<Vec<_>>(), ["machine", "kind", "at", "reading", "state"]);
    assert!((0..40).all(|index| (1..=16).contains(&made.length(index))));
    let times = made.times().expect("irregular");
    for span in made.spans() {
        assert!(times[span.clone()].is_sorted(), "time does not run backwards");
    }
    let states = made.rows().column("state").expect("there");
    assert!((0..made.rows().rows()).all(|row| matches!(states.label(row), Some("idle" | "busy"))));
    // Names are new, and conditions on attributes hold in every sequence.
    let drills = sample(&model, &SeriesRequest::new(20, 2).with("kind", "drill"));
    let entities = drills.entities().expect("named");
    assert!((0..20).all(|index| entities.cell(index, 1) == "drill"));
    says("rare", model.sample(&SeriesRequest::new(2, 0).with("kind", "saw")), &["saw"]);
    assert_eq!(sample(&model, &SeriesRequest::new(3, 0).with_length(7)).common_length(), Some(7));
    // A slice is a part of the whole.
    let slice = sample(&model, &SeriesRequest { rows: 30..35, ..SeriesRequest::new(0, 2) });
    let cells = |series: &Series| {
        let table = series.to_table().expect("sound");
        (0..table.rows()).map(|row| (0..5).map(|column| table.cell(row, column)).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(cells(&slice), cells(&made.select(&[30, 31, 32, 33, 34])));
}

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
    says("no horizon", rebuild.rebuild(&history, None, &SeriesRequest::new(0, 5)), &["--horizon"]);
    says("a mask", rebuild.rebuild(&history, Some(&history), &SeriesRequest::forecast(4, 1, 5)), &["--mask"]);
}

#[test]
fn one_long_series_gives_series_of_any_length() {
    let hours: String = (0..400)
        .map(|hour| {
            format!(
                "2026-{:02}-{:02} {:02}:00,{:.2},{}\n",
                1 + hour / 24 / 28,
                1 + hour / 24 % 28,
                hour % 24,
                (f64::from(hour) / 3.8).sin(),
                if hour % 24 < 8 { "night" } else { "day" }
            )
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hours.csv");
    std::fs::write(&path, format!("at,level,part\n{hours}")).expect("writable");
    let data = Series::read(&path, &SeriesOptions::default()).expect("series").data;
    let model = sequence_of(&data);
    let made = sample(&model, &SeriesRequest::new(3, 1).with_length(50));
    assert_eq!((made.count(), made.common_length(), made.layout().entity.as_deref()), (3, Some(50), Some("sequence")));
    let times = made.times().expect("each begins at a time of its own");
    assert!(times[..50].windows(2).all(|pair| pair[1] - pair[0] == 3600.0));
    assert_eq!(sample(&model, &SeriesRequest::new(1, 1)).length(0), 400);
    says("attributes", model.sample(&SeriesRequest::new(1, 0).with("part", "day")), &["--where"]);
    let made = model.rebuild().expect("can").rebuild(&data, None, &SeriesRequest::forecast(24, 2, 0)).expect("possible").data;
    assert_eq!((made.count(), made.common_length()), (2, Some(24)));
}
