//! Times and intervals: their parts, their arithmetic, and how they are written.

use jiff::Span;
use jiff::civil::{Date, DateTime};

use crate::value::DAY;

/// The first and the last second that have a date: the years -9999 to 9999.
pub(crate) const CIVIL: (f64, f64) = (-4_371_587.0 * DAY, 2_932_897.0 * DAY - 1.0);

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Year,
    Quarter,
    Month,
    /// Of ISO 8601.
    Week,
    Day,
    /// 0 is Sunday.
    DayOfWeek,
    /// 1 is Monday, 7 is Sunday.
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Epoch,
}

/// What a time is cut down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// The names of fields.
pub(crate) const FIELDS: [(&str, Field); 12] = [
    ("year", Field::Year),
    ("quarter", Field::Quarter),
    ("month", Field::Month),
    ("week", Field::Week),
    ("day", Field::Day),
    ("dow", Field::DayOfWeek),
    ("isodow", Field::IsoDayOfWeek),
    ("doy", Field::DayOfYear),
    ("hour", Field::Hour),
    ("minute", Field::Minute),
    ("second", Field::Second),
    ("epoch", Field::Epoch),
];

/// The names of units.
pub(crate) const UNITS: [(&str, Unit); 8] = [
    ("year", Unit::Year),
    ("quarter", Unit::Quarter),
    ("month", Unit::Month),
    ("week", Unit::Week),
    ("day", Unit::Day),
    ("hour", Unit::Hour),
    ("minute", Unit::Minute),
    ("second", Unit::Second),
];

/// The start of the unit of so many seconds that a time lies in. The remainder is exact where a quotient may round up to the next unit.
fn floor_to(time: f64, unit: f64) -> f64 {
    let second = time.floor();
    second - second.rem_euclid(unit)
}

pub(crate) fn start_of_day(time: f64) -> f64 {
    floor_to(time, DAY)
}

/// Whole seconds since the start of the day, and the part of a second, which rounding may bring to one for a time just before 1970.
fn clock(time: f64) -> (f64, f64) {
    let second = time.floor();
    (second.rem_euclid(DAY), (time - second).min(1.0_f64.next_down()))
}

/// The date of a time, if the calendar has it.
pub(crate) fn date(time: f64) -> Option<Date> {
    let second = time.floor();
    if !(CIVIL.0..=CIVIL.1).contains(&second) {
        return None;
    }
    let [year, month, day] = civil((second / DAY).floor() as i64);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar of any year.
pub fn civil(days: i64) -> [i64; 3] {
    // By the 400 years after which the calendar repeats, from a first of March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    [era * 400 + year + i64::from(month <= 2), month, day]
}

/// Days since 1970-01-01; the inverse of [`date`].
fn days(date: Date) -> i32 {
    let (year, month) = (i32::from(date.year()) - i32::from(date.month() <= 2), i32::from(date.month()));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i32::from(date.day()) - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

fn seconds_of(datetime: DateTime) -> f64 {
    let clock = f64::from(datetime.hour()) * 3_600.0 + f64::from(datetime.minute()) * 60.0 + f64::from(datetime.second());
    f64::from(days(datetime.date())) * DAY + clock + f64::from(datetime.subsec_nanosecond()) * 1e-9
}

fn seconds_of_date(date: Date) -> f64 {
    f64::from(days(date)) * DAY
}

/// A part of a time; none outside of the calendar.
pub(crate) fn extract(field: Field, time: f64) -> Option<f64> {
    let whole = |part: f64| Some(part);
    match field {
        Field::Epoch => whole(time),
        Field::Hour => whole((clock(time).0 / 3_600.0).floor()),
        Field::Minute => whole((clock(time).0 % 3_600.0 / 60.0).floor()),
        Field::Second => whole(clock(time).0 % 60.0 + clock(time).1),
        _ => {
            let date = date(time)?;
            whole(match field {
                Field::Year => f64::from(date.year()),
                Field::Quarter => f64::from((date.month() - 1) / 3 + 1),
                Field::Month => f64::from(date.month()),
                Field::Week => f64::from(date.iso_week_date().week()),
                Field::Day => f64::from(date.day()),
                Field::DayOfWeek => f64::from(date.weekday().to_sunday_zero_offset()),
                Field::IsoDayOfWeek => f64::from(date.weekday().to_monday_one_offset()),
                _ => f64::from(date.day_of_year()),
            })
        }
    }
}

/// A part of an interval, as PostgreSQL has it, but for days: here 30 hours are a day and 6 hours.
pub(crate) fn extract_interval(field: Field, months: i32, seconds: f64) -> f64 {
    let part = |unit: f64, modulus: f64| (seconds % modulus / unit).trunc();
    match field {
        Field::Year => f64::from(months / 12),
        Field::Quarter => f64::from(months % 12 / 3 + 1),
        Field::Month => f64::from(months % 12),
        Field::Hour => part(3_600.0, DAY),
        Field::Minute => part(60.0, 3_600.0),
        Field::Second => seconds % 60.0,
        Field::Epoch => f64::from(months / 12) * 365.25 * DAY + f64::from(months % 12) * 30.0 * DAY + seconds,
        _ => (seconds / DAY).trunc(),
    }
}

/// The start of the unit that a time lies in; none outside of the calendar.
pub(crate) fn truncate(unit: Unit, time: f64) -> Option<f64> {
    let day = || date(time);
    match unit {
        Unit::Second => Some(time.floor()),
        Unit::Minute => Some(floor_to(time, 60.0)),
        Unit::Hour => Some(floor_to(time, 3_600.0)),
        Unit::Day => Some(start_of_day(time)),
        // 1970-01-01 was a Thursday, so the weeks begin three days before.
        Unit::Week => Some(floor_to(time.floor() + 3.0 * DAY, 7.0 * DAY) - 3.0 * DAY),
        Unit::Month => Some(seconds_of_date(day()?.first_of_month())),
        Unit::Quarter => {
            let day = day()?;
            Some(seconds_of_date(Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok()?))
        }
        Unit::Year => Some(seconds_of_date(day()?.first_of_year())),
    }
}

/// A time moved by months, clipped at the end of the month, then by seconds; none outside of the calendar.
pub(crate) fn shift(time: f64, months: i32, seconds: f64) -> Option<f64> {
    if months == 0 {
        return Some(time + seconds);
    }
    let moved = date(time)?.checked_add(Span::new().try_months(months).ok()?).ok()?;
    let (second, part) = clock(time);
    Some(seconds_of_date(moved) + (second + part) + seconds)
}

/// A date, or a date and a time of day, as ISO 8601 or with a space between them; no time zones.
pub(crate) fn parse_time(text: &str) -> Option<f64> {
    text.parse::<DateTime>().ok().map(seconds_of)
}

/// A time in ISO 8601 with a space, and without the time of day at midnight.
pub(crate) fn format_time(time: f64) -> Option<String> {
    let date = date(time)?;
    let (second, part) = clock(time);
    if second == 0.0 && part == 0.0 {
        return Some(date.to_string());
    }
    let text = format!("{date} {:02}:{:02}:{:02}", (second / 3_600.0).floor(), (second % 3_600.0 / 60.0).floor(), second % 60.0);
    // Cut off, as a clock's digits do not round up to the next second.
    let micros = (part * 1e6).floor();
    let fraction = format!("{micros:06}");
    Some(if micros == 0.0 { text } else { format!("{text}.{}", fraction.trim_end_matches('0')) })
}

/// Months and seconds of a text such as `1 year 2 months -3 days 04:05:06`.
pub(crate) fn parse_interval(text: &str) -> Option<(i32, f64)> {
    let (mut months, mut seconds) = (0.0, 0.0);
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && !"+-.:".contains(c)).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        if number.contains(':') {
            seconds += parse_clock(number)?;
            rest = behind.trim_start();
            continue;
        }
        let behind = behind.trim_start();
        let letters = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let (more_months, more_seconds) = amount(number.parse().ok()?, unit)?;
        (months, seconds) = (months + more_months, seconds + more_seconds);
        rest = behind.trim_start();
    }
    interval(months, seconds)
}

/// Seconds of `[-]h:m[:s]`.
fn parse_clock(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let parts = text.split(':').map(|part| part.parse::<f64>().ok().filter(|x| *x >= 0.0)).collect::<Option<Vec<f64>>>()?;
    match parts.as_slice() {
        [hours, minutes] => Some(sign * (hours * 3_600.0 + minutes * 60.0)),
        [hours, minutes, seconds] => Some(sign * (hours * 3_600.0 + minutes * 60.0 + seconds)),
        _ => None,
    }
}

/// Months and seconds of an amount of a unit.
pub(crate) fn amount(number: f64, unit: &str) -> Option<(f64, f64)> {
    Some(match unit.to_ascii_lowercase().trim_end_matches('s') {
        "year" | "yr" | "y" => (number * 12.0, 0.0),
        "quarter" => (number * 3.0, 0.0),
        "month" | "mon" => (number, 0.0),
        "week" | "w" => (0.0, number * 7.0 * DAY),
        "day" | "d" => (0.0, number * DAY),
        "hour" | "hr" | "h" => (0.0, number * 3_600.0),
        "minute" | "min" | "m" => (0.0, number * 60.0),
        "second" | "sec" => (0.0, number),
        "" if unit.eq_ignore_ascii_case("s") => (0.0, number),
        _ => return None,
    })
}

/// The interval of months and seconds; a part of a month is of 30 days.
pub(crate) fn interval(months: f64, seconds: f64) -> Option<(i32, f64)> {
    let whole = months.trunc();
    let seconds = seconds + (months - whole) * 30.0 * DAY;
    // In the range of i32 by the test.
    (whole.abs() <= f64::from(i32::MAX) && seconds.is_finite()).then_some((whole as i32, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_jiffs() {
        assert_eq!(seconds_of_date(Date::MIN), CIVIL.0);
        assert_eq!(seconds_of_date(Date::MAX) + DAY - 1.0, CIVIL.1);
        let epoch = Date::constant(1970, 1, 1);
        for days_since in (-4_371_587..=2_932_896).step_by(37).chain([-1, 0, 59, 60, 11_016, 11_017, -25_509]) {
            let expected = epoch.checked_add(Span::new().days(days_since)).unwrap();
            assert_eq!(date(f64::from(days_since) * DAY), Some(expected));
            assert_eq!(days(expected), days_since);
        }
        assert_eq!(date(CIVIL.1 + 1.0), None);
        assert_eq!(date(CIVIL.0 - 1.0), None);
    }
}
