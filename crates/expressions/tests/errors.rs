//! Errors say where, what and the remedy; hostile texts are errors in no time and no stack.

mod support;

use std::time::{Duration, Instant};

use semblant_expressions::{Columns, ErrorKind, Expression, Type};
use support::{Table, error};

#[test]
fn errors_say_where_and_what() {
    for (case, expected) in [
        ("a > 'x'", r#"in "a > 'x'", character 5: 'x' is not a value of the column "a", which is a number; write a number without quotes"#),
        (
            "aa + 1",
            r#"in "aa + 1", character 1: there is no column "aa"; did you mean "a"?; the columns are: a, b, s, m, t, u, d, Mixed Case and 2 more"#,
        ),
        (
            "a > 1 and\n  bb < 2",
            r#"in "a > 1 and   bb < 2", line 2, character 3: there is no column "bb"; did you mean "b"?; the columns are: a, b, s, m, t, u, d, Mixed Case and 2 more"#,
        ),
        ("a >", r#"in "a >", character 4: expected an expression, found the end"#),
        ("a > 1 b", r#"in "a > 1 b", character 7: expected an operator or the end, found b"#),
        ("a > 'x", r#"in "a > 'x", character 5: unterminated string literal"#),
        ("", r#"in "": the expression is empty"#),
        ("a > s", r#"in "a > s", character 5: this is a text, and what it goes with is a number"#),
        ("s + 1", r#"in "s + 1", character 1: + takes a number, and this is a text"#),
        (
            "t - u > 3",
            r#"in "t - u > 3", character 9: this is a number, and what it goes with is an interval; write days(...) for a number of days, or interval '3 days'"#,
        ),
        ("t + 3 > u", r#"in "t + 3 > u", character 1: a time + a number has no meaning; write interval '3 days' for a number of days"#),
        ("m = 'Perhaps'", r#"in "m = 'Perhaps'", character 5: 'Perhaps' is not a value of the column "m", which is a boolean"#),
        ("a and m", r#"in "a and m", character 1: AND takes a boolean, and this is a number"#),
        ("rond(a) = 1", r#"in "rond(a) = 1", character 1: there is no function rond; did you mean "round"?"#),
        ("power(a) = 1", r#"in "power(a) = 1", character 1: power takes 2 arguments, and one is given"#),
        ("sum(a) > 1", r#"in "sum(a) > 1", character 1: aggregates are not supported: an expression sees one row; write a + b"#),
        (
            "a in (select 1)",
            r#"in "a in (select 1)", character 7: subqueries are not supported: select; a column of this name is written in double quotes"#,
        ),
        ("a > 1 && b > 1", r#"in "a > 1 && b > 1", character 7: && has no meaning here; write AND"#),
        (
            "cast(s as date) > u",
            r#"in "cast(s as date) > u", character 6: a cast is to double, integer or text; write date '2020-01-31' for a date"#,
        ),
        ("x.a > 1", r#"in "x.a > 1", character 1: a column has one name; write "x.a" in double quotes if its name has a point"#),
        (
            "date '2021-02-29' < t",
            r#"in "date '2021-02-29' < t", character 6: '2021-02-29' is not a date of the calendar; write '2020-01-31' or '2020-01-31 12:00:00'"#,
        ),
        (
            "row_number() over (order by a) > 1",
            r#"in "row_number() over (order by a) > 1", character 1: windows and aggregates are not supported: an expression sees one row"#,
        ),
        (
            "extract(century from t) = 1",
            r#"in "extract(century from t) = 1", character 22: a time has no century; it has: year, quarter, month, week, day, dow, isodow, doy, hour, minute, second, epoch"#,
        ),
    ] {
        assert_eq!(error(case), expected);
    }
}

#[test]
fn places_are_fields_too() {
    let error = Expression::parse("a > 1 and\n  bb < 2", &Table).unwrap_err();
    assert_eq!((error.line(), error.column()), (2, 3));
    assert!(matches!(error.kind(), ErrorKind::UnknownColumn { name, nearest: Some(nearest), .. } if name == "bb" && nearest == "b"));
}

#[test]
fn a_condition_is_a_boolean() {
    let error = Expression::condition("a + 1", &Table).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"in "a + 1", character 1: a condition is true or false, and this is a number; compare it with something"#
    );
    assert_eq!(Expression::parse("a + 1", &Table).unwrap().data_type(), Type::Number);
}

#[test]
fn many_columns_are_listed_in_part() {
    struct Many;
    impl Columns for Many {
        fn names(&self) -> Vec<String> {
            (0..20).map(|i| format!("column{i}")).chain(["X".to_owned(), "x".to_owned()]).collect()
        }
        fn data_type(&self, _: usize) -> Type {
            Type::Number
        }
    }
    let error = |text| Expression::parse(text, &Many).unwrap_err().to_string();
    assert!(
        error("whatever > 1")
            .ends_with("the columns are: column0, column1, column2, column3, column4, column5, column6, column7 and 14 more")
    );
    assert!(Expression::parse("X > 1 and x > 1", &Many).is_ok());
    assert!(Expression::parse("COLUMN3 > 1", &Many).is_ok());
}

#[test]
fn unsupported_sql_is_refused() {
    for case in [
        "exists (select 1)",
        "a = any(1)",
        "array[1] = 1",
        "a::int = 1",
        "a is json",
        "s similar to 'x'",
        "s ~ 'x'",
        "count(*) > 1",
        "current_date > t",
        "(a, b) = (1, 2)",
        "a collate x = 1",
        "t at time zone 'utc' > u",
        "position('a' in s) = 1",
        "$1 = a",
        "? = a",
        "a; drop table x",
        "trim('x' from s) = 'a'",
        "max(a) filter (where m) > 1",
        "s like s",
        "a in ()",
        "cast(a as blob) = 1",
        "interval '1-2' year to month < d",
        "interval 'x' < d",
        "struct(1) = 1",
        "lambda x: x",
        "x'ff' = s",
        "e'a' = s",
        "{d '2020-01-01'} < t",
        "b'1' = s",
        "a = 1e999",
        "null",
        "substring(s similar 'x' escape 'y') = 'a'",
        "a[1] = 1",
        "timestamp with time zone '2020-01-01' > t",
        "timestamp '2020-01-01 00:00Z' > t",
        "a -> 1",
        "a = :x",
        "case when a then 1 end = 1",
        "()",
        "not",
        "a b c",
    ] {
        error(case);
    }
}

/// Runs on a small stack, as threads of a host may have.
fn small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).expect("a thread").join().expect("no panic");
}

#[test]
fn hostile_texts_are_refused() {
    small_stack(|| {
        let n = 10_000;
        let cases = [
            format!("{}a{} > 1", "(".repeat(n), ")".repeat(n)),
            "(".repeat(n),
            format!("{} m", "not ".repeat(n)),
            format!("{}a > 1", "- ".repeat(n)),
            format!("a > {}1", "1 + ".repeat(n)),
            format!("a > {}1", "1 + ".repeat(1_500)),
            format!("{}a{}", "abs(".repeat(n), ")".repeat(n)),
            format!("{}a{}", "case when m then ".repeat(3_000), " end".repeat(3_000)),
            format!("{}a{}", "coalesce(a, ".repeat(39), ")".repeat(38)),
            format!("m {}", "is true ".repeat(1_500)),
            "array<".repeat(n),
            "a.".repeat(n),
            "[".repeat(n),
            "{".repeat(n),
            "interval ".repeat(5_000),
            "date ".repeat(5_000),
            "case ".repeat(5_000),
            "a between ".repeat(1_300),
            "if(current_time(".repeat(19),
            "x".repeat(70_000),
            "'".to_owned(),
            format!("s like '{}\\'", "%".repeat(n)),
            "/*".repeat(n),
        ];
        for case in cases {
            let start = Instant::now();
            let message = error(&case);
            assert!(start.elapsed() < Duration::from_secs(5), "{:.30} took {:?}", case, start.elapsed());
            assert!(message.len() < 500, "{message}");
        }
    });
}

#[test]
fn long_but_honest_texts_are_read() {
    small_stack(|| {
        let list = (0..9_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let cases = [
            format!("a in ({list})"),
            format!("a = 1{}", " or a = 2".repeat(1_300)),
            format!("m{}", " and m".repeat(2_000)),
            format!("m and (m{}) is true", " or m".repeat(2_000)),
            format!("(m{}) is true", " or m".repeat(2_000)),
            format!("a > {}1", "1 + ".repeat(200)),
            format!("{}a{} > 1", "(1 + ".repeat(30), ")".repeat(30)),
            format!("a{} > 1", " + b".repeat(200)),
        ];
        for case in cases {
            let expression = Expression::condition(&case, &Table).unwrap_or_else(|error| panic!("{error}"));
            expression.outcomes(&support::open());
            expression.conjuncts();
            expression.true_ranges(0, 0.0, 100.0, 1.0, &support::open());
        }
    });
}
