//! The report never panics, says why a score is missing, escapes what it shows and is reproducible.

use semblant_data::table::{Column, ColumnKind, Table};
use semblant_metrics::report::Mark;
use semblant_metrics::{Error, Options, Report, evaluate};

fn labels(text: &str) -> Column {
    Column::from_labels(text.chars().map(|c| (c != '.').then(|| c.to_string())))
}

fn numbers(rows: usize, seed: u64) -> Column {
    // A multiplicative hash is random enough here.
    Column::Number((0..rows as u64).map(|row| ((row + seed * 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64).collect())
}

fn table(rows: usize, seed: u64) -> Table {
    let class = |row: usize| Some(if (row as u64 + seed).is_multiple_of(3) { "<b>yes</b>" } else { "no & never" });
    Table::from_columns(vec![
        ("x<1>", ColumnKind::Continuous, numbers(rows, seed)),
        ("class", ColumnKind::Categorical, Column::from_labels((0..rows).map(class))),
        ("when", ColumnKind::Datetime, numbers(rows, seed + 1)),
    ])
    .expect("a table")
}

fn run(real: &Table, synthetic: &Table, holdout: Option<&Table>, target: Option<&str>) -> Report {
    let options = Options { target: target.map(str::to_owned), ..Options::default() };
    evaluate(real, synthetic, holdout, &options, &mut |_| {}).expect("a report")
}

#[test]
fn identical_tables_have_ideal_fidelity_and_are_copies() {
    let (real, holdout) = (table(600, 1), table(300, 2));
    let report = run(&real, &real, Some(&holdout), Some("class"));
    for (id, ideal) in
        [("column_shapes", 1.0), ("column_pair_trends", 1.0), ("copies", 1.0), ("new_row_synthesis", 0.0), ("data_validity", 1.0)]
    {
        let value = report.score(id).and_then(|score| score.value);
        assert!(value.is_some_and(|value| (value - ideal).abs() <= 1e-12), "{id}: {value:?}");
    }
    assert_eq!(report.verdicts[2].grade, semblant_metrics::report::Grade::Poor);
    assert_eq!(report.score("utility_auc").map(|score| score.value == score.reference), Some(true));
}

#[test]
fn json_is_read_back_and_repeats() {
    let (real, synthetic, holdout) = (table(200, 1), table(150, 4), table(80, 2));
    let json = run(&real, &synthetic, Some(&holdout), Some("x<1>")).to_json().expect("JSON");
    let again: Report = serde_json::from_str(&json).expect("the report reads back");
    assert_eq!(json, again.to_json().expect("JSON"));
    assert_eq!(json, run(&real, &synthetic, Some(&holdout), Some("x<1>")).to_json().expect("JSON"));
    let page = again.to_html();
    assert!(!page.contains("<b>yes") && page.contains("&lt;b&gt;yes") && page.contains("x&lt;1&gt;"));
    assert!(!page.contains("<script") && !page.contains("://"));
}

#[test]
fn unusual_tables_give_reasons_and_never_panic() {
    let awkward = |rows: usize| {
        Table::from_columns(vec![
            ("constant", ColumnKind::Continuous, Column::Number(vec![3.0; rows])),
            ("missing", ColumnKind::Integer, Column::Number(vec![f64::NAN; rows])),
            (
                "infinite",
                ColumnKind::Continuous,
                Column::Number((0..rows).map(|row| if row == 0 { f64::INFINITY } else { row as f64 }).collect()),
            ),
            (
                "huge",
                ColumnKind::Continuous,
                Column::Number((0..rows).map(|row| if row % 2 == 0 { f64::MAX } else { -f64::MAX }).collect()),
            ),
            ("nothing", ColumnKind::Categorical, labels(&".".repeat(rows))),
            ("one", ColumnKind::Boolean, labels(&"a".repeat(rows))),
            ("id", ColumnKind::Id, Column::from_labels((0..rows).map(|row| Some(row.to_string())))),
        ])
        .expect("a table")
    };
    for (real, synthetic, holdout) in [(1, 1, None), (1, 40, Some(1)), (40, 1, Some(40)), (100, 100, Some(30))] {
        let holdout = holdout.map(awkward);
        for target in [None, Some("constant"), Some("missing"), Some("infinite"), Some("huge"), Some("nothing"), Some("one"), Some("id")] {
            let report = run(&awkward(real), &awkward(synthetic), holdout.as_ref(), target);
            assert!(report.scores.iter().all(|score| score.value.is_some() != score.undefined.is_some()));
            let page = report.to_html();
            assert!(page.contains("not defined"));
            let bad = page.find("NaN").map(|at| &page[at.saturating_sub(300)..at + 3]);
            assert_eq!(bad, None);
            report.to_json().expect("JSON");
        }
    }
}

#[test]
fn tables_that_cannot_be_compared_are_errors() {
    let real = table(10, 1);
    let other = Table::from_columns(vec![("y", ColumnKind::Continuous, numbers(10, 1))]).expect("a table");
    let evaluate = |real: &Table, synthetic: &Table, target: &str| {
        evaluate(real, synthetic, None, &Options { target: Some(target.into()), ..Options::default() }, &mut |_| {})
    };
    assert!(matches!(evaluate(&real, &other, "class"), Err(Error::Tables(_))));
    assert!(matches!(evaluate(&real, &real.take(&[]), "class"), Err(Error::Tables(_))));
    assert!(matches!(evaluate(&real, &real, "clas"), Err(Error::Data(_))));
}

#[test]
fn broken_rules_are_scored_listed_and_marked() {
    let with_copy = |rows: usize, seed: u64, wrong_every: Option<usize>| {
        let base = table(rows, seed);
        let Column::Number(values) = &base.columns()[0] else { panic!("numbers") };
        let wrong = |(row, value): (usize, &f64)| if wrong_every.is_some_and(|every| row % every == 0) { value - 7.0 } else { *value };
        let copy = Column::Number(values.iter().enumerate().map(wrong).collect());
        let columns = base.iter().map(|(described, column)| (described.name.as_str(), described.kind, column.clone()));
        Table::from_columns(columns.chain([("copy", ColumnKind::Continuous, copy)]).collect()).expect("a table")
    };
    // A fourth of the synthetic rows is wrong, and a tenth of the holdout's.
    let (real, holdout) = (with_copy(300, 1, None), with_copy(200, 2, Some(10)));
    let report = run(&real, &with_copy(400, 4, Some(4)), Some(&holdout), None);
    let score = report.score("rules").expect("listed");
    assert_eq!((score.value, score.reference), (Some(0.75), Some(0.9)));
    assert_eq!(score.mark, Some(Mark::Bad));
    let section = serde_json::to_value(report.section("rules").expect("there")).expect("JSON");
    let row = &section["data"]["rows"][0];
    assert_eq!(
        (row["name"].as_str(), row["cells"][0].as_f64(), row["cells"][1].as_f64()),
        (Some("`copy` = `x<1>`"), Some(0.75), Some(0.9))
    );
    let text = report.to_text();
    assert!(
        text[0].starts_with("Fidelity: ") && text.iter().any(|line| line.starts_with("Rules kept") && line.contains("0.7500 bad")),
        "{text:?}"
    );
    let page = report.to_html();
    assert!(page.contains("`copy` = `x&lt;1&gt;`") && page.contains(">bad</b>"));
}
