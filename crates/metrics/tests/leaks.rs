//! What the answer on privacy says of copies, near copies and identifying values, with and without a holdout.

use semblant_data::table::{Column, ColumnKind, Table};
use semblant_metrics::report::{Content, Grade, ReferenceFrom, Verdict};
use semblant_metrics::{Options, Report, evaluate};

/// A number of 40 bits that looks independent for each row and purpose (SplitMix64).
fn hash(row: usize, purpose: u64) -> u64 {
    let mut state = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(purpose << 40);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (state ^ (state >> 31)) >> 24
}

/// Three columns of numbers and one of labels; `from` is the first row of an endless population.
fn people(from: usize, rows: usize) -> Table {
    let number = |purpose| Column::Number((from..from + rows).map(|row| (hash(row, purpose) % 1_000_000) as f64 / 100.0).collect());
    let label = Column::from_labels((from..from + rows).map(|row| Some(["red", "green", "blue"][hash(row, 4) as usize % 3])));
    Table::from_columns(vec![
        ("x", ColumnKind::Continuous, number(1)),
        ("y", ColumnKind::Continuous, number(2)),
        ("z", ColumnKind::Continuous, number(3)),
        ("colour", ColumnKind::Categorical, label),
    ])
    .expect("a table")
}

/// The table with one more column of labels in front.
fn with(name: &str, kind: ColumnKind, table: &Table, label: impl Fn(usize) -> String) -> Table {
    let labels = Column::from_labels((0..table.rows()).map(|row| Some(label(row))));
    let others = table.iter().map(|(described, column)| (described.name.as_str(), described.kind, column.clone()));
    Table::from_columns([(name, kind, labels)].into_iter().chain(others).collect()).expect("a table")
}

fn run(real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Report {
    let options = Options { learners: Vec::new(), ..Options::default() };
    evaluate(real, synthetic, holdout, &options, &mut |_| {}).expect("a report")
}

fn privacy(real: &Table, synthetic: &Table, holdout: Option<&Table>) -> Verdict {
    run(real, synthetic, holdout).verdicts[2].clone()
}

#[track_caller]
fn poor(verdict: &Verdict, answer: &str, texts: &[&str]) {
    assert_eq!((verdict.grade, verdict.answer.as_str()), (Grade::Poor, answer), "{verdict:?}");
    for text in texts {
        assert!(verdict.because.contains(text), "{text}: {verdict:?}");
    }
}

#[test]
fn a_table_against_itself_gives_everyone_away() {
    let (real, holdout) = (people(0, 500), people(1000, 300));
    for holdout in [Some(&holdout), None] {
        poor(&privacy(&real, &real, holdout), "Gives everyone away", &["the same rows", "everyone", "100.00 %"]);
        // A part of it in another order is no better.
        let part: Vec<usize> = (0..400).rev().collect();
        poor(&privacy(&real, &real.take(&part), holdout), "Gives everyone away", &["everyone"]);
    }
    // Also where rows repeat each other.
    let coarse = Table::from_columns(vec![("colour", ColumnKind::Categorical, real.columns()[3].clone())]).expect("a table");
    poor(&privacy(&coarse, &coarse, None), "Gives everyone away", &["the same rows"]);
    poor(&privacy(&coarse, &coarse, Some(&coarse)), "Gives everyone away", &["the same rows"]);
}

#[test]
fn copies_are_judged_without_a_holdout() {
    let (real, fresh) = (people(0, 600), people(2000, 600));
    let report = run(&real, &fresh, None);
    let verdict = &report.verdicts[2];
    assert!(verdict.grade == Grade::Unknown && verdict.answer.starts_with("No copies found") && verdict.because.contains("holdout"));
    for id in ["copies", "dcr_median", "dcr_percentile_5", "new_row_synthesis", "dcr_baseline_protection"] {
        let score = report.score(id).expect("listed");
        assert_eq!(score.reference_from, ReferenceFrom::WithinReal, "{id}");
        let (value, reference) = (score.value.expect("defined"), score.reference.expect("defined"));
        assert!((value - reference).abs() < 0.05 * reference.max(0.4), "{id}: {value} against {reference}");
    }
    let mut copied = fresh.take(&(0..540).collect::<Vec<_>>());
    copied.append(&real.take(&(0..60).collect::<Vec<_>>())).expect("the same columns");
    poor(&privacy(&real, &copied, None), "Signs of leakage", &["10.00 % of the synthetic rows equal a training row"]);
}

#[test]
fn near_copies_are_judged_without_a_holdout() {
    let real = people(0, 600);
    // Every number is off by a thousandth, far less than rows differ.
    let moved = |column: &Column| match column {
        Column::Number(values) => Column::Number(values.iter().map(|value| value * 1.001 + 0.01).collect()),
        other => other.clone(),
    };
    let near = Table::new(real.schema().clone(), real.columns().iter().map(moved).collect()).expect("the same columns");
    poor(&privacy(&real, &near, None), "Signs of leakage", &["0.00 % of the synthetic rows equal", "closer to one than all but 5 %"]);
}

#[test]
fn rows_of_a_coarse_table_may_repeat() {
    let coarse = |from: usize| {
        let label = |purpose: u64, labels: u64| {
            Column::from_labels((from..from + 500).map(move |row| Some((hash(row, purpose) % labels).to_string())))
        };
        Table::from_columns(vec![("a", ColumnKind::Categorical, label(1, 3)), ("b", ColumnKind::Categorical, label(2, 4))])
            .expect("a table")
    };
    let (real, fresh, holdout) = (coarse(0), coarse(700), coarse(1400));
    let report = run(&real, &fresh, None);
    assert_eq!(report.score("copies").map(|score| (score.value, score.reference)), Some((Some(1.0), Some(1.0))));
    assert_eq!(report.verdicts[2].grade, Grade::Unknown, "{:?}", report.verdicts[2]);
    assert_ne!(privacy(&real, &fresh, Some(&holdout)).grade, Grade::Poor);
}

#[test]
fn real_ids_fail_with_and_without_a_holdout_and_new_ones_do_not() {
    let ids = |from: usize, population: usize, rows: usize| {
        with("patient", ColumnKind::Id, &people(population, rows), move |row| (from + row).to_string())
    };
    let (real, kept, new, holdout) = (ids(1, 0, 500), ids(1, 2000, 500), ids(501, 2000, 500), ids(9001, 1000, 300));
    for holdout in [Some(&holdout), None] {
        let report = run(&real, &kept, holdout);
        poor(&report.verdicts[2], "Identifying values come back", &["`patient`", "100.0 %", "`semblant fit --drop patient`"]);
        let score = report.score("identifying_values").expect("listed");
        assert_eq!((score.value, score.reference, score.reference_from), (Some(1.0), Some(0.0), ReferenceFrom::Ideal));
        assert!(
            report.to_html().contains("Identifying values")
                && matches!(report.section("identifying").expect("there").content, Content::Table(_))
        );
        assert_ne!(privacy(&real, &new, holdout).grade, Grade::Poor);
    }
}

#[test]
fn names_that_are_declared_categories_fail_and_the_remedy_is_named() {
    let names = |population: usize, rows: usize| {
        with("name", ColumnKind::Categorical, &people(population, rows), move |row| format!("name {}", hash(population + row, 9)))
    };
    let (real, new, holdout) = (names(0, 500), names(2000, 500), names(1000, 300));
    // A model of categories repeats the labels that it knows.
    let repeated = with("name", ColumnKind::Categorical, &people(2000, 500), |row| format!("name {}", hash(row * 7 % 500, 9)));
    for holdout in [Some(&holdout), None] {
        let verdict = privacy(&real, &repeated, holdout);
        poor(&verdict, "Identifying values come back", &["`name`", "`kind = \"id\"`", "`semblant fit --drop name`"]);
        let fresh = privacy(&real, &new, holdout);
        assert!(!matches!(fresh.grade, Grade::Poor | Grade::Fair), "{fresh:?}");
    }
}

#[test]
fn a_rare_label_of_a_plain_column_raises_no_alarm() {
    let rare = |population: usize| {
        with("answer", ColumnKind::Boolean, &people(population, 300), |row| if row == 7 { "yes".into() } else { "no".into() })
    };
    let report = run(&rare(0), &rare(2000), None);
    assert_eq!(report.verdicts[2].grade, Grade::Unknown, "{:?}", report.verdicts[2]);
    let json = serde_json::to_string(report.section("identifying").expect("there")).expect("JSON");
    assert!(json.contains("\"watch\""), "{json}");
}

#[test]
fn the_fifth_that_is_held_out_is_named() {
    let (real, fresh) = (people(0, 300), people(2000, 300));
    let options = Options { target: Some("colour".into()), ..Options::default() };
    let report = evaluate(&real, &fresh, None, &options, &mut |_| {}).expect("a report");
    assert!(report.notes.iter().any(|note| note.contains("A fifth of the real rows was held out")), "{:?}", report.notes);
    assert!(report.section("models").expect("there").text.contains("a fifth of them"));
}
