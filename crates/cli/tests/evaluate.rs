//! What `semblant evaluate` does beyond scores that need no training of generators.

mod support;

use semblant::data::table::simulate_patients;
use support::Place;

/// A place with real and held out patients, a model of the real ones, and what it made.
fn place() -> Place {
    let place = Place::new();
    simulate_patients(300, 0).write(place.path("patients.csv")).expect("writable");
    place.good(&["fit", "patients.csv", "-m", "copula", "-o", "m.safetensors"]);
    simulate_patients(200, 1).write(place.path("holdout.csv")).expect("writable");
    place.good(&["sample", "m.safetensors", "-n", "300", "-o", "made.csv"]);
    place
}

const EVALUATE: &[&str] = &["evaluate", "--real", "patients.csv", "--synthetic", "made.csv", "--target", "diagnosis"];

#[test]
fn shadow_models_attack_membership() {
    let place = place();
    let with = |more: &[&'static str]| [EVALUATE, &["--holdout", "holdout.csv", "--shadow", "m.safetensors"], more].concat();
    let run = || place.good(&with(&["--shadows", "4", "--targets", "100", "--json", "-"]));
    let (first, again) = (run(), run());
    assert_eq!(first.out, again.out);
    assert!(first.err.contains("shadow model 4 of 4"), "{}", first.err);
    let json = first.json();
    let scores = json["scores"].as_array().expect("scores");
    let auc = scores.iter().find(|score| score["id"] == "membership_shadow_auc").expect("attacked");
    // A copula of 300 rows leaks almost nothing.
    assert!((auc["value"].as_f64().expect("a number") - 0.5).abs() < 0.15 && auc["interval"].is_array(), "{auc}");
    assert!(auc["meaning"].as_str().expect("text").contains("100 training and 100 holdout rows"), "{auc}");

    place.bad(2, &with(&["--shadows", "3"]), &["--shadows", "3"]);
    place.file("broken.safetensors", "nothing");
    place.bad(1, &[EVALUATE, &["--holdout", "holdout.csv", "--shadow", "broken.safetensors"]].concat(), &["broken.safetensors"]);
    place.bad(2, &[EVALUATE, &["--shadow", "m.safetensors"]].concat(), &["--holdout"]);
}

#[test]
fn every_kind_of_model_measures_utility_with_intervals() {
    let place = place();
    let report = place.good(&[EVALUATE, &["--holdout", "holdout.csv", "--json", "-", "-o", "report.html"]].concat()).json();
    let score = |id: &str| {
        report["scores"].as_array().expect("scores").iter().find(|score| score["id"] == id).unwrap_or_else(|| panic!("{id} in the report"))
    };
    for id in ["utility_auc", "utility_linear_auc", "utility_network_auc", "augmented_auc", "column_shapes", "column_pair_trends"] {
        let (value, interval) = (score(id)["value"].as_f64().expect("a value"), &score(id)["interval"]);
        let [low, high] = [0, 1].map(|end: usize| interval[end].as_f64().unwrap_or_else(|| panic!("{id} has no interval")));
        assert!(low <= value && value <= high && low < high, "{id}: {low} {value} {high}");
    }
    // Fewer rows are said to be fewer.
    let cut = place.good(&[EVALUATE, &["--holdout", "holdout.csv", "--max-rows", "50", "--json", "-"]].concat()).json();
    assert!(cut["notes"].to_string().contains("50 random rows"), "{}", cut["notes"]);
    // So is what a budget leaves; identifying values are looked for in all.
    let rows = |offset: usize| (0..1500).map(|row| format!("{},{}\n", (row * 7 + offset) % 100, ["a", "b"][row % 2])).collect::<String>();
    place.file("long.csv", format!("x,c\n{}", rows(0)));
    place.file("other.csv", format!("x,c\n{}", rows(3)));
    let long = ["evaluate", "--real", "long.csv", "--synthetic", "other.csv", "--json", "-", "--budget"];
    let cut = place.good(&[&long[..], &["0.001s"]].concat()).json();
    let [notes, real] = [&cut["notes"], &cut["sources"]["real"]["count"]];
    assert!(notes.to_string().contains("Within the time budget 1000 random rows") && real == 1500, "{notes} {real}");
    let whole = place.good(&[&long[..], &["10h"]].concat()).json();
    assert!(!whole["notes"].to_string().contains("random rows"), "{}", whole["notes"]);
    assert!(place.has("report.html") && report["sections"].to_string().contains("F1, synthetic"));
    assert!(String::from_utf8(place.bytes("report.html")).expect("UTF-8").contains("Classes of diagnosis"));
}
