//! What every model of tables promises.

#[allow(dead_code, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod conditions;
mod constraints;
mod files;
mod odd_tables;

use std::path::Path;

use semblant::Error;
use semblant::prelude::*;
use serde_json::{Value, json};
use support::fits::*;
use support::tables::*;

for_every!(tables: rows_do_not_depend_on_range_or_batch, equal_seeds_give_equal_files, resumed_fits_equal_uninterrupted_ones,
    invalid_settings_are_named, unfitted_models_refuse_to_sample_and_save);
for_every!(trained_tables: invalid_training_settings_are_named);

/// What rules promise too, which learn from no other table.
mod specs {
    use super::*;

    for_every!(specs: rows_do_not_depend_on_range_or_batch, equal_seeds_give_equal_files, resumed_fits_equal_uninterrupted_ones,
        invalid_settings_are_named, unfitted_models_refuse_to_sample_and_save);
}

#[test]
fn every_model_of_the_registry_is_tested() {
    let all = names::<Table>();
    let trained = all.iter().copied().filter(|name| small(name).get("epochs").is_some()).collect::<Vec<_>>();
    for (group, tested, expected) in [
        ("tables", [group!(tables tests (names)), group!(specs tests (names))].concat(), all),
        ("trained_tables", group!(trained_tables tests (names)), trained.clone()),
        ("tables_on_gpu", group!(tables_on_gpu tests (names)), trained),
    ] {
        assert_eq!(tested, expected, "add the model to the group \"{group}\" of tests/support/models.rs");
    }
}

fn rows_do_not_depend_on_range_or_batch(name: &str) {
    let table = patients();
    let model = fitted(name, &table);
    for conditions in [Vec::new(), vec![Condition { column: "sex".into(), wanted: Wanted::Is("male".into()) }]] {
        let request = TableRequest { conditions, ..TableRequest::new(400, 3) };
        let whole = sample(&model, &request).expect("possible");
        let slice = sample(&model, &TableRequest { rows: 137..151, ..request.clone() }).expect("possible");
        assert_eq!(slice, whole[137..151], "{name}: a slice is part of the whole");
        for batch_rows in [1, 7, 4096] {
            let part = TableRequest { rows: 0..40, batch_rows, ..request.clone() };
            assert_eq!(sample(&model, &part).expect("possible"), whole[..40], "{name}: in batches of {batch_rows}");
        }
    }
    let balanced = TableRequest { balance: Some("diagnosis".into()), ..TableRequest::new(60, 3) };
    let whole = sample(&model, &balanced).expect("possible");
    let slice = sample(&model, &TableRequest { rows: 17..31, batch_rows: 5, ..balanced }).expect("possible");
    assert_eq!(slice, whole[17..31], "{name}: a balanced slice");
    // Far out in the endless table of a seed, rows are there too.
    let far = TableRequest { rows: u64::MAX - 3..u64::MAX, ..TableRequest::new(0, 3) };
    assert_eq!(sample(&model, &far).expect("possible").len(), 3, "{name}");
}

fn equal_seeds_give_equal_files(name: &str) {
    let table = patients();
    let of_seed = |seed| {
        let mut model = unfitted(name);
        let summary = model.fit(&table, &mut run(seed)).expect("fits");
        (bytes(&model), summary.steps)
    };
    let (first, steps) = of_seed(1);
    assert!(first == of_seed(1).0, "{name}: the same seed, another file");
    // Where there is nothing random in a fit, its seed cannot change anything.
    assert_eq!(first != of_seed(2).0, steps > 0, "{name}: another seed");
}

fn resumed_fits_equal_uninterrupted_ones(name: &str) {
    let table = patients();
    let expected = bytes(&fitted(name, &table));
    let folder = tempfile::tempdir().expect("a folder");
    let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
    let mut model = unfitted(name);
    let mut first = within(false);
    first.observer = Box::new(StopAt { rows: 400, stop: first.stop.clone() });
    match model.fit(&table, &mut first) {
        Ok(summary) => assert_eq!(summary.steps, 0, "{name}: a model that trains can be stopped"),
        Err(error) => {
            assert!(matches!(error, Error::Interrupted { .. }) && error.to_string().contains("--resume"), "{name}: {error}");
            assert!(model.save(&folder.path().join("half")).is_err(), "{name}: half a model cannot be saved");
        }
    }
    let mut resumed = unfitted(name);
    resumed.fit(&table, &mut within(true)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(bytes(&resumed) == expected, "{name}: resumed and uninterrupted files differ");
}

fn refused(name: &str, settings: Value, word: &str) {
    let error = says(name, semblant::model::<Table>(name, settings), &[word]);
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

fn invalid_settings_are_named(name: &str) {
    refused(name, json!({ "no_such_setting": 1 }), "no_such_setting");
}

fn invalid_training_settings_are_named(name: &str) {
    refused(name, json!({ "epochs": 0 }), "epochs");
    refused(name, json!({ "epochs": u64::MAX }), "epochs");
    refused(name, json!({ "epochs": "many" }), "many");
    refused(name, json!({ "batch_rows": u64::MAX }), "batch_rows");
    refused(name, json!({ "ema": { "half_life_rows": -1.0 } }), "half_life_rows");
}

#[test]
fn invalid_settings_of_single_models_are_named() {
    refused("ctgan", json!({ "batch_rows": 505, "pac": 10 }), "505");
    refused("ctgan", json!({ "batch_rows": 0 }), "batch_rows");
    refused("ctgan", json!({ "dropout": 1.0 }), "dropout");
    refused("masked-diffusion", json!({ "schema_order": 1.5 }), "schema_order");
    refused("masked-diffusion", json!({ "frequencies": 1000 }), "frequencies");
    refused("ctgan", json!({ "generator": { "learning_rate": -1.0 } }), "optimizer.learning_rate");
    refused("tvae", json!({ "decoder_widths": [10, 0] }), "width");
    refused("gan", json!({}), "masked-diffusion, ctgan, tvae");
}

fn unfitted_models_refuse_to_sample_and_save(name: &str) {
    let model = unfitted(name);
    assert!(model.sample(&TableRequest::new(1, 1)).expect_err("unfitted").to_string().contains("fit"), "{name}");
    assert!(model.save(Path::new("never-written")).is_err(), "{name}");
    assert!(!Path::new("never-written").exists());
}
