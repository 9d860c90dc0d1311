//! Rules and fitted models in one spec.

use std::collections::BTreeMap;
use std::path::Path;

use semblant::data::table::simulate_patients;
use semblant::metrics::{Options, evaluate};
use semblant::prelude::*;
use semblant::rules::{Generator, NoModels, Plan, RegistryModels, RulesConfig, Spec, patients, table_of};

const SPEC: &str = r#"
[[table]]
name = "patients"
rows = 6000
[[table.learned]]
model = "model.safetensors"
given = ["age", "sex"]
columns = ["systolic", "diagnosis", "bmi"]
[[table.column]]
name = "age"
draw = { integers = { min = 60, max = 80 } }
[[table.column]]
name = "sex"
draw = { categories = { female = 1, male = 3 } }
[[table.column]]
name = "bmi"
clip = [20, 30]
[[table.column]]
name = "risk"
expression = "systolic / 100 + bmi / 10"
[[table.constraint]]
check = "systolic > 100"
"#;

fn fitted(folder: &Path) -> Box<dyn Synthesizer<Table>> {
    let path = folder.join("model.safetensors");
    let mut model = GaussianCopula::default();
    model.fit(&simulate_patients(4_000, 0), &mut Run::new(semblant::device::select("cpu").expect("a CPU"), 1)).expect("a fit");
    model.save(&path).expect("writable");
    semblant::load(&path, "cpu").expect("a model")
}

fn numbers<'t>(table: &'t Table, column: &str) -> &'t [f64] {
    table.column(column).expect("there").numbers().expect("numbers")
}

fn shares(table: &Table, column: &str) -> BTreeMap<String, f64> {
    let mut shares = BTreeMap::new();
    let column = table.column(column).expect("there");
    (0..table.rows())
        .filter_map(|row| column.label(row))
        .for_each(|label| *shares.entry(label.to_owned()).or_insert(0.0) += 1.0 / table.rows() as f64);
    shares
}

#[test]
fn learned_columns_follow_the_models_conditional_distribution() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = fitted(folder.path());
    std::fs::write(folder.path().join("spec.toml"), SPEC).expect("writable");
    let registry = Registry::default();
    let models = RegistryModels::new(&registry, semblant::device::select("cpu").expect("a CPU"));
    let plan = Plan::read(folder.path().join("spec.toml"), &models).unwrap_or_else(|error| panic!("{error}"));
    let generator = Generator::new(&plan, 3, 1.0).expect("right");
    let made = generator.rows("patients", 0..6_000).unwrap_or_else(|error| panic!("{error}"));
    // What rules say holds.
    assert!(numbers(&made, "age").iter().all(|age| (60.0..=80.0).contains(age)));
    assert!(numbers(&made, "bmi").iter().all(|bmi| (20.0..=30.0).contains(bmi)));
    assert!(numbers(&made, "systolic").iter().all(|systolic| *systolic > 100.0));
    assert!((shares(&made, "sex")["male"] - 0.75).abs() < 0.02);
    let risk = numbers(&made, "systolic").iter().zip(numbers(&made, "bmi")).map(|(systolic, bmi)| systolic / 100.0 + bmi / 10.0);
    assert!(risk.zip(numbers(&made, "risk")).all(|(a, b)| (a - b).abs() < 1e-9));
    // What is learned is as the model itself has it, given the same ages and sexes.
    let schema = Schema {
        columns: made.schema().columns.iter().filter(|column| ["age", "sex"].contains(&column.name.as_str())).cloned().collect(),
        ..Schema::default()
    };
    let given =
        Table::new(schema, vec![made.column("age").expect("there").clone(), made.column("sex").expect("there").clone()]).expect("a table");
    let own = model.sample(&TableRequest::new(0, 99).with_given(given, 1)).expect("rows").data;
    let mean = |table: &Table| {
        let all: Vec<f64> = numbers(table, "systolic").iter().copied().filter(|systolic| *systolic > 100.0).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    assert!((mean(&made) - mean(&own)).abs() < 1.0, "{} {}", mean(&made), mean(&own));
    let (a, b) = (shares(&made, "diagnosis"), shares(&own, "diagnosis"));
    for (label, share) in &b {
        let found = a.get(label).copied().unwrap_or(0.0);
        // Four standard errors of the difference of two samples.
        assert!((found - share).abs() < 4.0 * (2.0 * share * (1.0 - share) / 6_000.0).sqrt() + 0.005, "{label}: {found}, not {share}");
    }
    // Slices are those of the whole.
    for (start, end) in [(0, 10), (777, 1_005), (5_999, 6_000)] {
        let slice = generator.rows("patients", start..end).expect("rows");
        let whole = made.take(&(start as usize..end as usize).collect::<Vec<_>>());
        (0..slice.rows())
            .for_each(|row| (0..slice.columns().len()).for_each(|column| assert_eq!(slice.cell(row, column), whole.cell(row, column))));
    }
}

#[test]
fn faults_of_learned_columns_have_their_places() {
    let folder = tempfile::tempdir().expect("a folder");
    fitted(folder.path());
    std::fs::write(folder.path().join("no-model.safetensors"), "x").expect("writable");
    let registry = Registry::default();
    let models = RegistryModels::new(&registry, semblant::device::select("cpu").expect("a CPU"));
    for (from, to, place, words) in [
        ("model.safetensors", "none.safetensors", ":6:9: ", "there is no file"),
        ("model.safetensors", "no-model.safetensors", ":6:9: ", "no-model.safetensors"),
        ("\"systolic\", \"diag", "\"sistolic\", \"diag", ":8:12: ", "no column \"sistolic\""),
        ("given = [\"age\", \"sex\"]", "given = [\"risk\"]", ":7:10: ", "no column \"risk\""),
        ("given = [\"age\", \"sex\"]", "given = [\"bmi\"]", ":7:10: ", "take it out of given"),
    ] {
        let text = SPEC.replace(from, to);
        std::fs::write(folder.path().join("spec.toml"), &text).expect("writable");
        let error = Plan::read(folder.path().join("spec.toml"), &models).expect_err("wrong").to_string();
        assert!(error.contains(place) && error.contains(words) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn the_spec_of_patients_has_the_law_of_the_simulation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/rules/patients.toml");
    let plan = Plan::read(path, &semblant::rules::NoModels).unwrap_or_else(|error| panic!("{error}"));
    let made = Generator::new(&plan, 5, 4.0).expect("right").rows("patients", 0..40_000).expect("rows");
    let simulated = simulate_patients(40_000, 5);
    for column in ["age", "bmi", "systolic", "diastolic", "cholesterol", "cost", "visit"] {
        let sorted = |table: &Table| {
            let mut all: Vec<f64> = numbers(table, column).iter().copied().filter(|value| !value.is_nan()).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (a, b) = (sorted(&made), sorted(&simulated));
        let share = |all: &[f64], x: f64| all.partition_point(|value| *value <= x) as f64 / all.len() as f64;
        let distance = a.iter().chain(&b).map(|&x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
        // The chance of more is one in a thousand for two samples of this size.
        assert!(distance < 1.95 * (2.0f64 / 36_000.0).sqrt(), "{column}: {distance}");
        let missing = |table: &Table| table.column(column).expect("there").missing() as f64 / 40_000.0;
        assert!((missing(&made) - missing(&simulated)).abs() < 0.01, "{column}");
    }
    for column in ["sex", "diagnosis"] {
        let (a, b) = (shares(&made, column), shares(&simulated, column));
        assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
        assert!(a.iter().all(|(label, share)| (share - b[label]).abs() < 0.015), "{column}: {a:?} {b:?}");
    }
}

const SHOP: &str = r#"
[[table]]
name = "customers"
rows = 500
key = "id"
[[table.column]]
name = "id"
draw = { sequence = {} }
[[table.column]]
name = "country"
draw = { categories = { DE = 8, FR = 2 } }
[[table]]
name = "orders"
per = "customers"
children = { poisson = { mean = 4 } }
[[table.column]]
name = "customer"
expression = "customers.id"
[[table.column]]
name = "country"
expression = "customers.country"
[[table.column]]
name = "number"
draw = { integers = { min = 1, max = 100000 } }
unique = true
[[table.column]]
name = "kind"
draw = { lookup = { file = "kinds.csv", keys = ["country"], value = "kind" } }
[[table.column]]
name = "price"
decimals = 2
draw = { lognormal = { mu = "case kind when 'book' then 2 else 4 end", sigma = 0.5 } }
[[table.constraint]]
check = "price < 300"
"#;

fn shop(folder: &Path, table: &str) -> semblant::rules::RulesModel {
    std::fs::write(folder.join("shop.toml"), SHOP).expect("writable");
    std::fs::write(folder.join("kinds.csv"), "country,kind\nDE,book\nDE,lamp\nFR,book\n").expect("writable");
    let config = RulesConfig { spec: Some(folder.join("shop.toml")), table: Some(table.into()), ..RulesConfig::default() };
    table_of(config).and_then(|model| model.open(&semblant::device::select("cpu")?)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_table_of_a_spec_samples_as_fitted_models_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = shop(folder.path(), "orders");
    let plain = model.sample(&TableRequest::new(1_500, 3)).expect("rows").data;
    let plan = Plan::read(folder.path().join("shop.toml"), &NoModels).expect("right");
    let generator = Generator::new(&plan, 3, 1.0).expect("right");
    assert_eq!(plain, generator.rows("orders", 0..1_500).expect("rows"));
    let asked = |rows| TableRequest { rows, ..TableRequest::new(0, 3).with("country", "FR").with_between("price", 10.0, 1e9) };
    let found = model.sample(&asked(0..1_500)).expect("met");
    let (country, price) = (found.data.column("country").expect("there"), numbers(&found.data, "price"));
    assert!((0..1_500).all(|row| country.label(row) == Some("FR") && (10.0..300.0).contains(&price[row])));
    assert!(found.drawn_rows > 1_500 * 5, "a fifth are of the country, {}", found.drawn_rows);
    // A row that meets the condition anyway is the same, and keys stay what they are.
    let meets: Vec<usize> = (0..1_500)
        .filter(|&row| plain.column("country").expect("there").label(row) == Some("FR") && numbers(&plain, "price")[row] >= 10.0)
        .collect();
    assert!(meets.len() > 50);
    assert_eq!(plain.take(&meets), found.data.take(&meets));
    assert_eq!(numbers(&plain, "number"), numbers(&found.data, "number"));
    // Who the customer is follows the country, among those that there are.
    let customers = generator.rows("customers", 0..500).expect("rows");
    for (row, id) in numbers(&found.data, "customer").iter().enumerate() {
        assert_eq!(customers.column("country").expect("there").label(*id as usize - 1), Some("FR"), "row {row}");
    }
    // The distribution under a condition is that of rows that meet it.
    let logs = |table: &Table, rows: &[usize]| {
        let all: Vec<f64> = rows.iter().map(|&row| numbers(table, "price")[row].ln()).collect();
        (all.iter().sum::<f64>() / all.len() as f64, all.len() as f64)
    };
    let whole = model.sample(&TableRequest::new(1_900, 4)).expect("rows").data;
    let of_country: Vec<usize> = (0..1_900)
        .filter(|&row| whole.column("country").expect("there").label(row) == Some("FR") && numbers(&whole, "price")[row] >= 10.0)
        .collect();
    let ((a, _), (b, count)) = (logs(&found.data, &(0..1_500).collect::<Vec<_>>()), logs(&whole, &of_country));
    // Four standard errors; the logarithms have a standard deviation of less than 0.5.
    assert!((a - b).abs() < 4.0 * 0.5 / count.sqrt(), "{a} {b} {count}");
    // Slices and seeds.
    let slice = model.sample(&asked(700..720)).expect("met").data;
    assert_eq!(slice, found.data.take(&(700..720).collect::<Vec<_>>()));
    assert_ne!(model.sample(&TableRequest::new(20, 4)).expect("rows").data, plain.take(&(0..20).collect::<Vec<_>>()));
    // What cannot be.
    for (request, words) in [
        (TableRequest::new(5, 1).with("country", "XX"), "too rare"),
        (TableRequest::new(5, 1).with_expression("price > 400"), "too rare"),
        (TableRequest::new(5, 1).with("cuntry", "FR"), "no column \"cuntry\""),
        (TableRequest::new(5_000, 1), "larger scale"),
    ] {
        let said = model.sample(&request).expect_err("refused").to_string();
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn the_file_of_a_table_of_a_spec_needs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("orders.safetensors");
    let model = shop(folder.path(), "orders");
    let request = TableRequest::new(400, 9).with("kind", "book");
    let rows = model.sample(&request).expect("rows");
    model.save(&path).expect("writable");
    let first = std::fs::read(&path).expect("there");
    ["shop.toml", "kinds.csv"].iter().for_each(|name| std::fs::remove_file(folder.path().join(name)).expect("there"));
    let loaded = semblant::load::<Table>(&path, "cpu").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.sample(&request).expect("rows"), rows);
    loaded.save(&path).expect("writable");
    assert_eq!(std::fs::read(&path).expect("there"), first);
    // A file that was tampered with is refused by name.
    let at = first.windows(7).position(|bytes| bytes == b"poisson").expect("the spec is in it");
    let mut wrong = first.clone();
    wrong[at..at + 7].copy_from_slice(b"poissin");
    std::fs::write(&path, wrong).expect("writable");
    let said = semblant::load::<Table>(&path, "cpu").err().expect("refused").to_string();
    assert!(said.contains("orders.safetensors") && said.contains("shop.toml:") && said.contains("poisson"), "{said}");
}

#[test]
fn a_fit_checks_the_columns_and_learns_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = shop(folder.path(), "orders");
    let rows = model.sample(&TableRequest::new(50, 1)).expect("rows").data;
    let settings = serde_json::json!({ "spec": folder.path().join("shop.toml"), "table": "orders" });
    let run = || Run::new(semblant::device::select("cpu").expect("a CPU"), 1);
    let mut fitted = semblant::model::<Table>("rules", settings.clone()).expect("known");
    assert!(fitted.sample(&TableRequest::new(5, 1)).expect_err("not fitted").to_string().contains("fit"));
    assert_eq!(fitted.fit(&rows, &mut run()).expect("the columns").steps, 0);
    assert_eq!(fitted.sample(&TableRequest::new(50, 1)).expect("rows").data, rows);
    let other = simulate_patients(50, 1);
    for (settings, data, words) in [
        (settings.clone(), &other, "column \"customer\""),
        (serde_json::json!({ "spec": folder.path().join("shop.toml") }), &rows, "name one, with `semblant fit --set table=NAME`"),
        (serde_json::json!({ "spec": folder.path().join("shop.toml"), "table": "order" }), &rows, "did you mean \"orders\""),
        (serde_json::json!({ "spec": folder.path().join("none.toml"), "table": "orders" }), &rows, "none.toml"),
        (serde_json::json!({}), &rows, "--set spec=FILE"),
    ] {
        let mut model = semblant::model::<Table>("rules", settings).expect("known");
        let said = model.fit(data, &mut run()).expect_err("refused").to_string();
        assert!(said.contains(words), "{said}");
    }
    assert!(semblant::model::<Table>("rules", serde_json::json!({ "scale": -1 })).err().expect("refused").to_string().contains("scale"));
}

#[test]
fn the_report_says_where_declared_logic_departs() {
    let text = include_str!("../../../datasets/rules/patients.toml");
    // The ages are of younger people, the pressure does not rise with them, and who is ill depends on nothing.
    let changes = [
        ("normal = { mean = 52, sd = 18 }", "normal = { mean = 40, sd = 12 }"),
        ("118 + 0.45 * (age - 50) + 0.9 * (bmi - 26)", "130 + 0 * (age - 50)"),
        ("\"exp((systolic - 135) / 8)\"", "0.5"),
        ("\"exp((bmi - 31) / 3)\"", "0.3"),
    ];
    let wrong = changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let plan = Plan::new(&Spec::parse("p.toml", &wrong).expect("a spec"), "p.toml", &NoModels).expect("right");
    let made = Generator::new(&plan, 2, 1.0).expect("right").rows("patients", 0..1_500).expect("rows");
    let (real, holdout) = (patients(0..1_500, 1).expect("rows"), patients(1_500..3_000, 1).expect("rows"));
    let options = Options { target: Some("diagnosis".into()), max_rows: Some(300), ..Options::default() };
    let said = |made: &Table| {
        let report = evaluate(&real, made, Some(&holdout), &options, &mut |_| {}).expect("a report");
        let value = |id: &str| report.scores.iter().find(|score| score.id == id).and_then(|score| score.value).expect("defined");
        (report.to_text().join(" ").split_whitespace().collect::<Vec<_>>().join(" "), value("relations_kept"), value("utility_auc"))
    };
    let (text, kept, utility) = said(&made);
    let (_, true_kept, true_utility) = said(&patients(3_000..4_500, 1).expect("rows"));
    // Columns and pairs that depart most come first, with how far; the loss of a model trained on such rows is measured on real ones.
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words} in {text}"));
    let columns = place("Columns whose distribution differs: `systolic`");
    assert!(columns < place("`age` (") && place("`age` (") < place("fewest between age and systolic"), "{text}");
    assert!(kept < 0.0 && true_kept > 0.8, "{kept} {true_kept}");
    assert!(utility < true_utility - 0.03, "{utility} {true_utility}");
}
