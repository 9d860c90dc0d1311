//! Whatever an expression can be within the domains, `outcomes` allows; with all columns known it is exactly the evaluation.

mod support;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use semblant_expressions::{Domain, Expression, Outcomes, Type, Value};
use support::{Known, TYPES, Table, Values, parse};

/// Texts of expressions of each type.
#[derive(Clone)]
struct Grammar {
    number: BoxedStrategy<String>,
    time: BoxedStrategy<String>,
    interval: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
    condition: BoxedStrategy<String>,
}

fn one_of(options: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    Union::new(options).boxed()
}

/// A template with `$` for each part.
fn form(template: &'static str, parts: &[&BoxedStrategy<String>]) -> BoxedStrategy<String> {
    let parts: Vec<BoxedStrategy<String>> = parts.iter().map(|part| (*part).clone()).collect();
    let fill = move |parts: Vec<String>| parts.iter().fold(template.to_owned(), |text, part| text.replacen('$', &format!("({part})"), 1));
    parts.prop_map(fill).boxed()
}

fn forms(templates: &'static [&'static str], parts: &[&BoxedStrategy<String>]) -> BoxedStrategy<String> {
    one_of(templates.iter().map(|template| form(template, parts)).collect())
}

fn words(words: &'static [&'static str]) -> BoxedStrategy<String> {
    select(words).prop_map(str::to_owned).boxed()
}

const COMPARISONS: &[&str] = &["($ = $)", "($ <> $)", "($ < $)", "($ <= $)", "($ > $)", "($ >= $)", "($ is distinct from $)"];

fn leaves() -> Grammar {
    let number = words(&["a", "b", "\"Mixed Case\"", "a", "b", "0", "1", "-1", "2", "0.5", "3", "-2.5", "100", "1e300", "null"]);
    let time = words(&["t", "u", "t", "u", "date '2020-01-31'", "timestamp '2020-02-29 13:00'", "date '1969-12-31'", "date '2021-03-01'"]);
    let interval =
        words(&["d", "interval '1 day'", "interval '1 month'", "interval '-1 month 2 hours'", "interval '0 days'", "interval '1 year'"]);
    let text = words(&["s", "s", "'x'", "'yy'", "'X'", "''"]);
    let condition = one_of(vec![
        words(&[
            "m",
            "true",
            "false",
            "null = 1",
            "m = 'Yes'",
            "a is null",
            "a in (1, 2, null)",
            "b in (0, 1)",
            "s like 'x%'",
            "a between 0 and 2",
        ]),
        forms(COMPARISONS, &[&words(&["a", "b"]), &number]),
        forms(COMPARISONS, &[&words(&["t", "u"]), &time]),
    ]);
    Grammar { number, time, interval, text, condition }
}

fn grown(inner: &Grammar) -> Grammar {
    let Grammar { number: n, time: t, interval: d, text: s, condition: c } = inner;
    let of_two = &[
        "($ + $)",
        "($ - $)",
        "($ * $)",
        "($ / $)",
        "($ % $)",
        "least($, $)",
        "greatest($, $)",
        "coalesce($, $)",
        "nullif($, $)",
        "power($, $)",
    ];
    let of_one = &[
        "(- $)",
        "abs($)",
        "round($)",
        "floor($)",
        "ceil($)",
        "sqrt($)",
        "exp($)",
        "ln($)",
        "cast($ as integer)",
        "round($, 1)",
        "power($, 2)",
        "power($, 3)",
        "($ % 3)",
        "power(2, $)",
    ];
    let parts = &[
        "extract(year from $)",
        "extract(quarter from $)",
        "extract(month from $)",
        "extract(week from $)",
        "extract(day from $)",
        "extract(dow from $)",
        "extract(isodow from $)",
        "extract(doy from $)",
        "extract(hour from $)",
        "extract(minute from $)",
        "extract(second from $)",
        "extract(epoch from $)",
    ];
    let number = one_of(vec![
        n.clone(),
        forms(of_two, &[n, n]),
        forms(of_two, &[n, n]),
        forms(of_one, &[n]),
        form("case when $ then $ when $ then $ else $ end", &[c, n, c, n, n]),
        form("case $ when $ then $ end", &[n, n, n]),
        forms(&["length($)", "cast($ as double)"], &[s]),
        forms(parts, &[t]),
        forms(&["days($)", "extract(day from $)", "extract(epoch from $)", "extract(month from $)", "extract(hour from $)"], &[d]),
    ]);
    let truncated = &[
        "date_trunc('year', $)",
        "date_trunc('quarter', $)",
        "date_trunc('month', $)",
        "date_trunc('week', $)",
        "date_trunc('day', $)",
        "date_trunc('hour', $)",
    ];
    let time = one_of(vec![
        t.clone(),
        forms(&["($ + $)", "($ - $)"], &[t, d]),
        forms(truncated, &[t]),
        forms(&["coalesce($, $)", "least($, $)", "greatest($, $)", "nullif($, $)"], &[t, t]),
        form("case when $ then $ else $ end", &[c, t, t]),
    ]);
    let interval = one_of(vec![
        d.clone(),
        form("($ - $)", &[t, t]),
        forms(&["($ + $)", "($ - $)", "coalesce($, $)", "greatest($, $)", "nullif($, $)"], &[d, d]),
        forms(&["($ * $)", "($ / $)"], &[d, n]),
        form("(- $)", &[d]),
    ]);
    let text = one_of(vec![
        s.clone(),
        forms(&["lower($)", "upper($)", "trim($)"], &[s]),
        forms(&["left($, $)", "right($, $)", "substr($, $)"], &[s, n]),
        form("substr($, $, $)", &[s, n, n]),
        forms(&["($ || $)", "concat($, $)", "coalesce($, $)", "least($, $)"], &[s, s]),
        form("cast($ as text)", &[n]),
        form("case when $ then $ else $ end", &[c, s, s]),
    ]);
    let condition = one_of(vec![
        c.clone(),
        forms(COMPARISONS, &[n, n]),
        forms(COMPARISONS, &[t, t]),
        forms(COMPARISONS, &[d, d]),
        forms(COMPARISONS, &[s, s]),
        forms(&["($ and $)", "($ or $)", "($ = $)", "($ < $)"], &[c, c]),
        forms(&["($ and $ and $)", "($ or $ or $)", "($ and ($ or $))"], &[c, c, c]),
        forms(&["(not $)", "($ is true)", "($ is false)", "($ is not true)", "($ is null)"], &[c]),
        forms(&["($ between $ and $)", "($ not between $ and $)", "($ in ($, $))", "($ not in ($, 1, $))"], &[n, n, n]),
        forms(&["($ between $ and $)"], &[t, t, t]),
        forms(&["($ like '%x%')", "($ ilike 'Y_')", "($ in ('x', 'yy', null))"], &[s]),
        forms(&["($ is null)"], &[n]),
        forms(&["($ is null)"], &[t]),
        forms(&["($ is not null)"], &[s]),
        form("case when $ then $ else $ end", &[c, c, c]),
    ]);
    Grammar { number, time, interval, text, condition }
}

fn condition() -> BoxedStrategy<String> {
    let one = grown(&leaves());
    let two = grown(&one);
    let three = grown(&two);
    one_of(vec![one.condition, two.condition, three.condition])
}

/// Values, which are numbers or times.
fn values() -> BoxedStrategy<(&'static str, usize, String)> {
    let one = grown(&leaves());
    let two = grown(&one);
    let moved = forms(
        &["($ + $)", "($ - $)"],
        &[&words(&["t", "u"]), &words(&["interval '1 month'", "interval '-1 month'", "interval '13 months 1 hour'", "d"])],
    );
    let number = one_of(vec![one.number, two.number]).prop_map(|text| ("result", 8, format!("coalesce({text}, cast(null as double))")));
    let time = one_of(vec![one.time, two.time, moved]).prop_map(|text| ("moment", 9, text));
    prop_oneof![number, time].boxed()
}

/// Conditions that compare two columns with one another and with numbers on a grid of halves.
fn coupled() -> BoxedStrategy<String> {
    let leaf = (
        select(&["a", "b"][..]),
        select(&["<", "<=", ">", ">=", "=", "<>"][..]),
        prop_oneof![Just("a".to_owned()), Just("b".to_owned()), (-3..=3_i32).prop_map(|k| format!("{}", f64::from(k) / 2.0))],
    )
        .prop_map(|(left, comparison, right)| format!("{left} {comparison} {right}"));
    leaf.prop_recursive(3, 8, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 2..=4).prop_map(|parts| format!("({})", parts.join(" and "))),
            2 => prop::collection::vec(inner.clone(), 2..=3).prop_map(|parts| format!("({})", parts.join(" or "))),
            1 => inner.clone().prop_map(|part| format!("(not {part})")),
            1 => inner.prop_map(|part| format!("({part} is true)")),
        ]
    })
    .boxed()
}

/// A domain as text-free data, and values in it.
#[derive(Clone)]
struct Column {
    shape: Shape,
    null: bool,
    values: Vec<Value<'static>>,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Known,
    Range(f64, f64),
    Any,
    OneOf,
}

/// On one line, also in proptest's reports.
impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let domain = self.domain();
        write!(f, "{}", format_args!("{domain:?}"))
    }
}

impl Column {
    fn domain(&self) -> Domain<'_> {
        match self.shape {
            Shape::Known => Domain::Known(self.values[0].clone()),
            Shape::Range(low, high) => Domain::Range { low, high, null: self.null },
            Shape::Any => Domain::Any { null: self.null },
            Shape::OneOf => Domain::OneOf(&self.values),
        }
    }
}

fn magnitude(data_type: Type) -> BoxedStrategy<f64> {
    match data_type {
        Type::Number => prop_oneof![
            6 => (-8_i32..=8).prop_map(|x| f64::from(x) / 2.0),
            2 => -1e3..1e3_f64,
            1 => select(&[0.0, -0.0, f64::MAX, -f64::MAX, 1e-300, 1e300, -1e17][..]),
        ]
        .boxed(),
        _ => prop_oneof![
            // Around the ends of months of leap years and others.
            4 => (18_200_i32..18_800).prop_map(|day| f64::from(day) * 86_400.0),
            3 => 1.57e9..1.63e9_f64,
            2 => -1e6..1e6_f64,
            1 => select(&[0.0, -1.0, -0.5, -1e-20, 253_402_300_799.0, -377_705_116_800.0, 1e13, -1e13, 1e17][..]),
        ]
        .boxed(),
    }
}

fn value_of(data_type: Type) -> BoxedStrategy<Value<'static>> {
    match data_type {
        Type::Number => magnitude(data_type).prop_map(Value::Number).boxed(),
        Type::Time => magnitude(data_type).prop_map(Value::Time).boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Type::Text => select(&["x", "yy", "X", "", "xyz", "Äx", "1", " x "][..]).prop_map(Value::from).boxed(),
        Type::Interval => (prop_oneof![Just(0), -14..14_i32], select(&[0.0, 86_400.0, -3_600.0, 1e6, 2_592_000.0][..]))
            .prop_map(|(months, seconds)| Value::Interval { months, seconds })
            .boxed(),
    }
}

fn range(data_type: Type, null: bool) -> BoxedStrategy<Column> {
    let wrap = move |x| if data_type == Type::Number { Value::Number(x) } else { Value::Time(x) };
    let width = if data_type == Type::Number { 1.0 } else { 86_400.0 };
    let widths = prop_oneof![Just(0.0), 0.0..3.0_f64, (0_i32..6).prop_map(f64::from), Just(40.0), Just(1_000.0)];
    (magnitude(data_type), widths, prop::collection::vec(0.0..=1.0_f64, 4))
        .prop_map(move |(low, more, parts)| {
            let high = (low + more * width).clamp(low, f64::MAX);
            let inside = parts.into_iter().map(|part| (low + part * (high - low)).clamp(low, high));
            // Whole steps meet the constants of the conditions.
            let whole = [1.0, 2.0].into_iter().map(|step| (low + step * width).clamp(low, high));
            let values = [low, high].into_iter().chain(inside).chain(whole).map(wrap).chain(null.then_some(Value::Null)).collect();
            Column { shape: Shape::Range(low, high), null, values }
        })
        .boxed()
}

fn column(data_type: Type) -> BoxedStrategy<Column> {
    let several = move |null: bool, shape: Shape, most: usize| {
        prop::collection::vec(value_of(data_type), 1..=most)
            .prop_map(move |mut values| {
                values.extend(null.then_some(Value::Null));
                Column { shape, null, values }
            })
            .boxed()
    };
    let null = Just(Column { shape: Shape::Known, null: true, values: vec![Value::Null] }).boxed();
    any::<bool>()
        .prop_flat_map(move |nullable| {
            let mut options =
                vec![several(false, Shape::Known, 1), several(nullable, Shape::Any, 5), several(nullable, Shape::OneOf, 3), null.clone()];
            if matches!(data_type, Type::Number | Type::Time) {
                options.extend([range(data_type, nullable), range(data_type, nullable), range(data_type, false)]);
            }
            Union::new(options)
        })
        .boxed()
}

fn columns() -> Vec<BoxedStrategy<Column>> {
    TYPES.iter().map(|data_type| column(*data_type)).collect()
}

fn rows() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), TYPES.len()), 24)
}

fn pick<'a>(columns: &'a [Column], picks: &[u8]) -> Vec<Value<'a>> {
    columns.iter().zip(picks).map(|(column, pick)| column.values[usize::from(*pick) % column.values.len()].borrow()).collect()
}

fn condition_of(text: &str) -> Expression {
    Expression::condition(text, &Table).unwrap_or_else(|error| panic!("{error}"))
}

/// Two conditions of one column of numbers on a grid of halves.
fn steps() -> BoxedStrategy<String> {
    let leaf = (
        select(&["a = $", "a <> $", "a < $", "a <= $", "a > $", "a >= $", "$ < a", "a in ($, 2)", "a between $ and 1", "a is null"][..]),
        -4..=4_i32,
    )
        .prop_map(|(form, k)| form.replace('$', &format!("{}", f64::from(k) / 2.0)));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..=3).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..=3).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.clone().prop_map(|part| format!("(not {part})")),
            inner.prop_map(|part| format!("({part} is true)")),
        ]
    })
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn outcomes_allow_every_evaluation(text in condition(), columns in columns(), rows in rows()) {
        let expression = condition_of(&text);
        let outcomes = expression.outcomes(&Known(columns.iter().map(Column::domain).collect()));
        for picks in rows {
            let row = pick(&columns, &picks);
            let truth = expression.holds(&Values(&row));
            prop_assert!(outcomes.allow(truth), "{truth:?} of {outcomes:?} at {row:?}");
        }
    }

    /// A condition that is true for the value of one row only, so that a bound that is a little too narrow shows.
    #[test]
    fn values_lie_in_their_sets((name, column, text) in values(), columns in columns(), rows in rows()) {
        let expression = parse(&text);
        let equal = condition_of(&format!("{name} is not distinct from ({text})"));
        for picks in rows {
            let row = pick(&columns, &picks);
            let value = expression.evaluate(&Values(&row)).into_owned();
            let mut domains = Known(columns.iter().map(Column::domain).collect());
            domains.0[column] = Domain::Known(value.borrow());
            prop_assert!(equal.outcomes(&domains).may_be_true, "{value:?} at {row:?}");
        }
    }

    #[test]
    fn outcomes_of_two_columns_are_sound(text in coupled(), a in (-3..=3_i32, 0..=4_i32), b in (-3..=3_i32, 0..=4_i32)) {
        let expression = condition_of(&text);
        let range = |(low, more): (i32, i32)| (f64::from(low) / 2.0, f64::from(low + more) / 2.0);
        let mut domains = support::open();
        for (column, ends) in [(0, a), (1, b)] {
            let (low, high) = range(ends);
            domains.0[column] = Domain::Range { low, high, null: false };
        }
        let outcomes = expression.outcomes(&domains);
        let points = |ends: (i32, i32)| (0..=4 * ends.1).map(move |i| range(ends).0 + f64::from(i) / 8.0);
        let mut row = support::NULLS;
        for x in points(a) {
            row[0] = Value::Number(x);
            for y in points(b) {
                row[1] = Value::Number(y);
                let truth = expression.holds(&Values(&row));
                prop_assert!(outcomes.allow(truth), "{truth:?} of {outcomes:?} at {x}, {y}");
            }
        }
    }

    #[test]
    fn outcomes_of_known_columns_are_the_evaluation(text in condition(), columns in columns(), rows in rows()) {
        let expression = condition_of(&text);
        for picks in rows {
            let row = pick(&columns, &picks);
            let known = Known(row.iter().map(|value| Domain::Known(value.borrow())).collect());
            prop_assert_eq!(expression.outcomes(&known), Outcomes::of(expression.holds(&Values(&row))), "{:?}", row);
        }
    }

    #[test]
    fn true_ranges_have_every_value_that_is_true(text in condition(), columns in columns(), rows in rows(), resolution in 0.001..10.0_f64) {
        let expression = condition_of(&text);
        let domains = Known(columns.iter().map(Column::domain).collect());
        for column in [0, 4] {
            let Shape::Range(low, high) = columns[column].shape else { continue };
            let ranges = expression.true_ranges(column, low, high, resolution, &domains);
            prop_assert!(ranges.is_sorted_by(|a, b| a.1 < b.0) && ranges.iter().all(|(low, high)| low <= high), "{ranges:?}");
            for picks in &rows {
                let row = pick(&columns, picks);
                let (Value::Number(x) | Value::Time(x)) = row[column] else { continue };
                if expression.holds(&Values(&row)) == Some(true) {
                    prop_assert!(ranges.iter().any(|(low, high)| (low..=high).contains(&&x)), "{x} of {ranges:?} at {row:?}");
                }
            }
        }
    }

    #[test]
    fn conjuncts_are_the_condition(text in condition(), columns in columns(), rows in rows()) {
        let expression = condition_of(&text);
        let conjuncts = expression.conjuncts();
        for picks in rows {
            let row = pick(&columns, &picks);
            let truths: Vec<Option<bool>> = conjuncts.iter().map(|conjunct| conjunct.holds(&Values(&row))).collect();
            let all = if truths.contains(&Some(false)) { Some(false) } else if truths.contains(&None) { None } else { Some(true) };
            prop_assert_eq!(all, expression.holds(&Values(&row)));
            for (conjunct, truth) in conjuncts.iter().zip(truths) {
                prop_assert_eq!(condition_of(&conjunct.to_string()).holds(&Values(&row)), truth, "{}", conjunct);
            }
        }
    }

    #[test]
    fn conditions_of_one_column_are_exact(text in steps(), low in -6..=6_i32, more in 0..=6_i32, null in any::<bool>()) {
        let expression = condition_of(&text);
        let (low, high) = (f64::from(low) / 2.0, f64::from(low + more) / 2.0);
        let mut domains = support::open();
        domains.0[0] = Domain::Range { low, high, null };
        let mut row = support::NULLS;
        let mut expected = Outcomes::default();
        let points = (0..=2 * more).map(|i| Value::Number(low + f64::from(i) / 4.0));
        for value in points.chain(null.then_some(Value::Null)) {
            row[0] = value;
            let now = Outcomes::of(expression.holds(&Values(&row)));
            expected = Outcomes {
                may_be_true: expected.may_be_true | now.may_be_true,
                may_be_false: expected.may_be_false | now.may_be_false,
                may_be_null: expected.may_be_null | now.may_be_null,
            };
        }
        prop_assert_eq!(expression.outcomes(&domains), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = Expression::parse(&text, &Table);
    }

    #[test]
    fn no_soup_of_tokens_panics(words in prop::collection::vec(select(TOKENS), 0..30)) {
        if let Ok(expression) = Expression::parse(&words.join(" "), &Table) {
            expression.outcomes(&support::open());
            expression.evaluate(&Values(&support::NULLS));
        }
    }
}

const TOKENS: &[&str] = &[
    "a",
    "b",
    "s",
    "m",
    "t",
    "d",
    "(",
    ")",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "<",
    ">",
    "and",
    "or",
    "not",
    "in",
    "between",
    "like",
    "is",
    "null",
    "true",
    "case",
    "when",
    "then",
    "else",
    "end",
    "1",
    "2.5",
    "'x'",
    "'2020-01-01'",
    "date",
    "interval",
    "'1 day'",
    "day",
    "extract",
    "year",
    "from",
    "coalesce",
    "round",
    "cast",
    "as",
    "double",
    "||",
    "distinct",
    "trim",
    "substring",
    "for",
    "over",
    "any",
    "all",
    "`q`",
    "\"r\"",
    ".",
    "--",
];

/// More cases where the environment asks for them.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

#[test]
fn ranges_are_as_tight_as_they_should_be() {
    let mut domains = support::open();
    domains.0[0] = Domain::Range { low: 0.0, high: 10.0, null: false };
    domains.0[4] = Domain::Range { low: 18_262.0 * 86_400.0, high: 18_300.0 * 86_400.0, null: false };
    domains.0[1] = Domain::Known(Value::Number(4.0));
    let labels = [Value::from("x"), Value::from("yy")];
    domains.0[2] = Domain::OneOf(&labels);
    // January and a week of February 2020.
    for (case, expected) in [
        ("a between 11 and 12", "f"),
        ("a between 0 and 10", "t"),
        ("a >= 3 and a <= 2", "f"),
        ("a < 3 or a >= 3", "t"),
        ("not (a < 3 or a > 5) and a > 5", "f"),
        ("a > b and a < b", "f"),
        ("a >= b or a < b", "t"),
        ("a * 2 + 1 > 21", "f"),
        ("a * 2 + 1 >= 1", "t"),
        ("abs(a - 5) <= 5", "t"),
        ("sqrt(a) < 4", "t"),
        ("power(a, 2) <= 100.1", "t"),
        ("1 / a > 0", "tn"),
        ("a % 3 < 3", "t"),
        ("extract(month from t) in (3, 4)", "f"),
        ("extract(month from t) <= 2", "t"),
        ("extract(year from t) = 2020", "t"),
        ("date_trunc('year', t) = '2020-01-01'", "t"),
        ("t - date '2020-01-01' < interval '38 days'", "tf"),
        ("t - date '2020-01-01' <= interval '38 days'", "t"),
        ("t + interval '1 month' > date '2020-01-31'", "t"),
        ("s in ('x', 'yy')", "t"),
        ("lower(s) = 'X'", "f"),
        ("s = 'yy' and a > 11", "f"),
        ("coalesce(a, 100) > 50", "f"),
        ("case when a > 20 then true else m end is null", "f"),
        ("least(a, 3) > 3", "f"),
        ("length(s) > 2", "f"),
        ("greatest(a, b) >= 4", "t"),
        ("(a > 2 and a < 1) or (a > 7 and a < 6 and m)", "f"),
    ] {
        let outcomes = parse(case).outcomes(&domains);
        let found = [(outcomes.may_be_true, 't'), (outcomes.may_be_false, 'f'), (outcomes.may_be_null, 'n')];
        let found: String = found.into_iter().filter(|(may_be, _)| *may_be).map(|(_, letter)| letter).collect();
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn true_ranges_are_found() {
    let mut domains = support::open();
    domains.0[1] = Domain::Known(Value::Number(4.0));
    let ranges = |case: &str, low, high| parse(case).true_ranges(0, low, high, 0.01, &domains);
    assert_eq!(ranges("a >= 3.7", 0.0, 10.0), [(3.7, 10.0)]);
    assert_eq!(ranges("a > b", 0.0, 10.0), [(4.0_f64.next_up(), 10.0)]);
    assert_eq!(ranges("a = 5", 0.0, 10.0), [(5.0, 5.0)]);
    assert_eq!(ranges("a <> 5", 0.0, 10.0), [(0.0, 5.0_f64.next_down()), (5.0_f64.next_up(), 10.0)]);
    assert_eq!(ranges("a in (1, 2, 30)", 0.0, 10.0), [(1.0, 1.0), (2.0, 2.0)]);
    assert_eq!(ranges("a < 2 or a > 8 and m", 0.0, 10.0), [(0.0, 2.0_f64.next_down()), (8.0_f64.next_up(), 10.0)]);
    assert_eq!(ranges("a > 20", 0.0, 10.0), []);
    assert_eq!(ranges("a is null", 0.0, 10.0), []);
    assert_eq!(ranges("s = 'x'", 0.0, 10.0), [(0.0, 10.0)]);
    let close = |found: Vec<(f64, f64)>, expected: &[(f64, f64)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.0 <= expected.0 && found.0 > expected.0 - 0.011, "{found:?}");
            assert!(found.1 >= expected.1 && found.1 < expected.1 + 0.011, "{found:?}");
        }
    };
    close(ranges("2 * a >= 7.4", 0.0, 10.0), &[(3.7, 10.0)]);
    close(ranges("abs(a - 5) <= 1.5", 0.0, 10.0), &[(3.5, 6.5)]);
    close(ranges("power(a, 2) between 4 and 9", -10.0, 10.0), &[(-3.0, -2.0), (2.0, 3.0)]);
    close(ranges("a + b = 7", 0.0, 10.0), &[(3.0, 3.0)]);
    let visits = parse("extract(month from t) = 2").true_ranges(4, 1_577_836_800.0, 1_609_459_199.0, 60.0, &domains);
    assert_eq!(visits.len(), 1);
    assert!((visits[0].0 - 1_580_515_200.0).abs() <= 60.0 && (visits[0].1 - 1_583_020_800.0).abs() <= 60.0, "{visits:?}");
}

/// Stepping through two columns at once would miss what lies between 1 and 1.5.
#[test]
fn steps_of_one_column_do_not_hide_those_of_another() {
    let mut domains = support::open();
    domains.0[0] = Domain::Range { low: 0.0, high: 10.0, null: false };
    domains.0[1] = Domain::Range { low: 0.0, high: 10.0, null: false };
    assert!(parse("a > 1 and a < b and b < 1.5").outcomes(&domains).may_be_true);
    assert!(parse("a > 1 and (a < b and b < 1.5) is true").outcomes(&domains).may_be_true);
}
