//! Attributes of regular windows, and sequences of different lengths.

use super::*;

/// Sequences of 8 rows, or of 4 to 8, whose level is high for one kind and low for the other.
fn kinds(variable: bool) -> Series {
    let mut text = String::from("unit,kind,step,level\n");
    for unit in 0..60 {
        for step in 0..if variable { 4 + unit % 5 } else { 8 } {
            let noise = f64::from(unit * 31 % 17 + step * 7 % 5) / 10.0;
            text.push_str(&format!("u{unit},{},{step},{:.1}\n", ["low", "high"][unit as usize % 2], 20.0 * f64::from(unit % 2) + noise));
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("units.csv");
    std::fs::write(&path, text).expect("writable");
    Series::read(&path, &SeriesOptions { entity: Some("unit".into()), ..SeriesOptions::default() }).expect("series").data
}

fn longer(name: &str) -> Model {
    let mut settings = small(name);
    if settings["training"].is_object() {
        settings["training"]["rows"] = json!(if name == "dgan" { 60_000 } else { 6_000 });
    }
    let mut model = semblant::model::<Series>(name, settings).expect("known settings");
    model.fit(&kinds(false), &mut run(1)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

/// Mean levels of the sequences of a kind that was asked for.
fn level(model: &Model, kind: &str) -> f64 {
    let made = sample(model, &SeriesRequest::new(40, 2).with("kind", kind));
    let entities = made.entities().expect("named");
    assert!((0..40).all(|index| entities.cell(index, 1) == kind), "every sequence meets the condition");
    let levels = made.rows().column("level").expect("there").numbers().expect("numbers");
    levels.iter().sum::<f64>() / levels.len() as f64
}

for_every!(told: conditions_hold_and_decide_the_rows);

fn conditions_hold_and_decide_the_rows(name: &str) {
    let model = longer(name);
    let (low, high) = (level(&model, "low"), level(&model, "high"));
    assert!(high > low + 3.0, "{name}: {high} for high, {low} for low");
    says(name, model.sample(&SeriesRequest::new(2, 0).with("kind", "none")), &["none"]);
    let loaded = loads_or_names_the_file::<Series>(&bytes(&model)).expect("whole");
    let request = SeriesRequest::new(7, 5).with("kind", "low");
    assert_eq!(bits(&sample(&model, &request)), bits(&sample(&loaded, &request)), "{name}");
    survives_any_number::<Series>(name, &bytes(&model));
}

#[test]
fn models_that_are_not_told_attributes_refuse_conditions() {
    for name in ["block-bootstrap", "ar-gaussian"] {
        let model = longer(name);
        says(name, model.sample(&SeriesRequest::new(2, 0).with("kind", "low")), &["--where"]);
    }
}

#[test]
fn windows_have_the_attributes_of_their_sequence() {
    let windows = kinds(false).windows(5, 2).expect("long enough");
    assert_eq!((windows.count(), windows.common_length()), (120, Some(5)));
    let entities = windows.entities().expect("numbered");
    assert_eq!([1, 2].map(|window| entities.cell(window, 1)), ["low", "high"]);
}

#[test]
fn dgan_learns_sequences_of_different_lengths() {
    let mut model = unfitted("dgan");
    model.fit(&kinds(true), &mut run(1)).expect("fits");
    let made = sample(&model, &SeriesRequest::new(50, 3));
    assert!(made.lengths().all(|length| (1..=8).contains(&length)));
    let slice = sample(&model, &SeriesRequest { rows: 20..30, ..SeriesRequest::new(0, 3) });
    assert_eq!(bits(&slice), bits(&made.select(&(20..30).collect::<Vec<_>>())));
    says("others need equal lengths", unfitted("timevae").fit(&kinds(true), &mut run(1)), &["--window"]);
}

for_every!(windows: short_windows_are_learned_too);

fn short_windows_are_learned_too(name: &str) {
    for length in [2, 3, 5] {
        let mut model = unfitted(name);
        let windows = Series::of_table(rows(60)).windows(length, 1).expect("long enough");
        model.fit(&windows, &mut run(1)).unwrap_or_else(|error| panic!("{name}, {length} rows: {error}"));
        let longest = sample(&model, &SeriesRequest::new(3, 1)).longest();
        assert!(longest == length || name == "dgan" && longest < length, "{name}");
    }
}
