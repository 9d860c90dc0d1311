//! Made-up patients whose dependencies are known, for examples and tests that need no download.

use std::sync::Arc;

use semblant_core::normal;
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::SIMULATION;

use super::Table;
use super::column::{Column, MISSING};
use super::id::IdFormat;
use super::schema::{ColumnKind, ColumnSchema, Schema};

const SECONDS_PER_DAY: f64 = 86_400.0;
/// 2022-01-01, in days since 1970-01-01; visits fall into the three years from there.
const FIRST_DAY: f64 = 18_993.0;
const DAYS: u64 = 1_096;
const DIAGNOSES: [&str; 5] = ["healthy", "hypertension", "diabetes", "asthma", "heart disease"];
/// The part of the logarithm of the cost that the diagnosis decides.
const COST: [f64; 5] = [3.8, 5.0, 5.9, 4.7, 7.2];

/// Patients of an imaginary clinic, one visit each. Row `i` of a seed is the same in every table of that seed.
///
/// What depends on what, `z` being standard normal numbers:
///
/// - `age` is 52 + 18 z, kept within 18 and 95, and `sex` is `female` in 52 % of rows.
/// - `bmi` is 19 + 0.05 (age - 50) + 6 exp(0.35 z), and 0.6 higher in men.
/// - `smoker` has the log-odds -1 - 0.02 (age - 50), and 0.4 more in men. It is missing in 8 % of the `healthy` and 2 % of the others.
/// - `systolic` is 118 + 0.45 (age - 50) + 0.9 (bmi - 26) + 9 z, and 4 higher in men; `diastolic` is 24 + 0.43 systolic + 6 z.
/// - `cholesterol` (mmol/l) is 5 + 0.012 (age - 50) + 0.05 (bmi - 26) + 0.8 z, and 0.35 higher in smokers. It is missing in 40 % of rows
///   with an age below 35 and in 5 % of the others: whether it is known depends on the age.
/// - `diagnosis` has the scores 1.2 (`healthy`), (systolic - 135) / 8 (`hypertension`), (bmi - 31) / 3 (`diabetes`), -0.3 (`asthma`) and
///   (age - 72) / 8 + 1.5 (cholesterol - 5.5) / 2 + smoker (`heart disease`), each plus Gumbel noise; the highest wins.
/// - `cost` is 0 in 60 % of the `healthy` and 8 % of the others; else its logarithm is 3.8, 5, 5.9, 4.7 or 7.2 by diagnosis,
///   plus 0.01 (age - 50) + 0.5 z.
/// - `visit` is any day of 2022 to 2024 and depends on nothing; `patient_id` counts the rows.
pub fn simulate_patients(rows: usize, seed: u64) -> Table {
    let stream = SIMULATION.of(seed);
    let patients: Vec<Patient> = (0..rows as u64).map(|row| Patient::draw(&stream, row)).collect();
    let number = |of: fn(&Patient) -> f64| Column::Number(patients.iter().map(of).collect());
    let label = |levels: &[&str], of: fn(&Patient) -> u32| Column::Category {
        codes: patients.iter().map(of).collect(),
        levels: Arc::new(levels.iter().map(|&level| level.to_owned()).collect()),
    };
    let id = IdFormat::Prefix { prefix: "P-".into(), start: 1, width: 7 };
    let plain = |name, kind| ColumnSchema::new(name, kind);
    let decimals = |name, decimals| ColumnSchema { decimals: Some(decimals), ..plain(name, ColumnKind::Continuous) };
    let columns = vec![
        (plain("patient_id", ColumnKind::Id), Column::from_labels((0..rows as u64).map(|row| Some(id.generate(row, seed))))),
        (ColumnSchema { format: Some("%Y-%m-%d".into()), ..plain("visit", ColumnKind::Datetime) }, number(|p| p.visit)),
        (plain("age", ColumnKind::Integer), number(|p| p.age)),
        (plain("sex", ColumnKind::Categorical), label(&["female", "male"], |p| u32::from(p.male))),
        (decimals("bmi", 1), number(|p| p.bmi)),
        (plain("smoker", ColumnKind::Boolean), label(&["no", "yes"], |p| p.smoker.map_or(MISSING, u32::from))),
        (plain("systolic", ColumnKind::Integer), number(|p| p.systolic)),
        (plain("diastolic", ColumnKind::Integer), number(|p| p.diastolic)),
        (decimals("cholesterol", 1), number(|p| p.cholesterol)),
        (plain("diagnosis", ColumnKind::Categorical), label(&DIAGNOSES, |p| p.diagnosis)),
        (decimals("cost", 2), number(|p| p.cost)),
    ];
    let (mut described, columns): (Vec<ColumnSchema>, Vec<Column>) = columns.into_iter().unzip();
    // New ids are none of these.
    described[0].complete(&columns[0]);
    Table { schema: Schema { target: Some("diagnosis".into()), columns: described, ..Schema::default() }, columns, rows }
}

struct Patient {
    visit: f64,
    age: f64,
    male: bool,
    bmi: f64,
    smoker: Option<bool>,
    systolic: f64,
    diastolic: f64,
    cholesterol: f64,
    diagnosis: u32,
    cost: f64,
}

impl Patient {
    fn draw(stream: &Stream, row: u64) -> Self {
        // Every number has its own position, so that a change to one column leaves the others as they were.
        let uniform = |position| stream.uniform_f64(row, position);
        let normal = |position| normal::quantile(uniform(position));
        let one_decimal = |value: f64| (value * 10.0).round() / 10.0;
        let age = (52.0 + 18.0 * normal(0)).round().clamp(18.0, 95.0);
        let male = uniform(1) < 0.48;
        let man = f64::from(u8::from(male));
        let bmi = one_decimal(19.0 + 0.05 * (age - 50.0) + 6.0 * (0.35 * normal(2)).exp() + 0.6 * man);
        let smokes = uniform(3) < 1.0 / (1.0 + (1.0 + 0.02 * (age - 50.0) - 0.4 * man).exp());
        let systolic = (118.0 + 0.45 * (age - 50.0) + 0.9 * (bmi - 26.0) + 4.0 * man + 9.0 * normal(4)).round();
        let diastolic = (24.0 + 0.43 * systolic + 6.0 * normal(5)).round();
        let smoking = f64::from(u8::from(smokes));
        let cholesterol = one_decimal(5.0 + 0.012 * (age - 50.0) + 0.05 * (bmi - 26.0) + 0.35 * smoking + 0.8 * normal(6)).max(1.0);
        let scores =
            [1.2, (systolic - 135.0) / 8.0, (bmi - 31.0) / 3.0, -0.3, (age - 72.0) / 8.0 + 1.5 * (cholesterol - 5.5) / 2.0 + smoking];
        let gumbel = |position| -(-uniform(position).max(f64::MIN_POSITIVE).ln()).ln();
        let noisy = |index: usize| scores[index] + gumbel(7 + index as u32);
        let diagnosis = (1..scores.len()).fold(0, |best, index| if noisy(index) > noisy(best) { index } else { best });
        let healthy = diagnosis == 0;
        let free = uniform(12) < if healthy { 0.6 } else { 0.08 };
        let cost = (COST[diagnosis] + 0.01 * (age - 50.0) + 0.5 * normal(13)).exp();
        Self {
            visit: (FIRST_DAY + stream.below(row, 14, DAYS) as f64) * SECONDS_PER_DAY,
            age,
            male,
            bmi,
            smoker: (uniform(15) >= if healthy { 0.08 } else { 0.02 }).then_some(smokes),
            systolic,
            diastolic,
            cholesterol: if uniform(16) < if age < 35.0 { 0.4 } else { 0.05 } { f64::NAN } else { cholesterol },
            diagnosis: diagnosis as u32,
            cost: if free { 0.0 } else { (cost * 100.0).round() / 100.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_addressed_by_row_and_depend_as_stated() {
        let table = simulate_patients(5_000, 3);
        let short = simulate_patients(10, 3);
        assert!((0..10).all(|row| (0..11).all(|column| table.cell(row, column) == short.cell(row, column))));
        assert_ne!(simulate_patients(10, 4).cell(0, 2), "");
        Table::new(table.schema().clone(), table.columns().to_vec()).expect("a table like any other");
        let numbers = |name: &str| table.column(name).expect("there").numbers().expect("numbers").to_vec();
        let (age, cholesterol, cost) = (numbers("age"), numbers("cholesterol"), numbers("cost"));
        let missing = |young: bool| {
            let rows: Vec<usize> = (0..5_000).filter(|&row| (age[row] < 35.0) == young).collect();
            rows.iter().filter(|&&row| cholesterol[row].is_nan()).count() as f64 / rows.len() as f64
        };
        assert!((missing(true) - 0.4).abs() < 0.05 && (missing(false) - 0.05).abs() < 0.02, "{} {}", missing(true), missing(false));
        let free = cost.iter().filter(|&&cost| cost == 0.0).count();
        assert!((1_000..2_500).contains(&free), "{free} cost nothing");
        let (codes, levels) = table.column("diagnosis").expect("there").categories().expect("labels");
        let shares: Vec<usize> = (0..levels.len() as u32).map(|code| codes.iter().filter(|&&c| c == code).count()).collect();
        assert!(shares.iter().all(|&share| share > 200), "{shares:?}");
    }
}
