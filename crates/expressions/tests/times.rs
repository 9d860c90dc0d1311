//! Times and intervals.

mod support;

use semblant_expressions::Value;
use support::{NULLS, value, value_in};

#[test]
fn dates_are_seconds() {
    assert_eq!(value("date '1970-01-02'"), Value::Time(86_400.0));
    assert_eq!(value("timestamp '1969-12-31 23:59:59.5'"), Value::Time(-0.5));
    assert_eq!(value("date '2020-01-01'"), Value::Time(1_577_836_800.0));
}

#[test]
fn parts_of_times() {
    for (part, time, expected) in [
        ("year", "2020-02-29", 2020.0),
        ("quarter", "2020-03-31", 1.0),
        ("quarter", "2020-04-01", 2.0),
        ("month", "2020-12-01", 12.0),
        ("week", "2021-01-01", 53.0),
        ("week", "2020-12-28", 53.0),
        ("day", "2020-02-29", 29.0),
        ("dow", "2024-06-02", 0.0),
        ("isodow", "2024-06-02", 7.0),
        ("dow", "2024-06-03", 1.0),
        ("doy", "2020-12-31", 366.0),
        ("doy", "2021-12-31", 365.0),
        ("hour", "2020-01-01 23:59:59", 23.0),
        ("minute", "2020-01-01 23:58:59", 58.0),
        ("second", "2020-01-01 23:58:59.25", 59.25),
        ("hour", "1960-01-01 23:59:59", 23.0),
        ("second", "1960-01-01 23:59:01", 1.0),
        ("epoch", "1970-01-01 01:00", 3600.0),
    ] {
        assert_eq!(value(&format!("extract({part} from timestamp '{time}')")), Value::Number(expected), "{part} {time}");
        assert_eq!(value(&format!("date_part('{part}', timestamp '{time}')")), Value::Number(expected), "{part} {time}");
    }
}

#[test]
fn months_are_clipped_at_their_ends() {
    for (case, expected) in [
        ("date '2020-01-31' + interval '1 month'", "2020-02-29"),
        ("date '2021-01-31' + interval '1 month'", "2021-02-28"),
        ("date '2020-02-29' + interval '1 year'", "2021-02-28"),
        ("date '2020-02-29' + interval '4 years'", "2024-02-29"),
        ("date '2020-03-31' - interval '1 month'", "2020-02-29"),
        ("date '2020-12-31' + interval '2 months'", "2021-02-28"),
        ("interval '3 days' + date '2020-02-27'", "2020-03-01"),
        ("date '2020-02-28' + interval '1' day", "2020-02-29"),
        ("date '2020-02-28' + interval 2 day", "2020-03-01"),
        ("date '2020-01-31' + interval '1 month 2 days'", "2020-03-02"),
        ("date '1900-02-28' + interval '1 day'", "1900-03-01"),
        ("timestamp '2020-01-01 12:00' + interval '-12:00'", "2020-01-01"),
        ("date '2020-01-01' + '1 week'", "2020-01-08"),
        ("date '2020-01-01' + interval '1 month' * 2.5", "2020-03-16"),
        ("date '2020-01-01' - -interval '1 day'", "2020-01-02"),
        ("date_trunc('month', timestamp '2020-02-29 12:00')", "2020-02-01"),
        ("date_trunc('quarter', date '2020-06-30')", "2020-04-01"),
        ("date_trunc('year', date '2020-06-30')", "2020-01-01"),
        ("date_trunc('week', date '2020-01-01')", "2019-12-30"),
        ("date_trunc('week', date '1969-12-28')", "1969-12-22"),
        ("date_trunc('day', timestamp '1969-12-28 13:00')", "1969-12-28"),
        ("date_trunc('hour', timestamp '2020-01-01 00:59')", "2020-01-01"),
    ] {
        assert_eq!(value(case), value(&format!("date '{expected}'")), "{case}");
    }
}

#[test]
fn intervals() {
    for (case, expected) in [
        ("date '2020-03-01' - date '2020-02-01' = interval '29 days'", true),
        ("date '2020-03-01' - date '2020-02-01' > '28 days'", true),
        ("interval '1 month' = interval '30 days'", true),
        ("interval '1 year' = interval '12 months'", true),
        ("interval '36 hours' = interval '1.5 days'", true),
        ("interval '1 day 02:30' = interval '26 hours 30 minutes'", true),
        ("days(date '2020-03-01' - date '2020-02-01') = 29", true),
        ("extract(epoch from date '2020-01-02' - date '2020-01-01') = 86400", true),
        ("extract(day from interval '49 hours') = 2", true),
        ("extract(hour from interval '49 hours') = 1", true),
        ("extract(month from interval '14 months') = 2", true),
        ("interval '2 days' / 2 = interval '1 day'", true),
        ("2 * interval '1 day' - interval '1 day' < interval '25 hours'", true),
    ] {
        assert_eq!(value(case), Value::Boolean(expected), "{case}");
    }
    assert_eq!(value("interval '1 year 2 months -3 days'"), Value::Interval { months: 14, seconds: -259_200.0 });
    assert_eq!(value("interval '1 month' / 0"), Value::Null);
}

#[test]
fn texts_beside_times_are_times() {
    let mut row = NULLS;
    row[4] = value("date '2020-01-31'");
    row[6] = value("interval '3 days'");
    for (case, expected) in [
        ("t >= '2020-01-31'", true),
        ("t > '31/01/2020'", false),
        ("t between '2020-01-01' and '2020-12-31'", true),
        ("t in ('31/01/2020')", true),
        ("t - '2020-01-30' = interval '1 day'", true),
        ("date_trunc('month', t) = '2020-01-01'", true),
        ("d <= '72 hours'", true),
        ("coalesce(u, t) = t", true),
        ("coalesce(u, '2020-01-31') = t", true),
        ("t + d > '02/02/2020'", true),
    ] {
        if case.ends_with("'02/02/2020'") {
            // Not beside a column, so in the usual notation.
            assert!(support::error(case).contains("'02/02/2020' is not a time; write '2020-01-31'"));
        } else {
            assert_eq!(value_in(case, &row), Value::Boolean(expected), "{case}");
        }
    }
}
