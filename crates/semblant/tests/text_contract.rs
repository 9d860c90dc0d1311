//! What every model of text promises.

#[allow(dead_code, unused_macros, unused_imports, reason = "shared with tests that use more of it")]
#[macro_use]
#[path = "support/mod.rs"]
mod support;

use std::path::Path;

use semblant::Error;
use semblant::prelude::*;
use serde_json::{Value, json};
use support::fits::*;

type Model = Fitted<Text>;

for_every!(texts: texts_do_not_depend_on_range_or_batch, equal_seeds_give_equal_files, resumed_fits_equal_uninterrupted_ones,
    files_give_the_same_texts, damaged_files_are_refused, any_number_in_a_file_is_survived, any_number_in_a_file_of_a_long_text_is_survived,
    unfitted_models_refuse_to_sample_and_save, labels_are_kept, prompts_and_lengths_are_kept, likelihoods_are_finite_for_any_text,
    given_texts_are_completed, odd_texts_are_learned, files_hold_no_training_text, invalid_settings_are_named, impossible_requests_are_named);

#[test]
fn every_model_of_the_registry_is_tested() {
    assert_eq!(group!(texts tests (names)), names::<Text>(), "add the model to the group \"texts\" of tests/support/models.rs");
}

/// Orders of drinks, with a label.
fn orders() -> Text {
    let line = |row: usize| format!("{} cups of {} please", row * 7 % 9 + 1, ["tea", "coffee", "milk"][row % 3]);
    let label = |row: usize| if row.is_multiple_of(3) { "hot leaf" } else { "other" };
    Text::of_lines((0..90).map(line)).with_labels((0..90).map(label)).expect("as many")
}

fn long() -> Text {
    Text::of_whole((0..200).map(|row| format!("{row} bottles of {} on the wall. ", ["beer", "milk"][row % 2])).collect::<String>(), 40)
        .expect("parts")
}

fn small(name: &str) -> Value {
    let mut settings = json!({ "epochs": 2, "batch_rows": 8, "tick_rows": 32, "width": 8, "depth": 1, "heads": 2, "rare": 1 });
    if name == "text-mdlm" {
        settings["steps"] = json!(4);
    }
    settings
}

fn unfitted(name: &str) -> Model {
    semblant::model::<Text>(name, small(name)).expect("known settings")
}

fn fitted_to(name: &str, texts: &Text) -> Model {
    let mut model = unfitted(name);
    model.fit(texts, &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

fn fitted(name: &str) -> Model {
    fitted_to(name, &orders())
}

fn sample(model: &Model, request: &TextRequest) -> Text {
    model.sample(request).expect("possible").data
}

/// All texts with their labels.
fn lines(texts: &Text) -> Vec<(String, Option<String>)> {
    (0..texts.count()).map(|index| (texts.get(index).to_owned(), texts.label(index).map(str::to_owned))).collect()
}

fn texts_do_not_depend_on_range_or_batch(name: &str) {
    for texts in [orders(), long()] {
        let model = fitted_to(name, &texts);
        let whole = sample(&model, &TextRequest::new(100, 3));
        let slice = sample(&model, &TextRequest { rows: 70..90, ..TextRequest::new(0, 3) });
        assert_eq!(lines(&slice), lines(&whole.select(&(70..90).collect::<Vec<_>>())), "{name}: a slice is part of the whole");
        assert_ne!(lines(&slice), lines(&sample(&model, &TextRequest { rows: 70..90, ..TextRequest::new(0, 4) })), "{name}: another seed");
        let far = TextRequest { rows: u64::MAX - 3..u64::MAX, ..TextRequest::new(0, 3) };
        assert_eq!(sample(&model, &far).count(), 3, "{name}");
    }
}

fn equal_seeds_give_equal_files(name: &str) {
    let of_seed = |seed| {
        let mut model = unfitted(name);
        model.fit(&orders(), &mut run(seed)).expect("fits");
        bytes(&model)
    };
    let first = of_seed(1);
    assert!(first == of_seed(1), "{name}: the same seed, another file");
    assert!(first != of_seed(2), "{name}: another seed, the same file");
}

fn resumed_fits_equal_uninterrupted_ones(name: &str) {
    for texts in [orders(), long()] {
        let expected = bytes(&fitted_to(name, &texts));
        let folder = tempfile::tempdir().expect("a folder");
        let within = |resume| Run { folder: Some(folder.path().join("run")), resume, ..run(1) };
        let mut first = within(false);
        first.observer = Box::new(StopAt { rows: 40, stop: first.stop.clone() });
        let stopped = unfitted(name).fit(&texts, &mut first).expect_err("stopped");
        assert!(matches!(stopped, Error::Interrupted { .. }), "{name}: {stopped}");
        let mut resumed = unfitted(name);
        resumed.fit(&texts, &mut within(true)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes(&resumed) == expected, "{name}: resumed and uninterrupted files differ");
    }
}

fn files_give_the_same_texts(name: &str) {
    let model = fitted(name);
    let loaded = loads_or_names_the_file::<Text>(&bytes(&model)).expect("whole");
    let request = TextRequest::new(20, 5);
    assert_eq!(lines(&sample(&model, &request)), lines(&sample(&loaded, &request)), "{name}");
    assert!(bytes(&model) == bytes(&loaded), "{name}: saved again, another file");
}

fn damaged_files_are_refused(name: &str) {
    let whole = bytes(&fitted(name));
    refuses_damage::<Text>(name, &whole);
    survives_damaged_headers::<Text>(name, &whole, 150);
}

fn any_number_in_a_file_is_survived(name: &str) {
    survives_any_number::<Text>(name, &bytes(&fitted(name)));
}

fn any_number_in_a_file_of_a_long_text_is_survived(name: &str) {
    let mut model =
        semblant::model::<Text>(name, overlaid(name, json!({ "tokenizer": "bpe", "vocabulary": 270 }))).expect("known settings");
    model.fit(&long(), &mut run(1)).expect("fits");
    survives_any_number::<Text>(name, &bytes(&model));
}

fn overlaid(name: &str, more: Value) -> Value {
    let mut settings = small(name);
    more.as_object().expect("settings").iter().for_each(|(key, value)| settings[key] = value.clone());
    settings
}

fn unfitted_models_refuse_to_sample_and_save(name: &str) {
    let model = unfitted(name);
    assert!(model.sample(&TextRequest::new(1, 1)).expect_err("unfitted").to_string().contains("fit"), "{name}");
    assert!(model.save(Path::new("never-written")).is_err(), "{name}");
    assert!(!Path::new("never-written").exists());
}

fn labels_are_kept(name: &str) {
    let model = fitted(name);
    let made = sample(&model, &TextRequest::new(60, 1));
    let share = (0..60).filter(|&index| made.label(index) == Some("hot leaf")).count() as f64 / 60.0;
    assert!((share - 1.0 / 3.0).abs() < 0.2, "{name}: {share}");
    let made = sample(&model, &TextRequest::new(10, 1).with_label("hot leaf"));
    assert!((0..10).all(|index| made.label(index) == Some("hot leaf")), "{name}");
    let made = sample(&model, &TextRequest::new(10, 1).balanced());
    assert_eq!((0..10).filter(|&index| made.label(index) == Some("other")).count(), 5, "{name}");
    assert!(sample(&fitted_to(name, &long()), &TextRequest::new(2, 1)).labels().is_none(), "{name}");
}

fn prompts_and_lengths_are_kept(name: &str) {
    let model = fitted(name);
    let made = sample(&model, &TextRequest { characters: Some(12), ..TextRequest::new(20, 1).with_prompt("3 cups") });
    assert!(made.iter().all(|text| text.starts_with("3 cups") && text.chars().count() <= 12), "{name}");
    let made = sample(&fitted_to(name, &long()), &TextRequest { guard: false, ..TextRequest::new(5, 1) });
    assert!(made.iter().all(|text| text.chars().count() == 40), "{name}");
    assert_eq!(made.layout(), long().layout(), "{name}");
}

fn likelihoods_are_finite_for_any_text(name: &str) {
    let model = fitted(name);
    let odd =
        Text::of_lines(["7 cups of tea please", "\u{0}", "שלום 👍🏽 e\u{301}", &"x".repeat(500), "7 cups of tea please and more of it"]);
    let nats = model.likelihood().expect("has one").negative_log_likelihoods(&odd, 4, 0).expect("any text");
    assert!(nats.len() == 5 && nats.iter().all(|nats| nats.is_finite() && *nats > 0.0), "{name}: {nats:?}");
    assert!(nats[0] < nats[3], "{name}: {nats:?}");
}

fn given_texts_are_completed(name: &str) {
    let model = fitted(name);
    let rebuild = model.rebuild().expect("can");
    let given = Text::of_lines(["2 cups of t__", "5 cups"]);
    if name == "text-mdlm" {
        let made = rebuild.rebuild(&given, None, &TextRequest::new(0, 1)).expect("possible").data;
        assert!(made.get(0).starts_with("2 cups of t") && made.get(0).chars().count() == 13 && made.get(1) == "5 cups", "{name}");
    } else {
        let made = rebuild.rebuild(&given.select(&[1]), None, &TextRequest::new(0, 1)).expect("possible").data;
        assert!(made.get(0).starts_with("5 cups") && made.get(0).len() > 6, "{name}");
    }
    says(name, rebuild.rebuild(&given, Some(&given), &TextRequest::new(0, 1)), &["--mask"]);
    says(name, rebuild.rebuild(&Text::of_lines(["@"]), None, &TextRequest::new(0, 1)), &["'@'"]);
}

fn odd_texts_are_learned(name: &str) {
    let long = "y".repeat(3000);
    let lines = ["👍🏽👍🏽", "e\u{301}e\u{301}", "שלום\u{200f}", "a\u{0}b", " ", &long];
    let texts = Text::of_lines((0..60).map(|row| lines[row % lines.len()]));
    for tokenizer in ["char", "byte", "bpe"] {
        let settings = overlaid(name, json!({ "tokenizer": tokenizer, "context": 24, "vocabulary": 300, "epochs": 1 }));
        let mut model = semblant::model::<Text>(name, settings).expect("known settings");
        model.fit(&texts, &mut run(1)).unwrap_or_else(|error| panic!("{name}, {tokenizer}: {error}"));
        let made = sample(&model, &TextRequest { characters: Some(50), guard: false, ..TextRequest::new(8, 1) });
        assert!(made.iter().all(|text| !text.is_empty() && text.chars().count() <= 50), "{name}, {tokenizer}");
    }
    says(name, unfitted(name).fit(&Text::of_lines(["x"]), &mut run(1)), &["few"]);
}

fn files_hold_no_training_text(name: &str) {
    let secret = "the code of the safe is kept behind the third picture from the left";
    let texts = Text::of_lines((0..80).map(|row| if row == 17 { secret.to_owned() } else { format!("{row} cups of tea") }));
    for tokenizer in ["char", "bpe"] {
        let settings = overlaid(name, json!({ "tokenizer": tokenizer, "rare": 3 }));
        let mut model = semblant::model::<Text>(name, settings).expect("known settings");
        model.fit(&texts, &mut run(1)).expect("fits");
        let file = String::from_utf8_lossy(&bytes(&model)).into_owned();
        assert!(!["safe", "picture", "behind"].iter().any(|word| file.contains(word)), "{name}, {tokenizer}");
    }
}

fn invalid_settings_are_named(name: &str) {
    let refused = |settings: Value, word: &str| {
        says(name, semblant::model::<Text>(name, settings), &[word]);
    };
    refused(json!({ "no_such_setting": 1 }), "no_such_setting");
    refused(json!({ "depth": 0 }), "depth = 0");
    refused(json!({ "context": u64::MAX }), "context");
    refused(json!({ "tokenizer": "words" }), "words");
    refused(json!({ "batch_rows": u64::MAX }), "batch_rows");
    let mut odd = semblant::model::<Text>(name, overlaid(name, json!({ "width": 10, "heads": 4 }))).expect("in range");
    says(name, odd.fit(&orders(), &mut run(1)), &["width = 10"]);
}

fn impossible_requests_are_named(name: &str) {
    let model = fitted(name);
    let refused = |request: TextRequest, word: &str| {
        says(name, model.sample(&request), &[word]);
    };
    refused(TextRequest::new(0, 1), "at least one");
    refused(TextRequest::new(1, 1).with_label("cold"), "hot leaf, other");
    refused(TextRequest { label_column: Some("kind".into()), ..TextRequest::new(1, 1).with_label("other") }, "--where label=");
    refused(TextRequest { temperature: 0.0, ..TextRequest::new(1, 1) }, "--temperature");
    refused(TextRequest { top_p: 2.0, ..TextRequest::new(1, 1) }, "--top-p");
    refused(TextRequest { characters: Some(0), ..TextRequest::new(1, 1) }, "--characters");
    refused(TextRequest::new(1, 1).with_prompt("@"), "--prompt");
    says(name, fitted_to(name, &long()).sample(&TextRequest::new(1, 1).balanced()), &["--balance"]);
    if name == "text-ar" {
        refused(TextRequest { guidance: Some(2.0), ..TextRequest::new(1, 1) }, "--guidance");
    }
}
