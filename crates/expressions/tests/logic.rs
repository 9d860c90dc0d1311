//! Three-valued logic, conjuncts.

mod support;

use semblant_expressions::{Expression, Value};
use support::{NULLS, Table, Values, parse, value};

const TRUTHS: [(&str, Option<bool>); 3] = [("true", Some(true)), ("false", Some(false)), ("null", None)];

fn truth(text: &str) -> Option<bool> {
    match value(text) {
        Value::Boolean(truth) => Some(truth),
        Value::Null => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn and_or_not_follow_kleene() {
    for (x, a) in TRUTHS {
        assert_eq!(truth(&format!("not {x}")), a.map(|a| !a));
        for (y, b) in TRUTHS {
            let and = if a == Some(false) || b == Some(false) { Some(false) } else { a.and(b) };
            let or = if a == Some(true) || b == Some(true) { Some(true) } else { a.and(b) };
            assert_eq!(truth(&format!("{x} and {y}")), and, "{x} and {y}");
            assert_eq!(truth(&format!("{x} or {y}")), or, "{x} or {y}");
        }
    }
}

#[test]
fn nulls_in_predicates() {
    for (case, expected) in [
        ("null in (1, 2)", None),
        ("1 in (1, null)", Some(true)),
        ("3 in (1, null)", None),
        ("3 not in (1, null)", None),
        ("1 not in (1, null)", Some(false)),
        ("2 between null and 1", Some(false)),
        ("2 between null and 3", None),
        ("null like 'a'", None),
        ("null = null", None),
        ("(null > 1) is true", Some(false)),
        ("(null > 1) is not false", Some(true)),
        ("null is distinct from null", Some(false)),
        ("case when null then true else false end", Some(false)),
        ("case null when null then true else false end", Some(false)),
    ] {
        assert_eq!(truth(case), expected, "{case}");
    }
}

#[test]
fn holds_is_none_for_null() {
    let mut row = NULLS;
    let condition = Expression::condition("a > 1 and b > 1", &Table).unwrap();
    assert_eq!(condition.holds(&Values(&row)), None);
    row[0] = Value::Number(0.0);
    assert_eq!(condition.holds(&Values(&row)), Some(false));
}

#[test]
fn conjuncts_are_flat_and_bound() {
    let expression = parse("a > 1 and (b < 2 and not (m or s = 'x')) and (a = 3 or b = 4) and not not m");
    let conjuncts = expression.conjuncts();
    let texts: Vec<String> = conjuncts.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["a > 1", "b < 2", "NOT (m)", "NOT (s = 'x')", "a = 3 OR b = 4", "m"]);
    assert_eq!(conjuncts[4].columns(), [0, 1]);
    assert_eq!(conjuncts[2].columns(), [3]);
    let mut row = NULLS;
    row[3] = Value::Boolean(true);
    assert_eq!(conjuncts[2].holds(&Values(&row)), Some(false));
    assert_eq!(expression.to_string(), "a > 1 and (b < 2 and not (m or s = 'x')) and (a = 3 or b = 4) and not not m");
    // Each text says the same again.
    for conjunct in &conjuncts {
        assert_eq!(parse(&conjunct.to_string()).columns(), conjunct.columns());
    }
    assert_eq!(parse("a between 1 and 2").conjuncts().len(), 1);
    assert_eq!(parse("not (a > 1 and b > 1)").conjuncts().len(), 1);
}
