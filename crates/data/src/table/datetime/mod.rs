//! Points in time as text and as seconds since 1970-01-01, and the zone that a column's texts are in.
//!
//! Dates are computed as civil ones, so that every day from the year -9999 to 9999-12-31 is exact; an instant of a zone is its time in UTC.

mod guess;

use std::ops::Rem;

use jiff::civil::{self, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

pub(crate) use guess::{Guess, guess, whole_number_format, zone};

/// How a datetime is written when its column names no format.
pub(crate) const DEFAULT_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";

const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// The text as seconds since 1970-01-01: in UTC if it names an offset or if `zone` is given, else without zone. Parts of a date that the
/// format leaves out are those of 1970-01-01.
pub(crate) fn parse(format: &str, zone: Option<&str>, text: &str) -> Option<f64> {
    if zone.is_none()
        && let Some(time) = parse_iso(format, text)
    {
        return Some(time);
    }
    let parts = strtime::parse(format, text).ok()?;
    let local = civil(&parts)?;
    let seconds = since_epoch(local);
    match (parts.offset(), zone) {
        (Some(offset), _) => Some(seconds - f64::from(offset.seconds())),
        (None, Some(zone)) if !format.contains('Z') && !format.contains("UTC") && !format.contains("GMT") => Some(to_utc(zone, seconds)),
        (None, _) => Some(seconds),
    }
}

/// The most frequent formats without a parser for all of them; `None` also for texts that need it.
fn parse_iso(format: &str, text: &str) -> Option<f64> {
    let has_time = match format {
        "%Y-%m-%d" => false,
        "%Y-%m-%d %H:%M:%S" | "%Y-%m-%dT%H:%M:%S" => true,
        _ => return None,
    };
    let bytes = text.as_bytes();
    let separators: &[(usize, u8)] =
        if has_time { &[(4, b'-'), (7, b'-'), (10, format.as_bytes()[8]), (13, b':'), (16, b':')] } else { &[(4, b'-'), (7, b'-')] };
    if bytes.len() != if has_time { 19 } else { 10 } || separators.iter().any(|&(at, separator)| bytes[at] != separator) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0i16, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i16::from(byte - b'0')))
    };
    let date = civil::Date::new(number(0..4)?, number(5..7)? as i8, number(8..10)? as i8).ok()?;
    let time = if has_time {
        civil::Time::new(number(11..13)? as i8, number(14..16)? as i8, number(17..19)? as i8, 0).ok()?
    } else {
        civil::Time::midnight()
    };
    Some(since_epoch(date.to_datetime(time)))
}

fn civil(parts: &BrokenDownTime) -> Option<DateTime> {
    if let Some(at) = parts.timestamp() {
        return Some(Offset::UTC.to_datetime(at));
    }
    let date = match parts.to_date() {
        Ok(date) => date,
        // A month without a day, or a time without a date.
        Err(_) if parts.day().is_none() && parts.month().is_some() => civil::Date::new(parts.year()?, parts.month()?, 1).ok()?,
        Err(_) if parts.year().is_none() && parts.month().is_none() && parts.day().is_none() => EPOCH.date(),
        Err(_) => return None,
    };
    let time = if parts.hour().is_some() { parts.to_time().ok()? } else { civil::Time::midnight() };
    Some(date.to_datetime(time))
}

fn since_epoch(at: DateTime) -> f64 {
    let since = at.duration_since(EPOCH);
    since.as_secs() as f64 + f64::from(since.subsec_nanos()) / 1e9
}

/// Whole microseconds, computed so that [`seconds`] gives the same number back.
pub(crate) fn micros(seconds: f64) -> i64 {
    // The product of the whole would not be exact; those of its parts are.
    let whole = seconds.floor();
    (whole as i64).saturating_mul(1_000_000).saturating_add(((seconds - whole) * 1e6).round() as i64)
}

/// Seconds from units of `per_second`, rounded once.
pub(crate) fn seconds(units: i64, per_second: i64) -> f64 {
    units.div_euclid(per_second) as f64 + units.rem_euclid(per_second) as f64 / per_second as f64
}

/// Whether seconds since 1970-01-01 lie within the years -9999 to 9999.
pub(crate) fn is_held(seconds: f64) -> bool {
    seconds.abs() < 4e11 && EPOCH.checked_add(SignedDuration::from_micros(micros(seconds))).is_ok()
}

/// The civil time of seconds since 1970-01-01; times beyond the years -9999 to 9999 are moved to that limit.
fn datetime(seconds: f64) -> DateTime {
    let micros = micros(seconds.clamp(-4e11, 4e11));
    let limit = if micros < 0 { DateTime::MIN } else { DateTime::MAX };
    EPOCH.checked_add(SignedDuration::from_micros(micros)).unwrap_or(limit)
}

/// Seconds since 1970-01-01 (UTC where there is a zone) as text, to the microsecond.
pub(crate) fn format(format: &str, zone: Option<&str>, seconds: f64) -> String {
    // Without a fraction in the format, round to the nearest second instead of cutting.
    let seconds = if has_fraction(format) { seconds } else { seconds.round() };
    let offset = zone.map_or(0.0, |zone| offset_at(zone, seconds));
    let mut parts = BrokenDownTime::from(datetime(seconds + offset));
    parts.set_offset(Offset::from_seconds(offset as i32).ok());
    parts.to_string(format).unwrap_or_else(|_| datetime(seconds).to_string())
}

fn has_fraction(format: &str) -> bool {
    format.contains('f') || format.contains("%N")
}

/// The zone of a name of the IANA database or of an offset such as `+02:00`.
fn time_zone(zone: &str) -> Option<TimeZone> {
    if zone.eq_ignore_ascii_case("utc") || zone == "Z" {
        return Some(TimeZone::UTC);
    }
    let offset = strtime::parse("%:z", zone).or_else(|_| strtime::parse("%z", zone)).ok().and_then(|parts| parts.offset());
    offset.map(TimeZone::fixed).or_else(|| TimeZone::get(zone).ok())
}

/// Seconds to add to UTC for the time of a zone; 0 where the zone is not known.
fn offset_at(zone: &str, seconds: f64) -> f64 {
    let at = Timestamp::from_second(seconds.clamp(-3.7e11, 2.5e11) as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    time_zone(zone).map_or(0.0, |zone| f64::from(zone.to_offset(at).seconds()))
}

/// The zone's own time of an instant.
pub(crate) fn to_local(zone: Option<&str>, seconds: f64) -> f64 {
    zone.map_or(seconds, |zone| seconds + offset_at(zone, seconds))
}

/// The instant of a zone's own time.
pub(crate) fn to_utc(zone: &str, local: f64) -> f64 {
    // The offset is that of the instant, which is near the local time: the second look has the right side of a change of clocks.
    let guess = local - offset_at(zone, local);
    local - offset_at(zone, guess)
}

/// Why a zone is not usable, if it is not.
pub(crate) fn check_zone(zone: &str) -> Result<(), String> {
    let unknown = || format!("the zone \"{zone}\" is not known; give a name such as \"Europe/Berlin\", or an offset such as \"+02:00\"");
    time_zone(zone).map(drop).ok_or_else(unknown)
}

/// Why a format is not usable, if it is not: it has to be one that writes what it reads.
pub(crate) fn check_format(format: &str) -> Result<(), String> {
    let mut sample = BrokenDownTime::from(EPOCH);
    sample.set_offset(Some(Offset::UTC));
    let written = sample.to_string(format).map_err(|error| format!("the datetime format \"{format}\" is not valid: {error}"))?;
    let specifies = format.contains('%');
    match parse(format, None, &written) {
        Some(_) if specifies => Ok(()),
        _ => Err(format!("the datetime format \"{format}\" does not give a time; it needs a year and a month, or an hour")),
    }
}

/// The step between the times that a format can write, in seconds; `None` for any fraction.
pub(crate) fn format_step(format: &str) -> Option<f64> {
    let has = |parts: &[&str]| parts.iter().any(|part| format.contains(part));
    if let Some(digits) = format.find("%.").and_then(|at| format[at + 2..].chars().next()).and_then(|c| c.to_digit(10)) {
        return Some(10f64.powi(-(digits.min(6) as i32)));
    }
    if has_fraction(format) {
        None
    } else if has(&["%S", "%T", "%s", "%c", "%r", "%X", "%-S"]) {
        Some(1.0)
    } else if has(&["%M", "%R", "%-M"]) {
        Some(60.0)
    } else if has(&["%H", "%I", "%k", "%l", "%-H", "%-I"]) {
        Some(3_600.0)
    } else {
        Some(86_400.0)
    }
}

/// The coarsest usual step of times, and where it starts: whole days, hours, minutes, seconds or fractions of them.
pub(crate) fn grain(times: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    const STEPS: [i64; 15] = [
        86_400_000_000,
        43_200_000_000,
        21_600_000_000,
        10_800_000_000,
        3_600_000_000,
        1_800_000_000,
        900_000_000,
        600_000_000,
        300_000_000,
        60_000_000,
        30_000_000,
        15_000_000,
        10_000_000,
        5_000_000,
        1_000_000,
    ];
    let times = times.filter(|time| !time.is_nan()).map(micros);
    let first = times.clone().next()?;
    let common = times.fold(0, |common: i64, time| gcd(common, time.saturating_sub(first).unsigned_abs() as i64));
    if common == 0 {
        return None;
    }
    let fractions = (0..6).map(|digits| 10i64.pow(5 - digits));
    let step = STEPS.into_iter().chain(fractions).find(|step| common % step == 0)?;
    let scale = 1e6;
    Some((step as f64 / scale, first.rem_euclid(step) as f64 / scale))
}

/// The greatest common divisor of whole numbers of any width.
pub(crate) fn gcd<N: Copy + Default + PartialEq + Rem<Output = N>>(a: N, b: N) -> N {
    if b == N::default() { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_honoured_and_fractions_kept() {
        assert_eq!(parse("%Y-%m-%dT%H:%M:%S%:z", None, "1970-01-01T02:00:00+02:00"), Some(0.0));
        let seconds = parse("%Y-%m-%d %H:%M:%S%.f", None, "2024-02-29 10:00:00.25").expect("valid");
        assert_eq!(format("%Y-%m-%d %H:%M:%S%.f", None, seconds), "2024-02-29 10:00:00.25");
        assert_eq!(format("%Y-%m-%d %H:%M:%S%.3f", None, seconds), "2024-02-29 10:00:00.250");
        assert_eq!(format("%Y-%m-%d", None, 86_400.0), "1970-01-02");
    }

    #[test]
    fn the_last_day_of_the_calendar_is_exact() {
        let last = parse("%Y-%m-%d", None, "9999-12-31").expect("a day");
        assert_eq!(format("%Y-%m-%d", None, last), "9999-12-31");
        assert_eq!(format("%Y-%m-%d", None, 1e300), "9999-12-31");
        assert_eq!(format("%Y-%m-%d", None, parse("%Y-%m-%d", None, "0001-01-01").expect("a day")), "0001-01-01");
    }

    #[test]
    fn zones_are_kept() {
        let iso = "%Y-%m-%dT%H:%M:%S%:z";
        for (zone, text) in [
            ("Europe/Berlin", "2024-07-01T12:00:00+02:00"),
            ("Europe/Berlin", "2024-01-01T12:00:00+01:00"),
            ("-03:30", "2024-01-01T12:00:00-03:30"),
        ] {
            let seconds = parse(iso, Some(zone), text).expect("valid");
            assert_eq!(format(iso, Some(zone), seconds), text);
            assert_eq!(to_utc(zone, to_local(Some(zone), seconds)), seconds);
        }
        assert!(check_zone("Middle/Earth").is_err() && check_zone("UTC").is_ok());
    }

    #[test]
    fn parts_that_are_left_out_are_those_of_the_epoch() {
        assert_eq!(parse("%Y-%m", None, "1970-03"), Some(59.0 * 86_400.0));
        assert_eq!(parse("%H:%M:%S", None, "01:00:30"), Some(3_630.0));
        assert!(check_format("%Y-%m-%d").is_ok() && check_format("%H:%M").is_ok());
        assert!(check_format("%Q%Q%!").is_err() && check_format("day").is_err());
    }

    #[test]
    fn grains_are_learnt() {
        let day = 86_400.0;
        assert_eq!(grain([0.0, 3.0 * day, f64::NAN].into_iter()), Some((day, 0.0)));
        assert_eq!(grain([43_200.0, 43_200.0 + day].into_iter()), Some((day, 43_200.0)));
        assert_eq!(grain([0.0, 7_200.0, 3_600.0].into_iter()), Some((3_600.0, 0.0)));
        assert_eq!(grain([0.25, 1.5].into_iter()), Some((0.01, 0.0)));
        assert_eq!(grain([5.0].into_iter()), None);
    }
}
