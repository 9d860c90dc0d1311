//! Masked diffusion on small tables: laws that are known, conditions, missing cells, likelihoods.

use semblant_core::device;
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Likelihood, Rebuild, Run, Synthesizer};
use semblant_core::train_config::TrainConfig;
use semblant_data::table::{Column, ColumnKind, Table, TableRequest, simulate_patients};
use semblant_tabular_masked::{MaskedDiffusion, MaskedDiffusionConfig};

fn fitted(table: &Table, rows: u64, change: impl FnOnce(&mut MaskedDiffusionConfig)) -> MaskedDiffusion {
    let defaults = MaskedDiffusionConfig::default();
    let mut config = MaskedDiffusionConfig {
        width: 32,
        depth: 1,
        embedding: 8,
        dropout: 0.0,
        train: TrainConfig { rows, batch_rows: 128, ..defaults.train },
        ..defaults
    };
    change(&mut config);
    let mut model = MaskedDiffusion::new(config).expect("settings");
    model.fit(table, &mut Run::new(device::select("cpu").expect("there"), 1)).expect("fits");
    model
}

/// p(a, b) of two labels, and x, whose law depends on both.
fn toy(rows: usize) -> Table {
    let (stream, mut a, mut b, mut x) = (Stream::new(5, 0), Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows as u64 {
        let uniform = |place| stream.uniform_f64(row, place);
        let first = uniform(0) < 0.3;
        let second = uniform(1) < if first { 0.8 } else { 0.25 };
        a.push(Some(if first { "p" } else { "q" }));
        b.push(Some(if second { "u" } else { "v" }));
        x.push(10.0 * uniform(2) + if first == second { 20.0 } else { 0.0 });
    }
    Table::from_columns(vec![
        ("a", ColumnKind::Categorical, Column::from_labels(a)),
        ("b", ColumnKind::Categorical, Column::from_labels(b)),
        ("x", ColumnKind::Continuous, Column::Number(x)),
    ])
    .expect("a table")
}

fn share(table: &Table, wanted: impl Fn(&str, &str, f64) -> bool) -> f64 {
    let x = table.column("x").expect("there").numbers().expect("numbers");
    let label = |name: &str, row: usize| table.column(name).expect("there").label(row).expect("a label").to_owned();
    (0..table.rows()).filter(|&row| wanted(&label("a", row), &label("b", row), x[row])).count() as f64 / table.rows() as f64
}

#[test]
fn a_known_law_is_drawn_conditioned_on_and_judged() {
    let table = toy(20_000);
    let model = fitted(&table, 800_000, |config| {
        // Whether the labels agree with the number is an exclusive or, which takes two layers.
        (config.width, config.depth, config.train.patience_ticks) = (64, 2, 10);
        // Targets that spread over neighbouring bins would cross the gap between 10 and 20.
        config.smoothing = 0.0;
    });
    let made = model.sample(&TableRequest::new(40_000, 3)).expect("rows").data;
    for (a, b, expected) in [("p", "u", 0.24), ("p", "v", 0.06), ("q", "u", 0.175), ("q", "v", 0.525)] {
        let found = share(&made, |left, right, _| (left, right) == (a, b));
        assert!((found - expected).abs() < 0.012, "{a}, {b}: {found} against {expected}");
    }
    let far = share(&made, |a, b, x| ((a == "p") == (b == "u")) != (x >= 20.0));
    // One of 200 bins spans the gap from 10 to 20, so that its half of a per cent cannot be told apart; as much again is left to learning.
    assert!(far < 0.01, "{far} of the rows have labels that do not agree with their number");

    // Conditions on several columns: p(a = p | x < 10) = 0.06 / (0.06 + 0.175).
    let request = TableRequest::new(20_000, 4).with_expression("x < 10 and (b = 'u' or b = 'v')");
    let low = model.sample(&request).expect("rows");
    assert!(low.drawn_rows < 20_200, "{} draws", low.drawn_rows);
    assert_eq!(share(&low.data, |_, _, x| x < 10.0), 1.0);
    let found = share(&low.data, |a, _, _| a == "p");
    assert!((found - 0.2553).abs() < 0.02, "{found}");
    let joint = model.sample(&TableRequest::new(5_000, 4).with_expression("(a = 'p' and x < 10) or (a = 'q' and x > 25)")).expect("rows");
    assert_eq!(share(&joint.data, |a, _, x| if a == "p" { x < 10.0 } else { x > 25.0 }), 1.0);
    // p(a = p | it) = 0.06 / (0.06 + 0.525 / 2).
    let found = share(&joint.data, |a, _, _| a == "p");
    assert!((found - 0.186).abs() < 0.03, "{found}");

    // The entropy of the law: of the labels, and of a number spread over ten units.
    let test = toy(30_000).take(&(20_000..30_000).collect::<Vec<_>>());
    let nats = model.negative_log_likelihoods(&test, 4, 0).expect("nats");
    let mean = nats.iter().sum::<f64>() / nats.len() as f64;
    let entropy = [0.24f64, 0.06, 0.175, 0.525].iter().map(|share| -share * share.ln()).sum::<f64>() + 10f64.ln();
    // No model is below the entropy of the law but by the noise of 10,000 rows; above it is what was not learned.
    assert!(mean > entropy - 0.03 && mean < entropy + 0.12, "{mean} against {entropy}");
    let parts = model.parts(&test, 4, 0).expect("parts");
    let sum: f64 = parts.iter().map(|(_, values)| values.iter().sum::<f64>() / values.len() as f64).sum();
    assert!(parts.len() == 3 && (sum - mean).abs() < 0.05, "{sum} against {mean}");
}

#[test]
fn missing_cells_are_filled_and_the_others_stay() {
    let table = toy(6_000);
    // Values were missing in training too, so that the model could draw a missing one.
    let mut columns = table.columns().to_vec();
    let Column::Number(x) = &mut columns[2] else { panic!("numbers") };
    x.iter_mut().step_by(7).for_each(|x| *x = f64::NAN);
    columns[1] = Column::from_labels((0..6_000).map(|row| table.columns()[1].label(row).filter(|_| row % 11 > 0).map(str::to_owned)));
    let model = fitted(&Table::new(table.schema().clone(), columns).expect("a table"), 400_000, |_| {});
    let mut columns = table.columns().to_vec();
    let Column::Number(x) = &mut columns[2] else { panic!("numbers") };
    x.iter_mut().step_by(2).for_each(|x| *x = f64::NAN);
    let b: Vec<Option<String>> = (0..6_000).map(|row| table.columns()[1].label(row).filter(|_| row % 3 > 0).map(str::to_owned)).collect();
    columns[1] = Column::from_labels(b);
    let gaps = Table::new(table.schema().clone(), columns).expect("a table");
    let request = TableRequest::new(0, 9);
    let filled = Rebuild::rebuild(&model, &gaps, None, &request).expect("filled").data;
    assert!(filled.columns().iter().all(|column| column.missing() == 0));
    for row in 0..6_000 {
        let same = |column: usize| filled.columns()[column].label(row) == table.columns()[column].label(row);
        assert!(same(0) && (row % 3 == 0 || same(1)), "row {row}");
        if row % 2 > 0 {
            assert_eq!(filled.columns()[2].numbers().expect("numbers")[row], table.columns()[2].numbers().expect("numbers")[row]);
        }
    }
    let wrong = share(&filled, |a, b, x| ((a == "p") == (b == "u")) != (x >= 20.0));
    assert!(wrong < 0.01, "{wrong}");
    assert_eq!(Rebuild::rebuild(&model, &gaps, None, &request).expect("filled").data, filled);
    assert!(Rebuild::rebuild(&model, &gaps, Some(&gaps), &request).is_err());
    let redrawn = Rebuild::rebuild(&model, &table, None, &TableRequest { redraw: vec!["a".into()], ..request }).expect("redrawn").data;
    assert!((0..6_000).any(|row| redrawn.columns()[0].label(row) != table.columns()[0].label(row)));
}

#[test]
fn relations_between_columns_hold_in_every_row() {
    let table = simulate_patients(2_000, 0);
    let model = fitted(&table, 60_000, |config| config.bins = 24);
    let conditions = ["systolic >= age + 60 and smoker is not null", "visit >= '2023-06-01' and cost < 40 * age"];
    let request = conditions.iter().fold(TableRequest::new(600, 2), |request, condition| request.with_expression(*condition));
    let made = model.sample(&request).expect("rows");
    let numbers = |name: &str| made.data.column(name).expect("there").numbers().expect("numbers").to_vec();
    let (systolic, age, cost, visit) = (numbers("systolic"), numbers("age"), numbers("cost"), numbers("visit"));
    let june = 1_685_577_600.0;
    assert!((0..600).all(|row| systolic[row] >= age[row] + 60.0 && cost[row] < 40.0 * age[row] && visit[row] >= june));
    assert_eq!(made.data.column("smoker").expect("there").missing(), 0);
    assert!(made.drawn_rows < 1_200, "{} draws for 600 rows", made.drawn_rows);
    let slice = model.sample(&TableRequest { rows: 130..170, ..request }).expect("rows").data;
    let cells = |table: &Table, row: usize| (0..table.columns().len()).map(|column| table.cell(row, column)).collect::<Vec<_>>();
    assert!((0..40).all(|row| cells(&slice, row) == cells(&made.data, 130 + row)), "a slice is part of the whole");
}
