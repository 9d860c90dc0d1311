//! Functions and operators against PostgreSQL's answers (18; those of `round(double)` are of `round(numeric)`).

mod support;

use semblant_expressions::Value;
use support::{NULLS, parse, text, value, value_in};

fn numbers(cases: &[(&str, f64)]) {
    for (case, expected) in cases {
        match value(case) {
            Value::Number(x) => assert!((x - expected).abs() <= expected.abs() * 1e-14, "{case}: {x}"),
            other => panic!("{case}: {other:?}"),
        }
    }
}

#[test]
fn arithmetic_is_of_doubles_with_the_usual_precedence() {
    numbers(&[
        ("7 / 2", 3.5),
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("-2 * -3", 6.0),
        ("2 - 3 - 4", -5.0),
        ("-7 % 3", -1.0),
        ("7 % -3", 1.0),
        ("7.5 % 2", 1.5),
        ("- - 5", 5.0),
        ("+5", 5.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("cast('12.5' as double)", 12.5),
        ("cast(2.5 as integer)", 3.0),
        ("cast(true as int)", 1.0),
    ]);
}

#[test]
fn numeric_functions() {
    numbers(&[
        ("abs(-3)", 3.0),
        ("round(2.5)", 3.0),
        ("round(-2.5)", -3.0),
        ("round(1.41559, 2)", 1.42),
        ("round(1250, -2)", 1300.0),
        ("round(-1250, -2)", -1300.0),
        ("round(5, 400)", 5.0),
        ("round(5, -400)", 0.0),
        ("floor(-1.5)", -2.0),
        ("ceil(-1.5)", -1.0),
        ("CEILING(1.2)", 2.0),
        ("sqrt(16)", 4.0),
        ("exp(0)", 1.0),
        ("ln(exp(2))", 2.0),
        ("power(2, 10)", 1024.0),
        ("power(-2, 3)", -8.0),
        ("least(3, null, 1, 2)", 1.0),
        ("greatest(3, null, 1)", 3.0),
        ("coalesce(null, 2, 3)", 2.0),
        ("nullif(3, 4)", 3.0),
        ("case when 1 > 2 then 1 when 2 > 1 then 5 else 3 end", 5.0),
        ("case 2 when 1 then 10 when 2 then 20 end", 20.0),
    ]);
}

#[test]
fn what_has_no_value_is_null() {
    for case in [
        "1 / 0",
        "0 / 0",
        "5 % 0",
        "ln(0)",
        "ln(-1)",
        "sqrt(-1)",
        "power(-8, 1.5)",
        "power(0, -1)",
        "exp(1000)",
        "1e308 * 10",
        "nullif(2, 2)",
        "least(cast(null as double), null)",
        "cast('x' as double)",
        "case when false then 1 end",
        "substring('abc', 1, -1)",
        "date '9999-12-31' + interval '1000 years'",
        "1 + null",
        "'a' || null",
        "abs(null)",
    ] {
        assert_eq!(value(case), Value::Null, "{case}");
    }
}

#[test]
fn text_functions() {
    for (case, expected) in [
        ("lower('ÄB')", "äb"),
        ("upper('äb')", "ÄB"),
        ("trim('  a b ')", "a b"),
        ("ltrim('  a ')", "a "),
        ("trim(trailing from ' a ')", " a"),
        ("rtrim('  a ')", "  a"),
        ("substr('abcdef', 2, 3)", "bcd"),
        ("substring('abcdef' from 3)", "cdef"),
        ("substring('abcdef' from 3 for 2)", "cd"),
        ("substring('abc', -1, 3)", "a"),
        ("substring('abc', 9)", ""),
        ("left('äbc', 2)", "äb"),
        ("left('abc', -1)", "ab"),
        ("left('abc', 9)", "abc"),
        ("right('abc', 2)", "bc"),
        ("right('abc', -1)", "bc"),
        ("right('abc', 9)", "abc"),
        ("concat('a', null, 1, true)", "a1true"),
        ("'a' || 1.5 || 'b'", "a1.5b"),
        ("'it''s'", "it's"),
        ("cast(3.0 as text)", "3"),
        ("cast(-0.0 as text)", "0"),
        ("cast(date '2020-02-29' as text)", "2020-02-29"),
        ("cast(timestamp '2020-02-29 01:02:03.5' as text)", "2020-02-29 01:02:03.5"),
        ("nullif('a', 'b')", "a"),
        ("greatest('a', 'c', 'b')", "c"),
    ] {
        assert_eq!(value(case), text(expected), "{case}");
    }
    assert_eq!(value("length('häß')"), Value::Number(3.0));
}

#[test]
fn conditions_of_literals() {
    for (case, expected) in [
        ("1 < 2", true),
        ("1 == 1", true),
        ("1 != 1", false),
        ("1 <> 2", true),
        ("2 between 1 and 2", true),
        ("3 not between 1 and 2", true),
        ("2 in (1, 2, 3)", true),
        ("2 not in (1, 3)", true),
        ("'b' in ('a', 'b')", true),
        ("'abc' < 'abz'", true),
        ("null is null", true),
        ("1 is not null", true),
        ("true is true", true),
        ("null is not true", true),
        ("(null = 1) is unknown", true),
        ("1 is distinct from null", true),
        ("null is not distinct from null", true),
        ("not false", true),
        ("true and not false or false", true),
        ("false or true and false", false),
    ] {
        assert_eq!(value(case), Value::Boolean(expected), "{case}");
    }
}

#[test]
fn patterns() {
    for (case, expected) in [
        ("'abc' like 'a%'", true),
        ("'abc' like 'a_c'", true),
        ("'abc' like 'a_'", false),
        ("'abc' like '%'", true),
        ("'' like '%'", true),
        ("'' like '_'", false),
        ("'abc' like 'ABC'", false),
        ("'ÄBC' ilike 'äb%'", true),
        ("'a%c' like 'a\\%c'", true),
        ("'abc' like 'a\\%c'", false),
        ("'a_c' like 'a!_c' escape '!'", true),
        ("'aXbXc' like '%X%X%'", true),
        ("'mississippi' like '%iss%ip%i'", true),
        ("'mississippi' like '%issx%'", false),
        ("'abc' not like 'b%'", true),
        ("'äö' like '__'", true),
    ] {
        assert_eq!(value(case), Value::Boolean(expected), "{case}");
    }
    // No exponential search.
    let row = [Value::Null, Value::Null, Value::Text("a".repeat(20_000).into())];
    assert_eq!(value_in(&format!("s like '{}b'", "%a".repeat(30)), &row), Value::Boolean(false));
}

#[test]
fn evaluation_reads_columns_by_name() {
    let mut row = NULLS;
    row[0] = Value::Number(3.0);
    row[7] = Value::Number(4.0);
    row[3] = Value::Boolean(true);
    row[2] = text("x");
    for (case, expected) in [
        ("a + \"Mixed Case\" = 7", true),
        ("A + `mixed case` = 7", true),
        ("m", true),
        ("m = 'Yes'", true),
        ("'No' = m", false),
        ("m = true", true),
        ("m in ('No', 'Yes')", true),
        ("m is true", true),
        ("s = 'x'", true),
        ("a in (1, b, 3)", true),
        ("case s when 'x' then a else b end = 3", true),
        ("case when b > 1 then false else true end", true),
    ] {
        assert_eq!(value_in(case, &row), Value::Boolean(expected), "{case}");
    }
    row[0] = Value::Number(f64::NAN);
    assert_eq!(value_in("a is null", &row), Value::Boolean(true));
    assert_eq!(parse("a").evaluate_number(&support::Values(&row)), None);
}

#[test]
fn columns_are_sorted_and_distinct() {
    assert_eq!(parse("b > a or b < 3 and m").columns(), [0, 1, 3]);
    assert_eq!(parse("1 + 1").columns(), [0_usize; 0]);
}
