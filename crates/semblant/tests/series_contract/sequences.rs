//! `sequence`: mixed rows, attributes, times.

use super::*;

/// Twelve machines of two kinds with 5 to 16 rows at irregular times: a reading that drifts, a state, and missing readings.
pub(super) fn machines() -> Series {
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

pub(super) fn sequence_of(data: &Series) -> Model {
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
    // The season follows from the time, so that a history without it is refused and not taken for the first of January 1970.
    let renamed = folder.path().join("renamed.csv");
    std::fs::write(&renamed, format!("when,level,part\n{hours}")).expect("writable");
    for named in [None, Some("when")] {
        let options = SeriesOptions { time: named.map(str::to_owned), ..SeriesOptions::default() };
        let history = Series::read(&renamed, &options).expect("series").data;
        let rebuild = model.rebuild().expect("can");
        says("other times", rebuild.rebuild(&history, None, &SeriesRequest::forecast(2, 1, 0)), &["\"at\""]);
        says("other times", model.likelihood().expect("exact").negative_log_likelihoods(&history, 1, 0), &["\"at\""]);
    }
}
