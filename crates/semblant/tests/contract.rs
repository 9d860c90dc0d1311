//! What every model of the registry promises. A new entry is tested here without any further work.

mod support;

use std::path::Path;

use semblant::checkpoint::Checkpoint;
use semblant::data::table::{Column, MISSING};
use semblant::prelude::*;
use semblant::{Error, Result};
use serde_json::{Value, json};
use support::*;

#[test]
fn a_model_file_repeats_its_rows_and_its_settings() {
    let (table, folder) = (patients(), tempfile::tempdir().expect("a folder"));
    for name in names() {
        let path = folder.path().join(format!("{name}.safetensors"));
        let mut model = semblant::model::<Table>(name, small(name)).expect("known settings");
        let summary = model.fit(&table, &mut run(1)).expect("fits");
        assert!(summary.losses.iter().all(|(_, value)| value.is_finite()), "{name}: {:?}", summary.losses);
        assert_eq!(summary.losses.is_empty(), summary.steps == 0, "{name}: a model that trains says how it went");
        model.save(&path).expect("writable");
        let loaded = load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
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
        assert!((0..200).all(|row| made.column("patient_id").expect("there").label(row) == Some(&format!("P-{:07}", row + 1))), "{name}");
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
}

#[test]
fn no_id_of_the_training_table_reaches_the_file() {
    let table = patients();
    for name in names() {
        let bytes = bytes(&fitted(name, &table));
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds("diagnosis") && holds("patient_id"), "{name}: names of columns are there to be found");
        for row in 0..300 {
            let (key, id) = (secret(row), format!("P-{:07}", row + 1));
            assert!(!holds(&key) && !holds(&id), "{name}: the file holds {key} or {id}");
        }
    }
}

#[test]
fn neither_range_nor_batch_changes_a_row() {
    let table = patients();
    let is = |column: &str, wanted: &str| Condition { column: column.into(), wanted: Wanted::Is(wanted.into()) };
    for name in names() {
        let model = fitted(name, &table);
        for conditions in [Vec::new(), vec![is("sex", "male")]] {
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
}

#[test]
fn equal_seeds_give_equal_files() {
    let table = patients();
    for name in names() {
        let of_seed = |seed| {
            let mut model = semblant::model::<Table>(name, small(name)).expect("known settings");
            let summary = model.fit(&table, &mut run(seed)).expect("fits");
            (bytes(&model), summary.steps)
        };
        let (first, steps) = of_seed(1);
        assert!(first == of_seed(1).0, "{name}: the same seed, another file");
        // Where there is nothing random in a fit, its seed cannot change anything.
        assert_eq!(first != of_seed(2).0, steps > 0, "{name}: another seed");
    }
}

#[test]
fn an_interrupted_fit_ends_as_the_uninterrupted_one_did() {
    let table = patients();
    for name in names() {
        let expected = bytes(&fitted(name, &table));
        let folder = tempfile::tempdir().expect("a folder");
        let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
        let mut model = semblant::model::<Table>(name, small(name)).expect("known settings");
        let mut first = within(false);
        first.observer = Box::new(StopAt { rows: 400, stop: first.stop.clone() });
        match model.fit(&table, &mut first) {
            Ok(summary) => assert_eq!(summary.steps, 0, "{name}: a model that trains can be stopped"),
            Err(error) => {
                assert!(matches!(error, Error::Interrupted { .. }) && error.to_string().contains("--resume"), "{name}: {error}");
                assert!(model.save(&folder.path().join("half")).is_err(), "{name}: half a model cannot be saved");
            }
        }
        let mut resumed = semblant::model::<Table>(name, small(name)).expect("known settings");
        resumed.fit(&table, &mut within(true)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes(&resumed) == expected, "{name}: resumed and uninterrupted files differ");
    }
}

fn is(column: &str, wanted: &str) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Is(wanted.into()) }
}

fn between(column: &str, low: f64, high: f64) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Between { low, high } }
}

fn meets(table: &Table, row: usize, condition: &Condition) -> bool {
    let column = table.column(&condition.column).expect("there");
    match (&condition.wanted, column.numbers()) {
        (Wanted::Is(text), _) if text.is_empty() => column.is_missing(row),
        (Wanted::Is(text), None) => column.label(row) == Some(text),
        (Wanted::Is(text), Some(_)) => {
            let index = table.schema().index_of(&condition.column).expect("there");
            table.cell(row, index) == *text
        }
        (Wanted::Between { low, high }, Some(numbers)) => (low..=high).contains(&&numbers[row]),
        _ => false,
    }
}

#[test]
fn conditions_hold_in_every_row() {
    let table = patients();
    let wishes = [
        vec![is("sex", "male")],
        vec![is("diagnosis", "diabetes")],
        vec![between("age", 30.0, 60.0)],
        vec![is("sex", "female"), between("age", 30.0, 60.0)],
        vec![between("age", 30.0, 70.0), between("age", 40.0, 90.0), between("systolic", 100.0, f64::INFINITY)],
        vec![is("smoker", "")],
        vec![is("cholesterol", "")],
        vec![is("smoker", "yes"), is("cholesterol", "")],
        vec![is("age", "40")],
        vec![between("visit", 19_000.0 * 86_400.0, 19_700.0 * 86_400.0)],
    ];
    for name in names() {
        let model = fitted(name, &table);
        for wish in &wishes {
            let request = TableRequest { conditions: wish.clone(), ..TableRequest::new(60, 5) };
            let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}, {wish:?}: {error}"));
            assert_eq!(made.data.rows(), 60);
            assert!(made.drawn_rows >= 60);
            for row in 0..60 {
                assert!(wish.iter().all(|condition| meets(&made.data, row, condition)), "{name}, row {row}: {wish:?}");
            }
        }
        let request =
            TableRequest { balance: Some("diagnosis".into()), conditions: vec![between("age", 30.0, 70.0)], ..TableRequest::new(100, 5) };
        let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
        let (codes, levels) = made.column("diagnosis").expect("there").categories().expect("labels");
        for level in 0..levels.len() as u32 {
            assert_eq!(codes.iter().filter(|&&code| code == level).count(), 20, "{name}: every value as often as any other");
        }
        assert!((0..100).all(|row| meets(&made, row, &request.conditions[0])), "{name}");
        // A column with missing values has one value more to balance: none of them is left out, and none stands for another.
        let request = TableRequest { balance: Some("smoker".into()), ..TableRequest::new(60, 5) };
        let made = model.sample(&request).unwrap_or_else(|error| panic!("{name}: {error}")).data;
        let smoker = made.column("smoker").expect("there");
        let count = |label| (0..60).filter(|&row| smoker.label(row) == Some(label)).count();
        assert_eq!((count("yes"), count("no"), smoker.missing()), (30, 30, 0), "{name}");
    }
}

#[test]
fn conditions_that_cannot_be_met_are_named() {
    let table = patients();
    for name in names() {
        let model = fitted(name, &table);
        let said = |conditions: Vec<Condition>, words: &[&str]| {
            let request = TableRequest { conditions: conditions.clone(), ..TableRequest::new(10, 5) };
            let error = model.sample(&request).err().unwrap_or_else(|| panic!("{name}: {conditions:?} was met"));
            let message = error.to_string();
            assert!(matches!(error, Error::Condition(_)), "{name}, {conditions:?}: {message}");
            assert!(!message.contains('\n'), "{name}: {message}");
            for word in words {
                assert!(message.contains(word), "{name}: no \"{word}\" in: {message}");
            }
        };
        said(vec![is("diagnoses", "x")], &["diagnoses", "diagnosis"]);
        said(vec![is("sex", "unknown")], &["unknown", "female", "male"]);
        said(vec![is("sex", "")], &["sex", "missing"]);
        said(vec![is("sex", "male"), is("sex", "female")], &["sex", "contradict"]);
        said(vec![between("age", 30.0, 40.0), between("age", 50.0, 60.0)], &["age", "contradict"]);
        said(vec![between("age", 60.0, 30.0)], &["age", "60", "30"]);
        said(vec![between("age", f64::NAN, 30.0)], &["age"]);
        said(vec![between("age", 200.0, 300.0)], &["age", "95"]);
        said(vec![between("sex", 1.0, 2.0)], &["sex", "range"]);
        said(vec![is("age", "old")], &["age", "old"]);
        said(vec![is("patient_id", "P-0000001")], &["patient_id"]);
        said(vec![is("clinic", "south")], &["clinic"]);
        let odd = |balance: &str, conditions| {
            let request = TableRequest { balance: Some(balance.into()), conditions, ..TableRequest::new(10, 5) };
            model.sample(&request).expect_err("impossible").to_string()
        };
        assert!(odd("age", Vec::new()).contains("categorical"), "{name}");
        assert!(odd("diagnoses", Vec::new()).contains("diagnosis"), "{name}");
        assert!(odd("sex", vec![is("sex", "male")]).contains("balanced"), "{name}");
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    let refused = |name: &str, settings: Value| {
        let error = semblant::model::<Table>(name, settings.clone()).err().unwrap_or_else(|| panic!("{name} took {settings}"));
        assert!(matches!(error, Error::Config(_)), "{error}");
        error.to_string()
    };
    for name in names() {
        assert!(refused(name, json!({ "no_such_setting": 1 })).contains("no_such_setting"), "{name}");
        let known = small(name);
        if known.get("epochs").is_some() {
            assert!(refused(name, json!({ "epochs": 0 })).contains("epochs"), "{name}");
            assert!(refused(name, json!({ "epochs": u64::MAX })).contains("epochs"), "{name}");
            assert!(refused(name, json!({ "epochs": "many" })).contains("many"), "{name}");
            assert!(refused(name, json!({ "batch_rows": 0 })).contains("batch_rows"), "{name}");
            assert!(refused(name, json!({ "ema": { "half_life_rows": -1.0 } })).contains("half_life_rows"), "{name}");
        }
    }
    assert!(refused("ctgan", json!({ "batch_rows": 505, "pac": 10 })).contains("505"));
    assert!(refused("ctgan", json!({ "dropout": 1.0 })).contains("dropout"));
    assert!(refused("ctgan", json!({ "generator": { "learning_rate": -1.0 } })).contains("optimizer.learning_rate"));
    assert!(refused("tvae", json!({ "decoder_widths": [10, 0] })).contains("width"));
    assert!(refused("gan", json!({})).contains("ctgan, tvae"));
}

#[test]
fn an_unfitted_model_says_so() {
    for name in names() {
        let model = semblant::model::<Table>(name, small(name)).expect("known settings");
        assert!(model.sample(&TableRequest::new(1, 1)).expect_err("unfitted").to_string().contains("fit"), "{name}");
        assert!(model.save(Path::new("never-written")).is_err(), "{name}");
        assert!(!Path::new("never-written").exists());
    }
}

/// A model file with its header changed.
fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    change(&mut header);
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes(), &header[..], &bytes[8 + length..]].concat()
}

#[test]
fn damaged_files_are_errors_that_name_the_file() {
    let (table, folder) = (patients(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("damaged.safetensors");
    let try_load = |bytes: &[u8]| -> Result<Model> {
        std::fs::write(&path, bytes).expect("writable");
        load(&path)
    };
    let refused = |name: &str, what: &str, bytes: &[u8], word: &str| {
        let message = try_load(bytes).err().unwrap_or_else(|| panic!("{name}: {what} was loaded")).to_string();
        assert!(message.contains("damaged.safetensors") && message.contains(word) && !message.contains('\n'), "{name}, {what}: {message}");
    };
    for name in names() {
        let whole = bytes(&fitted(name, &table));
        assert!(try_load(&whole).is_ok(), "{name}");
        for cut in [0, 1, 7, 8, 9, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            refused(name, &format!("{cut} bytes"), &whole[..cut], "truncated");
        }
        let longer = [&whole[..], b"x"].concat();
        refused(name, "a byte more", &longer, "model file");
        let metadata = |key: &'static str, value: &'static str| with_header(&whole, move |h| h["__metadata__"][key] = json!(value));
        refused(name, "another version", &metadata("semblant_format", "99"), "format 99");
        refused(name, "another model", &metadata("model", "gan"), "\"gan\"");
        for other in names() {
            if other != name && small(other) != json!({}) {
                refused(name, other, &metadata("model", other), "");
            }
        }
        for key in ["config", "transform", "conditions", "fitted"] {
            let has = Checkpoint::from_bytes(whole.clone(), &path).expect("sound").metadata.contains_key(key);
            if has {
                refused(name, key, &metadata(key, "{\"a\": 1"), key);
            }
        }
        let tensors: Vec<String> =
            Checkpoint::from_bytes(whole.clone(), &path).expect("sound").shapes().map(|(name, _)| name.to_owned()).collect();
        for tensor in &tensors {
            let reshaped = with_header(&whole, |header| {
                let shape = header[tensor]["shape"].as_array().expect("a shape").clone();
                let values: u64 = shape.iter().filter_map(Value::as_u64).product();
                // One dimension more, or the same values in one line: never the shape that the model has.
                header[tensor]["shape"] = if shape.len() > 1 { json!([values]) } else { json!([1, values]) };
            });
            refused(name, tensor, &reshaped, tensor.split_once('.').expect("a prefix").1);
        }
    }
}

#[test]
fn no_damage_to_a_header_is_a_panic() {
    let (table, path) = (patients(), Path::new("damaged.safetensors"));
    for entry in Registry::default().models::<Table>() {
        let whole = bytes(&fitted(entry.name, &table));
        let length = u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
        let mut loaded = 0;
        for position in (0..8 + length).step_by((length / 400).max(1)) {
            for byte in *b"9-}" {
                let mut damaged = whole.clone();
                damaged[position] = byte;
                let Ok(file) = Checkpoint::from_bytes(damaged.clone(), path) else { continue };
                let device = semblant::device::select("cpu").expect("always there");
                match (entry.load)(&file, path, &device) {
                    // Some changes leave a sound file; what it holds has to be usable.
                    Ok(model) => {
                        loaded += 1;
                        if loaded % 10 == 0 {
                            let _ = model.sample(&TableRequest::new(2, 1));
                        }
                    }
                    Err(error) => assert!(error.to_string().contains("damaged.safetensors"), "{}: {error}", entry.name),
                }
            }
        }
    }
}

/// Fits every model to `table` with settings that make one short epoch, and samples `rows` rows that are like it.
#[track_caller]
fn learns(table: &Table, rows: u64) {
    for name in names() {
        let mut settings = small(name);
        if settings.get("epochs").is_some() {
            settings["epochs"] = json!(1);
        }
        let mut model = semblant::model::<Table>(name, settings).expect("known settings");
        model.fit(table, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let made = model.sample(&TableRequest::new(rows, 1)).unwrap_or_else(|error| panic!("{name}: {error}")).data;
        assert_eq!((made.rows() as u64, made.columns().len()), (rows, table.columns().len()), "{name}");
        for ((described, real), made) in table.iter().zip(made.columns()) {
            match (real.numbers(), made.numbers()) {
                (Some(real), Some(made)) => {
                    let low = real.iter().copied().fold(f64::INFINITY, f64::min);
                    let high = real.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let known = |value: &f64| (low..=high).contains(value) || (value.is_nan() && real.iter().any(|real| real.is_nan()));
                    assert!(made.iter().all(known), "{name}, \"{}\": {made:?} from {low} to {high}", described.name);
                }
                _ if described.kind == ColumnKind::Id => assert_eq!(made.missing(), 0, "{name}, \"{}\"", described.name),
                _ => {
                    let (codes, levels) = real.categories().expect("labels");
                    let known: std::collections::HashSet<&str> = levels.iter().map(String::as_str).collect();
                    for row in 0..rows as usize {
                        let sound = made.label(row).map_or(codes.contains(&MISSING), |label| known.contains(label));
                        assert!(sound, "{name}, \"{}\": {:?}", described.name, made.label(row));
                    }
                }
            }
        }
    }
}

fn table(columns: Vec<(String, ColumnKind, Column)>) -> Table {
    Table::from_columns(columns).expect("sound")
}

fn number(name: &str, kind: ColumnKind, values: impl Iterator<Item = f64>) -> (String, ColumnKind, Column) {
    (name.into(), kind, Column::Number(values.collect()))
}

fn label(name: &str, labels: impl Iterator<Item = String>) -> (String, ColumnKind, Column) {
    (name.into(), ColumnKind::Categorical, Column::from_labels(labels.map(Some)))
}

#[test]
fn tables_of_one_row_and_of_one_column_are_learnt() {
    learns(&patients().take(&[0]), 20);
    learns(&patients().take(&[0, 1]), 20);
    learns(&table(vec![number("x", ColumnKind::Continuous, (0..50).map(|i| f64::from(i).sqrt()))]), 20);
    learns(&table(vec![number("x", ColumnKind::Integer, (0..50).map(|_| 4.0))]), 20);
    learns(&table(vec![label("x", (0..50).map(|i| format!("{}", i % 3)))]), 20);
}

#[test]
fn columns_without_a_value_or_without_a_difference_are_learnt() {
    let nothing = || Column::from_labels((0..50).map(|_| None::<&str>));
    learns(
        &table(vec![
            number("empty", ColumnKind::Continuous, (0..50).map(|_| f64::NAN)),
            ("blank".into(), ColumnKind::Categorical, nothing()),
            label("same", (0..50).map(|_| "a".into())),
            number("huge", ColumnKind::Continuous, (0..50).map(|i| 1e300 * f64::from(i))),
            number("tiny", ColumnKind::Continuous, (0..50).map(|i| 1e-300 * f64::from(i))),
            number("far", ColumnKind::Integer, (0..50).map(|i| 9e15 + f64::from(i))),
        ]),
        20,
    );
    for name in names() {
        let mut model = semblant::model::<Table>(name, small(name)).expect("known settings");
        let empty = patients().take(&[]);
        assert!(model.fit(&empty, &mut run(1)).expect_err("no rows").to_string().contains("no rows"), "{name}");
    }
}

#[test]
fn values_that_all_differ_are_learnt() {
    let labels = label("name", (0..300).map(|i| format!("person {i}")));
    learns(&table(vec![number("x", ColumnKind::Continuous, (0..300).map(|i| (f64::from(i) * 0.37).sin())), labels]), 50);
}

#[test]
fn two_thousand_columns_are_learnt() {
    let columns = (0..2000).map(|index| match index % 2 {
        0 => number(&format!("n{index}"), ColumnKind::Continuous, (0..3).map(|row| f64::from((row * 7 + index) % 11))),
        _ => label(&format!("c{index}"), (0..3).map(|row| format!("{}", (row + index) % 2))),
    });
    learns(&table(columns.collect()), 5);
}

#[test]
fn twenty_thousand_categories_are_learnt_in_little_space() {
    let rows = 20_000;
    let many = table(vec![
        label("key", (0..rows).map(|i| format!("k{}", (i * 7919) % rows))),
        number("x", ColumnKind::Integer, (0..rows).map(|i| f64::from(i % 1000))),
    ]);
    for name in names() {
        let mut settings = small(name);
        if settings.get("epochs").is_some() {
            settings["epochs"] = json!(1);
            settings["batch_rows"] = json!(600);
        }
        let mut model = semblant::model::<Table>(name, settings).expect("known settings");
        model.fit(&many, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
        // A label costs its text and its count, not a row of a one-hot matrix.
        let size = bytes(&model).len();
        assert!(size < rows as usize * 60, "{name}: {size} bytes");
        assert_eq!(sample(&model, &TableRequest::new(2000, 1)).expect("fitted").len(), 2000, "{name}");
    }
}
