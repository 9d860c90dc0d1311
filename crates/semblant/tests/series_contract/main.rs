//! What every model of series promises.

#[allow(dead_code, unused_macros, unused_imports, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod attributes;
mod given;
mod sequences;

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
for_every!(equal_lengths: one_sequence_is_too_few);

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
        "series-vq" => json!({
            "channels": 6, "codes": 5, "code_width": 3, "prior": { "width": 8, "depth": 1, "heads": 2 },
            "training": { "rows": 240, "batch_rows": 16, "tick_rows": 48 },
        }),
        "timevae" => json!({ "channels": [4, 6], "latent_width": 3, "training": { "rows": 240, "batch_rows": 16, "tick_rows": 48 } }),
        "dgan" => json!({
            "hidden": 6, "range_widths": [5], "critic_widths": [8, 6], "noise_width": 3,
            "training": { "rows": 240, "batch_rows": 16, "tick_rows": 48 },
        }),
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
    assert_eq!(made.count(), 20, "{name}");
    assert!(name == "dgan" || made.common_length() == Some(8), "{name}");
    let table = made.to_table().expect("sound");
    assert_eq!(table.schema().names().collect::<Vec<_>>(), ["window", "step", "level", "slope"], "{name}");
    assert_eq!((table.cell(0, 0), table.cell(0, 1)), ("5".into(), "0".into()), "{name}: windows are named by their place");
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
    let mut missing = vec![1.0; 60];
    missing[7] = f64::NAN;
    let table = Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number(missing))]).expect("sound");
    refused(Series::of_table(table).windows(8, 1).expect("long enough"), "missing");
    let labels = Column::from_labels((0..60).map(|row| Some(if row % 2 == 0 { "a" } else { "b" })));
    let table = Table::from_columns(vec![("side", ColumnKind::Categorical, labels)]).expect("sound");
    refused(Series::of_table(table).windows(8, 1).expect("long enough"), "--drop side");
}

fn one_sequence_is_too_few(name: &str) {
    says(name, unfitted(name).fit(&Series::of_table(rows(60)), &mut run(1)), &["--window"]);
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
    refused("series-vq", json!({ "prior": { "width": 9, "heads": 2 } }), "prior.width = 9");
    refused("series-vq", json!({ "levels": 17 }), "levels");
    refused("timevae", json!({ "channels": [] }), "channels");
    refused("timevae", json!({ "seasons": [[0, 3]] }), "season");
    refused("dgan", json!({ "critic_widths": [u64::MAX] }), "critic_widths");
    refused("block-bootstrap", json!({ "block_rows": u64::MAX }), "block_rows");
}
