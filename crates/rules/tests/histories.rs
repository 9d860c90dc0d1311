//! State machines, series and chaos.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::collections::BTreeMap;

use semblant_rules::{Generator, NoModels, Plan};
use support::*;

const CLINIC: &str = include_str!("../../../datasets/rules/clinic.toml");
const SENSORS: &str = include_str!("../../../datasets/rules/sensors.toml");

#[test]
fn histories_go_as_their_states_do() {
    let visits = rows(CLINIC, "visits", 2);
    let label = |column: &str, row: usize| visits.cell(row, visits.schema().index_of(column).expect("there"));
    let mut last: Option<(String, String, f64)> = None;
    let mut followers: BTreeMap<(String, String), usize> = BTreeMap::new();
    let times = numbers(&visits, "time");
    for row in 0..visits.rows() {
        let (patient, event) = (label("patient_id", row), label("event", row));
        match &last {
            Some((same, before, time)) if *same == patient => {
                assert!(times[row] >= *time, "time goes on");
                assert_ne!(before, "death", "nothing follows death");
                *followers.entry((before.clone(), event.clone())).or_default() += 1;
            }
            _ => assert_eq!(numbers(&visits, "visit")[row], 1.0),
        }
        last = Some((patient, event, times[row]));
    }
    let count = |a: &str, b: &str| followers.get(&(a.into(), b.into())).copied().unwrap_or(0);
    assert_eq!(count("diagnosis", "checkup"), 0);
    assert_eq!(count("relapse", "recovery"), 0, "treatment comes first");
    assert!(count("diagnosis", "treatment") > 300 && count("relapse", "treatment") > 100, "{followers:?}");
    // Until the end of 2024.
    assert!(times.iter().all(|time| *time <= 1_735_603_200.0));
}

#[test]
fn slices_of_histories_and_series_are_those_of_the_whole() {
    for (text, table) in [(CLINIC, "visits"), (SENSORS, "readings")] {
        let plan = plan(text);
        let generator = Generator::new(&plan, 2, 1.0).expect("right");
        let count = generator.count(table).expect("there");
        let whole = generator.rows(table, 0..count).expect("rows");
        for (start, end) in [(0, 5), (4_000, 4_500), (5_800, 5_802), (count - 7, count)] {
            let slice = Generator::new(&plan, 2, 1.0).expect("right").rows(table, start..end).expect("rows");
            for row in start..end {
                for column in 0..whole.columns().len() {
                    assert_eq!(slice.cell((row - start) as usize, column), whole.cell(row as usize, column), "{table} row {row}");
                }
            }
        }
    }
}

#[test]
fn series_have_seasons_noise_and_labelled_anomalies() {
    let readings = rows(SENSORS, "readings", 2);
    assert_eq!(readings.rows(), 20 * 4_320);
    let times = numbers(&readings, "time");
    assert!(times[1] - times[0] == 600.0 && times[4_320] == times[0]);
    let values = numbers(&readings, "temperature");
    let kind = readings.schema().index_of("temperature_anomaly").expect("there");
    let labels: Vec<String> = (0..readings.rows()).map(|row| readings.cell(row, kind)).collect();
    let of = |wanted: &str| labels.iter().filter(|label| *label == wanted).count() as f64 / labels.len() as f64;
    // Rates times lengths, as far as anomalies do not overlap.
    assert!((of("spike") - 0.001).abs() < 0.0004, "{}", of("spike"));
    assert!((of("stuck") - 0.0004 * 36.0).abs() < 0.005, "{}", of("stuck"));
    // A stuck value stays.
    let stuck = (1..readings.rows()).filter(|&row| row % 4_320 > 0 && labels[row] == "stuck" && labels[row - 1] == "stuck");
    let same = stuck.clone().filter(|&row| values[row] == values[row - 1]).count();
    assert!(same as f64 > 0.95 * stuck.count() as f64);
    // The peak of the day is at 14:24, the least value half a day away: the difference is twice the amplitude of 4.
    let at = |share: f64| {
        let hour = |row: &usize| ((times[*row] / 86_400.0).rem_euclid(1.0) - share).abs() < 0.02 && labels[*row] == "none";
        let all: Vec<f64> = (0..readings.rows()).filter(hour).map(|row| values[row]).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    assert!((at(0.6) - at(0.1) - 8.0).abs() < 0.3, "{} {}", at(0.6), at(0.1));
    // Noise remembers: what is left of neighbours after the season is correlated by nearly 0.9.
    let humid = numbers(&readings, "humidity");
    let day = 144;
    let change: Vec<f64> = (day..4_320).map(|row| humid[row] - humid[row - day]).collect();
    let pairs: Vec<(f64, f64)> = change.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    assert!((pearson(&a, &b) - 0.95).abs() < 0.04, "{}", pearson(&a, &b));
    let missing = humid.iter().filter(|value| value.is_nan()).count() as f64 / humid.len() as f64;
    assert!((missing - 0.0003 * 18.0).abs() < 0.003, "{missing}");
}

const BY_TABLE: &str = r#"
[[table]]
name = "people"
rows = 4000
[[table.column]]
name = "sex"
draw = { categories = ["f", "m"] }
[[table]]
name = "moves"
per = "people"
[table.machine]
start = "2020-01-01"
until = "2020-12-31"
attributes = { round = 0 }
[[table.machine.state]]
name = "start"
delay = { exponential = { mean = 5 } }
set = ["round = round + 1"]
next_by = { file = "weights.csv", keys = ["people.sex", "round"] }
[[table.machine.state]]
name = "left"
event = "left"
[[table.machine.state]]
name = "right"
event = "right"
next = [{ when = "round = 1", to = "start" }]
[[table.column]]
name = "sex"
expression = "people.sex"
[[table.column]]
name = "event"
expression = "machine.event"
[[table.column]]
name = "round"
expression = "machine.round"
[[table]]
name = "letters"
per = "moves"
children = "case when event = 'left' then 2 else 0 end"
[[table.column]]
name = "sex"
expression = "moves.sex"
"#;

#[test]
fn a_table_of_weights_decides_and_events_write_rows_of_other_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("spec.toml");
    std::fs::write(&spec, BY_TABLE).expect("writable");
    std::fs::write(folder.path().join("weights.csv"), "sex,round,left,right\nf,1,3,1\nm,1,1,3\nf,2,0,1\nm,2,1,0\n").expect("writable");
    let plan = Plan::read(&spec, &NoModels).unwrap_or_else(|error| panic!("{error}"));
    let generator = Generator::new(&plan, 2, 1.0).expect("right");
    let count = generator.count("moves").expect("there");
    let moves = generator.rows("moves", 0..count).expect("rows");
    let rounds = numbers(&moves, "round");
    let of = |sex: &str, round: f64, event: &str| {
        (0..moves.rows()).filter(|&row| moves.cell(row, 0) == sex && rounds[row] == round && moves.cell(row, 1) == event).count()
    };
    for (sex, share) in [("f", 0.75), ("m", 0.25)] {
        let (left, right) = (of(sex, 1.0, "left") as f64, of(sex, 1.0, "right") as f64);
        let found = left / (left + right);
        assert!((found - share).abs() < 4.0 * (share * (1.0 - share) / (left + right)).sqrt(), "{sex}: {found}");
    }
    assert!(of("f", 2.0, "left") == 0 && of("f", 2.0, "right") > 100 && of("m", 2.0, "right") == 0 && of("m", 2.0, "left") > 100);
    let left: usize = ["f", "m"].into_iter().flat_map(|sex| [1.0, 2.0].map(|round| of(sex, round, "left"))).sum();
    assert_eq!(generator.count("letters").expect("there"), 2 * left as u64);
    std::fs::write(folder.path().join("weights.csv"), "sex,round,left,up\nf,1,3,1\n").expect("writable");
    let error = Plan::read(&spec, &NoModels).expect_err("wrong").to_string();
    assert!(error.contains("spec.toml:19:20: there is no state \"up\""), "{error}");
}

const SPOILT: &str = r#"
[[table]]
name = "t"
rows = 30000
chaos = [
  { typos = { columns = "name", rate = 0.02 } },
  { units = { columns = "weight", rate = 0.01, factor = 1000 } },
  { outliers = { columns = ["weight", "height"], rate = 0.01, factor = 10 } },
  { swaps = { columns = ["weight", "height"], rate = 0.01 } },
  { missing = { columns = "height", rate = 0.05 } },
  { drift = { columns = "age", by = 0.5, after = 0.5 } },
  { duplicates = { rate = 0.03 } },
  { late = { rate = 0.02, rows = 50 } },
]
[[table.column]]
name = "id"
draw = { sequence = {} }
[[table.column]]
name = "name"
draw = { fake = "name" }
[[table.column]]
name = "weight"
decimals = 1
draw = { normal = { mean = 70, sd = 10 } }
[[table.column]]
name = "height"
decimals = 1
draw = { normal = { mean = 170, sd = 10 } }
[[table.column]]
name = "age"
draw = { uniform = { min = 20, max = 60 } }
"#;

#[test]
fn chaos_is_what_its_labels_say() {
    let plan = plan(SPOILT);
    let generator = Generator::new(&plan, 4, 1.0).expect("right");
    let clean = generator.rows("t", 0..30_000).expect("rows");
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    let keep = |data: &semblant_data::table::Table, all: &mut Vec<Vec<String>>| {
        all.extend((0..data.rows()).map(|row| (0..data.columns().len()).map(|column| data.cell(row, column)).collect::<Vec<_>>()));
    };
    generator
        .stream::<semblant_rules::Error>("t", 0..30_000, |part| {
            keep(&part.data, &mut rows);
            keep(&part.labels, &mut labels);
            Ok(())
        })
        .expect("rows");
    let count = |kind: &str| labels.iter().filter(|label| label[2] == kind).count() as f64;
    for (kind, rate) in [("typo", 0.02), ("unit", 0.01), ("outlier", 0.01), ("missing", 0.05), ("duplicate", 0.03), ("late", 0.02)] {
        let wanted = rate * 30_000.0;
        assert!((count(kind) - wanted).abs() < 5.0 * f64::sqrt(wanted), "{kind}: {}", count(kind));
    }
    assert_eq!(rows.len() as f64, 30_000.0 + count("duplicate"));
    // Every cell is as it was, or has a label that begins with what it was and ends with what it is.
    let mut changes: BTreeMap<(usize, &str), Vec<&Vec<String>>> = BTreeMap::new();
    labels.iter().filter(|label| !label[1].is_empty()).for_each(|label| {
        changes.entry((label[0].parse::<usize>().expect("a row"), label[1].as_str())).or_default().push(label);
    });
    let names: Vec<&str> = clean.schema().names().collect();
    let mut out_of_place = 0;
    for (place, row) in rows.iter().enumerate() {
        let number: usize = row[0].parse().expect("an id");
        out_of_place += usize::from(place > 0 && rows[place - 1][0].parse::<usize>().expect("an id") > number);
        for column in 1..names.len() {
            let was = clean.cell(number - 1, column);
            match changes.get(&(number, names[column])) {
                None => assert_eq!(row[column], was, "row {number}, {}", names[column]),
                Some(all) => {
                    assert!(all.iter().any(|label| label[3] == was), "row {number}, {}: {all:?}", names[column]);
                    assert!(all.iter().any(|label| label[4] == row[column]), "row {number}, {}: {all:?}", names[column]);
                }
            }
        }
    }
    assert!(out_of_place > 300, "{out_of_place} rows come late");
    // A slice has the rows of the whole, in its order.
    let mut slice = Vec::new();
    generator
        .stream::<semblant_rules::Error>("t", 9_000..9_500, |part| {
            keep(&part.data, &mut slice);
            Ok(())
        })
        .expect("rows");
    let wanted: Vec<&Vec<String>> = rows.iter().filter(|row| (9_001..=9_500).contains(&row[0].parse::<usize>().expect("an id"))).collect();
    assert_eq!(slice.iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn chaos_does_not_depend_on_the_order_of_tables() {
    let table = |name: &str| {
        format!(
            "[[table]]\nname = \"{name}\"\nrows = 500\nchaos = [{{ typos = {{ columns = \"t\", rate = 0.2 }} }}]\n[[table.column]]\nname = \"t\"\ndraw = {{ regex = \"[a-z]{{8}}\" }}\n"
        )
    };
    let spoiled = |text: &str, name: &str| {
        let plan = plan(text);
        let mut cells: Vec<String> = Vec::new();
        let generator = Generator::new(&plan, 3, 1.0).expect("right");
        let read = generator.stream(name, 0..500, |part| {
            cells.extend((0..part.data.rows()).map(|row| part.data.cell(row, 0)));
            Ok::<_, semblant_rules::Error>(())
        });
        read.expect("rows");
        cells
    };
    let (a, b) = (table("a"), table("b"));
    let [first, second] = [format!("{a}{b}"), format!("{b}{a}")].map(|text| ["a", "b"].map(|name| spoiled(&text, name)));
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
}
