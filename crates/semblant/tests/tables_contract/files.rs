//! What model files hold, and what damage to them does.

use semblant::checkpoint::Checkpoint;
use semblant::prelude::*;
use serde_json::{Value, json};

use crate::support::fits::*;
use crate::support::tables::*;

for_every!(tables: files_keep_rows_and_settings, files_hold_no_training_id, damaged_files_are_refused_by_name,
    damaged_headers_never_panic, any_number_in_a_file_is_survived);

mod specs {
    use super::*;

    for_every!(specs: damaged_files_are_refused_by_name, damaged_headers_never_panic, any_number_in_a_file_is_survived);
}

fn files_keep_rows_and_settings(name: &str) {
    let (table, folder) = (patients(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join(format!("{name}.safetensors"));
    let mut model = unfitted(name);
    let summary = model.fit(&table, &mut run(1)).expect("fits");
    assert!(summary.losses.iter().all(|(_, value)| value.is_finite()), "{name}: {:?}", summary.losses);
    assert_eq!(summary.losses.is_empty(), summary.steps == 0, "{name}: a model that trains says how it went");
    model.save(&path).expect("writable");
    let loaded = semblant::load::<Table>(&path, "cpu").unwrap_or_else(|error| panic!("{name}: {error}"));
    for seed in [0, 7] {
        let request = TableRequest::new(200, seed);
        let rows = sample(&model, &request).expect("fitted");
        assert_eq!(rows, sample(&loaded, &request).expect("loaded"), "{name}");
        assert_eq!(rows.len(), 200);
    }
    let of_seed = |seed| sample(&model, &TableRequest::new(50, seed)).expect("fitted");
    assert_ne!(of_seed(0), of_seed(7), "{name}: another seed, other rows");
    let made = model.sample(&TableRequest::new(200, 0)).expect("fitted").data;
    assert!(made.schema().names().eq(table.schema().names()), "{name}");
    assert_eq!(made.schema().target, table.schema().target, "{name}");
    assert!((0..200).all(|row| made.column("clinic").expect("there").label(row) == Some("north")), "{name}: a constant stays");
    // The 300 patients of the table have the ids up to P-0000300.
    assert!((0..200).all(|row| made.column("patient_id").expect("there").label(row) == Some(&format!("P-{:07}", row + 400))), "{name}");
    assert_eq!(made.column("key").expect("there").missing(), 0, "{name}: ids are made anew");

    // The settings in the file are all of them, and make the same model again.
    let file = Checkpoint::read(&path).expect("readable");
    assert_eq!(file.model(), name);
    if summary.steps > 0 {
        let settings: Value = file.metadata_as("config", &path).expect("a model that trains keeps its settings");
        for (key, value) in small(name).as_object().expect("a table") {
            assert_eq!(settings.get(key), Some(value), "{name}: {key}");
        }
        let mut again = semblant::model::<Table>(name, settings).expect("its own settings");
        again.fit(&table, &mut run(1)).expect("fits");
        assert_eq!(bytes(&again), std::fs::read(&path).expect("there"), "{name}");
    }
}

fn files_hold_no_training_id(name: &str) {
    let table = patients();
    let bytes = bytes(&fitted(name, &table));
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("diagnosis") && holds("patient_id"), "{name}: names of columns are there to be found");
    for row in 0..300 {
        let (key, id) = (secret(row), format!("P-{:07}", row + 1));
        assert!(!holds(&key) && !holds(&id), "{name}: the file holds {key} or {id}");
    }
}

fn damaged_files_are_refused_by_name(name: &str) {
    let whole = bytes(&fitted(name, &patients()));
    refuses_damage::<Table>(name, &whole);
    let refused = |what: &str, bytes: &[u8], word: &str| {
        says(&format!("{name}, {what}"), loads_or_names_the_file::<Table>(bytes), &[word]);
    };
    refused("an unknown model", &with_metadata(&whole, "model", "gan"), "\"gan\"");
    for other in names::<Table>() {
        if other != name && small(other) != json!({}) {
            refused(other, &with_metadata(&whole, "model", other), "");
        }
    }
    let file = Checkpoint::from_bytes(whole.clone(), "whole".as_ref()).expect("sound");
    for key in ["config", "transform", "conditions", "fitted"].into_iter().filter(|key| file.metadata.contains_key(*key)) {
        refused(key, &with_metadata(&whole, key, "{\"a\": 1"), key);
    }
}

fn damaged_headers_never_panic(name: &str) {
    survives_damaged_headers::<Table>(name, &bytes(&fitted(name, &patients())), 400);
}

fn any_number_in_a_file_is_survived(name: &str) {
    survives_any_number::<Table>(name, &bytes(&fitted(name, &patients())));
}
