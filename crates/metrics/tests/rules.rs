//! Rules: planted relations are found, and synthetic rows that break them are counted.

use semblant_data::table::{Column, ColumnKind, ColumnSchema, Schema, Table};
use semblant_metrics::Error;
use semblant_metrics::table::rules::{MOST_COLUMNS, MOST_RULES, rules};

const ROWS: usize = 600;

fn number(values: impl Fn(usize) -> f64) -> Column {
    Column::Number((0..ROWS).map(values).collect())
}

/// Whole numbers below `bound` that look independent of each other.
fn hash(row: usize, by: u64, bound: usize) -> usize {
    // SplitMix64's mixing.
    let mut bits = (row as u64).wrapping_add(by << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) % bound as u64) as usize
}

fn drawn(by: u64, bound: usize) -> impl Fn(usize) -> f64 {
    move |row| hash(row, by, bound) as f64
}

fn labels(label: impl Fn(usize) -> Option<String>) -> Column {
    Column::from_labels((0..ROWS).map(label))
}

fn table(columns: Vec<(&str, ColumnKind, Column)>) -> Table {
    Table::from_columns(columns).expect("defined")
}

/// The words of the rules with the share of synthetic rows that keep them.
fn found(real: &Table, synthetic: &Table) -> Vec<(String, f64)> {
    let found = rules(real, synthetic, Some(real), 0).expect("defined");
    assert_eq!(found.holdout, Some(1.0));
    found.rules.into_iter().map(|rule| (rule.words, rule.synthetic.expect("defined"))).collect()
}

/// The first column with every tenth row changed.
fn broken(table: &Table, column: usize, change: impl Fn(f64) -> f64) -> Table {
    let mut columns = table.columns().to_vec();
    if let Column::Number(values) = &mut columns[column] {
        values.iter_mut().step_by(10).for_each(|value| *value = change(*value));
    }
    Table::new(table.schema().clone(), columns).expect("defined")
}

#[test]
fn sums_of_two_and_three_columns_within_rounding() {
    let (a, b, c) = (drawn(1, 1000), drawn(2, 1000), drawn(3, 1000));
    let sevenths = |by: u64| move |row: usize| drawn(by, 90_000)(row) / 7.0;
    let cents = |value: f64| (value * 100.0).round() / 100.0;
    let real = table(vec![
        ("two", ColumnKind::Integer, number(|row| a(row) + b(row))),
        ("a", ColumnKind::Integer, number(&a)),
        ("b", ColumnKind::Integer, number(&b)),
        ("net", ColumnKind::Continuous, number(|row| cents(sevenths(4)(row)))),
        ("tax", ColumnKind::Continuous, number(|row| cents(sevenths(5)(row)))),
        // The sum of the exact parts, which may differ by a cent from that of the rounded ones.
        ("gross", ColumnKind::Continuous, number(|row| cents(sevenths(4)(row) + sevenths(5)(row)))),
        ("third", ColumnKind::Integer, number(|row| (b(row) / 3.0).round())),
    ]);
    let mut schema = real.schema().clone();
    schema.columns[3..6].iter_mut().for_each(|column| column.decimals = Some(2));
    let real = Table::new(schema, real.columns().to_vec()).expect("the same columns");
    let found = found(&real, &broken(&real, 0, |value| value + 1.0));
    assert_eq!(found[0], ("`two` = `a` + `b`".into(), 0.9));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().any(|(words, kept)| words == "`gross` = `net` + `tax`" && *kept == 1.0), "{found:?}");
    assert!(found.iter().any(|(words, _)| words.starts_with("`third` = 0.333") && words.ends_with("* `b`")), "{found:?}");

    let three = table(vec![
        ("a", ColumnKind::Integer, number(&a)),
        ("b", ColumnKind::Integer, number(&b)),
        ("c", ColumnKind::Integer, number(&c)),
        ("sum", ColumnKind::Integer, number(|row| a(row) + b(row) + c(row))),
    ]);
    assert_eq!(self::found(&three, &broken(&three, 1, |value| value + 1.0)), [("`sum` = `a` + `b` + `c`".into(), 0.9)]);
}

#[test]
fn equal_columns_ratios_and_differences_are_named_once() {
    let a = drawn(1, 5000);
    let real = table(vec![
        ("a", ColumnKind::Integer, number(&a)),
        ("same", ColumnKind::Integer, number(&a)),
        ("months", ColumnKind::Integer, number(|row| 12.0 * a(row))),
        ("later", ColumnKind::Integer, number(|row| a(row) + 30.0)),
        ("other", ColumnKind::Integer, number(drawn(2, 5000))),
    ]);
    let found = found(&real, &broken(&real, 2, |value| value - 6.0));
    let words: Vec<&str> = found.iter().map(|(words, _)| words.as_str()).collect();
    assert_eq!(words.len(), 3, "{found:?}");
    assert_eq!(found[0], ("`months` = 12 * `a`".into(), 0.9));
    assert!(words.contains(&"`same` = `a`") && words.contains(&"`later` = `a` + 30"), "{found:?}");
}

#[test]
fn order_of_numbers_and_of_times_without_what_follows() {
    let day = 86_400.0;
    let start = drawn(1, 20);
    let real = table(vec![
        ("low", ColumnKind::Integer, number(drawn(5, 60))),
        ("middle", ColumnKind::Integer, number(|row| drawn(5, 60)(row) + drawn(6, 40)(row))),
        ("high", ColumnKind::Integer, number(|row| drawn(5, 60)(row) + drawn(6, 40)(row) + drawn(7, 50)(row))),
        ("start", ColumnKind::Datetime, number(|row| day * start(row))),
        ("end", ColumnKind::Datetime, number(|row| day * (start(row) + 1.0 + drawn(2, 9)(row)))),
        ("due", ColumnKind::Datetime, number(|row| day * (start(row) + 14.0))),
        ("small", ColumnKind::Integer, number(drawn(8, 3))),
    ]);
    let found = found(&real, &broken(&real, 4, |_| 0.0));
    assert_eq!(found[0], ("`start` < `end`".into(), 0.9), "{found:?}");
    let words: Vec<&str> = found.iter().map(|(words, _)| words.as_str()).collect();
    assert_eq!(words.len(), 4, "{words:?}");
    for expected in ["`low` <= `middle`", "`middle` <= `high`", "`due` = `start` + 14 days"] {
        assert!(words.contains(&expected), "{expected}: {words:?}");
    }
}

#[test]
fn labels_determine_labels_and_numbers() {
    let city = |row: usize| hash(row, 1, 12);
    let real = table(vec![
        ("city", ColumnKind::Categorical, labels(|row| Some(format!("city {}", city(row))))),
        ("region", ColumnKind::Categorical, labels(|row| Some(format!("region {}", city(row) / 2)))),
        ("country", ColumnKind::Categorical, labels(|row| Some(format!("country {}", city(row) / 4)))),
        ("code", ColumnKind::Integer, number(|row| (city(row) / 4) as f64)),
        ("free", ColumnKind::Categorical, labels(|row| Some(format!("{}", hash(row, 2, 5))))),
        // Nearly every label occurs once: that it determines the others says nothing.
        ("name", ColumnKind::Categorical, labels(|row| Some(format!("name {}", row / 2 + 300 * (row % 2))))),
    ]);
    // A tenth of the rows is in the wrong country; a new city says nothing.
    let mut columns = real.columns().to_vec();
    columns[2] = labels(|row| Some(format!("country {}", if row % 10 == 0 { 2 - city(row) / 4 } else { city(row) / 4 })));
    columns[0] = labels(|row| Some(if row == 1 { "new".into() } else { format!("city {}", city(row)) }));
    let wrong = (0..ROWS).filter(|row| row % 10 == 0 && city(*row) / 4 != 1).count() as f64 / ROWS as f64;
    let synthetic = Table::new(real.schema().clone(), columns).expect("defined");
    let all = rules(&real, &synthetic, None, 0).expect("defined");
    let kept = |words: &str| {
        all.rules.iter().find(|rule| rule.words == words).unwrap_or_else(|| panic!("{words}: {all:?}")).synthetic.expect("defined")
    };
    assert!((kept("`region` determines `country`") - (1.0 - wrong)).abs() < 1e-12);
    assert!((kept("`country` determines `code`") - (1.0 - wrong)).abs() < 1e-12);
    assert!((all.synthetic - (1.0 - wrong)).abs() < 1e-12);
    assert_eq!(kept("`city` determines `region`"), 1.0);
    assert!(!all.rules.iter().any(|rule| rule.words.contains("name") || rule.words.contains("free")), "{all:?}");
    assert!(!all.rules.iter().any(|rule| rule.words == "`city` determines `country`"), "{all:?}");
}

#[test]
fn missing_and_zero_under_a_condition() {
    let job = |row: usize| ["none", "part", "full"][hash(row, 1, 3)];
    let real = table(vec![
        ("job", ColumnKind::Categorical, labels(|row| Some(job(row).into()))),
        ("employer", ColumnKind::Categorical, labels(|row| (job(row) != "none").then(|| format!("{}", hash(row, 2, 9))))),
        ("since", ColumnKind::Integer, number(|row| if job(row) == "none" { f64::NAN } else { drawn(3, 40)(row) })),
        ("pay", ColumnKind::Integer, number(|row| if job(row) == "none" { 0.0 } else { drawn(4, 9000)(row) + 1.0 })),
        ("bonus", ColumnKind::Integer, number(|row| if job(row) == "full" { drawn(6, 3)(row) } else { 0.0 })),
    ]);
    let found = found(&real, &broken(&real, 3, |value| value + 10.0));
    let none = (0..ROWS).filter(|row| row % 10 == 0 && job(*row) == "none").count() as f64 / ROWS as f64;
    assert!(found[0].0 == "`pay` is 0 exactly when `job` is \"none\"" && (found[0].1 - (1.0 - none)).abs() < 1e-12, "{found:?}");
    let words: Vec<&str> = found.iter().map(|(words, _)| words.as_str()).collect();
    assert!(
        words.iter().any(|words| words.starts_with("`bonus` is 0 whenever") && words.contains("none") && words.contains("part")),
        "{words:?}"
    );
    for expected in ["`employer` is missing exactly when `job` is \"none\"", "`employer` is missing exactly when `since` is missing"] {
        assert!(words.contains(&expected) || words.contains(&expected.replace("employer", "since").as_str()), "{expected}: {words:?}");
    }
}

#[test]
fn independent_columns_have_no_rules_and_odd_ones_do_no_harm() {
    let real = table(vec![
        ("a", ColumnKind::Integer, number(drawn(1, 9))),
        ("b", ColumnKind::Integer, number(drawn(2, 9))),
        ("c", ColumnKind::Continuous, number(|row| drawn(3, 1 << 30)(row) / 7.0)),
        ("d", ColumnKind::Continuous, number(|row| drawn(4, 1 << 30)(row) / 7.0)),
        ("e", ColumnKind::Categorical, labels(|row| Some(format!("{}", hash(row, 5, 4))))),
        ("rare", ColumnKind::Boolean, labels(|row| Some(if row == 7 { "yes" } else { "no" }.into()))),
        ("nothing", ColumnKind::Integer, number(|_| f64::NAN)),
        ("infinite", ColumnKind::Continuous, number(|row| if row == 3 { f64::INFINITY } else { row as f64 })),
        ("huge", ColumnKind::Continuous, number(|row| if row % 2 == 0 { f64::MAX } else { -f64::MAX })),
        ("small", ColumnKind::Integer, number(|row| -1.0 - drawn(6, 2)(row))),
    ]);
    match rules(&real, &real, None, 0) {
        Err(Error::Undefined(why)) => assert!(why.contains("no relation"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(rules(&real.take(&[0, 1]), &real, None, 0), Err(Error::Undefined(_))));
}

#[test]
fn wide_tables_are_searched_in_part_and_rules_do_not_flood() {
    let name: Vec<String> = (0..60).map(|place| format!("c{place}")).collect();
    let base = drawn(1, 50);
    let columns = (0..60).map(|place: usize| number(|row| base(row) + drawn(place as u64 + 2, 4)(row) + 5.0 * place as f64)).collect();
    let schema = Schema { columns: name.iter().map(|name| ColumnSchema::new(name, ColumnKind::Integer)).collect(), ..Schema::default() };
    let real = Table::new(schema, columns).expect("defined");
    let found = rules(&real, &real, None, 0).expect("defined");
    assert!(found.rules.len() <= MOST_RULES && found.synthetic == 1.0, "{}", found.rules.len());
    assert_eq!(found.unsearched, name[MOST_COLUMNS..]);
}
