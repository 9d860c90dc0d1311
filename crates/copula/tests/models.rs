//! The copula against the normal distribution it claims to be, and both models on tables of every kind of column.

use std::path::Path;

use burn::tensor::Device;
use semblant_copula::{CopulaConfig, GaussianCopula, IndependentColumns, IndependentConfig};
use semblant_core::seeds::Stream;
use semblant_core::synthesizer::{Run, Synthesizer};
use semblant_data::table::{Column, ColumnKind, Table, simulate_patients};
use semblant_data::table::{Condition, TableRequest, Wanted};
use semblant_tabular::{TableModel, TableSynthesizer};

fn is(column: &str, value: &str) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Is(value.into()) }
}

fn between(column: &str, low: f64, high: f64) -> Condition {
    Condition { column: column.into(), wanted: Wanted::Between { low, high } }
}

fn fitted<C: TableModel>(table: &Table) -> semblant_core::Result<TableSynthesizer<C>> {
    let mut model = TableSynthesizer::default();
    model.fit(table, &mut Run::new(Device::flex(), 0)).map(|_| model)
}

fn request(rows: u64, conditions: Vec<Condition>) -> TableRequest {
    TableRequest { conditions, ..TableRequest::new(rows, 7) }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

/// Three normal columns: y = 0.8 x + 0.6 z and w = 0.5 x + sqrt(0.75) z', so the correlations with x are 0.8 and 0.5, and 0.4 between them.
fn normal_table(rows: u64) -> Table {
    let stream = Stream::new(1, 0);
    let noise = stream.matrix(0..rows, 3, Stream::normals);
    let column = |of: &dyn Fn(&[f32]) -> f64| Column::Number(noise.chunks(3).map(of).collect());
    let [x, y, w] = [
        column(&|n| f64::from(n[0])),
        column(&|n| 0.8 * f64::from(n[0]) + 0.6 * f64::from(n[1])),
        column(&|n| 0.5 * f64::from(n[0]) + 0.75f64.sqrt() * f64::from(n[2])),
    ];
    let kind = ColumnKind::Continuous;
    Table::from_columns(vec![("x", kind, x), ("y", kind, y), ("w", kind, w)]).expect("a table")
}

fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    table.column(name).expect("there").numbers().expect("numbers")
}

#[test]
fn a_point_condition_gives_the_conditional_normal_distribution() {
    let model = fitted::<CopulaConfig>(&normal_table(50_000)).expect("fittable");
    let sample = model.sample(&request(50_000, vec![is("x", "1.5")])).expect("possible").data;
    assert!(numbers(&sample, "x").iter().all(|&x| x == 1.5));
    // Given x = 1.5: y is normal with mean 0.8 * 1.5 and variance 1 - 0.64; w with mean 0.75 and variance 0.75.
    let (mean, variance) = moments(numbers(&sample, "y"));
    assert!((mean - 1.2).abs() < 0.02 && (variance - 0.36).abs() < 0.02, "y: {mean} {variance}");
    let (mean, variance) = moments(numbers(&sample, "w"));
    assert!((mean - 0.75).abs() < 0.03 && (variance - 0.75).abs() < 0.03, "w: {mean} {variance}");
}

#[test]
fn one_range_and_several_ranges_are_conditioned_on_jointly() {
    let model = fitted::<CopulaConfig>(&normal_table(50_000)).expect("fittable");
    let free = model.sample(&request(400_000, Vec::new())).expect("possible").data;
    let conditions = vec![between("x", 0.5, 1.0), between("w", -1.5, -0.5)];
    for conditions in [conditions[..1].to_vec(), conditions] {
        let sample = model.sample(&request(40_000, conditions.clone())).expect("possible").data;
        let holds = |table: &Table, row: usize| {
            conditions.iter().all(|condition| match condition.wanted {
                Wanted::Between { low, high } => (low..=high).contains(&numbers(table, &condition.column)[row]),
                _ => false,
            })
        };
        assert!((0..40_000).all(|row| holds(&sample, row)));
        // The same rows by refusing those that do not fit: the distribution that conditioning must give.
        let kept: Vec<usize> = (0..free.rows()).filter(|&row| holds(&free, row)).collect();
        for name in ["x", "y", "w"] {
            let (expected, found) = (moments(numbers(&free.take(&kept), name)), moments(numbers(&sample, name)));
            assert!((expected.0 - found.0).abs() < 0.025 && (expected.1 - found.1).abs() < 0.03, "{name}: {expected:?} {found:?}");
        }
    }
}

#[test]
fn marginals_correlations_and_missing_values_are_those_of_the_table() {
    let real = simulate_patients(20_000, 1);
    let sample = fitted::<CopulaConfig>(&real).expect("fittable").sample(&TableRequest::new(20_000, 3)).expect("possible").data;
    assert_eq!(sample.schema(), real.schema());
    for (described, (real, made)) in real.schema().columns.iter().zip(real.columns().iter().zip(sample.columns())) {
        let share = |column: &Column| column.missing() as f64 / column.len() as f64;
        assert!((share(real) - share(made)).abs() < 0.015, "{}", described.name);
        if let (Some(real), Some(made)) = (real.numbers(), made.numbers()) {
            let present = |values: &[f64]| moments(&values.iter().copied().filter(|value| !value.is_nan()).collect::<Vec<_>>());
            let (real, made) = (present(real), present(made));
            assert!(
                (real.0 - made.0).abs() < 0.05 * real.1.sqrt() && (real.1 / made.1 - 1.0).abs() < 0.2,
                "{}: {real:?} {made:?}",
                described.name
            );
        }
    }
    let correlation = |table: &Table| {
        let (a, b) = (numbers(table, "systolic"), numbers(table, "diastolic"));
        let ((a_mean, a_variance), (b_mean, b_variance)) = (moments(a), moments(b));
        a.iter().zip(b).map(|(a, b)| (a - a_mean) * (b - b_mean)).sum::<f64>() / a.len() as f64 / (a_variance * b_variance).sqrt()
    };
    assert!((correlation(&real) - correlation(&sample)).abs() < 0.03);
    // Cholesterol is missing far more often below 35.
    let missing = |table: &Table, young: bool| {
        let rows: Vec<usize> = (0..table.rows()).filter(|&row| (numbers(table, "age")[row] < 35.0) == young).collect();
        rows.iter().filter(|&&row| numbers(table, "cholesterol")[row].is_nan()).count() as f64 / rows.len() as f64
    };
    assert!(missing(&sample, true) > 2.0 * missing(&sample, false), "{} {}", missing(&sample, true), missing(&sample, false));
}

#[test]
fn every_row_meets_every_condition() {
    let real = simulate_patients(3_000, 1);
    let conditions = vec![
        is("diagnosis", "heart disease"),
        is("smoker", "yes"),
        between("age", 40.2, 60.9),
        between("cholesterol", 4.0, 7.0),
        is("cost", "0"),
        is("visit", "2023-05-17"),
    ];
    let free = fitted::<IndependentConfig>(&real).expect("fittable").sample(&request(2_000, conditions.clone())).expect("possible").data;
    for table in [fitted::<CopulaConfig>(&real).expect("fittable").sample(&request(2_000, conditions)).expect("possible").data, free] {
        for row in 0..2_000 {
            let cell = |name: &str| table.cell(row, table.schema().index_of(name).expect("there"));
            assert_eq!([cell("diagnosis"), cell("smoker"), cell("visit")], ["heart disease", "yes", "2023-05-17"]);
            let (age, cholesterol) = (numbers(&table, "age")[row], numbers(&table, "cholesterol")[row]);
            assert!((41.0..=60.0).contains(&age) && age.fract() == 0.0 && (4.0..=7.0).contains(&cholesterol), "{age} {cholesterol}");
            assert_eq!(numbers(&table, "cost")[row], 0.0);
        }
    }
    let missing = request(500, vec![is("cholesterol", "")]);
    let table = fitted::<CopulaConfig>(&real).expect("fittable").sample(&missing).expect("possible").data;
    assert_eq!(table.column("cholesterol").expect("there").missing(), 500);
    let (age, _) = moments(numbers(&table, "age"));
    assert!(age < 45.0, "those without a cholesterol value are younger, here {age}");
}

#[test]
fn balance_gives_every_label_equally_often() {
    let model = fitted::<CopulaConfig>(&simulate_patients(3_000, 1)).expect("fittable");
    let table = model.sample(&TableRequest { balance: Some("diagnosis".into()), ..TableRequest::new(1_000, 5) }).expect("possible").data;
    let (codes, _) = table.column("diagnosis").expect("there").categories().expect("labels");
    assert!((0..5).all(|code| codes.iter().filter(|&&c| c == code).count() == 200));
}

#[test]
fn impossible_conditions_are_named() {
    let model = fitted::<CopulaConfig>(&simulate_patients(2_000, 1)).expect("fittable");
    let said = |conditions: Vec<Condition>| model.sample(&request(1, conditions)).expect_err("impossible").to_string();
    for (condition, word) in [
        (is("diagnoses", "x"), "diagnosis"),
        (is("diagnosis", "flu"), "diabetes"),
        (is("sex", ""), "missing"),
        (between("sex", 0.0, 1.0), "range"),
        (is("age", "old"), "old"),
        (is("age", "130"), "95"),
        (between("age", 40.2, 40.8), "widen"),
        (is("patient_id", "P-1"), "not learned"),
    ] {
        let said = said(vec![condition]);
        assert!(said.contains(word) && !said.contains('\n'), "{said}");
    }
    assert!(said(vec![is("sex", "male"), is("sex", "female")]).contains("contradict"));
    let odd = TableRequest { balance: Some("age".into()), ..TableRequest::new(1, 1) };
    assert!(model.sample(&odd).expect_err("a number").to_string().contains("categorical"));
    assert!(GaussianCopula::default().sample(&TableRequest::new(1, 1)).expect_err("not fitted").to_string().contains("fit"));
}

#[test]
fn slices_and_reloaded_models_give_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.safetensors");
    let mut model = GaussianCopula::default();
    model.fit(&simulate_patients(2_000, 1), &mut Run::new(Device::flex(), 0)).expect("fittable");
    model.save(&path).expect("writable");
    let loaded = GaussianCopula::load(&path, &Device::flex()).expect("readable");
    let Err(error) = IndependentColumns::load(&path, &Device::flex()) else { panic!("another model is loaded") };
    assert!(error.to_string().contains("copula"), "{error}");
    for conditions in [Vec::new(), vec![between("age", 30.0, 50.0), is("smoker", "yes")]] {
        let whole = model.sample(&request(300, conditions.clone())).expect("possible").data;
        let slice = loaded.sample(&TableRequest { rows: 100..200, ..request(0, conditions) }).expect("possible").data;
        for row in 0..100 {
            assert!((0..11).all(|column| slice.cell(row, column) == whole.cell(row + 100, column)), "row {row}");
        }
    }
}

#[test]
fn degenerate_tables_are_fitted() {
    let table = Table::from_columns(vec![
        ("one", ColumnKind::Constant, Column::from_labels([Some("x"), Some("x")])),
        ("none", ColumnKind::Continuous, Column::Number(vec![f64::NAN, f64::NAN])),
        ("same", ColumnKind::Integer, Column::Number(vec![4.0, 4.0])),
        ("label", ColumnKind::Categorical, Column::from_labels([Some("a"), None])),
        ("twin", ColumnKind::Categorical, Column::from_labels([Some("a"), None])),
        ("id", ColumnKind::Id, Column::from_labels([Some("17"), Some("18")])),
    ])
    .expect("a table");
    let model = fitted::<CopulaConfig>(&table).expect("fittable");
    let made = model.sample(&TableRequest::new(50, 1)).expect("possible").data;
    assert!((0..50).all(|row| made.cell(row, 0) == "x" && made.cell(row, 1).is_empty() && made.cell(row, 2) == "4"));
    assert_eq!(made.cell(3, 5), "23", "beyond the greatest");
    let twins = (0..50).filter(|&row| made.cell(row, 3) == made.cell(row, 4)).count();
    assert!(twins >= 45, "equal columns stay equal, here {twins} times in 50");
    assert!(fitted::<CopulaConfig>(&table.take(&[0])).is_ok());
    let Err(error) = fitted::<CopulaConfig>(&table.take(&[])) else { panic!("no rows are learned from") };
    assert!(error.to_string().contains("no rows"), "{error}");
}

#[test]
fn files_hold_no_values_but_quantiles() {
    let rows = 20_000u32;
    let secret = Table::from_columns(vec![("x", ColumnKind::Continuous, Column::Number((0..rows).map(|i| f64::from(i).sqrt()).collect()))]);
    let mut file = Vec::new();
    let checkpoint =
        fitted::<IndependentConfig>(&secret.expect("a table")).expect("fittable").to_checkpoint("m".as_ref()).expect("writable");
    checkpoint.write_to(&mut file).expect("in memory");
    assert!(file.len() < 1_000 * 25 + 2_000, "{} bytes", file.len());
    assert!(IndependentColumns::load(Path::new("/absent"), &Device::flex()).is_err());
}
